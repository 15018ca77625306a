//! Scalers on the device against those on the CPU, whose own tests are beside them.

mod common;
#[path = "common/planned.rs"]
mod planned;

use common::context;
use planned::devices;
use wgnorm::scaler::{
    Features, FixedRange, Infinities, Logarithm, MaxAbs, Method, MinMax, PowerTransform, QuantileTransform, Robust,
    Scaler, Split, Standard, UnitNorm,
};
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Context, ErrorKind};

/// Fits parts of some data, rows by rows.
fn fit(method: &Method, x: &[f32], features: &[(usize, Features)]) -> wgnorm::Result<Scaler> {
    fit_on(context(), method, x, features)
}

fn fit_on(context: &Context, method: &Method, x: &[f32], features: &[(usize, Features)]) -> wgnorm::Result<Scaler> {
    let buffer = upload(context, "x", x);
    let mut fitter = method.device_fitter(context, features[0].1.count())?;
    loop {
        for &(offset, features) in features {
            let mut encoder = context.device().create_command_encoder(&Default::default());
            let recorded = fitter.record(&mut encoder, wgnorm::View::new(&buffer).offset(offset as u64), features)?;
            context.queue().submit([encoder.finish()]);
            let words = pollster::block_on(download::<u32>(context, fitter.results(), 0..recorded.words))?;
            fitter.absorb(&recorded, &words)?;
        }
        if !fitter.next_pass()? {
            return fitter.finish();
        }
    }
}

fn transform(context: &Context, scaler: &Scaler, x: &[f32], from: Features, to: Features, in_place: bool) -> Vec<f32> {
    let x = upload(context, "x", x);
    let y = if in_place {
        x.clone()
    } else {
        upload(context, "y", &vec![-1e9f32; to.span()])
    };
    let plan = scaler.plan_transform_to(context, from, to).unwrap();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    plan.bind(&x, &y).unwrap().record(&mut encoder);
    context.queue().submit([encoder.finish()]);
    pollster::block_on(download(context, &y, 0..to.span())).unwrap()
}

fn methods() -> Vec<Method> {
    vec![
        MinMax::new().range(-3.5, 10.0).into(),
        MinMax::new().clip(true).into(),
        MaxAbs::new().into(),
        Standard::new().into(),
        Robust::new().into(),
        Robust::new().quantile_range(1.0, 99.0).unit_variance(true).into(),
        FixedRange::uniform(3.0, 255.0).unwrap().into(),
        UnitNorm::l1().into(),
        UnitNorm::l2().into(),
        UnitNorm::max().into(),
    ]
}

/// Columns that are far off, have outliers, ties, huge, tiny or no values, and gaps.
fn hostile(features: Features) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(9);
    let mut x = vec![0.0; features.span()];
    let (rows, count) = (features.rows(), features.count());
    // Where elements lie is checked on the CPU: here they are numbered as they come.
    for (i, x) in x.iter_mut().enumerate() {
        let noise = random.f32() + random.f32() - random.f32() - 0.5;
        let kind = i * 8 / (rows * count).max(1);
        *x = match (kind, random.u32(0..30)) {
            (0, _) => 1e6 + noise,
            (1, 0) => noise * 1e9,
            (2, 0..5) => f32::NAN,
            (3, _) => (noise * 4.0).round(),
            (4, _) => noise * 1e37,
            (5, _) => noise * 1e-33,
            _ => noise,
        };
    }
    x
}

fn layouts() -> Vec<Features> {
    vec![
        Features::columns(1000, 8),
        Features::columns(3, 700),
        Features::samples(8, 1001),
        Features::channels(5, 8, 77),
        Features::channels(5, 3, 77).strides(400, 1, 5),
        Features::columns(100, 5).strides(20, 3, 0),
        Features::columns(1, 3),
        Features::whole(20_000),
        Features::columns(2, 2),
    ]
}

