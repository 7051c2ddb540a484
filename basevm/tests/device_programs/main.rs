//! Device programs: what is sent, who may, in which order, what it may use, and how it ends.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod devices;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use basevm::engine::{Engine, Program};
use basevm::service::{Grid, Hello, Host, Outcome, Reply, Request, Service, VmId};
use basevm::system::{
    EndReason, Grants, Incoming, Loader, Loading, MAX_PROGRAMS, ProgramBounds, System, SystemOptions, VmOptions, Wanted,
};
use common::{PROBE_IL, Probe, Seen, TestPlatform, driver, one, probe_set};
use compiler::Bounds;
use devices::{Keys, Paper, Sectors};
use il::isa::GridInstruction;
use il::packet::{Builder, Value};
use il::trap::Status;
use il::verify::VerifiedModule;
use il::{ProgramId, program};

const UPLOAD: u16 = 0x4000;
const RUN: u16 = 0x4001;

/// `PROBE` stands for the declaration of the probe's set, and the wish for its capability.
fn verified(source: &str) -> VerifiedModule {
    let source = source.replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &source, isa::ALL).unwrap_or_else(|errors| panic!("{errors}"));
    il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"))
}

fn load(
    platform: &'static TestPlatform,
    engine: Engine,
    module: Arc<VerifiedModule>,
    grid: &[GridInstruction],
) -> Arc<Program> {
    if engine == Engine::Interpreter {
        return Program::interpreted(platform, module).unwrap();
    }
    let options = compiler::Options { verify: true, ..compiler::Options::detect() };
    let code = compiler::compile_program(&module, &options, grid).unwrap_or_else(|error| panic!("{error}"));
    Program::load(platform, module, code).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads with one engine, and counts.
struct TestLoader(&'static TestPlatform, Engine, Arc<AtomicUsize>);

impl Loader for TestLoader {
    fn begin(&mut self, bytes: &[u8], bounds: Bounds) -> Result<Loading, String> {
        let module = il::binary::decode(bytes).map_err(|why| why.to_string())?;
        let module = il::verify::verify(module).map_err(|why| why.to_string())?;
        self.begin_program(Arc::new(module), &[], bounds)
    }

    fn begin_program(
        &mut self,
        module: Arc<VerifiedModule>,
        grid: &[GridInstruction],
        _: Bounds,
    ) -> Result<Loading, String> {
        self.2.fetch_add(1, Ordering::Relaxed);
        Ok(Loading::Ready(load(self.0, self.1, module, grid)))
    }
}

const ENGINES: [Engine; 2] = [Engine::Jit, Engine::Interpreter];

/// A system with a probe and a slate.
struct Lab {
    platform: &'static TestPlatform,
    engine: Engine,
    system: System,
    seen: Arc<Mutex<Seen>>,
    slate: Arc<Mutex<Shared>>,
    loads: Arc<AtomicUsize>,
}

impl Lab {
    fn new(engine: Engine) -> Lab {
        let platform = TestPlatform::new(true);
        let options = SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true };
        let mut system = System::new(platform, options);
        let loads = Arc::new(AtomicUsize::new(0));
        system.set_loader(Box::new(TestLoader(platform, engine, loads.clone())));
        let (probe, seen) = Probe::new("probe");
        system.add_service(Box::new(probe), VmOptions::default()).unwrap();
        let slate = Arc::new(Mutex::new(Shared { cells: vec![0; 12], width: 4, instructions: 0 }));
        system.add_service(Box::new(Slate(slate.clone(), vec![0; 12])), VmOptions::default()).unwrap();
        Lab { platform, engine, system, seen, slate, loads }
    }

    fn add(&mut self, source: &str, options: VmOptions) -> VmId {
        let code = load(self.platform, self.engine, Arc::new(verified(source)), &[]);
        self.system.add_program(code, options).unwrap()
    }

    fn main(&mut self, source: &str) -> VmId {
        self.add(source, VmOptions { is_main: true, ..VmOptions::named("main", Grants::all()) })
    }

    #[track_caller]
    fn ends(&mut self, reason: EndReason) {
        let ended = self.system.run();
        assert_eq!(ended.reason, reason, "{}", self.platform.text());
    }

    fn notes(&self) -> Vec<i32> {
        self.seen.lock().unwrap().notes.clone()
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }
}

/// Runs a main program to its normal end with both engines, and looks at what came of it.
#[track_caller]
fn runs(source: &str, check: impl Fn(&mut Lab)) {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        lab.main(source);
        lab.ends(EndReason::Returned);
        check(&mut lab);
    }
}

