//! Against what real servers answered, against a search without filters, and against a look at every place.

use super::{
    LATITUDE_MAX, LONGITUDE_MAX, Point,
    area::{Area, AreaShape},
    cell::{self, Cell, STEPS_MAX},
    cover::Cover,
    distance::{EARTH_RADIUS, meters, radians},
    filter::{Bounds, Window, further, nearer},
    search::{Order, Wanted, search},
};
use crate::data::{
    key_hash::Seed,
    zset::{PackLimits, Zset},
};
use proptest::prelude::*;
use std::ops::ControlFlow::Continue;

fn at(longitude: f64, latitude: f64) -> Point {
    Point { longitude, latitude }
}

fn text(score: f64) -> String {
    String::from_utf8(cell::text(cell::point(score)).to_vec()).unwrap()
}

#[test]
fn scores_and_geohashes_are_those_of_redis() {
    for (point, score, geohash) in [
        (at(13.361389, 38.115556), 3479099956230698.0, "sqc8b49rny0"),
        (at(15.087269, 37.502669), 3479447370796909.0, "sqdtr74hyu0"),
        (at(-180.0, -LATITUDE_MAX), 0.0, "00bh0hbj200"),
        (at(-180.0, 0.0), 1125899906842624.0, "80000000000"),
        (at(-180.0, LATITUDE_MAX), 4503599627370496.0, "bp05b5048p0"),
        (at(180.0, -LATITUDE_MAX), 9007199254740992.0, "00bh0hbj200"),
        (at(180.0, 0.0), 10133099161583616.0, "80000000000"),
        (at(180.0, LATITUDE_MAX), 13510798882111488.0, "bp05b5048p0"),
    ] {
        assert_eq!((cell::score(point), text(score)), (score, geohash.to_owned()), "{point:?}");
    }
    // Not 1 1 0 0, but the middle of a cell that reaches beyond the map.
    assert_eq!(cell::point(13510798882111488.0), at(180.0, LATITUDE_MAX));
}

#[test]
fn any_score_is_somewhere() {
    let edge = -85.051_127_512_639_43;
    for (score, point) in [
        (-1.0, at(180.0, LATITUDE_MAX)),
        (1e300, at(-179.999_997_317_790_99, edge)),
        (9.3e18, at(180.0, LATITUDE_MAX)),
        (1.5, at(-179.999_997_317_790_99, -85.051_124_977_918_25)),
        (f64::NEG_INFINITY, at(180.0, edge)),
        (f64::INFINITY, at(-179.999_997_317_790_99, edge)),
    ] {
        assert_eq!(cell::point(score), point, "{score}");
    }
}

#[test]
fn distances_are_those_of_redis() {
    let (palermo, catania) = (cell::point(3479099956230698.0), cell::point(3479447370796909.0));
    assert_eq!(meters(palermo, catania), 166274.15156960033);
    assert_eq!(meters(palermo, palermo), 0.0);
    assert_eq!(meters(at(1.0, 1.0), at(1.0, 3.0)), EARTH_RADIUS * (radians(3.0) - radians(1.0)));
    // The ends of a diameter, at many of which rounding goes beyond 1.
    for degrees in 0..85 {
        let (from, to) = (at(10.0, f64::from(degrees) + 0.3), at(-170.0, -f64::from(degrees) - 0.3));
        let off = meters(from, to) - EARTH_RADIUS * std::f64::consts::PI;
        assert!(off.abs() < 1.0, "{degrees}: {off}");
    }
}

