//! A snapshot of our primary that may not take the old data's place before it is whole: it is kept in a file until then, and loaded from there.
//!
//! Until that load begins nothing is given up. The old data is served, our own replicas go on following, and we can still go on from where we
//! are: with the primary before this one, with this one should the snapshot never end, or as a primary.
//!
//! The file loses its name as soon as it is open: nothing is left behind, even after a crash.

use super::{Engine, loading::Loader};
use crate::{
    replication::replica::UpstreamPhase,
    state::{
        Action, ConnId,
        disk::{DiskDone, DiskJob, Done, FileId, Lane},
    },
};
use memchr::memmem;

/// Bytes of the mark that ends a snapshot.
const MARK: usize = 40;
/// Bytes handed to the disk at a time.
const APPEND_BYTES: usize = 128 * 1024;
/// Bytes on their way to the disk at which no more are read from the primary.
const IN_FLIGHT_MAX: usize = 8 << 20;

/// The snapshot that our primary is sending.
pub(super) enum Arriving {
    /// It is loaded as it comes.
    Straight(Box<Loader>),
    /// It is kept until it is whole.
    Spooled(Spool),
}

/// A snapshot in a file.
pub(super) struct Spool {
    path: String,
    /// The file, as it is written.
    written: FileId,
    /// The same one, as it is read.
    read: FileId,
    /// The mark that ends the snapshot, unless its length does.
    mark: Option<[u8; MARK]>,
    /// What the disk has not been handed yet.
    gathered: Vec<u8>,
    /// Bytes that the disk has been asked to write and has not answered for.
    in_flight: usize,
    /// It is open for reading.
    is_open: bool,
    /// All of it has come.
    is_whole: bool,
    /// What came behind it.
    rest: Vec<u8>,
}

impl Spool {
    /// Takes what has come. If that is all, how much of it lies behind the mark.
    fn gather(&mut self, payload: &[u8]) -> Option<usize> {
        // The mark may begin in earlier bytes.
        let from = self.gathered.len().saturating_sub(MARK - 1);
        self.gathered.extend_from_slice(payload);
        let mark = self.mark.as_ref()?;
        let end = from + memmem::find(&self.gathered[from..], mark)?;
        let behind = self.gathered.len() - end - mark.len();
        self.gathered.truncate(end);
        self.is_whole = true;
        Some(behind)
    }

    /// What the disk is to be handed now. What may be the beginning of the mark is not.
    fn take_ready(&mut self) -> Option<Vec<u8>> {
        let kept = if self.is_whole || self.mark.is_none() { 0 } else { MARK - 1 };
        let ready = self.gathered.len().saturating_sub(kept);
        if ready < if self.is_whole { 1 } else { APPEND_BYTES } {
            return None;
        }
        let rest = self.gathered.split_off(ready);
        self.in_flight += ready;
        Some(std::mem::replace(&mut self.gathered, rest))
    }

    /// Keeps what came behind the snapshot until that is loaded.
    pub(super) fn keep_rest(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }
}

impl Engine {
    /// A snapshot begins that ends with this mark, or when the handshake says so.
    pub(super) fn begin_spool(&mut self, mark: Option<[u8; MARK]>) {
        let server = &mut self.server;
        let path = format!("temp-{}.{}.rdb", server.unix_seconds(), server.host.pid());
        let (written, read, removal) = (server.next_file(Lane::Bulk), server.next_file(Lane::Bulk), server.next_file(Lane::Bulk));
        server.ask_disk(DiskJob::Create { file: written, path: path.clone(), sync_every: 0 });
        server.ask_disk(DiskJob::Open { file: read, path: path.clone() });
        server.ask_disk(DiskJob::Remove { file: removal, path: path.clone() });
        self.arriving = Some(Arriving::Spooled(Spool {
            path,
            written,
            read,
            mark,
            gathered: Vec::new(),
            in_flight: 0,
            is_open: false,
            is_whole: false,
            rest: Vec::new(),
        }));
    }

    /// Bytes of the snapshot. Where it ends, how many of them lie behind its mark.
    pub(super) fn spool(&mut self, payload: &[u8]) -> Option<usize> {
        let Some(Arriving::Spooled(spool)) = &mut self.arriving else { return None };
        let upstream = self.server.replication.upstream.as_mut()?;
        let behind = spool.gather(payload);
        upstream.transfer.read += payload.len() as u64;
        match (behind, &mut upstream.phase) {
            (Some(behind), UpstreamPhase::Handshake(handshake)) => {
                upstream.transfer.read -= (behind + MARK) as u64;
                handshake.mark_found();
            }
            _ => self.hand_over(),
        }
        behind
    }

    /// Hands full pieces to the disk, and stops reading from the primary while too much is in flight.
    fn hand_over(&mut self) {
        let Some(Arriving::Spooled(spool)) = &mut self.arriving else { return };
        let file = spool.written;
        if let Some(piece) = spool.take_ready() {
            self.server.ask_disk(DiskJob::Append { file, pieces: vec![piece.into()] });
        }
        if spool.in_flight >= IN_FLIGHT_MAX || spool.is_whole {
            self.held_input = self.server.replication.upstream.as_ref().and_then(|u| u.conn).map(ConnId);
        }
    }

