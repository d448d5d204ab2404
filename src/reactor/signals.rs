//! SIGTERM and SIGINT end the server as SHUTDOWN does; SIGHUP is ignored.

use crate::{engine::Engine, state::Shutdown};
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether a shutdown has been asked for, and whether a second time.
#[derive(Clone, Default)]
pub struct Urgency {
    /// A shutdown has been asked for.
    asked: Arc<AtomicBool>,
    /// SIGINT has come since.
    again: Arc<AtomicBool>,
    /// SIGINT ends the process wherever it is.
    ends: Arc<AtomicBool>,
}

impl Urgency {
    /// Whether a shutdown has been asked for a second time.
    pub fn is_high(&self) -> bool {
        self.asked.load(Ordering::Relaxed) && self.again.load(Ordering::Relaxed)
    }

    /// From now on nothing ends the process at once: there is something that has to be put away first, by whoever looks at [`Urgency::is_high`].
    pub fn hold(&self) {
        self.ends.store(false, Ordering::Relaxed);
    }

    /// Takes [`Urgency::hold`] back.
    pub fn release(&self) {
        self.ends.store(self.asked.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn note(&self, asked: bool) {
        self.asked.store(asked, Ordering::Relaxed);
        self.release();
    }
}

/// Signals as events of the poll loop.
pub struct Signals {
    source: signal_hook_mio::v1_0::Signals,
    urgency: Urgency,
}

impl Signals {
    /// Starts watching.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let urgency = Urgency::default();
        // Before the others, so that the first SIGINT is not taken for a second one.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 1, Arc::clone(&urgency.ends))?;
        signal_hook::flag::register(SIGINT, Arc::clone(&urgency.again))?;
        let mut source = signal_hook_mio::v1_0::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self { source, urgency })
    }

    /// How urgent the shutdown is, for work that does not return to the loop soon.
    pub fn urgency(&self) -> Urgency {
        self.urgency.clone()
    }

    /// Does what the signals that came ask for.
    pub fn handle(&mut self, engine: &mut Engine) {
        for signal in self.source.pending() {
            let config = &engine.server.config;
            let (name, how) = match signal {
                SIGINT => ("SIGINT", config.shutdown_on_sigint),
                SIGTERM => ("SIGTERM", config.shutdown_on_sigterm),
                _ => continue,
            };
            log::warn!("Received {name} scheduling shutdown...");
            let how = Shutdown { save: how.save, nosave: how.nosave, now: how.now, force: how.force };
            // Half of what a script does is not to be saved: it comes to its end first.
            let waits_for_script = !how.nosave && engine.server.scripts.busy().is_some();
            if engine.server.cron_paused || waits_for_script {
                engine.server.shutdown_asked = Some(how);
                continue;
            }
            self.urgency.again.store(false, Ordering::Relaxed);
            self.urgency.note(true);
            engine.server.shut_down(how);
        }
    }

    /// Takes note of whether a shutdown is under way: it may have failed, or been called off.
    pub fn note_shutdown(&self, under_way: bool) {
        self.urgency.note(under_way);
    }
}
