//! The system: the table of VMs, the channels between them, and the one scheduler.
//!
//! Principles, in this order:
//!
//! - What arrives is an allegation until the choke point ([`channel`]) has compared it with tables.
//! - A VM runs one turn at a time and is never re-entered; what comes meanwhile queues, bounded.
//! - Whoever waits learns how it ended: a reply, a deadline, a deadlock, or that the peer is gone.
//! - The end of a VM ends its work and nothing else.
//!
//! One core runs it: nothing here locks. Calls nest by hand-off in the run loop, never on a stack.

mod authority;
mod base;
mod bridge;
mod builtin;
mod channel;
mod contained;
mod deliver;
mod direct;
mod directory;
mod end;
mod events;
mod external;
mod forward;
mod grants;
mod handshake;
mod il_vm;
mod inbox;
mod loader;
mod mask;
mod observe;
mod policy;
mod programs;
mod queue;
mod reap;
mod report;
mod rights;
mod rust_vm;
mod schedule;
mod spawn;
mod supervise;
pub(crate) mod table;
mod vm;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

pub use base::SET as BASE_SET;
pub use builtin::Builtin;
pub use channel::{CREDITS, MAX_UNANSWERED};
pub use contained::Contained;
pub use events::MAX_EVENTS;
pub use external::{ExternalOptions, Incoming, Wanted};
pub use grants::{BadGrant, Grants};
pub use handshake::{HANDSHAKE_LIMIT, Refusal, Refused};
pub use loader::{Compiling, Loader, Loading};
pub use mask::Mask;
pub use observe::{ChannelSeen, Observed, Observer, RightChange, Seen, TurnKind, Usage, VmSeen};
pub use policy::{Escalation, Priority, ProgramBounds, Restart, RestartPolicy};
pub(crate) use programs::{IDENTITY_WORDS, RUN, UPLOAD};
pub use programs::{MAX_PROGRAM_BYTES, MAX_PROGRAMS};
pub use reap::TableSizes;
pub use report::{VmInfo, VmKind};
pub use supervise::{Factory, Injection};
pub use vm::Fate;

use authority::Layers;
use channel::{Channel, ChannelId, Executes};
use compiler::Bounds;
use directory::Directory;
use schedule::Timer;
use spawn::Spawn;
use supervise::{Origin, Supervision};
use table::Table;
use vm::{Body, IlVm, Main, Next, Vm};

use crate::arena::{self, ArenaId};
use crate::buf::Account;
use crate::engine::{DEFAULT_STACK_BYTES, Instance, PlatformRef, Program};
use crate::platform::Nanos;
use crate::service::{Service, VmId};

/// Memory quota of a VM unless its manifest says otherwise, in bytes.
pub const DEFAULT_MEMORY_BYTES: u64 = 64 << 20;
/// `turn_ms` of handlers and `op`s unless the manifest says otherwise.
pub const DEFAULT_TURN_MS: u64 = 5_000;
/// How long a run waits for what an ended program had sent to be executed.
pub const DRAIN_LIMIT: Nanos = 5_000_000_000;

/// How a system runs.
#[derive(Clone, Debug, Default)]
pub struct SystemOptions {
    /// Time stands still while anything can run, and jumps when nothing can.
    pub virtual_clock: bool,
    /// Real time after which a run ends.
    pub timeout: Option<Nanos>,
    /// Logs start-up and each step of every handshake.
    pub verbose: bool,
}

/// How one VM runs.
#[derive(Clone, Debug)]
pub struct VmOptions {
    /// The name to announce; replaces the one that a service or module gives itself, if not empty.
    pub name: String,
    /// What it may be given.
    pub grants: Grants,
    /// Memory quota in bytes.
    pub memory_bytes: u64,
    /// How memory accesses of what it spawns, and of the device programs that it sends, are checked: as its own.
    pub bounds: Bounds,
    /// Stack of an IL VM in bytes.
    pub stack_bytes: usize,
    /// How long a handler or `op` may use the processor; `None`: for ever.
    pub turn_ms: Option<u64>,
    /// How long its calls wait for an answer; `None`: for ever.
    pub call_deadline: Option<Nanos>,
    /// How often it runs when others can run too.
    pub priority: Priority,
    /// Which VMs it sees in the directory: names (`echo`), addresses (`echo/1`) and sets (`demo.echo@1`).
    /// `None`: those that it is granted something of.
    pub sees: Option<Vec<String>>,
    /// On whose channels it stands: the names of VMs whose clients get this VM instead.
    pub on: Vec<String>,
    /// What happens after its end.
    pub restart: RestartPolicy,
    /// Bounds of the device programs that it sends.
    pub programs: ProgramBounds,
    /// Whether the run ends with it.
    pub is_main: bool,
    /// By which device VMs know what it was granted of theirs beside instructions; its incarnations keep it, what it
    /// spawns has none.
    pub mark: Option<u32>,
}

