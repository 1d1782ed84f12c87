//! Which of the stripes of a counter a thread writes to.
//!
//! Threads are numbered as they first ask, so that up to eight of them never share a stripe; those after them do, evenly.

/// How many stripes there are. Under the model checker one: all of its threads are to meet.
#[cfg(not(all(loom, test)))]
pub(crate) const STRIPES: usize = 8;
#[cfg(all(loom, test))]
pub(crate) const STRIPES: usize = 1;

/// The stripe of this thread, below [`STRIPES`].
#[cfg(not(all(loom, test)))]
#[inline]
pub(crate) fn own() -> usize {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    STRIPE.with(|stripe| {
        if stripe.get() == usize::MAX {
            stripe.set(THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        stripe.get()
    })
}

/// The one stripe.
#[cfg(all(loom, test))]
pub(crate) fn own() -> usize {
    0
}
