//! Scalers on the CPU, timed on request: reads the name of a workload from every line of stdin and answers with the
//! seconds that it took. `benches/scalers/run` compares with scikit-learn; without input there is nothing to do.

mod files;

use std::io::{self, BufRead, Write};
use std::time::Instant;

use wgnorm::scaler::{Features, Method, MinMax, PowerTransform, QuantileTransform, Robust, Standard};
use wgnorm::verify::transfer::{download, upload};
use wgnorm::{Context, wgpu};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 32;

fn main() -> io::Result<()> {
    // (Data are made at the first request: a run without input ends at once.)
    let mut data: Option<Vec<f32>> = None;
    let mut y = Vec::new();
    let (mut context, mut buffer) = (None, None);
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.starts_with("agree ") {
            files::answer(&line);
            println!("done");
            io::stdout().flush()?;
            continue;
        }
        let x = data.get_or_insert_with(normal);
        let features = Features::columns(ROWS, COLUMNS);
        y.resize(x.len(), 0.0f32);
        if line.trim() == "robust_device" {
            let context = context
                .get_or_insert_with(|| pollster::block_on(Context::request(&Default::default())).expect("a device"));
            let buffer = buffer.get_or_insert_with(|| upload(context, "x", x));
            // Once before, for the pipelines.
            robust_device(context, buffer, features);
            let start = Instant::now();
            robust_device(context, buffer, features);
            println!("{}", start.elapsed().as_secs_f64());
            io::stdout().flush()?;
            continue;
        }
        let start = Instant::now();
        let fit = |method: Method| method.fit(x, features).expect("a fit");
        let scaler = match line.trim() {
            "robust" => {
                fit(Robust::new().into());
                None
            }
            "standard_fit" => {
                fit(Standard::new().into());
                None
            }
            "minmax_fit" => {
                fit(MinMax::new().into());
                None
            }
            "quantile" => Some(fit(QuantileTransform::new().into())),
            "power" => Some(fit(PowerTransform::new().into())),
            "standard" => Some(fit(Standard::new().into())),
            "minmax" => Some(fit(MinMax::new().into())),
            other => panic!("{other} is no workload"),
        };
        if let Some(scaler) = scaler {
            scaler.transform(x, features, &mut y).expect("a transform");
        }
        println!("{}", start.elapsed().as_secs_f64());
        io::stdout().flush()?;
    }
    Ok(())
}

/// A robust fit of data on the device.
fn robust_device(context: &Context, x: &wgpu::Buffer, features: Features) {
    let mut fitter = Method::from(Robust::new())
        .device_fitter(context, COLUMNS)
        .expect("a fit");
    loop {
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let recorded = fitter.record(&mut encoder, x, features).expect("a part");
        context.queue().submit([encoder.finish()]);
        let words = download::<u32>(context, fitter.results(), 0..recorded.words);
        let words = pollster::block_on(words).expect("results");
        fitter.absorb(&recorded, &words).expect("results");
        if !fitter.next_pass().expect("a pass") {
            return;
        }
    }
}

/// Standard normal values.
fn normal() -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut pair = || {
        let (radius, angle) = (
            (-2.0 * (1.0 - random.f64()).ln()).sqrt(),
            std::f64::consts::TAU * random.f64(),
        );
        [(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]
    };
    (0..ROWS * COLUMNS / 2).flat_map(|_| pair()).collect()
}
