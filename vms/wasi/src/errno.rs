//! Error numbers of WASI preview 1.

use core::fmt;

/// Why an operation failed, as programs know it; never 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub u16);

macro_rules! errnos {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal;)*) => {
        impl Errno {
            $($(#[doc = $doc])* pub const $name: Errno = Errno($number);)*

            /// Its name, in small letters.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($number => stringify!($name),)*
                    _ => "?",
                }
            }
        }
    };
}

errnos! {
    /// Permission denied.
    ACCES = 2;
    /// Try again.
    AGAIN = 6;
    /// No such descriptor, or not one for this.
    BADF = 8;
    /// In use.
    BUSY = 10;
    /// It exists.
    EXIST = 20;
    /// The file would be too large.
    FBIG = 22;
    /// Not UTF-8.
    ILSEQ = 25;
    /// An argument is impossible.
    INVAL = 28;
    /// The storage failed.
    IO = 29;
    /// It is a directory.
    ISDIR = 31;
    /// Too many symbolic links.
    LOOP = 32;
    /// The client has too many descriptors.
    MFILE = 33;
    /// Too many links to one file.
    MLINK = 34;
    /// A name or path is too long.
    NAMETOOLONG = 37;
    /// Too many files are open in all.
    NFILE = 41;
    /// There is no such file.
    NOENT = 44;
    /// There is no memory for it.
    NOMEM = 48;
    /// The storage is full.
    NOSPC = 51;
    /// It is no directory.
    NOTDIR = 54;
    /// The directory is not empty.
    NOTEMPTY = 55;
    /// Not supported.
    NOTSUP = 58;
    /// A number does not fit.
    OVERFLOW = 61;
    /// Not permitted: the path leaves its directory.
    PERM = 63;
    /// Granted for reading only.
    ROFS = 69;
    /// The descriptor has no position.
    SPIPE = 70;
    /// The two are in different storages.
    XDEV = 75;
    /// The descriptor lacks the right.
    NOTCAPABLE = 76;
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl core::error::Error for Errno {}
