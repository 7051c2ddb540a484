//! One module on an engine of this project's, to be compared.

use wasmparser::ExternalKind;

use crate::group::Group;
use crate::rename::{self, Export};
use crate::trace::{Fault, State, Subject, digest};
use crate::value::Value;
use crate::vm::{Trap, Vm};

/// A module of one unit, without imports, in one of our engines.
pub struct Ours<'g> {
    group: &'g Group,
    vm: Box<dyn Vm + 'g>,
    exports: &'g [Export],
}

impl<'g> Ours<'g> {
    /// `exports` is what the unit exports, `vm` an instance of the group's.
    pub fn new(group: &'g Group, exports: &'g [Export], vm: Box<dyn Vm + 'g>) -> Ours<'g> {
        Ours { group, vm, exports }
    }

    fn export(&mut self, export: usize, args: &[Value]) -> Result<Vec<Value>, Fault> {
        let entry = self.group.export(0, &rename::plain(export)).unwrap_or_else(|error| panic!("{error:#}"));
        let answer = self.group.call(self.vm.as_mut(), entry, args);
        answer.unwrap_or_else(|error| panic!("export {export}: {error:#}")).map_err(|trap| fault(&trap))
    }
}

fn fault(trap: &Trap) -> Fault {
    Fault::of(trap.kind).unwrap_or_else(|| panic!("{trap}: nothing in WebAssembly traps like this"))
}

impl Subject for Ours<'_> {
    fn make(&mut self) -> Result<(), Fault> {
        let entry = self.group.instantiation(0).unwrap_or_else(|error| panic!("{error:#}"));
        let answer = self.group.call(self.vm.as_mut(), entry, &[]);
        answer.unwrap_or_else(|error| panic!("instance: {error:#}")).map(drop).map_err(|trap| fault(&trap))
    }

    fn call(&mut self, export: usize, args: &[Value]) -> Result<Vec<Value>, Fault> {
        self.export(export, args)
    }

    fn state(&mut self) -> State {
        let (mut globals, mut memories) = (Vec::new(), Vec::new());
        for (at, export) in self.exports.iter().enumerate() {
            match export.kind {
                ExternalKind::Global => match self.export(at, &[]) {
                    Ok(values) => globals.extend(values),
                    Err(fault) => panic!("global {at} cannot be read: {fault:?}"),
                },
                ExternalKind::Memory => {
                    let memories_here = self.vm.memories();
                    memories.extend(memories_here.get(export.index as usize).map(|bytes| digest(bytes)));
                }
                ExternalKind::Func | ExternalKind::FuncExact | ExternalKind::Table | ExternalKind::Tag => {}
            }
        }
        State { globals, memories }
    }
}
