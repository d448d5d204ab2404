//! Directives whose value is made of several parts.

use super::number::{format_memory, parse_like_strtoll, parse_memory};
use super::value::{Setting, ValueKind, WRONG_NUMBER};
use super::words::{join_quoted, quote};

/// Take a snapshot when `seconds` have passed since the last one and at least `changes` keys have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

impl Setting for Vec<SavePoint> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        const INVALID: &str = "Invalid save parameters";
        let words = if words == [b""] { &[] } else { words };
        let (pairs, rest) = words.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(INVALID.into());
        }
        let mut points = Vec::with_capacity(pairs.len());
        for [seconds, changes] in pairs {
            let seconds = parse_like_strtoll(seconds, 10).filter(|seconds| *seconds >= 1).ok_or(INVALID)?;
            let changes = parse_like_strtoll(changes, 10).filter(|changes| *changes >= 0).ok_or(INVALID)?;
            points.push(SavePoint { seconds: seconds as u64, changes: changes as u64 });
        }
        *self = points;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        join(self.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        if self.is_empty() {
            return vec![quote(b"")];
        }
        self.iter().map(|point| format!("{} {}", point.seconds, point.changes).into()).collect()
    }
}

/// The classes of clients that have an output limit of their own; an index into `client_output_buffer_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClass {
    Normal,
    Replica,
    Pubsub,
}

impl ClientClass {
    pub const ALL: [ClientClass; 3] = [ClientClass::Normal, ClientClass::Replica, ClientClass::Pubsub];

    pub(super) fn named(word: &[u8]) -> Option<ClientClass> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Some(ClientClass::Normal),
            b"slave" | b"replica" => Some(ClientClass::Replica),
            b"pubsub" => Some(ClientClass::Pubsub),
            _ => None,
        }
    }

    /// The name in CONFIG GET, which kept the old word.
    fn name_shown(self) -> &'static str {
        match self {
            ClientClass::Replica => "slave",
            _ => self.name_written(),
        }
    }

    /// The name in a file.
    fn name_written(self) -> &'static str {
        match self {
            ClientClass::Normal => "normal",
            ClientClass::Replica => "replica",
            ClientClass::Pubsub => "pubsub",
        }
    }
}

/// How much output may wait for a client before it is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes that end the connection at once; 0 means no limit.
    pub hard: u64,
    /// Bytes that end it when they stay exceeded for `soft_seconds`; 0 means no limit.
    pub soft: u64,
    pub soft_seconds: u64,
}

impl OutputLimit {
    pub(super) const fn new(hard: u64, soft: u64, soft_seconds: u64) -> OutputLimit {
        OutputLimit { hard, soft, soft_seconds }
    }
}

/// Classes that are not named keep their limits.
impl Setting for [OutputLimit; 3] {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        const INVALID: &str = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        let (settings, rest) = words.as_chunks::<4>();
        if !rest.is_empty() {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = *self;
        for [class, hard, soft, soft_seconds] in settings {
            let class = ClientClass::named(class).ok_or("Invalid client class specified in buffer limit configuration.")?;
            let seconds = parse_like_strtoll(soft_seconds, 10).filter(|seconds| *seconds >= 0);
            limits[class as usize] = OutputLimit {
                hard: parse_memory(hard).ok_or(INVALID)?,
                soft: parse_memory(soft).ok_or(INVALID)?,
                soft_seconds: seconds.ok_or(INVALID)? as u64,
            };
        }
        *self = limits;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        join(
            ClientClass::ALL
                .iter()
                .zip(self)
                .map(|(class, limit)| format!("{} {} {} {}", class.name_shown(), limit.hard, limit.soft, limit.soft_seconds)),
        )
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        let line = |(class, limit): (&ClientClass, &OutputLimit)| {
            let (hard, soft) = (format_memory(limit.hard), format_memory(limit.soft));
            format!("{} {hard} {soft} {}", class.name_written(), limit.soft_seconds).into()
        };
        ClientClass::ALL.iter().zip(self).map(line).collect()
    }
}

