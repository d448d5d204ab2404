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

// Of Redis 8 and Valkey 9.
pub(super) const NO_PEER_NAMES: Support =
    Refused("solod does not compare the names of certificates: a server of another name would be trusted.");
pub(super) const NO_PRELOAD: Support =
    Refused("solod loads no file but its own: this one's data would be missing. Put it in dir, as dbfilename.");
pub(super) const NO_IMPORT_MODE: Support =
    Refused("solod has no import mode: keys would expire and be evicted while they are imported. Import into a replica.");
pub(super) const NO_RDMA_LISTENER: Support = Refused("solod does not speak RDMA: clients of this port would not be served.");
pub(super) const NO_RDMA: Support = Ignored("solod does not speak RDMA.");
pub(super) const NO_MPTCP: Support =
    Ignored("Clients and primaries are spoken to by plain TCP, which those with multipath TCP speak, too.");
pub(super) const TIMED_ACCEPT: Support = Ignored("A turn accepts as many connections as there is time for.");
pub(super) const SHARED_REPLIES: Support = Ignored("Values of 32 KiB and more are always sent without being copied.");
pub(super) const OWN_LOOK_AHEAD: Support = Ignored("Up to 32 requests of a client are looked at ahead, always.");
pub(super) const SECRET_SEED: Support = Ignored("The seed comes from the system's random source at each start.");
pub(super) const OWN_SLICES: Support = Ignored("Values are moved in slices of 25 microseconds.");
pub(super) const NO_HISTOGRAMS: Support = Ignored("INFO has no histograms of keys' memory.");
pub(super) const STRICT_VERSIONS: Support = Ignored("A file of a version that solod does not know is refused.");
pub(super) const ALWAYS_REDIS: Support = Ignored("solod always answers as Redis does.");
pub(super) const NO_OLD_LUA: Support = Ignored("Scripts have what Redis 7.2 lets them have.");
pub(super) const SLOW_ONLY: Support = Ignored("The log of commands has those that were slow; large ones are not logged.");
pub(super) const NO_IDMP: Support = Ignored("XADD has no IDMP.");
pub(super) const NO_SUCH_TYPE: Support = Ignored("There are no values of this type.");
pub(super) const NO_TEMPLATES: Support = Ignored("A small hash is compact as it is.");
pub(super) const NO_BACKUP: Support = Ignored("There is no BACKUP; a copy of the files is one.");
pub(super) const NO_SUCH_CHECKS: Support = Ignored("It is for developers of another server.");
