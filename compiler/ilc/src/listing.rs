//! `--emit clif` and `--emit asm`: what the compiler makes of a module, each source line above its code.

use std::fmt::Write;

use compiler::{Compiled, Options, Symbol};
use iced_x86::{Decoder, DecoderOptions, Formatter, FormatterOutput, FormatterTextKind, Instruction, Mnemonic};
use iced_x86::{NasmFormatter, OpKind};
use il::{FuncId, VerifiedModule};

/// Where source lines come from.
pub struct Source<'a> {
    /// The module.
    pub module: &'a VerifiedModule,
    /// The text of the compiled file, if it is at hand.
    pub text: Option<&'a str>,
}

impl Source<'_> {
    /// `file:line  the line`, of a place in a body.
    fn line(&self, func: FuncId, body_offset: u32) -> Option<String> {
        let number = self.module.line_at(func, body_offset)?;
        let file = self.module.file_of(func).unwrap_or("?");
        // Only the compiled file's own text is at hand, not that of imported modules.
        let own = self.module.names.as_ref().and_then(|names| names.files.first()).is_some_and(|own| own == file);
        let text = self.text.filter(|_| own).and_then(|text| text.lines().nth(number as usize - 1));
        Some(format!("{file}:{number}  {}", text.unwrap_or_default().trim()).trim_end().to_string())
    }

    fn title(&self, func: FuncId) -> String {
        format!("; {} of {}\n", self.module.func_name(func), self.module.name)
    }
}

/// Every function as CLIF, before optimisation. Positions such as `@0012` are byte offsets in the IL body.
///
/// # Errors
/// See [`compiler::CompileError`].
pub fn clif(source: &Source<'_>, options: &Options) -> Result<String, compiler::CompileError> {
    let mut out = String::new();
    for func in functions(source.module) {
        out.push_str(&source.title(func));
        let text = compiler::clif(source.module, func, options)?;
        let mut shown = None;
        for line in text.lines() {
            let place = line.strip_prefix('@').and_then(|rest| u32::from_str_radix(rest.get(..4)?.trim(), 16).ok());
            let now = place.and_then(|place| source.line(func, place));
            if now.is_some() && now != shown {
                let _ = writeln!(out, "; {}", now.as_deref().unwrap_or_default());
                shown = now;
            }
            let _ = writeln!(out, "{line}");
        }
        out.push('\n');
    }
    Ok(out)
}

fn functions(module: &VerifiedModule) -> impl Iterator<Item = FuncId> {
    (0..module.funcs.len() as u32).map(FuncId)
}

/// Every function as machine code, in Intel's syntax.
///
/// # Errors
/// See [`compiler::CompileError`].
pub fn asm(source: &Source<'_>, options: &Options) -> Result<String, compiler::CompileError> {
    let compiled = compiler::compile(source.module, options)?;
    let mut out = String::new();
    for section in &compiled.sections {
        if let Symbol::Func(func) = section.symbol {
            out.push_str(&source.title(func));
            Function { source, compiled: &compiled, func, range: section.range.clone() }.list(&mut out);
            out.push('\n');
        }
    }
    Ok(out)
}

struct Function<'a> {
    source: &'a Source<'a>,
    compiled: &'a Compiled,
    func: FuncId,
    range: std::ops::Range<u32>,
}

impl Function<'_> {
    fn instructions(&self) -> Vec<Instruction> {
        let code = self.compiled.code.get(self.range.start as usize..self.range.end as usize).unwrap_or_default();
        Decoder::with_ip(64, code, u64::from(self.range.start), DecoderOptions::NONE).into_iter().collect()
    }

    /// Offsets that are jumped to, ascending.
    fn labels(&self, instructions: &[Instruction]) -> Vec<u64> {
        let inside = |target: &u64| (u64::from(self.range.start)..u64::from(self.range.end)).contains(target);
        let jump = |one: &&Instruction| one.op0_kind() == OpKind::NearBranch64 && one.mnemonic() != Mnemonic::Call;
        let jumps = instructions.iter().filter(jump);
        let mut labels: Vec<u64> = jumps.map(Instruction::near_branch_target).filter(inside).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    fn list(&self, out: &mut String) {
        let instructions = self.instructions();
        let labels = self.labels(&instructions);
        let mut formatter = NasmFormatter::new();
        let mut shown = None;
        for one in &instructions {
            let at = one.ip() as u32;
            if let Ok(label) = labels.binary_search(&one.ip()) {
                let _ = writeln!(out, ".{label}:");
            }
            let place = self.compiled.locate(at);
            let now = place.and_then(|place| self.source.line(self.func, place.body_offset));
            if now.is_some() && now != shown {
                let _ = writeln!(out, "; {}", now.as_deref().unwrap_or_default());
                shown = now;
            }
            let mut text = Text(String::new());
            formatter.format(one, &mut text);
            let _ = write!(out, "  {}", self.named(one, &labels).unwrap_or(text.0));
            if let Some(kind) = self.compiled.trap_at(at) {
                let _ = write!(out, "    ; traps: {kind}");
            }
            out.push('\n');
        }
    }

    /// Calls by the callee's name, jumps by their label.
    fn named(&self, one: &Instruction, labels: &[u64]) -> Option<String> {
        let mnemonic = format!("{:?}", one.mnemonic()).to_lowercase();
        let fields = u64::from(one.ip() as u32)..one.next_ip();
        let relocation = self.compiled.relocations.iter().find(|found| fields.contains(&u64::from(found.at)));
        if let Some(relocation) = relocation {
            let target = match relocation.target {
                Symbol::Func(id) => self.source.module.func_name(id),
                other => format!("{other:?}"),
            };
            return (one.op0_kind() == OpKind::NearBranch64).then(|| format!("{mnemonic} {target}"));
        }
        if one.op0_kind() != OpKind::NearBranch64 {
            return None;
        }
        let label = labels.binary_search(&one.near_branch_target()).ok()?;
        Some(format!("{mnemonic} .{label}"))
    }
}

struct Text(String);

impl FormatterOutput for Text {
    fn write(&mut self, text: &str, _: FormatterTextKind) {
        self.0.push_str(text);
    }
}
