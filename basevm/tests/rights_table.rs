//! Rights, at the real choke point with real packets: every instruction of every built-in set under every kind of
//! right mask, with operands inside and outside of what is granted. What is expected is worked out here, by hand or
//! from the mask, never from the tables of the base.
#![allow(missing_docs)]

mod common;

use std::sync::{Arc, Mutex};

use basevm::attachment::Attachment;
use basevm::buf::Buf;
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service, VmId};
use basevm::system::{ExternalOptions, Grants, Incoming, Mask, Refusal, System, VmOptions, Wanted};
use common::{TestPlatform, one, system};
use il::Type;
use il::isa::{Instruction, InstructionSet};
use il::packet::Value;
use il::ranges::Limit;
use il::trap::Status;

/// Executes everything, and remembers what.
struct Executor {
    set: &'static InstructionSet,
    executed: Arc<Mutex<Vec<u8>>>,
}

impl Service for Executor {
    fn hello(&self) -> Hello {
        Hello { name: "target".into(), provides: self.set }
    }

    fn execute(&mut self, host: &mut dyn Host, request: Request<'_>) -> Outcome {
        basevm::arena::scope(basevm::arena::ArenaId::BASE, || self.executed.lock().unwrap().push(request.opcode));
        let instruction = self.set.instruction(request.opcode).expect("admitted");
        let mut attachments = Vec::new();
        let results = instruction.results.as_deref().unwrap_or_default();
        let values: Vec<Value<'_>> =
            results.iter().map(|result| result_of(result.ty, host, &mut attachments)).collect();
        Outcome::Done(Reply::new(&values, attachments))
    }
}

fn result_of(ty: Type, host: &mut dyn Host, attachments: &mut Vec<Attachment>) -> Value<'static> {
    match ty {
        Type::I32 => Value::I32(0),
        Type::I64 => Value::I64(0),
        Type::Bool => Value::Bool(false),
        Type::Str => Value::Str(""),
        Type::OptAny => Value::OptRef(None),
        Type::Buf => {
            attachments.push(host.buf(1).unwrap().into());
            Value::Buf(attachments.len() as u32 - 1)
        }
        other => panic!("no built-in set has results of type {other}"),
    }
}

/// A system of one VM that executes a set, and VMs that send to it.
struct Bench {
    system: System,
    set: &'static InstructionSet,
    executed: Arc<Mutex<Vec<u8>>>,
    senders: u32,
}

impl Bench {
    fn new(set: &'static InstructionSet) -> Bench {
        let mut system = system(TestPlatform::new(true));
        system.declare(isa::ALL);
        let executed = Arc::new(Mutex::new(Vec::new()));
        let service = Box::new(Executor { set, executed: executed.clone() });
        system.add_service(service, VmOptions::default()).unwrap();
        Bench { system, set, executed, senders: 0 }
    }

    /// A VM that wants these instructions; its fate tells whether it was let in.
    fn sender(&mut self, grants: Grants, wanted: impl Fn(&Instruction) -> bool) -> VmId {
        self.senders += 1;
        let instructions = self.set.instructions.iter().filter(|one| wanted(one)).cloned().collect();
        let set = InstructionSet { instructions, events: Vec::new().into(), ..self.set.clone() };
        let vm = VmOptions::named(&format!("sender{}", self.senders), grants);
        let wants = vec![Wanted { name: "target".into(), set }];
        let id = self.system.add_external(ExternalOptions { vm, wants, silent: false }).unwrap();
        self.system.connect();
        id
    }

