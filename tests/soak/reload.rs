//! What is saved is what is loaded: all types, however their values came to be.

use crate::{
    commands,
    common::{Conn, Server, is_reference},
    data,
    generate::{Generator, Profile},
    seed, setting,
};
use solod::commands::{Command, command::Group, flags::WRITE};

/// Commands between two looks.
const BETWEEN: u64 = 2000;
const LOOKS: u64 = 10;

fn weight(command: &Command, name: &str) -> u64 {
    let data = [Group::Generic, Group::String, Group::List, Group::Set, Group::SortedSet, Group::Hash, Group::Geo];
    if !data.contains(&command.group) || command.flags & WRITE == 0 {
        return 0;
    }
    (commands::PROFILE.weight)(command, name)
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    if is_reference() {
        return;
    }
    let seed = seed();
    let looks = setting("SOLOD_SOAK_LOOKS", LOOKS);
    println!("SOLOD_SOAK_SEED={seed} SOLOD_SOAK_LOOKS={looks}");
    let thresholds = ["--zset-max-listpack-entries", "16", "--hash-max-listpack-entries", "16", "--set-max-listpack-entries", "16"];
    let server = Server::start(&[&["--enable-debug-command", "yes", "--list-max-listpack-size", "8"][..], &thresholds].concat());
    let mut conn = server.connect();
    let mut generator = Generator::new(seed, Profile { weight, keys_each: 20, ..commands::PROFILE });
    for _ in 0..looks {
        let calls: Vec<_> = (0..BETWEEN).map(|_| generator.next()).collect();
        for calls in calls.chunks(100) {
            conn.send(&calls.iter().flat_map(|call| Conn::encode(&call.args)).collect::<Vec<_>>());
            calls.iter().for_each(|_| drop(conn.recv()));
        }
        let before = data::everything(&mut conn);
        assert_eq!(conn.run("DEBUG RELOAD"), *"OK");
        let after = data::everything(&mut conn);
        for (key, elements) in &before {
            // What has expired meanwhile is gone, or has no type any more.
            let Some((_, loaded)) = after.iter().find(|(loaded, elements)| loaded == key && elements[0] != "none") else {
                assert!(elements[1] != "expires -1", "{key} is gone");
                continue;
            };
            let (saved, loaded) = data::differences(elements, loaded);
            assert!(saved.is_empty() && loaded.is_empty(), "{key} was {saved:?} and is {loaded:?}");
        }
        assert!(after.len() <= before.len(), "something came by itself");
    }
}
