//! Places: every command, every option, every error; what is stored, told, logged and waited for.

mod common;
use common::*;

use std::io::{BufRead, BufReader, Read, Write};

/// Four places around Sicily.
const SICILY: &str = r#"
        GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -> 2
        GEOADD Sicily 12.758489 38.788135 west 17.241510 38.788135 east -> 2
"#;

fn sicily(server: &Server) -> Spec<'_> {
    server.spec(SICILY);
    server.session()
}

#[test]
fn places_are_added() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        GEOADD g 13.361389 38.115556 Palermo    -> 1
        GEOADD g 13.361389 38.115556 Palermo    -> 0
        GEOADD g 15 37 Palermo 1 1 other        -> 1
        GEOADD g CH 13.361389 38.115556 Palermo 2 2 other 3 3 new -> 3
        GEOADD g NX CH 1 1 other 1 1 fresh      -> 1
        GEOADD g xx ch 1 1 other 1 1 nobody     -> 1
        GEOADD none XX 1 1 a                    -> 0
        EXISTS none                             -> 0
        TYPE g                                  -> zset
        OBJECT ENCODING g                       -> "listpack"
        ZRANGE g 0 -1 WITHSCORES                -> ["fresh", "3377822707026402", "other", "3377822707026402", "new", "3379368329318596", "Palermo", "3479099956230698"]
        GEOADD g 180 85.05112878 ne 180 -85.05112878 se -180 85.05112878 nw -180 -85.05112878 sw -> 4
        ZRANGE g 0 -1 WITHSCORES                -> ["sw", "0", "fresh", "3377822707026402", "other", "3377822707026402", "new", "3379368329318596", "Palermo", "3479099956230698", "nw", "4503599627370496", "se", "9007199254740992", "ne", "13510798882111488"]
        GEOADD g 0x10 1e1 hex                   -> 1
        GEOPOS g hex ne se nw sw                -> [["16.00000172853469849", "10.00000092823272979"], ["180", "85.0511287799999991"], ["180", "-85.05112751263942528"], ["-179.99999731779098511", "85.0511287799999991"], ["-179.99999731779098511", "-85.05112751263942528"]]
    "#,
    );
    server.spec(
        r#"
        SET text x                              -> OK
        GEOADD g                                -> -ERR wrong number of arguments for 'geoadd' command
        GEOADD g 1 2                            -> -ERR wrong number of arguments for 'geoadd' command
        GEOADD g 1 2 x 3                        -> -ERR syntax error
        GEOADD g NX XX 1 2 x                    -> -ERR syntax error
        GEOADD g NX CH CH                       -> -ERR syntax error
        GEOADD g GT 1 2 x                       -> -ERR syntax error
        GEOADD g x 2 a                          -> -ERR value is not a valid float
        GEOADD g 1 x a                          -> -ERR value is not a valid float
        GEOADD g nan 1 a                        -> -ERR value is not a valid float
        GEOADD g 200 2 a                        -> -ERR invalid longitude,latitude pair 200.000000,2.000000
        GEOADD g -180.0000001 2 a               -> -ERR invalid longitude,latitude pair -180.000000,2.000000
        GEOADD g 1 85.06 a                      -> -ERR invalid longitude,latitude pair 1.000000,85.060000
        GEOADD g inf -inf a                     -> -ERR invalid longitude,latitude pair inf,-inf
        GEOADD g 1e15 0.0000005 a               -> -ERR invalid longitude,latitude pair 1000000000000000.000000,0.000000
        GEOADD g 1 1 a 2 2 b x 3 c              -> -ERR value is not a valid float
        GEOADD text x 2 a                       -> -ERR value is not a valid float
        GEOADD text 1 2 a                       -> -WRONGTYPE Operation against a key holding the wrong kind of value
        EXISTS g                                -> 0
    "#,
    );
}