    /// Sends one instruction; whether it was executed must agree with what is answered.
    fn send(&mut self, from: VmId, opcode: u16, words: &[u64], lengths: &[usize]) -> Result<(), Status> {
        self.executed.lock().unwrap().clear();
        let account = self.system.account(from).unwrap();
        let buffers = lengths.iter().map(|bytes| Buf::new(&account, *bytes).unwrap().into()).collect();
        let mut packet = one(opcode, 1, &[]);
        packet[0] += (words.len() as u64) << 16;
        packet.extend_from_slice(words);
        self.system.send(from, 0, packet, buffers)?;
        self.system.settle();
        let Some(Incoming::Reply { result, .. }) = self.system.receive(from) else { panic!("no answer") };
        let executed = self.executed.lock().unwrap().clone();
        match result {
            Ok(_) => assert_eq!(executed, [opcode as u8]),
            Err(status) => assert_eq!(executed, [], "refused with {status:?}"),
        }
        result.map(|_| ())
    }
}

/// Operand words for an instruction: integers are `number`, buffers and texts are `length` bytes long.
fn operands(instruction: &Instruction, number: i64, length: usize) -> (Vec<u64>, Vec<usize>) {
    let text = "t".repeat(length);
    let mut builder = il::packet::Builder::default();
    let mut lengths = Vec::new();
    for param in instruction.params.iter() {
        builder.push(match param.ty {
            Type::I32 => Value::I32(number as i32),
            Type::I64 => Value::I64(number),
            Type::Bool => Value::Bool(true),
            Type::Str => Value::Str(&text),
            Type::Buf => {
                lengths.push(length);
                Value::Buf(lengths.len() as u32 - 1)
            }
            other => panic!("no built-in set has operands of type {other}"),
        });
    }
    (builder.words, lengths)
}

/// No right, all rights, each one alone, each one missing, and some at random (always the same).
fn masks(set: &InstructionSet) -> Vec<Mask> {
    let opcodes: Vec<u8> = set.instructions.iter().map(|one| one.opcode).collect();
    let mut masks = vec![Mask::NONE, Mask::ALL];
    masks.extend(opcodes.iter().map(|one| Mask::NONE.with(*one)));
    masks.extend(opcodes.iter().map(|one| (0..=255).filter(|other| other != one).collect::<Mask>()));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    masks.extend((0..24).map(|_| Mask::from_words([random(), random(), random(), random()])));
    masks
}

#[test]
fn every_instruction_of_every_set_under_every_mask() {
    let mut sent = 0;
    for set in isa::ALL {
        let mut bench = Bench::new(set);
        for mask in masks(set) {
            let from = bench.sender(Grants::all(), |_| true);
            assert!(bench.system.narrow(from, 0, mask, Mask::NONE));
            for instruction in set.instructions.iter() {
                let (words, lengths) = operands(instruction, 15, 15);
                let allowed = mask.has(instruction.opcode);
                let expected = if allowed { Ok(()) } else { Err(Status::NotPermitted) };
                let opcode = instruction.opcode.into();
                let of = |what: &str| format!("{}.{} {what} with {mask:?}", set.name, instruction.name);
                assert_eq!(bench.send(from, opcode, &words, &lengths), expected, "{}", of("sent"));
                let longer = [&words[..], &[0]].concat();
                let expected = Err(if allowed { Status::BadOperand } else { Status::NotPermitted });
                assert_eq!(bench.send(from, opcode, &longer, &lengths), expected, "{}", of("with a word too many"));
                sent += 2;
            }
            // What the set does not have is refused whatever the mask says.
            for opcode in [0, 200, 255, 256, 0x3fff, 0x8001, 0xffff] {
                assert_eq!(
                    bench.send(from, opcode, &[], &[]),
                    Err(Status::NoSuchInstruction),
                    "{opcode} with {mask:?}"
                );
            }
            assert!(bench.system.revoke(from, 0));
            for instruction in set.instructions.iter() {
                let (words, lengths) = operands(instruction, 15, 15);
                let refused = bench.send(from, instruction.opcode.into(), &words, &lengths);
                assert_eq!(refused, Err(Status::Revoked), "{}", instruction.name);
            }
        }
    }
    assert!(sent > 2_000, "{sent}");
}

