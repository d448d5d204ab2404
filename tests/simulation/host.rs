//! The clock, and the world as one engine is shown it.

use super::{caching::MEMORY_MAX, disk::Disk};
use solod::state::{DiskDone, Host, disk::DiskJob};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// Unix time at which every simulation begins, in microseconds.
const EPOCH_US: i64 = 1_700_000_000_000_000;

/// Time, the same for everybody: it moves to the next event, and by a little whenever somebody looks.
pub struct Clock {
    nanos: Cell<u64>,
    /// What a look takes: so long that a slice of background work ends after a few steps.
    look_nanos: Cell<u64>,
    ordinary_look_nanos: u64,
}

impl Clock {
    /// It begins one second after the machine was started.
    pub fn new(look_nanos: u64) -> Rc<Self> {
        Rc::new(Self { nanos: Cell::new(1_000_000_000), look_nanos: Cell::new(look_nanos), ordinary_look_nanos: look_nanos })
    }

    /// Nanoseconds.
    pub fn now(&self) -> u64 {
        self.nanos.get()
    }

    /// Moves on to a moment, if that has not passed.
    pub fn advance_to(&self, nanos: u64) {
        self.nanos.set(self.nanos.get().max(nanos));
    }

    /// A look takes so long, until it is said otherwise; `None`: what it takes as a rule.
    pub fn stretch(&self, look_nanos: Option<u64>) {
        self.look_nanos.set(look_nanos.unwrap_or(self.ordinary_look_nanos));
    }

    fn look(&self) -> u64 {
        self.nanos.set(self.nanos.get() + self.look_nanos.get());
        self.nanos.get()
    }
}

/// The world of one node.
pub struct SimHost {
    clock: Rc<Clock>,
    /// How far its idea of Unix time is off, in microseconds.
    skew_us: i64,
    disk: Rc<RefCell<Disk>>,
    pressure: Rc<Cell<usize>>,
}

impl SimHost {
    /// As often as `pressure` says, there is too much memory in use.
    pub fn new(clock: Rc<Clock>, skew_us: i64, disk: Rc<RefCell<Disk>>, pressure: Rc<Cell<usize>>) -> Self {
        Self { clock, skew_us, disk, pressure }
    }
}

impl Host for SimHost {
    fn unix_us(&self) -> i64 {
        EPOCH_US + self.clock.now() as i64 / 1000 + self.skew_us
    }

    fn nanos(&self) -> u64 {
        self.clock.look()
    }

    fn cpu_nanos(&self) -> u64 {
        self.clock.now()
    }

    fn used_memory(&self) -> usize {
        let left = self.pressure.get();
        self.pressure.set(left.saturating_sub(1));
        if left > 0 { 2 * MEMORY_MAX as usize } else { 0 }
    }

    fn disk_now(&mut self, job: DiskJob) -> DiskDone {
        self.disk.borrow_mut().now(job)
    }
}
