//! `cascade.entropy@1`: what a seed promises, and the bounds.

use il::trap::Status;
use isa::entropy::Op;
use vm_entropy::{Entropy, MAX_BYTES, NoSource, Seeded, Source};
use vm_testing::{Bench, buf};

fn fill(bench: &mut Bench<Entropy>, n: i32) -> Result<Vec<u8>, Status> {
    let answer = bench.now(|packet, tag| Op::Fill { n }.encode(packet, tag), vec![]);
    answer.map(|reply| buf(Ok(reply)).to_vec())
}

fn seeded(seed: u64) -> Bench<Entropy> {
    Bench::new(Entropy::new(Box::new(Seeded::new(seed))))
}

/// The stream of a seed is a promise: a recorded run depends on it.
#[test]
fn a_seed_gives_the_same_bytes_everywhere() {
    let (mut first, mut again, mut other) = (seeded(0), seeded(0), seeded(8));
    let bytes = fill(&mut first, 16).unwrap();
    // RFC 7539, A.1, test vector 1.
    assert_eq!(bytes, *b"\x76\xb8\xe0\xad\xa0\xf1\x3d\x90\x40\x5d\x6a\xe5\x53\x86\xbd\x28");
    let parts = [fill(&mut again, 8).unwrap(), fill(&mut again, 8).unwrap()].concat();
    assert_eq!(parts, bytes, "however it is asked for");
    assert_ne!(fill(&mut other, 16).unwrap(), bytes);
}

#[test]
fn what_is_asked_for_is_bounded() {
    let mut bench = seeded(1);
    assert_eq!(fill(&mut bench, 0).unwrap().len(), 0);
    assert_eq!(fill(&mut bench, MAX_BYTES as i32).unwrap().len(), MAX_BYTES);
    for n in [MAX_BYTES as i32 + 1, -1, i32::MIN] {
        assert_eq!(fill(&mut bench, n), Err(Status::OutOfRange));
    }
    assert_eq!(bench.host.bytes_used(), 0);
}

#[test]
fn a_machine_without_a_source_says_so() {
    let mut bench = Bench::new(Entropy::new(Box::new(NoSource)));
    assert_eq!(fill(&mut bench, 8), Err(Status::NotSupported));
    assert_eq!(NoSource.fill(&mut []), Err(Status::NotSupported));
}
