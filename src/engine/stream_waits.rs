//! Tests of who waits for streams, and what wakes them.

use crate::engine::tests::{A, B, Bench, C, D, bench_of_four};

/// A bench with four clients, and a stream `k` with a group `g` that has read its only entry.
fn four() -> Bench {
    let mut bench = bench_of_four();
    bench.say(A, "XADD k 1-0 f v\nXGROUP CREATE k g $");
    bench
}

/// The answer with one entry of `k`.
fn entry(id: &str) -> String {
    entry_of("k", id)
}

fn entry_of(key: &str, id: &str) -> String {
    let entry = format!("*2\r\n${}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n", id.len());
    format!("*1\r\n*2\r\n${}\r\n{key}\r\n*1\r\n{entry}", key.len())
}

const NO_GROUP: &str = "-NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

#[test]
fn an_entry_wakes_all_who_read_and_one_of_a_group() {
    let mut bench = four();
    bench.say(B, "XREAD BLOCK 0 STREAMS k $");
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(D, "XREADGROUP GROUP g d BLOCK 0 STREAMS k >");
    bench.say(A, "XADD k 2-0 f v");
    assert_eq!((bench.take(B), bench.take(C), bench.take(D)), (entry("2-0"), entry("2-0"), String::new()));
    bench.say(A, "XADD k 3-0 f v");
    assert_eq!(bench.take(D), entry("3-0"));
}

#[test]
fn the_last_id_is_that_of_the_moment_when_the_wait_began() {
    let mut bench = four();
    bench.say(B, "XREAD BLOCK 0 STREAMS k $");
    bench.say(C, "XREAD BLOCK 0 STREAMS new $");
    bench.say(A, "MULTI\nXADD k 2-0 f v\nXADD k 3-0 f v\nXADD new 5-0 f v\nEXEC");
    let reply = bench.take(B);
    assert!(reply.contains("2-0") && reply.contains("3-0"), "{reply}");
    assert_eq!(bench.take(C), entry_of("new", "5-0"));
}

#[test]
fn an_entry_that_is_not_behind_the_id_wakes_nobody() {
    let mut bench = four();
    bench.say(B, "XREAD BLOCK 0 STREAMS k 2-5");
    bench.say(A, "XADD k 2-0 f v");
    assert_eq!(bench.take(B), "");
    bench.say(A, "XADD k 2-6 f v");
    assert_eq!(bench.take(B), entry("2-6"));
}

#[test]
fn what_is_gone_again_at_the_end_of_a_transaction_wakes_nobody() {
    let mut bench = four();
    bench.say(B, "XREAD BLOCK 0 STREAMS k $");
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(A, "MULTI\nXADD k 2-0 f v\nXDEL k 2-0\nEXEC");
    assert_eq!((bench.take(B), bench.take(C)), (String::new(), String::new()));
    assert_eq!(bench.say(A, "MULTI\nXREAD BLOCK 0 STREAMS k $\nEXEC"), "+OK\r\n+QUEUED\r\n*1\r\n*-1\r\n", "in one nobody waits");
}

#[test]
fn a_key_that_goes_wakes_the_consumers_of_groups_alone() {
    for going in
        ["DEL k", "UNLINK k", "FLUSHALL", "FLUSHDB", "RENAME k other", "MOVE k 1", "SWAPDB 0 1", "PEXPIREAT k 1", "XGROUP DESTROY k g"]
    {
        let mut bench = four();
        bench.say(B, "XREAD BLOCK 0 STREAMS k $");
        bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
        bench.say(A, going);
        assert_eq!((bench.take(B), bench.take(C)), (String::new(), NO_GROUP.into()), "{going}");
        assert_eq!(bench.engine.server.keyspace.awaited.len(), 1, "{going}");
    }
}

#[test]
fn a_key_that_expires_goes_too() {
    let mut bench = four();
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(A, "PEXPIRE k 10");
    assert_eq!(bench.take(C), "");
    bench.pass(20);
    bench.engine.finish_turn();
    assert_eq!(bench.take(C), NO_GROUP, "by the expire cycle");
}

#[test]
fn a_value_of_another_type_wakes_the_consumers_of_groups_alone() {
    for change in
        ["SET k v", "LPUSH l v\nRENAME l k", "LPUSH l v\nCOPY l k REPLACE", "SELECT 1\nSET k v\nSWAPDB 0 1", "MULTI\nDEL k\nSADD k m\nEXEC"]
    {
        let mut bench = four();
        bench.say(B, "XREAD BLOCK 0 STREAMS k $");
        bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
        bench.say(A, change);
        assert_eq!((bench.take(B), bench.take(C)), (String::new(), WRONG_TYPE.into()), "{change}");
    }
}

#[test]
fn streams_come_by_renames_and_swaps_too() {
    for coming in ["XADD q 2-0 f v\nRENAME q k", "XADD q 2-0 f v\nCOPY q k REPLACE", "SELECT 1\nXADD k 2-0 f v\nSWAPDB 0 1"] {
        let mut bench = four();
        bench.say(B, "XREAD BLOCK 0 STREAMS k $");
        bench.say(A, coming);
        assert_eq!(bench.take(B), entry("2-0"), "{coming}");
    }
}

