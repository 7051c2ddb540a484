//! What WebAssembly's operators do after translation, seen in the interpreter.

mod common;

use common::{call, gives, machine, module, script, traps};
use interp::Datum::{self, I32, I64};

#[test]
fn arithmetic_and_comparisons() {
    let text = r#"(module
      (func (export "f") (param i32 i32) (result i32)
        local.get 0 local.get 1 i32.add i32.const 3 i32.mul)
      (func (export "less") (param i32 i32) (result i32) local.get 0 local.get 1 i32.lt_s)
      (func (export "both") (param i32 i32) (result i32)
        (i32.and (i32.lt_s (local.get 0) (i32.const 10)) (i32.eqz (local.get 1))))
      (func (export "not") (param i32) (result i32) (i32.eqz (i32.eqz (local.get 0))))
      (func (export "ext") (param i32) (result i64) (i64.extend16_s (i64.extend_i32_u (local.get 0))))
      (func (export "sel") (param i32) (result i64) (select (i64.const 1) (i64.const 2) (i32.gt_u (local.get 0) (i32.const 5)))))"#;
    gives(text, "f", &[I32(2), I32(5)], &[I32(21)]);
    gives(text, "less", &[I32(-2), I32(5)], &[I32(1)]);
    gives(text, "both", &[I32(9), I32(0)], &[I32(1)]);
    gives(text, "both", &[I32(9), I32(1)], &[I32(0)]);
    gives(text, "not", &[I32(7)], &[I32(1)]);
    gives(text, "ext", &[I32(0xfff0)], &[I64(-16)]);
    gives(text, "sel", &[I32(-1)], &[I64(1)]);
    gives(text, "sel", &[I32(5)], &[I64(2)]);
}

#[test]
fn loops_and_locals() {
    let text = r#"(module
      (func (export "sum") (param i32) (result i32) (local i32 i32)
        (loop $top
          (local.set 1 (i32.add (local.get 1) (local.get 2)))
          (br_if $top (i32.lt_s (local.tee 2 (i32.add (local.get 2) (i32.const 1))) (local.get 0))))
        local.get 1)
      (func (export "fac") (param i64) (result i64)
        (if (result i64) (i64.eqz (local.get 0))
          (then (i64.const 1))
          (else (i64.mul (local.get 0) (call 1 (i64.sub (local.get 0) (i64.const 1)))))))
      (func (export "old") (param i32) (result i32)
        local.get 0
        (local.set 0 (i32.const 5))
        local.get 0
        i32.sub)
      (func (export "params") (param i32) (result i32)
        i32.const 10
        local.get 0
        loop (param i32 i32) (result i32)
          i32.const 1 i32.sub
          local.tee 0
          drop
          i32.const 2 i32.mul
          local.get 0
          local.get 0
          br_if 0
          i32.add
        end))"#;
    gives(text, "sum", &[I32(10)], &[I32(45)]);
    gives(text, "fac", &[I64(10)], &[I64(3628800)]);
    gives(text, "old", &[I32(12)], &[I32(7)]);
    gives(text, "params", &[I32(3)], &[I32(80)]);
}

