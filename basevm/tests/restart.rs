//! Supervision: what ends a VM ends that VM only, and what follows is its policy's.
#![allow(missing_docs)]

mod common;

use std::sync::{Arc, Mutex};

use basevm::buf::Buf;
use basevm::engine::Program;
use basevm::service::VmId;
use basevm::system::{
    Contained, EndReason, Escalation, Grants, Incoming, Injection, Restart, RestartPolicy, System, TableSizes, VmKind,
    VmOptions,
};
use common::{PROBE_IL, Probe, Seen, TestPlatform, driver, one, probe_set, system};
use il::Type;
use il::packet::{Reader, Value};
use il::trap::Status;

const MS: u64 = 1_000_000;

/// Text, to a program that can run. `PROBE` stands for the declaration of the probe's set.
fn program(platform: &'static TestPlatform, source: &str) -> Arc<Program> {
    let source = source.replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &source, &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let module = il::verify::verify(module).unwrap_or_else(|error| panic!("{error}"));
    let code = compiler::compile(&module, &compiler::Options::detect()).unwrap_or_else(|error| panic!("{error}"));
    Program::load(platform, module, code).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(when: Restart) -> RestartPolicy {
    RestartPolicy { when, limit: u32::MAX, keep_clients: true, ..RestartPolicy::default() }
}

fn options(name: &str, restart: RestartPolicy) -> VmOptions {
    VmOptions { restart, ..VmOptions::named(name, Grants::all()) }
}

/// A system with a probe that can be restarted.
struct Lab {
    platform: &'static TestPlatform,
    system: System,
    seen: Arc<Mutex<Seen>>,
}

impl Lab {
    fn new(probe: RestartPolicy) -> Lab {
        let platform = TestPlatform::new(true);
        let mut system = system(platform);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = seen.clone();
        let factory =
            Box::new(move || -> Box<dyn basevm::service::Service> { Box::new(Probe::with("probe", shared.clone())) });
        // SAFETY: what the probe shares, `seen`, is made outside of its arena, and so is all that is added to it.
        let contained = unsafe { Contained::promise() };
        system.add_service_with(factory, Some(contained), options("", probe)).unwrap();
        Lab { platform, system, seen }
    }

    fn add(&mut self, source: &str, options: VmOptions) -> VmId {
        self.system.add_program(program(self.platform, source), options).unwrap()
    }

    fn main(&mut self, source: &str) -> VmId {
        self.add(source, VmOptions { is_main: true, ..VmOptions::named("", Grants::all()) })
    }

    #[track_caller]
    fn ends(&mut self, reason: EndReason) {
        let ended = self.system.run();
        assert_eq!(ended.reason, reason, "{}", self.platform.text());
    }

    fn notes(&self) -> Vec<i32> {
        self.seen.lock().unwrap().notes.clone()
    }
}

const PEER: &str = "isa test.peer@1 {
  1 crash(n: i32) -> (m: i32)
  2 quota() -> ()
  3 spin() -> ()
  4 count() -> (n: i32)
  5 tell(n: i32)
}";
const PEER_OPS: &str = "global mut count = 0
provides test.peer@1 {
  op crash(n: i32) -> (m: i32) { return 1 / n }
  op quota() -> () { let b = buf(100000000) }
  op spin() -> () { loop { } }
  op count() -> (n: i32) { count += 1 return count }
  op tell(n: i32) { count += 100 / n }
}";

