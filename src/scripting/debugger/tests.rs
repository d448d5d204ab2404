//! What the user says, and what is shown for it.

use super::*;

fn say(debugger: &mut Debugger, command: &str) -> (Wish, Vec<String>) {
    debugger.words = command.split(' ').map(|word| word.as_bytes().into()).collect();
    let wish = debugger.obey();
    (wish, shown(debugger))
}

fn shown(debugger: &mut Debugger) -> Vec<String> {
    debugger.take_lines().into_iter().map(|line| String::from_utf8(line).expect("text")).collect()
}

fn at_line(line: i64) -> Debugger {
    let mut debugger = Debugger::new(b"one\ntwo\n\nfour\nfive\nsix\nseven\n\r\n");
    debugger.line = line;
    debugger
}

#[test]
fn the_source_is_listed_around_a_line() {
    let mut debugger = at_line(2);
    assert_eq!(say(&mut debugger, "l 0 1").1, ["   1   one", "-> 2   two", "   3   "]);
    assert_eq!(say(&mut debugger, "list 7 1").1, ["   6   six", "   7   seven"]);
    assert_eq!(say(&mut debugger, "l x y").1, ["-> 2   two"]);
    assert_eq!(say(&mut debugger, "W").1.len(), 7);
    for command in ["l 3 -1", "l 99999999999999999999 0", "l 2147483647 -2147483648"] {
        assert!(say(&mut debugger, command).1.is_empty(), "{command}");
    }
    assert_eq!(say(&mut debugger, "l 1 99999999999999999999").1.len(), 7);
    assert!(say(&mut Debugger::new(b"\n\n"), "w").1.is_empty());
}

#[test]
fn breakpoints_are_added_and_removed() {
    let mut debugger = at_line(1);
    assert_eq!(say(&mut debugger, "b").1, ["No breakpoints set. Use 'b <line>' to add one."]);
    assert_eq!(say(&mut debugger, "b 7 1").1, ["   6   six", "  #7   seven", "->#1   one", "   2   two"]);
    assert_eq!(
        say(&mut debugger, "b 7 8 03 x -2 -9223372036854775808").1,
        [
            "Wrong line number.",
            "Wrong line number.",
            "Invalid argument:'03'",
            "Invalid argument:'x'",
            "No breakpoint in the specified line.",
            "No breakpoint in the specified line."
        ]
    );
    assert_eq!(debugger.stop_reason(), Some("break point"));
    assert_eq!(say(&mut debugger, "b -1").1, ["Breakpoint removed."]);
    assert_eq!(debugger.stop_reason(), None);
    assert_eq!(say(&mut debugger, "b 0").1, ["All breakpoints removed."]);
    let mut long = Debugger::new("x\n".repeat(100).trim_end().as_bytes());
    for line in 1..=64 {
        say(&mut long, &format!("b {line}"));
    }
    assert_eq!(say(&mut long, "b 65").1, ["Too many breakpoints set."]);
}

#[test]
fn what_is_wide_is_cut_and_the_user_is_told_once_how_to_see_it() {
    let mut debugger = at_line(1);
    let value = |debugger: &mut Debugger| {
        debugger.begin_text(b"<value> ", true);
        debugger.quote("x".repeat(1000).as_bytes());
        debugger.show_text();
        shown(debugger)
    };
    let lines = value(&mut debugger);
    assert_eq!((lines.len(), lines[0].len()), (2, 260));
    assert!(lines[1].starts_with("<hint>"));
    assert_eq!(value(&mut debugger).len(), 1);
    assert_eq!(say(&mut debugger, "m 5").1, ["<value> replies are truncated at 60 bytes."]);
    assert_eq!(value(&mut debugger)[0].len(), 64);
    assert_eq!(say(&mut debugger, "maxlen 0").1, ["<value> replies are unlimited."]);
    assert_eq!(value(&mut debugger)[0].len(), 1010);
}

#[test]
fn lines_are_bounded() {
    let mut debugger = at_line(1);
    for _ in 0..40 {
        debugger.show(vec![b'x'; 1 << 20]);
    }
    let lines = debugger.take_lines();
    assert!(lines.len() < 20 && lines.last().is_some_and(|line| line.starts_with(b"<hint>")));
    debugger.show(b"again".to_vec());
    assert_eq!(debugger.take_lines(), [b"again"]);
}

#[test]
fn words_are_known_in_any_case_up_to_a_zero() {
    let mut debugger = at_line(1);
    for (command, wish) in [
        ("S", Wish::GoOn),
        ("next", Wish::GoOn),
        ("c", Wish::GoOn),
        ("abort", Wish::Abort),
        ("t", Wish::Trace),
        ("e", Wish::Eval),
        ("r PING", Wish::Redis),
        ("r", Wish::Nothing),
        ("p", Wish::PrintAll),
        ("p x", Wish::Print),
        ("p x y", Wish::PrintAll),
        ("a\0x", Wish::Abort),
        ("\0a", Wish::Nothing),
    ] {
        assert_eq!(say(&mut debugger, command).0, wish, "{command:?}");
    }
    assert_eq!(say(&mut debugger, "steps").1, ["<error> Unknown Redis Lua debugger command or wrong number of arguments."]);
    assert_eq!(say(&mut debugger, "HELP").1.len(), 30);
}

#[test]
fn of_a_call_ten_arguments_are_shown() {
    let mut debugger = at_line(1);
    let args = ["mget", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    debugger.show_call(args.iter().map(|arg| arg.as_bytes()));
    debugger.show_call(args[..10].iter().map(|arg| arg.as_bytes()));
    assert_eq!(shown(&mut debugger), ["<redis> mget a b c d e f g h i ... (2 more)", "<redis> mget a b c d e f g h i"]);
}
