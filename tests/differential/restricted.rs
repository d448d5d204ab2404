//! Commands of a user with random rules, on both servers: the same replies, the same refusals, the same data, and the same log of refusals.
//!
//! Another user puts data there between them, and changes the rules, also while a transaction is open.

use crate::{
    common::Value,
    generate::{Call, Generator},
    is_of_reference,
    pair::Pair,
    rules::{Rules, setuser},
    users::is_looked_at_otherwise,
};

/// Commands until the user gets another rule.
const COMMANDS_A_RULE: u64 = 200;
/// Commands until all is compared.
const COMMANDS_A_CHECK: u64 = 1000;

pub struct Restricted {
    rules: Rules,
    generator: Generator,
    pair: Pair,
    /// What the user has asked for.
    asked: u64,
}

/// How 7.2 words a refusal of 7.0's.
pub fn reworded(reply: &Value) -> Value {
    const KEY: &str = "NOPERM this user has no permissions to access one of the keys used as arguments";
    match reply {
        Value::Error(text) if text == KEY => Value::Error("NOPERM No permissions to access a key".to_owned()),
        Value::Error(text) if text.contains("NOPERM this user") => Value::Error(text.replacen("this user", "User u", 1)),
        Value::Array(items) => Value::Array(items.iter().map(reworded).collect()),
        other => other.clone(),
    }
}

impl Restricted {
    pub fn start(seed: u64, generator: Generator) -> Self {
        let mut this = Self { rules: Rules::new(seed, is_of_reference), generator, pair: Pair::start(), asked: 0 };
        let first = this.rules.first();
        this.set(&["on", "nopass"].map(str::to_owned));
        this.set(&first);
        this.pair.add_user();
        this
    }

    fn set(&mut self, rules: &[String]) {
        if self.pair.set_rules(&setuser(rules)) {
            rules.iter().filter(|rule| !matches!(rule.as_str(), "on" | "nopass")).for_each(|rule| self.rules.note(rule.clone()));
        }
    }

    fn set_rule(&mut self) {
        let rule = self.rules.next();
        let reset = rule == "reset";
        self.set(&[rule]);
        if reset {
            let first = self.rules.first();
            self.set(&["on", "nopass"].map(str::to_owned));
            self.set(&first);
        }
    }

    fn call(&mut self) -> Call {
        loop {
            let call = self.generator.next();
            if !is_looked_at_otherwise(&call.args) {
                return call;
            }
        }
    }

    /// Has the user run so many commands.
    pub fn run(&mut self, commands: u64) {
        let mut checked = 0;
        while self.asked < commands {
            if self.rules.one_in(COMMANDS_A_RULE) {
                self.set_rule();
            }
            if self.rules.one_in(3) {
                let call = self.call();
                self.pair.run(&call);
            }
            if self.rules.one_in(40) {
                self.transaction();
            } else {
                let call = self.call();
                self.pair.run_as_user(&call);
                self.asked += 1;
            }
            if self.asked / COMMANDS_A_CHECK > checked || self.asked >= commands {
                checked = self.asked / COMMANDS_A_CHECK;
                self.pair.check_all();
                self.pair.check_refusals();
            }
        }
        println!("{commands} commands, {} allowed, with {}", self.pair.allowed, self.rules.text());
    }

    /// Has the user run some commands at once, and may change a rule before they run.
    fn transaction(&mut self) {
        let calls: Vec<Call> = (0..4).map(|_| self.call()).filter(Pair::may_be_queued).collect();
        self.asked += calls.len() as u64;
        self.pair.begin();
        let queued: Vec<&Call> = calls.iter().filter(|call| self.pair.queue(call)).collect();
        if self.rules.one_in(3) {
            self.set_rule();
        }
        self.pair.execute(&queued);
    }
}
