//! What clients ask a node for, and when it saves: the model is told at the same moment.

use super::{
    checkers,
    model::Expect,
    net::LinkId,
    node::{Node, Save, Slow},
    state::State,
    trace::{self, trace},
    wire::shown,
    workload::DATABASES,
    world::World,
};
use solod::state::{ConnId, DiskDone, client::Blocked, disk::Done};

impl World {
    /// The engine has just been handed bytes of a client: the model does what they asked for.
    pub fn requests_arrive(&mut self, node: usize, conn: ConnId, (index, id): (usize, LinkId), bytes: usize, was_busy: bool) {
        let stamp = self.stamp();
        let plain = self.nodes[node].is_plain_primary();
        let is_busy = self.nodes[node].is_busy();
        let scripts = self.workload.scripts.clone();
        let Node { engine, model, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let client = match self.clients[index].link {
            Some(link) if link == id => &mut self.clients[index],
            _ => self.gone.entry(id).or_default(),
        };
        let now = engine.server.keyspace.now_ms;
        // Behind a script of its own that is slow it is not refused: what it says waits.
        let waits_itself = was_busy && engine.server.clients.get(conn).is_some_and(|c| c.blocked == Some(Blocked::Script));
        let is_known = client.exact && !waits_itself;
        let (mut said, exact) = (0, is_known && model.is_some() && plain);
        let (mut saved, mut slow) = (None, None);
        let mut ends_with_ping = false;
        client.arrive(bytes, |session, words| {
            said += 1;
            ends_with_ping = words[0] == b"PING";
            if trace::keeps() {
                let line: Vec<_> = words.iter().map(|w| shown(w)).collect();
                trace!("{stamp} n{node} c{index} db{} {}", session.db, line.join(" "));
            }
            match model.as_mut().filter(|_| exact) {
                // It is said in any state of the data.
                _ if was_busy && is_known => session.busy(words),
                Some(_) if is_busy && scripts.as_ref().is_some_and(|scripts| scripts.catalogue.is_slow(words)) => {
                    slow = Some(Slow { link: id, words: words.clone(), session: session.clone(), at_ms: now, killed: false });
                    Expect::Any
                }
                Some(model) => {
                    if words[0] == b"BGSAVE" {
                        saved.get_or_insert_with(|| model.state.clone());
                    }
                    model.request(session, words, now)
                }
                None => Expect::Any,
            }
        });
        let server_side = engine.server.clients.get(conn);
        // What lies behind a request of many bytes has to wait for the next turn.
        let is_left = server_side.and_then(|c| c.pending.as_ref()).is_some_and(|pending| pending.buf.len() as u64 > client.unfinished());
        let blocked = server_side.and_then(|c| c.blocked);
        let waits = blocked == Some(Blocked::Pause) || is_left;
        // What is refused changes nothing.
        if said > 0 && (waits || waits_itself || !exact && !was_busy) {
            // What was asked is done later, or nobody knows what it does: begin anew when that is over.
            client.exact = false;
            *model = None;
        }
        if ends_with_ping && blocked.is_none() && !is_left && self.clients[index].link == Some(id) {
            self.note_ping(index);
        }
        self.note_slow(node, slow);
        self.note_save(node, saved);
    }

    /// Takes note of a save that has begun, with what there was then.
    pub fn note_save(&mut self, node: usize, state: Option<State>) {
        let Node { engine, save, .. } = &mut self.nodes[node];
        let Some(engine) = engine else { return };
        let server = &engine.server;
        let Some(saving) = &server.persistence.saving else { return };
        if save.as_ref().is_none_or(|known| known.file != saving.snapshot.file) {
            let at_ms = server.keyspace.now_ms;
            *save = Some(Save { file: saving.snapshot.file, state: state.map(|s| s.live_at(at_ms)), at_ms });
        }
    }

    /// A save may be done: its file holds what there was at its beginning, also where the save was given up too late (FLUSHALL) and another one has
    /// followed.
    pub fn save_ends(&mut self, node: usize, done: &DiskDone) {
        if let Some(save) = self.nodes[node].save.take_if(|save| save.file == done.file && done.result == Ok(Done::Committed))
            && let Some(expected) = save.state
        {
            let file = self.nodes[node].disk.borrow().committed_by(save.file).cloned().unwrap_or_default();
            let found = self.must(&format!("n{node}'s file"), checkers::decode(&file, DATABASES as usize)).live_at(save.at_ms);
            if let Some(difference) = found.difference(&expected) {
                self.fail(&format!("n{node}: a file is not the state at its beginning (file | state): {difference}"));
            }
        }
    }
}