impl Default for VmOptions {
    fn default() -> VmOptions {
        VmOptions {
            name: String::new(),
            grants: Grants::none(),
            memory_bytes: DEFAULT_MEMORY_BYTES,
            bounds: Bounds::default(),
            stack_bytes: DEFAULT_STACK_BYTES,
            turn_ms: Some(DEFAULT_TURN_MS),
            call_deadline: None,
            priority: Priority::Normal,
            sees: None,
            on: Vec::new(),
            restart: RestartPolicy::default(),
            programs: ProgramBounds::default(),
            is_main: false,
            mark: None,
        }
    }
}

impl VmOptions {
    /// The options of the program that a run is about, with these grants.
    pub fn main(name: &str, grants: Grants) -> VmOptions {
        VmOptions { name: name.into(), grants, is_main: true, ..VmOptions::default() }
    }

    /// The options of a VM of this name, with these grants.
    pub fn named(name: &str, grants: Grants) -> VmOptions {
        VmOptions { name: name.into(), grants, ..VmOptions::default() }
    }
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The main program's VM ended by itself.
    Returned,
    /// It ended itself with an exit code other than 0.
    Exited(u8),
    /// Nothing could ever happen again: all VMs wait, and there is no timer and no input left.
    Finished,
    /// The main program's VM trapped.
    Fault,
    /// The main program's VM was refused.
    Refused,
    /// The time was up.
    Timeout,
    /// Stopped through a [`StopHandle`], by the host's wish.
    Stopped,
    /// Interrupted by the user through a [`StopHandle`].
    Interrupted,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// 0 normal, 1 trap, 2 load error, 124 timeout, 130 interrupted; else what the main program said.
    pub code: u8,
}

impl EndReason {
    /// The exit code that stands for it.
    pub const fn code(self) -> u8 {
        match self {
            EndReason::Returned | EndReason::Finished | EndReason::Stopped => 0,
            EndReason::Exited(code) => code,
            EndReason::Fault => 1,
            EndReason::Refused => 2,
            EndReason::Timeout => 124,
            EndReason::Interrupted => 130,
        }
    }
}

impl From<EndReason> for Ended {
    fn from(reason: EndReason) -> Ended {
        Ended { reason, code: reason.code() }
    }
}

/// Ends a run from elsewhere: another thread, a signal handler, a device's backend (the last frame
/// wanted was shown). What runs is stopped at its next step.
#[derive(Clone, Debug)]
pub struct StopHandle {
    wish: Arc<AtomicU32>,
    wake: fn(),
}

impl StopHandle {
    const RUN: u32 = 0;
    const STOP: u32 = 1;
    const INTERRUPT: u32 = 2;

    /// Ends the run normally.
    pub fn stop(&self) {
        self.ask(StopHandle::STOP);
    }

    /// Ends the run as interrupted by the user.
    pub fn interrupt(&self) {
        self.ask(StopHandle::INTERRUPT);
    }

    fn ask(&self, wish: u32) {
        let _ = self.wish.compare_exchange(StopHandle::RUN, wish, Ordering::Relaxed, Ordering::Relaxed);
        (self.wake)();
    }

    fn wish(&self) -> Option<EndReason> {
        match self.wish.load(Ordering::Relaxed) {
            StopHandle::STOP => Some(EndReason::Stopped),
            StopHandle::INTERRUPT => Some(EndReason::Interrupted),
            _ => None,
        }
    }
}

