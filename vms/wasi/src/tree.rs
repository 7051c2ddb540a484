//! What the WASI VM stands on: storages of files, each with directories that were granted.

use alloc::collections::VecDeque;
use alloc::string::String;

use basevm::buf::Buf;
use basevm::service::Waker;
use il::trap::Status;

use crate::abi::{Kind, Stat};
use crate::errno::Errno;

/// A file or directory that a storage has open. The directories that were granted are open for ever: `Node(0)` and on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Node(pub u32);

/// Names a call from its submission to its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId(pub u64);

/// A directory, and a path from there, as the client wrote it.
#[derive(Debug)]
pub struct At {
    /// The directory.
    pub dir: Node,
    /// The path; not yet checked.
    pub path: Buf,
    /// Whether a symbolic link at its end is followed.
    pub follow: bool,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct How {
    pub read: bool,
    pub write: bool,
    pub create: bool,
    pub directory: bool,
    pub exclusive: bool,
    pub truncate: bool,
}

/// Times to be set, in nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// The last access.
    pub access: Option<u64>,
    /// The last change.
    pub change: Option<u64>,
}

/// What a storage is asked to do.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Action {
    Open {
        at: At,
        how: How,
    },
    Close {
        node: Node,
    },
    /// Fill the start of `data` from `offset` on.
    Read {
        node: Node,
        offset: u64,
        data: Buf,
    },
    /// Write `data` at `offset`, or at the end.
    Write {
        node: Node,
        offset: Option<u64>,
        data: Buf,
        sync: bool,
    },
    Stat {
        node: Node,
    },
    StatAt {
        at: At,
    },
    SetSize {
        node: Node,
        size: u64,
    },
    Allocate {
        node: Node,
        end: u64,
    },
    SetTimes {
        node: Node,
        times: Times,
    },
    SetTimesAt {
        at: At,
        times: Times,
    },
    Sync {
        node: Node,
    },
    Readdir {
        node: Node,
        cookie: u64,
        data: Buf,
    },
    Mkdir {
        at: At,
    },
    Unlink {
        at: At,
    },
    Rmdir {
        at: At,
    },
    Rename {
        from: At,
        to: At,
    },
    Link {
        from: At,
        to: At,
    },
    Symlink {
        target: Buf,
        at: At,
    },
    Readlink {
        at: At,
        data: Buf,
    },
}

/// An action, and the time of it.
#[derive(Debug)]
pub struct Call {
    /// What is to be done. Its buffers come back with the answer.
    pub action: Action,
    /// Nanoseconds since 1970-01-01 UTC, for storages without a clock.
    pub now: u64,
}

/// What came of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// So many bytes of the call's `data` were filled.
    Count(usize),
    /// So many bytes were written, up to this offset.
    Written(usize, u64),
    /// A file or directory is open.
    Opened(Node, Kind),
    /// What is known of a file.
    Stat(Stat),
}

/// A call that is over.
#[derive(Debug)]
pub struct Finished {
    /// Which.
    pub id: CallId,
    /// The call, with its buffers.
    pub call: Call,
    /// What came of it.
    pub result: Result<Answer, Errno>,
}

impl Action {
    /// Its buffers.
    pub fn bufs_mut(&mut self) -> impl Iterator<Item = &mut Buf> {
        let (first, second) = match self {
            Action::Open { at, .. }
            | Action::StatAt { at }
            | Action::SetTimesAt { at, .. }
            | Action::Mkdir { at }
            | Action::Unlink { at }
            | Action::Rmdir { at } => (Some(&mut at.path), None),
            Action::Read { data, .. } | Action::Write { data, .. } | Action::Readdir { data, .. } => (Some(data), None),
            Action::Rename { from, to } | Action::Link { from, to } => (Some(&mut from.path), Some(&mut to.path)),
            Action::Symlink { target: data, at } | Action::Readlink { at, data } => (Some(&mut at.path), Some(data)),
            Action::Close { .. }
            | Action::Stat { .. }
            | Action::SetSize { .. }
            | Action::Allocate { .. }
            | Action::SetTimes { .. }
            | Action::Sync { .. } => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// The buffer that a reading call fills.
    pub fn into_data(self) -> Option<Buf> {
        match self {
            Action::Read { data, .. } | Action::Readdir { data, .. } | Action::Readlink { data, .. } => Some(data),
            Action::Open { .. }
            | Action::Close { .. }
            | Action::Write { .. }
            | Action::Stat { .. }
            | Action::StatAt { .. }
            | Action::SetSize { .. }
            | Action::Allocate { .. }
            | Action::SetTimes { .. }
            | Action::SetTimesAt { .. }
            | Action::Sync { .. }
            | Action::Mkdir { .. }
            | Action::Unlink { .. }
            | Action::Rmdir { .. }
            | Action::Rename { .. }
            | Action::Link { .. }
            | Action::Symlink { .. } => None,
        }
    }
}

/// A storage. Calls are carried out one after the other, in order.
pub trait Tree: Send {
    /// Called before all else, and again for a VM that follows one that was lost: what was under way never
    /// ends then, and only the granted directories are open. The waker is used whenever a call is over.
    ///
    /// # Errors
    /// Any status; the WASI VM is then refused.
    fn start(&mut self, waker: Waker) -> Result<(), Status>;

    /// Begins a call. Never waits.
    ///
    /// # Errors
    /// Gives the call back if no further one fits now; the VM tries again after one is over.
    fn submit(&mut self, id: CallId, call: Call) -> Result<(), Call>;

    /// Takes a call that is over. Never waits.
    fn poll(&mut self) -> Option<Finished>;

    /// A line for the log, of trouble or of what a program should know: what has not been taken yet.
    fn report(&mut self) -> Option<String> {
        None
    }
}

/// A storage that carries out a call at once, or in a thread of its own.
pub trait Files: Send {
    /// Carries out a call.
    ///
    /// # Errors
    /// Why not, for the client.
    fn run(&mut self, call: &mut Call) -> Result<Answer, Errno>;

    /// Closes everything but the granted directories.
    fn reset(&mut self);

    /// A line for the log: what has not been taken yet.
    fn report(&mut self) -> Option<String> {
        None
    }
}

/// A storage in memory: its calls are over when they are submitted.
#[derive(Debug)]
pub struct Direct<F> {
    files: F,
    finished: VecDeque<Finished>,
}

impl<F: Files> Direct<F> {
    /// These files.
    pub fn new(files: F) -> Direct<F> {
        Direct { files, finished: VecDeque::new() }
    }
}

impl<F: Files> Tree for Direct<F> {
    fn start(&mut self, _waker: Waker) -> Result<(), Status> {
        self.finished.clear();
        self.files.reset();
        Ok(())
    }

    fn submit(&mut self, id: CallId, mut call: Call) -> Result<(), Call> {
        let result = self.files.run(&mut call);
        self.finished.push_back(Finished { id, call, result });
        Ok(())
    }

    fn poll(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    fn report(&mut self) -> Option<String> {
        self.files.report()
    }
}
