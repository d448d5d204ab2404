//! What a client sets for itself: CLIENT REPLY, NO-EVICT and NO-TOUCH.

use crate::{
    commands::{Ctx, context::errors},
    state::client::ReplyMode,
};

pub(super) fn reply(ctx: &mut Ctx) {
    if ctx.is_word(2, "on") {
        ctx.client_mut().reply = ReplyMode::On;
        ctx.out.ok();
    } else if ctx.is_word(2, "off") {
        ctx.client_mut().reply = ReplyMode::Off;
    } else if ctx.is_word(2, "skip") {
        let client = ctx.client_mut();
        if client.reply != ReplyMode::Off {
            client.reply = ReplyMode::SkipNext;
        }
    } else {
        ctx.error(errors::SYNTAX);
    }
}

pub(super) fn no_evict(ctx: &mut Ctx) {
    if let Some(on) = on_or_off(ctx) {
        ctx.client_mut().no_evict = on;
        ctx.out.ok();
    }
}

pub(super) fn no_touch(ctx: &mut Ctx) {
    if let Some(on) = on_or_off(ctx) {
        ctx.client_mut().no_touch = on;
        ctx.out.ok();
    }
}

fn on_or_off(ctx: &mut Ctx) -> Option<bool> {
    if ctx.is_word(2, "on") {
        return Some(true);
    }
    if ctx.is_word(2, "off") {
        return Some(false);
    }
    ctx.error(errors::SYNTAX);
    None
}
