//! Whether a directive is supported, and the reasons why some are not.

/// What happens when a directive has a value other than its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It works as in Redis.
    Works,
    /// The server does not start with it and CONFIG SET refuses it: without the feature, data would be lost or open.
    /// The text is the reason, a sentence for the operator.
    Refused(&'static str),
    /// It is accepted and has no effect, and a warning at start says so. The text is the reason, a sentence.
    Ignored(&'static str),
}

use Support::{Ignored, Refused};

pub(super) const NO_DH: Support = Ignored("Keys are exchanged over elliptic curves alone, which need no such file.");
pub(super) const NO_MODULES: Support = Refused("solod cannot load modules: data and commands of this one would be missing.");
pub(super) const NO_NODE: Support =
    Refused("solod cannot be a node of a cluster yet: its slots would not be served and its clients not be redirected.");
pub(super) const NO_CLUSTER: Support = Ignored("solod cannot be a node of a cluster yet.");
pub(super) const NO_SCRIPTS: Support = Ignored("solod runs no scripts yet.");
pub(super) const NO_FORK: Support = Ignored("No process is forked.");
pub(super) const ONE_THREAD: Support = Ignored("One thread serves all clients.");
pub(super) const OWN_SNAPSHOT: Support = Ignored("Each replica has a snapshot of its own, through its socket, which begins at once.");
pub(super) const ALWAYS_LAZY: Support = Ignored("What is large is always freed a little at a time.");
pub(super) const NO_REHASHING: Support = Ignored("Tables grow in place and never rehash.");
pub(super) const EXACT_EXPIRY: Support =
    Ignored("Expiry is exact: expired keys are removed in slices between events, as many as there are.");
pub(super) const ALWAYS_CHECKED: Support = Ignored("Serialized values are always checked in full.");
pub(super) const NO_SYNC_FILE: Support = Ignored("A synchronisation leaves no file behind.");
pub(super) const ONE_WRITE_A_TURN: Support =
    Ignored("What is due to a replica leaves in one write a turn of the loop; the kernel need not gather it.");
pub(super) const NO_SUCH_WARNING: Support = Ignored("The one warning that this could silence is about fork.");
pub(super) const LOADS_IN_SLICES: Support = Ignored("A load looks at the network after each slice of time, not of bytes.");
pub(super) const STEADY_CRON: Support = Ignored("What there is to do for many clients is spread over the turns of the loop.");
pub(super) const NO_MEMORY_TEST: Support = Ignored("A crash report never tests memory.");
pub(super) const BYTES_COLLATE: Support = Ignored("SORT with ALPHA compares bytes, as the C locale does.");
