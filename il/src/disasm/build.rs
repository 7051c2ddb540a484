//! From instructions to a tree.
//!
//! Total: a body that is not well-formed gives `None`, and the page shows its instructions instead. What text could
//! not hold because it nests too deeply is evaluated into locals of its own first, in the same order.

use alloc::vec::Vec;

use super::tree::{Block, Callee, Expr, Node, Stmt, Test};
use super::typing::Typing;
use crate::instr::{ArmValues, Dests, Instr, Reader};
use crate::op::{Immediate, Op};
use crate::{LocalId, Module, Type};

/// Deeper constructs are not shown as text, which does not hold them; it also bounds recursion. Conditions inside one
/// another may be flattened, so that some more than text's own limit come out less deep.
const DEEPEST: usize = 2 * crate::limits::SOURCE_NESTING;
/// Text does not hold taller trees.
const TALLEST: usize = crate::limits::SOURCE_NESTING;

/// A body as a tree.
pub(super) struct Built {
    pub block: Block,
    /// Height of its tallest expression.
    pub height: usize,
    /// How deeply its constructs nest.
    pub depth: usize,
}

/// The tree of a function's body, if it has one. Expressions taller than `tallest`, if that is given, are split.
/// New locals are added to `typing.func`.
pub(super) fn build(typing: &mut Typing<'_>, tallest: Option<usize>) -> Option<Built> {
    let body = typing.func.body.clone();
    let mut builder = Builder::new(typing, tallest);
    let mut reader = Reader::new(&body);
    while let Some(instr) = reader.next().ok()? {
        builder.instr(instr)?;
    }
    let done = builder.values.is_empty() && builder.opened.is_empty();
    done.then_some(Built { block: builder.block, height: builder.height, depth: builder.depth })
}

/// The one expression that a constant's code is, if it is one.
pub(super) fn tree(typing: &mut Typing<'_>) -> Option<Expr> {
    let body = typing.func.body.clone();
    let mut builder = Builder::new(typing, None);
    let mut reader = Reader::new(&body);
    while let Some(instr) = reader.next().ok()? {
        builder.instr(instr)?;
    }
    let alone = builder.values.len() == 1 && builder.block.is_empty() && builder.opened.is_empty();
    builder.pop().filter(|_| alone)
}

/// An expression and its height.
type Tall = (Expr, usize);

enum Open {
    If(Test),
    Else(Test, Block),
    CondTest(Type),
    CondThen(Type, Tall),
    /// Condition, and the value if true with what is to be done before.
    CondElse(Type, Tall, Block, Tall),
    Block,
    Loop,
    WhileTest,
    /// What is to be done before the condition, each time.
    While(Block, Expr),
    For(LocalId, Expr, Expr),
    Switch(Expr, Vec<(Vec<i64>, Block)>),
    Arm(Expr, Vec<(Vec<i64>, Block)>, Vec<i64>),
    Default(Expr, Vec<(Vec<i64>, Block)>),
}

struct Builder<'t, 'm> {
    typing: &'t mut Typing<'m>,
    tallest: usize,
    /// Whether taller expressions are split; else there is no text.
    splits: bool,
    values: Vec<Tall>,
    /// The statements so far of the innermost construct.
    block: Block,
    /// Constructs, each with the statements that precede it and how many values lay below it.
    opened: Vec<(Open, Block, usize)>,
    height: usize,
    depth: usize,
}

impl<'t, 'm> Builder<'t, 'm> {
    fn new(typing: &'t mut Typing<'m>, tallest: Option<usize>) -> Self {
        Builder {
            typing,
            tallest: tallest.unwrap_or(TALLEST),
            splits: tallest.is_some(),
            values: Vec::new(),
            block: Vec::new(),
            opened: Vec::new(),
            height: 0,
            depth: 0,
        }
    }

