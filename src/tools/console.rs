//! What is said to a person, and what is asked.

use std::io::{self, BufRead, BufWriter, Stdout, Write};

/// The program ends with status 1. Why has been said.
pub struct Failed;

/// Standard output and input. Whoever does not listen misses it: there is nobody left to tell.
pub struct Console(BufWriter<Stdout>);

impl Default for Console {
    fn default() -> Self {
        Self(BufWriter::new(io::stdout()))
    }
}

impl Console {
    /// Says a line.
    pub fn say(&mut self, line: impl AsRef<[u8]>) {
        self.put(line.as_ref());
        self.put(b"\n");
    }

    /// Says text as it is.
    pub fn put(&mut self, text: &[u8]) {
        let _ = self.0.write_all(text);
    }

    /// Says why the program ends, which it then does.
    pub fn fail(&mut self, line: impl AsRef<[u8]>) -> Failed {
        self.say(line);
        Failed
    }

    /// Asks for leave to go on.
    pub fn agrees(&mut self, question: &str) -> bool {
        self.put(question.as_bytes());
        self.flush();
        let mut line = Vec::new();
        let _ = io::stdin().lock().read_until(b'\n', &mut line);
        matches!(line.first(), Some(b'y' | b'Y'))
    }

    /// Has everything out.
    pub fn flush(&mut self) {
        let _ = self.0.flush();
    }
}
