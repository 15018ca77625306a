//! Submit to complete of one run, buffers resident.

mod common;

use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn kernels(criterion: &mut Criterion) {
    let context = common::context();
    let mut group = criterion.benchmark_group("kernels");
    for (name, operation) in common::kernels().expect("the shapes are valid") {
        let plan = operation.plan(context).expect("the adapter can run it");
        let tensors = common::Tensors::new(context, &plan);
        let bound = plan.bind(&tensors.args()).expect("the buffers fit");
        group.throughput(Throughput::Bytes(tensors.bytes()));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut encoder = context.device().create_command_encoder(&Default::default());
                for _ in 0..iterations {
                    bound.record(&mut encoder);
                }
                let commands = encoder.finish();
                common::wait(context);
                let start = Instant::now();
                context.queue().submit([commands]);
                common::wait(context);
                start.elapsed()
            });
        });
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