#[test]
fn every_operand_of_every_set_in_and_out_of_its_range_under_every_mask() {
    let mut refused = 0;
    for set in isa::ALL {
        let mut names: Vec<&str> = set.limited_operands().collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| set.spaces().iter().all(|(space, _)| space != name));
        for name in names {
            let limit = Limit::parse(name, "10..20").unwrap();
            let mut bench = Bench::new(set);
            for mask in masks(set) {
                let from = bench.sender(Grants::none().allow_limited("target", None, vec![limit.clone()]), |_| true);
                assert!(bench.system.narrow(from, 0, mask, Mask::NONE));
                for instruction in set.instructions.iter() {
                    let limited = instruction.params.iter().find(|param| param.name == name);
                    for number in [10, 19, 9, 20, 0, -1, i64::from(i32::MIN), i64::from(i32::MAX), i64::MIN, i64::MAX] {
                        // A length cannot be negative, nor larger than a packet has room for.
                        let length = number.clamp(0, 100);
                        let inside = match limited.map(|param| param.ty) {
                            None => true,
                            Some(Type::I32) => (10..20).contains(&i64::from(number as i32)),
                            Some(Type::I64) => (10..20).contains(&number),
                            Some(_) => (10..20).contains(&length),
                        };
                        let expected = match (mask.has(instruction.opcode), inside) {
                            (false, _) => Err(Status::NotPermitted),
                            (true, false) => Err(Status::OutOfRange),
                            (true, true) => Ok(()),
                        };
                        refused += usize::from(expected == Err(Status::OutOfRange));
                        let (words, lengths) = operands(instruction, number, length as usize);
                        let found = bench.send(from, instruction.opcode.into(), &words, &lengths);
                        assert_eq!(found, expected, "{}.{} {name} = {number}", set.name, instruction.name);
                    }
                }
            }
        }
    }
    assert!(refused > 2_000, "{refused}");
}

