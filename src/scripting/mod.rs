//! Scripts: Lua, and what a script is run with. It knows no client, no command table and no keyspace: a running script *asks*, and is resumed
//! with the answer.
//!
//! ```text
//! begin -> resume(Begin) -> Call        the engine runs call_args() and
//!          resume(Reply) -> Interrupted  hands the reply back; each stop
//!          resume(Go)    -> Finished     is a switch of stacks
//!          write_result
//! ```
//!
//! One script runs at a time. Between two calls of `resume` it lies on a stack of its own, where nothing owns memory of Rust's: a kill ends
//! it with an error of Lua's, which jumps over those frames.

mod bytecode;
mod cache;
mod debugger;
pub mod functions;
pub mod libs;
mod lua;
mod shebang;
pub mod text;

use crate::resp::{
    output::Output,
    request::{Args, OwnedArgs},
};
use cache::Cache;
use debugger::Debugger;
use lua::Machine;
pub use shebang::{ScriptFlags, Shebang, parse_flag};
use std::rc::Rc;

/// A script that is compiled, or a function of a library. It stays valid until what it refers to is let go; then its number is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FunctionRef(u32);

/// What the engine hands to a script that is suspended.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// The first one: the script begins.
    Begin,
    /// To a call: the reply as RESP2, or as RESP3 where the script has asked for that.
    Reply(&'a [u8]),
    /// To what only had to be known.
    Go,
    /// To a check of permissions.
    Bool(bool),
    /// The script is to end, with this text, which begins with its code.
    Kill(&'static str),
    /// An error of the engine's own, without `-`, its code in front.
    Error(&'a [u8]),
    /// To an interruption of a script that is debugged: it goes on for long, and is to stop.
    Late,
    /// To a prompt: there is nobody who could say something.
    Leave,
}

/// What a script is suspended for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Run [`Scripting::call_args`].
    Call,
    /// Whether the script's user may run [`Scripting::call_args`].
    AclCheck,
    /// The script has run for a number of instructions.
    Interrupted,
    /// It has stopped to be debugged, or the last command of its user is carried out: [`Scripting::take_lines`] is what is to be shown. The answer is
    /// [`Answer::Go`] behind [`Scripting::say`].
    Prompt,
    /// A line for the log: its level is 0 to 3. Its text is [`Scripting::log_text`].
    Log { level: u8 },
    /// What of the following writes is propagated: 1 the append-only file, 2 replicas.
    Propagate(u8),
    /// The protocol that the following replies are written in: 2 or 3.
    SetResp(u8),
    /// It has ended. [`Scripting::write_result`] writes what it returned or died of.
    Finished { failed: bool },
}

/// What a script's end has written.
#[derive(Debug, Default)]
pub struct Written {
    /// It is an error.
    pub is_error: bool,
    /// Errors that nobody has counted yet: those that did not come out of a call.
    pub uncounted: Vec<Vec<u8>>,
}

/// The level of the log for one of a script's.
pub fn log_level(level: u8) -> log::Level {
    match level {
        0 => log::Level::Trace,
        1 => log::Level::Debug,
        2 => log::Level::Info,
        _ => log::Level::Warn,
    }
}

/// How a script is run.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// What errors call it: its SHA-1 in hexadecimal, or a function's name.
    pub name: Rc<[u8]>,
    /// A function of a library gets its keys and arguments as parameters; a script finds them in KEYS and ARGV.
    pub is_function: bool,
    /// Monotonic nanoseconds at which it begins.
    pub nanos: u64,
}

/// A function that a library has registered.
pub struct RegisteredFunction {
    pub name: Box<[u8]>,
    pub description: Option<Box<[u8]>>,
    pub flags: ScriptFlags,
    pub function: FunctionRef,
}

/// What running a library's code has registered.
pub struct LoadedLibrary {
    pub name: Box<[u8]>,
    pub functions: Vec<RegisteredFunction>,
}