#[test]
fn single_places_are_asked_about() {
    let server = Server::start(&[]);
    sicily(&server).check(
        r#"
        SET text x                              -> OK
        GEODIST Sicily Palermo Catania          -> "166274.1516"
        GEODIST Sicily Palermo Catania m        -> "166274.1516"
        GEODIST Sicily Palermo Catania KM       -> "166.2742"
        GEODIST Sicily Palermo Catania Mi       -> "103.3182"
        GEODIST Sicily Palermo Catania ft       -> "545518.8700"
        GEODIST Sicily Palermo Palermo          -> "0.0000"
        GEODIST Sicily Palermo nobody           -> nil
        GEODIST Sicily nobody Palermo           -> nil
        GEODIST none Palermo Catania            -> nil
        GEODIST Sicily Palermo Catania miles    -> -ERR unsupported unit provided. please use M, KM, FT, MI
        GEODIST none Palermo Catania miles      -> -ERR unsupported unit provided. please use M, KM, FT, MI
        GEODIST text Palermo Catania            -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEODIST Sicily Palermo Catania m m      -> -ERR syntax error
        GEODIST Sicily Palermo                  -> -ERR wrong number of arguments for 'geodist' command
        GEOHASH Sicily Palermo nobody Catania   -> ["sqc8b49rny0", nil, "sqdtr74hyu0"]
        GEOHASH Sicily                          -> []
        GEOHASH none Palermo                    -> [nil]
        GEOHASH text Palermo                    -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOHASH                                 -> -ERR wrong number of arguments for 'geohash' command
        GEOPOS Sicily Palermo nobody Catania    -> [["13.36138933897018433", "38.11555639549629859"], nil[], ["15.08726745843887329", "37.50266842333162032"]]
        GEOPOS Sicily                           -> []
        GEOPOS none Palermo                     -> [nil[]]
        GEOPOS text Palermo                     -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOPOS                                  -> -ERR wrong number of arguments for 'geopos' command
        ZADD z -1 below 1.5 between 4503599627370496 above 1e300 far -inf first inf last -> 6
        GEOPOS z below between above far first last -> [["180", "85.0511287799999991"], ["-179.99999731779098511", "-85.05112497791824921"], ["-179.99999731779098511", "85.0511287799999991"], ["-179.99999731779098511", "-85.05112751263942528"], ["180", "-85.05112751263942528"], ["-179.99999731779098511", "-85.05112751263942528"]]
        GEOHASH z below between above far first last -> ["bp05b5048p0", "00bh0hbj210", "bp05b5048p0", "00bh0hbj200", "00bh0hbj200", "00bh0hbj200"]
    "#,
    );
}

#[test]
fn the_ends_of_a_diameter_are_half_the_earth_apart() {
    // Redis answers "-922337203685477.5808" or "nan" where rounding goes beyond the sine of a right angle.
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for degrees in 0..85 {
        let (from, to) = (format!("{degrees}.3"), format!("-{degrees}.3"));
        conn.cmd(&["GEOADD", "g", "10", &from, "a", "-170", &to, "b"]);
        let apart: f64 = conn.run("GEODIST g a b").text().parse().unwrap();
        assert!(is_reference() || (apart - 20_020_734.0).abs() < 1.0, "{apart}");
    }
}

