//! Edges of a module's code: System V entries into it, and stubs out of it.

use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, TrapCode, Type as Clif, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use il::trap::TrapKind;
use il::{FuncId, Type};

use crate::abi::{self, Exit};
use crate::image::{Stub, Symbol};
use crate::lower::{clif_signature, clif_type, exit_signature, import, words};

/// Makes `fn(ctx)`: arguments from `ctx.values`, the call, results to `ctx.values`, `Exit::Done`.
///
/// `buf` arguments move. Between the arguments' loads and the callee nothing collects.
pub(crate) fn entry(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    target: TargetFrontendConfig,
    id: FuncId,
    sig: &il::Signature,
) {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    let mut edge = Edge::new(func, frontend, Symbol::Entry(id), signature);
    let mut args = alloc::vec![edge.ctx];
    let mut word = 0;
    for ty in &sig.params {
        args.push(edge.value(word, clif_type(*ty)));
        word += words(*ty);
    }
    let callee = import(&mut edge.b, Symbol::Func(id), clif_signature(sig));
    let call = edge.b.ins().call(callee, &args);
    let results = edge.b.inst_results(call).to_vec();
    let mut word = 0;
    for (ty, result) in sig.results.iter().zip(results) {
        edge.set_value(word, *ty, result);
        word += words(*ty);
    }
    edge.done(target);
}

/// Makes `fn(ctx)` that runs all code that initialises globals, then `Exit::Done`.
pub(crate) fn init_entry(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    target: TargetFrontendConfig,
    count: u32,
) {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    let mut edge = Edge::new(func, frontend, Symbol::InitEntry, signature);
    for number in 0..count {
        let callee = import(&mut edge.b, Symbol::Init(number), clif_signature(&il::Signature::default()));
        edge.b.ins().call(callee, &[edge.ctx]);
    }
    edge.done(target);
}

/// Makes a stub: `fn(ctx, args..)` that takes an exit and keeps all registers.
pub(crate) fn stub(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    target: TargetFrontendConfig,
    stub: Stub,
) {
    let mut edge = Edge::new(func, frontend, Symbol::Stub(stub), stub.signature());
    let block = edge.b.current_block();
    let params = block.map_or(alloc::vec::Vec::new(), |block| edge.b.block_params(block).to_vec());
    for (index, arg) in params.into_iter().skip(1).enumerate() {
        edge.b.ins().store(FLAGS, arg, edge.ctx, abi::offset::EXIT_ARGS + 8 * index as i32);
    }
    let answer = edge.exit(stub.exit());
    // A stub keeps every register, so its answer goes by memory.
    if let (Some(answer), Some(_)) = (answer, stub.exit().info().answer) {
        edge.b.ins().store(FLAGS, answer, edge.ctx, abi::offset::EXIT_ARGS);
    }
    edge.b.ins().return_(&[]);
    edge.b.finalize(target);
}

const FLAGS: MemFlagsData = MemFlagsData::trusted();

struct Edge<'b> {
    b: FunctionBuilder<'b>,
    ctx: Value,
}

impl<'b> Edge<'b> {
    fn new(
        func: &'b mut Function,
        frontend: &'b mut FunctionBuilderContext,
        symbol: Symbol,
        signature: Signature,
    ) -> Edge<'b> {
        func.name = UserFuncName::User(symbol.to_name());
        func.signature = signature;
        let mut b = FunctionBuilder::new(func, frontend);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        b.seal_block(block);
        // Every edge's first parameter is the context.
        let ctx = b.block_params(block)[0];
        Edge { b, ctx }
    }

    fn value(&mut self, word: u32, ty: Clif) -> Value {
        self.b.ins().load(ty, flags(ty), self.ctx, place(word))
    }

    /// Stores a value in one word, or a `v128` in two.
    fn set_value(&mut self, word: u32, ty: Type, value: Value) {
        let clif = clif_type(ty);
        let value = match clif {
            types::I8 | types::I32 => self.b.ins().uextend(types::I64, value),
            types::F32 => {
                let bits = self.b.ins().bitcast(types::I32, MemFlagsData::new(), value);
                self.b.ins().uextend(types::I64, bits)
            }
            _ => value,
        };
        self.b.ins().store(flags(clif), value, self.ctx, place(word));
    }

    fn done(mut self, target: TargetFrontendConfig) {
        self.exit(Exit::Done);
        let never = TrapCode::user(TrapKind::Unreachable as u8).unwrap_or(TrapCode::STACK_OVERFLOW);
        self.b.ins().trap(never);
        self.b.finalize(target);
    }

    fn exit(&mut self, exit: Exit) -> Option<Value> {
        let signature = self.b.import_signature(exit_signature());
        let address = self.b.ins().load(types::I64, FLAGS, self.ctx, abi::offset::EXIT);
        let code = self.b.ins().iconst(types::I64, exit as i64);
        let call = self.b.ins().call_indirect(signature, address, &[self.ctx, code]);
        self.b.inst_results(call).first().copied()
    }
}

/// Offset of a word of `values`.
fn place(word: u32) -> i32 {
    abi::offset::VALUES + 8 * word as i32
}

/// A `v128` may lie at any word.
fn flags(ty: Clif) -> MemFlagsData {
    if ty.is_vector() { MemFlagsData::new().with_notrap() } else { FLAGS }
}
