//! The book's examples: every block of IL in `docs` compiles, or is refused with the code that stands beside it, and
//! the annotated bytes of a module are what the encoder writes.

use std::path::{Path, PathBuf};

use il::op::Op;
use il::packet::{Builder, Value};
use il::shape::Shapes;
use il::text::{Code, Options, Source};
use il::trap::TrapKind;
use il::{FuncId, VerifiedModule};
use interp::{Limits, Machine, Outcome};

/// A fenced block of a page.
struct Block {
    page: PathBuf,
    /// Line of its opening fence, from 1.
    line: usize,
    /// The words after the fence.
    info: Vec<String>,
    text: String,
}

impl Block {
    fn is(&self, word: &str) -> bool {
        self.info.iter().any(|known| known == word)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.page.display(), self.line)
    }

    /// The code with which it must be refused.
    fn refused_with(&self) -> Option<&str> {
        self.after("error")
    }

    /// The kind of trap that it must raise.
    fn traps_with(&self) -> Option<&str> {
        self.after("traps")
    }

    fn after(&self, word: &str) -> Option<&str> {
        let at = self.info.iter().position(|known| known == word)?;
        Some(self.info.get(at + 1).expect("a word after it"))
    }

    /// The path of a module that other blocks can import.
    fn module_path(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix("module "))
    }

    /// The text as a module: a block without `module` uses the built-in sets that it names.
    fn source(&self) -> String {
        if self.module_path().is_some() {
            return self.text.clone();
        }
        let mut source = String::from("module example\n");
        for set in isa::ALL {
            let name = set.name.rsplit('.').next().unwrap_or(&set.name);
            let declared = self.text.lines().any(|line| line.starts_with(&format!("use {name}:")));
            if !declared && mentions(&self.text, name) {
                source.push_str(&format!("use {name}: {}\n", set.path()));
            }
        }
        match self.is("body") {
            true => source.push_str(&format!("func example() {{\n{}}}\n", self.text)),
            false => source.push_str(&self.text),
        }
        source
    }

    /// Compiles and verifies it, and its tests; it may import what other blocks of the book declare.
    fn compile(&self, all: &[Block]) -> Result<VerifiedModule, Refused> {
        let resolve = |path: &str| {
            let block = all.iter().find(|block| block.module_path() == Some(path));
            let text = match block {
                Some(block) => block.text.clone(),
                None => il::library::module(path)?.1.to_string(),
            };
            Some(Source { file: format!("{path}.il"), text })
        };
        let options = Options { known: isa::ALL, resolve: &resolve, tests: true };
        let module = il::text::compile_with("example.il", &self.source(), &options).map_err(|errors| Refused {
            codes: errors.iter().map(|error| error.code.name()).collect(),
            text: errors.to_string(),
        })?;
        il::verify(module).map_err(|error| Refused { codes: vec!["IL0500"], text: error.to_string() })
    }
}

/// Why a block does not compile.
struct Refused {
    codes: Vec<&'static str>,
    text: String,
}

/// Whether a text names a capability outside dotted paths: `display.size()`, `run(display, ..)`.
fn mentions(text: &str, name: &str) -> bool {
    let part = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(|char| part(char) || char == '.') && matches!(after, Some('.' | ',' | ')'))
    })
}

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn blocks(page: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(page).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                let info = info.split_whitespace().map(str::to_string).collect();
                found.push(Block { page: page.to_path_buf(), line: at + 1, info, text: String::new() });
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let block = found.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!open, "{}: a block does not end", page.display());
    found
}

fn is_il(block: &Block) -> bool {
    block.info.first().is_some_and(|word| word == "il")
}

fn all_blocks() -> Vec<Block> {
    pages(&book()).iter().flat_map(|page| blocks(page)).collect()
}

