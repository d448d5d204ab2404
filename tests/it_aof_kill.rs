//! A server with `appendfsync always` is killed under load, with rewrites under way, again and again, and on a disk that fills up and is emptied: nothing
//! that was acknowledged, and nothing that anybody has read, is missing when it is back.
//!
//! `SOLOD_KILLS` says how often: a few belong to every test run, `make kills` takes 200 of each.

mod common;

use common::{Conn, PATIENCE, Server, Silence, Value, is_reference, program, wait_until};
use solod::data::rng::Rng;
use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

const WRITERS: usize = 8;

const SETTINGS: [&str; 8] =
    ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-min-size", "200kb", "--auto-aof-rewrite-percentage", "50"];

fn kills() -> u64 {
    env::var("SOLOD_KILLS").ok().map_or(4, |text| text.parse().expect("SOLOD_KILLS is a number"))
}

/// What is known of a writer's keys from outside.
#[derive(Default)]
struct Known {
    /// The highest number that was acknowledged, and that was sent.
    acked: AtomicU64,
    sent: AtomicU64,
    /// The highest number that anybody has read.
    read: AtomicU64,
}

/// All writers, and whether they are to stop.
#[derive(Default)]
struct Load {
    known: [Known; WRITERS],
    stop: AtomicBool,
    /// What was answered that must not be.
    wrong: Mutex<Vec<String>>,
}

impl Load {
    fn wrong(&self, text: String) {
        self.wrong.lock().expect("no thread has panicked").push(text);
    }

    /// Writes numbers that rise, in several forms at once: whole transactions, some of them in a pipeline. Goes on where the server is when it is
    /// back.
    fn write(&self, id: usize, address: SocketAddr, value_bytes: usize, seed: u64) {
        let (known, mut rng) = (&self.known[id], Rng::new(seed));
        let padding = "x".repeat(value_bytes);
        let Ok(mut conn) = Conn::try_tcp(address) else { return };
        let mut next = known.sent.load(SeqCst) + 1;
        while !self.stop.load(SeqCst) {
            let batch = next..next + 1 + rng.below(4);
            let mut wire = Vec::new();
            for n in batch.clone() {
                let (number, value) = (n.to_string(), format!("{n} {padding}"));
                for args in [
                    &["MULTI"][..],
                    &["SET", &format!("number:{id}"), &number],
                    &["SET", &format!("value:{id}"), &value],
                    &["LPUSH", &format!("list:{id}"), &number],
                    &["LTRIM", &format!("list:{id}"), "0", "9"],
                    &["SELECT", "1"],
                    &["HSET", &format!("hash:{id}"), "n", &number],
                    &["SELECT", "0"],
                    &["EXEC"],
                ] {
                    wire.extend(Conn::encode(args));
                }
            }
            known.sent.store(batch.end - 1, SeqCst);
            if conn.try_send(&wire).is_err() {
                return;
            }
            for n in batch.clone() {
                for _ in 0..8 {
                    if next_reply(&mut conn, &self.stop).is_err() {
                        return;
                    }
                }
                match next_reply(&mut conn, &self.stop) {
                    Ok(Value::Array(_)) => drop(known.acked.fetch_max(n, SeqCst)),
                    // Nothing of it has been done: there is no room. The next number is as good.
                    Ok(Value::Error(error)) if error.starts_with("MISCONF") || error.starts_with("EXECABORT") => {
                        thread::sleep(Duration::from_millis(1));
                    }
                    Ok(other) => return self.wrong(format!("{id}: {n} is answered with {other:?}")),
                    Err(_) => return,
                }
            }
            next = batch.end;
        }
    }

    /// Reads what others write. What is read once has to be there for ever.
    fn read(&self, address: SocketAddr, seed: u64) {
        let Ok(mut conn) = Conn::try_tcp(address) else { return };
        let mut rng = Rng::new(seed);
        while !self.stop.load(SeqCst) {
            let id = rng.below(WRITERS as u64) as usize;
            if conn.try_send(&Conn::encode(&["GET", &format!("number:{id}")])).is_err() {
                return;
            }
            match next_reply(&mut conn, &self.stop) {
                Ok(Value::NilBulk) => (),
                Ok(value) => drop(self.known[id].read.fetch_max(value.text().parse().expect("a number"), SeqCst)),
                Err(_) => return,
            }
        }
    }

