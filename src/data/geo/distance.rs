//! Distances on the earth, taken as a ball.

use super::Point;

/// The radius of the earth in meters: the quadratic mean of WGS-84's.
pub const EARTH_RADIUS: f64 = 6_372_797.560856;

/// A degree in radians.
pub(super) const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// Degrees as radians.
#[inline]
pub(super) fn radians(degrees: f64) -> f64 {
    degrees * DEGREE
}

/// Radians as degrees.
#[inline]
pub(super) fn degrees(radians: f64) -> f64 {
    radians / DEGREE
}

/// The distance in meters between two latitudes on a meridian.
#[inline]
pub fn meters_north(from: f64, to: f64) -> f64 {
    EARTH_RADIUS * (radians(to) - radians(from)).abs()
}

/// The distance in meters along the great circle, by the haversine formula.
#[inline]
pub fn meters(from: Point, to: Point) -> f64 {
    let v = ((radians(to.longitude) - radians(from.longitude)) / 2.0).sin();
    if v == 0.0 {
        return meters_north(from.latitude, to.latitude);
    }
    let (south, north) = (radians(from.latitude), radians(to.latitude));
    let u = ((north - south) / 2.0).sin();
    let a = u * u + south.cos() * north.cos() * v * v;
    // Between two ends of a diameter rounding may go beyond 1.
    2.0 * EARTH_RADIUS * a.min(1.0).sqrt().asin()
}
