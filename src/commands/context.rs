//! What a command is given: the server, its client, its arguments, and the reply to write.

use super::{
    registry::{CommandId, Registry},
    scripting::ScriptCall,
};
use crate::{
    config::ClientClass,
    data::{
        entry::Entry,
        number,
        object::Collection,
        pair::{Held, Value},
    },
    keyspace::{Cause, Keyspace, WrongType},
    resp::{
        output::Output,
        request::{Args, BIG_ARG, OwnedArgs},
    },
    state::{Client, ConnId, Server},
};
use std::borrow::Cow;

pub use crate::state::{
    blocking::{BlockOn, InVain},
    notifications::{Event, NEW},
};

/// What the log of writes gets of a command that changed something. It is small: each command makes one.
#[derive(Default)]
pub enum Effect {
    /// The command as it came.
    #[default]
    Verbatim,
    /// The command as it came, even if it changed nothing.
    Always,
    /// The command as it came, for replicas alone: it is about no data, so a file has no use for it.
    ForReplicas,
    /// This instead, so that it has the same effect at any time and place.
    Instead(Box<OwnedArgs>),
    /// These, even if it changed nothing.
    Several(Vec<OwnedArgs>),
}

/// What is to happen after a command besides its reply. It is small: each command makes one.
#[derive(Default)]
pub enum Outcome {
    /// Nothing.
    #[default]
    Done,
    /// The queued transaction is to be run.
    Exec,
    /// A script is to be run.
    Script(ScriptCall),
    /// The client waits until one of its keys has something for it, and the command is run again.
    Block(Box<BlockOn>),
}

/// What runs a command.
pub type Handler = fn(&mut Ctx<'_>);

/// What a command is given.
pub struct Ctx<'a> {
    /// Everything the engine owns, but for what is in this context.
    pub server: &'a mut Server,
    /// The commands.
    pub registry: &'a Registry<Handler>,
    /// Which command this is.
    pub command: CommandId,
    /// The client's connection.
    pub conn: ConnId,
    /// Index of the client's database.
    pub db: usize,
    /// The arguments, the command's name among them.
    pub args: Args<'a>,
    /// The client's output: the reply goes there.
    pub out: &'a mut Output,
    /// Argument index of the key whose hash is known (0: none), and that hash.
    pub hashed: (usize, u64),
    /// What the log of writes gets when the command has changed something.
    pub effect: Effect,
    /// What is to happen after the command.
    pub outcome: Outcome,
    /// It runs inside EXEC.
    pub in_exec: bool,
}

/// Texts of errors that many commands give.
pub mod errors {
    /// The value at the key is of another type.
    pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// Options that do not fit.
    pub const SYNTAX: &str = "ERR syntax error";
    /// Not an integer of 64 bits.
    pub const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
    /// Not a number.
    pub const NOT_FLOAT: &str = "ERR value is not a valid float";
    /// The key has to be there and is not.
    pub const NO_SUCH_KEY: &str = "ERR no such key";
    /// A number that may not be negative.
    pub const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
    /// A number of keys that is none.
    pub const NUMKEYS: &str = "ERR numkeys should be greater than 0";
    /// A position outside of the value.
    pub const OUT_OF_RANGE: &str = "ERR index out of range";
    /// A string that would grow beyond `proto-max-bulk-len`.
    pub const STRING_TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
}