#[test]
fn circles_and_boxes_are_searched() {
    let server = Server::start(&[]);
    for entries in ["0", "128"] {
        server.ask(&format!("CONFIG SET zset-max-listpack-entries {entries}"));
        sicily(&server).check(
            r#"
        GEORADIUS Sicily 15 37 200 km           -> ["Palermo", "Catania"]
        GEORADIUS Sicily 15 37 200 km ASC       -> ["Catania", "Palermo"]
        GEORADIUS Sicily 15 37 200 KM DESC WITHDIST -> [["Palermo", "190.4424"], ["Catania", "56.4413"]]
        GEORADIUS Sicily 15 37 200000 m withcoord withhash withdist asc -> [["Catania", "56441.2579", 3479447370796909, ["15.08726745843887329", "37.50266842333162032"]], ["Palermo", "190442.4298", 3479099956230698, ["13.36138933897018433", "38.11555639549629859"]]]
        GEORADIUS_RO Sicily 15 37 200 km WITHDIST ASC -> [["Catania", "56.4413"], ["Palermo", "190.4424"]]
        GEORADIUS Sicily 15 37 400 km COUNT 1   -> ["Catania"]
        GEORADIUS Sicily 15 37 400 km COUNT 3 DESC -> ["west", "east", "Palermo"]
        GEORADIUS Sicily 15 37 400 km COUNT 2 ANY -> ["Palermo", "west"]
        GEORADIUS Sicily 15 37 400 km ANY COUNT 2 ASC -> ["Palermo", "west"]
        GEORADIUS Sicily 15 37 400 km COUNT 3 ANY DESC WITHDIST -> [["west", "279.7405"], ["Palermo", "190.4424"], ["Catania", "56.4413"]]
        GEORADIUS Sicily 15 37 1 km             -> []
        GEORADIUS none 15 37 1 km               -> []
        GEORADIUSBYMEMBER Sicily Palermo 100 km WITHDIST -> [["Palermo", "0.0000"], ["west", "91.4007"]]
        GEORADIUSBYMEMBER Sicily Palermo 200 km WITHDIST DESC -> [["Catania", "166.2742"], ["west", "91.4007"], ["Palermo", "0.0000"]]
        GEORADIUSBYMEMBER_RO Sicily Palermo 0 m -> ["Palermo"]
        GEORADIUSBYMEMBER none nobody x y       -> []
        GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC -> ["Catania", "Palermo"]
        GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST -> [["Catania", "56.4413", ["15.08726745843887329", "37.50266842333162032"]], ["Palermo", "190.4424", ["13.36138933897018433", "38.11555639549629859"]], ["east", "279.7403", ["17.24151045083999634", "38.78813451624225195"]], ["west", "279.7405", ["12.7584877610206604", "38.78813451624225195"]]]
        GEOSEARCH Sicily BYBOX 400 400 km FROMLONLAT 15 37 DESC COUNT 3 -> ["west", "east", "Palermo"]
        GEOSEARCH Sicily FROMMEMBER Catania BYBOX 350 100 MI WITHHASH -> [["Palermo", 3479099956230698], ["Catania", 3479447370796909]]
        GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 300000 ft WITHDIST -> [["Palermo", "0.0000"], ["west", "299870.9272"]]
        GEOSEARCH Sicily FROMMEMBER Palermo FROMMEMBER Catania BYRADIUS 1 m BYRADIUS 2 m -> ["Catania"]
        GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 1e300 km ASC COUNT 2 -> ["Catania", "Palermo"]
        GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX inf inf km -> ["Palermo", "west", "Catania", "east"]
        GEOSEARCH none FROMMEMBER nobody BYRADIUS 1 km -> []
        GEOSEARCH none FROMLONLAT 1 1 BYBOX 1 1 km WITHCOORD -> []
    "#,
        );
    }
}

