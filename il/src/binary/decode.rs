//! Bytes to module.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{BinaryError, KNOWN_FEATURES, MAGIC, OPTIONAL, Problem, VERSION, def, section};
use crate::isa::{Event, Field, Instruction, InstructionSet};
use crate::leb::{self, LebError};
use crate::{
    ArrayDef, CapDef, Data, DataPlace, Export, Func, FuncId, Global, Handler, IsaId, Memory, MemoryId, Module, Names,
    Program, Provides, Signature, Storage, StructDef, StructField, Test, Type, TypeDef, TypeId, TypeNames, Use, UseId,
    limits,
};

type Result<T> = core::result::Result<T, BinaryError>;

/// The module that `bytes` encode.
pub fn module(bytes: &[u8]) -> Result<Module> {
    if bytes.len() > limits::MODULE_BYTES {
        let problem = Problem::Limit { count: bytes.len() as u64, limit: limits::MODULE_BYTES };
        return Err(BinaryError::new(0, "a module's length in bytes", problem));
    }
    let mut cursor = Cursor { bytes, at: 0, end: bytes.len() };
    header(&mut cursor)?;
    let mut module = Module::default();
    let mut previous = 0;
    while cursor.at < cursor.end {
        previous = one_section(&mut cursor, previous, &mut module)?;
    }
    Ok(module)
}

fn header(cursor: &mut Cursor<'_>) -> Result<()> {
    if !cursor.bytes.starts_with(&MAGIC) {
        return Err(BinaryError::new(0, "the magic number", Problem::NotAModule));
    }
    cursor.at = MAGIC.len();
    let at = cursor.at;
    let version = cursor.u32("the format version")?;
    if version != VERSION {
        return Err(BinaryError::new(at, "the format version", Problem::Version(version)));
    }
    let at = cursor.at;
    let unknown = cursor.number("the required features", leb::read_u64)? & !KNOWN_FEATURES;
    if unknown != 0 {
        return Err(BinaryError::new(at, "the required features", Problem::Features(unknown)));
    }
    Ok(())
}

/// Reads one section into `module`; returns its kind.
fn one_section(cursor: &mut Cursor<'_>, previous: u8, module: &mut Module) -> Result<u8> {
    let start = cursor.at;
    let kind = cursor.byte("a section's kind")?;
    if kind <= previous {
        return Err(BinaryError::new(start, "a section's kind", Problem::SectionOrder(kind)));
    }
    let length_at = cursor.at;
    let length = cursor.u32("a section's length")? as usize;
    let left = cursor.end - cursor.at;
    if length > left {
        return Err(BinaryError::new(length_at, "a section's length", Problem::Truncated));
    }
    if length == 0 && kind < OPTIONAL {
        return Err(BinaryError::new(length_at, "a section's length", Problem::EmptySection));
    }
    let mut content = Cursor { bytes: cursor.bytes, at: cursor.at, end: cursor.at + length };
    cursor.at += length;
    if !payload(kind, start, &mut content, module)? {
        return Ok(kind);
    }
    match content.end - content.at {
        0 => Ok(kind),
        rest => Err(BinaryError::new(content.at, "a section's end", Problem::TrailingBytes(rest))),
    }
}

/// Reads a section's payload; `false` if it is to be skipped.
fn payload(kind: u8, start: usize, c: &mut Cursor<'_>, module: &mut Module) -> Result<bool> {
    match kind {
        section::NAME => module.name = c.some(|c| c.text("the module's name", limits::NAME_BYTES), String::len)?,
        section::STRINGS => {
            module.strings = c.section("literals", limits::STRINGS, |c| c.text("a literal", limits::STRING_BYTES))?;
        }
        section::ISAS => module.isas = c.section("instruction sets", limits::ISAS, isa)?,
        section::TYPES => {
            let mut fields_left = limits::ALL_FIELDS;
            module.types = c.section("type definitions", limits::TYPES, |c| type_def(c, &mut fields_left))?;
        }
        section::USES => module.uses = c.section("capabilities", limits::USES, wanted)?,
        section::PROVIDES => module.provides = c.section("provided sets", limits::PROVIDES, provides)?,
        section::GLOBALS => module.globals = c.section("globals", limits::GLOBALS, global)?,
        section::MEMORIES => module.memories = c.section("memories", limits::MEMORIES, memory)?,
        section::DATA => module.data = c.section("data segments", limits::DATA, data)?,
        section::FUNCS => module.funcs = c.section("functions", limits::FUNCS, func)?,
        section::EXPORTS => module.exports = c.section("exports", limits::EXPORTS, export)?,
        section::HANDLERS => module.handlers = c.section("handlers", limits::HANDLERS, handler)?,
        section::PROGRAMS => module.programs = c.section("device programs", limits::PROGRAMS, program)?,
        section::TESTS => module.tests = c.section("tests", limits::TESTS, test)?,
        section::NAMES => module.names = Some(names(c)?),
        OPTIONAL.. => return Ok(false),
        unknown => return Err(BinaryError::new(start, "a section's kind", Problem::UnknownSection(unknown))),
    }
    Ok(true)
}

