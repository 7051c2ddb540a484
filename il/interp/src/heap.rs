//! Objects (reference, chapter "Structs, arrays, references"): strings, structs, arrays and buffers, by handle.
//!
//! Handles are indices of a table; what no root reaches is dropped when the quota asks for it. A
//! buffer is affine, so the program cannot tell that it too is collected here instead of freed at once.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::graph::{Class, Keep};
use crate::value::Value;

/// Names an object while it is reachable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Handle(u32);

/// What a handle names.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Object {
    Str(String),
    /// Inherited fields first.
    Struct {
        class: Class,
        fields: Vec<Value>,
    },
    Array {
        class: Class,
        elements: Vec<Value>,
    },
    Buf(Vec<u8>),
}

/// What an object is charged before its contents, in bytes.
const HEADER_BYTES: u64 = 8;
/// What a field or element is charged at most, in bytes.
const VALUE_BYTES: u64 = 16;

impl Object {
    /// Values that it holds.
    pub fn values(&self) -> &[Value] {
        match self {
            Object::Struct { fields, .. } => fields,
            Object::Array { elements, .. } => elements,
            Object::Str(_) | Object::Buf(_) => &[],
        }
    }

    /// Bytes charged to the quota.
    fn bytes(&self) -> u64 {
        HEADER_BYTES
            + match self {
                Object::Str(text) => text.len() as u64,
                Object::Buf(bytes) => bytes.len() as u64,
                Object::Struct { .. } | Object::Array { .. } => self.values().len() as u64 * VALUE_BYTES,
            }
    }
}

#[derive(Debug)]
struct Entry {
    object: Object,
    /// In shared memory: `freeze` leaves it as it is.
    frozen: bool,
    marked: bool,
    /// What it is known by outside, and what keeps it alive there.
    outside: Option<(u64, Keep)>,
}

/// All objects of a machine.
#[derive(Default, Debug)]
pub(crate) struct Heap {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    used: u64,
    /// Objects by their keys.
    keys: BTreeMap<u64, Handle>,
    /// Capabilities that the last collection met, or that came since.
    caps: BTreeSet<u32>,
}

impl Heap {
    /// Bytes charged.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// What an object would be charged.
    pub fn cost(object: &Object) -> u64 {
        object.bytes()
    }

    /// What an array or buffer of so many elements would be charged; `wide` for values.
    pub fn cost_of(count: u32, wide: bool) -> u64 {
        HEADER_BYTES + u64::from(count) * if wide { VALUE_BYTES } else { 1 }
    }

