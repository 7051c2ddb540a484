//! Random programs that are valid by construction, to compare two ways of running them.
//!
//! A program depends on its seed alone, ends after a bounded number of steps, and writes one line with
//! a checksum over everything that it computed. Divisors, indices and conversions are kept in range;
//! a few programs in a hundred contain a statement that may trap, so that ends are compared too.
//!
//! Invariants of the text: every name is unique, literals whose type could be open have named
//! constants, and nothing stands behind a statement that leaves.

use std::fmt::Write;

/// The program of this seed, as IL text. It uses `cascade.console@1` only.
pub fn program(seed: u64) -> String {
    let mut generator = Generator::new(seed);
    generator.module(seed);
    generator.out
}

/// Types of the expressions that are generated; a `buf` is never one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ty {
    I32,
    I64,
    F64,
    Bool,
    Str,
}

impl Ty {
    const ALL: [Ty; 5] = [Ty::I32, Ty::I64, Ty::F64, Ty::Bool, Ty::Str];

    fn name(self) -> &'static str {
        match self {
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::F64 => "f64",
            Ty::Bool => "bool",
            Ty::Str => "str",
        }
    }

    fn zero(self) -> &'static str {
        match self {
            Ty::I32 | Ty::I64 => "0",
            Ty::F64 => "0.0",
            Ty::Bool => "false",
            Ty::Str => "\"\"",
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A name that an expression can read.
#[derive(Clone)]
struct Var {
    name: String,
    ty: Ty,
    mutable: bool,
}

struct Sig {
    name: String,
    params: Vec<Ty>,
    result: Ty,
}

struct Generator {
    random: Random,
    out: String,
    indent: usize,
    names: usize,
    /// Visible variables, innermost last; globals first.
    vars: Vec<Var>,
    /// Functions that may be called: those in front of the current one.
    funcs: Vec<Sig>,
    /// Labels of the loops around this point.
    loops: Vec<String>,
    /// The current function's result; `main` has none.
    result: Option<Ty>,
}

/// Functions and data that every program has. `mix` folds a value into the checksum; `clip` keeps
/// strings short; `stir` takes a buffer and gives it back, `total` borrows one.
const PRELUDE: &str = r#"
use console: cascade.console@1

memory 1..2
data 2048 "deterministic"

global mut fuel = 200
global mut acc: i64 = 1

func mix(value: i64) { acc = rotl(acc, 7) * 31 ^ value }
func clip(text: str) -> str { return slice(text, 0, min(len(text), 40)) }
func byte(text: str, at: i32) -> i32 {
  if len(text) == 0 { return -1 }
  return text[rem_u(at, len(text))]
}
func digest(text: str) -> i64 {
  var sum: i64 = 0
  for at in 0..len(text) { sum = sum * 131 + i64(text[at]) }
  return sum
}
func stir(data: buf, by: i32) -> buf {
  for at in 0..len(data) { data[at] = data[at] * 5 + by + at }
  return data
}
func total(data: ref buf) -> i64 {
  var sum: i64 = 0
  for at in 0..len(data) { sum = rotl(sum, 3) + i64(data[at]) }
  return sum
}
func halves(value: i64) -> (i32, i32) { return (i32(value), i32(value >> 32)) }
"#;

impl Generator {
    fn new(seed: u64) -> Self {
        Generator {
            random: Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x6a09_e667_f3bc_c908),
            out: String::new(),
            indent: 0,
            names: 0,
            vars: Vec::new(),
            funcs: Vec::new(),
            loops: Vec::new(),
            result: None,
        }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{:width$}{text}", "", width = self.indent * 2);
    }

    fn fresh(&mut self, stem: &str) -> String {
        self.names += 1;
        format!("{stem}{}", self.names)
    }

    fn module(&mut self, seed: u64) {
        let _ = writeln!(self.out, "// Generated from seed {seed}.\nmodule random{PRELUDE}");
        for number in 0..LONGS {
            let value = match self.random.below(3) {
                0 => self.random.below(100) as i64 - 50,
                1 => self.random.next() as i64,
                _ => 1i64 << self.random.below(63),
            };
            self.line(&format!("const L{number}: i64 = {value}"));
        }
        for ty in Ty::ALL {
            for _ in 0..2 {
                let name = self.fresh("g");
                let value = self.literal(ty);
                self.line(&format!("global mut {name}: {} = {value}", ty.name()));
                self.vars.push(Var { name, ty, mutable: true });
            }
        }
        for _ in 0..2 + self.random.below(3) {
            self.function();
        }
        self.main();
    }

    fn function(&mut self) {
        let name = self.fresh("run");
        let result = self.random.pick(&Ty::ALL);
        let params: Vec<Ty> = (0..self.random.below(4)).map(|_| self.random.pick(&Ty::ALL)).collect();
        let globals = self.vars.len();
        let mut texts = Vec::new();
        for ty in &params {
            let name = self.fresh("p");
            texts.push(format!("{name}: {}", ty.name()));
            self.vars.push(Var { name, ty: *ty, mutable: false });
        }
        self.line(&format!("\nfunc {name}({}) -> {} {{", texts.join(", "), result.name()));
        self.indent = 1;
        self.line(&format!("if fuel <= 0 {{ return {} }}", result.zero()));
        self.line("fuel -= 1");
        self.result = Some(result);
        self.locals();
        let count = 3 + self.random.below(4);
        self.statements(count, 3);
        let value = self.expr(result, 3);
        self.line(&format!("return {value}"));
        self.indent = 0;
        self.line("}");
        self.vars.truncate(globals);
        self.funcs.push(Sig { name, params, result });
    }

    fn main(&mut self) {
        self.line("\nexport func main() {");
        self.indent = 1;
        self.result = None;
        let globals = self.vars.clone();
        self.locals();
        let count = 5 + self.random.below(7);
        self.statements(count, 3);
        if self.random.percent(12) {
            self.perhaps_trap();
        }
        for var in globals {
            let value = self.as_long(var.ty, &var.name);
            self.line(&format!("mix({value})"));
        }
        self.line("for at in 0..140 { mix(load64(at * 8)) }");
        self.line("console.write(concat(str(acc), \"\\n\"))");
        self.indent = 0;
        self.line("}");
    }

    /// A variable of each type to work with, and a buffer.
    fn locals(&mut self) {
        self.line("var data = buf(16)");
        for ty in Ty::ALL {
            let value = self.expr(ty, 2);
            let name = self.fresh("x");
            self.line(&format!("var {name}: {} = {value}", ty.name()));
            self.vars.push(Var { name, ty, mutable: true });
        }
    }

    // Statements

    fn statements(&mut self, count: usize, depth: usize) {
        for _ in 0..count {
            self.statement(depth);
        }
    }

    /// A block of its own scope: a few statements between the braces.
    fn block(&mut self, depth: usize) {
        let outer = self.vars.len();
        self.indent += 1;
        let count = 1 + self.random.below(2);
        self.statements(count, depth);
        self.indent -= 1;
        self.vars.truncate(outer);
    }

    fn statement(&mut self, depth: usize) {
        let simple = depth == 0;
        match self.random.below(if simple { 9 } else { 18 }) {
            0 | 1 => self.assign(),
            2 => self.declare(),
            3 => self.mix(),
            4 => self.store(),
            5 => self.buffer(),
            6 => self.halves(),
            7 => self.compound(),
            8 => self.leave(),
            9..=11 => self.branch(depth - 1),
            12 => self.count(depth - 1),
            13 => self.repeat(depth - 1),
            14 => self.forever(depth - 1),
            15 | 16 => self.choose(depth - 1),
            _ => self.value_branch(depth - 1),
        }
    }

    fn assign(&mut self) {
        let all: Vec<Var> = self.vars.iter().filter(|var| var.mutable).cloned().collect();
        let at = self.random.below(all.len());
        let value = self.expr(all[at].ty, 3);
        self.line(&format!("{} = {value}", all[at].name));
    }

    fn compound(&mut self) {
        let numeric = |var: &&Var| var.mutable && matches!(var.ty, Ty::I32 | Ty::I64);
        let all: Vec<Var> = self.vars.iter().filter(numeric).cloned().collect();
        let at = self.random.below(all.len());
        let op = self.random.pick(&["+", "-", "*", "&", "|", "^", "<<", ">>"]);
        let value = self.expr(all[at].ty, 2);
        self.line(&format!("{} {op}= {value}", all[at].name));
    }

    fn declare(&mut self) {
        let ty = self.random.pick(&Ty::ALL);
        let value = self.expr(ty, 3);
        let (name, mutable) = (self.fresh("x"), self.random.percent(60));
        let word = if mutable { "var" } else { "let" };
        self.line(&format!("{word} {name}: {} = {value}", ty.name()));
        self.vars.push(Var { name, ty, mutable });
    }

    fn mix(&mut self) {
        let ty = self.random.pick(&Ty::ALL);
        let value = self.expr(ty, 2);
        let value = self.as_long(ty, &value);
        self.line(&format!("mix({value})"));
    }

    fn store(&mut self) {
        let address = self.address();
        let (name, ty) = self.random.pick(&[
            ("store8", Ty::I32),
            ("store16", Ty::I32),
            ("store32", Ty::I32),
            ("store64", Ty::I64),
            ("store_f64", Ty::F64),
        ]);
        match self.random.below(8) {
            0 => {
                let (value, count) = (self.expr(Ty::I32, 1), self.expr(Ty::I32, 1));
                self.line(&format!("memory_fill({address}, {value}, {count} & 63)"));
            }
            1 => {
                let from = self.address();
                self.line(&format!("memory_copy({address}, {from}, {})", self.names % 64));
            }
            2 => {
                let value = self.expr(ty, 2);
                self.line(&format!("{name}({address}, {value}, offset: {})", self.names % 90));
            }
            _ => {
                let value = self.expr(ty, 2);
                self.line(&format!("{name}({address}, {value})"));
            }
        }
    }

    /// A memory address well inside the first page, below the constant data.
    fn address(&mut self) -> String {
        format!("{} & 1023", self.expr(Ty::I32, 1))
    }

    fn buffer(&mut self) {
        let (at, value) = (self.expr(Ty::I32, 1), self.expr(Ty::I32, 2));
        let text = match self.random.below(7) {
            0 => format!("data[{at} & 15] = {value}"),
            1 => format!("data[{at} & 15] += {value}"),
            2 => format!("store32(data, {at} & 12, {value})"),
            3 => {
                // What moves cannot be read in the same argument list.
                let by = self.fresh("x");
                self.line(&format!("let {by} = {value}"));
                format!("data = stir(data, {by})")
            }
            4 => format!("store64(data, {at} & 8, {})", self.expr(Ty::I64, 2)),
            5 => String::from("mix(total(data))"),
            _ => {
                let other = self.fresh("b");
                self.line(&format!("let {other} = stir(buf(24), {value})"));
                format!("copy(data, {at} & 7, {other}, {value} & 7, 8)")
            }
        };
        self.line(&text);
    }

    fn halves(&mut self) {
        let value = self.expr(Ty::I64, 2);
        let (low, high) = (self.fresh("x"), self.fresh("x"));
        self.line(&format!("var ({low}, {high}) = halves({value})"));
        for name in [low, high] {
            self.vars.push(Var { name, ty: Ty::I32, mutable: true });
        }
    }

    /// Leaves a loop or the function, on a condition.
    fn leave(&mut self) {
        let condition = self.expr(Ty::Bool, 2);
        let text = match (self.loops.len(), self.result) {
            (0, Some(result)) => format!("return {}", self.expr(result, 1)),
            (0, None) => return self.line(&format!("assert {condition} || true")),
            (open, _) => {
                let word = self.random.pick(&["break", "continue"]);
                let at = self.random.below(open);
                format!("{word} {}", self.loops[at])
            }
        };
        self.line(&format!("if {condition} {{ {text} }}"));
    }

    fn branch(&mut self, depth: usize) {
        let condition = self.expr(Ty::Bool, 2);
        self.line(&format!("if {condition} {{"));
        self.block(depth);
        if self.random.percent(30) {
            let condition = self.expr(Ty::Bool, 2);
            self.line(&format!("}} else if {condition} {{"));
            self.block(depth);
        }
        if self.random.percent(60) {
            self.line("} else {");
            self.block(depth);
        }
        self.line("}");
    }

    /// Runs `inside` in a loop of this head.
    fn in_loop(&mut self, head: &str, inside: impl FnOnce(&mut Self)) {
        let label = self.fresh("'l");
        self.line(&format!("{label}: {head} {{"));
        self.loops.push(label);
        inside(self);
        self.loops.pop();
        self.line("}");
    }

    fn count(&mut self, depth: usize) {
        let name = self.fresh("k");
        let (ty, from, to) = match self.random.below(3) {
            0 => (Ty::I64, format!("i64({})", self.random.below(3)), format!("i64({})", self.random.below(6))),
            1 => (Ty::I32, String::from("0"), format!("({} & 3) + 1", self.expr(Ty::I32, 1))),
            _ => (Ty::I32, String::from("-2"), format!("{}", self.random.below(4))),
        };
        let head = format!("for {name} in {from}..{to}");
        self.in_loop(&head, |generator| {
            let outer = generator.vars.len();
            generator.vars.push(Var { name, ty, mutable: false });
            generator.block(depth);
            generator.vars.truncate(outer);
        });
    }

    fn repeat(&mut self, depth: usize) {
        let turns = self.fresh("n");
        self.line(&format!("var {turns} = 0"));
        let limit = 1 + self.random.below(5);
        let condition = self.expr(Ty::Bool, 1);
        let head = format!("while {turns} < {limit} && ({condition} || {turns} < 2)");
        self.in_loop(&head, |generator| {
            generator.indent += 1;
            generator.line(&format!("{turns} += 1"));
            generator.indent -= 1;
            generator.block(depth);
        });
    }

    fn forever(&mut self, depth: usize) {
        let turns = self.fresh("n");
        self.line(&format!("var {turns} = 0"));
        let limit = 1 + self.random.below(4);
        self.in_loop("loop", |generator| {
            generator.indent += 1;
            generator.line(&format!("{turns} += 1"));
            generator.line(&format!("if {turns} > {limit} {{ break }}"));
            generator.indent -= 1;
            generator.block(depth);
        });
    }

    fn choose(&mut self, depth: usize) {
        let (head, patterns) = self.patterns();
        self.line(&format!("match {head} {{"));
        self.indent += 1;
        for pattern in patterns {
            self.line(&format!("{pattern} => {{"));
            self.block(depth);
            self.line("}");
        }
        self.indent -= 1;
        self.line("}");
    }

    /// What to match, and patterns that cover it.
    fn patterns(&mut self) -> (String, Vec<&'static str>) {
        match self.random.below(4) {
            0 => (format!("{} & 3", self.expr(Ty::I32, 2)), vec!["0", "1 | 3", "_"]),
            1 => (self.expr(Ty::I64, 2), vec!["-1 | 0 | 1", "64", "_"]),
            2 => (self.expr(Ty::Bool, 2), vec!["true", "false"]),
            _ => (self.expr(Ty::Str, 1), vec!["\"\" | \"zero\"", "\"one\"", "_"]),
        }
    }

    fn value_branch(&mut self, depth: usize) {
        let ty = self.random.pick(&Ty::ALL);
        let name = self.fresh("x");
        if self.random.percent(50) {
            let condition = self.expr(Ty::Bool, 2);
            self.line(&format!("var {name}: {} = if {condition} {{", ty.name()));
            self.value_block(ty, depth);
            self.line("} else {");
            self.value_block(ty, depth);
        } else {
            let (head, patterns) = self.patterns();
            self.line(&format!("var {name}: {} = match {head} {{", ty.name()));
            self.indent += 1;
            for pattern in patterns {
                self.line(&format!("{pattern} => {{"));
                self.value_block(ty, depth);
                self.line("}");
            }
            self.indent -= 1;
        }
        self.line("}");
        self.vars.push(Var { name, ty, mutable: true });
    }

    fn value_block(&mut self, ty: Ty, depth: usize) {
        let outer = self.vars.len();
        self.block(depth.min(1));
        self.indent += 1;
        let value = self.expr(ty, 2);
        self.line(&value);
        self.indent -= 1;
        self.vars.truncate(outer);
    }

    /// A statement that traps for some values.
    fn perhaps_trap(&mut self) {
        let value = self.expr(Ty::I32, 2);
        let text = match self.random.below(6) {
            0 => format!("mix(i64(7 / ({value} & 3)))"),
            1 => format!("mix(i64(data[{value} & 31]))"),
            2 => format!("mix(i64(load32({value} & 131071)))"),
            3 => format!("mix(i64(i32({} * 1.0e9)))", self.expr(Ty::F64, 1)),
            4 => format!("assert {value} > 0"),
            _ => format!("if {value} > 0 {{ trap \"positive\" }}"),
        };
        self.line(&text);
    }

    // Expressions

    fn literal(&mut self, ty: Ty) -> String {
        match ty {
            Ty::I32 => match self.random.below(4) {
                0 => self.random.pick(&["-2147483648", "2147483647", "-1", "0x7f"]).to_string(),
                _ => (self.random.below(200) as i64 - 100).to_string(),
            },
            Ty::I64 => format!("L{}", self.random.below(LONGS)),
            Ty::F64 => match self.random.below(5) {
                0 => self.random.pick(&["0.0", "-0.0", "1.0e300", "-2.5e-7", "4503599627370496.5"]).to_string(),
                _ => format!("{}.{}", self.random.below(40) as i64 - 20, self.random.pick(&["0", "5", "125", "1"])),
            },
            Ty::Bool => self.random.pick(&["true", "false"]).to_string(),
            Ty::Str => self.random.pick(&["\"\"", "\"zero\"", "\"one\"", "\"two words\"", "\"a-b-c\""]).to_string(),
        }
    }

    fn leaf(&mut self, ty: Ty) -> String {
        let names: Vec<String> = self.vars.iter().filter(|var| var.ty == ty).map(|var| var.name.clone()).collect();
        if names.is_empty() || self.random.percent(25) {
            return self.literal(ty);
        }
        names[self.random.below(names.len())].clone()
    }

    /// An expression; one that is more than a name, literal or call stands in parentheses.
    fn expr(&mut self, ty: Ty, depth: usize) -> String {
        if depth == 0 || self.random.percent(15) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.random.below(12) {
            0 => {
                let (test, yes, no) = (self.expr(Ty::Bool, depth), self.expr(ty, depth), self.expr(ty, depth));
                return format!("(if {test} {{ {yes} }} else {{ {no} }})");
            }
            1 => {
                if let Some(call) = self.call(ty, depth) {
                    return call;
                }
            }
            _ => {}
        }
        match ty {
            Ty::I32 => self.int(depth),
            Ty::I64 => self.long(depth),
            Ty::F64 => self.float(depth),
            Ty::Bool => self.truth(depth),
            Ty::Str => self.text(depth),
        }
    }

    fn call(&mut self, ty: Ty, depth: usize) -> Option<String> {
        let fitting: Vec<usize> = (0..self.funcs.len()).filter(|at| self.funcs[*at].result == ty).collect();
        if fitting.is_empty() {
            return None;
        }
        let at = self.random.pick(&fitting);
        let (name, params) = (self.funcs[at].name.clone(), self.funcs[at].params.clone());
        let args: Vec<String> = params.into_iter().map(|ty| self.expr(ty, depth.min(1))).collect();
        Some(format!("{name}({})", args.join(", ")))
    }

    /// Operators that both integer types have.
    fn integer(&mut self, ty: Ty, depth: usize) -> String {
        let (a, b) = (self.expr(ty, depth), self.expr(ty, depth));
        match self.random.below(6) {
            0..=2 => format!("({a} {} {b})", self.random.pick(&["+", "-", "*", "&", "|", "^", "<<", ">>"])),
            // An odd divisor in this range is never 0 or -1.
            3 => format!("({a} {} ({b} & 255 | 1))", self.random.pick(&["/", "%"])),
            4 => match self.random.pick(&["div_u", "rem_u", "rotl", "rotr", "min", "max", "shr_u"]) {
                name @ ("div_u" | "rem_u") => format!("{name}({a}, {b} | 1)"),
                name => format!("{name}({a}, {b})"),
            },
            _ => match self.random.pick(&["-", "~", "clz", "ctz", "popcnt", "abs"]) {
                sign @ ("-" | "~") => format!("({sign}({a}))"),
                name => format!("{name}({a})"),
            },
        }
    }

    fn int(&mut self, depth: usize) -> String {
        match self.random.below(14) {
            0 => format!("i32({})", self.expr(Ty::I64, depth)),
            1 => format!("i32({})", self.expr(Ty::Bool, depth)),
            2 => {
                let name = self.random.pick(&["i32_sat", "i32_sat_u"]);
                format!("{name}({})", self.expr(Ty::F64, depth))
            }
            3 => {
                let name = self.random.pick(&["load8_s", "load8_u", "load16_s", "load16_u", "load32"]);
                format!("{name}({})", self.address())
            }
            4 => format!("data[{} & 15]", self.expr(Ty::I32, depth)),
            5 => {
                let name = self.random.pick(&["load8_s", "load16_u", "load32"]);
                format!("{name}(data, {} & 12)", self.expr(Ty::I32, depth))
            }
            6 => format!("len({})", self.expr(Ty::Str, depth)),
            7 => format!("byte({}, {})", self.expr(Ty::Str, depth), self.expr(Ty::I32, depth)),
            8 => self.random.pick(&["memory_size()", "len(data)", "fuel"]).to_string(),
            _ => self.integer(Ty::I32, depth),
        }
    }

    fn long(&mut self, depth: usize) -> String {
        match self.random.below(12) {
            0 => {
                let name = self.random.pick(&["i64", "i64_u"]);
                format!("{name}({})", self.expr(Ty::I32, depth))
            }
            1 => {
                let name = self.random.pick(&["i64_sat", "i64_sat_u", "i64_bits"]);
                format!("{name}({})", self.expr(Ty::F64, depth))
            }
            2 => format!("load64({})", self.address()),
            3 => format!("load64(data, {} & 8)", self.expr(Ty::I32, depth)),
            4 => String::from("total(data)"),
            5 => format!("digest({})", self.expr(Ty::Str, depth)),
            6 => String::from("acc"),
            _ => self.integer(Ty::I64, depth),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let a = self.expr(Ty::F64, depth);
        match self.random.below(9) {
            0..=3 => format!("({a} {} {})", self.random.pick(&["+", "-", "*", "/"]), self.expr(Ty::F64, depth)),
            4 => format!("{}({a}, {})", self.random.pick(&["min", "max", "copysign"]), self.expr(Ty::F64, depth)),
            5 => match self.random.pick(&["-", "abs", "sqrt", "ceil", "floor", "trunc", "nearest"]) {
                "-" => format!("(-({a}))"),
                name => format!("{name}({a})"),
            },
            6 => format!("{}({})", self.random.pick(&["f64", "f64_u"]), self.expr(Ty::I32, depth)),
            7 => format!("{}({})", self.random.pick(&["f64", "f64_u", "f64_bits"]), self.expr(Ty::I64, depth)),
            _ => format!("load_f64({})", self.address()),
        }
    }

    fn truth(&mut self, depth: usize) -> String {
        let ty = self.random.pick(&Ty::ALL);
        let (a, b) = (self.expr(ty, depth), self.expr(ty, depth));
        match ty {
            Ty::Bool => match self.random.below(3) {
                0 => format!("(!({a}))"),
                _ => format!("({a} {} {b})", self.random.pick(&["&&", "||", "&", "|", "^", "==", "!="])),
            },
            Ty::Str => format!("({a} {} {b})", self.random.pick(&["==", "!="])),
            Ty::I32 | Ty::I64 if self.random.percent(30) => {
                format!("{}({a}, {b})", self.random.pick(&["lt_u", "gt_u", "le_u", "ge_u"]))
            }
            Ty::I32 | Ty::I64 | Ty::F64 => {
                format!("({a} {} {b})", self.random.pick(&["==", "!=", "<", ">", "<=", ">="]))
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.random.below(6) {
            0 => format!("clip(concat({}, {}))", self.expr(Ty::Str, depth), self.expr(Ty::Str, depth)),
            1 => format!("slice(clip({}), 0, 0)", self.expr(Ty::Str, depth)),
            2 => format!("str_at(2048 + ({} & 7), 5)", self.expr(Ty::I32, depth)),
            _ => {
                let ty = self.random.pick(&[Ty::I32, Ty::I64, Ty::F64, Ty::Bool]);
                format!("clip(str({}))", self.expr(ty, depth))
            }
        }
    }

    /// A value of any type as what the checksum takes.
    fn as_long(&mut self, ty: Ty, value: &str) -> String {
        match ty {
            Ty::I32 => format!("i64({value})"),
            Ty::I64 => value.to_string(),
            Ty::F64 => format!("i64_bits({value})"),
            Ty::Bool => format!("i64(i32({value}))"),
            Ty::Str => format!("digest({value})"),
        }
    }
}

/// How many `i64` constants a program has.
const LONGS: usize = 6;

#[cfg(test)]
mod tests {
    use super::program;

    #[test]
    fn programs_are_valid_and_depend_on_their_seed_alone() {
        for seed in 0..500 {
            let text = program(seed);
            let module =
                il::text::compile("random.il", &text, isa::ALL).unwrap_or_else(|all| panic!("seed {seed}:\n{all}"));
            il::verify(module).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!(text, program(seed));
        }
        assert_ne!(program(1), program(2));
    }

    /// The text without comments: `assert` words its condition as the source did.
    fn code(text: &str) -> Vec<&str> {
        text.lines().map(|line| line.split(" // ").next().unwrap_or(line)).collect()
    }

    #[test]
    fn programs_survive_disassembly() {
        for seed in 0..100 {
            let first = il::text::compile("random.il", &program(seed), isa::ALL).unwrap();
            let text = il::disasm::module(&first);
            let second =
                il::text::compile("random.il", &text, isa::ALL).unwrap_or_else(|all| panic!("seed {seed}:\n{all}"));
            assert_eq!(code(&text), code(&il::disasm::module(&second)), "seed {seed}");
            assert_eq!(first.funcs.len(), second.funcs.len());
        }
    }
}
