//! Constructs: how control flows, and what is available where it joins.

use super::body::Body;
use super::error::Violation;
use super::rule::{Result, ensure, refuse, some};
use super::state::Flow;
use super::tables::limit;
use crate::instr::{ArmValues, Instr};
use crate::{LocalId, Type, limits};

/// An open construct. Two states a construct suffice: one to start from again, one to join at
/// its end.
pub(super) struct Frame {
    kind: Kind,
    /// `if`, `cond`, `switch`: the state before the branches, until it is used up. Loops: the state
    /// at the head. Blocks: none.
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
    Block,
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
            Kind::If | Kind::Else | Kind::Block | Kind::Loop | Kind::While | Kind::For => false,
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
        let before_arms = matches!(self.frames.last(), Some(Frame { kind: Kind::Switch(_), .. }));
        ensure!(!before_arms, Violation::Misplaced("switch"));
        ensure!(self.flow.is_some() || matches!(instr, Instr::Else), Violation::AfterTerminator);
        Ok(())
    }

    /// Operands below this stand outside the innermost open tree.
    pub fn base(&self) -> usize {
        match self.frames.last() {
            Some(frame) => match frame.kind {
                Kind::CondTest(_) | Kind::CondThen(_) | Kind::CondElse(_) => frame.base,
                Kind::If | Kind::Else | Kind::Block | Kind::Loop | Kind::WhileTest | Kind::While | Kind::For => 0,
                Kind::Switch(_) | Kind::Arm(_) | Kind::Default => 0,
            },
            None => 0,
        }
    }

    fn open(&mut self, kind: Kind, exit: Flow, base: usize) -> Result {
        limit("nested constructs", self.frames.len() + 1, limits::NESTING)?;
        // Nothing comes back to where a block starts.
        let entry = if kind == Kind::Block { None } else { self.spare.copy(&self.flow) };
        self.frames.push(Frame { kind, entry, exit, base });
        Ok(())
    }

    // if, cond

    pub fn open_if(&mut self) -> Result {
        self.pop(Type::Bool)?;
        self.end_statement()?;
        self.open(Kind::If, None, 0)
    }

    /// The local is assigned in the first branch only, which is why the state before it is kept.
    pub fn open_if_as(&mut self, ty: Type, id: LocalId) -> Result {
        self.pop_castable(ty)?;
        self.end_statement()?;
        let local = self.local(id)?;
        self.fits(ty, local)?;
        self.open(Kind::If, None, 0)?;
        self.assign(id);
        Ok(())
    }

    pub fn open_cond(&mut self, ty: Type) -> Result {
        self.known(ty)?;
        ensure!(ty != Type::BufRef, Violation::TypeNotAllowed { place: "a conditional expression", ty });
        self.open(Kind::CondTest(ty), None, self.operands.len())
    }

    pub fn test(&mut self) -> Result {
        match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::CondTest(ty)) => {
                self.close_tree(Type::Bool)?;
                let flow = self.spare.copy(&self.flow);
                self.replace(Kind::CondThen(ty), |frame| core::mem::replace(&mut frame.entry, flow));
            }
            Some(Kind::WhileTest) => {
                self.pop(Type::Bool)?;
                ensure!(self.operands.is_empty(), Violation::LeftOver(self.operands.len()));
                let flow = self.spare.copy(&self.flow);
                self.replace(Kind::While, |frame| core::mem::replace(&mut frame.exit, flow));
                self.loops.push(self.frames.len() - 1);
            }
            _ => refuse!(Violation::Misplaced("test")),
        }
        Ok(())
    }

    /// Pops the one value of a `cond`'s part.
    #[cfg_attr(test, track_caller)]
    fn close_tree(&mut self, ty: Type) -> Result<u32> {
        let depth = self.pop(ty)?;
        let left = self.operands.len() - self.base();
        ensure!(left == 0, Violation::LeftOver(left));
        Ok(depth)
    }

    /// Changes the innermost construct; the state that falls out of the change is kept for reuse.
    fn replace(&mut self, kind: Kind, change: impl FnOnce(&mut Frame) -> Flow) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kind = kind;
            let unused = change(frame);
            self.spare.give(unused);
        }
    }

    pub fn open_else(&mut self) -> Result {
        let kind = match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::If) => {
                self.branch_ends()?;
                Kind::Else
            }
            Some(Kind::CondThen(ty)) => {
                self.close_tree(ty)?;
                Kind::CondElse(ty)
            }
            _ => refuse!(Violation::Misplaced("else")),
        };
        let mut flow = self.flow.take();
        self.replace(kind, |frame| {
            core::mem::swap(&mut flow, &mut frame.entry);
            core::mem::replace(&mut frame.exit, frame.entry.take())
        });
        self.flow = flow;
        Ok(())
    }

    // Blocks and loops

    pub fn open_block(&mut self) -> Result {
        self.end_statement()?;
        self.loops.push(self.frames.len());
        self.open(Kind::Block, None, 0)
    }

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
        ensure!(matches!(ty, Type::I32 | Type::I64), Violation::NotAnInteger(ty));
        self.pop(ty)?;
        self.pop(ty)?;
        self.end_statement()?;
        self.loops.push(self.frames.len());
        let exit = self.spare.copy(&self.flow);
        self.open(Kind::For, exit, 0)?;
        self.assign(local);
        Ok(())
    }

    /// Where the depth-th enclosing loop stands among the frames.
    #[cfg_attr(test, track_caller)]
    fn enclosing_loop(&self, depth: u32) -> Result<usize> {
        let loops = self.loops.len();
        let index = loops.checked_sub(1).and_then(|last| last.checked_sub(depth as usize));
        let frame = index.and_then(|index| self.loops.get(index)).copied();
        Ok(some!(frame, Violation::NoLoop { depth, loops }))
    }

    pub fn leave_loop(&mut self, depth: u32) -> Result {
        self.end_statement()?;
        let target = self.enclosing_loop(depth)?;
        let flow = self.flow.take();
        if let Some(frame) = self.frames.get_mut(target) {
            self.spare.join(&mut frame.exit, flow);
        }
        Ok(())
    }

    pub fn repeat_loop(&mut self, depth: u32) -> Result {
        let target = self.enclosing_loop(depth)?;
        let block = self.frames.get(target).is_some_and(|frame| frame.kind == Kind::Block);
        ensure!(!block, Violation::RepeatsBlock(depth));
        self.back_edge(target)?;
        self.terminate()
    }

    /// Whatever the head of a loop has, a back-edge must bring.
    #[cfg_attr(test, track_caller)]
    fn back_edge(&self, target: usize) -> Result {
        let head = self.frames.get(target).and_then(|frame| frame.entry.as_ref());
        if let (Some(head), Some(flow)) = (head, &self.flow) {
            let missing = head.first_missing_in(flow);
            ensure!(missing.is_none(), Violation::LoopMoves(missing.unwrap_or(LocalId(0))));
        }
        Ok(())
    }

    // switch

    pub fn open_switch(&mut self) -> Result {
        let ty = self.pop_any(Type::I32)?.ty;
        ensure!(matches!(ty, Type::I32 | Type::I64), Violation::NotAnInteger(ty));
        self.end_statement()?;
        self.open(Kind::Switch(ty), None, self.arms.len())?;
        let unused = self.flow.take();
        self.spare.give(unused);
        Ok(())
    }

    pub fn arm(&mut self, values: ArmValues<'_>) -> Result {
        let ty = match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::Switch(ty) | Kind::Arm(ty)) => ty,
            Some(Kind::Default) => refuse!(Violation::AfterDefault),
            _ => refuse!(Violation::Misplaced("arm")),
        };
        self.branch_ends()?;
        ensure!(!values.is_empty(), Violation::EmptyArm);
        for value in values.iter() {
            let fits = ty == Type::I64 || i32::try_from(value).is_ok();
            ensure!(fits, Violation::ArmOutOfRange(value));
            self.arms.push(value);
        }
        self.next_arm(Kind::Arm(ty));
        Ok(())
    }

    pub fn default(&mut self) -> Result {
        match self.frames.last().map(|frame| frame.kind) {
            Some(Kind::Switch(_) | Kind::Arm(_)) => {}
            Some(Kind::Default) => refuse!(Violation::AfterDefault),
            _ => refuse!(Violation::Misplaced("default")),
        }
        self.branch_ends()?;
        self.next_arm(Kind::Default);
        Ok(())
    }

    /// A branch of statements ends here.
    #[cfg_attr(test, track_caller)]
    fn branch_ends(&self) -> Result {
        ensure!(self.operands.is_empty(), Violation::LeftOver(self.operands.len()));
        Ok(())
    }

    fn next_arm(&mut self, kind: Kind) {
        let done = self.flow.take();
        if let Some(frame) = self.frames.last_mut() {
            frame.kind = kind;
            self.spare.join(&mut frame.exit, done);
            self.flow = self.spare.copy(&frame.entry);
        }
    }

    /// The switch's arm values must differ. They are sorted here, so an open switch costs no more
    /// than its values.
    fn close_arms(&mut self) -> Result {
        let base = self.frames.last().map_or(0, |frame| frame.base);
        let values = self.arms.get_mut(base..).unwrap_or_default();
        values.sort_unstable();
        let twin = values.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        ensure!(twin.is_none(), Violation::ArmTwice(twin.unwrap_or(0)));
        self.arms.truncate(base);
        Ok(())
    }

    // end

    pub fn end(&mut self) -> Result {
        let kind = some!(self.frames.last().map(|frame| frame.kind), Violation::Misplaced("end"));
        match kind {
            Kind::CondElse(ty) => {
                let depth = self.close_tree(ty)?;
                self.close();
                return self.push(ty, depth + 1);
            }
            Kind::CondTest(_) | Kind::CondThen(_) | Kind::WhileTest => refuse!(Violation::Unfinished),
            Kind::Loop | Kind::While | Kind::For => {
                self.branch_ends()?;
                self.back_edge(self.frames.len() - 1)?;
                self.loops.pop();
                // Only the exits that the frame has collected lead out of a loop.
                let unused = self.flow.take();
                self.spare.give(unused);
            }
            Kind::Block => {
                self.branch_ends()?;
                self.loops.pop();
            }
            // Without `else` there is an edge past the branch.
            Kind::If => {
                self.branch_ends()?;
                self.edge_past();
            }
            Kind::Else => self.branch_ends()?,
            // Without `default` there is an edge past all arms.
            Kind::Switch(_) | Kind::Arm(_) => {
                self.branch_ends()?;
                self.close_arms()?;
                self.edge_past();
            }
            Kind::Default => {
                self.branch_ends()?;
                self.close_arms()?;
            }
        }
        self.close();
        Ok(())
    }

    fn edge_past(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            let entry = frame.entry.take();
            self.spare.join(&mut frame.exit, entry);
        }
    }

    /// Takes the innermost construct away; control goes on where its exits join.
    fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            let last = self.flow.take();
            self.flow = frame.exit;
            self.spare.join(&mut self.flow, last);
            self.spare.give(frame.entry);
        }
    }
}
