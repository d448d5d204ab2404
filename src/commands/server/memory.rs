//! MEMORY: what memory is used for, and whether it looks healthy.

use super::{
    container, help,
    memory_facts::{MemoryFacts, human, usage},
};
use crate::{
    alloc::Holdings,
    commands::{
        Command, Ctx,
        command::{Group, KeySpec, command, flags::*, key_flags as k},
        context::errors,
    },
    data::float,
    state::Server,
};

/// Elements of a value that USAGE looks at when it is not told how many.
const SAMPLES: u64 = 5;

fn key_usage(ctx: &mut Ctx) {
    let mut samples = SAMPLES;
    let mut i = 3;
    while i < ctx.argc() {
        if !ctx.is_word(i, "samples") || i + 1 == ctx.argc() {
            return ctx.error(errors::SYNTAX);
        }
        let Some(count) = ctx.int_arg(i + 1) else { return };
        samples = match u64::try_from(count) {
            Ok(0) => u64::MAX,
            Ok(count) => count,
            Err(_) => return ctx.error(errors::SYNTAX),
        };
        i += 2;
    }
    // An expired key still takes memory; the question must not delete it.
    let (hash, key) = (ctx.hash(2), ctx.arg(2));
    match ctx.server.keyspace.db(ctx.db).dict().find(hash, key) {
        Some(entry) => ctx.out.len_int(usage(entry, samples)),
        None => ctx.out.null(),
    }
}

fn facts(server: &Server) -> MemoryFacts {
    MemoryFacts::gather(server)
}

/// A figure of MEMORY STATS.
enum Figure {
    Bytes(i64),
    Number(f64),
}

fn stats(ctx: &mut Ctx) {
    use Figure::{Bytes, Number};
    let facts = facts(ctx.server);
    let bytes = |n: usize| Bytes(n as i64);
    let held = facts.held;
    let apart = |of: usize, from: usize| Bytes(of as i64 - from as i64);
    let before = [
        ("peak.allocated", bytes(facts.peak)),
        ("total.allocated", bytes(facts.used)),
        ("startup.allocated", bytes(facts.startup)),
        ("replication.backlog", bytes(facts.backlog)),
        ("clients.slaves", bytes(facts.clients_replicas)),
        ("clients.normal", bytes(facts.clients_normal)),
        ("cluster.links", Bytes(0)),
        ("aof.buffer", Bytes(0)),
        ("lua.caches", bytes(ctx.server.scripting.script_bytes())),
        ("functions.caches", bytes(ctx.server.functions.memory())),
    ];
    let behind = [
        ("overhead.total", bytes(facts.overhead())),
        ("keys.count", bytes(facts.keys)),
        ("keys.bytes-per-key", bytes(facts.bytes_per_key())),
        ("dataset.bytes", bytes(facts.dataset())),
        ("dataset.percentage", Number(facts.dataset_percent())),
        ("peak.percentage", Number(facts.peak_percent())),
        ("allocator.allocated", bytes(held.allocated)),
        ("allocator.active", bytes(held.active)),
        ("allocator.resident", bytes(held.resident)),
        ("allocator-fragmentation.ratio", Number(facts.gaps_ratio())),
        ("allocator-fragmentation.bytes", apart(held.active, held.allocated)),
        ("allocator-rss.ratio", Number(facts.kept_ratio())),
        ("allocator-rss.bytes", apart(held.resident, held.active)),
        ("rss-overhead.ratio", Number(facts.beside_ratio())),
        ("rss-overhead.bytes", apart(facts.rss, held.resident)),
        ("fragmentation", Number(facts.fragmentation())),
        ("fragmentation.bytes", Bytes(facts.fragmentation_bytes())),
    ];
    ctx.out.map(before.len() + facts.databases.len() + behind.len());
    before.iter().for_each(|figure| reply_figure(ctx, figure));
    for db in &facts.databases {
        ctx.out.bulk(format!("db.{}", db.index).as_bytes());
        ctx.out.map(3);
        reply_figure(ctx, &("overhead.hashtable.main", bytes(db.main)));
        reply_figure(ctx, &("overhead.hashtable.expires", bytes(db.expires)));
        reply_figure(ctx, &("overhead.hashtable.slot-to-keys", Bytes(0)));
    }
    behind.iter().for_each(|figure| reply_figure(ctx, figure));
}

