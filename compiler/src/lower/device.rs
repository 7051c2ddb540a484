//! Device instructions: encoded into the channel's open packet by the code itself, without a call.
//!
//! ```text
//! cursor = slot.cursor;  next = cursor + 8 * words
//! if next > slot.end (or too many attachments): Room exit, cursor = slot.cursor    (cold)
//! cursor[0] = head;  cursor[1..] = operands;  slot.cursor = next
//! ```
//!
//! All operands are evaluated, and references shared, before the first word is written. Nothing between the check and
//! the bump lets anybody else see the packet: the `Attach` exit, taken for each attachment of an instruction that carries
//! references, is served at once and collects nothing. So an open packet only ever holds whole instructions.

use alloc::vec::Vec;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};
use il::isa::{Field, Instruction, own_event};
use il::packet::{Head, MAX_ATTACHMENTS};
use il::{ProvidedId, StrId, Type, TypeId, UseId};

use super::operand::{Hold, Operand};
use super::{Lowering, Result};
use crate::abi::{self, CapSlot, Exit};
use crate::image::Stub;

/// Literals up to this length are stored as constants, longer ones are copied.
const INLINE_LITERAL_BYTES: usize = 64;

/// A capability slot: its number, and where it lies.
#[derive(Clone, Copy)]
struct Slot {
    number: Value,
    base: Value,
    at: i32,
}

/// Space for one instruction in the open packet.
#[derive(Clone, Copy)]
struct Room {
    cursor: Value,
    /// Where the next instruction will go.
    next: Value,
    /// How many attachments the packet has; not looked at if the instruction brings none.
    attached: Value,
}

impl Room {
    fn args(self, length: &Length) -> Vec<BlockArg> {
        let mut args = alloc::vec![self.cursor.into(), self.next.into()];
        if length.attachments > 0 {
            args.push(self.attached.into());
        }
        args
    }
}

/// Where the next operand word goes.
#[derive(Clone, Copy)]
struct Output {
    base: Value,
    offset: i32,
}

/// The length of an instruction, in words.
struct Length {
    /// What is known: the head, operands of one word, and literals.
    fixed: u64,
    /// Words of the bytes of each other `str`.
    texts: Vec<Value>,
    attachments: u64,
}