/// Every fault gives the caller an error before the restart; then the same capability works again.
#[test]
fn clients_that_are_kept_go_on_with_the_same_capability() {
    let mut lab = Lab::new(policy(Restart::OnFault));
    let peer = VmOptions { turn_ms: Some(50), ..options("", policy(Restart::OnFault)) };
    let first = lab.add(&format!("module peer {PEER} {PEER_OPS}"), peer);
    lab.main(&format!(
        "module main {PEER} PROBE use peer: test.peer@1
        export func main() {{
          probe.note(peer.count())
          probe.note(peer.count())
          let (crash, n) = try peer.crash(0)
          probe.note(crash * 100 + peer.count())
          let quota = try peer.quota()
          probe.note(quota * 100 + peer.count())
          let spin = try peer.spin()
          probe.note(spin * 100 + peer.count())
          peer.tell(0)
          peer.tell(5)
          let (told, m) = try peer.count()
          probe.note(told * 100 + peer.count())
          let panic = try probe.panic()
          probe.note(panic * 100)
        }}"
    ));
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [1, 2, 601, 601, 601, 601, 600]);
    let log = lab.platform.text();
    for fault in ["division by zero", "memory quota exceeded", "deadline", "fault VM 'probe/0': panic"] {
        assert!(log.contains(fault), "no {fault:?} in {log}");
    }
    for number in 1..=4 {
        assert!(log.contains(&format!("VM 'peer/0' is restarted in {} ms: {number} of", 5 << number)), "{log}");
    }
    let now = lab.system.find("peer/0").unwrap();
    assert_ne!(now, first, "a new number");
    assert!(lab.system.fate(first).is_some() && lab.system.fate(now).is_none());
}

#[test]
fn clients_that_are_not_kept_hold_dead_capabilities() {
    let mut lab = Lab::new(policy(Restart::Never));
    let restart = RestartPolicy { keep_clients: false, ..policy(Restart::OnFault) };
    lab.add(&format!("module peer {PEER} {PEER_OPS}"), options("", restart));
    lab.main(&format!(
        "module main {PEER} PROBE use peer: test.peer@1
        export func main() {{
          let (crash, n) = try peer.crash(0)
          probe.note(crash)
          probe.after(1000000000)
          let (count, m) = try peer.count()
          probe.note(count)
        }}"
    ));
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [6, 6]);
    assert_eq!(lab.system.list().iter().filter(|info| info.address == "peer/0" && info.state == "serves").count(), 1);
}

/// The wait doubles, restarts are counted over a time, and what is beyond the limit escalates.
#[test]
fn restarts_back_off_and_are_limited() {
    let bounded = RestartPolicy { backoff: 10 * MS, limit: 3, within: 1000 * MS, ..policy(Restart::Always) };
    let source = "module again PROBE export func main() { probe.note(1) }";
    let mut lab = Lab::new(policy(Restart::Never));
    lab.add(source, options("", bounded));
    lab.ends(EndReason::Finished);
    assert_eq!((lab.notes().len(), lab.system.now()), (4, (10 + 20 + 40) * MS));
    assert!(lab.platform.text().contains("VM 'again/0' was restarted 3 times within 1000 ms: it stays ended"));

    // Slower than the limit it is never over it.
    let slow = "module slow PROBE export func main() { probe.note(1) probe.after(600000000) }";
    let mut lab = Lab::new(policy(Restart::Never));
    lab.add(slow, options("", bounded));
    lab.add(
        "module stop PROBE export func main() { probe.after(10000000000) }",
        VmOptions { is_main: true, ..options("", RestartPolicy::default()) },
    );
    lab.ends(EndReason::Returned);
    assert!(lab.notes().len() > 12, "{:?}", lab.notes());

    let halts = RestartPolicy { then: Escalation::HaltSystem, ..bounded };
    let mut lab = Lab::new(policy(Restart::Never));
    lab.add("module bad PROBE export func main() { probe.note(1) trap \"bad\" }", options("", halts));
    lab.add("module good PROBE export func main() { probe.after(1000000000000000) }", options("", bounded));
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes().len(), 4);
}

#[test]
fn a_main_program_that_is_restarted_does_not_end_the_run() {
    let mut lab = Lab::new(policy(Restart::Never));
    let restart = policy(Restart::OnFault);
    let source = "module main PROBE
        export func main() { probe.note(1) let third = 3 - probe.total() probe.note(100 * (1 / third)) trap \"again\" }";
    lab.add(source, VmOptions { is_main: true, ..options("", RestartPolicy { limit: 2, ..restart }) });
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes(), [1, 0, 1, 100, 1, 0]);
}

