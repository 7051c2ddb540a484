//! Constant expressions, evaluated: they name only globals that never change, so numbers are known. Objects become trees
//! of the IL's constants; those that name other objects are made when their unit is instantiated.

use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::{FuncId, GlobalId, Storage, Type, TypeId, limits};
use wasmparser::{ConstExpr, Operator, RefType, ValType};

use crate::body::vector;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Build, Linked};
use crate::types::{CanonId, FuncForm, Root};

/// A value known before the run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Const {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// Null of this type.
    Null(Type),
    Func(FuncId, TypeId),
    /// What [`Trees`] has there.
    Tree(TreeId),
}

/// Index into [`Trees`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct TreeId(usize);

/// Values that are more than one instruction.
#[derive(Default)]
pub(crate) struct Trees(Vec<Tree>);

struct Tree {
    code: Vec<u8>,
    ty: Type,
    /// Whether it reads globals, so that it is no initial value of one.
    late: bool,
    height: usize,
}

/// Trees of constants are not made higher than this.
const HEIGHT: usize = 500;

impl Trees {
    fn add(&mut self, code: Writer, ty: Type, late: bool, height: usize) -> Const {
        self.0.push(Tree { code: code.bytes, ty, late, height });
        Const::Tree(TreeId(self.0.len() - 1))
    }

    fn tree(&self, value: Const) -> Option<&Tree> {
        match value {
            Const::Tree(id) => self.0.get(id.0),
            _ => None,
        }
    }

    /// Whether a value can only be made when its unit is instantiated.
    pub fn is_late(&self, value: Const) -> bool {
        self.tree(value).is_some_and(|tree| tree.late)
    }

    /// Forgets a value, of which a bigger one has been made; its height.
    fn use_up(&mut self, value: Const) -> usize {
        let Const::Tree(id) = value else { return 0 };
        self.0.get_mut(id.0).map_or(0, |tree| {
            tree.code = Vec::new();
            tree.height
        })
    }

    /// The type of a reference.
    fn ty(&self, value: Const) -> Option<Type> {
        match value {
            Const::Null(ty) => Some(ty),
            Const::Func(_, ty) => Some(Type::Ref(ty)),
            value => self.tree(value).map(|tree| tree.ty),
        }
    }

    /// Appends a value.
    pub fn write(&self, value: Const, code: &mut Writer) {
        match value {
            Const::I32(value) => code.push(Instr::I32Const(value)),
            Const::I64(value) => code.push(Instr::I64Const(value)),
            Const::F32(bits) => code.push(Instr::F32Const(bits)),
            Const::F64(bits) => code.push(Instr::F64Const(bits)),
            Const::V128(value) => vector(code, value),
            Const::Null(ty) => code.push(Instr::Null(ty)),
            Const::Func(func, ty) => code.push(Instr::FuncRef(func, ty)),
            Const::Tree(_) => {
                if let Some(tree) = self.tree(value) {
                    code.bytes.extend_from_slice(&tree.code);
                }
            }
        }
    }
}

