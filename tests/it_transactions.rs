//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.

mod common;
use common::*;

#[test]
fn queueing_and_execution() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        EXEC                                    -> -ERR EXEC without MULTI
        DISCARD                                 -> -ERR DISCARD without MULTI
        MULTI                                   -> OK
        EXEC                                    -> []
        MULTI                                   -> OK
        SET a 1                                 -> QUEUED
        INCR a                                  -> QUEUED
        GET a                                   -> QUEUED
        GET absent                              -> QUEUED
        MGET a absent                           -> QUEUED
        @other GET a                            -> nil
        EXEC                                    -> [OK, 2, "2", nil, ["2", nil]]
        EXEC                                    -> -ERR EXEC without MULTI
        MULTI                                   -> OK
        SET a 9                                 -> QUEUED
        DISCARD                                 -> OK
        GET a                                   -> "2"
        EXEC 1                                  -> -EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command
        MULTI 1                                 -> -ERR wrong number of arguments for 'multi' command
        DISCARD 1                               -> -ERR wrong number of arguments for 'discard' command
        WATCH                                   -> -ERR wrong number of arguments for 'watch' command
        UNWATCH 1                               -> -ERR wrong number of arguments for 'unwatch' command
        UNWATCH                                 -> OK

        # what fails at run time stops nothing
        MULTI                                   -> OK
        SET s text                              -> QUEUED
        INCR s                                  -> QUEUED
        INCRBYFLOAT s 1                         -> QUEUED
        SETRANGE s -1 x                         -> QUEUED
        APPEND s !                              -> QUEUED
        EXEC                                    -> [OK, -ERR value is not an integer or out of range, -ERR value is not a valid float, -ERR offset is out of range, 5]

        # what fails at queueing stops all
        MULTI                                   -> OK
        SET s other                             -> QUEUED
        GET                                     -> -ERR wrong number of arguments for 'get' command
        BOGUS x                                 ~> -ERR unknown command 'BOGUS', with args beginning with: 'x'*
        PING                                    -> QUEUED
        EXEC                                    -> -EXECABORT Transaction discarded because of previous errors.
        GET s                                   -> "text!"
        MULTI                                   -> OK
        CLIENT BOGUS                            -> -ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.
        EXEC                                    -> -EXECABORT Transaction discarded because of previous errors.
        MULTI                                   -> OK
        GET                                     -> -ERR wrong number of arguments for 'get' command
        DISCARD                                 -> OK
        EXEC                                    -> -ERR EXEC without MULTI

        # MULTI inside MULTI is an error that does not stop it
        MULTI                                   -> OK
        MULTI                                   -> -ERR MULTI calls can not be nested
        SET n 1                                 -> QUEUED
        EXEC                                    -> [OK]
        MULTI                                   -> OK
        WATCH a                                 -> -ERR WATCH inside MULTI is not allowed
        EXEC                                    -> []
        MULTI                                   -> OK
        UNWATCH                                 -> QUEUED
        SELECT 3                                -> QUEUED
        SET in-three 1                          -> QUEUED
        EXEC                                    -> [OK, OK, OK]
        DBSIZE                                  -> 1
        SELECT 0                                -> OK
        MULTI                                   -> OK
        RESET                                   -> RESET
        EXEC                                    -> -ERR EXEC without MULTI
        MULTI                                   -> OK
        QUIT                                    -> OK
    "#,
    );
    server.spec(
        r#"
        HELLO 3                                 ~> {*}
        MULTI                                   -> OK
        GET absent                              -> QUEUED
        CONFIG GET maxmemory                    -> QUEUED
        EXEC                                    -> [null, {"maxmemory": "0"}]
        WATCH a                                 -> OK
        @other SET a 1                          -> OK
        MULTI                                   -> OK
        EXEC                                    -> null
    "#,
    );
}

