//! Glob patterns as KEYS, SCAN, PSUBSCRIBE, CONFIG GET and the ACLs understand them: `*`, `?`, classes
//! (`[abc]`, `[a-z]`, `[^a]`) and `\` before a byte to take it literally. Bytes, not characters.
//!
//! The corners are Redis's, because clients' patterns depend on them: a class may be left open, `[]`
//! matches nothing and `[^]` anything, a range may be written backwards, and an empty string matches
//! only an empty pattern, so not even `*`.

/// Whether a pattern is `*`: it matches everything, for callers that then need not look at names.
pub fn is_literal_all(pattern: &[u8]) -> bool {
    pattern == b"*"
}

/// Whether the whole of `text` matches the whole of `pattern`; `nocase` folds ASCII letters.
///
/// Only the last `*` is ever reconsidered: what an earlier one could gain by taking more, the later one
/// can take itself. So the time is at worst the product of the two lengths, without recursion.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut rest, mut left) = (pattern, text);
    // What follows the last star, and the text from the byte that star will swallow next.
    let mut retry: Option<(&[u8], &[u8])> = None;
    while !left.is_empty() {
        if rest.first() == Some(&b'*') {
            rest = skip_stars(rest);
            if rest.is_empty() {
                return true;
            }
            let Some(found) = first_candidate(rest, left, nocase) else {
                return false;
            };
            left = found;
            retry = Some((rest, &left[1..]));
        }
        if let Some(next) = match_one(rest, left[0], nocase) {
            rest = next;
            left = &left[1..];
            continue;
        }
        let Some((after_star, remaining)) = retry else {
            return false;
        };
        let Some(found) = first_candidate(after_star, remaining, nocase) else {
            return false;
        };
        rest = after_star;
        left = found;
        retry = Some((after_star, &left[1..]));
    }
    skip_stars(rest).is_empty()
}

fn skip_stars(pattern: &[u8]) -> &[u8] {
    let stars = pattern.iter().take_while(|&&b| b == b'*').count();
    &pattern[stars..]
}

/// The first suffix of `text`, never empty, that could match `pattern`; a pattern that starts with a
/// plain byte lets memchr skip all others.
fn first_candidate<'t>(pattern: &[u8], text: &'t [u8], nocase: bool) -> Option<&'t [u8]> {
    let at = match pattern.first() {
        Some(b'?' | b'[' | b'\\') | None => 0,
        Some(&byte) if nocase && byte.is_ascii_alphabetic() => memchr::memchr2(byte.to_ascii_lowercase(), byte.to_ascii_uppercase(), text)?,
        Some(&byte) => memchr::memchr(byte, text)?,
    };
    text.get(at..).filter(|suffix| !suffix.is_empty())
}

/// The pattern after its first element if that element, which is not a star, takes `byte`.
#[inline]
fn match_one(pattern: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    let (literal, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => return Some(rest),
        [b'[', class @ ..] => return match_class(class, byte, nocase),
        [b'\\', literal, rest @ ..] => (*literal, rest),
        [literal, rest @ ..] => (*literal, rest),
    };
    same(literal, byte, nocase).then_some(rest)
}

/// The pattern after a class if the class, given from behind its `[`, takes `byte`.
fn match_class(class: &[u8], byte: u8, nocase: bool) -> Option<&[u8]> {
    let (negated, mut class) = match class {
        [b'^', members @ ..] => (true, members),
        members => (false, members),
    };
    let mut found = false;
    let rest = loop {
        class = match class {
            [] => break class,
            // Case counts for an escaped byte even where it does not elsewhere.
            [b'\\', member, rest @ ..] => {
                found |= *member == byte;
                rest
            }
            [b']', rest @ ..] => break rest,
            [low, b'-', high, rest @ ..] => {
                found |= in_range(*low, *high, byte, nocase);
                rest
            }
            [member, rest @ ..] => {
                found |= same(*member, byte, nocase);
                rest
            }
        };
    };
    (found != negated).then_some(rest)
}

fn same(a: u8, b: u8, nocase: bool) -> bool {
    a == b || (nocase && a.eq_ignore_ascii_case(&b))
}

/// Ranges compare bytes as C's signed `char` on x86-64, where Redis runs. The ends are put in order
/// before they are folded, so `[a-Z]` without case is the empty range from `z` to `a`.
fn in_range(first: u8, second: u8, byte: u8, nocase: bool) -> bool {
    let (low, high) = {
        let (first, second) = (first as i8, second as i8);
        (first.min(second), first.max(second))
    };
    let fold = |byte: i8| {
        if nocase { tolower(byte) } else { i16::from(byte) }
    };
    (fold(low)..=fold(high)).contains(&fold(byte as i8))
}

