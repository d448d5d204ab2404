//! What the clients and the conductor share.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

/// Faults that are told in full.
const FAULTS_MAX: usize = 20;

#[derive(Default)]
pub struct Stage {
    /// Held by each client for a batch, and by the conductor while nothing is to be sent.
    gate: RwLock<()>,
    stopped: AtomicBool,
    /// The primary first, then the replicas that run.
    addresses: RwLock<Vec<SocketAddr>>,
    faults: Mutex<Vec<String>>,
    pub commands: AtomicU64,
    pub connections: AtomicU64,
}

impl Stage {
    /// A client's turn, which comes when the conductor does not want silence.
    pub fn turn(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().unwrap()
    }

    /// Nobody sends anything while this lives.
    pub fn silence(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().unwrap()
    }

    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    /// Whether it is over, or there is no sense in going on.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    pub fn set_addresses(&self, addresses: Vec<SocketAddr>) {
        *self.addresses.write().unwrap() = addresses;
    }

    pub fn primary(&self) -> SocketAddr {
        self.addresses.read().unwrap()[0]
    }

    /// The primary, or a replica when `number` says so.
    pub fn any(&self, number: u64) -> SocketAddr {
        let addresses = self.addresses.read().unwrap();
        addresses[number as usize % addresses.len()]
    }

    /// Notes what must not be. The run ends, so that what led to it is near.
    pub fn fault(&self, what: String) {
        let mut faults = self.faults.lock().unwrap();
        if faults.len() < FAULTS_MAX {
            println!("fault: {what}");
            faults.push(what);
        }
        self.stop();
    }

    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }
}
