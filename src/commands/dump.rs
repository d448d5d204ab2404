//! DUMP and RESTORE: values as bytes that another server can take.

use super::{
    Ctx,
    command::{Command, Group, KeySpec, categories, command, flags::*, key_flags as k},
    context::{Event, NEW, errors},
    deadline,
};
use crate::{
    data::entry::NEVER,
    keyspace::ExpireMode,
    persist::rdb::{
        Settings, Shapes,
        payload::{self, Refused, Restoring},
    },
    resp::request::OwnedArgs,
};
use bytes::Bytes;

fn dump(ctx: &mut Ctx) {
    let settings = Settings::from_config(&ctx.server.config);
    match ctx.read(1).map(|entry| payload::dump(entry, settings)) {
        Some(payload) => ctx.out.bulk_shared(&Bytes::from(payload)),
        None => ctx.out.null(),
    }
}

/// RESTORE's options.
#[derive(Default)]
struct RestoreOptions {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

impl RestoreOptions {
    /// Reads them; answers with an error when they are no good.
    fn parse(ctx: &mut Ctx<'_>) -> Option<Self> {
        let mut options = Self::default();
        let mut i = 4;
        while i < ctx.argc() {
            let has_more = i + 1 < ctx.argc();
            if ctx.is_word(i, "replace") {
                options.replace = true;
            } else if ctx.is_word(i, "absttl") {
                options.absolute = true;
            } else if ctx.is_word(i, "idletime") && has_more && options.frequency.is_none() {
                i += 1;
                let Ok(seconds) = u64::try_from(ctx.int_arg(i)?) else {
                    ctx.error("ERR Invalid IDLETIME value, must be >= 0");
                    return None;
                };
                options.idle_seconds = Some(seconds);
            } else if ctx.is_word(i, "freq") && has_more && options.idle_seconds.is_none() {
                i += 1;
                let Ok(frequency) = u8::try_from(ctx.int_arg(i)?) else {
                    ctx.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
                    return None;
                };
                options.frequency = Some(frequency);
            } else {
                ctx.error(errors::SYNTAX);
                return None;
            }
            i += 1;
        }
        Some(options)
    }
}

fn restore(ctx: &mut Ctx) {
    let Some(options) = RestoreOptions::parse(ctx) else { return };
    let (db, hash, key) = (ctx.db, ctx.hash(1), ctx.arg(1));
    if !options.replace && ctx.write(1).is_some() {
        return ctx.error("BUSYKEY Target key name already exists.");
    }
    let Some(ttl) = ctx.int_arg(2) else { return };
    if ttl < 0 {
        return ctx.error("ERR Invalid TTL value, must be >= 0");
    }
    let now_ms = ctx.now_ms();
    let at = match ttl {
        0 => None,
        at if options.absolute => Some(at),
        // Redis lets it overflow.
        span => Some(span.saturating_add(now_ms)),
    };
    let shapes = Shapes::from_config(&ctx.server.config, ctx.server.keyspace.seed());
    let how = Restoring { verify: !ctx.server.skip_checksums, shapes };
    let mut entry = match payload::restore(ctx.arg(3), key, at.map_or(NEVER, deadline::storable), how) {
        Ok(entry) => entry,
        Err(Refused::Footer) => return ctx.error("ERR DUMP payload version or checksum are wrong"),
        Err(Refused::Value) => return ctx.error("ERR Bad data format"),
    };
    let keyspace = &mut ctx.server.keyspace;
    let replaced = options.replace && keyspace.remove(db, hash, key).is_some();
    if at.is_some_and(|at| at <= now_ms) && keyspace.expire_mode == ExpireMode::Delete {
        if replaced {
            ctx.changed(1, Event('g', "del"));
            let name: &[u8] = if ctx.server.config.lazyfree_lazy_server_del { b"UNLINK" } else { b"DEL" };
            ctx.log_instead(&[name, key]);
        }
        return ctx.out.ok();
    }
    keyspace.access.restored(&mut entry, options.idle_seconds, options.frequency, now_ms);
    keyspace.adopt(db, hash, entry);
    ctx.notify(key, NEW);
    ctx.changed(1, Event('g', "restore"));
    ctx.out.ok();
    if let Some(at) = at
        && !options.absolute
        && ctx.is_logged()
    {
        let mut absolute = OwnedArgs::default();
        ctx.keep_args(&mut absolute, 0..2);
        absolute.push(itoa::Buffer::new().format(at).as_bytes());
        ctx.keep_args(&mut absolute, 3..ctx.argc());
        absolute.push(b"ABSTTL");
        ctx.log_owned(absolute);
    }
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("dump", dump, 2, READONLY)
        .since(Group::Generic, "2.6.0")
        .doc("Returns the value at a key as bytes that `RESTORE` takes.", "O(N) for the N bytes of the value.")
        .args("key")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"]),
    command("restore", restore, -4, WRITE | DENYOOM)
        .since(Group::Generic, "2.6.0")
        .doc("Puts a value under a key from the bytes that `DUMP` made of it.", "O(N) for the N bytes of the value.")
        .args("key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] [FREQ frequency:integer]")
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE)])
        .categories(categories::DANGEROUS)
        .history(&[("3.0.0", "`REPLACE`."), ("5.0.0", "`ABSTTL`."), ("5.0.0", "`IDLETIME` and `FREQ`.")]),
];
