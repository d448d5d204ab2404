//! Places: members of sorted sets whose scores are points on the earth ([`crate::data::geo`]). What their commands share. Each file below has a
//! few of the commands, and ends in their rows of the table.

pub mod adding;
mod options;
pub mod reading;
pub mod searching;

use super::{Ctx, context::errors};
use crate::{
    data::{float, geo::Point, longdouble::LongDouble},
    resp::output::Output,
};

/// The arguments `i` and `i + 1` as longitude and latitude; answers with an error when they are none.
fn point_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<Point> {
    let (Some(longitude), Some(latitude)) = (float::parse(ctx.arg(i)), float::parse(ctx.arg(i + 1))) else {
        ctx.error(errors::NOT_FLOAT);
        return None;
    };
    let point = Point { longitude, latitude };
    if !point.is_valid() {
        ctx.error(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"));
        return None;
    }
    Some(point)
}

/// How many meters the unit at argument `i` is; answers with an error when it is none.
fn unit_arg(ctx: &mut Ctx<'_>, i: usize) -> Option<f64> {
    match ctx.arg(i).to_ascii_lowercase().as_slice() {
        b"m" => Some(1.0),
        b"km" => Some(1000.0),
        b"ft" => Some(0.3048),
        b"mi" => Some(1609.34),
        _ => {
            ctx.error("ERR unsupported unit provided. please use M, KM, FT, MI");
            None
        }
    }
}

/// Adds a distance to a reply: in RESP3, too, it is a string.
fn reply_distance(out: &mut Output, distance: f64) {
    let mut text = Vec::with_capacity(32);
    float::write_fixed(&mut text, distance, 4);
    out.bulk(&text);
}

/// Adds a longitude and a latitude to a reply.
fn reply_point(out: &mut Output, point: Point) {
    let mut text = Vec::with_capacity(32);
    out.array(2);
    for degrees in [point.longitude, point.latitude] {
        text.clear();
        LongDouble::from(degrees).write(&mut text);
        out.double_text(&text);
    }
}
