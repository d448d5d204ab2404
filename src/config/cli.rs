//! The command line: redis-server's, and the spellings that its clones are started with.
//!
//! An option becomes a line of configuration: `--save 3600 1` is `save "3600" "1"`. Values may begin with a dash
//! (`--bind -::1`) and an option takes as many words as follow, so what is an option is decided here, by redis-server's
//! rules, and not by a general parser.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::REDIS_VERSION;
use super::load::Sources;
use super::reading::is_known;
use super::words::{quote, split_args};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    Help,
    Version,
    /// Read the configuration, say whether it is right, and exit.
    CheckConfig(Sources),
    Run(Sources),
}

/// An option that cannot be served; displayed for the person who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// What `--help` prints.
pub const HELP: &str = "\
Usage: solod [FILE] [--DIRECTIVE VALUE ...] [-]

  FILE                 configuration file, in the format of redis.conf
  --DIRECTIVE VALUE    any directive of that file; wins over the file
                       also: --DIRECTIVE=VALUE, -DIRECTIVE VALUE
  -                    read configuration from standard input, after FILE

  --check-config       read the configuration and the certificates, report OK
                       or the first error (exit status 0 or 1), start nothing
  --check-aof [--fix | --truncate-to-timestamp SECONDS] FILE|MANIFEST
                       what redis-check-aof says of an append-only file
  --check-rdb FILE     what redis-check-rdb says of an RDB file
  --restore-to SECONDS DIRECTORY|MANIFEST|FILE
                       take a copy of an append-only file back to what it was
                       at the end of that second (Unix time); needs
                       aof-timestamp-enabled, and reaches back to the base
  --check-system       what of this machine will hurt: overcommit, huge pages,
                       backlog, clock, open files (exit status 1 if anything)
  --test-memory MB [PASSES]
                       write patterns to memory and read them back
                       All these come first. A link to solod that is called
                       redis-check-aof or redis-check-rdb is that program, and
                       one called redis-server answers --version as Redis does.
  -h, --help           this text
  -v, --version        version and the Redis version it stands for

Examples:
  solod --port 7777 --dir /var/lib/solod
  solod /etc/redis/redis.conf --loglevel verbose
  solod --port 7777 --replicaof 127.0.0.1 6379
  solod --save 3600 1 --save 60 1000
  echo 'maxmemory 2gb' | solod -
  solod --check-config /etc/redis/redis.conf

The server listens on port 6379 and keeps its data in the current directory
unless told otherwise. docs/configuration.md explains every directive.
";

/// What there is to say to whoever wants a sentinel.
pub const NO_SENTINEL: &str = "solod is no sentinel; the redis-sentinel of your distribution is one, and works with solod as with Redis";

/// What `--version` prints by the name of redis-server, in its form: `malloc` names the allocator, `build` the build. Nothing behind the fields of Redis
/// looks like one of them.
pub fn redis_version(malloc: &str, build: &str) -> String {
    let (bits, ours) = (usize::BITS, env!("CARGO_PKG_VERSION"));
    format!("Redis server v={REDIS_VERSION} sha=00000000:0 malloc={malloc} bits={bits} build={build} (solod {ours})")
}

/// What `--version` prints, without a line end.
pub fn version() -> String {
    format!("solod v={} redis_version={REDIS_VERSION} bits={}", env!("CARGO_PKG_VERSION"), usize::BITS)
}

