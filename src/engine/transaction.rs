//! EXEC: runs what MULTI queued.

use super::Engine;
use crate::{resp::output::Output, state::ConnId};

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
        for (id, args) in &multi.queue {
            let mut rest = Output::new(out.protocol);
            // A client whose connection is about to end for the length of its output is sent nothing more; what it asked for is done.
            let is_cut = self.server.is_output_cut(conn, out.len() as u64);
            let blocks = self.call_if_heard(conn, *id, args.args(), (0, 0), if is_cut { &mut rest } else { out }, true);
            debug_assert!(blocks.is_none());
        }
        self.end_unit(conn);
    }
}
