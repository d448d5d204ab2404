//! Clients that wait for keys are served: each key that has changed wakes those that wait for it, in order of arrival, by running their
//! commands again.

use super::Engine;
use crate::{
    acl::Context,
    commands::{CommandId, command::Group},
    resp::output::Output,
    state::ConnId,
};
use std::borrow::Cow;

/// Most waits for keys that time out in one turn.
const WAITS_A_TURN: usize = 200;
/// How long a turn goes on with requests that were held back.
const RESUME_NANOS: u64 = 200_000;

impl Engine {
    /// Serves clients that wait for keys that have changed, until no such key is left: a client that is served may feed another.
    #[cold]
    pub(super) fn serve_ready(&mut self) {
        // No commands run meanwhile; the keys stay ready.
        if self.serving || self.is_held_back() {
            return;
        }
        // The command that changed the key may have taken so long that a deadline has passed.
        self.refresh_time();
        self.serving = true;
        while let Some((db, key)) = self.server.keyspace.awaited.take_ready() {
            self.serve_key(db, &key);
        }
        self.serving = false;
        if !self.server.keyspace.gone.is_empty() {
            self.forget_gone();
        }
    }

    fn serve_key(&mut self, db: usize, key: &[u8]) {
        let hash = self.server.keyspace.hash(key);
        // A client that begins to wait after this has already looked at the key itself.
        let Some(last) = self.server.keyspace.awaited.last(db, key) else { return };
        let mut met = 0;
        while let Some((ticket, waiter)) = self.server.keyspace.awaited.next(db, key, met)
            && ticket <= last
        {
            met = ticket;
            // A key past its deadline stays until it is looked up.
            let found = self.server.keyspace.peek_alive(db, hash, key).map(|entry| entry.type_name());
            if found.is_none() && !self.server.keyspace.awaited.concerns_gone(db, key) {
                return;
            }
            let conn = ConnId(waiter);
            if self.is_served_by(conn, found) {
                self.try_again(conn);
            }
        }
    }

    /// Whether a client's command is run again now that there is a value of this type at one of its keys, or none.
    fn is_served_by(&self, conn: ConnId, found: Option<&str>) -> bool {
        let also_gone =
            self.server.clients.get(conn).and_then(|client| client.waiting.as_ref()).is_some_and(|waiting| waiting.on.also_gone);
        also_gone || found.is_some() && self.waits_for_type(conn) == found
    }

