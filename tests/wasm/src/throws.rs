//! Random programs that throw, as scripts that assert what they do. What that is says a model: the program as a tree,
//! evaluated as the specification reads.
//!
//! A program is a few functions from a number to a number, each of which calls later ones only, so that it ends. Both forms
//! of exceptions stand in it, one inside the other.

use std::fmt::Write;

use crate::random::Random;

/// Functions of a program.
const FUNCS: usize = 4;
/// Parts of a function at most.
const PARTS: usize = 60;
/// Parts that are evaluated at most; programs that would take more are not used.
const STEPS: usize = 50_000;
/// Tags: of no values, one, and two.
const TAGS: usize = 3;
const FIELDS: [&str; TAGS] = ["", " i32", " i32 i64"];

/// A number.
enum Expr {
    Number(i32),
    /// A local: the argument, or the other one.
    Local(bool),
    Add(Box<Expr>, Box<Expr>),
    /// Changes the global, which shows in what order these were evaluated.
    Mark(Box<Expr>),
    Set(Box<Expr>),
    If(Box<[Expr; 3]>),
    Call(usize, Box<Expr>),
    Tail(usize, Box<Expr>),
    Throw(usize, Box<Expr>),
    Block(u32, Box<Expr>),
    Leave(u32, Box<Expr>),
    /// `try_table`
    Table(u32, Box<Expr>, Vec<Clause>),
    /// `try`
    Try(u32, Box<Expr>, Vec<Clause>),
    /// `try` that delegates to a label.
    Past(u32, Box<Expr>),
}

/// A handler: what it is for, whether what it has caught is thrown again if that is odd, and what comes then.
struct Clause {
    tag: Option<usize>,
    reference: bool,
    again: bool,
    handler: Expr,
}

/// Writes expressions.
struct Maker {
    random: Random,
    parts: usize,
    labels: u32,
    /// Labels in scope, and whether what is delegated there is meant to be.
    scope: Vec<(u32, bool)>,
    func: usize,
}

impl Maker {
    fn boxed(&mut self) -> Box<Expr> {
        Box::new(self.expr())
    }

    fn label(&mut self) -> u32 {
        self.labels += 1;
        self.labels
    }

    fn within<T>(&mut self, label: u32, delegated: bool, make: impl FnOnce(&mut Self) -> T) -> T {
        self.scope.push((label, delegated));
        let made = make(self);
        self.scope.pop();
        made
    }

    fn expr(&mut self) -> Expr {
        self.parts += 1;
        if self.parts > PARTS {
            return Expr::Number(self.random.below(9) as i32 - 4);
        }
        let later = self.func + 1 < FUNCS;
        match self.random.below(20) {
            0 => Expr::Number(self.random.below(9) as i32 - 4),
            1..3 => Expr::Local(self.random.below(2) == 0),
            3..5 => Expr::Add(self.boxed(), self.boxed()),
            5..7 => Expr::Mark(self.boxed()),
            7 => Expr::Set(self.boxed()),
            8 => Expr::If(Box::new([self.expr(), self.expr(), self.expr()])),
            9..12 if later => Expr::Call(self.func + 1 + self.random.below(FUNCS - self.func - 1), self.boxed()),
            12 if later && self.random.below(3) == 0 => Expr::Tail(self.func + 1, self.boxed()),
            9..14 => Expr::Throw(self.random.below(TAGS), self.boxed()),
            14 => {
                let label = self.label();
                Expr::Block(label, Box::new(self.within(label, true, Self::expr)))
            }
            15 if !self.scope.is_empty() => {
                Expr::Leave(self.scope[self.random.below(self.scope.len())].0, self.boxed())
            }
            16 => {
                let to = self.scope.iter().filter(|(_, delegated)| *delegated).map(|(label, _)| *label);
                let to: Vec<u32> = to.collect();
                Expr::Past(to[self.random.below(to.len())], self.boxed())
            }
            15 | 17 => {
                let label = self.label();
                let body = self.within(label, false, Self::boxed);
                Expr::Table(label, body, self.clauses(true))
            }
            _ => {
                let label = self.label();
                self.within(label, true, |maker| Expr::Try(label, maker.boxed(), maker.clauses(false)))
            }
        }
    }

    fn clauses(&mut self, references: bool) -> Vec<Clause> {
        let count = self.random.below(3) + usize::from(references);
        let clause = |at: usize, maker: &mut Self| {
            let last = at + 1 == count && maker.random.below(2) == 0;
            let tag = (!last).then(|| maker.random.below(TAGS));
            let reference = references && maker.random.below(2) == 0;
            let again = (reference || !references) && maker.random.below(3) == 0;
            Clause { tag, reference, again, handler: maker.expr() }
        };
        (0..count).map(|at| clause(at, self)).collect()
    }
}

