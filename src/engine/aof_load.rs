//! The append-only log is loaded: base and increments, one after the other, in slices between events.
//!
//! A file that begins as a snapshot does goes through [`Loader`], and what follows the snapshot, or all of another file, is commands: they are executed as a client of
//! their own, which nobody hears. Only the last file that has anything may end in the middle of something: it is cut off behind its last whole command or
//! transaction.

use super::{
    Engine,
    executor::{Executor, Step},
    file_input::{FileInput, SLICE_NANOS, STEP_KEYS},
    loading::{LoadOptions, Loader, LoaderProgress, note_loaded},
};
use crate::{
    commands::CommandId,
    config::PropagationErrorBehavior,
    keyspace::ExpireMode,
    state::{
        Client, ConnId, Peer,
        client::Origin,
        disk::{DiskDone, DiskJob, Done, Lane},
        saving::resumes_nanos,
        stats::Stats,
    },
};
use std::collections::VecDeque;

/// How a snapshot begins: those of later versions of Valkey with the other one.
const SNAPSHOT_MARKS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// A file of the log that is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub name: String,
    pub bytes: u64,
    pub is_base: bool,
}

/// Files being loaded.
pub(super) struct PartsLoad {
    /// Those that are still to come.
    left: VecDeque<Part>,
    /// Bytes of those that are done.
    done_bytes: u64,
    /// The one under way.
    part: Option<Box<PartLoad>>,
    /// What its commands count, which is nobody's.
    stats: Stats,
}

/// The file under way.
struct PartLoad {
    part: Part,
    input: FileInput,
    started_nanos: u64,
    content: Content,
    /// Its end is being cut off, which this setting allows.
    cut_by: Option<&'static str>,
    /// Monotonic nanoseconds at the end of the last step, and the commands or keys of it: what `key-load-delay` counts from.
    stepped: (u64, u64),
}

/// What a file holds.
enum Content {
    /// Too little has been read to say.
    Unknown(Vec<u8>),
    /// A snapshot, and perhaps commands behind it.
    Snapshot(Box<Loader>),
    /// Commands, from this place in the file on.
    Commands(Box<Executor>, u64),
}

/// How the load of a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    /// All is loaded.
    Whole,
    /// All but an end that has been cut off.
    Cut,
    /// It is not: the log says why.
    Failed,
}

impl PartsLoad {
    pub(super) fn new(parts: VecDeque<Part>, commands: usize) -> Self {
        let mut stats = Stats::default();
        stats.by_command.resize(commands, Default::default());
        Self { left: parts, done_bytes: 0, part: None, stats }
    }

    /// Whether it wants a slice now, but for delays.
    pub(super) fn wants_slice(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.cut_by.is_none() && part.input.is_waiting())
    }

    /// Monotonic nanoseconds before which it does not go on, where `delay` is `key-load-delay`.
    pub(super) fn resumes(&self, delay: i32) -> u64 {
        resumes_nanos(delay, self.part.as_ref().map_or((0, 0), |part| part.stepped))
    }
}

impl PartLoad {
    /// The place in the file up to which it is loaded.
    fn offset(&self) -> u64 {
        match &self.content {
            Content::Unknown(_) => 0,
            Content::Snapshot(loader) => loader.offset(),
            Content::Commands(commands, from) => from + commands.executed(),
        }
    }
}

impl Engine {
    /// Begins with the next file; `Some`: there is none.
    pub(super) fn next_part(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let Some(part) = load.left.pop_front() else { return Some(Loaded::Whole) };
        let (file, path) = (self.server.next_file(Lane::Log), self.server.aof_files.path(&part.name));
        self.server.ask_disk(DiskJob::Open { file, path });
        load.part = Some(Box::new(PartLoad {
            part,
            input: FileInput::new(file),
            started_nanos: self.server.host.nanos(),
            content: Content::Unknown(Vec::new()),
            cut_by: None,
            stepped: (0, 0),
        }));
        let client = Client { peer: Peer::File, ..Client::new(u64::MAX, Origin::default(), self.server.mono_ms, true) };
        self.server.clients.set_file_client(Some(client));
        None
    }

