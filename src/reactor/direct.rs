//! Writing past the page cache. What goes through the cache is copied a page at a time and written back by threads of the kernel, and both
//! take processor time that the loop may want, and push out of the cache what others read. A large snapshot needs neither.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// What places in memory and in the file have to be multiples of, in bytes: no disk asks for more.
pub const ALIGN: usize = 4096;
/// Bytes written in one go.
const CHUNK: usize = 1 << 20;

/// A way into a file for whole chunks, and what is there of the next one.
pub struct Direct {
    file: File,
    memory: Vec<u8>,
    /// Where in `memory` the chunk begins, and how many bytes of it there are.
    start: usize,
    len: usize,
}

impl Direct {
    /// A second way into the file at `path`; `None` where its filesystem has no such thing.
    pub fn open(path: &Path) -> Option<Self> {
        let file = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path).ok()?;
        let memory = vec![0; CHUNK + ALIGN];
        let start = memory.as_ptr().addr().next_multiple_of(ALIGN) - memory.as_ptr().addr();
        Some(Self { file, memory, start, len: 0 })
    }

    /// Takes as many of these bytes as the chunk still lacks. Returns the others.
    pub fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (taken, others) = bytes.split_at(bytes.len().min(CHUNK - self.len));
        self.memory[self.start + self.len..][..taken.len()].copy_from_slice(taken);
        self.len += taken.len();
        others
    }

    /// What there is of the chunk.
    pub fn chunk(&self) -> &[u8] {
        &self.memory[self.start..][..self.len]
    }

    /// Writes the chunk, if it is whole, at this place of the file, and begins the next. Returns how many bytes that was.
    pub fn write(&mut self, at: u64) -> io::Result<u64> {
        if self.len < CHUNK {
            return Ok(0);
        }
        self.file.write_all_at(self.chunk(), at)?;
        self.len = 0;
        Ok(CHUNK as u64)
    }
}
