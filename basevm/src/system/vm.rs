//! One VM as the system sees it: its state, inbox, slots, and what runs in it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::FuncId;
use il::isa::GridInstruction;
use il::trap::Status;

use super::builtin::Builtin;
use super::channel::{ChannelId, Executes, Link, Open, Work};
use super::contained::{self, Contained};
use super::directory::Item;
use super::external::External;
use super::inbox::Inbox;
use super::observe::Meter;
use super::programs::Acting;
use super::schedule::Timer;
use super::supervise::Supervision;
use super::{Refused, VmOptions};
use crate::arena::ArenaId;
use crate::buf::Account;
use crate::engine::{Instance, Step, TrapReport};
use crate::holder::Holder;
use crate::platform::Nanos;
use crate::service::{Reply, Service, VmId, Waker};

/// Why a VM is not running any more.
#[derive(Clone, Debug)]
pub enum Fate {
    /// `main` returned and nothing is left to serve, or the supervisor stopped it.
    Returned,
    /// It ended itself with this exit code (`exit`), of which a command line sees the lowest byte.
    Exited(i32),
    /// It trapped or panicked.
    Fault(Box<TrapReport>),
    /// It did not complete the handshake.
    Refused(Refused),
}

/// How far the handshake is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    /// Nothing was said.
    New,
    /// `hello` came, `done` not yet.
    Introducing,
    /// Introduced; in the directory.
    Announced,
    /// Its capabilities were granted.
    Granted,
    /// Packets and events are delivered.
    Ready,
}

/// A capability that a VM wants.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub name: String,
    pub set: String,
    pub items: Vec<Item>,
}

/// What the base has heard from a VM in the handshake.
#[derive(Debug)]
pub(crate) struct Session {
    pub stage: Stage,
    pub name: String,
    /// The sets that it executes, with their instructions and events.
    pub provided: Vec<(String, Vec<Item>)>,
    pub wants: Vec<Want>,
    /// The first step that was not accepted.
    pub failed: Option<String>,
    /// The base's answer to the last step.
    pub answer: Option<Result<Reply, Status>>,
}

impl Session {
    fn new() -> Session {
        Session {
            stage: Stage::New,
            name: String::new(),
            provided: Vec::new(),
            wants: Vec::new(),
            failed: None,
            answer: None,
        }
    }
}

/// One VM.
#[derive(Debug)]
pub(crate) struct Vm {
    pub name: String,
    /// Tells VMs of one name apart.
    pub index: u32,
    pub options: VmOptions,
    pub account: Arc<Account>,
    /// What it executes.
    pub executes: Option<Arc<Executes>>,
    /// The other sets that it executes, if there are several.
    pub further: Vec<Arc<Executes>>,
    pub session: Session,
    /// Its way to the base.
    pub base: Option<Link>,
    /// Its capabilities, by slot.
    pub slots: Vec<Option<Link>>,
    /// Channels that end here.
    pub incoming: Vec<ChannelId>,
    /// How many channels begin or end here.
    pub channels: usize,
    pub inbox: Inbox,
    /// Events in the inbox.
    pub events_queued: usize,
    /// Events lost since the last delivery, by slot and number.
    pub lost: BTreeMap<(u32, u8), u64>,
    /// The packet that it is executing.
    pub work: Option<Work>,
    pub body: Body,
    /// Whether it is to run.
    pub scheduled: bool,
    /// Whether it stands in the run queue. It may have been handed to since, and then does not run when its turn comes.
    pub queued: bool,
    /// What is due for it, at most one of a kind.
    pub timers: Vec<Timer>,
    /// Instructions executed for others.
    pub executed: u64,
    pub fate: Option<Fate>,
    pub meter: Meter,
    /// Who has spawned it.
    pub parent: Option<VmId>,
    /// What it has spawned; it ends with it.
    pub children: Vec<VmId>,
    /// For whom it runs a device program.
    pub acting: Option<Box<Acting>>,
    pub supervision: Supervision,
}

/// What runs in a VM.
#[derive(Debug)]
pub(crate) enum Body {
    /// The base itself: answers the handshake.
    Base,
    Il(Box<IlVm>),
    Rust(RustVm),
    External(External),
    /// A part of the base that others see as a VM.
    Builtin(Builtin),
    /// It has ended.
    Gone,
}

/// A VM that runs IL.
#[derive(Debug)]
pub(crate) struct IlVm {
    pub instance: Instance,
    pub main: Main,
    /// The handler or `op` that runs, above `main`.
    pub turn: Option<Turn>,
    pub next: Next,
    /// Function of each handler, by slot and event.
    pub handlers: BTreeMap<(u32, u8), FuncId>,
    /// Given slots at which the heap is asked which of them are in use.
    pub reclaim_at: usize,
    /// For each provided set, the function of each instruction, in its order.
    pub ops: Vec<Vec<FuncId>>,
}

/// What `main` is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Main {
    /// To be started.
    Pending(FuncId),
    Active,
    /// In `wait` or `wait_forever`.
    Waiting {
        forever: bool,
    },
    /// It returned, or there is none.
    Gone,
}

/// A handler or `op` under way.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The request that it answers; a handler answers none.
    pub request: Option<(ChannelId, Open)>,
    /// What `fail` said.
    pub failed: Option<Status>,
    /// Processor time that it used.
    pub used: Nanos,
}