#[test]
fn the_device_fits_and_maps_as_the_cpu_does() {
    for (context, features) in devices()
        .iter()
        .flat_map(|device| layouts().into_iter().map(move |f| (device, f)))
    {
        let x = hostile(features);
        for method in methods() {
            let expected = method.fit(&x, features).unwrap();
            let found = fit_on(context, &method, &x, &[(0, features)]).unwrap();
            for i in 0..expected.center().len() {
                let (center, scale) = (expected.center()[i], expected.scale()[i]);
                let off = |a: f64, b: f64| if a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() };
                // Extremes and order statistics are exact; a mean of f32 sums is off by parts of the deviation.
                let bound = if matches!(method, Method::Standard(_)) {
                    2e-6
                } else {
                    0.0
                };
                assert!(
                    off(found.center()[i], center) <= bound * scale + 2f64.powi(-45) * center.abs(),
                    "{method:?} {features:?} {i}: {} {center}",
                    found.center()[i]
                );
                assert!(
                    off(found.scale()[i], scale) <= bound * scale,
                    "{method:?} {features:?} {i}: {} {scale}",
                    found.scale()[i]
                );
            }
            let mut y = vec![-1e9f32; features.span()];
            expected.transform(&x, features, &mut y).unwrap();
            for in_place in [false, true] {
                let found = transform(context, &expected, &x, features, features, in_place);
                for (i, (&found, &y)) in found.iter().zip(&y).enumerate() {
                    if in_place && y == -1e9 {
                        continue;
                    }
                    let bound = f64::from(y).abs() * 2f64.powi(-21) + 1e-30;
                    let same = f64::from(found) == f64::from(y) || found.is_nan() && y.is_nan();
                    assert!(
                        same || (f64::from(found) - f64::from(y)).abs() <= bound + near(&expected, &features),
                        "{method:?} {features:?} {i}: {found} {y}"
                    );
                }
            }
        }
    }
}

/// What cancels near the center, in units of y: an f32 pair has 48 bits of it.
fn near(scaler: &Scaler, _: &Features) -> f64 {
    let ratios = scaler.center().iter().zip(scaler.scale()).zip(scaler.offset());
    let largest =
        ratios.map(|((center, scale), offset)| 2f64.powi(-46) * (center / scale).abs() + 2f64.powi(-23) * offset.abs());
    largest.filter(|v| v.is_finite()).fold(0.0, f64::max)
}

#[test]
fn weighted_rows_are_fitted_as_on_the_cpu() {
    let method = Method::from(Standard::new());
    for (context, features) in devices()
        .iter()
        .flat_map(|device| layouts().into_iter().map(move |f| (device, f)))
    {
        let x = hostile(features);
        // (Of larger weights, scikit-learn's rule takes features for constant: it counts rows by them.)
        for magnitude in [1.0, 1e-30, 1e7] {
            let weights: Vec<f32> = (0..features.rows()).map(|row| (row % 5) as f32 * magnitude).collect();
            let wide: Vec<f64> = weights.iter().copied().map(f64::from).collect();
            let mut expected = method.fitter(features.count()).unwrap();
            expected.partial_fit_weighted(&x, features, &wide).unwrap();
            let expected = expected.finish().unwrap();
            let found = fit_weighted(context, &x, features, &weights).unwrap();
            for i in 0..features.count() {
                let (center, scale) = (expected.center()[i], expected.scale()[i]);
                let near = |a: f64, b: f64, bound: f64| a.is_nan() && b.is_nan() || (a - b).abs() <= bound;
                assert!(
                    near(found.center()[i], center, 4e-6 * scale + 2f64.powi(-45) * center.abs())
                        && near(found.scale()[i], scale, 4e-6 * scale),
                    "{features:?} {magnitude} {i}: {} {center}, {} {scale}",
                    found.center()[i],
                    found.scale()[i]
                );
            }
        }
    }
}

