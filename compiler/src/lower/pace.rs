//! Where code looks at the interrupt word.
//!
//! Whatever could run for long without a look must take one, and nothing else needs to:
//!
//! - a loop looks where it repeats, but for a `for` of a constant number of turns whose whole work is small;
//! - a function looks on each path that calls, if it can be reached from itself or its calls add up to much. It looks
//!   before its first call, so that a call which ends a recursion costs nothing; at its entry where that call
//!   stands inside a construct. A call inside a `loop` has had that one's look.
//!
//! Work is counted in instructions, those of unlooking callees and turns included; what has no bound of its own counts as
//! [`MOST`]. So between two looks there are at most [`MOST`] times the length of a body.

use alloc::vec::Vec;

use il::instr::{Instr, Reader};
use il::op::Op;
use il::{Func, FuncId, Module};

/// What may be done without a look, in instructions.
const MOST: u64 = 1_000;
/// What encoding a device instruction counts as.
const SENDING: u64 = 100;

/// Where a function looks, besides its loops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Look {
    #[default]
    Never,
    AtEntry,
    /// Before the instruction at this offset.
    Before(u32),
}

/// One function's.
#[derive(Clone, Debug, Default)]
struct Function {
    look: Look,
    /// What a call of it adds to its caller's work.
    work: u64,
    /// `for`s, by offset, that need not look; ascending.
    short: Vec<u32>,
}

/// The whole module's.
#[derive(Default)]
pub(super) struct Pace {
    functions: Vec<Function>,
}

impl Pace {
    pub fn of(module: &Module) -> Pace {
        let mut walk = Walk::new(module);
        for start in 0..module.funcs.len() {
            walk.from(start);
        }
        Pace { functions: walk.functions }
    }

    pub fn look(&self, func: FuncId) -> Look {
        self.functions.get(func.index()).map_or(Look::AtEntry, |function| function.look)
    }

    /// Whether the `for` at an offset does little enough to go without looks.
    pub fn is_short(&self, func: FuncId, offset: u32) -> bool {
        self.functions.get(func.index()).is_some_and(|function| function.short.binary_search(&offset).is_ok())
    }
}

/// How far a function has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// Its callees are being read.
    Open,
    Read,
}

/// A walk over the calls of a module, callees first. It keeps its own stack: a hostile module's calls nest deep.
struct Walk<'m> {
    module: &'m Module,
    functions: Vec<Function>,
    stages: Vec<Stage>,
    /// By function: it closes a cycle of calls, or may be called by reference.
    looks: Vec<bool>,
    callees: Vec<Vec<FuncId>>,
}

impl<'m> Walk<'m> {
    fn new(module: &'m Module) -> Walk<'m> {
        let count = module.funcs.len();
        let mut walk = Walk {
            module,
            functions: alloc::vec![Function::default(); count],
            stages: alloc::vec![Stage::New; count],
            looks: alloc::vec![false; count],
            callees: Vec::new(),
        };
        let bodies = module.funcs.iter().map(|func| &func.body).chain(module.globals.iter().map(|global| &global.init));
        for body in bodies {
            let mut callees = Vec::new();
            let mut reader = Reader::new(body);
            while let Ok(Some(instr)) = reader.next() {
                match (call(instr), instr) {
                    (Some(Some(callee)), _) if callees.last() != Some(&callee) => callees.push(callee),
                    (_, Instr::FuncRef(func, _)) => walk.mark(func),
                    _ => {}
                }
            }
            walk.callees.push(callees);
        }
        walk
    }

    fn mark(&mut self, func: FuncId) {
        if let Some(looks) = self.looks.get_mut(func.index()) {
            *looks = true;
        }
    }

    /// Reads a function and all that it reaches.
    fn from(&mut self, start: usize) {
        let mut path = alloc::vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let (at, turn) = (*at, *next);
            *next += 1;
            if turn == 0 {
                if self.stages[at] != Stage::New {
                    path.pop();
                    continue;
                }
                self.stages[at] = Stage::Open;
            }
            match self.callees.get(at).and_then(|callees| callees.get(turn)).copied() {
                None => {
                    self.finish(at);
                    path.pop();
                }
                Some(callee) => match self.stages.get(callee.index()) {
                    Some(Stage::New) => path.push((callee.index(), 0)),
                    Some(Stage::Open) => self.mark(callee),
                    Some(Stage::Read) | None => {}
                },
            }
        }
    }

    /// All callees of a function are known, or look.
    fn finish(&mut self, at: usize) {
        self.stages[at] = Stage::Read;
        let Some(func) = self.module.funcs.get(at) else { return };
        let Reading { work, own, short, first_call } = self.read(func);
        let look = match first_call {
            None => Look::Never,
            Some(_) if !self.looks[at] && work <= MOST => Look::Never,
            Some(Place::Statement(offset)) if own <= MOST => Look::Before(offset),
            Some(_) => Look::AtEntry,
        };
        let work = if look == Look::Never { work } else { own };
        self.functions[at] = Function { look, work, short };
    }

