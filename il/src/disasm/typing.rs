//! Types of expressions: those that they have, and those that text would give them by itself.

use alloc::vec::Vec;

use super::tree::{Callee, Expr, Node};
use crate::isa::Instruction;
use crate::op::{Form, Op, OpInfo};
use crate::types::{ArrayDef, CapDef};
use crate::{Func, Hierarchy, IsaId, LocalId, Module, Signature, Storage, Type, TypeDef, TypeId};

/// What is known of the function at hand.
pub(super) struct Typing<'m> {
    pub module: &'m Module,
    pub hierarchy: &'m Hierarchy,
    /// With the locals that the disassembler adds.
    pub func: Func,
    /// Of a program, the set that it runs on.
    pub own: Option<IsaId>,
}

/// The type that text gives an expression that stands alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Made of integer literals: takes the type expected of it, else `i32`.
    Int,
    /// Made of literals, one of them a float: takes the type expected of it, else `f64`.
    Float,
    Of(Type),
    /// Of a broken module.
    Unknown,
}

impl Class {
    /// Whether only the place can tell the type.
    pub fn is_open(self) -> bool {
        matches!(self, Class::Int | Class::Float)
    }

    /// The type where nothing is expected.
    pub fn settled(self) -> Option<Type> {
        match self {
            Class::Int => Some(Type::I32),
            Class::Float => Some(Type::F64),
            Class::Of(ty) => Some(ty),
            Class::Unknown => None,
        }
    }
}

impl<'m> Typing<'m> {
    /// Adds a local.
    pub fn new_local(&mut self, ty: Type) -> LocalId {
        self.func.locals.push(ty);
        LocalId((self.func.sig.params.len() + self.func.locals.len() - 1) as u32)
    }

    pub fn local(&self, id: LocalId) -> Option<Type> {
        self.func.local_type(id.index())
    }

    pub fn array(&self, id: TypeId) -> Option<ArrayDef> {
        self.hierarchy.array(id)
    }

    pub fn cap(&self, ty: Type) -> Option<&CapDef> {
        self.hierarchy.cap(ty.def()?)
    }