fn fit_weighted(context: &Context, x: &[f32], features: Features, weights: &[f32]) -> wgnorm::Result<Scaler> {
    let (x, weights) = (upload(context, "x", x), upload(context, "weights", weights));
    let mut fitter = Method::from(Standard::new()).device_fitter(context, features.count())?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let recorded = fitter.record_weighted(&mut encoder, &x, features, &weights)?;
    context.queue().submit([encoder.finish()]);
    let words = pollster::block_on(download::<u32>(context, fitter.results(), 0..recorded.words))?;
    fitter.absorb(&recorded, &words)?;
    fitter.finish()
}

#[test]
fn weights_that_are_none_are_refused() {
    let features = Features::columns(3, 1);
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let error = fit_weighted(context(), &[1.0, 2.0, 3.0], features, &[1.0, bad, 1.0]).unwrap_err();
        assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "weights"));
    }
    let few = fit_weighted(context(), &[1.0, 2.0, 3.0], features, &[1.0, 1.0]).unwrap_err();
    assert_eq!((few.kind(), few.argument()), (ErrorKind::Size, "weights"));
    let x = upload(context(), "x", &[1.0f32]);
    for method in [Method::from(MinMax::new()), Robust::new().into()] {
        let fitter = method.device_fitter(context(), 1).unwrap();
        let mut encoder = context().device().create_command_encoder(&Default::default());
        let error = fitter
            .record_weighted(&mut encoder, &x, Features::whole(1), &x)
            .unwrap_err();
        assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "weights"));
    }
}

/// Bytes at every offset in a word, as f32 of the same values.
#[test]
fn bytes_are_fitted_and_mapped_as_their_values() {
    let layouts = [
        (Features::columns(331, 3), Features::columns(331, 3)),
        (Features::columns(2 * 35, 3), Features::channels(2, 3, 35)),
        (Features::channels(3, 2, 21), Features::channels(3, 2, 21)),
    ];
    for (device, (from, to)) in devices().iter().flat_map(|device| layouts.map(|f| (device, f))) {
        for offset in 0..4 {
            let bytes: Vec<u8> = (0..from.span() + offset).map(|i| (i * i * 37 % 256) as u8).collect();
            let values: Vec<f32> = bytes[offset..].iter().copied().map(f32::from).collect();
            let padded = [&bytes[..], &[9; 4]].concat();
            let x = upload(device, "x", &padded[..bytes.len().next_multiple_of(4)]);
            let view = wgnorm::View::new(&x).offset(offset as u64);
            for method in methods() {
                let mut fitter = method.device_fitter(device, from.count()).unwrap().of_u8();
                let scaler = loop {
                    let mut encoder = device.device().create_command_encoder(&Default::default());
                    let recorded = fitter.record(&mut encoder, view, from).unwrap();
                    device.queue().submit([encoder.finish()]);
                    let words = pollster::block_on(download::<u32>(device, fitter.results(), 0..recorded.words));
                    fitter.absorb(&recorded, &words.unwrap()).unwrap();
                    if !fitter.next_pass().unwrap() {
                        break fitter.finish().unwrap();
                    }
                };
                let of_values = fit_on(device, &method, &values, &[(0, from)]).unwrap();
                assert_eq!(scaler, of_values, "{method:?}");
                let y = upload(device, "y", &vec![f32::NAN; to.span()]);
                let plan = scaler.plan_transform_to(device, from, to).unwrap().of_u8();
                let mut encoder = device.device().create_command_encoder(&Default::default());
                plan.bind(view, &y).unwrap().record(&mut encoder);
                device.queue().submit([encoder.finish()]);
                let y: Vec<f32> = pollster::block_on(download(device, &y, 0..to.span())).unwrap();
                assert_eq!(y, transform(device, &scaler, &values, from, to, false), "{method:?}");
                assert_eq!(plan.bind(view, view).unwrap_err().kind(), ErrorKind::Overlap);
            }
        }
    }
}

#[test]
fn chunks_are_one_fit() {
    let x = hostile(Features::columns(1000, 8));
    let parts = [(0, 1), (1, 7), (8, 0), (8, 992)].map(|(first, rows)| (first * 8, Features::columns(rows, 8)));
    for method in methods() {
        let whole = fit(&method, &x, &[(0, Features::columns(1000, 8))]).unwrap();
        let again = fit(&method, &x, &parts).unwrap();
        if matches!(method, Method::Standard(_)) {
            for (again, whole) in again.scale().iter().zip(whole.scale()) {
                assert!((again / whole - 1.0).abs() < 2e-6);
            }
        } else {
            assert_eq!(again, whole);
        }
    }
}

