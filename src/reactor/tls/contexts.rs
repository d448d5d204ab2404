//! From settings to what new connections are made with.

use super::{certificate::Certificate, files, session::Session, sessions::Sessions, verify::Verifier};
use crate::config::{Config, TLS12_CIPHERS, TLS13_CIPHERS, TlsAuthClients, TlsAuthClientsUser, TlsVersions, tls12_ciphers, tls13_ciphers};
use crate::state::{CertificateFacts, TlsFacts};
use rustls::{
    CipherSuiteCommon, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion, Tls12CipherSuite,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName},
    server::{NoServerSessionStorage, StoresServerSessions},
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use std::{
    fs, iter,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::{SystemTime, UNIX_EPOCH},
};

/// Tickets for resumption that a client of TLS 1.3 is given: as many as OpenSSL gives.
const TICKETS: usize = 2;

/// What new connections are made with.
#[derive(Default)]
pub struct Tls {
    server: Option<Arc<ServerConfig>>,
    client: Option<Arc<ClientConfig>>,
    names: Option<TlsAuthClientsUser>,
    facts: Option<TlsFacts>,
    /// The files and directories that were read.
    read: Vec<String>,
    /// The same as they were then, and the files of the directories.
    stamps: Vec<Stamp>,
    /// Monotonic milliseconds at which the files are looked at again.
    look_at_ms: u64,
}

/// A file as it was: its path, and what changes with it.
#[derive(PartialEq)]
struct Stamp(PathBuf, Option<(u64, i64, i64, u64)>);

impl Stamp {
    fn of(path: PathBuf) -> Self {
        let seen = fs::metadata(&path).ok().map(|data| (data.ino(), data.mtime(), data.mtime_nsec(), data.len()));
        Self(path, seen)
    }

    /// Those of files and directories, and of what lies in the directories.
    fn of_all(paths: &[String]) -> Vec<Self> {
        let inside = |path: &String| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut stamps: Vec<Self> = paths.iter().flat_map(|path| iter::once(path.into()).chain(inside(path))).map(Self::of).collect();
        // A directory has its entries in any order.
        stamps.sort_by(|one, other| one.0.cmp(&other.0));
        stamps
    }
}

/// Whether the settings ask for TLS anywhere.
fn is_wanted(config: &Config) -> bool {
    config.tls_port != 0 || config.tls_replication || config.tls_cluster
}

fn set(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|value| !value.is_empty())
}

impl Tls {
    /// Takes the settings, if they ask for TLS. The log has the reason why they cannot be taken; those from before stay then.
    pub fn configure(&mut self, config: &Config) -> Result<(), String> {
        if !is_wanted(config) {
            return Ok(());
        }
        *self = Self::new(config).inspect_err(|reason| log::warn!("{reason}"))?;
        self.warnings().iter().for_each(|warning| log::warn!("{warning}"));
        Ok(())
    }

