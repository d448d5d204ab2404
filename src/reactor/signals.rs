//! SIGTERM and SIGINT end the server as SHUTDOWN does; SIGHUP and SIGPIPE are ignored.

use crate::{engine::Engine, state::Action};
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;

/// Signals as events of the poll loop.
pub struct Signals {
    source: signal_hook_mio::v1_0::Signals,
    asked: bool,
}

impl Signals {
    /// Starts watching.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut source = signal_hook_mio::v1_0::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self { source, asked: false })
    }

    /// Does what the signals that came ask for. A second SIGINT ends the process at once.
    pub fn handle(&mut self, engine: &mut Engine) {
        for signal in self.source.pending() {
            let name = match signal {
                SIGINT => "SIGINT",
                SIGTERM => "SIGTERM",
                _ => continue,
            };
            if self.asked && signal == SIGINT {
                log::warn!("You insist... exiting now.");
                std::process::exit(1);
            }
            self.asked = true;
            log::warn!("Received {name} scheduling shutdown...");
            log::warn!("User requested shutdown...");
            engine.server.actions.push_back(Action::Exit(0));
        }
    }
}
