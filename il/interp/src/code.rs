//! Control (reference, chapter "Control"): where each construct's instructions lead.
//!
//! A body is decoded once into a list; what `if`, loops and `switch` jump to is found in the same pass.

use alloc::vec::Vec;

use il::instr::{Instr, Reader};

/// Where an instruction of a construct leads, by index in the list.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Jump {
    /// To the next one.
    Next,
    /// There, under the instruction's condition.
    To(usize),
    /// `for`: its counter's number, and what follows the loop.
    For { counter: usize, to: usize },
    /// The end of a `for`: its counter's number, and the loop's first statement.
    Repeat { counter: usize, to: usize },
    /// `switch`: each value's arm, and where all others go.
    Switch { arms: Vec<(i64, usize)>, others: usize },
}

/// One instruction of a body.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Step<'m> {
    pub instr: Instr<'m>,
    /// Byte offset in the body.
    pub offset: u32,
    pub jump: Jump,
}

/// A body, decoded.
#[derive(Clone, Default, Debug)]
pub(crate) struct Code<'m> {
    pub steps: Vec<Step<'m>>,
    /// How many `for`s it has.
    pub counters: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `if`, `if.as`, `cond`.
    Branch,
    /// `loop`, `while`.
    Loop,
    Block,
    For(usize),
    Switch,
}

/// An open construct.
struct Open {
    kind: Kind,
    /// The instruction that opened it.
    at: usize,
    /// What leads behind its end.
    leaving: Vec<usize>,
    /// What leads to its end.
    continuing: Vec<usize>,
    /// The `if` or `test` that leads to `else`, or else behind the end.
    condition: Option<usize>,
    arms: Vec<(i64, usize)>,
    default: Option<usize>,
}

