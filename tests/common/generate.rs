//! Random commands, made from the table of commands and the notation of their arguments: for `tests/differential` and `tests/soak`.

use solod::{
    commands::{
        Command, TABLE,
        command::Group,
        flags,
        syntax::{self, Argument, ArgumentKind},
    },
    data::rng::Rng,
};

/// The groups of commands that are about data.
pub const DATA: [Group; 10] = [
    Group::Generic,
    Group::String,
    Group::List,
    Group::Set,
    Group::SortedSet,
    Group::Hash,
    Group::Bitmap,
    Group::HyperLogLog,
    Group::Geo,
    Group::Stream,
];

/// A command with its arguments.
pub struct Call {
    /// Its name with its subcommand's.
    pub name: String,
    /// What is sent.
    pub args: Vec<Vec<u8>>,
    /// The order of the reply's elements means nothing.
    pub unordered: bool,
}

/// What a run makes of the table.
#[derive(Clone, Copy)]
pub struct Profile {
    /// How often a command (its row, and its name with its subcommand's) is taken, beside the others; 0 leaves it out.
    pub weight: fn(&Command, &str) -> u64,
    /// Options that are left out, by command. Of GEOSEARCH, what is left says where from, too.
    pub without: &'static [(&'static str, &'static str)],
    /// How many keys there are of each prefix, numbered from 0.
    pub keys_each: u64,
    /// SCAN and its like see everything in one step.
    pub whole_scans: bool,
    /// XREAD may be asked for the last entry.
    pub newer_ids: bool,
}

/// What the names of sorted sets begin with whose members all have the same score.
const EQUAL: u8 = b'x';

/// What the names of keys begin with; a number follows.
pub const KEY_PREFIXES: &[u8] = &[b's', b'l', b'h', b'z', b't', b'g', b'p', STREAM, EQUAL];

/// Places that many members share: at corners, edges and in towns. No two are on one meridian, where 7.0 and 7.2 reckon differently.
const PLACES: &[(&str, &str)] = &[
    ("0", "0"),
    ("180", "85.05112878"),
    ("-180", "-85.05112878"),
    ("179.99", "10"),
    ("-179.99", "10.01"),
    ("12.5", "85"),
    ("-77.25", "-84.9"),
    ("13.361389", "38.115556"),
    ("15.087269", "37.502669"),
    ("15.5", "37.5"),
    ("-1e1", "66.5"),
    ("-122.4194", "37.7749"),
];
/// What the names of streams begin with.
const STREAM: u8 = b'e';

/// Entries of streams that are given IDs of one millisecond.
const ENTRIES_EACH_MS: u64 = 8;

struct Known {
    name: String,
    words: Vec<Vec<u8>>,
    group: Group,
    arguments: Vec<Argument>,
    unordered: bool,
    waits: bool,
    /// How often it is taken.
    weight: u64,
}

/// Makes calls from a seed.
pub struct Generator {
    rng: Rng,
    profile: Profile,
    commands: Vec<Known>,
    weights: u64,
    /// Entries of streams that were given an ID.
    added: u64,
}

