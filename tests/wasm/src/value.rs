//! Values that a script passes and expects.

use std::fmt;

use wast::WastArg;
use wast::WastRet;
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};

/// A reference, as it crosses the border of a VM: see [`crate::border`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reference {
    /// `ref.null`
    Null,
    /// `ref.extern N`
    Host(u32),
    /// `ref.i31`
    I31,
    /// `ref.struct`
    Struct,
    /// `ref.array`
    Array,
    /// Any other, which only the module knows.
    Other,
}

/// A value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`, by its bits
    F32(u32),
    /// `f64`, by its bits
    F64(u64),
    /// `v128`, lane 0 in the low bits
    V128(u128),
    /// A reference.
    Ref(Reference),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(value) => write!(f, "i32 {value} ({value:#x})"),
            Value::I64(value) => write!(f, "i64 {value} ({value:#x})"),
            Value::F32(bits) => write!(f, "f32 {} ({bits:#x})", f32::from_bits(*bits)),
            Value::F64(bits) => write!(f, "f64 {} ({bits:#x})", f64::from_bits(*bits)),
            Value::V128(bits) => write!(f, "v128 {bits:#034x}"),
            Value::Ref(reference) => write!(f, "{reference:?}"),
        }
    }
}

/// Values, for a report.
pub fn listed<T: fmt::Display>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(T::to_string).collect();
    format!("({})", values.join(", "))
}

/// A float that is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Float {
    /// These bits.
    Bits(u64),
    /// The NaN whose payload is its quiet bit, of either sign.
    Canonical,
    /// A NaN whose quiet bit is set.
    Arithmetic,
}

impl Float {
    /// `quiet` is the quiet bit, `exponent` the exponent's bits.
    fn fits(self, found: u64, exponent: u64, quiet: u64) -> bool {
        let payload = exponent | ((quiet << 1) - 1);
        match self {
            Float::Bits(bits) => found == bits,
            Float::Canonical => found & payload == exponent | quiet,
            Float::Arithmetic => found & (exponent | quiet) == exponent | quiet,
        }
    }

    fn fits_32(self, bits: u32) -> bool {
        self.fits(bits.into(), 0x7f80_0000, 1 << 22)
    }

    fn fits_64(self, bits: u64) -> bool {
        self.fits(bits, 0x7ff0_0000_0000_0000, 1 << 51)
    }
}

/// What is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// This number.
    Exactly(Value),
    /// An `f32`.
    F32(Float),
    /// An `f64`.
    F64(Float),
    /// A `v128` of four `f32`.
    F32x4([Float; 4]),
    /// A `v128` of two `f64`.
    F64x2([Float; 2]),
    /// Any reference but null.
    NotNull,
    /// A reference of one of these kinds.
    Kind(&'static [Reference]),
    /// One of these.
    Either(Vec<Pattern>),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exactly(value) => write!(f, "{value}"),
            other => write!(f, "{other:x?}"),
        }
    }
}

impl Pattern {
    /// Whether a value is what is expected.
    pub fn fits(&self, value: Value) -> bool {
        match (self, value) {
            (Pattern::Exactly(expected), value) => *expected == value,
            (Pattern::F32(float), Value::F32(bits)) => float.fits_32(bits),
            (Pattern::F64(float), Value::F64(bits)) => float.fits_64(bits),
            (Pattern::F32x4(lanes), Value::V128(bits)) => {
                lanes.iter().enumerate().all(|(at, lane)| lane.fits_32((bits >> (32 * at)) as u32))
            }
            (Pattern::F64x2(lanes), Value::V128(bits)) => {
                lanes.iter().enumerate().all(|(at, lane)| lane.fits_64((bits >> (64 * at)) as u64))
            }
            (Pattern::NotNull, Value::Ref(reference)) => reference != Reference::Null,
            (Pattern::Kind(kinds), Value::Ref(reference)) => kinds.contains(&reference),
            (Pattern::Either(patterns), value) => patterns.iter().any(|pattern| pattern.fits(value)),
            (Pattern::F32(_) | Pattern::F64(_) | Pattern::F32x4(_) | Pattern::F64x2(_), _) => false,
            (Pattern::NotNull | Pattern::Kind(_), _) => false,
        }
    }
}

fn float_32(pattern: &NanPattern<F32>) -> Float {
    match pattern {
        NanPattern::CanonicalNan => Float::Canonical,
        NanPattern::ArithmeticNan => Float::Arithmetic,
        NanPattern::Value(value) => Float::Bits(value.bits.into()),
    }
}

fn float_64(pattern: &NanPattern<F64>) -> Float {
    match pattern {
        NanPattern::CanonicalNan => Float::Canonical,
        NanPattern::ArithmeticNan => Float::Arithmetic,
        NanPattern::Value(value) => Float::Bits(value.bits),
    }
}

