//! How a command is described: everything about it but what its handler does, of whatever type `H` that is.

/// What a command is and needs: bits of [`Description::flags`]. The gate in front of every command tests them in one operation.
pub mod flags {
    /// May change data.
    pub const WRITE: u64 = 1 << 0;
    /// Reads data.
    pub const READONLY: u64 = 1 << 1;
    /// May use more memory: refused when there is none.
    pub const DENYOOM: u64 = 1 << 2;
    /// For administrators.
    pub const ADMIN: u64 = 1 << 3;
    /// Has to do with pub/sub.
    pub const PUBSUB: u64 = 1 << 4;
    /// Not in scripts.
    pub const NOSCRIPT: u64 = 1 << 5;
    /// May make the client wait.
    pub const BLOCKING: u64 = 1 << 6;
    /// Runs while data is being loaded.
    pub const LOADING: u64 = 1 << 7;
    /// Runs on a replica that has lost its primary.
    pub const STALE: u64 = 1 << 8;
    /// Not shown to monitors.
    pub const SKIP_MONITOR: u64 = 1 << 9;
    /// Not put into the slow log.
    pub const SKIP_SLOWLOG: u64 = 1 << 10;
    /// Short and of constant or logarithmic time.
    pub const FAST: u64 = 1 << 11;
    /// Runs before the client has authenticated.
    pub const NO_AUTH: u64 = 1 << 12;
    /// May be replicated although it does not write.
    pub const MAY_REPLICATE: u64 = 1 << 13;
    /// Runs although a script is too slow.
    pub const ALLOW_BUSY: u64 = 1 << 14;
    /// Not inside a transaction.
    pub const NO_MULTI: u64 = 1 << 15;
    /// Its keys cannot be told from the key specifications alone.
    pub const MOVABLE_KEYS: u64 = 1 << 16;
    /// Accesses data though it names no key.
    pub const TOUCHES_ARBITRARY_KEYS: u64 = 1 << 17;
    /// Never runs asynchronously.
    pub const NO_ASYNC_LOADING: u64 = 1 << 18;
    /// Has no keys that a cluster must hold (`no_mandatory_keys`).
    pub const NO_MANDATORY_KEYS: u64 = 1 << 19;
    /// Executes at once inside MULTI instead of being queued. Not shown to clients.
    pub const NOT_QUEUED: u64 = 1 << 20;
    /// Runs while the client is in RESP2's subscriber mode. Not shown to clients.
    pub const SUBSCRIBED: u64 = 1 << 21;
    /// May make the client wait, for something else than keys, by [`Server`](crate::state::Server)'s own means. Not shown to clients.
    pub const PARKS: u64 = 1 << 22;

    /// Every command has it: a gate that bars it looks at every command. Not shown to clients.
    pub const ANY: u64 = 1 << 23;

