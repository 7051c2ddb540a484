//! Several linear memories, data segments at run time, bytes between memories and buffers, arrays of constants.

mod support;

use il::trap::TrapKind;
use support::{End, Vm, all_options, text};

const SOURCE: &str = r#"module memories
memory 1..2
memory heap 2..4
memory third 1..1

data 0 "first"
data 8 in heap "in the heap"
data greeting = "hello"
data table = 16 in third "placed"

export func access(a: i32) -> i64 {
  store32(a, 7)
  store32(a, 70, memory: heap)
  store64(a, 700, offset: 16, memory: heap)
  store16(a, 7000, memory: third)
  return i64(load32(a)) + i64(load32(a, memory: heap)) + load64(a + 16, memory: heap) + i64(load16_s(a, memory: third))
}
export func byte(a: i32) -> i32 { return load8_u(a) }
export func heap_byte(a: i32) -> i32 { return load8_u(a, memory: heap) }
export func far(a: i32) -> i32 { return load8_u(a, offset: 4294967295, memory: third) }
export func put(a: i32) { store32(a, 1, memory: third) }
export func sizes() -> i32 {
  let old = memory_grow(1, memory: heap)
  let never = memory_grow(1, memory: third)
  return memory_size() + 10 * memory_size(memory: heap) + 100 * memory_size(memory: third) + 1000 * old + never
}
export func end_of_heap() -> i32 { store8(memory_size(memory: heap) * 65536 - 1, 9, memory: heap) return heap_byte(memory_size(memory: heap) * 65536 - 1) }
export func copy(a: i32, b: i32, n: i32) { memory_copy(a, b, n, memory: heap, from: third) }
export func fill(a: i32, n: i32) { memory_fill(a, 5, n, memory: third) }
export func init(a: i32, from: i32, n: i32) { memory_init(greeting, a, from, n, memory: heap) }
export func init_placed(n: i32) { memory_init(table, 0, 0, n) }
export func forget() { data_drop(greeting) }
export func string(a: i32, n: i32) -> str { return str_at(a, n, memory: heap) }
export func taken(a: i32, n: i32) -> i32 { let b = buf_at(a, n, memory: heap) return len(b) * 1000 + b[0] }
export func written(at: i32, a: i32, n: i32) -> i32 { let b = buf(8) buf_write(b, at, a, n, memory: heap) return b[7] }
export func given(a: i32, at: i32, n: i32) -> i32 {
  let b = buf(8)
  for i in 0..8 { b[i] = 65 + i }
  memory_write(a, b, at, n, memory: third)
  memory_write(0, buf_at(0, 3), 0, 3, memory: heap)
  return load8_u(a, memory: third)
}
"#;

const OUTSIDE: Result<u64, TrapKind> = Err(TrapKind::MemoryOutOfBounds);
const PAGE: u64 = 65536;

#[test]
fn each_memory_has_its_own_bytes_and_bounds() {
    for options in all_options() {
        let mut vm = Vm::with(text(SOURCE), &options);
        assert_eq!((vm.memory(0..5), vm.memory_of(1, 8..12)), (b"first".to_vec(), b"in t".to_vec()));
        assert_eq!(vm.eval("access", &[100]), Ok(7777));
        let bytes = [0, 1, 2].map(|memory| vm.memory_of(memory, 100..102));
        assert_eq!(bytes, [vec![7, 0], vec![70, 0], 7000u16.to_le_bytes().to_vec()]);
        assert_eq!([PAGE - 1, PAGE].map(|at| vm.eval("byte", &[at])), [Ok(0), OUTSIDE]);
        assert_eq!([PAGE, 2 * PAGE - 1, 2 * PAGE].map(|at| vm.eval("heap_byte", &[at])), [Ok(0), Ok(0), OUTSIDE]);
        assert_eq!(vm.eval("far", &[0xffff_ffff]), OUTSIDE);
        assert_eq!(vm.run("put", &[PAGE - 4]), End::Done);
        let End::Trap { kind: TrapKind::MemoryOutOfBounds, line: Some(21), .. } = vm.run("put", &[PAGE - 3]) else {
            panic!("a store outside")
        };
        let sizes = 1 + 30 + 100 + 2000 - 1;
        assert_eq!(vm.eval("sizes", &[]), Ok(sizes));
        assert_eq!(vm.eval("end_of_heap", &[]), Ok(9));
        assert_eq!(vm.eval("byte", &[PAGE]), OUTSIDE, "the first has not grown");
    }
}