impl Generator {
    pub fn new(seed: u64, profile: Profile) -> Self {
        let mut commands = Vec::new();
        for command in TABLE.iter().flat_map(|rows| rows.iter()) {
            if command.subcommands.is_empty() {
                commands.extend(known(command, command.name.to_owned(), &profile));
            }
            for sub in command.subcommands {
                commands.extend(known(sub, format!("{} {}", command.name, sub.name), &profile));
            }
        }
        assert!(commands.len() > 20, "the table is there");
        let weights = commands.iter().map(|c| c.weight).sum();
        Self { rng: Rng::new(seed), profile, commands, weights, added: 0 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub fn next(&mut self) -> Call {
        if self.one_in(60) {
            return self.equal_scores();
        }
        let mut chosen = self.below(self.weights);
        let index = self.commands.iter().position(|c| match chosen.checked_sub(c.weight) {
            Some(rest) => {
                chosen = rest;
                false
            }
            None => true,
        });
        let index = index.unwrap_or(0);
        let known = &self.commands[index];
        // A mistake could make it wait for long.
        let mut waits = known.waits;
        let (name, group, unordered, words) = (known.name.clone(), known.group, known.unordered, known.words.clone());
        let arguments = known.arguments.clone();
        let mut maker = Maker { generator: self, group, name: &name, args: words.clone(), numkeys: None, latitude: Vec::new() };
        arguments.iter().for_each(|argument| maker.argument(argument));
        let mut args = maker.args;
        waits |= args.iter().any(|arg| arg == b"BLOCK");
        if name.starts_with("sort") && args.iter().any(|arg| arg == b"BY") {
            // Equal words leave the order to the sorting algorithm; equal numbers do not.
            args.retain(|arg| arg != b"ALPHA");
        }
        if name.contains("lex") || args.iter().any(|arg| arg == b"BYLEX") {
            // Whatever a key is named after: RENAME may have put a sorted set of many scores there.
            let is_key = |arg: &&mut Vec<u8>| arg.len() > 1 && KEY_PREFIXES.contains(&arg[0]) && arg[1..].iter().all(u8::is_ascii_digit);
            args.iter_mut().filter(is_key).for_each(|key| key[0] = EQUAL);
        } else if self.one_in(25) && !name.ends_with("rank") && !name.ends_with("scan") && !waits {
            self.spoil(&mut args, words.len());
        }
        Call { name, args, unordered }
    }

    /// Adds to a sorted set whose members all have one score: only there does a range by member mean something.
    fn equal_scores(&mut self) -> Call {
        let (mut args, name) = (vec![b"zadd".to_vec(), self.key_of(EQUAL)], "zadd".to_owned());
        for _ in 0..=self.below(12) {
            args.extend([b"0".to_vec(), self.text()]);
        }
        Call { name, args, unordered: false }
    }

    /// Makes a mistake, most likely.
    fn spoil(&mut self, args: &mut Vec<Vec<u8>>, fixed: usize) {
        let at = fixed + self.below((args.len() - fixed + 1) as u64) as usize;
        match self.below(3) {
            0 if at < args.len() => drop(args.remove(at)),
            1 if at < args.len() => args[at] = self.text(),
            _ => {
                let text = self.text();
                args.insert(at, text);
            }
        }
    }

    /// A key of any type.
    pub fn key(&mut self) -> Vec<u8> {
        let prefix = self.pick(b"slhztgpe");
        self.key_of(prefix)
    }

    fn key_of(&mut self, prefix: u8) -> Vec<u8> {
        format!("{}{}", char::from(prefix), self.below(self.profile.keys_each)).into_bytes()
    }

    /// A string, a field, a member.
    fn text(&mut self) -> Vec<u8> {
        match self.below(40) {
            0 => Vec::new(),
            1 => vec![b'x'; 70],
            2 => b"\xff binary \r\n".to_vec(),
            3 => self
                .pick(&["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e3", "0x10", " 1", "+1", "-0", "007"])
                .into(),
            4 => self.double(),
            5..=14 => (self.below(60) as i64 - 20).to_string().into_bytes(),
            15..=17 => (self.below(200_000) as i64 * 50_021 - 5_000_000).to_string().into_bytes(),
            _ => format!("m{}", self.below(40)).into_bytes(),
        }
    }

    /// About the moment of the last entries that were given an ID.
    fn stream_ms(&mut self) -> u64 {
        (self.added / ENTRIES_EACH_MS + 3).saturating_sub(self.below(40))
    }

    /// An ID that a stream may have.
    fn stream_id(&mut self) -> Vec<u8> {
        let ms = self.stream_ms();
        match self.below(30) {
            0 => self
                .pick(&["-", "+", "$", "x", "", "1-", "-1", "18446744073709551615-18446744073709551615", "18446744073709551615", "007-1"])
                .into(),
            1..=4 => ms.to_string().into_bytes(),
            _ => format!("{ms}-{}", self.below(ENTRIES_EACH_MS)).into_bytes(),
        }
    }

    /// An ID for a new entry: behind the last one, as a rule.
    fn new_stream_id(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => self.stream_id(),
            1..=3 => format!("{}-*", self.stream_ms()).into_bytes(),
            _ => {
                self.added += 1;
                format!("{}-{}", self.added / ENTRIES_EACH_MS, self.added % ENTRIES_EACH_MS).into_bytes()
            }
        }
    }

    fn integer(&mut self) -> Vec<u8> {
        match self.below(60) {
            0 => self.pick(&["9223372036854775807", "-9223372036854775807", "9223372036854775808", "x", "", "1.5", " 1", "-0"]).into(),
            1..=9 => (-(self.below(6) as i64)).to_string().into_bytes(),
            _ => self.below(12).to_string().into_bytes(),
        }
    }

    fn double(&mut self) -> Vec<u8> {
        match self.below(16) {
            0 => self.pick(&["inf", "-inf", "+inf", "nan", "x", "", "1e400", "12e2", "-0", "4.9e-324", "1.7976931348623157e308"]).into(),
            1..=4 => format!("{}.{}", self.below(9), self.pick(&["25", "5", "75", "1", "3", "07"])).into_bytes(),
            5 | 6 => {
                let (sign, digits, exponent) = (self.pick(&["", "-"]), self.rng.next_u64() >> 11, self.below(40) as i64 - 30);
                format!("{sign}{}.{}e{exponent}", digits % 10, digits / 10).into_bytes()
            }
            _ => (self.below(30) as i64 - 10).to_string().into_bytes(),
        }
    }

    /// A longitude and a latitude.
    fn place(&mut self) -> (Vec<u8>, Vec<u8>) {
        let fine = |generator: &mut Self, from: f64, width: f64| from + width * generator.below(1 << 40) as f64 / (1u64 << 40) as f64;
        let (longitude, latitude) = match self.below(12) {
            0 => {
                let both = self.double();
                (both.clone(), both)
            }
            1..=4 => {
                let (longitude, latitude) = self.pick(PLACES);
                (longitude.into(), latitude.into())
            }
            5..=8 => (fine(self, 12.0, 5.0).to_string().into_bytes(), fine(self, 36.0, 3.0).to_string().into_bytes()),
            _ => (fine(self, -180.0, 360.0).to_string().into_bytes(), fine(self, -85.0, 170.0).to_string().into_bytes()),
        };
        (longitude, latitude)
    }

    /// A radius, a width or a height, in whatever unit.
    fn length(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 => self.double(),
            1 => self.pick(&["0", "-1", "1e300", "x", "40000", "20000000"]).into(),
            2..=4 => self.below(10_000_000).to_string().into_bytes(),
            5..=7 => self.below(6_000).to_string().into_bytes(),
            _ => format!("{}.{}", self.below(400), self.below(1000)).into_bytes(),
        }
    }

