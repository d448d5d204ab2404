//! What commands leave in the log of writes, so that its readers hold the same data.
//!
//! A command that changed nothing leaves nothing. One that depends on the clock or on the PRNG leaves its outcome
//! ([`Effect::Instead`]). Keys that went by their deadline leave a deletion in front of the command that found them gone. What belongs
//! together, a transaction or a command with several effects, stands between MULTI and EXEC.

use super::Engine;
use crate::{
    commands::{CommandId, Effect, command::flags},
    keyspace::Went,
    replication::WriteLog,
    resp::request::{Args, OwnedArgs},
    state::ConnId,
};

/// The effects of one command or transaction: they are written when it is known whether there is more than one.
#[derive(Default)]
pub(super) struct LoggedUnit {
    /// The only effect so far: its database, and whether it is for replicas alone.
    held: Option<(usize, OwnedArgs, bool)>,
    /// There were more, and MULTI is written.
    opened: bool,
}

/// What a call has left to be logged.
pub(super) struct Logged<'a> {
    pub db: usize,
    pub args: Args<'a>,
    pub effect: &'a Effect,
    /// It changed data.
    pub changed: bool,
}

/// What a script says of its writes that are for replicas and not for the append-only file (`redis.REPL_REPLICA`).
const REPLICAS_ALONE: u8 = 2;

#[inline]
fn append(log: &mut WriteLog, db: usize, args: Args<'_>, for_replicas: bool) {
    match for_replicas {
        false => log.append(db, args),
        true => log.append_for_replicas(db, args),
    }
}

impl Engine {
    /// Logs what a call did.
    #[inline(never)]
    pub(super) fn log_call(&mut self, conn: ConnId, id: CommandId, call: &Logged<'_>, in_exec: bool) {
        if self.server.keyspace.is_rehearsing() {
            return;
        }
        let mut for_replicas = matches!(call.effect, Effect::ForReplicas);
        if conn == ConnId::SCRIPT
            && let Some(running) = &self.server.scripts.running
        {
            match running.propagates {
                // What a script wants to be known to nobody; keys that have gone by themselves are gone for everybody.
                0 => return self.log_gone(false),
                REPLICAS_ALONE => for_replicas = true,
                _ => (),
            }
        }
        let own = match call.effect {
            Effect::Verbatim if call.changed => Some(call.args),
            Effect::Always | Effect::ForReplicas => Some(call.args),
            Effect::Instead(args) if call.changed => Some(args.args()),
            _ => None,
        };
        if in_exec || matches!(call.effect, Effect::Several(_)) || !self.server.keyspace.gone.is_empty() {
            return self.log_several(conn, id, call, (own, for_replicas), in_exec);
        }
        if let Some(args) = own {
            append(&mut self.server.replication.log, call.db, args, for_replicas);
            self.note_write(conn);
        }
    }

