//! VMs that come and go while a system runs: what `cascade.system@1` does.
//!
//! Invariants: a spawned VM has at most the grants of its spawner, its memory counts as its spawner's too, and
//! it ends with it. Its module is compiled function by function, while its spawner waits and others run.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

use il::packet::Value;
use il::trap::Status;

use super::builtin::{Asked, list};
use super::channel::{ChannelId, Open};
use super::handshake::{Refusal, is_name};
use super::loader::Loading;
use super::vm::{Body, Fate};
use super::{Grants, Refused, System, VmOptions};
use crate::attachment::Attachment;
use crate::buf::Account;
use crate::engine::{LoadError, Program};
use crate::service::{Reply, VmId};

/// A VM that is about to be spawned.
#[derive(Debug)]
pub(super) struct Spawn {
    pub spawner: VmId,
    channel: ChannelId,
    open: Open,
    loading: Loading,
    name: String,
    grants: Grants,
}

impl System {
    /// Executes an instruction of `cascade.system@1`; `None` if it is answered later.
    pub(super) fn ask_system(&mut self, instruction: &str, asked: Asked<'_>) -> Option<Result<Reply, Status>> {
        let caller = asked.caller;
        Some(match (instruction, asked.values) {
            ("spawn", [Value::Buf(module), Value::Str(name), Value::Str(grants)]) => {
                let module = asked.attachments.get_mut(*module as usize).and_then(Option::take);
                match self.prepare(caller, module, name, grants) {
                    Ok((loading, grants)) => {
                        let open = self.channel(asked.channel).begin(asked.head);
                        let (channel, name) = (asked.channel, name.to_string());
                        self.spawns.push_back(Spawn { spawner: caller, channel, open, loading, name, grants });
                        return None;
                    }
                    Err(status) => Err(status),
                }
            }
            ("stop", [Value::I32(vm)]) => self.stop_seen(caller, VmId(*vm as u32)).map(|()| Reply::none()),
            ("list", []) => {
                let text =
                    list(self.directory.entries().filter(|entry| self.sees(caller, entry)).filter_map(|entry| {
                        let (vm, state) = (self.get_vm(entry.vm)?, self.state_of(entry.vm));
                        let is_own = entry.name == vm.name && entry.index == vm.index;
                        is_own
                            .then(|| format!("{} {}/{} {}: {state}", entry.vm.0, entry.name, entry.index, entry.set()))
                    }));
                Ok(Reply::new(&[Value::Str(&text)], alloc::vec::Vec::new()))
            }
            _ => Err(Status::NotSupported),
        })
    }

    /// Reads what is to be spawned; nothing is compiled yet.
    fn prepare(
        &mut self,
        spawner: VmId,
        module: Option<Attachment>,
        name: &str,
        grants: &str,
    ) -> Result<(Loading, Grants), Status> {
        let module = module.ok_or(Status::BadOperand)?.buf()?;
        if !name.is_empty() && !is_name(name) {
            return Err(Status::BadOperand);
        }
        let parse = |grants: Grants, text: &str| grants.allow_text(text.trim());
        let texts = grants.split(';').filter(|text| !text.trim().is_empty());
        let wanted = texts.into_iter().try_fold(Grants::none(), parse);
        let wanted = wanted.map_err(|why| self.not_spawned(spawner, &why.to_string(), Status::BadOperand))?;
        let grants = wanted.within(&self.vm_ref(spawner).options.grants);
        let bounds = self.vm_ref(spawner).options.bounds;
        let loading = self.begin_load(&module, bounds);
        let loading = loading.map_err(|why| self.not_spawned(spawner, &why, Status::BadOperand))?;
        Ok((loading, grants))
    }

    fn not_spawned(&self, spawner: VmId, why: &str, status: Status) -> Status {
        self.log(format_args!("VM '{}' spawns nothing: {why}", self.vm_ref(spawner).address()));
        status
    }

    /// Compiles one function of the VM that is spawned next.
    pub(super) fn step_spawn(&mut self, system_vm: VmId) {
        let Some(mut spawn) = self.spawns.pop_front() else { return };
        let result = match spawn.loading.step() {
            Ok(None) => {
                // Those behind it get their turn too.
                self.spawns.push_back(spawn);
                return self.make_ready(system_vm);
            }
            Ok(Some(program)) => self.start_spawned(&mut spawn, program),
            Err(why) => Err(self.not_spawned(spawn.spawner, &why, Status::BadOperand)),
        };
        let reply = result.map(|vm| Reply::new(&[Value::I32(vm.0 as i32)], alloc::vec::Vec::new()));
        self.finish(spawn.channel, spawn.open, reply);
        if !self.spawns.is_empty() {
            self.make_ready(system_vm);
        }
    }

    fn start_spawned(&mut self, spawn: &mut Spawn, program: Arc<Program>) -> Result<VmId, Status> {
        let spawner = self.vm_ref(spawn.spawner);
        let account = Account::part_of(&spawner.account);
        let options = VmOptions {
            name: core::mem::take(&mut spawn.name),
            grants: core::mem::take(&mut spawn.grants),
            memory_bytes: account.limit(),
            bounds: spawner.options.bounds,
            turn_ms: spawner.options.turn_ms,
            call_deadline: spawner.options.call_deadline,
            priority: spawner.options.priority,
            programs: spawner.options.programs,
            ..VmOptions::default()
        };
        let added = self.add_program_paid_by(program, options, account);
        let id = added.map_err(|refused| self.refused_spawn(spawn.spawner, &refused))?;
        self.vm(id).parent = Some(spawn.spawner);
        self.vm(spawn.spawner).children.push(id);
        self.connect();
        match self.get_vm(id).map(|vm| &vm.fate) {
            Some(None) => Ok(id),
            _ => Err(match self.fate(id).cloned() {
                Some(Fate::Refused(refused)) => self.refused_spawn(spawn.spawner, &refused),
                _ => Status::NotPermitted,
            }),
        }
    }

    fn refused_spawn(&self, spawner: VmId, refused: &Refused) -> Status {
        let status = match &refused.why {
            Refusal::Load(LoadError::OutOfMemory | LoadError::Quota { .. }) => Status::Quota,
            Refusal::Load(_) | Refusal::Protocol { .. } => Status::BadOperand,
            Refusal::NoProvider { .. } => Status::NotSupported,
            _ => Status::NotPermitted,
        };
        self.not_spawned(spawner, &refused.to_string(), status)
    }

    fn stop_seen(&mut self, caller: VmId, id: VmId) -> Result<(), Status> {
        let visible = self.directory.entries().any(|entry| entry.vm == id && self.sees(caller, entry));
        match self.get_vm(id) {
            Some(vm) if visible => match vm.body {
                Body::Base | Body::Builtin(_) => Err(Status::NotPermitted),
                Body::Gone => Err(Status::PeerGone),
                Body::Il(_) | Body::Rust(_) | Body::External(_) => {
                    self.stop_vm(id);
                    Ok(())
                }
            },
            _ => Err(Status::PeerGone),
        }
    }
}
