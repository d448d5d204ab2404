use super::{
    selector::{ACCESS_READ, ACCESS_WRITE},
    *,
};
use proptest::prelude::*;

/// A few commands: number, container, name, categories.
struct Few;

const NAMES: &[(&str, Option<usize>, u32)] = &[
    ("get", None, READ | FAST),
    ("set", None, WRITE),
    ("config", None, FAST),
    ("config|get", Some(2), ADMIN),
    ("config|set", Some(2), ADMIN),
    ("select", None, FAST),
    ("auth", None, FAST),
    ("publish", None, FAST),
];
const CATEGORIES: CategoryNames = &["read", "write", "admin", "fast"];
const READ: u32 = 1;
const WRITE: u32 = 2;
const ADMIN: u32 = 4;
const FAST: u32 = 8;

impl CommandNames for Few {
    fn count(&self) -> usize {
        NAMES.len()
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        NAMES.iter().position(|(full, parent, _)| parent.is_none() && full.as_bytes().eq_ignore_ascii_case(name))
    }

    fn find_sub(&self, command: usize, name: &[u8]) -> Option<usize> {
        let full = [self.full_name(command).as_bytes(), b"|", name].concat();
        NAMES.iter().position(|(sub, parent, _)| parent.is_some() && sub.as_bytes().eq_ignore_ascii_case(&full))
    }

    fn subcommands(&self, command: usize) -> impl Iterator<Item = usize> {
        (0..NAMES.len()).filter(move |sub| NAMES[*sub].1 == Some(command))
    }

    fn full_name(&self, command: usize) -> &str {
        NAMES[command].0
    }

    fn categories(&self, command: usize) -> u32 {
        NAMES[command].2
    }
}

fn users() -> Users {
    Users::new(CATEGORIES)
}

fn rules(text: &str) -> Vec<&[u8]> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect()
}

/// Sets rules of the user `u`; what is it then, or why it is not.
fn set(users: &mut Users, text: &str) -> String {
    match users.set(b"u", &rules(text), &Few) {
        Ok((id, _)) => String::from_utf8(users.get(id).expect("it is there").describe()).expect("text"),
        Err(UsersError::Rule(rule, error)) => format!("{}: {error}", rule.escape_ascii()),
        Err(UsersError::Unmatched(rule)) => format!("{}: unmatched", rule.escape_ascii()),
        Err(UsersError::BadName) => "bad name".into(),
    }
}

fn described(text: &str) -> String {
    set(&mut users(), text)
}

#[test]
fn the_default_user_may_do_everything() {
    let users = users();
    let default = users.get(UserId::default()).expect("it is there");
    assert_eq!((default.name(), default.describe()), (DEFAULT, b"on nopass sanitize-payload ~* &* +@all".to_vec()));
    assert!(default.is_unrestricted() && default.accepts(b"whatever"));
    assert_eq!(users.authenticate(b"default", b""), Some(UserId::default()));
    assert_eq!(users.authenticate(b"other", b""), None);
}

#[test]
fn rules_are_shown_as_redis_shows_them() {
    for (given, shown) in [
        ("", "off sanitize-payload resetchannels -@all"),
        (
            "on ~a* %R~b* %w~c* %RW~d* &x* +get -@all +@read -get",
            "on sanitize-payload ~a* %R~b* %W~c* ~d* resetchannels &x* -@all +@read -get",
        ),
        ("+config|get +CONFIG|SET +config -config|get", "off sanitize-payload resetchannels -@all +config -config|get"),
        ("+@all -@ALL +@Read +GET -get", "off sanitize-payload resetchannels -@all +@read -get"),
        (
            "allcommands -config|get +select|1 +select|2 +Select|1",
            "off sanitize-payload resetchannels +@all -config|get +select|2 +select|1",
        ),
        ("~a %R~a", "off sanitize-payload ~a resetchannels -@all"),
        ("%R~a %W~a", "off sanitize-payload ~a resetchannels -@all"),
        ("~a resetkeys ~b allkeys", "off sanitize-payload ~* resetchannels -@all"),
        (
            "(~a +get) ( %R~x   +@write  )",
            "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (%R~x resetchannels -@all +@write)",
        ),
        ("(~a +get) clearselectors ()", "off sanitize-payload resetchannels -@all (resetchannels -@all)"),
        ("on nopass +@all ~* &* (+get) reset", "off sanitize-payload resetchannels -@all"),
        ("skip-sanitize-payload nopass", "off nopass skip-sanitize-payload resetchannels -@all"),
    ] {
        assert_eq!(described(given), shown, "{given}");
    }
}

