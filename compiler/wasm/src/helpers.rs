//! Functions in the IL that tables need, and memories with wide addresses: what WebAssembly does in one operator, and the
//! IL in several. A module has those that it uses.

use alloc::vec;
use alloc::vec::Vec;

use il::instr::{Instr, Writer};
use il::op::{Immediate, Op};
use il::{Func, LocalId, Signature, Type, TypeId};

/// Which function: an operator on tables, or what makes 32 bits of 64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Helper {
    /// `(to, from, count, table, segment)`
    Init,
    /// `(to, from, count, table, other)`
    Copy,
    /// `(at, value, count, table)`
    Fill,
    /// `(value, count, table, most) -> (table, its old size or -1)`
    Grow,
    /// `(address) -> address`: traps, as an access out of bounds does, if it has more than 32 bits.
    Address,
    /// `(number) -> number`: the largest one, unsigned, if it has more than 32 bits.
    Saturate,
}

impl Helper {
    /// All of them.
    pub const COUNT: usize = 6;

    /// What faults call it.
    pub fn name(self) -> &'static str {
        match self {
            Helper::Init => "table.init",
            Helper::Copy => "table.copy",
            Helper::Fill => "table.fill",
            Helper::Grow => "table.grow",
            Helper::Address => "address",
            Helper::Saturate => "index",
        }
    }

    /// Writes it, for tables and segments of these types.
    pub fn func(self, table: TypeId, segment: TypeId) -> Func {
        let (int, table_ref, segment_ref) = (Type::I32, Type::Ref(table), Type::Ref(segment));
        let mut code = Code::new(table);
        let (params, results, locals) = match self {
            Helper::Init => {
                code.init(segment);
                (vec![int, int, int, table_ref, segment_ref], vec![], vec![int])
            }
            Helper::Copy => {
                code.copy();
                (vec![int, int, int, table_ref, table_ref], vec![], vec![int])
            }
            Helper::Fill => {
                code.fill();
                (vec![int, Type::OptAny, int, table_ref], vec![], vec![int])
            }
            Helper::Grow => {
                code.grow();
                (vec![Type::OptAny, int, table_ref, int], vec![table_ref, int], vec![int, int, table_ref])
            }
            Helper::Address => {
                code.address();
                (vec![Type::I64], vec![int], vec![])
            }
            Helper::Saturate => {
                code.saturate();
                (vec![Type::I64], vec![int], vec![])
            }
        };
        Func { sig: Signature { params, results }, pure: false, locals, body: code.finish() }
    }
}

/// A function being written that works on arrays.
pub(crate) struct Code {
    writer: Writer,
    table: TypeId,
}

impl Code {
    /// `table`: the type of the arrays that [`Code::each`] assigns to.
    pub fn new(table: TypeId) -> Code {
        Code { writer: Writer::default(), table }
    }

    /// The body.
    pub fn finish(self) -> Vec<u8> {
        self.writer.bytes
    }

    pub fn push(&mut self, instr: Instr<'_>) {
        self.writer.push(instr);
    }

    pub fn op(&mut self, op: Op) {
        self.push(Instr::Op(op, Immediate::default()));
    }

    pub fn get(&mut self, local: u32) {
        self.push(Instr::Get(LocalId(local)));
    }

    pub fn set(&mut self, local: u32) {
        self.writer.set_one(LocalId(local));
    }

    /// Forgets a value.
    pub fn discard(&mut self) {
        self.writer.set(&[None]);
    }

    pub fn int(&mut self, value: i32) {
        self.push(Instr::I32Const(value));
    }

    /// Zero of a number's type.
    pub fn zero(&mut self, ty: Type) {
        match ty {
            Type::I64 => self.push(Instr::I64Const(0)),
            Type::F32 => self.push(Instr::F32Const(0)),
            Type::F64 => self.push(Instr::F64Const(0)),
            Type::V128 => crate::body::vector(&mut self.writer, 0),
            _ => self.int(0),
        }
    }

    /// Traps if an array has no such range, as reading beyond its end does.
    pub fn check(&mut self, array: u32, ty: TypeId, start: u32, count: u32) {
        for local in [start, count] {
            self.get(local);
            self.op(Op::I64FromI32U);
        }
        self.op(Op::I64Add);
        self.get(array);
        self.push(Instr::ArrayLen);
        self.op(Op::I64FromI32U);
        self.op(Op::I64GtS);
        self.push(Instr::If);
        self.get(array);
        self.int(-1);
        self.push(Instr::ArrayGet(ty));
        self.writer.set(&[None]);
        self.push(Instr::End);
    }

