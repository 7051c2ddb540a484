//! Limits of a right: the part of a VM's spaces, and the operand values, that its instructions may name.
//!
//! ```text
//! Limit (words: `sectors 0..4096`)  --with the instruction set's `Touch`es-->  Ranges (a table by opcode)
//!                                                                               |            |
//!                         operands of a packet, all known: the receiver's choke point        |
//!                         operands of a module, where constant: reported before the run -----+
//! ```
//!
//! Invariants: arithmetic is exact, in 128 bits. What cannot be shown to lie inside is refused: an
//! instruction that touches a limited space as a whole, or with operands that are not as declared, and an extent
//! below zero. An extent of zero lies where its start lies, the end of the range included.

mod report;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::isa::{Axis, Extent, Field, Instruction, InstructionSet};
use crate::packet::{MAX_OPERANDS, Reader, Value};
use crate::types::Type;

pub use report::{Finding, MAX_FINDINGS, report};

/// A limit, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// A space that the instruction set declares (`sectors`, `within`), else the name of an operand: an
    /// integer is limited itself, a `buf` or `str` in its length in bytes.
    pub name: String,
    /// From where to where on each axis of the space; one for an operand.
    pub bounds: Vec<Bounds>,
}

/// An interval of numbers, half-open.
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

/// What is known of an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand<'a> {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// A buffer of so many bytes.
    Bytes(u64),
    /// Nothing that a limit could refer to.
    Unknown,
}

/// An instruction that lies outside of what is granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outside<'a> {
    /// The limit that it is outside of.
    pub limit: &'a Limit,
    /// What it touches.
    pub what: Touched,
}

/// What an instruction touches outside of a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touched {
    /// All of the space.
    Whole,
    /// On this axis, as far as it is known: from this number, to before that one.
    Axis {
        /// Counted from 0.
        axis: usize,
        /// Where it starts.
        from: Option<i128>,
        /// The first point beyond.
        to: Option<i128>,
    },
}

/// The limits of one right, by opcode.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ranges {
    /// By ascending opcode.
    rules: Vec<Rule>,
}

/// All groups hold; of each group one alternative; of an alternative all checks.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    opcode: u8,
    groups: Vec<Vec<Alternative>>,
}

/// What one grant demands of an instruction.
type Alternative = Vec<Check>;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Check {
    limit: Limit,
    /// What must lie inside; `None`: the instruction is refused.
    spans: Option<Vec<Span>>,
}

/// An interval on an axis of the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Span {
    axis: usize,
    start: Start,
    extent: Size,
}

/// Where an interval starts: at an operand's value, or at its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Value(usize),
    Length(usize),
}

/// How many points an interval has; operands by their position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Size {
    One,
    Count(usize),
    Bytes(usize, u32),
    Columns(usize, u32),
    Lines(usize, u32),
}

/// What can be said with what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Inside,
    Unknown,
    Outside(Touched),
}

impl Ranges {
    /// Limits `instruction`, which one of several grants must allow: each by all of its limits. `declared` is the set
    /// that says what instructions touch; an instruction that is another there is refused. Called again for the same
    /// instruction it limits it further.
    pub fn limit(&mut self, instruction: &Instruction, declared: &InstructionSet, grants: &[&[Limit]]) {
        let alternatives = grants.iter().map(|limits| checks(limits, instruction, declared));
        let alternatives: Vec<Alternative> = alternatives.collect();
        if alternatives.iter().any(Vec::is_empty) {
            return;
        }
        match self.rules.binary_search_by_key(&instruction.opcode, |rule| rule.opcode) {
            Ok(at) => self.rules[at].groups.push(alternatives),
            Err(at) => {
                let rule = Rule { opcode: instruction.opcode, groups: alloc::vec![alternatives] };
                self.rules.insert(at, rule);
            }
        }
    }

    /// Whether no instruction is limited.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether this instruction is limited.
    pub fn limits(&self, opcode: u8) -> bool {
        self.rule(opcode).is_some()
    }

    fn rule(&self, opcode: u8) -> Option<&Rule> {
        let at = self.rules.binary_search_by_key(&opcode, |rule| rule.opcode).ok()?;
        self.rules.get(at)
    }

