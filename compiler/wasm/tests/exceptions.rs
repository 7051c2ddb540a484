//! Exceptions: where they go, and what does not pay for them.

mod common;

use common::{call, link, machine, module, run, script};
use interp::Datum::{self, I32, I64};

#[track_caller]
fn gives(text: &str, name: &str, args: &[Datum], want: &[Datum]) {
    assert_eq!(run(text, name, args).as_deref(), Ok(want), "{name} {args:?}");
}

#[track_caller]
fn traps(text: &str, name: &str, args: &[Datum], why: &str) {
    let error = run(text, name, args).expect_err("it traps");
    assert!(error.contains(why), "{error}");
}

/// A function of the module's text.
#[track_caller]
fn function(text: &str, name: &str) -> String {
    let module = link(&[("test", text)], false).unwrap_or_else(|error| panic!("{error}"));
    let all = il::disasm::module(&module);
    let start = all.find(&format!("func {name}(")).unwrap_or_else(|| panic!("no {name} in {all}"));
    let rest = &all[start..];
    rest[..rest.find("\n}").unwrap_or(rest.len())].to_string()
}

#[test]
fn an_exception_passes_through_calls_to_who_catches_it() {
    let text = r#"(module
      (tag $e (param i32 i64))
      (tag $other)
      (func $thrower (param i32) (result i64)
        (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 5) (i64.const 6))))
        (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $other)))
        (i64.extend_i32_s (local.get 0)))
      (func $between (param i32) (result i32 i64) (i32.const 1) (call $thrower (local.get 0)))
      (func (export "through") (param i32) (result i32 i64 i32) (local i32)
        (i32.const 1000)
        (block $caught (result i32 i64)
          (try_table (result i32 i64) (catch $e $caught) (call $between (local.get 0)))
          (local.set 1 (i32.const 7)))
        (local.get 1)
        (br 0))
      (func (export "spread") (param i32) (result i64)
        (i32.const 1000)
        (block $caught (result i32 i64)
          (try_table (result i32 i64) (catch $e $caught) (call $between (local.get 0))))
        (drop)
        (i32.add)
        (i64.extend_i32_s)))"#;
    gives(text, "through", &[I32(0)], &[I32(5), I64(6), I32(0)]);
    gives(text, "through", &[I32(4)], &[I32(1), I64(4), I32(7)]);
    traps(text, "through", &[I32(1)], "uncaught exception");
    gives(text, "spread", &[I32(0)], &[I64(1005)]);
    gives(text, "spread", &[I32(9)], &[I64(1001)]);
}

#[test]
fn clauses_are_tried_in_order_and_inner_ones_first() {
    let text = r#"(module
      (tag $a (param i32)) (tag $b) (tag $c)
      (func $throw (param i32)
        (block $2 (block $1 (block $0 (br_table $0 $1 $2 (local.get 0))) (throw $a (i32.const 10))) (throw $b)) (throw $c))
      (func (export "f") (param i32) (result i32)
        (block $outer (result exnref)
          (block $inner
            (block $first (result i32)
              (try_table (catch_all_ref $outer)
                (try_table (catch $a $first) (catch $b $inner) (catch $a $first) (call $throw (local.get 0))))
              (return (i32.const 1)))
            (return))
          (return (i32.const 2)))
        (drop)
        (i32.const 3))
      (func (export "again") (param i32) (result i32)
        (block $other
          (block $b
            (try_table (catch $b $b) (catch_all $other)
              (block $all (result exnref)
                (try_table (catch_all_ref $all) (call $throw (local.get 0)))
                (unreachable))
              (throw_ref))
            (unreachable))
          (return (i32.const 1)))
        (i32.const 2))
      (func (export "null") (block (try_table (catch_all 0) (throw_ref (ref.null exn))))))"#;
    gives(text, "f", &[I32(0)], &[I32(10)]);
    gives(text, "f", &[I32(1)], &[I32(2)]);
    gives(text, "f", &[I32(2)], &[I32(3)]);
    gives(text, "again", &[I32(0)], &[I32(2)]);
    gives(text, "again", &[I32(1)], &[I32(1)]);
    traps(text, "null", &[], "Cast");
}

