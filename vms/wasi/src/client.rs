//! What the WASI VM keeps for each client: what it was granted, and its descriptors.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::abi::{Kind, fdflags, rights};
use crate::errno::Errno;
use crate::tree::Node;

/// Descriptors of one client at most.
pub const MAX_DESCRIPTORS: usize = 1024;
/// The first descriptor that is not a standard stream.
pub const FIRST: u32 = 3;
/// The highest number that a descriptor can have.
const MAX_FD: u32 = 1 << 20;

/// What a client is granted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Granted {
    /// The arguments, the program's name first: each with a zero byte after it.
    pub args: Vec<u8>,
    /// The environment, `NAME=value`: each with a zero byte after it.
    pub environ: Vec<u8>,
    /// Directories.
    pub dirs: Vec<GrantedDir>,
}

/// A directory that a client is granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedDir {
    /// Its name for the client.
    pub name: String,
    /// In which storage it is, by its index.
    pub tree: usize,
    /// Which of the storage's granted directories it is.
    pub root: Node,
    /// Nothing in it can be changed.
    pub read_only: bool,
}

/// An open file or directory of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Descriptor {
    pub tree: usize,
    pub node: Node,
    pub kind: Kind,
    pub position: u64,
    pub flags: u16,
    pub rights: u64,
    pub inheriting: u64,
    pub read_only: bool,
    /// Index in [`Granted::dirs`], if it is one of them.
    pub granted: Option<usize>,
}

impl Descriptor {
    /// Whether it has a right.
    pub fn need(&self, right: u64, otherwise: Errno) -> Result<&Descriptor, Errno> {
        match self.rights & right == right {
            true => Ok(self),
            false => Err(otherwise),
        }
    }

    /// A directory in which something is to be changed.
    pub fn change(&self, right: u64) -> Result<&Descriptor, Errno> {
        self.dir(right)?;
        match self.read_only {
            true => Err(Errno::ROFS),
            false => Ok(self),
        }
    }

    /// A directory.
    pub fn dir(&self, right: u64) -> Result<&Descriptor, Errno> {
        match self.kind {
            Kind::Directory => self.need(right, Errno::NOTCAPABLE),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// A file, for reading or writing.
    pub fn file(&self, right: u64) -> Result<&Descriptor, Errno> {
        match self.kind {
            Kind::Directory => Err(Errno::ISDIR),
            _ => self.need(right, Errno::BADF),
        }
    }

    /// Whether what is written is to be on the medium at once.
    pub fn is_synchronous(&self) -> bool {
        self.flags & (fdflags::DSYNC | fdflags::SYNC) != 0
    }
}

/// A client.
#[derive(Default, Debug)]
pub struct Client {
    /// Index of what it is granted, if that is anything.
    pub granted: Option<usize>,
    /// It was told that it has no directories.
    pub was_told: bool,
    descriptors: BTreeMap<u32, Descriptor>,
}

impl Client {
    /// A client with descriptors of what it is granted.
    pub fn new(index: Option<usize>, granted: Option<&Granted>) -> Client {
        let mut client = Client { granted: index, ..Client::default() };
        let dirs = granted.map_or(&[][..], |granted| &granted.dirs);
        for (at, dir) in dirs.iter().enumerate() {
            let descriptor = Descriptor {
                tree: dir.tree,
                node: dir.root,
                kind: Kind::Directory,
                position: 0,
                flags: 0,
                rights: rights::DIRECTORY,
                inheriting: rights::DIRECTORY | rights::FILE,
                read_only: dir.read_only,
                granted: Some(at),
            };
            client.descriptors.insert(FIRST + at as u32, descriptor);
        }
        client
    }

    /// A descriptor.
    pub fn get(&self, fd: i32) -> Result<&Descriptor, Errno> {
        self.descriptors.get(&(fd as u32)).ok_or(Errno::BADF)
    }

    /// A descriptor, to change it.
    pub fn get_mut(&mut self, fd: i32) -> Result<&mut Descriptor, Errno> {
        self.descriptors.get_mut(&(fd as u32)).ok_or(Errno::BADF)
    }

    /// Whether there is room for one more.
    pub fn check_room(&self) -> Result<(), Errno> {
        match self.descriptors.len() < MAX_DESCRIPTORS {
            true => Ok(()),
            false => Err(Errno::MFILE),
        }
    }

    /// Takes the lowest free number for a descriptor.
    pub fn insert(&mut self, descriptor: Descriptor) -> u32 {
        let mut fd = FIRST;
        for used in self.descriptors.range(FIRST..).map(|(used, _)| *used) {
            if used > fd {
                break;
            }
            fd = used + 1;
        }
        self.descriptors.insert(fd, descriptor);
        fd
    }

    /// Takes a descriptor away.
    pub fn remove(&mut self, fd: i32) -> Result<Descriptor, Errno> {
        self.descriptors.remove(&(fd as u32)).ok_or(Errno::BADF)
    }

    /// Moves a descriptor to another number; gives the one that was there. The target is open, or a standard
    /// stream.
    pub fn renumber(&mut self, from: i32, to: i32) -> Result<Option<Descriptor>, Errno> {
        let moved = *self.get(from)?;
        let there = self.descriptors.get(&(to as u32)).copied();
        if moved.granted.is_some() || there.is_some_and(|there| there.granted.is_some()) {
            return Err(Errno::NOTSUP);
        }
        if (there.is_none() && to as u32 >= FIRST) || to as u32 > MAX_FD {
            return Err(Errno::BADF);
        }
        if from == to {
            return Ok(None);
        }
        self.descriptors.remove(&(from as u32));
        Ok(self.descriptors.insert(to as u32, moved))
    }

    /// All descriptors, to close them.
    pub fn into_descriptors(self) -> impl Iterator<Item = Descriptor> {
        self.descriptors.into_values()
    }
}