impl<'m> Lowering<'m, '_> {
    /// Sends an instruction; if it waits, yields its results or traps.
    pub(super) fn send(&mut self, target: UseId, opcode: u8) -> Result<Vec<Operand>> {
        let instruction = self.instruction(target, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.word_const(u64::from(target.0));
        self.send_on(slot, instruction, operands)
    }

    /// The same through a capability, which lies below the operands.
    pub(super) fn send_to(&mut self, ty: TypeId, opcode: u8) -> Result<Vec<Operand>> {
        let instruction = self.instruction_of(ty, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.pop_slot()?;
        self.send_on(slot, instruction, operands)
    }

    fn send_on(&mut self, slot: Value, instruction: &Instruction, operands: Vec<Operand>) -> Result<Vec<Operand>> {
        let head = self.emit(slot, u16::from(instruction.opcode), operands)?;
        let Some(results) = &instruction.results else { return Ok(Vec::new()) };
        let status = self.exit(Exit::Call, &[slot, head]);
        self.raise(status, slot, u64::from(instruction.opcode));
        Ok(self.results(results.iter().map(|field| field.ty)))
    }

    /// Sends a waiting instruction; yields its status, then its results.
    pub(super) fn try_send(&mut self, target: UseId, opcode: u8) -> Result<Vec<Operand>> {
        let instruction = self.instruction(target, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.word_const(u64::from(target.0));
        self.try_on(slot, instruction, operands)
    }

    /// The same through a capability, which lies below the operands.
    pub(super) fn try_send_to(&mut self, ty: TypeId, opcode: u8) -> Result<Vec<Operand>> {
        let instruction = self.instruction_of(ty, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.pop_slot()?;
        self.try_on(slot, instruction, operands)
    }

    fn try_on(&mut self, slot: Value, instruction: &Instruction, operands: Vec<Operand>) -> Result<Vec<Operand>> {
        let results = instruction.results.as_deref().ok_or(self.unverified("a waiting instruction"))?;
        let head = self.emit(slot, u16::from(instruction.opcode), operands)?;
        let status = self.exit(Exit::Call, &[slot, head]);
        Ok(self.results_after(status, results.iter().map(|field| field.ty)))
    }

    /// Sends an instruction in the place of the request under way, and returns from the `op`.
    pub(super) fn forward(&mut self, target: UseId, opcode: u8) -> Result {
        let instruction = self.instruction(target, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.word_const(u64::from(target.0));
        self.forward_on(slot, opcode, operands)
    }

    /// The same through a capability, which lies below the operands.
    pub(super) fn forward_to(&mut self, ty: TypeId, opcode: u8) -> Result {
        let instruction = self.instruction_of(ty, opcode)?;
        let operands = self.pop_operands(&instruction.params)?;
        let slot = self.pop_slot()?;
        self.forward_on(slot, opcode, operands)
    }

    fn forward_on(&mut self, slot: Value, opcode: u8, operands: Vec<Operand>) -> Result {
        let head = self.emit(slot, u16::from(opcode), operands)?;
        self.exit(Exit::Forward, &[slot, head]);
        self.leave_op();
        Ok(())
    }

    /// Raises an event of a provided set: at all, or at the VM whose number lies above the operands.
    pub(super) fn emit_event(&mut self, provided: ProvidedId, number: u8, directed: bool) -> Result {
        let event = self.module.provided(provided).and_then(|set| set.event(number));
        let event = event.ok_or(self.unverified("an event of the provided set"))?;
        let to = match directed {
            true => {
                let to = self.pop()?;
                Some(self.word(to.value, Type::I32))
            }
            false => None,
        };
        let operands = self.pop_operands(&event.params)?;
        let slot = self.word_const(self.module.uses.len() as u64);
        self.emit_tagged(slot, own_event(provided, number, directed), to, operands)?;
        Ok(())
    }

    /// The operands of an instruction or event as what is declared. What is attached has been shared, while all of them
    /// were on the stack: that may collect.
    fn pop_operands(&mut self, params: &[Field]) -> Result<Vec<Operand>> {
        let first = self.stack.len().checked_sub(params.len()).ok_or(self.unverified("more operands"))?;
        for (at, field) in params.iter().enumerate() {
            if field.ty.is_attached() {
                self.share(first + at)?;
            }
        }
        let mut operands = self.pop_many(params.len())?;
        for (operand, field) in operands.iter_mut().zip(params) {
            operand.ty = field.ty;
        }
        Ok(operands)
    }

    fn share(&mut self, at: usize) -> Result {
        let operand = self.stack.get(at).copied().ok_or(self.unverified("an operand"))?;
        let is_capability = operand.ty.def().is_some_and(|id| self.program.hierarchy.cap(id).is_some());
        if is_capability || matches!(operand.hold, Hold::Literal(_)) {
            return Ok(());
        }
        let operand = self.at_home(operand);
        let shared = self.exit(Exit::Share, &[operand.value]);
        if let Some(place) = self.stack.get_mut(at) {
            *place = Operand::plain(shared, operand.ty);
        }
        Ok(())
    }

    fn instruction(&self, target: UseId, opcode: u8) -> Result<&'m Instruction> {
        let set = self.module.uses.get(target.index()).and_then(|u| self.module.isas.get(u.isa.index()));
        set.and_then(|set| set.instruction(opcode)).ok_or(self.unverified("an instruction of the set"))
    }

    fn instruction_of(&self, ty: TypeId, opcode: u8) -> Result<&'m Instruction> {
        let set = self.program.hierarchy.cap(ty).and_then(|cap| self.module.isas.get(cap.isa.index()));
        set.and_then(|set| set.instruction(opcode)).ok_or(self.unverified("an instruction of the capability's set"))
    }

    /// Traps if an instruction has failed.
    pub(super) fn raise(&mut self, status: Value, slot: Value, opcode: u64) {
        let (failed, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(failed);
        self.b.ins().brif(status, failed, &[], on, &[]);
        self.b.switch_to_block(failed);
        self.b.seal_block(failed);
        let opcode = self.word_const(opcode);
        self.last_exit(Exit::DeviceTrap, &[slot, opcode, status]);
        self.b.switch_to_block(on);
        self.b.seal_block(on);
    }

    /// Encodes an instruction; returns its head's address.
    fn emit(&mut self, slot: Value, opcode: u16, operands: Vec<Operand>) -> Result<Value> {
        self.emit_tagged(slot, opcode, None, operands)
    }

    /// The same under a tag, which is a word without upper bits.
    fn emit_tagged(&mut self, slot: Value, opcode: u16, tag: Option<Value>, operands: Vec<Operand>) -> Result<Value> {
        let values: Vec<Value> = operands.iter().map(|operand| self.canonical(*operand)).collect();
        let length = self.length(&operands);
        let words = self.words(&length);
        let table = self.slot_table();
        let (base, at) = self.slot_place(table, slot);
        let place = Slot { number: slot, base, at };
        let room = self.reserve(place, &length, words);
        let mut head = self.head(opcode, &length, words);
        if let Some(tag) = tag {
            let tag = self.b.ins().ishl_imm_u(tag, 32);
            head = self.b.ins().bor(head, tag);
        }
        self.b.ins().store(self.regions.packets, head, room.cursor, 0);
        self.operands(&operands, &values, &length, place, room);
        self.b.ins().store(self.regions.slots, room.next, base, at + abi::offset::SLOT_CURSOR);
        Ok(room.cursor)
    }

    /// The table of slots. It may move when the VM gets a capability, but not while it sends an instruction.
    fn slot_table(&mut self) -> Value {
        match self.program.effects.gains_capabilities {
            true => self.b.ins().load(types::I64, self.regions.slots, self.ctx, abi::offset::CAPS),
            false => self.ctx_constant(abi::offset::CAPS),
        }
    }

    /// Where a slot lies, by its number, which is often known.
    fn slot_place(&mut self, table: Value, slot: Value) -> (Value, i32) {
        let bytes = size_of::<CapSlot>() as u64;
        match self.constant(slot) {
            Some(number) => self.table_place(table, number as u64 * bytes),
            None => {
                let offset = self.b.ins().imul_imm_u(slot, bytes as i64);
                (self.b.ins().iadd(table, offset), 0)
            }
        }
    }

    fn length(&mut self, operands: &[Operand]) -> Length {
        let mut length = Length { fixed: 1, texts: Vec::new(), attachments: 0 };
        for operand in operands {
            length.fixed += 1;
            match (operand.ty, operand.hold) {
                (Type::Str, Hold::Literal(id)) => length.fixed += self.literal_bytes(id).len().div_ceil(8) as u64,
                (Type::Str, _) => {
                    let bytes = self.str_len(operand.value);
                    let padded = self.b.ins().iadd_imm_u(bytes, 7);
                    length.texts.push(self.b.ins().ushr_imm_u(padded, 3));
                }
                (Type::Buf, _) => length.attachments += 1,
                (ty, _) if ty.is_attached() => length.attachments += 1,
                (Type::V128, _) => length.fixed += 1,
                _ => {}
            }
        }
        length
    }

    fn literal_bytes(&self, id: StrId) -> &'m [u8] {
        self.module.strings.get(id.index()).map_or(&[], |text| text.as_bytes())
    }

    /// The whole length in words.
    fn words(&mut self, length: &Length) -> Value {
        let fixed = self.word_const(length.fixed);
        length.texts.iter().fold(fixed, |words, more| self.b.ins().iadd(*more, words))
    }

    fn head(&mut self, opcode: u16, length: &Length, words: Value) -> Value {
        if length.texts.is_empty() {
            return self.word_const(Head { opcode, words: length.fixed as u16, tag: 0 }.pack());
        }
        // The open packet had room for it, so the number of words fits its field.
        let shifted = self.b.ins().ishl_imm_u(words, 16);
        self.b.ins().bor_imm_u(shifted, i64::from(opcode))
    }

    /// Makes sure that the instruction fits.
    fn reserve(&mut self, place: Slot, length: &Length, words: Value) -> Room {
        let (slow, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        let fast = self.read_slot(place, length, words);
        let end = self.b.ins().load(types::I64, self.regions.slots, place.base, place.at + abi::offset::SLOT_END);
        let mut full = self.b.ins().icmp(IntCC::UnsignedGreaterThan, fast.next, end);
        if length.attachments > 0 {
            let most = (MAX_ATTACHMENTS as u64).saturating_sub(length.attachments);
            let crowded = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, fast.attached, most as i64);
            full = self.b.ins().bor(full, crowded);
        }
        self.b.ins().brif(full, slow, &[], on, &fast.args(length));

        self.b.switch_to_block(slow);
        self.b.seal_block(slow);
        let attachments = self.word_const(length.attachments);
        self.call_stub(Stub::Room, &[place.number, words, attachments]);
        let refreshed = self.read_slot(place, length, words);
        self.b.ins().jump(on, &refreshed.args(length));

        let cursor = self.b.append_block_param(on, types::I64);
        let next = self.b.append_block_param(on, types::I64);
        let attached = if length.attachments > 0 { self.b.append_block_param(on, types::I64) } else { cursor };
        self.b.switch_to_block(on);
        self.b.seal_block(on);
        Room { cursor, next, attached }
    }

    fn read_slot(&mut self, place: Slot, length: &Length, words: Value) -> Room {
        let flags = self.regions.slots;
        let cursor = self.b.ins().load(types::I64, flags, place.base, place.at + abi::offset::SLOT_CURSOR);
        let next = if length.texts.is_empty() {
            self.b.ins().iadd_imm_u(cursor, 8 * length.fixed as i64)
        } else {
            let bytes = self.b.ins().ishl_imm_u(words, 3);
            self.b.ins().iadd(cursor, bytes)
        };
        let attached = if length.attachments > 0 {
            self.b.ins().load(types::I64, flags, place.base, place.at + abi::offset::SLOT_ATTACHED)
        } else {
            cursor
        };
        Room { cursor, next, attached }
    }

    /// Stores the operands behind the head.
    fn operands(&mut self, operands: &[Operand], values: &[Value], length: &Length, place: Slot, room: Room) {
        let mut out = Output { base: room.cursor, offset: 8 };
        let mut texts = length.texts.iter();
        let mut attached = 0;
        // Where the base attaches something, it attaches all: it counts by itself.
        let by_base = operands.iter().any(|operand| operand.ty.is_attached());
        for (operand, value) in operands.iter().zip(values) {
            match (operand.ty, operand.hold) {
                (ty, _) if by_base && (ty.is_attached() || ty == Type::Buf) => {
                    let word = self.attach_by_base(place.number, *value, ty);
                    out = self.store_word(word, out);
                }
                (Type::Str, Hold::Literal(id)) => out = self.store_literal(id, *value, out),
                (Type::Str, _) => {
                    let words = texts.next().copied().unwrap_or(*value);
                    out = self.store_text(*value, words, out);
                }
                (Type::Buf, _) => {
                    let index = self.attach(place, room.attached, attached, *value);
                    out = self.store_word(index, out);
                    attached += 1;
                }
                (ty, _) => {
                    for word in self.value_words(*value, ty).into_iter().flatten() {
                        out = self.store_word(word, out);
                    }
                }
            }
        }
        if attached > 0 {
            let count = self.b.ins().iadd_imm_u(room.attached, attached);
            self.b.ins().store(self.regions.slots, count, place.base, place.at + abi::offset::SLOT_ATTACHED);
        }
    }

    fn store_word(&mut self, word: Value, out: Output) -> Output {
        self.b.ins().store(self.regions.packets, word, out.base, out.offset);
        Output { offset: out.offset + 8, ..out }
    }

    /// Adds a `buf` to the packet's attachments; returns its index as a word.
    fn attach(&mut self, place: Slot, attached: Value, index: i64, buf: Value) -> Value {
        let list =
            self.b.ins().load(types::I64, self.regions.slots, place.base, place.at + abi::offset::SLOT_ATTACHMENTS);
        let number = self.b.ins().iadd_imm_u(attached, index);
        let bytes = self.b.ins().ishl_imm_u(number, 3);
        let to = self.b.ins().iadd(list, bytes);
        self.b.ins().store(self.regions.packets, buf, to, 0);
        number
    }

    /// Has the base add to the packet's attachments; returns the operand's word.
    fn attach_by_base(&mut self, slot: Value, value: Value, ty: Type) -> Value {
        let kind = match ty {
            Type::Buf => abi::attach::BUF,
            ty if ty.is_nullable() => abi::attach::NULLABLE,
            _ => abi::attach::REFERENCE,
        };
        let kind = self.word_const(kind);
        self.exit(Exit::Attach, &[slot, value, kind])
    }

    fn store_literal(&mut self, id: StrId, value: Value, out: Output) -> Output {
        let bytes = self.literal_bytes(id);
        if bytes.len() > INLINE_LITERAL_BYTES {
            let words = self.word_const(bytes.len().div_ceil(8) as u64);
            return self.store_text(value, words, out);
        }
        let length = self.word_const(bytes.len() as u64);
        let mut out = self.store_word(length, out);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = self.word_const(u64::from_le_bytes(word));
            out = self.store_word(word, out);
        }
        out
    }

    /// Stores a length and copies the bytes, whose padding is zero already, word by word.
    fn store_text(&mut self, text: Value, words: Value, out: Output) -> Output {
        let length = self.str_len(text);
        let out = self.store_word(length, out);
        let to = self.b.ins().iadd_imm_s(out.base, i64::from(out.offset));
        let bytes = self.b.ins().ishl_imm_u(words, 3);
        let (turn, on) = (self.b.create_block(), self.b.create_block());
        let at = self.b.append_block_param(turn, types::I64);
        let start = self.word_const(0);
        self.b.ins().brif(bytes, turn, &[start.into()], on, &[]);

        self.b.switch_to_block(turn);
        let from = self.b.ins().iadd(text, at);
        let word = self.b.ins().load(types::I64, self.regions.text, from, abi::OBJECT_DATA);
        let dest = self.b.ins().iadd(to, at);
        self.b.ins().store(self.regions.packets, word, dest, 0);
        let next = self.b.ins().iadd_imm_u(at, 8);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, bytes);
        self.b.ins().brif(more, turn, &[next.into()], on, &[]);
        self.b.seal_block(turn);
        self.b.switch_to_block(on);
        self.b.seal_block(on);
        Output { base: self.b.ins().iadd(to, bytes), offset: 0 }
    }
}
