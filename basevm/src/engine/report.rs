//! Trap reports: why a VM ended, in terms of its source.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use il::FuncId;
use il::trap::TrapKind;

/// One function on the stack of a VM that trapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Which function.
    pub func: FuncId,
    /// Its name, or `func N` in a module without names.
    pub name: String,
    /// Its source file, if the module carries names.
    pub file: Option<String>,
    /// The source line, if the module carries lines.
    pub line: Option<u32>,
    /// How often it stands here in a row: more than 1 in a recursion.
    pub times: usize,
}

/// Why a VM ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrapReport {
    /// What kind of fault.
    pub kind: TrapKind,
    /// The reason given by the program, or details by the engine; may be empty.
    pub message: String,
    /// The status of the device instruction that failed, for `TrapKind::Device`.
    pub status: Option<u16>,
    /// The innermost functions, innermost first; at most [`TrapReport::MAX_FRAMES`].
    pub frames: Vec<Frame>,
    /// How many outer calls are not listed.
    pub omitted: usize,
}

impl TrapReport {
    /// Most functions that a report lists.
    pub const MAX_FRAMES: usize = 16;
}

impl fmt::Display for TrapReport {
    /// The reason on one line, then a line for each function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        for frame in &self.frames {
            write!(f, "\n  in {}", frame.name)?;
            match (&frame.file, frame.line) {
                (Some(file), Some(line)) => write!(f, " ({file}:{line})")?,
                (None, Some(line)) => write!(f, " (line {line})")?,
                (_, None) => {}
            }
            if frame.times > 1 {
                write!(f, ", {} times", frame.times)?;
            }
        }
        if self.omitted > 0 {
            write!(f, "\n  and {} outer calls", self.omitted)?;
        }
        Ok(())
    }
}
