//! Lowering: one function body to CLIF, in one pass over its instructions.
//!
//! - Every IL function is a CLIF function of `CallConv::Tail` whose first parameter is the
//!   [`crate::abi::VmCtx`]; numbers are themselves, `bool` is an `i8` of 0 or 1, `v128` an `i8x16`, references and
//!   `buf` are words.
//! - The operand stack exists only here: its entries are CLIF values, each with what is known of it
//!   (`operand`). Between statements it is empty.
//! - Locals are variables; SSA form comes from the frontend.
//! - A collection moves objects, so a reference that lives across a call lies in the frame meanwhile and is a
//!   new value afterwards (`roots`). Calls that cannot collect leave references where they are.
//! - Who owns a `buf` is known at every point (`bufs`), so each is freed exactly once
//!   on every path that leaves a function. A trap leaks: the base frees a VM's memory whole.

mod bufs;
mod calls;
mod caps;
mod casts;
mod constants;
mod control;
mod device;
mod dispatch;
mod effects;
mod exits;
mod flags;
mod globals;
mod grid;
mod inline;
mod locals;
mod memory;
mod objects;
mod operand;
mod ops;
mod pace;
mod roots;
mod scan;
mod vectors;

use alloc::vec::Vec;
use core::ops::Range;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, FuncRef, InstBuilder, MemFlagsData, Signature, SourceLoc, StackSlot, Type as Clif,
    Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;
use hashbrown::HashMap;
use il::instr::{Instr, Reader};
use il::isa::GridInstruction;
use il::{Func, FuncId, GlobalId, Hierarchy, Module, StrId, Type};

use crate::abi;
use crate::error::CompileError;
use crate::image::{Helper, Stub};
use crate::options::Bounds;
use control::{Control, Epilogue};
use exits::Callees;
use flags::Regions;
use inline::Caller;
use locals::Local;
use operand::{Hold, Operand};
use pace::Look;
use scan::Facts;

pub(crate) use effects::Effects;
pub(crate) use exits::{LOAD_OUTSIDE, exit_signature, import};

/// The CLIF type that carries an IL type.
pub(crate) fn clif_type(ty: Type) -> Clif {
    match ty {
        Type::I32 => types::I32,
        Type::I64 => types::I64,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
        Type::V128 => types::I8X16,
        Type::Bool => types::I8,
        Type::Buf | Type::BufRef | Type::OptBuf => types::I64,
        Type::Str | Type::Any | Type::OptStr | Type::OptAny | Type::Ref(_) | Type::Opt(_) => types::I64,
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

/// How many 64-bit words a value takes in `VmCtx::values` and in packets (of a `str` or `buf`: besides its bytes).
pub(crate) fn words(ty: Type) -> u32 {
    if ty == Type::V128 { 2 } else { 1 }
}

/// What one function's lowering may choose.
#[derive(Clone, Copy)]
pub(crate) struct Choices {
    /// How the linear memory is guarded.
    pub bounds: Bounds,
    /// Whether rounding has instructions.
    pub rounds: bool,
    /// Whether small functions are put in the place of their calls.
    pub inline: bool,
    /// Whether code looks at the interrupt word.
    pub looks: bool,
    /// Whether vectors have the instructions that they need.
    pub vectors: bool,
    /// Facts about the target that the frontend wants.
    pub frontend: TargetFrontendConfig,
}

/// What lowering knows of the whole module.
#[derive(Clone, Copy)]
pub(crate) struct Program<'m> {
    pub module: &'m Module,
    pub hierarchy: &'m Hierarchy,
    pub effects: &'m Effects,
    /// Instructions of the sole program's set that are loads and stores of its grid.
    pub grid: &'m [GridInstruction],
}

/// What lowering found out about a function.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Stubs that its code refers to.
    pub stubs: Vec<Stub>,
    /// Helpers that it refers to.
    pub helpers: Vec<Helper>,
}