/// Understands the words after the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let args: Vec<OsString> = args.into_iter().collect();
    let first = args.first().map(|arg| arg.as_bytes()).unwrap_or_default();
    match first {
        b"-h" => return Ok(Invocation::Help),
        b"-v" => return Ok(Invocation::Version),
        _ => {}
    }
    let mut line = CommandLine::default();
    let mut rest = args.iter().enumerate().peekable();
    while let Some((index, arg)) = rest.next() {
        let bytes = arg.as_bytes();
        let is_first = index == 0 || (index == 1 && line.check_only);
        let next = rest.peek().map(|(_, next)| next.as_bytes());
        if bytes == b"-" && (index == 0 || next.is_none()) {
            line.sources.stdin = true;
        } else if is_first && !bytes.starts_with(b"-") {
            line.sources.file = Some(arg.into());
        } else if line.awaits_value {
            line.add_value(bytes);
        } else {
            match bytes {
                b"--help" => return Ok(Invocation::Help),
                b"--version" => return Ok(Invocation::Version),
                b"--check-config" => line.check_only = true,
                _ => {
                    refuse_other_programs(bytes)?;
                    line.add_word(bytes, next);
                }
            }
        }
    }
    Ok(if line.check_only { Invocation::CheckConfig(line.sources) } else { Invocation::Run(line.sources) })
}

/// Refuses the other programs that redis-server's executable contains.
fn refuse_other_programs(option: &[u8]) -> Result<(), UsageError> {
    let reason = match option.to_ascii_lowercase().as_slice() {
        b"--sentinel" => NO_SENTINEL,
        b"--test-memory" | b"--check-system" => "solod takes this only as the first argument",
        _ => return Ok(()),
    };
    Err(UsageError(format!("{}: {reason}", option.escape_ascii())))
}

/// The command line while it is read.
#[derive(Default)]
struct CommandLine {
    sources: Sources,
    check_only: bool,
    /// The last option has no value yet: the next word is one, with a dash or without.
    awaits_value: bool,
}

impl CommandLine {
    fn add_value(&mut self, value: &[u8]) {
        self.sources.options.extend(quote(value));
        self.sources.options.push(b' ');
        self.awaits_value = false;
    }

    /// Takes a word where an option may begin. `next` is the word after it.
    fn add_word(&mut self, word: &[u8], next: Option<&[u8]>) {
        match Opening::of(word) {
            Some(Opening::NameAndValue(name, value)) => {
                self.begin_line(name);
                self.add_value(value);
            }
            Some(Opening::Name(name)) => {
                self.begin_line(name);
                // `--port 6380` in one word has its value already.
                self.awaits_value = split_args(word).is_some_and(|words| words.len() == 1);
                let is_last = next.is_none_or(|next| Opening::of(next).is_some());
                // `--save` without a value means no save points, as in older versions of Redis.
                if self.awaits_value && is_last && name.eq_ignore_ascii_case(b"save") {
                    self.add_value(b"");
                }
            }
            None => self.add_value(word),
        }
    }

    fn begin_line(&mut self, name: &[u8]) {
        if !self.sources.options.is_empty() {
            self.sources.options.push(b'\n');
        }
        self.sources.options.extend(name);
        self.sources.options.push(b' ');
    }
}

/// How a word opens an option, if it does.
enum Opening<'a> {
    /// `--name`, or `-name` where that is a directive.
    Name(&'a [u8]),
    /// `--name=value`, or `-name=value`, where `name` is a directive.
    NameAndValue(&'a [u8], &'a [u8]),
}

impl Opening<'_> {
    fn of(word: &[u8]) -> Option<Opening<'_>> {
        let (is_option, text) = match word {
            [b'-', b'-', text @ ..] => (true, text),
            [b'-', text @ ..] => (false, text),
            _ => return None,
        };
        let equals = memchr::memchr(b'=', text).map(|at| (&text[..at], &text[at + 1..]));
        match equals {
            Some((name, value)) if is_known_option(name) => Some(Opening::NameAndValue(name, value)),
            _ if is_option || is_known_option(text) => Some(Opening::Name(text)),
            _ => None,
        }
    }
}