#[test]
fn bytes_go_from_memory_to_memory_and_buffer() {
    for options in all_options() {
        let mut vm = Vm::with(text(SOURCE), &options);
        assert_eq!(vm.run("copy", &[0, 16, 6]), End::Done);
        assert_eq!(vm.memory_of(1, 0..8), b"placed\0\0");
        let outside = |end: End| matches!(end, End::Trap { kind: TrapKind::MemoryOutOfBounds, .. });
        assert!(outside(vm.run("copy", &[2 * PAGE - 5, 16, 6])) && outside(vm.run("copy", &[0, PAGE - 5, 6])));
        assert_eq!(vm.run("fill", &[PAGE - 2, 2]), End::Done);
        assert!(outside(vm.run("fill", &[PAGE - 2, 3])));
        assert_eq!(vm.memory_of(2, PAGE as usize - 3..PAGE as usize), [0, 5, 5]);
        let address = vm.eval("string", &[8, 11]).unwrap();
        assert_eq!(vm.text(address), "in the heap");
        assert_eq!(vm.eval("taken", &[8, 11]), Ok(11_000 + u64::from(b'i')));
        assert_eq!(vm.eval("taken", &[2 * PAGE - 1, 2]), OUTSIDE);
        assert_eq!(vm.eval("written", &[6, 8, 2]), Ok(u64::from(b'n')));
        // The buffer's bounds are looked at first.
        assert_eq!(vm.eval("written", &[7, 2 * PAGE - 1, 2]), Err(TrapKind::IndexOutOfBounds));
        assert_eq!(vm.eval("written", &[6, 2 * PAGE - 1, 2]), OUTSIDE);
        assert_eq!(vm.eval("given", &[40, 3, 5]), Ok(u64::from(b'D')));
        assert_eq!(vm.memory_of(1, 0..3), b"fir");
        // Here the memory's.
        assert_eq!(vm.eval("given", &[PAGE - 1, 7, 2]), OUTSIDE);
        assert_eq!(vm.eval("given", &[PAGE - 2, 7, 2]), Err(TrapKind::IndexOutOfBounds));
    }
}

#[test]
fn segments_are_copied_until_they_are_dropped() {
    let mut vm = Vm::new(text(SOURCE));
    assert_eq!(vm.run("init", &[50, 1, 3]), End::Done);
    assert_eq!(vm.memory_of(1, 49..54), b"\0ell\0");
    let outside = |end: End| matches!(end, End::Trap { kind: TrapKind::MemoryOutOfBounds, .. });
    assert!(outside(vm.run("init", &[50, 3, 3])) && outside(vm.run("init", &[2 * PAGE - 1, 0, 2])));
    assert_eq!(vm.run("init", &[2 * PAGE, 5, 0]), End::Done);
    // What lies in a memory at start is empty from then on.
    assert!(outside(vm.run("init_placed", &[1])));
    assert_eq!(vm.run("init_placed", &[0]), End::Done);
    assert_eq!(vm.run("forget", &[]), End::Done);
    assert!(outside(vm.run("init", &[50, 0, 1])));
    assert_eq!(vm.run("init", &[50, 0, 0]), End::Done);
}

