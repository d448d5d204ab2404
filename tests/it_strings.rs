//! String commands: every option, every error, and the encodings that OBJECT ENCODING tells of.

mod common;
use common::*;

#[test]
fn set_and_get() {
    Server::start(&[]).spec(r#"
        SET a b                                 -> OK
        GET a                                   -> "b"
    "#);
}
