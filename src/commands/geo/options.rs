//! The arguments of a search.

use super::{point_arg, unit_arg};
use crate::{
    commands::{Ctx, context::errors},
    data::{
        float,
        geo::{
            Point,
            area::{Area, AreaShape},
            cell,
            search::{Order, Wanted},
        },
        number,
        zset::Zset,
    },
};

/// Which of the commands it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SearchKind {
    /// GEORADIUS: around a point.
    Radius,
    /// GEORADIUSBYMEMBER.
    RadiusByMember,
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl SearchKind {
    /// Argument index of the sorted set that is searched.
    pub fn source(self) -> usize {
        if self == Self::SearchStore { 2 } else { 1 }
    }

    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }
}

/// What to answer of each member, beside itself.
#[derive(Clone, Copy, Default)]
pub struct With {
    pub distance: bool,
    pub score: bool,
    pub point: bool,
}

/// A search as it was asked for.
pub struct SearchOptions {
    /// `None` when the sorted set is missing, and there is nothing to search.
    pub area: Option<Area>,
    pub wanted: Wanted,
    pub with: With,
    /// Argument index of the key for the result.
    pub store: Option<usize>,
    /// The scores of the result are distances.
    pub store_distances: bool,
}

/// What has been read so far.
struct OptionsParser<'c, 'a> {
    ctx: &'c mut Ctx<'a>,
    kind: SearchKind,
    /// The sorted set is there.
    is_there: bool,
    center: Option<Point>,
    from_member: bool,
    from_point: bool,
    shape: Option<(AreaShape, f64)>,
    polygon: Option<Vec<Point>>,
}

impl OptionsParser<'_, '_> {
    fn fail<T>(&mut self, text: &str) -> Option<T> {
        self.ctx.error(text);
        None
    }

    /// The place of the member at argument `i`, if there is anything to search.
    fn member(&mut self, i: usize) -> Option<()> {
        if !self.is_there {
            return Some(());
        }
        let (hash, key) = (self.ctx.hash(self.kind.source()), self.ctx.arg(self.kind.source()));
        let zset = self.ctx.server.keyspace.seen_as::<Zset>(self.ctx.db, hash, key);
        match zset.and_then(|zset| zset.score(self.ctx.arg(i))) {
            Some(score) => self.center = Some(cell::point(score)),
            None => return self.fail("ERR could not decode requested zset member"),
        }
        Some(())
    }

    /// A radius and its unit from argument `i` on.
    fn circle(&mut self, i: usize) -> Option<()> {
        let Some(radius) = float::parse(self.ctx.arg(i)) else { return self.fail("ERR need numeric radius") };
        if radius < 0.0 {
            return self.fail("ERR radius cannot be negative");
        }
        self.shape = Some((AreaShape::Circle { radius }, unit_arg(self.ctx, i + 1)?));
        Some(())
    }

    /// A width, a height and their unit from argument `i` on.
    fn rectangle(&mut self, i: usize) -> Option<()> {
        let Some(width) = float::parse(self.ctx.arg(i)) else { return self.fail("ERR need numeric width") };
        let Some(height) = float::parse(self.ctx.arg(i + 1)) else { return self.fail("ERR need numeric height") };
        if width < 0.0 || height < 0.0 {
            return self.fail("ERR height or width cannot be negative");
        }
        self.shape = Some((AreaShape::Box { width, height }, unit_arg(self.ctx, i + 2)?));
        Some(())
    }

