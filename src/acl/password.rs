//! Passwords, of which only the SHA-256 is kept.

use sha2::{Digest, Sha256};
use std::fmt;

/// The SHA-256 of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash([u8; 32]);

/// Shown as 64 hexadecimal digits.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a password)")
    }
}

impl PasswordHash {
    /// That of a password.
    pub fn of(password: &[u8]) -> Self {
        Self(Sha256::digest(password).into())
    }

    /// The one that these hexadecimal digits say: 64, none of them in upper case.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Whether it is that of this password. The time it takes does not tell how much of it is right.
    pub fn is_of(&self, password: &[u8]) -> bool {
        let given = Self::of(password);
        let difference = self.0.iter().zip(given.0.iter()).fold(0, |found, (a, b)| found | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

/// A password made of random bytes: a hexadecimal digit for each four bits asked for, and one for what is left of them. There is a byte for each eight.
pub fn password(bits: usize, random: &[u8]) -> String {
    let digits = random.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(bits.div_ceil(4));
    digits.map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let hash = PasswordHash::of(b"sesame");
        assert!(hash.is_of(b"sesame"));
        for wrong in [&b"sesam"[..], b"sesame ", b"Sesame", b"", b"sesame\0"] {
            assert!(!hash.is_of(wrong), "{wrong:?}");
        }
        assert_eq!(PasswordHash::parse(hash.to_string().as_bytes()), Some(hash.clone()));
        assert_eq!(PasswordHash::parse(hash.to_string().to_uppercase().as_bytes()), None);
        assert_eq!(PasswordHash::parse(&hash.to_string().as_bytes()[1..]), None);
        assert!(!format!("{hash:?}").contains(&hash.to_string()), "nothing prints it by chance");
    }

    #[test]
    fn a_random_password_has_a_digit_for_four_bits() {
        assert_eq!(password(5, &[0x1f]), "1f");
        assert_eq!(password(4, &[0x1f]), "1");
        assert_eq!(password(256, &[7; 32]).len(), 64);
    }
}
