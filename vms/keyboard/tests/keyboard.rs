//! The keyboard VM through its packets, and the table that everything about keys comes from.

use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use isa::keyboard::Op;
use vm_keyboard::{KEYS, Key, KeyEvent, KeySource, Keyboard, MAX_QUEUED};
use vm_testing::{Bench, words};

#[derive(Clone, Default)]
struct Keys(Arc<Mutex<VecDeque<KeyEvent>>>);

impl KeySource for Keys {
    fn next(&mut self) -> Option<KeyEvent> {
        self.0.lock().unwrap().pop_front()
    }
}

impl Keys {
    fn press(&self, bench: &mut Bench<Keyboard>, qcode: &str, down: bool) {
        let usage = Key::by_qcode(qcode).expect(qcode).usage;
        self.0.lock().unwrap().push_back(KeyEvent { usage, down });
        bench.wake();
    }
}

fn bench() -> (Keys, Bench<Keyboard>) {
    let keys = Keys::default();
    (keys.clone(), Bench::new(Keyboard::new(Box::new(keys))))
}

fn read(bench: &mut Bench<Keyboard>) -> Vec<u64> {
    words(bench.now(|packet, tag| Op::Read.encode(packet, tag), vec![]))
}

#[test]
fn reads_wait_and_are_answered_in_order() {
    let (keys, mut bench) = bench();
    let first = bench.later(|packet, tag| Op::Read.encode(packet, tag), vec![]);
    let second = bench.later(|packet, tag| Op::Read.encode(packet, tag), vec![]);
    keys.press(&mut bench, "left", true);
    assert_eq!(words(bench.answer(first).unwrap()), [0x50, 1, 0]);
    assert!(bench.answer(second).is_none());
    keys.press(&mut bench, "q", true);
    assert_eq!(words(bench.answer(second).unwrap()), [0x14, 1, u64::from('q')]);
    assert!(!bench.host.pending, "a script is no live input");
}

#[test]
fn shift_and_caps_lock_follow_the_us_layout() {
    let (keys, mut bench) = bench();
    let typed = |bench: &mut Bench<Keyboard>, key: &str| {
        keys.press(bench, key, true);
        let char = loop {
            let stroke = read(bench);
            if stroke[0] == u64::from(Key::by_qcode(key).unwrap().usage) {
                break stroke[2];
            }
        };
        keys.press(bench, key, false);
        assert_eq!(read(bench)[2], 0, "a key going up types nothing");
        char::from_u32(char as u32).unwrap()
    };
    assert_eq!(typed(&mut bench, "a"), 'a');
    keys.press(&mut bench, "shift_r", true);
    assert_eq!((typed(&mut bench, "a"), typed(&mut bench, "1")), ('A', '!'));
    keys.press(&mut bench, "caps_lock", true);
    keys.press(&mut bench, "caps_lock", true);
    keys.press(&mut bench, "caps_lock", false);
    assert_eq!((typed(&mut bench, "a"), typed(&mut bench, "1")), ('a', '!'));
    keys.press(&mut bench, "shift_r", false);
    assert_eq!((typed(&mut bench, "a"), typed(&mut bench, "1")), ('A', '1'));
    keys.press(&mut bench, "caps_lock", true);
    keys.press(&mut bench, "caps_lock", false);
    assert_eq!((typed(&mut bench, "a"), typed(&mut bench, "ret")), ('a', '\n'));
}

#[test]
fn listeners_hear_every_key_and_what_was_kept_for_them() {
    let (keys, mut bench) = bench();
    keys.press(&mut bench, "x", true);
    bench.host.listeners = 1;
    bench.wake();
    keys.press(&mut bench, "x", false);
    assert_eq!(bench.host.events, [(1, vec![0x1b, 1, u64::from('x')]), (1, vec![0x1b, 0, 0])]);
    bench.later(|packet, tag| Op::Read.encode(packet, tag), vec![]);
}

#[test]
fn the_queue_is_bounded_and_says_so_once() {
    let (keys, mut bench) = bench();
    for _ in 0..MAX_QUEUED + 50 {
        keys.press(&mut bench, "a", true);
    }
    assert_eq!(bench.host.log.len(), 1);
    for _ in 0..MAX_QUEUED {
        assert_eq!(read(&mut bench)[0], 4);
    }
    bench.later(|packet, tag| Op::Read.encode(packet, tag), vec![]);
}

#[test]
fn the_table_is_one_to_one() {
    let unique = |name: &str, values: Vec<String>| {
        let all: HashSet<&String> = values.iter().collect();
        assert_eq!(all.len(), values.len(), "{name}");
    };
    assert!(KEYS.windows(2).all(|pair| pair[0].usage < pair[1].usage));
    unique("qcode", KEYS.iter().map(|key| key.qcode.to_string()).collect());
    unique("scan", KEYS.iter().filter(|key| key.scan != 0).map(|key| key.scan.to_string()).collect());
    for key in KEYS {
        assert_eq!(Key::by_usage(key.usage), Some(key));
        assert_eq!(Key::by_qcode(key.qcode), Some(key));
        assert!(key.scan == 0 || Key::by_scan(key.scan) == Some(key));
        assert!(key.scan & 0x80 == 0, "bit 7 is the release bit");
    }
    for char in (' '..='~').chain(['\n', '\t']) {
        let (key, shift) = Key::by_char(char).unwrap_or_else(|| panic!("{char:?} can be typed"));
        assert_eq!(if shift { key.shifted } else { key.plain }, Some(char));
        assert!(!key.qcode.starts_with("kp_"), "typed on the main block");
    }
    assert_eq!(Key::by_scan(0), None);
}
