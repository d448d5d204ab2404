//! Sessions without sockets, driven by the bytes of a fuzz target or of a property test: what a stranger may send, in any pieces, before and behind
//! the handshake.

use super::{certificate::Certificate, session::Session, verify::Verifier};
use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName},
};
use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

/// A certificate and its key, which are nobody's.
const CERTIFICATE: &[u8] = include_bytes!("../../../tests/fuzz/certificate/cert.der");
const KEY: &[u8] = include_bytes!("../../../tests/fuzz/certificate/key.der");

/// What both ends are made with.
static CONFIGS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    let provider = Arc::new(ring::default_provider());
    let cert = CertificateDer::from(CERTIFICATE);
    let verifier = Verifier::new(vec![cert.clone()], provider.signature_verification_algorithms, true).expect("the authority can be read");
    let verifier = Arc::new(verifier);
    let key = || PrivatePkcs8KeyDer::from(KEY).into();
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().expect("versions");
    let server = server.with_client_cert_verifier(verifier.clone()).with_single_cert(vec![cert.clone()], key()).expect("the key fits");
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let client =
        client.dangerous().with_custom_certificate_verifier(verifier).with_client_auth_cert(vec![cert], key()).expect("the key fits");
    (Arc::new(server), Arc::new(client))
});

fn server() -> Session {
    Session::new(Connection::Server(ServerConnection::new(Arc::clone(&CONFIGS.0)).expect("a server")))
}

/// A client's end, and bytes of its that have not reached the server.
struct Client(ClientConnection);

impl Client {
    fn new() -> Self {
        let name = ServerName::try_from("nobody").expect("a name");
        Self(ClientConnection::new(Arc::clone(&CONFIGS.1), name).expect("a client"))
    }

    /// What it has to send.
    fn output(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.0.wants_write() {
            let _ = self.0.write_tls(&mut bytes);
        }
        bytes
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.0.read_tls(&mut bytes).is_ok_and(|n| n > 0) {
            if self.0.process_new_packets().is_err() {
                return;
            }
        }
    }
}

/// Where bytes are cut: lengths of pieces, over and over.
struct Cuts<'a>(&'a [u16], usize);

impl Cuts<'_> {
    /// Hands bytes over in pieces. What there is of plaintext, and whether all was as it should be.
    fn hand(&mut self, bytes: &[u8], to: &mut Session, plain: &mut Vec<u8>) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = self.0.get(self.1 % self.0.len().max(1)).map_or(rest.len(), |len| usize::from(*len).clamp(1, rest.len()));
            self.1 += 1;
            if to.decrypt(&rest[..len], plain).is_err() {
                return false;
            }
            rest = &rest[len..];
        }
        true
    }
}

/// Takes a handshake to its end, with the client's bytes cut and one of them changed where `flip` says. Whether it has come to its end.
fn shake(server: &mut Session, client: &mut Client, cuts: &mut Cuts<'_>, flip: Option<(usize, u8)>) -> bool {
    let mut sent = 0;
    for _ in 0..8 {
        let mut bytes = client.output();
        if let Some((at, with)) = flip
            && let Some(byte) = at.checked_sub(sent).and_then(|at| bytes.get_mut(at))
        {
            *byte ^= with;
        }
        sent += bytes.len();
        let mut plain = Vec::new();
        if !cuts.hand(&bytes, server, &mut plain) {
            return false;
        }
        assert!(plain.is_empty(), "there is none before the end");
        client.receive(&server.take_ciphertext());
        if !server.is_shaking() && !client.0.is_handshaking() {
            return true;
        }
    }
    false
}

/// Bytes that are no handshake, or the beginning of one, in pieces.
fn before_the_handshake(bytes: &[u8], cuts: &mut Cuts<'_>) {
    let (mut server, mut plain) = (server(), Vec::new());
    cuts.hand(bytes, &mut server, &mut plain);
    assert!(plain.is_empty() && server.is_shaking(), "strangers have no place in it");
}