#[test]
fn a_group_that_is_made_anew_is_read_from_where_it_begins() {
    let mut bench = four();
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(A, "MULTI\nXGROUP DESTROY k g\nXGROUP CREATE k g $\nEXEC");
    assert_eq!(bench.take(C), "");
    bench.say(A, "MULTI\nXGROUP DESTROY k g\nXGROUP CREATE k g 0\nEXEC");
    assert_eq!(bench.take(C), entry("1-0"));
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(A, "MULTI\nDEL k\nXADD k 1-0 f v\nXGROUP CREATE k g 0\nEXEC");
    assert_eq!(bench.take(C), entry("1-0"));
}

#[test]
fn what_is_no_new_entry_wakes_nobody() {
    let mut bench = four();
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    // Redis does not look at who waits when a group goes back.
    bench.say(A, "XGROUP SETID k g 0\nXDEL k 5-5\nPEXPIRE k 100000\nPERSIST k\nXSETID k 9-0\nXGROUP CREATECONSUMER k g x");
    assert_eq!(bench.take(C), "");
    bench.say(A, "XADD k 10-0 f v");
    let reply = bench.take(C);
    assert!(reply.contains("1-0") && reply.contains("10-0"), "{reply}");
}

#[test]
fn who_finds_nothing_again_goes_behind_the_others() {
    let mut bench = four();
    bench.say(A, "XADD l 1-0 f v\nXGROUP CREATE l g $");
    // Both streams are waited for by C, and each by one more, who has come before or after.
    bench.say(B, "XREADGROUP GROUP g b BLOCK 0 STREAMS k >");
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k l > >");
    bench.say(D, "XREADGROUP GROUP g d BLOCK 0 STREAMS l >");
    bench.say(A, "XADD k 2-0 f v");
    assert_eq!((bench.take(B), bench.take(C)), (entry("2-0"), String::new()));
    bench.say(A, "XADD l 2-0 f v");
    assert_eq!((bench.take(D), bench.take(C)), (entry_of("l", "2-0"), String::new()));
    bench.say(A, "XADD l 3-0 f v");
    assert_eq!(bench.take(C), entry_of("l", "3-0"));
}

#[test]
fn waits_end_at_their_deadline_or_when_somebody_says_so() {
    let mut bench = four();
    bench.say(B, "XREAD BLOCK 25 STREAMS k $");
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >\nPING");
    bench.pass(25);
    bench.engine.finish_turn();
    assert_eq!((bench.take(B), bench.take(C)), ("*-1\r\n".into(), String::new()));
    let id = bench.engine.server.clients.get(C).unwrap().id;
    assert_eq!(bench.say(A, &format!("CLIENT UNBLOCK {id} ERROR")), ":1\r\n");
    bench.engine.finish_turn();
    assert_eq!(bench.take(C), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n+PONG\r\n");
    assert!(bench.engine.server.keyspace.awaited.is_empty());
    bench.say(B, "HELLO 3");
    bench.take(B);
    bench.say(B, "XREAD BLOCK 1 STREAMS k $");
    bench.pass(1);
    bench.engine.finish_turn();
    assert_eq!(bench.take(B), "_\r\n");
}

#[test]
fn an_entry_that_has_been_pending_long_enough_is_claimed_by_who_waits() {
    let mut bench = four();
    bench.say(A, "XADD k 2-0 f v");
    bench.say(B, "XREADGROUP GROUP g b STREAMS k >");
    bench.pass(10);
    assert_eq!(bench.say(C, "XREADGROUP GROUP g c BLOCK 0 CLAIM 50 STREAMS k >"), "");
    bench.pass(39);
    bench.engine.finish_turn();
    assert_eq!((bench.take(C), bench.engine.sleep_ms()), (String::new(), 1));
    bench.pass(1);
    bench.engine.finish_turn();
    let claimed = "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*4\r\n$3\r\n2-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n:50\r\n:1\r\n";
    assert_eq!(bench.take(C), claimed);
    // Nothing is pending for long enough, or ever was: who waits is woken by what is new.
    bench.say(A, "XACK k g 2-0");
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 CLAIM 50 STREAMS k >");
    bench.pass(60);
    bench.engine.finish_turn();
    assert_eq!(bench.take(C), "");
    bench.say(A, "XADD k 3-0 f v");
    assert!(bench.take(C).ends_with(":0\r\n:0\r\n"));
}

#[test]
fn what_a_consumer_gets_by_waiting_stands_in_the_log_behind_what_fed_it() {
    let mut bench = four();
    bench.engine.server.replication.log.open_backlog();
    bench.say(C, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
    bench.say(A, "XADD k 2-0 f v");
    let log = &bench.engine.server.replication.log;
    let text = String::from_utf8(log.read_from(log.first()).unwrap().concat()).unwrap();
    let words: Vec<&str> = text.split("\r\n").filter(|line| !line.starts_with(['$', '*'])).collect();
    assert_eq!(
        words.join(" ").trim(),
        "SELECT 0 XGROUP CREATECONSUMER k g c XADD k 2-0 f v \
         MULTI XCLAIM k g c 0 2-0 TIME 1000000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0 XGROUP SETID k g 2-0 ENTRIESREAD 2 EXEC"
    );
}
