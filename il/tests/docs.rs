//! The book's examples: every block of IL in `docs` compiles, or is refused with the code that stands beside it, and
//! the annotated bytes of a module are what the encoder writes.

use std::path::{Path, PathBuf};

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
        let at = self.info.iter().position(|word| word == "error")?;
        Some(self.info.get(at + 1).expect("a code after `error`"))
    }

    /// The text as a module.
    fn source(&self) -> String {
        if self.text.lines().any(|line| line.starts_with("module ")) {
            return self.text.clone();
        }
        let uses: String = isa::ALL
            .iter()
            .filter_map(|set| {
                let name = set.name.rsplit('.').next()?;
                let declared = self.text.lines().any(|line| line.starts_with(&format!("use {name}:")));
                let wanted = self.text.contains(&format!("{name}.")) || self.text.contains(&format!("({name}, "));
                (wanted && !declared).then(|| format!("use {name}: {}\n", set.path()))
            })
            .collect();
        let memory =
            ["load8_u(", "load32("].iter().any(|word| self.text.contains(word)) && !self.text.contains("memory ");
        let memory = if memory && self.is("memory") { "memory 1..4\n" } else { "" };
        match self.is("body") {
            true => format!("module example\n{uses}{memory}func example() {{\n{}}}\n", self.text),
            false => format!("module example\n{uses}{memory}{}", self.text),
        }
    }
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

/// Whether the links of a page lead somewhere: files, and headings of Markdown pages.
fn dead_links(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
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
