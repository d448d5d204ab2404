//! A connected socket of either family.

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpStream, UnixStream},
};
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, IoSlice, Read, Write},
    time::Duration,
};

/// A connected socket.
pub enum Socket {
    /// Over IP.
    Tcp(TcpStream),
    /// On this machine.
    Unix(UnixStream),
}

impl Socket {
    /// No delay for small replies, and probes for dead peers every `keepalive_seconds` (0: none). To a `local` peer nothing is congested: the
    /// simplest control does, and spares the kernel the pacing and the estimates that are the default of some systems.
    pub fn configure(&mut self, local: bool, keepalive_seconds: u32) {
        let Self::Tcp(stream) = self else { return };
        // Neither is worth refusing a client for.
        let _ = stream.set_nodelay(true);
        if local {
            let _ = SockRef::from(&*stream).set_tcp_congestion(b"reno");
        }
        if keepalive_seconds > 0 {
            let each = Duration::from_secs(u64::from((keepalive_seconds / 3).max(1)));
            let probes =
                TcpKeepalive::new().with_time(Duration::from_secs(u64::from(keepalive_seconds))).with_interval(each).with_retries(3);
            let _ = SockRef::from(&*stream).set_tcp_keepalive(&probes);
        }
    }

    /// Reads once.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(into),
            Self::Unix(s) => s.read(into),
        }
    }

    /// Writes once.
    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, pieces) {
            // A plain write costs the kernel less than a vector of one.
            (Self::Tcp(s), [one]) => s.write(one),
            (Self::Unix(s), [one]) => s.write(one),
            (Self::Tcp(s), many) => s.write_vectored(many),
            (Self::Unix(s), many) => s.write_vectored(many),
        }
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.register(registry, token, interests),
            Self::Unix(s) => s.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.reregister(registry, token, interests),
            Self::Unix(s) => s.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(s) => s.deregister(registry),
            Self::Unix(s) => s.deregister(registry),
        }
    }
}
