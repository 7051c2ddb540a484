//! Calls that go through at once: from one IL VM to an idle one and back, without a queue, a packet or an allocation.
//!
//! Only the fewest words are moved, but nothing is left out: the call passes the choke point like any other, and the callee
//! runs on its own stack under its own limits. If it does not return at once (it waits, its slice ends, it traps),
//! the call becomes what it would have been from the start: a packet under execution, with its
//! caller waiting.

use il::packet::{Head, MAX_OPERANDS};

use super::System;
use super::channel::{Link, Work};
use super::vm::{Block, Body, Main, Next, Turn};
use crate::engine::{PlainWords, Quick, Step};
use crate::service::VmId;

/// Calls may nest so deep on the system stack; those below go by the run loop.
const MAX_NESTED: u32 = 16;

/// What became of a call.
enum Through {
    /// Nothing was done: it goes the ordinary way.
    No,
    /// It was answered, and the caller stopped again.
    Answered(Quick),
    /// The callee executes it, and the caller waits.
    UnderWay,
}

impl System {
    /// Acts on a step. Calls that can go through do.
    pub(super) fn proceed(&mut self, id: VmId, step: Step) {
        let Step::Call { mut slot, mut opcode } = step else { return self.act(id, step) };
        loop {
            match self.call_through(id, slot) {
                Through::No => return self.act(id, Step::Call { slot, opcode }),
                Through::UnderWay => return,
                Through::Answered(Quick::Call { slot: next, opcode: what }) => (slot, opcode) = (next, what),
                Through::Answered(Quick::Other | Quick::Done(_)) => {
                    match self.vm(id).il().and_then(|il| il.instance.take_step()) {
                        Some(Step::Call { slot: next, opcode: what }) => (slot, opcode) = (next, what),
                        Some(step) => return self.act(id, step),
                        None => return,
                    }
                }
            }
        }
    }

    fn call_through(&mut self, id: VmId, slot: usize) -> Through {
        let ordinary = self.watch.is_some() || self.injects || self.handoff.is_some() || self.nested >= MAX_NESTED;
        if ordinary || self.is_slice_over() {
            return Through::No;
        }
        let mut words: PlainWords = [0; MAX_OPERANDS];
        let Some((link, head, count)) = self.plain_call(id, slot, &mut words) else { return Through::No };
        let Some(entered) = self.enter_callee(link, head, &mut words, count) else { return Through::No };
        let Some(il) = self.vm(id).il() else { return Through::UnderWay };
        il.instance.clear_packet(slot);
        if let Quick::Done(results) = entered {
            return Through::Answered(il.instance.resume_plain(&words[..results]));
        }
        self.call_stays(id, link, head, count, entered);
        Through::UnderWay
    }

    /// The call in which a VM is stopped, if it is all that it has to send: the operands are put into `words`.
    fn plain_call(&mut self, id: VmId, slot: usize, words: &mut PlainWords) -> Option<(Link, Head, usize)> {
        let vm = self.vm(id);
        let link = vm.link(slot)?;
        if vm.options.call_deadline.is_some() {
            return None;
        }
        let (head, count) = vm.il()?.instance.plain_packet(slot, words)?;
        Some((link, head, count))
    }

    /// Has the callee execute a call, if it is idle; its results are put into `words`. `None`, and nothing done, if it
    /// cannot or must not.
    fn enter_callee(&mut self, link: Link, head: Head, words: &mut PlainWords, count: usize) -> Option<Quick> {
        let acting = self.acting_sender(link.channel);
        let channel = self.channels.get(link.channel.0)?;
        if channel.queued > 0 || channel.sticky.is_some() || channel.is_busy() {
            return None;
        }
        let callee = self.vms.get_mut(channel.receiver.0)?;
        if callee.scheduled || callee.has_work() || !callee.is_ready() {
            return None;
        }
        let executes = callee.executes_set(channel.set)?;
        let position = channel.admit(executes, link.generation, head, words.get(..count)?, &[]).ok()?;
        let Body::Il(il) = &mut callee.body else { return None };
        if !il.is_idle() || il.main == (Main::Waiting { forever: false }) {
            return None;
        }
        let op = *il.ops.get(usize::from(channel.set))?.get(position)?;
        il.instance.set_caller(acting.0);
        let entered = il.instance.enter_plain(op, words, count)?;
        callee.executed += 1;
        Some(entered)
    }

    /// A call that has begun takes longer: its caller waits, and its callee is in the middle of a turn.
    fn call_stays(&mut self, caller: VmId, link: Link, head: Head, count: usize, stopped: Quick) {
        let channel = self.channel(link.channel);
        let tag = channel.fresh_tag();
        let open = channel.begin(Head { tag, ..head });
        channel.queued += 1;
        let callee = channel.receiver;
        if let Some(il) = self.vm(caller).il() {
            il.next = Next::Blocked(Block::Reply { channel: link.channel, tag, deadline: None });
        }
        let vm = self.vm(callee);
        let step = match stopped {
            Quick::Call { slot, opcode } => Some(Step::Call { slot, opcode }),
            Quick::Other | Quick::Done(_) => vm.il().and_then(|il| il.instance.take_step()),
        };
        vm.work = Some(Work::executed(link, count + 1));
        if let Some(il) = vm.il() {
            il.turn = Some(Turn { request: Some((link.channel, open)), failed: None, used: 0 });
            il.next = Next::Running;
        }
        self.last_ran = Some(callee);
        self.nested += 1;
        if let Some(step) = step {
            self.proceed(callee, step);
        }
        self.nested -= 1;
    }
}