/// Lua and what is kept of scripts. Nothing is made before the first one.
#[derive(Default)]
pub struct Scripting {
    machine: Option<Machine>,
    cache: Cache,
    /// Bytes that Lua may hold; 0: any number.
    memory_limit: usize,
    /// Where `math.random` begins.
    seed: u32,
}

/// Which kind of command brings a script's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// EVAL: it is let go when there are many of these.
    Eval,
    /// SCRIPT LOAD: it stays.
    Load,
}

impl Scripting {
    /// Bounds what Lua may hold. 0: no bound.
    pub fn set_memory_limit(&mut self, bytes: usize) {
        self.memory_limit = bytes;
        if let Some(machine) = &mut self.machine {
            machine.set_limit(bytes);
        }
    }

    /// Says where `math.random` begins. Must be called before the first script.
    pub fn set_seed(&mut self, seed: u32) {
        self.seed = seed;
    }

    fn machine(&mut self) -> &mut Machine {
        let limit = self.memory_limit;
        let seed = self.seed;
        self.machine.get_or_insert_with(|| Machine::new(limit, seed))
    }

    /// Finds a script by its text or compiles it. An error is the whole text for the client.
    pub fn load(&mut self, body: &[u8], origin: Origin) -> Result<FunctionRef, Vec<u8>> {
        if let Some(known) = self.cache.find_text(body, origin) {
            return Ok(known);
        }
        let shebang = shebang::of_script(body)?;
        let function = self
            .machine()
            .compile(&body[shebang.len..], "@user_script")
            .map_err(|text| [b"ERR Error compiling script (new function): ", &text[..]].concat())?;
        if let Some(gone) = self.cache.insert(body, function, shebang.flags, origin) {
            self.machine().release(gone);
        }
        Ok(function)
    }

    /// Runs a library's code, which may only register functions. `is_late` is asked as it runs, and ends it. An error is the whole text for
    /// the client.
    pub fn load_library(&mut self, code: &[u8], is_late: &mut dyn FnMut() -> bool) -> Result<LoadedLibrary, Vec<u8>> {
        let (name, len) = shebang::of_library(code)?;
        if !lua::is_name(&name) {
            return Err(
                b"ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long".to_vec()
            );
        }
        let machine = self.machine();
        let chunk =
            machine.compile(&code[len..], "@user_function").map_err(|text| [b"ERR Error compiling function: ", &text[..]].concat())?;
        let registered = machine.register(chunk, is_late);
        machine.release(chunk);
        match registered {
            Ok(functions) if functions.is_empty() => Err(b"ERR No functions registered".to_vec()),
            Ok(functions) => Ok(LoadedLibrary { name: name.into(), functions }),
            Err(text) => Err([b"ERR Error registering functions: ", &text[..]].concat()),
        }
    }

    /// Lets functions of libraries go.
    pub fn release(&mut self, functions: impl Iterator<Item = FunctionRef>) {
        let machine = self.machine();
        functions.for_each(|function| machine.release(function));
        machine.collect_gone();
    }

    /// The script of this SHA-1, whatever the case of its digits.
    pub fn find(&self, sha1_hex: &[u8]) -> Option<FunctionRef> {
        self.cache.find_sha(sha1_hex)
    }

    /// What the script promises.
    pub fn flags(&self, script: FunctionRef) -> ScriptFlags {
        self.cache.get(script).map(|s| s.flags).unwrap_or_default()
    }

    /// What the text of a script promises. `None` where its line is wrong.
    pub fn flags_of_text(body: &[u8]) -> Option<ScriptFlags> {
        shebang::of_script(body).ok().map(|shebang| shebang.flags)
    }

    /// The script's SHA-1 in lower case.
    pub fn sha(&self, script: FunctionRef) -> Rc<[u8]> {
        self.cache.get(script).map_or_else(Rc::default, |script| script.sha.clone())
    }

    /// The script's text.
    pub fn body(&self, script: FunctionRef) -> &[u8] {
        self.cache.get(script).map_or(&[], |s| &s.body)
    }