#[test]
fn images_change_their_layout_on_the_way() {
    let (from, to) = (Features::columns(2 * 35, 3), Features::channels(2, 3, 35));
    let x: Vec<f32> = (0..210).map(|i| (i * 37 % 256) as f32).collect();
    let scaler = FixedRange::new(&[123.675, 116.28, 103.53], &[58.395, 57.12, 57.375])
        .unwrap()
        .scaler(3)
        .unwrap();
    let mut expected = vec![0.0f32; 210];
    scaler.transform_to(&x, from, &mut expected, to).unwrap();
    for device in devices() {
        let y = transform(&device, &scaler, &x, from, to, false);
        assert!(
            y.iter()
                .zip(&expected)
                .all(|(y, expected)| (y - expected).abs() <= 1e-6),
            "{y:?} {expected:?}"
        );
    }
}

#[test]
fn inverses_undo() {
    let features = Features::columns(500, 4);
    let x = hostile(Features::columns(1000, 4))[..2000].to_vec();
    let context = context();
    for method in methods() {
        let scaler = method.fit(&x, features).unwrap();
        let plan = match scaler.plan_inverse(context, features) {
            Ok(plan) => plan,
            Err(error) => {
                assert!(matches!(method, Method::UnitNorm(_)) && error.kind() == ErrorKind::Parameter);
                continue;
            }
        };
        let mut y = vec![0.0f32; x.len()];
        scaler.transform(&x, features, &mut y).unwrap();
        let mut expected = vec![0.0f32; x.len()];
        scaler.inverse_transform(&y, features, &mut expected).unwrap();
        let (y, out) = (upload(context, "y", &y), create(context, "x", x.len() as u64 * 4));
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.bind(&y, &out).unwrap().record(&mut encoder);
        context.queue().submit([encoder.finish()]);
        let found: Vec<f32> = pollster::block_on(download(context, &out, 0..x.len())).unwrap();
        for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
            let center = scaler.center()[i % 4].abs();
            let bound = 2f64.powi(-21) * (f64::from(expected).abs() + center);
            assert!(
                found.is_nan() && expected.is_nan() || (f64::from(found) - f64::from(expected)).abs() <= bound,
                "{method:?} {i}: {found} {expected}"
            );
        }
    }
}

#[test]
fn split_f64_lose_nothing() {
    let context = context();
    let features = Features::columns(1000, 2);
    let x: Vec<f64> = (0..2000).map(|i| 1.7e9 + f64::from(i * 7 % 2000) / 8.0).collect();
    let split = Split::new(&x, features).unwrap();
    let buffer = upload(context, "x", &split.values);
    for method in [
        Method::from(MinMax::new()),
        Standard::new().into(),
        Robust::new().into(),
    ] {
        let mut fitter = method.device_fitter(context, 2).unwrap();
        let scaler = loop {
            let mut encoder = context.device().create_command_encoder(&Default::default());
            let recorded = fitter.record(&mut encoder, &buffer, features).unwrap();
            context.queue().submit([encoder.finish()]);
            let words: Vec<u32> = pollster::block_on(download(context, fitter.results(), 0..recorded.words)).unwrap();
            fitter.absorb(&recorded, &words).unwrap();
            if !fitter.next_pass().unwrap() {
                break fitter.finish_split(&split.pivots).unwrap();
            }
        };
        let expected = method.fit(&x, features).unwrap();
        for (found, expected) in scaler.scale().iter().zip(expected.scale()) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{method:?}");
        }
        let y = create(context, "y", 2000 * 4);
        let plan = scaler.plan_transform_split(context, features, &split.pivots).unwrap();
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.bind(&buffer, &y).unwrap().record(&mut encoder);
        context.queue().submit([encoder.finish()]);
        let found: Vec<f32> = pollster::block_on(download(context, &y, 0..2000)).unwrap();
        let mut y = vec![0.0f32; 2000];
        expected.transform(&x, features, &mut y).unwrap();
        assert!(
            found.iter().zip(&y).all(|(found, y)| (found - y).abs() <= 2e-6),
            "{method:?}"
        );
    }
}