    /// A number of corners and the corners from argument `i` on. Returns how many arguments that are.
    fn corners(&mut self, i: usize) -> Option<usize> {
        let Some(count) = number::parse_i64(self.ctx.arg(i)).filter(|count| i32::try_from(*count).is_ok()) else {
            return self.fail("ERR invalid number of vertices");
        };
        let possible = (self.ctx.argc() - i - 1) / 2;
        let Some(count) = usize::try_from(count).ok().filter(|count| (3..=possible).contains(count)) else {
            return self.fail("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
        };
        let corners: Option<Vec<Point>> = (0..count).map(|n| point_arg(self.ctx, i + 1 + 2 * n)).collect();
        self.polygon = Some(corners?);
        Some(1 + 2 * count)
    }

    /// An option of GEOSEARCH that says where, at argument `i`. Returns how many arguments belong to it; 0 when it is none.
    fn place(&mut self, i: usize) -> Option<usize> {
        let left = self.ctx.argc() - 1 - i;
        let is = |word| self.ctx.is_word(i, word);
        let (by_circle, by_box) = match self.shape {
            None => (false, false),
            Some((AreaShape::Circle { .. }, _)) => (true, false),
            Some(_) => (false, true),
        };
        let by_polygon = self.polygon.is_some();
        if is("frommember") && left >= 1 && !self.from_point && !by_polygon {
            self.member(i + 1)?;
            self.from_member = true;
            Some(2)
        } else if is("fromlonlat") && left >= 2 && !self.from_member && !by_polygon {
            self.center = Some(point_arg(self.ctx, i + 1)?);
            self.from_point = true;
            Some(3)
        } else if is("byradius") && left >= 2 && !by_box && !by_polygon {
            self.circle(i + 1)?;
            Some(3)
        } else if is("bybox") && left >= 3 && !by_circle && !by_polygon {
            self.rectangle(i + 1)?;
            Some(4)
        } else if is("bypolygon") && left >= 2 && self.shape.is_none() && !self.from_member && !self.from_point {
            Some(1 + self.corners(i + 1)?)
        } else {
            Some(0)
        }
    }

    /// What all that says where comes to.
    fn area(&mut self) -> Option<Option<Area>> {
        let name = |ctx: &Ctx<'_>| String::from_utf8_lossy(ctx.arg(0)).into_owned();
        if let Some(corners) = self.polygon.take() {
            return Some(Some(Area::polygon(corners)));
        }
        if self.kind.is_search() && !self.from_member && !self.from_point {
            let text = format!("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}", name(self.ctx));
            return self.fail(&text);
        }
        if self.kind.is_search() && self.shape.is_none() {
            let text = format!("ERR exactly one of BYRADIUS and BYBOX can be specified for {}", name(self.ctx));
            return self.fail(&text);
        }
        Some(self.center.zip(self.shape.take()).map(|(center, (shape, unit))| Area { center, shape, unit }))
    }
}

/// Reads the arguments; answers with an error when they are wrong. `may_store`: STORE and STOREDIST are known.
pub fn parse(ctx: &mut Ctx<'_>, kind: SearchKind, may_store: bool, is_there: bool) -> Option<SearchOptions> {
    let mut with = With::default();
    let mut wanted = Wanted { order: Order::Any, count: None, any: false, distances: false };
    let mut store = (kind == SearchKind::SearchStore).then_some(1);
    let mut store_distances = false;
    let mut parser = OptionsParser { ctx, kind, is_there, center: None, from_member: false, from_point: false, shape: None, polygon: None };
    let mut i = match kind {
        SearchKind::Radius => {
            parser.center = Some(point_arg(parser.ctx, 2)?);
            parser.circle(4)?;
            6
        }
        SearchKind::RadiusByMember => {
            if is_there {
                parser.member(2)?;
                parser.circle(3)?;
            }
            5
        }
        SearchKind::Search | SearchKind::SearchStore => kind.source() + 1,
    };
    while i < parser.ctx.argc() {
        let left = parser.ctx.argc() - 1 - i;
        let is = |word| parser.ctx.is_word(i, word);
        let mut taken = 1;
        if is("withdist") {
            with.distance = true;
        } else if is("withhash") {
            with.score = true;
        } else if is("withcoord") {
            with.point = true;
        } else if is("any") {
            wanted.any = true;
        } else if is("asc") {
            wanted.order = Order::Ascending;
        } else if is("desc") {
            wanted.order = Order::Descending;
        } else if is("count") && left >= 1 {
            let count = parser.ctx.int_arg(i + 1)?;
            let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else { return parser.fail("ERR COUNT must be > 0") };
            wanted.count = Some(count);
            taken = 2;
        } else if !kind.is_search() && may_store && left >= 1 && (is("store") || is("storedist")) {
            store_distances = is("storedist");
            store = Some(i + 1);
            taken = 2;
        } else if kind == SearchKind::SearchStore && is("storedist") {
            store_distances = true;
        } else {
            taken = if kind.is_search() { parser.place(i)? } else { 0 };
        }
        if taken == 0 {
            return parser.fail(errors::SYNTAX);
        }
        i += taken;
    }
    if store.is_some() && (with.distance || with.score || with.point) {
        let what = if kind == SearchKind::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
        let text = format!("ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
        return parser.fail(&text);
    }
    let area = parser.area()?;
    if wanted.any && wanted.count.is_none() {
        return parser.fail("ERR the ANY argument requires COUNT argument");
    }
    if wanted.count.is_some() && wanted.order == Order::Any && !wanted.any {
        wanted.order = Order::Ascending;
    }
    wanted.distances = with.distance || store_distances;
    Some(SearchOptions { area: area.filter(|_| is_there), wanted, with, store, store_distances })
}
