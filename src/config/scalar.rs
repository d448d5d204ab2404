//! Directives of one word: booleans, numbers, text.

use super::number::{format_memory, parse_decimal, parse_like_strtoll, parse_memory};
use super::value::{Notation, Setting, ValueKind, c_string, only_word};
use super::words::quote;

impl Setting for bool {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        *self = match c_string(only_word(words)?).to_ascii_lowercase().as_slice() {
            b"yes" => true,
            b"no" => false,
            _ => return Err("argument must be 'yes' or 'no'".into()),
        };
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        if *self { "yes" } else { "no" }.into()
    }
}

/// The number in `word`, as `kind` wants it written and within its range.
fn parse_integer(word: &[u8], kind: &ValueKind) -> Result<i128, String> {
    let ValueKind::Integer { min, max, unit } = *kind else {
        return Err(NOT_AN_INTEGER.into());
    };
    let value = match unit {
        Notation::Plain => parse_decimal(word).ok_or(NOT_AN_INTEGER)?,
        Notation::Octal => parse_like_strtoll(word, 8).ok_or("argument couldn't be parsed as an octal number")?,
        Notation::Memory => parse_memory(word).map(i128::from).ok_or("argument must be a memory value")?,
        Notation::MemoryOrPercent => parse_memory(word).map(i128::from).ok_or("argument must be a memory or percent value")?,
    };
    if (min..=max).contains(&value) { Ok(value) } else { Err(out_of_range(kind)) }
}

const NOT_AN_INTEGER: &str = "argument couldn't be parsed into an integer";

fn out_of_range(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Integer { min, max, unit: Notation::Octal } => {
            format!("argument must be between {min:o} and {max:o} inclusive")
        }
        ValueKind::Integer { min, max, .. } => {
            format!("argument must be between {min} and {max} inclusive")
        }
        _ => NOT_AN_INTEGER.into(),
    }
}

macro_rules! integer_values {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn assign(&mut self, words: &[&[u8]], kind: &ValueKind) -> Result<(), String> {
                let value = parse_integer(only_word(words)?, kind)?;
                *self = <$type>::try_from(value).map_err(|_| out_of_range(kind))?;
                Ok(())
            }

            fn show(&self, kind: &ValueKind) -> Vec<u8> {
                match kind {
                    ValueKind::Integer { unit: Notation::Octal, .. } => format!("{self:o}").into(),
                    _ => self.to_string().into(),
                }
            }

            fn lines(&self, kind: &ValueKind) -> Vec<Vec<u8>> {
                match (kind, u64::try_from(*self)) {
                    (ValueKind::Integer { unit: Notation::Memory, .. }, Ok(bytes)) => vec![format_memory(bytes).into()],
                    _ => vec![self.show(kind)],
                }
            }
        }
    )*};
}

integer_values!(u16, u32, i32, u64, i64, usize);

/// A budget: so many bytes, or a share of `maxmemory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// Bytes; 0 means no limit.
    Bytes(u64),
    /// Hundredths of `maxmemory`, 1 to 100.
    Percent(u8),
}

impl MemoryOrPercent {
    /// The budget in bytes where `maxmemory` is the whole; 0 means no limit.
    pub fn bytes(self, maxmemory: u64) -> u64 {
        match self {
            MemoryOrPercent::Bytes(bytes) => bytes,
            MemoryOrPercent::Percent(percent) => (u128::from(maxmemory) * u128::from(percent) / 100) as u64,
        }
    }
}

impl Setting for MemoryOrPercent {
    fn assign(&mut self, words: &[&[u8]], kind: &ValueKind) -> Result<(), String> {
        let word = only_word(words)?;
        let percent = word.strip_suffix(b"%").and_then(parse_decimal).filter(|percent| *percent >= 0);
        *self = match percent {
            // Redis keeps a percentage as a negative number, where zero percent is zero bytes.
            Some(0) => MemoryOrPercent::Bytes(0),
            Some(percent @ 1..=100) => MemoryOrPercent::Percent(percent as u8),
            Some(_) => return Err("percentage argument must be less or equal to 100".into()),
            None => {
                let bytes = parse_integer(word, kind)?;
                MemoryOrPercent::Bytes(u64::try_from(bytes).map_err(|_| out_of_range(kind))?)
            }
        };
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        match self {
            MemoryOrPercent::Bytes(bytes) => bytes.to_string().into(),
            MemoryOrPercent::Percent(percent) => format!("{percent}%").into(),
        }
    }

    fn lines(&self, kind: &ValueKind) -> Vec<Vec<u8>> {
        match self {
            MemoryOrPercent::Bytes(bytes) => vec![format_memory(*bytes).into()],
            MemoryOrPercent::Percent(_) => vec![self.show(kind)],
        }
    }
}

/// Text is UTF-8: it names files, hosts and templates, and is shown to people.
fn parse_text(word: &[u8], kind: &ValueKind) -> Result<String, String> {
    let text = std::str::from_utf8(word).map_err(|_| "argument must be valid UTF-8")?;
    if let ValueKind::Text(check) = kind {
        check(text)?;
    }
    Ok(text.to_owned())
}

