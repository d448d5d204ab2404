//! What a change of role means.

use super::Server;
use crate::{
    config::{DirectiveId, Endpoint},
    keyspace::ExpireMode,
    replication::replica::{Upstream, UpstreamPhase},
    state::{action::Action, conn_id::ConnId},
};

/// Clients that wait would wait for what a replica does not do.
const ROLE_CHANGED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

impl Server {
    /// Lets go of the primary and of the link to it.
    fn leave_primary(&mut self) -> Option<Upstream> {
        let upstream = self.replication.upstream.take()?;
        if let UpstreamPhase::Connecting = upstream.phase {
            self.actions.push_back(Action::CancelConnect { link: upstream.attempt });
        }
        if let Some(conn) = upstream.conn {
            self.close(ConnId(conn), false);
        }
        Some(upstream)
    }

    /// Makes us a replica of this primary. What we have stays until the primary says that it needs more than what we lack.
    pub fn follow(&mut self, host: String, port: u16) {
        self.interrupt_migration();
        let now = self.mono_ms;
        let mut upstream = match self.leave_primary() {
            Some(old) => {
                let mut new = Upstream::new(host, port, old.resumable, now);
                (new.db, new.down_since) = (old.db, old.down_since);
                if old.is_online() {
                    new.down_since = Some(self.unix_seconds());
                }
                new
            }
            None => {
                log::info!(
                    "Before turning into a replica, using my own master parameters to synthesize a cached master: \
                 I may be able to synchronize with the new master with just a partial transfer."
                );
                self.unblock_all(ROLE_CHANGED);
                Upstream::new(host, port, true, now)
            }
        };
        upstream.failover = false;
        self.config.replicaof = Some(Endpoint { host: upstream.host.clone(), port });
        self.score_role();
        self.keyspace.expire_mode = ExpireMode::Hide;
        self.replication.log.set_proxied(true);
        self.replication.upstream = Some(upstream);
        self.count_good_replicas();
    }

    /// Makes us a primary, whose history goes on from the one we followed.
    pub fn promote(&mut self) {
        let Some(upstream) = self.leave_primary() else { return };
        let id = self.rng.hex();
        if upstream.resumable {
            self.replication.branch_off(id);
            if let Some((before, up_to)) = &self.replication.id2 {
                log::info!(
                    "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
                    String::from_utf8_lossy(before),
                    up_to + 1,
                    String::from_utf8_lossy(&id)
                );
            }
        } else {
            // What we have is nobody's: a snapshot that did not come, or none at all.
            self.replication.change_id(id);
        }
        self.close_replicas();
        self.replication.log.set_proxied(false);
        self.replication.log.forget_db();
        self.replication.alone_since_ms = self.mono_ms;
        self.keyspace.expire_mode = ExpireMode::Delete;
        self.config.replicaof = None;
        self.score_role();
        self.count_good_replicas();
        self.restart_aof_as_primary();
    }

    /// The kernel's score of this process is another for a replica (`oom-score-adj-values`). What cannot be set the log tells.
    fn score_role(&mut self) {
        let _ = self.host.apply(&self.config, DirectiveId::oom_score_adj);
    }
}
