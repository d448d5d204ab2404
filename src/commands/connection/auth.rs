//! AUTH, and what HELLO's AUTH does too.

use crate::{
    commands::{Ctx, context::errors},
    state::Server,
};
use sha2::{Digest, Sha256};

/// The user that clients are before they say who they are, and the only one there is.
pub(super) const DEFAULT_USER: &str = "default";

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

pub(super) fn auth(ctx: &mut Ctx) {
    let (user, password) = match ctx.argc() {
        2 if !ctx.server.has_password() => {
            // Old clients are told that they have a password for a server that has none.
            return ctx.error(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            );
        }
        2 => (DEFAULT_USER.as_bytes(), ctx.arg(1)),
        3 => (ctx.arg(1), ctx.arg(2)),
        _ => return ctx.error(errors::SYNTAX),
    };
    if authenticate(ctx, user, password) {
        ctx.out.ok();
    }
}

/// Makes the client this user; `false`, and an error as the answer, when the password is not the user's.
pub(super) fn authenticate(ctx: &mut Ctx, user: &[u8], password: &[u8]) -> bool {
    let right = user == DEFAULT_USER.as_bytes() && is_password(ctx.server, password);
    if right {
        let client = ctx.client_mut();
        client.authenticated = true;
        client.user = DEFAULT_USER;
    } else {
        ctx.server.stats.auth_denied += 1;
        ctx.error(WRONG_PASSWORD);
    }
    right
}

fn is_password(server: &Server, given: &[u8]) -> bool {
    match &server.config.requirepass {
        Some(password) if !password.is_empty() => same_secret(password, given),
        _ => true,
    }
}

/// Compares without the time it takes telling how much is right: digests of equal length, all of their bytes.
fn same_secret(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    let difference = one.iter().zip(other.iter()).fold(0, |found, (a, b)| found | (a ^ b));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same_secret(b"sesame", b"sesame") && same_secret(b"", b""));
        for wrong in [&b"sesam"[..], b"sesame ", b"Sesame", b"", b"sesame\0"] {
            assert!(!same_secret(b"sesame", wrong), "{wrong:?}");
        }
    }
}
