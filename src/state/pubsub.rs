//! Subscriptions, and messages as they are delivered.

use super::conn_id::ConnId;
use crate::{
    data::{glob, number::write_u64},
    resp::{
        encode,
        output::{Output, SHARED_MIN},
    },
};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A channel: SUBSCRIBE.
    Channel,
    /// All channels that a pattern matches: PSUBSCRIBE.
    Pattern,
    /// A channel of a shard: SSUBSCRIBE.
    Shard,
}

type Subscribers = HashMap<Rc<[u8]>, Vec<ConnId>>;

/// Subscribers of channels, patterns and shard channels, each in order of arrival.
#[derive(Default)]
pub struct PubSub {
    channels: Subscribers,
    patterns: Subscribers,
    shards: Subscribers,
}

impl PubSub {
    fn of(&self, topic: Topic) -> &Subscribers {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, topic: Topic) -> &mut Subscribers {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::Shard => &mut self.shards,
        }
    }

    /// How many channels or patterns somebody listens to.
    pub fn len(&self, topic: Topic) -> usize {
        self.of(topic).len()
    }

    /// Whether nobody listens to anything.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// How many clients listen to this.
    pub fn listeners(&self, topic: Topic, name: &[u8]) -> usize {
        self.of(topic).get(name).map_or(0, Vec::len)
    }

    /// Subscribes a connection whose subscriptions are `mine`. It may be subscribed already.
    pub fn subscribe(&mut self, conn: ConnId, mine: &mut Subscriptions, topic: Topic, name: &[u8]) {
        if mine.of(topic).contains(name) {
            return;
        }
        let all = self.of_mut(topic);
        let name: Rc<[u8]> = all.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone());
        all.entry(name.clone()).or_default().push(conn);
        mine.bytes += name.len() + SUBSCRIPTION_BYTES;
        mine.of_mut(topic).insert(name);
    }

    /// Unsubscribes a connection whose subscriptions are `mine`. It may not be subscribed.
    pub fn unsubscribe(&mut self, conn: ConnId, mine: &mut Subscriptions, topic: Topic, name: &[u8]) {
        if mine.of_mut(topic).remove(name) {
            mine.bytes -= name.len() + SUBSCRIPTION_BYTES;
            self.drop_listener(conn, topic, name);
        }
    }

    /// Forgets all of a connection's subscriptions.
    pub fn forget(&mut self, conn: ConnId, mine: &Subscriptions) {
        for (topic, name) in mine.iter() {
            self.drop_listener(conn, topic, name);
        }
    }

    fn drop_listener(&mut self, conn: ConnId, topic: Topic, name: &[u8]) {
        let all = self.of_mut(topic);
        if let Some(listeners) = all.get_mut(name) {
            listeners.retain(|listener| *listener != conn);
            if listeners.is_empty() {
                all.remove(name);
            }
        }
    }

    /// What a message becomes on its way to those who listen to its channel or, at [`Topic::Shard`], to its shard's, and who they are.
    pub fn delivery(&self, topic: Topic, channel: &[u8], message: &Message<'_>) -> Option<Delivery> {
        let word: &[u8] = if topic == Topic::Shard { b"smessage" } else { b"message" };
        let listeners = self.of(topic).get(channel)?.clone();
        Some(Delivery { listeners, frame: Frame::new(&[word, channel], message) })
    }

    /// The same for each pattern that the channel matches.
    pub fn pattern_deliveries(&self, channel: &[u8], message: &Message<'_>) -> Vec<Delivery> {
        if self.patterns.is_empty() {
            return Vec::new();
        }
        let mut matching: Vec<_> = self.patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel, false)).collect();
        // A table has no order of its own, and what is done must not depend on it.
        matching.sort_unstable();
        let frame = |pattern: &[u8]| Frame::new(&[b"pmessage", pattern, channel], message);
        matching.into_iter().map(|(pattern, listeners)| Delivery { listeners: listeners.clone(), frame: frame(pattern) }).collect()
    }

    /// The names that somebody listens to and that match a pattern, in order.
    pub fn names(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<&[u8]> {
        let matches = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
        let mut names: Vec<&[u8]> = self.of(topic).keys().map(|name| &**name).filter(matches).collect();
        names.sort_unstable();
        names
    }
}

