//! Expressions as text, with the fewest parentheses that keep their meaning.
//!
//! The text front end infers types from the inside out, with a hint from around: what it would choose is followed
//! here, and where it would choose otherwise, a literal becomes a named constant or a reference is cast to the type
//! (a supertype, so that the cast does nothing).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::names::Names;
use super::tree::{Callee, Expr, Node};
use super::typing::{Class, Typing, chosen, is_overloaded};
use crate::op::{Form, Immediate, Op, OpInfo};
use crate::{MemoryId, StrId, Type, TypeId};

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
pub(super) struct Exprs<'a, 'm> {
    pub typing: &'a Typing<'m>,
    pub names: &'a mut Names,
}

/// What text knows of an expression from its place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The type that would be welcome.
    hint: Option<Type>,
    /// Whether literals get their type from around.
    typed: bool,
}

impl Place {
    /// Nothing is known.
    pub const BARE: Place = Place { hint: None, typed: false };

    /// A value of this type is wanted.
    pub const fn wants(ty: Type) -> Place {
        Place { hint: Some(ty), typed: true }
    }

    const fn operand(typed: bool) -> Place {
        Place { hint: None, typed }
    }
}

impl Exprs<'_, '_> {
    /// The text of `expr` where a value of type `expected` is wanted, if the place says so.
    pub fn text(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.write(expr, expected.map_or(Place::BARE, Place::wants)).0
    }

