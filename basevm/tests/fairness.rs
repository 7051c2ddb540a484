//! Who runs when, and whose request is executed next: the rules of turns, in order alone. Nothing here looks at the time:
//! slices end only when a test says so.
#![allow(missing_docs)]

mod common;

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use basevm::engine::Program;
use basevm::platform::{Access, Idle, IdleAnswer, Nanos, OutOfMemory, Panicked, Platform, Region};
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service};
use basevm::system::{EndReason, Grants, Priority, System, SystemOptions, VmOptions};
use common::TestPlatform;
use common::lab::program;
use il::Type;
use il::isa::InstructionSet;
use il::packet::{Reader, Value};

/// A platform whose slices end by its own word, which nobody else sets.
struct Still {
    os: &'static TestPlatform,
    word: &'static AtomicU32,
}

impl Still {
    fn new() -> &'static Still {
        let os = TestPlatform::new(true);
        Box::leak(Box::new(Still { os, word: Box::leak(Box::new(AtomicU32::new(0))) }))
    }
}

impl Platform for Still {
    fn now(&self) -> Nanos {
        self.os.now()
    }
    fn wall(&self) -> Nanos {
        self.os.wall()
    }
    fn reserve(&self, bytes: usize) -> Result<Region, OutOfMemory> {
        self.os.reserve(bytes)
    }
    fn protect(&self, region: &Region, range: Range<usize>, access: Access) -> Result<(), OutOfMemory> {
        self.os.protect(region, range, access)
    }
    fn release(&self, region: Region) {
        self.os.release(region);
    }
    fn idle(&self, idle: Idle) -> IdleAnswer {
        self.os.idle(idle)
    }
    fn waker(&self) -> fn() {
        self.os.waker()
    }
    fn interrupt_word(&self) -> &'static AtomicU32 {
        self.os.interrupt_word();
        self.word
    }
    fn guarded(&self, turn: &mut dyn FnMut()) -> Result<(), Panicked> {
        self.os.guarded(turn)
    }
    fn log(&self, line: fmt::Arguments<'_>) {
        self.os.log(line);
    }
}

const DESK: &str = "isa test.desk@1 { 1 put(value: i32) 2 ask(value: i32) -> () }\nuse desk: test.desk@1\n";
const ECHO: &str = "isa test.echo@1 { 1 work(value: i32) 2 ping(value: i32) -> () }\n";

/// Notes each number that it is sent, and ends a slice at each multiple of `slice`.
struct Desk {
    set: &'static InstructionSet,
    seen: Arc<Mutex<Vec<i32>>>,
    word: &'static AtomicU32,
    slice: usize,
}

impl Service for Desk {
    fn hello(&self) -> Hello {
        Hello { name: "desk".into(), provides: self.set }
    }
    fn execute(&mut self, _: &mut dyn Host, request: Request<'_>) -> Outcome {
        let Ok(Value::I32(value)) = Reader::new(request.words).next(Type::I32) else { unreachable!() };
        let mut seen = self.seen.lock().unwrap();
        seen.push(value);
        if seen.len().is_multiple_of(self.slice) {
            self.word.store(basevm::platform::INTERRUPT, Ordering::Relaxed);
        }
        Outcome::Done(Reply::none())
    }
}

struct Rig {
    platform: &'static Still,
    system: System,
    seen: Arc<Mutex<Vec<i32>>>,
}

impl Rig {
    /// With a desk that ends a slice at each multiple of `slice` instructions.
    fn new(slice: usize) -> Rig {
        let platform = Still::new();
        let options = SystemOptions { virtual_clock: true, timeout: Some(60_000_000_000), verbose: false };
        let mut system = System::new(platform, options);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let used = format!("{DESK}export func main() {{ desk.put(1) desk.ask(1) }}");
        let set = il::text::compile("desk.il", &used, &[]).unwrap().isas[0].clone();
        let desk = Desk { set: Box::leak(Box::new(set)), seen: seen.clone(), word: platform.word, slice };
        system.add_service(Box::new(desk), VmOptions::named("desk", Grants::none())).unwrap();
        Rig { platform, system, seen }
    }

    fn program(&self, source: &str) -> Arc<Program> {
        program(self.platform.os, &source.replace("DESK", DESK).replace("ECHO", ECHO))
    }

    fn add(&mut self, name: &str, priority: Priority, is_main: bool, source: &str) {
        let program = self.program(source);
        let options = VmOptions { priority, is_main, ..VmOptions::named(name, Grants::all()) };
        self.system.add_program(program, options).unwrap();
    }

    #[track_caller]
    fn run(&mut self, reason: EndReason) -> Vec<i32> {
        let ended = self.system.run();
        assert_eq!(ended.reason, reason, "{}", self.platform.os.text());
        self.seen.lock().unwrap().clone()
    }
}

/// A program that notes a number as long as it may run, and so fills its slices.
fn hog(number: i32) -> String {
    format!("module hog{number} DESK export func main() {{ loop {{ desk.ask({number}) }} }}")
}

