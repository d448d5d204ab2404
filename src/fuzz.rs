//! Entry points of the fuzz targets: what they are handed is what a stranger could send.

use crate::{
    config::{Config, Environment, Sources, split_args},
    data::entry::NEVER,
    persist::rdb::{Decoder, Event, Options, RdbError, payload},
    resp::request::{Limits, Parser},
};
use std::{
    io,
    path::{Path, PathBuf},
};

const LIMITS: Limits = Limits { bulk_max: 1 << 16, authenticated: true };

/// Requests of a byte stream, in whole and byte by byte: both ways must find the same.
pub fn request(data: &[u8]) {
    assert_eq!(requests(data.chunks(data.len().max(1))), requests(data.chunks(1)));
}

fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<Vec<u8>>>, bool) {
    let (mut parser, mut buf, mut all) = (Parser::new(split_args), Vec::new(), Vec::new());
    for mut piece in pieces {
        while parser.fill_missing() > 0 && !piece.is_empty() {
            let missing = parser.fill_missing();
            let Some(target) = parser.fill_target() else { break };
            let n = missing.min(piece.len()).min(target.capacity() - target.len());
            target.extend_from_slice(&piece[..n]);
            piece = &piece[n..];
            parser.filled();
        }
        buf.extend_from_slice(piece);
        let result = parser.parse(&buf, usize::MAX, LIMITS);
        let count = parser.requests();
        all.extend((0..count).map(|i| parser.args(parser.request(i), &buf).iter().map(<[u8]>::to_vec).collect()));
        let done = parser.rebase(count);
        buf.drain(..done);
        if result.is_err() {
            return (all, true);
        }
    }
    (all, false)
}

struct Nowhere;

impl Environment for Nowhere {
    fn read(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn read_stdin(&mut self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn glob(&mut self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// A configuration file. What is read from it must survive being rewritten.
pub fn config(data: &[u8]) {
    let sources = |text: &[u8]| Sources { options: text.to_vec(), ..Sources::default() };
    if let Ok(loaded) = Config::load(&sources(data), &mut Nowhere) {
        let text = loaded.config.rewrite(data);
        let again = Config::load(&sources(&text), &mut Nowhere);
        assert!(again.is_ok_and(|again| again.config == loaded.config));
    }
}

/// An RDB stream, in whole and in pieces: both ways must say the same, and end at the same place.
pub fn rdb(data: &[u8]) {
    let known = Options { verify: false, size: Some(data.len() as u64) };
    let pieces = data.first().map_or(1, |first| usize::from(*first) % 7 + 1);
    assert_eq!(rdb_events(&mut data.chunks(data.len().max(1)), known), rdb_events(&mut data.chunks(pieces), known));
    // Without a size, and with a checksum that is hardly ever right.
    let _ = rdb_events(&mut data.chunks(data.len().max(1)), Options::default()).1;
    let _ = payload::restore(data, b"key", NEVER);
}

fn rdb_events(pieces: &mut dyn Iterator<Item = &[u8]>, options: Options) -> (Vec<String>, Result<(), RdbError>) {
    let (mut decoder, mut all) = (Decoder::new(options), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                // A value is the same however its bytes are kept.
                Ok(Some(Event::Key(key))) => {
                    let (deadline, idle, frequency) = (key.deadline, key.idle_seconds, key.frequency);
                    let entry = key.into_entry();
                    all.push(format!("{:?} {deadline} {idle:?} {frequency:?} {:?}", entry.key(), payload::dump(&entry, false)));
                }
                Ok(Some(event)) => all.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
    }
    (all, decoder.finish())
}
