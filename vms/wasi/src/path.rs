//! Paths: checked once, and resolved beneath the directory that they start from, the same way in every storage.
//!
//! Invariants: a path is UTF-8, relative, without zero bytes and bounded; resolving never asks a storage
//! for anything but a single name in a directory beneath the start; symbolic links are followed only there,
//! and not without end.

use alloc::string::String;
use alloc::vec::Vec;

use crate::errno::Errno;

/// Longest path in bytes.
pub const MAX_PATH_BYTES: usize = 4096;
/// Longest name in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Most symbolic links on the way.
pub const MAX_LINKS: usize = 40;

/// Checks a path.
///
/// # Errors
/// `ILSEQ` if it is not UTF-8, `INVAL` for a zero byte, `NOENT` if it is empty, `PERM` if it is absolute, `NAMETOOLONG`.
pub fn check(bytes: &[u8]) -> Result<&str, Errno> {
    let path = core::str::from_utf8(bytes).map_err(|_| Errno::ILSEQ)?;
    if path.contains('\0') {
        return Err(Errno::INVAL);
    }
    if path.is_empty() {
        return Err(Errno::NOENT);
    }
    if path.starts_with('/') {
        return Err(Errno::PERM);
    }
    if path.len() > MAX_PATH_BYTES || path.split('/').any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(Errno::NAMETOOLONG);
    }
    Ok(path)
}

/// An entry of a directory, as far as resolving must know it.
pub enum Entry<D> {
    /// A directory.
    Directory(D),
    /// A symbolic link, and what it says.
    Link(String),
    /// Anything else.
    Other,
}

/// A storage, as paths are resolved in it.
pub trait Walk {
    /// A directory.
    type Dir: Clone;

    /// The entry `name`, one name, neither empty nor `.` nor `..`, of a directory.
    ///
    /// # Errors
    /// `NOENT` if there is none.
    fn entry(&self, dir: &Self::Dir, name: &str) -> Result<Entry<Self::Dir>, Errno>;

    /// The directory `path` (which may be empty) beneath `dir`.
    ///
    /// # Errors
    /// `PERM` if it is not beneath, `NOTDIR`, `NOENT`, `LOOP`.
    fn directory(&self, dir: &Self::Dir, path: &str) -> Result<Self::Dir, Errno> {
        walk(self, dir, path)
    }
}

/// Where a path leads.
pub enum Place<D> {
    /// A name in a directory; there may be nothing of that name.
    Name {
        /// The directory.
        dir: D,
        /// The name.
        name: String,
        /// The path ended in a slash: only a directory will do.
        slash: bool,
    },
    /// A directory, by a path that ends in `.` or `..`.
    Directory(D),
}

/// Goes along a path, one name after the other.
///
/// # Errors
/// As [`Walk::directory`].
pub fn walk<W: Walk + ?Sized>(storage: &W, start: &W::Dir, path: &str) -> Result<W::Dir, Errno> {
    let mut above: Vec<W::Dir> = Vec::new();
    let mut here = start.clone();
    let mut ahead: Vec<String> = path.split('/').rev().map(String::from).collect();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        match name.as_str() {
            "" | "." => {}
            ".." => here = above.pop().ok_or(Errno::PERM)?,
            name => match storage.entry(&here, name)? {
                Entry::Directory(dir) => above.push(core::mem::replace(&mut here, dir)),
                Entry::Other => return Err(Errno::NOTDIR),
                Entry::Link(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    if target.starts_with('/') {
                        return Err(Errno::PERM);
                    }
                    ahead.extend(target.split('/').rev().map(String::from));
                }
            },
        }
    }
    Ok(here)
}

/// When a symbolic link at a path's end is followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Follow {
    /// Never: the name itself is meant.
    Never,
    /// If a slash follows the name.
    Slash,
    /// In any case.
    Always,
}

/// Where a checked path leads from `dir`.
///
/// # Errors
/// As [`Walk::directory`].
pub fn resolve<W: Walk + ?Sized>(
    storage: &W,
    dir: &W::Dir,
    path: &str,
    follow: Follow,
) -> Result<Place<W::Dir>, Errno> {
    let mut path = String::from(path);
    for _ in 0..=MAX_LINKS {
        let trimmed = path.trim_end_matches('/');
        let slash = trimmed.len() < path.len();
        let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        if matches!(name, "" | "." | "..") {
            return Ok(Place::Directory(storage.directory(dir, trimmed)?));
        }
        let within = storage.directory(dir, parent)?;
        let target = match follow == Follow::Always || follow == Follow::Slash && slash {
            false => None,
            true => match storage.entry(&within, name) {
                Ok(Entry::Link(target)) => Some(target),
                Ok(Entry::Directory(_) | Entry::Other) | Err(Errno::NOENT) => None,
                Err(why) => return Err(why),
            },
        };
        let Some(target) = target else { return Ok(Place::Name { dir: within, name: String::from(name), slash }) };
        if target.starts_with('/') {
            return Err(Errno::PERM);
        }
        let end = if slash { "/" } else { "" };
        path = [parent, if parent.is_empty() { "" } else { "/" }, &target, end].concat();
        if path.len() > MAX_PATH_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
    }
    Err(Errno::LOOP)
}