#[test]
fn branches_carry_values() {
    let text = r#"(module
      (func (export "table") (param i32) (result i32)
        (block $c (result i32)
          (block $b (result i32)
            (block $a (result i32)
              i32.const 100
              local.get 0
              br_table $a $b $c $a $b)
            i32.const 1 i32.add
            br $c)
          i32.const 2 i32.add)
        i32.const 1000 i32.add)
      (func (export "swap") (param i32 i32) (result i32 i32) local.get 1 local.get 0)
      (func (export "sub") (result i32) (call 1 (i32.const 3) (i32.const 10)) i32.sub)
      (func (export "early") (param i32) (result i32)
        (drop (br_if 0 (i32.const 7) (local.get 0)))
        (block (br_if 0 (i32.eq (local.get 0) (i32.const 0))) (unreachable))
        i32.const 8)
      (func (export "dead") (param i32) (result i32)
        (block (result i32)
          (br 0 (i32.const 5))
          (if (result i32) (then (i32.const 6)) (else (i32.const 9)))
          (i32.add)))
      (func (export "none") (result i32) (block (result i32) (unreachable)))
      (func (export "ifs") (param i32) (result i32)
        i32.const 1 i32.const 2
        (if (param i32 i32) (result i32) (local.get 0) (then i32.add) (else i32.sub)))
      (func (export "skip") (param i32) (result i32)
        (local.get 0)
        (if (param i32) (result i32) (local.get 0) (then i32.const 3 i32.mul))))"#;
    for (index, want) in [(0, 1101), (1, 1102), (2, 1100), (3, 1101), (4, 1102), (-1, 1102)] {
        gives(text, "table", &[I32(index)], &[I32(want)]);
    }
    gives(text, "sub", &[], &[I32(7)]);
    gives(text, "early", &[I32(3)], &[I32(7)]);
    gives(text, "early", &[I32(0)], &[I32(8)]);
    gives(text, "dead", &[I32(0)], &[I32(5)]);
    traps(text, "none", &[], "unreachable");
    gives(text, "ifs", &[I32(1)], &[I32(3)]);
    gives(text, "ifs", &[I32(0)], &[I32(-1)]);
    gives(text, "skip", &[I32(4)], &[I32(12)]);
    gives(text, "skip", &[I32(0)], &[I32(0)]);
}

#[test]
fn memory_reads_stay_before_writes() {
    let text = r#"(module (memory 1 2) (data (i32.const 8) "\01\02\03\04\05\06\07\ff")
      (data $p "hello")
      (func (export "order") (result i32)
        (i32.load (i32.const 8))
        (i32.store (i32.const 8) (i32.const 99))
        (i32.load (i32.const 8))
        i32.sub)
      (func (export "narrow") (result i64) (i64.load8_s (i32.const 15)))
      (func (export "wide") (result i64) (i64.load32_u offset=4 (i32.const 8)))
      (func (export "grow") (result i32) (i32.add (memory.grow (i32.const 1)) (i32.mul (memory.size) (i32.const 10))))
      (func (export "out") (result i32) (i32.load offset=4294967295 (i32.const 8)))
      (func (export "init") (param i32) (result i32)
        (memory.init $p (i32.const 100) (i32.const 1) (local.get 0))
        (data.drop $p)
        (i32.load8_u (i32.const 100))))"#;
    gives(text, "order", &[], &[I32(0x04030201 - 99)]);
    gives(text, "narrow", &[], &[I64(-1)]);
    gives(text, "wide", &[], &[I64(0xff070605)]);
    gives(text, "grow", &[], &[I32(21)]);
    traps(text, "out", &[], "MemoryOutOfBounds");
    gives(text, "init", &[I32(2)], &[I32(101)]);
    traps(text, "init", &[I32(5)], "MemoryOutOfBounds");
}

