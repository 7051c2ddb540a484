//! Frozen graphs across a machine's border: what of them is written down for others, and made of what others wrote.
//!
//! Outside of the machine a frozen object has a key, which whoever drives the machine gives it; what is known by its
//! key is the same object when it comes back. Objects of other modules' types come in with a class: the types of this
//! module that they are of.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use il::TypeId;
use il::trap::Status;

use crate::heap::{Handle, Object};
use crate::machine::Machine;
use crate::value::Value;

/// A frozen object of a machine, while it stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObjectId(pub(crate) Handle);

/// What keeps an object alive outside of the machine.
pub type Keep = Arc<dyn Any + Send + Sync>;

/// What a struct or array was made as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A type of the module's own.
    Own(TypeId),
    /// One of another module, by [`Machine::add_class`].
    Foreign(u32),
}

/// A field or element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// `i32`, also what is stored narrower.
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`, by its bits
    F32(u32),
    /// `f64`, by its bits
    F64(u64),
    /// `v128`, lane 0 first
    V128([u8; 16]),
    /// `bool`
    Bool(bool),
    /// Of any `?T`.
    Null,
    /// An object, by its place in the graph.
    Node(usize),
}

/// What an object consists of.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    /// It is known by its key.
    Known,
    /// `str`
    Str(String),
    /// Inherited fields first.
    Struct(Class, Vec<Part>),
    /// All elements.
    Array(Class, Vec<Part>),
}

/// One object of a graph that leaves a machine.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// The object, for [`Machine::name_object`].
    pub object: ObjectId,
    /// Its key, if it has one.
    pub key: Option<u64>,
    /// What it is.
    pub content: Content,
}

/// One object of a graph that enters a machine.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its key.
    pub key: u64,
    /// What it is.
    pub content: Content,
}

impl Machine<'_> {
    /// The graph below a frozen object, that first; what is known by its key is not followed.
    pub fn graph(&self, root: ObjectId) -> Vec<Node> {
        let (mut nodes, mut places, mut at) = (Vec::new(), BTreeMap::from([(root.0, 0)]), 0);
        let mut list = Vec::from([root.0]);
        while let Some(handle) = list.get(at).copied() {
            at += 1;
            let mut part = |value: &Value| match *value {
                Value::I32(value) => Part::I32(value),
                Value::I64(value) => Part::I64(value),
                Value::F32(bits) => Part::F32(bits),
                Value::F64(bits) => Part::F64(bits),
                Value::V128(bytes) => Part::V128(bytes),
                Value::Bool(value) => Part::Bool(value),
                Value::Object(inner) => Part::Node(*places.entry(inner).or_insert_with(|| {
                    list.push(inner);
                    list.len() - 1
                })),
                // The others are not sendable.
                Value::Null | Value::Func(..) | Value::Cap(_) | Value::Buf(_) => Part::Null,
            };
            let key = self.heap.key(handle);
            let content = match self.heap.get(handle) {
                _ if key.is_some() => Content::Known,
                Some(Object::Struct { class, fields }) => {
                    Content::Struct(*class, fields.iter().map(&mut part).collect())
                }
                Some(Object::Array { class, elements }) => {
                    Content::Array(*class, elements.iter().map(&mut part).collect())
                }
                Some(Object::Str(text)) => Content::Str(text.clone()),
                Some(Object::Buf(_)) | None => Content::Known,
            };
            nodes.push(Node { object: ObjectId(handle), key, content });
        }
        nodes
    }

    /// Gives an object its key, and what keeps it alive under that.
    pub fn name_object(&mut self, object: ObjectId, key: u64, keep: Keep) {
        self.heap.name(object.0, key, keep);
    }

    /// What keeps the object of a key alive, if the machine has it.
    pub fn kept(&self, key: u64) -> Option<Keep> {
        self.heap.kept(key)
    }

    /// Makes objects of a graph, the first of which is returned; those of known keys are there already. They stay until
    /// something is entered, or a call goes on.
    ///
    /// # Errors
    /// `Quota` if they cannot be paid for.
    pub fn import(&mut self, graph: &[Incoming], keep: &Keep) -> Result<ObjectId, Status> {
        let bytes = graph.iter().map(|node| match &node.content {
            Content::Known => 0,
            Content::Str(text) => text.len() as u64 + 8,
            Content::Struct(_, parts) | Content::Array(_, parts) => parts.len() as u64 * 16 + 8,
        });
        let bytes = bytes.sum();
        self.reserve(bytes, Vec::new()).map_err(|_| Status::Quota)?;
        let mut handles = Vec::new();
        for node in graph {
            let known = self.heap.known(node.key);
            let handle = known.unwrap_or_else(|| {
                let object = match &node.content {
                    Content::Str(text) => Object::Str(text.clone()),
                    Content::Struct(class, _) => Object::Struct { class: *class, fields: Vec::new() },
                    Content::Array(class, _) => Object::Array { class: *class, elements: Vec::new() },
                    Content::Known => Object::Str(String::new()),
                };
                let handle = self.heap.add(object, true);
                self.heap.name(handle, node.key, keep.clone());
                handle
            });
            handles.push((handle, known.is_none()));
        }
        for (node, (handle, _)) in graph.iter().zip(&handles).filter(|(_, (_, is_new))| *is_new) {
            let (Content::Struct(_, parts) | Content::Array(_, parts)) = &node.content else { continue };
            let value = |part: &Part| match *part {
                Part::I32(value) => Value::I32(value),
                Part::I64(value) => Value::I64(value),
                Part::F32(bits) => Value::F32(bits),
                Part::F64(bits) => Value::F64(bits),
                Part::V128(bytes) => Value::V128(bytes),
                Part::Bool(value) => Value::Bool(value),
                Part::Null => Value::Null,
                Part::Node(at) => handles.get(at).map_or(Value::Null, |(handle, _)| Value::Object(*handle)),
            };
            self.heap.fill(*handle, parts.iter().map(value).collect());
        }
        let root = handles.first().map(|(handle, _)| *handle).ok_or(Status::BadOperand)?;
        self.imported.push(Value::Object(root));
        Ok(ObjectId(root))
    }

    /// Adds a class of objects: all types of this module that they are of.
    pub fn add_class(&mut self, types: Vec<TypeId>) -> u32 {
        self.classes.push(types);
        self.classes.len() as u32 - 1
    }
}
