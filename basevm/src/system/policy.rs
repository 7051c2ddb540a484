//! What a system's plan says about one VM besides its grants: how urgent it is, what it may see, what
//! happens after its end, and what its device programs may use.

use crate::platform::Nanos;

/// How often a VM runs when several can. A lower one still gets a share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Priority {
    /// After the others.
    Low,
    /// Unless something else is said.
    #[default]
    Normal,
    /// Before the others.
    High,
}

/// What happens after the end of a VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestartPolicy {
    /// After which ends it is started again.
    pub when: Restart,
    /// How long it waits before it is started again; doubles with each restart within [`RestartPolicy::within`].
    pub backoff: Nanos,
    /// Most restarts within [`RestartPolicy::within`]; the end after that one escalates.
    pub limit: u32,
    /// The time over which restarts are counted.
    pub within: Nanos,
    /// What happens beyond the limit.
    pub then: Escalation,
    /// Whether those who hold a capability of it go on with the restarted one; else theirs are dead (status 6).
    pub keep_clients: bool,
}

/// After which ends a VM is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Restart {
    /// Its end is final.
    #[default]
    Never,
    /// After a trap, a panic, a quota overrun or a missed deadline.
    OnFault,
    /// Also when it ended by itself.
    Always,
}

/// What follows when a VM was restarted too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Escalation {
    /// It stays ended.
    #[default]
    Stop,
    /// The whole system ends, with code 1.
    HaltSystem,
}

impl Default for RestartPolicy {
    /// Never restarted; the bounds are those of a policy that says only when.
    fn default() -> RestartPolicy {
        RestartPolicy {
            when: Restart::Never,
            backoff: 10_000_000,
            limit: 5,
            within: 10_000_000_000,
            then: Escalation::Stop,
            keep_clients: false,
        }
    }
}

/// Bounds of one run of a device program that a VM sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramBounds {
    /// Processor time.
    pub time: Nanos,
    /// Memory in bytes, paid for by the sender.
    pub memory_bytes: u64,
}

impl Default for ProgramBounds {
    fn default() -> ProgramBounds {
        ProgramBounds { time: 1_000_000_000, memory_bytes: 16 << 20 }
    }
}
