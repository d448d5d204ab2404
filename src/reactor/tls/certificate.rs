//! What we read of a certificate ourselves: its dates, its names, and its public key. Chains and signatures are webpki's.

/// Parts of a certificate in DER.
pub struct Certificate<'a> {
    /// Unix seconds from which on and up to which it is valid.
    pub not_before: u64,
    pub not_after: u64,
    serial: &'a [u8],
    subject: &'a [u8],
    /// The whole SubjectPublicKeyInfo.
    pub public_key: &'a [u8],
    extensions: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The context tags of a version, and of extensions; and of a URI among alternative names.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const URI: u8 = 0x86;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// An element and what follows it.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first element of some DER. `None` for what is none.
fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
    let (head, len) = match first {
        0..=0x7f => (2, usize::from(first)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            (2 + count, bytes.get(2..2 + count)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
        }
        _ => return None,
    };
    let end = head.checked_add(len)?;
    Some(Element { tag, whole: bytes.get(..end)?, content: bytes.get(head..end)?, rest: bytes.get(end..)? })
}

/// The content of the first element, which has this tag.
fn inside(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    element(bytes).filter(|found| found.tag == tag).map(|found| found.content)
}

/// The elements of some DER, up to what is none.
fn elements(mut bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || {
        let found = element(bytes)?;
        bytes = found.rest;
        Some(found)
    })
}

/// Unix seconds of a time such as `491231235959Z` or `20501231235959Z`.
fn seconds(time: &Element<'_>) -> Option<u64> {
    let text = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, at) = match time.tag {
        UTC_TIME => (number(0, 2).map(|year| if year < 50 { 2000 + year } else { 1900 + year })?, 2),
        GENERALIZED_TIME => (number(0, 4)?, 4),
        _ => return None,
    };
    let (month, day) = (number(at, at + 2)?, number(at + 2, at + 4)?);
    // Days since 1970 by way of years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let of_day = number(at + 4, at + 6)? * 3600 + number(at + 6, at + 8)? * 60 + number(at + 8, at + 10)?;
    Some(u64::try_from(days * 86_400 + of_day).unwrap_or(0))
}

impl<'a> Certificate<'a> {
    /// Reads a certificate. `None` for what is none.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let to_be_signed = inside(inside(der, SEQUENCE)?, SEQUENCE)?;
        let mut fields = elements(to_be_signed).skip_while(|field| field.tag == VERSION);
        let serial = fields.next()?.content;
        // Behind the algorithm of the signature, and the issuer.
        let validity = fields.nth(2)?;
        let mut times = elements(validity.content);
        let (not_before, not_after) = (seconds(&times.next()?)?, seconds(&times.next()?)?);
        let subject = fields.next()?.content;
        let public_key = fields.next()?.whole;
        let extensions = fields.find(|field| field.tag == EXTENSIONS).and_then(|field| inside(field.content, SEQUENCE)).unwrap_or_default();
        Some(Self { not_before, not_after, serial, subject, public_key, extensions })
    }

    /// Its serial number, as OpenSSL writes it.
    pub fn serial(&self) -> String {
        // Bytes of sign in front of the number itself.
        let zeros = self.serial.iter().take_while(|byte| **byte == 0).count();
        match &self.serial[zeros..] {
            [] => "0".to_owned(),
            digits => digits.iter().map(|byte| format!("{byte:02X}")).collect(),
        }
    }

    /// The first common name of its subject.
    pub fn common_name(&self) -> Option<&'a [u8]> {
        elements(self.subject).filter(|names| names.tag == SET).flat_map(|names| elements(names.content)).find_map(|name| {
            let kind = element(name.content)?;
            (kind.tag == OID && kind.content == COMMON_NAME).then(|| element(kind.rest).map(|value| value.content))?
        })
    }

    /// The URIs among its alternative names.
    pub fn uris(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let names = elements(self.extensions).find_map(|extension| {
            let mut parts = elements(extension.content);
            if parts.next()?.content != ALTERNATIVE_NAMES {
                return None;
            }
            inside(parts.find(|part| part.tag == OCTETS)?.content, SEQUENCE)
        });
        elements(names.unwrap_or_default()).filter(|name| name.tag == URI).map(|name| name.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_unix_seconds() {
        let seconds = |tag, text: &str| seconds(&Element { tag, whole: &[], content: text.as_bytes(), rest: &[] });
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "000229120000Z"), Some(951_825_600));
        assert_eq!(seconds(GENERALIZED_TIME, "20501231235959Z"), Some(2_556_143_999));
        assert_eq!(seconds(GENERALIZED_TIME, "2050"), None);
    }

    #[test]
    fn a_serial_number_is_written_in_whole_bytes() {
        let serial = |serial| Certificate { not_before: 0, not_after: 0, serial, subject: &[], public_key: &[], extensions: &[] }.serial();
        assert_eq!([&[0x0a][..], &[0, 0x80, 0], &[0], &[]].map(serial), ["0A", "8000", "0", "0"]);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for len in 0..64 {
            for byte in [0, 0x30, 0x80, 0x81, 0x84, 0xa0, 0xff] {
                assert!(Certificate::read(&vec![byte; len]).is_none());
            }
        }
    }
}
