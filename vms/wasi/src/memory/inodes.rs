//! The table of inodes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::ENTRY_BYTES;
use crate::abi::{Kind, Stat};
use crate::errno::Errno;
use crate::listing::{Listing, MAX_LISTED};

/// Most names of one file.
const MAX_LINKS: u32 = 1 << 16;

/// The number of an inode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ino(u64);

/// What is in an inode.
#[derive(Debug)]
pub enum Content {
    File(Vec<u8>),
    Directory { entries: BTreeMap<String, Ino> },
    Link(String),
}

impl Content {
    pub const fn directory() -> Content {
        Content::Directory { entries: BTreeMap::new() }
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Content::File(_) => Kind::File,
            Content::Directory { .. } => Kind::Directory,
            Content::Link(_) => Kind::Link,
        }
    }

    /// Bytes as programs see them.
    fn size(&self) -> u64 {
        match self {
            Content::File(bytes) => bytes.len() as u64,
            Content::Directory { .. } => 0,
            Content::Link(target) => target.len() as u64,
        }
    }
}

/// A file, directory or symbolic link.
#[derive(Debug)]
pub struct Inode {
    pub content: Content,
    /// Names of it; a directory has one, also when it is granted.
    pub links: u32,
    holds: u32,
    volume: usize,
    pub access: u64,
    pub change: u64,
    pub status_change: u64,
}

impl Inode {
    /// Which granted directory it belongs to.
    pub fn volume(&self) -> usize {
        self.volume
    }
}

/// A granted directory's room.
#[derive(Debug)]
struct Volume {
    quota_bytes: u64,
    used_bytes: u64,
    /// What is said, once, when something in it has changed.
    on_change: Option<String>,
    has_changed: bool,
}

/// All inodes.
#[derive(Default, Debug)]
pub struct Inodes {
    table: BTreeMap<Ino, Inode>,
    volumes: Vec<Volume>,
    last: u64,
}

impl Inodes {
    pub fn add_root(&mut self, quota_bytes: u64) -> Ino {
        self.volumes.push(Volume { quota_bytes, used_bytes: 0, on_change: None, has_changed: false });
        let ino = self.insert(Content::directory(), self.volumes.len() - 1, 0);
        if let Some(root) = self.table.get_mut(&ino) {
            root.links = 1;
        }
        ino
    }

    /// Says this when something changes from now on in the volume of an inode.
    pub fn say_on_change(&mut self, ino: Ino, line: String) {
        let at = self.table.get(&ino).map(|inode| inode.volume);
        if let Some(volume) = at.and_then(|at| self.volumes.get_mut(at)) {
            (volume.on_change, volume.has_changed) = (Some(line), false);
        }
    }

    /// What is to be said of a volume that has changed.
    pub fn report(&mut self) -> Option<String> {
        self.volumes.iter_mut().filter(|volume| volume.has_changed).find_map(|volume| volume.on_change.take())
    }

    fn note_change(&mut self, volume: usize) {
        if let Some(volume) = self.volumes.get_mut(volume) {
            volume.has_changed = true;
        }
    }

    fn insert(&mut self, content: Content, volume: usize, now: u64) -> Ino {
        self.last += 1;
        let ino = Ino(self.last);
        let inode = Inode { content, links: 0, holds: 0, volume, access: now, change: now, status_change: now };
        self.table.insert(ino, inode);
        ino
    }

    pub fn get(&self, ino: Ino) -> Result<&Inode, Errno> {
        self.table.get(&ino).ok_or(Errno::IO)
    }

    pub fn get_mut(&mut self, ino: Ino) -> Result<&mut Inode, Errno> {
        self.table.get_mut(&ino).ok_or(Errno::IO)
    }

    pub fn entries(&self, dir: Ino) -> Result<&BTreeMap<String, Ino>, Errno> {
        match &self.get(dir)?.content {
            Content::Directory { entries } => Ok(entries),
            Content::File(_) | Content::Link(_) => Err(Errno::NOTDIR),
        }
    }

    fn entries_mut(&mut self, dir: Ino, now: u64) -> Result<&mut BTreeMap<String, Ino>, Errno> {
        self.note_change(self.get(dir)?.volume);
        let inode = self.get_mut(dir)?;
        (inode.change, inode.status_change) = (now, now);
        match &mut inode.content {
            Content::Directory { entries } => Ok(entries),
            Content::File(_) | Content::Link(_) => Err(Errno::NOTDIR),
        }
    }

    pub fn lookup(&self, dir: Ino, name: &str) -> Result<Ino, Errno> {
        self.entries(dir)?.get(name).copied().ok_or(Errno::NOENT)
    }

    pub fn listing(&self, dir: Ino) -> Result<Listing, Errno> {
        let entries = self.entries(dir)?;
        if entries.len() > MAX_LISTED {
            return Err(Errno::OVERFLOW);
        }
        let entry = |(name, ino): (&String, &Ino)| Some((name.clone(), self.get(*ino).ok()?.content.kind(), ino.0));
        Ok(Listing::new(dir.0, entries.iter().filter_map(entry).collect()))
    }

    /// Takes room in an inode's volume.
    fn charge(&mut self, volume: usize, bytes: u64) -> Result<(), Errno> {
        let volume = self.volumes.get_mut(volume).ok_or(Errno::IO)?;
        let used = volume.used_bytes.checked_add(bytes).filter(|used| *used <= volume.quota_bytes);
        volume.used_bytes = used.ok_or(Errno::NOSPC)?;
        Ok(())
    }