    /// Whether the expression's text starts with `if`.
    pub fn is_if(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Node(Node::Cond(_), parts) if logic(parts).is_none())
    }

    /// The text of a condition, or of what a `match` chooses by, before a block.
    pub fn condition(&mut self, expr: &Expr, expected: Option<Type>) -> String {
        self.operand(expr, expected.map_or(Place::BARE, Place::wants), OR)
    }

    /// What text would make of the expression if nothing were known from around is not this type, or takes more words.
    pub fn needs_type(&self, expr: &Expr, ty: Type) -> bool {
        // The first branch of a whole right side decides.
        if let Expr::Node(Node::Cond(_), parts) = expr
            && let [_, yes, _] = &parts[..]
            && logic(parts).is_none()
        {
            return self.needs_type(yes, ty);
        }
        self.typing.class(expr).settled() != Some(ty) || self.is_hintless(expr)
    }

    fn is_hintless(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Null(_) => true,
            Expr::Node(Node::ArrayOf(ty), list) => {
                !self.typing.is_plain_literal(*ty, list) || list.iter().any(|element| self.is_hintless(element))
            }
            Expr::Node(Node::Attenuate(ty), list) => {
                list.iter().any(|operand| self.typing.ty(operand) != Some(Type::Ref(*ty)))
            }
            Expr::Node(Node::Freeze, list) => list.iter().any(|operand| self.is_hintless(operand)),
            Expr::Cap(id, ty) => !self.names.is_whole_use(self.typing.module, *id, *ty),
            _ => false,
        }
    }

    /// What `if let` asks: the subject alone if it is unwrapped, else `subject as T`.
    pub fn bound(&mut self, subject: &Expr, ty: Type) -> String {
        let unwraps = self.typing.ty(subject).is_some_and(|from| from != ty && from.non_null() == ty);
        let (text, binding) = self.write(subject, Place::BARE);
        if unwraps && binding != CAST { text } else { self.narrow(subject, ty).0 }
    }

    /// Arguments for parameters of these types.
    pub fn args(&mut self, args: &[Expr], types: &[Type]) -> String {
        let one = |(at, arg): (usize, &Expr)| self.text(arg, types.get(at).copied());
        args.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
    }

    /// An operator's text; also of one that stands as a statement.
    pub fn operator(&mut self, op: Op, immediate: Immediate, args: &[Expr]) -> String {
        self.op(op, immediate, args, true).0
    }

    /// `name(args)`, `cap.name(args)`, ..
    pub fn call(&mut self, callee: Callee, args: &[Expr]) -> String {
        let (params, _) = self.typing.signature(callee).unwrap_or_default();
        let module = self.typing.module;
        let (head, args) = match (callee, args) {
            (Callee::Func(id), args) => (self.names.func(id), args),
            (Callee::Ref(ty), [of, args @ ..]) => (self.object(of, ty), args),
            (Callee::Send(id, opcode), args) => {
                let name = self.names.instruction(self.typing.instruction(callee), opcode);
                (format!("{}.{name}", self.names.capability(id)), args)
            }
            (Callee::SendTo(ty, opcode), [of, args @ ..]) => {
                let name = self.names.instruction(self.typing.instruction(callee), opcode);
                (format!("{}.{name}", self.object(of, ty)), args)
            }
            (Callee::Own(opcode), args) => (self.names.instruction(self.typing.instruction(callee), opcode), args),
            (Callee::Run(id, program) | Callee::RunSend(id, program), args) => {
                let word = if matches!(callee, Callee::Run(..)) { "run" } else { "send" };
                let head = format!("{}.{word}", self.names.capability(id));
                let program = self.names.program(module, program);
                let separator = if args.is_empty() { "" } else { ", " };
                return format!("{head}({program}{separator}{})", self.args(args, &params));
            }
            (Callee::Ref(_) | Callee::SendTo(..), []) => (String::from("_"), args),
        };
        format!("{head}({})", self.args(args, &params))
    }

    /// What something of definition `ty` is applied to: an expression of exactly that type.
    pub fn object(&mut self, expr: &Expr, ty: TypeId) -> String {
        let exact = self.typing.ty(expr) == Some(Type::Ref(ty));
        // A capability's name by itself stands for the capability, not for its value.
        if exact && !matches!(expr, Expr::Cap(..)) {
            return self.operand(expr, Place::BARE, ATOM);
        }
        format!("({})", self.cast(expr, Type::Ref(ty)).0)
    }

    /// The name of a field.
    pub fn field(&self, ty: TypeId, field: crate::FieldId) -> String {
        self.names.field(ty, field)
    }

    fn write(&mut self, expr: &Expr, place: Place) -> (String, Binding) {
        match expr {
            Expr::I32(value) => (value.to_string(), ATOM),
            Expr::I64(value) if place.typed => (value.to_string(), ATOM),
            Expr::I64(value) => (self.names.constant(Type::I64, &value.to_string()), ATOM),
            Expr::F32(bits) => (self.float32(*bits, place.typed), ATOM),
            Expr::F64(bits) => (self.float64(*bits), ATOM),
            Expr::Bool(value) => (value.to_string(), ATOM),
            Expr::Str(id) => (self.literal(*id), ATOM),
            Expr::Null(ty) if place.hint == Some(*ty) => (String::from("null"), ATOM),
            Expr::Null(ty) => (format!("null as {}", self.names.ty(*ty)), CAST),
            Expr::Local(id) if self.names.is_nullable(*id) => {
                let ty = self.typing.local(*id).unwrap_or(Type::Any);
                (format!("{} as {}", self.names.local(*id), self.names.ty(ty)), CAST)
            }
            Expr::Local(id) => (self.names.local(*id), ATOM),
            Expr::Global(id) => (self.names.global(*id), ATOM),
            Expr::GlobalTake(id) => (format!("take({})", self.names.global(*id)), ATOM),
            Expr::FuncRef(id, _) => (format!("&{}", self.names.func(*id)), UNARY),
            Expr::Caller => (String::from("caller"), ATOM),
            Expr::Cap(id, ty) => {
                let name = self.names.capability(*id);
                let wanted = place.hint.filter(|hint| self.typing.cap(*hint).is_some()).and_then(Type::def);
                match wanted {
                    Some(wanted) if wanted == *ty => (name, ATOM),
                    None if self.names.is_whole_use(self.typing.module, *id, *ty) => (name, ATOM),
                    _ => (format!("{name} as {}", self.names.ty(Type::Ref(*ty))), CAST),
                }
            }
            Expr::Node(node, operands) => self.node(*node, operands, place),
        }
    }

    fn node(&mut self, node: Node, operands: &[Expr], place: Place) -> (String, Binding) {
        match (node, operands) {
            (Node::Op(op, immediate), _) => self.op(op, immediate, operands, place.typed),
            (Node::Call(callee), _) => (self.call(callee, operands), ATOM),
            (Node::Try(callee), _) => (format!("try {}", self.call(callee, operands)), UNARY),
            (Node::Shuffle(lanes), _) => {
                let vectors = self.args(operands, &[Type::V128; 2]);
                let lanes: Vec<String> = lanes.iter().map(u8::to_string).collect();
                (format!("i8x16.shuffle({vectors}, {})", lanes.join(", ")), ATOM)
            }
            (Node::StructNew(ty), _) => (self.new_struct(ty, operands), ATOM),
            (Node::FieldGet(ty, field), [of]) => (format!("{}.{}", self.object(of, ty), self.field(ty, field)), ATOM),
            (Node::FieldTake(ty, field), [of]) => {
                (format!("take({}.{})", self.object(of, ty), self.field(ty, field)), ATOM)
            }
            (Node::ArrayNew(ty), [length, fill]) => {
                let element = self.typing.array(ty).map(|def| def.element.value());
                let (length, fill) = (self.text(length, Some(Type::I32)), self.text(fill, element));
                (format!("new {}({length}, {fill})", self.names.ty(Type::Ref(ty))), ATOM)
            }
            (Node::ArrayOf(ty), _) => self.array(ty, operands, place),
            (Node::ArrayGet(ty), [of, index]) => (self.element(ty, of, index), ATOM),
            (Node::ArrayTake(ty), [of, index]) => (format!("take({})", self.element(ty, of, index)), ATOM),
            (Node::ArrayLen, [of]) => (format!("len({})", self.write(of, Place::BARE).0), ATOM),
            (Node::RefEq, [left, right]) => (self.identity("==", left, right), COMPARISON),
            (Node::RefNe, [left, right]) => (self.identity("!=", left, right), COMPARISON),
            (Node::Is(ty), [of]) => (self.type_test(of, ty), CAST),
            (Node::As(ty), [of]) => self.narrow(of, ty),
            (Node::Freeze, [of]) => {
                (format!("freeze({})", self.write(of, Place { hint: place.hint, typed: false }).0), ATOM)
            }
            (Node::Attenuate(ty), [of]) => self.attenuate(ty, of, place),
            (Node::Cond(ty), [test, yes, no]) => self.cond(ty, test, yes, no, place),
            (Node::Select(ty), [yes, no, test]) => self.select(ty, yes, no, test, place),
            // Only of a broken module.
            _ => (format!("{node:?}({})", self.args(operands, &[])), ATOM),
        }
    }

    /// The text of an operand that must bind at least as tightly as `least`.
    fn operand(&mut self, expr: &Expr, place: Place, least: Binding) -> String {
        let (text, binding) = self.write(expr, place);
        if binding < least { format!("({text})") } else { text }
    }

    // References

    /// `expr as T`
    pub fn cast(&mut self, expr: &Expr, ty: Type) -> (String, Binding) {
        // Text passes the type on to capabilities, to `null` and to array literals.
        let passes = self.typing.cap(ty).is_some() || matches!(expr, Expr::Null(_) | Expr::Node(Node::ArrayOf(_), _));
        let hint = if passes { Some(ty) } else { None };
        let of = self.operand(expr, Place { hint, typed: false }, CAST);
        (format!("{of} as {}", self.names.ty(ty)), CAST)
    }

    /// An `as` that tests: text gives instructions for it unless the type is a supertype.
    fn narrow(&mut self, of: &Expr, ty: Type) -> (String, Binding) {
        let widens = self.widens_capability(of, ty);
        if widens {
            let any = self.as_any(of);
            return (format!("{any} as {}", self.names.ty(ty)), CAST);
        }
        self.cast(of, ty)
    }

    fn type_test(&mut self, of: &Expr, ty: Type) -> String {
        let of = if self.widens_capability(of, ty) { self.as_any(of) } else { self.operand(of, Place::BARE, CAST) };
        format!("{of} is {}", self.names.ty(ty))
    }

    /// Whether text refuses to ask, since a capability of this type never has these instructions by its type.
    pub fn widens_capability(&self, of: &Expr, ty: Type) -> bool {
        let from = self.typing.ty(of).and_then(|from| self.typing.cap(from));
        match (from, self.typing.cap(ty)) {
            (Some(from), Some(to)) => {
                from.isa == to.isa && !to.instructions.iter().all(|opcode| from.instructions.contains(opcode))
            }
            _ => false,
        }
    }

    /// A reference as `any` or `?any`.
    pub fn as_any(&mut self, of: &Expr) -> String {
        let nullable = self.typing.ty(of).is_some_and(Type::is_nullable);
        self.cast(of, if nullable { Type::OptAny } else { Type::Any }).0
    }

    fn identity(&mut self, op: &str, left: &Expr, right: &Expr) -> String {
        let (a, b) = (self.typing.ty(left), self.typing.ty(right));
        let left_hint = if matches!(left, Expr::Null(_)) && !matches!(right, Expr::Null(_)) { b } else { None };
        // A `null` that takes its type from the right tells nothing about it.
        let right_hint = if matches!(left, Expr::Null(ty) if left_hint == Some(*ty)) { None } else { a };
        let left = self.operand(left, Place { hint: left_hint, typed: false }, COMPARISON + 1);
        let right = self.operand(right, Place { hint: right_hint, typed: false }, COMPARISON + 1);
        format!("{left} {op} {right}")
    }

    fn new_struct(&mut self, ty: TypeId, values: &[Expr]) -> String {
        let types: Vec<Type> = self.typing.hierarchy.fields(ty).iter().map(|field| field.storage.value()).collect();
        let mut fields = Vec::new();
        for (at, value) in values.iter().enumerate() {
            let name = self.field(ty, crate::FieldId(at as u32));
            fields.push(format!("{name}: {}", self.text(value, types.get(at).copied())));
        }
        let name = self.names.ty(Type::Ref(ty));
        if fields.is_empty() { format!("new {name} {{}}") } else { format!("new {name} {{ {} }}", fields.join(", ")) }
    }

    fn array(&mut self, ty: TypeId, values: &[Expr], place: Place) -> (String, Binding) {
        let expected = place.hint.and_then(Type::def).filter(|id| self.typing.array(*id).is_some());
        let element = self.typing.array(ty).map(|def| def.element.value());
        if expected == Some(ty) || element.is_none() {
            let one = |value: &Expr| self.text(value, element);
            let values: Vec<String> = values.iter().map(one).collect();
            return (format!("[{}]", values.join(", ")), ATOM);
        }
        if expected.is_some() || !self.typing.is_plain_literal(ty, values) {
            let text = self.array(ty, values, Place::wants(Type::Ref(ty))).0;
            return (format!("{text} as {}", self.names.ty(Type::Ref(ty))), CAST);
        }
        let mut hint = None;
        let mut texts = Vec::new();
        for value in values {
            texts.push(self.write(value, Place { hint, typed: true }).0);
            hint = match (hint, self.typing.class(value)) {
                (Some(before), Class::Of(next)) => self.typing.join(before, next).or(Some(before)),
                (None, Class::Of(next)) => Some(next),
                (hint, _) => hint,
            };
        }
        // Literals alone are what the type is, and others take theirs from the rest.
        (format!("[{}]", texts.join(", ")), ATOM)
    }

    /// `array[index]`
    pub fn element(&mut self, ty: TypeId, of: &Expr, index: &Expr) -> String {
        format!("{}[{}]", self.object(of, ty), self.text(index, Some(Type::I32)))
    }

    fn attenuate(&mut self, ty: TypeId, of: &Expr, place: Place) -> (String, Binding) {
        let hint = place.hint.filter(|hint| self.typing.cap(*hint).is_some()).and_then(Type::def);
        let own = self.typing.ty(of) == Some(Type::Ref(ty));
        let passed = Place { hint: Some(Type::Ref(ty)), typed: false };
        if hint == Some(ty) || (hint.is_none() && own) {
            let place = if hint.is_some() { passed } else { Place::BARE };
            return (format!("attenuate({})", self.write(of, place).0), ATOM);
        }
        let of = self.write(of, passed).0;
        (format!("attenuate({of}) as {}", self.names.ty(Type::Ref(ty))), CAST)
    }

    // Choices

    fn cond(&mut self, ty: Type, test: &Expr, yes: &Expr, no: &Expr, place: Place) -> (String, Binding) {
        match (yes, no) {
            (_, Expr::Bool(false)) => {
                let (test, yes) = (self.boolean(test, AND), self.boolean(yes, AND + 1));
                return (format!("{test} && {yes}"), AND);
            }
            (Expr::Bool(true), _) => {
                let (test, no) = (self.boolean(test, OR), self.boolean(no, OR + 1));
                return (format!("{test} || {no}"), OR);
            }
            _ => {}
        }
        let test = self.condition(test, Some(Type::Bool));
        let (yes, no, wrap) = self.choices(ty, yes, no, place);
        let text = format!("if {test} {{ {yes} }} else {{ {no} }}");
        if wrap { (format!("({text}) as {}", self.names.ty(ty)), CAST) } else { (text, IF) }
    }

    /// `select(yes, no, test)`
    fn select(&mut self, ty: Type, yes: &Expr, no: &Expr, test: &Expr, place: Place) -> (String, Binding) {
        let (yes, no, wrap) = self.choices(ty, yes, no, place);
        let text = format!("select({yes}, {no}, {})", self.text(test, Some(Type::Bool)));
        if wrap { (format!("{text} as {}", self.names.ty(ty)), CAST) } else { (text, ATOM) }
    }

    /// Two values, one of which is chosen, and whether text gives the choice another type than `ty`.
    fn choices(&mut self, ty: Type, yes: &Expr, no: &Expr, place: Place) -> (String, String, bool) {
        if !ty.is_reference() {
            let open = self.typing.class(yes).is_open() && self.typing.class(no).is_open();
            let typed = place.typed || !open;
            return (self.write(yes, Place::operand(typed)).0, self.write(no, Place::operand(typed)).0, false);
        }
        let (a, b) = (self.typing.ty(yes).unwrap_or(ty), self.typing.ty(no).unwrap_or(ty));
        let passed = Some(ty).filter(|ty| self.typing.cap(*ty).is_some());
        let (hint, cast, wrap) = if self.meet(a, b, place.hint) == ty {
            (place.hint, false, false)
        } else if self.meet(ty, b, place.hint) == ty {
            (place.hint, true, false)
        } else {
            (passed, self.meet(a, b, passed) != ty, true)
        };
        let yes = if cast { self.cast(yes, ty).0 } else { self.write(yes, Place { hint, typed: false }).0 };
        let hint = hint.or(Some(if cast { ty } else { a }));
        let no = self.write(no, Place { hint, typed: false }).0;
        (yes, no, wrap)
    }

    fn boolean(&mut self, expr: &Expr, least: Binding) -> String {
        self.operand(expr, Place::wants(Type::Bool), least)
    }

    /// The type that text gives a choice between references.
    fn meet(&self, a: Type, b: Type, hint: Option<Type>) -> Type {
        if a == b {
            return a;
        }
        let hint = hint.unwrap_or(a);
        let hierarchy = self.typing.hierarchy;
        if hierarchy.is_subtype(a, hint) && hierarchy.is_subtype(b, hint) {
            return hint;
        }
        self.typing.join(a, b).unwrap_or(a)
    }

    // Operators

    fn op(&mut self, op: Op, immediate: Immediate, args: &[Expr], typed: bool) -> (String, Binding) {
        let info = op.info();
        let typed = self.types_given(info, args, typed);
        let given = |at: usize| Place::operand(typed.get(at).copied().unwrap_or(true));
        match (info.form, args) {
            (Form::Infix, [left, right]) => {
                let binding = infix_binding(info.text);
                // Comparisons do not chain, everything else groups to the left.
                let left_least = if binding == COMPARISON { binding + 1 } else { binding };
                let left = self.operand(left, given(0), left_least);
                (format!("{left} {} {}", info.text, self.operand(right, given(1), binding + 1)), binding)
            }
            (Form::Prefix, [value]) => {
                // A sign before a number would be read as part of it.
                let number = matches!(value, Expr::I32(_) | Expr::I64(_) | Expr::F32(_) | Expr::F64(_));
                let least = if number && info.text == "-" { ATOM + 1 } else { UNARY };
                (format!("{}{}", info.text, self.operand(value, given(0), least)), UNARY)
            }
            (Form::Index, [of, index]) => {
                (format!("{}[{}]", self.operand(of, Place::operand(true), ATOM), self.write(index, given(1)).0), ATOM)
            }
            (Form::IndexSet, [of, index, value]) => {
                let of = self.operand(of, Place::operand(true), ATOM);
                let index = self.write(index, given(1)).0;
                // A whole right side: an `if` there would be branches that assign.
                let least = if self.is_if(value) { ATOM } else { IF };
                let value = self.operand(value, given(2), least);
                (format!("{of}[{index}] = {value}"), IF)
            }
            _ => {
                let mut texts: Vec<String> = Vec::new();
                for (at, arg) in args.iter().enumerate() {
                    texts.push(self.write(arg, given(at)).0);
                }
                if info.form.lanes().is_some() {
                    texts.push(immediate.lane.to_string());
                }
                if immediate.offset != 0 {
                    texts.push(format!("offset: {}", immediate.offset));
                }
                for (word, memory) in [("memory", immediate.memory), ("from", immediate.from)] {
                    texts.extend(self.in_memory(word, memory));
                }
                (format!("{}({})", info.text, texts.join(", ")), ATOM)
            }
        }
    }

    /// `memory: name`, unless it is the first one.
    pub fn in_memory(&self, word: &str, memory: MemoryId) -> Option<String> {
        (memory != MemoryId(0)).then(|| format!("{word}: {}", self.names.memory(memory)))
    }

    /// For each operand, whether text would know its type: an open one takes the type of what it is combined with.
    /// Where overloading would pick another operator, one operand has to be a named constant.
    fn types_given(&self, info: &'static OpInfo, args: &[Expr], typed: bool) -> Vec<bool> {
        let mut classes: Vec<Class> = args.iter().map(|arg| self.typing.class(arg)).collect();
        let mut given = alloc::vec![true; args.len()];
        let is_open = |class: &Class| class.is_open();
        if !classes.iter().any(is_open) {
            return given;
        }
        let plain = |class: Class, ty: Type| class.settled() == Some(ty);
        if classes.iter().all(is_open) && is_overloaded(info) {
            let float = classes.contains(&Class::Float);
            let settles = plain(if float { Class::Float } else { Class::Int }, info.result.unwrap_or(Type::I32));
            if let Some(first) = given.first_mut() {
                *first = typed || settles;
            }
            return given;
        }
        while chosen(info, &classes) != Some(info.op) {
            let other = |(class, param): (&Class, &Type)| class.is_open() && !plain(*class, *param);
            let Some(at) = classes.iter().zip(info.params).position(other) else { break };
            let (Some(class), Some(param)) = (classes.get_mut(at), info.params.get(at)) else { break };
            *class = Class::Of(*param);
            given[at] = false;
        }
        given
    }

    // Literals

    fn float64(&mut self, bits: u64) -> String {
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

    fn float32(&mut self, bits: u32, typed: bool) -> String {
        let value = f32::from_bits(bits);
        if value.is_finite() {
            let text = float_text(&format!("{value:?}"));
            return if typed { text } else { self.names.constant(Type::F32, &text) };
        }
        let source = match bits {
            0x7f80_0000 => String::from("1.0 / 0.0"),
            0xff80_0000 => String::from("-1.0 / 0.0"),
            _ => format!("f32_bits({bits:#x})"),
        };
        self.names.constant(Type::F32, &source)
    }

    pub fn literal(&self, id: StrId) -> String {
        let strings = &self.typing.module.strings;
        strings.get(id.index()).map_or_else(|| format!("/* literal {} */", id.0), |text| quoted(text))
    }
}

/// `&&` or `||`, which are choices between a condition and a constant.
fn logic(parts: &[Expr]) -> Option<&'static str> {
    match parts {
        [_, _, Expr::Bool(false)] => Some("&&"),
        [_, Expr::Bool(true), _] => Some("||"),
        _ => None,
    }
}

/// A finite float, with digits on both sides of its dot.
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