/// A small grid of cells, and its instructions.
struct Slate(Arc<Mutex<Shared>>, Vec<u32>);

struct Shared {
    cells: Vec<u32>,
    width: u32,
    /// How many were executed one by one.
    instructions: usize,
}

impl Service for Slate {
    fn hello(&self) -> Hello {
        Hello { name: "slate".into(), provides: &isa::display::SET }
    }

    fn execute(&mut self, _: &mut dyn Host, request: Request<'_>) -> Outcome {
        use isa::display::{Op, reply};
        let mut shared = self.0.lock().unwrap();
        shared.instructions += 1;
        let (width, height) = (shared.width as i32, self.1.len() as i32 / shared.width as i32);
        let cell =
            |x: i32, y: i32| ((0..width).contains(&x) && (0..height).contains(&y)).then(|| (y * width + x) as usize);
        match Op::decode(request.opcode, request.words).unwrap() {
            Op::Size => Outcome::Done(Reply::new(&reply::size(width, height), vec![])),
            Op::SetPixel { x, y, color } => {
                if let Some(at) = cell(x, y) {
                    self.1[at] = color as u32 & 0xff_ffff;
                }
                Outcome::Done(Reply::none())
            }
            Op::GetPixel { x, y } => match cell(x, y) {
                Some(at) => Outcome::Done(Reply::new(&reply::get_pixel(self.1[at] as i32), vec![])),
                None => Outcome::Fail(Status::OutOfRange),
            },
            // The slate turns: as many cells, in other rows.
            Op::Clear { color } => {
                shared.width = color as u32;
                Outcome::Done(Reply::none())
            }
            Op::Present => {
                shared.cells = self.1.clone();
                Outcome::Done(Reply::new(&reply::present(1), vec![]))
            }
            _ => Outcome::Fail(Status::NotSupported),
        }
    }

    fn grid_instructions(&self) -> &'static [GridInstruction] {
        isa::display::GRID
    }

    fn grid(&mut self) -> Option<Grid<'_>> {
        let (width, cells) = (self.0.lock().unwrap().width, self.1.len() as u32);
        Grid::new(&mut self.1, width, cells / width)
    }
}

