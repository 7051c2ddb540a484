//! Device instructions: what lands in packets, and the code that puts it there.

mod support;

use il::isa::EVENT_BASE;
use il::packet::{Builder, Head, Value};
use support::{End, Reply, Vm, all_options, options, text};

const SOURCE: &str = r#"module emission
isa test.screen@1 {
  1 plot(x: i32, y: i32, color: i32)
  2 text(x: i32, a: str, b: str, n: i64)
  3 blit(x: i32, a: buf, b: buf)
  4 all(a: bool, b: f64, c: i64)
  5 ask(x: i32) -> (a: i32, b: f64, c: bool)
  6 sync() -> ()
}
isa test.meter@1 { event 3 changed(value: f64, unit: str) }
use screen: test.screen@1
provides test.meter@1 {}

export func plot(x: i32, y: i32, color: i32) { screen.plot(x, y, color) }
export func plots(n: i32) { for i in 0..n { screen.plot(i, i + 1, 7) } }
export func words(x: i32, s: str, n: i64) { screen.text(x, "short", s, n) }
export func long(s: str) { screen.text(-1, s, "0123456789012345678901234567890123456789012345678901234567890123456789", -1) }
export func blit(a: buf, b: buf, x: i32) { screen.blit(x, a, b) }
export func all(a: bool, b: f64, c: i64) { screen.all(a, b / b, c) }
export func ask(x: i32) -> (i32, bool) { let (a, b, c) = screen.ask(x) return (a + i32(b), c) }
export func try_ask(x: i32) -> (i32, i32) { let (status, a, b, c) = try screen.ask(x) return (status, a) }
export func sync() { screen.plot(1, 2, 3) screen.sync() screen.plot(4, 5, 6) flush(screen) }
export func changed(value: f64, unit: str) { emit changed(value, unit) emit changed(value, "m") }
"#;

/// Words of an instruction without a tag, by the reference encoder.
fn words(opcode: u16, operands: &[Value<'_>]) -> Vec<u64> {
    let mut builder = Builder::default();
    builder.begin(opcode, 0);
    for operand in operands {
        builder.push(*operand);
    }
    builder.end().unwrap();
    builder.words
}

fn sent(vm: &mut Vm) -> Vec<u64> {
    vm.sent.drain(..).flat_map(|(_, words, _)| words).collect()
}

#[test]
fn packets_hold_what_the_reference_encoder_writes() {
    let module = text(SOURCE);
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        assert_eq!(vm.run("plot", &[5, u64::from(u32::MAX), 0xff00ff]), End::Done);
        assert_eq!(sent(&mut vm), words(1, &[Value::I32(5), Value::I32(-1), Value::I32(0xff00ff)]));
        for length in [0, 1, 7, 8, 9, 63, 400] {
            let operand = "ü".repeat(length / 2) + &"x".repeat(length % 2);
            let address = vm.new_str(&operand);
            assert_eq!(vm.run("words", &[2, address, u64::MAX]), End::Done);
            let expected = [Value::I32(2), Value::Str("short"), Value::Str(&operand), Value::I64(-1)];
            assert_eq!(sent(&mut vm), words(2, &expected), "{length}");
            let address = vm.new_str(&operand);
            assert_eq!(vm.run("long", &[address]), End::Done);
            let digits = "0123456789".repeat(7);
            let expected = [Value::I32(-1), Value::Str(&operand), Value::Str(&digits), Value::I64(-1)];
            assert_eq!(sent(&mut vm), words(2, &expected), "{length}");
        }
        assert_eq!(vm.run("all", &[1, 0, 1 << 63]), End::Done);
        let nan = f64::from_bits(0x7ff8_0000_0000_0000);
        assert_eq!(sent(&mut vm), words(4, &[Value::Bool(true), Value::F64(nan), Value::I64(i64::MIN)]));
        assert_eq!(vm.alive(), (0, 0));
    }
}

const CARRYING: &str = r#"module carrying
frozen struct Point { x: i32, next: ?Point }
isa test.store@1 {
  1 keep(name: str, point: Point, data: buf, other: ?Point, lamp: test.lamp@1(set), list: [i32], what: any)
}
isa test.lamp@1 { 1 set(level: i32) 2 get() -> i32 }
use store: test.store@1
use lamp: test.lamp@1

export func keep(name: str, data: buf, n: i32) {
  store.keep(str(n), new Point { x: n, next: null }, data, null, lamp, [n, n, n], concat(name, str(n)))
}
"#;

#[test]
fn references_travel_as_attachments() {
    let module = text(CARRYING);
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        let (name, data) = (vm.new_str("name"), vm.new_buf(b"bytes"));
        assert_eq!(vm.run("keep", &[name, data, 77]), End::Done);
        let (_, sent, attachments) = vm.sent.pop().unwrap();
        let operands = [
            Value::Str("77"),
            Value::Ref(0),
            Value::Buf(1),
            Value::OptRef(None),
            Value::Ref(2),
            Value::Ref(3),
            Value::Ref(4),
        ];
        assert_eq!(sent, words(1, &operands));
        let attachments: Vec<_> = attachments.iter().map(|bytes| std::str::from_utf8(bytes).unwrap()).collect();
        assert_eq!(attachments, ["0 long", "bytes", "slot 1", "3 long", "6 long"]);
    }
}

