//! Work shared among threads, where there are any. What is computed does not depend on them.

/// Elements below which waking threads takes longer than they help.
pub(super) const ALONE: usize = 1 << 15;

/// The results for all items, in their order.
#[cfg(not(target_family = "wasm"))]
pub(super) fn map<I: Sync, O: Send>(items: &[I], work: impl Fn(&I) -> O + Sync + Send) -> Vec<O> {
    use rayon::prelude::*;
    match items {
        [] | [_] => items.iter().map(work).collect(),
        _ => items.par_iter().map(work).collect(),
    }
}

/// Calls `work` with every chunk of so many elements and its number.
#[cfg(not(target_family = "wasm"))]
pub(super) fn each_chunk<T: Send>(y: &mut [T], len: usize, work: impl Fn(usize, &mut [T]) + Sync + Send) {
    use rayon::prelude::*;
    if y.len() < ALONE {
        return y.chunks_mut(len).enumerate().for_each(|(i, chunk)| work(i, chunk));
    }
    y.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| work(i, chunk));
}

/// Threads that work on so many elements.
#[cfg(not(target_family = "wasm"))]
pub(super) fn threads(elements: usize) -> usize {
    match elements {
        0..ALONE => 1,
        _ => rayon::current_num_threads(),
    }
}

#[cfg(target_family = "wasm")]
pub(super) fn map<I, O>(items: &[I], work: impl Fn(&I) -> O) -> Vec<O> {
    items.iter().map(work).collect()
}

#[cfg(target_family = "wasm")]
pub(super) fn each_chunk<T>(y: &mut [T], len: usize, work: impl Fn(usize, &mut [T])) {
    y.chunks_mut(len).enumerate().for_each(|(i, chunk)| work(i, chunk));
}

#[cfg(target_family = "wasm")]
pub(super) fn threads(_: usize) -> usize {
    1
}

/// Compiles an expression for the widest instructions that the processor has. What it calls has to be
/// `#[inline(always)]`.
macro_rules! widest {
    ($work:expr) => {{
        #[cfg(not(target_family = "wasm"))]
        {
            fearless_simd::dispatch!(fearless_simd::Level::new(), _ => $work)
        }
        #[cfg(target_family = "wasm")]
        {
            $work
        }
    }};
}
pub(super) use widest;
