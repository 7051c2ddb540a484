//! Every `str` and `buf` is released exactly once on every way out of a function.

mod support;

use support::{End, Reply, Vm, all_options, text};

const SOURCE: &str = r#"module ownership
isa test.device@1 {
  1 note(text: str)
  2 ask(text: str) -> (answer: str)
  3 store(data: buf) -> ()
  4 fetch(n: i32) -> buf
  5 pair(a: buf, n: i32, b: buf)
  6 both() -> (text: str, data: buf)
}
use device: test.device@1
global mut last: str = "none"
global motto: str = "fixed"

func twice(s: str) -> str { return concat(s, s) }
func flip(a: str, b: str) -> (str, str) { return (b, a) }
func same(s: str) -> str { return s }
func pick(a: str, b: str, first: bool) -> str { if first { return a } return b }
func grow(s: str) -> str { var t = s t = concat(t, "!") t = concat(t, "!") return t }
func fill(b: ref buf, v: i32) { for i in 0..len(b) { b[i] = v } }
func make(n: i32) -> buf { let b = buf(n) fill(b, n) return b }
func pass(b: buf) -> buf { return b }
func eat(b: buf) -> i32 { return len(b) }
func maybe(n: i32, keep: bool) -> buf {
  let a = make(n)
  let b = make(n + 1)
  if keep { return a }
  return b
}

export func text(s: str) -> str {
  let a = twice(s)
  let b = same(a)
  let c = pick(a, concat(b, "x"), false)
  return grow(c)
}
export func loop_text(n: i32) -> i32 {
  var s = ""
  for i in 0..n { s = concat(s, str(i)) if len(s) > 30 { break } }
  return len(s)
}
export func swap(n: i32) -> str {
  var a = str(n)
  var b = "b"
  for i in 0..n { (a, b) = flip(a, b) }
  return concat(a, b)
}
export func global_text(n: i32) -> str {
  let before = last
  last = str(n)
  last = concat(last, motto)
  if n > 5 { last = before }
  return last
}
export func compare(n: i32) -> bool { return str(n) == "7" || concat("a", str(n)) == concat("a", "8") || motto != "fixed" }
export func chosen(n: i32) -> i32 { return len(if n > 3 { str(n) } else { "literal" }) + str(n)[0] }
export func discard(n: i32) { twice(str(n)) make(n) }

export func bufs(n: i32) -> i32 {
  let a = make(n)
  let b = pass(a)
  var c = maybe(n, n > 3)
  c = maybe(n, n > 4)
  var total = len(b) + eat(c)
  for i in 0..3 { let d = make(i) if i == 1 { continue } total += len(d) if total > 1000 { return 0 } }
  return total
}
export func keep(n: i32) -> buf { let a = make(n) return a }
export func param(b: buf, s: str, drop: bool) -> i32 { if drop { return len(b) } return eat(b) + len(s) }
export func copied() -> i32 { let a = make(8) let b = buf(8) copy(b, 2, a, 0, 4) return b[5] * 100 + b[6] }

export func send(n: i32) -> str {
  device.note(concat("n=", str(n)))
  let answer = device.ask(str(n))
  device.note(answer)
  let b = make(n)
  device.pair(b, n, make(3))
  return answer
}
export func round(n: i32) -> i32 {
  let b = device.fetch(n)
  let size = len(b)
  device.store(b)
  let (s, d) = device.both()
  return size + len(s) + len(d)
}
export func tried(n: i32) -> i32 {
  let (status, answer) = try device.ask(str(n))
  let (status2, b) = try device.fetch(n)
  let c = make(2)
  let s3 = try device.store(c)
  return status * 10000 + status2 * 100 + s3 + len(answer) + len(b)
}
export func otherwise(n: i32) -> i32 {
  let b = try device.fetch(n) else s { return 0 - s }
  return len(b)
}
"#;

fn replies(vm: &mut Vm) {
    vm.device = Box::new(|(_, words, attachments)| {
        // The last instruction of the packet waits; its head carries the tag.
        let at = words.iter().rposition(|word| word >> 32 == 7 && word & 0xffff <= 6).unwrap();
        match words[at] as u8 {
            2 => (0, vec![Reply::Str(format!("answer {}", words[at + 1]))]),
            3 => (if attachments[0].is_empty() { 2 } else { 0 }, vec![]),
            4 if words[at + 1] > 9 => (9, vec![]),
            4 => (0, vec![Reply::Buf(vec![1; words[at + 1] as usize])]),
            6 => (0, vec![Reply::Str("text".into()), Reply::Buf(vec![0; 5])]),
            other => panic!("{other}"),
        }
    });
}

