//! What crosses the border of an interpreted VM: its frozen objects lie in its own heap, so graphs are written into regions
//! when they leave, and read from them when they come. Known by its address, an object stays the same one.
//! `unsafe`: reads objects that their regions keep alive.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use il::trap::Status;
use il::{Storage, Type, TypeId};
use interp::{Class, Content, Incoming, Keep, Machine, ObjectId, Part};

use crate::attachment::Object;
use crate::buf::Account;
use crate::heap::graph::{self, Node, Word};
use crate::heap::{TypeTable, classes};

/// Classes of objects that other modules' VMs made.
#[derive(Default, Debug)]
pub(super) struct Border {
    classes: BTreeMap<(usize, TypeId), (Weak<TypeTable>, u32)>,
}

impl Border {
    /// A frozen object as others know it; `Quota` if that cannot be paid for.
    pub fn leave(
        machine: &mut Machine<'_>,
        types: &Arc<TypeTable>,
        account: &Arc<Account>,
        object: ObjectId,
    ) -> Result<Object, Status> {
        let graph = machine.graph(object);
        if let Some(key) = graph.first().and_then(|root| root.key) {
            return known(machine, key).ok_or(Status::DeviceError);
        }
        // What is known already lies elsewhere.
        let mut places = Vec::new();
        let mut count = 0;
        for node in &graph {
            places.push(count);
            count += usize::from(node.key.is_none());
        }
        let (mut nodes, mut into) = (Vec::new(), Vec::new());
        for node in &graph {
            if let Some(key) = node.key {
                into.push(known(machine, key).ok_or(Status::DeviceError)?.region);
                continue;
            }
            let words = |parts: &[Part]| -> Vec<Word> {
                let word = |part: &Part| match *part {
                    Part::Node(at) => match graph.get(at).and_then(|node| node.key) {
                        Some(key) => Word::Address(key),
                        None => Word::Node(places.get(at).copied().unwrap_or_default()),
                    },
                    other => bits(other),
                };
                parts.iter().map(word).collect()
            };
            nodes.push(match &node.content {
                Content::Str(text) => Node::Str(text.clone()),
                Content::Struct(Class::Own(id), parts) | Content::Array(Class::Own(id), parts) => {
                    Node::Object(*id, words(parts))
                }
                Content::Struct(..) | Content::Array(..) | Content::Known => return Err(Status::DeviceError),
            });
        }
        into.sort_by_key(|region| region.start());
        into.dedup_by_key(|region| region.start());
        let (region, addresses) = graph::write(types, account, &nodes, into).ok_or(Status::Quota)?;
        let root = addresses.first().copied().ok_or(Status::DeviceError)?;
        let named = graph.iter().filter(|node| node.key.is_none());
        for (node, address) in named.zip(addresses) {
            let keep: Keep = Arc::new(Object::new(region.clone(), address));
            machine.name_object(node.object, address, keep);
        }
        Ok(Object::new(region, root))
    }

    /// An object that comes in.
    pub fn enter(
        &mut self,
        machine: &mut Machine<'_>,
        types: &Arc<TypeTable>,
        object: &Object,
    ) -> Result<ObjectId, Status> {
        // SAFETY: the region keeps the object alive.
        let seen = unsafe { graph::read(object.address, |address| machine.kept(address).is_some()) };
        let seen = seen.ok_or(Status::BadOperand)?;
        let places: BTreeMap<u64, usize> = seen.iter().enumerate().map(|(at, one)| (one.address, at)).collect();
        let mut incoming = Vec::new();
        for one in &seen {
            let content = match &one.content {
                graph::Content::Str(text) => Content::Str(String::clone(text)),
                graph::Content::Object(table, id, words) => {
                    let class = self.class(machine, types, table, *id);
                    let part = |(storage, word): &(Storage, Word)| part(*storage, *word, &places);
                    let parts = words.iter().map(part).collect();
                    match table.hierarchy().array(*id) {
                        Some(_) => Content::Array(class, parts),
                        None => Content::Struct(class, parts),
                    }
                }
            };
            incoming.push(Incoming { key: one.address, content });
        }
        let keep: Keep = Arc::new(object.clone());
        machine.import(&incoming, &keep)
    }

    fn class(&mut self, machine: &mut Machine<'_>, own: &Arc<TypeTable>, theirs: &Arc<TypeTable>, id: TypeId) -> Class {
        if Arc::ptr_eq(own, theirs) {
            return Class::Own(id);
        }
        let key = (Arc::as_ptr(theirs) as usize, id);
        if let Some((table, class)) = self.classes.get(&key)
            && table.strong_count() > 0
        {
            return Class::Foreign(*class);
        }
        let class = machine.add_class(classes(own, theirs, id));
        self.classes.insert(key, (Arc::downgrade(theirs), class));
        Class::Foreign(class)
    }
}

/// An object by what it is known by.
fn known(machine: &Machine<'_>, key: u64) -> Option<Object> {
    let kept = machine.kept(key)?.downcast::<Object>().ok()?;
    Some(Object::new(kept.region.clone(), key))
}

fn bits(part: Part) -> Word {
    Word::Bits(match part {
        Part::I32(value) => u128::from(value as u32),
        Part::I64(value) => u128::from(value as u64),
        Part::F32(bits) => u128::from(bits),
        Part::F64(bits) => u128::from(bits),
        Part::V128(bytes) => u128::from_le_bytes(bytes),
        Part::Bool(value) => u128::from(value),
        Part::Null | Part::Node(_) => return Word::Address(0),
    })
}

fn part(storage: Storage, word: Word, places: &BTreeMap<u64, usize>) -> Part {
    let bits = match word {
        Word::Bits(bits) => bits,
        Word::Address(address) => return places.get(&address).map_or(Part::Null, |at| Part::Node(*at)),
        Word::Node(at) => return Part::Node(at),
    };
    match storage {
        Storage::I8 => Part::I32(i32::from(bits as i8)),
        Storage::U8 => Part::I32(i32::from(bits as u8)),
        Storage::I16 => Part::I32(i32::from(bits as i16)),
        Storage::U16 => Part::I32(i32::from(bits as u16)),
        Storage::Value(Type::I64) => Part::I64(bits as i64),
        Storage::Value(Type::F32) => Part::F32(bits as u32),
        Storage::Value(Type::F64) => Part::F64(bits as u64),
        Storage::Value(Type::V128) => Part::V128(bits.to_le_bytes()),
        Storage::Value(Type::Bool) => Part::Bool(bits != 0),
        Storage::Value(_) => Part::I32(bits as u32 as i32),
    }
}