#[test]
fn a_program_runs_in_the_vm_behind_a_capability_and_is_brought_once() {
    let source = "PROBE
    pure func twice(n: i32) -> i32 { return n * 2 }
    program p on test.probe@1 (n: i32, name: str, data: buf) -> (sum: i32, said: str, back: buf) {
      note(twice(n))
      let said = say(name)
      let back = reverse(data)
      return (total(), said, back)
    }
    program q on test.probe@1 (n: i32) { note(n) }
    export func main() {
      for i in 0..3 {
        let data = buf(2)
        data[0] = 7
        let (sum, said, back) = probe.run(p, i, \"me\", data)
        assert sum == i * (i + 1) && said == \"probe: me\" && len(back) == 2 && back[1] == 7
      }
      let (status, a, b, c) = try probe.run(p, 10, \"x\", buf(0))
      assert status == 0 && a == 26 && b == \"probe: x\" && len(c) == 0
      probe.send(q, 100)
      flush(probe)
      assert probe.total() == 126
    }";
    runs(source, |lab| {
        assert_eq!(lab.notes(), [0, 2, 4, 20, 100]);
        assert_eq!(lab.loads(), 2, "each was brought and compiled once");
    });
}

#[test]
fn a_channel_keeps_its_order_around_programs() {
    let source = "PROBE
    program slow on test.probe@1 (n: i32) { after(1000)  note(n)  after(1000)  note(n + 1) }
    export func main() {
      probe.note(1)
      probe.send(slow, 2)
      probe.note(4)
      probe.send(slow, 5)
      probe.note(7)
      assert probe.total() == 28
    }";
    runs(source, |lab| assert_eq!(lab.notes(), [1, 2, 3, 4, 5, 6, 7]));
}

#[test]
fn a_program_waits_for_what_its_channel_brought_before() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let id = lab.system.add_external(driver("driver")).unwrap();
        lab.system.settle();
        let closed = closed("PROBE program p on test.probe@1 () { note(1) }");
        let mut packet = one(9, 5, &[Value::I64(1000)]);
        packet.extend(upload(0, &closed));
        packet.extend(run(6, &closed, &[]));
        packet.extend(one(3, 0, &[Value::I32(2)]));
        let buf = bytes(&lab, id, &closed);
        lab.system.send(id, 0, packet, vec![buf.into()]).unwrap();
        lab.system.settle();
        assert_eq!(lab.notes(), []);
        assert!(lab.system.receive(id).is_none());
        lab.system.advance(1000);
        lab.system.settle();
        assert_eq!(lab.notes(), [1, 2]);
        let tags = std::iter::from_fn(|| lab.system.receive(id)).map(|incoming| match incoming {
            Incoming::Reply { tag, result: Ok(_), .. } => tag,
            other => panic!("{other:?}"),
        });
        assert_eq!(tags.collect::<Vec<_>>(), [5, 6]);
    }
}

#[test]
fn other_channels_go_on_while_a_program_runs() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let slow = "PROBE
        program slow on test.probe@1 () { after(1000)  note(2) }
        export func main() { probe.run(slow) }";
        lab.main(slow);
        lab.add("PROBE export func main() { probe.after(10)  probe.note(1) }", VmOptions::named("b", Grants::all()));
        lab.ends(EndReason::Returned);
        assert_eq!(lab.notes(), [1, 2]);
    }
}

#[test]
fn what_a_program_does_wrong_is_its_senders_failure() {
    let source = "PROBE
    pure func divide(a: i32, b: i32) -> i32 {
      return a / b
    }
    program zero on test.probe@1 (n: i32) -> (q: i32) { return divide(1, n) }
    program refused on test.probe@1 () { note(-1)  note(9) }
    program caught on test.probe@1 () -> (s: i32) { let s = try after(-1)  note(5)  return s }
    program deep on test.probe@1 () -> (q: i32) { return down(100000000) }
    pure func down(n: i32) -> i32 { if n == 0 { return 0 }  return down(n - 1) + 1 }
    export func main() {
      let (a, _) = try probe.run(zero, 0)
      assert a == 9
      let (b) = try probe.run(refused)
      assert b == 2
      assert probe.run(zero, 1) == 1
      let (c, _) = try probe.run(deep)
      assert c == 8
      assert probe.run(caught) == 0
      probe.send(refused)
      let (d, _) = try probe.total()
      assert d == 2
      assert probe.total() == 3
      let last = probe.run(zero, 0)
      assert last == 7
    }";
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        lab.main(source);
        lab.ends(EndReason::Fault);
        assert_eq!(lab.notes(), [-1, 5, -1]);
        let log = lab.platform.text();
        for line in [
            "fault VM 'probe/0#zero': division by zero",
            "divide",
            "test.il:",
            "program zero",
            "`note` failed with status 2",
            "`probe.run(zero)` failed with status 9",
        ] {
            assert!(log.contains(line), "{line}: {log}");
        }
        assert!(!log.contains("fault VM 'probe/0':"), "the device VM lives on: {log}");
    }
}