/// A VM that ends while its next incarnation waits takes what was sent meanwhile along.
#[test]
fn what_waits_for_a_restart_that_never_comes_gets_status_6() {
    let mut lab = Lab::new(policy(Restart::Never));
    lab.add(&format!("module peer {PEER} {PEER_OPS}"), options("", policy(Restart::OnFault)));
    lab.main(&format!(
        "module main {PEER} PROBE use peer: test.peer@1
        export func main() {{
          let (crash, n) = try peer.crash(0)
          let (count, m) = try peer.count()
          probe.note(crash * 10 + count)
        }}"
    ));
    lab.system.settle();
    assert_eq!(lab.notes(), [] as [i32; 0]);
    let waiting = lab.system.find("peer/0").unwrap();
    lab.system.stop_vm(waiting);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [66]);
    assert!(lab.system.list().iter().all(|info| info.address != "peer/0" || info.kind == VmKind::Ended));
}

/// A random number generator for tests: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

const BACK: &str =
    "isa test.back@1 { 1 turn(data: buf) -> buf  2 add(n: i32)  3 sum() -> (n: i32)  event 1 added(n: i32) }";
const BACK_VM: &str = "global mut sum = 0
    provides test.back@1 {
      op turn(data: buf) -> buf { let (status, turned) = try probe.reverse(data) if status != 0 { fail 9 } return turned }
      op add(n: i32) { sum += n probe.note(n) emit added(n) }
      op sum() -> (n: i32) { return sum }
    }";
