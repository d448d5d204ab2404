//! Scripts over generated values: what `cjson`, `cmsgpack`, `struct`, `bit` and `string` make of them, their errors included, and what
//! commands answer inside a script.

use crate::{
    common::{Conn, Server, Value},
    compare::Chance,
    generate::Generator,
};
use solod::data::rng::Rng;
use std::path::Path;

/// In front of every script: a value as a text that says all about it, fields in the order of their names.
const SHOW: &str = "\
local function show(v, depth)
  local t = type(v)
  if v == cjson.null then return 'null' end
  if t == 'number' then return string.format('%.17g', v) end
  if t == 'string' then return string.format('%q', v) end
  if t ~= 'table' then return tostring(v) end
  if depth > 8 then return '...' end
  local parts = {}
  for k, e in pairs(v) do parts[#parts + 1] = show(k, depth + 1) .. '=' .. show(e, depth + 1) end
  table.sort(parts)
  return '{' .. table.concat(parts, ',') .. '}'
end
local function all(...)
  local parts = {}
  for i = 1, select('#', ...) do parts[i] = show((select(i, ...)), 0) end
  return table.concat(parts, ' ')
end
";

/// Behind every script: the settings of `cjson` outlive it.
const RESET: &str = "
cjson.encode_sparse_array(false, 2, 10) cjson.encode_max_depth(1000) cjson.decode_max_depth(1000)
cjson.encode_number_precision(14) cjson.encode_keep_buffer(true)
cjson.encode_invalid_numbers(false) cjson.decode_invalid_numbers(true)
return result";

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "10",
    "-32",
    "-33",
    "127",
    "128",
    "255",
    "256",
    "-128",
    "-129",
    "65535",
    "65536",
    "2^31",
    "2^31-1",
    "-2^31",
    "2^32",
    "2^32-1",
    "2^53",
    "2^53+2",
    "2^63",
    "-2^63",
    "2^64",
    "0.5",
    "0.1",
    "1/3",
    "-1.5",
    "1e14",
    "1e15",
    "123456789012345",
    "1e100",
    "1e-5",
    "0.0001",
    "5e-324",
    "1.7976931348623157e308",
    "1/0",
    "-1/0",
    "0/0",
    "-0",
    "3.14159265358979",
];

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"b\\n\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\udc00\"",
    "\"\\x\"",
    "\"",
    "1",
    "-1",
    "0.5",
    "1e3",
    "1E+400",
    "01",
    "0x1F",
    "0x1.8p3",
    "-",
    "+1",
    "inf",
    "-Infinity",
    "nan",
    "NaN(1)",
    "true",
    "false",
    "null",
    "nul",
    " ",
    "\t",
    "\n",
    "?",
    "\0",
];

const FORMATS: &[&str] = &[
    "b",
    "B",
    "h",
    "H",
    "i",
    "I",
    "l",
    "L",
    "T",
    "f",
    "d",
    "s",
    "x",
    " ",
    "<",
    ">",
    "!",
    "!1",
    "!2",
    "!4",
    "!3",
    "!16",
    "c",
    "c0",
    "c2",
    "c5",
    "i1",
    "I2",
    "i3",
    "I5",
    "i7",
    "i8",
    "I9",
    "i16",
    "I32",
    "i33",
    "i0",
    "I99999999999",
    "y",
    "=",
    "5",
];

const PATTERN: &[&str] = &[
    "a", "b", ".", "%a", "%d", "%s", "%w", "%S", "%p", "%x", "%z", "[ab]", "[^a]", "[a-c]", "[]]", "[%]]", "[a-]", "*", "+", "-", "?", "(",
    ")", "()", "^", "$", "%1", "%2", "%b()", "%bxy", "%f[%a]", "%f", "%", "[", "%%", "\\0",
];