impl Build<'_> {
    /// Appends a value where one of this type is wanted.
    pub fn write_as(&self, value: Const, wanted: Type, code: &mut Writer) {
        let from = self.trees.ty(value);
        match from.filter(|from| *from != wanted && self.types.is_nothing(*from)) {
            None => self.trees.write(value, code),
            Some(_) if wanted.is_nullable() => code.push(Instr::Null(wanted)),
            Some(_) => {
                self.trees.write(value, code);
                code.push(Instr::As(wanted));
            }
        }
    }

    /// A function as a value.
    pub fn func_value(&mut self, func: FuncId, ty: CanonId) -> Const {
        let form = self.types.form(&mut self.module, ty);
        let (object, _, own) = match form {
            FuncForm::Plain(ty) => return Const::Func(func, ty),
            FuncForm::Object(object, field, own) => (object, field, own),
        };
        let mut code = Writer::default();
        for sig in self.types.signatures(ty) {
            let id = self.types.func(&mut self.module, &sig);
            let func = if id == own { func } else { self.adapted(func, ty, &sig) };
            code.push(Instr::FuncRef(func, id));
        }
        code.push(Instr::StructNew(object));
        self.trees.add(code, Type::Ref(object), false, 2)
    }

    /// The global that holds a function as an object.
    pub fn func_object(&mut self, func: FuncId, ty: CanonId, value: Const, il: Type) -> GlobalId {
        if let Some(id) = self.types.known_object(func, ty) {
            return id;
        }
        let mut init = Writer::default();
        self.trees.write(value, &mut init);
        let id = self.add_global(false, il, init);
        self.types.note_object(func, ty, id);
        id
    }

    /// An object of these parts, whose code is written.
    fn object(&mut self, unit: &Linked<'_>, object: TypeId, mut code: Writer, parts: &[Const]) -> Result<Const> {
        code.push(Instr::StructNew(object));
        let late = parts.iter().any(|part| self.trees.is_late(*part));
        let height = 2 + parts.iter().map(|part| self.trees.use_up(*part)).max().unwrap_or(0);
        if height > HEIGHT {
            return Err(unsupported(unit, "an object in so many others, in a constant expression"));
        }
        Ok(self.trees.add(code, Type::Ref(object), late, height))
    }
}

/// Zero, or null, of what a field or an element holds.
pub(crate) fn zero(storage: Storage) -> Const {
    match storage.value() {
        Type::I64 => Const::I64(0),
        Type::F32 => Const::F32(0),
        Type::F64 => Const::F64(0),
        Type::V128 => Const::V128(0),
        ty if ty.is_nullable() => Const::Null(ty),
        _ => Const::I32(0),
    }
}

/// Evaluates a constant expression of a unit.
pub(crate) fn evaluate(build: &mut Build<'_>, unit: &Linked<'_>, expr: &ConstExpr<'_>) -> Result<Const> {
    let mut stack: Vec<Const> = Vec::new();
    for operator in expr.get_operators_reader() {
        let operator = operator.map_err(|error| unit.decoded.invalid(&error))?;
        let value = match operator {
            Operator::I32Const { value } => Const::I32(value),
            Operator::I64Const { value } => Const::I64(value),
            Operator::F32Const { value } => Const::F32(value.bits()),
            Operator::F64Const { value } => Const::F64(value.bits()),
            Operator::V128Const { value } => Const::V128(value.i128() as u128),
            Operator::RefNull { hty } => {
                let ty = RefType::new(true, hty).map(ValType::Ref);
                Const::Null(ty.map_or(Type::OptAny, |ty| build.value(unit, ty)))
            }
            Operator::RefFunc { function_index } => {
                let func = build.func_of(unit, function_index)?;
                build.func_value(func, unit.func_type(function_index)?)
            }
            Operator::GlobalGet { global_index } => global(build, unit, global_index)?,
            Operator::AnyConvertExtern | Operator::ExternConvertAny => continue,
            Operator::End => break,
            Operator::StructNew { .. }
            | Operator::StructNewDefault { .. }
            | Operator::ArrayNew { .. }
            | Operator::ArrayNewDefault { .. }
            | Operator::ArrayNewFixed { .. }
            | Operator::RefI31 => object(build, unit, &operator, &mut stack)?,
            operator => {
                let (b, a) = (stack.pop(), stack.pop());
                arithmetic(&operator, a, b).ok_or_else(|| unit.decoded.internal("a constant expression"))?
            }
        };
        stack.push(value);
    }
    stack.pop().ok_or_else(|| unit.decoded.internal("an empty constant expression"))
}

/// A global's value: what is known of it, or what reads it.
fn global(build: &mut Build<'_>, unit: &Linked<'_>, index: u32) -> Result<Const> {
    let global = unit.global(index).ok_or_else(|| unit.decoded.internal("a global index"))?;
    match global.constant {
        Some(Const::Tree(_)) => {
            let mut code = Writer::default();
            global.read(&mut code);
            Ok(build.trees.add(code, global.il, true, 1))
        }
        Some(value) => Ok(value),
        None => Err(unit.decoded.internal("a global in a constant expression")),
    }
}

