//! A server, its replicas and clients that do everything at once, for as long as one likes, while memory and the longest turn are watched.
//!
//! Clients send every command of the table with random arguments, in pipelines and transactions, in RESP2 and RESP3; they block, subscribe,
//! leave at any moment, never read, or send what is no protocol. Meanwhile there are saves, replicas that come, follow and are killed with
//! SIGKILL, and in the first half kills of the primary, which goes on from its last file. In the middle and at the end, and several times in
//! between, replicas must hold what the primary holds; and what it holds must take no more memory than in a fresh server.
//!
//! `make soak SECONDS=600`; every test run has a short one. The seed is printed, and `SOLOD_SOAK_SEED` takes it: each client and the conductor
//! then do the same things again, but not at the same moments, so a fault comes back only with some luck. What the client that met it sent
//! last is told with the fault.

#[path = "../common/mod.rs"]
mod common;

mod clients;
mod commands;
mod conductor;
mod data;
mod filler;
#[allow(dead_code)] // what only a comparison of replies looks at
#[path = "../common/generate.rs"]
mod generate;
mod reload;
mod stage;
mod watch;

use clients::{Listener, Mute, Rascal, Talker, run};
use conductor::Conductor;
use filler::Filler;
use solod::data::rng::Rng;
use stage::Stage;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// Of the run that belongs to every test run.
const SECONDS: u64 = 20;
/// Processor time, in microseconds, that a turn may take beside the longest command. The build has checks in it, and in one transaction there may be
/// several long commands; a background step that grows with the data goes beyond it.
const TURN_MAX: u64 = 50_000;
const TALKERS: u64 = 4;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn seed() -> u64 {
    let fresh = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()));
    setting("SOLOD_SOAK_SEED", fresh)
}

#[test]
fn everything_at_once_leaves_no_trace() {
    if common::is_reference() {
        return;
    }
    let (seed, seconds) = (seed(), setting("SOLOD_SOAK_SECONDS", SECONDS));
    println!("SOLOD_SOAK_SEED={seed} SOLOD_SOAK_SECONDS={seconds}");
    let half = Duration::from_secs(seconds) / 2;
    // Each has numbers of its own.
    let mut seeds = Rng::new(seed);
    let mut next = || seeds.next_u64();

    let stage = &Stage::default();
    let mut conductor = Conductor::new(stage, next());
    let weights = std::thread::scope(|scope| {
        for index in 0..TALKERS {
            let mut talker = Talker::new(next(), index == 0);
            scope.spawn(move || run(stage, |stage| talker.session(stage)));
        }
        let (mut mute, mut listener, mut rascal) = (Mute::new(next()), Listener(Rng::new(next())), Rascal(Rng::new(next())));
        scope.spawn(move || run(stage, |stage| mute.session(stage)));
        scope.spawn(move || run(stage, |stage| listener.session(stage)));
        scope.spawn(move || run(stage, |stage| rascal.session(stage)));
        let mut filler = Filler(Rng::new(next()));
        scope.spawn(move || run(stage, |stage| filler.session(stage)));

        // A conductor that gives up must not leave the clients behind.
        let play = std::panic::AssertUnwindSafe(|| {
            let mut weights = Vec::new();
            for may_kill_primary in [true, false] {
                conductor.half(half, may_kill_primary);
                if !stage.is_stopped() {
                    weights.push(conductor.weigh());
                }
            }
            weights
        });
        let weights = std::panic::catch_unwind(play);
        stage.stop();
        weights
    });
    let weights = weights.unwrap_or_else(|panic| std::panic::resume_unwind(panic));

    println!("{} commands, {} connections", stage.commands.load(Relaxed), stage.connections.load(Relaxed));
    println!("{:?}", conductor.events);
    println!("{}", conductor.watch);
    for (when, weight) in ["middle", "end"].iter().zip(&weights) {
        println!("used_memory in the {when}: {weight}");
    }
    let faults = stage.faults();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    let [middle, end] = weights[..] else { panic!("it was not weighed") };
    assert!(end.is_fair(), "used_memory is {end}");
    assert!(!end.has_grown_since(&middle), "used_memory was {middle}, and is {end}");
    let (turn, command) = (conductor.watch.turn_max, conductor.watch.command_max.0);
    assert!(turn <= command + setting("SOLOD_SOAK_TURN_MAX", TURN_MAX) as f64, "no command explains the longest turn: {}", conductor.watch);
}
