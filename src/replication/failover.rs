//! FAILOVER: a primary hands its role to one of its replicas, with no write lost.

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailoverStep {
    /// Writes wait until a replica has everything.
    WaitForSync,
    /// We are a replica of the target, and ask it to take over.
    InProgress,
}

/// A failover on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// How far it is.
    pub step: FailoverStep,
    /// Host and port of the replica that takes over; any one will do without.
    pub target: Option<(String, u16)>,
    /// Unix time in milliseconds at which it ends without success, or is forced.
    pub until_ms: Option<i64>,
    /// At that time the target takes over whatever it lacks.
    pub force: bool,
}

impl Failover {
    /// The step's name in INFO.
    pub fn name(failover: Option<&Self>) -> &'static str {
        match failover.map(|f| f.step) {
            None => "no-failover",
            Some(FailoverStep::WaitForSync) => "waiting-for-sync",
            Some(FailoverStep::InProgress) => "failover-in-progress",
        }
    }
}

/// What FAILOVER is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FailoverRequest {
    /// Milliseconds that the replica has to catch up.
    pub timeout_ms: Option<i64>,
    /// Host and port of the replica that is to take over.
    pub target: Option<(String, i64)>,
    /// It takes over when the time is up, whatever it lacks.
    pub force: bool,
}