    /// Names of those that COMMAND shows, in its order.
    pub const NAMES: &[(u64, &str)] = &[
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLE_KEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// ACL categories: bits of [`Description::categories`].
pub mod categories {
    /// Names by bit: bit 0 is the first.
    pub const NAMES: &[&str] = &[
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
    /// The bit of a category by its name, in any case.
    pub fn named(name: &[u8]) -> Option<u32> {
        let bit = NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(1 << bit)
    }

    /// Keys of any type.
    pub const KEYSPACE: u32 = 1 << 0;
    /// Reads.
    pub const READ: u32 = 1 << 1;
    /// Writes.
    pub const WRITE: u32 = 1 << 2;
    /// Sets.
    pub const SET: u32 = 1 << 3;
    /// Sorted sets.
    pub const SORTEDSET: u32 = 1 << 4;
    /// Lists.
    pub const LIST: u32 = 1 << 5;
    /// Hashes.
    pub const HASH: u32 = 1 << 6;
    /// Strings.
    pub const STRING: u32 = 1 << 7;
    /// Bitmaps.
    pub const BITMAP: u32 = 1 << 8;
    /// HyperLogLogs.
    pub const HYPERLOGLOG: u32 = 1 << 9;
    /// Geo indexes.
    pub const GEO: u32 = 1 << 10;
    /// Streams.
    pub const STREAM: u32 = 1 << 11;
    /// Pub/sub.
    pub const PUBSUB: u32 = 1 << 12;
    /// Administration.
    pub const ADMIN: u32 = 1 << 13;
    /// Fast.
    pub const FAST: u32 = 1 << 14;
    /// Not fast.
    pub const SLOW: u32 = 1 << 15;
    /// Blocking.
    pub const BLOCKING: u32 = 1 << 16;
    /// Dangerous in the wrong hands.
    pub const DANGEROUS: u32 = 1 << 17;
    /// Connections.
    pub const CONNECTION: u32 = 1 << 18;
    /// Transactions.
    pub const TRANSACTION: u32 = 1 << 19;
    /// Scripts.
    pub const SCRIPTING: u32 = 1 << 20;
    /// Not of its group's own category: for the few commands that Redis files elsewhere (SORT, WAIT).
    pub const NOT_OF_GROUP: u32 = 1 << 31;
}

/// What a command does with a key: COMMAND's key-specification flags.
pub mod key_flags {
    /// Reads the value and writes it.
    pub const RW: u32 = 1 << 0;
    /// Reads only.
    pub const RO: u32 = 1 << 1;
    /// Overwrites whatever was there.
    pub const OW: u32 = 1 << 2;
    /// Removes the key.
    pub const RM: u32 = 1 << 3;
    /// Returns, copies or uses the value's content.
    pub const ACCESS: u32 = 1 << 4;
    /// Changes the value by what it was.
    pub const UPDATE: u32 = 1 << 5;
    /// Adds to the value.
    pub const INSERT: u32 = 1 << 6;
    /// Takes from the value.
    pub const DELETE: u32 = 1 << 7;
    /// Is no key at all, but looks like one.
    pub const NOT_KEY: u32 = 1 << 8;
    /// The specification does not find all of the keys.
    pub const INCOMPLETE: u32 = 1 << 9;
    /// The flags depend on the arguments.
    pub const VARIABLE: u32 = 1 << 10;

    /// Names, in COMMAND's order.
    pub const NAMES: &[(u32, &str)] = &[
        (RW, "RW"),
        (RO, "RO"),
        (OW, "OW"),
        (RM, "RM"),
        (ACCESS, "access"),
        (UPDATE, "update"),
        (INSERT, "insert"),
        (DELETE, "delete"),
        (NOT_KEY, "not_key"),
        (INCOMPLETE, "incomplete"),
        (VARIABLE, "variable_flags"),
    ];
}

/// Where a command's keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(i32),
    /// Behind this word, looked for from this argument on (from the end backwards when negative).
    Keyword(&'static str, i32),
    /// It cannot be said.
    Unknown,
}

/// How a command's keys go on from where they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// To `last` (relative to the first; negative: from the end), every `step`th argument, of the first 1/`limit` of what is left if that is not 0.
    Range {
        /// Last key.
        last: i32,
        /// Distance of two keys.
        step: i32,
        /// Fraction of the arguments that are keys.
        limit: i32,
    },
    /// A count at `count` (relative to the beginning), then from `first` on that many, every `step`th argument.
    KeyNum {
        /// Where the count is.
        count: i32,
        /// Where the first key is.
        first: i32,
        /// Distance of two keys.
        step: i32,
    },
    /// It cannot be said.
    Unknown,
}

/// One way to find keys among the arguments.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where they begin.
    pub begin: Begin,
    /// How they go on.
    pub find: Find,
    /// What is done with them: [`key_flags`].
    pub flags: u32,
    /// A remark for COMMAND.
    pub notes: Option<&'static str>,
}

impl KeySpec {
    /// One key, at argument `at`.
    pub const fn one(at: i32, flags: u32) -> Self {
        Self::range(at, 0, 1, flags)
    }

    /// Keys from argument `at` to `last` (relative to `at`; negative: from the end), every `step`th.
    pub const fn range(at: i32, last: i32, step: i32, flags: u32) -> Self {
        Self { begin: Begin::Index(at), find: Find::Range { last, step, limit: 0 }, flags, notes: None }
    }

    /// With a remark for COMMAND.
    pub const fn noted(mut self, notes: &'static str) -> Self {
        self.notes = Some(notes);
        self
    }