const SETTINGS: &[&str] = &[
    "cjson.encode_sparse_array(true)",
    "cjson.encode_sparse_array(false, 0)",
    "cjson.encode_sparse_array(true, 1, 0)",
    "cjson.encode_sparse_array(nil, 3, 3)",
    "cjson.encode_sparse_array('on')",
    "cjson.encode_sparse_array(1)",
    "cjson.encode_sparse_array(true, -1)",
    "cjson.encode_max_depth(2)",
    "cjson.encode_max_depth(0)",
    "cjson.decode_max_depth(2)",
    "cjson.decode_max_depth('3')",
    "cjson.decode_max_depth({})",
    "cjson.encode_number_precision(3)",
    "cjson.encode_number_precision(1)",
    "cjson.encode_number_precision(15)",
    "cjson.encode_keep_buffer(false)",
    "cjson.encode_keep_buffer('maybe')",
    "cjson.encode_invalid_numbers(true)",
    "cjson.encode_invalid_numbers('null')",
    "cjson.encode_invalid_numbers('off')",
    "cjson.decode_invalid_numbers(false)",
    "cjson.decode_invalid_numbers(true, 1)",
];

/// Expressions over Lua's own functions: `#` is a number, `@` a string, `~` a table of them, `?` anything.
const LUA: &[&str] = &[
    "(function() local t = ~ table.sort(t) return t end)()",
    "(function() local t = ~ table.sort(t, function(a, b) return #a < #b end) return t end)()",
    "(function() local t = ~ table.sort(t, function(a, b) return a > b end) return t end)()",
    "(function() local t = ~ table.sort(t, function() return true end) return t end)()",
    "(function() local t = {#,#,#,#,#,#,#,#,#,#,#,#} table.sort(t, function(a, b) return a < b end) return t end)()",
    "(function() local t = {#,#,#,#,#,#,#,#,#} table.sort(t) return t end)()",
    "(function() local t = {'a1','b1','a2','c1','b2','a3','c2','b3'} table.sort(t, function(a, b) return a:sub(1,1) < b:sub(1,1) end) return t end)()",
    "(function() local t = ~ table.insert(t, ?) return t end)()",
    "(function() local t = ~ table.insert(t, %d, ?) return t end)()",
    "(function() local t = ~ table.insert(t) return t end)()",
    "(function() local t = ~ return table.remove(t, %d), t end)()",
    "(function() local t = ~ return table.remove(t), t, #t end)()",
    "table.concat(~, @)",
    "table.concat(~, @, %d, %d)",
    "table.concat({?, ?}, ',')",
    "table.maxn(~)",
    "table.getn(~)",
    "unpack(~)",
    "unpack(~, %d)",
    "unpack(~, %d, %d)",
    // With other bounds the reference crashes (CVE-2025-46817).
    "unpack({1,2,3}, %d, 2^31-2)",
    "select(%d, ?, ?, ?)",
    "select('#', unpack(~))",
    "tostring(#)",
    "tonumber(@)",
    "tonumber(?)",
    "tonumber('%d', %d)",
    "tonumber('1f', 16)",
    "string.format('%5.2f|%d|%s|%q', #, %d, @, @)",
    "string.format('%g %e %i %x %o %c', #, #, %d, %d, %d, 65)",
    "string.format('%10s|%-10s|%.3s', @, @, @)",
    "string.format('%d', #)",
    "string.format('%s', ?)",
    "string.format('%y', 1)",
    "string.format(@, #, #)",
    "string.sub(@, %d, %d)",
    "string.byte(@, %d, %d)",
    "string.char(%d, %d)",
    "string.lower(@) .. string.upper(@) .. string.reverse(@)",
    "#@",
    "# % #",
    "# ^ #",
    "# / #",
    "# < #",
    "@ < @",
    "@ .. #",
    "@ + #",
    "? == ?",
    "? < ?",
    "-?",
    "?()",
    "? .. ?",
    "math.floor(#) + math.ceil(#)",
    "math.fmod(#, #)",
    "math.max(#, #) - math.min(#, #)",
    "math.modf(#)",
    "math.frexp(#)",
    "math.huge",
    "next(~)",
    "type(next)",
    "rawequal(?, ?)",
    "rawget(~, %d)",
    "rawset(~, %d, ?)",
    "getmetatable(~)",
    "setmetatable(~, {__index = function() return 5 end}).none",
    "setmetatable(~, {__tostring = function() return 'shown' end})",
    "pcall(error, ?)",
    "pcall(error, {err = @})",
    "pcall(error, @, %d)",
    "pcall(@)",
    "xpcall(function() error(@) end, function(m) return m .. '!' end)",
    "assert(?, @)",
    "loadstring('return ' .. #)()",
    "loadstring(@)",
    "loadstring('x = ')",
    "string.dump",
    "coroutine.wrap(function(...) local x = coroutine.yield(...) return x end)(?)",
    "coroutine.resume(coroutine.create(function() error(@) end))",
    "redis.sha1hex(@)",
    "redis.sha1hex(?)",
    "redis.error_reply(@)",
    "redis.status_reply(@)",
    "redis.error_reply(?)",
    "redis.call()",
    "redis.pcall(?)",
    "redis.call('get', ?)",
    "redis.call(@)",
    "redis.setresp(%d)",
    "redis.log(%d, @)",
    "redis.log(?)",
    "redis.set_repl(%d)",
    "_G.string == string",
    "nothere",
    "rawset(_G, 'x', 1)",
    "rawset(string, 'x', 1)",
    "setmetatable(_G, {})",
    "redis.nothere",
    "string.nothere",
    "KEYS",
    "#ARGV",
];

