//! The configuration: the table of directives, and all that is derived from it.
//!
//! [`table`](TABLE) lists every directive once. From it come [`Config`], a struct with a plain field for each; reading
//! configuration files ([`Config::load`]) and the command line ([`cli`]); CONFIG GET, SET and REWRITE
//! ([`Config::get`], [`Config::set_many`], [`Config::rewrite`]); and the manual ([`markdown`]).
//!
//! The room knows what a value may be, not what it does: directives of features that are not there are parsed, checked
//! and kept. It does no I/O; files are read by an [`Environment`]. Behaviour, error texts and defaults follow Redis 7.2.
//!
//! ```
//! use solod::config::{Config, SetContext};
//!
//! let mut config = Config::default();
//! assert_eq!(config.maxclients, 10_000);
//! let context = SetContext { loading: false, local: true };
//! config.set_many(&[(b"maxclients", b"5000")], context).unwrap();
//! assert_eq!(config.maxclients, 5000);
//! assert!(config.set_many(&[(b"maxclients", b"many")], context).is_err());
//! ```

#[cfg(test)]
mod arbitrary;
mod bits;
mod checks;
mod choices;
pub mod cli;
mod directive;
mod docs;
mod lists;
mod load;
mod number;
mod privacy;
mod reading;
mod rewrite;
mod runtime;
mod scalar;
mod support;
mod table;
mod tls;
mod unsupported;
mod value;
pub mod words;

pub use bits::{NotifyFlags, ShutdownOnSignal};
pub use checks::expand_title;
pub use choices::*;
pub use directive::{DirectiveRow, Flags};
pub use docs::markdown;
pub use lists::{ClientClass, Endpoint, OutputLimit, RenamedCommand, SavePoint};
pub use load::{Environment, LoadError, Loaded, Sources, os_reason};
pub(crate) use number::parse_memory;
pub use privacy::{UserData, hide_user_data};
pub use runtime::{SetContext, SetError, is_secret};
pub use scalar::MemoryOrPercent;
pub use support::Support;
pub use table::{Config, Directive, DirectiveId, TABLE, lookup};
pub use tls::{TLS12_CIPHERS, TLS13_CIPHERS, TlsVersions, tls12_ciphers, tls13_ciphers};
pub use value::{Notation, ValueKind};
pub use words::{quote, quote_into, split_args};

/// The version of Redis whose behaviour we promise; clients read it in INFO and HELLO.
pub const REDIS_VERSION: &str = "7.2.5";
