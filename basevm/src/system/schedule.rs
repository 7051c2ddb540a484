//! The scheduler: the run loop, the run queue with its direct hand-off, time, and idleness.
//!
//! Order of what runs next: the other end of a call; Rust VMs that were woken; the run queue, by priority (`queue`). The
//! interrupt word, set about every 10 ms, makes the loop look at the time: that tick ends a slice
//! (nothing more), is charged to the turn that was running, and finds turns past their `turn_ms`.

use alloc::format;
use core::sync::atomic::Ordering;

use il::trap::{Status, TrapKind};

use super::handshake::HANDSHAKE_LIMIT;
use super::vm::{Block, Body, Fate, Next};
use super::{DRAIN_LIMIT, EndReason, Ended, System};
use crate::platform::{Idle, IdleAnswer, Nanos};
use crate::service::VmId;

/// A point in the system's time at which something is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Timer {
    time: Nanos,
    vm: VmId,
    what: Due,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    /// A Rust VM asked to be woken.
    Wake,
    /// The deadline of a call.
    Call(u32),
    /// The deadline of a handshake.
    Handshake,
    /// The end of the wait before a restart.
    Restart,
}

/// How a stretch of running ended.
enum Stretch {
    /// Go on.
    Busy,
    /// Nothing can run.
    Idle,
}

impl System {
    /// Runs until the main program's VM has ended, nothing can ever happen again, the time is up, or
    /// a [`super::StopHandle`] is used. What the main program sent is executed before, within
    /// [`DRAIN_LIMIT`].
    pub fn run(&mut self) -> Ended {
        self.become_core();
        self.last_tick = self.platform.now();
        let started = self.last_tick;
        let timeout = self.options.timeout.map(|limit| started.saturating_add(limit));
        self.connect();
        self.saw_time_pass();
        let mut draining = None;
        loop {
            if let Some(reason) = self.stop.wish() {
                return reason.into();
            }
            if let Some(outcome) = self.outcome {
                let since = *draining.get_or_insert_with(|| self.platform.now());
                if self.is_drained() || self.last_tick.saturating_sub(since) > DRAIN_LIMIT {
                    return outcome.into();
                }
            }
            let end = draining.map(|since: Nanos| since.saturating_add(DRAIN_LIMIT));
            match self.step() {
                Stretch::Busy => {}
                Stretch::Idle => {
                    let limit = timeout.into_iter().chain(end).min();
                    if let Some(reason) = self.idle(limit) {
                        return self.outcome.unwrap_or(reason).into();
                    }
                }
            }
            if timeout.is_some_and(|timeout| self.last_tick >= timeout) {
                return EndReason::Timeout.into();
            }
        }
    }

    /// Runs all that can run now, without ever being idle: for VMs that are driven from outside.
    pub fn settle(&mut self) {
        self.become_core();
        self.connect();
        while matches!(self.step(), Stretch::Busy) {
            if self.stop.wish().is_some() {
                return;
            }
        }
    }

    /// Moves virtual time and does what is due, as an idle platform would.
    pub fn advance(&mut self, now: Nanos) {
        self.virtual_now = self.virtual_now.max(now);
        self.saw_clock(self.virtual_now);
        self.fire_timers();
    }

    /// The calling thread runs VMs from now on.
    fn become_core(&mut self) {
        self.interrupt = self.platform.interrupt_word();
    }

