//! RESP into a buffer: the parts that replies, the log of writes and requests to other servers have in common.

/// A line that begins an element: its kind, and a length, a count or a number.
#[inline(always)]
pub fn header(out: &mut Vec<u8>, kind: u8, n: i64) {
    // Most headers have one digit or two.
    if (0..10).contains(&n) {
        return out.extend_from_slice(&[kind, b'0' + n as u8, b'\r', b'\n']);
    }
    if (10..100).contains(&n) {
        return out.extend_from_slice(&[kind, b'0' + (n / 10) as u8, b'0' + (n % 10) as u8, b'\r', b'\n']);
    }
    long_header(out, kind, n);
}

/// [`header`] for a number of any length. A function of its own, so that the others need no room for digits.
#[inline(never)]
fn long_header(out: &mut Vec<u8>, kind: u8, n: i64) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The line in front of a bulk string whose bytes come from elsewhere, and a line end behind them.
#[inline(always)]
pub fn bulk_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'$', len as i64);
}

/// The line in front of so many elements.
#[inline(always)]
pub fn array_header(out: &mut Vec<u8>, len: usize) {
    header(out, b'*', len as i64);
}

/// A simple string: no CR or LF in it.
pub fn simple(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'+');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// A bulk string.
#[inline(always)]
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    bulk_header(out, bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A whole request.
pub fn request(out: &mut Vec<u8>, parts: &[&[u8]]) {
    array_header(out, parts.len());
    parts.iter().for_each(|part| bulk(out, part));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_make_a_header() {
        for n in [0, 7, 10, 99, 100, 1_000_000, i64::MAX, -1, i64::MIN] {
            let mut out = Vec::new();
            header(&mut out, b':', n);
            assert_eq!(out, format!(":{n}\r\n").into_bytes());
        }
    }

    #[test]
    fn a_request_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        request(&mut out, &[b"SET", b"", b"a value of twelve"]);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$17\r\na value of twelve\r\n");
    }
}
