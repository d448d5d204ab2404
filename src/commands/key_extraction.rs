//! Which of a request's arguments are keys, and what is done with them.

use super::command::{Begin, Command, Find, KeySpec, key_flags};
use crate::{data::number, resp::request::Args};

/// A key among the arguments: its index, and what is done with it ([`key_flags`]).
pub type KeyAt = (usize, u32);

/// Whether requests for this command can name keys at all.
pub fn has_keys(command: &Command) -> bool {
    command.key_finder.is_some() || names_keys(command)
}

fn names_keys(command: &Command) -> bool {
    command.keys.iter().any(|spec| spec.flags & key_flags::NOT_KEY == 0)
}

/// The keys of a request. `args` begins with the command's name, and its number has been checked.
///
/// `None` when the arguments do not say which are keys: an error in them, which the command itself reports.
pub fn keys(command: &Command, args: &Args<'_>) -> Option<Vec<KeyAt>> {
    if let Some(access) = command.key_access {
        return (command.only_key < args.len()).then(|| vec![(command.only_key, access(args))]);
    }
    let Some(finder) = command.key_finder else { return by_specs(command.keys, args) };
    let any = |flag| command.keys.iter().any(|spec| spec.flags & flag != 0);
    if names_keys(command) && !any(key_flags::VARIABLE) {
        // The finder is slower, and often knows nothing of flags.
        return by_specs(command.keys, args).or_else(|| finder(args));
    }
    finder(args)
}

/// Hands over the keys of a request as [`keys`] finds them, each with what is done with it, as long as that answers `true`; where they are as the
/// specifications say, without allocating. Whether it always did.
///
/// Keys that may be left out, and are, do not hide the others as they do from [`keys`]: PFMERGE with nothing but a destination writes that.
#[inline]
pub fn each_key(command: &Command, args: &Args<'_>, mut each: impl FnMut(usize, u32) -> bool) -> bool {
    if command.only_key != 0 {
        return command.only_key >= args.len() || each(command.only_key, access_of_only_key(command, args));
    }
    each_of_several(command, args, &mut each)
}

/// What is done with the key of a request that has one and can have no other.
#[inline]
pub fn access_of_only_key(command: &Command, args: &Args<'_>) -> u32 {
    match command.key_access {
        Some(access) => access(args),
        None => command.keys.first().map_or(0, |spec| spec.flags),
    }
}

/// The same for commands that may have several keys, or none.
fn each_of_several(command: &Command, args: &Args<'_>, each: &mut dyn FnMut(usize, u32) -> bool) -> bool {
    let specs = || command.keys.iter().filter(|spec| spec.flags & key_flags::NOT_KEY == 0);
    let is_plain =
        |spec: &KeySpec| matches!(spec.begin, Begin::Index(_)) && spec.flags & (key_flags::INCOMPLETE | key_flags::VARIABLE) == 0;
    if command.key_finder.is_none() && specs().all(is_plain) {
        let found = |spec: &KeySpec| begin(spec, args).flatten().and_then(|first| positions(spec, first, args));
        // Where one of them cannot be found there are none.
        return !specs().all(|spec| found(spec).is_some() || is_left_out(spec, args))
            || specs().all(|spec| found(spec).is_none_or(|mut places| places.all(|at| each(at, spec.flags))));
    }
    keys(command, args).unwrap_or_default().into_iter().all(|(at, does)| each(at, does))
}

/// What the specifications find; `None` when one of them cannot say.
pub fn by_specs(specs: &[KeySpec], args: &Args<'_>) -> Option<Vec<KeyAt>> {
    let mut found = Vec::new();
    for spec in specs.iter().filter(|spec| spec.flags & key_flags::NOT_KEY == 0) {
        if let Some(first) = begin(spec, args)? {
            for position in positions(spec, first, args)? {
                found.push((position, spec.flags));
            }
        }
        if spec.flags & key_flags::INCOMPLETE != 0 {
            return None;
        }
    }
    Some(found)
}

/// Where the keys of a specification begin: `Some(None)` when its keyword is not there, `None` when it cannot be said.
fn begin(spec: &KeySpec, args: &Args<'_>) -> Option<Option<usize>> {
    match spec.begin {
        Begin::Index(at) => usize::try_from(at).ok().map(Some),
        Begin::Keyword(word, from) => {
            let is_word = |i: &usize| args.get(*i).eq_ignore_ascii_case(word.as_bytes());
            // The last argument cannot be followed by a key, and the first is the command's name.
            let at = match usize::try_from(from) {
                Ok(from) => (from.max(1)..args.len().saturating_sub(1)).find(is_word),
                Err(_) => (2..=args.len().checked_sub(from.unsigned_abs() as usize)?).rev().find(is_word),
            };
            Some(at.map(|at| at + 1))
        }
        Begin::Unknown => None,
    }
}

