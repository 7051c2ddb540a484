//! Programs that make objects, as machine code on the hosted platform, at ease and under stress: there every
//! allocation collects, moving all that is alive and poisoning where it was.
#![allow(missing_docs)]

#[allow(dead_code, unreachable_pub)]
#[path = "../../bootstrapper/cascade/src/platform/mod.rs"]
mod platform;

use std::sync::Arc;

use basevm::attachment::Attachment;
use basevm::buf::{Account, Buf};
use basevm::engine::{Engine, Instance, LoadError, Program, Step, TrapReport};
use basevm::heap::Config;
use basevm::service::Reply;
use compiler::{Opt, Options};
use il::packet::{Builder, Value};
use il::trap::{Status, TrapKind};
use platform::{HostedOptions, HostedPlatform};

const QUOTA: u64 = 8 << 20;
const STACK_BYTES: usize = 1 << 20;

const SET: &str = "
isa test.peer@1 {
  1 put(number: i32)
  2 ask(text: str) -> (reply: str, number: i32)
  3 lanes(v: v128, f: f32) -> (v: v128, f: f32)
  event 1 ping(text: str, data: buf)
}
use peer: test.peer@1
";

struct Vm {
    instance: Instance,
    account: Arc<Account>,
}

fn load(source: &str, stress: bool, opt: Opt, quota: u64) -> Result<Vm, LoadError> {
    load_for(Engine::Jit, source, stress, opt, quota)
}

