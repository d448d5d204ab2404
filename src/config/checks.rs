//! What text a directive accepts, in the words Redis refuses it with.

use super::{
    tls::{TlsVersions, tls12_ciphers, tls13_ciphers},
    words::quote_into,
};

/// Longest host name, in bytes, with the terminating byte Redis counts.
const HOST_LEN_MAX: usize = 256;

pub(super) fn any(_: &str) -> Result<(), &'static str> {
    Ok(())
}

/// Not a check of the directory itself, which is entered later; an empty name never leads to one.
pub(super) fn directory(text: &str) -> Result<(), &'static str> {
    if text.is_empty() { Err("No such file or directory") } else { Ok(()) }
}

pub(super) fn tls_protocols(text: &str) -> Result<(), &'static str> {
    TlsVersions::parse(text).map(|_| ())
}

pub(super) fn tls_ciphers(text: &str) -> Result<(), &'static str> {
    tls12_ciphers(text).map(|_| ())
}

pub(super) fn tls_ciphersuites(text: &str) -> Result<(), &'static str> {
    tls13_ciphers(text).map(|_| ())
}

fn is_path(text: &str) -> bool {
    text.contains(['/', '\\'])
}

pub(super) fn db_filename(text: &str) -> Result<(), &'static str> {
    if is_path(text) { Err("dbfilename can't be a path, just a filename") } else { Ok(()) }
}

pub(super) fn append_filename(text: &str) -> Result<(), &'static str> {
    /// Bytes between quotes that fit into a line of the manifest, with what follows.
    const QUOTED_MAX: usize = 900;
    let mut quoted = Vec::new();
    quote_into(&mut quoted, text.as_bytes());
    match text {
        _ if quoted.len() > QUOTED_MAX => Err("appendfilename is too long for a line of the manifest"),
        "" => Err("appendfilename can't be empty"),
        _ if is_path(text) => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

pub(super) fn append_dirname(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("appenddirname can't be empty"),
        _ if is_path(text) => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

pub(super) fn hostname(text: &str) -> Result<(), &'static str> {
    if text.len() >= HOST_LEN_MAX {
        return Err("Hostnames must be less than 256 characters");
    }
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if text.bytes().all(is_host_byte) { Ok(()) } else { Err("Hostnames may only contain alphanumeric characters, hyphens or dots") }
}

pub(super) fn node_name(text: &str) -> Result<(), &'static str> {
    if text.contains(|letter| "!#$%&()*+:;<>?@[]^{|}~".contains(letter)) {
        Err("Announced human node name contained invalid character")
    } else {
        Ok(())
    }
}

/// A template must be well formed and must not expand to nothing where the optional variables are empty.
pub(super) fn title_template(text: &str) -> Result<(), &'static str> {
    let expanded = expand_title(text, |variable| match variable {
        "title" | "server-mode" | "unixsocket" => Some(String::new()),
        "listen-addr" | "config-file" | "port" | "tls-port" => Some("-".into()),
        _ => None,
    });
    match expanded {
        Some(title) if !title.is_empty() => Ok(()),
        _ => Err("template format is invalid or contains unknown variables"),
    }
}

/// Expands `proc-title-template`: `{name}` is replaced by what `variable` says, `{{` is a brace, blanks at both ends go.
/// `None` when a brace is left open or a variable is unknown.
pub fn expand_title(template: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut title = String::new();
    let mut rest = template;
    while let Some((before, opened)) = rest.split_once('{') {
        title.push_str(before);
        if let Some(after) = opened.strip_prefix('{') {
            title.push('{');
            rest = after;
        } else {
            let (name, after) = opened.split_once('}')?;
            title.push_str(&variable(name)?);
            rest = after;
        }
    }
    title.push_str(rest);
    Some(title.trim_matches(' ').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_not_paths() {
        assert!(db_filename("dump.rdb").is_ok() && db_filename("").is_ok());
        assert!(db_filename("../dump.rdb").is_err() && db_filename("a\\b").is_err());
        assert_eq!(append_filename(""), Err("appendfilename can't be empty"));
        assert!(append_filename(&"a".repeat(255)).is_ok() && append_filename(&"\u{4e00}".repeat(85)).is_err());
        assert_eq!(append_dirname("a/b"), Err("appenddirname can't be a path, just a dirname"));
    }

    #[test]
    fn announced_names_are_plain() {
        assert!(hostname("node-1.example.org").is_ok() && hostname("").is_ok());
        assert!(hostname("a_b").is_err() && hostname(&"a".repeat(256)).is_err());
        assert!(node_name("my node").is_ok() && node_name("a|b").is_err());
    }

    #[test]
    fn titles_are_expanded() {
        let port = |name: &str| (name == "port").then(|| "6379".to_string());
        assert_eq!(expand_title(" solod {port} {{x} ", port), Some("solod 6379 {x}".into()));
        assert_eq!(expand_title("{nope}", port), None);
        assert_eq!(expand_title("{port", port), None);
        assert_eq!(expand_title("a {", port), None);
    }

    #[test]
    fn a_title_must_not_be_blank() {
        assert!(title_template("{title} {listen-addr} {server-mode}").is_ok());
        for template in ["", " ", "{title}", "{nope}", "{"] {
            assert!(title_template(template).is_err(), "{template}");
        }
    }
}
