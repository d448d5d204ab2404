//! GEOSEARCH, GEOSEARCHSTORE and their elders: the members in an area.

use super::{
    options::{self, SearchKind, SearchOptions},
    reply_distance, reply_point,
};
use crate::{
    commands::{
        Ctx,
        command::{Begin, Command, Find, Group, KeySpec, command, flags::*, key_flags as k},
        context::Event,
        storing,
        zsets::{limits, reply_member},
    },
    data::{
        geo::{
            cell,
            search::{self, Found},
        },
        zset::{Gathering, Zset},
    },
    keyspace::WrongType,
    resp::output::Output,
};

fn search(ctx: &mut Ctx<'_>, kind: SearchKind, may_store: bool) {
    let is_there = match ctx.read_as::<Zset>(kind.source()) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(zset) => zset.is_some(),
    };
    let Some(options) = options::parse(ctx, kind, may_store, is_there) else { return };
    if let Some(key) = options.store {
        let event = if kind == SearchKind::SearchStore { "geosearchstore" } else { "georadiusstore" };
        return store(ctx, kind, key, &options, event);
    }
    let (hash, key) = (ctx.hash(kind.source()), ctx.arg(kind.source()));
    let found = found(ctx.server.keyspace.seen_as(ctx.db, hash, key), &options);
    ctx.out.array(found.len());
    found.iter().for_each(|found| reply(ctx.out, found, &options));
}

fn found<'a>(zset: Option<&'a Zset>, options: &SearchOptions) -> Vec<Found<'a>> {
    match (zset, &options.area) {
        (Some(zset), Some(area)) => search::search(zset, area, options.wanted),
        _ => Vec::new(),
    }
}

/// How many meters a distance is counted in.
fn unit(options: &SearchOptions) -> f64 {
    options.area.as_ref().map_or(1.0, |area| area.unit)
}

fn reply(out: &mut Output, found: &Found<'_>, options: &SearchOptions) {
    let with = options.with;
    let parts = usize::from(with.distance) + usize::from(with.score) + usize::from(with.point);
    if parts > 0 {
        out.array(1 + parts);
    }
    reply_member(out, found.member.item());
    if with.distance {
        reply_distance(out, found.distance / unit(options));
    }
    if with.score {
        out.int(found.score as i64);
    }
    if with.point {
        reply_point(out, cell::point(found.score));
    }
}

/// Makes the result the sorted set at argument `to`, whatever was there; no result is no sorted set.
fn store(ctx: &mut Ctx<'_>, kind: SearchKind, to: usize, options: &SearchOptions, event: &'static str) {
    let limits = limits(ctx);
    let (hash, key) = (ctx.hash(kind.source()), ctx.arg(kind.source()));
    let mut result = Gathering::new(limits.seed);
    for found in found(ctx.server.keyspace.seen_as(ctx.db, hash, key), options) {
        let score = if options.store_distances { found.distance / unit(options) } else { found.score };
        result.insert_new(found.member.item().text(&mut itoa::Buffer::new()), score);
    }
    let result = result.finish(limits);
    let len = result.len();
    storing::store(ctx, to, result, len, Event('z', event));
    ctx.server.keyspace.dirty += len.saturating_sub(1) as u64;
}

fn georadius(ctx: &mut Ctx) {
    search(ctx, SearchKind::Radius, true);
}

fn georadius_ro(ctx: &mut Ctx) {
    search(ctx, SearchKind::Radius, false);
}

fn georadiusbymember(ctx: &mut Ctx) {
    search(ctx, SearchKind::RadiusByMember, true);
}

fn georadiusbymember_ro(ctx: &mut Ctx) {
    search(ctx, SearchKind::RadiusByMember, false);
}

fn geosearch(ctx: &mut Ctx) {
    search(ctx, SearchKind::Search, false);
}

fn geosearchstore(ctx: &mut Ctx) {
    search(ctx, SearchKind::SearchStore, true);
}

const SOURCE: KeySpec = KeySpec::one(1, k::RO | k::ACCESS);

/// The key behind a word, looked for from an argument on.
const fn behind(word: &'static str, from: i32) -> KeySpec {
    KeySpec { begin: Begin::Keyword(word, from), find: Find::Range { last: 0, step: 1, limit: 0 }, flags: k::OW | k::UPDATE, notes: None }
}

