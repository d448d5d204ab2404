//! Members chosen at random: each as likely as the others.

use super::{Repr, Set, SetLimits};
use crate::data::{
    listpack::{Item, Listpack},
    rng::Rng,
};
use std::collections::HashSet;

/// Chooses so many of so many that come by one after the other, each choice as likely as the others.
struct Chooser {
    wanted: u64,
    left: u64,
}

impl Chooser {
    fn new(wanted: usize, of: usize) -> Self {
        Self { wanted: wanted as u64, left: of as u64 }
    }

    /// Whether the one that comes by is chosen.
    #[inline]
    fn chooses(&mut self, rng: &mut Rng) -> bool {
        let chosen = self.wanted > 0 && (self.wanted == self.left || rng.below(self.left) < self.wanted);
        self.left -= 1;
        self.wanted -= u64::from(chosen);
        chosen
    }
}

impl Set {
    /// A member; `None` when there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<Item<'_>> {
        match &self.0 {
            Repr::Ints(ints) => (!ints.is_empty()).then(|| Item::Int(ints.get(rng.below(ints.len() as u64) as usize))),
            Repr::Pack(pack) => match pack.len() as u64 {
                0 => None,
                len => pack.nth(rng.below(len) as usize).map(|pos| pack.get(pos)),
            },
            Repr::Table(table) => table.random(rng).map(|member| Item::Str(member.bytes())),
        }
    }

    /// Takes a member out, after `see` has seen it.
    pub fn pop(&mut self, rng: &mut Rng, see: impl FnOnce(Item<'_>)) {
        match &mut self.0 {
            Repr::Ints(ints) => {
                if !ints.is_empty() {
                    let index = rng.below(ints.len() as u64) as usize;
                    see(Item::Int(ints.get(index)));
                    ints.remove_at(index);
                }
            }
            Repr::Pack(pack) => {
                if let Some(pos) = pack.nth(rng.below(pack.len().max(1) as u64) as usize) {
                    see(pack.get(pos));
                    pack.remove(pos);
                }
            }
            Repr::Table(table) => {
                if let Some(handle) = table.random_handle(rng) {
                    let hash = table.hash(table.at(handle).bytes());
                    see(Item::Str(table.remove_at(handle, hash).bytes()));
                    table.gather();
                }
            }
        }
    }

    /// Takes `count` members out, after `see` has seen each.
    pub fn pop_some(&mut self, count: usize, rng: &mut Rng, mut see: impl FnMut(Item<'_>)) {
        let mut chooser = Chooser::new(count.min(self.len()), self.len());
        match &mut self.0 {
            Repr::Ints(ints) => ints.retain(|n| {
                let chosen = chooser.chooses(rng);
                if chosen {
                    see(Item::Int(n));
                }
                !chosen
            }),
            Repr::Pack(pack) => {
                let mut kept = Listpack::with_capacity(0);
                for member in pack.iter() {
                    if chooser.chooses(rng) {
                        see(member);
                    } else {
                        kept.push_item(member);
                    }
                }
                *pack = kept;
            }
            Repr::Table(_) => (0..chooser.wanted).for_each(|_| self.pop(rng, &mut see)),
        }
    }

    /// Keeps `count` members, which make a new set as Redis does when most are popped, and returns the others.
    pub fn keep_some(&mut self, count: usize, rng: &mut Rng, limits: &SetLimits) -> Self {
        let mut kept = if self.ints().is_some() { Self::default() } else { Self::listpack() };
        self.pop_some(count, rng, |member| {
            kept.add_item(member, limits);
        });
        std::mem::replace(self, kept)
    }

    /// Shows `count` different members to `see`, in no promised order. There are more than that.
    pub fn sample(&self, count: usize, rng: &mut Rng, mut see: impl FnMut(Item<'_>)) {
        /// Passing by this many members costs less than drawing one at random.
        const PASS_MAX: usize = 3;
        if let Some(table) = self.members()
            && count.saturating_mul(PASS_MAX) <= table.len()
        {
            let mut seen = HashSet::with_capacity(count);
            while seen.len() < count
                && let Some(member) = table.random(rng)
            {
                if seen.insert(member.bytes().as_ptr()) {
                    see(Item::Str(member.bytes()));
                }
            }
            return;
        }
        let mut chooser = Chooser::new(count, self.len());
        for member in self.iter() {
            if chooser.wanted == 0 {
                return;
            }
            if chooser.chooses(rng) {
                see(member);
            }
        }
    }
}
