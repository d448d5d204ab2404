//! Sets of characters in a pattern: `%a`, `[a-z]`, `.`, or a character itself. A byte behind the pattern's end reads as 0.

use crate::scripting::libs::Fault;

pub fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

fn malformed(why: &str) -> Fault {
    Fault::Error(format!("malformed pattern ({why})"))
}

/// Where the item ends that starts at `at`.
pub fn end(pattern: &[u8], at: usize) -> Result<usize, Fault> {
    match byte(pattern, at) {
        b'%' if byte(pattern, at + 1) == 0 => Err(malformed("ends with '%'")),
        b'%' => Ok(at + 2),
        b'[' => {
            let mut at = at + 1;
            if byte(pattern, at) == b'^' {
                at += 1;
            }
            // A `]` that comes first is one of the set.
            loop {
                let first = byte(pattern, at);
                if first == 0 {
                    return Err(malformed("missing ']'"));
                }
                at += 1;
                if first == b'%' && byte(pattern, at) != 0 {
                    at += 1;
                }
                if byte(pattern, at) == b']' {
                    return Ok(at + 1);
                }
            }
        }
        _ => Ok(at + 1),
    }
}

fn is_of_class(character: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => character.is_ascii_alphabetic(),
        b'c' => character.is_ascii_control(),
        b'd' => character.is_ascii_digit(),
        b'l' => character.is_ascii_lowercase(),
        b'p' => character.is_ascii_punctuation(),
        b's' => matches!(character, b' ' | 0x09..=0x0d),
        b'u' => character.is_ascii_uppercase(),
        b'w' => character.is_ascii_alphanumeric(),
        b'x' => character.is_ascii_hexdigit(),
        b'z' => character == 0,
        _ => return class == character,
    };
    is == class.is_ascii_lowercase()
}

/// Whether a character is in the set from `[` at `at` to `]` at `last`.
pub fn is_in_set(character: u8, pattern: &[u8], at: usize, last: usize) -> bool {
    let mut at = at + 1;
    let negated = byte(pattern, at) == b'^';
    if negated {
        at += 1;
    }
    while at < last {
        let first = byte(pattern, at);
        if first == b'%' {
            at += 1;
            if is_of_class(character, byte(pattern, at)) {
                return !negated;
            }
        } else if byte(pattern, at + 1) == b'-' && at + 2 < last {
            at += 2;
            if (first..=byte(pattern, at)).contains(&character) {
                return !negated;
            }
        } else if first == character {
            return !negated;
        }
        at += 1;
    }
    negated
}

/// Whether a character is what the item from `at` to `end` stands for.
pub fn matches(character: u8, pattern: &[u8], at: usize, end: usize) -> bool {
    match byte(pattern, at) {
        b'.' => true,
        b'%' => is_of_class(character, byte(pattern, at + 1)),
        b'[' => is_in_set(character, pattern, at, end - 1),
        same => same == character,
    }
}
