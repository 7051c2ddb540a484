//! Interposition: VMs that stand on the channels of others, with neither side changed.
#![allow(missing_docs)]

mod common;

use basevm::system::{EndReason, Fate, Grants, Refusal, Restart, RestartPolicy, SystemOptions, VmOptions};
use common::PROBE_IL;
use common::lab::{Lab, program};
use il::packet::Value;
use il::trap::Status;

/// Passes everything on; `text` and `value` are changed as the test says.
fn layer(name: &str, mark: &str, step: i32) -> String {
    format!(
        "module {name} PROBE_SET
        use below: test.probe@1
        provides test.probe@1 {{
          op say(text: str) -> str {{ return below.say(concat(text, \"{mark}\")) }}
          op reverse(data: buf) -> buf {{ return below.reverse(data) }}
          op note(value: i32) {{ below.note(value + {step}) }}
          op never(data: buf) -> () {{ below.never(data) }}
          op panic() -> () {{ let status = try below.panic()  fail status }}
          op total() -> i32 {{ return below.total() }}
          op burst(count: i32) {{ below.burst(count) }}
          op release() {{ below.release() }}
          op after(ns: i64) -> () {{ below.after(ns) }}
        }}
        on below.tick(value: i32) {{ emit tick(value + {step}) }}
        on below.latest(value: i32) {{ emit latest(value + {step}) }}"
    )
}

const CLIENT: &str = "module client PROBE
    global mut ticks = 0
    on probe.tick(value: i32) { ticks += value }
    export func main() {
      probe.note(len(probe.say(\"hi\")))
      probe.note(1)
      let data = buf(4)
      store32(data, 0, 0x04030201)
      let turned = probe.reverse(data)
      probe.note(load32(turned, 0))
      probe.burst(3)
      probe.after(1000)
      wait() wait() wait()
      probe.note(ticks)
      probe.note(probe.total())
      flush(probe)
    }";

fn main_options() -> VmOptions {
    VmOptions { is_main: true, ..VmOptions::named("", Grants::none().allow("probe")) }
}

fn options() -> SystemOptions {
    SystemOptions { virtual_clock: true, timeout: Some(20_000_000_000), verbose: true }
}

fn on(name: &str, below: &str) -> VmOptions {
    VmOptions { on: vec![below.into()], ..VmOptions::named(name, Grants::none().allow(below)) }
}

fn lab(client: &str, layers: &[(String, VmOptions)]) -> Lab {
    let mut lab = Lab::with(options(), main_options(), &[client]);
    for (source, options) in layers {
        lab.system.add_program(program(lab.platform, source), options.clone()).unwrap();
    }
    lab
}

/// What the probe was told, and the last text that it was asked to say.
fn told(count: usize, step: i32) -> (Vec<i32>, Vec<String>) {
    let layers: Vec<_> = (0..count)
        .map(|at| {
            let name = format!("layer{at}");
            (layer(&name, "", step), on(&name, "probe"))
        })
        .collect();
    let mut lab = lab(CLIENT, &layers);
    lab.ends(EndReason::Finished);
    let seen = lab.seen.lock().unwrap();
    (seen.notes.clone(), seen.said.clone())
}

#[test]
fn a_vm_in_between_is_not_noticed() {
    let direct = told(0, 0);
    assert_eq!(direct.0[..4], [9, 1, 0x01020304, 3]);
    for count in [1, 2, 10] {
        assert_eq!(told(count, 0), direct, "{count} in between");
    }
}

#[test]
fn each_of_ten_vms_in_between_acts_on_what_passes_in_both_directions() {
    let (notes, said) = told(10, 1);
    // Each note is one more at each layer; so is each of the three ticks 0, 1, 2.
    assert_eq!(notes[..4], [9 + 10, 1 + 10, 0x01020304 + 10, 3 + 30 + 10]);
    assert_eq!(said, ["hi"]);
}

#[test]
fn several_stand_in_the_order_in_which_they_were_added() {
    let layers = [(layer("a", "a", 0), on("a", "probe")), (layer("b", "b", 0), on("b", "probe"))];
    let mut lab = lab("module client PROBE export func main() { probe.say(\"\") }", &layers);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.seen.lock().unwrap().said, ["ba"], "b is above a");
    let list = lab.system.list();
    let holds = |vm: &str| list.iter().find(|info| info.address == vm).unwrap().capabilities.join("; ");
    assert!(holds("a/0").starts_with("below -> probe/0"), "{}", holds("a/0"));
    assert!(holds("b/0").starts_with("below -> a/0"), "{}", holds("b/0"));
}

#[test]
fn a_vm_can_stand_on_one_that_stands_on_another() {
    let layers = [(layer("c", "c", 0), on("c", "a")), (layer("a", "a", 0), on("a", "probe"))];
    let mut lab = lab("module client PROBE export func main() { probe.say(\"\") }", &layers);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.seen.lock().unwrap().said, ["ca"]);
}

#[test]
fn others_of_the_same_set_are_left_alone() {
    let client = "module client PROBE use other: test.probe@1
        export func main() { probe.say(\"x\")  probe.note(len(other.say(\"x\"))) }";
    let mut lab = Lab::with(
        options(),
        VmOptions { is_main: true, ..VmOptions::named("", Grants::none().allow("probe").allow("other")) },
        &[client],
    );
    lab.system.add_program(program(lab.platform, &layer("a", "+", 0)), on("a", "other")).unwrap();
    lab.ends(EndReason::Returned);
    // "probe: x" is said to the probe itself; what the other one said has passed the layer.
    assert_eq!(lab.seen.lock().unwrap().said, ["x"]);
    assert_eq!(lab.notes(), ["probe: x+".len() as i32]);
}

#[test]
fn a_failure_below_is_passed_on_and_the_vm_in_between_lives() {
    let client = "module client PROBE
        export func main() {
          let status = try probe.panic()
          probe.note(status)
          let again = try probe.after(1)
        }";
    let mut lab = lab(client, &[(layer("a", "", 0), on("a", "probe"))]);
    lab.system.run();
    let fate = |vm: &str| lab.system.find(vm).and_then(|id| lab.system.fate(id).cloned());
    assert!(!matches!(fate("client"), Some(Fate::Fault(_))), "{}", lab.platform.text());
}

#[test]
fn limits_of_the_client_hold_at_the_vm_in_between() {
    let grants = Grants::none().allow_text("probe=note,total,value:0..10").unwrap();
    let client = format!(
        "module client {PROBE_IL} use probe: test.probe@1
        export func main() {{
          var x = 9
          probe.note(x)
          x += 1
          probe.note(x)
          let (status, total) = try probe.total()
          assert status == {}
          assert probe.total() == 109
        }}",
        Status::OutOfRange as u16
    );
    let mut lab = Lab::with(options(), VmOptions { is_main: true, ..VmOptions::named("", grants) }, &[&client]);
    lab.system.add_program(program(lab.platform, &layer("a", "", 100)), on("a", "probe")).unwrap();
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [109], "the layer may send what the client may not");
}

#[test]
fn if_the_vm_in_between_is_not_there_nobody_gets_past_it() {
    // It provides nothing, so it cannot stand anywhere.
    let idle = "module idle PROBE on probe.tick(value: i32) { }".to_string();
    let mut lab = lab(CLIENT, &[(idle, on("idle", "probe"))]);
    lab.ends(EndReason::Refused);
    let Some(Fate::Refused(refused)) = lab.system.fate(lab.main) else { panic!("{}", lab.platform.text()) };
    assert!(
        matches!(&refused.why, Refusal::NoLayer { layer, on, .. } if layer == "idle" && on == "probe"),
        "{refused}"
    );
    assert!(refused.to_string().contains("provides test.probe@1"), "{refused}");
    assert_eq!(lab.notes(), []);
}

#[test]
fn a_vm_in_between_that_is_restarted_keeps_its_place() {
    let frail = layer("frail", "", 0).replace("op release() { below.release() }", "op release() { trap \"frail\" }");
    let client = "module client PROBE
        export func main() {
          probe.note(1)
          probe.release()
          let (status, total) = try probe.total()
          probe.note(2)
          probe.after(50000000)
          probe.note(probe.total())
        }";
    let restart =
        RestartPolicy { when: Restart::OnFault, keep_clients: true, backoff: 1_000_000, ..RestartPolicy::default() };
    let mut lab = lab(client, &[(frail, VmOptions { restart, ..on("frail", "probe") })]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [1, 2, 3], "{}", lab.platform.text());
    assert!(lab.platform.text().contains("frail"));
    let list = lab.system.list();
    let below = |held: &String| held.starts_with("below -> probe/0");
    assert!(list.iter().any(|info| info.address == "frail/0" && info.capabilities.iter().any(below)));
}

#[test]
fn an_external_vm_reaches_the_uppermost_and_not_what_is_below() {
    let mut lab = lab("module client PROBE export func main() { wait_forever() }", &[]);
    lab.system.add_program(program(lab.platform, &layer("a", "", 5)), on("a", "probe")).unwrap();
    let driver = lab.system.add_external(common::driver("driver")).unwrap();
    lab.system.connect();
    lab.system.send(driver, 0, common::one(3, 0, &[Value::I32(1)]), Vec::new()).unwrap();
    lab.system.settle();
    assert_eq!(lab.notes(), [6]);
}

const TWO_SETS: &str = "
isa test.one@1 { 1 set(level: i32) -> () }
isa test.two@1 { 1 put(depth: i32) -> () }
";

#[test]
fn limits_are_those_of_the_set_that_is_meant_where_a_vm_has_several() {
    let both = format!(
        "module both {TWO_SETS}
        provides test.one@1 {{ op set(level: i32) -> () {{ }} }}
        provides test.two@1 {{ op put(depth: i32) -> () {{ }} }}"
    );
    let client = format!(
        "module client PROBE {TWO_SETS}
        use one: test.one@1
        use two: test.two@1
        export func main() {{
          var n = 9
          probe.note(try two.put(n))
          probe.note(try one.set(n))
          n += 1
          probe.note(try two.put(n))
          probe.note(try one.set(n))
        }}"
    );
    let grants = Grants::none().allow("probe").allow_text("both=depth:0..10").unwrap();
    let mut lab = Lab::with(options(), VmOptions { is_main: true, ..VmOptions::named("", grants) }, &[&client]);
    lab.system.add_program(program(lab.platform, &both), VmOptions::named("both", Grants::none())).unwrap();
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [0, 0, i32::from(Status::OutOfRange as u16), 0]);
}
