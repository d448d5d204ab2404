//! The x87 80-bit extended float, in software: INCRBYFLOAT and HINCRBYFLOAT promise the digits that
//! Redis computes with C's `long double` on x86-64, and no Rust type is as wide.
//!
//! A finite value is `mantissa * 2^exponent`: a 64-bit mantissa whose top bit is set, or any mantissa
//! at the smallest exponent. Every operation rounds once, to nearest, ties to even.

mod natural;
#[cfg(test)]
mod tests;

use std::ops::Add;

use natural::{Big, FIVES};

/// Longer texts are not numbers to Redis.
const TEXT_LEN_MAX: usize = 5 * 1024 - 1;

const MANTISSA_BITS: u32 = 64;
/// Exponents of the mantissa's lowest bit: of the smallest denormal, and of the largest finite value.
const EXPONENT_MIN: i32 = -16445;
const EXPONENT_MAX: i32 = 16320;

/// No value is as large as `10^4933`, and anything below `10^-4952` rounds to zero.
const DECIMAL_POSITION_MAX: i64 = 4933;
const DECIMAL_POSITION_MIN: i64 = -4951;

/// Digits after the point in the text form.
const FRACTION_DIGITS: usize = 17;
const FRACTION_UNIT: u64 = 10u64.pow(FRACTION_DIGITS as u32);

/// One value of the type, infinities and NaN included.
#[derive(Clone, Copy, Debug)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i32 },
    Infinite,
    NaN,
}

impl LongDouble {
    /// Parses the whole of `text` as `strtold` does: decimal or hexadecimal (`0x1.8p3`), with or without
    /// exponent, or `inf` and `infinity`. Refuses NaN, spaces, 5120 bytes and more, and what would
    /// overflow or underflow to zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let (negative, unsigned) = split_sign(text);
        let magnitude = if is_infinity(unsigned) {
            Magnitude::Infinite
        } else if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
            let (mantissa, exponent) = scan_hex(hex)?;
            in_range(mantissa, exponent)?
        } else {
            Decimal::scan(unsigned)?.to_magnitude()?
        };
        Some(Self { negative, magnitude })
    }

    pub fn is_nan(self) -> bool {
        matches!(self.magnitude, Magnitude::NaN)
    }

    pub fn is_infinite(self) -> bool {
        matches!(self.magnitude, Magnitude::Infinite)
    }

    /// Appends the text form of Redis's replies: as C's `%.17Lf` prints it, without trailing zeros or a
    /// bare point, and never `-0`. At most 4,933 digits stand before the point.
    pub fn write(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative && !self.is_nan() {
            out.push(b'-');
        }
        match self.magnitude {
            Magnitude::NaN => out.extend_from_slice(b"nan"),
            Magnitude::Infinite => out.extend_from_slice(b"inf"),
            Magnitude::Finite { mantissa, exponent } if exponent >= 0 => {
                write_integer(mantissa, exponent as u32, out);
            }
            Magnitude::Finite { mantissa, exponent } => {
                let (whole, fraction) = split_fraction(mantissa, exponent.unsigned_abs());
                if whole == 0 && fraction == 0 {
                    out.truncate(start);
                }
                out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
                write_fraction(fraction, out);
            }
        }
    }

    fn zero() -> Self {
        Self::rounded(false, 0, 0)
    }

    fn finite(self) -> Option<Finite> {
        let negative = self.negative;
        match self.magnitude {
            Magnitude::Finite { mantissa, exponent } => Some(Finite { negative, mantissa, exponent }),
            Magnitude::Infinite | Magnitude::NaN => None,
        }
    }

    fn rounded(negative: bool, mantissa: u128, exponent: i32) -> Self {
        Self { negative, magnitude: to_magnitude(mantissa, exponent.into()) }
    }
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        Self::rounded(value < 0, value.unsigned_abs().into(), 0)
    }
}

