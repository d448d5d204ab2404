//! A filesystem as a careful program must expect it: what was written is in memory, and what of that is on the disk is for a sync to say.
//!
//! Assumed is what a journalling filesystem with ordered data gives. When the power goes:
//!
//! - of what was written to a file since its last sync a first part is there, cut anywhere; between files there is no order;
//! - a file that was cut off, and not synced since, may have its old end again;
//! - of the changes of a directory since its last sync some are there: as the filesystem has it, a first part, or any; a rename is one change;
//! - what a failed sync leaves unwritten may never be written, though later syncs succeed.

use bytes::Bytes;
use solod::data::rng::Rng;
use std::{collections::BTreeMap, rc::Rc};

/// Names a file, whatever it is called.
pub type Inode = usize;

#[derive(Clone, Default)]
struct File {
    /// As programs see it. Copies of a filesystem share it.
    bytes: Rc<Vec<u8>>,
    /// So many of them are on the disk.
    synced: usize,
    /// What may still be on the disk behind those, where the file was cut off.
    old_end: Vec<u8>,
    /// From here on nothing gets to the disk, whatever a sync says: one has failed.
    stuck_at: Option<usize>,
}

/// A change of a directory.
#[derive(Clone, Debug)]
enum Change {
    Link(String, Inode),
    Rename(String, String, Inode),
    Unlink(String),
    MakeDir(String),
}

#[derive(Clone, Default)]
struct Directory {
    names: BTreeMap<String, Inode>,
    /// Names that are on the disk.
    synced: BTreeMap<String, Inode>,
    /// What has happened since, in order.
    changes: Vec<Change>,
}

/// What filesystems do differently.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// The sync of a file has its name on the disk, too.
    pub syncs_names: bool,
    /// Changes of a directory get to the disk in order.
    pub orders_names: bool,
}

/// Files in directories; the first, without a name, holds the others.
#[derive(Clone)]
pub struct Filesystem {
    files: Vec<File>,
    directories: BTreeMap<String, Directory>,
    habits: Habits,
}

/// A path's directory and name.
pub fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.rsplit_once('/').unwrap_or(("", path))
}

const MISSING: &str = "No such file or directory";

impl Filesystem {
    pub fn new(habits: Habits) -> Self {
        Self { files: Vec::new(), directories: BTreeMap::from([(String::new(), Directory::default())]), habits }
    }

    fn directory(&mut self, path: &str) -> Result<&mut Directory, String> {
        self.directories.get_mut(path).ok_or_else(|| MISSING.to_owned())
    }

    /// The file of this name.
    pub fn find(&self, path: &str) -> Option<Inode> {
        let (directory, name) = split(path);
        self.directories.get(directory)?.names.get(name).copied()
    }

    /// Names in a directory, if there is one.
    pub fn list(&self, directory: &str) -> Option<Vec<&str>> {
        self.directories.get(directory).map(|d| d.names.keys().map(String::as_str).collect())
    }

    /// An empty file of this name: a new one, or the one that is there, cut off.
    pub fn create(&mut self, path: &str) -> Result<Inode, String> {
        if let Some(inode) = self.find(path) {
            self.cut(inode, 0);
            return Ok(inode);
        }
        let inode = self.files.len();
        self.link(path, inode)?;
        self.files.push(File::default());
        Ok(inode)
    }

    /// Gives a file a name that it had not.
    pub fn link(&mut self, path: &str, inode: Inode) -> Result<(), String> {
        let (directory, name) = split(path);
        let directory = self.directory(directory)?;
        directory.names.insert(name.to_owned(), inode);
        directory.changes.push(Change::Link(name.to_owned(), inode));
        Ok(())
    }

