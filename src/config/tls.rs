//! The TLS directives that hold a list in one word: protocol versions, and ciphers in OpenSSL's names. Which of them the TLS library has is written
//! down here, so that a setting is refused when it is made.

/// The versions that may be negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsVersions {
    pub v12: bool,
    pub v13: bool,
}

impl TlsVersions {
    /// What `tls-protocols` says. Nothing said means all that there are.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut versions = Self { v12: false, v13: false };
        for word in text.split_ascii_whitespace() {
            match word.to_ascii_lowercase().as_str() {
                "tlsv1.2" => versions.v12 = true,
                "tlsv1.3" => versions.v13 = true,
                "tlsv1" | "tlsv1.1" => return Err("rustls does not speak TLSv1 and TLSv1.1, which are broken: use TLSv1.2 or TLSv1.3"),
                _ => return Err("Invalid tls-protocols specified. Use a combination of 'TLSv1.2' and 'TLSv1.3'."),
            }
        }
        let is_silent = !versions.v12 && !versions.v13;
        Ok(if is_silent { Self { v12: true, v13: true } } else { versions })
    }
}

/// The ciphers of TLS 1.2 that there are, by their OpenSSL names, in the order in which OpenSSL prefers them.
pub const TLS12_CIPHERS: [&str; 6] = [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
];

/// The same of TLS 1.3.
pub const TLS13_CIPHERS: [&str; 3] = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];

/// Whether a word of a cipher list, a name or a group of OpenSSL's, means this cipher. Groups of key exchanges, ciphers and digests that rustls lacks
/// mean none.
fn means(word: &str, cipher: &str) -> bool {
    match word {
        "ALL" | "DEFAULT" | "HIGH" | "FIPS" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" | "AEAD" | "TLSv1.2" => true,
        "AES" | "AESGCM" => cipher.contains("-AES"),
        "AES128" => cipher.contains("-AES128"),
        "AES256" => cipher.contains("-AES256"),
        "CHACHA20" => cipher.contains("-CHACHA20"),
        "aRSA" => cipher.contains("-RSA-"),
        "ECDSA" | "aECDSA" => cipher.contains("-ECDSA-"),
        name => name == cipher,
    }
}

/// The ciphers of TLS 1.2 that `tls-ciphers` asks for, in its order. What it names beside them is passed over, as OpenSSL passes over what it does not
/// know; with nothing left it is refused.
pub fn tls12_ciphers(text: &str) -> Result<Vec<&'static str>, &'static str> {
    if text.is_empty() {
        return Ok(TLS12_CIPHERS.to_vec());
    }
    let mut list: Vec<&'static str> = Vec::new();
    let mut banned: Vec<&'static str> = Vec::new();
    for item in text.split([':', ',', ';', ' ']).filter(|item| !item.is_empty() && !item.starts_with('@')) {
        let words = item.trim_start_matches(['!', '-', '+']);
        let is_meant = |cipher: &&'static str| words.split('+').all(|word| means(word, cipher));
        match item.as_bytes()[0] {
            b'!' => {
                list.retain(|cipher| !is_meant(cipher));
                banned.extend(TLS12_CIPHERS.iter().filter(|cipher| is_meant(cipher)));
            }
            b'-' => list.retain(|cipher| !is_meant(cipher)),
            // A stable order, with those meant behind the others.
            b'+' => list.sort_by_key(is_meant),
            _ => {
                for cipher in TLS12_CIPHERS.iter().filter(|cipher| is_meant(cipher)) {
                    if !list.contains(cipher) && !banned.contains(cipher) {
                        list.push(*cipher);
                    }
                }
            }
        }
    }
    match list.is_empty() {
        false => Ok(list),
        true => {
            Err("none of these ciphers is there: rustls has ECDHE with AES-GCM or ChaCha20-Poly1305 alone, no CBC and no RSA key exchange")
        }
    }
}

/// The ciphers of TLS 1.3 that `tls-ciphersuites` asks for, in its order.
pub fn tls13_ciphers(text: &str) -> Result<Vec<&'static str>, &'static str> {
    if text.is_empty() {
        return Ok(TLS13_CIPHERS.to_vec());
    }
    let mut list: Vec<&'static str> = Vec::new();
    for name in text.split(':').filter(|name| !name.is_empty()) {
        match TLS13_CIPHERS.iter().find(|cipher| **cipher == name) {
            Some(cipher) if !list.contains(cipher) => list.push(*cipher),
            _ => (),
        }
    }
    match list.is_empty() {
        false => Ok(list),
        true => Err("none of these cipher suites is there: rustls has AES-GCM and ChaCha20-Poly1305 alone, no CCM"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_and_old_ones_refused() {
        let both = TlsVersions { v12: true, v13: true };
        assert_eq!(TlsVersions::parse(""), Ok(both));
        assert_eq!(TlsVersions::parse("TLSv1.2 tlsv1.3"), Ok(both));
        assert_eq!(TlsVersions::parse("TLSv1.3"), Ok(TlsVersions { v12: false, v13: true }));
        assert!(TlsVersions::parse("TLSv1.1 TLSv1.2").unwrap_err().starts_with("rustls does not speak"));
        assert!(TlsVersions::parse("SSLv3").unwrap_err().starts_with("Invalid tls-protocols"));
    }

    #[test]
    fn a_cipher_list_is_read_as_openssl_reads_it() {
        let list = |text| tls12_ciphers(text).map(|list| list.join(":"));
        assert_eq!(tls12_ciphers("DEFAULT:@SECLEVEL=2"), Ok(TLS12_CIPHERS.to_vec()));
        assert_eq!(list("aRSA+AESGCM"), Ok("ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256".into()));
        assert_eq!(list("AES128:!aECDSA:ECDSA"), Ok("ECDHE-RSA-AES128-GCM-SHA256".into()));
        assert_eq!(list("HIGH:-CHACHA20:!ECDSA:+AES256"), Ok("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384".into()));
        assert_eq!(list("AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256"), Ok("ECDHE-RSA-AES128-GCM-SHA256".into()));
        assert!(list("AES128-SHA256:kRSA").is_err() && list("ALL:!ALL:ALL").is_err());
    }

    #[test]
    fn suites_of_tls_13_keep_their_order() {
        assert_eq!(tls13_ciphers("TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384").unwrap().len(), 2);
        assert!(tls13_ciphers("TLS_AES_128_CCM_SHA256").is_err());
    }
}
