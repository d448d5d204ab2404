//! A process was killed between two steps of its disk, and another goes on with what it finds there. That may not be on the disk: a power cut takes it back,
//! and what the second has done meanwhile must hold all the same.

use super::{
    aof_image::{self, DIRECTORY, MANIFEST},
    disk::Disk,
    filesystem::Filesystem,
    host::Clock,
    node::Node,
    shadow::Shadow,
    wire::{wire, words},
    world::MS,
};
use solod::{
    config::{AppendFsync, Config},
    data::rng::Rng,
    state::{Action, ConnId, client::Origin, disk::Lane},
};
use std::rc::Rc;

const CLIENT: ConnId = ConnId(1);
/// Power cuts that are tried in front of each answer of a disk.
const CUTS: usize = 20;

fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| wire(&words(line))).collect()
}

fn digest(lines: &[&str]) -> u64 {
    let mut shadow = Shadow::new();
    shadow.feed(&commands(lines), |_| ()).expect("they are whole");
    shadow.digest()
}

fn put(files: &mut Filesystem, name: &str, bytes: &[u8]) {
    let inode = files.create(&format!("{DIRECTORY}/{name}")).expect("the directory is there");
    files.append(inode, bytes);
    files.sync(inode);
}

/// Lines of a manifest: of `b1 i2` the first base and the second increment.
fn manifest(files: &str) -> String {
    let line = |file: &str| {
        let (kind, place) = (&file[..1], &file[1..]);
        let (kind, number) = if kind == "h" { place.split_at(1) } else { (kind, place) };
        let name = if kind == "b" { format!("{number}.base.aof") } else { format!("{number}.incr.aof") };
        format!("file appendonly.aof.{name} seq {number} type {}\n", &file[..1])
    };
    files.split(' ').map(line).collect()
}

/// A disk on which one manifest has taken the place of another, which may come back.
fn killed_behind_rename(old: &str, new: &str, seed: u64) -> Disk {
    let mut disk = Disk::new(Rng::new(seed), 1000, 0);
    let files = &mut disk.files;
    files.make_dir(DIRECTORY).expect("there is none");
    files.sync_directory("").expect("it is there");
    put(files, "appendonly.aof.1.base.aof", &commands(&["SELECT 0", "SET k 1"]));
    put(files, "appendonly.aof.1.incr.aof", &commands(&["SELECT 0", "SET l 2"]));
    put(files, "appendonly.aof.2.base.aof", &commands(&["SELECT 0", "SET k 1", "SET l 2"]));
    put(files, "appendonly.aof.2.incr.aof", b"");
    put(files, "appendonly.aof.manifest", manifest(old).as_bytes());
    files.sync_directory(DIRECTORY).expect("it is there");
    put(files, "temp", manifest(new).as_bytes());
    files.rename(&format!("{DIRECTORY}/temp"), MANIFEST).expect("both are there");
    disk
}

struct Started {
    node: Node,
    clock: Rc<Clock>,
    rng: Rng,
    /// What there may be after a power cut.
    wanted: Vec<u64>,
}

impl Started {
    fn new(config: Config, disk: Disk, seed: u64) -> Self {
        let (mut node, clock) = (Node::new(config, 0, disk), Clock::new(1000));
        node.start(&clock, seed);
        Self { node, clock, rng: Rng::new(seed), wanted: vec![digest(&["SET k 1", "SET l 2"])] }
    }

    fn check(&mut self) {
        for _ in 0..CUTS {
            let left = self.node.disk.borrow().after_crash(true, &mut self.rng);
            let found = aof_image::read(&left).unwrap_or_else(|error| panic!("if the power went: {error}")).expect("there is a manifest");
            assert!(self.wanted.contains(&found.digest()), "if the power went something would be missing");
        }
    }

    /// Goes on until the disk has nothing to do.
    fn run(&mut self) {
        loop {
            self.turn();
            if !self.answer() {
                return;
            }
        }
    }

    fn turn(&mut self) {
        self.clock.advance_to(self.clock.now() + MS);
        let disk = Rc::clone(&self.node.disk);
        let engine = self.node.engine();
        engine.refresh_time();
        engine.finish_turn();
        while engine.take_dirty().is_some() {}
        while let Some(action) = engine.take_action() {
            match action {
                Action::Disk(job) => drop(disk.borrow_mut().ask(job)),
                Action::Exit(code) => panic!("it exits with {code}"),
                _ => (),
            }
        }
        self.check();
    }

