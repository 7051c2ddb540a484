//! Round trips of random frames, and what becomes of damaged ones.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use il::Type;
use il::isa::EVENT_BASE;
use il::packet::{Builder, Value};

use super::*;

/// A small generator: the tests need variety, not quality.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn small(&mut self) -> u32 {
        self.next() as u32 >> self.below(32)
    }

    fn text(&mut self) -> String {
        let characters = ['a', 'ö', '/', '0', '∀', ' '];
        (0..self.below(12)).map(|_| characters[self.below(6) as usize]).collect()
    }

    fn words(&mut self, most: u64) -> Vec<u64> {
        (0..self.below(most)).map(|_| self.next() >> self.below(64)).collect()
    }

    fn mask(&mut self) -> [u64; 4] {
        core::array::from_fn(|_| self.next())
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Random) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| one(self)).collect()
    }

    fn field(&mut self) -> Field {
        Field { name: self.text(), code: self.next() as u8, ty: self.text() }
    }

    fn item(&mut self) -> Item {
        let results = (self.below(2) == 1).then(|| self.list(Random::field));
        Item { number: self.next() as u8, name: self.text(), operands: self.list(Random::field), results }
    }

    fn attached(&mut self) -> Attached {
        match self.below(4) {
            0 => Attached::None,
            1 => {
                let bytes: Vec<u8> = (0..self.below(20)).map(|at| at as u8 + 1).collect();
                Attached::Buf { length: bytes.len() as u64 + self.below(2), bytes }
            }
            2 => Attached::Object { ty: self.text(), words: self.words(5) },
            _ => Attached::Cap { right: self.small(), generation: self.small() },
        }
    }

    fn frame(&mut self) -> Frame {
        match self.below(18) {
            0 => Frame::Start { virtual_clock: self.below(2) == 1, wall: self.next(), program: self.text() },
            1 => Frame::Set(Set {
                number: self.small(),
                path: self.text(),
                instructions: self.list(Random::item),
                events: self.list(Random::item),
            }),
            2 => Frame::Vm(Vm {
                vm: self.small(),
                name: self.text(),
                index: self.small(),
                kind: Kind::ALL[self.below(Kind::ALL.len() as u64) as usize],
                memory_limit: self.next(),
                sets: self.list(Random::small),
            }),
            3 => Frame::Channel(Channel {
                channel: self.small(),
                sender: self.small(),
                receiver: self.small(),
                set: (self.below(2) == 1).then(|| self.small()),
                slot: self.small(),
                name: self.text(),
                ops: self.mask(),
                events: self.mask(),
            }),
            4 => Frame::Closed { channel: self.small(), status: self.next() as u16 },
            5 => Frame::Ended { vm: self.small(), how: End::ALL[self.below(3) as usize], text: self.text() },
            6 => Frame::At(self.next()),
            7 => Frame::Clock(self.next()),
            8 | 9 => Frame::Packet(Packet {
                channel: self.small(),
                way: Way::ALL[self.below(2) as usize],
                words: self.words(30),
                attachments: self.list(Random::attached),
            }),
            10 => Frame::Taken(self.next()),
            11 => Frame::Done(self.next()),
            12 => Frame::Turn {
                vm: self.small(),
                what: Turn::ALL[self.below(Turn::ALL.len() as u64) as usize],
                name: self.text(),
            },
            13 => Frame::Rest { vm: self.small() },
            14 => Frame::Usage(Usage {
                vm: self.small(),
                processor: self.next(),
                memory: self.next(),
                memory_limit: self.next(),
                sent: self.next(),
                executed: self.next(),
                queued: self.next(),
                state: self.text(),
            }),
            15 => Frame::Lost { frames: self.next(), bytes: self.next() },
            16 => Frame::Right(Right {
                what: RightChange::ALL[self.below(3) as usize],
                right: self.small(),
                holder: self.small(),
                target: self.small(),
                ops: self.mask(),
            }),
            _ => Frame::End { code: self.next() as u8 },
        }
    }
}

#[test]
fn streams_round_trip_in_pieces_of_any_size() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..300 {
        let frames: Vec<Frame> = (0..20).map(|_| random.frame()).collect();
        let mut bytes = MAGIC.to_vec();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let (mut decoder, mut found) = (Decoder::new(), Vec::new());
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(1 + random.below(60) as usize));
            decoder.feed(now);
            while let Some(frame) = decoder.next_frame().unwrap() {
                found.push(frame);
            }
            rest = later;
        }
        assert_eq!(decoder.finish(), Ok(()));
        assert_eq!(found, frames);
    }
}

