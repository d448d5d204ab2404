//! `redis-check-aof` and `redis-check-rdb`: solod under these names says what those of Redis 7 say, to the letter, and leaves the same files behind.

mod common;

use common::{Output, Server, program, run_with_input};
use solod::data::rng::Rng;
use std::{
    ffi::OsStr,
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::Command,
};

/// A directory in which both work, one after the other, on the same files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.files()).unwrap();
        for name in ["redis-check-aof", "redis-check-rdb"] {
            symlink(program(), place.0.path().join(name)).unwrap();
        }
        place
    }

    fn files(&self) -> std::path::PathBuf {
        self.0.path().join("files")
    }

    /// Runs a program on these files. Returns what it has said, and the files as they are then.
    fn run(&self, program: &Path, args: &[&OsStr], input: &str, files: &[(&str, &[u8])]) -> (Output, Vec<Vec<u8>>) {
        for (name, bytes) in files {
            fs::write(self.files().join(name), bytes).unwrap();
        }
        let mut command = Command::new(program);
        command.arg0(program.file_name().unwrap()).args(args).current_dir(self.files());
        let output = run_with_input(&mut command, input.as_bytes());
        let left = files.iter().map(|(name, _)| fs::read(self.files().join(name)).unwrap()).collect();
        files.iter().for_each(|(name, _)| fs::remove_file(self.files().join(name)).unwrap());
        (output, left)
    }

    /// What both say of these files has to be the same. Returns it.
    #[track_caller]
    fn same(&self, tool: &str, args: &[&str], input: &str, files: &[(&str, &[u8])]) -> Output {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        let (theirs, their_files) = self.run(&Path::new("/usr/bin").join(tool), &args, input, files);
        let (ours, our_files) = self.run(&self.0.path().join(tool), &args, input, files);
        let shown = || {
            let shown = |(name, bytes): &(&str, &[u8])| format!("{name}: {}\n", bytes.escape_ascii());
            format!("{tool} {args:?} {input:?}\n{}", files.iter().map(shown).collect::<String>())
        };
        assert_eq!(plain(&ours.stdout), plain(&theirs.stdout), "{}", shown());
        assert_eq!((ours.code, &ours.stderr), (theirs.code, &theirs.stderr), "{}", shown());
        assert!(our_files == their_files, "{}", shown());
        ours
    }
}

/// Without process ids and times of the log, and without what only Redis can know: lines of its source, and types that it has no name for.
fn plain(text: &str) -> String {
    let line = |line: &str| {
        if let Some((_, text)) = line.split_once(" # ").filter(|(head, _)| head.contains(":C ")) {
            // Behind an error that is Redis's own.
            return if text.starts_with("Terminating server") { String::new() } else { format!("log: {text}\n") };
        }
        if let Some((offset, _)) = line.split_once("] Internal error in RDB") {
            return format!("{offset}] Unexpected EOF reading RDB file\n");
        }
        // What a C program finds behind the end of a line that is torn is left to chance.
        if let Some((head, _)) = line.split_once("Expected \\r\\n, got: 00") {
            return format!("{head}torn\n");
        }
        if line.starts_with("[additional info] Reading type 19") {
            return "[additional info] Reading type 19\n".to_owned();
        }
        format!("{line}\n")
    };
    text.split('\n').map(line).collect()
}

const COMMANDS: &[u8] = b"#TS:1000\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nvalue\r\n\
    #TS:1002\r\n*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nset\r\n$0\r\n\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nexec\r\n\
    #TS:1005\r\n*0\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";

/// An RDB file that holds nothing but that it is a base.
const PREAMBLE: &[u8] = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x08aof-base\xc0\x01\xff\0\0\0\0\0\0\0\0";

