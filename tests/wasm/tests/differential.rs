//! Random modules.
use wasm_suite::{peer::Peer, random, trace};
#[test]
fn peers() {
    let mut c = std::collections::BTreeMap::new();
    for seed in 0..300 {
        let Ok(bytes) = random::module(seed) else {
            *c.entry("none".to_string()).or_insert(0) += 1;
            continue;
        };
        let mut peer = Peer::new(&bytes).unwrap_or_else(|e| panic!("{seed}: {e:#}"));
        let exports = peer.exports();
        let t = trace::trace(&mut peer, &exports, seed);
        for e in &t {
            let k = match e {
                trace::Event::Returned(..) => "ret".into(),
                trace::Event::Holds(_) => continue,
                trace::Event::Trapped(_, f) => format!("{f:?}"),
                other => format!("{other:?}"),
            };
            *c.entry(k).or_insert(0) += 1;
        }
    }
    println!("{c:#?}");
}
