//! What is too much: for any request, and for one from a client that has not authenticated.

/// An argument of at least this many bytes may travel in a buffer of its own.
pub const BIG_ARG: usize = 32 * 1024;
/// The longest inline request and the longest header line, in bytes.
pub const INLINE_LIMIT: usize = 64 * 1024;
/// Most arguments of a request.
pub(super) const MULTIBULK_MAX: i64 = i32::MAX as i64;
/// Most arguments, and longest argument in bytes, before a client has authenticated.
pub(super) const UNAUTHENTICATED_ARGS: i64 = 10;
pub(super) const UNAUTHENTICATED_BULK: i64 = 16384;
/// Most bytes that are parsed as one piece, so that any place in them has 32 bits: the longest request, but for its big arguments.
pub const PIECE_MAX: usize = u32::MAX as usize;

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Longest argument in bytes (`proto-max-bulk-len`).
    pub bulk_max: i64,
    /// Whether the client may send requests of full size.
    pub authenticated: bool,
}
