//! The same numbers however tensors are held: channels last, permuted, strided, in place, at odd elements of one buffer,
//! in pieces; with every variant that can.

mod common;
#[path = "common/judged.rs"]
mod judged;

use common::context;
use judged::arranged_failure;
use wgnorm::verify::{Arrangement, Scale, cases};

/// Runs all small cases in one arrangement, with every variant that can, and reports all that fail.
fn check(arrangement: Arrangement) {
    let (mut failures, mut runs) = (Vec::new(), 0);
    for case in cases(Scale::Smoke).iter().filter(|case| case.x.len() < 1 << 14) {
        let Some(arranged) = arrangement.of(case) else {
            continue;
        };
        let Some(context) = arrangement.context(context(), case).unwrap() else {
            continue;
        };
        let candidates = arranged.operation().unwrap().candidates(&context).unwrap();
        // With given statistics there is nothing to choose.
        let forced = candidates.into_iter().filter(|_| !case.norm.uses_running());
        for variant in [None].into_iter().chain(forced.map(Some)) {
            runs += 1;
            failures.extend(arranged_failure(common::context(), case, variant, arrangement));
        }
    }
    assert!(runs >= 20, "only {runs} runs of {}", arrangement.name());
    assert!(
        failures.is_empty(),
        "{} of {runs} runs failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn in_place() {
    check(Arrangement::InPlace);
}

#[test]
fn at_odd_elements_of_one_buffer() {
    check(Arrangement::Arena);
}

#[test]
fn channels_last() {
    check(Arrangement::ChannelsLast);
}

#[test]
fn permuted_in_memory() {
    check(Arrangement::Permuted);
}

#[test]
fn transposed_on_the_way() {
    check(Arrangement::Transposed);
}

#[test]
fn rows_with_gaps() {
    check(Arrangement::Strided);
}

#[test]
fn rows_of_y_between_rows_of_x() {
    check(Arrangement::Interleaved);
}

#[test]
fn in_pieces() {
    check(Arrangement::Pieces);
}

#[test]
fn in_pieces_of_one_buffer() {
    check(Arrangement::PiecesInArena);
}