#[test]
fn time_and_memory_are_bounded() {
    let source = "PROBE
    program forever on test.probe@1 () { var n = 0  loop { n += 1 } }
    program hungry on test.probe@1 (n: i32) -> (sum: i32) {
      var sum = 0
      for i in 0..n { let b = buf(100000)  sum += len(b)  let kept = new [i32](50000, i)  sum += len(kept) }
      return sum
    }
    program greedy on test.probe@1 () -> (n: i32) { let b = new [i64](1000000, 7)  return len(b) }
    export func main() {
      let (a, _) = try probe.run(greedy)
      assert a == 8
      let (b) = try probe.run(forever)
      assert b == 7
      assert probe.run(hungry, 60) == 60 * 150000
    }";
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let programs = ProgramBounds { time: 200_000_000, memory_bytes: 2 << 20 };
        let slow = ProgramBounds { time: 3_000_000_000, ..programs };
        let programs = if engine == Engine::Jit { programs } else { slow };
        lab.add(source, VmOptions { is_main: true, programs, ..VmOptions::named("main", Grants::all()) });
        lab.ends(EndReason::Returned);
        assert!(lab.platform.text().contains("(programs.ms)"), "{}", lab.platform.text());
    }
}

/// The closed program of a text with one, encoded.
fn closed(source: &str) -> Vec<u8> {
    il::binary::encode(&program::extract(&verified(source), ProgramId(0)).unwrap())
}

fn bytes(lab: &Lab, id: VmId, content: &[u8]) -> basevm::buf::Buf {
    let mut buf = basevm::buf::Buf::new(&lab.system.account(id).unwrap(), content.len()).unwrap();
    buf.copy_from_slice(content);
    buf
}

fn upload(tag: u32, _: &[u8]) -> Vec<u64> {
    one(UPLOAD, tag, &[Value::Buf(0)])
}

fn run(tag: u32, closed: &[u8], args: &[u64]) -> Vec<u64> {
    let identity = il::binary::identity(&il::binary::decode(closed).unwrap());
    let mut builder = Builder::default();
    builder.begin(RUN, tag);
    for part in identity.chunks_exact(8) {
        builder.push(Value::I64(i64::from_le_bytes(part.try_into().unwrap())));
    }
    builder.words.extend(args);
    builder.end().unwrap();
    builder.words
}

