//! Imports that are device instructions: found in the instruction sets, and checked against their types.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use il::isa::{Event, Field, Instruction, InstructionSet};
use il::{Func, FuncId, IsaId, Type, Use, UseId};
use wasmparser::{Import, TypeRef, ValType};

use super::imports::{incompatible, unknown};
use super::{Build, Linked};
use crate::decode::Decoded;
use crate::error::Result;
use crate::{Options, body};

/// An imported device instruction.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub target: UseId,
    pub opcode: u8,
    /// Whether a failure is a status.
    pub tried: bool,
    pub operands: Vec<Operand>,
    pub results: Vec<Yield>,
    pub form: ResultForm,
    /// The import's type, by index in the unit.
    pub ty: u32,
    /// The unit that imports it.
    pub unit: usize,
    name: String,
    wrapper: Option<FuncId>,
}

/// How an operand is made of the import's parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    /// It is one.
    Same,
    /// Whether one is not zero.
    Bool,
    /// Address and length of its text.
    Text,
    /// Address and length of its bytes, which are copied.
    Bytes,
    /// A handle of a buffer, which is moved.
    Handle,
    /// A reference that is not null.
    Reference,
}

impl Operand {
    /// How many parameters it takes.
    pub const fn params(self) -> usize {
        match self {
            Operand::Text | Operand::Bytes => 2,
            Operand::Same | Operand::Bool | Operand::Handle | Operand::Reference => 1,
        }
    }

    /// Whether making it does more than compute.
    pub const fn acts(self) -> bool {
        match self {
            Operand::Text | Operand::Bytes | Operand::Handle | Operand::Reference => true,
            Operand::Same | Operand::Bool => false,
        }
    }
}

/// What becomes of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Yield {
    Same(Type),
    Bool,
    /// A text, of which the program gets a handle to a buffer.
    Text,
    /// A buffer, of which the program gets a handle.
    Buffer,
    Reference,
}

impl Yield {
    /// The type in the IL.
    pub const fn il(self, tried: bool) -> Type {
        match self {
            Yield::Same(ty) => ty,
            Yield::Bool => Type::Bool,
            Yield::Text => Type::Str,
            Yield::Buffer => Type::Buf,
            Yield::Reference if tried => Type::OptAny,
            Yield::Reference => Type::Any,
        }
    }

    /// The type for WebAssembly.
    const fn wasm(self) -> Type {
        match self {
            Yield::Same(ty) => ty,
            Yield::Bool | Yield::Text | Yield::Buffer => Type::I32,
            Yield::Reference => Type::OptAny,
        }
    }
}

/// How a program gets results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResultForm {
    /// As results; a status is the first one.
    Values,
    /// Stored where trailing parameters point to; a status is the result.
    Pointers,
}

/// The set that an import's module name means: a set of this name and version.
pub(super) fn known_set(options: &Options<'_>, path: &str) -> Option<&'static InstructionSet> {
    let (name, version) = path.rsplit_once('@')?;
    let version: u32 = version.parse().ok()?;
    options.known.iter().copied().find(|set| set.name == name && set.version == version)
}

/// What an import's field says of its instruction.
#[derive(Clone, Copy)]
struct Wish<'a> {
    name: &'a str,
    /// `try NAME`: whether a failure is a status.
    tried: bool,
    /// `give NAME`: whether buffers are handles for sure; else the import's type tells.
    given: bool,
}

impl Wish<'_> {
    /// Reads `NAME`, `try NAME`, `give NAME` or `try give NAME`.
    fn read(field: &str) -> Wish<'_> {
        let (field, tried) = field.strip_prefix("try ").map_or((field, false), |rest| (rest, true));
        let (name, given) = field.strip_prefix("give ").map_or((field, false), |rest| (rest, true));
        Wish { name, tried, given }
    }

    /// Whether an import with so many parameters gives buffers by address and length: told by their number, which is that
    /// or, with a pointer for each result, more.
    fn is_copied(self, instruction: &Instruction, params: usize) -> bool {
        let copied = copied_params(instruction);
        let buffers = instruction.params.iter().filter(|field| field.ty == Type::Buf).count();
        let pointers = instruction.results.as_deref().map_or(0, <[Field]>::len);
        !self.given && (params == copied || (params == copied + pointers && params != copied - buffers))
    }
}

/// Notes the functions of text that an import which is a device instruction may need.
pub(super) fn helpers(unit: &Decoded<'_>, import: &Import<'_>, options: &Options<'_>, wanted: &mut BTreeSet<String>) {
    let TypeRef::Func(ty) = import.ty else { return };
    let Some(set) = known_set(options, import.module) else { return };
    let wish = Wish::read(import.name);
    let Some(instruction) = set.instruction_named(wish.name) else { return };
    let Ok(func) = unit.func_type(ty) else { return };
    let buffers = instruction.params.iter().any(|field| field.ty == Type::Buf);
    if buffers && !wish.is_copied(instruction, func.params().len()) {
        wanted.insert("buffer_take".to_owned());
    }
    for field in instruction.results.as_deref().unwrap_or_default() {
        text_helper(field.ty, wanted);
    }
}

