//! Who runs next: the run queue, by priority.
//!
//! The rule: of seven turns four are for VMs of high priority, two for normal ones and one for low ones, in the fixed
//! order of [`TURNS`]; what a priority does not use goes to the highest that has somebody. Within a priority VMs run
//! in the order in which they became able to. So nobody starves: among `n` VMs of low priority each runs at
//! least once in `7 * n` turns, whatever the others do; a VM of high priority waits for at most one turn of a
//! lower one.

use alloc::collections::VecDeque;

use super::Priority;
use crate::service::VmId;

/// Whose turn it is, again and again.
const TURNS: [Priority; 7] =
    [Priority::High, Priority::Normal, Priority::High, Priority::Low, Priority::High, Priority::Normal, Priority::High];

/// From the highest.
const ALL: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

/// VMs that can run.
#[derive(Default, Debug)]
pub(super) struct RunQueue {
    by_priority: [VecDeque<VmId>; ALL.len()],
    /// Index into [`TURNS`].
    turn: usize,
}

impl RunQueue {
    /// Adds a VM at the end of its priority.
    pub fn push(&mut self, id: VmId, priority: Priority) {
        self.of(priority).push_back(id);
    }

    /// Takes the VM that runs next.
    pub fn pop(&mut self) -> Option<VmId> {
        let wanted = TURNS[self.turn];
        let priority = core::iter::once(wanted).chain(ALL).find(|priority| !self.of(*priority).is_empty())?;
        self.turn = (self.turn + 1) % TURNS.len();
        self.of(priority).pop_front()
    }

    fn of(&mut self, priority: Priority) -> &mut VecDeque<VmId> {
        let at = match priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        &mut self.by_priority[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each VM runs in so many turns, if all can always run.
    fn shares(vms: &[(u32, Priority)], turns: usize) -> alloc::vec::Vec<usize> {
        let mut queue = RunQueue::default();
        for (id, priority) in vms {
            queue.push(VmId(*id), *priority);
        }
        let mut shares = alloc::vec![0; vms.len()];
        for _ in 0..turns {
            let id = queue.pop().unwrap();
            let at = vms.iter().position(|(vm, _)| *vm == id.0).unwrap();
            shares[at] += 1;
            queue.push(id, vms[at].1);
        }
        shares
    }

    #[test]
    fn turns_are_shared_by_weight_and_nobody_starves() {
        let vms = [(1, Priority::High), (2, Priority::Normal), (3, Priority::Low)];
        assert_eq!(shares(&vms, 70), [40, 20, 10]);
        let low = [(1, Priority::High), (2, Priority::High), (3, Priority::Low), (4, Priority::Low)];
        assert_eq!(shares(&low, 140), [60, 60, 10, 10], "normal turns go to the highest");
        assert_eq!(shares(&[(3, Priority::Low)], 7), [7], "alone it has all");
    }

    #[test]
    fn a_vm_of_high_priority_waits_for_one_turn_at_most() {
        for before in 0..TURNS.len() {
            let mut queue = RunQueue::default();
            for _ in 0..before {
                queue.push(VmId(1), Priority::Low);
                queue.pop();
            }
            for id in 10..20 {
                queue.push(VmId(id), Priority::Normal);
                queue.push(VmId(id + 10), Priority::Low);
            }
            queue.push(VmId(1), Priority::High);
            let waited = core::iter::from_fn(|| queue.pop()).position(|id| id == VmId(1)).unwrap();
            assert!(waited <= 1, "{waited} turns after {before}");
        }
    }
}
