//! Connections: the protocol and its errors, HELLO and AUTH, CLIENT, limits, addresses.

mod common;
use common::*;

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(100);

#[test]
fn hello_and_small_talk() {
    let server = Server::start(&[]);
    let greeting = if is_reference() { "7." } else { "7.2." };
    server.spec(&format!(
        r#"
        HELLO                                   ~> ["server", "redis", "version", "{greeting}*", "proto", 2, "id", *, "mode", "standalone", "role", "master", "modules", []]
        HELLO 3                                 ~> {{"server": "redis", "version": "{greeting}*", "proto": 3, "id": *, "mode": "standalone", "role": "master", "modules": []}}
        HELLO                                   ~> {{"server": "redis", *}}
        HELLO 2                                 ~> ["server", "redis", *]
        HELLO 3 SETNAME me                      ~> {{*}}
    "#
    ));
    server.spec(
        r#"
        PING                                    -> PONG
        PING "a b"                              -> "a b"
        PING a b                                -> -ERR wrong number of arguments for 'ping' command
        ECHO hi                                 -> "hi"
        ECHO                                    -> -ERR wrong number of arguments for 'echo' command
        HELLO 1                                 -> -NOPROTO unsupported protocol version
        HELLO 4                                 -> -NOPROTO unsupported protocol version
        HELLO x                                 -> -ERR Protocol version is not an integer or out of range
        HELLO 3 BOGUS                           -> -ERR Syntax error in HELLO option 'BOGUS'
        HELLO 3 SETNAME                         -> -ERR Syntax error in HELLO option 'SETNAME'
        HELLO 3 SETNAME "a b"                   -> -ERR Client names cannot contain spaces, newlines or special characters.
        HELLO 3 AUTH default                    -> -ERR Syntax error in HELLO option 'AUTH'
        HELLO 3 AUTH nobody secret              -> -WRONGPASS invalid username-password pair or user is disabled.
        PING                                    -> PONG
        HELLO 2 AUTH default x SETNAME me       ~> ["server", *]
        CLIENT GETNAME                          -> "me"
        AUTH secret                             -> -ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?
        AUTH default anything                   -> OK
        AUTH nobody secret                      -> -WRONGPASS invalid username-password pair or user is disabled.
        AUTH a b c                              -> -ERR syntax error
        AUTH                                    -> -ERR wrong number of arguments for 'auth' command
        HELLO 3                                 ~> {*}
        PING                                    -> PONG
        RESET                                   -> RESET
        GET absent                              -> nil
        CLIENT GETNAME                          -> nil
        RESET x                                 -> -ERR wrong number of arguments for 'reset' command
        SELECT 9                                -> OK
        RESET                                   -> RESET
        CLIENT INFO                             ~> "id=* db=0 *"
    "#,
    );
    let mut conn = server.connect();
    assert_eq!(conn.run("NOSUCH a 'b c'"), *"-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b c' ");
    let long = "x".repeat(300);
    let shown = "x".repeat(128);
    assert_eq!(conn.cmd(&[&long, &long, &long]), *format!("-ERR unknown command '{shown}', with args beginning with: '{shown}' "));
    assert_eq!(conn.cmd(&["a\r\nb", "c\r\nd"]), *"-ERR unknown command 'a  b', with args beginning with: 'c  d' ");
}

#[test]
fn quit_answers_what_came_before_it() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send(b"PING\r\nQUIT\r\nSET never 1\r\n");
    assert_eq!(conn.recv_to_end(), "+PONG\r\n+OK\r\n");
    assert_eq!(server.ask("EXISTS never"), *"0");
    let mut conn = server.connect();
    conn.send(b"PING\r\nPING\r\n");
    conn.finish();
    assert_eq!(conn.recv_to_end(), "+PONG\r\n+PONG\r\n", "half closed");
}

