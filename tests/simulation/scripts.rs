//! Scripts and functions that clients run: small programs, known step by step, so that the model can do what they do.

use super::{
    wire::{Words, wire},
    workload::DBS,
};
use solod::{
    config::Config,
    data::rng::Rng,
    engine::Engine,
    state::{ConnId, Host, client::Origin, server::Server},
};
use std::{collections::BTreeMap, fmt::Write};

/// Programs of a run that end soon, and those that loop for a while.
const QUICK: usize = 20;
const SLOW: usize = 6;
/// Libraries, and the texts that each may have.
pub const LIBRARIES: usize = 3;
pub const VARIANTS: usize = 2;
/// Virtual nanoseconds that a look at the clock takes while a slow script runs. Where it were more than half a millisecond, the machine would have the script
/// look after fewer and fewer instructions.
pub const SLOW_LOOK_NS: u64 = 300_000;
/// Instructions of Lua between two looks, at most.
const LOOK_INSTRUCTIONS: u64 = 10_000;

/// In front of each program: what its commands answer is its reply, errors that it has caught as texts.
const BEGIN: &str = "local r = {} local function note(v) if type(v) == 'table' and v.err then v = v.err end r[#r + 1] = v end\n";

/// A word of a command in a program: its own, or one that it was given.
#[derive(Clone, Debug)]
pub enum Word {
    Plain(String),
    Key(usize),
    Arg(usize),
}

impl Word {
    fn lua(&self) -> String {
        match self {
            Self::Plain(text) => format!("'{text}'"),
            Self::Key(i) => format!("KEYS[{}]", i + 1),
            Self::Arg(i) => format!("ARGV[{}]", i + 1),
        }
    }

    fn value(&self, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Vec<u8> {
        match self {
            Self::Plain(text) => text.clone().into_bytes(),
            Self::Key(i) => keys[*i].clone(),
            Self::Arg(i) => args[*i].clone(),
        }
    }
}

/// A line of a program.
#[derive(Clone, Debug)]
pub enum Step {
    /// A command; `catches`: its error does not end the program.
    Call { words: Vec<Word>, catches: bool },
    /// Reads the first key, and writes what it had with something behind.
    Extend,
    /// Writes the first key if the second is not there.
    Claim,
    /// Takes its time.
    Loop(u64),
    /// Fails.
    Fail,
}

/// What a step does with the data: commands, whose answers the next ones may depend on.
pub enum Does {
    Call { words: Words, catches: bool },
    Extend { key: Vec<u8>, by: Vec<u8> },
    Claim { key: Vec<u8>, unless: Vec<u8>, value: Vec<u8> },
    Nothing,
    Fail,
}

/// A script, or the body of a function.
#[derive(Clone, Debug)]
pub struct Program {
    steps: Vec<Step>,
    /// The text, as EVAL is given it.
    pub text: Vec<u8>,
    pub sha: Vec<u8>,
}

impl Program {
    fn new(rng: &mut Rng, is_slow: bool) -> Self {
        let count = 1 + rng.below(5) as usize;
        let mut steps: Vec<_> = (0..count).map(|_| step(rng)).collect();
        if is_slow {
            let at = rng.below(count as u64 + 1) as usize;
            steps.insert(at, Step::Loop((20 + rng.below(100)) * LOOK_INSTRUCTIONS));
        }
        Self { text: text(&steps).into_bytes(), steps, sha: Vec::new() }
    }

    /// What it does, step by step, with the number of each one's line.
    pub fn does<'a>(&'a self, keys: &'a [Vec<u8>], args: &'a [Vec<u8>]) -> impl Iterator<Item = (usize, Does)> + 'a {
        self.steps.iter().enumerate().map(|(i, step)| {
            let does = match step {
                Step::Call { words, catches } => {
                    Does::Call { words: words.iter().map(|word| word.value(keys, args)).collect(), catches: *catches }
                }
                Step::Extend => Does::Extend { key: keys[0].clone(), by: args[2].clone() },
                Step::Claim => Does::Claim { key: keys[0].clone(), unless: keys[1].clone(), value: args[0].clone() },
                Step::Loop(_) => Does::Nothing,
                Step::Fail => Does::Fail,
            };
            (i + 2, does)
        })
    }
}

