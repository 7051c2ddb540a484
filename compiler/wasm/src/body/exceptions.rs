//! Exceptions: thrown, passed on, caught.
//!
//! What is thrown goes to the module's global for it, and control goes to the nearest construct that catches, else out of
//! the function, with results that nobody looks at. A construct that catches is two blocks:
//!
//! ```text
//! block                    // its end, where branches to it go
//!   block                  // where it lands what is thrown in its body
//!     ..
//!     break 1
//!   end
//!   e = pending            // and then clause by clause
//!   if.as(tag, t) .. pending = null ..
//!   ..                     // what no clause takes goes on
//! end
//! ```
//!
//! The clauses of `try_table` are branches; those of the older `try` have bodies, which stand there.

use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::{LocalId, Type, limits};
use wasmparser::{Catch, Operator};

use super::control::{Frame, Kind};
use super::stack::{Effect, Keep, Leaf};
use super::{Translator, vectors};
use crate::error::Result;
use crate::link::Tag;

/// An open construct that catches.
pub(super) struct Handler {
    /// The place of its frame.
    frame: usize,
    /// Whether what is thrown here comes to it; not in its own clauses.
    guards: bool,
    /// Whether anything comes to it.
    used: bool,
    /// Clauses that are branches.
    catches: Vec<Catch>,
    /// Whether the clause whose body is open is only for some exceptions.
    conditional: bool,
    /// Past how many constructs around it goes what no clause takes.
    past: usize,
}

/// Appends the zero or null of a type.
pub(super) fn zero(code: &mut Writer, ty: Type) {
    match ty {
        Type::I64 => code.push(Instr::I64Const(0)),
        Type::F32 => code.push(Instr::F32Const(0)),
        Type::F64 => code.push(Instr::F64Const(0)),
        Type::V128 => vectors::constant(code, 0),
        ty => match ty.nullable() {
            Some(ty) => code.push(Instr::Null(ty)),
            None => code.push(Instr::I32Const(0)),
        },
    }
}

