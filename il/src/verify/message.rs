//! What a refused module's author is told: what is wrong, and what to do about it.

use alloc::format;
use alloc::string::{String, ToString};

use super::error::Violation;
use crate::instr::DecodeError;
use crate::leb::LebError;
use crate::{FieldId, FuncId, IsaId, LocalId, Module, Type, TypeDef, TypeId};

impl Violation {
    /// What is wrong and how to repair it.
    pub(super) fn describe(&self, module: &Module, func: Option<FuncId>) -> String {
        let local = |id: LocalId| local_name(module, func, id);
        let text = |ty: &Type| module.type_text(*ty);
        let def = |id: &TypeId| module.type_text(Type::Ref(*id));
        match self {
            Violation::Limit { what, count, limit } => {
                format!("{count} {what}; at most {limit} are allowed: split it up")
            }
            Violation::NoSuch { what, index, count } => {
                format!("there is no {what} {index}; the module has {count}")
            }
            Violation::BadName { what, name } => {
                format!(
                    "`{}` cannot be the name of {what}; use letters, digits and `_`, and no reserved word",
                    name.escape_debug()
                )
            }
            Violation::Duplicate { what, name } => {
                format!("{what} `{}` stands twice; rename or remove one", name.escape_debug())
            }
            Violation::Order { isa, number } => {
                format!("`{isa}`: number {number} is out of order; numbers ascend from 1")
            }
            Violation::TypeNotAllowed { place, ty } => {
                format!("`{}` cannot be the type of {place}; use another", text(ty))
            }
            Violation::NotCarried(ty) => {
                format!(
                    "`{}` cannot be an operand; numbers, `str`, `buf`, `any`, capabilities and frozen structs can",
                    text(ty)
                )
            }
            Violation::NamedStruct(id) => {
                format!("`{}` is not frozen, so its name belongs into the names section", def(id))
            }
            Violation::ParentAfter { child, parent } => {
                format!("`{}` extends `{}`, which must stand before it in the type table", def(child), def(parent))
            }
            Violation::RefersAhead { from, to } => {
                format!("type {} refers to type {}, which must stand before it in the type table", from.0, to.0)
            }
            Violation::SameType { first, second } => {
                format!("types {} and {} are both `{}`; keep one", first.0, second.0, def(first))
            }
            Violation::ImmutableBuf(place) => {
                format!("`?buf` as the type of {place} that is not `mut` could never be taken; make it `mut`")
            }
            Violation::ThawsParent { child, parent } => {
                format!("`{}` extends the frozen struct `{}`; make it `frozen` too", def(child), def(parent))
            }
            Violation::FrozenMut(id, field) => {
                format!(
                    "`{}` is frozen, but its {} is `mut`; drop one of them",
                    def(id),
                    field_name(module, *id, *field)
                )
            }
            Violation::FrozenField(id, field, ty) => {
                let field = field_name(module, *id, *field);
                format!("`{}` is frozen, but its {field} of type `{}` cannot be shared", def(id), text(ty))
            }
            Violation::ImmutableField(id, field) => {
                let field = field_name(module, *id, *field);
                format!("{field} of `{}` is immutable; declare it `mut`", def(id))
            }
            Violation::ImmutableElement(id) => {
                format!("`{}` is immutable; make it `mut {}`", def(id), def(id))
            }
            Violation::WrongKind { expected, found } => format!("`{}` is not {expected}; name one", def(found)),
            Violation::NotNullable(ty) => format!("`{}` has no null; use its nullable form", text(ty)),
            Violation::ReadsOptBuf => "a `?buf` is read by `take` only, which moves it out".to_string(),
            Violation::TakesOther(ty) => {
                format!("`{}` cannot be taken, only `?buf` can; read it", text(ty))
            }
            Violation::FillsWithBuf => {
                "an array of `?buf` starts with `null` in each element; assign the buffers later".to_string()
            }
            Violation::NotAnArray(ty) => format!("`{}` is no array; give one that is not null", text(ty)),
            Violation::NotAReference(ty) => {
                format!("`{}` is no reference; a `str`, object, function or capability is needed here", text(ty))
            }
            Violation::NotCastable { from, to } => {
                format!(
                    "`{}` cannot be tested for `{}`; only references can be, and `?buf` for `buf`",
                    text(from),
                    text(to)
                )
            }
            Violation::StrIdentity => {
                "strings have no identity; compare their bytes, as `str`, or test them for `str` first".to_string()
            }
            Violation::NotSendable(ty) => {
                format!("`{}` cannot be shared: only `str`, frozen structs and immutable arrays of such can", text(ty))
            }
            Violation::FuncType { func, expected } => {
                let found = module.sig(*func).map(|sig| module.signature_text(sig)).unwrap_or_default();
                format!("`{}` is of type `{found}`, not `{}`", module.func_name(*func), def(expected))
            }
            Violation::NotConstant => {
                "a global's initial value is made of constants, `null`, functions, `new` and array literals only"
                    .to_string()
            }
            Violation::Lane { lane, lanes } => format!("there is no lane {lane}; lanes are 0 to {}", lanes - 1),
            Violation::Impure(what) => {
                format!("a pure function or program cannot {what}; move it out, or make the function impure")
            }
            Violation::ImpureCall(name) => {
                format!("`{name}` is not pure, but called from a pure function or program; declare it `pure func`")
            }
            Violation::TailResults { expected, found } => {
                format!("the tail call gives {found} results, this function has {expected}; call and return instead")
            }
            Violation::TailBorrows(id) => {
                format!("a tail call borrows `{}`, which is freed before it; call and return instead", local(*id))
            }
            Violation::OtherSet { expected, found } => {
                format!(
                    "this is for `{}`, but the capability is `{}`",
                    set_name(module, *found),
                    set_name(module, *expected)
                )
            }
            Violation::NotAllowed { ty, opcode } => {
                format!("`{}` does not allow instruction {opcode}; ask for a capability that does", def(ty))
            }
            Violation::NotACapability(ty) => format!("a capability is needed here, not `{}`", text(ty)),
            Violation::OwnOutsideProgram => {
                "only a `program` uses the instructions of its own set; send to a capability instead".to_string()
            }
            Violation::TryHasResults { name, results } => {
                format!("`{name}` has {results} results; make the `try` a statement of its own that takes them")
            }
            Violation::RunHasResults(name) => {
                format!("`{name}` has results, so it must be waited for: use `run` instead of `send`")
            }
            Violation::Signature { role, expected, found } => {
                format!("the function of {role} has the type `{found}`; it must have `{expected}`")
            }
            Violation::SharedEntry { name } => {
                format!(
                    "`{name}` is an op, handler, program or test and cannot serve as anything else; give each its own function"
                )
            }
            Violation::OpCount { expected, found } => {
                format!(
                    "the provided set has {expected} instructions but there are {found} ops; give each instruction one"
                )
            }
            Violation::MemoryLimits { min, max } => {
                format!("memory {min}..{max}: the first number must not exceed the second")
            }
            Violation::DataOutside { offset, bytes, memory } => {
                format!(
                    "data of {bytes} bytes at {offset} lies outside the memory, which starts with {memory} bytes; raise its first number of pages"
                )
            }
            Violation::BadNames(why) => format!("the names section is wrong: {why}"),
            Violation::Malformed(error) => malformed(*error),
            Violation::Unfinished => "the body ends inside a construct or expression; close it with `end`".to_string(),
            Violation::Misplaced(what) => format!("`{what}` cannot stand here; it belongs to no open construct"),
            Violation::StatementInTree => {
                "a statement stands inside an expression; move it in front of the expression".to_string()
            }
            Violation::AfterTerminator => "this is never reached; remove it, or what leaves before it".to_string(),
            Violation::MissingReturn => "the function has results but its end is reached; `return` them".to_string(),
            Violation::Mismatch { expected, found } => mismatch(module, *expected, *found),
            Violation::MissingOperand(expected) => {
                format!("an operand of type `{}` is missing; compute it first", text(expected))
            }
            Violation::LeftOver(count) => {
                format!("{count} operands are left over at the statement's end; assign or discard them")
            }
            Violation::NotOneResult { name, results } => {
                format!(
                    "`{name}` has {results} results, but one is needed inside an expression; make it a statement of its own"
                )
            }
            Violation::DestCount { expected, found } => {
                format!("{expected} values are assigned to {found} destinations; the numbers must agree")
            }
            Violation::DestTwice(id) => format!("`{}` is assigned twice at once; name it once", local(*id)),
            Violation::Unset(id) => {
                format!("`{}` is read before it is assigned on every path; assign it first", local(*id))
            }
            Violation::Moved(id) => {
                format!(
                    "`{}` has been moved (or was never assigned) on some path to here; assign it anew, or move it later",
                    local(*id)
                )
            }
            Violation::Borrowed(id) => {
                format!("`{}` is moved while the same expression borrows it; split the expression", local(*id))
            }
            Violation::LoopMoves(id) => {
                format!(
                    "the loop moves `{}`, so its next turn would lack it; assign it anew before the turn ends",
                    local(*id)
                )
            }
            Violation::NotOwned(id) => {
                format!(
                    "`{}` is borrowed (`ref buf`) and can be neither moved nor assigned; take it as `buf`",
                    local(*id)
                )
            }
            Violation::Immutable(index) => {
                let name = module.names.as_ref().and_then(|names| names.globals.get(*index as usize));
                let name = name.cloned().unwrap_or_else(|| format!("global {index}"));
                format!("`{name}` is immutable; declare it `global mut`")
            }
            Violation::NoLoop { depth, loops } => {
                format!("there is no loop or block {depth} levels out; {loops} enclose this")
            }
            Violation::RepeatsBlock(depth) => {
                format!("what stands {depth} levels out is a block, which does not repeat; only a loop does")
            }
            Violation::NotAnInteger(ty) => format!("an `i32` or `i64` is needed here, not `{}`", text(ty)),
            Violation::EmptyArm => "the arm has no values; give it one, or make it the default".to_string(),
            Violation::ArmTwice(value) => format!("{value} stands in two arms; remove one"),
            Violation::ArmOutOfRange(value) => format!("{value} does not fit `i32`; remove it"),
            Violation::AfterDefault => "an arm follows the default; make the default the last".to_string(),
            Violation::CallsEntry(name) => {
                format!(
                    "`{name}` is an op, handler, program or test, which only the base enters; move its code into a function that both call"
                )
            }
            Violation::Streamed(name) => {
                format!(
                    "`{name}` is streamed and answers nothing; send it as a plain statement, and `flush` to see failures"
                )
            }
            Violation::OutsideOp(what) => {
                format!("`{what}` stands outside an `op`; use it there and pass on what is needed")
            }
            Violation::ForwardKind { name, waits: true } => {
                format!("`{name}` is streamed and answers nothing, but this request waits for an answer")
            }
            Violation::ForwardKind { name, waits: false } => {
                format!("`{name}` is answered, but this request is streamed: send it, and let the `op` end")
            }
            Violation::ForwardResults(name) => {
                format!("`{name}` has other results than this `op`; call it, and return what the `op` answers")
            }
            Violation::NoMemory => "the module has no memory; declare one: `memory 1..1`".to_string(),
        }
    }
}

