//! The manual of the directives, from the table.

use std::fmt::Write;

use super::directive::Flags;
use super::support::Support;
use super::table::{Config, Directive, TABLE};
use super::value::{Notation, ValueKind};

/// `docs/configuration.md`: every directive by section, with its default, its values and its meaning.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut section = "";
    for directive in TABLE.iter().filter(|directive| !directive.flags.contains(Flags::HIDDEN)) {
        if directive.section != section {
            section = directive.section;
            let _ = write!(page, "\n## {section}\n\n{TABLE_HEAD}");
        }
        page.push_str(&row(directive));
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

This page is generated from the table of directives in `src/config/table.rs`; change it there.

A configuration file has one directive a line: its name and its values, separated by blanks. A value with blanks goes
between quotes: `\"...\"` knows `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\` and `\\xHH`, `'...'` only `\\'`. A line that
begins with `#` is a comment. On the command line, `--name value` says the same as the line `name value`, and wins over
the file.

Memory is given in bytes or with a unit: `1k` is 1000, `1kb` 1024, `1m` 1000000, `1mb` 1048576, `1g` 1000000000 and `1gb`
1073741824 bytes, in upper or lower case.

The column *Run time* says whether CONFIG SET can change the directive: *protected* asks for the permission of
`enable-protected-configs`, *file* means that only a configuration file can hold it.

A directive of Redis's that solod does not serve is marked. **Refused**: with any value but the default, the server does not
start, and CONFIG SET is an error, since data would be lost or open without the feature. **No effect**: any value is
accepted, and the log warns of it at start (so does `solod --check-config`) if it is not the default.
";

const TABLE_HEAD: &str = "| Directive | Values | Default | Run time | Meaning |\n|---|---|---|---|---|\n";

fn row(directive: &Directive) -> String {
    let alias = directive.alias.map(|alias| format!("<br>also `{alias}`")).unwrap_or_default();
    let changeable = [(Flags::FILE_ONLY, "file"), (Flags::IMMUTABLE, "no"), (Flags::PROTECTED, "protected"), (Flags::NONE, "yes")];
    let changeable = changeable.iter().find(|(flag, _)| directive.flags.contains(*flag)).map_or("", |(_, word)| word);
    format!(
        "| `{}`{alias} | {} | {} | {changeable} | {} |\n",
        directive.name,
        values(&directive.kind),
        default(directive),
        [directive.summary(), mark(directive.support)].concat(),
    )
}

/// The mark of a directive that is not supported.
fn mark(support: Support) -> String {
    match support {
        Support::Works => String::new(),
        Support::Refused(reason) => format!(" **Refused**: {reason}"),
        Support::Ignored(reason) => format!(" **No effect**: {reason}"),
    }
}

fn values(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Bool => "`yes`, `no`".into(),
        ValueKind::Integer { unit: Notation::Octal, min, max } => format!("{min:o} to {max:o}, octal"),
        ValueKind::Integer { unit: Notation::MemoryOrPercent, .. } => "memory, or `0%` to `100%` of `maxmemory`".into(),
        ValueKind::Integer { unit, min, max } => {
            let range = match *max {
                max if max >= i32::MAX.into() && *min <= i32::MIN.into() => "any number".into(),
                max if max >= i32::MAX.into() => format!("{min} or more"),
                max => format!("{min} to {max}"),
            };
            if *unit == Notation::Memory { format!("memory, {range}") } else { range }
        }
        ValueKind::Choice(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        ValueKind::Flags(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("any of {}", names.join(", "))
        }
        ValueKind::Text(_) => "text".into(),
        ValueKind::Word(form) | ValueKind::Words(form) => format!("`{form}`"),
    }
}

fn default(directive: &Directive) -> String {
    let config = Config::default();
    let lines: Vec<String> = directive.lines(&config).iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let shown = String::from_utf8_lossy(&directive.show(&config)).into_owned();
    match directive.kind {
        _ if lines.is_empty() || shown.is_empty() => String::new(),
        ValueKind::Words(_) => lines.iter().map(|line| format!("`{line}`")).collect::<Vec<_>>().join("<br>"),
        ValueKind::Integer { .. } => format!("`{}`", lines.concat()),
        _ => format!("`{shown}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_row_for_every_directive_that_is_not_hidden() {
        let page = markdown();
        for directive in TABLE {
            let row = format!("\n| `{}`", directive.name);
            assert_eq!(page.contains(&row), !directive.flags.contains(Flags::HIDDEN), "{}", directive.name);
            assert!(!directive.summary().is_empty() && directive.summary().ends_with('.'), "{}", directive.name);
        }
    }

    #[test]
    fn a_row_says_it_all() {
        let row_of = |name: &str| {
            let page = markdown();
            page.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap().to_owned()
        };
        assert!(row_of("repl-backlog-size").contains("| memory, 1 or more | `1mb` | yes |"));
        assert!(row_of("unixsocketperm").contains("| 0 to 777, octal | `0` | no |"));
        assert!(row_of("busy-reply-threshold").contains("also `lua-time-limit`"));
        assert!(row_of("dir").contains("| protected |"));
        assert!(row_of("user").contains("| file |"));
    }

    #[test]
    fn cells_do_not_break_the_table() {
        for line in markdown().lines().filter(|line| line.starts_with("| `")) {
            assert_eq!(line.matches('|').count(), 6, "{line}");
        }
    }
}