#[test]
fn handlers_lead_to_loops_and_out_of_functions() {
    let text = r#"(module
      (tag $again (param i32)) (tag $done (param f64 i64)) (tag $never)
      (func $step (param i32) (result i32)
        (if (i32.gt_s (local.get 0) (i32.const 99)) (then (throw $done (f64.const 2.5) (i64.const -3))))
        (throw $again (i32.mul (local.get 0) (i32.const 3))))
      (func (export "f") (param i32) (result f64 i64)
        (local.get 0)
        (loop $top (param i32) (result f64 i64)
          (try_table (param i32) (result i32) (catch $again $top) (catch $done 1) (call $step))
          (drop)
          (unreachable)))
      (func (export "deep") (param i32) (result i32)
        (block $caught (result i32)
          (try_table (catch $again $caught)
            (block (block (loop (if (local.get 0) (then
              (block (try_table (catch $never 3) (drop (call $step (local.get 0))))))))))
            (return (i32.const -1)))
          (unreachable))
        (i32.add (i32.const 1))))"#;
    gives(text, "f", &[I32(2)], &[Datum::F64(2.5f64.to_bits()), I64(-3)]);
    gives(text, "deep", &[I32(0)], &[I32(-1)]);
    gives(text, "deep", &[I32(5)], &[I32(16)]);
}

#[test]
fn tail_calls_leave_the_handlers_around_them() {
    let text = r#"(module
      (type $t (func (result i32)))
      (tag $e)
      (table funcref (elem $throw))
      (func $throw (type $t) (throw $e))
      (func $direct (type $t) (block (try_table (catch $e 0) (return_call $throw))) (i32.const 1))
      (func $indirect (type $t) (block (try_table (catch $e 0) (return_call_indirect (type $t) (i32.const 0)))) (i32.const 1))
      (func $reference (type $t) (block (try_table (catch $e 0) (return_call_ref $t (ref.func $throw)))) (i32.const 1))
      (func (export "f") (param i32) (result i32)
        (block $caught
          (try_table (result i32) (catch $e $caught)
            (block $2 (block $1 (block $0 (br_table $0 $1 $2 (local.get 0)))
              (return (call $direct))) (return (call $indirect))) (call $reference))
          (return))
        (i32.const 2)))"#;
    for which in 0..3 {
        gives(text, "f", &[I32(which)], &[I32(2)]);
    }
}

#[test]
fn references_that_are_never_null_are_results_of_functions_that_throw() {
    let text = r#"(module
      (type $t (func (result i32)))
      (tag $e (param (ref $t) exnref))
      (func $five (type $t) (i32.const 5))
      (func $six (type $t) (i32.const 6))
      (elem declare func $five $six $get)
      (type $get (func (param i32) (result (ref $t))))
      (func $get (type $get)
        (if (local.get 0) (then (throw $e (ref.func $six) (ref.null exn))))
        (ref.func $five))
      (func (export "f") (param i32) (result i32)
        (block $caught (result (ref $t) exnref)
          (try_table (catch $e $caught) (return (call_ref $t (call $get (local.get 0)))))
          (unreachable))
        (drop)
        (call_ref $t))
      (func (export "g") (param i32) (result i32)
        (block $caught (result (ref $t) exnref)
          (try_table (catch $e $caught) (return (call_ref $t (call_ref $get (local.get 0) (ref.func $get)))))
          (unreachable))
        (drop)
        (call_ref $t)))"#;
    for name in ["f", "g"] {
        gives(text, name, &[I32(0)], &[I32(5)]);
        gives(text, name, &[I32(1)], &[I32(6)]);
    }
}

#[test]
fn exceptions_are_values() {
    let text = r#"(module
      (tag $e (param i32))
      (table $t 4 exnref)
      (global $g (mut exnref) (ref.null exn))
      (func $catch (param i32) (result exnref)
        (block $h (result exnref) (try_table (catch_all_ref $h) (throw $e (local.get 0))) (unreachable)))
      (func (export "f") (result i32) (local exnref)
        (table.set $t (i32.const 2) (call $catch (i32.const 40)))
        (global.set $g (call $catch (i32.const 2)))
        (local.set 0 (global.get $g))
        (block $h (result i32)
          (try_table (catch $e $h) (throw_ref (table.get $t (i32.const 2))))
          (unreachable))
        (block $h (result i32)
          (try_table (catch $e $h) (throw_ref (local.get 0)))
          (unreachable))
        (i32.add)
        (i32.add (ref.is_null (table.get $t (i32.const 0))))))"#;
    gives(text, "f", &[], &[I32(43)]);
}

