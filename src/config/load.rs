//! Reading configuration files. Files themselves are read by an [`Environment`]: this room does no I/O.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::REDIS_VERSION;
use super::directive::Flags;
use super::reading::{Reading, UNBALANCED, trim_line};
use super::table::{Config, DirectiveId, lookup};
use super::words::split_args;

/// Where a configuration comes from. What is read later wins: the file, standard input, the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Whether standard input is read.
    pub stdin: bool,
    /// The options of the command line as lines of a configuration file.
    pub options: Vec<u8>,
}

/// What reading a configuration needs from its caller. By default there are no files.
pub trait Environment {
    /// The content of a file.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let _ = path;
        Err(io::ErrorKind::NotFound.into())
    }

    /// All of standard input.
    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// The files that a pattern matches, sorted; none is not an error.
    fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
        let _ = pattern;
        Vec::new()
    }

    /// Makes `dir` the working directory, for relative paths in the lines that follow, and returns its absolute path.
    /// An error is a reason such as `No such file or directory`.
    fn enter_dir(&mut self, dir: &str) -> Result<String, String> {
        Ok(dir.to_owned())
    }

    /// Checks a line that this room does not understand, such as `rename-command`, and may refuse it.
    fn check(&mut self, directive: DirectiveId, words: &[&[u8]]) -> Result<(), String> {
        let _ = (directive, words);
        Ok(())
    }
}

/// A configuration that was read.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// Warnings for the log.
    pub warnings: Vec<String>,
}

