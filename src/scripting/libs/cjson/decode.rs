//! JSON to Lua's values.
//!
//! The text ends at its first byte 0, as the original's, which reads C strings.

use super::{
    super::{Fault, Stack, looks::Looks, number},
    Settings,
};

/// Reads a text that holds one value and pushes that. `scratch` is room for strings with escapes, kept by the caller.
pub fn decode<S: Stack>(
    stack: &mut S,
    settings: &Settings,
    text: &[u8],
    scratch: &mut Vec<u8>,
    look: &mut dyn FnMut() -> Result<(), Fault>,
) -> Result<(), Fault> {
    // UTF-16 and UTF-32 have a zero in one of the first two bytes.
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(Fault::Error("JSON parser does not support UTF-16 or UTF-32".into()));
    }
    let mut decoder = Decoder { stack, settings, text, at: 0, scratch, looks: Looks::new(look) };
    let first = decoder.token();
    decoder.value(first, 0)?;
    match decoder.token() {
        Token { what: What::End, .. } => Ok(()),
        other => Err(unexpected("the end", &other)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its contents are a part of the text when they have no escapes, else in the scratch buffer.
    String {
        from: usize,
        to: usize,
        escaped: bool,
    },
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Wrong(&'static str),
}

#[derive(Clone, Copy, Debug)]
struct Token {
    what: What,
    /// Where it starts, or where in it the fault is.
    at: usize,
}

fn unexpected(expected: &str, token: &Token) -> Fault {
    let found = match token.what {
        What::ObjectBegin => "T_OBJ_BEGIN",
        What::ObjectEnd => "T_OBJ_END",
        What::ArrayBegin => "T_ARR_BEGIN",
        What::ArrayEnd => "T_ARR_END",
        What::String { .. } => "T_STRING",
        What::Number(_) => "T_NUMBER",
        What::Boolean(_) => "T_BOOLEAN",
        What::Null => "T_NULL",
        What::Colon => "T_COLON",
        What::Comma => "T_COMMA",
        What::End => "T_END",
        What::Wrong(why) => why,
    };
    Fault::Error(format!("Expected {expected} but found {found} at character {}", token.at + 1))
}

struct Decoder<'a, S> {
    stack: &'a mut S,
    settings: &'a Settings,
    text: &'a [u8],
    at: usize,
    scratch: &'a mut Vec<u8>,
    looks: Looks<'a>,
}

impl<S: Stack> Decoder<'_, S> {
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    /// Pushes the value that starts with a token.
    fn value(&mut self, token: Token, depth: i32) -> Result<(), Fault> {
        self.looks.step()?;
        match token.what {
            What::String { .. } => self.push_string(token.what),
            What::Number(value) => self.stack.push_number(value),
            What::Boolean(value) => self.stack.push_boolean(value),
            What::Null => self.stack.push_null(),
            What::ObjectBegin => self.object(depth + 1)?,
            What::ArrayBegin => self.array(depth + 1)?,
            _ => return Err(unexpected("value", &token)),
        }
        Ok(())
    }

    fn push_string(&mut self, what: What) {
        if let What::String { from, to, escaped } = what {
            let bytes = if escaped { &self.scratch[..] } else { &self.text[from..to] };
            self.stack.push_bytes(bytes);
        }
    }

    fn descend(&mut self, depth: i32, slots: i32) -> Result<(), Fault> {
        if depth <= self.settings.decode_depth_max && self.stack.reserve(slots) {
            return Ok(());
        }
        Err(Fault::Error(format!("Found too many nested data structures ({depth}) at character {}", self.at)))
    }

    fn object(&mut self, depth: i32) -> Result<(), Fault> {
        self.descend(depth, 3)?;
        self.stack.push_table();
        let mut token = self.token();
        if token.what == What::ObjectEnd {
            return Ok(());
        }
        loop {
            if !matches!(token.what, What::String { .. }) {
                return Err(unexpected("object key string", &token));
            }
            self.push_string(token.what);
            token = self.token();
            if token.what != What::Colon {
                return Err(unexpected("colon", &token));
            }
            token = self.token();
            self.value(token, depth)?;
            self.stack.set(-3);
            token = self.token();
            match token.what {
                What::ObjectEnd => return Ok(()),
                What::Comma => token = self.token(),
                _ => return Err(unexpected("comma or object end", &token)),
            }
        }
    }

    fn array(&mut self, depth: i32) -> Result<(), Fault> {
        self.descend(depth, 2)?;
        self.stack.push_table();
        if self.settings.mark_arrays {
            self.stack.mark_array();
        }
        let mut token = self.token();
        if token.what == What::ArrayEnd {
            return Ok(());
        }
        let mut element = 0i32;
        loop {
            element = element.wrapping_add(1);
            self.value(token, depth)?;
            self.stack.set_element(-2, element);
            token = self.token();
            match token.what {
                What::ArrayEnd => return Ok(()),
                What::Comma => token = self.token(),
                _ => return Err(unexpected("comma or array end", &token)),
            }
        }
    }

    fn token(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(at) {
            b'{' => What::ObjectBegin,
            b'}' => What::ObjectEnd,
            b'[' => What::ArrayBegin,
            b']' => What::ArrayEnd,
            b',' => What::Comma,
            b':' => What::Colon,
            0 => return Token { what: What::End, at },
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => return self.number(),
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token { what: What::Wrong("invalid token"), at },
        };
        self.at += 1;
        Token { what: single, at }
    }

    fn word(&mut self) -> Token {
        let at = self.at;
        for (word, what) in [(&b"true"[..], What::Boolean(true)), (b"false", What::Boolean(false)), (b"null", What::Null)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Token { what, at };
            }
        }
        if self.settings.decode_invalid && self.is_invalid_number() {
            return self.any_number();
        }
        Token { what: What::Wrong("invalid token"), at }
    }

    fn number(&mut self) -> Token {
        if !self.settings.decode_invalid && self.is_invalid_number() {
            return Token { what: What::Wrong("invalid number"), at: self.at };
        }
        self.any_number()
    }

    fn any_number(&mut self) -> Token {
        let at = self.at;
        match number::read_prefix(self.rest()) {
            Some((value, len)) => {
                self.at += len;
                Token { what: What::Number(value), at }
            }
            None => Token { what: What::Wrong("invalid number"), at },
        }
    }

    /// Whether `strtod` may read here what is no number of JSON's: a plus sign, hexadecimal digits, a leading zero, infinity, NaN.
    fn is_invalid_number(&self) -> bool {
        if self.byte(self.at) == b'+' {
            return true;
        }
        let at = self.at + usize::from(self.byte(self.at) == b'-');
        let rest = &self.text[at.min(self.text.len())..];
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            byte if byte <= b'9' => false,
            _ => rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")),
        }
    }

    /// Reads a string whose opening quote is next.
    fn string(&mut self) -> Token {
        let start = self.at;
        self.at += 1;
        let from = self.at;
        let mut escaped = false;
        loop {
            let run = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\' | 0)).unwrap_or(self.rest().len());
            if escaped {
                self.scratch.extend_from_slice(&self.text[self.at..self.at + run]);
            }
            self.at += run;
            match self.byte(self.at) {
                b'"' => {
                    let to = self.at;
                    self.at += 1;
                    return Token { what: What::String { from, to, escaped }, at: start };
                }
                b'\\' => {
                    if !escaped {
                        escaped = true;
                        self.scratch.clear();
                        self.scratch.extend_from_slice(&self.text[from..self.at]);
                    }
                    if let Err(why) = self.escape() {
                        return Token { what: What::Wrong(why), at: self.at };
                    }
                }
                _ => return Token { what: What::Wrong("unexpected end of string"), at: self.at },
            }
        }
    }

    /// Reads an escape; on a fault the position stays at its backslash.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.byte(self.at + 1) {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 0x0c,
            b'r' => b'\r',
            b'u' => return self.unicode_escape().ok_or("invalid unicode escape code"),
            _ => return Err("invalid escape code"),
        };
        self.scratch.push(byte);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Option<()> {
        let unit = self.hexadecimal(self.at + 2)?;
        let mut len = 6;
        let point = match unit {
            0xd800..=0xdbff => {
                if self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
                    return None;
                }
                let low = self.hexadecimal(self.at + 8).filter(|low| low & 0xfc00 == 0xdc00)?;
                len = 12;
                ((unit & 0x3ff) << 10 | low & 0x3ff) + 0x10000
            }
            _ => unit,
        };
        // A low surrogate alone is no character.
        let point = char::from_u32(point)?;
        self.scratch.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += len;
        Some(())
    }

    fn hexadecimal(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |value, at| Some(value << 4 | char::from(self.byte(at)).to_digit(16)?))
    }
}