/// A directive by its bare name; a value such as `-1.5` must not pass for a module's setting.
fn is_known_option(name: &[u8]) -> bool {
    is_known(name) && !name.contains(&b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Invocation, UsageError> {
        parse(words.iter().map(OsString::from))
    }

    fn sources(words: &[&str]) -> Sources {
        match parse_words(words) {
            Ok(Invocation::Run(sources)) => sources,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    fn options(words: &[&str]) -> String {
        String::from_utf8(sources(words).options).unwrap()
    }

    #[test]
    fn options_become_lines() {
        assert_eq!(options(&[]), "");
        assert_eq!(options(&["--port", "6380"]), "port \"6380\" ");
        assert_eq!(options(&["--port", "1", "--replicaof", "h", "2"]), "port \"1\" \nreplicaof \"h\" \"2\" ");
        assert_eq!(options(&["--replicaof", "h 2"]), "replicaof \"h 2\" ");
        assert_eq!(options(&["--port 6380", "--hz 1"]), "port 6380 \nhz 1 ");
        assert_eq!(options(&["--bind", "127.0.0.1", "-::1"]), "bind \"127.0.0.1\" \"-::1\" ");
        assert_eq!(options(&["--list-max-listpack-size", "-2"]), "list-max-listpack-size \"-2\" ");
        assert_eq!(options(&["--requirepass", "--secret", "--port", "1"]), "requirepass \"--secret\" \nport \"1\" ");
        assert_eq!(options(&["--port"]), "port ");
        assert_eq!(options(&["--", "port", "1"]), " \"port\" \"1\" ");
        assert_eq!(options(&["--nosuch=1"]), "nosuch=1 ");
    }

    #[test]
    fn an_empty_list_of_save_points_may_be_nothing() {
        assert_eq!(options(&["--save", ""]), "save \"\" ");
        assert_eq!(options(&["--save"]), "save \"\" ");
        assert_eq!(options(&["--save", "--port", "1"]), "save \"\" \nport \"1\" ");
        assert_eq!(options(&["--save", "3600", "1", "300", "100"]), "save \"3600\" \"1\" \"300\" \"100\" ");
    }

    #[test]
    fn the_spellings_of_clones_are_understood() {
        assert_eq!(options(&["--port=8000"]), "port \"8000\" ");
        assert_eq!(options(&["-port", "6380", "-replicaof", "h", "1"]), "port \"6380\" \nreplicaof \"h\" \"1\" ");
        assert_eq!(options(&["--dir=./testdata", "--filename=dump.rdb"]), "dir \"./testdata\" \nfilename \"dump.rdb\" ");
        assert_eq!(options(&["-port=1", "--save=60 1", "--save="]), "port \"1\" \nsave \"60 1\" \nsave \"\" ");
        assert_eq!(options(&["--requirepass", "-port"]), "requirepass \"-port\" ");
    }

    #[test]
    fn a_file_comes_first_and_standard_input_at_an_end() {
        let all = sources(&["a.conf", "--port", "1", "-"]);
        assert_eq!(all.file, Some("a.conf".into()));
        assert!(all.stdin);
        assert_eq!(all.options, b"port \"1\" ");
        assert!(sources(&["-"]).stdin);
        let values = sources(&["--port", "1", "a.conf"]);
        assert_eq!((values.file, values.options), (None, b"port \"1\" \"a.conf\" ".to_vec()));
    }

    #[test]
    fn some_options_are_not_configuration() {
        assert_eq!(parse_words(&["--help"]), Ok(Invocation::Help));
        assert_eq!(parse_words(&["-h"]), Ok(Invocation::Help));
        assert_eq!(parse_words(&["-v"]), Ok(Invocation::Version));
        assert_eq!(parse_words(&["--port", "1", "--version"]), Ok(Invocation::Version));
        let file = Sources { file: Some("a.conf".into()), ..Sources::default() };
        assert_eq!(parse_words(&["--check-config", "a.conf"]), Ok(Invocation::CheckConfig(file.clone())));
        assert_eq!(parse_words(&["a.conf", "--check-config"]), Ok(Invocation::CheckConfig(file)));
    }

    #[test]
    fn what_solod_is_not_is_refused() {
        for option in ["--sentinel", "--test-memory", "--check-system"] {
            let error = parse_words(&["a.conf", option]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{option}: solod ")), "{error}");
        }
    }

    #[test]
    fn the_help_fits_a_terminal() {
        assert!(HELP.lines().all(|line| line.len() <= 79));
        assert!(version().starts_with("solod v=") && version().contains("redis_version=7.2."));
    }
}
