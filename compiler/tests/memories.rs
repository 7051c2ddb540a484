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