/// What is to be done when the VM is scheduled next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Start `main`.
    Start(FuncId),
    Resume(u64),
    ResumeCall(Result<Reply, Status>),
    /// Act on this step again: what stopped it is gone.
    Retry(Step),
    /// Take the next delivery from the inbox.
    Dispatch,
    Blocked(Block),
    /// It is being run.
    Running,
}

/// What a VM waits for.
#[derive(Debug)]
pub(crate) enum Block {
    Reply {
        channel: ChannelId,
        tag: u32,
        deadline: Option<Nanos>,
    },
    /// All that was sent has been executed.
    Flush {
        channel: ChannelId,
    },
    /// Room in the channel's queue; then this step is acted on again.
    Credit {
        channel: ChannelId,
        step: Step,
    },
}

impl Block {
    /// The channel whose receiver it waits for.
    pub fn channel(&self) -> ChannelId {
        match self {
            Block::Reply { channel, .. } | Block::Flush { channel } | Block::Credit { channel, .. } => *channel,
        }
    }
}

impl IlVm {
    /// Whether a delivery can be taken from the inbox now.
    pub fn is_idle(&self) -> bool {
        matches!(self.next, Next::Dispatch)
    }
}

/// A VM written in Rust.
pub(crate) struct RustVm {
    /// Taken out while it runs; a VM is never re-entered.
    pub service: Option<Box<dyn Service>>,
    pub waker: Waker,
    /// Instructions of its set that mean something on its grid.
    pub grid: &'static [GridInstruction],
    /// Where it allocates while it runs.
    pub arena: ArenaId,
    /// Whether the arena is freed whole in the end.
    pub contained: Option<Contained>,
    /// The buffers that it holds, if it is contained.
    pub holder: Option<Holder>,
    /// When it asked to be woken.
    pub wake_at: Option<Nanos>,
    /// Whether a backend has a request under way, or live input may come.
    pub pending: bool,
}

impl Drop for RustVm {
    /// After a panic the service has been forgotten; otherwise it is dropped first.
    fn drop(&mut self) {
        self.service = None;
        match self.contained {
            Some(contained) => contained.free(self.arena, self.holder.as_ref()),
            None => contained::give_back(self.arena),
        }
    }
}

impl core::fmt::Debug for RustVm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RustVm").field("wake_at", &self.wake_at).field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Vm {
    /// A VM that has said nothing yet.
    pub fn new(options: VmOptions, account: Arc<Account>, body: Body) -> Vm {
        Vm {
            name: options.name.clone(),
            index: 0,
            options,
            account,
            executes: None,
            further: Vec::new(),
            session: Session::new(),
            base: None,
            slots: Vec::new(),
            incoming: Vec::new(),
            channels: 0,
            inbox: Inbox::default(),
            events_queued: 0,
            lost: BTreeMap::new(),
            work: None,
            body,
            scheduled: false,
            queued: false,
            timers: Vec::new(),
            executed: 0,
            fate: None,
            meter: Meter::default(),
            parent: None,
            children: Vec::new(),
            acting: None,
            supervision: Supervision::none(),
        }
    }

    /// A VM that has ended and was forgotten.
    pub fn gone() -> Vm {
        let options = VmOptions { name: "gone".into(), ..VmOptions::default() };
        Vm { fate: Some(Fate::Returned), ..Vm::new(options, Account::new(0), Body::Gone) }
    }

    /// A set that it executes, by its place among them.
    #[inline]
    pub fn executes_set(&self, place: u8) -> Option<&Arc<Executes>> {
        match place {
            0 => self.executes.as_ref(),
            place => self.further.get(usize::from(place) - 1),
        }
    }

    /// Which of its sets has this path.
    pub fn place_of_set(&self, path: &str) -> u8 {
        self.further.iter().position(|executes| executes.set.path() == path).map_or(0, |at| at as u8 + 1)
    }

    /// `name/index`, as the directory has it.
    pub fn address(&self) -> String {
        match self.acting {
            Some(_) => self.name.clone(),
            None => alloc::format!("{}/{}", self.name, self.index),
        }
    }

    /// Whether the handshake is complete and the VM has not ended.
    pub fn is_ready(&self) -> bool {
        self.session.stage == Stage::Ready && self.fate.is_none()
    }

    /// Whether there is a delivery to act on.
    pub fn has_work(&self) -> bool {
        self.work.is_some() || !self.inbox.is_empty()
    }

    /// The IL side, if it is one.
    pub fn il(&mut self) -> Option<&mut IlVm> {
        match &mut self.body {
            Body::Il(il) => Some(il),
            _ => None,
        }
    }

    /// What it waits for, if it is blocked.
    pub fn block(&self) -> Option<&Block> {
        match &self.body {
            Body::Il(il) => match &il.next {
                Next::Blocked(block) => Some(block),
                _ => None,
            },
            _ => None,
        }
    }

    /// The channel behind a slot.
    pub fn link(&self, slot: usize) -> Option<Link> {
        self.slots.get(slot).copied().flatten()
    }
}

/// The base's own identity.
pub(crate) const BASE: VmId = VmId(0);
