//! What the calls do to inodes.

use alloc::string::String;
use alloc::vec::Vec;

use super::inodes::{Content, Ino};
use super::{Memory, check_slash};
use crate::abi::Kind;
use crate::errno::Errno;
use crate::path::{self, Place};
use crate::tree::{Answer, At, How, Node, Times};

impl Memory {
    /// What a path leads to; it must exist.
    fn found(&self, at: &At) -> Result<Ino, Errno> {
        match self.place(at)? {
            Place::Directory(dir) => Ok(dir),
            Place::Name { dir, name, slash } => {
                let ino = self.inodes.lookup(dir, &name)?;
                check_slash(slash, self.kind(ino)?)?;
                Ok(ino)
            }
        }
    }

    fn kind(&self, ino: Ino) -> Result<Kind, Errno> {
        Ok(self.inodes.get(ino)?.content.kind())
    }

    pub(super) fn open(&mut self, at: &At, how: How, now: u64) -> Result<Answer, Errno> {
        let ino = match self.place(at)? {
            Place::Directory(_) if how.create && how.exclusive => return Err(Errno::EXIST),
            Place::Directory(dir) => dir,
            Place::Name { dir, name, slash } => match self.inodes.lookup(dir, &name) {
                Ok(_) if how.create && how.exclusive => return Err(Errno::EXIST),
                Ok(ino) => {
                    check_slash(slash, self.kind(ino)?)?;
                    ino
                }
                Err(Errno::NOENT) if how.create && slash => return Err(Errno::ISDIR),
                Err(Errno::NOENT) if how.create => self.inodes.create(dir, &name, Content::File(Vec::new()), now)?,
                Err(why) => return Err(why),
            },
        };
        match self.kind(ino)? {
            Kind::Link if how.directory => return Err(Errno::NOTDIR),
            Kind::Link => return Err(Errno::LOOP),
            Kind::Directory if how.write || how.create || how.truncate => return Err(Errno::ISDIR),
            Kind::Directory => {}
            _ if how.directory => return Err(Errno::NOTDIR),
            _ if how.truncate => {
                self.inodes.resize(ino, 0)?;
                let inode = self.inodes.get_mut(ino)?;
                (inode.change, inode.status_change) = (now, now);
            }
            _ => {}
        }
        self.opened(ino, how.read || !how.write, how.write)
    }

    pub(super) fn read(&mut self, node: Node, offset: u64, data: &mut [u8], now: u64) -> Result<Answer, Errno> {
        let open = self.node(node)?;
        let ino = open.ino;
        if self.kind(ino)? == Kind::Directory {
            return Err(Errno::ISDIR);
        }
        if !open.read {
            return Err(Errno::BADF);
        }
        let count = self.inodes.read(ino, offset, data)?;
        self.inodes.get_mut(ino)?.access = now;
        Ok(Answer::Count(count))
    }

    /// The inode of a file that is open for writing.
    fn writable(&self, node: Node, otherwise: Errno) -> Result<Ino, Errno> {
        match self.node(node)? {
            open if open.write => Ok(open.ino),
            _ => Err(otherwise),
        }
    }

    pub(super) fn write(&mut self, node: Node, offset: Option<u64>, data: &[u8], now: u64) -> Result<Answer, Errno> {
        let ino = self.writable(node, Errno::BADF)?;
        let offset = match offset {
            Some(offset) => offset,
            None => self.inodes.stat(ino)?.size,
        };
        let end = self.inodes.write(ino, offset, data)?;
        let inode = self.inodes.get_mut(ino)?;
        (inode.change, inode.status_change) = (now, now);
        Ok(Answer::Written(data.len(), end))
    }

    pub(super) fn stat(&self, ino: Ino) -> Result<Answer, Errno> {
        self.inodes.stat(ino).map(Answer::Stat)
    }

    pub(super) fn stat_at(&self, at: &At) -> Result<Answer, Errno> {
        self.stat(self.found(at)?)
    }

    pub(super) fn set_size(&mut self, node: Node, size: u64, now: u64) -> Result<Answer, Errno> {
        let ino = self.writable(node, Errno::INVAL)?;
        self.inodes.resize(ino, size)?;
        let inode = self.inodes.get_mut(ino)?;
        (inode.change, inode.status_change) = (now, now);
        Ok(Answer::Done)
    }

    pub(super) fn allocate(&mut self, node: Node, end: u64, now: u64) -> Result<Answer, Errno> {
        let ino = self.node(node)?.ino;
        match end > self.inodes.stat(ino)?.size {
            true => self.set_size(node, end, now),
            false => Ok(Answer::Done),
        }
    }

    pub(super) fn set_times(&mut self, ino: Ino, times: Times, now: u64) -> Result<Answer, Errno> {
        let inode = self.inodes.get_mut(ino)?;
        inode.access = times.access.unwrap_or(inode.access);
        inode.change = times.change.unwrap_or(inode.change);
        inode.status_change = now;
        Ok(Answer::Done)
    }

    pub(super) fn set_times_at(&mut self, at: &At, times: Times, now: u64) -> Result<Answer, Errno> {
        self.set_times(self.found(at)?, times, now)
    }