/// Errors that a script ends with; the placeholders are those above. None is a table without a text: redis-server 7.0 crashes.
const ERRORS: &[&str] = &[
    "error(@)",
    "error({err = @})",
    "error({err = 'CODE text'})",
    "error(redis.error_reply(@))",
    "error(@, %d)",
    "return redis.error_reply(@)",
    "return redis.status_reply(@)",
    "return {err = @}",
    "return {ok = @}",
    "return {err = ?}",
    "return {ok = ?}",
    "return nothere",
    "return nil + 1",
    "global = 1",
    "string.x = 1",
    "return redis.call('nosuch')",
    "return redis.call('get')",
    "return redis.call('lpush', 's0')",
    "return redis.pcall('get')",
    "return redis.call(?)",
    "return (",
    "return '\\q'",
    "local function f() return f() + 1 end return f()",
];

/// Commands that scripts may not call before 7.2.
const BLOCKING: &[&str] = &["blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop"];

/// Commands that answer doubles.
const DOUBLES: &[&str] = &["zincrby", "zscore", "zmscore", "zpopmin", "zpopmax", "zmpop", "incrbyfloat", "hincrbyfloat"];

/// Functions of `bit`, and how many arguments they are given at most.
const BIT: &[(&str, u64)] = &[
    ("tobit", 1),
    ("tohex", 2),
    ("bnot", 1),
    ("bswap", 1),
    ("band", 4),
    ("bor", 4),
    ("bxor", 4),
    ("lshift", 2),
    ("rshift", 2),
    ("arshift", 2),
    ("rol", 2),
    ("ror", 2),
];

pub struct Scripts {
    rng: Rng,
    generator: Generator,
    ours: Conn,
    theirs: Conn,
    pub done: u64,
    pub failed: u64,
    pub differences: u64,
    /// How many differences there are before the run ends.
    allowed: u64,
    _servers: [Server; 2],
}

impl Scripts {
    pub fn start(seed: u64, generator: Generator) -> Self {
        let ours = Server::start(&[]);
        let theirs = Server::of(Path::new("redis-server"), &["--save", ""]);
        let (our_conn, their_conn) = (ours.connect(), theirs.connect());
        Self {
            rng: Rng::new(seed),
            generator,
            ours: our_conn,
            theirs: their_conn,
            done: 0,
            failed: 0,
            differences: 0,
            allowed: crate::setting("SOLOD_DIFF_SHOWN", 1),
            _servers: [ours, theirs],
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.rng.below(limit)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.rng.below(words.len() as u64) as usize]
    }

    fn several(&mut self, words: &[&str], max: u64) -> String {
        (0..self.below(max + 1)).map(|_| self.pick(words)).collect()
    }

    /// A string as Lua reads it.
    fn string(&mut self) -> String {
        let length = match self.below(12) {
            0 => self.below(300),
            _ => self.below(8),
        };
        let bytes: String = (0..length)
            .map(|_| match self.below(4) {
                0 => format!("\\{:03}", self.below(256)),
                1 => self.pick(&["\\\"", "/", "\\\\", "\\n", "(", ")", "1", "x"]).to_owned(),
                _ => char::from(b'a' + self.below(4) as u8).to_string(),
            })
            .collect();
        format!("\"{bytes}\"")
    }

    /// A name of a field. The reference has its own hash of names of 32 characters and more, and with it another order of fields.
    fn name(&mut self) -> String {
        loop {
            let name = self.string();
            if name.len() < 32 {
                return name;
            }
        }
    }

