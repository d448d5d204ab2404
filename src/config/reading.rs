//! Applies the lines of a configuration, one after the other.

use super::directive::Flags;
use super::lists::{BAD_DIRECTIVE, SavePoint};
use super::table::{Config, Directive, DirectiveId, lookup};
use super::value::WRONG_NUMBER;
use super::words::split_args;

pub(super) const UNBALANCED: &str = "Unbalanced quotes in configuration line";

/// A line without the blanks around it.
pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| b" \t\r\n".contains(byte);
    let start = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// A configuration while it is read, line by line.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) config: Config,
    /// The first `save` line replaces the default, the others add to it.
    save_seen: bool,
}

impl Reading {
    /// Takes one line of a directive of the table.
    pub(super) fn apply(&mut self, directive: &Directive, values: &[&[u8]]) -> Result<(), String> {
        if directive.flags.contains(Flags::FILE_ONLY) {
            let right = match directive.id {
                DirectiveId::include => values.len() == 1,
                DirectiveId::rename_command => values.len() == 2,
                _ => !values.is_empty(),
            };
            return if right { directive.assign(&mut self.config, values) } else { Err(BAD_DIRECTIVE.into()) };
        }
        match values {
            // `save "900 1 60 1000"` is understood like `save 900 1 60 1000`.
            [only] if directive.kind.takes_words() && !only.is_empty() => {
                let words = split_args(only).ok_or(UNBALANCED)?;
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                self.assign(directive, &words)
            }
            [_] => self.assign(directive, values),
            _ if directive.kind.takes_words() => self.assign(directive, values),
            _ => Err(WRONG_NUMBER.into()),
        }
    }

    fn assign(&mut self, directive: &Directive, words: &[&[u8]]) -> Result<(), String> {
        if directive.id == DirectiveId::save {
            return self.add_save_points(directive, words);
        }
        directive.assign(&mut self.config, words)?;
        self.config.clamp();
        Ok(())
    }

    fn add_save_points(&mut self, directive: &Directive, words: &[&[u8]]) -> Result<(), String> {
        let forgets = !self.save_seen || words == [b""];
        let mut points: Vec<SavePoint> = if forgets { Vec::new() } else { self.config.save.clone() };
        directive.assign(&mut self.config, words)?;
        points.append(&mut self.config.save);
        self.config.save = points;
        self.save_seen = true;
        Ok(())
    }

    /// Takes a line whose first word is not in the table.
    pub(super) fn apply_unlisted(&mut self, name: &[u8], values: &[&[u8]]) -> Result<(), String> {
        let name = name.to_ascii_lowercase();
        if is_obsolete(&name) && values.len() == 1 {
            return Ok(());
        }
        if is_module_setting(&name) {
            if values.is_empty() {
                return Err("Module config specified without value".into());
            }
            let name = String::from_utf8_lossy(&name).into_owned();
            self.config.module_values.retain(|(known, _)| *known != name);
            self.config.module_values.push((name, values.join(&b' ')));
            return Ok(());
        }
        if name == b"sentinel" {
            return match values {
                [] => Ok(()),
                _ => Err("sentinel directive while not in sentinel mode".into()),
            };
        }
        Err(BAD_DIRECTIVE.into())
    }
}

/// Directives of older versions, which are accepted and ignored.
fn is_obsolete(name: &[u8]) -> bool {
    matches!(name, b"list-max-ziplist-entries" | b"list-max-ziplist-value" | b"lua-replicate-commands")
}

/// Whether a line that begins with `name`, in any case, can be right.
pub(super) fn is_known(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    lookup(&name).is_some() || is_obsolete(&name) || is_module_setting(&name) || name == b"sentinel"
}

/// Whether `name`, in lower case, is a setting of a module's: with the module's name in front of a dot, or one of those that come with Redis 8.
fn is_module_setting(name: &[u8]) -> bool {
    name.contains(&b'.') || [&b"search-"[..], b"ts-", b"bf-", b"cf-"].iter().any(|prefix| name.starts_with(prefix))
}

impl Config {
    /// Moves values that are accepted out of range to the nearest that are used.
    pub(super) fn clamp(&mut self) {
        self.hz = self.hz.clamp(1, 500);
    }
}
