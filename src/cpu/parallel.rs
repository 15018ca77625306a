//! Work shared among the caller and rayon's threads.

use std::sync::{Mutex, PoisonError};

/// Elements below which waking a thread takes longer than it helps.
pub(super) const ALONE: usize = 1 << 15;

/// Threads that work on a tensor of this many elements.
pub(super) fn threads(elements: usize) -> usize {
    match elements {
        0..ALONE => 1,
        _ => rayon::current_num_threads(),
    }
}

/// Does `work` on every item, on up to so many `threads`; which of them takes which item is left to chance.
///
/// The caller takes items from the start, and the others as they wake: a call that is over in less time than it takes
/// to wake a thread has not waited for one to begin.
pub(super) fn for_each<T: Send>(threads: usize, items: impl Iterator<Item = T> + Send, work: impl Fn(T) + Sync) {
    let threads = items.size_hint().1.map_or(threads, |most| threads.min(most));
    if threads <= 1 {
        return items.for_each(work);
    }
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_all = || {
        while let Some(item) = next() {
            work(item);
        }
    };
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take_all());
        }
        take_all();
    });
}