const COST: &str = "O(N+M*log(M)) for N members in the cells around the area, M of them in it.";
const ANY: (&str, &str) = ("6.2.0", "`ANY`.");
const CAPITALS: (&str, &str) = ("7.0.0", "Units in capital letters.");
const POLYGON: (&str, &str) = ("9.0.0", "`BYPOLYGON`, of Valkey.");

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("georadius", georadius, -6, WRITE | DENYOOM)
        .since(Group::Geo, "3.2.0")
        .doc("Returns or stores the members that are within a radius of a point.", COST)
        .args(
            "key longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             [count-block:(COUNT count:integer [ANY])] [order:(ASC|DESC)] [store:(STORE storekey<key>:key@1|STOREDIST storedistkey<key>:key@2)]",
        )
        .keys(&[SOURCE, behind("STORE", 6), behind("STOREDIST", 6)])
        .history(&[ANY, CAPITALS])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument"),
    command("georadius_ro", georadius_ro, -6, READONLY)
        .since(Group::Geo, "3.2.10")
        .doc("Returns the members that are within a radius of a point.", COST)
        .args(
            "key longitude:double latitude:double radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             [count-block:(COUNT count:integer [ANY])] [order:(ASC|DESC)]",
        )
        .keys(&[SOURCE])
        .history(&[ANY, CAPITALS])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument"),
    command("georadiusbymember", georadiusbymember, -5, WRITE | DENYOOM)
        .since(Group::Geo, "3.2.0")
        .doc("Returns or stores the members that are within a radius of a member.", COST)
        .args(
            "key member:string radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             [count-block:(COUNT count:integer [ANY])] [order:(ASC|DESC)] [store:(STORE storekey<key>:key@1|STOREDIST storedistkey<key>:key@2)]",
        )
        .keys(&[SOURCE, behind("STORE", 5), behind("STOREDIST", 5)])
        .history(&[ANY, CAPITALS])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    command("georadiusbymember_ro", georadiusbymember_ro, -5, READONLY)
        .since(Group::Geo, "3.2.10")
        .doc("Returns the members that are within a radius of a member.", COST)
        .args(
            "key member:string radius:double unit:(M|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             [count-block:(COUNT count:integer [ANY])] [order:(ASC|DESC)]",
        )
        .keys(&[SOURCE])
        .history(&[ANY, CAPITALS])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    command("geosearch", geosearch, -7, READONLY)
        .since(Group::Geo, "6.2.0")
        .doc("Returns the members that are in a circle, a box or a polygon.", COST)
        .args(
            "key [from:(FROMMEMBER member:string|FROMLONLAT (longitude:double latitude:double))] \
             by:(circle:(BYRADIUS radius:double unit:(M|KM|FT|MI))|box:(BYBOX width:double height:double unit:(M|KM|FT|MI))|\
             polygon:(BYPOLYGON num-vertices:integer vertices:(longitude:double latitude:double)...)) \
             [order:(ASC|DESC)] [count-block:(COUNT count:integer [ANY])] [WITHCOORD] [WITHDIST] [WITHHASH]",
        )
        .keys(&[SOURCE])
        .history(&[CAPITALS, POLYGON]),
    command("geosearchstore", geosearchstore, -8, WRITE | DENYOOM)
        .since(Group::Geo, "6.2.0")
        .doc("Stores the members that are in a circle, a box or a polygon, with their places or distances.", COST)
        .args(
            "destination source [from:(FROMMEMBER member:string|FROMLONLAT (longitude:double latitude:double))] \
             by:(circle:(BYRADIUS radius:double unit:(M|KM|FT|MI))|box:(BYBOX width:double height:double unit:(M|KM|FT|MI))|\
             polygon:(BYPOLYGON num-vertices:integer vertices:(longitude:double latitude:double)...)) \
             [order:(ASC|DESC)] [count-block:(COUNT count:integer [ANY])] [STOREDIST]",
        )
        .keys(&[KeySpec::one(1, k::OW | k::UPDATE), KeySpec::one(2, k::RO | k::ACCESS)])
        .history(&[CAPITALS, POLYGON]),
];
