//! Expressions as text, with the fewest parentheses that keep their meaning.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::names::Names;
use super::tree::{Call, Callee, Expr, instruction};
use crate::instr::Instr;
use crate::op::{Form, Immediate, Op, OpInfo};
use crate::{FieldId, Func, GlobalId, Hierarchy, Module, ProgramId, StrId, Type, TypeDef, TypeId};

/// How tightly an expression's outermost operator binds; more is tighter.
type Binding = u8;

/// Names, literals, calls: never in parentheses.
const ATOM: Binding = 12;
const UNARY: Binding = 11;
const CAST: Binding = 10;
const COMPARISON: Binding = 3;
const AND: Binding = 2;
const OR: Binding = 1;
/// `if`, which is put in parentheses as an operand of anything.
const IF: Binding = 0;

/// Writes one function's expressions.
pub(super) struct Exprs<'a> {
    pub module: &'a Module,
    pub types: &'a Hierarchy,
    pub func: &'a Func,
    pub names: &'a mut Names,
}

/// The type that text would give an expression by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Made of integer literals: takes the type expected of it, else `i32`.
    Open,
    /// Made of literals, at least one with a dot: takes the type expected of it, else `f64`.
    Float,
    Of(Type),
    Unknown,
}

impl Exprs<'_> {
    /// The text of `expr` where a value of type `expected` is wanted, if the place says so.
    pub fn text(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.write(expr, expected).0
    }

    /// A type as text.
    pub fn type_text(&self, ty: Type) -> String {
        self.names.ty(self.module, ty)
    }

    /// Whether a declaration without a type would give its local another type than this.
    pub fn needs_type(&self, expr: &Expr, ty: Type) -> bool {
        match self.class(expr) {
            Class::Open => ty != Type::I32,
            Class::Float => ty != Type::F64,
            Class::Of(natural) => natural != ty,
            Class::Unknown => true,
        }
    }

    /// Whether only the place can tell this expression's type.
    pub fn is_open(&self, expr: &Expr) -> bool {
        self.class(expr) == Class::Open
    }

    /// Whether the expression's text starts with `if`.
    pub fn is_if(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Cond(_, parts) => !matches!(&**parts, [_, _, Expr::Bool(false)] | [_, Expr::Bool(true), _]),
            _ => false,
        }
    }

    /// The text of a condition, before a block.
    pub fn condition(&mut self, expr: &Expr) -> String {
        self.operand(expr, Some(Type::Bool), OR)
    }

    fn global_type(&self, id: GlobalId) -> Option<Type> {
        self.module.global_type(id)
    }

    /// The type of an expression's value; of `null`, array literals and capabilities, as they are in the module.
    pub fn ty(&self, expr: &Expr) -> Option<Type> {
        match expr {
            Expr::I32(_) => Some(Type::I32),
            Expr::I64(_) => Some(Type::I64),
            Expr::F32(_) => Some(Type::F32),
            Expr::F64(_) => Some(Type::F64),
            Expr::Bool(_) => Some(Type::Bool),
            Expr::Str(_) => Some(Type::Str),
            Expr::Null(ty) | Expr::Cond(ty, _) => Some(*ty),
            Expr::Local(id) => self.func.local_type(id.index()),
            Expr::Op(op, ..) => op.info().result,
            Expr::Call(call) if call.tries => Some(Type::I32),
            Expr::Call(call) => self.results(call.callee).first().copied(),
            Expr::Node(instr, args) => self.node_type(*instr, args),
        }
    }

    fn node_type(&self, instr: Instr<'_>, args: &[Expr]) -> Option<Type> {
        match instr {
            Instr::GlobalGet(id) => self.global_type(id),
            Instr::StructNew(id) | Instr::ArrayNew(id) | Instr::ArrayOf(id, _) => Some(Type::Ref(id)),
            Instr::FuncRef(_, id) | Instr::Cap(_, id) | Instr::Attenuate(id) => Some(Type::Ref(id)),
            Instr::FieldGet(id, field) => Some(self.field_type(id, field)?),
            Instr::ArrayGet(id) => Some(self.types.array(id)?.element.value()),
            Instr::GlobalTake(_) | Instr::FieldTake(..) | Instr::ArrayTake(_) => Some(Type::OptBuf),
            Instr::ArrayLen | Instr::Caller => Some(Type::I32),
            Instr::RefEq | Instr::RefNe | Instr::Is(_) => Some(Type::Bool),
            Instr::As(ty) => Some(ty),
            Instr::Freeze => self.ty(args.first()?),
            Instr::Shuffle(_) => Some(Type::V128),
            _ => None,
        }
    }

    fn field_type(&self, id: TypeId, field: FieldId) -> Option<Type> {
        self.types.fields(id).get(field.index()).map(|field| field.storage.value())
    }

    /// What a call gives, without a status.
    pub fn results(&self, callee: Callee) -> Vec<Type> {
        let module = self.module;
        let of_func = |id: crate::FuncId| module.sig(id).map_or(Vec::new(), |sig| sig.results.clone());
        match callee {
            Callee::Func(id) => of_func(id),
            Callee::Ref(ty) => self.types.func(ty).map_or(Vec::new(), |sig| sig.results.clone()),
            Callee::Run(_, program) => self.program(program).map_or(Vec::new(), |program| of_func(program.func)),
            Callee::RunSend(..) => Vec::new(),
            Callee::Send(..) | Callee::SendTo(..) | Callee::Own(..) => {
                let results = instruction(module, callee).and_then(|one| one.results.as_deref());
                results.unwrap_or_default().iter().map(|field| field.ty).collect()
            }
        }
    }

    fn program(&self, id: ProgramId) -> Option<&crate::Program> {
        self.module.programs.get(id.index())
    }

    /// The types of a call's operands, without the reference or capability that comes first.
    fn params(&self, callee: Callee) -> Vec<Type> {
        let module = self.module;
        let of_func = |id: crate::FuncId| module.sig(id).map_or(Vec::new(), |sig| sig.params.clone());
        match callee {
            Callee::Func(id) => of_func(id),
            Callee::Ref(ty) => self.types.func(ty).map_or(Vec::new(), |sig| sig.params.clone()),
            Callee::Run(_, program) | Callee::RunSend(_, program) => {
                self.program(program).map_or(Vec::new(), |program| of_func(program.func))
            }
            Callee::Send(..) | Callee::SendTo(..) | Callee::Own(..) => {
                instruction(module, callee).map_or(Vec::new(), |one| one.params.iter().map(|field| field.ty).collect())
            }
        }
    }

    /// Arguments, whose parameters tell types.
    pub fn args(&mut self, args: &[Expr], params: &[Type]) -> String {
        let mut texts = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            texts.push(self.write(arg, params.get(at).copied()).0);
        }
        texts.join(", ")
    }

    /// A call, also at a statement's root.
    pub fn call(&mut self, call: &Call) -> String {
        let tries = if call.tries { "try " } else { "" };
        let params = self.params(call.callee);
        let name = instruction(self.module, call.callee).map(|one| one.name.to_string());
        let (head, args) = match (call.callee, &call.args[..]) {
            (Callee::Func(id), args) => (self.names.func(id), args),
            (Callee::Ref(ty), [of, args @ ..]) => (self.exact(of, Type::Ref(ty), ATOM), args),
            (Callee::SendTo(ty, opcode), [of, args @ ..]) => {
                let of = self.exact(of, Type::Ref(ty), ATOM);
                (format!("{of}.{}", name.unwrap_or_else(|| format!("i{opcode}"))), args)
            }
            (Callee::Send(id, opcode), args) => {
                let capability = self.names.capability(id);
                (format!("{capability}.{}", name.unwrap_or_else(|| format!("i{opcode}"))), args)
            }
            (Callee::Own(_, opcode), args) => (name.unwrap_or_else(|| format!("i{opcode}")), args),
            (Callee::Run(id, program) | Callee::RunSend(id, program), args) => {
                let word = if matches!(call.callee, Callee::Run(..)) { "run" } else { "send" };
                let of = self.program(program).map_or_else(|| format!("p{}", program.0), |one| one.name.clone());
                let comma = if args.is_empty() { "" } else { ", " };
                let text = self.args(args, &params);
                return format!("{tries}{}.{word}({of}{comma}{text})", self.names.capability(id));
            }
            (Callee::Ref(_) | Callee::SendTo(..), []) => (String::from("?"), &[][..]),
        };
        format!("{tries}{head}({})", self.args(args, &params))
    }

    /// The text of a value whose type in text is exactly `ty`.
    fn exact(&mut self, expr: &Expr, ty: Type, least: Binding) -> String {
        match self.class(expr) {
            Class::Of(natural) if natural == ty => self.operand(expr, None, least),
            _ => {
                let (text, binding) = match expr {
                    // These are what they are cast to.
                    Expr::Null(_) | Expr::Node(Instr::Cap(..) | Instr::ArrayOf(..), _) if self.ty(expr) == Some(ty) => {
                        self.write(expr, None)
                    }
                    _ => {
                        let inner = self.operand(expr, None, CAST);
                        (format!("{inner} as {}", self.type_text(ty)), CAST)
                    }
                };
                if binding < least { format!("({text})") } else { text }
            }
        }
    }

    /// The text of a value where nothing else says its type.
    pub fn typed_text(&mut self, expr: &Expr, ty: Type) -> String {
        if ty.is_reference() && self.class(expr) != Class::Of(ty) {
            return self.exact(expr, ty, OR);
        }
        self.text(expr, None)
    }

    /// Any value of a type, where only its place matters.
    pub fn some_value(&self, ty: Type, depth: usize) -> Option<String> {
        let id = match ty {
            Type::I32 | Type::I64 => return Some("0".into()),
            Type::F32 | Type::F64 => return Some("0.0".into()),
            Type::V128 => return Some("v128(0, 0)".into()),
            Type::Bool => return Some("false".into()),
            Type::Str | Type::Any => return Some("\"\"".into()),
            Type::Buf | Type::BufRef => return Some("buf(0)".into()),
            Type::OptStr | Type::OptBuf | Type::OptAny | Type::Opt(_) => return Some("null".into()),
            Type::Ref(id) => id,
        };
        let depth = depth.checked_sub(1)?;
        match self.module.types.get(id.index())? {
            TypeDef::Array(_) => Some("[]".into()),
            TypeDef::Func(sig) => {
                let same = self.module.funcs.iter().position(|func| func.sig == *sig)?;
                Some(format!("&{}", self.names.func(crate::FuncId(same as u32))))
            }
            TypeDef::Cap(def) => {
                let wanted = self.module.uses.iter().find(|wanted| wanted.isa == def.isa)?;
                Some(wanted.name.clone())
            }
            TypeDef::Struct(_) => {
                let mut fields = Vec::new();
                for (at, field) in self.types.fields(id).iter().enumerate() {
                    let name = self.names.field(self.module, id, FieldId(at as u32));
                    fields.push(format!("{name}: {}", self.some_value(field.storage.value(), depth)?));
                }
                Some(format!("new {} {{{}}}", self.names.structure(id), fields.join(", ")))
            }
        }
    }

    /// An operator's text; also of one that stands as a statement.
    pub fn operator(&mut self, op: Op, immediate: Immediate, args: &[Expr]) -> String {
        self.op(op, immediate, args, None).0
    }

    fn class(&self, expr: &Expr) -> Class {
        match expr {
            Expr::I32(_) | Expr::I64(_) => Class::Open,
            Expr::F32(bits) if f32::from_bits(*bits).is_finite() => Class::Float,
            Expr::F64(bits) if f64::from_bits(*bits).is_finite() => Class::Float,
            Expr::Op(op, _, args) if is_uniform(op.info()) && is_arithmetic(op.info().result) => {
                let classes: Vec<Class> = args.iter().map(|arg| self.class(arg)).collect();
                match uniform_class(&classes) {
                    Some(class) => class,
                    None => op.info().result.map_or(Class::Unknown, Class::Of),
                }
            }
            Expr::Cond(ty, parts) => match (self.class(&parts[1]), self.class(&parts[2])) {
                (Class::Open, Class::Open) => Class::Open,
                (Class::Open | Class::Float, Class::Open | Class::Float) => Class::Float,
                (Class::Of(a), Class::Of(b)) if a == b && a == *ty => Class::Of(a),
                (Class::Of(a), Class::Open | Class::Float) | (Class::Open | Class::Float, Class::Of(a)) => Class::Of(a),
                _ => Class::Unknown,
            },
            Expr::Null(_) | Expr::Node(Instr::ArrayOf(..), _) => Class::Unknown,
            Expr::Node(Instr::Cap(id, ty), _) => match self.is_whole(*id, *ty) {
                true => Class::Of(Type::Ref(*ty)),
                false => Class::Unknown,
            },
            other => self.ty(other).map_or(Class::Unknown, Class::Of),
        }
    }

    /// Whether a capability's type is what its name alone means: all that is shown of its set.
    fn is_whole(&self, id: crate::UseId, ty: TypeId) -> bool {
        let set = self.module.uses.get(id.index()).and_then(|wanted| self.module.isas.get(wanted.isa.index()));
        let (Some(set), Some(TypeDef::Cap(def))) = (set, self.module.types.get(ty.index())) else { return false };
        let same = |other: &&crate::isa::InstructionSet| other.name == set.name && other.version == set.version;
        let all = self.module.isas.iter().filter(same);
        all.flat_map(|set| set.instructions.iter()).all(|one| def.instructions.contains(&one.opcode))
    }

    fn write(&mut self, expr: &Expr, expected: Option<Type>) -> (String, Binding) {
        match expr {
            Expr::I32(value) => (value.to_string(), ATOM),
            Expr::I64(value) if expected == Some(Type::I64) => (value.to_string(), ATOM),
            Expr::I64(value) => (self.names.constant(Type::I64, &value.to_string()), ATOM),
            Expr::F64(bits) => (self.float(*bits), ATOM),
            Expr::F32(bits) => (self.narrow(*bits, expected == Some(Type::F32)), ATOM),
            Expr::Bool(value) => (value.to_string(), ATOM),
            Expr::Str(id) => (self.literal(*id), ATOM),
            Expr::Null(ty) if expected == Some(*ty) => ("null".into(), ATOM),
            Expr::Null(ty) => (format!("null as {}", self.type_text(*ty)), CAST),
            Expr::Local(id) => (self.names.local(*id), ATOM),
            Expr::Call(call) => (self.call(call), if call.tries { UNARY } else { ATOM }),
            Expr::Op(op, immediate, args) => self.op(*op, *immediate, args, expected),
            Expr::Node(instr, args) => self.node(*instr, args, expected),
            Expr::Cond(ty, parts) => self.cond(*ty, parts, expected),
        }
    }

    /// The text of an operand that must bind at least as tightly as `least`.
    fn operand(&mut self, expr: &Expr, expected: Option<Type>, least: Binding) -> String {
        let (text, binding) = self.write(expr, expected);
        if binding < least { format!("({text})") } else { text }
    }

    fn node(&mut self, instr: Instr<'_>, args: &[Expr], expected: Option<Type>) -> (String, Binding) {
        let text = match (instr, args) {
            (Instr::GlobalGet(id), _) => self.names.global(id),
            (Instr::GlobalTake(id), _) => format!("take({})", self.names.global(id)),
            (Instr::StructNew(id), args) => self.new_struct(id, args),
            (Instr::FieldGet(id, field), [of]) => self.field(of, id, field),
            (Instr::FieldTake(id, field), [of]) => format!("take({})", self.field(of, id, field)),
            (Instr::ArrayNew(id), [length, fill]) => {
                let element = self.types.array(id).map(|def| def.element.value());
                let ty = self.type_text(Type::Ref(id));
                format!("new {ty}({}, {})", self.text(length, Some(Type::I32)), self.text(fill, element))
            }
            (Instr::ArrayOf(id, _), args) => {
                let element = self.types.array(id).map(|def| def.element.value());
                let mut texts = Vec::new();
                for arg in args {
                    texts.push(self.write(arg, element).0);
                }
                let text = format!("[{}]", texts.join(", "));
                if expected.and_then(|expected| expected.def()) == Some(id) {
                    text
                } else {
                    return (format!("{text} as {}", self.type_text(Type::Ref(id))), CAST);
                }
            }
            (Instr::ArrayGet(id), [of, index]) => self.element(of, index, id),
            (Instr::ArrayTake(id), [of, index]) => format!("take({})", self.element(of, index, id)),
            (Instr::ArrayLen, [of]) => format!("len({})", self.text(of, None)),
            (Instr::RefEq, [left, right]) => return self.identity("==", left, right),
            (Instr::RefNe, [left, right]) => return self.identity("!=", left, right),
            (Instr::Is(ty), [of]) => {
                let of = self.doubted(of, ty, false);
                return (format!("{of} is {}", self.type_text(ty)), CAST);
            }
            (Instr::As(ty), [of]) => {
                let of = self.doubted(of, ty, true);
                return (format!("{of} as {}", self.type_text(ty)), CAST);
            }
            (Instr::Freeze, [of]) => format!("freeze({})", self.text(of, None)),
            (Instr::FuncRef(func, _), _) => format!("&{}", self.names.func(func)),
            (Instr::Cap(id, ty), _) => {
                let name = self.names.capability(id);
                let told = expected.and_then(|expected| expected.def());
                let told = told.filter(|told| self.types.cap(*told).is_some());
                if told == Some(ty) || (told.is_none() && self.is_whole(id, ty)) {
                    name
                } else {
                    return (format!("{name} as {}", self.type_text(Type::Ref(ty))), CAST);
                }
            }
            (Instr::Attenuate(ty), [of]) => {
                // What is expected of the result is expected of the operand.
                let of = match (of, self.ty(of)) {
                    (Expr::Node(Instr::Cap(..), _), Some(own)) => {
                        format!("{} as {}", self.operand(of, Some(own), CAST), self.type_text(own))
                    }
                    _ => self.text(of, None),
                };
                return match expected == Some(Type::Ref(ty)) {
                    true => (format!("attenuate({of})"), ATOM),
                    false => (format!("attenuate({of}) as {}", self.type_text(Type::Ref(ty))), CAST),
                };
            }
            (Instr::Caller, _) => String::from("caller"),
            (Instr::Shuffle(lanes), [a, b]) => {
                let lanes: Vec<String> = lanes.iter().map(u8::to_string).collect();
                format!("i8x16.shuffle({}, {}, {})", self.text(a, None), self.text(b, None), lanes.join(", "))
            }
            _ => String::from("?"),
        };
        (text, ATOM)
    }

    fn new_struct(&mut self, id: TypeId, args: &[Expr]) -> String {
        let mut fields = Vec::new();
        for (at, arg) in args.iter().enumerate() {
            let number = FieldId(at as u32);
            let name = self.names.field(self.module, id, number);
            let ty = self.field_type(id, number);
            fields.push(format!("{name}: {}", self.write(arg, ty).0));
        }
        let name = self.names.structure(id);
        if fields.is_empty() { format!("new {name} {{}}") } else { format!("new {name} {{ {} }}", fields.join(", ")) }
    }

    /// `of.field`, also as a place.
    pub fn field(&mut self, of: &Expr, id: TypeId, field: FieldId) -> String {
        let of = self.exact(of, Type::Ref(id), ATOM);
        format!("{of}.{}", self.names.field(self.module, id, field))
    }

    /// `of[index]`, also as a place.
    pub fn element(&mut self, of: &Expr, index: &Expr, id: TypeId) -> String {
        let of = self.exact(of, Type::Ref(id), ATOM);
        format!("{of}[{}]", self.text(index, Some(Type::I32)))
    }

    /// What is cast or tested; if text would see that it is of the type anyway, it is made to forget.
    fn doubted(&mut self, of: &Expr, ty: Type, casts: bool) -> String {
        let own = self.ty(of);
        let known = casts && own.is_some_and(|own| self.types.is_subtype(own, ty));
        let widens = match (own.and_then(Type::def), ty.def()) {
            (Some(own), Some(ty)) => {
                let caps = self.types.cap(own).is_some() && self.types.cap(ty).is_some();
                caps && !self.types.def_is_subtype(own, ty)
            }
            _ => false,
        };
        // These would become what they are cast to.
        let open = matches!(of, Expr::Null(_) | Expr::Node(Instr::ArrayOf(..) | Instr::Cap(..), _));
        match own {
            Some(own) if known || widens || open => {
                let own_text = if open { self.exact(of, own, CAST) } else { self.operand(of, None, CAST) };
                let any = if own.is_nullable() { "?any" } else { "any" };
                if own.is_reference() { format!("{own_text} as {any}") } else { own_text }
            }
            _ => self.operand(of, None, CAST),
        }
    }

    /// `subject` or `subject as T`: what stands behind `if let x =`.
    pub fn unwrapped(&mut self, subject: &Expr, ty: Type) -> String {
        match self.class(subject) {
            Class::Of(own) if own.is_nullable() && own.non_null() == ty => {
                match subject {
                    // Would be read as a test.
                    Expr::Node(Instr::As(_), _) => {
                        format!("{} as {}", self.doubted(subject, ty, true), self.type_text(ty))
                    }
                    _ => self.operand(subject, None, OR),
                }
            }
            _ => format!("{} as {}", self.doubted(subject, ty, true), self.type_text(ty)),
        }
    }

    fn identity(&mut self, symbol: &str, left: &Expr, right: &Expr) -> (String, Binding) {
        let types = (self.ty(left), self.ty(right));
        let text = |ty: Option<Type>| matches!(ty, Some(Type::Str | Type::OptStr));
        if text(types.0) || text(types.1) {
            // Strings are compared by their bytes, unless they are forgotten to be such.
            let mut forgotten = |expr: &Expr| format!("{} as ?any", self.operand(expr, None, CAST));
            return (format!("{} {symbol} {}", forgotten(left), forgotten(right)), COMPARISON);
        }
        let expected = match left {
            Expr::Null(ty) if types.1 == Some(*ty) && !matches!(right, Expr::Null(_)) => Some(*ty),
            _ => None,
        };
        let left_text = self.operand(left, expected, COMPARISON + 1);
        let right_text = self.operand(right, types.0.filter(|_| expected.is_none()), COMPARISON + 1);
        (format!("{left_text} {symbol} {right_text}"), COMPARISON)
    }

    fn cond(&mut self, ty: Type, parts: &[Expr; 3], expected: Option<Type>) -> (String, Binding) {
        let [test, yes, no] = parts;
        match (yes, no) {
            (_, Expr::Bool(false)) => {
                let test = self.operand(test, Some(Type::Bool), AND);
                (format!("{test} && {}", self.operand(yes, Some(Type::Bool), AND + 1)), AND)
            }
            (Expr::Bool(true), _) => {
                let test = self.operand(test, Some(Type::Bool), OR);
                (format!("{test} || {}", self.operand(no, Some(Type::Bool), OR + 1)), OR)
            }
            _ => {
                let closed = |class: Class| matches!(class, Class::Of(_) | Class::Unknown);
                let told = expected.or_else(|| (closed(self.class(yes)) || closed(self.class(no))).then_some(ty));
                let test = self.condition(test);
                let (yes, no) = (self.choice(yes, ty, told), self.choice(no, ty, told));
                (format!("if {test} {{ {yes} }} else {{ {no} }}"), IF)
            }
        }
    }

    /// A branch's value. Of references, text takes the nearest common type: what is wanted is said.
    fn choice(&mut self, expr: &Expr, ty: Type, told: Option<Type>) -> String {
        if ty.is_reference() && self.class(expr) != Class::Of(ty) {
            return self.exact(expr, ty, OR);
        }
        self.write(expr, told).0
    }

    fn op(&mut self, op: Op, immediate: Immediate, args: &[Expr], expected: Option<Type>) -> (String, Binding) {
        let info = op.info();
        let told = self.types_told(info, args, expected);
        let told = |at: usize| told.get(at).copied().flatten();
        match (info.form, args) {
            (Form::Infix, [left, right]) => {
                let binding = infix_binding(info.text);
                // Comparisons do not chain, everything else groups to the left.
                let left_least = if binding == COMPARISON { binding + 1 } else { binding };
                let left = self.operand(left, told(0), left_least);
                (format!("{left} {} {}", info.text, self.operand(right, told(1), binding + 1)), binding)
            }
            (Form::Prefix, [value]) => {
                // A sign before a number would be read as part of it.
                let number = matches!(value, Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_));
                let least = if number && info.text == "-" { ATOM + 1 } else { UNARY };
                // `try` stands next to what it tries.
                let tries = matches!(value, Expr::Call(call) if call.tries);
                let text = self.operand(value, told(0), if tries { ATOM } else { least });
                (format!("{}{text}", info.text), UNARY)
            }
            (Form::Index, [of, index]) => {
                (format!("{}[{}]", self.operand(of, told(0), ATOM), self.write(index, told(1)).0), ATOM)
            }
            (Form::IndexSet, [of, index, value]) => {
                let of = self.operand(of, told(0), ATOM);
                (format!("{of}[{}] = {}", self.write(index, told(1)).0, self.write(value, told(2)).0), IF)
            }
            _ => {
                let mut texts: Vec<String> = Vec::new();
                for (at, arg) in args.iter().enumerate() {
                    texts.push(self.write(arg, told(at)).0);
                }
                if info.form.lanes().is_some() {
                    texts.push(immediate.lane.to_string());
                }
                if immediate.offset != 0 {
                    texts.push(format!("offset: {}", immediate.offset));
                }
                (format!("{}({})", info.text, texts.join(", ")), ATOM)
            }
        }
    }

    /// For each operand, the type that text would expect of it: an open one takes the type of what it is
    /// combined with. Where overloading would pick another operator, one operand has to be a named
    /// constant.
    fn types_told(&self, info: &'static OpInfo, args: &[Expr], expected: Option<Type>) -> Vec<Option<Type>> {
        let mut classes: Vec<Class> = args.iter().map(|arg| self.class(arg)).collect();
        let mut told: Vec<Option<Type>> = info.params.iter().map(|ty| Some(*ty)).collect();
        if is_uniform(info) && is_arithmetic(info.result) && uniform_class(&classes).is_some() {
            let default = matches!(info.result, Some(Type::I32 | Type::F64));
            if let (Some(first), false) = (told.first_mut(), default) {
                *first = expected.filter(|_| expected == info.result);
            }
            return told;
        }
        while chosen(info, &classes) != Some(info.op) {
            let narrow = |(class, param): (&Class, &Type)| {
                matches!((class, param), (Class::Open, Type::I64) | (Class::Float, Type::F32))
            };
            let Some(at) = classes.iter().zip(info.params).position(narrow) else { break };
            classes[at] = Class::Of(info.params[at]);
            told[at] = None;
        }
        told
    }

    fn float(&mut self, bits: u64) -> String {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            return float_text(&format!("{value:?}"));
        }
        let source = match bits {
            0x7ff0_0000_0000_0000 => String::from("1.0 / 0.0"),
            0xfff0_0000_0000_0000 => String::from("-1.0 / 0.0"),
            _ => format!("f64_bits({bits:#x})"),
        };
        self.names.constant(Type::F64, &source)
    }

    fn narrow(&mut self, bits: u32, expected: bool) -> String {
        let value = f32::from_bits(bits);
        let source = match bits {
            _ if value.is_finite() => float_text(&format!("{value:?}")),
            0x7f80_0000 => String::from("1.0 / 0.0"),
            0xff80_0000 => String::from("-1.0 / 0.0"),
            _ => format!("f32_bits({bits:#x})"),
        };
        if value.is_finite() && expected { source } else { self.names.constant(Type::F32, &source) }
    }

    fn literal(&self, id: StrId) -> String {
        self.module.strings.get(id.index()).map_or_else(|| format!("/* literal {} */", id.0), |text| quoted(text))
    }
}

