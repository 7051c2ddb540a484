//! A bounded ring of small items between an interrupt handler and the code that it interrupts.

use core::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

/// A ring of `N` items, one producer and one consumer.
pub struct Ring<const N: usize> {
    items: [AtomicU16; N],
    /// Items ever taken.
    head: AtomicUsize,
    /// Items ever put.
    tail: AtomicUsize,
}

impl<const N: usize> Ring<N> {
    /// An empty ring.
    pub const fn new() -> Ring<N> {
        Ring { items: [const { AtomicU16::new(0) }; N], head: AtomicUsize::new(0), tail: AtomicUsize::new(0) }
    }

    /// Puts an item; false, and nothing put, if the ring is full.
    pub fn push(&self, item: u16) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let full = tail.wrapping_sub(self.head.load(Ordering::Acquire)) >= N;
        if full {
            return false;
        }
        self.items[tail % N].store(item, Ordering::Relaxed);
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == self.tail.load(Ordering::Acquire)
    }

    /// Takes the oldest item.
    pub fn pop(&self) -> Option<u16> {
        let head = self.head.load(Ordering::Relaxed);
        if head == self.tail.load(Ordering::Acquire) {
            return None;
        }
        let item = self.items[head % N].load(Ordering::Relaxed);
        self.head.store(head.wrapping_add(1), Ordering::Release);
        Some(item)
    }
}
