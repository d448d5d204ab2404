//! MIGRATE: keys move to another server. Here they are collected and serialised; the rest happens while the loop goes on.

use super::{
    Ctx,
    command::{Begin, Command, Find, Group, KeySpec, categories, command, flags::*, key_flags as k},
    context::errors,
    key_extraction::KeyAt,
};
use crate::{
    data::entry::NEVER,
    persist::rdb::{Settings, payload},
    resp::{encode, request::Args},
    state::migration::MigrateRequest,
};
use bytes::Bytes;
use std::ops::Range;

/// Milliseconds that a timeout of 0 or less stands for.
const TIMEOUT_MS: u64 = 1000;
/// A payload of at least so many bytes is a piece by itself; smaller ones are put together.
const PIECE_BYTES: usize = 16 * 1024;

const KEY_NOT_EMPTY: &str = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";
const NOBODY_WAITS: &str = "ERR MIGRATE is not possible inside a transaction: it has to wait for the other server";

/// MIGRATE's options, as indices of arguments.
#[derive(Debug, Default, PartialEq, Eq)]
struct MigrateOptions {
    copy: bool,
    replace: bool,
    user: Option<usize>,
    password: Option<usize>,
    keys: Range<usize>,
}

impl MigrateOptions {
    fn parse(args: &Args<'_>) -> Result<Self, &'static str> {
        let mut options = Self { keys: 3..4, ..Self::default() };
        let mut i = 6;
        while i < args.len() {
            let is = |word: &str| args.get(i).eq_ignore_ascii_case(word.as_bytes());
            let left = args.len() - 1 - i;
            if is("copy") {
                options.copy = true;
            } else if is("replace") {
                options.replace = true;
            } else if is("auth") && left >= 1 {
                options.password = Some(i + 1);
                i += 1;
            } else if is("auth2") && left >= 2 {
                (options.user, options.password) = (Some(i + 1), Some(i + 2));
                i += 2;
            } else if is("keys") {
                if !args.get(3).is_empty() {
                    return Err(KEY_NOT_EMPTY);
                }
                options.keys = i + 1..args.len();
                break;
            } else {
                return Err(errors::SYNTAX);
            }
            i += 1;
        }
        Ok(options)
    }
}

/// Indices of the arguments that are secrets: what follows AUTH and AUTH2, up to the first mistake.
pub fn secrets(args: &Args<'_>) -> Vec<usize> {
    let mut secrets = Vec::new();
    let mut i = 6;
    while i < args.len() {
        let is = |word: &str| args.get(i).eq_ignore_ascii_case(word.as_bytes());
        let hidden = match () {
            () if is("copy") || is("replace") => 0,
            () if is("auth") => 1,
            () if is("auth2") => 2,
            () => break,
        };
        if i + hidden >= args.len() {
            break;
        }
        secrets.extend(i + 1..=i + hidden);
        i += hidden + 1;
    }
    secrets
}

/// The one key, or those behind KEYS. With both there are none: the command has something to say about it.
fn find_keys(args: &Args<'_>) -> Option<Vec<KeyAt>> {
    let mut keys = 3..4;
    let mut i = 6;
    while i < args.len() {
        let word = args.get(i).to_ascii_lowercase();
        i += match &word[..] {
            b"keys" => {
                keys = if args.get(3).is_empty() { i + 1..args.len() } else { 0..0 };
                break;
            }
            b"auth" => 2,
            b"auth2" => 3,
            _ => 1,
        };
    }
    Some(keys.map(|at| (at, k::RW | k::ACCESS | k::DELETE)).collect())
}

/// The number that a text begins with, as C's `atoi` reads it, 0 for none, if it can be that of a port.
fn port(text: &[u8]) -> Option<u16> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    if text.starts_with(b"-") {
        return None;
    }
    let digits = str::from_utf8(&text[..digits]).ok()?;
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

fn encoded(parts: &[&[u8]]) -> Vec<u8> {
    let mut request = Vec::new();
    encode::request(&mut request, parts);
    request
}

/// Requests in pieces, which a second attempt can share.
#[derive(Default)]
struct RequestPieces {
    whole: Vec<Bytes>,
    tail: Vec<u8>,
}

impl RequestPieces {
    /// Adds the RESTORE for a key.
    fn restore(&mut self, name: &[u8], key: &[u8], ttl_ms: i64, payload: Vec<u8>, replace: bool) {
        encode::array_header(&mut self.tail, 4 + usize::from(replace));
        encode::bulk(&mut self.tail, name);
        encode::bulk(&mut self.tail, key);
        encode::bulk(&mut self.tail, itoa::Buffer::new().format(ttl_ms).as_bytes());
        encode::bulk_header(&mut self.tail, payload.len());
        if payload.len() < PIECE_BYTES {
            self.tail.extend_from_slice(&payload);
        } else {
            self.cut();
            self.whole.push(payload.into());
        }
        self.tail.extend_from_slice(b"\r\n");
        if replace {
            encode::bulk(&mut self.tail, b"REPLACE");
        }
        if self.tail.len() >= PIECE_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.whole.push(std::mem::take(&mut self.tail).into());
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.tail.is_empty() {
            self.cut();
        }
        self.whole
    }
}

fn migrate(ctx: &mut Ctx) {
    let options = match MigrateOptions::parse(&ctx.args) {
        Ok(options) => options,
        Err(text) => return ctx.error(text),
    };
    let Some(timeout) = ctx.int_arg(5) else { return };
    let Some(destination) = ctx.int_arg(4) else { return };
    let timeout_ms = u64::try_from(timeout).ok().filter(|ms| *ms > 0).unwrap_or(TIMEOUT_MS);
    if ctx.in_exec || ctx.client().peer.repeats() {
        return ctx.error(NOBODY_WAITS);
    }
    let name: &[u8] = if ctx.server.config.cluster_enabled { b"RESTORE-ASKING" } else { b"RESTORE" };
    let (settings, now_ms) = (Settings::from_config(&ctx.server.config), ctx.now_ms());
    let (mut keys, mut pieces) = (Vec::new(), RequestPieces::default());
    for i in options.keys {
        let key = ctx.arg(i);
        let Some(entry) = ctx.read(i) else { continue };
        let ttl_ms = match entry.deadline() {
            NEVER => 0,
            deadline => deadline.saturating_sub(now_ms).max(1),
        };
        pieces.restore(name, key, ttl_ms, payload::dump(entry, settings), options.replace);
        keys.push(Box::from(key));
    }
    if keys.is_empty() {
        return ctx.out.simple("NOKEY");
    }
    let auth = match (options.user, options.password) {
        (_, None) => Vec::new(),
        (None, Some(password)) => encoded(&[b"AUTH", ctx.arg(password)]),
        (Some(user), Some(password)) => encoded(&[b"AUTH", ctx.arg(user), ctx.arg(password)]),
    };
    let request = MigrateRequest {
        host: String::from_utf8_lossy(ctx.arg(1)).into_owned(),
        port: port(ctx.arg(2)),
        name: [ctx.arg(1), b":", ctx.arg(2)].concat().into(),
        db: ctx.db,
        destination,
        timeout_ms,
        copy: options.copy,
        auth,
        keys,
        commands: pieces.finish(),
    };
    ctx.server.begin_migration(ctx.conn, ctx.command, request);
}

const MOVED: u32 = k::RW | k::ACCESS | k::DELETE;
const KEYS: [KeySpec; 2] = [
    KeySpec::one(3, MOVED),
    KeySpec {
        begin: Begin::Keyword("KEYS", -2),
        find: Find::Range { last: -1, step: 1, limit: 0 },
        flags: MOVED | k::INCOMPLETE,
        notes: None,
    },
];

/// The row of this command.
pub const COMMANDS: &[Command] = &[command("migrate", migrate, -6, WRITE | MOVABLE_KEYS | PARKS)
    .since(Group::Generic, "2.6.0")
    .doc(
        "Moves keys to another server: they are deleted here once they have arrived there. Meanwhile writes wait, and reads go on.",
        "That of `DUMP` and `DEL` here and of `RESTORE` there, and O(N) for the transfer of N bytes.",
    )
    .args(
        "host port:integer key-selector:(key | empty-string:\"\") destination-db:integer timeout:integer [COPY] [REPLACE] \
         [authentication:(AUTH auth<password>:string | AUTH2 auth2:(username password))] [KEYS keys<key>:key...]",
    )
    .keys(&KEYS)
    .key_finder(find_keys)
    .categories(categories::DANGEROUS)
    .tips(&["nondeterministic_output"])
    .history(&[("3.0.0", "`COPY` and `REPLACE`."), ("3.0.6", "`KEYS`."), ("4.0.7", "`AUTH`."), ("6.0.0", "`AUTH2`.")])];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::request::OwnedArgs;

