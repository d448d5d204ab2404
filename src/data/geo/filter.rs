//! Cheap tests in front of the exact one: they pass every point that the exact one passes, and few others. So no sine is taken for most of the
//! points that are not in the area.

use super::{
    LATITUDE_MAX, LONGITUDE_MAX, Point,
    area::{Area, AreaShape},
    cell::{STEPS_MAX, X, Y, spread},
    distance::{DEGREE, EARTH_RADIUS, degrees, radians},
};
use std::f64::consts::PI;

/// What rounding may add to a distance: this part of it, and this much in radians. Far more than it does.
const ERROR_PART: f64 = 1e-7;
const ERROR_RADIANS: f64 = 1e-11;
/// Circles of this radius, in radians, and more count as the whole earth: near its other end rounding is worse.
const WHOLE_EARTH: f64 = 3.1;

/// A rectangle of smallest cells. The bits of latitude and of longitude keep their order where they stand in a score, so that they are compared
/// without being gathered.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    south: u64,
    north: u64,
    west: u64,
    east: u64,
    /// It goes across the 180th meridian.
    wraps: bool,
}

/// The spread number of the cell at so many degrees, and some cells further: up to the one beyond the edge.
fn edge(degrees: f64, max: f64, further: i64) -> u64 {
    let cells = 1i64 << STEPS_MAX;
    let number = ((degrees + max) / (max + max) * cells as f64) as i64;
    spread((number.saturating_add(further)).clamp(0, cells) as u32)
}

/// How far the longitudes of a box or a circle reach east of its centre at most, in degrees: `None` for all around.
fn reach(area: &Area) -> Option<f64> {
    let latitude = radians(area.center.latitude.abs());
    let with_error = |angle: f64| angle * (1.0 + ERROR_PART) + ERROR_RADIANS;
    let sine = match &area.shape {
        AreaShape::Circle { radius } => {
            let angle = with_error(radius * area.unit / EARTH_RADIUS);
            if angle + latitude >= PI / 2.0 {
                return None;
            }
            angle.sin() / latitude.cos()
        }
        AreaShape::Box { width, height } => {
            // The shortest way between two points of a latitude is measured, and at the latitude nearest to a pole it goes furthest.
            let (half, pole) =
                (with_error(width / 2.0 * area.unit / EARTH_RADIUS), latitude + with_error(height / 2.0 * area.unit / EARTH_RADIUS));
            if pole >= PI / 2.0 || half >= WHOLE_EARTH {
                return None;
            }
            let sine = (half / 2.0).sin() / pole.cos();
            return (sine < 1.0).then(|| degrees(with_error(2.0 * sine.asin())));
        }
        AreaShape::Polygon(_) => return None,
    };
    (sine < 1.0).then(|| degrees(with_error(sine.asin())))
}

impl Window {
    /// Around an area.
    pub fn of(area: &Area) -> Self {
        if let AreaShape::Polygon(_) = area.shape {
            let extent = area.extent();
            return Self::between(extent.min, extent.max);
        }
        let height = match &area.shape {
            AreaShape::Box { height, .. } => height / 2.0,
            AreaShape::Circle { radius } => *radius,
            AreaShape::Polygon(_) => 0.0,
        };
        let Point { longitude, latitude } = area.center;
        let angle = height * area.unit / EARTH_RADIUS * (1.0 + ERROR_PART) + ERROR_RADIANS;
        let north = if angle < WHOLE_EARTH { degrees(angle) } else { 2.0 * LATITUDE_MAX };
        let (south, north) = (latitude - north, latitude + north);
        let around = |west, east| Self::between(Point { longitude: west, latitude: south }, Point { longitude: east, latitude: north });
        match reach(area).filter(|_| angle < WHOLE_EARTH) {
            None => around(-LONGITUDE_MAX, LONGITUDE_MAX),
            Some(east) => {
                let (west, east) = (longitude - east, longitude + east);
                if west < -LONGITUDE_MAX {
                    Self { wraps: true, ..around(west + 2.0 * LONGITUDE_MAX, east) }
                } else if east > LONGITUDE_MAX {
                    Self { wraps: true, ..around(west, east - 2.0 * LONGITUDE_MAX) }
                } else {
                    around(west, east)
                }
            }
        }
    }

    /// The cells between two corners, and those around them: the middle of a cell is tested, not where it was put.
    fn between(min: Point, max: Point) -> Self {
        Self {
            south: edge(min.latitude, LATITUDE_MAX, -2),
            north: edge(max.latitude, LATITUDE_MAX, 2),
            west: edge(min.longitude, LONGITUDE_MAX, -2) << 1,
            east: edge(max.longitude, LONGITUDE_MAX, 2) << 1,
            wraps: false,
        }
    }

    /// Whether the place whose score has these bits may be in the area.
    #[inline(always)]
    pub fn contains(&self, bits: u64) -> bool {
        let (y, x) = (bits & Y, bits & X);
        let (behind_west, before_east) = (self.west <= x, x <= self.east);
        let is_between = if self.wraps { behind_west | before_east } else { behind_west & before_east };
        (self.south <= y) & (y <= self.north) & is_between
    }
}

/// Bounds of a distance, without a sine. Where the haversine formula has `a`, the square of the sine of half the angle, here are two numbers between
/// which it lies.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    center: Point,
    sine: f64,
    cosine: f64,
}

/// A limit for [`Bounds::is_further`]: who is beyond it is further away than this.
pub fn further(meters: f64) -> f64 {
    // No sine is greater than its angle.
    let half = meters / (2.0 * EARTH_RADIUS) * (1.0 + ERROR_PART) + ERROR_RADIANS;
    half * half
}

/// A limit for [`Bounds::is_nearer`]: who is within it is nearer than this.
pub fn nearer(meters: f64) -> f64 {
    let half = meters / (2.0 * EARTH_RADIUS) * (1.0 - ERROR_PART) - ERROR_RADIANS;
    let sine = half.clamp(0.0, PI / 2.0).sin();
    sine * sine
}

impl Bounds {
    /// Of distances from this point.
    pub fn from(center: Point) -> Self {
        let (sine, cosine) = radians(center.latitude).sin_cos();
        Self { center, sine, cosine }
    }

    /// Between which numbers `a` lies for this point.
    #[inline]
    fn of(&self, point: Point) -> (f64, f64) {
        let north = (point.latitude - self.center.latitude) * DEGREE;
        let east = (point.longitude - self.center.longitude).abs();
        let east = if east > LONGITUDE_MAX { 2.0 * LONGITUDE_MAX - east } else { east } * DEGREE;
        // The cosine of the point's latitude, by Taylor's formula, whose rest is known.
        let cosine = self.cosine - self.sine * north - self.cosine * north * north / 2.0;
        let rest = north.abs() * north * north / 6.0;
        let (y, x) = (north * north / 4.0, east * east / 4.0);
        // The square of a sine lies between t - t * t / 3 and t, where t is the square of the angle.
        let least = y * (1.0 - y / 3.0) + self.cosine * (cosine - rest).max(0.0) * x * (1.0 - x / 3.0);
        let most = y + self.cosine * (cosine + rest).min(1.0) * x;
        (least, most)
    }

    /// Whether a point is beyond this limit for sure, which [`further`] makes of a distance.
    #[inline]
    pub fn is_further(&self, point: Point, limit: f64) -> bool {
        self.of(point).0 > limit
    }

    /// Whether a point is within this limit for sure, which [`nearer`] makes of a distance.
    #[inline]
    pub fn is_nearer(&self, point: Point, limit: f64) -> bool {
        self.of(point).1 < limit
    }
}
