//! The notation in which a row of the table writes a command's arguments, and the tree that COMMAND DOCS makes of it.
//!
//! ```text
//! key  count:integer  newkey:key@1      an argument: name, type, and which key specification finds it
//! NX  by-rank:BYRANK  'lib-name'        a literal word, with a name of its own, and one that is not in capitals
//! EX seconds:integer                    a literal word and the argument behind it
//! [...]                                 may be left out
//! (a | b)  [a | b]  mode:(a | b)        one of
//! (a b)  data:(a b)                     all of
//! key...  (a b)...  [GET pattern]...    may be repeated; a literal word inside the brackets is repeated too
//! addr<ip:port>:string                  what to show a person instead of the name
//! ```
//!
//! The types are string, integer, double, key, pattern and unix-time. Without one an argument is a string, unless its name
//! says that it is a key ([`KEY_NAMES`]). Keys are found by the command's key specifications in order, unless `@` says otherwise.

use std::fmt;

/// Names of arguments that are keys without saying so.
pub const KEY_NAMES: &[&str] = &["key", "source", "destination", "newkey", "key1", "key2", "sourcekey", "destkey", "src", "dst"];

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Any bytes.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// A key.
    Key,
    /// A glob pattern.
    Pattern,
    /// A moment of Unix time.
    UnixTime,
    /// A literal word and nothing else.
    PureToken,
    /// One of its arguments.
    OneOf,
    /// All of its arguments.
    Block,
}

impl ArgumentKind {
    /// Its name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }

    /// The type of a value by its name.
    fn of_value(name: &str) -> Option<Self> {
        [Self::String, Self::Integer, Self::Double, Self::Key, Self::Pattern, Self::UnixTime].into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it has arguments of its own.
    pub const fn is_group(self) -> bool {
        matches!(self, Self::OneOf | Self::Block)
    }
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name; empty for a group of which the notation says none, until [`parse`] has found one.
    pub name: String,
    /// What it is.
    pub kind: ArgumentKind,
    /// The literal word in front of it, or which it is.
    pub token: Option<&'static str>,
    /// What to show a person instead of its name.
    pub display: Option<&'static str>,
    /// Which of the command's key specifications finds it.
    pub key_spec: Option<usize>,
    /// It may be left out.
    pub optional: bool,
    /// It may be repeated.
    pub multiple: bool,
    /// Its token is repeated with it.
    pub multiple_token: bool,
    /// What it consists of, when it is a group.
    pub arguments: Vec<Argument>,
}

/// Why a notation cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub reason: String,
    /// The notation from there on.
    pub at: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.reason, self.at)
    }
}

/// The arguments that `notation` writes, of a command with so many key specifications.
pub fn parse(notation: &'static str, key_specs: usize) -> Result<Vec<Argument>, SyntaxError> {
    let mut reader = NotationReader { rest: notation };
    let mut arguments = reader.sequence()?;
    if !reader.rest.is_empty() {
        return reader.fail("a bracket that was not opened");
    }
    arguments.iter_mut().for_each(name_groups);
    number_keys(&mut arguments, &mut 0, key_specs);
    Ok(arguments)
}

/// A group without a name is called by its token, or else by the first of what is in it.
fn name_groups(argument: &mut Argument) {
    argument.arguments.iter_mut().for_each(name_groups);
    if argument.name.is_empty() {
        argument.name = match (argument.token, argument.arguments.first()) {
            (Some(token), _) => token.to_ascii_lowercase(),
            (None, Some(first)) => first.name.clone(),
            (None, None) => String::new(),
        };
    }
}

/// Gives keys their specifications: each the next one, those beyond the last share it.
fn number_keys(arguments: &mut [Argument], next: &mut usize, key_specs: usize) {
    for argument in arguments {
        if argument.kind == ArgumentKind::Key && argument.key_spec.is_none() && key_specs > 0 {
            argument.key_spec = Some((*next).min(key_specs - 1));
            *next += 1;
        }
        number_keys(&mut argument.arguments, next, key_specs);
    }
}

/// What is left to read of a notation.
struct NotationReader {
    rest: &'static str,
}

const SPECIAL: &[char] = &['(', ')', '[', ']', '|'];

