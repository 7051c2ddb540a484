//! Folders of the parent OS that can never be left.
//!
//! Invariants: a path is resolved to a directory by `openat2` with `RESOLVE_BENEATH`, or, where the OS refuses that,
//! name by name, and to the last name in it; what is then done is done to that one name, without following a
//! symbolic link. So whatever happens to the folder meanwhile, no call reaches what is not beneath it. Only files and
//! directories are opened, never a pipe or a device.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, fstat, openat,
    readlinkat, statat,
};
use rustix::io::{Errno as OsErrno, IoSlice, ReadWriteFlags};
use vm_wasi::abi::{Kind, Stat};
use vm_wasi::listing::{Listing, MAX_LISTED};
use vm_wasi::path::{self, Entry, Follow, MAX_PATH_BYTES, Place, Walk};
use vm_wasi::{Action, Answer, At, Call, Errno, Files, How, MAX_OPEN, Node, Times};

/// What a directory is known by.
type Folder = Arc<OwnedFd>;

/// Folders of the parent OS, and what is open in them.
#[derive(Debug, Default)]
pub struct HostFiles {
    roots: u32,
    open: BTreeMap<u32, Open>,
    last_node: u32,
    names_only: bool,
}

#[derive(Debug)]
struct Open {
    fd: Folder,
    /// The granted directory that it belongs to, from 1: what programs see as its device.
    device: u64,
    is_dir: bool,
    /// What was in it when its reading began.
    listing: Option<Listing>,
}

/// Why a folder cannot be granted.
#[derive(Debug)]
pub struct FolderError {
    path: PathBuf,
    why: io::Error,
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match self.why.kind() {
            io::ErrorKind::NotFound => write!(f, "there is no folder `{path}`; make it with `mkdir -p {path}`"),
            io::ErrorKind::NotADirectory => write!(f, "`{path}` is no folder; a program is granted folders only"),
            _ => write!(f, "cannot open the folder `{path}`: {}", self.why),
        }
    }
}

impl std::error::Error for FolderError {}

impl HostFiles {
    /// No folder yet.
    pub fn new() -> HostFiles {
        HostFiles::default()
    }

    /// The same for an OS that has no `openat2`, or forbids it.
    pub fn without_openat2() -> HostFiles {
        HostFiles { names_only: true, ..HostFiles::default() }
    }

