//! SORT and SORT_RO: the elements of a list, set or sorted set in order, by what they are or by what other keys say of them.

use super::{
    Ctx,
    command::{Begin, Command, Find, Group, KeySpec, categories, command, flags::*, key_flags as k},
    context::{self, Event, errors},
    permissions, storing,
    strings::reply_value,
};
use crate::state::ConnId;
use crate::{
    data::{
        entry::Value,
        float,
        hash::FieldValue,
        list::{End, List, NodeLimits},
        listpack::Item,
        object::Object,
    },
    keyspace::Keyspace,
    resp::request::Args,
};
use std::{cmp::Ordering, ops::Range};

const NOT_NUMBERS: &str = "ERR One or more scores can't be converted into double";

/// Where BY and GET look: the key that comes of an element, and perhaps a field in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No `*` in it, so that it would be the same for every element: nothing.
    Constant,
    /// The element between two texts.
    Key { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn new(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = memchr::memchr(b'*', text) else { return Self::Constant };
        let (prefix, rest) = (&text[..star], &text[star + 1..]);
        let arrow = rest.windows(2).position(|two| two == b"->").filter(|at| at + 2 < rest.len());
        match arrow {
            Some(at) => Self::Key { prefix, suffix: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Self::Key { prefix, suffix: rest, field: None },
        }
    }
}

/// Looks keys up that come of elements.
struct KeyLookup<'a> {
    keyspace: &'a mut Keyspace,
    db: usize,
    /// Room for the key.
    key: Vec<u8>,
}

impl KeyLookup<'_> {
    /// Gives `f` what a pattern says of an element; `None` when that is nothing.
    fn with<R>(&mut self, pattern: Pattern<'_>, element: &[u8], f: impl FnOnce(FieldValue<'_>) -> R) -> Option<R> {
        let (prefix, suffix, field) = match pattern {
            Pattern::Element => return Some(f(FieldValue::Str(element))),
            Pattern::Constant => return None,
            Pattern::Key { prefix, suffix, field } => (prefix, suffix, field),
        };
        self.key.clear();
        for part in [prefix, element, suffix] {
            self.key.extend_from_slice(part);
        }
        let (hash, now_ms) = (self.keyspace.hash(&self.key), self.keyspace.now_ms);
        let value = self.keyspace.read(self.db, hash, &self.key)?.value();
        match (value, field) {
            (Value::Object(Object::Hash(fields)), Some(field)) => fields.get(field, now_ms).map(f),
            (_, Some(_)) => None,
            (value, None) => value.as_string().map(f),
        }
    }
}

#[derive(Default)]
struct SortOptions<'a> {
    descending: bool,
    alpha: bool,
    /// BY, unless it is one that asks for no order.
    by: Option<Pattern<'a>>,
    /// The order the collection has is kept.
    keep_order: bool,
    /// LIMIT's offset and count.
    limit: Option<(i64, i64)>,
    gets: Vec<Pattern<'a>>,
    /// Argument index of the key for the result.
    store: Option<usize>,
}

fn parse<'a>(ctx: &mut Ctx<'a>, read_only: bool) -> Option<SortOptions<'a>> {
    let mut options = SortOptions::default();
    let mut i = 2;
    while i < ctx.argc() {
        let left = ctx.argc() - 1 - i;
        if ctx.is_word(i, "asc") {
            options.descending = false;
        } else if ctx.is_word(i, "desc") {
            options.descending = true;
        } else if ctx.is_word(i, "alpha") {
            options.alpha = true;
        } else if ctx.is_word(i, "limit") && left >= 2 {
            options.limit = Some((ctx.int_arg(i + 1)?, ctx.int_arg(i + 2)?));
            i += 2;
        } else if ctx.is_word(i, "store") && left >= 1 && !read_only {
            options.store = Some(i + 1);
            i += 1;
        } else if ctx.is_word(i, "by") && left >= 1 {
            let pattern = Pattern::new(ctx.arg(i + 1));
            if matches!(pattern, Pattern::Key { .. }) && !permissions::may_read_every_key(ctx) {
                ctx.error("ERR BY option of SORT denied due to insufficient ACL permissions.");
                return None;
            }
            options.by = Some(pattern);
            options.keep_order |= !matches!(pattern, Pattern::Key { .. });
            i += 1;
        } else if ctx.is_word(i, "get") && left >= 1 {
            if !permissions::may_read_every_key(ctx) {
                ctx.error("ERR GET option of SORT denied due to insufficient ACL permissions.");
                return None;
            }
            options.gets.push(Pattern::new(ctx.arg(i + 1)));
            i += 1;
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 1;
    }
    Some(options)
}

