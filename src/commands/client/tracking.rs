//! CLIENT TRACKING and what belongs to it: a client that keeps copies of keys says how it wants to be told of their changes.

use crate::{
    commands::{Ctx, context::errors},
    state::tracking::{Redirect, Tracking, TrackingMode, TrackingOptions, overlap},
};

/// The words behind ON or OFF, before it is known whether they go together.
#[derive(Default)]
struct Words<'a> {
    redirect: Option<Redirect>,
    prefixes: Vec<&'a [u8]>,
    bcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
}

pub(super) fn tracking(ctx: &mut Ctx) {
    let Some(words) = words(ctx) else { return };
    let conn = ctx.conn;
    if ctx.is_word(2, "off") {
        ctx.server.untrack(conn);
    } else if ctx.is_word(2, "on") {
        if let Err(error) = check(&words, ctx.client().tracking.as_deref()) {
            return ctx.error(error);
        }
        let mode = match (words.bcast, words.optin, words.optout) {
            (true, ..) => TrackingMode::Broadcast,
            (_, true, _) => TrackingMode::OptIn,
            (.., true) => TrackingMode::OptOut,
            _ => TrackingMode::All,
        };
        let prefixes = words.prefixes.into_iter().map(Into::into).collect();
        ctx.server.track(conn, TrackingOptions { mode, no_loop: words.noloop, redirect: words.redirect, prefixes });
    } else {
        return ctx.error(errors::SYNTAX);
    }
    ctx.out.ok();
}

/// Reads the words; answers with an error where there is another one.
fn words<'a>(ctx: &mut Ctx<'a>) -> Option<Words<'a>> {
    let mut words = Words::default();
    let mut i = 3;
    while i < ctx.argc() {
        let more = i + 1 < ctx.argc();
        if ctx.is_word(i, "redirect") && more {
            i += 1;
            if words.redirect.is_some() {
                ctx.error("ERR A client can only redirect to a single other client");
                return None;
            }
            words.redirect = redirect(ctx, i)?;
        } else if ctx.is_word(i, "prefix") && more {
            i += 1;
            words.prefixes.push(ctx.arg(i));
        } else if ctx.is_word(i, "bcast") {
            words.bcast = true;
        } else if ctx.is_word(i, "optin") {
            words.optin = true;
        } else if ctx.is_word(i, "optout") {
            words.optout = true;
        } else if ctx.is_word(i, "noloop") {
            words.noloop = true;
        } else {
            ctx.error(errors::SYNTAX);
            return None;
        }
        i += 1;
    }
    Some(words)
}

/// The client with the ID at argument `i`; answers with an error where there is none.
fn redirect(ctx: &mut Ctx, i: usize) -> Option<Option<Redirect>> {
    let id = ctx.int_arg(i)?;
    let found = u64::try_from(id).ok().and_then(|id| Some(Redirect { conn: ctx.server.clients.by_id(id)?, id }));
    if found.is_none() {
        ctx.error("ERR The client ID you want redirect to does not exist");
        return None;
    }
    Some(found)
}

/// Whether the words go together, and with what the client has said before.
fn check(words: &Words, before: Option<&Tracking>) -> Result<(), Vec<u8>> {
    if !words.bcast && !words.prefixes.is_empty() {
        return Err(b"ERR PREFIX option requires BCAST mode to be enabled".into());
    }
    let mode_before = before.map(|before| before.mode);
    if mode_before.is_some_and(|mode| (mode == TrackingMode::Broadcast) != words.bcast) {
        return Err(b"ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.".into());
    }
    if words.bcast && (words.optin || words.optout) {
        return Err(b"ERR OPTIN and OPTOUT are not compatible with BCAST".into());
    }
    if words.optin && words.optout {
        return Err(b"ERR You can't specify both OPTIN mode and OPTOUT mode".into());
    }
    if words.optin && mode_before == Some(TrackingMode::OptOut) || words.optout && mode_before == Some(TrackingMode::OptIn) {
        return Err(
            b"ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.".into(),
        );
    }
    check_prefixes(&words.prefixes, before)
}

/// No prefix may begin with another one: the client would be told twice. The first for which that does not hold is named.
fn check_prefixes(prefixes: &[&[u8]], before: Option<&Tracking>) -> Result<(), Vec<u8>> {
    let error = |new: &[u8], which: &[u8], other: &[u8]| {
        Err([b"ERR Prefix '", new, b"' overlaps with ", which, b" '", other, b"'. Prefixes for a single client must not overlap."].concat())
    };
    let first = first_overlap(prefixes);
    for (i, new) in prefixes.iter().enumerate() {
        if let Some(old) = before.and_then(|before| before.overlapping(new)) {
            return error(new, b"an existing prefix", old);
        }
        if first == Some(i)
            && let Some(other) = prefixes[i + 1..].iter().find(|other| overlap(new, other))
        {
            return error(new, b"another provided prefix", other);
        }
    }
    Ok(())
}

