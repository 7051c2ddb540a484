//! Those who wait until there is input, but do not want it yet.

use alloc::vec::Vec;

use basevm::platform::Nanos;
use basevm::service::{Host, Outcome, Reply, ReplyRight};
use il::packet::Value;
use il::trap::Status;
use isa::console::reply;

use crate::MAX_WAITING;

/// The answer when the time has passed.
pub(crate) const NOT_READY: [Value<'static>; 2] = [Value::Bool(false), Value::I32(0)];

/// The answer when so many bytes are there.
pub(crate) fn ready(bytes: usize) -> [Value<'static>; 2] {
    reply::ready(true, bytes as i32)
}

/// `ready`s that wait.
#[derive(Default, Debug)]
pub(crate) struct Polls(Vec<(ReplyRight, Option<Nanos>)>);

impl Polls {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them waits for as long as it takes: nothing but input ends that.
    pub fn are_endless(&self) -> bool {
        self.0.iter().any(|(_, until)| until.is_none())
    }

    /// Waits until that time.
    pub fn wait(&mut self, host: &mut dyn Host, until: Option<Nanos>) -> Outcome {
        if self.0.len() >= MAX_WAITING {
            return Outcome::Fail(Status::Busy);
        }
        self.0.push((host.reply_right(), until));
        self.ask(host);
        Outcome::Later
    }

    /// There is input, or its end.
    pub fn answer_all(&mut self, host: &mut dyn Host, bytes: usize) {
        for (right, _) in self.0.drain(..) {
            host.complete(right, Ok(Reply::new(&ready(bytes), Vec::new())));
        }
        self.ask(host);
    }

    /// There is none for those whose time has passed.
    pub fn answer_due(&mut self, host: &mut dyn Host) {
        let now = host.now();
        let mut at = 0;
        while let Some((_, until)) = self.0.get(at) {
            match until.is_some_and(|until| until <= now) {
                true => {
                    let (right, _) = self.0.remove(at);
                    host.complete(right, Ok(Reply::new(&NOT_READY, Vec::new())));
                }
                false => at += 1,
            }
        }
        self.ask(host);
    }

    /// Asks to be woken at the earliest time.
    fn ask(&self, host: &mut dyn Host) {
        host.wake_at(self.0.iter().filter_map(|(_, until)| *until).min());
    }
}
