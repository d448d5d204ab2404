//! MONITOR: every command, as a line, to each client in MONITOR.

use super::{Engine, redact};
use crate::{
    commands::CommandId,
    config::quote_into,
    resp::{encode, request::Args},
    state::ConnId,
};

impl Engine {
    #[cold]
    pub(super) fn feed_monitors(&mut self, conn: ConnId, id: CommandId, args: Args<'_>) {
        let Some(client) = self.server.clients.get(conn).filter(|_| conn != ConnId::FILE) else { return };
        let (db, us) = (client.db, self.server.host.unix_us());
        let addr = if conn == ConnId::SCRIPT {
            "lua".to_owned()
        } else if client.origin.unix {
            format!("unix:{}", self.server.config.unixsocket.as_deref().unwrap_or_default())
        } else {
            client.origin.addr.clone()
        };
        let mut text = format!("{}.{:06} [{db} {addr}]", us / 1_000_000, us % 1_000_000).into_bytes();
        for arg in redact::redacted(self.registry.full_name(id), args) {
            text.push(b' ');
            quote_into(&mut text, arg);
        }
        let mut line = Vec::with_capacity(text.len() + 3);
        encode::simple(&mut line, &text);
        for monitor in self.server.monitors.clone() {
            if monitor == conn {
                continue;
            }
            if let Some(client) = self.server.clients.get_mut(monitor) {
                client.out.raw(&line);
            }
            self.server.mark_dirty(monitor);
            self.server.limit_output(monitor);
        }
    }
}