    /// Whether an instruction that has come, with these operand words, is covered. `bytes` gives the length of
    /// the buffer that an attachment is.
    pub fn cover(&self, instruction: &Instruction, words: &[u64], bytes: impl Fn(u32) -> Option<u64>) -> bool {
        let Some(rule) = self.rule(instruction.opcode) else { return true };
        let mut operands = [Operand::Unknown; MAX_OPERANDS];
        let mut reader = Reader::new(words);
        for (param, operand) in instruction.params.iter().zip(&mut operands) {
            let Ok(value) = reader.next(param.ty) else { return false };
            *operand = match value {
                Value::I32(value) => Operand::Integer(i64::from(value)),
                Value::I64(value) => Operand::Integer(value),
                Value::Str(text) => Operand::Text(text),
                Value::Buf(index) => bytes(index).map_or(Operand::Unknown, Operand::Bytes),
                Value::F32(_) | Value::F64(_) | Value::V128(_) | Value::Bool(_) => Operand::Unknown,
                Value::Ref(_) | Value::OptRef(_) => Operand::Unknown,
            };
        }
        let inside = |check: &Check| check.verdict(&operands) == Verdict::Inside;
        let holds = |group: &Vec<Alternative>| group.iter().any(|checks| checks.iter().all(inside));
        rule.groups.iter().all(holds)
    }

