//! VMs by the thousand: what one costs to make, to end and to keep, what a chain of them costs a hop, and what a flood
//! from one does to another.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use basevm::arena::{self, ArenaId};
use basevm::engine::Program;
use basevm::service::{Hello, Host, Outcome, Reply, Request, Service};
use basevm::system::{Grants, System, SystemOptions, VmOptions};
use il::isa::InstructionSet;

use crate::eight::names;
use crate::harness::{platform, program, verified};
use crate::peers;
use crate::table::Table;
use crate::timing::{cycles_per_ns, median, median_ns};
use crate::toolchain::{native, wasmtime};
use crate::worker::Worker;

const SET: &str = "isa bench.ping@1 { 1 ping(n: i32) -> (n: i32) 2 work(n: i32) }\n";
const METER: &str = "isa bench.meter@1 { 1 mark() -> () }\n";
const MANY: usize = 10_000;
/// Calls of the victim that are timed.
const MARKS: usize = 20_000;

const CAPTION: &str = "Medians. A VM is made from a program that is compiled already, is introduced, runs to the end of \
its `main`, and is forgotten; a peer is made and ends in the same way. Memory is what the base's heap holds for a VM \
that serves and has served (its stack takes a page besides). The flood: 10,000 VMs hold channels to one server; one \
more streams to it without an end, and the time is that of another's calls to it.";

/// Adds the rows.
///
/// # Errors
/// If ours fails.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("VMs", CAPTION);
    let cycles = cycles_per_ns();
    create(table, folder, cycles)?;
    table.add("a hop in a chain of 10 IL VMs (cycles)", None, hop_ns()? * cycles, "-");
    let idle = idle_bytes()?;
    table.add("memory of an idle VM (bytes)", None, idle, "2,048 or less");
    many(table)
}

fn create(table: &mut Table, folder: &Path, cycles: f64) -> Result<()> {
    const VMS: u64 = 2_000;
    let what = "make and end a VM (cycles)";
    let aim = "10,000 or less";
    let nothing = program("module nothing\nexport func main() { }")?;
    let mut system = System::new(platform(), SystemOptions::default());
    let mut failed = None;
    let ns = median_ns(5, VMS, || {
        for _ in 0..VMS {
            let options = VmOptions::named("nothing", Grants::none());
            failed = failed.take().or(system.add_program(nothing.clone(), options).err());
            system.settle();
        }
    });
    if let Some(why) = failed {
        return Err(anyhow!("{why}"));
    }
    let ours = Some(ns * cycles);
    table.compare(what, ("thread", Some(peers::thread_ns() * cycles)), ours, aim);
    // One run of such a peer makes and ends so many.
    let worker = |worker: Option<Worker>, name: &str| -> Result<Option<f64>> {
        let Some(mut worker) = worker else { return Ok(None) };
        let times: Result<Vec<f64>> = (0..5).map(|_| Ok(worker.run(name, VMS as i32)?.ns / VMS as f64)).collect();
        Ok(Some(median(&mut times?) * cycles))
    };
    table.compare(what, ("fork and exit", worker(native(folder, &names())?, "fork")?), ours, aim);
    table.compare(what, ("wasmtime instance", worker(wasmtime(folder, &["fib"])?, "instantiate")?), ours, aim);
    Ok(())
}

fn hop_ns() -> Result<f64> {
    const HOPS: usize = 10;
    const CALLS: u64 = 20_000;
    let main = format!(
        "module main\n{SET}use hop1: bench.ping@1\nexport func main() {{ for i in 0..{CALLS} {{ let n = hop1.ping(i) }} }}"
    );
    let main = program(&main)?;
    let mut hops = Vec::new();
    for hop in 1..=HOPS {
        let mut text = format!("module hop{hop}\n{SET}");
        let next = hop + 1;
        let answer = if hop < HOPS {
            let _ = writeln!(text, "use hop{next}: bench.ping@1 {{ ping }}");
            format!("hop{next}.ping(n)")
        } else {
            "n".to_owned()
        };
        let _ = write!(
            text,
            "provides bench.ping@1 {{ op ping(n: i32) -> (n: i32) {{ return {answer} }} op work(n: i32) {{ }} }}"
        );
        hops.push((format!("hop{hop}"), program(&text)?));
    }
    let mut result = Ok(());
    let ns = median_ns(5, CALLS * HOPS as u64, || {
        let others = hops.iter().map(|(name, program)| (name.as_str(), program.clone())).collect();
        result = crate::harness::run_system(others, None, main.clone());
    });
    result.map(|()| ns)
}

fn idle_bytes() -> Result<f64> {
    const VMS: usize = 1_000;
    let server = server()?;
    let client = client()?;
    let mut system = System::new(platform(), SystemOptions::default());
    let add = |system: &mut System, count: usize, from: usize| -> Result<()> {
        for at in from..from + count {
            let options = VmOptions::named(&format!("vm{at}"), Grants::all());
            system.add_program(client.clone(), options).map_err(|why| anyhow!("{why}"))?;
        }
        system.settle();
        Ok(())
    };
    system.add_program(server, VmOptions::named("server", Grants::none())).map_err(|why| anyhow!("{why}"))?;
    // What tables grow by at first is not a VM's.
    add(&mut system, VMS, 0)?;
    let before = arena::bytes(ArenaId::BASE);
    add(&mut system, VMS, VMS)?;
    Ok((arena::bytes(ArenaId::BASE) - before) as f64 / VMS as f64)
}

