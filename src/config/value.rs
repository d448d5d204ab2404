//! What a directive's value may be: the forms it is written in, and the trait of the types that hold it. Knows no directive.

/// How a directive's value is written.
#[derive(Clone, Copy)]
pub enum ValueKind {
    /// `yes` or `no`.
    Bool,
    /// A whole number from `min` to `max`, both included.
    Integer { min: i128, max: i128, unit: Notation },
    /// One of these names, in any case.
    Choice(&'static [&'static str]),
    /// Any of these names, separated by blanks.
    Flags(&'static [&'static str]),
    /// One word that passes the check.
    Text(fn(&str) -> Result<(), &'static str>),
    /// One word of this form.
    Word(&'static str),
    /// Several words of this form.
    Words(&'static str),
}

impl ValueKind {
    /// Whether the value is a list of words: a file may write them separately, and CONFIG SET's one word is split.
    pub fn takes_words(&self) -> bool {
        matches!(self, ValueKind::Flags(_) | ValueKind::Words(_))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    Plain,
    /// Bytes; `1kb`, `512mb`, `4g` are understood.
    Memory,
    /// Bytes, or a percentage of `maxmemory` with a `%` behind it.
    MemoryOrPercent,
    /// Permission bits, read and written in base 8.
    Octal,
}

/// A type that a field of the configuration may have.
pub(super) trait Setting {
    /// Takes the value that `words` say, or leaves the old one and says what is wrong, in Redis's own words.
    fn assign(&mut self, words: &[&[u8]], kind: &ValueKind) -> Result<(), String>;

    /// The value as CONFIG GET writes it.
    fn show(&self, kind: &ValueKind) -> Vec<u8>;

    /// The value as one or more lines of a file, without the directive's name. Assigning each, in order, to the
    /// default gives the value back.
    fn lines(&self, kind: &ValueKind) -> Vec<Vec<u8>> {
        vec![self.show(kind)]
    }
}

pub(super) const WRONG_NUMBER: &str = "wrong number of arguments";

/// The only word of a value that has exactly one.
pub(super) fn only_word<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], String> {
    match words {
        [word] => Ok(word),
        _ => Err(WRONG_NUMBER.to_string()),
    }
}

pub(super) fn not_among(names: &[&str]) -> String {
    format!("argument(s) must be one of the following: {}", names.join(", "))
}

/// A word up to its first NUL byte: what Redis sees of it where it reads a C string.
pub(super) fn c_string(word: &[u8]) -> &[u8] {
    &word[..memchr::memchr(0, word).unwrap_or(word.len())]
}
