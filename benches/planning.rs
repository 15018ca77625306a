//! Planning with pipelines that the context has, and making them in one that has none.

mod common;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use wgnorm::Context;

fn planning(criterion: &mut Criterion) {
    let context = common::context();
    let mut group = criterion.benchmark_group("planning");
    for (name, operation) in common::operations().expect("the shapes are valid") {
        operation.plan(context).expect("the adapter can run it");
        group.bench_function(format!("cached/{name}"), |bencher| {
            bencher.iter(|| operation.plan(context))
        });
    }
    group.sample_size(10);
    for (name, operation) in common::operations().expect("the shapes are valid") {
        group.bench_function(format!("pipelines/{name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    let fresh = Context::new(context.device(), context.queue());
                    let start = Instant::now();
                    operation.plan(&fresh).expect("the adapter can run it");
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
}

criterion_group!(benches, planning);
criterion_main!(benches);
