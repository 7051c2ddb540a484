//! Pages that are generated from the code, and committed so that every change of an interface shows.
//!
//! `docs/instruction-sets.md` is generated whole. The reference is written by hand around tables that are
//! generated: a page says `<!-- generated: NAME -->`, the table follows, up to `<!-- end -->`.

mod instructions;
mod operators;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::shell;

const SETS: &str = "docs/instruction-sets.md";
const REFERENCE: &str = "docs/reference";
const OPEN: &str = "<!-- generated: ";
const CLOSE: &str = "<!-- end -->";

/// What makes a table.
type Make = fn() -> String;

/// Every table, by the name that pages ask for it.
const TABLES: &[(&str, Make)] = &[
    ("types", tables::types),
    ("storage", tables::storage),
    ("traps", tables::traps),
    ("statuses", tables::statuses),
    ("limits", tables::limits),
    ("diagnostics", tables::diagnostics),
    ("sections", tables::sections),
    ("violations", tables::violations),
    ("problems", tables::problems),
    ("words", tables::words),
    ("item-words", tables::item_words),
    ("precedence", tables::precedence),
    ("constants", instructions::constants),
    ("variables", instructions::variables),
    ("functions", instructions::functions),
    ("control", instructions::control),
    ("objects", instructions::objects),
    ("devices", instructions::devices),
    ("programs", instructions::programs),
    ("shuffle", instructions::operators),
    ("codes", instructions::codes),
    ("integers", operators::integers),
    ("floats", operators::floats),
    ("bools", operators::bools),
    ("conversions", operators::conversions),
    ("memory", operators::memory),
    ("bufs", operators::bufs),
    ("strs", operators::strs),
    ("vector-memory", operators::vector_memory),
    ("vector-any", operators::vector_any),
    ("vector-i8x16", operators::i8x16),
    ("vector-i16x8", operators::i16x8),
    ("vector-i32x4", operators::i32x4),
    ("vector-i64x2", operators::i64x2),
    ("vector-f32x4", operators::f32x4),
    ("vector-f64x2", operators::f64x2),
];

/// A page as it is and as it should be.
struct Page {
    path: PathBuf,
    now: String,
    should: String,
}

/// Writes the pages that are stale.
///
/// # Errors
/// If a page is malformed, or a file cannot be written.
pub fn write() -> anyhow::Result<()> {
    for Page { path, now, should } in pages()? {
        if now != should {
            std::fs::write(&path, should).with_context(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

/// Checks that the pages are what the code says.
///
/// # Errors
/// If one is stale; says how to renew it.
pub fn check() -> anyhow::Result<()> {
    for Page { path, now, should } in pages()? {
        if now == should {
            continue;
        }
        let differs = now.lines().zip(should.lines()).position(|(now, should)| now != should);
        let line = differs.unwrap_or(now.lines().count().min(should.lines().count())) + 1;
        bail!("{} is stale from line {line} on\n  renew it: cargo xtask docs", path.display());
    }
    Ok(())
}

/// All generated pages; every table stands on one of them.
fn pages() -> anyhow::Result<Vec<Page>> {
    let sets = shell::root().join(SETS);
    let now = std::fs::read_to_string(&sets).unwrap_or_default();
    let mut pages = vec![Page { path: sets, now, should: isa::reference_page() }];
    let mut used = Vec::new();
    for path in markdown(&shell::root().join(REFERENCE))? {
        let now = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let should = fill(&now, &mut used).with_context(|| path.display().to_string())?;
        pages.push(Page { path, now, should });
    }
    for (name, _) in TABLES {
        if !used.iter().any(|used| used == name) {
            bail!("no page of {REFERENCE} shows the table `{name}`");
        }
    }
    Ok(pages)
}

fn markdown(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    Ok(paths)
}

/// The page with its tables renewed; their names are added to `used`.
fn fill(page: &str, used: &mut Vec<String>) -> anyhow::Result<String> {
    let mut out = String::with_capacity(page.len());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(name) = line.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let table = TABLES.iter().find(|(known, _)| *known == name);
        let (_, make) = table.with_context(|| format!("there is no table `{name}`"))?;
        if !lines.any(|line| line == CLOSE) {
            bail!("the table `{name}` does not end with `{CLOSE}`");
        }
        out.push('\n');
        out.push_str(&make());
        out.push('\n');
        out.push_str(CLOSE);
        out.push('\n');
        used.push(name.to_string());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_what_the_code_says() {
        check().unwrap();
    }

    #[test]
    fn a_stale_table_is_renewed_and_a_strange_one_refused() {
        let page = "before\n<!-- generated: statuses -->\nold\n<!-- end -->\nafter\n";
        let mut used = Vec::new();
        let filled = fill(page, &mut used).unwrap();
        assert!(filled.starts_with("before\n") && filled.ends_with("<!-- end -->\nafter\n"));
        assert!(filled.contains("not permitted") && !filled.contains("old"));
        assert_eq!(fill(&filled, &mut used).unwrap(), filled);
        assert!(fill("<!-- generated: statuses -->\n", &mut used).is_err());
        assert!(fill("<!-- generated: nonsense -->\n<!-- end -->\n", &mut used).is_err());
    }
}
