//! QMP: QEMU's own control socket, for keys and for the screen.
//!
//! One JSON object a line. A command is answered by `return` or `error`; events come in between
//! and are skipped.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// How long QEMU may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection past its greeting.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Qmp {
    /// Greets QEMU on a fresh connection.
    ///
    /// # Errors
    /// If it does not answer as QMP.
    pub fn new(stream: UnixStream) -> anyhow::Result<Qmp> {
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let writer = stream.try_clone()?;
        let mut qmp = Qmp { reader: BufReader::new(stream), writer };
        let greeting = qmp.read()?;
        if greeting.get("QMP").is_none() {
            bail!("QEMU's control socket said {greeting} instead of its greeting");
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Presses or releases a key, by QEMU's name for it.
    ///
    /// # Errors
    /// If QEMU refuses or has ended.
    pub fn key(&mut self, qcode: &str, down: bool) -> anyhow::Result<()> {
        let key = json!({"type": "qcode", "data": qcode});
        let event = json!({"type": "key", "data": {"down": down, "key": key}});
        self.execute("input-send-event", json!({"events": [event]}))
    }

    /// Writes what the screen shows to a PPM file.
    ///
    /// # Errors
    /// If QEMU refuses or has ended.
    pub fn screendump(&mut self, file: &Path) -> anyhow::Result<()> {
        let name = file.to_str().context("the temporary folder's path is not UTF-8")?;
        self.execute("screendump", json!({"filename": name}))
    }

    fn execute(&mut self, command: &str, arguments: Value) -> anyhow::Result<()> {
        let line = json!({"execute": command, "arguments": arguments});
        writeln!(self.writer, "{line}").context("QEMU closed its control socket")?;
        loop {
            let answer = self.read()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused `{command}`: {}", error.get("desc").unwrap_or(error));
            }
        }
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line).context("QEMU does not answer on its control socket")?;
        if read == 0 {
            bail!("QEMU closed its control socket");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU's control socket said: {line}"))
    }
}
