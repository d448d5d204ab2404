//! The clients. Each is a thread with a seed of its own, and goes on with a new connection when it has lost one.

use crate::{
    commands,
    common::{Conn, PATIENCE, Silence, Value},
    generate::Generator,
    stage::Stage,
    watch,
};
use solod::data::rng::Rng;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Commands that are told with a fault: the last ones of the client that saw it.
const TOLD: usize = 60;

/// Why a client leaves its connection.
struct Gone;

fn one_in(rng: &mut Rng, n: u64) -> bool {
    rng.below(n) == 0
}

fn connect(stage: &Stage, address: SocketAddr) -> Option<Conn> {
    stage.connections.fetch_add(1, Relaxed);
    let conn = Conn::try_tcp(address).ok();
    if conn.is_none() {
        // It is being started again.
        std::thread::sleep(Duration::from_millis(10));
    }
    conn
}

/// What every kind of client does: sessions until the run is over.
pub fn run(stage: &Stage, session: impl FnMut(&Stage)) {
    let mut session = session;
    while !stage.is_stopped() {
        session(stage);
    }
}

/// Sends batches and reads what they are answered.
pub struct Talker {
    rng: Rng,
    generator: Generator,
    /// Whether it also talks to replicas.
    roams: bool,
    batches: u64,
    last: VecDeque<String>,
}

impl Talker {
    pub fn new(seed: u64, roams: bool) -> Self {
        let generator = Generator::new(seed, commands::PROFILE);
        Self { rng: Rng::new(!seed), generator, roams, batches: 0, last: VecDeque::new() }
    }

    pub fn session(&mut self, stage: &Stage) {
        let address = if self.roams { stage.any(self.rng.below(4)) } else { stage.primary() };
        let Some(mut conn) = connect(stage, address) else { return };
        let protocol = 2 + self.rng.below(2);
        self.last.push_back(format!("(a connection to {address}, RESP{protocol})"));
        let mut greeting = Some(protocol);
        while !stage.is_stopped() && !one_in(&mut self.rng, 50) {
            let _turn = stage.turn();
            if self.batch(stage, &mut conn, address, greeting.take(), protocol).is_err() {
                return;
            }
        }
    }

    /// Adds a command to a batch.
    fn add(&mut self, batch: &mut Vec<u8>, args: &[Vec<u8>]) {
        while self.last.len() >= TOLD {
            self.last.pop_front();
        }
        let words = args.iter().map(|arg| format!("\"{}\"", arg.escape_ascii()));
        self.last.push_back(words.collect::<Vec<_>>().join(" "));
        batch.extend(Conn::encode(args));
    }

