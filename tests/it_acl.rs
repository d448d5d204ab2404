//! Users: their rules, what they are kept from, the file that they are kept in, and the log of refusals.

mod common;
use common::*;

#[test]
fn users_are_made_shown_and_removed() {
    Server::start(&[]).spec(
        r#"
        ACL WHOAMI                              -> "default"
        ACL LIST                                -> ["user default on nopass sanitize-payload ~* &* +@all"]
        ACL SETUSER alice on >secret ~app:* %R~pub:* &news +@read -get (+set ~tmp:*) -> OK
        ACL USERS                               -> ["alice", "default"]
        ACL GETUSER alice                       -> ["flags", ["on", "sanitize-payload"], "passwords", ["2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"], "commands", "-@all +@read -get", "keys", "~app:* %R~pub:*", "channels", "&news", "selectors", [["commands", "-@all +set", "keys", "~tmp:*", "channels", ""]]]
        ACL GETUSER nobody                      -> nil
        ACL SETUSER "a b"                       -> -ERR Usernames can't contain spaces or null characters
        ACL SETUSER alice +nosuch               -> -ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL
        ACL SETUSER alice (~a                   -> -ERR Unmatched parenthesis in acl selector starting at '(~a'.
        ACL DELUSER default                     -> -ERR The 'default' user cannot be removed
        ACL DELUSER alice bob                   -> 1
        ACL USERS                               -> ["default"]
        ACL CAT nosuch                          -> -ERR Unknown category 'nosuch'
        ACL GENPASS 0                           -> -ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
        ACL GENPASS x                           -> -ERR value is not an integer or out of range
        ACL LOG x                               -> -ERR value is not an integer or out of range
        ACL DRYRUN nobody GET x                 -> -ERR User 'nobody' not found
        ACL DRYRUN default NOSUCH x             -> -ERR Command 'NOSUCH' not found
        ACL DRYRUN default GET                  -> -ERR wrong number of arguments for 'get' command
        ACL DRYRUN default GET x                -> OK
        ACL NOSUCH                              -> -ERR unknown subcommand 'NOSUCH'. Try ACL HELP.
        "#,
    );
    let server = Server::start(&[]);
    let (one, other) = (server.ask("ACL GENPASS").text(), server.ask("ACL GENPASS").text());
    assert_eq!((one.len(), server.ask("ACL GENPASS 5").text().len()), (64, 2));
    assert_ne!(one, other);
}

#[test]
fn a_user_does_what_its_rules_allow_and_nothing_else() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        ACL SETUSER alice on >secret ~app:* %R~pub:* %W~in:* &news &log.* +@all -flushall -config +config|get -select +select|3 -> OK
        @a AUTH alice wrong                     -> -WRONGPASS invalid username-password pair or user is disabled.
        @a AUTH alice secret                    -> OK
        @a ACL WHOAMI                           -> "alice"
        @a SET app:1 v                          -> OK
        @a GET app:1                            -> "v"
        @a GET pub:1                            -> nil
        @a SET pub:1 v                          -> -NOPERM No permissions to access a key
        @a SET in:1 v                           -> OK
        @a SET in:1 v GET                       -> -NOPERM No permissions to access a key
        @a GET in:1                             -> -NOPERM No permissions to access a key
        @a GET other                            -> -NOPERM No permissions to access a key
        @a MSET app:1 a other b                 -> -NOPERM No permissions to access a key
        @a COPY pub:1 app:2                     -> 0
        @a COPY app:1 pub:2                     -> -NOPERM No permissions to access a key
        @a SORT pub:1 STORE app:3               -> 0
        @a SORT pub:1 STORE pub:3               -> -NOPERM No permissions to access a key
        @a SORT app:2 BY w_*                    -> -ERR BY option of SORT denied due to insufficient ACL permissions.
        @a SORT app:2 BY nosort                 -> []
        @a SORT app:2 GET #                     -> -ERR GET option of SORT denied due to insufficient ACL permissions.
        @a ZUNIONSTORE app:4 x app:1            -> -ERR value is not an integer or out of range
        @a ZUNIONSTORE other 1 app:5            -> -NOPERM No permissions to access a key
        @a FLUSHALL                             -> -NOPERM User alice has no permissions to run the 'flushall' command
        @a CONFIG SET maxclients 10             -> -NOPERM User alice has no permissions to run the 'config|set' command
        @a CONFIG GET maxmemory                 -> ["maxmemory", "0"]
        @a SELECT 3                             -> OK
        @a SELECT 0                             -> -NOPERM User alice has no permissions to run the 'select' command
        @a PUBLISH news hi                      -> 0
        @a PUBLISH log.1 hi                     -> 0
        @a PUBLISH other hi                     -> -NOPERM No permissions to access a channel
        @a PSUBSCRIBE log.1*                    -> -NOPERM No permissions to access a channel
        @a MULTI                                -> OK
        @a FLUSHALL                             -> -NOPERM User alice has no permissions to run the 'flushall' command
        @a EXEC                                 -> -EXECABORT Transaction discarded because of previous errors.
        ACL SETUSER alice off                   -> OK
        @a GET app:1                            -> nil
        @b AUTH alice secret                    -> -WRONGPASS invalid username-password pair or user is disabled.
        ACL DRYRUN alice GET other              -> "User alice has no permissions to access the 'other' key"
        ACL DRYRUN alice FLUSHALL               -> "User alice has no permissions to run the 'flushall' command"
        ACL DRYRUN alice PUBLISH other hi       -> "User alice has no permissions to access the 'other' channel"
        ACL DRYRUN alice SET app:1 v            -> OK
        "#,
    );
    assert_eq!(server.info("acl_access_denied_cmd"), "4");
    assert_eq!(server.info("acl_access_denied_channel"), "2");
    assert_eq!(server.info("acl_access_denied_auth"), "2");
    let mut alice = server.connect();
    server.ask("ACL SETUSER alice on");
    alice.run("AUTH alice secret");
    assert!(server.ask("CLIENT LIST").text().contains(" user=alice "));
}

