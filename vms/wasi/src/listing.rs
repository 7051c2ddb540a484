//! What is in a directory, at the moment that its reading began.

use alloc::string::String;
use alloc::vec::Vec;

use crate::abi::{self, DIRENT_BYTES, Kind};

/// Most entries that are listed.
pub const MAX_LISTED: usize = 1 << 16;

/// The entries of a directory, `.` and `..` first, the others by name.
#[derive(Default, Debug)]
pub struct Listing {
    entries: Vec<(String, Kind, u64)>,
}

impl Listing {
    /// A listing of the directory with number `inode`; without `.` and `..`.
    pub fn new(inode: u64, mut entries: Vec<(String, Kind, u64)>) -> Listing {
        entries.sort_by(|(left, ..), (right, ..)| left.cmp(right));
        let own = |name: &str| (String::from(name), Kind::Directory, inode);
        entries.splice(0..0, [own("."), own("..")]);
        Listing { entries }
    }

    /// Writes entries from number `cookie` on, `dirent` after `dirent`; the last may be cut. Gives the bytes used.
    pub fn fill(&self, cookie: u64, data: &mut [u8]) -> usize {
        let from = usize::try_from(cookie).unwrap_or(usize::MAX).min(self.entries.len());
        let mut used = 0;
        let mut put = |bytes: &[u8]| {
            let room = data.get_mut(used..).unwrap_or_default();
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            used += count;
            count == bytes.len()
        };
        for (at, (name, kind, inode)) in self.entries.iter().enumerate().skip(from) {
            let head: [u8; DIRENT_BYTES] = abi::dirent(at as u64 + 1, *inode, *kind, name.len() as u32);
            if !put(&head) || !put(name.as_bytes()) {
                break;
            }
        }
        used
    }
}
