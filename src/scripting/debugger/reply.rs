//! Replies of commands as people read them.

use crate::{config::quote_into, data::number::parse_i64};

/// Levels of nesting that are shown.
const DEPTH_MAX: usize = 64;

/// Writes what is at the beginning of `at`, as long as `line` is not longer than `most` bytes; gives what is behind it. What is no reply is left out.
pub(super) fn describe<'a>(at: &'a [u8], line: &mut Vec<u8>, most: usize) -> &'a [u8] {
    describe_nested(at, line, most, DEPTH_MAX).unwrap_or(&[])
}

fn describe_nested<'a>(at: &'a [u8], line: &mut Vec<u8>, most: usize, depth: usize) -> Option<&'a [u8]> {
    if line.len() > most || depth == 0 {
        return None;
    }
    let (&kind, _) = at.split_first()?;
    let end = memchr::memchr(b'\r', at)?;
    let (head, rest) = (at.get(1..end)?, at.get(end + 2..)?);
    let count = || parse_i64(head);
    let mut list = |(open, between, close): (&str, &[&str], &str), count: i64| {
        line.extend(open.bytes());
        let mut rest = rest;
        for i in 0..count {
            rest = describe_nested(rest, line, most, depth - 1)?;
            if i + 1 < count {
                line.extend(between[i as usize % between.len()].bytes());
            }
        }
        line.extend(close.bytes());
        Some(rest)
    };
    match kind {
        b':' | b'(' => line.extend_from_slice(head),
        b'+' | b'-' => quote_into(line, &at[..end.min(most)]),
        b'$' | b'=' => {
            let Ok(len) = usize::try_from(count()?) else {
                line.extend(b"NULL");
                return Some(rest);
            };
            quote_into(line, &rest.get(..len)?[..len.min(most)]);
            return rest.get(len + 2..);
        }
        b'*' if count()? < 0 => line.extend(b"NULL"),
        b'*' | b'>' => return list(("[", &[","], "]"), count()?),
        b'~' => return list(("~(", &[","], ")"), count()?),
        b'%' => return list(("{", &[" => ", ","], "}"), count()?.checked_mul(2)?),
        b'_' => line.extend(b"(null)"),
        b'#' => line.extend(if head == b"t" { &b"#true"[..] } else { b"#false" }),
        b',' => {
            line.extend(b"(double) ");
            line.extend_from_slice(head);
        }
        _ => return None,
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn described(reply: &str) -> String {
        let mut line = Vec::new();
        describe(reply.as_bytes(), &mut line, 1000);
        String::from_utf8(line).expect("text")
    }

    #[test]
    fn every_kind_of_reply_has_its_form() {
        for (reply, form) in [
            (":-5\r\n", "-5"),
            ("+OK\r\n", r#""+OK""#),
            ("-ERR no\r\n", r#""-ERR no""#),
            ("$-1\r\n", "NULL"),
            ("*-1\r\n", "NULL"),
            ("$3\r\na\"\n\r\n", r#""a\"\n""#),
            ("*0\r\n", "[]"),
            ("*3\r\n:1\r\n*1\r\n$1\r\nx\r\n_\r\n", r#"[1,["x"],(null)]"#),
            ("~2\r\n#t\r\n#f\r\n", "~(#true,#false)"),
            ("%2\r\n+a\r\n:1\r\n+b\r\n,1.5\r\n", r#"{"+a" => 1,"+b" => (double) 1.5}"#),
            ("(12345\r\n", "12345"),
            ("=5\r\ntxt:a\r\n", r#""txt:a""#),
        ] {
            assert_eq!(described(reply), form, "{reply:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_reply_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..60), most in 0..50usize) {
            describe(&bytes, &mut Vec::new(), most);
            let nested = b"*1\r\n".repeat(100_000);
            describe(&nested, &mut Vec::new(), usize::MAX);
        }

        #[test]
        fn no_more_is_written_than_is_shown(count in 1..2000usize) {
            let reply = [format!("*{count}\r\n").into_bytes(), b"$2\r\nab\r\n".repeat(count)].concat();
            let mut line = Vec::new();
            describe(&reply, &mut line, 100);
            prop_assert!(line.len() < 110);
        }
    }
}