    fn add_line(&mut self, batch: &mut Vec<u8>, line: &str) {
        self.add(batch, &line.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
    }

    /// A random command; whether the client knows what comes behind it. `queues` says that it may be queued by a MULTI.
    fn add_any(&mut self, batch: &mut Vec<u8>, queues: &mut bool) -> bool {
        let mut call = self.generator.next();
        // CLIENT REPLY takes replies out of EXEC's array, which announces them all the same: as in Redis, nobody can read on. PFCOUNT keeps its estimate in
        // the value: that of a replica would be another than the primary's.
        while *queues && call.name == "client reply" || self.roams && call.name == "pfcount" {
            call = self.generator.next();
        }
        *queues |= call.name == "multi";
        self.add(batch, &call.args);
        !commands::unsettles(&call.name)
    }

    fn batch(&mut self, stage: &Stage, conn: &mut Conn, address: SocketAddr, greeting: Option<u64>, protocol: u64) -> Result<(), Gone> {
        let (mut batch, mut settled) = (Vec::new(), true);
        if let Some(protocol) = greeting {
            self.add_line(&mut batch, &format!("HELLO {protocol}"));
        }
        let count = match self.rng.below(20) {
            0 => self.rng.below(200),
            1..=9 => 1,
            _ => 1 + self.rng.below(20),
        };
        let transaction = one_in(&mut self.rng, 8);
        let mut queues = transaction;
        if transaction {
            if one_in(&mut self.rng, 2) {
                let key = String::from_utf8(self.generator.key()).unwrap();
                self.add_line(&mut batch, &format!("WATCH {key}"));
            }
            self.add_line(&mut batch, "MULTI");
        }
        for _ in 0..count {
            settled &= self.add_any(&mut batch, &mut queues);
        }
        if transaction {
            let end = if one_in(&mut self.rng, 6) { "DISCARD" } else { "EXEC" };
            self.add_line(&mut batch, end);
        }
        stage.commands.fetch_add(count, Relaxed);
        if one_in(&mut self.rng, 150) {
            // Gone in the middle, mostly of a command.
            let len = self.rng.below(batch.len() as u64 + 1) as usize;
            let _ = conn.try_send(&batch[..len]);
            return Err(Gone);
        }
        if !settled {
            self.add_line(&mut batch, "RESET");
            self.add_line(&mut batch, &format!("HELLO {protocol}"));
        }
        self.batches += 1;
        let end = format!("end-of-batch-{}", self.batches).into_bytes();
        batch.extend(Conn::encode(&[b"ECHO", &end[..]]));
        conn.try_send(&batch).map_err(|_| Gone)?;
        let end = Value::Bulk(end);
        loop {
            let reply = match conn.next_reply() {
                Ok(reply) => reply,
                Err(Silence::Closed) => return Err(Gone),
                Err(Silence::TimedOut) => {
                    let clients = match watch::ask(address, "CLIENT LIST", PATIENCE) {
                        Some(Value::Bulk(text)) => String::from_utf8_lossy(&text).into_owned(),
                        other => format!("{other:?}"),
                    };
                    let port = conn.local_port();
                    stage.fault(format!(
                        "no answer from {} to port {port}, and CLIENT LIST there says\n{clients}after\n{}",
                        address,
                        self.told()
                    ));
                    return Err(Gone);
                }
            };
            if reply == end {
                return Ok(());
            }
            if let Some(error) = commands::wrong_error(&reply) {
                stage.fault(format!("{error}\n{}", self.told()));
                return Err(Gone);
            }
        }
    }

    fn told(&self) -> String {
        self.last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// Sends and never reads, until it is thrown out or has had enough.
pub struct Mute {
    rng: Rng,
    generator: Generator,
}

impl Mute {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(!seed), generator: Generator::new(seed, commands::PROFILE) }
    }

    pub fn session(&mut self, stage: &Stage) {
        let Some(mut conn) = connect(stage, stage.primary()) else { return };
        conn.set_write_timeout(Duration::from_millis(20));
        for _ in 0..self.rng.below(200) {
            let _turn = stage.turn();
            let mut batch = Vec::new();
            for _ in 0..50 {
                let call = self.generator.next();
                batch.extend(Conn::encode(&call.args));
            }
            stage.commands.fetch_add(50, Relaxed);
            if conn.try_send(&batch).is_err() {
                break;
            }
        }
        wait(stage, self.rng.below(500));
    }
}

/// Waits, but not beyond the end.
fn wait(stage: &Stage, ms: u64) {
    let until = Instant::now() + Duration::from_millis(ms);
    while Instant::now() < until && !stage.is_stopped() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Subscribes, or monitors, and reads for a while, or does not.
pub struct Listener(pub Rng);

impl Listener {
    pub fn session(&mut self, stage: &Stage) {
        let rng = &mut self.0;
        let lines =
            ["SUBSCRIBE m1 m2 m3 5 __keyevent@0__:del", "PSUBSCRIBE m* *", "PSUBSCRIBE __key*__:*", "SSUBSCRIBE m1 m2 m3 7", "MONITOR"];
        let Some(mut conn) = connect(stage, stage.any(rng.below(4))) else { return };
        let hello = ["HELLO", if one_in(rng, 2) { "2" } else { "3" }];
        let listen: Vec<_> = lines[rng.below(5) as usize].split(' ').collect();
        if conn.try_send(&[Conn::encode(&hello), Conn::encode(&listen)].concat()).is_err() {
            return;
        }
        if one_in(rng, 3) {
            return wait(stage, rng.below(2000));
        }
        conn.set_read_timeout(Duration::from_millis(50));
        let until = Instant::now() + Duration::from_millis(rng.below(2000));
        while Instant::now() < until && !stage.is_stopped() {
            match conn.next_reply() {
                // A push that was cut by the timeout would be read from its middle: the connection is left.
                Err(_) => return,
                Ok(reply) => {
                    if let Some(error) = commands::wrong_error(&reply) {
                        stage.fault(format!("{error}, to {listen:?}"));
                    }
                }
            }
        }
    }
}

/// Sends what is no protocol, or the beginning of something that never comes.
pub struct Rascal(pub Rng);

impl Rascal {
    pub fn session(&mut self, stage: &Stage) {
        let rng = &mut self.0;
        let Some(mut conn) = connect(stage, stage.primary()) else { return };
        let noise: Vec<u8> = (0..rng.below(3000)).map(|_| rng.next_u64() as u8).collect();
        let bytes: Vec<u8> = match rng.below(8) {
            0 => noise,
            1 => b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\n".iter().copied().chain(noise).collect(),
            2 => [b"*1000000\r\n".to_vec(), b"$1\r\nx\r\n".repeat(noise.len())].concat(),
            3 => b"*1\r\n$-5\r\n".to_vec(),
            4 => b"*-3\r\nGET \"x\r\n".to_vec(),
            5 => b"POST / HTTP/1.1\r\nHost: x\r\n\r\nPING\r\n".to_vec(),
            6 => [b"GET ".to_vec(), vec![b'k'; 70_000]].concat(),
            _ => b"*2\r\n$4\r\nPING\r\n".to_vec(),
        };
        {
            let _turn = stage.turn();
            let _ = conn.try_send(&bytes);
        }
        wait(stage, rng.below(200));
    }
}
