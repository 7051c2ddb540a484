//! `cascade.base@1`: the instruction set of the base itself, in which every VM introduces itself.
//!
//! ```text
//! VM                                          base
//!  | hello(name), provides.., wants.., done     |   phase 1: announced, nothing is delivered yet
//!  | ------------------------------------------>|
//!  |      granted(slot, vm, index, rights) ..   |   phase 2: a capability for each want
//!  |<------------------------------------------ |
//!  | ready()                                    |   from now on packets and events are delivered
//!  | ------------------------------------------>|
//! ```

use alloc::borrow::Cow;

use il::Type;
use il::isa::{Event, Field, Instruction, InstructionSet};

/// Opcodes of `cascade.base@1`.
pub(crate) mod op {
    pub const HELLO: u8 = 1;
    pub const PROVIDES: u8 = 2;
    pub const PROVIDED: u8 = 3;
    pub const WANTS: u8 = 4;
    pub const WANTED: u8 = 5;
    pub const DONE: u8 = 6;
    pub const READY: u8 = 7;
}

/// Event numbers of `cascade.base@1`.
pub(crate) mod event {
    pub const GRANTED: u8 = 1;
}

const fn field(name: &'static str, ty: Type) -> Field {
    Field { name: Cow::Borrowed(name), ty }
}

const HELLO: &[Field] = &[field("name", Type::Str)];
const PROVIDES: &[Field] = &[field("set", Type::Str)];
const ITEM: &[Field] = &[
    field("number", Type::I32),
    field("name", Type::Str),
    field("hash0", Type::I64),
    field("hash1", Type::I64),
    field("hash2", Type::I64),
    field("hash3", Type::I64),
];
const WANTS: &[Field] = &[field("name", Type::Str), field("set", Type::Str)];
const INDEX: &[Field] = &[field("index", Type::I32)];
const GRANTED: &[Field] = &[
    field("slot", Type::I32),
    field("vm", Type::Str),
    field("index", Type::I32),
    field("channel", Type::I32),
    field("generation", Type::I32),
];

const fn instruction(
    opcode: u8,
    name: &'static str,
    params: &'static [Field],
    results: Option<&'static [Field]>,
    doc: &'static str,
) -> Instruction {
    let results = match results {
        Some(results) => Some(Cow::Borrowed(results)),
        None => None,
    };
    Instruction {
        opcode,
        name: Cow::Borrowed(name),
        params: Cow::Borrowed(params),
        results,
        touches: Cow::Borrowed(&[]),
        doc: Cow::Borrowed(doc),
    }
}

const INSTRUCTIONS: &[Instruction] = &[
    instruction(op::HELLO, "hello", HELLO, None, "Opens the handshake under this name."),
    instruction(op::PROVIDES, "provides", PROVIDES, None, "Executes this set; its items follow."),
    instruction(op::PROVIDED, "provided", ITEM, None, "An instruction, or an event as 0x8000 + number, with its hash."),
    instruction(
        op::WANTS,
        "wants",
        WANTS,
        None,
        "Wants a capability, preferably to a VM of this name; its items follow.",
    ),
    instruction(op::WANTED, "wanted", ITEM, None, "An instruction or event that it wants, with its hash."),
    instruction(op::DONE, "done", &[], Some(INDEX), "Ends the introduction; answered with the VM's index."),
    instruction(op::READY, "ready", &[], Some(&[]), "Ends the handshake."),
];

const EVENTS: &[Event] = &[Event {
    number: event::GRANTED,
    name: Cow::Borrowed("granted"),
    params: Cow::Borrowed(GRANTED),
    coalesced: false,
    doc: Cow::Borrowed("A want was granted: the slot's channel, and who is behind it."),
}];

/// The instruction set of the handshake.
pub static SET: InstructionSet = InstructionSet {
    name: Cow::Borrowed("cascade.base"),
    version: 1,
    instructions: Cow::Borrowed(INSTRUCTIONS),
    events: Cow::Borrowed(EVENTS),
    doc: Cow::Borrowed("The handshake of every VM with the base."),
};
