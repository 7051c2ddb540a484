//! Functions that every module's code may call without leaving the VM: short copies and fills.
//!
//! Their ranges have been checked by the caller, so nothing in them traps. They are called by the System V convention,
//! which keeps some registers for the caller.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlagsData, Signature, Type as Clif, UserFuncName, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use crate::image::{Helper, Symbol};

/// Ranges of at most so many bytes are for the helpers; longer ones are for the base.
pub(crate) const MOST_BYTES: u32 = 1024;

/// Bytes of a vector.
const BLOCK: i64 = 16;

/// Any alignment, and nothing traps.
const FLAGS: MemFlagsData = MemFlagsData::new().with_notrap();

impl Helper {
    /// `Copy`: addresses to and from, length. `Fill`: address, the byte in all bytes of a word, length.
    pub(crate) fn signature() -> Signature {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.extend([types::I64; 3].map(AbiParam::new));
        signature
    }
}

/// Makes a helper.
pub(crate) fn helper(
    func: &mut Function,
    frontend: &mut FunctionBuilderContext,
    target: TargetFrontendConfig,
    helper: Helper,
) {
    func.name = UserFuncName::User(Symbol::Helper(helper).to_name());
    func.signature = Helper::signature();
    let mut b = FunctionBuilder::new(func, frontend);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    // The signature has three parameters.
    let [first, second, len] = [0, 1, 2].map(|at| b.block_params(block)[at]);
    let mut maker = Maker { b };
    match helper {
        Helper::Copy => maker.copy(first, second, len),
        Helper::Fill => maker.fill(first, second, len),
    }
    maker.b.seal_all_blocks();
    maker.b.finalize(target);
}

struct Maker<'b> {
    b: FunctionBuilder<'b>,
}

