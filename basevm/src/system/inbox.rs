//! What waits for a VM, by who sent it.
//!
//! All that one VM sends arrives in its order; between VMs deliveries are taken in turn. So a VM that sends much, over
//! however many channels, delays another's request by one instruction of its own.

use alloc::collections::{BTreeMap, VecDeque};

use super::channel::Delivery;
use crate::service::VmId;

/// Deliveries that nobody has taken yet.
#[derive(Default, Debug)]
pub(crate) struct Inbox {
    /// Everyone of whom something is here, once, in the order in which they have their turns.
    turns: VecDeque<VmId>,
    /// Never empty.
    lanes: BTreeMap<VmId, VecDeque<Delivery>>,
    len: usize,
}

impl Inbox {
    /// How many deliveries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one, behind all that came from the same VM.
    pub fn push(&mut self, from: VmId, delivery: Delivery) {
        self.lane(from).push_back(delivery);
    }

    /// Puts back one that was begun: it is the next of its sender, whose turn comes after those of all others.
    pub fn put_back(&mut self, from: VmId, delivery: Delivery) {
        self.lane(from).push_front(delivery);
    }

    fn lane(&mut self, from: VmId) -> &mut VecDeque<Delivery> {
        self.len += 1;
        let turns = &mut self.turns;
        self.lanes.entry(from).or_insert_with(|| {
            turns.push_back(from);
            VecDeque::new()
        })
    }

    /// Takes the next one.
    pub fn pop(&mut self) -> Option<Delivery> {
        let from = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&from)?;
        let delivery = lane.pop_front()?;
        self.len -= 1;
        if lane.is_empty() {
            self.lanes.remove(&from);
        } else {
            self.turns.push_back(from);
        }
        Some(delivery)
    }

    /// The next one.
    pub fn front(&self) -> Option<&Delivery> {
        self.lanes.get(self.turns.front()?)?.front()
    }

    /// Whether there is something of anybody but this VM.
    pub fn has_other(&self, from: VmId) -> bool {
        self.turns.len() > 1 || self.turns.front().is_some_and(|first| *first != from)
    }

    /// What is here of one VM, in its order.
    pub fn of(&mut self, from: VmId) -> impl Iterator<Item = &mut Delivery> {
        self.lanes.get_mut(&from).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::system::channel::EventDelivery;

    fn delivery(number: u8) -> Delivery {
        Delivery::Event(EventDelivery { slot: 0, number, words: Vec::new(), attachments: Vec::new() })
    }

    fn number(delivery: Option<Delivery>) -> Option<u8> {
        match delivery? {
            Delivery::Event(event) => Some(event.number),
            Delivery::Packet(_) => None,
        }
    }

    #[test]
    fn senders_have_their_turns_and_each_ones_order_holds() {
        let (flooder, victim) = (VmId(1), VmId(2));
        let mut inbox = Inbox::default();
        for number in 1..=5 {
            inbox.push(flooder, delivery(number));
        }
        assert!(!inbox.has_other(flooder) && inbox.has_other(victim));
        inbox.push(victim, delivery(100));
        inbox.push(victim, delivery(101));
        assert!(inbox.has_other(flooder) && inbox.has_other(victim) && inbox.len() == 7);
        let order: Vec<_> = core::iter::from_fn(|| number(inbox.pop())).collect();
        assert_eq!(order, [1, 100, 2, 101, 3, 4, 5]);
        assert!(inbox.is_empty() && inbox.pop().is_none());
    }

    #[test]
    fn what_was_begun_goes_on_after_the_turns_of_others() {
        let (flooder, victim) = (VmId(1), VmId(2));
        let mut inbox = Inbox::default();
        inbox.push(flooder, delivery(1));
        inbox.push(flooder, delivery(2));
        let begun = inbox.pop().unwrap();
        inbox.push(victim, delivery(100));
        inbox.put_back(flooder, begun);
        let order: Vec<_> = core::iter::from_fn(|| number(inbox.pop())).collect();
        assert_eq!(order, [1, 100, 2], "the flooder's turn had come before the victim sent");
        inbox.push(flooder, delivery(3));
        assert_eq!(inbox.of(flooder).count(), 1);
        assert_eq!(inbox.of(victim).count(), 0);
    }
}
