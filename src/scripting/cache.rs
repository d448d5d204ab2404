//! Scripts that have been seen, by their text and by its SHA-1. Of those that only EVAL has brought a number is kept, the latest used.

use super::{FunctionRef, Origin, ScriptFlags};
use sha1::{Digest, Sha1};
use std::{cell::Cell, collections::HashMap, rc::Rc};

/// EVAL's scripts that are kept.
const EVAL_SCRIPTS_MAX: usize = 500;

/// Scripts that are found by comparing their texts.
const RECENT: usize = 32;

/// Where a script of this text is among the recent ones.
fn place(body: &[u8]) -> usize {
    // Scripts of a library are alike where they begin and of different lengths; what they end with is mostly their own.
    let end = body.last_chunk::<8>().map_or(0, |end| u64::from_le_bytes(*end));
    let mixed = (end ^ body.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 59) as usize % RECENT
}

/// One script.
pub(super) struct Script {
    pub(super) body: Rc<[u8]>,
    pub(super) sha: Rc<[u8]>,
    pub(super) flags: ScriptFlags,
    function: FunctionRef,
    /// It is let go when there are many.
    is_evictable: bool,
    /// When it was used, in uses.
    used: Cell<u64>,
}

/// The scripts.
#[derive(Default)]
pub(super) struct Cache {
    /// By the number of the function: Lua gives small ones, and gives them again.
    by_function: Vec<Option<Script>>,
    by_sha: HashMap<Rc<[u8]>, FunctionRef>,
    by_text: HashMap<Rc<[u8]>, FunctionRef>,
    /// Those that were used lately, by something of their texts: comparing a text is cheaper than hashing it.
    recent: [Option<FunctionRef>; RECENT],
    evictable: usize,
    evicted: u64,
    bytes: usize,
    uses: Cell<u64>,
}

/// The SHA-1 of bytes that come in pieces, in hexadecimal.
#[derive(Default)]
pub(super) struct Sha1Hex(Sha1);

impl Sha1Hex {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn end(self) -> [u8; 40] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 40];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0.finalize().iter()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

fn sha1_hex(bytes: &[u8]) -> [u8; 40] {
    let mut hash = Sha1Hex::default();
    hash.add(bytes);
    hash.end()
}

impl Cache {
    fn touch(&self, script: &Script) {
        let now = self.uses.get().wrapping_add(1);
        self.uses.set(now);
        script.used.set(now);
    }

    pub(super) fn get(&self, function: FunctionRef) -> Option<&Script> {
        self.by_function.get(function.0 as usize)?.as_ref()
    }

    /// The script of this text. One that is loaded stays from then on.
    pub(super) fn find_text(&mut self, body: &[u8], origin: Origin) -> Option<FunctionRef> {
        let place = place(body);
        let recent = self.recent[place].filter(|recent| self.get(*recent).is_some_and(|script| *script.body == *body));
        let function = match recent {
            Some(function) => function,
            None => *self.by_text.get(body)?,
        };
        self.recent[place] = Some(function);
        if origin == Origin::Load
            && let Some(script) = self.by_function.get_mut(function.0 as usize)?
            && script.is_evictable
        {
            script.is_evictable = false;
            self.evictable -= 1;
        }
        let script = self.get(function)?;
        self.touch(script);
        Some(function)
    }

    pub(super) fn find_sha(&self, sha1_hex: &[u8]) -> Option<FunctionRef> {
        let sha = <[u8; 40]>::try_from(sha1_hex).ok()?.map(|b| b.to_ascii_lowercase());
        let function = *self.by_sha.get(&sha[..])?;
        self.touch(self.get(function)?);
        Some(function)
    }

    /// Adds a script that is not there. Gives what is let go for it.
    pub(super) fn insert(&mut self, body: &[u8], function: FunctionRef, flags: ScriptFlags, origin: Origin) -> Option<FunctionRef> {
        let is_evictable = origin == Origin::Eval;
        let gone = (is_evictable && self.evictable >= EVAL_SCRIPTS_MAX).then(|| self.evict()).flatten();
        self.evictable += usize::from(is_evictable);
        let sha: Rc<[u8]> = Rc::from(sha1_hex(body));
        let text: Rc<[u8]> = body.into();
        let script = Script { body: text.clone(), sha: sha.clone(), flags, function, is_evictable, used: Cell::new(0) };
        self.touch(&script);
        self.bytes += body.len() + size_of::<Script>();
        self.by_sha.insert(sha, function);
        self.by_text.insert(text, function);
        self.recent[place(body)] = Some(function);
        let number = function.0 as usize;
        if number >= self.by_function.len() {
            self.by_function.resize_with(number + 1, || None);
        }
        self.by_function[number] = Some(script);
        gone
    }

    /// Lets the script go that was used longest ago. It looks at all of them, whose number is bounded.
    fn evict(&mut self) -> Option<FunctionRef> {
        let oldest = self.by_function.iter().flatten().filter(|script| script.is_evictable).min_by_key(|script| script.used.get())?;
        let function = oldest.function;
        let script = self.by_function.get_mut(function.0 as usize)?.take()?;
        self.by_sha.remove(&script.sha);
        self.by_text.remove(&script.body);
        self.bytes -= script.body.len() + size_of::<Script>();
        self.evictable -= 1;
        self.evicted += 1;
        Some(function)
    }

    /// Lets all go.
    pub(super) fn clear(&mut self) -> Vec<FunctionRef> {
        let all = self.by_function.iter().flatten().map(|script| script.function).collect();
        *self = Self { evicted: self.evicted, ..Self::default() };
        all
    }

    pub(super) fn len(&self) -> usize {
        self.by_sha.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