/// Arguments of every program: two keys; two values that are new, a number and a time in milliseconds.
fn step(rng: &mut Rng) -> Step {
    let (key, other) = if rng.below(2) == 0 { ("K0", "K1") } else { ("K1", "K0") };
    let line = match rng.below(26) {
        0..=3 => format!("SET {key} A{}", rng.below(2)),
        4 => format!("SET {key} A0 PX A3"),
        5 | 6 => format!("INCRBY {key} A2"),
        7 => format!("APPEND {key} A2"),
        8 => format!("DEL {key}"),
        9 => format!("PEXPIRE {key} A3"),
        10 => format!("PERSIST {key}"),
        11 => format!("RENAME {key} {other}"),
        12 => format!("GETDEL {key}"),
        13 => format!("COPY {key} {other} DB {} REPLACE", rng.below(DBS)),
        14 => format!("MOVE {key} {}", rng.below(DBS)),
        15 => format!("SELECT {}", rng.below(DBS)),
        16 => format!("MSET {key} A0 {other} A1"),
        17 => format!("RPUSH list:{} A0 A1", rng.below(8)),
        18 => format!("GET {key}"),
        19 => format!("MGET {key} {other}"),
        20 | 21 => return Step::Extend,
        22 | 23 => return Step::Claim,
        24 if rng.below(3) == 0 => return Step::Fail,
        _ => format!("PTTL {key}"),
    };
    let word = |word: &str| match word {
        "K0" => Word::Key(0),
        "K1" => Word::Key(1),
        "A0" | "A1" | "A2" | "A3" => Word::Arg(usize::from(word.as_bytes()[1] - b'0')),
        plain => Word::Plain(plain.into()),
    };
    Step::Call { words: line.split(' ').map(word).collect(), catches: rng.below(2) == 0 }
}

fn text(steps: &[Step]) -> String {
    let mut text = BEGIN.to_owned();
    for step in steps {
        let written = match step {
            Step::Call { words, catches } => {
                let words: Vec<_> = words.iter().map(Word::lua).collect();
                writeln!(text, "note(redis.{}call({}))", if *catches { "p" } else { "" }, words.join(", "))
            }
            Step::Extend => writeln!(text, "note(redis.call('SET', KEYS[1], (redis.call('GET', KEYS[1]) or '') .. ARGV[3]))"),
            Step::Claim => writeln!(text, "if not redis.call('GET', KEYS[2]) then note(redis.call('SET', KEYS[1], ARGV[1])) end"),
            Step::Loop(count) => writeln!(text, "for i = 1, {count} do end"),
            Step::Fail => writeln!(text, "error('half way')"),
        };
        written.expect("there is room");
    }
    text + "return r"
}

/// A text that a library may have.
pub struct Variant {
    pub code: Vec<u8>,
    /// What FUNCTION DUMP says where it is the only one.
    pub dump: Vec<u8>,
    /// The program of its only function.
    program: usize,
}

/// All programs and libraries of a run.
pub struct Catalogue {
    programs: Vec<Program>,
    libraries: Vec<Vec<Variant>>,
    by_text: BTreeMap<Vec<u8>, usize>,
    by_sha: BTreeMap<Vec<u8>, usize>,
}

impl Catalogue {
    pub fn new(rng: &mut Rng) -> Self {
        let mut programs: Vec<_> = (0..QUICK + SLOW).map(|i| Program::new(rng, i >= QUICK)).collect();
        let mut asker = Asker::new();
        for program in &mut programs {
            program.sha = asker.bulk(&[b"SCRIPT".to_vec(), b"LOAD".to_vec(), program.text.clone()]);
        }
        let variant = |library: usize, rng: &mut Rng, asker: &mut Asker| {
            let program = rng.below(QUICK as u64) as usize;
            let body = String::from_utf8(programs[program].text.clone()).expect("it is made of letters");
            // The line that a program begins with is the second one, behind the library's own.
            let code =
                format!("#!lua name=lib{library}\nredis.register_function('f{library}', function(KEYS, ARGV) {body}\nend)").into_bytes();
            asker.ask(&[b"FUNCTION".to_vec(), b"LOAD".to_vec(), code.clone()]);
            let dump = asker.bulk(&[b"FUNCTION".to_vec(), b"DUMP".to_vec()]);
            asker.ask(&[b"FUNCTION".to_vec(), b"FLUSH".to_vec()]);
            Variant { code, dump, program }
        };
        let libraries = (0..LIBRARIES).map(|library| (0..VARIANTS).map(|_| variant(library, rng, &mut asker)).collect()).collect();
        let by_text = programs.iter().enumerate().map(|(i, program)| (program.text.clone(), i)).collect();
        let by_sha = programs.iter().enumerate().map(|(i, program)| (program.sha.clone(), i)).collect();
        Self { programs, libraries, by_text, by_sha }
    }

    /// All programs, with their numbers.
    pub fn all(&self) -> impl Iterator<Item = (usize, &Program)> {
        self.programs.iter().enumerate()
    }

    pub fn program(&self, index: usize) -> &Program {
        &self.programs[index]
    }

    pub fn variant(&self, library: usize, variant: usize) -> &Variant {
        &self.libraries[library][variant]
    }

    /// The program of a script's text, or of its SHA-1.
    pub fn find(&self, text_or_sha: &[u8]) -> Option<usize> {
        self.by_text.get(text_or_sha).or_else(|| self.by_sha.get(text_or_sha)).copied()
    }

    /// The program of a function.
    pub fn function(&self, library: usize, variant: usize) -> &Program {
        self.program(self.variant(library, variant).program)
    }