/// What an element is sorted by, besides itself.
#[derive(Clone, Copy)]
enum Weight {
    /// A number.
    Number(f64),
    /// Bytes among [`Rows::texts`], or nothing.
    Text(Option<(usize, usize)>),
}

struct SortRow {
    start: usize,
    end: usize,
    weight: Weight,
}

/// The elements and what they are sorted by: few allocations, however many they are.
#[derive(Default)]
struct Rows {
    rows: Vec<SortRow>,
    texts: Vec<u8>,
}

impl Rows {
    fn push(&mut self, element: Item<'_>) {
        let start = self.texts.len();
        self.texts.extend_from_slice(element.text(&mut itoa::Buffer::new()));
        self.rows.push(SortRow { start, end: self.texts.len(), weight: Weight::Text(None) });
    }

    fn element(&self, row: &SortRow) -> &[u8] {
        &self.texts[row.start..row.end]
    }

    fn weight_text(&self, row: &SortRow) -> Option<&[u8]> {
        match row.weight {
            Weight::Text(Some((start, end))) => Some(&self.texts[start..end]),
            _ => None,
        }
    }

    /// The order of two elements: by weight, then by their bytes where the weights are numbers, then as they came.
    fn compare(&self, a: &SortRow, b: &SortRow, options: &SortOptions<'_>) -> Ordering {
        let order = match (a.weight, b.weight) {
            (Weight::Number(x), Weight::Number(y)) => {
                x.partial_cmp(&y).unwrap_or(Ordering::Equal).then_with(|| self.element(a).cmp(self.element(b)))
            }
            _ if options.by.is_some() => self.weight_text(a).cmp(&self.weight_text(b)),
            _ => self.element(a).cmp(self.element(b)),
        };
        let order = if options.descending { order.reverse() } else { order };
        order.then(a.start.cmp(&b.start))
    }

    /// Looks up what each element is sorted by; `false` when something that has to be a number is none.
    fn weigh(&mut self, lookup: &mut KeyLookup<'_>, options: &SortOptions<'_>) -> bool {
        let mut all_numbers = true;
        for i in 0..self.rows.len() {
            let SortRow { start, end, .. } = self.rows[i];
            let weight = match (options.by, options.alpha) {
                (None, true) => continue,
                (None, false) => score_of(&self.texts[start..end]).map(Weight::Number),
                (Some(by), false) => match lookup.with(by, &self.texts[start..end], score) {
                    Some(score) => score.map(Weight::Number),
                    None => Some(Weight::Number(0.0)),
                },
                (Some(by), true) => {
                    let from = self.texts.len();
                    let element = self.texts[start..end].to_vec();
                    let found = lookup.with(by, &element, |value| {
                        if let Some(text) = context::text(value) {
                            text.with(|bytes| self.texts.extend_from_slice(bytes));
                        }
                    });
                    Some(Weight::Text(found.map(|()| (from, self.texts.len()))))
                }
            };
            match weight {
                Some(weight) => self.rows[i].weight = weight,
                None => {
                    self.rows[i].weight = Weight::Number(0.0);
                    all_numbers = false;
                }
            }
        }
        all_numbers
    }

