//! The script that runs, as others see it: who may end it, and what is told of it. How it is run is the engine's part.

use super::{client::DebugMode, conn_id::ConnId};
use crate::resp::request::OwnedArgs;
use std::rc::Rc;

/// What a running script came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EVAL and its kin.
    Script,
    /// FCALL.
    Function,
}

impl Kind {
    /// The error for whoever asks for something else meanwhile.
    pub const fn busy(self) -> &'static str {
        match self {
            Self::Script => "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            Self::Function => "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
        }
    }

    /// What ends it.
    pub const fn kill_command(self) -> &'static str {
        match self {
            Self::Script => "SCRIPT KILL",
            Self::Function => "FUNCTION KILL",
        }
    }

    /// The error that it ends with when it is killed.
    pub const fn killed(self) -> &'static str {
        match self {
            Self::Script => "ERR Error running script: Script killed by user with SCRIPT KILL.",
            Self::Function => "ERR Error running script: Script killed by user with FUNCTION KILL.",
        }
    }
}

/// A script that runs.
pub struct Running {
    /// What it came from.
    pub kind: Kind,
    /// Its SHA1, or the function's name.
    pub name: Rc<[u8]>,
    /// The client that called it. It may be gone by now: then nobody hears what comes of it.
    pub caller: ConnId,
    /// CLIENT ID of that client.
    pub caller_id: u64,
    /// It came from our primary or from a file, and is not to be killed.
    pub repeats: bool,
    /// It may only read.
    pub read_only: bool,
    /// It goes on although memory is short.
    pub allow_oom: bool,
    /// Memory was short when it began, and it may not go on all the same.
    pub denies_oom: bool,
    /// Its user may not do everything. No user changes while it runs.
    pub is_restricted: bool,
    /// It has run a command that writes.
    pub wrote: bool,
    /// Somebody has asked for its end.
    pub killed: bool,
    /// Monotonic nanoseconds at which it began.
    pub began: u64,
    /// Unix time in microseconds that its commands see: that of its beginning.
    pub unix_us: i64,
    /// Where its commands go (`redis.set_repl`): bit 0 the append-only file, bit 1 replicas.
    pub propagates: u8,
    /// What its client had called: kept from when it is suspended.
    pub args: Option<OwnedArgs>,
    /// It is run in the debugger.
    pub debug: Option<DebugMode>,
}

/// What FUNCTION STATS shows.
pub struct Shown<'a> {
    /// The function's name.
    pub name: Box<[u8]>,
    /// What was called.
    pub args: Vec<&'a [u8]>,
    /// For how long it has run.
    pub ms: u64,
}

/// Scripts, as others see them.
#[derive(Default)]
pub struct Scripts {
    /// The one that runs.
    pub running: Option<Running>,
    /// It has run for longer than `busy-reply-threshold`, and the loop goes on beside it.
    pub is_slow: bool,
    /// Some commands that scripts may not call they may call all the same: for tests (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub allows_more: bool,
}

impl Running {
    /// Whether what it changes is undone at its end.
    pub fn is_rehearsal(&self) -> bool {
        self.debug == Some(DebugMode::Rehearsal)
    }
}

impl Scripts {
    /// The error for commands that have to wait for the end of a slow script.
    pub fn busy(&self) -> Option<&'static str> {
        self.running.as_ref().filter(|_| self.is_slow).map(|running| running.kind.busy())
    }

    /// Ends the script that runs, if it is of this kind and has not written. The error is what the client is answered with.
    pub fn kill(&mut self, kind: Kind) -> Result<(), &'static str> {
        let Some(running) = self.running.as_mut().filter(|_| self.is_slow) else {
            return Err("NOTBUSY No scripts in execution right now.");
        };
        if running.repeats {
            return Err("UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.");
        }
        if running.wrote && !running.is_rehearsal() {
            return Err(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or \
                 kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            );
        }
        if running.kind != kind {
            return Err(running.kind.busy());
        }
        running.killed = true;
        Ok(())
    }

    /// The function that runs, if one does for so long that somebody can ask.
    pub fn running_function(&self, nanos: u64) -> Option<Shown<'_>> {
        let running = self.running.as_ref().filter(|running| running.kind == Kind::Function)?;
        Some(Shown {
            name: Box::from(&*running.name),
            args: running.args.as_ref().map(|args| args.args().iter().collect()).unwrap_or_default(),
            ms: nanos.saturating_sub(running.began) / 1_000_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(kind: Kind) -> Scripts {
        let running = Running {
            kind,
            name: b"f"[..].into(),
            caller: ConnId(1),
            caller_id: 1,
            repeats: false,
            read_only: false,
            allow_oom: false,
            denies_oom: false,
            is_restricted: false,
            wrote: false,
            killed: false,
            began: 5_000_000,
            unix_us: 0,
            propagates: 3,
            args: None,
            debug: None,
        };
        Scripts { running: Some(running), is_slow: true, allows_more: false }
    }

    #[test]
    fn a_script_is_killed_by_its_own_command_unless_it_has_written() {
        assert!(Scripts::default().kill(Kind::Script).is_err_and(|text| text.starts_with("NOTBUSY")));
        for (kind, other) in [(Kind::Script, Kind::Function), (Kind::Function, Kind::Script)] {
            let mut scripts = slow(kind);
            assert_eq!(scripts.kill(other), Err(kind.busy()));
            assert!(scripts.running.as_ref().is_some_and(|running| !running.killed));
            assert_eq!(scripts.kill(kind), Ok(()));
            assert!(scripts.running.as_ref().is_some_and(|running| running.killed));
        }
        for change in [|running: &mut Running| running.wrote = true, |running: &mut Running| running.repeats = true] {
            let mut scripts = slow(Kind::Script);
            change(scripts.running.as_mut().expect("it runs"));
            assert!(scripts.kill(Kind::Script).is_err_and(|text| text.starts_with("UNKILLABLE")));
        }
    }

    #[test]
    fn only_a_function_is_shown_as_one() {
        assert!(slow(Kind::Script).running_function(0).is_none());
        let scripts = slow(Kind::Function);
        let shown = scripts.running_function(12_000_000).expect("it runs");
        assert_eq!((&shown.name[..], shown.ms), (&b"f"[..], 7));
    }
}
