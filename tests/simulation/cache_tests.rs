//! What a client that keeps copies makes of what it hears.

use super::{
    cache::{Cache, Question, Sent, Told},
    style::{Mode, Style},
};

const KEY: &[u8] = b"key:1";

fn cache(redirects: bool, no_loop: bool) -> Cache {
    Cache::new(Style { mode: Mode::All, no_loop, resp3: true, redirects, listener_resp3: false, db: 0 })
}

fn ask(cache: &mut Cache) {
    let sent = cache.read(vec![(KEY.to_vec(), Question::Value)], false, true);
    cache.sent.push_back(sent);
}

fn answer(cache: &mut Cache, reply: &str) -> Result<(), String> {
    cache.answered(reply.as_bytes(), &|_| 0)
}

/// Copies that are there, all of them of one key that holds nothing.
fn stale(cache: &mut Cache) -> bool {
    cache.check(&mut |_| Some([None, None])).is_err()
}

#[test]
fn what_was_told_while_an_answer_was_under_way_is_not_kept_where_nothing_says_which_was_first() {
    for redirects in [false, true] {
        let mut cache = cache(redirects, false);
        ask(&mut cache);
        cache.told(KEY).unwrap();
        answer(&mut cache, "$1\r\n1\r\n").unwrap();
        assert_eq!(stale(&mut cache), !redirects);
        // What is asked after that is kept, and not the answer to what was asked before.
        ask(&mut cache);
        cache.told(KEY).unwrap();
        ask(&mut cache);
        answer(&mut cache, "$1\r\n2\r\n").unwrap();
        assert_eq!(stale(&mut cache), !redirects);
        answer(&mut cache, "_\r\n").unwrap();
        assert!(!stale(&mut cache));
    }
}

#[test]
fn an_answer_that_differs_from_a_copy_of_which_nothing_was_told_is_a_fault() {
    let mut cache = cache(false, false);
    ask(&mut cache);
    ask(&mut cache);
    answer(&mut cache, "$1\r\n1\r\n").unwrap();
    assert!(answer(&mut cache, "$1\r\n2\r\n").is_err());
}

#[test]
fn a_change_of_its_own_is_told_between_its_answer_and_the_next() {
    let change = |cache: &mut Cache| {
        let sent = Sent::Change { keys: vec![KEY.to_vec()], proof: Some(b"+OK\r\n") };
        cache.sent.push_back(sent);
        answer(cache, "+OK\r\n").unwrap();
    };
    for (no_loop, is_told) in [(false, true), (false, false), (true, false)] {
        let mut cache = cache(false, no_loop);
        ask(&mut cache);
        answer(&mut cache, "$1\r\n1\r\n").unwrap();
        change(&mut cache);
        if is_told {
            cache.told(KEY).unwrap();
        }
        ask(&mut cache);
        // Who is not told of its own changes knows of them.
        assert_eq!(answer(&mut cache, "_\r\n").is_ok(), is_told || no_loop);
    }
    let mut cache = cache(false, false);
    cache.own = KEY.to_vec();
    assert!(cache.told(KEY).is_err());
    change(&mut cache);
    cache.told(KEY).unwrap();
}

#[test]
fn what_is_told_is_understood_in_both_protocols() {
    let keys = || Ok(Told::Keys(vec![b"a".to_vec(), b"bc".to_vec()]));
    assert_eq!(Told::parse(b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n"), keys());
    assert_eq!(Told::parse(b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n"), keys());
    assert_eq!(Told::parse(b">2\r\n$10\r\ninvalidate\r\n_\r\n"), Ok(Told::All));
    for null in ["$-1", "*-1"] {
        let message = format!("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n{null}\r\n");
        assert_eq!(Told::parse(message.as_bytes()), Ok(Told::All));
    }
    assert_eq!(Told::parse(b">2\r\n$21\r\ntracking-redir-broken\r\n:7\r\n"), Ok(Told::RedirectBroken));
    assert!(Told::parse(b">2\r\n$8\r\nnonsense\r\n:7\r\n").is_err());
}
