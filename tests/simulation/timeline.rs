//! What a node has held, behind each command that it has logged; and what of that it must find again when it comes back.
//!
//! It outlives the node's lives: what a crash took back is cut off, and the rest goes on.

use super::{
    digest::{digest_of, library_digest},
    shadow::{Shadow, Unit},
    state::State,
};
use solod::{config::AppendFsync, engine::Engine, replication::write_log::ReaderId, state::aof::AofPhase};
use std::collections::{HashMap, HashSet};

/// What `everysec` may lose: writes of so long a time.
const WINDOW_NS: u64 = 2_000_000_000;
/// And what a server may need to find out that it has come to that.
const SLACK_NS: u64 = 150_000_000;

/// What a node owes to those who have learned of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owes {
    Nothing,
    /// What is lost was written within [`WINDOW_NS`].
    Window,
    /// Whatever anybody has learned of is there.
    All,
}

impl Owes {
    fn of(engine: &Engine) -> Self {
        let server = &engine.server;
        if server.replication.is_replica() && server.aof.failure.is_some() {
            // It was told to go on without its disk (`replica-ignore-disk-write-errors`).
            return Self::Nothing;
        }
        match (server.aof.phase, server.config.appendfsync) {
            (AofPhase::On, AppendFsync::Always) => Self::All,
            (AofPhase::On, AppendFsync::EverySecond) => Self::Window,
            _ => Self::Nothing,
        }
    }
}

/// A moment between two commands.
struct Mark {
    /// What was held then.
    digest: u64,
    logged_ns: u64,
    owes: Owes,
}

pub struct Timeline {
    shadow: Shadow,
    marks: Vec<Mark>,
    /// The mark behind the command that first named a value, or behind the jump that brought it, by its serial number.
    named: HashMap<u64, usize>,
    /// What the last crash took back. While nobody is served from what it left, what was cut off there may come back when the power goes.
    undone: Vec<Mark>,
    undone_names: HashMap<u64, usize>,
    /// Values that were [`Owes::All`] and that a crash took back.
    lost: HashSet<u64>,
    /// Somebody has learned of what happened up to this mark.
    promised: usize,
    /// All up to this mark is on the disk: it has survived.
    survived: usize,
    /// Our reader of the log in the node's present life, and what it has read.
    reader: Option<(ReaderId, u64)>,
    /// What the node holds does not follow from its log for now.
    is_away: bool,
    looks: u64,
}

impl Timeline {
    pub fn new() -> Self {
        let marks = vec![Mark { digest: 0, logged_ns: 0, owes: Owes::Nothing }];
        Self {
            shadow: Shadow::new(),
            marks,
            named: HashMap::new(),
            undone: Vec::new(),
            undone_names: HashMap::new(),
            lost: HashSet::new(),
            promised: 0,
            survived: 0,
            reader: None,
            is_away: false,
            looks: 0,
        }
    }

    /// The node begins another life with what is in `shadow`.
    pub fn begin_life(&mut self, engine: &mut Engine, shadow: Shadow, now_ns: u64) {
        let leads_there = self.marks.last().is_some_and(|mark| mark.digest == shadow.digest());
        self.shadow = shadow;
        if !leads_there {
            self.jump(now_ns);
        }
        let log = &mut engine.server.replication.log;
        let end = log.end();
        self.reader = Some((log.add_reader(end), end));
        self.is_away = false;
    }

    /// What is in the shadow does not come of the log. A command that names one of these values later, as a script does that copies it, is not the first.
    fn jump(&mut self, now_ns: u64) {
        for serial in self.shadow.serials() {
            self.named.entry(serial).or_insert(self.marks.len());
        }
        self.marks.push(Mark { digest: self.shadow.digest(), logged_ns: now_ns, owes: Owes::Nothing });
    }

