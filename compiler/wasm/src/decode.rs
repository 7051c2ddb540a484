//! A unit's sections: decoded and validated, but for the bodies, which are validated while they are translated.

use alloc::boxed::Box;
use alloc::vec::Vec;

use il::limits;
use wasmparser::types::{CoreTypeId, Types};
use wasmparser::{
    CompositeInnerType, ConstExpr, Data, Element, Export, FuncToValidate, FuncType, FunctionBody, GlobalType, Import,
    KnownCustom, MemoryType, Name, Parser, Payload, Table, TypeRef, ValidPayload, Validator, ValidatorResources,
    WasmFeatures,
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
        .union(WasmFeatures::GC)
        .union(WasmFeatures::EXCEPTIONS)
        .union(WasmFeatures::LEGACY_EXCEPTIONS)
}

/// What validates all units, one after the other: so types that are equal have one identity.
pub(crate) fn validator() -> Validator {
    Validator::new_with_features(features())
}

/// A function's body, with what validates it.
pub(crate) struct Body<'a> {
    pub validator: FuncToValidate<ValidatorResources>,
    pub body: FunctionBody<'a>,
}

/// A unit's sections.
pub(crate) struct Decoded<'a> {
    pub unit: Unit<'a>,
    /// Function types as written; of what is none, one without parameters and results.
    pub types: Vec<FuncType>,
    /// What the validator knows of all types.
    pub validated: Option<Types>,
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
            validated: None,
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

    /// The identities of the types, in order.
    pub fn core_types(&self) -> impl Iterator<Item = CoreTypeId> {
        let types = self.validated.as_ref().map(Types::as_ref);
        let count = types.map_or(0, |types| types.core_type_count_in_module());
        (0..count).filter_map(move |at| types.map(|types| types.core_type_at_in_module(at)))
    }

    pub fn internal(&self, what: &'static str) -> Box<Error> {
        Error::new(self.unit.name, None, ErrorKind::Internal(what))
    }

    pub fn invalid(&self, error: &wasmparser::Error) -> Box<Error> {
        Error::validation(self.unit.name, error)
    }
}

/// Decodes a unit. The validator has seen those before it, and no other.
pub(crate) fn decode<'a>(unit: Unit<'a>, validator: &mut Validator) -> Result<Decoded<'a>> {
    let mut decoded = Decoded::new(unit);
    let invalid = |error| Error::validation(unit.name, &error);
    validator.reset();
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(unit.bytes) {
        let payload = payload.map_err(invalid)?;
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(validator, body) => {
                decoded.bodies.push(Body { validator, body });
                continue;
            }
            ValidPayload::End(types) => decoded.validated = Some(types),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
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
                decoded.types.extend(group?.types().map(|ty| match &ty.composite_type.inner {
                    CompositeInnerType::Func(func) => func.clone(),
                    _ => FuncType::new([], []),
                }));
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
