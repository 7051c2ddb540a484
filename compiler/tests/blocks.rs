//! Blocks that `break` leaves, `select`, `exit`.

mod support;

use il::instr::{Instr, Writer};
use il::op::Op;
use il::{LocalId, Type, limits};
use support::build::{Build, get, op};
use support::{End, Vm, all_options, text};

#[test]
fn blocks_are_left_where_they_end() {
    let module = text(
        "module blocks
        export func find(wanted: i32) -> i32 {
          var at = -1
          'found: {
            for i in 0..100 { if i * i == wanted { at = i break 'found } }
            at = -2
          }
          return at
        }
        export func nested(n: i32) -> i32 {
          var sum = 0
          'all: loop {
            'turn: {
              sum += 1
              if sum > n { break }
              if sum == 3 { break 'turn }
              if sum == 15 { continue }
              if sum == 100 { break 'all }
              continue 'all
            }
            sum += 10
          }
          return sum
        }
        export func turned(n: i32) -> i32 {
          var x = n
          'out: {
            while x > 0 {
              'in: { if x % 2 == 0 { break 'in } if x == 7 { break 'out } x -= 1 }
              x = x / 2
            }
            x = -1
          }
          return x
        }
        export func ended(n: i32) -> i32 {
          'a: { 'b: { if n == 0 { break 'b } if n == 1 { break 'a } return 2 } return 0 }
          return 1
        }
        export func unreachable(n: i32) -> i32 {
          'out: { 'never: { if n == 0 { return 5 } break 'out } }
          return 6
        }
        ",
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        let mut int = |name: &str, arg: i32| vm.eval(name, &[u64::from(arg as u32)]).unwrap() as i32;
        assert_eq!([16, 17, 0].map(|n| int("find", n)), [4, -2, 0]);
        assert_eq!([2, 20, 1000].map(|n| int("nested", n)), [3, 21, 100]);
        assert_eq!([7, 14, 6, 1].map(|n| int("turned", n)), [7, 7, -1, -1]);
        assert_eq!([0, 1, 2].map(|n| int("ended", n)), [0, 1, 2]);
        assert_eq!([0, 1].map(|n| int("unreachable", n)), [5, 6]);
    }
}