impl<'m> Code<'m> {
    /// Of a verified body; `None` if it is not well-formed.
    pub fn new(body: &'m [u8]) -> Option<Code<'m>> {
        let mut code = Code::default();
        let mut open: Vec<Open> = Vec::new();
        let mut reader = Reader::new(body);
        loop {
            let (at, offset) = (code.steps.len(), reader.offset());
            let Some(instr) = reader.next().ok()? else { break };
            code.steps.push(Step { instr, offset, jump: Jump::Next });
            code.link(&mut open, at, instr)?;
        }
        open.is_empty().then_some(code)
    }

    fn link(&mut self, open: &mut Vec<Open>, at: usize, instr: Instr<'m>) -> Option<()> {
        match instr {
            Instr::If | Instr::IfAs(..) => {
                let condition = Some(at);
                open.push(Open { condition, ..Open::new(Kind::Branch, at) });
            }
            Instr::Cond(_) => open.push(Open::new(Kind::Branch, at)),
            Instr::Block => open.push(Open::new(Kind::Block, at)),
            Instr::Loop | Instr::While => open.push(Open::new(Kind::Loop, at)),
            Instr::For(_) => {
                open.push(Open::new(Kind::For(self.counters), at));
                self.counters += 1;
            }
            Instr::Switch => open.push(Open::new(Kind::Switch, at)),
            Instr::Test => {
                let inner = open.last_mut()?;
                match inner.kind {
                    Kind::Branch => inner.condition = Some(at),
                    Kind::Loop => inner.leaving.push(at),
                    Kind::For(_) | Kind::Switch | Kind::Block => return None,
                }
            }
            Instr::Else => {
                let inner = open.last_mut()?;
                let condition = inner.condition.take()?;
                inner.leaving.push(at);
                self.steps[condition].jump = Jump::To(at + 1);
            }
            Instr::Arm(values) => {
                let inner = open.last_mut()?;
                inner.leaving.push(at);
                inner.arms.extend(values.iter().map(|value| (value, at + 1)));
            }
            Instr::Default => {
                let inner = open.last_mut()?;
                inner.leaving.push(at);
                inner.default = Some(at + 1);
            }
            Instr::Break(depth) => enclosing(open, depth)?.leaving.push(at),
            Instr::Continue(depth) => enclosing(open, depth)?.continuing.push(at),
            Instr::End => self.close(open.pop()?, at),
            Instr::I32Const(_) | Instr::I64Const(_) | Instr::F32Const(_) | Instr::F64Const(_) => {}
            Instr::BoolConst(_) | Instr::StrConst(_) | Instr::Null(_) | Instr::Get(_) | Instr::Take(_) => {}
            Instr::GlobalGet(_) | Instr::GlobalTake(_) | Instr::GlobalSet(_) | Instr::Set(_) => {}
            Instr::StructNew(_) | Instr::FieldGet(..) | Instr::FieldTake(..) | Instr::FieldSet(..) => {}
            Instr::ArrayNew(_) | Instr::ArrayOf(..) | Instr::ArrayGet(_) | Instr::ArrayTake(_) => {}
            Instr::ArraySet(_) | Instr::ArrayLen | Instr::RefEq | Instr::RefNe | Instr::Is(_) | Instr::As(_) => {}
            Instr::Freeze | Instr::FuncRef(..) | Instr::Op(..) | Instr::Shuffle(_) | Instr::Caller => {}
            Instr::Select(_) | Instr::MemoryInit(..) | Instr::DataDrop(_) | Instr::Exit => {}
            Instr::Call(_) | Instr::CallSet(..) | Instr::CallRef(_) | Instr::CallRefSet(..) => {}
            Instr::Return | Instr::ReturnCall(_) | Instr::ReturnCallRef(_) | Instr::Trap(_) | Instr::Assert(_) => {}
            Instr::Cap(..) | Instr::Attenuate(_) | Instr::Revoke | Instr::Emit(..) | Instr::Fail => {}
            Instr::Forward(..) | Instr::ForwardTo(..) | Instr::EmitTo(..) => {}
            Instr::Send(..) | Instr::SendSet(..) | Instr::Try(..) | Instr::TrySet(..) => {}
            Instr::SendTo(..) | Instr::SendToSet(..) | Instr::TryTo(..) | Instr::TryToSet(..) => {}
            Instr::Own(_) | Instr::OwnSet(..) | Instr::OwnTry(_) | Instr::OwnTrySet(..) => {}
            Instr::RunSet(..) | Instr::RunTrySet(..) | Instr::RunSend(..) => {}
            Instr::Wait | Instr::WaitForever | Instr::Flush(_) | Instr::FlushCap => {}
        }
        Some(())
    }

    fn close(&mut self, closed: Open, at: usize) {
        let behind = at + 1;
        for from in closed.leaving.into_iter().chain(closed.condition) {
            self.steps[from].jump = Jump::To(behind);
        }
        for from in closed.continuing {
            self.steps[from].jump = Jump::To(at);
        }
        match closed.kind {
            Kind::Branch | Kind::Block => {}
            Kind::Loop => self.steps[at].jump = Jump::To(closed.at + 1),
            Kind::For(counter) => {
                self.steps[closed.at].jump = Jump::For { counter, to: behind };
                self.steps[at].jump = Jump::Repeat { counter, to: closed.at + 1 };
            }
            Kind::Switch => {
                let others = closed.default.unwrap_or(behind);
                self.steps[closed.at].jump = Jump::Switch { arms: closed.arms, others };
            }
        }
    }
}

impl Open {
    fn new(kind: Kind, at: usize) -> Open {
        let (leaving, continuing, arms) = (Vec::new(), Vec::new(), Vec::new());
        Open { kind, at, leaving, continuing, condition: None, arms, default: None }
    }
}

/// The `depth`-th enclosing loop or block, 0 the innermost.
fn enclosing(open: &mut [Open], depth: u32) -> Option<&mut Open> {
    let counts = |kind: Kind| matches!(kind, Kind::Loop | Kind::For(_) | Kind::Block);
    open.iter_mut().rev().filter(|inner| counts(inner.kind)).nth(depth as usize)
}