#[test]
fn a_cell_has_eight_neighbours_and_the_map_has_no_edge() {
    let cell = Cell::of(at(0.1, 0.1), 3);
    let here = cell.extent();
    assert_eq!((here.min, here.max), (at(0.0, 0.0), at(45.0, LATITUDE_MAX / 4.0)));
    assert_eq!(cell.neighbour(1, 0).extent().min, at(45.0, 0.0));
    assert_eq!(cell.neighbour(-1, -1).extent().max, at(0.0, 0.0));
    assert_eq!(Cell::of(at(179.0, 80.0), 3).neighbour(1, 1), Cell::of(at(-179.0, -80.0), 3));
    for (steps, (x, y)) in (1..=STEPS_MAX).flat_map(|steps| [(1, 0), (0, 1), (1, 1), (1, -1)].map(|by| (steps, by))) {
        let cell = Cell::of(at(12.3, -45.6), steps);
        assert_eq!(cell.neighbour(x, y).neighbour(-x, -y), cell);
    }
}

#[test]
fn a_polygon_is_what_is_inside_of_its_corners() {
    // As valkey-server 9.1 answers.
    let places = [
        ("Palermo", 13.361389, 38.115556),
        ("edge1", 12.758489, 38.788135),
        ("Catania", 15.087269, 37.502669),
        ("edge2", 17.241510, 38.788135),
    ];
    let mut zset = Zset::default();
    for (name, longitude, latitude) in places {
        zset.insert_new(name.as_bytes(), cell::score(at(longitude, latitude)), limits(128));
    }
    let area = Area::polygon(vec![at(12.0, 37.0), at(12.0, 39.0), at(18.0, 39.0), at(18.0, 37.0)]);
    let wanted = Wanted { order: Order::Ascending, count: None, any: false, distances: true };
    let found: Vec<(String, f64)> = search(&zset, &area, wanted).iter().map(|f| (name_of(f.member.item().to_vec()), f.distance)).collect();
    let distances =
        [("Catania", 60049.279766664426), ("Palermo", 143725.9101382143), ("edge2", 212408.89084211597), ("edge1", 212409.03414614423)];
    assert_eq!(found, distances.map(|(name, distance)| (name.to_owned(), distance)));
    // A bite taken out of a side.
    let bitten = Area::polygon(vec![at(0.0, 0.0), at(10.0, 0.0), at(10.0, 10.0), at(5.0, 2.0), at(0.0, 10.0)]);
    assert!(bitten.contains(at(1.0, 5.0)) && bitten.contains(at(9.0, 5.0)) && !bitten.contains(at(5.0, 5.0)));
    // Around a pole, whose middle is no place.
    Cover::of(&Area::polygon(vec![at(0.0, 85.0), at(90.0, 85.0), at(180.0, 85.0), at(-90.0, 85.0)]));
}

fn name_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn limits(entries: usize) -> PackLimits {
    PackLimits { entries, value: 64, seed: Seed::new(1) }
}

/// A set of members at these places, in the compact or the scalable form.
fn zset_of(places: &[Point], entries: usize) -> Zset {
    let mut zset = Zset::with_expected(places.len(), 4, limits(entries));
    for (n, place) in places.iter().enumerate() {
        zset.insert_new(format!("m{n}").as_bytes(), cell::score(*place), limits(entries));
    }
    zset
}

/// What Redis does: every member of the cells in turn is measured.
fn plainly(zset: &Zset, area: &Area, wanted: Wanted) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for cell in Cover::of(area).cells() {
        let (min, max) = cell.scores();
        let _ = zset.visit_between(min, max, |score, member| {
            if let Some(distance) = area.distance_within(cell::point(score)) {
                found.push((name_of(member.item().to_vec()), distance));
            }
            Continue(())
        });
    }
    if wanted.any {
        found.truncate(wanted.count.unwrap_or(usize::MAX));
    }
    let count = wanted.count.unwrap_or(usize::MAX);
    let nearest = |a: &(String, f64), b: &(String, f64)| a.1.total_cmp(&b.1);
    match wanted.order {
        Order::Any => (),
        Order::Ascending if count < found.len() => super::partial_sort::partial_sort(&mut found, count, nearest),
        Order::Ascending => found.sort_by(nearest),
        Order::Descending if count < found.len() => super::partial_sort::partial_sort(&mut found, count, |a, b| nearest(b, a)),
        Order::Descending => found.sort_by(|a, b| nearest(b, a)),
    }
    found.truncate(count);
    found
}