impl NotationReader {
    fn fail<T>(&self, reason: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { reason: reason.into(), at: self.rest })
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Arguments side by side, up to a `|`, a closing bracket or the end.
    fn sequence(&mut self) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments: Vec<Argument> = Vec::new();
        loop {
            self.skip_blanks();
            if self.rest.is_empty() || self.rest.starts_with(['|', ')', ']']) {
                return Ok(arguments);
            }
            let before = self.rest;
            let mut argument = self.item()?;
            // A literal word belongs to what follows it, unless that may be left out.
            let takes_token = argument.kind != ArgumentKind::PureToken && !argument.optional && argument.token.is_none();
            if let Some(word) = arguments.pop_if(|last| takes_token && is_plain_token(last)) {
                argument.token = word.token;
            }
            if arguments.iter().any(|known| !argument.name.is_empty() && known.name == argument.name) {
                self.rest = before;
                return self.fail(format!("a second '{}' beside the first", argument.name));
            }
            arguments.push(argument);
        }
    }

    /// What is between two brackets, as one argument.
    fn group(&mut self, close: &str, name: &str) -> Result<Argument, SyntaxError> {
        let mut alternatives = vec![self.sequence()?];
        while self.eat("|") {
            alternatives.push(self.sequence()?);
        }
        if !self.eat(close) {
            return self.fail(format!("no '{close}'"));
        }
        if alternatives.iter().any(Vec::is_empty) {
            return self.fail("an empty group before this");
        }
        if alternatives.len() > 1 {
            let arguments = alternatives.into_iter().map(|sequence| block_of(sequence, "")).collect();
            return Ok(Argument { arguments, ..plain(name.to_owned(), ArgumentKind::OneOf) });
        }
        Ok(block_of(alternatives.swap_remove(0), name))
    }

    fn item(&mut self) -> Result<Argument, SyntaxError> {
        let argument = if self.eat("[") {
            Argument { optional: true, ..self.group("]", "")? }
        } else if self.eat("(") {
            self.group(")", "")?
        } else if self.eat("'") {
            let Some((word, rest)) = self.rest.split_once('\'') else { return self.fail("no second quote") };
            self.rest = rest;
            return Ok(token(word.to_ascii_lowercase(), word));
        } else {
            let argument = self.word()?;
            let multiple = self.repeats();
            return Ok(Argument { multiple: argument.multiple || multiple, ..argument });
        };
        let multiple = self.repeats();
        Ok(Argument {
            multiple: argument.multiple || multiple,
            multiple_token: argument.multiple_token || multiple && argument.token.is_some() && argument.kind != ArgumentKind::PureToken,
            ..argument
        })
    }

    /// Whether `...` follows.
    fn repeats(&mut self) -> bool {
        let before = self.rest;
        self.skip_blanks();
        let repeats = self.eat("...");
        if !repeats {
            self.rest = before;
        }
        repeats
    }

    fn word(&mut self) -> Result<Argument, SyntaxError> {
        let stop = |c: char| c.is_whitespace() || SPECIAL.contains(&c) || matches!(c, ':' | '<' | '@');
        let end = self.rest.find(stop).unwrap_or(self.rest.len());
        let end = self.rest[..end].find("...").unwrap_or(end);
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return self.fail("no name");
        }
        self.rest = rest;
        let mut display = None;
        if self.eat("<") {
            let Some((shown, rest)) = self.rest.split_once('>') else { return self.fail("no '>'") };
            display = Some(shown);
            self.rest = rest;
        }
        if !self.eat(":") {
            if is_literal(name) {
                return Ok(token(name.to_ascii_lowercase(), name));
            }
            let kind = if KEY_NAMES.contains(&name) { ArgumentKind::Key } else { ArgumentKind::String };
            return Ok(Argument { display, key_spec: self.key_spec()?, ..plain(name.to_owned(), kind) });
        }
        if self.eat("(") {
            return self.group(")", name);
        }
        let end = self.rest.find(|c| stop(c) || c == '.').unwrap_or(self.rest.len());
        let (kind, rest) = self.rest.split_at(end);
        if let Some(kind) = ArgumentKind::of_value(kind) {
            self.rest = rest;
            return Ok(Argument { display, key_spec: self.key_spec()?, ..plain(name.to_owned(), kind) });
        }
        if kind.is_empty() || !is_literal(kind) {
            return self.fail("no such type");
        }
        self.rest = rest;
        Ok(token(name.to_owned(), kind))
    }

    fn key_spec(&mut self) -> Result<Option<usize>, SyntaxError> {
        if !self.eat("@") {
            return Ok(None);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let Ok(index) = digits.parse() else { return self.fail("no number behind '@'") };
        self.rest = rest;
        Ok(Some(index))
    }
}

