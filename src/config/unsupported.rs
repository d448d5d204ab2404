//! Directives that are set and not supported: some stop the start, of others the log warns.

use super::support::Support;
use super::table::{Config, Directive, TABLE};

impl Config {
    /// Whether `directive` has a value that differs in meaning from its default.
    pub(super) fn asks_for(&self, directive: &Directive) -> bool {
        !(directive.same)(self, &Config::default())
    }

    /// The reason why the value of `directive` is refused, if it is.
    pub(super) fn refusal(&self, directive: &Directive) -> Option<&'static str> {
        match directive.support {
            Support::Refused(reason) if self.asks_for(directive) => Some(reason),
            _ => None,
        }
    }

    /// A warning for `directive` if it is set and has no effect.
    pub fn unsupported_warning(&self, directive: &Directive) -> Option<String> {
        match directive.support {
            Support::Ignored(reason) if self.asks_for(directive) => Some(format!("WARNING: {} has no effect: {reason}", directive.name)),
            _ => None,
        }
    }

    /// A warning for each directive that is set and has no effect.
    pub fn unsupported_warnings(&self) -> impl Iterator<Item = String> {
        TABLE.iter().filter_map(|directive| self.unsupported_warning(directive))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DirectiveId, LoadError, Sources, load::Environment};
    use super::*;
    use std::{fs, path::Path};

    struct Nowhere;
    impl Environment for Nowhere {}

    fn load(text: &str) -> Result<Vec<String>, String> {
        let sources = Sources { options: text.as_bytes().to_vec(), ..Sources::default() };
        match Config::load(&sources, &mut Nowhere) {
            Ok(loaded) => Ok(loaded.warnings),
            Err(LoadError::Line { line, text, .. }) => Err(format!("{line}: {text}")),
            Err(other) => Err(other.to_string()),
        }
    }

    #[test]
    fn what_would_lose_or_open_data_stops_the_start_at_its_line() {
        for line in ["loadmodule /m.so a b", "cluster-enabled yes"] {
            assert_eq!(load(&format!("port 1\n{line}\nport 2")), Err(format!("2: {line}")));
        }
    }

    #[test]
    fn what_counts_is_the_value_in_the_end() {
        assert_eq!(load("cluster-enabled yes\ncluster-enabled no"), Ok(vec![]));
        assert_eq!(load("cluster-enabled no\ncluster-enabled yes\nport 1"), Err("2: cluster-enabled yes".into()));
    }

    #[test]
    fn what_says_the_default_says_nothing() {
        let text = "appendonly no\ntls-dh-params-file \"\"\ncluster-enabled no\nio-threads 1\ndynamic-hz yes";
        assert_eq!(load(text), Ok(vec![]));
    }

    #[test]
    fn what_else_has_no_effect_is_warned_of_by_name() {
        let warnings = load("io-threads 4\ndynamic-hz no\nport 1\nio-threads 8").unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("WARNING: dynamic-hz has no effect: "));
        assert_eq!(warnings[1], "WARNING: io-threads has no effect: One thread serves all clients.");
    }

    /// Unsupported directives whose fields are read all the same, to show or to rewrite them.
    const SHOWN_ONLY: &[DirectiveId] = &[DirectiveId::cluster_enabled];

    /// The program's text without the tests and the table: where it says `config.port`, it reads that field.
    fn program() -> String {
        fn add(dir: &Path, text: &mut String) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let is_other =
                    ["config/table.rs", "config/arbitrary.rs", "config/unsupported.rs", "tests.rs"].iter().any(|end| path.ends_with(end));
                if path.is_dir() {
                    add(&path, text);
                } else if !is_other {
                    let all = fs::read_to_string(&path).unwrap();
                    let end = ["mod tests {", "pub(super) mod tests {"].map(|head| all.find(&format!("#[cfg(test)]\n{head}")));
                    text.push_str(&all[..end.into_iter().flatten().min().unwrap_or(all.len())]);
                    text.push('\n');
                }
            }
        }
        let mut text = String::new();
        add(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        // A chain of calls may be broken in front of each dot.
        text.lines().map(str::trim).fold(String::new(), |joined, line| joined + if line.starts_with('.') { "" } else { "\n" } + line)
    }

    /// Whether a word `prefix``name` stands in `text`.
    fn says(text: &str, prefix: &str, name: &str) -> bool {
        let wanted = format!("{prefix}{name}");
        let ends = |at: usize| !text[at + wanted.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        text.match_indices(&wanted).any(|(at, _)| ends(at))
    }

    #[test]
    fn a_directive_without_effect_is_marked_and_no_other() {
        let program = program();
        let mut wrong = Vec::new();
        for directive in TABLE {
            let field = format!("{:?}", directive.id);
            let is_read = ["config.", "self.", "DirectiveId::"].iter().any(|prefix| says(&program, prefix, &field));
            if SHOWN_ONLY.contains(&directive.id) {
                continue;
            }
            match (is_read, directive.support == Support::Works) {
                (false, true) => wrong.push(format!("nothing reads {field}: say in src/config/table.rs what becomes of it")),
                (true, false) => wrong.push(format!("{field} is read: it works, and src/config/table.rs says that it does not")),
                _ => {}
            }
        }
        assert_eq!(wrong, [""; 0]);
    }
}
