//! Memory has a limit: keys are evicted in front of commands that may take more, and in slices at the beginning and the end of a turn.

use super::Engine;
use crate::{
    commands::{CommandId, command::flags},
    keyspace::Eviction,
    resp::request::Args,
    state::{
        ConnId,
        client::Blocked,
        eviction::{Room, slack},
    },
};

/// Evictions between two looks at the clock.
const EVICTIONS_A_LOOK: usize = 16;
/// Evictions in front of a command when a turn's share is used up: more than the command is likely to need, so that the limit is come to all the same.
const EVICTIONS_AT_LEAST: usize = 2;

const OUT_OF_MEMORY: &[u8] = b"OOM command not allowed when used memory > 'maxmemory'.";

impl Engine {
    /// Whether a command that may take memory may run at once: there is room, or keys give way.
    #[inline]
    pub(super) fn has_memory(&mut self) -> bool {
        self.server.host.used_memory() as u64 <= self.server.config.maxmemory || self.make_room() == Room::Enough
    }

    /// Whether a command of a client has to wait for the next turn, since keys could not be evicted as fast as its like have taken memory. It is
    /// tried again then.
    pub(super) fn waits_for_memory(&mut self, conn: ConnId, id: CommandId) -> bool {
        let takes = self.registry.get(id).flags & flags::DENYOOM != 0 && self.server.is_memory_limited();
        // What our primary has done is done, and a transaction is executed as it is.
        let may_wait = self.server.clients.get(conn).is_some_and(|client| client.multi.is_none() && !client.peer.is_primary());
        let waits = takes && may_wait && !self.has_memory() && self.server.eviction.behind;
        if waits && let Some(client) = self.server.clients.get_mut(conn) {
            client.blocked = Some(Blocked::Memory);
            self.short_of_memory.push(conn);
        }
        waits
    }

    /// Who waits for memory tries again in the next turn.
    pub(super) fn release_short_of_memory(&mut self) {
        for conn in self.short_of_memory.drain(..) {
            if let Some(client) = self.server.clients.get_mut(conn).filter(|client| client.blocked == Some(Blocked::Memory)) {
                client.blocked = None;
                self.resumable.push_back(conn);
            }
        }
    }

