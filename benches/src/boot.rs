//! From QEMU's start to the first instruction of IL, and the size of the image.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use bootstrapper::bundle::{Bundle, Run};
use bootstrapper::plan::default_plan;

use crate::harness::verified;
use crate::table::Table;
use crate::timing::median;

const HELLO: &str = "module hello\nuse console: cascade.console@1\nexport func main() { console.write(\"H\") }";
const EMPTY_GUEST: &str = include_str!("empty_guest.s");
const BOOTS: usize = 5;

/// Adds the rows.
pub fn measure(table: &mut Table) -> Result<()> {
    table.section("Boot", "QEMU emulates (TCG); medians of 5 boots.");
    let image = std::env::var_os("CASCADE_IMAGE").map(PathBuf::from).context("run this by `cargo xtask bench`")?;
    let folder = tempfile::tempdir()?;
    let empty = empty_guest(folder.path())?;
    let bundle = folder.path().join("bundle");
    fs::write(&bundle, hello()?.encode().map_err(|why| anyhow!("{why}"))?)?;
    let disk = folder.path().join("disk");
    fs::write(&disk, vec![0; 1 << 20])?;

    let floor = first_byte_ms(&empty, None)?;
    let ours = first_byte_ms(&image, Some((&bundle, &disk)))?;
    table.add(
        "QEMU start to first IL output, q35, TCG (ms)",
        Some(("empty guest, first byte", floor)),
        ours,
        "200 or less",
    );
    let mib = fs::metadata(&image)?.len() as f64 / (1 << 20) as f64;
    table.add("image with the JIT inside (MiB)", None, mib, "3 or less");
    Ok(())
}

fn hello() -> Result<Bundle> {
    let module = il::binary::encode(&*verified(HELLO)?);
    let run = Run { plan: default_plan("hello", &[]), modules: vec![module], key_events: 0 };
    Ok(Bundle { verbose: false, observe: None, runs: vec![run] })
}

fn empty_guest(folder: &Path) -> Result<PathBuf> {
    let (source, image) = (folder.join("empty.s"), folder.join("empty.elf"));
    fs::write(&source, EMPTY_GUEST)?;
    let flags = ["-m32", "-nostdlib", "-static", "-Wl,-Ttext=0x1000000,--build-id=none", "-o"];
    let status = Command::new("cc").args(flags).arg(&image).arg(&source).status().context("the C linker `cc`")?;
    if !status.success() {
        bail!("`cc` could not build the empty guest");
    }
    Ok(image)
}

/// Median time to the first byte on COM1.
fn first_byte_ms(kernel: &Path, system: Option<(&Path, &Path)>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..BOOTS {
        times.push(boot_once(kernel, system)?);
    }
    Ok(median(&mut times))
}

fn boot_once(kernel: &Path, system: Option<(&Path, &Path)>) -> Result<f64> {
    let mut command = Command::new("qemu-system-x86_64");
    command.args([
        "-nodefaults",
        "-cpu",
        "max",
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-m",
        "256",
        "-display",
        "none",
        "-no-reboot",
        "-net",
        "none",
    ]);
    command.args(["-vga", "std", "-serial", "stdio", "-serial", "null", "-kernel"]).arg(kernel);
    if let Some((bundle, disk)) = system {
        let drive = format!("if=none,id=disk,format=raw,file={}", disk.display());
        command.arg("-initrd").arg(bundle).args(["-drive", &drive, "-device", "virtio-blk-pci,drive=disk"]);
    }
    let start = Instant::now();
    let mut guest = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut byte = [0];
    let read = guest.stdout.take().context("no pipe")?.read_exact(&mut byte);
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let _ = guest.kill();
    let _ = guest.wait();
    read.context("the guest wrote nothing")?;
    Ok(ms)
}
