//! The stream of our primary's writes: executed here, and passed on to our own replicas as it is.

use super::{Engine, executor::Step};
use crate::{
    config::{PropagationErrorBehavior, UserData},
    keyspace::ExpireMode,
    resp::output::Output,
    state::{Action, ConnId, Server},
};

impl Engine {
    /// Goes on with our primary's stream after a pause.
    pub(super) fn go_on_applying(&mut self, conn: ConnId) {
        if let Some(upstream) = self.server.replication.upstream.as_mut().filter(|u| u.conn == Some(conn.0)) {
            upstream.heard_ms = self.server.mono_ms;
            self.apply(conn, &[]);
            // What was more than is kept during a pause has been left unread in the kernel.
            self.server.actions.push_back(Action::Read(conn));
        }
    }

    /// Takes bytes of the stream, and executes the commands that are complete.
    pub(super) fn apply(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut commands = std::mem::take(&mut self.applying);
        commands.push(bytes);
        let mode = std::mem::replace(&mut self.server.keyspace.expire_mode, ExpireMode::Ignore);
        let last = loop {
            let errors = self.server.stats.errors;
            let step = self.step(conn, &mut commands, pass_on);
            if self.server.stats.errors != errors {
                self.report_failed(conn);
            }
            if step != Step::On {
                break step;
            }
        };
        // A command of the primary may have changed our role.
        if self.server.keyspace.expire_mode == ExpireMode::Ignore {
            self.server.keyspace.expire_mode = mode;
        }
        // Inside a transaction whose EXEC has not come this is still the database from before it.
        let db = self.server.clients.get(conn).map(|c| c.db);
        let Some(upstream) = self.server.replication.upstream.as_mut().filter(|u| u.conn == Some(conn.0)) else { return };
        upstream.unapplied = commands.uncounted();
        self.applying = commands;
        if let Some(db) = db {
            upstream.db = db;
            self.server.replication.log.set_db(Some(db));
        }
        if let Step::Wrong(error) = last {
            log::error!("PROTOCOL error from our MASTER ({error}): the link is dropped, and the next synchronisation will be a full one");
            upstream.resumable = false;
            self.retry_link();
        }
    }

    /// A command that fails here and not on the primary means that we no longer hold the same data.
    #[cold]
    fn report_failed(&mut self, conn: ConnId) {
        let last = self.server.clients.get(conn).and_then(|c| c.last_command).map_or("<unknown>", |id| self.registry.full_name(id));
        let error = UserData(&self.server.stats.last_error);
        log::error!("== CRITICAL == This replica is sending an error to its master: '{error}' after processing the command '{last}'");
        let config = &self.server.config;
        if config.replica_read_only && config.propagation_error_behavior != PropagationErrorBehavior::Ignore {
            panic!("This replica panicked sending an error to its master after processing the command '{last}'");
        }
    }

    /// Replies to the primary's commands are dropped.
    pub(super) fn drop_replies(&mut self, mut out: Output) {
        out.take_all();
        out.give_back(&mut self.buffers);
    }
}

/// What a primary that is idle sends its replicas.
const CHATTER: [&[u8]; 2] = [b"*1\r\n$4\r\nPING\r\n", b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"];

/// Our own replicas, and our offset, learn of what we have done.
fn pass_on(server: &mut Server, bytes: &[u8]) {
    match CHATTER.contains(&bytes) {
        true => server.replication.log.append_raw_chatter(bytes),
        false => server.replication.log.append_raw(bytes),
    }
}
