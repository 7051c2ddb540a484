//! Channels between VMs, seen from outside: what is admitted, what is refused, and what comes back.
#![allow(missing_docs)]

mod common;

use std::sync::{Arc, Mutex};

use basevm::buf::Buf;
use basevm::service::{Service, VmId};
use basevm::system::{Contained, ExternalOptions, Fate, Grants, Incoming, Mask, Refusal, System, VmOptions, Wanted};
use common::{Probe, Seen, TestPlatform, driver, one, probe_set, system};
use il::Type;
use il::packet::{Reader, Value};
use il::trap::{Status, TrapKind};

/// Sends a packet through slot 0 and returns the result that comes back.
fn ask(system: &mut System, vm: VmId, words: Vec<u64>, buffers: Vec<Buf>) -> Result<Vec<u64>, Status> {
    system.send(vm, 0, words, buffers.into_iter().map(Into::into).collect())?;
    system.settle();
    match system.receive(vm) {
        Some(Incoming::Reply { result, .. }) => result.map(|reply| reply.words),
        other => panic!("no reply but {other:?}"),
    }
}

fn probe_and_driver(platform: &'static TestPlatform) -> (System, VmId, VmId) {
    let mut system = system(platform);
    let probe = system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let vm = system.add_external(driver("driver")).unwrap();
    system.connect();
    (system, probe, vm)
}

#[test]
fn a_call_is_answered_and_the_handshake_is_logged_in_order() {
    let platform = TestPlatform::new(true);
    let (mut system, _, vm) = probe_and_driver(platform);
    let words = ask(&mut system, vm, one(1, 7, &[Value::Str("hello")]), vec![]).unwrap();
    assert_eq!(Reader::new(&words).next(Type::Str), Ok(Value::Str("probe: hello")));
    let log = platform.text();
    let steps = [
        "probe/0: hello, executes test.probe@1",
        "probe/0: ready",
        "driver/0: hello",
        "granted probe",
        "driver/0: ready",
    ];
    let places: Vec<_> = steps.iter().map(|step| log.find(step).unwrap_or_else(|| panic!("{step} in {log}"))).collect();
    assert!(places.is_sorted(), "{log}");
}

/// Each instruction with each single right: only the matching one passes, and the VM sees no other.
#[test]
fn rights_are_tested_per_instruction_by_the_receiver() {
    let platform = TestPlatform::new(true);
    for instruction in probe_set().instructions.iter() {
        for right in 1..=9 {
            let (mut system, probe, vm) = probe_and_driver(platform);
            assert!(system.narrow(vm, 0, Mask::NONE.with(right), Mask::NONE));
            let account = system.account(vm).unwrap();
            let buffers = vec![Buf::new(&account, 8).unwrap().into()];
            let values: &[Value<'_>] = match instruction.params.first().map(|param| param.ty) {
                Some(Type::Str) => &[Value::Str("x")],
                Some(Type::Buf) => &[Value::Buf(0)],
                Some(Type::I64) => &[Value::I64(0)],
                Some(_) => &[Value::I32(1)],
                None => &[],
            };
            system.send(vm, 0, one(instruction.opcode.into(), 1, values), buffers).unwrap();
            system.settle();
            let executed = system.list().iter().find(|info| info.id == probe).unwrap().executed;
            if right == instruction.opcode {
                assert_eq!(executed, 1, "{}", instruction.name);
            } else {
                assert_eq!(executed, 0, "{} with right {right}", instruction.name);
                let Some(Incoming::Reply { result: Err(status), .. }) = system.receive(vm) else {
                    panic!("no refusal")
                };
                assert_eq!(status, Status::NotPermitted);
            }
        }
    }
}

#[test]
fn a_streamed_failure_sticks_and_is_raised_once() {
    let (mut system, _, vm) = probe_and_driver(TestPlatform::new(true));
    system.send(vm, 0, one(3, 0, &[Value::I32(-1)]), vec![]).unwrap();
    system.send(vm, 0, one(3, 0, &[Value::I32(5)]), vec![]).unwrap();
    assert_eq!(ask(&mut system, vm, one(6, 1, &[]), vec![]), Err(Status::OutOfRange));
    assert_eq!(ask(&mut system, vm, one(6, 2, &[]), vec![]), Ok(vec![4]), "the streamed ones were executed");
}

