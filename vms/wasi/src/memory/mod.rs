//! Files in memory: what a booted machine has, and what `:memory:` is on a computer. Lost at the end.
//!
//! Invariants: an inode is in the table as long as it has a name or is open; each granted directory has
//! a quota, which counts the bytes of files, names and entries, so that none can take the others' memory.

mod inodes;
mod ops;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::abi::Kind;
use crate::errno::Errno;
use crate::listing::Listing;
use crate::path::{self, Entry, Follow, Place, Walk};
use crate::tree::{Action, Answer, At, Call, Files, Node};
use inodes::{Content, Ino, Inodes};

/// What an inode, and a name in a directory, count beside their bytes.
pub const ENTRY_BYTES: u64 = 64;
/// Most files that are open at a time.
pub const MAX_OPEN: usize = 4096;

/// A file that a granted directory has from the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed<'a> {
    /// Where it is, beneath the directory; the directories on the way are made.
    pub path: &'a str,
    /// What is in it; `None`: it is a directory.
    pub bytes: Option<&'a [u8]>,
}

/// Files in memory.
#[derive(Default, Debug)]
pub struct Memory {
    inodes: Inodes,
    roots: Vec<Ino>,
    open: BTreeMap<u32, Open>,
    last_node: u32,
}

/// An open file or directory.
#[derive(Debug)]
struct Open {
    ino: Ino,
    read: bool,
    write: bool,
    /// What was in it when its reading began.
    listing: Option<Listing>,
}

impl Memory {
    /// Storage without directories.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Adds a directory with room for `quota_bytes`, of which what it has from the start is a part. To be called before
    /// anything is opened.
    ///
    /// # Errors
    /// A seed that does not fit, or whose path is no path.
    pub fn add_root(&mut self, quota_bytes: u64, seeds: &[Seed<'_>]) -> Result<Node, Errno> {
        let root = self.inodes.add_root(quota_bytes);
        let node = Node(self.roots.len() as u32);
        self.roots.push(root);
        self.last_node = self.roots.len() as u32;
        self.open.insert(node.0, Open { ino: root, read: true, write: false, listing: None });
        seeds.iter().try_for_each(|seed| self.plant(root, seed))?;
        Ok(node)
    }

    /// Has this said in the log when the program first changes something in a granted directory.
    pub fn say_on_change(&mut self, root: Node, line: String) {
        if let Some(root) = self.roots.get(root.0 as usize) {
            self.inodes.say_on_change(*root, line);
        }
    }

    /// Bytes in use of the room of a granted directory.
    pub fn used_bytes(&self, root: Node) -> u64 {
        self.roots.get(root.0 as usize).map_or(0, |root| self.inodes.used_bytes(*root))
    }

    fn plant(&mut self, root: Ino, seed: &Seed<'_>) -> Result<(), Errno> {
        let path = path::check(seed.path.as_bytes())?;
        let mut here = root;
        let mut names = path.split('/').filter(|name| !name.is_empty() && *name != ".").peekable();
        while let Some(name) = names.next() {
            let content = match seed.bytes {
                Some(bytes) if names.peek().is_none() => {
                    let file = self.inodes.create(here, name, Content::File(Vec::new()), 0)?;
                    self.inodes.resize(file, bytes.len() as u64)?;
                    self.inodes.write(file, 0, bytes)?;
                    return Ok(());
                }
                _ => Content::directory(),
            };
            here = match self.inodes.lookup(here, name) {
                Ok(known) => known,
                Err(_) => self.inodes.create(here, name, content, 0)?,
            };
        }
        Ok(())
    }

    fn node(&self, node: Node) -> Result<&Open, Errno> {
        self.open.get(&node.0).ok_or(Errno::BADF)
    }

    /// The directory that a call starts from, and its path.
    fn start<'a>(&self, at: &'a At) -> Result<(Ino, &'a str), Errno> {
        let dir = self.node(at.dir)?.ino;
        self.inodes.entries(dir)?;
        Ok((dir, path::check(&at.path)?))
    }

    /// What is at the end of a path.
    fn place(&self, at: &At) -> Result<Place<Ino>, Errno> {
        let (dir, path) = self.start(at)?;
        path::resolve(&self.inodes, &dir, path, if at.follow { Follow::Always } else { Follow::Slash })
    }

