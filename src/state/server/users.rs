//! Clients and the users that they are.

use super::Server;
use crate::{
    acl::{CommandNames, Reason, Refusal, User, UserId, Users, UsersError},
    state::{client::Client, conn_id::ConnId, pubsub::Topic},
};

impl Server {
    /// Whether a client has to give a password before it may run commands.
    #[inline(always)]
    pub fn has_password(&self) -> bool {
        !self.users.is_open()
    }

    /// Whether this client has still to give the password.
    #[inline(always)]
    pub fn wants_password(&self, client: &Client) -> bool {
        !client.authenticated && self.has_password()
    }

    /// Whether there is something that this client may not do. Our primary, and what repeats the commands of a file, may do everything.
    pub fn is_restricted(&self, client: &Client) -> bool {
        !client.peer.repeats() && !self.users.get(client.user).is_some_and(User::is_unrestricted)
    }

    /// The name of the user that a client is.
    pub fn username(&self, client: &Client) -> &[u8] {
        if client.peer.is_primary() { b"(superuser)" } else { self.users.get(client.user).map_or(b"default", User::name) }
    }

    /// Makes a client a user.
    pub fn log_in(&mut self, conn: ConnId, user: UserId) {
        if let Some(client) = self.clients.get_mut(conn) {
            (client.authenticated, client.user) = (true, user);
        }
    }

    /// Sets rules of a user. Clients who listen to what it may not hear any more are closed.
    pub fn set_user(&mut self, name: &[u8], rules: &[&[u8]], commands: &impl CommandNames) -> Result<(), UsersError> {
        let (changed, before) = self.users.set(name, rules, commands)?;
        if before.is_some() {
            self.close_eavesdroppers(|user| user == changed);
        }
        Ok(())
    }

    /// Puts others in the place of all users. Clients of users who are no more are closed, and those who listen to what they may not hear any more.
    pub fn replace_users(&mut self, others: Users, me: ConnId) {
        let gone = self.users.replace_all(others);
        self.close_clients_of(&gone, me);
        self.close_eavesdroppers(|_| true);
    }

    /// Closes the clients of these users who listen to channels that they may not.
    fn close_eavesdroppers(&mut self, of: impl Fn(UserId) -> bool) {
        let overhears = |client: &Client, topic| {
            let may = |user: &User, name: &[u8]| user.allows_channel(name, topic == Topic::Pattern);
            self.users.get(client.user).is_some_and(|user| client.subscribed_names(topic).iter().any(|name| !may(user, name)))
        };
        let is_one = |client: &Client| {
            of(client.user) && [Topic::Pattern, Topic::Channel, Topic::Shard].into_iter().any(|topic| overhears(client, topic))
        };
        let found: Vec<_> =
            self.clients.iter().filter(|(_, client)| client.subscriptions.is_some() && is_one(client)).map(|(conn, _)| conn).collect();
        found.into_iter().for_each(|conn| self.close(conn, false));
    }

    /// Closes the clients of users who are no more; `me`, who has done this, once it is answered.
    pub fn close_clients_of(&mut self, gone: &[UserId], me: ConnId) {
        let found: Vec<_> = self.clients.iter().filter(|(_, client)| gone.contains(&client.user)).map(|(conn, _)| conn).collect();
        for conn in found {
            if let Some(client) = self.clients.get_mut(conn) {
                // It stays the user that it was, who is no more and may do nothing: what is left of its transaction is refused.
                client.authenticated = false;
            }
            self.close(conn, conn == me);
        }
    }

    /// Has the settings say which users there are, as the configuration file is to have them: unless they have a file of their own, all but a default
    /// user who is as `requirepass` makes it.
    pub fn note_users(&mut self) {
        let password = self.config.requirepass.as_deref().unwrap_or_default();
        let named = self.users.iter().filter(|(_, user)| self.config.aclfile.is_empty() && !user.is_plain_default(password));
        let words = |user: &User| {
            let rules = user.describe_words();
            std::iter::once(user.name().to_vec()).chain(rules).collect::<Vec<Vec<u8>>>()
        };
        self.config.users = named.map(|(_, user)| words(user)).collect();
    }

    /// Counts a refusal, and adds it to the log, with the client as it is shown.
    pub fn note_refusal(&mut self, refusal: Refusal, client: Vec<u8>) {
        let stats = &mut self.stats;
        let counter = match refusal.reason {
            Reason::Auth => &mut stats.auth_denied,
            Reason::Command => &mut stats.commands_denied,
            Reason::Key => &mut stats.keys_denied,
            Reason::Channel => &mut stats.channels_denied,
            Reason::Database => &mut stats.databases_denied,
            Reason::Certificate => &mut stats.certificates_denied,
        };
        *counter += 1;
        self.acl_log.add(refusal, client, self.keyspace.now_ms, self.config.acllog_max_len);
    }
}
