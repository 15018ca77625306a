//! `Plan::bind`: checks, bind groups and a parameter buffer.

mod common;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

fn binding(criterion: &mut Criterion) {
    let context = common::context();
    let mut group = criterion.benchmark_group("binding");
    for (name, operation) in common::operations().expect("the shapes are valid") {
        let plan = operation.plan(context).expect("the adapter can run it");
        let tensors = common::Tensors::new(context, &plan);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for batch in common::batches(iterations) {
                    let start = Instant::now();
                    for _ in 0..batch {
                        plan.bind(&tensors.args()).expect("the buffers fit");
                    }
                    spent += start.elapsed();
                    // wgpu fills and frees what was made when something is submitted: without, it would pile up.
                    context.queue().submit([]);
                    common::wait(context);
                }
                spent
            });
        });
    }
}

criterion_group!(benches, binding);
criterion_main!(benches);
