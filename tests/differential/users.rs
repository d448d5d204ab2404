//! Users with random rules: what they may do and what not has to be the same in both servers, asked with ACL DRYRUN.

use crate::{
    REFERENCE,
    common::{Conn, Server, Value},
    generate::{Generator, KEY_PREFIXES},
    version,
};
use solod::{
    commands::{TABLE, command::categories},
    data::rng::Rng,
};
use std::path::Path;

/// Commands asked for until a user gets another rule.
const COMMANDS_A_RULE: u64 = 20;
/// Rules until a user is reset.
const RULES_MAX: u64 = 12;

pub struct Users {
    rng: Rng,
    generator: Generator,
    ours: Conn,
    theirs: Conn,
    names: Vec<String>,
    /// The rules of the user.
    rules: Vec<String>,
    pub allowed: u64,
    pub refused: u64,
    _servers: [Server; 2],
}

/// What 7.0 calls this user, and 7.2 by its name.
fn with_name(reply: &Value) -> Value {
    match reply {
        Value::Bulk(text) if text.starts_with(b"This user") => Value::Bulk([b"User u", &text[b"This user".len()..]].concat()),
        other => other.clone(),
    }
}

impl Users {
    pub fn start(seed: u64, generator: Generator) -> Self {
        let ours = Server::start(&[]);
        let theirs = Server::of(Path::new("redis-server"), &["--save", ""]);
        let known = TABLE.iter().copied().flatten().filter(|command| version(command.since) <= REFERENCE);
        let names = known.flat_map(|command| {
            let subs = command.subcommands.iter().filter(|sub| version(sub.since) <= REFERENCE);
            std::iter::once(command.name.to_owned()).chain(subs.map(|sub| format!("{}|{}", command.name, sub.name)))
        });
        Self {
            rng: Rng::new(seed),
            generator,
            ours: ours.connect(),
            theirs: theirs.connect(),
            names: names.collect(),
            rules: Vec::new(),
            allowed: 0,
            refused: 0,
            _servers: [ours, theirs],
        }
    }

    fn ask(&mut self, args: &[Vec<u8>]) -> (Value, Value) {
        self.ours.send_cmd(args);
        self.theirs.send_cmd(args);
        (self.ours.recv(), self.theirs.recv())
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.rng.below(words.len() as u64) as usize]
    }

    fn pattern(&mut self) -> String {
        let prefix = char::from(KEY_PREFIXES[self.rng.below(KEY_PREFIXES.len() as u64) as usize]);
        match self.rng.below(3) {
            1 => format!("{prefix}[0-2]"),
            2 => format!("?{}", self.rng.below(6)),
            _ => format!("{prefix}*"),
        }
    }

    /// A rule of a selector.
    fn rule(&mut self) -> String {
        let sign = self.pick(&["+", "+", "-"]);
        match self.rng.below(12) {
            0..=2 => format!("{sign}{}", self.names[self.rng.below(self.names.len() as u64) as usize]),
            3..=5 => format!("{sign}@{}", self.pick(categories::NAMES)),
            6 => format!("{sign}@all"),
            // A `*` that may be read and written is all keys for us, however it was said.
            7 | 8 => format!("~{}", self.pattern()),
            9 | 10 => format!("%{}~{}", self.pick(&["R", "W", "RW", "r"]), self.pattern()),
            _ => self.pick(&["allkeys", "~*", "resetkeys", "nocommands", "+select|1", "+get|x", "nosuch", "+nosuch", "%~x"]).to_owned(),
        }
    }

    fn set_rule(&mut self) {
        let rule = match self.rng.below(8) {
            0 => {
                let rules: Vec<String> = (0..self.rng.below(4)).map(|_| self.rule()).collect();
                format!("({})", rules.join(" "))
            }
            1 if self.rules.len() as u64 > RULES_MAX => "reset".to_owned(),
            _ => self.rule(),
        };
        let args = ["ACL", "SETUSER", "u", &rule].map(|arg| arg.as_bytes().to_vec());
        let (ours, theirs) = self.ask(&args);
        assert_eq!(ours.to_string(), theirs.to_string(), "{rule} behind {:?}", self.rules);
        if rule == "reset" {
            self.rules.clear();
        } else if ours == *"OK" {
            self.rules.push(rule);
        }
    }

    /// Asks about a command.
    pub fn step(&mut self) {
        if self.rules.is_empty() || (self.allowed + self.refused).is_multiple_of(COMMANDS_A_RULE) {
            self.set_rule();
        }
        let call = self.generator.next();
        // Redis reads a count of keys as atoi does where it looks for them; the command refuses such a one.
        let is_odd = |arg: &Vec<u8>| matches!(arg.first(), Some(b'+' | b' ')) && arg.get(1).is_some_and(u8::is_ascii_digit);
        if call.args.iter().any(is_odd) {
            return;
        }
        let mut args = ["ACL", "DRYRUN", "u"].map(|arg| arg.as_bytes().to_vec()).to_vec();
        args.extend(call.args.iter().cloned());
        let (ours, theirs) = self.ask(&args);
        if ours == *"OK" {
            self.allowed += 1;
        } else {
            self.refused += 1;
        }
        let shown: Vec<String> = call.args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
        assert_eq!(ours, with_name(&theirs), "{} with {}", shown.join(" "), self.rules.join(" "));
    }
}
