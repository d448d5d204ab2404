//! Scripts, what their libraries decode, and payloads of functions.

use super::strings::ask;
use crate::{
    config::Config,
    engine::Engine,
    state::{ConnId, Host, client::Origin},
};
use std::cell::Cell;

/// Lua that is small, in a world whose clock goes on when it is looked at.
fn engine() -> Engine {
    let config = Config { lua_memory_limit: 32 << 20, busy_reply_threshold: 50, ..Config::default() };
    let mut engine = Engine::new(config, Box::new(Ticking(Cell::new(1 << 40))), 1);
    engine.finish_turn();
    engine
}

/// A millisecond goes by with each look at the clock.
struct Ticking(Cell<u64>);

impl Host for Ticking {
    fn unix_us(&self) -> i64 {
        1_700_000_000_000_000
    }

    fn nanos(&self) -> u64 {
        self.0.set(self.0.get() + 1_000_000);
        self.0.get()
    }
}

/// Asks, and kills what takes long: another client looks on.
fn ask_and_kill(engine: &mut Engine, args: &[&[u8]]) -> Vec<u8> {
    const OTHER: ConnId = ConnId(2);
    if engine.server.clients.get(OTHER).is_none() {
        assert!(engine.connect(OTHER, Origin { local: true, ..Origin::default() }).is_ok());
    }
    let mut reply = ask(engine, args);
    while reply.is_empty() {
        engine.receive(OTHER, b"SCRIPT KILL\r\n");
        engine.finish_turn();
        reply = engine.server.clients.get_mut(ConnId(1)).map(|client| client.out.take_all()).unwrap_or_default();
    }
    reply
}

/// Any text as a script that reads. Whatever it does, the next one finds all as it was.
pub fn script(data: &[u8]) {
    let mut engine = engine();
    ask(&mut engine, &[b"SET", b"key", b"value"]);
    let reply = ask_and_kill(&mut engine, &[b"EVAL_RO", data, b"1", b"key", b"argument"]);
    assert!(reply.ends_with(b"\r\n"));
    let after = b"return {#redis.call('GET', KEYS[1]), string.upper('a'), cjson.encode({1}), type(x), ('x'):rep(3)}";
    let after = [b"local x ", &after[..]].concat();
    let reply = ask_and_kill(&mut engine, &[b"EVAL_RO", &after, b"1", b"key"]);
    assert_eq!(String::from_utf8_lossy(&reply), "*5\r\n:5\r\n$1\r\nA\r\n$3\r\n[1]\r\n$3\r\nnil\r\n$3\r\nxxx\r\n");
}

/// Calls a script over the bytes, which has to end with a value, or for want of memory or time.
fn over(script: &str, data: &[u8]) {
    let mut engine = engine();
    let reply = ask_and_kill(&mut engine, &[b"EVAL_RO", script.as_bytes(), b"0", data]);
    let text = String::from_utf8_lossy(&reply);
    let ended = !reply.starts_with(b"-") || text.contains("not enough memory") || text.contains("Script killed by user");
    assert!(ended, "{text}");
}

