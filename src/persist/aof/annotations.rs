//! Lines between commands that say something about those that follow: `#TS:` and the second at which they were logged (`aof-timestamp-enabled`).

use crate::data::number;

/// What every such line begins with.
pub const MARK: u8 = b'#';

/// Bytes of the longest line that Redis reads, its end among them.
pub const LINE_MAX: usize = 1023;

const TIMESTAMP: &[u8] = b"#TS:";

/// Appends the line that says that what follows was logged at this second or later.
pub fn write_timestamp(out: &mut Vec<u8>, unix_seconds: i64) {
    out.extend_from_slice(TIMESTAMP);
    number::write_i64(out, unix_seconds);
    out.extend_from_slice(b"\r\n");
}

/// The text behind `#TS:`, if the line says a time.
pub fn timestamp_text(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(TIMESTAMP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_read_as_it_is_written() {
        let mut line = Vec::new();
        write_timestamp(&mut line, 1_628_217_470);
        assert_eq!(line, b"#TS:1628217470\r\n");
        assert_eq!(timestamp_text(&line), Some(&b"1628217470\r\n"[..]));
        assert_eq!(timestamp_text(b"#EX:1\r\n"), None);
    }
}
