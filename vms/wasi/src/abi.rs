//! Numbers and layouts of WASI preview 1 that programs see.

/// What a file is. The numbers are preview 1's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    File = 4,
    Link = 7,
}

/// Descriptor flags.
pub mod fdflags {
    /// Writes go to the end.
    pub const APPEND: u16 = 1;
    /// Data is on the medium when a write returns.
    pub const DSYNC: u16 = 2;
    /// Nothing waits; files never do.
    pub const NONBLOCK: u16 = 4;
    /// As `DSYNC`, for reads too.
    pub const RSYNC: u16 = 8;
    /// As `DSYNC`, with the file's attributes.
    pub const SYNC: u16 = 16;
    /// All of them.
    pub const ALL: u16 = 31;
}

/// Flags of opening.
pub mod oflags {
    /// Make the file if there is none.
    pub const CREATE: u32 = 1;
    /// Only a directory will do.
    pub const DIRECTORY: u32 = 2;
    /// Only a new file will do.
    pub const EXCLUSIVE: u32 = 4;
    /// Empty the file.
    pub const TRUNCATE: u32 = 8;
    /// All of them.
    pub const ALL: u32 = 15;
}

/// Flags of setting times.
pub mod fstflags {
    /// The time of the last access, to what is given.
    pub const ACCESS: u32 = 1;
    /// The time of the last access, to now.
    pub const ACCESS_NOW: u32 = 2;
    /// The time of the last change, to what is given.
    pub const CHANGE: u32 = 4;
    /// The time of the last change, to now.
    pub const CHANGE_NOW: u32 = 8;
    /// All of them.
    pub const ALL: u32 = 15;
}

/// Rights of a descriptor.
#[allow(missing_docs)]
pub mod rights {
    pub const FD_DATASYNC: u64 = 1;
    pub const FD_READ: u64 = 1 << 1;
    pub const FD_SEEK: u64 = 1 << 2;
    pub const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub const FD_SYNC: u64 = 1 << 4;
    pub const FD_TELL: u64 = 1 << 5;
    pub const FD_WRITE: u64 = 1 << 6;
    pub const FD_ADVISE: u64 = 1 << 7;
    pub const FD_ALLOCATE: u64 = 1 << 8;
    pub const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub const PATH_CREATE_FILE: u64 = 1 << 10;
    pub const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub const PATH_LINK_TARGET: u64 = 1 << 12;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const FD_READDIR: u64 = 1 << 14;
    pub const PATH_READLINK: u64 = 1 << 15;
    pub const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub const FD_FILESTAT_GET: u64 = 1 << 21;
    pub const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub const PATH_SYMLINK: u64 = 1 << 24;
    pub const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub const POLL_FD_READWRITE: u64 = 1 << 27;

    /// Those that mean something for a file.
    pub const FILE: u64 = FD_DATASYNC
        | FD_READ
        | FD_SEEK
        | FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_TELL
        | FD_WRITE
        | FD_ADVISE
        | FD_ALLOCATE
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_SIZE
        | FD_FILESTAT_SET_TIMES
        | POLL_FD_READWRITE;

    /// Those that decide how a file is opened.
    const ACCESS: u64 = FD_READ | FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE;

    /// The rights of what is opened with the wish for these, as far as its directory hands them on. Programs ask for
    /// reading and writing, and take the rest for granted: the right to write brings that to give a file its size.
    pub const fn opened(wanted: u64) -> u64 {
        let size = if wanted & FD_WRITE != 0 { FD_ALLOCATE | FD_FILESTAT_SET_SIZE } else { 0 };
        wanted | size | !ACCESS
    }

    /// Those that mean something for a directory.
    pub const DIRECTORY: u64 = FD_FDSTAT_SET_FLAGS
        | FD_SYNC
        | FD_DATASYNC
        | FD_ADVISE
        | PATH_CREATE_DIRECTORY
        | PATH_CREATE_FILE
        | PATH_LINK_SOURCE
        | PATH_LINK_TARGET
        | PATH_OPEN
        | FD_READDIR
        | PATH_READLINK
        | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET
        | PATH_FILESTAT_GET
        | PATH_FILESTAT_SET_SIZE
        | PATH_FILESTAT_SET_TIMES
        | FD_FILESTAT_GET
        | FD_FILESTAT_SET_TIMES
        | PATH_SYMLINK
        | PATH_REMOVE_DIRECTORY
        | PATH_UNLINK_FILE;
}

/// What is known of a file. Times are nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Its storage's number.
    pub device: u64,
    /// Its number in the storage.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
    /// How many names it has; 1 for a directory.
    pub links: u64,
    /// Its size in bytes; 0 for a directory.
    pub size: u64,
    /// The last access.
    pub access: u64,
    /// The last change of its content.
    pub change: u64,
    /// The last change of its content or attributes.
    pub status_change: u64,
}

/// Bytes of a `filestat`.
pub const FILESTAT_BYTES: usize = 64;
/// Bytes of a `fdstat`.
pub const FDSTAT_BYTES: usize = 24;
/// Bytes of a `dirent` before its name.
pub const DIRENT_BYTES: usize = 24;

impl Stat {
    /// As a `filestat`.
    pub fn bytes(&self) -> [u8; FILESTAT_BYTES] {
        let words = [
            self.device,
            self.inode,
            self.kind as u64,
            self.links,
            self.size,
            self.access,
            self.change,
            self.status_change,
        ];
        let mut bytes = [0; FILESTAT_BYTES];
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }
}

/// A `fdstat`.
pub fn fdstat(kind: Kind, flags: u16, rights: u64, inheriting: u64) -> [u8; FDSTAT_BYTES] {
    let words = [kind as u64 | u64::from(flags) << 16, rights, inheriting];
    let mut bytes = [0; FDSTAT_BYTES];
    for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}

/// The head of a `dirent`; its name follows.
pub fn dirent(next: u64, inode: u64, kind: Kind, name_bytes: u32) -> [u8; DIRENT_BYTES] {
    let words = [next, inode, u64::from(name_bytes) | (kind as u64) << 32];
    let mut bytes = [0; DIRENT_BYTES];
    for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    bytes
}
