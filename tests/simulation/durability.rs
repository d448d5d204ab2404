//! What disks do to nodes that keep a log on them, and what those must find there when they come back.

use super::{
    aof_image,
    clients::Promise,
    digest::digest_of,
    disk::SNAPSHOT,
    marked,
    node::Node,
    shadow::Shadow,
    state::State,
    trace::trace,
    world::{Event, MS, World},
};
use solod::{
    config::AppendFsync,
    state::{aof::AofPhase, disk::Lane},
};

/// One job of a disk in so many is tried to be the last.
const TRIED_ONE_IN: u64 = 40;
/// And one in so many of those that change which files there are.
const RENAMES_TRIED_ONE_IN: u64 = 3;

impl World {
    /// What a node finds on its disk when it is started.
    pub fn find_data(&mut self, node: usize) -> Shadow {
        let who = format!("n{node} after a crash");
        let disk = self.nodes[node].disk.borrow().files.clone();
        if !self.nodes[node].config.appendonly {
            let mut shadow = Shadow::new();
            let loaded = disk.content(SNAPSHOT).map_or(Ok(()), |file| shadow.load(&file));
            self.must(&who, loaded);
            return shadow;
        }
        let found = self.must(&who, aof_image::read(&disk)).unwrap_or_else(Shadow::new);
        let power = self.nodes[node].lost_power;
        let held = self.nodes[node].timeline.as_mut().map_or(Ok(()), |timeline| timeline.come_back_from_crash(&found, power));
        self.must(&who, held);
        found
    }

    /// Takes note of what a node has logged in this turn.
    pub fn follow_log(&mut self, node: usize) {
        let now = self.clock.now();
        let n = &mut self.nodes[node];
        let (Some(engine), Some(timeline)) = (&mut n.engine, &mut n.timeline) else { return };
        let followed = timeline.follow(engine, now);
        self.must(&format!("n{node}"), followed);
    }

    /// Somebody has learned of these values from a node.
    pub fn learned(&mut self, who: &str, node: usize, serials: &[u64]) {
        let n = &mut self.nodes[node];
        let Some(timeline) = &mut n.timeline else { return };
        let disk = n.disk.borrow();
        let told = timeline.told(serials, |serial| disk.is_safe(serial));
        drop(disk);
        self.must(&format!("{who} of n{node}"), told);
    }

    /// A client was told by WAITAOF how many disks have its write: they must.
    pub fn told_of_disks(&mut self, promise: &Promise, local: usize, replicas: usize) {
        let Promise { value, node, life, asked_ns, .. } = promise;
        let serial = marked::find(value)[0];
        if local > 0 && self.nodes[*node].lives == *life {
            let n = &mut self.nodes[*node];
            let disk = n.disk.borrow();
            let told = n.timeline.as_mut().map_or(Ok(()), |timeline| timeline.must_have(serial, disk.is_safe(serial)));
            drop(disk);
            self.must(&format!("WAITAOF of n{node}"), told);
        }
        let others = || self.nodes.iter().enumerate().filter(|(i, _)| i != node).map(|(_, n)| n);
        let excused = |n: &&Node| n.wiped_at_ns >= *asked_ns || n.doubled_at_ns >= *asked_ns;
        let having = others().filter(|n| excused(n) || n.disk.borrow().is_safe(serial)).count();
        let doubled = others().filter(|n| n.doubled_at_ns >= *asked_ns).count();
        if having + doubled < replicas {
            self.fail(&format!("WAITAOF said that {replicas} replicas have v{serial} on their disks, and {having} may"));
        }
    }

    /// Bytes of one node have arrived at another.
    pub fn learned_by_node(&mut self, node: usize, from: usize, bytes: &[u8]) {
        if self.nodes[from].timeline.is_some() {
            self.learned(&format!("n{node}"), from, &marked::find(bytes));
        }
    }

