//! What the compiler makes of a module, for people to read: `ilc --emit clif` and `--emit asm`.

use alloc::string::String;
use core::fmt::Write;

use cranelift_codegen::control::ControlPlane;
use il::FuncId;
use il::verify::VerifiedModule;

use crate::compile::Compilation;
use crate::error::CompileError;
use crate::image::Symbol;
use crate::options::Options;

/// One function as CLIF, before optimisation. Positions `@0012` are byte offsets in the IL body.
///
/// # Errors
/// See [`CompileError`].
pub fn clif(module: &VerifiedModule, func: FuncId, options: &Options) -> Result<String, CompileError> {
    let mut compilation = Compilation::new(module, options)?;
    let text = compilation.build(Symbol::Func(func))?;
    let mut out = title(module, func);
    let _ = write!(out, "{text}");
    Ok(out)
}

/// One function as the code generator's own assembly, with a list of which IL line each range of its
/// code comes from.
///
/// # Errors
/// See [`CompileError`].
pub fn asm(module: &VerifiedModule, func: FuncId, options: &Options) -> Result<String, CompileError> {
    let symbol = Symbol::Func(func);
    let mut compilation = Compilation::new(module, options)?;
    compilation.build(symbol)?;
    let names = compilation.names();
    let (context, isa) = compilation.context();
    context.set_disasm(true);
    let compiled = context.compile(&**isa, &mut ControlPlane::default()).map_err(|error| error.inner);
    let mut out = title(module, func);
    match compiled {
        Ok(code) => {
            let mut text = String::from(code.vcode.as_deref().unwrap_or_default());
            for (reference, name) in names.iter().rev() {
                text = text.replace(reference, name);
            }
            out.push_str(&text);
            for line in code.buffer.get_srclocs_sorted().iter().filter(|line| !line.loc.is_default()) {
                let _ = write!(out, "; {:#06x}..{:#06x} body {:#06x}", line.start, line.end, line.loc.bits());
                match module.line_at(func, line.loc.bits()) {
                    Some(number) => writeln!(out, " line {number}"),
                    None => writeln!(out),
                }
                .unwrap_or_default();
            }
            Ok(out)
        }
        Err(error) => Err(compilation.backend_error(symbol, &error)),
    }
}

fn title(module: &VerifiedModule, func: FuncId) -> String {
    alloc::format!("; {} of {}\n", module.func_name(func), module.name)
}