    fn request(options: &str) -> OwnedArgs {
        let mut parts: Vec<&[u8]> = vec![b"migrate", b"h", b"1", b"", b"0", b"5"];
        parts.extend(options.split_whitespace().map(str::as_bytes));
        OwnedArgs::new(&parts)
    }

    #[test]
    fn options_come_in_any_order_and_keys_come_last() {
        let parse = |options: &str| MigrateOptions::parse(&request(options).args());
        assert_eq!(parse(""), Ok(MigrateOptions { keys: 3..4, ..MigrateOptions::default() }));
        let all = MigrateOptions { copy: true, replace: true, user: Some(8), password: Some(9), keys: 12..14 };
        assert_eq!(parse("Copy AUTH2 u p replace KEYS a copy"), Ok(all));
        assert_eq!(parse("auth keys keys"), Ok(MigrateOptions { password: Some(7), keys: 9..9, ..MigrateOptions::default() }));
        for wrong in ["auth", "auth2 u", "x", "copy x"] {
            assert_eq!(parse(wrong), Err(errors::SYNTAX), "{wrong}");
        }
        let args = OwnedArgs::new(&[b"migrate", b"h", b"1", b"key", b"0", b"5", b"keys", b"a"]);
        assert_eq!(MigrateOptions::parse(&args.args()), Err(KEY_NOT_EMPTY));
        assert_eq!(find_keys(&args.args()), Some(vec![]));
    }