    /// The error for a command that may take memory where there is none, for an EXEC that would run one, and for whatever a transaction would queue.
    pub(super) fn refusal_by_memory(&mut self, conn: ConnId, id: CommandId, args: Args<'_>) -> Option<&'static [u8]> {
        if !self.server.is_memory_limited() {
            return None;
        }
        let (client, command) = (self.server.clients.get(conn)?, self.registry.get(id));
        let takes = match &client.multi {
            _ if client.peer.is_primary() => false,
            Some(multi) if command.name == "exec" => multi.flags & flags::DENYOOM != 0,
            Some(_) => !matches!(command.name, "discard" | "quit" | "reset"),
            None => self.flags_for(id, args) & flags::DENYOOM != 0,
        };
        let is_short = takes && self.server.host.used_memory() as u64 > self.server.config.maxmemory;
        (is_short && self.make_room() == Room::No).then_some(OUT_OF_MEMORY)
    }

    /// Evicts keys while more memory is used than may be, for as long as a turn has for it; at least a few.
    #[cold]
    #[inline(never)]
    pub(super) fn make_room(&mut self) -> Room {
        let server = &mut self.server;
        let limit = server.config.maxmemory;
        // What is evicted adds to the buffers.
        let counted = |engine: &Self| engine.server.host.used_memory().saturating_sub(engine.server.uncounted_memory()) as u64;
        let is_over = |engine: &Self| counted(engine) > limit;
        // Nothing changes while writes wait, nor beside a suspended script: what that has written is logged when it ends, and the eviction of it would be logged
        // before.
        let waits = server.keyspace.holds_expired || server.scripts.is_slow;
        let logged = server.replication.log.is_fed();
        let monitored = server.config.latency_monitor_threshold > 0;
        let (started, budget, rests) = (server.host.nanos(), server.eviction.left_nanos, server.eviction.rests);
        let (mut over, mut exhausted, mut searching, mut spent) = (is_over(self), false, false, 0);
        while over && !waits && !rests && !exhausted && (spent < budget || spent == 0) {
            let most = if budget > 0 { EVICTIONS_A_LOOK } else { EVICTIONS_AT_LEAST };
            for _ in 0..most {
                let deletion_began = if monitored { self.server.host.nanos() } else { 0 };
                let eviction = self.server.keyspace.evict(logged);
                exhausted = eviction == Eviction::Exhausted;
                searching = eviction == Eviction::Searching;
                if monitored {
                    self.server.note_latency("eviction-del", self.server.host.nanos().saturating_sub(deletion_began) / 1_000_000);
                }
                over = is_over(self);
                // A search may take as long as many evictions.
                if eviction != Eviction::Evicted || !over {
                    break;
                }
            }
            // What is told of the keys takes memory too.
            if !self.server.keyspace.gone.is_empty() || !self.server.keyspace.notes.is_empty() {
                self.forget_gone();
                over = is_over(self);
            }
            spent = self.server.host.nanos().saturating_sub(started).max(1);
        }
        let server = &mut self.server;
        if spent > 0 && started >= server.eviction.gaps_at_nanos {
            let held = server.config.activedefrag.then(|| server.host.held());
            server.keyspace.note_gaps(server.eviction.look_at_gaps(held.as_ref(), started));
        }
        if let Some(region) = server.keyspace.take_emptied_region() {
            server.defrag.empty_region(region, &server.config);
        }
        server.eviction.left_nanos = budget.saturating_sub(spent);
        server.eviction.rests |= searching && server.eviction.left_nanos == 0;
        // It is not a part of the command that it made room for.
        self.nanos = started + spent;
        server.note_over_limit(over && !waits, self.nanos);
        server.eviction.behind = over && !waits && !exhausted;
        if spent > 0 {
            server.note_latency("eviction-cycle", spent / 1_000_000);
        }
        let behind = server.eviction.behind;
        let is_far = behind && counted(self) > self.server.eviction.ceiling;
        match (over && exhausted, is_far) {
            (true, _) => Room::No,
            (false, true) => Room::Later,
            (false, false) => Room::Enough,
        }
    }

    /// Begins a turn: reads the clock, and sees that the limit is kept. What the last turn's clients were owed has been sent as far as it could.
    pub fn begin_turn(&mut self) {
        self.refresh_time();
        let server = &mut self.server;
        server.eviction.told_bytes = 0;
        if server.config.maxmemory > 0 {
            let used = server.host.used_memory() as u64;
            let over = used > server.config.maxmemory || server.eviction.over_since_nanos.is_some();
            let ceiling = used.max(server.config.maxmemory).saturating_add(slack(server.config.maxmemory));
            server.eviction.ceiling = server.eviction.ceiling.min(ceiling);
            if over && server.is_memory_limited() {
                self.make_room();
            }
        }
    }

    /// Goes on evicting at the end of a turn, if there is some of its share left.
    pub(super) fn evict_slice(&mut self) {
        if std::mem::take(&mut self.server.eviction.behind) && self.server.is_memory_limited() {
            self.make_room();
        }
        // What comes from here on is for the next turn.
        let eviction = &mut self.server.eviction;
        (eviction.left_nanos, eviction.rests) = (eviction.budget_nanos, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, MaxmemoryPolicy},
        engine::{
            Engine,
            tests::{A, B},
        },
        state::{Host, client::Origin},
    };
    use std::{cell::Cell, rc::Rc};

    const KEY_BYTES: usize = 100;

    /// A host whose memory gets smaller by a key each time it is asked for, down to a floor; reading its clock takes a time.
    #[derive(Clone, Default)]
    struct Full {
        used: Rc<Cell<usize>>,
        floor: Rc<Cell<usize>>,
        nanos: Rc<Cell<u64>>,
        look_nanos: Rc<Cell<u64>>,
    }

    impl Host for Full {
        fn unix_us(&self) -> i64 {
            1_700_000_000_000_000
        }
        fn nanos(&self) -> u64 {
            self.nanos.set(self.nanos.get() + self.look_nanos.get());
            self.nanos.get()
        }
        fn used_memory(&self) -> usize {
            let used = self.used.get();
            self.used.set(used.saturating_sub(KEY_BYTES).max(self.floor.get().min(used)));
            used
        }
    }

    struct Bench {
        engine: Engine,
        host: Full,
    }

    /// A server that may use so many bytes more than it does.
    fn bench(policy: MaxmemoryPolicy) -> Bench {
        let host = Full::default();
        let config = Config { maxmemory: 1000, maxmemory_policy: policy, ..Config::default() };
        let mut engine = Engine::new(config, Box::new(host.clone()), 1);
        for conn in [A, B] {
            engine.connect(conn, Origin { local: true, ..Origin::default() }).unwrap();
        }
        Bench { engine, host }
    }

    impl Bench {
        /// Memory is used up, and evicting so many keys makes room.
        fn fill(&mut self, keys: usize) {
            self.host.used.set(1000 + keys * KEY_BYTES);
        }

        /// Memory is used up, and nothing can be done.
        fn fill_for_good(&mut self) {
            self.host.used.set(2000);
            self.host.floor.set(2000);
        }

        fn say(&mut self, conn: ConnId, lines: &str) -> String {
            for line in lines.lines() {
                self.engine.receive(conn, format!("{}\r\n", line.trim()).as_bytes());
            }
            let out = self.engine.server.clients.get_mut(conn).map(|c| c.out.take_all()).unwrap_or_default();
            String::from_utf8_lossy(&out).into_owned()
        }

        fn turn(&mut self) {
            self.engine.begin_turn();
            self.engine.finish_turn();
        }

        fn keys(&self) -> usize {
            self.engine.server.keyspace.db(0).len()
        }

        fn add_keys(&mut self, count: usize) {
            (0..count).for_each(|n| _ = self.say(A, &format!("SET key:{n} v")));
        }

        fn logged(&self) -> Vec<String> {
            let log = &self.engine.server.replication.log;
            let text = String::from_utf8(log.read_from(log.first()).expect("it begins there").concat()).expect("text");
            let mut lines = text.split("\r\n").filter(|line| !line.starts_with('$'));
            let mut commands = Vec::new();
            while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
                commands.push(lines.by_ref().take(count.parse().expect("a count")).collect::<Vec<_>>().join(" "));
            }
            commands
        }
    }

