//! What the memory is used for: the figures behind INFO's memory section, MEMORY STATS, USAGE and DOCTOR.

use crate::{
    alloc::Holdings,
    data::{
        entry::{self, Entry, Value},
        object::Object,
    },
    keyspace::Db,
    state::Server,
};

/// Bytes that a key takes of its table: a bucket of 64 holds 7 entries.
const SLOT_BYTES: usize = 64usize.div_ceil(7);

/// The overhead of one database that holds keys.
pub struct DbOverhead {
    /// Its index.
    pub index: usize,
    /// Bytes of its table, and of its entries' headers.
    pub main: usize,
    /// Bytes of its entries' deadlines.
    pub expires: usize,
}

/// Where the memory went, in bytes.
pub struct MemoryFacts {
    /// Handed out by the allocator.
    pub used: usize,
    /// The most that ever was.
    pub peak: usize,
    /// Used before the first client came.
    pub startup: usize,
    /// Resident, as of the last cron.
    pub rss: usize,
    /// What the allocator holds.
    pub held: Holdings,
    /// Active defragmentation is on.
    pub defrag_is_on: bool,
    /// Buffers and state of clients that are no replicas.
    pub clients_normal: usize,
    /// Buffers and state of replicas, and of the log of writes what is kept for them beyond the backlog's size.
    pub clients_replicas: usize,
    /// The log of writes, up to the backlog's size.
    pub backlog: usize,
    /// Databases that hold keys.
    pub databases: Vec<DbOverhead>,
    /// Keys in all databases.
    pub keys: usize,
}

impl MemoryFacts {
    /// Looks at every client, but at nothing that grows with the keys.
    pub fn gather(server: &Server) -> Self {
        let used = server.host.used_memory();
        let of_clients = |replicas: bool| {
            let clients = server.clients.iter().filter(|(_, c)| (c.peer.is_replica()) == replicas);
            clients.map(|(_, c)| c.memory()).sum()
        };
        let log = server.replication.log.memory();
        // What is in its blocks beyond the backlog's size is kept for replicas, if there are some.
        let backlog_bytes = if server.replicas() > 0 { server.config.repl_backlog_size as usize } else { usize::MAX };
        let backlog = if server.replication.log.has_backlog() { log.min(backlog_bytes) } else { 0 };
        let for_replicas = if server.replicas() > 0 { log - backlog } else { 0 };
        let databases = server.keyspace.iter().filter(|(_, db)| !db.is_empty());
        Self {
            used,
            peak: used.max(server.stats.peak_memory),
            startup: server.startup_memory,
            rss: server.rss,
            held: server.host.held(),
            defrag_is_on: server.config.activedefrag,
            clients_normal: of_clients(false),
            clients_replicas: of_clients(true) + for_replicas,
            backlog,
            databases: databases.map(|(index, db)| overhead(index, db)).collect(),
            keys: server.keyspace.iter().map(|(_, db)| db.len()).sum(),
        }
    }

    /// All that is not keys and values.
    pub fn overhead(&self) -> usize {
        let databases: usize = self.databases.iter().map(|db| db.main + db.expires).sum();
        self.startup + self.clients_normal + self.clients_replicas + self.backlog + databases
    }

    /// Keys and values.
    pub fn dataset(&self) -> usize {
        self.used.saturating_sub(self.overhead())
    }

    /// What came after the start; not 0, so that shares of it can be told.
    fn net(&self) -> usize {
        self.used.saturating_sub(self.startup).max(1)
    }

    /// Percentage of what came after the start that is keys and values.
    pub fn dataset_percent(&self) -> f64 {
        self.dataset() as f64 * 100.0 / self.net() as f64
    }

    /// Percentage of the peak that is used now.
    pub fn peak_percent(&self) -> f64 {
        self.used as f64 * 100.0 / self.peak.max(1) as f64
    }

    /// Bytes a key, its overhead among them.
    pub fn bytes_per_key(&self) -> usize {
        self.net().checked_div(self.keys).unwrap_or(0)
    }

