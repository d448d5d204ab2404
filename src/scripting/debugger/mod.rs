//! The step debugger, as far as it is not Lua's business: the source and its breakpoints, what the user says, and the lines that are to be shown.
//!
//! A script is debugged in stops. At each one the lines that have come together since the last are sent, and the user's commands follow, each of
//! which is answered by lines, until one of them lets the script go on. What looks into the interpreter is `lua::stepping`.

mod commands;
mod reply;

use crate::{config::quote_into, data::number::until_nul};

/// Breakpoints that there may be.
const BREAKPOINTS_MAX: usize = 64;
/// Bytes to which replies and values are cut unless the user says otherwise.
const WIDTH: usize = 256;
/// Bytes of lines between two stops, or of one line: what is beyond them is left out.
const LINES_BYTES_MAX: usize = 16 << 20;
/// Arguments of a command that are shown.
const ARGS_SHOWN: usize = 10;
/// Names of a script as the interpreter shows them have this in them.
pub(super) const SCRIPT: &[u8] = b"user_script";

pub(super) use commands::Wish;

/// One session.
pub(super) struct Debugger {
    source: Vec<Box<[u8]>>,
    breakpoints: Vec<i64>,
    /// Stop at the next line.
    pub is_stepping: bool,
    /// The script has asked for a stop (`redis.breakpoint()`).
    pub wants_stop: bool,
    /// The line that is about to run.
    pub line: i64,
    /// Instructions since the last look at the time.
    pub instructions: i64,
    /// Bytes to which replies and values are cut; 0: they are not.
    width: usize,
    /// The user knows that they are.
    knows_width: bool,
    lines: Vec<Vec<u8>>,
    lines_bytes: usize,
    is_overfull: bool,
    /// The command that is being carried out.
    pub words: Vec<Box<[u8]>>,
    /// Bytes beyond which more of the text would not be shown.
    text_max: usize,
    /// A text that is being built: a value, or code to be run. Here, because no frame of the script's side may own it.
    pub text: Vec<u8>,
    /// The command that the script called was refused before it was run.
    pub was_refused: bool,
}

impl Debugger {
    /// A session for this script, which stops at its first line.
    pub fn new(source: &[u8]) -> Self {
        let end = source.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        let lines = |text: &[u8]| text.split(|byte| *byte == b'\n').map(Box::from).collect();
        Self {
            source: if end == 0 { Vec::new() } else { lines(&source[..end]) },
            breakpoints: Vec::new(),
            is_stepping: true,
            wants_stop: false,
            line: 0,
            instructions: 0,
            width: WIDTH,
            knows_width: false,
            lines: Vec::new(),
            lines_bytes: 0,
            is_overfull: false,
            words: Vec::new(),
            text_max: 0,
            text: Vec::new(),
            was_refused: false,
        }
    }

    /// The user is gone: nothing stops the script any more.
    pub fn leave(&mut self) {
        self.is_stepping = false;
        self.breakpoints.clear();
    }

    /// Whether the script stops at the line that is about to run, but for stepping: why.
    pub fn stop_reason(&self) -> Option<&'static str> {
        if self.wants_stop {
            return Some("redis.breakpoint() called");
        }
        self.breakpoints.contains(&self.line).then_some("break point")
    }

    /// The script has stopped.
    pub fn stopped(&mut self, reason: &str) {
        self.is_stepping = false;
        self.wants_stop = false;
        self.show(format!("* Stopped at {}, stop reason = {reason}", self.line).into_bytes());
        self.show_source(self.line);
    }

    /// Hands over the lines that have come together.
    pub fn take_lines(&mut self) -> Vec<Vec<u8>> {
        self.lines_bytes = 0;
        self.is_overfull = false;
        std::mem::take(&mut self.lines)
    }

    /// Adds a line.
    pub fn show(&mut self, line: Vec<u8>) {
        if self.is_overfull {
            return;
        }
        self.lines_bytes += line.len() + size_of::<Vec<u8>>();
        self.is_overfull = self.lines_bytes > LINES_BYTES_MAX;
        self.lines.push(if self.is_overfull {
            b"<hint> There is more than can be shown. What follows is left out.".to_vec()
        } else {
            line
        });
    }

    /// Adds a line that is cut where it is too wide.
    fn show_cut(&mut self, mut line: Vec<u8>) {
        let is_cut = self.width != 0 && line.len() > self.width;
        if is_cut {
            line.truncate(self.width);
            line.extend(b" ...");
        }
        self.show(line);
        if is_cut && !std::mem::replace(&mut self.knows_width, true) {
            self.show(b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.".to_vec());
        }
    }

    /// Bytes of a line that are worth building, if it is cut where it is too wide.
    fn bytes_shown(&self) -> usize {
        if self.width == 0 { LINES_BYTES_MAX } else { self.width }
    }

    /// Begins a text of values, which is cut where it is too wide, or is shown as it is.
    pub fn begin_text(&mut self, prefix: &[u8], is_cut: bool) {
        self.text_max = if is_cut { self.bytes_shown() } else { LINES_BYTES_MAX };
        self.text.clear();
        self.text.extend_from_slice(prefix);
    }

    /// Whether more of a value would not be shown.
    pub fn is_text_full(&self) -> bool {
        self.text.len() > self.text_max
    }

    /// Adds a string's bytes, quoted, to the text.
    pub fn quote(&mut self, bytes: &[u8]) {
        // Each byte is shown by one at least.
        quote_into(&mut self.text, &bytes[..bytes.len().min(self.text_max)]);
    }

    /// Adds the text, cut where it is too wide.
    pub fn show_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.show_cut(text);
    }

    /// Adds what was printed by the script itself, of any width.
    pub fn show_whole_text(&mut self) {
        let text = std::mem::take(&mut self.text);
        self.show(text);
    }

    /// The script calls a command.
    pub fn show_call<'a>(&mut self, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.was_refused = false;
        let mut line = b"<redis>".to_vec();
        let count = args.len();
        for (i, arg) in args.enumerate() {
            if i == ARGS_SHOWN {
                line.extend(format!(" ... ({} more)", count - i - 1).bytes());
                break;
            }
            line.push(b' ');
            line.extend_from_slice(arg);
        }
        self.show(line);
    }

    /// What a command has answered.
    pub fn show_reply(&mut self, reply: &[u8]) {
        if std::mem::take(&mut self.was_refused) {
            return;
        }
        let mut line = b"<reply> ".to_vec();
        reply::describe(reply, &mut line, self.bytes_shown());
        self.show_cut(line);
    }

    /// An error that a script is given. One that `has_code` has it in front.
    pub fn show_error(&mut self, text: &[u8], has_code: bool) {
        let mut line = b"<error> ".to_vec();
        match text.strip_prefix(b"ERR ").filter(|_| self.was_refused) {
            Some(text) => line.extend_from_slice(text),
            None => {
                line.extend(if has_code { &b"-"[..] } else { b"" });
                line.extend_from_slice(text);
            }
        }
        self.show(line);
    }

    /// Adds a line of the source, with the marks of what is about to run and of breakpoints.
    pub fn show_source(&mut self, number: i64) {
        let text = usize::try_from(number).ok().and_then(|n| self.source.get(n.checked_sub(1)?));
        let text = text.map_or(&b"<out of range source code line>"[..], |text| until_nul(text));
        let mark = match (self.line == number, self.breakpoints.contains(&number)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let line = [format!("{mark}{number:<3} ").as_bytes(), text].concat();
        self.show(line);
    }
}

#[cfg(test)]
mod tests;