fn anywhere() -> impl Strategy<Value = Point> {
    let longitude = prop_oneof![
        6 => -LONGITUDE_MAX..=LONGITUDE_MAX,
        1 => prop::sample::select(vec![-180.0, 180.0, 179.9999, -179.9999, 0.0]),
    ];
    let latitude = prop_oneof![
        6 => -LATITUDE_MAX..=LATITUDE_MAX,
        1 => prop::sample::select(vec![-LATITUDE_MAX, LATITUDE_MAX, 85.0, -85.0, 0.0]),
    ];
    (longitude, latitude).prop_map(|(longitude, latitude)| at(longitude, latitude))
}

/// Places around a point, as many close by as far away, some of them at the same place.
fn places(center: Point) -> impl Strategy<Value = Vec<Point>> {
    let near = move |scale: f64| {
        (-1.0..=1.0, -1.0..=1.0).prop_map(move |(x, y): (f64, f64)| {
            let longitude = center.longitude + x * scale;
            let longitude = if longitude.abs() > LONGITUDE_MAX { longitude - 360.0f64.copysign(longitude) } else { longitude };
            at(longitude, (center.latitude + y * scale).clamp(-LATITUDE_MAX, LATITUDE_MAX))
        })
    };
    let place = prop_oneof![near(0.00002), near(0.01), near(1.0), near(20.0), Just(center), anywhere()];
    (prop::collection::vec(place, 0..60), 1usize..3).prop_map(|(mut places, times)| {
        let again = places.clone();
        (1..times).for_each(|_| places.extend(&again));
        places
    })
}

fn length() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..10.0, 0.0..5000.0, 0.0..500_000.0, 0.0..25_000_000.0, Just(f64::INFINITY), Just(1e-300)]
}

fn shape(center: Point) -> impl Strategy<Value = Area> {
    let unit = prop::sample::select(vec![1.0, 1000.0, 0.3048, 1609.34]);
    let circle = (length(), unit.clone()).prop_map(move |(radius, unit)| Area { center, shape: AreaShape::Circle { radius }, unit });
    let rectangle =
        (length(), length(), unit).prop_map(move |(width, height, unit)| Area { center, shape: AreaShape::Box { width, height }, unit });
    let polygon = prop::collection::vec(
        prop_oneof![
            anywhere(),
            (-5.0..5.0, -5.0..5.0).prop_map(move |(x, y): (f64, f64)| {
                at((center.longitude + x).clamp(-LONGITUDE_MAX, LONGITUDE_MAX), (center.latitude + y).clamp(-LATITUDE_MAX, LATITUDE_MAX))
            })
        ],
        3..8,
    )
    .prop_map(Area::polygon);
    prop_oneof![3 => circle, 3 => rectangle, 1 => polygon]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let order = prop::sample::select(vec![Order::Any, Order::Ascending, Order::Descending]);
    (order, prop::option::of(1usize..40), any::<bool>(), any::<bool>()).prop_map(|(order, count, any, distances)| {
        let order = if count.is_some() && !any && order == Order::Any { Order::Ascending } else { order };
        Wanted { order, count, any: any && count.is_some(), distances }
    })
}

