//! KVM or TCG: KVM only where a trial boot of the very image proves that it runs a guest.
//!
//! `/dev/kvm` may open and yet not work (nested hosts): the trial decides, and its answer is
//! remembered until the computer restarts or QEMU or the image changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bootstrapper::bundle::Bundle;
use bootstrapper::control::{FromGuest, ToGuest};

use crate::cli::Accel;
use crate::qemu::{Config, Happened, Machine};

/// How long a trial boot may take; a working one takes a fraction of a second.
const TRIAL: Duration = Duration::from_secs(3);

/// QEMU's name for what was asked for.
pub fn choose(accel: Accel, image: &Path) -> &'static str {
    match accel {
        Accel::Tcg => "tcg",
        Accel::Kvm => "kvm",
        Accel::Auto if kvm_works(image) => "kvm",
        Accel::Auto => "tcg",
    }
}

/// Whether KVM really runs this image; asked once, then remembered.
pub fn kvm_works(image: &Path) -> bool {
    if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return false;
    }
    let memory = remembered(image);
    if let Some(answer) = memory.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) {
        return answer == "yes";
    }
    let works = trial(image);
    if let Some(file) = memory {
        // Only a memory: failing to keep it costs the next boot another trial.
        let _ = file.parent().map(std::fs::create_dir_all);
        let _ = std::fs::write(file, if works { "yes" } else { "no" });
    }
    works
}

fn trial(image: &Path) -> bool {
    let Ok(bundle) = Bundle::default().encode() else { return false };
    let config = Config {
        image,
        bundle: &bundle,
        accel: "kvm",
        memory_mib: 256,
        disk: None,
        window: "none",
        forward_stdin: false,
    };
    let Ok(mut machine) = Machine::start(&config) else { return false };
    let until = Instant::now() + TRIAL;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match machine.wait(left.min(Duration::from_millis(50))) {
            Happened::Said(FromGuest::Over(0)) => {
                let _ = machine.say(ToGuest::Bye);
                return true;
            }
            Happened::Said(FromGuest::Over(_)) | Happened::Closed => return false,
            _ if crate::interrupt::asked() => return false,
            _ => {}
        }
    }
    false
}

/// The file that remembers the answer for this start of the computer, this QEMU and this image.
fn remembered(image: &Path) -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let path = std::env::var_os("PATH")?;
    let qemu = std::env::split_paths(&path).map(|dir| dir.join(crate::qemu::QEMU)).find(|file| file.is_file())?;
    let key = format!("{} {} {}", boot.trim(), stamp(&qemu)?, stamp(image)?);
    let name = blake3::hash(key.as_bytes()).to_hex();
    Some(cache.join("cascade").join(format!("kvm-{}", name.get(..16)?)))
}

fn stamp(file: &Path) -> Option<String> {
    let meta = file.metadata().ok()?;
    let time = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", file.display(), meta.len(), time.as_nanos()))
}