/// Addresses; the single empty word means none.
impl Setting for Vec<String> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        /// As many as Redis takes.
        const ADDRESSES_MAX: usize = 16;
        if words.len() > ADDRESSES_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let words = if words == [b""] { &[] } else { words };
        if words.iter().any(|word| word.starts_with(b"#")) {
            return Err("an address cannot begin with '#'".into());
        }
        let addresses: Result<Vec<String>, _> = words.iter().map(|word| String::from_utf8(word.to_vec())).collect();
        *self = addresses.map_err(|_| "argument must be valid UTF-8")?;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        self.join(" ").into()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        match self.as_slice() {
            // A word that stands alone is split once more when it is read.
            [] => vec![quote(b"")],
            [only] => {
                let plain = join_quoted(&[only]);
                vec![if plain.starts_with(b"\"") { quote(&plain) } else { plain }]
            }
            addresses => vec![join_quoted(addresses)],
        }
    }
}

/// Where a primary listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

/// `no one` means that we are a primary.
impl Setting for Option<Endpoint> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let [host, port] = words else {
            return Err(WRONG_NUMBER.into());
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            *self = None;
            return Ok(());
        }
        let port = parse_like_strtoll(port, 10).and_then(|port| u16::try_from(port).ok());
        *self = Some(Endpoint {
            port: port.ok_or("Invalid master port")?,
            host: String::from_utf8(host.to_vec()).map_err(|_| "Invalid master host")?,
        });
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        match self {
            Some(Endpoint { host, port }) => format!("{host} {port}").into(),
            None => Vec::new(),
        }
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        self.iter().map(|primary| join_quoted(&[primary.host.as_str(), &primary.port.to_string()])).collect()
    }
}

/// The kernel's out-of-memory scores for a primary, a replica, and a background process: -2000 to 2000.
impl Setting for [i32; 3] {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let words: &[&[u8]; 3] = words.try_into().map_err(|_| WRONG_NUMBER)?;
        let mut scores = [0; 3];
        for (score, word) in scores.iter_mut().zip(words) {
            let value = parse_like_strtoll(word, 10).filter(|value| (-2000..=2000).contains(value));
            *score = value.ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")? as i32;
        }
        *self = scores;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        join(self.iter().map(i32::to_string))
    }
}

/// Percentiles, 0 to 100; the single empty word means none.
impl Setting for Vec<f64> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let words = if words == [b""] { &[] } else { words };
        let mut percentiles = Vec::with_capacity(words.len());
        for word in words {
            let percentile: Option<f64> = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
            match percentile {
                Some(percentile) if (0.0..=100.0).contains(&percentile) => percentiles.push(percentile),
                Some(percentile) if !percentile.is_nan() => {
                    let reason = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
                    return Err(reason.into());
                }
                _ => return Err("Invalid latency-tracking-info-percentiles parameters".into()),
            }
        }
        *self = percentiles;
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        join(self.iter().map(|percentile| {
            let digits = format!("{percentile:.6}");
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        }))
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        if self.is_empty() {
            return vec![quote(b"")];
        }
        vec![join(self.iter().map(f64::to_string))]
    }
}

/// A command that is known by another name, or by none when `to` is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenamedCommand {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

/// Each line adds one.
impl Setting for Vec<RenamedCommand> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        let [from, to] = words else {
            return Err(BAD_DIRECTIVE.into());
        };
        self.push(RenamedCommand { from: from.to_vec(), to: to.to_vec() });
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        Vec::new()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        self.iter().map(|renamed| join_quoted(&[&renamed.from, &renamed.to])).collect()
    }
}

/// Lines of words that another room understands: ACL users, modules. Each line adds one.
impl Setting for Vec<Vec<Vec<u8>>> {
    fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
        if words.is_empty() {
            return Err(BAD_DIRECTIVE.into());
        }
        self.push(words.iter().map(|word| word.to_vec()).collect());
        Ok(())
    }

    fn show(&self, _: &ValueKind) -> Vec<u8> {
        Vec::new()
    }

    fn lines(&self, _: &ValueKind) -> Vec<Vec<u8>> {
        self.iter().map(|words| join_quoted(words)).collect()
    }
}

pub(super) const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";

fn join(parts: impl Iterator<Item = String>) -> Vec<u8> {
    parts.collect::<Vec<String>>().join(" ").into()
}
