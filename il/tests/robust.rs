//! Hostile input in bulk: decoder, verifier and front end neither panic, nor hang, nor take memory out of proportion.
//!
//! Without more it is a short run. `CASCADE_HOSTILE=1000000` sets the number of inputs (the whole run of
//! `cargo xtask test`, in release), `CASCADE_SEED` the seed that a failure names.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use common::hostile::{self, Random};
use common::{code, func};
use il::instr::Instr;
use il::{LocalId, Module, Type, limits};

/// Counts what each thread has allocated, and gives a thread that takes far too much no more.
struct Counting;

/// No input is worth so much; a thread that wants more is stopped before the machine is.
const MOST_BYTES: usize = 1 << 30;

std::thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

impl Counting {
    /// Notes an allocation; whether it may be made.
    fn grow(bytes: usize) -> bool {
        let now = NOW.get().saturating_add(bytes);
        if now > MOST_BYTES {
            return false;
        }
        NOW.set(now);
        PEAK.set(PEAK.get().max(now));
        true
    }

    fn shrink(bytes: usize) {
        // What another thread allocated may be freed here.
        NOW.set(NOW.get().saturating_sub(bytes));
    }
}

// SAFETY: every request goes to the system's allocator unchanged, or is answered with null.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Counting::grow(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Counting::shrink(layout.size());
        // SAFETY: the caller's promises are passed on; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What any module may take, however short: structs repeat the fields that they inherit, up to a limit over all of them.
const MODULE_BYTES: usize = (1 << 20) + il::limits::ALL_FIELDS * 2 * size_of::<il::PlacedField>();

/// How long one input may take. The longest are a few milliseconds; the machine may be busy.
const MOST_TIME: Duration = Duration::from_secs(10);

/// The greatest of what was seen, and how many inputs were taken for good.
#[derive(Default, Debug)]
struct Seen {
    inputs: usize,
    accepted: usize,
    bytes_an_input_byte: usize,
    longest: Duration,
}

/// Runs one input; fails if it panics, or takes more than `fixed` bytes and `factor` for each of its own.
fn run(seen: &mut Seen, what: &str, length: usize, (fixed, factor): (usize, usize), act: impl FnOnce() -> bool) {
    let before = NOW.get();
    PEAK.set(before);
    let start = Instant::now();
    let accepted = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| panic!("panicked on {what}"));
    let (took, peak) = (start.elapsed(), PEAK.get() - before);
    assert!(took < MOST_TIME, "{took:?} for {length} bytes: {what}");
    assert!(peak <= fixed + factor * length, "{peak} bytes of memory for {length} bytes: {what}");
    seen.inputs += 1;
    seen.accepted += usize::from(accepted);
    seen.bytes_an_input_byte = seen.bytes_an_input_byte.max(peak.saturating_sub(fixed) / length.max(1));
    seen.longest = seen.longest.max(took);
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many inputs of a kind, in the parts that the kinds have of the whole.
fn inputs(percent: usize) -> usize {
    number("CASCADE_HOSTILE").unwrap_or(20_000) * percent / 100
}

fn first_seed(kind: u64) -> u64 {
    number("CASCADE_SEED").map_or(0x9e37_79b9_7f4a_7c15 ^ kind << 40, |seed| seed as u64)
}

fn valid_modules() -> Vec<Module> {
    let cases = common::corpus::all().cases.into_iter();
    let valid = cases.filter(|case| matches!(case.verdict, common::corpus::Verdict::Accept));
    let compiled = texts().into_iter().filter_map(|text| il::text::compile("seed.il", &text, isa::ALL).ok());
    let all = valid.map(|case| case.module).chain(compiled).chain([common::service()]);
    // Short ones, of which every change matters.
    all.filter(|module| il::binary::encode(module).len() < 4000).collect()
}

fn texts() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/");
    let mut all = Vec::new();
    for folder in ["../samples", "../samples/vms", "tests/text", "tests/diagnostics", "std"] {
        let Ok(entries) = std::fs::read_dir(format!("{root}{folder}")) else { continue };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let sources = paths.into_iter().filter(|path| path.extension().is_some_and(|end| end == "il"));
        all.extend(sources.filter_map(|path| std::fs::read_to_string(path).ok()));
    }
    assert!(all.len() > 10, "the texts are there");
    all
}

#[test]
fn bytes_are_a_module_or_an_error() {
    let seeds: Vec<Vec<u8>> = valid_modules().iter().map(il::binary::encode).collect();
    let mut seen = Seen::default();
    for turn in 0..inputs(40) {
        let seed = first_seed(1).wrapping_add(turn as u64 * 0x1_0001);
        let mut random = Random(seed | 1);
        let from = random.below(seeds.len());
        let bytes = hostile::changed_bytes(&mut random, &seeds[from]);
        let what = format!("bytes of seed {seed}");
        run(&mut seen, &what, bytes.len(), (MODULE_BYTES, 100), || hostile::bytes(&bytes).is_some_and(hostile::module));
    }
    println!("{seen:?}");
    assert!(seen.accepted * 100 > seen.inputs, "some are still valid: {seen:?}");
}