    /// An expression of any type.
    fn value(&mut self, depth: u64) -> String {
        match self.below(if depth == 0 { 8 } else { 12 }) {
            0..=2 => format!("({})", self.pick(NUMBERS)),
            3 | 4 => self.string(),
            5 => self.pick(&["true", "false"]).to_owned(),
            6 => self.pick(&["cjson.null", "nil", "'12'", "'0x10'", "' 5 '"]).to_owned(),
            7 => self.pick(&["tostring", "{}", "cjson.null", "coroutine.create(tostring)"]).to_owned(),
            8 | 9 => {
                let items: Vec<String> = (0..self.below(6)).map(|_| self.value(depth - 1)).collect();
                format!("{{{}}}", items.join(","))
            }
            10 => {
                let items: Vec<String> = (0..self.below(5)).map(|_| format!("[{}]={}", self.name(), self.value(depth - 1))).collect();
                format!("{{{}}}", items.join(","))
            }
            _ => {
                let key = self.pick(&["1", "2", "5", "11", "30", "1.5", "-1", "0", "2^31", "true", "'1'", "'2'"]);
                format!("{{[{key}]={},{}}}", self.value(depth - 1), self.value(depth - 1))
            }
        }
    }

    fn numbers(&mut self, count: u64) -> String {
        let numbers: Vec<String> = (0..count).map(|_| format!("({})", self.pick(NUMBERS))).collect();
        numbers.join(",")
    }

    fn bit(&mut self) -> String {
        let (name, most) = BIT[self.below(BIT.len() as u64) as usize];
        if name == "tohex" {
            // The least integer for the second argument is what crashed the reference (CVE-2024-31449).
            let count = self.pick(&["", ",4", ",-4", ",0", ",-8", ",100", ",2^31-1"]);
            return format!("bit.tohex({}{count})", self.numbers(1));
        }
        let count = self.below(most) + u64::from(self.below(20) != 0);
        match self.below(10) {
            0 => format!("bit.{name}({})", self.value(0)),
            _ => format!("bit.{name}({})", self.numbers(count)),
        }
    }

    fn structure(&mut self) -> String {
        let format = self.several(FORMATS, 6);
        match self.below(4) {
            0 => format!("struct.size('{format}')"),
            1 => format!("struct.unpack('{format}', ARGV[1]{})", self.pick(&["", ",1", ",2", ",0", ",-1", ",100", ",'3'"])),
            2 => {
                let values: Vec<String> = (0..self.below(6)).map(|_| self.value(0)).collect();
                let separator = if values.is_empty() { "" } else { "," };
                format!("struct.pack('{format}'{separator}{})", values.join(","))
            }
            _ => format!("struct.unpack('{format}', struct.pack('{format}', {}))", self.numbers(6)),
        }
    }

    fn json(&mut self) -> String {
        match self.below(4) {
            0 => format!("cjson.encode({})", self.value(3)),
            1 => "cjson.decode(ARGV[1])".to_owned(),
            2 => format!("cjson.decode(cjson.encode({}))", self.value(3)),
            _ => format!("{}, cjson.encode({}), cjson.decode(ARGV[1])", self.pick(SETTINGS), self.value(2)),
        }
    }

    fn messages(&mut self) -> String {
        let (limit, offset) = (self.below(5) as i64 - 1, self.below(6) as i64 - 1);
        match self.below(5) {
            0 => {
                let values: Vec<String> = (0..self.below(4)).map(|_| self.value(3)).collect();
                format!("cmsgpack.pack({})", values.join(","))
            }
            1 => "cmsgpack.unpack(ARGV[1])".to_owned(),
            2 => format!("cmsgpack.unpack_one(ARGV[1], {offset})"),
            3 => format!("cmsgpack.unpack_limit(ARGV[1], {limit}, {offset})"),
            _ => format!("cmsgpack.unpack(cmsgpack.pack({}))", self.value(3)),
        }
    }

