//! Events: raised by one VM, handled by those whose capability carries them.
//!
//! An event never blocks its source. A receiver holds at most [`MAX_EVENTS`]; what comes beyond is
//! counted, and the count is logged with the next delivery. A `coalesced event` replaces its
//! undelivered predecessor.

use alloc::vec::Vec;

use il::isa::split_own_event;
use il::packet;
use il::trap::Status;

use super::System;
use super::channel::{ChannelId, Delivery, EventDelivery};
use super::vm::Body;
use crate::attachment::Attachment;
use crate::buf::Buf;
use crate::engine::Packet;
use crate::service::VmId;

/// Events that may wait in one VM's inbox.
pub const MAX_EVENTS: usize = 256;

impl System {
    /// Channels whose senders handle event `number` of a set of `source`.
    pub(super) fn listeners(&self, source: VmId, set: u8, number: u8) -> impl Iterator<Item = ChannelId> {
        let wants = move |id: &ChannelId| {
            let channel = self.channel_ref(*id);
            channel.closed.is_none()
                && channel.set == set
                && channel.events.has(number)
                && self.vm_ref(channel.sender).is_ready()
        };
        self.vm_ref(source).incoming.iter().copied().filter(wants)
    }

    /// Raises an event of one of the source's sets at every listener, or at `only` one; returns at how many. Buffers move to the
    /// last of them; others get copies, paid for by the source.
    pub(super) fn raise(
        &mut self,
        source: VmId,
        only: Option<VmId>,
        (set, number): (u8, u8),
        words: &[u64],
        mut attachments: Vec<Option<Attachment>>,
    ) -> Result<usize, Status> {
        let Some(executes) = self.vm_ref(source).executes_set(set).cloned() else { return Err(Status::NotSupported) };
        let event = executes.set.event(number).ok_or(Status::NoSuchInstruction)?;
        packet::check(&event.params, words, attachments.len())?;
        let meant = |id: &ChannelId| only.is_none_or(|only| self.channel_ref(*id).sender == only);
        let listeners: Vec<ChannelId> = self.listeners(source, set, number).filter(meant).collect();
        let last = listeners.len().saturating_sub(1);
        for (at, id) in listeners.iter().enumerate() {
            let buffers = match at == last {
                true => core::mem::take(&mut attachments),
                false => self.copies(source, &attachments)?,
            };
            self.saw_raise(*id, number, words, &buffers);
            let channel = self.channel_ref(*id);
            let (receiver, slot) = (channel.sender, channel.slot);
            let event_delivery = EventDelivery { slot, number, words: words.to_vec(), attachments: buffers };
            self.deliver_event(source, receiver, event_delivery, event.coalesced);
        }
        Ok(listeners.len())
    }

    fn copies(&self, source: VmId, attachments: &[Option<Attachment>]) -> Result<Vec<Option<Attachment>>, Status> {
        let account = &self.vm_ref(source).account;
        let copy = |attachment: &Attachment| match attachment {
            Attachment::Buf(buf) => {
                let mut copy = Buf::new(account, buf.len()).ok_or(Status::Quota)?;
                copy.copy_from_slice(buf);
                Ok(Attachment::Buf(copy))
            }
            Attachment::Object(object) => Ok(Attachment::Object(object.clone())),
            Attachment::Cap(capability) => Ok(Attachment::Cap(capability.clone())),
        };
        attachments.iter().map(|attachment| attachment.as_ref().map(copy).transpose()).collect()
    }

    fn deliver_event(&mut self, source: VmId, receiver: VmId, event: EventDelivery, coalesced: bool) {
        let vm = self.vm(receiver);
        if let Body::External(external) = &mut vm.body {
            external.event(event);
            return;
        }
        let kind = (event.slot, event.number);
        let waiting = vm.inbox.of(source).find_map(|delivery| match delivery {
            Delivery::Event(other) if coalesced && (other.slot, other.number) == kind => Some(other),
            _ => None,
        });
        if let Some(waiting) = waiting {
            *waiting = event;
        } else if vm.events_queued >= MAX_EVENTS {
            *vm.lost.entry(kind).or_insert(0) += 1;
        } else {
            vm.events_queued += 1;
            vm.inbox.push(source, Delivery::Event(event));
            self.notify(receiver);
        }
    }

    /// Hands the events that an IL VM emitted to their listeners.
    pub(super) fn emit_packet(&mut self, source: VmId, packet: Packet) {
        let mut attachments: Vec<Option<Attachment>> = packet.attachments.into_iter().map(Some).collect();
        for instruction in packet::instructions(&packet.words) {
            let raised = instruction.and_then(|(head, words)| {
                let (set, number, directed) = split_own_event(head.opcode).ok_or(Status::NoSuchInstruction)?;
                let event = (set.0 as u8, number);
                let (words, own) = own_attachments(self, source, event, words, &mut attachments)?;
                self.raise(source, directed.then_some(VmId(head.tag)), event, &words, own)
            });
            if let Err(status) = raised {
                let name = self.vm_ref(source).address();
                self.log(format_args!("VM '{name}': an event was not raised: {status}"));
            }
        }
    }
}

/// The operands of one event with the attachments that it names, renumbered from 0.
fn own_attachments(
    system: &System,
    source: VmId,
    (set, number): (u8, u8),
    words: &[u64],
    attachments: &mut [Option<Attachment>],
) -> Result<(Vec<u64>, Vec<Option<Attachment>>), Status> {
    let executes = system.vm_ref(source).executes_set(set).ok_or(Status::NotSupported)?;
    let event = executes.set.event(number).ok_or(Status::NoSuchInstruction)?;
    packet::check(&event.params, words, attachments.len())?;
    let mut builder = packet::Builder::default();
    let mut reader = packet::Reader::new(words);
    let mut own = Vec::new();
    for param in event.params.iter() {
        let value = match reader.next(param.ty)? {
            packet::Value::Buf(index) => {
                own.push(attachments.get_mut(index as usize).and_then(Option::take));
                packet::Value::Buf(own.len() as u32 - 1)
            }
            other => other,
        };
        builder.push(value);
    }
    Ok((builder.words, own))
}

/// Logs how many events of this kind were lost since the last one was delivered.
pub(super) fn report_lost(system: &mut System, receiver: VmId, slot: u32, number: u8) {
    let Some(count) = system.vm(receiver).lost.remove(&(slot, number)) else { return };
    let vm = system.vm_ref(receiver);
    let channel = vm.link(slot as usize).map(|link| system.channel_ref(link.channel));
    let (from, event) = match channel.map(|channel| (system.vm_ref(channel.receiver), channel.set)) {
        Some((source, set)) => {
            let name = source.executes_set(set).and_then(|executes| executes.set.event(number));
            (source.address(), name.map_or("?".into(), |event| event.name.clone()))
        }
        None => ("?".into(), "?".into()),
    };
    system.log(format_args!("VM '{}' lost {count} events '{event}' of '{from}': its inbox was full", vm.address()));
}