/// Sends one packet of an external VM; the status of its answer to tag 1.
fn answer(lab: &mut Lab, id: VmId, words: Vec<u64>, content: Option<&[u8]>) -> Result<Reply, Status> {
    let attachments = content.map(|content| bytes(lab, id, content).into()).into_iter().collect();
    lab.system.send(id, 0, words, attachments).unwrap();
    lab.system.settle();
    match lab.system.receive(id) {
        Some(Incoming::Reply { tag: 1, result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_arrives_is_an_allegation() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let mut wants = driver("driver");
        let some = |set: &il::isa::InstructionSet, opcodes: &[u8]| il::isa::InstructionSet {
            instructions: set.instructions.iter().filter(|one| opcodes.contains(&one.opcode)).cloned().collect(),
            ..set.clone()
        };
        wants.wants = vec![Wanted { name: "probe".into(), set: some(&probe_set(), &[3, 6]) }];
        let id = lab.system.add_external(wants).unwrap();
        lab.system.settle();
        let status = |result: Result<Reply, Status>| result.map(|reply| reply.words);

        let good = closed("PROBE program p on test.probe@1 (n: i32) -> (s: i32) { note(n)  return total() }");
        let greedy = closed("PROBE program p on test.probe@1 () { panic() }");
        let other = closed("use d: cascade.display@1 program p on cascade.display@1 () { set_pixel(1, 1, 1) }");
        let renamed = closed("isa test.probe@1 { 3 note(value: i64) } program p on test.probe@1 () { note(i64(1)) }");
        let whole = il::binary::encode(&verified("PROBE export func main() { probe.note(1) }"));

        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[5]), None)), Err(Status::NoSuchInstruction), "unknown");
        assert_eq!(status(answer(&mut lab, id, upload(1, &good), Some(&good))), Ok(vec![]));
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[5]), None)), Ok(vec![5]));
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[]), None)), Err(Status::BadOperand), "no argument");
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[1 << 40]), None)), Err(Status::BadOperand));
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[1, 1]), None)), Err(Status::BadOperand), "two");
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[2]), None)), Ok(vec![7]), "and it still runs");
        assert_eq!(status(answer(&mut lab, id, one(RUN, 1, &[Value::I64(1)]), None)), Err(Status::BadOperand));
        for (bad, why) in [
            (&greedy, Status::NotPermitted),
            (&other, Status::NoSuchInstruction),
            (&renamed, Status::NoSuchInstruction),
            (&whole, Status::BadOperand),
            (&good[..good.len() / 2].to_vec(), Status::BadOperand),
            (&vec![0; 70_000], Status::OutOfRange),
        ] {
            assert_eq!(status(answer(&mut lab, id, upload(1, bad), Some(bad))), Err(why));
        }
        assert_eq!(
            status(answer(&mut lab, id, run(1, &greedy, &[]), None)),
            Err(Status::NotPermitted),
            "kept as refused"
        );
        assert_eq!(status(answer(&mut lab, id, upload(1, &good), None)), Err(Status::BadOperand), "no attachment");
        // Each bit of a good one changed: no panic, and what is accepted does no more than it may.
        for at in 0..good.len() {
            let mut forged = good.clone();
            forged[at] ^= 1 << (at % 8);
            let _ = answer(&mut lab, id, upload(1, &forged), Some(&forged));
        }
        assert_eq!(status(answer(&mut lab, id, upload(1, &good), Some(&good))), Ok(vec![]));
        assert_eq!(status(answer(&mut lab, id, run(1, &good, &[1]), None)), Ok(vec![8]));
    }
}

#[test]
fn a_program_is_revoked_with_its_channel_and_ends_with_either_end() {
    for engine in ENGINES {
        let good = closed("PROBE program p on test.probe@1 () { note(1)  after(1000)  note(2) }");
        for end in 0..3 {
            let mut lab = Lab::new(engine);
            let before = lab.system.table_sizes();
            let id = lab.system.add_external(driver("driver")).unwrap();
            lab.system.settle();
            let mut packet = upload(0, &good);
            packet.extend(run(1, &good, &[]));
            let buf = bytes(&lab, id, &good);
            lab.system.send(id, 0, packet, vec![buf.into()]).unwrap();
            lab.system.settle();
            assert_eq!(lab.notes(), [1]);
            let expected = match end {
                0 => {
                    assert!(lab.system.revoke(id, 0));
                    Some(Status::Revoked)
                }
                1 => {
                    let probe = lab.system.find("probe").unwrap();
                    lab.system.stop_vm(probe);
                    Some(Status::PeerGone)
                }
                _ => None,
            };
            if let Some(expected) = expected {
                match lab.system.receive(id) {
                    Some(Incoming::Reply { tag: 1, result: Err(status), .. }) => assert_eq!(status, expected),
                    other => panic!("{other:?}"),
                }
            }
            lab.system.stop_vm(id);
            lab.system.advance(1000);
            lab.system.settle();
            assert_eq!(lab.notes(), [1], "it ended at once");
            let after = lab.system.table_sizes();
            assert_eq!(after.channels, before.channels - usize::from(end == 1), "no channel is left: {end}");
            assert_eq!(after.vms, before.vms - usize::from(end == 1), "nor the program's VM");
        }
    }
}

