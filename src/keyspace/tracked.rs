//! Keys that clients keep copies of (CLIENT TRACKING), and who is to be told when one of them changes.
//!
//! Keys go by their names alone, whatever database they are in, as in Redis: a client is told only the name.

use super::notes::Notes;
use crate::data::{
    dict::{Dict, Slot},
    key_hash::Seed,
    rng::Rng,
};
use std::collections::{BTreeMap, BTreeSet};

/// Readers of one key from which on those that are gone are looked for before there is room for more.
const MANY_READERS: usize = 16;

/// A client that keeps copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its CLIENT ID: never used again.
    pub id: u64,
    /// The number of its connection, which is another client's when it is gone.
    pub conn: u32,
}

/// A key that clients have read.
struct TrackedKey {
    key: Box<[u8]>,
    /// In order of their IDs.
    readers: Vec<Reader>,
}

impl Slot for Box<TrackedKey> {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn bytes(&self) -> usize {
        size_of::<TrackedKey>() + self.key.len() + self.readers.capacity() * size_of::<Reader>()
    }
}

/// A key that has changed, and those that had read it: they are to be told, and are forgotten.
pub struct Stale {
    /// The key.
    pub key: Box<[u8]>,
    /// Those that had read it, in order of their IDs. Some may be gone.
    pub readers: Vec<Reader>,
    /// Which client has changed it, where that is one that keeps copies.
    pub by: Option<Reader>,
}

/// Keys with one prefix that have changed in this turn, and by whom last, where that is a client that keeps copies.
pub type ChangedKeys = BTreeMap<Box<[u8]>, Option<Reader>>;

/// Who is to be told of every key that begins with a prefix (BCAST).
#[derive(Default)]
struct Prefix {
    /// By their IDs.
    listeners: BTreeMap<u64, Reader>,
    changed: ChangedKeys,
}

/// A prefix whose keys have changed in a turn, and who listens to it, in order of their IDs.
pub struct Broadcast {
    /// The keys, in order.
    pub keys: ChangedKeys,
    /// The clients.
    pub listeners: Vec<Reader>,
}

/// Keys that clients keep copies of.
pub struct Tracked {
    /// Keys that were read.
    keys: Dict<Box<TrackedKey>>,
    /// Readers of all keys together.
    items: usize,
    /// Prefixes that clients listen to.
    prefixes: BTreeMap<Box<[u8]>, Prefix>,
    /// The lengths of the prefixes, and how many have each: a key is looked for once for each.
    lengths: BTreeMap<usize, usize>,
    /// The prefixes whose keys have changed in this turn.
    changed: BTreeSet<Box<[u8]>>,
    /// Number of clients that keep copies.
    clients: usize,
    /// The client whose command is being executed, where it is one that keeps copies.
    pub current: Option<Reader>,
}

