//! Packets: what generated code has written on a channel, and what comes back.

use compiler::abi::{FROZEN, IMMORTAL, attach};
use il::Type;

use super::machine::load;
use super::{Reply, Vm};

impl Vm {
    /// Moves a slot's open packet to `sent` and opens a new one of `words` words.
    pub(super) fn submit(&mut self, slot: usize, words: usize) {
        let start = self.packets[slot].0.as_mut_ptr() as u64;
        let used = (self.caps[slot].cursor - start) as usize / 8;
        let attached = self.caps[slot].attached as usize;
        let content = self.packets[slot].0[..used].to_vec();
        let attachments = self.packets[slot].1[..attached].to_vec();
        let attachments = attachments.into_iter().map(|word| self.take_attachment(word)).collect();
        if used > 0 {
            self.sent.push((slot as u32, content, attachments));
        }
        self.packets[slot].0.fill(0xdead_dead_dead_dead);
        self.caps[slot].cursor = start;
        self.caps[slot].end = start + 8 * words as u64;
        self.caps[slot].attached = 0;
    }

    /// A `buf`'s bytes; of a shared object or capability what `attach` said.
    pub(super) fn take_attachment(&mut self, word: u64) -> Vec<u8> {
        match word & 1 {
            0 => self.take_buf(word),
            _ => self.shared[(word >> 1) as usize].clone().into_bytes(),
        }
    }

    pub(super) fn attach(&mut self, slot: usize, value: u64, kind: u64) -> u64 {
        let nullable = kind == attach::NULLABLE;
        if nullable && value == 0 {
            return 0;
        }
        let word = if kind == attach::BUF {
            value
        } else {
            assert!(value != 0, "a reference that is not null");
            self.shared.push(match value & 1 {
                1 => format!("slot {}", value >> 1),
                _ => {
                    assert!(load(value) as u32 & (FROZEN | IMMORTAL) != 0, "what is attached was shared");
                    format!("{} long", load(value) >> 32)
                }
            });
            (self.shared.len() as u64 - 1) << 1 | 1
        };
        let index = self.caps[slot].attached;
        self.packets[slot].1[index as usize] = word;
        self.caps[slot].attached += 1;
        index + u64::from(nullable)
    }

    pub(super) fn close_packets(&mut self) {
        for slot in 0..self.caps.len() {
            self.submit(slot, 0);
        }
    }

    pub(super) fn call(&mut self, slot: usize, head: u64) -> u64 {
        let at = (head - self.packets[slot].0.as_ptr() as u64) as usize / 8;
        self.packets[slot].0[at] |= 7 << 32;
        self.submit(slot, self.packet_words);
        let request = self.sent.last().unwrap().clone();
        let (status, results) = (self.device)(&request);
        let opcode = request.1[at] as u8;
        // What was attenuated here is of the set of the last `use`.
        let wanted = self.module.uses.get(slot).or(self.module.uses.last()).unwrap();
        let set = &self.module.isas[wanted.isa.index()];
        let types: Vec<Type> =
            set.instruction(opcode).unwrap().results.as_ref().unwrap().iter().map(|field| field.ty).collect();
        self.ctx.values[0] = status;
        let mut word = 1;
        for (index, ty) in types.into_iter().enumerate() {
            if let Some(Reply::Wide(halves)) = results.get(index) {
                self.ctx.values[word..word + 2].copy_from_slice(halves);
                word += 2;
                continue;
            }
            let value = match (results.get(index).cloned(), ty) {
                (Some(Reply::Word(word)), _) => word,
                (Some(Reply::Wide(_)), _) => unreachable!(),
                (Some(Reply::Str(text)), _) => self.new_str(&text),
                (Some(Reply::Buf(bytes)), _) => self.new_buf(&bytes),
                (None, Type::Str) => self.empties.0,
                (None, Type::Buf) => self.empties.1,
                (None, _) => 0,
            };
            self.ctx.values[word] = value;
            word += if ty == Type::V128 { 2 } else { 1 };
        }
        status
    }
}