    fn read(&self, func: &Func) -> Reading {
        let mut reading = Reading::default();
        let mut open: Vec<Construct> = Vec::new();
        let mut constants = [None; 2];
        // How many `loop`s are open: they look at their head.
        let mut loops = 0;
        let mut reader = Reader::new(&func.body);
        loop {
            let offset = reader.offset();
            let Ok(Some(instr)) = reader.next() else { return reading };
            let mut more = cost(instr);
            if let Some(callee) = call(instr) {
                more += callee.map_or(MOST, |callee| self.work_of(callee));
                if loops == 0 {
                    let place = if open.is_empty() { Place::Statement(offset) } else { Place::Inside };
                    reading.first_call.get_or_insert(place);
                }
            }
            reading.work = reading.work.saturating_add(more);
            reading.own += 1;
            match instr {
                Instr::For(_) => open.push(Construct::counted(offset, turns(constants), reading.work)),
                Instr::Loop => {
                    loops += 1;
                    open.push(Construct { looks: true, ..Construct::default() });
                }
                Instr::Block | Instr::While | Instr::If | Instr::IfAs(..) | Instr::Cond(_) | Instr::Switch => {
                    open.push(Construct::default());
                }
                Instr::End => {
                    if let Some(ended) = open.pop() {
                        loops -= usize::from(ended.looks);
                        ended.end(&mut reading);
                    }
                }
                _ => {}
            }
            constants = [constants[1], constant(instr)];
        }
    }

    fn work_of(&self, callee: FuncId) -> u64 {
        match self.stages.get(callee.index()) {
            Some(Stage::Read) => self.functions[callee.index()].work,
            // It closes a cycle: it looks.
            Some(Stage::Open | Stage::New) | None => MOST,
        }
    }
}

/// What a body says.
#[derive(Default)]
struct Reading {
    /// With what it calls.
    work: u64,
    /// Without.
    own: u64,
    short: Vec<u32>,
    /// The first call that stands in no `loop`.
    first_call: Option<Place>,
}

/// Where a call stands.
#[derive(Clone, Copy)]
enum Place {
    /// In no construct, so on every path that reaches what follows.
    Statement(u32),
    Inside,
}

/// An open construct.
#[derive(Default)]
struct Construct {
    /// It looks at its head.
    looks: bool,
    /// A `for` of a known number of turns: where it stands, how many, and the work before it.
    counted: Option<(u32, u64, u64)>,
}

impl Construct {
    fn counted(offset: u32, turns: Option<u64>, before: u64) -> Construct {
        Construct { looks: false, counted: turns.map(|turns| (offset, turns, before)) }
    }

    fn end(self, reading: &mut Reading) {
        let Some((offset, turns, before)) = self.counted else { return };
        let all = (reading.work - before).saturating_mul(turns);
        if all <= MOST {
            reading.work = before.saturating_add(all);
            let at = reading.short.partition_point(|known| *known < offset);
            reading.short.insert(at, offset);
        }
    }
}

/// The work of an instruction, without what it calls.
fn cost(instr: Instr<'_>) -> u64 {
    match instr {
        Instr::Op(op, _) if takes_long(op) => MOST,
        Instr::ArrayNew(_) | Instr::Freeze | Instr::MemoryInit(..) => MOST,
        Instr::ArrayOf(_, count) => 1 + u64::from(count),
        Instr::Send(..) | Instr::SendSet(..) | Instr::SendTo(..) | Instr::SendToSet(..) => SENDING,
        Instr::Emit(..) | Instr::EmitTo(..) | Instr::Forward(..) | Instr::ForwardTo(..) => SENDING,
        _ => 1,
    }
}

/// Whether an operator's work depends on its operands.
fn takes_long(op: Op) -> bool {
    let texts = matches!(op, Op::StrAt | Op::StrConcat | Op::StrSlice | Op::StrEq | Op::StrNe);
    let made = matches!(op, Op::StrFromI32 | Op::StrFromI64 | Op::StrFromF32 | Op::StrFromF64 | Op::StrFromBool);
    let bytes = matches!(op, Op::BufNew | Op::BufCopy | Op::BufAt | Op::BufWrite | Op::MemoryWrite);
    texts || made || bytes || matches!(op, Op::MemoryGrow | Op::MemoryFill | Op::MemoryCopy)
}

/// What an instruction calls: `Some(None)` if that is not known.
fn call(instr: Instr<'_>) -> Option<Option<FuncId>> {
    match instr {
        Instr::Call(func) | Instr::CallSet(func, _) | Instr::ReturnCall(func) => Some(Some(func)),
        Instr::CallRef(_) | Instr::CallRefSet(..) | Instr::ReturnCallRef(_) => Some(None),
        _ => None,
    }
}

fn constant(instr: Instr<'_>) -> Option<i64> {
    match instr {
        Instr::I32Const(value) => Some(i64::from(value)),
        Instr::I64Const(value) => Some(value),
        _ => None,
    }
}

/// How often a `for` between two constants turns.
fn turns([start, end]: [Option<i64>; 2]) -> Option<u64> {
    let (start, end) = (start?, end?);
    if end <= start { Some(0) } else { Some(end.abs_diff(start)) }
}
