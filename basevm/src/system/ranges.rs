//! Limits of a grant: the part of a VM's spaces, and the operand values, that a right covers.
//!
//! A grant names limits in words ([`Limit`]); when a right is made they become a table ([`Ranges`]) over the
//! operands of the receiver's instructions, and the choke point compares with that table alone.
//! Invariants: arithmetic is exact (128 bits), what cannot be computed is refused, and a limit that is
//! granted never covers an instruction by accident: one that touches a limited space in an unknown way is refused.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A limit of a grant, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// A space that the instruction set declares (`sectors`, `within`), or the name of an integer operand.
    pub name: String,
    /// From where to where on each axis of the space; one for an operand.
    pub bounds: Vec<Bounds>,
}

/// An interval of numbers, half-open: `to` is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The first number in it.
    pub from: i64,
    /// The first number beyond it.
    pub to: i64,
}

/// Why a text is not a limit's bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadBounds(String);

impl fmt::Display for BadBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(f, "`{text}` is no range: write FROM..TO (TO is not part of it), e.g. 0..4096, ")?;
        f.write_str("or an axis after the other, e.g. 0..320x0..200, or 320x200 for the same")
    }
}

impl core::error::Error for BadBounds {}

impl Limit {
    /// Reads bounds: `0..4096`, `0..320x0..200`, `0..320, 0..200`, or `320x200` for several axes from 0.
    ///
    /// # Errors
    /// If the text has another form, or an interval ends before it starts.
    pub fn parse(name: &str, text: &str) -> Result<Limit, BadBounds> {
        let parts: Vec<&str> = text.split(['x', ',']).map(str::trim).collect();
        let several = parts.len() > 1;
        let bounds = parts.iter().map(|part| Bounds::parse(part, several)).collect::<Option<Vec<Bounds>>>();
        let bounds = bounds.ok_or_else(|| BadBounds(text.to_string()))?;
        Ok(Limit { name: name.to_string(), bounds })
    }
}

impl Bounds {
    /// `from_zero`: whether a number alone says where it ends.
    fn parse(text: &str, from_zero: bool) -> Option<Bounds> {
        let bounds = match text.split_once("..") {
            Some((from, to)) => Bounds { from: from.trim().parse().ok()?, to: to.trim().parse().ok()? },
            None if from_zero => Bounds { from: 0, to: text.parse().ok()? },
            None => return None,
        };
        (bounds.from <= bounds.to).then_some(bounds)
    }
}

impl fmt::Display for Limit {
    /// As `--grant` reads it: `sectors:0..4096`, `within:0..320x0..200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (at, Bounds { from, to }) in self.bounds.iter().enumerate() {
            write!(f, "{}{from}..{to}", if at > 0 { "x" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_back() {
        for (text, shown) in [
            ("0..4096", "s:0..4096"),
            ("-5 .. 7", "s:-5..7"),
            ("320x200", "s:0..320x0..200"),
            ("10..320, 0..200", "s:10..320x0..200"),
            ("3..3", "s:3..3"),
            ("-9223372036854775808..9223372036854775807", "s:-9223372036854775808..9223372036854775807"),
        ] {
            let limit = Limit::parse("s", text).unwrap();
            assert_eq!(limit.to_string(), shown);
            assert_eq!(Limit::parse("s", shown.split_once(':').unwrap().1), Ok(limit));
        }
        for bad in ["", "4096", "5..4", "0..", "..4", "0..4x", "x", "0..9223372036854775808", "a..b", "0...4"] {
            assert!(Limit::parse("s", bad).is_err(), "{bad}");
        }
    }
}
