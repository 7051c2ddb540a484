//! Operand types as Rust types: encoding and declared type hang off the type, so the tables'
//! macro never inspects tokens, and an operand of another type does not compile.

use il::Type;
use il::packet::{Reader, Value};
use il::trap::Status;

mod sealed {
    pub trait Sealed {}
}

/// A type that an operand or result of a device instruction may have.
pub trait Operand: sealed::Sealed {
    /// The same type in the IL.
    const TYPE: Type;
    /// What it is in Rust.
    type Value<'a>;
    /// Reads the next operand.
    ///
    /// # Errors
    /// `BadOperand` if words are missing or not canonical.
    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Value<'a>, Status>;
    /// As a packet's value.
    fn value(value: Self::Value<'_>) -> Value<'_>;
}

/// Operand type `str`.
#[derive(Clone, Copy, Debug)]
pub enum Str {}

/// Operand type `buf`: its value is an index into the packet's attachment list.
#[derive(Clone, Copy, Debug)]
pub enum Buf {}

/// Operand type `?any`: its value is an index into the packet's attachment list, or null.
#[derive(Clone, Copy, Debug)]
pub enum OptAny {}

/// Index into a packet's attachment list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attachment(pub u32);

impl Attachment {
    /// Takes the buffer that it names out of the list.
    ///
    /// # Errors
    /// `BadOperand` if there is none, or it was taken before.
    pub fn take<B>(self, attachments: &mut [Option<B>]) -> Result<B, Status> {
        let place = attachments.get_mut(self.0 as usize).ok_or(Status::BadOperand)?;
        place.take().ok_or(Status::BadOperand)
    }
}

macro_rules! operand {
    ($($marker:ty, $variant:ident, $value:ty, $out:ident => $from:expr, $into:expr;)*) => {$(
        impl sealed::Sealed for $marker {}
        impl Operand for $marker {
            const TYPE: Type = Type::$variant;
            type Value<'a> = $value;
            #[inline]
            fn read<'a>(reader: &mut Reader<'a>) -> Result<$value, Status> {
                match reader.next(Type::$variant)? {
                    Value::$variant($out) => Ok($from),
                    _ => Err(Status::BadOperand),
                }
            }
            fn value($out: Self::Value<'_>) -> Value<'_> {
                Value::$variant($into)
            }
        }
    )*};
}

operand! {
    i32, I32, i32, it => it, it;
    i64, I64, i64, it => it, it;
    f64, F64, f64, it => it, it;
    bool, Bool, bool, it => it, it;
    Str, Str, &'a str, it => it, it;
    Buf, Buf, Attachment, it => Attachment(it), it.0;
}

impl sealed::Sealed for OptAny {}
impl Operand for OptAny {
    const TYPE: Type = Type::OptAny;
    type Value<'a> = Option<Attachment>;
    #[inline]
    fn read<'a>(reader: &mut Reader<'a>) -> Result<Option<Attachment>, Status> {
        match reader.next(Type::OptAny)? {
            Value::OptRef(index) => Ok(index.map(Attachment)),
            _ => Err(Status::BadOperand),
        }
    }
    fn value(value: Self::Value<'_>) -> Value<'_> {
        Value::OptRef(value.map(|Attachment(index)| index))
    }
}
