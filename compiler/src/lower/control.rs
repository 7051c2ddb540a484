//! Blocks, loops, `match`, `cond`, and the one place where a function returns.

use alloc::vec::Vec;
use core::ops::Range;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, InstBuilder, Value};
use cranelift_frontend::Switch;
use il::instr::{ArmValues, Instr, Reader};
use il::trap::TrapKind;
use il::{LocalId, Type};

use super::exits::trap_code;
use super::operand::{Hold, Operand};
use super::{LOOP_DEPTH, Lowering, Result, clif_type};
use crate::abi::Exit;
use crate::error::CompileError;

/// An open construct.
pub(super) enum Control {
    /// `if`; without `else`, both branches meet in `otherwise`.
    If { otherwise: Block },
    /// The second branch of an `if`; `join` exists if the first one reaches its end.
    Else { join: Option<Block> },
    /// `cond`; `otherwise` is set by `test` and taken by `else`.
    Cond { ty: Type, otherwise: Option<Block>, join: Join },
    /// `block`; `exit` exists from the first `break` on.
    Block { exit: Option<Block> },
    /// `loop` and `while`: repeats at `head`, where the deadline is checked; `exit` exists from the first `break` on.
    Loop { head: Block, exit: Option<Block> },
    /// A `while` whose condition is lowered again at its end: `head` is the body.
    Turned { head: Block, latch: Block, exit: Block, condition: Range<u32> },
    /// `for`: `head` takes the counter as its parameter; `short`: it goes without deadline checks.
    For { head: Block, latch: Block, exit: Block, counter: Value, end: Value, short: bool },
    /// `match`: the decision is made in `decide`, once all arms are known.
    Switch {
        value: Value,
        ty: Type,
        decide: Block,
        join: Block,
        arms: Switch,
        blocks: Vec<Block>,
        default: Option<Block>,
    },
}

/// Where the branches of a `cond` meet.
#[derive(Clone, Copy)]
pub(super) enum Join {
    /// In a block that takes the value.
    Value(Block),
    /// Nowhere: the value is only branched on, so each branch goes where its value says.
    Decision { yes: Block, no: Block },
}

impl Control {
    /// Where `break` goes; a block is made if there is none yet.
    fn exit(&mut self, new: impl FnOnce() -> Block) -> Option<Block> {
        match self {
            Control::Block { exit } | Control::Loop { exit, .. } => Some(*exit.get_or_insert_with(new)),
            Control::Turned { exit, .. } | Control::For { exit, .. } => Some(*exit),
            Control::If { .. } | Control::Else { .. } | Control::Cond { .. } | Control::Switch { .. } => None,
        }
    }

    /// Where `continue` goes.
    fn latch(&self) -> Option<Block> {
        match self {
            Control::Loop { head, .. } => Some(*head),
            Control::Turned { latch, .. } | Control::For { latch, .. } => Some(*latch),
            Control::Block { .. } | Control::Switch { .. } => None,
            Control::If { .. } | Control::Else { .. } | Control::Cond { .. } => None,
        }
    }
}

/// The block in which a function that owns locals releases them and returns.
pub(super) struct Epilogue {
    block: Block,
}

impl Lowering<'_, '_> {
    /// Continues in a block all of whose predecessors are known.
    pub(super) fn enter(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
        self.ended = false;
    }

    /// Pops a condition, continues where it holds, and returns the block where it does not.
    pub(super) fn decide(&mut self) -> Result<Block> {
        let otherwise = self.decide_open()?;
        self.b.seal_block(otherwise);
        Ok(otherwise)
    }

    /// The same, but more may lead to the block where it does not hold.
    fn decide_open(&mut self) -> Result<Block> {
        let condition = self.pop()?;
        if let Hold::Decided { yes, no } = condition.hold {
            self.enter(yes);
            return Ok(no);
        }
        let (then, otherwise) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(condition.value, then, &[], otherwise, &[]);
        self.enter(then);
        Ok(otherwise)
    }

    fn jump_unless_ended(&mut self, block: Block) {
        if !self.ended {
            self.jump(block, &[]);
        }
    }

