//! solod and redis-server side by side: the same random commands to both, over all types and with all options, made from solod's own
//! table of commands. Replies, encodings, deadlines and DEBUG DIGEST have to agree.
//!
//! A short run belongs to every test run; `make differential COMMANDS=1000000` takes longer. `SOLOD_DIFF_SEED` replays a run.

#[path = "../common/mod.rs"]
mod common;

mod compare;
mod generate;
mod pair;

use generate::Generator;
use pair::Pair;

/// Commands of the run that belongs to every test run.
const COMMANDS: u64 = 20_000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn solod_answers_as_redis_does() {
    if common::is_reference() {
        return;
    }
    let fresh = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| u64::from(d.subsec_nanos()));
    let (seed, commands) = (setting("SOLOD_DIFF_SEED", fresh), setting("SOLOD_DIFF_COMMANDS", COMMANDS));
    println!("SOLOD_DIFF_SEED={seed} SOLOD_DIFF_COMMANDS={commands}");
    let mut generator = Generator::new(seed);
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
