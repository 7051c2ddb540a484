//! One instance of a group's module, on either engine: exported functions are called on it, and after a trap it goes on
//! with what its memories, globals and tables have become.

use anyhow::{Result, anyhow, bail};
use il::trap::TrapKind;
use il::verify::VerifiedModule;
use il::{FuncId, Type};
use interp::{Datum, Limits, Machine, Outcome};

use crate::value::Value;

/// Calls inside one another.
const DEPTH: usize = 2000;
/// Bytes that a VM may use, its memories and tables included.
pub const QUOTA_BYTES: u64 = 1 << 30;

/// How a call ended, if not by returning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trap {
    /// What kind of fault.
    pub kind: TrapKind,
    /// The module's own words; may be empty.
    pub message: String,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "trap `{}` {:?}", self.kind, self.message)
    }
}

/// An instance.
pub trait Vm {
    /// Calls a function, whose parameters are numbers.
    ///
    /// # Errors
    /// If it cannot be entered with these arguments, or stops in what no suite does.
    fn call(&mut self, func: FuncId, args: &[Value]) -> Result<Result<Vec<Value>, Trap>>;

    /// The contents of all its memories.
    fn memories(&self) -> Vec<&[u8]>;
}

/// An instance that is interpreted.
#[derive(Debug)]
pub struct Interpreted<'m> {
    machine: Machine<'m>,
}

impl<'m> Interpreted<'m> {
    /// An instance that has run nothing, and traps for good after so many instructions.
    ///
    /// # Errors
    /// If the quota does not cover it.
    pub fn new(module: &'m VerifiedModule, fuel: u64) -> Result<Interpreted<'m>> {
        let limits = Limits { depth: DEPTH, fuel, bytes: QUOTA_BYTES, check: false };
        let machine = Machine::new(module, limits).map_err(|report| anyhow!("interpreter: {report}"))?;
        Ok(Interpreted { machine })
    }
}

impl Vm for Interpreted<'_> {
    fn call(&mut self, func: FuncId, args: &[Value]) -> Result<Result<Vec<Value>, Trap>> {
        let args = args.iter().map(|arg| datum(*arg)).collect::<Result<Vec<_>>>()?;
        match self.machine.call(func, &args).map_err(|status| anyhow!("it cannot be entered: {status}"))? {
            Outcome::Done(results) => Ok(Ok(results.iter().map(value).collect::<Result<_>>()?)),
            Outcome::Trap(report) => {
                self.machine.revive();
                Ok(Err(Trap { kind: report.kind, message: report.message }))
            }
            Outcome::OutOfFuel => Ok(Err(Trap { kind: TrapKind::Deadline, message: String::new() })),
            other => bail!("it stops in {other:?}"),
        }
    }

    fn memories(&self) -> Vec<&[u8]> {
        self.machine.memories().collect()
    }
}

fn datum(value: Value) -> Result<Datum> {
    Ok(match value {
        Value::I32(value) => Datum::I32(value),
        Value::I64(value) => Datum::I64(value),
        Value::F32(bits) => Datum::F32(bits),
        Value::F64(bits) => Datum::F64(bits),
        Value::V128(bits) => Datum::V128(bits.to_le_bytes()),
        Value::Ref(_) => bail!("a reference"),
    })
}

fn value(datum: &Datum) -> Result<Value> {
    Ok(match datum {
        Datum::I32(value) => Value::I32(*value),
        Datum::I64(value) => Value::I64(*value),
        Datum::F32(bits) => Value::F32(*bits),
        Datum::F64(bits) => Value::F64(*bits),
        Datum::V128(bytes) => Value::V128(u128::from_le_bytes(*bytes)),
        Datum::Bool(_) | Datum::Str(_) | Datum::Buf(_) | Datum::Ref(_) | Datum::OptRef(_) => {
            bail!("a result of another type than numbers have: {datum:?}")
        }
    })
}

/// Whether a value is of a parameter's type.
pub fn fits(value: Value, ty: Type) -> bool {
    match value {
        Value::I32(_) => ty == Type::I32,
        Value::I64(_) => ty == Type::I64,
        Value::F32(_) => ty == Type::F32,
        Value::F64(_) => ty == Type::F64,
        Value::V128(_) => ty == Type::V128,
        Value::Ref(_) => false,
    }
}