/// A running system.
pub struct System {
    platform: PlatformRef,
    options: SystemOptions,
    /// By [`VmId`]; the base is the first.
    vms: Table<Vm>,
    /// What a number names that is out of date: a VM that has ended.
    gone: Box<Vm>,
    /// By [`ChannelId`].
    channels: Table<Channel>,
    rights: rights::Rights,
    /// What a number names that is out of date: a closed channel.
    closed: Box<Channel>,
    /// Channels and ended VMs that may be forgotten, once no operation is under way that knows their numbers.
    leftover: reap::Leftover,
    /// The VMs that were forgotten last.
    ended: VecDeque<(VmInfo, Fate)>,
    /// VMs written in Rust, which wakers may wake; and whether one was woken.
    services: Vec<VmId>,
    bell: Arc<AtomicBool>,
    directory: Directory,
    ready: queue::RunQueue,
    layers: Layers,
    /// Sets whose declarations say what instructions touch.
    declared: &'static [&'static il::isa::InstructionSet],
    /// The VM `directory`, which raises its events.
    directory_vm: Option<VmId>,
    /// VMs that are being spawned.
    spawns: VecDeque<Spawn>,
    /// Whether faults are injected into any VM.
    injects: bool,
    /// The VM that goes on at once, without a queue: the other end of a call.
    handoff: Option<VmId>,
    /// Calls that are under way on the system stack.
    nested: u32,
    timers: BTreeSet<Timer>,
    /// The system's time under a virtual clock.
    virtual_now: Nanos,
    /// The core's interrupt word.
    interrupt: &'static AtomicU32,
    /// Real time of the last tick, and who ran last: for `turn_ms`.
    last_tick: Nanos,
    last_ran: Option<VmId>,
    stop: StopHandle,
    /// How the main program ended, once it has.
    outcome: Option<EndReason>,
    first_failure: Option<EndReason>,
    loader: Option<Box<dyn Loader>>,
    /// Who is told what happens.
    watch: Option<Box<observe::Watch>>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("vms", &self.list()).finish_non_exhaustive()
    }
}

impl System {
    /// A system without VMs.
    pub fn new(platform: PlatformRef, options: SystemOptions) -> System {
        let base = VmOptions { name: "base".into(), ..VmOptions::default() };
        let mut base = Vm::new(base, Account::new(DEFAULT_MEMORY_BYTES), Body::Base);
        base.executes = Some(Arc::new(Executes::new(base::SET.clone())));
        base.session.stage = vm::Stage::Ready;
        let mut vms = Table::new();
        let _ = vms.insert(base);
        System {
            platform,
            options,
            vms,
            gone: Box::new(Vm::gone()),
            channels: Table::new(),
            rights: rights::Rights::new(),
            closed: Box::new(Channel::gone()),
            leftover: reap::Leftover::default(),
            ended: VecDeque::new(),
            services: Vec::new(),
            bell: Arc::new(AtomicBool::new(false)),
            directory: Directory::default(),
            ready: queue::RunQueue::default(),
            layers: Layers::default(),
            declared: &[],
            directory_vm: None,
            spawns: VecDeque::new(),
            injects: false,
            handoff: None,
            nested: 0,
            timers: BTreeSet::new(),
            virtual_now: 0,
            interrupt: platform.interrupt_word(),
            last_tick: platform.now(),
            last_ran: None,
            stop: StopHandle { wish: Arc::new(AtomicU32::new(StopHandle::RUN)), wake: platform.waker() },
            outcome: None,
            first_failure: None,
            loader: None,
            watch: None,
        }
    }

    /// A handle that ends [`System::run`] from elsewhere.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Adds a VM written in Rust, and completes its handshake: it is announced, granted and started.
    ///
    /// # Errors
    /// If it does not complete the handshake; it is then forgotten.
    pub fn add_service(&mut self, service: Box<dyn Service>, options: VmOptions) -> Result<VmId, Refused> {
        self.add_rust(service, arena::take(), None, options, Origin::None)
    }

    /// The same for a VM that is made in its own arena, all of which is freed if it panics.
    ///
    /// # Errors
    /// As [`System::add_service`].
    pub fn add_contained_service(
        &mut self,
        make: impl FnOnce() -> Box<dyn Service>,
        contained: Contained,
        options: VmOptions,
    ) -> Result<VmId, Refused> {
        let arena = arena::take();
        let service = arena::scope(arena, make);
        self.add_rust(service, arena, Some(contained), options, Origin::None)
    }

    fn add_rust(
        &mut self,
        service: Box<dyn Service>,
        arena: ArenaId,
        contained: Option<Contained>,
        options: VmOptions,
        origin: Origin,
    ) -> Result<VmId, Refused> {
        let hello = service.hello();
        let name = if options.name.is_empty() { hello.name.clone() } else { options.name.clone() };
        let options = VmOptions { name, ..options };
        self.layers.add(&options);
        let account = Account::new(options.memory_bytes);
        self.trace(format_args!("start {}: Rust, {} bytes at most", options.name, options.memory_bytes));
        let mut vm = Vm::new(options, account, Body::Gone);
        vm.supervision = Supervision::of(origin);
        let id = self.insert(vm)?;
        self.start_rust(id, service, arena, contained)?;
        Ok(id)
    }

