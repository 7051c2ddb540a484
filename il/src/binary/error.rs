//! Why bytes are not a module.

use core::fmt;

use crate::leb::LebError;

/// Bytes that are not a module: where, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinaryError {
    /// Byte offset in the module of what is wrong.
    pub offset: usize,
    /// What was being read, e.g. `a literal's length`.
    pub reading: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $name:ident
        $({ $($(#[doc = $about:literal])+ $field:ident: $field_type:ty,)+ })? $(($part:ty))?,)*) => {
        /// What is wrong.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Problem {
            $($(#[doc = $doc])+ $name $({ $($(#[doc = $about])+ $field: $field_type,)+ })? $(($part))?,)*
        }

        impl Problem {
            /// Every problem: its name, and what it is.
            pub const ALL: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc),+)),)*];
        }
    };
}

problems! {
    /// The bytes do not start with [`super::MAGIC`].
    NotAModule,
    /// Another format version.
    Version(u32),
    /// Required features that this version does not know (their bits).
    Features(u64),
    /// A required section of unknown kind.
    UnknownSection(u8),
    /// A section that stands twice, or after one of greater kind.
    SectionOrder(u8),
    /// A section without content must be left out.
    EmptySection,
    /// The section's content is shorter than its length says.
    TrailingBytes(usize),
    /// The bytes end too early.
    Truncated,
    /// A number with a shorter encoding.
    NotShortest,
    /// A number that is out of range.
    TooLarge,
    /// More than [`crate::limits`] allow.
    Limit {
        /// What stands there.
        count: u64,
        /// The limit.
        limit: usize,
    },
    /// Bytes that are not UTF-8.
    BadUtf8,
    /// A byte that is none of the codes allowed here.
    BadCode {
        /// The byte.
        found: u8,
        /// What is allowed.
        expected: &'static str,
    },
}

impl From<LebError> for Problem {
    fn from(error: LebError) -> Self {
        match error {
            LebError::Truncated => Problem::Truncated,
            LebError::TooLarge => Problem::TooLarge,
            LebError::NotShortest => Problem::NotShortest,
        }
    }
}

impl fmt::Display for BinaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}: {}", self.offset, self.reading, self.problem)
    }
}

impl core::error::Error for BinaryError {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotAModule => f.write_str(
                "this is not an IL module (it does not start with 00 'i' 'l' 'b'); compile text with `ilc build`",
            ),
            Problem::Version(found) => {
                write!(
                    f,
                    "format version {found}, expected {}; rebuild the module with a matching `ilc`",
                    super::VERSION
                )
            }
            Problem::Features(bits) => {
                write!(f, "the module requires features {bits:#x} that this version does not have")
            }
            Problem::UnknownSection(kind) => {
                write!(f, "unknown required section {kind}; the module needs a newer version")
            }
            Problem::SectionOrder(kind) => {
                write!(f, "section {} is repeated or out of order; kinds must ascend", Kind(*kind))
            }
            Problem::EmptySection => f.write_str("the section is empty; expected it to be left out"),
            Problem::TrailingBytes(count) => {
                write!(f, "{count} bytes are left over; expected the section to end here")
            }
            Problem::Truncated => f.write_str("the bytes end here; expected more (is the file cut short?)"),
            Problem::NotShortest => f.write_str("expected the shortest encoding of the number"),
            Problem::TooLarge => f.write_str("the number is out of range"),
            Problem::Limit { count, limit } => write!(f, "found {count}, expected at most {limit}"),
            Problem::BadUtf8 => f.write_str("expected UTF-8"),
            Problem::BadCode { found, expected } => write!(f, "found {found:#04x}, expected {expected}"),
        }
    }
}

struct Kind(u8);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match super::section::ALL.iter().find(|(kind, ..)| *kind == self.0) {
            Some((_, name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl BinaryError {
    pub(super) fn new(offset: usize, reading: &'static str, problem: impl Into<Problem>) -> Self {
        BinaryError { offset, reading, problem: problem.into() }
    }
}
