//! Lowering: one function body to CLIF, in one pass over its instructions.
//!
//! - Every IL function is a CLIF function of `CallConv::Tail` whose first parameter is the
//!   [`crate::abi::VmCtx`]; integers are themselves, `bool` is an `i8` of 0 or 1, `str` and `buf` are addresses.
//! - The operand stack exists only here: its entries are CLIF values, each with what is known of it
//!   (`operand`). Between statements it is empty.
//! - Locals are variables; SSA form comes from the frontend.
//! - Who owns a `str` or `buf` is known at every point (`refs`), so each is released exactly once
//!   on every path that leaves a function. A trap leaks: the base frees a VM's memory whole.

mod control;
mod device;
mod exits;
mod flags;
mod memory;
mod operand;
mod ops;
mod refs;
mod scan;

use alloc::vec::Vec;

use cranelift_codegen::ir::immediates::Ieee64;
use cranelift_codegen::ir::{
    AbiParam, BlockArg, FuncRef, InstBuilder, Signature, SourceLoc, StackSlot, StackSlotData, StackSlotKind,
    Type as Clif, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, Variable};
use hashbrown::{HashMap, HashSet};
use il::instr::{Dests, Instr, Reader};
use il::{Const, Func, FuncId, GlobalId, LocalId, Module, StrId, Type};

use crate::abi;
use crate::error::CompileError;
use crate::image::{Stub, Symbol};
use crate::options::Bounds;
use control::{Control, Epilogue};
use exits::Callees;
use flags::Regions;
use operand::{Hold, Operand};
use scan::Facts;

pub(crate) use exits::{exit_signature, import};

/// The CLIF type that carries an IL type.
pub(crate) fn clif_type(ty: Type) -> Clif {
    match ty {
        Type::I32 => types::I32,
        Type::I64 | Type::Str | Type::Buf | Type::BufRef => types::I64,
        Type::F64 => types::F64,
        Type::Bool => types::I8,
    }
}

/// The CLIF signature of an IL function.
pub(crate) fn clif_signature(sig: &il::Signature) -> Signature {
    let mut out = Signature::new(CallConv::Tail);
    out.params.push(AbiParam::new(types::I64));
    out.params.extend(sig.params.iter().map(|ty| AbiParam::new(clif_type(*ty))));
    out.returns.extend(sig.results.iter().map(|ty| AbiParam::new(clif_type(*ty))));
    out
}

/// What one function's lowering may choose.
#[derive(Clone, Copy)]
pub(crate) struct Choices {
    /// How the linear memory is guarded.
    pub bounds: Bounds,
    /// Whether rounding has instructions.
    pub rounds: bool,
    /// Facts about the target that the frontend wants.
    pub frontend: TargetFrontendConfig,
}

/// The state of one function's lowering.
pub(crate) struct Lowering<'m, 'b> {
    module: &'m Module,
    id: FuncId,
    func: &'m Func,
    choices: Choices,
    b: FunctionBuilder<'b>,
    /// Byte offset of the instruction being lowered.
    offset: u32,
    ctx: Value,
    locals: Vec<Local>,
    stack: Vec<Operand>,
    controls: Vec<Control>,
    /// Whether a terminator has ended the current list of statements.
    ended: bool,
    epilogue: Option<Epilogue>,
    regions: Regions,
    callees: Callees,
    funcs: HashMap<FuncId, FuncRef>,
    /// Values that are known to be `str`s which are never freed.
    immortal: HashSet<Value>,
    facts: Facts,
}

#[derive(Clone, Copy)]
struct Local {
    ty: Type,
    place: Place,
    /// Whether the local holds a reference of its own, to be released.
    owns: bool,
}

/// Where a local lives until registers are allocated.
#[derive(Clone, Copy)]
enum Place {
    Variable(Variable),
    /// In the frame, because SSA form would cost memory in locals times blocks.
    Frame(StackSlot),
}

