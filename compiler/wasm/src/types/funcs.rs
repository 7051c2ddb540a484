//! Function types, and functions as objects.
//!
//! A reference to a function is the IL's where the IL's type says all: no other type of the program has the same
//! signature, it extends none and none extends it, and it does not refer to itself. Else it is an object that holds the
//! reference, of a struct that extends its supertype's: then every cast is right. If a subtype's signature is another
//! one in the IL, the object holds a second reference, and the inherited one leads to an adapter.

use alloc::vec;
use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::{FieldId, Func, FuncId, GlobalId, LocalId, Module, Signature, Storage, StructField, Type, TypeId};

use super::{CanonId, Types};

/// How a function of some type is referred to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FuncForm {
    /// By a reference of this type.
    Plain(TypeId),
    /// By an object of this type, whose field holds the reference, which is of the other type.
    Object(TypeId, FieldId, TypeId),
}

impl Types {
    /// How functions of a type are referred to.
    pub fn form(&mut self, module: &mut Module, id: CanonId) -> FuncForm {
        let def = self.definition(module, id);
        if !self.canon(id).is_some_and(|canon| canon.is_object) {
            return FuncForm::Plain(def);
        }
        let sig = self.carried(id);
        let field = self.signatures(id).iter().position(|known| *known == sig).unwrap_or(0);
        FuncForm::Object(def, FieldId(field as u32), self.func(module, &sig))
    }

    /// The signatures of the references in an object, the inherited ones first.
    pub fn signatures(&self, id: CanonId) -> Vec<Signature> {
        let mut chain = vec![id];
        while let Some(parent) = chain.last().and_then(|id| self.canon(*id)).and_then(|canon| canon.parent) {
            chain.push(parent);
        }
        let mut all: Vec<Signature> = Vec::new();
        for id in chain.into_iter().rev() {
            let sig = self.carried(id);
            if !all.contains(&sig) {
                all.push(sig);
            }
        }
        all
    }

    pub(super) fn func_fields(&mut self, module: &mut Module, id: CanonId) -> Vec<StructField> {
        let sigs = self.signatures(id);
        let parent = self.canon(id).and_then(|canon| canon.parent);
        let inherited = parent.map_or(0, |parent| self.signatures(parent).len());
        let field = |sig: &Signature| StructField {
            mutable: false,
            storage: Storage::Value(Type::Ref(self.func(module, sig))),
        };
        sigs.get(inherited..).unwrap_or_default().iter().map(field).collect()
    }

    /// The global that holds a function as an object of a type.
    pub fn known_object(&self, func: FuncId, ty: CanonId) -> Option<GlobalId> {
        self.func_objects.get(&(func, ty)).copied()
    }

    /// Notes that one does.
    pub fn note_object(&mut self, func: FuncId, ty: CanonId, global: GlobalId) {
        self.func_objects.insert((func, ty), global);
    }

    /// The adapter of a function to a signature.
    pub fn known_adapter(&self, func: FuncId, sig: &Signature) -> Option<FuncId> {
        self.adapters.get(&(func, sig.clone())).copied()
    }

    /// All adapters: of which function each is.
    pub fn adapters(&self) -> impl Iterator<Item = (FuncId, FuncId)> {
        self.adapters.iter().map(|((func, _), adapter)| (*func, *adapter))
    }

    /// Notes that this is it.
    pub fn note_adapter(&mut self, func: FuncId, sig: &Signature, adapter: FuncId) {
        self.adapters.insert((func, sig.clone()), adapter);
    }
}

/// A function of one signature that calls one of another: arguments and results fit, but for null of no type.
pub(crate) fn adapter(func: FuncId, own: &Signature, wanted: &Signature, is_nothing: impl Fn(Type) -> bool) -> Func {
    let mut code = Writer::default();
    let pass = |code: &mut Writer, local: usize, from: Type, to: Type| {
        code.push(Instr::Get(LocalId(local as u32)));
        if from != to && is_nothing(from) {
            code.push(Instr::As(to));
        }
    };
    for (at, (from, to)) in wanted.params.iter().zip(&own.params).enumerate() {
        pass(&mut code, at, *from, *to);
    }
    let first = wanted.params.len();
    let dests: Vec<_> = (0..own.results.len()).map(|at| Some(LocalId((first + at) as u32))).collect();
    code.call_set(func, &dests);
    for (at, (from, to)) in own.results.iter().zip(&wanted.results).enumerate() {
        pass(&mut code, first + at, *from, *to);
    }
    code.push(Instr::Return);
    Func { sig: wanted.clone(), pure: false, locals: own.results.clone(), body: code.bytes }
}