    pub fn func_type(&self, id: TypeId) -> Option<&'m Signature> {
        match self.module.types.get(id.index())? {
            TypeDef::Func(sig) => Some(sig),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Cap(_) => None,
        }
    }

    /// The device instruction that a call executes.
    pub fn instruction(&self, callee: Callee) -> Option<&'m Instruction> {
        let (isa, opcode) = match callee {
            Callee::Send(id, opcode) => (self.module.uses.get(id.index())?.isa, opcode),
            Callee::SendTo(ty, opcode) => (self.hierarchy.cap(ty)?.isa, opcode),
            Callee::Own(opcode) => (self.own?, opcode),
            Callee::Func(_) | Callee::Ref(_) | Callee::Run(..) | Callee::RunSend(..) => return None,
        };
        self.module.isas.get(isa.index())?.instruction(opcode)
    }

    /// Types of the arguments (without what is applied) and results of a call.
    pub fn signature(&self, callee: Callee) -> Option<(Vec<Type>, Vec<Type>)> {
        let of = |sig: &Signature| (sig.params.clone(), sig.results.clone());
        match callee {
            Callee::Func(id) => self.module.sig(id).map(of),
            Callee::Ref(ty) => self.func_type(ty).map(of),
            Callee::Run(_, program) | Callee::RunSend(_, program) => {
                self.module.sig(self.module.programs.get(program.index())?.func).map(of)
            }
            Callee::Send(..) | Callee::SendTo(..) | Callee::Own(_) => {
                let instruction = self.instruction(callee)?;
                let results = instruction.results.as_deref().unwrap_or_default();
                let types = |fields: &[crate::isa::Field]| fields.iter().map(|field| field.ty).collect();
                Some((types(&instruction.params), types(results)))
            }
        }
    }

    /// The types of what an expression at a statement's root gives.
    pub fn results(&self, expr: &Expr) -> Option<Vec<Type>> {
        match expr {
            Expr::Node(Node::Call(callee), _) => self.signature(*callee).map(|(_, results)| results),
            Expr::Node(Node::Try(callee), _) => {
                let (_, results) = self.signature(*callee)?;
                Some(core::iter::once(Type::I32).chain(results).collect())
            }
            other => self.ty(other).map(|ty| alloc::vec![ty]),
        }
    }

    /// The type of an expression's value.
    pub fn ty(&self, expr: &Expr) -> Option<Type> {
        match expr {
            Expr::I32(_) | Expr::Caller => Some(Type::I32),
            Expr::I64(_) => Some(Type::I64),
            Expr::F32(_) => Some(Type::F32),
            Expr::F64(_) => Some(Type::F64),
            Expr::Bool(_) => Some(Type::Bool),
            Expr::Str(_) => Some(Type::Str),
            Expr::Null(ty) => Some(*ty),
            Expr::Local(id) => self.local(*id),
            Expr::Global(id) => self.module.global_type(*id),
            Expr::GlobalTake(_) => Some(Type::OptBuf),
            Expr::FuncRef(_, ty) | Expr::Cap(_, ty) => Some(Type::Ref(*ty)),
            Expr::Node(node, operands) => self.node_type(*node, operands),
        }
    }

    fn node_type(&self, node: Node, operands: &[Expr]) -> Option<Type> {
        match node {
            Node::Op(op, _) => op.info().result,
            Node::Call(callee) => self.signature(callee)?.1.first().copied(),
            Node::Try(_) | Node::ArrayLen => Some(Type::I32),
            Node::Shuffle(_) => Some(Type::V128),
            Node::StructNew(ty) | Node::ArrayNew(ty) | Node::ArrayOf(ty) | Node::Attenuate(ty) => Some(Type::Ref(ty)),
            Node::FieldGet(ty, field) => {
                self.hierarchy.fields(ty).get(field.index()).map(|field| field.storage.value())
            }
            Node::FieldTake(..) | Node::ArrayTake(_) => Some(Type::OptBuf),
            Node::ArrayGet(ty) => self.array(ty).map(|def| def.element.value()),
            Node::RefEq | Node::RefNe | Node::Is(_) => Some(Type::Bool),
            Node::As(ty) | Node::Cond(ty) | Node::Select(ty) => Some(ty),
            // Nested ones are as deep as the tree.
            Node::Freeze => self.ty(operands.first()?),
        }
    }

    /// The type that text would give by itself, were every literal written plainly.
    pub fn class(&self, expr: &Expr) -> Class {
        match expr {
            Expr::I32(_) | Expr::I64(_) => Class::Int,
            Expr::F32(bits) if f32::from_bits(*bits).is_finite() => Class::Float,
            Expr::F64(bits) if f64::from_bits(*bits).is_finite() => Class::Float,
            Expr::Node(Node::Op(op, _), operands) => {
                let open = joined(operands.iter().map(|operand| self.class(operand)));
                open.filter(|_| is_overloaded(op.info())).unwrap_or_else(|| self.known(expr))
            }
            Expr::Node(Node::Cond(_), parts) => match joined(parts.iter().skip(1).map(|part| self.class(part))) {
                Some(class) => class,
                None => self.known(expr),
            },
            Expr::Node(Node::Select(_), parts) => match joined(parts.iter().take(2).map(|part| self.class(part))) {
                Some(class) => class,
                None => self.known(expr),
            },
            other => self.known(other),
        }
    }

    fn known(&self, expr: &Expr) -> Class {
        self.ty(expr).map_or(Class::Unknown, Class::Of)
    }

    /// The nearest type that both are of, if there is one besides `any`.
    pub fn join(&self, a: Type, b: Type) -> Option<Type> {
        let nullable = a.is_nullable() || b.is_nullable();
        let (low, high) = (a.non_null(), b.non_null());
        let common = match (low, high) {
            _ if self.hierarchy.is_subtype(a, b) => return Some(b),
            _ if self.hierarchy.is_subtype(b, a) => return Some(a),
            _ if self.hierarchy.is_subtype(low, high) => high,
            _ if self.hierarchy.is_subtype(high, low) => low,
            (Type::Ref(low), Type::Ref(high)) => {
                let parent = |id: &TypeId| self.hierarchy.struct_def(*id).and_then(|def| def.parent);
                let mut ancestors = core::iter::successors(Some(low), parent).take(crate::limits::STRUCT_DEPTH + 1);
                Type::Ref(ancestors.find(|ancestor| self.hierarchy.def_is_subtype(high, *ancestor))?)
            }
            _ => return None,
        };
        if nullable { common.nullable() } else { Some(common) }
    }

    /// The type that text gives an array literal of these elements where it expects none.
    pub fn literal_element(&self, elements: &[Expr]) -> Option<Type> {
        let mut common: Option<Class> = None;
        for element in elements {
            let next = self.class(element);
            common = Some(match (common, next) {
                (None, next) => next,
                (Some(Class::Of(a)), Class::Of(b)) => Class::Of(self.join(a, b).unwrap_or(a)),
                (Some(known @ Class::Of(_)), _) | (_, known @ Class::Of(_)) => known,
                (Some(Class::Float), _) | (_, Class::Float) => Class::Float,
                (Some(class), _) => class,
            });
        }
        common?.settled()
    }

    /// Whether a literal of these elements is of this type by itself.
    pub fn is_plain_literal(&self, ty: TypeId, elements: &[Expr]) -> bool {
        let Some(ArrayDef { mutable: false, element: Storage::Value(element) }) = self.array(ty) else { return false };
        !element.is_affine() && self.literal_element(elements) == Some(element)
    }
}

