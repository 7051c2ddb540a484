//! The engine through its front door: IL text, compiled and run on the hosted platform.
#![allow(missing_docs)]

#[allow(dead_code, unreachable_pub)]
#[path = "../../bootstrapper/cascade/src/platform/mod.rs"]
mod platform;

use std::sync::Arc;

use basevm::attachment::Attachment;
use basevm::buf::{Account, Buf};
use basevm::engine::{DEFAULT_STACK_BYTES, Instance, LoadError, Program, Step, TrapReport};
use basevm::service::Reply;
use compiler::{Bounds, Options};
use il::packet::{Builder, Head, MAX_WORDS, Value, instructions};
use il::trap::{Status, TrapKind};
use platform::{HostedOptions, HostedPlatform};

const QUOTA: u64 = 1 << 20;

/// What the programs below talk to.
const SET: &str = "
isa test.peer@1 {
  1 put(number: i32)
  2 ask(text: str) -> (reply: str, number: i32)
  3 turn(data: buf) -> buf
  4 note(text: str)
  event 1 ping(text: str, data: buf)
}
use peer: test.peer@1
";

struct Vm {
    instance: Instance,
    account: Arc<Account>,
}

fn program(source: &str, bounds: Bounds) -> (&'static HostedPlatform, Arc<Program>) {
    let platform = HostedPlatform::leaked(HostedOptions::default());
    let module = il::text::compile("test.il", source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let options = Options { verify: true, bounds, ..Options::detect() };
    let compiled = compiler::compile(&module, &options).unwrap_or_else(|error| panic!("{error}"));
    (platform, Program::load(platform, module, compiled).unwrap())
}

impl Vm {
    fn load(source: &str) -> Vm {
        Vm::with(source, Bounds::Guard)
    }

    fn with(source: &str, bounds: Bounds) -> Vm {
        let (platform, program) = program(source, bounds);
        let account = Account::new(QUOTA);
        let mut instance = Instance::new(platform, program, account.clone(), DEFAULT_STACK_BYTES).unwrap();
        instance.open_slot(0, 7, 1);
        Vm { instance, account }
    }

    fn start(&mut self) -> Step {
        let main = self.instance.program().module().export("main").unwrap();
        self.instance.enter(main, &[], &mut []).unwrap()
    }

    /// Goes on over the yields that the ticker asks for.
    fn settle(&mut self, mut step: Step) -> Step {
        while matches!(step, Step::Yield) {
            step = self.instance.resume(0);
        }
        step
    }

    fn handle(&mut self, values: &[Value<'_>], buffers: Vec<Buf>) -> Step {
        let handler = self.instance.program().module().handlers[0].func;
        let mut attachments: Vec<_> = buffers.into_iter().map(|buf| Some(Attachment::from(buf))).collect();
        self.instance.enter(handler, &words(values), &mut attachments).unwrap()
    }

    /// Drops the VM: not a byte stays charged.
    fn end(self) {
        drop(self.instance);
        assert_eq!(self.account.used(), 0, "bytes leaked");
    }
}

fn words(values: &[Value<'_>]) -> Vec<u64> {
    let mut builder = Builder::default();
    values.iter().for_each(|value| {
        builder.push(*value);
    });
    builder.words
}

#[track_caller]
fn trap(step: Step) -> TrapReport {
    match step {
        Step::Trap(report) => *report,
        other => panic!("no trap, but {other:?}"),
    }
}

#[track_caller]
fn done(step: Step) -> Reply {
    match step {
        Step::Done(reply) => reply,
        Step::Trap(report) => panic!("{report}"),
        other => panic!("not done, but {other:?}"),
    }
}

/// Runs `main` of `source` under both kinds of memory check; both have to end in the same report.
#[track_caller]
fn trap_of(source: &str) -> TrapReport {
    let [guarded, mut checked] = [Bounds::Guard, Bounds::Explicit].map(|bounds| {
        let mut vm = Vm::with(source, bounds);
        let step = vm.start();
        let report = trap(vm.settle(step));
        vm.end();
        report
    });
    // How deep a stack goes may depend on the code, and on where it happened to yield.
    checked.frames.iter_mut().zip(&guarded.frames).for_each(|(one, other)| one.times = other.times);
    assert_eq!(guarded, checked);
    guarded
}

#[test]
fn a_call_leaves_as_a_packet_and_its_reply_comes_back() {
    let mut vm = Vm::load(&format!(
        "{SET}
        export func main() {{
          peer.put(5)
          let (reply, number) = peer.ask(concat(\"a\", str(-1)))
          assert reply == \"häuser\"
          assert number == -7
        }}"
    ));
    let step = vm.start();
    assert!(matches!(step, Step::Call { slot: 0, opcode: 2 }), "{step:?}");
    vm.instance.set_tag(9);
    let packet = vm.instance.take_packet(0);
    let sent: Vec<_> = instructions(&packet.words).map(Result::unwrap).collect();
    assert_eq!(sent[0], (Head { opcode: 1, words: 2, tag: 0 }, &[5][..]));
    assert_eq!(sent[1].0, Head { opcode: 2, words: 3, tag: 9 });
    assert_eq!(sent[1].1, words(&[Value::Str("a-1")]));
    assert_eq!(vm.instance.slot(0), Some((7, 1)));
    let reply = Reply::new(&[Value::Str("häuser"), Value::I32(-7)], vec![]);
    assert!(done(vm.instance.resume_call(Ok(reply))).words.is_empty());
    vm.end();
}

#[test]
fn failures_of_a_call_trap_or_are_tried() {
    let source = format!(
        "{SET}
        export func main() {{
          let (status, reply, number) = try peer.ask(\"x\")
          assert status == 10
          assert reply == \"\" && number == 0
          let (again, lost, none) = try peer.ask(\"y\")
          assert again == 9
          peer.ask(\"z\")
        }}"
    );
    let mut vm = Vm::load(&source);
    assert!(matches!(vm.start(), Step::Call { .. }));
    assert!(matches!(vm.instance.resume_call(Err(Status::Busy)), Step::Call { .. }));
    // A reply that does not fit the results is the device's fault.
    let malformed = Reply { words: vec![u64::MAX], attachments: vec![] };
    assert!(matches!(vm.instance.resume_call(Ok(malformed)), Step::Call { .. }));
    let report = trap(vm.instance.resume_call(Err(Status::PeerGone)));
    assert_eq!((report.kind, report.status), (TrapKind::Device, Some(6)));
    assert_eq!(report.message, "`peer.ask` failed with status 6: peer gone");
    assert_eq!(report.frames[0].line, Some(17));
    vm.end();
}

#[test]
fn endless_recursion_ends_in_a_report_with_lines() {
    let report = trap_of(
        "module deep
        func dig(n: i32) -> i32 {
          return dig(n + 1) + 1
        }
        export func main() {
          assert dig(0) == 0
        }",
    );
    assert_eq!(report.kind, TrapKind::StackOverflow);
    let frames: Vec<_> = report.frames.iter().map(|frame| (frame.name.as_str(), frame.line)).collect();
    assert_eq!(frames, [("dig", Some(3)), ("main", Some(6))]);
    assert!(report.frames[0].times > 100);
    assert!(report.to_string().starts_with("stack overflow\n  in dig (test.il:3), "), "{report}");
}

#[test]
fn a_large_frame_does_not_jump_the_guard() {
    let locals: String = (0..1500).map(|n| format!("let x{n} = peek({n})\n")).collect();
    let sum: String = (0..1500).map(|n| format!("sum += x{n}\n")).collect();
    let report = trap_of(&format!(
        "func peek(n: i32) -> i32 {{ return big(n) }}
        func big(n: i32) -> i32 {{
          {locals}
          var sum = n
          {sum}
          return sum
        }}
        export func main() {{ assert big(0) == 0 }}"
    ));
    assert_eq!(report.kind, TrapKind::StackOverflow);
}

#[test]
fn arithmetic_and_indices_trap_where_they_stand() {
    let zero =
        trap_of("func zero() -> i32 { return 0 }\nexport func main() {\n  let x = 1\n  assert x / zero() == 0\n}");
    assert_eq!((zero.kind, zero.frames[0].line), (TrapKind::DivisionByZero, Some(4)));
    let index = trap_of("export func main() {\n  let b = buf(4)\n  for i in 0..9 {\n    b[i] = 1\n  }\n}");
    assert_eq!((index.kind, index.frames[0].line), (TrapKind::IndexOutOfBounds, Some(4)));
    let slice = trap_of("export func main() {\n  let s = slice(\"häuser\", 0, 2)\n}");
    assert_eq!(slice.kind, TrapKind::BadUtf8);
    let range = trap_of("export func main() {\n  let s = slice(\"ab\", 1, 3)\n}");
    assert_eq!(range.kind, TrapKind::IndexOutOfBounds);
    let said = trap_of("export func main() {\n  if 1 < 2 { trap \"so it is\" }\n}");
    assert_eq!(said.to_string(), "trap: so it is\n  in main (test.il:2)");
    let copy = trap_of("export func main() {\n  let a = buf(4)\n  let b = buf(4)\n  copy(a, 1, b, 0, 4)\n}");
    assert_eq!(copy.kind, TrapKind::IndexOutOfBounds);
}

#[test]
fn memory_ends_where_it_ends() {
    let cases = [
        "store8(65536, 1)",
        "store32(65533, 1)",
        "store64(-1, i64(1))",
        "assert load8_u(0, offset: 4294967295) == 0",
        "assert load_f64(65529) == 0.0",
        "memory_fill(65000, 1, 1000)",
        "memory_copy(0, 65535, 2)",
        "let s = str_at(65535, 2)",
    ];
    for case in cases {
        let report = trap_of(&format!("memory 1..2\nexport func main() {{\n  store8(65535, 7)\n  {case}\n}}"));
        assert_eq!((report.kind, report.frames[0].line), (TrapKind::MemoryOutOfBounds, Some(4)), "{case}");
    }
}

#[test]
fn memory_is_filled_grown_and_copied() {
    let mut vm = Vm::load(
        "memory 1..3
        data 10 \"data\"
        global mut word = \"start\"
        export func main() {
          assert str_at(10, 4) == \"data\"
          assert load8_u(9) == 0 && load8_u(14) == 0
          memory_copy(12, 10, 4)
          assert str_at(10, 6) == \"dadata\"
          memory_fill(10, 'x', 2)
          assert str_at(10, 4) == \"xxda\"
          assert memory_size() == 1
          assert memory_grow(1) == 1
          store8(131071, 9)
          assert memory_size() == 2
          assert memory_grow(2) == -1
          assert memory_grow(0) == 2
          assert word == \"start\"
          word = str_at(10, 4)
          word = concat(word, word)
          assert word == \"xxdaxxda\"
        }",
    );
    done(vm.start());
    assert!(vm.account.used() > 128 * 1024);
    vm.end();
}

#[test]
fn quotas_end_what_exceeds_them() {
    let bufs = trap_of("export func main() {\n  let a = buf(600000)\n  let b = buf(600000)\n}");
    assert_eq!((bufs.kind, bufs.frames[0].line), (TrapKind::Quota, Some(3)));
    let strs = trap_of("export func main() {\n  var s = \"x\"\n  loop { s = concat(s, s) }\n}");
    assert_eq!(strs.kind, TrapKind::Quota);
    let mut vm =
        Vm::load("memory 1..100\nexport func main() {\n  assert memory_grow(50) == -1\n assert memory_grow(1) == 1 }");
    done(vm.start());
    vm.end();
    let (platform, program) = program("memory 20..20\nexport func main() {}", Bounds::Guard);
    let account = Account::new(QUOTA);
    let refused = Instance::new(platform, program, account.clone(), DEFAULT_STACK_BYTES).unwrap_err();
    assert_eq!(refused, LoadError::Quota { needed: 20 * 65536, limit: QUOTA });
    assert_eq!(account.used(), 0);
}

#[test]
fn a_wild_loop_yields_and_can_be_ended() {
    let mut vm = Vm::load("export func main() {\n  var n = 0\n  loop {\n    n += 1\n  }\n}");
    assert!(matches!(vm.start(), Step::Yield));
    for _ in 0..3 {
        assert!(matches!(vm.instance.resume(0), Step::Yield));
    }
    let report = vm.instance.abort(TrapKind::Deadline, "the turn took longer than 5 s".into());
    assert_eq!(report.frames[0].name, "main");
    assert!((3..=4).contains(&report.frames[0].line.unwrap()), "{report}");
    // From now on it only says why it is dead.
    assert_eq!(trap(vm.start()), report);
    vm.end();
}

#[test]
fn a_handler_runs_above_a_waiting_main() {
    let mut vm = Vm::load(&format!(
        "{SET}
        global mut seen = \"\"
        on peer.ping(text: str, data: buf) {{
          seen = concat(seen, text)
          let turned = peer.turn(data)
          assert turned[0] == 5
          if seen == \"bad\" {{ wait() }}
        }}
        export func main() {{
          let kept = concat(\"ke\", \"pt\")
          wait()
          assert seen == \"one\"
          wait()
          assert seen == \"onetwo\" && kept == \"kept\"
        }}"
    ));
    assert!(matches!(vm.start(), Step::Wait));
    let ping = |vm: &mut Vm, text: &str| {
        let sender = Account::new(100);
        let mut data = Buf::new(&sender, 3).unwrap();
        data[0] = 4;
        let step = vm.handle(&[Value::Str(text), Value::Buf(0)], vec![data]);
        assert!(matches!(step, Step::Call { slot: 0, opcode: 3 }), "{step:?}");
        assert_eq!(vm.instance.activations(), 2);
        let mut packet = vm.instance.take_packet(0);
        let mut data = packet.attachments.pop().unwrap().buf().unwrap();
        assert_eq!((data[0], sender.used()), (4, 3));
        data[0] = 5;
        vm.instance.recycle(0, packet);
        done(vm.instance.resume_call(Ok(Reply::new(&[Value::Buf(0)], vec![data.into()]))));
        assert_eq!(sender.used(), 0, "the buffer was freed at the handler's end");
    };
    ping(&mut vm, "one");
    assert!(matches!(vm.instance.resume(0), Step::Wait));
    ping(&mut vm, "two");
    done(vm.instance.resume(0));
    assert_eq!(vm.instance.activations(), 0);
    // `main` has returned: handlers go on, and a `wait` in one traps.
    let handler = vm.instance.program().module().handlers[0].func;
    assert_eq!(vm.instance.enter(handler, &[1], &mut []).unwrap_err(), Status::BadOperand);
    let sent_twice = words(&[Value::Str("x"), Value::Buf(1)]);
    assert_eq!(vm.instance.enter(handler, &sent_twice, &mut []).unwrap_err(), Status::BadOperand);
    vm.end();
}

#[test]
fn waits_in_handlers_trap() {
    let source =
        format!("{SET}\non peer.ping(text: str, data: buf) {{ wait() }}\nexport func main() {{ wait_forever() }}");
    let mut vm = Vm::load(&source);
    assert!(matches!(vm.start(), Step::WaitForever));
    let data = Buf::new(&vm.account, 10).unwrap();
    let report = trap(vm.handle(&[Value::Str("x"), Value::Buf(0)], vec![data]));
    assert_eq!(report.kind, TrapKind::WaitInHandler);
    vm.end();
}

#[test]
fn closed_slots_surface_and_get_scratch_room() {
    let mut vm = Vm::load(&format!(
        "{SET}
        export func main() {{
          peer.put(1)
          peer.put(2)
          flush(peer)
          peer.put(3)
        }}"
    ));
    vm.instance.close_slot(0);
    assert_eq!(vm.instance.slot(0), None);
    assert!(matches!(vm.start(), Step::Room { slot: 0, words: 2, attachments: 0 }));
    // Both instructions go to scratch room: one exit, not two.
    assert!(matches!(vm.instance.resume(0), Step::Flush { slot: 0 }));
    assert_eq!(vm.instance.take_packet(0).words.len(), 4);
    let report = trap(vm.instance.resume(Status::Revoked as u64));
    assert_eq!((report.kind, report.status), (TrapKind::Device, Some(5)));
    vm.end();
}

#[test]
fn packets_grow_to_their_limit_and_then_surface() {
    let mut vm = Vm::load(&format!(
        "{SET}
        export func main() {{
          for i in 0..10000 {{ peer.put(i) }}
        }}"
    ));
    let mut sent = Vec::new();
    let mut step = vm.start();
    step = vm.settle(step);
    while let Step::Room { slot: 0, words: 2, .. } = step {
        let packet = vm.instance.take_packet(0);
        assert_eq!(packet.words.len(), MAX_WORDS / 4, "a packet is sent before it outgrows the cache");
        sent.extend(instructions(&packet.words).map(|one| one.unwrap().1[0]));
        vm.instance.recycle(0, packet);
        step = vm.instance.resume(0);
        step = vm.settle(step);
    }
    done(step);
    let last = vm.instance.take_packet(0);
    sent.extend(instructions(&last.words).map(|one| one.unwrap().1[0]));
    assert!(sent.iter().copied().eq(0..10_000));
    vm.end();
}

#[test]
fn what_does_not_fit_a_packet_traps() {
    let report = trap_of(&format!(
        "{SET}\nexport func main() {{\n  var s = \"0123456789abcdef\"\n  for i in 0..13 {{ s = concat(s, s) }}\n  peer.note(s)\n}}"
    ));
    assert_eq!((report.kind, report.status), (TrapKind::Device, Some(2)));
    assert!(report.message.contains("send large data as a `buf`"), "{report}");
}

#[test]
fn operations_answer_with_results_events_and_failures() {
    let mut vm = Vm::load(
        "isa test.own@1 { 1 join(a: str, n: i32, data: buf) -> (r: str, half: f64, data: buf) 2 no() -> () event 1 told(n: i32) }
        provides test.own@1 {
          op join(a: str, n: i32, data: buf) -> (r: str, half: f64, data: buf) {
            emit told(n)
            return (concat(a, str(n)), f64(n) / 2.0, data)
          }
          op no() -> () { fail 4 }
        }",
    );
    let ops = vm.instance.program().module().provides[0].ops.clone();
    vm.instance.open_slot(0, 1, 1);
    let mut data = [Buf::new(&vm.account, 8).map(Attachment::from)];
    let operands = words(&[Value::Str("n="), Value::I32(-3), Value::Buf(0)]);
    let reply = done(vm.instance.enter(ops[0], &operands, &mut data).unwrap());
    assert_eq!(reply.words, words(&[Value::Str("n=-3"), Value::F64(-1.5), Value::Buf(0)]));
    assert_eq!(reply.attachments[0].as_buf().unwrap().len(), 8);
    drop(reply);
    assert!(data[0].is_none());
    let told = vm.instance.take_packet(0);
    let (head, operands) = instructions(&told.words).next().unwrap().unwrap();
    assert_eq!((head.opcode, operands), (0x8001, &[u64::from(-3i32 as u32)][..]));
    assert!(matches!(vm.instance.enter(ops[1], &[], &mut []), Ok(Step::Fail(4))));
    done(vm.instance.resume(0));
    vm.end();
}

#[test]
fn numbers_print_so_that_they_read_back() {
    let cases = [
        ("1.0", "1.0"),
        ("0.1", "0.1"),
        ("-0.0", "-0.0"),
        ("1.0e16", "1e16"),
        ("0.0000001", "1e-7"),
        ("123456.789", "123456.789"),
        ("1.0 / 0.0", "inf"),
        ("0.0 / 0.0", "NaN"),
    ];
    let asserts: String = cases
        .iter()
        .filter(|(text, _)| !text.contains('e'))
        .map(|(text, printed)| format!("assert str({text}) == \"{printed}\"\n"))
        .collect();
    let mut vm = Vm::load(&format!(
        "export func main() {{
          {asserts}
          assert str(1000000.0 * 10000000000.0) == \"1e16\"
          assert str(-2147483648) == \"-2147483648\"
          assert str(1 < 2) == \"true\"
        }}"
    ));
    done(vm.start());
    vm.end();
}

const MEMORIES: &str = "
memory 1..2
memory heap 2..3
memory third 1..1
data 0 \"first\"
data 8 in heap \"in the heap\"
data greeting = \"hello\"
data table = 16 in third \"placed\"
";

#[test]
fn each_memory_has_its_bounds_and_its_bytes() {
    let mut vm = Vm::load(&format!(
        "{MEMORIES}
        export func main() {{
          assert load8_u(0) == 102 && load8_u(8, memory: heap) == 105 && load8_u(16, memory: third) == 112
          assert memory_grow(1, memory: heap) == 2 && memory_grow(1, memory: heap) == -1
          assert memory_size() == 1 && memory_size(memory: heap) == 3
          store8(3 * 65536 - 1, 7, memory: heap)
          memory_copy(10, 8, 3, from: heap)
          assert str_at(10, 3) == \"in \"
          memory_fill(65535, 9, 1, memory: third)
          memory_init(greeting, 100, 1, 4, memory: heap)
          assert str_at(99, 5, memory: heap) == \"\\0ello\"
          data_drop(greeting)
          memory_init(greeting, 0, 0, 0)
          let b = buf_at(100, 4, memory: heap)
          buf_write(b, 1, 65535, 1, memory: third)
          memory_write(0, b, 0, 4, memory: third)
          assert load32(0, memory: third) == 0x6f6c0965
        }}"
    ));
    assert_eq!(vm.account.used() >> 16, 4, "pages and little else");
    done(vm.start());
    vm.end();
}

#[test]
fn what_lies_outside_a_memory_or_segment_traps_in_its_line() {
    let cases = [
        ("store8(65536, 1, memory: third)", TrapKind::MemoryOutOfBounds),
        ("store8(2 * 65536, 1, memory: heap)", TrapKind::MemoryOutOfBounds),
        ("store8(-1, 1, offset: 4294967295, memory: heap)", TrapKind::MemoryOutOfBounds),
        ("let n = load32(65533, memory: third) + memory_size()", TrapKind::MemoryOutOfBounds),
        ("memory_fill(65536, 1, 1, memory: third)", TrapKind::MemoryOutOfBounds),
        ("memory_copy(0, 65536, 1, from: third)", TrapKind::MemoryOutOfBounds),
        ("memory_copy(65536, 0, 1, from: third)", TrapKind::MemoryOutOfBounds),
        ("memory_init(greeting, 0, 3, 3)", TrapKind::MemoryOutOfBounds),
        ("memory_init(greeting, 65535, 0, 2)", TrapKind::MemoryOutOfBounds),
        ("memory_init(table, 0, 0, 1)", TrapKind::MemoryOutOfBounds),
        ("memory_init(greeting, 0, -1, 1)", TrapKind::MemoryOutOfBounds),
        ("let b = buf_at(65535, 2)", TrapKind::MemoryOutOfBounds),
        ("let b = buf_at(0, 2000000, memory: heap)", TrapKind::MemoryOutOfBounds),
        ("buf_write(buf(3), 1, 65536, 3)", TrapKind::IndexOutOfBounds),
        ("buf_write(buf(3), 0, 65534, 3)", TrapKind::MemoryOutOfBounds),
        ("memory_write(65534, buf(2), 0, 3)", TrapKind::MemoryOutOfBounds),
        ("memory_write(65533, buf(2), 0, 3)", TrapKind::IndexOutOfBounds),
    ];
    for (statement, kind) in cases {
        let report = trap_of(&format!("{MEMORIES}\nexport func main() {{\n{statement}\n}}"));
        assert_eq!((report.kind, report.frames[0].line), (kind, Some(11)), "{statement}");
    }
}

/// A small memory costs address space only.
#[test]
fn a_vm_may_have_as_many_memories_as_there_may_be() {
    let memories = "memory 0..1\n".repeat(il::limits::MEMORIES);
    let last = il::limits::MEMORIES - 1;
    let mut vm = Vm::load(&format!(
        "{memories}
        export func main() {{
          assert memory_grow(1, memory: {last}) == 0
          store8(65535, 7, memory: {last})
          assert load8_u(65535, memory: {last}) == 7
          store8(0, 7, memory: 1)
        }}"
    ));
    let report = trap(vm.start());
    assert_eq!(report.kind, TrapKind::MemoryOutOfBounds);
    vm.end();
}

#[test]
fn exit_is_a_step_wherever_it_stands() {
    let mut vm = Vm::load(&format!(
        "{SET}
        func deep(n: i32) -> i32 {{ let b = buf(n + 1) if n == 0 {{ exit(-7) }} return deep(n - 1) + len(b) }}
        export func main() {{ peer.put(1) peer.put(deep(5)) }}"
    ));
    let step = vm.start();
    let step = vm.settle(step);
    assert!(matches!(step, Step::Exit(-7)), "{step:?}");
    assert_eq!(instructions(&vm.instance.take_packet(0).words).count(), 1);
    vm.end();
}

/// After a trap single functions can be tried again: the state stays, the stack does not.
#[test]
fn a_revived_vm_goes_on_with_what_it_had() {
    let mut vm = Vm::load(
        "memory 1..1
        global mut count = 0
        global mut kept = \"\"
        export func grow(n: i32) -> i32 {
          count += 1
          kept = concat(kept, str(count))
          store32(0, count)
          if n > 0 { return grow(n - 1) / (n - 1) }
          return len(kept) * 100 + load32(0)
        }
        export func main() {}",
    );
    let grow = vm.instance.program().module().export("grow").unwrap();
    for _ in 0..3 {
        for n in [1, 2, 1_000_000] {
            let step = vm.instance.enter(grow, &words(&[Value::I32(n)]), &mut []).unwrap();
            let report = trap(vm.settle(step));
            let expected = if n < 10 { TrapKind::DivisionByZero } else { TrapKind::StackOverflow };
            assert_eq!(report.kind, expected);
            assert!(vm.instance.trap().is_some());
            vm.instance.revive();
            assert!(vm.instance.trap().is_none() && vm.instance.activations() == 0);
        }
        vm.instance.collect(true).unwrap();
    }
    let step = vm.instance.enter(grow, &words(&[Value::I32(0)]), &mut []).unwrap();
    let reply = done(vm.settle(step));
    let count = reply.words[0] % 100;
    assert!(count > 0 && reply.words[0] / 100 >= count);
    vm.end();
}

/// Long arrays of constants are copied into each VM of a program.
#[test]
fn arrays_of_constants_are_each_vms_own() {
    let texts: String = (0..500).map(|at| format!("\"text {at}\", ")).collect();
    let bytes: String = (0..500).map(|at| format!("{}, ", at % 256)).collect();
    let source = format!(
        "func one() -> i32 {{ return 1 }}
        global mut texts: mut [?any] = [{texts} &one, null]
        global mut bytes: mut [u8] = [{bytes}]
        export func main() {{
          assert len(texts) == 502 && len(bytes) == 500
          for i in 0..500 {{ assert (texts[i] as str) == concat(\"text \", str(i)) && bytes[i] == i & 255 }}
          assert texts[501] == null && (texts[500] as func() -> i32)() == 1
          for i in 0..500 {{ texts[i] = concat(\"new \", str(i)) bytes[i] = 1 }}
          for i in 0..500 {{ assert (texts[i] as str) == concat(\"new \", str(i)) && bytes[i] == 1 }}
        }}"
    );
    let (platform, program) = program(&source, Bounds::Guard);
    assert_eq!(program.module().globals.len(), 2);
    for _ in 0..2 {
        let account = Account::new(QUOTA);
        let mut instance = Instance::new(platform, program.clone(), account.clone(), DEFAULT_STACK_BYTES).unwrap();
        let main = program.module().export("main").unwrap();
        let mut step = instance.enter(main, &[], &mut []).unwrap();
        while matches!(step, Step::Yield) {
            step = instance.resume(0);
        }
        done(step);
        drop(instance);
        assert_eq!(account.used(), 0);
    }
}

#[test]
fn dying_in_the_middle_frees_everything() {
    let source = format!(
        "{SET}
        global mut kept = \"\"
        export func main() {{
          let a = buf(1000)
          let b = buf(2000)
          kept = concat(\"some\", \"thing\")
          let c = concat(kept, kept)
          peer.put(1)
          let turned = peer.turn(a)
          assert c == \"\"
        }}"
    );
    // Dropped while it waits: with a packet that holds a buffer, and without.
    let mut vm = Vm::load(&source);
    assert!(matches!(vm.start(), Step::Call { .. }));
    assert!(vm.account.used() > 3000);
    vm.end();
    let mut vm = Vm::load(&source);
    assert!(matches!(vm.start(), Step::Call { .. }));
    let packet = vm.instance.take_packet(0);
    assert_eq!(packet.attachments[0].as_buf().unwrap().len(), 1000);
    drop(packet);
    let report =
        trap(vm.instance.resume_call(Ok(Reply::new(&[Value::Buf(0)], vec![Buf::new(&vm.account, 5).unwrap().into()]))));
    assert_eq!(report.kind, TrapKind::Assertion);
    vm.end();
}

#[test]
fn cores_do_not_disturb_each_other() {
    let run = || {
        for _ in 0..20 {
            let report = trap_of("func f(n: i32) -> i32 { return f(n) + n }\nexport func main() { assert f(1) == 0 }");
            assert_eq!(report.kind, TrapKind::StackOverflow);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(run);
        }
    });
}
