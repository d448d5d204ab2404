//! FUNCTION DUMP and RESTORE: all libraries as bytes that another server can take.

use super::changed;
use crate::{
    commands::Ctx,
    persist::rdb::{Settings, libraries},
};
use bytes::Bytes;

pub fn dump(ctx: &mut Ctx) {
    let settings = Settings::from_config(&ctx.server.config);
    let codes = ctx.server.functions.libraries().map(|library| &library.code[..]);
    let payload = libraries::dump(codes, settings);
    ctx.out.bulk_shared(&Bytes::from(payload));
}

/// What becomes of the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// All of them go.
    Flush,
    /// They stay, and none may be in the payload too.
    Append,
    /// Those that are in the payload too go.
    Replace,
}

pub fn restore(ctx: &mut Ctx) {
    let policy = match ctx.argc() {
        3 => Policy::Append,
        4 if ctx.is_word(3, "append") => Policy::Append,
        4 if ctx.is_word(3, "flush") => Policy::Flush,
        4 if ctx.is_word(3, "replace") => Policy::Replace,
        4 => return ctx.error("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."),
        _ => return ctx.error("ERR unknown subcommand or wrong number of arguments for 'restore'. Try FUNCTION HELP."),
    };
    let codes = match libraries::restore(ctx.arg(2), !ctx.server.skip_checksums) {
        Ok(codes) => codes,
        Err(libraries::Refused::Footer) => return ctx.error("ERR DUMP payload version or checksum are wrong"),
        Err(libraries::Refused::NoFunction) => return ctx.error("ERR given type is not a function"),
        Err(libraries::Refused::Broken) => return ctx.error("ERR Failed loading library data"),
    };
    let new = match ctx.server.run_libraries(&codes) {
        Ok(new) => new,
        Err(text) => return ctx.error(text),
    };
    // What is there stays where the new cannot all be taken.
    let old = if policy == Policy::Flush { ctx.server.functions.take_all() } else { Vec::new() };
    match ctx.server.add_libraries(new, policy == Policy::Replace) {
        Ok(()) => {
            ctx.server.release_libraries(old);
            changed(ctx);
            ctx.out.ok();
        }
        Err(text) => {
            let back = ctx.server.add_libraries(old, false);
            debug_assert!(back.is_ok(), "they were together before");
            // Without the quotes that FUNCTION LOAD puts around a library's name.
            let is_library = text.starts_with(b"ERR Library '");
            ctx.error(if is_library { text.into_iter().filter(|byte| *byte != b'\'').collect() } else { text });
        }
    }
}
