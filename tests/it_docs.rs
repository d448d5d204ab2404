//! The reference pages say what the tables say. `make docs` writes them.

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
