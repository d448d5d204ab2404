//! What snapshots, the log of writes and memory on its way out hold, and where that ends.

mod common;
use common::*;

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

/// A replica that asks for everything and reads nothing of it.
fn stuck_replica(server: &Server) -> Conn {
    let mut conn = server.connect();
    replies!(conn, "REPLCONF capa eof capa psync2" => "OK");
    conn.send(b"PSYNC ? -1\r\n");
    wait_until(|| server.info("connected_slaves") == "1");
    conn
}

#[test]
fn new_keys_make_a_save_copy_nothing_early() {
    let server = Server::start(&[&DEBUG[..], &["--rdb-key-save-delay", "20"]].concat());
    let mut conn = server.connect();
    conn.run("DEBUG POPULATE 100000 old 100");
    conn.run("BGSAVE");
    conn.run("DEBUG POPULATE 100000 new 100");
    assert_eq!((server.number::<u64>("rdb_bgsave_in_progress"), server.number::<u64>("current_cow_size")), (1, 0));
    conn.run("SET old:1 other");
    assert!(server.number::<u64>("current_cow_size") < 1000, "the one key that changed");
}

#[test]
fn copies_for_a_replica_that_does_not_read_count_as_its_output() {
    let server = Server::start(&[&DEBUG[..], &["--client-output-buffer-limit", "replica 8mb 0 0", "--rdbcompression", "no"]].concat());
    let mut conn = server.connect();
    conn.run("DEBUG POPULATE 1000 key 30000");
    let _replica = stuck_replica(&server);
    // Short in the log, long in the snapshot.
    for key in 0..1000 {
        conn.cmd(&["SET", &format!("key:{key}"), "x"]);
    }
    wait_until(|| server.info("connected_slaves") == "0");
    assert!(server.log().contains("closed for overcoming of output buffer limits"));
    assert!(server.number::<u64>("used_memory") < 10 << 20);
}

#[test]
fn the_logs_memory_is_what_it_holds() {
    let server = Server::start(&["--repl-backlog-size", "100mb"]);
    let _replica = stuck_replica(&server);
    let mut conn = server.connect();
    let before = server.number::<u64>("used_memory");
    // Long enough not to be gathered in a block.
    let value = "v".repeat(40_000);
    (0..200).for_each(|_| assert_eq!(conn.cmd(&["SET", "key", &value]), *"OK"));
    let (grown, log) = (server.number::<u64>("used_memory") - before, server.number::<u64>("mem_replication_backlog"));
    assert!(log > 200 * 40_000 && log <= server.number::<u64>("mem_total_replication_buffers"));
    assert!(grown < log + log / 8, "{grown} bytes more, of which {log} are told");
    assert!(log < server.number::<u64>("repl_backlog_histlen") * 9 / 8);
}

#[test]
fn beyond_the_backlogs_size_the_log_is_kept_for_replicas() {
    let server = Server::start(&["--repl-backlog-size", "100kb"]);
    let _replica = stuck_replica(&server);
    let mut conn = server.connect();
    let value = "v".repeat(10_000);
    (0..200).for_each(|_| assert_eq!(conn.cmd(&["SET", "key", &value]), *"OK"));
    assert_eq!(server.number::<u64>("mem_replication_backlog"), 100 << 10);
    assert!(server.number::<u64>("mem_clients_slaves") > 1_900_000);
    assert_eq!(conn.run("CLIENT KILL TYPE replica").int(), 1);
    wait_until(|| server.number::<u64>("mem_total_replication_buffers") < 300_000);
    // Who has gone may come back for what is left.
    assert_eq!(server.info("repl_backlog_active"), "1");
}

#[test]
fn what_waits_to_be_freed_is_told_in_values_and_bytes() {
    let server = Server::start(&DEBUG);
    let mut conn = server.connect();
    conn.run("DEBUG POPULATE 200000 key 100");
    let before = server.number::<u64>("used_memory");
    // In one turn, so that nothing has been freed meanwhile.
    conn.send(b"FLUSHALL\r\nINFO memory\r\n");
    assert_eq!(conn.recv(), *"OK");
    let info = conn.recv().text();
    let field = |name: &str| -> u64 { info.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_end().parse().unwrap() };
    let (values, bytes) = (field("lazyfree_pending_objects:"), field("lazyfree_pending_bytes:"));
    assert_eq!(values, 200_000);
    assert!(bytes > before * 9 / 10 && bytes < before * 11 / 10, "{bytes} of {before}");
    wait_until(|| server.info("lazyfree_pending_objects") == "0");
    assert_eq!(server.info("lazyfree_pending_bytes"), "0");
}