    /// Puts the rows of this range where they belong; the others are left in any order.
    fn sort(&mut self, wanted: Range<usize>, options: &SortOptions<'_>) {
        let mut rows = std::mem::take(&mut self.rows);
        let mut part = &mut rows[..];
        if wanted.end < part.len() {
            part.select_nth_unstable_by(wanted.end, |a, b| self.compare(a, b, options));
            part = &mut part[..wanted.end];
        }
        if wanted.start > 0 && wanted.start < part.len() {
            part.select_nth_unstable_by(wanted.start, |a, b| self.compare(a, b, options));
            part = &mut part[wanted.start..];
        }
        part.sort_unstable_by(|a, b| self.compare(a, b, options));
        self.rows = rows;
    }
}

fn score(value: FieldValue<'_>) -> Option<f64> {
    match value {
        FieldValue::Int(n) => Some(n as f64),
        value => context::text(value).and_then(|text| text.with(score_of)),
    }
}

/// A number as C's `strtod` reads it, blanks in front of it allowed. No text at all is 0, and what follows a NUL is not seen. One too small
/// for a double's full precision is none here, other than as a score, unless it is written in binary and may be exact.
fn score_of(text: &[u8]) -> Option<f64> {
    let text = memchr::memchr(0, text).map_or(text, |nul| &text[..nul]);
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let is_hex = text.iter().any(|byte| matches!(byte, b'x' | b'X'));
    float::parse(&text[blanks..]).filter(|score| is_hex || !score.is_subnormal())
}

/// The rows that LIMIT leaves of `len`.
fn limited(limit: Option<(i64, i64)>, len: usize) -> Range<usize> {
    let Some((offset, count)) = limit else { return 0..len };
    let start = usize::try_from(offset).unwrap_or(0).min(len);
    let count = usize::try_from(count).unwrap_or(len);
    start..start.saturating_add(count).min(len)
}

/// Reads the elements: all of them, or the `wanted` ones where the collection's own order is kept. Returns which of the rows are
/// wanted then; `None` for a value that has no elements.
fn read(object: &Object, rows: &mut Rows, options: &SortOptions<'_>) -> Option<Range<usize>> {
    match object {
        Object::List(list) if options.keep_order => {
            let wanted = limited(options.limit, list.len());
            let (first, towards) =
                if options.descending { (list.len().saturating_sub(wanted.start + 1), End::Front) } else { (wanted.start, End::Back) };
            if !wanted.is_empty() {
                list.visit(first, towards, |element| {
                    rows.push(element.item());
                    rows.rows.len() < wanted.len()
                });
            }
            return Some(0..wanted.len());
        }
        Object::List(list) => list.for_each(|element| rows.push(element.item())),
        Object::Set(set) => set.iter().for_each(|member| rows.push(member)),
        Object::Zset(zset) if options.keep_order => {
            let (len, wanted) = (zset.len(), limited(options.limit, zset.len()));
            if options.descending {
                zset.range(len - wanted.end..len - wanted.start).rev().for_each(|(member, _)| rows.push(member));
            } else {
                zset.range(wanted.clone()).for_each(|(member, _)| rows.push(member));
            }
            return Some(0..wanted.len());
        }
        Object::Zset(zset) => zset.iter().for_each(|(member, _)| rows.push(member)),
        Object::Bytes(_) | Object::Hash(_) | Object::Stream(_) => return None,
    }
    Some(limited(options.limit, rows.rows.len()))
}

