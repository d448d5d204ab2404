//! `--test-memory`: writes patterns to memory and reads them back. What differs is a fault of the machine's.

use super::console::{Console, Failed};
use std::{ffi::OsString, hint::black_box, os::unix::ffi::OsStrExt};

/// Passes over all of it, if nobody has said how many.
const PASSES: u64 = 10;

const USAGE: &str = "Please specify the amount of memory to test in megabytes.\nExample: solod --test-memory 4096 [passes]";

/// What is written to a word, by its place and the pass.
type Pattern = fn(place: u64, pass: u64) -> u64;

/// Each is followed by its complement, so that every bit has been both.
const PATTERNS: [(&str, Pattern); 4] = [
    ("addresses", |place, _| place),
    ("chessboard", |place, _| if place.is_multiple_of(2) { 0x5555_5555_5555_5555 } else { 0xaaaa_aaaa_aaaa_aaaa }),
    ("solid bits", |_, _| 0),
    ("random bits", scattered),
];

/// A number that looks like any other: splitmix64 of the place.
fn scattered(place: u64, pass: u64) -> u64 {
    let mut bits = place.wrapping_add(pass << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Tests as many megabytes as the first argument says, in as many passes as the second.
pub fn run(console: &mut Console, args: &[OsString]) -> Result<(), Failed> {
    let numbers: Option<Vec<u64>> = args.iter().map(|arg| str::from_utf8(arg.as_bytes()).ok()?.parse().ok()).collect();
    let (megabytes, passes) = match numbers.as_deref() {
        Some([megabytes]) if *megabytes > 0 => (*megabytes, PASSES),
        Some([megabytes, passes]) if *megabytes > 0 && *passes > 0 => (*megabytes, *passes),
        _ => return Err(console.fail(USAGE)),
    };
    let mut words: Vec<u64> = Vec::new();
    let wanted = megabytes.checked_mul((1 << 20) / 8).and_then(|words| usize::try_from(words).ok());
    match wanted.map(|wanted| (wanted, words.try_reserve_exact(wanted))) {
        Some((wanted, Ok(()))) => words.resize(wanted, 0),
        _ => return Err(console.fail(format!("Unable to allocate {megabytes} megabytes."))),
    }
    for pass in 1..=passes {
        console.put(format!("pass {pass} of {passes}").as_bytes());
        for (name, pattern) in PATTERNS {
            console.put(format!(", {name}").as_bytes());
            console.flush();
            let faults = test(&mut words, pass, pattern, |_| ());
            if faults > 0 {
                console.say("");
                return Err(console.fail(format!(
                    "*** MEMORY ERROR DETECTED: {faults} words of 8 bytes were not what had been written ({name}). Replace this machine's memory."
                )));
            }
        }
        console.say("");
    }
    console.say("Your memory passed this test.");
    console.say("What is not in doubt now is what this process could have; memtest86+ tests all of it.");
    Ok(())
}

/// Writes a pattern and its complement, and returns how many words were others when they were read. `meanwhile` is done between the two.
fn test(words: &mut [u64], pass: u64, pattern: Pattern, mut meanwhile: impl FnMut(&mut [u64])) -> usize {
    [0, u64::MAX]
        .into_iter()
        .map(|flip| {
            (0..).zip(words.iter_mut()).for_each(|(place, word)| *word = pattern(place, pass) ^ flip);
            // To the compiler anything may have become of them.
            meanwhile(black_box(&mut *words));
            (0..).zip(words.iter()).filter(|(place, word)| **word != pattern(*place, pass) ^ flip).count()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_that_flips_is_found_by_every_pattern() {
        for (name, pattern) in PATTERNS {
            let mut words = vec![0; 1000];
            assert_eq!(test(&mut words, 1, pattern, |_| ()), 0, "{name}");
            assert_eq!(test(&mut words, 1, pattern, |words| words[777] ^= 1 << 63), 2, "{name}: as it is and complemented");
        }
    }

    #[test]
    fn a_bit_that_is_stuck_is_found_by_every_pattern() {
        for (name, pattern) in PATTERNS {
            let mut words = vec![0; 1000];
            assert_eq!(test(&mut words, 1, pattern, |words| words[500] |= 1 << 13), 1, "{name}");
        }
    }
}