    const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

    #[test]
    fn keys_go_in_front_of_a_command_that_may_take_memory() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(20);
        bench.fill(5);
        assert_eq!(bench.say(A, "GET key:1"), "$1\r\nv\r\n");
        assert_eq!(bench.keys(), 20, "a read needs no room");
        assert_eq!(bench.say(A, "SET new v"), "+OK\r\n");
        // The look in front of the command is one of six.
        assert!((15..=18).contains(&bench.keys()), "{}", bench.keys());
        assert_eq!(bench.engine.server.keyspace.stats.evicted, 21 - bench.keys() as u64);
    }

    #[test]
    fn where_nothing_may_go_writes_are_refused_and_reads_and_deletions_are_not() {
        for policy in [MaxmemoryPolicy::NoEviction, MaxmemoryPolicy::VolatileLru, MaxmemoryPolicy::VolatileTtl] {
            let mut bench = bench(policy);
            bench.add_keys(2);
            bench.fill_for_good();
            assert_eq!(bench.say(A, "SET k v\nINCR n\nGET key:1\nDEL key:1\nPING"), format!("{OOM}{OOM}$1\r\nv\r\n:1\r\n+PONG\r\n"));
            assert_eq!(bench.engine.server.stats.errors_by_code["OOM"], 2);
            bench.turn();
            assert!(bench.engine.sleep_ms() > 0, "{policy:?}: there is nothing to do");
            assert!(bench.engine.server.eviction.over_since_nanos.is_some());
            bench.host.floor.set(0);
            bench.host.used.set(0);
            assert_eq!(bench.say(A, "SET k v"), "+OK\r\n");
            bench.turn();
            assert!(bench.engine.server.eviction.over_since_nanos.is_none());
        }
    }

    #[test]
    fn a_transaction_is_refused_for_what_its_queue_holds() {
        let mut bench = bench(MaxmemoryPolicy::NoEviction);
        assert_eq!(bench.say(A, "MULTI\nSET k v"), "+OK\r\n+QUEUED\r\n");
        assert_eq!(bench.say(B, "MULTI\nGET k"), "+OK\r\n+QUEUED\r\n");
        bench.fill_for_good();
        assert_eq!(
            bench.say(A, "EXEC"),
            "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n"
        );
        assert_eq!(bench.say(B, "EXEC"), "*1\r\n$-1\r\n", "one of reads goes through");
        assert_eq!(bench.say(A, "MULTI\nGET k\nDISCARD"), format!("+OK\r\n{OOM}+OK\r\n"), "a queue takes memory, whatever is in it");
        assert_eq!(
            bench.say(A, "MULTI\nGET k\nEXEC"),
            format!("+OK\r\n{OOM}-EXECABORT Transaction discarded because of previous errors.\r\n")
        );
        assert_eq!(bench.say(A, "MULTI\nRESET"), "+OK\r\n+RESET\r\n");
    }

    #[test]
    fn evictions_are_logged_each_by_itself_in_front_of_what_they_made_room_for() {
        for (lazy, name) in [(false, "DEL"), (true, "UNLINK")] {
            let mut bench = bench(MaxmemoryPolicy::AllkeysRandom);
            bench.engine.server.config.lazyfree_lazy_eviction = lazy;
            bench.engine.server.replication.log.open_backlog();
            bench.say(A, "SET only v");
            bench.fill(2);
            bench.say(A, "MULTI\nSET a 1\nSET b 2");
            bench.turn();
            bench.say(A, "EXEC");
            assert_eq!(bench.logged()[1..], ["SET only v", &format!("{name} only"), "MULTI", "SET a 1", "SET b 2", "EXEC"]);
        }
    }

    #[test]
    fn a_turn_evicts_for_its_share_of_time_and_the_rest_goes_on_in_the_next_ones() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(3000);
        bench.fill(2000);
        // 16 keys take 100 microseconds, and a turn has 500.
        bench.host.look_nanos.set(100_000);
        let mut turns = 0;
        while bench.keys() > 1000 {
            let before = bench.keys();
            bench.turn();
            let went = before - bench.keys();
            assert!((1..=8 * EVICTIONS_A_LOOK).contains(&went), "{went}");
            turns += 1;
            if bench.host.used.get() <= 1000 {
                break;
            }
            assert_eq!(bench.engine.sleep_ms(), 0, "there is more to do");
        }
        assert!(turns > 10);
        bench.turn();
        assert!(bench.engine.sleep_ms() > 0);
        assert!(bench.engine.server.stats.eviction_exceeded_nanos > 1_000_000);
    }

    #[test]
    fn a_write_waits_where_memory_would_get_far_beyond_the_limit_and_goes_on_when_there_is_room() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(500);
        // Evicting does not help yet, and takes all the time that a turn has.
        bench.fill_for_good();
        bench.host.look_nanos.set(1_000_000);
        assert_eq!(bench.say(A, "SET k v\nGET k"), "");
        let before = bench.keys();
        bench.turn();
        assert_eq!((bench.say(A, "PING"), bench.engine.sleep_ms()), (String::new(), 0), "what comes behind waits with it");
        assert!((before - 8 * EVICTIONS_A_LOOK..before).contains(&bench.keys()), "{} of {before} are left", bench.keys());
        assert_eq!(bench.say(B, "PING"), "+PONG\r\n");
        bench.host.floor.set(0);
        bench.host.used.set(0);
        (0..2).for_each(|_| bench.turn());
        assert_eq!(bench.say(A, ""), "+OK\r\n$1\r\nv\r\n+PONG\r\n");
    }

    #[test]
    fn without_tenacity_some_keys_go_all_the_same() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.say(A, "CONFIG SET maxmemory-eviction-tenacity 0");
        bench.add_keys(100);
        bench.fill(50);
        bench.host.look_nanos.set(1000);
        assert_eq!(bench.say(A, "SET k v"), "", "it has to wait, with so much too much");
        assert_eq!(bench.keys(), 100 - 2 * EVICTIONS_AT_LEAST);
    }

    #[test]
    fn nothing_goes_while_writes_wait() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(10);
        bench.say(B, "CLIENT PAUSE 1000 WRITE");
        bench.fill_for_good();
        bench.turn();
        bench.turn();
        assert_eq!((bench.keys(), bench.engine.server.eviction.behind), (10, false));
    }

    #[test]
    fn a_replica_leaves_the_limit_to_its_primary_unless_it_is_told_otherwise() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(10);
        bench.say(A, "REPLICAOF 127.0.0.1 1\nCONFIG SET replica-read-only no");
        bench.fill_for_good();
        bench.turn();
        assert_eq!(bench.keys(), 10);
        bench.say(A, "CONFIG SET replica-ignore-maxmemory no");
        bench.turn();
        assert_eq!(bench.keys(), 0);
        assert_eq!(bench.say(A, "SET k v"), OOM);
    }

    #[test]
    fn whoever_listens_is_told_of_evictions() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.say(A, "CONFIG SET notify-keyspace-events KEe\nSET only v");
        bench.say(B, "PSUBSCRIBE *");
        bench.fill(2);
        bench.turn();
        let heard = bench.say(B, "");
        assert!(
            heard.contains("__keyspace@0__:only\r\n$7\r\nevicted") && heard.contains("__keyevent@0__:evicted\r\n$4\r\nonly"),
            "{heard}"
        );
    }

    #[test]
    fn what_waits_to_be_freed_does_not_make_others_go() {
        let mut bench = bench(MaxmemoryPolicy::AllkeysLru);
        bench.add_keys(10);
        let members: Vec<String> = (0..5000).map(|n| format!("member:{n}")).collect();
        bench.say(A, &format!("SADD large {}", members.join(" ")));
        bench.say(A, "UNLINK large");
        let waiting = bench.engine.server.keyspace.unburied_bytes();
        assert!(waiting > 50_000);
        bench.host.used.set(1000 + waiting);
        bench.host.floor.set(1000 + waiting);
        assert_eq!(bench.say(A, "SET k v"), "+OK\r\n");
        assert_eq!(bench.keys(), 11);
    }
}