    /// A count at argument `at`, and behind it that many keys.
    pub const fn counted(at: i32, flags: u32) -> Self {
        Self { begin: Begin::Index(at), find: Find::KeyNum { count: 0, first: 1, step: 1 }, flags, notes: None }
    }
}

/// The groups of COMMAND DOCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Keys of any type.
    Generic,
    /// Strings.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Hashes.
    Hash,
    /// Places.
    Geo,
    /// Streams.
    Stream,
    /// Strings as rows of bits.
    Bitmap,
    /// HyperLogLogs.
    HyperLogLog,
    /// Pub/sub.
    Pubsub,
    /// Transactions.
    Transactions,
    /// Connections.
    Connection,
    /// Administration.
    Server,
    /// The nodes of a cluster.
    Cluster,
    /// Scripts and functions.
    Scripting,
}

impl Group {
    /// Its name in COMMAND DOCS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::Geo => "geo",
            Self::Stream => "stream",
            Self::Bitmap => "bitmap",
            Self::HyperLogLog => "hyperloglog",
            Self::Pubsub => "pubsub",
            Self::Transactions => "transactions",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Scripting => "scripting",
        }
    }

    /// The ACL category of its commands.
    pub const fn category(self) -> u32 {
        match self {
            Self::Generic => categories::KEYSPACE,
            Self::String => categories::STRING,
            Self::List => categories::LIST,
            Self::Set => categories::SET,
            Self::SortedSet => categories::SORTEDSET,
            Self::Hash => categories::HASH,
            Self::Geo => categories::GEO,
            Self::Stream => categories::STREAM,
            Self::Bitmap => categories::BITMAP,
            Self::HyperLogLog => categories::HYPERLOGLOG,
            Self::Pubsub => categories::PUBSUB,
            Self::Transactions => categories::TRANSACTION,
            Self::Connection => categories::CONNECTION,
            Self::Scripting => categories::SCRIPTING,
            Self::Server | Self::Cluster => 0,
        }
    }
}

/// Finds the positions of the keys among the arguments where specifications cannot; `None` when the arguments are wrong.
pub type KeyFinder = fn(&crate::resp::request::Args<'_>) -> Option<Vec<(usize, u32)>>;

/// What is done with the one key of a command, where its arguments say it.
pub type KeyAccess = fn(&crate::resp::request::Args<'_>) -> u32;

/// One command, or one subcommand of one.
pub struct Description<H: 'static> {
    /// Its name in lower case; a subcommand's is its own word only.
    pub name: &'static str,
    /// What runs it.
    pub handler: H,
    /// Exact number of arguments, the name (and the subcommand's) among them; negative: at least that many.
    pub arity: i32,
    /// What it is and needs: [`flags`].
    pub flags: u64,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Argument index of its key, if it has that one and no other; else 0. Made of `keys`.
    pub only_key: usize,
    /// Says what is done with that key, where `keys` says all that can be.
    pub key_access: Option<KeyAccess>,
    /// Finds keys that `keys` cannot.
    pub key_finder: Option<KeyFinder>,
    /// Argument index of the first element that it looks for in the collection at its first key; 0: it looks for none.
    pub element: usize,
    /// The group it belongs to.
    pub group: Group,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// Its arguments behind the name, in the notation of [`syntax`](super::syntax).
    pub args: &'static str,
    /// ACL categories beyond those that group and flags imply.
    pub extra_categories: u32,
    /// Hints for proxies and clients (`COMMAND INFO`'s tips).
    pub tips: &'static [&'static str],
    /// What changed in which version.
    pub history: &'static [(&'static str, &'static str)],
    /// Since when it is deprecated, and in favour of what.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// For servers and their authors, not for programs (COMMAND DOCS's `syscmd`).
    pub internal: bool,
    /// Its subcommands; the handler then runs when none is named.
    pub subcommands: &'static [Description<H>],
}

/// Begins a description.
pub const fn describe<H>(name: &'static str, handler: H, arity: i32, flags: u64) -> Description<H> {
    Description {
        name,
        handler,
        arity,
        flags: flags | flags::ANY,
        keys: &[],
        only_key: 0,
        key_access: None,
        key_finder: None,
        element: 0,
        group: Group::Generic,
        since: "1.0.0",
        summary: "",
        complexity: "O(1)",
        args: "",
        extra_categories: 0,
        tips: &[],
        history: &[],
        deprecated: None,
        internal: false,
        subcommands: &[],
    }
}

