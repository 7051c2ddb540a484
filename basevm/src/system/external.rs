//! VMs that are driven from outside: by a test, a bench, or a supervisor on the base's side.
//!
//! Such a VM is nothing special to others: it has the same handshake, rights and faults. What it
//! sends is any words at all; they meet the same choke point as everyone's.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use il::isa::InstructionSet;
use il::packet::Head;
use il::trap::Status;

use super::channel::{ChannelId, EventDelivery};
use super::vm::{Body, Vm};
use super::{Refused, System, VmOptions};
use crate::attachment::Attachment;
use crate::buf::Account;
use crate::engine::Packet;
use crate::service::{Reply, VmId};

/// Most things that wait to be received; the oldest are dropped.
const MAX_INCOMING: usize = 4096;

/// A capability that an external VM wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The preferred VM's name.
    pub name: String,
    /// The instructions and events wanted, with their signatures.
    pub set: InstructionSet,
}

/// How an external VM introduces itself.
#[derive(Clone, Debug, Default)]
pub struct ExternalOptions {
    /// Name, grants and quotas.
    pub vm: VmOptions,
    /// What it wants, slot by slot.
    pub wants: Vec<Wanted>,
    /// Stops short of the last step of the handshake: such a VM must be refused.
    pub silent: bool,
}

/// What came for an external VM.
#[derive(Debug)]
pub enum Incoming {
    /// The answer to a request.
    Reply {
        /// The slot that the request was sent through.
        slot: usize,
        /// The request's tag.
        tag: u32,
        /// The results, or why there are none.
        result: Result<Reply, Status>,
    },
    /// An event.
    Event {
        /// The slot whose VM raised it.
        slot: usize,
        /// Its number.
        number: u8,
        /// Its operands.
        words: Vec<u64>,
        /// Its buffers.
        attachments: Vec<Option<Attachment>>,
    },
}

#[derive(Debug, Default)]
pub(crate) struct External {
    incoming: VecDeque<Incoming>,
    /// Requests under way.
    waiting: Vec<(ChannelId, usize, u32)>,
    pub wants: Vec<Wanted>,
    pub silent: bool,
}

impl External {
    /// A request has its answer. What was not asked for is dropped.
    pub fn answered(&mut self, channel: ChannelId, tag: u32, result: Result<Reply, Status>) {
        let Some(at) = self.waiting.iter().position(|(c, _, t)| *c == channel && *t == tag) else { return };
        let (_, slot, tag) = self.waiting.swap_remove(at);
        self.push(Incoming::Reply { slot, tag, result });
    }

    /// All requests of a channel fail, but those of these tags; how many there were.
    pub fn fail_all(&mut self, channel: ChannelId, but: &[u32], status: Status) -> usize {
        let fails = |(on, _, tag): &mut (ChannelId, usize, u32)| *on == channel && !but.contains(tag);
        let failed: Vec<_> = self.waiting.extract_if(.., fails).collect();
        let count = failed.len();
        for (_, slot, tag) in failed {
            self.push(Incoming::Reply { slot, tag, result: Err(status) });
        }
        count
    }

    pub fn event(&mut self, event: EventDelivery) {
        let EventDelivery { slot, number, words, attachments } = event;
        self.push(Incoming::Event { slot: slot as usize, number, words, attachments });
    }

    fn push(&mut self, incoming: Incoming) {
        if self.incoming.len() == MAX_INCOMING {
            self.incoming.pop_front();
        }
        self.incoming.push_back(incoming);
    }
}

impl System {
    /// Adds a VM that is driven from outside, and introduces it; it is granted in [`System::connect`].
    ///
    /// # Errors
    /// If the base refuses its introduction.
    pub fn add_external(&mut self, options: ExternalOptions) -> Result<VmId, Refused> {
        let ExternalOptions { vm, wants, silent } = options;
        let account = Account::new(vm.memory_bytes);
        self.layers.add(&vm);
        let external = External { wants, silent, ..External::default() };
        let id = self.insert(Vm::new(vm, account, Body::External(external)))?;
        self.introduce_external(id)?;
        Ok(id)
    }

    /// Sends words as they are through a slot of an external VM. Run the system afterwards
    /// ([`System::settle`]); answers come to [`System::receive`].
    ///
    /// # Errors
    /// `NotPermitted` without a capability in this slot, `Busy` if the channel is full, and what ended
    /// the channel if it is closed.
    pub fn send(&mut self, id: VmId, slot: usize, words: Vec<u64>, attachments: Vec<Attachment>) -> Result<(), Status> {
        let link = self.vms.get(id.0).and_then(|vm| vm.link(slot)).ok_or(Status::NotPermitted)?;
        let channel = self.channel_ref(link.channel);
        if let Some(status) = channel.closed {
            return Err(status);
        }
        if channel.queued >= super::CREDITS {
            return Err(Status::Busy);
        }
        let tags = tags(&words);
        let Body::External(external) = &mut self.vm(id).body else { return Err(Status::NotPermitted) };
        external.waiting.extend(tags.iter().map(|tag| (link.channel, slot, *tag)));
        let sent = self.enqueue(link, Packet { words, attachments });
        if sent.is_err()
            && let Body::External(external) = &mut self.vm(id).body
        {
            external.waiting.retain(|(channel, _, tag)| *channel != link.channel || !tags.contains(tag));
        }
        sent
    }

    /// The next thing that came for an external VM.
    pub fn receive(&mut self, id: VmId) -> Option<Incoming> {
        match &mut self.vms.get_mut(id.0)?.body {
            Body::External(external) => external.incoming.pop_front(),
            _ => None,
        }
    }

    /// The memory account of a VM, for those who send buffers on its behalf, or watch its quota.
    pub fn account(&self, id: VmId) -> Option<alloc::sync::Arc<Account>> {
        Some(self.vms.get(id.0)?.account.clone())
    }

    /// The VM of this name, or `name/index`; one that has ended only if none of those that live has it.
    pub fn find(&self, address: &str) -> Option<VmId> {
        let named = |vm: &&Vm| vm.address() == address || vm.name == address && vm.index == 0;
        let mut all = self.vms.iter().filter(|(_, vm)| named(vm));
        let living = all.clone().find(|(_, vm)| vm.fate.is_none());
        living.or_else(|| all.next()).map(|(number, _)| VmId(number))
    }
}

/// The tags of the answers that a packet asks for, as far as it is well formed.
fn tags(words: &[u64]) -> Vec<u32> {
    let (mut tags, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at) {
        let head = Head::unpack(*word);
        let end = at + usize::from(head.words);
        if head.words == 0 || end > words.len() {
            break;
        }
        if head.tag != 0 {
            tags.push(head.tag);
        }
        at = end;
    }
    tags
}
