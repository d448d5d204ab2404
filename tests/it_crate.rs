//! The `redis` crate, as programs in Rust use it, over RESP2 and RESP3.

mod common;
use common::Server;

use redis::{
    Client, Commands, Connection, ErrorKind, RedisResult, ServerErrorKind,
    geo::{Coord, RadiusOptions, RadiusOrder, RadiusSearchResult, Unit},
    streams::{StreamId, StreamMaxlen, StreamPendingReply, StreamReadOptions, StreamReadReply},
};
use std::collections::{HashMap, HashSet};

/// Runs `check` over both protocols on an empty server.
fn over_both(check: impl Fn(&mut Connection)) {
    let server = Server::start(&[]);
    for protocol in ["resp2", "resp3"] {
        let url = format!("redis://127.0.0.1:{}/?protocol={protocol}", server.port);
        let mut con = Client::open(url).unwrap().get_connection().unwrap();
        let () = redis::cmd("FLUSHALL").query(&mut con).unwrap();
        check(&mut con);
    }
}

#[test]
fn strings_and_counters() {
    over_both(|con| {
        let () = con.set("text", "hello").unwrap();
        assert_eq!(con.get::<_, String>("text").unwrap(), "hello");
        assert_eq!(con.get::<_, Option<String>>("absent").unwrap(), None);
        assert_eq!(con.incr::<_, _, i64>("n", 40).unwrap(), 40);
        assert_eq!(con.decr::<_, _, i64>("n", -2).unwrap(), 42);
        assert_eq!(con.incr::<_, _, f64>("f", 0.5).unwrap(), 0.5);
        let () = con.mset(&[("a", 1), ("b", 2)]).unwrap();
        let several: (i32, Option<i32>, i32) = con.mget(&["a", "absent", "b"]).unwrap();
        assert_eq!(several, (1, None, 2));
        assert_eq!(con.append::<_, _, usize>("text", " world").unwrap(), 11);
        assert_eq!(con.getrange::<_, String>("text", -5, -1).unwrap(), "world");
        assert!(con.set_nx::<_, _, bool>("once", 1).unwrap());
        assert!(!con.set_nx::<_, _, bool>("once", 2).unwrap());
        let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
        let () = con.set("bytes", &bytes).unwrap();
        assert_eq!(con.get::<_, Vec<u8>>("bytes").unwrap(), bytes);
    });
}

#[test]
fn keys_and_expiry() {
    over_both(|con| {
        let () = con.set_ex("k", 1, 100).unwrap();
        assert!((99..=100).contains(&con.ttl::<_, i64>("k").unwrap()));
        assert!(con.persist::<_, bool>("k").unwrap());
        assert!(con.exists::<_, bool>("k").unwrap());
        assert_eq!(con.del::<_, usize>(&["k", "absent"]).unwrap(), 1);
        for i in 0..500 {
            let () = con.set(format!("scan:{i}"), i).unwrap();
        }
        let found: RedisResult<HashSet<String>> = con.scan_match("scan:*").unwrap().collect();
        assert_eq!(found.unwrap().len(), 500);
        assert_eq!(con.keys::<_, Vec<String>>("scan:4?").unwrap().len(), 10);
    });
}