    /// Asks for one rewrite after the other.
    fn rewrite(&self, address: SocketAddr) {
        let Ok(mut conn) = Conn::try_tcp(address) else { return };
        while !self.stop.load(SeqCst) {
            if conn.try_send(&Conn::encode(&["BGREWRITEAOF"])).is_err() || next_reply(&mut conn, &self.stop).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    /// Looks at what is there after a restart.
    #[track_caller]
    fn check(&self, server: &Server, life: u64) {
        let wrong = self.wrong.lock().expect("no thread has panicked");
        assert!(wrong.is_empty(), "{wrong:?}");
        let mut conn = server.connect();
        for (id, known) in self.known.iter().enumerate() {
            let number = |value: Value| match value {
                Value::NilBulk => 0,
                value => value.text().split(' ').next().unwrap_or_default().parse::<u64>().expect("a number"),
            };
            let found = number(conn.run(&format!("GET number:{id}")));
            let (acked, sent, read) = (known.acked.load(SeqCst), known.sent.load(SeqCst), known.read.load(SeqCst));
            assert!(found >= acked, "life {life}, writer {id}: {acked} was acknowledged, and {found} is there");
            assert!(found >= read, "life {life}, writer {id}: {read} was read, and {found} is there");
            assert!(found <= sent, "life {life}, writer {id}: {sent} was sent, and {found} is there");
            // A transaction is there as a whole.
            let others = [conn.run(&format!("GET value:{id}")), conn.run(&format!("LINDEX list:{id} 0"))].map(number);
            conn.run("SELECT 1");
            let field = number(conn.run(&format!("HGET hash:{id} n")));
            conn.run("SELECT 0");
            assert_eq!((others, field), ([found, found], found), "life {life}, writer {id}");
            known.acked.store(found, SeqCst);
        }
    }
}

/// The next reply. A server that holds it back may take longer than a test's patience, but not than the end of this life.
fn next_reply(conn: &mut Conn, stop: &AtomicBool) -> Result<Value, Silence> {
    let since = Instant::now();
    loop {
        match conn.next_reply() {
            Err(Silence::TimedOut) if !stop.load(SeqCst) && since.elapsed() < 10 * PATIENCE => (),
            other => return other,
        }
    }
}

/// A life of a server: load, whatever `meanwhile` does, and a kill.
fn live(server: &mut Server, load: &Load, value_bytes: usize, seed: u64, meanwhile: impl FnOnce(&Server)) {
    let address = server.address();
    load.stop.store(false, SeqCst);
    thread::scope(|scope| {
        for id in 0..WRITERS {
            scope.spawn(move || load.write(id, address, value_bytes, seed + id as u64));
        }
        scope.spawn(move || load.read(address, seed + 100));
        scope.spawn(move || load.read(address, seed + 101));
        scope.spawn(move || load.rewrite(address));
        let done = catch_unwind(AssertUnwindSafe(|| meanwhile(server)));
        server.kill9();
        // Whatever has come of it: nobody here ends before they are told to.
        load.stop.store(true, SeqCst);
        done.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

fn seed() -> u64 {
    let seed = env::var("SOLOD_KILLS_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SOLOD_KILLS_SEED={seed}");
    seed
}

#[test]
fn what_was_acknowledged_survives_kills_with_rewrites_under_way() {
    if is_reference() {
        return;
    }
    let (mut rng, load) = (Rng::new(seed()), Load::default());
    let mut server = Server::start(&SETTINGS);
    let mut rewrites = 0;
    for life in 0..kills() {
        let before: u64 = load.known.iter().map(|known| known.acked.load(SeqCst)).sum();
        live(&mut server, &load, 200, rng.next_u64() >> 1, |_| {
            let acked = || load.known.iter().map(|known| known.acked.load(SeqCst)).sum::<u64>();
            let wanted = before + 20 + rng.below(300);
            wait_until(|| acked() >= wanted);
        });
        server.restart();
        load.check(&server, life);
        rewrites += server.log().matches("Background AOF rewrite finished successfully").count();
    }
    assert!(rewrites > 0 || kills() < 4, "no rewrite has ever finished");
}

/// One command on a connection of its own. `None`: the reply is held, as one that was made in a turn with writes may be.
fn ask(server: &Server, args: &[&str]) -> Option<String> {
    let mut conn = server.connect();
    conn.send_cmd(args);
    conn.try_recv(Duration::from_millis(100)).map(|reply| reply.text())
}

fn write_status(server: &Server) -> Option<String> {
    let info = ask(server, &["INFO", "persistence"])?;
    info.lines().find_map(|line| line.strip_prefix("aof_last_write_status:")).map(|status| status.trim_end().to_owned())
}

/// A filesystem of 64 MiB, seen by whoever is run [within](Small::wrapper) it.
struct Small {
    /// Keeps it.
    holder: Child,
    dir: PathBuf,
}

impl Small {
    /// `None` where the system does not let a user mount anything.
    fn new(dir: &Path) -> Option<Self> {
        let script = format!("mount -t tmpfs -o size=64m tmpfs {} && echo && exec sleep 100000", dir.display());
        let holder = Command::new("unshare").args(["-rm", "sh", "-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut holder = holder.expect("unshare is there");
        let mut line = [0];
        let mounted = std::io::Read::read(holder.stdout.as_mut().expect("a pipe"), &mut line).expect("a pipe") > 0;
        let small = Self { holder, dir: dir.to_owned() };
        mounted.then_some(small)
    }

    /// A program that runs the server under test within it.
    fn wrapper(&self, at: &Path) -> PathBuf {
        let path = at.join("solod-in-small");
        let pid = self.holder.id();
        let text = format!("#!/bin/sh\nexec nsenter -t {pid} -U -m --preserve-credentials -- {} \"$@\"\n", program().display());
        fs::write(&path, text).expect("there is room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// A path within it, as it is seen from outside.
    fn path(&self, name: &str) -> PathBuf {
        let dir = self.dir.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(dir).join(name)
    }

    /// Leaves no room.
    fn fill(&self) {
        let mut file = fs::File::create(self.path("filler")).expect("a file");
        let block = vec![0; 64 * 1024];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        while std::io::Write::write_all(&mut file, &[0]).is_ok() {}
    }

    /// Makes room.
    fn empty(&self) {
        fs::remove_file(self.path("filler")).expect("it is there");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn what_was_acknowledged_survives_kills_on_a_disk_that_fills_up() {
    if is_reference() {
        return;
    }
    let outside = tempfile::tempdir().expect("a directory");
    let mount = outside.path().join("mount");
    fs::create_dir(&mount).expect("a directory");
    let Some(small) = Small::new(&mount) else {
        return eprintln!("skipped: nobody may mount a tmpfs here");
    };
    let (mut rng, load) = (Rng::new(seed()), Load::default());
    let dir = mount.to_str().expect("a path in ASCII");
    let mut server = Server::of(&small.wrapper(outside.path()), &[&SETTINGS[..], &["--dir", dir]].concat());
    let acked = || load.known.iter().map(|known| known.acked.load(SeqCst)).sum::<u64>();
    for life in 0..kills() {
        // Half of the kills come while there is no room.
        let (dies_full, wanted) = (life % 2 == 1, 20 + rng.below(100));
        live(&mut server, &load, 20_000, rng.next_u64() >> 1, |server| {
            let go_on = || {
                let before = acked();
                wait_until(|| acked() >= before + wanted);
            };
            go_on();
            small.fill();
            wait_until(|| write_status(server).as_deref() == Some("err"));
            let at_full = acked();
            // Writes are refused, but for those that were executed when there seemed to be room: they wait.
            wait_until(|| ask(server, &["SET", "other", "1"]).is_some_and(|reply| reply.contains("MISCONF")));
            if !dies_full {
                small.empty();
                wait_until(|| acked() > at_full && write_status(server).as_deref() == Some("ok"));
                go_on();
            }
        });
        if dies_full {
            small.empty();
        }
        server.restart();
        load.check(&server, life);
    }
}
