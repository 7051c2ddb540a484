//! Leaving the VM: direct exits for what is wanted, stubs for what is rare.

use alloc::vec::Vec;

use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder, SigRef, Signature, TrapCode, UserExternalName, Value,
    types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use hashbrown::HashMap;
use il::trap::TrapKind;
use il::{DataId, FuncId, MemoryId, StrId, Type, UseId};

use super::{Lowering, Result};
use crate::abi::{self, Exit};
use crate::image::{Helper, Stub, Symbol};

/// Imports made so far.
#[derive(Default)]
pub(super) struct Callees {
    exit: Option<SigRef>,
    stubs: HashMap<Stub, FuncRef>,
    helpers: HashMap<Helper, FuncRef>,
}

impl Callees {
    /// The stubs that the function refers to.
    pub fn stubs(&self) -> Vec<Stub> {
        self.stubs.keys().copied().collect()
    }

    /// The helpers that it refers to.
    pub fn helpers(&self) -> Vec<Helper> {
        self.helpers.keys().copied().collect()
    }
}

impl Symbol {
    /// How the symbol is named in CLIF.
    pub fn to_name(self) -> UserExternalName {
        match self {
            Symbol::Func(id) => UserExternalName::new(0, id.0),
            Symbol::Entry(id) => UserExternalName::new(1, id.0),
            Symbol::Stub(stub) => UserExternalName::new(2, stub as u32),
            Symbol::Init(number) => UserExternalName::new(3, number),
            Symbol::InitEntry => UserExternalName::new(4, 0),
            Symbol::Helper(helper) => UserExternalName::new(5, helper as u32),
        }
    }

    /// The inverse of [`Symbol::to_name`].
    pub fn from_name(name: &UserExternalName) -> Option<Symbol> {
        Some(match name.namespace {
            0 => Symbol::Func(FuncId(name.index)),
            1 => Symbol::Entry(FuncId(name.index)),
            2 => Symbol::Stub(*Stub::ALL.iter().find(|stub| **stub as u32 == name.index)?),
            3 => Symbol::Init(name.index),
            4 => Symbol::InitEntry,
            5 => Symbol::Helper(*Helper::ALL.iter().find(|helper| **helper as u32 == name.index)?),
            _ => return None,
        })
    }
}

impl Helper {
    /// All helpers.
    pub const ALL: [Helper; 2] = [Helper::Copy, Helper::Fill];
}

impl Stub {
    /// All stubs.
    pub const ALL: [Stub; 5] = [Stub::Yield, Stub::Room, Stub::BufFree, Stub::Remember, Stub::Alloc];

    /// The exit that the stub takes.
    pub const fn exit(self) -> Exit {
        match self {
            Stub::Yield => Exit::Yield,
            Stub::Room => Exit::Room,
            Stub::BufFree => Exit::BufFree,
            Stub::Remember => Exit::Remember,
            Stub::Alloc => Exit::Alloc,
        }
    }

    /// How many exit arguments it takes, after the context.
    pub const fn args(self) -> usize {
        match self {
            Stub::Yield => 0,
            Stub::Room | Stub::Alloc => 3,
            Stub::BufFree | Stub::Remember => 1,
        }
    }

    pub(crate) fn signature(self) -> Signature {
        let mut signature = Signature::new(CallConv::PreserveAll);
        signature.params.extend((0..self.args() + 1).map(|_| AbiParam::new(types::I64)));
        signature
    }
}

/// Makes a function of this module callable in the builder's function.
pub(crate) fn import(b: &mut FunctionBuilder<'_>, symbol: Symbol, signature: Signature) -> FuncRef {
    let name = ExternalName::user(b.func.declare_imported_user_function(symbol.to_name()));
    let signature = b.import_signature(signature);
    b.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
}

/// The signature of [`abi::VmCtx::exit`].
pub(crate) fn exit_signature() -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64), AbiParam::new(types::I64)]);
    signature.returns.push(AbiParam::new(types::I64));
    signature
}

/// The trap code of a load outside the linear memory. The code generator may make the load a part of the instruction that
/// uses its value, and names that one's place: see [`crate::compile`].
pub(crate) const LOAD_OUTSIDE: TrapCode = TrapCode::unwrap_user(64 + TrapKind::MemoryOutOfBounds as u8);

/// The trap code that stands for a kind of trap.
pub(super) fn trap_code(kind: TrapKind) -> TrapCode {
    // Kinds are numbered from 1 and few; Cranelift reserves the highest codes.
    TrapCode::user(kind as u8).unwrap_or(TrapCode::STACK_OVERFLOW)
}

