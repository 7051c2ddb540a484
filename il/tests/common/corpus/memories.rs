//! What accesses memories and data segments; blocks, `select` and `exit`.

use super::super::{Code, code, device_module, func};
use super::world::SHAPE;
use super::{Corpus, append, mismatch};
use il::instr::{DecodeError, Instr};
use il::op::{EXTENDED, IN_MEMORY, Immediate, Op};
use il::verify::Violation;
use il::{Data, DataId, LocalId, Memory, MemoryId, Module, Type};

const I32: Type = Type::I32;
const BUF: Type = Type::Buf;

/// [`device_module`] with a second memory, and a data segment that lies nowhere.
fn two_memories() -> Module {
    let mut module = device_module();
    module.memories.push(Memory { min: 0, max: 1 });
    module.data.push(Data { place: None, bytes: b"segment".to_vec() });
    module
}

fn op_in(op: Op, memory: u32, from: u32) -> Instr<'static> {
    Instr::Op(op, Immediate { memory: MemoryId(memory), from: MemoryId(from), ..Immediate::default() })
}

fn missing(what: &'static str, index: u32, count: usize) -> Violation {
    Violation::NoSuch { what, index, count }
}

fn int() -> (Type, Code) {
    (I32, code().i32(1))
}

fn memories_exist(c: &mut Corpus) {
    for (memory, verdict) in [(0, true), (1, true), (2, false)] {
        let load = code().i32(0).put(op_in(Op::Load32, memory, 0)).discard();
        let copies = [(memory, 0), (0, memory)]
            .map(|(to, from)| code().i32(0).i32(0).i32(0).put(op_in(Op::MemoryCopy, to, from)));
        let init = code().i32(0).i32(0).i32(0).put(Instr::MemoryInit(DataId(0), MemoryId(memory)));
        for body in copies.into_iter().chain([load, init]) {
            let mut shape = c.shape_in(two_memories(), &[], &[], &[]);
            match verdict {
                true => shape.accepts(body),
                false => shape.refuses(body, missing("memory", memory, 2)),
            };
        }
    }
}

fn memories_are_named_where_they_are_accessed(c: &mut Corpus) {
    let code_of = |op: Op| match u8::try_from(op as u16) {
        Ok(short) => vec![short],
        Err(_) => vec![EXTENDED, (op as u16 - il::op::FIRST_EXTENDED) as u8],
    };
    let mut module = two_memories();
    // The first memory needs no name, and what accesses none has none.
    for (op, memory) in [(Op::MemorySize, 0), (Op::I32Add, 1)] {
        let mut body = code().i32(1).i32(1).bytes();
        body.extend([IN_MEMORY, memory]);
        body.extend(code_of(op));
        module.funcs = vec![func(&[], &[], &[], code())];
        module.funcs[0].body = body;
        c.refuses(module.clone(), Violation::Malformed(DecodeError::BadMemory));
    }
    let mut body = vec![IN_MEMORY, 1];
    body.extend(code_of(Op::MemorySize));
    body.extend(code().discard().bytes());
    module.funcs[0].body = body;
    c.accepts(module);
}

fn segments_are_copied_and_dropped(c: &mut Corpus) {
    let init = |data| code().put(Instr::MemoryInit(DataId(data), MemoryId(1)));
    let drop = |data| code().put(Instr::DataDrop(DataId(data)));
    c.shape_in(two_memories(), &[], &[], &[])
        .statement(&[int(), int(), int()], init(0))
        .statement(&[], drop(0))
        .refuses(append(code().i32(1).i32(1).i32(1), init(1)), missing("data segment", 1, 1))
        .refuses(drop(1), missing("data segment", 1, 1));
    let mut bare = two_memories();
    bare.memories.clear();
    c.shape_in(bare, &[], &[], &[])
        .refuses(append(code().i32(1).i32(1).i32(1), init(0)), Violation::NoMemory)
        .accepts(drop(0));
    c.shape_in(two_memories(), &[], &[], &[])
        .pure()
        .refuses(append(code().i32(1).i32(1).i32(1), init(0)), Violation::Impure("use the memory"))
        .refuses(drop(0), Violation::Impure("drop a data segment"));
}

fn buffers_and_memories(c: &mut Corpus) {
    let lent = || (Type::BufRef, code().get(0));
    c.world(&[BUF], &[], &[])
        .tree(&[int(), int()], op_in(Op::BufAt, 0, 0), BUF)
        .statement(&[int(), lent(), int(), int()], code().op(Op::MemoryWrite))
        .statement(&[lent(), int(), int(), int()], code().op(Op::BufWrite))
        .pure()
        .refuses(code().i32(0).i32(1).op(Op::BufAt).discard(), Violation::Impure("use the memory"));
}