/// Initial values that are long arrays of constants are data, and the same as if code had made them.
#[test]
fn arrays_of_constants_begin_as_they_are_written() {
    let list = |item: &dyn Fn(usize) -> String| (0..100).map(item).collect::<Vec<_>>().join(", ");
    let source = format!(
        "module constants
        func one() -> i32 {{ return 1 }}
        func two() -> i32 {{ return 2 }}
        global ints: [i32] = [{}]
        global bytes: mut [u8] = [{}]
        global floats: [f64] = [{}]
        global texts: [str] = [{}]
        global mut table: mut [?any] = [{}]
        global mut short: mut [i64] = [1, 2, 3]
        global wide: [v128] = [{}]
        export func int(at: i32) -> i32 {{ return ints[at] }}
        export func byte(at: i32) -> i32 {{ bytes[at] = bytes[at] + 1 return bytes[at] }}
        export func float(at: i32) -> f64 {{ return floats[at] }}
        export func string(at: i32) -> str {{ return concat(texts[at], str(len(texts))) }}
        export func called(at: i32) -> i32 {{
          if table[at] == null {{ return 0 }}
          if let f = table[at] as func() -> i32 {{ return f() }}
          return 3
        }}
        export func set(at: i32) {{ table[at] = concat(\"x\", str(at)) short[1] = 5 }}
        export func lane(at: i32) -> i64 {{ return i64x2.extract_lane(wide[at], 1) }}
        ",
        list(&|at| format!("{}", at as i32 * 1_000_003 - 50)),
        list(&|at| format!("{at}")),
        list(&|at| format!("{at}.5")),
        list(&|at| format!("\"text {}\"", at % 7)),
        list(&|at| ["&one", "null", "&two", "\"s\""][at % 4].into()),
        list(&|at| format!("v128({at}, -{at})")),
    );
    for options in all_options().into_iter().filter(|options| options.cpu.sse41) {
        let mut vm = Vm::with(text(&source), &options);
        assert_eq!(vm.compiled.arrays.len(), 6);
        for at in [0u64, 1, 2, 3, 50, 99] {
            assert_eq!(vm.eval("int", &[at]), Ok(u64::from((at as i32 * 1_000_003 - 50) as u32)));
            assert_eq!(vm.eval("byte", &[at]), Ok(at + 1));
            assert_eq!(vm.eval("float", &[at]), Ok((at as f64 + 0.5).to_bits()));
            assert_eq!(vm.eval("lane", &[at]), Ok((at as i64).wrapping_neg() as u64));
            assert_eq!(vm.eval("called", &[at]), Ok([1, 0, 2, 3][at as usize % 4]));
            let address = vm.eval("string", &[at]).unwrap();
            assert_eq!(vm.text(address), format!("text {}100", at % 7));
        }
        assert_eq!(vm.run("set", &[1]), End::Done);
        assert_eq!(vm.eval("called", &[1]), Ok(3));
        assert_eq!(vm.eval("int", &[100]), Err(TrapKind::IndexOutOfBounds));
    }
}

/// A load that is widened at once is one instruction; the value of one that is kept stays what it is.
#[test]
fn loads_widen() {
    let module = text(
        "module widening
        memory 1..1
        data 16 \"\\xf1\\xf2\\xf3\\xf4\\x05\"
        export func signed8(a: i32) -> i64 { return i64(load8_s(a)) }
        export func unsigned8(a: i32) -> i64 { return i64(load8_u(a)) + i64_u(load8_u(a)) }
        export func signed16(a: i32) -> i64 { return i64(load16_s(a)) }
        export func odd(a: i32) -> i64 { return i64_u(load16_s(a)) + i64_u(load8_s(a)) }
        export func unsigned16(a: i32) -> i64 { return i64_u(load16_u(a)) }
        export func signed32(a: i32) -> i64 { return i64(load32(a)) }
        export func unsigned32(a: i32) -> i64 { return i64_u(load32(a)) }
        export func kept(a: i32) -> i64 { let x = load8_s(a) return i64(x) + i64(x + x) + i64_u(x) }
        ",
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        let mut long = |name: &str| vm.eval(name, &[16]).unwrap() as i64;
        assert_eq!((long("signed8"), long("unsigned8")), (-15, 2 * 0xf1));
        assert_eq!((long("signed16"), long("unsigned16")), (i64::from(0xf2f1_u16 as i16), 0xf2f1));
        assert_eq!(long("odd"), i64::from(0xf2f1_u16 as i16 as u32) + i64::from(0xfffffff1_u32));
        assert_eq!((long("signed32"), long("unsigned32")), (i64::from(0xf4f3f2f1_u32 as i32), 0xf4f3f2f1));
        assert_eq!(long("kept"), -15 - 30 + 0xfffffff1);
        for name in ["signed8", "signed16", "signed32", "unsigned32"] {
            let End::Trap { kind: TrapKind::MemoryOutOfBounds, line: Some(_), .. } = vm.run(name, &[PAGE]) else {
                panic!("{name} outside")
            };
        }
    }
}

/// Copies and fills of all lengths at which they are done differently, with all overlaps, against slices.
#[test]
fn short_copies_and_fills_do_what_long_ones_do() {
    const KNOWN: [usize; 12] = [0, 1, 2, 3, 4, 7, 8, 13, 16, 21, 32, 33];
    let mut source = String::from(
        "module copies
        memory 1..1
        memory other 1..1
        export func copy(a: i32, b: i32, n: i32) { memory_copy(a, b, n) }
        export func across(a: i32, b: i32, n: i32) { memory_copy(a, b, n, memory: other, from: 0) }
        export func fill(a: i32, v: i32, n: i32) { memory_fill(a, v, n) }
        export func set(a: i32) { store8(a, a * 7 + (a >> 8)) }
        ",
    );
    for bytes in KNOWN {
        source.push_str(&format!("export func copy_{bytes}(a: i32, b: i32) {{ memory_copy(a, b, {bytes}) }}\n"));
    }
    let module = text(&source);
    let lengths = (0..70).chain([127, 128, 129, 1000, 1023, 1024, 1025, 5000]).map(|len| len as usize);
    for options in all_options().into_iter().step_by(5) {
        let mut vm = Vm::with(module.clone(), &options);
        for at in 0..300 {
            assert_eq!(vm.run("set", &[at]), End::Done);
        }
        let mut expected = vm.memory(0..0x1_0000);
        let mut check = |vm: &Vm, act: &dyn Fn(&mut [u8])| {
            act(&mut expected);
            assert!(vm.memory(0..0x1_0000) == expected);
        };
        for len in lengths.clone() {
            for (to, from) in [(0, 0), (1, 0), (0, 1), (15, 0), (0, 17), (40, 3), (3, 40), (7000, 100), (100, 7000)] {
                assert_eq!(vm.run("copy", &[to as u64, from as u64, len as u64]), End::Done);
                check(&vm, &|bytes| bytes.copy_within(from..from + len, to));
            }
            let value = 0x1234_5600 + len as u64;
            assert_eq!(vm.run("fill", &[20_000 + len as u64, value, len as u64]), End::Done);
            check(&vm, &|bytes| bytes[20_000 + len..20_000 + 2 * len].fill(value as u8));
            assert_eq!(vm.run("across", &[9, 100, len as u64]), End::Done);
            assert!(vm.memory_of(1, 9..9 + len) == vm.memory(100..100 + len));
            // At the end of the memory, and beyond it.
            let end = PAGE - len as u64;
            assert_eq!(vm.run("copy", &[end, 50, len as u64]), End::Done);
            check(&vm, &|bytes| bytes.copy_within(50..50 + len, end as usize));
            for range in [[end + 1, 50], [50, end + 1], [u64::from(u32::MAX), 0]] {
                let [to, from] = range;
                let End::Trap { kind: TrapKind::MemoryOutOfBounds, .. } = vm.run("copy", &[to, from, len as u64])
                else {
                    panic!("{len} bytes from {from} to {to}");
                };
                check(&vm, &|_| {});
            }
            let filled = vm.run("fill", &[end + 1, 5, len as u64]);
            assert!(matches!(filled, End::Trap { kind: TrapKind::MemoryOutOfBounds, .. }));
        }
        for len in KNOWN {
            for (to, from) in [(0, 0), (1, 0), (0, 1), (5, 2), (2, 5), (300, 100)] {
                assert_eq!(vm.run(&format!("copy_{len}"), &[to as u64, from as u64]), End::Done);
                check(&vm, &|bytes| bytes.copy_within(from..from + len, to));
            }
            let outside = vm.run(&format!("copy_{len}"), &[PAGE - len as u64 + 1, 0]);
            assert!(matches!(outside, End::Trap { kind: TrapKind::MemoryOutOfBounds, .. }));
        }
    }
}