    fn pattern(&mut self) -> Vec<u8> {
        self.pick(&["*", "m*", "m1?", "[lh]*", "?1", "", "m[^2-9]", "*1*"]).into()
    }
}

fn known(command: &'static Command, name: String, profile: &Profile) -> Option<Known> {
    let weight = (profile.weight)(command, &name);
    if weight == 0 {
        return None;
    }
    let mut arguments = syntax::parse(command.args, command.keys.len()).expect("the table's notation is tested");
    for (_, token) in profile.without.iter().filter(|(of, _)| *of == name) {
        leave_out(&mut arguments, token);
        // Without a polygon, a search begins somewhere.
        arguments.iter_mut().filter(|a| a.name == "from").for_each(|from| from.optional = false);
    }
    let whole = arguments.iter_mut().filter(|a| profile.whole_scans && name.ends_with("scan") && a.token == Some("COUNT"));
    whole.for_each(|count| count.optional = false);
    Some(Known {
        words: name.split(' ').map(|word| word.as_bytes().to_vec()).collect(),
        unordered: command.tips.contains(&"nondeterministic_output_order"),
        // Of a stream's commands those wait that have been given BLOCK.
        waits: command.flags & flags::BLOCKING != 0 && command.group != Group::Stream || command.args.contains("timeout:"),
        group: command.group,
        arguments,
        name,
        weight,
    })
}

