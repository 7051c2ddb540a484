//! The same IL, timed by itself through `cascade.clock`: hosted, and booted under QEMU's emulation. Only the ratio means
//! something: TCG makes calls and stores of the guest dear, and its own time is not the machine's.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::table::Table;

const SUM: &str = "module sum
isa demo.sum@1 { 1 add(a: i32, b: i32) -> (c: i32)  2 note(a: i32) }
global mut last = 0
provides demo.sum@1 {
  op add(a: i32, b: i32) -> (c: i32) { return a + b }
  op note(a: i32) { last = a }
}
";
/// Prints a line for each of [`ROWS`]: nanoseconds a turn, times 10.
const MAIN: &str = "module main
use console: cascade.console@1
use clock: cascade.clock@1
use display: cascade.display@1
use sum: demo.sum@1
isa demo.sum@1 { 1 add(a: i32, b: i32) -> (c: i32)  2 note(a: i32) }
const TURNS = 50000
func tell(since: i64) { console.write(concat(str((clock.monotonic() - since) * 10 / i64(TURNS)), \"\\n\")) }
func calls() { for i in 0..TURNS { assert sum.add(i, 1) == i + 1 } }
func stream() { for i in 0..TURNS { sum.note(i) } flush(sum) }
func pixels() { for i in 0..TURNS { display.set_pixel(i & 255, 1, i) } flush(display) }
func asks() { for i in 0..TURNS { let color = display.get_pixel(1, 1) } }
export func main() {
  calls() stream() pixels() asks()
  var t = clock.monotonic() calls() tell(t)
  t = clock.monotonic() stream() tell(t)
  t = clock.monotonic() pixels() tell(t)
  t = clock.monotonic() asks() tell(t)
}
";
const ROWS: [&str; 4] = [
    "call and reply between two IL VMs, booted (ns)",
    "an instruction streamed to an IL VM, booted (ns)",
    "an instruction streamed to the display, booted (ns)",
    "call and reply with the display, booted (ns)",
];

/// Adds the rows.
pub fn measure(table: &mut Table, folder: &Path) -> Result<()> {
    table.section("On metal", "The same IL hosted and booted (TCG), timed by itself.");
    let (main, sum) = (folder.join("main.il"), folder.join("sum.il"));
    fs::write(&main, MAIN)?;
    fs::write(&sum, SUM)?;
    let hosted = times("run", &main, &sum)?;
    let booted = times("boot", &main, &sum)?;
    for ((row, hosted), booted) in ROWS.iter().zip(hosted).zip(booted) {
        table.add(*row, Some(("hosted", hosted)), booted, "-");
    }
    Ok(())
}

/// What the program says of itself in one place.
fn times(place: &str, main: &Path, sum: &Path) -> Result<Vec<f64>> {
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--release", "--package", "cascade", "--", place]).arg(main);
    command.arg("--plug").arg(format!("sum={}", sum.display())).args(["--display", "none", "--timeout", "120"]);
    if place == "boot" {
        command.arg("--image").arg(std::env::var_os("CASCADE_IMAGE").context("run this by `cargo xtask bench`")?);
    }
    let output = command.output().context("cargo run")?;
    if !output.status.success() {
        bail!("cascade {place}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let times: Vec<f64> =
        lines.lines().filter_map(|line| line.trim().parse::<f64>().ok()).map(|ns| ns / 10.0).collect();
    ensure!(times.len() == ROWS.len(), "cascade {place} printed {lines:?}");
    Ok(times)
}
