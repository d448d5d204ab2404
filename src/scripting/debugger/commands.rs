//! What the user says. What is about the source and the session itself is done here; the rest is a wish that the interpreter's side fulfils.

use super::{BREAKPOINTS_MAX, Debugger};
use crate::data::number::{self, until_nul};

/// What a command leaves to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scripting) enum Wish {
    /// Nothing: its answer is there.
    Nothing,
    /// The script is to go on.
    GoOn,
    /// The script is to end.
    Abort,
    /// Show how it has come here.
    Trace,
    /// Show all variables of the function that runs.
    PrintAll,
    /// Show the variable that the second word names.
    Print,
    /// Run the code that the other words are.
    Eval,
    /// Run the command of the server's that the other words are.
    Redis,
}

/// Lines shown around a place, unless the user says how many.
const CONTEXT: i64 = 5;
/// Values that are shown are never cut to less.
const WIDTH_MIN: i64 = 60;

/// A number as an `int` of C's.
fn leading_number(text: &[u8]) -> i64 {
    number::leading_i64(text).clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

impl Debugger {
    /// Does what the words say, as far as that is possible here.
    pub fn obey(&mut self) -> Wish {
        let words = std::mem::take(&mut self.words);
        let wish = self.obey_words(&words);
        self.words = words;
        wish
    }

    fn obey_words(&mut self, words: &[Box<[u8]>]) -> Wish {
        let Some(name) = words.first() else { return Wish::Nothing };
        let name = until_nul(name).to_ascii_lowercase();
        match &*name {
            b"h" | b"help" => HELP.iter().for_each(|line| self.show(line.as_bytes().to_vec())),
            b"s" | b"step" | b"n" | b"next" => {
                self.is_stepping = true;
                return Wish::GoOn;
            }
            b"c" | b"continue" => return Wish::GoOn,
            b"t" | b"trace" => return Wish::Trace,
            b"m" | b"maxlen" => self.set_width(words),
            b"b" | b"break" => self.set_breakpoints(words),
            b"e" | b"eval" => return Wish::Eval,
            b"a" | b"abort" => return Wish::Abort,
            b"r" | b"redis" if words.len() > 1 => return Wish::Redis,
            b"p" | b"print" => return if words.len() == 2 { Wish::Print } else { Wish::PrintAll },
            b"l" | b"list" => {
                let number = |i: usize| words.get(i).map(|word| leading_number(word));
                self.list(number(1).filter(|line| *line > 0).unwrap_or(self.line), number(2).unwrap_or(CONTEXT));
            }
            b"w" | b"whole" => self.list(1, i64::MAX / 2),
            _ => self.show(b"<error> Unknown Redis Lua debugger command or wrong number of arguments.".to_vec()),
        }
        Wish::Nothing
    }

    fn last_line(&self) -> i64 {
        self.source.len() as i64
    }

    /// Shows what lies around a line.
    fn list(&mut self, around: i64, context: i64) {
        for line in (around - context).max(1)..=(around + context).min(self.last_line()) {
            if self.is_overfull {
                return;
            }
            self.show_source(line);
        }
    }

    fn set_width(&mut self, words: &[Box<[u8]>]) {
        if let [_, width] = words {
            self.knows_width = true;
            let width = leading_number(width);
            self.width = if width == 0 { 0 } else { width.max(WIDTH_MIN) as usize };
        }
        self.show(match self.width {
            0 => b"<value> replies are unlimited.".to_vec(),
            width => format!("<value> replies are truncated at {width} bytes.").into_bytes(),
        });
    }

    fn set_breakpoints(&mut self, words: &[Box<[u8]>]) {
        if words.len() == 1 {
            if self.breakpoints.is_empty() {
                return self.show(b"No breakpoints set. Use 'b <line>' to add one.".to_vec());
            }
            self.show(format!("{} breakpoints set:", self.breakpoints.len()).into_bytes());
            return self.breakpoints.clone().into_iter().for_each(|line| self.show_source(line));
        }
        for word in &words[1..] {
            match number::parse_i64(word) {
                None => self.show([b"Invalid argument:'", until_nul(word), b"'"].concat()),
                Some(0) => {
                    self.breakpoints.clear();
                    self.show(b"All breakpoints removed.".to_vec());
                }
                Some(line @ 1..) => self.add_breakpoint(line),
                Some(line) => self.remove_breakpoint(line),
            }
        }
    }

    fn add_breakpoint(&mut self, line: i64) {
        if self.breakpoints.len() == BREAKPOINTS_MAX {
            return self.show(b"Too many breakpoints set.".to_vec());
        }
        if line > self.last_line() || self.breakpoints.contains(&line) {
            return self.show(b"Wrong line number.".to_vec());
        }
        self.breakpoints.push(line);
        self.list(line, 1);
    }

    /// `line` has a minus in front.
    fn remove_breakpoint(&mut self, line: i64) {
        let found = self.breakpoints.iter().position(|known| -*known == line);
        if let Some(at) = found {
            self.breakpoints.remove(at);
        }
        let text = if found.is_some() { "Breakpoint removed." } else { "No breakpoint in the specified line." };
        self.show(text.as_bytes().to_vec());
    }
}

/// What programs and people know from Redis, to the letter.
const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Show this help.",
    "[s]tep               Run current line and stop again.",
    "[n]ext               Alias for step.",
    "[c]ontinue           Run till next breakpoint.",
    "[l]ist               List source code around current line.",
    "[l]ist [line]        List source code around [line].",
    "                     line = 0 means: current position.",
    "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    "                     to show before/after [line].",
    "[w]hole              List all source code. Alias for 'list 1 1000000'.",
    "[p]rint              Show all the local variables.",
    "[p]rint <var>        Show the value of the specified variable.",
    "                     Can also show global vars KEYS and ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Add a breakpoint to the specified line.",
    "[b]reak -<line>      Remove breakpoint from the specified line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show a backtrace.",
    "[e]val <code>        Execute some Lua code (in a different callframe).",
    "[r]edis <cmd>        Execute a Redis command.",
    "[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
    "                     Specifying zero as <len> means unlimited.",
    "[a]bort              Stop the execution of the script. In sync",
    "                     mode dataset changes will be retained.",
    "",
    "Debugger functions you can call from Lua scripts:",
    "redis.debug()        Produce logs in the debugger console.",
    "redis.breakpoint()   Stop execution like if there was a breakpoint in the",
    "                     next line of code.",
];