#[test]
fn modules_are_valid_or_refused() {
    let seeds = valid_modules();
    let bodies = seeds.iter().flat_map(|module| &module.funcs).flat_map(|func| hostile::instructions(&func.body));
    let mut pool: Vec<Vec<u8>> = bodies.map(<[u8]>::to_vec).collect();
    pool.sort();
    pool.dedup();
    let mut seen = Seen::default();
    for turn in 0..inputs(40) {
        let seed = first_seed(2).wrapping_add(turn as u64 * 0x1_0001);
        let mut random = Random(seed | 1);
        let mut module = random.of(&seeds).clone();
        hostile::change_module(&mut random, &mut module, &pool);
        let bytes = il::binary::encode(&module);
        let what = format!("a module of seed {seed}");
        run(&mut seen, &what, bytes.len(), (MODULE_BYTES, 100), || {
            let decoded = hostile::bytes(&bytes);
            let valid = hostile::module(module.clone());
            // Only a module past a limit has bytes that are refused.
            assert!(decoded.is_some_and(|decoded| decoded == module) || !valid, "what is encoded is decoded");
            valid
        });
    }
    println!("{seen:?}");
    assert!(seen.accepted * 100 > seen.inputs, "some are still valid: {seen:?}");
}

#[test]
fn texts_compile_or_are_refused() {
    let texts = texts();
    let seeds: Vec<Vec<&str>> = texts.iter().map(|text| hostile::tokens(text)).collect();
    let mut pool: Vec<&str> = seeds.iter().flatten().copied().collect();
    pool.sort_unstable();
    pool.dedup();
    let mut seen = Seen::default();
    for turn in 0..inputs(20) {
        let seed = first_seed(3).wrapping_add(turn as u64 * 0x1_0001);
        let mut random = Random(seed | 1);
        let from = random.below(seeds.len());
        let text = hostile::changed_text(&mut random, &seeds[from], &pool);
        let what = format!("text of seed {seed}");
        run(&mut seen, &what, text.len(), (4 << 20, 1000), || hostile::text(&text, isa::ALL));
    }
    println!("{seen:?}");
    assert!(seen.accepted * 200 > seen.inputs, "some still compile: {seen:?}");
}

/// How long the verifier may take for a body as large as they may be, whatever it does in it.
const MOST_A_BODY: Duration = Duration::from_secs(20);

/// Bodies that make the verifier keep and join states of as many locals as there may be, as often as the limits allow.
#[test]
fn states_of_many_locals_are_cheap() {
    let yes_if = || code().yes().put(Instr::If);
    let piece = |name: &str, before: common::Code, part: common::Code, after: common::Code| {
        let (mut body, part, after) = (before.bytes(), part.bytes(), after.bytes());
        // Unoptimised code is left the sixteenth part.
        let bytes = limits::BODY_BYTES / if cfg!(debug_assertions) { 16 } else { 1 };
        let count = (bytes - body.len() - after.len()) / part.len();
        (0..count).for_each(|_| body.extend(&part));
        body.extend(after);
        let one = il::Func { body, ..func(&[], &[], &vec![Type::I32; limits::LOCALS], code()) };
        let started = Instant::now();
        il::verify(Module { funcs: vec![one], ..Module::default() }).unwrap_or_else(|error| panic!("{name}: {error}"));
        let took = started.elapsed();
        println!("{name}: {count} constructs, {took:?}");
        assert!(took < MOST_A_BODY, "{name}: {count} constructs take {took:?}");
    };
    piece("block", code(), code().put(Instr::Block).end(), code());
    piece("if", code(), yes_if().end(), code());
    piece("if that assigns", code(), yes_if().i32(0).set(9).end(), code());
    piece("if else", code(), yes_if().put(Instr::Else).end(), code());
    piece("loop", code(), code().put(Instr::Loop).put(Instr::Break(0)).end(), code());
    piece("while", code(), code().put(Instr::While).yes().put(Instr::Test).end(), code());
    piece("for", code(), code().i32(0).i32(0).put(Instr::For(LocalId(3))).end(), code());
    let cond = code().put(Instr::Cond(Type::Bool)).yes().put(Instr::Test).yes().put(Instr::Else).yes().end();
    piece("cond", code(), cond.discard(), code());
    piece("break", code().put(Instr::Block), yes_if().put(Instr::Break(0)).end(), code().end());
    piece("continue", code().put(Instr::Loop), yes_if().put(Instr::Continue(0)).end(), code().end());
    let nested = (0..limits::NESTING - 1).fold(code(), |code, _| code.put(Instr::Loop));
    let closed = (0..limits::NESTING - 1).fold(code(), |code, _| code.end());
    let far = Instr::Break(limits::NESTING as u32 - 2);
    piece("break from deep inside", nested, yes_if().put(far).end(), closed);
}
