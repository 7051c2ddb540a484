//! Packets of the wire format into and out of a VM that is driven from outside: the base's end of a socket.
//!
//! What comes in is an allegation like any packet, and meets the same choke point. Buffers come whole or not at all;
//! objects and capabilities do not cross: a right is never a number that can be guessed.

use alloc::vec::Vec;

use il::trap::Status;

use super::System;
use super::external::Incoming;
use crate::attachment::Attachment;
use crate::buf::Buf;
use crate::service::VmId;
use crate::wire::{Attached, AttachedRef, Packet, Way, write_answer, write_event};

impl System {
    /// Sends a packet that came as a frame through a slot of an external VM, which pays for its buffers.
    ///
    /// # Errors
    /// As [`System::send`]; `NotPermitted` if the packet is not for this slot's channel, `NotSupported` if it carries
    /// what does not cross, `Quota` if there is no memory for its buffers.
    pub fn send_frame(&mut self, vm: VmId, slot: usize, packet: &Packet) -> Result<(), Status> {
        let Packet { channel, way, words, attachments } = packet;
        if *way != Way::Forth || self.channel_number(vm, slot) != Some(*channel) {
            return Err(Status::NotPermitted);
        }
        let attachments = attachments.iter().map(|attached| self.arrived(vm, attached)).collect::<Result<_, _>>()?;
        self.send(vm, slot, words.clone(), attachments)
    }

    fn arrived(&self, vm: VmId, attached: &Attached) -> Result<Attachment, Status> {
        match attached {
            Attached::Buf { length, bytes } if *length == bytes.len() as u64 => {
                let account = self.account(vm).ok_or(Status::NotPermitted)?;
                let mut buf = Buf::new(&account, bytes.len()).ok_or(Status::Quota)?;
                buf.copy_from_slice(bytes);
                Ok(buf.into())
            }
            Attached::Buf { .. } | Attached::None | Attached::Object { .. } | Attached::Cap { .. } => {
                Err(Status::NotSupported)
            }
        }
    }

    /// The next thing that came for an external VM, as a frame.
    pub fn receive_frame(&mut self, vm: VmId) -> Option<Vec<u8>> {
        let incoming = self.receive(vm)?;
        let mut out = Vec::new();
        match incoming {
            Incoming::Reply { slot, tag, result } => {
                let channel = self.channel_number(vm, slot)?;
                let attachments = result.as_ref().map_or(&[][..], |reply| &reply.attachments);
                let attachments = attachments.iter().map(|attached| AttachedRef::of(attached, usize::MAX));
                let words = result.as_ref().map(|reply| reply.words.as_slice());
                write_answer(&mut out, channel, tag, words.map_err(|status| *status as u16), attachments);
            }
            Incoming::Event { slot, number, words, attachments } => {
                let attachments = attachments.iter().map(|attached| AttachedRef::of_any(attached, usize::MAX));
                let channel = self.channel_number(vm, slot)?;
                write_event(&mut out, channel, number, &words, attachments);
            }
        }
        Some(out)
    }

    /// The number of the channel behind a slot, as a stream has it.
    pub fn channel_number(&self, vm: VmId, slot: usize) -> Option<u32> {
        Some(self.vms.get(vm.0)?.link(slot)?.channel.0)
    }
}
