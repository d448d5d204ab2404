//! Which commands the clients send, and which errors they may be answered with.

use crate::{common::Value, generate::Profile};
use solod::commands::{
    Command,
    command::Group,
    flags::{BLOCKING, WRITE},
};

/// What is left out, with its subcommands, and why. Everything else in the table is sent, what is new in it too.
const LEFT_OUT: &[(&str, &str)] = &[
    ("shutdown", "it ends the server"),
    ("script debug", "the next script would be a session, beside which nobody else is answered"),
    ("debug", "it ends the server, blocks it or makes it lie, as it is told"),
    ("save", "one turn that is as long as the data are large, which would hide another"),
    ("bgsave", "the conductor says when to save"),
    ("bgrewriteaof", "the conductor says when to save"),
    ("flushall", "nothing would ever be large: the conductor does it, now and then"),
    ("flushdb", "as FLUSHALL"),
    ("replicaof", "the conductor says who follows whom"),
    ("slaveof", "as REPLICAOF"),
    ("failover", "as REPLICAOF"),
    ("sync", "what follows on the connection are no replies"),
    ("psync", "as SYNC"),
    ("replconf", "it makes a replica of the client, as SYNC"),
    ("monitor", "as SYNC; clients of their own send it"),
    ("migrate", "it waits for an address that nobody listens at"),
    ("config set", "the conductor sets directives that do no harm"),
    ("config rewrite", "as CONFIG SET; there is no file besides"),
    ("config resetstat", "the longest turn would be forgotten"),
    ("slowlog reset", "the commands that long turns are due to would be forgotten"),
    ("pfselftest", "it takes its time for nothing"),
    ("memory purge", "the allocator gives back all that it can in one call, as it is asked to"),
];

/// After these a client does not know in which protocol, or whether at all, it will be answered: it begins anew with RESET.
const UNSETTLING: &[&str] =
    &["multi", "hello", "reset", "client reply", "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe"];

pub fn unsettles(name: &str) -> bool {
    UNSETTLING.contains(&name)
}

fn weight(command: &Command, name: &str) -> u64 {
    let left_out = |(out, _): &(&str, &str)| name.strip_prefix(out).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if LEFT_OUT.iter().any(left_out) {
        return 0;
    }
    match (name, command.group) {
        ("keys" | "swapdb" | "quit" | "client kill" | "lolwut", _) => 1,
        ("command docs" | "command" | "command info" | "client pause" | "client list", _) => 2,
        (_, Group::Server | Group::Connection) => 4,
        (_, Group::Generic) => 10,
        _ if command.flags & BLOCKING != 0 => 8,
        _ if command.flags & WRITE != 0 => 24,
        _ => 16,
    }
}

pub const PROFILE: Profile = Profile { weight, without: &[], keys_each: 60, whole_scans: false, newer_ids: true };

/// First words of errors that commands made by chance may be answered with.
const ERRORS: &[&str] = &[
    "ERR",
    "WRONGTYPE",
    "WRONGPASS",
    "NOPROTO",
    "EXECABORT",
    "BUSYKEY",
    "NOMASTERLINK",
    "READONLY",
    "LOADING",
    "UNBLOCKED",
    "NOSCRIPT",
    "INVALIDOBJ",
    "NOGROUP",
    "BUSYGROUP",
    "NOTBUSY",
];

/// What ERR must not say: the client has sent no such thing, or the server is at fault.
const NEVER: &[&str] = &["Protocol error", "unknown command", "nternal", "panic", "ailed to save"];

/// The first error in a reply that should not have come.
pub fn wrong_error(reply: &Value) -> Option<String> {
    match reply {
        Value::Error(text) | Value::BulkError(text) => {
            let kind = text.split(' ').next().unwrap_or("");
            let wrong = !ERRORS.contains(&kind) || NEVER.iter().any(|words| text.contains(words));
            wrong.then(|| text.clone())
        }
        Value::Array(items) | Value::Set(items) | Value::Push(items) => items.iter().find_map(wrong_error),
        Value::Map(pairs) => pairs.iter().find_map(|(key, value)| wrong_error(key).or_else(|| wrong_error(value))),
        _ => None,
    }
}

/// Directives that may be changed at any time and leave the data, and what it takes in memory, as it is.
pub const DIRECTIVES: &[(&str, &[&str])] = &[
    ("hz", &["1", "10", "100"]),
    ("dynamic-hz", &["yes", "no"]),
    ("active-expire-effort", &["1", "10"]),
    ("lazyfree-lazy-user-del", &["yes", "no"]),
    ("lazyfree-lazy-expire", &["yes", "no"]),
    ("lazyfree-lazy-server-del", &["yes", "no"]),
    ("lazyfree-lazy-user-flush", &["yes", "no"]),
    ("notify-keyspace-events", &["", "KEA", "Eg$"]),
    ("rdbcompression", &["yes", "no"]),
    ("rdbchecksum", &["yes", "no"]),
    ("repl-backlog-size", &["16384", "1mb", "8mb"]),
    ("repl-diskless-sync", &["yes", "no"]),
    ("repl-ping-replica-period", &["1", "10"]),
    ("repl-disable-tcp-nodelay", &["yes", "no"]),
    ("latency-monitor-threshold", &["0", "1"]),
    ("latency-tracking", &["yes", "no"]),
    ("maxmemory-policy", &["noeviction", "allkeys-lfu", "allkeys-lru"]),
    ("client-output-buffer-limit", &["pubsub 1mb 512kb 1", "pubsub 32mb 8mb 60"]),
    ("tcp-keepalive", &["0", "300"]),
    ("loglevel", &["debug", "notice"]),
    ("save", &["", "3600 1"]),
    ("appendonly", &["yes", "yes", "no"]),
    ("appendfsync", &["always", "everysec", "no"]),
    ("no-appendfsync-on-rewrite", &["yes", "no"]),
    ("aof-use-rdb-preamble", &["yes", "no"]),
    ("aof-timestamp-enabled", &["yes", "no"]),
    ("auto-aof-rewrite-min-size", &["100kb", "64mb"]),
];
