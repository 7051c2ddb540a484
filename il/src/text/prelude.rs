//! What is built in beside the operators, which stand in [`Op::TABLE`]: each name once, for the checker, for editors, and for
//! the disassembler, which calls nothing else so.

use crate::op::Op;

/// Declares the functions: name of the variant, name in text, declaration, documentation.
macro_rules! functions {
    ($($variant:ident $name:literal $declaration:literal $doc:literal;)*) => {
        /// A function that is built in and is no operator.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Function {
            $($variant,)*
        }

        impl Function {
            /// All of them.
            const ALL: &[Function] = &[$(Function::$variant,)*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Function::$variant => $name,)* }
            }

            /// How it is called and what it gives.
            pub const fn declaration(self) -> &'static str {
                match self { $(Function::$variant => $declaration,)* }
            }

            /// What it does.
            pub const fn doc(self) -> &'static str {
                match self { $(Function::$variant => $doc,)* }
            }
        }
    };
}

functions! {
    Wait "wait" "wait()"
        "Lets one event be handled, waiting for it if there is none. Traps in a handler.";
    WaitForever "wait_forever" "wait_forever()"
        "Lets events be handled, one after the other, until the VM ends. Traps in a handler.";
    Flush "flush" "flush(capability)"
        "Waits until everything that was sent to a capability is done. A failure that sticks to its channel is raised here.";
    Attenuate "attenuate" "attenuate(capability as ISA(instructions)) -> ISA(instructions)"
        "Makes a capability with fewer rights, which can be revoked by itself.";
    Revoke "revoke" "revoke(capability)"
        "Takes a capability back that `attenuate` made: nothing can be sent through it any more.";
    Freeze "freeze" "freeze(x)"
        "Copies what `x` reaches into shared memory, once. What it gives can be sent without a copy.";
    Take "take" "take(place) -> ?buf"
        "Moves a `buf` out of a field, element or global of type `?buf`, and leaves null there.";
    Select "select" "select(a, b, condition: bool)"
        "`a` if the condition is true, else `b`. All three are evaluated, in this order.";
    Exit "exit" "exit(code: i32)"
        "Ends the VM as the return of `main` does, with an exit code.";
    MemoryInit "memory_init" "memory_init(SEGMENT, to: i32, from: i32, length: i32)  // traps: MemoryOutOfBounds"
        "Copies bytes of a data segment into a memory. Traps if either range is exceeded, before it writes.";
    DataDrop "data_drop" "data_drop(SEGMENT)"
        "Forgets a data segment's bytes: it is empty from here on.";
}

impl Function {
    /// The function of this name.
    pub fn named(name: &str) -> Option<Function> {
        Function::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        Function::ALL.iter().map(|function| function.name())
    }
}

/// Whose request an `op` executes.
pub(crate) const CALLER: &str = "caller";

/// What vector operations are called by: shapes, and `v128`, which is reserved, for operations on all bits.
pub(crate) const SHAPES: [&str; 7] = ["i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2", "v128"];

/// All names that an item or a local of the same name would hide.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Op::TABLE.iter().map(|info| info.text).chain(Function::names()).chain([CALLER]).chain(SHAPES)
}
