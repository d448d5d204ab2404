//! Numbers to text and back as C's library does it.

use std::{fmt::Write, ops::Range};

/// Digits and exponent of a number: a sign, 17 digits at most, a point, and an exponent of three digits.
struct Digits {
    bytes: [u8; 48],
    len: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// Appends what C's `printf("%.{precision}g")` prints; the precision is 1 to 17.
pub fn append_general(out: &mut Vec<u8>, value: f64, precision: usize) {
    if !value.is_finite() {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        out.extend_from_slice(if value.is_nan() { b"nan" } else { b"inf" });
        return;
    }
    if let Some(whole) = short_integer(value, precision) {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
        return;
    }
    let mut digits = Digits { bytes: [0; 48], len: 0 };
    // A sign, digits, a point and an exponent fit at every precision up to 17.
    let _ = write!(digits, "{:.*e}", precision - 1, value);
    let text = &digits.bytes[..digits.len];
    let text = match text.strip_prefix(b"-") {
        Some(rest) => {
            out.push(b'-');
            rest
        }
        None => text,
    };
    let split = text.iter().position(|&byte| byte == b'e').unwrap_or(text.len());
    let exponent: i32 = std::str::from_utf8(&text[split..]).ok().and_then(|text| text.get(1..)?.parse().ok()).unwrap_or(0);
    let (first, rest) = (text[0], text.get(2..split).unwrap_or(&[]));
    let rest = &rest[..rest.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1)];
    append_digits(out, first, rest, exponent, precision as i32);
}

/// An integer of few enough digits to be printed as one. Minus zero is none.
fn short_integer(value: f64, precision: usize) -> Option<i64> {
    let limit = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15][precision.min(15) - 1];
    let fits = value > -limit && value < limit && value.trunc() == value && (value != 0.0 || value.is_sign_positive());
    fits.then_some(value as i64)
}

fn append_digits(out: &mut Vec<u8>, first: u8, rest: &[u8], exponent: i32, precision: i32) {
    if exponent < -4 || exponent >= precision {
        out.push(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let size = exponent.unsigned_abs();
        if size < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.push(first);
        out.extend_from_slice(rest);
    } else {
        out.push(first);
        let whole = (exponent as usize).min(rest.len());
        out.extend_from_slice(&rest[..whole]);
        out.extend(std::iter::repeat_n(b'0', exponent as usize - whole));
        if whole < rest.len() {
            out.push(b'.');
            out.extend_from_slice(&rest[whole..]);
        }
    }
}

/// The number at the start of the text as C's `strtod` reads it (decimal, hexadecimal, infinity, NaN), and how many bytes it takes.
/// The text does not start with white space.
pub fn read_prefix(text: &[u8]) -> Option<(f64, usize)> {
    let (negative, sign) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let body = &text[sign..];
    let (value, len) = if starts_with(body, b"inf") {
        (f64::INFINITY, if starts_with(body, b"infinity") { 8 } else { 3 })
    } else if starts_with(body, b"nan") {
        (f64::NAN, 3 + nan_payload(&body[3..]))
    } else if let Some(found) = read_hexadecimal(body) {
        found
    } else {
        read_decimal(body)?
    };
    Some((if negative { -value } else { value }, sign + len))
}

fn starts_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The length of `(characters)` behind a NaN, 0 without.
fn nan_payload(text: &[u8]) -> usize {
    if text.first() != Some(&b'(') {
        return 0;
    }
    let word = text[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if text.get(1 + word) == Some(&b')') { word + 2 } else { 0 }
}

fn digits(text: &[u8], from: usize, is_digit: impl Fn(&u8) -> bool) -> Range<usize> {
    from..from + text.get(from..).unwrap_or(&[]).iter().take_while(|byte| is_digit(byte)).count()
}

/// The end of an exponent that starts with one of the letters at `at`, or `at` if there is none.
fn exponent_end(text: &[u8], at: usize, letter: u8) -> usize {
    if text.get(at).is_none_or(|byte| byte.to_ascii_lowercase() != letter) {
        return at;
    }
    let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
    let found = digits(text, at + 1 + sign, u8::is_ascii_digit);
    if found.is_empty() { at } else { found.end }
}

fn read_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let whole = digits(text, 0, u8::is_ascii_digit);
    let mut end = whole.end;
    let mut any = !whole.is_empty();
    if text.get(end) == Some(&b'.') {
        let fraction = digits(text, end + 1, u8::is_ascii_digit);
        if any || !fraction.is_empty() {
            any = true;
            end = fraction.end;
        }
    }
    if !any {
        return None;
    }
    let end = exponent_end(text, end, b'e');
    std::str::from_utf8(&text[..end]).ok()?.parse().ok().map(|value| (value, end))
}

/// `0x`, hexadecimal digits with or without a point, and a binary exponent or none. A lone `0x` is the number 0 and an `x` behind it.
fn read_hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    if text.first() != Some(&b'0') || !matches!(text.get(1), Some(b'x' | b'X')) {
        return None;
    }
    let whole = digits(text, 2, u8::is_ascii_hexdigit);
    let mut end = whole.end;
    let mut fraction = end..end;
    if text.get(end) == Some(&b'.') {
        let found = digits(text, end + 1, u8::is_ascii_hexdigit);
        if !whole.is_empty() || !found.is_empty() {
            end = found.end;
            fraction = found;
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return Some((0.0, 1));
    }
    let exponent_at = end;
    let end = exponent_end(text, exponent_at, b'p');
    let mut exponent = exponent_value(&text[exponent_at..end]);
    // 60 bits of digits, and one more that says whether anything behind them was not zero: enough to round once, and right.
    let mut mantissa = 0u64;
    let mut sticky = false;
    for (range, shift) in [(whole, 4), (fraction, 0)] {
        for &digit in &text[range] {
            let digit = (digit as char).to_digit(16).unwrap_or(0);
            if mantissa >> 59 == 0 {
                mantissa = mantissa << 4 | u64::from(digit);
                exponent = exponent.saturating_add(shift - 4);
            } else {
                sticky |= digit != 0;
                exponent = exponent.saturating_add(shift);
            }
        }
    }
    Some((scale(mantissa << 1 | u64::from(sticky), exponent.saturating_sub(1)), end))
}

fn exponent_value(text: &[u8]) -> i64 {
    let Some(text) = text.get(1..) else { return 0 };
    let negative = text.first() == Some(&b'-');
    let value = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(1 << 40));
    if negative { -value } else { value }
}

