//! The process and its edges: memory, descriptors, files that may not grow, signals, the clock.

mod common;
use common::*;

#[test]
fn members_at_random_are_drawn_thousands_of_times() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let members: Vec<String> = (0..200).map(|i| format!("m{i}")).collect();
    let scored: Vec<String> = (0..200).map(|i| format!("{i} m{i}")).collect();
    assert_eq!(conn.run(&format!("ZADD z {}", scored.join(" "))), *"200");
    assert_eq!(conn.run(&format!("SADD s {}", members.join(" "))), *"200");
    assert_eq!(conn.run(&format!("HSET h {} v", members.join(" v "))), *"200");
    // What is kept meanwhile makes the allocator give out every place of its runs, be it a multiple of 8, 16 or more.
    for round in 0..200 {
        let mut sent = Vec::new();
        for i in 0..30 {
            let count = 2 + (round + i) % 7;
            sent.extend(["ZRANDMEMBER z", "SRANDMEMBER s", "HRANDFIELD h"].map(|command| format!("{command} {count}")));
        }
        sent.extend((0..60).map(|i| format!("SET k{round}:{i} {}", "x".repeat(i % 40))));
        conn.send((sent.join("\r\n") + "\r\n").as_bytes());
        for command in &sent {
            let reply = conn.recv();
            if !command.starts_with("SET") {
                assert_eq!(reply.items().len().to_string(), command.rsplit(' ').next().unwrap(), "{command}");
            }
        }
    }
}