fn load_for(engine: Engine, source: &str, stress: bool, opt: Opt, quota: u64) -> Result<Vm, LoadError> {
    let platform = HostedPlatform::leaked(HostedOptions::default());
    let module = il::text::compile("test.il", source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let options = Options { verify: true, opt, ..Options::detect() };
    let program = match engine {
        Engine::Jit => {
            let compiled = compiler::compile(&module, &options).unwrap_or_else(|error| panic!("{error}"));
            Program::load(platform, module, compiled)?
        }
        Engine::Interpreter => Program::interpreted(platform, module)?,
    };
    let account = Account::new(quota);
    let config = Config { stress, clock: Some(platform), keep_pauses: false };
    let mut instance = Instance::with_heap(platform, program, account.clone(), STACK_BYTES, config)?;
    if instance.slots() > 1 {
        instance.open_slot(0, 7, 1);
    }
    Ok(Vm { instance, account })
}

impl Vm {
    fn start(&mut self) -> Step {
        let main = self.instance.program().module().export("main").unwrap();
        let step = self.instance.enter(main, &[], &mut []).unwrap();
        self.settle(step)
    }

    /// Goes on over the yields that the ticker asks for.
    fn settle(&mut self, mut step: Step) -> Step {
        while matches!(step, Step::Yield) {
            step = self.instance.resume(0);
        }
        step
    }

    /// Drops the VM: not a byte stays charged.
    fn end(self) {
        drop(self.instance);
        assert_eq!(self.account.used(), 0, "bytes leaked");
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

#[track_caller]
fn trap(step: Step) -> TrapReport {
    match step {
        Step::Trap(report) => *report,
        other => panic!("no trap, but {other:?}"),
    }
}

/// Calls `act` with VMs of all sorts that have not run yet.
#[track_caller]
fn each(source: &str, quota: u64, act: impl Fn(&mut Vm)) {
    let interpreted = load_for(Engine::Interpreter, source, false, Opt::None, quota);
    let mut vm = interpreted.unwrap_or_else(|error| panic!("interpreted: {error}"));
    act(&mut vm);
    vm.end();
    for (stress, opt) in [(false, Opt::Speed), (true, Opt::Speed), (true, Opt::None), (false, Opt::None)] {
        let mut vm = load(source, stress, opt, quota).unwrap_or_else(|error| panic!("{error}"));
        act(&mut vm);
        if stress {
            let statistics = vm.instance.heap_statistics();
            assert!(statistics.minor.count + statistics.full.count > 0, "stress collects");
        }
        vm.end();
    }
}

/// Runs `main` of a program whose asserts say what has to be.
#[track_caller]
fn runs(source: &str) {
    each(source, QUOTA, |vm| assert!(done(vm.start()).words.is_empty()));
}

fn words(values: &[Value<'_>]) -> Vec<u64> {
    let mut builder = Builder::default();
    values.iter().for_each(|value| {
        builder.push(*value);
    });
    builder.words
}

#[test]
fn lists_are_built_reversed_and_summed() {
    runs(
        "
        struct Node { value: i32, mut next: ?Node }
        func build(n: i32) -> ?Node {
          var head: ?Node = null
          for i in 0..n { head = new Node { value: i, next: head } }
          return head
        }
        func reverse(list: ?Node) -> ?Node {
          var rest = list
          var done: ?Node = null
          loop {
            if let node = rest as Node {
              rest = node.next
              node.next = done
              done = node
            } else { break }
          }
          return done
        }
        func sum(list: ?Node) -> i32 {
          var rest = list
          var total = 0
          var place = 1
          loop {
            if let node = rest as Node {
              total += node.value * place
              place += 1
              rest = node.next
            } else { break }
          }
          return total
        }
        export func main() {
          let list = build(100)
          assert sum(list) == 166650
          let other = build(50)
          assert sum(reverse(list)) == 333300
          assert sum(other) == 20825
        }",
    );
}

#[test]
fn trees_of_structs_and_substructs_survive() {
    runs(
        "
        struct Shape { weight: i32 }
        struct Leaf: Shape { text: str }
        struct Fork: Shape { mut left: Shape, mut right: Shape }
        func grow(depth: i32) -> Shape {
          if depth == 0 { return new Leaf { weight: 1, text: concat(\"leaf\", str(depth)) } }
          let left = grow(depth - 1)
          let right = grow(depth - 1)
          return new Fork { weight: left.weight + right.weight, left: left, right: right }
        }
        func check(shape: Shape) -> i32 {
          if let fork = shape as Fork {
            assert fork.weight == fork.left.weight + fork.right.weight
            return check(fork.left) + check(fork.right)
          }
          let leaf = shape as Leaf
          assert leaf.text == \"leaf0\"
          return 1
        }
        export func main() {
          let tree = grow(6)
          assert check(tree) == 64
          let fork = tree as Fork
          fork.left = grow(3)
          let garbage = grow(4)
          assert check(fork.left) == 8
          assert check(fork.right) == 32
          assert check(garbage) == 16
        }",
    );
}

#[test]
fn strings_move_as_any_object() {
    runs(
        "
        func repeat(text: str, times: i32) -> str {
          var all = \"\"
          for i in 0..times { all = concat(all, text) }
          return all
        }
        export func main() {
          let base = repeat(\"häß\", 40)
          assert len(base) == 200
          var parts = new mut [str](40, \"\")
          for i in 0..40 { parts[i] = slice(base, i * 5, i * 5 + 5) }
          for i in 0..40 { assert parts[i] == \"häß\" }
          assert concat(parts[3], str(-7)) == \"häß-7\"
          assert concat(\"\", parts[4]) == parts[5]
          assert slice(base, 0, 200) == base
          assert slice(base, 6, 6) == \"\"
          let other: any = base
          assert other is str
          assert other as str == base
        }",
    );
}

#[test]
fn arrays_of_arrays_and_large_arrays_keep_what_is_stored_in_them() {
    runs(
        "
        struct Cell { x: i32, y: i64 }
        export func main() {
          let rows = new mut [?mut [?Cell]](20, null)
          for y in 0..20 {
            let row = new mut [?Cell](20, null)
            rows[y] = row
            for x in 0..20 { row[x] = new Cell { x: x, y: i64(y) } }
          }
          for y in 0..20 {
            let row = rows[y] as mut [?Cell]
            for x in 0..20 {
              let cell = row[x] as Cell
              assert cell.x == x
              assert cell.y == i64(y)
            }
          }
          let large = new mut [any](5000, \"fill\")
          for i in 0..60 { large[i * 80] = new Cell { x: i, y: i64(-i) } }
          for i in 0..60 {
            let cell = large[i * 80] as Cell
            assert cell.x == i
            assert large[i * 80 + 1] as str == \"fill\"
          }
          let bytes = new mut [u8](100000, 7)
          bytes[99999] = 300
          assert bytes[99998] == 7
          assert bytes[99999] == 44
          assert len(bytes) == 100000
        }",
    );
}

#[test]
fn function_references_stand_in_objects() {
    runs(
        "
        struct Task { run: func(i32) -> i32, then: ?Task }
        func double(x: i32) -> i32 { return x * 2 }
        func next(x: i32) -> i32 { return x + 1 }
        func all(tasks: ?Task, start: i32) -> i32 {
          var rest = tasks
          var value = start
          loop {
            if let task = rest as Task {
              let f = task.run
              value = f(value)
              rest = task.then
            } else { break }
          }
          return value
        }
        export func main() {
          var tasks: ?Task = null
          for i in 0..20 {
            let f = if i & 1 == 0 { &double } else { &next }
            tasks = new Task { run: f, then: tasks }
          }
          assert all(tasks, 1) == 3070
          let f: any = &double
          assert f is func(i32) -> i32
          assert !(f is func(i64) -> i64)
        }",
    );
}

#[test]
fn deep_recursion_keeps_the_references_of_every_frame() {
    runs(
        "
        struct Node { value: i32, text: str }
        func down(depth: i32, above: ?Node) -> i32 {
          let mine = new Node { value: depth, text: str(depth) }
          var sum = 0
          if depth > 0 { sum = down(depth - 1, mine) }
          assert mine.text == str(mine.value)
          if let node = above as Node { assert node.value == depth + 1 }
          return sum + mine.value
        }
        export func main() { assert down(400, null) == 80200 }",
    );
}

#[test]
fn globals_have_initial_values_and_are_roots() {
    runs(
        "
        struct Pair { left: str, mut right: ?Pair }
        const LIMIT = 3
        global ORIGIN: Pair = new Pair { left: \"origin\", right: null }
        global TABLE: [i32] = [1, 2, 3]
        global mut last: ?Pair = null
        global mut count: i64 = 0
        global mut shade: f32 = 0.5
        export func main() {
          for i in 0..50 {
            last = new Pair { left: str(i), right: last }
            count += i64(1)
          }
          assert ORIGIN.left == \"origin\"
          assert TABLE[2] == LIMIT
          assert count == 50
          assert shade == 0.5
          let pair = last as Pair
          assert pair.left == \"49\"
          ORIGIN.right = pair
          let below = (ORIGIN.right as Pair).right as Pair
          assert below.left == \"48\"
        }",
    );
}

#[test]
fn frozen_graphs_share_and_stay() {
    runs(
        "
        frozen struct Link { text: str, next: ?Link, more: [?Link] }
        struct Box { mut link: ?Link }
        export func main() {
          var links: ?Link = null
          for i in 0..10 { links = new Link { text: str(i), next: links, more: [links, links, null] } }
          let frozen = freeze(links as Link)
          let again = freeze(frozen)
          assert again == frozen
          let holder = new Box { link: frozen }
          let outer = freeze(new Link { text: \"outer\", next: frozen, more: [] })
          for i in 0..200 { holder.link = new Link { text: str(i), next: holder.link, more: [] } }
          assert outer.text == \"outer\"
          let inner = outer.next as Link
          assert inner == frozen
          assert inner.text == \"9\"
          assert inner.more[0] as Link == inner.more[1] as Link
          let some: any = inner
          assert some is Link
          assert !(some is Box)
          assert !(some is str)
          let texts: any = inner.more
          assert texts is [?Link]
          assert !(texts is [i32])
          let literal: any = freeze(\"literal\")
          assert literal is str
        }",
    );
}

#[test]
fn regions_are_dropped_when_nothing_refers_to_them() {
    let source = "
        frozen struct Link { numbers: [i64] }
        export func main() {
          for i in 0..2000 {
            let frozen = freeze(new Link { numbers: new [i64](500, i64(i)) })
            assert frozen.numbers[499] == i64(i)
          }
        }";
    each(source, 1 << 20, |vm| assert!(done(vm.start()).words.is_empty()));
}

#[test]
fn bufs_of_dead_holders_are_freed() {
    let source = "
        struct Holder { mut data: ?buf, mut other: ?Holder }
        export func main() {
          var kept: ?Holder = null
          for i in 0..1000 {
            let data = buf(10000)
            data[0] = i
            let holder = new Holder { data: data, other: null }
            if i % 100 == 0 { kept = new Holder { data: buf(i + 1), other: kept } }
          }
          var count = 0
          loop {
            if let holder = kept as Holder {
              if let data = take(holder.data) as buf { assert len(data) == 900 - count * 100 + 1 }
              count += 1
              kept = holder.other
            } else { break }
          }
          assert count == 10
          let bufs = new mut [?buf](3000, null)
          bufs[17] = buf(5)
          bufs[17] = buf(6)
          bufs[18] = buf(7)
          if let data = take(bufs[17]) as buf { assert len(data) == 6 } else { trap \"lost\" }
          if let data = take(bufs[17]) as buf { trap \"twice\" }
        }";
    each(source, 1 << 20, |vm| assert!(done(vm.start()).words.is_empty()));
}

#[test]
fn types_are_told_apart_at_run_time() {
    runs(&format!(
        "{SET}
        struct A {{ n: i32 }}
        struct B: A {{ m: i32 }}
        struct C: A {{ m: i32 }}
        func name(x: ?any) -> str {{
          if let s = x as str {{ return s }}
          if let b = x as B {{ return \"B\" }}
          if let a = x as A {{ return \"A\" }}
          if x is [A] {{ return \"[A]\" }}
          if x is mut [A] {{ return \"mut [A]\" }}
          if x is test.peer@1(put) {{ return \"cap\" }}
          return \"?\"
        }}
        export func main() {{
          let a = new A {{ n: 1 }}
          let b = new B {{ n: 1, m: 2 }}
          assert name(a) == \"A\"
          assert name(b) == \"B\"
          assert name(new C {{ n: 1, m: 2 }}) == \"A\"
          assert name(\"text\") == \"text\"
          assert name([b]) == \"[A]\"
          assert name([a, b]) == \"[A]\"
          assert name(new mut [A](3, b)) == \"mut [A]\"
          assert name(new mut [B](3, b)) == \"?\"
          assert name(peer) == \"cap\"
          assert name(null) == \"?\"
          peer.put(1)
        }}"
    ));
}

#[test]
fn a_collection_during_a_device_call_keeps_the_waiting_frames_whole() {
    let source = format!(
        "{SET}
        struct Node {{ text: str, next: ?Node }}
        func chain(n: i32) -> Node {{
          var node = new Node {{ text: \"end\", next: null }}
          for i in 0..n {{ node = new Node {{ text: str(i), next: node }} }}
          return node
        }}
        func asked(text: str, node: Node) -> str {{
          let (reply, number) = peer.ask(text)
          assert number == -7
          return concat(concat(reply, node.text), str(number))
        }}
        export func main() {{
          let node = chain(20)
          let text = asked(concat(\"question \", node.text), node)
          assert text == \"antwort19-7\"
          assert (node.next as Node).text == \"18\"
        }}"
    );
    for collections in [[false, false], [true, false], [false, true], [true, true]] {
        each(&source, QUOTA, |vm| {
            let step = vm.start();
            assert!(matches!(step, Step::Call { slot: 0, opcode: 2 }), "{step:?}");
            vm.instance.set_tag(9);
            let packet = vm.instance.take_packet(0);
            assert_eq!(packet.words[1..], words(&[Value::Str("question 19")]));
            for full in collections {
                vm.instance.collect(full).unwrap();
            }
            let step = vm.instance.resume_call(Ok(Reply::new(&[Value::Str("antwort"), Value::I32(-7)], vec![])));
            assert!(done(vm.settle(step)).words.is_empty());
        });
    }
}

#[test]
fn a_handler_collects_above_a_waiting_main() {
    let source = format!(
        "{SET}
        struct Node {{ text: str, next: ?Node }}
        global mut seen: ?Node = null
        on peer.ping(text: str, data: buf) {{
          for i in 0..len(data) {{ seen = new Node {{ text: concat(text, str(i)), next: seen }} }}
        }}
        export func main() {{
          let mine = new Node {{ text: str(41), next: null }}
          wait()
          assert mine.text == \"41\"
          let last = seen as Node
          assert last.text == \"ping!9\"
          assert (last.next as Node).text == \"ping!8\"
        }}"
    );
    each(&source, QUOTA, |vm| {
        assert!(matches!(vm.start(), Step::Wait));
        let handler = vm.instance.program().module().handlers[0].func;
        let buf = Buf::new(&vm.account, 10).map(Attachment::from);
        let step = vm.instance.enter(handler, &words(&[Value::Str("ping!"), Value::Buf(0)]), &mut [buf]);
        let step = vm.settle(step.unwrap());
        done(step);
        let step = vm.instance.resume(0);
        done(vm.settle(step));
    });
}

#[test]
fn vectors_and_single_floats_travel_in_packets() {
    let source = format!(
        "{SET}
        export func main() {{
          let v = i32x4.splat(7)
          let (w, f) = peer.lanes(v, f32(1.5))
          assert i32x4.extract_lane(w, 2) == 3
          assert f == 0.25
        }}"
    );
    let three = Value::V128(3 << 64);
    for stress in [false, true] {
        let mut vm = load(&source, stress, Opt::Speed, QUOTA).unwrap();
        assert!(matches!(vm.start(), Step::Call { slot: 0, opcode: 3 }));
        let packet = vm.instance.take_packet(0);
        let seven = Value::V128(7 | 7 << 32 | 7 << 64 | 7 << 96);
        assert_eq!(packet.words[1..], words(&[seven, Value::F32(1.5)]));
        let step = vm.instance.resume_call(Ok(Reply::new(&[three, Value::F32(0.25)], vec![])));
        done(vm.settle(step));
        vm.end();
    }
}

#[test]
fn what_the_quota_does_not_cover_traps_where_it_is_made() {
    let source = "
        struct Node { next: ?Node }
        func more(list: ?Node) -> Node {
          return new Node { next: list }
        }
        export func main() {
          var list: ?Node = null
          loop { list = more(list) }
        }";
    for (engine, quota) in [(Engine::Jit, 100 << 10), (Engine::Jit, 1 << 20), (Engine::Interpreter, 100 << 10)] {
        let mut vm = load_for(engine, source, false, Opt::Speed, quota).unwrap();
        let report = trap(vm.start());
        assert_eq!(report.kind, TrapKind::Quota);
        let places: Vec<_> = report.frames.iter().map(|frame| (frame.name.as_str(), frame.line)).collect();
        assert_eq!(places.last(), Some(&("main", Some(8))), "{report}");
        assert!(report.to_string().contains("main (test.il:8)"), "{report}");
        vm.end();
    }
    let garbage = "
        struct Node { next: ?Node }
        export func main() {
          for i in 0..200000 { let _ = new Node { next: null } }
          for i in 0..2000 { let _ = new mut [i64](2000, i64(i)) }
          for i in 0..20000 { let _ = concat(str(i), \"x\") }
        }";
    let mut vm = load(garbage, false, Opt::Speed, 100 << 10).unwrap();
    done(vm.start());
    vm.end();
}

#[test]
fn an_array_beyond_all_limits_traps() {
    let source = "export func main() { let a = new mut [i64](-1, i64(0)) }";
    for stress in [false, true] {
        let mut vm = load(source, stress, Opt::Speed, QUOTA).unwrap();
        assert_eq!(trap(vm.start()).kind, TrapKind::Quota);
        vm.end();
    }
}

#[test]
fn what_channels_do_not_carry_yet_is_refused_by_its_status() {
    let source = format!(
        "{SET}
        export func main() {{
          let less = attenuate(peer as test.peer@1(put))
          less.put(1)
        }}"
    );
    let mut vm = load(&source, false, Opt::Speed, QUOTA).unwrap();
    assert!(matches!(vm.start(), Step::Attenuate { slot: 0, .. }));
    let report = trap(vm.instance.refuse(Status::NotSupported));
    assert_eq!((report.kind, report.status), (TrapKind::Device, Some(11)));
    assert_eq!(report.message, "`attenuate` failed with status 11: not supported");
    vm.end();
}

#[test]
fn an_operation_knows_who_asks() {
    let source = "
        isa test.who@1 { 1 who() -> i32 }
        provides test.who@1 { op who() -> i32 { return caller } }
        export func main() { wait_forever() }";
    for engine in [Engine::Jit, Engine::Interpreter] {
        let mut vm = load_for(engine, source, false, Opt::Speed, QUOTA).unwrap();
        assert!(matches!(vm.start(), Step::WaitForever));
        let who = vm.instance.program().module().provides[0].ops[0];
        for caller in [7, 42] {
            vm.instance.set_caller(caller);
            let step = vm.instance.enter(who, &[], &mut []).unwrap();
            assert_eq!(done(vm.settle(step)).words, [u64::from(caller)]);
        }
        vm.end();
    }
}

#[test]
fn initial_values_beyond_the_quota_are_a_load_error() {
    let source = "
        global LARGE: [i64] = new [i64](100000, 7)
        export func main() {}";
    let error = load(source, false, Opt::Speed, 100 << 10).map(|_| ()).unwrap_err();
    assert!(matches!(&error, LoadError::Globals(report) if report.kind == TrapKind::Quota), "{error}");
}