    /// Takes the load a slice further; `Some`: it is over.
    pub(super) fn parts_slice(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let started = self.nanos;
        let mode = std::mem::replace(&mut self.server.keyspace.expire_mode, ExpireMode::Ignore);
        std::mem::swap(&mut self.server.stats, &mut load.stats);
        // What is loaded is nobody else's to repeat.
        let proxied = self.server.replication.log.is_proxied();
        self.server.replication.log.set_proxied(true);
        self.server.keyspace.notes.is_off = true;
        // Who waits for a key is served behind the slice, and what that changes is logged.
        let serving = std::mem::replace(&mut self.serving, true);
        let mut ended = None;
        while ended.is_none() && load.wants_slice() && load.resumes(self.server.config.key_load_delay) <= self.nanos {
            ended = self.part_step(load);
            if self.server.host.nanos().saturating_sub(started) >= SLICE_NANOS {
                break;
            }
        }
        self.serving = serving;
        self.server.keyspace.notes.is_off = false;
        self.server.replication.log.set_proxied(proxied);
        std::mem::swap(&mut self.server.stats, &mut load.stats);
        self.server.keyspace.expire_mode = mode;
        ended
    }

    fn part_step(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let done_bytes = load.done_bytes;
        let part = load.part.as_mut()?;
        if !part.input.is_busy() {
            let piece = part.input.take_piece()?;
            self.push_part(part, &piece);
        }
        let (before, count_before) = (part.offset(), self.server.stats.commands);
        let (result, keys) = match &mut part.content {
            Content::Unknown(_) => (Ok(false), 0),
            Content::Snapshot(loader) => {
                let keys = loader.keys() + loader.expired();
                let result = loader.step(&mut self.server.keyspace, STEP_KEYS);
                let keys = loader.keys() + loader.expired() - keys;
                match result {
                    Ok(LoaderProgress::More) => (Ok(true), keys),
                    Ok(LoaderProgress::Hungry) => (Ok(false), keys),
                    Ok(LoaderProgress::Done) => {
                        self.snapshot_loaded(part);
                        (Ok(true), keys)
                    }
                    Err(error) => (Err(Wrong::Snapshot(error.to_string())), keys),
                }
            }
            Content::Commands(commands, _) => (self.commands_step(commands), 0),
        };
        if let Some(state) = &mut self.server.loading {
            state.advance(done_bytes + part.offset());
            if let Content::Snapshot(loader) = &part.content {
                state.used_memory = loader.facts().used_memory.unwrap_or(0);
            }
        }
        if self.server.config.key_load_delay != 0 && part.offset() > before {
            self.nanos = self.server.host.nanos();
            part.stepped = (self.nanos, keys + self.server.stats.commands.wrapping_sub(count_before));
        }
        match result {
            Ok(true) => None,
            Ok(false) => {
                part.input.piece_loaded();
                self.read_on(load)
            }
            Err(wrong) => self.part_is_wrong(load, wrong),
        }
    }

    /// Takes bytes of a file.
    fn push_part(&mut self, part: &mut PartLoad, bytes: &[u8]) {
        match &mut part.content {
            Content::Snapshot(loader) => loader.push(bytes),
            Content::Commands(commands, _) => commands.push(bytes),
            Content::Unknown(start) => {
                start.extend_from_slice(bytes);
                let start = std::mem::take(start);
                let may_be = |mark: &&[u8]| mark.len() > start.len() && mark.starts_with(&start);
                if SNAPSHOT_MARKS.iter().any(may_be) && start.len() as u64 != part.part.bytes {
                    part.content = Content::Unknown(start);
                } else if SNAPSHOT_MARKS.iter().any(|mark| start.starts_with(mark)) {
                    match part.part.name == self.server.config.appendfilename {
                        true => log::info!("Reading RDB preamble from AOF file..."),
                        false => log::info!("Reading RDB base file on AOF loading..."),
                    }
                    let mut loader = self.base_loader(part.part.bytes);
                    loader.push(&start);
                    part.content = Content::Snapshot(Box::new(loader));
                } else {
                    let mut commands = Executor::of_file();
                    commands.push(&start);
                    part.content = Content::Commands(Box::new(commands), 0);
                }
            }
        }
    }

    /// Keys past their deadline are loaded too: increments may say what becomes of them.
    fn base_loader(&self, bytes: u64) -> Loader {
        Loader::new(LoadOptions { decode: self.server.decode_options(Some(bytes)), keep_expired: true, ..LoadOptions::default() })
    }

    /// What follows a snapshot is commands.
    fn snapshot_loaded(&mut self, part: &mut PartLoad) {
        let Content::Snapshot(loader) = &mut part.content else { return };
        if let Err(reason) = self.server.adopt_libraries(loader.take_libraries(), true, true) {
            log::error!("The append-only file has a library of functions that is none: {reason}");
        }
        note_loaded(&mut self.server, loader);
        if part.part.name == self.server.config.appendfilename {
            log::info!("Reading the remaining AOF tail...");
        }
        let mut commands = Executor::of_file();
        commands.push(loader.rest());
        part.content = Content::Commands(Box::new(commands), loader.offset());
    }

