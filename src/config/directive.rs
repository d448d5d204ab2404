//! What a directive is, apart from which directives there are.

use std::fmt;

use super::table::{Config, DirectiveId};

/// [`Value::assign`] of one field.
type Assign = fn(&mut Config, words: &[&[u8]], &Kind) -> Result<(), String>;

/// One row of the table: everything that is known about a directive.
pub struct Directive {
    pub id: DirectiveId,
    /// The name as CONFIG and configuration files spell it, in lower case.
    pub name: &'static str,
    /// A second, older name with the same meaning.
    pub alias: Option<&'static str>,
    /// The chapter of the documentation it belongs to.
    pub section: &'static str,
    pub kind: Kind,
    pub flags: Flags,
    pub(super) summary_lines: &'static [&'static str],
    pub(super) assign: Assign,
    pub(super) show: fn(&Config, &Kind) -> Vec<u8>,
    pub(super) lines: fn(&Config, &Kind) -> Vec<Vec<u8>>,
    pub(super) same: fn(&Config, &Config) -> bool,
}

impl Directive {
    /// Whether `name` is this directive's name or alias, in any case.
    pub fn is_named(&self, name: &[u8]) -> bool {
        self.names().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name, then the alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// What it does, in a sentence or two.
    pub fn summary(&self) -> String {
        let lines: Vec<&str> = self.summary_lines.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// The value in `config`, as CONFIG GET writes it.
    pub fn show(&self, config: &Config) -> Vec<u8> {
        (self.show)(config, &self.kind)
    }

    pub(super) fn assign(&self, config: &mut Config, words: &[&[u8]]) -> Result<(), String> {
        (self.assign)(config, words, &self.kind)
    }

    /// The right-hand sides of the lines that say the value in a file; none for a value that is said by absence.
    pub(super) fn lines(&self, config: &Config) -> Vec<Vec<u8>> {
        (self.lines)(config, &self.kind)
    }
}

impl fmt::Debug for Directive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The form of a directive's value.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A whole number from `min` to `max`, both included.
    Integer { min: i128, max: i128, unit: Unit },
    /// One of these names, in any case.
    Choice(&'static [&'static str]),
    /// Any of these names, separated by blanks.
    Flags(&'static [&'static str]),
    /// One word that passes the check.
    Text(fn(&str) -> Result<(), &'static str>),
    /// One word of this form.
    Word(&'static str),
    /// Several words of this form.
    Words(&'static str),
}

impl Kind {
    /// Whether the value is a list of words: a file may write them separately, and CONFIG SET's one word is split.
    pub fn takes_words(&self) -> bool {
        matches!(self, Kind::Flags(_) | Kind::Words(_))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Plain,
    /// Bytes; `1kb`, `512mb`, `4g` are understood.
    Memory,
    /// Bytes, or a percentage of `maxmemory` with a `%` behind it.
    MemoryOrPercent,
    /// Permission bits, read and written in base 8.
    Octal,
}

/// Properties of a directive that are not in its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    pub const NONE: Flags = Flags(0);
    /// Only the file or the command line may set it.
    pub const IMMUTABLE: Flags = Flags(1);
    /// The value is a secret: keep it out of logs, MONITOR and SLOWLOG.
    pub const SECRET: Flags = Flags(1 << 1);
    /// Patterns of CONFIG GET do not find it, its exact name does.
    pub const HIDDEN: Flags = Flags(1 << 2);
    /// CONFIG SET needs the permission of `enable-protected-configs`.
    pub const PROTECTED: Flags = Flags(1 << 3);
    /// CONFIG SET is refused while a dataset is loading.
    pub const DENY_LOADING: Flags = Flags(1 << 4);
    /// Setting the same value again counts as a change: the name stays, what it names may differ (certificate files).
    pub const VOLATILE: Flags = Flags(1 << 5);
    /// Part of a crash report.
    pub const DEBUG: Flags = Flags(1 << 6);
    /// A line of a configuration file that CONFIG GET and CONFIG SET do not know.
    pub const FILE_ONLY: Flags = Flags(1 << 7);
    /// The alias is ours, not Redis's: patterns of CONFIG GET do not find it.
    pub const HIDDEN_ALIAS: Flags = Flags(1 << 8);

    pub fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    pub(super) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// A type that a field of [`Config`] may have.
pub(super) trait Value {
    /// Takes the value that `words` say, or leaves the old one and says what is wrong, in Redis's own words.
    fn assign(&mut self, words: &[&[u8]], kind: &Kind) -> Result<(), String>;

    /// The value as CONFIG GET writes it.
    fn show(&self, kind: &Kind) -> Vec<u8>;

    /// The value as one or more lines of a file, without the directive's name. Assigning each, in order, to the
    /// default gives the value back.
    fn lines(&self, kind: &Kind) -> Vec<Vec<u8>> {
        vec![self.show(kind)]
    }
}

pub(super) const WRONG_NUMBER: &str = "wrong number of arguments";

/// The only word of a value that has exactly one.
pub(super) fn only_word<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], String> {
    match words {
        [word] => Ok(word),
        _ => Err(WRONG_NUMBER.to_string()),
    }
}
