//! The search: the members of a sorted set whose places are in an area.

use super::{
    Point,
    area::{Area, AreaShape},
    cell,
    cover::Cover,
    filter::{Bounds, Window, further, nearer},
    partial_sort::partial_sort,
};
use crate::data::zset::{Unread, Zset};
use std::{
    cell::Cell,
    cmp::Ordering,
    collections::BinaryHeap,
    ops::ControlFlow::{self, Break, Continue},
};

/// In which order the found ones are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are come upon: by cell, then by score.
    Any,
    /// The nearest first.
    Ascending,
    /// The furthest first.
    Descending,
}

/// What is wanted of a search.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// How they are ordered.
    pub order: Order,
    /// How many: the first of that order.
    pub count: Option<usize>,
    /// The first that are come upon will do, which then are ordered.
    pub any: bool,
    /// Their distances are wanted.
    pub distances: bool,
}

/// A member that is in the area.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// From the centre, in meters; 0 if nobody wants to know.
    pub distance: f64,
    /// Its score.
    pub score: f64,
    /// The member.
    pub member: Unread<'a>,
}

/// The members in an area as they are wanted.
pub fn search<'a>(zset: &'a Zset, area: &Area, wanted: Wanted) -> Vec<Found<'a>> {
    let search = AreaSearch::new(zset, area);
    let measured = wanted.distances || wanted.order != Order::Any;
    match (wanted.order, wanted.count) {
        (Order::Ascending, Some(count)) if !wanted.any => search.nearest(count),
        (_, Some(count)) if wanted.any => {
            let mut found = search.all(measured, count);
            sort(&mut found, wanted.order, count);
            found
        }
        (order, count) => {
            let mut found = search.all(measured, usize::MAX);
            let count = count.unwrap_or(usize::MAX);
            sort(&mut found, order, count);
            found.truncate(count);
            found
        }
    }
}

fn by_distance(a: &Found<'_>, b: &Found<'_>) -> Ordering {
    a.distance.total_cmp(&b.distance)
}

/// Brings the first `count` in order. Redis sorts all by merging, which keeps the order of equals, and some by a quicksort.
fn sort(found: &mut [Found<'_>], order: Order, count: usize) {
    match order {
        Order::Any => (),
        Order::Ascending if count >= found.len() => found.sort_by(by_distance),
        Order::Descending if count >= found.len() => found.sort_by(|a, b| by_distance(b, a)),
        Order::Ascending => partial_sort(found, count, by_distance),
        Order::Descending => partial_sort(found, count, |a, b| by_distance(b, a)),
    }
}

/// A search of an area.
struct AreaSearch<'a, 's> {
    zset: &'a Zset,
    area: &'s Area,
    cover: Cover,
    /// Where what is wanted may be: of the nearest few it becomes less as they are found.
    window: Cell<Window>,
    bounds: Bounds,
    /// Of a circle: what is beyond the first limit is outside, and what is within the second inside.
    limits: Option<(f64, f64)>,
}

impl<'a, 's> AreaSearch<'a, 's> {
    fn new(zset: &'a Zset, area: &'s Area) -> Self {
        let limits = match &area.shape {
            AreaShape::Circle { radius } => Some((further(radius * area.unit), nearer(radius * area.unit))),
            _ => None,
        };
        Self { zset, area, cover: Cover::of(area), window: Cell::new(Window::of(area)), bounds: Bounds::from(area.center), limits }
    }

    /// Shows the members that may be wanted with their scores and places, until `visit` has enough.
    fn visit(&self, mut visit: impl FnMut(Point, f64, Unread<'a>) -> ControlFlow<()>) {
        for cell in self.cover.cells() {
            let (min, max) = cell.scores();
            let end = self.zset.visit_between(min, max, |score, member| {
                // A cell's scores are positive and far from the largest integer.
                let bits = score as i64 as u64;
                if self.window.get().contains(bits) { visit(cell::point_of_bits(bits), score, member) } else { Continue(()) }
            });
            if end.is_break() {
                return;
            }
        }
    }

    /// The distance of a point that is in the area. One that is not wanted is 0.
    #[inline]
    fn distance(&self, point: Point, measured: bool) -> Option<f64> {
        if let Some((outside, inside)) = self.limits {
            if self.bounds.is_further(point, outside) {
                return None;
            }
            if !measured && self.bounds.is_nearer(point, inside) {
                return Some(0.0);
            }
        } else if !measured {
            return self.area.contains(point).then_some(0.0);
        }
        self.area.distance_within(point)
    }

    /// The first `most` in the order in which they are come upon.
    fn all(&self, measured: bool, most: usize) -> Vec<Found<'a>> {
        let mut found = Vec::new();
        self.visit(|point, score, member| {
            if let Some(distance) = self.distance(point, measured) {
                found.push(Found { distance, score, member });
                if found.len() == most {
                    return Break(());
                }
            }
            Continue(())
        });
        found
    }

    /// The nearest `count` in order.
    fn nearest(&self, count: usize) -> Vec<Found<'a>> {
        let mut found = self.nearest_and_next(count);
        // All that there are, or those that stand before all others, whatever the order in which they were come upon.
        if found.len() <= count || found.windows(2).all(|two| two[0].distance < two[1].distance) {
            found.truncate(count);
            return found;
        }
        // Which of some equals come first is up to how all are sorted.
        self.window.set(Window::of(self.area));
        let mut found = self.all(true, usize::MAX);
        sort(&mut found, Order::Ascending, count);
        found.truncate(count);
        found
    }

    /// The nearest `count` and the one behind them. A point that is further away than all of them is not measured.
    fn nearest_and_next(&self, count: usize) -> Vec<Found<'a>> {
        /// The window is made anew when what is wanted lies within this part of the radius that it was made for.
        const NARROWER: f64 = 0.75;
        let mut first = Vec::new();
        let mut nearest: BinaryHeap<Furthest<'a>> = BinaryHeap::new();
        let (mut limit, mut narrow) = (f64::INFINITY, f64::INFINITY);
        self.visit(|point, score, member| {
            if nearest.is_empty() {
                if let Some(distance) = self.distance(point, true) {
                    first.push(Furthest(Found { distance, score, member }));
                    if first.len() > count {
                        nearest = BinaryHeap::from(std::mem::take(&mut first));
                    }
                }
            } else if !self.bounds.is_further(point, limit)
                && let Some(distance) = self.distance(point, true)
                && nearest.peek().is_some_and(|furthest| distance < furthest.0.distance)
            {
                nearest.pop();
                nearest.push(Furthest(Found { distance, score, member }));
            } else {
                return Continue(());
            }
            if let Some(furthest) = nearest.peek() {
                let radius = furthest.0.distance;
                limit = further(radius);
                if radius < narrow {
                    narrow = radius * NARROWER;
                    self.window.set(Window::of(&Area { shape: AreaShape::Circle { radius }, center: self.area.center, unit: 1.0 }));
                }
            }
            Continue(())
        });
        first.extend(nearest);
        let mut found: Vec<Found<'a>> = first.into_iter().map(|found| found.0).collect();
        found.sort_by(by_distance);
        found
    }
}

/// One that is the greater the further away it is.
struct Furthest<'a>(Found<'a>);

impl Ord for Furthest<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        by_distance(&self.0, &other.0)
    }
}

impl PartialOrd for Furthest<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Furthest<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Furthest<'_> {}