    /// Why an instruction with these operands, as far as they are known, is refused whatever the others are.
    pub fn refusal(&self, opcode: u8, operands: &[Operand<'_>]) -> Option<Outside<'_>> {
        let outside = |check: &'_ Check| match check.verdict(operands) {
            Verdict::Outside(what) => Some(what),
            Verdict::Inside | Verdict::Unknown => None,
        };
        self.rule(opcode)?.groups.iter().find_map(|group| {
            let mut first = None;
            for checks in group {
                let found =
                    checks.iter().find_map(|check| Some(Outside { limit: &check.limit, what: outside(check)? }))?;
                first.get_or_insert(found);
            }
            first
        })
    }
}

/// What the limits of one grant demand of an instruction; nothing if they do not concern it.
fn checks(limits: &[Limit], instruction: &Instruction, declared: &InstructionSet) -> Alternative {
    limits.iter().filter_map(|limit| check(limit, instruction, declared)).collect()
}

fn check(limit: &Limit, instruction: &Instruction, declared: &InstructionSet) -> Option<Check> {
    let axes = limit.bounds.len();
    let check = |spans: Option<Vec<Span>>| Some(Check { limit: limit.clone(), spans });
    let types = |instruction: &Instruction| instruction.params.iter().map(|param| param.ty).collect::<Vec<Type>>();
    let known = declared.instruction(instruction.opcode);
    if known.is_some_and(|known| known.name != instruction.name || types(known) != types(instruction)) {
        return check(None);
    }
    if !declared.spaces().iter().any(|(space, _)| *space == limit.name) {
        // The names are those of the declaration: an executor is free in naming its own.
        let start = operand(known.unwrap_or(instruction), &limit.name)?.filter(|_| axes == 1);
        return check(start.map(|start| alloc::vec![Span { axis: 0, start, extent: Size::One }]));
    }
    let Some(known) = known else { return check(None) };
    let touch = known.touches.iter().find(|touch| touch.space == limit.name)?;
    if touch.axes.is_empty() || touch.axes.len() != axes {
        return check(None);
    }
    let spans = touch.axes.iter().enumerate().map(|(axis, declared)| spans(known, axis, declared));
    check(spans.collect::<Option<Vec<Vec<Span>>>>().map(|spans| spans.concat()))
}

/// The intervals that must lie inside for one axis.
fn spans(instruction: &Instruction, axis: usize, declared: &Axis) -> Option<Vec<Span>> {
    let from = |name: &str, extent| Some(Span { axis, start: Start::Value(integer(instruction, name)?), extent });
    let extent = match &declared.extent {
        // What lies between two points inside lies inside.
        Extent::To(end) => return Some(alloc::vec![from(&declared.start, Size::One)?, from(end, Size::One)?]),
        Extent::One => Size::One,
        Extent::Count(of) => Size::Count(integer(instruction, of)?),
        Extent::Bytes { of, bytes } => Size::Bytes(position(instruction, of, &[Type::Buf])?, (*bytes).max(1)),
        Extent::Columns { of, points } => Size::Columns(position(instruction, of, &[Type::Str])?, *points),
        Extent::Lines { of, points } => Size::Lines(position(instruction, of, &[Type::Str])?, *points),
    };
    Some(alloc::vec![from(&declared.start, extent)?])
}

/// What an operand is limited in: `None` if the instruction has none of that name, `Some(None)` if no number
/// belongs to it.
fn operand(instruction: &Instruction, name: &str) -> Option<Option<Start>> {
    let at = instruction.params.iter().position(|param| param.name == name)?;
    Some(match instruction.params[at].ty {
        Type::I32 | Type::I64 => Some(Start::Value(at)),
        Type::Buf | Type::Str => Some(Start::Length(at)),
        Type::F32 | Type::F64 | Type::V128 | Type::Bool | Type::BufRef | Type::OptBuf | Type::OptStr => None,
        Type::Any | Type::OptAny | Type::Ref(_) | Type::Opt(_) => None,
    })
}

fn position(instruction: &Instruction, name: &str, types: &[Type]) -> Option<usize> {
    let fits = |param: &Field| param.name == name && types.contains(&param.ty);
    instruction.params.iter().position(fits)
}

fn integer(instruction: &Instruction, name: &str) -> Option<usize> {
    position(instruction, name, &[Type::I32, Type::I64])
}

impl Check {
    fn verdict(&self, operands: &[Operand<'_>]) -> Verdict {
        let Some(spans) = &self.spans else { return Verdict::Outside(Touched::Whole) };
        let mut all = Verdict::Inside;
        for span in spans {
            let Some(bounds) = self.limit.bounds.get(span.axis) else { return Verdict::Outside(Touched::Whole) };
            match span.verdict(*bounds, operands) {
                Verdict::Inside => {}
                Verdict::Unknown => all = Verdict::Unknown,
                outside @ Verdict::Outside(_) => return outside,
            }
        }
        all
    }
}

impl Span {
    fn verdict(self, bounds: Bounds, operands: &[Operand<'_>]) -> Verdict {
        let (lowest, highest) = (i128::from(bounds.from), i128::from(bounds.to));
        let (from, to, points) = self.interval(operands);
        let touched = Verdict::Outside(Touched::Axis { axis: self.axis, from, to });
        let starts_outside = from.is_some_and(|from| from < lowest || from > highest);
        let ends_outside = to.is_some_and(|to| to < lowest || to > highest);
        let fits_nowhere = points.is_some_and(|points| points < 0 || points > highest - lowest);
        match from.zip(to) {
            _ if starts_outside || ends_outside || fits_nowhere => touched,
            Some(_) => Verdict::Inside,
            None => Verdict::Unknown,
        }
    }

    /// Its first point, the first beyond, and how many there are, as far as they are known. An interval of at least
    /// one point that starts at the end of a range is outside of it by its end.
    fn interval(self, operands: &[Operand<'_>]) -> (Option<i128>, Option<i128>, Option<i128>) {
        let start = match self.start {
            Start::Value(at) => value(operands, at),
            Start::Length(at) => match operands.get(at) {
                Some(Operand::Bytes(bytes)) => Some(i128::from(*bytes)),
                Some(Operand::Text(text)) => Some(text.len() as i128),
                _ => None,
            },
        };
        let points = match self.extent {
            Size::One => Some(1),
            Size::Count(at) => value(operands, at),
            Size::Bytes(at, bytes) => match operands.get(at) {
                Some(Operand::Bytes(length)) => Some(i128::from(length.div_ceil(u64::from(bytes)))),
                _ => None,
            },
            Size::Columns(at, points) => text(operands, at).map(|text| {
                let longest = text.split('\n').map(|line| line.chars().count()).max().unwrap_or(0);
                longest as i128 * i128::from(points)
            }),
            Size::Lines(at, points) => {
                text(operands, at).map(|text| text.split('\n').count() as i128 * i128::from(points))
            }
        };
        let end = start.zip(points).map(|(start, points)| start + points);
        (start, end, points)
    }
}

fn value(operands: &[Operand<'_>], at: usize) -> Option<i128> {
    match operands.get(at) {
        Some(Operand::Integer(value)) => Some(i128::from(*value)),
        _ => None,
    }
}

fn text<'a>(operands: &[Operand<'a>], at: usize) -> Option<&'a str> {
    match operands.get(at) {
        Some(Operand::Text(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::Cow;
    use alloc::vec;

    use super::*;
    use crate::isa::Touch;

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

    fn instruction(params: &[(&'static str, Type)], axes: Vec<Axis>) -> Instruction {
        let field = |(name, ty): &(&'static str, Type)| Field { name: (*name).into(), ty: *ty };
        Instruction {
            opcode: 1,
            name: "do".into(),
            params: params.iter().map(field).collect(),
            results: None,
            touches: vec![Touch { space: "space".into(), axes: axes.into() }].into(),
            doc: "".into(),
        }
    }

    fn set(instruction: &Instruction) -> InstructionSet {
        InstructionSet {
            name: "test.space".into(),
            version: 1,
            instructions: vec![instruction.clone()].into(),
            events: Cow::Borrowed(&[]),
            doc: "".into(),
        }
    }

    fn axis(start: &'static str, extent: Extent) -> Axis {
        Axis { start: start.into(), extent }
    }

    fn ranges(instruction: &Instruction, limits: &[&[Limit]]) -> Ranges {
        let mut ranges = Ranges::default();
        ranges.limit(instruction, &set(instruction), limits);
        ranges
    }

    fn limit(name: &str, text: &str) -> Limit {
        Limit::parse(name, text).unwrap()
    }

    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;

    #[test]
    fn extents_are_exact_at_the_ends_of_the_numbers() {
        let read = instruction(&[("at", Type::I64), ("n", Type::I64)], vec![axis("at", Extent::Count("n".into()))]);
        let covered = |text: &str, at: i64, n: i64| {
            let limit = [limit("space", text)];
            ranges(&read, &[&limit]).cover(&read, &[at as u64, n as u64], |_| None)
        };
        for (at, n, inside) in [
            (0, 4096, true),
            (0, 4097, false),
            (4095, 1, true),
            (4096, 1, false),
            (4096, 0, true),
            (4097, 0, false),
            (-1, 1, false),
            (-1, 0, false),
            (5, -1, false),
            (MAX, MAX, false),
            (MAX, 1, false),
            (1, MAX, false),
            (MIN, MIN, false),
            (MIN, MAX, false),
            (-4096, 4097, false),
        ] {
            assert_eq!(covered("0..4096", at, n), inside, "{at} + {n}");
        }
        let whole = "-9223372036854775808..9223372036854775807";
        assert!(covered(whole, MIN, MAX) && covered(whole, 0, MAX) && !covered(whole, 1, MAX));
        assert!(!covered(whole, MAX, 1) && covered(whole, MAX, 0) && !covered(whole, MIN, -1));
        assert!(!covered("7..7", 7, 1) && covered("7..7", 7, 0));
    }

    #[test]
    fn every_extent_is_measured() {
        let params = [("a", Type::I32), ("b", Type::I32), ("t", Type::Str), ("d", Type::Buf)];
        let of = |extent| instruction(&params, vec![axis("a", extent)]);
        let covered = |extent: Extent, a: i32, b: i32, text: &str, bytes: Option<u64>| {
            let mut packet = crate::packet::Builder::default();
            packet.push(Value::I32(a)).push(Value::I32(b)).push(Value::Str(text)).push(Value::Buf(0));
            let (one, limit) = (of(extent), [limit("space", "10..20")]);
            ranges(&one, &[&limit]).cover(&one, &packet.words, |_| bytes)
        };
        let one = |a| covered(Extent::One, a, 0, "", None);
        assert!(!one(9) && one(10) && one(19) && !one(20));
        let to = |a, b| covered(Extent::To("b".into()), a, b, "", None);
        assert!(to(10, 19) && to(19, 10) && !to(9, 12) && !to(12, 9) && !to(12, 20) && !to(20, 12) && !to(30, 40));
        let bytes = |a, n| covered(Extent::Bytes { of: "d".into(), bytes: 512 }, a, 0, "", n);
        assert!(bytes(19, Some(512)) && !bytes(19, Some(513)) && bytes(10, Some(5120)) && !bytes(10, Some(5121)));
        assert!(bytes(20, Some(0)) && !bytes(10, Some(u64::MAX)) && !bytes(12, None), "no buffer, no right");
        let columns = |a, text: &str| covered(Extent::Columns { of: "t".into(), points: 2 }, a, 0, text, None);
        assert!(columns(10, "fünfe") && !columns(10, "sechse") && columns(16, "a\nbc\n") && !columns(17, "a\nbc\n"));
        let lines = |a, text: &str| covered(Extent::Lines { of: "t".into(), points: 5 }, a, 0, text, None);
        assert!(lines(10, "a\n") && !lines(10, "a\n\n") && !lines(11, "a\n") && lines(15, ""));
    }

    #[test]
    fn operands_are_limited_by_name_in_value_or_length() {
        let set_level = instruction(&[("level", Type::I32), ("text", Type::Str), ("f", Type::F64)], vec![]);
        let covered = |name: &str, text: &str, level: i32, words: &str| {
            let mut packet = crate::packet::Builder::default();
            packet.push(Value::I32(level)).push(Value::Str(words)).push(Value::F64(0.5));
            let limit = [limit(name, text)];
            ranges(&set_level, &[&limit]).cover(&set_level, &packet.words, |_| None)
        };
        assert!(covered("level", "0..100", 99, "") && !covered("level", "0..100", 100, ""));
        assert!(covered("level", "-5..0", -5, "") && !covered("level", "-5..0", -6, ""));
        assert!(covered("text", "0..3", 0, "ab") && !covered("text", "0..3", 0, "abc"));
        assert!(!covered("f", "0..3", 0, ""), "no number belongs to it");
        assert!(!covered("level", "5x5", 1, ""), "an operand has one axis");
        assert!(covered("other", "0..3", 100, "abc"), "another instruction's operand");
        assert!(!covered("space", "0..3", 1, ""), "it touches the whole space");
    }

    #[test]
    fn one_of_several_grants_is_enough_and_all_levels_must_agree() {
        let get = instruction(&[("x", Type::I32), ("y", Type::I32)], vec![]);
        let limits = |x: &str, y: &str| [limit("x", x), limit("y", y)];
        let (left, right) = (limits("0..10", "0..10"), limits("20..30", "0..10"));
        let mut ranges = ranges(&get, &[&left, &right]);
        let covered = |ranges: &Ranges, x, y| ranges.cover(&get, &[x, y], |_| None);
        assert!(
            covered(&ranges, 5, 5) && covered(&ranges, 25, 5) && !covered(&ranges, 15, 5) && !covered(&ranges, 5, 15)
        );
        ranges.limit(&get, &set(&get), &[&[]]);
        assert!(!covered(&ranges, 15, 5), "a grant without limits adds none, and takes none away");
        ranges.limit(&get, &set(&get), &[&[limit("x", "5..25")]]);
        assert!(
            covered(&ranges, 5, 5) && !covered(&ranges, 4, 5) && covered(&ranges, 24, 5) && !covered(&ranges, 25, 5)
        );
        assert!(Ranges::default().is_empty() && !Ranges::default().limits(1) && ranges.limits(1) && !ranges.limits(2));
        ranges.limit(&get, &set(&get), &[&[limit("x", "0..1")], &[]]);
        assert!(covered(&ranges, 5, 5), "one of these grants has no limits");
    }

    #[test]
    fn an_instruction_that_is_another_in_the_declared_set_is_refused() {
        let read = instruction(&[("at", Type::I64)], vec![axis("at", Extent::One)]);
        let limits = [limit("space", "0..10")];
        let covered = |declared: &Instruction| {
            let mut ranges = Ranges::default();
            ranges.limit(&read, &set(declared), &[&limits]);
            ranges.cover(&read, &[5], |_| None)
        };
        assert!(covered(&read));
        assert!(!covered(&Instruction { opcode: 2, ..read.clone() }));
        assert!(!covered(&Instruction { name: "other".into(), ..read.clone() }));
        assert!(!covered(&instruction(&[("at", Type::I32)], vec![axis("at", Extent::One)])));
        assert!(!covered(&instruction(&[("at", Type::I64)], vec![axis("from", Extent::One)])), "no such operand");
        let other_name = instruction(&[("offset", Type::I64)], vec![]);
        let mut ranges = Ranges::default();
        ranges.limit(&other_name, &set(&read), &[&[limit("at", "0..10")]]);
        assert!(ranges.cover(&other_name, &[9], |_| None) && !ranges.cover(&other_name, &[10], |_| None));
    }

    #[test]
    fn what_is_known_is_enough_for_a_refusal_only_if_no_value_could_save_it() {
        let read = instruction(&[("at", Type::I64), ("n", Type::I32)], vec![axis("at", Extent::Count("n".into()))]);
        let limits = [limit("space", "0..10")];
        let ranges = ranges(&read, &[&limits]);
        let refused = |at: Option<i64>, n: Option<i64>| {
            let operand = |value: Option<i64>| value.map_or(Operand::Unknown, Operand::Integer);
            ranges.refusal(1, &[operand(at), operand(n)]).map(|outside| outside.what)
        };
        assert_eq!(refused(None, None), None);
        assert_eq!(refused(Some(10), None), None, "of zero points");
        let axis = |from, to| Some(Touched::Axis { axis: 0, from, to });
        assert_eq!(refused(Some(11), None), axis(Some(11), None));
        assert_eq!(refused(Some(-1), None), axis(Some(-1), None));
        assert_eq!(refused(None, Some(11)), axis(None, None));
        assert_eq!(refused(None, Some(10)), None);
        assert_eq!(refused(Some(5), Some(6)), axis(Some(5), Some(11)));
        assert_eq!(refused(Some(5), Some(5)), None);
        assert_eq!(ranges.refusal(2, &[]), None);
    }
}
