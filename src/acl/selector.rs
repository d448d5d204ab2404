//! A set of rules: for commands, for keys and for channels.

use crate::data::glob;

/// What is done with a key: it is read.
pub const ACCESS_READ: u8 = 1;
/// What is done with a key: it is written.
pub const ACCESS_WRITE: u8 = 2;

/// Rules for keys and their patterns' marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPattern {
    pub pattern: Box<[u8]>,
    /// What may be done with the keys that match.
    pub access: u8,
    /// How long it is without the star at its end, where nothing else in it is special; else `usize::MAX`.
    prefix: usize,
}

impl KeyPattern {
    pub fn new(pattern: &[u8], access: u8) -> Self {
        let special = pattern.iter().position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
        let prefix = special.filter(|at| pattern[*at..] == *b"*").unwrap_or(usize::MAX);
        Self { pattern: pattern.into(), access, prefix }
    }

    #[inline]
    fn matches(&self, key: &[u8]) -> bool {
        match self.pattern.get(..self.prefix) {
            // A key without a name matches no pattern but the empty one.
            Some(prefix) => key.starts_with(prefix) && !key.is_empty(),
            None => glob::matches(&self.pattern, key, false),
        }
    }
}

/// One set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Commands and subcommands that are allowed, a bit each by number. Those behind its end are as `future` says.
    pub(super) commands: Vec<u64>,
    /// Whether commands that nobody has thought of yet are allowed: the rules begin with `+@all`.
    pub(super) future: bool,
    /// First arguments with which a command is allowed that is not allowed with others: its number, and the arguments in lower case.
    pub(super) first_args: Vec<(usize, Vec<Box<[u8]>>)>,
    /// The rules for commands as they are shown, without the `+@all` or `-@all` in front.
    pub(super) command_rules: Vec<String>,
    /// All keys, whatever the patterns say.
    pub(super) all_keys: bool,
    pub(super) keys: Vec<KeyPattern>,
    /// All channels, whatever the patterns say.
    pub(super) all_channels: bool,
    pub(super) channels: Vec<Box<[u8]>>,
    /// The databases that may be used, in order; `None`: all of them.
    pub(super) databases: Option<Vec<u32>>,
}

/// What somebody wants to do.
pub trait Request {
    /// The command's number.
    fn command(&self) -> usize;

    /// Whether it may be called by anybody: AUTH, HELLO, QUIT, RESET.
    fn is_free(&self) -> bool;

    /// The first argument behind the command's name and its subcommand's.
    fn first_arg(&self) -> Option<&[u8]>;

    /// Hands over each key with what is done with it ([`ACCESS_READ`], [`ACCESS_WRITE`]) and its place among the arguments, as long as that answers `true`.
    /// Whether it always did.
    fn keys(&self, each: impl FnMut(&[u8], u8, usize) -> bool) -> bool;

    /// Hands over each database that it uses (`None`: all of them) and which argument says so (0: it is the selected one), as long as that answers `true`.
    /// Whether it always did.
    fn databases(&self, each: &mut dyn FnMut(Option<usize>, usize) -> bool) -> bool;

    /// Hands over each channel, whether it is a pattern, and its place among the arguments, as long as that answers `true`. Whether it always did.
    fn channels(&self, each: &mut dyn FnMut(&[u8], bool, usize) -> bool) -> bool;
}

/// Why a request is refused. The later in the order, the further the request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// A database, which this argument names; 0: the selected one, or all of them.
    Database(usize),
    /// The command.
    Command,
    /// The key in this place among the arguments.
    Key(usize),
    /// The channel in this place among the arguments.
    Channel(usize),
}

impl Selector {
    /// One that allows nothing; `all_channels` is what `acl-pubsub-default` says.
    pub fn nothing(all_channels: bool) -> Self {
        Self {
            commands: Vec::new(),
            future: false,
            first_args: Vec::new(),
            command_rules: Vec::new(),
            all_keys: false,
            keys: Vec::new(),
            all_channels,
            channels: Vec::new(),
            databases: None,
        }
    }

    /// Allows every command, key, channel and database.
    pub(super) fn allow_everything(&mut self) {
        *self = Self { future: true, all_keys: true, ..Self::nothing(true) };
    }

    /// Whether it allows everything.
    pub fn is_everything(&self) -> bool {
        self.allows_all_commands() && self.all_keys && self.all_channels && self.databases.is_none()
    }

    /// Whether it allows every command there is or will be.
    pub fn allows_all_commands(&self) -> bool {
        self.future && self.command_rules.is_empty()
    }