#[test]
fn what_is_no_rule_is_refused_by_name() {
    let unknown = "Unknown command or category name in ACL";
    for (given, error) in [
        ("foo", "Syntax error"),
        ("%~x", "Syntax error"),
        ("%", "Syntax error"),
        ("%RR~x", "Syntax error"),
        ("%Rx~x", "Syntax error"),
        ("+nosuch", unknown),
        ("-nosuch", unknown),
        ("+@nosuch", unknown),
        ("+config|nosuch", unknown),
        ("-get|x", unknown),
        ("-select|0", unknown),
        ("+get|", "Syntax error"),
        ("+config|get|x", "Allowing first-arg of a subcommand is not supported"),
        ("<zzz", "The password you are trying to remove from the user does not exist"),
        ("#zz", "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"),
        ("(foo)", "Syntax error"),
    ] {
        assert_eq!(described(given), format!("{given}: {error}"));
    }
    assert!(described("allkeys ~x").starts_with("~x: Adding a pattern after the * pattern (or the 'allkeys' flag)"));
    assert!(described("allchannels &x").starts_with("&x: Adding a pattern after the * pattern (or the 'allchannels' flag)"));
    assert_eq!(described("+get (~a +get"), "(~a: unmatched");
    assert_eq!(users().set(b"a b", &[], &Few), Err(UsersError::BadName));
    assert_eq!(described("%R"), "off sanitize-payload %R~ resetchannels -@all", "as in Redis");
}

#[test]
fn a_refused_rule_leaves_the_user_as_it_was() {
    let mut users = users();
    let before = set(&mut users, "on >a +get");
    set(&mut users, "off +set foo");
    assert_eq!(set(&mut users, ""), before);
}

#[test]
fn passwords_are_added_and_taken_away() {
    let mut users = users();
    set(&mut users, "on >a >b >a");
    assert!(
        users.authenticate(b"u", b"a").is_some() && users.authenticate(b"u", b"b").is_some() && users.authenticate(b"u", b"c").is_none()
    );
    set(&mut users, "<a");
    assert!(users.authenticate(b"u", b"a").is_none() && users.authenticate(b"u", b"b").is_some());
    set(&mut users, "nopass");
    assert!(users.authenticate(b"u", b"whatever").is_some());
    set(&mut users, "off");
    assert!(users.authenticate(b"u", b"whatever").is_none());
    set(&mut users, "on resetpass");
    assert!(users.authenticate(b"u", b"whatever").is_none());
}

#[test]
fn the_default_user_stays_and_others_go() {
    let mut users = users();
    set(&mut users, "on");
    let id = users.find(b"u").expect("it is there");
    assert_eq!(users.iter().map(|(_, user)| user.name().to_vec()).collect::<Vec<_>>(), [&b"default"[..], b"u"]);
    assert_eq!((users.remove(b"default"), users.remove(b"none"), users.remove(b"u")), (None, None, Some(id)));
    set(&mut users, "on");
    assert_ne!(users.find(b"u"), Some(id), "another one of the same name is another one");
}

