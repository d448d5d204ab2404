//! `--check-system`: what of this machine will hurt a server. Findings are laid out as redis-server does it.

use super::console::{Console, Failed};
use crate::{
    config::Config,
    reactor::{RESERVED_DESCRIPTORS, disable_huge_pages, raise_descriptor_limit},
};
use std::fs;

/// What came of looking at one thing.
#[derive(Debug, PartialEq)]
enum Found {
    Well,
    /// The system does not tell.
    Unknown,
    /// What hurts, and what to do about it.
    Bad(String),
}

/// Looks at everything. It fails if anything is bad.
pub fn run(console: &mut Console) -> Result<(), Failed> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let config = Config::default();
    let wanted_files = u64::from(config.maxclients) + RESERVED_DESCRIPTORS;
    let looks: [(&str, &dyn Fn() -> Found); 5] = [
        ("overcommit", &|| overcommit(&read("/proc/sys/vm/overcommit_memory"))),
        ("THP", &|| huge_pages(&read("/sys/kernel/mm/transparent_hugepage/enabled"), disable_huge_pages)),
        ("somaxconn", &|| backlog(&read("/proc/sys/net/core/somaxconn"), config.tcp_backlog)),
        ("slow-clocksource", &|| clock(&read("/sys/devices/system/clocksource/clocksource0/current_clocksource"))),
        ("open-files", &|| open_files(raise_descriptor_limit(wanted_files), wanted_files)),
    ];
    let mut is_well = true;
    for (name, look) in looks {
        match look() {
            Found::Well => console.say(format!("[{name}]...OK")),
            Found::Unknown => console.say(format!("[{name}]...skipped")),
            Found::Bad(what) => {
                console.say(format!("[{name}]...WARNING:\n{what}"));
                is_well = false;
            }
        }
    }
    if is_well { Ok(()) } else { Err(Failed) }
}

fn overcommit(mode: &str) -> Found {
    match mode.trim() {
        "" => Found::Unknown,
        "2" => Found::Bad(
            "The kernel counts memory that was asked for, not memory that is used (vm.overcommit_memory is 2): it may refuse some while much is free, \
             and the server would end. Run 'sysctl vm.overcommit_memory=0', and put the line vm.overcommit_memory=0 into a file in /etc/sysctl.d."
                .into(),
        ),
        _ => Found::Well,
    }
}

/// `turn_off`: has this process, and its children, go without.
fn huge_pages(modes: &str, turn_off: impl Fn() -> bool) -> Found {
    match modes.contains("[always]") {
        _ if modes.is_empty() => Found::Unknown,
        true if !turn_off() => Found::Bad(
            "Transparent huge pages are always on, and a process cannot go without: memory grows by 2 MiB where 4 KiB are used, and is slower to be had. \
             Run 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled', and see that this is done at boot."
                .into(),
        ),
        _ => Found::Well,
    }
}

fn backlog(somaxconn: &str, wanted: u32) -> Found {
    match somaxconn.trim().parse::<u32>() {
        Err(_) => Found::Unknown,
        Ok(most) if most < wanted => Found::Bad(format!(
            "At most {most} connections may wait to be accepted, and tcp-backlog is {wanted}: when many clients come at once some will be refused. \
             Run 'sysctl net.core.somaxconn=1024', and put the line net.core.somaxconn=1024 into a file in /etc/sysctl.d."
        )),
        Ok(_) => Found::Well,
    }
}

fn clock(source: &str) -> Found {
    match source.trim() {
        "" => Found::Unknown,
        slow @ ("hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" | "pit" | "xen") => Found::Bad(format!(
            "The clock source is {slow}, which takes a system call each time that the server looks at the clock. \
             Run 'echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource' if available_clocksource beside it lists tsc or kvm-clock."
        )),
        _ => Found::Well,
    }
}

fn open_files(most: u64, wanted: u64) -> Found {
    if most >= wanted {
        return Found::Well;
    }
    Found::Bad(format!(
        "A process may have {most} files and connections open, and maxclients 10000 needs {wanted}: fewer clients will be let in. \
         Set LimitNOFILE=65536 in the unit, or 'ulimit -n 65536' where the server is started."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_bad(found: &Found) -> bool {
        matches!(found, Found::Bad(_))
    }

    #[test]
    fn what_hurts_is_found() {
        assert!(is_bad(&overcommit("2\n")));
        assert!(is_bad(&huge_pages("[always] madvise never\n", || false)));
        assert!(is_bad(&backlog("128\n", 511)));
        assert!(is_bad(&clock("hpet\n")) && is_bad(&clock("xen\n")));
        assert!(is_bad(&open_files(1024, 10_032)));
    }

    #[test]
    fn what_does_not_is_left_alone() {
        for found in [
            overcommit("0\n"),
            overcommit("1\n"),
            huge_pages("always [madvise] never\n", || false),
            huge_pages("[always] madvise never\n", || true),
            backlog("511\n", 511),
            clock("tsc\n"),
            clock("kvm-clock\n"),
            open_files(10_032, 10_032),
        ] {
            assert_eq!(found, Found::Well);
        }
    }

    #[test]
    fn what_the_system_does_not_tell_is_skipped() {
        for found in [overcommit(""), huge_pages("", || true), backlog("", 511), clock("")] {
            assert_eq!(found, Found::Unknown);
        }
    }
}
