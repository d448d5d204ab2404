//! Values that can be told from all others, wherever they turn up: in replies, messages, logs and files.

/// How the value that was written as the `serial`th begins. Nothing that a client can do to a value makes another one's beginning of it.
pub fn mark(serial: u64) -> String {
    format!("v{serial};")
}

/// The serial numbers of the values whose beginnings are in here.
pub fn find(bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    for at in memchr::memchr_iter(b'v', bytes) {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        let end = at + 1 + digits;
        if (1..=18).contains(&digits) && bytes.get(end) == Some(&b';') {
            found.push(bytes[at + 1..end].iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')));
        }
    }
    found
}

#[test]
fn values_are_found_by_their_marks() {
    let text = format!("{}===$3\r\n{}v7v12,v;v1", mark(5), mark(1_000_000));
    assert_eq!(find(text.as_bytes()), [5, 1_000_000]);
}