    /// Adds a folder; the first is `Node(0)`. To be called before anything is opened.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn add_root(&mut self, path: &Path) -> Result<Node, FolderError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty())
            .map_err(|why| FolderError { path: path.to_path_buf(), why: why.into() })?;
        let node = Node(self.roots);
        self.roots += 1;
        self.last_node = self.roots;
        self.open.insert(node.0, Open { fd: Arc::new(fd), device: u64::from(self.roots), is_dir: true, listing: None });
        Ok(node)
    }

    fn node(&self, node: Node) -> Result<&Open, Errno> {
        self.open.get(&node.0).ok_or(Errno::BADF)
    }

    fn walker(&self) -> Walker {
        Walker { names_only: self.names_only }
    }

    fn resolve(&self, at: &At, follow: Follow) -> Result<Place<Folder>, Errno> {
        let Open { fd, is_dir, .. } = self.node(at.dir)?;
        match is_dir {
            true => path::resolve(&self.walker(), fd, path::check(&at.path)?, follow),
            false => Err(Errno::NOTDIR),
        }
    }

    /// What is at the end of a path.
    fn place(&self, at: &At) -> Result<Place<Folder>, Errno> {
        self.resolve(at, if at.follow { Follow::Always } else { Follow::Slash })
    }

    /// The name at the end of a path, for what makes and takes away names.
    fn name(&self, at: &At) -> Result<Place<Folder>, Errno> {
        self.resolve(at, Follow::Never)
    }

    fn open(&mut self, at: &At, how: How) -> Result<Answer, Errno> {
        let device = self.node(at.dir)?.device;
        let fd = match self.place(at)? {
            Place::Directory(_) if how.create && how.exclusive => return Err(Errno::EXIST),
            Place::Directory(_) if how.write || how.create || how.truncate => return Err(Errno::ISDIR),
            Place::Directory(dir) => open_at(&dir, ".", OFlags::RDONLY | OFlags::DIRECTORY)?,
            Place::Name { dir, name, slash } => {
                if slash {
                    match check_slash(&dir, &name, how.create) {
                        Ok(()) | Err(Errno::NOTDIR) if how.create && how.exclusive => return Err(Errno::EXIST),
                        checked => checked?,
                    }
                }
                open_at(&dir, &name, flags(how))?
            }
        };
        let kind = kind(FileType::from_raw_mode(fstat(&fd).map_err(errno)?.st_mode));
        if !matches!(kind, Kind::File | Kind::Directory) {
            return Err(Errno::NOTSUP);
        }
        if self.open.len() >= MAX_OPEN {
            return Err(Errno::NFILE);
        }
        while self.open.contains_key(&self.last_node) {
            self.last_node = self.last_node.checked_add(1).unwrap_or(self.roots);
        }
        self.open
            .insert(self.last_node, Open { fd: Arc::new(fd), device, is_dir: kind == Kind::Directory, listing: None });
        Ok(Answer::Opened(Node(self.last_node), kind))
    }

    fn close(&mut self, node: Node) -> Result<Answer, Errno> {
        if node.0 >= self.roots {
            self.open.remove(&node.0).ok_or(Errno::BADF)?;
        }
        Ok(Answer::Done)
    }

    fn write(&self, node: Node, offset: Option<u64>, data: &[u8], sync: bool) -> Result<Answer, Errno> {
        let fd = &self.node(node)?.fd;
        let (count, end) = match offset {
            Some(offset) => {
                let count = rustix::io::pwrite(fd, data, offset).map_err(errno)?;
                (count, offset.saturating_add(count as u64))
            }
            None => {
                let parts = [IoSlice::new(data)];
                let count = rustix::io::pwritev2(fd, &parts, 0, ReadWriteFlags::APPEND).map_err(errno)?;
                (count, fstat(fd).map_err(errno)?.st_size as u64)
            }
        };
        if sync {
            fs::fdatasync(fd).map_err(errno)?;
        }
        Ok(Answer::Written(count, end))
    }

    fn stat(&self, node: Node) -> Result<Answer, Errno> {
        let open = self.node(node)?;
        Ok(Answer::Stat(stat(&fstat(&open.fd).map_err(errno)?, open.device)))
    }

    fn stat_at(&self, at: &At) -> Result<Answer, Errno> {
        let device = self.node(at.dir)?.device;
        let found = match self.place(at)? {
            Place::Directory(dir) => fstat(&dir).map_err(errno)?,
            Place::Name { dir, name, slash } => {
                let found = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
                check_kind(slash, &found)?;
                found
            }
        };
        Ok(Answer::Stat(stat(&found, device)))
    }

    fn allocate(&self, node: Node, end: u64) -> Result<Answer, Errno> {
        let Open { fd, device, .. } = self.node(node)?;
        if end > stat(&fstat(fd).map_err(errno)?, *device).size {
            fs::ftruncate(fd, end).map_err(errno)?;
        }
        Ok(Answer::Done)
    }

    fn set_times_at(&self, at: &At, times: Times) -> Result<Answer, Errno> {
        let times = timestamps(times);
        let set = match self.place(at)? {
            Place::Directory(dir) => fs::utimensat(&dir, ".", &times, AtFlags::SYMLINK_NOFOLLOW),
            Place::Name { dir, name, slash } => {
                if slash {
                    check_slash(&dir, &name, false)?;
                }
                fs::utimensat(&dir, &name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }
        };
        done(set)
    }

    fn readdir(&mut self, node: Node, cookie: u64, data: &mut [u8]) -> Result<Answer, Errno> {
        let open = self.open.get_mut(&node.0).ok_or(Errno::BADF)?;
        let listing = match open.listing.take() {
            Some(listing) if cookie != 0 => listing,
            _ => list(&open.fd)?,
        };
        let count = listing.fill(cookie, data);
        open.listing = Some(listing);
        Ok(Answer::Count(count))
    }

    fn mkdir(&self, at: &At) -> Result<Answer, Errno> {
        let Place::Name { dir, name, .. } = self.name(at)? else { return Err(Errno::EXIST) };
        done(fs::mkdirat(&dir, &name, Mode::from_raw_mode(0o777)))
    }

    fn unlink(&self, at: &At) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::ISDIR) };
        if slash {
            check_slash(&dir, &name, false)?;
        }
        done(fs::unlinkat(&dir, &name, AtFlags::empty()))
    }

    fn rmdir(&self, at: &At) -> Result<Answer, Errno> {
        let Place::Name { dir, name, .. } = self.name(at)? else { return Err(Errno::INVAL) };
        done(fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR))
    }

    fn rename(&self, from: &At, to: &At) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(from)? else { return Err(Errno::BUSY) };
        let Place::Name { dir: to_dir, name: to_name, slash: to_slash } = self.name(to)? else {
            return Err(Errno::BUSY);
        };
        if slash || to_slash {
            check_slash(&dir, &name, false)?;
        }
        done(fs::renameat(&dir, &name, &to_dir, &to_name))
    }

    fn link(&self, from: &At, to: &At) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(from)? else { return Err(Errno::PERM) };
        let found = statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
        check_kind(slash, &found)?;
        let (to_dir, to_name) = self.new_name(to)?;
        done(fs::linkat(&dir, &name, &to_dir, &to_name, AtFlags::empty()))
    }

    fn symlink(&self, target: &[u8], at: &At) -> Result<Answer, Errno> {
        let target = path::check(target)?;
        let (dir, name) = self.new_name(at)?;
        done(fs::symlinkat(target, &dir, &name))
    }

    /// A name that is free, for what is no directory.
    fn new_name(&self, at: &At) -> Result<(Folder, String), Errno> {
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::EXIST) };
        match statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(errno) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) if slash => Err(Errno::NOENT),
            Err(Errno::NOENT) => Ok((dir, name)),
            Err(why) => Err(why),
        }
    }

    fn readlink(&self, at: &At, data: &mut [u8]) -> Result<Answer, Errno> {
        let Place::Name { dir, name, slash } = self.name(at)? else { return Err(Errno::INVAL) };
        let target = readlinkat(&dir, &name, Vec::new()).map_err(errno)?.into_bytes();
        if slash {
            return Err(Errno::INVAL);
        }
        let count = target.len().min(data.len());
        data[..count].copy_from_slice(&target[..count]);
        Ok(Answer::Count(count))
    }
}

