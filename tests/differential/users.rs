//! Users with random rules: what they may do and what not has to be the same in both servers, asked with ACL DRYRUN.

use crate::{
    common::{Conn, Server, Value},
    generate::Generator,
    is_of_reference,
    rules::{Rules, USER, setuser},
};
use std::path::Path;

/// Commands asked for until a user gets another rule.
const COMMANDS_A_RULE: u64 = 20;

pub struct Users {
    rules: Rules,
    generator: Generator,
    ours: Conn,
    theirs: Conn,
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

/// Whether Redis finds other keys in a command. It reads a count of keys as atoi does where it looks for them, and the command refuses such a one; and in
/// PFMERGE without sources it does not find the destination.
pub fn is_looked_at_otherwise(args: &[Vec<u8>]) -> bool {
    let is_pfmerge = args[0].eq_ignore_ascii_case(b"pfmerge") && args.len() == 2;
    is_pfmerge || args.iter().any(|arg| matches!(arg.first(), Some(b'+' | b' ')) && arg.get(1).is_some_and(u8::is_ascii_digit))
}

impl Users {
    pub fn start(seed: u64, generator: Generator) -> Self {
        let ours = Server::start(&[]);
        let theirs = Server::of(Path::new("redis-server"), &["--save", ""]);
        Self {
            rules: Rules::new(seed, is_of_reference),
            generator,
            ours: ours.connect(),
            theirs: theirs.connect(),
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

    fn set_rule(&mut self) {
        let rule = self.rules.next();
        let (ours, theirs) = self.ask(&setuser(std::slice::from_ref(&rule)));
        assert_eq!(ours.to_string(), theirs.to_string(), "{rule} behind {}", self.rules.text());
        if ours == *"OK" {
            self.rules.note(rule);
        }
    }

    /// Asks about a command.
    pub fn step(&mut self) {
        if self.rules.is_empty() || (self.allowed + self.refused).is_multiple_of(COMMANDS_A_RULE) {
            self.set_rule();
        }
        let call = self.generator.next();
        if is_looked_at_otherwise(&call.args) {
            return;
        }
        let mut args = ["ACL", "DRYRUN", USER].map(|arg| arg.as_bytes().to_vec()).to_vec();
        args.extend(call.args.iter().cloned());
        let (ours, theirs) = self.ask(&args);
        if ours == *"OK" {
            self.allowed += 1;
        } else {
            self.refused += 1;
        }
        let shown: Vec<String> = call.args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
        assert_eq!(ours, with_name(&theirs), "{} with {}", shown.join(" "), self.rules.text());
    }
}
