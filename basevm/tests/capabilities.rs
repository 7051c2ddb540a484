//! Capabilities, objects and buffers that pass between VMs: IL in, what they say out.
#![allow(missing_docs)]

mod common;

use std::sync::{Arc, Mutex};

use basevm::engine::{Engine, Program};
use basevm::heap::set_stress;
use basevm::service::VmId;
use basevm::system::{Ended, Fate, Grants, System, SystemOptions, VmOptions};
use common::{PROBE_IL, Probe, Seen, TestPlatform};
use il::trap::{Status, TrapKind};

/// Text, to a program that can run. `PROBE` stands for the declaration of the probe's set.
fn program(platform: &'static TestPlatform, engine: Engine, source: &str) -> Arc<Program> {
    let source = source.replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let loaded = match engine {
        Engine::Jit => {
            let mut options = compiler::Options::detect();
            options.verify = true;
            let code = compiler::compile(&module, &options).unwrap_or_else(|error| panic!("{error}"));
            Program::load(platform, module, code)
        }
        Engine::Interpreter => Program::interpreted(platform, module),
    };
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

/// A system with a probe, whose main program is the first source; the others are plugged in.
struct Lab {
    platform: &'static TestPlatform,
    system: System,
    vms: Vec<VmId>,
    seen: Arc<Mutex<Seen>>,
}

impl Lab {
    fn new(engine: Engine, sources: &[&str]) -> Lab {
        let options = SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true };
        let platform = TestPlatform::new(true);
        let mut system = System::new(platform, options);
        let (probe, seen) = Probe::new("probe");
        system.add_service(Box::new(probe), VmOptions::default()).unwrap();
        let mut vms = Vec::new();
        for (at, source) in sources.iter().enumerate() {
            let options = VmOptions { is_main: at == 0, ..VmOptions::named("", Grants::all()) };
            vms.push(system.add_program(program(platform, engine, source), options).unwrap());
        }
        Lab { platform, system, vms, seen }
    }

    fn said(&self) -> Vec<String> {
        self.seen.lock().unwrap().said.clone()
    }

    #[track_caller]
    fn trap(&self, at: usize) -> (TrapKind, Option<u16>) {
        match self.system.fate(self.vms[at]) {
            Some(Fate::Fault(report)) => (report.kind, report.status),
            other => panic!("{other:?}\n{}", self.platform.text()),
        }
    }
}

const ENGINES: [Engine; 2] = [Engine::Jit, Engine::Interpreter];

/// Runs it on each engine, at ease and under the collector's stress, to the end of the first VM.
#[track_caller]
fn each(sources: &[&str], expected: &[&str], check: impl Fn(&mut Lab)) {
    for engine in ENGINES {
        for stress in [false, true] {
            set_stress(stress);
            let mut lab = Lab::new(engine, sources);
            let Ended { code, .. } = lab.system.run();
            let log = lab.platform.text();
            assert_eq!(lab.said(), expected, "{engine:?}, stress {stress}, code {code}\n{log}");
            check(&mut lab);
        }
    }
}

const LAMP: &str = "
isa test.lamp@1 { 1 set(level: i32) 2 get() -> i32 3 who() -> i32 }
";

/// A lamp that remembers its level.
fn lamp() -> String {
    format!(
        "module lamp {LAMP}
         global mut level = 0
         provides test.lamp@1 {{
           op set(to: i32) {{ level = to }}
           op get() -> i32 {{ return level }}
           op who() -> i32 {{ return caller & 0xfffff }}
         }}"
    )
}

const FRIEND: &str = "
isa test.friend@1 {
  1 keep(lamp: test.lamp@1(get)) -> ()
  2 ask() -> i32
  3 test_of(what: any) -> str
  4 back() -> ?test.lamp@1(get)
}
";