/// Whether a specification's keys are all that follow, and nothing does.
fn is_left_out(spec: &KeySpec, args: &Args<'_>) -> bool {
    matches!(spec.find, Find::Range { last: ..0, limit: 0, .. }) && begin(spec, args) == Some(Some(args.len()))
}

fn positions(spec: &KeySpec, first: usize, args: &Args<'_>) -> Option<impl Iterator<Item = usize> + use<>> {
    let count = args.len() as i64;
    let (first, last, step) = match spec.find {
        Find::Range { last, step, limit } => {
            let first = first as i64;
            let last = match (last, limit) {
                (0.., _) => first + i64::from(last),
                (_, 0) => count + i64::from(last),
                (_, limit) => first + (count - first) / i64::from(limit) + i64::from(last),
            };
            (first, last, step)
        }
        Find::KeyNum { count: at, first: offset, step } => {
            let at = first.checked_add_signed(at as isize)?;
            if at >= args.len() {
                return None;
            }
            let keys = number::parse_i64(args.get(at)).filter(|keys| (0..=count).contains(keys))?;
            let first = first as i64 + i64::from(offset);
            (first, first + (keys - 1) * i64::from(step), step)
        }
        Find::Unknown => return None,
    };
    if first < 1 || last >= count || last < first || step < 1 {
        return None;
    }
    Some((first as usize..=last as usize).step_by(step as usize))
}