    /// Bytes of pages that hold something for each byte that they hold.
    pub fn gaps_ratio(&self) -> f64 {
        self.held.active as f64 / self.held.allocated.max(1) as f64
    }

    /// Bytes that the allocator keeps resident for each in pages that hold something.
    pub fn kept_ratio(&self) -> f64 {
        self.held.resident as f64 / self.held.active.max(1) as f64
    }

    /// Resident bytes of the process for each that the allocator keeps so.
    pub fn beside_ratio(&self) -> f64 {
        self.rss as f64 / self.held.resident.max(1) as f64
    }

    /// Resident bytes for each that is used.
    pub fn fragmentation(&self) -> f64 {
        self.rss as f64 / self.used.max(1) as f64
    }

    /// Resident bytes beyond those used. Negative when some of those have been swapped out, or never touched.
    pub fn fragmentation_bytes(&self) -> i64 {
        self.rss as i64 - self.used as i64
    }
}

fn overhead(index: usize, db: &Db) -> DbOverhead {
    DbOverhead { index, main: db.dict().table_bytes() + db.len() * entry::HEADER_BYTES, expires: db.volatile() * size_of::<i64>() }
}

/// Bytes of memory that a key takes with its value and its place in the table. Of a value with many elements `samples` are looked at.
pub fn usage(entry: &Entry, samples: u64) -> usize {
    let samples = samples as usize;
    let hanging = match entry.value() {
        Value::Int(_) | Value::Str(_) => 0,
        Value::Object(object) => size_of::<Object>() + object.allocated(samples),
    };
    SLOT_BYTES + entry.allocated() + hanging
}

/// Bytes for a person: in the largest unit that is not more than they are, as Redis writes it (`1.50M`).
pub fn human(bytes: u64) -> String {
    const UNITS: [char; 5] = ['K', 'M', 'G', 'T', 'P'];
    let power = bytes.max(1).ilog2() / 10;
    match UNITS.get((power as usize).wrapping_sub(1)) {
        Some(unit) => format!("{:.2}{unit}", bytes as f64 / (1u64 << (10 * power)) as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::entry::NEVER;

    #[test]
    fn bytes_for_a_person_are_as_redis_writes_them() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (916_288, "894.81K"),
            (1 << 20, "1.00M"),
            (25_276_510_208, "23.54G"),
            (3 << 50, "3.00P"),
            (1 << 60, "1152921504606846976B"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }

    #[test]
    fn the_usage_of_a_key_grows_with_key_value_and_deadline() {
        let plain = usage(&Entry::new_inline(b"key", b"value", NEVER), 5);
        assert!((16..40).contains(&plain), "{plain}");
        assert!(usage(&Entry::new_inline(b"key", b"value", 1), 5) > plain);
        let long = Object::from_bytes(vec![b'x'; 1 << 20].into());
        let long = usage(&Entry::new_object(b"key", Box::new(long), NEVER), 5);
        assert!(((1 << 20)..(1 << 20) + 200).contains(&long), "{long}");
    }

    #[test]
    fn what_is_not_overhead_is_dataset() {
        let facts = MemoryFacts {
            used: 2000,
            peak: 4000,
            startup: 1000,
            rss: 3000,
            held: Holdings { allocated: 2000, active: 2500, resident: 2750 },
            defrag_is_on: true,
            clients_normal: 100,
            clients_replicas: 0,
            backlog: 0,
            databases: vec![DbOverhead { index: 0, main: 250, expires: 50 }],
            keys: 10,
        };
        assert_eq!((facts.overhead(), facts.dataset(), facts.bytes_per_key()), (1400, 600, 100));
        assert_eq!((facts.gaps_ratio(), facts.kept_ratio()), (1.25, 1.1));
        assert_eq!((facts.dataset_percent(), facts.peak_percent(), facts.fragmentation()), (60.0, 50.0, 1.5));
        let empty = MemoryFacts { used: 0, keys: 0, ..facts };
        assert_eq!((empty.dataset(), empty.bytes_per_key(), empty.fragmentation_bytes()), (0, 0, 3000));
    }
}