fn isa(c: &mut Cursor<'_>) -> Result<InstructionSet> {
    Ok(InstructionSet {
        name: Cow::Owned(c.text("an instruction set's name", limits::NAME_BYTES)?),
        version: c.u32("an instruction set's version")?,
        instructions: Cow::Owned(c.list("the number of instructions", limits::ISA_ENTRIES, instruction)?),
        events: Cow::Owned(c.list("the number of events", limits::ISA_ENTRIES, event)?),
        doc: Cow::Borrowed(""),
    })
}

fn instruction(c: &mut Cursor<'_>) -> Result<Instruction> {
    Ok(Instruction {
        opcode: c.byte("an opcode")?,
        name: Cow::Owned(c.text("an instruction's name", limits::NAME_BYTES)?),
        params: fields(c, "the number of operands", limits::ISA_OPERANDS)?,
        results: match c.flag("whether the instruction waits")? {
            true => Some(fields(c, "the number of results", limits::ISA_OPERANDS)?),
            false => None,
        },
        touches: Cow::Borrowed(&[]),
        doc: Cow::Borrowed(""),
    })
}

fn event(c: &mut Cursor<'_>) -> Result<Event> {
    Ok(Event {
        number: c.byte("an event's number")?,
        name: Cow::Owned(c.text("an event's name", limits::NAME_BYTES)?),
        params: fields(c, "the number of an event's operands", limits::ISA_OPERANDS)?,
        coalesced: c.flag("whether the event is coalesced")?,
        doc: Cow::Borrowed(""),
    })
}

fn fields(c: &mut Cursor<'_>, reading: &'static str, limit: usize) -> Result<Cow<'static, [Field]>> {
    let fields = c.list(reading, limit, |c| {
        let name = Cow::Owned(c.text("an operand's name", limits::NAME_BYTES)?);
        Ok(Field { name, ty: c.ty("an operand's type")? })
    })?;
    Ok(Cow::Owned(fields))
}

fn wanted(c: &mut Cursor<'_>) -> Result<Use> {
    let name = c.text("a capability's name", limits::NAME_BYTES)?;
    Ok(Use { name, isa: IsaId(c.u32("a capability's instruction set")?) })
}

fn provides(c: &mut Cursor<'_>) -> Result<Provides> {
    let isa = IsaId(c.u32("the provided instruction set")?);
    let name = match c.flag("whether a name is announced")? {
        true => Some(c.text("the announced name", limits::NAME_BYTES)?),
        false => None,
    };
    let ops = c.list("the number of ops", limits::ISA_ENTRIES, |c| c.u32("an op's function").map(FuncId))?;
    Ok(Provides { isa, name, ops })
}

fn global(c: &mut Cursor<'_>) -> Result<Global> {
    let mutable = c.flag("whether a global is mutable")?;
    let ty = c.ty("a global's type")?;
    Ok(Global { mutable, ty, init: c.blob("the length of a global's initial value", limits::INIT_BYTES)?.to_vec() })
}

fn memory(c: &mut Cursor<'_>) -> Result<Memory> {
    let min = c.u32("a memory's pages at start")?;
    Ok(Memory { min, max: c.u32("a memory's pages at most")? })
}

fn data(c: &mut Cursor<'_>) -> Result<Data> {
    let place = match c.u32("a data segment's memory, from 1")?.checked_sub(1) {
        Some(memory) => Some(DataPlace { memory: MemoryId(memory), offset: c.u32("a data segment's address")? }),
        None => None,
    };
    Ok(Data { place, bytes: c.blob("a data segment's length", limits::MODULE_BYTES)?.to_vec() })
}

