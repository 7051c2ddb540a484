//! Tags of exceptions, and which functions may throw.
//!
//! A tag is a struct whose fields are its parameters, an exception an instance of it. What is thrown waits in one global
//! while functions return, each without its results: after a call that may throw, the caller looks there. Which calls
//! may is found before any body is translated, over all units: a call by reference may if a function of its shape that
//! anything refers to may.

use alloc::vec::Vec;

use hashbrown::HashMap;
use il::instr::{Instr, Writer};
use il::{Func, FuncId, GlobalId, LocalId, Signature, Storage, StructDef, StructField, Type, TypeDef, TypeId, limits};
use wasmparser::{Catch, ConstExpr, ElementItems, FunctionBody, Operator, TableInit};

use super::{Build, Linked, Target};
use crate::decode::Decoded;
use crate::error::{ErrorKind, Result};

/// What ends a VM whose entry is left by an exception.
const UNCAUGHT: &str = "uncaught exception";

/// A tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    /// The struct that its exceptions are.
    pub id: TypeId,
    /// Its function type, in the unit that made it.
    pub(super) ty: u32,
    pub(super) owner: usize,
}

/// Whether any unit has tags: then functions may be left without their results.
pub(super) fn any(decoded: &[Decoded<'_>]) -> bool {
    decoded.iter().any(|unit| !unit.tags.is_empty())
}

/// Which calls may be left by an exception.
#[derive(Default)]
pub(crate) struct Throws {
    funcs: Vec<bool>,
    /// Of calls by reference, by their shape.
    shapes: HashMap<Signature, bool>,
    /// Where an exception waits.
    pending: Option<GlobalId>,
    /// What stands for functions that may throw where nothing can catch.
    guards: HashMap<FuncId, FuncId>,
}

impl Throws {
    /// Whether a function may throw.
    pub fn func(&self, func: FuncId) -> bool {
        self.funcs.get(func.index()).copied().unwrap_or(false)
    }

    /// Whether what a reference to a function of this type leads to may throw.
    pub fn reference(&self, sig: &Signature) -> bool {
        !self.shapes.is_empty() && self.shapes.get(&shape(sig)).copied().unwrap_or(false)
    }
}

/// What all function types have in common through which a function may be called.
fn shape(sig: &Signature) -> Signature {
    let plain =
        |types: &[Type]| types.iter().map(|ty| if ty.is_reference() { Type::OptAny } else { *ty }).collect::<Vec<_>>();
    Signature { params: plain(&sig.params), results: plain(&sig.results) }
}

impl Build<'_> {
    /// Gives a unit's own tags their structs.
    pub(super) fn define_tags(&mut self, unit: &mut Linked<'_>) -> Result {
        for at in unit.tags.len()..unit.decoded.tags.len() {
            let Some(ty) = unit.decoded.tags.get(at).copied() else { break };
            let sig = unit.types.sig(ty).ok_or_else(|| unit.decoded.internal("a type index"))?;
            if sig.params.len() > limits::FIELDS {
                let kind = ErrorKind::Unsupported { what: "a tag of so many values".into(), hint: "throw fewer" };
                return Err(unit.error(kind));
            }
            let field = |ty: &Type| StructField { mutable: false, storage: Storage::Value(*ty) };
            let fields = sig.params.iter().map(field).collect();
            let id = TypeId(self.module.types.len() as u32);
            self.module.types.push(TypeDef::Struct(StructDef { fields, ..StructDef::default() }));
            unit.tags.push(Tag { id, ty, owner: unit.index });
        }
        Ok(())
    }

    /// Types of what a tag's exceptions carry.
    pub fn tag_fields(&self, tag: Tag) -> Vec<Type> {
        let Some(TypeDef::Struct(def)) = self.module.types.get(tag.id.index()) else { return Vec::new() };
        let value = |field: &StructField| match field.storage {
            Storage::Value(ty) => ty,
            _ => Type::I32,
        };
        def.fields.iter().map(value).collect()
    }

    /// The global in which an exception waits to be caught; null if none is under way.
    pub fn pending(&mut self) -> GlobalId {
        if let Some(id) = self.throws.pending {
            return id;
        }
        let mut init = Writer::default();
        init.push(Instr::Null(Type::OptAny));
        let id = self.add_global(true, Type::OptAny, init);
        self.throws.pending = Some(id);
        id
    }

    /// What can be called where nothing catches: in place of a function that may throw, one that traps then.
    pub(super) fn guarded(&mut self, func: FuncId) -> FuncId {
        if !self.throws.func(func) {
            return func;
        }
        if let Some(known) = self.throws.guards.get(&func) {
            return *known;
        }
        let sig = self.module.sig(func).cloned().unwrap_or_default();
        let params = sig.params.len() as u32;
        let results: Vec<_> = (0..sig.results.len() as u32).map(|at| LocalId(params + at)).collect();
        let mut code = Writer::default();
        (0..params).for_each(|at| code.push(Instr::Get(LocalId(at))));
        code.call_set(func, &results.iter().copied().map(Some).collect::<Vec<_>>());
        self.trap_if_pending(&mut code);
        results.iter().for_each(|local| code.push(Instr::Get(*local)));
        if !results.is_empty() {
            code.push(Instr::Return);
        }
        let locals = sig.results.clone();
        let name = alloc::format!("entry of {}", self.names.get(func.index()).map_or("", |name| name.as_str()));
        let guard = self.add_func(Func { sig, pure: false, locals, body: code.bytes }, &name);
        self.throws.guards.insert(func, guard);
        guard
    }

    fn trap_if_pending(&mut self, code: &mut Writer) {
        let (pending, why) = (self.pending(), self.string(UNCAUGHT));
        code.push(Instr::GlobalGet(pending));
        code.push(Instr::Null(Type::OptAny));
        code.push(Instr::RefNe);
        code.push(Instr::If);
        code.push(Instr::Null(Type::OptAny));
        code.push(Instr::GlobalSet(pending));
        code.push(Instr::Trap(why));
        code.push(Instr::End);
    }

    /// Finds out which calls may throw.
    pub(super) fn find_throws(&mut self, linked: &[Linked<'_>]) {
        if !self.types.throws {
            return;
        }
        let mut calls = Calls::new(self.module.funcs.len());
        linked.iter().for_each(|unit| calls.unit(unit));
        calls.edges.extend(self.types.adapters().map(|(func, adapter)| (Calls::func(func), Calls::func(adapter))));
        let throws = calls.throwing();
        self.throws.funcs = throws.get(1..=calls.funcs).unwrap_or_default().to_vec();
        let of = |node: u32| throws.get(node as usize).copied().unwrap_or(false);
        self.throws.shapes = calls.shapes.into_iter().map(|(shape, node)| (shape, of(node))).collect();
    }
}

/// The node that throws.
const THROW: u32 = 0;

/// Who is left if another one throws. Nodes are [`THROW`], the functions, then the shapes of calls by reference.
struct Calls {
    funcs: usize,
    shapes: HashMap<Signature, u32>,
    /// From whom to whom an exception goes.
    edges: Vec<(u32, u32)>,
    /// Of the body being looked at: whose exceptions leave it, as far as it is read.
    leaving: Vec<u32>,
}

/// A construct that is open.
#[derive(Clone, Copy)]
struct Open {
    /// Where what leaves its body begins, and ends if it is closed already.
    start: usize,
    end: Option<usize>,
    /// Whether it catches everything.
    all: bool,
    /// Whether something in it may be delegated past it.
    passed: bool,
}

impl Calls {
    fn new(funcs: usize) -> Calls {
        Calls { funcs, shapes: HashMap::new(), edges: Vec::new(), leaving: Vec::new() }
    }

    fn func(id: FuncId) -> u32 {
        id.0 + 1
    }

    fn shape(&mut self, unit: &Linked<'_>, ty: u32) -> u32 {
        let next = (1 + self.funcs + self.shapes.len()) as u32;
        let shape = unit.types.sig(ty).map(shape).unwrap_or_default();
        *self.shapes.entry(shape).or_insert(next)
    }

    fn unit(&mut self, unit: &Linked<'_>) {
        let imported = unit.funcs.len() - unit.decoded.bodies.len().min(unit.funcs.len());
        for (body, target) in unit.decoded.bodies.iter().zip(unit.funcs.iter().skip(imported)) {
            if let Target::Func(id) = target {
                self.body(unit, &body.body, Self::func(*id));
            }
        }
        for element in &unit.decoded.elements {
            match &element.items {
                ElementItems::Functions(funcs) => {
                    funcs.clone().into_iter().flatten().for_each(|func| self.refer(unit, func));
                }
                ElementItems::Expressions(_, exprs) => {
                    exprs.clone().into_iter().flatten().for_each(|expr| self.constant(unit, &expr));
                }
            }
        }
        unit.decoded.globals.iter().for_each(|(_, init)| self.constant(unit, init));
        for table in &unit.decoded.tables {
            if let TableInit::Expr(init) = &table.init {
                self.constant(unit, init);
            }
        }
    }

    fn constant(&mut self, unit: &Linked<'_>, expr: &ConstExpr<'_>) {
        for operator in expr.get_operators_reader().into_iter().flatten() {
            if let Operator::RefFunc { function_index } = operator {
                self.refer(unit, function_index);
            }
        }
    }

    /// A function that may be called by reference from here on.
    fn refer(&mut self, unit: &Linked<'_>, func: u32) {
        if let Some(Target::Func(id)) = unit.target(func) {
            let shape = self.shape(unit, unit.type_of(func));
            self.edges.push((Self::func(id), shape));
        }
    }

    /// Reads a body, which need not be valid: what is wrong with it is said when it is translated.
    fn body(&mut self, unit: &Linked<'_>, body: &FunctionBody<'_>, node: u32) {
        let Ok(mut reader) = body.get_operators_reader() else { return };
        let mut open: Vec<Open> = Vec::new();
        self.leaving.clear();
        while let Ok(operator) = reader.read() {
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::Try { .. } => {
                    open.push(self.opened(false));
                }
                Operator::TryTable { try_table } => {
                    let all = |catch: &Catch| matches!(catch, Catch::All { .. } | Catch::AllRef { .. });
                    open.push(self.opened(try_table.catches.iter().any(all)));
                }
                Operator::Catch { .. } => self.caught(open.last_mut(), false),
                Operator::CatchAll => self.caught(open.last_mut(), true),
                Operator::Delegate { .. } => {
                    open.pop();
                    open.iter_mut().for_each(|open| open.passed = true);
                }
                Operator::End => {
                    if let Some(open) = open.pop() {
                        self.closed(open);
                    }
                }
                Operator::Throw { .. } | Operator::ThrowRef | Operator::Rethrow { .. } => self.leaving.push(THROW),
                Operator::Call { function_index } => {
                    if let Some(Target::Func(id)) = unit.target(function_index) {
                        self.leaving.push(Self::func(id));
                    }
                }
                Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => {
                    let shape = self.shape(unit, type_index);
                    self.leaving.push(shape);
                }
                // No construct here is open any more when those run.
                Operator::ReturnCall { function_index } => {
                    if let Some(Target::Func(id)) = unit.target(function_index) {
                        self.edges.push((Self::func(id), node));
                    }
                }
                Operator::ReturnCallIndirect { type_index, .. } | Operator::ReturnCallRef { type_index } => {
                    let shape = self.shape(unit, type_index);
                    self.edges.push((shape, node));
                }
                Operator::RefFunc { function_index } => self.refer(unit, function_index),
                _ => {}
            }
        }
        self.edges.extend(self.leaving.iter().map(|from| (*from, node)));
    }

    fn opened(&self, all: bool) -> Open {
        Open { start: self.leaving.len(), end: None, all, passed: false }
    }

    fn caught(&mut self, open: Option<&mut Open>, all: bool) {
        let Some(open) = open else { return };
        open.end = open.end.or(Some(self.leaving.len()));
        open.all |= all;
    }

    fn closed(&mut self, open: Open) {
        if open.all && !open.passed {
            let end = open.end.unwrap_or(self.leaving.len());
            self.leaving.drain(open.start.min(end)..end);
        }
    }

    /// Of each node, whether an exception may come to it.
    fn throwing(&mut self) -> Vec<bool> {
        let mut throws = alloc::vec![false; 1 + self.funcs + self.shapes.len()];
        self.edges.sort_unstable();
        self.edges.dedup();
        let mut waiting = alloc::vec![THROW];
        while let Some(from) = waiting.pop() {
            let first = self.edges.partition_point(|(node, _)| *node < from);
            for (_, to) in self.edges.iter().skip(first).take_while(|(node, _)| *node == from) {
                if let Some(known) = throws.get_mut(*to as usize)
                    && !core::mem::replace(known, true)
                {
                    waiting.push(*to);
                }
            }
        }
        throws
    }
}
