//! Commands by name: one hash, one comparison, no allocation. What their handlers are (`H`) does not matter here.

use super::description::Description;
use crate::{acl::CommandNames, resp::request::Args};

/// A command's index in the registry: those of the table first, then every subcommand.
pub type CommandId = u16;

const NONE: CommandId = CommandId::MAX;
/// Slots of the table of names: a power of two, several times as many as there are commands.
const SLOTS: usize = 2048;
/// No command has a longer name.
const NAME_MAX: usize = 32;

struct CommandRow<H: 'static> {
    command: &'static Description<H>,
    /// What it is called by, in lower case: its name, unless `rename-command` says otherwise. Empty when it is not to be called at all.
    called: Box<[u8]>,
    /// `container|sub` for a subcommand, else the name.
    full_name: String,
    parent: Option<CommandId>,
    /// The subcommands' indices.
    subcommands: Vec<CommandId>,
}

/// A name as it is compared with another one: without what tells upper and lower case apart, which says that they are the same where this one has letters only.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FoldedName {
    /// The first and the last bytes, which overlap in a name that is not twice as long.
    words: (u64, u64),
    len: usize,
}

impl FoldedName {
    /// `None` where it takes more than this to tell the name from others.
    #[inline(always)]
    fn of(name: &[u8]) -> Option<Self> {
        const FOLD: u64 = 0x2020_2020_2020_2020;
        let words = match name.len() {
            len @ 8..=16 => (u64_at(name, 0), u64_at(name, len - 8)),
            len @ 4..8 => (u64::from(u32_at(name, 0)), u64::from(u32_at(name, len - 4))),
            len @ 1..4 => (u64::from(name[0]) | u64::from(name[len / 2]) << 8, u64::from(name[len - 1])),
            _ => return None,
        };
        Some(Self { words: (words.0 | FOLD, words.1 | FOLD), len: name.len() })
    }
}

/// Every command and subcommand.
pub struct Registry<H: 'static> {
    rows: Vec<CommandRow<H>>,
    /// What the rows are called by, where that is made of no more than 16 letters.
    folded: Vec<Option<FoldedName>>,
    /// The commands of the rows: what is looked at for each request, without the rest of them.
    commands: Vec<&'static Description<H>>,
    slots: Box<[CommandId; SLOTS]>,
}

