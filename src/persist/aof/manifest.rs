//! The manifest: the one small file that says which files of an append-only directory hold the data, and in which order.
//!
//! A line for each file, `file NAME seq N type T`: the base (`b`), which comes first; history (`h`), which a rewrite has replaced and which is only waiting to be removed; the
//! increments (`i`), oldest first. Whatever happens to the directory, the data is what the manifest says: so each step of a rewrite prepares a file under a name that the
//! manifest does not know, and then the manifest changes as a whole.

use crate::{
    config::{quote_into, split_args},
    data::number::leading_i64,
};
use std::{collections::VecDeque, fmt};

/// Bytes of a line, with its end.
const LINE_MAX: usize = 1024;
const TOO_LONG: ManifestError = ManifestError { line: None, reason: "The AOF manifest file contains too long line" };
/// No file has a higher number, so that there is always a next one.
const SEQ_MAX: i64 = i64::MAX >> 1;

/// What a file is to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFileKind {
    /// The data at a moment.
    Base,
    /// Replaced by a rewrite, and to be removed.
    History,
    /// Commands since then.
    Increment,
}

impl LogFileKind {
    fn letter(self) -> char {
        match self {
            Self::Base => 'b',
            Self::History => 'h',
            Self::Increment => 'i',
        }
    }
}

/// A file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in the directory.
    pub name: String,
    /// Its number: increments are in the order of theirs.
    pub seq: i64,
}

/// The files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The data at a moment. There is none where everything is in the increments.
    pub base: Option<LogFile>,
    /// Files to be removed: those of the last rewrite first.
    pub history: VecDeque<LogFile>,
    /// Commands since the base, oldest first.
    pub increments: Vec<LogFile>,
    /// The number of the last base.
    base_seq: i64,
    /// The number of the last increment.
    increment_seq: i64,
}

/// Why the bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The number of the line, and the line without blanks around it, where one is to blame.
    pub line: Option<(usize, Vec<u8>)>,
    /// What is wrong, in Redis's words.
    pub reason: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

const INVALID: &str = "Invalid AOF manifest file format";