    /// The type of value that a client waits for: a value of another type leaves it waiting, instead of failing its command.
    fn waits_for_type(&self, conn: ConnId) -> Option<&'static str> {
        let waiting = self.server.clients.get(conn)?.waiting.as_ref()?;
        match self.registry.get(waiting.command).group {
            Group::List => Some("list"),
            Group::SortedSet => Some("zset"),
            Group::Stream => Some("stream"),
            Group::String => Some("string"),
            _ => None,
        }
    }

    /// Runs a waiting client's command again. If it finds nothing again, the client goes on waiting, behind the others.
    fn try_again(&mut self, conn: ConnId) {
        let Some(client) = self.server.clients.get_mut(conn).filter(|client| !client.closing()) else { return };
        let Some(mut waiting) = client.waiting.take() else { return };
        let (db, id): (usize, CommandId) = (client.db, waiting.command);
        let protocol = client.out.protocol;
        let mut out = std::mem::replace(&mut client.out, Output::new(protocol));
        out.lend(&mut self.buffers);
        let mut unheard = Output::new(protocol);
        let reply = if waiting.silent { &mut unheard } else { &mut out };
        let denied = self.denied(conn, id, waiting.args.args());
        let refusal = match denied {
            Some(denied) => Some(Cow::Owned(self.note_denied(conn, id, waiting.args.args(), denied, Context::TopLevel))),
            None => self.refusal_by_state(conn, id, waiting.args.args()),
        };
        let again = match refusal {
            Some(text) => {
                self.refuse(conn, Some(id), reply, &text);
                None
            }
            None => {
                // The time of the attempts before counts with the time of this one.
                self.nanos = self.nanos.saturating_sub(waiting.nanos);
                self.call_tracked(conn, id, waiting.args.args(), (0, 0), reply, false)
            }
        };
        self.give_output(conn, out);
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        if let Some(on) = again {
            waiting.nanos = self.tried_nanos;
            return self.server.wait_again(conn, db, waiting, &on);
        }
        client.blocked = None;
        self.server.forget_waiting(conn, db, &waiting);
        self.server.blocking.released.push(conn);
    }

    /// Whether the command of some waiting client is to be run again, whatever happens to its keys.
    #[inline]
    pub(super) fn owes_tries(&self) -> bool {
        self.server.blocking.next_try().is_some_and(|(again_ms, _)| again_ms <= self.server.unix_ms()) && !self.is_held_back()
    }

    /// Runs such commands again, up to the limit of one turn.
    #[inline]
    pub(super) fn try_due(&mut self) {
        for _ in 0..WAITS_A_TURN {
            let Some((again_ms, conn)) = self.server.blocking.next_try().filter(|_| self.owes_tries()) else { return };
            self.server.blocking.forget_try(conn, again_ms);
            self.serving = true;
            self.try_again(conn);
            self.serving = false;
        }
    }

    /// Whether no command of a waiting client is to run now: the clients are paused, or the data are being loaded.
    fn is_held_back(&self) -> bool {
        let server = &self.server;
        // What a script has done so far is not to be seen.
        self.is_script_slow() || server.write_gate().holds() || server.loading.as_ref().is_some_and(|loading| !loading.asynchronous)
    }

    /// Whether the wait of some client for keys has timed out.
    #[inline]
    pub(super) fn owes_key_waits(&self) -> bool {
        self.server.blocking.next_deadline().is_some_and(|(deadline_ms, _)| deadline_ms <= self.server.unix_ms())
    }

    /// Ends waits that have timed out, up to the limit of one turn.
    #[inline]
    pub(super) fn end_key_waits(&mut self) {
        for _ in 0..WAITS_A_TURN {
            let Some((_, conn)) = self.server.blocking.next_deadline().filter(|_| self.owes_key_waits()) else { return };
            if !self.server.unblock(conn, None) {
                debug_assert!(false, "a deadline of a client that does not wait");
                return;
            }
        }
    }

    /// Milliseconds until the next deadline of a client that waits for keys, or until its command is run again.
    pub(super) fn key_wait_ms(&self) -> u64 {
        let blocking = &self.server.blocking;
        let tries = blocking.next_try().filter(|_| !self.is_held_back());
        let next = [blocking.next_deadline(), tries].into_iter().flatten().map(|(at, _)| at).min();
        next.map_or(u64::MAX, |at| (at - self.server.unix_ms()).max(0) as u64)
    }

    /// Resumes clients whose wait is over, for a bounded time; the others keep their places for the next turn.
    pub(super) fn resume_released(&mut self) {
        self.resumable.extend(self.server.blocking.released.drain(..));
        if self.resumable.is_empty() {
            return;
        }
        let until = self.server.host.nanos() + RESUME_NANOS;
        while let Some(conn) = self.resumable.pop_front() {
            self.resume(conn);
            self.resumable.extend(self.server.blocking.released.drain(..));
            if self.server.host.nanos() > until {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::tests::{A, B, Bench, C, D, bench_of_four},
        state::{ConnId, client::Origin},
    };

    fn taken(key: &str, value: &str) -> String {
        format!("*2\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n", key.len(), value.len())
    }

    #[test]
    fn who_came_first_is_served_first_and_by_the_command_that_feeds_it() {
        let mut bench = bench_of_four();
        assert_eq!(bench.say(B, "BTAKE k 0"), "");
        assert_eq!(bench.say(C, "BTAKE x k 0"), "");
        assert_eq!(bench.say(A, "SET k 1\nEXISTS k"), "+OK\r\n:0\r\n");
        assert_eq!((bench.take(B), bench.take(C)), (taken("k", "1"), String::new()));
        bench.say(A, "SET k 2");
        assert_eq!(bench.take(C), taken("k", "2"));
        assert!(bench.engine.server.keyspace.awaited.is_empty(), "not for x either");
    }

    #[test]
    fn a_transaction_feeds_when_it_is_over() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 0");
        bench.say(A, "MULTI\nSET k 1\nDEL k\nEXEC");
        assert_eq!(bench.take(B), "", "there is nothing left by then");
        bench.say(A, "MULTI\nSET k 1\nSET k 2\nEXEC");
        assert_eq!(bench.take(B), taken("k", "2"));
        assert_eq!(bench.say(A, "MULTI\nBTAKE k 0\nEXEC"), "+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n", "in one nobody waits");
    }

    #[test]
    fn one_who_is_served_may_feed_another() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE c 0");
        bench.say(C, "BHAND b c 0");
        bench.say(D, "BHAND a b 0");
        bench.say(A, "SET a v");
        assert_eq!((bench.take(D), bench.take(C), bench.take(B)), ("+OK\r\n".into(), "+OK\r\n".into(), taken("c", "v")));
        assert_eq!(bench.say(A, "DBSIZE"), ":0\r\n");
    }

    #[test]
    fn a_wait_ends_at_its_deadline_to_the_millisecond() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 0.025");
        bench.say(C, "BHAND k l 0.01\nPING");
        assert!(bench.engine.sleep_ms() <= 10);
        bench.pass(9);
        bench.engine.finish_turn();
        assert_eq!((bench.take(B), bench.take(C), bench.engine.sleep_ms()), (String::new(), String::new(), 1));
        bench.pass(1);
        bench.engine.finish_turn();
        assert_eq!((bench.take(B), bench.take(C)), (String::new(), "$-1\r\n+PONG\r\n".into()));
        bench.pass(15);
        bench.engine.finish_turn();
        assert_eq!(bench.take(B), "*-1\r\n");
        bench.say(A, "SET k 1");
        assert_eq!(bench.say(A, "EXISTS k"), ":1\r\n", "nobody waits for it any more");
    }

    #[test]
    fn many_waits_that_end_at_once_end_in_several_turns() {
        let mut bench = bench_of_four();
        let conns: Vec<_> = (10..10 + 2 * WAITS_A_TURN as u32 + 1).map(ConnId).collect();
        for conn in &conns {
            bench.engine.connect(*conn, Origin { local: true, ..Origin::default() }).unwrap();
            bench.engine.receive(*conn, b"BTAKE k 0.01\r\n");
        }
        bench.pass(10);
        for left in [WAITS_A_TURN + 1, 1, 0] {
            bench.engine.finish_turn();
            assert_eq!((bench.engine.server.blocking.with_deadline(), bench.engine.sleep_ms() == 0), (left, left > 0));
        }
        assert!(conns.iter().all(|conn| bench.take(*conn) == "*-1\r\n"));
    }

    #[test]
    fn who_was_held_back_first_goes_on_first() {
        let mut bench = bench_of_four();
        bench.say(A, "CLIENT PAUSE 100 WRITE");
        for conn in [D, B, C] {
            bench.engine.receive(conn, format!("APPEND k {}\r\n", conn.0).as_bytes());
        }
        bench.engine.disconnect(B);
        bench.pass(101);
        bench.engine.finish_turn();
        assert_eq!(bench.say(A, "GET k"), "$2\r\n32\r\n");
    }

    #[test]
    fn what_is_behind_a_wait_waits_too() {
        let mut bench = bench_of_four();
        bench.engine.receive(B, b"BTAKE k 0\r\nSET behind 1\r\n");
        bench.engine.receive(B, b"GET behind\r\nSET k again\r\nBTAKE k 0\r\n");
        assert_eq!(bench.say(A, "EXISTS behind"), ":0\r\n");
        bench.say(A, "SET k 1");
        bench.engine.finish_turn();
        assert_eq!(bench.take(B), taken("k", "1") + "+OK\r\n$1\r\n1\r\n+OK\r\n" + &taken("k", "again"));
    }

    #[test]
    fn a_whole_batch_behind_a_wait_waits_too() {
        let mut bench = bench_of_four();
        let pings = "PING\r\n".repeat(31);
        bench.engine.receive(B, format!("{pings}BTAKE k 0\r\n{pings}").as_bytes());
        assert_eq!(bench.take(B), "+PONG\r\n".repeat(31));
        bench.say(A, "SET k 1");
        bench.engine.finish_turn();
        assert_eq!(bench.take(B), taken("k", "1") + &"+PONG\r\n".repeat(31));
    }

    #[test]
    fn keys_come_by_swaps_and_renames_too() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 0");
        bench.say(C, "BTAKE r 0");
        bench.say(A, "SELECT 1\nSET k 1\nSWAPDB 0 1");
        assert_eq!(bench.take(B), taken("k", "1"));
        bench.say(A, "SELECT 0\nSET q 2\nRENAME q r");
        assert_eq!(bench.take(C), taken("r", "2"));
    }

    #[test]
    fn who_is_gone_takes_nothing() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 0");
        bench.say(C, "BTAKE k 0");
        bench.engine.disconnect(B);
        bench.say(A, "SET k 1");
        assert_eq!(bench.take(C), taken("k", "1"));
        assert!(bench.engine.server.keyspace.awaited.is_empty());
    }

    #[test]
    fn others_may_end_a_wait() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 100");
        bench.say(C, "BHAND k l 0");
        let id = |bench: &Bench, conn| bench.engine.server.clients.get(conn).unwrap().id;
        let (b, c) = (id(&bench, B), id(&bench, C));
        assert_eq!(bench.say(A, &format!("CLIENT UNBLOCK {b}\nCLIENT UNBLOCK {c} ERROR\nCLIENT UNBLOCK {c}")), ":1\r\n:1\r\n:0\r\n");
        assert_eq!((bench.take(B), bench.take(C)), ("*-1\r\n".into(), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n".into()));
        assert_eq!(bench.engine.server.blocking.with_deadline(), 0);
        bench.say(B, "BTAKE k 0");
        bench.say(A, "REPLICAOF 127.0.0.1 1");
        assert!(bench.take(B).starts_with("-UNBLOCKED force unblock from blocking operation, instance state changed"));
        bench.engine.finish_turn();
        assert!(bench.engine.wants_close(B));
    }

    #[test]
    fn a_call_counts_when_it_is_over() {
        let mut bench = bench_of_four();
        let calls = |bench: &mut Bench| bench.say(A, "INFO commandstats").split("cmdstat_btake:").nth(1).map(|rest| rest[..7].to_owned());
        bench.say(B, "BTAKE k 0");
        assert_eq!(calls(&mut bench), None);
        bench.say(A, "SET k 1");
        assert_eq!(calls(&mut bench).as_deref(), Some("calls=1"));
    }

    #[test]
    fn a_wait_in_vain_counts_with_the_time_that_the_command_took() {
        let mut bench = bench_of_four();
        bench.say(A, "CONFIG SET slowlog-log-slower-than 0");
        bench.engine.receive(B, b"BTAKE k 0.01\r\n");
        bench.engine.server.clients.get_mut(B).unwrap().waiting.as_mut().unwrap().nanos = 7_000;
        bench.pass(10);
        bench.engine.finish_turn();
        let report = bench.say(A, "INFO commandstats\nINFO latencystats\nSLOWLOG GET 1");
        assert!(report.contains("cmdstat_btake:calls=1,usec=7,"), "{report}");
        assert!(report.contains("latency_percentiles_usec_btake:p50=7."), "{report}");
        bench.say(A, "SLOWLOG RESET\nCONFIG SET slowlog-log-slower-than 7");
        bench.say(B, "BTAKE k 0.01");
        bench.engine.server.clients.get_mut(B).unwrap().waiting.as_mut().unwrap().nanos = 7_000;
        bench.pass(10);
        bench.engine.finish_turn();
        let log = bench.say(A, "SLOWLOG GET");
        assert!(log.contains("BTAKE"), "{log}");
    }

    #[test]
    fn what_has_expired_by_the_time_it_is_served_is_gone() {
        let mut bench = bench_of_four();
        bench.say(B, "BTAKE k 0");
        bench.say(A, "MULTI\nSET k 1\nPEXPIRE k 100");
        // As if one of the commands had taken so long: the engine has not looked at the clock yet.
        bench.pass_unseen(200);
        bench.say(A, "EXEC");
        assert_eq!(bench.take(B), "");
        assert_eq!(bench.engine.server.keyspace.stats.expired, 0, "a look is no reason to delete it");
        assert_eq!(bench.say(A, "EXISTS k"), ":0\r\n");
        assert_eq!(bench.engine.server.keyspace.stats.expired, 1);
    }

    #[test]
    fn an_unheard_client_is_served_in_silence() {
        let mut bench = bench_of_four();
        bench.say(B, "CLIENT REPLY SKIP\nBTAKE k 0");
        bench.say(A, "SET k 1");
        assert_eq!(bench.say(A, "EXISTS k"), ":0\r\n");
        assert_eq!(bench.say(B, "PING"), "+PONG\r\n", "SKIP is for one command");
    }

    #[test]
    fn its_effect_stands_in_the_log_behind_what_fed_it() {
        let mut bench = bench_of_four();
        bench.engine.server.replication.log.open_backlog();
        bench.say(B, "BTAKE k 0");
        bench.say(A, "SET k 1");
        let log = &bench.engine.server.replication.log;
        let text = String::from_utf8(log.read_from(log.first()).unwrap().concat()).unwrap();
        let words: Vec<&str> = text.split("\r\n").filter(|line| !line.starts_with(['$', '*'])).collect();
        assert_eq!(words.join(" ").trim(), "SELECT 0 SET k 1 DEL k");
    }
}