    /// What is wrong with the certificates that are in use, although they can be.
    fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let facts = self.facts.iter();
        let all = facts.flat_map(|facts| [("server", &facts.server), ("client", &facts.client), ("authority", &facts.authority)]);
        let shown = all.filter_map(|(what, cert)| cert.as_ref().map(|cert| (what, cert)));
        let expired = shown.filter(|(_, cert)| cert.not_after < now);
        expired
            .map(|(what, cert)| format!("WARNING: the {what}'s TLS certificate with serial number {} has expired", cert.serial))
            .collect()
    }

    /// The certificates that are in use, if any are.
    pub fn facts(&self) -> Option<&TlsFacts> {
        self.facts.as_ref()
    }

    fn new(config: &Config) -> Result<Self, String> {
        let cert_file = set(&config.tls_cert_file).ok_or("No tls-cert-file configured!")?;
        let key_file = set(&config.tls_key_file).ok_or("No tls-key-file configured!")?;
        let (ca_file, ca_dir) = (set(&config.tls_ca_cert_file), set(&config.tls_ca_cert_dir));
        let trusts = config.tls_auth_clients != TlsAuthClients::No || config.tls_replication || config.tls_cluster;
        if trusts && ca_file.is_none() && ca_dir.is_none() {
            return Err(
                "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients \
                        are enabled!"
                    .to_owned(),
            );
        }
        let client_cert_file = set(&config.tls_client_cert_file);
        let client_key_file = set(&config.tls_client_key_file);
        if client_cert_file.is_some() != client_key_file.is_some() {
            return Err("tls-client-cert-file and tls-client-key-file go together".to_owned());
        }
        let read = [Some(cert_file), Some(key_file), client_cert_file, client_key_file, ca_file, ca_dir];
        let read: Vec<String> = read.into_iter().flatten().map(str::to_owned).collect();
        // Before they are read: what changes meanwhile is seen later.
        let stamps = Stamp::of_all(&read);
        let mut trusted = ca_file.map(files::certificates).transpose()?.unwrap_or_default();
        trusted.extend(ca_dir.map(files::certificates_of_dir).transpose()?.unwrap_or_default());

        let provider = provider(config)?;
        let versions = versions(config)?;
        let text = |error: rustls::Error| error.to_string();
        let server_key = certified(&provider, cert_file, key_file, config.tls_key_file_pass.as_deref())?;
        let client_key = match client_cert_file.zip(client_key_file) {
            None => Arc::clone(&server_key),
            Some((cert, key)) => certified(&provider, cert, key, config.tls_client_key_file_pass.as_deref())?,
        };
        let facts = TlsFacts {
            server: server_key.cert.first().and_then(facts_of),
            client: client_cert_file.and_then(|_| client_key.cert.first()).and_then(facts_of),
            authority: trusted.iter().filter_map(facts_of).min_by_key(|cert| cert.not_after),
        };
        let algorithms = provider.signature_verification_algorithms;
        let is_mandatory = config.tls_auth_clients == TlsAuthClients::Yes;
        let verifier = Arc::new(Verifier::new(trusted, algorithms, is_mandatory)?);

        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions).map_err(text)?;
        let builder = match config.tls_auth_clients {
            TlsAuthClients::No => builder.with_no_client_auth(),
            TlsAuthClients::Yes | TlsAuthClients::Optional => builder.with_client_cert_verifier(verifier.clone()),
        };
        let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&server_key))));
        server.ignore_client_order = config.tls_prefer_server_ciphers;
        let (sessions, tickets): (Arc<dyn StoresServerSessions>, _) = match config.tls_session_caching {
            true => (Arc::new(Sessions::new(config.tls_session_cache_size, config.tls_session_cache_timeout)), TICKETS),
            false => (Arc::new(NoServerSessionStorage {}), 0),
        };
        (server.session_storage, server.send_tls13_tickets) = (sessions, tickets);

        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).map_err(text)?;
        let mut client = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client_key)));
        client.enable_sni = false;
        client.resumption = Resumption::disabled();

        Ok(Self {
            server: Some(Arc::new(server)),
            client: Some(Arc::new(client)),
            names: Some(config.tls_auth_clients_user),
            facts: Some(facts),
            read,
            stamps,
            look_at_ms: 0,
        })
    }

    /// Looks whether files have changed since they were read, every so many seconds, and takes what they say then. What cannot be taken leaves what there
    /// is (`tls-auto-reload-interval`).
    pub fn look_at_files(&mut self, config: &Config, mono_ms: u64) {
        if config.tls_auto_reload_interval == 0 || mono_ms < self.look_at_ms || self.server.is_none() {
            return;
        }
        let next_ms = mono_ms + u64::from(config.tls_auto_reload_interval) * 1000;
        let stamps = Stamp::of_all(&self.read);
        if stamps != self.stamps {
            match self.configure(config) {
                Ok(()) => log::info!("TLS certificates have changed and are read again"),
                Err(_) => {
                    log::warn!("TLS certificates have changed and cannot be used: those from before stay");
                    // It is said once, and they may be half copied.
                    self.stamps = stamps;
                }
            }
        }
        self.look_at_ms = next_ms;
    }

    /// The session of a connection that has come in.
    pub fn accept(&self) -> Result<Session, String> {
        let config = self.server.as_ref().ok_or("TLS is not configured")?;
        let connection = ServerConnection::new(Arc::clone(config)).map_err(|error| error.to_string())?;
        Ok(Session::new(Connection::Server(connection)))
    }

    /// The session of a connection that we make.
    pub fn connect(&self, to: IpAddr) -> Result<Session, String> {
        let config = self.client.as_ref().ok_or("TLS is not configured")?;
        // Neither sent nor compared with anything.
        let name = ServerName::IpAddress(to.into());
        let connection = ClientConnection::new(Arc::clone(config), name).map_err(|error| error.to_string())?;
        Ok(Session::new(Connection::Client(connection)))
    }

    /// The names of users that a client's certificate may stand for, the best one first (`tls-auth-clients-user`).
    pub fn user_names(&self, cert: &CertificateDer<'_>) -> Vec<Vec<u8>> {
        let Some(cert) = Certificate::read(cert) else { return Vec::new() };
        match self.names {
            None | Some(TlsAuthClientsUser::Off) => Vec::new(),
            Some(TlsAuthClientsUser::CommonName) => cert.common_name().map(<[u8]>::to_vec).into_iter().collect(),
            Some(TlsAuthClientsUser::Uri) => cert.uris().map(<[u8]>::to_vec).collect(),
        }
    }
}

/// Whether the settings for TLS can be taken, if they ask for it: the reason why not, or what those who use it should know.
pub fn check(config: &Config) -> Result<Vec<String>, String> {
    if is_wanted(config) { Tls::new(config).map(|tls| tls.warnings()) } else { Ok(Vec::new()) }
}