impl Files for HostFiles {
    fn run(&mut self, call: &mut Call) -> Result<Answer, Errno> {
        match &mut call.action {
            Action::Open { at, how } => self.open(at, *how),
            Action::Close { node } => self.close(*node),
            Action::Read { node, offset, data } => {
                let count = rustix::io::pread(&self.node(*node)?.fd, &mut **data, *offset);
                count.map(Answer::Count).map_err(errno)
            }
            Action::Write { node, offset, data, sync } => self.write(*node, *offset, data, *sync),
            Action::Stat { node } => self.stat(*node),
            Action::StatAt { at } => self.stat_at(at),
            Action::SetSize { node, size } => done(fs::ftruncate(&self.node(*node)?.fd, *size)),
            Action::Allocate { node, end } => self.allocate(*node, *end),
            Action::SetTimes { node, times } => done(fs::futimens(&self.node(*node)?.fd, &timestamps(*times))),
            Action::SetTimesAt { at, times } => self.set_times_at(at, *times),
            Action::Sync { node } => done(fs::fsync(&self.node(*node)?.fd)),
            Action::Readdir { node, cookie, data } => self.readdir(*node, *cookie, data),
            Action::Mkdir { at } => self.mkdir(at),
            Action::Unlink { at } => self.unlink(at),
            Action::Rmdir { at } => self.rmdir(at),
            Action::Rename { from, to } => self.rename(from, to),
            Action::Link { from, to } => self.link(from, to),
            Action::Symlink { target, at } => self.symlink(target, at),
            Action::Readlink { at, data } => self.readlink(at, data),
        }
    }

    fn reset(&mut self) {
        self.open.retain(|node, _| *node < self.roots);
    }
}

/// Resolves paths.
struct Walker {
    names_only: bool,
}

impl Walk for Walker {
    type Dir = Folder;

    fn entry(&self, dir: &Folder, name: &str) -> Result<Entry<Folder>, Errno> {
        let fd = open_at(dir, name, OFlags::PATH)?;
        match FileType::from_raw_mode(fstat(&fd).map_err(errno)?.st_mode) {
            FileType::Directory => Ok(Entry::Directory(Arc::new(fd))),
            FileType::Symlink => {
                let target = readlinkat(&fd, "", Vec::new()).map_err(errno)?.into_string();
                let target = target.map_err(|_| Errno::ILSEQ)?;
                if target.len() > MAX_PATH_BYTES {
                    return Err(Errno::NAMETOOLONG);
                }
                Ok(Entry::Link(target))
            }
            _ => Ok(Entry::Other),
        }
    }

    fn directory(&self, dir: &Folder, path: &str) -> Result<Folder, Errno> {
        if path.is_empty() {
            return Ok(dir.clone());
        }
        if self.names_only {
            return path::walk(self, dir, path);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match fs::openat2(dir, path, flags, Mode::empty(), beneath) {
            Ok(fd) => Ok(Arc::new(fd)),
            // Forbidden, unknown, or something was moved meanwhile.
            Err(OsErrno::NOSYS | OsErrno::PERM | OsErrno::AGAIN) => path::walk(self, dir, path),
            Err(OsErrno::XDEV) => Err(Errno::PERM),
            Err(why) => Err(errno(why)),
        }
    }
}

/// Opens one name of a directory, and never what a symbolic link says.
fn open_at(dir: &Folder, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(dir, name, flags, Mode::from_raw_mode(0o666)).map_err(errno)
}

/// A pipe or device is opened without waiting for its other end, and then refused.
fn flags(how: How) -> OFlags {
    let mut flags = match (how.read, how.write) {
        (_, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (true, true) => OFlags::RDWR,
    };
    flags |= OFlags::NONBLOCK | OFlags::NOCTTY;
    flags.set(OFlags::CREATE, how.create);
    flags.set(OFlags::EXCL, how.exclusive && how.create);
    flags.set(OFlags::TRUNC, how.truncate);
    flags.set(OFlags::DIRECTORY, how.directory);
    flags
}

/// Where a path asks for a directory, there must be one.
fn check_slash(dir: &Folder, name: &str, creates: bool) -> Result<(), Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => check_kind(true, &found),
        Err(OsErrno::NOENT) if creates => Err(Errno::ISDIR),
        Err(why) => Err(errno(why)),
    }
}

