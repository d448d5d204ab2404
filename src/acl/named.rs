//! What rules have to know of commands.

/// The commands there are. Each has a number from 0 on, and so has each subcommand.
pub trait CommandNames {
    /// How many numbers there are.
    fn count(&self) -> usize;

    /// The command with this name, in any case; not a subcommand.
    fn find(&self, name: &[u8]) -> Option<usize>;

    /// The subcommand of a command with this name, in any case.
    fn find_sub(&self, command: usize, name: &[u8]) -> Option<usize>;

    /// The numbers of a command's subcommands.
    fn subcommands(&self, command: usize) -> impl Iterator<Item = usize>;

    /// `container|sub` for a subcommand, else the name; in lower case.
    fn full_name(&self, command: usize) -> &str;

    /// The categories it belongs to, a bit each.
    fn categories(&self, command: usize) -> u32;
}

/// The names of categories: that of bit 0 is the first.
pub type CategoryNames = &'static [&'static str];

/// A command or, with a `|` between the two names, a subcommand.
pub(super) fn find_full(commands: &impl CommandNames, name: &[u8]) -> Option<usize> {
    match memchr::memchr(b'|', name) {
        None => commands.find(name),
        Some(at) => commands.find_sub(commands.find(&name[..at])?, &name[at + 1..]),
    }
}
