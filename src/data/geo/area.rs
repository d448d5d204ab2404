//! What is searched: a circle or a box around a point, or a polygon.

use super::{
    LATITUDE_MAX, LONGITUDE_MAX, Point,
    cell::Extent,
    distance::{EARTH_RADIUS, degrees, meters, meters_north, radians},
};

/// The form of an area. Lengths are in the area's unit.
#[derive(Clone, Debug, PartialEq)]
pub enum AreaShape {
    /// All within so far of the centre.
    Circle {
        /// How far.
        radius: f64,
    },
    /// All within half the height north and south of the centre, and half the width east and west of it.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
    /// All inside of these corners, three or more, on a map where longitude and latitude are straight lines: it never goes across the 180th meridian.
    Polygon(Vec<Point>),
}

/// An area.
#[derive(Clone, Debug, PartialEq)]
pub struct Area {
    /// From where distances are measured.
    pub center: Point,
    /// Its form.
    pub shape: AreaShape,
    /// Meters in the unit of its lengths.
    pub unit: f64,
}

impl Area {
    /// A polygon with these corners. Its centre is the middle of its corners, taken in space.
    pub fn polygon(corners: Vec<Point>) -> Self {
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in &corners {
            let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        // Their sum points where their mean does.
        let center = Point { longitude: degrees(y.atan2(x)), latitude: degrees(z.atan2((x * x + y * y).sqrt())) };
        Self { center, shape: AreaShape::Polygon(corners), unit: 1.0 }
    }

    /// The rectangle around it, as Redis reckons: the west and east of a circle are those at the latitude nearer to the pole.
    pub fn extent(&self) -> Extent {
        let (width, height) = match &self.shape {
            AreaShape::Circle { radius } => (self.unit * radius, self.unit * radius),
            AreaShape::Box { width, height } => (self.unit * (width / 2.0), self.unit * (height / 2.0)),
            AreaShape::Polygon(corners) => return around(corners),
        };
        let Point { longitude, latitude } = self.center;
        let north = degrees(height / EARTH_RADIUS);
        let towards_pole = if latitude < 0.0 { latitude - north } else { latitude + north };
        let east = degrees(width / EARTH_RADIUS / radians(towards_pole).cos());
        Extent {
            min: Point { longitude: longitude - east, latitude: latitude - north },
            max: Point { longitude: longitude + east, latitude: latitude + north },
        }
    }

    /// The radius in meters of a circle around all of it.
    pub fn radius_meters(&self) -> f64 {
        match &self.shape {
            AreaShape::Circle { radius } => radius * self.unit,
            AreaShape::Box { width, height } => ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt() * self.unit,
            AreaShape::Polygon(_) => {
                let Extent { min, max } = self.extent();
                let corners = [min, max, Point { longitude: min.longitude, ..max }, Point { longitude: max.longitude, ..min }];
                corners.into_iter().map(|corner| meters(self.center, corner)).fold(0.0, f64::max)
            }
        }
    }

    /// Whether a point is in it.
    pub fn contains(&self, point: Point) -> bool {
        match &self.shape {
            AreaShape::Circle { radius } => meters(self.center, point) <= radius * self.unit,
            AreaShape::Box { width, height } => {
                let beside = Point { longitude: self.center.longitude, ..point };
                meters_north(point.latitude, self.center.latitude) <= height * self.unit / 2.0
                    && meters(point, beside) <= width * self.unit / 2.0
            }
            AreaShape::Polygon(corners) => is_inside(corners, point),
        }
    }

    /// How far a point in it is from its centre, in meters; `None` for one that is not.
    #[inline]
    pub fn distance_within(&self, point: Point) -> Option<f64> {
        if let AreaShape::Circle { radius } = &self.shape {
            return Some(meters(self.center, point)).filter(|distance| *distance <= radius * self.unit);
        }
        self.contains(point).then(|| meters(self.center, point))
    }
}

/// The rectangle around these points.
fn around(points: &[Point]) -> Extent {
    let mut extent = Extent {
        min: Point { longitude: LONGITUDE_MAX, latitude: LATITUDE_MAX },
        max: Point { longitude: -LONGITUDE_MAX, latitude: -LATITUDE_MAX },
    };
    for point in points {
        extent.min.longitude = extent.min.longitude.min(point.longitude);
        extent.min.latitude = extent.min.latitude.min(point.latitude);
        extent.max.longitude = extent.max.longitude.max(point.longitude);
        extent.max.latitude = extent.max.latitude.max(point.latitude);
    }
    extent
}

/// Whether a line from the point to the east crosses an odd number of sides.
fn is_inside(corners: &[Point], point: Point) -> bool {
    let Some(mut before) = corners.last() else { return false };
    let mut inside = false;
    for corner in corners {
        let crosses = (corner.latitude > point.latitude) != (before.latitude > point.latitude)
            && point.longitude
                < (before.longitude - corner.longitude) * (point.latitude - corner.latitude) / (before.latitude - corner.latitude)
                    + corner.longitude;
        inside ^= crosses;
        before = corner;
    }
    inside
}
