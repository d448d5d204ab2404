//! From bytes to requests: what has arrived is parsed in batches, looked ahead, and executed in order.

use super::Engine;
use crate::{
    commands::{command::flags, registry::Lookup},
    config::{UserData, split_args},
    data::object::Near,
    resp::{
        output::Output,
        request::{Args, InputBuffer, PIECE_MAX, Parser, ProtocolError, RequestLimits},
    },
    state::{Action, ConnId, Peer, client::Pending},
};

/// Requests parsed and looked ahead at a time: enough to hide the latency of memory, few enough that what was fetched is still cached.
const BATCH: usize = 32;

/// Where a connection's next bytes belong.
pub enum Fill<'a> {
    /// Anywhere: hand them to [`Engine::receive`].
    Shared,
    /// Into this room, which is not empty: then tell [`Engine::filled`].
    Own(&'a mut [u8]),
}

/// Bytes of held-back requests that are executed in one go: what is read at a time is less.
const RUN_BYTES: usize = 64 * 1024;
/// Bytes of output beyond which its limit is looked at after every command, not only behind the last one of a batch.
const CHECKED_BYTES: usize = 256 * 1024;

/// Bytes that a parser may hold to be kept for the next connection that needs one.
const SPARE_PARSER_MAX: usize = 64 * 1024;

/// What look-ahead learned of a request.
#[derive(Clone, Copy)]
struct Ahead {
    lookup: Lookup,
    /// Argument index of its first key (0: none), and that key's hash.
    hashed: (usize, u64),
    /// Argument index of the element that it looks for in the collection at that key (0: none).
    element: usize,
}

