//! Hashes: what their commands share. Each file below has a few of the commands, and ends in their rows of the table.

pub mod counters;
pub mod expiring;
pub mod expiry;
pub mod simple;
pub mod whole;

use super::Ctx;
use crate::{
    data::{
        entry::{Entry, Value},
        hash::{Hash, PackLimits},
        object::Object,
    },
    keyspace::{Keyspace, WrongType},
    resp::output::Output,
    state::Server,
};

pub use super::strings::reply_value;

/// Where a command's hash is: the key at argument 1.
#[derive(Clone, Copy)]
struct HashPlace<'a> {
    db: usize,
    hash: u64,
    key: &'a [u8],
}

impl<'a> HashPlace<'a> {
    #[inline(always)]
    fn of(ctx: &Ctx<'a>) -> Self {
        Self { db: ctx.db, hash: ctx.hash(1), key: ctx.arg(1) }
    }

    /// The hash, to look at, and the time to tell it.
    #[inline(always)]
    fn read(self, keyspace: &mut Keyspace) -> Result<(Option<&Hash>, i64), WrongType> {
        keyspace.expire_due_fields(self.db, self.hash, self.key);
        let now = keyspace.fields_now();
        Ok((keyspace.read_as(self.db, self.hash, self.key)?, now))
    }

    /// Whether there is a hash, without counting or marking the access.
    fn kind(self, keyspace: &mut Keyspace) -> Result<bool, WrongType> {
        keyspace.expire_due_fields(self.db, self.hash, self.key);
        match keyspace.peek(self.db, self.hash, self.key).map(Entry::value) {
            None => Ok(false),
            Some(Value::Object(Object::Hash(_))) => Ok(true),
            Some(_) => Err(WrongType),
        }
    }

    /// The hash, to change, and the time to tell it. [`finish`] says what came of it.
    #[inline(always)]
    fn write(self, keyspace: &mut Keyspace) -> Result<(Option<&mut Hash>, i64), WrongType> {
        keyspace.expire_due_fields(self.db, self.hash, self.key);
        let now = keyspace.fields_now();
        Ok((keyspace.write_as(self.db, self.hash, self.key)?, now))
    }

    /// The same, with a new hash where there is none. Says whether it is new.
    #[inline(always)]
    fn write_or_insert(self, keyspace: &mut Keyspace, new: impl FnOnce() -> Hash) -> Result<(&mut Hash, bool, i64), WrongType> {
        keyspace.expire_due_fields(self.db, self.hash, self.key);
        let now = keyspace.fields_now();
        let (hash, new) = keyspace.write_or_insert(self.db, self.hash, self.key, new)?;
        Ok((hash, new, now))
    }
}

/// What is left to do when a hash has been changed.
#[derive(Clone, Copy)]
struct Changed {
    emptied: bool,
    misbooked: bool,
}

impl Changed {
    #[inline(always)]
    fn of(hash: &Hash) -> Self {
        Self { emptied: hash.is_empty(), misbooked: hash.is_misbooked() }
    }

    /// Takes the key away that the change has left empty, and keeps the database's order of deadlines right.
    #[inline(always)]
    fn finish(self, ctx: &mut Ctx<'_>) {
        if self.emptied {
            ctx.remove_emptied(1);
        } else if self.misbooked {
            let HashPlace { db, hash, key } = HashPlace::of(ctx);
            ctx.server.keyspace.fields_changed(db, hash, key);
        }
    }
}

#[inline(always)]
fn limits(server: &Server) -> PackLimits {
    let config = &server.config;
    PackLimits { entries: config.hash_max_listpack_entries, value: config.hash_max_listpack_value, seed: server.keyspace.seed() }
}

/// Answers with the value of a field of a hash that may not be there.
#[inline(always)]
fn reply_field(out: &mut Output, hash: Option<&Hash>, field: &[u8], now: i64) -> bool {
    match hash.and_then(|hash| hash.get(field, now)) {
        Some(value) => reply_value(out, value),
        None => {
            out.null();
            false
        }
    }
}