/// Notes what makes a handle of a value that comes in.
pub(super) fn text_helper(ty: Type, wanted: &mut BTreeSet<String>) {
    match ty {
        Type::Str => _ = wanted.insert("buffer_put_text".to_owned()),
        Type::Buf => _ = wanted.insert("buffer_put".to_owned()),
        _ => {}
    }
}

/// How many parameters an instruction takes if buffers are given by address and length.
fn copied_params(instruction: &Instruction) -> usize {
    instruction.params.iter().map(|field| if matches!(field.ty, Type::Str | Type::Buf) { 2 } else { 1 }).sum()
}

impl Build<'_> {
    /// Finds a device instruction, and how the import's type carries its operands and results.
    pub(super) fn device(&mut self, unit: &Linked<'_>, offset: usize, import: &Import<'_>, ty: u32) -> Result<usize> {
        let Some(set) = known_set(self.options, import.module) else {
            let hint = "no instruction set of this name and version is known; see `ilc isa`";
            return Err(unknown(unit, offset, import, hint));
        };
        let wish = Wish::read(import.name);
        let Some(instruction) = set.instruction_named(wish.name) else {
            let all: Vec<&str> = set.instructions.iter().map(|one| one.name.as_ref()).collect();
            return Err(unknown(unit, offset, import, &format!("the set has {}", all.join(", "))));
        };
        let func = unit.decoded.func_type(ty)?;
        let form = carry(instruction, wish, func.params(), func.results());
        let Some((operands, results, form)) = form else {
            let (wanted, found) = (func.to_string(), forms(instruction, wish));
            return Err(incompatible(unit, offset, import, wanted, found));
        };
        let target = self.wanted(set);
        self.want_instruction(target, instruction);
        self.devices.push(Device {
            target,
            opcode: instruction.opcode,
            tried: wish.tried,
            operands,
            results,
            form,
            ty,
            unit: unit.index,
            name: format!("{} {}", import.module, import.name),
            wrapper: None,
        });
        Ok(self.devices.len() - 1)
    }

    /// The capability of a set; wanted once.
    pub(super) fn wanted(&mut self, set: &InstructionSet) -> UseId {
        let of = |isa: IsaId, module: &il::Module| {
            module.isas.get(isa.index()).is_some_and(|known| known.name == set.name && known.version == set.version)
        };
        if let Some(at) = self.module.uses.iter().position(|wanted| of(wanted.isa, &self.module)) {
            return UseId(at as u32);
        }
        let isa = IsaId(self.module.isas.len() as u32);
        let (name, version) = (set.name.clone(), set.version);
        let (instructions, events) = (Default::default(), Default::default());
        self.module.isas.push(InstructionSet { name, version, instructions, events, doc: "".into() });
        let plain = set.name.rsplit('.').next().unwrap_or("device");
        let taken = |name: &str| self.module.uses.iter().any(|wanted| wanted.name == name);
        let name = match taken(plain) {
            false => plain.to_string(),
            true => format!("{plain}_{}", self.module.uses.len()),
        };
        self.module.uses.push(Use { name, isa });
        UseId(self.module.uses.len() as u32 - 1)
    }

    fn embedded(&mut self, target: UseId) -> Option<&mut InstructionSet> {
        let isa = self.module.uses.get(target.index())?.isa;
        self.module.isas.get_mut(isa.index())
    }

    fn want_instruction(&mut self, target: UseId, instruction: &Instruction) {
        let Some(set) = self.embedded(target) else { return };
        if let Err(at) = set.instructions.binary_search_by_key(&instruction.opcode, |one| one.opcode) {
            // Documentation does not travel.
            let bare = Instruction { touches: Default::default(), doc: "".into(), ..instruction.clone() };
            set.instructions.to_mut().insert(at, bare);
        }
    }

    pub(super) fn want_event(&mut self, target: UseId, event: &Event) {
        let Some(set) = self.embedded(target) else { return };
        if let Err(at) = set.events.binary_search_by_key(&event.number, |one| one.number) {
            set.events.to_mut().insert(at, Event { doc: "".into(), ..event.clone() });
        }
    }

    /// The function that makes a handle or a buffer of one.
    pub fn buffer_func(&self, name: &str) -> Option<FuncId> {
        self.base.func(name)
    }

    /// The function that sends a device instruction, for references and exports; written when all units are.
    pub(super) fn wrapper(&mut self, device: usize) -> Result<FuncId> {
        let Some(known) = self.devices.get(device) else { return Ok(FuncId(0)) };
        if let Some(id) = known.wrapper {
            return Ok(id);
        }
        let name = known.name.clone();
        let id = self.add_func(Func::default(), &name);
        if let Some(known) = self.devices.get_mut(device) {
            known.wrapper = Some(id);
        }
        Ok(id)
    }

    /// Writes the functions that send device instructions.
    pub(super) fn wrappers(&mut self, linked: &[Linked<'_>]) -> Result {
        for at in 0..self.devices.len() {
            let Some((unit, Some(id))) = self.devices.get(at).map(|device| (device.unit, device.wrapper)) else {
                continue;
            };
            let Some(unit) = linked.get(unit) else { continue };
            let func = body::Translator::new(self, unit).wrapper(at)?;
            if let Some(slot) = self.module.funcs.get_mut(id.index()) {
                *slot = func;
            }
        }
        Ok(())
    }
}

