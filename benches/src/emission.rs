//! Emitting device instructions, alone and executed by a VM that does nothing.

use anyhow::Result;
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service};
use il::isa::InstructionSet;

use crate::harness::{program, run_alone, run_system, verified};
use crate::peers;
use crate::table::Table;
use crate::timing::median_ns;

const SINK: &str = "isa bench.sink@1 { 1 rect(x: i32, y: i32, w: i32, h: i32, color: i32) }\nuse sink: bench.sink@1\n";

/// A VM in Rust that accepts `bench.sink@1` and does nothing.
pub struct Sink(&'static InstructionSet);

impl Service for Sink {
    fn hello(&self) -> Hello {
        Hello { name: "sink".into(), provides: self.0 }
    }
    fn execute(&mut self, _host: &mut dyn Host, _request: Request<'_>) -> Outcome {
        Outcome::Done(Reply::none())
    }
}

fn sink(text: &str) -> Result<Sink> {
    let module = verified(text)?;
    Ok(Sink(Box::leak(Box::new(module.isas[0].clone()))))
}

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    const COUNT: u64 = 20_000_000;
    let loop_only = format!("module base\nglobal mut x = 0\nexport func main() {{ for i in 0..{COUNT} {{ x = i }} }}");
    let emit =
        format!("module emission\n{SINK}export func main() {{ for i in 0..{COUNT} {{ sink.rect(i, i, 3, 4, 5) }} }}");
    let (loop_only, emit) = (program(&loop_only)?, program(&emit)?);
    let mut failed = None;
    let mut run = |program| {
        median_ns(5, COUNT, || {
            if let Err(why) = run_alone(program) {
                failed = Some(why);
            }
        })
    };
    let empty = run(&loop_only);
    let full = run(&emit);
    if let Some(why) = failed {
        return Err(why);
    }
    table.add(
        "emit an instruction of 5 operands (ns)",
        Some(("system call, getppid", peers::system_call_ns())),
        full - empty,
        "2 or less",
    );

    const PACKETS: u64 = 100_000;
    let text = format!(
        "module packets\n{SINK}export func main() {{\n  for packet in 0..{PACKETS} {{\n    for i in 0..32 {{ sink.rect(i, i, 3, 4, 5) }}\n    flush(sink)\n  }}\n}}"
    );
    let packets = program(&text)?;
    let mut result = Ok(());
    let ns = median_ns(3, PACKETS * 32, || {
        result = sink(&text).and_then(|sink| run_system(Vec::new(), Some(sink), packets.clone()));
    });
    result?;
    table.add(
        "an instruction in a packet of 32, executed (ns)",
        Some(("system call, getppid", peers::system_call_ns())),
        ns,
        "10 or less",
    );
    Ok(())
}