impl Translator<'_, '_, '_> {
    /// Exceptions; `false` if it is another operator.
    pub(super) fn exception_operator(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match operator {
            Operator::Throw { tag_index } => self.throw(*tag_index)?,
            Operator::ThrowRef => self.throw_ref()?,
            Operator::TryTable { try_table } if try_table.catches.is_empty() => self.open(Kind::Block, try_table.ty)?,
            Operator::TryTable { try_table } => self.open_try(try_table.ty, try_table.catches.clone())?,
            Operator::Try { blockty } => self.open_try(*blockty, Vec::new())?,
            Operator::Catch { tag_index } => self.open_clause(Some(*tag_index))?,
            Operator::CatchAll => self.open_clause(None)?,
            Operator::Rethrow { relative_depth } => self.rethrow(*relative_depth)?,
            Operator::Delegate { relative_depth } => {
                if let Some(handler) = self.handlers.last_mut() {
                    handler.past = *relative_depth as usize;
                }
                self.close()?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tag(&self, index: u32) -> Result<Tag> {
        self.unit.tag(index).ok_or_else(|| self.internal("a tag index"))
    }

    fn throw(&mut self, tag: u32) -> Result {
        let tag = self.tag(tag)?;
        let fields = self.build.tag_fields(tag);
        self.fit_all(0, &fields)?;
        self.tree(Instr::StructNew(tag.id), fields.len(), Type::Ref(tag.id), Effect::Reads)?;
        self.throw_top()
    }

    fn throw_ref(&mut self) -> Result {
        if self.top()?.ty != Type::Any {
            self.tree(Instr::As(Type::Any), 1, Type::Any, Effect::Reads)?;
        }
        self.throw_top()
    }

    /// Throws the reference on top, which is an exception.
    fn throw_top(&mut self) -> Result {
        self.begin(1, Keep::ALL)?;
        if self.build.types.throws {
            let pending = self.build.pending();
            self.emit(Instr::GlobalSet(pending));
            self.go_on(self.frames.len());
        } else {
            // There are no tags, so there was no exception.
            self.code.set(&[None]);
            let why = self.build.string("unreachable");
            self.emit(Instr::Trap(why));
        }
        self.unreached();
        Ok(())
    }

    /// What is pending goes to the nearest construct that catches, of the outermost `frames` ones, else out of the
    /// function.
    fn go_on(&mut self, frames: usize) {
        let handler = self.handlers.iter_mut().rev().find(|handler| handler.guards && handler.frame < frames);
        if let Some(handler) = handler {
            handler.used = true;
            let landing = self.frames.get(handler.frame).map_or(0, |frame| frame.target + 1);
            let depth = (self.blocks - 1).saturating_sub(landing) as u32;
            return self.emit(Instr::Break(depth));
        }
        let results = self.frames.first().map_or(0, |function| function.results);
        for ty in self.kinds.get(..results).unwrap_or_default() {
            zero(&mut self.code, *ty);
        }
        self.emit(Instr::Return);
    }

    /// After a call that may throw: if it has, goes on.
    pub(super) fn pass_on(&mut self) {
        let pending = self.build.pending();
        self.emit(Instr::GlobalGet(pending));
        self.emit(Instr::Null(Type::OptAny));
        self.emit(Instr::RefNe);
        self.emit(Instr::If);
        self.go_on(self.frames.len());
        self.emit(Instr::End);
    }

    fn open_try(&mut self, ty: wasmparser::BlockType, catches: Vec<Catch>) -> Result {
        let frame = self.frames.len();
        self.open(Kind::Try, ty)?;
        self.handlers.push(Handler { frame, guards: true, used: false, catches, conditional: false, past: 0 });
        Ok(())
    }

    /// The local of the exception that a construct has caught.
    fn exception(&mut self, handler: usize) -> LocalId {
        while self.exceptions.len() <= handler {
            let local = self.new_local(Type::OptAny);
            self.exceptions.push(local);
        }
        self.exceptions.get(handler).copied().unwrap_or_default()
    }

    /// The end of a body whose exceptions are caught. If there are any, what is emitted next handles them.
    fn close_body(&mut self, reached: bool) -> Result<bool> {
        let handler = self.handlers.last_mut();
        let Some(handler) = handler else { return Err(self.internal("a clause")) };
        handler.guards = false;
        let used = handler.used;
        if used && reached {
            self.emit(Instr::Break(1));
        }
        self.emit(Instr::End);
        self.blocks -= 1;
        if used {
            let (pending, exception) = (self.build.pending(), self.exception(self.handlers.len() - 1));
            self.emit(Instr::GlobalGet(pending));
            self.code.set_one(exception);
        }
        Ok(used)
    }

    /// Closes a construct that catches, whose clauses are branches if there are any.
    pub(super) fn close_try(&mut self, frame: Frame, reached: bool) -> Result {
        if self.close_body(reached)?
            && let Some(handler) = self.handlers.last_mut()
        {
            let (catches, past) = (core::mem::take(&mut handler.catches), handler.past);
            if !self.clauses(frame, &catches)? {
                self.go_on((self.frames.len() - 1).saturating_sub(past));
            }
        }
        self.handlers.pop();
        self.emit(Instr::End);
        Ok(())
    }

    /// Clauses that are branches; whether one of them takes everything.
    fn clauses(&mut self, frame: Frame, catches: &[Catch]) -> Result<bool> {
        for catch in catches {
            if self.code.bytes.len() > limits::BODY_BYTES {
                return Err(self.unsupported("a function as large as this one", "split it"));
            }
            match *catch {
                Catch::One { tag, label } => self.clause(frame, tag, label, false)?,
                Catch::OneRef { tag, label } => self.clause(frame, tag, label, true)?,
                Catch::All { label } => {
                    self.take(label, None, false)?;
                    return Ok(true);
                }
                Catch::AllRef { label } => {
                    self.take(label, None, true)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn clause(&mut self, frame: Frame, tag: u32, label: u32, reference: bool) -> Result {
        let (tag, local) = self.test(frame, tag)?;
        self.take(label, Some((tag, local)), reference)?;
        self.emit(Instr::End);
        Ok(())
    }

    /// Opens the branch for a tag's exceptions.
    fn test(&mut self, frame: Frame, tag: u32) -> Result<(Tag, LocalId)> {
        let tag = self.tag(tag)?;
        let exception = self.exception(self.handlers.len() - 1);
        let local = self.temp(frame.height, Type::Ref(tag.id));
        self.emit(Instr::Get(exception));
        self.emit(Instr::IfAs(Type::Ref(tag.id), local));
        Ok((tag, local))
    }

    fn forget_pending(&mut self) {
        let pending = self.build.pending();
        self.emit(Instr::Null(Type::OptAny));
        self.emit(Instr::GlobalSet(pending));
    }

    /// Takes what is pending to a label around the construct.
    fn take(&mut self, label: u32, carried: Option<(Tag, LocalId)>, reference: bool) -> Result {
        self.forget_pending();
        if let Some((tag, local)) = carried {
            let (kinds, _) = self.label(self.frame(label + 1)?);
            for (ty, at) in self.build.tag_fields(tag).into_iter().zip(0..) {
                self.emit(Instr::Get(local));
                self.emit(Instr::FieldGet(tag.id, il::FieldId(at)));
                self.emit_fitting(ty, kinds + at as usize);
            }
        }
        match carried {
            Some((_, local)) if reference => self.emit(Instr::Get(local)),
            None if reference => {
                let exception = self.exception(self.handlers.len() - 1);
                self.emit(Instr::Get(exception));
                self.emit(Instr::As(Type::Any));
            }
            _ => {}
        }
        self.leave_with(label + 1)
    }

    /// Begins a clause with a body: for a tag's exceptions, or all.
    fn open_clause(&mut self, tag: Option<u32>) -> Result {
        let frame = self.frame(0)?;
        self.close_branch(frame)?;
        let reached = self.dead.is_none();
        let used = match frame.kind {
            Kind::Catch => self.close_clause(reached)?,
            _ => self.close_body(reached)?,
        };
        self.forget_assignments(frame.assignments);
        if let Some(top) = self.frames.last_mut() {
            top.kind = Kind::Catch;
            top.left |= reached;
        }
        self.entries.truncate(frame.height);
        self.floor = frame.height;
        if !used {
            self.dead = Some(0);
            return Ok(());
        }
        self.dead = None;
        if let Some(handler) = self.handlers.last_mut() {
            handler.conditional = tag.is_some();
        }
        match tag {
            Some(tag) => {
                let (tag, local) = self.test(frame, tag)?;
                self.forget_pending();
                self.push_fields(frame, tag, local);
            }
            None => self.forget_pending(),
        }
        Ok(())
    }

    fn push_fields(&mut self, frame: Frame, tag: Tag, local: LocalId) {
        let fields = self.build.tag_fields(tag);
        for (at, ty) in fields.iter().enumerate() {
            self.emit(Instr::Get(local));
            self.emit(Instr::FieldGet(tag.id, il::FieldId(at as u32)));
            let temp = self.temp(frame.height + at, *ty);
            self.code.set_one(temp);
        }
        for (at, ty) in fields.iter().enumerate() {
            let temp = self.temp(frame.height + at, *ty);
            self.push_leaf(Leaf::Local(temp), *ty);
        }
    }

    /// The end of a clause's body; whether any exception comes to the construct.
    fn close_clause(&mut self, reached: bool) -> Result<bool> {
        let Some(handler) = self.handlers.last_mut() else { return Err(self.internal("a clause")) };
        let (used, conditional) = (handler.used, handler.conditional);
        if used && conditional {
            if reached {
                self.emit(Instr::Break(0));
            }
            self.emit(Instr::End);
        }
        Ok(used)
    }

    /// Closes a construct whose last clause has a body. Whether control comes to its end, if that is by no branch.
    pub(super) fn close_catch(&mut self, reached: bool) -> Result {
        if self.close_clause(reached)?
            && let Some(handler) = self.handlers.last()
            && handler.conditional
        {
            self.go_on((self.frames.len() - 1).saturating_sub(handler.past));
        }
        self.handlers.pop();
        self.emit(Instr::End);
        Ok(())
    }

    /// Throws again what a construct around this place has caught.
    fn rethrow(&mut self, depth: u32) -> Result {
        let frame = self.frames.len().checked_sub(depth as usize + 1);
        let handler = self.handlers.iter().position(|handler| Some(handler.frame) == frame);
        let handler = handler.ok_or_else(|| self.internal("a label"))?;
        let exception = self.exception(handler);
        self.push_leaf(Leaf::Local(exception), Type::OptAny);
        self.throw_top()
    }
}
