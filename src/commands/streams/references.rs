//! What becomes of pending entries whose entry is deleted from the stream: KEEPREF, DELREF and ACKED.

use crate::{
    commands::Ctx,
    data::stream::{Bound, Stream, StreamId, Trim},
};

/// What is done with references to an entry that is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum References {
    /// They stay pending.
    Keep,
    /// They go with it.
    Delete,
    /// An entry that has one, or that a group has not read yet, stays.
    Acked,
}

impl References {
    /// The one that argument `i` names.
    pub(super) fn of_word(ctx: &Ctx<'_>, i: usize) -> Option<Self> {
        let words = [("keepref", Self::Keep), ("delref", Self::Delete), ("acked", Self::Acked)];
        words.into_iter().find(|(word, _)| ctx.is_word(i, word)).map(|(_, references)| references)
    }
}

/// Whether some group still needs an entry: it has not been read by it, or it is pending.
pub(super) fn is_referenced(stream: &Stream, id: StreamId) -> bool {
    stream.groups().any(|(_, group)| group.last_id() < id || group.pending(id).is_some())
}

/// Takes an entry out of all groups' pending entries; says whether it was in one.
pub(super) fn forget(stream: &mut Stream, id: StreamId) -> bool {
    stream.groups_mut().filter_map(|group| group.ack(id).then_some(())).count() > 0
}

/// Trims a stream. Returns how many entries went, and the ID in front of which it has looked at all entries. Whoever repeats a trim, which is exact then,
/// goes on until it has the same effect.
pub(super) fn trim(stream: &mut Stream, trim: &Trim, references: References, repeats: bool) -> (u64, StreamId) {
    // Trimming is not deleting: it leaves no gap.
    let max_deleted = stream.max_deleted_id();
    let done = trim_by_entry(stream, trim, references, repeats);
    stream.set_max_deleted_id(max_deleted);
    done
}

/// Looks at one node's entries after the other's, each to its end, and stops with the node in which the bound lies.
fn trim_by_entry(stream: &mut Stream, trim: &Trim, references: References, repeats: bool) -> (u64, StreamId) {
    let reached = match trim.bound {
        Bound::MaxLen(_) => StreamId::MAX,
        Bound::MinId(id) => id,
    };
    let mut deleted = 0;
    let mut next = Some(StreamId::MIN);
    while let Some(from) = next {
        let two = {
            let mut nodes = stream.nodes_from(from).map(|(master, _)| master);
            (nodes.next(), nodes.next())
        };
        let Some(master) = two.0 else { break };
        next = two.1;
        let last = next.and_then(|next| next.prev()).unwrap_or(StreamId::MAX);
        let ids: Vec<StreamId> = stream.range(master, last).map(|entry| entry.id()).collect();
        let len = stream.len();
        if trim.limit != 0 && deleted + ids.len() as u64 > trim.limit {
            return (deleted, master.min(reached));
        }
        let (most, below, whole) = match trim.bound {
            Bound::MaxLen(max) => (len.saturating_sub(max), StreamId::MAX, repeats || len.saturating_sub(ids.len() as u64) >= max),
            Bound::MinId(id) => (u64::MAX, id, ids.last().is_none_or(|last| *last < id)),
        };
        if most == 0 {
            break;
        }
        let mut gone = 0;
        for id in ids {
            let within = matches!(trim.bound, Bound::MaxLen(_)) || id < below;
            if gone == most || !within {
                break;
            }
            if references == References::Acked && is_referenced(stream, id) {
                continue;
            }
            if references == References::Delete {
                forget(stream, id);
            }
            gone += u64::from(stream.delete(id));
        }
        deleted += gone;
        if !whole {
            break;
        }
    }
    (deleted, reached)
}