fn object(build: &mut Build<'_>, unit: &Linked<'_>, operator: &Operator<'_>, stack: &mut Vec<Const>) -> Result<Const> {
    let internal = || unit.decoded.internal("an object in a constant expression");
    let mut code = Writer::default();
    match operator {
        Operator::StructNew { struct_type_index } | Operator::StructNewDefault { struct_type_index } => {
            let ty = unit.types.canon(*struct_type_index).ok_or_else(internal)?;
            let count = build.types.field_count(ty);
            let given = matches!(operator, Operator::StructNew { .. });
            let first = stack.len().checked_sub(if given { count } else { 0 }).ok_or_else(internal)?;
            let values = stack.split_off(first);
            for at in 0..count {
                let field = build.types.field(&mut build.module, ty, at as u32).ok_or_else(internal)?;
                let value = values.get(at).copied().unwrap_or(zero(field.storage));
                build.write_as(value, field.storage.value(), &mut code);
            }
            let def = build.types.object(&mut build.module, ty);
            build.object(unit, def, code, &values)
        }
        Operator::ArrayNewFixed { array_type_index, array_size } => {
            let ty = unit.types.canon(*array_type_index).ok_or_else(internal)?;
            let first = stack.len().checked_sub(*array_size as usize).ok_or_else(internal)?;
            let values = stack.split_off(first);
            let element = build.types.element(&mut build.module, ty).ok_or_else(internal)?.storage.value();
            let elements = build.types.elements(&mut build.module, ty);
            let late = values.iter().any(|value| build.trees.is_late(*value));
            if late && values.len() > limits::ARRAY_LITERAL {
                return Err(unsupported(unit, "an array of more than 1000 elements that names other objects"));
            }
            code.push(Instr::I32Const(values.len() as i32));
            values.iter().for_each(|value| build.write_as(*value, element, &mut code));
            code.push(Instr::ArrayOf(elements, values.len() as u32));
            let def = build.types.object(&mut build.module, ty);
            build.object(unit, def, code, &values)
        }
        Operator::ArrayNew { array_type_index } | Operator::ArrayNewDefault { array_type_index } => {
            let ty = unit.types.canon(*array_type_index).ok_or_else(internal)?;
            let length = stack.pop().ok_or_else(internal)?;
            let storage = build.types.element(&mut build.module, ty).ok_or_else(internal)?.storage;
            let value = match operator {
                Operator::ArrayNew { .. } => stack.pop().ok_or_else(internal)?,
                _ => zero(storage),
            };
            build.trees.write(length, &mut code);
            build.trees.write(length, &mut code);
            build.write_as(value, storage.value(), &mut code);
            code.push(Instr::ArrayNew(build.types.elements(&mut build.module, ty)));
            let def = build.types.object(&mut build.module, ty);
            build.object(unit, def, code, &[value])
        }
        // The one that is left: `ref.i31`.
        _ => {
            let Some(Const::I32(value)) = stack.pop() else { return Err(internal()) };
            code.push(Instr::I32Const(value & i32::MAX));
            let def = build.types.root(&mut build.module, Root::I31);
            build.object(unit, def, code, &[])
        }
    }
}

/// What a constant expression does and the IL cannot.
pub(crate) fn unsupported(unit: &Linked<'_>, what: &str) -> alloc::boxed::Box<Error> {
    let kind = ErrorKind::Unsupported { what: what.into(), hint: "fill it at run time" };
    Error::new(unit.name(), None, kind)
}

fn arithmetic(operator: &Operator<'_>, a: Option<Const>, b: Option<Const>) -> Option<Const> {
    Some(match (operator, a?, b?) {
        (Operator::I32Add, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_add(b)),
        (Operator::I32Sub, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_sub(b)),
        (Operator::I32Mul, Const::I32(a), Const::I32(b)) => Const::I32(a.wrapping_mul(b)),
        (Operator::I64Add, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_add(b)),
        (Operator::I64Sub, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_sub(b)),
        (Operator::I64Mul, Const::I64(a), Const::I64(b)) => Const::I64(a.wrapping_mul(b)),
        _ => return None,
    })
}
