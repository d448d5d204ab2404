//! Users, categories, and the log of refusals are shown.

use crate::{
    acl::{self, Selector},
    commands::{Ctx, command::categories, context::errors},
    data::number,
    resp::output::Output,
};

/// Bits of a password at most.
const PASSWORD_BITS_MAX: i64 = 4096;
/// Bits of a password unless somebody says otherwise.
const PASSWORD_BITS: i64 = 256;
/// Entries of the log that are shown unless somebody says otherwise.
const LOG_SHOWN: usize = 10;

pub(super) fn whoami(ctx: &mut Ctx) {
    let name = ctx.server.username(ctx.client()).to_vec();
    ctx.out.bulk(&name);
}

pub(super) fn users(ctx: &mut Ctx) {
    let names: Vec<Vec<u8>> = ctx.server.users.iter().map(|(_, user)| user.name().to_vec()).collect();
    ctx.out.array(names.len());
    names.iter().for_each(|name| ctx.out.bulk(name));
}

pub(super) fn list(ctx: &mut Ctx) {
    let lines = ctx.server.users.lines();
    ctx.out.array(lines.len());
    lines.iter().for_each(|line| ctx.out.bulk(line));
}

pub(super) fn getuser(ctx: &mut Ctx) {
    let found = ctx.server.users.find(ctx.arg(2)).and_then(|id| ctx.server.users.get(id));
    let Some(user) = found else { return ctx.out.null() };
    // Redis knows no rules for databases, and its clients no such field.
    let by_database = user.selectors().iter().any(Selector::limits_databases);
    let out = &mut *ctx.out;
    out.map(6 + usize::from(by_database));
    out.bulk(b"flags");
    let flags = user.flags();
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"passwords");
    let passwords: Vec<String> = user.passwords().collect();
    out.array(passwords.len());
    passwords.iter().for_each(|password| out.bulk(password.as_bytes()));
    let Some((root, others)) = user.selectors().split_first() else { return };
    show_rules(out, root, by_database);
    out.bulk(b"selectors");
    out.array(others.len());
    for selector in others {
        out.map(3 + usize::from(by_database));
        show_rules(out, selector, by_database);
    }
}

fn show_rules(out: &mut Output, selector: &Selector, by_database: bool) {
    for (name, text) in [
        ("commands", selector.describe_commands().into_bytes()),
        ("keys", selector.describe_keys()),
        ("channels", selector.describe_channels()),
    ] {
        out.bulk(name.as_bytes());
        out.bulk(&text);
    }
    if by_database {
        out.bulk(b"databases");
        out.bulk(selector.describe_databases().as_bytes());
    }
}

pub(super) fn cat(ctx: &mut Ctx) {
    match ctx.argc() {
        2 => {
            ctx.out.array(categories::NAMES.len());
            categories::NAMES.iter().for_each(|name| ctx.out.bulk(name.as_bytes()));
        }
        3 => {
            let name = ctx.arg(2);
            let Some(category) = categories::named(name) else {
                return ctx.error([b"ERR Unknown category '", name, b"'"].concat());
            };
            let registry = ctx.registry;
            let with_subcommands = |id| std::iter::once(id).chain(registry.subcommands(id).iter().copied());
            let members = registry.top_level().flat_map(with_subcommands).filter(|id| registry.get(*id).categories_all() & category != 0);
            let names: Vec<&str> = members.map(|id| registry.full_name(id)).collect();
            ctx.out.array(names.len());
            names.iter().for_each(|name| ctx.out.bulk(name.as_bytes()));
        }
        _ => crate::commands::help::unknown_subcommand(ctx),
    }
}

pub(super) fn genpass(ctx: &mut Ctx) {
    let bits = match ctx.argc() {
        2 => Some(PASSWORD_BITS),
        3 => number::parse_i64(ctx.arg(2)),
        _ => return crate::commands::help::unknown_subcommand(ctx),
    };
    let Some(bits) = bits else { return ctx.error(errors::NOT_INTEGER) };
    if !(1..=PASSWORD_BITS_MAX).contains(&bits) {
        return ctx.error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096");
    }
    let bits = bits.unsigned_abs() as usize;
    let secret = ctx.server.host.secret(bits.div_ceil(8));
    ctx.out.bulk(acl::password(bits, &secret).as_bytes());
}

pub(super) fn log(ctx: &mut Ctx) {
    let most = match ctx.argc() {
        2 => LOG_SHOWN,
        3 if ctx.is_word(2, "reset") => {
            ctx.server.acl_log.clear();
            return ctx.out.ok();
        }
        3 => match number::parse_i64(ctx.arg(2)) {
            Some(count) => usize::try_from(count).unwrap_or(0),
            None => return ctx.error(errors::NOT_INTEGER),
        },
        _ => return crate::commands::help::unknown_subcommand(ctx),
    };
    let now_ms = ctx.now_ms();
    let (out, log) = (&mut *ctx.out, &ctx.server.acl_log);
    out.array(log.iter().take(most).count());
    for entry in log.iter().take(most) {
        let text = |out: &mut Output, name: &str, text: &[u8]| {
            out.bulk(name.as_bytes());
            out.bulk(text);
        };
        out.map(10);
        out.bulk(b"count");
        out.int(entry.count as i64);
        text(out, "reason", entry.refusal.reason.name().as_bytes());
        text(out, "context", entry.refusal.context.name().as_bytes());
        text(out, "object", &entry.refusal.object);
        text(out, "username", &entry.refusal.username);
        out.bulk(b"age-seconds");
        let age_ms = (now_ms - entry.updated_ms).max(0);
        out.double_text(format!("{}", age_ms as f64 / 1000.0).as_bytes());
        text(out, "client-info", &entry.client);
        for (name, number) in
            [("entry-id", entry.id as i64), ("timestamp-created", entry.created_ms), ("timestamp-last-updated", entry.updated_ms)]
        {
            out.bulk(name.as_bytes());
            out.int(number);
        }
    }
}
