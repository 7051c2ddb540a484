//! Constructs: how control flows, and what is available where it joins.

use super::body::{Body, Result};
use super::error::Violation;
use super::state::{Flow, join};
use super::tables::limit;
use crate::instr::{ArmValues, Instr};
use crate::{LocalId, Type, limits};

/// An open construct. Two states a construct suffice: one to start from again, one to join at
/// its end.
pub(super) struct Frame {
    kind: Kind,
    /// `if`, `cond`, `switch`: the state before the branches, until it is used up. Loops: the state
    /// at the head.
    entry: Flow,
    /// What has reached the end so far.
    exit: Flow,
    /// `cond`: operands below it. `switch`: arm values of the switches around it.
    base: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    If,
    Else,
    CondTest(Type),
    CondThen(Type),
    CondElse(Type),
    Loop,
    WhileTest,
    While,
    For,
    /// Before the first arm.
    Switch(Type),
    Arm(Type),
    Default,
}

impl Frame {
    /// Whether an expression is being computed in it, so that no statement can stand in it.
    pub fn is_tree(&self) -> bool {
        match self.kind {
            Kind::CondTest(_) | Kind::CondThen(_) | Kind::CondElse(_) | Kind::WhileTest => true,
            Kind::If | Kind::Else | Kind::Loop | Kind::While | Kind::For => false,
            Kind::Switch(_) | Kind::Arm(_) | Kind::Default => false,
        }
    }
}