#[test]
fn old_files_are_judged_alike() {
    let place = Place::new();
    let same = |bytes: &[u8]| place.same("redis-check-aof", &["f.aof"], "", &[("f.aof", bytes)]);
    assert_eq!(same(COMMANDS).code, Some(0));
    for end in 0..COMMANDS.len() {
        same(&COMMANDS[..end]);
    }
    let preamble = [PREAMBLE, COMMANDS].concat();
    for end in 0..=preamble.len() {
        if end < PREAMBLE.len() || end % 9 == 0 || end == preamble.len() {
            same(&preamble[..end]);
        }
    }
    for wrong in [
        "x",
        "*x\r\n",
        "*1\n",
        "*1\r\r\n",
        "*1\r\n#TS:1\r\n",
        "*1\r\n$-1\r\n",
        "*-1\r\n",
        "*\r\n",
        "* 1\r\n$ 4\r\nPING\r\n",
        "*+1\r\n$04\r\nPING\r\n",
        "*1\r\n$4\r\nPING\u{ff}x",
        "*1\r\n$4\r\nPINGxy*1\r\n",
        "*1\r\n$4\r\nPING\r\nPING\r\n",
        "*1\r\n$9223372036854775807\r\nPING\r\n",
        "*1\r\n$92233720368547758070\r\nPING\r\n",
        "*1\r\n$99999999\r\nPING\r\n",
        "*1\r\n$4\r\nEXEC\r\n",
        "*1\r\n$5\r\nMULTI\r\n",
        "*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nmulti\r\n",
        "*1\r\n$7\r\nmulti\0x\r\n*1\r\n$4\r\nExEc\r\n",
        "*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nPING\r\n",
        "*1\r\n$5\r\nMULTI\r\n#TS:5\r\n*1\r\n$4\r\nEXEC\r\n#",
        "#TS:x\r\n*1\r\n$4\r\nPING\r\n",
        "#comment\n*1\r\n$4\r\nPING\r\n",
        "REDIS",
        "REDIS0999xxx",
        "REDIS00xxxxxx",
        "\n",
    ] {
        same(wrong.as_bytes());
    }
    let long = |byte: u8, len: usize, end: &str| [&vec![byte; len][..], end.as_bytes()].concat();
    for len in [125, 126, 127, 128, 200] {
        same(&[b"*".to_vec(), long(b'0', len, "1\r\n"), b"$4\r\nPING\r\n".to_vec()].concat());
    }
    for len in [1019, 1020, 1021, 1022, 1023, 3000] {
        same(&[b"#".to_vec(), long(b'x', len, "\r\n"), b"*1\r\n$4\r\nPING\r\n".to_vec()].concat());
    }
}

#[test]
fn damaged_files_are_judged_alike() {
    let place = Place::new();
    let mut rng = Rng::new(1);
    for _ in 0..400 {
        let mut bytes = COMMANDS.to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] = rng.below(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"*$#\r\n019x\0"[rng.below(10) as usize]),
            }
        }
        // A length of many digits is more than Redis can allocate.
        let digits = bytes.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).max();
        if digits < Some(8) {
            place.same("redis-check-aof", &["f.aof"], "", &[("f.aof", &bytes)]);
        }
    }
}

#[test]
fn what_is_broken_is_cut_off_if_a_person_agrees() {
    let place = Place::new();
    let broken = &COMMANDS[..COMMANDS.len() - 3];
    for input in ["y\n", "Y", "yes\n", "n\n", "\n", "", "x y"] {
        place.same("redis-check-aof", &["--fix", "f.aof"], input, &[("f.aof", broken)]);
    }
    let fixed = place.same("redis-check-aof", &["--fix", "f.aof"], "y\n", &[("f.aof", broken)]);
    assert_eq!(fixed.code, Some(0));
    place.same("redis-check-aof", &["--fix", "f.aof"], "", &[("f.aof", COMMANDS)]);
    place.same("redis-check-aof", &["--fix", "f.aof"], "y\n", &[("f.aof", &[PREAMBLE, broken].concat())]);
    place.same("redis-check-aof", &["--fix", "f.aof"], "y\n", &[("f.aof", &PREAMBLE[..20])]);
    place.same("redis-check-aof", &["--fix", "f.aof"], "y\n", &[("f.aof", b"")]);
}

