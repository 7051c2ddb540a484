//! What both `run` and `boot` do around a run: where frames go, what is printed, exit codes.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::{CommonOptions, Display};
use crate::report::Summary;
use crate::screen::Picture;

/// Whether a window could be opened here.
pub fn has_display_server() -> bool {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Refuses a disk file that cannot be one, with a way out.
///
/// # Errors
/// If it is missing, cannot be written, or is not whole sectors.
pub fn check_disk(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if !path.exists() {
        bail!("there is no disk file `{shown}`\n  make one: truncate -s 1M {shown}");
    }
    let file = File::options().read(true).write(true).open(path);
    let bytes = file.and_then(|file| file.metadata()).with_context(|| format!("cannot open the disk `{shown}`"))?.len();
    if bytes == 0 || bytes % vm_disk::SECTOR_BYTES as u64 != 0 {
        let whole = bytes.next_multiple_of(vm_disk::SECTOR_BYTES as u64).max(vm_disk::SECTOR_BYTES as u64);
        bail!("the disk `{shown}` has {bytes} bytes, not whole sectors\n  make it larger: truncate -s {whole} {shown}");
    }
    Ok(())
}

/// Keeps the machine's last frame where `--display` says.
///
/// # Errors
/// If the file cannot be written.
pub fn keep(display: Option<&Display>, picture: &Picture) -> anyhow::Result<()> {
    match display {
        Some(Display::Png(file)) => picture.write_png(file),
        Some(Display::Raw(dir)) => {
            let file = raw_file(dir)?;
            let pixels = picture.rgb.as_chunks::<3>().0.iter().flat_map(|[red, green, blue]| [*blue, *green, *red, 0]);
            let pixels: Vec<u8> = pixels.collect();
            std::fs::write(&file, pixels).with_context(|| format!("cannot write `{}`", file.display()))
        }
        Some(Display::Window | Display::None) | None => Ok(()),
    }
}

/// The file of raw frames in a folder, which is made: rows from the top, four bytes a pixel (blue,
/// green, red, 0).
///
/// # Errors
/// If the folder cannot be made.
pub fn raw_file(dir: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    Ok(dir.join("frames.raw"))
}

/// A file was asked for, but there was nothing to put into it: say so.
pub fn say_no_frame(file: &Path) {
    eprintln!("cascade: no frame was presented, so `{}` was not written", file.display());
}

/// Prints what was asked for, and gives the exit code: the first that is not 0.
///
/// # Errors
/// Never at present; the signature lets callers end with it.
pub fn print(options: &CommonOptions, runs: &[Summary]) -> anyhow::Result<u8> {
    for run in runs {
        if options.json {
            println!("{}", run.json());
        } else if options.batch.is_some() {
            println!("{}", run.line());
        }
    }
    Ok(runs.iter().map(|run| run.exit).find(|exit| *exit != 0).unwrap_or(0))
}
