//! Specifications: a command and its answer on each line.
//!
//! ```text
//! SET greeting "hello world"      -> OK
//! GET greeting                    -> "hello world"
//! @b GET greeting                 -> "hello world"     another connection, opened at its first line
//! EXPIRE greeting 10              -> 1
//! TTL greeting                    -> 9..10             an integer between
//! CLIENT GETNAME                  ~> *                 ~> matches a pattern: * is any text
//! ```
//!
//! Lines that begin with `#` and blank lines say nothing, but for `# needs COMMAND`: what follows it is only for servers that
//! know that command. Answers are in the notation of [`super::Value`].

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Mutex;

use super::{Conn, Server};

static SOURCE_FILES: Mutex<()> = Mutex::new(());

/// The connections of one specification, by name; the one of lines without a name is "".
pub struct Spec<'a> {
    server: &'a Server,
    pub conns: HashMap<String, Conn>,
}

impl Server {
    /// Empties the server, then checks every line of `text` on fresh connections.
    #[track_caller]
    pub fn spec(&self, text: &str) {
        self.ask("FLUSHALL");
        self.session().check(text);
    }

    /// For specifications with something between their lines.
    pub fn session(&self) -> Spec<'_> {
        Spec { server: self, conns: HashMap::new() }
    }
}

impl Spec<'_> {
    /// Checks every line, and says all that differ at once.
    #[track_caller]
    pub fn check(&mut self, text: &str) {
        let mut wrong = Vec::new();
        let mut updated = String::new();
        let mut skipping = false;
        for line in text.split_inclusive('\n') {
            let content = line.trim();
            if let Some(command) = content.strip_prefix("# needs ") {
                skipping = !self.server.knows(command);
            }
            if skipping || content.is_empty() || content.starts_with('#') {
                updated.push_str(line);
                continue;
            }
            let (command, arrow, expected) = parts(line);
            let actual = self.answer(command.trim());
            updated.push_str(command);
            updated.push_str(arrow);
            if matches(arrow, expected, &actual) {
                updated.push_str(expected);
            } else {
                updated.push_str(&actual);
                wrong.push(format!("{content}\n   it said: {actual}"));
            }
            updated.push_str(if line.ends_with('\n') { "\n" } else { "" });
        }
        if !wrong.is_empty() && std::env::var_os("SOLOD_TEST_UPDATE").is_some() {
            return update(Location::caller().file(), text, &updated);
        }
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }

    #[track_caller]
    fn answer(&mut self, command: &str) -> String {
        let (name, command) = match command.strip_prefix('@') {
            Some(named) => named.split_once(' ').expect("a command after the name"),
            None => ("", command),
        };
        self.conn(name).run(command).to_string()
    }

    #[track_caller]
    pub fn conn(&mut self, name: &str) -> &mut Conn {
        let server = self.server;
        self.conns.entry(name.to_owned()).or_insert_with(|| server.connect())
    }
}

fn parts(line: &str) -> (&str, &str, &str) {
    for arrow in [" -> ", " ~> "] {
        if let Some((command, expected)) = line.split_once(arrow) {
            return (command, arrow, expected.trim_end());
        }
    }
    panic!("no arrow in {line:?}");
}

fn matches(arrow: &str, expected: &str, actual: &str) -> bool {
    if arrow == " ~> " {
        return matches_pattern(expected, actual);
    }
    if expected == actual {
        return true;
    }
    let number = |text: &str| text.parse::<i64>().ok();
    let Some((low, high)) = expected.split_once("..") else {
        return false;
    };
    match (number(low), number(high), number(actual)) {
        (Some(low), Some(high), Some(n)) => (low..=high).contains(&n),
        _ => false,
    }
}

fn matches_pattern(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            text.starts_with(head)
                && (head.len()..=text.len()).filter(|&at| text.is_char_boundary(at)).any(|at| matches_pattern(tail, &text[at..]))
        }
    }
}

/// Writes the answers into the source file that holds the specification.
fn update(file: &str, text: &str, updated: &str) {
    let _one_at_a_time = SOURCE_FILES.lock();
    let source = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, source.replacen(text, updated, 1)).unwrap();
}