impl Manifest {
    /// Reads a manifest.
    pub fn parse(mut text: &[u8]) -> Result<Self, ManifestError> {
        if text.is_empty() {
            return Err(ManifestError { line: None, reason: "Found an empty AOF manifest" });
        }
        let mut manifest = Self::default();
        let mut number = 0;
        while !text.is_empty() {
            number += 1;
            // A line that is too long is not read on.
            let piece = &text[..text.len().min(LINE_MAX)];
            let end = memchr::memchr(b'\n', piece).map_or(piece.len(), |end| end + 1);
            let line = &piece[..end];
            text = &text[end..];
            if line.starts_with(b"#") {
                continue;
            }
            // The end of the last line has to be there too: the file may have been cut off.
            if !line.ends_with(b"\n") || line.contains(&0) {
                return Err(TOO_LONG);
            }
            let line = trim(line);
            manifest.take_line(line).map_err(|reason| ManifestError { line: Some((number, line.to_vec())), reason })?;
        }
        // With bytes that have to be quoted a line may be written longer than it was.
        if manifest.files().any(|(kind, file)| line_of(kind, file).len() > LINE_MAX) { Err(TOO_LONG) } else { Ok(manifest) }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let words = split_args(line).ok_or(INVALID)?;
        // Words that nobody knows may follow in pairs.
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(INVALID);
        }
        let (mut name, mut seq, mut kind) = (None, 0, None);
        for pair in words.chunks(2) {
            let value = &pair[1];
            match &*pair[0].to_ascii_lowercase() {
                b"file" => {
                    if value.contains(&b'/') || value.contains(&b'\\') {
                        return Err("File can't be a path, just a filename");
                    }
                    name = Some(String::from_utf8(value.clone()).map_err(|_| INVALID)?);
                }
                b"seq" => seq = leading_i64(value),
                b"type" => kind = value.first().copied(),
                _ => (),
            }
        }
        let (Some(name), Some(kind)) = (name, kind) else { return Err(INVALID) };
        if seq == 0 || seq > SEQ_MAX {
            return Err(INVALID);
        }
        let file = LogFile { name, seq };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.base_seq = seq;
                self.base = Some(file);
            }
            b'h' => self.history.push_back(file),
            b'i' if seq <= self.increment_seq => return Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.increment_seq = seq;
                self.increments.push(file);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// The text of the file: the base first, then history, then the increments.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.files().flat_map(|(kind, file)| line_of(kind, file)).collect()
    }

    /// All files, in the order of the text.
    pub fn files(&self) -> impl Iterator<Item = (LogFileKind, &LogFile)> {
        let base = self.base.iter().map(|file| (LogFileKind::Base, file));
        let history = self.history.iter().map(|file| (LogFileKind::History, file));
        base.chain(history).chain(self.increments.iter().map(|file| (LogFileKind::Increment, file)))
    }

    /// The files that hold the data, in the order in which they are loaded.
    pub fn data(&self) -> impl Iterator<Item = &LogFile> {
        self.base.iter().chain(&self.increments)
    }

    /// Whether no file holds data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// Whether a file of this name holds data.
    pub fn is_data(&self, name: &str) -> bool {
        self.data().any(|file| file.name == name)
    }

    /// Takes the single file of a server before Redis 7 in as the base.
    pub fn take_old_file(&mut self, name: &str) {
        self.base = Some(LogFile { name: name.into(), seq: 1 });
        self.base_seq = 1;
    }

    /// Replaces the base by a new one, whose name this returns; the old one is history.
    pub fn add_base(&mut self, filename: &str, is_rdb: bool) -> String {
        let format = if is_rdb { "rdb" } else { "aof" };
        let (seq, name) = self.next_name(self.base_seq, |seq| format!("{filename}.{seq}.base.{format}"));
        self.base_seq = seq;
        if let Some(old) = self.base.replace(LogFile { name: name.clone(), seq }) {
            self.history.push_front(old);
        }
        name
    }

    /// Adds an increment behind the others, and returns its name.
    pub fn add_increment(&mut self, filename: &str) -> String {
        let (seq, name) = self.next_name(self.increment_seq, |seq| format!("{filename}.{seq}.incr.aof"));
        self.increment_seq = seq;
        self.increments.push(LogFile { name: name.clone(), seq });
        name
    }

    /// The next number whose name no file has: not even one that was given it by hand.
    fn next_name(&self, last: i64, name: impl Fn(i64) -> String) -> (i64, String) {
        let mut seq = last;
        loop {
            seq = seq.saturating_add(1);
            let name = name(seq);
            if self.files().all(|(_, file)| file.name != name) {
                return (seq, name);
            }
        }
    }

    /// Takes the place of another manifest of this log, which was on its way to the disk and may be there: gives no new file a name of its, and has its
    /// files as history.
    pub fn supersede(&mut self, other: &Self) {
        self.base_seq = self.base_seq.max(other.base_seq);
        self.increment_seq = self.increment_seq.max(other.increment_seq);
        let is_known = |name: &str| self.files().any(|(_, file)| file.name == name);
        let vain: Vec<_> = other.data().filter(|file| !is_known(&file.name)).cloned().collect();
        self.history.extend(vain);
    }

    /// Makes history of the increments, but for the last `keep`. They stand in front of what was replaced before, in their own order.
    pub fn retire_increments(&mut self, keep: usize) {
        let retired = self.increments.len().saturating_sub(keep);
        self.increments.drain(..retired).rev().for_each(|file| self.history.push_front(file));
    }
}

/// The name of the manifest of the log that is called `filename`.
pub fn manifest_name(filename: &str) -> String {
    format!("{filename}.manifest")
}

/// The name of a manifest that is not whole yet.
pub fn temporary_manifest_name(filename: &str) -> String {
    format!("temp-{filename}.manifest")
}