/// Appends the text of an expression.
fn write(expr: &Expr, out: &mut String) {
    let mut after = |parts: &[&Expr], then: &str| {
        parts.iter().for_each(|part| write(part, out));
        let _ = write!(out, " {then}");
    };
    match expr {
        Expr::Number(value) => after(&[], &format!("i32.const {value}")),
        Expr::Local(other) => after(&[], if *other { "local.get $b" } else { "local.get $a" }),
        Expr::Add(left, right) => after(&[left, right], "i32.add"),
        Expr::Mark(value) => after(&[value], "call $mark"),
        Expr::Set(value) => after(&[value], "local.tee $b"),
        Expr::Call(func, value) => after(&[value], &format!("call $f{func}")),
        Expr::Tail(func, value) => after(&[value], &format!("return_call $f{func}")),
        Expr::Throw(0, value) => after(&[value], "drop throw $t0"),
        Expr::Throw(1, value) => after(&[value], "throw $t1"),
        Expr::Throw(_, value) => {
            after(&[value], "local.tee $s local.get $s i64.extend_i32_s i64.const 3 i64.mul throw $t2")
        }
        Expr::Leave(label, value) => after(&[value], &format!("br $l{label}")),
        Expr::If(parts) => {
            after(&[&parts[0]], "if (result i32)");
            after(&[&parts[1]], "else");
            after(&[&parts[2]], "end");
        }
        Expr::Block(label, body) => {
            after(&[], &format!("block $l{label} (result i32)"));
            after(&[body], "end");
        }
        Expr::Past(label, body) => {
            after(&[], "try (result i32)");
            after(&[body], &format!("delegate $l{label}"));
        }
        Expr::Try(label, body, clauses) => {
            after(&[], &format!("try $l{label} (result i32)"));
            after(&[body], "");
            for clause in clauses {
                let _ = match clause.tag {
                    Some(tag) => write!(out, " catch $t{tag}"),
                    None => write!(out, " catch_all"),
                };
                write_handler(clause, &format!("rethrow $l{label}"), out);
            }
            out.push_str(" end");
        }
        Expr::Table(label, body, clauses) => write_table(*label, body, clauses, out),
    }
}

fn write_table(label: u32, body: &Expr, clauses: &[Clause], out: &mut String) {
    let _ = write!(out, " block $out{label} (result i32)");
    for (at, clause) in clauses.iter().enumerate().rev() {
        let fields = clause.tag.map_or("", |tag| FIELDS[tag]);
        let reference = if clause.reference { " exnref" } else { "" };
        let _ = write!(out, " block $h{label}_{at} (result{fields}{reference})");
    }
    let _ = write!(out, " try_table $l{label} (result i32)");
    for (at, clause) in clauses.iter().enumerate() {
        let reference = if clause.reference { "_ref" } else { "" };
        let _ = match clause.tag {
            Some(tag) => write!(out, " (catch{reference} $t{tag} $h{label}_{at})"),
            None => write!(out, " (catch_all{reference} $h{label}_{at})"),
        };
    }
    write(body, out);
    out.push_str(" end");
    for clause in clauses {
        let _ = write!(out, " br $out{label} end");
        if clause.reference {
            out.push_str(" local.set $x");
        }
        write_handler(clause, "local.get $x throw_ref", out);
    }
    out.push_str(" end");
}

/// The values on the stack become one number, in `$b`.
fn write_handler(clause: &Clause, again: &str, out: &mut String) {
    out.push_str(match clause.tag {
        Some(0) => " i32.const 11",
        Some(1) => "",
        Some(_) => " i32.wrap_i64 i32.add",
        None => " i32.const 12",
    });
    out.push_str(" local.set $b");
    if clause.again {
        let _ = write!(out, " local.get $b i32.const 1 i32.and if {again} end");
    }
    write(&clause.handler, out);
}

/// Why an expression has no value.
enum Exit {
    Thrown(Exception),
    Left(u32, i32),
    Tail(usize, i32),
    /// It takes too long.
    Long,
}

#[derive(Clone, Copy)]
struct Exception {
    tag: usize,
    value: i32,
    /// The label to which it is delegated.
    to: Option<u32>,
}

struct Model<'p> {
    funcs: &'p [Expr],
    global: i32,
    steps: usize,
}

/// A call's locals.
struct Locals {
    a: i32,
    b: i32,
}

