//! Libraries of functions as FUNCTION DUMP gives and FUNCTION RESTORE takes them: what stands of them in a snapshot, and the footer of a payload.

use super::{
    crc,
    decode::text,
    encode::Settings,
    format::{Family, VERSION_WRITTEN, opcode},
    input::{Input, Stop},
    packer::Packer,
    payload::{FOOTER, sign},
    string::Strings,
};

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has no footer, one of a version that we do not know, or a checksum that is not that of its bytes.
    Footer,
    /// There is something else in it than libraries.
    NoFunction,
    /// A library's code is not whole.
    Broken,
}

/// The code of libraries as a payload.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>, settings: Settings) -> Vec<u8> {
    let mut packer = Packer::new(settings.compression, settings.version_max);
    let mut out = Vec::new();
    for code in codes {
        out.push(opcode::FUNCTION2);
        packer.string(&mut out, code);
    }
    sign(&mut out, VERSION_WRITTEN.min(settings.version_max));
    out
}

/// The code of the libraries in a payload.
pub fn restore(payload: &[u8], verify: bool) -> Result<Vec<Vec<u8>>, Refused> {
    let (body, footer) = payload.split_last_chunk::<FOOTER>().ok_or(Refused::Footer)?;
    let [low, high, stored @ ..] = *footer;
    Family::of_payload(u32::from(u16::from_le_bytes([low, high]))).ok_or(Refused::Footer)?;
    if verify && crc::checksum(&payload[..payload.len() - stored.len()]) != u64::from_le_bytes(stored) {
        return Err(Refused::Footer);
    }
    let (mut input, mut strings) = (Input::new(Some(body.len() as u64)), Strings::default());
    input.forget_sum();
    input.feed(body);
    let mut codes = Vec::new();
    while let Some(code) = input.rest().first() {
        if *code != opcode::FUNCTION2 {
            return Err(Refused::NoFunction);
        }
        input.take(1);
        let code = loop {
            match strings.next(&mut input) {
                Ok(code) => break text(&input, &mut strings.scratch, code),
                Err(Stop::Part) => (),
                Err(Stop::More | Stop::Bad(_)) => return Err(Refused::Broken),
            }
        };
        codes.push(code.to_vec());
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(codes: &[&[u8]]) -> Vec<u8> {
        dump(codes.iter().copied(), Settings::default())
    }

    #[test]
    fn what_is_dumped_comes_back() {
        let sets: [&[&[u8]]; 3] = [&[], &[b"#!lua name=l\n"], &[b"one", &[b'x'; 100], b""]];
        for codes in sets {
            assert_eq!(restore(&dumped(codes), true).expect("whole"), codes);
        }
    }

    #[test]
    fn what_is_broken_is_refused_by_the_part_that_is() {
        let good = dumped(&[b"#!lua name=l\n"]);
        let mut broken = good.clone();
        broken[3] ^= 1;
        assert_eq!(restore(&broken, true), Err(Refused::Footer));
        assert!(restore(&broken, false).is_ok());
        assert_eq!(restore(b"short", true), Err(Refused::Footer));
        assert_eq!(restore(&super::super::payload::signed(b"\x00\x01v"), true), Err(Refused::NoFunction));
        assert_eq!(restore(&super::super::payload::signed(b"\xf6\x01v"), true), Err(Refused::NoFunction), "the form before 7.0");
        for len in 2..good.len() - FOOTER {
            assert_eq!(restore(&super::super::payload::signed(&good[..len]), true), Err(Refused::Broken), "{len} bytes");
        }
    }
}