    /// Reads on from the primary.
    fn release_input(&mut self) {
        if let Some(conn) = self.held_input.take() {
            if let Some(upstream) = self.server.replication.upstream.as_mut() {
                upstream.heard_ms = self.server.mono_ms;
            }
            self.server.actions.push_back(Action::Read(conn));
        }
    }

    /// All of the snapshot has come. It is loaded when all of it is written.
    pub(super) fn load_spooled(&mut self, mut spool: Spool) {
        spool.is_whole = true;
        if let Some(upstream) = self.server.replication.upstream.as_mut() {
            upstream.phase = UpstreamPhase::Loading;
        }
        self.arriving = Some(Arriving::Spooled(spool));
        self.hand_over();
        self.load_written();
    }

    fn load_written(&mut self) {
        let Some(Arriving::Spooled(spool)) = &self.arriving else { return };
        if spool.is_whole && spool.is_open && spool.in_flight == 0 {
            let (read, path) = (spool.read, spool.path.clone());
            let size = self.server.replication.upstream.as_ref().map(|u| u.transfer.read);
            let loader = self.sync_loader(size);
            self.load_sync(read, path, loader);
        }
    }

    /// Takes an answer of the disk if it is for the snapshot's file. Whether it was.
    pub(super) fn spool_answered(&mut self, done: &DiskDone) -> bool {
        let Some(Arriving::Spooled(spool)) = &mut self.arriving else { return false };
        if done.file != spool.written && done.file != spool.read {
            return false;
        }
        match &done.result {
            Ok(Done::Opened(Some(_))) => spool.is_open = true,
            Ok(Done::Appended(bytes)) => spool.in_flight -= (*bytes as usize).min(spool.in_flight),
            Ok(Done::Created) => (),
            Ok(_) => return self.spool_failed("it is not there"),
            Err(reason) => return self.spool_failed(reason),
        }
        if spool.is_whole {
            self.load_written();
        } else if spool.in_flight < IN_FLIGHT_MAX {
            self.release_input();
        }
        true
    }

    fn spool_failed(&mut self, reason: &str) -> bool {
        let Some(Arriving::Spooled(spool)) = &self.arriving else { return false };
        let (path, dir) = (&spool.path, &self.server.config.dir);
        log::warn!(
            "Write error or short write writing to the DB dump file {path} (in server root dir {dir}) needed for MASTER <-> REPLICA \
             synchronization: {reason}"
        );
        self.retry_link();
        true
    }

    /// The snapshot is loaded: the link goes on, or a new one is to be made.
    pub(super) fn end_spool(&mut self, loader: &mut Loader) {
        let Some(Arriving::Spooled(spool)) = self.arriving.take() else { return };
        self.remove_spool(&spool);
        self.end_load(loader);
        match self.server.replication.upstream.as_ref().and_then(|u| u.conn).map(ConnId) {
            Some(conn) => {
                self.release_input();
                if !spool.rest.is_empty() {
                    self.apply(conn, &spool.rest);
                }
            }
            None => {
                self.held_input = None;
                let now = self.server.mono_ms;
                self.lose_link(now);
            }
        }
    }

    /// Closes the file.
    pub(super) fn remove_spool(&mut self, spool: &Spool) {
        self.server.ask_disk(DiskJob::Abort { file: spool.read });
        self.server.ask_disk(DiskJob::Abort { file: spool.written });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(mark: Option<[u8; MARK]>) -> Spool {
        Spool {
            path: String::new(),
            written: FileId { lane: Lane::Bulk, number: 1 },
            read: FileId { lane: Lane::Bulk, number: 2 },
            mark,
            gathered: Vec::new(),
            in_flight: 0,
            is_open: false,
            is_whole: false,
            rest: Vec::new(),
        }
    }

    #[test]
    fn a_snapshot_ends_where_its_mark_does_however_it_comes() {
        let mark = [b'm'; MARK];
        for (snapshot, piece) in [(10, 1), (10, 7), (10, 1000), (APPEND_BYTES + 20, 1000), (2 * APPEND_BYTES, APPEND_BYTES + 39)] {
            let snapshot: Vec<u8> = b"snapmm".iter().copied().cycle().take(snapshot).collect();
            let (mut spool, mut kept, mut behind) = (spool(Some(mark)), Vec::new(), None);
            let all = [&snapshot[..], &mark, b"rest"].concat();
            for part in all.chunks(piece) {
                assert_eq!(behind, None);
                behind = spool.gather(part);
                kept.extend(spool.take_ready().unwrap_or_default());
                if behind.is_some() {
                    break;
                }
            }
            assert!(spool.is_whole);
            assert!(behind.is_some_and(|behind| behind <= 4), "{piece}: {behind:?}");
            assert!(kept == snapshot, "{piece}: {} of {}", kept.len(), snapshot.len());
            assert_eq!(spool.in_flight, snapshot.len());
        }
    }
}
