//! `Bound::record`, in a pass of its own, and `Bound::record_in`, in one that is there.

mod common;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

fn recording(criterion: &mut Criterion) {
    let context = common::context();
    let mut group = criterion.benchmark_group("recording");
    for (name, operation) in common::operations().expect("the shapes are valid") {
        let plan = operation.plan(context).expect("the adapter can run it");
        let tensors = common::Tensors::new(context, &plan);
        let bound = plan.bind(&tensors.args()).expect("the buffers fit");
        let encoder = || context.device().create_command_encoder(&Default::default());
        group.bench_function(format!("record/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for batch in common::batches(iterations) {
                    let mut encoder = encoder();
                    let start = Instant::now();
                    for _ in 0..batch {
                        bound.record(&mut encoder);
                    }
                    spent += start.elapsed();
                }
                spent
            });
        });
        group.bench_function(format!("record_in/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for batch in common::batches(iterations) {
                    let mut encoder = encoder();
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    let start = Instant::now();
                    for _ in 0..batch {
                        bound.record_in(&mut pass);
                    }
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
}

criterion_group!(benches, recording);
criterion_main!(benches);
