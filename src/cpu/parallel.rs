//! Work shared among rayon's threads.

use std::sync::{Mutex, PoisonError};

/// Elements below which waking threads takes longer than they help.
pub(super) const ALONE: usize = 1 << 15;

/// Threads that work on a tensor of this many elements.
pub(super) fn threads(elements: usize) -> usize {
    match elements {
        0..ALONE => 1,
        _ => rayon::current_num_threads(),
    }
}

/// Does `work` on every item, on up to so many `threads`.
///
/// Every thread begins with a share of neighbouring items, the same one in every call, which its caches may still have
/// from the last; then it takes from the ends of the others' shares. A caller from outside of the pool only waits:
/// with it there would be a thread more than there are processors, and the pool's idle one would go on looking for
/// work in the time of another that has some.
pub(super) fn for_each<T: Send>(threads: usize, items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    if threads == 1 {
        return items.for_each(work);
    }
    let mut items: Vec<T> = items.collect();
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.into_iter().for_each(work);
    }
    let mut shares = Vec::with_capacity(threads);
    for left in (1..=threads).rev() {
        let share = items.split_off(items.len() - items.len() / left);
        shares.push(Mutex::new(share.into_iter()));
    }
    let lock = |share: usize| shares[share].lock().unwrap_or_else(PoisonError::into_inner);
    let take_all = || {
        let own = rayon::current_thread_index().unwrap_or(0) % threads;
        while let Some(item) = { lock(own).next() } {
            work(item);
        }
        for other in (1..threads).map(|i| (own + i) % threads) {
            while let Some(item) = { lock(other).next_back() } {
                work(item);
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| take_all());
        }
        take_all();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_item_is_taken_once() {
        for threads in [1, 2, 3, 8, 100] {
            for count in [0, 1, 2, 7, 100] {
                let taken: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                for_each(threads, taken.iter(), |item| {
                    item.fetch_add(1, Ordering::Relaxed);
                });
                assert!(taken.iter().all(|item| item.load(Ordering::Relaxed) == 1));
            }
        }
    }
}
