//! Clients subscribe, and messages are delivered.

use super::Server;
use crate::state::{
    client::{Client, ClientKind},
    conn_id::ConnId,
    pubsub::{Delivery, Message, Topic},
};

impl Server {
    /// Subscribes a client. It may be subscribed already.
    pub fn subscribe(&mut self, conn: ConnId, topic: Topic, name: &[u8]) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        self.pubsub.subscribe(conn, client.subscriptions.get_or_insert_default(), topic, name);
    }

    /// Unsubscribes a client. It may not be subscribed.
    pub fn unsubscribe(&mut self, conn: ConnId, topic: Topic, name: &[u8]) {
        let Some(client) = self.clients.get_mut(conn) else { return };
        let Some(mine) = &mut client.subscriptions else { return };
        self.pubsub.unsubscribe(conn, mine, topic, name);
        if mine.is_empty() {
            client.subscriptions = None;
        }
    }

    /// Forgets what a client that is gone listened to.
    pub fn forget_subscriber(&mut self, conn: ConnId, client: &Client) {
        if let Some(mine) = &client.subscriptions {
            self.pubsub.forget(conn, mine);
        }
    }

    /// Ends all of a client's subscriptions without a word to it.
    pub fn unsubscribe_all(&mut self, conn: ConnId) {
        for topic in [Topic::Channel, Topic::Pattern, Topic::Shard] {
            let names = self.clients.get(conn).map_or_else(Vec::new, |client| client.subscribed_names(topic));
            names.iter().for_each(|name| self.unsubscribe(conn, topic, name));
        }
    }

    /// Sends a message to all who listen to a channel; returns how many times it was sent.
    pub fn publish(&mut self, channel: &[u8], message: &Message<'_>) -> usize {
        let mut sent = 0;
        if let Some(delivery) = self.pubsub.delivery(Topic::Channel, channel, message) {
            sent += self.deliver(&delivery);
        }
        for delivery in self.pubsub.pattern_deliveries(channel, message) {
            sent += self.deliver(&delivery);
        }
        sent
    }

    /// Sends a message to all who listen to a shard's channel; returns to how many.
    pub fn publish_to_shard(&mut self, channel: &[u8], message: &Message<'_>) -> usize {
        self.pubsub.delivery(Topic::Shard, channel, message).map_or(0, |delivery| self.deliver(&delivery))
    }

    fn deliver(&mut self, delivery: &Delivery) -> usize {
        if self.keyspace.is_rehearsing() {
            return delivery.listeners.len();
        }
        for conn in &delivery.listeners {
            // A connection that has become a replica's carries the log of writes and nothing else.
            if let Some(client) = self.clients.get_mut(*conn).filter(|client| client.kind() == ClientKind::Pubsub && !client.close_now) {
                delivery.frame.write(&mut client.out);
                self.mark_dirty(*conn);
                self.limit_output(*conn);
            }
        }
        delivery.listeners.len()
    }
}
