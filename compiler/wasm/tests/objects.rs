//! WebAssembly's objects after translation, seen in the interpreter.

mod common;

use common::{call, gives, machine, module, script, traps};
use interp::Datum::{I32, I64};

#[test]
fn structs_have_fields() {
    let text = r#"(module
      (type $point (sub (struct (field $x i32) (field $y (mut i64)))))
      (type $named (sub $point (struct (field i32) (field (mut i64)) (field $tag (mut i8)) (field $next (ref null $point)))))
      (func (export "sum") (param i32 i64) (result i64)
        (local $p (ref null $point))
        (local.set $p (struct.new $named (local.get 0) (local.get 1) (i32.const 0x1ff) (ref.null none)))
        (struct.set $point $y (local.get $p) (i64.add (struct.get $point $y (local.get $p)) (i64.const 1)))
        (i64.add (i64.extend_i32_s (struct.get $point $x (local.get $p)))
                 (struct.get $point $y (local.get $p))))
      (func $make (result (ref $named)) (struct.new_default $named))
      (func (export "tag") (param i32) (result i32 i32)
        (local $n (ref $named))
        (local.set $n (call $make))
        (struct.set $named $tag (local.get $n) (local.get 0))
        (struct.get_s $named $tag (local.get $n))
        (struct.get_u $named $tag (local.get $n)))
      (func (export "next") (result i32)
        (ref.is_null (struct.get $named $next (call $make))))
      (func (export "null") (result i32)
        (struct.get $point $x (ref.null $point)))
      (func (export "nothing") (result i32)
        (struct.get $point $x (ref.null none))))"#;
    gives(text, "sum", &[I32(2), I64(3)], &[I64(6)]);
    gives(text, "tag", &[I32(0x180)], &[I32(-128), I32(128)]);
    gives(text, "next", &[], &[I32(1)]);
    traps(text, "null", &[], "Cast");
    traps(text, "nothing", &[], "Cast");
}

#[test]
fn operands_come_before_the_trap_of_a_null_reference() {
    let text = r#"(module
      (type $s (struct (field (mut i32))))
      (type $a (array (mut i32)))
      (global $seen (mut i32) (i32.const 0))
      (func $see (result i32) (global.set $seen (i32.const 1)) (i32.const 5))
      (func (export "field") (struct.set $s 0 (ref.null $s) (call $see)))
      (func (export "element") (drop (array.get $a (ref.null $a) (call $see))))
      (func (export "both") (array.set $a (ref.null $a) (call $see) (unreachable)))
      (func (export "divided") (struct.set $s 0 (ref.null $s) (i32.div_u (i32.const 1) (global.get $seen))))
      (func (export "seen") (result i32) (global.get $seen) (global.set $seen (i32.const 0))))"#;
    let module = module(text);
    let mut machine = machine(&module);
    for name in ["field", "element"] {
        assert!(call(&mut machine, &module, name, &[]).unwrap_err().contains("Cast"));
        assert_eq!(call(&mut machine, &module, "seen", &[]), Ok(vec![I32(1)]), "{name}");
    }
    assert!(call(&mut machine, &module, "both", &[]).unwrap_err().contains("Explicit"));
    assert_eq!(call(&mut machine, &module, "seen", &[]), Ok(vec![I32(1)]));
    assert!(call(&mut machine, &module, "divided", &[]).unwrap_err().contains("DivisionByZero"));
}