impl<H: Copy> Description<H> {
    /// Its group and the Redis version that brought it.
    pub const fn since(mut self, group: Group, since: &'static str) -> Self {
        self.group = group;
        self.since = since;
        self
    }

    /// What it does in one sentence, and what that costs.
    pub const fn doc(mut self, summary: &'static str, complexity: &'static str) -> Self {
        self.summary = summary;
        self.complexity = complexity;
        self
    }

    /// Its arguments.
    pub const fn args(mut self, args: &'static str) -> Self {
        self.args = args;
        self
    }

    /// Where its keys are.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self.only_key = match keys {
            [KeySpec { begin: Begin::Index(at), find: Find::Range { last: 0, .. }, flags, .. }]
                if *at > 0 && *flags & (key_flags::NOT_KEY | key_flags::INCOMPLETE) == 0 =>
            {
                *at as usize
            }
            _ => 0,
        };
        self
    }

    /// What is done with its one key, where the arguments say it.
    pub const fn key_access(mut self, access: KeyAccess) -> Self {
        self.key_access = Some(access);
        self
    }

    /// How its keys are found where specifications cannot say it.
    pub const fn key_finder(mut self, finder: KeyFinder) -> Self {
        self.key_finder = Some(finder);
        self.only_key = 0;
        self
    }

    /// Argument index of the first element that it looks for in a collection: what look-ahead brings near.
    pub const fn element(mut self, at: usize) -> Self {
        self.element = at;
        self
    }

    /// ACL categories beyond those that group and flags imply.
    pub const fn categories(mut self, categories: u32) -> Self {
        self.extra_categories = categories;
        self
    }

    /// It is in these ACL categories instead of its group's.
    pub const fn categories_instead(mut self, categories: u32) -> Self {
        self.extra_categories = categories;
        self.extra_categories |= categories::NOT_OF_GROUP;
        self
    }

    /// Hints for proxies and clients.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    /// What changed in which version.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.history = history;
        self
    }

    /// Since when it is deprecated, and in favour of what.
    pub const fn deprecated(mut self, since: &'static str, instead: &'static str) -> Self {
        self.deprecated = Some((since, instead));
        self
    }

    /// It is for servers and their authors, not for programs.
    pub const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Its subcommands.
    pub const fn subcommands(mut self, subcommands: &'static [Description<H>]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// Whether this many arguments are right for it.
    #[inline(always)]
    pub const fn accepts(&self, argc: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        argc == least || argc > least && self.arity < 0
    }

    /// All its ACL categories.
    pub const fn categories_all(&self) -> u32 {
        let mut all = self.extra_categories & !categories::NOT_OF_GROUP;
        // A command that is nothing without its subcommands is in no category of its own.
        let is_container = !self.subcommands.is_empty() && self.arity == -2;
        if self.extra_categories & categories::NOT_OF_GROUP == 0 && !is_container {
            all |= self.group.category();
        }
        if self.flags & flags::WRITE != 0 {
            all |= categories::WRITE;
        }
        // Commands that read without being about data (scripts, administration) are not "read".
        if self.flags & flags::READONLY != 0 && all & categories::SCRIPTING == 0 {
            all |= categories::READ;
        }
        if self.flags & flags::ADMIN != 0 {
            all |= categories::ADMIN | categories::DANGEROUS;
        }
        if self.flags & flags::PUBSUB != 0 {
            all |= categories::PUBSUB;
        }
        if self.flags & flags::BLOCKING != 0 {
            all |= categories::BLOCKING;
        }
        all | if self.flags & flags::FAST != 0 { categories::FAST } else { categories::SLOW }
    }

    /// Argument index of the first key when it is always the same one: what look-ahead hashes. Where a count in front says that there is none, it is another
    /// argument, or beyond the last one.
    pub const fn first_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: Begin::Index(at), find, .. }, ..] if *at > 0 => {
                let behind = if let Find::KeyNum { first, .. } = find { *first } else { 0 };
                Some((*at + behind) as usize)
            }
            _ => None,
        }
    }
}