#[test]
fn a_password() {
    let server = Server::start(&["--requirepass", "secret"]);
    server.session().check(
        r#"
        PING                                    -> -NOAUTH Authentication required.
        GET a                                   -> -NOAUTH Authentication required.
        NOSUCH                                  ~> -ERR unknown command *
        MULTI                                   -> -NOAUTH Authentication required.
        HELLO                                   ~> -NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO *AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time
        HELLO 3                                 ~> -NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO *AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time
        HELLO 3 AUTH default wrong              -> -WRONGPASS invalid username-password pair or user is disabled.
        HELLO 3 SETNAME me                      ~> -NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO *AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time
        AUTH wrong                              -> -WRONGPASS invalid username-password pair or user is disabled.
        AUTH nobody secret                      -> -WRONGPASS invalid username-password pair or user is disabled.
        RESET                                   -> RESET
        @quitter QUIT                           -> OK
        AUTH secret                             -> OK
        PING                                    -> PONG
        RESET                                   -> RESET
        PING                                    -> -NOAUTH Authentication required.
        AUTH default secret                     -> OK
        PING                                    -> PONG
        @other HELLO 3 AUTH default secret SETNAME me ~> {*}
        @other CLIENT GETNAME                   -> "me"
        CONFIG GET requirepass                  -> ["requirepass", "secret"]
        CONFIG SET requirepass other            -> OK
        PING                                    -> PONG
        @third PING                             -> -NOAUTH Authentication required.
        @third AUTH secret                      -> -WRONGPASS invalid username-password pair or user is disabled.
        @third AUTH other                       -> OK
        CONFIG SET requirepass ""               -> OK
        @fourth PING                            -> PONG
    "#,
    );
    // Nobody may make a server that asks for a password set much memory aside before giving it.
    replies!(server.connect(), "CONFIG SET requirepass secret" => "OK");
    for (bytes, answer) in [
        ("*11\r\n", "-ERR Protocol error: unauthenticated multibulk length\r\n"),
        ("*1\r\n$16385\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n"),
    ] {
        let mut conn = server.connect();
        conn.send(bytes.as_bytes());
        assert_eq!(conn.recv_to_end(), answer);
    }
}