/// The state of one function's lowering.
pub(crate) struct Lowering<'m, 'b> {
    program: Program<'m>,
    module: &'m Module,
    /// The function, or, while globals are initialised, the one after the last.
    id: FuncId,
    func: &'m Func,
    choices: Choices,
    b: FunctionBuilder<'b>,
    /// Byte offset of the instruction being lowered.
    offset: u32,
    entry: Block,
    ctx: Value,
    locals: Vec<Local>,
    stack: Vec<Operand>,
    controls: Vec<Control>,
    /// Indices into `controls` of the loops and blocks among them.
    targets: Vec<usize>,
    /// What the instruction being lowered loads from a linear memory, and what the one before it did.
    loaded: Option<Value>,
    before: Option<Value>,
    /// How many loops are open.
    loops: usize,
    /// Whether a terminator has ended the current list of statements.
    ended: bool,
    epilogue: Option<Epilogue>,
    regions: Regions,
    callees: Callees,
    /// Fields of the context that have been loaded, by offset.
    constants: HashMap<i32, Value>,
    funcs: HashMap<FuncId, FuncRef>,
    /// Frame slots for references that wait for a call to return: of locals by colour, of operands by depth.
    local_slots: Vec<StackSlot>,
    operand_slots: HashMap<usize, StackSlot>,
    facts: Facts,
    /// Where it looks at the interrupt word, besides its loops.
    look: Look,
    /// The call in whose place a small function is being lowered.
    inlined: Option<Caller>,
}

/// CLIF instructions of a function. The code generator's memory grows with them, by about 750 bytes
/// each, and a hostile module must not exhaust it.
const FUNCTION_INSTRUCTIONS: usize = 250_000;

/// Loops inside one another: what the code generator does with them takes time by the square of their depth.
const LOOP_DEPTH: usize = 256;

type Result<T = ()> = core::result::Result<T, CompileError>;

/// Lowers the body of `id` into the builder's function, whose signature is set.
pub(crate) fn lower(
    program: Program<'_>,
    id: FuncId,
    choices: Choices,
    builder: FunctionBuilder<'_>,
) -> Result<Outcome> {
    let unverified = |expected| CompileError::Unverified { func: id, offset: 0, expected };
    let func = program.module.funcs.get(id.index()).ok_or(unverified("a function of the module"))?;
    let facts = scan::scan(func, program.effects).ok_or(unverified("a body that decodes"))?;
    if facts.vectors && !choices.vectors {
        return Err(CompileError::NoVectors { func: id, name: program.module.func_name(id) });
    }
    if facts.too_many_roots {
        return Err(CompileError::TooLarge { func: id, name: program.module.func_name(id) });
    }
    let mut lowering = Lowering::new(program, id, func, choices, facts, builder)?;
    lowering.prologue();
    lowering.body()?;
    lowering.finish()
}

/// Lowers the initial values of some globals into the builder's function.
pub(crate) fn lower_inits(
    program: Program<'_>,
    globals: Range<u32>,
    choices: Choices,
    builder: FunctionBuilder<'_>,
) -> Result<Outcome> {
    let id = FuncId(program.module.funcs.len() as u32);
    let func = Func::default();
    let mut lowering = Lowering::new(program, id, &func, choices, Facts::default(), builder)?;
    for global in globals.map(GlobalId) {
        match program.effects.array_numbers.get(&global) {
            Some(number) => lowering.constant_array(global, *number)?,
            None => {
                let init = program.module.globals.get(global.index()).map_or(&[][..], |global| &global.init);
                lowering.instructions_from(init, 0)?;
            }
        }
        lowering.init_global(global)?;
    }
    lowering.fall_off_the_end()?;
    lowering.finish()
}

impl<'m, 'b> Lowering<'m, 'b> {
    fn new(
        program: Program<'m>,
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
        b.ensure_inserted_block();
        let unverified = CompileError::Unverified { func: id, offset: 0, expected: "a context parameter" };
        let ctx = b.block_params(entry).first().copied().ok_or(unverified)?;
        let regions = Regions::declare(&mut b);
        Ok(Lowering {
            program,
            module: program.module,
            id,
            func,
            choices,
            b,
            offset: 0,
            entry,
            ctx,
            locals: Vec::new(),
            stack: Vec::new(),
            controls: Vec::new(),
            targets: Vec::new(),
            loops: 0,
            loaded: None,
            before: None,
            ended: false,
            epilogue: None,
            regions,
            callees: Callees::default(),
            constants: HashMap::new(),
            funcs: HashMap::new(),
            local_slots: Vec::new(),
            operand_slots: HashMap::new(),
            facts,
            look: program.effects.look(id),
            inlined: None,
        })
    }