/// CLIF instructions of a function. The code generator's memory grows with them, by about 750 bytes
/// each, and a hostile module must not exhaust it.
const FUNCTION_INSTRUCTIONS: usize = 100_000;

/// Above this product of locals and blocks, a function's locals live in its frame.
const SSA_LIMIT: usize = 1 << 22;

type Result<T = ()> = core::result::Result<T, CompileError>;

/// Lowers the body of `id` into the builder's function, whose signature is set.
pub(crate) fn lower(module: &Module, id: FuncId, choices: Choices, builder: FunctionBuilder<'_>) -> Result<Facts> {
    let unverified = |expected| CompileError::Unverified { func: id, offset: 0, expected };
    let func = module.funcs.get(id.index()).ok_or(unverified("a function of the module"))?;
    let facts = scan::scan(func).ok_or(unverified("a body that decodes"))?;
    let mut lowering = Lowering::new(module, id, func, choices, facts, builder)?;
    lowering.prologue();
    lowering.body()?;
    lowering.finish()
}

impl<'m, 'b> Lowering<'m, 'b> {
    fn new(
        module: &'m Module,
        id: FuncId,
        func: &'m Func,
        choices: Choices,
        facts: Facts,
        mut b: FunctionBuilder<'b>,
    ) -> Result<Self> {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let unverified = CompileError::Unverified { func: id, offset: 0, expected: "a context parameter" };
        let ctx = b.block_params(entry).first().copied().ok_or(unverified)?;
        let regions = Regions::declare(&mut b);
        Ok(Lowering {
            module,
            id,
            func,
            choices,
            b,
            offset: 0,
            ctx,
            locals: Vec::new(),
            stack: Vec::new(),
            controls: Vec::new(),
            ended: false,
            epilogue: None,
            regions,
            callees: Callees::default(),
            funcs: HashMap::new(),
            immortal: HashSet::new(),
            facts,
        })
    }

    /// Declares the locals: parameters hold what was passed, the others nothing.
    fn prologue(&mut self) {
        self.b.set_srcloc(SourceLoc::new(0));
        let entry = self.b.current_block();
        let passed: Vec<Value> = entry.map_or(Vec::new(), |block| self.b.block_params(block).to_vec());
        let types = self.func.sig.params.iter().chain(&self.func.locals);
        for (index, ty) in types.copied().enumerate() {
            let place = self.place(clif_type(ty));
            let param = if index < self.func.sig.params.len() { passed.get(index + 1).copied() } else { None };
            let owns = match ty {
                Type::Buf => true,
                // A parameter that is never assigned stays the caller's reference.
                Type::Str => param.is_none() || self.facts.assigned.contains(&LocalId(index as u32)),
                Type::I32 | Type::I64 | Type::F64 | Type::Bool | Type::BufRef => false,
            };
            let local = Local { ty, place, owns };
            self.locals.push(local);
            let value = match param {
                Some(value) => value,
                None => self.nothing(ty),
            };
            if ty == Type::Str && owns && param.is_some() {
                self.retain(value);
            }
            self.write(local, value);
        }
        if self.facts.calls {
            self.deadline_check();
        }
    }

