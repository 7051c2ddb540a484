//! `cascade doctor`: what this computer offers, one line a finding, each with its fix.

use std::process::Command;

use crate::{accel, image, output, qemu};

/// One finding.
struct Finding {
    what: String,
    /// Whether Cascade works without it.
    needed: bool,
    /// How to put it right; `None` if all is well.
    fix: Option<String>,
}

fn fine(what: impl Into<String>) -> Finding {
    Finding { what: what.into(), needed: false, fix: None }
}

fn wrong(needed: bool, what: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { what: what.into(), needed, fix: Some(fix.into()) }
}

/// Prints all findings; the exit code is 2 if something that is needed is missing.
pub fn doctor() -> u8 {
    let mut broken = 0;
    let findings = [processor, address_space, window, qemu_present, kernel_image, kvm];
    for finding in findings.map(|find| find()) {
        match &finding.fix {
            None => println!("ok       {}", finding.what),
            Some(fix) if finding.needed => {
                broken += 1;
                println!("MISSING  {}\n           fix: {fix}", finding.what);
            }
            Some(fix) => println!("note     {}\n           to change that: {fix}", finding.what),
        }
    }
    if broken == 0 { 0 } else { 2 }
}

fn processor() -> Finding {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        fine("Linux on x86-64: programs run hosted")
    } else {
        wrong(true, "this is not Linux on x86-64", "use a Linux computer, a virtual machine or a container")
    }
}

fn address_space() -> Finding {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit = limits.lines().find(|line| line.starts_with("Max address space"));
    match limit.and_then(|line| line.split_whitespace().nth(3)).and_then(|soft| soft.parse::<u64>().ok()) {
        Some(bytes) if bytes < 64 << 30 => wrong(
            true,
            format!("address space is limited to {bytes} bytes; each memory reserves 8 GiB"),
            "ulimit -v unlimited",
        ),
        _ => fine("address space for guarded memories"),
    }
}

fn window() -> Finding {
    if output::has_display_server() {
        fine("a screen: `--display window` works")
    } else {
        wrong(
            false,
            "no screen here: programs run headless",
            "start it in a desktop session, or use --display png:FILE",
        )
    }
}

fn qemu_present() -> Finding {
    let version = Command::new(qemu::QEMU).arg("--version").output().ok().filter(|output| output.status.success());
    match version {
        Some(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            fine(text.lines().next().unwrap_or("QEMU").to_string())
        }
        None => wrong(true, format!("no `{}`: nothing can be booted", qemu::QEMU), qemu::how_to_install()),
    }
}

fn kernel_image() -> Finding {
    let found = image::beside().or_else(|| image::built(&image::source_tree()?));
    match found {
        Some(file) => fine(format!("kernel image {}", file.display())),
        None if image::source_tree().is_some() => {
            wrong(false, "the kernel image is not built yet; `cascade boot` will do it", "cargo xtask image")
        }
        None => wrong(true, "no kernel image", format!("put `{}` beside this program", image::NAME)),
    }
}

fn kvm() -> Finding {
    if !std::path::Path::new("/dev/kvm").exists() {
        return wrong(
            false,
            "no KVM: machines are emulated (slower)",
            "turn virtualisation on in the firmware, then: modprobe kvm",
        );
    }
    if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return wrong(
            false,
            "KVM is there, but not for you: machines are emulated",
            "sudo usermod -aG kvm \"$USER\", then log in again",
        );
    }
    let image = image::beside().or_else(|| image::built(&image::source_tree()?));
    match image {
        Some(image) if qemu::installed() && accel::kvm_works(&image) => fine("KVM runs our kernel"),
        Some(_) if qemu::installed() => wrong(
            false,
            "KVM opens but does not run a guest (a nested host?): machines are emulated",
            "boot on the outer host, or enable nested virtualisation there",
        ),
        _ => fine("KVM is there; whether it works shows at the first boot"),
    }
}