    /// The name at the end of a path, for what makes and takes away names.
    fn name(&self, at: &At) -> Result<Place<Ino>, Errno> {
        let (dir, path) = self.start(at)?;
        path::resolve(&self.inodes, &dir, path, Follow::Never)
    }

    fn opened(&mut self, ino: Ino, read: bool, write: bool) -> Result<Answer, Errno> {
        if self.open.len() >= MAX_OPEN {
            return Err(Errno::NFILE);
        }
        let kind = self.inodes.get(ino)?.content.kind();
        while self.open.contains_key(&self.last_node) {
            self.last_node = self.last_node.checked_add(1).unwrap_or(self.roots.len() as u32);
        }
        self.inodes.hold(ino)?;
        self.open.insert(self.last_node, Open { ino, read, write, listing: None });
        Ok(Answer::Opened(Node(self.last_node), kind))
    }

    fn close(&mut self, node: Node) -> Result<Answer, Errno> {
        if (node.0 as usize) < self.roots.len() {
            return Ok(Answer::Done);
        }
        let open = self.open.remove(&node.0).ok_or(Errno::BADF)?;
        self.inodes.release(open.ino);
        Ok(Answer::Done)
    }

    fn readdir(&mut self, node: Node, cookie: u64, data: &mut [u8]) -> Result<Answer, Errno> {
        let open = self.open.get_mut(&node.0).ok_or(Errno::BADF)?;
        let listing = match open.listing.take() {
            Some(listing) if cookie != 0 => listing,
            _ => self.inodes.listing(open.ino)?,
        };
        let count = listing.fill(cookie, data);
        open.listing = Some(listing);
        Ok(Answer::Count(count))
    }
}

impl Walk for Inodes {
    type Dir = Ino;

    fn entry(&self, dir: &Ino, name: &str) -> Result<Entry<Ino>, Errno> {
        let ino = self.lookup(*dir, name)?;
        Ok(match &self.get(ino)?.content {
            Content::Directory { .. } => Entry::Directory(ino),
            Content::Link(target) => Entry::Link(String::from(target)),
            Content::File(_) => Entry::Other,
        })
    }
}

impl Files for Memory {
    fn run(&mut self, call: &mut Call) -> Result<Answer, Errno> {
        let now = call.now;
        match &mut call.action {
            Action::Open { at, how } => self.open(at, *how, now),
            Action::Close { node } => self.close(*node),
            Action::Read { node, offset, data } => self.read(*node, *offset, data, now),
            Action::Write { node, offset, data, sync: _ } => self.write(*node, *offset, data, now),
            Action::Stat { node } => self.stat(self.node(*node)?.ino),
            Action::StatAt { at } => self.stat_at(at),
            Action::SetSize { node, size } => self.set_size(*node, *size, now),
            Action::Allocate { node, end } => self.allocate(*node, *end, now),
            Action::SetTimes { node, times } => self.set_times(self.node(*node)?.ino, *times, now),
            Action::SetTimesAt { at, times } => self.set_times_at(at, *times, now),
            Action::Sync { node } => self.node(*node).map(|_| Answer::Done),
            Action::Readdir { node, cookie, data } => self.readdir(*node, *cookie, data),
            Action::Mkdir { at } => self.mkdir(at, now),
            Action::Unlink { at } => self.unlink(at, now),
            Action::Rmdir { at } => self.rmdir(at, now),
            Action::Rename { from, to } => self.rename(from, to, now),
            Action::Link { from, to } => self.link(from, to, now),
            Action::Symlink { target, at } => self.symlink(target, at, now),
            Action::Readlink { at, data } => self.readlink(at, data),
        }
    }

    fn report(&mut self) -> Option<String> {
        self.inodes.report()
    }

    fn reset(&mut self) {
        let roots = self.roots.len() as u32;
        let others: Vec<u32> = self.open.keys().copied().filter(|node| *node >= roots).collect();
        for node in others {
            if let Some(open) = self.open.remove(&node) {
                self.inodes.release(open.ino);
            }
        }
    }
}

/// Whether an entry of this kind may be where a path asks for a directory.
fn check_slash(slash: bool, kind: Kind) -> Result<(), Errno> {
    match slash && kind != Kind::Directory {
        true => Err(Errno::NOTDIR),
        false => Ok(()),
    }
}
