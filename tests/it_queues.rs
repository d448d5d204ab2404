//! Queues of jobs, locks and limits of other languages, as programs use them: all of them do their work in scripts. `scripts/setup-tests`
//! installs them; the programs are in tests/clients.

mod common;
use common::*;

use std::process::Command;

/// Runs a program that says `wanted` at the end when all was well, against a fresh server, once with each protocol.
#[track_caller]
fn succeeds_in_both_protocols(command: impl Fn() -> Command, wanted: &str) {
    for protocol in ["2", "3"] {
        let server = Server::start(&[]);
        succeeds(command().args([&server.port.to_string(), protocol]), wanted);
        all_is_well(&server);
    }
}

/// Scripts did the work, and none of them failed: libraries send a hash first, and the text when it is not known.
#[track_caller]
fn all_is_well(server: &Server) {
    let [stats, errors] = ["commandstats", "errorstats"].map(|section| server.ask(&format!("INFO {section}")).text());
    let count = |text: &str, name: &str, count: &str| {
        let counts = info_field(text, name).unwrap_or_default();
        let of_it = counts.split(',').find_map(|field| field.strip_prefix(count)?.strip_prefix('='));
        of_it.map_or(0, |number| number.parse::<u64>().unwrap())
    };
    let of_scripts = |what| ["eval", "evalsha"].map(|command| count(&stats, &format!("cmdstat_{command}"), what)).iter().sum::<u64>();
    assert!(of_scripts("calls") > 0, "no script was run: {stats}");
    let failed = of_scripts("failed_calls") + of_scripts("rejected_calls");
    assert_eq!(failed, count(&errors, "errorstat_NOSCRIPT", "count"), "{stats}\n{errors}");
}

#[test]
fn bullmq() {
    succeeds_in_both_protocols(|| node("tests/clients/bullmq.cjs"), "8 promises kept");
}

#[test]
fn rate_limiter_flexible() {
    succeeds_in_both_protocols(|| node("tests/clients/rate_limiter.cjs"), "limits kept");
}

#[test]
fn redlock() {
    for protocol in ["2", "3"] {
        let mut servers: Vec<_> = (0..3).map(|_| Server::start(&[])).collect();
        let ports = servers.iter().map(|server| server.port.to_string());
        succeeds(node("tests/clients/redlock.cjs").arg(protocol).args(ports), "locks held");
        let running: Vec<_> = servers.iter_mut().map(|server| server.running()).collect();
        assert_eq!(running, [true, false, false], "two are shut down in the end");
        all_is_well(&servers[0]);
    }
}

/// Locks of redis-py, pottery and django-redis.
#[test]
fn locks_in_python() {
    succeeds_in_both_protocols(|| python("tests/clients/locks.py"), "locks held");
}

#[test]
fn rq() {
    succeeds_in_both_protocols(|| python("tests/clients/rq_jobs.py"), "100 jobs");
}

/// It chooses the protocol itself.
#[test]
fn celery() {
    let server = Server::start(&[]);
    succeeds(python("tests/clients/celery_jobs.py").arg(server.port.to_string()), "100 tasks");
    all_is_well(&server);
}

/// Debian's, in its Ruby, in RESP2.
#[test]
fn sidekiq() {
    let server = Server::start(&[]);
    succeeds(Command::new("ruby").arg("tests/clients/sidekiq_jobs.rb").arg(server.port.to_string()), "100 jobs");
    all_is_well(&server);
}

/// Laravel's components, Debian's.
#[test]
fn laravel() {
    let server = Server::start(&[]);
    succeeds(Command::new("php").arg("tests/clients/laravel_queue.php").arg(server.port.to_string()), "100 jobs");
    all_is_well(&server);
}
