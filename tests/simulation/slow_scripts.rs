//! Scripts that take their time: everybody else is refused meanwhile, and what they have done counts when they have ended, all of it or nothing.

use super::{model::Expect, node::Slow, scripts::SLOW_LOOK_NS, world::World};

/// How a script ends that has been killed.
const KILLED: &str = "-ERR Error running script: Script killed by user with SCRIPT KILL.";

impl World {
    /// Whoever looks at the clock while a script takes its time finds that more of it has passed.
    pub fn stretch_time(&self, is_slow: bool) {
        self.clock.stretch(is_slow.then_some(SLOW_LOOK_NS));
    }

    /// Whether a client waits for a script that takes its time.
    pub fn waits_for_script(&self, client: usize) -> bool {
        self.clients[client].asked.back().is_some_and(|asked| self.workload.is_slow(&asked.words))
    }

    /// Whether what comes of a client is a script that takes its time and no other one, which would take its time, too: what stands behind that would run
    /// at times that nobody knows.
    pub fn brings_slow_script(&self, client: usize) -> bool {
        let asked = &self.clients[client].asked;
        let is_script = |name: &[u8]| name.starts_with(b"EVAL") || name.starts_with(b"FCALL");
        self.waits_for_script(client) && !asked.iter().rev().skip(1).any(|asked| is_script(&asked.words[0]))
    }

    /// The script that a node was running may have ended in this turn: now it counts.
    pub fn settle_script(&mut self, node: usize) {
        if self.nodes[node].is_busy() {
            return;
        }
        let Some(mut slow) = self.nodes[node].slow.take() else { return };
        let is_plain = self.nodes[node].is_plain_primary();
        // Its first write may have been refused: the disk has begun to fail.
        let model = self.nodes[node].model.as_mut().filter(|_| is_plain);
        let expect = match model {
            None => Expect::Any,
            Some(_) if slow.killed => Expect::Begins(KILLED),
            Some(model) => model.request(&mut slow.session, &slow.words, slow.at_ms),
        };
        let here = self.clients.iter_mut().find(|client| client.link == Some(slow.link));
        let Some(client) = here.or_else(|| self.gone.get_mut(&slow.link)) else { return };
        if let Some(asked) = client.asked.iter_mut().rev().find(|asked| asked.words == slow.words) {
            asked.expect = Some(expect);
        }
    }

    /// A script takes its time from now on.
    pub fn note_slow(&mut self, node: usize, slow: Option<Slow>) {
        if slow.is_some() {
            self.nodes[node].slow = slow;
        }
    }

    /// Somebody may lose patience with a script.
    pub fn end_script(&mut self, by: usize) {
        if self.workload.scripts.is_none() {
            return;
        }
        let Some(node) = (0..self.nodes.len()).find(|node| self.nodes[*node].is_busy()) else { return };
        if self.rng.below(6) != 0 {
            return;
        }
        if self.rng.below(6) == 0 && self.waits_for_script(by) {
            return self.hang_up(by);
        }
        let running = self.nodes[node].engine().server.scripts.running.as_ref();
        let (wrote, repeats) = running.map_or((false, false), |running| (running.wrote, running.repeats));
        let can_be_killed = !wrote && !repeats;
        if can_be_killed && let Some(slow) = &mut self.nodes[node].slow {
            slow.killed = true;
        }
        let answer = self.order(node, "SCRIPT KILL").unwrap_or_default();
        let right = if can_be_killed { answer == "+OK\r\n" } else { answer.starts_with("-UNKILLABLE") };
        if !right {
            self.fail(&format!("n{node} answers SCRIPT KILL with {answer}, and the script has {}written", if wrote { "" } else { "not " }));
        }
    }
}
