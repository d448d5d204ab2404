//! Which command was called last in this process: what a crash report names. It is read where nothing may be locked or allocated.

use crate::commands::CommandId;
use std::sync::atomic::{AtomicU16, Ordering};

/// No command has this number.
const NONE: CommandId = CommandId::MAX;

static LAST: AtomicU16 = AtomicU16::new(NONE);

/// Must be called before a command's handler.
#[inline(always)]
pub(super) fn note(command: CommandId) {
    LAST.store(command, Ordering::Relaxed);
}

/// The command whose handler runs or has run last.
pub fn get() -> Option<CommandId> {
    Some(LAST.load(Ordering::Relaxed)).filter(|command| *command != NONE)
}