    pub(super) fn mkdir(&mut self, at: &At, now: u64) -> Result<Answer, Errno> {
        match self.name(at)? {
            Place::Directory(_) => Err(Errno::EXIST),
            Place::Name { dir, name, .. } => {
                self.check_free(dir, &name)?;
                self.inodes.create(dir, &name, Content::directory(), now)?;
                Ok(Answer::Done)
            }
        }
    }

    fn check_free(&self, dir: Ino, name: &str) -> Result<(), Errno> {
        match self.inodes.lookup(dir, name) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => Ok(()),
            Err(why) => Err(why),
        }
    }

    pub(super) fn unlink(&mut self, at: &At, now: u64) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::ISDIR) };
        match self.kind(self.inodes.lookup(dir, &name)?)? {
            Kind::Directory => Err(Errno::ISDIR),
            _ if slash => Err(Errno::NOTDIR),
            _ => self.inodes.leave(dir, &name, now).map(|()| Answer::Done),
        }
    }

    pub(super) fn rmdir(&mut self, at: &At, now: u64) -> Result<Answer, Errno> {
        let Place::Name { dir, name, .. } = self.name(at)? else { return Err(Errno::INVAL) };
        self.check_empty(self.inodes.lookup(dir, &name)?)?;
        self.inodes.leave(dir, &name, now).map(|()| Answer::Done)
    }

    fn check_empty(&self, dir: Ino) -> Result<(), Errno> {
        match self.inodes.entries(dir)?.is_empty() {
            true => Ok(()),
            false => Err(Errno::NOTEMPTY),
        }
    }

    pub(super) fn rename(&mut self, from: &At, to: &At, now: u64) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(from)? else { return Err(Errno::BUSY) };
        let Place::Name { dir: to_dir, name: to_name, slash: to_slash } = self.name(to)? else {
            return Err(Errno::BUSY);
        };
        let ino = self.inodes.lookup(dir, &name)?;
        let is_dir = self.kind(ino)? == Kind::Directory;
        check_slash(slash || to_slash, self.kind(ino)?)?;
        if is_dir && self.is_within(to_dir, ino)? {
            return Err(Errno::INVAL);
        }
        match self.inodes.lookup(to_dir, &to_name) {
            Ok(old) if old == ino => return Ok(Answer::Done),
            Ok(old) => {
                let has_source = self.kind(old)? == Kind::Directory && self.is_within(dir, old)?;
                match (is_dir, self.kind(old)? == Kind::Directory) {
                    _ if has_source => return Err(Errno::NOTEMPTY),
                    (true, false) => return Err(Errno::NOTDIR),
                    (false, true) => return Err(Errno::ISDIR),
                    (true, true) => self.check_empty(old)?,
                    (false, false) => {}
                }
                if self.inodes.get(old)?.volume() != self.inodes.get(ino)?.volume() {
                    return Err(Errno::XDEV);
                }
                self.inodes.leave(to_dir, &to_name, now)?;
            }
            Err(Errno::NOENT) => {}
            Err(why) => return Err(why),
        }
        // Entered first, so that it never loses its last name.
        self.inodes.enter(to_dir, &to_name, ino, now)?;
        self.inodes.leave(dir, &name, now)?;
        Ok(Answer::Done)
    }

    /// Whether `dir` is `above`, or beneath it.
    fn is_within(&self, dir: Ino, above: Ino) -> Result<bool, Errno> {
        let mut ahead = Vec::from([above]);
        while let Some(here) = ahead.pop() {
            if here == dir {
                return Ok(true);
            }
            for ino in self.inodes.entries(here)?.values() {
                if self.kind(*ino)? == Kind::Directory {
                    ahead.push(*ino);
                }
            }
        }
        Ok(false)
    }

    pub(super) fn link(&mut self, from: &At, to: &At, now: u64) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(from)? else { return Err(Errno::PERM) };
        let ino = self.inodes.lookup(dir, &name)?;
        check_slash(slash, self.kind(ino)?)?;
        let Place::Name { dir: to_dir, name: to_name, slash } = self.name(to)? else { return Err(Errno::EXIST) };
        self.check_free(to_dir, &to_name)?;
        if slash {
            return Err(Errno::NOENT);
        }
        if self.kind(ino)? == Kind::Directory {
            return Err(Errno::PERM);
        }
        self.inodes.enter(to_dir, &to_name, ino, now).map(|()| Answer::Done)
    }

    pub(super) fn symlink(&mut self, target: &[u8], at: &At, now: u64) -> Result<Answer, Errno> {
        let target = path::check(target)?;
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::EXIST) };
        self.check_free(dir, &name)?;
        if slash {
            return Err(Errno::NOENT);
        }
        self.inodes.create(dir, &name, Content::Link(String::from(target)), now).map(|_| Answer::Done)
    }

    pub(super) fn readlink(&self, at: &At, data: &mut [u8]) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::INVAL) };
        match &self.inodes.get(self.inodes.lookup(dir, &name)?)?.content {
            Content::Link(_) if slash => Err(Errno::INVAL),
            Content::Link(target) => {
                let count = target.len().min(data.len());
                data[..count].copy_from_slice(&target.as_bytes()[..count]);
                Ok(Answer::Count(count))
            }
            Content::File(_) | Content::Directory { .. } => Err(Errno::INVAL),
        }
    }
}