/// What a block owns is freed once, whichever way it is left, and objects that live across it stay found.
#[test]
fn a_block_leaves_nothing_behind() {
    let module = text(
        r#"module owned
        export func bufs(n: i32) -> i32 {
          var seen = 0
          for turn in 0..4 {
            'out: {
              let a = buf(n)
              if turn == 0 { break 'out }
              let b = buf(n + 1)
              if turn == 1 { break 'out }
              let c = a
              seen += len(c)
              if turn == 2 { continue }
              seen += len(b)
            }
            seen += 100
          }
          return seen
        }
        export func objects(n: i32) -> str {
          var s = "a"
          let kept = concat("k", str(n))
          'out: {
            s = concat(s, str(n))
            if n == 1 { break 'out }
            'in: {
              let inner = concat(s, "i")
              if n == 2 { break 'in }
              s = concat(inner, inner)
              break 'out
            }
            s = concat(s, "in")
          }
          return concat(s, kept)
        }
        "#,
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        assert_eq!(vm.eval("bufs", &[8]), Ok(8 + 8 + 9 + 300));
        let texts = ["a0ia0ik0", "a1k1", "a2ink2"];
        for (n, expected) in texts.iter().enumerate() {
            let address = vm.eval("objects", &[n as u64]).unwrap();
            assert_eq!(vm.text(address), *expected);
        }
        assert_eq!(vm.alive(), (0, 0));
    }
}

/// Nearly as many blocks inside one another as there may be constructs; after each, one is counted.
#[test]
fn blocks_may_be_nested_deep() {
    let depth = limits::NESTING as u32 - 2;
    let mut body = Writer::default();
    (0..depth).for_each(|_| body.push(Instr::Block));
    body.push(get(0));
    body.push(Instr::Switch);
    for arm in [0, depth / 2] {
        body.arm(&[i64::from(arm)]);
        body.push(Instr::Break(arm));
    }
    body.push(Instr::Default);
    body.push(Instr::Break(depth - 1));
    body.push(Instr::End);
    for _ in 0..depth {
        body.push(Instr::End);
        body.push(get(1));
        body.push(Instr::I32Const(1));
        body.push(op(Op::I32Add));
        body.set(&[Some(LocalId(1))]);
    }
    body.push(get(1));
    body.push(Instr::Return);
    let mut build = Build::new();
    build.func_bytes("f", &[Type::I32; 2], &[Type::I32], &[], body.bytes);
    let mut vm = Vm::new(build.module);
    for (arm, counted) in [(0, depth), (depth / 2, depth - depth / 2), (9999, 1)] {
        assert_eq!(vm.eval("f", &[u64::from(arm), 0]), Ok(u64::from(counted)));
    }
}

#[test]
fn select_takes_one_of_two() {
    let module = text(
        r#"module chosen
        struct Shape { x: i32 }
        struct Circle: Shape { r: i32 }
        export func ints(a: i32, b: i32, yes: bool) -> i32 { return select(a, b, yes) }
        export func compared(a: i64, b: i64) -> i64 { return select(a, b, a > b) }
        export func floats(a: f64, b: f64, yes: bool) -> f64 { return select(a + 0.0, b * 1.0, yes) }
        export func singles(a: f32, b: f32, yes: bool) -> f32 { return select(a, b + f32(0.0), yes) }
        export func vectors(a: v128, b: v128, yes: bool) -> v128 { return select(f32x4.add(a, b), b, yes) }
        export func bools(a: bool, b: bool, c: bool) -> bool { return select(a, !b, !c) }
        export func texts(n: i32) -> str { return concat(select(concat("a", str(n)), concat("b", str(n)), n > 3), "!") }
        export func shapes(n: i32) -> i32 {
          let c = new Circle { x: 1, r: 2 }
          let none: ?Shape = null
          if let s = select(c, none, n > 3) as Circle { return s.r + n }
          return 0
        }
        "#,
    );
    for options in all_options().into_iter().filter(|options| options.cpu.sse41) {
        let mut vm = Vm::with(module.clone(), &options);
        assert_eq!([1, 0].map(|yes| vm.eval("ints", &[7, 8, yes]).unwrap()), [7, 8]);
        assert_eq!([(3, 2), (2, 3)].map(|(a, b)| vm.eval("compared", &[a, b]).unwrap()), [3, 3]);
        let floats = [2.5f64.to_bits(), 0x7ff8_0000_0000_1234];
        assert_eq!(vm.eval("floats", &[floats[0], floats[1], 1]), Ok(floats[0]));
        assert_eq!(vm.eval("floats", &[floats[0], floats[1], 0]), Ok(0x7ff8_0000_0000_0000), "a NaN is settled");
        assert_eq!(
            vm.eval("singles", &[0x7fc0_1234, 0, 1]),
            Ok(0x7fc0_1234),
            "one that was not computed keeps its bits"
        );
        assert_eq!(vm.eval("singles", &[0, 0x7fc0_1234, 0]), Ok(0x7fc0_0000));
        let (one, two) = (u64::from(1f32.to_bits()), u64::from(2f32.to_bits()));
        for (yes, low) in [(1, u64::from(3f32.to_bits())), (0, two)] {
            assert_eq!(vm.run("vectors", &[one, 5, two, 0, yes]), End::Done);
            assert_eq!(vm.value(0), low);
        }
        let bools = [(1, 0, 0), (0, 0, 0), (1, 0, 1), (0, 1, 1)];
        assert_eq!(bools.map(|(a, b, c)| vm.eval("bools", &[a, b, c]).unwrap()), [1, 0, 1, 0]);
        for (n, expected) in [(3, "b3!"), (4, "a4!")] {
            let address = vm.eval("texts", &[n]).unwrap();
            assert_eq!(vm.text(address), expected);
        }
        assert_eq!([3, 4].map(|n| vm.eval("shapes", &[n]).unwrap()), [0, 6]);
    }
}

#[test]
fn exit_ends_the_vm_wherever_it_stands() {
    let module = text(
        "module ends
        global mut seen = 0
        func deep(n: i32) -> i32 { if n == 0 { exit(-3) } let b = buf(n) return deep(n - 1) + len(b) }
        export func at(n: i32) -> i32 {
          seen = 1
          if n > 100 { exit(n) }
          let value = match n { 0 => 10  1 => exit(11)  _ => deep(n) }
          seen = 2
          return value
        }
        ",
    );
    for options in all_options() {
        let mut vm = Vm::with(module.clone(), &options);
        for (n, code) in [(300, 300), (1, 11), (5, -3)] {
            assert_eq!(vm.run("at", &[n]), End::Quit(code));
            assert_eq!(vm.global(0), 1);
        }
        assert_eq!(vm.eval("at", &[0]), Ok(10));
        assert_eq!(vm.global(0), 2);
    }
}

/// Functions of more parameters and results than there are registers, called each way.
#[test]
fn wide_signatures_keep_their_values() {
    let types: Vec<Type> =
        (0..limits::RESULTS).map(|at| [Type::I32, Type::I64, Type::F64, Type::F32][at % 4]).collect();
    let mut build = Build::new();
    let mut turned: Vec<Instr> = (0..types.len() as u32).map(get).collect();
    turned.push(Instr::Return);
    let pass = build.func("pass", &types, &types, &[], &turned);
    let mut tail: Vec<Instr> = (0..types.len() as u32).map(get).collect();
    tail.push(Instr::ReturnCall(pass));
    let by_tail = build.func("tail", &types, &types, &[], &tail);
    build.module.exports.clear();
    let mut body = Writer::default();
    body.push(Instr::I64Const(0));
    body.set(&[Some(LocalId(types.len() as u32 + 1))]);
    for (at, ty) in types.iter().enumerate() {
        body.push(match ty {
            Type::I32 => Instr::I32Const(at as i32),
            Type::I64 => Instr::I64Const(at as i64),
            Type::F32 => Instr::F32Const((at as f32).to_bits()),
            _ => Instr::F64Const((at as f64).to_bits()),
        });
    }
    let dests: Vec<_> = (0..types.len() as u32).map(|at| Some(LocalId(at + 1))).collect();
    body.call_set(by_tail, &dests);
    let total = types.len() as u32 + 1;
    for (at, ty) in types.iter().enumerate() {
        body.push(get(total));
        body.push(get(at as u32 + 1));
        match ty {
            Type::I32 => body.push(op(Op::I64FromI32S)),
            Type::I64 => {}
            Type::F32 => body.push(op(Op::I64FromF32S)),
            _ => body.push(op(Op::I64FromF64S)),
        }
        body.push(op(Op::I64Add));
        body.set(&[Some(LocalId(total))]);
    }
    body.push(get(total));
    body.push(Instr::Return);
    let locals = [&types[..], &[Type::I64]].concat();
    build.func_bytes("sum", &[Type::I32], &[Type::I64], &locals, body.bytes);
    for options in all_options() {
        let mut vm = Vm::with(build.module.clone(), &options);
        let count = types.len() as u64;
        assert_eq!(vm.eval("sum", &[0]), Ok(count * (count - 1) / 2));
    }
}
