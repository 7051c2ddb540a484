//! The table that `cargo xtask bench` prints: ours and a peer, measured side by side in one run.

use std::fmt;

/// One measurement and what it is compared with.
pub struct Row {
    /// What is measured, with its unit.
    pub what: String,
    /// The peer's name and value, if one can run here.
    pub peer: Option<(String, f64)>,
    /// Our value, in the same unit; less is better.
    pub ours: f64,
    /// The aim, in words.
    pub aim: &'static str,
}

/// All rows, printed as a Markdown table.
#[derive(Default)]
pub struct Table {
    /// In the order measured.
    pub rows: Vec<Row>,
}

impl Table {
    /// Adds a row.
    pub fn add(&mut self, what: impl Into<String>, peer: Option<(&str, f64)>, ours: f64, aim: &'static str) {
        let peer = peer.map(|(name, value)| (name.to_owned(), value));
        let row = Row { what: what.into(), peer, ours, aim };
        eprintln!("measured: {} = {}", row.what, number(row.ours));
        self.rows.push(row);
    }
}

fn number(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | peer | peer's | ours | ratio | aim |")?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | --- |")?;
        for row in &self.rows {
            let (name, value, ratio) = match &row.peer {
                Some((name, value)) => (name.as_str(), number(*value), format!("{:.2}", row.ours / value)),
                None => ("-", "-".into(), "-".into()),
            };
            writeln!(f, "| {} | {name} | {value} | {} | {ratio} | {} |", row.what, number(row.ours), row.aim)?;
        }
        Ok(())
    }
}
