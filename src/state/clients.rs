//! The table of connections: clients, and servers that we have connected to ourselves.

use super::{client::Client, conn_id::ConnId};

/// What is known of each connection. Servers that keys are moved to are found by their connections only: they are no clients.
#[derive(Default)]
pub struct Clients {
    slots: Vec<Option<Box<Client>>>,
    /// What executes the commands of a file ([`ConnId::FILE`]).
    file: Option<Box<Client>>,
    /// What executes the commands of scripts ([`ConnId::SCRIPT`]).
    script: Option<Box<Client>>,
    /// What has left amid its transaction ([`ConnId::LEFT`]).
    left: Option<Box<Client>>,
    /// Number of clients.
    len: usize,
    /// Where [`Clients::some_in_turn`] goes on.
    next: usize,
}

impl Clients {
    /// Number of clients.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is known of a connection.
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Client> {
        match self.slots.get(id.0 as usize) {
            Some(slot) => slot.as_deref(),
            None if id == ConnId::SCRIPT => self.script.as_deref(),
            None if id == ConnId::LEFT => self.left.as_deref(),
            None => self.file.as_deref().filter(|_| id == ConnId::FILE),
        }
    }

    /// What is known of a connection.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Client> {
        match self.slots.get_mut(id.0 as usize) {
            Some(slot) => slot.as_deref_mut(),
            None if id == ConnId::SCRIPT => self.script.as_deref_mut(),
            None if id == ConnId::LEFT => self.left.as_deref_mut(),
            None => self.file.as_deref_mut().filter(|_| id == ConnId::FILE),
        }
    }

    /// Sets what executes the commands of a file, or forgets it.
    pub fn set_file_client(&mut self, client: Option<Client>) {
        self.file = client.map(Box::new);
    }

    /// What executes the commands of scripts: made once.
    pub fn script_client(&mut self, new: impl FnOnce() -> Client) -> &mut Client {
        self.script.get_or_insert_with(|| Box::new(new()))
    }

    /// Sets what has left amid its transaction. There is at most one, since nobody else's is executed meanwhile.
    pub fn set_left_client(&mut self, client: Client) {
        debug_assert!(self.left.is_none());
        self.left = Some(Box::new(client));
    }

    /// Adds a connection that has just been made.
    pub fn insert(&mut self, id: ConnId, client: Client) {
        let index = id.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        debug_assert!(self.slots[index].is_none());
        self.len += usize::from(client.peer.is_client());
        self.slots[index] = Some(Box::new(client));
    }

    /// Takes a connection out.
    pub fn remove(&mut self, id: ConnId) -> Option<Box<Client>> {
        if id == ConnId::LEFT {
            return self.left.take();
        }
        let client = self.slots.get_mut(id.0 as usize)?.take()?;
        self.len -= usize::from(client.peer.is_client());
        Some(client)
    }

    /// All clients.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Client)> {
        self.slots.iter().enumerate().filter_map(|(i, c)| Some((ConnId(i as u32), c.as_deref().filter(|c| c.peer.is_client())?)))
    }

    /// All clients.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ConnId, &mut Client)> {
        self.slots.iter_mut().enumerate().filter_map(|(i, c)| Some((ConnId(i as u32), c.as_deref_mut().filter(|c| c.peer.is_client())?)))
    }

    /// Up to `most` clients, others each time until all have had their turn.
    pub fn some_in_turn(&mut self, most: usize) -> Vec<ConnId> {
        let (all, from) = (self.slots.len(), self.next);
        let some = (0..all.min(most)).map(|i| (from + i) % all);
        let found = some.filter(|i| self.slots[*i].as_ref().is_some_and(|c| c.peer.is_client())).map(|i| ConnId(i as u32)).collect();
        self.next = if all == 0 { 0 } else { (from + most.min(all)) % all };
        found
    }

    /// The connection whose client has this CLIENT ID.
    pub fn by_id(&self, id: u64) -> Option<ConnId> {
        self.iter().find(|(_, c)| c.id == id).map(|(conn, _)| conn)
    }
}
