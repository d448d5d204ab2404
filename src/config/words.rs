//! Words on a line, as configuration files and the inline protocol write them.

/// Splits `line` into words; `None` when a quote is left open or is followed by anything but a blank.
///
/// Between double quotes `\n \r \t \a \b \xHH` are escapes and any other escaped byte is itself; between single quotes
/// only `\'` is one. A quote may open in the middle of a word. A NUL byte ends the line, as it does for Redis, whose
/// splitter works on C strings.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut words = Vec::new();
    loop {
        rest = rest.trim_start_matches_blank();
        if rest.is_empty() {
            return Some(words);
        }
        let (word, after) = split_first(rest)?;
        words.push(word);
        rest = after;
    }
}

/// One word, and what follows it. A closing quote always ends the word.
fn split_first(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Some((word, rest)),
            [b'"', quoted @ ..] => return finish_double_quoted(word, quoted),
            [b'\'', quoted @ ..] => return finish_single_quoted(word, quoted),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn finish_double_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        let byte;
        (byte, rest) = match rest {
            [] => return None,
            [b'"', after @ ..] => return after.starts_a_gap().then_some((word, after)),
            [b'\\', b'x', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex_value(*high) << 4 | hex_value(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescaped(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        word.push(byte);
    }
}

fn finish_single_quoted(mut word: Vec<u8>, mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    loop {
        let byte;
        (byte, rest) = match rest {
            [] => return None,
            [b'\'', after @ ..] => return after.starts_a_gap().then_some((word, after)),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        word.push(byte);
    }
}

fn unescaped(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// The value of a byte already known to be a hexadecimal digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Writes `word` in double quotes so that [`split_args`] gives it back, whatever its bytes.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(word.len() + 2);
    quote_into(&mut quoted, word);
    quoted
}

/// [`quote`] at the end of a line.
pub fn quote_into(line: &mut Vec<u8>, word: &[u8]) {
    line.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            0x07 => line.extend(b"\\a"),
            0x08 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    line.push(b'"');
}

/// Writes `words` as one line, quoting only the words that need it.
pub fn join_quoted<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        let word = word.as_ref();
        if !line.is_empty() {
            line.push(b' ');
        }
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
        if !word.is_empty() && word.iter().all(is_plain) {
            line.extend(word);
        } else {
            line.extend(quote(word));
        }
    }
    line
}

trait Blanks {
    fn trim_start_matches_blank(&self) -> &Self;
    fn starts_a_gap(&self) -> bool;
}

/// C's `isspace`, which counts the vertical tab; `u8::is_ascii_whitespace` does not.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

impl Blanks for [u8] {
    fn trim_start_matches_blank(&self) -> &[u8] {
        let blanks = self.iter().take_while(|byte| is_blank(**byte)).count();
        &self[blanks..]
    }

    fn starts_a_gap(&self) -> bool {
        self.first().is_none_or(|byte| is_blank(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes())?;
        Some(words.iter().map(|word| word.escape_ascii().to_string()).collect())
    }

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| word.to_string()).collect())
    }

    #[test]
    fn blanks_separate_words() {
        assert_eq!(split("  set\tkey  value\r\n"), words(&["set", "key", "value"]));
        assert_eq!(split(""), words(&[]));
        assert_eq!(split(" \t "), words(&[]));
        assert_eq!(split("\x0b\x0ca"), words(&["a"]));
    }

    #[test]
    fn quotes_hold_blanks_and_escapes() {
        assert_eq!(split(r#"save """#), words(&["save", ""]));
        assert_eq!(split(r#""a b" 'c d'"#), words(&["a b", "c d"]));
        assert_eq!(split(r#""\x41\n\q\"""#), words(&["A\\nq\\\""]));
        assert_eq!(split(r#""\xzz""#), words(&["xzz"]));
        assert_eq!(split(r"'it\'s \n'"), words(&[r"it\'s \\n"]));
        assert_eq!(split(r#"pre"fix ed" x"#), words(&["prefix ed", "x"]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#"a "b"#, r"a 'b", r#""a"b"#, r"'a'b", r#""a\"#, r#"'a\"#, r#"""""#] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn a_nul_byte_ends_the_line() {
        assert_eq!(split("a b\0c d"), words(&["a", "b"]));
        assert_eq!(split("a \"b\0\""), None);
    }

    proptest! {
        #[test]
        fn quoting_is_the_inverse_of_splitting(words in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
            prop_assert_eq!(split_args(&join_quoted(&words)), Some(words.clone()));
            let quoted: Vec<Vec<u8>> = words.iter().map(|word| quote(word)).collect();
            prop_assert_eq!(split_args(&quoted.join(&b' ')), Some(words));
        }

        #[test]
        fn splitting_never_panics(line: Vec<u8>) {
            let _ = split_args(&line);
        }

        #[test]
        fn splitting_never_panics_among_quotes(line in r#"[ "'\\xa0]{0,24}"#) {
            let _ = split_args(line.as_bytes());
        }
    }
}
