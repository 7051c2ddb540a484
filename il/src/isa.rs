//! Instruction sets as data: built-in ones are `static`, those that IL text declares are owned.
//! Every algorithm over device instructions (verify, encode, decode, print, document) reads this.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::Write;

use crate::shape::Shapes;
use crate::types::Type;

/// A named, versioned set of device instructions that one kind of VM executes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstructionSet {
    /// Dotted path without its version, e.g. `cascade.display`.
    pub name: Cow<'static, str>,
    /// The number after `@`.
    pub version: u32,
    /// Instructions, by ascending opcode.
    pub instructions: Cow<'static, [Instruction]>,
    /// Events that the VM sends to holders of its capability, by ascending number.
    pub events: Cow<'static, [Event]>,
    /// Documentation, may be empty. Not part of a module.
    pub doc: Cow<'static, str>,
}

/// One device instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// 1 to 255, append-only.
    pub opcode: u8,
    /// Its name, unique in the set.
    pub name: Cow<'static, str>,
    /// Operands, in order.
    pub params: Cow<'static, [Field]>,
    /// What it answers: `None` streams, `Some` waits (`Some([])` carries only a status).
    pub results: Option<Cow<'static, [Field]>>,
    /// Documentation, may be empty.
    pub doc: Cow<'static, str>,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// 1 to 255; travels as opcode 0x8000 + number.
    pub number: u8,
    /// Its name, unique among the set's events.
    pub name: Cow<'static, str>,
    /// What it carries.
    pub params: Cow<'static, [Field]>,
    /// Whether a new one replaces an undelivered one.
    pub coalesced: bool,
    /// Documentation, may be empty.
    pub doc: Cow<'static, str>,
}

/// A named operand or result. The name is documentation: it is not part of a signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// May be empty.
    pub name: Cow<'static, str>,
    /// Its type.
    pub ty: Type,
}

/// Opcodes at and above this are events.
pub const EVENT_BASE: u16 = 0x8000;

impl InstructionSet {
    /// `name@version`.
    pub fn path(&self) -> String {
        alloc::format!("{}@{}", self.name, self.version)
    }

    /// The instruction with this opcode.
    pub fn instruction(&self, opcode: u8) -> Option<&Instruction> {
        self.instructions.binary_search_by_key(&opcode, |i| i.opcode).ok().map(|at| &self.instructions[at])
    }

    /// The instruction with this name.
    pub fn instruction_named(&self, name: &str) -> Option<&Instruction> {
        self.instructions.iter().find(|i| i.name == name)
    }

    /// The event with this number.
    pub fn event(&self, number: u8) -> Option<&Event> {
        self.events.binary_search_by_key(&number, |e| e.number).ok().map(|at| &self.events[at])
    }

    /// The event with this name.
    pub fn event_named(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|e| e.name == name)
    }

    /// All operands and results of its instructions, and all operands of its events.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let instructions = self.instructions.iter();
        let instructions = instructions.flat_map(|one| one.params.iter().chain(one.results.as_deref().unwrap_or(&[])));
        instructions.chain(self.events.iter().flat_map(|one| one.params.iter()))
    }

    /// BLAKE3 of set, number, name and types of an instruction (`il-grammar` rule 14). `shapes` are those of the module
    /// that the set stands in, [`Shapes::NONE`] for a built-in set.
    pub fn instruction_hash(&self, instruction: &Instruction, shapes: &Shapes<'_>) -> [u8; 32] {
        let results = instruction.results.as_deref();
        self.signature_hash(u16::from(instruction.opcode), &instruction.name, &instruction.params, results, shapes)
    }

    /// The same for an event, whose number is `0x8000 + number`.
    pub fn event_hash(&self, event: &Event, shapes: &Shapes<'_>) -> [u8; 32] {
        self.signature_hash(EVENT_BASE + u16::from(event.number), &event.name, &event.params, None, shapes)
    }

    fn signature_hash(
        &self,
        number: u16,
        name: &str,
        params: &[Field],
        results: Option<&[Field]>,
        shapes: &Shapes<'_>,
    ) -> [u8; 32] {
        let mut text = String::new();
        let list = |text: &mut String, fields: &[Field]| {
            for field in fields {
                // The verifier refuses types that have no description.
                let _ = write!(text, "{},", shapes.describe(field.ty).unwrap_or_default());
            }
        };
        let _ = write!(text, "{}@{} {number} {name}(", self.name, self.version);
        list(&mut text, params);
        text.push(')');
        if let Some(results) = results {
            text.push_str("->(");
            list(&mut text, results);
            text.push(')');
        }
        *blake3::hash(text.as_bytes()).as_bytes()
    }
}
