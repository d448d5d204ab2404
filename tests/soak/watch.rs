//! Looks at a server from outside, while clients may at any moment end the connection that is used for it.

use crate::common::{Conn, Server, Value, info_field, wait_until};
use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Asks as often as it takes; `None` when the server does not answer within the time.
pub fn ask(address: SocketAddr, line: &str, patience: Duration) -> Option<Value> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if let Ok(mut conn) = Conn::try_tcp(address)
            && conn.try_send(format!("{line}\r\n").as_bytes()).is_ok()
            && let Ok(reply) = conn.next_reply()
        {
            return Some(reply);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// The fields of INFO.
pub struct Info(String);

impl Info {
    pub fn of(address: SocketAddr) -> Option<Self> {
        match ask(address, "INFO everything loop", Duration::from_secs(20))? {
            Value::Bulk(text) => Some(Self(String::from_utf8_lossy(&text).into_owned())),
            _ => None,
        }
    }

    /// Empty when there is none of the name.
    pub fn text(&self, field: &str) -> &str {
        info_field(&self.0, field).unwrap_or("")
    }

    pub fn number(&self, field: &str) -> f64 {
        self.text(field).parse().unwrap_or(0.0)
    }
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// Processor time of a turn that is told with what the slow log has, microseconds.
const TURN_TOLD: f64 = 10_000.0;

/// What was seen of the primary, all its lives together.
#[derive(Default)]
pub struct Watch {
    used_max: f64,
    rss_max: f64,
    /// Processor time of the longest turn, microseconds.
    pub turn_max: f64,
    /// Time of the longest command, microseconds, and what it was.
    pub command_max: (f64, String),
}

impl Watch {
    pub fn look(&mut self, address: SocketAddr) {
        let Some(info) = Info::of(address) else { return };
        self.used_max = self.used_max.max(info.number("used_memory"));
        self.rss_max = self.rss_max.max(info.number("used_memory_rss"));
        let turn = info.number("loop_turn_cpu_usec_max");
        // After the turn, so that a command that it is due to is in the log.
        let Some(Value::Array(entries)) = ask(address, "SLOWLOG GET -1", Duration::from_secs(20)) else { return };
        let slow: Vec<(f64, String)> =
            entries.iter().map(Value::items).map(|entry| (entry[2].int() as f64, entry[3].to_string())).collect();
        if turn > self.turn_max.max(TURN_TOLD) {
            println!("a turn took {turn:.0} us of processor time; the last slow commands:");
            slow.iter().take(5).for_each(|(us, command)| println!("    {us:.0} us {command:.160}"));
        }
        self.turn_max = self.turn_max.max(turn);
        for (us, command) in slow {
            if us > self.command_max.0 {
                self.command_max = (us, command.chars().take(160).collect());
            }
        }
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (used, rss) = (mib(self.used_max), mib(self.rss_max));
        let (turn, command) = (self.turn_max, &self.command_max);
        write!(f, "used_memory at most {used:.1} MiB, RSS at most {rss:.1} MiB, longest turn {turn:.0} us of processor time, ")?;
        write!(f, "longest command {:.0} us: {}", command.0, command.1)
    }
}

/// What a dataset takes in the server that has lived with it, and in one that has loaded it, in bytes.
#[derive(Clone, Copy)]
pub struct Weight {
    pub lived: f64,
    pub fresh: f64,
    /// What strings that grew may have in front of them in the first, at most.
    pub spare: f64,
}

impl Weight {
    /// What statistics of commands and the like take: they grow to a bound, and only where there was traffic.
    const STATISTICS: f64 = 1.5 * 1024.0 * 1024.0;

    pub fn excess(&self) -> f64 {
        self.lived - self.fresh
    }

    /// Whether it is within 10% of the fresh server's.
    pub fn is_fair(&self) -> bool {
        self.excess() <= self.fresh / 10.0 + self.spare + Self::STATISTICS
    }

    /// Whether there is more beside the data than there was.
    pub fn has_grown_since(&self, earlier: &Self) -> bool {
        self.excess() > earlier.excess() + self.fresh / 20.0 + self.spare + Self::STATISTICS
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (lived, fresh) = (mib(self.lived), mib(self.fresh));
        let percent = (lived / fresh - 1.0) * 100.0;
        write!(
            f,
            "{lived:.2} MiB, {fresh:.2} MiB in a fresh server ({percent:+.1}%; at most {:.2} MiB spare in long strings)",
            mib(self.spare)
        )
    }
}

/// Memory in use but for what connections and replicas take, once nothing waits to be freed.
pub fn dataset_bytes(server: &Server) -> f64 {
    wait_until(|| server.info("lazyfree_pending_objects") == "0");
    let info = Info::of(server.address()).expect("it answers");
    let connections = ["mem_clients_normal", "mem_total_replication_buffers"];
    info.number("used_memory") - connections.iter().map(|field| info.number(field)).sum::<f64>()
}

/// What a string that APPEND and the like make longer gets beyond its length: a quarter of it.
pub fn spare_bytes(conn: &mut Conn) -> f64 {
    /// Strings from which it counts: the spare room of shorter ones is of the order of the allocator's.
    const LONG: f64 = (256 * 1024) as f64;
    let mut long = 0.0;
    for db in 0..16 {
        conn.run(&format!("SELECT {db}"));
        for key in conn.run("KEYS *").items() {
            let Value::Bulk(key) = key else { continue };
            let length = match conn.cmd(&[&b"STRLEN"[..], &key]) {
                Value::Int(length) => length as f64,
                _ => 0.0,
            };
            if length >= LONG {
                long += length;
            }
        }
    }
    long / 4.0
}
