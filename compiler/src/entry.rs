//! Edges of a module's code: System V entries into it, and stubs out of it.

use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, TrapCode, Type as Clif, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use il::trap::TrapKind;
use il::{FuncId, Type};

use crate::abi::{self, Exit, IMMORTAL};
use crate::image::{Stub, Symbol};
use crate::lower::{clif_signature, clif_type, exit_signature, import};

/// Makes `fn(ctx)`: arguments from `ctx.values`, the call, results to `ctx.values`, `Exit::Done`.
///
/// `str` arguments are owned by the entry and dropped after the call; `buf` arguments move.
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
    for (index, ty) in sig.params.iter().enumerate() {
        args.push(edge.value(index, clif_type(*ty)));
    }
    let callee = import(&mut edge.b, Symbol::Func(id), clif_signature(sig));
    let call = edge.b.ins().call(callee, &args);
    let results = edge.b.inst_results(call).to_vec();
    for (ty, arg) in sig.params.iter().zip(args.iter().skip(1)) {
        if *ty == Type::Str {
            edge.drop_str(*arg);
        }
    }
    for (index, (ty, result)) in sig.results.iter().zip(results).enumerate() {
        edge.set_value(index, *ty, result);
    }
    edge.exit(Exit::Done);
    let never = TrapCode::user(TrapKind::Unreachable as u8).unwrap_or(TrapCode::STACK_OVERFLOW);
    edge.b.ins().trap(never);
    edge.b.finalize(target);
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
    edge.exit(stub.exit());
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

    fn value(&mut self, index: usize, ty: Clif) -> Value {
        self.b.ins().load(ty, FLAGS, self.ctx, abi::offset::VALUES + 8 * index as i32)
    }

    fn set_value(&mut self, index: usize, ty: Type, value: Value) {
        let word = match ty {
            Type::I32 | Type::Bool => self.b.ins().uextend(types::I64, value),
            Type::I64 | Type::F64 | Type::Str | Type::Buf | Type::BufRef => value,
        };
        self.b.ins().store(FLAGS, word, self.ctx, abi::offset::VALUES + 8 * index as i32);
    }

    fn exit(&mut self, exit: Exit) {
        let signature = self.b.import_signature(exit_signature());
        let address = self.b.ins().load(types::I64, FLAGS, self.ctx, abi::offset::EXIT);
        let code = self.b.ins().iconst(types::I64, exit as i64);
        self.b.ins().call_indirect(signature, address, &[self.ctx, code]);
    }

    fn drop_str(&mut self, text: Value) {
        let refs = self.b.ins().load(types::I64, FLAGS, text, abi::offset::STR_REFS);
        let (count, free, on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let forever = self.b.ins().icmp_imm_s(cranelift_codegen::ir::condcodes::IntCC::Equal, refs, IMMORTAL as i64);
        self.b.ins().brif(forever, on, &[], count, &[]);
        self.next(count);
        let fewer = self.b.ins().iadd_imm_s(refs, -1);
        self.b.ins().store(FLAGS, fewer, text, abi::offset::STR_REFS);
        self.b.ins().brif(fewer, on, &[], free, &[]);
        self.next(free);
        self.b.ins().store(FLAGS, text, self.ctx, abi::offset::EXIT_ARGS);
        self.exit(Exit::StrFree);
        self.b.ins().jump(on, &[]);
        self.next(on);
    }

    fn next(&mut self, block: cranelift_codegen::ir::Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
    }
}