    /// Whether the slice of what runs is over.
    pub(super) fn is_slice_over(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) != 0
    }

    fn step(&mut self) -> Stretch {
        self.reap();
        if self.is_slice_over() {
            self.tick();
        }
        if let Some(id) = self.handoff.take() {
            self.vm(id).scheduled = false;
            self.run_vm(id);
            return Stretch::Busy;
        }
        self.wake_services();
        let Some(id) = self.next_ready() else {
            // A service that was woken may have handed over to a VM.
            return if self.handoff.is_some() { Stretch::Busy } else { Stretch::Idle };
        };
        self.run_vm(id);
        Stretch::Busy
    }

    fn run_vm(&mut self, id: VmId) {
        match &self.vm_ref(id).body {
            Body::Il(_) => self.run_il(id),
            Body::Rust(_) => self.run_service(id),
            Body::Builtin(_) => self.run_builtin(id),
            Body::Gone => self.restart(id),
            Body::Base | Body::External(_) => {}
        }
    }

    /// The first of the run queue that still is to run.
    fn next_ready(&mut self) -> Option<VmId> {
        loop {
            let id = self.ready.pop()?;
            let vm = self.vm(id);
            vm.queued = false;
            if core::mem::take(&mut vm.scheduled) {
                return Some(id);
            }
        }
    }

    /// Puts a VM at the end of the run queue.
    pub(super) fn make_ready(&mut self, id: VmId) {
        let vm = self.vm(id);
        if !vm.scheduled && vm.fate.is_none() {
            vm.scheduled = true;
            self.queue(id);
        }
    }

    fn queue(&mut self, id: VmId) {
        let vm = self.vm(id);
        if !core::mem::replace(&mut vm.queued, true) {
            let priority = vm.options.priority;
            self.ready.push(id, priority);
        }
    }

    /// Lets a VM run next, before the run queue, unless another one was handed to already.
    pub(super) fn hand_off(&mut self, id: VmId) {
        if self.handoff.is_some() {
            return self.make_ready(id);
        }
        let vm = self.vm(id);
        if !vm.scheduled && vm.fate.is_none() {
            vm.scheduled = true;
            self.handoff = Some(id);
        }
    }

    /// The system's time.
    pub fn now(&self) -> Nanos {
        match self.options.virtual_clock {
            true => self.virtual_now,
            false => self.platform.now(),
        }
    }

    /// A look at the time, about every 10 ms while something runs.
    fn tick(&mut self) {
        self.interrupt.store(0, Ordering::Relaxed);
        let now = self.platform.now();
        let elapsed = now.saturating_sub(self.last_tick);
        self.last_tick = now;
        self.saw_time_pass();
        if let Some(id) = self.handoff.take() {
            self.queue(id);
        }
        if let Some(id) = self.last_ran.take() {
            self.charge_turn(id, elapsed);
        }
        if !self.options.virtual_clock {
            self.fire_timers();
        }
    }

    /// Adds processor time to the handler or `op` that was running, and ends a VM that is past its bound.
    fn charge_turn(&mut self, id: VmId, elapsed: Nanos) {
        let limit_ms = self.vm_ref(id).options.turn_ms;
        let is_program = self.vm_ref(id).acting.is_some();
        let Some(il) = self.vm(id).il() else { return };
        let Some(turn) = &mut il.turn else { return };
        turn.used += elapsed;
        let Some(limit_ms) = limit_ms else { return };
        if turn.used > limit_ms.saturating_mul(1_000_000) {
            let what = match turn.request {
                _ if is_program => format!("a device program ran for more than {limit_ms} ms (programs.ms)"),
                Some(_) => format!("an op ran for more than {limit_ms} ms (turn_ms)"),
                None => format!("a handler ran for more than {limit_ms} ms (turn_ms)"),
            };
            self.abort(id, TrapKind::Deadline, what);
        }
    }

    fn wake_services(&mut self) {
        // A plain load first: mostly nobody was woken.
        if !self.bell.load(Ordering::Relaxed) || !self.bell.swap(false, Ordering::Acquire) {
            return;
        }
        for at in 0..self.services.len() {
            let id = self.services[at];
            if let Body::Rust(rust) = &self.vm_ref(id).body
                && rust.service.is_some()
                && rust.waker.take()
            {
                self.wake_service(id);
            }
        }
    }

    pub(super) fn set_wake_timer(&mut self, id: VmId, time: Option<Nanos>) {
        let Body::Rust(rust) = &mut self.vm(id).body else { return };
        let before = core::mem::replace(&mut rust.wake_at, time);
        if let Some(time) = before {
            self.remove_timer(Timer { time, vm: id, what: Due::Wake });
        }
        if let Some(time) = time {
            self.add_timer(Timer { time, vm: id, what: Due::Wake });
        }
    }

    pub(super) fn add_call_timer(&mut self, id: VmId, time: Nanos, tag: u32) {
        self.add_timer(Timer { time, vm: id, what: Due::Call(tag) });
    }

    pub(super) fn cancel_call_timer(&mut self, id: VmId, time: Nanos, tag: u32) {
        self.remove_timer(Timer { time, vm: id, what: Due::Call(tag) });
    }

    pub(super) fn add_handshake_timer(&mut self, id: VmId) {
        let time = self.now().saturating_add(HANDSHAKE_LIMIT);
        self.add_timer(Timer { time, vm: id, what: Due::Handshake });
    }

    pub(super) fn add_restart_timer(&mut self, id: VmId, time: Nanos) {
        self.timers.insert(Timer { time, vm: id, what: Due::Restart });
    }

    pub(super) fn cancel_timers(&mut self, id: VmId) {
        for timer in core::mem::take(&mut self.vm(id).timers) {
            self.timers.remove(&timer);
        }
    }

    fn add_timer(&mut self, timer: Timer) {
        self.timers.insert(timer);
        self.vm(timer.vm).timers.push(timer);
    }

    fn remove_timer(&mut self, timer: Timer) {
        self.timers.remove(&timer);
        self.vm(timer.vm).timers.retain(|other| *other != timer);
    }

    fn fire_timers(&mut self) {
        let now = self.now();
        while let Some(timer) = self.timers.first().copied().filter(|timer| timer.time <= now) {
            self.remove_timer(timer);
            match timer.what {
                Due::Wake => {
                    if let Body::Rust(rust) = &mut self.vm(timer.vm).body {
                        rust.wake_at = None;
                    }
                    self.wake_service(timer.vm);
                }
                Due::Call(tag) => self.call_expired(timer.vm, tag),
                Due::Handshake => self.handshake_expired(timer.vm),
                Due::Restart => self.make_ready(timer.vm),
            }
        }
    }

    /// A call's deadline has come: its caller gets a status; the answer will find nobody.
    fn call_expired(&mut self, id: VmId, expired: u32) {
        let Some(il) = self.vm(id).il() else { return };
        if matches!(il.next, Next::Blocked(Block::Reply { tag, .. }) if tag == expired) {
            il.next = Next::ResumeCall(Err(Status::Deadline));
            self.make_ready(id);
        }
    }

    /// Nothing can run: sleeps until something can. The reason if nothing ever will.
    fn idle(&mut self, limit: Option<Nanos>) -> Option<EndReason> {
        let now = self.now();
        let next_timer = self.timers.first().map(|timer| timer.time);
        if next_timer.is_some_and(|time| time <= now) {
            self.fire_timers();
            return None;
        }
        let pending = |body: &Body| matches!(body, Body::Rust(rust) if rust.pending);
        let device_pending = self.services.iter().any(|id| pending(&self.vm_ref(*id).body));
        let virtual_clock = self.options.virtual_clock;
        let limit = self.saw_idle(limit);
        let answer = self.platform.idle(Idle { now, next_timer, device_pending, virtual_clock, limit });
        self.saw_waking();
        self.interrupt.store(0, Ordering::Relaxed);
        self.last_tick = self.platform.now();
        match answer {
            IdleAnswer::Woken if virtual_clock => {}
            IdleAnswer::Woken => self.fire_timers(),
            IdleAnswer::Advance(time) => self.advance(time),
            IdleAnswer::Finished => return Some(EndReason::Finished),
        }
        None
    }

    /// Whether all that ended main programs sent was executed, also what VMs did in turn to execute it.
    fn is_drained(&self) -> bool {
        let ended_main = |id: VmId| {
            let vm = self.vm_ref(id);
            vm.options.is_main && vm.fate.is_some()
        };
        // A VM that only serves is drained with the channels that lead to it.
        let serves = |id: VmId| matches!(&self.vm_ref(id).body, Body::Il(il) if il.main == super::vm::Main::Gone);
        let counts = |id: VmId| ended_main(id) || serves(id);
        self.channels
            .iter()
            .all(|(_, channel)| channel.is_executed() || channel.closed.is_some() || !counts(channel.sender))
    }

    /// Notes how a main program ended; the run ends with the last one.
    pub(super) fn note_outcome(&mut self, id: VmId) {
        if !self.vm_ref(id).options.is_main {
            return;
        }
        let reason = match &self.vm_ref(id).fate {
            Some(Fate::Fault(_)) => EndReason::Fault,
            Some(Fate::Refused(_)) => EndReason::Refused,
            Some(Fate::Exited(code)) => match *code as u8 {
                0 => EndReason::Returned,
                code => EndReason::Exited(code),
            },
            Some(Fate::Returned) | None => EndReason::Returned,
        };
        let worst = self.first_failure.unwrap_or(reason);
        if reason != EndReason::Returned {
            self.first_failure.get_or_insert(reason);
        }
        let alive = self.vms.iter().any(|(_, vm)| vm.options.is_main && vm.fate.is_none());
        if !alive {
            self.outcome = Some(worst);
        }
    }
}
