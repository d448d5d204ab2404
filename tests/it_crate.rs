//! The `redis` crate, as programs in Rust use it, over RESP2 and RESP3.

mod common;
use common::Server;

use redis::{Client, Commands, Connection, ErrorKind, RedisResult, ServerErrorKind};
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
