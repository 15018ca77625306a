//! What is allocated: nothing of its own by a recording, no more by a fit of many chunks than of few.

mod common;

use allocation_counter::measure;
use common::context;
use wgnorm::scaler::{Features, MaxAbs, Method, MinMax, PowerTransform, QuantileTransform, Robust, Standard};
use wgnorm::verify::transfer::create;
use wgnorm::{Bound, Forward, LayerNorm, Variant};

/// Recordings in one pass.
const TIMES: u64 = 1000;

/// A layer norm of one dispatch, or of three.
fn bound(variant: Variant) -> Bound {
    let context = context();
    let norm = LayerNorm::new(&[4, 4096]).weight(false).bias(false).variant(variant);
    let plan = norm.plan(context).unwrap();
    let (x, y) = (create(context, "x", 4 * 4 * 4096), create(context, "y", 4 * 4 * 4096));
    let workspace = context.create_workspace(plan.workspace_size());
    plan.bind(&Forward::new(&x, &y).workspace(&workspace)).unwrap()
}

/// wgpu keeps the commands of a pass in vectors, which grow by doubling: some allocations for all recordings together.
/// One of our own would be one for each.
#[test]
fn recording_in_a_pass_allocates_nothing() {
    for (variant, dispatches) in [(Variant::Lane, 1), (Variant::Split, 3)] {
        let bound = bound(variant);
        assert_eq!(bound.dispatches(), dispatches);
        let mut encoder = context().device().create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        let counted = measure(|| {
            for _ in 0..TIMES {
                bound.record_in(&mut pass);
            }
        });
        assert!(
            counted.count_total < TIMES / 10,
            "{} allocations in {TIMES} recordings of {dispatches} dispatches",
            counted.count_total
        );
    }
}

/// A pass of its own costs what wgpu allocates for a pass, and no more with more dispatches in it but for the growth of
/// those vectors.
#[test]
fn recording_a_pass_allocates_what_an_empty_pass_does() {
    let mut encoder = context().device().create_command_encoder(&Default::default());
    let empty = measure(|| {
        for _ in 0..TIMES {
            let mut pass = encoder.begin_compute_pass(&wgnorm::wgpu::ComputePassDescriptor {
                label: Some("layer_norm"),
                timestamp_writes: None,
            });
            pass.push_debug_group("layer_norm");
            pass.pop_debug_group();
        }
    });
    let bound = bound(Variant::Lane);
    let recorded = measure(|| {
        for _ in 0..TIMES {
            bound.record(&mut encoder);
        }
    });
    let (empty, recorded) = (empty.count_total as f64, recorded.count_total as f64);
    let more = (recorded - empty) / TIMES as f64;
    println!(
        "{} allocations an empty pass, {more} more with a dispatch in it",
        empty / TIMES as f64
    );
}

/// The most memory that a fit of so many chunks has at a time, in bytes.
fn peak(method: &Method, chunks: usize) -> u64 {
    let chunk: Vec<f32> = (0..3000).map(|i| (i * 37 % 1009 + 1) as f32).collect();
    let features = Features::columns(1000, 3);
    let counted = measure(|| {
        let mut fitter = method.pass_fitter::<f32>(3).unwrap();
        loop {
            for _ in 0..chunks {
                fitter.absorb(&chunk, features).unwrap();
            }
            if !fitter.next_pass().unwrap() {
                break;
            }
        }
        std::hint::black_box(fitter.finish().unwrap());
    });
    counted.bytes_max
}

/// Also if data are read again and again.
#[test]
fn memory_does_not_grow_with_the_number_of_chunks() {
    // All work on this thread, which is the one that is counted.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build()
        .unwrap();
    pool.install(|| {
        for method in [
            Method::from(MinMax::new()),
            MaxAbs::new().into(),
            Standard::new().into(),
            Robust::new().into(),
            QuantileTransform::new().into(),
            PowerTransform::new().into(),
        ] {
            let (few, many) = (peak(&method, 3), peak(&method, 300));
            assert!(few > 0 && many <= few, "{method:?}: {few} bytes, then {many}");
        }
    });
}
