//! What is wrong with the bytes of a request.

#[cfg(doc)]
use super::limits::INLINE_LIMIT;
use std::fmt;

/// Why a request cannot be: the connection is closed after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline line longer than [`INLINE_LIMIT`].
    InlineTooBig,
    /// A quote that does not end, in an inline line.
    UnbalancedQuotes,
    /// A `*` line longer than [`INLINE_LIMIT`].
    CountTooBig,
    /// A `$` line longer than [`INLINE_LIMIT`].
    BulkCountTooBig,
    /// Not a number, or more arguments than allowed.
    InvalidMultibulkLength,
    /// Something else where an argument's `$` should be.
    ExpectedDollar(u8),
    /// Not a number, or an argument longer than allowed.
    InvalidBulkLength,
    /// One request that takes more bytes than can be parsed as one.
    RequestTooBig,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulk,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulk,
}

impl ProtocolError {
    /// The error's text, which may quote any byte, without `ERR `.
    pub fn text(self) -> Vec<u8> {
        let what: &[u8] = match self {
            Self::InlineTooBig => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::CountTooBig => b"too big mbulk count string",
            Self::BulkCountTooBig => b"too big bulk count string",
            Self::InvalidMultibulkLength => b"invalid multibulk length",
            Self::ExpectedDollar(got) => &[b"expected '$', got '", &[got][..], b"'"].concat(),
            Self::InvalidBulkLength => b"invalid bulk length",
            Self::RequestTooBig => b"too big request",
            Self::UnauthenticatedMultibulk => b"unauthenticated multibulk length",
            Self::UnauthenticatedBulk => b"unauthenticated bulk length",
        };
        [b"Protocol error: ", what].concat()
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}