fn reply_figure(ctx: &mut Ctx, (name, figure): &(&str, Figure)) {
    ctx.out.bulk(name.as_bytes());
    match figure {
        Figure::Bytes(n) => ctx.out.int(*n),
        Figure::Number(x) => {
            let mut text = Vec::new();
            float::write(&mut text, *x);
            ctx.out.double_text(&text);
        }
    }
}

/// Findings of MEMORY DOCTOR, as text; `clients` counts clients that are not replicas.
fn diagnose(facts: &MemoryFacts, clients: usize) -> String {
    /// Below this many bytes there is no finding: fixed costs dominate.
    const USED_MIN: usize = 5 << 20;
    /// Bytes of fragmentation, and bytes a client, above which there is a finding.
    const FRAGMENTATION_BYTES: i64 = 10 << 20;
    const RATIO: f64 = 1.1;
    const CLIENT_BYTES: usize = 200 << 10;

    let text = |bytes: usize| human(bytes as u64);
    if facts.used < USED_MIN {
        return format!("The server uses {} of memory: too little to find anything wrong with how.\n", text(facts.used));
    }
    let mut findings = Vec::new();
    if facts.peak > facts.used + facts.used / 2 {
        findings.push(format!(
            "At its peak the server used {}, now it uses {}. Memory that stays resident since then is used again when data comes; MEMORY PURGE gives back what can be given.",
            text(facts.peak),
            text(facts.used)
        ));
    }
    let Holdings { allocated, active, resident } = facts.held;
    let is_much = |ratio: f64, of: usize, from: usize| ratio > RATIO && of as i64 - from as i64 > FRAGMENTATION_BYTES;
    if is_much(facts.gaps_ratio(), active, allocated) {
        let remedy = if facts.defrag_is_on {
            "Active defragmentation closes such gaps a little at a time, from active-defrag-threshold-lower percent and active-defrag-ignore-bytes on: INFO shows whether it is at work (active_defrag_running)."
        } else {
            "Active defragmentation is off; CONFIG SET activedefrag yes has it close them a little at a time."
        };
        findings.push(format!(
            "{} of pages hold {} in use: when many values of one size have made way for another, free memory lies between what is left. {remedy}",
            text(active),
            text(allocated)
        ));
    }
    if is_much(facts.kept_ratio(), resident, active) {
        findings.push(format!(
            "The allocator keeps {} resident for {} of pages in use. It gives them back within a second, as a rule; MEMORY PURGE does so at once.",
            text(resident),
            text(active)
        ));
    }
    if is_much(facts.beside_ratio(), facts.rss, resident) {
        findings.push(format!(
            "{} are resident, of which the allocator has {}. What else there is belongs to the program itself and to threads' stacks.",
            text(facts.rss),
            text(resident)
        ));
    }
    if facts.clients_normal / clients.max(1) > CLIENT_BYTES {
        findings.push(format!(
            "Clients' buffers take {} together. Some do not read their replies as fast as they ask, or send very large requests: CLIENT LIST shows which (omem, qbuf). client-output-buffer-limit bounds it.",
            text(facts.clients_normal)
        ));
    }
    if facts.clients_replicas > FRAGMENTATION_BYTES as usize {
        findings.push(format!(
            "Replicas' buffers take {}. A replica, or the network to it, is too slow for the writes: INFO replication shows how far each is behind.",
            text(facts.clients_replicas)
        ));
    }
    if findings.is_empty() {
        return "Nothing is wrong with how memory is used.\n".to_owned();
    }
    findings.iter().map(|finding| format!("* {finding}\n")).collect()
}

fn doctor(ctx: &mut Ctx) {
    let clients = ctx.server.clients.len() - ctx.server.replicas();
    let report = diagnose(&facts(ctx.server), clients);
    ctx.out.verbatim("txt", report.as_bytes());
}

fn purge(ctx: &mut Ctx) {
    ctx.server.host.purge_memory();
    ctx.out.ok();
}

