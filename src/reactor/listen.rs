//! Listeners: several addresses, IPv6, optional ones, and the Unix socket.

use super::{daemon::group_id, socket::Socket};
pub(super) use crate::config::os_reason as reason;
use crate::{config::Config, state::client::Origin};
use mio::{
    Interest, Registry, Token,
    net::{TcpListener, UnixListener},
};
use socket2::{Domain, Protocol, SockAddr, Socket as RawSocket, Type};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{PermissionsExt, chown},
    },
};

/// Tokens from here on are listeners.
pub(super) const TOKEN_LISTENER: usize = 1 << 40;

enum Listener {
    /// By IP, and whether TLS is spoken there.
    Tcp(TcpListener, bool),
    Unix(UnixListener, String),
}

impl Listener {
    fn kind(&self) -> &'static str {
        match self {
            Self::Tcp(_, false) => "tcp",
            Self::Tcp(_, true) => "tls",
            Self::Unix(..) => "unix",
        }
    }
}

/// What the listeners of one kind were opened with.
#[derive(Default, PartialEq)]
struct Opened {
    port: u16,
    bind: Vec<String>,
}

/// The open listeners.
pub struct Listeners {
    registry: Registry,
    open: Vec<Listener>,
    /// By IP: the plain ones, and those with TLS.
    opened: [Opened; 2],
}

