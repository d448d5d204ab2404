//! XTRIM, and the options that it has in common with XADD.

use super::{
    ids::{self, IdText, NewId},
    references::{self, References},
};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
    },
    data::stream::{Bound, Stream, StreamId, Trim},
    resp::request::OwnedArgs,
};

/// Most entries that go by `~` where no LIMIT is given: those of so many nodes, within these bounds.
const NODES_AT_ONCE: u64 = 100;
const LIMIT_DEFAULT: u64 = 10_000;
const LIMIT_MAX: u64 = 1_000_000;

/// How a stream is to be trimmed.
pub(super) struct Trimming {
    pub trim: Trim,
    /// Argument index of the bound.
    pub at: usize,
}

/// The arguments of XADD behind its key, or of XTRIM.
pub(super) struct Options {
    pub trimming: Option<Trimming>,
    pub references: References,
    /// The stream has to be there already.
    pub no_mkstream: bool,
    /// The ID that an entry is to have.
    pub id: NewId,
    /// Argument index of that; behind the last when there is none.
    pub id_at: usize,
}

/// What a bound has come to, so that trimming by it has the same effect again.
pub(super) enum Exact {
    Len(u64),
    Id(StreamId),
}

impl Exact {
    /// The exact form of a trim that has just been carried out.
    fn of(stream: &Stream, trim: &Trim) -> Self {
        match trim.bound {
            Bound::MaxLen(_) => Self::Len(stream.len()),
            // Of an empty stream as Redis writes it.
            Bound::MinId(_) => Self::Id(stream.nodes_from(StreamId::MIN).next().map_or(StreamId::MAX, |(master, _)| master)),
        }
    }

    /// Trims a stream. Returns how many entries went and, where the trim as it is given may come to something else when it is repeated, its exact form.
    pub(super) fn by(stream: &mut Stream, trim: &Trim, references: References, repeats: bool) -> (u64, Option<Self>) {
        if references == References::Keep {
            let gone = stream.trim(trim);
            return (gone, trim.approx.then(|| Self::of(stream, trim)));
        }
        let (gone, reached) = references::trim(stream, trim, references, repeats);
        let exact = match trim.bound {
            // Where it stops goes by how entries are laid out in nodes.
            Bound::MaxLen(_) => Self::Len(stream.len()),
            Bound::MinId(_) => Self::Id(reached),
        };
        (gone, Some(exact))
    }

    pub(super) fn push_to(&self, args: &mut OwnedArgs) {
        match self {
            Self::Len(len) => args.push(itoa::Buffer::new().format(*len).as_bytes()),
            Self::Id(id) => args.push(IdText::new(*id).bytes()),
        }
    }
}

impl Options {
    /// The arguments from the second on, of XADD (`adds`) or XTRIM; answers with an error when they are wrong.
    pub(super) fn parse(ctx: &mut Ctx<'_>, adds: bool) -> Option<Self> {
        let mut options = Self { trimming: None, references: References::Keep, no_mkstream: false, id: NewId::Auto, id_at: ctx.argc() };
        let (mut limit, mut references) = (None, None);
        let mut i = 2;
        while i < ctx.argc() {
            let more = ctx.argc() - 1 - i;
            if adds && ctx.arg(i) == b"*" {
                options.id_at = i;
                break;
            } else if more > 0 && (ctx.is_word(i, "maxlen") || ctx.is_word(i, "minid")) {
                if options.trimming.is_some() {
                    ctx.error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
                    return None;
                }
                let trimming = bound(ctx, i)?;
                i = trimming.at;
                options.trimming = Some(trimming);
            } else if more > 0 && ctx.is_word(i, "limit") {
                i += 1;
                limit = Some(ctx.int_arg(i)?);
                if limit.is_some_and(|limit| limit < 0) {
                    ctx.error("ERR The LIMIT argument must be >= 0.");
                    return None;
                }
            } else if let Some(word) = References::of_word(ctx, i).filter(|_| references.is_none()) {
                references = Some(word);
            } else if adds && ctx.is_word(i, "nomkstream") {
                options.no_mkstream = true;
            } else if adds {
                let id = NewId::parse(ctx.arg(i));
                ids::valid(ctx, id.map(|_| StreamId::MIN))?;
                (options.id, options.id_at) = (id?, i);
                break;
            } else {
                ctx.error(errors::SYNTAX);
                return None;
            }
            i += 1;
        }
        options.references = references.unwrap_or(References::Keep);
        options.settle_limit(ctx, limit, adds)?;
        Some(options)
    }

