//! Instruction sets as data: built-in ones are `static`, those that IL text declares are owned.
//! Every algorithm over device instructions (verify, encode, decode, print, document) reads this.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use crate::shape::Shapes;
use crate::types::{ProvidedId, Type};

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
    /// What it touches of the VM's spaces: a grant may be limited to a part of one. Like the documentation
    /// not part of a module.
    pub touches: Cow<'static, [Touch]>,
    /// Documentation, may be empty.
    pub doc: Cow<'static, str>,
}

/// The part of one named space (the sectors of a disk, the pixels of a screen) that an instruction reads or
/// changes. Every instruction of a set touches a space in as many axes, or in none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touch {
    /// The space's name, e.g. `sectors`.
    pub space: Cow<'static, str>,
    /// From where to where on each axis; empty if it touches the whole space.
    pub axes: Cow<'static, [Axis]>,
}

/// An interval on one axis of a space, in terms of operands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Axis {
    /// The operand (`i32` or `i64`) where it starts.
    pub start: Cow<'static, str>,
    /// How far it goes.
    pub extent: Extent,
}

/// How far an interval goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extent {
    /// This one point.
    One,
    /// So many points as this operand (`i32` or `i64`) says.
    Count(Cow<'static, str>),
    /// To the point that this operand (`i32` or `i64`) names, which is touched too and may lie before the start.
    To(Cow<'static, str>),
    /// One point for every `bytes` begun of this operand, a `buf`.
    Bytes {
        /// The operand.
        of: Cow<'static, str>,
        /// Bytes a point; not 0.
        bytes: u32,
    },
    /// `points` for every character of the longest line of this operand, a `str`.
    Columns {
        /// The operand.
        of: Cow<'static, str>,
        /// Points a character.
        points: u32,
    },
    /// `points` for every line of this operand, a `str`; one more than it has `\n`.
    Lines {
        /// The operand.
        of: Cow<'static, str>,
        /// Points a line.
        points: u32,
    },
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

/// What an instruction means on a *grid*: rows of 32-bit cells that a VM lends to the programs that it runs. Compiled
/// programs then have it as stores and loads of their own, with the same results as the instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum GridMeaning {
    /// `(x: i32, y: i32, value: i32)`, streamed: the cell becomes `value & mask`; outside the grid nothing happens.
    Store {
        /// Bits of the value that are kept.
        mask: u32,
    },
    /// `(x: i32, y: i32) -> i32`: the cell; outside the grid it fails with `OutOfRange`.
    Load,
    /// `() -> (i32, i32)`: width and height of the grid.
    Size,
}

/// An instruction that means something on a grid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct GridInstruction {
    /// Which instruction of the set.
    pub opcode: u8,
    /// What it means.
    pub meaning: GridMeaning,
}

impl GridMeaning {
    /// Whether an instruction has the operands and results that this meaning needs.
    pub fn fits(self, instruction: &Instruction) -> bool {
        let (params, results) = match self {
            GridMeaning::Store { .. } => (3, None),
            GridMeaning::Load => (2, Some(1)),
            GridMeaning::Size => (0, Some(2)),
        };
        let fields = instruction.params.iter().chain(instruction.results.as_deref().unwrap_or_default());
        instruction.params.len() == params
            && instruction.results.as_deref().map(<[Field]>::len) == results
            && fields.into_iter().all(|field| field.ty == Type::I32)
    }
}

/// Opcodes at and above this are events.
pub const EVENT_BASE: u16 = 0x8000;
/// Added to the opcode of an event in the packet of a VM's own events if it is meant for one VM, whose number is then the
/// tag.
pub const DIRECTED: u16 = 0x4000;

/// The opcode of an event in the packet of a VM's own events: the base takes them apart, so no other VM sees one.
pub const fn own_event(provided: ProvidedId, number: u8, directed: bool) -> u16 {
    let set = (provided.0 as u16 & 0x3f) << 8;
    EVENT_BASE | if directed { DIRECTED } else { 0 } | set | number as u16
}

/// Takes such an opcode apart: which provided set, which event of it, and whether it is meant for one VM.
pub const fn split_own_event(opcode: u16) -> Option<(ProvidedId, u8, bool)> {
    if opcode & EVENT_BASE == 0 {
        return None;
    }
    Some((ProvidedId((opcode >> 8 & 0x3f) as u32), opcode as u8, opcode & DIRECTED != 0))
}

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

    /// The spaces in which its grants can be limited: name and number of axes, in order of appearance.
    pub fn spaces(&self) -> Vec<(&str, usize)> {
        let mut spaces: Vec<(&str, usize)> = Vec::new();
        for touch in self.instructions.iter().flat_map(|instruction| instruction.touches.iter()) {
            match spaces.iter_mut().find(|(name, _)| *name == touch.space) {
                Some((_, axes)) => *axes = touch.axes.len().max(*axes),
                None => spaces.push((&touch.space, touch.axes.len())),
            }
        }
        spaces
    }

    /// How many axes a limit of this name has: those of a space, or one if it is the name of an operand that can be
    /// limited. `None` if it is neither.
    pub fn limit_axes(&self, name: &str) -> Option<usize> {
        let space = self.spaces().into_iter().find(|(space, _)| *space == name).map(|(_, axes)| axes);
        space.or_else(|| self.limited_operands().any(|operand| operand == name).then_some(1))
    }

    /// The names of all operands that can be limited: integers in their value, `buf` and `str` in their length. One
    /// that several instructions have comes several times.
    pub fn limited_operands(&self) -> impl Iterator<Item = &str> {
        let params = self.instructions.iter().flat_map(|instruction| instruction.params.iter());
        let limited = |ty| matches!(ty, Type::I32 | Type::I64 | Type::Buf | Type::Str);
        params.filter(move |param| limited(param.ty)).map(|param| param.name.as_ref())
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