#[test]
fn tables_and_indirect_calls() {
    let text = r#"(module
      (type $t (func (param i32) (result i32)))
      (table $t 4 10 funcref)
      (elem (i32.const 1) $one $two)
      (func $one (type $t) (i32.add (local.get 0) (i32.const 1)))
      (func $two (type $t) (i32.mul (local.get 0) (i32.const 2)))
      (func $other (result i64) (i64.const 7))
      (elem $seg func $other $two)
      (global $g (mut i32) (i32.const 0))
      (func $count (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))
      (func (export "call") (param i32 i32) (result i32) (call_indirect (type $t) (local.get 0) (local.get 1)))
      (func (export "order") (result i32)
        (call_indirect (type $t) (call $count) (call $count)))
      (func (export "size") (result i32) (table.size))
      (func (export "grow") (param i32) (result i32) (table.grow (ref.func $two) (local.get 0)))
      (func (export "init") (table.init $seg (i32.const 0) (i32.const 0) (i32.const 2)) (elem.drop $seg))
      (func (export "copy") (table.copy (i32.const 0) (i32.const 1) (i32.const 2)))
      (func (export "isnull") (param i32) (result i32) (ref.is_null (table.get (local.get 0))))
      (func (export "set") (param i32) (table.set (local.get 0) (ref.func $one)))
      (func (export "fill") (table.fill (i32.const 0) (ref.null func) (i32.const 4))))"#;
    let module = module(text);
    let mut m = machine(&module);
    let mut go = |name: &str, args: &[Datum]| call(&mut m, &module, name, args);
    assert_eq!(go("call", &[I32(20), I32(1)]), Ok(vec![I32(21)]));
    assert_eq!(go("call", &[I32(20), I32(2)]), Ok(vec![I32(40)]));
    assert!(go("call", &[I32(20), I32(0)]).unwrap_err().contains("Cast"));
    assert!(go("call", &[I32(20), I32(4)]).unwrap_err().contains("IndexOutOfBounds"));
    assert_eq!(go("order", &[]), Ok(vec![I32(2)]));
    assert_eq!(go("size", &[]), Ok(vec![I32(4)]));
    assert_eq!(go("grow", &[I32(7)]), Ok(vec![I32(-1)]));
    assert_eq!(go("grow", &[I32(2)]), Ok(vec![I32(4)]));
    assert_eq!(go("call", &[I32(20), I32(5)]), Ok(vec![I32(40)]));
    assert_eq!(go("copy", &[]), Ok(vec![]));
    assert_eq!(go("call", &[I32(20), I32(0)]), Ok(vec![I32(21)]));
    assert_eq!(go("init", &[]), Ok(vec![]));
    assert!(go("call", &[I32(20), I32(0)]).unwrap_err().contains("Cast"));
    assert!(go("init", &[]).unwrap_err().contains("IndexOutOfBounds"));
    assert_eq!(go("isnull", &[I32(3)]), Ok(vec![I32(1)]));
    assert_eq!(go("set", &[I32(3)]), Ok(vec![]));
    assert_eq!(go("isnull", &[I32(3)]), Ok(vec![I32(0)]));
    assert_eq!(go("fill", &[]), Ok(vec![]));
    assert_eq!(go("isnull", &[I32(1)]), Ok(vec![I32(1)]));
    assert_eq!(go("call", &[I32(20), I32(4)]), Ok(vec![I32(40)]));
}

#[test]
fn typed_references_and_tail_calls() {
    let text = r#"(module
      (type $t (func (param i32) (result i32)))
      (elem declare func $inc)
      (func $inc (type $t) (i32.add (local.get 0) (i32.const 1)))
      (func $pick (param i32) (result (ref null $t))
        (if (result (ref null $t)) (local.get 0) (then (ref.func $inc)) (else (ref.null $t))))
      (func (export "ref") (param i32) (result i32) (call_ref $t (i32.const 4) (call $pick (local.get 0))))
      (func (export "null") (param i32) (result i32)
        (block $n (call_ref $t (i32.const 8) (br_on_null $n (call $pick (local.get 0)))) (return))
        (i32.const -1))
      (func (export "nonnull") (param i32) (result i32)
        (block $n (result (ref $t)) (br_on_non_null $n (call $pick (local.get 0))) (return (i32.const -2)))
        (call_ref $t (i32.const 30)) drop
        (i32.const 3))
      (func $down (param i32 i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
        (return_call $down (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 2))))
      (func (export "tail") (result i32) (return_call $down (i32.const 100000) (i32.const 0))))"#;
    let text = text.replace("(call_ref $t (i32.const 30)) drop", "drop");
    gives(&text, "ref", &[I32(1)], &[I32(5)]);
    traps(&text, "ref", &[I32(0)], "Cast");
    gives(&text, "null", &[I32(1)], &[I32(9)]);
    gives(&text, "null", &[I32(0)], &[I32(-1)]);
    gives(&text, "nonnull", &[I32(1)], &[I32(3)]);
    gives(&text, "nonnull", &[I32(0)], &[I32(-2)]);
    gives(&text, "tail", &[], &[I32(200000)]);
}

