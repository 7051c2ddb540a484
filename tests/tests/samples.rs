//! Every sample, hosted and booted: the same module gives the same console, frames and disk.

use std::fs;
use std::path::Path;

use cascade_tests::{Summary, Where, root, run};

/// Runs a sample in both places on a disk of its own, and compares. Returns the summary and the disk.
fn both(sample: &str, disk: &[u8], options: &[&str]) -> (Summary, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = root().join("samples").join(sample);
    let results = Where::BOTH.map(|place| {
        let image = folder.path().join(format!("{place:?}.img"));
        fs::write(&image, disk).unwrap();
        let mut all = vec!["--clock", "virtual", "--disk", image.to_str().unwrap()];
        all.extend_from_slice(options);
        let summary = run(place, &file, &all).unwrap();
        assert_eq!(summary.exit, 0, "{sample} {place:?}: {:?}", summary.faults);
        (summary, fs::read(&image).unwrap())
    });
    let [hosted, booted] = results;
    assert_eq!(hosted.0.outcome(), booted.0.outcome(), "{sample}: hosted (left) and booted differ");
    assert!(hosted.1 == booted.1, "{sample}: the disk images differ");
    hosted
}

fn blank() -> Vec<u8> {
    vec![0; 1 << 20]
}

#[test]
fn hello() {
    let (summary, _) = both("hello.il", &blank(), &[]);
    assert_eq!(summary.console, "Hello from Cascade!\n");
    assert_eq!((summary.frames, summary.frame_hash), (0, None));
}

#[test]
fn pixel() {
    let (summary, _) = both("pixel.il", &blank(), &[]);
    assert_eq!(summary.console, "frame 1 is on the screen\n");
    assert_eq!(summary.frames, 1);
    assert!(summary.frame_hash.is_some());
}