/// One instruction: its name, its integers in order, its text or the length of its buffer, and whether it lies inside.
type Case = (&'static str, &'static [i64], &'static str, usize, bool);

/// `within` 10..320 x 5..200.
const DISPLAY: &[Case] = &[
    ("size", &[], "", 0, true),
    ("present", &[], "", 0, true),
    ("clear", &[0], "", 0, false),
    ("set_pixel", &[10, 5, 1], "", 0, true),
    ("set_pixel", &[319, 199, 1], "", 0, true),
    ("set_pixel", &[9, 5, 1], "", 0, false),
    ("set_pixel", &[10, 4, 1], "", 0, false),
    ("set_pixel", &[320, 5, 1], "", 0, false),
    ("set_pixel", &[10, 200, 1], "", 0, false),
    ("set_pixel", &[i32::MIN as i64, i32::MAX as i64, 1], "", 0, false),
    ("get_pixel", &[319, 199], "", 0, true),
    ("get_pixel", &[320, 199], "", 0, false),
    ("fill_rect", &[10, 5, 310, 195, 1], "", 0, true),
    ("fill_rect", &[10, 5, 311, 195, 1], "", 0, false),
    ("fill_rect", &[10, 5, 310, 196, 1], "", 0, false),
    ("fill_rect", &[9, 5, 310, 195, 1], "", 0, false),
    ("fill_rect", &[10, 5, i32::MAX as i64, 1, 1], "", 0, false),
    ("fill_rect", &[i32::MAX as i64, 5, i32::MAX as i64, 1, 1], "", 0, false),
    ("fill_rect", &[i32::MIN as i64, 5, i32::MIN as i64, 1, 1], "", 0, false),
    ("fill_rect", &[100, 100, -1, 1, 1], "", 0, false),
    ("fill_rect", &[320, 200, 0, 0, 1], "", 0, true),
    ("fill_rect", &[321, 200, 0, 0, 1], "", 0, false),
    ("line", &[10, 5, 319, 199, 1], "", 0, true),
    ("line", &[319, 199, 10, 5, 1], "", 0, true),
    ("line", &[10, 5, 320, 199, 1], "", 0, false),
    ("line", &[10, 4, 319, 199, 1], "", 0, false),
    ("line", &[0, 0, 400, 400, 1], "", 0, false),
    ("text", &[10, 5, 1], "hello", 0, true),
    ("text", &[285, 184, 1], "hello", 0, true),
    ("text", &[286, 184, 1], "hello", 0, false),
    ("text", &[285, 185, 1], "hello", 0, false),
    ("text", &[285, 168, 1], "hello\nyou", 0, true),
    ("text", &[285, 169, 1], "hello\nyou", 0, false),
    ("text", &[306, 168, 1], "a\nöß", 0, true),
    ("text", &[307, 168, 1], "a\nöß", 0, false),
    ("blit", &[10, 5, 310, 195], "", 16, true),
    ("blit", &[10, 5, 310, 195], "", 0, true),
    ("blit", &[10, 5, 310, 196], "", 16, false),
    ("blit", &[9, 5, 1, 1], "", 16, false),
];

/// `sectors` 100..4096.
const DISK: &[Case] = &[
    ("info", &[], "", 0, true),
    ("flush", &[], "", 0, true),
    ("read", &[100, 3996], "", 0, true),
    ("read", &[100, 3997], "", 0, false),
    ("read", &[99, 1], "", 0, false),
    ("read", &[4096, 1], "", 0, false),
    ("read", &[4096, 0], "", 0, true),
    ("read", &[200, -1], "", 0, false),
    ("read", &[i64::MAX, i32::MAX as i64], "", 0, false),
    ("read", &[i64::MIN, i32::MIN as i64], "", 0, false),
    ("discard", &[100, 3996], "", 0, true),
    ("discard", &[100, i64::MAX], "", 0, false),
    ("discard", &[i64::MAX, i64::MAX], "", 0, false),
    ("discard", &[i64::MIN, i64::MAX], "", 0, false),
    ("discard", &[-100, 4000], "", 0, false),
    ("write", &[100], "", 3996 * 512, true),
    ("write", &[100], "", 3996 * 512 + 1, false),
    ("write", &[4095], "", 512, true),
    ("write", &[4095], "", 513, false),
    ("write", &[4096], "", 0, true),
    ("write", &[99], "", 512, false),
    ("write", &[i64::MAX], "", 512, false),
];

fn words_of(instruction: &Instruction, case: &Case) -> (Vec<u64>, Vec<usize>) {
    let (_, integers, text, length, _) = case;
    let mut integers = integers.iter().copied();
    let mut lengths = Vec::new();
    let mut builder = il::packet::Builder::default();
    for param in instruction.params.iter() {
        builder.push(match param.ty {
            Type::I32 => Value::I32(integers.next().unwrap().try_into().unwrap()),
            Type::I64 => Value::I64(integers.next().unwrap()),
            Type::Str => Value::Str(text),
            Type::Buf => {
                lengths.push(*length);
                Value::Buf(0)
            }
            other => panic!("{other}"),
        });
    }
    assert_eq!(integers.next(), None, "{case:?}");
    (builder.words, lengths)
}

#[test]
fn spaces_are_held_by_the_receiver_to_the_last_point() {
    let spaces: [(&'static InstructionSet, &str, &[Case]); 2] =
        [(&isa::display::SET, "within:10..320x5..200", DISPLAY), (&isa::disk::SET, "sectors:100..4096", DISK)];
    for (set, limit, cases) in spaces {
        let mut bench = Bench::new(set);
        let grants = Grants::none().allow_text(&format!("target={limit}")).unwrap();
        // One that is granted an instruction is limited in it; whoever is granted all without limits is not.
        let limited = bench.sender(grants.clone(), |one| one.touches.iter().all(|touch| !touch.axes.is_empty()));
        let free = bench.sender(Grants::all(), |_| true);
        let narrowed = bench.sender(Grants::all().within(&grants), |one| one.name != "clear");
        for case in cases {
            let instruction = set.instruction_named(case.0).unwrap();
            let (words, lengths) = words_of(instruction, case);
            let mut send = |from| bench.send(from, instruction.opcode.into(), &words, &lengths);
            assert_eq!(send(free), Ok(()), "{case:?} without limits");
            let wanted = instruction.name != "clear";
            let expected = match (wanted, case.4) {
                (false, _) => Err(Status::NotPermitted),
                (true, inside) => {
                    if inside {
                        Ok(())
                    } else {
                        Err(Status::OutOfRange)
                    }
                }
            };
            assert_eq!(send(limited), expected, "{case:?}");
            assert_eq!(send(narrowed), expected, "{case:?} as part of what another VM has");
        }
        let tested = |one: &&Instruction| cases.iter().any(|case| case.0 == one.name);
        assert_eq!(set.instructions.iter().filter(tested).count(), set.instructions.len(), "all of {limit}");
    }
}

#[test]
fn a_streamed_instruction_out_of_range_fails_at_the_next_answer_and_draws_nothing() {
    let mut bench = Bench::new(&isa::display::SET);
    let grants = Grants::none().allow_text("target=size,set_pixel,within:8x8").unwrap();
    let from = bench.sender(grants, |one| ["size", "set_pixel"].contains(&one.name.as_ref()));
    let mut packet = one(3, 0, &[Value::I32(7), Value::I32(7), Value::I32(1)]);
    packet.extend(one(3, 0, &[Value::I32(8), Value::I32(7), Value::I32(1)]));
    packet.extend(one(3, 0, &[Value::I32(6), Value::I32(7), Value::I32(1)]));
    bench.system.send(from, 0, packet, Vec::new()).unwrap();
    bench.system.settle();
    assert_eq!(*bench.executed.lock().unwrap(), [3, 3]);
    assert_eq!(bench.send(from, 1, &[], &[]), Err(Status::OutOfRange));
    assert_eq!(bench.send(from, 1, &[], &[]), Ok(()));
}

/// Each instruction wanted with a grant of all the others: refused before the run, in words that say what to grant.
#[test]
fn linking_refuses_early_and_says_what_to_grant() {
    for set in isa::ALL {
        for instruction in set.instructions.iter() {
            let mut bench = Bench::new(set);
            let name: &str = &instruction.name;
            let others: Vec<&str> = set.instructions.iter().map(|one| &*one.name).filter(|one| *one != name).collect();
            let id = bench.sender(Grants::none().allow_only("target", &others), |_| true);
            let fate = bench.system.fate(id).cloned();
            let Some(basevm::system::Fate::Refused(refused)) = fate else { panic!("{name}: {fate:?}") };
            assert!(matches!(&refused.why, Refusal::NotGranted { items, .. } if *items == [name]), "{refused}");
            let text = refused.to_string();
            assert!(text.contains(&format!("--grant target={name} ")), "{text}");
            assert!(text.contains(&format!("target = [\"{name}\"]")), "{text}");
            let allowed = bench.sender(Grants::none().allow_only("target", &[name]), |one| one.name == name);
            let (words, lengths) = operands(instruction, 15, 15);
            assert_eq!(bench.send(allowed, instruction.opcode.into(), &words, &lengths), Ok(()), "{name}");
        }
    }
}

#[test]
fn a_grant_by_the_sets_name_has_its_limits_too() {
    let mut bench = Bench::new(&isa::disk::SET);
    let grants = Grants::none().allow_text("cascade.disk@1=read,sectors:0..8").unwrap();
    let grants = grants.allow_text("target=read,sectors:20..24").unwrap();
    let from = bench.sender(grants, |one| one.name == "read");
    let mut read = |lba: u64| bench.send(from, 2, &[lba, 1], &[]);
    for (lba, expected) in [(7, Ok(())), (8, Err(Status::OutOfRange)), (20, Ok(())), (24, Err(Status::OutOfRange))] {
        assert_eq!(read(lba), expected, "{lba}: either grant is enough");
    }
}