    /// Lets every script go.
    pub fn flush_scripts(&mut self) {
        for gone in self.cache.clear() {
            self.machine().release(gone);
        }
        if let Some(machine) = &mut self.machine {
            machine.collect_gone();
        }
    }

    /// Number of scripts that are kept.
    pub fn script_count(&self) -> usize {
        self.cache.len()
    }

    /// Number of EVAL's scripts that have been let go because there were many.
    pub fn evicted_scripts(&self) -> u64 {
        self.cache.evicted()
    }

    /// Bytes of the scripts that are kept, beside Lua's.
    pub fn script_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Bytes that Lua holds.
    pub fn lua_bytes(&self) -> usize {
        self.machine.as_ref().map_or(0, Machine::memory)
    }

    /// The next run is debugged, with this as its source.
    pub fn debug(&mut self, source: &[u8]) {
        self.machine().set_debugger(Some(Box::new(Debugger::new(source))));
    }

    /// What the session's user says next.
    pub fn say(&mut self, words: Vec<Box<[u8]>>) {
        if let Some(debugger) = self.machine().debugger() {
            debugger.words = words;
        }
    }

    /// Lines that the session is to show.
    pub fn take_lines(&mut self) -> Vec<Vec<u8>> {
        self.machine().debugger().map(Debugger::take_lines).unwrap_or_default()
    }

    /// The answer that comes now is a refusal: the command was not run.
    pub fn note_refusal(&mut self) {
        if let Some(debugger) = self.machine().debugger() {
            debugger.was_refused = true;
        }
    }

    /// The session is over.
    pub fn end_debugging(&mut self) {
        self.machine().set_debugger(None);
    }

    /// Prepares a run. The first [`Self::resume`] starts it.
    pub fn begin(&mut self, function: FunctionRef, keys: Args, argv: Args, facts: RunFacts) {
        self.machine().begin(function, keys, argv, facts);
    }

    /// Says which moment of monotonic time it is where the script has been [`Asked::Interrupted`]: the longer its instructions take, the fewer of them run
    /// before the next time.
    pub fn note_time(&mut self, nanos: u64) {
        self.machine().note_time(nanos);
    }

    /// Says at which moment a script goes on that others have had turns beside.
    pub fn note_slice(&mut self, nanos: u64) {
        self.machine().note_slice(nanos);
    }

    /// Runs the script until it asks for something.
    #[inline]
    pub fn resume(&mut self, answer: Answer) -> Asked {
        self.machine().resume(answer)
    }

    /// The arguments of the call that is asked for.
    #[inline]
    pub fn call_args(&self) -> Args<'_> {
        self.machine.as_ref().expect("a script runs").call_args()
    }

    /// Takes the arguments of the pending call out, for an engine that changes the server while it looks at them.
    #[inline]
    pub fn take_call(&mut self) -> Box<OwnedArgs> {
        self.machine().take_call()
    }

    /// Gives them back, so that their room is used again.
    #[inline]
    pub fn give_back_call(&mut self, args: Box<OwnedArgs>) {
        self.machine().give_back_call(args);
    }

    /// What the script has to say to the log.
    pub fn log_text(&self) -> &[u8] {
        self.call_args().get(0)
    }

    /// Writes what the script has returned, or its error.
    pub fn write_result(&mut self, out: &mut Output) -> Written {
        let lua::Written { is_error, uncounted } = self.machine().write_result(out);
        Written { is_error, uncounted }
    }

    /// Whether the collector is to go on by itself.
    #[inline]
    pub fn has_garbage(&self) -> bool {
        self.machine.as_ref().is_some_and(Machine::has_garbage)
    }

    /// Has the collector go on as long as `within` says.
    pub fn collect(&mut self, within: &mut dyn FnMut() -> bool) {
        if let Some(machine) = &mut self.machine {
            machine.collect(within);
        }
    }

    /// Gives a suspended run up, and Lua with it: its stack is not unwound and its memory not given back. For a server that ends.
    pub fn abandon(&mut self) {
        if let Some(machine) = self.machine.take() {
            machine.abandon();
        }
    }
}

#[cfg(test)]
mod tests;
