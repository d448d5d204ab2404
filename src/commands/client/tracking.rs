//! CLIENT TRACKING and what belongs to it: nothing is tracked, so whoever asks for it is told so.

use crate::commands::{Ctx, context::errors};

pub(super) fn tracking(ctx: &mut Ctx) {
    if !check_options(ctx) {
        return;
    }
    if ctx.is_word(2, "off") {
        ctx.out.ok();
    } else if ctx.is_word(2, "on") {
        // A client that believed it would serve stale values for ever.
        ctx.error("ERR Client side caching is not supported by this server");
    } else {
        ctx.error(errors::SYNTAX);
    }
}

/// Whether the options could be right; answers with an error when not.
fn check_options(ctx: &mut Ctx) -> bool {
    let mut redirected = false;
    let mut i = 3;
    while i < ctx.argc() {
        let more = i + 1 < ctx.argc();
        if ctx.is_word(i, "redirect") && more {
            if redirected {
                ctx.error("ERR A client can only redirect to a single other client");
                return false;
            }
            let Some(id) = ctx.int_arg(i + 1) else { return false };
            if u64::try_from(id).ok().and_then(|id| ctx.server.clients.by_id(id)).is_none() {
                ctx.error("ERR The client ID you want redirect to does not exist");
                return false;
            }
            redirected = true;
            i += 2;
        } else if ctx.is_word(i, "prefix") && more {
            i += 2;
        } else if ["bcast", "optin", "optout", "noloop"].iter().any(|word| ctx.is_word(i, word)) {
            i += 1;
        } else {
            ctx.error(errors::SYNTAX);
            return false;
        }
    }
    true
}

pub(super) fn caching(ctx: &mut Ctx) {
    ctx.error("ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled");
}

pub(super) fn getredir(ctx: &mut Ctx) {
    ctx.out.int(-1);
}

pub(super) fn trackinginfo(ctx: &mut Ctx) {
    ctx.out.map(3);
    ctx.out.bulk(b"flags");
    ctx.out.set(1);
    ctx.out.bulk(b"off");
    ctx.out.bulk(b"redirect");
    ctx.out.int(-1);
    ctx.out.bulk(b"prefixes");
    ctx.out.array(0);
}