impl Maker<'_> {
    /// Continues in a new block if the value is at least so much; returns the block where it is less.
    fn at_least(&mut self, value: Value, least: i64) -> Block {
        let (more, less) = (self.b.create_block(), self.b.create_block());
        let is = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, value, least);
        self.b.ins().brif(is, more, &[], less, &[]);
        self.b.switch_to_block(more);
        less
    }

    fn jump(&mut self, block: Block, args: &[Value]) {
        let args = args.iter().map(|value| BlockArg::Value(*value)).collect::<alloc::vec::Vec<_>>();
        self.b.ins().jump(block, &args);
    }

    fn load(&mut self, ty: Clif, address: Value) -> Value {
        self.b.ins().load(ty, FLAGS, address, 0)
    }

    fn store(&mut self, value: Value, address: Value) {
        self.b.ins().store(FLAGS, value, address, 0);
    }

    /// Copies a range that two values of a type cover, which may overlap in it: both are loaded before either is stored.
    fn copy_ends(&mut self, ty: Clif, to: Value, from: Value, len: Value) {
        let last = self.b.ins().iadd_imm_s(len, -i64::from(ty.bytes()));
        let (from_last, to_last) = (self.b.ins().iadd(from, last), self.b.ins().iadd(to, last));
        let (head, tail) = (self.load(ty, from), self.load(ty, from_last));
        self.store(head, to);
        self.store(tail, to_last);
        self.b.ins().return_(&[]);
    }

    /// The ranges may overlap.
    fn copy(&mut self, to: Value, from: Value, len: Value) {
        let mut less = self.at_least(len, 2 * BLOCK + 1);
        self.copy_blocks(to, from, len);
        for ty in [types::I8X16, types::I64, types::I32, types::I16, types::I8] {
            self.b.switch_to_block(less);
            less = self.at_least(len, i64::from(ty.bytes()));
            self.copy_ends(ty, to, from, len);
        }
        self.b.switch_to_block(less);
        self.b.ins().return_(&[]);
    }

    /// More than two blocks, from the end that is not overwritten before it is read. The last block, which may lie across
    /// others, is loaded before all and stored after all.
    fn copy_blocks(&mut self, to: Value, from: Value, len: Value) {
        let upwards = self.b.create_block();
        let downwards = self.b.create_block();
        let distance = self.b.ins().isub(to, from);
        // Upwards also if the target begins below the source: the distance is a large number then.
        let apart = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, distance, len);
        self.b.ins().brif(apart, upwards, &[], downwards, &[]);
        let last = |this: &mut Self, start: Value| {
            let end = this.b.ins().iadd(start, len);
            this.b.ins().iadd_imm_s(end, -BLOCK)
        };

        self.b.switch_to_block(upwards);
        let (from_last, to_last) = (last(self, from), last(self, to));
        let tail = self.load(types::I8X16, from_last);
        self.copy_loop([to, from], to_last, BLOCK, IntCC::UnsignedLessThan);
        self.store(tail, to_last);
        self.b.ins().return_(&[]);

        self.b.switch_to_block(downwards);
        let (from_last, to_last) = (last(self, from), last(self, to));
        let head = self.load(types::I8X16, from);
        self.copy_loop([to_last, from_last], to, -BLOCK, IntCC::UnsignedGreaterThan);
        self.store(head, to);
        self.b.ins().return_(&[]);
    }

    /// Copies blocks while the target is on this side of `end`, and continues behind.
    fn copy_loop(&mut self, [to, from]: [Value; 2], end: Value, step: i64, goes_on: IntCC) {
        let (turn, after) = (self.b.create_block(), self.b.create_block());
        let at_to = self.b.append_block_param(turn, types::I64);
        let at_from = self.b.append_block_param(turn, types::I64);
        self.jump(turn, &[to, from]);
        self.b.switch_to_block(turn);
        let block = self.load(types::I8X16, at_from);
        self.store(block, at_to);
        let (next_to, next_from) = (self.b.ins().iadd_imm_s(at_to, step), self.b.ins().iadd_imm_s(at_from, step));
        let more = self.b.ins().icmp(goes_on, next_to, end);
        self.b.ins().brif(more, turn, &[next_to.into(), next_from.into()], after, &[]);
        self.b.switch_to_block(after);
    }

    fn fill_ends(&mut self, ty: Clif, to: Value, pattern: Value, len: Value) {
        let value = if ty == types::I64 { pattern } else { self.b.ins().ireduce(ty, pattern) };
        let end = self.b.ins().iadd(to, len);
        let last = self.b.ins().iadd_imm_s(end, -i64::from(ty.bytes()));
        self.store(value, to);
        self.store(value, last);
        self.b.ins().return_(&[]);
    }

    fn fill(&mut self, to: Value, pattern: Value, len: Value) {
        let mut less = self.at_least(len, BLOCK);
        self.fill_words(to, pattern, len);
        for ty in [types::I64, types::I32, types::I16, types::I8] {
            self.b.switch_to_block(less);
            less = self.at_least(len, i64::from(ty.bytes()));
            self.fill_ends(ty, to, pattern, len);
        }
        self.b.switch_to_block(less);
        self.b.ins().return_(&[]);
    }

    /// At least two words, two at a time; the last two may lie across others.
    fn fill_words(&mut self, to: Value, pattern: Value, len: Value) {
        let (turn, after) = (self.b.create_block(), self.b.create_block());
        let at = self.b.append_block_param(turn, types::I64);
        let end = self.b.ins().iadd(to, len);
        let last = self.b.ins().iadd_imm_s(end, -BLOCK);
        self.jump(turn, &[to]);
        self.b.switch_to_block(turn);
        self.b.ins().store(FLAGS, pattern, at, 0);
        self.b.ins().store(FLAGS, pattern, at, 8);
        let next = self.b.ins().iadd_imm_u(at, BLOCK);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, last);
        self.b.ins().brif(more, turn, &[next.into()], after, &[]);
        self.b.switch_to_block(after);
        self.b.ins().store(FLAGS, pattern, last, 0);
        self.b.ins().store(FLAGS, pattern, last, 8);
        self.b.ins().return_(&[]);
    }
}
