//! Rules for users, and a file of users.

use crate::{
    acl::{User, Users},
    commands::{Registry, TABLE, acl::read_users, command::categories},
};

/// Rules of a user, a line each. All of them are set or none, and what is shown of the user makes the same user.
pub fn acl_rules(data: &[u8]) {
    let rules: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let registry = Registry::new(TABLE);
    let mut users = Users::new(categories::NAMES);
    let Ok((id, _)) = users.set(b"u", &rules, &registry) else {
        assert!(users.find(b"u").is_none());
        return;
    };
    let words = users.get(id).map(User::describe_words).unwrap_or_default();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let again = users.set(b"again", &words, &registry);
    let again = again.ok().and_then(|(id, _)| users.get(id));
    assert_same(users.get(id), again, &registry);
}

/// A file of users. What is read from it must survive being written.
pub fn acl_file(data: &[u8]) {
    let registry = Registry::new(TABLE);
    let Ok(users) = read_users("f.acl", data, &registry, false) else { return };
    let text: Vec<u8> = users.lines().into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    let again = read_users("f.acl", &text, &registry, false);
    assert!(again.is_ok(), "{again:?}", again = again.err());
    let Ok(again) = again else { return };
    assert_eq!(users.lines(), again.lines());
    for (_, user) in users.iter() {
        assert_same(Some(user), again.find(user.name()).and_then(|id| again.get(id)), &registry);
    }
}

/// Asserts that two users are the same but for their names: as they are shown, and in which commands they may run.
fn assert_same(one: Option<&User>, other: Option<&User>, registry: &Registry) {
    assert_eq!(one.map(User::describe), other.map(User::describe));
    let (Some(one), Some(other)) = (one, other) else { return };
    assert_eq!(one.is_unrestricted(), other.is_unrestricted());
    for (one, other) in one.selectors().iter().zip(other.selectors()) {
        for command in 0..crate::acl::CommandNames::count(registry) {
            assert_eq!(one.allows_command(command), other.allows_command(command), "{}", one.describe_commands());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: &[&str] = &[
        "on",
        "off",
        "nopass",
        "resetpass",
        ">p",
        "<p",
        ">",
        "#1",
        "!2",
        "reset",
        "clearselectors",
        "sanitize-payload",
        "skip-sanitize-payload",
        "~*",
        "~a*",
        "%R~a*",
        "%W~a*",
        "%RW~*",
        "%R~*",
        "%W~*",
        "%~",
        "~",
        "~a b",
        "resetkeys",
        "allkeys",
        "&a",
        "&*",
        "& ",
        "resetchannels",
        "allchannels",
        "+@all",
        "-@all",
        "allcommands",
        "nocommands",
        "+get",
        "-get",
        "+GET|a",
        "+get|A",
        "+config",
        "-config|get",
        "+config|get",
        "-config",
        "+@read",
        "-@read",
        "+@write",
        "+select|1",
        "-select",
        "db=1",
        "db=2,1",
        "alldbs",
        "resetdbs",
        "(",
        ")",
        "()",
        "(+get ~a)",
        "(~*",
        "+set)",
        "(%R~a db=3)",
        "+select|1 +@all",
        "+select|\n",
        "(~a) +get)",
        "(+select|1))",
        "((+get))",
        "(+@all -config|get &x)",
        "",
        " ",
        "\u{b}",
        "+",
        "-",
        "+@",
        "user",
    ];

    proptest! {
        #[test]
        fn what_is_shown_of_a_user_makes_it_again(rules in prop::collection::vec(prop::sample::select(RULES), 0..12)) {
            acl_rules(rules.join("\n").as_bytes());
        }

        #[test]
        fn a_file_that_is_read_can_be_written(users in prop::collection::vec(
            (prop::sample::select(&["a", "default", "b c", "", "\t"][..]), prop::collection::vec(prop::sample::select(RULES), 0..6)), 0..3))
        {
            let lines: Vec<String> = users.iter().map(|(name, rules)| format!("user {name} {}", rules.join(" "))).collect();
            acl_file(lines.join("\n").as_bytes());
        }
    }
}