/// `mantissa * 2^exponent`, rounded once to the nearest, ties to even. The lowest bit of the mantissa only says that more followed.
fn scale(mantissa: u64, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    let highest = exponent.saturating_add(bits - 1);
    if highest > 1023 {
        return f64::INFINITY;
    }
    // The weight of the last bit that a double keeps: 53 bits, fewer below the smallest normal number.
    let last = (highest - 52).max(-1074);
    let drop = last - exponent;
    let kept = if drop <= 0 {
        mantissa << (-drop).min(63)
    } else if drop > 64 {
        0
    } else {
        let kept = if drop == 64 { 0 } else { mantissa >> drop };
        let half = 1u64 << (drop - 1);
        let below = mantissa & (half | (half - 1));
        kept + u64::from(below > half || below == half && kept & 1 == 1)
    };
    // Both factors are exact: 2^last may be subnormal only when the product is.
    let power =
        |power: i64| if power >= -1022 { f64::from_bits(((power + 1023) as u64) << 52) } else { f64::from_bits(1 << (power + 1074)) };
    kept as f64 * power(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn general(value: f64, precision: usize) -> String {
        let mut out = Vec::new();
        append_general(&mut out, value, precision);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn general_format_is_that_of_c() {
        for (value, precision, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.5, 14, "1.5"),
            (0.1, 14, "0.1"),
            (100000000000000.0, 14, "1e+14"),
            (99999999999999.0, 14, "99999999999999"),
            (99999999999999.9, 14, "1e+14"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (1e100, 14, "1e+100"),
            (-1.7976931348623157e308, 14, "-1.7976931348623e+308"),
            (5e-324, 14, "4.9406564584125e-324"),
            (9.87654321, 3, "9.88"),
            (9.99, 1, "1e+01"),
            (123456.0, 3, "1.23e+05"),
            (2.5, 1, "2"),
            (1234.5, 5, "1234.5"),
            (120.0, 2, "1.2e+02"),
            (f64::INFINITY, 14, "inf"),
            (f64::NEG_INFINITY, 14, "-inf"),
        ] {
            assert_eq!(general(value, precision), text);
        }
    }

    #[test]
    fn prefixes_are_read_as_strtod_reads_them() {
        for (text, value, len) in [
            ("1", 1.0, 1),
            ("-1.5e3x", -1500.0, 6),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            (".5", 0.5, 2),
            ("5.", 5.0, 2),
            ("0x10", 16.0, 4),
            ("0x", 0.0, 1),
            ("0x.8p1", 1.0, 6),
            ("0xap-1,", 5.0, 6),
            ("0x1p2000", f64::INFINITY, 8),
            ("0x1p-1074", 5e-324, 9),
            ("0x1p-1075", 0.0, 9),
            ("0x1.8p-1075", 5e-324, 11),
            ("0x1.fffffffffffff8p0", 2.0, 20),
            ("0x10000000000000000000", 2f64.powi(76), 22),
            ("Infinity", f64::INFINITY, 8),
            ("-infinit", f64::NEG_INFINITY, 4),
            ("007", 7.0, 3),
        ] {
            assert_eq!(read_prefix(text.as_bytes()), Some((value, len)), "{text}");
        }
        assert!(read_prefix(b"nan(0x1)").is_some_and(|(value, len)| value.is_nan() && len == 8));
        for text in ["", "-", ".", "e5", "-x", "+."] {
            assert_eq!(read_prefix(text.as_bytes()), None, "{text}");
        }
    }
}
