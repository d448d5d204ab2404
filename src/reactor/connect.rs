//! Connections that we make: to our primary, and to servers that keys are moved to. No step of it waits.
//!
//! A name is looked up by a thread of its own, since the system's resolver may take seconds; every address it has is tried in turn.

use super::{
    Conn, Reactor,
    listen::{plain, reason},
    socket::Socket,
};
use crate::state::{ConnId, LinkPurpose, client::Origin};
use mio::{Interest, Token, net::TcpStream};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::fd::AsRawFd,
    sync::mpsc::{Receiver, TryRecvError, channel},
};

/// Descriptors of the reserve for files that connections of ours may take: a primary is to be reached when clients have taken all the rest.
const LINKS_BEYOND: u64 = 8;

type Resolved = io::Result<VecDeque<SocketAddr>>;

enum ConnectStage {
    /// The name is being looked up.
    Resolving(Receiver<Resolved>),
    /// The connection with this key of the slab is on its way.
    Dialing(usize),
    /// It is there, and its TLS handshake is under way.
    Shaking(usize),
}

/// What an attempt is to become.
#[derive(Clone, Copy)]
struct Call {
    /// The engine's name for it.
    link: u64,
    /// The address of ours that it is to come from.
    source: Option<IpAddr>,
    /// It is to speak TLS.
    secure: bool,
}

/// An attempt that has not ended.
pub(super) struct Attempt {
    call: Call,
    stage: ConnectStage,
    /// Addresses not tried yet.
    rest: VecDeque<SocketAddr>,
}

