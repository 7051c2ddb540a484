//! Control flow, calls, traps and their places, by programs in text.

mod support;

use il::trap::TrapKind;
use support::{End, Vm, all_options, options, text};

fn line_of(end: End) -> (TrapKind, Option<u32>) {
    match end {
        End::Trap { kind, line, .. } => (kind, line),
        other => panic!("{other:?}"),
    }
}

#[test]
fn loops_matches_and_branches() {
    let module = text(
        r#"module control
        export func sum(n: i32) -> i32 {
          var total = 0
          for i in 0..n { if i % 3 == 0 { continue } if i > 50 { break } total += i }
          return total
        }
        export func collatz(start: i64) -> i32 {
          var n = start
          var steps = 0
          while n != 1 { if n % 2 == 0 { n = n / 2 } else { n = 3 * n + 1 } steps += 1 }
          return steps
        }
        export func nested(n: i32) -> i32 {
          var found = 0
          'outer: for i in 0..n {
            var j = 0
            loop {
              j += 1
              if j > i { continue 'outer }
              if i * j == 42 { found += 1 }
              if found == 3 { break 'outer }
            }
          }
          return found
        }
        export func dense(x: i32) -> i32 {
          match x { 0 => { return 10 } 1 | 2 => { return 20 } 3 => { return 30 } 4 => { return 40 } -1 => { return 50 } _ => { return 0 } }
        }
        export func sparse(x: i64) -> i32 {
          var y = 7
          match x { 1000000000000 => { y = 1 } -5 => { y = 2 } 17 => { y = 3 } _ => {} }
          return y
        }
        export func value(a: i32, b: bool) -> i32 {
          let x = if b { a } else { 0 - a }
          return x + (if a > 10 && b || a == 3 { 100 } else { 200 })
        }
        export func edge(from: i32, to: i32) -> i32 {
          var turns = 0
          for i in from..to { turns += 1 }
          return turns
        }
        "#,
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        let mut int = |name: &str, args: &[u64]| vm.eval(name, args).unwrap() as i32;
        assert_eq!(int("sum", &[100]), (0..=50).filter(|i| i % 3 != 0).sum::<i32>());
        assert_eq!(int("sum", &[0]), 0);
        assert_eq!(int("collatz", &[27]), 111);
        assert_eq!(int("nested", &[100]), 3);
        assert_eq!(int("nested", &[5]), 0);
        let dense: Vec<i32> = (-2..7).map(|x: i32| int("dense", &[u64::from(x as u32)])).collect();
        assert_eq!(dense, [0, 50, 10, 20, 20, 30, 40, 0, 0]);
        assert_eq!([1000000000000, -5, 17, 18].map(|x: i64| int("sparse", &[x as u64])), [1, 2, 3, 7]);
        assert_eq!([(3, 1), (3, 0), (20, 1), (20, 0)].map(|(a, b)| int("value", &[a, b])), [103, 97, 120, 180]);
        let max = i32::MAX as u64;
        assert_eq!(int("edge", &[max - 2, max]), 2, "the counter does not pass its end");
        assert_eq!(int("edge", &[5, 2]), 0);
    }
}

#[test]
fn conditions_branch_as_their_values_say() {
    let module = text(
        r#"module conditions
        func deep(a: bool, b: bool, c: bool) -> bool { return (a && (b || !c)) || (!a && c && b) }
        export func value(a: bool, b: bool, c: bool) -> i32 { let d = deep(a, b, c) return i32(d) }
        export func branch(a: bool, b: bool, c: bool) -> i32 {
          if (a && (b || !c)) || (!a && c && b) { return 1 }
          return 0
        }
        export func turns(a: bool, b: bool, c: bool) -> i32 {
          var n = 0
          while n < 3 && ((a && (b || !c)) || (!a && c && b)) { n += 1 }
          return n / 3
        }
        export func claim(a: bool, b: bool, c: bool) -> i32 {
          assert (a && (b || !c)) || (!a && (if c { b } else { false }))
          return 1
        }
        export func constants(a: bool, b: bool, c: bool) -> i32 {
          var n = 0
          if a && true { n += 1 }
          if false || b { n += 2 }
          if true || c { n += 4 }
          if (if a { b } else { c }) && !(a && b) { n += 8 }
          return n
        }
        "#,
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        for bits in 0..8u64 {
            let [a, b, c] = [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0];
            let args = [a, b, c].map(u64::from);
            let expected = u64::from(if a { b || !c } else { b && c });
            assert_eq!(
                ["value", "branch", "turns"].map(|name| vm.eval(name, &args).unwrap()),
                [expected; 3],
                "{bits:03b}"
            );
            assert_eq!(vm.eval("claim", &args), if expected == 1 { Ok(1) } else { Err(TrapKind::Assertion) });
            let chosen = if a { b } else { c };
            let sum = u64::from(a) + 2 * u64::from(b) + 4 + 8 * u64::from(chosen && !(a && b));
            assert_eq!(vm.eval("constants", &args), Ok(sum), "{bits:03b}");
        }
    }
}

#[test]
fn many_parameters_and_results_travel() {
    let module = text(
        r#"module many
        func spread(a: i32, b: i64, c: f64, d: bool, e: i32, f: i64, g: f64, h: bool, i: i32, j: i64, k: f64, l: bool,
                    m: i32, n: i64, o: f64, p: i32)
            -> (i32, i64, f64, bool, i32, i64, f64, bool, i32, i64, f64, bool, i32, i64, f64, i32) {
          return (p, n, o, l, m, j, k, h, i, f, g, d, e, b, c, a)
        }
        export func turn(a: i32, b: i64, c: f64, d: bool, e: i32, f: i64, g: f64, h: bool, i: i32, j: i64, k: f64, l: bool,
                    m: i32, n: i64, o: f64, p: i32)
            -> (i32, i64, f64, bool, i32, i64, f64, bool, i32, i64, f64, bool, i32, i64, f64, i32) {
          let (q, r, s, t, u, v, w, x, y, z, aa, bb, cc, dd, ee, ff)
            = spread(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
          return (ff, dd, ee, bb, cc, z, aa, x, y, v, w, t, u, r, s, q)
        }
        "#,
    );
    let args: Vec<u64> = (0..16)
        .map(|i| match i % 4 {
            0 => 100 + i,
            1 => 1 << (40 + i),
            2 => (i as f64 + 0.25).to_bits(),
            _ => i / 4 % 2,
        })
        .collect();
    let mut args = args;
    args[15] = 77;
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        assert_eq!(vm.run("turn", &args), End::Done);
        let results: Vec<u64> = (0..16).map(|index| vm.value(index)).collect();
        assert_eq!(results, args);
    }
}

#[test]
fn traps_know_their_kind_and_line() {
    let module = text(
        "module traps
        memory 1..2
        export func div(a: i32, b: i32) -> i32 {
          let x = a + 1
          return x / b
        }
        export func convert(a: f64) -> i32 {
          return i32(a)
        }
        export func far(a: i32) -> i32 {
          return load32(a)
        }
        export func farther(a: i32) -> i64 {
          return load64(a, offset: 4294967295)
        }
        export func write(a: i32) {
          store64(a, 1)
        }
        export func index(n: i32, at: i32) -> i32 {
          let b = buf(n)
          b[0] = 9
          return load16_u(b, at)
        }
        export func letter(at: i32) -> i32 {
          let s = \"abc\"
          return s[at]
        }
        func deeper(n: i32) -> i32 {
          return deeper(n + 1) + 1
        }
        export func deep() -> i32 { return deeper(0) }
        export func why() {
          trap \"because\"
        }
        export func claim(x: i32) {
          assert x == 3
        }
        ",
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        let minus = |x: i32| u64::from(x as u32);
        let mut trap = |name: &str, args: &[u64]| line_of(vm.run(name, args));
        assert_eq!(trap("div", &[1, 0]), (TrapKind::DivisionByZero, Some(5)));
        assert_eq!(trap("div", &[minus(i32::MIN) - 1, minus(-1)]), (TrapKind::IntegerOverflow, Some(5)));
        assert_eq!(trap("convert", &[f64::NAN.to_bits()]), (TrapKind::BadConversion, Some(8)));
        assert_eq!(trap("convert", &[1e10f64.to_bits()]), (TrapKind::BadConversion, Some(8)));
        for address in [65533, 65536, minus(-1), minus(i32::MIN)] {
            assert_eq!(trap("far", &[address]), (TrapKind::MemoryOutOfBounds, Some(11)), "{address:x}");
        }
        assert_eq!(trap("farther", &[minus(-1)]), (TrapKind::MemoryOutOfBounds, Some(14)));
        assert_eq!(trap("write", &[65529]), (TrapKind::MemoryOutOfBounds, Some(17)));
        for (n, at) in [(4, 3), (4, minus(-1)), (4, 4), (1, 0)] {
            assert_eq!(trap("index", &[n, at]), (TrapKind::IndexOutOfBounds, Some(22)));
        }
        assert_eq!(trap("index", &[0, 0]), (TrapKind::IndexOutOfBounds, Some(21)));
        assert_eq!(trap("letter", &[3]), (TrapKind::IndexOutOfBounds, Some(26)));
        assert_eq!(trap("deep", &[]).0, TrapKind::StackOverflow);
        let explicit = End::Trap { kind: TrapKind::Explicit, message: "because".into(), line: None };
        assert_eq!(vm.run("why", &[]), explicit);
        assert_eq!(line_of(vm.run("claim", &[4])).0, TrapKind::Assertion);
        assert_eq!(vm.run("claim", &[3]), End::Done);
        assert_eq!(vm.eval("div", &[20, 3]), Ok(7), "a VM's code survives traps");
        assert_eq!(vm.eval("letter", &[1]), Ok(u64::from(b'b')));
    }
}

#[test]
fn memory_and_globals() {
    let module = text(
        r#"module memory
        memory 1..3
        data 8 "\x80\xff\x01\x02\x03\x04\x05\x06"
        global mut counter: i32 = 5
        global mut flag = true
        global mut ratio = 1.5
        global fixed: i64 = 77
        export func loads() -> (i32, i32, i32, i32, i32, i64) {
          return (load8_s(8), load8_u(8), load16_s(0, offset: 8), load16_u(8), load32(9), load64(8))
        }
        export func stores() -> i64 {
          store8(100, 511) store16(101, -2) store32(103, -1) store_f64(200, 2.5)
          return load64(100) + i64_bits(load_f64(200))
        }
        export func grow(by: i32) -> i32 { let old = memory_grow(by) store8(memory_size() * 65536 - 1, 1) return old * 100 + memory_size() }
        export func bulk() -> i32 { memory_fill(300, 7, 10) memory_copy(305, 300, 10) return load32(311) }
        export func count() -> i64 { counter += 1 flag = !flag ratio = ratio * 2.0 return i64(counter) + fixed }
        "#,
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        assert_eq!(vm.run("loads", &[]), End::Done);
        let loads: Vec<i64> = (0..6).map(|at| vm.value(at) as i64).collect();
        let word = |value: i32| i64::from(value as u32);
        assert_eq!(loads, [word(-128), 128, word(-128), 0xff80, 0x030201ff, 0x060504030201ff80]);
        let stored = i64::from_le_bytes([0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(vm.eval("stores", &[]), Ok(stored.wrapping_add(2.5f64.to_bits() as i64) as u64));
        assert_eq!(vm.eval("grow", &[1]), Ok(102));
        assert_eq!(vm.eval("grow", &[5]), Ok(u64::from((-100i32 + 2) as u32)));
        assert_eq!(vm.eval("bulk", &[]), Ok(0x07070707));
        assert_eq!(vm.eval("count", &[]), Ok(83));
        assert_eq!((vm.global(0), vm.global(1), f64::from_bits(vm.global(2))), (6, 0, 3.0));
    }
}

/// Whatever can run for long looks at the interrupt word; what ends by itself soon does not.
#[test]
fn a_busy_vm_yields_wherever_it_could_run_for_long() {
    let mut source = String::from(
        "module busy
        func one(x: i32) -> i32 { return x + 1 }
        export func spin(n: i32) -> i32 { var x = 0 while x < n { x += 1 } return x }
        export func turns(n: i32) -> i32 { var x = 0 for i in 0..n { x += i } return x }
        export func many(n: i32) -> i32 { var x = 0 for i in 0..100000 { x = x ^ i } return x }
        export func few(n: i32) -> i32 { var x = 0 for i in 0..8 { for j in 0..4 { x += i * j } } return x + n }
        export func nested(n: i32) -> i32 { var x = 0 for i in 0..30 { for j in 0..30 { x += i * j } } return x + n }
        export func call(n: i32) -> i32 { if n > 100 { return 0 } return one(n) }
        export func still(n: i32) -> i32 { return n }
        export func down(n: i32) -> i32 { if n == 0 { return 0 } return down(n - 1) }
        export func inside(n: i32) -> i32 { if n > 0 { return inside(n - 1) } return 0 }
        export func forth(n: i32) -> i32 { if n == 0 { return 0 } return tail back(n - 1) }
        func back(n: i32) -> i32 { if n == 0 { return 1 } return tail forth(n - 1) }
        func f0(n: i32) -> i32 { return n * n / 3 + n / 7 }
        ",
    );
    for at in 1..12 {
        let before = at - 1;
        source.push_str(&format!("func f{at}(n: i32) -> i32 {{ return f{before}(n) + f{before}(n / 2) }}\n"));
    }
    source.push_str("export func tree(n: i32) -> i32 { return f11(n) }\n");
    let mut vm = Vm::new(text(&source));
    let cases = [
        ("spin", 9, 1),
        ("turns", 9, 1),
        ("many", 9, 1),
        ("few", 9, 0),
        ("nested", 9, 1),
        ("call", 9, 0),
        ("still", 9, 0),
        ("down", 9, 1),
        ("down", 0, 0),
        ("inside", 9, 1),
        ("forth", 9, 1),
        ("tree", 9, 1),
    ];
    for (name, n, yields) in cases {
        vm.interrupt();
        vm.yields = 0;
        assert!(vm.eval(name, &[n]).is_ok(), "{name}");
        assert_eq!(vm.yields, yields, "{name}({n})");
    }
    assert_eq!(vm.eval("spin", &[1000]), Ok(1000));
}

#[test]
fn a_loop_looks_for_the_calls_inside_it_and_leaves_in_one_branch() {
    let module = text(
        "module looks
        export func inside(n: i32) -> i32 {
          var (x, left) = (0, n)
          loop { if left == 0 { break } left -= 1 x += inside(left) }
          return x + 1
        }
        export func both(n: i32) -> i32 {
          if n == 0 { return 1 }
          var (x, left) = (both(n - 1), n)
          loop { if left == 0 { break } left -= 1 x += 1 }
          return x
        }",
    );
    let verified = il::verify(module.clone()).unwrap();
    let shape = |name: &str| {
        let clif = compiler::clif(&verified, module.export(name).unwrap(), &options()).unwrap();
        (clif.matches(" cold:").count(), clif.matches(" jump ").count())
    };
    // Jumps: into the loop, back to its head, and from each look.
    assert_eq!(shape("inside"), (1, 3));
    assert_eq!(shape("both"), (2, 4));
    let mut vm = Vm::new(module.clone());
    assert_eq!(vm.eval("inside", &[5]), Ok(32));
    for name in ["inside", "both"] {
        vm.interrupt();
        vm.yields = 0;
        assert!(vm.eval(name, &[9]).is_ok());
        assert_eq!(vm.yields, 1);
    }
}
