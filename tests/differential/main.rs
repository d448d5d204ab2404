//! solod and redis-server side by side: the same random commands to both, over all types and with all options, made from solod's own
//! table of commands. Replies, encodings, deadlines and DEBUG DIGEST have to agree.
//!
//! A short run belongs to every test run; `make differential COMMANDS=1000000` and `make users USERS=20` take longer. `SOLOD_DIFF_SEED` replays a run.

#[path = "../common/mod.rs"]
mod common;

mod compare;
#[path = "../common/generate.rs"]
mod generate;
mod pair;
mod restricted;
#[path = "../common/rules.rs"]
mod rules;
mod scripts;
mod tracking;
mod users;
mod waiting;

use generate::{DATA, Generator, Profile};
use pair::Pair;
use restricted::Restricted;
use scripts::Scripts;

use solod::commands::{Command, command::Group, flags};
use tracking::Tracking;
use users::Users;
use waiting::Waiting;

/// Commands of the run that belongs to every test run.
const COMMANDS: u64 = 20_000;

/// What newer versions added: the reference does not know it.
const REFERENCE: [u32; 3] = [7, 0, 15];

/// Commands that tell of the server and not of the data, or of chance alone, or that wait.
const LEFT_OUT: &[&str] = &[
    "debug",
    "memory",
    "object help",
    "object refcount",
    "object freq",
    "object idletime",
    "randomkey",
    "wait",
    "waitaof",
    "migrate",
    "restore",
    "dump",
    "move",
    "pfselftest",
    // In these the two differ on purpose: the reference is an older version.
    "object encoding",
    "xgroup help",
    "xinfo help",
];

/// Options that the reference does not have, by command.
const NEWER: &[(&str, &str)] = &[
    ("zrank", "WITHSCORE"),
    ("zrevrank", "WITHSCORE"),
    ("hscan", "NOVALUES"),
    ("geosearch", "BYPOLYGON"),
    ("geosearchstore", "BYPOLYGON"),
    ("bitop", "DIFF"),
    ("bitop", "DIFF1"),
    ("bitop", "ANDOR"),
    ("bitop", "ONE"),
    ("xadd", "condition"),
    ("xtrim", "condition"),
    ("xreadgroup", "CLAIM"),
    // Each server gives its own.
    ("xadd", "auto-id"),
];

const PROFILE: Profile = Profile {
    weight,
    without: NEWER,
    keys_each: KEYS_EACH,
    // A walk in several steps goes by each server's own order.
    whole_scans: true,
    newer_ids: false,
};

/// How many keys there are of each type.
const KEYS_EACH: u64 = 6;

