//! EXEC: runs what MULTI queued.

use super::Engine;
use crate::{
    acl::{Context, Denied},
    commands::CommandId,
    resp::{
        output::Output,
        request::{Args, OwnedArgs},
    },
    state::ConnId,
};

use std::vec::IntoIter;

impl Engine {
    // A function of its own, so that the stack frame of other calls is small.
    #[inline(never)]
    pub(super) fn exec(&mut self, conn: ConnId, out: &mut Output) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        let Some(multi) = client.multi.take() else { return };
        let touched = client.watch.get();
        let watching = client.take_watching();
        client.watch.set(false);
        let watch = client.watch.clone();
        let mut expired = false;
        for key in &watching {
            let keyspace = &mut self.server.keyspace;
            keyspace.unwatch(key.db, &key.key, &watch);
            let deadline = keyspace.db(key.db).dict().find(keyspace.hash(&key.key), &key.key).map(|e| e.deadline());
            expired |= key.live && deadline.is_some_and(|d| keyspace.is_past(d));
        }
        if multi.aborted {
            let text = b"EXECABORT Transaction discarded because of previous errors.";
            self.server.count_error(text);
            if self.is_heard(conn) {
                out.error(text);
            }
            return;
        }
        if touched || expired {
            if self.is_heard(conn) {
                out.null_array();
            }
            return;
        }
        if self.is_heard(conn) {
            out.array(multi.queue.len());
        }
        self.run_queue(conn, multi.queue.into_iter(), out);
    }

    /// Runs what is left of a transaction. Where a script is slow, the rest waits for its end.
    pub(super) fn run_queue(&mut self, conn: ConnId, mut queue: IntoIter<(CommandId, OwnedArgs)>, out: &mut Output) {
        while let Some((id, args)) = queue.next() {
            let mut rest = Output::new(out.protocol);
            if let Some(denied) = self.denied(conn, id, args.args()) {
                self.deny_queued(conn, id, args.args(), denied, out);
                continue;
            }
            // A client whose connection is about to end for the length of its output is sent nothing more; what it asked for is done.
            let is_cut = self.server.is_output_cut(conn, out.len() as u64);
            let blocks = self.call_if_heard(conn, id, args.args(), (0, 0), if is_cut { &mut rest } else { out }, true);
            debug_assert!(blocks.is_none());
            if self.is_script_slow() {
                return self.keep_rest(queue);
            }
        }
        self.end_unit(conn);
    }

    /// Answers with an error for a queued command that the rules of the client's user have come to refuse.
    #[cold]
    fn deny_queued(&mut self, conn: ConnId, id: CommandId, args: Args<'_>, denied: Denied, out: &mut Output) {
        let reason = match denied {
            Denied::Database(_) => "no permission",
            Denied::Command => "no permission to execute the command or subcommand",
            Denied::Key(_) => "no permission to touch the specified keys",
            Denied::Channel(_) => "no permission to access one of the channels used as arguments",
        };
        self.note_denied(conn, id, args, denied, Context::Multi);
        let text = format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for \
             the following reason: {reason}"
        );
        self.server.count_error(text.as_bytes());
        if self.is_heard(conn) {
            out.error(text);
        }
    }
}