#[test]
fn what_cannot_be_searched_is_refused() {
    let server = Server::start(&[]);
    sicily(&server).check(
        r#"
        SET text x                              -> OK
        GEORADIUS text 15 x 200 km              -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEORADIUS Sicily 15 37 200              -> -ERR wrong number of arguments for 'georadius' command
        GEORADIUS Sicily 15 x 200 km            -> -ERR value is not a valid float
        GEORADIUS Sicily 15 90 200 km           -> -ERR invalid longitude,latitude pair 15.000000,90.000000
        GEORADIUS Sicily 15 37 x km             -> -ERR need numeric radius
        GEORADIUS Sicily 15 37 -1 km            -> -ERR radius cannot be negative
        GEORADIUS Sicily 15 37 -1 x             -> -ERR radius cannot be negative
        GEORADIUS Sicily 15 37 1 x              -> -ERR unsupported unit provided. please use M, KM, FT, MI
        GEORADIUS Sicily 15 37 1 km COUNT       -> -ERR syntax error
        GEORADIUS Sicily 15 37 1 km COUNT 0     -> -ERR COUNT must be > 0
        GEORADIUS Sicily 15 37 1 km COUNT x     -> -ERR value is not an integer or out of range
        GEORADIUS Sicily 15 37 1 km ANY         -> -ERR the ANY argument requires COUNT argument
        GEORADIUS Sicily 15 37 1 km STORE       -> -ERR syntax error
        GEORADIUS Sicily 15 37 1 km x           -> -ERR syntax error
        GEORADIUS Sicily 15 37 1 km STORE d WITHDIST -> -ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        GEORADIUS Sicily 15 37 1 km FROMMEMBER Palermo -> -ERR syntax error
        GEORADIUS none 15 37 1 km STORE d WITHHASH ANY -> -ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        GEORADIUS_RO Sicily 15 37 1 km STORE d  -> -ERR syntax error
        GEORADIUSBYMEMBER_RO Sicily Palermo 1 km STOREDIST d -> -ERR syntax error
        GEORADIUSBYMEMBER Sicily nobody 1 km    -> -ERR could not decode requested zset member
        GEORADIUSBYMEMBER Sicily Palermo x km   -> -ERR need numeric radius
        GEORADIUSBYMEMBER none nobody x y z     -> -ERR syntax error
        GEOSEARCH text FROMMEMBER x BYRADIUS 1 km -> -WRONGTYPE Operation against a key holding the wrong kind of value
        GEOSEARCH Sicily FROMMEMBER nobody BYRADIUS x km -> -ERR could not decode requested zset member
        GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS x km -> -ERR need numeric radius
        GEOSEARCH Sicily FROMMEMBER Palermo BYBOX x x km -> -ERR need numeric width
        GEOSEARCH Sicily FROMMEMBER Palermo BYBOX 1 x km -> -ERR need numeric height
        GEOSEARCH Sicily FROMMEMBER Palermo BYBOX 1 -1 x -> -ERR height or width cannot be negative
        GEOSEARCH Sicily FROMMEMBER Palermo BYBOX 1 1 x -> -ERR unsupported unit provided. please use M, KM, FT, MI
        GEOSEARCH Sicily FROMMEMBER Palermo FROMLONLAT 1 1 BYBOX 1 1 m -> -ERR syntax error
        GEOSEARCH Sicily FROMLONLAT 1 1 FROMMEMBER Palermo BYBOX 1 1 m -> -ERR syntax error
        GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 1 m BYBOX 1 1 m -> -ERR syntax error
        GEOSEARCH Sicily FROMMEMBER Palermo BYBOX 1 1 m BYRADIUS 1 m -> -ERR syntax error
        geosearch Sicily BYRADIUS 1 km ASC ASC  -> -ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch
        GeoSearch Sicily FROMMEMBER Palermo ASC ASC ASC -> -ERR exactly one of BYRADIUS and BYBOX can be specified for GeoSearch
        GEOSEARCHSTORE d Sicily FROMMEMBER Palermo ASC ASC ASC -> -ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCHSTORE
        GEOSEARCH none FROMMEMBER x ASC ASC ASC -> -ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH
        GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 1 m STOREDIST -> -ERR syntax error
        GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 1 m STORE d -> -ERR syntax error
        GEOSEARCHSTORE d Sicily FROMMEMBER Palermo BYRADIUS 1 m WITHDIST -> -ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        GEOSEARCHSTORE d Sicily FROMMEMBER Palermo BYRADIUS 1 m ANY -> -ERR the ANY argument requires COUNT argument
        GEOSEARCHSTORE d Sicily FROMMEMBER Palermo BYRADIUS 1 -> -ERR wrong number of arguments for 'geosearchstore' command
        EXISTS d                                -> 0
    "#,
    );
}