fn type_def(c: &mut Cursor<'_>, fields_left: &mut usize) -> Result<TypeDef> {
    let at = c.at;
    Ok(match c.byte("a type definition's kind")? {
        def::STRUCT => TypeDef::Struct(struct_def(c, fields_left)?),
        def::ARRAY => {
            let mutable = c.flag("whether an array is mutable")?;
            TypeDef::Array(ArrayDef { mutable, element: c.storage("an array's element type")? })
        }
        def::FUNC => TypeDef::Func(signature(c)?),
        def::CAP => {
            let isa = IsaId(c.u32("a capability type's instruction set")?);
            let instructions = c.blob("the number of a capability type's instructions", limits::ISA_ENTRIES)?;
            TypeDef::Cap(CapDef { isa, instructions: instructions.to_vec() })
        }
        found => {
            let problem = Problem::BadCode { found, expected: "a definition's kind, 1 to 4" };
            return Err(BinaryError::new(at, "a type definition's kind", problem));
        }
    })
}

fn struct_def(c: &mut Cursor<'_>, fields_left: &mut usize) -> Result<StructDef> {
    let parent = match c.flag("whether a struct extends another")? {
        true => Some(TypeId(c.u32("the struct that is extended")?)),
        false => None,
    };
    let frozen = c.flag("whether a struct is frozen")?;
    let name = match frozen {
        true => c.text("a frozen struct's name", limits::NAME_BYTES)?,
        false => String::new(),
    };
    let fields = c.list("the number of fields", limits::FIELDS.min(*fields_left), |c| {
        let mutable = c.flag("whether a field is mutable")?;
        Ok(StructField { mutable, storage: c.storage("a field's type")? })
    })?;
    *fields_left -= fields.len();
    Ok(StructDef { parent, frozen, name, fields })
}

fn signature(c: &mut Cursor<'_>) -> Result<Signature> {
    let params = c.types("the number of parameters", limits::PARAMS)?;
    Ok(Signature { params, results: c.types("the number of results", limits::RESULTS)? })
}

fn func(c: &mut Cursor<'_>) -> Result<Func> {
    let pure = c.flag("whether a function is pure")?;
    let sig = signature(c)?;
    let locals = c.types("the number of locals", limits::LOCALS)?;
    let body = c.blob("the length of a function's body", limits::BODY_BYTES)?.to_vec();
    Ok(Func { sig, pure, locals, body })
}

fn export(c: &mut Cursor<'_>) -> Result<Export> {
    let name = c.text("an export's name", limits::NAME_BYTES)?;
    Ok(Export { name, func: FuncId(c.u32("an export's function")?) })
}

fn handler(c: &mut Cursor<'_>) -> Result<Handler> {
    Ok(Handler {
        source: UseId(c.u32("a handler's capability")?),
        event: c.byte("a handler's event")?,
        func: FuncId(c.u32("a handler's function")?),
    })
}

fn program(c: &mut Cursor<'_>) -> Result<Program> {
    Ok(Program {
        name: c.text("a program's name", limits::NAME_BYTES)?,
        isa: IsaId(c.u32("a program's instruction set")?),
        func: FuncId(c.u32("a program's function")?),
    })
}

fn test(c: &mut Cursor<'_>) -> Result<Test> {
    let name = c.text("a test's name", limits::NAME_BYTES)?;
    Ok(Test { name, func: FuncId(c.u32("a test's function")?) })
}

fn names(c: &mut Cursor<'_>) -> Result<Names> {
    let (mut locals_left, mut fields_left) = (limits::LOCAL_NAMES, limits::ALL_FIELDS);
    let name = |c: &mut Cursor<'_>| c.text("a name", limits::NAME_BYTES);
    Ok(Names {
        files: c.list("the number of source files", limits::FILES, name)?,
        func_files: c.list("the number of files of functions", limits::FUNCS, |c| c.u32("a function's file"))?,
        funcs: c.list("the number of function names", limits::FUNCS, name)?,
        locals: c.list("the number of lists of locals", limits::FUNCS, |c| {
            let list = c.list("the number of names of locals", limits::LOCALS.min(locals_left), name)?;
            locals_left -= list.len();
            Ok(list)
        })?,
        globals: c.list("the number of names of globals", limits::GLOBALS, name)?,
        types: c.list("the number of names of types", limits::TYPES, |c| {
            let of_type = name(c)?;
            let fields = c.list("the number of names of fields", limits::FIELDS.min(fields_left), name)?;
            fields_left -= fields.len();
            Ok(TypeNames { name: of_type, fields })
        })?,
        memories: c.list("the number of names of memories", limits::MEMORIES, name)?,
        data: c.list("the number of names of data segments", limits::DATA, name)?,
        lines: c.list("the number of line tables", limits::FUNCS, lines)?,
    })
}

fn lines(c: &mut Cursor<'_>) -> Result<Vec<(u32, u32)>> {
    let mut previous = (0, 0);
    c.list("the number of lines", limits::BODY_BYTES, |c| {
        previous = (c.delta("a line's offset", previous.0)?, c.delta("a line", previous.1)?);
        Ok(previous)
    })
}