#[test]
fn lists() {
    over_both(|con| {
        assert_eq!(con.rpush::<_, _, usize>("l", &[1, 2, 3]).unwrap(), 3);
        assert_eq!(con.lpush::<_, _, usize>("l", 0).unwrap(), 4);
        assert_eq!(con.lrange::<_, Vec<i32>>("l", 0, -1).unwrap(), [0, 1, 2, 3]);
        assert_eq!(con.lpop::<_, Vec<i32>>("l", std::num::NonZero::new(2)).unwrap(), [0, 1]);
        assert_eq!(con.linsert_before::<_, _, _, usize>("l", 3, "x").unwrap(), 3);
        assert_eq!(con.lrem::<_, _, usize>("l", 0, "x").unwrap(), 1);
        let taken: (String, i32) = con.blpop(&["none", "l"], 1.0).unwrap();
        assert_eq!(taken, ("l".to_owned(), 2));
        assert_eq!(con.blpop::<_, Option<(String, i32)>>("none", 0.01).unwrap(), None);
        let () = con.rpush("sorted", &[3, 1, 2]).unwrap();
        assert_eq!(redis::cmd("SORT").arg("sorted").query::<Vec<i32>>(con).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn sets() {
    over_both(|con| {
        let set = |words: &[&str]| words.iter().map(|w| w.to_string()).collect::<HashSet<_>>();
        assert_eq!(con.sadd::<_, _, usize>("s", &["a", "b", "c"]).unwrap(), 3);
        assert_eq!(con.sadd::<_, _, usize>("t", &["b", "c", "d"]).unwrap(), 3);
        assert_eq!(con.smembers::<_, HashSet<String>>("s").unwrap(), set(&["a", "b", "c"]));
        assert_eq!(con.smismember::<_, _, Vec<bool>>("s", &["a", "x"]).unwrap(), [true, false]);
        assert_eq!(con.sinter::<_, HashSet<String>>(&["s", "t"]).unwrap(), set(&["b", "c"]));
        assert_eq!(con.sdiffstore::<_, _, usize>("u", &["s", "t"]).unwrap(), 1);
        assert_eq!(con.spop::<_, Option<String>>("u").unwrap().as_deref(), Some("a"));
        assert_eq!(con.sscan::<_, String>("s").unwrap().collect::<RedisResult<HashSet<String>>>().unwrap(), set(&["a", "b", "c"]));
    });
}

#[test]
fn hashes() {
    over_both(|con| {
        let () = con.hset_multiple("h", &[("a", "1"), ("b", "two")]).unwrap();
        let all: HashMap<String, String> = con.hgetall("h").unwrap();
        assert_eq!((all.len(), all["b"].as_str()), (2, "two"));
        assert_eq!(con.hincr::<_, _, _, i64>("h", "a", 4).unwrap(), 5);
        assert_eq!(con.hincr::<_, _, _, f64>("h", "f", 1.5).unwrap(), 1.5);
        assert_eq!(con.hmget::<_, _, (i32, Option<i32>)>("h", &["a", "x"]).unwrap(), (5, None));
        let found: RedisResult<HashMap<String, String>> = con.hscan::<_, (String, String)>("h").unwrap().collect();
        assert_eq!(found.unwrap().len(), 3);
        assert_eq!(con.hdel::<_, _, usize>("h", &["a", "b", "f"]).unwrap(), 3);
        assert!(!con.exists::<_, bool>("h").unwrap());
    });
}

#[test]
fn sorted_sets() {
    over_both(|con| {
        assert_eq!(con.zadd_multiple::<_, _, _, usize>("z", &[(1.0, "a"), (2.0, "b"), (3.5, "c")]).unwrap(), 3);
        let ranked: Vec<(String, f64)> = con.zrange_withscores("z", 0, -1).unwrap();
        assert_eq!(ranked, [("a".to_owned(), 1.0), ("b".to_owned(), 2.0), ("c".to_owned(), 3.5)]);
        assert_eq!(con.zrangebyscore::<_, _, _, Vec<String>>("z", "-inf", "(3").unwrap(), ["a", "b"]);
        assert_eq!(con.zscore::<_, _, Option<f64>>("z", "x").unwrap(), None);
        assert_eq!(con.zincr::<_, _, _, f64>("z", "a", 10).unwrap(), 11.0);
        assert_eq!(con.zrank::<_, _, usize>("z", "a").unwrap(), 2);
        let least: Vec<(String, f64)> = con.zpopmin("z", 1).unwrap();
        assert_eq!(least, [("b".to_owned(), 2.0)]);
        let greatest: (String, String, f64) = con.bzpopmax("z", 1.0).unwrap();
        assert_eq!(greatest, ("z".to_owned(), "a".to_owned(), 11.0));
    });
}

#[test]
fn bitmaps() {
    over_both(|con| {
        assert!(!con.setbit::<_, bool>("b", 7, true).unwrap());
        assert!(con.getbit::<_, bool>("b", 7).unwrap());
        let () = con.set("b", b"\xff\xf0\x00").unwrap();
        assert_eq!((con.bitcount::<_, usize>("b").unwrap(), con.bitcount_range::<_, usize>("b", 1, 2).unwrap()), (12, 4));
        let () = con.set("c", b"\x0f\x1f").unwrap();
        assert_eq!(con.bit_and::<_, _, usize>("d", &["b", "c"]).unwrap(), 3);
        assert_eq!(con.get::<_, Vec<u8>>("d").unwrap(), b"\x0f\x10\x00");
        assert_eq!(con.bit_not::<_, _, usize>("d", "b").unwrap(), 3);
        assert_eq!(con.get::<_, Vec<u8>>("d").unwrap(), b"\x00\x0f\xff");
        let changes: Vec<Option<i64>> = redis::cmd("BITFIELD")
            .arg(&[
                "f", "SET", "u8", "0", "200", "OVERFLOW", "SAT", "INCRBY", "u8", "0", "100", "OVERFLOW", "FAIL", "INCRBY", "u8", "0", "1",
            ])
            .query(con)
            .unwrap();
        assert_eq!(changes, [Some(0), Some(255), None]);
    });
}

#[test]
fn hyperloglogs() {
    over_both(|con| {
        assert!(con.pfadd::<_, _, bool>("h", &["a", "b", "c"]).unwrap());
        assert!(!con.pfadd::<_, _, bool>("h", "a").unwrap());
        assert_eq!(con.pfcount::<_, usize>("h").unwrap(), 3);
        let elements: Vec<String> = (0..1000).map(|n| format!("element:{n}")).collect();
        assert!(con.pfadd::<_, _, bool>("i", &elements).unwrap());
        let both: usize = con.pfcount(&["h", "i"]).unwrap();
        assert!((950..1053).contains(&both), "{both}");
        let () = con.pfmerge("j", &["h", "i"]).unwrap();
        assert_eq!(con.pfcount::<_, usize>("j").unwrap(), both);
    });
}

#[test]
fn places() {
    over_both(|con| {
        let sicily = [(Coord::lon_lat(13.361389, 38.115556), "Palermo"), (Coord::lon_lat(15.087269, 37.502669), "Catania")];
        assert_eq!(con.geo_add::<_, _, usize>("g", &sicily).unwrap(), 2);
        assert_eq!(con.geo_dist::<_, _, _, f64>("g", "Palermo", "Catania", Unit::Kilometers).unwrap(), 166.2742);
        assert_eq!(con.geo_hash::<_, _, Vec<Option<String>>>("g", &["Palermo", "x"]).unwrap(), [Some("sqc8b49rny0".to_owned()), None]);
        let places: Vec<Option<Coord<f64>>> = con.geo_pos("g", &["Palermo", "x"]).unwrap();
        assert!(places[0].as_ref().is_some_and(|at| (at.longitude - 13.361389).abs() < 1e-5 && (at.latitude - 38.115556).abs() < 1e-5));
        assert!(places[1].is_none());
        let options = RadiusOptions::default().with_dist().with_coord().order(RadiusOrder::Asc);
        let found: Vec<RadiusSearchResult> = con.geo_radius("g", 15.0, 37.0, 200.0, Unit::Kilometers, options).unwrap();
        let found: Vec<(&str, Option<f64>)> = found.iter().map(|found| (found.name.as_str(), found.dist)).collect();
        assert_eq!(found, [("Catania", Some(56.4413)), ("Palermo", Some(190.4424))]);
        let store = RadiusOptions::default().store_dist("d");
        assert_eq!(con.geo_radius_by_member::<_, _, usize>("g", "Palermo", 200.0, Unit::Kilometers, store).unwrap(), 2);
        let search = ["g", "FROMLONLAT", "15", "37", "BYBOX", "400", "400", "km", "DESC", "COUNT", "1"];
        assert_eq!(redis::cmd("GEOSEARCH").arg(&search).query::<Vec<String>>(con).unwrap(), ["Palermo"]);
    });
}

#[test]
fn streams() {
    /// The ids and the field `a` of some entries.
    fn found(entries: &[StreamId]) -> Vec<(&str, i64)> {
        entries.iter().map(|entry| (entry.id.as_str(), entry.get("a").unwrap())).collect()
    }
    over_both(|con| {
        assert_eq!(con.xadd::<_, _, _, _, Option<String>>("s", "1-1", &[("a", 1)]).unwrap().as_deref(), Some("1-1"));
        assert_eq!(con.xadd::<_, _, _, _, Option<String>>("s", "1-*", &[("a", 2)]).unwrap().as_deref(), Some("1-2"));
        let later: Option<String> = con.xadd_maxlen("s", StreamMaxlen::Approx(1000), "*", &[("a", 3)]).unwrap();
        let later = later.expect("an id");
        assert_eq!(con.xlen::<_, usize>("s").unwrap(), 3);
        let range: redis::streams::StreamRangeReply = con.xrange("s", "1-2", "+").unwrap();
        assert_eq!(found(&range.ids), [("1-2", 2), (&later, 3)]);
        let read: Option<StreamReadReply> = con.xread_options(&["s"], &["1-1"], &StreamReadOptions::default().count(1)).unwrap();
        assert_eq!(found(&read.unwrap().keys[0].ids), [("1-2", 2)]);
        let nothing: Option<StreamReadReply> = con.xread_options(&["s"], &["$"], &StreamReadOptions::default().block(10)).unwrap();
        assert!(nothing.is_none_or(|reply| reply.keys.is_empty()));

        let () = con.xgroup_create("s", "g", "0").unwrap();
        let me = StreamReadOptions::default().group("g", "me").count(2);
        let read: Option<StreamReadReply> = con.xread_options(&["s"], &[">"], &me).unwrap();
        assert_eq!(found(&read.unwrap().keys[0].ids), [("1-1", 1), ("1-2", 2)]);
        assert_eq!(con.xack::<_, _, _, usize>("s", "g", &["1-1", "9-9"]).unwrap(), 1);
        match con.xpending::<_, _, StreamPendingReply>("s", "g").unwrap() {
            StreamPendingReply::Data(pending) => assert_eq!((pending.count, pending.start_id.as_str()), (1, "1-2")),
            other => panic!("one is pending: {other:?}"),
        }
        let claimed: redis::streams::StreamClaimReply = con.xclaim("s", "g", "other", 0, &["1-2"]).unwrap();
        assert_eq!(found(&claimed.ids), [("1-2", 2)]);
        let claimed: redis::streams::StreamAutoClaimReply =
            con.xautoclaim_options("s", "g", "third", 0, "0", redis::streams::StreamAutoClaimOptions::default()).unwrap();
        assert_eq!((claimed.next_stream_id.as_str(), found(&claimed.claimed)), ("0-0", vec![("1-2", 2)]));
        let consumers: redis::streams::StreamInfoConsumersReply = con.xinfo_consumers("s", "g").unwrap();
        assert_eq!(consumers.consumers.iter().map(|consumer| consumer.pending).collect::<Vec<_>>(), [0, 0, 1]);
        let groups: redis::streams::StreamInfoGroupsReply = con.xinfo_groups("s").unwrap();
        assert_eq!((groups.groups[0].last_delivered_id.as_str(), groups.groups[0].lag), ("1-2", Some(1)));
        assert_eq!(con.xdel::<_, _, usize>("s", &["1-1"]).unwrap(), 1);
        assert_eq!(con.xtrim::<_, usize>("s", StreamMaxlen::Equals(1)).unwrap(), 1);
        assert_eq!(con.xgroup_destroy::<_, _, usize>("s", "g").unwrap(), 1);
    });
}

#[test]
fn publishing() {
    over_both(|con| {
        let address: String = redis::cmd("CLIENT").arg("INFO").query::<String>(con).unwrap();
        let port = address.split("laddr=127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        let mut subscriber = Client::open(format!("redis://127.0.0.1:{port}/")).unwrap().get_connection().unwrap();
        let mut channel = subscriber.as_pubsub();
        channel.subscribe("news").unwrap();
        channel.psubscribe("w*").unwrap();
        assert_eq!(con.publish::<_, _, usize>("news", "hello").unwrap(), 1);
        assert_eq!(con.publish::<_, _, usize>("weather", "fair").unwrap(), 1);
        for wanted in ["hello", "fair"] {
            assert_eq!(channel.get_message().unwrap().get_payload::<String>().unwrap(), wanted);
        }
    });
}

#[test]
fn pipelines_and_transactions() {
    over_both(|con| {
        let mut pipe = redis::pipe();
        for i in 0..1000 {
            pipe.incr("n", i).ignore();
        }
        let (n,): (i64,) = pipe.get("n").query(con).unwrap();
        assert_eq!(n, 499_500);
        let (old, new): (i64, i64) = redis::pipe().atomic().get("n").incr("n", 1).query(con).unwrap();
        assert_eq!((old, new), (499_500, 499_501));
        let doubled: (i64,) = redis::transaction(con, &["n"], |con, pipe| {
            let n: i64 = con.get("n")?;
            pipe.set("n", 2 * n).ignore().get("n").query(con)
        })
        .unwrap();
        assert_eq!(doubled.0, 999_002);
    });
}

#[test]
fn errors_and_administration() {
    over_both(|con| {
        let () = con.set("text", "hello").unwrap();
        let error = con.incr::<_, _, i64>("text", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
        assert_eq!(error.detail(), Some("value is not an integer or out of range"));
        let info: redis::InfoDict = redis::cmd("INFO").query(con).unwrap();
        assert_eq!(info.get::<String>("role").unwrap(), "master");
        let config: HashMap<String, String> = redis::cmd("CONFIG").arg("GET").arg("maxmemory*").query(con).unwrap();
        assert_eq!(config["maxmemory-policy"], "noeviction");
        let name: Option<String> = redis::cmd("CLIENT").arg("GETNAME").query(con).unwrap();
        assert_eq!(name, None);
        let time: (u64, u64) = redis::cmd("TIME").query(con).unwrap();
        assert!(time.0 > 1_700_000_000);
    });
}
