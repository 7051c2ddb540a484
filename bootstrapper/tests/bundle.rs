//! Bundles from outside: whatever the bytes, decoding gives a valid bundle or an error.

use bootstrapper::bundle::{Bundle, MAGIC, Observe, Run};
use bootstrapper::plan::{Device, Grant, Kind, What, default_plan};

fn bundle() -> Bundle {
    let mut plan = default_plan("app", &["thermometer"]);
    plan.limits.until_frame = Some(7);
    plan.vms[Device::ALL.len()].grants[0].what = What::Only(vec!["write".into()]);
    let run = Run { plan, modules: vec![vec![1, 2, 3], vec![4; 300]], key_events: 2 };
    let observe = Observe { packets: true, usage_ms: Some(1000), buffer_bytes: 256, most_bytes: 1 << 20 };
    Bundle { verbose: true, observe: Some(observe), runs: vec![run.clone(), run] }
}

#[test]
fn a_bundle_reads_back_and_an_empty_one_is_legal() {
    for bundle in [bundle(), Bundle::default()] {
        let bytes = bundle.encode().unwrap();
        assert_eq!(Bundle::decode(&bytes), Ok(bundle));
    }
}

#[test]
fn damaged_bundles_are_refused_or_valid_but_never_a_panic() {
    let bytes = bundle().encode().unwrap();
    for end in 0..bytes.len() {
        assert!(Bundle::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Bundle::decode(&longer).is_err());
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(bundle) = Bundle::decode(&changed) {
                assert!(bundle.runs.iter().all(|run| run.plan.validate(run.modules.len()).is_ok()));
            }
        }
    }
}

#[test]
fn lengths_that_lie_cost_no_memory() {
    // A claim of 2^60 runs, then of one run with 2^60 VMs.
    for claim in [
        &[0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10][..],
        &[0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ] {
        let bytes = [&MAGIC[..], claim].concat();
        assert!(Bundle::decode(&bytes).is_err());
    }
}

#[test]
fn plans_that_cannot_be_are_refused_with_a_reason() {
    type Change = fn(&mut Run);
    let cases: [(Change, &str); 8] = [
        (|run| run.plan.main = 99, "names no program"),
        (|run| run.plan.main = 0, "is a device"),
        (|run| run.plan.display.width = 0, "display of 0"),
        (|run| run.modules.clear(), "needs module"),
        (|run| run.plan.vms[1].name = "console".into(), "used twice"),
        (|run| run.plan.vms[Device::ALL.len()].name = "a b".into(), "` ` in a name"),
        (|run| run.plan.vms[Device::ALL.len()].grants.push(Grant::new(99, What::All)), "number 99"),
        (|run| run.plan.vms[Device::ALL.len()].memory_bytes = u64::MAX, "memory quota"),
    ];
    for (change, expected) in cases {
        let mut bundle = bundle();
        change(&mut bundle.runs[1]);
        let error = bundle.encode().unwrap_err().to_string();
        assert!(error.contains("run 1") && error.contains(expected), "expected {expected:?}: {error}");
    }
}

#[test]
fn a_plug_in_of_a_devices_name_stands_in_for_it() {
    let plan = default_plan("disk", &["disk", "extra"]);
    assert_eq!(plan.find("disk").map(|(_, vm)| vm.kind), Some(Kind::Module(1)));
    assert_eq!(plan.find("extra").map(|(_, vm)| vm.kind), Some(Kind::Module(2)));
    assert_eq!(plan.main_vm().map(|vm| vm.name.as_str()), Some("disk-program"));
    assert_eq!(plan.validate(3), Ok(()));
}