/// How an instruction's operands and results are carried by an import's type; `None` if they are not.
fn carry(
    instruction: &Instruction,
    wish: Wish<'_>,
    params: &[ValType],
    results: &[ValType],
) -> Option<(Vec<Operand>, Vec<Yield>, ResultForm)> {
    let waits = instruction.results.is_some();
    let tried = wish.tried;
    if tried && !waits {
        return None;
    }
    let fields = instruction.results.as_deref().unwrap_or_default();
    let yields = fields.iter().map(|field| result(field.ty)).collect::<Option<Vec<_>>>()?;
    let copied = wish.is_copied(instruction, params.len());
    let mut operands = Vec::new();
    let mut wanted: Vec<Type> = Vec::new();
    for field in instruction.params.iter() {
        let operand = operand(field.ty, copied)?;
        match operand {
            Operand::Text | Operand::Bytes => wanted.extend([Type::I32; 2]),
            Operand::Bool | Operand::Handle => wanted.push(Type::I32),
            Operand::Reference => wanted.push(Type::OptAny),
            Operand::Same => wanted.push(field.ty),
        }
        operands.push(operand);
    }
    let status = tried.then_some(Type::I32);
    let as_values: Vec<Type> = status.into_iter().chain(yields.iter().map(|one| one.wasm())).collect();
    if is(params, &wanted) && is(results, &as_values) {
        return Some((operands, yields, ResultForm::Values));
    }
    // A reference cannot be stored in memory.
    if yields.contains(&Yield::Reference) || yields.is_empty() {
        return None;
    }
    wanted.extend(yields.iter().map(|_| Type::I32));
    let status: Vec<Type> = status.into_iter().collect();
    (is(params, &wanted) && is(results, &status)).then_some((operands, yields, ResultForm::Pointers))
}

fn operand(ty: Type, copied: bool) -> Option<Operand> {
    Some(match ty {
        Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::OptAny => Operand::Same,
        Type::Bool => Operand::Bool,
        Type::Str => Operand::Text,
        Type::Buf if copied => Operand::Bytes,
        Type::Buf => Operand::Handle,
        Type::Any => Operand::Reference,
        Type::BufRef | Type::OptStr | Type::OptBuf | Type::Ref(_) | Type::Opt(_) => return None,
    })
}

fn result(ty: Type) -> Option<Yield> {
    Some(match ty {
        Type::I32 | Type::I64 | Type::F32 | Type::F64 | Type::V128 | Type::OptAny => Yield::Same(ty),
        Type::Bool => Yield::Bool,
        Type::Str => Yield::Text,
        Type::Buf => Yield::Buffer,
        Type::Any => Yield::Reference,
        Type::BufRef | Type::OptStr | Type::OptBuf | Type::Ref(_) | Type::Opt(_) => return None,
    })
}

fn is(found: &[ValType], wanted: &[Type]) -> bool {
    let same = |(found, wanted): (&ValType, &Type)| match wanted {
        Type::I32 => *found == ValType::I32,
        Type::I64 => *found == ValType::I64,
        Type::F32 => *found == ValType::F32,
        Type::F64 => *found == ValType::F64,
        Type::V128 => *found == ValType::V128,
        _ => *found == ValType::EXTERNREF,
    };
    found.len() == wanted.len() && found.iter().zip(wanted).all(same)
}

/// The instruction's types, for a message.
fn forms(instruction: &Instruction, wish: Wish<'_>) -> String {
    let list = |fields: &[Field]| {
        let one = |field: &Field| match field.ty {
            Type::Str => format!("{}: i32 address, i32 length", field.name),
            Type::Buf if wish.given => format!("{}: i32 handle", field.name),
            Type::Buf => format!("{}: i32 address, i32 length (or one i32 handle)", field.name),
            Type::Bool => format!("{}: i32", field.name),
            Type::Any | Type::OptAny => format!("{}: externref", field.name),
            ty => format!("{}: {}", field.name, ty.name()),
        };
        fields.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let results = instruction.results.as_deref().map_or(String::new(), |fields| {
        let status = if wish.tried { "i32 status, " } else { "" };
        format!(" -> ({status}{}), or a trailing i32 pointer for each result", list(fields))
    });
    format!("({}){results}", list(&instruction.params))
}