impl<'a> Ctx<'a> {
    /// Argument `i`; empty when there is no such one.
    #[inline(always)]
    pub fn arg(&self, i: usize) -> &'a [u8] {
        self.args.get(i)
    }

    /// Number of arguments, the command's name among them.
    #[inline(always)]
    pub fn argc(&self) -> usize {
        self.args.len()
    }

    /// Whether argument `i` is this word, in any case.
    pub fn is_word(&self, i: usize, word: &str) -> bool {
        self.arg(i).eq_ignore_ascii_case(word.as_bytes())
    }

    /// The client that sent the command.
    pub fn client(&self) -> &Client {
        self.server.clients.get(self.conn).expect("a command runs for a connected client")
    }

    /// The client that sent the command. Its output is in [`Ctx::out`] while the command runs.
    pub fn client_mut(&mut self) -> &mut Client {
        self.server.clients.get_mut(self.conn).expect("a command runs for a connected client")
    }

    /// The data.
    #[inline(always)]
    pub fn keyspace(&mut self) -> &mut Keyspace {
        &mut self.server.keyspace
    }

    /// Unix time in milliseconds, the same for the whole turn.
    pub fn now_ms(&self) -> i64 {
        self.server.unix_ms()
    }

    /// Answers with an error; its code is the first word.
    #[cold]
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.server.count_error(text.as_ref());
        self.out.error(text);
    }

    /// The error for a number of arguments that does not fit a command.
    pub fn wrong_arity(&mut self) {
        let name = self.registry.full_name(self.command).to_owned();
        self.error(format!("ERR wrong number of arguments for '{name}' command"));
    }

    /// Argument `i` as an integer; answers with an error when it is none.
    pub fn int_arg(&mut self, i: usize) -> Option<i64> {
        let value = number::parse_i64(self.arg(i));
        if value.is_none() {
            self.error(errors::NOT_INTEGER);
        }
        value
    }

    /// Argument `i` as an integer of at least `min`; answers with this error when it is none.
    pub fn count_arg(&mut self, i: usize, min: i64, error: &str) -> Option<usize> {
        let count = number::parse_i64(self.arg(i)).filter(|n| *n >= min);
        if count.is_none() {
            self.error(error);
        }
        count.map(|n| n as usize)
    }

    /// The hash of argument `i` as a key.
    #[inline(always)]
    pub fn hash(&self, i: usize) -> u64 {
        if self.hashed.0 == i { self.hashed.1 } else { self.server.keyspace.hash(self.arg(i)) }
    }

    /// Looks the key at argument `i` up to read it.
    #[inline(always)]
    pub fn read(&mut self, i: usize) -> Option<&mut Entry> {
        let (hash, key) = (self.hash(i), self.arg(i));
        self.server.keyspace.read(self.db, hash, key)
    }

    /// Looks the key at argument `i` up without counting or marking the access.
    pub fn peek(&mut self, i: usize) -> Option<&Entry> {
        let (hash, key) = (self.hash(i), self.arg(i));
        self.server.keyspace.peek(self.db, hash, key)
    }

    /// Looks the key at argument `i` up to answer a question about it: counts the access, and leaves no mark.
    pub fn look(&mut self, i: usize) -> Option<&Entry> {
        let (hash, key) = (self.hash(i), self.arg(i));
        self.server.keyspace.look(self.db, hash, key)
    }

    /// Calls `each` with the index and hash of every `step`th argument from `first` on. Where there are several, their
    /// places in the table are asked for ahead, so that the waits for memory overlap.
    #[inline]
    pub fn each_key(&mut self, first: usize, step: usize, mut each: impl FnMut(&mut Self, usize, u64)) {
        /// As many as the processor can wait for at a time, roughly.
        const AHEAD: usize = 16;
        let mut hashes = [0; AHEAD];
        let mut from = first;
        while from < self.argc() {
            let here = (self.argc() - from).div_ceil(step).min(AHEAD);
            for (n, hash) in hashes[..here].iter_mut().enumerate() {
                *hash = self.hash(from + n * step);
                self.server.keyspace.prefetch_bucket(self.db, *hash);
            }
            for hash in &hashes[..here] {
                self.server.keyspace.prefetch_entry(self.db, *hash);
            }
            for (n, hash) in hashes[..here].iter().enumerate() {
                each(self, from + n * step, *hash);
            }
            from += here * step;
        }
    }

    /// Looks the key at argument `i` up to change its value in place; say [`Ctx::changed`] after the change.
    #[inline(always)]
    pub fn write(&mut self, i: usize) -> Option<&mut Entry> {
        let (hash, key) = (self.hash(i), self.arg(i));
        self.server.keyspace.write(self.db, hash, key)
    }

    /// Tells everybody who listens that the command has changed the key at argument `i`: see [`Keyspace::key_changed`].
    #[inline(always)]
    pub fn changed(&mut self, i: usize, event: Event) {
        let key = self.arg(i);
        self.changed_key(key, event);
    }

    /// [`Ctx::changed`] for a change that gives nobody what he waits for.
    #[inline(always)]
    pub fn changed_unawaited(&mut self, i: usize, event: Event) {
        let key = self.arg(i);
        self.server.key_changed(self.db, key, Cause::Unawaited, event);
    }

    /// [`Ctx::changed`] for a key that is no argument.
    #[inline(always)]
    pub fn changed_key(&mut self, key: &[u8], event: Event) {
        self.server.key_changed(self.db, key, Cause::Command, event);
    }

    /// [`Ctx::changed_key`] for a key of another database.
    pub fn changed_in(&mut self, db: usize, key: &[u8], event: Event) {
        self.server.key_changed(db, key, Cause::Command, event);
    }

    /// [`Ctx::changed_in`] for a key whose change is counted at another one.
    pub fn changed_too(&mut self, db: usize, key: &[u8], event: Event) {
        self.server.key_changed(db, key, Cause::SameCommand, event);
    }

    /// Tells subscribers of one more event of a key.
    #[inline(always)]
    pub fn notify(&mut self, key: &[u8], event: Event) {
        self.server.notify(self.db, key, event);
    }

    /// [`Ctx::notify`] for a key of another database.
    #[inline(always)]
    pub fn notify_in(&mut self, db: usize, key: &[u8], event: Event) {
        self.server.notify(db, key, event);
    }

    /// Bytes of output at which the client is cut off anyway (`client-output-buffer-limit`), so that a reply without end need not go on.
    pub fn reply_limit(&self) -> usize {
        match self.server.config.client_output_buffer_limit[ClientClass::Normal as usize].hard {
            0 => usize::MAX,
            bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }

    /// Whether anybody reads the log of writes, so that building an [`Effect`] is worth it.
    #[inline(always)]
    pub fn is_logged(&self) -> bool {
        self.server.replication.log.is_fed()
    }

    /// Makes the client wait for its keys; the command is run again from its beginning when one of them has changed. Inside a
    /// transaction nobody waits, nor does our primary or a file: the reply is the one for having waited in vain.
    pub fn block(&mut self, on: BlockOn) {
        if !self.in_exec && !self.client().peer.repeats() {
            self.outcome = Outcome::Block(Box::new(on));
            return;
        }
        match on.in_vain {
            InVain::NullArray => self.out.null_array(),
            InVain::Null => self.out.null(),
        }
    }

    /// Answers that the value is of another type.
    #[cold]
    pub fn wrong_type(&mut self) {
        self.error(errors::WRONG_TYPE);
    }

    /// [`Keyspace::read_as`] for the key at argument `i`.
    #[inline]
    pub fn read_as<C: Collection>(&mut self, i: usize) -> Result<Option<&C>, WrongType> {
        let (hash, key) = (self.hash(i), self.arg(i));
        self.server.keyspace.read_as(self.db, hash, key)
    }

    /// Takes the key at argument `i` away, whose collection has just lost its last element.
    pub fn remove_emptied(&mut self, i: usize) {
        let (hash, key) = (self.hash(i), self.arg(i));
        if self.server.keyspace.remove(self.db, hash, key).is_some() {
            self.notify(key, Event('g', "del"));
        }
    }

    /// What the log of writes gets instead of the command.
    pub fn log_instead(&mut self, parts: &[&[u8]]) {
        if self.is_logged() {
            self.effect = Effect::Instead(Box::new(OwnedArgs::new(parts)));
        }
    }

    /// [`Ctx::log_instead`] for what is built only when [`Ctx::is_logged`].
    pub fn log_owned(&mut self, args: OwnedArgs) {
        self.effect = Effect::Instead(Box::new(args));
    }

    /// Adds these arguments to a command that is being built; large ones are shared.
    pub fn keep_args(&self, into: &mut OwnedArgs, which: std::ops::Range<usize>) {
        for i in which {
            match self.arg(i) {
                arg if arg.len() >= BIG_ARG => into.push_shared(self.args.to_bytes(i)),
                arg => into.push(arg),
            }
        }
    }
}

/// The bytes of a string value, with room for the digits of an integer.
pub enum StringText<'a> {
    /// The bytes where they are stored.
    Stored(&'a [u8]),
    /// An integer's digits.
    Digits(itoa::Buffer, i64),
}

impl StringText<'_> {
    /// The bytes.
    pub fn with<R>(self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Stored(bytes) => f(bytes),
            Self::Digits(mut buffer, n) => f(buffer.format(n).as_bytes()),
        }
    }
}

impl<'a> StringText<'a> {
    /// The bytes, to be kept as long as they are stored.
    pub fn into_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Stored(bytes) => Cow::Borrowed(bytes),
            Self::Digits(mut buffer, n) => Cow::Owned(buffer.format(n).as_bytes().to_vec()),
        }
    }
}

/// The value as text; `None` when it is not a string.
pub fn text<O: Held>(value: Value<'_, O>) -> Option<StringText<'_>> {
    Some(match value {
        Value::Str(s) => StringText::Stored(s),
        Value::Int(n) => StringText::Digits(itoa::Buffer::new(), n),
        Value::Object(object) => StringText::Stored(object.bytes()?),
    })
}