impl Engine {
    /// Where the next bytes of a connection belong.
    pub fn fill_target(&mut self, conn: ConnId) -> Fill<'_> {
        let pending = self.server.clients.get_mut(conn).and_then(|client| client.pending.as_mut());
        pending.and_then(|pending| pending.parser.fill_target()).map_or(Fill::Shared, Fill::Own)
    }

    /// Says that `n` bytes have been read into the connection's own buffer.
    pub fn filled(&mut self, conn: ConnId, n: usize) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        client.net_in += n as u64;
        client.active_ms = self.server.mono_ms;
        self.server.stats.net_in += n as u64;
        self.server.stats.reads += 1;
        let Some(mut pending) = client.pending.take() else { return };
        pending.parser.filled(n);
        self.advance(conn, pending);
        self.after_input(conn);
    }

    /// Takes bytes that have arrived. What is whole is executed; what is not is kept.
    pub fn receive(&mut self, conn: ConnId, data: &[u8]) {
        self.take_in(conn, data);
        self.after_input(conn);
    }

    /// Clients may take too much memory by now.
    #[inline(always)]
    fn after_input(&mut self, conn: ConnId) {
        if self.server.client_memory.is_limited {
            self.server.note_client_memory(conn);
            self.server.evict_clients();
        }
    }

    #[inline(always)]
    fn take_in(&mut self, conn: ConnId, data: &[u8]) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        if let Peer::Target(_) = client.peer {
            return self.server.link_heard(conn, data);
        }
        client.net_in += data.len() as u64;
        client.active_ms = self.server.mono_ms;
        self.server.stats.net_in += data.len() as u64;
        self.server.stats.reads += 1;
        if client.closing() {
            return;
        }
        if client.peer.is_primary() {
            return self.receive_upstream(conn, data);
        }
        let Some(mut pending) = client.pending.take() else {
            let mut parser = self.spare_parser.take().map_or_else(|| Parser::new(split_args), |p| *p);
            let done = self.run(conn, &mut parser, data);
            if done == data.len() && parser.is_at_start() {
                return self.spare(parser);
            }
            let mut buf = InputBuffer::default();
            buf.extend(&data[done..]);
            return self.keep(conn, Box::new(Pending { parser, buf }));
        };
        // Bytes of a big argument that did not come straight into its buffer.
        let taken = if pending.parser.is_filling() { pending.parser.fill(data) } else { 0 };
        pending.buf.extend(&data[taken..]);
        self.advance(conn, pending);
    }

    /// Goes on with requests that were held back.
    pub(super) fn resume(&mut self, conn: ConnId) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        if client.blocked.is_some() || client.closing() {
            return;
        }
        if let Some(pending) = client.pending.take() {
            self.advance(conn, pending);
            self.after_input(conn);
        }
        // If there was more than is kept of one that waits, the rest has not been read.
        self.server.actions.push_back(Action::Read(conn));
    }

    /// Executes what is whole of a connection's input and keeps the rest.
    fn advance(&mut self, conn: ConnId, mut pending: Box<Pending>) {
        let done = self.run(conn, &mut pending.parser, pending.buf.bytes());
        pending.buf.consume(done);
        if pending.buf.is_empty() && pending.parser.is_at_start() {
            return self.spare(pending.parser);
        }
        self.keep(conn, pending);
    }

    /// Keeps a parser at the start of a request for the next connection that needs one. One that has grown for a huge request is freed.
    fn spare(&mut self, parser: Parser) {
        if parser.memory() <= SPARE_PARSER_MAX {
            self.spare_parser.get_or_insert_with(|| Box::new(parser));
        }
    }

    /// Keeps the rest of a connection's input, unless it is never to be executed.
    fn keep(&mut self, conn: ConnId, pending: Box<Pending>) {
        if let Some(client) = self.server.clients.get_mut(conn)
            && !client.closing()
        {
            client.pending = Some(pending);
            self.limit_input(conn);
        }
    }

    /// Closes a client whose unexecuted input is beyond `client-query-buffer-limit`.
    pub(super) fn limit_input(&mut self, conn: ConnId) {
        /// Bytes of the input that the log shows.
        const SHOWN_BYTES: usize = 64;
        let limit = self.server.config.client_query_buffer_limit;
        let Some(client) = self.server.clients.get(conn).filter(|c| !c.peer.repeats()) else { return };
        if client.input_bytes() > limit {
            let input = client.pending.as_ref().map_or(&[][..], |pending| pending.buf.bytes());
            let begins = input[..input.len().min(SHOWN_BYTES)].escape_ascii().to_string();
            let begins = UserData(begins.as_bytes());
            log::warn!(
                "Closing client that reached max query buffer length: id={} addr={} (qbuf initial bytes: \"{begins}\")",
                client.id,
                client.origin.addr
            );
            self.server.stats.input_limit_closes += 1;
            self.server.close(conn, false);
        }
    }

    /// Executes the whole requests of `buf`, and returns how many of its bytes are done with.
    fn run(&mut self, conn: ConnId, parser: &mut Parser, buf: &[u8]) -> usize {
        let mut base = 0;
        loop {
            let input = &buf[base..];
            let Some(client) = self.server.clients.get(conn) else { return buf.len() };
            if client.blocked.is_some() || client.closing() {
                return base;
            }
            let limits = RequestLimits {
                bulk_max: self.server.config.proto_max_bulk_len as i64,
                authenticated: !self.server.wants_password(client),
            };
            // Before it has authenticated a client is held to smaller requests, so each one may change what the next may be.
            let most = if limits.authenticated { BATCH } else { 1 };
            // Requests that were held back, or whose last argument has come by itself, come first; what lies behind them has not been looked at.
            let held = parser.requests() > 0;
            let result = if held { Ok(()) } else { parser.parse(input, most, limits) };
            let count = parser.requests();
            if count == 0 {
                if let Err(error) = result {
                    self.end_with_error(conn, error);
                    return buf.len();
                }
                return base + parser.rebase(0);
            }
            let done = self.execute(conn, parser, input);
            base += parser.rebase(done);
            if base >= RUN_BYTES && done == count {
                self.resumable.push_back(conn);
                return base;
            }
            // A request in front of the error may have changed the limits: it is parsed once more.
            if done < count || count < most && !held && result.is_ok() && input.len() <= PIECE_MAX {
                return base;
            }
        }
    }

    /// Answers a protocol error, and ends the connection.
    #[cold]
    fn end_with_error(&mut self, conn: ConnId, error: ProtocolError) {
        let Some(client) = self.server.clients.get_mut(conn) else { return };
        client.out.error([b"ERR ", &error.text()[..]].concat());
        self.server.stats.errors += 1;
        log::debug!("Protocol error ({error}) from client");
        self.server.close(conn, true);
    }

    /// What no log has is not executed from a file: it is not about data, and may be about anything else.
    fn pass_over_foreign(&self, ahead: &mut [Ahead]) {
        const LOGGED: u64 = flags::WRITE | flags::MAY_REPLICATE;
        for a in ahead {
            if let Lookup::Found(id) = a.lookup
                && let command = self.registry.get(id)
                && command.flags & LOGGED == 0
                && !["select", "multi", "exec", "discard"].contains(&command.name)
            {
                a.lookup = Lookup::Foreign;
            }
        }
    }

    /// Executes the parsed requests in order until the client has to wait or is closed; returns how many. Those of our primary only up to what begins
    /// or ends a transaction.
    pub(super) fn execute(&mut self, conn: ConnId, parser: &Parser, input: &[u8]) -> usize {
        let count = parser.requests();
        let Some(client) = self.server.clients.get_mut(conn) else { return 0 };
        let db = client.db;
        // Replies to our primary's commands are dropped; what we send it ourselves stays in its output.
        let unheard = client.peer.repeats();
        let in_multi = client.multi.is_some();
        let between = Output::new(client.out.protocol);
        let mut out = if unheard { Output::default() } else { std::mem::replace(&mut client.out, between) };
        out.lend(&mut self.buffers);
        let mut ahead = [Ahead { lookup: Lookup::Unknown, hashed: (0, 0), element: 0 }; BATCH];
        let ahead = &mut ahead[..count];
        // Requests in a row are often of one kind: the name is looked up for the first of them.
        let (mut lookup, mut is_of_all_alike) = (Lookup::Unknown, false);
        for (i, a) in ahead.iter_mut().enumerate() {
            let request = parser.request(i);
            let args = parser.args(request, input);
            if !(is_of_all_alike && request.begins_alike()) {
                lookup = self.registry.resolve(&args);
                is_of_all_alike = self.registry.is_named_by_first(lookup);
            }
            *a = self.look_ahead(db, lookup, &args, count > 1);
        }
        if conn == ConnId::FILE {
            self.pass_over_foreign(ahead);
        }
        if count > 1 {
            for a in ahead.iter().filter(|a| a.hashed.0 != 0) {
                self.server.keyspace.prefetch_entry(db, a.hashed.1);
            }
            if ahead.iter().any(|a| a.element != 0) {
                self.look_inside(db, parser, input, ahead);
            }
        }
        let mut ordinary = self.is_ordinary(conn);
        // Errors counted since the last command belong to no command.
        self.errors_before = self.server.stats.errors;
        let mut done = 0;
        for (i, a) in ahead.iter().enumerate() {
            let args = parser.args(parser.request(i), input);
            let plain = ordinary;
            if !self.process(conn, a.lookup, args, a.hashed, &mut out, &mut ordinary) {
                break;
            }
            done += 1;
            // As a rule there is nothing more to look at.
            if plain && ordinary && !unheard && out.len() < CHECKED_BYTES {
                continue;
            }
            if out.len() >= CHECKED_BYTES && !unheard {
                self.give_output(conn, out);
                self.after_input(conn);
                let Some(client) = self.server.clients.get_mut(conn) else { return done };
                if client.closing() {
                    return done;
                }
                let between = Output::new(client.out.protocol);
                out = std::mem::replace(&mut client.out, between);
            }
            if !(unheard || plain && ordinary) {
                self.interleave(conn, &mut out);
            }
            if (!ordinary || unheard)
                && self
                    .server
                    .clients
                    .get(conn)
                    .is_none_or(|c| c.blocked.is_some() || c.closing() || unheard && c.multi.is_some() != in_multi)
            {
                break;
            }
        }
        self.give_output(conn, out);
        done
    }

    /// Puts what a command has sent its own client by another way (a message that it listens to) behind the command's reply, and in front
    /// of the next one's.
    fn interleave(&mut self, conn: ConnId, out: &mut Output) {
        if let Some(client) = self.server.clients.get_mut(conn)
            && !client.out.is_empty()
        {
            let between = Output::new(out.protocol);
            out.append(std::mem::replace(&mut client.out, between));
        }
    }

    #[inline(always)]
    fn look_ahead(&mut self, db: usize, lookup: Lookup, args: &Args<'_>, prefetch: bool) -> Ahead {
        let (mut hashed, mut element) = ((0, 0), 0);
        if let Lookup::Found(id) = lookup
            && let command = self.registry.get(id)
            && let Some(at) = command.first_key()
            && at < args.len()
        {
            element = if command.element < args.len() { command.element } else { 0 };
            hashed = (at, self.server.keyspace.hash(args.get(at)));
            if prefetch {
                self.server.keyspace.prefetch_bucket(db, hashed.1);
            }
        }
        Ahead { lookup, hashed, element }
    }

    /// Prefetches what the requests will look for in large collections: their tables miss the cache as the keyspace does.
    #[inline(never)]
    fn look_inside(&self, db: usize, parser: &Parser, input: &[u8], ahead: &[Ahead]) {
        let mut near = [const { None }; BATCH];
        // Requests in a row are often about one key. Where the hashes only collide, a line is prefetched that is not needed, and nothing else happens.
        let mut last = (0, None);
        for (i, (a, near)) in ahead.iter().zip(&mut near).enumerate().filter(|(_, (a, _))| a.element != 0) {
            let args = parser.args(parser.request(i), input);
            let hash = a.hashed.1;
            if last.0 != hash {
                last = (hash, self.server.keyspace.glance(db, hash, args.get(a.hashed.0)));
            }
            *near = last.1.and_then(|object| object.prefetch(args.get(a.element)));
        }
        near.iter().flatten().for_each(Near::prefetch);
    }
}
