//! What the engine asks of its environment: clock, files and facts about the process are answers, so that a simulator can give them.

use super::disk::{DiskDone, DiskJob};
use crate::{
    alloc::Holdings,
    config::{Config, DirectiveId},
};
use std::{io, rc::Rc, time::Duration};

/// What does not change about this process while it runs.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Process id.
    pub pid: u32,
    /// Physical memory of the machine in bytes.
    pub system_memory: usize,
    /// Path of the executable.
    pub executable: String,
    /// Operating system, release and machine, as `uname` has them.
    pub os: String,
    /// Path of the configuration file, empty when there is none.
    pub config_file: String,
    /// The allocator's name and version.
    pub allocator: String,
    /// The poll interface.
    pub multiplexing_api: &'static str,
    /// Who started us: `systemd`, `upstart` or `no`.
    pub supervised: &'static str,
    /// Version of the compiler, shown where Redis shows gcc's.
    pub compiler: &'static str,
}

/// A certificate, as INFO shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// Unix seconds up to which it is valid.
    pub not_after: u64,
}

/// The certificates that are in use.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// Ours, as a server.
    pub server: Option<CertificateFacts>,
    /// Ours, as a client, where that is one of its own.
    pub client: Option<CertificateFacts>,
    /// Of the authorities' that we trust the one that expires first.
    pub authority: Option<CertificateFacts>,
}

/// Processor time in seconds, in the kernel and in user space.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuTimes {
    /// Of the process, in the kernel.
    pub sys: f64,
    /// Of the process, in user space.
    pub user: f64,
    /// Of the thread that serves clients, in the kernel.
    pub sys_main: f64,
    /// Of the thread that serves clients, in user space.
    pub user_main: f64,
}

/// What the engine asks of its environment. Implemented by the reactor, and by the simulator.
///
/// Every host has a clock. The rest is as it is where there is nothing but a clock, until a host says otherwise.
pub trait Host {
    /// Unix time in microseconds.
    fn unix_us(&self) -> i64;

    /// Nanoseconds of a clock that never goes back. Cheap: it is asked twice a command.
    fn nanos(&self) -> u64;

    /// Periodic work of the host: called about once a second.
    fn tick(&mut self) {}

    /// Sleeps for so long (`DEBUG SLEEP`). Where time is simulated there is nothing to wait for.
    fn sleep(&mut self, duration: Duration) {
        let _ = duration;
    }

    /// CPU time of this thread in nanoseconds.
    fn cpu_nanos(&self) -> u64 {
        0
    }

    /// What does not change about us.
    fn process(&self) -> Rc<ProcessFacts> {
        Rc::default()
    }

    /// Resident bytes. Takes some ten microseconds: the cron asks, and keeps the answer in [`Server::rss`](super::Server::rss).
    fn rss(&self) -> usize {
        0
    }

    /// Processor time that we have used.
    fn cpu_times(&self) -> CpuTimes {
        CpuTimes::default()
    }

    /// Random bytes that nobody can guess. A host without a source has none to give.
    fn secret(&mut self, bytes: usize) -> Vec<u8> {
        vec![0; bytes]
    }

    /// The certificates that are in use; `None` without TLS.
    fn tls(&self) -> Option<TlsFacts> {
        None
    }

    /// Process id.
    fn pid(&self) -> u32 {
        self.process().pid
    }

    /// Does work of the disk and waits for it: behind all that was asked for before, whose answers come as ever. Nothing else is served meanwhile.
    /// A host without a disk refuses it.
    fn disk_now(&mut self, job: DiskJob) -> DiskDone {
        DiskDone { file: job.file(), result: Err("there is no disk".into()) }
    }

    /// Whether the process was asked twice to end: long work is to be given up.
    fn is_end_urgent(&self) -> bool {
        false
    }

    /// Bytes handed out by the allocator: what `used_memory` is.
    fn used_memory(&self) -> usize {
        0
    }

    /// What the allocator holds. Takes some microseconds.
    fn held(&self) -> Holdings {
        Holdings::default()
    }

    /// Returns unused memory to the operating system (`MEMORY PURGE`).
    fn purge_memory(&mut self) {}

    /// The allocator's statistics, for a person.
    fn allocator_stats(&self) -> String {
        String::new()
    }

    /// A control of the allocator's that is a number, by its name.
    fn allocator_control(&self, name: &str) -> Option<i64> {
        let _ = name;
        None
    }

    /// Does what a control of the allocator's without a value stands for. `false`: there is none of this name that is safe.
    fn allocator_act(&mut self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Ends the process as an access to memory that is not there does (`DEBUG SEGFAULT`).
    fn crash(&mut self) {
        panic!("a segmentation fault, as asked");
    }

    /// Begins the process anew after so long, with the command line that it was started with. Comes back only with the reason why it cannot.
    fn restart(&mut self, delay: Duration) -> io::Error {
        let _ = delay;
        io::ErrorKind::Unsupported.into()
    }

    /// Reads the configuration file.
    fn read_config_file(&self, path: &str) -> io::Result<Vec<u8>> {
        let _ = path;
        Err(io::ErrorKind::NotFound.into())
    }

    /// Replaces the configuration file as a whole or not at all.
    fn replace_config_file(&mut self, path: &str, text: &[u8]) -> io::Result<()> {
        let _ = (path, text);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Puts a changed setting into force where that concerns sockets, limits, logging or the working directory. The error is a reason.
    fn apply(&mut self, config: &Config, changed: DirectiveId) -> Result<(), String> {
        let _ = (config, changed);
        Ok(())
    }
}
