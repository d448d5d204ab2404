//! The link to our primary: connecting, synchronisation, the stream of writes, reconnecting. [`Handshake`] knows the protocol; here is what it
//! means for us.

use super::{Engine, spool::Arriving};
use crate::{
    keyspace::ExpireMode,
    replication::{
        ReplId,
        replica::{Handshake, Heard, Offer, Refusal, Upstream, UpstreamPhase},
    },
    resp::encode,
    state::{Action, Client, ConnId, LinkPurpose, Peer, client::Origin},
};

/// Milliseconds between attempts to reach the primary, and between acknowledgements.
const EACH_MS: u64 = 1000;
/// Milliseconds after a synchronisation in which every cron acknowledges.
const SETTLING_MS: u64 = 1000;

impl Engine {
    /// Begins as a replica if the settings say so.
    pub(super) fn follow_configured(&mut self) {
        if let Some(primary) = self.server.config.replicaof.clone() {
            let server = &mut self.server;
            server.keyspace.expire_mode = ExpireMode::Hide;
            server.replication.log.set_proxied(true);
            server.replication.upstream = Some(Upstream::new(primary.host, primary.port, false, server.mono_ms));
        }
    }

    /// What a turn has to do for the link: a new attempt when it is due, and an acknowledgement when it is wanted.
    #[inline]
    pub(super) fn upstream_turn(&mut self) {
        if self.server.replication.upstream.is_some() || self.arriving.is_some() {
            self.serve_upstream();
        }
    }

    fn serve_upstream(&mut self) {
        let now = self.server.mono_ms;
        if self.arriving.is_some() && !self.server.replication.upstream.as_ref().is_some_and(Upstream::is_in_transfer) {
            self.give_up_load();
        }
        if std::mem::take(&mut self.server.replication.ack_wanted) {
            self.acknowledge();
        }
        // Data from our own disk comes first: it may be what the primary can go on from.
        if self.server.loading.is_none()
            && let Some(upstream) = self.server.replication.upstream.as_mut()
            && upstream.is_due(now)
        {
            log::info!("Connecting to MASTER {}:{}", upstream.host, upstream.port);
            upstream.phase = UpstreamPhase::Connecting;
            upstream.heard_ms = now;
            let source = self.server.config.bind_source_addr.clone();
            let (host, port) = (upstream.host.clone(), upstream.port);
            let link = self.server.dial(LinkPurpose::Replication, host, port, source);
            if let Some(upstream) = self.server.replication.upstream.as_mut() {
                upstream.attempt = link;
            }
            log::info!("MASTER <-> REPLICA sync started");
        }
    }

    /// Milliseconds until the link needs a turn.
    pub(super) fn upstream_sleep_ms(&self) -> u64 {
        match &self.server.replication.upstream {
            Some(upstream) if matches!(upstream.phase, UpstreamPhase::Waiting) && self.server.loading.is_none() => {
                upstream.retry_at_ms.saturating_sub(self.server.mono_ms)
            }
            _ if self.server.replication.ack_wanted || self.arriving.is_some() && self.server.replication.upstream.is_none() => 0,
            _ => u64::MAX,
        }
    }

    /// Whether our primary is to be told that we are alive.
    pub(super) fn is_upstream_beat_due(&self) -> bool {
        self.server.mono_ms >= self.upstream_beat_ms
    }

    /// Timeouts, and once a second an acknowledgement or a newline.
    pub(super) fn upstream_cron(&mut self) {
        let now = self.server.mono_ms;
        let timeout_ms = u64::from(self.server.config.repl_timeout) * 1000;
        let second = now >= self.upstream_beat_ms;
        if second {
            self.upstream_beat_ms = now + EACH_MS;
        }
        let Some(upstream) = &self.server.replication.upstream else { return };
        // While we do not read, silence says nothing about the primary.
        let held = self.held_input.is_some() || upstream.conn.is_some_and(|conn| !self.wants_input(ConnId(conn)));
        let silent = !held && now.saturating_sub(upstream.heard_ms) > timeout_ms;
        match &upstream.phase {
            UpstreamPhase::Waiting => (),
            UpstreamPhase::Connecting if silent => {
                log::warn!("Timeout connecting to the MASTER...");
                let link = upstream.attempt;
                self.server.actions.push_back(Action::CancelConnect { link });
                self.lose_link(now);
            }
            UpstreamPhase::Connecting => (),
            UpstreamPhase::Handshake(h) if silent => {
                match h.is_transfer() {
                    true => log::warn!(
                        "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value."
                    ),
                    false => log::warn!("Timeout connecting to the MASTER..."),
                }
                self.lose_link(now);
            }
            // It keeps the primary from timing out during a long load.
            UpstreamPhase::Handshake(_) | UpstreamPhase::Loading if second && upstream.is_in_transfer() => self.say_upstream(b"\n"),
            UpstreamPhase::Handshake(_) | UpstreamPhase::Loading => (),
            UpstreamPhase::Online if silent => {
                log::warn!("MASTER timeout: no data nor PING received...");
                self.lose_link(now);
            }
            // A primary that has streamed its snapshot waits for an acknowledgement, and may not have been ready for the first.
            UpstreamPhase::Online if second || now.saturating_sub(upstream.online_ms) < SETTLING_MS => self.acknowledge(),
            UpstreamPhase::Online => (),
        }
    }

