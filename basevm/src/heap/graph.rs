//! Frozen graphs written down and read, for VMs whose objects lie elsewhere: those that are interpreted.
//! `unsafe`: guest memory.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use compiler::abi::{FROZEN, KIND_STR};
use il::{OBJECT_HEADER, Storage, Type, TypeDef, TypeId};

use super::object::{Header, Object};
use super::region::{FrozenRegion, REGION_OVERHEAD};
use super::registry;
use super::space::Memory;
use super::types::{TypeTable, kind_of};
use crate::buf::Account;

/// A field or element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Word {
    /// So many bytes, the low ones first.
    Bits(u128),
    /// An object of this graph, by its place.
    Node(usize),
    /// An object elsewhere; 0 is null.
    Address(u64),
}

/// One object to be written.
#[derive(Clone, PartialEq, Debug)]
pub enum Node {
    /// `str`
    Str(String),
    /// A struct or array of a sendable type.
    Object(TypeId, Vec<Word>),
}

/// One object as it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where it lies.
    pub address: u64,
    /// What it is.
    pub content: Content,
}

/// What an object is.
#[derive(Clone, Debug)]
pub enum Content {
    /// `str`
    Str(String),
    /// A struct or array: whose type it is, and its fields or elements with their types. References are addresses.
    Object(Arc<TypeTable>, TypeId, Vec<(Storage, Word)>),
}

/// The storages of an object's fields or elements, with their offsets.
fn layout(types: &TypeTable, id: TypeId, len: usize) -> Vec<(Storage, u64)> {
    let hierarchy = types.hierarchy();
    match hierarchy.defs().get(id.index()) {
        Some(TypeDef::Array(def)) => {
            let offset = |at: usize| u64::from(OBJECT_HEADER) + at as u64 * u64::from(def.element.bytes());
            (0..len).map(|at| (def.element, offset(at))).collect()
        }
        _ => hierarchy.fields(id).iter().map(|field| (field.storage, u64::from(field.offset))).collect(),
    }
}

/// Writes a graph into a region of its own, with the addresses of its objects; `into` are regions that it points into.
/// `None` if it cannot be paid for.
pub fn write(
    types: &Arc<TypeTable>,
    account: &Arc<Account>,
    nodes: &[Node],
    into: Vec<Arc<FrozenRegion>>,
) -> Option<(Arc<FrozenRegion>, Vec<u64>)> {
    let is_array = |id: TypeId| types.hierarchy().array(id).is_some();
    let shape = |node: &Node| match node {
        Node::Str(text) => (KIND_STR, text.len()),
        Node::Object(id, words) => (kind_of(types.hierarchy(), *id), if is_array(*id) { words.len() } else { 0 }),
    };
    let (mut offsets, mut bytes) = (Vec::new(), 0);
    for node in nodes {
        let (kind, len) = shape(node);
        offsets.push(bytes);
        bytes += types.bytes(kind, u32::try_from(len).ok()?);
    }
    let memory = Memory::new(bytes)?;
    let start = memory.start();
    let addresses: Vec<u64> = offsets.iter().map(|offset| start + offset).collect();
    for (node, address) in nodes.iter().zip(&addresses) {
        let (kind, len) = shape(node);
        // SAFETY: room for it lies there.
        let object = unsafe { Object::at(*address) };
        let size = types.bytes(kind, len as u32);
        (8..size).step_by(8).for_each(|offset| object.set_word(offset, 0));
        object.set_header(Header::new(types.registered(kind)?, FROZEN, len as u32));
        match node {
            Node::Str(text) => put(object, u64::from(OBJECT_HEADER), text.as_bytes()),
            Node::Object(id, words) => {
                for ((storage, offset), word) in layout(types, *id, words.len()).into_iter().zip(words) {
                    let bits = match *word {
                        Word::Bits(bits) => bits,
                        Word::Node(at) => u128::from(*addresses.get(at)?),
                        Word::Address(address) => u128::from(address),
                    };
                    put(object, offset, bits.to_le_bytes().get(..storage.bytes() as usize)?);
                }
            }
        }
    }
    let cost = memory.bytes() + REGION_OVERHEAD;
    if !account.charge(cost) {
        return None;
    }
    let payer = Some((account.clone(), cost));
    Some((FrozenRegion::new(memory, bytes, into, Some(types.clone()), payer), addresses))
}

/// Replaces bytes of an object.
fn put(object: Object, offset: u64, bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        let at = offset + at as u64;
        let shift = at % 8 * 8;
        let word = object.word(at & !7) & !(0xff << shift);
        object.set_word(at & !7, word | u64::from(*byte) << shift);
    }
}

fn get(object: Object, offset: u64, bytes: u32) -> u128 {
    (0..u64::from(bytes)).rev().fold(0, |bits, at| {
        let at = offset + at;
        bits << 8 | u128::from(object.word(at & !7) >> (at % 8 * 8) & 0xff)
    })
}

/// Reads the graph below a frozen object, that first, each object once; what `known` says is known is not followed.
///
/// # Safety
/// `root` is the address of an object of a region that exists.
pub unsafe fn read(root: u64, known: impl Fn(u64) -> bool) -> Option<Vec<Seen>> {
    let (mut list, mut places, mut at) = (Vec::from([root]), BTreeMap::from([(root, ())]), 0);
    let mut seen = Vec::new();
    while let Some(address) = list.get(at).copied() {
        at += 1;
        // SAFETY: the caller's promise, and what a frozen object refers to is kept alive by its region.
        let object = unsafe { Object::at(address) };
        let header = object.header();
        let len = header.len() as usize;
        let content = if header.kind() == KIND_STR {
            let bytes: Vec<u8> =
                (0..len as u64).map(|at| get(object, u64::from(OBJECT_HEADER) + at, 1) as u8).collect();
            Content::Str(String::from_utf8(bytes).ok()?)
        } else {
            let (types, kind) = registry::find(header.kind())?;
            let id = types.def(kind)?;
            let mut words = Vec::new();
            for (storage, offset) in layout(&types, id, len) {
                let bits = get(object, offset, storage.bytes());
                let is_reference = matches!(storage, Storage::Value(ty) if Type::is_reference(ty));
                if is_reference && bits != 0 && !known(address) && places.insert(bits as u64, ()).is_none() {
                    list.push(bits as u64);
                }
                words.push((storage, if is_reference { Word::Address(bits as u64) } else { Word::Bits(bits) }));
            }
            Content::Object(types, id, words)
        };
        seen.push(Seen { address, content });
    }
    Some(seen)
}