#[test]
fn polygons_are_searched() {
    if is_reference() {
        return;
    }
    let server = Server::start(&[]);
    // The answers are those of valkey-server 9.1, but for one text, which is Redis's.
    sicily(&server).check(
        r#"
        GEOSEARCH Sicily BYPOLYGON 4 12 37 12 39 18 39 18 37 -> ["Palermo", "west", "Catania", "east"]
        GEOSEARCH Sicily BYPOLYGON 4 12 37 12 39 18 39 18 37 ASC WITHDIST COUNT 2 -> [["Catania", "60049.2798"], ["Palermo", "143725.9101"]]
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 20 1 BYPOLYGON 4 12 37 12 39 18 39 18 37 -> ["Palermo", "west", "Catania", "east"]
        GEOSEARCH Sicily bypolygon 3 0 0 1 1 1 0 -> []
        GEOSEARCH none BYPOLYGON 3 0 0 1 1 1 0  -> []
        GEOSEARCHSTORE d Sicily BYPOLYGON 4 12 37 12 39 18 39 18 37 STOREDIST -> 4
        ZRANGE d 0 0 WITHSCORES                 -> ["Catania", "6.0049279766664426e+4"]
        GEOSEARCH Sicily BYPOLYGON 2 12 37 12 39 -> -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        GEOSEARCH Sicily BYPOLYGON -1 12 37 12 39 1 1 -> -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 1 -> -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        GEOSEARCHSTORE d Sicily BYPOLYGON 3 12 37 12 39 1 -> -ERR GEOSEARCH BYPOLYGON must have at least 3 vertices
        GEOSEARCH Sicily BYPOLYGON x 12 37 12 39 -> -ERR invalid number of vertices
        GEOSEARCH Sicily BYPOLYGON 99999999999 12 37 12 39 -> -ERR invalid number of vertices
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 x 1 -> -ERR value is not a valid float
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 200 1 -> -ERR invalid longitude,latitude pair 200.000000,1.000000
        GEOSEARCH Sicily FROMMEMBER Palermo BYPOLYGON 3 12 37 12 39 20 1 -> -ERR syntax error
        GEOSEARCH Sicily FROMLONLAT 1 1 BYPOLYGON 3 12 37 12 39 20 1 -> -ERR syntax error
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 20 1 FROMMEMBER Palermo -> -ERR syntax error
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 20 1 FROMLONLAT 1 1 -> -ERR syntax error
        GEOSEARCH Sicily BYPOLYGON 3 12 37 12 39 20 1 BYRADIUS 1 m -> -ERR syntax error
        GEOSEARCH Sicily BYBOX 1 1 m BYPOLYGON 3 12 37 12 39 20 1 -> -ERR syntax error
        GEORADIUS Sicily 15 37 1 km BYPOLYGON 3 12 37 12 39 20 1 -> -ERR syntax error
        GEOSEARCH Sicily FROMMEMBER Palermo ASC ASC ASC -> -ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH
    "#,
    );
}