    /// Whether every key may be accessed in every way.
    #[inline]
    pub fn allows_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Whether every key may be accessed so.
    pub(super) fn allows_every_key(&self, access: u8) -> bool {
        self.all_keys || self.keys.iter().any(|rule| rule.access & access == access && *rule.pattern == *b"*")
    }

    /// Whether the command of this number is allowed with any arguments.
    #[inline]
    pub fn allows_command(&self, command: usize) -> bool {
        self.commands.get(command / 64).map_or(self.future, |word| word >> (command % 64) & 1 != 0)
    }

    /// Whether a command is allowed whatever the database, but for its keys and channels.
    #[inline]
    pub fn allows_but_for_names(&self, command: usize) -> bool {
        self.databases.is_none() && self.allows_command(command)
    }

    /// Whether a key may be accessed so.
    #[inline]
    pub fn allows_key(&self, key: &[u8], access: u8) -> bool {
        self.all_keys || self.keys.iter().any(|rule| rule.access & access == access && rule.matches(key))
    }

    /// Whether a channel may be used; a pattern of channels only if a rule has the very same.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let is_allowed = |rule: &[u8]| if is_pattern { rule == channel } else { glob::matches(rule, channel, false) };
        self.all_channels || self.channels.iter().any(|rule| is_allowed(rule))
    }

    /// Whether a database may be used.
    pub fn allows_database(&self, index: usize) -> bool {
        self.databases.as_ref().is_none_or(|allowed| allowed.iter().any(|one| *one as usize == index))
    }

    /// Checks a request.
    pub(super) fn check(&self, request: &impl Request) -> Result<(), Denied> {
        if self.databases.is_some() && !request.is_free() {
            self.check_databases(request)?;
        }
        if !self.allows_command(request.command()) && !request.is_free() && !self.allows_first_arg(request) {
            return Err(Denied::Command);
        }
        let mut refused = None;
        if !self.all_keys {
            request.keys(|key, access, at| {
                let allowed = self.allows_key(key, access);
                refused = refused.or((!allowed).then_some(Denied::Key(at)));
                allowed
            });
        }
        if refused.is_none() && !self.all_channels {
            request.channels(&mut |channel, is_pattern, at| {
                let allowed = self.allows_channel(channel, is_pattern);
                refused = refused.or((!allowed).then_some(Denied::Channel(at)));
                allowed
            });
        }
        refused.map_or(Ok(()), Err)
    }

    /// Checks which databases a request uses.
    #[cold]
    fn check_databases(&self, request: &impl Request) -> Result<(), Denied> {
        let mut refused = None;
        request.databases(&mut |database, at| {
            let may = database.is_some_and(|index| self.allows_database(index));
            refused = refused.or((!may).then_some(Denied::Database(at)));
            may
        });
        refused.map_or(Ok(()), Err)
    }

    fn allows_first_arg(&self, request: &impl Request) -> bool {
        let Some((_, allowed)) = self.first_args.iter().find(|(command, _)| *command == request.command()) else { return false };
        request.first_arg().is_some_and(|arg| allowed.iter().any(|one| one.eq_ignore_ascii_case(arg)))
    }

    /// The rules for commands: what they begin from, and each that follows.
    pub fn describe_commands(&self) -> String {
        let base = if self.future { "+@all" } else { "-@all" };
        self.command_rules.iter().fold(base.to_owned(), |text, rule| text + " " + rule)
    }

    /// The rules for keys.
    pub fn describe_keys(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter().map(|rule| {
            let mark: &[u8] = match rule.access {
                ACCESS_READ => b"%R~",
                ACCESS_WRITE => b"%W~",
                _ => b"~",
            };
            [mark, &rule.pattern].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules for channels.
    pub fn describe_channels(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        self.channels.iter().map(|channel| [b"&", &channel[..]].concat()).collect::<Vec<_>>().join(&b' ')
    }

    /// Whether there are databases that it does not allow.
    pub fn limits_databases(&self) -> bool {
        self.databases.is_some()
    }

    /// The rules for databases.
    pub fn describe_databases(&self) -> String {
        match &self.databases {
            None => "alldbs".to_owned(),
            Some(none) if none.is_empty() => String::new(),
            Some(some) => format!("db={}", some.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
        }
    }

    /// All of its rules, as they would have to be said to make it from nothing.
    pub fn describe(&self) -> Vec<u8> {
        let mut words = vec![self.describe_keys()];
        if !self.all_channels {
            words.push(b"resetchannels".to_vec());
        }
        words.push(self.describe_channels());
        if let Some(allowed) = &self.databases {
            words.push(if allowed.is_empty() { b"resetdbs".to_vec() } else { self.describe_databases().into_bytes() });
        }
        words.push(self.describe_commands().into_bytes());
        words.retain(|words| !words.is_empty());
        words.join(&b' ')
    }
}