    fn give_back(&mut self, volume: usize, bytes: u64) {
        if let Some(volume) = self.volumes.get_mut(volume) {
            volume.used_bytes = volume.used_bytes.saturating_sub(bytes);
        }
    }

    /// Bytes in use of the volume to which an inode belongs.
    pub fn used_bytes(&self, ino: Ino) -> u64 {
        self.table.get(&ino).and_then(|inode| self.volumes.get(inode.volume)).map_or(0, |volume| volume.used_bytes)
    }

    /// Makes a new inode under a name that is free. The directory itself must have a name still.
    pub fn create(&mut self, dir: Ino, name: &str, content: Content, now: u64) -> Result<Ino, Errno> {
        let volume = self.get(dir)?.volume;
        let bytes = ENTRY_BYTES + content.size();
        self.charge(volume, bytes)?;
        let ino = self.insert(content, volume, now);
        let entered = self.enter(dir, name, ino, now);
        if entered.is_err() {
            self.table.remove(&ino);
            self.give_back(volume, bytes);
        }
        entered.map(|()| ino)
    }

    /// Gives an inode a further name, which is free.
    pub fn enter(&mut self, dir: Ino, name: &str, ino: Ino, now: u64) -> Result<(), Errno> {
        let Inode { links, volume, .. } = *self.get(dir)?;
        if links == 0 {
            return Err(Errno::NOENT);
        }
        if self.get(ino)?.volume != volume {
            return Err(Errno::XDEV);
        }
        if self.get(ino)?.links >= MAX_LINKS {
            return Err(Errno::MLINK);
        }
        self.charge(volume, ENTRY_BYTES + name.len() as u64)?;
        self.entries_mut(dir, now)?.insert(String::from(name), ino);
        let inode = self.get_mut(ino)?;
        inode.links += 1;
        inode.status_change = now;
        Ok(())
    }

    /// Takes a name away.
    pub fn leave(&mut self, dir: Ino, name: &str, now: u64) -> Result<(), Errno> {
        let ino = self.entries_mut(dir, now)?.remove(name).ok_or(Errno::NOENT)?;
        let volume = self.get(dir)?.volume;
        self.give_back(volume, ENTRY_BYTES + name.len() as u64);
        let inode = self.get_mut(ino)?;
        inode.links = inode.links.saturating_sub(1);
        inode.status_change = now;
        self.drop_unused(ino);
        Ok(())
    }

    /// Keeps an inode although it may lose its names.
    pub fn hold(&mut self, ino: Ino) -> Result<(), Errno> {
        self.get_mut(ino)?.holds += 1;
        Ok(())
    }

    pub fn release(&mut self, ino: Ino) {
        if let Some(inode) = self.table.get_mut(&ino) {
            inode.holds = inode.holds.saturating_sub(1);
        }
        self.drop_unused(ino);
    }

    fn drop_unused(&mut self, ino: Ino) {
        let Some(inode) = self.table.get(&ino).filter(|inode| inode.links == 0 && inode.holds == 0) else { return };
        let (volume, bytes) = (inode.volume, ENTRY_BYTES + inode.content.size());
        self.give_back(volume, bytes);
        self.table.remove(&ino);
    }

    fn file(&mut self, ino: Ino) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.get_mut(ino)?.content {
            Content::File(bytes) => Ok(bytes),
            Content::Directory { .. } => Err(Errno::ISDIR),
            Content::Link(_) => Err(Errno::INVAL),
        }
    }

    /// Gives a file a size; new bytes are zeros.
    pub fn resize(&mut self, ino: Ino, size: u64) -> Result<(), Errno> {
        let volume = self.get(ino)?.volume;
        self.note_change(volume);
        let old = self.file(ino)?.len() as u64;
        self.charge(volume, size.saturating_sub(old))?;
        let bytes = self.file(ino)?;
        let grown = usize::try_from(size).ok().is_some_and(|size| {
            let more = size.saturating_sub(bytes.len());
            let fits = bytes.try_reserve(more).is_ok();
            if fits {
                bytes.resize(size, 0);
            }
            fits
        });
        if !grown {
            self.give_back(volume, size.saturating_sub(old));
            return Err(Errno::NOSPC);
        }
        // What was cut off is free memory again, too.
        self.file(ino)?.shrink_to(usize::try_from(size.saturating_mul(2)).unwrap_or(usize::MAX));
        self.give_back(volume, old.saturating_sub(size));
        Ok(())
    }

    /// Writes bytes; the file grows as needed.
    pub fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) -> Result<u64, Errno> {
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::FBIG)?;
        if !data.is_empty() && end > self.file(ino)?.len() as u64 {
            self.resize(ino, end)?;
        }
        self.note_change(self.get(ino)?.volume);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(place) = self.file(ino)?.get_mut(start..).and_then(|rest| rest.get_mut(..data.len())) {
            place.copy_from_slice(data);
        }
        Ok(end)
    }

    /// Reads bytes; fewer at the end.
    pub fn read(&mut self, ino: Ino, offset: u64, data: &mut [u8]) -> Result<usize, Errno> {
        let bytes = self.file(ino)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        let count = rest.len().min(data.len());
        data[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    pub fn stat(&self, ino: Ino) -> Result<Stat, Errno> {
        let inode = self.get(ino)?;
        Ok(Stat {
            device: inode.volume as u64 + 1,
            inode: ino.0,
            kind: inode.content.kind(),
            links: u64::from(inode.links),
            size: inode.content.size(),
            access: inode.access,
            change: inode.change,
            status_change: inode.status_change,
        })
    }
}