    fn place(&mut self, ty: Clif) -> Place {
        let locals = self.func.sig.params.len() + self.func.locals.len();
        if locals.saturating_mul(self.facts.blocks) > SSA_LIMIT {
            Place::Frame(self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3)))
        } else {
            Place::Variable(self.b.declare_var(ty))
        }
    }

    fn read(&mut self, local: Local) -> Value {
        match local.place {
            Place::Variable(var) => self.b.use_var(var),
            Place::Frame(slot) => self.b.ins().stack_load(types::I64, clif_type(local.ty), slot, 0),
        }
    }

    fn write(&mut self, local: Local, value: Value) {
        match local.place {
            Place::Variable(var) => self.b.def_var(var, value),
            Place::Frame(slot) => {
                self.b.ins().stack_store(types::I64, value, slot, 0);
            }
        }
    }

    /// What a local of this type holds before it is assigned, and a failed operation yields.
    fn nothing(&mut self, ty: Type) -> Value {
        match ty {
            Type::F64 => self.b.ins().f64const(0.0),
            Type::Str => self.empty_str(),
            Type::I32 | Type::I64 | Type::Bool | Type::Buf | Type::BufRef => self.b.ins().iconst(clif_type(ty), 0),
        }
    }

    fn body(&mut self) -> Result {
        let mut reader = Reader::new(&self.func.body);
        loop {
            self.offset = reader.offset();
            let instr = reader.next().map_err(|_| self.unverified("an instruction"))?;
            let Some(instr) = instr else { break };
            self.b.set_srcloc(SourceLoc::new(self.offset));
            self.instr(instr)?;
            if self.b.func.dfg.num_insts() > FUNCTION_INSTRUCTIONS {
                return Err(CompileError::TooLarge { func: self.id, name: self.module.func_name(self.id) });
            }
        }
        if !self.ended {
            self.fall_off_the_end()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Facts> {
        if !self.controls.is_empty() {
            return Err(self.unverified("the end of every block"));
        }
        self.emit_epilogue();
        let Lowering { b, facts, choices, .. } = self;
        b.finalize(choices.frontend);
        Ok(facts)
    }

    fn instr(&mut self, instr: Instr<'_>) -> Result {
        match instr {
            Instr::I32Const(value) => self.push_int(types::I32, i64::from(value as u32), Type::I32),
            Instr::I64Const(value) => self.push_int(types::I64, value, Type::I64),
            Instr::BoolConst(value) => self.push_int(types::I8, i64::from(value), Type::Bool),
            Instr::F64Const(bits) => {
                let value = self.b.ins().f64const(Ieee64::with_bits(bits));
                self.push(Operand::plain(value, Type::F64));
            }
            Instr::StrConst(id) => {
                let value = self.literal(id)?;
                self.push(Operand { value, ty: Type::Str, hold: Hold::Literal(id) });
            }
            Instr::Get(local) => self.get(local)?,
            Instr::Take(local) => self.take(local)?,
            Instr::GlobalGet(global) => self.global_get(global)?,
            Instr::Op(op, offset) => self.op(op, offset)?,
            Instr::Call(func) => self.call_in_tree(func)?,
            Instr::Send(target, opcode) => self.send_in_tree(target, opcode)?,
            Instr::Set(dests) => self.set(dests)?,
            Instr::GlobalSet(global) => self.global_set(global)?,
            Instr::CallSet(func, dests) => {
                let results = self.call(func)?;
                self.assign_all(dests, results)?;
            }
            Instr::SendSet(target, opcode, dests) => {
                let results = self.send(target, opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::TrySet(target, opcode, dests) => {
                let results = self.try_send(target, opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::Emit(number) => self.emit_event(number)?,
            Instr::Wait => self.wait(),
            Instr::WaitForever => self.wait_forever(),
            Instr::Flush(target) => self.flush(target),
            Instr::Fail => self.fail()?,
            Instr::Return => self.return_results()?,
            Instr::Trap(why) => self.trap(why)?,
            Instr::Assert(why) => self.assert(why)?,
            Instr::Cond(ty) => self.begin_cond(ty),
            Instr::Test => self.test()?,
            Instr::If => self.begin_if()?,
            Instr::Else => self.otherwise()?,
            Instr::Loop => self.begin_loop(),
            Instr::While => self.begin_while(),
            Instr::For(local) => self.begin_for(local)?,
            Instr::Switch => self.begin_switch()?,
            Instr::Arm(values) => self.arm(values)?,
            Instr::Default => self.default_arm()?,
            Instr::End => self.end()?,
            Instr::Break(depth) => self.leave_to(depth, Control::exit)?,
            Instr::Continue(depth) => self.leave_to(depth, Control::latch)?,
        }
        Ok(())
    }

    fn unverified(&self, expected: &'static str) -> CompileError {
        CompileError::Unverified { func: self.id, offset: self.offset, expected }
    }

    // Locals and globals.

    fn local(&self, id: LocalId) -> Result<Local> {
        self.locals.get(id.index()).copied().ok_or(self.unverified("a local"))
    }

    fn get(&mut self, id: LocalId) -> Result {
        let local = self.local(id)?;
        let value = self.read(local);
        let (ty, hold) = match local.ty {
            Type::Buf => (Type::BufRef, Hold::Plain),
            Type::Str => (Type::Str, Hold::Borrowed),
            ty => (ty, Hold::Plain),
        };
        self.push(Operand { value, ty, hold });
        Ok(())
    }

    fn take(&mut self, id: LocalId) -> Result {
        let local = self.local(id)?;
        if local.ty != Type::Buf {
            return Err(self.unverified("a `buf` local"));
        }
        let value = self.read(local);
        let gone = self.nothing(Type::Buf);
        self.write(local, gone);
        self.push(Operand { value, ty: Type::Buf, hold: Hold::Owned });
        Ok(())
    }

    fn set(&mut self, dests: Dests<'_>) -> Result {
        let values = self.pop_many(dests.len())?;
        self.assign_all(dests, values)
    }

    /// Assigns all values at once: none is dropped before all are owned.
    fn assign_all(&mut self, dests: Dests<'_>, values: Vec<Operand>) -> Result {
        if dests.len() != values.len() {
            return Err(self.unverified("as many destinations as values"));
        }
        let mut settled = Vec::with_capacity(values.len());
        for (dest, operand) in dests.iter().zip(values) {
            let value = if dest.is_some() { self.settle(operand) } else { operand.value };
            settled.push((dest, operand, value));
        }
        for (dest, operand, value) in settled {
            match dest {
                Some(id) => self.assign(id, value)?,
                None => self.discard(operand),
            }
        }
        Ok(())
    }

    fn assign(&mut self, id: LocalId, value: Value) -> Result {
        let local = self.local(id)?;
        if local.owns {
            let old = self.read(local);
            self.write(local, value);
            self.release(old, local.ty);
        } else {
            self.write(local, value);
        }
        Ok(())
    }

    fn global_get(&mut self, id: GlobalId) -> Result {
        let global = self.module.globals.get(id.index()).ok_or(self.unverified("a global"))?;
        let ty = global.init.ty();
        if !global.mutable {
            return self.push_const(global.init);
        }
        let (base, offset) = self.global_place(id);
        let value = self.b.ins().load(clif_type(ty), self.regions.globals, base, offset);
        let hold = if ty == Type::Str {
            // A call later in the tree could assign the global and free what is on the stack.
            self.retain(value);
            Hold::Owned
        } else {
            Hold::Plain
        };
        self.push(Operand { value, ty, hold });
        Ok(())
    }

    fn push_const(&mut self, value: Const) -> Result {
        self.instr(match value {
            Const::I32(value) => Instr::I32Const(value),
            Const::I64(value) => Instr::I64Const(value),
            Const::F64(bits) => Instr::F64Const(bits),
            Const::Bool(value) => Instr::BoolConst(value),
            Const::Str(id) => Instr::StrConst(id),
        })
    }

    fn global_set(&mut self, id: GlobalId) -> Result {
        let operand = self.pop()?;
        let value = self.settle(operand);
        let (base, offset) = self.global_place(id);
        let flags = self.regions.globals;
        if operand.ty == Type::Str {
            let old = self.b.ins().load(types::I64, flags, base, offset);
            self.b.ins().store(flags, value, base, offset);
            self.release(old, Type::Str);
        } else {
            let word = self.word(value, operand.ty);
            self.b.ins().store(flags, word, base, offset);
        }
        Ok(())
    }

    fn global_place(&mut self, id: GlobalId) -> (Value, i32) {
        let base = self.ctx_constant(abi::offset::GLOBALS);
        self.table_place(base, u64::from(id.0) * 8)
    }

    /// `base + bytes` as an address and a 32-bit offset.
    fn table_place(&mut self, base: Value, bytes: u64) -> (Value, i32) {
        match i32::try_from(bytes) {
            Ok(offset) => (base, offset),
            Err(_) => (self.b.ins().iadd_imm_u(base, bytes as i64), 0),
        }
    }

    /// A field of the context that never changes while the VM lives.
    fn ctx_constant(&mut self, offset: i32) -> Value {
        self.b.ins().load(types::I64, self.regions.constant, self.ctx, offset)
    }

    /// The address of a literal.
    fn literal(&mut self, id: StrId) -> Result<Value> {
        if self.module.strings.get(id.index()).is_none() {
            return Err(self.unverified("a literal"));
        }
        let table = self.ctx_constant(abi::offset::LITERALS);
        let (base, offset) = self.table_place(table, u64::from(id.0) * 8);
        let value = self.b.ins().load(types::I64, self.regions.constant, base, offset);
        self.immortal.insert(value);
        Ok(value)
    }

    fn empty_str(&mut self) -> Value {
        let value = self.ctx_constant(abi::offset::EMPTY_STR);
        self.immortal.insert(value);
        value
    }

    /// A value as the 64-bit word that stands for it in packets, globals and `VmCtx::values`.
    fn word(&mut self, value: Value, ty: Type) -> Value {
        match ty {
            Type::I32 | Type::Bool => self.b.ins().uextend(types::I64, value),
            Type::I64 | Type::F64 | Type::Str | Type::Buf | Type::BufRef => value,
        }
    }

    // Calls.

    fn call_in_tree(&mut self, func: FuncId) -> Result {
        let results = self.call(func)?;
        match results.as_slice() {
            [result] => self.push(*result),
            _ => return Err(self.unverified("a function of one result")),
        }
        Ok(())
    }

    /// Calls a function with the operands on the stack. It borrows `str`s and takes `buf`s.
    fn call(&mut self, id: FuncId) -> Result<Vec<Operand>> {
        let callee = self.module.funcs.get(id.index()).ok_or(self.unverified("a function"))?;
        let args = self.pop_many(callee.sig.params.len())?;
        let mut values = Vec::with_capacity(args.len() + 1);
        values.push(self.ctx);
        for arg in &args {
            values.push(self.canonical(*arg));
        }
        let func = self.func_ref(id, &callee.sig);
        let call = self.b.ins().call(func, &values);
        let results: Vec<Value> = self.b.inst_results(call).to_vec();
        for (arg, param) in args.into_iter().zip(&callee.sig.params) {
            if *param != Type::Buf {
                self.discard(arg);
            }
        }
        Ok(results.into_iter().zip(&callee.sig.results).map(|(value, ty)| Operand::fresh(value, *ty)).collect())
    }

    fn func_ref(&mut self, id: FuncId, sig: &il::Signature) -> FuncRef {
        if let Some(known) = self.funcs.get(&id) {
            return *known;
        }
        let reference = exits::import(&mut self.b, Symbol::Func(id), clif_signature(sig));
        self.funcs.insert(id, reference);
        reference
    }

    fn jump(&mut self, block: cranelift_codegen::ir::Block, args: &[Value]) {
        let args: Vec<BlockArg> = args.iter().map(|value| BlockArg::Value(*value)).collect();
        self.b.ins().jump(block, &args);
    }

    fn deadline_check(&mut self) {
        let address = self.ctx_constant(abi::offset::INTERRUPT);
        let word = self.b.ins().load(types::I32, self.regions.interrupt, address, 0);
        let (slow, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        self.b.ins().brif(word, slow, &[], on, &[]);
        self.b.switch_to_block(slow);
        self.b.seal_block(slow);
        self.call_stub(Stub::Yield, &[]);
        self.jump(on, &[]);
        self.b.switch_to_block(on);
        self.b.seal_block(on);
    }
}
