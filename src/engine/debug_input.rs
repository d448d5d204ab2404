//! What a debugger's user sends while his script is stopped: arrays of bulk strings, as forgiving as Redis reads them.

use crate::data::number::leading_i64;

/// Words of a command, and bytes of a word.
const WORDS_MAX: i64 = 1024;
const WORD_BYTES_MAX: i64 = 1024;

/// What lies at the front of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The beginning of a command, perhaps.
    Part,
    /// Nothing that could become one.
    Broken,
    /// A command, and the bytes that are done with.
    Command { words: Vec<Box<[u8]>>, bytes: usize },
}

/// The number in front of the next CRLF as C reads it, and what is behind that. `None`: it has not come yet.
fn number(at: &[u8]) -> Option<(i64, &[u8])> {
    let end = memchr::memmem::find(at, b"\r\n")?;
    Some((leading_i64(&at[..end]), &at[end + 2..]))
}

/// Reads the first command. What stands in front of its `*` is passed over.
pub(super) fn read(input: &[u8]) -> Said {
    if input.is_empty() {
        return Said::Part;
    }
    let Some(start) = memchr::memchr(b'*', input) else { return Said::Broken };
    let Some((count, mut rest)) = number(&input[start + 1..]) else { return Said::Part };
    if !(1..=WORDS_MAX).contains(&count) {
        return Said::Broken;
    }
    let mut words = Vec::new();
    for _ in 0..count {
        let Some((mark, after)) = rest.split_first() else { return Said::Part };
        if *mark != b'$' {
            return Said::Broken;
        }
        let Some((len, after)) = number(after) else { return Said::Part };
        if !(1..=WORD_BYTES_MAX).contains(&len) {
            return Said::Broken;
        }
        let len = len as usize;
        let Some(end) = after.get(len..len + 2) else { return Said::Part };
        if end != b"\r\n" {
            return Said::Broken;
        }
        words.push(after[..len].into());
        rest = &after[len + 2..];
    }
    Said::Command { words, bytes: input.len() - rest.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(input: &str) -> Vec<String> {
        match read(input.as_bytes()) {
            Said::Command { words, .. } => words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        assert_eq!(words("*2\r\n$1\r\np\r\n$3\r\na\r\n\r\n"), ["p", "a\r\n"]);
    }

    #[test]
    fn what_is_in_front_of_a_command_is_passed_over() {
        assert_eq!(words("xx*1\r\n$1\r\nc\r\n"), ["c"]);
        assert_eq!(words("* +1x\r\n$01\r\nc\r\n"), ["c"]);
    }

    #[test]
    fn what_cannot_become_a_command_is_broken() {
        for input in [
            "step\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*x\r\n",
            "*1025\r\n",
            "*99999999999999999999\r\n",
            "*1\r\nx",
            "*1\r\n:1\r\n",
            "*1\r\n$0\r\n\r\n",
            "*1\r\n$-1\r\n",
            "*1\r\n$1025\r\n",
            "*1\r\n$1\r\nxx\r\n",
        ] {
            assert_eq!(read(input.as_bytes()), Said::Broken, "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn a_command_is_read_when_it_is_whole(words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 1..6), behind in "[a-z*$]{0,5}") {
            let mut input = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                input.extend(format!("${}\r\n", word.len()).bytes());
                input.extend(word);
                input.extend(b"\r\n");
            }
            for end in 0..input.len() {
                prop_assert_eq!(read(&input[..end]), Said::Part);
            }
            let bytes = input.len();
            input.extend(behind.bytes());
            let words = words.into_iter().map(Into::into).collect();
            prop_assert_eq!(read(&input), Said::Command { words, bytes });
        }

        #[test]
        fn any_bytes_do_no_harm(input in proptest::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..60)) {
            read(&input);
        }
    }
}