    /// Executes some commands of what has come; `false`: all of it.
    fn commands_step(&mut self, commands: &mut Executor) -> Result<bool, Wrong> {
        let errors = self.server.stats.errors;
        let step = self.step(ConnId::FILE, commands, |_, _| ());
        if self.server.stats.errors != errors {
            self.report_failed_in_file();
        }
        match step {
            Step::On => Ok(true),
            Step::Starved => Ok(false),
            Step::Wrong(_) => Err(Wrong::Format),
            Step::Held => match self.unknown_in_file.take() {
                Some(name) => Err(Wrong::Unknown(name)),
                None => Err(Wrong::Format),
            },
        }
    }

    /// A command that failed when it was logged would not be in the file: the data may not be what it was.
    #[cold]
    fn report_failed_in_file(&mut self) {
        // A batch of commands has been executed. Which of them has failed, their counters tell, which are the load's own.
        let counters = &mut self.server.stats.by_command;
        let failed = counters.iter().position(|command| command.failed + command.rejected > 0);
        counters.iter_mut().for_each(|command| (command.failed, command.rejected) = (0, 0));
        let last = failed.map_or("<unknown>", |id| self.registry.full_name(id as CommandId));
        let error = String::from_utf8_lossy(&self.server.stats.last_error);
        log::error!(
            "== CRITICAL == This server is sending an error to its AOF-loading-client: '{error}' after processing the command '{last}'"
        );
        if self.server.config.propagation_error_behavior == PropagationErrorBehavior::Panic {
            panic!("This server panicked sending an error to its AOF-loading-client after processing the command '{last}'");
        }
    }

    /// Keeps reads in flight, and takes note of the end of the file.
    fn read_on(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let part = load.part.as_mut()?;
        if part.input.is_over() {
            return self.part_ended(load);
        }
        while let Some(job) = part.input.next_read() {
            self.server.ask_disk(job);
        }
        None
    }

    /// Takes an answer of the disk about the file under way. `None`: it is about something else.
    pub(super) fn part_answered(&mut self, load: &mut PartsLoad, done: &mut DiskDone) -> Option<Option<Loaded>> {
        let part = load.part.as_mut().filter(|part| part.input.file == done.file)?;
        let name = &part.part.name;
        Some(match &mut done.result {
            Ok(Done::Opened(_)) if part.cut_by.is_some() => self.part_cut(load),
            Ok(Done::Opened(Some(size))) => {
                part.part.bytes = *size;
                self.read_on(load)
            }
            Ok(Done::Opened(None)) => {
                log::warn!("The append log file {name} doesn't exist: No such file or directory");
                Some(Loaded::Failed)
            }
            Ok(Done::Read(bytes)) => {
                part.input.take_read(std::mem::take(bytes));
                self.read_on(load)
            }
            Ok(_) => None,
            Err(reason) => {
                match (part.cut_by, part.input.is_reading()) {
                    (Some(_), _) => {
                        log::warn!("Error truncating the AOF file {name}: {reason}");
                        log_torn(name);
                    }
                    (None, false) => log::warn!("Fatal error: can't open the append log file {name} for reading: {reason}"),
                    (None, true) => log::warn!("Unrecoverable error reading the append only file {name}: {reason}"),
                }
                Some(Loaded::Failed)
            }
        })
    }

    /// All of the file has been read and executed.
    fn part_ended(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let part = load.part.as_ref()?;
        let name = part.part.name.clone();
        match &part.content {
            // It is empty.
            Content::Unknown(_) => self.part_done(load),
            Content::Snapshot(loader) => {
                let reason = loader.finish().err().map_or_else(String::new, |error| error.to_string());
                self.part_is_wrong(load, Wrong::Snapshot(reason))
            }
            Content::Commands(commands, from) => {
                let (rest, whole) = (commands.unparsed(), from + commands.counted());
                if rest.first().is_some_and(|byte| !b"*#".contains(byte)) {
                    return self.part_is_wrong(load, Wrong::Format);
                }
                if self.server.clients.get(ConnId::FILE).is_some_and(|client| client.multi.is_some()) {
                    log::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                } else if rest.is_empty() {
                    return self.part_done(load);
                }
                if !self.server.config.aof_load_truncated {
                    log_torn(&name);
                    return Some(Loaded::Failed);
                }
                log::warn!("!!! Warning: short read while loading the AOF file {name}!!!");
                log::warn!("!!! Truncating the AOF {name} at offset {whole} !!!");
                self.cut_part(load, whole, "aof-load-truncated")
            }
        }
    }