#[test]
fn malformed_packets_are_refused_by_status() {
    let (mut system, _, vm) = probe_and_driver(TestPlatform::new(true));
    let refused = |system: &mut System, words: Vec<u64>| ask(system, vm, words, vec![]).unwrap_err();
    assert_eq!(refused(&mut system, one(99, 1, &[])), Status::NoSuchInstruction);
    assert_eq!(refused(&mut system, one(0x8001, 1, &[Value::I32(1)])), Status::NoSuchInstruction);
    assert_eq!(refused(&mut system, one(0x101, 1, &[Value::Str("x")])), Status::NoSuchInstruction);
    assert_eq!(refused(&mut system, one(1, 1, &[])), Status::BadOperand);
    assert_eq!(refused(&mut system, one(1, 1, &[Value::I64(i64::MAX)])), Status::BadOperand);
    assert_eq!(refused(&mut system, one(1, 1, &[Value::Str("x"), Value::I32(1)])), Status::BadOperand);
    assert_eq!(refused(&mut system, one(2, 1, &[Value::Buf(0)])), Status::BadOperand, "no such attachment");
    assert_eq!(refused(&mut system, one(3, 1, &[Value::I64(-1)])), Status::BadOperand, "not canonical");
    // A broken length ends the packet; what it would have said is unknown, so the failure sticks.
    system.send(vm, 0, vec![0], vec![]).unwrap();
    assert_eq!(refused(&mut system, one(6, 1, &[])), Status::BadOperand);
}

/// Random words, half of them with plausible heads: statuses, never a panic, and nothing leaks.
#[test]
fn hostile_packets_never_break_a_vm() {
    let (mut system, probe, vm) = probe_and_driver(TestPlatform::new(true));
    // Without `panic`, which is legal, and `never`, which keeps buffers.
    let rights: Mask = [1, 2, 3, 6, 7, 8].into_iter().collect();
    system.narrow(vm, 0, rights, Mask::NONE);
    let account = system.account(vm).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20_000 {
        let length = random() % 12;
        let mut words: Vec<u64> = (0..length).map(|_| random() >> (random() % 64)).collect();
        if random() % 2 == 0 && !words.is_empty() {
            let opcode = random() % 12;
            words[0] = opcode | (random() % (length + 2)) << 16 | (random() % 3) << 32;
            if opcode == 7 {
                words.iter_mut().skip(1).for_each(|word| *word %= 4);
            }
        }
        let buffers = (0..random() % 3).map(|_| Buf::new(&account, 16).unwrap().into()).collect();
        system.send(vm, 0, words, buffers).unwrap();
        system.settle();
        while system.receive(vm).is_some() {}
    }
    assert!(system.fate(probe).is_none());
    assert_eq!(account.used(), 0, "buffers of refused packets are freed");
    assert!(
        ask(&mut system, vm, one(1, 7, &[Value::Str("")]), vec![]).is_ok()
            || ask(&mut system, vm, one(1, 8, &[Value::Str("")]), vec![]).is_ok()
    );
}