/// A position in the module's bytes, and the end that must not be passed.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..self.end).unwrap_or(&[])
    }

    fn byte(&mut self, reading: &'static str) -> Result<u8> {
        let byte = self.rest().first().ok_or_else(|| BinaryError::new(self.at, reading, Problem::Truncated))?;
        self.at += 1;
        Ok(*byte)
    }

    fn number<T>(
        &mut self,
        reading: &'static str,
        read: impl Fn(&[u8]) -> core::result::Result<(T, usize), LebError>,
    ) -> Result<T> {
        let (value, length) = read(self.rest()).map_err(|error| BinaryError::new(self.at, reading, error))?;
        self.at += length;
        Ok(value)
    }

    fn u32(&mut self, reading: &'static str) -> Result<u32> {
        self.number(reading, leb::read_u32)
    }

    fn delta(&mut self, reading: &'static str, base: u32) -> Result<u32> {
        let at = self.at;
        let delta = self.number(reading, leb::read_i64)?;
        let value = i64::from(base).checked_add(delta).and_then(|value| u32::try_from(value).ok());
        value.ok_or_else(|| BinaryError::new(at, reading, Problem::TooLarge))
    }

    /// A count that stays within `limit`, and within the bytes left (an item has at least one).
    fn count(&mut self, reading: &'static str, limit: usize) -> Result<usize> {
        let at = self.at;
        let count = self.u32(reading)? as usize;
        if count > limit {
            return Err(BinaryError::new(at, reading, Problem::Limit { count: count as u64, limit }));
        }
        if count > self.rest().len() {
            return Err(BinaryError::new(at, reading, Problem::Truncated));
        }
        Ok(count)
    }

    fn list<T>(
        &mut self,
        reading: &'static str,
        limit: usize,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.count(reading, limit)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A section that is one list, which must not be empty.
    fn section<T>(
        &mut self,
        reading: &'static str,
        limit: usize,
        item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.some(|c| c.list(reading, limit, item), Vec::len)
    }

    fn some<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>, length: impl Fn(&T) -> usize) -> Result<T> {
        let at = self.at;
        let value = read(self)?;
        if length(&value) == 0 {
            return Err(BinaryError::new(at, "a section's content", Problem::EmptySection));
        }
        Ok(value)
    }

    fn blob(&mut self, reading: &'static str, limit: usize) -> Result<&'a [u8]> {
        let length = self.count(reading, limit)?;
        let blob = self.rest().get(..length).unwrap_or(&[]);
        self.at += length;
        Ok(blob)
    }

    fn text(&mut self, reading: &'static str, limit: usize) -> Result<String> {
        let bytes = self.blob(reading, limit)?;
        let start = self.at - bytes.len();
        let text = core::str::from_utf8(bytes)
            .map_err(|error| BinaryError::new(start + error.valid_up_to(), reading, Problem::BadUtf8))?;
        Ok(String::from(text))
    }

    fn flag(&mut self, reading: &'static str) -> Result<bool> {
        let at = self.at;
        match self.byte(reading)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(BinaryError::new(at, reading, Problem::BadCode { found, expected: "0 or 1" })),
        }
    }

    fn ty(&mut self, reading: &'static str) -> Result<Type> {
        let at = self.at;
        let code = self.byte(reading)?;
        self.coded(at, code, "a type's code, 1 to 15", reading)
    }

    /// The type whose first byte, at `at`, is `code`.
    fn coded(&mut self, at: usize, code: u8, expected: &'static str, reading: &'static str) -> Result<Type> {
        match code {
            Type::REF_CODE => self.u32(reading).map(|index| Type::Ref(TypeId(index))),
            Type::OPT_CODE => self.u32(reading).map(|index| Type::Opt(TypeId(index))),
            found => {
                Type::plain(found).ok_or_else(|| BinaryError::new(at, reading, Problem::BadCode { found, expected }))
            }
        }
    }

    fn storage(&mut self, reading: &'static str) -> Result<Storage> {
        let at = self.at;
        let found = self.byte(reading)?;
        match Storage::PACKED.iter().find(|(code, _)| *code == found) {
            Some((_, packed)) => Ok(*packed),
            None => self.coded(at, found, "a type's code, 1 to 19", reading).map(Storage::Value),
        }
    }

    fn types(&mut self, reading: &'static str, limit: usize) -> Result<Vec<Type>> {
        self.list(reading, limit, |c| c.ty("a type"))
    }
}