#[test]
fn protocol_errors() {
    let server = Server::start(&[]);
    let long = "1".repeat(70_000);
    for (bytes, answer) in [
        ("*x\r\n", "invalid multibulk length"),
        ("*1x\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("* 1\r\n", "invalid multibulk length"),
        ("*1\r\n+PING\r\n", "expected '$', got '+'"),
        ("*1\r\n\r\nx", "expected '$', got '\r'"),
        ("*2\r\n$4\r\nPING\r\nx\r\n", "expected '$', got 'x'"),
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("SET \"a\r\n", "unbalanced quotes in request"),
        ("SET 'a\r\n", "unbalanced quotes in request"),
        ("SET \"a\"b\r\n", "unbalanced quotes in request"),
        (&long, "too big inline request"),
        (&format!("*{long}"), "too big mbulk count string"),
        (&format!("*1\r\n${long}"), "too big bulk count string"),
    ] {
        let mut conn = server.connect();
        conn.send(b"PING\r\n");
        let _ = conn.try_send(bytes.as_bytes());
        assert_eq!(conn.recv(), *"PONG");
        let answer = answer.replace('\r', " ");
        let shown = &bytes[..bytes.len().min(20)];
        let reply = conn.recv();
        assert_eq!(reply, *format!("-ERR Protocol error: {answer}"), "{shown:?}");
        assert!(conn.closed(), "{shown:?}");
    }
}

#[test]
fn requests_that_say_nothing_are_passed_over() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send(b"\r\n\r\n*0\r\n*-1\r\n*-7\r\n   \r\n\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(conn.recv(), *"PONG");
    conn.send(b"*1\r\n$0\r\n\r\n");
    assert_eq!(conn.recv(), *"-ERR unknown command '', with args beginning with: ");
}

#[test]
fn inline_commands() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    for (line, answer) in [
        ("PING\n", "PONG"),
        ("  PING  \r\n", "PONG"),
        ("ECHO \"a b\"\r\n", r#""a b""#),
        ("ECHO 'a b'\r\n", r#""a b""#),
        (r#"ECHO "\x41\n\r\t\b\a\\\"\q\xZZ""#, r#""A\n\r\t\x08\x07\\\"qxZZ""#),
        (r"ECHO 'it\'s \n'", r#""it's \\n""#),
        ("ECHO \"\"", r#""""#),
        ("ECHO a\tb", "-ERR wrong number of arguments for 'echo' command"),
        ("ECHO ab\"c d\"", r#""abc d""#),
        ("ECHO \u{e9}", r#""\xc3\xa9""#),
    ] {
        conn.send(line.as_bytes());
        if !line.ends_with('\n') {
            conn.send(b"\r\n");
        }
        assert_eq!(conn.recv(), *answer, "{line:?}");
    }
}

#[test]
fn requests_cut_anywhere() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let stream = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n*1\r\nGET a\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    for cut in 1..stream.len() {
        conn.send(&stream[..cut]); // a segment of its own, thanks to TCP_NODELAY
        conn.send(&stream[cut..]);
        assert_eq!(conn.recv(), *"OK", "cut at {cut}");
        assert_eq!(conn.recv(), *r#""\r\n*1""#);
        assert_eq!(conn.recv(), *r#""\r\n*1""#);
    }
    for byte in stream {
        conn.send(&[*byte]);
    }
    assert_eq!(conn.recv(), *"OK");
}

#[test]
fn pipelines_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    const COUNT: i64 = 20_000;
    for i in 0..COUNT {
        conn.send(format!("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\nECHO {i}\r\n").as_bytes());
        if i % 1000 == 999 {
            for j in i - 999..=i {
                assert_eq!(conn.recv(), Value::Int(j + 1));
                assert_eq!(conn.recv().text(), j.to_string());
            }
        }
    }
}

#[test]
fn client_and_its_subcommands() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        CLIENT                                  -> -ERR wrong number of arguments for 'client' command
        CLIENT BOGUS                            -> -ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.
        CLIENT HELP                             ~> [CLIENT <subcommand> *]
        CLIENT ID                               ~> *
        CLIENT GETNAME                          -> nil
        CLIENT SETNAME me                       -> OK
        CLIENT GETNAME                          -> "me"
        CLIENT SETNAME "a b"                    -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT SETNAME "a\nb"                   -> -ERR Client names cannot contain spaces, newlines or special characters.
        CLIENT SETNAME ""                       -> OK
        CLIENT GETNAME                          -> nil
        CLIENT SETNAME                          -> -ERR wrong number of arguments for 'client|setname' command
        CLIENT GETNAME x                        -> -ERR wrong number of arguments for 'client|getname' command
        CLIENT NO-EVICT on                      -> OK
        CLIENT NO-EVICT off                     -> OK
        CLIENT NO-EVICT x                       -> -ERR syntax error
        CLIENT REPLY x                          -> -ERR syntax error
        CLIENT UNBLOCK 999999                   -> 0
        CLIENT UNBLOCK x                        -> -ERR value is not an integer or out of range
        CLIENT UNBLOCK 1 BOGUS                  -> -ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
        CLIENT UNPAUSE                          -> OK
        CLIENT PAUSE x                          -> -ERR timeout is not an integer or out of range
        CLIENT PAUSE -1                         -> -ERR timeout is negative
        CLIENT PAUSE 1 BOGUS                    -> -ERR CLIENT PAUSE mode must be WRITE or ALL
        CLIENT LIST BOGUS                       -> -ERR syntax error
        CLIENT LIST TYPE bogus                  -> -ERR Unknown client type 'bogus'
        CLIENT LIST TYPE replica                -> ""
        CLIENT LIST TYPE pubsub                 -> ""
        CLIENT LIST ID x                        -> -ERR Invalid client ID
        CLIENT LIST ID 999999                   -> ""
        CLIENT LIST ID                          -> -ERR syntax error
        CLIENT LIST TYPE normal                 ~> "id=*cmd=client|list*\n"
        CLIENT KILL 1.2.3.4:5                   -> -ERR No such client
        CLIENT KILL                             -> -ERR wrong number of arguments for 'client|kill' command
        CLIENT KILL ID x                        -> -ERR client-id should be greater than 0
        CLIENT KILL ID 0                        -> -ERR client-id should be greater than 0
        CLIENT KILL ID 999999                   -> 0
        CLIENT KILL TYPE bogus                  -> -ERR Unknown client type 'bogus'
        CLIENT KILL TYPE replica                -> 0
        CLIENT KILL ADDR 1.2.3.4:5              -> 0
        CLIENT KILL LADDR 1.2.3.4:5             -> 0
        CLIENT KILL USER nobody                 -> -ERR No such user 'nobody'
        CLIENT KILL SKIPME maybe                -> -ERR syntax error
        CLIENT KILL BOGUS x                     -> -ERR syntax error
        CLIENT KILL ID                          -> -ERR No such client
        HELLO 3                                 ~> {*}
        CLIENT LIST ID 999999                   -> =txt:""
        CLIENT INFO                             ~> =txt:"id=*"
        CLIENT LIST                             ~> =txt:"id=*"
    "#,
    );
    if !is_reference() {
        server.spec(
            r#"
            CLIENT SETINFO LIB-NAME redis-py        -> OK
            CLIENT SETINFO lib-ver 1.2.3            -> OK
            CLIENT INFO                             ~> "*lib-name=redis-py lib-ver=1.2.3*"
            CLIENT SETINFO LIB-NAME "a b"           -> -ERR LIB-NAME cannot contain spaces, newlines or special characters.
            CLIENT SETINFO LIB-VER "a\n"            -> -ERR LIB-VER cannot contain spaces, newlines or special characters.
            CLIENT SETINFO BOGUS x                  -> -ERR Unrecognized option 'BOGUS'
            CLIENT SETINFO LIB-NAME                 -> -ERR wrong number of arguments for 'client|setinfo' command
            CLIENT NO-TOUCH ON                      -> OK
            CLIENT NO-TOUCH off                     -> OK
            CLIENT NO-TOUCH x                       -> -ERR syntax error
        "#,
        );
    }
}

#[test]
fn client_list_tells_all_about_a_client() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    replies!(
        conn,
        "CLIENT SETNAME me" => "OK",
        "SELECT 3" => "OK",
        "WATCH a b" => "OK",
        "MULTI" => "OK",
        "PING" => "QUEUED",
    );
    let mut other = server.connect();
    let list = other.run("CLIENT LIST").text();
    let line = list.lines().find(|l| l.contains(" name=me ")).unwrap();
    let names: Vec<_> = line.split(' ').map(|f| f.split('=').next().unwrap()).collect();
    let mut names_in_order = vec![
        "id",
        "addr",
        "laddr",
        "fd",
        "name",
        "age",
        "idle",
        "flags",
        "db",
        "sub",
        "psub",
        "ssub",
        "multi",
        "qbuf",
        "qbuf-free",
        "argv-mem",
        "multi-mem",
        "rbs",
        "rbp",
        "obl",
        "oll",
        "omem",
        "tot-mem",
        "events",
        "cmd",
        "user",
        "redir",
        "resp",
    ];
    if !is_reference() {
        names_in_order.extend(["lib-name", "lib-ver"]);
    }
    assert_eq!(names, names_in_order);
    let field = |name: &str| {
        let mut fields = line.split(' ');
        let field = fields.find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
        field.unwrap().to_owned()
    };
    assert_eq!(field("addr"), format!("127.0.0.1:{}", conn.local_port()));
    assert_eq!(field("laddr"), format!("127.0.0.1:{}", server.port));
    for (name, value) in
        [("db", "3"), ("multi", "1"), ("cmd", "ping"), ("user", "default"), ("resp", "2"), ("flags", "x"), ("sub", "0"), ("events", "r")]
    {
        assert_eq!(field(name), value, "{name}");
    }
    // One line a client, and CLIENT INFO is one of them.
    assert_eq!(list.lines().count(), 2);
    let id = other.run("CLIENT ID").int();
    assert!(other.run("CLIENT INFO").text().starts_with(&format!("id={id} ")));
    assert_eq!(other.run(&format!("CLIENT LIST ID {} {id}", field("id"))).text().lines().count(), 2);
}

#[test]
fn clients_are_killed_by_what_they_are() {
    let server = Server::start(&[]);
    let mut judge = server.connect();
    let judge_id = judge.run("CLIENT ID").int();
    for filter in
        ["{addr}", "ADDR {addr}", "ID {id}", "LADDR {laddr} SKIPME yes", "TYPE normal", "USER default", "ID {id} ADDR {addr} TYPE normal"]
    {
        let mut conn = server.connect();
        let id = conn.run("CLIENT ID").int();
        let filter = filter
            .replace("{addr}", &format!("127.0.0.1:{}", conn.local_port()))
            .replace("{laddr}", &format!("127.0.0.1:{}", server.port))
            .replace("{id}", &id.to_string());
        let killed = judge.run(&format!("CLIENT KILL {filter}"));
        assert_eq!(killed, *if filter.contains(' ') { "1" } else { "OK" }, "{filter}");
        assert!(conn.closed(), "{filter}");
    }
    assert_eq!(judge.run(&format!("CLIENT KILL ID {judge_id}")), *"0", "SKIPME is the rule");
    assert_eq!(judge.run(&format!("CLIENT KILL ID {judge_id} SKIPME no")), *"1");
    assert!(judge.closed());
    let mut conn = server.connect();
    let own = format!("CLIENT KILL 127.0.0.1:{}", conn.local_port());
    assert_eq!(conn.run(&own), *"OK", "the old form kills even oneself");
    assert!(conn.closed());
}

#[test]
fn replies_on_off_and_skipped() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send(b"CLIENT REPLY SKIP\r\nPING\r\nECHO 1\r\nCLIENT REPLY OFF\r\nECHO 2\r\nBOGUS\r\nCLIENT REPLY SKIP\r\nECHO 3\r\nCLIENT REPLY ON\r\nECHO 4\r\n");
    assert_eq!(conn.recv(), *r#""1""#);
    assert_eq!(conn.recv(), *"OK");
    assert_eq!(conn.recv(), *r#""4""#);
    conn.send(b"CLIENT REPLY OFF\r\nRESET\r\nECHO 5\r\n");
    assert_eq!(conn.recv(), *"RESET");
    assert_eq!(conn.recv(), *r#""5""#);
    // SKIP silences RESET, too, whether it came by itself or in a transaction.
    conn.send(b"CLIENT REPLY SKIP\r\nRESET\r\nECHO 6\r\n");
    assert_eq!(conn.recv(), *r#""6""#);
    conn.send(b"MULTI\r\nPING\r\nCLIENT REPLY SKIP\r\nEXEC\r\nRESET\r\nECHO 7\r\n");
    for reply in ["OK", "QUEUED", "QUEUED"] {
        assert_eq!(conn.recv(), *reply);
    }
    assert_eq!(conn.recv_exact(11), "*2\r\n+PONG\r\n", "SKIP answers nothing, so the array stays short");
    assert_eq!(conn.recv(), *r#""7""#);
}

#[test]
fn info_tells_why_writes_do_not_go_through() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    let mut gate = || conn.run("INFO loop").text().lines().find_map(|line| line.strip_prefix("write_gate:").map(str::to_owned));
    assert_eq!(gate().as_deref(), Some("open"));
    let mut boss = server.connect();
    replies!(boss, "CLIENT PAUSE 100000 WRITE" => "OK", "CONFIG SET min-replicas-to-write 1" => "OK");
    assert_eq!(gate().as_deref(), Some("pause,few_replicas"));
    replies!(boss, "CLIENT UNPAUSE" => "OK");
    assert_eq!(gate().as_deref(), Some("few_replicas"));
    replies!(boss, "SET a 1" => "-NOREPLICAS Not enough good replicas to write.", "CONFIG SET min-replicas-to-write 0" => "OK");
    assert_eq!(gate().as_deref(), Some("open"));
}

#[test]
fn a_pause_holds_commands_back_until_it_ends() {
    let server = Server::start(&[]);
    let mut boss = server.connect();
    let (mut reader, mut writer) = (server.connect(), server.connect());

    replies!(boss, "CLIENT PAUSE 100000 WRITE" => "OK");
    replies!(reader, "GET a" => "nil");
    writer.send(b"SET a 1\r\nGET a\r\n");
    assert_eq!(writer.try_recv(SOON), None, "writes wait");
    assert!(boss.run("CLIENT LIST").text().contains("flags=b"));
    replies!(boss, "CLIENT UNPAUSE" => "OK");
    assert_eq!(writer.recv(), *"OK");
    assert_eq!(writer.recv(), *r#""1""#);

    // A pause of everything holds UNPAUSE back too: it ends by itself.
    replies!(boss, "CLIENT PAUSE 150" => "OK");
    reader.send(b"GET a\r\n");
    assert_eq!(reader.try_recv(Duration::from_millis(30)), None, "reads wait too");
    assert_eq!(reader.recv(), *r#""1""#);
    replies!(boss, "CLIENT PAUSE 150 WRITE" => "OK");
    writer.send(b"INCR a\r\n");
    assert_eq!(writer.try_recv(Duration::from_millis(30)), None);
    assert_eq!(writer.recv(), *"2");

    let mut transaction = server.connect();
    replies!(transaction, "MULTI" => "OK", "INCR a" => "QUEUED");
    replies!(boss, "CLIENT PAUSE 100000 WRITE" => "OK");
    replies!(reader, "MULTI" => "OK", "GET a" => "QUEUED", "EXEC" => r#"["2"]"#);
    transaction.send(b"EXEC\r\n");
    assert_eq!(transaction.try_recv(SOON), None, "a transaction that writes");
    replies!(boss, "CLIENT UNPAUSE" => "OK");
    assert_eq!(transaction.recv(), *"[3]");
}

#[test]
fn monitor_shows_every_command() {
    let server = Server::start(&[]);
    let mut monitor = server.connect();
    replies!(monitor, "MONITOR" => "OK");
    let mut conn = server.connect();
    replies!(conn, "SELECT 2" => "OK");
    conn.run(r#"SET "a\x00\xff\"\n" "v v""#);
    conn.run("AUTH default sesame");
    conn.run("PING");
    let addr = format!("127.0.0.1:{}", conn.local_port());
    let mut line = || {
        let text = monitor.recv().text();
        let (time, rest) = text.split_once(' ').unwrap();
        let (seconds, micros) = time.split_once('.').unwrap();
        assert!(seconds.len() == 10 && micros.len() == 6, "{text}");
        rest.to_owned()
    };
    assert_eq!(line(), format!(r#"[2 {addr}] "SELECT" "2""#));
    assert_eq!(line(), format!(r#"[2 {addr}] "SET" "a\x00\xff\"\n" "v v""#));
    let mut next = line();
    if next.contains("AUTH") {
        assert!(!next.contains("sesame"), "{next}");
        next = line();
    }
    assert_eq!(next, format!(r#"[2 {addr}] "PING""#));
    monitor.send(b"RESET\r\n");
    assert_eq!(monitor.recv(), *"RESET");
    conn.run("PING");
    replies!(monitor, "PING" => "PONG");
}

#[test]
fn too_many_clients() {
    let server = Server::start(&["--maxclients", "3"]);
    let mut conns: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for conn in conns.iter_mut() {
        replies!(conn, "PING" => "PONG");
    }
    let mut refused = server.connect();
    assert_eq!(refused.recv_to_end(), "-ERR max number of clients reached\r\n");
    replies!(conns[0], "CONFIG SET maxclients 4" => "OK");
    let mut fourth = server.connect();
    replies!(fourth, "PING" => "PONG");
    drop(conns.pop());
    wait_until(|| {
        let mut conn = server.connect();
        let _ = conn.try_send(b"PING\r\n");
        conn.recv() == *"PONG"
    });
    let mut conn = server.connect();
    replies!(conn, "CONFIG RESETSTAT" => "OK");
    let rejected = conn.run("INFO stats").text();
    assert!(rejected.contains("rejected_connections:0\r\n"), "{rejected}");
}

#[test]
fn idle_clients_are_let_go_after_the_timeout() {
    let server = Server::start(&["--timeout", "1"]);
    let mut idle = server.connect();
    let mut watching = server.connect();
    replies!(watching, "MONITOR" => "OK");
    replies!(idle, "PING" => "PONG");
    assert!(watching.recv().text().contains("PING"));
    assert!(idle.closed());
}

#[test]
fn a_client_whose_replies_pile_up_is_let_go() {
    let server = Server::start(&["--client-output-buffer-limit", "normal 4mb 0 0"]);
    let mut conn = server.connect();
    let value = vec![b'x'; 1 << 20];
    conn.cmd(&[b"SET".as_slice(), b"big", &value]);
    let mut greedy = server.connect();
    replies!(greedy, "CLIENT SETNAME greedy" => "OK");
    // More than the socket buffers of both sides can hide.
    for _ in 0..100 {
        if greedy.try_send(b"GET big\r\n").is_err() {
            break;
        }
    }
    wait_until(|| !conn.run("CLIENT LIST").text().contains("name=greedy"));
    assert!(server.rss() < 300 << 20);
    let text = greedy.recv_to_end();
    assert!(text.len() < 100 << 20, "{} bytes", text.len());
}

#[test]
fn a_client_that_sends_too_much_at_once_is_let_go() {
    let server = Server::start(&["--client-query-buffer-limit", "1mb"]);
    let mut conn = server.connect();
    conn.send(b"*2\r\n$4\r\nECHO\r\n$20000000\r\n");
    let chunk = vec![b'x'; 1 << 20];
    while conn.try_send(&chunk).is_ok() {}
    replies!(server.connect(), "PING" => "PONG");
}

#[test]
fn unix_sockets() {
    let server = Server::start(&["--port", "0", "--unixsocket", "server.sock", "--unixsocketperm", "700"]);
    let mut conn = Conn::unix(&server.unix_socket());
    replies!(conn, "SET a 1" => "OK", "GET a" => r#""1""#);
    let info = conn.run("CLIENT INFO").text();
    assert!(info.contains(&format!(" addr={}:0 ", server.unix_socket().display())) || info.contains(" addr=server.sock:0 "), "{info}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(server.unix_socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(std::net::TcpStream::connect(server.address()).is_err(), "port 0 is no port");
}

#[test]
fn addresses_to_bind() {
    if has_ipv6() {
        let server = Server::start(&["--bind", "127.0.0.1 ::1"]);
        let mut six = Conn::tcp(SocketAddr::from((Ipv6Addr::LOCALHOST, server.port)));
        replies!(six, "PING" => "PONG");
        let info = six.run("CLIENT INFO").text();
        assert!(info.contains(&format!(" addr=[::1]:{} laddr=[::1]:{} ", six.local_port(), server.port)), "{info}");
        replies!(server.connect(), "PING" => "PONG");
    }
    // An address of documentation, which no machine has: with a minus its absence is no matter.
    let server = Server::start(&["--bind", "127.0.0.1 -192.0.2.1"]);
    replies!(server.connect(),
        "PING" => "PONG",
        "CONFIG GET bind" => r#"["bind", "127.0.0.1 -192.0.2.1"]"#);
    // Bound anew while it runs.
    let mut conn = server.connect();
    replies!(conn, "CONFIG SET bind 127.0.0.2" => "OK");
    let mut elsewhere = Conn::tcp(SocketAddr::from(([127, 0, 0, 2], server.port)));
    replies!(elsewhere, "PING" => "PONG", "CONFIG SET bind 127.0.0.1" => "OK");
    replies!(server.connect(), "PING" => "PONG");
    let other = free_port();
    let mut conn = server.connect();
    assert_eq!(conn.run(&format!("CONFIG SET port {}", other.port)), *"OK");
    replies!(Conn::tcp(([127, 0, 0, 1], other.port)), "PING" => "PONG");
    replies!(conn, "PING" => "PONG");
}

/// An address of this machine that is not loopback.
fn outer_address() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?; // sends nothing: it only asks for a route
    let address = socket.local_addr().ok()?;
    (!address.ip().is_loopback()).then_some(address)
}

#[test]
fn protected_mode() {
    let Some(outer) = outer_address() else {
        return;
    };
    let server = Server::start(&["--bind", "*"]);
    let address = SocketAddr::from((outer.ip(), server.port));
    replies!(server.connect(), "PING" => "PONG");
    let refusal = Conn::tcp(address).recv_to_end();
    assert!(refusal.starts_with("-DENIED "), "{refusal}");
    assert!(refusal.ends_with("\r\n") && refusal.lines().count() == 1);
    replies!(server.connect(), "CONFIG SET protected-mode no" => "OK");
    replies!(
        Conn::tcp(address),
        "PING" => "PONG",
        "CONFIG SET requirepass x" => "OK",
        "CONFIG SET protected-mode yes" => "OK",
    );
    replies!(Conn::tcp(address), "AUTH x" => "OK", "PING" => "PONG");
}

#[test]
fn http_on_our_port_ends_the_connection_and_is_told_of() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    conn.send(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nSET k v\r\n");
    assert_eq!(conn.recv_to_end(), "");
    let mut conn = server.connect();
    conn.send(b"PING\r\n*2\r\n$5\r\nhost:\r\n$1\r\nx\r\nSET k v\r\n");
    assert_eq!(conn.recv_to_end(), "");
    assert_eq!(server.ask("EXISTS k").int(), 0);
    let attack = "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due \
                  to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection ";
    assert_eq!(server.log().matches(attack).count(), 1, "once a minute: {}", server.log());
}

#[test]
fn a_replica_hears_what_it_asked_for_whatever_it_said_of_replies() {
    let server = Server::start(&["--repl-diskless-sync-delay", "0"]);
    for front in ["CLIENT REPLY OFF\r\n", "CLIENT REPLY SKIP\r\n"] {
        let mut conn = server.connect();
        conn.send(front.as_bytes());
        conn.send(b"PSYNC ? -1\r\n");
        let line = conn.recv_exact(12);
        assert_eq!(line, "+FULLRESYNC ", "{front:?}");
    }
}

/// The most memory that a server has had so far, in bytes.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.info("process_id"))).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_large_argument_takes_its_own_size_once() {
    const SIZE: usize = 96 << 20;
    let server = Server::start(&["--save", ""]);
    let before = peak(&server);
    let mut conn = server.connect();
    conn.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${SIZE}\r\n").as_bytes());
    let piece = vec![b'x'; 1 << 20];
    (0..SIZE >> 20).for_each(|_| conn.send(&piece));
    conn.send(b"\r\n");
    assert_eq!(conn.recv(), *"OK");
    let grown = peak(&server) - before;
    assert!(grown < (SIZE + (16 << 20)) as u64, "{} MiB for {} MiB", grown >> 20, SIZE >> 20);
}