/// Lanes of so many bytes as one number.
fn lanes<const N: usize>(lanes: impl IntoIterator<Item = [u8; N]>) -> Value {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(lanes.into_iter().flatten()) {
        *place = byte;
    }
    Value::V128(u128::from_le_bytes(bytes))
}

fn vector(pattern: &V128Pattern) -> Pattern {
    match pattern {
        V128Pattern::I8x16(values) => Pattern::Exactly(lanes(values.map(i8::to_le_bytes))),
        V128Pattern::I16x8(values) => Pattern::Exactly(lanes(values.map(i16::to_le_bytes))),
        V128Pattern::I32x4(values) => Pattern::Exactly(lanes(values.map(i32::to_le_bytes))),
        V128Pattern::I64x2(values) => Pattern::Exactly(lanes(values.map(i64::to_le_bytes))),
        V128Pattern::F32x4(values) => Pattern::F32x4(values.each_ref().map(float_32)),
        V128Pattern::F64x2(values) => Pattern::F64x2(values.each_ref().map(float_64)),
    }
}

/// An argument; `None` if it is none of a core module.
pub fn argument(arg: &WastArg<'_>) -> Option<Value> {
    #[allow(unreachable_patterns)] // there are arguments of components, if something else in the build wants them
    let arg = match arg {
        WastArg::Core(arg) => arg,
        _ => return None,
    };
    Some(match arg {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(_) => Value::Ref(Reference::Null),
        WastArgCore::RefExtern(number) | WastArgCore::RefHost(number) => Value::Ref(Reference::Host(*number)),
    })
}

/// An expected result; `None` if it is none of a core module.
pub fn result(result: &WastRet<'_>) -> Option<Pattern> {
    #[allow(unreachable_patterns)] // as in `argument`
    match result {
        WastRet::Core(result) => pattern(result),
        _ => None,
    }
}

fn pattern(result: &WastRetCore<'_>) -> Option<Pattern> {
    Some(match result {
        WastRetCore::I32(value) => Pattern::Exactly(Value::I32(*value)),
        WastRetCore::I64(value) => Pattern::Exactly(Value::I64(*value)),
        WastRetCore::F32(value) => Pattern::F32(float_32(value)),
        WastRetCore::F64(value) => Pattern::F64(float_64(value)),
        WastRetCore::V128(value) => vector(value),
        WastRetCore::RefNull(_) => Pattern::Exactly(Value::Ref(Reference::Null)),
        WastRetCore::RefExtern(Some(number)) | WastRetCore::RefHost(number) => {
            Pattern::Exactly(Value::Ref(Reference::Host(*number)))
        }
        WastRetCore::RefExtern(None) | WastRetCore::RefAny => Pattern::NotNull,
        WastRetCore::RefFunc(_) => Pattern::Kind(&[Reference::Other]),
        WastRetCore::RefEq => Pattern::Kind(&[Reference::I31, Reference::Struct, Reference::Array]),
        WastRetCore::RefArray => Pattern::Kind(&[Reference::Array]),
        WastRetCore::RefStruct => Pattern::Kind(&[Reference::Struct]),
        WastRetCore::RefI31 | WastRetCore::RefI31Shared => Pattern::Kind(&[Reference::I31]),
        WastRetCore::Either(cases) => Pattern::Either(cases.iter().map(pattern).collect::<Option<_>>()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_patterns_tell_nans_apart() {
        let fits = |float: Float, bits| Pattern::F32(float).fits(Value::F32(bits));
        for sign in [0, 1 << 31] {
            assert!(fits(Float::Canonical, sign | 0x7fc0_0000) && fits(Float::Arithmetic, sign | 0x7fc0_0000));
            assert!(!fits(Float::Canonical, sign | 0x7fc0_0001) && fits(Float::Arithmetic, sign | 0x7fc0_0001));
            assert!(!fits(Float::Arithmetic, sign | 0x7fa0_0000) && !fits(Float::Arithmetic, sign | 0x7f80_0000));
        }
        assert!(Pattern::F64(Float::Canonical).fits(Value::F64(0x7ff8 << 48)));
        assert!(!Pattern::F64(Float::Arithmetic).fits(Value::F64(0x7ff0 << 48 | 1)));
        assert!(!fits(Float::Bits(0), 1 << 31), "zeros have signs");
        let half = Pattern::F32x4([Float::Bits(1), Float::Canonical, Float::Bits(0), Float::Bits(0)]);
        assert!(half.fits(Value::V128(0x7fc0_0000 << 32 | 1)) && !half.fits(Value::V128(1)));
    }
}
