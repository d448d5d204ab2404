//! Keeps data there that are large enough to be worth a save: many keys, and collections of thousands of elements.

use crate::{
    common::{Conn, Value},
    stage::Stage,
};
use solod::data::rng::Rng;
use std::{sync::atomic::Ordering::Relaxed, time::Duration};

/// Plain keys, of which two thirds are there in the long run.
const KEYS: u64 = 150_000;
/// Members that a collection can have.
const MEMBERS: u64 = 20_000;
/// Collections of each type.
const COLLECTIONS: u64 = 3;

pub struct Filler(pub Rng);

impl Filler {
    pub fn session(&mut self, stage: &Stage) {
        let Ok(mut conn) = Conn::try_tcp(stage.primary()) else { return std::thread::sleep(Duration::from_millis(10)) };
        while !stage.is_stopped() {
            {
                let _turn = stage.turn();
                let batch: Vec<_> = (0..60).map(|_| self.command()).collect();
                if conn.try_send(&batch.iter().flat_map(|args| Conn::encode(args)).collect::<Vec<_>>()).is_err() {
                    return;
                }
                stage.commands.fetch_add(60, Relaxed);
                for args in &batch {
                    let Ok(reply) = conn.next_reply() else { return };
                    match &reply {
                        Value::Error(text) if text.starts_with("LOADING") => (),
                        Value::Error(text) => stage.fault(format!("{text}, to {args:?}")),
                        _ => (),
                    }
                }
            }
            // Leaves the gate to others, and the processor.
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    fn command(&mut self) -> Vec<String> {
        let rng = &mut self.0;
        let key = format!("plain:{}", rng.below(KEYS));
        let collection = rng.below(COLLECTIONS);
        let member = rng.below(MEMBERS);
        let name = |kind: &str| format!("{kind}:{collection}");
        let line = match rng.below(24) {
            0..=4 => return vec!["DEL".into(), key],
            5..=14 => return vec!["SET".into(), key, "v".repeat(10 + rng.below(300) as usize)],
            15 => return vec!["SET".into(), key, "v".into(), "PX".into(), (1 + rng.below(5000)).to_string()],
            16 => format!("HSET {} field:{member} value:{}", name("hash"), rng.below(1_000_000)),
            17 => format!("SADD {} member:{member}", name("set")),
            18 => format!("ZADD {} {} member:{member}", name("zset"), rng.below(1000)),
            19 => format!("RPUSH {} element:{member}", name("list")),
            20 if member < 20 => return vec!["SETRANGE".into(), name("string"), (rng.below(3) << 20).to_string(), "x".repeat(100)],
            20 => format!("HDEL {} field:{member}", name("hash")),
            21 => format!("SREM {} member:{member}", name("set")),
            22 => format!("ZREM {} member:{member}", name("zset")),
            _ => format!("LTRIM {} -{MEMBERS} -2", name("list")),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}