/// What one client listens to.
#[derive(Default)]
pub struct Subscriptions {
    channels: BTreeSet<Rc<[u8]>>,
    patterns: BTreeSet<Rc<[u8]>>,
    shards: BTreeSet<Rc<[u8]>>,
    /// Bytes of memory that all of them take, roughly.
    bytes: usize,
}

/// Bytes that a subscription takes beside its name, roughly.
const SUBSCRIPTION_BYTES: usize = 48;

impl Subscriptions {
    /// Names of a kind, in order.
    pub fn of(&self, topic: Topic) -> &BTreeSet<Rc<[u8]>> {
        match topic {
            Topic::Channel => &self.channels,
            Topic::Pattern => &self.patterns,
            Topic::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, topic: Topic) -> &mut BTreeSet<Rc<[u8]>> {
        match topic {
            Topic::Channel => &mut self.channels,
            Topic::Pattern => &mut self.patterns,
            Topic::Shard => &mut self.shards,
        }
    }

    /// Everything, of whatever kind.
    fn iter(&self) -> impl Iterator<Item = (Topic, &Rc<[u8]>)> {
        [Topic::Channel, Topic::Pattern, Topic::Shard].into_iter().flat_map(|topic| self.of(topic).iter().map(move |name| (topic, name)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Bytes of memory it takes, roughly.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes
    }
}

/// A message, and who it goes to.
pub struct Delivery {
    /// In order of arrival.
    pub listeners: Vec<ConnId>,
    /// What they get.
    pub frame: Frame,
}

/// A message as it is sent, but for its first byte: RESP3 marks what nobody asked for.
pub enum Frame {
    /// Head and message.
    Short(Vec<u8>),
    /// The message itself is shared between all that it goes to.
    Long(Vec<u8>, Bytes),
}

impl Frame {
    /// The frame of these words and a message behind them.
    fn new(words: &[&[u8]], message: &Message<'_>) -> Self {
        let mut frame = Vec::with_capacity(words.iter().map(|word| word.len() + 16).sum::<usize>() + 16);
        write_u64(&mut frame, words.len() as u64 + 1);
        frame.extend_from_slice(b"\r\n");
        for word in words {
            encode::bulk(&mut frame, word);
        }
        match message {
            Message::Short(bytes) => {
                encode::bulk(&mut frame, bytes);
                Self::Short(frame)
            }
            Message::Long(bytes) => {
                encode::bulk_header(&mut frame, bytes.len());
                Self::Long(frame, bytes.clone())
            }
        }
    }

    /// Writes it as the client's protocol has it.
    pub fn write(&self, out: &mut Output) {
        out.raw(if out.resp3() { b">" } else { b"*" });
        match self {
            Self::Short(frame) => out.raw(frame),
            Self::Long(head, message) => {
                out.raw(head);
                out.raw_shared(message.clone());
                out.raw(b"\r\n");
            }
        }
    }
}

/// What is published.
pub enum Message<'a> {
    /// It is copied to each who listens.
    Short(&'a [u8]),
    /// They share it.
    Long(Bytes),
}

impl<'a> Message<'a> {
    /// A message of these bytes; `shared` gives them to share.
    pub fn new(bytes: &'a [u8], shared: impl FnOnce() -> Bytes) -> Self {
        if bytes.len() < SHARED_MIN { Self::Short(bytes) } else { Self::Long(shared()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(frame: &Frame, out: &mut Output) -> Vec<u8> {
        frame.write(out);
        out.take_all()
    }

    #[test]
    fn a_frame_is_written_once_for_both_protocols() {
        let frame = Frame::new(&[b"message", b"news"], &Message::Short(b"hello"));
        let mut out = Output::default();
        assert_eq!(written(&frame, &mut out), b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
        out.protocol = crate::resp::output::Protocol::Resp3;
        assert_eq!(written(&frame, &mut out), b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n");
    }

    #[test]
    fn a_long_message_is_shared() {
        let long = Bytes::from(vec![b'x'; SHARED_MIN]);
        let message = Message::new(&long, || long.clone());
        let frame = Frame::new(&[b"message", b"news"], &message);
        let mut out = Output::default();
        frame.write(&mut out);
        let mut pieces = [std::io::IoSlice::new(&[]); 9];
        out.slices(&mut pieces, usize::MAX);
        assert!(pieces.iter().any(|piece| piece.as_ptr() == long.as_ptr()));
        assert!(out.take_all().ends_with(b"x\r\n"));
    }
}