fn case() -> impl Strategy<Value = (Vec<Point>, Area)> {
    anywhere().prop_flat_map(|center| (places(center), shape(center)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_place_is_kept_to_within_its_cell(place in anywhere()) {
        let kept = cell::point(cell::score(place));
        let half = |max: f64| max / (1u64 << STEPS_MAX) as f64 + 1e-12;
        // On the eastern edge a score has a bit more than a double, and may be rounded to another place.
        if place.longitude < LONGITUDE_MAX {
            prop_assert!((kept.longitude - place.longitude).abs() <= half(LONGITUDE_MAX));
            prop_assert!((kept.latitude - place.latitude).abs() <= half(LATITUDE_MAX));
        }
        prop_assert!(kept.is_valid());
        if place.longitude < LONGITUDE_MAX && place.latitude < LATITUDE_MAX {
            // The middle of a cell is in it.
            prop_assert_eq!(cell::score(kept), cell::score(place));
        }
    }

    #[test]
    fn the_scores_of_a_cell_are_those_of_the_places_in_it(place in anywhere(), steps in 1..=STEPS_MAX) {
        let inner = at(place.longitude.min(179.999_999), place.latitude.min(85.051_128));
        let (min, max) = Cell::of(inner, steps).scores();
        prop_assert!(min <= cell::score(inner) && cell::score(inner) < max);
        let extent = Cell::of(inner, steps).extent();
        prop_assert!(extent.min.longitude <= inner.longitude && inner.longitude < extent.max.longitude);
        prop_assert!(extent.min.latitude <= inner.latitude && inner.latitude < extent.max.latitude);
    }

    #[test]
    fn a_search_is_what_redis_does((places, area) in case(), wanted in wanted(), entries in prop::sample::select(vec![0usize, 1000])) {
        let zset = zset_of(&places, entries);
        let mut found: Vec<_> = search(&zset, &area, wanted).iter().map(|f| (name_of(f.member.item().to_vec()), f.distance)).collect();
        let mut plain = plainly(&zset, &area, wanted);
        if !wanted.distances && wanted.order == Order::Any {
            // Some are not measured then.
            found.iter_mut().chain(&mut plain).for_each(|found| found.1 = 0.0);
        }
        prop_assert_eq!(found, plain);
    }

    #[test]
    fn the_filters_keep_what_is_in_an_area((places, area) in case()) {
        let (window, bounds) = (Window::of(&area), Bounds::from(area.center));
        for score in places.into_iter().map(cell::score) {
            let point = cell::point(score);
            prop_assert!(window.contains(score as u64) || !area.contains(point), "{point:?}");
            if matches!(area.shape, AreaShape::Polygon(_)) {
                continue;
            }
            let distance = meters(area.center, point);
            prop_assert!(!bounds.is_further(point, further(distance)), "{point:?}");
            prop_assert!(!bounds.is_nearer(point, nearer(distance)), "{point:?}");
        }
    }

    #[test]
    fn a_search_away_from_the_poles_misses_nothing(
        center in (-LONGITUDE_MAX..LONGITUDE_MAX, -60.0..60.0).prop_map(|(longitude, latitude)| at(longitude, latitude)),
        seed: u64,
        radius in 0.0..1_000_000.0,
        is_box: bool,
    ) {
        let mut rng = crate::data::rng::Rng::new(seed);
        let mut unit = || rng.below(1 << 30) as f64 / (1u64 << 29) as f64 - 1.0;
        let places: Vec<Point> = (0..300).map(|_| {
            let longitude = center.longitude + unit() * 40.0;
            let longitude = if longitude.abs() > LONGITUDE_MAX { longitude - 360.0f64.copysign(longitude) } else { longitude };
            at(longitude, (center.latitude + unit() * 20.0).clamp(-LATITUDE_MAX, LATITUDE_MAX))
        }).collect();
        let shape = if is_box { AreaShape::Box { width: 2.0 * radius, height: radius } } else { AreaShape::Circle { radius } };
        let area = Area { center, shape, unit: 1.0 };
        let wanted = Wanted { order: Order::Any, count: None, any: false, distances: false };
        let zset = zset_of(&places, 0);
        let mut found: Vec<String> = search(&zset, &area, wanted).iter().map(|found| name_of(found.member.item().to_vec())).collect();
        let mut all: Vec<String> = zset.iter().filter(|(_, score)| area.contains(cell::point(*score))).map(|(item, _)| name_of(item.to_vec())).collect();
        found.sort();
        all.sort();
        prop_assert_eq!(found, all);
    }
}
