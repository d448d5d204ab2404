//! A shutdown begins, waits, ends the process or fails.

use super::Server;
use crate::{
    replication::primary::FollowerPhase,
    state::{
        action::Action,
        aof::AofPhase,
        client::{Blocked, ReplyMode},
        conn_id::ConnId,
        shutdown::{SHUTDOWN_FAILED, Shutdown, ShutdownState, Shutting},
    },
};

impl Server {
    /// Ends the process: first replicas that lag behind get `shutdown-timeout` to catch up, then the data is saved, if that is asked for or configured.
    pub fn shut_down(&mut self, how: Shutdown) -> Shutting {
        if self.shutdown.is_some() {
            return Shutting::Waits;
        }
        log::info!("User requested shutdown...");
        self.interrupt_migration();
        // Half of what a script has done nobody acknowledges, and nobody is to wait for it.
        let (offset, timeout_ms) = (self.replication.log.whole_end(), u64::from(self.config.shutdown_timeout) * 1000);
        let waits = !how.now && timeout_ms > 0 && self.is_a_replica_behind(offset);
        let until_ms = waits.then(|| self.mono_ms + timeout_ms);
        self.shutdown = Some(ShutdownState { how, offset, until_ms, asked_by: Vec::new() });
        if waits {
            log::info!("Waiting for replicas before shutting down.");
            self.followers.ask = true;
            return Shutting::Waits;
        }
        self.finish_shutdown()
    }

    /// Makes a client that has said SHUTDOWN wait for what comes of it.
    pub fn wait_for_shutdown(&mut self, conn: ConnId) {
        if let Some(shutdown) = &mut self.shutdown
            && let Some(client) = self.clients.get_mut(conn)
        {
            client.blocked = Some(Blocked::Shutdown);
            shutdown.asked_by.push(conn);
        }
    }

    /// Takes the shutdown under way further, when its replicas or its time have come.
    pub fn go_on_shutting_down(&mut self) {
        let Some(ShutdownState { offset, until_ms: Some(until_ms), .. }) = self.shutdown else { return };
        if (self.mono_ms >= until_ms || !self.is_a_replica_behind(offset)) && self.finish_shutdown() == Shutting::Failed {
            log::debug!("The shutdown came to nothing");
        }
    }

    /// Calls the shutdown under way off. `false`: there is none.
    pub fn abort_shutdown(&mut self) -> bool {
        // A signal's, that the cron has not come to yet, counts too.
        let asked = self.shutdown_asked.take().is_some();
        if self.shutdown.is_none() && !asked {
            return false;
        }
        self.cancel_shutdown();
        log::info!("Shutdown manually aborted.");
        true
    }

    /// As in Redis it is the offset alone that counts: where nothing has been written, nobody is behind, though a snapshot may be on its way.
    fn is_a_replica_behind(&self, offset: u64) -> bool {
        self.replica_links().any(|(_, link)| link.acked_offset < offset)
    }

    fn finish_shutdown(&mut self) -> Shutting {
        let Some(ShutdownState { how, offset, until_ms, .. }) = &mut self.shutdown else { return Shutting::Failed };
        // Writes stay held back until the process ends: what would be done now would be lost.
        *until_ms = None;
        let (how, offset) = (*how, *offset);
        self.log_replicas(offset);
        if self.persistence.saving.is_some() {
            if !self.is_saving_nothing() {
                log::warn!("There is a background save under way. Giving it up!");
            }
            self.end_saving();
        }
        if !self.end_aof_rewrite_at_exit(how.force) || !self.aof_ends(how) {
            log::warn!("Errors trying to shut down the server. Check the logs for more information.");
            self.cancel_shutdown();
            return Shutting::Failed;
        }
        // What is loaded by half must not take the place of the whole.
        let nosave = how.nosave || self.loading.is_some();
        if !nosave && (how.save || !self.config.save.is_empty()) {
            log::info!("Saving the final RDB snapshot before exiting.");
            if !self.save_now() {
                if self.host.is_end_urgent() {
                    log::warn!("The end was asked for again: ending at once, without the snapshot.");
                    self.actions.push_back(Action::Exit(1));
                    return Shutting::Down;
                }
                if !how.force {
                    log::warn!("Error trying to save the DB, can't exit.");
                    log::warn!("Errors trying to shut down the server. Check the logs for more information.");
                    self.cancel_shutdown();
                    return Shutting::Failed;
                }
                log::warn!("Error trying to save the DB. Exit anyway.");
            }
        }
        self.actions.push_back(Action::Exit(0));
        Shutting::Down
    }

    /// Has the append-only file on the disk to its end. `false`: it is not, and that is a reason to go on serving: somebody may make room.
    fn aof_ends(&mut self, how: Shutdown) -> bool {
        if self.aof.writer.is_none() {
            return true;
        }
        if self.aof.phase == AofPhase::Waiting {
            // What there is of it holds only a part of the data.
            match how.force {
                true => log::warn!("Writing initial AOF. Exit anyway."),
                false => log::warn!("Writing initial AOF, can't exit."),
            }
            return how.force;
        }
        log::info!("Calling fsync() on the AOF file.");
        if self.aof_flush_now() || how.force || how.nosave {
            return true;
        }
        log::warn!("Error trying to write the AOF file, can't exit.");
        false
    }

    fn log_replicas(&self, offset: u64) {
        let (mut replicas, mut in_sync) = (0, 0);
        for (client, link) in self.replica_links() {
            replicas += 1;
            if link.acked_offset >= offset {
                in_sync += 1;
                continue;
            }
            let online = matches!(link.phase, FollowerPhase::Online { .. });
            log::info!(
                "Lagging replica {} reported offset {} behind master, lag={}, state={}.",
                client.replica_name(),
                offset.saturating_sub(link.acked_offset),
                if online { self.mono_ms.saturating_sub(client.active_ms) / 1000 } else { 0 },
                link.phase.name().unwrap_or("handshake")
            );
        }
        if replicas > 0 {
            log::info!("{in_sync} of {replicas} replicas are in sync when shutting down.");
        }
    }

    /// Lets writes go on, and tells those who asked.
    fn cancel_shutdown(&mut self) {
        let Some(shutdown) = self.shutdown.take() else { return };
        for conn in shutdown.asked_by {
            let Some(client) = self.clients.get_mut(conn).filter(|client| client.blocked == Some(Blocked::Shutdown)) else { continue };
            client.blocked = None;
            if client.reply == ReplyMode::On {
                client.out.error(SHUTDOWN_FAILED);
            }
            self.count_error(SHUTDOWN_FAILED.as_bytes());
            self.followers.released.push(conn);
            self.mark_dirty(conn);
        }
    }
}