    /// What is in the file is not what may be there.
    fn part_is_wrong(&mut self, load: &mut PartsLoad, wrong: Wrong) -> Option<Loaded> {
        let part = load.part.as_ref()?;
        let name = part.part.name.clone();
        match wrong {
            Wrong::Snapshot(reason) => {
                log::error!("Internal error in RDB reading: {reason}");
                match name == self.server.config.appendfilename {
                    true => log::warn!("Error reading the RDB preamble of the AOF file {name}, AOF loading aborted"),
                    false => log::warn!("Error reading the RDB base file {name}, AOF loading aborted"),
                }
            }
            Wrong::Unknown(command) => {
                log::warn!("Unknown command '{}' reading the append only file {name}", String::from_utf8_lossy(&command));
            }
            Wrong::Format => {
                let whole = part.offset_counted();
                let tail = part.part.bytes.saturating_sub(whole);
                if tail <= self.server.config.aof_load_corrupt_tail_max_size {
                    log::warn!("!!! Warning: corrupt tail of {tail} bytes while loading the AOF file {name}!!!");
                    log::warn!("!!! Truncating the AOF {name} at offset {whole} !!!");
                    return self.cut_part(load, whole, "aof-load-corrupt-tail-max-size");
                }
                log::warn!(
                    "Bad file format reading the append only file {name}: make a backup of your AOF file, then use ./redis-check-aof --fix \
                     <filename.manifest>"
                );
            }
        }
        Some(Loaded::Failed)
    }

    /// Cuts the file off behind what is whole, if it is the last that has anything: a manifest that was to be called back may name an empty one behind it.
    fn cut_part(&mut self, load: &mut PartsLoad, whole: u64, allowed_by: &'static str) -> Option<Loaded> {
        if load.left.iter().any(|part| part.bytes > 0) {
            log::warn!("Fatal error: the truncated file is not the last file");
            return Some(Loaded::Failed);
        }
        let part = load.part.as_mut()?;
        self.server.ask_disk(DiskJob::Abort { file: part.input.file });
        // Its other reads are nobody's any more.
        part.input.file = self.server.next_file(Lane::Log);
        part.cut_by = Some(allowed_by);
        let path = self.server.aof_files.path(&part.part.name);
        self.server.ask_disk(DiskJob::OpenLog { file: part.input.file, path, size: Some(whole) });
        None
    }

    /// The end of the file is cut off.
    fn part_cut(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let part = load.part.take()?;
        log::warn!("AOF {} loaded anyway because {} is enabled", part.part.name, part.cut_by.unwrap_or_default());
        self.server.ask_disk(DiskJob::Abort { file: part.input.file });
        self.part_told(&part);
        Some(Loaded::Cut)
    }

    /// The file is loaded: the next one follows.
    fn part_done(&mut self, load: &mut PartsLoad) -> Option<Loaded> {
        let part = load.part.take()?;
        // What is served from here on must not be taken back by a power cut, and it may have been killed before it was synced.
        self.server.ask_disk(DiskJob::Sync { file: part.input.file });
        self.server.ask_disk(DiskJob::Abort { file: part.input.file });
        load.done_bytes += part.part.bytes;
        self.part_told(&part);
        self.next_part(load)
    }

    fn part_told(&self, part: &PartLoad) {
        let kind = if part.part.is_base { "base" } else { "incr" };
        let seconds = self.server.host.nanos().saturating_sub(part.started_nanos) as f64 / 1e9;
        log::info!("DB loaded from {kind} file {}: {seconds:.3} seconds", part.part.name);
    }

    /// Nothing is loaded any more, whatever came of it.
    pub(super) fn end_parts(&mut self, load: &PartsLoad) {
        if let Some(part) = &load.part {
            self.server.ask_disk(DiskJob::Abort { file: part.input.file });
        }
        self.server.clients.set_file_client(None);
        self.unknown_in_file = None;
    }
}

impl PartLoad {
    /// The place behind the last whole command or transaction.
    fn offset_counted(&self) -> u64 {
        match &self.content {
            Content::Commands(commands, from) => from + commands.counted(),
            Content::Unknown(_) | Content::Snapshot(_) => 0,
        }
    }
}

/// Why a file cannot be loaded.
enum Wrong {
    /// What is no snapshot begins as one.
    Snapshot(String),
    /// There is no command of this name.
    Unknown(Vec<u8>),
    /// What comes next is no command.
    Format,
}

fn log_torn(name: &str) {
    log::warn!(
        "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof \
         --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server."
    );
}