/// Whether a word of the notation is a literal.
fn is_literal(word: &str) -> bool {
    !word.contains(|c: char| c.is_ascii_lowercase())
}

fn is_plain_token(argument: &Argument) -> bool {
    argument.kind == ArgumentKind::PureToken && !argument.optional && !argument.multiple
}

fn plain(name: String, kind: ArgumentKind) -> Argument {
    Argument {
        name,
        kind,
        token: None,
        display: None,
        key_spec: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        arguments: Vec::new(),
    }
}

fn token(name: String, word: &'static str) -> Argument {
    Argument { token: Some(word), ..plain(name, ArgumentKind::PureToken) }
}

/// Several arguments as one; one alone stays itself, unless the group has a name.
fn block_of(mut sequence: Vec<Argument>, name: &str) -> Argument {
    if sequence.len() == 1 && name.is_empty() {
        return sequence.swap_remove(0);
    }
    Argument { arguments: sequence, ..plain(name.to_owned(), ArgumentKind::Block) }
}

/// The arguments as manuals write them: `key value [NX | XX] [EX seconds]`.
pub fn render(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments.iter().map(render_one).collect();
    words.join(" ")
}

fn render_one(argument: &Argument) -> String {
    let alternatives = || argument.arguments.iter().map(render_one).collect::<Vec<_>>().join(" | ");
    let inner = match argument.kind {
        ArgumentKind::PureToken => String::new(),
        // The brackets of an optional argument serve for its group, too.
        ArgumentKind::OneOf if argument.optional && !argument.multiple && argument.token.is_none() => alternatives(),
        ArgumentKind::OneOf => format!("<{}>", alternatives()),
        ArgumentKind::Block => render(&argument.arguments),
        _ => argument.display.unwrap_or(&argument.name).to_owned(),
    };
    let with_token = match argument.token {
        // An empty word is shown by its quotes.
        Some("") => "\"\"".to_owned(),
        Some(token) if inner.is_empty() => token.to_owned(),
        Some(token) => format!("{token} {inner}"),
        None => inner.clone(),
    };
    let whole = match (argument.multiple, argument.multiple_token) {
        (true, true) => format!("{with_token} [{with_token} ...]"),
        (true, false) => format!("{with_token} [{inner} ...]"),
        _ => with_token,
    };
    if argument.optional { format!("[{whole}]") } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::TABLE;

    fn one(notation: &'static str) -> Argument {
        let mut arguments = parse(notation, 1).unwrap();
        assert_eq!(arguments.len(), 1, "{arguments:?}");
        arguments.remove(0)
    }

    #[test]
    fn every_row_of_the_table_can_be_read() {
        for command in TABLE.iter().copied().flatten().flat_map(|c| std::iter::once(c).chain(c.subcommands)) {
            if let Err(error) = parse(command.args, command.keys.len()) {
                panic!("{} ({}): {error}", command.name, command.args);
            }
        }
    }

    #[test]
    fn arguments_have_types() {
        let arguments = parse("key value:string count:integer ratio:double at:unix-time match:pattern from:key name", 2).unwrap();
        let kinds: Vec<ArgumentKind> = arguments.iter().map(|a| a.kind).collect();
        use ArgumentKind::*;
        assert_eq!(kinds, [Key, String, Integer, Double, UnixTime, Pattern, Key, String]);
        assert_eq!((arguments[0].key_spec, arguments[6].key_spec, arguments[1].key_spec), (Some(0), Some(1), None));
    }

    #[test]
    fn keys_beyond_the_last_specification_share_it() {
        let specs = |notation, count| parse(notation, count).unwrap().iter().map(|a| a.key_spec).collect::<Vec<_>>();
        assert_eq!(specs("key1 key2", 1), [Some(0), Some(0)]);
        assert_eq!(specs("source destination", 2), [Some(0), Some(1)]);
        assert_eq!(specs("key [STORE destination@2]", 3), [Some(0), Some(2)]);
        assert_eq!(specs("key", 0), [None]);
    }

    #[test]
    fn words_in_capitals_stand_for_themselves() {
        let nx = one("NX");
        assert_eq!((nx.kind, nx.name.as_str(), nx.token), (ArgumentKind::PureToken, "nx", Some("NX")));
        let change = one("change:CH");
        assert_eq!((change.kind, change.name.as_str(), change.token), (ArgumentKind::PureToken, "change", Some("CH")));
        let lower = one("'lib-name'");
        assert_eq!((lower.kind, lower.name.as_str(), lower.token), (ArgumentKind::PureToken, "lib-name", Some("lib-name")));
        assert_eq!(one("'' ").token, Some(""));
        assert_eq!(one("equal:=").token, Some("="));
    }

    #[test]
    fn a_literal_word_takes_what_follows_it() {
        let ex = one("EX seconds:integer");
        assert_eq!((ex.kind, ex.name.as_str(), ex.token), (ArgumentKind::Integer, "seconds", Some("EX")));
        let limit = one("[LIMIT (offset:integer count:integer)]");
        assert_eq!((limit.kind, limit.name.as_str(), limit.token, limit.optional), (ArgumentKind::Block, "limit", Some("LIMIT"), true));
        let auth = one("AUTH auth:(username password)");
        assert_eq!((auth.kind, auth.name.as_str(), auth.arguments.len()), (ArgumentKind::Block, "auth", 2));
        assert_eq!(parse("ASYNC [SYNC]", 0).unwrap().len(), 2, "not what may be left out");
    }

    #[test]
    fn groups_are_one_of_or_all_of() {
        let one_of = one("[condition:(NX | XX)]");
        assert_eq!((one_of.kind, one_of.name.as_str(), one_of.optional), (ArgumentKind::OneOf, "condition", true));
        assert_eq!(one("[ NX|XX ]"), Argument { name: "nx".into(), ..one_of });
        let block = one("data:(key value)...");
        assert_eq!((block.kind, block.multiple, block.multiple_token), (ArgumentKind::Block, true, false));
        let mixed = one("(a b | C)");
        assert_eq!(mixed.arguments.iter().map(|a| a.kind).collect::<Vec<_>>(), [ArgumentKind::Block, ArgumentKind::PureToken]);
        assert_eq!(one("(key)"), one("key"));
    }

    #[test]
    fn repetition_may_include_the_literal_word() {
        for notation in ["[ID client-id:integer ...]", "[ID client-id:integer...]"] {
            let id = one(notation);
            assert_eq!((id.optional, id.multiple, id.multiple_token), (true, true, false));
        }
        for notation in ["[GET pattern]...", "[GET pattern] ..."] {
            let get = one(notation);
            assert_eq!((get.optional, get.multiple, get.multiple_token), (true, true, true));
        }
        let key = one("key...");
        assert_eq!((key.kind, key.multiple, key.multiple_token), (ArgumentKind::Key, true, false));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for notation in ["(a", "a)", "[a", "a | b", "()", "a:nosuch", "'a", "a<b", "key [key ...]", ":string", "a@"] {
            assert!(parse(notation, 1).is_err(), "{notation}");
        }
    }

    #[test]
    fn manuals_write_it_as_people_know_it() {
        for (notation, text) in [
            ("key value [condition:(NX|XX)] [GET]", "key value [NX | XX] [GET]"),
            ("[(EX seconds:integer | PERSIST)]", "[EX seconds | PERSIST]"),
            ("key...", "key [key ...]"),
            ("(key value)...", "key value [key value ...]"),
            ("[GET pattern:pattern]...", "[GET pattern [GET pattern ...]]"),
            ("[ID client-id:integer ...]", "[ID client-id [client-id ...]]"),
            ("[LIMIT (offset:integer count:integer)]", "[LIMIT offset count]"),
            ("status:(ON|OFF)", "<ON | OFF>"),
            ("[TYPE type:('normal'|'replica')]", "[TYPE <normal | replica>]"),
            ("addr<ip:port>:string", "ip:port"),
        ] {
            assert_eq!(render(&parse(notation, 1).unwrap()), text);
        }
    }
}
