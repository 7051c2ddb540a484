//! The built-in sets: the promised signatures, the typed shell, and what people read of them.

use il::packet::{Builder, Value, check, instructions};
use il::trap::Status;
use isa::{console, disk, display, keyboard};

#[test]
fn tables_are_ordered_and_documented() {
    for set in isa::ALL {
        assert!(isa::is_ordered(set), "{}", set.path());
        assert!(!set.doc.is_empty());
        assert!(set.instructions.iter().all(|i| !i.doc.is_empty()), "{}", set.path());
        assert!(set.events.iter().all(|e| !e.doc.is_empty()), "{}", set.path());
        assert_eq!(isa::find(&set.path()).map(|s| &s.name), Some(&set.name));
    }
    assert!(isa::find("display").is_some() && isa::find("cascade").is_none());
}

/// A change of a signature breaks programs: this list only grows.
#[test]
fn signatures_are_those_promised() {
    let text: String = isa::ALL.iter().map(|set| isa::describe(set)).collect();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    assert_eq!(lines.join("\n"), include_str!("signatures.txt").trim_end());
}

/// What instructions touch is written in names of operands: they exist, and are of types that have such a measure.
#[test]
fn what_instructions_touch_is_declared_in_terms_of_their_operands() {
    use il::Type::{Buf, I32, I64, Str};
    use il::isa::Extent;
    for set in isa::ALL {
        for instruction in set.instructions.iter() {
            let ty = |name: &str| instruction.params.iter().find(|param| param.name == name).map(|param| param.ty);
            let integer = |name: &str| matches!(ty(name), Some(I32 | I64));
            for touch in instruction.touches.iter() {
                let axes = set.limit_axes(&touch.space);
                assert!(touch.axes.is_empty() || axes == Some(touch.axes.len()), "{}", instruction.name);
                for axis in touch.axes.iter() {
                    let measured = match &axis.extent {
                        Extent::One => true,
                        Extent::Count(of) | Extent::To(of) => integer(of),
                        Extent::Bytes { of, bytes } => ty(of) == Some(Buf) && *bytes > 0,
                        Extent::Columns { of, .. } | Extent::Lines { of, .. } => ty(of) == Some(Str),
                    };
                    assert!(measured && integer(&axis.start), "{} {axis:?}", instruction.name);
                }
            }
        }
    }
    assert_eq!(display::SET.spaces(), [("within", 2)]);
    assert_eq!(disk::SET.spaces(), [("sectors", 1)]);
}

#[test]
fn limits_are_described_with_the_set() {
    let text = isa::describe(&disk::SET);
    assert!(text.contains("/// Touches `sectors` lba..lba+len(data)/512.\n  3 write("), "{text}");
    assert!(text.ends_with("// A grant can be limited to a part of `sectors`: disk=sectors:0..100\n"), "{text}");
    assert!(isa::describe(&display::SET).contains("/// Touches all of `within`.\n  2 clear("));
}

#[test]
fn instructions_round_trip_through_a_packet() {
    let ops = [
        display::Op::Size,
        display::Op::Line { x0: -1, y0: i32::MIN, x1: 3, y1: i32::MAX, color: 0xff_ffff },
        display::Op::Text { x: 1, y: 2, text: "grüß", color: 0 },
        display::Op::Blit { x: 0, y: 0, w: 2, h: 2, pixels: isa::Attachment(0) },
    ];
    let mut packet = Builder::default();
    for (tag, op) in ops.iter().enumerate() {
        op.encode(&mut packet, tag as u32).expect("fits");
    }
    for (op, instruction) in ops.iter().zip(instructions(&packet.words)) {
        let (head, words) = instruction.expect("well formed");
        assert_eq!(display::Op::decode(head.opcode as u8, words), Ok(*op));
        let declared = display::SET.instruction(head.opcode as u8).expect("declared");
        assert_eq!(check(&declared.params, words, 1), Ok(()));
    }
}

#[test]
fn malformed_instructions_are_refused() {
    assert_eq!(display::Op::decode(200, &[]), Err(Status::NoSuchInstruction));
    assert_eq!(display::Op::decode(2, &[]), Err(Status::BadOperand), "missing");
    assert_eq!(display::Op::decode(2, &[1, 2]), Err(Status::BadOperand), "left over");
    assert_eq!(display::Op::decode(2, &[1 << 40]), Err(Status::BadOperand), "not canonical");
    assert_eq!(console::Op::decode(1, &[u64::MAX]), Err(Status::BadOperand));
}

#[test]
fn replies_and_events_are_typed() {
    assert_eq!(disk::reply::info(512, 2048), [Value::I32(512), Value::I64(2048)]);
    assert_eq!(disk::reply::flush(), []);
    assert_eq!(keyboard::event::KEY, 1);
    assert_eq!(keyboard::event::key(4, true, 97), [Value::I32(4), Value::Bool(true), Value::I32(97)]);
}

#[test]
fn the_reference_page_has_every_instruction() {
    let page = isa::reference_page();
    for set in isa::ALL {
        assert!(set.instructions.iter().all(|i| page.contains(&format!("  {} {}(", i.opcode, i.name))));
    }
    assert!(page.contains("| 12 | deadlock |"));
}
