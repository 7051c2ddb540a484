//! What the collector knows of a module's types: how large an object is, and where in it references and
//! `?buf`s lie.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use compiler::abi::KIND_STR;
use il::{Hierarchy, OBJECT_HEADER, Storage, Type, TypeDef, TypeId};

use super::registry;

/// Where words of one sort lie in a struct: a range of [`TypeTable`]'s list of offsets.
pub(super) type Offsets = Range<u32>;

/// What objects of one kind look like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A `str`, or an array of what is neither a reference nor a `?buf`: bytes of each element.
    Plain(u32),
    /// An array of references.
    References,
    /// An array of `?buf`s.
    Bufs,
    /// A struct.
    Struct {
        /// Its size, header included.
        bytes: u32,
        /// Its references.
        references: Offsets,
        /// Its `?buf`s.
        bufs: Offsets,
    },
    /// A function reference: immortal, never in the heap.
    Func,
    /// No object is of it: a capability's type.
    Nothing,
}

/// All kinds of objects of a module; shared by its VMs, and by what they froze.
#[derive(Debug)]
pub struct TypeTable {
    kinds: Vec<Kind>,
    offsets: Vec<u32>,
    /// The definition of each kind from 1 on.
    defs: Vec<TypeId>,
    hierarchy: Hierarchy,
    /// The base-wide number of kind 1, once something was frozen.
    registered: spin::Once<Option<u32>>,
}

/// The kind number of a definition's objects.
pub fn kind_of(hierarchy: &Hierarchy, id: TypeId) -> u32 {
    1 + hierarchy.numbers(id).0
}

impl TypeTable {
    /// Of a module's types.
    pub fn new(hierarchy: Hierarchy) -> Arc<TypeTable> {
        let count = hierarchy.defs().len();
        let mut table = TypeTable {
            kinds: vec![Kind::Nothing; count + 1],
            offsets: Vec::new(),
            defs: vec![TypeId(0); count],
            hierarchy: Hierarchy::default(),
            registered: spin::Once::new(),
        };
        table.kinds[KIND_STR as usize] = Kind::Plain(1);
        for at in 0..count {
            let id = TypeId(at as u32);
            let number = hierarchy.numbers(id).0 as usize;
            table.defs[number] = id;
            table.kinds[number + 1] = table.kind_for(&hierarchy, id);
        }
        table.hierarchy = hierarchy;
        Arc::new(table)
    }

    fn kind_for(&mut self, hierarchy: &Hierarchy, id: TypeId) -> Kind {
        match &hierarchy.defs()[id.index()] {
            TypeDef::Struct(_) => {
                let mut offsets_of = |wanted: fn(Type) -> bool| {
                    let start = self.offsets.len() as u32;
                    let fields = hierarchy.fields(id).iter();
                    self.offsets.extend(fields.filter(|f| is_value_of(f.storage, wanted)).map(|f| f.offset));
                    start..self.offsets.len() as u32
                };
                let references = offsets_of(Type::is_reference);
                let bufs = offsets_of(Type::is_affine);
                Kind::Struct { bytes: hierarchy.struct_bytes(id), references, bufs }
            }
            TypeDef::Array(array) if is_value_of(array.element, Type::is_reference) => Kind::References,
            TypeDef::Array(array) if is_value_of(array.element, Type::is_affine) => Kind::Bufs,
            TypeDef::Array(array) => Kind::Plain(array.element.bytes()),
            TypeDef::Func(_) => Kind::Func,
            TypeDef::Cap(_) => Kind::Nothing,
        }
    }

    /// The types themselves.
    pub fn hierarchy(&self) -> &Hierarchy {
        &self.hierarchy
    }

    /// The definition of a kind of this table; `None` for `str`.
    pub fn def(&self, kind: u32) -> Option<TypeId> {
        self.defs.get((kind as usize).checked_sub(1)?).copied()
    }

    /// How many kinds there are besides `str`.
    pub(super) fn len(&self) -> u32 {
        self.defs.len() as u32
    }

    /// What objects of a kind look like.
    #[inline]
    pub(super) fn kind(&self, kind: u32) -> &Kind {
        &self.kinds[kind as usize]
    }

    /// A struct's offsets.
    #[inline]
    pub(super) fn offsets(&self, range: &Offsets) -> &[u32] {
        &self.offsets[range.start as usize..range.end as usize]
    }

    /// Bytes of an object of `kind` with `len` elements, header included: a multiple of 8.
    #[inline]
    pub(super) fn bytes(&self, kind: u32, len: u32) -> u64 {
        let elements = match self.kind(kind) {
            Kind::Struct { bytes, .. } => return u64::from(*bytes),
            Kind::Plain(element) => u64::from(len) * u64::from(*element),
            Kind::References | Kind::Bufs => u64::from(len) * 8,
            Kind::Func => 8,
            Kind::Nothing => 0,
        };
        u64::from(OBJECT_HEADER) + elements.next_multiple_of(8)
    }

    /// Whether objects of this kind can own `buf`s.
    pub(super) fn holds_bufs(&self, kind: u32) -> bool {
        match self.kind(kind) {
            Kind::Bufs => true,
            Kind::Struct { bufs, .. } => !bufs.is_empty(),
            Kind::Plain(_) | Kind::References | Kind::Func | Kind::Nothing => false,
        }
    }

    /// The base-wide number of one of its kinds; `None` if the base has no number left.
    pub(super) fn registered(self: &Arc<Self>, kind: u32) -> Option<u32> {
        if kind == KIND_STR {
            return Some(KIND_STR);
        }
        let first = (*self.registered.call_once(|| registry::register(self)))?;
        Some(first + kind - 1)
    }

    /// The kind that has a base-wide number, if it is one of this table.
    pub fn kind_of_registered(&self, number: u32) -> Option<u32> {
        if number == KIND_STR {
            return Some(KIND_STR);
        }
        let first = (*self.registered.get()?)?;
        let kind = number.checked_sub(first)?.checked_add(1)?;
        (kind <= self.len()).then_some(kind)
    }
}

fn is_value_of(storage: Storage, wanted: fn(Type) -> bool) -> bool {
    match storage {
        Storage::Value(ty) => wanted(ty),
        Storage::I8 | Storage::U8 | Storage::I16 | Storage::U16 => false,
    }
}