    fn text(&mut self) -> String {
        let (subject, pattern) = (self.string(), self.several(PATTERN, 5));
        match self.below(6) {
            0 => format!("string.find({subject}, \"{pattern}\"{})", self.pick(&["", ",2", ",-2", ",100", ",1,true"])),
            1 => format!("string.match({subject}, \"{pattern}\"{})", self.pick(&["", ",2", ",-2", ",100"])),
            2 => {
                let replacement = self.several(&["a", "%0", "%1", "%2", "%%", "%", "x"], 3);
                format!("string.gsub({subject}, \"{pattern}\", \"{replacement}\"{})", self.pick(&["", ",1", ",0", ",-1"]))
            }
            3 => format!(
                "string.gsub({subject}, \"{pattern}\", {})",
                self.pick(&["string.upper", "{a='x',b=1,c=false,d={}}", "function() end", "12", "nil"])
            ),
            4 => format!(
                "(function() local r = {{}} for a, b in string.gmatch({subject}, \"{pattern}\") do r[#r+1] = a r[#r+1] = b end return r end)()"
            ),
            _ => format!("string.rep({subject}, {})", self.pick(&["0", "1", "3", "-1", "'2'", "{}", "1.9"])),
        }
    }

    /// An expression or statement with its placeholders filled in.
    fn filled(&mut self, template: &str) -> String {
        let mut text = String::new();
        let mut rest = template.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                // The operator in front of a value.
                '#' if rest.peek().is_some_and(|next| next.is_ascii_alphabetic() || "@')".contains(*next))
                    && !template.starts_with("#,") =>
                {
                    // A number stands alone; a length is followed by a name, a string, or the end of a call's word.
                    match rest.peek() {
                        Some(')') => text += &format!("({})", self.pick(NUMBERS)),
                        _ => text.push('#'),
                    }
                }
                '#' if rest.peek() == Some(&'\'') => text.push('#'),
                '#' => text += &format!("({})", self.pick(NUMBERS)),
                '@' => text += &self.string(),
                '~' => {
                    let all_strings = self.below(2) == 0;
                    let items: Vec<String> =
                        (0..self.below(9)).map(|_| if all_strings { self.string() } else { format!("({})", self.pick(NUMBERS)) }).collect();
                    text += &format!("{{{}}}", items.join(","));
                }
                '?' => text += &self.value(1),
                '%' if rest.peek() == Some(&'d') && !template.starts_with("string.format('") => {
                    rest.next();
                    text += self.pick(&["1", "2", "3", "0", "-1", "-2", "5", "100", "16", "8"]);
                }
                other => text.push(other),
            }
        }
        text
    }

    fn lua(&mut self) -> String {
        let template = self.pick(LUA);
        // What is behind a format is not part of it.
        match template.strip_prefix("string.format('").and_then(|rest| rest.split_once("', ")) {
            Some((format, arguments)) => format!("string.format('{format}', {}", self.filled(arguments)),
            None => self.filled(template),
        }
    }

    /// A whole script: several commands, and what it returns or dies of, as the client is told it.
    fn whole(&mut self) -> (String, Vec<Vec<u8>>) {
        let (mut script, mut arguments) = (String::new(), Vec::new());
        if self.below(4) == 0 {
            script += "redis.setresp(3) ";
        }
        let mut names = Vec::new();
        for _ in 0..self.below(4) {
            let Some(mut args) = self.command() else { continue };
            let from = arguments.len() + 1;
            arguments.append(&mut args);
            let how = self.pick(&["call", "pcall", "pcall"]);
            names.push(format!("r{from}"));
            script += &format!("local r{from} = redis.{how}(unpack(ARGV, {from}, {})) ", arguments.len());
        }
        match self.below(4) {
            0 => {
                let template = self.pick(ERRORS);
                script += &self.filled(template);
            }
            1 => script += &format!("return {}", self.value(3)),
            2 => script += &format!("return {}", names.first().map_or("nil", |name| name)),
            _ => script += &format!("return {{{}}}", names.join(",")),
        }
        (script, arguments)
    }

    /// A command that the reference has and that gives no answer by chance, for `redis.call` or `redis.pcall`.
    fn command(&mut self) -> Option<Vec<Vec<u8>>> {
        let call = self.generator.next();
        let name = call.name.to_ascii_lowercase();
        // What waits for others may be called by scripts from 7.2 on.
        let waits = BLOCKING.contains(&name.as_str()) || call.args.iter().any(|argument| argument.eq_ignore_ascii_case(b"block"));
        // From 7.2 on doubles are written with the fewest digits.
        let tells_doubles = DOUBLES.contains(&name.as_str())
            || name.starts_with("geo")
            || call.args.iter().any(|argument| argument.eq_ignore_ascii_case(b"withscores") || argument.eq_ignore_ascii_case(b"incr"));
        let walks = name.ends_with("scan");
        // From 7.2 on these make their consumer also where there is nothing for it, and XINFO tells for how long it has been inactive.
        let has_consumers = ["xreadgroup", "xclaim", "xautoclaim"].contains(&name.as_str()) || name.starts_with("xinfo");
        // From 7.2 on a stream's last ID is not set to less than that of an entry that was deleted, whatever else is wrong with it; and XREAD complains
        // in other words.
        let is_refused_otherwise = name == "xsetid" || name == "xread";
        // An error number of something before makes an empty string no number to 7.0.
        let sorts = name.starts_with("sort");
        let is_unlike = is_refused_otherwise || sorts || call.unordered || waits || tells_doubles || walks || has_consumers;
        let is_alike = Chance::of(&call.name, &call.args) == Chance::None && !is_unlike;
        is_alike.then_some(call.args)
    }

    /// Bytes for ARGV: JSON, MessagePack, or anything.
    fn bytes(&mut self, json: bool) -> Vec<u8> {
        if json {
            return self.several(JSON, 8).into_bytes();
        }
        let length = self.below(24);
        (0..length)
            .map(|_| match self.below(3) {
                0 => 0x80 + self.below(128) as u8,
                1 => self.below(6) as u8,
                _ => self.below(256) as u8,
            })
            .collect()
    }

    /// Runs a script on both, and compares.
    pub fn step(&mut self) {
        let (expression, mut arguments) = match self.below(10) {
            0 => (self.json(), vec![self.bytes(true)]),
            1 => (self.messages(), vec![self.bytes(false)]),
            2 => (self.structure(), vec![self.bytes(false)]),
            3 => (self.bit(), Vec::new()),
            4 => (self.text(), Vec::new()),
            5 | 6 => (self.lua(), Vec::new()),
            7 => match self.command() {
                Some(args) => (format!("redis.{}(unpack(ARGV))", self.pick(&["call", "pcall"])), args),
                None => return,
            },
            _ => {
                let (script, arguments) = self.whole();
                return self.compare(script.clone(), &script, arguments);
            }
        };
        let script = format!("{SHOW}local result = all(pcall(function() return {expression} end)){RESET}");
        arguments.truncate(200);
        self.compare(script, &expression, arguments);
    }

    fn compare(&mut self, script: String, shown: &str, mut arguments: Vec<Vec<u8>>) {
        let mut call = vec![b"EVAL".to_vec(), script.into_bytes(), b"0".to_vec()];
        call.append(&mut arguments);
        self.ours.send_cmd(&call);
        self.theirs.send_cmd(&call);
        let (ours, theirs) = (plain(self.ours.recv()), plain(self.theirs.recv()));
        match &ours {
            Value::Error(_) => self.failed += 1,
            Value::Bulk(text) if text.starts_with(b"false") => self.failed += 1,
            _ => self.done += 1,
        }
        // Here no text that begins as bytecode does is compiled at all.
        let is_bytecode = matches!(&ours, Value::Bulk(text) if memchr::memmem::find(text, b"bytecode is not allowed").is_some());
        if ours == theirs || is_bytecode {
            return;
        }
        let arguments: Vec<String> = call[3..].iter().map(|argument| argument.escape_ascii().to_string()).collect();
        let told = format!("{shown}\n  with {arguments:?}\n  solod: {}\n  redis: {}", readable(&ours), readable(&theirs));
        println!("{told}");
        self.differences += 1;
        assert!(self.differences < self.allowed, "{told}");
    }
}

/// Without addresses of what has none that both share.
fn plain(value: Value) -> Value {
    match value {
        Value::Bulk(text) => Value::Bulk(without_addresses(&text)),
        Value::Error(text) => Value::Error(String::from_utf8_lossy(&without_addresses(text.as_bytes())).into_owned()),
        other => other,
    }
}

fn without_addresses(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b": 0x") {
        plain.extend_from_slice(&rest[..at + 4]);
        rest = &rest[at + 4..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &rest[digits..];
    }
    plain.extend_from_slice(rest);
    plain
}

fn readable(value: &Value) -> String {
    match value {
        Value::Bulk(text) => text.escape_ascii().to_string(),
        other => format!("{other:?}"),
    }
}
