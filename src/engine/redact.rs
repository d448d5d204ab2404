//! Secret arguments, which no log may show.

use crate::{commands::migrate, config, resp::request::Args};

const REDACTED: &[u8] = b"(redacted)";

/// The arguments of a command, by its full name, with what is secret replaced.
pub(super) fn redacted<'a>(command: &str, args: Args<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> {
    let hidden = hidden(command, args);
    args.iter().enumerate().map(move |(i, arg)| if hidden.contains(&i) { REDACTED } else { arg })
}

/// Indices of the secrets: passwords of AUTH, HELLO and MIGRATE, all of a user's rules, and the values of secret settings.
fn hidden(command: &str, args: Args<'_>) -> Vec<usize> {
    match command {
        "auth" => (1..args.len()).collect(),
        "acl|setuser" => (2..args.len()).collect(),
        "hello" => {
            let auth = (2..args.len()).find(|i| args.get(*i).eq_ignore_ascii_case(b"auth"));
            auth.map_or_else(Vec::new, |i| vec![i + 1, i + 2])
        }
        "migrate" => migrate::secrets(&args),
        "config|set" => (2..args.len()).step_by(2).filter(|i| config::is_secret(args.get(*i))).map(|i| i + 1).collect(),
        _ => Vec::new(),
    }
}