    /// The connection to our primary that was asked for has been made. `false`: it is no longer wanted.
    pub(super) fn upstream_connected(&mut self, link: u64, conn: ConnId, origin: Origin) -> bool {
        let offer = self.offer();
        let server = &mut self.server;
        let Some(upstream) = server.replication.upstream.as_mut() else { return false };
        if upstream.attempt != link || !matches!(upstream.phase, UpstreamPhase::Connecting) {
            return false;
        }
        log::info!("Non blocking connect for SYNC fired the event.");
        let mut client = Client::new(server.next_client_id, origin, server.mono_ms, true);
        server.next_client_id += 1;
        client.peer = Peer::Primary;
        server.clients.insert(conn, client);
        let mut out = Vec::new();
        upstream.phase = UpstreamPhase::Handshake(Handshake::begin(offer, &mut out));
        upstream.conn = Some(conn.0);
        upstream.heard_ms = server.mono_ms;
        self.say_upstream(&out);
        true
    }

    /// The connection to our primary that was asked for could not be made, for this reason.
    pub(super) fn upstream_failed(&mut self, link: u64, reason: &str) {
        let now = self.server.mono_ms;
        if let Some(upstream) = self.server.replication.upstream.as_ref()
            && upstream.attempt == link
            && matches!(upstream.phase, UpstreamPhase::Connecting)
        {
            log::warn!("Error condition on socket for SYNC: {reason}");
            self.lose_link(now + EACH_MS);
        }
    }

    /// What the handshake tells the primary of us.
    fn offer(&self) -> Offer {
        let (config, replication) = (&self.server.config, &self.server.replication);
        let upstream = replication.upstream.as_ref();
        let port = match config.replica_announce_port {
            0 if config.tls_replication && config.tls_port != 0 => config.tls_port,
            0 => config.port,
            port => port,
        };
        Offer {
            user: config.masteruser.clone().filter(|u| !u.is_empty()),
            password: config.masterauth.clone().filter(|p| !p.is_empty()),
            port,
            ip: config.replica_announce_ip.clone().filter(|ip| !ip.is_empty()),
            resume: upstream.is_some_and(|u| u.resumable).then(|| (replication.id, replication.log.end() + 1)),
            failover: upstream.is_some_and(|u| u.failover),
        }
    }

