//! Two VMs keep the disk busy at once, hosted and booted: both see their own data, and the images agree.

use std::fs;

use cascade_tests::{Where, run};

const WORKER: &str = r#"module worker
isa test.worker@1 { 1 sum() -> (sum: i32) }
use disk: cascade.disk@1
global mut total = 0
export func main() {
  for i in 0..64 {
    let data = buf(1024)
    store32(data, 1020, i * 3)
    disk.write(i64(100 + i * 2), data)
    let back = disk_back(i)
    total += load32(back, 1020)
  }
}
func disk_back(i: i32) -> buf {
  let data = disk.read(i64(100 + i * 2), 2)
  return data
}
provides test.worker@1 { op sum() -> (sum: i32) { return total } }
"#;

const PROGRAM: &str = r#"module two
isa test.worker@1 { 1 sum() -> (sum: i32) }
use worker: test.worker@1
use console: cascade.console@1
use disk: cascade.disk@1
export func main() {
  var total = 0
  for i in 0..64 {
    let data = buf(512)
    store32(data, 0, i)
    disk.write(i64(400 + i), data)
    let back = disk.read(i64(400 + i), 1)
    total += load32(back, 0)
  }
  disk.flush()
  console.write(concat(str(total), concat(" ", str(worker.sum()))))
}
"#;

#[test]
fn two_vms_share_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    };
    let (program, worker) = (write("two.il", PROGRAM), write("worker.il", WORKER));
    let plug = format!("worker={}", worker.display());
    let images = Where::BOTH.map(|place| {
        let image = folder.path().join(format!("{place:?}.img"));
        fs::write(&image, vec![0; 1 << 20]).unwrap();
        let options = ["--plug", &plug, "--disk", image.to_str().unwrap(), "--clock", "virtual"];
        let summary = run(place, &program, &options).unwrap();
        assert_eq!(summary.exit, 0, "{place:?}: {:?}", summary.faults);
        assert_eq!(summary.console, "2016 6048", "{place:?}");
        fs::read(image).unwrap()
    });
    assert!(images[0] == images[1], "the disk images differ");
    assert_eq!(images[0][(100 + 63 * 2) * 512 + 1020], 63 * 3);
}
