//! Integers as the protocol and the encodings write them: canonical decimal, so that a value that
//! parses can be rebuilt byte for byte from the integer alone.

/// Bytes of the longest canonical `i64`, `-9223372036854775808`.
pub const I64_LEN_MAX: usize = 20;

/// Parses canonical decimal: an optional `-`, then digits without a leading zero (`0` alone excepted).
/// Refuses `+`, `-0`, spaces and anything out of range, as Redis's integer encoding does.
///
/// This decides the encoding of every value that is stored, so values that are plainly not numbers
/// leave on their length or first byte.
#[inline]
pub fn parse_i64(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > I64_LEN_MAX {
        return None;
    }
    match bytes {
        [b'1'..=b'9', ..] => {
            let magnitude = magnitude(bytes)?;
            i64::try_from(magnitude).ok()
        }
        [b'0'] => Some(0),
        [b'-', digits @ ..] if matches!(digits.first(), Some(b'1'..=b'9')) => 0i64.checked_sub_unsigned(magnitude(digits)?),
        _ => None,
    }
}

/// Parses canonical decimal without a sign, up to `u64::MAX`; as strict as [`parse_i64`].
#[inline]
pub fn parse_u64(bytes: &[u8]) -> Option<u64> {
    match bytes {
        [b'1'..=b'9', ..] => magnitude(bytes),
        [b'0'] => Some(0),
        _ => None,
    }
}

/// Parses the way Redis reads the halves of a stream ID: strictly if it can, else as C's `strtoull`,
/// which also takes leading white space, a sign and leading zeros, and wraps what is negative
/// (`-01` is `u64::MAX`). A canonical negative number is refused all the same.
pub fn parse_u64_lenient(bytes: &[u8]) -> Option<u64> {
    if let Some(value) = parse_u64(bytes) {
        return Some(value);
    }
    if parse_i64(bytes).is_some() {
        return None;
    }
    let start = bytes.iter().position(|b| !matches!(b, b' ' | b'\t'..=b'\r'))?;
    let (negative, digits) = match &bytes[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let significant = digits.iter().position(|&b| b != b'0');
    let value = significant.map_or(Some(0), |at| magnitude(&digits[at..]))?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The integer that a text begins with, as C's `atoll` reads it: behind white space and a sign, up to what is no digit. 0 where there is none; what is
/// out of range is the nearest that is not.
pub fn leading_i64(text: &[u8]) -> i64 {
    let (sign, digits) = match text.trim_ascii_start() {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    sign * digits.fold(0_i64, |n, digit| n.saturating_mul(10).saturating_add(i64::from(digit - b'0')))
}

/// The part of a text that a function of C's library sees, which takes a NUL for the end: what Redis hands to one counts for no more than that.
pub fn until_nul(text: &[u8]) -> &[u8] {
    memchr::memchr(0, text).map_or(text, |end| &text[..end])
}

/// The value of a run of digits; `None` for any other byte or beyond `u64::MAX`.
#[inline]
fn magnitude(digits: &[u8]) -> Option<u64> {
    /// Any number of this many digits fits in 64 bits.
    const SAFE_DIGITS: usize = 19;
    let (safe, rest) = digits.split_at(digits.len().min(SAFE_DIGITS));
    let mut value = 0u64;
    for &byte in safe {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Appends the canonical decimal form.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends the canonical decimal form.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// How many bytes [`write_u64`] appends.
#[inline]
pub fn len_u64(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// How many bytes [`write_i64`] appends, the sign included.
#[inline]
pub fn len_i64(value: i64) -> usize {
    len_u64(value.unsigned_abs()) + usize::from(value < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_canonical_is_not_an_integer() {
        let refused =
            ["", "-", "+", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "0x1", "1e3", "--1", "1-", "9a", "a", ":", "/", "１"];
        for text in refused {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
            assert_eq!(parse_u64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_i64(b"1\0"), None);
    }

    #[test]
    fn what_is_behind_the_digits_is_not_read() {
        let read = [("12x", 12), (" \t-3 4", -3), ("+007", 7), ("", 0), ("x1", 0), ("- 1", 0), ("99999999999999999999", i64::MAX)];
        for (text, value) in read {
            assert_eq!(leading_i64(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn the_range_ends_where_the_type_does() {
        assert_eq!(parse_i64(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_i64(b"18446744073709551616"), None);
        assert_eq!(parse_i64(b"99999999999999999999"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
        assert_eq!(parse_u64(&[b'9'; 400]), None);
    }

    #[test]
    fn a_stream_id_half_is_read_as_strtoull_reads_it() {
        let accepted: &[(&[u8], u64)] = &[
            (b"0", 0),
            (b"01", 1),
            (b"000", 0),
            (b" 5", 5),
            (b"\t\n\x0b\x0c\r 5", 5),
            (b"+7", 7),
            (b"-0", 0),
            (b"-01", u64::MAX),
            (b" -1", u64::MAX),
            (b"-18446744073709551615", 1),
            (b"-9223372036854775809", 9223372036854775807),
            (b"00018446744073709551615", u64::MAX),
        ];
        for (text, value) in accepted {
            assert_eq!(parse_u64_lenient(text), Some(*value), "{text:?}");
        }
        let refused: &[&[u8]] = &[b"", b" ", b"+", b"-", b"-1", b"0x1", b"1 ", b"+-1", b"18446744073709551616", b"-18446744073709551616"];
        for text in refused {
            assert_eq!(parse_u64_lenient(text), None, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_text() {
        for log in 0..20u32 {
            let power = 10u64.pow(log);
            assert_eq!(len_u64(power), log as usize + 1);
            assert_eq!(len_u64(power - 1), (log as usize).max(1));
        }
        assert_eq!(len_i64(i64::MIN), I64_LEN_MAX);
        assert_eq!(len_u64(u64::MAX), 20);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value: i64, shift in 0..64u32) {
            let value = value >> shift;
            let mut text = Vec::new();
            write_i64(&mut text, value);
            prop_assert_eq!(parse_i64(&text), Some(value));
            prop_assert_eq!(len_i64(value), text.len());
            text.clear();
            write_u64(&mut text, value as u64);
            prop_assert_eq!(parse_u64(&text), Some(value as u64));
            prop_assert_eq!(parse_u64_lenient(&text), Some(value as u64));
            prop_assert_eq!(len_u64(value as u64), text.len());
        }

        #[test]
        fn what_is_read_is_written_back(text in "-?[0-9]{0,21}") {
            if let Some(value) = parse_i64(text.as_bytes()) {
                let mut again = Vec::new();
                write_i64(&mut again, value);
                prop_assert_eq!(again, text.into_bytes());
            } else {
                let canonical = text.parse::<i64>().is_ok_and(|value| value.to_string() == text);
                prop_assert!(!canonical);
            }
        }
    }
}