    /// Bytes of our primary's connection.
    #[cold]
    pub(super) fn receive_upstream(&mut self, conn: ConnId, mut bytes: &[u8]) {
        let now = self.server.mono_ms;
        self.server.stats.net_repl_in += bytes.len() as u64;
        loop {
            let Some(upstream) = self.server.replication.upstream.as_mut().filter(|u| u.conn == Some(conn.0)) else { return };
            upstream.heard_ms = now;
            let UpstreamPhase::Handshake(handshake) = &mut upstream.phase else { break };
            let mut out = Vec::new();
            let found = handshake.advance(&mut bytes, &mut out);
            self.say_upstream(&out);
            let went = match found {
                Ok(None) => return,
                Ok(Some(Heard::Payload(payload))) => self.load(payload).map(|left| {
                    if let Some(left) = left {
                        bytes = &payload[payload.len() - left..];
                    }
                }),
                Ok(Some(found)) => self.advance_upstream(found),
                Err(refusal) => {
                    self.refused(&refusal);
                    return;
                }
            };
            if let Err(reason) = went {
                log::warn!("MASTER <-> REPLICA sync failed: {reason}");
                self.retry_link();
                return;
            }
        }
        match &mut self.arriving {
            Some(Arriving::Spooled(spool)) => spool.keep_rest(bytes),
            _ if !bytes.is_empty() => self.apply(conn, bytes),
            _ => (),
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        log::warn!("{refusal}");
        self.retry_link();
        if self.server.replication.upstream.as_ref().is_some_and(|u| u.failover) {
            self.server.abort_failover("Failover target rejected psync request");
        }
    }

    fn advance_upstream(&mut self, found: Heard<'_>) -> Result<(), String> {
        match found {
            Heard::Full { id, offset } => {
                match &id {
                    Some(id) => log::info!("Full resync from master: {}:{offset}", String::from_utf8_lossy(id)),
                    None => log::info!("Full resync from a master without offsets"),
                }
                self.end_failover();
                if let Some(upstream) = self.server.replication.upstream.as_mut() {
                    upstream.acknowledges = id.is_some();
                    upstream.promised = Some((id, offset));
                }
                Ok(())
            }
            Heard::Partial(id) => self.resume_history(id),
            Heard::Snapshot(form) => {
                self.begin_load(form);
                Ok(())
            }
            Heard::Synced => self.transferred(),
            Heard::Payload(_) => Ok(()),
        }
    }

    /// The primary accepts a partial resynchronisation.
    fn resume_history(&mut self, id: Option<ReplId>) -> Result<(), String> {
        let Some(upstream) = self.server.replication.upstream.as_mut() else { return Ok(()) };
        if !upstream.resumable {
            return Err("the primary goes on with a history that we did not ask for".into());
        }
        upstream.acknowledges = true;
        log::info!("Successful partial resynchronization with master.");
        let replication = &mut self.server.replication;
        if let Some(id) = id
            && id != replication.id
        {
            log::info!("Master replication ID changed to {}", String::from_utf8_lossy(&id));
            replication.branch_off(id);
            self.server.close_replicas();
        }
        self.end_failover();
        self.go_online();
        log::info!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
        Ok(())
    }

    /// From here on the connection carries the stream of writes.
    pub(super) fn go_online(&mut self) {
        self.applying = Default::default();
        let server = &mut self.server;
        let Some(upstream) = server.replication.upstream.as_mut() else { return };
        upstream.phase = UpstreamPhase::Online;
        upstream.online_ms = server.mono_ms;
        upstream.down_since = None;
        upstream.resumable = true;
        upstream.unapplied = 0;
        let (conn, db) = (upstream.conn, upstream.db);
        if let Some(client) = conn.and_then(|c| server.clients.get_mut(ConnId(c))) {
            client.db = db;
        }
        server.replication.log.set_proxied(true);
        server.replication.log.open_backlog();
        server.replication.log.set_db(Some(db));
        server.aof_select();
        if server.replication.upstream.as_ref().is_some_and(|u| u.acknowledges) {
            self.acknowledge();
        }
    }

    /// Gives the link up; the next attempt is a little later.
    pub(super) fn retry_link(&mut self) {
        let retry_at = self.server.mono_ms + EACH_MS;
        self.lose_link(retry_at);
    }

    /// Gives the link up, whatever its state; the next attempt is at `retry_at_ms`.
    pub(super) fn lose_link(&mut self, retry_at_ms: u64) {
        self.give_up_load();
        let server = &mut self.server;
        let seconds = server.unix_seconds();
        let Some(upstream) = server.replication.upstream.as_mut() else { return };
        if upstream.is_online() {
            upstream.down_since = Some(seconds);
        }
        let conn = upstream.conn;
        upstream.unlink(retry_at_ms);
        if let Some(conn) = conn {
            server.close(ConnId(conn), false);
        }
    }

    /// A connection is gone: was it our primary's?
    pub(super) fn upstream_gone(&mut self, conn: ConnId) {
        let now = self.server.mono_ms;
        let Some(upstream) = self.server.replication.upstream.as_mut().filter(|u| u.conn == Some(conn.0)) else { return };
        if let UpstreamPhase::Loading = upstream.phase {
            // The snapshot is complete. Writes since then come again after the partial resynchronisation.
            log::warn!("Connection with master lost while its snapshot is being loaded.");
            upstream.conn = None;
            self.held_input = None;
            return;
        }
        // At once, since the primary's backlog is limited; but not in a busy loop.
        let at_once = upstream.is_online() && now.saturating_sub(upstream.online_ms) >= EACH_MS;
        if upstream.is_online() {
            log::warn!("Connection with master lost.");
            log::info!("Caching the disconnected master state.");
        } else {
            log::warn!("I/O error trying to sync with MASTER: connection lost");
        }
        self.lose_link(if at_once { now } else { now + EACH_MS });
    }

    /// Sends bytes to the primary.
    fn say_upstream(&mut self, bytes: &[u8]) {
        let conn = self.server.replication.upstream.as_ref().and_then(|u| u.conn).map(ConnId);
        if let Some(conn) = conn.filter(|_| !bytes.is_empty())
            && let Some(client) = self.server.clients.get_mut(conn)
        {
            client.out.raw(bytes);
            self.server.mark_dirty(conn);
        }
    }

    /// Tells the primary how far we are.
    fn acknowledge(&mut self) {
        let replication = &self.server.replication;
        if !replication.upstream.as_ref().is_some_and(|u| u.is_online() && u.acknowledges) {
            return;
        }
        let (end, mut request) = (replication.log.end(), Vec::new());
        let offset = end.to_string();
        match self.server.aof_synced_offset() {
            None => encode::request(&mut request, &[b"REPLCONF", b"ACK", offset.as_bytes()]),
            Some(synced) => {
                encode::request(&mut request, &[b"REPLCONF", b"ACK", offset.as_bytes(), b"FACK", synced.to_string().as_bytes()]);
                self.server.aof.owes_ack = synced < end;
            }
        }
        self.say_upstream(&request);
    }

    /// A failover has reached its end: the target has taken over, and we are its replica.
    fn end_failover(&mut self) {
        if let Some(upstream) = self.server.replication.upstream.as_mut()
            && std::mem::take(&mut upstream.failover)
        {
            self.server.replication.failover = None;
        }
    }

    pub(super) fn failover_cron(&mut self) {
        if self.server.replication.failover.is_some() {
            self.server.advance_failover();
        }
    }
}
