//! Clients that wait: CLIENT PAUSE, UNPAUSE and UNBLOCK.

use crate::{commands::Ctx, data::number, state::Pause};

pub(super) fn pause(ctx: &mut Ctx) {
    let writes_only = match ctx.argc() {
        3 => false,
        4 if ctx.is_word(3, "write") => true,
        4 if ctx.is_word(3, "all") => false,
        4 => return ctx.error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        _ => return too_many_arguments(ctx),
    };
    let Some(timeout_ms) = number::parse_i64(ctx.arg(2)) else {
        return ctx.error("ERR timeout is not an integer or out of range");
    };
    if timeout_ms < 0 {
        return ctx.error("ERR timeout is negative");
    }
    let Some(until_ms) = ctx.now_ms().checked_add(timeout_ms) else {
        return ctx.error("ERR timeout is out of range");
    };
    let asked = Pause { writes_only, until_ms };
    let now_ms = ctx.now_ms();
    ctx.server.pause = Some(match ctx.server.pause.filter(|lasting| lasting.until_ms > now_ms) {
        // A second pause makes the first neither shorter nor milder.
        Some(lasting) => Pause { writes_only: asked.writes_only && lasting.writes_only, until_ms: asked.until_ms.max(lasting.until_ms) },
        None => asked,
    });
    ctx.server.hold_expired();
    ctx.out.ok();
}

pub(super) fn unpause(ctx: &mut Ctx) {
    ctx.server.pause = None;
    // Until the end of the turn, when whoever waited goes on, unless something else goes on with it.
    ctx.server.hold_expired();
    ctx.out.ok();
}

pub(super) fn unblock(ctx: &mut Ctx) {
    if ctx.argc() > 4 {
        return too_many_arguments(ctx);
    }
    if ctx.argc() == 4 && !ctx.is_word(3, "timeout") && !ctx.is_word(3, "error") {
        return ctx.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
    let Some(id) = ctx.int_arg(2) else { return };
    let error = (ctx.argc() == 4 && ctx.is_word(3, "error")).then_some("UNBLOCKED client unblocked via CLIENT UNBLOCK");
    // A client held back by a pause is not blocked in this sense.
    let found = u64::try_from(id).ok().and_then(|id| ctx.server.clients.by_id(id));
    let ended = found.is_some_and(|conn| ctx.server.unblock(conn, error));
    ctx.out.int(i64::from(ended));
}

fn too_many_arguments(ctx: &mut Ctx) {
    ctx.error([b"ERR unknown subcommand or wrong number of arguments for '", ctx.arg(1), b"'. Try CLIENT HELP."].concat());
}