    /// The disk does a job. `false`: it has none.
    fn answer(&mut self) -> bool {
        let next = |lane: &Lane| self.node.disk.borrow_mut().answer(*lane).0;
        let Some(done) = Lane::ALL.iter().find_map(next) else { return false };
        self.check();
        self.node.engine().disk_done(done);
        true
    }

    fn connect(&mut self) {
        let peer = Origin { addr: "10.1.0.1:1".into(), local: true, ..Origin::default() };
        self.node.engine().connect(CLIENT, peer).expect("there is room");
    }

    fn say(&mut self, line: &str) {
        self.node.engine().receive(CLIENT, &commands(&[line]));
    }
}

#[test]
fn nothing_is_removed_that_a_manifest_needs_which_may_come_back() {
    for seed in 0..12 {
        for appendonly in [true, false] {
            let config = Config { appendonly, save: Vec::new(), ..Config::default() };
            let mut started = Started::new(config, killed_behind_rename("b1 i1", "b2 hb1 hi1 i2", seed), seed);
            started.run();
            let names = started.node.disk.borrow().files.list(DIRECTORY).expect("it is there").join(" ");
            assert_eq!(names, "appendonly.aof.2.base.aof appendonly.aof.2.incr.aof appendonly.aof.manifest", "in the end history is gone");
        }
    }
}

#[test]
fn nothing_is_promised_that_is_in_a_file_which_no_manifest_may_name() {
    for seed in 0..12 {
        let config = Config { appendonly: true, appendfsync: AppendFsync::Always, save: Vec::new(), ..Config::default() };
        let mut started = Started::new(config, killed_behind_rename("b1 i1", "b1 i1 i2", seed), seed);
        started.run();
        started.wanted.push(digest(&["SET k 1", "SET l 2", "SET m 3"]));
        started.connect();
        started.say("SET m 3");
        started.run();
        assert!(started.node.engine().has_output(CLIENT), "it was answered");
        started.wanted.remove(0);
        started.check();
    }
}

/// A rewrite is given up when the manifest that names its increment is on its way, and that cannot be taken back: the disk is full. What comes next must not
/// write in the name that the manifest knows.
#[test]
fn the_name_of_an_increment_that_was_announced_in_vain_is_not_given_again() {
    for seed in 0..4 {
        let config = Config { appendonly: true, save: Vec::new(), ..Config::default() };
        let mut started = Started::new(config, killed_behind_rename("b1 i1", "b1 i1", seed), seed);
        started.run();
        started.connect();
        started.say("BGREWRITEAOF");
        started.turn();
        while !started.node.disk.borrow().commits_next(Lane::Log) {
            assert!(started.answer(), "it comes to that");
            started.turn();
        }
        started.say("CONFIG SET appendonly no");
        started.turn();
        while started.node.disk.borrow().commits_next(Lane::Log) {
            started.answer();
        }
        started.node.disk.borrow_mut().trouble.is_full = true;
        started.run();
        started.node.disk.borrow_mut().trouble.mend();
        let manifest = started.node.disk.borrow().files.content(MANIFEST).expect("there is one");
        assert!(manifest.ends_with(b"appendonly.aof.2.incr.aof seq 2 type i\n"), "{}", manifest.escape_ascii());
        started.say("SET m 3");
        started.wanted.push(digest(&["SET k 1", "SET l 2", "SET m 3"]));
        started.wanted.push(digest(&["SET k 1", "SET l 2", "SET m 3", "SET n 4"]));
        started.say("CONFIG SET appendonly yes");
        started.turn();
        while started.node.engine().server.aof_files.rewrite.as_ref().is_some_and(|rewrite| rewrite.base.is_none()) {
            started.answer();
            started.turn();
        }
        started.say("SET n 4");
        started.run();
        started.wanted.drain(..2);
        started.check();
        let manifest = started.node.disk.borrow().files.content(MANIFEST).expect("there is one");
        let wanted = "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.3.incr.aof seq 3 type i\n";
        assert_eq!(manifest.escape_ascii().to_string(), wanted.escape_default().to_string());
    }
}
