//! What is at the other end of a connection.

use super::link::Link;
use crate::replication::primary::ReplicaLink;

/// What is at the other end of a connection, with what is known of it as that.
#[derive(Default)]
pub enum Peer {
    /// A client.
    #[default]
    Client,
    /// A client that has said REPLCONF: it may ask to become a replica of ours.
    Candidate(Box<ReplicaLink>),
    /// A replica of ours.
    Replica(Box<ReplicaLink>),
    /// Our primary.
    Primary,
    /// Nobody: the commands are those of a file of ours. It is no client either, and has no connection.
    File,
    /// Another server that we have connected to and that keys are moved to. It is no client, and is shown and counted nowhere as one.
    Target(Box<Link>),
}

impl Peer {
    /// Whether it is a replica of ours.
    #[inline]
    pub fn is_replica(&self) -> bool {
        matches!(self, Self::Replica(_))
    }

    /// Whether it is our primary.
    #[inline]
    pub fn is_primary(&self) -> bool {
        matches!(self, Self::Primary)
    }

    /// Whether its commands repeat what has been decided before, by our primary or by us: they are never refused, never answered, and wait for nothing.
    #[inline]
    pub fn repeats(&self) -> bool {
        matches!(self, Self::Primary | Self::File)
    }

    /// Whether it is a client in a wide sense: everybody but servers that keys are moved to.
    #[inline]
    pub fn is_client(&self) -> bool {
        !matches!(self, Self::Target(_) | Self::File)
    }

    /// What is known of a replica of ours.
    pub fn replica(&self) -> Option<&ReplicaLink> {
        if let Self::Replica(link) = self { Some(link) } else { None }
    }

    /// What is known of a replica of ours.
    pub fn replica_mut(&mut self) -> Option<&mut ReplicaLink> {
        if let Self::Replica(link) = self { Some(link) } else { None }
    }

    /// What is known of a replica of ours, or of one that may become one.
    pub fn as_replica(&self) -> Option<&ReplicaLink> {
        if let Self::Candidate(link) | Self::Replica(link) = self { Some(link) } else { None }
    }

    /// The same, of a client that from now on may become one. `None`: this is not one that could.
    pub fn candidate(&mut self) -> Option<&mut ReplicaLink> {
        if let Self::Client = self {
            *self = Self::Candidate(Box::default());
        }
        if let Self::Candidate(link) | Self::Replica(link) = self { Some(link) } else { None }
    }

    /// Makes it a replica of ours, with what it has said of itself.
    pub fn become_replica(&mut self) -> &mut ReplicaLink {
        let link = match std::mem::take(self) {
            Self::Candidate(link) | Self::Replica(link) => link,
            Self::Client | Self::Primary | Self::File | Self::Target(_) => Box::default(),
        };
        *self = Self::Replica(link);
        match self {
            Self::Replica(link) => link,
            _ => unreachable!("it was made one in the line above"),
        }
    }

    /// The link to another server that keys are moved to.
    pub fn target(&self) -> Option<&Link> {
        if let Self::Target(link) = self { Some(link) } else { None }
    }

    /// The link to another server that keys are moved to.
    pub fn target_mut(&mut self) -> Option<&mut Link> {
        if let Self::Target(link) = self { Some(link) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_keeps_what_it_said_before_it_was_one() {
        let mut peer = Peer::default();
        assert!(peer.is_client() && peer.as_replica().is_none());
        if let Some(link) = peer.candidate() {
            link.listening_port = 7;
        }
        assert!(!peer.is_replica() && peer.replica().is_none());
        assert_eq!(peer.as_replica().map(|link| link.listening_port), Some(7));
        peer.become_replica();
        assert_eq!(peer.replica().map(|link| link.listening_port), Some(7));
        assert!(Peer::Primary.candidate().is_none());
    }
}