#[test]
fn null_of_no_type_fits_everywhere() {
    let text = r#"(module
      (type $s (struct (field i32)))
      (type $pair (struct (field (mut (ref null $s))) (field (ref null $pair))))
      (type $row (array (mut (ref null $s))))
      (type $f (func (param (ref null $s)) (result i32)))
      (global $g (mut (ref null $s)) (ref.null none))
      (table $t 2 funcref)
      (elem (i32.const 0) $is)
      (func $is (type $f) (ref.is_null (local.get 0)))
      (func $none (result nullref) (ref.null none))
      (func (export "all") (result i32)
        (local $l (ref null $s)) (local $n nullref) (local $p (ref $pair)) (local $r (ref $row))
        (local.set $l (local.get $n))
        (global.set $g (call $none))
        (local.set $p (struct.new $pair (ref.null none) (local.get $n)))
        (struct.set $pair 0 (local.get $p) (call $none))
        (local.set $r (array.new $row (ref.null none) (i32.const 3)))
        (local.set $r (array.new_fixed $row 3 (ref.null none) (local.get $n) (call $none)))
        (array.set $row (local.get $r) (i32.const 1) (local.get $n))
        (array.fill $row (local.get $r) (i32.const 0) (ref.null none) (i32.const 3))
        (array.copy $row $row (local.get $r) (i32.const 1) (local.get $r) (i32.const 0) (i32.const 2))
        (i32.add (call $is (local.get $n))
          (i32.add (call_indirect $t (type $f) (ref.null none) (i32.const 0))
            (i32.add (call_ref $f (local.get $n) (ref.func $is))
              (i32.add (ref.is_null (select (result (ref null $s)) (ref.null none) (local.get $l) (i32.const 1)))
                       (ref.is_null (array.get $row (local.get $r) (i32.const 2))))))))
      (func (export "branches") (param i32) (result i32)
        (local $n nullref)
        (ref.is_null
          (block $b (result (ref null $s))
            (br_if $b (ref.null none) (local.get 0))
            drop
            (br_table $b $b (local.get $n) (local.get 0)))))
      (func (export "loops") (param i32) (result i32)
        (ref.is_null
          (loop $top (param) (result (ref null $s))
            (ref.null none)
            (loop $inner (param (ref null $s)) (result (ref null $s))
              (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
              (br_if $inner (i32.gt_s (local.get 0) (i32.const 0)))))))
      (func (export "if") (param i32) (result i32)
        (ref.is_null
          (if (result (ref null $s)) (local.get 0) (then (call $none)) (else (struct.new $s (i32.const 1))))))
      (func $tail (result (ref null $s)) (return_call $none))
      (func (export "tail") (result i32) (ref.is_null (call $tail))))"#;
    gives(text, "all", &[], &[I32(5)]);
    for arg in [0, 1] {
        gives(text, "branches", &[I32(arg)], &[I32(1)]);
        gives(text, "if", &[I32(arg)], &[I32(arg)]);
    }
    gives(text, "loops", &[I32(3)], &[I32(1)]);
    gives(text, "tail", &[], &[I32(1)]);
}

#[test]
fn values_of_narrower_types_go_round_loops() {
    let text = r#"(module
      (type $a (sub (struct (field i32))))
      (type $b (sub $a (struct (field i32) (field i32))))
      (func (export "loop") (param i32) (result i32)
        (struct.get $a 0
          (ref.as_non_null
            (loop $top (result (ref null $a))
              (struct.new $b (i32.const 7) (i32.const 8))
              (loop $inner (param (ref null $a)) (result (ref null $a))
                drop
                (struct.new $a (local.get 0))
                (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
                (br_if $inner (i32.gt_s (local.get 0) (i32.const 0))))))))
      (func (export "else") (param i32) (result i32)
        (struct.new $b (i32.const 7) (i32.const 8))
        (if (param (ref null $a)) (result i32) (local.get 0)
          (then (struct.get $a 0))
          (else drop (i32.const 1)))))"#;
    gives(text, "loop", &[I32(3)], &[I32(1)]);
    gives(text, "else", &[I32(1)], &[I32(7)]);
    gives(text, "else", &[I32(0)], &[I32(1)]);
}

#[test]
fn arrays_of_all_sizes() {
    let many = |count: usize| (0..count).map(|at| format!("(i32.const {at})")).collect::<String>();
    let names = |count: usize| (0..count).map(|_| "(ref.null none)").collect::<String>();
    let text = format!(
        r#"(module
      (type $a (array (mut i32)))
      (type $r (array anyref))
      (type $q (array (ref null $a)))
      (type $big (struct {fields}))
      (func (export "at") (param i32) (result i32)
        (array.get $a (array.new_fixed $a 2500 {long}) (local.get 0)))
      (func (export "some") (param i32) (result i32)
        (array.get $a (array.new_fixed $a 700 {some}) (local.get 0)))
      (func (export "waiting") (param i32) (result i32 i32)
        (i32.add (local.get 0) (i32.const 1))
        (array.len (array.new_fixed $q 1500 {nulls})))
      (func (export "none") (result i32) (array.len (array.new_fixed $r 0)))
      (func (export "field") (param i32) (result i32)
        (struct.get $big 699 (struct.new $big {some})))
      (func (export "default") (param i32) (result i32)
        (struct.get $big 699 (struct.new_default $big)))
      (func (export "new") (param i32 i32) (result i32)
        (array.get $a (array.new $a (local.get 0) (i32.div_u (local.get 1) (i32.const 2))) (i32.const 3)))
      (func (export "huge") (result i32) (array.len (array.new_default $a (i32.const -1)))))"#,
        fields = "(field i32)".repeat(700),
        long = many(2500),
        some = many(700),
        nulls = names(1500)
    );
    for at in [0, 1, 999, 2499] {
        gives(&text, "at", &[I32(at)], &[I32(at)]);
    }
    traps(&text, "at", &[I32(2500)], "IndexOutOfBounds");
    gives(&text, "some", &[I32(699)], &[I32(699)]);
    gives(&text, "waiting", &[I32(2)], &[I32(3), I32(1500)]);
    gives(&text, "none", &[], &[I32(0)]);
    gives(&text, "field", &[I32(1)], &[I32(699)]);
    gives(&text, "default", &[I32(1)], &[I32(0)]);
    gives(&text, "new", &[I32(9), I32(8)], &[I32(9)]);
    traps(&text, "new", &[I32(9), I32(6)], "IndexOutOfBounds");
    traps(&text, "huge", &[], "Quota");
}

