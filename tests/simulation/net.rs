//! Connections: ordered streams of bytes that arrive late, in pieces, slowly, or not at all.

use solod::{data::rng::Rng, state::ConnId};
use std::collections::VecDeque;

/// Names a connection. Never used again in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub usize);

/// Who holds an end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Client(usize),
    Node(usize, ConnId),
}

/// What travels.
#[derive(Debug)]
pub enum Packet {
    Bytes(Vec<u8>),
    /// The sender sends no more.
    End,
}

/// One direction of a connection.
#[derive(Default)]
pub struct Way {
    packets: VecDeque<Packet>,
    /// Bytes on their way, or that nobody has read.
    pub in_flight: usize,
    /// When the last packet arrives: what is sent later does not come sooner.
    last_ns: u64,
    /// The sender has more than fitted.
    pub choked: bool,
    /// Packets that have arrived and that the receiver does not want to read yet.
    pub unread: usize,
    /// What has come of commands that belong together and are not whole, from MULTI on.
    amid: Vec<u8>,
}

const MULTI: &[u8] = b"$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"$4\r\nEXEC\r\n";

impl Way {
    /// What has come and is whole: of commands that belong together a node learns with the last of them.
    pub fn whole(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut whole = std::mem::take(&mut self.amid);
        whole.extend_from_slice(bytes);
        let multi = memchr::memmem::rfind(&whole, MULTI);
        if let Some(at) = multi.filter(|at| memchr::memmem::find(&whole[*at..], EXEC).is_none()) {
            self.amid = whole.split_off(at);
        } else {
            // Either word may come in two parts.
            self.amid = whole[whole.len().saturating_sub(MULTI.len() - 1)..].to_vec();
        }
        whole
    }
}

/// A connection. `ends[0]` called, `ends[1]` answered; `ways[i]` leads away from `ends[i]`.
pub struct Link {
    pub ends: [End; 2],
    /// Whether each end still listens.
    pub open: [bool; 2],
    pub ways: [Way; 2],
    /// Nanoseconds that a packet takes, at least.
    pub latency_ns: u64,
    /// Bytes that fit between the ends.
    pub window: usize,
    /// Nothing arrives before this moment.
    pub stuck_until_ns: u64,
}

/// Bytes in flight in one direction of an ordinary connection.
const WINDOW: usize = 64 * 1024;

impl Way {
    /// Whether nothing is on its way, not even the word that nothing more comes.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}

impl Link {
    pub fn new(ends: [End; 2], rng: &mut Rng) -> Self {
        let latency_ns = 20_000 + rng.below(500_000);
        Self { ends, open: [true; 2], ways: Default::default(), latency_ns, window: WINDOW, stuck_until_ns: 0 }
    }

    /// Bytes that the sender at this end may send now.
    pub fn room(&self, from: usize) -> usize {
        self.window.saturating_sub(self.ways[from].in_flight)
    }

    /// Sends, in pieces cut anywhere. Says when each arrives.
    pub fn send(&mut self, from: usize, mut bytes: &[u8], now_ns: u64, rng: &mut Rng) -> Vec<u64> {
        let mut arrivals = Vec::new();
        while !bytes.is_empty() {
            let most = match rng.below(10) {
                0 => 1 + rng.below(3) as usize,
                1 => 1 + rng.below(64) as usize,
                2 | 3 => 1 + rng.below(1500) as usize,
                _ => usize::MAX,
            };
            let (piece, rest) = bytes.split_at(most.min(bytes.len()));
            bytes = rest;
            self.ways[from].in_flight += piece.len();
            arrivals.push(self.push(from, Packet::Bytes(piece.to_vec()), now_ns, rng));
        }
        arrivals
    }

    /// Says that this end sends no more. Says when the other one hears of it.
    pub fn send_end(&mut self, from: usize, now_ns: u64, rng: &mut Rng) -> u64 {
        self.push(from, Packet::End, now_ns, rng)
    }

    fn push(&mut self, from: usize, packet: Packet, now_ns: u64, rng: &mut Rng) -> u64 {
        let takes = self.latency_ns + rng.below(self.latency_ns);
        let way = &mut self.ways[from];
        let at = (now_ns + takes).max(way.last_ns + 1).max(self.stuck_until_ns);
        way.last_ns = at;
        way.packets.push_back(packet);
        at
    }

    /// What has arrived.
    pub fn arrive(&mut self, from: usize) -> Option<Packet> {
        let way = &mut self.ways[from];
        let packet = way.packets.pop_front()?;
        if let Packet::Bytes(bytes) = &packet {
            way.in_flight -= bytes.len();
        }
        Some(packet)
    }

    /// Puts back what was not read of a packet.
    pub fn put_back(&mut self, from: usize, bytes: &[u8]) {
        let way = &mut self.ways[from];
        way.in_flight += bytes.len();
        way.packets.push_front(Packet::Bytes(bytes.to_vec()));
        way.unread += 1;
    }

    /// Loses what is on its way, but for a first part of it, which arrives.
    pub fn lose_some(&mut self, from: usize, rng: &mut Rng) {
        let way = &mut self.ways[from];
        let kept = rng.below(way.packets.len() as u64 + 1) as usize;
        for packet in way.packets.iter_mut().skip(kept) {
            if let Packet::Bytes(bytes) = packet {
                way.in_flight -= bytes.len();
            }
            *packet = Packet::Bytes(Vec::new());
        }
    }

    /// Makes it a good connection again.
    pub fn heal(&mut self) {
        self.latency_ns = self.latency_ns.min(1_000_000);
        self.window = WINDOW;
        self.stuck_until_ns = 0;
    }

    /// Whether nobody listens any more.
    pub fn is_dead(&self) -> bool {
        !self.open[0] && !self.open[1]
    }
}