/// A VM that is lent a lamp.
fn friend() -> String {
    format!(
        "module friend {LAMP} {FRIEND}
         use lamp: test.lamp@1
         global mut kept: ?test.lamp@1(get) = null
         provides test.friend@1 {{
           op keep(lamp: test.lamp@1(get)) -> () {{ kept = lamp }}
           op ask() -> i32 {{
             if let lamp = kept {{
               let (status, level) = try lamp.get()
               return if status != 0 {{ -status }} else {{ level }}
             }}
             return -100
           }}
           op test_of(what: any) -> str {{
             if what is test.lamp@1 {{ return \"all\" }}
             if let lamp = what as test.lamp@1(set) {{ lamp.set(99) return \"set\" }}
             if what is test.lamp@1(get) {{ return \"get\" }}
             return \"other\"
           }}
           op back() -> ?test.lamp@1(get) {{ return kept }}
         }}"
    )
}

#[test]
fn a_capability_is_lent_attenuated_and_revoked_with_immediate_effect() {
    let main = format!(
        "module main PROBE {LAMP} {FRIEND}
         use lamp: test.lamp@1
         use friend: test.friend@1
         export func main() {{
           lamp.set(7)
           let lent: test.lamp@1(get) = attenuate(lamp as test.lamp@1(get))
           friend.keep(lent)
           probe.say(str(friend.ask()))
           lamp.set(8)
           probe.say(str(friend.ask()))
           revoke(lent)
           probe.say(str(friend.ask()))
           let (status, _) = try lent.get()
           probe.say(str(status))
           probe.say(str(lamp.get()))
         }}"
    );
    each(&[&main, &friend(), &lamp()], &["7", "8", "-5", "5", "8"], |_| {});
}

#[test]
fn what_a_type_leaves_of_a_right_is_what_arrives() {
    let main = format!(
        "module main PROBE {LAMP} {FRIEND}
         use lamp: test.lamp@1
         use friend: test.friend@1
         export func main() {{
           probe.say(friend.test_of(lamp))
           probe.say(friend.test_of(attenuate(lamp as test.lamp@1(set, get))))
           probe.say(str(lamp.get()))
           probe.say(friend.test_of(attenuate(lamp as test.lamp@1(get))))
           probe.say(friend.test_of(friend))
           probe.say(friend.test_of(\"text\"))
         }}"
    );
    each(&[&main, &friend(), &lamp()], &["all", "set", "99", "get", "other", "other"], |_| {});
}

#[test]
fn revoking_kills_all_that_was_made_of_it_and_only_its_maker_may() {
    let main = format!(
        "module main PROBE {LAMP} {FRIEND}
         use lamp: test.lamp@1
         use friend: test.friend@1
         export func main() {{
           let one = attenuate(lamp as test.lamp@1(set, get))
           let two: test.lamp@1(get) = attenuate(one as test.lamp@1(get))
           let other = attenuate(lamp as test.lamp@1(get))
           friend.keep(two)
           revoke(one)
           let (status, _) = try two.get()
           probe.say(str(status))
           probe.say(str(friend.ask()))
           let (again, _) = try other.get()
           probe.say(str(again))
           if let back = friend.back() {{ probe.say(\"back\") }} else {{ probe.say(\"null\") }}
         }}"
    );
    // A dead capability cannot even be answered.
    each(&[&main, &friend(), &lamp()], &["5", "-5", "0"], |lab| {
        assert_eq!(lab.trap(0), (TrapKind::Device, Some(Status::Revoked as u16)));
    });
    let thief = format!(
        "module main PROBE {LAMP}
         use lamp: test.lamp@1
         export func main() {{ revoke(lamp) }}"
    );
    each(&[&thief, &lamp()], &[], |lab| {
        assert_eq!(lab.trap(0), (TrapKind::Device, Some(Status::NotPermitted as u16)));
    });
}

#[test]
fn what_is_queued_when_a_right_is_revoked_is_not_executed() {
    // The lamp is busy with the owner's call while the friend's instructions queue up.
    let main = format!(
        "module main PROBE {LAMP}
         isa test.worker@1 {{ 1 work(lamp: test.lamp@1(set)) 2 done() -> i32 }}
         use lamp: test.lamp@1
         use worker: test.worker@1
         export func main() {{
           let lent: test.lamp@1(set) = attenuate(lamp as test.lamp@1(set))
           lent.set(1)
           lent.set(2)
           revoke(lent)
           probe.say(str(lamp.get()))
           let all = attenuate(lamp)
           all.set(3)
           flush(all)
           all.set(4)
           revoke(all)
           let (status, _) = try all.get()
           probe.say(str(status))
           probe.say(str(lamp.get()))
         }}"
    );
    let worker = format!(
        "module worker {LAMP}
         isa test.worker@1 {{ 1 work(lamp: test.lamp@1(set)) 2 done() -> i32 }}
         provides test.worker@1 {{
           op work(lamp: test.lamp@1(set)) {{ lamp.set(5) }}
           op done() -> i32 {{ return 1 }}
         }}"
    );
    each(&[&main, &worker, &lamp()], &["0", "5", "3"], |_| {});
}

#[test]
fn a_capability_dies_with_its_maker_and_with_its_target() {
    let maker = format!(
        "module maker {LAMP} {FRIEND}
         use lamp: test.lamp@1
         use friend: test.friend@1
         isa test.maker@1 {{ 1 lend() -> () 2 end() -> () }}
         provides test.maker@1 {{
           op lend() -> () {{ friend.keep(attenuate(lamp as test.lamp@1(get))) }}
           op end() -> () {{ trap \"the end\" }}
         }}"
    );
    let main = format!(
        "module main PROBE {LAMP} {FRIEND}
         isa test.maker@1 {{ 1 lend() -> () 2 end() -> () }}
         isa test.mortal@1 {{ 1 end() -> () }}
         use friend: test.friend@1
         use maker: test.maker@1
         export func main() {{
           maker.lend()
           probe.say(str(friend.ask()))
           probe.say(str(try maker.end()))
           probe.say(str(friend.ask()))
         }}"
    );
    each(&[&main, &friend(), &lamp(), &maker], &["0", "6", "-5"], |lab| {
        let sizes = lab.system.table_sizes();
        assert!(sizes.rights <= sizes.channels, "{sizes:?}");
    });
}

#[test]
fn callers_are_stamped_by_the_base_whoever_lent_the_capability() {
    let main = format!(
        "module main PROBE {LAMP}
         isa test.asker@1 {{ 1 ask(lamp: test.lamp@1(who)) -> i32 }}
         use lamp: test.lamp@1
         use asker: test.asker@1
         export func main() {{
           let (mine, theirs) = (lamp.who(), asker.ask(lamp))
           assert mine != theirs && theirs > 0
           assert asker.ask(lamp) == theirs
           probe.say(\"stamped\")
         }}"
    );
    let main = main.replace(
        "let (mine, theirs) = (lamp.who(), asker.ask(lamp))",
        "let mine = lamp.who() let theirs = asker.ask(lamp)",
    );
    let asker = format!(
        "module asker {LAMP}
         isa test.asker@1 {{ 1 ask(lamp: test.lamp@1(who)) -> i32 }}
         provides test.asker@1 {{ op ask(lamp: test.lamp@1(who)) -> i32 {{ return lamp.who() }} }}"
    );
    each(&[&main, &asker, &lamp()], &["stamped"], |_| {});
}

const SHAPES: &str = "
frozen struct Shape { name: str }
frozen struct Circle: Shape { radius: i32, next: ?Shape }
isa test.store@1 {
  1 put(shape: Shape, all: [Shape]) -> str
  2 get() -> ?Shape
  3 test_of(what: ?any) -> str
}
";

#[test]
fn frozen_graphs_are_read_and_tested_by_other_modules() {
    let store = format!(
        "module store
         struct Padding {{ x: i32 }}
         struct More: Padding {{ y: i32 }}
         {SHAPES}
         frozen struct Square: Shape {{ side: i32 }}
         global mut kept: ?Shape = null
         func describe(shape: Shape) -> str {{
           if let circle = shape as Circle {{
             let rest = if let next = circle.next {{ describe(next) }} else {{ \".\" }}
             return concat(concat(shape.name, str(circle.radius)), rest)
           }}
           if shape is Square {{ return \"square\" }}
           return shape.name
         }}
         provides test.store@1 {{
           op put(shape: Shape, all: [Shape]) -> str {{
             kept = shape
             var text = describe(shape)
             for i in 0..len(all) {{ text = concat(text, describe(all[i])) }}
             return text
           }}
           op get() -> ?Shape {{ return kept }}
           op test_of(what: ?any) -> str {{
             if let what = what {{
               if let circle = what as Circle {{ return describe(circle) }}
               if what is Shape {{ return \"shape\" }}
               if what is [Shape] {{ return \"shapes\" }}
               if let text = what as str {{ return text }}
               if let numbers = what as [i32] {{ return str(numbers[1]) }}
               return \"unknown\"
             }}
             return \"null\"
           }}
         }}"
    );
    let main = format!(
        "module main PROBE
         {SHAPES}
         frozen struct Triangle: Shape {{ a: i32 }}
         frozen struct Stranger {{ a: i32 }}
         use store: test.store@1
         export func main() {{
           let inner = new Shape {{ name: \"inner\" }}
           let circle = new Circle {{ name: \"c\", radius: 3, next: inner }}
           probe.say(store.put(circle, [circle, inner, new Triangle {{ name: \"t\", a: 1 }}]))
           if let back = store.get() {{
             probe.say((back as Circle).name)
             if let again = store.get() {{ assert back == again && back != circle }}
           }}
           let frozen = freeze(circle)
           store.put(frozen, [])
           if let back = store.get() {{ assert back == frozen }}
           probe.say(store.test_of(circle))
           probe.say(store.test_of(inner))
           probe.say(store.test_of([inner, circle]))
           probe.say(store.test_of(concat(\"te\", \"xt\")))
           probe.say(store.test_of([1, 2, 3]))
           probe.say(store.test_of(new Stranger {{ a: 1 }}))
           probe.say(store.test_of(null))
         }}"
    );
    let expected = ["c3innerc3innerinnert", "c", "c3inner", "shape", "shapes", "text", "2", "unknown", "null"];
    each(&[&main, &store], &expected, |lab| {
        assert!(matches!(lab.system.fate(lab.vms[0]), Some(Fate::Returned)), "{}", lab.platform.text());
    });
}

#[test]
fn what_cannot_leave_a_vm_traps_where_it_would() {
    let main = format!(
        "module main PROBE {SHAPES}
         struct Mutable {{ mut x: i32 }}
         use store: test.store@1
         func f() {{}}
         export func main() {{
           let what: any = WHAT
           probe.say(store.test_of(what))
         }}"
    );
    let store = format!(
        "module store {SHAPES}
         provides test.store@1 {{
           op put(shape: Shape, all: [Shape]) -> str {{ return \"\" }}
           op get() -> ?Shape {{ return null }}
           op test_of(what: ?any) -> str {{ return \"came\" }}
         }}"
    );
    for what in ["new Mutable { x: 1 }", "&f", "new mut [i32](3, 0)"] {
        each(&[&main.replace("WHAT", what), &store], &[], |lab| assert_eq!(lab.trap(0), (TrapKind::Cast, None)));
    }
}

#[test]
fn memory_goes_back_to_its_payer_when_its_holder_ends() {
    let holder = "module holder
         frozen struct Big { all: [i64] }
         isa test.holder@1 { 1 hold(data: buf, big: Big) -> () 2 end() -> () }
         global mut kept: ?buf = null
         global mut big: ?Big = null
         provides test.holder@1 {
           op hold(data: buf, more: Big) -> () { kept = data big = more }
           op end() -> () { trap \"the end\" }
         }";
    let main = "module main PROBE
         frozen struct Big { all: [i64] }
         isa test.holder@1 { 1 hold(data: buf, big: Big) -> () 2 end() -> () }
         use holder: test.holder@1
         export func main() {
           holder.hold(buf(1000000), new Big { all: new [i64](100000, 1) })
           probe.say(\"held\")
           assert try holder.end() == 6
           wait_forever()
         }";
    for engine in ENGINES {
        let mut lab = Lab::new(engine, &[main, holder]);
        let account = lab.system.account(lab.vms[0]).unwrap();
        lab.system.settle();
        assert_eq!(lab.said(), ["held"]);
        lab.system.settle();
        assert!(account.used() < 1_000_000 + 800_000, "{}", account.used());
        assert!(matches!(lab.system.fate(lab.vms[1]), Some(Fate::Fault(_))));
    }
}

#[test]
fn slots_that_nothing_names_are_used_again() {
    let main = format!(
        "module main PROBE {LAMP}
         use lamp: test.lamp@1
         export func main() {{
           var sum = 0
           for i in 0..10000 {{
             let one = attenuate(lamp as test.lamp@1(get))
             sum += one.get() + 1
           }}
           probe.say(str(sum))
         }}"
    );
    for engine in ENGINES {
        let mut lab = Lab::new(engine, &[&main, &lamp()]);
        lab.system.run();
        assert_eq!(lab.said(), ["10000"], "{}", lab.platform.text());
        let sizes = lab.system.table_sizes();
        assert!(sizes.rights < 10 && sizes.channels < 10, "{sizes:?}");
    }
}

/// A copy of 16 MiB would take hundreds of times as long as a call.
#[test]
fn passing_costs_the_same_whatever_the_size() {
    const SET: &str = "isa bench.pass@1 {
      1 back(data: buf) -> buf 2 look(all: [i64]) -> i32 3 lend(to: bench.pass@1(look)) -> ()
    }\n";
    const CALLS: u32 = 500;
    let peer = format!(
        "module peer\n{SET}provides bench.pass@1 {{
           op back(data: buf) -> buf {{ return data }}
           op look(all: [i64]) -> i32 {{ return len(all) }}
           op lend(to: bench.pass@1(look)) -> () {{}}
         }}"
    );
    let turn = |before: &str, body: &str| {
        let caller = format!(
            "module caller PROBE\n{SET}use peer: bench.pass@1\nexport func main() {{\n  {before}
             probe.note(1)\n  for i in 0..{CALLS} {{ {body} }} probe.say(\"done\")\n}}"
        );
        let mut lab = Lab::new(Engine::Jit, &[&caller, &peer]);
        let start = std::time::Instant::now();
        lab.system.run();
        assert_eq!(lab.said(), ["done"], "{}", lab.platform.text());
        start.elapsed() / CALLS
    };
    let buf = |bytes: usize| turn(&format!("var data = buf({bytes})"), "data = peer.back(data)");
    let graph =
        |bytes: usize| turn(&format!("let all = freeze(new [i64]({}, 1))", bytes / 8), "assert peer.look(all) > 0");
    let [small, large] = [64, 16 << 20].map(buf);
    assert!(large < small * 20 + std::time::Duration::from_micros(500), "{small:?} {large:?}");
    let [small_graph, large_graph] = [64, 16 << 20].map(graph);
    assert!(large_graph < small_graph * 20 + std::time::Duration::from_micros(500), "{small_graph:?} {large_graph:?}");
    let made = "let lent: bench.pass@1(look) = attenuate(peer as bench.pass@1(look))";
    let revoked = turn("", &format!("{made} revoke(lent)"));
    let lent = turn("", &format!("{made} peer.lend(lent) revoke(lent)"));
    println!("buf {small:?} {large:?}, graph {small_graph:?} {large_graph:?}, revoke {revoked:?}, lent {lent:?}");
}
