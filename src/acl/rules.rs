//! One rule of a selector is read and set.

use super::{
    CategoryNames, CommandNames,
    named::find_full,
    selector::{ACCESS_READ, ACCESS_WRITE, KeyPattern, Selector},
};
use std::fmt;

/// Why a rule is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// There is no such command or category.
    UnknownCommand,
    /// It is no rule.
    Syntax,
    /// A first argument for a subcommand.
    SubcommandArg,
    /// A pattern for keys where all are allowed.
    AllKeys,
    /// A pattern for channels where all are allowed.
    AllChannels,
    /// A database's number is negative or too large.
    DatabaseRange,
    /// The password to be taken away is not there.
    NoSuchPassword,
    /// It is no hash of a password.
    BadHash,
    /// The user is there already.
    Duplicate,
}

/// In Redis's words.
impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownCommand => "Unknown command or category name in ACL",
            Self::Syntax => "Syntax error",
            Self::SubcommandArg => "Allowing first-arg of a subcommand is not supported",
            Self::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start \
                 with an empty list of patterns"
            }
            Self::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to \
                 start with an empty list of channels"
            }
            Self::DatabaseRange => "The provided database ID is out of range",
            Self::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            Self::BadHash => "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
            Self::Duplicate => "Duplicate user found. A user can only be defined once in config files",
        })
    }
}

/// What rules are read by: the commands there are, and the names of their categories.
pub(super) struct Reader<'a, C: CommandNames> {
    pub commands: &'a C,
    pub categories: CategoryNames,
}

impl<C: CommandNames> Copy for Reader<'_, C> {}

impl<C: CommandNames> Clone for Reader<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Whether a pattern, a first argument or a user's name could not be written to a file.
pub(super) fn has_blanks(name: &[u8]) -> bool {
    name.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}

impl Selector {
    /// Sets a rule.
    pub(super) fn apply(&mut self, rule: &[u8], reader: Reader<'_, impl CommandNames>) -> Result<(), RuleError> {
        let is = |names: &[&str]| names.iter().any(|name| rule.eq_ignore_ascii_case(name.as_bytes()));
        if is(&["allkeys", "~*"]) {
            self.all_keys = true;
            self.keys.clear();
        } else if is(&["resetkeys"]) {
            self.all_keys = false;
            self.keys.clear();
        } else if is(&["allchannels", "&*"]) {
            self.all_channels = true;
            self.channels.clear();
        } else if is(&["resetchannels"]) {
            self.all_channels = false;
            self.channels.clear();
        } else if is(&["alldbs"]) {
            self.databases = None;
        } else if is(&["resetdbs"]) {
            self.databases = Some(Vec::new());
        } else if is(&["allcommands", "+@all"]) {
            self.set_all_commands(true, reader.commands.count());
        } else if is(&["nocommands", "-@all"]) {
            self.set_all_commands(false, reader.commands.count());
        } else {
            return match rule.split_first() {
                _ if rule.len() > 2 && rule[..3].eq_ignore_ascii_case(b"db=") => self.set_databases(&rule[3..]),
                Some((b'~', pattern)) => self.add_key_pattern(pattern, ACCESS_READ | ACCESS_WRITE),
                Some((b'%', marked)) => self.add_marked_pattern(marked),
                Some((b'&', channel)) => self.add_channel(channel),
                Some((sign @ (b'+' | b'-'), name)) => match name.strip_prefix(b"@") {
                    Some(category) => self.set_category(category, *sign == b'+', reader),
                    None if *sign == b'+' => self.allow_command(name, reader.commands),
                    None => self.forbid_command(name, reader.commands),
                },
                _ => Err(RuleError::Syntax),
            };
        }
        Ok(())
    }

    fn set_all_commands(&mut self, allowed: bool, count: usize) {
        self.commands = vec![if allowed { u64::MAX } else { 0 }; count.div_ceil(64)];
        self.future = allowed;
        self.first_args.clear();
        self.command_rules.clear();
    }