fn versions(config: &Config) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let versions = TlsVersions::parse(config.tls_protocols.as_deref().unwrap_or_default())?;
    Ok([(versions.v12, &TLS12), (versions.v13, &TLS13)]
        .into_iter()
        .filter(|(is_wanted, _)| *is_wanted)
        .map(|(_, version)| version)
        .collect())
}

fn facts_of(der: &CertificateDer<'_>) -> Option<CertificateFacts> {
    Certificate::read(der).map(|cert| CertificateFacts { serial: cert.serial(), not_after: cert.not_after })
}

/// What does the arithmetic, with the ciphers that the settings want, in their order.
fn provider(config: &Config) -> Result<Arc<CryptoProvider>, String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let wanted = tls13_ciphers(&text(&config.tls_ciphersuites))?.into_iter().chain(tls12_ciphers(&text(&config.tls_ciphers))?);
    let cipher_suites = wanted.filter_map(suite).collect();
    Ok(Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() }))
}

/// Records that may be encrypted with one key of AES-GCM under TLS 1.2, which has no way to take another: rustls closes the connection then. Its own limit
/// is for records of 16 KiB, and lower by so much that a client with small replies would lose its connection every few minutes; OpenSSL has none.
const TLS12_RECORDS: u64 = 1 << 32;

/// A suite with that limit. There are six of them, made once.
fn with_limit(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls12(suite) = suite else { return suite };
    let common = CipherSuiteCommon { confidentiality_limit: TLS12_RECORDS, ..suite.common };
    let Tls12CipherSuite { prf_provider, kx, sign, aead_alg, .. } = *suite;
    SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite { common, prf_provider, kx, sign, aead_alg })))
}

/// All suites that there are.
static SUITES: LazyLock<Vec<(&str, SupportedCipherSuite)>> = LazyLock::new(|| {
    let names = TLS13_CIPHERS.iter().chain(&TLS12_CIPHERS);
    names.filter_map(|name| known(name).map(|suite| (*name, with_limit(suite)))).collect()
});

/// The suite that OpenSSL calls by this name.
fn suite(name: &str) -> Option<SupportedCipherSuite> {
    SUITES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite)
}

/// The same as rustls has it.
fn known(name: &str) -> Option<SupportedCipherSuite> {
    use ring::cipher_suite as suites;
    Some(match name {
        "TLS_AES_256_GCM_SHA384" => suites::TLS13_AES_256_GCM_SHA384,
        "TLS_CHACHA20_POLY1305_SHA256" => suites::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_AES_128_GCM_SHA256" => suites::TLS13_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384" => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305" => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256" => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256" => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        _ => return None,
    })
}

/// A certificate with its chain, and the key to it. They are compared here and not by rustls, which would not read certificates of version 1 that may be
/// shown all the same.
fn certified(provider: &CryptoProvider, cert: &str, key: &str, password: Option<&str>) -> Result<Arc<CertifiedKey>, String> {
    let chain = files::certificates(cert)?;
    let secret = files::key(key, password.unwrap_or_default())?;
    let signer = provider.key_provider.load_private_key(secret).map_err(|error| format!("{key}: {error}"))?;
    let public = chain.first().and_then(|first| Certificate::read(first)).ok_or_else(|| format!("{cert}: not a certificate"))?.public_key;
    if signer.public_key().is_some_and(|of_key| of_key.as_ref() != public) {
        return Err(format!("{key}: the key is not that of the certificate in {cert}"));
    }
    Ok(Arc::new(CertifiedKey::new(chain, signer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_that_can_be_asked_for_is_there() {
        assert!(TLS13_CIPHERS.iter().chain(&TLS12_CIPHERS).all(|name| suite(name).is_some()));
        for name in TLS12_CIPHERS {
            assert!(matches!(suite(name), Some(SupportedCipherSuite::Tls12(suite)) if suite.common.confidentiality_limit == TLS12_RECORDS));
        }
        assert_eq!(ring::ALL_CIPHER_SUITES.len(), TLS13_CIPHERS.len() + TLS12_CIPHERS.len());
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut config = Config { tls_port: 1, ..Config::default() };
        let refusal = |config: &Config| Tls::new(config).err().unwrap();
        assert_eq!(refusal(&config), "No tls-cert-file configured!");
        config.tls_cert_file = Some("c".into());
        assert_eq!(refusal(&config), "No tls-key-file configured!");
        config.tls_key_file = Some("k".into());
        assert!(refusal(&config).starts_with("Either tls-ca-cert-file or tls-ca-cert-dir must be specified"));
        config.tls_auth_clients = TlsAuthClients::No;
        assert_eq!(refusal(&config), "c: No such file or directory");
    }
}
