//! INFO: which sections there are, which of them a client has asked for, and how they are written. Fields and their order are Redis 7.2's.

mod aof;
mod counters;
mod dataset;
mod process;
mod replication;

use crate::{
    commands::{
        Command, Ctx, Registry,
        command::{Group, categories, command, flags::*},
    },
    state::{ProcessFacts, Server},
};
use std::{
    fmt::{Display, Write},
    rc::Rc,
};

/// What sections tell of.
struct Info<'a> {
    server: &'a Server,
    registry: &'a Registry,
    process: Rc<ProcessFacts>,
}

/// The text being written.
#[derive(Default)]
struct InfoText(String);

impl InfoText {
    fn section(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        let _ = write!(self.0, "# {title}\r\n");
    }

    fn field(&mut self, name: impl Display, value: impl Display) -> &mut Self {
        let _ = write!(self.0, "{name}:{value}\r\n");
        self
    }

    /// Fields of features that are not built, with the values that an idle Redis shows.
    fn idle(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        fields.iter().fold(self, |report, (name, value)| report.field(name, value))
    }
}

/// Whether a section is shown to a client that has not named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Everybody.
    Always,
    /// Those who ask for `all` or `everything`.
    InAll,
    /// Nobody.
    ByName,
}

struct Section {
    title: &'static str,
    /// What it is asked for by, in lower case.
    names: &'static [&'static str],
    shown: Shown,
    write: fn(&Info, &mut InfoText),
}

const fn section(title: &'static str, names: &'static [&'static str], shown: Shown, write: fn(&Info, &mut InfoText)) -> Section {
    Section { title, names, shown, write }
}

/// A section that is there with TLS alone.
const TLS: &str = "TLS";

/// Every section, in the order they are shown.
const SECTIONS: &[Section] = &[
    section("Server", &["server"], Shown::Always, process::server),
    section(TLS, &["tls"], Shown::Always, process::tls),
    section("Clients", &["clients"], Shown::Always, process::clients),
    section("Memory", &["memory"], Shown::Always, process::memory),
    section("Persistence", &["persistence"], Shown::Always, dataset::persistence),
    section("Stats", &["stats"], Shown::Always, counters::stats),
    section("Replication", &["replication"], Shown::Always, replication::replication),
    section("CPU", &["cpu"], Shown::Always, process::cpu),
    section("Modules", &["modules", "module_list"], Shown::Always, |_, _| ()),
    section("Commandstats", &["commandstats"], Shown::InAll, counters::commandstats),
    section("Errorstats", &["errorstats"], Shown::Always, counters::errorstats),
    section("Latencystats", &["latencystats"], Shown::InAll, counters::latencystats),
    section("Cluster", &["cluster"], Shown::Always, dataset::cluster),
    section("Keyspace", &["keyspace"], Shown::Always, dataset::keyspace),
    section("Debug", &["debug"], Shown::ByName, counters::debug),
    // solod's own section: clients of Redis do not expect it in `everything`.
    section("Loop", &["loop"], Shown::ByName, counters::poll_loop),
];

impl Section {
    fn is_wanted(&self, words: &[Vec<u8>]) -> bool {
        words.is_empty() && self.shown == Shown::Always
            || words.iter().any(|word| match word.as_slice() {
                b"default" => self.shown == Shown::Always,
                b"all" | b"everything" => self.shown != Shown::ByName,
                name => self.names.iter().any(|own| own.as_bytes() == name),
            })
    }
}

fn info(ctx: &mut Ctx) {
    let words: Vec<Vec<u8>> = ctx.args.skip(1).iter().map(<[u8]>::to_ascii_lowercase).collect();
    // The cron samples the peak; it must not be below what is used at this moment.
    let used = ctx.server.host.used_memory();
    if used > ctx.server.stats.peak_memory {
        ctx.server.stats.peak_memory = used;
        ctx.server.stats.peak_memory_unix_seconds = ctx.server.unix_seconds();
    }
    let info = Info { server: ctx.server, registry: ctx.registry, process: ctx.server.host.process() };
    let mut report = InfoText::default();
    let has_tls = info.server.host.tls().is_some();
    for section in SECTIONS.iter().filter(|s| s.is_wanted(&words) && (has_tls || s.title != TLS)) {
        report.section(section.title);
        (section.write)(&info, &mut report);
    }
    ctx.out.verbatim("txt", report.0.as_bytes());
}

/// The rows of this group.
pub const COMMANDS: &[Command] = &[command("info", info, -1, LOADING | STALE)
    .since(Group::Server, "1.0.0")
    .doc("Shows what the server knows of itself, in sections.", "O(1)")
    .args("[section ...]")
    .categories(categories::DANGEROUS)
    .history(&[("7.0.0", "Several sections can be asked for at once.")])
    .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])];

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(words: &str) -> Vec<&'static str> {
        let words: Vec<_> = words.split_whitespace().map(|w| w.as_bytes().to_vec()).collect();
        SECTIONS.iter().filter(|s| s.is_wanted(&words)).map(|s| s.title).collect()
    }

    #[test]
    fn sections_are_shown_to_those_who_ask_for_them() {
        assert_eq!(wanted("").len(), 12);
        assert_eq!(wanted("default"), wanted(""));
        assert_eq!(wanted("all").len(), 14);
        assert_eq!(wanted("everything"), wanted("all"));
        assert_eq!(wanted("keyspace server"), ["Server", "Keyspace"], "in their own order");
        assert_eq!(wanted("default loop").last(), Some(&"Loop"));
        assert_eq!(wanted("modules"), wanted("module_list"));
        assert_eq!(wanted("nonsense"), [""; 0]);
    }

    #[test]
    fn an_empty_line_stands_between_sections() {
        let mut report = InfoText::default();
        report.section("One");
        report.field("a", 1).field("b", "two");
        report.section("Two");
        assert_eq!(report.0, "# One\r\na:1\r\nb:two\r\n\r\n# Two\r\n");
    }
}
