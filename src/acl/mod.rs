//! Who may do what: users, their rules, and the log of refusals. Knows no client, and runs no command; which commands there are it is told by a
//! [`CommandNames`].
//!
//! A [`User`] has passwords and one or more [`Selector`]s: sets of rules for commands, keys, channels and databases. A request is allowed if one of the selectors allows
//! all of it. Rules are compiled when they are set: what is asked for each command is a bit, and for each key the patterns.

pub mod log;
mod named;
mod password;
mod rules;
mod selector;
#[cfg(test)]
mod tests;
mod user;
mod users;

pub use log::{Context, Log, Reason, Refusal};
pub use named::{CategoryNames, CommandNames};
pub use password::{PasswordHash, password};
pub use rules::RuleError;
pub use selector::{ACCESS_READ, ACCESS_WRITE, Denied, Request, Selector};
pub use user::User;
pub use users::{DEFAULT, UserId, Users, UsersError};
