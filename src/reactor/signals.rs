//! SIGTERM and SIGINT end the server as SHUTDOWN does; SIGABRT from outside ends it with a report; SIGHUP and SIGPIPE are ignored.

use super::crash;
use crate::{engine::Engine, state::Shutdown};
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGTERM};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Signals as events of the poll loop.
pub struct Signals {
    source: signal_hook_mio::v1_0::Signals,
    /// A shutdown has been asked for: another SIGINT ends the process wherever it is.
    asked: Arc<AtomicBool>,
}

impl Signals {
    /// Starts watching.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        // Before the others, so that the first SIGINT is not taken for a second one.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 1, Arc::clone(&asked))?;
        let mut source = signal_hook_mio::v1_0::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGABRT])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self { source, asked })
    }

    /// Does what the signals that came ask for.
    pub fn handle(&mut self, engine: &mut Engine) {
        for signal in self.source.pending() {
            let config = &engine.server.config;
            let (name, how) = match signal {
                SIGINT => ("SIGINT", config.shutdown_on_sigint),
                SIGTERM => ("SIGTERM", config.shutdown_on_sigterm),
                SIGABRT => {
                    crash::report("signal 6 (SIGABRT)");
                    return crash::end(SIGABRT);
                }
                _ => continue,
            };
            log::warn!("Received {name} scheduling shutdown...");
            let how = Shutdown { save: how.save, nosave: how.nosave, now: how.now, force: how.force };
            if engine.server.cron_paused {
                engine.server.shutdown_asked = Some(how);
                continue;
            }
            self.asked.store(true, Ordering::Relaxed);
            engine.server.shut_down(how);
        }
    }

    /// Takes note of whether a shutdown is under way: it may have failed, or been called off.
    pub fn note_shutdown(&self, under_way: bool) {
        self.asked.store(under_way, Ordering::Relaxed);
    }
}