#[test]
fn watched_keys() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        # untouched
        SET a 1                                 -> OK
        WATCH a b                               -> OK
        MULTI                                   -> OK
        INCR a                                  -> QUEUED
        EXEC                                    -> [2]

        # touched by another; EXEC forgets what was watched
        WATCH a                                 -> OK
        @other SET a 5                          -> OK
        MULTI                                   -> OK
        INCR a                                  -> QUEUED
        EXEC                                    -> nil[]
        MULTI                                   -> OK
        INCR a                                  -> QUEUED
        EXEC                                    -> [6]

        # by oneself counts too
        WATCH a                                 -> OK
        SET a 1                                 -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]

        # a queueing error outranks it, and DISCARD and UNWATCH forget
        WATCH a                                 -> OK
        @other SET a 6                          -> OK
        MULTI                                   -> OK
        BOGUS                                   ~> -ERR unknown command 'BOGUS', with args beginning with:*
        EXEC                                    -> -EXECABORT Transaction discarded because of previous errors.
        WATCH a                                 -> OK
        @other SET a 6                          -> OK
        UNWATCH                                 -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH a                                 -> OK
        @other SET a 6                          -> OK
        MULTI                                   -> OK
        DISCARD                                 -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH a                                 -> OK
        @other SET a 6                          -> OK
        RESET                                   -> RESET
        MULTI                                   -> OK
        EXEC                                    -> []

        # between MULTI and EXEC
        WATCH a                                 -> OK
        MULTI                                   -> OK
        @other INCR a                           -> 7
        EXEC                                    -> nil[]

        # a key that comes, that goes, that comes and goes
        WATCH fresh                             -> OK
        @other SET fresh 1                      -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH fresh                             -> OK
        @other DEL fresh                        -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH fresh                             -> OK
        @other DEL fresh                        -> 0
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH fresh                             -> OK
        @other SET fresh 1                      -> OK
        @other DEL fresh                        -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]

        # reading touches nothing; a deadline and its removal do
        SET a 1                                 -> OK
        WATCH a                                 -> OK
        @other GET a                            -> "1"
        @other TOUCH a                          -> 1
        @other SET a 1 NX                       -> nil
        @other SETRANGE a 0 ""                  -> 1
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH a                                 -> OK
        @other EXPIRE a 100                     -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH a                                 -> OK
        @other PERSIST a                        -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH a                                 -> OK
        @other RENAME a b                       -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH c                                 -> OK
        @other COPY b c                         -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH c                                 -> OK
        @other MOVE c 5                         -> 1
        MULTI                                   -> OK
        EXEC                                    -> nil[]

        # the same name in another database is another key
        WATCH a                                 -> OK
        @other SELECT 1                         -> OK
        @other SET a 1                          -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
    "#,
    );
}

#[test]
fn watched_keys_and_whole_databases() {
    let server = Server::start(&[]);
    server.spec(
        r#"
        SET a 1                                 -> OK
        WATCH a                                 -> OK
        @other FLUSHALL                         -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH a                                 -> OK
        @other FLUSHALL                         -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
        SET a 1                                 -> OK
        WATCH a                                 -> OK
        @other SELECT 1                         -> OK
        @other FLUSHDB                          -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH a                                 -> OK
        @other SELECT 0                         -> OK
        @other FLUSHDB ASYNC                    -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]

        # SWAPDB touches a key that is there before or after
        SET a 1                                 -> OK
        WATCH a                                 -> OK
        @other SWAPDB 0 1                       -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH a                                 -> OK
        @other SWAPDB 0 1                       -> OK
        MULTI                                   -> OK
        EXEC                                    -> nil[]
        WATCH neither                           -> OK
        @other SWAPDB 0 1                       -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
        WATCH a                                 -> OK
        @other SWAPDB 2 3                       -> OK
        MULTI                                   -> OK
        EXEC                                    -> []
    "#,
    );
}

#[test]
fn watched_keys_that_expire() {
    let server = Server::start(&["--enable-debug-command", "local"]);
    for active in ["0", "1"] {
        let mut session = server.session();
        session.conn("").run("FLUSHALL");
        session.conn("").run(&format!("DEBUG SET-ACTIVE-EXPIRE {active}"));
        // Its deadline passes while it is watched: touched.
        session.check(
            r#"
            SET a 1 PX 30                       -> OK
            WATCH a                             -> OK
            MULTI                               -> OK
            PING                                -> QUEUED
        "#,
        );
        std::thread::sleep(std::time::Duration::from_millis(40));
        session.check(
            r#"
            EXEC                                -> nil[]
        "#,
        );
        // It had passed already, though nobody had noticed: that it goes is no news.
        session.check(
            r#"
            DEBUG SET-ACTIVE-EXPIRE 0           -> OK
            SET b 1 PX 1                        -> OK
        "#,
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
        session.check(
            r#"
            WATCH b                             -> OK
            @other GET b                        -> nil
            MULTI                               -> OK
            PING                                -> QUEUED
            EXEC                                -> [PONG]
        "#,
        );
    }
}

#[test]
fn a_transaction_is_one_step_for_all_others() {
    let server = Server::start(&[]);
    let mut writer = server.connect();
    let mut reader = server.connect();
    for round in 0..50 {
        writer.send(format!("MULTI\r\nSET x {round}\r\nSET y {round}\r\nEXEC\r\n").as_bytes());
        let pair = reader.run("MGET x y").items();
        assert_eq!(pair[0], pair[1]);
        for _ in 0..4 {
            writer.recv();
        }
    }
}

#[test]
fn a_client_that_leaves_takes_its_transaction_along() {
    let server = Server::start(&[]);
    let mut conn = server.connect();
    replies!(conn, "WATCH a" => "OK", "MULTI" => "OK", "SET a 1" => "QUEUED");
    drop(conn);
    let mut other = server.connect();
    wait_until(|| !other.run("CLIENT LIST").text().contains("cmd=set"));
    replies!(other, "EXISTS a" => "0", "SET a 2" => "OK");
}
