//! What a connection has beside its socket when it is encrypted.
//!
//! Nothing that lies here may be forgotten, since no edge of the poll tells of it: plaintext that the engine has not taken keeps its connection in the
//! ready queue or waits for [`Action::Read`](crate::state::Action::Read), and ciphertext that the socket has not taken is sent when that is writable
//! again, though the engine may have nothing to send.

use crate::reactor::socket::Socket;
use rustls::{Connection, pki_types::CertificateDer};
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};

/// Bytes of ciphertext, about, that may lie here: four records, which leave in one system call.
const UNSENT_BYTES: usize = 64 * 1024;

/// One encrypted connection.
pub struct Session {
    connection: Connection,
    /// Plaintext that the engine did not want yet: what is left of one read at most.
    pub held: Vec<u8>,
    /// The other end has said, or shown, that nothing more will come.
    pub has_ended: bool,
    /// It has sent something, which looked like TLS.
    has_begun: bool,
    /// What it sent first did not: it is told nothing, since it would take that for a reply.
    is_foreign: bool,
}

/// The first byte of the record that a client's handshake begins with.
const HANDSHAKE_RECORD: u8 = 22;

/// What one read has brought.
pub struct Inflow {
    /// It filled the buffer: there may be more in the socket.
    pub is_full: bool,
}

/// A socket as something that rustls writes to.
struct Wire<'a>(&'a mut Socket);

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Session {
    pub(super) fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(UNSENT_BYTES));
        Self { connection, held: Vec::new(), has_ended: false, has_begun: false, is_foreign: false }
    }

    /// Whether the handshake is not over.
    pub fn is_shaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether ciphertext waits for the socket.
    #[inline]
    pub fn has_unsent(&self) -> bool {
        self.connection.wants_write()
    }

    /// The certificate that the other end has shown.
    pub fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.connection.peer_certificates()?.first()
    }

    /// Reads once by way of `cipher`, and puts what there is of plaintext behind what is in `plain`: no more than was read, and what a record holds.
    pub fn read(&mut self, socket: &mut Socket, cipher: &mut [u8], plain: &mut Vec<u8>) -> io::Result<Inflow> {
        let n = socket.read(cipher)?;
        match n {
            0 => self.has_ended = true,
            _ => self.decrypt(&cipher[..n], plain)?,
        }
        Ok(Inflow { is_full: n == cipher.len() })
    }

    /// Takes ciphertext, all of it, and puts what there is of plaintext behind what is in `plain`; that of the records before one
    /// that is an error, too.
    pub(super) fn decrypt(&mut self, mut cipher: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        if !self.has_begun && matches!(self.connection, Connection::Server(_)) && cipher.first() != Some(&HANDSHAKE_RECORD) {
            self.is_foreign = true;
            return Err(io::Error::other("it does not speak TLS"));
        }
        self.has_begun = true;
        // rustls takes some kilobytes at a time.
        while !cipher.is_empty() && !self.has_ended {
            if self.connection.read_tls(&mut cipher)? == 0 {
                self.has_ended = true;
            }
            let processed = self.connection.process_new_packets();
            // What came in front of a record that is none counts, wherever the bytes were cut.
            let mut reader = self.connection.reader();
            while let Ok(chunk) = reader.fill_buf()
                && !chunk.is_empty()
            {
                let n = chunk.len();
                plain.extend_from_slice(chunk);
                reader.consume(n);
            }
            self.has_ended |= processed.map_err(io::Error::other)?.peer_has_closed();
        }
        Ok(())
    }

    /// Sends ciphertext that waits. Whether all is sent.
    pub fn flush(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Wire(socket)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => (),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends from these pieces, which are not empty. Returns how many of their bytes were taken, which may still lie here; none before what lies here is sent.
    pub fn write_vectored(&mut self, socket: &mut Socket, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.flush(socket)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = self.connection.writer().write_vectored(pieces)?;
        if n == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        self.flush(socket)?;
        Ok(n)
    }

    /// What it has to send.
    #[cfg(any(test, fuzzing))]
    pub(super) fn take_ciphertext(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() && self.connection.write_tls(&mut bytes).is_ok() {}
        bytes
    }

    /// Tells the other end that nothing more will come, if it can be told without waiting.
    pub fn say_goodbye(&mut self, socket: &mut Socket) {
        if self.is_foreign {
            return;
        }
        self.connection.send_close_notify();
        let _ = self.flush(socket);
    }
}