#[test]
fn casts_tell_types_apart() {
    let text = r#"(module
      (type $a (sub (struct (field i32))))
      (type $b (sub $a (struct (field i32))))
      (type $c (sub $a (struct (field i32))))
      (type $row (array i8))
      (type $sub (sub (array i32)))
      (type $subsub (sub $sub (array i32)))
      (func $make (param i32) (result anyref)
        (block $4 (block $3 (block $2 (block $1 (block $0
          (br_table $0 $1 $2 $3 $4 (local.get 0)))
          (return (struct.new $a (i32.const 1))))
          (return (struct.new $c (i32.const 2))))
          (return (array.new_default $row (i32.const 2))))
          (return (ref.i31 (i32.const -1))))
        (array.new_default $subsub (i32.const 2)))
      (func (export "kind") (param i32) (result i32)
        (local $x anyref)
        (local.set $x (call $make (local.get 0)))
        (i32.or (ref.test (ref $a) (local.get $x))
        (i32.or (i32.shl (ref.test (ref $c) (local.get $x)) (i32.const 1))
        (i32.or (i32.shl (ref.test (ref struct) (local.get $x)) (i32.const 2))
        (i32.or (i32.shl (ref.test (ref array) (local.get $x)) (i32.const 3))
        (i32.or (i32.shl (ref.test (ref i31) (local.get $x)) (i32.const 4))
        (i32.or (i32.shl (ref.test (ref eq) (local.get $x)) (i32.const 5))
        (i32.or (i32.shl (ref.test (ref $sub) (local.get $x)) (i32.const 6))
                (i32.shl (ref.test (ref none) (local.get $x)) (i32.const 7))))))))))
      (func (export "cast") (param i32) (result i32)
        (struct.get $c 0 (ref.cast (ref $c) (call $make (local.get 0)))))
      (func (export "branch") (param i32) (result i32)
        (block $l (result (ref $a))
          (drop (br_on_cast $l anyref (ref $a) (call $make (local.get 0))))
          (return (i32.const -1)))
        (struct.get $a 0))
      (func (export "fail") (param i32) (result i32)
        (block $l (result anyref)
          (return (struct.get $a 0 (br_on_cast_fail $l anyref (ref $a) (call $make (local.get 0))))))
        (ref.test (ref i31))))"#;
    for (kind, want) in [(0, 0b010_0101), (1, 0b010_0111), (2, 0b010_1000), (3, 0b011_0000), (4, 0b110_1000)] {
        gives(text, "kind", &[I32(kind)], &[I32(want)]);
    }
    gives(text, "cast", &[I32(1)], &[I32(2)]);
    traps(text, "cast", &[I32(0)], "Cast");
    gives(text, "branch", &[I32(1)], &[I32(2)]);
    gives(text, "branch", &[I32(2)], &[I32(-1)]);
    gives(text, "fail", &[I32(0)], &[I32(1)]);
    gives(text, "fail", &[I32(3)], &[I32(1)]);
    gives(text, "fail", &[I32(2)], &[I32(0)]);
}

