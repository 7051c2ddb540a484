//! `unsafe-files.txt` lists exactly the source files that contain `unsafe`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;

use crate::shell;

const LIST: &str = "unsafe-files.txt";

/// Compares the list with the files.
///
/// # Errors
/// Every file that is in only one of them.
pub fn check() -> anyhow::Result<()> {
    let root = shell::root();
    // A missing list is an empty one: every file is then named.
    let listed = std::fs::read_to_string(root.join(LIST)).unwrap_or_default();
    let lines = listed.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let listed: BTreeSet<String> = lines.filter(|line| !line.is_empty()).map(str::to_string).collect();
    let mut found = BTreeSet::new();
    scan(&root, &root, &mut found)?;
    let missing = found.difference(&listed).map(|file| format!("{file} contains `unsafe` but is not in {LIST}"));
    let stale = listed.difference(&found).map(|file| format!("{file} is in {LIST} but contains no `unsafe`"));
    let wrong: Vec<String> = missing.chain(stale).collect();
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

fn scan(root: &Path, dir: &Path, found: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                scan(root, &path, found)?;
            }
        } else if name.ends_with(".rs") && contains_unsafe(&std::fs::read_to_string(&path)?) {
            found.insert(path.strip_prefix(root)?.display().to_string());
        }
    }
    Ok(())
}

/// Whether the word stands in code, not in a comment or a string.
fn contains_unsafe(source: &str) -> bool {
    let code = without_comments_and_strings(source);
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe")
}

/// Code only. Raw strings count as strings up to the first quote that closes them.
fn without_comments_and_strings(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + string_end(&rest[1..]),
            'r' if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest).unwrap_or(0),
            // A quote as a character literal opens no string.
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => rest[2..].find('\'').map_or(1, |at| at.max(1) + 3).min(rest.len()),
            _ => 0,
        };
        let step = if skipped == 0 { c.len_utf8() } else { skipped };
        let (now, later) = rest.split_at(step);
        code.push_str(if skipped == 0 { now } else { " " });
        rest = later;
    }
    code
}

/// Length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// Length of a string's content and closing quote.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a raw string, if one begins here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let open = 1 + hashes;
    if !text[open..].starts_with('"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let content = &text[open + 1..];
    Some(open + 1 + content.find(&close).map_or(content.len(), |at| at + close.len()))
}

#[cfg(test)]
mod tests {
    use super::contains_unsafe;

    #[test]
    fn only_code_counts() {
        let quiet = [
            "#![forbid(unsafe_code)]",
            "// unsafe {}\nfn f() {}",
            "/* unsafe /* unsafe */ unsafe */ fn f() {}",
            "const A: &str = \"unsafe \\\" unsafe\";",
            "const A: &str = r#\"unsafe \" unsafe\"#;",
            "const Q: char = '\"'; // unsafe\nconst S: &str = \"unsafe\";",
            "let c = '\\''; let s = \"unsafe\";",
        ];
        for source in quiet {
            assert!(!contains_unsafe(source), "{source}");
        }
        for source in [
            "unsafe { f() }",
            "let c = '\"'; unsafe fn f() {}",
            "/* a */ unsafe impl Send for A {}",
            "fn r() {} unsafe {}",
        ] {
            assert!(contains_unsafe(source), "{source}");
        }
    }
}
