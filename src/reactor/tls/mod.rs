//! TLS by rustls, between the sockets and the engine, which does not know of it.
//!
//! Settings become two contexts, ours as a server and ours as a client, which new connections take; a connection keeps those that it began with. A
//! connection has a [`Session`] beside its socket. rustls's buffered interface is used: it gathers the engine's pieces of output straight into records,
//! where the unbuffered one takes one slice for each record and copies the record once more.

mod certificate;
mod contexts;
#[cfg(any(test, fuzzing))]
mod driven;
mod files;
mod handshake;
mod reading;
mod session;
mod sessions;
mod verify;

pub use contexts::{Tls, check};
#[cfg(fuzzing)]
pub use driven::drive;
pub(super) use handshake::{Handshakes, Shaking};
pub(super) use session::Session;
