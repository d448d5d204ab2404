//! What the log of writes gets of what happens to groups: commands that have the same effect at any time.

use super::ids::IdText;
use crate::{
    data::stream::{Pending, StreamId},
    resp::request::OwnedArgs,
};

/// The effects of one command on one stream's group; nothing is built while nobody reads the log.
pub(super) struct GroupEffects<'a> {
    /// Whether there is a log to write.
    pub logged: bool,
    pub key: &'a [u8],
    pub group: &'a [u8],
    /// What has been built so far.
    pub commands: &'a mut Vec<OwnedArgs>,
}

impl GroupEffects<'_> {
    /// An entry is, or was, pending so. `id` is written as the command has it.
    pub(super) fn claim(&mut self, consumer: &[u8], id: &[u8], pending: &Pending, last_id: StreamId) {
        if !self.logged {
            return;
        }
        let (mut time, mut deliveries) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.commands.push(OwnedArgs::new(&[
            b"XCLAIM",
            self.key,
            self.group,
            consumer,
            b"0",
            id,
            b"TIME",
            time.format(pending.delivered_ms).as_bytes(),
            b"RETRYCOUNT",
            // Redis has 64 bits with a sign.
            deliveries.format(pending.deliveries as i64).as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            IdText::new(last_id).bytes(),
        ]));
    }

    /// A group has read up to here.
    pub(super) fn position(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        if !self.logged {
            return;
        }
        let mut digits = itoa::Buffer::new();
        let read = digits.format(entries_read.map_or(-1, |read| read as i64)).as_bytes();
        self.commands.push(OwnedArgs::new(&[
            b"XGROUP",
            b"SETID",
            self.key,
            self.group,
            IdText::new(last_id).bytes(),
            b"ENTRIESREAD",
            read,
        ]));
    }

    /// A consumer has been created. One that a claim names need not be told of.
    pub(super) fn consumer(&mut self, name: &[u8]) {
        if self.logged {
            self.commands.push(OwnedArgs::new(&[b"XGROUP", b"CREATECONSUMER", self.key, self.group, name]));
        }
    }
}