/// First key, last key (negative: from the end) and step as clients of old versions want them, all 0 when there are none;
/// and whether these do not say it all (`movablekeys`).
pub fn legacy_range(specs: &[KeySpec]) -> ((i32, i32, i32), bool) {
    let incomplete = |spec: &KeySpec| spec.flags & key_flags::INCOMPLETE != 0;
    let absolute = |at: i32, last: i32| if last >= 0 { at + last } else { last };
    match specs {
        [] => return ((0, 0, 0), false),
        [spec @ KeySpec { begin: Begin::Index(at), find: Find::Range { last, step, .. }, .. }] => {
            return ((*at, absolute(*at, *last), *step), incomplete(spec));
        }
        _ => {}
    }
    let (mut range, mut movable) = (None::<(i32, i32)>, false);
    for spec in specs {
        let (Begin::Index(at), Find::Range { last, step: 1, .. }) = (spec.begin, spec.find) else {
            movable = true;
            continue;
        };
        // Only what continues the range so far can be part of it.
        if range.is_some_and(|(_, end)| end != at - 1) {
            movable = true;
            continue;
        }
        movable |= incomplete(spec);
        let last = absolute(at, last);
        range = Some(match range {
            // Counted from the end is further than any count from the beginning.
            Some((first, end)) => (first.min(at), (end as u32).max(last as u32) as i32),
            None => (at, last),
        });
    }
    match range {
        Some((first, last)) => ((first, last, 1), movable),
        None => ((0, 0, 0), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::command::{Group, command, key_flags as k},
        resp::request::OwnedArgs,
    };

    fn request(line: &str) -> OwnedArgs {
        OwnedArgs::new(&line.split_whitespace().map(str::as_bytes).collect::<Vec<_>>())
    }

    fn found(specs: &[KeySpec], line: &str) -> Option<Vec<usize>> {
        let keys = by_specs(specs, &request(line).args())?;
        Some(keys.into_iter().map(|(position, _)| position).collect())
    }

    const fn keyword(word: &'static str, from: i32, last: i32, limit: i32) -> KeySpec {
        KeySpec { begin: Begin::Keyword(word, from), find: Find::Range { last, step: 1, limit }, flags: k::RO, notes: None }
    }

    #[test]
    fn ranges_count_from_the_first_key_or_from_the_end() {
        assert_eq!(found(&[KeySpec::one(1, k::RO)], "get a"), Some(vec![1]));
        assert_eq!(found(&[KeySpec::range(1, -1, 1, k::RO)], "mget a b c"), Some(vec![1, 2, 3]));
        assert_eq!(found(&[KeySpec::range(1, -1, 2, k::OW)], "mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(found(&[KeySpec::range(1, 1, 1, k::RO)], "lcs a b LEN"), Some(vec![1, 2]));
        assert_eq!(found(&[KeySpec::range(1, -2, 1, k::RO)], "blpop a b 0"), Some(vec![1, 2]));
        assert_eq!(found(&[KeySpec::one(3, k::RO)], "get a"), None, "beyond the end");
    }

    #[test]
    fn a_count_in_front_says_how_many() {
        let spec = [KeySpec::counted(2, k::RO)];
        assert_eq!(found(&spec, "eval x 2 a b c"), Some(vec![3, 4]));
        for line in ["eval x 3 a b", "eval x -1 a", "eval x one a", "eval x 9223372036854775807 a", "eval x", "eval x 0 a"] {
            assert_eq!(found(&spec, line), None, "{line}");
        }
    }

    #[test]
    fn keywords_are_looked_for_from_either_end() {
        assert_eq!(found(&[keyword("STREAMS", 1, -1, 2)], "xread COUNT 1 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(found(&[keyword("STORE", 6, 0, 0)], "georadius k 1 1 1 m"), Some(vec![]));
        assert_eq!(found(&[keyword("KEYS", -2, -1, 0)], "migrate h p - 0 1 KEYS a b"), Some(vec![7, 8]));
        assert_eq!(found(&[keyword("KEYS", -2, -1, 0)], "migrate"), None);
    }

    #[test]
    fn what_is_no_key_is_passed_over_and_what_is_unknown_says_nothing() {
        assert_eq!(found(&[KeySpec::one(1, k::NOT_KEY)], "publish a b"), Some(vec![]));
        let unknown = KeySpec { begin: Begin::Unknown, find: Find::Unknown, flags: k::RO, notes: None };
        assert_eq!(found(&[KeySpec::one(1, k::RO), unknown], "sort a"), None);
        assert_eq!(found(&[KeySpec::one(1, k::RO | k::INCOMPLETE)], "sort a"), None);
    }

    #[test]
    fn a_finder_is_asked_where_specifications_do_not_suffice() {
        const NOTHING: super::super::command::Handler = |_| {};
        const PLAIN: Command = command("x", NOTHING, -2, 0).since(Group::Generic, "1.0.0");
        const SURE: [KeySpec; 1] = [KeySpec::one(1, k::RO)];
        const VARIABLE: [KeySpec; 1] = [KeySpec::one(1, k::RW | k::VARIABLE)];
        let owned = request("x a b");
        let args = owned.args();
        let last = |args: &Args<'_>| Some(vec![(args.len() - 1, k::OW)]);
        assert_eq!(keys(&PLAIN.keys(&SURE).key_finder(last), &args), Some(vec![(1, k::RO)]));
        assert_eq!(keys(&PLAIN.keys(&VARIABLE).key_finder(last), &args), Some(vec![(2, k::OW)]));
        assert_eq!(keys(&PLAIN.keys(&VARIABLE), &args), Some(vec![(1, k::RW | k::VARIABLE)]));
        assert!(has_keys(&PLAIN.keys(&SURE)) && !has_keys(&PLAIN));
    }

    #[test]
    fn old_clients_get_one_range() {
        assert_eq!(legacy_range(&[]), ((0, 0, 0), false));
        assert_eq!(legacy_range(&[KeySpec::range(1, -1, 2, k::OW)]), ((1, -1, 2), false));
        assert_eq!(legacy_range(&[KeySpec::one(1, k::RW), KeySpec::one(2, k::RW)]), ((1, 2, 1), false));
        assert_eq!(legacy_range(&[KeySpec::one(1, k::RW), KeySpec::range(2, -1, 1, k::RO)]), ((1, -1, 1), false));
        assert_eq!(legacy_range(&[KeySpec::counted(1, k::RO)]), ((0, 0, 0), true));
        assert_eq!(legacy_range(&[KeySpec::one(1, k::RO), keyword("STORE", 6, 0, 0)]), ((1, 1, 1), true));
        assert_eq!(legacy_range(&[KeySpec::one(1, k::OW), KeySpec::counted(2, k::RO)]), ((1, 1, 1), true));
        assert_eq!(legacy_range(&[KeySpec::one(2, k::RW), KeySpec::range(3, -1, 1, k::RO)]), ((2, -1, 1), false));
    }
}
