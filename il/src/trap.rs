//! Why a VM ends: the kinds of trap, and the statuses with which a device instruction fails.

use core::fmt;

macro_rules! numbered {
    ($(#[$top:meta])* $name:ident: $repr:ty { $($(#[$doc:meta])* $code:literal $variant:ident $text:literal;)* }) => {
        $(#[$top])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$doc])* $variant = $code,)* }
        impl $name {
            /// All of them, by ascending number.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            /// The one with this number.
            pub const fn from_code(code: $repr) -> Option<$name> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }
            /// What it means, for people.
            pub const fn describe(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.describe()) }
        }
    };
}

numbered! {
    /// The kinds of trap. The number is Cranelift's user trap code and stands in fault reports.
    TrapKind: u8 {
        /// `/` or `%` by zero.
        1 DivisionByZero "division by zero";
        /// MIN / -1.
        2 IntegerOverflow "integer overflow";
        /// A float out of the integer's range, or NaN.
        3 BadConversion "float does not fit the integer";
        /// An index or range outside a `buf` or `str`.
        4 IndexOutOfBounds "index out of bounds";
        /// An address outside the linear memory.
        5 MemoryOutOfBounds "memory access out of bounds";
        /// The guard page below the stack was touched.
        6 StackOverflow "stack overflow";
        /// The VM's memory quota is used up.
        7 Quota "memory quota exceeded";
        /// A turn took longer than the manifest's `turn_ms`.
        8 Deadline "turn deadline exceeded";
        /// `trap "why"`.
        9 Explicit "trap";
        /// `assert` of a false condition.
        10 Assertion "assertion failed";
        /// Bytes that are not UTF-8, or a cut inside a character.
        11 BadUtf8 "not UTF-8";
        /// A device instruction failed outside `try`; the status says why.
        12 Device "device instruction failed";
        /// `wait` or `wait_forever` inside a handler.
        13 WaitInHandler "wait inside a handler";
        /// Control reached a point that the verifier proved unreachable: never seen.
        14 Unreachable "unreachable";
        /// A panic in a VM written in Rust.
        15 Panic "panic";
        /// `as` of a value that is null or of another type.
        16 Cast "value is null or of another type";
    }
}

numbered! {
    /// Why a device instruction failed; one table for all instruction sets. 0 is success.
    Status: u16 {
        /// An operand is malformed.
        1 BadOperand "bad operand";
        /// An operand is out of range.
        2 OutOfRange "out of range";
        /// The set has no such instruction.
        3 NoSuchInstruction "no such instruction";
        /// The capability does not carry this instruction.
        4 NotPermitted "not permitted";
        /// The capability was revoked.
        5 Revoked "revoked";
        /// The VM that should answer has ended.
        6 PeerGone "peer gone";
        /// No answer within the deadline.
        7 Deadline "deadline";
        /// A quota is used up.
        8 Quota "quota";
        /// The device failed.
        9 DeviceError "device error";
        /// The device or channel is busy.
        10 Busy "busy";
        /// Legal, but this VM or backend cannot.
        11 NotSupported "not supported";
        /// The call would close a cycle of waiting VMs.
        12 Deadlock "deadlock";
    }
}