#[test]
fn vectors() {
    let text = r#"(module (memory 1)
      (func (export "a") (result i32)
        (i32x4.extract_lane 2 (i32x4.add (v128.const i32x4 1 2 3 4) (i32x4.splat (i32.const 10)))))
      (func (export "shuffle") (result i32)
        (i8x16.extract_lane_u 0 (i8x16.shuffle 17 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
          (v128.const i64x2 0 0) (v128.const i8x16 1 77 3 4 5 6 7 8 9 10 11 12 13 14 15 16))))
      (func (export "madd") (result f32)
        (f32x4.extract_lane 1 (f32x4.relaxed_madd (f32x4.splat (f32.const 2)) (f32x4.splat (f32.const 3)) (f32x4.splat (f32.const 4)))))
      (func (export "nmadd") (result f64)
        (f64x2.extract_lane 1 (f64x2.relaxed_nmadd (f64x2.splat (f64.const 2)) (f64x2.splat (f64.const 3)) (f64x2.splat (f64.const 4)))))
      (func (export "dot") (result i32)
        (i32x4.extract_lane 0 (i32x4.relaxed_dot_i8x16_i7x16_add_s
          (v128.const i8x16 1 2 3 4 0 0 0 0 0 0 0 0 0 0 0 0)
          (v128.const i8x16 5 6 7 8 0 0 0 0 0 0 0 0 0 0 0 0) (i32x4.splat (i32.const 100)))))
      (func (export "any") (result i32) (v128.any_true (v128.const i32x4 0 0 1 0)))
      (func (export "lane") (result i32)
        (v128.store32_lane 1 (i32.const 8) (v128.const i32x4 5 6 7 8))
        (i32x4.extract_lane 3 (v128.load32_lane 3 (i32.const 8) (v128.const i32x4 0 0 0 0)))))"#;
    gives(text, "a", &[], &[I32(13)]);
    gives(text, "shuffle", &[], &[I32(77)]);
    gives(text, "madd", &[], &[Datum::F32(10f32.to_bits())]);
    gives(text, "nmadd", &[], &[Datum::F64((-2f64).to_bits())]);
    gives(text, "dot", &[], &[I32(5 + 12 + 21 + 32 + 100)]);
    gives(text, "any", &[], &[I32(1)]);
    gives(text, "lane", &[], &[I32(6)]);
}

#[test]
fn several_memories() {
    let text = r#"(module (memory $a 1) (memory $b 2 3)
      (func (export "f") (result i32)
        (i32.store $b (i32.const 4) (i32.const 77))
        (memory.copy $a $b (i32.const 0) (i32.const 4) (i32.const 4))
        (i32.add (i32.load $a (i32.const 0)) (memory.size $b))))"#;
    gives(text, "f", &[], &[I32(79)]);
}

#[test]
fn wide_addresses() {
    let text = r#"(module (memory $m i64 1 3) (memory $n 1) (table $t i64 2 5 funcref) (data (i64.const 8) "\2a\01")
      (elem (i64.const 1) $seven)
      (func $seven (result i32) (i32.const 7))
      (func (export "load") (param i64) (result i32) (i32.load8_u (local.get 0)))
      (func (export "far") (param i64) (result i32) (i32.load8_u offset=0x100000000 (local.get 0)))
      (func (export "store") (param i64 i32) (result i32)
        (i32.store offset=4 (local.get 0) (local.get 1)) (i32.load offset=4 (local.get 0)))
      (func (export "lane") (param i64) (result i32)
        (i32x4.extract_lane 1 (v128.load32_lane 1 (local.get 0) (v128.const i32x4 0 0 0 0))))
      (func (export "size") (result i64) (memory.size $m))
      (func (export "grow") (param i64) (result i64) (memory.grow $m (local.get 0)))
      (func (export "fill") (param i64 i64) (result i32)
        (memory.fill $m (local.get 0) (i32.const 9) (local.get 1)) (i32.load8_u (local.get 0)))
      (func (export "copy") (param i64) (result i32)
        (memory.copy $n $m (i32.const 3) (local.get 0) (i32.const 1)) (i32.load8_u $n (i32.const 3)))
      (func (export "call") (param i64) (result i32) (call_indirect (result i32) (local.get 0)))
      (func (export "table_grow") (param i64) (result i64) (table.grow (ref.null func) (local.get 0)))
      (func (export "table_size") (result i64) (table.size)))"#;
    gives(text, "load", &[I64(8)], &[I32(42)]);
    traps(text, "load", &[I64(65536)], "MemoryOutOfBounds");
    traps(text, "load", &[I64(0x1_0000_0008)], "MemoryOutOfBounds");
    traps(text, "far", &[I64(8)], "MemoryOutOfBounds");
    gives(text, "store", &[I64(16), I32(77)], &[I32(77)]);
    traps(text, "store", &[I64(-16), I32(77)], "MemoryOutOfBounds");
    gives(text, "lane", &[I64(8)], &[I32(0x12a)]);
    gives(text, "size", &[], &[I64(1)]);
    gives(text, "grow", &[I64(2)], &[I64(1)]);
    gives(text, "grow", &[I64(3)], &[I64(-1)]);
    gives(text, "grow", &[I64(0x1_0000_0000)], &[I64(-1)]);
    gives(text, "fill", &[I64(100), I64(4)], &[I32(9)]);
    traps(text, "fill", &[I64(100), I64(0x1_0000_0000)], "MemoryOutOfBounds");
    gives(text, "copy", &[I64(8)], &[I32(42)]);
    gives(text, "call", &[I64(1)], &[I32(7)]);
    traps(text, "call", &[I64(0x1_0000_0001)], "IndexOutOfBounds");
    gives(text, "table_grow", &[I64(3)], &[I64(2)]);
    gives(text, "table_grow", &[I64(0x1_0000_0000)], &[I64(-1)]);
    gives(text, "table_size", &[], &[I64(2)]);
}