#[test]
fn what_was_logged_later_is_cut_off() {
    let place = Place::new();
    let preamble = [PREAMBLE, COMMANDS].concat();
    for until in ["0", "1", "999", "1000", "1001", "1002", "1004", "1005", "2000", "-1", "x", "", " 1002", "99999999999999999999"] {
        for bytes in [
            COMMANDS,
            &preamble,
            b"*1\r\n$4\r\nPING\r\n",
            b"",
            &COMMANDS[..COMMANDS.len() - 3],
            b"#TS:12",
            b"#TS:x\r\n",
            b"#TS:99999999999999999999\r\n",
        ] {
            place.same("redis-check-aof", &["--truncate-to-timestamp", until, "f.aof"], "", &[("f.aof", bytes)]);
        }
    }
}

#[test]
fn directories_are_judged_alike() {
    const BASE: &str = "f.1.base.rdb";
    let manifest = b"file f.1.base.rdb seq 1 type b\nfile f.1.incr.aof seq 1 type i\nfile f.2.incr.aof seq 2 type i\n";
    let place = Place::new();
    let same = |args: &[&str], input: &str, manifest: &[u8], base: &[u8], one: &[u8], two: &[u8]| {
        let files = [("f.manifest", manifest), (BASE, base), ("f.1.incr.aof", one), ("f.2.incr.aof", two)];
        place.same("redis-check-aof", args, input, &files)
    };
    let torn = &COMMANDS[..COMMANDS.len() - 3];
    let without_times = b"*1\r\n$4\r\nPING\r\n";
    for base in [PREAMBLE, &PREAMBLE[..20], COMMANDS, torn, b"", &[PREAMBLE, COMMANDS].concat()] {
        for (one, two) in
            [(COMMANDS, COMMANDS), (torn, COMMANDS), (COMMANDS, torn), (b"", COMMANDS), (COMMANDS, b""), (without_times, COMMANDS)]
        {
            same(&["f.manifest"], "", manifest, base, one, two);
            same(&["--fix", "f.manifest"], "y\n", manifest, base, one, two);
            for until in ["999", "1002", "3000"] {
                same(&["--truncate-to-timestamp", until, "./f.manifest"], "", manifest, base, one, two);
            }
        }
    }
    let valid = same(&["f.manifest"], "", manifest, PREAMBLE, COMMANDS, COMMANDS);
    assert!(valid.stdout.ends_with("All AOF files and manifest are valid\n"));
    for wrong in [
        "file f.1.base.rdb seq 1 type b\nfile f.1.base.rdb seq 2 type b\n",
        "file f.1.base.rdb seq 1 type b",
        "file f.1.base.rdb seq 1\n",
        "file f.1.base.rdb seq 0 type b\n",
        "file f.1.base.rdb seq 1 type x\n",
        "file a/f.1.base.rdb seq 1 type b\n",
        "file f.2.incr.aof seq 2 type i\nfile f.1.incr.aof seq 1 type i\n",
        "file f.2.incr.aof seq 2 type i\n\n",
        "file gone.aof seq 1 type b\n",
        "file gone.aof seq 1 type i\n",
        "file gone.aof seq 1 type h\nfile f.1.incr.aof seq 1 type i\n",
        "file \"f.1.incr.aof\" seq 1 type i more words\n",
        "# a comment\nfile f.1.incr.aof seq 1 type i\n",
    ] {
        same(&["f.manifest"], "", wrong.as_bytes(), PREAMBLE, COMMANDS, COMMANDS);
    }
}