#[test]
fn nothing_leaks_and_nothing_is_freed_twice() {
    let module = text(SOURCE);
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        replies(&mut vm);
        strings(&mut vm);
        buffers(&mut vm);
        devices(&mut vm);
    }
}

#[test]
fn several_locals_are_assigned_at_once() {
    use il::instr::{Instr, Writer};
    use il::{LocalId, Type};
    use support::build::{Build, get, op};

    // (a, b) = (b, a); (_, a) = (a, concat(a, b)); return a
    let mut writer = Writer::default();
    for instr in [get(1), get(0)] {
        writer.push(instr);
    }
    writer.set(&[Some(LocalId(0)), Some(LocalId(1))]);
    for instr in [get(0), get(0), get(1), op(il::op::Op::StrConcat)] {
        writer.push(instr);
    }
    writer.set(&[None, Some(LocalId(0))]);
    for instr in [get(0), Instr::Return] {
        writer.push(instr);
    }
    let mut build = Build::new();
    build.func_bytes("swap", &[Type::Str, Type::Str], &[Type::Str], &[], writer.bytes);
    let mut vm = Vm::new(build.module);
    let (a, b) = (vm.new_str("a"), vm.new_str("b"));
    assert_eq!(returned_text(&mut vm, "swap", &[a, b]), "ba");
    assert_eq!(vm.alive(), (0, 0));
}

#[test]
fn requests_are_answered_or_failed() {
    let module = text(
        r#"module served
        isa test.shelf@1 { 1 put(at: i32, data: buf, note: str) 2 label(at: i32) -> (text: str, data: buf, n: i64) event 1 full(n: i32) }
        global mut notes: str = ""
        provides test.shelf@1 as shelf {
          op put(at: i32, data: buf, note: str) {
            var copy = note
            if at < 0 { fail 2 }
            copy = concat(copy, str(len(data)))
            notes = concat(notes, copy)
            emit full(at)
          }
          op label(at: i32) -> (text: str, data: buf, n: i64) {
            let data = buf(at)
            let text = concat(notes, "!")
            if at == 3 { fail at + 1 }
            return (text, data, 9)
          }
        }
        "#,
    );
    let mut vm = Vm::new(module);
    let ops = vm.module.provides[0].ops.clone();
    for (at, failed) in [(-1i32, Some(2)), (4, None)] {
        let (data, note) = (vm.new_buf(&[1, 2]), vm.new_str("note"));
        assert_eq!(vm.enter(ops[0], &[u64::from(at as u32), data, note]), End::Done);
        assert_eq!(vm.failed_with.take(), failed);
    }
    assert_eq!(vm.sent.len(), 1, "one event");
    assert_eq!(vm.alive(), (1, 0), "the global's text");
    assert_eq!(vm.enter(ops[1], &[3]), End::Done);
    assert_eq!(vm.failed_with.take(), Some(4));
    assert_eq!((vm.text(vm.value(0)).as_str(), vm.value(2), vm.alive()), ("", 0, (1, 0)));
    assert_eq!(vm.enter(ops[1], &[5]), End::Done);
    let (label, data) = (vm.value(0), vm.value(1));
    assert_eq!((vm.text(label).as_str(), vm.take_buf(data).len(), vm.value(2)), ("note2!", 5, 9));
    assert_eq!(vm.alive(), (1, 0));
}

#[test]
fn a_request_that_is_handed_on_leaves_nothing_behind() {
    let module = text(
        r#"module between
        isa test.shelf@1 { 1 put(at: i32, data: buf, note: str) 2 label(at: i32) -> (text: str, data: buf) }
        use below: test.shelf@1
        provides test.shelf@1 {
          op put(at: i32, data: buf, note: str) {
            let scratch = buf(at)
            return tail below.put(at + len(scratch), data, concat(note, "!"))
          }
          op label(at: i32) -> (text: str, data: buf) {
            let way = below as test.shelf@1(label)
            if at > 0 { return tail way.label(at) }
            return ("", buf(1))
          }
        }"#,
    );
    let mut vm = Vm::new(module);
    let ops = vm.module.provides[0].ops.clone();
    let (data, note) = (vm.new_buf(&[1, 2]), vm.new_str("note"));
    assert_eq!(vm.enter(ops[0], &[3, data, note]), End::Done);
    assert_eq!(vm.forwarded.take(), Some(0));
    assert_eq!(vm.sent.len(), 1);
    assert_eq!(vm.sent[0].1[1], 6);
    assert_eq!(vm.enter(ops[1], &[5]), End::Done);
    assert_eq!(vm.forwarded.take(), Some(0));
    let (label, empty) = (vm.value(0), vm.value(1));
    assert_eq!((vm.text(label).as_str(), vm.take_buf(empty).len()), ("", 0));
    assert_eq!(vm.enter(ops[1], &[0]), End::Done);
    let data = vm.value(1);
    assert_eq!((vm.forwarded.take(), vm.take_buf(data).len()), (None, 1));
}

