//! NaNs of `f32` and `f64` arithmetic, settled where their bits show.
//!
//! The IL has one NaN that arithmetic yields; the processor has many. Arithmetic and comparisons cannot tell them apart, so
//! a value is settled only before an instruction that sees bits: a store, a call, a return, a change of the sign. A pass
//! over the finished function knows where that is, whatever ways a value took there:
//!
//! - [`Class::Raw`] is what arithmetic yields. A value that joins others is raw if they all are, or are no NaNs.
//! - [`Class::Exact`] is everything else: a NaN from memory or from a caller keeps its bits. Where raw and exact values
//!   join, the raw ones are settled before the join.

use alloc::vec::Vec;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{Block, BlockArg, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types};
use hashbrown::HashMap;

/// The one NaN, of each width.
pub(crate) const CANONICAL_NAN: u64 = 0x7ff8_0000_0000_0000;
/// See [`CANONICAL_NAN`].
pub(crate) const CANONICAL_NAN_32: u32 = 0x7fc0_0000;

/// What a float may be; joins take the greatest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
enum Class {
    /// No NaN.
    #[default]
    Number,
    /// Any NaN, which stands for the one.
    Raw,
    /// Bits that count.
    Exact,
}

/// Settles the NaNs of a function that is otherwise finished.
pub(crate) fn settle(func: &mut Function) {
    let mut pass = Settling { func, classes: SecondaryMap::new(), edges: Vec::new() };
    if pass.classify() {
        pass.join();
        let blocks: Vec<Block> = pass.func.layout.blocks().collect();
        blocks.into_iter().for_each(|block| pass.block(block));
    }
}

/// Whether the opcode yields the one NaN, if any.
fn is_arithmetic(opcode: Opcode) -> bool {
    use Opcode::{Ceil, Fadd, Fdemote, Fdiv, Floor, Fmax, Fmin, Fmul, Fpromote, Fsub, Nearest, Sqrt, Trunc};
    matches!(opcode, Fadd | Fsub | Fmul | Fdiv | Sqrt | Fmin | Fmax)
        || matches!(opcode, Ceil | Floor | Trunc | Nearest | Fdemote | Fpromote)
}

/// Whether the opcode treats all NaNs alike and yields no float.
fn is_blind(opcode: Opcode) -> bool {
    use Opcode::{Fcmp, FcvtToSint, FcvtToSintSat, FcvtToUint, FcvtToUintSat};
    matches!(opcode, Fcmp | FcvtToSint | FcvtToUint | FcvtToSintSat | FcvtToUintSat)
}

struct Settling<'f> {
    func: &'f mut Function,
    classes: SecondaryMap<Value, Class>,
    /// (from, to): what flows into a value by a branch or `select`.
    edges: Vec<(Value, Value)>,
}