/// A finite float as Rust shows it, with digits on both sides of its dot.
fn float_text(text: &str) -> String {
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => text.to_string(),
    }
}

/// A string literal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '\'' => out.push(char),
            _ => out.extend(char.escape_debug()),
        }
    }
    out.push('"');
    out
}

fn infix_binding(text: &str) -> Binding {
    match text {
        "*" | "/" | "%" => 9,
        "+" | "-" => 8,
        "<<" | ">>" => 7,
        "&" => 6,
        "^" => 5,
        "|" => 4,
        _ => COMPARISON,
    }
}

/// Whether operands and result are all of one type.
fn is_uniform(info: &OpInfo) -> bool {
    !info.params.is_empty() && info.params.iter().all(|param| Some(*param) == info.result)
}

fn is_arithmetic(ty: Option<Type>) -> bool {
    matches!(ty, Some(Type::I32 | Type::I64 | Type::F32 | Type::F64))
}

/// The class of an operator over literals alone.
fn uniform_class(classes: &[Class]) -> Option<Class> {
    let open = classes.iter().all(|class| matches!(class, Class::Open | Class::Float));
    let float = classes.contains(&Class::Float);
    open.then_some(if float { Class::Float } else { Class::Open })
}

/// The operator that text means by these operands: the one that fits them best.
fn chosen(info: &OpInfo, classes: &[Class]) -> Option<Op> {
    let called = |form: Form| !matches!(form, Form::Infix | Form::Prefix | Form::Index | Form::IndexSet);
    let alike = |other: &&OpInfo| {
        other.text == info.text && (other.form == info.form || (called(other.form) && called(info.form)))
    };
    let fits = |other: &'static OpInfo| misfit(other, classes).map(|misfit| (misfit, other.op));
    let fitting = Op::TABLE.iter().filter(alike).filter_map(fits);
    fitting.min_by_key(|(misfit, _)| *misfit).map(|(_, op)| op)
}

fn misfit(info: &OpInfo, classes: &[Class]) -> Option<u32> {
    if info.params.len() != classes.len() {
        return None;
    }
    let one = |(class, param): (&Class, &Type)| match (class, param) {
        (Class::Of(Type::Buf), Type::BufRef) => Some(0),
        (Class::Of(ty), param) => (ty == param).then_some(0),
        (Class::Open, Type::I32) | (Class::Float, Type::F64) => Some(0),
        (Class::Open, Type::I64) | (Class::Float, Type::F32) => Some(1),
        (Class::Open, Type::F64) => Some(2),
        (Class::Open, Type::F32) => Some(3),
        (Class::Open | Class::Float | Class::Unknown, _) => None,
    };
    classes.iter().zip(info.params).map(one).sum()
}
