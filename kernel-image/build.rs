//! Passes the linker its script, in bare-metal builds only (those with `--cfg metal`).

use std::env;

fn main() {
    println!("cargo:rustc-check-cfg=cfg(metal)");
    println!("cargo:rerun-if-changed=linker.ld");
    if env::var_os("CARGO_CFG_METAL").is_none() {
        return;
    }
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let flags = ["-static", "-no-pie", "-zmax-page-size=4096", "--build-id=none", "-znognustack", "--gc-sections"];
    println!("cargo:rustc-link-arg-bins=-T{folder}/linker.ld");
    for flag in flags {
        println!("cargo:rustc-link-arg-bins={flag}");
    }
}