#[test]
fn what_ended_senders_had_streamed_still_runs() {
    let source = "PROBE
    program p on test.probe@1 (n: i32) { after(1000)  note(n) }
    export func main() { probe.send(p, 1)  probe.send(p, 2)  probe.note(3) }";
    runs(source, |lab| assert_eq!(lab.notes(), [1, 2, 3]));
}

#[test]
fn a_device_that_panics_fails_the_program_and_its_sender() {
    let source = "PROBE
    program p on test.probe@1 () { note(1)  panic() }
    export func main() {
      let (s) = try probe.run(p)
      assert s == 6
    }";
    runs(source, |lab| assert_eq!(lab.notes(), [1]));
}

#[test]
fn vms_in_il_are_programmed_too_and_see_the_sender() {
    let door = "isa demo.door@1 { 1 who() -> i32  2 open(n: i32) -> i32  3 knock(n: i32) }
    global mut knocks = 0
    provides demo.door@1 as door {
      op who() -> i32 { return caller }
      op open(n: i32) -> i32 { if n < 0 { fail 4 }  return n + knocks }
      op knock(n: i32) { knocks += n }
    }";
    let main = "isa demo.door@1 { 1 who() -> i32  2 open(n: i32) -> i32  3 knock(n: i32) }
    use door: demo.door@1
    program p on demo.door@1 (n: i32) -> (who: i32, sum: i32) {
      var sum = 0
      for i in 0..n { knock(1)  sum += open(i) }
      return (who(), sum)
    }
    program bad on demo.door@1 () -> i32 { return open(-1) }
    export func main() {
      let (who, sum) = door.run(p, 4)
      assert who == door.who() && sum == 6 + 10
      door.knock(10)
      let (s, _) = try door.run(bad)
      assert s == 4
      let (_, more) = door.run(p, 1)
      assert more == 15
    }";
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        lab.add(door, VmOptions::named("door", Grants::all()));
        lab.main(main);
        lab.ends(EndReason::Returned);
    }
}

#[test]
fn a_channel_runs_programs_of_the_set_that_it_speaks() {
    let sets = "isa demo.low@1 { 1 get() -> i32 }  isa demo.high@1 { 1 get() -> i32 }";
    let both = format!(
        "{sets} provides demo.low@1 as both {{ op get() -> i32 {{ return 1 }} }}
         provides demo.high@1 {{ op get() -> i32 {{ return 2 }} }}"
    );
    let program = |set: &str| closed(&format!("{sets} program p on demo.{set}@1 () -> i32 {{ return get() }}"));
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        lab.add(&both, VmOptions::named("both", Grants::all()));
        let mut wants = driver("driver");
        let set = verified(&both).isas[0].clone();
        assert_eq!(set.name, "demo.low");
        wants.wants = vec![Wanted { name: "both".into(), set }];
        let id = lab.system.add_external(wants).unwrap();
        lab.system.settle();
        for (name, expected) in [("low", Ok(vec![1])), ("high", Err(Status::NoSuchInstruction))] {
            let program = program(name);
            let brought = answer(&mut lab, id, upload(1, &program), Some(&program)).map(drop);
            assert_eq!(brought, expected.clone().map(drop), "{name}");
            let result = answer(&mut lab, id, run(1, &program, &[]), None).map(|reply| reply.words);
            assert_eq!(result, expected, "{name}");
        }
    }
}

#[test]
fn the_least_recently_used_program_makes_room() {
    let count = MAX_PROGRAMS + 3;
    let mut source = String::from("PROBE\n");
    let mut calls = String::new();
    for at in 0..count {
        source +=
            &format!("program p{at} on test.probe@1 () -> (n: i32) {{ note(1)  return total() + {at} * 1000 }}\n");
        calls +=
            &format!("  n += 1\n  assert probe.run(p{at}) == n + {at} * 1000\n  n += 1\n  assert probe.run(p0) == n\n");
    }
    source += &format!("export func main() {{\n  var n = 0\n  for i in 0..3 {{\n{calls}  }}\n}}");
    runs(&source, |lab| {
        assert_eq!(lab.notes().len(), count * 6);
        assert_eq!(lab.loads(), 1 + 3 * (count - 1), "the one in use all the time is brought once");
    });
}