#[test]
fn what_has_been_queued_or_waits_is_looked_at_again_when_it_runs() {
    Server::start(&[]).spec(
        r#"
        ACL SETUSER alice on nopass ~* &* +@all -> OK
        @a AUTH alice x                         -> OK
        @a MULTI                                -> OK
        @a SET a 1                              -> QUEUED
        @a GET a                                -> QUEUED
        @a PUBLISH c m                          -> QUEUED
        ACL SETUSER alice -get resetchannels resetkeys ~b -> OK
        @a EXEC                                 -> [-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys, -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand, -NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to access one of the channels used as arguments]
        EXISTS a                                -> 0
        "#,
    );
    let server = Server::start(&[]);
    server.ask("ACL SETUSER alice on nopass ~* +@all");
    let mut waiting = server.connect();
    waiting.run("AUTH alice x");
    waiting.send_cmd(&["BLPOP", "list", "0"]);
    wait_until(|| server.info("blocked_clients") == "1");
    server.ask("ACL SETUSER alice resetkeys");
    server.ask("RPUSH list 1");
    assert_eq!(waiting.recv().to_string(), "-NOPERM No permissions to access a key");
    assert_eq!(server.ask("LLEN list").int(), 1);
}

#[test]
fn clients_of_a_user_who_is_no_more_are_closed_and_those_who_hear_too_much() {
    let server = Server::start(&[]);
    server.ask("ACL SETUSER alice on nopass &news &log.* +@all");
    let [mut one, mut two, mut three] = [0; 3].map(|_| {
        let mut conn = server.connect();
        assert_eq!(conn.run("AUTH alice x").to_string(), "OK");
        conn
    });
    one.run("SUBSCRIBE news");
    two.run("PSUBSCRIBE log.*");
    server.ask("ACL SETUSER alice resetchannels &news");
    assert!(two.closed());
    server.ask("PUBLISH news hi");
    assert_eq!(one.recv().to_string(), r#"["message", "news", "hi"]"#);
    assert_eq!(three.run("ACL DELUSER alice").int(), 1);
    assert!(three.closed() && one.closed());
    assert_eq!(server.info("connected_clients"), "1");
}

#[test]
fn clients_are_closed_by_their_users_name() {
    let server = Server::start(&[]);
    server.ask("ACL SETUSER alice on nopass +@all");
    server.ask("ACL SETUSER bob on nopass +@all");
    let [mut one, mut two, mut other] = ["alice", "alice", "bob"].map(|name| {
        let mut conn = server.connect();
        assert_eq!(conn.run(&format!("AUTH {name} x")).to_string(), "OK");
        conn
    });
    assert_eq!(other.run("CLIENT KILL USER Alice").to_string(), "-ERR No such user 'Alice'");
    assert_eq!(other.run("CLIENT KILL USER alice TYPE pubsub").int(), 0);
    assert_eq!(other.run("CLIENT KILL USER alice SKIPME no").int(), 2);
    assert!(one.closed() && two.closed());
    assert_eq!(other.run("CLIENT KILL USER bob").int(), 0, "oneself");
    assert_eq!(server.ask("CLIENT KILL USER bob").int(), 1);
    assert!(other.closed());
}

/// Nothing that is behind it runs, whoever the default user is: not in a transaction, not in a pipeline.
#[test]
fn who_has_removed_its_own_user_may_do_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.acl");
    std::fs::write(&file, "user default on nopass ~* &* +@all\n").unwrap();
    let server = Server::start(&["--aclfile", file.to_str().unwrap()]);
    let as_alice = || {
        server.ask("ACL SETUSER alice on nopass ~* &* +@all");
        let mut conn = server.connect();
        assert_eq!(conn.run("AUTH alice x").to_string(), "OK");
        conn
    };
    for removes in ["ACL DELUSER alice", "ACL LOAD"] {
        let mut alice = as_alice();
        for line in ["MULTI", removes, "SET k v", "AUTH default x", "SET k v", "SELECT 1", "EXEC"] {
            alice.send_cmd(&words(line));
        }
        let replies: Vec<_> = (0..7).map(|_| alice.recv()).collect();
        let ran = replies[6].items();
        assert!(!matches!(ran[0], Value::Error(_)), "{ran:?}");
        for refused in &ran[1..] {
            assert!(refused.to_string().starts_with("-NOPERM ACLs rules changed"), "{refused} behind {removes}");
        }
        assert!(alice.closed());
        let mut alice = as_alice();
        alice.send(format!("{removes}\r\nSET k v\r\nAUTH default x\r\nSET k v\r\n").as_bytes());
        assert_eq!(alice.recv_to_end().matches("\r\n").count(), 1, "one reply, and the end");
    }
    assert_eq!(server.ask("EXISTS k").int(), 0);
    let mut alice = as_alice();
    let refused = alice.cmd(&["EVAL", "return redis.call('ACL', 'DELUSER', 'alice')", "0"]).to_string();
    assert!(refused.starts_with("-ERR This Redis command is not allowed from script"), "{refused}");
}