impl Setting for String {
    fn assign(&mut self, words: &[&[u8]], kind: &ValueKind) -> Result<(), String> {
        *self = parse_text(only_word(words)?, kind)?;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        vec![quote(self.as_bytes())]
    }
}

/// The empty word means that there is no value.
impl Setting for Option<String> {
    fn assign(&mut self, words: &[&[u8]], kind: &ValueKind) -> Result<(), String> {
        let text = parse_text(only_word(words)?, kind)?;
        *self = Some(text).filter(|text| !text.is_empty());
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        self.as_deref().unwrap_or_default().into()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        self.iter().map(|text| quote(text.as_bytes())).collect()
    }
}

/// A password: any bytes. The empty word means that there is none.
impl Setting for Option<Vec<u8>> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let word = only_word(words)?;
        *self = (!word.is_empty()).then(|| word.to_vec());
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        self.clone().unwrap_or_default()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        self.iter().map(|secret| quote(secret)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(unit: Notation, min: i128, max: i128) -> ValueKind {
        ValueKind::Integer { min, max, unit }
    }

    fn assigned<V: Setting>(mut value: V, word: &str, kind: ValueKind) -> Result<String, String> {
        value.assign(&[word.as_bytes()], &kind)?;
        let lines: Vec<String> = value.lines(&kind).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        Ok(format!("{} | {}", String::from_utf8_lossy(&value.show(&kind)), lines.join("; ")))
    }

    fn shown(value: &str) -> Result<String, String> {
        Ok(value.into())
    }

    fn refused(reason: &str) -> Result<String, String> {
        Err(reason.into())
    }

    #[test]
    fn a_boolean_is_yes_or_no() {
        assert_eq!(assigned(false, "YES", ValueKind::Bool), shown("yes | yes"));
        assert_eq!(assigned(true, "true", ValueKind::Bool), refused("argument must be 'yes' or 'no'"));
    }

    #[test]
    fn a_number_stays_within_its_limits() {
        let kind = integer(Notation::Plain, 0, 65535);
        assert_eq!(assigned(0u16, "6380", kind), shown("6380 | 6380"));
        assert_eq!(assigned(0u16, "65536", kind), refused("argument must be between 0 and 65535 inclusive"));
        assert_eq!(assigned(0u16, "-1", kind), refused("argument must be between 0 and 65535 inclusive"));
        assert_eq!(assigned(0u16, "1kb", kind), refused("argument couldn't be parsed into an integer"));
        assert_eq!(assigned(0i32, "-2", integer(Notation::Plain, -5, 5)), shown("-2 | -2"));
    }

    #[test]
    fn memory_is_shown_in_bytes_and_written_in_units() {
        let kind = integer(Notation::Memory, 1, i64::MAX.into());
        assert_eq!(assigned(1u64, "1GB", kind), shown("1073741824 | 1gb"));
        assert_eq!(assigned(1u64, "1000", kind), shown("1000 | 1000"));
        assert_eq!(assigned(1u64, "lots", kind), refused("argument must be a memory value"));
        assert_eq!(assigned(1u64, "0", kind), refused("argument must be between 1 and 9223372036854775807 inclusive"));
    }

    #[test]
    fn a_budget_may_be_a_percentage() {
        let kind = integer(Notation::MemoryOrPercent, -100, i64::MAX.into());
        let none = MemoryOrPercent::Bytes(0);
        assert_eq!(assigned(none, "5%", kind), shown("5% | 5%"));
        assert_eq!(assigned(none, "0%", kind), shown("0 | 0"));
        assert_eq!(assigned(none, "2mb", kind), shown("2097152 | 2mb"));
        assert_eq!(assigned(none, "101%", kind), refused("percentage argument must be less or equal to 100"));
        for word in ["-5%", "%", "5x", "05%"] {
            assert_eq!(assigned(none, word, kind), refused("argument must be a memory or percent value"), "{word}");
        }
        assert_eq!(MemoryOrPercent::Percent(5).bytes(1000), 50);
        assert_eq!(MemoryOrPercent::Percent(100).bytes(u64::MAX), u64::MAX);
    }

    #[test]
    fn permissions_are_octal() {
        let kind = integer(Notation::Octal, 0, 0o777);
        assert_eq!(assigned(0u32, "0700", kind), shown("700 | 700"));
        assert_eq!(assigned(0u32, "1000", kind), refused("argument must be between 0 and 777 inclusive"));
        assert_eq!(assigned(0u32, "8", kind), refused("argument couldn't be parsed as an octal number"));
    }

    #[test]
    fn empty_text_is_a_value_where_none_is_not() {
        let kind = ValueKind::Text(|_| Ok(()));
        assert_eq!(assigned(String::from("x"), "", kind), shown(" | \"\""));
        assert_eq!(assigned(Some(String::from("x")), "", kind), shown(" | "));
        assert_eq!(assigned(None::<Vec<u8>>, "pa ss", kind), shown("pa ss | \"pa ss\""));
        let mut text = String::new();
        assert!(text.assign(&[b"\xff"], &kind).is_err());
    }
}