impl Model<'_> {
    fn call(&mut self, mut func: usize, mut arg: i32) -> Result<i32, Exit> {
        loop {
            let mut locals = Locals { a: arg, b: 0 };
            match self.eval(&self.funcs[func], &mut locals) {
                Err(Exit::Tail(next, value)) => (func, arg) = (next, value),
                Err(Exit::Thrown(exception)) => return Err(Exit::Thrown(Exception { to: None, ..exception })),
                other => return other,
            }
        }
    }

    fn eval(&mut self, expr: &Expr, locals: &mut Locals) -> Result<i32, Exit> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(Exit::Long);
        }
        match expr {
            Expr::Number(value) => Ok(*value),
            Expr::Local(other) => Ok(if *other { locals.b } else { locals.a }),
            Expr::Add(left, right) => Ok(self.eval(left, locals)?.wrapping_add(self.eval(right, locals)?)),
            Expr::Mark(value) => {
                self.global = self.eval(value, locals)?.wrapping_add(self.global.wrapping_mul(31));
                Ok(self.global)
            }
            Expr::Set(value) => {
                locals.b = self.eval(value, locals)?;
                Ok(locals.b)
            }
            Expr::If(parts) => match self.eval(&parts[0], locals)? {
                0 => self.eval(&parts[2], locals),
                _ => self.eval(&parts[1], locals),
            },
            Expr::Call(func, value) => {
                let value = self.eval(value, locals)?;
                self.call(*func, value)
            }
            Expr::Tail(func, value) => Err(Exit::Tail(*func, self.eval(value, locals)?)),
            Expr::Throw(tag, value) => {
                let value = self.eval(value, locals)?;
                Err(Exit::Thrown(Exception { tag: *tag, value, to: None }))
            }
            Expr::Leave(label, value) => Err(Exit::Left(*label, self.eval(value, locals)?)),
            Expr::Block(label, body) => arrive(*label, self.eval(body, locals)),
            Expr::Past(label, body) => match self.eval(body, locals) {
                Err(Exit::Thrown(exception)) => {
                    Err(Exit::Thrown(Exception { to: exception.to.or(Some(*label)), ..exception }))
                }
                other => other,
            },
            Expr::Table(label, body, clauses) => match arrive(*label, self.eval(body, locals)) {
                Err(Exit::Thrown(exception)) if exception.to.is_none() => self.handle(exception, clauses, locals),
                other => other,
            },
            Expr::Try(label, body, clauses) => {
                let done = match arrive(*label, self.eval(body, locals)) {
                    Err(Exit::Thrown(exception)) if exception.to.is_none() => self.handle(exception, clauses, locals),
                    other => other,
                };
                arrive(*label, done)
            }
        }
    }

    fn handle(&mut self, exception: Exception, clauses: &[Clause], locals: &mut Locals) -> Result<i32, Exit> {
        let taken = clauses.iter().find(|clause| clause.tag.is_none_or(|tag| tag == exception.tag));
        let Some(clause) = taken else { return Err(Exit::Thrown(exception)) };
        locals.b = match clause.tag {
            Some(0) => 11,
            Some(1) => exception.value,
            Some(_) => exception.value.wrapping_mul(4),
            None => 12,
        };
        if clause.again && locals.b & 1 != 0 {
            Err(Exit::Thrown(exception))
        } else {
            self.eval(&clause.handler, locals)
        }
    }
}

/// What comes to a construct's label stays there.
fn arrive(label: u32, result: Result<i32, Exit>) -> Result<i32, Exit> {
    match result {
        Err(Exit::Left(to, value)) if to == label => Ok(value),
        Err(Exit::Thrown(exception)) if exception.to == Some(label) => {
            Err(Exit::Thrown(Exception { to: None, ..exception }))
        }
        other => other,
    }
}

/// A program, and what its functions do. `None` if that takes too long.
pub fn script(seed: u64) -> Option<String> {
    let mut funcs = Vec::new();
    let mut random = Random::new(seed);
    for func in 0..FUNCS {
        let mut maker = Maker { random: Random::new(random.word()), parts: 0, labels: 0, scope: Vec::new(), func };
        funcs.push(Expr::Block(0, Box::new(maker.within(0, true, Maker::expr))));
    }
    let mut text = String::from("(module (global $g (export \"g\") (mut i32) (i32.const 0))\n");
    for (tag, fields) in FIELDS.iter().enumerate() {
        let _ = writeln!(text, "(tag $t{tag} (param{fields}))");
    }
    text.push_str("(func $mark (param i32) (result i32) (global.set $g (i32.add (local.get 0)");
    text.push_str(" (i32.mul (global.get $g) (i32.const 31)))) (global.get $g))\n");
    for (at, func) in funcs.iter().enumerate() {
        let _ = write!(text, "(func $f{at} (export \"f{at}\") (param $a i32) (result i32) (local $b i32)");
        text.push_str(" (local $s i32) (local $x exnref)\n ");
        write(func, &mut text);
        text.push_str(")\n");
    }
    text.push_str(")\n");
    let mut model = Model { funcs: &funcs, global: 0, steps: 0 };
    for func in 0..FUNCS {
        for arg in -1..3 {
            let call = format!("(invoke \"f{func}\" (i32.const {arg}))");
            let _ = match model.call(func, arg) {
                Ok(value) => writeln!(text, "(assert_return {call} (i32.const {value}))"),
                Err(Exit::Thrown(_)) => writeln!(text, "(assert_exception {call})"),
                Err(Exit::Left(..) | Exit::Tail(..) | Exit::Long) => return None,
            };
            let _ = writeln!(text, "(assert_return (get \"g\") (i32.const {}))", model.global);
        }
    }
    Some(text)
}
