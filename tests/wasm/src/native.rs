//! An instance of machine code.

use anyhow::{Context, Result, anyhow, bail};
use basevm::buf::Account;
use basevm::engine::{Instance, Program, Step};
use compiler::Options;
use il::packet::{Builder, Reader, Value as Word};
use il::verify::VerifiedModule;
use il::{FuncId, Type};

use crate::platform::{HostedOptions, HostedPlatform};
use crate::value::Value;
use crate::vm::{QUOTA_BYTES, Trap, Vm};

/// Stack of a VM, in bytes.
const STACK_BYTES: usize = 1 << 20;

thread_local! {
    /// What machine code stands on, one a thread.
    static PLATFORM: &'static HostedPlatform = HostedPlatform::leaked(HostedOptions::default());
}

/// An instance that runs machine code.
#[derive(Debug)]
pub struct Native {
    instance: Instance,
}

impl Native {
    /// Compiles a module, and makes an instance that has run nothing.
    ///
    /// # Errors
    /// If it cannot be compiled or loaded.
    pub fn new(module: &VerifiedModule) -> Result<Native> {
        let platform = PLATFORM.with(|platform| *platform);
        let compiled = compiler::compile(module, &Options::detect()).context("compiling")?;
        let program = Program::load(platform, module.clone(), compiled).context("loading")?;
        let instance = Instance::new(platform, program, Account::new(QUOTA_BYTES), STACK_BYTES).context("starting")?;
        Ok(Native { instance })
    }
}

impl Vm for Native {
    fn call(&mut self, func: FuncId, args: &[Value]) -> Result<Result<Vec<Value>, Trap>> {
        let words = packet(args)?;
        let entered = self.instance.enter(func, &words, &mut []);
        let mut step = entered.map_err(|status| anyhow!("it cannot be entered: {status}"))?;
        loop {
            step = match step {
                Step::Yield => self.instance.resume(0),
                Step::Done(reply) => {
                    let sig = self.instance.program().module().sig(func).context("a function")?;
                    return Ok(Ok(values(&reply.words, &sig.results)?));
                }
                Step::Trap(report) => {
                    self.instance.revive();
                    return Ok(Err(Trap { kind: report.kind, message: report.message.clone() }));
                }
                other => bail!("it stops in {other:?}"),
            }
        }
    }

    fn memories(&self) -> Vec<&[u8]> {
        self.instance.memories()
    }
}

fn packet(args: &[Value]) -> Result<Vec<u64>> {
    let mut builder = Builder::default();
    for arg in args {
        builder.push(match arg {
            Value::I32(value) => Word::I32(*value),
            Value::I64(value) => Word::I64(*value),
            Value::F32(bits) => Word::F32(f32::from_bits(*bits)),
            Value::F64(bits) => Word::F64(f64::from_bits(*bits)),
            Value::V128(bits) => Word::V128(*bits),
            Value::Ref(_) => bail!("a reference"),
        });
    }
    Ok(builder.words)
}

fn values(words: &[u64], types: &[Type]) -> Result<Vec<Value>> {
    let mut reader = Reader::new(words);
    let value = |ty: &Type| {
        Ok(match reader.next(*ty).map_err(|status| anyhow!("a result of another form: {status}"))? {
            Word::I32(value) => Value::I32(value),
            Word::I64(value) => Value::I64(value),
            Word::F32(value) => Value::F32(value.to_bits()),
            Word::F64(value) => Value::F64(value.to_bits()),
            Word::V128(value) => Value::V128(value),
            Word::Bool(_) | Word::Str(_) | Word::Buf(_) | Word::Ref(_) | Word::OptRef(_) => {
                bail!("a result of another type than numbers have")
            }
        })
    };
    types.iter().map(value).collect()
}
