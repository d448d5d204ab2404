//! What is asked about the places of single members.

use super::{reply_distance, reply_point, unit_arg};
use crate::{
    commands::{
        Ctx,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::{
        geo::{cell, distance},
        zset::Zset,
    },
    keyspace::WrongType,
    resp::output::Output,
};

fn geodist(ctx: &mut Ctx) {
    let unit = match ctx.argc() {
        4 => 1.0,
        5 => match unit_arg(ctx, 4) {
            Some(unit) => unit,
            None => return,
        },
        _ => return ctx.error(errors::SYNTAX),
    };
    let (from, to) = (ctx.arg(2), ctx.arg(3));
    let scores = ctx.read_as::<Zset>(1).map(|zset| zset.and_then(|zset| Some((zset.score(from)?, zset.score(to)?))));
    match scores {
        Err(WrongType) => ctx.wrong_type(),
        Ok(None) => ctx.out.null(),
        Ok(Some((from, to))) => reply_distance(ctx.out, distance::meters(cell::point(from), cell::point(to)) / unit),
    }
}

/// Answers with something for the score of each member, and with something else for one that is not there.
fn each_member(ctx: &mut Ctx<'_>, there: impl Fn(&mut Output, f64), missing: impl Fn(&mut Output)) {
    let (hash, key, args) = (ctx.hash(1), ctx.arg(1), ctx.args);
    let zset = match ctx.server.keyspace.read_as::<Zset>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(zset) => zset,
    };
    ctx.out.array(args.len() - 2);
    for member in args.iter().skip(2) {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => there(ctx.out, score),
            None => missing(ctx.out),
        }
    }
}

fn geohash(ctx: &mut Ctx) {
    each_member(ctx, |out, score| out.bulk(&cell::text(cell::point(score))), Output::null);
}

fn geopos(ctx: &mut Ctx) {
    each_member(ctx, |out, score| reply_point(out, cell::point(score)), Output::null_array);
}

const KEY: &[KeySpec] = &[KeySpec::one(1, k::RO | k::ACCESS)];

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("geodist", geodist, -4, READONLY)
        .since(Group::Geo, "3.2.0")
        .doc("Tells how far apart two members are.", "O(1)")
        .args("key member1:string member2:string [unit:(M|KM|FT|MI)]")
        .keys(KEY)
        .element(2),
    command("geohash", geohash, -2, READONLY)
        .since(Group::Geo, "3.2.0")
        .doc("Returns the places of members as geohashes of eleven characters.", "O(1) for each member.")
        .args("key [member:string...]")
        .keys(KEY)
        .element(2),
    command("geopos", geopos, -2, READONLY)
        .since(Group::Geo, "3.2.0")
        .doc("Returns the longitudes and latitudes of members.", "O(1) for each member.")
        .args("key [member:string...]")
        .keys(KEY)
        .element(2),
];
