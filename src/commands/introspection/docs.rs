//! The manual of the commands, from the table.

use super::syntax;
use crate::commands::{
    TABLE,
    command::{Command, Group, categories},
};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Commands

This page is generated from the rows at the ends of the files in `src/commands/`; change it there.

What is in `[brackets]` may be left out, of `<a | b>` one has to be chosen, and `...` may be repeated. Words in capitals are
written as they stand, in any case. *Since* is the version of Redis that brought the command.
";

/// `docs/commands.md`: every command by group.
pub fn markdown() -> String {
    let mut commands: Vec<&Command> = TABLE.iter().copied().flatten().collect();
    commands.sort_by_key(|command| (command.group, command.name));
    let mut page = String::from(INTRODUCTION);
    let mut group: Option<Group> = None;
    for command in commands {
        if group != Some(command.group) {
            group = Some(command.group);
            let _ = write!(page, "\n## {}\n", title(command.group));
        }
        write_command(&mut page, command.name, command);
        let mut subcommands: Vec<&Command> = command.subcommands.iter().collect();
        subcommands.sort_by_key(|sub| sub.name);
        for sub in subcommands {
            write_command(&mut page, &format!("{} {}", command.name, sub.name), sub);
        }
    }
    page
}

/// The group's name for a heading.
fn title(group: Group) -> String {
    let mut name = group.name().replace('-', " ");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

fn write_command(page: &mut String, name: &str, command: &Command) {
    let name = name.to_uppercase();
    let arguments = syntax::parse(command.args, command.keys.len()).unwrap_or_else(|error| panic!("the arguments of {name}: {error}"));
    let syntax = format!("{name} {}", syntax::render(&arguments));
    let bits = command.categories_all();
    let names = categories::NAMES.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0);
    let names: Vec<String> = names.map(|(_, name)| format!("`@{name}`")).collect();
    let complexity = match command.complexity.trim_end_matches('.') {
        "" => String::new(),
        complexity => format!("Complexity: {complexity}. "),
    };
    let _ = write!(
        page,
        "\n### {name}\n\n    {}\n\n{}\n\nSince {}. {complexity}ACL categories: {}.\n",
        syntax.trim_end(),
        command.summary,
        command.since,
        names.join(", "),
    );
    if let Some((since, instead)) = command.deprecated {
        let _ = write!(page, "\nDeprecated since {since}: use {instead}.\n");
    }
    if !command.history.is_empty() {
        page.push('\n');
    }
    for (since, change) in command.history {
        let _ = writeln!(page, "- {since}: {change}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_chapter_for_every_command() {
        let page = markdown();
        for command in TABLE.iter().copied().flatten() {
            let heading = |name: &str| format!("\n### {}\n", name.to_uppercase());
            assert_eq!(page.matches(&heading(command.name)).count(), 1, "{}", command.name);
            for sub in command.subcommands {
                assert_eq!(page.matches(&heading(&format!("{} {}", command.name, sub.name))).count(), 1, "{}", sub.name);
            }
        }
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in TABLE.iter().copied().flatten().flat_map(|c| std::iter::once(c).chain(c.subcommands)) {
            assert!(command.summary.ends_with('.'), "{}: the summary ends with a full stop", command.name);
        }
    }

    #[test]
    fn a_chapter_says_it_all() {
        let page = markdown();
        let text = "### COMMAND LIST\n\n    COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]\n\nNames the commands.\n\n\
            Since 7.0.0. Complexity: O(N) where N is the number of commands. ACL categories: `@slow`, `@connection`.\n";
        assert!(page.contains(text), "{page}");
    }
}
