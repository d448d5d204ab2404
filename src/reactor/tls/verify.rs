//! Whom we trust: a chain to one of the authorities, and dates, as Redis has OpenSSL look at them. No host name is compared, so a certificate may do with
//! a common name. Chains are walked and signatures checked by webpki.

use super::certificate::Certificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage};

/// The authorities, and whether those who come to us must show a certificate.
#[derive(Debug)]
pub struct Verifier {
    anchors: Vec<TrustAnchor<'static>>,
    /// The certificates of `anchors`: who shows one of these itself is trusted, too.
    trusted: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    is_mandatory: bool,
}

impl Verifier {
    /// Trusts these. The error is the reason why one of them cannot be trusted.
    pub fn new(trusted: Vec<CertificateDer<'static>>, algorithms: WebPkiSupportedAlgorithms, is_mandatory: bool) -> Result<Self, String> {
        let anchors = trusted
            .iter()
            .map(|der| webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned()))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("a certificate of an authority cannot be read: {error}"))?;
        Ok(Self { anchors, trusted, algorithms, is_mandatory })
    }

    fn check(&self, shown: &CertificateDer<'_>, between: &[CertificateDer<'_>], now: UnixTime, usage: KeyUsage) -> Result<(), Error> {
        let cert = EndEntityCert::try_from(shown).map_err(error_of)?;
        match cert.verify_for_usage(self.algorithms.all, &self.anchors, between, now, usage, None, None) {
            // webpki looks at no dates of an authority itself, as OpenSSL does.
            Ok(path) => {
                let mut authorities = self.anchors.iter().zip(&self.trusted).filter(|(anchor, _)| *anchor == path.anchor());
                match authorities.any(|(_, authority)| in_time(authority, now).is_ok()) {
                    true => Ok(()),
                    false => Err(CertificateError::Expired.into()),
                }
            }
            // It is an authority's, which webpki wants nobody to show. OpenSSL takes it if it is one that is trusted.
            Err(webpki::Error::CaUsedAsEndEntity) if self.trusted.iter().any(|trusted| trusted == shown) => in_time(shown, now),
            Err(error) => Err(error_of(error).into()),
        }
    }
}

/// Whether a certificate's dates allow it.
fn in_time(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    match Certificate::read(der) {
        None => Err(CertificateError::BadEncoding.into()),
        Some(cert) if now.as_secs() < cert.not_before => Err(CertificateError::NotValidYet.into()),
        Some(cert) if now.as_secs() > cert.not_after => Err(CertificateError::Expired.into()),
        Some(_) => Ok(()),
    }
}

/// What the other end is told, by its alert.
fn error_of(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::CertExpired { .. } | webpki::Error::InvalidCertValidity => CertificateError::Expired,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    // As Redis, we name no authorities: a client shows what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(shown, between, now, KeyUsage::client_auth()).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(shown, between, now, KeyUsage::server_auth()).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