fn malloc_stats(ctx: &mut Ctx) {
    let text = ctx.server.host.allocator_stats();
    ctx.out.verbatim("txt", text.as_bytes());
}

fn help_text(ctx: &mut Ctx) {
    help(
        ctx,
        &[
            "DOCTOR",
            "    Say what is not as it should be.",
            "MALLOC-STATS",
            "    Show the allocator's own statistics.",
            "PURGE",
            "    Give memory that is not used back to the operating system.",
            "STATS",
            "    Show what memory is used for, in bytes.",
            "USAGE <key> [SAMPLES <count>]",
            "    Tell how many bytes a key takes with its value. Of a value with many",
            "    elements <count> are looked at (5 when not said, 0 for all).",
        ],
    );
}

const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("memory", container, -2, 0)
    .since(Group::Server, "4.0.0")
    .doc("Holds the commands about memory.", "Depends on subcommand.")
    .subcommands(&[
        command("doctor", doctor, 2, 0)
            .since(Group::Server, "4.0.0")
            .doc("Says what is not as it should be with the memory, for a person to read.", "O(1)")
            .tips(TIPS),
        command("help", help_text, 2, LOADING | STALE).since(Group::Server, "4.0.0").doc("Explains the subcommands.", "O(1)"),
        command("malloc-stats", malloc_stats, 2, 0)
            .since(Group::Server, "4.0.0")
            .doc("Shows the allocator's statistics.", "Depends on how much memory is allocated, could be slow")
            .tips(TIPS),
        command("purge", purge, 2, 0)
            .since(Group::Server, "4.0.0")
            .doc("Gives unused memory back to the operating system.", "Depends on how much memory is allocated, could be slow")
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
        command("stats", stats, 2, 0).since(Group::Server, "4.0.0").doc("Shows what memory is used for.", "O(1)").tips(TIPS),
        command("usage", key_usage, -3, READONLY)
            .since(Group::Server, "4.0.0")
            .doc("Tells how much memory a key takes.", "O(N) where N is the number of samples.")
            .args("key [SAMPLES count:integer]")
            .keys(&[KeySpec::one(2, k::RO)]),
    ])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_names_what_is_wrong() {
        let healthy = || MemoryFacts {
            used: 100 << 20,
            peak: 110 << 20,
            startup: 1 << 20,
            rss: 110 << 20,
            held: Holdings { allocated: 100 << 20, active: 104 << 20, resident: 108 << 20 },
            defrag_is_on: true,
            clients_normal: 1 << 20,
            clients_replicas: 0,
            backlog: 0,
            databases: Vec::new(),
            keys: 0,
        };
        assert!(diagnose(&MemoryFacts { used: 1 << 20, ..healthy() }, 1).contains("1.00M"));
        assert!(diagnose(&healthy(), 100).starts_with("Nothing is wrong"));
        assert!(diagnose(&MemoryFacts { peak: 200 << 20, ..healthy() }, 100).contains("At its peak the server used 200.00M"));
        assert!(diagnose(&MemoryFacts { rss: 200 << 20, ..healthy() }, 100).contains("200.00M are resident"));
        let gaps =
            || MemoryFacts { held: Holdings { active: 180 << 20, resident: 181 << 20, ..healthy().held }, rss: 182 << 20, ..healthy() };
        assert!(
            diagnose(&gaps(), 100).contains("180.00M of pages hold 100.00M in use")
                && diagnose(&gaps(), 100).contains("active_defrag_running")
        );
        assert!(diagnose(&MemoryFacts { defrag_is_on: false, ..gaps() }, 100).contains("CONFIG SET activedefrag yes"));
        let kept = Holdings { resident: 300 << 20, ..healthy().held };
        assert!(diagnose(&MemoryFacts { held: kept, rss: 300 << 20, ..healthy() }, 100).contains("keeps 300.00M resident"));
        assert!(diagnose(&healthy(), 1).contains("CLIENT LIST"));
        assert!(diagnose(&MemoryFacts { clients_replicas: 20 << 20, ..healthy() }, 100).contains("INFO replication"));
    }
}