fn resolve(host: &str, port: u16) -> Resolved {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

/// A socket on its way to `addr`.
fn dial(addr: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&addr.into()) {
        Ok(()) => (),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) || error.kind() == ErrorKind::WouldBlock => (),
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

impl Reactor {
    /// Begins to connect; the engine will hear how it ended.
    pub(super) fn connect(&mut self, link: u64, host: String, port: u16, source: Option<String>, purpose: LinkPurpose) {
        let source = match source.filter(|s| !s.is_empty()).map(|s| s.parse::<IpAddr>()) {
            None => None,
            Some(Ok(ip)) => Some(ip),
            Some(Err(_)) => return self.engine.link_failed(link, false, "bind-source-addr is not an address"),
        };
        let config = &self.engine.server.config;
        let secure = match purpose {
            LinkPurpose::Replication => config.tls_replication,
            LinkPurpose::Migration => config.tls_cluster,
        };
        let call = Call { link, source, secure };
        // These need no resolver that may have to wait.
        if host.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost") {
            return self.resolved(call, resolve(&host, port));
        }
        let (sender, receiver) = channel();
        let looked_up = std::thread::Builder::new().name("resolver".into()).spawn(move || {
            // The receiver is gone if the attempt was given up.
            let _ = sender.send(resolve(&host, port));
        });
        match looked_up {
            Ok(_) => self.attempts.push(Attempt { call, stage: ConnectStage::Resolving(receiver), rest: VecDeque::new() }),
            Err(error) => self.engine.link_failed(link, false, &reason(&error)),
        }
    }

    /// Gives an attempt up.
    pub(super) fn cancel_connect(&mut self, link: u64) {
        if let Some(index) = self.attempts.iter().position(|a| a.call.link == link)
            && let ConnectStage::Dialing(key) | ConnectStage::Shaking(key) = self.attempts.swap_remove(index).stage
        {
            self.close(key);
        }
    }

    /// The engine's name for the connection at this key, whose handshake is over: the attempt has ended. `None` if it is no attempt's.
    pub(super) fn take_attempt(&mut self, key: usize) -> Option<u64> {
        let index = self.attempts.iter().position(|a| matches!(a.stage, ConnectStage::Shaking(k) if k == key))?;
        Some(self.attempts.swap_remove(index).call.link)
    }

    /// Takes the answers of resolvers. The cron's pace is enough for them.
    pub(super) fn poll_resolvers(&mut self) {
        let mut index = 0;
        while let Some(attempt) = self.attempts.get(index) {
            let found = match &attempt.stage {
                ConnectStage::Dialing(_) | ConnectStage::Shaking(_) => None,
                ConnectStage::Resolving(receiver) => match receiver.try_recv() {
                    Ok(found) => Some(found),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => Some(Err(io::Error::other("the resolver has died"))),
                },
            };
            match found {
                None => index += 1,
                Some(found) => {
                    let attempt = self.attempts.swap_remove(index);
                    self.resolved(attempt.call, found);
                }
            }
        }
    }

    fn resolved(&mut self, call: Call, found: Resolved) {
        match found {
            Ok(rest) => self.dial_next(call, rest, io::Error::other("the name has no address")),
            Err(error) => self.engine.link_failed(call.link, false, &reason(&error)),
        }
    }

    /// Tries the next address; with none left the attempt has failed for `last`.
    fn dial_next(&mut self, call: Call, mut rest: VecDeque<SocketAddr>, mut last: io::Error) {
        if !self.make_room(LINKS_BEYOND) {
            rest.clear();
            last = io::Error::from_raw_os_error(libc::EMFILE);
        }
        while let Some(addr) = rest.pop_front() {
            let entry = self.conns.vacant_entry();
            let key = entry.key();
            let dialed = dial(addr, call.source).and_then(|stream| {
                let mut socket = Socket::Tcp(stream);
                self.poll.registry().register(&mut socket, Token(key), Interest::READABLE | Interest::WRITABLE)?;
                Ok(socket)
            });
            match dialed {
                Ok(socket) => {
                    entry.insert(Conn::new(socket));
                    return self.attempts.push(Attempt { call, stage: ConnectStage::Dialing(key), rest });
                }
                Err(error) => last = error,
            }
        }
        let refused = matches!(last.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable);
        self.engine.link_failed(call.link, refused, &reason(&last));
    }

    /// Something has happened to the socket with this key: is it one that we are connecting, and is it connected?
    pub(super) fn dialed(&mut self, key: usize) {
        let Some(index) = self.attempts.iter().position(|a| matches!(a.stage, ConnectStage::Dialing(k) if k == key)) else { return };
        let Some(Conn { socket: Socket::Tcp(stream), .. }) = self.conns.get_mut(key) else { return };
        let result = match stream.take_error() {
            Ok(None) => stream.peer_addr().map(|addr| {
                let ip = addr.ip();
                let laddr = stream.local_addr().map(|a| plain(a).to_string()).unwrap_or_default();
                let local = plain(addr).ip().is_loopback();
                (ip, Origin { addr: plain(addr).to_string(), laddr, fd: stream.as_raw_fd(), unix: false, local })
            }),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match result {
            Ok((ip, peer)) => {
                let mut attempt = self.attempts.swap_remove(index);
                if let Some(conn) = self.conns.get_mut(key) {
                    conn.socket.configure(peer.local, self.engine.server.config.tcp_keepalive);
                }
                if attempt.call.secure {
                    let session = self.tls.borrow().connect(ip);
                    match session {
                        Ok(session) => {
                            attempt.stage = ConnectStage::Shaking(key);
                            self.attempts.push(attempt);
                            self.begin_handshake(key, session, peer, true);
                        }
                        Err(error) => {
                            self.close(key);
                            self.engine.link_failed(attempt.call.link, false, &error);
                        }
                    }
                    return;
                }
                if self.engine.link_connected(attempt.call.link, ConnId(key as u32), peer) {
                    self.make_ready(key);
                } else {
                    self.close(key);
                }
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => (),
            Err(error) => {
                let attempt = self.attempts.swap_remove(index);
                self.close(key);
                self.dial_next(attempt.call, attempt.rest, error);
            }
        }
    }
}
