//! Machine code as an engine, and how its reports compare to the interpreter's.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use basevm::attachment::Attachment;
use basevm::buf::{Account, Buf};
use basevm::engine::{Instance, Program, Step, TrapReport};
use basevm::heap::Config;
use basevm::service::Reply;
use compiler::Options;
use il::trap::Status;
use il::verify::VerifiedModule;
use il::{FuncId, ProgramId, Type};
use interp::{Attached, Outcome, Packet, Place, Report};

use crate::host::Engine;
use crate::platform::HostedPlatform;

/// Stack of a VM, in bytes.
const STACK_BYTES: usize = 1 << 20;

/// One VM of machine code.
pub struct Native {
    instance: Instance,
    account: Arc<Account>,
    /// The innermost functions last entered: what `Done` returns depends on it.
    entered: Vec<FuncId>,
    /// Whether it stands in a step that has no answer.
    unanswered: bool,
}

fn packet(words: Vec<u64>, attachments: Vec<Attachment>) -> Packet {
    Packet {
        words,
        attachments: attachments
            .into_iter()
            .map(|one| Attached::Buf(one.buf().map_or_else(|_| Vec::new(), |buf| buf.to_vec())))
            .collect(),
    }
}

impl Native {
    /// Compiles a module and makes a VM of it, with all slots open. Under stress its heap collects at every chance.
    ///
    /// # Errors
    /// If the module cannot be compiled or loaded.
    pub fn new(
        platform: &'static HostedPlatform,
        module: &VerifiedModule,
        options: &Options,
        quota: u64,
        stress: bool,
    ) -> Result<Native> {
        let compiled = compiler::compile(module, options).context("compiling")?;
        let program = Program::load(platform, module.clone(), compiled).context("loading")?;
        let account = Account::new(quota);
        let config = Config { stress, ..Config::default() };
        let instance = Instance::with_heap(platform, program, account.clone(), STACK_BYTES, config);
        let mut instance = instance.context("starting")?;
        (0..instance.slots()).for_each(|slot| instance.open_slot(slot, slot as u32 + 1, 1));
        Ok(Native { instance, account, entered: Vec::new(), unanswered: false })
    }

    /// Ends the VM.
    ///
    /// # Errors
    /// If it leaves anything behind.
    pub fn end(self) -> Result<()> {
        drop(self.instance);
        ensure!(self.account.used() == 0, "{} bytes leaked", self.account.used());
        Ok(())
    }

    fn buffers(&self, attachments: Vec<Attached>) -> Vec<Attachment> {
        let copy = |attached: Attached| {
            let bytes = attached.bytes();
            let mut buf = Buf::new(&self.account, bytes.len())?;
            buf.copy_from_slice(bytes);
            Some(buf.into())
        };
        attachments.into_iter().filter_map(copy).collect()
    }

    fn outcome(&mut self, mut step: Step) -> Outcome {
        loop {
            step = match step {
                Step::Yield => self.instance.resume(0),
                other => return self.translated(other),
            }
        }
    }

    fn translated(&mut self, step: Step) -> Outcome {
        match step {
            Step::Done(reply) => self.done(reply),
            Step::Room { slot, words, attachments } => Outcome::Room { slot, words, attachments },
            Step::Call { slot, opcode } => Outcome::Call { slot, opcode },
            Step::Flush { slot } => Outcome::Flush { slot },
            Step::Wait => Outcome::Wait,
            Step::WaitForever => Outcome::WaitForever,
            Step::Fail(status) => Outcome::Fail(status),
            Step::Exit(code) => Outcome::Exit(code),
            Step::Forward { slot, opcode } => Outcome::Forward { slot, opcode },
            Step::Run { slot, program, args } => {
                let operands = packet(args.words, args.attachments);
                Outcome::Run { slot, program: ProgramId(program as u32), operands }
            }
            Step::RunSend { slot, program, args } => {
                self.unanswered = true;
                let operands = packet(args.words, args.attachments);
                Outcome::Run { slot, program: ProgramId(program as u32), operands }
            }
            Step::Own { opcode, operands, .. } => {
                Outcome::Own { opcode, operands: packet(operands.words, operands.attachments) }
            }
            Step::Trap(report) => Outcome::Trap(Box::new(translated(&report))),
            Step::Attenuate { slot, def } => Outcome::Attenuate { slot, def },
            Step::Revoke { slot } => Outcome::Revoke { slot },
            Step::Yield => unreachable!("answered at once"),
        }
    }

    fn done(&mut self, reply: Reply) -> Outcome {
        let func = self.entered.pop();
        let sig = func.and_then(|func| self.instance.program().module().sig(func));
        let types: Vec<Type> = sig.map(|sig| sig.results.clone()).unwrap_or_default();
        let values = packet(reply.words, reply.attachments).values(types.into_iter());
        Outcome::Done(values.expect("results fit the function's type"))
    }
}

/// Lines of the modules that are compared are offsets, counted from 1. How deep the frames in a row are is
/// spelled out.
fn translated(report: &TrapReport) -> Report {
    let mut backtrace = Vec::new();
    for frame in &report.frames {
        let offset = frame.line.unwrap_or(0).wrapping_sub(1);
        backtrace.extend(std::iter::repeat_n(Place { func: frame.func, offset }, frame.times));
    }
    Report { kind: report.kind, message: report.message.clone(), status: report.status, backtrace }
}

impl Engine for Native {
    fn enter(&mut self, func: FuncId, args: Packet) -> Result<Outcome, Status> {
        let mut attachments: Vec<Option<Attachment>> = self.buffers(args.attachments).into_iter().map(Some).collect();
        let step = self.instance.enter(func, &args.words, &mut attachments)?;
        self.entered.push(func);
        Ok(self.outcome(step))
    }

    fn resume(&mut self, status: u16) -> Outcome {
        let step = self.instance.resume(status.into());
        self.outcome(step)
    }

    fn resume_call(&mut self, reply: Result<Packet, Status>) -> Outcome {
        let step = if std::mem::take(&mut self.unanswered) {
            self.instance.resume(0)
        } else {
            let reply = reply.map(|reply| Reply { attachments: self.buffers(reply.attachments), words: reply.words });
            self.instance.resume_call(reply)
        };
        self.outcome(step)
    }

    fn refuse(&mut self, status: Status) -> Outcome {
        let step = self.instance.refuse(status);
        self.outcome(step)
    }

    fn take_packet(&mut self, slot: usize) -> Packet {
        let taken = self.instance.take_packet(slot);
        packet(taken.words, taken.attachments)
    }

    fn set_tag(&mut self, tag: u32) {
        self.instance.set_tag(tag);
    }

    fn set_caller(&mut self, caller: i32) {
        self.instance.set_caller(caller as u32);
    }

    fn revive(&mut self) {
        self.instance.revive();
    }
}
