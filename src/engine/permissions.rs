//! What users may do is looked at before their commands run.

use super::Engine;
use crate::{
    acl::{ACCESS_READ, ACCESS_WRITE, Context, DEFAULT, Denied, Refusal, Selector},
    commands::{
        CommandId,
        client::list,
        command::flags,
        permissions::{self, Asked},
    },
    resp::request::Args,
    state::ConnId,
};

impl Engine {
    /// Makes the users that the settings name. They have been checked when the settings were read.
    pub(super) fn add_configured_users(&mut self) {
        for words in std::mem::take(&mut self.server.config.users) {
            if let Some((name, rules)) = words.split_first() {
                // The default user's line says all that it is.
                let reset: &[&[u8]] = if name == DEFAULT { &[b"reset"] } else { &[] };
                let rules: Vec<&[u8]> = reset.iter().copied().chain(rules.iter().map(Vec::as_slice)).collect();
                let _ = self.server.users.set(name, &rules, &self.registry);
            }
        }
    }

    /// Reads the users from the file that the settings name, if they name one. The error is a reason not to start.
    pub fn load_users(&mut self) -> Result<(), String> {
        if self.server.config.aclfile.is_empty() {
            return Ok(());
        }
        let users = crate::commands::acl::read_file(&self.server, &self.registry)?;
        self.server.users.replace_all(users);
        Ok(())
    }

    /// Whether a command that something bars is allowed when one looks: by the rules of the client's user, and because there is memory.
    #[inline(never)]
    pub(super) fn is_allowed_after_all(&mut self, conn: ConnId, id: CommandId, args: Args<'_>, barred: u64) -> bool {
        barred & !(flags::ANY | flags::DENYOOM) == 0
            && (barred & flags::ANY == 0 || self.caller_may(conn, id, args))
            && (barred & flags::DENYOOM == 0 || self.has_memory())
    }

    /// Takes note of whose requests are to be executed. Returns a flag that every command has, where there is something that the client's user may not do.
    ///
    /// Only commands about anything but data change users or who a client is, and this is asked again behind each of them.
    #[inline]
    pub(super) fn note_caller(&mut self, conn: ConnId) -> u64 {
        let Some(client) = self.server.clients.get(conn).filter(|client| !client.peer.repeats()) else { return 0 };
        let user = self.server.users.get_shared(client.user);
        if user.is_some_and(|user| user.is_unrestricted()) {
            return 0;
        }
        self.caller = user.cloned();
        flags::ANY
    }

    /// Whether the rules of whose requests are being executed allow a command.
    #[inline]
    fn caller_may(&self, conn: ConnId, id: CommandId, args: Args<'_>) -> bool {
        let is_plain =
            self.caller.as_ref().is_some_and(|user| user.selectors().first().is_some_and(|rules| self.allows_plainly(rules, id, &args)));
        debug_assert!(!is_plain || self.denied(conn, id, args).is_none());
        is_plain || self.denied(conn, id, args).is_none()
    }

    /// Whether rules allow a request that is as most are: for one key or none, and no channel. Of others it says nothing.
    #[inline]
    fn allows_plainly(&self, rules: &Selector, id: CommandId, args: &Args<'_>) -> bool {
        let command = self.registry.get(id);
        if !rules.allows_but_for_names(usize::from(id)) || command.flags & flags::PUBSUB != 0 {
            return false;
        }
        if rules.allows_all_keys() {
            return true;
        }
        let Some(key) = permissions::only_key(command, args) else { return false };
        // Most rules for keys are for whatever is done with them.
        rules.allows_key(key, ACCESS_READ | ACCESS_WRITE) || rules.allows_key(key, permissions::only_key_access(command, args))
    }

    /// Why the rules of a client's user refuse a command, if they do.
    pub(super) fn denied(&self, conn: ConnId, id: CommandId, args: Args<'_>) -> Option<Denied> {
        let client = self.server.clients.get(conn).filter(|client| !client.peer.repeats())?;
        // Who is no more may do nothing.
        let Some(user) = self.server.users.get(client.user) else { return Some(Denied::Command) };
        // The commands of a transaction run where those before them have gone.
        let db = client.multi.as_ref().and_then(|multi| multi.db).unwrap_or(client.db);
        user.check(&Asked { registry: &self.registry, id, args, db, databases: self.server.keyspace.databases() }).err()
    }

    /// Takes note of a refusal, and returns the error that the client is answered with.
    #[cold]
    pub(super) fn note_denied(&mut self, conn: ConnId, id: CommandId, args: Args<'_>, denied: Denied, context: Context) -> Vec<u8> {
        let asked = Asked { registry: &self.registry, id, args, db: 0, databases: 0 };
        let (reason, object) = asked.told(denied);
        let Some(client) = self.server.clients.get(conn) else { return Vec::new() };
        let username = self.server.username(client).to_vec();
        let text = asked.refusal(denied, &username);
        let shown = list::line(&self.server, &self.registry, conn);
        self.server.note_refusal(Refusal { reason, context, object, username }, shown);
        text
    }
}