/// Requests as they go through records that are cut, and one byte of them changed: what comes out is what went in, up to the change.
fn behind_the_handshake(requests: &[&[u8]], cuts: &mut Cuts<'_>, flip: Option<(usize, u8)>, garbage: &[u8]) {
    let (mut server, mut client) = (server(), Client::new());
    assert!(shake(&mut server, &mut client, cuts, None));
    let mut bytes = Vec::new();
    for request in requests {
        let _ = client.0.writer().write_all(request);
        bytes.extend(client.output());
    }
    let is_changed = flip.is_some_and(|(at, with)| {
        let byte = bytes.get_mut(at);
        let is_changed = byte.is_some() && with != 0;
        byte.into_iter().for_each(|byte| *byte ^= with);
        is_changed
    });
    bytes.extend_from_slice(garbage);
    let mut plain = Vec::new();
    cuts.hand(&bytes, &mut server, &mut plain);
    let sent = requests.concat();
    match is_changed {
        true => assert!(sent.starts_with(&plain), "what was changed is not taken for anything"),
        false => assert!(plain == sent, "{} bytes of {}", plain.len(), sent.len()),
    }
    // The client takes what comes of it: an alert, or nothing.
    client.receive(&server.take_ciphertext());
}

/// Anything that a stranger sends to a TLS port, in any pieces. The first byte says what it is; lengths of pieces follow.
pub fn drive(data: &[u8]) {
    let Some((&[what, count, at_high, at_low, with], rest)) = data.split_first_chunk() else { return };
    let (lens, bytes) = rest.split_at(usize::from(count % 16).min(rest.len()));
    let lens: Vec<u16> = lens.iter().map(|len| u16::from(*len) * u16::from(*len) / 2 + 1).collect();
    let mut cuts = Cuts(&lens, 0);
    let flip = (usize::from(at_high) << 8 | usize::from(at_low), with);
    match what % 6 {
        0 => before_the_handshake(bytes, &mut cuts),
        1 => {
            // A whole handshake but for one byte. The client is as rustls makes it.
            let (mut server, mut client) = (server(), Client::new());
            shake(&mut server, &mut client, &mut cuts, Some(flip));
        }
        2 => behind_the_handshake(&bytes.chunks(100).collect::<Vec<_>>(), &mut cuts, Some(flip), &[]),
        3 => behind_the_handshake(&[b"PING\r\n"], &mut cuts, None, bytes),
        4 => behind_the_handshake(&[bytes, &vec![with; flip.0]], &mut cuts, None, &[]),
        _ => {
            Certificate::read(bytes);
            let mut changed = CERTIFICATE.to_vec();
            if let Some(byte) = changed.get_mut(flip.0) {
                *byte ^= with;
            }
            if let Some(cert) = Certificate::read(&changed) {
                let _ = (cert.serial(), cert.common_name(), cert.uris().count(), cert.public_key.len(), cert.not_before <= cert.not_after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_certificate_is_read() {
        let cert = Certificate::read(CERTIFICATE).unwrap();
        assert_eq!((cert.not_before, cert.not_after), (946_684_800, 4_102_444_800));
        assert_eq!(cert.common_name(), Some(&b"nobody"[..]));
        assert_eq!(cert.uris().collect::<Vec<_>>(), [b"urn:nobody"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_split_of_the_bytes_matters(
            requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40_000), 1..6),
            lens in prop::collection::vec(prop_oneof![1..50u16, 1..20_000u16], 0..8),
        ) {
            let requests: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
            behind_the_handshake(&requests, &mut Cuts(&lens, 0), None, &[]);
        }

        #[test]
        fn a_changed_byte_lets_nothing_through(
            requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2_000), 1..6),
            lens in prop::collection::vec(1..5_000u16, 0..8),
            at in 0..12_000usize,
            with in 1..=255u8,
        ) {
            let requests: Vec<&[u8]> = requests.iter().map(Vec::as_slice).collect();
            behind_the_handshake(&requests, &mut Cuts(&lens, 0), Some((at, with)), &[]);
        }

        #[test]
        fn no_change_of_a_handshake_makes_it_panic(at in 0..2_000usize, with in 1..=255u8, lens in prop::collection::vec(1..500u16, 0..8)) {
            shake(&mut server(), &mut Client::new(), &mut Cuts(&lens, 0), Some((at, with)));
        }

        #[test]
        fn nothing_that_is_sent_makes_it_panic(data in prop::collection::vec(any::<u8>(), 0..3_000)) {
            drive(&data);
        }
    }
}