/// A text as JSON: what is decoded is encoded and decoded again, to the same text.
pub fn json(data: &[u8]) {
    over(
        "local ok, value = pcall(cjson.decode, ARGV[1]) if not ok then return 1 end
         cjson.encode_sparse_array(true) cjson.encode_invalid_numbers(true)
         local ok, text = pcall(cjson.encode, value) if not ok then return 2 end
         local ok, again = pcall(cjson.encode, cjson.decode(text))
         assert(ok and #again == #text, text)",
        data,
    );
}

/// Bytes as MessagePack, in whole and value by value. What is packed may not be unpacked: a key that is a table, below the tables that are packed, becomes nil.
pub fn messages(data: &[u8]) {
    over(
        "local values = {pcall(cmsgpack.unpack, ARGV[1])}
         if not values[1] or ARGV[1] == '' or #ARGV[1] > 1000 then return 1 end
         local at, count = 0, 0
         repeat at = cmsgpack.unpack_one(ARGV[1], at) count = count + 1 until at == -1
         cmsgpack.pack(unpack(values))
         pcall(cmsgpack.unpack, cmsgpack.pack(values))",
        data,
    );
}

/// A format of `struct` and the bytes behind it, up to a zero.
pub fn structure(data: &[u8]) {
    over(
        "local zero = ARGV[1]:find('%z') or #ARGV[1] + 1
         local format, bytes = ARGV[1]:sub(1, zero - 1), ARGV[1]:sub(zero + 1)
         pcall(struct.size, format)
         pcall(struct.unpack, format, bytes, 3)
         local values = {pcall(struct.unpack, format, bytes)}
         if not values[1] then return 1 end
         pcall(struct.pack, format, unpack(values, 2))",
        data,
    );
}

/// A payload of functions. What is restored is dumped and restored again, to the same.
pub fn functions(data: &[u8]) {
    let mut engine = engine();
    engine.server.skip_checksums = true;
    let footer = [11, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let whole = [data, &footer[..]].concat();
    let reply = ask(&mut engine, &[b"FUNCTION", b"RESTORE", &whole, b"REPLACE"]);
    if reply.starts_with(b"-") {
        assert!(ask(&mut engine, &[b"FUNCTION", b"LIST"]).starts_with(b"*0"));
        return;
    }
    let listed = ask(&mut engine, &[b"FUNCTION", b"LIST", b"WITHCODE"]);
    let dumped = ask(&mut engine, &[b"FUNCTION", b"DUMP"]);
    let start = dumped.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let again = ask(&mut engine, &[b"FUNCTION", b"RESTORE", &dumped[start..dumped.len() - 2], b"FLUSH"]);
    assert_eq!(String::from_utf8_lossy(&again), "+OK\r\n");
    assert_eq!(ask(&mut engine, &[b"FUNCTION", b"LIST", b"WITHCODE"]).len(), listed.len());
}

#[cfg(test)]
mod tests {
    use crate::data::rng::Rng;
    use std::{fs, path::Path};

    #[test]
    fn whatever_is_run_or_decoded_does_no_harm() {
        for text in [&b"return 1"[..], b"while true do end", b"repeat pcall(error) until false", b"return ('x'):rep(1e9)", b"(", b"\x1bLua"]
        {
            super::script(text);
        }
        super::json(b"{\"a\":[1,2.5,null,\"\\u00e9\"],\"b\":{}}");
        super::messages(b"\x93\x01\xa1a\xc0");
        super::structure(b"<i4s\0\x01\x00\x00\x00abc\0");
        let code = b"#!lua name=l\nredis.register_function('f', function() end)";
        super::functions(&[&[0xf5, code.len() as u8][..], code].concat());
    }

    /// The seeds of the fuzz targets with bytes that have changed, gone, or come; SOLOD_MUTATIONS says how many of each.
    #[test]
    fn seeds_that_have_changed_do_no_harm() {
        let count = std::env::var("SOLOD_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
        type Target = (&'static str, fn(&[u8]));
        let targets: [Target; 5] = [
            ("script", super::script),
            ("json", super::json),
            ("messages", super::messages),
            ("structure", super::structure),
            ("functions", super::functions),
        ];
        let mut rng = Rng::new(std::env::var("SOLOD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
        for (name, target) in targets {
            let files = fs::read_dir(root.join(name)).expect("seeds");
            let seeds: Vec<Vec<u8>> = files.map(|file| fs::read(file.expect("a seed").path()).expect("a seed")).collect();
            for _ in 0..count {
                let mut bytes = seeds[rng.below(seeds.len() as u64) as usize].clone();
                for _ in 0..=rng.below(6) {
                    let at = rng.below(bytes.len() as u64 + 1) as usize;
                    match rng.below(5) {
                        0 => bytes.insert(at, rng.below(256) as u8),
                        1 if at < bytes.len() => drop(bytes.remove(at)),
                        2 if at < bytes.len() => bytes[at] = rng.below(256) as u8,
                        3 => bytes.truncate(at),
                        // A part of another seed.
                        _ => {
                            let other = &seeds[rng.below(seeds.len() as u64) as usize];
                            let from = rng.below(other.len() as u64 + 1) as usize;
                            let to = (from + rng.below(12) as usize).min(other.len());
                            bytes.splice(at..at, other[from..to].iter().copied());
                        }
                    }
                }
                println!("{name}: {}", bytes.escape_ascii());
                target(&bytes);
            }
        }
    }
}