/// Why a configuration was refused; displayed as Redis does on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A file that cannot be read.
    Unreadable { path: String, reason: String },
    /// A wrong line: `line` counts from 1, `origin` names the file or what stands for one.
    Line { origin: String, line: usize, text: String, reason: String },
    /// Lines that are right, but not together.
    Conflict(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headline = format!("\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***");
        match self {
            LoadError::Unreadable { path, reason } => {
                write!(formatter, "Fatal error, can't open config file '{path}': {reason}")
            }
            LoadError::Line { origin, line, text, reason } => {
                write!(formatter, "{headline}\nReading the configuration file, at line {line}\n>>> '{text}'\n{reason}\n(in {origin})")
            }
            LoadError::Conflict(reason) => write!(formatter, "{headline}\n{reason}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl Config {
    /// Reads `sources` over the defaults. A value whose feature is not built is refused if data would be lost or open.
    pub fn load(sources: &Sources, environment: &mut dyn Environment) -> Result<Loaded, LoadError> {
        let (loaded, refused) = Config::read(sources, environment)?;
        refused.map_or(Ok(loaded), Err)
    }

    /// Reads `sources`. The second result is the error for a line that is valid but refused.
    fn read(sources: &Sources, environment: &mut dyn Environment) -> Result<(Loaded, Option<LoadError>), LoadError> {
        let mut loader = ConfigLoader { reading: Reading::default(), refused: BTreeMap::new(), environment };
        if let Some(path) = &sources.file {
            loader.read_file(path, 0)?;
        }
        if sources.stdin {
            let text = loader.environment.read_stdin();
            let text = text.map_err(|error| unreadable(Path::new("-"), &error))?;
            loader.read_text("the standard input", &text, 0)?;
        }
        loader.read_text("the command line's options", &sources.options, 0)?;
        let mut refused = loader.refused;
        refused.retain(|id, _| loader.reading.config.refusal(id.directive()).is_some());
        Ok((finish(loader.reading.config)?, refused.into_values().next()))
    }
}

/// Added to the error of a line that has a word with a leading `#`.
const COMMENT_BEHIND: &str = "A comment needs a line of its own: '#' begins one only at the start of a line.";

/// How deep files may include files.
const INCLUDE_DEPTH_MAX: usize = 16;

struct ConfigLoader<'a> {
    reading: Reading,
    /// Errors of the lines that set a directive to a refused value, unless a later line sets it back.
    refused: BTreeMap<DirectiveId, LoadError>,
    environment: &'a mut dyn Environment,
}

impl ConfigLoader<'_> {
    fn read_file(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let text = self.environment.read(path).map_err(|error| unreadable(path, &error))?;
        self.read_text(&path.display().to_string(), &text, depth)
    }

    fn read_text(&mut self, origin: &str, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = trim_line(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let says = |reason: String| LoadError::Line {
                origin: origin.to_owned(),
                line: index + 1,
                text: String::from_utf8_lossy(line).into_owned(),
                reason,
            };
            let words = split_args(line).ok_or_else(|| says(UNBALANCED.into()))?;
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let wrong = |reason: String| {
                let has_comment = words.iter().skip(1).any(|word| word.starts_with(b"#"));
                says(if has_comment { format!("{reason}\n{COMMENT_BEHIND}") } else { reason })
            };
            let Some((name, values)) = words.split_first() else {
                continue;
            };
            if name.eq_ignore_ascii_case(b"include") && values.len() == 1 {
                if depth == INCLUDE_DEPTH_MAX {
                    return Err(wrong("include is nested too deep; does a file include itself?".into()));
                }
                self.include(Path::new(OsStr::from_bytes(values[0])), depth + 1)?;
            }
            self.read_line(name, values).map_err(wrong)?;
            if let Some(directive) = lookup(name) {
                match self.reading.config.refusal(directive) {
                    None => _ = self.refused.remove(&directive.id),
                    // Such lines add up and cannot be taken back: the error names the first.
                    Some(_) if directive.flags.contains(Flags::FILE_ONLY) && self.refused.contains_key(&directive.id) => {}
                    Some(reason) => _ = self.refused.insert(directive.id, says(reason.into())),
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        let is_pattern = path.as_os_str().as_bytes().iter().any(|byte| b"*?[".contains(byte));
        if !is_pattern {
            return self.read_file(path, depth);
        }
        for path in self.environment.glob(path) {
            self.read_file(&path, depth)?;
        }
        Ok(())
    }

    fn read_line(&mut self, name: &[u8], values: &[&[u8]]) -> Result<(), String> {
        let Some(directive) = lookup(name) else {
            return self.reading.apply_unlisted(name, values);
        };
        self.reading.apply(directive, values)?;
        if directive.id == DirectiveId::dir {
            self.reading.config.dir = self.environment.enter_dir(&self.reading.config.dir)?;
        }
        self.environment.check(directive.id, values)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> LoadError {
    LoadError::Unreadable { path: path.display().to_string(), reason: os_reason(error) }
}

/// What the operating system says of an error, in strerror's words: the standard library appends the error's number.
pub fn os_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Checks what involves several directives.
fn finish(mut config: Config) -> Result<Loaded, LoadError> {
    let mut warnings = Vec::new();
    if config.cluster_enabled && config.replicaof.is_some() {
        return Err(LoadError::Conflict("replicaof directive not allowed in cluster mode".into()));
    }
    if !config.aclfile.is_empty() && !config.users.is_empty() {
        return Err(LoadError::Conflict(
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to \
             lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but \
             not both."
                .into(),
        ));
    }
    if config.cluster_enabled && config.databases > 1 {
        warnings.push(format!("WARNING: Changing databases number from {} to 1 since we are in cluster mode", config.databases));
        config.databases = 1;
    }
    warnings.extend(config.unsupported_warnings());
    warnings.extend(config.module_values.iter().map(|(name, _)| format!("WARNING: {name} has no effect: solod cannot load modules.")));
    Ok(Loaded { config, warnings })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Files in memory. A pattern is a prefix with `*` behind it.
    #[derive(Default)]
    struct MemoryFiles {
        files: BTreeMap<PathBuf, Vec<u8>>,
        stdin: Vec<u8>,
    }

    impl MemoryFiles {
        fn new(files: &[(&str, &str)]) -> MemoryFiles {
            let files = files.iter().map(|(path, text)| (path.into(), text.as_bytes().to_vec()));
            MemoryFiles { files: files.collect(), stdin: Vec::new() }
        }
    }

    impl Environment for MemoryFiles {
        fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
            self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
        }

        fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
            Ok(self.stdin.clone())
        }

        fn glob(&mut self, pattern: &Path) -> Vec<PathBuf> {
            let prefix = pattern.to_str().unwrap().trim_end_matches('*');
            let paths = self.files.keys().filter(|path| path.to_str().unwrap().starts_with(prefix));
            paths.cloned().collect()
        }

        fn enter_dir(&mut self, dir: &str) -> Result<String, String> {
            if dir == "/nowhere" { Err("No such file or directory".into()) } else { Ok(format!("/abs/{dir}")) }
        }

        fn check(&mut self, directive: DirectiveId, words: &[&[u8]]) -> Result<(), String> {
            let unknown = directive == DirectiveId::rename_command && words[0] == b"nosuch";
            if unknown { Err("No such command in rename-command".into()) } else { Ok(()) }
        }
    }

    pub(in crate::config) fn load_text(text: &[u8]) -> Result<Loaded, LoadError> {
        /// Nothing but the text.
        struct Nowhere;
        impl Environment for Nowhere {}
        let sources = Sources { options: text.to_vec(), ..Sources::default() };
        // Refused values are read, too: these tests are about reading.
        Config::read(&sources, &mut Nowhere).map(|(loaded, _)| loaded)
    }

    fn load_files(files: &[(&str, &str)]) -> Result<Config, LoadError> {
        let sources = Sources { file: Some(files[0].0.into()), ..Sources::default() };
        Config::read(&sources, &mut MemoryFiles::new(files)).map(|(loaded, _)| loaded.config)
    }

    fn load(text: &str) -> Config {
        load_files(&[("solod.conf", text)]).unwrap()
    }

    fn reason(text: &str) -> String {
        match load_files(&[("solod.conf", text)]) {
            Err(LoadError::Line { reason, .. } | LoadError::Conflict(reason)) => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn lines_set_fields() {
        let config = load(
            "# comment\n\n  PORT 6380 \r\n\tmaxmemory 2gb\nbind 127.0.0.1 -::1\nslave-priority 5\n\
             filename \"a b.rdb\"\nmaxmemory-policy ALLKEYS-LFU\nunixsocketperm 700\nhash-max-ziplist-entries 9\n\
             replicaof example.org 6379\nshutdown-on-sigterm save now\nnotify-keyspace-events KA\n\
             oom-score-adj-values -5 10 15\nmaxmemory-clients 5%\nlatency-tracking-info-percentiles 50 99.99\n\
             requirepass \"\\x00\\xff\"\nhz 1000",
        );
        assert_eq!(config.port, 6380);
        assert_eq!(config.maxmemory, 2 << 30);
        assert_eq!(config.bind, ["127.0.0.1", "-::1"]);
        assert_eq!(config.replica_priority, 5);
        assert_eq!(config.dbfilename, "a b.rdb");
        assert_eq!(config.maxmemory_policy, MaxmemoryPolicy::AllkeysLfu);
        assert_eq!(config.unixsocketperm, 0o700);
        assert_eq!(config.hash_max_listpack_entries, 9);
        assert_eq!(config.replicaof, Some(Endpoint { host: "example.org".into(), port: 6379 }));
        assert!(config.shutdown_on_sigterm.save && config.shutdown_on_sigterm.now);
        assert!(config.notify_keyspace_events.contains(NotifyFlags::EXPIRED));
        assert!(!config.notify_keyspace_events.contains(NotifyFlags::KEYEVENT));
        assert_eq!(config.oom_score_adj_values, [-5, 10, 15]);
        assert_eq!(config.maxmemory_clients, MemoryOrPercent::Percent(5));
        assert_eq!(config.latency_tracking_info_percentiles, [50.0, 99.99]);
        assert_eq!(config.requirepass.as_deref(), Some(&b"\0\xff"[..]));
        assert_eq!(config.hz, 500);
        assert_eq!(load(""), Config::default());
    }

    #[test]
    fn save_lines_add_up_and_the_first_replaces_the_default() {
        let point = |seconds, changes| SavePoint { seconds, changes };
        assert_eq!(load("save 900 1\nsave 60 5").save, [point(900, 1), point(60, 5)]);
        assert_eq!(load("save 3600 1 300 100").save, [point(3600, 1), point(300, 100)]);
        assert_eq!(load("save \"3600 1 300 100\"").save, [point(3600, 1), point(300, 100)]);
        assert_eq!(load("save 900 1\nsave ''\nsave 60 5").save, [point(60, 5)]);
        assert_eq!(load("save \"\"").save, []);
        assert_eq!(load("save").save, []);
        assert_eq!(load("").save.len(), 3);
    }

    #[test]
    fn output_limits_are_set_class_by_class() {
        let config = load("client-output-buffer-limit SLAVE 1gb 0 0\nclient-output-buffer-limit pubsub 1 2 3 normal 4 5 6");
        let limit = |hard, soft, soft_seconds| OutputLimit { hard, soft, soft_seconds };
        assert_eq!(config.client_output_buffer_limit[ClientClass::Normal as usize], limit(4, 5, 6));
        assert_eq!(config.client_output_buffer_limit[ClientClass::Replica as usize], limit(1 << 30, 0, 0));
        assert_eq!(config.client_output_buffer_limit[ClientClass::Pubsub as usize], limit(1, 2, 3));
    }

    #[test]
    fn lines_for_other_rooms_are_kept() {
        let config = load("user a on >x ~*\nuser b\nloadmodule /m.so 1 2\nrename-command config \"\"\nm.x 1 2\nm.x 3");
        assert_eq!(config.users, [vec![b"a".to_vec(), b"on".to_vec(), b">x".to_vec(), b"~*".to_vec()], vec![b"b".to_vec()]]);
        assert_eq!(config.loadmodule[0][0], b"/m.so");
        assert_eq!(config.rename_command, [RenamedCommand { from: b"config".to_vec(), to: Vec::new() }]);
        assert_eq!(config.module_values, [("m.x".to_string(), b"3".to_vec())]);
        assert_eq!(load("sentinel\nlua-replicate-commands yes\nlist-max-ziplist-value 5"), Config::default());
        assert_eq!(reason("rename-command nosuch x"), "No such command in rename-command");
    }

    #[test]
    fn a_wrong_line_is_refused_in_redis_words() {
        for (line, expected) in [
            ("port", "wrong number of arguments"),
            ("port 1 2", "wrong number of arguments"),
            ("port abc", "argument couldn't be parsed into an integer"),
            ("port 70000", "argument must be between 0 and 65535 inclusive"),
            ("nosuch 1", "Bad directive or wrong number of arguments"),
            ("user", "Bad directive or wrong number of arguments"),
            ("rename-command a", "Bad directive or wrong number of arguments"),
            ("include a b", "Bad directive or wrong number of arguments"),
            ("port \"1", "Unbalanced quotes in configuration line"),
            ("m.x", "Module config specified without value"),
            ("sentinel monitor a b 1 1", "sentinel directive while not in sentinel mode"),
            ("save 60", "Invalid save parameters"),
            ("save 0 1", "Invalid save parameters"),
            ("save 1 -1", "Invalid save parameters"),
            ("replicaof a", "wrong number of arguments"),
            ("replicaof a 65536", "Invalid master port"),
            ("oom-score-adj-values 1 2", "wrong number of arguments"),
            ("oom-score-adj-values 1 2 2001", "Invalid oom-score-adj-values, elements must be between -2000 and 2000."),
            ("client-output-buffer-limit normal 1 1", "Wrong number of arguments in buffer limit configuration."),
            ("client-output-buffer-limit master 1 1 1", "Invalid client class specified in buffer limit configuration."),
            ("client-output-buffer-limit normal 1 x 1", "Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            ("latency-tracking-info-percentiles 101", "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
            ("latency-tracking-info-percentiles nan", "Invalid latency-tracking-info-percentiles parameters"),
            ("notify-keyspace-events Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
            ("bind a b c d e f g h i j k l m n o p q", "Too many bind addresses specified."),
            ("dir /nowhere", "No such file or directory"),
            ("cluster-enabled yes\nreplicaof a 1", "replicaof directive not allowed in cluster mode"),
        ] {
            assert_eq!(reason(line), expected, "{line}");
        }
    }

    #[test]
    fn a_comment_behind_a_value_is_told_of() {
        for (line, expected) in [
            ("bind 127.0.0.1 # here", "an address cannot begin with '#'"),
            ("port 1 # here", "wrong number of arguments"),
            ("save 60 1 #here", "Invalid save parameters"),
        ] {
            assert_eq!(reason(line), format!("{expected}\n{COMMENT_BEHIND}"), "{line}");
        }
    }

    #[test]
    fn an_error_says_where_it_is() {
        let error = load_files(&[("a.conf", "port 1\n\ninclude b.conf\n"), ("b.conf", "# b\n port  x ")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.5) ***\n\
             Reading the configuration file, at line 2\n>>> 'port  x'\n\
             argument couldn't be parsed into an integer\n(in b.conf)"
        );
        let error = load_files(&[("a.conf", "include c.conf")]).unwrap_err();
        assert_eq!(error.to_string(), "Fatal error, can't open config file 'c.conf': No such file or directory");
    }

    #[test]
    fn files_include_files() {
        let files = [
            ("a.conf", "port 1\ninclude d/*\ntimeout 9\ninclude none/*\n"),
            ("d/1", "port 2\ntimeout 8"),
            ("d/2", "databases 3\nsave 1 1"),
        ];
        let config = load_files(&files).unwrap();
        assert_eq!((config.port, config.timeout, config.databases, config.save.len()), (2, 9, 3, 1));
        assert_eq!(reason("include solod.conf"), "include is nested too deep; does a file include itself?");
    }

    #[test]
    fn what_is_read_later_wins() {
        let mut files = MemoryFiles::new(&[("a.conf", "port 1\ntimeout 1\nhz 1\ndir d")]);
        files.stdin = b"port 2\ntimeout 2".to_vec();
        let sources = Sources { file: Some("a.conf".into()), stdin: true, options: b"port 3".to_vec() };
        let config = Config::load(&sources, &mut files).unwrap().config;
        assert_eq!((config.port, config.timeout, config.hz), (3, 2, 1));
        assert_eq!(config.dir, "/abs/d");
    }

    #[test]
    fn a_cluster_has_one_database() {
        let loaded = load_text(b"cluster-enabled yes").unwrap();
        assert_eq!(loaded.config.databases, 1);
        assert_eq!(loaded.warnings, ["WARNING: Changing databases number from 16 to 1 since we are in cluster mode"]);
    }

    #[test]
    fn the_file_of_a_distribution_is_understood() {
        let Ok(text) = std::fs::read("/etc/redis/redis.conf") else {
            return;
        };
        let config = load_text(&text).unwrap().config;
        let rewritten = config.rewrite(&text);
        assert_eq!(load_text(&rewritten).unwrap().config, config);
        assert_eq!(rewritten, text);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: Vec<u8>) {
            let _ = load_text(&text);
        }

        #[test]
        fn reading_a_directive_never_panics(
            directive in prop::sample::select(TABLE.iter().collect::<Vec<_>>()),
            values in prop::collection::vec("[0-9a-z%. \"-]{0,20}", 0..5),
        ) {
            let line = format!("{} {}", directive.name, values.join(" "));
            let _ = load_text(line.as_bytes());
        }
    }
}