    /// A lane of a node's disk is about to answer: what if its process, or its machine, ended instead?
    pub fn try_crash(&mut self, node: usize, lane: Lane) {
        let n = &self.nodes[node];
        if n.timeline.is_none() || !n.config.appendonly {
            return;
        }
        let one_in = if n.disk.borrow().renames_next(lane) { RENAMES_TRIED_ONE_IN } else { TRIED_ONE_IN };
        if self.rng.below(one_in) != 0 {
            return;
        }
        let power = self.rng.below(3) != 0;
        let files = self.nodes[node].disk.borrow().after_crash(power, &mut self.rng);
        let who = format!("n{node}, if {} now", if power { "the power went" } else { "it were killed" });
        let found = self.must(&who, aof_image::read(&files)).unwrap_or_else(Shadow::new);
        let checked = self.nodes[node].timeline.as_ref().map_or(Ok(()), |timeline| timeline.check(&found));
        self.must(&who, checked);
    }

    /// Something happens to a disk, or to what a node keeps there.
    pub fn trouble(&mut self) {
        if self.calm {
            return;
        }
        let every = self.plan.trouble_every_ns.unwrap_or(MS);
        let delay = 1 + self.rng.below(every * 2);
        self.at(delay, Event::Trouble);
        let node = self.rng.below(self.nodes.len() as u64) as usize;
        let kind = self.rng.below(12);
        match kind {
            0..=3 => drop(self.order(node, "BGREWRITEAOF")),
            4 => drop(self.order(node, "CONFIG SET appendonly no")),
            5 => drop(self.order(node, "CONFIG SET appendonly yes")),
            6 => {
                let policy = ["always", "everysec", "no"][self.rng.below(3) as usize];
                self.order(node, &format!("CONFIG SET appendfsync {policy}"));
            }
            _ => self.trouble_disk(node, kind),
        }
    }

    fn trouble_disk(&mut self, node: usize, kind: u64) {
        let ends_in = 1 + self.rng.below(2500 * MS);
        let mut disk = self.nodes[node].disk.borrow_mut();
        match kind {
            7 | 8 => disk.trouble.is_full = true,
            9 => disk.trouble.is_read_only = true,
            10 => {
                disk.trouble.failing_syncs = 1 + self.rng.below(2);
                disk.trouble.sticks = self.rng.below(2) == 0;
            }
            _ => disk.trouble.slow_sync_ns = self.rng.below(4000 * MS),
        }
        trace!("{} n{node}'s disk: {:?} for {} ms", self.stamp(), disk.trouble, ends_in / MS);
        drop(disk);
        self.at(ends_in, Event::Mend(node));
    }

    /// A disk is as good as new; what has been lost stays so.
    pub fn mend(&mut self, node: usize) {
        trace!("{} n{node}'s disk is well", self.stamp());
        self.nodes[node].disk.borrow_mut().trouble.mend();
    }

    /// Whether a node that ends by itself had to: its disk cannot be trusted any more, or it could not begin.
    pub fn may_give_up(&self, node: usize) -> bool {
        let n = &self.nodes[node];
        let (Some(engine), disk) = (&n.engine, n.disk.borrow()) else { return false };
        let server = &engine.server;
        let had_to = server.config.appendfsync == AppendFsync::Always && disk.failed_syncs > 0;
        let never_began = server.aof.phase == AofPhase::Off && disk.failures > 0;
        n.timeline.is_some() && (had_to || never_began)
    }

    /// Why what a node holds is not on its disk, if it is not.
    pub fn unsaved(&mut self, node: usize) -> Option<String> {
        let n = &self.nodes[node];
        let (Some(engine), Some(_)) = (&n.engine, &n.timeline) else { return None };
        let server = &engine.server;
        if server.aof.phase != AofPhase::On {
            let waits = self.calm && server.config.appendonly;
            return waits.then(|| format!("n{node} is to append, and its phase is {:?}", server.aof.phase));
        }
        let power = server.config.appendfsync != AppendFsync::No;
        let wanted = digest_of(server);
        let files = n.disk.borrow().after_crash(power, &mut self.rng);
        match aof_image::read(&files) {
            Err(error) => Some(format!("n{node}: {error}")),
            Ok(None) => Some(format!("n{node} has no files")),
            Ok(Some(found)) if found.digest() == wanted => None,
            Ok(Some(found)) => {
                let (data, found) = (State::of(&server.keyspace), State::of(found.keyspace()));
                Some(format!("n{node} has not all on its disk (data | disk): {}", data.difference(&found).unwrap_or_default()))
            }
        }
    }
}
