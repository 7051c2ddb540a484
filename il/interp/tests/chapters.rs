//! The interpreter through the front door, chapter by chapter: text in, outcome out, every claim of the
//! verifier asserted on the way.
#![allow(missing_docs)]

use il::trap::{Status, TrapKind};
use il::verify::VerifiedModule;
use interp::{Attached, Datum, Limits, Machine, Outcome, Packet, Report};

fn module(source: &str) -> VerifiedModule {
    let module = il::text::compile("test.il", source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"))
}

fn limits() -> Limits {
    Limits { check: true, fuel: 10_000_000, ..Limits::default() }
}

fn machine(module: &VerifiedModule) -> Machine<'_> {
    let mut machine = Machine::new(module, limits()).unwrap_or_else(|report| panic!("{report}"));
    (0..machine.slots()).for_each(|slot| machine.open_slot(slot));
    machine
}

#[track_caller]
fn call(source: &str, func: &str, args: &[Datum]) -> Outcome {
    let module = module(source);
    machine(&module).call(module.export(func).unwrap(), args).unwrap()
}

/// Runs `main` of a program whose asserts say what has to be.
#[track_caller]
fn runs(source: &str) {
    match call(source, "main", &[]) {
        Outcome::Done(values) => assert!(values.is_empty()),
        Outcome::Trap(report) => panic!("{report}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn traps(source: &str) -> Report {
    match call(source, "main", &[]) {
        Outcome::Trap(report) => *report,
        other => panic!("no trap, but {other:?}"),
    }
}

#[test]
fn numbers_wrap_trap_and_convert() {
    runs(
        "
        func least() -> i32 { return -2147483648 }
        export func main() {
          assert least() - 1 == 2147483647
          assert least() % -1 == 0
          assert 7 / -2 == -3
          assert -7 % 3 == -1
          assert shr_u(-1, 28) == 15
          assert 1 << 33 == 2
          assert div_u(-1, 2) == 2147483647
          assert i32_sat(1.0e20) == 2147483647
          assert i64_bits(0.0 / 0.0) == 0x7ff8000000000000
          assert i32_bits(f32(0.0) / f32(0.0)) == 0x7fc00000
          assert i64_bits(min(0.0, -0.0)) == i64_bits(-0.0)
          assert nearest(2.5) == 2.0
          assert f64(f32(0.1)) == 0.10000000149011612
          assert i64_u(-1) == 4294967295
        }",
    );
    let zero = "func zero() -> i32 { return 0 } ";
    assert_eq!(traps(&format!("{zero} export func main() {{ let x = 1 / zero() }}")).kind, TrapKind::DivisionByZero);
    let overflow = "func m() -> i32 { return -1 } export func main() { let x = -2147483648 / m() }";
    assert_eq!(traps(overflow).kind, TrapKind::IntegerOverflow);
    assert_eq!(traps("export func main() { let x = i32(2147483648.0) }").kind, TrapKind::BadConversion);
}

#[test]
fn vectors_have_lanes() {
    runs(
        "
        export func main() {
          let a = i32x4.splat(7)
          let b = i32x4.replace_lane(a, -1, 2)
          assert i32x4.extract_lane(i32x4.add(a, b), 2) == 6
          assert i8x16.bitmask(b) == 0xf00
          assert i32x4.bitmask(b) == 4
          let c = v128(0x0706050403020100, 0x0f0e0d0c0b0a0908)
          assert i8x16.extract_lane_u(i8x16.swizzle(c, i8x16.splat(3)), 9) == 3
          assert i16x8.extract_lane_s(i8x16.narrow_i16x8_s(i16x8.splat(-300), i16x8.splat(300)), 0) == -32640
          assert i32x4.extract_lane(i32x4.dot_i16x8_s(i16x8.splat(-2), i16x8.splat(5)), 1) == -20
          assert f64x2.extract_lane(f64x2.mul(f64x2.splat(1.5), f64x2.splat(2.0)), 1) == 3.0
          assert v128.any_true(v128.xor(c, c)) == false
        }",
    );
}

#[test]
fn memory_has_bounds() {
    runs(
        "
        memory 1..2
        data 8 \"abc\"
        export func main() {
          assert load8_u(9) == 98
          store32(65532, -2)
          assert load16_s(65534) == -1
          assert load64(0, offset: 8) == 0x636261
          assert memory_grow(1) == 1
          assert memory_grow(1) == -1
          assert memory_size() == 2
          memory_fill(65530, 5, 10)
          memory_copy(65531, 65530, 3)
          assert load8_u(65533) == 5
          assert str_at(8, 3) == \"abc\"
        }",
    );
    let outside = traps("memory 1..1 export func main() { store32(65533, 1) }");
    assert_eq!(outside.kind, TrapKind::MemoryOutOfBounds);
    // The sum of address and offset does not wrap.
    let wraps = traps("memory 1..1 export func main() { let x = load8_u(-1, offset: 1) }");
    assert_eq!(wraps.kind, TrapKind::MemoryOutOfBounds);
    let bad = traps("memory 1..1 data 0 \"\\u{e9}\" export func main() { let x = str_at(0, 1) }");
    assert_eq!(bad.kind, TrapKind::BadUtf8);
}

#[test]
fn buffers_are_owned_and_lent() {
    runs(
        "
        struct Box { mut data: ?buf }
        func fill(b: ref buf, with: i32) { for i in 0..len(b) { b[i] = with + i } }
        func pass(b: buf) -> buf { return b }
        export func main() {
          let a = buf(4)
          fill(a, 254)
          assert load32(a, 0) == 0x0100fffe
          let b = pass(a)
          let box = new Box { data: b }
          if let c = take(box.data) as buf { assert c[1] == 255 } else { trap \"empty\" }
          if let d = take(box.data) as buf { trap \"twice\" }
        }",
    );
    assert_eq!(traps("export func main() { let b = buf(3) b[3] = 1 }").kind, TrapKind::IndexOutOfBounds);
}

#[test]
fn strings_are_bytes_of_characters() {
    runs(
        "
        export func main() {
          let s = concat(\"grü\", \"n\")
          assert len(s) == 5
          assert s == \"grün\"
          assert slice(s, 2, 4) == \"ü\"
          assert s[4] == 'n'
          assert str(-0.0) == \"-0.0\"
          assert str(1.0e16) == \"1e16\"
          assert str(f32(0.1)) == \"0.1\"
          assert str(true) == \"true\"
        }",
    );
    assert_eq!(traps("export func main() { let x = slice(\"ü\", 0, 1) }").kind, TrapKind::BadUtf8);
    assert_eq!(traps("export func main() { let x = slice(\"u\", 1, 0) }").kind, TrapKind::IndexOutOfBounds);
}

#[test]
fn objects_have_identity_and_types() {
    runs(
        "
        struct Shape { id: i32 }
        struct Circle: Shape { mut r: u8 }
        struct Square: Shape { side: i32 }
        export func main() {
          let c = new Circle { id: 1, r: 300 }
          let s: Shape = c
          assert c.r == 44
          c.r = 257
          assert (s as Circle).r == 1
          assert !(s is Square)
          assert s == c
          assert new Circle { id: 1, r: 1 } != c
          let all: [Shape] = [c, new Square { id: 2, side: 3 }]
          let some: any = all
          assert some is [Shape]
          assert some is [?Shape]
          assert !(some is [Circle])
          let circles: any = [c]
          assert circles is [Shape]
          let none: ?Shape = null
          assert !(none is Shape)
          assert all[1].id == 2
        }",
    );
    let cast = traps("struct A { x: i32 } export func main() { let a: any = \"text\" let b = a as A }");
    assert_eq!(cast.kind, TrapKind::Cast);
    assert_eq!(traps("export func main() { let a = [1] let x = a[-1] }").kind, TrapKind::IndexOutOfBounds);
}

#[test]
fn freeze_copies_what_is_not_frozen_once() {
    runs(
        "
        frozen struct Link { value: i32, next: ?Link }
        export func main() {
          let inner = new Link { value: 1, next: null }
          let a = freeze(inner)
          assert a != inner
          assert freeze(a) == a
          let pair = freeze([inner, inner, a])
          assert pair[0] == pair[1]
          assert pair[2] == a
          assert pair[0] != a
        }",
    );
}

#[test]
fn control_goes_where_it_should() {
    runs(
        "
        func name(n: i32) -> str {
          match n { 0 => { return \"none\" } 1 | 2 => { return \"few\" } _ => { return \"many\" } }
        }
        export func main() {
          var sum = 0
          for i in 2..5 { sum += i }
          assert sum == 9
          for i in 5..2 { sum = 0 }
          assert sum == 9
          var turns = 0
          'outer: loop {
            while true {
              turns += 1
              if turns < 3 { continue 'outer }
              break 'outer
            }
          }
          assert turns == 3
          assert concat(name(0), concat(name(2), name(9))) == \"nonefewmany\"
          let x = if turns == 3 && sum > 8 { 1 } else { 2 }
          assert x == 1
        }",
    );
}

#[test]
fn a_trap_says_where() {
    let source = "func inner(n: i32) { assert n > 0 }
        func outer() { inner(1) inner(0) }
        export func main() { outer() }";
    let module = module(source);
    let mut machine = machine(&module);
    let Outcome::Trap(report) = machine.call(module.export("main").unwrap(), &[]).unwrap() else { panic!("no trap") };
    assert_eq!(report.kind, TrapKind::Assertion);
    assert_eq!(report.backtrace.len(), 3);
    let lines: Vec<_> = report.backtrace.iter().map(|place| module.line_at(place.func, place.offset)).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(3)]);
    assert_eq!(machine.trap(), Some(&*report), "it stays dead");
}

#[test]
fn calls_go_through_references_and_tails() {
    let source = "
        func even(n: i32) -> bool { if n == 0 { return true } return tail odd(n - 1) }
        func odd(n: i32) -> bool { if n == 0 { return false } return tail even(n - 1) }
        func twice(f: func(i32) -> i32, x: i32) -> i32 { return f(f(x)) }
        func next(x: i32) -> i32 { return x + 1 }
        func three() -> (i32, str, bool) { return (1, \"two\", true) }
        export func main() {
          assert even(10000)
          assert twice(&next, 5) == 7
          let (a, b, c) = three()
          assert c && a == 1 && b == \"two\"
        }";
    runs(source);
    let endless = traps("func f(n: i32) -> i32 { return f(n) + 1 } export func main() { let x = f(0) }");
    assert_eq!(endless.kind, TrapKind::StackOverflow);
}

const SET: &str = "
    isa test.peer@1 {
      1 put(number: i32)
      2 ask(text: str) -> (reply: str, number: i32)
      3 turn(data: buf) -> buf
      4 check()  -> ()
      event 1 ping(text: str, data: buf)
    }
    use peer: test.peer@1
";

#[test]
fn devices_get_packets_and_answer() {
    let source = format!(
        "{SET}
        global mut pinged = 0
        on peer.ping(text: str, data: buf) {{ pinged = len(text) + len(data) }}
        export func main() {{
          peer.put(5)
          let (reply, number) = peer.ask(concat(\"a\", str(-1)))
          assert reply == \"häuser\"
          let (status, text, other) = try peer.ask(\"x\")
          assert status == 10 && text == \"\" && other == 0
          wait()
          assert pinged == 7
          flush(peer)
          let back = peer.turn(buf(2))
        }}"
    );
    let module = module(&source);
    let mut machine = machine(&module);
    let outcome = machine.call(module.export("main").unwrap(), &[]).unwrap();
    assert_eq!(outcome, Outcome::Call { slot: 0, opcode: 2 });
    machine.set_tag(9);
    let packet = machine.take_packet(0);
    assert_eq!(packet.words, [1 | 2 << 16, 5, 2 | 3 << 16 | 9 << 32, 3, u64::from_le_bytes(*b"a-1\0\0\0\0\0")]);
    let reply = Packet::of(&[Datum::Str("häuser".into()), Datum::I32(-7)]);
    assert_eq!(machine.resume_call(Ok(reply)), Some(Outcome::Call { slot: 0, opcode: 2 }));
    assert_eq!(machine.resume_call(Err(Status::Busy)), Some(Outcome::Wait));
    let handler = module.handlers[0].func;
    let done = machine.call(handler, &[Datum::Str("ping".into()), Datum::Buf(vec![1, 2, 3])]).unwrap();
    assert_eq!(done, Outcome::Done(vec![]));
    assert_eq!(machine.resume(0), Some(Outcome::Flush { slot: 0 }));
    assert_eq!(machine.resume(0), Some(Outcome::Call { slot: 0, opcode: 3 }));
    assert_eq!(machine.take_packet(0).attachments, [Attached::Buf(vec![0, 0])]);
    let Some(Outcome::Trap(report)) = machine.resume_call(Err(Status::PeerGone)) else { panic!("no trap") };
    assert_eq!((report.kind, report.status), (TrapKind::Device, Some(Status::PeerGone as u16)));
}

#[test]
fn a_full_packet_and_a_closed_slot_ask_for_room() {
    let module = module(&format!("{SET} export func main() {{ for i in 0..5000 {{ peer.put(i) }} }}"));
    let mut machine = machine(&module);
    let outcome = machine.call(module.export("main").unwrap(), &[]).unwrap();
    assert_eq!(outcome, Outcome::Room { slot: 0, words: 2, attachments: 0 });
    assert_eq!(machine.take_packet(0).words.len(), 8192);
    machine.close_slot(0);
    assert_eq!(machine.resume(0), Some(Outcome::Done(vec![])), "resuming gives a closed slot scratch room");
    assert_eq!(machine.take_packet(0).words.len(), 2 * (5000 - 4096));
}

#[test]
fn ops_answer_fail_and_know_their_caller() {
    let source = "
        isa test.mine@1 { 1 half(n: i32) -> i32 event 2 odd(n: i32) }
        provides test.mine@1 {
          op half(n: i32) -> i32 {
            if n & 1 == 1 { emit odd(n) fail caller }
            return n / 2
          }
        }";
    let module = module(source);
    let mut machine = machine(&module);
    let op = module.provides[0].ops[0];
    assert_eq!(machine.call(op, &[Datum::I32(8)]), Ok(Outcome::Done(vec![Datum::I32(4)])));
    machine.set_caller(5);
    assert_eq!(machine.call(op, &[Datum::I32(9)]), Ok(Outcome::Fail(5)));
    assert_eq!(machine.take_packet(0).words, [0x8002 | 2 << 16, 9]);
    assert_eq!(machine.resume(0), Some(Outcome::Done(vec![Datum::I32(0)])));
    assert_eq!(machine.call(op, &[Datum::Bool(true)]), Err(Status::BadOperand));
}

#[test]
fn programs_execute_instructions_of_their_set() {
    let source = "
        isa test.screen@1 { 1 size() -> (w: i32, h: i32) 2 plot(x: i32, y: i32) }
        use screen: test.screen@1
        program diagonal on test.screen@1 (step: i32) -> i32 {
          let (w, h) = size()
          plot(step, h)
          return w
        }
        export func main() { let w = screen.run(diagonal, 3) }";
    let module = module(source);
    let mut host = machine(&module);
    let Outcome::Run { slot: 0, program, operands } = host.call(module.export("main").unwrap(), &[]).unwrap() else {
        panic!("it runs a program")
    };
    assert_eq!(operands, Packet::of(&[Datum::I32(3)]));
    assert_eq!(host.resume_call(Ok(Packet::of(&[Datum::I32(640)]))), Some(Outcome::Done(vec![])));
    let mut guest = machine(&module);
    let code = module.programs[program.index()].func;
    assert!(matches!(guest.enter(code, operands), Ok(Outcome::Own { opcode: 1, .. })));
    let size = Packet::of(&[Datum::I32(640), Datum::I32(480)]);
    let plot = Packet::of(&[Datum::I32(3), Datum::I32(480)]);
    assert_eq!(guest.resume_call(Ok(size)), Some(Outcome::Own { opcode: 2, operands: plot }));
    assert_eq!(guest.resume_call(Ok(Packet::default())), Some(Outcome::Done(vec![Datum::I32(640)])));
}

#[test]
fn fuel_and_quota_end_what_does_not_end_itself() {
    let module = module("export func main() { loop {} } export func hoard() { let b = buf(100000000) }");
    let mut machine = machine(&module);
    assert_eq!(machine.call(module.export("main").unwrap(), &[]), Ok(Outcome::OutOfFuel));
    machine.refuel(100);
    assert_eq!(machine.resume(0), Some(Outcome::OutOfFuel), "it goes on where it stood");
    assert_eq!(machine.call(module.export("hoard").unwrap(), &[]), Err(Status::Busy));
    let mut other = self::machine(&module);
    let Ok(Outcome::Trap(report)) = other.call(module.export("hoard").unwrap(), &[]) else { panic!("no trap") };
    assert_eq!(report.kind, TrapKind::Quota);
}

#[test]
fn garbage_does_not_count() {
    runs(
        "
        struct Node { next: ?Node, data: [i64] }
        export func main() {
          var kept: ?Node = null
          for i in 0..20000 {
            let node = new Node { next: null, data: new [i64](400, 1) }
            if i % 5000 == 0 { kept = node }
          }
          assert (kept as Node).data[399] == 1
        }",
    );
}