#[test]
fn units_link_in_scripts() {
    let a = r#"(module (global (export "g") (mut i32) (i32.const 5)) (memory (export "m") 1)
      (table (export "t") 3 funcref) (global (export "k") i32 (i32.const 2))
      (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (global.get 0))))"#;
    let b = r#"(module (import "u0" "f" (func $f (param i32) (result i32))) (import "u0" "g" (global $g (mut i32)))
      (import "u0" "m" (memory 1)) (import "u0" "t" (table 3 funcref)) (import "u0" "k" (global $k i32))
      (elem (global.get $k) $mine) (data (i32.const 16) "\2a")
      (func $mine (result i32) (i32.const 9))
      (func $s (global.set $g (i32.load8_u (i32.const 16)))) (start $s)
      (func (export "run") (result i32) (i32.add (call $f (i32.const 100)) (call_indirect (result i32) (i32.const 2)))))"#;
    let c = r#"(module (import "u0" "t" (table 3 funcref)) (import "u0" "m" (memory 1))
      (func $x (result i32) (i32.const 50))
      (elem (i32.const 2) $x) (elem (i32.const 2) $x $x) (data (i32.const 16) "\01"))"#;
    let module = script(&[("u0", a), ("u1", b), ("u2", c)]);
    let mut m = machine(&module);
    let mut go = |name: &str| call(&mut m, &module, name, &[]);
    assert_eq!(go("u0_g"), Ok(vec![I32(5)]));
    assert_eq!(go("instantiate_0"), Ok(vec![]));
    assert_eq!(go("instantiate_1"), Ok(vec![]));
    assert_eq!(go("u1_run"), Ok(vec![I32(151)]));
    assert!(go("instantiate_2").unwrap_err().contains("IndexOutOfBounds"));
    assert_eq!(go("u1_run"), Ok(vec![I32(192)]), "what came before the trap stays");
    assert_eq!(go("u0_g"), Ok(vec![I32(42)]));
}

#[test]
fn main_instantiates_and_starts() {
    let text = r#"(module (memory 1) (global $g (mut i32) (i32.const 1))
      (func $s (global.set $g (i32.mul (global.get $g) (i32.const 10)))) (start $s)
      (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 1))))
      (func (export "_start") (global.set $g (i32.add (global.get $g) (i32.const 100))))
      (func (export "get") (result i32) (global.get $g)))"#;
    let module = module(text);
    let mut m = machine(&module);
    assert_eq!(call(&mut m, &module, "main", &[]), Ok(vec![]));
    assert_eq!(call(&mut m, &module, "get", &[]), Ok(vec![I32(111)]));
}

/// Text of `count` copies, each made of its number.
fn each(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect()
}