/// Takes out the argument with this token or name, and what consists of nothing without it.
fn leave_out(arguments: &mut Vec<Argument>, token: &str) {
    arguments.retain(|a| a.token != Some(token) && a.name != token);
    arguments.retain_mut(|a| {
        let held = a.arguments.len();
        leave_out(&mut a.arguments, token);
        // Of a block all is needed.
        a.arguments.len() == held || a.kind == ArgumentKind::OneOf && !a.arguments.is_empty()
    });
}

/// Fills in one command's arguments.
struct Maker<'a> {
    generator: &'a mut Generator,
    group: Group,
    name: &'a str,
    args: Vec<Vec<u8>>,
    /// What was said of how many keys follow.
    numkeys: Option<u64>,
    /// Of the place whose longitude was given.
    latitude: Vec<u8>,
}

impl Maker<'_> {
    fn argument(&mut self, argument: &Argument) {
        if argument.name == "streams" {
            return self.streams();
        }
        if argument.optional && !self.generator.one_in(3) {
            return;
        }
        let times = match argument.multiple {
            false => 1,
            true if argument.kind == ArgumentKind::Key && self.numkeys.is_some() || argument.name == "weight" => self.numkeys.unwrap_or(1),
            true => {
                let most = if self.generator.one_in(8) { 40 } else { 4 };
                1 + self.generator.below(most)
            }
        };
        for turn in 0..times {
            if let Some(token) = argument.token
                && (turn == 0 || argument.multiple_token)
            {
                self.args.push(token.as_bytes().to_vec());
            }
            self.value(argument);
        }
    }

    /// Keys, and as many IDs.
    fn streams(&mut self) {
        self.args.push(b"STREAMS".to_vec());
        let most = if self.generator.one_in(3) { 3 } else { 1 };
        let count = 1 + self.generator.below(most);
        for _ in 0..count {
            let key = self.key();
            self.args.push(key);
        }
        for _ in 0..count {
            let special: &[u8] = if self.name == "xreadgroup" { b">" } else { b"$" };
            let mut id = if self.generator.one_in(2) { special.to_vec() } else { self.generator.stream_id() };
            if id == b"+" && self.name.starts_with("xread") && !self.generator.profile.newer_ids {
                id = b"0".to_vec();
            }
            self.args.push(id);
        }
    }

    /// What a stream's commands call by names of their own.
    fn of_stream(&mut self, argument: &Argument) -> Option<Vec<u8>> {
        let generator = &mut *self.generator;
        Some(match argument.name.as_str() {
            "group" => generator.pick(&["g1", "g1", "g1", "g2", "g3"]).into(),
            "consumer" => generator.pick(&["c1", "c2", "c3", "c4"]).into(),
            // A clock that passes answers otherwise: what is idle for so long is never in doubt.
            "min-idle-time" | "ms" => generator.pick(&["0", "0", "0", "1000000000", "x"]).into(),
            "threshold" if self.args.iter().any(|arg| arg == b"MAXLEN") => generator.below(40).to_string().into_bytes(),
            "id" if self.name == "xadd" => generator.new_stream_id(),
            "start" | "end" if generator.one_in(2) => generator.pick(&["-", "+"]).into(),
            "start" | "end" if generator.one_in(6) => [b"(".to_vec(), generator.stream_id()].concat(),
            "ID" | "id" | "threshold" | "start" | "end" | "lastid" => generator.stream_id(),
            "last-id" | "max-deleted-id" => generator.stream_id(),
            "unix-time-milliseconds" => generator.pick(&["1", "1000", "0", "99999999999999"]).into(),
            "entries-read" | "entriesread" | "entries-added" => generator.pick(&["0", "1", "5", "20", "-1", "100"]).into(),
            "count" => generator.pick(&["1", "2", "3", "10", "100", "0", "-1", "x"]).into(),
            "milliseconds" => generator.pick(&["1", "1", "1", "-1", "x"]).into(),
            _ => return None,
        })
    }

    fn value(&mut self, argument: &Argument) {
        use ArgumentKind::{Block, Key, OneOf, PureToken};
        let is_value = !matches!(argument.kind, Block | Key | OneOf | PureToken);
        if is_value
            && self.group == Group::Stream
            && let Some(value) = self.of_stream(argument)
        {
            return self.args.push(value);
        }
        let generator = &mut *self.generator;
        let value = match argument.kind {
            ArgumentKind::PureToken => return,
            ArgumentKind::OneOf => {
                let index = generator.below(argument.arguments.len() as u64) as usize;
                let mut chosen = argument.arguments[index].clone();
                chosen.optional = false;
                return self.argument(&chosen);
            }
            ArgumentKind::Block => return argument.arguments.iter().for_each(|a| self.argument(a)),
            ArgumentKind::Key => self.key(),
            ArgumentKind::Pattern if self.name.starts_with("sort") => {
                generator.pick(&["s*", "h*->m1", "*", "nothing", "#", "h0->*"]).into()
            }
            ArgumentKind::Pattern => generator.pattern(),
            ArgumentKind::Double if argument.name == "timeout" => b"0.001".to_vec(),
            ArgumentKind::Double if argument.name == "longitude" => {
                let (longitude, latitude) = generator.place();
                self.latitude = latitude;
                longitude
            }
            ArgumentKind::Double if argument.name == "latitude" => std::mem::take(&mut self.latitude),
            ArgumentKind::Double if self.group == Group::Geo => generator.length(),
            ArgumentKind::Double => generator.double(),
            ArgumentKind::UnixTime => generator.pick(&["1", "0", "4102444800", "4102444800000", "-5"]).into(),
            ArgumentKind::Integer => match argument.name.as_str() {
                "cursor" => b"0".to_vec(),
                // A negative one is answered with as many elements as it says.
                "count" if self.name.contains("rand") => (generator.below(50) as i64 - 25).to_string().into_bytes(),
                "count" if self.name.ends_with("scan") && generator.profile.whole_scans => b"100000".to_vec(),
                // Milliseconds.
                "timeout" => generator.pick(&["1", "5", "20"]).into(),
                "protover" => generator.pick(&["2", "3", "3", "4"]).into(),
                "db" | "destination-db" | "index" if self.group == Group::Generic => generator.pick(&["0", "0", "1"]).into(),
                // Up to how many corners follow mostly.
                "num-vertices" => (3 + generator.below(2)).to_string().into_bytes(),
                "numkeys" => {
                    let n = 1 + generator.below(3);
                    self.numkeys = Some(n);
                    n.to_string().into_bytes()
                }
                // Long enough for the test, or over.
                "seconds" | "milliseconds" if !self.name.starts_with("object") => {
                    generator.pick(&["100000", "100000000", "0", "-1", "9223372036854775807"]).into()
                }
                "offset" if self.group == Group::Bitmap => self.bit(),
                "bit" | "value" if self.group == Group::Bitmap && !self.name.starts_with("bitfield") => {
                    generator.pick(&["0", "1", "0", "1", "0", "1", "2"]).into()
                }
                "value" | "increment" if self.group == Group::Bitmap => self.wide_integer(),
                "start" | "end" if self.group == Group::Bitmap => (generator.below(80) as i64 - 25).to_string().into_bytes(),
                // Scores that large are written otherwise, as all doubles are.
                "increment" | "weight" if self.group == Group::SortedSet => generator.double(),
                _ => generator.integer(),
            },
            ArgumentKind::String
                if matches!(argument.name.as_str(), "min" | "max" | "start" | "stop") && self.group == Group::SortedSet =>
            {
                self.bound()
            }
            ArgumentKind::String if argument.name == "encoding" => {
                let signed = generator.one_in(2);
                let width = if generator.one_in(2) { generator.pick(&[1, 2, 5, 8, 16, 62, 63]) } else { 1 + generator.below(64) };
                format!("{}{width}", if signed { 'i' } else { 'u' }).into_bytes()
            }
            ArgumentKind::String if argument.name == "subcommand" && self.group == Group::HyperLogLog => {
                generator.pick(&["ENCODING", "DECODE", "DECODE", "TODENSE", "GETREG", "x"]).into()
            }
            ArgumentKind::String if argument.name == "type" => generator.pick(&["string", "list", "set", "zset", "hash", "stream"]).into(),
            ArgumentKind::String => generator.text(),
        };
        self.args.push(value);
    }

    fn key(&mut self) -> Vec<u8> {
        if self.name.starts_with("sort") {
            // Redis makes a skip list of a sorted set that it sorts, for good: of those that are not looked at for it.
            let prefix = self.generator.pick(b"lltxlltxsh");
            return self.generator.key_of(prefix);
        }
        if self.generator.one_in(12) {
            return self.generator.key();
        }
        let prefix = match self.group {
            Group::List => b'l',
            Group::Set => b't',
            Group::SortedSet => b'z',
            Group::Hash => b'h',
            // What a HyperLogLog looks like when bits of it change, and bitmaps that are numbers, are worth a look.
            Group::String => self.generator.pick(b"ssssssssp"),
            Group::Bitmap => self.generator.pick(b"ssssssp"),
            Group::HyperLogLog => b'p',
            Group::Geo => b'g',
            Group::Stream => STREAM,
            _ => self.generator.pick(b"slhztgpe"),
        };
        self.generator.key_of(prefix)
    }

    /// A bit's place: near the beginning, mostly.
    fn bit(&mut self) -> Vec<u8> {
        let generator = &mut *self.generator;
        let bit = match generator.below(60) {
            0 => generator.below(400_000),
            1..=4 => generator.below(40_000),
            _ => generator.below(300),
        };
        let counted = self.name.starts_with("bitfield") && generator.one_in(3);
        if counted { format!("#{}", bit / 16) } else { bit.to_string() }.into_bytes()
    }

    /// An integer of any size.
    fn wide_integer(&mut self) -> Vec<u8> {
        let generator = &mut *self.generator;
        match generator.below(10) {
            0 => generator.pick(&["9223372036854775807", "-9223372036854775808", "-4611686018427387905", "9223372036854775808"]).into(),
            1..=4 => {
                let bits = generator.below(64);
                ((generator.rng.next_u64() as i64) >> bits).to_string().into_bytes()
            }
            _ => (generator.below(600) as i64 - 300).to_string().into_bytes(),
        }
    }

    /// An end of a range, by rank, score or member.
    fn bound(&mut self) -> Vec<u8> {
        let generator = &mut *self.generator;
        let by_member = self.name.contains("lex");
        let by_score = self.name.contains("score") || self.name == "zcount";
        if by_score {
            return match generator.below(10) {
                0 => b"-inf".to_vec(),
                1 => b"+inf".to_vec(),
                2..=4 => [b"(".to_vec(), generator.double()].concat(),
                _ => generator.double(),
            };
        }
        if by_member {
            return match generator.below(10) {
                0 | 1 => b"-".to_vec(),
                2 | 3 => b"+".to_vec(),
                4..=6 => [b"[".to_vec(), generator.text()].concat(),
                _ => [b"(".to_vec(), generator.text()].concat(),
            };
        }
        if generator.one_in(2) { generator.pick(&["-", "+", "[m2", "(3", "-inf", "+inf", "(m3"]).into() } else { generator.integer() }
    }
}