/// The name of the increment of a log that has no base yet.
pub fn temporary_increment_name(filename: &str) -> String {
    format!("temp-{filename}.incr")
}

/// The name of a base that is not whole yet.
pub fn temporary_base_name(filename: &str) -> String {
    format!("temp-{filename}.base")
}

fn trim(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| b" \t\r\n".contains(byte);
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(start, |end| end + 1);
    &line[start..end]
}

/// The line that says what a file is.
fn line_of(kind: LogFileKind, file: &LogFile) -> Vec<u8> {
    let mut line = b"file ".to_vec();
    if needs_quotes(&file.name) {
        quote_into(&mut line, file.name.as_bytes());
    } else {
        line.extend(file.name.bytes());
    }
    line.extend(format!(" seq {} type {}\n", file.seq, kind.letter()).bytes());
    line
}

/// Whether a name has to be quoted to be one word again.
fn needs_quotes(name: &str) -> bool {
    name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\''))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Manifest, &'static str> {
        Manifest::parse(text.as_bytes()).map_err(|error| error.reason)
    }

    const FULL: &str = "file appendonly.aof.2.base.rdb seq 2 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type h\n\
                        file appendonly.aof.2.incr.aof seq 2 type h\n\
                        file appendonly.aof.4.incr.aof seq 4 type i\n\
                        file appendonly.aof.7.incr.aof seq 7 type i\n";

    #[test]
    fn it_is_read_and_written() {
        let manifest = parse(FULL).unwrap();
        assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), FULL);
        let names: Vec<_> = manifest.data().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["appendonly.aof.2.base.rdb", "appendonly.aof.4.incr.aof", "appendonly.aof.7.incr.aof"]);
        let with_more = format!("# a comment\n{}", FULL.replace(" type", " later \"a word\" TYPE").replace("file", "\t FILE"));
        assert_eq!(parse(&with_more), Ok(manifest));
        assert_eq!(parse("#\n").map(|m| m.is_empty()), Ok(true));
    }

    #[test]
    fn a_name_may_be_anything_but_a_path() {
        let mut manifest = Manifest::default();
        let name = manifest.add_base(" file seq \n\n.aof ", true);
        assert_eq!(manifest.to_bytes(), b"file \" file seq \\n\\n.aof .1.base.rdb\" seq 1 type b\n");
        assert_eq!(parse(str::from_utf8(&manifest.to_bytes()).unwrap()).unwrap().base.unwrap().name, name);
        for path in ["file a/b seq 1 type b\n", "file \"a\\\\b\" seq 1 type b\n"] {
            assert_eq!(parse(path), Err("File can't be a path, just a filename"));
        }
    }

    #[test]
    fn what_is_wrong_is_told_as_redis_tells_it() {
        let long = format!("file {} seq 1 type b\n", "x".repeat(1200));
        let invalid = INVALID;
        for (text, reason) in [
            ("", "Found an empty AOF manifest"),
            ("file a seq 1 type b", "The AOF manifest file contains too long line"),
            (&long, "The AOF manifest file contains too long line"),
            (&format!("file {} seq 1 type b\n", "\x11".repeat(300)), "The AOF manifest file contains too long line"),
            ("file a seq 1 type b\n\nfile b seq 1 type i\n", invalid),
            ("file a seq 1\n", invalid),
            ("file a seq 1 type b more\n", invalid),
            ("file \"a seq 1 type b\n", invalid),
            ("filx a seq 1 type b\n", invalid),
            ("file a seq x type b\n", invalid),
            ("file a seq 9223372036854775807 type b\n", invalid),
            ("file a seq 1 type \"\"\n", invalid),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
            ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
            ("file a seq -1 type i\n", "Found a non-monotonic sequence number"),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        let error = Manifest::parse(b"file a seq 1 type i\n  file a seq 1 type i \n").unwrap_err();
        assert_eq!(error.line, Some((2, b"file a seq 1 type i".to_vec())));
    }

    #[test]
    fn a_rewrite_makes_history_of_what_it_replaces() {
        let mut manifest = parse(FULL).unwrap();
        manifest.history.clear();
        assert_eq!(manifest.add_increment("appendonly.aof"), "appendonly.aof.8.incr.aof");
        assert_eq!(manifest.add_base("appendonly.aof", false), "appendonly.aof.3.base.aof");
        manifest.retire_increments(1);
        assert_eq!(
            String::from_utf8(manifest.to_bytes()).unwrap(),
            "file appendonly.aof.3.base.aof seq 3 type b\n\
             file appendonly.aof.4.incr.aof seq 4 type h\n\
             file appendonly.aof.7.incr.aof seq 7 type h\n\
             file appendonly.aof.2.base.rdb seq 2 type h\n\
             file appendonly.aof.8.incr.aof seq 8 type i\n"
        );
        manifest.retire_increments(2);
        assert_eq!(manifest.increments.len(), 1);
        manifest.retire_increments(0);
        assert_eq!(manifest.add_increment("appendonly.aof"), "appendonly.aof.9.incr.aof", "numbers are not used twice");
    }

    #[test]
    fn a_new_file_has_a_name_of_its_own() {
        let mut manifest =
            parse("file l.2.base.rdb seq 1 type b\nfile l.3.base.rdb seq 1 type h\nfile l.2.incr.aof seq 1 type i\n").unwrap();
        assert_eq!(manifest.add_base("l", true), "l.4.base.rdb");
        assert_eq!(manifest.add_increment("l"), "l.3.incr.aof");
        assert!(manifest.is_data("l.4.base.rdb") && !manifest.is_data("l.2.base.rdb"));
    }

    #[test]
    fn names_that_were_given_in_vain_are_not_given_again() {
        let mut manifest = parse(FULL).unwrap();
        let mut other = manifest.clone();
        let vain = [other.add_base("appendonly.aof", true), other.add_increment("appendonly.aof")];
        let known = manifest.history.len();
        manifest.supersede(&other);
        assert!(manifest.history.iter().skip(known).map(|file| &file.name).eq(&vain), "they are to be removed");
        assert_eq!(manifest.add_base("appendonly.aof", true), "appendonly.aof.4.base.rdb");
        assert_eq!(manifest.add_increment("appendonly.aof"), "appendonly.aof.9.incr.aof");
    }

    #[test]
    fn the_single_file_of_old_becomes_the_base() {
        let mut manifest = Manifest::default();
        manifest.take_old_file("appendonly.aof");
        assert_eq!(manifest.add_increment("appendonly.aof"), "appendonly.aof.1.incr.aof");
        assert_eq!(manifest.to_bytes(), b"file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n");
        assert_eq!(manifest.add_base("appendonly.aof", true), "appendonly.aof.2.base.rdb");
    }

    fn files() -> impl Strategy<Value = Vec<LogFile>> {
        proptest::collection::vec(("[^/\\\\]{1,12}", 1..5i64), 0..5).prop_map(|files| {
            let mut seq = 0;
            files
                .into_iter()
                .map(|(name, step)| {
                    seq += step;
                    LogFile { name: name.replace('\0', "0"), seq }
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(base in files(), history in files(), increments in files()) {
            let base = base.into_iter().next();
            prop_assume!(base.is_some() || !increments.is_empty());
            let manifest = Manifest {
                base_seq: base.as_ref().map_or(0, |file| file.seq),
                increment_seq: increments.last().map_or(0, |file| file.seq),
                base,
                history: history.into(),
                increments,
            };
            prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200), lines in "(file|seq|type| |\n|1|b|i|h|\"|x)*") {
            let _ = Manifest::parse(&text);
            if let Ok(manifest) = Manifest::parse(lines.as_bytes()) {
                prop_assert!(manifest.data().all(|file| file.seq > 0 && file.seq <= SEQ_MAX || file.seq < 0));
            }
        }
    }
}
