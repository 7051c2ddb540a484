//! The WASI VM: `cascade.wasi@1`, what a program for WASI preview 1 finds beside console and clock.
//!
//! Each client has what it was granted, and descriptors of its own; nothing is granted but what the plan says. The
//! files are in storages ([`Tree`]): one in memory ([`Memory`]), and what the platform lends. Storages check and
//! resolve paths, the same way ([`path`]), and never leave a granted directory. What is bounded: clients, descriptors a
//! client, calls under way, bytes a call. When this VM is restarted its clients' descriptors are gone (error `badf`), but
//! for those of granted directories; files stay.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod abi;
mod client;
mod errno;
mod job;
pub mod listing;
mod memory;
pub mod path;
mod request;
mod tree;

pub use client::{FIRST, Granted, GrantedDir, MAX_DESCRIPTORS};
pub use errno::Errno;
pub use memory::{ENTRY_BYTES, MAX_OPEN, Memory, Seed};
pub use request::MAX_BYTES;
pub use tree::*;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use basevm::service::{Hello, Host, Outcome, Request, Service, VmId};
use il::trap::Status;
use isa::wasi::SET;

use client::{Client, Descriptor};
use job::{Job, Replied};

/// Clients at a time.
pub const MAX_CLIENTS: usize = 256;
/// Calls that may wait or be under way; more are refused with status 10 (busy).
pub const MAX_CALLS: usize = 256;

/// The WASI VM.
pub struct Wasi {
    /// What each client is granted, by the client's mark ([`Host::mark`]).
    granted: Vec<(u32, Granted)>,
    trees: Vec<Storage>,
    clients: BTreeMap<VmId, Client>,
    jobs: BTreeMap<CallId, Job>,
    last: u64,
}

/// A storage, and what it could not take in yet.
struct Storage {
    tree: Box<dyn Tree>,
    waiting: VecDeque<(CallId, Call)>,
}

impl Wasi {
    /// A VM with these storages, for clients that are granted something by their mark.
    pub fn new(granted: Vec<(u32, Granted)>, trees: Vec<Box<dyn Tree>>) -> Wasi {
        let storage = |tree| Storage { tree, waiting: VecDeque::new() };
        Wasi {
            granted,
            trees: trees.into_iter().map(storage).collect(),
            clients: BTreeMap::new(),
            jobs: BTreeMap::new(),
            last: 0,
        }
    }

    /// Makes sure that the caller is known. Room is made by forgetting clients that have ended.
    fn admit(&mut self, host: &mut dyn Host, caller: VmId) -> Result<(), Status> {
        if self.clients.contains_key(&caller) {
            return Ok(());
        }
        let ended: Vec<VmId> = self.clients.keys().copied().filter(|client| !host.is_alive(*client)).collect();
        for client in ended {
            let descriptors = self.clients.remove(&client).into_iter().flat_map(Client::into_descriptors);
            descriptors.for_each(|descriptor| self.close(host, &descriptor));
        }
        if self.clients.len() >= MAX_CLIENTS {
            return Err(Status::Quota);
        }
        let mark = host.mark(caller);
        let index = self.granted.iter().position(|(known, _)| Some(*known) == mark);
        let granted = index.and_then(|index| self.granted.get(index)).map(|(_, granted)| granted);
        self.clients.insert(caller, Client::new(index, granted));
        Ok(())
    }

    /// Closes what a descriptor stood for; nobody waits for it.
    fn close(&mut self, host: &dyn Host, descriptor: &Descriptor) {
        if descriptor.granted.is_none() {
            self.begin(host, descriptor.tree, Action::Close { node: descriptor.node }, Job::unheard());
        }
    }

    /// Begins a call.
    fn begin(&mut self, host: &dyn Host, tree: usize, action: Action, job: Job) -> CallId {
        self.last += 1;
        let id = CallId(self.last);
        if let Some(storage) = self.trees.get_mut(tree) {
            self.jobs.insert(id, job);
            storage.waiting.push_back((id, Call { action, now: host.wall() }));
        }
        id
    }

    /// Submits what can be and takes what is over, until neither is left. Gives the reply of `current` if it is among
    /// that.
    fn pump(&mut self, host: &mut dyn Host, current: Option<CallId>) -> Option<Replied> {
        let mut own = None;
        for at in 0..self.trees.len() {
            while let Some((trouble, finished)) = self.trees.get_mut(at).and_then(Storage::step) {
                let Some(mut job) = self.jobs.remove(&finished.id) else { continue };
                let (id, right) = (finished.id, job.right.take());
                let reply = self.finish(host, at, job, finished);
                match right {
                    Some(right) => host.complete(right, reply),
                    None if Some(id) == current => own = Some(reply),
                    None => {}
                }
                if let Some(line) = trouble {
                    host.log(&line);
                }
            }
        }
        host.set_pending(!self.jobs.is_empty());
        own
    }

    /// Answers at once if the call is over, else later.
    fn follow(&mut self, host: &mut dyn Host, id: CallId) -> Outcome {
        match self.pump(host, Some(id)) {
            Some(Ok(reply)) => Outcome::Done(reply),
            Some(Err(status)) => Outcome::Fail(status),
            None => match self.jobs.get_mut(&id) {
                Some(job) => {
                    job.right = Some(host.reply_right());
                    Outcome::Later
                }
                None => Outcome::Fail(Status::DeviceError),
            },
        }
    }
}

impl Storage {
    /// Submits what can be, and takes what is over, with trouble that is to be logged.
    fn step(&mut self) -> Option<(Option<String>, Finished)> {
        while let Some((id, call)) = self.waiting.pop_front() {
            if let Err(call) = self.tree.submit(id, call) {
                self.waiting.push_front((id, call));
                break;
            }
        }
        let finished = self.tree.poll()?;
        Some((self.tree.report(), finished))
    }
}

impl Service for Wasi {
    fn hello(&self) -> Hello {
        Hello { name: String::from("wasi"), provides: &SET }
    }

    fn start(&mut self, host: &mut dyn Host) -> Result<(), Status> {
        self.trees.iter_mut().try_for_each(|storage| storage.tree.start(host.waker()))
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        if self.jobs.len() >= MAX_CALLS {
            return Outcome::Fail(Status::Busy);
        }
        match self.admit(host, request.caller).and_then(|()| self.run(host, request)) {
            Ok(outcome) => outcome,
            Err(status) => Outcome::Fail(status),
        }
    }

    fn wake(&mut self, host: &mut dyn Host) {
        self.pump(host, None);
    }
}