impl Body<'_> {
    /// Refuses what control cannot reach, and what stands between `switch` and its first arm.
    pub fn may_stand_here(&self, instr: &Instr<'_>) -> Result {
        if matches!(instr, Instr::Arm(_) | Instr::Default | Instr::End) {
            return Ok(());
        }
        if matches!(self.frames.last(), Some(Frame { kind: Kind::Switch(_), .. })) {
            return Err(Violation::Misplaced("switch"));
        }
        if self.flow.is_none() && *instr != Instr::Else {
            return Err(Violation::AfterTerminator);
        }
        Ok(())
    }

    /// Operands below this stand outside the innermost open tree.
    pub fn base(&self) -> usize {
        match self.frames.last() {
            Some(frame) => match frame.kind {
                Kind::CondTest(_) | Kind::CondThen(_) | Kind::CondElse(_) => frame.base,
                Kind::If | Kind::Else | Kind::Loop | Kind::WhileTest | Kind::While | Kind::For => 0,
                Kind::Switch(_) | Kind::Arm(_) | Kind::Default => 0,
            },
            None => 0,
        }
    }

    fn open(&mut self, kind: Kind, exit: Flow, base: usize) -> Result {
        limit("nested constructs", self.frames.len() + 1, limits::NESTING)?;
        self.frames.push(Frame { kind, entry: self.flow.clone(), exit, base });
        Ok(())
    }

    // if, cond

    pub fn open_if(&mut self) -> Result {
        self.pop(Type::Bool)?;
        self.end_statement()?;
        self.open(Kind::If, None, 0)
    }

    pub fn open_cond(&mut self, ty: Type) -> Result {
        if ty == Type::BufRef {
            return Err(Violation::TypeNotAllowed { place: "a conditional expression", ty });
        }
        self.open(Kind::CondTest(ty), None, self.operands.len())
    }

    pub fn test(&mut self) -> Result {
        match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::CondTest(ty)) => {
                self.close_tree(Type::Bool)?;
                let flow = self.flow.clone();
                self.replace(Kind::CondThen(ty), |frame| frame.entry = flow);
            }
            Some(Kind::WhileTest) => {
                self.pop(Type::Bool)?;
                if !self.operands.is_empty() {
                    return Err(Violation::LeftOver(self.operands.len()));
                }
                let flow = self.flow.clone();
                self.replace(Kind::While, |frame| frame.exit = flow);
                self.loops.push(self.frames.len() - 1);
            }
            _ => return Err(Violation::Misplaced("test")),
        }
        Ok(())
    }

    /// Pops the one value of a `cond`'s part.
    fn close_tree(&mut self, ty: Type) -> Result<usize> {
        let depth = self.pop(ty)?;
        match self.operands.len() - self.base() {
            0 => Ok(depth),
            count => Err(Violation::LeftOver(count)),
        }
    }

    fn replace(&mut self, kind: Kind, change: impl FnOnce(&mut Frame)) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kind = kind;
            change(frame);
        }
    }

    pub fn open_else(&mut self) -> Result {
        let kind = match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::If) => Kind::Else,
            Some(Kind::CondThen(ty)) => {
                self.close_tree(ty)?;
                Kind::CondElse(ty)
            }
            _ => return Err(Violation::Misplaced("else")),
        };
        let mut flow = self.flow.take();
        self.replace(kind, |frame| {
            core::mem::swap(&mut flow, &mut frame.entry);
            frame.exit = frame.entry.take();
        });
        self.flow = flow;
        Ok(())
    }

    // Loops

    pub fn open_loop(&mut self) -> Result {
        self.end_statement()?;
        self.loops.push(self.frames.len());
        self.open(Kind::Loop, None, 0)
    }

    pub fn open_while(&mut self) -> Result {
        self.end_statement()?;
        self.open(Kind::WhileTest, None, 0)
    }

    pub fn open_for(&mut self, local: LocalId) -> Result {
        let ty = self.local(local)?;
        if !matches!(ty, Type::I32 | Type::I64) {
            return Err(Violation::NotAnInteger(ty));
        }
        self.pop(ty)?;
        self.pop(ty)?;
        self.end_statement()?;
        self.loops.push(self.frames.len());
        self.open(Kind::For, self.flow.clone(), 0)?;
        self.assign(local);
        Ok(())
    }

    fn enclosing_loop(&mut self, depth: u32) -> Result<&mut Frame> {
        let loops = self.loops.len();
        let index = loops.checked_sub(1).and_then(|last| last.checked_sub(depth as usize));
        let frame = index.and_then(|index| self.loops.get(index)).copied();
        frame.and_then(|frame| self.frames.get_mut(frame)).ok_or(Violation::NoLoop { depth, loops })
    }

    pub fn leave_loop(&mut self, depth: u32) -> Result {
        self.end_statement()?;
        let flow = self.flow.take();
        join(&mut self.enclosing_loop(depth)?.exit, flow);
        Ok(())
    }

    pub fn repeat_loop(&mut self, depth: u32) -> Result {
        self.end_statement()?;
        let flow = self.flow.take();
        back_edge(self.enclosing_loop(depth)?, &flow)
    }

    // switch

    pub fn open_switch(&mut self) -> Result {
        let ty = self.pop_any(Type::I32)?.ty;
        if !matches!(ty, Type::I32 | Type::I64) {
            return Err(Violation::NotAnInteger(ty));
        }
        self.end_statement()?;
        self.open(Kind::Switch(ty), None, self.arms.len())?;
        self.flow = None;
        Ok(())
    }

    pub fn arm(&mut self, values: ArmValues<'_>) -> Result {
        let ty = match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::Switch(ty) | Kind::Arm(ty)) => ty,
            Some(Kind::Default) => return Err(Violation::AfterDefault),
            _ => return Err(Violation::Misplaced("arm")),
        };
        if values.is_empty() {
            return Err(Violation::EmptyArm);
        }
        for value in values.iter() {
            if ty == Type::I32 && i32::try_from(value).is_err() {
                return Err(Violation::ArmOutOfRange(value));
            }
            self.arms.push(value);
        }
        self.next_arm(Kind::Arm(ty))
    }

    pub fn default(&mut self) -> Result {
        match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::Switch(_) | Kind::Arm(_)) => self.next_arm(Kind::Default),
            Some(Kind::Default) => Err(Violation::AfterDefault),
            _ => Err(Violation::Misplaced("default")),
        }
    }

    fn next_arm(&mut self, kind: Kind) -> Result {
        let done = self.flow.take();
        let mut entry = None;
        self.replace(kind, |frame| {
            join(&mut frame.exit, done);
            entry = frame.entry.clone();
        });
        self.flow = entry;
        Ok(())
    }

    /// The switch's arm values must differ. They are sorted here, so an open switch costs no more
    /// than its values.
    fn close_arms(&mut self, base: usize) -> Result {
        let values = self.arms.get_mut(base..).unwrap_or_default();
        values.sort_unstable();
        let twin = values.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some(pair) = twin {
            return Err(Violation::ArmTwice(pair[0]));
        }
        self.arms.truncate(base);
        Ok(())
    }

    // end

    pub fn end(&mut self) -> Result {
        let kind = self.frames.last().map(|frame| frame.kind).ok_or(Violation::Misplaced("end"))?;
        if let Kind::CondElse(ty) = kind {
            let depth = self.close_tree(ty)?;
            self.close();
            return self.push(ty, depth + 1);
        }
        match kind {
            Kind::CondTest(_) | Kind::CondThen(_) | Kind::CondElse(_) | Kind::WhileTest => {
                return Err(Violation::Unfinished);
            }
            Kind::If | Kind::Else | Kind::Loop | Kind::While | Kind::For => {}
            Kind::Switch(_) | Kind::Arm(_) | Kind::Default => {}
        }
        if !self.operands.is_empty() {
            return Err(Violation::LeftOver(self.operands.len()));
        }
        match kind {
            Kind::Loop | Kind::While | Kind::For => {
                if let Some(frame) = self.frames.last() {
                    back_edge(frame, &self.flow)?;
                }
                self.loops.pop();
                // Only the exits that the frame has collected lead out of a loop.
                self.flow = None;
            }
            Kind::If | Kind::Switch(_) | Kind::Arm(_) => {
                // Without `else` or `default` there is an edge past all branches.
                self.replace(kind, |frame| join(&mut frame.exit, frame.entry.take()));
            }
            Kind::Else
            | Kind::Default
            | Kind::CondTest(_)
            | Kind::CondThen(_)
            | Kind::CondElse(_)
            | Kind::WhileTest => {}
        }
        if let (Kind::Switch(_) | Kind::Arm(_) | Kind::Default, Some(frame)) = (kind, self.frames.last()) {
            self.close_arms(frame.base)?;
        }
        self.close();
        Ok(())
    }

    /// Takes the innermost construct away; control goes on where its exits join.
    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            let last = self.flow.take();
            self.flow = frame.exit;
            join(&mut self.flow, last);
        }
    }
}

/// Whatever the head of a loop has, a back-edge must bring.
fn back_edge(frame: &Frame, flow: &Flow) -> Result {
    let (Some(head), Some(flow)) = (&frame.entry, flow) else { return Ok(()) };
    head.first_missing_in(flow).map_or(Ok(()), |local| Err(Violation::LoopMoves(local)))
}