impl Lowering<'_, '_> {
    /// Takes an exit and returns its answer.
    pub(super) fn exit(&mut self, exit: Exit, args: &[Value]) -> Value {
        for (index, arg) in args.iter().enumerate() {
            self.b.ins().store(self.regions.values, *arg, self.ctx, abi::offset::EXIT_ARGS + 8 * index as i32);
        }
        let signature = match self.callees.exit {
            Some(signature) => signature,
            None => *self.callees.exit.insert(self.b.import_signature(exit_signature())),
        };
        let address = self.ctx_constant(abi::offset::EXIT);
        let code = self.b.ins().iconst(types::I64, exit as i64);
        let arguments = [self.ctx, code];
        let call = if exit.info().collects {
            self.across(|this| this.b.ins().call_indirect(signature, address, &arguments))
        } else {
            self.b.ins().call_indirect(signature, address, &arguments)
        };
        self.b.inst_results(call).first().copied().unwrap_or(code)
    }

    /// Takes an exit that does not come back; the block ends.
    pub(super) fn last_exit(&mut self, exit: Exit, args: &[Value]) {
        self.exit(exit, args);
        self.b.ins().trap(trap_code(TrapKind::Unreachable));
    }

    /// Calls a stub. Its answer, if it has one, is in the first of the exit's arguments then.
    pub(super) fn call_stub(&mut self, stub: Stub, args: &[Value]) {
        let reference = match self.callees.stubs.get(&stub) {
            Some(reference) => *reference,
            None => {
                let reference = import(&mut self.b, Symbol::Stub(stub), stub.signature());
                self.callees.stubs.insert(stub, reference);
                reference
            }
        };
        let mut values = [self.ctx; 4];
        for (to, from) in values.iter_mut().skip(1).zip(args) {
            *to = *from;
        }
        let values = &values[..=args.len().min(3)];
        if stub.exit().info().collects {
            self.across(|this| this.b.ins().call(reference, values));
        } else {
            self.b.ins().call(reference, values);
        }
    }

    /// Calls a helper.
    pub(super) fn call_helper(&mut self, helper: Helper, args: &[Value]) {
        let reference = match self.callees.helpers.get(&helper) {
            Some(reference) => *reference,
            None => {
                let reference = import(&mut self.b, Symbol::Helper(helper), Helper::signature());
                self.callees.helpers.insert(helper, reference);
                reference
            }
        };
        self.b.ins().call(reference, args);
    }

    // Statements that are exits.

    pub(super) fn wait(&mut self) {
        self.exit(Exit::Wait, &[]);
    }

    pub(super) fn wait_forever(&mut self) {
        self.exit(Exit::WaitForever, &[]);
    }

    /// `exit`: the base ends the VM.
    pub(super) fn quit(&mut self) -> Result {
        let code = self.pop_number()?;
        let code = self.word(code, Type::I32);
        self.last_exit(Exit::Quit, &[code]);
        self.ended = true;
        Ok(())
    }

    pub(super) fn memory_init(&mut self, data: DataId, memory: MemoryId) -> Result {
        let mut words = Vec::new();
        for operand in self.pop_many(3)? {
            words.push(self.word(operand.value, Type::I32));
        }
        words.extend([data.0, memory.0].map(|index| self.word_const(u64::from(index))));
        self.exit(Exit::MemoryInit, &words);
        Ok(())
    }

    pub(super) fn data_drop(&mut self, data: DataId) {
        let data = self.word_const(u64::from(data.0));
        self.exit(Exit::DataDrop, &[data]);
    }

    pub(super) fn flush(&mut self, target: UseId) {
        let slot = self.word_const(u64::from(target.0));
        let status = self.exit(Exit::Flush, &[slot]);
        self.raise(status, slot, 0);
    }

    pub(super) fn trap(&mut self, why: StrId) -> Result {
        let message = self.literal(why)?;
        let kind = self.word_const(TrapKind::Explicit as u64);
        self.last_exit(Exit::Trap, &[kind, message]);
        self.ended = true;
        Ok(())
    }

    pub(super) fn assert(&mut self, why: StrId) -> Result {
        let failed = self.decide()?;
        let held = self.b.current_block().ok_or(self.unverified("a block"))?;
        self.b.set_cold_block(failed);
        self.b.switch_to_block(failed);
        let message = self.literal(why)?;
        let kind = self.word_const(TrapKind::Assertion as u64);
        self.last_exit(Exit::Trap, &[kind, message]);
        self.b.switch_to_block(held);
        Ok(())
    }
}
