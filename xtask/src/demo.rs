//! `cargo xtask demo`: one module, hosted and on a bare machine, compared.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{image, setup, shell};

/// What is shown: it draws, and writes on the console.
const SAMPLE: &str = "mandelbrot";
const STEPS: usize = 5;

/// Runs the demonstration.
///
/// # Errors
/// If a step fails, or the two runs differ.
pub fn run() -> anyhow::Result<()> {
    step(1, "what is needed is installed");
    setup::all()?;

    step(2, "build: the compiler `ilc`, the command `cascade`, the kernel image");
    shell::run(&mut shell::cargo(&["build", "--release", "--package", "ilc", "--package", "cascade"]))?;
    let image = image::build()?;
    let release = shell::root().join("target/release");
    let folder = shell::root().join("target/demo");
    std::fs::create_dir_all(&folder).context("cannot make target/demo")?;

    step(3, &format!("compile samples/{SAMPLE}.il"));
    let module = folder.join(SAMPLE).with_extension("ilb");
    let source = format!("samples/{SAMPLE}.il");
    let ilc = path_text(&release.join("ilc"))?;
    shell::run(&mut shell::command(&ilc, &["build", &source, "-o", &path_text(&module)?]))?;

    let cascade = path_text(&release.join("cascade"))?;
    let image = path_text(&image)?;
    step(4, "run it here");
    let hosted = folder.join("hosted.png");
    let here = summary(&cascade, "run", &module, &hosted, &[])?;
    step(5, "boot the very same module on a bare machine");
    let metal = folder.join("metal.png");
    let there = summary(&cascade, "boot", &module, &metal, &["--image", &image])?;

    println!("\nconsole: {}", text(&here, "console").trim_end());
    println!("frames:  {}\n         {}", hosted.display(), metal.display());
    compare(&here, &there)
}

fn step(number: usize, what: &str) {
    println!("[{number}/{STEPS}] {what}");
}

fn path_text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_string).with_context(|| format!("the path {} is not UTF-8", path.display()))
}

/// Runs `cascade` on the module and reads its one line of JSON.
fn summary(cascade: &str, verb: &str, module: &Path, png: &Path, more: &[&str]) -> anyhow::Result<Value> {
    let display = format!("png:{}", path_text(png)?);
    let module = path_text(module)?;
    let mut arguments = vec![verb, &module, "--display", &display, "--clock", "virtual", "--timeout", "120", "--json"];
    arguments.extend(more);
    let start = Instant::now();
    println!("  $ {cascade} {}", arguments.join(" "));
    let line = shell::output(&mut shell::command(cascade, &arguments))?;
    let summary: Value = serde_json::from_str(&line).with_context(|| format!("`cascade {verb}` said: {line}"))?;
    println!("  exit {} after {:.1} s", summary["exit"], start.elapsed().as_secs_f64());
    Ok(summary)
}

fn text<'a>(summary: &'a Value, key: &str) -> &'a str {
    summary[key].as_str().unwrap_or("-")
}

fn compare(here: &Value, there: &Value) -> anyhow::Result<()> {
    let short = |key| text(here, key).get(..16).unwrap_or("-");
    let keys = ["exit", "module_hash", "frame_hash", "frames", "console", "console_hash"];
    let different: Vec<&str> = keys.into_iter().filter(|key| here[key] != there[key]).collect();
    if !different.is_empty() {
        bail!("hosted and bare metal differ in: {}\n  hosted {here}\n  metal  {there}", different.join(", "));
    }
    if here["exit"] != 0 || !here["frame_hash"].is_string() {
        bail!("the sample did not run to its end: {here}");
    }
    println!(
        "hosted = bare metal: module {}, frame {}, console {} ({} bytes)",
        short("module_hash"),
        short("frame_hash"),
        short("console_hash"),
        text(here, "console").len()
    );
    Ok(())
}