#[test]
fn each_command_of_a_transaction_is_looked_at_as_things_are_when_it_runs() {
    Server::start(&[]).spec(
        r#"
        ACL SETUSER alice on nopass ~* +@all    -> OK
        ACL SETUSER bob on nopass ~b +@all      -> OK
        @a AUTH alice x                         -> OK
        @a MULTI                                -> OK
        @a AUTH bob x                           -> QUEUED
        @a SET a 1                              -> QUEUED
        @a SET b 1                              -> QUEUED
        @a AUTH alice x                         -> QUEUED
        @a SET a 2                              -> QUEUED
        @a ACL SETUSER alice -set               -> QUEUED
        @a SET a 3                              -> QUEUED
        @a EVAL "return redis.call('SET', 'a', 4)" 0 -> QUEUED
        @a EXEC                                 ~> [OK, -NOPERM ACLs rules changed*no permission to touch the specified keys, OK, OK, OK, OK, -NOPERM ACLs rules changed*no permission to execute the command or subcommand, -NOPERM ACL failure in script: User alice has no permissions to run the 'set' command*]
        GET a                                   -> "2"
        "#,
    );
}

#[test]
fn the_default_users_password_is_that_of_requirepass() {
    Server::start(&[]).spec(
        r#"
        CONFIG SET requirepass secret           -> OK
        @a GET x                                -> -NOAUTH Authentication required.
        @a AUTH wrong                           -> -WRONGPASS invalid username-password pair or user is disabled.
        @a AUTH secret                          -> OK
        @a GET x                                -> nil
        ACL LIST                                -> ["user default on sanitize-payload #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~* &* +@all"]
        CONFIG SET requirepass ""               -> OK
        @b GET x                                -> nil
        ACL SETUSER default off                 -> OK
        @c GET x                                -> -NOAUTH Authentication required.
        @c AUTH default x                       -> -WRONGPASS invalid username-password pair or user is disabled.
        ACL SETUSER default on                  -> OK
        ACL SETUSER default -@all +ping +acl    -> OK
        @d PING                                 -> PONG
        @d GET x                                -> -NOPERM User default has no permissions to run the 'get' command
        @d RESET                                -> RESET
        "#,
    );
}

