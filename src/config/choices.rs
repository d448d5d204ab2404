//! The directives whose value is one of a few names, each a Rust enum.

use super::value::{Setting, ValueKind, c_string, not_among, only_word};

/// Declares enums whose variants carry the names they are written as. The first name of a variant is the one that is
/// shown; names are refused or listed in the order given here, which is Redis's.
macro_rules! choices {
    ($(
        $(#[$attribute:meta])*
        $type:ident { $( $(#[$variant_attribute:meta])* $variant:ident = $first:literal $(| $other:literal)* ),+ $(,)? }
    )*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $( $(#[$variant_attribute])* $variant ),+ }

        impl $type {
            /// Every accepted name, in the order error messages list them.
            pub const NAMES: &[&str] = &[$( $first $(, $other)* ),+];

            /// The variant that `word` names, in any case.
            pub fn named(word: &[u8]) -> Option<$type> {
                $(
                    if [$first $(, $other)*].iter().any(|name| name.as_bytes().eq_ignore_ascii_case(word)) {
                        return Some($type::$variant);
                    }
                )+
                None
            }

            /// The name CONFIG GET shows.
            pub fn name(self) -> &'static str {
                match self { $( $type::$variant => $first ),+ }
            }
        }

        impl Setting for $type {
            fn assign(&mut self, words: &[&[u8]], _: &ValueKind) -> Result<(), String> {
                *self = $type::named(c_string(only_word(words)?)).ok_or_else(|| not_among($type::NAMES))?;
                Ok(())
            }

            fn show(&self, _: &ValueKind) -> Vec<u8> {
                self.name().into()
            }
        }
    )*};
}

choices! {
    /// Which keys are evicted when memory is short.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        VolatileLrm = "volatile-lrm",
        AllkeysLrm = "allkeys-lrm",
        NoEviction = "noeviction",
    }

    SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }

    /// The least important message that is still logged.
    LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }

    /// How a line of the log is written.
    LogFormat {
        Legacy = "legacy",
        Logfmt = "logfmt",
        Json = "json",
    }

    /// How the log writes the time.
    LogTimestampFormat {
        Legacy = "legacy",
        Iso8601 = "iso8601",
        Milliseconds = "milliseconds",
    }

    /// Whether RDB files of later versions are tried.
    RdbVersionCheck {
        Strict = "strict",
        Relaxed = "relaxed",
    }

    /// Whether a node of a cluster ends when it cannot write what it knows.
    ClusterConfigSave {
        Sync = "sync",
        BestEffort = "best-effort",
    }

    /// The service manager that is told when the server is ready.
    Supervised {
        Upstart = "upstart",
        Systemd = "systemd",
        Auto = "auto",
        No = "no",
    }

    /// When the append-only file is forced to disk.
    #[derive(Default)]
    AppendFsync {
        #[default]
        EverySecond = "everysec",
        Always = "always",
        No = "no",
    }

    /// When a replica may load a snapshot straight from its primary's socket.
    ReplDisklessLoad {
        Disabled = "disabled",
        OnEmptyDb = "on-empty-db",
        SwapDb = "swapdb",
    }

    /// Whether a TLS client must show a certificate.
    TlsAuthClients {
        No = "no",
        Yes = "yes",
        Optional = "optional",
    }

    /// By which name in its certificate a TLS client is a user.
    TlsAuthClientsUser {
        Off = "off",
        CommonName = "CN",
        Uri = "URI",
    }

    OomScoreAdj {
        No = "no",
        /// The values are added to the score we were started with.
        Relative = "yes" | "relative",
        /// The values replace it.
        Absolute = "absolute",
    }

    /// The channels a new ACL user may use.
    AclPubsubDefault {
        AllChannels = "allchannels",
        ResetChannels = "resetchannels",
    }

    /// Whose serialized values are checked in depth before they are used.
    SanitizeDumpPayload {
        No = "no",
        Yes = "yes",
        /// Values from clients, not those of a file or of the primary.
        Clients = "clients",
    }

    /// The highest version of the RDB format that is written: those that are, and no limit.
    RdbVersionMax {
        NoLimit = "0",
        Ten = "10",
        Eleven = "11",
        Twelve = "12",
    }

    /// Which clients may use a dangerous command or directive.
    ProtectedAction {
        No = "no",
        Yes = "yes",
        /// From a loopback or Unix socket connection.
        Local = "local",
    }

    /// What a redirection tells a cluster client to connect to.
    ClusterEndpointType {
        Ip = "ip",
        Hostname = "hostname",
        UnknownEndpoint = "unknown-endpoint",
    }

    /// What to do when a command that came from the primary or the AOF fails.
    PropagationErrorBehavior {
        Ignore = "ignore",
        Panic = "panic",
        PanicOnReplicas = "panic-on-replicas",
    }
}

impl RdbVersionMax {
    /// The version that none may be above.
    pub fn version(self) -> u32 {
        match self {
            Self::NoLimit => u32::MAX,
            Self::Ten => 10,
            Self::Eleven => 11,
            Self::Twelve => 12,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_matched_in_any_case_and_shown_by_its_first_name() {
        assert_eq!(OomScoreAdj::named(b"RELATIVE"), Some(OomScoreAdj::Relative));
        assert_eq!(OomScoreAdj::Relative.name(), "yes");
        assert_eq!(OomScoreAdj::named(b"maybe"), None);
    }

    #[test]
    fn a_wrong_choice_is_told_the_right_ones() {
        let mut level = LogLevel::Notice;
        let refused = level.assign(&[b"loud"], &ValueKind::Choice(LogLevel::NAMES));
        assert_eq!(refused, Err("argument(s) must be one of the following: debug, verbose, notice, warning, nothing".into()));
        assert_eq!(level, LogLevel::Notice);
    }
}
