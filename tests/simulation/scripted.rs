//! What scripts and functions do to the model: all their steps at one moment.

use super::{
    model::{Model, Session, number},
    scripts::{Catalogue, Does, Program},
    wire::{Words, array, bulk, int},
};
use solod::state::server::Server;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

/// Which scripts and libraries a server has.
#[derive(Clone)]
pub struct Loaded {
    catalogue: Rc<Catalogue>,
    /// Programs that are found by their SHA-1.
    scripts: BTreeSet<usize>,
    /// The text that each library has.
    libraries: BTreeMap<usize, usize>,
}

impl Loaded {
    /// What a server has now.
    pub fn of(catalogue: &Rc<Catalogue>, server: &Server) -> Self {
        let scripts = catalogue.all().filter(|(_, program)| server.scripting.find(&program.sha).is_some()).map(|(i, _)| i);
        let libraries = server.functions.codes().into_iter().filter_map(|code| catalogue.find_variant(code));
        Self { catalogue: Rc::clone(catalogue), scripts: scripts.collect(), libraries: libraries.collect() }
    }

    /// The code of each library, by name.
    pub fn codes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let code = |(library, variant): (&usize, &usize)| {
            (format!("lib{library}").into_bytes(), self.catalogue.variant(*library, *variant).code.clone())
        };
        self.libraries.iter().map(code).collect()
    }

    /// What a request about libraries is answered.
    fn function(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let ok = || b"+OK\r\n".to_vec();
        let name = |library: usize| format!("lib{library}");
        let taken = |library: usize| format!("-ERR Library '{}' already exists\r\n", name(library)).into_bytes();
        let index = |word: &[u8]| usize::from(word[word.len() - 1] - b'0');
        match (&words[1][..], words.len()) {
            (b"LOAD", len) => {
                let (library, variant) = self.catalogue.find_variant(&words[len - 1]).expect("the workload knows its libraries");
                if len == 3 && self.libraries.contains_key(&library) {
                    return taken(library);
                }
                self.libraries.insert(library, variant);
                bulk(Some(name(library).as_bytes()))
            }
            (b"DELETE", _) => match self.libraries.remove(&index(&words[2])) {
                Some(_) => ok(),
                None => b"-ERR Library not found\r\n".to_vec(),
            },
            (b"RESTORE", _) => {
                let (library, variant) = self.catalogue.find_variant(&words[2]).expect("the workload knows its libraries");
                match &words[3][..] {
                    b"FLUSH" => self.libraries.clear(),
                    b"APPEND" if self.libraries.contains_key(&library) => {
                        return format!("-ERR Library {} already exists\r\n", name(library)).into_bytes();
                    }
                    _ => (),
                }
                self.libraries.insert(library, variant);
                ok()
            }
            other => panic!("the workload does not ask for {other:?}"),
        }
    }
}

/// Who is told of an error.
struct Caller<'a> {
    name: &'a str,
    place: &'a str,
    /// Lines in front of the program.
    lines: usize,
    read_only: bool,
}

impl Model {
    /// Does what a request about scripts asks. `None`: nothing is known of scripts.
    pub fn scripting(&mut self, db: usize, words: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut loaded = self.loaded.take()?;
        let reply = self.scripting_with(&mut loaded, db, words);
        self.loaded = Some(loaded);
        Some(reply)
    }

    fn scripting_with(&mut self, loaded: &mut Loaded, db: usize, words: &[Vec<u8>]) -> Vec<u8> {
        let catalogue = Rc::clone(&loaded.catalogue);
        let known = |word: &[u8]| catalogue.find(word).expect("the workload knows its scripts");
        match &words[0][..] {
            b"EVAL" | b"EVALSHA" | b"EVAL_RO" => {
                let index = known(&words[1]);
                if words[0] == b"EVALSHA" && !loaded.scripts.contains(&index) {
                    return b"-NOSCRIPT No matching script. Please use EVAL.\r\n".to_vec();
                }
                loaded.scripts.insert(index);
                let program = catalogue.program(index);
                let name = std::str::from_utf8(&program.sha).expect("digits");
                self.run(db, program, words, &Caller { name, place: "user_script", lines: 0, read_only: words[0] == b"EVAL_RO" })
            }
            b"FCALL" => {
                let library = usize::from(words[1][1] - b'0');
                let Some(variant) = loaded.libraries.get(&library) else { return b"-ERR Function not found\r\n".to_vec() };
                let name = &format!("f{library}");
                let caller = Caller { name, place: "user_function", lines: 1, read_only: false };
                self.run(db, catalogue.function(library, *variant), words, &caller)
            }
            b"SCRIPT" => match &words[1][..] {
                b"LOAD" => {
                    loaded.scripts.insert(known(&words[2]));
                    bulk(Some(&catalogue.program(known(&words[2])).sha))
                }
                b"EXISTS" => array(&[int(loaded.scripts.contains(&known(&words[2])).into())]),
                _ => {
                    loaded.scripts.clear();
                    b"+OK\r\n".to_vec()
                }
            },
            _ => loaded.function(words),
        }
    }

    /// Runs a program, and says what that is answered.
    fn run(&mut self, db: usize, program: &Program, words: &[Vec<u8>], caller: &Caller<'_>) -> Vec<u8> {
        let (keys, args) = words[3..].split_at(2);
        let mut session = Session::in_db(db);
        let mut notes = Vec::new();
        for (line, does) in program.does(keys, args) {
            let line = line + caller.lines;
            let failed = |text: &[u8]| {
                let text = String::from_utf8_lossy(text);
                format!("-{text} script: {}, on @{}:{line}.\r\n", caller.name, caller.place).into_bytes()
            };
            let mut call = |words: Words| self.call(&mut session, &words, caller.read_only);
            let set = |key: Vec<u8>, value: Vec<u8>| vec![b"SET".to_vec(), key, value];
            let noted = match does {
                Does::Nothing => continue,
                Does::Fail => return failed(format!("ERR {}:{line}: half way", caller.place).as_bytes()),
                Does::Call { words, catches } => match call(words) {
                    Err(text) if catches => Ok(bulk(Some(&text))),
                    result => result,
                },
                Does::Extend { key, by } => {
                    let old = self.text_of(session.db, &key).unwrap_or_default();
                    self.call(&mut session, &set(key, [old, by].concat()), caller.read_only)
                }
                Does::Claim { key, unless, value } => match self.text_of(session.db, &unless) {
                    Some(_) => continue,
                    None => self.call(&mut session, &set(key, value), caller.read_only),
                },
            };
            match noted {
                Ok(reply) => notes.push(reply),
                Err(text) => return failed(&text),
            }
        }
        array(&notes)
    }

    /// A command of a script. The error is its text.
    fn call(&mut self, session: &mut Session, words: &Words, read_only: bool) -> Result<Vec<u8>, Vec<u8>> {
        if read_only && !matches!(&words[0][..], b"GET" | b"MGET" | b"PTTL" | b"SELECT") {
            return Err(b"ERR Write commands are not allowed from read-only scripts.".to_vec());
        }
        let reply = self.command(session, words).expect("scripts call what is known");
        match reply.split_first() {
            Some((b'-', error)) => Err(error[..error.len() - 2].to_vec()),
            // Lua knows doubles only.
            Some((b':', digits)) => Ok(int(number(digits.trim_ascii_end()) as f64 as i64)),
            _ => Ok(reply),
        }
    }
}