fn sort_generic(ctx: &mut Ctx<'_>, read_only: bool) {
    let Some(mut options) = parse(ctx, read_only) else { return };
    let for_script = ctx.conn == ConnId::SCRIPT;
    let mut rows = Rows::default();
    let mut wanted = 0..0;
    if let Some(entry) = ctx.read(1) {
        let Value::Object(object) = entry.value() else { return ctx.wrong_type() };
        // The order of a set is nobody's business, but what is stored has to be the same on every replica, and what a script sees in each run.
        let for_all = options.store.is_some() || for_script;
        if options.keep_order && for_all && matches!(object, Object::Set(_)) {
            options = SortOptions { keep_order: false, alpha: true, by: None, ..options };
        }
        match read(object, &mut rows, &options) {
            Some(range) => wanted = range,
            None => return ctx.wrong_type(),
        }
    }
    let mut lookup = KeyLookup { keyspace: &mut ctx.server.keyspace, db: ctx.db, key: Vec::new() };
    if !options.keep_order {
        if !rows.weigh(&mut lookup, &options) {
            return ctx.error(NOT_NUMBERS);
        }
        rows.sort(wanted.clone(), &options);
    }
    if let Some(store) = options.store {
        return put_result(ctx, store, &rows, wanted, &options);
    }
    ctx.out.array(wanted.len() * options.gets.len().max(1));
    for row in &rows.rows[wanted] {
        let element = rows.element(row);
        if options.gets.is_empty() {
            ctx.out.bulk(element);
        }
        for get in &options.gets {
            let found = lookup.with(*get, element, |value| reply_value(ctx.out, value));
            if found.is_none() {
                ctx.out.null();
            }
        }
    }
}

/// Makes the result the list at argument `store`, whatever was there; no result is no list.
fn put_result(ctx: &mut Ctx<'_>, store: usize, rows: &Rows, wanted: Range<usize>, options: &SortOptions<'_>) {
    let limits = NodeLimits { size: ctx.server.config.list_max_listpack_size, depth: ctx.server.config.list_compress_depth };
    let mut lookup = KeyLookup { keyspace: &mut ctx.server.keyspace, db: ctx.db, key: Vec::new() };
    let mut list = List::new_linked(limits);
    for row in &rows.rows[wanted] {
        let element = rows.element(row);
        if options.gets.is_empty() {
            list.push(End::Back, element);
        }
        for get in &options.gets {
            let found = lookup.with(*get, element, |value| match context::text(value) {
                Some(text) => text.with(|bytes| list.push(End::Back, bytes)),
                None => list.push(End::Back, b""),
            });
            if found.is_none() {
                list.push(End::Back, b"");
            }
        }
    }
    list.built(limits);
    let len = list.len();
    storing::store(ctx, store, list, len, Event('l', "sortstore"));
    ctx.server.keyspace.dirty += len.saturating_sub(1) as u64;
}

fn sort(ctx: &mut Ctx) {
    sort_generic(ctx, false);
}

fn sort_ro(ctx: &mut Ctx) {
    sort_generic(ctx, true);
}

/// The sorted key, and the one of the last STORE.
fn sort_keys(args: &Args<'_>) -> Option<Vec<(usize, u32)>> {
    let mut store = None;
    let mut i = 2;
    while i < args.len() {
        match args.get(i).to_ascii_lowercase().as_slice() {
            b"limit" => i += 2,
            b"get" | b"by" => i += 1,
            b"store" if i + 1 < args.len() => store = Some((i + 1, k::OW | k::UPDATE)),
            _ => (),
        }
        i += 1;
    }
    Some([(1, k::RO | k::ACCESS)].into_iter().chain(store).collect())
}

fn sort_ro_keys(_: &Args<'_>) -> Option<Vec<(usize, u32)>> {
    Some(vec![(1, k::RO | k::ACCESS)])
}

const fn unknown(flags: u32, notes: &'static str) -> KeySpec {
    KeySpec { begin: Begin::Unknown, find: Find::Unknown, flags, notes: Some(notes) }
}

