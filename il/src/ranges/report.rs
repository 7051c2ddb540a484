//! Constant operands outside of what is granted: found in a module before it runs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{Operand, Outside, Ranges, Touched};
use crate::instr::{Instr, Reader};
use crate::isa::Instruction;
use crate::verify::constants::{self, Sent, Through};
use crate::{Module, ProgramId, UseId, VerifiedModule};

/// Most findings in one report.
pub const MAX_FINDINGS: usize = 16;

/// An instruction that can only be refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The function that holds it.
    pub func: String,
    /// Its source file, if the module says so.
    pub file: Option<String>,
    /// Its line, if the module says so.
    pub line: Option<u32>,
    /// The capability through which it is sent, by the name of its `use`.
    pub capability: String,
    /// The instruction, with its constant operands.
    pub instruction: String,
    /// What it touches.
    pub touches: String,
    /// The limit that is granted.
    pub granted: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, None) => {}
        }
        let Finding { func, capability, instruction, touches, granted, .. } = self;
        write!(f, "in `{func}`: {capability}.{instruction} {touches}, but granted is {granted}")
    }
}

/// Instructions of a module whose constant operands lie outside of what `granted` says of its capabilities; at most
/// [`MAX_FINDINGS`]. A program's are compared with every capability by which the module runs it.
pub fn report<'r>(module: &VerifiedModule, granted: impl Fn(UseId) -> Option<&'r Ranges>) -> Vec<Finding> {
    let limited = (0..module.uses.len()).filter_map(|at| granted(UseId(at as u32)));
    if limited.into_iter().all(Ranges::is_empty) {
        return Vec::new();
    }
    let runs = runs(module);
    let mut findings = Vec::new();
    constants::sent(module, |sent| {
        let mut compare = |cap: UseId| {
            let outside = granted(cap).and_then(|ranges| ranges.refusal(sent.opcode, sent.operands));
            if let Some(outside) = outside
                && findings.len() < MAX_FINDINGS
            {
                findings.extend(finding(module, cap, &sent, &outside));
            }
        };
        match sent.through {
            Through::Use(cap) => compare(cap),
            Through::Own(program) => runs.iter().filter(|(_, run)| *run == program).for_each(|(cap, _)| compare(*cap)),
            // What right a value carries is known when it runs.
            Through::Value(_) => {}
        }
    });
    findings
}

/// Which programs the module runs, and through which capabilities.
fn runs(module: &Module) -> Vec<(UseId, ProgramId)> {
    let mut runs = Vec::new();
    for func in &module.funcs {
        let mut reader = Reader::new(&func.body);
        while let Ok(Some(instr)) = reader.next() {
            if let Instr::RunSet(cap, program, _) | Instr::RunTrySet(cap, program, _) | Instr::RunSend(cap, program) =
                instr
                && !runs.contains(&(cap, program))
            {
                runs.push((cap, program));
            }
        }
    }
    runs
}

fn finding(module: &Module, cap: UseId, sent: &Sent<'_>, outside: &Outside<'_>) -> Option<Finding> {
    let wanted = module.uses.get(cap.index())?;
    let instruction = constants::set_of(module, sent.through)?.instruction(sent.opcode)?;
    Some(Finding {
        func: module.func_name(sent.func),
        file: module.file_of(sent.func).map(ToString::to_string),
        line: module.line_at(sent.func, sent.offset),
        capability: wanted.name.clone(),
        instruction: shown(instruction, sent.operands),
        touches: outside.to_string(),
        granted: outside.limit.to_string(),
    })
}

/// The instruction as a call, `_` for what is not constant.
fn shown(instruction: &Instruction, operands: &[Operand<'_>]) -> String {
    let operand = |operand: &Operand<'_>| match operand {
        Operand::Integer(value) => value.to_string(),
        Operand::Text(_) => "\"..\"".to_string(),
        Operand::Bytes(_) | Operand::Unknown => "_".to_string(),
    };
    let operands: Vec<String> = operands.iter().map(operand).collect();
    alloc::format!("{}({})", instruction.name, operands.join(", "))
}

impl fmt::Display for Outside<'_> {
    /// What it touches, as the part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.limit.name;
        match self.what {
            Touched::Whole => write!(f, "touches all of `{name}`"),
            Touched::Axis { axis, from, to } => {
                let axes = ["x", "y", "z"];
                let of = match axes.get(axis).filter(|_| self.limit.bounds.len() > 1) {
                    Some(axis) => alloc::format!("`{name}` {axis}"),
                    None => alloc::format!("`{name}`"),
                };
                match (from, to) {
                    (Some(from), Some(to)) if to == from + 1 => write!(f, "touches {of} {from}"),
                    (Some(from), Some(to)) => write!(f, "touches {of} {from}..{to}"),
                    (Some(from), None) => write!(f, "touches {of} from {from}"),
                    _ => write!(f, "touches more of {of}"),
                }
            }
        }
    }
}