#[test]
fn examples_compile_or_are_refused_as_they_say() {
    let all = all_blocks();
    let mut wrong = Vec::new();
    for block in all.iter().filter(|block| is_il(block)) {
        match (block.compile(&all), block.refused_with()) {
            (Ok(_), None) => {}
            (Ok(_), Some(code)) => wrong.push(format!("{}: is not refused with {code}", block.place())),
            (Err(refused), Some(code)) if refused.codes.iter().all(|found| *found == code) => {}
            (Err(refused), _) => wrong.push(format!("{}:\n{}", block.place(), refused.text)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(all.iter().filter(|block| is_il(block)).count() > 30, "the book has examples");
}

#[test]
fn every_code_has_an_example() {
    let page = book().join("reference/errors.md");
    let shown: Vec<Block> = blocks(&page);
    for code in Code::ALL {
        // These two cannot be shown: see the page.
        if !matches!(code, Code::TooDeep | Code::Rejected) {
            let found = shown.iter().any(|block| block.refused_with() == Some(code.name()));
            assert!(found, "{} has no example in {}", code.name(), page.display());
        }
    }
}

/// A meaning says of each trap when it is raised. Memory accesses and quotas are spoken of once for all.
#[test]
fn meanings_say_when_operators_trap() {
    for info in Op::TABLE {
        let meaning = info.op.meaning();
        for kind in TrapKind::ALL {
            let spoken_of = *kind == TrapKind::Quota || info.form.has_offset() && *kind == TrapKind::MemoryOutOfBounds;
            let named = meaning.contains(&format!("`{kind:?}`"));
            let raised = info.traps.contains(kind);
            assert!(named == raised || spoken_of && raised, "{}: {kind:?} in \"{meaning}\"", info.name);
        }
    }
}

/// What the examples assert is true: those that need no device are run by the reference interpreter.
#[test]
fn examples_do_what_they_say() {
    let all = all_blocks();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for block in all.iter().filter(|block| is_il(block) && block.refused_with().is_none()) {
        let Ok(module) = block.compile(&all) else { continue };
        let body = if block.is("body") && module.uses.is_empty() { Some(FuncId(0)) } else { None };
        let tests = module.tests.iter().map(|test| test.func);
        let funcs: Vec<FuncId> = tests.chain(body).collect();
        assert!(!funcs.is_empty() || block.traps_with().is_none(), "{} cannot be run", block.place());
        for func in funcs {
            count += 1;
            // Each in a machine of its own, which asserts the verifier's claims.
            let limits = Limits { check: true, ..Limits::default() };
            let outcome = Machine::new(&module, limits).map(|mut machine| machine.call(func, &[]));
            match (outcome, block.traps_with()) {
                (Ok(Ok(Outcome::Done(_))), None) => {}
                (Ok(Ok(Outcome::Trap(report))), Some(kind)) if format!("{:?}", report.kind) == kind => {}
                (Ok(other), _) => wrong.push(format!("{}: {other:?}", block.place())),
                (Err(report), _) => wrong.push(format!("{}: {report}", block.place())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count > 10, "some examples are run");
}

/// The annotated bytes on the page are the whole module that stands above them.
#[test]
fn the_worked_example_is_what_the_encoder_writes() {
    let all = all_blocks();
    let at = all.iter().position(|block| block.info == ["hex"]).expect("a block of bytes");
    let (shown, source) = (&all[at], &all[at - 1]);
    let module = source.compile(&all).unwrap_or_else(|refused| panic!("{}", refused.text));
    let lines = shown.text.lines().map(|line| line.split(';').next().unwrap_or(""));
    let bytes: Vec<u8> =
        lines.flat_map(str::split_whitespace).map(|byte| u8::from_str_radix(byte, 16).expect("a byte")).collect();
    assert_eq!(bytes, il::binary::encode(&module), "{}", shown.place());
    assert_eq!(il::binary::decode(&bytes).as_ref(), Ok(&*module));
}

/// The words of a packet on the page are what the builder makes of the instructions named above them.
#[test]
fn the_packet_is_what_the_builder_makes() {
    let mut packet = Builder::default();
    let int = Value::I32;
    packet.begin(4, 0);
    for value in [10, 10, 80, 40, 0x3366ff] {
        packet.push(int(value));
    }
    packet.end().unwrap();
    packet.begin(6, 0).push(int(8)).push(int(8)).push(Value::Str("häuser")).push(int(-1)).end().unwrap();
    packet.begin(1, 7).end().unwrap();
    let all = all_blocks();
    let shown = all.iter().find(|block| block.info == ["packet"]).expect("a block of words");
    let words = shown.text.lines().map(|line| line.split(';').next().unwrap_or("").replace('_', ""));
    let words: Vec<u64> = words.map(|word| u64::from_str_radix(word.trim(), 16).expect("a word")).collect();
    assert_eq!(words, packet.words, "{}", shown.place());
}

/// What is hashed of an instruction, on the page, gives its hash.
#[test]
fn the_signatures_are_what_is_hashed() {
    let all = all_blocks();
    let shown = all.iter().find(|block| block.info == ["signatures"]).expect("a block of signatures");
    for line in shown.text.lines() {
        let path = line.split(' ').next().unwrap_or("");
        let set = isa::ALL.iter().find(|set| set.path() == path).expect("a built-in set");
        let mut hashes = set.instructions.iter().map(|one| set.instruction_hash(one, &Shapes::NONE));
        let mut events = set.events.iter().map(|one| set.event_hash(one, &Shapes::NONE));
        let hash = *blake3::hash(line.as_bytes()).as_bytes();
        assert!(hashes.any(|known| known == hash) || events.any(|known| known == hash), "{line}");
    }
}

/// Whether the links of a page lead somewhere: files, and headings of Markdown pages.
fn dead_links(page: &Path) -> Vec<String> {
    let text = prose(&std::fs::read_to_string(page).unwrap());
    let mut dead = Vec::new();
    for rest in text.split("](").skip(1) {
        let target = rest.split(')').next().unwrap_or("");
        if target.contains("://") {
            continue;
        }
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { page.to_path_buf() } else { page.parent().unwrap().join(file) };
        let found = match (path.exists(), heading) {
            (true, "") => true,
            (true, heading) => headings(&path).iter().any(|known| known == heading),
            (false, _) => false,
        };
        if !found {
            dead.push(format!("{}: {target}", page.display()));
        }
    }
    dead
}

/// A page without its code.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.extend(line.split('`').step_by(2));
            out.push('\n');
        }
    }
    out
}

/// Anchors of a page's headings, as GitHub makes them.
fn headings(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let titles = text.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |title: &str| {
        let title = title.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
        kept.map(|char| if char == ' ' { '-' } else { char }).collect()
    };
    titles.map(anchor).collect()
}

#[test]
fn links_lead_somewhere() {
    let dead: Vec<String> = pages(&book()).iter().flat_map(|page| dead_links(page)).collect();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}
