use super::{
    Capture, Found, Matcher, find,
    find::{find_plain, is_plain, start_of},
    next_match,
    substitute::{repeat, substitute},
};
use crate::scripting::libs::Fault;
use proptest::prelude::*;

fn go_on() -> Result<(), Fault> {
    Ok(())
}

/// What `string.match(subject, pattern)` gives.
fn matched(subject: &str, pattern: &str) -> Result<Option<Vec<String>>, Fault> {
    let mut matcher = Matcher::default();
    let Some(found) = find(&mut matcher, subject.as_bytes(), 0, pattern.as_bytes(), &mut go_on)? else { return Ok(None) };
    (0..matcher.count().max(1))
        .map(|index| {
            Ok(match matcher.capture(index, found.start, found.end)? {
                Capture::Part(from, to) => subject[from..to].to_owned(),
                Capture::Position(at) => (at + 1).to_string(),
            })
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

fn replaced(subject: &str, pattern: &str, replacement: &str) -> Result<(String, i32), Fault> {
    let mut out = Vec::new();
    let (subject, pattern, replacement) = (subject.as_bytes(), pattern.as_bytes(), replacement.as_bytes());
    let count = substitute(&mut Matcher::default(), subject, pattern, (replacement, i32::MAX), (&mut out, 1 << 20), &mut go_on)?;
    Ok((String::from_utf8(out).unwrap(), count))
}

fn fault(text: &str) -> Fault {
    Fault::Error(text.into())
}

#[test]
fn patterns_match() {
    for (subject, pattern, wanted) in [
        ("hello world", "o w", &["o w"][..]),
        ("hello", "l+", &["ll"]),
        ("hello", "(h)(.)", &["h", "e"]),
        ("key = value", "^(%w+)%s*=%s*(%w+)$", &["key", "value"]),
        ("hello", "()ll()", &["3", "5"]),
        ("aaa", "a-", &[""]),
        ("aaab", "a-b", &["aaab"]),
        ("[[x]]", "%[%[(.-)%]%]", &["x"]),
        ("f(a(b)c)d", "%b()", &["(a(b)c)"]),
        ("THE (quick) fox", "%f[%a]%a+", &["THE"]),
        ("say \"hi\"", "([\"'])(.-)%1", &["\"", "hi"]),
        ("x-y", "[%-]", &["-"]),
        ("a]b", "[]]", &["]"]),
        ("abc", "[^a-b]", &["c"]),
        ("2024-01", "(%d+)-?(%d*)", &["2024", "01"]),
        ("abc", "a?b?c?d?", &["abc"]),
        ("a$", "a$$", &["a$"]),
        ("^a", "%^a", &["^a"]),
        ("abab", "(a(b))%1", &["ab", "b"]),
        ("xyz", "y\0z", &["y"]),
    ] {
        let wanted = wanted.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(matched(subject, pattern), Ok(Some(wanted)), "{subject} {pattern}");
    }
    for (subject, pattern) in [("hello", "^ello"), ("abc", "d"), ("ab", "a$"), ("aXb", "%l%l"), ("a", "()%1")] {
        assert_eq!(matched(subject, pattern), Ok(None), "{subject} {pattern}");
    }
}

#[test]
fn patterns_that_are_none_say_why() {
    for (pattern, why) in [
        ("%", "malformed pattern (ends with '%')"),
        ("[a", "malformed pattern (missing ']')"),
        ("[]", "malformed pattern (missing ']')"),
        ("%f", "missing '[' after '%f' in pattern"),
        ("%b", "unbalanced pattern"),
        ("%1", "invalid capture index"),
        ("(%1", "invalid capture index"),
        (")", "invalid pattern capture"),
        ("(", "unfinished capture"),
        (&"()".repeat(33), "too many captures"),
    ] {
        assert_eq!(matched("abc", pattern), Err(fault(why)), "{pattern}");
    }
}

#[test]
fn replacements() {
    assert_eq!(replaced("hello world", "o", "0"), Ok(("hell0 w0rld".into(), 2)));
    assert_eq!(replaced("abc", "", "-"), Ok(("-a-b-c-".into(), 4)));
    assert_eq!(replaced("abc", "%w", "%0%0"), Ok(("aabbcc".into(), 3)));
    assert_eq!(replaced("hello world", "(%w+) (%w+)", "%2 %1"), Ok(("world hello".into(), 1)));
    assert_eq!(replaced("abc", "()b", "%1"), Ok(("a2c".into(), 1)));
    assert_eq!(replaced("abc", "^a", "x"), Ok(("xbc".into(), 1)));
    assert_eq!(replaced("abc", "b", "%%%x"), Ok(("a%xc".into(), 1)));
    assert_eq!(replaced("abc", "b", "%"), Ok(("a\0c".into(), 1)));
    assert_eq!(replaced("abc", "b", "%2"), Err(fault("invalid capture index")));
    assert_eq!(replaced("", "x*", "-"), Ok(("-".into(), 1)));
}

#[test]
fn plain_texts_and_positions() {
    assert!(is_plain(b"abc]") && is_plain(b"a\0%") && !is_plain(b"a.b"));
    assert_eq!(find_plain(b"a.b.c", 2, b"."), Some(Found { start: 3, end: 4, plain: true }));
    assert_eq!(find_plain(b"abc", 3, b""), Some(Found { start: 3, end: 3, plain: true }));
    for (position, start) in [(1, 0), (0, 0), (-1, 4), (-9, 0), (6, 5), (99, 5), (i64::MIN, 0), (i64::MAX, 5)] {
        assert_eq!(start_of(position, 5), start, "{position}");
    }
}

#[test]
fn the_matches_of_a_text_one_after_the_other() {
    let mut matcher = Matcher::default();
    let found = next_match(&mut matcher, b"one two", 3, b"%a+", &mut go_on);
    assert_eq!(found, Ok(Some(Found { start: 4, end: 7, plain: false })));
    assert_eq!(next_match(&mut matcher, b"ab", 0, b"^a", &mut go_on), Ok(None), "here ^ is a character");
}

#[test]
fn long_patterns_take_no_stack() {
    let text = "a".repeat(100_000);
    let optional = "a?".repeat(100_000);
    assert!(matches!(matched(&text, &optional), Ok(Some(_))));
    assert_eq!(matched(&"a".repeat(1_000_000), &"a?".repeat(1_000_000)), Err(fault("pattern too complex")));
}

#[test]
fn a_match_that_takes_too_long_can_be_ended() {
    let subject = b"a".repeat(1000);
    let mut looks = 0;
    let result = find(&mut Matcher::default(), &subject, 0, b".-.-.-.-.-b", &mut || {
        looks += 1;
        if looks == 5 { Err(Fault::Stopped) } else { Ok(()) }
    });
    assert_eq!((result, looks), (Err(Fault::Stopped), 5));
}

#[test]
fn long_results_are_refused_before_they_are_made() {
    let mut out = Vec::new();
    assert_eq!(repeat(b"ab", 3, &mut out, 6, &mut go_on), Ok(()));
    assert_eq!(out, b"ababab");
    assert_eq!(repeat(b"ab", -1, &mut out, 6, &mut go_on), Ok(()));
    let refused = Err(Fault::Plain("not enough memory".into()));
    assert_eq!(repeat(b"ab", i32::MAX, &mut out, 1 << 20, &mut go_on), refused);
    let mut large = Vec::new();
    repeat(b"abc", 2_000_000, &mut large, 1 << 30, &mut go_on).unwrap();
    assert_eq!(large, b"abc".repeat(2_000_000));
    let result = substitute(&mut Matcher::default(), &[b'x'; 100], b"x", (&[b'y'; 100], i32::MAX), (&mut Vec::new(), 1000), &mut go_on);
    assert_eq!(result, Err(Fault::Plain("not enough memory".into())));
}

/// A matcher as the language is defined: it calls itself. For patterns without captures.
fn reference(subject: &[u8], at: usize, pattern: &[u8]) -> Option<usize> {
    let Some(&first) = pattern.first() else { return Some(at) };
    let is = |at: usize| at < subject.len() && (first == b'.' || subject[at] == first);
    match pattern.get(1) {
        Some(b'?') => is(at).then(|| reference(subject, at + 1, &pattern[2..])).flatten().or_else(|| reference(subject, at, &pattern[2..])),
        Some(b'*') => is(at).then(|| reference(subject, at + 1, pattern)).flatten().or_else(|| reference(subject, at, &pattern[2..])),
        Some(b'-') => reference(subject, at, &pattern[2..]).or_else(|| is(at).then(|| reference(subject, at + 1, pattern)).flatten()),
        _ => is(at).then(|| reference(subject, at + 1, &pattern[1..])).flatten(),
    }
}

proptest! {
    #[test]
    fn matches_are_those_of_the_definition(subject in "[ab]{0,10}", pattern in "([ab.][?*-]?){0,6}") {
        let found = Matcher::default().match_at(subject.as_bytes(), 0, pattern.as_bytes(), 0, &mut go_on).unwrap();
        prop_assert_eq!(found, reference(subject.as_bytes(), 0, pattern.as_bytes()));
    }

    #[test]
    fn no_pattern_does_harm(subject in "[ab()%\\[\\]]{0,12}", pattern in "[ab()%\\[\\]^$.*+?0-9bf\u{0}-]{0,12}", replacement in "[a%0-9]{0,6}") {
        let _ = replaced(&subject, &pattern, &replacement);
        let _ = matched(&subject, &pattern);
    }
}
