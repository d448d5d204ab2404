//! CONFIG GET and CONFIG SET.

use std::fmt;

use super::choices::ProtectedAction;
use super::directive::Flags;
use super::table::{Config, Directive, DirectiveId, TABLE, lookup};

/// What CONFIG SET must know beyond its arguments.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetContext {
    /// A dataset is being loaded.
    pub loading: bool,
    /// The client is connected over loopback or the Unix socket.
    pub local: bool,
}

/// Why CONFIG SET changed nothing; displayed as the error reply, without its `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    Loading,
    Unknown { name: String },
    Failed { name: String, reason: String },
}

impl SetError {
    /// The error for a value that is right but could not be put into effect.
    pub fn not_applied(directive: DirectiveId, reason: impl Into<String>) -> SetError {
        SetError::Failed { name: directive.directive().name.into(), reason: reason.into() }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Loading => {
                write!(formatter, "LOADING Redis is loading the dataset in memory")
            }
            SetError::Unknown { name } => {
                write!(formatter, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Failed { name, reason } => {
                write!(formatter, "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

/// The directive that CONFIG knows by `name`, and the spelling of the name or alias it matched.
fn lookup_runtime(name: &[u8]) -> Option<(&'static Directive, &'static str)> {
    let directive = lookup(name).filter(|directive| !directive.flags.contains(Flags::FILE_ONLY))?;
    let matched = directive.names().find(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
    Some((directive, matched))
}

/// Whether the value of the directive called `name` must not be logged or shown to other clients.
pub fn is_secret(name: &[u8]) -> bool {
    lookup(name).is_some_and(|directive| directive.flags.contains(Flags::SECRET))
}

/// Bytes that a backlog has at least once its size has been set.
const REPL_BACKLOG_MIN: u64 = 16 << 10;

impl Config {
    /// The directives that any of `patterns` finds, as CONFIG GET replies: name and value, in the order of the table.
    ///
    /// A pattern without `*`, `?` and `[` is a name and is echoed as it was spelled. `matches` is a glob matcher,
    /// called with a pattern and a name in lower case.
    pub fn get(&self, patterns: &[&[u8]], matches: fn(pattern: &[u8], name: &[u8]) -> bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let is_glob = |pattern: &[u8]| pattern.iter().any(|byte| b"*?[".contains(byte));
        let lowered: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
        let mut found = Vec::new();
        for directive in TABLE.iter().filter(|directive| !directive.flags.contains(Flags::FILE_ONLY)) {
            for name in directive.names() {
                let hidden = is_hidden(directive, name);
                let name = name.as_bytes();
                let hit = patterns.iter().zip(&lowered).find_map(|(pattern, lowered)| {
                    if is_glob(pattern) {
                        (!hidden && matches(lowered, name)).then_some(name)
                    } else {
                        (lowered == name).then_some(*pattern)
                    }
                });
                if let Some(spelled) = hit {
                    found.push((spelled.to_vec(), directive.show(self)));
                }
            }
        }
        found
    }

    /// CONFIG SET: takes all of `pairs`, names and values, or none. Says which directives changed, so that they can be
    /// put into effect; when that fails, assign a clone made before and report [`SetError::not_applied`].
    pub fn set_many(&mut self, pairs: &[(&[u8], &[u8])], context: SetContext) -> Result<Vec<DirectiveId>, SetError> {
        let chosen = self.check_settable(pairs, context)?;
        let mut new = self.clone();
        for ((directive, matched), (_, value)) in chosen.iter().zip(pairs) {
            let failed = |reason| SetError::Failed { name: matched.to_string(), reason };
            set_one(&mut new, directive, value).map_err(failed)?;
            if let Some(reason) = new.refusal(directive) {
                return Err(failed(reason.into()));
            }
        }
        new.clamp();
        let mut changed = Vec::new();
        for (directive, _) in chosen {
            let is_changed = directive.flags.contains(Flags::VOLATILE) || !(directive.same)(self, &new);
            if is_changed && !changed.contains(&directive.id) {
                changed.push(directive.id);
            }
        }
        // As in Redis, a smaller size that was there at start stays until it is set to another one.
        if changed.contains(&DirectiveId::repl_backlog_size) {
            new.repl_backlog_size = new.repl_backlog_size.max(REPL_BACKLOG_MIN);
        }
        *self = new;
        Ok(changed)
    }

    /// The directives that `pairs` name, if each may be set now. The first that may not decides the error.
    fn check_settable(&self, pairs: &[(&[u8], &[u8])], context: SetContext) -> Result<Vec<(&'static Directive, &'static str)>, SetError> {
        let mut chosen: Vec<(&Directive, &str)> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let given = String::from_utf8_lossy(name).into_owned();
            let Some((directive, matched)) = lookup_runtime(name) else {
                return Err(SetError::Unknown { name: given });
            };
            let refuse = |reason: &str| Err(SetError::Failed { name: given.clone(), reason: reason.into() });
            if directive.flags.contains(Flags::IMMUTABLE) {
                return refuse("can't set immutable config");
            }
            if directive.flags.contains(Flags::PROTECTED) && !self.allows_protected(context) {
                return refuse("can't set protected config");
            }
            if directive.flags.contains(Flags::DENY_LOADING) && context.loading {
                return Err(SetError::Loading);
            }
            // A name and its alias together are not a duplicate for Redis: the later one wins.
            if chosen.iter().any(|(_, known)| *known == matched) {
                return refuse("duplicate parameter");
            }
            chosen.push((directive, matched));
        }
        Ok(chosen)
    }

    fn allows_protected(&self, context: SetContext) -> bool {
        match self.enable_protected_configs {
            ProtectedAction::No => false,
            ProtectedAction::Yes => true,
            ProtectedAction::Local => context.local,
        }
    }
}

fn is_hidden(directive: &Directive, name: &str) -> bool {
    let hidden_alias = directive.flags.contains(Flags::HIDDEN_ALIAS) && Some(name) == directive.alias;
    hidden_alias || directive.flags.contains(Flags::HIDDEN)
}

/// CONFIG SET has one argument for a list; it is split at every single blank, and nothing is quoted.
fn set_one(config: &mut Config, directive: &Directive, value: &[u8]) -> Result<(), String> {
    if !directive.kind.takes_words() {
        return directive.assign(config, &[value]);
    }
    let words: Vec<&[u8]> = if value.is_empty() { Vec::new() } else { value.split(|byte| *byte == b' ').collect() };
    directive.assign(config, &words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SavePoint, arbitrary};
    use proptest::prelude::*;

    /// A matcher that knows a `*` at the end, which is all these tests need.
    fn matches(pattern: &[u8], name: &[u8]) -> bool {
        pattern.strip_suffix(b"*").is_some_and(|prefix| name.starts_with(prefix))
    }

    fn get(config: &Config, patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let pairs = config.get(&patterns, matches);
        pairs.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
    }

    fn set_in(config: &mut Config, pairs: &[(&str, &str)], context: SetContext) -> Result<Vec<DirectiveId>, String> {
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        config.set_many(&pairs, context).map_err(|error| error.to_string())
    }

    fn set(config: &mut Config, pairs: &[(&str, &str)]) -> Result<Vec<DirectiveId>, String> {
        set_in(config, pairs, SetContext::default())
    }

    #[test]
    fn values_are_shown_as_redis_shows_them() {
        let config = Config::default();
        for (name, value) in [
            ("save", "3600 1 300 100 60 10000"),
            ("bind", "* -::*"),
            ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
            ("maxmemory-policy", "noeviction"),
            ("repl-backlog-size", "1048576"),
            ("maxmemory-clients", "0"),
            ("unixsocketperm", "0"),
            ("oom-score-adj", "no"),
            ("oom-score-adj-values", "0 200 800"),
            ("notify-keyspace-events", ""),
            ("latency-tracking-info-percentiles", "50 99 99.9"),
            ("shutdown-on-sigint", "default"),
            ("replicaof", ""),
            ("proc-title-template", "{title} {listen-addr} {server-mode}"),
            ("requirepass", ""),
            ("appendonly", "no"),
        ] {
            assert_eq!(get(&config, &[name]), [format!("{name}={value}")]);
        }
    }

    #[test]
    fn patterns_find_names_and_aliases_once() {
        let config = Config::default();
        assert_eq!(get(&config, &["repl-ping-*"]), ["repl-ping-replica-period=10", "repl-ping-slave-period=10"]);
        assert_eq!(get(&config, &["SLAVE-PRI*", "slave-priority"]), ["slave-priority=100"]);
        assert_eq!(get(&config, &["MaxMemory", "maxmemory-p*"]), ["MaxMemory=0", "maxmemory-policy=noeviction"]);
        assert_eq!(get(&config, &["nosuch", "nosuch*", "user", "include*"]), [""; 0]);
    }

    #[test]
    fn hidden_names_are_found_exactly() {
        let config = Config::default();
        assert_eq!(get(&config, &["watchdog-*"]), [""; 0]);
        assert_eq!(get(&config, &["watchdog-period"]), ["watchdog-period=0"]);
        assert_eq!(get(&config, &["file*"]), [""; 0]);
        assert_eq!(get(&config, &["filename"]), ["filename=dump.rdb"]);
    }

    #[test]
    fn setting_says_what_changed() {
        let mut config = Config::default();
        let changed = set(&mut config, &[("maxmemory", "1mb"), ("timeout", "0"), ("Slave-Priority", "5")]);
        assert_eq!(changed, Ok(vec![DirectiveId::maxmemory, DirectiveId::replica_priority]));
        assert_eq!((config.maxmemory, config.replica_priority), (1 << 20, 5));
        assert_eq!(set(&mut config, &[("tls-cert-file", "")]), Ok(vec![DirectiveId::tls_cert_file]));
        assert_eq!(set(&mut config, &[("hz", "0")]), Ok(vec![DirectiveId::hz]));
        assert_eq!(config.hz, 1);
        let both = set(&mut config, &[("slave-priority", "1"), ("replica-priority", "2")]);
        assert_eq!((both, config.replica_priority), (Ok(vec![DirectiveId::replica_priority]), 2));
    }

    #[test]
    fn a_list_is_one_argument() {
        let mut config = Config::default();
        assert!(set(&mut config, &[("save", "60 1 20 2")]).is_ok());
        assert_eq!(config.save, [SavePoint { seconds: 60, changes: 1 }, SavePoint { seconds: 20, changes: 2 }]);
        assert!(set(&mut config, &[("save", "")]).is_ok());
        assert_eq!(config.save, []);
        assert!(set(&mut config, &[("bind", "")]).is_ok());
        assert_eq!(config.bind, [""; 0]);
        assert!(set(&mut config, &[("shutdown-on-sigint", "now force")]).is_ok());
        assert_eq!(get(&config, &["shutdown-on-sigint"]), ["shutdown-on-sigint=now force"]);
        assert!(set(&mut config, &[("client-output-buffer-limit", "pubsub 1kb 0 0")]).is_ok());
        assert!(get(&config, &["client-output-buffer-limit"])[0].ends_with("67108864 60 pubsub 1024 0 0"));
        assert!(set(&mut config, &[("notify-keyspace-events", "KEAn")]).is_ok());
        assert_eq!(get(&config, &["notify-keyspace-events"]), ["notify-keyspace-events=AKE"]);
        assert!(set(&mut config, &[("notify-keyspace-events", "xKmn$")]).is_ok());
        assert_eq!(get(&config, &["notify-keyspace-events"]), ["notify-keyspace-events=$xnKm"]);
        assert!(set(&mut config, &[("latency-tracking-info-percentiles", "50 99.12345678 100")]).is_ok());
        assert_eq!(get(&config, &["latency-tracking-info-percentiles"]), ["latency-tracking-info-percentiles=50 99.123457 100"]);
    }

    #[test]
    fn errors_are_redis_own() {
        let failed = |name: &str, reason: &str| format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        let choices = "argument(s) must be one of the following: ";
        for (pairs, expected) in [
            (&[("nosuch", "1")][..], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'".into()),
            (&[("user", "x")], "ERR Unknown option or number of arguments for CONFIG SET - 'user'".into()),
            (&[("maxmemory", "-1")], failed("maxmemory", "argument must be a memory value")),
            (&[("maxmemory-clients", "5x")], failed("maxmemory-clients", "argument must be a memory or percent value")),
            (&[("maxmemory-clients", "101%")], failed("maxmemory-clients", "percentage argument must be less or equal to 100")),
            (&[("timeout", "-1")], failed("timeout", "argument must be between 0 and 2147483647 inclusive")),
            (&[("timeout", "05")], failed("timeout", "argument couldn't be parsed into an integer")),
            (&[("slave-priority", "-1")], failed("slave-priority", "argument must be between 0 and 2147483647 inclusive")),
            (&[("appendonly", "1")], failed("appendonly", "argument must be 'yes' or 'no'")),
            (&[("DaemonIze", "yes")], failed("DaemonIze", "can't set immutable config")),
            (&[("dir", "/"), ("nosuch", "1")], failed("dir", "can't set protected config")),
            (&[("maxmemory", "1"), ("MAXMEMORY", "2")], failed("MAXMEMORY", "duplicate parameter")),
            (&[("appendfsync", "x")], failed("appendfsync", &format!("{choices}everysec, always, no"))),
            (&[("shutdown-on-sigint", "")], failed("shutdown-on-sigint", &format!("{choices}default, save, nosave, now, force"))),
            (
                &[("shutdown-on-sigint", "save nosave")],
                failed("shutdown-on-sigint", "shutdown options SAVE and NOSAVE can't be used simultaneously"),
            ),
            (&[("save", "60 1  20 1")], failed("save", "Invalid save parameters")),
            (
                &[("proc-title-template", "{nope}")],
                failed("proc-title-template", "template format is invalid or contains unknown variables"),
            ),
            (
                &[("cluster-announce-hostname", "a b")],
                failed("cluster-announce-hostname", "Hostnames may only contain alphanumeric characters, hyphens or dots"),
            ),
            (&[("repl-backlog-size", "0")], failed("repl-backlog-size", "argument must be between 1 and 9223372036854775807 inclusive")),
        ] {
            assert_eq!(set(&mut Config::default(), pairs), Err(expected), "{pairs:?}");
        }
        let not_applied = SetError::not_applied(DirectiveId::port, "Unable to listen on this port. Check server logs.");
        assert_eq!(not_applied.to_string(), failed("port", "Unable to listen on this port. Check server logs."));
    }

    #[test]
    fn all_or_nothing_is_set() {
        let mut config = Config::default();
        assert!(set(&mut config, &[("maxmemory", "1mb"), ("timeout", "x")]).is_err());
        assert_eq!(config, Config::default());
    }

    #[test]
    fn protected_directives_need_permission() {
        let local = SetContext { local: true, loading: false };
        let mut config = Config { enable_protected_configs: ProtectedAction::Local, ..Config::default() };
        assert!(set(&mut config, &[("dbfilename", "x")]).is_err());
        assert!(set_in(&mut config, &[("dbfilename", "x")], local).is_ok());
        config.enable_protected_configs = ProtectedAction::Yes;
        assert!(set(&mut config, &[("filename", "y")]).is_ok());
        assert_eq!(config.dbfilename, "y");
    }

    #[test]
    fn some_directives_wait_for_the_dataset() {
        let loading = SetContext { loading: true, local: false };
        let refused = set_in(&mut Config::default(), &[("appendonly", "yes")], loading);
        assert_eq!(refused, Err("LOADING Redis is loading the dataset in memory".into()));
        assert!(set_in(&mut Config::default(), &[("maxmemory", "1")], loading).is_ok());
    }

    #[test]
    fn secrets_are_known_and_not_printed() {
        assert!(is_secret(b"REQUIREPASS") && is_secret(b"masterauth") && !is_secret(b"port"));
        let config = Config { requirepass: Some(b"hunter2".to_vec()), port: 1, ..Config::default() };
        assert_eq!(format!("{config:?}"), r#"{"port": "1", "requirepass": "(redacted)"}"#);
    }

    proptest! {
        #[test]
        fn what_get_shows_set_accepts(config in arbitrary::config()) {
            for directive in TABLE {
                let is_settable = ![Flags::IMMUTABLE, Flags::FILE_ONLY]
                    .iter()
                    .any(|flag| directive.flags.contains(*flag));
                // CONFIG GET rounds these, or does not quote blanks, or CONFIG SET raises what is small.
                let is_exact = !matches!(
                    directive.id,
                    DirectiveId::notify_keyspace_events
                        | DirectiveId::latency_tracking_info_percentiles
                        | DirectiveId::bind
                        | DirectiveId::repl_backlog_size
                );
                if is_settable && is_exact && config.refusal(directive).is_none() {
                    let mut other = Config { enable_protected_configs: ProtectedAction::Yes, ..Config::default() };
                    let value = directive.show(&config);
                    prop_assert!(other.set_many(&[(directive.name.as_bytes(), &value)], SetContext::default()).is_ok());
                    prop_assert!((directive.same)(&other, &config), "{}", directive.name);
                }
            }
        }
    }
}