impl Tracked {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            keys: Dict::new(seed),
            items: 0,
            prefixes: BTreeMap::new(),
            lengths: BTreeMap::new(),
            changed: BTreeSet::new(),
            clients: 0,
            current: None,
        }
    }

    /// Number of clients that keep copies. As long as there is none, nothing else is here either.
    #[inline(always)]
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Number of keys that have been read.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Number of readers of all keys together.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Number of prefixes that clients listen to.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// One more client keeps copies.
    pub fn add_client(&mut self) {
        self.clients += 1;
    }

    /// A client keeps no more copies. What it has read is forgotten when that changes, or with the last such client.
    pub fn remove_client(&mut self) {
        debug_assert!(self.clients > 0);
        self.clients = self.clients.saturating_sub(1);
        if self.clients == 0 {
            self.forget_keys();
        }
    }

    /// A client is to be told of every key that begins with this.
    pub fn listen(&mut self, prefix: &[u8], reader: Reader) {
        let found = self.prefixes.entry(prefix.into()).or_insert_with(|| {
            *self.lengths.entry(prefix.len()).or_default() += 1;
            Prefix::default()
        });
        found.listeners.insert(reader.id, reader);
    }

    /// A client is not to be told of those keys any more.
    pub fn unlisten(&mut self, prefix: &[u8], id: u64) {
        let Some(found) = self.prefixes.get_mut(prefix) else { return };
        found.listeners.remove(&id);
        if found.listeners.is_empty() {
            self.prefixes.remove(prefix);
            self.changed.remove(prefix);
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
    }

    /// A client has read a key. `is_there` says whether another one still is.
    pub fn note_read(&mut self, key: &[u8], reader: Reader, is_there: &mut dyn FnMut(Reader) -> bool) {
        let hash = self.keys.hash(key);
        let Some(found) = self.keys.find_mut(hash, key) else {
            self.keys.insert_new(hash, Box::new(TrackedKey { key: key.into(), readers: vec![reader] }));
            self.items += 1;
            return;
        };
        let place = |readers: &[Reader]| readers.binary_search_by_key(&reader.id, |other| other.id);
        if place(&found.readers).is_ok() {
            return;
        }
        // A key that is read for ever and never changes would remember every client that there was.
        if found.readers.len() >= MANY_READERS && found.readers.len() == found.readers.capacity() {
            let before = found.readers.len();
            found.readers.retain(|other| is_there(*other));
            self.items -= before - found.readers.len();
        }
        let (Ok(at) | Err(at)) = place(&found.readers);
        found.readers.insert(at, reader);
        self.items += 1;
    }

    /// A key has changed: whoever has read it is to be told, and is forgotten. `by_itself` where that was no client's doing.
    pub(super) fn changed(&mut self, key: &[u8], by_itself: bool, notes: &mut Notes) {
        let by = self.current.filter(|_| !by_itself);
        for (len, _) in self.lengths.range(..=key.len()) {
            if let Some(prefix) = self.prefixes.get_mut(&key[..*len]) {
                if prefix.changed.is_empty() {
                    self.changed.insert(key[..*len].into());
                }
                prefix.changed.insert(key.into(), by);
            }
        }
        let hash = self.keys.hash(key);
        if let Some(stale) = self.keys.remove(hash, key) {
            self.items -= stale.readers.len();
            notes.stale(stale.key, stale.readers, by);
        }
    }

    /// Everything may have changed.
    pub(super) fn all_changed(&mut self, notes: &mut Notes) {
        if self.clients > 0 {
            self.forget_keys();
            notes.all_stale();
        }
    }

    /// Forgets a key chosen at random, as if it had changed.
    pub(super) fn forget_one(&mut self, rng: &mut Rng, notes: &mut Notes) {
        let Some(key) = self.keys.random(rng).map(|tracked| tracked.key.clone()) else { return };
        if let Some(stale) = self.keys.remove(self.keys.hash(&key), &key) {
            self.items -= stale.readers.len();
            notes.stale(key, stale.readers, None);
        }
    }

    /// What is to be told of prefixes at the end of a turn, in order.
    pub fn take_broadcasts(&mut self) -> Vec<Broadcast> {
        let mut broadcasts = Vec::new();
        for prefix in std::mem::take(&mut self.changed) {
            if let Some(Prefix { listeners, changed }) = self.prefixes.get_mut(&prefix) {
                broadcasts.push(Broadcast { keys: std::mem::take(changed), listeners: listeners.values().copied().collect() });
            }
        }
        broadcasts
    }

    /// The old table is freed in slices.
    fn forget_keys(&mut self) {
        drop(self.keys.take());
        self.items = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::notes::News;

    fn reader(id: u64) -> Reader {
        Reader { id, conn: id as u32 }
    }

    fn tracked() -> Tracked {
        let mut tracked = Tracked::new(Seed::new(1));
        tracked.add_client();
        tracked
    }

    /// What has become stale, and who has read it.
    fn stale(notes: &mut Notes) -> Vec<(String, Vec<u64>)> {
        let text = |news| match news {
            News::Stale(stale) => (String::from_utf8_lossy(&stale.key).into_owned(), stale.readers.iter().map(|r| r.id).collect()),
            News::AllStale => ("everything".to_owned(), Vec::new()),
            News::Happened(_) => panic!("nothing else happens here"),
        };
        notes.take().into_iter().map(text).collect()
    }

    #[test]
    fn a_reader_is_told_once() {
        let (mut tracked, mut notes) = (tracked(), Notes::default());
        for id in [3, 1, 3, 2] {
            tracked.note_read(b"k", reader(id), &mut |_| true);
        }
        assert_eq!((tracked.keys(), tracked.items()), (1, 3));
        tracked.changed(b"x", false, &mut notes);
        tracked.changed(b"k", false, &mut notes);
        tracked.changed(b"k", false, &mut notes);
        assert_eq!(stale(&mut notes), [("k".to_owned(), vec![1, 2, 3])]);
        assert_eq!((tracked.keys(), tracked.items()), (0, 0));
    }

    #[test]
    fn readers_that_are_gone_do_not_pile_up() {
        let mut tracked = tracked();
        for id in 0..10_000 {
            tracked.note_read(b"k", reader(id), &mut |other| other.id + 5 > id);
        }
        assert!(tracked.items() <= 2 * MANY_READERS, "{}", tracked.items());
    }

    #[test]
    fn a_key_is_told_to_every_prefix_that_it_begins_with() {
        let (mut tracked, mut notes) = (tracked(), Notes::default());
        for (id, prefix) in [(1, &b"ab"[..]), (2, b""), (3, b"abc"), (4, b"b"), (5, b"ab")] {
            tracked.listen(prefix, reader(id));
        }
        assert_eq!(tracked.prefixes(), 4);
        tracked.changed(b"abx", false, &mut notes);
        tracked.changed(b"a", false, &mut notes);
        tracked.unlisten(b"ab", 5);
        let told = |tracked: &mut Tracked| -> Vec<(usize, Vec<u64>)> {
            let broadcasts = tracked.take_broadcasts();
            broadcasts.iter().map(|b| (b.keys.len(), b.listeners.iter().map(|r| r.id).collect())).collect()
        };
        assert_eq!(told(&mut tracked), [(2, vec![2]), (1, vec![1])]);
        assert_eq!(told(&mut tracked), []);
        tracked.changed(b"abx", false, &mut notes);
        tracked.unlisten(b"ab", 1);
        tracked.unlisten(b"ab", 1);
        assert_eq!(told(&mut tracked), [(1, vec![2])]);
    }

    #[test]
    fn with_the_last_client_everything_is_forgotten() {
        let (mut tracked, mut notes) = (tracked(), Notes::default());
        tracked.note_read(b"k", reader(1), &mut |_| true);
        tracked.all_changed(&mut notes);
        tracked.all_changed(&mut notes);
        assert_eq!(stale(&mut notes), [("everything".to_owned(), vec![])]);
        tracked.note_read(b"k", reader(1), &mut |_| true);
        tracked.remove_client();
        tracked.all_changed(&mut notes);
        assert_eq!((tracked.keys(), tracked.items(), notes.is_empty()), (0, 0, true));
    }

    #[test]
    fn what_is_forgotten_for_want_of_room_is_told() {
        let (mut tracked, mut notes, mut rng) = (tracked(), Notes::default(), Rng::new(1));
        for key in 0..100u32 {
            tracked.note_read(&key.to_le_bytes(), reader(1), &mut |_| true);
        }
        for _ in 0..101 {
            tracked.forget_one(&mut rng, &mut notes);
        }
        assert_eq!((tracked.keys(), tracked.items(), stale(&mut notes).len()), (0, 0, 100));
    }
}