impl From<f64> for LongDouble {
    fn from(value: f64) -> Self {
        const HIDDEN_BIT: u64 = 1 << 52;
        let negative = value.is_sign_negative();
        if value.is_nan() {
            return Self { negative, magnitude: Magnitude::NaN };
        }
        if value.is_infinite() {
            return Self { negative, magnitude: Magnitude::Infinite };
        }
        let fraction = value.to_bits() & (HIDDEN_BIT - 1);
        match (value.to_bits() >> 52) as i32 & 0x7ff {
            0 => Self::rounded(negative, fraction.into(), -1074),
            biased => Self::rounded(negative, (fraction | HIDDEN_BIT).into(), biased - 1075),
        }
    }
}

impl Add for LongDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if let (Some(a), Some(b)) = (self.finite(), other.finite()) {
            return if (a.exponent, a.mantissa) >= (b.exponent, b.mantissa) { add_finite(a, b) } else { add_finite(b, a) };
        }
        let opposite = self.negative != other.negative;
        match (self.magnitude, other.magnitude) {
            (Magnitude::Infinite, Magnitude::Infinite) if opposite => Self { negative: false, magnitude: Magnitude::NaN },
            (Magnitude::NaN, _) | (Magnitude::Infinite, Magnitude::Infinite) => self,
            (Magnitude::Infinite, Magnitude::Finite { .. }) => self,
            (_, Magnitude::Infinite | Magnitude::NaN | Magnitude::Finite { .. }) => other,
        }
    }
}

#[derive(Clone, Copy)]
struct Finite {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

fn add_finite(large: Finite, small: Finite) -> LongDouble {
    // Below the large mantissa stay 62 bits, above it one for the carry. A smaller operand that
    // reaches even lower leaves a one in the lowest bit: enough, as the sum then keeps 125 bits or
    // 126, for the rounding to see on which side of a tie it lies.
    const GUARD_BITS: u32 = 62;
    let exponent = large.exponent - GUARD_BITS as i32;
    let aligned = u128::from(large.mantissa) << GUARD_BITS;
    let distance = large.exponent.abs_diff(small.exponent);
    let shifted = shift_right_jam(u128::from(small.mantissa) << GUARD_BITS, distance);
    if large.negative == small.negative {
        return LongDouble::rounded(large.negative, aligned + shifted, exponent);
    }
    match aligned - shifted {
        0 => LongDouble::zero(),
        difference => LongDouble::rounded(large.negative, difference, exponent),
    }
}

/// Shifts right, and keeps a one in the lowest bit if any one is lost.
fn shift_right_jam(value: u128, bits: u32) -> u128 {
    match value.checked_shr(bits) {
        Some(shifted) => shifted | u128::from(shifted << bits != value),
        None => u128::from(value != 0),
    }
}

/// Rounds `mantissa * 2^exponent` to `bits` significant bits, fewer at `exponent_min`, to nearest, ties
/// to even. The result has all `bits` unless its exponent is `exponent_min`. A mantissa whose
/// lowest bit stands for lost ones must have two bits more than the result.
pub(super) fn round(mantissa: u128, exponent: i64, bits: u32, exponent_min: i32) -> (u64, i64) {
    if mantissa == 0 {
        return (0, exponent_min.into());
    }
    let width = i64::from(u128::BITS - mantissa.leading_zeros());
    let drop = (width - i64::from(bits)).max(i64::from(exponent_min) - exponent);
    let exponent = exponent.saturating_add(drop);
    if drop <= 0 {
        return ((mantissa << -drop) as u64, exponent);
    }
    if drop > 128 {
        return (0, exponent);
    }
    // Shifted in two steps, since all 128 bits may go.
    let twice = mantissa >> (drop - 1);
    let kept = twice >> 1;
    let lost_below_half = twice << (drop - 1) != mantissa;
    let up = twice & 1 == 1 && (lost_below_half || kept & 1 == 1);
    let kept = kept + u128::from(up);
    if kept >> bits != 0 { ((kept >> 1) as u64, exponent + 1) } else { (kept as u64, exponent) }
}

fn to_magnitude(mantissa: u128, exponent: i64) -> Magnitude {
    let (mantissa, exponent) = round(mantissa, exponent, MANTISSA_BITS, EXPONENT_MIN);
    match i32::try_from(exponent) {
        Ok(exponent) if exponent <= EXPONENT_MAX => Magnitude::Finite { mantissa, exponent },
        _ => Magnitude::Infinite,
    }
}

/// Rounds, and refuses what C reports as out of range: what became infinite, or zero without being it.
fn in_range(mantissa: u128, exponent: i64) -> Option<Magnitude> {
    match to_magnitude(mantissa, exponent) {
        Magnitude::Finite { mantissa: 0, .. } if mantissa != 0 => None,
        Magnitude::Finite { mantissa, exponent } => Some(Magnitude::Finite { mantissa, exponent }),
        _ => None,
    }
}

pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', unsigned @ ..] => (true, unsigned),
        [b'+', unsigned @ ..] => (false, unsigned),
        unsigned => (false, unsigned),
    }
}