#[test]
fn results_are_stored() {
    let server = Server::start(&[]);
    sicily(&server).check(
        r#"
        SET d text                              -> OK
        GEORADIUS Sicily 15 37 200 km STORE d   -> 2
        ZRANGE d 0 -1 WITHSCORES                -> ["Palermo", "3479099956230698", "Catania", "3479447370796909"]
        OBJECT ENCODING d                       -> "listpack"
        GEORADIUS Sicily 15 37 400 km STOREDIST x STORE d COUNT 3 -> 3
        ZRANGE d 0 -1 WITHSCORES                -> ["Palermo", "3479099956230698", "Catania", "3479447370796909", "east", "3481342659049484"]
        EXISTS x                                -> 0
        GEORADIUSBYMEMBER Sicily Palermo 200 km STORE x STOREDIST d -> 3
        ZRANGE d 0 -1                           -> ["Palermo", "west", "Catania"]
        GEOSEARCHSTORE d Sicily FROMLONLAT 15 37 BYBOX 400 400 km COUNT 2 DESC -> 2
        ZRANGE d 0 -1 WITHSCORES                -> ["west", "3479273021651468", "east", "3481342659049484"]
        GEOSEARCHSTORE d Sicily FROMMEMBER Catania BYBOX 500 500 km STOREDIST ASC COUNT 4 ANY -> 4
        ZRANGE d 0 -1                           -> ["Catania", "Palermo", "east", "west"]
        GEOSEARCHSTORE d Sicily FROMLONLAT 1 1 BYRADIUS 1 m -> 0
        EXISTS d                                -> 0
        SET d text                              -> OK
        GEOSEARCHSTORE d none FROMMEMBER x BYRADIUS 1 m -> 0
        EXISTS d                                -> 0
        SET d text                              -> OK
        GEORADIUSBYMEMBER none x 1 m STORE d    -> 0
        EXISTS d                                -> 0
        GEOSEARCHSTORE Sicily Sicily FROMMEMBER Palermo BYRADIUS 200 km -> 3
        ZCARD Sicily                            -> 3
        EXPIRE Sicily 100                       -> 1
        GEOSEARCHSTORE Sicily Sicily FROMMEMBER Palermo BYRADIUS 10 km -> 1
        TTL Sicily                              -> -1
        CONFIG SET zset-max-listpack-entries 0  -> OK
        GEOSEARCHSTORE d Sicily FROMMEMBER Palermo BYRADIUS 200 km -> 1
        OBJECT ENCODING d                       -> "skiplist"
    "#,
    );
}

#[test]
fn the_edges_of_the_map_meet() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        GEOADD g 179.9 10 east -179.9 10 west 180 10.01 line -180 10.02 same 0 85 pole 120 85 behind -> 6
        GEOSEARCH g FROMMEMBER east BYRADIUS 30 km ASC WITHDIST -> [["east", "0.0000"], ["same", "11.1773"], ["west", "21.9075"]]
        GEOSEARCH g FROMMEMBER west BYRADIUS 30 km ASC WITHDIST -> [["west", "0.0000"], ["same", "11.1767"], ["east", "21.9075"]]
        GEOSEARCH g FROMLONLAT 180 10 BYBOX 60 60 km ASC WITHDIST -> [["line", "1.1123"], ["east", "10.9537"]]
        GEOSEARCH g FROMLONLAT -180 10 BYRADIUS 30 km WITHDIST -> [["same", "2.2245"], ["west", "10.9537"], ["east", "10.9537"]]
        GEOSEARCH g FROMMEMBER pole BYRADIUS 1000 km ASC WITHDIST -> [["pole", "0.0000"], ["behind", "962.9418"]]
        GEOSEARCH g FROMMEMBER behind BYRADIUS 2000 km ASC WITHDIST -> [["behind", "0.0000"], ["pole", "962.9418"]]
        GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 15000 km ASC -> ["pole", "behind"]
        GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 40000 km ASC COUNT 10 -> ["pole", "behind", "same", "east", "west"]
    "#,
    );
}

