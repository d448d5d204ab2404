//! A failover: writes wait until a replica has everything, then it becomes the primary and we its replica.

use super::Server;
use crate::{
    keyspace::ExpireMode,
    replication::failover::{Failover, FailoverRequest, FailoverStep},
    state::client::Client,
};

/// The address by which a replica is known: what it says, or what it comes from.
fn address(client: &Client) -> Option<(&str, i64)> {
    let link = client.peer.replica().filter(|_| !client.monitor)?;
    let host = link.address.as_deref().or_else(|| client.origin.addr.rsplit_once(':').map(|(host, _)| host))?;
    Some((host.trim_start_matches('[').trim_end_matches(']'), link.listening_port))
}

impl Server {
    /// The replica that is known by this address.
    fn replica_at(&self, host: &str, port: i64) -> Option<&Client> {
        self.clients.iter().map(|(_, c)| c).find(|c| address(c).is_some_and(|(h, p)| p == port && h.eq_ignore_ascii_case(host)))
    }

    /// Whether a replica has all of the log.
    fn is_in_step(&self, client: &Client) -> bool {
        client.peer.replica().is_some_and(|link| link.has(self.replication.log.end()))
    }

    /// Begins a failover. The error is what the client is told.
    pub fn begin_failover(&mut self, request: FailoverRequest) -> Result<(), &'static str> {
        if self.replication.failover.is_some() {
            return Err("ERR FAILOVER already in progress.");
        }
        if self.replication.upstream.is_some() {
            return Err("ERR FAILOVER is not valid when server is a replica.");
        }
        if !self.clients.iter().any(|(_, c)| address(c).is_some()) {
            return Err("ERR FAILOVER requires connected replicas.");
        }
        if request.force && (request.timeout_ms.is_none() || request.target.is_none()) {
            return Err("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
        }
        let mut target = None;
        if let Some((host, port)) = request.target {
            match self.replica_at(&host, port) {
                None => return Err("ERR FAILOVER target HOST and PORT is not a replica."),
                Some(client) if !client.peer.replica().is_some_and(|link| link.is_online()) => {
                    return Err("ERR FAILOVER target replica is not online.");
                }
                Some(_) => target = u16::try_from(port).ok().map(|port| (host, port)),
            }
        }
        match &target {
            Some((host, port)) => log::info!("FAILOVER requested to {host}:{port}."),
            None => log::info!("FAILOVER requested to any replica."),
        }
        // What it deletes must be in the log before replicas are waited for.
        self.interrupt_migration();
        let until_ms = request.timeout_ms.map(|ms| self.unix_ms().saturating_add(ms));
        self.replication.failover = Some(Failover { step: FailoverStep::WaitForSync, target, until_ms, force: request.force });
        // No key may expire meanwhile either: that would be one more write.
        self.keyspace.expire_mode = ExpireMode::Hide;
        Ok(())
    }

    /// Takes the failover further when the target has caught up or the time is over. Must be called regularly.
    pub fn advance_failover(&mut self) {
        let Some(failover) = self.replication.failover.clone().filter(|f| f.step == FailoverStep::WaitForSync) else { return };
        if failover.until_ms.is_some_and(|until| until <= self.unix_ms()) {
            match failover.target {
                Some((host, port)) if failover.force => {
                    log::info!("FAILOVER to {host}:{port} time out exceeded, failing over.");
                    self.hand_over(host, port);
                }
                _ => self.abort_failover("Replica never caught up before timeout"),
            }
            return;
        }
        let in_step = match &failover.target {
            Some((host, port)) => self.replica_at(host, i64::from(*port)).filter(|client| self.is_in_step(client)),
            None => self.clients.iter().map(|(_, c)| c).find(|client| self.is_in_step(client)),
        };
        if let Some((host, port)) = in_step.and_then(address)
            && let Ok(port) = u16::try_from(port)
        {
            let host = host.to_owned();
            log::info!("Failover target {host}:{port} is synced, failing over.");
            self.hand_over(host, port);
        }
    }

    fn hand_over(&mut self, host: String, port: u16) {
        if let Some(failover) = self.replication.failover.as_mut() {
            failover.step = FailoverStep::InProgress;
            failover.target = Some((host.clone(), port));
        }
        self.follow(host, port);
        if let Some(upstream) = self.replication.upstream.as_mut() {
            upstream.failover = true;
        }
    }

    /// Gives a failover up. If we are the target's replica already, we are a primary again.
    pub fn abort_failover(&mut self, reason: &str) {
        let Some(failover) = self.replication.failover.take() else { return };
        match &failover.target {
            Some((host, port)) => log::info!("FAILOVER to {host}:{port} aborted: {reason}"),
            None => log::info!("FAILOVER to any replica aborted: {reason}"),
        }
        match failover.step {
            FailoverStep::InProgress => self.promote(),
            FailoverStep::WaitForSync => self.keyspace.expire_mode = ExpireMode::Delete,
        }
    }
}
