//! The environment as the engine is shown it.

use super::{
    clock::{self, Clock},
    crash,
    daemon::{self, RESERVED_DESCRIPTORS},
    disk::Disk,
    fatal, files,
    listen::{Listeners, reason},
    logger, placement, restart,
    signals::Urgency,
    title::Title,
    tls::Tls,
};
use crate::{
    alloc,
    config::{Config, DirectiveId},
    state::{CpuTimes, DiskDone, DiskJob, Host, ProcessFacts, TlsFacts},
};
use std::{cell::RefCell, fs, io, path::Path, rc::Rc, time::Duration};

/// What the loop and the host both have.
pub struct Shared {
    pub listeners: Rc<RefCell<Listeners>>,
    pub disk: Rc<RefCell<Disk>>,
    pub tls: Rc<RefCell<Tls>>,
}

/// The real clock, files and process.
pub struct RealHost {
    clock: Clock,
    process: Rc<ProcessFacts>,
    shared: Shared,
    title: Title,
    urgency: Urgency,
    oom_score: placement::OomScore,
}

impl RealHost {
    /// `config_file` is empty when there is none.
    pub fn new(config_file: String, shared: Shared, urgency: Urgency, supervised: bool) -> Self {
        let title = Title::new(&config_file);
        Self {
            clock: Clock::new(),
            process: Rc::new(process_facts(config_file, supervised)),
            shared,
            title,
            urgency,
            oom_score: placement::OomScore::default(),
        }
    }

    /// Shows the process's title for the first time.
    pub fn show_title(&self, config: &Config) {
        self.title.show(config);
    }

    /// Makes room for `maxclients`, or lowers it to what there is room for. With room for none there is no use in going on.
    pub fn raise_file_limit(&mut self, mut config: Config) -> Result<Config, String> {
        let wanted = u64::from(config.maxclients) + RESERVED_DESCRIPTORS;
        let got = daemon::raise_descriptor_limit(wanted);
        if got <= RESERVED_DESCRIPTORS {
            return Err(format!(
                "Your current 'ulimit -n' of {got} is not enough for the server to start. \
                 Please increase your open file limit to at least {wanted}. Exiting."
            ));
        }
        if got < wanted {
            let fits = (got - RESERVED_DESCRIPTORS) as u32;
            log::warn!("You requested maxclients of {} requiring at least {wanted} max file descriptors.", config.maxclients);
            log::warn!("Server can't set maximum open files to {wanted} because of OS error: Operation not permitted.");
            log::warn!(
                "Current maximum open files is {got}. maxclients has been reduced to {fits} to compensate for low ulimit. \
                 If you need higher maxclients increase 'ulimit -n'."
            );
            config.maxclients = fits;
        }
        Ok(config)
    }
}

/// Why settings of TLS could not be put into effect.
const NO_TLS_UPDATE: &str = "Unable to update TLS configuration. Check server logs.";

