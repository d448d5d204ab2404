//! Certificates and keys as they lie on disk: PEM, keys with a password among them, and directories of authorities.

use crate::config::os_reason as reason;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::fs;

const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

fn read(path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{path}: {}", reason(&error)))
}

/// The certificates of a file, in its order. There is one at least.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let list = CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<Vec<_>, _>>().map_err(|error| format!("{path}: {error}"))?;
    if list.is_empty() { Err(format!("{path}: there is no certificate in PEM form in it")) } else { Ok(list) }
}

/// The certificates of all files of a directory. What is no certificate there is passed over.
pub fn certificates_of_dir(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let entries = fs::read_dir(path).map_err(|error| format!("{path}: {}", reason(&error)))?;
    let mut list: Vec<CertificateDer<'static>> = Vec::new();
    for entry in entries.flatten() {
        let Ok(text) = fs::read(entry.path()) else { continue };
        for der in CertificateDer::pem_slice_iter(&text).flatten() {
            // OpenSSL's links by hash lead to files that lie there, too.
            if !list.contains(&der) {
                list.push(der);
            }
        }
    }
    Ok(list)
}

/// The private key of a file, opened with `password` where it has one.
pub fn key(path: &str, password: &str) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    if let Some((_, rest)) = text.split_once(ENCRYPTED)
        && let Some((body, _)) = rest.split_once(ENCRYPTED_END)
    {
        // Nothing of what went wrong is a secret but the reason: a password that does not fit.
        let wrong = || format!("{path}: the key cannot be opened with the password that is set");
        let pem = format!("{ENCRYPTED}{body}{ENCRYPTED_END}\n");
        let (_, sealed) = SecretDocument::from_pem(&pem).map_err(|error| format!("{path}: {error}"))?;
        let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_bytes()).map_err(|error| format!("{path}: {error}"))?;
        let opened = sealed.decrypt(password).map_err(|_| wrong())?;
        return Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into());
    }
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "{path}: the key is encrypted in the old way of OpenSSL; `openssl pkcs8 -topk8` makes it one that can be read"
        ));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| format!("{path}: {error}"))
}
