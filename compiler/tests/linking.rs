//! Placing code: the linker against cranelift-jit's, addresses back to IL, and damaged input.

mod support;

use std::collections::HashMap;

use compiler::{Compilation, Cpu, LinkError, Options, Symbol, compile};
use cranelift_codegen::ir::UserExternalName;
use cranelift_codegen::isa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use il::{FuncId, VerifiedModule};
use support::{End, Vm, options, text};

const SOURCE: &str = r#"module linked
isa test.log@1 { 1 note(text: str, n: i32) }
use log: test.log@1
func even(n: i32) -> bool { if n == 0 { return true } return odd(n - 1) }
func odd(n: i32) -> bool { if n == 0 { return false } return even(n - 1) }
func label(n: i32) -> str { if even(n) { return concat("even ", str(n)) } return concat("odd ", str(n)) }
export func run(n: i32) -> f64 {
  var sum = 0.0
  for i in 0..n {
    log.note(label(i), i)
    match i { 0 => { sum = sum + 0.1 } 1 => { sum = sum * 3.5 } 2 => { sum = sum - 1000000000.5 } 3 => { sum = floor(sum) } _ => { sum = sum / 7.0 } }
  }
  return sum
}
"#;

/// The processor that the oracle is set up for.
fn baseline() -> Options {
    Options { cpu: Cpu::BASELINE, ..options() }
}

/// Has cranelift-jit compile and link the same CLIF; returns the entries' addresses.
fn oracle(module: &VerifiedModule, symbols: &[Symbol]) -> (JITModule, HashMap<FuncId, u64>) {
    let mut flags = settings::builder();
    for (name, value) in [("opt_level", "speed"), ("is_pic", "false"), ("preserve_frame_pointers", "true")] {
        flags.set(name, value).unwrap();
    }
    flags.set("enable_multi_ret_implicit_sret", "true").unwrap();
    let target = isa::lookup_by_name("x86_64-unknown-none-elf").unwrap().finish(Flags::new(flags)).unwrap();
    let mut jit = JITModule::new(JITBuilder::with_isa(target, default_libcall_names()));
    let mut compilation = Compilation::new(module, &baseline()).unwrap();
    let functions: Vec<_> = symbols.iter().map(|symbol| (*symbol, compilation.clif(*symbol).unwrap())).collect();
    let ids: HashMap<Symbol, _> = functions
        .iter()
        .map(|(symbol, f)| {
            (*symbol, jit.declare_function(&format!("{symbol:?}"), Linkage::Local, &f.signature).unwrap())
        })
        .collect();
    for (symbol, function) in functions {
        let mut context = jit.make_context();
        context.func = function;
        let names: Vec<_> =
            context.func.params.user_named_funcs().iter().map(|(at, name)| (at, name.clone())).collect();
        for (at, name) in names {
            let callee = ids[&Symbol::from_name(&name).unwrap()];
            context.func.params.reset_user_func_name(at, UserExternalName::new(0, callee.as_u32()));
        }
        jit.define_function(ids[&symbol], &mut context).unwrap();
    }
    jit.finalize_definitions().unwrap();
    let entries = ids.iter().filter_map(|(symbol, id)| match symbol {
        Symbol::Entry(func) => Some((*func, jit.get_finalized_function(*id) as u64)),
        Symbol::Func(_) | Symbol::Init(_) | Symbol::InitEntry | Symbol::Stub(_) | Symbol::Helper(_) => None,
    });
    let entries = entries.collect();
    (jit, entries)
}

#[test]
fn the_linker_agrees_with_cranelift_jit() {
    let run = |vm: &mut Vm| {
        vm.packet_words = 20;
        vm.interrupt();
        let end = vm.run("run", &[12]);
        (end, vm.value(0), vm.sent.clone(), vm.yields)
    };
    let mut ours = Vm::with(text(SOURCE), &baseline());
    let expected = run(&mut ours);
    assert_eq!((&expected.0, expected.3), (&End::Done, 1));

    let mut theirs = Vm::with(text(SOURCE), &baseline());
    let symbols: Vec<Symbol> = theirs.compiled.sections.iter().map(|section| section.symbol).collect();
    let (jit, entries) = oracle(&theirs.module, &symbols);
    assert_eq!(entries.len(), 1);
    theirs.entries = entries;
    assert_eq!(run(&mut theirs), expected);
    // SAFETY: nothing runs in it any more.
    unsafe { jit.free_memory() };
}

#[test]
fn the_same_module_gives_the_same_bytes_anywhere() {
    let module = il::verify(text(SOURCE)).unwrap();
    let (first, second) = (compile(&module, &options()).unwrap(), compile(&module, &options()).unwrap());
    assert_eq!(first, second);
    let (mut low, mut high) = (vec![0; first.code.len()], vec![0; first.code.len() + 100]);
    first.link_into(&mut low, 0x1000).unwrap();
    first.link_into(&mut high, 0xffff_ffff_8000_0000).unwrap();
    assert_eq!(low[..], high[..low.len()], "all references are relative");
    assert_ne!(low, first.code, "there are references");
}

#[test]
fn what_cannot_be_placed_is_refused() {
    let module = il::verify(text(SOURCE)).unwrap();
    let mut compiled = compile(&module, &options()).unwrap();
    let needed = compiled.code.len();
    let error = compiled.link_into(&mut vec![0; needed - 1], 0).unwrap_err();
    assert_eq!(error, LinkError::TooSmall { needed, given: needed - 1 });
    compiled.relocations[0].at = needed as u32 - 3;
    assert!(matches!(compiled.link_into(&mut vec![0; needed], 0), Err(LinkError::Relocation { .. })));
    compiled.relocations[0].at = u32::MAX;
    assert!(matches!(compiled.link_into(&mut vec![0; needed], u64::MAX - 5), Err(LinkError::Relocation { .. })));
}

#[test]
fn code_offsets_lead_back_to_lines() {
    let module = il::verify(text(SOURCE)).unwrap();
    let compiled = compile(&module, &options()).unwrap();
    let sections = &compiled.sections;
    assert!(
        sections.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start && pair[0].symbol < pair[1].symbol)
    );
    let mut lines = std::collections::BTreeSet::new();
    for offset in 0..compiled.code.len() as u32 {
        if let Some(at) = compiled.locate(offset) {
            assert!((at.body_offset as usize) < module.funcs[at.func.index()].body.len());
            lines.insert(module.line_at(at.func, at.body_offset).unwrap());
        }
    }
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), [4, 5, 6, 8, 9, 10, 11, 13]);
    let entry = compiled.entry(module.export("run").unwrap()).unwrap();
    assert_eq!(compiled.locate(entry), None, "entries are not IL");
    assert_eq!(compiled.locate(u32::MAX), None);
    assert_eq!(compiled.trap_at(u32::MAX), None);
}

#[test]
fn listings_name_what_they_call() {
    let module = il::verify(text(SOURCE)).unwrap();
    let asm = compiler::asm(&module, FuncId(2), &options()).unwrap();
    assert!(asm.starts_with("; label of linked\n"), "{asm}");
    assert!(asm.contains("call    even"), "{asm}");
    assert!(asm.contains("line 6"), "{asm}");
    assert!(compiler::clif(&module, FuncId(99), &options()).is_err());
}