#[test]
fn what_is_refused_is_told_by_the_log() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        ACL SETUSER alice on >secret ~a* +get +multi +exec +acl|log -> OK
        @a AUTH alice wrong                     -> -WRONGPASS invalid username-password pair or user is disabled.
        @a AUTH alice secret                    -> OK
        @a GET other                            -> -NOPERM No permissions to access a key
        @a GET other                            -> -NOPERM No permissions to access a key
        @a SET a b                              -> -NOPERM User alice has no permissions to run the 'set' command
        @a MULTI                                -> OK
        @a SET a b                              -> -NOPERM User alice has no permissions to run the 'set' command
        @a EXEC                                 -> -EXECABORT Transaction discarded because of previous errors.
        "#,
    );
    let entries = server.ask("ACL LOG").items();
    let field = |entry: &Value, name: &str| {
        let items = entry.items();
        let at = items.iter().position(|item| item.to_string() == format!("{name:?}")).expect("it has the field");
        items[at + 1].to_string()
    };
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| ["count", "reason", "context", "object", "username", "entry-id"].map(|name| field(entry, name)).join(" "))
        .collect();
    assert_eq!(
        shown,
        [
            r#"1 "command" "multi" "set" "alice" 3"#,
            r#"1 "command" "toplevel" "set" "alice" 2"#,
            r#"2 "key" "toplevel" "other" "alice" 1"#,
            r#"1 "auth" "toplevel" "AUTH" "alice" 0"#,
        ]
    );
    assert!(field(&entries[2], "client-info").contains(" user=alice ") && field(&entries[3], "client-info").contains(" user=default "));
    assert_eq!(server.ask("ACL LOG 1").items().len(), 1);
    server.ask("CONFIG SET acllog-max-len 2");
    server.connect().run("AUTH nobody x");
    assert_eq!(server.ask("ACL LOG").items().len(), 2, "as from the next entry on");
    assert_eq!(server.ask("ACL LOG RESET").to_string(), "OK");
    assert_eq!(server.ask("ACL LOG").items().len(), 0);
}

