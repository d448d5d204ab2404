//! FUNCTION LIST and STATS.

use crate::{
    commands::Ctx,
    data::glob,
    resp::output::Output,
    scripting::{ScriptFlags, functions::Library},
};

pub fn list(ctx: &mut Ctx) {
    let (mut pattern, mut with_code, mut at) = (None, false, 2);
    while at < ctx.argc() {
        if !with_code && ctx.is_word(at, "withcode") {
            with_code = true;
        } else if pattern.is_none() && ctx.is_word(at, "libraryname") {
            at += 1;
            if at >= ctx.argc() {
                return ctx.error("ERR library name argument was not given");
            }
            pattern = Some(ctx.arg(at));
        } else {
            return ctx.error([b"ERR Unknown argument ", ctx.arg(at)].concat());
        }
        at += 1;
    }
    let wanted = |library: &&Library| pattern.is_none_or(|pattern| glob::matches(pattern, &library.name, true));
    let functions = &ctx.server.functions;
    ctx.out.array(functions.libraries().filter(wanted).count());
    for library in functions.libraries().filter(wanted) {
        show(ctx.out, library, with_code);
    }
}

fn show(out: &mut Output, library: &Library, with_code: bool) {
    out.map(if with_code { 4 } else { 3 });
    out.bulk(b"library_name");
    out.bulk(&library.name);
    out.bulk(b"engine");
    out.bulk(b"LUA");
    out.bulk(b"functions");
    out.array(library.functions.len());
    for function in &library.functions {
        out.map(3);
        out.bulk(b"name");
        out.bulk(&function.name);
        out.bulk(b"description");
        match &function.description {
            Some(text) => out.bulk(text),
            None => out.null(),
        }
        out.bulk(b"flags");
        let flags = names(function.flags);
        out.set(flags.len());
        flags.iter().for_each(|name| out.simple(name));
    }
    if with_code {
        out.bulk(b"library_code");
        out.bulk(&library.code);
    }
}

/// The names of what a function promises, as it was told.
fn names(flags: ScriptFlags) -> Vec<&'static str> {
    let all = [
        (flags.no_writes, "no-writes"),
        (flags.allow_oom, "allow-oom"),
        (flags.allow_stale, "allow-stale"),
        (flags.no_cluster, "no-cluster"),
        (flags.allow_cross_slot, "allow-cross-slot-keys"),
    ];
    all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
}

pub fn stats(ctx: &mut Ctx) {
    // What runs is shown while it is too slow: before that nobody can look.
    ctx.out.map(2);
    ctx.out.bulk(b"running_script");
    match ctx.server.scripts.running_function(ctx.server.host.nanos()) {
        Some(running) => {
            ctx.out.map(3);
            ctx.out.bulk(b"name");
            ctx.out.bulk(&running.name);
            ctx.out.bulk(b"command");
            ctx.out.array(running.args.len());
            running.args.iter().for_each(|arg| ctx.out.bulk(arg));
            ctx.out.bulk(b"duration_ms");
            ctx.out.int(running.ms as i64);
        }
        None => ctx.out.null(),
    }
    let functions = &ctx.server.functions;
    let (libraries, functions) = (functions.len(), functions.function_count());
    ctx.out.bulk(b"engines");
    ctx.out.map(1);
    ctx.out.bulk(b"LUA");
    ctx.out.map(2);
    ctx.out.bulk(b"libraries_count");
    ctx.out.len_int(libraries);
    ctx.out.bulk(b"functions_count");
    ctx.out.len_int(functions);
}