    /// Which text of which library a code or a dump is.
    pub fn find_variant(&self, code_or_dump: &[u8]) -> Option<(usize, usize)> {
        let is_it = |variant: &Variant| variant.code == code_or_dump || variant.dump == code_or_dump;
        self.libraries.iter().enumerate().find_map(|(i, variants)| Some((i, variants.iter().position(is_it)?)))
    }

    /// A request of those who run scripts. `value` makes values that are new.
    pub fn request(&self, rng: &mut Rng, keys: [String; 2], mut value: impl FnMut(&mut Rng) -> String) -> Words {
        let (library, variant) = (rng.below(LIBRARIES as u64) as usize, rng.below(VARIANTS as u64) as usize);
        let program = &self.programs[rng.below(QUICK as u64) as usize];
        let bytes = |word: &str| word.as_bytes().to_vec();
        let name = format!("lib{library}").into_bytes();
        let mut call = |rng: &mut Rng, command: &str, what: Vec<u8>| call(command, what, &keys, rng, &mut value);
        match rng.below(24) {
            0..=7 => call(rng, "EVAL", program.text.clone()),
            8..=11 => call(rng, "EVALSHA", program.sha.clone()),
            12 => call(rng, "EVAL_RO", program.text.clone()),
            13..=16 => call(rng, "FCALL", format!("f{library}").into_bytes()),
            17 => vec![bytes("SCRIPT"), bytes("LOAD"), program.text.clone()],
            18 => vec![bytes("SCRIPT"), bytes("EXISTS"), program.sha.clone()],
            19 if rng.below(3) == 0 => vec![bytes("SCRIPT"), bytes("FLUSH")],
            19 | 20 => vec![bytes("FUNCTION"), bytes("LOAD"), bytes("REPLACE"), self.variant(library, variant).code.clone()],
            21 => vec![bytes("FUNCTION"), bytes("LOAD"), self.variant(library, variant).code.clone()],
            22 => vec![bytes("FUNCTION"), bytes("DELETE"), name],
            _ => {
                let policy = ["FLUSH", "APPEND", "REPLACE"][rng.below(3) as usize];
                vec![bytes("FUNCTION"), bytes("RESTORE"), self.variant(library, variant).dump.clone(), bytes(policy)]
            }
        }
    }

    /// A script that takes its time.
    pub fn slow_request(&self, rng: &mut Rng, keys: [String; 2], mut value: impl FnMut(&mut Rng) -> String) -> Words {
        let program = &self.programs[QUICK + rng.below(SLOW as u64) as usize];
        call("EVAL", program.text.clone(), &keys, rng, &mut value)
    }

    /// Whether a request runs a script that takes its time.
    pub fn is_slow(&self, words: &[Vec<u8>]) -> bool {
        words.len() > 3 && self.find(&words[1]).is_some_and(|program| program >= QUICK)
    }
}

fn call(command: &str, what: Vec<u8>, keys: &[String; 2], rng: &mut Rng, value: &mut dyn FnMut(&mut Rng) -> String) -> Words {
    let (first, second) = (value(rng), value(rng));
    let (number, ms) = (rng.below(100).to_string(), (1 + rng.below(2000)).to_string());
    let rest = [keys[0].clone(), keys[1].clone(), first, second, number, ms].map(String::into_bytes);
    [command.as_bytes().to_vec(), what, b"2".to_vec()].into_iter().chain(rest).collect()
}

/// The texts of a server's libraries, by name.
pub fn libraries_of(server: &Server) -> BTreeMap<Vec<u8>, Vec<u8>> {
    server.functions.libraries().map(|library| (library.name.to_vec(), library.code.to_vec())).collect()
}

/// A server that is asked for what only a server knows.
struct Asker(Engine);

struct Still;

impl Host for Still {
    fn unix_us(&self) -> i64 {
        0
    }

    fn nanos(&self) -> u64 {
        0
    }
}

impl Asker {
    fn new() -> Self {
        let mut engine = Engine::new(Config { save: Vec::new(), ..Config::default() }, Box::new(Still), 0);
        engine.connect(ConnId(0), Origin { local: true, ..Origin::default() }).expect("it has no other client");
        Self(engine)
    }

    fn ask(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let conn = ConnId(0);
        self.0.receive(conn, &wire(words));
        let mut pieces = [std::io::IoSlice::new(&[]); 64];
        let count = self.0.output(conn, &mut pieces, usize::MAX);
        let answer = pieces[..count].iter().flat_map(|piece| piece.to_vec()).collect::<Vec<u8>>();
        self.0.sent(conn, answer.len());
        while self.0.take_dirty().is_some() {}
        answer
    }

    fn bulk(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let answer = self.ask(words);
        assert!(answer.starts_with(b"$"), "{}", answer.escape_ascii());
        let start = memchr::memchr(b'\n', &answer).expect("a line") + 1;
        answer[start..answer.len() - 2].to_vec()
    }
}