    /// Adds an object.
    pub fn add(&mut self, object: Object, frozen: bool) -> Handle {
        self.used += object.bytes();
        let entry = Some(Entry { object, frozen, marked: false, outside: None });
        match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = entry;
                Handle(index)
            }
            None => {
                self.entries.push(entry);
                Handle(self.entries.len() as u32 - 1)
            }
        }
    }

    fn entry(&self, handle: Handle) -> Option<&Entry> {
        self.entries.get(handle.0 as usize)?.as_ref()
    }

    /// The object; `None` never happens to a handle that a root reached at the last collection.
    pub fn get(&self, handle: Handle) -> Option<&Object> {
        self.entry(handle).map(|entry| &entry.object)
    }

    /// The object, to be written; its size must not change.
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut Object> {
        self.entries.get_mut(handle.0 as usize)?.as_mut().map(|entry| &mut entry.object)
    }

    /// What an object is known by outside.
    pub fn key(&self, handle: Handle) -> Option<u64> {
        self.entry(handle)?.outside.as_ref().map(|(key, _)| *key)
    }

    /// The object of a key.
    pub fn known(&self, key: u64) -> Option<Handle> {
        self.keys.get(&key).copied()
    }

    /// What keeps the object of a key alive outside.
    pub fn kept(&self, key: u64) -> Option<Keep> {
        self.entry(self.known(key)?)?.outside.as_ref().map(|(_, keep)| keep.clone())
    }

    /// Gives an object a key.
    pub fn name(&mut self, handle: Handle, key: u64, keep: Keep) {
        if let Some(Some(entry)) = self.entries.get_mut(handle.0 as usize) {
            entry.outside = Some((key, keep));
            self.keys.insert(key, handle);
        }
    }

    /// Gives a new object its fields or elements.
    pub fn fill(&mut self, handle: Handle, values: Vec<Value>) {
        let Some(Some(entry)) = self.entries.get_mut(handle.0 as usize) else { return };
        self.used -= entry.object.bytes();
        if let Object::Struct { fields: all, .. } | Object::Array { elements: all, .. } = &mut entry.object {
            *all = values;
        }
        self.used += entry.object.bytes();
    }

    /// Notes that a value names a capability.
    pub fn meet_cap(&mut self, slot: u32) {
        self.caps.insert(slot);
    }

    /// Whether the last collection met a value that names a capability, or such a value came since.
    pub fn has_met_cap(&self, slot: u32) -> bool {
        self.caps.contains(&slot)
    }

    /// Drops a buffer that has left the machine, and hands over its bytes.
    pub fn take_buf(&mut self, handle: Handle) -> Option<Vec<u8>> {
        let slot = self.entries.get_mut(handle.0 as usize)?;
        if !matches!(slot, Some(Entry { object: Object::Buf(_), .. })) {
            return None;
        }
        let entry = slot.take()?;
        self.used -= entry.object.bytes();
        self.free.push(handle.0);
        match entry.object {
            Object::Buf(bytes) => Some(bytes),
            Object::Str(_) | Object::Struct { .. } | Object::Array { .. } => None,
        }
    }

    /// Drops all that no root reaches.
    pub fn collect(&mut self, roots: impl Iterator<Item = Value>) {
        let mut todo: Vec<Value> = roots.collect();
        self.caps.clear();
        while let Some(value) = todo.pop() {
            if let Value::Cap(slot) = value {
                self.caps.insert(slot);
            }
            let (Value::Object(handle) | Value::Buf(handle)) = value else { continue };
            let Some(Some(entry)) = self.entries.get_mut(handle.0 as usize) else { continue };
            if !entry.marked {
                entry.marked = true;
                todo.extend_from_slice(entry.object.values());
            }
        }
        for (index, slot) in self.entries.iter_mut().enumerate() {
            match slot {
                Some(entry) if entry.marked => entry.marked = false,
                Some(entry) => {
                    self.used -= entry.object.bytes();
                    self.free.push(index as u32);
                    if let Some((key, _)) = entry.outside {
                        self.keys.remove(&key);
                    }
                    *slot = None;
                }
                None => {}
            }
        }
    }

    /// What is not frozen of the graph below `value`, each object once, and what that is charged.
    pub fn unfrozen(&self, value: Value) -> (Vec<Handle>, u64) {
        let (mut found, mut bytes) = (Vec::new(), 0);
        let mut seen = vec![false; self.entries.len()];
        let mut todo = vec![value];
        while let Some(value) = todo.pop() {
            let Value::Object(handle) = value else { continue };
            let Some(entry) = self.entry(handle) else { continue };
            if entry.frozen || core::mem::replace(&mut seen[handle.0 as usize], true) {
                continue;
            }
            bytes += entry.object.bytes();
            found.push(handle);
            todo.extend_from_slice(entry.object.values());
        }
        (found, bytes)
    }

    /// Copies these objects as frozen ones that refer to each other as they did; returns the copy of `value`.
    pub fn freeze(&mut self, value: Value, graph: &[Handle]) -> Value {
        let mut copies: Vec<Option<Handle>> = vec![None; self.entries.len()];
        for handle in graph {
            if let Some(object) = self.get(*handle).cloned() {
                copies[handle.0 as usize] = Some(self.add(object, true));
            }
        }
        let copy_of = |value: Value| match value {
            Value::Object(handle) => copies.get(handle.0 as usize).copied().flatten().map_or(value, Value::Object),
            other => other,
        };
        for copy in copies.iter().copied().flatten() {
            match self.get_mut(copy) {
                Some(Object::Struct { fields: values, .. } | Object::Array { elements: values, .. }) => {
                    values.iter_mut().for_each(|value| *value = copy_of(*value));
                }
                Some(Object::Str(_) | Object::Buf(_)) | None => {}
            }
        }
        copy_of(value)
    }
}
