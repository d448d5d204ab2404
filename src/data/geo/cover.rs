//! Which cells cover an area: the one of its centre and the eight around it, as large as that takes, without those that it does not reach.

use super::{
    LATITUDE_MAX, LONGITUDE_MAX, Point,
    area::Area,
    cell::{Cell, STEPS_MAX},
};

/// Half of the earth's circumference in meters, as the map of the web has it.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// The nine cells, in the order in which they are searched. A cell that is not searched is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cover([Option<Cell>; 9]);

/// How far to the east and to the north of the centre's cell each is.
const PLACES: [(i32, i32); 9] = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

/// Halvings for a circle of this radius in meters: mostly, three such cells then are wider than it.
fn steps_for(mut radius: f64, latitude: f64) -> u32 {
    if radius == 0.0 {
        return STEPS_MAX;
    }
    // At most as many doublings as there are exponents.
    let mut steps = -1;
    while radius < MERCATOR_MAX {
        radius *= 2.0;
        steps += 1;
    }
    // Towards the poles a degree of longitude is short.
    steps -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    steps.clamp(1, STEPS_MAX as i32) as u32
}

impl Cover {
    /// The cells for an area.
    pub fn of(area: &Area) -> Self {
        // The middle of a polygon's corners may be nearer to a pole than any place, or be rounded beyond the 180th meridian.
        let center = Point {
            longitude: area.center.longitude.clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: area.center.latitude.clamp(-LATITUDE_MAX, LATITUDE_MAX),
        };
        let extent = area.extent();
        let steps = steps_for(area.radius_meters(), center.latitude);
        let mut cell = Cell::of(center, steps);
        let is_short = cell.neighbour(0, 1).extent().max.latitude < extent.max.latitude
            || cell.neighbour(0, -1).extent().min.latitude > extent.min.latitude
            || cell.neighbour(1, 0).extent().max.longitude < extent.max.longitude
            || cell.neighbour(-1, 0).extent().min.longitude > extent.min.longitude;
        if steps > 1 && is_short {
            cell = Cell::of(center, steps - 1);
        }
        let own = cell.extent();
        let is_reached = |(east, north): (i32, i32)| {
            // With two cells each way, each may be on any side.
            cell.steps() < 2
                || !(north < 0 && own.min.latitude < extent.min.latitude
                    || north > 0 && own.max.latitude > extent.max.latitude
                    || east < 0 && own.min.longitude < extent.min.longitude
                    || east > 0 && own.max.longitude > extent.max.longitude)
        };
        Self(PLACES.map(|(east, north)| {
            let neighbour = if (east, north) == (0, 0) { cell } else { cell.neighbour(east, north) };
            is_reached((east, north)).then_some(neighbour)
        }))
    }

    /// The cells one after the other. Where the map is halved once only, the same one may come twice in a row, and counts once.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        let mut last = None;
        self.0.iter().enumerate().filter_map(move |(n, cell)| {
            let cell = (*cell).filter(|cell| last != Some(*cell))?;
            // The first is not compared with: Redis does not, either.
            last = (n > 0).then_some(cell);
            Some(cell)
        })
    }
}