fn mismatch(module: &Module, expected: Type, found: Type) -> String {
    let hint = match (expected, found) {
        (Type::Buf, Type::BufRef) => ": a borrowed buffer cannot be given away; move it out of its local",
        (Type::BufRef, Type::Buf) => ": keep the buffer in a local and borrow that",
        (_, found) if found.non_null() == expected => ": it may be null; test it with `if let` or `as` first",
        _ => "",
    };
    format!("expected `{}`, found `{}`{hint}", module.type_text(expected), module.type_text(found))
}

fn malformed(error: DecodeError) -> String {
    match error {
        DecodeError::UnknownCode(code) => format!("{code:#04x} is no instruction; the module needs a newer version"),
        DecodeError::Number(LebError::Truncated) => "the body ends inside an instruction".to_string(),
        DecodeError::Number(LebError::TooLarge) => "a number is out of range".to_string(),
        DecodeError::Number(LebError::NotShortest) => "a number is not encoded in its shortest form".to_string(),
        DecodeError::UnknownType(code) => format!("{code} is no type"),
        DecodeError::BadMemory => "a memory is named where none is accessed, or the first one is".to_string(),
        DecodeError::BadBool(byte) => format!("{byte} is no bool; expected 0 or 1"),
    }
}

fn local_name(module: &Module, func: Option<FuncId>, id: LocalId) -> String {
    let lists = module.names.as_ref().map(|names| &names.locals);
    let name = func.and_then(|func| lists?.get(func.index())?.get(id.index()));
    name.filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("local {}", id.0))
}

fn field_name(module: &Module, id: TypeId, field: FieldId) -> String {
    // Inherited fields come first; their names stand with the structs that declare them.
    let (mut id, mut above) = (id, field.index());
    let mut chain = alloc::vec::Vec::new();
    while let Some(TypeDef::Struct(def)) = module.type_def(id) {
        chain.push((id, def.fields.len()));
        match def.parent {
            Some(parent) if parent < id => id = parent,
            _ => break,
        }
    }
    for (id, count) in chain.into_iter().rev() {
        if above < count {
            let names = module.names.as_ref().and_then(|names| names.types.get(id.index()));
            let name = names.and_then(|names| names.fields.get(above)).filter(|name| !name.is_empty());
            return name.map_or_else(|| format!("field {}", field.0), |name| format!("field `{name}`"));
        }
        above -= count;
    }
    format!("field {}", field.0)
}

fn set_name(module: &Module, isa: IsaId) -> String {
    module.isas.get(isa.index()).map_or_else(|| format!("set {}", isa.0), |set| set.path())
}