#[test]
fn function_types_are_told_apart() {
    let text = r#"(module
      (type $s (struct))
      (type $up (sub (func (param (ref $s)) (result anyref))))
      (type $down (sub $up (func (param (ref null $s)) (result (ref $s)))))
      (type $plain (func (param (ref $s)) (result anyref)))
      (type $ext (func (param externref)))
      (type $fun (func (param funcref)))
      (table funcref (elem $f $g $h $e $n))
      (func $f (type $up) (local.get 0))
      (func $g (type $down) (struct.new $s))
      (func $h (type $plain) (ref.null none))
      (func $e (type $ext))
      (func $n (type $down) (ref.as_non_null (ref.null none)))
      (func (export "up") (param i32) (result i32)
        (ref.is_null (call_indirect (type $up) (struct.new $s) (local.get 0))))
      (func (export "down") (param i32) (result i32)
        (ref.is_null (call_indirect (type $down) (ref.null none) (local.get 0))))
      (func (export "plain") (param i32) (result i32)
        (ref.is_null (call_indirect (type $plain) (struct.new $s) (local.get 0))))
      (func (export "ext") (param i32) (call_indirect (type $ext) (ref.null extern) (local.get 0)))
      (func (export "fun") (param i32) (call_indirect (type $fun) (ref.null func) (local.get 0))))"#;
    gives(text, "up", &[I32(0)], &[I32(0)]);
    gives(text, "up", &[I32(1)], &[I32(0)]);
    traps(text, "up", &[I32(2)], "Cast");
    traps(text, "down", &[I32(0)], "Cast");
    gives(text, "down", &[I32(1)], &[I32(0)]);
    traps(text, "down", &[I32(4)], "Cast");
    traps(text, "plain", &[I32(0)], "Cast");
    gives(text, "plain", &[I32(2)], &[I32(1)]);
    gives(text, "ext", &[I32(3)], &[]);
    traps(text, "fun", &[I32(3)], "Cast");
}

#[test]
fn constants_share_objects() {
    let text = r#"(module
      (type $v (struct (field (mut i32))))
      (type $o (struct (field (ref $v)) (field i31ref)))
      (type $row (array (ref $o)))
      (global $v (ref $v) (struct.new $v (i32.const 1)))
      (global $o (ref $o) (struct.new $o (global.get $v) (ref.i31 (i32.const 4))))
      (global $row (ref $row) (array.new_fixed $row 2 (global.get $o) (struct.new $o (global.get $v) (ref.null none))))
      (elem $e (ref $o) (item (global.get $o)))
      (func (export "same") (result i32)
        (struct.set $v 0 (global.get $v) (i32.const 9))
        (i32.add
          (ref.eq (global.get $o) (array.get $row (global.get $row) (i32.const 0)))
          (i32.add (ref.eq (global.get $o) (array.get $row (array.new_elem $row $e (i32.const 0) (i32.const 1)) (i32.const 0)))
            (struct.get $v 0 (struct.get $o 0 (array.get $row (global.get $row) (i32.const 1)))))))
      (func (export "numbers") (result i32)
        (i32.add (ref.eq (struct.get $o 1 (global.get $o)) (ref.i31 (i32.const 4)))
                 (ref.eq (struct.get $o 1 (global.get $o)) (ref.i31 (i32.const 5))))))"#;
    let module = module(text);
    let mut machine = machine(&module);
    for (name, want) in [("main", vec![]), ("same", vec![I32(11)]), ("numbers", vec![I32(1)])] {
        assert_eq!(call(&mut machine, &module, name, &[]), Ok(want), "{name}");
    }
}

