//! Numbers as directives write them: plain, memory with a unit, octal. Ranges are checked where the kind is known.

use super::value::c_string;

/// A decimal integer in its one canonical spelling: no blank, no plus sign, no leading zero; within 64 signed bits.
pub(super) fn parse_decimal(word: &[u8]) -> Option<i128> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let canonical = match digits {
        [b'0'] => word.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    let value: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    Some(value.into())
}

/// Bytes, written as digits and a unit: none or `b`, `k` `m` `g` (powers of 1000), `kb` `mb` `gb` (powers of 1024), in
/// any case. No digits at all mean 0, as for Redis. `None` for anything else and for what does not fit 64 bits. As Redis reads a
/// C string here, a NUL byte ends the number.
pub(crate) fn parse_memory(word: &[u8]) -> Option<u64> {
    let word = c_string(word);
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // What is behind a NUL is not looked at.
    let (digits, unit) = word.split(|byte| *byte == 0).next().unwrap_or_default().split_at(digits);
    let multiplier: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1000 * 1000,
        b"mb" => 1 << 20,
        b"g" => 1000 * 1000 * 1000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let count = digits.iter().try_fold(0u64, |count, digit| count.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    count.checked_mul(multiplier)
}

/// Bytes in the largest power-of-1024 unit that divides them, as a file writes them: `1gb`, `100mb`, `3000`.
pub(super) fn format_memory(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// C's `strtoll` where the whole word must be used: leading blanks and a sign are allowed, the empty word is 0, what
/// exceeds 64 bits saturates, a NUL byte ends the word.
pub(super) fn parse_like_strtoll(word: &[u8], radix: u32) -> Option<i128> {
    let word = c_string(word);
    if word.is_empty() {
        return Some(0);
    }
    let number = word.trim_ascii_start();
    let (negative, digits) = match number {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i128 = 0;
    for &byte in digits {
        let digit = char::from(byte).to_digit(radix)?;
        value = (value * i128::from(radix) + i128::from(digit)).min(1 << 64);
    }
    let signed = if negative { -value } else { value };
    Some(signed.clamp(i64::MIN.into(), i64::MAX.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(parse_decimal(b"0"), Some(0));
        assert_eq!(parse_decimal(b"-17"), Some(-17));
        assert_eq!(parse_decimal(b"9223372036854775807"), Some(i64::MAX.into()));
        let wrong: [&[u8]; 9] = [b"", b"-", b"-0", b"05", b"+5", b" 5", b"5 ", b"5x", b"9223372036854775808"];
        for word in wrong {
            assert_eq!(parse_decimal(word), None, "{}", word.escape_ascii());
        }
    }

    #[test]
    fn memory_units_differ_by_their_b() {
        let cases: [(&[u8], u64); 11] = [
            (b"", 0),
            (b"12", 12),
            (b"12b", 12),
            (b"1k", 1000),
            (b"1kb", 1024),
            (b"1M", 1_000_000),
            (b"1mB", 1 << 20),
            (b"1g", 1_000_000_000),
            (b"2GB", 2 << 30),
            (b"kb", 0),
            (b"18446744073709551615", u64::MAX),
        ];
        for (word, bytes) in cases {
            assert_eq!(parse_memory(word), Some(bytes), "{}", word.escape_ascii());
        }
        let wrong: [&[u8]; 6] = [b"-1", b"1tb", b"1 kb", b"1.5gb", b"18446744073709551616", b"17179869184gb"];
        for word in wrong {
            assert_eq!(parse_memory(word), None, "{}", word.escape_ascii());
        }
    }

    #[test]
    fn loose_numbers_follow_strtoll() {
        assert_eq!(parse_like_strtoll(b"", 10), Some(0));
        assert_eq!(parse_like_strtoll(b" +60", 10), Some(60));
        assert_eq!(parse_like_strtoll(b"777", 8), Some(0o777));
        assert_eq!(parse_like_strtoll(b"99999999999999999999999", 10), Some(i64::MAX.into()));
        let wrong: [&[u8]; 4] = [b" ", b"-", b"6x", b"8 "];
        for word in wrong {
            assert_eq!(parse_like_strtoll(word, 10), None, "{}", word.escape_ascii());
        }
        assert_eq!(parse_like_strtoll(b"9", 8), None);
    }

    #[test]
    fn a_nul_byte_ends_what_redis_reads_as_a_c_string() {
        assert_eq!(parse_memory(b"100mb\0x"), Some(100 << 20));
        assert_eq!(parse_like_strtoll(b"60\0", 10), Some(60));
        assert_eq!(parse_decimal(b"60\0"), None, "read with its length");
    }

    proptest! {
        #[test]
        fn formatted_memory_is_read_back(bytes: u64, shift in 0u32..40) {
            let bytes = bytes >> shift << shift;
            prop_assert_eq!(parse_memory(format_memory(bytes).as_bytes()), Some(bytes));
        }
    }
}