/// A request as a test says it.
#[derive(Clone, Debug, Default)]
struct Asked {
    command: usize,
    first: Option<&'static str>,
    keys: Vec<(&'static str, u8)>,
    channels: Vec<(&'static str, bool)>,
    databases: Vec<Option<usize>>,
}

impl Request for Asked {
    fn command(&self) -> usize {
        self.command
    }

    fn is_free(&self) -> bool {
        NAMES[self.command].0 == "auth"
    }

    fn first_arg(&self) -> Option<&[u8]> {
        self.first.map(str::as_bytes)
    }

    fn keys(&self, mut each: impl FnMut(&[u8], u8, usize) -> bool) -> bool {
        self.keys.iter().enumerate().all(|(at, (key, access))| each(key.as_bytes(), *access, at + 1))
    }

    fn databases(&self, each: &mut dyn FnMut(Option<usize>, usize) -> bool) -> bool {
        self.databases.iter().enumerate().all(|(at, database)| each(*database, at))
    }

    fn channels(&self, each: &mut dyn FnMut(&[u8], bool, usize) -> bool) -> bool {
        self.channels.iter().enumerate().all(|(at, (channel, is_pattern))| each(channel.as_bytes(), *is_pattern, at + 1))
    }
}

fn asked(name: &str) -> Asked {
    let command = NAMES.iter().position(|(full, ..)| *full == name).expect("there is one");
    Asked { command, ..Asked::default() }
}

fn check(text: &str, request: &Asked) -> Result<(), Denied> {
    let mut users = users();
    let (id, _) = users.set(b"u", &rules(text), &Few).expect("rules");
    users.get(id).expect("it is there").check(request)
}

#[test]
fn commands_are_allowed_one_by_one_by_category_and_by_first_argument() {
    for (text, name, first, allowed) in [
        ("", "get", None, false),
        ("", "auth", None, true),
        ("+get", "get", None, true),
        ("+@read", "get", None, true),
        ("+@read", "set", None, false),
        ("+@all -set", "set", None, false),
        ("+@all -set", "get", None, true),
        ("+config", "config|get", None, true),
        ("+config -config|get", "config|get", None, false),
        ("+config -config|get", "config|set", None, true),
        ("+config|get", "config", None, false),
        ("-@fast +config|get", "config|get", None, true),
        ("+@all -@fast", "config|set", None, false),
        ("+select|0", "select", Some("0"), true),
        ("+select|0", "select", Some("1"), false),
        ("+select|0", "select", None, false),
        ("+select|0 -select", "select", Some("0"), false),
        ("+select|0 +select", "select", Some("1"), true),
        ("+select|0 -@fast", "select", Some("0"), false),
    ] {
        let request = Asked { first, ..asked(name) };
        assert_eq!(check(text, &request).is_ok(), allowed, "{text}: {request:?}");
    }
}

#[test]
fn keys_and_channels_are_allowed_by_pattern_and_by_what_is_done() {
    let both = ACCESS_READ | ACCESS_WRITE;
    let set_key = |key, access| Asked { keys: vec![("a1", ACCESS_READ), (key, access)], ..asked("set") };
    let text = "+@all ~a* %R~r* %W~w* &news &p*";
    for (key, access, allowed) in [
        ("a", both, true),
        ("r", ACCESS_READ, true),
        ("r", ACCESS_WRITE, false),
        ("r", both, false),
        ("w", ACCESS_WRITE, true),
        ("w", both, false),
        ("x", 0, false),
        ("r", 0, true),
    ] {
        let result = check(text, &set_key(key, access));
        assert_eq!(result, if allowed { Ok(()) } else { Err(Denied::Key(2)) }, "{key} {access}");
    }
    for (channel, is_pattern, allowed) in [
        ("news", false, true),
        ("news1", false, false),
        ("p1", false, true),
        ("p*", true, true),
        ("p1*", true, false),
        ("news", true, true),
    ] {
        let request = Asked { channels: vec![(channel, is_pattern)], ..asked("publish") };
        assert_eq!(check(text, &request), if allowed { Ok(()) } else { Err(Denied::Channel(1)) }, "{channel}");
    }
}

#[test]
fn a_selector_allows_all_of_a_request_or_nothing_and_the_furthest_refusal_is_told() {
    let request = Asked { keys: vec![("a", ACCESS_READ), ("b", ACCESS_READ)], ..asked("get") };
    assert_eq!(check("+get ~x (+get ~a ~b)", &request), Ok(()));
    assert_eq!(check("+get ~a (+get ~b)", &request), Err(Denied::Key(2)), "the root selector comes to the second key");
    assert_eq!(check("~a ~b (+get)", &request), Err(Denied::Key(1)));
    assert_eq!(check("~a (+set ~b)", &request), Err(Denied::Command));
}

fn rule() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("get"), Just("set"), Just("config"), Just("config|get"), Just("config|set"), Just("select"), Just("auth")];
    let category = prop_oneof![Just("@read"), Just("@write"), Just("@admin"), Just("@fast"), Just("@all")];
    let sign = prop_oneof![Just("+"), Just("-")];
    prop_oneof![
        (sign.clone(), name).prop_map(|(sign, name)| format!("{sign}{name}")),
        (sign, category).prop_map(|(sign, category)| format!("{sign}{category}")),
        Just("+select|0".to_owned()),
        "[~&][a-c*]{0,3}",
        "%(R|W|RW)~[a-c*]{0,3}",
        prop_oneof![Just("resetkeys"), Just("resetchannels"), Just("on"), Just("off"), Just("nopass"), Just(">p")].prop_map(str::to_owned),
    ]
}

