//! Commands on strings that are more than strings: HyperLogLogs, and integers in bitmaps.

use super::Still;
use crate::{
    config::Config,
    engine::Engine,
    state::{ConnId, client::Origin},
};

/// Sends one command to an engine that stands still, and returns what comes back.
pub(super) fn ask(engine: &mut Engine, args: &[&[u8]]) -> Vec<u8> {
    const CLIENT: ConnId = ConnId(1);
    if engine.server.clients.get(CLIENT).is_none() {
        assert!(engine.connect(CLIENT, Origin { local: true, ..Origin::default() }).is_ok());
    }
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        request.extend(format!("${}\r\n", arg.len()).into_bytes());
        request.extend_from_slice(arg);
        request.extend_from_slice(b"\r\n");
    }
    engine.receive(CLIENT, &request);
    engine.server.clients.get_mut(CLIENT).map(|client| client.out.take_all()).unwrap_or_default()
}

fn alone(config: Config) -> Engine {
    let mut engine = Engine::new(config, Box::new(Still), 1);
    engine.finish_turn();
    engine
}

/// Any two strings as HyperLogLogs: whatever they are, commands on them agree with each other, and what fails changes nothing.
pub fn hyperloglog(data: &[u8]) {
    let Some((&[bound, at], strings)) = data.split_first_chunk() else { return };
    let config = Config { hll_sparse_max_bytes: usize::from(bound) * 16, ..Config::default() };
    let mut engine = alone(config);
    let (one, other) = strings.split_at(usize::from(at).min(strings.len()));
    // Mostly a header comes of itself.
    for (key, string) in [(&b"one"[..], one), (b"other", other)] {
        let whole = [&b"HYLL"[..], string].concat();
        ask(&mut engine, &[b"SET", key, &whole]);
    }
    let failed = |reply: &[u8]| reply.starts_with(b"-");
    for key in [&b"one"[..], b"other"] {
        let counted = ask(&mut engine, &[b"PFCOUNT", key]);
        let before = ask(&mut engine, &[b"GET", key]);
        assert_eq!(ask(&mut engine, &[b"PFCOUNT", key]), counted);
        ask(&mut engine, &[b"PFDEBUG", b"DECODE", key]);
        let merged = ask(&mut engine, &[b"PFMERGE", b"to", key]);
        let union = ask(&mut engine, &[b"PFCOUNT", key, key]);
        assert_eq!(failed(&merged), failed(&union));
        assert_eq!(ask(&mut engine, &[b"GET", key]), before, "nothing of this writes");
        if !failed(&merged) {
            assert_eq!(ask(&mut engine, &[b"PFCOUNT", b"to"]), union);
            let dense = [ask(&mut engine, &[b"PFDEBUG", b"TODENSE", b"to"]), ask(&mut engine, &[b"PFCOUNT", b"to", b"to"])];
            assert_eq!((dense[0][0], &dense[1]), (b':', &union));
        }
        ask(&mut engine, &[b"DEL", b"to"]);
    }
    for n in 0..20u8 {
        let added = ask(&mut engine, &[b"PFADD", b"one", &[n], &[n, at]]);
        ask(&mut engine, &[b"PFADD", b"other", strings, &[n]]);
        if !failed(&added) {
            assert_eq!(ask(&mut engine, &[b"PFADD", b"one", &[n], &[n, at]]), b":0\r\n", "it is in there");
        }
    }
    for args in [&[&b"PFMERGE"[..], b"one", b"other"][..], &[b"PFCOUNT", b"one", b"other", b"none"], &[b"PFDEBUG", b"GETREG", b"other"]] {
        ask(&mut engine, args);
    }
}

/// Arguments of BITFIELD: as words that a stranger wrote, and as operations. Done together or one after the other they come to the same.
pub fn bitfield(data: &[u8]) {
    let mut engine = alone(Config { proto_max_bulk_len: 1 << 20, ..Config::default() });
    let words: Vec<&[u8]> = data.split(|byte| matches!(byte, b' ' | b'\n')).take(200).collect();
    for command in [&b"BITFIELD"[..], b"BITFIELD_RO"] {
        ask(&mut engine, &[&[command, b"words"], &words[..]].concat());
    }
    let (chunks, _) = data.as_chunks::<8>();
    let operations: Vec<Vec<Vec<u8>>> = chunks.iter().take(60).map(operation).collect();
    let run = |engine: &mut Engine, key: &[u8], operation: &[Vec<u8>]| {
        let args: Vec<&[u8]> = [&b"BITFIELD"[..], key].into_iter().chain(operation.iter().map(Vec::as_slice)).collect();
        ask(engine, &args)
    };
    let together = run(&mut engine, b"one", &operations.concat());
    if together.starts_with(b"-") {
        return;
    }
    let mut apart = format!("*{}\r\n", operations.len()).into_bytes();
    for operation in &operations {
        let answer = run(&mut engine, b"other", operation);
        apart.extend_from_slice(answer.strip_prefix(b"*1\r\n").expect("one answer"));
    }
    assert_eq!(together, apart);
    assert_eq!(ask(&mut engine, &[b"GET", b"one"]), ask(&mut engine, &[b"GET", b"other"]));
}

/// An operation on an integer of a string, out of eight bytes.
fn operation(bytes: &[u8; 8]) -> Vec<Vec<u8>> {
    let [what, width, high, low, value @ ..] = *bytes;
    let mut words = vec![b"OVERFLOW".to_vec(), [&b"WRAP"[..], b"SAT", b"FAIL"][usize::from(what >> 2) % 3].to_vec()];
    let name = [&b"GET"[..], b"SET", b"INCRBY"][usize::from(what & 3) % 3];
    let (sign, hash) = (if width & 0x80 != 0 { 'i' } else { 'u' }, if what & 0x40 != 0 { "#" } else { "" });
    words.extend([
        name.to_vec(),
        format!("{sign}{}", width & 0x7f).into_bytes(),
        format!("{hash}{}", u16::from_be_bytes([high, low])).into_bytes(),
    ]);
    if name != b"GET" {
        let value = i64::from(i32::from_be_bytes(value)) << (u32::from(what) & 31);
        words.push(value.to_string().into_bytes());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The targets run, on something that is accepted and on something that is not.
    #[test]
    fn commands_on_odd_strings_agree() {
        let sparse = b"\x01\0\0\0\0\0\0\0\0\0\0\x80\x84\x7f\xfe";
        for strings in [[&sparse[..], sparse].concat(), b"nonsense".to_vec(), sparse[..13].to_vec()] {
            for bound in [0, 1, 200] {
                hyperloglog(&[&[bound, sparse.len() as u8], &strings[..]].concat());
            }
        }
        for seed in 0..60u8 {
            let data: Vec<u8> = (0..240u32).map(|i| (i.wrapping_mul(i + u32::from(seed)) >> 3) as u8).collect();
            bitfield(&data);
            // None of them is wider than what there is.
            bitfield(&data.iter().enumerate().map(|(i, byte)| if i % 8 == 1 { byte % 63 + 1 } else { *byte }).collect::<Vec<_>>());
        }
        bitfield(b"SET u8 0 255 GET i4 #1 OVERFLOW FAIL INCRBY u8 0 1");
    }
}
