//! The tables that `cargo xtask bench` prints: ours and a peer, measured side by side in one run.

use std::fmt;

use anyhow::Result;

/// One measurement and what it is compared with.
pub struct Row {
    /// What is measured, with its unit.
    pub what: String,
    /// The peer's name and value; no value if the peer is not installed.
    pub peer: Option<(String, Option<f64>)>,
    /// Our value, in the same unit; less is better. None if ours failed.
    pub ours: Option<f64>,
    /// The aim, in words.
    pub aim: &'static str,
}

/// Rows under one heading.
pub struct Section {
    title: &'static str,
    caption: &'static str,
    rows: Vec<Row>,
}

/// All rows, printed as Markdown tables.
#[derive(Default)]
pub struct Table {
    sections: Vec<Section>,
    failures: Vec<String>,
}

impl Table {
    /// Begins a table of its own; `caption` says how it was measured.
    pub fn section(&mut self, title: &'static str, caption: &'static str) {
        self.sections.push(Section { title, caption, rows: Vec::new() });
    }

    /// Adds a row.
    pub fn add(&mut self, what: impl Into<String>, peer: Option<(&str, f64)>, ours: f64, aim: &'static str) {
        let peer = peer.map(|(name, value)| (name.to_owned(), Some(value)));
        self.push(Row { what: what.into(), peer, ours: Some(ours), aim });
    }

    /// Adds a row of which either side may be missing: a peer that is not installed, and ours that failed.
    pub fn compare(
        &mut self,
        what: impl Into<String>,
        peer: (&str, Option<f64>),
        ours: Option<f64>,
        aim: &'static str,
    ) {
        self.push(Row { what: what.into(), peer: Some((peer.0.to_owned(), peer.1)), ours, aim });
    }

    /// Ours, or nothing and a failure that is told at the end: the other rows are still measured.
    pub fn attempt<T>(&mut self, what: &str, ours: Result<T>) -> Option<T> {
        ours.map_err(|why| {
            let why = first_paragraph(&format!("{why:#}"));
            eprintln!("FAILED: {what}: {why}");
            self.failures.push(format!("{what}: {why}"));
        })
        .ok()
    }

    /// What failed.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    fn push(&mut self, row: Row) {
        let peer =
            row.peer.as_ref().map_or(String::new(), |(name, value)| format!("; {name}: {}", shown(*value, "absent")));
        eprintln!("measured: {} = {}{peer}", row.what, shown(row.ours, "FAILED"));
        if self.sections.is_empty() {
            self.section("", "");
        }
        if let Some(section) = self.sections.last_mut() {
            section.rows.push(row);
        }
    }
}

/// The first of what may be many errors of the compiler.
fn first_paragraph(text: &str) -> String {
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

fn shown(value: Option<f64>, missing: &str) -> String {
    match value {
        None => missing.into(),
        Some(v) if v >= 1000.0 => format!("{v:.0}"),
        Some(v) if v >= 10.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.2}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sections.iter().try_for_each(|section| section.fmt(f))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.caption)?;
        writeln!(f, "| what | peer | peer's | ours | ratio | aim |")?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | --- |")?;
        for row in &self.rows {
            let ours = shown(row.ours, "FAILED");
            let (name, value) = match &row.peer {
                Some((name, value)) => (name.as_str(), shown(*value, "absent")),
                None => ("-", "-".into()),
            };
            let ratio = match (row.ours, row.peer.as_ref().and_then(|(_, value)| *value)) {
                (Some(ours), Some(peer)) => format!("{:.2}", ours / peer),
                _ => "-".into(),
            };
            writeln!(f, "| {} | {name} | {value} | {ours} | {ratio} | {} |", row.what, row.aim)?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_so_and_a_failure_is_kept() {
        let mut table = Table::default();
        table.section("Code", "Medians.");
        table.compare("one", ("clang", None), Some(2.0), "-");
        let failed = table.attempt("two", Err::<f64, _>(anyhow::anyhow!("no arrays\n\nno structs")));
        table.compare("two", ("clang", Some(1.0)), failed, "-");
        table.compare("three", ("clang", Some(4.0)), Some(6.0), "1.5");
        let text = table.to_string();
        assert!(text.contains("| one | clang | absent | 2.00 | - | - |"), "{text}");
        assert!(text.contains("| two | clang | 1.00 | FAILED | - | - |"), "{text}");
        assert!(text.contains("| three | clang | 4.00 | 6.00 | 1.50 | 1.5 |"), "{text}");
        assert_eq!(table.failures(), ["two: no arrays"]);
    }
}
