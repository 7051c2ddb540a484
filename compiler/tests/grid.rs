//! Instructions on a lent grid: compiled to stores and loads, they do what the instruction does, edges included.

mod support;

use compiler::abi::{Exit, OWN_SLOT};
use il::trap::Status;
use il::{Module, ProgramId, program};
use support::{End, Vm, all_options};

/// The closed program of a text that has one.
fn closed(source: &str) -> Module {
    let module = il::text::compile("grid.il", source, isa::ALL).unwrap_or_else(|found| panic!("{found}"));
    program::extract(&il::verify(module).unwrap(), ProgramId(0)).unwrap()
}

/// It, compiled with every set of options.
#[allow(clippy::vec_box)] // code knows where a `Vm` lies
fn machines(source: &str) -> Vec<Box<Vm>> {
    all_options().iter().map(|options| Vm::on_grid(closed(source), options, isa::display::GRID)).collect()
}

/// Runs it on a grid of 5 x 3 cells, each its own number; the cells afterwards.
fn run(vm: &mut Vm, args: &[u64]) -> (End, Vec<u32>) {
    let mut cells: Vec<u32> = (0..15).collect();
    vm.lend(&mut cells, 5);
    let func = vm.module.programs[0].func;
    (vm.enter(func, args), cells)
}

#[test]
fn size_store_and_load_leave_the_vm_in_no_way() {
    let source = "program p on cascade.display@1 (a: i32) -> (w: i32, h: i32, seen: i32) {
        let (w, h) = size()
        set_pixel(4, 2, a)
        set_pixel(0, 0, -1)
        return (w, h, get_pixel(1, 2) + get_pixel(4, 2))
    }";
    for mut vm in machines(source) {
        let (end, cells) = run(&mut vm, &[0xff12_3456]);
        assert_eq!(end, End::Done);
        assert_eq!([0, 1, 2].map(|at| vm.value(at)), [5, 3, 0x12_3456 + 11]);
        assert_eq!(
            (cells[14], cells[0], cells[1], cells[13]),
            (0x12_3456, 0xff_ffff, 1, 13),
            "the top byte is ignored"
        );
        assert!(vm.elsewhere.is_empty(), "no exit");
    }
}

const EDGES: [i32; 9] = [i32::MIN, -1, 0, 2, 3, 4, 5, 0x4000_0000, i32::MAX];

/// Each place of the edges as arguments, and its cell if there is one.
fn places() -> impl Iterator<Item = ([u64; 2], Option<usize>)> {
    EDGES.into_iter().flat_map(|x| EDGES.map(|y| (x, y))).map(|(x, y)| {
        let cell = ((0..5).contains(&x) && (0..3).contains(&y)).then(|| (y * 5 + x) as usize);
        ([x, y].map(|side| u64::from(side as u32)), cell)
    })
}

#[test]
fn what_lies_outside_is_not_stored() {
    for mut vm in machines("program p on cascade.display@1 (x: i32, y: i32) { set_pixel(x, y, 0x7777) }") {
        for (place, cell) in places() {
            let mut expected: Vec<u32> = (0..15).collect();
            if let Some(cell) = cell {
                expected[cell] = 0x7777;
            }
            assert_eq!(run(&mut vm, &place), (End::Done, expected), "{place:?}");
        }
    }
}

#[test]
fn loads_outside_fail_as_the_instruction_does() {
    let status = Status::OutOfRange as u64;
    let plain = "program p on cascade.display@1 (x: i32, y: i32) -> (c: i32) { return get_pixel(x, y) }";
    for mut vm in machines(plain) {
        for (place, cell) in places() {
            match (run(&mut vm, &place).0, cell) {
                (End::Done, Some(cell)) => assert_eq!(vm.value(0), cell as u64),
                (end, None) => assert_eq!(end, End::Device { slot: OWN_SLOT, opcode: 9, status }, "{place:?}"),
                (end, cell) => panic!("{place:?}: {end:?}, {cell:?}"),
            }
        }
    }
    let caught = "program p on cascade.display@1 (x: i32, y: i32) -> (s: i32, c: i32) {
        let (s, c) = try get_pixel(x, y)
        return (s, c)
    }";
    for mut vm in machines(caught) {
        for (place, cell) in places() {
            assert_eq!(run(&mut vm, &place).0, End::Done);
            let expected = cell.map_or((status, 0), |cell| (0, cell as u64));
            assert_eq!((vm.value(0), vm.value(1)), expected, "{place:?}");
        }
    }
}

#[test]
fn what_is_not_granted_or_does_not_fit_stays_an_instruction() {
    let source = "program p on cascade.display@1 () { set_pixel(1, 1, 7)  set_pixel(2, 2, 8) }";
    let other = [il::isa::GridInstruction { opcode: 3, meaning: il::isa::GridMeaning::Load }];
    for grid in [&[][..], &isa::display::GRID[..1], &other[..]] {
        let mut vm = Vm::on_grid(closed(source), &support::options(), grid);
        let mut cells = vec![0; 9];
        vm.lend(&mut cells, 3);
        let func = vm.module.programs[0].func;
        assert_eq!(vm.enter(func, &[]), End::Done);
        assert_eq!(cells, [0; 9]);
        let exits: Vec<_> =
            vm.elsewhere.iter().map(|(exit, args, values)| (*exit, *args, values[..3].to_vec())).collect();
        assert_eq!(exits, [(Exit::Own, [0, 3], vec![1, 1, 7]), (Exit::Own, [0, 3], vec![2, 2, 8])]);
    }
    // A module that is no closed program is compiled as ever.
    let whole = format!("use display: cascade.display@1 {source} export func main() {{ display.run(p) }}");
    let module = il::text::compile("grid.il", &whole, isa::ALL).unwrap();
    let mut vm = Vm::on_grid(module, &support::options(), isa::display::GRID);
    let func = vm.module.programs[0].func;
    assert_eq!(vm.enter(func, &[]), End::Done);
    assert_eq!(vm.elsewhere.len(), 2);
}

#[test]
fn references_live_across_what_does_not_leave() {
    let source = "pure func written(n: i32) -> str { return concat(\"n\", str(n)) }
    program p on cascade.display@1 (n: i32) -> (length: i32) {
        let before = written(n)
        let (w, h) = size()
        for x in 0..w { set_pixel(x, 0, get_pixel(x, 1)) }
        let after = written(h)
        return len(before) * 10 + len(after)
    }";
    for mut vm in machines(source) {
        let (end, cells) = run(&mut vm, &[12345]);
        assert_eq!((end, vm.value(0)), (End::Done, 62));
        assert_eq!(cells[..5], [5, 6, 7, 8, 9]);
    }
}