    #[test]
    fn keys_and_secrets_are_found_without_running_it() {
        let keys = |options: &str| -> Vec<usize> { find_keys(&request(options).args()).unwrap().iter().map(|(at, _)| *at).collect() };
        assert_eq!(keys(""), [3]);
        assert_eq!(keys("copy auth keys keys a b"), [10, 11]);
        let secrets = |options: &str| secrets(&request(options).args());
        assert_eq!(secrets("copy auth x auth2 y z keys auth k"), [8, 10, 11]);
        assert_eq!(secrets("auth2 y"), Vec::<usize>::new());
        assert_eq!(secrets("nonsense auth y"), Vec::<usize>::new());
    }

    #[test]
    fn a_port_is_read_as_redis_reads_it() {
        for (text, expected) in
            [("6379", Some(6379)), (" 12x", Some(12)), ("x", Some(0)), ("0", Some(0)), ("-1", None), ("65536", None), ("", Some(0))]
        {
            assert_eq!(port(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_sent_is_the_same_however_it_is_cut() {
        let mut pieces = RequestPieces::default();
        pieces.restore(b"RESTORE", b"k", 0, b"abc".to_vec(), false);
        pieces.restore(b"RESTORE", b"l", 70, vec![b'x'; PIECE_BYTES], true);
        let sent = pieces.finish().concat();
        let head = b"*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$3\r\nabc\r\n*5\r\n$7\r\nRESTORE\r\n$1\r\nl\r\n$2\r\n70\r\n$16384\r\nxxx";
        assert!(sent.starts_with(head) && sent.ends_with(b"xxx\r\n$7\r\nREPLACE\r\n"));
    }
}