#[test]
fn arrays_are_made_of_segments_until_these_are_dropped() {
    let text = r#"(module
      (type $bytes (array (mut i8)))
      (type $words (array (mut i32)))
      (memory 1)
      (data $d "\01\02\03\04\05\06\07\08")
      (data $active (i32.const 0) "abc")
      (func (export "byte") (param i32 i32 i32) (result i32)
        (array.get_u $bytes (array.new_data $bytes $d (local.get 0) (local.get 1)) (local.get 2)))
      (func (export "word") (param i32 i32 i32) (result i32)
        (array.get $words (array.new_data $words $d (local.get 0) (local.get 1)) (local.get 2)))
      (func (export "init") (param i32 i32 i32) (result i32)
        (local $a (ref $words))
        (local.set $a (array.new $words (i32.const -1) (i32.const 3)))
        (array.init_data $words $d (local.get $a) (local.get 0) (local.get 1) (local.get 2))
        (array.get $words (local.get $a) (i32.const 1)))
      (func (export "active") (result i32)
        (array.len (array.new_data $bytes $active (i32.const 0) (i32.const 1))))
      (func (export "drop") (data.drop $d)))"#;
    gives(text, "byte", &[I32(2), I32(3), I32(1)], &[I32(4)]);
    gives(text, "word", &[I32(2), I32(1), I32(0)], &[I32(0x0605_0403)]);
    traps(text, "word", &[I32(0), I32(3), I32(0)], "MemoryOutOfBounds");
    traps(text, "byte", &[I32(-1), I32(1), I32(0)], "MemoryOutOfBounds");
    traps(text, "word", &[I32(8), I32(0x4000_0000), I32(0)], "MemoryOutOfBounds");
    gives(text, "init", &[I32(1), I32(4), I32(1)], &[I32(0x0807_0605)]);
    gives(text, "init", &[I32(2), I32(4), I32(1)], &[I32(-1)]);
    traps(text, "init", &[I32(3), I32(8), I32(1)], "IndexOutOfBounds");
    traps(text, "init", &[I32(2), I32(8), I32(1)], "MemoryOutOfBounds");
    traps(text, "active", &[], "MemoryOutOfBounds");
    let module = module(text);
    let mut machine = machine(&module);
    assert_eq!(call(&mut machine, &module, "drop", &[]), Ok(vec![]));
    let error = call(&mut machine, &module, "byte", &[I32(0), I32(1), I32(0)]).unwrap_err();
    assert!(error.contains("MemoryOutOfBounds"), "{error}");
    assert!(call(&mut machine, &module, "byte", &[I32(0), I32(0), I32(0)]).unwrap_err().contains("IndexOutOfBounds"));
}

#[test]
fn equal_types_of_several_units_are_one() {
    let one = r#"(module
      (rec (type $t (sub (struct (field (ref null $t)) (field (ref $f))))) (type $f (func (param (ref $t)) (result i32))))
      (func $f (type $f) (i32.const 5))
      (elem declare func $f)
      (func (export "make") (result (ref $t)) (struct.new $t (ref.null none) (ref.func $f)))
      (global (export "g") (ref $t) (struct.new $t (ref.null none) (ref.func $f))))"#;
    let two = r#"(module
      (type $other (func))
      (rec (type $t (sub (struct (field (ref null $t)) (field (ref $f))))) (type $f (func (param (ref $t)) (result i32))))
      (import "one" "make" (func $make (result (ref $t))))
      (import "one" "g" (global $g (ref $t)))
      (table $table 2 (ref $t) (global.get $g))
      (func (export "call") (result i32)
        (local $t (ref $t))
        (local.set $t (ref.cast (ref $t) (call $make)))
        (i32.add (call_ref $f (local.get $t) (struct.get $t 1 (local.get $t)))
                 (ref.eq (table.get $table (i32.const 1)) (global.get $g)))))"#;
    let module = script(&[("one", one), ("two", two)]);
    let mut machine = machine(&module);
    for at in 0..2 {
        assert_eq!(call(&mut machine, &module, &format!("instantiate_{at}"), &[]), Ok(vec![]));
    }
    assert_eq!(call(&mut machine, &module, "two_call", &[]), Ok(vec![I32(6)]));
}

#[test]
fn what_comes_out_is_text_of_the_il_too() {
    let text = r#"(module
      (type $a (sub (struct (field i32))))
      (type $b (sub $a (struct (field i32) (field (mut i8)) (field (ref null $b)))))
      (type $row (array (mut (ref null $a))))
      (func (export "f") (param i31ref) (result i32)
        (local $row (ref $row))
        (local.set $row (array.new $row (struct.new $b (i32.const 1) (i32.const 2) (ref.null none)) (i32.const 3)))
        (array.fill $row (local.get $row) (i32.const 0) (ref.null none) (i32.const 1))
        (i32.add (array.len (local.get $row)) (ref.eq (local.get 0) (ref.i31 (i32.const 1))))))"#;
    let all = il::disasm::module(&module(text));
    for part in ["struct Eq", "struct Struct: Eq", "struct Array: Eq", ": Struct", ": Array", "mut [?"] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    let again = il::text::compile("again.il", &all, common::KNOWN).unwrap_or_else(|errors| panic!("{errors}\n{all}"));
    il::verify(again).unwrap_or_else(|error| panic!("{error}\n{all}"));
}
