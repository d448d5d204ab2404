//! The reference pages say what the tables say. `make docs` writes them.

use std::path::Path;

fn page_is_up_to_date(name: &str, markdown: String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &markdown).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == markdown,
        "docs/{name} does not say what the table says: run `make docs`"
    );
}

#[test]
fn commands_page() {
    page_is_up_to_date("commands.md", solod::commands::docs::markdown());
}

#[test]
fn configuration_page() {
    page_is_up_to_date("configuration.md", solod::config::docs::markdown());
}