const FROM_ELEMENTS: KeySpec = unknown(k::RO | k::ACCESS, "Keys of BY and GET come of the elements that are sorted.");
const COST: &str = "O(N+M*log(M)) for N elements, M of them returned; O(N) when they are not sorted.";
const CATEGORIES: u32 = categories::SET | categories::SORTEDSET | categories::LIST | categories::DANGEROUS;

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("sort", sort, -2, WRITE | DENYOOM)
        .since(Group::Generic, "1.0.0")
        .doc("Sorts the elements of a list, set or sorted set, and returns or stores them or what belongs to them.", COST)
        .args(
            "key [BY by-pattern<pattern>:pattern@1] [LIMIT (offset:integer count:integer)] [GET get-pattern<pattern>:pattern@1]... \
             [order:(ASC | DESC)] [sorting:ALPHA] [STORE destination:key@2]",
        )
        .keys(&[
            KeySpec::one(1, k::RO | k::ACCESS),
            FROM_ELEMENTS,
            unknown(k::OW | k::UPDATE, "STORE can be anywhere among the arguments."),
        ])
        .key_finder(sort_keys)
        .categories_instead(CATEGORIES),
    command("sort_ro", sort_ro, -2, READONLY)
        .since(Group::Generic, "7.0.0")
        .doc("Sorts the elements of a list, set or sorted set, and returns them or what belongs to them.", COST)
        .args(
            "key [BY by-pattern<pattern>:pattern@1] [LIMIT (offset:integer count:integer)] [GET get-pattern<pattern>:pattern@1]... \
             [order:(ASC | DESC)] [sorting:ALPHA]",
        )
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS), FROM_ELEMENTS])
        .key_finder(sort_ro_keys)
        .categories_instead(CATEGORIES),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_redis_takes() {
        for (text, number) in [
            (" 5", Some(5.0)),
            ("5 ", None),
            ("", Some(0.0)),
            ("0e-999", Some(0.0)),
            ("1e-400", None),
            ("1e400", None),
            ("4.9e-324", None),
            ("2.2250738585072011e-308", None),
            ("2.2250738585072014e-308", Some(f64::MIN_POSITIVE)),
            ("0x1p-1074", Some(5e-324)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("nan", None),
        ] {
            assert_eq!(score_of(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn a_pattern_is_a_key_with_a_place_for_the_element() {
        let key = |prefix: &'static str, suffix: &'static str, field: Option<&'static str>| Pattern::Key {
            prefix: prefix.as_bytes(),
            suffix: suffix.as_bytes(),
            field: field.map(str::as_bytes),
        };
        let cases = [
            ("#", Pattern::Element),
            ("", Pattern::Constant),
            ("nosort", Pattern::Constant),
            ("a->b", Pattern::Constant),
            ("w_*", key("w_", "", None)),
            ("*", key("", "", None)),
            ("#*", key("#", "", None)),
            ("w_*_x*y", key("w_", "_x*y", None)),
            ("w_*->f", key("w_", "", Some("f"))),
            ("w_*_x->f->g", key("w_", "_x", Some("f->g"))),
            ("a->b*", key("a->b", "", None)),
            ("w_*->", key("w_", "->", None)),
        ];
        for (text, pattern) in cases {
            assert_eq!(Pattern::new(text.as_bytes()), pattern, "{text}");
        }
    }

    #[test]
    fn scores_are_what_strtod_takes() {
        let good: [(&[u8], f64); 7] =
            [(b"", 0.0), (b"  12", 12.0), (b"1e3", 1000.0), (b"-.5", -0.5), (b"0x10", 16.0), (b"inf", f64::INFINITY), (b"7\0x", 7.0)];
        for (text, score) in good {
            assert_eq!(score_of(text), Some(score), "{}", text.escape_ascii());
        }
        for text in [&b"x"[..], b" ", b"1 ", b"1x", b"nan", b"1e999", b"--1"] {
            assert_eq!(score_of(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn limits_are_cut_to_what_there_is() {
        for (limit, rows) in [
            (None, 0..5),
            (Some((0, 2)), 0..2),
            (Some((3, 10)), 3..5),
            (Some((-3, 2)), 0..2),
            (Some((2, -1)), 2..5),
            (Some((2, 0)), 2..2),
            (Some((9, 1)), 5..5),
            (Some((i64::MAX, i64::MAX)), 5..5),
            (Some((i64::MIN, i64::MIN)), 0..5),
        ] {
            assert_eq!(limited(limit, 5), rows, "{limit:?}");
        }
    }
}