impl Listeners {
    /// The kinds of listeners that are open, as the log names them, in Redis's order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        ["tcp", "unix", "tls"].into_iter().filter(|kind| self.open.iter().any(|listener| listener.kind() == *kind))
    }

    /// None yet.
    pub fn new(registry: Registry) -> Self {
        Self { registry, open: Vec::new(), opened: Default::default() }
    }

    /// Opens what the settings ask for. What they ask for and is open stays so.
    pub fn open(&mut self, config: &Config) -> Result<(), String> {
        // All that is over goes first: one kind may come where the other was.
        for secure in [false, true] {
            if self.opened[usize::from(secure)] != wanted(config, secure) {
                self.shut(secure);
            }
        }
        for secure in [false, true] {
            let wanted = wanted(config, secure);
            if self.opened[usize::from(secure)] != wanted {
                self.open_kind(config, wanted, secure)?;
            }
        }
        if let Some(path) = config.unixsocket.as_deref().filter(|p| !p.is_empty())
            && !self.open.iter().any(|l| matches!(l, Listener::Unix(..)))
        {
            let listener = bind_unix(path, config.unixsocketperm, config.unixsocketgroup.as_deref())
                .and_then(|socket| {
                    socket.listen(config.tcp_backlog as i32)?;
                    socket.set_nonblocking(true)?;
                    Ok(UnixListener::from_std(OwnedFd::from(socket).into()))
                })
                .map_err(|e| {
                    log::warn!("Failed opening Unix socket: bind: {}", reason(&e));
                    format!("Could not listen on the Unix socket {path}: {}", reason(&e))
                })?;
            self.open.push(Listener::Unix(listener, path.to_owned()));
        }
        for index in 0..self.open.len() {
            self.watch(index).map_err(|e| format!("Could not watch a listener: {e}"))?;
        }
        Ok(())
    }

    /// Closes the listeners of one kind.
    fn shut(&mut self, secure: bool) {
        self.opened[usize::from(secure)] = Opened::default();
        self.open.retain_mut(|listener| match listener {
            Listener::Tcp(tcp, is_secure) if *is_secure == secure => {
                let _ = self.registry.deregister(tcp);
                false
            }
            _ => true,
        });
    }

    /// Opens the listeners of one kind, all or none.
    fn open_kind(&mut self, config: &Config, wanted: Opened, secure: bool) -> Result<(), String> {
        let mut fresh = Vec::new();
        let port = wanted.port;
        for spec in &wanted.bind {
            let optional = spec.starts_with('-');
            let name = spec.trim_start_matches('-');
            match bind(name, port, config) {
                Ok(listener) => fresh.push(Listener::Tcp(listener, secure)),
                Err(error) => {
                    let quiet = optional
                        && matches!(
                            error.raw_os_error(),
                            Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ENOPROTOOPT)
                        );
                    if !quiet {
                        log::warn!("Warning: Could not create server TCP listening socket {name}:{port}: bind: {}", reason(&error));
                    }
                    if !optional || !quiet {
                        log::error!("Failed listening on port {port} ({}), aborting.", if secure { "tls" } else { "tcp" });
                        return Err(format!("Could not listen on {name}:{port}: {}", reason(&error)));
                    }
                }
            }
        }
        self.open.append(&mut fresh);
        self.opened[usize::from(secure)] = wanted;
        Ok(())
    }

    fn watch(&mut self, index: usize) -> io::Result<()> {
        let token = Token(TOKEN_LISTENER + index);
        match &mut self.open[index] {
            Listener::Tcp(l, _) => {
                self.registry.register(l, token, Interest::READABLE).or_else(|_| self.registry.reregister(l, token, Interest::READABLE))
            }
            Listener::Unix(l, _) => {
                self.registry.register(l, token, Interest::READABLE).or_else(|_| self.registry.reregister(l, token, Interest::READABLE))
            }
        }
    }

    /// Whether nobody can come in.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Accepts one connection: its socket, where it comes from, and whether it is to speak TLS.
    pub fn accept(&self, index: usize) -> io::Result<(Socket, Origin, bool)> {
        match self.open.get(index) {
            None => Err(io::ErrorKind::WouldBlock.into()),
            Some(Listener::Tcp(listener, secure)) => {
                let (stream, addr) = listener.accept()?;
                let local = addr.ip().to_canonical().is_loopback();
                let laddr = stream.local_addr().map(plain).map(|a| a.to_string()).unwrap_or_default();
                let peer = Origin { addr: plain(addr).to_string(), laddr, fd: stream.as_raw_fd(), unix: false, local };
                Ok((Socket::Tcp(stream), peer, *secure))
            }
            Some(Listener::Unix(listener, path)) => {
                let (stream, _) = listener.accept()?;
                let name = format!("{path}:0");
                let peer = Origin { addr: name.clone(), laddr: name, fd: stream.as_raw_fd(), unix: true, local: true };
                Ok((Socket::Unix(stream), peer, false))
            }
        }
    }

    /// Closes everything, and removes the Unix socket's file; `tells`: the log says so.
    pub fn close(&mut self, tells: bool) {
        self.opened = Default::default();
        for listener in self.open.drain(..) {
            if let Listener::Unix(_, path) = listener {
                if tells {
                    log::info!("Removing the unix socket file.");
                }
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// An IPv4 address that came over an IPv6 socket is shown as what it is.
pub(super) fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// What the settings ask for of one kind.
fn wanted(config: &Config, secure: bool) -> Opened {
    match if secure { config.tls_port } else { config.port } {
        0 => Opened::default(),
        port => Opened { port, bind: config.bind.clone() },
    }
}

fn bind(name: &str, port: u16, config: &Config) -> io::Result<TcpListener> {
    let addr = match name {
        "*" => SocketAddr::new(IpAddr::from([0u8; 4]), port),
        "::*" => SocketAddr::new(IpAddr::from([0u16; 8]), port),
        _ => match name.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, port),
            Err(_) => (name, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?,
        },
    };
    let socket = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(addr))?;
    if config.socket_mark_id > 0
        && let Err(error) = socket.set_mark(config.socket_mark_id)
    {
        log::warn!("socket-mark-id {} has no effect: {}", config.socket_mark_id, reason(&error));
    }
    socket.listen(config.tcp_backlog as i32)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A socket with a path and its permissions, to which nobody can connect before it listens. No permissions at all leave it to the umask.
fn bind_unix(path: &str, permissions: u32, group: Option<&str>) -> io::Result<RawSocket> {
    let _ = fs::remove_file(path);
    let socket = RawSocket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    if let Some(group) = group.filter(|group| !group.is_empty()) {
        let id = group_id(group).ok_or_else(|| io::Error::other(format!("there is no group {group} (unixsocketgroup)")))?;
        chown(path, None, Some(id))?;
    }
    if permissions != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn nobody_comes_in_by_a_path_before_it_has_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket").into_os_string().into_string().unwrap();
        let socket = bind_unix(&path, 0o600, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        socket.listen(5).unwrap();
        UnixStream::connect(&path).unwrap();
    }
}