impl Settling<'_> {
    fn is_float(&self, value: Value) -> bool {
        matches!(self.func.dfg.value_type(value), types::F32 | types::F64)
    }

    /// Notes what instructions yield; whether there is arithmetic at all.
    fn classify(&mut self) -> bool {
        let mut arithmetic = false;
        let entry = self.func.layout.entry_block();
        for param in entry.map_or(&[][..], |entry| self.func.dfg.block_params(entry)) {
            self.classes[*param] = Class::Exact;
        }
        let blocks: Vec<Block> = self.func.layout.blocks().collect();
        for block in blocks {
            let mut next = self.func.layout.first_inst(block);
            while let Some(inst) = next {
                next = self.func.layout.next_inst(inst);
                arithmetic |= self.classify_one(inst);
            }
        }
        arithmetic
    }

    fn classify_one(&mut self, inst: Inst) -> bool {
        let dfg = &self.func.dfg;
        let opcode = dfg.insts[inst].opcode();
        if opcode.is_branch() {
            self.follow_branch(inst);
            return false;
        }
        let result = dfg.inst_results(inst).first().copied();
        let Some(result) = result.filter(|result| self.is_float(*result)) else { return false };
        let class = match (opcode, dfg.insts[inst]) {
            (Opcode::Select, _) => {
                for arm in &dfg.inst_args(inst)[1..] {
                    self.edges.push((dfg.resolve_aliases(*arm), result));
                }
                Class::Number
            }
            (Opcode::FcvtFromSint | Opcode::FcvtFromUint, _) => Class::Number,
            (_, InstructionData::UnaryIeee32 { imm, .. }) if !imm.is_nan() => Class::Number,
            (Opcode::F64const, InstructionData::UnaryIeee64 { imm, .. }) if !imm.is_nan() => Class::Number,
            (opcode, _) if is_arithmetic(opcode) => Class::Raw,
            _ => Class::Exact,
        };
        for result in self.func.dfg.inst_results(inst) {
            self.classes[*result] = class;
        }
        class == Class::Raw
    }

    fn follow_branch(&mut self, inst: Inst) {
        let dfg = &self.func.dfg;
        for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            let params = dfg.block_params(call.block(&dfg.value_lists));
            for (arg, param) in call.args(&dfg.value_lists).zip(params) {
                if let (BlockArg::Value(value), true) = (arg, self.is_float(*param)) {
                    self.edges.push((dfg.resolve_aliases(value), *param));
                }
            }
        }
    }

    /// Lets classes flow until nothing changes.
    fn join(&mut self) {
        self.edges.sort_unstable();
        let mut changed: Vec<Value> = self.edges.iter().map(|(from, _)| *from).collect();
        changed.dedup();
        while let Some(from) = changed.pop() {
            let start = self.edges.partition_point(|(other, _)| *other < from);
            let class = self.classes[from];
            for (_, to) in self.edges.get(start..).unwrap_or_default().iter().take_while(|(other, _)| *other == from) {
                if self.classes[*to] < class {
                    self.classes[*to] = class;
                    changed.push(*to);
                }
            }
        }
    }

    /// Settles what is seen in a block. Each value at most once: all that follows in the block uses the settled one, so that
    /// the other need not be kept.
    fn block(&mut self, block: Block) {
        let mut settled: HashMap<Value, Value> = HashMap::new();
        let mut next = self.func.layout.first_inst(block);
        while let Some(inst) = next {
            if !settled.is_empty() {
                let known = |value: Value| settled.get(&value).copied().unwrap_or(value);
                let dfg = &mut self.func.dfg;
                dfg.map_inst_values(inst, known);
            }
            for value in self.seen_raw(inst) {
                let new = self.insert(inst, value);
                settled.insert(value, new);
                self.func.dfg.map_inst_values(inst, |other| if other == value { new } else { other });
            }
            next = self.func.layout.next_inst(inst);
        }
    }

    fn is_raw(&self, value: Value) -> bool {
        self.classes[self.func.dfg.resolve_aliases(value)] == Class::Raw
    }

    /// Raw values whose bits the instruction sees.
    fn seen_raw(&self, inst: Inst) -> Vec<Value> {
        let dfg = &self.func.dfg;
        let opcode = dfg.insts[inst].opcode();
        let mut seen = Vec::new();
        if is_arithmetic(opcode) || is_blind(opcode) {
            return seen;
        }
        let merges = |result: &Value| self.classes[*result] < Class::Exact;
        if opcode == Opcode::Select && dfg.inst_results(inst).first().is_some_and(merges) {
            return seen;
        }
        seen.extend(dfg.inst_args(inst).iter().copied().filter(|arg| self.is_raw(*arg)));
        if opcode.is_branch() {
            for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                let params = dfg.block_params(call.block(&dfg.value_lists));
                let args = call.args(&dfg.value_lists).zip(params);
                let exact = args.filter(|(_, param)| self.classes[**param] == Class::Exact);
                seen.extend(exact.filter_map(|(arg, _)| arg.as_value()).filter(|value| self.is_raw(*value)));
            }
        }
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// The settled value, computed before the instruction: a branch that is never taken costs less than to choose.
    fn insert(&mut self, before: Inst, value: Value) -> Value {
        let ty = self.func.dfg.value_type(value);
        let (nan, on) = (self.func.dfg.make_block(), self.func.dfg.make_block());
        let settled = self.func.dfg.append_block_param(on, ty);
        self.classes[settled] = Class::Exact;
        let place = self.func.srcloc(before);
        let Some(block) = self.func.layout.inst_block(before) else { return value };
        self.func.layout.split_block(on, before);
        self.func.layout.append_block(nan);
        self.func.layout.set_cold(nan);
        let mut cursor = FuncCursor::new(self.func).at_bottom(block).with_srcloc(place);
        let unordered = cursor.ins().fcmp(FloatCC::Unordered, value, value);
        cursor.ins().brif(unordered, nan, &[], on, &[value.into()]);
        let mut cursor = cursor.at_bottom(nan);
        let constant = match ty {
            types::F32 => cursor.ins().f32const(Ieee32::with_bits(CANONICAL_NAN_32)),
            _ => cursor.ins().f64const(Ieee64::with_bits(CANONICAL_NAN)),
        };
        cursor.ins().jump(on, &[constant.into()]);
        settled
    }
}
