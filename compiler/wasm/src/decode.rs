//! A unit's sections: decoded and validated, but for the bodies, which are validated while they are translated.

use alloc::boxed::Box;
use alloc::vec::Vec;

use il::limits;
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, Element, Export, FuncToValidate, FuncType, FunctionBody, GlobalType, Import,
    KnownCustom, MemoryType, Name, Parser, Payload, Table, TypeRef, ValType, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};

use crate::Unit;
use crate::error::{Error, ErrorKind, Result};

/// What the front end accepts: Core 2.0 with SIMD, and of 3.0 what the IL carries.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .union(WasmFeatures::TAIL_CALL)
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::MULTI_MEMORY)
        .union(WasmFeatures::MEMORY64)
        .union(WasmFeatures::RELAXED_SIMD)
        .union(WasmFeatures::FUNCTION_REFERENCES)
        .union(WasmFeatures::GC_TYPES)
        .union(WasmFeatures::EXCEPTIONS)
        .union(WasmFeatures::LEGACY_EXCEPTIONS)
}

/// A function's body, with what validates it.
pub(crate) struct Body<'a> {
    pub validator: FuncToValidate<ValidatorResources>,
    pub body: FunctionBody<'a>,
}

/// A unit's sections.
pub(crate) struct Decoded<'a> {
    pub unit: Unit<'a>,
    pub types: Vec<FuncType>,
    /// Of each type, whether references to it are `any` in the IL: it takes part in a recursion.
    pub recursive: Vec<bool>,
    pub imports: Vec<(usize, Import<'a>)>,
    /// Types of all functions, the imported ones first.
    pub funcs: Vec<u32>,
    pub tables: Vec<Table<'a>>,
    pub memories: Vec<MemoryType>,
    pub globals: Vec<(GlobalType, ConstExpr<'a>)>,
    /// Function types of all tags, the imported ones first.
    pub tags: Vec<u32>,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    pub elements: Vec<Element<'a>>,
    pub data: Vec<Data<'a>>,
    pub bodies: Vec<Body<'a>>,
    /// Names of functions, as far as they are given.
    pub names: Vec<(u32, &'a str)>,
}

impl<'a> Decoded<'a> {
    fn new(unit: Unit<'a>) -> Self {
        Decoded {
            unit,
            types: Vec::new(),
            recursive: Vec::new(),
            imports: Vec::new(),
            funcs: Vec::new(),
            tables: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
            tags: Vec::new(),
            exports: Vec::new(),
            start: None,
            elements: Vec::new(),
            data: Vec::new(),
            bodies: Vec::new(),
            names: Vec::new(),
        }
    }

    /// The function type of this index.
    pub fn func_type(&self, index: u32) -> Result<&FuncType> {
        self.types.get(index as usize).ok_or_else(|| self.internal("a type index"))
    }

    pub fn internal(&self, what: &'static str) -> Box<Error> {
        Error::new(self.unit.name, None, ErrorKind::Internal(what))
    }

    pub fn invalid(&self, error: &wasmparser::Error) -> Box<Error> {
        Error::validation(self.unit.name, error)
    }
}

/// Decodes a unit.
pub(crate) fn decode(unit: Unit<'_>) -> Result<Decoded<'_>> {
    let mut decoded = Decoded::new(unit);
    let invalid = |error| Error::validation(unit.name, &error);
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(unit.bytes) {
        let payload = payload.map_err(invalid)?;
        if let ValidPayload::Func(validator, body) = validator.payload(&payload).map_err(invalid)? {
            decoded.bodies.push(Body { validator, body });
            continue;
        }
        section(&mut decoded, payload).map_err(invalid)?;
        if decoded.funcs.len() > limits::FUNCS {
            let kind = ErrorKind::Unsupported { what: "a module of so many functions".into(), hint: "split it" };
            return Err(Error::new(unit.name, None, kind));
        }
    }
    Ok(decoded)
}

fn section<'a>(decoded: &mut Decoded<'a>, payload: Payload<'a>) -> wasmparser::Result<()> {
    match payload {
        Payload::TypeSection(section) => {
            for group in section {
                group_of_types(decoded, &group?);
            }
        }
        Payload::ImportSection(section) => {
            for import in section.into_imports_with_offsets() {
                let (offset, import) = import?;
                match import.ty {
                    TypeRef::Func(ty) => decoded.funcs.push(ty),
                    TypeRef::Tag(tag) => decoded.tags.push(tag.func_type_idx),
                    _ => {}
                }
                decoded.imports.push((offset, import));
            }
        }
        Payload::FunctionSection(section) => {
            for ty in section {
                decoded.funcs.push(ty?);
            }
        }
        Payload::TableSection(section) => {
            for table in section {
                decoded.tables.push(table?);
            }
        }
        Payload::MemorySection(section) => {
            for memory in section {
                decoded.memories.push(memory?);
            }
        }
        Payload::GlobalSection(section) => {
            for global in section {
                let global = global?;
                decoded.globals.push((global.ty, global.init_expr));
            }
        }
        Payload::TagSection(section) => {
            for tag in section {
                decoded.tags.push(tag?.func_type_idx);
            }
        }
        Payload::ExportSection(section) => {
            for export in section {
                decoded.exports.push(export?);
            }
        }
        Payload::StartSection { func, .. } => decoded.start = Some(func),
        Payload::ElementSection(section) => {
            for element in section {
                decoded.elements.push(element?);
            }
        }
        Payload::DataSection(section) => {
            for data in section {
                decoded.data.push(data?);
            }
        }
        Payload::CodeSectionStart { count, .. } => {
            // Each body has a byte at least, so the count is bounded by the unit's length.
            decoded.bodies.reserve((count as usize).min(decoded.unit.bytes.len()));
        }
        Payload::CustomSection(section) => {
            if let KnownCustom::Name(names) = section.as_known() {
                // What is wrong in an optional section is nobody's loss.
                let _ = function_names(decoded, names);
            }
        }
        // All others belong to what the validator refuses, or carry nothing.
        _ => {}
    }
    Ok(())
}

/// A reference inside a group of types to a type of the same group is a recursion.
fn group_of_types(decoded: &mut Decoded<'_>, group: &wasmparser::RecGroup) {
    let start = decoded.types.len() as u32;
    for ty in group.types() {
        // The validator accepts only functions.
        let func = match &ty.composite_type.inner {
            CompositeInnerType::Func(func) => func.clone(),
            _ => FuncType::new([], []),
        };
        let own = |ty: &ValType| match ty {
            ValType::Ref(reference) => {
                reference.type_index().and_then(|at| at.as_module_index()).is_some_and(|at| at >= start)
            }
            _ => false,
        };
        let recursive = func.params().iter().chain(func.results()).any(own);
        decoded.types.push(func);
        decoded.recursive.push(recursive);
    }
    // All of a group whose types refer to each other.
    let group = decoded.recursive.get_mut(start as usize..).unwrap_or_default();
    if group.contains(&true) {
        group.fill(true);
    }
}

fn function_names<'a>(decoded: &mut Decoded<'a>, names: wasmparser::NameSectionReader<'a>) -> wasmparser::Result<()> {
    for name in names {
        if let Name::Function(map) = name? {
            for naming in map {
                let naming = naming?;
                decoded.names.push((naming.index, naming.name));
            }
        }
    }
    Ok(())
}