    fn body(&mut self) -> Result {
        self.instructions_from(&self.func.body, 0)?;
        if !self.ended {
            self.fall_off_the_end()?;
        }
        Ok(())
    }

    /// Lowers a body's instructions from an offset on.
    fn instructions_from(&mut self, body: &[u8], start: u32) -> Result {
        let mut reader = Reader::new(body.get(start as usize..).unwrap_or_default());
        loop {
            self.offset = start + reader.offset();
            let instr = reader.next().map_err(|_| self.unverified("an instruction"))?;
            let Some(instr) = instr else { return Ok(()) };
            let place = self.inlined.as_ref().map_or(self.offset, |caller| caller.offset);
            self.b.set_srcloc(SourceLoc::new(place));
            if self.look == Look::Before(self.offset) && self.inlined.is_none() {
                self.deadline_check();
            }
            self.before = self.loaded.take();
            match self.shortened(instr, &reader)? {
                Some(after) => reader = after,
                None => self.instr(instr)?,
            }
            if self.b.func.dfg.num_insts() > FUNCTION_INSTRUCTIONS {
                return Err(CompileError::TooLarge { func: self.id, name: self.module.func_name(self.id) });
            }
        }
    }

    /// What the instruction does together with what is `ahead`, if that takes fewer blocks; returns what follows both.
    fn shortened<'a>(&mut self, instr: Instr<'_>, ahead: &Reader<'a>) -> Result<Option<Reader<'a>>> {
        match instr {
            Instr::If => self.branch_if(ahead.clone()),
            Instr::Break(0) => self.leave_at_end(ahead.clone()),
            _ => Ok(None),
        }
    }