/// glibc's `tolower` of a `char` in the C locale: a negative one comes back as its unsigned value, but
/// for -1, which is EOF.
fn tolower(byte: i8) -> i16 {
    match byte {
        -1 => -1,
        _ => i16::from((byte as u8).to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `%xx` is the byte of that value and `_` alone the empty string.
    fn unescape(text: &str) -> Vec<u8> {
        if text == "_" {
            return Vec::new();
        }
        let mut bytes = Vec::new();
        let mut pieces = text.split('%');
        bytes.extend_from_slice(pieces.next().unwrap().as_bytes());
        for piece in pieces {
            bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
            bytes.extend_from_slice(&piece.as_bytes()[2..]);
        }
        bytes
    }

    /// The names that the table below numbers, from 0.
    const NAMES: &str = r"_ a b ab abc aab A - ] [ ^ \ * a* ? a- [a a] z hello hallo heello %80 %ff a%80b %0a -] %00 m";

    /// A pattern, and the names that redis-server 7.0.15 returned for KEYS with it.
    const KEYS: &str = r"* : 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
** : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
? : 1 2 6 7 8 9 10 11 12 14 18 22 23 25 27 28
?? : 3 13 15 16 17 26
a* : 1 3 4 5 13 15 17 24
*a : 1 16
*a* : 1 3 4 5 13 15 16 17 20 24
a?c : 4
h?llo : 19 20
h*llo : 19 20 21
h[ae]llo : 19 20
h[^e]llo : 20
h[a-b]llo : 20
[ :
[] :
[^ : 1 2 6 7 8 9 10 11 12 14 18 22 23 25 27 28
[^] : 1 2 6 7 8 9 10 11 12 14 18 22 23 25 27 28
[a : 1
[a- : 1 7
[a-] : 1 8 10
[-a] : 1 7
[--a] : 1 6 7 8 9 10 11 14
[a-z] : 1 2 18 28
[z-a] : 1 2 18 28
[z-a : 1 2 18 28
[^z-a] : 6 7 8 9 10 11 12 14 22 23 25 27
[]a] :
[^]a] :
[\]] : 8
[\] : 8
[\ : 11
[a\ : 1 11
[\a-c] : 1 7
[a-\c] : 1 8 10 11
[\\] : 11
\ : 11
\\ : 11
a\ :
\a : 1
\* : 12
\? : 14
\[ : 9
a\* : 13
*\ : 11
*\* : 12 13
[a]] : 17
[[] : 9
[[]* : 9 16
[^a]* : 2 6 7 8 9 10 11 12 14 16 18 19 20 21 22 23 25 26 27 28
[*] : 12
[?] : 14
[^^] : 1 2 6 7 8 9 11 12 14 18 22 23 25 27 28
[a^] : 1 10
*[ab] : 1 2 3 5 16 24
*[ :
*[^ : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
?[^ : 3 13 15 16 17 26
*] : 8 17 26
***a*** : 1 3 4 5 13 15 16 17 20 24
a**b : 3 5 24
*b*c : 4
[%7f-%ff] : 1 2 6 7 8 9 10 11 12 14 18 23 25 27 28
[%80-a] : 1 6 7 8 9 10 11 12 14 22 23 25 27
[a-%80] : 1 6 7 8 9 10 11 12 14 22 23 25 27
%80 : 22
?%80? : 24
*%ff : 23
[%ff] : 23
[^%80] : 1 2 6 7 8 9 10 11 12 14 18 23 25 27 28
_ : 0
[a-c-e] : 1 2 7
[a--] : 1 6 7 8 9 10 11 14
[+--] : 7
%00 : 27
[%00] : 27
[%00-%20] : 25 27
[a-z : 1 2 18 28
[a-zz : 1 2 18 28
m*bb^^ :
**aa :
a* : 1 3 4 5 13 15 17 24
a[[]?- :
a : 1
\*] :
b[ :
?[[m :
_ : 0
_ : 0
[? : 14
a\a* : 5
* : 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
bb\bm :
b : 2
?abaaa? :
m%ff :
*]]*%80 :
_ : 0
z?[ :
a : 1
_ : 0
z : 18
\ : 11
m : 28
a]^-m\* :
a- : 15
*b*^ :
m\*\b]aa :
m*a*- :
bb] :
-bbb-^ :
_ : 0
*-*a :
a?aa*b^b :
- : 7
*[**[** : 9 12 13
^**aa\[m :
_ : 0
\[^a-*mb :
[a\a] : 1
- : 7
aba*aba^ :
_ : 0
b^? :
ama :
b?[maam? :
*a?\?*%ff :
a? : 3 13 15 17
maaaaaaa :
a^]^ :
_ : 0
m : 28
*b*?^]- :
*a?*a :
ma :
a-*aaa :
b*?%ff* :
m\ab :
baaaa^] :";

    /// A pattern, and which of these commands COMMAND LIST FILTERBY PATTERN, which folds case, returned.
    const COMMANDS: &str = "get set del append acl|cat geoadd zadd hset debug dump echo info ping type keys";
    const FILTERED: &str = r"GET : get
g* : get geoadd
*E? : get set del hset
[F-H]et : get
[g-G]et : get
[f-H]* :
[H-f]* :
[Z-a]* :
[a-Z]* :
[^A-Y]* : zadd
[\G]et :
[\g]et : get
\GET : get
[%80-z]* :
[%ff-z]* : get set del append acl|cat geoadd zadd hset debug dump echo info ping type keys
[z-%80]* :
[A-%ff]* : append acl|cat
[^%ff-Z]* :
[DEP]* : del debug dump echo ping
[^DEP]* : get set append acl|cat geoadd zadd hset info type keys
*[ET] : get set acl|cat hset type
[a- :
*|* : acl|cat
INFO : info
[i-i][N-n]* : info
[^ :
[z-a]* : get set del append acl|cat geoadd zadd hset debug dump echo info ping type keys
[Y-b]* :";

    #[test]
    fn keys_are_chosen_as_by_redis() {
        let names: Vec<Vec<u8>> = NAMES.split(' ').map(unescape).collect();
        for line in KEYS.lines() {
            let (pattern, chosen) = line.split_once(" :").unwrap();
            let chosen: Vec<usize> = chosen.split_whitespace().map(|n| n.parse().unwrap()).collect();
            let bytes = unescape(pattern);
            for (number, name) in names.iter().enumerate() {
                // KEYS does not consult the matcher for this pattern.
                let matched = is_literal_all(&bytes) || matches(&bytes, name, false);
                assert_eq!(matched, chosen.contains(&number), "{pattern} {name:?}");
            }
        }
    }

    #[test]
    fn case_is_folded_as_by_redis() {
        for line in FILTERED.lines() {
            let (pattern, chosen) = line.split_once(" :").unwrap();
            let chosen: Vec<&str> = chosen.split_whitespace().collect();
            for name in COMMANDS.split(' ') {
                let matched = matches(&unescape(pattern), name.as_bytes(), true);
                assert_eq!(matched, chosen.contains(&name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn an_empty_string_matches_only_an_empty_pattern() {
        assert!(matches(b"", b"", false));
        assert!(!matches(b"*", b"", false));
        assert!(!matches(b"", b"a", false));
        assert!(is_literal_all(b"*") && !is_literal_all(b"**") && !is_literal_all(b""));
    }

    #[test]
    fn many_stars_take_no_more_than_the_product_of_the_lengths() {
        let pattern = b"*a".repeat(2_000);
        let text = vec![b'a'; 1_999];
        assert!(!matches(&pattern, &text, false));
        assert!(!matches(&[&pattern[..], b"b"].concat(), &text.repeat(2), false));
        assert!(matches(&pattern, &text.repeat(2), false));
    }

    /// The definition without cleverness: a star takes nothing or one more byte.
    fn by_definition(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => by_definition(rest, text, nocase) || (!text.is_empty() && by_definition(pattern, &text[1..], nocase)),
            _ => text
                .split_first()
                .is_some_and(|(&byte, left)| match_one(pattern, byte, nocase).is_some_and(|rest| by_definition(rest, left, nocase))),
        }
    }

    proptest! {
        #[test]
        fn backtracking_to_the_last_star_suffices(
            pattern in "[abA*?\\[\\]^\\\\-]{0,12}", text in "[abAB\\[-]{1,12}", nocase: bool,
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text, nocase), by_definition(pattern, text, nocase));
        }

        #[test]
        fn no_pattern_panics(pattern: Vec<u8>, text: Vec<u8>, nocase: bool) {
            matches(&pattern, &text, nocase);
        }

        #[test]
        fn what_is_escaped_matches_itself(text in proptest::collection::vec(any::<u8>(), 1..40)) {
            let pattern: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
            prop_assert!(matches(&pattern, &text, false));
        }
    }
}