#[test]
fn a_panic_ends_that_vm_only() {
    let platform = TestPlatform::new(true);
    let mut system = system(platform);
    let probe = system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let other = system.add_service(Box::new(Probe::new("other").0), VmOptions::default()).unwrap();
    let first = system.add_external(driver("first")).unwrap();
    let second = system
        .add_external(ExternalOptions {
            wants: vec![Wanted { name: "other".into(), set: probe_set() }],
            ..driver("second")
        })
        .unwrap();
    system.connect();
    let account = system.account(first).unwrap();
    // One request is held unanswered when the panic comes.
    system.send(first, 0, one(4, 1, &[Value::Buf(0)]), vec![Buf::new(&account, 100).unwrap().into()]).unwrap();
    system.send(first, 0, one(5, 2, &[]), vec![]).unwrap();
    system.settle();
    for _ in 0..2 {
        let Some(Incoming::Reply { result, .. }) = system.receive(first) else { panic!("a caller hangs") };
        assert_eq!(result.unwrap_err(), Status::PeerGone);
    }
    assert_eq!(system.send(first, 0, one(6, 3, &[]), vec![]), Err(Status::PeerGone), "later use");
    let Some(Fate::Fault(report)) = system.fate(probe) else { panic!("no fault") };
    assert_eq!(report.kind, TrapKind::Panic);
    assert!(platform.text().contains("fault VM 'probe/0': panic"), "{}", platform.text());
    assert!(system.fate(other).is_none());
    assert!(ask(&mut system, second, one(6, 1, &[]), vec![]).is_ok());
}

#[test]
fn a_contained_vm_that_panics_is_freed_whole() {
    let mut system = system(TestPlatform::new(true));
    let seen = Arc::new(Mutex::new(Seen::default()));
    // SAFETY: what the probe shares, `seen`, is made outside of its arena, and nothing is added to it.
    let contained = unsafe { Contained::promise() };
    let make = || -> Box<dyn Service> { Box::new(Probe::with("probe", seen.clone())) };
    let probe = system.add_contained_service(make, contained, VmOptions::default()).unwrap();
    let vm = system.add_external(driver("driver")).unwrap();
    system.connect();
    let account = system.account(vm).unwrap();
    system.send(vm, 0, one(4, 1, &[Value::Buf(0)]), vec![Buf::new(&account, 100).unwrap().into()]).unwrap();
    system.settle();
    let used = |system: &System| system.list().iter().find(|info| info.id == probe).unwrap().memory_used;
    assert!(used(&system) > 0, "its list of held requests is its own memory");
    system.send(vm, 0, one(5, 2, &[]), vec![]).unwrap();
    system.settle();
    assert_eq!(used(&system), 0);
    assert!(matches!(system.fate(probe), Some(Fate::Fault(_))));
}

#[test]
fn what_is_revoked_or_gone_answers_so() {
    let (mut system, probe, vm) = probe_and_driver(TestPlatform::new(true));
    let account = system.account(vm).unwrap();
    system.send(vm, 0, one(4, 1, &[Value::Buf(0)]), vec![Buf::new(&account, 8).unwrap().into()]).unwrap();
    system.settle();
    assert!(system.receive(vm).is_none(), "it is held");
    assert!(system.revoke(vm, 0));
    let Some(Incoming::Reply { result: Err(Status::Revoked), .. }) = system.receive(vm) else { panic!("not revoked") };
    assert_eq!(ask(&mut system, vm, one(6, 2, &[]), vec![]), Err(Status::Revoked));
    assert!(!system.revoke(vm, 0), "only once");
    system.stop_vm(probe);
    assert_eq!(system.send(vm, 0, one(6, 3, &[]), vec![]), Err(Status::PeerGone));
    assert_eq!(account.used(), 0, "the held buffer went with its holder");
}

#[test]
fn timers_are_fired_by_virtual_time() {
    let (mut system, _, vm) = probe_and_driver(TestPlatform::new(true));
    system.send(vm, 0, one(9, 1, &[Value::I64(500)]), vec![]).unwrap();
    system.send(vm, 0, one(9, 2, &[Value::I64(200)]), vec![]).unwrap();
    system.settle();
    system.advance(199);
    assert!(system.receive(vm).is_none());
    system.advance(200);
    assert!(matches!(system.receive(vm), Some(Incoming::Reply { tag: 2, .. })));
    system.advance(1000);
    assert!(matches!(system.receive(vm), Some(Incoming::Reply { tag: 1, .. })));
}