#[test]
fn sector() {
    let mut disk = blank();
    for (at, byte) in disk.iter_mut().enumerate() {
        *byte = (at / 512 + at * 7) as u8;
    }
    let (summary, after) = both("sector.il", &disk, &[]);
    assert_eq!(after, disk, "reading changes nothing");
    let lines: Vec<&str> = summary.console.lines().collect();
    assert_eq!(lines.len(), 33);
    assert_eq!(lines[0], "sector 510");
    let first: Vec<String> = disk[510 * 512..][..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(lines[1], format!("0000: {}", first.join(" ")));
}

#[test]
fn sector_of_a_disk_that_is_too_small() {
    let (summary, _) = both("sector.il", &vec![0; 512 * 64], &[]);
    assert_eq!(summary.console, "the disk failed with status 2\n");
}

#[test]
fn mandelbrot() {
    let (summary, _) = both("mandelbrot.il", &blank(), &[]);
    assert_eq!(summary.frames, 1);
    assert!(summary.console.ends_with("pixels lie inside the set\n"), "{}", summary.console);
}

#[test]
fn garden_makes_and_forgets_objects() {
    let (summary, _) = both("garden.il", &blank(), &[]);
    assert_eq!(summary.console, "7150 parts, 3587 leaves\n");
    assert_eq!(summary.frames, 1);
}

#[test]
fn paint_saves_and_reloads() {
    let keys = root().join("samples/keys/paint.keys");
    let keys = keys.to_str().unwrap();
    let (first, disk) = both("paint.il", &blank(), &["--keys", keys]);
    assert_eq!(&disk[..4], b"CPNT");
    assert!(disk[8..8 + 64 * 46].contains(&5), "blue cells were saved");

    // What was saved is on the screen of the next run, before any key.
    let (second, _) = both("paint.il", &disk, &["--until-frame", "1"]);
    let (blank_start, _) = both("paint.il", &blank(), &["--until-frame", "1"]);
    assert_ne!(second.frame_hash, blank_start.frame_hash);
    assert_ne!(first.frame_hash, blank_start.frame_hash);
}

#[test]
fn clock() {
    let (summary, _) = both("clock.il", &blank(), &[]);
    assert_eq!(summary.frames, 11);
    assert_eq!(summary.console.lines().last(), Some("tick 10"));
}

#[test]
fn life() {
    let (summary, _) = both("life.il", &blank(), &[]);
    assert_eq!(summary.frames, 101);
    assert!(summary.console.ends_with("cells live after 100 generations\n"));
}

#[test]
fn life_until_a_frame() {
    let (summary, _) = both("life.il", &blank(), &["--until-frame", "10"]);
    assert_eq!(summary.frames, 10);
}

#[test]
fn thermometer() {
    let (summary, _) = both("thermometer.il", &blank(), &["--plug", "thermometer=samples/vms/thermometer.il"]);
    assert_eq!(summary.console, "calibrate(9000) gives status 2\nhighest reading: 25500 millidegrees\n");
    assert_eq!(summary.frames, 1);
}

#[test]
fn echo() {
    let (summary, _) = both("echo.il", &blank(), &["--plug", "echo=samples/vms/echo.il"]);
    let expected = "echo: is anybody there?\nreversed: 16909060\nevent: said 1\n";
    assert_eq!(summary.console, expected);
}

#[test]
fn a_manifest_is_enough_to_run_paint() {
    let keys = root().join("samples/keys/paint.keys");
    let manifest = Path::new("samples/systems/paint.toml");
    for place in Where::BOTH {
        let program = root().join("samples/paint.il");
        let options = ["--system", manifest.to_str().unwrap(), "--clock", "virtual", "--keys", keys.to_str().unwrap()];
        let summary = run(place, &program, &options).unwrap();
        assert_eq!(summary.exit, 0, "{place:?}: {:?}", summary.faults);
    }
}

#[test]
fn shader_draws_inside_the_display() {
    let (summary, _) = both("shader.il", &blank(), &["--until-frame", "3"]);
    assert_eq!(summary.frames, 3);
    assert!(summary.frame_hash.is_some());
}

#[test]
fn scan_finds_records_where_they_are() {
    let found = "record: here\nrecord: and far away\nrecord: and almost at the end\n3 of 2048 sectors crossed\n";
    let (first, disk) = both("scan.il", &blank(), &[]);
    assert_eq!(first.console, format!("no records yet: some are written\n{found}"));
    let (second, after) = both("scan.il", &disk, &[]);
    assert_eq!((second.console.as_str(), after == disk), (found, true));
}

#[test]
fn remap_maps_keys_inside_the_keyboard() {
    let keys = root().join("samples/keys/remap.keys");
    let (summary, _) = both("remap.il", &blank(), &["--keys", keys.to_str().unwrap()]);
    assert_eq!(summary.console, "type: hello world\n");
}

/// Programs that know of nothing, on devices on which VMs stand: `samples/systems/NAME.toml`, in both places.
fn cascade(name: &str, disk: &[u8], options: &[&str]) -> (Summary, Vec<u8>) {
    let manifest = root().join(format!("samples/systems/{name}.toml"));
    let keys = root().join("samples/keys/paint.keys");
    let mut all = vec!["--system", manifest.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
    all.extend_from_slice(options);
    both("paint.il", disk, &all)
}

#[test]
fn paint_saves_to_an_encrypted_disk_over_a_cached_one() {
    let (plain, plain_disk) =
        both("paint.il", &blank(), &["--keys", root().join("samples/keys/paint.keys").to_str().unwrap()]);
    let (first, disk) = cascade("vault", &blank(), &[]);
    assert_eq!(first.frame_hash, plain.frame_hash, "the program cannot tell");
    assert_ne!(disk[..3072], plain_disk[..3072]);
    assert!(disk[..3072].iter().any(|byte| *byte != 0), "it was flushed through the cache");
    let (_, again) = cascade("vault", &disk, &[]);
    assert_eq!(again, disk, "what was saved is read back, and saved the same");
}

#[test]
fn paint_is_traced() {
    let (summary, _) = cascade("traced", &blank(), &[]);
    for line in ["disk.read 0 6", "display.fill_rect 0 0", "disk.write 0 3072", "disk.flush", "display.present"] {
        assert!(summary.console.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn ten_panes_of_glass_before_a_display_are_not_noticed() {
    let (direct, _) = both("pixel.il", &blank(), &[]);
    let panes: Vec<(String, String)> =
        (0..10).map(|at| (format!("glass{at}=samples/vms/glass.il"), format!("glass{at}=display"))).collect();
    for count in [1, 10] {
        let options = panes[..count].iter().flat_map(|(plug, on)| ["--plug", plug, "--on", on]);
        let (seen, _) = both("pixel.il", &blank(), &options.collect::<Vec<&str>>());
        assert_eq!((seen.console, seen.frame_hash), (direct.console.clone(), direct.frame_hash.clone()));
    }
}

#[test]
fn paint_lives_with_a_disk_that_fails() {
    let (summary, disk) = cascade("faulty", &blank(), &[]);
    assert_eq!(&disk[..4], b"CPNT");
    assert!(summary.frames > 0);
}

#[test]
fn paint_and_mandelbrot_have_a_window_each() {
    let (summary, _) = cascade("windows", &blank(), &[]);
    assert!(summary.console.ends_with("pixels lie inside the set\n"), "{}", summary.console);
    assert!(summary.frames > 1);
}

#[test]
fn a_part_of_the_disk_is_enough_for_sector_and_less_is_refused_before_the_run() {
    let (summary, _) = both("sector.il", &blank(), &["--system", "samples/systems/sector.toml"]);
    assert!(summary.console.starts_with("sector 510\n"), "{}", summary.console);
    for place in Where::BOTH {
        let options = ["--clock", "virtual", "--grant", "console", "--grant", "disk=read,sectors:0..510"];
        let summary = run(place, &root().join("samples/sector.il"), &options).unwrap();
        assert_eq!((summary.exit, summary.console.as_str()), (2, ""), "{place:?}");
        let why = "disk.read(510, 1) touches `sectors` 510, but granted is sectors:0..510";
        assert!(summary.faults.iter().any(|fault| fault.contains(why)), "{place:?}: {:?}", summary.faults);
    }
}