pub(super) fn is_infinity(unsigned: &[u8]) -> bool {
    unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity")
}

/// Reads what follows `0x`: digits, perhaps a point, perhaps `p` and a decimal exponent. The mantissa has
/// its lowest bit set if digits beyond its 120 bits were lost.
pub(super) fn scan_hex(text: &[u8]) -> Option<(u128, i64)> {
    let end = text.iter().position(|b| matches!(b, b'p' | b'P')).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let mut mantissa = 0u128;
    let mut exponent = 0i64;
    let mut after_point = false;
    let mut any = false;
    for &byte in digits {
        if byte == b'.' && !after_point {
            after_point = true;
            continue;
        }
        let digit = u128::from(char::from(byte).to_digit(16)?);
        any = true;
        if mantissa >> 116 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if after_point { 4 } else { 0 };
        } else {
            mantissa |= u128::from(digit != 0);
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    if let [_, power @ ..] = suffix {
        exponent = exponent.saturating_add(scan_exponent(power)?);
    }
    Some((mantissa, exponent))
}

/// A decimal exponent, digits and perhaps a sign; saturates where no value could be in range.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    const SATURATED: i64 = 1 << 40;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        let digit = char::from(byte).to_digit(10)?;
        value = (value * 10 + i64::from(digit)).min(SATURATED);
    }
    Some(if negative { -value } else { value })
}

/// Decimal text taken apart: its significant digits, which neither start nor end with a zero, as an
/// integer are to be multiplied by `10^exponent`.
struct Decimal<'t> {
    text: &'t [u8],
    significant: usize,
    /// The value of the significant digits, while they fit.
    value: Option<u64>,
    exponent: i64,
}

impl<'t> Decimal<'t> {
    fn scan(text: &'t [u8]) -> Option<Self> {
        let end = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
        let (text, suffix) = text.split_at(end);
        let mut decimal = Self { text, significant: 0, value: Some(0), exponent: 0 };
        let mut zeros_pending = 0;
        let mut after_point = false;
        let mut any = false;
        for &byte in text {
            match byte {
                b'.' if !after_point => after_point = true,
                b'0'..=b'9' => {
                    any = true;
                    decimal.exponent -= i64::from(after_point);
                    if byte != b'0' {
                        decimal.append(zeros_pending + 1, byte - b'0');
                        zeros_pending = 0;
                    } else if decimal.significant > 0 {
                        zeros_pending += 1;
                    }
                }
                _ => return None,
            }
        }
        if !any {
            return None;
        }
        decimal.exponent += zeros_pending as i64;
        if let [_, power @ ..] = suffix {
            decimal.exponent = decimal.exponent.saturating_add(scan_exponent(power)?);
        }
        Some(decimal)
    }

    /// Takes a digit with the zeros before it.
    fn append(&mut self, places: usize, digit: u8) {
        self.significant += places;
        let scale = 10u64.checked_pow(places as u32);
        self.value = self.value.zip(scale).and_then(|(value, scale)| value.checked_mul(scale)?.checked_add(digit.into()));
    }