    fn finish(mut self) -> Result<Outcome> {
        if !self.controls.is_empty() {
            return Err(self.unverified("the end of every block"));
        }
        self.emit_epilogue();
        let Lowering { b, callees, choices, .. } = self;
        b.finalize(choices.frontend);
        Ok(Outcome { stubs: callees.stubs(), helpers: callees.helpers() })
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
            Instr::F32Const(bits) => {
                let value = self.b.ins().f32const(Ieee32::with_bits(bits));
                self.push(Operand::plain(value, Type::F32));
            }
            Instr::Null(ty) => self.push_int(types::I64, 0, ty),
            Instr::StrConst(id) => {
                let value = self.literal(id)?;
                self.push(Operand::held(value, Type::Str, Hold::Literal(id)));
            }
            Instr::Get(local) => self.get(local)?,
            Instr::Take(local) => self.take(local)?,
            Instr::GlobalGet(global) => self.global_get(global)?,
            Instr::GlobalTake(global) => self.global_take(global)?,
            Instr::StructNew(ty) => self.struct_new(ty)?,
            Instr::FieldGet(ty, field) => self.field_get(ty, field)?,
            Instr::FieldTake(ty, field) => self.field_take(ty, field)?,
            Instr::ArrayNew(ty) => self.array_new(ty)?,
            Instr::ArrayOf(ty, count) => self.array_of(ty, count)?,
            Instr::ArrayGet(ty) => self.array_get(ty)?,
            Instr::ArrayTake(ty) => self.array_take(ty)?,
            Instr::ArrayLen => self.array_len()?,
            Instr::RefEq => self.same_object(true)?,
            Instr::RefNe => self.same_object(false)?,
            Instr::Is(ty) => self.is(ty)?,
            Instr::As(ty) => self.cast(ty)?,
            Instr::Freeze => self.freeze()?,
            Instr::FuncRef(func, ty) => self.reference_to(func, ty)?,
            Instr::Op(op, immediate) => self.op(op, immediate)?,
            Instr::Shuffle(lanes) => self.shuffle(lanes)?,
            Instr::Select(ty) => self.select(ty)?,
            Instr::MemoryInit(data, memory) => self.memory_init(data, memory)?,
            Instr::DataDrop(data) => self.data_drop(data),
            Instr::Call(func) => {
                let results = self.call(func)?;
                self.push_one(results)?;
            }
            Instr::CallRef(ty) => {
                let results = self.call_reference(ty)?;
                self.push_one(results)?;
            }
            Instr::Cap(target, ty) => self.capability(target, ty),
            Instr::Attenuate(ty) => self.attenuate(ty)?,
            Instr::Caller => self.caller(),
            Instr::Send(target, opcode) => {
                let results = self.send(target, opcode)?;
                self.push_one(results)?;
            }
            Instr::Try(target, opcode) => {
                let results = self.try_send(target, opcode)?;
                self.push_one(results)?;
            }
            Instr::SendTo(ty, opcode) => {
                let results = self.send_to(ty, opcode)?;
                self.push_one(results)?;
            }
            Instr::TryTo(ty, opcode) => {
                let results = self.try_send_to(ty, opcode)?;
                self.push_one(results)?;
            }
            Instr::Own(opcode) => {
                let results = self.own(opcode)?;
                self.push_one(results)?;
            }
            Instr::OwnTry(opcode) => {
                let results = self.try_own(opcode)?;
                self.push_one(results)?;
            }
            Instr::Set(dests) => self.set(dests)?,
            Instr::GlobalSet(global) => self.global_set(global)?,
            Instr::FieldSet(ty, field) => self.field_set(ty, field)?,
            Instr::ArraySet(ty) => self.array_set(ty)?,
            Instr::CallSet(func, dests) => {
                let results = self.call(func)?;
                self.assign_all(dests, results)?;
            }
            Instr::CallRefSet(ty, dests) => {
                let results = self.call_reference(ty)?;
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
            Instr::SendToSet(ty, opcode, dests) => {
                let results = self.send_to(ty, opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::TryToSet(ty, opcode, dests) => {
                let results = self.try_send_to(ty, opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::OwnSet(opcode, dests) => {
                let results = self.own(opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::OwnTrySet(opcode, dests) => {
                let results = self.try_own(opcode)?;
                self.assign_all(dests, results)?;
            }
            Instr::RunSet(target, program, dests) => {
                let results = self.run(target, program)?;
                self.assign_all(dests, results)?;
            }
            Instr::RunTrySet(target, program, dests) => {
                let results = self.try_run(target, program)?;
                self.assign_all(dests, results)?;
            }
            Instr::RunSend(target, program) => self.run_send(target, program)?,
            Instr::Emit(provided, number) => self.emit_event(provided, number, false)?,
            Instr::EmitTo(provided, number) => self.emit_event(provided, number, true)?,
            Instr::Wait => self.wait(),
            Instr::WaitForever => self.wait_forever(),
            Instr::Flush(target) => self.flush(target),
            Instr::FlushCap => self.flush_capability()?,
            Instr::Revoke => self.revoke()?,
            Instr::Fail => self.fail()?,
            Instr::Forward(target, opcode) => self.forward(target, opcode)?,
            Instr::ForwardTo(ty, opcode) => self.forward_to(ty, opcode)?,
            Instr::Return => self.return_results()?,
            Instr::ReturnCall(func) => self.return_call(func)?,
            Instr::ReturnCallRef(ty) => self.return_call_reference(ty)?,
            Instr::Exit => self.quit()?,
            Instr::Trap(why) => self.trap(why)?,
            Instr::Assert(why) => self.assert(why)?,
            Instr::Cond(ty) => self.begin_cond(ty),
            Instr::Test => self.test()?,
            Instr::If => self.begin_if()?,
            Instr::IfAs(ty, local) => self.begin_if_as(ty, local)?,
            Instr::Else => self.otherwise()?,
            Instr::Block => self.begin_block(),
            Instr::Loop => self.begin_loop()?,
            Instr::While => self.begin_while()?,
            Instr::For(local) => self.begin_for(local)?,
            Instr::Switch => self.begin_switch()?,
            Instr::Arm(values) => self.arm(values)?,
            Instr::Default => self.default_arm()?,
            Instr::End => self.end()?,
            Instr::Break(depth) => self.break_out(depth)?,
            Instr::Continue(depth) => self.repeat(depth)?,
        }
        Ok(())
    }

    fn unverified(&self, expected: &'static str) -> CompileError {
        CompileError::Unverified { func: self.id, offset: self.offset, expected }
    }

    fn push_one(&mut self, results: Vec<Operand>) -> Result {
        match results.as_slice() {
            [result] => self.push(*result),
            _ => return Err(self.unverified("exactly one result")),
        }
        Ok(())
    }

    /// `base + bytes` as an address and a 32-bit offset.
    fn table_place(&mut self, base: Value, bytes: u64) -> (Value, i32) {
        match i32::try_from(bytes) {
            Ok(offset) => (base, offset),
            Err(_) => (self.b.ins().iadd_imm_u(base, bytes as i64), 0),
        }
    }

    /// A field of the context that never changes while the VM lives: one load a function, which the code generator puts
    /// where it is needed.
    fn ctx_constant(&mut self, offset: i32) -> Value {
        if let Some(value) = self.constants.get(&offset) {
            return *value;
        }
        let mut start = FuncCursor::new(self.b.func).at_first_insertion_point(self.entry);
        let value = start.ins().load(types::I64, self.regions.constant, self.ctx, offset);
        self.constants.insert(offset, value);
        value
    }

    /// The address of a literal.
    fn literal(&mut self, id: StrId) -> Result<Value> {
        if self.module.strings.get(id.index()).is_none() {
            return Err(self.unverified("a literal"));
        }
        Ok(self.immortal(u64::from(id.0)))
    }

    /// An entry of the table of literals and function references.
    fn immortal(&mut self, index: u64) -> Value {
        let table = self.ctx_constant(abi::offset::LITERALS);
        let (base, offset) = self.table_place(table, index * 8);
        self.b.ins().load(types::I64, self.regions.constant, base, offset)
    }

    /// A value, of one word, as the word that stands for it in packets and `VmCtx::values`.
    fn word(&mut self, value: Value, ty: Type) -> Value {
        match clif_type(ty) {
            types::F32 => {
                let bits = self.b.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.b.ins().uextend(types::I64, bits)
            }
            types::F64 => self.b.ins().bitcast(types::I64, MemFlagsData::new(), value),
            types::I64 => value,
            _ => self.b.ins().uextend(types::I64, value),
        }
    }

    /// A value as one or two words.
    fn value_words(&mut self, value: Value, ty: Type) -> [Option<Value>; 2] {
        if ty != Type::V128 {
            return [Some(self.word(value, ty)), None];
        }
        let lanes = self.lanes(value, types::I64X2);
        let low = self.b.ins().extractlane(lanes, 0);
        let high = self.b.ins().extractlane(lanes, 1);
        [Some(low), Some(high)]
    }

    fn word_const(&mut self, value: u64) -> Value {
        self.b.ins().iconst(types::I64, value as i64)
    }

    fn jump(&mut self, block: Block, args: &[Value]) {
        let args: Vec<BlockArg> = args.iter().map(|value| BlockArg::Value(*value)).collect();
        self.b.ins().jump(block, &args);
    }

    fn deadline_check(&mut self) {
        if !self.choices.looks {
            return;
        }
        let address = self.ctx_constant(abi::offset::INTERRUPT);
        let word = self.b.ins().load(types::I32, self.regions.interrupt, address, 0);
        // One instruction: the low half of an aligned address is not the greatest number, and 0 is not above it.
        let low = self.b.ins().ireduce(types::I32, address);
        let asked = self.b.ins().icmp(IntCC::UnsignedLessThan, low, word);
        let (slow, on) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(slow);
        self.b.ins().brif(asked, slow, &[], on, &[]);
        self.enter(slow);
        self.call_stub(Stub::Yield, &[]);
        self.jump(on, &[]);
        self.enter(on);
    }
}
