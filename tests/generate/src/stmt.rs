//! Statements, and whole functions.

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{DataId, FieldId, GlobalId, LocalId, MemoryId, StrId, Type, TypeId};

use crate::body::{Body, Loop, join};
use crate::world::{DROPPED, KEPT, PLACED, Role, SEGMENT};

impl Body<'_> {
    /// The whole body.
    pub fn function(&mut self) {
        if self.is_pure() {
            if self.id == self.world.join() {
                return self.join_body();
            }
        } else {
            self.spend_fuel();
        }
        let count = 2 + self.random.below(self.config.statements);
        self.block(count);
        if self.flow.is_some() {
            self.digest_locals();
        }
        if self.flow.is_some() && self.plan.role == Role::Main && self.random.percent(30) {
            let wait = if self.random.percent(30) { Instr::WaitForever } else { Instr::Wait };
            self.push(wait);
        }
        if self.flow.is_some() && (!self.plan.sig.results.is_empty() || self.random.percent(50)) {
            self.finish(2);
        }
    }

    /// `if long {{ return a }} return concat(a, b)`
    fn join_body(&mut self) {
        let (a, b) = (LocalId(0), LocalId(1));
        for local in [a, b] {
            self.push(Instr::Get(local));
            self.op(Op::StrLen);
        }
        self.op(Op::I32Add);
        self.i32(200);
        self.op(Op::I32GtS);
        self.push(Instr::If);
        self.push(Instr::Get(a));
        self.push(Instr::Return);
        self.push(Instr::End);
        self.push(Instr::Get(a));
        self.push(Instr::Get(b));
        self.op(Op::StrConcat);
        self.push(Instr::Return);
        self.leave();
    }

    /// `if fuel <= 0 {{ return .. }} fuel -= 1`
    fn spend_fuel(&mut self) {
        let fuel = self.world.fuel;
        self.push(Instr::GlobalGet(fuel));
        self.i32(0);
        self.op(Op::I32LeS);
        self.push(Instr::If);
        let results = self.plan.sig.results.clone();
        results.iter().for_each(|ty| self.constant(*ty));
        self.push(Instr::Return);
        self.push(Instr::End);
        self.burn();
    }

    fn burn(&mut self) {
        self.push(Instr::GlobalGet(self.world.fuel));
        self.i32(1);
        self.op(Op::I32Sub);
        self.push(Instr::GlobalSet(self.world.fuel));
    }

    /// Leaves the function: with its results, or in favour of another one.
    fn finish(&mut self, depth: usize) {
        if self.plan.role == Role::Op && self.random.percent(25) && self.forward(depth) {
            return;
        }
        if self.random.percent(12) && self.config.tail_calls && self.return_call(depth) {
            return;
        }
        let results = self.plan.sig.results.clone();
        results.iter().for_each(|ty| self.expr(*ty, depth));
        self.push(Instr::Return);
        self.leave();
    }

    fn return_call(&mut self, depth: usize) -> bool {
        let world = self.world;
        if matches!(self.plan.role, Role::Op | Role::Main | Role::Handler | Role::Program) {
            return false;
        }
        let results = &world.plans[self.id.index()].sig.results;
        let same = |found: &[Type]| {
            found.len() == results.len() && found.iter().zip(results).all(|(sub, sup)| world.subtype(*sub, *sup))
        };
        // A `buf` lent to the callee would have to outlive this function.
        let lends = |params: &[Type]| params.contains(&Type::BufRef);
        if self.random.percent(40)
            && let Some(id) = self.pick_func_type(same)
            && let Some(sig) = world.hierarchy.func(id)
            && !lends(&sig.params)
        {
            let lent = self.lend(&sig.params);
            self.expr(Type::Ref(id), depth);
            self.args(&sig.params, &lent, depth);
            self.push(Instr::ReturnCallRef(id));
            self.passed(lent);
            self.leave();
            return true;
        }
        let mut fitting = self.callable(same);
        fitting.retain(|func| !lends(&world.plans[func.index()].sig.params));
        let Some(func) = self.random.pick(&fitting) else { return false };
        let params = &world.plans[func.index()].sig.params;
        let lent = self.lend(params);
        self.args(params, &lent, depth);
        self.push(Instr::ReturnCall(func));
        self.passed(lent);
        self.leave();
        true
    }

    /// Folds what the locals hold into the digest, so that it can be seen from outside.
    fn digest_locals(&mut self) {
        if self.is_pure() {
            return;
        }
        let locals = self.locals_where(|ty| self.has_word(ty));
        for local in locals.into_iter().rev().take(6) {
            let digest = self.world.digest;
            self.push(Instr::GlobalGet(digest));
            self.out.push(Instr::I64Const(7));
            self.op(Op::I64Rotl);
            self.push(Instr::Get(local));
            self.word_of(self.locals[local.index()]);
            self.op(Op::I64Xor);
            self.push(Instr::GlobalSet(digest));
        }
    }

    /// Turns the value on the stack into an `i64` that depends on it.
    fn word_of(&mut self, ty: Type) {
        match ty {
            Type::I64 => {}
            Type::I32 => self.op(Op::I64FromI32S),
            Type::F64 => self.op(Op::I64Bits),
            Type::F32 => {
                self.op(Op::I32Bits);
                self.op(Op::I64FromI32S);
            }
            Type::Bool => {
                self.op(Op::I32FromBool);
                self.op(Op::I64FromI32S);
            }
            Type::V128 => {
                let lane = self.random.below(2) as u8;
                self.push(Instr::Op(Op::I64x2ExtractLane, Immediate { lane, ..Immediate::default() }));
            }
            Type::Str | Type::Buf | Type::BufRef => {
                self.op(if ty == Type::Str { Op::StrLen } else { Op::BufLen });
                self.op(Op::I64FromI32S);
            }
            Type::Ref(id) if self.world.hierarchy.array(id).is_some() => {
                self.push(Instr::ArrayLen);
                self.op(Op::I64FromI32S);
            }
            // Whether it is a string is what can be said of any of these.
            Type::Any | Type::OptAny | Type::OptStr | Type::OptBuf | Type::Ref(_) | Type::Opt(_) => {
                self.push(Instr::Is(Type::Str));
                self.op(Op::I32FromBool);
                self.op(Op::I64FromI32S);
            }
        }
    }

    fn has_word(&self, ty: Type) -> bool {
        let is_array = matches!(ty, Type::Ref(id) if self.world.hierarchy.array(id).is_some());
        ty.is_number() || matches!(ty, Type::Str | Type::Buf | Type::BufRef) || is_array || self.castable(ty, Type::Str)
    }

    // Blocks.

    fn block(&mut self, count: usize) {
        for _ in 0..count {
            if self.flow.is_none() || self.budget <= 0 {
                return;
            }
            self.statement();
        }
    }

    fn inner(&mut self) {
        self.depth += 1;
        let count = 1 + self.random.below(3);
        self.block(count);
        self.depth -= 1;
    }

    fn statement(&mut self) {
        let depth = self.config.depth;
        for _ in 0..8 {
            let written = match self.random.below(100) {
                0..=25 => self.assign(depth),
                26..=31 => self.assign_many(depth),
                32..=37 => self.global_set(depth),
                38..=45 => self.field_set(depth),
                46..=51 => self.array_set(depth),
                52..=57 => self.store(depth),
                58..=63 => self.call_statement(depth),
                64..=71 => self.send_statement(depth),
                72..=79 => self.branch(depth),
                80..=82 => self.branch_as(depth),
                83..=86 => self.repeat(depth),
                87..=88 => self.labelled(),
                89..=92 => self.switch(depth),
                93..=95 => self.jump(),
                96 => self.flush(),
                97 => self.emit_or_run(depth),
                98 => self.assert(depth),
                _ => self.end_early(depth),
            };
            if written {
                return;
            }
        }
        self.assign(1);
    }

    fn emit_or_run(&mut self, depth: usize) -> bool {
        if self.random.percent(50) { self.emit(depth) } else { self.run_program(depth) }
    }

    // Assignments.

    fn value_type(&mut self) -> Type {
        for _ in 0..8 {
            let ty = if self.random.percent(10) { Type::Buf } else { self.world.any_type(self.random) };
            if self.world.constant_exists(ty, self.place()) {
                return ty;
            }
        }
        Type::I32
    }

    fn assign(&mut self, depth: usize) -> bool {
        let ty = self.value_type();
        self.expr(ty, depth);
        match self.destination(ty, &[]) {
            Some(local) => self.set(local),
            None => self.discard(),
        }
        true
    }

    /// Several at once; perhaps an exchange.
    fn assign_many(&mut self, depth: usize) -> bool {
        let types: Vec<Type> = (0..2 + self.random.below(2)).map(|_| self.value_type()).collect();
        for ty in &types {
            self.expr(*ty, depth.min(2));
        }
        let dests = self.destinations(&types);
        self.out.set(&dests);
        self.assigned_all(&dests);
        true
    }

    fn global_set(&mut self, depth: usize) -> bool {
        if self.is_pure() {
            return false;
        }
        let globals = self.world.module.globals.iter().enumerate().skip(2);
        let fitting: Vec<(u32, Type)> =
            globals.filter(|(_, global)| global.mutable).map(|(at, global)| (at as u32, global.ty)).collect();
        let Some((global, ty)) = self.random.pick(&fitting) else { return false };
        self.expr(ty, depth);
        self.push(Instr::GlobalSet(GlobalId(global)));
        true
    }

    fn field_set(&mut self, depth: usize) -> bool {
        let mut fitting = Vec::new();
        for at in 0..self.world.module.types.len() as u32 {
            for (field, placed) in self.world.hierarchy.fields(TypeId(at)).iter().enumerate() {
                let ty = placed.storage.value();
                let made = self.world.constant_exists(Type::Ref(TypeId(at)), self.place());
                if placed.mutable && made && self.world.constant_exists(ty, self.place()) {
                    fitting.push((TypeId(at), FieldId(field as u32), ty));
                }
            }
        }
        let Some((id, field, ty)) = self.random.pick(&fitting) else { return false };
        self.expr(Type::Ref(id), 1);
        self.expr(ty, depth);
        self.push(Instr::FieldSet(id, field));
        true
    }

    fn array_set(&mut self, depth: usize) -> bool {
        let world = self.world;
        let place = self.place();
        let Some((array, id, def)) =
            self.pick_array(|def| def.mutable && world.constant_exists(def.element.value(), place))
        else {
            return false;
        };
        let at = self.random.below(5) as i32;
        let guarded = !self.reckless();
        if guarded {
            self.within_array(array, at);
            self.push(Instr::If);
        }
        let before = self.flow.clone();
        self.push(Instr::Get(array));
        self.i32(at);
        self.expr(def.element.value(), depth);
        self.push(Instr::ArraySet(id));
        if guarded {
            self.flow = join(before, self.flow.take());
            self.push(Instr::End);
        }
        true
    }

    /// Writes to memory or a buffer.
    fn store(&mut self, depth: usize) -> bool {
        if self.random.percent(40)
            && let Some(buf) = self.pick_buf()
        {
            return self.store_buf(buf, depth);
        }
        let Some(memory) = self.pick_memory() else { return false };
        if self.random.percent(25) {
            self.store_many(memory);
            return true;
        }
        let writes = |info: &&il::op::OpInfo| info.result.is_none() && info.form.has_offset();
        let ops: Vec<Op> = Op::TABLE.iter().filter(writes).map(|info| info.op).collect();
        let Some(op) = self.random.pick(&ops) else { return false };
        self.address(depth);
        self.expr(op.info().params[1], depth);
        let lane = op.info().form.lanes().map_or(0, |lanes| self.random.below(lanes.into()) as u8);
        let offset = self.random.below(64) as u32;
        self.push(Instr::Op(op, Immediate { offset, lane, memory, ..Immediate::default() }));
        true
    }

    /// Many bytes at once.
    fn store_many(&mut self, memory: MemoryId) {
        match self.random.below(4) {
            0 => {
                let from = self.pick_memory().unwrap_or_default();
                self.address(1);
                self.address(1);
                self.i32(self.budget & 63);
                self.push(Instr::Op(Op::MemoryCopy, Immediate { memory, from, ..Immediate::default() }));
            }
            1 => {
                self.address(1);
                self.expr(Type::I32, 1);
                self.i32(self.budget & 63);
                self.op_in(Op::MemoryFill, memory);
            }
            2 => self.store_from_buf(memory),
            _ => self.store_segment(memory),
        }
    }

    /// Bytes of a new `buf`, or of one at hand.
    fn store_from_buf(&mut self, memory: MemoryId) {
        let Some(buf) = self.pick_buf() else { return self.store_segment(memory) };
        let at = self.random.below(16) as i32;
        let guarded = !self.reckless();
        if guarded {
            self.within_buf(buf, at + 16);
            self.push(Instr::If);
        }
        let before = self.flow.clone();
        self.borrowed.push(buf);
        self.address(1);
        self.push(Instr::Get(buf));
        self.i32(at);
        self.i32(13);
        self.op_in(Op::MemoryWrite, memory);
        self.borrowed.pop();
        if guarded {
            self.flow = join(before, self.flow.take());
            self.push(Instr::End);
        }
    }

    /// Bytes of a data segment. Of one that may have been dropped there are none for sure.
    fn store_segment(&mut self, memory: MemoryId) {
        if self.random.percent(20) {
            return self.push(Instr::DataDrop(DROPPED));
        }
        let segment: DataId = self.random.of([PLACED, KEPT, KEPT, DROPPED]);
        let sure = if segment == DROPPED && !self.reckless() { 0 } else { SEGMENT.len() };
        let from = self.random.below(sure + 1);
        let length = self.random.below(sure + 1 - from);
        self.address(1);
        self.i32(from as i32);
        self.i32(length as i32);
        self.push(Instr::MemoryInit(segment, memory));
    }

    fn store_buf(&mut self, buf: LocalId, depth: usize) -> bool {
        let memory = self.pick_memory();
        let writes = |info: &&il::op::OpInfo| {
            info.result.is_none()
                && info.params.first() == Some(&Type::BufRef)
                && (memory.is_some() || !info.op.touches_memory())
        };
        let ops: Vec<Op> = Op::TABLE.iter().filter(writes).map(|info| info.op).collect();
        let Some(op) = self.random.pick(&ops) else { return false };
        let at = self.random.below(16) as i32;
        let guarded = !self.reckless();
        if guarded {
            self.within_buf(buf, at + 16);
            self.push(Instr::If);
        }
        let before = self.flow.clone();
        self.borrowed.push(buf);
        self.push(Instr::Get(buf));
        self.i32(at);
        if op == Op::BufCopy {
            self.push(Instr::Get(buf));
            self.i32(at / 2);
            self.i32(9);
        } else if op == Op::BufWrite {
            self.address(1);
            self.i32(11);
        } else {
            self.expr(op.info().params[2], depth);
        }
        self.op_in(op, memory.filter(|_| op.touches_memory()).unwrap_or_default());
        self.borrowed.pop();
        if guarded {
            self.flow = join(before, self.flow.take());
            self.push(Instr::End);
        }
        true
    }

    fn call_statement(&mut self, depth: usize) -> bool {
        let world = self.world;
        if self.random.percent(35)
            && let Some(id) = self.pick_func_type(|_| true)
            && let Some(sig) = world.hierarchy.func(id)
        {
            let lent = self.lend(&sig.params);
            self.expr(Type::Ref(id), depth);
            self.args(&sig.params, &lent, depth);
            self.passed(lent);
            let dests = self.destinations(&sig.results);
            self.out.call_ref_set(id, &dests);
            self.assigned_all(&dests);
            return true;
        }
        let fitting = self.callable(|_| true);
        let Some(func) = self.random.pick(&fitting) else { return false };
        let sig = &world.plans[func.index()].sig;
        let lent = self.lend(&sig.params);
        self.args(&sig.params, &lent, depth);
        self.passed(lent);
        let dests = self.destinations(&sig.results);
        self.out.call_set(func, &dests);
        self.assigned_all(&dests);
        true
    }

    // Constructs.

    fn may_nest(&self) -> bool {
        self.depth < 4
    }

    fn branch(&mut self, depth: usize) -> bool {
        if !self.may_nest() {
            return false;
        }
        self.expr(Type::Bool, depth);
        self.push(Instr::If);
        self.branches();
        true
    }

    /// What follows `if`: one branch or two.
    fn branches(&mut self) {
        let before = self.flow.clone();
        self.inner();
        let first = std::mem::replace(&mut self.flow, before);
        if self.random.percent(50) {
            self.push(Instr::Else);
            self.inner();
        }
        self.flow = join(first, self.flow.take());
        self.push(Instr::End);
    }

    fn branch_as(&mut self, depth: usize) -> bool {
        if !self.may_nest() {
            return false;
        }
        if self.random.percent(40) && self.taken_buf(depth) {
            let local = self.new_local(Type::Buf);
            return self.bind(Type::Buf, local);
        }
        let from = self.value_type();
        let types: Vec<Type> = self.world.types.iter().copied().filter(|to| self.castable(from, *to)).collect();
        let Some(to) = self.random.pick(&types) else { return false };
        self.expr(from, depth);
        let local = self.new_local(to);
        self.bind(to, local)
    }

    fn bind(&mut self, ty: Type, local: LocalId) -> bool {
        self.push(Instr::IfAs(ty, local));
        let before = self.flow.clone();
        self.assigned(local);
        self.inner();
        let first = std::mem::replace(&mut self.flow, before);
        if self.random.percent(40) {
            self.push(Instr::Else);
            self.inner();
        }
        self.flow = join(first, self.flow.take());
        self.push(Instr::End);
        true
    }

    fn repeat(&mut self, depth: usize) -> bool {
        if !self.may_nest() || self.loops.len() > 2 || self.flow.is_none() {
            return false;
        }
        match self.random.below(3) {
            0 => self.repeat_for(depth),
            1 => self.repeat_while(depth),
            _ => self.repeat_loop(),
        }
        true
    }

    /// `block .. end`, which jumps may leave.
    fn labelled(&mut self) -> bool {
        if !self.may_nest() || self.loops.len() > 2 {
            return false;
        }
        self.push(Instr::Block);
        self.loops.push(Loop { is_block: true, head: Vec::new(), exit: None });
        self.inner();
        let exit = self.loops.pop().and_then(|closed| closed.exit);
        self.push(Instr::End);
        self.flow = join(exit, self.flow.take());
        true
    }

    fn head(&self) -> Vec<bool> {
        self.flow.clone().unwrap_or_default()
    }

    /// The loop's body, and its end; whatever leaves it joins behind.
    fn turn(&mut self) {
        self.inner();
        self.end_loop();
    }

    fn end_loop(&mut self) {
        let Some(closed) = self.loops.pop() else { return };
        if self.flow.is_some() {
            self.repair(&closed.head);
        }
        self.push(Instr::End);
        self.flow = closed.exit;
    }

    fn repeat_for(&mut self, depth: usize) {
        let ty = self.random.of([Type::I32, Type::I64]);
        let small = |body: &mut Self, limit: i32| {
            if ty == Type::I64 {
                body.push(Instr::I64Const(limit.into()));
            } else {
                body.i32(limit);
            }
        };
        if self.random.percent(20) && !self.is_pure() {
            self.expr(ty, depth.min(1));
            self.expr(ty, depth.min(1));
        } else {
            let start = self.random.below(4) as i32 - 1;
            small(self, start);
            let end = start + self.random.below(5) as i32;
            small(self, end);
        }
        let local = self.new_local(ty);
        self.push(Instr::For(local));
        let head = self.head();
        self.loops.push(Loop { is_block: false, exit: Some(head.clone()), head });
        self.assigned(local);
        self.check_fuel();
        self.turn();
    }

    /// In a function that may loop long: leaves the loop when the fuel is used up.
    fn check_fuel(&mut self) {
        if self.is_pure() {
            return;
        }
        self.push(Instr::GlobalGet(self.world.fuel));
        self.i32(0);
        self.op(Op::I32LeS);
        self.leave_if();
        self.burn();
    }

    /// Leaves the innermost loop if the condition on the stack holds.
    fn leave_if(&mut self) {
        self.push(Instr::If);
        self.push(Instr::Break(0));
        let flow = self.flow.clone();
        if let Some(inner) = self.loops.last_mut() {
            inner.exit = join(inner.exit.take(), flow);
        }
        self.push(Instr::End);
    }

    /// A counter that nothing else assigns, at 0.
    fn counter(&mut self) -> LocalId {
        let counter = self.new_local(Type::I32);
        self.hidden.push(counter);
        self.i32(0);
        self.set(counter);
        counter
    }

    fn count(&mut self, counter: LocalId) {
        self.push(Instr::Get(counter));
        self.i32(1);
        self.op(Op::I32Add);
        self.set(counter);
    }

    fn below(&mut self, counter: LocalId) {
        let turns = 1 + self.random.below(4) as i32;
        self.push(Instr::Get(counter));
        self.i32(turns);
        self.op(Op::I32LtS);
    }

    fn repeat_while(&mut self, depth: usize) {
        let counter = self.counter();
        let head = self.head();
        self.push(Instr::While);
        let moves = std::mem::replace(&mut self.moves, false);
        self.below(counter);
        if self.random.percent(30) {
            self.expr(Type::Bool, depth.min(2));
            self.op(Op::BoolAnd);
        }
        self.moves = moves;
        self.push(Instr::Test);
        self.loops.push(Loop { is_block: false, exit: self.flow.clone(), head });
        self.count(counter);
        self.check_fuel();
        self.turn();
    }

    fn repeat_loop(&mut self) {
        let counter = self.counter();
        let head = self.head();
        self.push(Instr::Loop);
        self.loops.push(Loop { is_block: false, exit: None, head });
        self.below(counter);
        self.op(Op::BoolNot);
        self.leave_if();
        self.count(counter);
        self.check_fuel();
        self.turn();
    }

    /// `break` or `continue`, which end the block.
    fn jump(&mut self) -> bool {
        if self.loops.is_empty() || self.depth < 2 {
            return false;
        }
        let depth = self.random.below(self.loops.len());
        let at = self.loops.len() - 1 - depth;
        if self.loops[at].is_block || self.random.percent(50) {
            self.push(Instr::Break(depth as u32));
            let flow = self.flow.take();
            self.loops[at].exit = join(self.loops[at].exit.take(), flow);
        } else {
            let head = self.loops[at].head.clone();
            self.repair(&head);
            self.push(Instr::Continue(depth as u32));
            self.leave();
        }
        true
    }

    fn switch(&mut self, depth: usize) -> bool {
        if !self.may_nest() {
            return false;
        }
        let ty = self.random.of([Type::I32, Type::I32, Type::I64]);
        self.expr(ty, depth);
        self.push(Instr::Switch);
        let entry = self.flow.take();
        let mut exit = None;
        let mut used = vec![];
        for _ in 0..1 + self.random.below(3) {
            let mut values: Vec<i64> = (0..1 + self.random.below(3)).map(|_| self.arm_value(ty)).collect();
            values.sort_unstable();
            values.dedup();
            values.retain(|value| !used.contains(value));
            if values.is_empty() {
                continue;
            }
            used.extend(&values);
            self.out.arm(&values);
            self.flow = entry.clone();
            self.inner();
            exit = join(exit, self.flow.take());
        }
        self.flow = entry;
        if used.is_empty() || self.random.percent(60) {
            self.push(Instr::Default);
            self.inner();
        }
        self.flow = join(exit, self.flow.take());
        self.push(Instr::End);
        true
    }

    fn arm_value(&mut self, ty: Type) -> i64 {
        match self.random.below(4) {
            0..=2 => self.random.below(8) as i64,
            _ if ty == Type::I64 => crate::constant::number(self.random),
            _ => i64::from(crate::constant::number(self.random) as i32),
        }
    }

    fn assert(&mut self, depth: usize) -> bool {
        let why = StrId(self.random.below(self.world.module.strings.len()) as u32);
        if self.reckless() {
            self.expr(Type::Bool, depth);
        } else {
            self.push(Instr::BoolConst(true));
        }
        self.push(Instr::Assert(why));
        true
    }

    /// A terminator in the middle of things.
    fn end_early(&mut self, depth: usize) -> bool {
        if self.depth == 0 {
            return false;
        }
        if self.plan.role == Role::Op && self.random.percent(40) && self.forward(depth.min(2)) {
            return true;
        }
        if self.plan.role == Role::Op && self.random.percent(40) {
            self.expr(Type::I32, 1);
            self.push(Instr::Fail);
            self.leave();
            return true;
        }
        if self.reckless() && !self.is_pure() && self.random.percent(50) {
            self.expr(Type::I32, 1);
            self.push(Instr::Exit);
            self.leave();
            return true;
        }
        if self.reckless() {
            let why = StrId(self.random.below(self.world.module.strings.len()) as u32);
            self.push(Instr::Trap(why));
            self.leave();
            return true;
        }
        if self.plan.sig.results.iter().any(|ty| !self.world.constant_exists(*ty, self.place())) {
            return false;
        }
        self.finish(depth.min(2));
        true
    }
}
