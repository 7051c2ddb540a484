;; Exceptions as the proposal had them before `try_table`: what older toolchains emit.

(module
  (tag $a (param i32)) (tag $b)
  (func $throw (param i32)
    (if (i32.eqz (local.get 0)) (then (throw $a (i32.const 10))))
    (if (i32.eq (local.get 0) (i32.const 1)) (then (throw $b))))
  (func $try (export "try") (param i32) (result i32)
    (i32.const 1000)
    try (result i32)
      local.get 0 call $throw
      i32.const 1
    catch $a
      i32.const 2 i32.add
    catch_all
      i32.const 3
    end
    i32.add)
  (func (export "only") (param i32) (result i32)
    try (result i32) local.get 0 call $throw i32.const 1 catch $a end)
  (func (export "again") (param i32) (result i32)
    try (result i32)
      try (result i32)
        local.get 0 call $throw
        i32.const 1
      catch $a
        drop
        try (result i32) i32.const 1 call $throw i32.const 77 catch $b rethrow 1 end
      end
    catch_all
      try (result i32) rethrow 1 catch $a i32.const 5 i32.add catch $b i32.const 6 end
    end)
  (func (export "delegate") (param i32) (result i32)
    try $outer (result i32)
      try $middle (result i32)
        try (result i32)
          local.get 0 call $throw
          i32.const 1
        delegate $outer
      catch_all
        i32.const -1
      end
    catch $a
    end)
  (func (export "out") (param i32) (result i32)
    try (result i32)
      try (result i32) local.get 0 call $throw i32.const 1 delegate 1
    catch_all
      i32.const -1
    end)
  (func (export "branches") (param i32) (result i32)
    block $done (result i32)
      loop $top (result i32)
        try (result i32)
          local.get 0 call $throw
          i32.const 4
          br $done
        catch $a
          drop
          i32.const 1
          local.set 0
          br $top
        catch $b
          i32.const 2
          local.set 0
          br $top
        end
      end
    end)
  (func (export "dead") (result i32)
    try (result i32)
      i32.const 1
    catch $a
      try unreachable catch $b end
      i32.const 3 i32.add
    catch_all
      i32.const 2
    end)
  (func (export "unreached") (param i32) (result i32)
    try (result i32)
      i32.const 0 call $throw
      unreachable
    catch $a
      return
    catch_all
      unreachable
    end))

(assert_return (invoke "try" (i32.const 0)) (i32.const 1012))
(assert_return (invoke "try" (i32.const 1)) (i32.const 1003))
(assert_return (invoke "try" (i32.const 2)) (i32.const 1001))
(assert_return (invoke "only" (i32.const 0)) (i32.const 10))
(assert_exception (invoke "only" (i32.const 1)))
(assert_return (invoke "only" (i32.const 2)) (i32.const 1))
(assert_return (invoke "again" (i32.const 0)) (i32.const 15))
(assert_return (invoke "again" (i32.const 1)) (i32.const 6))
(assert_return (invoke "again" (i32.const 2)) (i32.const 1))
(assert_return (invoke "delegate" (i32.const 0)) (i32.const 10))
(assert_exception (invoke "delegate" (i32.const 1)))
(assert_return (invoke "delegate" (i32.const 2)) (i32.const 1))
(assert_exception (invoke "out" (i32.const 0)))
(assert_exception (invoke "out" (i32.const 1)))
(assert_return (invoke "out" (i32.const 2)) (i32.const 1))
(assert_return (invoke "branches" (i32.const 0)) (i32.const 4))
(assert_return (invoke "branches" (i32.const 1)) (i32.const 4))
(assert_return (invoke "branches" (i32.const 2)) (i32.const 4))
(assert_return (invoke "unreached" (i32.const 0)) (i32.const 10))
(assert_return (invoke "unreached" (i32.const 1)) (i32.const 10))
(assert_return (invoke "unreached" (i32.const 2)) (i32.const 10))
(assert_return (invoke "dead") (i32.const 1))
