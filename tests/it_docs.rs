//! The reference pages say what the tables say. `make docs` writes them.

mod common;

use common::Server;
use std::{env, fs, path::Path};

#[track_caller]
fn page_is_up_to_date(name: &str, markdown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, markdown).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == markdown, "docs/{name} does not say what the table says: run `make docs`");
}

#[test]
fn commands_page() {
    page_is_up_to_date("commands.md", &solod::commands::docs::markdown());
}

#[test]
fn configuration_page() {
    page_is_up_to_date("configuration.md", &solod::config::markdown());
}

/// The page for those who come from Redis names every command of Redis's that is not there, and no other.
#[test]
fn the_commands_that_are_missing_are_listed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, list) = page.split_once("\n## Commands that are not built yet\n").unwrap();
    let mut listed: Vec<String> = list
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .map(str::to_lowercase)
        .filter(|name| name != "waitaof") // the reference is older
        .collect();
    let commands = |server: Server| server.ask("COMMAND LIST").sorted().into_iter().filter(|name| !name.contains('|'));
    let ours: Vec<String> = commands(Server::start(&[])).collect();
    let mut missing: Vec<String> = commands(Server::redis(&[])).filter(|name| !ours.contains(name)).collect();
    listed.sort();
    missing.sort();
    assert_eq!(listed, missing);
}

/// The man page names every option that --help does.
#[test]
fn man_page() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/solod.1")).unwrap().replace('\\', "");
    let options = solod::config::cli::HELP
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.ends_with(|c: char| c.is_ascii_lowercase()));
    for option in options.filter(|option| !["--port", "--dir", "--loglevel", "--replicaof", "--save"].contains(option)) {
        assert!(page.contains(option), "docs/solod.1 lacks {option}");
    }
}
