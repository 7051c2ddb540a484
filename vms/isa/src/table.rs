//! The macro that declares an instruction set.

/// Declares one instruction set: its table with documentation, and its typed shell.
///
/// ```
/// isa::instruction_set! {
///     /// A lamp.
///     pub mod lamp = "demo.lamp" @ 1 {
///         /// Sets its brightness, 0 to 255.
///         1 set = Set { level: i32 };
///         /// Its brightness.
///         2 get = Get -> (level: i32);
///         events {
///             /// Somebody turned it.
///             1 turned = TURNED { level: i32 };
///         }
///     }
/// }
/// let mut packet = il::packet::Builder::default();
/// lamp::Op::Set { level: 7 }.encode(&mut packet, 0).unwrap();
/// assert_eq!(lamp::Op::decode(1, &packet.words[1..]), Ok(lamp::Op::Set { level: 7 }));
/// assert_eq!(lamp::SET.path(), "demo.lamp@1");
/// ```
///
/// An instruction without `->` streams; `-> ()` waits and carries only a status. Operand types
/// implement [`Operand`](crate::Operand). `@coalesced` before an event's number lets a new event
/// replace an undelivered one. `@grid(..)` before an opcode is a [`GridMeaning`](il::isa::GridMeaning) of the
/// instruction.
///
/// `in SPACE [START, EXTENT] ..` after an instruction says which part of a space it touches, an axis a
/// bracket, so that a grant can be limited to a part: `in sectors [lba, count sectors]`. The extent is one
/// point if it is left out, else `count OPERAND`, `to OPERAND` (inclusive), `bytes OPERAND / N`, `columns
/// OPERAND * N` or `lines OPERAND * N` (see [`il::isa::Extent`]); no bracket means the whole space.
///
/// Instructions and events are listed by ascending number; [`is_ordered`](crate::is_ordered)
/// is for the test that checks it.
#[macro_export]
macro_rules! instruction_set {
    (
        $(#[doc = $set_doc:literal])*
        pub mod $set:ident = $path:literal @ $version:literal {
            $(
                $(#[doc = $doc:literal])*
                $(@grid($($grid:tt)*))?
                $opcode:literal $name:ident = $variant:ident $({ $($param:ident: $param_ty:ty),* $(,)? })?
                    $(-> ( $($result:ident: $result_ty:ty),* ))?
                    $(in $space:ident $([$($axis:tt)*])*)*;
            )*
            $(events {
                $(
                    $(#[doc = $event_doc:literal])*
                    $(@$coalesced:ident)? $number:literal $event:ident = $EVENT:ident
                        { $($event_param:ident: $event_ty:ty),* $(,)? };
                )*
            })?
        }
    ) => {
        $(#[doc = $set_doc])*
        pub mod $set {
            #[allow(unused_imports)]
            use $crate::{Buf, Operand, OptAny, Str};
            #[allow(unused_imports)]
            use $crate::private::{
                Axis, Builder, Cow, Event, Extent, Field, GridInstruction, GridMeaning, Infallible, Instruction,
                InstructionSet, PhantomData, Reader, Status, Touch,
            };

            const INSTRUCTIONS: &[Instruction] = &[$(Instruction {
                opcode: $opcode,
                name: Cow::Borrowed(stringify!($name)),
                params: Cow::Borrowed(&[$($($crate::instruction_set!(@field $param: $param_ty)),*)?]),
                results: $crate::instruction_set!(@results $(($($result: $result_ty),*))?),
                touches: Cow::Borrowed(&[$(Touch {
                    space: Cow::Borrowed(stringify!($space)),
                    axes: Cow::Borrowed(&[$($crate::instruction_set!(@axis $($axis)*)),*]),
                }),*]),
                doc: Cow::Borrowed(concat!($($doc, "\n"),*)),
            },)*];

            const EVENTS: &[Event] = &[$($(Event {
                number: $number,
                name: Cow::Borrowed(stringify!($event)),
                params: Cow::Borrowed(&[$($crate::instruction_set!(@field $event_param: $event_ty)),*]),
                coalesced: $crate::instruction_set!(@coalesced $($coalesced)?),
                doc: Cow::Borrowed(concat!($($event_doc, "\n"),*)),
            },)*)?];

            /// The instructions that mean something on the grid of their VM.
            pub static GRID: &[GridInstruction] =
                &[$($(GridInstruction { opcode: $opcode, meaning: GridMeaning::$($grid)* },)?)*];

            /// The set as data.
            pub static SET: InstructionSet = InstructionSet {
                name: Cow::Borrowed($path),
                version: $version,
                instructions: Cow::Borrowed(INSTRUCTIONS),
                events: Cow::Borrowed(EVENTS),
                doc: Cow::Borrowed(concat!($($set_doc, "\n"),*)),
            };

            /// A decoded instruction.
            #[derive(Clone, Copy, PartialEq, Debug)]
            #[allow(missing_docs)]
            pub enum Op<'a> {
                $($(#[doc = $doc])* $variant $({ $($param: <$param_ty as Operand>::Value<'a>),* })?,)*
                /// Never made: it uses `'a` in sets without a `str`.
                #[doc(hidden)]
                Never(Infallible, PhantomData<&'a ()>),
            }

            impl<'a> Op<'a> {
                /// Decodes an instruction from its opcode and the words after its head.
                ///
                /// # Errors
                /// `NoSuchInstruction`, or `BadOperand` if words are missing, left over or not canonical.
                #[inline]
                pub fn decode(opcode: u8, words: &'a [u64]) -> Result<Op<'a>, Status> {
                    #[allow(unused_mut)]
                    let mut reader = Reader::new(words);
                    let op = match opcode {
                        $($opcode => Op::$variant $({ $($param: <$param_ty as Operand>::read(&mut reader)?),* })?,)*
                        _ => return Err(Status::NoSuchInstruction),
                    };
                    reader.finish()?;
                    Ok(op)
                }

                /// Its opcode.
                pub fn opcode(&self) -> u8 {
                    match *self {
                        $(Op::$variant $({ $($param: _),* })? => $opcode,)*
                        Op::Never(never, _) => match never {},
                    }
                }

                /// Appends it to a packet; tag 0 asks for no reply.
                ///
                /// # Errors
                /// `OutOfRange` if the packet becomes too long; it then is as it was.
                pub fn encode(&self, packet: &mut Builder, tag: u32) -> Result<(), Status> {
                    packet.begin(u16::from(self.opcode()), tag);
                    match *self {
                        $(Op::$variant $({ $($param),* })? => {
                            $($(packet.push(<$param_ty as Operand>::value($param));)*)?
                        })*
                        Op::Never(never, _) => match never {},
                    }
                    packet.end()
                }
            }

            /// The results of each waiting instruction, as values for its reply.
            pub mod reply {
                #[allow(unused_imports)]
                use $crate::{Buf, Operand, OptAny, Str};
                $($crate::instruction_set!{@reply $name $(($($result: $result_ty),*))?})*
            }

            /// The events' numbers, and what they carry as values.
            pub mod event {
                #[allow(unused_imports)]
                use $crate::{Buf, Operand, OptAny, Str};
                $($(
                    $(#[doc = $event_doc])*
                    pub const $EVENT: u8 = $number;
                    $(#[doc = $event_doc])*
                    pub fn $event<'a>($($event_param: <$event_ty as Operand>::Value<'a>),*)
                        -> $crate::instruction_set!(@values 'a $($event_param)*) {
                        [$(<$event_ty as Operand>::value($event_param)),*]
                    }
                )*)?
            }
        }
    };
    (@field $name:ident: $ty:ty) => {
        Field { name: Cow::Borrowed(stringify!($name)), ty: <$ty as Operand>::TYPE }
    };
    (@axis $start:ident) => {
        Axis { start: Cow::Borrowed(stringify!($start)), extent: Extent::One }
    };
    (@axis $start:ident, count $of:ident) => {
        Axis { start: Cow::Borrowed(stringify!($start)), extent: Extent::Count(Cow::Borrowed(stringify!($of))) }
    };
    (@axis $start:ident, to $end:ident) => {
        Axis { start: Cow::Borrowed(stringify!($start)), extent: Extent::To(Cow::Borrowed(stringify!($end))) }
    };
    (@axis $start:ident, bytes $of:ident / $bytes:literal) => {
        Axis {
            start: Cow::Borrowed(stringify!($start)),
            extent: Extent::Bytes { of: Cow::Borrowed(stringify!($of)), bytes: $bytes },
        }
    };
    (@axis $start:ident, columns $of:ident * $points:literal) => {
        Axis {
            start: Cow::Borrowed(stringify!($start)),
            extent: Extent::Columns { of: Cow::Borrowed(stringify!($of)), points: $points },
        }
    };
    (@axis $start:ident, lines $of:ident * $points:literal) => {
        Axis {
            start: Cow::Borrowed(stringify!($start)),
            extent: Extent::Lines { of: Cow::Borrowed(stringify!($of)), points: $points },
        }
    };
    (@results) => { None };
    (@results ($($result:ident: $ty:ty),*)) => {
        Some(Cow::Borrowed(&[$($crate::instruction_set!(@field $result: $ty)),*]))
    };
    (@coalesced) => { false };
    (@coalesced coalesced) => { true };
    (@values $life:lifetime $($name:ident)*) => {
        [$crate::private::Value<$life>; { let names: &[&str] = &[$(stringify!($name)),*]; names.len() }]
    };
    (@reply $name:ident) => {};
    (@reply $name:ident ($($result:ident: $ty:ty),*)) => {
        #[doc = concat!("What `", stringify!($name), "` answers.")]
        pub fn $name<'a>($($result: <$ty as Operand>::Value<'a>),*) -> $crate::instruction_set!(@values 'a $($result)*) {
            [$(<$ty as Operand>::value($result)),*]
        }
    };
}