/// Whatever is decoded has that one form; all else is refused, and nothing panics.
#[test]
fn damaged_frames_are_refused_or_mean_what_they_say() {
    let mut random = Random(7);
    let (mut refused, mut accepted) = (0, 0);
    for round in 0..60_000 {
        let mut bytes = random.frame().to_bytes();
        for _ in 0..=random.below(3) {
            match random.below(4) {
                0 => bytes.truncate(random.below(bytes.len() as u64 + 1) as usize),
                1 => bytes.push(random.next() as u8),
                _ if bytes.is_empty() => {}
                2 => {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << random.below(8);
                }
                _ => {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.next() as u8;
                }
            }
        }
        match decode(&bytes) {
            Ok(Some((frame, length))) => {
                accepted += 1;
                assert_eq!(frame.to_bytes(), &bytes[..length], "round {round}: {frame:?}");
            }
            Ok(None) => {}
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 5_000 && accepted > 5_000, "{refused} refused, {accepted} accepted");
}

#[test]
fn lengths_are_checked_before_anything_is_allocated() {
    let head = |kind: u64, words: u64| kind | words << 32;
    let bytes = |words: &[u64]| -> Vec<u8> { words.iter().flat_map(|word| word.to_le_bytes()).collect() };
    assert_eq!(decode(&bytes(&[head(0x10, 0xffff_ffff)])), Err(WireError::TooLong));
    assert_eq!(decode(&bytes(&[head(0x10, 3), 0, u64::MAX, 0])), Err(WireError::Payload));
    assert_eq!(decode(&bytes(&[head(0x10, 3), 0, 0, u64::MAX >> 1])), Err(WireError::Payload));
    assert_eq!(decode(&bytes(&[head(0x77, 0)])), Err(WireError::Head));
    assert_eq!(decode(&bytes(&[head(0x07, 1) | 1 << 9, 0])), Err(WireError::Head));
    assert_eq!(decode(&bytes(&[head(0x07, 1)])), Ok(None));
    let mut decoder = Decoder::new();
    decoder.feed(b"CSCWIRE\x02");
    assert_eq!(decoder.next_frame(), Err(WireError::Magic));
}

fn screen() -> Names {
    let field = |name: &str, ty: Type| Field { name: name.into(), code: ty.code(), ty: ty.to_string() };
    let fill = ["x", "y", "w", "h", "color"].map(|name| field(name, Type::I32)).to_vec();
    let mut names = Names::default();
    names.learn(&Frame::Set(Set {
        number: 1,
        path: "cascade.display@1".into(),
        instructions: alloc::vec![
            Item { number: 4, name: "fill_rect".into(), operands: fill, results: None },
            Item {
                number: 6,
                name: "text".into(),
                operands: alloc::vec![
                    field("text", Type::Str),
                    field("pixels", Type::Buf),
                    field("next", Type::OptAny)
                ],
                results: None
            },
            Item {
                number: 8,
                name: "present".into(),
                operands: Vec::new(),
                results: Some(alloc::vec![field("frame", Type::I64)])
            },
        ],
        events: alloc::vec![Item { number: 1, name: "resized".into(), operands: Vec::new(), results: None }],
    }));
    let channel = Channel {
        channel: 3,
        sender: 6,
        receiver: 2,
        set: Some(1),
        slot: 0,
        name: "display".into(),
        ops: [!0; 4],
        events: [0; 4],
    };
    names.learn(&Frame::Channel(channel));
    names
}

#[test]
fn packets_read_as_text() {
    let mut names = screen();
    let mut read = |way: Way, words: &[u64], attachments: &[Attached]| -> Vec<String> {
        let packet = Packet { channel: 3, way, words: words.to_vec(), attachments: attachments.to_vec() };
        names.read(&packet).iter().map(ToString::to_string).collect()
    };
    let mut packet = Builder::default();
    packet.begin(4, 0);
    [10, 10, 80, 40, 0x3366ff].into_iter().for_each(|number| _ = packet.push(Value::I32(number)));
    packet.end().unwrap();
    packet.begin(6, 0).push(Value::Str("a \"b\"")).push(Value::Buf(0)).push(Value::I64(0)).end().unwrap();
    packet.begin(8, 9).end().unwrap();
    packet.begin(99, 0).push(Value::I64(17)).end().unwrap();
    let pixels = Attached::Buf { length: 4096, bytes: Vec::new() };
    assert_eq!(
        read(Way::Forth, &packet.words, &[pixels]),
        ["fill_rect(10, 10, 80, 40, 0x3366ff)", "text(\"a \\\"b\\\"\", buf of 4096, null)", "present()", "#99(0x11)"]
    );
    let mut reply = Builder::default();
    reply.begin(0, 9).push(Value::I64(0)).push(Value::I64(3)).end().unwrap();
    assert_eq!(read(Way::Back, &reply.words, &[]), ["present = 3"]);
    assert_eq!(read(Way::Back, &reply.words, &[]), ["#0 = 0x3"], "answered before: words");
    let mut event = Builder::default();
    event.begin(EVENT_BASE + 1, 0).end().unwrap();
    assert_eq!(read(Way::Back, &event.words, &[]), ["resized()"]);
    let mut failure = Builder::default();
    failure.begin(0, 4).push(Value::I64(5)).end().unwrap();
    assert_eq!(read(Way::Back, &failure.words, &[]), ["#0 failed: revoked"]);
    assert_eq!(read(Way::Forth, &[0], &[]), ["malformed words"]);
}
