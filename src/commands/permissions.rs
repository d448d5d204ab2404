//! A request as the rules for users look at it.

use super::{
    CommandId, Ctx, Registry,
    command::{Command, categories, flags, key_flags},
    key_extraction,
};
use crate::{
    acl::{ACCESS_READ, ACCESS_WRITE, Denied, Reason, Request},
    data::number,
    resp::request::Args,
};

/// A command with its arguments, and what it wants with keys, channels and databases.
pub struct Asked<'a> {
    /// The commands.
    pub registry: &'a Registry,
    /// Which one it is.
    pub id: CommandId,
    /// Its arguments, its name first.
    pub args: Args<'a>,
    /// The database that is selected where it runs.
    pub db: usize,
    /// How many databases there are.
    pub databases: usize,
}

/// Commands that use channels: from which argument on, how many (0: all that follow), and whether they are patterns. Nobody is kept from unsubscribing.
const CHANNELS: &[(&str, usize, usize, bool)] = &[
    ("publish", 1, 1, false),
    ("spublish", 1, 1, false),
    ("subscribe", 1, 0, false),
    ("ssubscribe", 1, 0, false),
    ("psubscribe", 1, 0, true),
];

impl Request for Asked<'_> {
    fn command(&self) -> usize {
        usize::from(self.id)
    }

    fn is_free(&self) -> bool {
        self.registry.get(self.id).flags & flags::NO_AUTH != 0
    }

    fn first_arg(&self) -> Option<&[u8]> {
        let at = if self.registry.parent(self.id).is_some() { 2 } else { 1 };
        (at < self.args.len()).then(|| self.args.get(at))
    }

    #[inline]
    fn keys(&self, mut each: impl FnMut(&[u8], u8, usize) -> bool) -> bool {
        key_extraction::each_key(self.registry.get(self.id), &self.args, |at, does| each(self.args.get(at), access(does), at))
    }

    fn databases(&self, each: &mut dyn FnMut(Option<usize>, usize) -> bool) -> bool {
        let command = self.registry.get(self.id);
        // Who names no database that there is is told so by the command.
        let named = |at: usize| {
            let index =
                (at < self.args.len()).then(|| number::parse_i64(self.args.get(at))).flatten().and_then(|n| usize::try_from(n).ok());
            index.filter(|index| *index < self.databases)
        };
        // What is named is refused before what is selected, so that the refusal names it.
        match command.name {
            "select" => named(1).is_none_or(|db| each(Some(db), 1)),
            "swapdb" => named(1).zip(named(2)).is_none_or(|(one, other)| each(Some(one), 1) && each(Some(other), 2)),
            "flushall" => each(None, 0),
            "move" => named(2).is_none_or(|db| each(Some(db), 2)) && each(Some(self.db), 0),
            "copy" => {
                let is_option = |at: &usize| self.args.get(*at).eq_ignore_ascii_case(b"db");
                let mut options = (3..self.args.len()).filter(is_option).map(|at| at + 1);
                options.all(|at| named(at).is_none_or(|db| each(Some(db), at))) && each(Some(self.db), 0)
            }
            _ => !uses_data(command) || each(Some(self.db), 0),
        }
    }

    fn channels(&self, each: &mut dyn FnMut(&[u8], bool, usize) -> bool) -> bool {
        let command = self.registry.get(self.id);
        if command.flags & flags::PUBSUB == 0 {
            return true;
        }
        let Some((_, first, count, is_pattern)) = CHANNELS.iter().find(|(name, ..)| *name == command.name) else { return true };
        let end = if *count == 0 { self.args.len() } else { (first + count).min(self.args.len()) };
        (*first..end).all(|at| each(self.args.get(at), *is_pattern, at))
    }
}

/// The key of a request that has one and can have no other.
#[inline]
pub fn only_key<'a>(command: &Command, args: &Args<'a>) -> Option<&'a [u8]> {
    let at = command.only_key;
    (at != 0 && at < args.len()).then(|| args.get(at))
}

/// What is done with it.
pub fn only_key_access(command: &Command, args: &Args<'_>) -> u8 {
    access(key_extraction::access_of_only_key(command, args))
}

/// Whether a command means the database that is selected.
fn uses_data(command: &Command) -> bool {
    command.categories_all() & (categories::KEYSPACE | categories::READ | categories::WRITE) != 0 || key_extraction::has_keys(command)
}

/// What is done with a key, as rules say it.
fn access(does: u32) -> u8 {
    let reads = if does & key_flags::ACCESS != 0 { ACCESS_READ } else { 0 };
    let writes = if does & (key_flags::INSERT | key_flags::DELETE | key_flags::UPDATE) != 0 { ACCESS_WRITE } else { 0 };
    reads | writes
}

impl Asked<'_> {
    /// The error for a request that is refused to a user of this name.
    pub fn refusal(&self, denied: Denied, username: &[u8]) -> Vec<u8> {
        match denied {
            Denied::Command => {
                let name = self.registry.full_name(self.id).as_bytes();
                [b"NOPERM User ", username, b" has no permissions to run the '", name, b"' command"].concat()
            }
            Denied::Database(_) => b"NOPERM No permissions to access database".to_vec(),
            Denied::Key(_) => b"NOPERM No permissions to access a key".to_vec(),
            Denied::Channel(_) => b"NOPERM No permissions to access a channel".to_vec(),
        }
    }

    /// What the log of refusals says of it: the reason, and the command, key, channel or database.
    pub fn told(&self, denied: Denied) -> (Reason, Vec<u8>) {
        match denied {
            Denied::Database(0) => (Reason::Database, self.registry.full_name(self.id).as_bytes().to_vec()),
            Denied::Database(at) => (Reason::Database, self.args.get(at).to_vec()),
            Denied::Command => (Reason::Command, self.registry.full_name(self.id).as_bytes().to_vec()),
            Denied::Key(at) => (Reason::Key, self.args.get(at).to_vec()),
            Denied::Channel(at) => (Reason::Channel, self.args.get(at).to_vec()),
        }
    }
}

/// Whether the client's user may read every key there is, so that a command may look at some that its arguments do not name.
pub fn may_read_every_key(ctx: &Ctx<'_>) -> bool {
    let client = ctx.client();
    let databases = ctx.server.keyspace.databases();
    let asked = Asked { registry: ctx.registry, id: ctx.command, args: ctx.args, db: ctx.db, databases };
    let may = || ctx.server.users.get(client.user).is_some_and(|user| user.allows_every_key(&asked, ACCESS_READ));
    !ctx.server.is_restricted(client) || may()
}
