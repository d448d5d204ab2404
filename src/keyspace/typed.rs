//! Look-ups of values that have to be of one type.

use super::Keyspace;
use crate::data::{
    entry::{Entry, NEVER, Value},
    object::{Collection, Object},
};

/// The value at the key is of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

fn of<C: Collection>(entry: &Entry) -> Result<&C, WrongType> {
    match entry.value() {
        Value::Object(object) => C::of(object).ok_or(WrongType),
        _ => Err(WrongType),
    }
}

fn of_mut<C: Collection>(entry: &mut Entry) -> Result<&mut C, WrongType> {
    entry.object_mut().and_then(C::of_mut).ok_or(WrongType)
}

impl Keyspace {
    /// The value at a key if it may be a collection, even past its deadline: for hints, see [`Object::prefetch`].
    #[inline]
    pub fn glance(&self, db: usize, hash: u64, key: &[u8]) -> Option<&Object> {
        match self.dbs[db].dict.find(hash, key)?.value() {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// [`Keyspace::read`] for a value of this type.
    #[inline]
    pub fn read_as<C: Collection>(&mut self, db: usize, hash: u64, key: &[u8]) -> Result<Option<&C>, WrongType> {
        self.read(db, hash, key).map(|entry| of(entry)).transpose()
    }

    /// [`Keyspace::peek_alive`] for a value of this type; one of another type is not there.
    pub fn peek_alive_as<C: Collection>(&self, db: usize, hash: u64, key: &[u8]) -> Option<&C> {
        of(self.peek_alive(db, hash, key)?).ok()
    }

    /// An entry that was read before in the same turn, if it was found then: for commands that look at several at once.
    pub fn seen(&self, db: usize, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.dbs[db].dict.find(hash, key).filter(|entry| self.is_live(entry))
    }

    /// A value that was read before in the same turn, when it was found to be live and of this type: for commands that look at several at once.
    pub fn seen_as<C: Collection>(&self, db: usize, hash: u64, key: &[u8]) -> Option<&C> {
        of(self.dbs[db].dict.find(hash, key)?).ok()
    }

    /// [`Keyspace::write`] for a value of this type. Whoever leaves it empty has to [remove](Keyspace::remove) the key.
    #[inline]
    pub fn write_as<C: Collection>(&mut self, db: usize, hash: u64, key: &[u8]) -> Result<Option<&mut C>, WrongType> {
        self.write(db, hash, key).map(of_mut).transpose()
    }

    /// [`Keyspace::write_as`] that counts the hit or miss, as a read does: for commands that Redis lets look a key up as readers do, and change it.
    #[inline]
    pub fn read_to_write_as<C: Collection>(&mut self, db: usize, hash: u64, key: &[u8]) -> Result<Option<&mut C>, WrongType> {
        let handle = self.locate(db, hash, key);
        self.count_read(db, key, handle.is_some());
        let Some(handle) = handle else { return Ok(None) };
        self.before_change(db, hash, handle);
        let entry = self.dbs[db].dict.at_mut(handle);
        self.access.write(entry, self.now_ms);
        of_mut(entry).map(Some)
    }

    /// [`Keyspace::write_as`], with a new value where there is no key. Says whether it is new.
    #[inline]
    pub fn write_or_insert<C: Collection>(
        &mut self,
        db: usize,
        hash: u64,
        key: &[u8],
        new: impl FnOnce() -> C,
    ) -> Result<(&mut C, bool), WrongType> {
        // One look-up when the key is there, as it is nearly always.
        let Some(handle) = self.locate(db, hash, key) else {
            let entry = self.insert(db, hash, Entry::new_object(key, Box::new(new().into_object()), NEVER));
            return Ok((of_mut(entry)?, true));
        };
        self.before_change(db, hash, handle);
        let entry = self.dbs[db].dict.at_mut(handle);
        self.access.write(entry, self.now_ms);
        Ok((of_mut(entry)?, false))
    }
}