fn check_kind(slash: bool, found: &fs::Stat) -> Result<(), Errno> {
    match slash && FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        true => Err(Errno::NOTDIR),
        false => Ok(()),
    }
}

fn list(fd: &Folder) -> Result<Listing, Errno> {
    let inode = fstat(fd).map_err(errno)?.st_ino;
    let mut entries = Vec::new();
    for entry in Dir::read_from(fd).map_err(errno)? {
        let entry = entry.map_err(errno)?;
        // Programs know UTF-8 names only.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !matches!(name, "." | "..") {
            entries.push((name.to_string(), kind(entry.file_type()), entry.ino()));
        }
        if entries.len() > MAX_LISTED {
            return Err(Errno::OVERFLOW);
        }
    }
    Ok(Listing::new(inode, entries))
}

fn kind(file: FileType) -> Kind {
    match file {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::CharacterDevice => Kind::CharacterDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Fifo | FileType::Socket | FileType::Unknown => Kind::Unknown,
    }
}

/// What programs see: nothing that depends on the folder's file system, but for inode numbers and times.
fn stat(found: &fs::Stat, device: u64) -> Stat {
    let kind = kind(FileType::from_raw_mode(found.st_mode));
    let is_dir = kind == Kind::Directory;
    let nanos = |seconds: i64, nanos: u64| (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(nanos);
    Stat {
        device,
        inode: found.st_ino,
        kind,
        links: if is_dir { 1 } else { found.st_nlink },
        size: if is_dir { 0 } else { found.st_size as u64 },
        access: nanos(found.st_atime, found.st_atime_nsec),
        change: nanos(found.st_mtime, found.st_mtime_nsec),
        status_change: nanos(found.st_ctime, found.st_ctime_nsec),
    }
}

fn timestamps(times: Times) -> Timestamps {
    let spec = |time: Option<u64>| match time {
        Some(time) => Timespec { tv_sec: (time / 1_000_000_000) as i64, tv_nsec: (time % 1_000_000_000) as _ },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    Timestamps { last_access: spec(times.access), last_modification: spec(times.change) }
}

fn done(result: Result<(), OsErrno>) -> Result<Answer, Errno> {
    result.map(|()| Answer::Done).map_err(errno)
}

/// The OS's error as preview 1's.
fn errno(why: OsErrno) -> Errno {
    match why {
        OsErrno::ACCESS => Errno::ACCES,
        OsErrno::AGAIN => Errno::AGAIN,
        OsErrno::BADF => Errno::BADF,
        OsErrno::BUSY | OsErrno::TXTBSY => Errno::BUSY,
        OsErrno::EXIST => Errno::EXIST,
        OsErrno::FBIG => Errno::FBIG,
        OsErrno::ILSEQ => Errno::ILSEQ,
        OsErrno::INVAL => Errno::INVAL,
        OsErrno::ISDIR => Errno::ISDIR,
        OsErrno::LOOP => Errno::LOOP,
        OsErrno::MFILE | OsErrno::NFILE => Errno::NFILE,
        OsErrno::MLINK => Errno::MLINK,
        OsErrno::NAMETOOLONG => Errno::NAMETOOLONG,
        OsErrno::NOENT => Errno::NOENT,
        OsErrno::NOMEM => Errno::NOMEM,
        OsErrno::NOSPC | OsErrno::DQUOT => Errno::NOSPC,
        OsErrno::NOTDIR => Errno::NOTDIR,
        OsErrno::NOTEMPTY => Errno::NOTEMPTY,
        OsErrno::OPNOTSUPP | OsErrno::NXIO | OsErrno::NODEV => Errno::NOTSUP,
        OsErrno::OVERFLOW => Errno::OVERFLOW,
        OsErrno::PERM => Errno::PERM,
        OsErrno::ROFS => Errno::ROFS,
        OsErrno::XDEV => Errno::XDEV,
        _ => Errno::IO,
    }
}
