//! A body as a tree of statements and expressions.
//!
//! Total: a body that is not well-formed, or is deeper than anybody would read, gives `None`, and
//! the page shows its instructions instead.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::instr::{ArmValues, Dests, Instr, Reader};
use crate::op::Op;
use crate::{Func, FuncId, GlobalId, LocalId, Module, StrId, UseId};

/// Deeper trees are not shown as text; it also bounds the printer's recursion.
const DEEPEST: usize = 256;

/// An expression.
#[derive(Debug)]
pub(super) enum Expr {
    I32(i32),
    I64(i64),
    F64(u64),
    Bool(bool),
    Str(StrId),
    /// A local's value, a borrow or a move: text writes them alike.
    Local(LocalId),
    Global(GlobalId),
    Call(FuncId, Vec<Expr>),
    Send(UseId, u8, Vec<Expr>),
    Op(Op, u32, Vec<Expr>),
    /// Condition, value if true, value if false.
    Cond(Box<[Expr; 3]>),
}

/// What gives any number of values at a statement's root.
#[derive(Debug)]
pub(super) enum Source {
    Value(Expr),
    Call(FuncId, Vec<Expr>),
    Send(UseId, u8, Vec<Expr>),
    Try(UseId, u8, Vec<Expr>),
}

pub(super) type Block = Vec<Stmt>;

/// A statement.
#[derive(Debug)]
pub(super) enum Stmt {
    Assign(Vec<Option<LocalId>>, Source),
    /// A `set` of several values at once, which text cannot write.
    AssignMany(Vec<Option<LocalId>>, Vec<Expr>),
    SetGlobal(GlobalId, Expr),
    Op(Op, u32, Vec<Expr>),
    Emit(u8, Vec<Expr>),
    Fail(Expr),
    Return(Vec<Expr>),
    Trap(StrId),
    Assert(Expr, StrId),
    Wait,
    WaitForever,
    Flush(UseId),
    If(Expr, Block, Option<Block>),
    Loop(Block),
    While(Expr, Block),
    For(LocalId, Expr, Expr, Block),
    Switch(Expr, Vec<(Vec<i64>, Block)>, Option<Block>),
    Break(u32),
    Continue(u32),
}

/// An expression and its height.
type Tall = (Expr, usize);

enum Open {
    If(Expr),
    Else(Expr, Block),
    CondTest,
    CondThen(Tall),
    CondElse(Tall, Tall),
    Loop,
    WhileTest,
    While(Expr),
    For(LocalId, Expr, Expr),
    Switch(Expr, Vec<(Vec<i64>, Block)>),
    Arm(Expr, Vec<(Vec<i64>, Block)>, Vec<i64>),
    Default(Expr, Vec<(Vec<i64>, Block)>),
}

/// The tree of a function's body, if it has one.
pub(super) fn build(module: &Module, func: &Func) -> Option<Block> {
    let mut builder = Builder { module, func, values: Vec::new(), block: Vec::new(), opened: Vec::new() };
    let mut reader = Reader::new(&func.body);
    while let Some(instr) = reader.next().ok()? {
        builder.instr(instr)?;
    }
    let done = builder.values.is_empty() && builder.opened.is_empty();
    done.then_some(builder.block)
}

struct Builder<'m> {
    module: &'m Module,
    func: &'m Func,
    values: Vec<Tall>,
    /// The statements so far of the innermost construct.
    block: Block,
    /// Constructs, each with the statements that precede it.
    opened: Vec<(Open, Block)>,
}

