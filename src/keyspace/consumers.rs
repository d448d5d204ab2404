//! Which streams need a later version of the format of files: those with a consumer that was active at another time than it was last seen. A walk
//! has to say the version before it has come by any of them, so databases count them.

use super::Keyspace;

impl Keyspace {
    /// Number of streams whose consumers need version 11 of the format.
    pub fn streams_apart(&self) -> usize {
        self.dbs.iter().map(|db| db.indexes.apart.len()).sum()
    }

    /// Must be called when consumers of the stream at a key may have come, gone, or been seen or active.
    pub fn consumers_changed(&mut self, db: usize, hash: u64, key: &[u8]) {
        let db = &mut self.dbs[db];
        if let Some(entry) = db.dict.find(hash, key) {
            db.indexes.apart.update(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{
            entry::{Entry, NEVER, NewString},
            key_hash::Seed,
            object::Collection,
            stream::{Stream, StreamId},
        },
        keyspace::Upsert,
    };

    fn add(keyspace: &mut Keyspace, db: usize, key: &[u8], apart: bool) {
        let mut stream = Stream::new();
        stream.create_group(b"g", StreamId::MIN, None);
        let group = stream.group_mut(b"g").expect("it was made");
        let consumer = group.create_consumer(b"c", 1000).expect("it is new");
        if !apart {
            group.was_active(consumer, 1000);
        }
        let hash = keyspace.hash(key);
        keyspace.insert(db, hash, Entry::new_object(key, Box::new(stream.into_object()), NEVER));
    }

    /// The consumer of the stream at a key is seen, and was active then or not.
    fn see(keyspace: &mut Keyspace, db: usize, key: &[u8], active: bool) {
        let hash = keyspace.hash(key);
        let stream = keyspace.write_as::<Stream>(db, hash, key).expect("a stream").expect("it is there");
        let group = stream.group_mut(b"g").expect("it is there");
        let consumer = group.consumer(b"c").expect("it is there");
        let now_ms = group.consumer_by(consumer).seen_ms() + 1;
        if active {
            group.was_active(consumer, now_ms)
        } else {
            group.saw(consumer, now_ms)
        }
        keyspace.consumers_changed(db, hash, key);
    }

    #[test]
    fn streams_are_counted_wherever_they_come_from_and_go() {
        let mut keyspace = Keyspace::new(2, Seed::new(1));
        add(&mut keyspace, 0, b"equal", false);
        assert_eq!(keyspace.streams_apart(), 0);
        add(&mut keyspace, 0, b"apart", true);
        assert_eq!(keyspace.streams_apart(), 1);
        see(&mut keyspace, 0, b"equal", false);
        see(&mut keyspace, 0, b"equal", false);
        assert_eq!(keyspace.streams_apart(), 2);
        see(&mut keyspace, 0, b"equal", true);
        assert_eq!(keyspace.streams_apart(), 1);
        see(&mut keyspace, 0, b"equal", false);

        // Renamed into another database, copied, and swapped with it.
        let hash = keyspace.hash(b"equal");
        let entry = keyspace.remove(0, hash, b"equal").expect("it is there");
        assert_eq!(keyspace.streams_apart(), 1);
        keyspace.adopt(1, hash, entry);
        let copy = keyspace.peek(1, hash, b"equal").expect("it is there").copy_as(b"copy");
        let copy_hash = keyspace.hash(b"copy");
        keyspace.adopt(0, copy_hash, copy);
        assert_eq!((keyspace.dbs[0].indexes.apart.len(), keyspace.dbs[1].indexes.apart.len()), (2, 1));
        keyspace.swap(0, 1);
        assert_eq!((keyspace.dbs[0].indexes.apart.len(), keyspace.dbs[1].indexes.apart.len()), (1, 2));

        // Overwritten in place, past its deadline, and flushed.
        match keyspace.upsert(1, copy_hash, b"copy") {
            Upsert::Occupied(slot) => slot.put(NewString::Inline(b"text"), NEVER),
            Upsert::Vacant(_) => panic!("it is there"),
        }
        assert_eq!(keyspace.streams_apart(), 2);
        let apart_hash = keyspace.hash(b"apart");
        keyspace.set_deadline(1, apart_hash, b"apart", 5);
        keyspace.now_ms = 6;
        keyspace.expire_cycle(&mut || true);
        assert_eq!(keyspace.streams_apart(), 1);
        keyspace.flush(0);
        assert_eq!(keyspace.streams_apart(), 0);
        while keyspace.bury() {}
    }

    #[test]
    fn what_is_loaded_counts_when_it_is_in_use() {
        let mut keyspace = Keyspace::new(1, Seed::new(1));
        add(&mut keyspace, 0, b"old", true);
        keyspace.begin_load(true);
        let hash = keyspace.hash(b"new");
        assert!(keyspace.load_insert(0, hash, Entry::new_inline(b"new", b"text", NEVER), false).is_ok());
        keyspace.commit_load();
        assert_eq!(keyspace.streams_apart(), 0);
        while keyspace.bury() {}
    }
}
