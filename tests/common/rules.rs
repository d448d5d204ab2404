//! Random rules of an ACL user, and the notation of commands in them, made from the table of commands.

use crate::generate::KEY_PREFIXES;
use solod::{
    commands::{Command, TABLE, command::categories},
    data::rng::Rng,
};

/// The user that has the rules.
pub const USER: &str = "u";

/// Rules until the user is reset.
const RULES_MAX: usize = 12;

/// Makes rules from a seed, and knows which the user has.
pub struct Rules {
    rng: Rng,
    /// Commands and subcommands.
    names: Vec<String>,
    /// Those the user has.
    set: Vec<String>,
}

impl Rules {
    /// Rules that name the commands that are `known`.
    pub fn new(seed: u64, known: fn(&Command) -> bool) -> Self {
        let top = TABLE.iter().copied().flatten().filter(|command| known(command));
        let names = top.flat_map(|command| {
            let subs = command.subcommands.iter().filter(|sub| known(sub));
            std::iter::once(command.name.to_owned()).chain(subs.map(|sub| format!("{}|{}", command.name, sub.name)))
        });
        Self { rng: Rng::new(seed), names: names.collect(), set: Vec::new() }
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.rng.below(words.len() as u64) as usize]
    }

    /// A pattern of keys that [`crate::generate`] makes.
    fn pattern(&mut self) -> String {
        let prefix = char::from(KEY_PREFIXES[self.rng.below(KEY_PREFIXES.len() as u64) as usize]);
        match self.rng.below(3) {
            1 => format!("{prefix}[0-2]"),
            2 => format!("?{}", self.rng.below(6)),
            _ => format!("{prefix}*"),
        }
    }

    /// A rule of a selector.
    fn of_selector(&mut self) -> String {
        let sign = self.pick(&["+", "+", "-"]);
        match self.rng.below(13) {
            0..=2 => format!("{sign}{}", self.names[self.rng.below(self.names.len() as u64) as usize]),
            3..=5 => format!("{sign}@{}", self.pick(categories::NAMES)),
            6 => format!("{sign}@all"),
            // A `*` that may be read and written is all keys for us, however it was said.
            7 | 8 => format!("~{}", self.pattern()),
            9 | 10 => format!("%{}~{}", self.pick(&["R", "W", "RW", "r"]), self.pattern()),
            11 => self.pick(&["&m*", "&m1?", "&*", "resetchannels", "allchannels", "&m2"]).to_owned(),
            _ => self.pick(&["allkeys", "~*", "resetkeys", "nocommands", "+select|1", "+get|x", "nosuch", "+nosuch", "%~x"]).to_owned(),
        }
    }

    /// A rule that is to be set; [`Rules::note`] takes what was answered.
    pub fn next(&mut self) -> String {
        match self.rng.below(8) {
            0 => {
                let rules: Vec<String> = (0..self.rng.below(4)).map(|_| self.of_selector()).collect();
                format!("({})", rules.join(" "))
            }
            1 if self.set.len() > RULES_MAX => "reset".to_owned(),
            _ => self.of_selector(),
        }
    }

    /// Rules to begin with that leave something to do and something to refuse.
    pub fn first(&mut self) -> Vec<String> {
        let mut rules: Vec<String> = match self.rng.below(4) {
            0 => vec!["+@all".to_owned(), "-@dangerous".to_owned()],
            1 => vec!["+@read".to_owned(), "+@write".to_owned(), "+@transaction".to_owned()],
            2 => vec!["+@all".to_owned(), format!("-@{}", self.pick(categories::NAMES))],
            _ => vec!["+@all".to_owned()],
        };
        match self.rng.below(4) {
            0 => rules.push("~*".to_owned()),
            1 => rules.extend(["%R~*".to_owned(), format!("%W~{}", self.pattern())]),
            2 => rules.extend(["%W~*".to_owned(), format!("%R~{}", self.pattern())]),
            _ => rules.extend((0..4).map(|_| format!("~{}", self.pattern()))),
        }
        rules
    }

    /// Whether the user has no rules.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Takes note of a rule that was set.
    pub fn note(&mut self, rule: String) {
        if rule == "reset" {
            self.set.clear();
        } else {
            self.set.push(rule);
        }
    }

    /// The rules the user has.
    pub fn text(&self) -> String {
        self.set.join(" ")
    }
}

/// The command that sets rules.
pub fn setuser(rules: &[String]) -> Vec<Vec<u8>> {
    ["ACL", "SETUSER", USER].into_iter().chain(rules.iter().map(String::as_str)).map(|word| word.as_bytes().to_vec()).collect()
}