fn returned_text(vm: &mut Vm, name: &str, args: &[u64]) -> String {
    assert_eq!(vm.run(name, args), End::Done, "{name}");
    let result = vm.value(0);
    vm.text(result)
}

fn strings(vm: &mut Vm) {
    let argument = vm.new_str("ab");
    assert_eq!(returned_text(vm, "text", &[argument]), "ababx!!");
    assert_eq!(vm.alive(), (0, 0), "text");
    assert_eq!(vm.eval("loop_text", &[100]), Ok(32));
    assert_eq!(vm.alive(), (0, 0), "loop");
    for (n, expected) in [(3, "b3"), (4, "4b"), (0, "0b")] {
        assert_eq!(returned_text(vm, "swap", &[n]), expected);
        assert_eq!(vm.alive(), (0, 0), "swap");
    }
    for (n, expected) in [(7, 1), (8, 1), (9, 0)] {
        assert_eq!(vm.eval("compare", &[n]), Ok(expected));
    }
    assert_eq!(vm.eval("chosen", &[1]), Ok(7 + u64::from(b'1')));
    assert_eq!(vm.eval("chosen", &[45]), Ok(2 + u64::from(b'4')));
    assert_eq!(vm.run("discard", &[45]), End::Done);
    assert_eq!(vm.alive(), (0, 0), "temporaries");
    for (n, expected) in [(1, "1fixed"), (6, "1fixed"), (2, "2fixed")] {
        assert_eq!(returned_text(vm, "global_text", &[n]), expected);
        assert_eq!(vm.alive(), (1, 0), "the global holds one");
    }
}

fn buffers(vm: &mut Vm) {
    for (n, c) in [(3, 4), (4, 5), (5, 5)] {
        assert_eq!(vm.eval("bufs", &[n]), Ok(n + c + 2));
        assert_eq!(vm.alive(), (1, 0), "bufs");
    }
    assert_eq!(vm.run("keep", &[6]), End::Done);
    let result = vm.value(0);
    assert_eq!(vm.take_buf(result), [6; 6]);
    for (drop, expected) in [(1, 4), (0, 7)] {
        let (buf, text) = (vm.new_buf(&[0; 4]), vm.new_str("abc"));
        assert_eq!(vm.eval("param", &[buf, text, drop]), Ok(expected));
        assert_eq!(vm.alive(), (1, 0), "param");
    }
    assert_eq!(vm.eval("copied", &[]), Ok(800));
    assert_eq!(vm.alive(), (1, 0), "copied");
}

fn devices(vm: &mut Vm) {
    vm.sent.clear();
    assert_eq!(returned_text(vm, "send", &[5]), "answer 1");
    assert_eq!(vm.alive(), (1, 0), "send");
    let attachments: Vec<Vec<u8>> = vm.sent.iter().flat_map(|(_, _, attachments)| attachments.clone()).collect();
    assert_eq!(attachments, [vec![5; 5], vec![3; 3]]);
    assert_eq!(vm.eval("round", &[5]), Ok(14));
    assert_eq!(vm.eval("tried", &[3]), Ok(8 + 3), "both succeed");
    assert_eq!(vm.eval("tried", &[30]), Ok(900 + 8), "the second fails");
    assert_eq!(vm.eval("otherwise", &[4]), Ok(4));
    assert_eq!(vm.eval("otherwise", &[40]), Ok(u64::from(-9i32 as u32)));
    assert_eq!(vm.alive(), (1, 0), "try");
    assert_eq!(vm.run("round", &[40]), End::Device { slot: 0, opcode: 4, status: 9 });
    assert_eq!(vm.run("round", &[0]), End::Device { slot: 0, opcode: 3, status: 2 });
}
