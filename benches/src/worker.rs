//! Peers in processes of their own: a worker reads `NAME N` and answers `NS RESULT [PAUSE_NS ..]`, timed
//! by itself, so that neither its start nor the pipe counts.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

/// What one run of a program gave.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How long it took, in nanoseconds.
    pub ns: f64,
    /// Its checksum; for `compile`, how many bytes were compiled.
    pub result: i64,
    /// How long the collector stopped it, each time, in nanoseconds.
    pub pauses_ns: Vec<f64>,
}

/// A peer that is running.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Result<Worker> {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {shown}"))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Worker { child, requests, answers })
    }

    /// Runs one program once.
    ///
    /// # Errors
    /// If it ended, or answers something else.
    pub fn run(&mut self, name: &str, n: i32) -> Result<Outcome> {
        let requests = self.requests.as_mut().context("no pipe")?;
        writeln!(requests, "{name} {n}")?;
        requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        parse(&line).with_context(|| format!("the peer answered {name} {n} with {line:?}"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Result<Outcome> {
    let mut words = line.split_ascii_whitespace();
    let ns = words.next().context("no time")?.parse()?;
    let result = words.next().context("no result")?.parse()?;
    let pauses_ns = words.map(str::parse).collect::<Result<_, _>>()?;
    Ok(Outcome { ns, result, pauses_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_time_a_result_and_pauses() {
        let outcome = parse("1500 -42 7 9\n").unwrap();
        assert_eq!((outcome.ns, outcome.result, outcome.pauses_ns), (1500.0, -42, vec![7.0, 9.0]));
        assert!(parse("").is_err());
        assert!(parse("1500\n").is_err());
        assert!(parse("1500 x\n").is_err());
    }
}
