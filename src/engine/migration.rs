//! Outgoing connections, told apart: the one to our primary, and those to servers that keys are moved to.

use super::Engine;
use crate::state::{ConnId, client::Origin};

impl Engine {
    /// A connection that [`Action::Connect`](crate::state::Action::Connect) asked for has been made. `false`: it is no longer wanted.
    pub fn link_connected(&mut self, link: u64, conn: ConnId, origin: Origin) -> bool {
        self.server.migration_connected(link, conn, &origin) || self.upstream_connected(link, conn, origin)
    }

    /// A connection that [`Action::Connect`](crate::state::Action::Connect) asked for could not be made, for this reason.
    /// `refused`: the host exists, and does not listen.
    pub fn link_failed(&mut self, link: u64, refused: bool, reason: &str) {
        self.server.migration_not_connected(link, refused);
        self.upstream_failed(link, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        engine::tests::{A, B, Bench, bench},
        state::Action,
    };
    use std::io::IoSlice;

    const TARGET: ConnId = ConnId(9);

    /// A server with three keys of which a client moves the first two, and the number of the connection that it asks for.
    fn migrating() -> (Bench, u64) {
        let mut bench = bench(Config::default());
        bench.say(A, "MSET a 1 b 2 c 3");
        assert_eq!(bench.say(A, r#"MIGRATE there 7 "" 0 100 KEYS a b"#), "");
        let asked = bench.engine.server.actions.drain(..).find_map(|action| match action {
            Action::Connect { link, host, port: 7, .. } if host == "there" => Some(link),
            _ => None,
        });
        (bench, asked.unwrap())
    }

    /// The connection is there, and what there is to say has been sent.
    fn reach(bench: &mut Bench, link: u64) {
        assert!(bench.engine.link_connected(link, TARGET, Origin::default()));
        let mut pieces = [IoSlice::new(&[]); 64];
        bench.engine.output(TARGET, &mut pieces, usize::MAX);
        let n = pieces.iter().map(|piece| piece.len()).sum();
        bench.engine.sent(TARGET, n);
    }

    #[test]
    fn what_has_arrived_goes_and_the_rest_stays_when_the_role_changes() {
        let (mut bench, link) = migrating();
        reach(&mut bench, link);
        // To SELECT, and to the first RESTORE.
        bench.engine.receive(TARGET, b"+OK\r\n+OK\r\n");
        assert_eq!(bench.say(B, "GET a"), "$1\r\n1\r\n", "reads go on, and nothing has gone yet");
        assert_eq!(bench.say(B, "REPLICAOF elsewhere 1"), "+OK\r\n");
        assert_eq!(bench.take(A), "-IOERR error or timeout reading from target instance\r\n");
        assert_eq!(bench.say(B, "MGET a b c"), "*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
        assert!(bench.engine.wants_close(TARGET));
    }

    #[test]
    fn writes_wait_and_then_find_what_is_left() {
        let (mut bench, link) = migrating();
        assert_eq!(bench.say(B, "APPEND a x"), "");
        reach(&mut bench, link);
        bench.engine.receive(TARGET, b"+OK\r\n+OK\r\n-BUSYKEY there is one\r\n");
        assert_eq!(bench.take(A), "-ERR Target instance replied with error: BUSYKEY there is one\r\n");
        bench.engine.finish_turn();
        assert_eq!(bench.take(B), ":1\r\n", "the key is a new one");
        assert_eq!(bench.say(B, "MGET a b"), "*2\r\n$1\r\nx\r\n$1\r\n2\r\n");
    }

    #[test]
    fn who_keeps_a_copy_is_told_before_he_can_read_that_the_key_has_gone() {
        let (mut bench, link) = migrating();
        bench.say(B, "HELLO 3");
        assert_eq!(bench.say(B, "CLIENT TRACKING ON\nGET a"), "+OK\r\n$1\r\n1\r\n");
        reach(&mut bench, link);
        bench.engine.receive(TARGET, b"+OK\r\n+OK\r\n+OK\r\n");
        assert_eq!(bench.say(B, "GET a"), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n_\r\n");
    }

    #[test]
    fn without_progress_it_is_given_up() {
        let (mut bench, link) = migrating();
        bench.pass(100);
        bench.engine.finish_turn();
        assert_eq!((bench.take(A), bench.engine.sleep_ms()), (String::new(), 1));
        bench.pass(1);
        bench.engine.finish_turn();
        assert_eq!(bench.take(A), "-IOERR error or timeout connecting to the client\r\n");
        let cancelled = |action: &Action| matches!(action, Action::CancelConnect { link: l } if *l == link);
        assert!(bench.engine.server.actions.iter().any(cancelled));
        assert!(!bench.engine.link_connected(link, TARGET, Origin::default()), "nobody wants it any more");
    }

    #[test]
    fn a_connection_is_kept_for_ten_seconds() {
        let (mut bench, link) = migrating();
        reach(&mut bench, link);
        bench.engine.receive(TARGET, b"+OK\r\n+OK\r\n+OK\r\n");
        assert_eq!(bench.take(A), "+OK\r\n");
        for (ms, kept) in [(9_000, 1), (2_000, 0)] {
            bench.pass(ms);
            bench.engine.finish_turn();
            assert_eq!(bench.engine.server.cached_links(), kept);
        }
        assert!(bench.engine.wants_close(TARGET));
        bench.engine.disconnect(TARGET);
        assert!(bench.engine.server.clients.get(TARGET).is_none());
    }
}