    /// A pattern behind marks of what may be done with its keys: `R~pattern`, `RW~pattern`.
    fn add_marked_pattern(&mut self, marked: &[u8]) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        let (mut access, mut rest) = (0, marked);
        while let Some((mark, behind)) = rest.split_first() {
            rest = behind;
            match mark.to_ascii_uppercase() {
                b'R' if access & ACCESS_READ == 0 => access |= ACCESS_READ,
                b'W' if access & ACCESS_WRITE == 0 => access |= ACCESS_WRITE,
                b'~' => break,
                _ => return Err(RuleError::Syntax),
            }
        }
        if access == 0 { Err(RuleError::Syntax) } else { self.add_key_pattern(rest, access) }
    }

    fn add_key_pattern(&mut self, pattern: &[u8], access: u8) -> Result<(), RuleError> {
        if self.all_keys {
            return Err(RuleError::AllKeys);
        }
        if has_blanks(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|rule| *rule.pattern == *pattern) {
            Some(rule) => rule.access |= access,
            None => self.keys.push(KeyPattern::new(pattern, access)),
        }
        // However it was said, it is shown as `~*`, which others could not follow where it is read again.
        if self.keys.iter().any(|rule| *rule.pattern == *b"*" && rule.access == ACCESS_READ | ACCESS_WRITE) {
            self.all_keys = true;
            self.keys.clear();
        }
        Ok(())
    }

    /// Numbers of databases with commas between them, in the place of those that were allowed.
    fn set_databases(&mut self, list: &[u8]) -> Result<(), RuleError> {
        let mut databases = list.split(|byte| *byte == b',').map(database).collect::<Result<Vec<u32>, RuleError>>()?;
        databases.sort_unstable();
        databases.dedup();
        self.databases = Some(databases);
        Ok(())
    }

    fn add_channel(&mut self, channel: &[u8]) -> Result<(), RuleError> {
        if self.all_channels {
            return Err(RuleError::AllChannels);
        }
        if has_blanks(channel) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|rule| **rule == *channel) {
            self.channels.push(channel.into());
        }
        Ok(())
    }

    /// `+command`, `+container|subcommand`, and `+command|first-argument`.
    fn allow_command(&mut self, name: &[u8], commands: &impl CommandNames) -> Result<(), RuleError> {
        let Some(at) = memchr::memrchr(b'|', name) else {
            let command = commands.find(name).ok_or(RuleError::UnknownCommand)?;
            self.set_command(command, true, commands);
            self.note_rule(true, commands.full_name(command).to_owned());
            return Ok(());
        };
        let (container, arg) = (find_full(commands, &name[..at]).ok_or(RuleError::UnknownCommand)?, &name[at + 1..]);
        if name[..at].contains(&b'|') {
            return Err(RuleError::SubcommandArg);
        }
        // It is shown among other rules, and has to be the same when it is read again.
        if arg.is_empty() || has_blanks(arg) || std::str::from_utf8(arg).is_err() {
            return Err(RuleError::Syntax);
        }
        if commands.subcommands(container).next().is_some() {
            let command = commands.find_sub(container, arg).ok_or(RuleError::UnknownCommand)?;
            self.set_command(command, true, commands);
        } else {
            self.allow_first_arg(container, arg);
        }
        self.note_rule(true, String::from_utf8_lossy(&name.to_ascii_lowercase()).into_owned());
        Ok(())
    }

    fn allow_first_arg(&mut self, command: usize, arg: &[u8]) {
        let arg = arg.to_ascii_lowercase().into_boxed_slice();
        match self.first_args.iter_mut().find(|(number, _)| *number == command) {
            Some((_, args)) if args.contains(&arg) => (),
            Some((_, args)) => args.push(arg),
            None => self.first_args.push((command, vec![arg])),
        }
    }

    fn forbid_command(&mut self, name: &[u8], commands: &impl CommandNames) -> Result<(), RuleError> {
        let command = find_full(commands, name).ok_or(RuleError::UnknownCommand)?;
        self.set_command(command, false, commands);
        self.note_rule(false, commands.full_name(command).to_owned());
        Ok(())
    }

    fn set_category(&mut self, name: &[u8], allowed: bool, reader: Reader<'_, impl CommandNames>) -> Result<(), RuleError> {
        let is_named = |category: &&str| name.eq_ignore_ascii_case(category.as_bytes());
        let bit = reader.categories.iter().position(is_named).ok_or(RuleError::UnknownCommand)?;
        for command in 0..reader.commands.count() {
            if reader.commands.categories(command) >> bit & 1 != 0 {
                self.set_command(command, allowed, reader.commands);
            }
        }
        self.note_rule(allowed, format!("@{}", reader.categories[bit]));
        Ok(())
    }

    /// Allows a command, or not, and with it its subcommands.
    fn set_command(&mut self, command: usize, allowed: bool, commands: &impl CommandNames) {
        let fill = if self.future { u64::MAX } else { 0 };
        self.commands.resize(commands.count().div_ceil(64).max(self.commands.len()), fill);
        for number in std::iter::once(command).chain(commands.subcommands(command)) {
            let (word, bit) = (&mut self.commands[number / 64], 1 << (number % 64));
            if allowed {
                *word |= bit;
            } else {
                *word &= !bit;
            }
            self.first_args.retain(|(with_args, _)| *with_args != number);
        }
    }

    /// Adds a rule to those that are shown, in the place of those about the same and about its parts.
    fn note_rule(&mut self, allowed: bool, rule: String) {
        self.command_rules.retain(|old| {
            let old = &old[1..];
            old != rule && !old.strip_prefix(&rule).is_some_and(|rest| rest.starts_with('|'))
        });
        self.command_rules.push(format!("{}{rule}", if allowed { '+' } else { '-' }));
    }
}

/// The number of a database.
fn database(digits: &[u8]) -> Result<u32, RuleError> {
    let unsigned = digits.strip_prefix(b"-").or_else(|| digits.strip_prefix(b"+")).unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return Err(RuleError::Syntax);
    }
    let number: i32 = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(RuleError::DatabaseRange)?;
    u32::try_from(number).map_err(|_| RuleError::DatabaseRange)
}
