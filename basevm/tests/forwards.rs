//! Requests that are handed on: by a VM in IL that stands on another one's channel, in chains, and in circles.
#![allow(missing_docs)]

mod common;

use basevm::system::EndReason;
use common::lab::Lab;

/// All instructions of the probe, handed on to `BELOW`; `MORE` stands before the `op`s.
const FILTER: &str = "module NAME PROBE_SET
use BELOW: test.probe@1
MORE
provides test.probe@1 as NAME {
  op say(text: str) -> str { return tail BELOW.say(text) }
  op reverse(data: buf) -> buf { return tail BELOW.reverse(data) }
  op note(value: i32) { return tail BELOW.note(value) }
  op never(data: buf) -> () { return tail BELOW.never(data) }
  op panic() -> () { return tail BELOW.panic() }
  op total() -> i32 { return tail BELOW.total() }
  op burst(count: i32) { if count == 13 { trap \"unlucky\" } return tail BELOW.burst(count) }
  op release() { return tail BELOW.release() }
  op after(ns: i64) -> () { return tail BELOW.after(ns) }
}
";

fn filter(name: &str, below: &str) -> String {
    FILTER.replace("NAME", name).replace("BELOW", below).replace("MORE", "")
}

#[test]
fn an_answer_goes_to_whoever_asked() {
    let client = "module client PROBE_SET
        use filter: test.probe@1
        export func main() {
          assert filter.say(\"hi\") == \"probe: hi\"
          let data = buf(2)
          data[0] = 7
          let turned = filter.reverse(data)
          assert turned[1] == 7
          for i in 0..300 { filter.note(1) }
          assert filter.total() == 300
          filter.after(1000000)
          filter.note(3)
          flush(filter)
        }";
    let mut lab = Lab::new(&[client, &filter("filter", "probe")]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes().len(), 301);
}

#[test]
fn a_failure_sticks_where_the_instruction_was_sent_first() {
    let client = |name: &str, rest: &str| {
        format!(
            "module {name} PROBE_SET use filter: test.probe@1 use other: test.probe@1 export func main() {{ {rest} }}"
        )
    };
    let sender = client(
        "sender",
        "filter.note(-5)
         other.note(1)
         let (status, total) = try filter.total()
         assert status == 2 && total == 0
         assert filter.total() == -5
         filter.note(-6)
         let (again, text) = try filter.say(\"lost\")
         assert again == 2
         filter.note(-1)
         flush(filter)",
    );
    let bystander = client("bystander", "for i in 0..20 { assert filter.say(\"x\") == \"probe: x\" }");
    let mut lab = Lab::new(&[&sender, &bystander, &filter("filter", "probe")]);
    lab.ends(EndReason::Fault);
    assert_eq!(lab.notes(), [-5, -6, -1]);
    assert_eq!(lab.trap().1, Some(2));
}

#[test]
fn chains_of_ten_work() {
    let client = "module client PROBE_SET
        use f0: test.probe@1
        export func main() {
          for i in 0..100 {
            f0.note(1)
            if f0.total() != i + 1 { trap \"lost\" }
          }
          f0.note(-1)
          let (status, total) = try f0.total()
          assert status == 2
          f0.after(1000)
          for i in 0..1000 { f0.note(0) }
          flush(f0)
          assert try f0.panic() == 6
          f0.note(1)
          flush(f0)
        }";
    let chain: Vec<String> = (0..10)
        .map(|at| filter(&format!("f{at}"), &if at < 9 { format!("f{}", at + 1) } else { "probe".into() }))
        .collect();
    let sources: Vec<&str> = [client].into_iter().chain(chain.iter().map(String::as_str)).collect();
    let mut lab = Lab::new(&sources);
    lab.ends(EndReason::Fault);
    assert_eq!(lab.trap().1, Some(6));
    assert_eq!(lab.notes().len(), 1101);
}

#[test]
fn whoever_handed_a_request_on_is_free_and_may_even_end() {
    let client = |name: &str, rest: &str| {
        format!(
            "module {name} PROBE_SET use filter: test.probe@1 use probe: test.probe@1 export func main() {{ {rest} }}"
        )
    };
    // Held by the probe, until the other one says so; meanwhile the filter serves, and then traps.
    let waits = client("waits", "assert try filter.never(buf(100)) == 0 probe.note(1) assert probe.total() == 3");
    let frees = client(
        "frees",
        "assert filter.say(\"free\") == \"probe: free\"
         probe.note(2)
         filter.burst(13)
         assert try filter.total() == (6, 0)
         probe.release()
         probe.after(1000)",
    );
    let frees = frees.replace(
        "assert try filter.total() == (6, 0)",
        "let (status, total) = try filter.total() if status != 6 { trap \"lives\" }",
    );
    let mut lab = Lab::new(&[&waits, &frees, &filter("filter", "probe")]);
    lab.ends(EndReason::Returned);
    assert_eq!(lab.notes(), [2, 1]);
    assert!(lab.platform.text().contains("fault VM 'filter/0'"), "{}", lab.platform.text());
}

#[test]
fn the_end_of_the_holder_fails_the_request() {
    let client = |name: &str, rest: &str| {
        format!(
            "module {name} PROBE_SET use filter: test.probe@1 use other: test.probe@1 export func main() {{ {rest} }}"
        )
    };
    let waits = client(
        "waits",
        "assert try filter.never(buf(0)) == 6
         other.note(1)
         let (status, total) = try filter.total()
         assert status == 6
         assert try other.after(10) == 0",
    );
    let kills = client("kills", "assert filter.say(\"x\") == \"probe: x\" assert try filter.panic() == 6");
    let mut lab = Lab::new(&[&waits, &kills, &filter("filter", "probe")]);
    lab.ends(EndReason::Returned);
    let list = lab.system.list();
    let filter = list.iter().find(|info| info.address == "filter/0").unwrap();
    assert_eq!(filter.state, "serves");
}

const PADS: &str = "
isa test.pad@1 { 1 join() -> (me: i32) 2 press(code: i32) event 1 pressed(code: i32) }
isa test.screen@1 { 1 name() -> str event 1 pressed(text: str) }
";

#[test]
fn one_vm_executes_several_sets_and_raises_events_at_one() {
    let console = format!(
        "module console {PADS}
        global mut focus = 0
        provides test.pad@1 as pad {{
          op join() -> (me: i32) {{ focus = caller return caller }}
          op press(code: i32) {{
            emit pad.pressed(code) to focus
            emit pad.pressed(1000) to 0
            emit screen.pressed(\"all\")
          }}
        }}
        provides test.screen@1 {{ op name() -> str {{ return \"screen\" }} }}"
    );
    let user = |name: &str, note: i32, presses: &str| {
        format!(
            "module {name} {PADS} PROBE
            use pad: test.pad@1
            use wall: test.screen@1
            on pad.pressed(code: i32) {{ probe.note(code * {note}) }}
            on wall.pressed(text: str) {{ probe.say(text) }}
            export func main() {{
              assert wall.name() == \"screen\"
              probe.after({note})
              pad.join()
              {presses}
              wait_forever()
            }}"
        )
    };
    let mut lab = Lab::new(&[&user("first", 1, ""), &user("second", 10, "pad.press(7)"), &console]);
    lab.ends(EndReason::Finished);
    assert_eq!(lab.notes(), [70], "{}", lab.platform.text());
    assert_eq!(lab.seen.lock().unwrap().said, ["all", "all"]);
    let list = lab.system.list();
    let first = list.iter().find(|info| info.address == "first/0").unwrap();
    let rights =
        ["probe -> probe/0 {say, note, after}", "pad -> pad/0 {join, on pressed}", "wall -> pad/0 {name, on pressed}"];
    assert_eq!(first.capabilities, rights);
}

/// `ring.N@1 { go }`: each VM asks the next one, or hands the request on to it.
fn ring(sizes: usize, hands_on: &[usize]) -> Vec<String> {
    let sets: String = (0..sizes).map(|at| format!("isa ring.s{at}@1 {{ 1 go() -> i32 }} ")).collect();
    let member = |at: usize| {
        let next = (at + 1) % sizes;
        let word = if hands_on.contains(&at) { "return tail" } else { "return" };
        format!(
            "module r{at} {sets} use next: ring.s{next}@1
            provides ring.s{at}@1 as r{at} {{ op go() -> i32 {{ {word} next.go() }} }}"
        )
    };
    (0..sizes).map(member).collect()
}

#[test]
fn circles_of_waiting_vms_fail_and_are_named() {
    for (size, hands_on, circle) in [
        (2, &[][..], "deadlock: r1/0 -> r0/0 -> r1/0"),
        (3, &[][..], "deadlock: r2/0 -> r0/0 -> r1/0 -> r2/0"),
        (3, &[1][..], "deadlock: r2/0 -> r0/0 -> r2/0"),
        (3, &[2][..], "deadlock: r1/0 -> r0/0 -> r1/0"),
    ] {
        let sets: String = (0..size).map(|at| format!("isa ring.s{at}@1 {{ 1 go() -> i32 }} ")).collect();
        let client = format!(
            "module client PROBE {sets} use r0: ring.s0@1
            export func main() {{ let (status, n) = try r0.go() probe.note(status) }}"
        );
        let members = ring(size, hands_on);
        let sources: Vec<&str> = [client.as_str()].into_iter().chain(members.iter().map(String::as_str)).collect();
        let mut lab = Lab::new(&sources);
        lab.ends(EndReason::Returned);
        let text = lab.platform.text();
        assert!(text.contains(circle), "{size} {hands_on:?}: {text}");
    }
}
