//! A body as a tree of statements and expressions.
//!
//! Total: a body that is not well-formed, or is deeper than anybody would read, gives `None`, and
//! the page shows its instructions instead.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::instr::{ArmValues, Dests, Instr, Reader};
use crate::isa::Instruction;
use crate::op::{Immediate, Op};
use crate::{Func, FuncId, IsaId, LocalId, Module, ProgramId, StrId, Type, TypeDef, TypeId, UseId};

/// Deeper trees are not shown as text; it also bounds the printer's recursion.
const DEEPEST: usize = 256;

/// An expression.
#[derive(Debug)]
pub(super) enum Expr {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    Bool(bool),
    Str(StrId),
    Null(Type),
    /// A local's value, a borrow or a move: text writes them alike.
    Local(LocalId),
    Op(Op, Immediate, Vec<Expr>),
    /// Any other instruction without destinations, after its operands.
    Node(Instr<'static>, Vec<Expr>),
    Call(Call),
    /// Condition, value if true, value if false.
    Cond(Type, Box<[Expr; 3]>),
}

/// A call of something; references and capabilities are the first of its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub callee: Callee,
    pub tries: bool,
    pub args: Vec<Expr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Callee {
    Func(FuncId),
    Ref(TypeId),
    Send(UseId, u8),
    SendTo(TypeId, u8),
    /// Of the set that the program runs on.
    Own(IsaId, u8),
    Run(UseId, ProgramId),
    RunSend(UseId, ProgramId),
}

/// What gives any number of values at a statement's root.
#[derive(Debug)]
pub(super) enum Source {
    Value(Expr),
    Call(Call),
}

pub(super) type Block = Vec<Stmt>;

/// A statement.
#[derive(Debug)]
pub(super) enum Stmt {
    Assign(Vec<Option<LocalId>>, Source),
    /// A `set` of several values at once, which text cannot write.
    AssignMany(Vec<Option<LocalId>>, Vec<Expr>),
    /// An instruction without a result or destinations (`global.set`, `field.set`, `flush`, ..), after its operands.
    Do(Instr<'static>, Vec<Expr>),
    Op(Op, Immediate, Vec<Expr>),
    Return(Vec<Expr>),
    ReturnCall(Call),
    Trap(StrId),
    Assert(Expr, StrId),
    If(Expr, Block, Option<Block>),
    /// Subject, what it is tested for, what it is bound to.
    IfLet(Expr, Type, LocalId, Block, Option<Block>),
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
    IfLet(Expr, Type, LocalId),
    LetElse(Expr, Type, LocalId, Block),
    CondTest(Type),
    CondThen(Type, Tall),
    CondElse(Type, Tall, Tall),
    Loop,
    WhileTest,
    While(Expr),
    For(LocalId, Expr, Expr),
    Switch(Expr, Vec<(Vec<i64>, Block)>),
    Arm(Expr, Vec<(Vec<i64>, Block)>, Vec<i64>),
    Default(Expr, Vec<(Vec<i64>, Block)>),
}

/// The tree of a function's body, if it has one. `own` is the set of a program.
pub(super) fn build(module: &Module, func: &Func, own: Option<IsaId>) -> Option<Block> {
    let builder = run(module, func, own, &func.body)?;
    builder.values.is_empty().then_some(builder.block)
}

/// The value that a global starts with, if it is one.
pub(super) fn initial(module: &Module, init: &[u8]) -> Option<Expr> {
    let nowhere = Func::default();
    let mut builder = run(module, &nowhere, None, init)?;
    let value = builder.pop()?;
    (builder.values.is_empty() && builder.block.is_empty()).then_some(value)
}

fn run<'m>(module: &'m Module, func: &'m Func, own: Option<IsaId>, code: &[u8]) -> Option<Builder<'m>> {
    let mut builder = Builder { module, func, own, values: Vec::new(), block: Vec::new(), opened: Vec::new() };
    let mut reader = Reader::new(code);
    while let Some(instr) = reader.next().ok()? {
        builder.instr(instr)?;
    }
    builder.opened.is_empty().then_some(builder)
}

struct Builder<'m> {
    module: &'m Module,
    func: &'m Func,
    own: Option<IsaId>,
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
            Instr::F32Const(bits) => self.leaf(Expr::F32(bits)),
            Instr::F64Const(bits) => self.leaf(Expr::F64(bits)),
            Instr::BoolConst(value) => self.leaf(Expr::Bool(value)),
            Instr::StrConst(id) => self.leaf(Expr::Str(id)),
            Instr::Null(ty) => self.leaf(Expr::Null(ty)),
            Instr::Get(id) | Instr::Take(id) => self.leaf(Expr::Local(id)),
            Instr::GlobalGet(id) => self.tree(0, Instr::GlobalGet(id))?,
            Instr::GlobalTake(id) => self.tree(0, Instr::GlobalTake(id))?,
            Instr::StructNew(id) => {
                let count = self.field_count(id)?;
                self.tree(count, Instr::StructNew(id))?;
            }
            Instr::FieldGet(id, field) => self.tree(1, Instr::FieldGet(id, field))?,
            Instr::FieldTake(id, field) => self.tree(1, Instr::FieldTake(id, field))?,
            Instr::ArrayNew(id) => self.tree(2, Instr::ArrayNew(id))?,
            Instr::ArrayOf(id, count) => self.tree(count as usize, Instr::ArrayOf(id, count))?,
            Instr::ArrayGet(id) => self.tree(2, Instr::ArrayGet(id))?,
            Instr::ArrayTake(id) => self.tree(2, Instr::ArrayTake(id))?,
            Instr::ArrayLen => self.tree(1, Instr::ArrayLen)?,
            Instr::RefEq => self.tree(2, Instr::RefEq)?,
            Instr::RefNe => self.tree(2, Instr::RefNe)?,
            Instr::Is(ty) => self.tree(1, Instr::Is(ty))?,
            Instr::As(ty) => self.tree(1, Instr::As(ty))?,
            Instr::Freeze => self.tree(1, Instr::Freeze)?,
            Instr::FuncRef(func, ty) => self.tree(0, Instr::FuncRef(func, ty))?,
            Instr::Cap(id, ty) => self.tree(0, Instr::Cap(id, ty))?,
            Instr::Attenuate(ty) => self.tree(1, Instr::Attenuate(ty))?,
            Instr::Caller => self.tree(0, Instr::Caller)?,
            Instr::Shuffle(lanes) => self.tree(2, Instr::Shuffle(lanes))?,
            Instr::Call(id) => self.call(Callee::Func(id), false)?,
            Instr::CallRef(ty) => self.call(Callee::Ref(ty), false)?,
            Instr::Send(id, opcode) => self.call(Callee::Send(id, opcode), false)?,
            Instr::Try(id, opcode) => self.call(Callee::Send(id, opcode), true)?,
            Instr::SendTo(ty, opcode) => self.call(Callee::SendTo(ty, opcode), false)?,
            Instr::TryTo(ty, opcode) => self.call(Callee::SendTo(ty, opcode), true)?,
            Instr::Own(opcode) => self.call(Callee::Own(self.own?, opcode), false)?,
            Instr::OwnTry(opcode) => self.call(Callee::Own(self.own?, opcode), true)?,
            Instr::Op(op, immediate) => self.operator(op, immediate)?,
            Instr::Set(dests) => self.set(dests)?,
            Instr::CallSet(id, dests) => self.call_set(Callee::Func(id), false, dests)?,
            Instr::CallRefSet(ty, dests) => self.call_set(Callee::Ref(ty), false, dests)?,
            Instr::SendSet(id, opcode, dests) => self.call_set(Callee::Send(id, opcode), false, dests)?,
            Instr::TrySet(id, opcode, dests) => self.call_set(Callee::Send(id, opcode), true, dests)?,
            Instr::SendToSet(ty, opcode, dests) => self.call_set(Callee::SendTo(ty, opcode), false, dests)?,
            Instr::TryToSet(ty, opcode, dests) => self.call_set(Callee::SendTo(ty, opcode), true, dests)?,
            Instr::OwnSet(opcode, dests) => self.call_set(Callee::Own(self.own?, opcode), false, dests)?,
            Instr::OwnTrySet(opcode, dests) => self.call_set(Callee::Own(self.own?, opcode), true, dests)?,
            Instr::RunSet(id, program, dests) => self.call_set(Callee::Run(id, program), false, dests)?,
            Instr::RunTrySet(id, program, dests) => self.call_set(Callee::Run(id, program), true, dests)?,
            Instr::RunSend(id, program) => {
                let call = self.made(Callee::RunSend(id, program), false)?.0;
                self.block.push(Stmt::Assign(Vec::new(), Source::Call(call)));
            }
            Instr::GlobalSet(id) => self.act(1, Instr::GlobalSet(id))?,
            Instr::FieldSet(id, field) => self.act(2, Instr::FieldSet(id, field))?,
            Instr::ArraySet(id) => self.act(3, Instr::ArraySet(id))?,
            Instr::Emit(number) => {
                let set = self.module.isas.get(self.module.provides.as_ref()?.isa.index())?;
                self.act(set.event(number)?.params.len(), Instr::Emit(number))?;
            }
            Instr::Fail => self.act(1, Instr::Fail)?,
            Instr::Wait => self.act(0, Instr::Wait)?,
            Instr::WaitForever => self.act(0, Instr::WaitForever)?,
            Instr::Flush(id) => self.act(0, Instr::Flush(id))?,
            Instr::FlushCap => self.act(1, Instr::FlushCap)?,
            Instr::Revoke => self.act(1, Instr::Revoke)?,
            Instr::Return => {
                let values = self.pop_all(self.func.sig.results.len())?.0;
                self.block.push(Stmt::Return(values));
            }
            Instr::ReturnCall(id) => {
                let call = self.made(Callee::Func(id), false)?.0;
                self.block.push(Stmt::ReturnCall(call));
            }
            Instr::ReturnCallRef(ty) => {
                let call = self.made(Callee::Ref(ty), false)?.0;
                self.block.push(Stmt::ReturnCall(call));
            }
            Instr::Trap(id) => self.block.push(Stmt::Trap(id)),
            Instr::Assert(id) => {
                let condition = self.pop()?;
                self.block.push(Stmt::Assert(condition, id));
            }
            Instr::Break(depth) => self.block.push(Stmt::Break(depth)),
            Instr::Continue(depth) => self.block.push(Stmt::Continue(depth)),
            Instr::Cond(ty) => self.open(Open::CondTest(ty))?,
            Instr::If => {
                let condition = self.pop()?;
                self.open(Open::If(condition))?;
            }
            Instr::IfAs(ty, local) => {
                let subject = self.pop()?;
                self.open(Open::IfLet(subject, ty, local))?;
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
        }
        Some(())
    }

