//! Clients block on keys, and are unblocked.

use super::Server;
use crate::{
    resp::request::{Args, OwnedArgs},
    state::{
        blocking::{BlockOn, InVain, Waiting},
        client::{Blocked, Client, ReplyMode},
        conn_id::ConnId,
        slowlog::SlowlogLimits,
    },
};

impl Server {
    /// Makes a client wait for the keys of a command that found nothing, for so long.
    pub fn wait_for_keys(&mut self, conn: ConnId, command: u16, args: Args<'_>, mut on: BlockOn, nanos: u64) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        let args = on.rewritten.take().unwrap_or_else(|| OwnedArgs::from_args(args));
        let ticket = self.blocking.admit(conn, on.deadline_ms);
        let waiting = Waiting { command, args, on, ticket, silent: client.reply != ReplyMode::On, nanos };
        client.blocked = Some(Blocked::Keys);
        let db = client.db;
        self.queue(conn, db, Box::new(waiting));
    }

    /// Lets a client wait on whose command has found nothing again, behind all who wait already, as Redis does.
    pub fn wait_again(&mut self, conn: ConnId, db: usize, mut waiting: Box<Waiting>, on: &BlockOn) {
        self.leave_queues(conn, db, &waiting);
        waiting.ticket = self.blocking.next_ticket();
        waiting.on.again_ms = on.again_ms;
        self.queue(conn, db, waiting);
    }

    /// Puts a client into the queues of its keys.
    fn queue(&mut self, conn: ConnId, db: usize, waiting: Box<Waiting>) {
        for key in waiting.keys() {
            self.keyspace.awaited.wait(db, key, waiting.ticket, conn.0, waiting.on.also_gone);
        }
        self.blocking.try_at(conn, waiting.on.again_ms);
        if let Some(client) = self.clients.get_mut(conn) {
            client.waiting = Some(waiting);
        }
    }

    fn leave_queues(&mut self, conn: ConnId, db: usize, waiting: &Waiting) {
        for key in waiting.keys() {
            self.keyspace.awaited.leave(db, key, waiting.ticket);
        }
        self.blocking.forget_try(conn, waiting.on.again_ms);
    }

    /// Removes a client from the queues of its keys: it is gone, or has been served.
    pub fn forget_waiting(&mut self, conn: ConnId, db: usize, waiting: &Waiting) {
        self.leave_queues(conn, db, waiting);
        self.blocking.forget_deadline(conn, waiting.on.deadline_ms);
    }

    /// [`Server::forget_waiting`] for a client that is gone.
    pub fn forget_blocked(&mut self, conn: ConnId, client: &Client) {
        if let Some(waiting) = &client.waiting {
            self.forget_waiting(conn, client.db, waiting);
        }
    }

    /// Ends what a client waits for, keys or replicas, as if it had timed out, or with an error. `false`: it waits for neither.
    pub fn unblock(&mut self, conn: ConnId, error: Option<&str>) -> bool {
        let Some(client) = self.clients.get_mut(conn) else { return false };
        match client.blocked {
            Some(Blocked::Wait { .. }) => self.release(conn, error),
            Some(Blocked::Keys) => {
                let Some(waiting) = client.waiting.take() else { return false };
                client.blocked = None;
                // What CLIENT CACHING has said was of this command.
                if let Some(tracking) = &mut client.tracking {
                    tracking.caching = false;
                }
                let db = client.db;
                match error {
                    _ if waiting.silent => (),
                    Some(text) => client.out.error(text),
                    None if waiting.on.in_vain == InVain::Null => client.out.null(),
                    None => client.out.null_array(),
                }
                if let Some(text) = error {
                    self.count_error(text.as_bytes());
                }
                self.count_ended_wait(conn, &waiting, error.is_some());
                self.forget_waiting(conn, db, &waiting);
                self.blocking.released.push(conn);
                self.mark_dirty(conn);
                true
            }
            Some(
                Blocked::Pause
                | Blocked::Shutdown
                | Blocked::Migration
                | Blocked::Rewrite
                | Blocked::Reload
                | Blocked::LongReply
                | Blocked::Memory
                | Blocked::Script,
            )
            | None => false,
        }
    }

    /// This is when the call is over, and so when it counts: with the time that running it took, not the wait.
    fn count_ended_wait(&mut self, conn: ConnId, waiting: &Waiting, has_failed: bool) {
        let nanos = waiting.nanos;
        self.stats.commands += 1;
        self.stats.commands_nanos += nanos;
        if let Some(counters) = self.stats.by_command.get_mut(usize::from(waiting.command)) {
            counters.calls += 1;
            counters.nanos += nanos;
            counters.failed += u64::from(has_failed);
            if self.config.latency_tracking {
                counters.histogram.get_or_insert_default().add(nanos);
            }
        }
        let (slower_than_us, us) = (self.config.slowlog_log_slower_than, nanos / 1000);
        if u64::try_from(slower_than_us).is_ok_and(|slower_than_us| us >= slower_than_us)
            && let Some(client) = self.clients.get(conn)
        {
            let (limits, seconds) = (SlowlogLimits::of(&self.config), self.unix_seconds());
            self.slowlog.push(&limits, seconds, us, waiting.args.args().iter(), &client.origin.addr, &client.name);
        }
    }

    /// Ends the connections of all who wait for keys or replicas: we can no longer serve them.
    pub fn unblock_all(&mut self, error: &str) {
        let waits = |client: &Client| matches!(client.blocked, Some(Blocked::Wait { .. } | Blocked::Keys));
        let conns: Vec<ConnId> = self.clients.iter().filter(|(_, client)| waits(client)).map(|(conn, _)| conn).collect();
        for conn in conns {
            if self.unblock(conn, Some(error)) {
                self.close(conn, true);
            }
        }
    }
}
