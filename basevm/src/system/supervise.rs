//! Supervision: what follows the end of a VM, by its policy.
//!
//! ```text
//! ends --> its callers get status 6 --> all that it held goes back --> backoff --> its next incarnation
//!                                                                       |
//!                                       limit reached: stop, or halt the system
//! ```
//!
//! Invariants: the next incarnation has another number and the same address. It exists from the moment of the
//! end, empty: what clients that are kept send meanwhile waits in its inbox, bounded by their credits. What
//! an incarnation held is gone before the next one starts.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use il::trap::{Status, TrapKind};

use super::channel::ChannelId;
use super::handshake::{Refusal, Refused};
use super::policy::{Escalation, Restart};
use super::vm::{Body, Fate, IlVm, RustVm, Stage, Vm};
use super::{Contained, EndReason, System, channel::Executes};
use crate::arena;
use crate::buf::Account;
use crate::engine::{Instance, Program, TrapReport};
use crate::holder::Holder;
use crate::platform::Nanos;
use crate::service::{Service, VmId, Waker};

/// The wait before a restart is doubled at most so often.
const MAX_DOUBLINGS: u32 = 10;

/// Makes a VM written in Rust, for its first start and for each restart.
pub type Factory = Box<dyn FnMut() -> Box<dyn Service>>;

/// How a VM is made again.
pub(crate) enum Origin {
    /// It is not.
    None,
    Program(Arc<Program>),
    Service(Factory, Option<Contained>),
}

impl core::fmt::Debug for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Origin::None => "None",
            Origin::Program(_) => "Program",
            Origin::Service(..) => "Service",
        })
    }
}

/// What the supervisor knows of a VM.
#[derive(Debug)]
pub(crate) struct Supervision {
    pub origin: Origin,
    /// When it was restarted lately.
    restarts: VecDeque<Nanos>,
    /// The index that is kept for it in the directory while it is being restarted.
    pub index: Option<u32>,
    /// Faults that are injected; the count goes on from incarnation to incarnation.
    injected: Option<Counted>,
}

/// A VM is ended by a fault every so many instructions, so often: to see what others do then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Injection {
    /// Device instructions that it sends or executes from one fault to the next; not 0.
    pub every: u32,
    /// How many faults there are.
    pub times: u32,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    injection: Injection,
    /// Instructions since the last fault.
    seen: u32,
    faults: u32,
}

impl Supervision {
    /// Of a VM that cannot be made again.
    pub const fn none() -> Supervision {
        Supervision::of(Origin::None)
    }

    /// Of a VM that is made so.
    pub const fn of(origin: Origin) -> Supervision {
        Supervision { origin, restarts: VecDeque::new(), index: None, injected: None }
    }
}

impl System {
    /// Adds a VM written in Rust that can be made again: see [`super::RestartPolicy`].
    ///
    /// # Errors
    /// As [`System::add_service`].
    pub fn add_service_with(
        &mut self,
        mut factory: Factory,
        contained: Option<Contained>,
        options: super::VmOptions,
    ) -> Result<VmId, Refused> {
        let arena = arena::take();
        let service = arena::scope(arena, &mut factory);
        self.add_rust(service, arena, contained, options, Origin::Service(factory, contained))
    }

    /// The next incarnation of a VM that is about to end, if its policy says that there is one.
    pub(super) fn succeed(&mut self, id: VmId, fate: &Fate) -> Option<VmId> {
        let now = self.now();
        let vm = self.vm(id);
        let policy = vm.options.restart;
        let wanted = match (policy.when, fate) {
            (Restart::Never, _) | (Restart::OnFault, Fate::Returned | Fate::Exited(_)) => false,
            (Restart::OnFault | Restart::Always, Fate::Fault(_)) => true,
            (Restart::Always, Fate::Returned | Fate::Exited(_)) => true,
            // One that was never let in is a mistake of the plan's; what was let in once may be so again.
            (Restart::OnFault | Restart::Always, Fate::Refused(_)) => !vm.supervision.restarts.is_empty(),
        };
        if !wanted || matches!(vm.supervision.origin, Origin::None) {
            return None;
        }
        let Supervision { origin, mut restarts, injected, .. } =
            core::mem::replace(&mut vm.supervision, Supervision::none());
        restarts.retain(|time| now.saturating_sub(*time) < policy.within);
        let earlier = restarts.len() as u32;
        if earlier >= policy.limit {
            self.escalate(id, policy.then, policy.limit, policy.within);
            return None;
        }
        restarts.push_back(now);
        let vm = self.vm(id);
        let (options, index) = (vm.options.clone(), vm.index);
        let account = match vm.account.whole() {
            Some(whole) => Account::part_of(whole),
            None => Account::new(options.memory_bytes),
        };
        let mut next = Vm::new(options, account, Body::Gone);
        next.supervision = Supervision { origin, restarts, index: Some(index), injected };
        (next.index, next.parent) = (index, vm.parent);
        let next = self.insert(next).ok()?;
        self.directory.hold(&self.vms.get(id.0)?.name, index);
        let wait = policy.backoff.saturating_mul(1 << earlier.min(MAX_DOUBLINGS));
        let address = self.vm_ref(id).address();
        let (number, limit) = (earlier + 1, policy.limit);
        let ms = wait / 1_000_000;
        self.log(format_args!("VM '{address}' is restarted in {ms} ms: {number} of at most {limit} times"));
        match wait {
            0 => self.make_ready(next),
            _ => self.add_restart_timer(next, now.saturating_add(wait)),
        }
        Some(next)
    }