#[test]
fn tags_are_shared_by_units_and_otherwise_their_own() {
    let one = r#"(module (tag $e (export "e") (param i32)) (tag (export "f") (param i32))
      (func (export "throw") (param i32) (throw $e (local.get 0))))"#;
    let two = r#"(module
      (import "one" "e" (tag $e (param i32)))
      (import "one" "f" (tag $f (param i32)))
      (import "one" "throw" (func $throw (param i32)))
      (tag $own (param i32))
      (func (export "f") (param i32) (result i32)
        (block $e (result i32)
          (block $other (result i32)
            (try_table (catch $f $other) (catch $own $other) (catch $e $e) (call $throw (local.get 0)))
            (i32.const 0))
          (drop) (i32.const 100))
        (i32.add (i32.const 1))))"#;
    let module = script(&[("one", one), ("two", two)]);
    let mut machine = machine(&module);
    assert_eq!(call(&mut machine, &module, "two_f", &[I32(6)]), Ok(vec![I32(7)]));
    let uncaught = call(&mut machine, &module, "one_throw", &[I32(6)]);
    assert!(uncaught.as_ref().is_err_and(|why| why.contains("Explicit uncaught exception")), "{uncaught:?}");
    // What was thrown is forgotten.
    assert_eq!(call(&mut machine, &module, "two_f", &[I32(7)]), Ok(vec![I32(8)]));
    let wrong = r#"(module (import "one" "e" (tag (param i64))))"#;
    let error = link(&[("one", one), ("two", wrong)], false).expect_err("another type").to_string();
    assert!(error.contains("tag"), "{error}");
}

#[test]
fn what_starts_a_program_may_throw() {
    let starts = r#"(module (tag $e) (func $f (throw $e)) (start $f))"#;
    let module_of = |text| module(text);
    for text in [starts, r#"(module (tag $e) (func (export "_start") (throw $e)))"#] {
        let module = module_of(text);
        let outcome = call(&mut machine(&module), &module, "main", &[]);
        assert!(outcome.as_ref().is_err_and(|why| why.contains("uncaught exception")), "{outcome:?}");
    }
}

#[test]
fn what_cannot_throw_is_not_checked() {
    let text = r#"(module
      (type $small (func)) (type $wide (func (param i32 i32)))
      (tag $e)
      (table funcref (elem $quiet $loud2))
      (func $quiet)
      (func $loud2 (type $wide) (throw $e))
      (func $calls_quiet (call $quiet) (call_indirect (type $small) (i32.const 0)))
      (func $catches (block (try_table (catch_all 0) (call $throws))))
      (func $throws (throw $e))
      (func $calls_catches (call $catches))
      (func $calls_throws (call $throws) (call $quiet))
      (func $by_table (call_indirect (type $wide) (i32.const 1) (i32.const 2) (i32.const 1))))"#;
    let checks = |name: &str| function(text, name).matches("!= null").count();
    for name in ["calls_quiet", "calls_catches", "quiet", "throws"] {
        assert_eq!(checks(name), 0, "{}", function(text, name));
    }
    for name in ["catches", "calls_throws", "by_table"] {
        assert_eq!(checks(name), 1, "{}", function(text, name));
    }
    // An unused tag changes nothing but for itself.
    let without = r#"(module (func $f (result i32) (i32.const 1)) (func (export "g") (result i32) (call $f)))"#;
    let with = without.replace("(module", "(module (tag)");
    assert_eq!(function(without, "g"), function(&with, "g"));
}

#[test]
fn functions_that_are_objects_may_throw() {
    let text = r#"(module
      (type $s (sub (struct (field i32))))
      (type $t (sub $s (struct (field i32) (field i64))))
      (type $f (sub (func (param i32) (result (ref $s)))))
      (type $g (sub $f (func (param i32) (result (ref $t)))))
      (tag $e (param (ref $s)))
      (elem declare func $make)
      (func $make (type $g)
        (if (i32.eqz (local.get 0)) (then (throw $e (struct.new $s (i32.const 40)))))
        (struct.new $t (local.get 0) (i64.const 7)))
      (func $call (param i32) (param (ref $f)) (result (ref $s)) (call_ref $f (local.get 0) (local.get 1)))
      (func (export "f") (param i32) (result i32)
        (block $caught (result (ref $s))
          (try_table (result (ref $s)) (catch $e $caught) (call $call (local.get 0) (ref.func $make)))
          (return (struct.get $s 0)))
        (i32.add (struct.get $s 0) (i32.const 2))))"#;
    gives(text, "f", &[I32(0)], &[I32(42)]);
    gives(text, "f", &[I32(6)], &[I32(6)]);
}
