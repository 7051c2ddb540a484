//! `ilc doc`: a page of Markdown a module, made of its items and their `///` comments.
//!
//! The same text gives the same page, on every machine. Signatures are shown as `ilc fmt` writes them. A text is not
//! checked for it: `ilc check` does that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use il::text::{Item, ItemKind};

use crate::input::{Failure, read_text};
use crate::output::{print, write_over};

/// A part of a page: its title, and the items that stand in it.
const PARTS: &[(&str, &[ItemKind])] = &[
    ("Instruction sets", &[ItemKind::Isa]),
    ("Provides", &[ItemKind::Provides]),
    ("Wants", &[ItemKind::Use]),
    ("Handles", &[ItemKind::Handler]),
    ("Programs", &[ItemKind::Program]),
    ("Types", &[ItemKind::Struct, ItemKind::Enum]),
    ("Constants and globals", &[ItemKind::Const, ItemKind::Global]),
    ("Functions", &[ItemKind::Func]),
];

/// A module's page.
struct Page {
    module: String,
    /// The first line of its documentation.
    summary: String,
    text: String,
}

/// Writes the pages of texts into a folder, with a list of them; without a folder, prints them.
pub fn write(inputs: &[PathBuf], folder: Option<&Path>, all: bool) -> Result<(), Failure> {
    let (mut pages, mut failures) = (Vec::new(), Vec::new());
    for input in inputs {
        match page(input, all) {
            Ok(page) => pages.push(page),
            Err(failure) => failures.push(failure),
        }
    }
    if !failures.is_empty() {
        return Err(Failure::Several(failures));
    }
    let Some(folder) = folder else {
        return pages.iter().try_for_each(|page| print(&page.text));
    };
    pages.sort_by(|a, b| a.module.cmp(&b.module));
    if let Some(pair) = pages.windows(2).find(|pair| pair[0].module == pair[1].module) {
        return Err(Failure::Plain(format!("two of these texts are the module `{}`", pair[0].module)));
    }
    fs::create_dir_all(folder).map_err(|error| Failure::message(folder, &format!("cannot be made: {error}")))?;
    for page in &pages {
        write_over(&folder.join(format!("{}.md", page.module)), page.text.as_bytes())?;
    }
    write_over(&folder.join("README.md"), list(&pages).as_bytes())
}

/// The list of all pages.
fn list(pages: &[Page]) -> String {
    let mut text = String::from("# Modules\n\n| module | |\n| --- | --- |\n");
    for Page { module, summary, .. } in pages {
        let _ = writeln!(text, "| [`{module}`]({module}.md) | {} |", summary.replace('|', "\\|"));
    }
    text
}

fn page(input: &Path, all: bool) -> Result<Page, Failure> {
    let name = input.display().to_string();
    let source = read_text(input)?;
    let formatted = il::text::format(&name, &source).map_err(Failure::Text)?;
    let items = il::text::outline(&formatted);
    let stem = || input.file_stem().map_or_else(|| "module".into(), |stem| stem.to_string_lossy().into_owned());
    let head = items.iter().find(|item| item.kind == ItemKind::Module);
    let module = head.map_or_else(stem, |item| item.name.clone());
    let doc = head.map_or("", |item| &item.doc);

    let mut text = format!("# `{module}`\n");
    paragraph(&mut text, doc);
    for (title, kinds) in PARTS {
        let shown: Vec<&Item> =
            items.iter().filter(|item| kinds.contains(&item.kind) && (all || is_public(item))).collect();
        if shown.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {title}\n");
        for item in shown {
            describe(&mut text, item);
        }
    }
    Ok(Page { module, summary: doc.lines().next().unwrap_or("").to_owned(), text })
}

/// What those who use a module can see of it.
fn is_public(item: &Item) -> bool {
    match item.kind {
        ItemKind::Const | ItemKind::Enum | ItemKind::Struct | ItemKind::Global | ItemKind::Func => item.exported,
        ItemKind::Module | ItemKind::Use | ItemKind::Import | ItemKind::Memory | ItemKind::Data => true,
        ItemKind::Isa | ItemKind::Provides | ItemKind::Program | ItemKind::Handler => true,
        ItemKind::Instruction | ItemKind::Event | ItemKind::Op | ItemKind::Member | ItemKind::Field => true,
        ItemKind::Test => false,
    }
}

fn describe(text: &mut String, item: &Item) {
    let _ = write!(text, "\n### `{}`\n\n```il\n{}\n```\n", item.name, item.signature);
    paragraph(text, &item.doc);
    if item.children.is_empty() {
        return;
    }
    // Members and fields stand in the signature already.
    let listed = matches!(item.kind, ItemKind::Isa | ItemKind::Provides);
    let parts: Vec<&Item> = item.children.iter().filter(|part| listed || !part.doc.is_empty()).collect();
    if !parts.is_empty() {
        text.push('\n');
    }
    for part in parts {
        let _ = writeln!(text, "- `{}`", one_line(&part.signature));
        for line in part.doc.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
}

fn paragraph(text: &mut String, doc: &str) {
    if !doc.is_empty() {
        let _ = write!(text, "\n{doc}\n");
    }
}

fn one_line(signature: &str) -> String {
    signature.split_whitespace().collect::<Vec<_>>().join(" ")
}