    /// Gives a file another name, in the same directory; what had that name is gone.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let inode = self.find(from).ok_or(MISSING)?;
        let ((directory, from), (_, to)) = (split(from), split(to));
        let directory = self.directory(directory)?;
        directory.names.remove(from);
        directory.names.insert(to.to_owned(), inode);
        directory.changes.push(Change::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    /// Removes a name. `false`: there was none.
    pub fn remove(&mut self, path: &str) -> bool {
        let (directory, name) = split(path);
        let Ok(directory) = self.directory(directory) else { return false };
        let there = directory.names.remove(name).is_some();
        if there {
            directory.changes.push(Change::Unlink(name.to_owned()));
        }
        there
    }

    /// Makes a directory in the first, unless it is there.
    pub fn make_dir(&mut self, path: &str) -> Result<(), String> {
        let (_, name) = split(path);
        if !self.directories.contains_key(name) {
            self.directories.insert(name.to_owned(), Directory::default());
            self.directory("")?.changes.push(Change::MakeDir(name.to_owned()));
        }
        Ok(())
    }

    /// Has the names in a directory on the disk.
    pub fn sync_directory(&mut self, path: &str) -> Result<(), String> {
        let directory = self.directory(path)?;
        directory.changes.clear();
        directory.synced.clone_from(&directory.names);
        Ok(())
    }

    /// What the file of this name holds.
    pub fn content(&self, path: &str) -> Option<Bytes> {
        self.find(path).map(|inode| Bytes::copy_from_slice(self.bytes(inode)))
    }

    pub fn bytes(&self, inode: Inode) -> &[u8] {
        &self.files[inode].bytes
    }

    /// Bytes of a file that are on the disk.
    pub fn synced(&self, inode: Inode) -> usize {
        self.files[inode].synced
    }

    pub fn append(&mut self, inode: Inode, bytes: &[u8]) {
        Rc::make_mut(&mut self.files[inode].bytes).extend_from_slice(bytes);
    }

    /// Leaves a file's first bytes.
    pub fn cut(&mut self, inode: Inode, len: usize) {
        let file = &mut self.files[inode];
        if len >= file.bytes.len() {
            return;
        }
        file.synced = file.synced.min(len);
        if file.old_end.is_empty() {
            file.old_end = file.bytes[file.synced..].to_vec();
        }
        Rc::make_mut(&mut file.bytes).truncate(len);
        file.stuck_at = file.stuck_at.filter(|at| *at < len);
    }

    /// Has a file on the disk.
    pub fn sync(&mut self, inode: Inode) {
        if self.habits.syncs_names {
            for directory in self.directories.values_mut() {
                let names = directory.names.iter().filter(|(_, i)| **i == inode);
                let changed = names.filter(|(name, _)| directory.changes.iter().any(|c| matches!(c, Change::Link(n, _) if n == *name)));
                let changed: Vec<_> = changed.map(|(name, _)| name.clone()).collect();
                for name in changed {
                    directory.changes.retain(|c| !matches!(c, Change::Link(n, i) if *n == name && *i == inode));
                    directory.synced.insert(name, inode);
                }
            }
        }
        let file = &mut self.files[inode];
        file.old_end.clear();
        file.synced = file.stuck_at.unwrap_or(file.bytes.len());
    }

    /// A sync fails. Of what it was to write nothing may ever get to the disk (`sticks`).
    pub fn fail_sync(&mut self, inode: Inode, sticks: bool) {
        let file = &mut self.files[inode];
        if sticks && file.synced < file.bytes.len() {
            file.stuck_at.get_or_insert(file.synced);
        }
    }

    /// The power goes, and comes again.
    pub fn lose_power(&mut self, rng: &mut Rng) {
        for file in &mut self.files {
            file.lose_power(rng);
        }
        let orders = self.habits.orders_names;
        let mut made = Vec::new();
        for directory in self.directories.values_mut() {
            made.extend(directory.lose_power(orders, rng));
        }
        self.directories.retain(|name, _| !made.contains(name));
    }
}

/// How many of `count` things in a row: often none, often all.
fn some(count: usize, rng: &mut Rng) -> usize {
    match rng.below(4) {
        0 => 0,
        1 => count,
        _ => rng.below(count as u64 + 1) as usize,
    }
}

impl File {
    fn lose_power(&mut self, rng: &mut Rng) {
        let (synced, len) = (self.synced, self.bytes.len());
        let mut end = std::mem::take(&mut self.old_end);
        if !end.is_empty() && rng.below(2) == 0 {
            // It was never cut off.
            end.truncate(some(end.len(), rng));
            let bytes = Rc::make_mut(&mut self.bytes);
            bytes.truncate(synced);
            bytes.append(&mut end);
        } else if len > synced {
            let most = self.stuck_at.unwrap_or(len) - synced;
            Rc::make_mut(&mut self.bytes).truncate(synced + some(most, rng));
        }
        self.synced = self.bytes.len();
        self.stuck_at = None;
    }
}

impl Directory {
    /// Returns directories in it that are not there any more.
    fn lose_power(&mut self, orders: bool, rng: &mut Rng) -> Vec<String> {
        let mut names = std::mem::take(&mut self.synced);
        let (mut gone, kept) = (Vec::new(), some(self.changes.len(), rng));
        for (i, change) in std::mem::take(&mut self.changes).into_iter().enumerate() {
            let is_there = if orders { i < kept } else { rng.below(2) == 0 };
            match change {
                Change::Link(name, inode) if is_there => drop(names.insert(name, inode)),
                Change::Rename(from, to, inode) if is_there => {
                    if names.get(&from) == Some(&inode) {
                        names.remove(&from);
                    }
                    names.insert(to, inode);
                }
                Change::Unlink(name) if is_there => drop(names.remove(&name)),
                Change::MakeDir(name) if !is_there => gone.push(name),
                _ => (),
            }
        }
        self.names.clone_from(&names);
        self.synced = names;
        gone
    }
}
