//! A bounded queue between the base's core and a backend thread.
//!
//! Its memory is taken when it is made, so that neither side allocates in the other's name.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use basevm::service::Waker;

/// A queue of at most so many items.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Ring<T> {
    pub fn new(capacity: usize) -> Ring<T> {
        let state = State { items: VecDeque::with_capacity(capacity), closed: false };
        Ring { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// Appends an item; gives it back if the queue is full or closed.
    pub fn try_push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.items.len() >= self.capacity {
            return Err(item);
        }
        state.items.push_back(item);
        self.changed.notify_all();
        Ok(())
    }

    /// Appends an item, waiting for room; gives it back if the queue is closed.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        while !state.closed && state.items.len() >= self.capacity {
            state = self.wait(state);
        }
        if state.closed {
            return Err(item);
        }
        state.items.push_back(item);
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the oldest item, if there is one.
    pub fn try_pop(&self) -> Option<T> {
        let item = self.lock().items.pop_front();
        self.changed.notify_all();
        item
    }

    /// Takes the oldest item, waiting for it; `None` once the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                self.changed.notify_all();
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// No more items are taken in; what is there can still be taken out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        locked(&self.state)
    }

    fn wait<'g>(&self, guard: MutexGuard<'g, State<T>>) -> MutexGuard<'g, State<T>> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks, also after a panic elsewhere: all data here is valid between any two statements.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The waker of a VM that may not have started yet.
#[derive(Default, Debug)]
pub(crate) struct Bell(Mutex<Option<Waker>>);

impl Bell {
    /// The VM has started; it looks at what came before by itself.
    pub fn set(&self, waker: Waker) {
        *locked(&self.0) = Some(waker);
    }

    /// Wakes the VM.
    pub fn ring(&self) {
        if let Some(waker) = &*locked(&self.0) {
            waker.wake();
        }
    }
}