#[test]
fn a_full_packet_takes_the_slow_path_and_keeps_order() {
    let mut vm = Vm::new(text(SOURCE));
    vm.packet_words = 10; // two and a half instructions
    assert_eq!(vm.run("plots", &[7]), End::Done);
    assert_eq!(vm.sent.iter().map(|(_, words, _)| words.len() / 4).collect::<Vec<_>>(), [2, 2, 2, 1]);
    let expected: Vec<u64> =
        (0..7).flat_map(|i| words(1, &[Value::I32(i), Value::I32(i + 1), Value::I32(7)])).collect();
    assert_eq!(sent(&mut vm), expected);
}

#[test]
fn buffers_move_into_the_attachment_list() {
    let mut vm = Vm::new(text(SOURCE));
    vm.packet_words = 1000;
    for round in 0..40u8 {
        // One run leaves its packet open no longer than itself; the list's limit is checked below.
        let (a, b) = (vm.new_buf(&[round]), vm.new_buf(&[round, 1]));
        assert_eq!(vm.run("blit", &[a, b, 9]), End::Done);
    }
    let first = vm.sent.first().cloned().unwrap();
    assert_eq!(first, (0, words(3, &[Value::I32(9), Value::Buf(0), Value::Buf(1)]), vec![vec![0], vec![0, 1]]));
    assert_eq!(vm.alive(), (0, 0));
}

#[test]
fn a_full_attachment_list_takes_the_slow_path() {
    let source = SOURCE.replace(
        "export func sync",
        "export func many(n: i32) { for i in 0..n { let a = buf(i) let b = buf(1) screen.blit(i, a, b) } } export func sync",
    );
    let mut vm = Vm::new(text(&source));
    vm.packet_words = 4000;
    assert_eq!(vm.run("many", &[70]), End::Done);
    assert_eq!(vm.sent.iter().map(|(_, _, list)| list.len()).collect::<Vec<_>>(), [64, 64, 12]);
    assert_eq!(vm.sent[1].1[..4], words(3, &[Value::I32(32), Value::Buf(0), Value::Buf(1)]));
    assert_eq!(vm.sent[2].2[10].len(), 69, "buffers arrive in order");
}

#[test]
fn waiting_instructions_yield_results_or_statuses() {
    let module = text(SOURCE);
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        vm.device = Box::new(|(_, words, _)| match words.last() {
            Some(3) => (11, vec![]),
            _ => (0, vec![Reply::Word(u64::from(-2i32 as u32)), Reply::Word(40.5f64.to_bits()), Reply::Word(1)]),
        });
        assert_eq!(vm.run("ask", &[4]), End::Done);
        assert_eq!((vm.value(0), vm.value(1)), (38, 1));
        let head = Head { opcode: 5, words: 2, tag: 7 }.pack();
        assert_eq!(sent(&mut vm), [head, 4]);
        assert_eq!(vm.run("try_ask", &[4]), End::Done);
        assert_eq!((vm.value(0), vm.value(1) as i32), (0, -2));
        assert_eq!(vm.run("try_ask", &[3]), End::Done);
        assert_eq!((vm.value(0), vm.value(1)), (11, 0));
        assert_eq!(vm.run("ask", &[3]), End::Device { slot: 0, opcode: 5, status: 11 });
        vm.sent.clear();
        assert_eq!(vm.run("sync", &[]), End::Done);
        assert_eq!(vm.sent.iter().map(|(_, words, _)| words.len()).collect::<Vec<_>>(), [5, 4]);
        vm.flush_status = 5;
        assert_eq!(vm.run("sync", &[]), End::Device { slot: 0, opcode: 0, status: 5 });
    }
}

#[test]
fn events_go_to_the_slot_behind_the_last_use() {
    let mut vm = Vm::new(text(SOURCE));
    let unit = vm.new_str("metres per second");
    assert_eq!(vm.run("changed", &[1.25f64.to_bits(), unit]), End::Done);
    assert!(vm.sent.iter().all(|(slot, _, _)| *slot == 1));
    let first = words(EVENT_BASE + 3, &[Value::F64(1.25), Value::Str("metres per second")]);
    let second = words(EVENT_BASE + 3, &[Value::F64(1.25), Value::Str("m")]);
    assert_eq!(sent(&mut vm), [first, second].concat());
    assert_eq!(vm.alive(), (0, 0));
}

/// Golden CLIF: emission is inline, without a call on its hot path. `UPDATE_GOLDEN=1` rewrites.
#[test]
fn emission_is_the_code_on_file() {
    let module = il::verify(text(SOURCE)).unwrap();
    let pinned = compiler::Options { cpu: compiler::Cpu::BASELINE, ..options() };
    for name in ["plot", "words", "blit", "ask"] {
        let func = module.export(name).unwrap();
        let clif = compiler::clif(&module, func, &pinned).unwrap();
        support::golden(&format!("{name}.clif"), &clif);
    }
}
