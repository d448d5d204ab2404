//! Client-side caching: how one client is told that its copies of keys are stale.

use super::conn_id::ConnId;
use crate::{keyspace::ChangedKeys, keyspace::Reader, resp::encode};
use bytes::Bytes;
use std::{
    collections::BTreeSet,
    ops::Bound::{Included, Unbounded},
};

/// The channel on which RESP2 connections hear of stale keys.
pub const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Which keys a client is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TrackingMode {
    /// Those that it has read.
    #[default]
    All,
    /// Those that it has read right after CLIENT CACHING YES.
    OptIn,
    /// Those that it has read, but not right after CLIENT CACHING NO.
    OptOut,
    /// All that begin with its prefixes.
    Broadcast,
}

/// What CLIENT TRACKING ON asks for.
#[derive(Default)]
pub struct TrackingOptions {
    /// Which keys.
    pub mode: TrackingMode,
    /// Not of what it changes itself.
    pub no_loop: bool,
    /// The client that is told in its place.
    pub redirect: Option<Redirect>,
    /// With [`TrackingMode::Broadcast`], more prefixes.
    pub prefixes: Vec<Box<[u8]>>,
}

/// A client that is told in the place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Its connection, which is another client's when it is gone.
    pub conn: ConnId,
    /// Its CLIENT ID.
    pub id: u64,
}

/// How a client that keeps copies of keys is told of their changes.
#[derive(Default)]
pub struct Tracking {
    /// Which keys.
    pub mode: TrackingMode,
    /// Not of what it changes itself.
    pub no_loop: bool,
    /// The client that is told in its place.
    pub redirect: Option<Redirect>,
    /// That client was gone when it was to be told.
    pub is_redirect_broken: bool,
    /// CLIENT CACHING has been said for the next command or transaction.
    pub caching: bool,
    prefixes: BTreeSet<Box<[u8]>>,
    /// Bytes of memory that those take, roughly.
    prefix_bytes: usize,
}

/// Bytes that a prefix takes beside its name, with the client and in the table of all, roughly.
const PREFIX_BYTES: usize = 128;

/// Whether one of them begins with the other.
pub fn overlap(a: &[u8], b: &[u8]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

impl Tracking {
    /// Whether keys that are read now are to be remembered.
    pub fn wants_reads(&self) -> bool {
        match self.mode {
            TrackingMode::All => true,
            TrackingMode::OptIn => self.caching,
            TrackingMode::OptOut => !self.caching,
            TrackingMode::Broadcast => false,
        }
    }

    /// The prefixes it listens to, in order.
    pub fn prefixes(&self) -> &BTreeSet<Box<[u8]>> {
        &self.prefixes
    }

    /// The first of its prefixes that begins with this one, or with which this one begins. No two of them overlap, but for the empty one: so it is a neighbour.
    pub fn overlapping(&self, prefix: &[u8]) -> Option<&[u8]> {
        let before = self.prefixes.range::<[u8], _>((Unbounded, Included(prefix))).next_back();
        let behind = self.prefixes.range::<[u8], _>((Included(prefix), Unbounded)).next();
        let neighbours = self.prefixes.first().into_iter().chain(before).chain(behind);
        neighbours.map(|old| &**old).find(|old| overlap(prefix, old))
    }

    /// Adds a prefix.
    pub fn add_prefix(&mut self, prefix: Box<[u8]>) {
        let bytes = 2 * prefix.len() + PREFIX_BYTES;
        if self.prefixes.insert(prefix) {
            self.prefix_bytes += bytes;
        }
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.prefix_bytes
    }
}

/// What a client is told.
#[derive(Clone, Copy)]
pub enum Invalidation<'a> {
    /// Its copies of these keys are stale: the keys, as an array that is encoded already.
    Keys(&'a Bytes),
    /// All of its copies may be.
    All,
}

/// The keys as an array; without those that `except` has changed last. `None` where none is left.
pub fn encode_changed(keys: &ChangedKeys, except: Option<Reader>) -> Option<Bytes> {
    let told = || keys.iter().filter(|(_, by)| except.is_none() || **by != except).map(|(key, _)| key);
    let count = told().count();
    (count > 0).then(|| {
        let mut array = Vec::with_capacity(told().map(|key| key.len() + 16).sum::<usize>() + 16);
        encode::array_header(&mut array, count);
        told().for_each(|key| encode::bulk(&mut array, key));
        Bytes::from(array)
    })
}

/// One key as such an array.
pub fn encode_key(key: &[u8]) -> Bytes {
    let mut array = Vec::with_capacity(key.len() + 32);
    encode::array_header(&mut array, 1);
    encode::bulk(&mut array, key);
    Bytes::from(array)
}