fn version(text: &str) -> [u32; 3] {
    let mut numbers = text.split('.').map(|n| n.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

fn weight(command: &Command, name: &str) -> u64 {
    let left_out = LEFT_OUT.iter().any(|out| name == *out || name.starts_with(&format!("{out} ")));
    if left_out || !DATA.contains(&command.group) || !is_of_reference(command) {
        return 0;
    }
    match name {
        "flushdb" | "flushall" | "swapdb" | "keys" => 1,
        "del" | "unlink" => 6,
        "pfdebug" => 4,
        _ if command.group == Group::Generic => 8,
        _ if command.flags & flags::WRITE != 0 => 24,
        _ => 16,
    }
}

/// Whether the reference knows it.
fn is_of_reference(command: &Command) -> bool {
    version(command.since) <= REFERENCE
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The seed that is asked for, or a fresh one.
fn seed() -> u64 {
    let fresh = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()));
    setting("SOLOD_DIFF_SEED", fresh)
}

#[test]
fn solod_answers_as_redis_does() {
    if common::is_reference() {
        return;
    }
    let (seed, commands) = (seed(), setting("SOLOD_DIFF_COMMANDS", COMMANDS));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_COMMANDS={commands}");
    let mut generator = Generator::new(seed, PROFILE);
    let mut pair = Pair::start();
    for n in 1..=commands {
        let call = generator.next();
        pair.run(&call);
        if n.is_multiple_of(20) {
            pair.check_key(&generator.key());
        }
        if n.is_multiple_of(1000) || n == commands {
            pair.check_all();
        }
    }
    pair.finish(commands);
}

/// Steps of the run with clients that wait, which belongs to every test run.
const WAITS: u64 = 2_000;

#[test]
fn who_waits_is_served_as_by_redis() {
    if common::is_reference() {
        return;
    }
    let (seed, steps) = (seed(), setting("SOLOD_DIFF_WAITS", WAITS));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_WAITS={steps}");
    let mut waiting = Waiting::start(seed);
    (0..steps).for_each(|_| waiting.step());
    println!("{:?} answers, with and without an error", waiting.served);
}

/// Commands that are asked about and not run: any, but those that 7.2 lets go without arguments.
const ASKED_ABOUT: Profile =
    Profile { weight: |command, name| u64::from(is_of_reference(command) && !name.starts_with("command getkeys")), ..PROFILE };

/// Commands that users with random rules are asked about, in the run that belongs to every test run.
const ASKED: u64 = 10_000;

#[test]
fn users_may_do_what_they_may_with_redis() {
    if common::is_reference() {
        return;
    }
    let (seed, asked) = (seed(), setting("SOLOD_DIFF_ASKED", ASKED));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_ASKED={asked}");
    let mut users = Users::start(seed, Generator::new(seed, ASKED_ABOUT));
    (0..asked).for_each(|_| users.step());
    println!("{} allowed, {} refused", users.allowed, users.refused);
    assert!(users.allowed > asked / 20 && users.refused > asked / 20, "most rules decide something");
}

/// Users with random rules, and commands of each, in the run that belongs to every test run.
const RESTRICTED: [u64; 2] = [4, 2_500];

#[test]
fn who_has_rules_is_served_as_by_redis() {
    if common::is_reference() {
        return;
    }
    let (seed, users) = (seed(), setting("SOLOD_DIFF_USERS", RESTRICTED[0]));
    let commands = setting("SOLOD_DIFF_USER_COMMANDS", RESTRICTED[1]);
    for seed in seed..seed + users {
        println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_USERS=1 SOLOD_DIFF_USER_COMMANDS={commands}");
        Restricted::start(seed, Generator::new(seed, PROFILE)).run(commands);
    }
}

/// Scripts of the run that belongs to every test run.
const SCRIPTS: u64 = 5_000;
const SCRIPTS_SEED: u64 = 1;

#[test]
fn scripts_make_of_values_what_they_make_with_redis() {
    if common::is_reference() {
        return;
    }
    // Fresh seeds find news, not regressions: redis-server itself may crash.
    let (seed, count) = (setting("SOLOD_DIFF_SEED", SCRIPTS_SEED), setting("SOLOD_DIFF_SCRIPTS", SCRIPTS));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_SCRIPTS={count}");
    let mut scripts = Scripts::start(seed, Generator::new(seed, PROFILE));
    (0..count).for_each(|_| scripts.step());
    println!("{} scripts without an error, {} with one", scripts.done, scripts.failed);
    assert_eq!(scripts.differences, 0);
    assert!(scripts.done * 3 > count, "many scripts do something");
}

/// Commands of clients that keep copies, in the run that belongs to every test run.
const TRACKED: u64 = 5_000;

#[test]
fn who_keeps_copies_is_told_as_by_redis() {
    if common::is_reference() {
        return;
    }
    let (seed, commands) = (seed(), setting("SOLOD_DIFF_TRACKED", TRACKED));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_TRACKED={commands}");
    let mut tracking = Tracking::start(seed, Generator::new(seed, PROFILE));
    (0..commands).for_each(|_| tracking.step());
    println!("told of {} keys", tracking.told);
    assert!(tracking.told > commands / 20, "most clients are told something");
}
