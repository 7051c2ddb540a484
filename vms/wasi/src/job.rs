//! Calls that are under way, and what becomes of their answers.

use alloc::vec;
use alloc::vec::Vec;

use basevm::buf::Buf;
use basevm::service::{Host, Reply, ReplyRight, VmId};
use il::packet::Value;
use il::trap::Status;
use isa::Attachment;
use isa::wasi::reply;

use crate::abi::{Kind, Stat, oflags, rights};
use crate::client::Descriptor;
use crate::errno::Errno;
use crate::tree::{Answer, Finished, Node};
use crate::{Wasi, abi};

/// What is answered.
pub type Replied = Result<Reply, Status>;

/// A call that is under way.
#[derive(Debug)]
pub struct Job {
    /// For whom.
    pub caller: Option<VmId>,
    /// The right to answer, once that cannot happen at once.
    pub right: Option<ReplyRight>,
    /// What follows.
    pub then: Then,
}

/// What follows on a call's end.
#[derive(Debug)]
pub enum Then {
    /// Nothing: nobody waits.
    Nothing,
    /// Only the error is told.
    Tell,
    /// The file gets a descriptor.
    Open(Opening),
    /// So much of the data was read; the descriptor moves on if it is read at its position.
    Read(Option<Moved>),
    /// The same of writing.
    Write(Option<Moved>),
    /// Seeks from the end.
    Seek(Moved, i64),
    /// A `filestat`, into this buffer.
    Stat(Buf),
    /// Entries of a directory.
    Readdir,
    /// What a link says.
    Readlink,
}

/// The descriptor whose position moves. If it stands for something else by then, it does not.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    pub fd: i32,
    pub node: Node,
    pub from: u64,
}

/// How a descriptor is to become.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub tree: usize,
    pub flags: u16,
    pub rights: u64,
    pub inheriting: u64,
    pub read_only: bool,
}

impl Job {
    /// A call of a client.
    pub fn new(caller: VmId, then: Then) -> Job {
        Job { caller: Some(caller), right: None, then }
    }

    /// A call whose end nobody waits for.
    pub fn unheard() -> Job {
        Job { caller: None, right: None, then: Then::Nothing }
    }
}

impl Opening {
    /// The descriptor of what was opened.
    fn descriptor(&self, node: Node, kind: Kind) -> Descriptor {
        let (rights, inheriting) = match kind {
            Kind::Directory => (self.rights & rights::DIRECTORY, self.inheriting),
            _ => (self.rights & rights::FILE, 0),
        };
        Descriptor {
            tree: self.tree,
            node,
            kind,
            position: 0,
            flags: self.flags,
            rights,
            inheriting,
            read_only: self.read_only,
            granted: None,
        }
    }
}

/// The number for a result: 0 is success.
pub fn number(result: Result<(), Errno>) -> i32 {
    result.map_or_else(|why| i32::from(why.0), |()| 0)
}