    fn to_magnitude(&self) -> Option<Magnitude> {
        if self.significant == 0 {
            return Some(Magnitude::Finite { mantissa: 0, exponent: EXPONENT_MIN });
        }
        let position = self.exponent.saturating_add(self.significant as i64);
        if !(DECIMAL_POSITION_MIN..=DECIMAL_POSITION_MAX).contains(&position) {
            return None;
        }
        let power = self.exponent.unsigned_abs() as usize;
        let (mantissa, exponent) = match (self.value, FIVES.get(power)) {
            (Some(value), Some(&five)) => scale_small(value, five, self.exponent),
            _ => scale_big(Big::from_digits(self.text), power, self.exponent < 0),
        };
        in_range(mantissa, exponent + self.exponent)
    }
}

/// `value` times or, if `exponent` is negative, divided by `five`, as a mantissa and a power of two.
fn scale_small(value: u64, five: u64, exponent: i64) -> (u128, i64) {
    if exponent >= 0 {
        return (u128::from(value) * u128::from(five), 0);
    }
    // The quotient of 128 bits by at most 63 has at least 65, and at most 126 as five is at least 5.
    let shift = 64 + value.leading_zeros();
    let numerator = u128::from(value) << shift;
    let five = u128::from(five);
    let quotient = numerator / five;
    (quotient << 1 | u128::from(quotient * five != numerator), -i64::from(shift) - 1)
}

/// The same for numbers of any size, with `five` to be raised to `power`.
fn scale_big(mut value: Big, power: usize, divide: bool) -> (u128, i64) {
    if !divide {
        value.multiply_by_fives(power);
        return value.top();
    }
    let mut divisor = Big::from_u64(1);
    divisor.multiply_by_fives(power);
    // Once both have the same number of bits the quotient lies between a half and two; it is taken
    // bit by bit, 66 bits behind the point.
    const FRACTION_BITS: i64 = 66;
    let shift = divisor.bits() as i64 - value.bits() as i64;
    if shift > 0 {
        value.shift_left(shift as usize);
    } else {
        divisor.shift_left(-shift as usize);
    }
    let mut quotient = 0u128;
    for _ in 0..=FRACTION_BITS {
        quotient <<= 1;
        if value.not_less_than(&divisor) {
            value.subtract(&divisor);
            quotient |= 1;
        }
        value.shift_left(1);
    }
    (quotient << 1 | u128::from(value.bits() != 0), -shift - FRACTION_BITS - 1)
}

/// Whole part and seventeen digits of fraction of `mantissa / 2^places`.
fn split_fraction(mantissa: u64, places: u32) -> (u64, u64) {
    if places >= u128::BITS {
        return (0, 0);
    }
    let whole = mantissa.checked_shr(places).unwrap_or(0);
    let below = u128::from(mantissa) & ((1 << places) - 1);
    let scaled = below * u128::from(FRACTION_UNIT);
    let floor = scaled >> places;
    let (lost, half) = (scaled & ((1 << places) - 1), 1 << (places - 1));
    let up = lost > half || (lost == half && floor & 1 == 1);
    let fraction = floor as u64 + u64::from(up);
    if fraction == FRACTION_UNIT { (whole + 1, 0) } else { (whole, fraction) }
}

fn write_fraction(fraction: u64, out: &mut Vec<u8>) {
    if fraction == 0 {
        return;
    }
    out.push(b'.');
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(fraction).as_bytes();
    out.resize(out.len() + FRACTION_DIGITS - digits.len(), b'0');
    out.extend_from_slice(digits);
    let kept = out.iter().rposition(|&b| b != b'0').map_or(0, |at| at + 1);
    out.truncate(kept);
}

fn write_integer(mantissa: u64, exponent: u32, out: &mut Vec<u8>) {
    if exponent <= 64 {
        let value = u128::from(mantissa) << exponent;
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        return;
    }
    let mut value = Big::from_u64(mantissa);
    value.shift_left(exponent as usize);
    value.write(out);
}
