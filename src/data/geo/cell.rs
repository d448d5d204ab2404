//! Cells of the geohash: the map halved by turns, down to 26 times each way. The 52 bits of the smallest cell are a member's score.
//!
//! ```text
//! bit     51  50  49  48 ...  1   0
//! half of  x   y   x   y      x   y       x: longitude, y: latitude; 1 is the eastern, or the northern half
//! ```
//!
//! A point on the eastern or northern edge of the map is in a cell beyond the last one, whose number has one bit more.

use super::{LATITUDE_MAX, LONGITUDE_MAX, Point};

/// Halvings of the smallest cell, each way.
pub const STEPS_MAX: u32 = 26;

/// The bits of a latitude.
pub(super) const Y: u64 = 0x5555_5555_5555_5555;
/// The bits of a longitude.
pub(super) const X: u64 = !Y;

/// The characters of a geohash as text.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Characters of a geohash as text.
pub const TEXT_LEN: usize = 11;
/// The latitudes of a geohash as text reach from minus this to this.
const TEXT_LATITUDE_MAX: f64 = 90.0;

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    bits: u64,
    /// Halvings each way, from 1 on.
    steps: u32,
}

/// From where to where something reaches, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Its south-western corner.
    pub min: Point,
    /// Its north-eastern corner.
    pub max: Point,
}

/// The bits of a number at every second place, from the lowest on.
#[inline]
pub(super) fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The number whose bits are at every second place.
#[inline]
fn gather(spread: u64) -> u32 {
    let mut bits = spread & Y;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0F0F_0F0F_0F0F_0F0F),
        (4, 0x00FF_00FF_00FF_00FF),
        (8, 0x0000_FFFF_0000_FFFF),
        (16, 0x0000_0000_FFFF_FFFF),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

/// Where the middle of the cell is that has this number, of so many halvings, on an axis from `-max` to `max`.
#[inline]
fn middle(number: u32, steps: u32, max: f64) -> f64 {
    let (from, to) = span(number, steps, max);
    ((from + to) / 2.0).clamp(-max, max)
}

/// From where to where the cell reaches that has this number.
#[inline]
fn span(number: u32, steps: u32, max: f64) -> (f64, f64) {
    let cells = (1u64 << steps) as f64;
    let edge = |number: u32| -max + (f64::from(number) / cells) * (max + max);
    // A score that no place has may have the highest number, behind which comes the lowest.
    (edge(number), edge(number.wrapping_add(1)))
}

impl Cell {
    /// The cell that a valid point is in, after so many halvings.
    pub fn of(point: Point, steps: u32) -> Self {
        Self::on(point, steps, LATITUDE_MAX)
    }

    /// The same on a map whose latitudes reach so far.
    #[inline]
    fn on(point: Point, steps: u32, latitude_max: f64) -> Self {
        debug_assert!(point.is_valid() && (1..=STEPS_MAX).contains(&steps));
        let cells = (1u64 << steps) as f64;
        let number = |degrees: f64, max: f64| spread(((degrees + max) / (max + max) * cells) as u32);
        Self { bits: number(point.latitude, latitude_max) | number(point.longitude, LONGITUDE_MAX) << 1, steps }
    }

    /// How often the map was halved.
    pub fn steps(self) -> u32 {
        self.steps
    }

    /// From where to where it reaches.
    pub fn extent(self) -> Extent {
        let (west, east) = span(gather(self.bits >> 1), self.steps, LONGITUDE_MAX);
        let (south, north) = span(gather(self.bits), self.steps, LATITUDE_MAX);
        Extent { min: Point { longitude: west, latitude: south }, max: Point { longitude: east, latitude: north } }
    }

    /// The cell that lies `east` cells to the east of it and `north` to the north, each -1, 0 or 1. Beyond the edge of the map comes its other side.
    pub fn neighbour(self, east: i32, north: i32) -> Self {
        let all = u64::MAX >> (64 - 2 * self.steps);
        // The bits of the other axis are set or not, so that a carry or borrow passes over them.
        let moved = |axis: u64, by: i32| {
            let (own, gaps) = (self.bits & axis, !axis & all);
            match by {
                0 => own,
                1.. => own.wrapping_add(gaps + 1) & axis & all,
                _ => (own | gaps).wrapping_sub(gaps + 1) & axis & all,
            }
        };
        Self { bits: moved(X, east) | moved(Y, north), steps: self.steps }
    }

    /// The scores of the places in it: from the first, up to the second, which is not in it.
    pub fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        ((self.bits << shift) as f64, ((self.bits + 1) << shift) as f64)
    }
}

/// The score of a member at a valid point.
#[inline]
pub fn score(point: Point) -> f64 {
    Cell::of(point, STEPS_MAX).bits as f64
}

/// The bits that a score stands for: a number that is none of a place is taken as a processor takes it.
#[inline]
fn bits(score: f64) -> u64 {
    /// 2^63, from which on the processor's conversion is done in two parts.
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    match score {
        ..HALF => score as i64 as u64,
        _ if score < 2.0 * HALF => score as u64,
        _ => 0,
    }
}

/// Where a member with this score is: the middle of its cell.
#[inline]
pub fn point(score: f64) -> Point {
    point_of_bits(bits(score))
}

/// The same for the bits of a score.
#[inline]
pub(super) fn point_of_bits(bits: u64) -> Point {
    Point { longitude: middle(gather(bits >> 1), STEPS_MAX, LONGITUDE_MAX), latitude: middle(gather(bits), STEPS_MAX, LATITUDE_MAX) }
}

/// The geohash of a point as others write it: on a map that reaches from pole to pole, and with eleven characters, of which 52 bits make ten.
pub fn text(point: Point) -> [u8; TEXT_LEN] {
    let bits = Cell::on(point, STEPS_MAX, TEXT_LATITUDE_MAX).bits;
    let mut text = [ALPHABET[0]; TEXT_LEN];
    for (n, character) in text[..TEXT_LEN - 1].iter_mut().enumerate() {
        *character = ALPHABET[(bits >> (52 - 5 * (n + 1)) & 31) as usize];
    }
    text
}
