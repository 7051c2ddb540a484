//! Expressions, directed by the type wanted. Each form writes a whole tree or nothing.

use il::instr::Instr;
use il::op::{Immediate, Op};
use il::{ArrayDef, FieldId, FuncId, GlobalId, LocalId, Storage, Type, TypeDef, TypeId};

use crate::body::{Body, join};
use crate::world::Role;

/// What arguments borrow.
pub(crate) struct Lent {
    /// How many borrows there were before.
    before: usize,
    /// For each parameter that is a `ref buf`, whose.
    locals: Vec<Option<LocalId>>,
}

impl Body<'_> {
    /// Writes a tree of a value of type `ty`, or of a subtype.
    pub fn expr(&mut self, ty: Type, depth: usize) {
        self.budget -= 1;
        match ty {
            Type::Buf => return self.buf(depth),
            Type::OptBuf => return self.optional_buf(depth),
            _ => {}
        }
        if depth > 0 && self.budget > 0 {
            for _ in 0..3 {
                if self.form(ty, depth - 1) {
                    return;
                }
            }
        }
        if !(self.random.percent(75) && self.local(ty)) {
            self.constant_or_local(ty);
        }
    }

    fn form(&mut self, ty: Type, depth: usize) -> bool {
        match self.random.below(100) {
            0..=11 => self.local(ty),
            12..=17 => self.global(ty),
            18..=47 => self.operator(ty, depth),
            48..=51 => self.cond(ty, depth),
            52..=53 => self.select(ty, depth),
            54..=62 => self.call(ty, depth),
            63..=66 => self.call_ref(ty, depth),
            67..=70 => self.send(ty, depth),
            71..=78 => self.field(ty, depth),
            79..=84 => self.element(ty),
            85..=90 => self.cast(ty),
            91..=94 => self.freeze(ty, depth),
            _ => self.made(ty, depth),
        }
    }

    /// The end of an expression; where the place allows no constant, a local is at hand.
    fn constant_or_local(&mut self, ty: Type) {
        if self.world.constant_exists(ty, self.place()) || !self.local(ty) {
            self.constant(ty);
        }
    }

    fn local(&mut self, ty: Type) -> bool {
        let Some(local) = self.pick_local(ty) else { return false };
        self.push(Instr::Get(local));
        true
    }

    fn global(&mut self, ty: Type) -> bool {
        if self.plan.role == Role::Program {
            return false;
        }
        let pure = self.is_pure();
        let globals = self.world.module.globals.iter().enumerate();
        let fits = |global: &il::Global| {
            !global.ty.is_affine() && self.world.subtype(global.ty, ty) && !(pure && global.mutable)
        };
        let fitting: Vec<u32> = globals.filter(|(_, global)| fits(global)).map(|(at, _)| at as u32).collect();
        let Some(global) = self.random.pick(&fitting) else { return false };
        self.push(Instr::GlobalGet(GlobalId(global)));
        true
    }

    /// `cond ty test then else otherwise end`; the parts are written by the closures.
    pub fn cond_of(
        &mut self,
        ty: Type,
        test: impl FnOnce(&mut Self),
        then: impl FnOnce(&mut Self),
        other: impl FnOnce(&mut Self),
    ) {
        self.push(Instr::Cond(ty));
        test(self);
        self.push(Instr::Test);
        let before = self.flow.clone();
        then(self);
        let first = std::mem::replace(&mut self.flow, before);
        self.push(Instr::Else);
        other(self);
        self.flow = join(first, self.flow.take());
        self.push(Instr::End);
    }

    fn cond(&mut self, ty: Type, depth: usize) -> bool {
        if self.depth > 8 {
            return false;
        }
        self.depth += 1;
        self.cond_of(ty, |body| body.expr(Type::Bool, depth), |body| body.expr(ty, depth), |body| body.expr(ty, depth));
        self.depth -= 1;
        true
    }

    /// `select`: both values are computed, so neither is a `buf`.
    fn select(&mut self, ty: Type, depth: usize) -> bool {
        self.expr(ty, depth);
        self.expr(ty, depth);
        self.expr(Type::Bool, depth);
        self.push(Instr::Select(ty));
        true
    }

    // Operators.

    fn operator(&mut self, ty: Type, depth: usize) -> bool {
        if self.random.percent(30) && self.special(ty, depth) {
            return true;
        }
        let fits = |info: &&il::op::OpInfo| {
            let plain = info.traps.is_empty() || (ty == Type::Str && info.params.len() == 1);
            info.result == Some(ty) && plain && !info.op.touches_memory() && !info.params.contains(&Type::BufRef)
        };
        let ops: Vec<Op> = Op::TABLE.iter().filter(fits).map(|info| info.op).collect();
        let Some(op) = self.random.pick(&ops) else { return self.made(ty, depth) };
        for param in op.info().params {
            self.expr(*param, depth);
        }
        let lane = op.info().form.lanes().map_or(0, |lanes| self.random.below(lanes.into()) as u8);
        self.push(Instr::Op(op, Immediate { lane, ..Immediate::default() }));
        true
    }

    /// Operators that may trap, kept from it mostly.
    fn special(&mut self, ty: Type, depth: usize) -> bool {
        match self.random.below(7) {
            0 | 1 => self.load(ty, depth),
            2 => self.load_buf(ty),
            3 => self.divide(ty, depth),
            4 => self.convert(ty, depth),
            5 => self.text(ty, depth),
            _ => self.odd(ty, depth),
        }
    }

    /// Whether to leave a guard out.
    pub fn reckless(&mut self) -> bool {
        self.random.below(1000) < self.config.trapping
    }

    fn divide(&mut self, ty: Type, depth: usize) -> bool {
        use Op::{I32DivS, I32DivU, I32RemS, I32RemU, I64DivS, I64DivU, I64RemS, I64RemU};
        let (op, one, or) = match ty {
            Type::I32 => (self.random.of([I32DivS, I32DivU, I32RemS, I32RemU]), Instr::I32Const(1), Op::I32Or),
            Type::I64 => (self.random.of([I64DivS, I64DivU, I64RemS, I64RemU]), Instr::I64Const(1), Op::I64Or),
            _ => return false,
        };
        self.expr(ty, depth);
        self.expr(ty, depth);
        if !self.reckless() {
            self.push(one);
            self.op(or);
        }
        self.op(op);
        true
    }

    /// Conversions that trap outside the range, of what is inside it.
    fn convert(&mut self, ty: Type, depth: usize) -> bool {
        use Op::{
            I32FromF32S, I32FromF32U, I32FromF64S, I32FromF64U, I64FromF32S, I64FromF32U, I64FromF64S, I64FromF64U,
        };
        let op = match ty {
            Type::I32 => self.random.of([I32FromF32S, I32FromF32U, I32FromF64S, I32FromF64U]),
            Type::I64 => self.random.of([I64FromF32S, I64FromF32U, I64FromF64S, I64FromF64U]),
            _ => return false,
        };
        let Some(&from) = op.info().params.first() else { return false };
        if self.reckless() {
            self.expr(from, depth);
        } else {
            self.expr(Type::I32, depth);
            self.i32(0x00ff_ffff);
            self.op(Op::I32And);
            self.op(if from == Type::F32 { Op::F32FromI32S } else { Op::F64FromI32S });
            if self.random.percent(50) {
                self.expr(from, 0);
                self.op(if from == Type::F32 { Op::F32Copysign } else { Op::F64Copysign });
                self.op(if from == Type::F32 { Op::F32Abs } else { Op::F64Abs });
            }
        }
        self.op(op);
        true
    }

    /// An address in the first page, with room behind it.
    pub fn address(&mut self, depth: usize) {
        if self.reckless() {
            return self.expr(Type::I32, depth);
        }
        if self.random.percent(15) {
            return self.i32(65536 - 80);
        }
        self.expr(Type::I32, depth);
        self.i32(self.random_mask());
        self.op(Op::I32And);
    }

    fn random_mask(&self) -> i32 {
        if self.id.0.is_multiple_of(2) { 0xfff } else { 0x3f8 }
    }

    fn load(&mut self, ty: Type, depth: usize) -> bool {
        let Some(memory) = self.pick_memory() else { return false };
        let ops: Vec<Op> = Op::TABLE
            .iter()
            .filter(|info| info.result == Some(ty) && info.form.has_offset())
            .map(|info| info.op)
            .collect();
        let Some(op) = self.random.pick(&ops) else { return false };
        self.address(depth);
        for param in &op.info().params[1..] {
            self.expr(*param, depth);
        }
        let lane = op.info().form.lanes().map_or(0, |lanes| self.random.below(lanes.into()) as u8);
        let offset = self.random.below(64) as u32;
        self.push(Instr::Op(op, Immediate { offset, lane, memory, ..Immediate::default() }));
        true
    }

    /// `cond` that `count` bytes from byte `at` on are in the buffer.
    pub fn within_buf(&mut self, buf: LocalId, end: i32) {
        self.push(Instr::Get(buf));
        self.op(Op::BufLen);
        self.i32(end);
        self.op(Op::I32GeS);
    }

    fn load_buf(&mut self, ty: Type) -> bool {
        let ops: Vec<Op> = Op::TABLE
            .iter()
            .filter(|info| info.result == Some(ty) && *info.params == [Type::BufRef, Type::I32])
            .map(|info| info.op)
            .collect();
        let (Some(op), Some(buf)) = (self.random.pick(&ops), self.pick_buf()) else { return false };
        let at = self.random.below(24) as i32;
        let read = |body: &mut Self| {
            body.push(Instr::Get(buf));
            body.i32(at);
            body.op(op);
        };
        if self.reckless() {
            read(self);
        } else {
            self.cond_of(ty, |body| body.within_buf(buf, at + 16), read, |body| body.constant(ty));
        }
        true
    }

    fn text(&mut self, ty: Type, depth: usize) -> bool {
        let Some(text) = self.pick_local(Type::Str) else { return false };
        let at = self.random.below(10) as i32;
        let byte = |body: &mut Self| {
            body.push(Instr::Get(text));
            body.i32(at);
            body.op(Op::StrGet);
        };
        let longer = |body: &mut Self| {
            body.push(Instr::Get(text));
            body.op(Op::StrLen);
            body.i32(at);
            body.op(Op::I32GtS);
        };
        match ty {
            Type::I32 if self.reckless() => byte(self),
            Type::I32 => self.cond_of(ty, longer, byte, |body| body.constant(ty)),
            Type::Str if self.random.percent(50) => {
                self.expr(Type::Str, depth);
                self.push(Instr::Get(text));
                self.push(Instr::Call(self.world.join()));
            }
            Type::Str => self.cond_of(ty, longer, |body| body.cut(text, at, byte), |body| body.constant(ty)),
            _ => return false,
        }
        true
    }

    /// A slice up to byte `at`, if that is where a character starts.
    fn cut(&mut self, text: LocalId, at: i32, byte: impl Fn(&mut Self)) {
        let starts = |body: &mut Self| {
            byte(body);
            body.i32(0xc0);
            body.op(Op::I32And);
            body.i32(0x80);
            body.op(Op::I32Ne);
        };
        let slice = |body: &mut Self| {
            body.push(Instr::Get(text));
            body.i32(0);
            body.i32(at);
            body.op(Op::StrSlice);
        };
        if self.reckless() {
            slice(self)
        } else {
            self.cond_of(Type::Str, starts, slice, |body| body.constant(Type::Str))
        }
    }

    /// What fits nowhere else.
    fn odd(&mut self, ty: Type, depth: usize) -> bool {
        match ty {
            Type::I32 if self.random.percent(45) && self.grown() => {}
            Type::I32 if self.plan.role == Role::Op && self.random.percent(50) => self.push(Instr::Caller),
            Type::I32 => match self.pick_buf() {
                Some(buf) if self.random.percent(50) => {
                    self.push(Instr::Get(buf));
                    self.op(Op::BufLen);
                }
                _ => return self.length(depth),
            },
            Type::Str => {
                let Some(memory) = self.pick_memory() else { return false };
                let at = self.random.below(4000) as i32;
                let ascii = |body: &mut Self| {
                    body.i32(at);
                    body.op_in(Op::Load8U, memory);
                    body.i32(0x80);
                    body.op(Op::I32LtU);
                };
                let read = |body: &mut Self| {
                    body.i32(at);
                    body.i32(1);
                    body.op_in(Op::StrAt, memory);
                };
                self.cond_of(ty, ascii, read, |body| body.constant(ty));
            }
            Type::V128 => {
                self.expr(ty, depth);
                self.expr(ty, depth);
                let mut lanes = [0; 16];
                lanes.iter_mut().for_each(|lane| *lane = self.random.below(32) as u8);
                self.push(Instr::Shuffle(lanes));
            }
            Type::Bool => return self.identity(depth),
            _ => return false,
        }
        true
    }

    /// A memory's size, perhaps changed.
    fn grown(&mut self) -> bool {
        let Some(memory) = self.pick_memory() else { return false };
        if self.random.percent(60) {
            self.op_in(Op::MemorySize, memory);
        } else {
            let pages = self.random.below(3) as i32;
            self.i32(pages);
            self.op_in(Op::MemoryGrow, memory);
        }
        true
    }

    fn length(&mut self, depth: usize) -> bool {
        let Some(array) = self.pick_def(|def| matches!(def, TypeDef::Array(_))) else { return false };
        self.expr(Type::Ref(array), depth);
        self.push(Instr::ArrayLen);
        true
    }

    fn identity(&mut self, depth: usize) -> bool {
        let Some(id) = self.pick_def(|_| true) else { return false };
        let ty = if self.random.percent(50) { Type::Ref(id) } else { Type::Opt(id) };
        if !self.world.constant_exists(ty, self.place()) {
            return false;
        }
        self.expr(ty, depth);
        self.expr(ty, depth);
        let op = if self.random.percent(50) { Instr::RefEq } else { Instr::RefNe };
        self.push(op);
        true
    }

    // Objects.

    /// A definition of some kind whose values can be made here.
    pub fn pick_def(&mut self, wanted: impl Fn(&TypeDef) -> bool) -> Option<TypeId> {
        let defs = self.world.module.types.iter().enumerate();
        let fitting: Vec<TypeId> = defs
            .filter(|(_, def)| wanted(def))
            .map(|(at, _)| TypeId(at as u32))
            .filter(|id| self.world.constant_exists(Type::Ref(*id), self.place()))
            .collect();
        self.random.pick(&fitting)
    }

    pub fn array_def(&self, ty: Type) -> Option<(TypeId, ArrayDef)> {
        let Type::Ref(id) = ty else { return None };
        Some((id, self.world.hierarchy.array(id)?))
    }

    fn field(&mut self, ty: Type, depth: usize) -> bool {
        let mut fitting = Vec::new();
        for at in 0..self.world.module.types.len() as u32 {
            for (field, placed) in self.world.hierarchy.fields(TypeId(at)).iter().enumerate() {
                let value = placed.storage.value();
                if !value.is_affine() && self.world.subtype(value, ty) {
                    fitting.push((TypeId(at), FieldId(field as u32)));
                }
            }
        }
        let Some((id, field)) = self.random.pick(&fitting) else { return false };
        if !self.world.constant_exists(Type::Ref(id), self.place()) {
            return false;
        }
        self.expr(Type::Ref(id), depth);
        self.push(Instr::FieldGet(id, field));
        true
    }

    /// An available local that is an array whose elements satisfy `wanted`.
    pub fn pick_array(&mut self, wanted: impl Fn(ArrayDef) -> bool) -> Option<(LocalId, TypeId, ArrayDef)> {
        let locals = self.locals_where(|ty| self.array_def(ty).is_some_and(|(_, def)| wanted(def)));
        let local = self.random.pick(&locals)?;
        let (id, def) = self.array_def(self.locals[local.index()])?;
        Some((local, id, def))
    }

    /// `cond` that the array has an element `at`.
    pub fn within_array(&mut self, array: LocalId, at: i32) {
        self.push(Instr::Get(array));
        self.push(Instr::ArrayLen);
        self.i32(at);
        self.op(Op::I32GtS);
    }

    fn element(&mut self, ty: Type) -> bool {
        let world = self.world;
        let picked = self.pick_array(|def| {
            let value = def.element.value();
            !value.is_affine() && world.subtype(value, ty)
        });
        let Some((array, id, _)) = picked else { return false };
        if !self.world.constant_exists(ty, self.place()) {
            return false;
        }
        let at = self.random.below(5) as i32;
        let read = |body: &mut Self| {
            body.push(Instr::Get(array));
            body.i32(at);
            body.push(Instr::ArrayGet(id));
        };
        if self.reckless() {
            read(self);
        } else {
            self.cond_of(ty, |body| body.within_array(array, at), read, |body| body.constant(ty));
        }
        true
    }

    /// Whether `is`, `as` and `if.as` may ask this.
    pub fn castable(&self, from: Type, to: Type) -> bool {
        from.is_reference() && to.is_reference() && from != to && self.world.subtype(to, from)
    }

    fn cast(&mut self, ty: Type) -> bool {
        if !ty.is_reference() || !self.world.constant_exists(ty, self.place()) {
            return ty == Type::Bool && self.question();
        }
        let locals = self.locals_where(|from| self.castable(from, ty));
        let Some(local) = self.random.pick(&locals) else { return false };
        let cast = |body: &mut Self| {
            body.push(Instr::Get(local));
            body.push(Instr::As(ty));
        };
        let question = |body: &mut Self| {
            body.push(Instr::Get(local));
            body.push(Instr::Is(ty));
        };
        if self.reckless() {
            cast(self)
        } else {
            self.cond_of(ty, question, cast, |body| body.constant(ty))
        }
        true
    }

    fn question(&mut self) -> bool {
        let locals = self.locals_where(Type::is_reference);
        let Some(local) = self.random.pick(&locals) else { return false };
        let from = self.locals[local.index()];
        let types: Vec<Type> = self.world.types.iter().copied().filter(|to| self.castable(from, *to)).collect();
        let Some(to) = self.random.pick(&types) else { return false };
        self.push(Instr::Get(local));
        self.push(Instr::Is(to));
        true
    }

    fn freeze(&mut self, ty: Type, depth: usize) -> bool {
        let sendable = ty.is_reference() && self.world.hierarchy.is_sendable_object(ty);
        if !sendable || !self.config.freeze {
            return false;
        }
        self.expr(ty, depth);
        self.push(Instr::Freeze);
        true
    }

    /// A new object with computed contents.
    fn made(&mut self, ty: Type, depth: usize) -> bool {
        let (Type::Ref(wanted) | Type::Opt(wanted)) = ty else { return false };
        let subtypes: Vec<TypeId> = (0..self.world.module.types.len() as u32)
            .map(TypeId)
            .filter(|id| self.world.hierarchy.def_is_subtype(*id, wanted))
            .filter(|id| self.world.constant_exists(Type::Ref(*id), self.place()))
            .collect();
        let Some(id) = self.random.pick(&subtypes) else { return false };
        let inner = depth.min(2);
        match &self.world.module.types[id.index()] {
            TypeDef::Struct(_) => {
                for field in self.world.hierarchy.fields(id) {
                    self.expr(field.storage.value(), inner);
                }
                self.push(Instr::StructNew(id));
            }
            TypeDef::Array(def) => return self.made_array(id, def.element, inner),
            TypeDef::Func(_) | TypeDef::Cap(_) => self.constant(Type::Ref(id)),
        }
        true
    }

    fn made_array(&mut self, id: TypeId, element: Storage, depth: usize) -> bool {
        let ty = element.value();
        if !self.world.constant_exists(ty, self.place()) {
            return false;
        }
        if ty == Type::OptBuf || self.random.percent(50) {
            self.expr(Type::I32, depth);
            self.i32(7);
            self.op(Op::I32And);
            if ty == Type::OptBuf {
                self.push(Instr::Null(ty))
            } else {
                self.expr(ty, depth)
            }
            self.push(Instr::ArrayNew(id));
        } else {
            let count = self.random.below(4);
            for _ in 0..count {
                self.expr(ty, depth);
            }
            self.push(Instr::ArrayOf(id, count as u32));
        }
        true
    }

    // Buffers.

    fn buf(&mut self, depth: usize) {
        let owned = self.locals_where(|ty| ty == Type::Buf);
        let free: Vec<LocalId> = owned.into_iter().filter(|local| !self.borrowed.contains(local)).collect();
        match self.random.below(10) {
            0..=4 if self.moves && !free.is_empty() => {
                let local = free[self.random.below(free.len())];
                self.push(Instr::Take(local));
                self.moved(local);
            }
            5 if depth > 0 && self.budget > 0 && self.call(Type::Buf, depth - 1) => {}
            6 if depth > 0 && self.budget > 0 && self.send(Type::Buf, depth - 1) => {}
            7 if depth > 0 && self.budget > 0 && self.cond(Type::Buf, depth - 1) => {}
            8 if depth > 0 => {
                self.expr(Type::I32, depth - 1);
                self.i32(63);
                self.op(Op::I32And);
                self.op(Op::BufNew);
            }
            9 if self.buf_at(depth) => {}
            _ => self.constant(Type::Buf),
        }
    }

    /// A `buf` with bytes of a memory.
    fn buf_at(&mut self, depth: usize) -> bool {
        let Some(memory) = self.pick_memory() else { return false };
        self.address(depth.min(1));
        let length = self.random.below(40) as i32;
        self.i32(length);
        self.op_in(Op::BufAt, memory);
        true
    }

    fn optional_buf(&mut self, depth: usize) {
        match self.random.below(6) {
            0 | 1 => self.buf(depth),
            2 | 3 if self.taken_buf(depth) => {}
            _ => self.push(Instr::Null(Type::OptBuf)),
        }
    }

    /// A `?buf` out of a global, field or element.
    pub fn taken_buf(&mut self, depth: usize) -> bool {
        let pure = self.is_pure();
        let globals = self.world.module.globals.iter().enumerate();
        let fitting: Vec<u32> =
            globals.filter(|(_, global)| global.ty == Type::OptBuf && !pure).map(|(at, _)| at as u32).collect();
        if let Some(global) = self.random.pick(&fitting)
            && self.random.percent(60)
        {
            self.push(Instr::GlobalTake(GlobalId(global)));
            return true;
        }
        let mut fields = Vec::new();
        for at in 0..self.world.module.types.len() as u32 {
            for (field, placed) in self.world.hierarchy.fields(TypeId(at)).iter().enumerate() {
                if placed.storage.value() == Type::OptBuf {
                    fields.push((TypeId(at), FieldId(field as u32)));
                }
            }
        }
        let Some((id, field)) = self.random.pick(&fields) else { return false };
        if !self.world.constant_exists(Type::Ref(id), self.place()) {
            return false;
        }
        self.expr(Type::Ref(id), depth.min(1));
        self.push(Instr::FieldTake(id, field));
        true
    }

    // Calls.

    /// Functions that may be called here, and whose results satisfy `wanted`.
    pub fn callable(&self, wanted: impl Fn(&[Type]) -> bool) -> Vec<FuncId> {
        let plans = self.world.plans.iter().enumerate().map(|(at, plan)| (FuncId(at as u32), plan));
        plans
            .filter(|(id, plan)| match plan.role {
                Role::Pure => !self.is_pure() || *id > self.id,
                Role::Plain | Role::Export => !self.is_pure(),
                Role::Main | Role::Handler | Role::Op | Role::Program => false,
            })
            .filter(|(_, plan)| wanted(&plan.sig.results) && self.can_pass(&plan.sig.params))
            .map(|(id, _)| id)
            .collect()
    }

    pub fn can_pass(&self, params: &[Type]) -> bool {
        let lends = !self.locals_where(|ty| matches!(ty, Type::Buf | Type::BufRef)).is_empty();
        params.iter().all(|ty| *ty != Type::BufRef || lends)
    }

    /// Chooses what to lend for `ref buf` parameters, so that nothing moves it meanwhile.
    pub fn lend(&mut self, params: &[Type]) -> Lent {
        let before = self.borrowed.len();
        let locals: Vec<Option<LocalId>> =
            params.iter().map(|ty| if *ty == Type::BufRef { self.pick_buf() } else { None }).collect();
        self.borrowed.extend(locals.iter().copied().flatten());
        Lent { before, locals }
    }

    /// Writes arguments.
    pub fn args(&mut self, params: &[Type], lent: &Lent, depth: usize) {
        for (ty, lent) in params.iter().zip(&lent.locals) {
            match lent {
                Some(local) => self.push(Instr::Get(*local)),
                None => self.expr(*ty, depth),
            }
        }
    }

    /// The arguments have been consumed.
    pub fn passed(&mut self, lent: Lent) {
        self.borrowed.truncate(lent.before);
    }

    fn call(&mut self, ty: Type, depth: usize) -> bool {
        let world = self.world;
        let fitting = self.callable(|results| matches!(results, [result] if world.subtype(*result, ty)));
        let Some(func) = self.random.pick(&fitting) else { return false };
        let params = &world.plans[func.index()].sig.params;
        let lent = self.lend(params);
        self.args(params, &lent, depth);
        self.push(Instr::Call(func));
        self.passed(lent);
        true
    }

    fn call_ref(&mut self, ty: Type, depth: usize) -> bool {
        let world = self.world;
        let Some(id) = self.pick_func_type(|results| matches!(results, [result] if world.subtype(*result, ty))) else {
            return false;
        };
        let Some(sig) = world.hierarchy.func(id) else { return false };
        let lent = self.lend(&sig.params);
        self.expr(Type::Ref(id), depth);
        self.args(&sig.params, &lent, depth);
        self.push(Instr::CallRef(id));
        self.passed(lent);
        true
    }

    /// A function type whose references can be called here.
    pub fn pick_func_type(&mut self, wanted: impl Fn(&[Type]) -> bool) -> Option<TypeId> {
        if self.is_pure() {
            return None;
        }
        let fits = |def: &TypeDef| match def {
            TypeDef::Func(sig) => wanted(&sig.results) && self.can_pass(&sig.params),
            TypeDef::Struct(_) | TypeDef::Array(_) | TypeDef::Cap(_) => false,
        };
        let defs = self.world.module.types.iter().enumerate();
        let fitting: Vec<TypeId> = defs.filter(|(_, def)| fits(def)).map(|(at, _)| TypeId(at as u32)).collect();
        self.random.pick(&fitting)
    }
}