#[test]
fn bad_calls_are_refused() {
    let context = context();
    let x = upload(context, "x", &[1.0f32, f32::INFINITY, 3.0]);
    let features = Features::whole(3);
    for method in [
        Method::from(MinMax::new()),
        MaxAbs::new().into(),
        Standard::new().into(),
        Robust::new().into(),
    ] {
        let error = fit(&method, &[1.0, f32::INFINITY, 3.0], &[(0, features)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{method:?}");
        assert_eq!(
            fit(&method, &[], &[(0, Features::columns(0, 1))]).unwrap_err().kind(),
            ErrorKind::Data
        );
    }
    let kept = Robust::new().infinities(Infinities::Keep).into();
    assert_eq!(
        fit(&kept, &[1.0, f32::INFINITY, 3.0], &[(0, features)])
            .unwrap()
            .center(),
        [3.0]
    );
    let scaler = MinMax::new().fit(&[1.0f32, 2.0], Features::whole(2)).unwrap();
    let plan = scaler.plan_transform(context, features).unwrap();
    let short = create(context, "y", 16);
    let view = wgnorm::View::new(&x);
    let kind = |result: wgnorm::Result<wgnorm::Bound>| result.unwrap_err().kind();
    assert_eq!(
        kind(plan.bind(view, wgnorm::View::new(&short).offset(2))),
        ErrorKind::Size
    );
    assert_eq!(
        kind(plan.bind(wgnorm::View::new(&x).offset(1), view)),
        ErrorKind::Overlap
    );
    assert_eq!(
        scaler
            .plan_transform(context, Features::columns(1, 3))
            .unwrap_err()
            .kind(),
        ErrorKind::Shape
    );
    let robust = Method::from(Robust::new()).device_fitter(context, 1).unwrap();
    assert_eq!(robust.finish().unwrap_err().kind(), ErrorKind::OnePass);
    // After the last pass.
    let mut robust = robust;
    loop {
        let mut encoder = context.device().create_command_encoder(&Default::default());
        let recorded = match robust.record(&mut encoder, &short, Features::whole(4)) {
            Ok(recorded) => recorded,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::OnePass),
        };
        context.queue().submit([encoder.finish()]);
        let words: Vec<u32> = pollster::block_on(download(context, robust.results(), 0..recorded.words)).unwrap();
        robust.absorb(&recorded, &words).unwrap();
        robust.next_pass().unwrap();
    }
    assert_eq!(robust.finish().unwrap().center(), [0.0]);
}

#[test]
fn what_no_kernel_has_is_refused() {
    let features = Features::columns(3, 2);
    let x = [1.0f32, 2.0, 3.0, 5.0, 6.0, 7.0];
    let parameter = |error: wgnorm::Error| assert_eq!(error.kind(), ErrorKind::Parameter);
    parameter(
        Method::from(PowerTransform::new())
            .device_fitter(context(), 2)
            .unwrap_err(),
    );
    for method in [
        Method::from(QuantileTransform::new()),
        PowerTransform::new().into(),
        UnitNorm::l2().into(),
    ] {
        let method = Method::from(Logarithm::Log.then(method));
        parameter(method.device_fitter(context(), 2).unwrap_err());
        let scaler = method.fit(&x, features).unwrap();
        for plan in [
            scaler.plan_transform(context(), features),
            scaler.plan_inverse(context(), features),
            scaler.plan_transform_split(context(), features, &[0.0, 0.0]),
        ] {
            let error = plan.unwrap_err();
            assert_eq!(
                (error.kind(), error.argument()),
                (ErrorKind::Parameter, "method"),
                "{method:?}"
            );
        }
    }
}
