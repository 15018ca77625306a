//! Reading on a thread of its own, so that it goes on while the last chunk is computed with.

use std::sync::mpsc::sync_channel;
use std::thread;

use super::Chunks;

/// Chunks that wait.
const DEPTH: usize = 2;

/// The same chunks, read ahead. A reader whose chunks nobody takes any more ends.
pub fn ahead(chunks: Chunks) -> Chunks {
    let (sender, receiver) = sync_channel(DEPTH);
    thread::spawn(move || {
        for chunk in chunks {
            let last = chunk.is_err();
            if sender.send(chunk).is_err() || last {
                return;
            }
        }
    });
    Box::new(receiver.into_iter())
}
