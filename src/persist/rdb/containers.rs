//! The packed forms of collections as they stand in files: the listpack of today, and what older servers wrote.
//!
//! ```text
//! ziplist (2.0 to 6.2)  total bytes (u32)  offset of the last entry (u32)  entries (u16; 65535: unknown)  entry ...  0xff
//!                       entry: length of the one in front (1 byte, or 0xfe and 4), encoding, data
//! zipmap (2.0 to 2.4)   pairs (u8; from 254 on: unknown)  pair ...  0xff
//!                       pair: length, field, length, unused (u8), value, unused bytes; a length is 1 byte, or 0xfe and 4
//! ```
//!
//! Every byte of them is checked before any is believed, and nothing is allocated beyond what they hold.

use crate::data::{
    listpack::{BYTES_MAX, FILE_EXTRA, Item, Listpack},
    number,
};

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// A listpack from its bytes, as this server would have written it: equal elements have equal bytes then.
pub(super) fn listpack(bytes: &[u8]) -> Option<Listpack> {
    let listpack = Listpack::from_bytes(bytes)?;
    fn canonical(item: Item<'_>) -> Item<'_> {
        match item {
            Item::Str(bytes) => Item::new(bytes),
            item => item,
        }
    }
    // The canonical form of an element is the shortest, and the only one of its length.
    let shortest: usize = listpack.iter().map(|item| Listpack::item_bytes(canonical(item))).sum();
    if FILE_EXTRA + shortest == listpack.byte_len() {
        return Some(listpack);
    }
    let mut rewritten = Listpack::with_capacity(shortest);
    listpack.iter().for_each(|item| rewritten.push_item(canonical(item)));
    Some(rewritten)
}

/// The entries of a ziplist.
pub(super) fn ziplist(bytes: &[u8]) -> Option<Listpack> {
    let [a, b, c, d, e, f, g, h, low, high, entries @ .., END] = bytes else { return None };
    if u32::from_le_bytes([*a, *b, *c, *d]) as usize != bytes.len() || bytes.len() > BYTES_MAX {
        return None;
    }
    let (mut rest, mut previous, mut count) = (entries, 0, 0usize);
    let mut listpack = Listpack::with_capacity(entries.len());
    while !rest.is_empty() {
        let (said, body) = before(rest)?;
        let (item, behind) = entry(body)?;
        if said != previous {
            return None;
        }
        previous = rest.len() - behind.len();
        rest = behind;
        count += 1;
        listpack.push_item(item);
    }
    let last = bytes.len() - 1 - previous;
    let said = usize::from(u16::from_le_bytes([*low, *high]));
    let tail = u32::from_le_bytes([*e, *f, *g, *h]) as usize;
    ((tail == last || count == 0) && (said == count || said == usize::from(u16::MAX))).then_some(listpack)
}

/// What an entry says of the length of the one in front of it, and what follows.
fn before(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        LONG => long(rest),
        END => None,
        short => Some((usize::from(short), rest)),
    }
}

fn long(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*length) as usize, rest))
}

/// The element of an entry, and what follows.
fn entry(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (length, rest) = match first {
        0..0x40 => (usize::from(first), rest),
        0x40..0x80 => {
            let (&second, rest) = rest.split_first()?;
            (usize::from(first & 0x3f) << 8 | usize::from(second), rest)
        }
        0x80..0xc0 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u32::from_be_bytes(*length) as usize, rest)
        }
        _ => return integer(first, rest),
    };
    let (text, rest) = rest.split_at_checked(length)?;
    Some((Item::new(text), rest))
}

fn integer(encoding: u8, rest: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let length = match encoding {
        0xc0 => 2,
        0xd0 => 4,
        0xe0 => 8,
        0xf0 => 3,
        0xfe => 1,
        0xf1..=0xfd => return Some((Item::Int(i64::from(encoding) - 0xf1), rest)),
        _ => return None,
    };
    let (low, rest) = rest.split_at_checked(length)?;
    // The bytes are the low ones of the number; the shift spreads its sign.
    let mut wide = [0; 8];
    wide[8 - length..].copy_from_slice(low);
    Some((Item::Int(i64::from_le_bytes(wide) >> (64 - 8 * length)), rest))
}

/// Alternating fields and values of a zipmap.
pub(super) fn zipmap(bytes: &[u8]) -> Option<Listpack> {
    let [said, pairs @ .., END] = bytes else { return None };
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let (mut rest, mut count) = (pairs, 0usize);
    let mut listpack = Listpack::with_capacity(pairs.len());
    while !rest.is_empty() {
        let (length, body) = before(rest)?;
        let (field, body) = body.split_at_checked(length)?;
        let (length, body) = before(body)?;
        let (&unused, body) = body.split_first()?;
        let (value, body) = body.split_at_checked(length)?;
        let (_, behind) = body.split_at_checked(usize::from(unused))?;
        listpack.push(field);
        listpack.push(value);
        rest = behind;
        count += 1;
    }
    // Redis never wrote one without a pair, and refuses it.
    (count > 0 && (usize::from(*said) == count || *said >= LONG)).then_some(listpack)
}

/// A score as old sorted sets have it: a length and as many characters, or a length that stands for what has none.
pub(super) enum TextualScore {
    /// So many characters follow.
    Text(usize),
    /// This is it.
    Is(f64),
}

