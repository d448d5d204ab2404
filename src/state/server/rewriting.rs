//! CONFIG REWRITE begins, goes on with what the disk answers, and ends.

use super::Server;
use crate::state::{
    client::{Blocked, ReplyMode},
    conn_id::ConnId,
    disk::{DiskDone, DiskJob, Done, Lane},
    rewriting::Rewriting,
};

/// Bytes of a configuration file that are read; one that is longer is none of ours.
const FILE_BYTES_MAX: usize = 16 << 20;

impl Server {
    /// Begins to rewrite the configuration file. The client waits until it is on the disk.
    pub fn begin_config_rewrite(&mut self, conn: ConnId, command: u16, path: String) {
        let file = self.next_file(Lane::Prompt);
        let Some(client) = self.clients.get_mut(conn) else { return };
        client.blocked = Some(Blocked::Rewrite);
        let client = (conn, client.id, client.reply == ReplyMode::On);
        self.note_users();
        self.ask_disk(DiskJob::Open { file, path: path.clone() });
        self.rewrites.push(Rewriting { file, path, client, command });
    }

    /// Whether an answer of the disk was for a CONFIG REWRITE, which takes note of it.
    pub fn rewrite_answered(&mut self, done: &DiskDone) -> bool {
        let Some(at) = self.rewrites.iter().position(|rewrite| rewrite.file == done.file) else { return false };
        let (file, path) = (done.file, self.rewrites[at].path.clone());
        match &done.result {
            Ok(Done::Opened(Some(size))) => {
                let bytes = usize::try_from(*size).map_or(FILE_BYTES_MAX, |size| size.saturating_add(1).min(FILE_BYTES_MAX));
                self.ask_disk(DiskJob::Read { file, bytes });
                self.ask_disk(DiskJob::Abort { file });
            }
            // One that has been removed is written anew.
            Ok(Done::Opened(None)) => self.ask_disk(DiskJob::Replace { file, path, bytes: self.config.rewrite(b"").into() }),
            Ok(Done::Read(old)) if old.len() < FILE_BYTES_MAX => {
                self.ask_disk(DiskJob::Replace { file, path, bytes: self.config.rewrite(old).into() });
            }
            Ok(Done::Read(_)) => self.end_config_rewrite(at, Err("File too large")),
            Ok(Done::Replaced) => self.end_config_rewrite(at, Ok(())),
            Ok(_) => (),
            Err(reason) => self.end_config_rewrite(at, Err(reason)),
        }
        true
    }

    fn end_config_rewrite(&mut self, at: usize, result: Result<(), &str>) {
        let Rewriting { client: (conn, id, is_heard), command, .. } = self.rewrites.remove(at);
        let error = result.err().map(|reason| format!("ERR Rewriting config file: {reason}"));
        match result {
            Ok(()) => log::info!("CONFIG REWRITE executed with success."),
            Err(reason) => log::warn!("CONFIG REWRITE failed: {reason}"),
        }
        if let Some(text) = &error {
            self.count_error(text.as_bytes());
            if let Some(counters) = self.stats.by_command.get_mut(usize::from(command)) {
                counters.failed += 1;
            }
        }
        // It may be gone, and another one in its place.
        let Some(client) = self.clients.get_mut(conn).filter(|client| client.id == id) else { return };
        client.blocked = None;
        match error {
            _ if !is_heard => (),
            Some(text) => client.out.error(text),
            None => client.out.ok(),
        }
        self.blocking.released.push(conn);
        self.mark_dirty(conn);
    }
}