#[test]
fn equals_come_in_the_order_of_redis() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let mut add = vec!["GEOADD".to_owned(), "g".to_owned()];
    for n in 0..60 {
        add.extend([format!("{}", 10 + n % 3), format!("{}", 20 + n % 4), format!("m{n}")]);
    }
    assert_eq!(conn.cmd(&add), Value::Int(60));
    server.session().check(
        r#"
        GEOSEARCH g FROMMEMBER m0 BYRADIUS 500 km ASC COUNT 7 -> ["m12", "m24", "m36", "m48", "m0", "m52", "m16"]
        GEOSEARCH g FROMMEMBER m0 BYRADIUS 500 km DESC COUNT 7 -> ["m11", "m59", "m47", "m35", "m23", "m31", "m7"]
        GEOSEARCH g FROMMEMBER m5 BYRADIUS 150 km ASC COUNT 19 -> ["m53", "m17", "m29", "m41", "m5", "m49", "m37", "m25", "m13", "m1", "m20", "m32", "m44", "m56", "m8", "m50", "m38", "m26", "m2"]
        GEOSEARCH g FROMMEMBER m5 BYRADIUS 150 km DESC -> ["m14", "m2", "m26", "m38", "m50", "m20", "m32", "m44", "m56", "m8", "m1", "m13", "m25", "m37", "m49", "m17", "m29", "m41", "m5", "m53"]
        GEOSEARCH g FROMMEMBER m5 BYRADIUS 150 km ASC COUNT 5 ANY -> ["m20", "m32", "m44", "m56", "m8"]
    "#,
    );
}

#[test]
fn resp3_has_doubles_for_coordinates_only() {
    let server = Server::start(&[]);
    sicily(&server).check(
        r#"
        HELLO 3                                 ~> *
        GEOPOS Sicily Palermo nobody            -> [[,13.36138933897018433, ,38.11555639549629859], null]
        GEODIST Sicily Palermo Catania          -> "166274.1516"
        GEODIST Sicily Palermo nobody           -> null
        GEODIST none Palermo nobody             -> null
        GEOHASH Sicily Palermo nobody           -> ["sqc8b49rny0", null]
        GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 100 km WITHCOORD WITHDIST WITHHASH -> [["Catania", "56.4413", 3479447370796909, [,15.08726745843887329, ,37.50266842333162032]]]
        GEOSEARCH none FROMLONLAT 15 37 BYRADIUS 100 km -> []
    "#,
    );
}

