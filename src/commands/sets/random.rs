//! Members at random: SPOP and SRANDMEMBER.

use super::{algebra, limits, reply_member};
use crate::{
    commands::{
        Ctx, Effect,
        command::{Command, Group, KeySpec, command, flags::*, key_flags as k},
        context::{Event, errors},
        sampling,
    },
    data::{listpack::Item, rng::Rng, set::Set},
    keyspace::{Keyspace, WrongType},
    resp::{output::Output, request::OwnedArgs},
    state::long_reply::Source,
};

/// Members that one SREM in the log takes out at most.
const BATCH: usize = 1024;

fn spop(ctx: &mut Ctx) {
    match ctx.argc() {
        2 => (),
        3 => return pop_several(ctx),
        _ => return ctx.error(errors::SYNTAX),
    }
    let (hash, key, is_logged) = (ctx.hash(1), ctx.arg(1), ctx.is_logged());
    let set = match ctx.server.keyspace.write_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(None) => return ctx.out.null(),
        Ok(Some(set)) => set,
    };
    set.pop(&mut ctx.server.rng, |member| {
        let mut digits = itoa::Buffer::new();
        let member = member.text(&mut digits);
        ctx.out.bulk(member);
        if is_logged {
            ctx.effect = Effect::Instead(Box::new(OwnedArgs::new(&[b"SREM", key, member])));
        }
    });
    let emptied = set.is_empty();
    ctx.changed(1, Event('s', "spop"));
    if emptied {
        ctx.remove_emptied(1);
    }
}

fn pop_several(ctx: &mut Ctx<'_>) {
    let Some(count) = ctx.count_arg(2, 0, errors::NOT_POSITIVE) else { return };
    let (hash, key, limits, is_logged) = (ctx.hash(1), ctx.arg(1), limits(ctx), ctx.is_logged());
    let set = match ctx.server.keyspace.write_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(Some(set)) if count > 0 => set,
        Ok(_) => return ctx.out.set(0),
    };
    let len = set.len();
    ctx.out.set(count.min(len));
    if count >= len {
        // Small ones are answered in the order in which SUNION has them.
        match set.members() {
            Some(_) => set.iter().for_each(|member| reply_member(ctx.out, member)),
            None => algebra::union(&[Some(&*set)], &limits).iter().for_each(|member| reply_member(ctx.out, member)),
        }
        ctx.changed(1, Event('s', "spop"));
        ctx.server.keyspace.dirty += len as u64 - 1;
        ctx.remove_emptied(1);
        let lazily = ctx.server.config.lazyfree_lazy_server_del;
        return ctx.log_instead(&[if lazily { b"UNLINK" } else { b"DEL" }, key]);
    }
    let mut log = Removals { key, batches: Vec::new(), is_logged };
    let mut see = |member: Item<'_>| {
        let mut digits = itoa::Buffer::new();
        let member = member.text(&mut digits);
        ctx.out.bulk(member);
        log.push(member);
    };
    /// Members are moved away one by one while fewer than this many times those that stay are asked for; else those that stay are.
    const MOVE_MAX: usize = 5;
    if (len - count).saturating_mul(MOVE_MAX) > count {
        set.pop_some(count, &mut ctx.server.rng, see);
    } else {
        set.keep_some(len - count, &mut ctx.server.rng, &limits).iter().for_each(&mut see);
    }
    ctx.effect = Effect::Several(log.batches);
    ctx.changed(1, Event('s', "spop"));
    ctx.server.keyspace.dirty += count as u64 - 1;
}

/// What several members popped leave in the log.
struct Removals<'a> {
    key: &'a [u8],
    batches: Vec<OwnedArgs>,
    is_logged: bool,
}

impl Removals<'_> {
    fn push(&mut self, member: &[u8]) {
        if !self.is_logged {
            return;
        }
        match self.batches.last_mut() {
            Some(batch) if batch.args().len() < 2 + BATCH => batch.push(member),
            _ => self.batches.push(OwnedArgs::new(&[b"SREM", self.key, member])),
        }
    }
}

fn srandmember(ctx: &mut Ctx) {
    match ctx.argc() {
        2 => (),
        3 => return several_random(ctx),
        _ => return ctx.error(errors::SYNTAX),
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    match ctx.server.keyspace.read_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => ctx.wrong_type(),
        Ok(set) => match set.and_then(|set| set.random(&mut ctx.server.rng)) {
            Some(member) => reply_member(ctx.out, member),
            None => ctx.out.null(),
        },
    }
}

fn several_random(ctx: &mut Ctx<'_>) {
    let Some(count) = ctx.int_arg(2) else { return };
    if count == i64::MIN {
        return ctx.error(format!("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX));
    }
    let (hash, key) = (ctx.hash(1), ctx.arg(1));
    let set = match ctx.server.keyspace.read_as::<Set>(ctx.db, hash, key) {
        Err(WrongType) => return ctx.wrong_type(),
        Ok(Some(set)) if count != 0 => set,
        Ok(_) => return ctx.out.array(0),
    };
    if count < 0 {
        return sampling::reply(ctx, count.unsigned_abs(), false, draw);
    }
    let rng = &mut ctx.server.rng;
    let many = count.unsigned_abs() as usize;
    ctx.out.array(many.min(set.len()));
    if many >= set.len() {
        set.iter().for_each(|member| reply_member(ctx.out, member));
    } else {
        set.sample(many, rng, |member| reply_member(ctx.out, member));
    }
}

/// Members one by one, the same ones perhaps.
fn draw(keyspace: &mut Keyspace, rng: &mut Rng, source: &Source, most: u64, bytes: usize, out: &mut Output) -> u64 {
    let hash = keyspace.hash(&source.key);
    let Some(set) = keyspace.peek_alive_as::<Set>(source.db, hash, &source.key) else { return 0 };
    for drawn in 0..most {
        if drawn > 0 && out.len() >= bytes {
            return drawn;
        }
        let Some(member) = set.random(rng) else { return drawn };
        reply_member(out, member);
    }
    most
}

/// The rows of these commands.
pub const COMMANDS: &[Command] = &[
    command("spop", spop, -2, WRITE | FAST)
        .since(Group::Set, "1.0.0")
        .doc("Takes members chosen at random out of a set and returns them.", "O(1) without a count, O(N) for N members.")
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, k::RW | k::ACCESS | k::DELETE)])
        .tips(&["nondeterministic_output"])
        .history(&[("3.2.0", "`count`.")]),
    command("srandmember", srandmember, -2, READONLY | PARKS)
        .since(Group::Set, "1.0.0")
        .doc(
            "Returns members of a set chosen at random; with a negative count, the same ones perhaps.",
            "O(1) without a count, O(N) for N members.",
        )
        .args("key [count:integer]")
        .keys(&[KeySpec::one(1, k::RO | k::ACCESS)])
        .tips(&["nondeterministic_output"])
        .history(&[("2.6.0", "`count`.")]),
];