/// The class of several open operands; `None` if one is not open.
fn joined(classes: impl Iterator<Item = Class>) -> Option<Class> {
    let mut all = None;
    for class in classes {
        all = match (all, class) {
            (_, Class::Of(_) | Class::Unknown) => return None,
            (Some(Class::Float), _) | (_, Class::Float) => Some(Class::Float),
            (_, Class::Int) => Some(Class::Int),
        };
    }
    all
}

/// Whether operands and result are all of one type, which other operators of the same text have otherwise.
pub(super) fn is_overloaded(info: &OpInfo) -> bool {
    let literal = |ty: Option<Type>| matches!(ty, Some(Type::I32 | Type::I64 | Type::F32 | Type::F64));
    let uniform = |info: &OpInfo| info.params.iter().all(|param| Some(*param) == info.result);
    !info.params.is_empty() && literal(info.result) && uniform(info) && alike(info).nth(1).is_some()
}

/// The operators that are written like one.
fn alike(info: &OpInfo) -> impl Iterator<Item = &'static OpInfo> + Clone + '_ {
    let same_form = |other: &OpInfo| match (info.form, other.form) {
        (Form::Infix, form) | (form, Form::Infix) => form == info.form && form == other.form,
        (Form::Prefix, form) | (form, Form::Prefix) => form == info.form && form == other.form,
        (Form::Index, form) | (form, Form::Index) => form == info.form && form == other.form,
        (Form::IndexSet, form) | (form, Form::IndexSet) => form == info.form && form == other.form,
        (Form::Call | Form::Memory | Form::Lane(_) | Form::MemoryLane(_), _) => true,
    };
    Op::TABLE.iter().filter(move |other| other.text == info.text && same_form(other))
}

/// The operator that text means by these operands: the one that fits them best.
pub(super) fn chosen(info: &OpInfo, classes: &[Class]) -> Option<Op> {
    let fitting = alike(info).filter_map(|other| misfit(other, classes).map(|misfit| (misfit, other.op)));
    fitting.min_by_key(|(misfit, _)| *misfit).map(|(_, op)| op)
}

/// How badly operands fit an operator: 0 is exactly, `None` not at all.
fn misfit(info: &OpInfo, classes: &[Class]) -> Option<u32> {
    if info.params.len() != classes.len() {
        return None;
    }
    let one = |(class, param): (&Class, &Type)| match (class, param) {
        (Class::Of(Type::Buf), Type::BufRef) => Some(0),
        (Class::Of(ty), param) => (ty == param).then_some(0),
        (Class::Int, Type::I32) | (Class::Float, Type::F64) => Some(0),
        (Class::Int, Type::I64) | (Class::Float, Type::F32) => Some(1),
        (Class::Int, Type::F64) => Some(2),
        (Class::Int, Type::F32) => Some(3),
        (Class::Int | Class::Float | Class::Unknown, _) => None,
    };
    classes.iter().zip(info.params).map(one).sum()
}