#[test]
fn users_of_the_configuration_are_there_and_are_rewritten() {
    let server = Server::with_conf("user alice on >secret ~a* +@read\nuser bob off -@all +ping\n", &[]);
    assert_eq!(server.ask("ACL USERS").to_string(), r#"["alice", "bob", "default"]"#);
    server.ask("ACL DELUSER bob");
    server.ask("ACL SETUSER carol on nopass ~c &d +@write (+get ~e)");
    assert_eq!(server.ask("CONFIG REWRITE").to_string(), "OK");
    let text = std::fs::read_to_string(server.conf()).unwrap();
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    assert!(text.contains(&format!("user alice on sanitize-payload #{hash} ~a* resetchannels -@all +@read\n")), "{text}");
    assert!(
        text.contains("user carol on nopass sanitize-payload ~c resetchannels &d -@all +@write (~e resetchannels -@all +get)\n"),
        "{text}"
    );
    assert!(!text.contains("bob"), "{text}");
    let again = Server::with_conf(&text.lines().filter(|line| line.starts_with("user ")).collect::<Vec<_>>().join("\n"), &[]);
    assert_eq!(again.ask("ACL LIST").to_string(), server.ask("ACL LIST").to_string());
}

#[test]
fn users_are_kept_in_a_file_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.acl");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write("user alice on >secret ~* +@all\n\nuser bob on nopass +@read\nuser default on nopass ~* &* +@all\n");
    let mut server = Server::start(&["--aclfile", path.to_str().unwrap()]);
    let mut alice = server.connect();
    let mut bob = server.connect();
    assert_eq!((alice.run("AUTH alice secret").to_string(), bob.run("AUTH bob x").to_string()), ("OK".into(), "OK".into()));
    write("user alice on >secret ~* +@all -get\nuser carol on\n");
    assert_eq!(server.ask("ACL LOAD").to_string(), "OK");
    assert!(bob.closed(), "who is no more");
    assert_eq!(alice.run("ACL WHOAMI").to_string(), r#""alice""#);
    assert_eq!(alice.run("GET x").to_string(), "-NOPERM User alice has no permissions to run the 'get' command");
    assert_eq!(server.ask("ACL USERS").to_string(), r#"["alice", "carol", "default"]"#);
    for (text, error) in [
        ("alice on\n", ":1 should start with user keyword followed by the username. "),
        ("user a on\nuser a off\n", "WARNING: Duplicate user 'a' found on line 2. "),
        ("user a +nosuch\n", ":1: Error in applying operation '+nosuch': Unknown command or category name in ACL. "),
        ("user a on\nuser b foo\n", ":2: Syntax error. "),
        ("user a (+get\n", ":1: Unmatched parenthesis in selector definition."),
    ] {
        write(text);
        let refused = server.ask("ACL LOAD").to_string();
        assert!(refused.contains(error) && refused.ends_with("no change to the previously active ACL rules was performed"), "{refused}");
    }
    assert_eq!(server.ask("ACL SAVE").to_string(), "OK");
    let saved = std::fs::read_to_string(&path).unwrap();
    assert_eq!(saved.lines().count(), 3);
    assert!(saved.contains("user default on nopass sanitize-payload ~* &* +@all\n"), "{saved}");
    server.restart();
    assert_eq!(server.ask("ACL USERS").to_string(), r#"["alice", "carol", "default"]"#);
    let without = Server::start(&[]);
    assert!(without.ask("ACL LOAD").to_string().starts_with("-ERR This Redis instance is not configured to use an ACL file."));
}

#[test]
fn users_that_are_none_stop_the_start() {
    if is_reference() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.conf");
    let start = |text: &str| {
        std::fs::write(&path, format!("port 0\nunixsocket socket\n{text}\n")).unwrap();
        let output = run(std::process::Command::new(program()).arg(&path).current_dir(&dir));
        assert_eq!(output.code, Some(1), "{text}");
        output.stdout + &output.stderr
    };
    for (text, error) in [
        ("user alice on +nosuch", "Error in user declaration '+nosuch': Unknown command or category name in ACL"),
        ("user alice on\nuser alice off", "Error in user declaration 'alice': Duplicate user found."),
        ("user alice on\naclfile users.acl", "please define either an ACL file or declare users directly"),
        (
            "aclfile users.acl",
            "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'users.acl': No such file or directory",
        ),
    ] {
        let shown = start(text);
        assert!(shown.contains(error), "{text}: {shown}");
    }
}

/// As valkey-server 9.1 answers; Redis has no such rules.
#[test]
fn databases_are_allowed_by_number() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        ACL SETUSER u on nopass +@all ~* db=2,1 -> OK
        ACL GETUSER u                           -> ["flags", ["on", "nopass", "sanitize-payload"], "passwords", [], "commands", "+@all", "keys", "~*", "channels", "", "databases", "db=1,2", "selectors", []]
        ACL LIST                                -> ["user default on nopass sanitize-payload ~* &* +@all", "user u on nopass sanitize-payload ~* resetchannels db=1,2 +@all"]
        ACL SETUSER u db=-1                     -> -ERR Error in ACL SETUSER modifier 'db=-1': The provided database ID is out of range
        ACL SETUSER u db=                       -> -ERR Error in ACL SETUSER modifier 'db=': Syntax error
        ACL DRYRUN u GET k                      -> "User u has no permissions to access database GET"
        ACL DRYRUN u SELECT 0                   -> "User u has no permissions to access database 0"
        ACL DRYRUN u MOVE k 3                   -> "User u has no permissions to access database 3"
        ACL DRYRUN u COPY k l DB 0              -> "User u has no permissions to access database 0"
        ACL DRYRUN u COPY k l DB 1              -> "User u has no permissions to access database COPY"
        ACL DRYRUN u SWAPDB 0 99                -> OK
        ACL DRYRUN u PING                       -> OK
        @u AUTH u x                             -> OK
        @u GET k                                -> -NOPERM No permissions to access database
        @u DBSIZE                               -> -NOPERM No permissions to access database
        @u SELECT 0                             -> -NOPERM No permissions to access database
        @u SELECT 16                            -> -ERR DB index is out of range
        @u SELECT 1                             -> OK
        @u SET k v                              -> OK
        @u COPY k l DB 2                        -> 1
        @u COPY k l DB 0                        -> -NOPERM No permissions to access database
        @u COPY k l DB 2 DB 0                   -> -NOPERM No permissions to access database
        @u MOVE k 0                             -> -NOPERM No permissions to access database
        @u MOVE k x                             -> -ERR value is not an integer or out of range
        @u MOVE k 2                             -> 1
        @u SWAPDB 1 2                           -> OK
        @u SWAPDB 0 1                           -> -NOPERM No permissions to access database
        @u FLUSHALL                             -> -NOPERM No permissions to access database
        @u DBSIZE                               -> 2
        @u FLUSHDB                              -> OK
        @u MULTI                                -> OK
        @u SELECT 2                             -> QUEUED
        @u SET k v                              -> QUEUED
        @u SELECT 1                             -> QUEUED
        @u GET k                                -> QUEUED
        ACL SETUSER u db=1                      -> OK
        @u EXEC                                 -> [-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission, OK, OK, "v"]
        @u MULTI                                -> OK
        @u SELECT 3                             -> -NOPERM No permissions to access database
        @u EXEC                                 -> -EXECABORT Transaction discarded because of previous errors.
        ACL SETUSER u resetdbs                  -> OK
        @u GET k                                -> -NOPERM No permissions to access database
        @u PING                                 -> PONG
        ACL SETUSER u alldbs                    -> OK
        @u FLUSHALL                             -> OK
        "#,
    );
    let log = server.ask("ACL LOG 1").items();
    assert_eq!(["reason", "context", "object"].map(|field| log[0].get(field).text()), ["database", "toplevel", "get"]);
    assert!(server.number::<u64>("acl_access_denied_db") > 10);
}

/// Who waits in a database that it may not use any more is served nothing of it.
#[test]
fn databases_are_looked_at_again_for_who_waits() {
    let server = Server::start(&[]);
    server.ask("ACL SETUSER u on nopass +@all ~* db=0");
    let mut waiting = server.connect();
    waiting.run("AUTH u x");
    waiting.send_cmd(&["BLPOP", "l", "0"]);
    wait_until(|| server.info("blocked_clients") == "1");
    server.ask("ACL SETUSER u db=1");
    server.ask("RPUSH l a");
    assert_eq!(waiting.recv().to_string(), "-NOPERM No permissions to access database");
    assert_eq!(server.ask("LLEN l").int(), 1);
}