proptest! {
    /// What is written to a file is read again.
    #[test]
    fn a_user_is_what_its_description_makes(texts in proptest::collection::vec(rule(), 0..12)) {
        let mut users = users();
        for text in &texts {
            let _ = users.set(b"u", &[text.as_bytes()], &Few);
        }
        let Some(id) = users.find(b"u") else { return Ok(()) };
        let user = users.get(id).expect("it is there").clone();
        let shown = String::from_utf8(user.describe()).expect("text");
        let mut others = self::users();
        let (id, _) = others.set(b"u", &rules(&shown), &Few).expect("it is a description");
        let again = others.get(id).expect("it is there");
        prop_assert_eq!(again.describe(), user.describe());
        for command in 0..NAMES.len() {
            for first in [None, Some("0"), Some("1")] {
                let request = Asked { command, first, ..Asked::default() };
                prop_assert_eq!(again.check(&request), user.check(&request), "{:?} {:?}", shown, request);
            }
        }
    }

    #[test]
    fn whatever_is_said_is_a_rule_or_an_error(text in proptest::collection::vec(any::<u8>(), 0..20)) {
        let _ = users().set(b"u", &[&text], &Few);
    }
}

#[test]
fn databases_are_allowed_by_number() {
    let in_databases = |databases: &[Option<usize>]| Asked { databases: databases.to_vec(), ..asked("get") };
    for (text, databases, allowed) in [
        ("+get", &[Some(3)][..], Ok(())),
        ("+get", &[None], Ok(())),
        ("+get db=1,3", &[Some(3)], Ok(())),
        ("+get db=1,3", &[Some(3), Some(2)], Err(Denied::Database(1))),
        ("+get db=1,3", &[None], Err(Denied::Database(0))),
        ("+get db=1,3", &[], Ok(())),
        ("+get db=1 db=3", &[Some(1)], Err(Denied::Database(0))),
        ("+get resetdbs", &[Some(0)], Err(Denied::Database(0))),
        ("+get resetdbs ALLDBS", &[Some(0)], Ok(())),
        ("db=1 (+get db=2)", &[Some(2)], Ok(())),
        ("db=1", &[Some(2)], Err(Denied::Database(0))),
        ("db=1 (alldbs)", &[Some(2)], Err(Denied::Command)),
    ] {
        assert_eq!(check(text, &in_databases(databases)), allowed, "{text} {databases:?}");
    }
    // Whoever has still to say who it is may do that anywhere.
    assert_eq!(check("db=1", &Asked { databases: vec![Some(0)], ..asked("auth") }), Ok(()));
}

#[test]
fn rules_for_databases_are_shown_and_refused_as_by_valkey() {
    for (text, rest) in [
        ("db=3,1,3", "db=1,3 -@all"),
        ("db=+1", "db=1 -@all"),
        ("DB=007", "db=7 -@all"),
        ("resetdbs", "resetdbs -@all"),
        ("db=1 alldbs", "-@all"),
        ("db=2147483647", "db=2147483647 -@all"),
        ("(db=1 +get)", "-@all (resetchannels db=1 -@all +get)"),
    ] {
        assert_eq!(described(text), format!("off sanitize-payload resetchannels {rest}"), "{text}");
    }
    for (text, error) in [
        ("db=", RuleError::Syntax),
        ("db", RuleError::Syntax),
        ("db=1,", RuleError::Syntax),
        ("db=,1", RuleError::Syntax),
        ("db=x", RuleError::Syntax),
        ("db=*", RuleError::Syntax),
        ("db=1.5", RuleError::Syntax),
        ("db=-", RuleError::Syntax),
        ("db=-1", RuleError::DatabaseRange),
        ("db=2147483648", RuleError::DatabaseRange),
        ("db=99999999999999999999", RuleError::DatabaseRange),
    ] {
        assert_eq!(described(text), format!("{text}: {error}"));
    }
}

#[test]
fn a_prefix_matches_as_the_pattern_does() {
    let keys = ["", "a", "ab", "abc", "b", "a*", "a*c", "*", "\\", "a\\*"];
    for pattern in ["", "*", "a*", "ab*", "abc", "a**", "?*", "a?*", "[a]*", "\\**", "a\\*", "a\\**", "*a", "a*c"] {
        for key in keys {
            let request = Asked { keys: vec![(key, ACCESS_READ)], ..asked("get") };
            let allowed = check(&format!("+get %R~{pattern}"), &request).is_ok();
            assert_eq!(allowed, crate::data::glob::matches(pattern.as_bytes(), key.as_bytes(), false), "{pattern} {key}");
        }
    }
}

#[test]
fn what_would_be_read_again_as_other_rules_is_refused() {
    for rule in [&b"+select|1 +@all"[..], b"+select|1\n", b"+select|\xff", b"(+get +select|1))", b"(~a) +get)", b"(%R~a))"] {
        assert!(matches!(users().set(b"u", &[rule], &Few), Err(UsersError::Rule(_, RuleError::Syntax))), "{}", rule.escape_ascii());
    }
}