/// How often each number stands there, up to the last of `until`.
fn shares(seen: &[i32], numbers: [i32; 3]) -> [usize; 3] {
    numbers.map(|number| seen.iter().filter(|other| **other == number).count())
}

#[test]
fn slices_go_round_and_a_wild_loop_has_one_at_a_time() {
    const SLICE: usize = 10;
    let mut rig = Rig::new(SLICE);
    rig.add("wild", Priority::Normal, false, &hog(1));
    rig.add("other", Priority::Normal, false, &hog(2));
    // Its end is the run's.
    let main = "module main DESK export func main() { for i in 0..200 { desk.ask(3) } }";
    rig.add("main", Priority::Normal, true, main);
    let seen = rig.run(EndReason::Returned);
    for slices in seen.chunks(SLICE).take(60) {
        assert!(slices.iter().all(|number| *number == slices[0]), "a slice is one VM's: {slices:?}");
    }
    let turns: Vec<i32> = seen.chunks(SLICE).map(|slice| slice[0]).collect();
    for round in turns[..57].windows(3) {
        let mut round = round.to_vec();
        round.sort_unstable();
        assert_eq!(round, [1, 2, 3], "each once in every three: {turns:?}");
    }
}

#[test]
fn priorities_share_by_weight_and_none_starves() {
    const SLICE: usize = 5;
    let mut rig = Rig::new(SLICE);
    rig.add("low", Priority::Low, false, &hog(1));
    rig.add("normal", Priority::Normal, false, &hog(2));
    let main = "module main DESK export func main() { for i in 0..800 { desk.ask(3) } }";
    rig.add("high", Priority::High, true, main);
    let seen = rig.run(EndReason::Returned);
    let turns: Vec<i32> = seen.chunks(SLICE).map(|slice| slice[0]).collect();
    // Past the start, where not all could run yet.
    for seven in turns[7..140].chunks_exact(7) {
        assert_eq!(shares(seven, [3, 2, 1]), [4, 2, 1], "{turns:?}");
    }
}

/// What stands between two pings of the victim while the flooder's work never ends.
#[track_caller]
fn between_pings(seen: &[i32], pings: usize) {
    let first = seen.iter().position(|number| *number == 2).expect("a ping");
    let gaps = seen[first..].split(|number| *number == 2).map(<[i32]>::len);
    let gaps: Vec<usize> = gaps.skip(1).take(pings - 1).collect();
    assert_eq!(gaps.len(), pings - 1);
    assert!(gaps.iter().all(|gap| *gap <= 1), "one of the flooder's at most: {gaps:?}");
    assert!(gaps.contains(&1), "the flood went on");
}

#[test]
fn a_flood_delays_a_call_to_a_vm_in_il_by_one_instruction() {
    let mut rig = Rig::new(usize::MAX);
    rig.add(
        "server",
        Priority::Normal,
        false,
        "module server DESK ECHO provides test.echo@1 {
           op work(value: i32) { desk.put(value) }
           op ping(value: i32) -> () { desk.put(value) }
         }",
    );
    let flooder = "module flooder ECHO use server: test.echo@1 export func main() { loop { server.work(1) } }";
    rig.add("flooder", Priority::Normal, false, flooder);
    let victim = "module victim ECHO use server: test.echo@1 export func main() { for i in 0..100 { server.ping(2) } }";
    rig.add("victim", Priority::Normal, true, victim);
    let seen = rig.run(EndReason::Returned);
    between_pings(&seen, 100);
}

#[test]
fn a_flood_delays_a_call_to_a_vm_in_rust_by_one_instruction() {
    // The slice ends in the middle of the flooder's packet: what is left of it waits at the desk.
    let mut rig = Rig::new(400);
    let flooder = "module flooder DESK export func main() { loop { desk.put(1) } }";
    rig.add("flooder", Priority::Normal, false, flooder);
    let victim = "module victim DESK export func main() { for i in 0..50 { desk.ask(2) } }";
    rig.add("victim", Priority::Normal, true, victim);
    let seen = rig.run(EndReason::Returned);
    assert!(seen[..400].iter().all(|number| *number == 1), "the flooder's slice");
    between_pings(&seen, 50);
}

#[test]
fn what_waits_in_a_flood_is_the_flooders_to_pay_for() {
    let mut rig = Rig::new(100);
    let flooder = rig.program("module flooder DESK export func main() { loop { desk.put(1) } }");
    let flooder = rig.system.add_program(flooder, VmOptions::named("flooder", Grants::all())).unwrap();
    let account = rig.system.account(flooder).unwrap();
    let main = "module main DESK export func main() { desk.ask(2) desk.ask(3) }";
    rig.add("main", Priority::Normal, true, main);
    let before = account.used();
    rig.run(EndReason::Returned);
    let used = account.used() - before;
    // The rest of one packet, and those that came while it waited; never more than the channel's credits.
    assert!((8..=9 * 16 * 1024).contains(&used), "{used} bytes");
    rig.system.stop_vm(flooder);
    rig.system.settle();
    assert_eq!(account.used(), 0);
}