/// Physical memory of the machine in bytes.
fn system_memory() -> usize {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

fn process_facts(config_file: String, supervised: bool) -> ProcessFacts {
    let absolute = |p: String| fs::canonicalize(&p).map_or(p, |p| p.to_string_lossy().into_owned());
    ProcessFacts {
        pid: std::process::id(),
        system_memory: system_memory(),
        executable: std::env::current_exe().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default(),
        os: daemon::uname(),
        config_file: if config_file.is_empty() { config_file } else { absolute(config_file) },
        allocator: alloc::name(),
        multiplexing_api: "epoll",
        supervised: if supervised { "systemd" } else { "no" },
        compiler: "0.0.0",
    }
}

impl Host for RealHost {
    fn unix_us(&self) -> i64 {
        self.clock.unix_us()
    }

    #[inline]
    fn nanos(&self) -> u64 {
        self.clock.nanos()
    }

    fn tick(&mut self) {
        self.clock.adjust();
    }

    fn sleep(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn cpu_nanos(&self) -> u64 {
        clock::cpu_nanos()
    }

    fn process(&self) -> Rc<ProcessFacts> {
        Rc::clone(&self.process)
    }

    fn tls(&self) -> Option<TlsFacts> {
        self.shared.tls.borrow().facts().cloned()
    }

    fn rss(&self) -> usize {
        // Size, then resident, in pages.
        let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * daemon::page_bytes()
    }

    fn cpu_times(&self) -> CpuTimes {
        let ((sys, user), (sys_main, user_main)) = (daemon::cpu_seconds(libc::RUSAGE_SELF), daemon::cpu_seconds(libc::RUSAGE_THREAD));
        CpuTimes { sys, user, sys_main, user_main }
    }

    fn disk_now(&mut self, job: DiskJob) -> DiskDone {
        // An unfinished file is not to be left behind.
        let (begins, ends) = (matches!(job, DiskJob::Create { .. }), matches!(job, DiskJob::Commit { .. } | DiskJob::Abort { .. }));
        if begins {
            self.urgency.hold();
        }
        let done = self.shared.disk.borrow_mut().run(job);
        if ends || begins && done.result.is_err() {
            self.urgency.release();
        }
        done
    }

    fn secret(&mut self, bytes: usize) -> Vec<u8> {
        let words = bytes.div_ceil(size_of::<u64>());
        (0..words).flat_map(|_| daemon::random_u64().to_ne_bytes()).take(bytes).collect()
    }

    fn is_end_urgent(&self) -> bool {
        self.urgency.is_high()
    }

    fn used_memory(&self) -> usize {
        alloc::used()
    }

    fn held(&self) -> alloc::Holdings {
        alloc::held()
    }

    fn purge_memory(&mut self) {
        alloc::purge();
    }

    fn allocator_stats(&self) -> String {
        format!("{}: {} bytes in use, {} bytes resident", alloc::name(), alloc::used(), self.rss())
    }

    fn allocator_control(&self, name: &str) -> Option<i64> {
        alloc::control(name)
    }

    fn allocator_act(&mut self, name: &str) -> bool {
        let is_known = name == "thread.tcache.flush";
        if is_known {
            alloc::flush_thread();
        }
        is_known
    }

    fn crash(&mut self) {
        fatal::segfault();
    }

    fn restart(&mut self, delay: Duration) -> io::Error {
        std::thread::sleep(delay);
        restart::restart(Path::new(&self.process.executable))
    }

    fn read_config_file(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn replace_config_file(&mut self, path: &str, text: &[u8]) -> io::Result<()> {
        files::replace(Path::new(path), text)
    }

    fn apply(&mut self, config: &Config, changed: DirectiveId) -> Result<(), String> {
        match changed {
            DirectiveId::proc_title_template | DirectiveId::unixsocket => {
                self.title.show(config);
                Ok(())
            }
            // The log has the addresses.
            DirectiveId::port | DirectiveId::bind => {
                self.shared.listeners.borrow_mut().open(config).map_err(|_| match changed {
                    DirectiveId::port => "Unable to listen on this port. Check server logs.".to_owned(),
                    _ => "Failed to bind to specified addresses.".to_owned(),
                })?;
                self.title.show(config);
                Ok(())
            }
            DirectiveId::tls_port => {
                let tls = self.shared.tls.borrow_mut().configure(config);
                tls.map_err(|_| NO_TLS_UPDATE.to_owned())?;
                self.shared
                    .listeners
                    .borrow_mut()
                    .open(config)
                    .map_err(|_| "Unable to listen on this port. Check server logs.".to_owned())?;
                self.title.show(config);
                Ok(())
            }
            DirectiveId::tls_cert_file
            | DirectiveId::tls_key_file
            | DirectiveId::tls_key_file_pass
            | DirectiveId::tls_client_cert_file
            | DirectiveId::tls_client_key_file
            | DirectiveId::tls_client_key_file_pass
            | DirectiveId::tls_ca_cert_file
            | DirectiveId::tls_ca_cert_dir
            | DirectiveId::tls_auth_clients
            | DirectiveId::tls_auth_clients_user
            | DirectiveId::tls_replication
            | DirectiveId::tls_cluster
            | DirectiveId::tls_protocols
            | DirectiveId::tls_ciphers
            | DirectiveId::tls_ciphersuites
            | DirectiveId::tls_prefer_server_ciphers
            | DirectiveId::tls_session_caching
            | DirectiveId::tls_session_cache_size
            | DirectiveId::tls_session_cache_timeout => {
                self.shared.tls.borrow_mut().configure(config).map_err(|_| NO_TLS_UPDATE.to_owned())
            }
            DirectiveId::oom_score_adj | DirectiveId::oom_score_adj_values => self.oom_score.apply(config),
            DirectiveId::jemalloc_bg_thread => {
                alloc::set_background_thread(config.jemalloc_bg_thread);
                Ok(())
            }
            DirectiveId::crash_log_enabled | DirectiveId::use_exit_on_panic | DirectiveId::watchdog_period | DirectiveId::hz => {
                crash::set(config);
                Ok(())
            }
            DirectiveId::loglevel | DirectiveId::log_format | DirectiveId::log_timestamp_format | DirectiveId::hide_user_data_from_log => {
                logger::set(config);
                Ok(())
            }
            DirectiveId::dir => std::env::set_current_dir(&config.dir).map_err(|e| reason(&e)),
            DirectiveId::maxclients => {
                let wanted = u64::from(config.maxclients) + RESERVED_DESCRIPTORS;
                let got = daemon::raise_descriptor_limit(wanted);
                if got < wanted {
                    return Err(format!(
                        "The operating system is not able to handle the specified number of clients, try with {}",
                        got.saturating_sub(RESERVED_DESCRIPTORS)
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