/// The first of them that overlaps with another one. In their order what begins with a prefix is right behind it, so that each is compared with its
/// neighbours only, however many there are.
fn first_overlap(prefixes: &[&[u8]]) -> Option<usize> {
    let mut sorted: Vec<(&[u8], usize)> = prefixes.iter().enumerate().map(|(i, prefix)| (*prefix, i)).collect();
    sorted.sort_unstable();
    let mut first: Option<usize> = None;
    let mut shortest: Option<(&[u8], usize)> = None;
    for (prefix, i) in sorted {
        match shortest {
            Some((begin, at)) if prefix.starts_with(begin) => first = Some(first.unwrap_or(usize::MAX).min(at).min(i)),
            _ => shortest = Some((prefix, i)),
        }
    }
    first
}

pub(super) fn caching(ctx: &mut Ctx) {
    let (yes, no) = (ctx.is_word(2, "yes"), ctx.is_word(2, "no"));
    let Some(tracking) = &mut ctx.client_mut().tracking else {
        return ctx.error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
    };
    match tracking.mode {
        TrackingMode::OptIn if yes => tracking.caching = true,
        TrackingMode::OptOut if no => tracking.caching = true,
        _ if yes => return ctx.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
        _ if no => return ctx.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
        _ => return ctx.error(errors::SYNTAX),
    }
    ctx.out.ok();
}

/// The ID of the client that is told in this one's place: 0 for none, -1 where nobody is told.
pub(super) fn redirected_to(tracking: Option<&Tracking>) -> i64 {
    tracking.map_or(-1, |tracking| tracking.redirect.map_or(0, |redirect| redirect.id as i64))
}

pub(super) fn getredir(ctx: &mut Ctx) {
    let id = redirected_to(ctx.client().tracking.as_deref());
    ctx.out.int(id);
}

pub(super) fn trackinginfo(ctx: &mut Ctx) {
    let tracking = ctx.server.clients.get(ctx.conn).and_then(|client| client.tracking.as_deref());
    let mut flags = vec![if tracking.is_some() { "on" } else { "off" }];
    if let Some(tracking) = tracking {
        let caching = tracking.caching;
        match tracking.mode {
            TrackingMode::All => (),
            TrackingMode::Broadcast => flags.push("bcast"),
            TrackingMode::OptIn => flags.extend(["optin"].into_iter().chain(caching.then_some("caching-yes"))),
            TrackingMode::OptOut => flags.extend(["optout"].into_iter().chain(caching.then_some("caching-no"))),
        }
        flags.extend(tracking.no_loop.then_some("noloop"));
        flags.extend(tracking.is_redirect_broken.then_some("broken_redirect"));
    }
    let out = &mut *ctx.out;
    out.map(3);
    out.bulk(b"flags");
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"redirect");
    out.int(redirected_to(tracking));
    out.bulk(b"prefixes");
    out.array(tracking.map_or(0, |tracking| tracking.prefixes().len()));
    tracking.iter().flat_map(|tracking| tracking.prefixes()).for_each(|prefix| out.bulk(prefix));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    #[test]
    fn the_first_that_overlaps_is_found_as_by_comparing_each_with_each() {
        let mut rng = Rng::new(7);
        for _ in 0..20_000 {
            let mut word = || -> Vec<u8> { (0..rng.below(4)).map(|_| b'a' + rng.below(3) as u8).collect() };
            let words: Vec<Vec<u8>> = (0..5).map(|_| word()).collect();
            let prefixes: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let by_pairs = (0..5).find(|i| (0..5).any(|j| *i != j && overlap(prefixes[*i], prefixes[j])));
            assert_eq!(first_overlap(&prefixes), by_pairs, "{words:?}");
            // Each added by itself: those that are there overlap with none of each other, but for the empty one, which is added unasked.
            let mut tracking = Tracking::default();
            for prefix in &prefixes {
                let found = tracking.prefixes().iter().find(|old| overlap(prefix, old));
                assert_eq!(tracking.overlapping(prefix), found.map(|old| &**old), "{words:?}");
                if found.is_none() || prefix.is_empty() {
                    tracking.add_prefix((*prefix).into());
                }
            }
        }
    }
}