    #[cold]
    fn log_several(
        &mut self,
        conn: ConnId,
        id: CommandId,
        call: &Logged<'_>,
        (own, for_replicas): (Option<Args<'_>>, bool),
        in_exec: bool,
    ) {
        // Keys that a command met along its way have nothing to do with each other.
        let apart = !in_exec && self.registry.get(id).flags & flags::TOUCHES_ARBITRARY_KEYS != 0;
        self.log_gone(apart);
        if let Some(args) = own {
            self.log_one(call.db, args, apart, for_replicas);
        }
        if let Effect::Several(commands) = call.effect {
            commands.iter().for_each(|args| self.log_one(call.db, args.args(), apart, for_replicas));
        }
        if !in_exec {
            self.end_unit(conn);
        }
    }

    /// Logs the deletion of keys that went away by themselves: each on its own (`apart`), or as effects of what is being executed.
    fn log_gone(&mut self, apart: bool) {
        let name = |lazy: bool| if lazy { &b"UNLINK"[..] } else { b"DEL" };
        let (expired, evicted) = (name(self.server.config.lazyfree_lazy_expire), name(self.server.config.lazyfree_lazy_eviction));
        for gone in std::mem::take(&mut self.server.keyspace.gone) {
            let deletion = match &gone.went {
                Went::Key => OwnedArgs::new(&[expired, &gone.key]),
                Went::Evicted => OwnedArgs::new(&[evicted, &gone.key]),
                // Where the fields were the last, the key goes with them everywhere.
                Went::Fields { names, .. } => {
                    let mut deletion = OwnedArgs::new(&[b"HDEL", &gone.key]);
                    names.iter().for_each(|field| deletion.push(field));
                    deletion
                }
            };
            self.log_one(gone.db, deletion.args(), apart, false);
        }
    }

    fn log_one(&mut self, db: usize, args: Args<'_>, apart: bool, for_replicas: bool) {
        let (log, unit) = (&mut self.server.replication.log, &mut self.unit);
        if apart || unit.opened {
            return append(log, db, args, for_replicas);
        }
        match unit.held.take() {
            None => unit.held = Some((db, OwnedArgs::from_args(args), for_replicas)),
            Some((first_db, first, first_for_replicas)) => {
                log.begin_unit();
                append(log, first_db, first.args(), first_for_replicas);
                append(log, db, args, for_replicas);
                unit.opened = true;
            }
        }
    }

    /// Ends what was executed as one on behalf of a client.
    pub(super) fn end_unit(&mut self, conn: ConnId) {
        let (log, unit) = (&mut self.server.replication.log, &mut self.unit);
        let (held, opened) = (unit.held.take(), std::mem::take(&mut unit.opened));
        if !log.is_fed() {
            return;
        }
        if let Some((db, args, for_replicas)) = &held {
            append(log, *db, args.args(), *for_replicas);
        }
        if opened {
            log.end_unit();
        }
        if opened || held.is_some() {
            self.note_write(conn);
        }
    }

    /// Remembers where a client's last write ends: what its WAIT waits for.
    #[inline]
    fn note_write(&mut self, conn: ConnId) {
        let end = self.server.replication.log.end();
        if let Some(client) = self.server.clients.get_mut(conn) {
            client.write_offset = end;
        }
    }

    /// Takes note of keys that expired or were evicted while no command ran, or that need not be logged, and tells clients what they are to be told.
    #[cold]
    pub(super) fn forget_gone(&mut self) {
        if self.server.keyspace.is_rehearsing() {
            return self.server.keyspace.forget_told();
        }
        if self.server.replication.log.is_fed() {
            self.log_gone(true);
        }
        self.server.keyspace.gone.clear();
        if !self.server.keyspace.notes.is_empty() {
            self.server.publish_noted();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::Config,
        engine::tests::{A, Bench, bench},
    };

    /// A server whose log has a reader.
    fn logging() -> Bench {
        let mut bench = bench(Config::default());
        bench.engine.server.replication.log.open_backlog();
        bench
    }

    /// Commands appended since the log was looked at last, a line each.
    fn log(bench: &mut Bench) -> Vec<String> {
        let log = &mut bench.engine.server.replication.log;
        let bytes = log.read_from(log.first()).expect("it begins there").concat();
        log.close_backlog();
        log.open_backlog();
        // Who reads has selected nothing: every look begins with a SELECT of its own, which is left out where it is the first.
        let text = String::from_utf8(bytes).expect("text");
        let mut commands = Vec::new();
        let mut lines = text.split("\r\n").filter(|line| !line.starts_with('$'));
        while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
            let words: Vec<&str> = lines.by_ref().take(count.parse().expect("a count")).collect();
            commands.push(words.join(" "));
        }
        commands.retain(|command| command != "SELECT 0");
        commands
    }

    fn logged(lines: &str) -> Vec<String> {
        let mut bench = logging();
        bench.say(A, lines);
        log(&mut bench)
    }

    #[test]
    fn what_changes_nothing_leaves_nothing() {
        assert_eq!(logged("GET k\nDEL k\nSET k v XX\nINCR\nPERSIST k\nSETNX k v\nSETNX k v"), ["SETNX k v"]);
        assert_eq!(logged("FLUSHALL"), ["FLUSHALL"], "a replica may have keys that we have not");
    }

    #[test]
    fn nothing_is_kept_while_nobody_reads() {
        let mut bench = bench(Config::default());
        bench.say(A, "SET k v\nMULTI\nSET k w\nSET k x\nEXEC");
        assert_eq!(bench.engine.server.replication.log.end(), 0);
    }

    #[test]
    fn effects_do_not_depend_on_when_they_are_read() {
        let now_ms = 1_000_000_000_000i64;
        assert_eq!(logged("SET k v PX 1500"), [format!("SET k v PXAT {}", now_ms + 1500)]);
        assert_eq!(
            logged("SETEX k 10 v\nEXPIRE k 20"),
            [format!("SET k v PXAT {}", now_ms + 10_000), format!("PEXPIREAT k {}", now_ms + 20_000)]
        );
        assert_eq!(logged("SET k 1\nINCRBYFLOAT k 0.5\nGETDEL k"), ["SET k 1", "SET k 1.5 KEEPTTL", "DEL k"]);
    }

    #[test]
    fn another_database_is_selected_once() {
        assert_eq!(
            logged("SET a 1\nSELECT 2\nSET b 2\nSET c 3\nSELECT 0\nSET d 4"),
            ["SET a 1", "SELECT 2", "SET b 2", "SET c 3", "SET d 4"]
        );
    }

    #[test]
    fn a_transaction_with_several_effects_stays_one() {
        assert_eq!(logged("MULTI\nSET a 1\nGET a\nSET b 2\nEXEC"), ["MULTI", "SET a 1", "SET b 2", "EXEC"]);
        assert_eq!(logged("MULTI\nGET a\nSET b 2\nEXEC"), ["SET b 2"], "one effect needs no frame");
        assert_eq!(logged("MULTI\nGET a\nEXEC\nSET z 1"), ["SET z 1"]);
        assert_eq!(logged("MULTI\nSELECT 1\nSET a 1\nEXEC"), ["SELECT 1", "SET a 1"]);
    }

    #[test]
    fn a_key_that_has_expired_is_deleted_in_front_of_what_found_it_gone() {
        let mut bench = logging();
        bench.say(A, "SET a v PX 10\nSET b v PX 10\nSET c v PX 10\nCONFIG SET lazyfree-lazy-expire no");
        log(&mut bench);
        bench.pass(20);
        bench.say(A, "GET a");
        assert_eq!(log(&mut bench), ["DEL a"]);
        bench.say(A, "INCR b");
        assert_eq!(log(&mut bench), ["MULTI", "DEL b", "INCR b", "EXEC"]);
        bench.say(A, "CONFIG SET lazyfree-lazy-expire yes");
        bench.engine.finish_turn();
        assert_eq!(log(&mut bench), ["UNLINK c"], "the expire cycle");
    }

    #[test]
    fn what_becomes_of_fields_does_not_depend_on_when_it_is_read() {
        let at = |ms: i64| (1_000_000_000_000i64 + ms).to_string();
        assert_eq!(
            logged("HSET h a 1 b 2\nHEXPIRE h 10 NX FIELDS 2 a x\nHPEXPIRE h 5 XX FIELDS 1 b\nHINCRBYFLOAT h a 0.5\nHINCRBYFLOAT h b 0.5"),
            ["HSET h a 1 b 2", &format!("HPEXPIREAT h {} NX FIELDS 1 a", at(10_000)), "HSETEX h KEEPTTL FIELDS 1 a 1.5", "HSET h b 2.5"]
        );
        assert_eq!(
            logged("HSET h a 1 b 2\nHEXPIREAT h 1 FIELDS 2 a x\nHGETDEL h FIELDS 2 b x"),
            ["HSET h a 1 b 2", "HDEL h a", "HDEL h b"]
        );
        assert_eq!(
            logged("HSETEX h FNX EX 10 FIELDS 1 a 1\nHSETEX h FNX EX 10 FIELDS 1 a 1\nHSETEX h PXAT 5 FIELDS 2 a 1 b 2"),
            [&format!("HSETEX h FNX PXAT {} FIELDS 1 a 1", at(10_000)), "HDEL h a b"]
        );
        assert_eq!(
            logged(
                "HSET h a 1\nHGETEX h FIELDS 1 a\nHGETEX h PX 10 FIELDS 2 a x\nHGETEX h PERSIST FIELDS 2 x a\nHGETEX h PXAT 5 FIELDS 1 a"
            ),
            ["HSET h a 1", &format!("HPEXPIREAT h {} FIELDS 1 a", at(10)), "HPERSIST h FIELDS 1 a", "HDEL h a"]
        );
    }

    #[test]
    fn fields_that_have_expired_are_deleted_in_front_of_what_found_them_gone() {
        let mut bench = logging();
        bench.say(A, "HSET h a 1 b 2 c 3 d 4\nHPEXPIRE h 10 FIELDS 2 a b\nHPEXPIRE h 30 FIELDS 1 c\nHPEXPIRE h 50 FIELDS 1 d");
        log(&mut bench);
        bench.pass(20);
        bench.say(A, "HLEN h");
        assert_eq!(log(&mut bench), ["HDEL h b a"]);
        bench.pass(20);
        bench.say(A, "HSET h c 5");
        assert_eq!(log(&mut bench), ["MULTI", "HDEL h c", "HSET h c 5", "EXEC"]);
        bench.say(A, "HDEL h c");
        log(&mut bench);
        bench.pass(20);
        bench.engine.finish_turn();
        assert_eq!(log(&mut bench), ["HDEL h d"], "the expire cycle; the key goes with its last field");
        bench.say(A, "EXISTS h");
        assert_eq!(bench.engine.server.keyspace.db(0).len(), 0);
    }

    #[test]
    fn wait_knows_where_a_clients_last_write_ends() {
        let mut bench = logging();
        bench.say(A, "SET a 1\nGET a");
        let offset = |bench: &Bench| bench.engine.server.clients.get(A).expect("connected").write_offset;
        assert_eq!(offset(&bench), bench.engine.server.replication.log.end());
        bench.say(A, "MULTI\nSET b 2\nSET c 3\nEXEC");
        assert_eq!(offset(&bench), bench.engine.server.replication.log.end());
    }
}