    fn module(&self) -> &Module {
        self.typing.module
    }

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
            Instr::GlobalGet(id) => self.leaf(Expr::Global(id)),
            Instr::GlobalTake(id) => self.leaf(Expr::GlobalTake(id)),
            Instr::FuncRef(id, ty) => self.leaf(Expr::FuncRef(id, ty)),
            Instr::Cap(id, ty) => self.leaf(Expr::Cap(id, ty)),
            Instr::Caller => self.leaf(Expr::Caller),
            Instr::Op(op, immediate) => self.operator(op, immediate)?,
            Instr::Shuffle(lanes) => self.node(2, Node::Shuffle(lanes))?,
            Instr::StructNew(ty) => {
                let count = self.typing.hierarchy.fields(ty).len();
                self.node(count, Node::StructNew(ty))?;
            }
            Instr::FieldGet(ty, field) => self.node(1, Node::FieldGet(ty, field))?,
            Instr::FieldTake(ty, field) => self.node(1, Node::FieldTake(ty, field))?,
            Instr::ArrayNew(ty) => self.node(2, Node::ArrayNew(ty))?,
            Instr::ArrayOf(ty, count) => self.node(count as usize, Node::ArrayOf(ty))?,
            Instr::ArrayGet(ty) => self.node(2, Node::ArrayGet(ty))?,
            Instr::ArrayTake(ty) => self.node(2, Node::ArrayTake(ty))?,
            Instr::ArrayLen => self.node(1, Node::ArrayLen)?,
            Instr::RefEq => self.node(2, Node::RefEq)?,
            Instr::RefNe => self.node(2, Node::RefNe)?,
            Instr::Is(ty) => self.node(1, Node::Is(ty))?,
            Instr::As(ty) => self.node(1, Node::As(ty))?,
            Instr::Freeze => self.node(1, Node::Freeze)?,
            Instr::Attenuate(ty) => self.node(1, Node::Attenuate(ty))?,
            Instr::Call(id) => self.node_call(Callee::Func(id))?,
            Instr::CallRef(ty) => self.node_call(Callee::Ref(ty))?,
            Instr::Send(id, opcode) => self.node_call(Callee::Send(id, opcode))?,
            Instr::SendTo(ty, opcode) => self.node_call(Callee::SendTo(ty, opcode))?,
            Instr::Own(opcode) => self.node_call(Callee::Own(opcode))?,
            Instr::Try(id, opcode) => self.node_try(Callee::Send(id, opcode))?,
            Instr::TryTo(ty, opcode) => self.node_try(Callee::SendTo(ty, opcode))?,
            Instr::OwnTry(opcode) => self.node_try(Callee::Own(opcode))?,
            Instr::CallSet(id, dests) => self.call(Callee::Func(id), Node::Call, dests)?,
            Instr::CallRefSet(ty, dests) => self.call(Callee::Ref(ty), Node::Call, dests)?,
            Instr::SendSet(id, opcode, dests) => self.call(Callee::Send(id, opcode), Node::Call, dests)?,
            Instr::SendToSet(ty, opcode, dests) => self.call(Callee::SendTo(ty, opcode), Node::Call, dests)?,
            Instr::OwnSet(opcode, dests) => self.call(Callee::Own(opcode), Node::Call, dests)?,
            Instr::RunSet(id, program, dests) => self.call(Callee::Run(id, program), Node::Call, dests)?,
            Instr::TrySet(id, opcode, dests) => self.call(Callee::Send(id, opcode), Node::Try, dests)?,
            Instr::TryToSet(ty, opcode, dests) => self.call(Callee::SendTo(ty, opcode), Node::Try, dests)?,
            Instr::OwnTrySet(opcode, dests) => self.call(Callee::Own(opcode), Node::Try, dests)?,
            Instr::RunTrySet(id, program, dests) => self.call(Callee::Run(id, program), Node::Try, dests)?,
            Instr::RunSend(id, program) => {
                let callee = Callee::RunSend(id, program);
                let args = self.args(callee)?;
                self.block.push(Stmt::Assign(Vec::new(), Expr::Node(Node::Call(callee), args)));
            }
            Instr::ReturnCall(id) => self.tail(Callee::Func(id))?,
            Instr::ReturnCallRef(ty) => self.tail(Callee::Ref(ty))?,
            Instr::Forward(id, opcode) => self.tail(Callee::Send(id, opcode))?,
            Instr::ForwardTo(ty, opcode) => self.tail(Callee::SendTo(ty, opcode))?,
            Instr::Set(dests) => self.set(dests)?,
            Instr::GlobalSet(id) => {
                let value = self.pop()?;
                self.block.push(Stmt::SetGlobal(id, value));
            }
            Instr::FieldSet(ty, field) => {
                let parts = self.take(2)?.try_into().ok()?;
                self.block.push(Stmt::SetField(ty, field, parts));
            }
            Instr::ArraySet(ty) => {
                let parts = self.take(3)?.try_into().ok()?;
                self.block.push(Stmt::SetElement(ty, parts));
            }
            Instr::Emit(provided, number) => {
                let args = self.take(self.module().provided(provided)?.event(number)?.params.len())?;
                self.block.push(Stmt::Emit(provided, number, args));
            }
            Instr::EmitTo(provided, number) => {
                let args = self.take(self.module().provided(provided)?.event(number)?.params.len() + 1)?;
                self.block.push(Stmt::EmitTo(provided, number, args));
            }
            Instr::Fail => {
                let status = self.pop()?;
                self.block.push(Stmt::Fail(status));
            }
            Instr::Return => {
                let values = self.take(self.typing.func.sig.results.len())?;
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
            Instr::FlushCap => {
                let capability = self.pop()?;
                self.block.push(Stmt::FlushCap(capability));
            }
            Instr::Revoke => {
                let capability = self.pop()?;
                self.block.push(Stmt::Revoke(capability));
            }
            Instr::Break(depth) => self.block.push(Stmt::Break(depth)),
            Instr::Select(ty) => self.node(3, Node::Select(ty))?,
            Instr::MemoryInit(data, memory) => {
                let parts = self.take(3)?.try_into().ok()?;
                self.block.push(Stmt::MemoryInit(data, memory, parts));
            }
            Instr::DataDrop(data) => self.block.push(Stmt::DataDrop(data)),
            Instr::Exit => {
                let code = self.pop()?;
                self.block.push(Stmt::Exit(code));
            }
            Instr::Block => self.open(Open::Block)?,
            Instr::Continue(depth) => self.block.push(Stmt::Continue(depth)),
            Instr::Cond(ty) => self.open(Open::CondTest(ty))?,
            Instr::If => {
                let condition = self.pop()?;
                self.open(Open::If(Test::Is(condition)))?;
            }
            Instr::IfAs(ty, local) => {
                let subject = self.pop()?;
                self.open(Open::If(Test::Binds(ty, local, subject)))?;
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
            Instr::Test => self.test()?,
            Instr::Else => self.otherwise()?,
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

    fn node(&mut self, count: usize, node: Node) -> Option<()> {
        let (args, height) = self.take_tall(count)?;
        self.push(Expr::Node(node, args), height + 1)
    }

    fn push(&mut self, expr: Expr, height: usize) -> Option<()> {
        self.height = self.height.max(height);
        self.values.push((expr, height));
        if height < self.tallest {
            return Some(());
        }
        if self.splits {
            return self.spill(0);
        }
        None
    }

    /// Evaluates what lies on the stack, from `from` up, into locals of its own.
    fn spill(&mut self, from: usize) -> Option<()> {
        // Inside a `cond`, what lies below it is not evaluated again.
        let base = self.opened.iter().rev().find(|(open, ..)| matches!(open, Open::CondThen(..) | Open::CondElse(..)));
        let from = base.map_or(from, |(_, _, below)| from.max(*below));
        for at in from..self.values.len() {
            let (value, _) = self.values.get(at)?;
            if value.is_stable() {
                continue;
            }
            let ty = self.typing.ty(value)?;
            let local = self.typing.new_local(ty);
            let (value, _) = core::mem::replace(self.values.get_mut(at)?, (Expr::Local(local), 0));
            self.block.push(Stmt::Assign(alloc::vec![Some(local)], value));
        }
        Some(())
    }

    fn pop(&mut self) -> Option<Expr> {
        self.values.pop().map(|(value, _)| value)
    }

    fn take(&mut self, count: usize) -> Option<Vec<Expr>> {
        self.take_tall(count).map(|(values, _)| values)
    }

    fn take_tall(&mut self, count: usize) -> Option<(Vec<Expr>, usize)> {
        let from = self.values.len().checked_sub(count)?;
        let values = self.values.split_off(from);
        let height = values.iter().map(|(_, height)| *height).max().unwrap_or(0);
        Some((values.into_iter().map(|(value, _)| value).collect(), height))
    }

    /// How many operands a call takes, a reference or capability included.
    fn arity(&self, callee: Callee) -> Option<usize> {
        let (params, _) = self.typing.signature(callee)?;
        let applied = matches!(callee, Callee::Ref(_) | Callee::SendTo(..));
        Some(params.len() + usize::from(applied))
    }

    fn args(&mut self, callee: Callee) -> Option<Vec<Expr>> {
        self.take(self.arity(callee)?)
    }

    fn node_call(&mut self, callee: Callee) -> Option<()> {
        self.node(self.arity(callee)?, Node::Call(callee))
    }

    fn node_try(&mut self, callee: Callee) -> Option<()> {
        self.node(self.arity(callee)?, Node::Try(callee))
    }

    /// A call at a statement's root.
    fn call(&mut self, callee: Callee, node: impl FnOnce(Callee) -> Node, dests: Dests<'_>) -> Option<()> {
        let args = self.args(callee)?;
        self.block.push(Stmt::Assign(dests.iter().collect(), Expr::Node(node(callee), args)));
        Some(())
    }

    fn tail(&mut self, callee: Callee) -> Option<()> {
        let args = self.args(callee)?;
        self.block.push(Stmt::Tail(callee, args));
        Some(())
    }

    fn set(&mut self, dests: Dests<'_>) -> Option<()> {
        let values = self.take(dests.len())?;
        let dests: Vec<_> = dests.iter().collect();
        self.block.push(match <[Expr; 1]>::try_from(values) {
            Ok([only]) => Stmt::Assign(dests, only),
            Err(values) => Stmt::AssignMany(dests, values),
        });
        Some(())
    }

    fn operator(&mut self, op: Op, immediate: Immediate) -> Option<()> {
        let info = op.info();
        if info.result.is_some() {
            return self.node(info.params.len(), Node::Op(op, immediate));
        }
        let args = self.take(info.params.len())?;
        self.block.push(Stmt::Op(op, immediate, args));
        Some(())
    }

    // Constructs

    fn open(&mut self, open: Open) -> Option<()> {
        if self.opened.len() >= DEEPEST {
            return None;
        }
        // A condition is evaluated where it stands: what has to be done before it is done before all of it.
        let block = match open {
            Open::CondTest(_) => Vec::new(),
            _ => core::mem::take(&mut self.block),
        };
        self.opened.push((open, block, self.values.len()));
        self.depth = self.depth.max(self.opened.len());
        Some(())
    }

    /// Ends the condition of a `cond` or `while`.
    fn test(&mut self) -> Option<()> {
        let (open, before, below) = self.opened.pop()?;
        let condition = self.values.pop()?;
        let inside = core::mem::take(&mut self.block);
        let (open, before) = match open {
            Open::CondTest(ty) => (Open::CondThen(ty, condition), inside),
            Open::WhileTest => (Open::While(inside, condition.0), before),
            _ => return None,
        };
        self.opened.push((open, before, below));
        Some(())
    }

    fn otherwise(&mut self) -> Option<()> {
        let (open, before, below) = self.opened.pop()?;
        let inside = core::mem::take(&mut self.block);
        let open = match open {
            Open::CondThen(ty, test) => Open::CondElse(ty, test, inside, self.values.pop()?),
            Open::If(test) => Open::Else(test, inside),
            _ => return None,
        };
        self.opened.push((open, before, below));
        Some(())
    }

    /// Opens an arm, or without values the default.
    fn arm(&mut self, values: Option<ArmValues<'_>>) -> Option<()> {
        let (open, before, below) = self.opened.pop()?;
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
        self.opened.push((open, before, below));
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        let (open, before, _) = self.opened.pop()?;
        let block = core::mem::replace(&mut self.block, before);
        self.block.push(match open {
            Open::If(test) => Stmt::If(test, block, None),
            Open::Else(test, then) => Stmt::If(test, then, Some(block)),
            Open::Block => Stmt::Block(block),
            Open::Loop => Stmt::Loop(block),
            Open::While(first, condition) if first.is_empty() => Stmt::While(condition, block),
            Open::While(mut first, condition) => {
                let done = Expr::Node(Node::Op(Op::BoolNot, Immediate::default()), alloc::vec![condition]);
                first.push(Stmt::If(Test::Is(done), alloc::vec![Stmt::Break(0)], None));
                first.extend(block);
                Stmt::Loop(first)
            }
            Open::For(local, from, to) => Stmt::For(local, from, to, block),
            Open::Switch(value, arms) => Stmt::Switch(value, arms, None),
            Open::Arm(value, mut arms, values) => {
                arms.push((values, block));
                Stmt::Switch(value, arms, None)
            }
            Open::Default(value, arms) => Stmt::Switch(value, arms, Some(block)),
            Open::CondElse(ty, test, then, value) => return self.end_cond(ty, test, (then, value), block),
            Open::CondTest(_) | Open::CondThen(..) | Open::WhileTest => return None,
        });
        Some(())
    }

    /// A `cond` whose branches are trees stays one; else it becomes an `if`.
    fn end_cond(&mut self, ty: Type, test: Tall, yes: (Block, Tall), otherwise: Block) -> Option<()> {
        let no = self.values.pop()?;
        let (mut then, mut otherwise, yes) = (yes.0, otherwise, yes.1);
        if then.is_empty() && otherwise.is_empty() {
            // Text takes several levels for it.
            let height = test.1.max(yes.1).max(no.1) + 3;
            return self.push(Expr::Node(Node::Cond(ty), alloc::vec![test.0, yes.0, no.0]), height);
        }
        self.spill(0)?;
        let local = self.typing.new_local(ty);
        then.push(Stmt::Assign(alloc::vec![Some(local)], yes.0));
        otherwise.push(Stmt::Assign(alloc::vec![Some(local)], no.0));
        self.block.push(Stmt::If(Test::Is(test.0), then, Some(otherwise)));
        self.leaf(Expr::Local(local));
        Some(())
    }
}