#[test]
fn a_lent_grid_gives_what_the_instructions_give() {
    let source = "use slate: cascade.display@1
    program fill on cascade.display@1 (t: i32) -> (w: i32, h: i32, sum: i32) {
      let (w, h) = size()
      var sum = 0
      for y in -1..h + 1 { for x in -1..w + 1 { set_pixel(x, y, x * 16 + y + t) } }
      for y in 0..h { for x in 0..w { sum += get_pixel(x, y) } }
      clear(6)
      let (v, g) = size()
      assert v == 6 && g == 2
      set_pixel(5, 1, 0xabcdef)
      clear(4)
      return (w, h, sum)
    }
    program outside on cascade.display@1 () -> i32 { return get_pixel(4, 0) }
    export func main() {
      let (w, h, sum) = slate.run(fill, 100)
      assert w == 4 && h == 3 && sum == 12 * 100 + 24 * 12 + 12
      let (s, _) = try slate.run(outside)
      assert s == 2
      slate.present()
    }";
    runs(source, |lab| {
        let mut expected: Vec<u32> = (0..12).map(|at| at % 4 * 16 + at / 4 + 100).collect();
        expected[11] = 0xab_cdef;
        let shared = lab.slate.lock().unwrap();
        assert_eq!(shared.cells, expected);
        match lab.engine {
            Engine::Jit => assert_eq!(shared.instructions, 3, "`clear` twice and `present`: the rest never left"),
            Engine::Interpreter => assert!(shared.instructions > 40),
        }
    });
}