/// A reply of numbers.
pub fn plain(values: &[Value<'_>]) -> Reply {
    Reply::new(values, Vec::new())
}

/// A reply with a buffer.
pub fn with(values: &[Value<'_>], data: Buf) -> Reply {
    Reply::new(values, vec![data.into()])
}

impl Wasi {
    /// What a call's end means for its client.
    pub(crate) fn finish(&mut self, host: &mut dyn Host, tree: usize, job: Job, finished: Finished) -> Replied {
        let Finished { call, result, .. } = finished;
        let error = number(result.map(|_| ()));
        let count = match result {
            Ok(Answer::Count(count) | Answer::Written(count, _)) => count,
            Ok(Answer::Done | Answer::Opened(..) | Answer::Stat(_)) | Err(_) => 0,
        };
        let counted = count as i32;
        match job.then {
            Then::Nothing => Ok(Reply::none()),
            // Instructions that answer only an error have results of one form.
            Then::Tell => Ok(plain(&reply::close(error))),
            Then::Open(opening) => Ok(self.opened(host, tree, job.caller, opening, result)),
            Then::Read(moved) => {
                self.move_on(job.caller, moved, moved.map(|moved| moved.from.saturating_add(count as u64)));
                let data = call.action.into_data().ok_or(Status::DeviceError)?;
                Ok(with(&reply::read(error, counted, Attachment(0)), data))
            }
            Then::Write(moved) => {
                if let Ok(Answer::Written(_, end)) = result {
                    self.move_on(job.caller, moved, Some(end));
                }
                Ok(plain(&reply::write(error, counted)))
            }
            Then::Seek(moved, offset) => Ok(self.sought(job.caller, moved, offset, result)),
            Then::Stat(mut data) => {
                if let Ok(Answer::Stat(stat)) = result {
                    fill(&mut data, &stat);
                }
                Ok(with(&reply::stat(error, Attachment(0)), data))
            }
            Then::Readdir => {
                let data = call.action.into_data().ok_or(Status::DeviceError)?;
                Ok(with(&reply::readdir(error, counted, Attachment(0)), data))
            }
            Then::Readlink => {
                let data = call.action.into_data().ok_or(Status::DeviceError)?;
                Ok(with(&reply::readlink(error, counted, Attachment(0)), data))
            }
        }
    }

    fn opened(
        &mut self,
        host: &mut dyn Host,
        tree: usize,
        caller: Option<VmId>,
        opening: Opening,
        result: Result<Answer, Errno>,
    ) -> Reply {
        let (node, kind) = match result {
            Ok(Answer::Opened(node, kind)) => (node, kind),
            Ok(_) => return plain(&reply::open(i32::from(Errno::IO.0), -1)),
            Err(why) => return plain(&reply::open(i32::from(why.0), -1)),
        };
        let descriptor = opening.descriptor(node, kind);
        let client = caller.and_then(|caller| self.clients.get_mut(&caller));
        match client.map(|client| client.check_room().map(|()| client.insert(descriptor))) {
            Some(Ok(fd)) => plain(&reply::open(0, fd as i32)),
            refused => {
                debug_assert_eq!(descriptor.tree, tree);
                self.close(host, &descriptor);
                let why = refused.and_then(Result::err).unwrap_or(Errno::BADF);
                plain(&reply::open(i32::from(why.0), -1))
            }
        }
    }

    fn move_on(&mut self, caller: Option<VmId>, moved: Option<Moved>, position: Option<u64>) {
        let client = caller.and_then(|caller| self.clients.get_mut(&caller));
        let (Some(client), Some(moved), Some(position)) = (client, moved, position) else { return };
        if let Ok(descriptor) = client.get_mut(moved.fd)
            && descriptor.node == moved.node
        {
            descriptor.position = position;
        }
    }

    fn sought(&mut self, caller: Option<VmId>, moved: Moved, offset: i64, result: Result<Answer, Errno>) -> Reply {
        let size = match result {
            Ok(Answer::Stat(stat)) => stat.size,
            Ok(_) => return plain(&reply::seek(i32::from(Errno::IO.0), 0)),
            Err(why) => return plain(&reply::seek(i32::from(why.0), 0)),
        };
        match position(size, offset) {
            Ok(position) => {
                self.move_on(caller, Some(moved), Some(position));
                plain(&reply::seek(0, position as i64))
            }
            Err(why) => plain(&reply::seek(i32::from(why.0), 0)),
        }
    }
}

/// A position so far from `base`.
pub fn position(base: u64, offset: i64) -> Result<u64, Errno> {
    base.checked_add_signed(offset).filter(|position| *position <= i64::MAX as u64).ok_or(Errno::INVAL)
}

/// Writes a `filestat`.
fn fill(data: &mut Buf, stat: &Stat) {
    if let Some(place) = data.get_mut(..abi::FILESTAT_BYTES) {
        place.copy_from_slice(&stat.bytes());
    }
}

/// Whether all bits of `flags` are known.
pub fn check_oflags(flags: u32) -> Result<(), Errno> {
    match flags & !oflags::ALL {
        0 => Ok(()),
        _ => Err(Errno::INVAL),
    }
}
