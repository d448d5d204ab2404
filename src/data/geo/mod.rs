//! Places: a point on the earth as the score of a member of a sorted set, and the search for those in an area.
//!
//! [`cell`] makes scores of points and back, [`distance`] measures, [`area`] is what is searched and [`cover`] which ranges of scores that takes,
//! [`filter`] are the cheap tests in front of the exact one, and [`search`] does it. Every number is computed in the order in which Redis computes
//! it: scores, distances and the order of a reply are the same to the last bit.
//!
//! ```
//! use solod::data::geo::{Point, cell, distance::meters};
//!
//! let (palermo, catania) = (Point { longitude: 13.361389, latitude: 38.115556 }, Point { longitude: 15.087269, latitude: 37.502669 });
//! let (from, to) = (cell::score(palermo), cell::score(catania));
//! assert_eq!(from, 3479099956230698.0);
//! assert_eq!(meters(cell::point(from), cell::point(to)), 166274.15156960033);
//! ```

pub mod area;
pub mod cell;
pub mod cover;
pub mod distance;
pub mod filter;
mod partial_sort;
pub mod search;
#[cfg(test)]
mod tests;

/// Longitudes reach from minus this to this, in degrees.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Latitudes reach from minus this to this, in degrees: where the square map of the web ends.
pub const LATITUDE_MAX: f64 = 85.05112878;

/// A point on the earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

impl Point {
    /// Whether it can be a member's place.
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }
}
