//! What a machine takes and gives: arguments, packets, outcomes, reports.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use il::packet::{Builder, Reader, Value as Word};
use il::trap::{Status, TrapKind};
use il::{FuncId, ProgramId, Type, TypeId};

use crate::graph::ObjectId;

/// A value that enters or leaves a machine.
#[derive(Clone, PartialEq, Debug)]
pub enum Datum {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`, by its bits
    F32(u32),
    /// `f64`, by its bits
    F64(u64),
    /// `v128`, lane 0 first
    V128([u8; 16]),
    /// `bool`
    Bool(bool),
    /// `str`
    Str(String),
    /// `buf`
    Buf(Vec<u8>),
    /// A reference of a type without null.
    Ref(Reference),
    /// A reference of a type with null.
    OptRef(Option<Reference>),
}

/// A reference that enters or leaves a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference {
    /// A frozen object.
    Object(ObjectId),
    /// A capability, by its slot.
    Cap(u32),
}

/// What a word of a packet names by index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attached {
    /// A `buf`.
    Buf(Vec<u8>),
    /// Another reference.
    Ref(Reference),
}

impl Attached {
    /// The bytes of a `buf`; of anything else none.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Attached::Buf(bytes) => bytes,
            Attached::Ref(_) => &[],
        }
    }
}

/// Encoded operands or instructions, as [`il::packet`] lays them out.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Packet {
    /// The words.
    pub words: Vec<u64>,
    /// What its words name by index.
    pub attachments: Vec<Attached>,
}

impl Packet {
    /// These values, without a head.
    pub fn of(values: &[Datum]) -> Packet {
        let mut builder = Builder::default();
        let mut attachments = Vec::new();
        for value in values {
            builder.push(match value {
                Datum::I32(value) => Word::I32(*value),
                Datum::I64(value) => Word::I64(*value),
                Datum::F32(bits) => Word::F32(f32::from_bits(*bits)),
                Datum::F64(bits) => Word::F64(f64::from_bits(*bits)),
                Datum::V128(bytes) => Word::V128(u128::from_le_bytes(*bytes)),
                Datum::Bool(value) => Word::Bool(*value),
                Datum::Str(text) => Word::Str(text),
                Datum::Buf(bytes) => {
                    attachments.push(Attached::Buf(bytes.clone()));
                    Word::Buf(attachments.len() as u32 - 1)
                }
                Datum::Ref(reference) => {
                    attachments.push(Attached::Ref(*reference));
                    Word::Ref(attachments.len() as u32 - 1)
                }
                Datum::OptRef(reference) => Word::OptRef(reference.map(|reference| {
                    attachments.push(Attached::Ref(reference));
                    attachments.len() as u32 - 1
                })),
            });
        }
        Packet { words: builder.words, attachments }
    }

    /// The values of these types that it holds.
    ///
    /// # Errors
    /// `BadOperand` if it holds anything else, or names an attachment twice or one that it lacks.
    pub fn values(mut self, types: impl Iterator<Item = Type>) -> Result<Vec<Datum>, Status> {
        let words = core::mem::take(&mut self.words);
        let mut reader = Reader::new(&words);
        let mut taken = alloc::vec![false; self.attachments.len()];
        let mut values = Vec::new();
        for ty in types {
            values.push(match reader.next(ty)? {
                Word::I32(value) => Datum::I32(value),
                Word::I64(value) => Datum::I64(value),
                Word::F32(value) => Datum::F32(value.to_bits()),
                Word::F64(value) => Datum::F64(value.to_bits()),
                Word::V128(value) => Datum::V128(value.to_le_bytes()),
                Word::Bool(value) => Datum::Bool(value),
                Word::Str(text) => Datum::Str(text.into()),
                Word::Buf(index) => match self.take(index, &mut taken)? {
                    Attached::Buf(bytes) => Datum::Buf(bytes),
                    Attached::Ref(_) => return Err(Status::BadOperand),
                },
                Word::Ref(index) => Datum::Ref(self.take_reference(index, &mut taken)?),
                Word::OptRef(None) => Datum::OptRef(None),
                Word::OptRef(Some(index)) => Datum::OptRef(Some(self.take_reference(index, &mut taken)?)),
            });
        }
        reader.finish()?;
        Ok(values)
    }

    fn take(&mut self, index: u32, taken: &mut [bool]) -> Result<Attached, Status> {
        let taken = taken.get_mut(index as usize).ok_or(Status::BadOperand)?;
        if core::mem::replace(taken, true) {
            return Err(Status::BadOperand);
        }
        let attached = self.attachments.get_mut(index as usize).ok_or(Status::BadOperand)?;
        Ok(core::mem::replace(attached, Attached::Buf(Vec::new())))
    }

    fn take_reference(&mut self, index: u32, taken: &mut [bool]) -> Result<Reference, Status> {
        match self.take(index, taken)? {
            Attached::Ref(reference) => Ok(reference),
            Attached::Buf(_) => Err(Status::BadOperand),
        }
    }
}

/// Why a machine stopped, and what it wants before it goes on.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The innermost activation returned.
    Done(Vec<Datum>),
    /// The slot's open packet has no room for the next instruction, or the slot is closed. Take the packet,
    /// then [`crate::Machine::resume`]`(0)`. What is taken from a closed slot is to be dropped.
    Room {
        /// Index of the capability: a `use`, or `uses.len()` for the VM's own events.
        slot: usize,
        /// Words wanted.
        words: usize,
        /// Attachments wanted.
        attachments: usize,
    },
    /// The open packet's last instruction wants an answer: go on with [`crate::Machine::resume_call`].
    Call {
        /// Index of the capability.
        slot: usize,
        /// The instruction.
        opcode: u8,
    },
    /// An instruction of the program's own set, to be executed by the VM in which it runs. A streamed one too
    /// goes on with [`crate::Machine::resume_call`], with no results.
    Own {
        /// The instruction.
        opcode: u8,
        /// Its operands.
        operands: Packet,
    },
    /// A program to be run by the VM behind the slot. Goes on with [`crate::Machine::resume_call`]; for one that is
    /// not waited for, at once and without results.
    Run {
        /// Index of the capability.
        slot: usize,
        /// The program.
        program: ProgramId,
        /// Its arguments.
        operands: Packet,
    },
    /// Submit the slot's packet, wait until all was executed, and resume with the sticky status or 0.
    Flush {
        /// Index of the capability.
        slot: usize,
    },
    /// Run one handler, then resume with 0.
    Wait,
    /// Make a capability of its own, with the rights of a definition. Goes on with
    /// [`crate::Machine::resume_capability`], or [`crate::Machine::refuse`].
    Attenuate {
        /// Index of the capability.
        slot: usize,
        /// The capability type wanted.
        def: TypeId,
    },
    /// Kill a capability that `Attenuate` made; then resume with 0, or [`crate::Machine::refuse`].
    Revoke {
        /// Index of the capability.
        slot: usize,
    },
    /// Run handlers for ever. Never resumed.
    WaitForever,
    /// The program ends, with this exit code. Never resumed.
    Exit(i32),
    /// Answer the request under way with this status, then resume with 0: the code returns from the `op`.
    Fail(u16),
    /// The open packet's last instruction takes the place of the request under way, which whoever executes it answers.
    /// Resume with 0: the code returns from the `op`.
    Forward {
        /// Index of the capability.
        slot: usize,
        /// The instruction.
        opcode: u8,
    },
    /// The fuel is used up. [`crate::Machine::refuel`], then resume with 0.
    OutOfFuel,
    /// The machine is dead.
    Trap(Box<Report>),
}

/// A place in a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Which function.
    pub func: FuncId,
    /// Byte offset of the instruction under way.
    pub offset: u32,
}

/// Why a machine is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// What kind of fault.
    pub kind: TrapKind,
    /// The reason given by the program, or details; may be empty.
    pub message: String,
    /// The status of the device instruction that failed, for `TrapKind::Device`.
    pub status: Option<u16>,
    /// The instruction that trapped, then the calls that led to it.
    pub backtrace: Vec<Place>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        for place in &self.backtrace {
            write!(f, "\n  in func {} at {}", place.func.0, place.offset)?;
        }
        Ok(())
    }
}

/// A trap on its way to a report.
#[derive(Debug)]
pub(crate) struct Trap {
    pub kind: TrapKind,
    pub message: String,
    pub status: Option<u16>,
}

impl Trap {
    /// What the verifier excludes has happened: a bug in it, or here.
    pub fn broken(what: &str) -> Trap {
        Trap { kind: TrapKind::Unreachable, message: alloc::format!("the verifier promised {what}"), status: None }
    }
}

impl From<TrapKind> for Trap {
    fn from(kind: TrapKind) -> Self {
        Trap { kind, message: String::new(), status: None }
    }
}