/// Where to look for a name of this length first: the same in upper and lower case.
#[inline(always)]
fn slot(name: &[u8]) -> Option<usize> {
    // The first and the last bytes, which overlap in a short name: enough to tell names apart that have the same length.
    let (head, tail) = match name.len() {
        len @ 4..=NAME_MAX => (u32_at(name, 0), u32_at(name, len - 4)),
        len @ 1..=3 => (u32::from(name[0]) | u32::from(name[len / 2]) << 8, u32::from(name[len - 1])),
        _ => return None,
    };
    // Setting bit 5 folds letters, and keeps the other characters of names ('-', digits). What it confuses besides is told
    // apart by the comparison that follows.
    let words = (u64::from(head) << 32 | u64::from(tail)) | 0x2020_2020_2020_2020;
    Some(((words ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize & (SLOTS - 1))
}

#[inline(always)]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[inline(always)]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

impl<H> Registry<H> {
    /// All commands of a table.
    pub fn new(table: &[&'static [Description<H>]]) -> Self {
        let mut registry = Self { rows: Vec::new(), folded: Vec::new(), commands: Vec::new(), slots: Box::new([NONE; SLOTS]) };
        for command in table.iter().copied().flatten() {
            registry.rows.push(CommandRow {
                command,
                called: command.name.as_bytes().into(),
                full_name: command.name.to_owned(),
                parent: None,
                subcommands: Vec::new(),
            });
        }
        for id in 0..registry.rows.len() {
            let parent = registry.rows[id].command;
            for command in parent.subcommands {
                let sub = registry.rows.len() as CommandId;
                let full_name = format!("{}|{}", parent.name, command.name);
                let called = command.name.as_bytes().into();
                registry.rows.push(CommandRow { command, called, full_name, parent: Some(id as CommandId), subcommands: Vec::new() });
                registry.rows[id].subcommands.push(sub);
            }
        }
        registry.commands = registry.rows.iter().map(|row| row.command).collect();
        registry.deal_out();
        registry
    }

    /// Fills the table of names.
    fn deal_out(&mut self) {
        self.slots.fill(NONE);
        let letters_of = |row: &CommandRow<H>| FoldedName::of(&row.called).filter(|_| row.called.iter().all(u8::is_ascii_lowercase));
        self.folded = self.rows.iter().map(letters_of).collect();
        for (id, row) in self.rows.iter().enumerate().filter(|(_, row)| row.parent.is_none()) {
            let Some(mut at) = slot(&row.called) else { continue };
            while self.slots[at] != NONE {
                at = (at + 1) % SLOTS;
            }
            self.slots[at] = id as CommandId;
        }
    }

    /// Has a command called by another name from now on, or not at all when that is empty (`rename-command`). The error is a reason.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), &'static str> {
        let id = self.find(from).ok_or("No such command in rename-command")?;
        if to.len() > NAME_MAX {
            return Err("Target command name is too long");
        }
        if self.find(to).is_some() {
            return Err("Target command name already exists");
        }
        self.rows[usize::from(id)].called = to.to_ascii_lowercase().into();
        self.deal_out();
        Ok(())
    }

    /// The command with this name, in any case; not a subcommand.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<CommandId> {
        let mut at = slot(name)?;
        let folded = FoldedName::of(name);
        loop {
            let id = self.slots[at];
            if id == NONE {
                return None;
            }
            let is_it = match &self.folded[usize::from(id)] {
                Some(row) => folded.as_ref() == Some(row),
                None => self.rows[usize::from(id)].called.eq_ignore_ascii_case(name),
            };
            if is_it {
                return Some(id);
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// The subcommand with this name, in any case.
    pub fn find_sub(&self, id: CommandId, name: &[u8]) -> Option<CommandId> {
        let subs = &self.rows[usize::from(id)].subcommands;
        subs.iter().copied().find(|s| self.get(*s).name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The command, or the subcommand if it has some, that these arguments name.
    #[inline]
    pub fn resolve(&self, args: &Args<'_>) -> Lookup {
        let Some(id) = self.find(args.get(0)) else { return Lookup::Unknown };
        if self.rows[usize::from(id)].subcommands.is_empty() || args.len() < 2 {
            return Lookup::Found(id);
        }
        match self.find_sub(id, args.get(1)) {
            Some(sub) => Lookup::Found(sub),
            None => Lookup::UnknownSubcommand(id),
        }
    }

    /// Whether these arguments name what others with the same first one do, whatever follows it.
    pub fn is_named_by_first(&self, lookup: Lookup) -> bool {
        let Lookup::Found(id) = lookup else { return false };
        let row = &self.rows[usize::from(id)];
        row.parent.is_none() && row.subcommands.is_empty()
    }

    /// A command by its index.
    #[inline(always)]
    pub fn get(&self, id: CommandId) -> &'static Description<H> {
        self.commands[usize::from(id)]
    }

    /// `container|sub` for a subcommand, else the name.
    pub fn full_name(&self, id: CommandId) -> &str {
        &self.rows[usize::from(id)].full_name
    }

    /// The command that a subcommand belongs to.
    pub fn parent(&self, id: CommandId) -> Option<CommandId> {
        self.rows[usize::from(id)].parent
    }

    /// The subcommands of a command.
    pub fn subcommands(&self, id: CommandId) -> &[CommandId] {
        &self.rows[usize::from(id)].subcommands
    }

    /// Number of commands and subcommands.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Indices of the commands that are not subcommands, and that can be called.
    pub fn top_level(&self) -> impl Iterator<Item = CommandId> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.parent.is_none() && !row.called.is_empty()).map(|(id, _)| id as CommandId)
    }
}

/// What rules for users know of the commands: a command's number is its index.
impl<H: Copy> CommandNames for Registry<H> {
    fn count(&self) -> usize {
        self.len()
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        Registry::find(self, name).map(usize::from)
    }

    fn find_sub(&self, command: usize, name: &[u8]) -> Option<usize> {
        Registry::find_sub(self, command as CommandId, name).map(usize::from)
    }

    fn subcommands(&self, command: usize) -> impl Iterator<Item = usize> {
        self.rows[command].subcommands.iter().copied().map(usize::from)
    }

    fn full_name(&self, command: usize) -> &str {
        &self.rows[command].full_name
    }

    fn categories(&self, command: usize) -> u32 {
        self.commands[command].categories_all()
    }
}

/// What [`Registry::resolve`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A command.
    Found(CommandId),
    /// No such command.
    Unknown,
    /// A command with subcommands, but none of that name.
    UnknownSubcommand(CommandId),
    /// A command that is not executed from a file. It is what a found one is made into.
    Foreign,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::TABLE;

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        let registry = Registry::new(TABLE);
        for id in registry.top_level() {
            let name = registry.get(id).name;
            assert_eq!(registry.find(name.as_bytes()), Some(id));
            assert_eq!(registry.find(name.to_uppercase().as_bytes()), Some(id));
            assert_eq!(name, name.to_lowercase());
        }
        assert_eq!(registry.find(b"nosuch"), None);
        assert_eq!(registry.find(b""), None);
        assert_eq!(registry.find(&[b'x'; 100]), None);
        assert_eq!(registry.find(b"ge\x14"), None, "a control character is no letter");
    }

    #[test]
    fn no_other_byte_stands_for_a_letter() {
        let registry = Registry::new(TABLE);
        for id in registry.top_level() {
            let name = registry.get(id).name.as_bytes();
            for (at, byte) in (0..name.len()).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
                let mut other = name.to_vec();
                other[at] = byte;
                assert_eq!(registry.find(&other) == Some(id), name.eq_ignore_ascii_case(&other), "{}", other.escape_ascii());
            }
        }
    }

    #[test]
    fn a_renamed_command_has_its_new_name_only() {
        let mut registry = Registry::new(TABLE);
        let get = registry.find(b"get");
        assert_eq!(registry.rename(b"GET", b"Fetch"), Ok(()));
        assert_eq!((registry.find(b"get"), registry.find(b"FETCH")), (None, get));
        assert_eq!(registry.rename(b"fetch", b""), Ok(()));
        assert_eq!((registry.find(b"get"), registry.find(b"fetch"), registry.find(b"")), (None, None, None));
        assert!(!registry.top_level().any(|id| Some(id) == get));
        assert_eq!(registry.rename(b"get", b"x"), Err("No such command in rename-command"));
        assert_eq!(registry.rename(b"set", b"DEL"), Err("Target command name already exists"));
    }
}