const FRONT: &str = "isa test.front@1 { 1 work(n: i32) -> (status: i32)  2 push(n: i32) }";
const FRONT_VM: &str = "use back: test.back@1
    global mut heard = 0
    on back.added(n: i32) { heard += n }
    provides test.front@1 {
      op work(n: i32) -> (status: i32) {
        let (status, data) = try back.turn(buf(64 + n))
        back.add(n)
        let (again, sum) = try back.sum()
        return status * 100 + again
      }
      op push(n: i32) { back.add(n) let x = concat(\"held \", str(n)) probe.say(x) }
    }";
const APP: &str = "use front: test.front@1
    on probe.tick(value: i32) { front.push(value) }
    export func main() {
      loop {
        let (status, n) = try front.work(7)
        front.push(3)
        let slept = try probe.after(5000000)
        let (sent, none) = try probe.total()
      }
    }";

/// A system under load: an application above two services in IL above one in Rust, and a driver from outside.
struct Load {
    lab: Lab,
    driver: VmId,
    /// Requests that were answered.
    answers: usize,
}

const VICTIMS: [&str; 4] = ["app/0", "front/0", "back/0", "probe/0"];

impl Load {
    fn new() -> Load {
        let restart = RestartPolicy { backoff: MS, within: 1, ..policy(Restart::Always) };
        let mut lab = Lab::new(restart);
        lab.add(&format!("module back PROBE {BACK} {BACK_VM}"), options("", restart));
        lab.add(&format!("module front PROBE {BACK} {FRONT} {FRONT_VM}"), options("", restart));
        lab.add(&format!("module app PROBE {FRONT} {APP}"), options("", restart));
        let front = il::text::compile(
            "f.il",
            &format!("module front {BACK} {FRONT} PROBE {FRONT_VM}")
                .replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n")),
            &[],
        )
        .unwrap();
        let set = front.isas.iter().find(|set| set.name == "test.front").unwrap().clone();
        let mut wants = driver("driver");
        wants.wants.push(basevm::system::Wanted { name: "front".into(), set });
        let driver = lab.system.add_external(wants).unwrap();
        lab.system.settle();
        Load { lab, driver, answers: 0 }
    }

    /// Sends what makes everybody busy, and runs until all of it is answered.
    fn round(&mut self, random: &mut Random) {
        let system = &mut self.lab.system;
        let mut sent = 0;
        for tag in 1..=1 + random.below(6) as u32 {
            let n = random.below(100) as i32;
            let account = system.account(self.driver).unwrap();
            let buffers = || vec![Buf::new(&account, 64).unwrap().into()];
            let result = match random.below(4) {
                0 => system.send(self.driver, 0, one(2, tag, &[Value::Buf(0)]), buffers()),
                1 => system.send(self.driver, 0, one(4, tag, &[Value::Buf(0)]), buffers()),
                2 => system.send(self.driver, 1, one(2, 0, &[Value::I32(n)]), vec![]).and(Err(Status::Busy)),
                _ => system.send(self.driver, 1, one(1, tag, &[Value::I32(n)]), vec![]),
            };
            sent += usize::from(result.is_ok());
        }
        system.settle();
        let _ = system.send(self.driver, 0, one(7, 0, &[Value::I32(2)]), vec![]);
        for _ in 0..40 {
            let _ = system.send(self.driver, 0, one(8, 0, &[]), vec![]);
            system.settle();
            while let Some(incoming) = system.receive(self.driver) {
                if let Incoming::Reply { result, .. } = incoming {
                    sent -= 1;
                    self.answers += usize::from(result.is_ok());
                }
            }
            system.advance(system.now() + MS);
        }
        assert_eq!(sent, 0, "{}", self.lab.platform.text());
    }

    /// Restarts everybody, so that the same is left as after a start.
    fn rest(&mut self) -> (TableSizes, Vec<(String, u64)>) {
        for victim in VICTIMS {
            self.kill(victim, 1);
            let mut random = Random(7);
            while self.lab.system.find(victim).is_none() {
                self.round(&mut random);
            }
        }
        let mut random = Random(1);
        self.round(&mut random);
        let sizes = self.lab.system.table_sizes();
        let living = self.lab.system.list().into_iter().filter(|info| info.kind != VmKind::Ended);
        let mut used: Vec<(String, u64)> = living.map(|info| (info.address, info.memory_used)).collect();
        used.sort();
        (sizes, used)
    }

    fn kill(&mut self, victim: &str, every: u32) {
        let id = self.lab.system.find(victim).unwrap();
        self.lab.system.inject(id, Injection { every, times: 1 });
    }
}

#[test]
fn a_thousand_kills_under_load_leave_nothing_behind() {
    let mut load = Load::new();
    let before = load.rest();
    let mut random = Random(0x5eed_1234_5678);
    let mut killed = [0; VICTIMS.len()];
    while killed.iter().sum::<usize>() < 1000 {
        let at = random.below(VICTIMS.len() as u64) as usize;
        let victim = load.lab.system.find(VICTIMS[at]).unwrap_or_else(|| panic!("{} is gone", VICTIMS[at]));
        load.kill(VICTIMS[at], 1 + random.below(9) as u32);
        for _ in 0..20 {
            load.round(&mut random);
            if load.lab.system.fate(victim).is_some() || load.lab.system.find(VICTIMS[at]) != Some(victim) {
                killed[at] += 1;
                break;
            }
        }
    }
    assert!(killed.iter().all(|count| *count > 150), "{killed:?}");
    assert!(load.answers > 1000, "{}", load.answers);
    assert_eq!(load.rest(), before);
}

#[test]
fn capabilities_of_a_killed_vm_are_dead_for_ever() {
    let mut lab = Lab::new(RestartPolicy { keep_clients: false, backoff: 0, ..policy(Restart::OnFault) });
    lab.system.settle();
    let before = lab.system.table_sizes();
    for round in 0..200 {
        let vm = lab.system.add_external(driver("driver")).unwrap();
        lab.system.settle();
        let old = lab.system.find("probe/0").unwrap();
        lab.system.send(vm, 0, one(5, 1, &[]), vec![]).unwrap();
        lab.system.settle();
        let Some(Incoming::Reply { result: Err(Status::PeerGone), .. }) = lab.system.receive(vm) else {
            panic!("round {round}: no status 6")
        };
        assert_ne!(lab.system.find("probe/0"), Some(old));
        assert_eq!(lab.system.send(vm, 0, one(6, 2, &[]), vec![]), Err(Status::PeerGone));
        let next = lab.system.add_external(driver("driver")).unwrap();
        lab.system.settle();
        lab.system.send(next, 0, one(6, 2, &[]), vec![]).unwrap();
        lab.system.settle();
        let Some(Incoming::Reply { result: Ok(reply), .. }) = lab.system.receive(next) else { panic!("no answer") };
        assert_eq!(Reader::new(&reply.words).next(Type::I32), Ok(Value::I32(0)));
        lab.system.stop_vm(vm);
        lab.system.stop_vm(next);
        assert_eq!(lab.system.table_sizes(), before, "round {round}");
    }
    let _ = probe_set();
}
