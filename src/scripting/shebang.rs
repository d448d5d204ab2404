//! The line `#!lua flags=...` that a script may begin with.

use crate::config::words::split_args;

/// What a script promises by its flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags {
    pub no_writes: bool,
    pub allow_oom: bool,
    pub allow_stale: bool,
    pub no_cluster: bool,
    pub allow_cross_slot: bool,
    /// Without such a line a script may do what its commands may do, each looked at by itself.
    pub has_shebang: bool,
}

/// The line of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shebang {
    pub flags: ScriptFlags,
    /// Bytes of the line, without its end: lines are still counted from it.
    pub len: usize,
}

/// Adds the flag of this name; false where there is none.
pub fn parse_flag(name: &[u8], flags: &mut ScriptFlags) -> bool {
    let flag = match name {
        b"no-writes" => &mut flags.no_writes,
        b"allow-oom" => &mut flags.allow_oom,
        b"allow-stale" => &mut flags.allow_stale,
        b"no-cluster" => &mut flags.no_cluster,
        b"allow-cross-slot-keys" => &mut flags.allow_cross_slot,
        _ => return false,
    };
    *flag = true;
    true
}

/// The line of EVAL's script. An error is the text for the client.
pub(super) fn of_script(body: &[u8]) -> Result<Shebang, Vec<u8>> {
    if !body.starts_with(b"#!") {
        return Ok(Shebang::default());
    }
    let Some(len) = memchr::memchr(b'\n', body) else {
        return Err(b"ERR Invalid script shebang".to_vec());
    };
    let mut words = body[..len].split(|&b| b == b' ' || b == b'\r' || b == b'\t').filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    if engine != b"#!lua" {
        return Err([b"ERR Unexpected engine in script shebang: ", engine].concat());
    }
    let mut flags = ScriptFlags { has_shebang: true, ..ScriptFlags::default() };
    for word in words {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err([b"ERR Unknown lua shebang option: ", word].concat());
        };
        for name in list.split(|&b| b == b',').filter(|name| !name.is_empty()) {
            if !parse_flag(name, &mut flags) {
                return Err([b"ERR Unexpected flag in script shebang: ", name].concat());
            }
        }
    }
    Ok(Shebang { flags, len })
}

/// The name in the line of a library, and the bytes of the line without its end. An error is the text for the client.
pub(super) fn of_library(code: &[u8]) -> Result<(Vec<u8>, usize), Vec<u8>> {
    if !code.starts_with(b"#!") {
        return Err(b"ERR Missing library metadata".to_vec());
    }
    let Some(len) = memchr::memchr(b'\n', code) else {
        return Err(b"ERR Invalid library metadata".to_vec());
    };
    // Words may be quoted, as on a line of the configuration.
    let Some(words) = split_args(&code[..len]) else {
        return Err(b"ERR Invalid library metadata".to_vec());
    };
    let mut words = words.into_iter();
    let engine = words.next().unwrap_or_default();
    let engine = engine.get(2..).unwrap_or_default();
    let mut name = None;
    for word in words {
        let Some(value) = word.strip_prefix(b"name=") else {
            return Err([b"ERR Invalid metadata value given: ", &word[..]].concat());
        };
        if name.replace(value.to_vec()).is_some() {
            return Err(b"ERR Invalid metadata value, name argument was given multiple times".to_vec());
        }
    }
    let Some(name) = name else { return Err(b"ERR Library name was not given".to_vec()) };
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err([b"ERR Engine '", engine, b"' not found"].concat());
    }
    Ok((name, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_the_line_promises_nothing() {
        assert_eq!(of_script(b"return 1"), Ok(Shebang::default()));
    }

    #[test]
    fn flags_are_read_and_the_line_end_stays() {
        let body = b"#!lua flags=no-writes,allow-oom\nreturn 1";
        let found = of_script(body).unwrap();
        assert!(found.flags.has_shebang && found.flags.no_writes && found.flags.allow_oom && !found.flags.allow_stale);
        assert_eq!(&body[found.len..], b"\nreturn 1");
    }

    #[test]
    fn what_is_wrong_with_the_line_is_named() {
        let error = |body: &[u8]| String::from_utf8(of_script(body).unwrap_err()).unwrap();
        assert_eq!(error(b"#!lua"), "ERR Invalid script shebang");
        assert_eq!(error(b"#!not-lua\n"), "ERR Unexpected engine in script shebang: #!not-lua");
        assert_eq!(error(b"#!lua badger=data\n"), "ERR Unknown lua shebang option: badger=data");
        assert_eq!(error(b"#!lua flags=bad\n"), "ERR Unexpected flag in script shebang: bad");
    }
}