impl Builder<'_> {
    fn instr(&mut self, instr: Instr<'_>) -> Option<()> {
        match instr {
            Instr::I32Const(value) => self.leaf(Expr::I32(value)),
            Instr::I64Const(value) => self.leaf(Expr::I64(value)),
            Instr::F64Const(bits) => self.leaf(Expr::F64(bits)),
            Instr::BoolConst(value) => self.leaf(Expr::Bool(value)),
            Instr::StrConst(id) => self.leaf(Expr::Str(id)),
            Instr::Get(id) | Instr::Take(id) => self.leaf(Expr::Local(id)),
            Instr::GlobalGet(id) => self.leaf(Expr::Global(id)),
            Instr::Call(id) => {
                let count = self.arity(id)?;
                self.node(count, |args| Expr::Call(id, args))?;
            }
            Instr::Send(target, opcode) => {
                let count = self.operands(target, opcode)?;
                self.node(count, |args| Expr::Send(target, opcode, args))?;
            }
            Instr::Op(op, immediate) => self.operator(op, immediate.offset)?,
            Instr::Set(dests) => self.set(dests)?,
            Instr::GlobalSet(id) => {
                let value = self.pop()?;
                self.block.push(Stmt::SetGlobal(id, value));
            }
            Instr::CallSet(id, dests) => {
                let count = self.arity(id)?;
                let args = self.pop_all(count)?.0;
                self.assign(dests, Source::Call(id, args));
            }
            Instr::SendSet(target, opcode, dests) => {
                let args = self.sent(target, opcode)?;
                self.assign(dests, Source::Send(target, opcode, args));
            }
            Instr::TrySet(target, opcode, dests) => {
                let args = self.sent(target, opcode)?;
                self.assign(dests, Source::Try(target, opcode, args));
            }
            Instr::Emit(number) => {
                let set = self.module.isas.get(self.module.provides.as_ref()?.isa.index())?;
                let args = self.pop_all(set.event(number)?.params.len())?.0;
                self.block.push(Stmt::Emit(number, args));
            }
            Instr::Fail => {
                let status = self.pop()?;
                self.block.push(Stmt::Fail(status));
            }
            Instr::Return => {
                let values = self.pop_all(self.func.sig.results.len())?.0;
                self.block.push(Stmt::Return(values));
            }
            Instr::Trap(id) => self.block.push(Stmt::Trap(id)),
            Instr::Assert(id) => {
                let condition = self.pop()?;
                self.block.push(Stmt::Assert(condition, id));
            }
            Instr::Wait => self.block.push(Stmt::Wait),
            Instr::WaitForever => self.block.push(Stmt::WaitForever),
            Instr::Flush(id) => self.block.push(Stmt::Flush(id)),
            Instr::Break(depth) => self.block.push(Stmt::Break(depth)),
            Instr::Continue(depth) => self.block.push(Stmt::Continue(depth)),
            Instr::Cond(_) => self.open(Open::CondTest)?,
            Instr::If => {
                let condition = self.pop()?;
                self.open(Open::If(condition))?;
            }
            Instr::Loop => self.open(Open::Loop)?,
            Instr::While => self.open(Open::WhileTest)?,
            Instr::For(local) => {
                let to = self.pop()?;
                let from = self.pop()?;
                self.open(Open::For(local, from, to))?;
            }
            Instr::Switch => {
                let value = self.pop()?;
                self.open(Open::Switch(value, Vec::new()))?;
            }
            Instr::Test | Instr::Else => self.next_part(instr)?,
            Instr::Arm(values) => self.arm(Some(values))?,
            Instr::Default => self.arm(None)?,
            Instr::End => self.end()?,
            _ => return None,
        }
        Some(())
    }

    // Expressions

    fn leaf(&mut self, expr: Expr) {
        self.values.push((expr, 0));
    }

    fn node(&mut self, count: usize, make: impl FnOnce(Vec<Expr>) -> Expr) -> Option<()> {
        let (args, height) = self.pop_all(count)?;
        self.push(make(args), height + 1)
    }

    fn push(&mut self, expr: Expr, height: usize) -> Option<()> {
        if height > DEEPEST {
            return None;
        }
        self.values.push((expr, height));
        Some(())
    }

    fn pop(&mut self) -> Option<Expr> {
        self.values.pop().map(|(value, _)| value)
    }

    fn pop_all(&mut self, count: usize) -> Option<(Vec<Expr>, usize)> {
        let from = self.values.len().checked_sub(count)?;
        let values = self.values.split_off(from);
        let height = values.iter().map(|(_, height)| *height).max().unwrap_or(0);
        Some((values.into_iter().map(|(value, _)| value).collect(), height))
    }

    fn arity(&self, id: FuncId) -> Option<usize> {
        self.module.funcs.get(id.index()).map(|func| func.sig.params.len())
    }

    fn operands(&self, target: UseId, opcode: u8) -> Option<usize> {
        let wanted = self.module.uses.get(target.index())?;
        let set = self.module.isas.get(wanted.isa.index())?;
        set.instruction(opcode).map(|instruction| instruction.params.len())
    }

    fn sent(&mut self, target: UseId, opcode: u8) -> Option<Vec<Expr>> {
        let count = self.operands(target, opcode)?;
        self.pop_all(count).map(|(args, _)| args)
    }

    fn operator(&mut self, op: Op, offset: u32) -> Option<()> {
        let info = op.info();
        if info.result.is_some() {
            return self.node(info.params.len(), |args| Expr::Op(op, offset, args));
        }
        let args = self.pop_all(info.params.len())?.0;
        self.block.push(Stmt::Op(op, offset, args));
        Some(())
    }

    // Statements

    fn set(&mut self, dests: Dests<'_>) -> Option<()> {
        let mut values = self.pop_all(dests.len())?.0;
        let dests: Vec<_> = dests.iter().collect();
        let stmt = match (values.pop(), values.is_empty()) {
            (Some(only), true) => Stmt::Assign(dests, Source::Value(only)),
            (last, _) => {
                values.extend(last);
                Stmt::AssignMany(dests, values)
            }
        };
        self.block.push(stmt);
        Some(())
    }

    fn assign(&mut self, dests: Dests<'_>, source: Source) {
        self.block.push(Stmt::Assign(dests.iter().collect(), source));
    }

    // Constructs

    fn open(&mut self, open: Open) -> Option<()> {
        if self.opened.len() >= DEEPEST {
            return None;
        }
        self.opened.push((open, core::mem::take(&mut self.block)));
        Some(())
    }

    /// Goes on with the next part of the innermost construct.
    fn next_part(&mut self, instr: Instr<'_>) -> Option<()> {
        let (open, before) = self.opened.pop()?;
        let open = match (open, instr) {
            (Open::CondTest, Instr::Test) => Open::CondThen(self.values.pop()?),
            (Open::CondThen(test), Instr::Else) => Open::CondElse(test, self.values.pop()?),
            (Open::WhileTest, Instr::Test) => Open::While(self.pop()?),
            (Open::If(condition), Instr::Else) => Open::Else(condition, core::mem::take(&mut self.block)),
            _ => return None,
        };
        self.opened.push((open, before));
        Some(())
    }

    /// Opens an arm, or without values the default.
    fn arm(&mut self, values: Option<ArmValues<'_>>) -> Option<()> {
        let (open, before) = self.opened.pop()?;
        let (value, arms) = match open {
            Open::Switch(value, arms) => (value, arms),
            Open::Arm(value, mut arms, values) => {
                arms.push((values, core::mem::take(&mut self.block)));
                (value, arms)
            }
            _ => return None,
        };
        let open = match values {
            Some(values) => Open::Arm(value, arms, values.iter().collect()),
            None => Open::Default(value, arms),
        };
        self.opened.push((open, before));
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let (open, before) = self.opened.pop()?;
        let block = core::mem::replace(&mut self.block, before);
        self.block.push(match open {
            Open::If(condition) => Stmt::If(condition, block, None),
            Open::Else(condition, then) => Stmt::If(condition, then, Some(block)),
            Open::Loop => Stmt::Loop(block),
            Open::While(condition) => Stmt::While(condition, block),
            Open::For(local, from, to) => Stmt::For(local, from, to, block),
            Open::Switch(value, arms) => Stmt::Switch(value, arms, None),
            Open::Arm(value, mut arms, values) => {
                arms.push((values, block));
                Stmt::Switch(value, arms, None)
            }
            Open::Default(value, arms) => Stmt::Switch(value, arms, Some(block)),
            Open::CondElse(test, then) => {
                let other = self.values.pop()?;
                let height = test.1.max(then.1).max(other.1) + 1;
                return self.push(Expr::Cond(Box::new([test.0, then.0, other.0])), height);
            }
            Open::CondTest | Open::CondThen(_) | Open::WhileTest => return None,
        });
        Some(())
    }
}