#[test]
fn clients_are_told_which_arguments_are_keys() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        COMMAND GETKEYSANDFLAGS GEORADIUS g 15 37 200 km STORE d STOREDIST e -> [["g", [RO, access]], ["d", [OW, update]], ["e", [OW, update]]]
        COMMAND GETKEYSANDFLAGS GEORADIUS g 15 37 200 km store d -> [["g", [RO, access]], ["d", [OW, update]]]
        COMMAND GETKEYSANDFLAGS GEORADIUS g 15 37 200 km STORE -> [["g", [RO, access]]]
        COMMAND GETKEYSANDFLAGS GEORADIUSBYMEMBER g m 200 km STOREDIST d -> [["g", [RO, access]], ["d", [OW, update]]]
        COMMAND GETKEYS GEORADIUS_RO g 15 37 200 km STORE d -> ["g"]
        COMMAND GETKEYS GEOSEARCHSTORE d g FROMMEMBER m BYRADIUS 200 km -> ["d", "g"]
        COMMAND GETKEYS GEOADD g CH 1 1 m       -> ["g"]
        COMMAND INFO GEORADIUS                  -> [["georadius", -6, [write, denyoom, movablekeys], 1, 1, 1, [@write, @geo, @slow], [], [["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]], ["flags", [OW, update], "begin_search", ["type", "keyword", "spec", ["keyword", "STORE", "startfrom", 6]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]], ["flags", [OW, update], "begin_search", ["type", "keyword", "spec", ["keyword", "STOREDIST", "startfrom", 6]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO GEORADIUSBYMEMBER          -> [["georadiusbymember", -5, [write, denyoom, movablekeys], 1, 1, 1, [@write, @geo, @slow], [], [["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]], ["flags", [OW, update], "begin_search", ["type", "keyword", "spec", ["keyword", "STORE", "startfrom", 5]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]], ["flags", [OW, update], "begin_search", ["type", "keyword", "spec", ["keyword", "STOREDIST", "startfrom", 5]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO GEORADIUSBYMEMBER_RO       -> [["georadiusbymember_ro", -5, [readonly], 1, 1, 1, [@read, @geo, @slow], [], [["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO GEOADD                     -> [["geoadd", -5, [write, denyoom], 1, 1, 1, [@write, @geo, @slow], [], [["flags", [RW, update], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO GEOSEARCH                  -> [["geosearch", -7, [readonly], 1, 1, 1, [@read, @geo, @slow], [], [["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
        COMMAND INFO GEOSEARCHSTORE             -> [["geosearchstore", -8, [write, denyoom], 1, 2, 1, [@write, @geo, @slow], [], [["flags", [OW, update], "begin_search", ["type", "index", "spec", ["index", 1]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]], ["flags", [RO, access], "begin_search", ["type", "index", "spec", ["index", 2]], "find_keys", ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]]]], []]]
    "#,
    );
}

#[test]
fn who_waits_for_a_member_is_served() {
    let server = Server::start(&[]);
    let wait = |key: &str| server.wait_in(&format!("BZPOPMIN {key} 0"));
    let mut waiting = wait("g");
    server.ask("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    assert_eq!(waiting.recv().to_string(), r#"["g", "Palermo", "3479099956230698"]"#);
    let mut waiting = wait("d");
    server.ask("GEOSEARCHSTORE d g FROMMEMBER Catania BYRADIUS 1 km");
    assert_eq!(waiting.recv().to_string(), r#"["d", "Catania", "3479447370796909"]"#);
    let mut waiting = wait("d");
    server.ask("GEORADIUS g 15 37 200 km STOREDIST d");
    assert_eq!(waiting.recv().items()[1], *"\"Catania\"");
}

#[test]
fn the_log_has_zadd_and_searches_as_they_came() {
    let server = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let mut link = BufReader::new(std::net::TcpStream::connect(server.address()).unwrap());
    link.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
    link.get_mut().write_all(b"SYNC\r\n").unwrap();
    let line = |link: &mut BufReader<std::net::TcpStream>| {
        let mut line = String::new();
        assert_ne!(link.read_line(&mut line).expect("a line"), 0, "the link is closed");
        line.trim_end().to_owned()
    };
    let header = loop {
        let header = line(&mut link);
        if header.starts_with('$') {
            break header;
        }
    };
    match header.strip_prefix("$EOF:") {
        None => link.read_exact(&mut vec![0; header[1..].parse().unwrap()]).unwrap(),
        Some(mark) => {
            let mut bytes = Vec::new();
            while !bytes.ends_with(mark.as_bytes()) {
                let mut byte = [0];
                link.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
            }
        }
    }
    let commands = [
        "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
        "GeoAdd g nX cH 13.361389 38.115556 Palermo 180 85.05112878 corner",
        "GEOADD g 13.361389 38.115556 Palermo",
        "GEORADIUS g 15 37 200 km",
        "GEORADIUS g 15 37 200 km STORE d",
        "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST d",
        "GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 200 km",
        "GEOSEARCHSTORE d none FROMMEMBER Palermo BYRADIUS 200 km",
        "GEOSEARCHSTORE d none FROMMEMBER Palermo BYRADIUS 200 km",
    ];
    let mut conn = server.connect();
    commands.iter().for_each(|command| drop(conn.run(command)));
    conn.run("SET the-end 1");
    let mut logged = Vec::new();
    loop {
        let count: usize = line(&mut link)[1..].parse().unwrap();
        let words: Vec<String> = (0..count).map(|_| (line(&mut link), line(&mut link)).1).collect();
        match words[0].as_str() {
            "SET" => break,
            "SELECT" | "PING" => (),
            _ => logged.push(words.join(" ")),
        }
    }
    assert_eq!(
        logged,
        [
            "zadd g 3479099956230698 Palermo 3479447370796909 Catania",
            "zadd g nX cH 3479099956230698 Palermo 13510798882111488 corner",
            commands[4],
            commands[5],
            commands[6],
            commands[7],
        ]
    );
}
