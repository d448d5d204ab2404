//! Scripts that have been seen, by their text and by its SHA-1. Of those that only EVAL has brought a number is kept, the latest used.

use super::{FunctionRef, Origin, ScriptFlags};
use sha1::{Digest, Sha1};
use std::{cell::Cell, collections::HashMap};

/// EVAL's scripts that are kept.
const EVAL_SCRIPTS_MAX: usize = 500;

/// One script.
pub(super) struct Script {
    pub(super) body: Box<[u8]>,
    pub(super) sha: [u8; 40],
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
    by_function: HashMap<FunctionRef, Script>,
    by_sha: HashMap<[u8; 40], FunctionRef>,
    by_text: HashMap<Box<[u8]>, FunctionRef>,
    /// The one that was used last: comparing its text is cheaper than hashing.
    last: Option<FunctionRef>,
    evictable: usize,
    evicted: u64,
    bytes: usize,
    uses: Cell<u64>,
}

/// The SHA-1 of these bytes, in hexadecimal.
pub(super) fn sha1_hex(bytes: &[u8]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha1::digest(bytes);
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest.iter()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

impl Cache {
    fn touch(&self, script: &Script) {
        let now = self.uses.get().wrapping_add(1);
        self.uses.set(now);
        script.used.set(now);
    }

    pub(super) fn get(&self, function: FunctionRef) -> Option<&Script> {
        self.by_function.get(&function)
    }

    /// The script of this text. One that is loaded stays from then on.
    pub(super) fn find_text(&mut self, body: &[u8], origin: Origin) -> Option<FunctionRef> {
        let last = self.last.filter(|last| self.get(*last).is_some_and(|script| *script.body == *body));
        let function = match last {
            Some(function) => function,
            None => *self.by_text.get(body)?,
        };
        self.last = Some(function);
        let script = self.by_function.get_mut(&function)?;
        if origin == Origin::Load && script.is_evictable {
            script.is_evictable = false;
            self.evictable -= 1;
        }
        let script = self.get(function)?;
        self.touch(script);
        Some(function)
    }

    pub(super) fn find_sha(&self, sha1_hex: &[u8]) -> Option<FunctionRef> {
        let sha = <[u8; 40]>::try_from(sha1_hex).ok()?.map(|b| b.to_ascii_lowercase());
        let function = *self.by_sha.get(&sha)?;
        self.touch(self.get(function)?);
        Some(function)
    }

    /// Adds a script that is not there. Gives what is let go for it.
    pub(super) fn insert(&mut self, body: &[u8], function: FunctionRef, flags: ScriptFlags, origin: Origin) -> Option<FunctionRef> {
        let is_evictable = origin == Origin::Eval;
        let gone = (is_evictable && self.evictable >= EVAL_SCRIPTS_MAX).then(|| self.evict()).flatten();
        self.evictable += usize::from(is_evictable);
        let sha = sha1_hex(body);
        let script = Script { body: body.into(), sha, flags, function, is_evictable, used: Cell::new(0) };
        self.touch(&script);
        self.bytes += 2 * body.len() + size_of::<Script>();
        self.by_sha.insert(sha, function);
        self.by_text.insert(body.into(), function);
        self.by_function.insert(function, script);
        self.last = Some(function);
        gone
    }

    /// Lets the script go that was used longest ago. It looks at all of them, whose number is bounded.
    fn evict(&mut self) -> Option<FunctionRef> {
        let oldest = self.by_function.values().filter(|script| script.is_evictable).min_by_key(|script| script.used.get())?;
        let function = oldest.function;
        let script = self.by_function.remove(&function)?;
        self.by_sha.remove(&script.sha);
        self.by_text.remove(&script.body);
        self.bytes -= 2 * script.body.len() + size_of::<Script>();
        self.evictable -= 1;
        self.evicted += 1;
        Some(function)
    }

    /// Lets all go.
    pub(super) fn clear(&mut self) -> Vec<FunctionRef> {
        let all = self.by_function.keys().copied().collect();
        *self = Self { evicted: self.evicted, ..Self::default() };
        all
    }

    pub(super) fn len(&self) -> usize {
        self.by_function.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