    fn settle_limit(&mut self, ctx: &mut Ctx<'_>, given: Option<i64>, adds: bool) -> Option<()> {
        let Some(trimming) = &mut self.trimming else {
            if given.is_some_and(|limit| limit != 0) {
                ctx.error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
                return None;
            }
            if !adds {
                ctx.error("ERR syntax error, XTRIM must be called with a trimming strategy");
                return None;
            }
            // A LIMIT of 0 alone is still one without `~`.
            return self.limit_without_trim(ctx, given);
        };
        // What our primary has trimmed, we trim.
        if ctx.client().peer.repeats() {
            return Some(());
        }
        trimming.trim.limit = match given {
            Some(_) if !trimming.trim.approx => return limit_without_approx(ctx),
            Some(limit) => limit as u64,
            None if trimming.trim.approx => match ctx.server.config.stream_node_max_entries.saturating_mul(NODES_AT_ONCE) {
                0 => LIMIT_DEFAULT,
                entries => entries.min(LIMIT_MAX),
            },
            None => 0,
        };
        Some(())
    }

    fn limit_without_trim(&self, ctx: &mut Ctx<'_>, given: Option<i64>) -> Option<()> {
        match given {
            Some(_) if !ctx.client().peer.repeats() => limit_without_approx(ctx),
            _ => Some(()),
        }
    }
}

fn limit_without_approx(ctx: &mut Ctx<'_>) -> Option<()> {
    ctx.error("ERR syntax error, LIMIT cannot be used without the special ~ option");
    None
}

/// `MAXLEN [= | ~] count` or `MINID [= | ~] id` at argument `at`; answers with an error when it is wrong.
fn bound(ctx: &mut Ctx<'_>, at: usize) -> Option<Trimming> {
    let operator = ctx.arg(at + 1);
    let has_operator = ctx.argc() > at + 2 && matches!(operator, b"~" | b"=");
    let value = at + 1 + usize::from(has_operator);
    let bound = if ctx.is_word(at, "maxlen") {
        let len = ctx.int_arg(value)?;
        if len < 0 {
            ctx.error("ERR The MAXLEN argument must be >= 0.");
            return None;
        }
        Bound::MaxLen(len as u64)
    } else {
        Bound::MinId(ids::id_arg(ctx, value)?)
    };
    Some(Trimming { trim: Trim { bound, approx: has_operator && operator == b"~", limit: 0 }, at: value })
}

/// The command with an exact bound in the place of an approximate one, and an ID in the place of one that was to be chosen.
pub(super) fn exact_command(ctx: &Ctx<'_>, bound: Option<(usize, Exact)>, id: Option<(usize, StreamId)>) -> OwnedArgs {
    let mut command = OwnedArgs::default();
    for i in 0..ctx.argc() {
        match (&bound, &id) {
            (Some((at, _)), _) if i + 1 == *at && ctx.arg(i) == b"~" => command.push(b"="),
            (Some((at, exact)), _) if i == *at => exact.push_to(&mut command),
            (_, Some((at, id))) if i == *at => command.push(IdText::new(*id).bytes()),
            _ => ctx.keep_args(&mut command, i..i + 1),
        }
    }
    command
}

fn xtrim(ctx: &mut Ctx) {
    let Some(Options { trimming: Some(Trimming { trim, at }), references, .. }) = Options::parse(ctx, false) else { return };
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let repeats = ctx.client().peer.repeats();
    let (deleted, exact) = match ctx.server.keyspace.write_as::<Stream>(ctx.db, hash, key) {
        Ok(Some(stream)) => Exact::by(stream, &trim, references, repeats),
        Ok(None) => return ctx.out.int(0),
        Err(_) => return ctx.wrong_type(),
    };
    ctx.out.int(deleted as i64);
    if deleted == 0 {
        return;
    }
    ctx.changed_unawaited(1, Event('t', "xtrim"));
    ctx.server.keyspace.dirty += deleted - 1;
    if let Some(exact) = exact.filter(|_| ctx.is_logged()) {
        ctx.log_owned(exact_command(ctx, Some((at, exact)), None));
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[command("xtrim", xtrim, -4, WRITE)
    .since(Group::Stream, "5.0.0")
    .doc(
        "Removes entries from the beginning of a stream, by how many are to stay or by the least ID that is to.",
        "O(log N) for whole nodes, and O(N) for N entries of the node in which the bound lies; O(N) for N entries with `DELREF` or `ACKED`.",
    )
    .args(
        "key trim:(strategy:(MAXLEN | MINID) [operator:(equal:= | approximately:~)] threshold [LIMIT count:integer]) \
         [condition:(KEEPREF | DELREF | ACKED)]",
    )
    .keys(&[KeySpec::one(1, k::RW | k::DELETE)])
    .tips(&["nondeterministic_output"])
    .history(&[("6.2.0", "`MINID` and `LIMIT`."), ("8.2.0", "`KEEPREF`, `DELREF` and `ACKED`.")])];