    // Expressions

    fn leaf(&mut self, expr: Expr) {
        self.values.push((expr, 0));
    }

    fn tree(&mut self, count: usize, instr: Instr<'static>) -> Option<()> {
        let (args, height) = self.pop_all(count)?;
        self.push(Expr::Node(instr, args), height + 1)
    }

    /// A statement of an instruction that has no result.
    fn act(&mut self, count: usize, instr: Instr<'static>) -> Option<()> {
        let args = self.pop_all(count)?.0;
        self.block.push(Stmt::Do(instr, args));
        Some(())
    }

    /// A call from its arguments, and their height.
    fn made(&mut self, callee: Callee, tries: bool) -> Option<(Call, usize)> {
        let count = self.arity(callee)?;
        let (args, height) = self.pop_all(count)?;
        Some((Call { callee, tries, args }, height))
    }

    fn call(&mut self, callee: Callee, tries: bool) -> Option<()> {
        let (call, height) = self.made(callee, tries)?;
        self.push(Expr::Call(call), height + 1)
    }

    fn call_set(&mut self, callee: Callee, tries: bool, dests: Dests<'_>) -> Option<()> {
        let call = self.made(callee, tries)?.0;
        self.block.push(Stmt::Assign(dests.iter().collect(), Source::Call(call)));
        Some(())
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

    /// How many values a call takes from the stack.
    fn arity(&self, callee: Callee) -> Option<usize> {
        let module = self.module;
        let params = |func: FuncId| module.funcs.get(func.index()).map(|func| func.sig.params.len());
        match callee {
            Callee::Func(id) => params(id),
            Callee::Ref(ty) => match module.types.get(ty.index())? {
                TypeDef::Func(sig) => Some(sig.params.len() + 1),
                TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Cap(_) => None,
            },
            Callee::Run(_, program) | Callee::RunSend(_, program) => params(module.programs.get(program.index())?.func),
            Callee::SendTo(..) => instruction(module, callee).map(|one| one.params.len() + 1),
            Callee::Send(..) | Callee::Own(..) => instruction(module, callee).map(|one| one.params.len()),
        }
    }

    /// Fields of a struct, inherited ones included.
    fn field_count(&self, id: TypeId) -> Option<usize> {
        let (mut count, mut at) = (0, Some(id));
        for _ in 0..=crate::limits::STRUCT_DEPTH {
            let Some(id) = at else { return Some(count) };
            let TypeDef::Struct(def) = self.module.types.get(id.index())? else { return None };
            count += def.fields.len();
            at = def.parent;
        }
        None
    }

    fn operator(&mut self, op: Op, immediate: Immediate) -> Option<()> {
        let info = op.info();
        let (args, height) = self.pop_all(info.params.len())?;
        if info.result.is_some() {
            return self.push(Expr::Op(op, immediate, args), height + 1);
        }
        self.block.push(Stmt::Op(op, immediate, args));
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
            (Open::CondTest(ty), Instr::Test) => Open::CondThen(ty, self.values.pop()?),
            (Open::CondThen(ty, test), Instr::Else) => Open::CondElse(ty, test, self.values.pop()?),
            (Open::IfLet(subject, ty, local), Instr::Else) => {
                Open::LetElse(subject, ty, local, core::mem::take(&mut self.block))
            }
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
            Open::IfLet(subject, ty, local) => Stmt::IfLet(subject, ty, local, block, None),
            Open::LetElse(subject, ty, local, then) => Stmt::IfLet(subject, ty, local, then, Some(block)),
            Open::Loop => Stmt::Loop(block),
            Open::While(condition) => Stmt::While(condition, block),
            Open::For(local, from, to) => Stmt::For(local, from, to, block),
            Open::Switch(value, arms) => Stmt::Switch(value, arms, None),
            Open::Arm(value, mut arms, values) => {
                arms.push((values, block));
                Stmt::Switch(value, arms, None)
            }
            Open::Default(value, arms) => Stmt::Switch(value, arms, Some(block)),
            Open::CondElse(ty, test, then) => {
                let other = self.values.pop()?;
                let height = test.1.max(then.1).max(other.1) + 1;
                return self.push(Expr::Cond(ty, Box::new([test.0, then.0, other.0])), height);
            }
            Open::CondTest(_) | Open::CondThen(..) | Open::WhileTest => return None,
        });
        Some(())
    }
}

/// The device instruction that a call sends.
pub(super) fn instruction(module: &Module, callee: Callee) -> Option<&Instruction> {
    let (isa, opcode) = match callee {
        Callee::Send(id, opcode) => (module.uses.get(id.index())?.isa, opcode),
        Callee::SendTo(ty, opcode) => match module.types.get(ty.index())? {
            TypeDef::Cap(def) => (def.isa, opcode),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Func(_) => return None,
        },
        Callee::Own(isa, opcode) => (isa, opcode),
        Callee::Func(_) | Callee::Ref(_) | Callee::Run(..) | Callee::RunSend(..) => return None,
    };
    module.isas.get(isa.index())?.instruction(opcode)
}
