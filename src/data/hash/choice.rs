//! Fields chosen at random.

use super::{Hash, deadline::is_past, fields::Field, value::FieldEntry};
use crate::data::{dict::Dict, rng::Rng};
use std::collections::HashSet;

impl Hash {
    /// A field chosen at random, each as likely as the others; `None` when there is none at `now`.
    pub fn random(&self, rng: &mut Rng, now: i64) -> Option<Field<'_>> {
        random(self, rng, now)
    }

    /// Up to `count` different fields that are there at `now`, every choice as likely as the others, in no promised order.
    pub fn sample(&self, count: usize, rng: &mut Rng, now: i64) -> Vec<Field<'_>> {
        sample(self, count, rng, now)
    }
}

/// Draws from a table until a field is there at `now`. A replica may hold many that are past their deadline.
fn draw<'a>(dict: &'a Dict<FieldEntry>, rng: &mut Rng, now: i64) -> Option<&'a FieldEntry> {
    const TRIES: usize = 64;
    (0..TRIES).find_map(|_| dict.random(rng).filter(|entry| !is_past(entry.deadline(), now)))
}

fn random<'a>(hash: &'a Hash, rng: &mut Rng, now: i64) -> Option<Field<'a>> {
    let owes = hash.may_owe(now);
    match (hash.packed(), hash.table()) {
        (Some(packed), _) if !owes => return packed.nth(rng.below(packed.len().max(1) as u64) as usize),
        (_, Some(dict)) => {
            if let Some(entry) = draw(dict, rng, now) {
                return Some(Field::from(entry));
            }
        }
        _ => (),
    }
    let there: Vec<Field<'_>> = hash.iter().filter(|f| f.is_there(now)).collect();
    if there.is_empty() { None } else { there.get(rng.below(there.len() as u64) as usize).copied() }
}

fn sample<'a>(hash: &'a Hash, count: usize, rng: &mut Rng, now: i64) -> Vec<Field<'a>> {
    /// Where a choice takes more than this share of the table, going through all of it is cheaper than drawing until enough differ.
    const SHARE: usize = 3;
    const TRIES_EACH: usize = 8;
    if let Some(dict) = hash.table()
        && count.saturating_mul(SHARE) <= hash.len()
    {
        let mut chosen = HashSet::with_capacity(count);
        let mut fields = Vec::with_capacity(count);
        // Too many of them may be past their deadline for so many to differ.
        for _ in 0..count.saturating_mul(TRIES_EACH) {
            let Some(entry) = draw(dict, rng, now) else { break };
            if chosen.insert(std::ptr::from_ref(entry)) {
                fields.push(Field::from(entry));
            }
            if fields.len() == count {
                return fields;
            }
        }
    }
    let mut left = hash.len_at(now);
    let mut wanted = count.min(left);
    let mut fields = Vec::with_capacity(wanted);
    for field in hash.iter().filter(|f| f.is_there(now)) {
        if wanted == 0 {
            break;
        }
        // Each is taken with the probability that it is among those still wanted of those still to come.
        if rng.below(left as u64) < wanted as u64 {
            fields.push(field);
            wanted -= 1;
        }
        left -= 1;
    }
    fields
}