fn server() -> Result<Arc<Program>> {
    program(&format!(
        "module server\n{SET}provides bench.ping@1 {{\n  op ping(n: i32) -> (n: i32) {{ return n + 1 }}\n  op work(n: i32) {{ }}\n}}"
    ))
}

/// Calls the server once, then waits.
fn client() -> Result<Arc<Program>> {
    program(&format!(
        "module client\n{SET}use server: bench.ping@1 {{ ping }}\nexport func main() {{ let n = server.ping(1) wait_forever() }}"
    ))
}

/// A VM in Rust that notes when it is called.
struct Meter {
    set: &'static InstructionSet,
    marks: Arc<Mutex<Vec<Instant>>>,
}

impl Service for Meter {
    fn hello(&self) -> Hello {
        Hello { name: "meter".into(), provides: self.set }
    }
    fn execute(&mut self, _host: &mut dyn Host, _request: Request<'_>) -> Outcome {
        // Its room was made before, outside of this VM.
        if let Ok(mut marks) = self.marks.lock()
            && marks.len() < marks.capacity()
        {
            marks.push(Instant::now());
        }
        Outcome::Done(Reply::none())
    }
}

fn many(table: &mut Table) -> Result<()> {
    let quiet = victim_ns(None)?;
    let flooder = program(&format!(
        "module flooder\n{SET}use server: bench.ping@1 {{ work }}\nexport func main() {{ loop {{ server.work(1) }} }}"
    ))?;
    let flooded = victim_ns(Some(flooder))?;
    table.add("10,000 VMs with channels: made, one call each (ms)", None, quiet.made_ms, "-");
    table.add("10,000 VMs with channels: resident memory of one (KiB)", None, quiet.resident_kib, "-");
    table.add("the same: all ended (ms)", None, quiet.ended_ms, "-");
    let what = "a call among 10,000 VMs, 99th percentile, flooded (ns)";
    table.compare(what, ("without the flood", Some(quiet.p99_ns)), Some(flooded.p99_ns), "2 of it");
    Ok(())
}

/// What a run among many VMs gave.
struct Many {
    made_ms: f64,
    resident_kib: f64,
    ended_ms: f64,
    p99_ns: f64,
}

fn victim_ns(flooder: Option<Arc<Program>>) -> Result<Many> {
    let (server, client) = (server()?, client()?);
    let victim = program(&format!(
        "module victim\n{SET}{METER}use server: bench.ping@1 {{ ping }}\nuse meter: bench.meter@1\nexport func main() {{\n  meter.mark()\n  for i in 0..{MARKS} {{ let n = server.ping(i) meter.mark() }}\n}}"
    ))?;
    let marks = Arc::new(Mutex::new(Vec::with_capacity(MARKS + 1)));
    let set = &verified(&format!("{METER}use meter: bench.meter@1\nexport func main() {{ meter.mark() }}"))?.isas[0];
    let set: &'static InstructionSet = Box::leak(Box::new(set.clone()));
    let resident = resident_bytes()?;
    let started = Instant::now();
    let mut system = System::new(platform(), SystemOptions::default());
    let refused = |why| anyhow!("{why}");
    system
        .add_service(Box::new(Meter { set, marks: marks.clone() }), VmOptions::named("meter", Grants::none()))
        .map_err(refused)?;
    system.add_program(server, VmOptions::named("server", Grants::none())).map_err(refused)?;
    let mut ids = Vec::new();
    for at in 0..MANY {
        let options = VmOptions::named(&format!("vm{at}"), Grants::all());
        ids.push(system.add_program(client.clone(), options).map_err(refused)?);
    }
    system.settle();
    let made_ms = started.elapsed().as_secs_f64() * 1e3;
    let resident_kib = (resident_bytes()? - resident) / MANY as f64 / 1024.0;
    if let Some(flooder) = flooder {
        system.add_program(flooder, VmOptions::named("flooder", Grants::all())).map_err(refused)?;
    }
    system.add_program(victim, VmOptions::main("victim", Grants::all())).map_err(refused)?;
    let ended = system.run();
    if ended.code != 0 {
        return Err(anyhow!("the system ended with {ended:?}"));
    }
    let started = Instant::now();
    for id in ids {
        system.stop_vm(id);
    }
    system.table_sizes();
    let ended_ms = started.elapsed().as_secs_f64() * 1e3;
    let marks = marks.lock().map_err(|_| anyhow!("the meter panicked"))?;
    let mut times: Vec<f64> = marks.windows(2).map(|pair| (pair[1] - pair[0]).as_nanos() as f64).collect();
    times.sort_by(f64::total_cmp);
    let p99_ns = *times.get(times.len() * 99 / 100).context("nothing was timed")?;
    Ok(Many { made_ms, resident_kib, ended_ms, p99_ns })
}

fn resident_bytes() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split_ascii_whitespace().nth(1).context("no resident size")?.parse()?;
    Ok(pages * 4096.0)
}