    fn escalate(&mut self, id: VmId, then: Escalation, limit: u32, within: Nanos) {
        let address = self.vm_ref(id).address();
        let ms = within / 1_000_000;
        let what = match then {
            Escalation::Stop => "it stays ended",
            Escalation::HaltSystem => "the system halts",
        };
        self.log(format_args!("VM '{address}' was restarted {limit} times within {ms} ms: {what}"));
        if then == Escalation::HaltSystem {
            self.outcome = Some(EndReason::Fault);
        }
    }

    /// Gives a channel to the receiver's next incarnation: what was under way on it is lost.
    pub(super) fn hand_over(&mut self, id: ChannelId, next: VmId) {
        let told = self.release_sender(id, Status::PeerGone);
        let channel = self.channel(id);
        if channel.queued > 0 && !told {
            // It was streamed: the next waiting instruction says so.
            channel.stick(Status::PeerGone);
        }
        channel.queued = 0;
        channel.open.clear();
        self.unlink_incoming(id);
        self.link_incoming(id, next);
    }

    /// Injects faults into a VM and those that follow it, from now on.
    pub fn inject(&mut self, id: VmId, injection: Injection) {
        self.vm(id).supervision.injected = Some(Counted { injection, seen: 0, faults: 0 });
        self.injects = true;
    }

    /// Counts an instruction of a VM; whether it ends by a fault now.
    #[inline]
    pub(super) fn fault_is_due(&mut self, id: VmId) -> bool {
        self.injects && self.count_fault(id)
    }

    #[cold]
    fn count_fault(&mut self, id: VmId) -> bool {
        let Some(counted) = &mut self.vm(id).supervision.injected else { return false };
        if counted.faults >= counted.injection.times {
            return false;
        }
        counted.seen += 1;
        if counted.seen < counted.injection.every {
            return false;
        }
        (counted.seen, counted.faults) = (0, counted.faults + 1);
        true
    }

    /// Ends an IL VM by an injected fault.
    pub(super) fn inject_fault(&mut self, id: VmId) {
        let message = "injected fault".to_string();
        let kind = TrapKind::Explicit;
        let report = TrapReport { kind, message, status: None, frames: Vec::new(), omitted: 0 };
        let _ = self.submit_all(id, None, true);
        self.end(id, Fate::Fault(Box::new(report)));
    }

    /// The time of a restart has come.
    pub(super) fn restart(&mut self, id: VmId) {
        let vm = self.vm(id);
        if vm.fate.is_some() || vm.session.stage != Stage::New || !matches!(vm.body, Body::Gone) {
            return;
        }
        let made = match core::mem::replace(&mut vm.supervision.origin, Origin::None) {
            Origin::None => return,
            Origin::Program(program) => self.restart_program(id, program),
            Origin::Service(factory, contained) => self.restart_service(id, factory, contained),
        };
        match made {
            // One that comes from the handshake has ended it already.
            Err(refused) => self.end(id, Fate::Refused(refused)),
            // What its clients sent meanwhile.
            Ok(()) => self.notify(id),
        }
        self.connect();
    }

    fn restart_program(&mut self, id: VmId, program: Arc<Program>) -> Result<(), Refused> {
        let vm = self.vm(id);
        vm.supervision.origin = Origin::Program(program.clone());
        let (account, stack_bytes, name) = (vm.account.clone(), vm.options.stack_bytes, vm.name.clone());
        let instance = Instance::new(self.platform, program.clone(), account, stack_bytes)
            .map_err(|error| Refused { vm: name, why: Refusal::Load(error) })?;
        self.vm(id).body = Body::Il(Box::new(IlVm::new(instance)));
        self.introduce_program(id, &program)
    }

    fn restart_service(&mut self, id: VmId, mut factory: Factory, contained: Option<Contained>) -> Result<(), Refused> {
        let arena = arena::take();
        let service = arena::scope(arena, &mut factory);
        self.vm(id).supervision.origin = Origin::Service(factory, contained);
        self.start_rust(id, service, arena, contained)
    }

    /// Puts a service into a VM, and completes its handshake.
    pub(super) fn start_rust(
        &mut self,
        id: VmId,
        service: Box<dyn Service>,
        arena: arena::ArenaId,
        contained: Option<Contained>,
    ) -> Result<(), Refused> {
        let provides = service.hello().provides;
        let waker = Waker::with_bell(self.platform.waker(), self.bell.clone());
        let holder = contained.map(|_| Holder::new());
        let grid = service.grid_instructions();
        let body =
            RustVm { service: Some(service), waker, grid, arena, contained, holder, wake_at: None, pending: false };
        self.vm(id).body = Body::Rust(body);
        self.vm(id).executes = Some(Arc::new(Executes::new(provides.clone())));
        self.services.push(id);
        self.introduce_service(id, provides)
    }
}