    /// The node has ended a turn.
    pub fn follow(&mut self, engine: &mut Engine, now_ns: u64) -> Result<(), String> {
        let owes = Owes::of(engine);
        let server = &mut engine.server;
        let follows = server.replication.upstream.as_ref().is_none_or(|u| u.resumable);
        let log = &mut server.replication.log;
        let Some((reader, next)) = self.reader else { return Ok(()) };
        if server.loading.is_some() || !follows {
            self.is_away = true;
            log.move_reader(reader, log.end());
            self.reader = Some((reader, log.end()));
            return Ok(());
        }
        self.undone.clear();
        self.undone_names.clear();
        if std::mem::take(&mut self.is_away) || log.next_of(reader) != next {
            let logged = (log.next_of(reader) == next).then(|| log.read_from(next)).flatten().map(|pieces| pieces.concat());
            log.move_reader(reader, log.end());
            self.reader = Some((reader, log.end()));
            return self.come_back(engine, logged.unwrap_or_default(), owes, now_ns);
        }
        if owes != Owes::All && self.marks.last().is_some_and(|mark| mark.owes == Owes::All) {
            self.release(owes, now_ns);
        }
        if log.end() == next {
            return Ok(());
        }
        let bytes = log.read_from(next).ok_or("the log has forgotten what a reader needs")?.concat();
        log.move_reader(reader, log.end());
        self.reader = Some((reader, log.end()));
        let mut units = Vec::new();
        self.shadow.feed(&bytes, |unit| units.push(unit))?;
        self.add_marks(units, owes, now_ns);
        self.looks += 1;
        if self.looks.is_multiple_of(64) && !engine.server.scripts.is_slow && digest_of(&engine.server) != self.shadow.digest() {
            let (data, log) = (State::of(&engine.server.keyspace), State::of(self.shadow.keyspace()));
            let difference = data.difference(&log).unwrap_or_else(|| "none in keys".to_owned());
            let shadow = self.shadow.server();
            let libraries = if library_digest(&engine.server) == library_digest(shadow) { "the same" } else { "others" };
            let sum = if self.shadow.digest() == digest_of(shadow) { "right" } else { "not that of what is held" };
            return Err(format!(
                "its log does not lead to what it holds (data | log): {difference}; libraries are {libraries}, the log's sum is {sum}"
            ));
        }
        Ok(())
    }

    /// The node has logged these.
    fn add_marks(&mut self, units: Vec<Unit>, owes: Owes, now_ns: u64) {
        for unit in units {
            for serial in unit.serials {
                // If it was lost, it has come again.
                self.lost.remove(&serial);
                self.named.entry(serial).or_insert(self.marks.len());
            }
            // What is for replicas alone is in no file, and not lost with one.
            let owes = if owes == Owes::Window && !unit.writes { Owes::Nothing } else { owes };
            self.marks.push(Mark { digest: unit.digest, logged_ns: now_ns, owes });
        }
    }

    /// The node follows its log again, and has logged this in the turn in which it began to.
    fn come_back(&mut self, engine: &Engine, logged: Vec<u8>, owes: Owes, now_ns: u64) -> Result<(), String> {
        let digest = digest_of(&engine.server);
        self.shadow.forget_rest();
        let (mut units, before) = (Vec::new(), self.shadow.digest());
        let leads_there = digest != before && self.shadow.feed(&logged, |unit| units.push(unit)).is_ok() && digest == self.shadow.digest();
        if leads_there {
            // It holds what was loaded, and what it has done since: a crash may leave a part of that.
            self.add_marks(units, owes, now_ns);
            return Ok(());
        }
        if digest != self.shadow.digest() {
            self.shadow = Shadow::of(&engine.server);
            self.jump(now_ns);
            // What it holds is its primary's, which may have kept what was lost here.
            self.lost.clear();
        }
        let replication = &engine.server.replication;
        let db = replication.upstream.as_ref().map_or(replication.log.db(), |upstream| Some(upstream.db));
        db.into_iter().for_each(|db| self.shadow.select(db));
        Ok(())
    }

    /// What waits for the disk waits no more: the setting is another, or the log was turned off.
    fn release(&mut self, owes: Owes, now_ns: u64) {
        let waited = self.marks.iter_mut().skip(self.promised + 1).filter(|mark| mark.owes == Owes::All);
        // It is told of at this moment, however long it has waited.
        waited.for_each(|mark| (mark.owes, mark.logged_ns) = (owes, now_ns));
    }