#[test]
fn deep_stacks_and_statements_between() {
    // Constants, locals and calls wait below statements that assign what some of them read.
    let pushes = each(700, |at| {
        format!("i32.const {at} local.get 0 (call $next) (local.set 0 (i32.add (local.get 0) (i32.const 1)))\n")
    });
    let adds = each(2099, |_| "i32.add\n".into());
    let text = format!(
        "(module (global $g (mut i32) (i32.const 0))
          (func $next (result i32) (global.set $g (i32.add (global.get $g) (i32.const 2))) (global.get $g))
          (func (export \"f\") (param i32) (result i32) {pushes} {adds}))"
    );
    let sum: i32 = (0..700).map(|at| at + (100 + at) + 2 * (at + 1)).sum();
    gives(&text, "f", &[I32(100)], &[I32(sum)]);
}

#[test]
fn wide_constructs_and_calls() {
    let (types, gets) = (" i32".repeat(200), each(200, |at| format!("local.get {at} ")));
    let (adds, consts) = ("i32.add ".repeat(199), each(200, |at| format!("i32.const {at} ")));
    let text = format!(
        "(module (type $wide (func (param{types}) (result{types})))
          (table 1 funcref) (elem (i32.const 0) $id)
          (func $id (type $wide) {gets})
          (func (export \"call\") (result i32) {consts} (call $id) (call_indirect (type $wide) (i32.const 0)) {adds})
          (func (export \"loop\") (param i32) (result i32)
            {consts}
            (loop (param{types}) (result{types})
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br_if 0 (local.get 0)))
            {adds})
          (func (export \"table\") (param i32) (result i32)
            (block $a (result{types}) (block $b (result{types}) {consts} (br_table $a $b (local.get 0)))
              drop i32.const 0)
            {adds}))"
    );
    gives(&text, "call", &[], &[I32(19900)]);
    gives(&text, "loop", &[I32(5)], &[I32(19900)]);
    gives(&text, "table", &[I32(0)], &[I32(19900)]);
    gives(&text, "table", &[I32(7)], &[I32(19900 - 199)]);
}

#[test]
fn deep_constructs() {
    let (open, close) = (
        "(block (result i32) (i32.const 1) (if (result i32) (then ".repeat(300),
        ") (else (i32.const 0))))".repeat(300),
    );
    gives(&format!("(module (func (export \"f\") (result i32) {open} (i32.const 9) {close}))"), "f", &[], &[I32(9)]);
    let tree = "(i32.add (i32.const 1) ".repeat(3000) + "(i32.const 0)" + &")".repeat(3000);
    gives(&format!("(module (func (export \"f\") (result i32) {tree}))"), "f", &[], &[I32(3000)]);
}

#[test]
fn what_traps_first_does_so_after_translation() {
    let text = r#"(module (memory 1) (table 1 funcref) (type $t (func (param i32) (result i32)))
      (global $g (mut i32) (i32.const 0))
      (func $note (param i32) (result i32) (global.set $g (local.get 0)) (local.get 0))
      (func (export "load_before_table") (result i32)
        (call_indirect (type $t) (i32.load (i32.const -1)) (i32.const 5)))
      (func (export "division_before_store")
        (i32.store (i32.const -1) (i32.div_s (i32.const 1) (i32.const 0))))
      (func (export "dropped_load") (drop (i32.load (i32.const -1))))
      (func (export "unreachable_after") (result i32) (call $note (i32.const 7)) (unreachable))
      (func (export "branch_over") (result i32) (block (call $note (i32.const 8)) (i32.div_u (i32.const 1) (i32.const 0)) (br 0)) (i32.const 0))
      (func (export "noted") (result i32) (global.get $g)))"#;
    let module = module(text);
    let mut m = machine(&module);
    let mut go = |name: &str| call(&mut m, &module, name, &[]);
    assert!(go("load_before_table").unwrap_err().contains("MemoryOutOfBounds"));
    assert!(go("division_before_store").unwrap_err().contains("DivisionByZero"));
    assert!(go("dropped_load").unwrap_err().contains("MemoryOutOfBounds"));
    assert!(go("unreachable_after").unwrap_err().contains("unreachable"));
    assert_eq!(go("noted"), Ok(vec![I32(7)]));
    assert!(go("branch_over").unwrap_err().contains("DivisionByZero"));
    assert_eq!(go("noted"), Ok(vec![I32(8)]));
}