fn select_chooses_of_two(c: &mut Corpus) {
    let condition = || (Type::Bool, code().yes());
    c.world(&[], &[], &[]).tree(&[int(), int(), condition()], Instr::Select(I32), I32);
    let any = Type::OptAny;
    let select = |ty| code().get(0).get(0).yes().put(Instr::Select(ty)).discard();
    c.world(&[Type::Ref(SHAPE)], &[], &[])
        .accepts(select(any))
        .accepts(select(Type::Ref(SHAPE)))
        .refuses(select(Type::Ref(il::TypeId(99))), missing("type", 99, 17));
    c.world(&[any], &[], &[]).refuses(select(Type::Ref(SHAPE)), mismatch(Type::Ref(SHAPE), any));
    for ty in [BUF, Type::OptBuf, Type::BufRef] {
        let place = "`select`";
        c.world(&[], &[], &[]).refuses(select_of(ty), Violation::TypeNotAllowed { place, ty });
    }
    // A value is a level higher than what it is made of.
    let deep = |depth: usize| (0..depth).fold(code().i32(1), |body, _| body.i32(1).yes().put(Instr::Select(I32)));
    let limit = il::limits::EXPRESSION_DEPTH;
    let over = Violation::Limit { what: "operators inside one another", count: limit + 1, limit };
    c.world(&[], &[], &[]).accepts(deep(limit).discard()).refuses(deep(limit + 1).discard(), over);
}

fn select_of(ty: Type) -> Code {
    let value = || code().i32(1).op(Op::BufNew);
    append(append(value(), value()).yes(), code().put(Instr::Select(ty)))
}

fn exit_ends(c: &mut Corpus) {
    c.world(&[], &[I32], &[])
        .statement(&[int()], code().put(Instr::Exit))
        .refuses(code().i32(1).put(Instr::Exit).i32(1).ret(), Violation::AfterTerminator)
        .pure()
        .refuses(code().i32(1).put(Instr::Exit), Violation::Impure("end the VM"));
}

/// `block BODY end`
fn block(body: Code) -> Code {
    append(code().put(Instr::Block), body).end()
}

fn if_then(body: Code) -> Code {
    append(code().yes().put(Instr::If), body).end()
}

fn blocks_are_left(c: &mut Corpus) {
    let leave = |depth| code().put(Instr::Break(depth));
    let again = |depth| code().put(Instr::Continue(depth));
    c.shape(&[], &[], &[])
        .accepts(block(code()))
        .accepts(block(leave(0)))
        .accepts(block(append(block(leave(1)), code())))
        .refuses(block(leave(1)), Violation::NoLoop { depth: 1, loops: 1 })
        .refuses(leave(0), Violation::NoLoop { depth: 0, loops: 0 })
        .refuses(append(block(code()), leave(0)), Violation::NoLoop { depth: 0, loops: 0 })
        .refuses(block(again(0)), Violation::RepeatsBlock(0))
        .refuses(append(code().put(Instr::Loop), block(again(0))).end(), Violation::RepeatsBlock(0))
        .accepts(append(code().put(Instr::Loop), block(again(1))).end())
        .refuses(block(code().i32(1)), Violation::LeftOver(1))
        .refuses(append(code().i32(1), block(code())), Violation::LeftOver(1))
        .refuses(append(code().i32(1), block(code().discard())), Violation::LeftOver(1))
        .refuses(append(code().put(Instr::While), block(code())), Violation::StatementInTree)
        .refuses(code().put(Instr::Block), Violation::Unfinished)
        .refuses(block(code()).end(), Violation::Misplaced("end"))
        .refuses(code().put(Instr::Block).put(Instr::Else), Violation::Misplaced("else"));
}

fn blocks_join_what_is_available(c: &mut Corpus) {
    let leave = || code().put(Instr::Break(0));
    let set = || code().i32(1).set(0);
    let read = |body: Code| append(body, code().get(0)).discard();
    let unset = Violation::Unset(LocalId(0));
    c.shape(&[], &[], &[I32])
        // At the end, or at every way out.
        .accepts(read(block(set())))
        .accepts(read(block(append(set(), leave()))))
        .accepts(read(block(append(append(set(), if_then(leave())), code()))))
        .accepts(read(block(append(append(if_then(append(set(), leave())), set()), code()))))
        .refuses(read(block(append(if_then(leave()), set()))), unset.clone())
        .refuses(read(block(if_then(append(set(), leave())))), unset)
        // Neither is reached.
        .refuses(read(block(append(set(), code().put(Instr::WaitForever)))).put(Instr::Block), Violation::Unfinished);
    let gone = Violation::Moved(LocalId(0));
    let moved = || code().take(0).discard();
    c.shape(&[BUF], &[], &[])
        .accepts(append(block(append(if_then(leave()), code())), moved()))
        .refuses(append(block(if_then(append(moved(), leave()))), moved()), gone.clone())
        .refuses(append(block(append(if_then(leave()), moved())), moved()), gone);
    c.shape(&[], &[I32], &[])
        .accepts(block(code().i32(1).ret()))
        .refuses(block(append(if_then(leave()), code().i32(1).ret())), Violation::MissingReturn)
        .refuses(append(block(code().i32(1).ret()), code().i32(1).ret()), Violation::AfterTerminator);
}

/// All of them.
pub fn all(c: &mut Corpus) {
    memories_exist(c);
    memories_are_named_where_they_are_accessed(c);
    segments_are_copied_and_dropped(c);
    buffers_and_memories(c);
    select_chooses_of_two(c);
    exit_ends(c);
    blocks_are_left(c);
    blocks_join_what_is_available(c);
}
