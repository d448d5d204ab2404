//! MONITOR: every command, as a line, to those who asked.

use super::Engine;
use crate::{commands::registry::CommandId, config::is_secret, resp::request::Args, state::ConnId};

impl Engine {
    /// Comes after the command, so SELECT shows the database it has chosen.
    pub(super) fn feed_monitors(&mut self, conn: ConnId, args: Args<'_>) {
        let Some(client) = self.server.clients.get(conn) else { return };
        let db = client.db;
        let us = self.server.host.unix_us();
        let addr = if client.peer.unix {
            format!("unix:{}", self.server.config.unixsocket.as_deref().unwrap_or_default())
        } else {
            client.peer.addr.clone()
        };
        let mut line = format!("+{}.{:06} [{db} {addr}]", us / 1_000_000, us % 1_000_000).into_bytes();
        let hidden = self.hidden_args(args);
        for (i, arg) in args.iter().enumerate() {
            line.push(b' ');
            if hidden.contains(&i) {
                line.extend_from_slice(b"\"(redacted)\"");
            } else {
                quote(&mut line, arg);
            }
        }
        line.extend_from_slice(b"\r\n");
        for monitor in self.server.monitors.clone() {
            if monitor == conn {
                continue;
            }
            if let Some(client) = self.server.clients.get_mut(monitor) {
                client.out.raw(&line);
            }
            self.server.mark_dirty(monitor);
            self.limit_output(monitor);
        }
    }

    /// Arguments that are secrets and shown to nobody: AUTH's, HELLO's behind AUTH, and the values of settings that are passwords.
    pub(super) fn hidden_args(&self, args: Args<'_>) -> Vec<usize> {
        let id: Option<CommandId> = self.registry.find(args.get(0));
        match id.map(|id| self.registry.get(id).name) {
            Some("auth") => (1..args.len()).collect(),
            Some("hello") => {
                (2..args.len()).find(|i| args.get(*i).eq_ignore_ascii_case(b"auth")).map_or_else(Vec::new, |i| vec![i + 1, i + 2])
            }
            Some("config") if args.get(1).eq_ignore_ascii_case(b"set") => {
                (2..args.len()).step_by(2).filter(|i| is_secret(args.get(*i))).map(|i| i + 1).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Appends `bytes` in quotes, with everything unprintable escaped.
fn quote(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            0x07 => line.extend_from_slice(b"\\a"),
            0x08 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => line.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    line.push(b'"');
}
