//! Text for the log from where nothing may be allocated or locked: in a signal's handler. One of the rooms where `unsafe` is allowed (see lib.rs).
#![allow(unsafe_code)]

use std::{
    fmt::{self, Write},
    os::fd::RawFd,
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering},
    },
};

/// The descriptor of the log.
static LOG: AtomicI32 = AtomicI32::new(libc::STDOUT_FILENO);
/// The program's build id, looked up while there is still time.
static BUILD_ID: OnceLock<String> = OnceLock::new();

/// Calls on the stack that are shown.
const CALLS: usize = 64;

/// Names the log's descriptor, which stays open as long as the process lives.
pub fn set_log(fd: RawFd) {
    LOG.store(fd, Ordering::Relaxed);
}

/// Looks up what cannot be looked up in a handler.
pub fn prepare() {
    look_up_build_id();
    // The first call loads a library; the others do not.
    calls(&mut [std::ptr::null_mut(); 1]);
}

/// The id that the linker has given this program, looked up if nobody has yet: not for handlers.
pub fn look_up_build_id() -> &'static str {
    BUILD_ID.get_or_init(|| find_build_id().unwrap_or_else(|| "none".to_owned()))
}

/// The id that the linker has given this program, in hexadecimal digits.
pub fn build_id() -> &'static str {
    BUILD_ID.get().map_or("none", String::as_str)
}

/// Writes to the log's descriptor, as much of it as that takes.
pub struct Report {
    line: [u8; 256],
    len: usize,
}

impl Report {
    /// Begins as a line of the log does, without the time of day: that takes a lock.
    pub fn begin() -> Self {
        let mut report = Self { line: [0; 256], len: 0 };
        // SAFETY: these have no precondition; a null pointer means that the time is only returned.
        let (pid, now) = unsafe { (libc::getpid(), libc::time(std::ptr::null_mut())) };
        report.say(format_args!("{pid}:signal-handler ({now}) "));
        report
    }

    /// Adds text. Its values must be such that showing them allocates nothing: numbers and strings.
    pub fn say(&mut self, text: fmt::Arguments<'_>) {
        let _ = self.write_fmt(text);
    }

    /// Adds the calls that are on the stack.
    pub fn say_calls(&mut self) {
        self.flush();
        let mut found = [std::ptr::null_mut(); CALLS];
        let count = calls(&mut found);
        show_calls(&found[..count]);
    }

    fn flush(&mut self) {
        let mut rest = &self.line[..self.len];
        while !rest.is_empty() {
            // SAFETY: the pointer and the length are those of a slice.
            let written = unsafe { libc::write(LOG.load(Ordering::Relaxed), rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(written @ 1..) => rest = &rest[written.min(rest.len())..],
                _ => break,
            }
        }
        self.len = 0;
    }
}

impl Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.len == self.line.len() {
                self.flush();
            }
            self.line[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(target_env = "gnu")]
fn calls(into: &mut [*mut libc::c_void]) -> usize {
    // SAFETY: the pointer and the length are those of a slice. It allocates only when it is called for the first time.
    let count = unsafe { libc::backtrace(into.as_mut_ptr(), into.len() as libc::c_int) };
    usize::try_from(count).unwrap_or(0)
}

#[cfg(target_env = "gnu")]
fn show_calls(found: &[*mut libc::c_void]) {
    // SAFETY: the pointer and the length are those of a slice. It writes to the descriptor without allocating.
    unsafe { libc::backtrace_symbols_fd(found.as_ptr(), found.len() as libc::c_int, LOG.load(Ordering::Relaxed)) };
}

#[cfg(not(target_env = "gnu"))]
fn calls(_: &mut [*mut libc::c_void]) -> usize {
    0
}

#[cfg(not(target_env = "gnu"))]
fn show_calls(_: &[*mut libc::c_void]) {}

/// Looks for the note of the linker's in our own file: an ELF file of 64 bits, of this machine's byte order, since it runs.
fn find_build_id() -> Option<String> {
    let file = std::fs::File::open("/proc/self/exe").ok()?;
    let read = |at: u64, len: usize| {
        let mut bytes = vec![0; len];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, at).ok().map(|()| bytes)
    };
    notes(read)
}

/// The build id in the program headers' notes, of a file that `read(offset, length)` reads.
fn notes(read: impl Fn(u64, usize) -> Option<Vec<u8>>) -> Option<String> {
    const PT_NOTE: u64 = 4;
    const NT_GNU_BUILD_ID: u64 = 3;
    /// Notes are short; what is longer is not read.
    const NOTES_BYTES: usize = 1 << 16;
    let number = |bytes: &[u8], at: usize, len: usize| {
        let mut number = [0; 8];
        number[..len].copy_from_slice(bytes.get(at..at + len)?);
        Some(u64::from_le_bytes(number))
    };
    let header = read(0, 64).filter(|h| h.starts_with(b"\x7fELF\x02\x01"))?;
    let (table, size, count) = (number(&header, 32, 8)?, number(&header, 54, 2)?, number(&header, 56, 2)?);
    for index in 0..count {
        let program = read(table.checked_add(index * size)?, 56)?;
        let (kind, offset, bytes) = (number(&program, 0, 4)?, number(&program, 8, 8)?, number(&program, 32, 8)?);
        if kind != PT_NOTE {
            continue;
        }
        let segment = read(offset, usize::try_from(bytes).unwrap_or(0).min(NOTES_BYTES))?;
        let mut rest = &segment[..];
        while let (Some(name), Some(len), Some(kind)) = (number(rest, 0, 4), number(rest, 4, 4), number(rest, 8, 4)) {
            let (name, len) = (name as usize, len as usize);
            let begin = 12 + name.next_multiple_of(4);
            let Some(id) = rest.get(begin..begin + len) else { break };
            if kind == NT_GNU_BUILD_ID && rest.get(12..12 + name) == Some(b"GNU\0") {
                return Some(id.iter().map(|byte| format!("{byte:02x}")).collect());
            }
            rest = rest.get(begin + len.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let mut file = [0u8; 200];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (file[32], file[54], file[56]) = (64, 56, 1);
        (file[64], file[64 + 8], file[64 + 32]) = (4, 120, 40);
        // Name and content of each note are padded to multiples of four.
        file[120..136].copy_from_slice(b"\x03\0\0\0\x01\0\0\0\x03\0\0\0ab\0\0");
        file[140..160].copy_from_slice(b"\x04\0\0\0\x02\0\0\0\x03\0\0\0GNU\0\xab\x0c\0\0");
        let read = |at: u64, len: usize| file.get(at as usize..at as usize + len).map(<[u8]>::to_vec);
        assert_eq!(notes(read).as_deref(), Some("ab0c"));
        let cut = |at: u64, len: usize| file[..150].get(at as usize..at as usize + len).map(<[u8]>::to_vec);
        assert_eq!(notes(cut), None);
    }
}