    /// Adds a VM that runs IL, and introduces it. It gets its capabilities, and starts, in
    /// [`System::connect`], when all others have been added: VMs may want each other.
    ///
    /// # Errors
    /// If there is not enough memory, or the base refuses its introduction.
    pub fn add_program(&mut self, program: Arc<Program>, options: VmOptions) -> Result<VmId, Refused> {
        let account = Account::new(options.memory_bytes);
        self.add_program_paid_by(program, options, account)
    }

    fn add_program_paid_by(
        &mut self,
        program: Arc<Program>,
        options: VmOptions,
        account: Arc<Account>,
    ) -> Result<VmId, Refused> {
        let module = program.module();
        let own = module.announced_name();
        let name = if options.name.is_empty() { own.into() } else { options.name.clone() };
        let options = VmOptions { name, ..options };
        self.layers.add(&options);
        self.trace(format_args!(
            "start {}: IL, {} functions, {} bytes at most",
            options.name,
            module.funcs.len(),
            options.memory_bytes
        ));
        let instance = Instance::new(self.platform, program.clone(), account.clone(), options.stack_bytes)
            .map_err(|error| Refused { vm: options.name.clone(), why: Refusal::Load(error) })?;
        let mut vm = Vm::new(options, account, Body::Il(Box::new(IlVm::new(instance))));
        vm.supervision = Supervision::of(Origin::Program(program.clone()));
        let id = self.insert(vm)?;
        self.introduce_program(id, &program)?;
        Ok(id)
    }

    fn insert(&mut self, vm: Vm) -> Result<VmId, Refused> {
        self.vms.insert(vm).map(VmId).map_err(|vm| Refused { vm: vm.name, why: Refusal::TooMany })
    }

    #[inline]
    fn vm(&mut self, id: VmId) -> &mut Vm {
        self.vms.get_mut(id.0).unwrap_or(&mut self.gone)
    }

    #[inline]
    fn vm_ref(&self, id: VmId) -> &Vm {
        self.vms.get(id.0).unwrap_or(&self.gone)
    }

    #[inline]
    fn channel(&mut self, id: ChannelId) -> &mut Channel {
        self.channels.get_mut(id.0).unwrap_or(&mut self.closed)
    }

    #[inline]
    fn channel_ref(&self, id: ChannelId) -> &Channel {
        self.channels.get(id.0).unwrap_or(&self.closed)
    }

    /// Adds a channel; the number of a closed one if there are too many.
    fn add_channel(&mut self, channel: Channel) -> ChannelId {
        let (sender, receiver) = (channel.sender, channel.receiver);
        let Ok(id) = self.channels.insert(channel).map(ChannelId) else { return ChannelId::NONE };
        self.vm(sender).channels += 1;
        self.link_incoming(id, receiver);
        id
    }

    /// Makes a VM a channel's receiver.
    fn link_incoming(&mut self, id: ChannelId, receiver: VmId) {
        let vm = self.vm(receiver);
        vm.channels += 1;
        let at = vm.incoming.len();
        vm.incoming.push(id);
        let channel = self.channel(id);
        (channel.receiver, channel.incoming_at) = (receiver, at);
        self.saw_channel(id);
    }

    /// Takes a channel out of its receiver's list.
    fn unlink_incoming(&mut self, id: ChannelId) {
        let Channel { receiver, incoming_at: at, .. } = *self.channel_ref(id);
        let vm = self.vm(receiver);
        vm.channels -= 1;
        vm.incoming.swap_remove(at);
        if let Some(moved) = vm.incoming.get(at).copied() {
            self.channel(moved).incoming_at = at;
        }
    }

    fn log(&self, line: fmt::Arguments<'_>) {
        self.platform.log(line);
    }

    fn trace(&self, line: fmt::Arguments<'_>) {
        if self.options.verbose {
            self.platform.log(line);
        }
    }
}

impl IlVm {
    fn new(instance: Instance) -> IlVm {
        let module = instance.program().module();
        let main = module.export("main");
        let handlers = module.handlers.iter().map(|h| ((h.source.0, h.event), h.func)).collect();
        let ops = module.provides.iter().map(|provides| provides.ops.clone()).collect();
        IlVm {
            main: main.map_or(Main::Gone, Main::Pending),
            turn: None,
            next: main.map_or(Next::Dispatch, Next::Start),
            handlers,
            ops,
            reclaim_at: 0,
            instance,
        }
    }

    /// Whether it has something to do after `main` returned.
    fn serves(&self) -> bool {
        !self.ops.is_empty() || !self.handlers.is_empty()
    }
}