impl TextualScore {
    pub fn new(length: u8) -> Self {
        match length {
            255 => Self::Is(f64::NEG_INFINITY),
            254 => Self::Is(f64::INFINITY),
            253 => Self::Is(f64::NAN),
            length => Self::Text(usize::from(length)),
        }
    }

    /// What the characters say, as far as they are a number: 0 where they are none.
    pub fn parse(text: &[u8]) -> f64 {
        let text = text.trim_ascii();
        if let Some(n) = number::parse_i64(text) {
            return n as f64;
        }
        str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(listpack: &Listpack) -> Vec<String> {
        listpack.iter().map(|item| String::from_utf8_lossy(&item.to_vec()).into_owned()).collect()
    }

    /// A ziplist of entries, each without what stands in front: encoding and data.
    fn pack(entries: &[&[u8]]) -> Vec<u8> {
        let (mut body, mut previous, mut tail) = (Vec::new(), 0, 10);
        for entry in entries {
            tail = 10 + body.len();
            match u8::try_from(previous) {
                Ok(short) if short < LONG => body.push(short),
                _ => {
                    body.push(LONG);
                    body.extend_from_slice(&(previous as u32).to_le_bytes());
                }
            }
            body.extend_from_slice(entry);
            previous = 10 + body.len() - tail;
        }
        let mut bytes = (11 + body.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(tail as u32).to_le_bytes());
        bytes.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.push(END);
        bytes
    }

    #[test]
    fn a_ziplist_of_every_encoding_is_read() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let longer = [&[0x80, 0, 0, 0, 5][..], b"abcde"].concat();
        let entries: [&[u8]; 11] = [
            b"\x03foo",
            &long,
            &longer,
            b"\xc0\xff\x7f",
            b"\xd0\x00\x00\x00\x80",
            b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80",
            b"\xf0\xff\xff\xff",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
            b"\x02\x31\x32",
        ];
        let bytes = pack(&entries);
        let listpack = ziplist(&bytes).expect("all is right");
        let mut expected = vec!["foo".to_owned(), "x".repeat(300), "abcde".to_owned()];
        expected.extend(["32767", "-2147483648", "-9223372036854775808", "-1", "-128", "0", "12", "12"].map(str::to_owned));
        assert_eq!(text(&listpack), expected);
        assert_eq!(listpack.iter().next_back(), Some(Item::Int(12)), "text that is a number is kept as one");
        assert_eq!(ziplist(&pack(&[])).map(|l| l.len()), Some(0));
        for wrong in [&b"\xc1\x00\x00"[..], b"\xff", b"\xf5x", b"\x05abc", b"\x40", b"\x80\x00\x00", b"\xe0\x00"] {
            assert_eq!(ziplist(&pack(&[wrong])), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_ziplist_that_contradicts_itself_is_refused() {
        let good = pack(&[b"\x03foo", b"\xf2", b"\x03bar"]);
        assert!(ziplist(&good).is_some());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            // Only in the elements themselves there is nothing to contradict.
            let is_data = (12..15).contains(&at) || at == 16 || (19..22).contains(&at);
            assert_eq!(ziplist(&bad).is_some(), is_data, "byte {at}");
            assert_eq!(ziplist(&good[..at]), None);
        }
    }

    #[test]
    fn a_zipmap_is_read_and_its_unused_bytes_are_not() {
        let zipmap_of = |text: &[u8]| zipmap(text).map(|l| text_of(&l));
        fn text_of(listpack: &Listpack) -> String {
            text(listpack).join(" ")
        }
        assert_eq!(zipmap_of(b"\x02\x03foo\x03\x00bar\x05hello\x05\x02worldXX\xff").as_deref(), Some("foo bar hello world"));
        assert_eq!(zipmap_of(b"\xfe\x03foo\xfe\x03\x00\x00\x00\x00bar\xff").as_deref(), Some("foo bar"));
        for wrong in
            [&b""[..], b"\xff", b"\x02\x03foo\x03\x00bar\xff", b"\x01\x03foo\x03\x01bar\xff", b"\x01\x03foo\xff", b"\x01\x03foo\x03\x00bar"]
        {
            assert!(zipmap(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn a_listpack_is_made_canonical() {
        let mut strange = Listpack::new();
        strange.push_item(Item::Str(b"12"));
        strange.push(b"abc");
        let mut plain = Listpack::new();
        plain.push(b"12");
        plain.push(b"abc");
        assert_ne!(strange, plain);
        assert_eq!(listpack(&strange.to_bytes()), Some(plain.clone()));
        assert_eq!(listpack(&plain.to_bytes()), Some(plain));
    }

    #[test]
    fn textual_scores_are_numbers() {
        assert!(matches!(TextualScore::new(254), TextualScore::Is(f64::INFINITY)));
        assert!(matches!(TextualScore::new(3), TextualScore::Text(3)));
        assert_eq!(TextualScore::parse(b"1.5e3"), 1500.0);
        assert_eq!(TextualScore::parse(b"17"), 17.0);
        assert_eq!(TextualScore::parse(b"what"), 0.0);
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            ziplist(&bytes);
            zipmap(&bytes);
            listpack(&bytes);
        }

        #[test]
        fn broken_ziplists_do_no_harm(
            texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let entries: Vec<Vec<u8>> = texts.iter().map(|t| [&[t.len() as u8][..], t].concat()).collect();
            let mut bytes = pack(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let read = ziplist(&bytes).map(|l| l.iter().map(Item::to_vec).collect::<Vec<_>>());
            prop_assert_eq!(read, Some(texts));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            ziplist(&bytes);
        }
    }
}
