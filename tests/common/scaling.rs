//! Scalers on the device and on the CPU, side by side.

use wgnorm::Context;
use wgnorm::scaler::{Recorded, TransformPlan};
use wgnorm::verify::transfer::{download, upload};

/// Submits what is recorded, and reads the words that it leaves.
pub fn words(
    context: &Context,
    results: impl FnOnce() -> wgpu::Buffer,
    encoder: wgpu::CommandEncoder,
    recorded: &Recorded,
) -> Vec<u32> {
    context.queue().submit([encoder.finish()]);
    pollster::block_on(download(context, &results(), 0..recorded.words)).unwrap()
}

pub fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&Default::default())
}

/// Passes over all data of what is read as a `DeviceFitter` reads.
macro_rules! fitted {
    ($fitter:expr, $context:expr, $x:expr, $features:expr) => {{
        let (mut fitter, context) = ($fitter, $context);
        let x = upload(context, "x", $x);
        loop {
            let mut encoder = encoder(context);
            let recorded = fitter.record(&mut encoder, &x, $features).unwrap();
            let words = words(context, || fitter.results().clone(), encoder, &recorded);
            let more = fitter.absorb(&recorded, &words).and_then(|()| fitter.next_pass());
            match more {
                Ok(true) => {}
                Ok(false) => break fitter.finish(),
                Err(error) => break Err(error),
            }
        }
    }};
}

/// What a plan makes of data, in another tensor or in place.
pub fn mapped(context: &Context, plan: &TransformPlan, x: &[f32], in_place: bool) -> Vec<f32> {
    let x_buffer = upload(context, "x", x);
    let y = match in_place {
        true => x_buffer.clone(),
        false => upload(context, "y", &vec![f32::NAN; x.len()]),
    };
    let mut encoder = encoder(context);
    plan.bind(&x_buffer, &y).unwrap().record(&mut encoder);
    context.queue().submit([encoder.finish()]);
    pollster::block_on(download(context, &y, 0..x.len())).unwrap()
}

/// Columns of positive values: over many powers of ten, tiny ones, near 1, tied, with gaps, and only gaps.
pub fn positive(rows: usize, columns: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(21);
    let value = |i: usize| {
        let noise = random.f32() + random.f32();
        match i % columns {
            0 => 10f32.powf(noise * 30.0 - 30.0),
            1 => f32::from_bits(random.u32(1..0x0080_0000)),
            2 => 1.0 + (noise - 1.0) * 1e-4,
            3 => (noise * 4.0).round() + 1.0,
            4 if random.u8(0..4) == 0 => f32::NAN,
            5 => f32::NAN,
            _ => noise * 100.0 + 1e-3,
        }
    };
    (0..rows * columns).map(value).collect()
}

/// Of both signs.
pub fn signed(x: &[f32]) -> Vec<f32> {
    x.iter()
        .enumerate()
        .map(|(i, x)| if i % 3 == 0 { -x } else { *x })
        .collect()
}

#[track_caller]
pub fn assert_near(found: f64, expected: f64, bound: f64, what: &dyn std::fmt::Debug) {
    let same = found == expected || found.is_nan() && expected.is_nan();
    assert!(
        same || (found - expected).abs() <= bound,
        "{found} {expected} {bound} {what:?}"
    );
}

/// What the CPU makes of the data, and of those results on the way back.
pub type Expected<'a> = (&'a [f64], &'a dyn Fn(&[f32]) -> Vec<f64>);

/// What is done and undone by plans, and by the CPU.
pub fn check_plans(
    context: &Context,
    plans: [&TransformPlan; 2],
    x: &[f32],
    bound: impl Fn(usize, f64) -> f64,
    bound_back: impl Fn(usize, f64, f64) -> f64,
    (done, undone): Expected<'_>,
    what: &dyn std::fmt::Debug,
) {
    for in_place in [false, true] {
        let y = mapped(context, plans[0], x, in_place);
        for (i, (&found, &expected)) in y.iter().zip(done).enumerate() {
            assert_near(found.into(), expected, bound(i, expected), &(what, "forward", i, x[i]));
        }
        let expected = undone(&y);
        let back = mapped(context, plans[1], &y, in_place);
        for (i, (&found, &expected)) in back.iter().zip(&expected).enumerate() {
            let bound = bound_back(i, y[i].into(), expected);
            assert_near(found.into(), expected, bound, &(what, "back", i, x[i], y[i]));
        }
    }
}

pub const EPS: f64 = 1.0 / (1 << 23) as f64;
/// Subnormals may be flushed.
pub const TINY: f64 = 1.2e-38;
