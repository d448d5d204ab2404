//! Servers that speak TLS, and certificates for them, which openssl makes when a test begins.
#![allow(dead_code)] // every test file uses its own part of this

use crate::common::{self, PATIENCE, PortLease, Server, free_port, run, run_with_input};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

const EC: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// A directory with an authority's certificate, and those that it gives.
pub struct Authority {
    pub dir: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        authority.openssl(
            &[&["req", "-x509"][..], &EC[..], &["-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=Authority"]].concat(),
        );
        for name in ["server", "client"] {
            authority.give(name, name, &["-days", "30"]);
        }
        authority
    }

    /// The same certificates in a directory of its own.
    pub fn copy(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap() };
        for entry in std::fs::read_dir(self.dir.path()).unwrap().flatten() {
            std::fs::copy(entry.path(), copy.dir.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    #[track_caller]
    pub fn openssl(&self, args: &[&str]) {
        let output = run(Command::new("openssl").args(args).current_dir(self.dir.path()));
        assert_eq!(output.code, Some(0), "openssl {args:?}: {}", output.stderr);
    }

    /// A certificate in `file`.crt and its key in `file`.key, for `localhost` and this common name.
    pub fn give(&self, file: &str, common_name: &str, dates: &[&str]) {
        let (key, csr, crt, ext) = (format!("{file}.key"), format!("{file}.csr"), format!("{file}.crt"), format!("{file}.ext"));
        let subject = format!("/O=Test/CN={common_name}");
        let names = format!("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,URI:urn:user:{common_name}\n");
        std::fs::write(self.dir.path().join(&ext), names).unwrap();
        self.openssl(&[&["req", "-new"][..], &EC[..], &["-keyout", &key, "-out", &csr, "-subj", &subject]].concat());
        let sign = ["x509", "-req", "-in", &csr, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", &ext, "-out", &crt];
        self.openssl(&[&sign[..], dates].concat());
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// What a server of the family is started with, beside a port.
    pub fn server_args(&self) -> Vec<String> {
        let files = [("--tls-cert-file", "server.crt"), ("--tls-key-file", "server.key"), ("--tls-ca-cert-file", "ca.crt")];
        files.iter().flat_map(|(option, file)| [option.to_string(), self.path(file)]).collect()
    }

    /// What redis-cli and redis-benchmark are called with.
    pub fn client_args(&self, name: &str) -> Vec<String> {
        let (cert, key) = (self.path(&format!("{name}.crt")), self.path(&format!("{name}.key")));
        ["--tls", "--cacert", &self.path("ca.crt"), "--cert", &cert, "--key", &key].map(str::to_owned).to_vec()
    }
}

/// A server that speaks TLS at a port of its own beside the plain one.
pub struct Secure {
    pub server: Server,
    pub port: PortLease,
    pub authority: Authority,
}

impl Secure {
    pub fn start(more: &[&str]) -> Self {
        Self::started(Authority::new(), &common::program(), more)
    }

    pub fn started(authority: Authority, program: &Path, more: &[&str]) -> Self {
        let port = free_port();
        let mut args = authority.server_args();
        args.extend(["--tls-port".to_owned(), port.port.to_string()]);
        args.extend(more.iter().map(|arg| arg.to_string()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Self { server: Server::of(program, &args), port, authority }
    }

    /// What redis-cli says, all of it, with these options beside the port.
    pub fn cli_with(&self, options: &[String], args: &[&str]) -> String {
        let output = run(Command::new("redis-cli").args(["-p", &self.port.port.to_string()]).args(options).args(args));
        (output.stdout + &output.stderr).trim_end().to_owned()
    }

    /// The same with the client's certificate.
    pub fn cli(&self, args: &[&str]) -> String {
        self.cli_with(&self.authority.client_args("client"), args)
    }

    /// The same without any.
    pub fn anonymous(&self, args: &[&str]) -> String {
        self.cli_with(&["--tls".to_owned(), "--cacert".to_owned(), self.authority.path("ca.crt")], args)
    }

    /// What `openssl s_client` says.
    pub fn s_client(&self, args: &[&str], input: &[u8]) -> String {
        let address = format!("127.0.0.1:{}", self.port.port);
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &address, "-CAfile", &self.authority.path("ca.crt")]).args(args);
        let output = run_with_input(&mut command, input);
        output.stdout + &output.stderr
    }

    pub fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A connection whose ciphertext goes through `pass`, for a server that asks for no certificate.
    pub fn through<S: Read + Write>(&self, stream: S) -> StreamOwned<ClientConnection, S> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.authority.path("ca.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
    }
}
