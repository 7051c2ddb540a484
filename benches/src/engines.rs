//! One program in several engines, in turn: a round is one run in each, so that a busy moment hits all.

use anyhow::{Context, Result, bail};

use crate::timing::median;
use crate::worker::{Outcome, Worker};

/// Rounds that count, after one that does not.
const ROUNDS: usize = 5;

/// Ours or a peer.
pub trait Engine {
    /// Runs a program once.
    ///
    /// # Errors
    /// If it cannot run it.
    fn run(&mut self, name: &str, n: i32) -> Result<Outcome>;
}

impl Engine for Worker {
    fn run(&mut self, name: &str, n: i32) -> Result<Outcome> {
        Worker::run(self, name, n)
    }
}

/// What an engine did in all rounds.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The median time of a round, in ms.
    pub ms: f64,
    /// What the program returned.
    pub result: i64,
    /// The median of the collector's pauses, in ms; 0 if there was none.
    pub median_pause_ms: f64,
    /// The worst of them.
    pub worst_pause_ms: f64,
}

/// Ours, which may have failed, and the peers, of which some may be absent.
pub type Sides = (Result<Figures>, Vec<Option<Figures>>);

/// Runs a program in all of these engines; `None` is one that is absent. All must give the same result.
/// The first is ours, and alone may fail: the peers are then measured without it.
///
/// # Errors
/// If a peer fails, or two disagree.
pub fn side_by_side(engines: &mut [Option<&mut dyn Engine>], name: &str, n: i32) -> Result<Sides> {
    let (ours, peers) = rounds(engines, name, n)?;
    let mut results = peers.iter().flatten().chain(&ours).map(|figures| figures.result);
    if let Some(first) = results.next()
        && let Some(other) = results.find(|other| *other != first)
    {
        bail!("{name} {n}: the engines disagree, {first} and {other}");
    }
    Ok((ours, peers))
}

/// The same without a look at the results.
///
/// # Errors
/// If a peer fails.
pub fn rounds(engines: &mut [Option<&mut dyn Engine>], name: &str, n: i32) -> Result<Sides> {
    let mut outcomes = vec![Vec::new(); engines.len()];
    let mut failed = None;
    for _ in 0..=ROUNDS {
        for (at, engine) in engines.iter_mut().enumerate() {
            match engine.as_mut().map(|engine| engine.run(name, n)) {
                None => {}
                Some(Ok(outcome)) => outcomes[at].push(outcome),
                Some(Err(why)) if at > 0 => return Err(why),
                Some(Err(why)) => {
                    failed = Some(why);
                    *engine = None;
                }
            }
        }
    }
    let mut figures: Vec<Option<Figures>> = outcomes.iter().map(|all| figures(all)).collect();
    let ours = figures.remove(0).context("nothing was run");
    Ok((failed.map_or(ours, Err), figures))
}

fn figures(outcomes: &[Outcome]) -> Option<Figures> {
    let counted = outcomes.get(1..).filter(|counted| !counted.is_empty())?;
    let mut ms: Vec<f64> = counted.iter().map(|outcome| outcome.ns / 1e6).collect();
    let mut pauses: Vec<f64> = counted.iter().flat_map(|outcome| &outcome.pauses_ns).map(|ns| ns / 1e6).collect();
    let (median_pause_ms, worst_pause_ms) = match pauses.is_empty() {
        true => (0.0, 0.0),
        false => (median(&mut pauses), pauses.iter().copied().fold(0.0, f64::max)),
    };
    Some(Figures { ms: median(&mut ms), result: counted[0].result, median_pause_ms, worst_pause_ms })
}

/// The geometric mean; `None` of nothing, or if one is missing.
pub fn geometric_mean(values: &[Option<f64>]) -> Option<f64> {
    let logs: Option<Vec<f64>> = values.iter().map(|value| value.map(f64::ln)).collect();
    let logs = logs.filter(|logs| !logs.is_empty())?;
    Some((logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(i64, f64);

    impl Engine for Fixed {
        fn run(&mut self, _name: &str, _n: i32) -> Result<Outcome> {
            if self.1 == 0.0 {
                bail!("cannot");
            }
            Ok(Outcome { ns: self.1, result: self.0, pauses_ns: vec![1e6, 3e6] })
        }
    }

    #[test]
    fn ours_may_fail_and_peers_may_not() {
        let (mut bad, mut good) = (Fixed(7, 0.0), Fixed(7, 2e6));
        let (ours, peers) = side_by_side(&mut [Some(&mut bad), None, Some(&mut good)], "x", 1).unwrap();
        assert!(ours.is_err() && peers[0].is_none());
        let peer = peers[1].as_ref().unwrap();
        assert_eq!((peer.ms, peer.median_pause_ms, peer.worst_pause_ms), (2.0, 3.0, 3.0));
        assert!(side_by_side(&mut [Some(&mut good), Some(&mut bad)], "x", 1).is_err());
    }

    #[test]
    fn different_results_are_refused() {
        let (mut one, mut two) = (Fixed(7, 1.0), Fixed(8, 1.0));
        assert!(side_by_side(&mut [Some(&mut one), Some(&mut two)], "x", 1).is_err());
    }

    #[test]
    fn a_mean_with_a_gap_is_none() {
        assert!((geometric_mean(&[Some(1.0), Some(4.0)]).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[Some(1.0), None]), None);
    }
}
