//! Whole systems of VMs that run IL: calls, events, failures and ends, seen from outside.
#![allow(missing_docs)]

mod common;

use std::sync::atomic::Ordering;

use basevm::buf::Account;
use basevm::engine::{DEFAULT_STACK_BYTES, Instance, LoadError};
use basevm::service::{Hello, Host, Outcome, Reply, ReplyRight, Request, Service};
use basevm::system::{EndReason, Fate, Grants, MAX_EVENTS, System, SystemOptions, VmOptions};
use common::lab::{Lab, program};
use common::{PROBE_IL, Probe, TestPlatform, system};
use il::isa::InstructionSet;
use il::packet::Value;
use il::trap::{Status, TrapKind};

const ECHO: &str = "
isa demo.echo@1 {
  1 say(text: str) -> (reply: str)
  2 reverse(data: buf) -> buf
  event 1 said(count: i32)
}
";

const ECHO_VM: &str = "
global mut count = 0
provides demo.echo@1 {
  op say(text: str) -> (reply: str) {
    count += 1
    emit said(count)
    return concat(\"echo: \", text)
  }
  op reverse(data: buf) -> buf {
    let n = len(data)
    for i in 0..n / 2 {
      let byte = data[i]
      data[i] = data[n - 1 - i]
      data[n - 1 - i] = byte
    }
    return data
  }
}
";

#[test]
fn a_vm_in_il_serves_a_program_like_any_other() {
    let client = format!(
        "module client {ECHO} PROBE
        use echo: demo.echo@1
        on echo.said(count: i32) {{ probe.note(count) }}
        export func main() {{
          probe.say(echo.say(\"hi\"))
          let data = buf(4)
          store32(data, 0, 0x04030201)
          let turned = echo.reverse(data)
          probe.note(load32(turned, 0))
          wait()
          probe.note(7)
        }}"
    );
    let mut lab = Lab::new(&[&client, &format!("module echo {ECHO} {ECHO_VM}")]);
    lab.ends(EndReason::Finished);
    assert_eq!(lab.seen.lock().unwrap().said, ["echo: hi"]);
    assert_eq!(lab.notes(), [0x01020304, 1, 7]);
    let list = lab.system.list();
    let client = list.iter().find(|info| info.address == "client/0").unwrap();
    assert_eq!(client.state, "serves");
    assert_eq!(client.capabilities, ["probe -> probe/0 {say, note}", "echo -> echo/0 {say, reverse, on said}"]);
}

#[test]
fn a_streamed_failure_is_raised_at_the_next_waiting_instruction_or_flush() {
    let mut lab = Lab::new(&["module sticky PROBE
        export func main() {
          probe.note(-5)
          probe.note(-6)
          let (status, total) = try probe.total()
          probe.note(status * 100 + total)
          probe.note(probe.total())
          probe.note(-1)
          flush(probe)
          probe.note(1000)
        }"]);
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes(), [-5, -6, 200, 189, -1]);
    assert_eq!(lab.trap(), (TrapKind::Device, Some(Status::OutOfRange as u16)));
    assert!(lab.platform.text().contains("in main (test.il:"), "{}", lab.platform.text());
}

#[test]
fn what_was_sent_before_a_trap_or_return_is_executed() {
    for (end, reason) in [("let x = 1 / zero", EndReason::Fault), ("", EndReason::Returned)] {
        let source = format!(
            "module last PROBE
            global mut zero = 0
            export func main() {{ probe.note(1) probe.note(2) {end} }}"
        );
        let mut lab = Lab::new(&[&source]);
        lab.ends(reason);
        assert_eq!(lab.notes(), [1, 2]);
    }
}

#[test]
fn a_program_ends_with_the_code_that_it_says() {
    for (code, reason) in [(0, EndReason::Returned), (3, EndReason::Exited(3)), (-1, EndReason::Exited(255))] {
        let source = format!(
            "module last PROBE
            func leave(n: i32) -> i32 {{ probe.note(2) exit(n) }}
            export func main() {{ probe.note(1) probe.note(leave({code})) }}"
        );
        let mut lab = Lab::new(&[&source]);
        lab.ends(reason);
        assert_eq!(lab.notes(), [1, 2]);
        assert!(matches!(lab.system.fate(lab.main), Some(Fate::Exited(found)) if *found == code));
    }
}

/// Whoever waits for an answer of a VM that ends itself is told so; a handler ends its VM like anyone.
#[test]
fn a_vm_that_exits_while_it_serves_owes_no_answer() {
    const SET: &str = "isa test.last@1 { 1 leave(code: i32) -> i32 event 1 left(code: i32) }";
    let client = format!(
        "module client {SET} PROBE use last: test.last@1
        on last.left(code: i32) {{ probe.note(code) exit(code) }}
        export func main() {{
          let (status, code) = try last.leave(40)
          probe.note(status)
          wait_forever()
        }}"
    );
    let last = format!(
        "module last {SET} PROBE
        provides test.last@1 {{ op leave(code: i32) -> i32 {{ emit left(code + 1) probe.note(code) exit(code) }} }}"
    );
    let mut lab = Lab::new(&[&client, &last]);
    lab.ends(EndReason::Exited(41));
    let mut notes = lab.notes();
    notes.sort_unstable();
    assert_eq!(notes, [Status::PeerGone as i32, 40, 41]);
}

/// A memory takes address space before it has a page; what the platform has not, is said.
#[test]
fn a_vm_without_address_space_for_its_memories_is_refused_in_words() {
    let platform = TestPlatform::new(true);
    let wide = program(platform, "module wide memory 0..1 memory 0..1 export func main() {}");
    let start = || {
        let account = Account::new(1 << 20);
        let refused = Instance::new(platform, wide.clone(), account.clone(), DEFAULT_STACK_BYTES).err();
        assert_eq!(account.used(), 0, "what was charged is given back");
        refused
    };
    assert_eq!(start(), None);
    platform.reservable.store(1 << 32, Ordering::Relaxed);
    let Some(refused @ LoadError::AddressSpace { bytes }) = start() else { panic!("{:?}", start()) };
    assert!(bytes > 1 << 33);
    assert!(refused.to_string().contains("address space"), "{refused}");
}

/// What is left over at the end may take time, and lead through a VM that only passes it on.
#[test]
fn what_was_sent_through_another_vm_is_executed_before_the_run_ends() {
    const PASS: &str = "isa test.pass@1 { 1 pass(value: i32) }";
    let client = format!(
        "module client {PASS} use pass: test.pass@1 export func main() {{ for i in 0..2000 {{ pass.pass(1) }} }}"
    );
    let pass = format!(
        "module pass {PASS} PROBE provides test.pass@1 {{ op pass(value: i32) {{ probe.after(1) probe.note(value) }} }}"
    );
    let mut lab = Lab::new(&[&client, &pass]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes().len(), 2000);
}

#[test]
fn a_panic_gives_callers_status_6_and_others_go_on() {
    let mut lab = Lab::new(&["module survivor PROBE
        use other: test.probe@1
        export func main() {
          let status = try probe.panic()
          other.note(status)
          let (again, total) = try probe.total()
          probe.note(1)
          if other.total() == 6 && again == 6 { other.note(4) }
          assert other.total() == 10
        }"]);
    lab.ends(EndReason::Returned);
    assert!(lab.platform.text().contains("fault VM 'probe/0': panic"), "{}", lab.platform.text());
}

const RING: &str = "isa ring.a@1 { 1 go() -> i32 } isa ring.b@1 { 1 go() -> i32 }";

#[test]
fn a_cycle_of_calls_fails_with_status_12_and_names_itself() {
    let client = format!(
        "module client {RING} PROBE use a: ring.a@1 export func main() {{ probe.note(a.go()) probe.note(a.go()) }}"
    );
    let a = format!("module a {RING} use b: ring.b@1 provides ring.a@1 {{ op go() -> i32 {{ return b.go() + 1 }} }}");
    let b = format!(
        "module b {RING} use a: ring.a@1
        provides ring.b@1 {{ op go() -> i32 {{ let (status, x) = try a.go()
          return status * 10 }} }}"
    );
    let mut lab = Lab::new(&[&client, &a, &b]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [121, 121]);
    assert!(lab.platform.text().contains("deadlock: b/0 -> a/0 -> b/0"), "{}", lab.platform.text());
}

#[test]
fn events_are_bounded_counted_when_lost_and_coalesced() {
    let mut lab = Lab::new(&["module crowd PROBE
        global mut ticks = 0
        on probe.tick(value: i32) { ticks += 1 }
        on probe.latest(value: i32) { probe.note(value) }
        export func main() {
          probe.burst(1000)
          flush(probe)
          for i in 0..256 { wait() }
          probe.note(ticks)
          trap \"enough\"
        }"]);
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes(), [999, MAX_EVENTS as i32 - 1]);
    let lost = 1000 - (MAX_EVENTS - 1);
    assert!(
        lab.platform.text().contains(&format!("lost {lost} events 'tick' of 'probe/0'")),
        "{}",
        lab.platform.text()
    );
}

#[test]
fn a_handler_past_its_turn_is_ended_and_main_is_not() {
    let options = SystemOptions { virtual_clock: true, timeout: Some(300_000_000), verbose: false };
    let quick = || VmOptions { is_main: true, turn_ms: Some(50), ..VmOptions::named("", Grants::all()) };
    let mut lab = Lab::with(
        options.clone(),
        quick(),
        &["module stuck PROBE
        on probe.tick(value: i32) { loop { } }
        export func main() { probe.burst(1) wait_forever() }"],
    );
    lab.ends(EndReason::Fault);
    assert_eq!(lab.trap().0, TrapKind::Deadline);
    let mut lab = Lab::with(options, quick(), &["module busy PROBE export func main() { probe.note(1) loop { } }"]);
    lab.ends(EndReason::Timeout);
}

#[test]
fn a_late_answer_is_dropped_with_its_buffer() {
    let options = SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: false };
    let hasty = VmOptions { is_main: true, call_deadline: Some(1_000), ..VmOptions::named("", Grants::all()) };
    let mut lab = Lab::with(
        options,
        hasty,
        &["module hasty PROBE
        export func main() {
          let data = buf(100000)
          let status = try probe.never(data)
          probe.note(status)
          probe.release()
          flush(probe)
          let slow = try probe.after(999)
          let slower = try probe.after(1001)
          probe.note(slow * 100 + slower)
        }"],
    );
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [7, 7]);
}

#[test]
fn a_full_channel_holds_its_sender_until_there_is_room() {
    const SINK: &str = "isa test.sink@1 { 1 put(text: str) 2 count() -> i32 }";
    let client = format!(
        "module pump {SINK} PROBE use sink: test.sink@1
        export func main() {{
          for i in 0..100000 {{ sink.put(\"a text that takes some room in its packet\") }}
          probe.note(sink.count())
        }}"
    );
    let sink = format!(
        "module sink {SINK} global mut n = 0
        provides test.sink@1 {{
          op put(text: str) {{ n += 1 }}
          op count() -> i32 {{ return n }}
        }}"
    );
    let mut lab = Lab::new(&[&client, &sink]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [100000]);
}

const WEAK: &str = "isa test.weak@1 { 1 politely(n: i32) -> i32 2 divide(n: i32) -> i32 3 hold(data: buf) -> buf }";
const WEAK_VM: &str = "provides test.weak@1 {
    op politely(n: i32) -> i32 { if n > 5 { fail 10 } return n }
    op divide(n: i32) -> i32 { return 100 / n }
    op hold(data: buf) -> buf { if len(data) > 4 { fail 8 } return data }
  }";

#[test]
fn an_op_fails_politely_or_takes_its_vm_with_it() {
    let client = format!(
        "module client {WEAK} PROBE use weak: test.weak@1
        export func main() {{
          let (fine, five) = try weak.politely(5)
          let (busy, none) = try weak.politely(6)
          probe.note(fine * 1000 + five * 100 + busy * 10 + none)
          let (full, empty) = try weak.hold(buf(5))
          probe.note(full * 100 + len(empty))
          let held = weak.hold(buf(4))
          probe.note(len(held))
          probe.note(weak.divide(5))
          let (gone, zero) = try weak.divide(0)
          let (still, nothing) = try weak.politely(1)
          probe.note(gone * 10 + still)
        }}"
    );
    let mut lab = Lab::new(&[&client, &format!("module weak {WEAK} {WEAK_VM}")]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [600, 800, 4, 20, 66]);
    let text = lab.platform.text();
    assert!(text.contains("fault VM 'weak/0': division by zero") && text.contains("(test.il:"), "{text}");
}

#[test]
fn quotas_and_waits_in_handlers_are_traps() {
    let small = VmOptions { is_main: true, memory_bytes: 1 << 20, ..VmOptions::named("", Grants::all()) };
    let options = SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: false };
    let mut lab = Lab::with(
        options,
        small,
        &["module hungry PROBE
        export func main() { probe.note(1) let data = buf(2000000) probe.note(len(data)) }"],
    );
    lab.ends(EndReason::Fault);
    assert_eq!((lab.trap().0, lab.notes()), (TrapKind::Quota, vec![1]));
    let mut lab = Lab::new(&["module nested PROBE
        on probe.tick(value: i32) { wait() }
        export func main() { probe.burst(1) wait_forever() }"]);
    lab.ends(EndReason::Fault);
    assert_eq!(lab.trap().0, TrapKind::WaitInHandler);
}

#[test]
fn a_program_is_refused_what_it_is_not_granted() {
    let source = "module modest PROBE export func main() { probe.note(1) probe.say(\"x\") }";
    let options = SystemOptions { virtual_clock: true, ..SystemOptions::default() };
    let main = |grants| VmOptions::main("modest", grants);
    let mut lab = Lab::with(options.clone(), main(Grants::none().allow_only("probe", &["note"])), &[source]);
    lab.ends(EndReason::Refused);
    let why = "VM 'modest' was refused: it needs test.probe@1 say; grant it with --grant probe=say or in system.toml, among its grants: probe = [\"say\"]";
    assert!(lab.platform.text().contains(why), "{}", lab.platform.text());
    let mut lab = Lab::with(options, main(Grants::none().allow_only("probe", &["note", "say"])), &[source]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [1]);
}

#[test]
fn a_revoked_capability_fails_with_status_5_wherever_it_is_used() {
    let mut lab = Lab::new(&["module ousted PROBE
        use other: test.probe@1
        export func main() {
          other.note(1)
          let (refused, total) = try other.total()
          other.note(2)
          let (again, more) = try other.total()
          probe.note(refused * 10 + again)
          flush(other)
        }"]);
    lab.system.connect();
    assert!(lab.system.revoke(lab.main, 1));
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes(), [55]);
    assert_eq!(lab.trap(), (TrapKind::Device, Some(Status::Revoked as u16)));
}

#[test]
fn one_vm_that_never_yields_by_itself_does_not_stop_the_others() {
    let idler = "module idler export func main() { loop { } }";
    let mut lab = Lab::new(&[
        "module quick PROBE export func main() { for i in 0..100 { probe.note(1) flush(probe) } }",
        idler,
        idler,
    ]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes().len(), 100);
}

#[test]
fn a_stop_from_elsewhere_ends_the_run() {
    let mut lab = Lab::new(&["module endless PROBE export func main() { loop { probe.note(1) } }"]);
    let stop = lab.system.stop_handle();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        stop.interrupt();
    });
    lab.ends(EndReason::Interrupted);
    thread.join().unwrap();
    let _ = system(lab.platform);
}

/// A VM that answers only when its own waker calls it, as one with a backend does.
struct Late {
    set: &'static InstructionSet,
    right: Option<ReplyRight>,
}

impl Service for Late {
    fn hello(&self) -> Hello {
        Hello { name: "late".into(), provides: self.set }
    }

    fn execute(&mut self, host: &mut dyn Host, _request: Request<'_>) -> Outcome {
        self.right = Some(host.reply_right());
        host.set_pending(true);
        let waker = host.waker();
        // While the system is idle: its idle time, not the next one, takes the wake-up.
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            waker.wake();
        });
        Outcome::Later
    }

    fn wake(&mut self, host: &mut dyn Host) {
        host.set_pending(false);
        if let Some(right) = self.right.take() {
            host.complete(right, Ok(Reply::new(&[Value::I32(7)], Vec::new())));
        }
    }
}

/// An answer that a woken VM hands over is not idleness, though nothing else is ready.
#[test]
fn an_answer_from_a_woken_vm_does_not_end_the_system() {
    let source = "module main\nisa test.late@1 { 1 answer() -> (n: i32) }\nuse late: test.late@1\nPROBE
        export func main() { probe.note(late.answer()) }";
    let plain = source.replace("PROBE", &format!("{PROBE_IL}\nuse probe: test.probe@1\n"));
    let module = il::text::compile("test.il", &plain, &[]).unwrap();
    let set = module.isas.into_iter().find(|set| set.name == "test.late").unwrap();
    let platform = TestPlatform::new(true);
    let mut system = System::new(platform, SystemOptions { virtual_clock: true, ..SystemOptions::default() });
    let (probe, seen) = Probe::new("probe");
    system.add_service(Box::new(probe), VmOptions::default()).unwrap();
    let late = Late { set: Box::leak(Box::new(set)), right: None };
    system.add_service(Box::new(late), VmOptions::default()).unwrap();
    system.add_program(program(platform, source), VmOptions::main("", Grants::all())).unwrap();
    assert_eq!(system.run().reason, EndReason::Returned, "{}", platform.text());
    assert_eq!(seen.lock().unwrap().notes, [7]);
}