    /// `a + b`
    pub fn sum(&mut self, a: u32, b: u32) {
        self.get(a);
        self.get(b);
        self.op(Op::I32Add);
    }

    /// `for at in 0..count { to[start + at] = value }`
    pub fn each(&mut self, at: u32, count: u32, to: u32, start: u32, value: impl FnOnce(&mut Self)) {
        self.int(0);
        self.get(count);
        self.push(Instr::For(LocalId(at)));
        self.get(to);
        self.sum(start, at);
        value(self);
        self.push(Instr::ArraySet(self.table));
        self.push(Instr::End);
    }

    /// Whether the first parameter has more than 32 bits.
    fn is_far(&mut self) {
        self.get(0);
        self.push(Instr::I64Const(0xffff_ffff));
        self.op(Op::I64GtU);
    }

    fn address(&mut self) {
        self.is_far();
        self.push(Instr::If);
        // No memory has this byte.
        self.int(-1);
        self.push(Instr::Op(Op::Load8U, Immediate { offset: u32::MAX, ..Immediate::default() }));
        self.writer.set(&[None]);
        self.push(Instr::End);
        self.get(0);
        self.op(Op::I32FromI64);
        self.push(Instr::Return);
    }

    fn saturate(&mut self) {
        self.int(-1);
        self.get(0);
        self.op(Op::I32FromI64);
        self.is_far();
        self.push(Instr::Select(Type::I32));
        self.push(Instr::Return);
    }

    fn init(&mut self, segment: TypeId) {
        self.check(4, segment, 1, 2);
        self.check(3, self.table, 0, 2);
        self.each(5, 2, 3, 0, |code| {
            code.get(4);
            code.sum(1, 5);
            code.push(Instr::ArrayGet(segment));
        });
    }

    fn copy(&mut self) {
        let table = self.table;
        self.check(4, table, 1, 2);
        self.check(3, table, 0, 2);
        self.get(0);
        self.get(1);
        self.op(Op::I32LeU);
        self.push(Instr::If);
        self.each(5, 2, 3, 0, |code| {
            code.get(4);
            code.sum(1, 5);
            code.push(Instr::ArrayGet(table));
        });
        // Else from the end, so that nothing is overwritten before it is read.
        self.push(Instr::Else);
        self.push(Instr::While);
        self.get(2);
        self.int(0);
        self.op(Op::I32Ne);
        self.push(Instr::Test);
        self.get(2);
        self.int(1);
        self.op(Op::I32Sub);
        self.set(2);
        self.get(3);
        self.sum(0, 2);
        self.get(4);
        self.sum(1, 2);
        self.push(Instr::ArrayGet(table));
        self.push(Instr::ArraySet(table));
        self.push(Instr::End);
        self.push(Instr::End);
    }

    fn fill(&mut self) {
        self.check(3, self.table, 0, 2);
        self.each(4, 2, 3, 0, |code| code.get(1));
    }

    fn grow(&mut self) {
        let (value, count, table, most, old, at, new) = (0, 1, 2, 3, 4, 5, 6);
        self.get(table);
        self.push(Instr::ArrayLen);
        self.set(old);
        // The table has at most `most` elements, so the difference is none below zero.
        self.get(count);
        self.get(most);
        self.get(old);
        self.op(Op::I32Sub);
        self.op(Op::I32GtU);
        self.push(Instr::If);
        self.get(table);
        self.int(-1);
        self.push(Instr::Return);
        self.push(Instr::End);
        self.get(count);
        self.int(0);
        self.op(Op::I32Eq);
        self.push(Instr::If);
        self.get(table);
        self.get(old);
        self.push(Instr::Return);
        self.push(Instr::End);
        self.sum(old, count);
        self.get(value);
        self.push(Instr::ArrayNew(self.table));
        self.set(new);
        self.int(0);
        self.get(old);
        self.push(Instr::For(LocalId(at)));
        self.get(new);
        self.get(at);
        self.get(table);
        self.get(at);
        self.push(Instr::ArrayGet(self.table));
        self.push(Instr::ArraySet(self.table));
        self.push(Instr::End);
        self.get(new);
        self.get(old);
        self.push(Instr::Return);
    }
}
