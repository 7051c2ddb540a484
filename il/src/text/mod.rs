//! The text form: from source to [`Module`] (reference, chapters "Lexical structure" to "Expressions").
//!
//! Four steps, one folder or file each: `lexer` makes words, `parse` a tree, `check` resolves
//! names, infers types, emits code through [`crate::instr::Writer`] and links, `diag` shows what is wrong.
//!
//! Invariants: any text gives a module or at least one error, within bounded stack and in time
//! near-linear in its length; a module that comes out passes [`crate::verify`].

mod ast;
mod check;
mod diag;
mod fmt;
mod index;
mod lexer;
mod outline;
mod parse;
pub(crate) mod prelude;
mod token;

pub use diag::{Code, Diagnostic, Diagnostics, Span, Suggestion};
pub use fmt::format;
pub use index::{Index, Meaning, Place, Symbol, built_ins, index};
pub use outline::{Item, ItemKind, item_words, outline};

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::Module;
use crate::isa::InstructionSet;
use crate::limits::{FILES, SOURCE_BYTES};
use diag::{Report, Sink};

/// A text that an `import` asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its name for messages and the names section.
    pub file: String,
    /// Its content.
    pub text: String,
}

/// What a build needs to know besides the text.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Built-in instruction sets.
    pub known: &'a [&'static InstructionSet],
    /// Finds the text of an imported module by its path (`std.text`), if there is one.
    pub resolve: &'a dyn Fn(&str) -> Option<Source>,
    /// Whether the module's `test` blocks are compiled. They are checked in any case.
    pub tests: bool,
}

/// Compiles a text that imports nothing. `file` is its name for messages and the names section; `known` are the
/// built-in instruction sets.
///
/// # Errors
/// Everything that is wrong with the text, as far as one pass can tell.
pub fn compile(file: &str, source: &str, known: &[&'static InstructionSet]) -> Result<Module, Diagnostics> {
    compile_with(file, source, &Options { known, resolve: &|_| None, tests: false })
}

/// Compiles a text and all that it imports into one module. Everything in the text itself is kept; of imported
/// modules, what is reached from it. Modules may import each other.
///
/// # Errors
/// Everything that is wrong with the texts, as far as one pass can tell.
pub fn compile_with(file: &str, source: &str, options: &Options<'_>) -> Result<Module, Diagnostics> {
    let texts = load(file, source, options)?;
    checked(&texts, options, |build, sink| {
        let module = check::check(build, sink);
        if sink.is_clean() { Ok(module) } else { Err(core::mem::replace(sink, Sink::new("", "")).finish()) }
    })
}

/// The instruction sets that a text declares, whole and documented, in their order: what is used of them or not.
///
/// # Errors
/// Everything that is wrong with the text, as [`compile_with`].
pub fn sets(file: &str, source: &str, options: &Options<'_>) -> Result<Vec<InstructionSet>, Diagnostics> {
    let texts = load(file, source, options)?;
    let mut sets = checked(&texts, options, |build, sink| {
        let sets = check::sets(build, sink);
        if sink.is_clean() { Ok(sets) } else { Err(core::mem::replace(sink, Sink::new("", "")).finish()) }
    })?;
    let items = outline(source);
    for set in &mut sets {
        let path = set.path();
        let item = items.iter().find(|item| item.kind == ItemKind::Isa && item.name == path);
        set.doc = item.map_or_else(String::new, |item| item.doc.clone()).into();
    }
    Ok(sets)
}

/// Parses the texts of a build and hands them on.
fn checked<T>(
    texts: &[(String, Source)],
    options: &Options<'_>,
    act: impl for<'a, 's> FnOnce(&check::Build<'a>, &mut Sink<'s>) -> T,
) -> T {
    let mut all = String::new();
    for (_, text) in texts {
        all.push_str(&text.text);
        all.push('\n');
    }
    all.pop();
    let mut sink = Sink::of(&all, texts.iter().map(|(_, text)| (text.file.as_str(), text.text.len())));
    let mut start = 0;
    let mut files = Vec::new();
    for (_, text) in texts {
        let end = start + text.text.len();
        files.push(parse::parse(all.get(..end).unwrap_or(""), start, &mut sink));
        start = end + 1;
    }
    let mut units = Vec::new();
    for ((path, text), file) in texts.iter().zip(&files) {
        units.push(check::Unit { file, name: &text.file, path });
    }
    act(&check::Build { units: &units, known: options.known, tests: options.tests }, &mut sink)
}

/// The text itself, then all that it imports, each once, by path.
fn load(file: &str, source: &str, options: &Options<'_>) -> Result<Vec<(String, Source)>, Diagnostics> {
    let mut texts = alloc::vec![(String::new(), Source { file: file.to_string(), text: source.to_string() })];
    let mut asked = BTreeSet::new();
    let (mut at, mut bytes) = (0, 0);
    while let Some((_, next)) = texts.get(at) {
        bytes += next.text.len();
        let mut sink = Sink::new(&next.file, &next.text);
        if at == 0 && too_large(&next.text, &mut sink) {
            return Err(sink.finish());
        }
        let limit = 4 * SOURCE_BYTES;
        if bytes > limit || texts.len() > FILES {
            let message = format!("with this text, the build has {bytes} bytes, at most {limit} are accepted");
            sink.report(Report::new(Code::TooLarge, Span::default(), message));
            return Err(sink.finish());
        }
        let (own, imports) = head(&next.text);
        if at == 0 {
            // Who asks for the module that is built by its path gets it, not another copy.
            asked.extend(own.clone());
            texts[0].0 = own.unwrap_or_default();
        }
        for path in imports {
            if asked.insert(path.clone())
                && let Some(found) = (options.resolve)(&path)
            {
                texts.push((path, found));
            }
        }
        at += 1;
    }
    Ok(texts)
}

/// Whether a text is beyond the limit, which is reported.
fn too_large(source: &str, sink: &mut Sink<'_>) -> bool {
    let large = source.len() > SOURCE_BYTES;
    if large {
        let message = format!("this text has {} bytes, at most {SOURCE_BYTES} are accepted", source.len());
        sink.report(Report::new(Code::TooLarge, Span::default(), message));
    }
    large
}

/// What a text that imports something calls itself, and the paths that it imports.
fn head(text: &str) -> (Option<String>, Vec<String>) {
    // Most texts import nothing, and need not be read twice.
    if !text.contains("import") {
        return (None, Vec::new());
    }
    let mut unheard = Sink::new("", text);
    let file = parse::parse(text, 0, &mut unheard);
    let path = |item: &ast::Item<'_>| if let ast::Item::Import { path, .. } = item { Some(path.text()) } else { None };
    (file.module.as_ref().map(ast::Path::text), file.items.iter().filter_map(path).collect())
}

/// The words that the text form reserves.
pub fn reserved_words() -> impl Iterator<Item = &'static str> {
    token::KEYWORDS.iter().map(|(text, _)| *text)
}

/// The binary operators, the tightest first; those of one entry bind alike.
pub fn precedence() -> Vec<Vec<&'static str>> {
    parse::precedence()
}

/// Whether the text form reserves this word.
pub(crate) fn is_reserved(word: &str) -> bool {
    token::KEYWORDS.iter().any(|(text, _)| *text == word)
}