#[test]
fn a_handshake_is_refused_with_the_reason() {
    let platform = TestPlatform::new(true);
    let mut system = system(platform);
    system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let mut add = |name: &str, grants: Grants, want: Wanted| {
        let options = ExternalOptions { vm: VmOptions::named(name, grants), wants: vec![want], silent: false };
        (system.add_external(options).unwrap(), name.to_string())
    };
    let wanted = |set| Wanted { name: "probe".into(), set };
    let mut other_set = probe_set();
    other_set.name = "test.absent".into();
    let mut more = probe_set();
    more.instructions.to_mut()[8].opcode = 10;
    let mut otherwise = probe_set();
    otherwise.instructions.to_mut()[2].params.to_mut()[0].ty = Type::I64;
    let cases = [
        (
            add("a", Grants::all(), wanted(other_set)),
            "no VM executes test.absent@1, which it wants as `probe`; plug one in with --plug probe=FILE, or write [vm.probe] module = \"FILE\" in system.toml and grant it",
        ),
        (
            add("b", Grants::all(), wanted(more)),
            "it needs `after` of test.probe@1, which VM 'probe/0' does not have; name a VM that has it in `use`, or give that VM another `module` in system.toml",
        ),
        (
            add("c", Grants::all(), wanted(otherwise)),
            "`note` of test.probe@1 has other operands or results in VM 'probe/0'",
        ),
        (
            add(
                "d",
                Grants::none()
                    .allow_only("probe", &["say", "reverse", "note", "never", "panic", "total", "burst", "tick"]),
                wanted(probe_set()),
            ),
            "it needs test.probe@1 release, after, latest; grant it with --grant probe=release,after,latest or in system.toml, among its grants: probe = [\"release\", \"after\", \"latest\"]",
        ),
    ];
    let fine = add("fine", Grants::none().allow("test.probe@1"), wanted(probe_set()));
    system.connect();
    for ((id, name), why) in cases {
        let Some(Fate::Refused(refused)) = system.fate(id) else { panic!("{name} was let in") };
        let text = refused.to_string();
        assert!(text.starts_with(&format!("VM '{name}' was refused: ")) && text.contains(why), "{text}");
        assert!(platform.text().contains(&text));
        assert_eq!(system.send(id, 0, one(6, 1, &[]), vec![]), Err(Status::NotPermitted));
    }
    assert!(system.fate(fine.0).is_none());
    assert!(ask(&mut system, fine.0, one(6, 1, &[]), vec![]).is_ok());
}

#[test]
fn a_vm_that_does_not_complete_the_handshake_is_refused() {
    let platform = TestPlatform::new(true);
    let mut system = system(platform);
    system.add_service(Box::new(Probe::new("probe").0), VmOptions::default()).unwrap();
    let silent = system.add_external(ExternalOptions { silent: true, ..driver("silent") }).unwrap();
    system.run();
    let Some(Fate::Refused(refused)) = system.fate(silent) else { panic!("it was let in") };
    assert_eq!(refused.why, Refusal::Late);
    assert!(platform.text().contains("did not complete the handshake within 2000 ms"));
    let bad = system.add_external(driver("two words")).unwrap_err();
    assert!(bad.to_string().contains("step `hello` of its handshake failed: bad operand"), "{bad}");
}

#[test]
fn what_ended_vms_leave_behind_is_forgotten_and_their_numbers_name_nothing() {
    let platform = TestPlatform::new(true);
    let (mut system, _probe, _vm) = probe_and_driver(platform);
    system.settle();
    let before = system.table_sizes();
    let mut numbers = Vec::new();
    for turn in 0..5_000 {
        let vm = system.add_external(driver("brief")).unwrap();
        system.connect();
        if turn % 3 == 0 {
            system.send(vm, 0, one(1, 1, &[Value::Str("x")]), vec![]).unwrap();
            system.settle();
        }
        numbers.push(vm);
        system.stop_vm(vm);
        assert_eq!(system.send(vm, 0, one(1, 1, &[Value::Str("x")]), vec![]), Err(Status::NotPermitted));
        assert_eq!(system.table_sizes(), before);
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5_000, "a number names one VM for ever");
    assert!(numbers.iter().all(|vm| system.account(*vm).is_none()));
    assert!(system.fate(*numbers.last().unwrap()).is_some());
}