    // `if` and `cond`.

    pub(super) fn begin_if(&mut self) -> Result {
        let otherwise = self.decide_open()?;
        self.controls.push(Control::If { otherwise });
        Ok(())
    }

    /// An `if` that does nothing but leave or repeat is one branch; `ahead` is what follows the `if`. Returns what follows
    /// its end.
    pub(super) fn branch_if<'a>(&mut self, mut ahead: Reader<'a>) -> Result<Option<Reader<'a>>> {
        let (Ok(Some(way)), Ok(Some(Instr::End))) = (ahead.next(), ahead.next()) else { return Ok(None) };
        let target = match way {
            Instr::Break(depth) => self.exit_of(depth)?,
            Instr::Continue(depth) => self.latch_of(depth)?,
            _ => return Ok(None),
        };
        let condition = self.pop()?;
        let on = self.b.create_block();
        self.decide_to(condition, target, on);
        self.enter(on);
        Ok(Some(ahead))
    }

    /// A `break` that is the last of its loop need not go anywhere; `ahead` is what follows it. Returns what follows the
    /// loop's end.
    pub(super) fn leave_at_end<'a>(&mut self, mut ahead: Reader<'a>) -> Result<Option<Reader<'a>>> {
        let Some(Control::Loop { .. }) = self.controls.last() else { return Ok(None) };
        let Ok(Some(Instr::End)) = ahead.next() else { return Ok(None) };
        if let Control::Loop { head, exit } = self.close()? {
            self.b.seal_block(head);
            self.end_block(exit);
        }
        Ok(Some(ahead))
    }

    pub(super) fn begin_cond(&mut self, ty: Type) {
        // What lies below is popped after both branches, in either of which it may move.
        self.house_operands();
        let join = if self.facts.deciding.contains(&self.offset) {
            Join::Decision { yes: self.b.create_block(), no: self.b.create_block() }
        } else {
            let join = self.b.create_block();
            self.b.append_block_param(join, clif_type(ty));
            Join::Value(join)
        };
        self.controls.push(Control::Cond { ty, otherwise: None, join });
    }

    /// Ends the condition of `while` or `cond`.
    pub(super) fn test(&mut self) -> Result {
        let exit = match self.controls.last_mut() {
            Some(Control::Cond { otherwise: None, .. }) => None,
            Some(Control::Loop { exit, .. }) => Some(*exit.get_or_insert_with(|| self.b.create_block())),
            Some(Control::Turned { head, exit, .. }) => {
                let (head, exit) = (*head, *exit);
                let condition = self.pop()?;
                self.decide_to(condition, head, exit);
                self.b.switch_to_block(head);
                self.ended = false;
                // The locals are the loop's, by the place of the `while`.
                return self.forget_turned_locals();
            }
            _ => return Err(self.unverified("`test` in `while` or `cond`")),
        };
        if let Some(exit) = exit {
            let condition = self.pop()?;
            let body = self.b.create_block();
            self.decide_to(condition, body, exit);
            self.enter(body);
        } else {
            let block = self.decide()?;
            if let Some(Control::Cond { otherwise, .. }) = self.controls.last_mut() {
                *otherwise = Some(block);
            }
        }
        Ok(())
    }

    /// Goes to one of two blocks.
    fn decide_to(&mut self, condition: Operand, yes: Block, no: Block) {
        match (condition.hold, self.constant(condition.value)) {
            (Hold::Decided { yes: here, no: there }, _) => {
                self.enter(here);
                self.jump(yes, &[]);
                self.enter(there);
                self.jump(no, &[]);
            }
            (_, Some(0)) => self.jump(no, &[]),
            (_, Some(_)) => self.jump(yes, &[]),
            (_, None) => {
                self.b.ins().brif(condition.value, yes, &[], no, &[]);
            }
        }
    }

    pub(super) fn otherwise(&mut self) -> Result {
        let missing = self.unverified("`else` in `if` or `cond`");
        match self.controls.last_mut() {
            Some(Control::If { otherwise }) => {
                let otherwise = *otherwise;
                let join = (!self.ended).then(|| self.b.create_block());
                if let Some(join) = join {
                    self.jump(join, &[]);
                }
                self.controls.pop();
                self.controls.push(Control::Else { join });
                self.enter(otherwise);
            }
            Some(Control::Cond { otherwise, join, .. }) => {
                let (otherwise, join) = (otherwise.take().ok_or(missing)?, *join);
                self.end_cond_branch(join)?;
                self.b.switch_to_block(otherwise);
            }
            _ => return Err(missing),
        }
        Ok(())
    }

    /// Passes a branch's value on. Both branches agree on ownership: the join owns.
    fn end_cond_branch(&mut self, join: Join) -> Result {
        let operand = self.pop()?;
        match join {
            Join::Value(block) => {
                let value = self.canonical(operand);
                self.jump(block, &[value]);
            }
            Join::Decision { yes, no } => self.decide_to(operand, yes, no),
        }
        Ok(())
    }

    fn end_cond(&mut self, ty: Type, join: Join) -> Result {
        self.end_cond_branch(join)?;
        let (value, hold) = match join {
            Join::Value(block) => {
                self.enter(block);
                let value = self.b.block_params(block).first().copied();
                let fresh = Operand::fresh(value.ok_or(self.unverified("a cond's value"))?, ty);
                (fresh.value, fresh.hold)
            }
            // The value stands for nothing: whoever pops a decision looks at where control is.
            Join::Decision { yes, no } => (self.ctx, Hold::Decided { yes, no }),
        };
        self.push(Operand::held(value, ty, hold));
        Ok(())
    }

    // Blocks, and `break` and `continue`.

    /// Opens what `break` can leave.
    fn open_target(&mut self, control: Control) {
        self.targets.push(self.controls.len());
        self.controls.push(control);
    }

    fn open_loop(&mut self, control: Control) -> Result {
        self.loops += 1;
        if self.loops > LOOP_DEPTH {
            return Err(CompileError::TooLarge { func: self.id, name: self.module.func_name(self.id) });
        }
        self.open_target(control);
        Ok(())
    }

    pub(super) fn begin_block(&mut self) {
        self.open_target(Control::Block { exit: None });
    }

    fn end_block(&mut self, exit: Option<Block>) {
        match exit {
            Some(exit) => {
                self.jump_unless_ended(exit);
                self.enter(exit);
            }
            // What follows is never reached, but has to stand somewhere.
            None if self.ended => {
                let after = self.b.create_block();
                self.enter(after);
            }
            None => {}
        }
    }

    /// Where among `controls` the depth-th enclosing loop or block stands.
    fn place_of(&self, depth: u32) -> Result<usize> {
        let place = self.targets.len().checked_sub(depth as usize + 1).and_then(|at| self.targets.get(at));
        place.copied().ok_or(self.unverified("an enclosing loop or block"))
    }

    pub(super) fn break_out(&mut self, depth: u32) -> Result {
        let exit = self.exit_of(depth)?;
        self.jump(exit, &[]);
        self.ended = true;
        Ok(())
    }

    pub(super) fn repeat(&mut self, depth: u32) -> Result {
        let latch = self.latch_of(depth)?;
        self.jump(latch, &[]);
        self.ended = true;
        Ok(())
    }

    fn exit_of(&mut self, depth: u32) -> Result<Block> {
        let missing = self.unverified("a loop or block to leave");
        let place = self.place_of(depth)?;
        let control = self.controls.get_mut(place);
        control.and_then(|control| control.exit(|| self.b.create_block())).ok_or(missing)
    }

    fn latch_of(&self, depth: u32) -> Result<Block> {
        let missing = self.unverified("an enclosing loop");
        self.controls.get(self.place_of(depth)?).and_then(Control::latch).ok_or(missing)
    }

    // Loops. The deadline is checked where a loop repeats (`pace`): at the head of one that goes back from many places, so
    // that each goes there in one branch.

    pub(super) fn begin_loop(&mut self) -> Result {
        let head = self.b.create_block();
        self.jump(head, &[]);
        self.b.switch_to_block(head);
        self.forget_loop_locals(self.offset);
        self.deadline_check();
        self.open_loop(Control::Loop { head, exit: None })
    }

    pub(super) fn begin_while(&mut self) -> Result {
        let Some(condition) = self.facts.turned.get(&self.offset).cloned() else { return self.begin_loop() };
        let (head, latch, exit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.open_loop(Control::Turned { head, latch, exit, condition })
    }

    fn forget_turned_locals(&mut self) -> Result {
        let Some(Control::Turned { condition, .. }) = self.controls.last() else { return Ok(()) };
        // The `while` is one byte, just before its condition.
        let at = condition.start.saturating_sub(1);
        self.forget_loop_locals(at);
        Ok(())
    }

    /// The condition again, at the end of each turn.
    fn repeat_while(&mut self, condition: Range<u32>, head: Block, exit: Block) -> Result {
        let end = self.offset;
        let func = self.func;
        let body = func.body.get(..condition.end as usize).unwrap_or_default();
        self.instructions_from(body, condition.start)?;
        self.offset = end;
        let condition = self.pop()?;
        self.decide_to(condition, head, exit);
        self.b.seal_block(head);
        Ok(())
    }

    pub(super) fn begin_for(&mut self, local: LocalId) -> Result {
        let end = self.pop_number()?;
        let start = self.pop_number()?;
        let local = self.local(local)?;
        let (head, latch, exit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let counter = self.b.append_block_param(head, clif_type(local.ty));
        self.repeat_for(start, end, head, exit);
        self.b.switch_to_block(head);
        self.forget_loop_locals(self.offset);
        self.write(local, counter);
        let short = self.program.effects.is_short(self.id, self.offset);
        self.open_loop(Control::For { head, latch, exit, counter, end, short })
    }

    /// Goes to a `for`'s head if the counter is still below the end.
    fn repeat_for(&mut self, counter: Value, end: Value, head: Block, exit: Block) {
        let below = self.b.ins().icmp(IntCC::SignedLessThan, counter, end);
        self.b.ins().brif(below, head, &[counter.into()], exit, &[]);
    }

    fn end_loop(&mut self, latch: Block) {
        self.end_turn(latch);
        self.deadline_check();
    }

    fn end_turn(&mut self, latch: Block) {
        self.jump_unless_ended(latch);
        self.enter(latch);
    }

    // `match`.

    pub(super) fn begin_switch(&mut self) -> Result {
        let operand = self.pop()?;
        let (decide, join) = (self.b.create_block(), self.b.create_block());
        self.jump(decide, &[]);
        self.ended = true;
        self.controls.push(Control::Switch {
            value: operand.value,
            ty: operand.ty,
            decide,
            join,
            arms: Switch::new(),
            blocks: Vec::new(),
            default: None,
        });
        Ok(())
    }

    pub(super) fn arm(&mut self, values: ArmValues<'_>) -> Result {
        let block = self.begin_arm()?;
        if let Some(Control::Switch { ty, arms, .. }) = self.controls.last_mut() {
            for value in values.iter() {
                let index = if *ty == Type::I32 { u128::from(value as i32 as u32) } else { u128::from(value as u64) };
                if !arms.entries().contains_key(&index) {
                    arms.set_entry(index, block);
                }
            }
        }
        Ok(())
    }

    pub(super) fn default_arm(&mut self) -> Result {
        let block = self.begin_arm()?;
        if let Some(Control::Switch { default, .. }) = self.controls.last_mut() {
            *default = Some(block);
        }
        Ok(())
    }

    fn begin_arm(&mut self) -> Result<Block> {
        let Some(Control::Switch { join, .. }) = self.controls.last() else {
            return Err(self.unverified("an arm in `switch`"));
        };
        let join = *join;
        self.jump_unless_ended(join);
        let block = self.b.create_block();
        self.b.switch_to_block(block);
        self.ended = false;
        if let Some(Control::Switch { blocks, .. }) = self.controls.last_mut() {
            blocks.push(block);
        }
        Ok(block)
    }

    /// Takes the innermost construct.
    fn close(&mut self) -> Result<Control> {
        let closed = self.controls.pop().ok_or(self.unverified("an open block"))?;
        if self.targets.last() == Some(&self.controls.len()) {
            self.targets.pop();
            self.loops -= usize::from(closed.latch().is_some());
        }
        Ok(closed)
    }

    pub(super) fn end(&mut self) -> Result {
        match self.close()? {
            Control::Block { exit } | Control::Else { join: exit } => self.end_block(exit),
            Control::If { otherwise } => self.end_block(Some(otherwise)),
            Control::Cond { ty, otherwise, join } => {
                if otherwise.is_some() {
                    return Err(self.unverified("`else` in `cond`"));
                }
                self.end_cond(ty, join)?;
            }
            Control::Loop { head, exit } => {
                self.jump_unless_ended(head);
                self.b.seal_block(head);
                self.ended = true;
                self.end_block(exit);
            }
            Control::Turned { head, latch, exit, condition } => {
                self.end_loop(latch);
                self.repeat_while(condition, head, exit)?;
                self.enter(exit);
            }
            Control::For { head, latch, exit, counter, end, short } => {
                self.end_turn(latch);
                if !short {
                    self.deadline_check();
                }
                let next = self.b.ins().iadd_imm_s(counter, 1);
                self.repeat_for(next, end, head, exit);
                self.b.seal_block(head);
                self.enter(exit);
            }
            Control::Switch { value, decide, join, arms, blocks, default, .. } => {
                self.jump_unless_ended(join);
                self.enter(decide);
                arms.emit(&mut self.b, value, default.unwrap_or(join));
                for block in blocks {
                    self.b.seal_block(block);
                }
                self.enter(join);
            }
        }
        Ok(())
    }

    // Returning.

    pub(super) fn return_results(&mut self) -> Result {
        let results = self.pop_many(self.func.sig.results.len())?;
        if let Some(caller) = &mut self.inlined {
            caller.results = Some(results);
            return Ok(());
        }
        let values: Vec<Value> = results.into_iter().map(|operand| self.canonical(operand)).collect();
        self.leave(&values);
        Ok(())
    }

    /// `fail`: the base answers; what the `op` itself returns is not looked at.
    pub(super) fn fail(&mut self) -> Result {
        let status = self.pop()?;
        let status = self.word(status.value, status.ty);
        self.exit(Exit::Fail, &[status]);
        self.leave_op();
        Ok(())
    }

    /// Returns from an `op` whose results nobody looks at.
    pub(super) fn leave_op(&mut self) {
        let mut values = Vec::new();
        for ty in &self.func.sig.results {
            values.push(match ty {
                Type::Buf => self.ctx_constant(crate::abi::offset::EMPTY_BUF),
                Type::Str => self.ctx_constant(crate::abi::offset::EMPTY_STR),
                ty => self.nothing(*ty),
            });
        }
        self.leave(&values);
    }

    pub(super) fn fall_off_the_end(&mut self) -> Result {
        if self.func.sig.results.is_empty() {
            self.leave(&[]);
        } else {
            self.b.ins().trap(trap_code(TrapKind::Unreachable));
            self.ended = true;
        }
        Ok(())
    }

    fn leave(&mut self, results: &[Value]) {
        self.ended = true;
        if !self.locals.iter().any(|local| local.owns) {
            self.b.ins().return_(results);
            return;
        }
        let block = match &self.epilogue {
            Some(epilogue) => epilogue.block,
            None => {
                let block = self.b.create_block();
                for ty in &self.func.sig.results {
                    self.b.append_block_param(block, clif_type(*ty));
                }
                self.epilogue = Some(Epilogue { block });
                block
            }
        };
        self.jump(block, results);
    }

    /// Emits the common end, once all jumps to it are known.
    pub(super) fn emit_epilogue(&mut self) {
        let Some(Epilogue { block }) = self.epilogue.take() else { return };
        self.enter(block);
        let results: Vec<Value> = self.b.block_params(block).to_vec();
        let results = results.get(..self.func.sig.results.len()).unwrap_or_default().to_vec();
        self.free_locals();
        self.b.ins().return_(&results);
    }
}