/// What a right is limited to holds for its programs too: no instruction of theirs goes past it, inlined or not.
#[test]
fn a_program_is_held_to_the_limits_of_its_senders_right() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let grants = Grants::none().allow("probe").allow_text("slate=within:2x2").unwrap();
        let source = "module app PROBE
            use slate: cascade.display@1
            program dot on cascade.display@1 (x: i32, y: i32) { set_pixel(x, y, 7) }
            export func main() {
              let inside = try slate.run(dot, 1, 1)
              let outside = try slate.run(dot, 2, 1)
              let again = try slate.run(dot, 0, 0)
              slate.present()
              probe.note(inside)  probe.note(outside)  probe.note(again)
            }";
        lab.add(source, VmOptions { is_main: true, ..VmOptions::named("main", grants) });
        lab.ends(EndReason::Returned);
        let notes = lab.notes();
        assert_eq!(
            (notes[0], notes[1], notes[2]),
            (0, i32::from(Status::OutOfRange as u16), 0),
            "{}",
            lab.platform.text()
        );
        let cells = lab.slate.lock().unwrap().cells.clone();
        assert_eq!(cells, [7, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn without_a_loader_programs_are_not_supported() {
    let platform = TestPlatform::new(true);
    let mut system = common::system(platform);
    let (probe, _) = Probe::new("probe");
    system.add_service(Box::new(probe), VmOptions::default()).unwrap();
    let source = "PROBE
    program p on test.probe@1 () { note(1) }
    export func main() {
      let (s) = try probe.run(p)
      assert s == 11
      let (again) = try probe.run(p)
      assert again == 11
      probe.note(2)
      assert probe.total() == 2
    }";
    let code = load(platform, Engine::Jit, Arc::new(verified(source)), &[]);
    system.add_program(code, VmOptions { is_main: true, ..VmOptions::named("main", Grants::all()) }).unwrap();
    assert_eq!(system.run().reason, EndReason::Returned, "{}", platform.text());
}

#[test]
fn limits_of_a_grant_hold_inside_a_program() {
    let source = "use slate: cascade.display@1
    program dot on cascade.display@1 (x: i32, y: i32) -> (w: i32) {
      let (w, _) = size()
      set_pixel(x, y, 0x55)
      return w
    }
    export func main() {
      let (a, w) = try slate.run(dot, 1, 1)
      assert a == 0 && w == 4
      let (b, _) = try slate.run(dot, 2, 1)
      assert b == 2
      let (c, _) = try slate.run(dot, 1, -1)
      assert c == 2
      slate.present()
    }";
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let grants = Grants::none().allow_text("slate=size,set_pixel,present,within:2x2").unwrap();
        lab.add(source, VmOptions { is_main: true, ..VmOptions::named("main", grants) });
        lab.ends(EndReason::Returned);
        let shared = lab.slate.lock().unwrap();
        assert_eq!(shared.cells.iter().filter(|cell| **cell != 0).count(), 1);
        assert_eq!(shared.cells[5], 0x55);
        if engine == Engine::Jit {
            assert_eq!(shared.instructions, 1 + 1, "a limited instruction stays one: the choke point is passed");
        }
    }
}

/// A slate as large as a screen.
fn screen(lab: &mut Lab, width: u32, height: u32) -> Arc<Mutex<Shared>> {
    let shared = Arc::new(Mutex::new(Shared { cells: Vec::new(), width, instructions: 0 }));
    let slate = Slate(shared.clone(), vec![0; (width * height) as usize]);
    lab.system.add_service(Box::new(slate), VmOptions::named("display", Grants::none())).unwrap();
    shared
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../samples/{name}.il", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Runs a program to its end; what it has written.
fn written(lab: &mut Lab, source: &str) -> String {
    let paper = Arc::new(Mutex::new(String::new()));
    lab.system.add_service(Box::new(Paper(paper.clone())), VmOptions::default()).unwrap();
    lab.main(source);
    lab.ends(EndReason::Returned);
    paper.lock().unwrap().clone()
}

#[test]
fn the_scan_reads_where_the_sectors_are() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let reads = Arc::new(AtomicUsize::new(0));
        let disk = Sectors(vec![0; 2048 * 512], Vec::new(), reads.clone());
        lab.system.add_service(Box::new(disk), VmOptions::default()).unwrap();
        let expected = "no records yet: some are written\nrecord: here\nrecord: and far away\n\
                        record: and almost at the end\n3 of 2048 sectors crossed\n";
        assert_eq!(written(&mut lab, &sample("scan")), expected);
        assert_eq!(reads.load(Ordering::Relaxed), 2 * 2048 / 64);
        assert_eq!(lab.loads(), 1);
    }
}

#[test]
fn the_remapper_maps_before_keys_cross() {
    for engine in ENGINES {
        let mut lab = Lab::new(engine);
        let mut keys: Vec<_> = "jdpps".chars().flat_map(|char| [(1, true, char), (1, false, '\0')]).collect();
        keys.extend([(0xe1, true, '\0'), (1, true, 'x'), (0x29, true, '\0')]);
        lab.system.add_service(Box::new(Keys(keys)), VmOptions::default()).unwrap();
        assert_eq!(written(&mut lab, &sample("remap")), "type: helloq\n");
    }
}

/// The shader on both engines, small.
#[test]
fn the_shader_draws_the_same_with_stores_and_with_instructions() {
    let picture = |engine, width, height, frames| {
        let mut lab = Lab::new(engine);
        let shared = screen(&mut lab, width, height);
        let text = sample("shader").replace("FRAMES = 60", &format!("FRAMES = {frames}"));
        assert_eq!(written(&mut lab, &text), format!("{frames} frames\n"));
        shared.lock().unwrap().cells.clone()
    };
    let [stored, sent] = ENGINES.map(|engine| picture(engine, 16, 8, 2));
    assert_eq!(stored, sent);
    assert!(stored.iter().collect::<std::collections::BTreeSet<_>>().len() > 50, "it is a picture");
}
