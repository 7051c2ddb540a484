;; Trees come and go, a thousand of them; the last 64 are kept, and summed up at the end.
(module
  (import "cascade.console@1" "write" (func $write (param i32 i32)))
  (memory 1)

  (type $eq (sub (struct)))
  (rec
    (type $node (sub $eq (struct (field $left (ref null $node)) (field $right (ref null $node)) (field $value i32))))
    (type $visit (func (param (ref $node)) (result i32))))
  (type $forest (array (mut (ref null $node))))
  (type $text (array (mut i8)))

  (data $label "kept ")
  (global $forest (ref $forest) (array.new_default $forest (i32.const 64)))
  (elem declare func $sum)

  (func $tree (param $depth i32) (param $value i32) (result (ref null $node))
    (if (i32.eqz (local.get $depth)) (then (return (ref.null none))))
    (struct.new $node
      (call $tree (i32.sub (local.get $depth) (i32.const 1)) (i32.mul (local.get $value) (i32.const 2)))
      (call $tree (i32.sub (local.get $depth) (i32.const 1))
        (i32.add (i32.mul (local.get $value) (i32.const 2)) (i32.const 1)))
      (local.get $value)))

  (func $sum (type $visit) (param $node (ref $node)) (result i32)
    (local $total i32)
    (local.set $total (struct.get $node $value (local.get $node)))
    (block $no_left
      (local.set $total (i32.add (local.get $total)
        (call $sum (br_on_null $no_left (struct.get $node $left (local.get $node)))))))
    (block $no_right
      (local.set $total (i32.add (local.get $total)
        (call $sum (br_on_null $no_right (struct.get $node $right (local.get $node)))))))
    (local.get $total))

  ;; Decimal digits, each written before the ones so far.
  (func $digits (param $number i32) (result (ref $text))
    (local $text (ref $text)) (local $at i32)
    (local.set $text (array.new $text (i32.const 32) (i32.const 11)))
    (local.set $at (i32.const 10))
    (array.set $text (local.get $text) (local.get $at) (i32.const 10))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (array.set $text (local.get $text) (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $more (local.get $number)))
    (local.get $text))

  (func $print (param $text (ref $text))
    (local $at i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (array.len (local.get $text))))
        (i32.store8 (local.get $at) (array.get_u $text (local.get $text) (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (call $write (i32.const 0) (local.get $at)))

  (func (export "main")
    (local $round i32) (local $total i32) (local $any anyref)
    (loop $grow
      (array.set $forest (global.get $forest) (i32.and (local.get $round) (i32.const 63))
        (call $tree (i32.const 9) (local.get $round)))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $grow (i32.lt_u (local.get $round) (i32.const 1000))))
    (local.set $round (i32.const 0))
    (loop $add
      (local.set $any (array.get $forest (global.get $forest) (local.get $round)))
      (local.set $total (i32.add (local.get $total)
        (call_ref $visit (ref.cast (ref $node) (local.get $any)) (ref.func $sum))))
      (local.set $round (i32.add (local.get $round) (i32.const 1)))
      (br_if $add (i32.lt_u (local.get $round) (i32.const 64))))
    (call $print (array.new_data $text $label (i32.const 0) (i32.const 5)))
    (call $print (call $digits (local.get $total)))))