#[test]
fn arguments_are_understood_alike() {
    let place = Place::new();
    for args in [
        &[][..],
        &["gone"],
        &["gone", "f.aof"],
        &["--fix"],
        &["--fix", "gone"],
        &["--fox", "f.aof"],
        &["--truncate-to-timestamp", "1"],
        &["--truncate-to-timestamp", "1", "gone"],
        &["--fix", "1", "f.aof"],
        &["a", "b", "c", "d"],
        &["."],
    ] {
        place.same("redis-check-aof", args, "", &[("f.aof", COMMANDS)]);
    }
    for args in [&[][..], &["gone"], &["f.rdb", "f.rdb"], &["--help"]] {
        place.same("redis-check-rdb", args, "", &[("f.rdb", PREAMBLE)]);
    }
}

/// One of each type and form, as Redis 7.0 saves them.
fn dump() -> Vec<u8> {
    let server = Server::redis(&["--zset-max-listpack-value", "8", "--list-max-listpack-size", "2", "--hash-max-listpack-entries", "2"]);
    let mut conn = server.connect();
    let long = "a long string ".repeat(20);
    for line in [
        "SET a 1",
        "SET 12345 300",
        "SET n 70000",
        "SET gone x PXAT 1000000000000",
        "SET later x PXAT 4102444800000",
        "RPUSH list a b c d 5",
        "SADD ints 1 2 3",
        "SADD set a b",
        "ZADD zset 1 a 2.5 b",
        "ZADD zset2 1 a-long-member 2.5 b",
        "HSET hash a 1 b x",
        "HSET hash2 a 1 b x c y",
        "XADD stream 1-1 a b",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group consumer STREAMS stream >",
        "XGROUP CREATE empty group $ MKSTREAM",
        "SELECT 3",
        "SET k v",
    ] {
        conn.run(line);
    }
    conn.cmd(&["SET", "long", &long]);
    conn.cmd(&["SET", &long, "long"]);
    conn.run("SAVE");
    fs::read(server.dir.join("dump.rdb")).unwrap()
}

#[test]
fn rdb_files_are_judged_alike() {
    let (place, dump) = (Place::new(), dump());
    let same = |bytes: &[u8]| place.same("redis-check-rdb", &["f.rdb"], "", &[("f.rdb", bytes)]);
    assert_eq!(same(&dump).code, Some(0));
    for end in 0..dump.len() {
        same(&dump[..end]);
    }
    let mut wrong = dump.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert!(same(&wrong).stdout.contains("RDB CRC error"));
    let without_sum = [&dump[..dump.len() - 8], &[0; 8]].concat();
    assert!(same(&without_sum).stdout.contains("no check performed"));
    same(&[&without_sum[..], b"more"].concat());
    for begins in ["REDIX0010", "REDIS0000", "REDIS0999", "REDIS00x1", "REDIS00", "", "RED"] {
        same(&[begins.as_bytes(), &dump[9..]].concat());
        same(begins.as_bytes());
    }
    // A type that there is not, and a length that is none.
    same(b"REDIS0010\xfe\x00\xf0");
    same(b"REDIS0010\xfe\x00\x08\x01a\x01b\xff");
}

/// What is found in the middle of a value each server words for itself, but whether something is found is the same.
#[test]
fn damage_to_an_rdb_file_is_found() {
    let (place, dump) = (Place::new(), dump());
    let mut rng = Rng::new(2);
    for _ in 0..300 {
        let mut bytes = dump.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << rng.below(8);
        let args = [OsStr::new("f.rdb")];
        let (theirs, _) = place.run(Path::new("/usr/bin/redis-check-rdb"), &args, "", &[("f.rdb", &bytes)]);
        let (ours, _) = place.run(&place.0.path().join("redis-check-rdb"), &args, "", &[("f.rdb", &bytes)]);
        assert_eq!(ours.code, Some(i32::from(theirs.code != Some(0))), "byte {at}: {}\n{}", ours.stdout, theirs.stdout);
    }
}