    /// Somebody has learned of these values; `is_safe` says which are on the disk.
    pub fn told(&mut self, serials: &[u64], is_safe: impl Fn(u64) -> bool) -> Result<(), String> {
        for serial in serials {
            if self.lost.contains(serial) {
                return Err(format!("v{serial} was told of, and a crash has taken it back"));
            }
            let Some(&index) = self.named.get(serial) else { continue };
            if self.marks[index].owes != Owes::All {
                continue;
            }
            if index > self.survived && !is_safe(*serial) {
                return Err(format!("v{serial} was told of before it was on the disk"));
            }
            self.promised = self.promised.max(index);
        }
        Ok(())
    }

    /// Somebody was told that the disk has a value.
    pub fn must_have(&mut self, serial: u64, is_safe: bool) -> Result<(), String> {
        let Some(&index) = self.named.get(&serial) else { return Ok(()) };
        if index > self.survived && !is_safe {
            return Err(format!("v{serial} was said to be on the disk, and is not"));
        }
        self.promised = self.promised.max(index);
        Ok(())
    }

    /// The mark of what is on the disk, and whether that was undone before.
    fn find(&self, found: &Shadow) -> Result<(usize, bool), String> {
        let place = |marks: &[Mark]| marks.iter().rposition(|mark| mark.digest == found.digest());
        let (there, undone) = (place(&self.marks), place(&self.undone));
        // What was undone may have led back to what there was earlier: a key is set, and deleted.
        match (there, undone) {
            (Some(index), None) => return Ok((index, false)),
            (Some(index), Some(_)) if index + 1 == self.marks.len() => return Ok((index, false)),
            (_, Some(index)) => return Ok((self.marks.len() + index, true)),
            (None, None) => (),
        }
        let (found, last) = (State::of(found.keyspace()), State::of(self.shadow.keyspace()));
        let difference = found.difference(&last).unwrap_or_default();
        let count = self.marks.len();
        Err(format!("what is on the disk is none of the {count} states that there were (it | the last): {difference}"))
    }

    /// Looks at what would be loaded now.
    pub fn check(&self, found: &Shadow) -> Result<(), String> {
        let (index, is_undone) = self.find(found)?;
        let count = self.marks.len() - 1;
        if is_undone {
            return Ok(());
        }
        if index < self.promised {
            return Err(format!("{index} of {count} commands are on the disk, and somebody was told of {}", self.promised));
        }
        let mut lost = self.marks[index + 1..].iter().filter(|mark| mark.owes == Owes::Window).map(|mark| mark.logged_ns);
        if let Some(first) = lost.next()
            && let Some(last) = lost.next_back()
            && last - first > WINDOW_NS + SLACK_NS
        {
            let stamp = |ns: u64| ns as f64 / 1e9;
            return Err(format!(
                "{index} of {count} commands are on the disk: the others are of {} ms, from {:.6} to {:.6}",
                (last - first) / 1_000_000,
                stamp(first),
                stamp(last)
            ));
        }
        Ok(())
    }

    /// The node has come back with this; `power`: nothing but what is on the disk can have been left.
    pub fn come_back_from_crash(&mut self, found: &Shadow, power: bool) -> Result<(), String> {
        self.check(found)?;
        let (index, is_undone) = self.find(found)?;
        if is_undone {
            self.marks.append(&mut self.undone);
            self.named.extend(self.undone_names.drain());
        }
        let mut undone = self.marks.split_off(index + 1);
        if power {
            self.undone_names.clear();
        } else {
            undone.append(&mut self.undone);
        }
        self.undone = undone;
        self.undone_names.extend(self.named.extract_if(|_, at| *at > index));
        let (undone, count) = (&self.undone, index + 1);
        self.lost.retain(|serial| !self.named.contains_key(serial));
        self.lost.extend(self.undone_names.iter().filter(|(_, at)| undone[**at - count].owes == Owes::All).map(|(serial, _)| *serial));
        self.survived = if power { index } else { self.survived.min(index) };
        Ok(())
    }
}
