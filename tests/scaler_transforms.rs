//! Logarithms, powers, quantile transforms, keys, quantiles and histograms on the device against those on the CPU.

mod common;
#[path = "common/planned.rs"]
mod planned;

use common::context;
use planned::devices;
use wgnorm::scaler::{
    DeviceCenters, DeviceHistogram, DeviceQuantiles, Distribution, Edges, Features, Fitted, FixedRange, GroupedScaler,
    Infinities, Interpolation, Logarithm, MaxAbs, Method, MinMax, PowerTransform, Powers, QuantileTransform, Recorded,
    Robust, Scaler, Split, Standard, TransformPlan, histogram, median_of_means, quantiles, trimmed_mean,
    winsorized_mean,
};
use wgnorm::verify::transfer::{download, upload};
use wgnorm::{Context, ErrorKind};

/// Submits what is recorded, and reads the words that it leaves.
fn words(
    context: &Context,
    results: impl FnOnce() -> wgpu::Buffer,
    encoder: wgpu::CommandEncoder,
    recorded: &Recorded,
) -> Vec<u32> {
    context.queue().submit([encoder.finish()]);
    pollster::block_on(download(context, &results(), 0..recorded.words)).unwrap()
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
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

fn fit_on(context: &Context, method: &Method, x: &[f32], features: Features) -> wgnorm::Result<Scaler> {
    fitted!(method.device_fitter(context, features.count())?, context, x, features)
}

/// What a plan makes of data, in another tensor or in place.
fn mapped(context: &Context, plan: &TransformPlan, x: &[f32], in_place: bool) -> Vec<f32> {
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
fn positive(rows: usize, columns: usize) -> Vec<f32> {
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
fn signed(x: &[f32]) -> Vec<f32> {
    x.iter()
        .enumerate()
        .map(|(i, x)| if i % 3 == 0 { -x } else { *x })
        .collect()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, bound: f64, what: &dyn std::fmt::Debug) {
    let same = found == expected || found.is_nan() && expected.is_nan();
    assert!(
        same || (found - expected).abs() <= bound,
        "{found} {expected} {bound} {what:?}"
    );
}

/// What the CPU makes of the data, and of those results on the way back.
type Expected<'a> = (&'a [f64], &'a dyn Fn(&[f32]) -> Vec<f64>);

/// What is done and undone by plans, and by the CPU.
fn check_plans(
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

const EPS: f64 = 1.0 / (1 << 23) as f64;
/// Subnormals may be flushed.
const TINY: f64 = 1.2e-38;

#[test]
fn logarithms_come_first_on_the_device_as_on_the_cpu() {
    let features = Features::columns(700, 8);
    let x = positive(700, 8);
    for (device, logarithm) in devices()
        .iter()
        .flat_map(|device| [Logarithm::Log, Logarithm::Log1p, Logarithm::Symlog].map(|logarithm| (device, logarithm)))
    {
        let x = if logarithm == Logarithm::Symlog {
            signed(&x)
        } else {
            x.clone()
        };
        let largest: Vec<f64> = (0..8)
            .map(|column| {
                let of_column = x.iter().skip(column).step_by(8).filter(|x| !x.is_nan());
                of_column.map(|&x| logarithm.of(x.into()).abs()).fold(0.0, f64::max)
            })
            .collect();
        let methods: [Method; 6] = [
            MinMax::new().range(-1.0, 2.0).clip(true).into(),
            MaxAbs::new().into(),
            Standard::new().into(),
            Robust::new().into(),
            Robust::new().quantile_range(1.0, 90.0).unit_variance(true).into(),
            FixedRange::uniform(1.0, 3.0).unwrap().into(),
        ];
        for method in methods {
            let method = Method::from(logarithm.then(method));
            let scaler = method.fit(&x, features).unwrap();
            let found = fit_on(device, &method, &x, features).unwrap();
            match &method {
                Method::LogFirst(first) if matches!(first.method(), Method::Standard(_)) => {
                    for (i, largest) in largest.iter().enumerate() {
                        // A logarithm is off by few roundings of its own; they do not add up. (Of what a device flushes,
                        // nothing varies.)
                        if *largest < TINY {
                            continue;
                        }
                        let bound = 8.0 * EPS * largest;
                        assert_near(found.center()[i], scaler.center()[i], bound, &(&method, i));
                        assert_near(found.scale()[i], scaler.scale()[i], bound, &(&method, i));
                    }
                }
                _ => assert_eq!(format!("{found:?}"), format!("{scaler:?}")),
            }
            let mut done = vec![0.0f64; x.len()];
            scaler.transform(&x, features, &mut done).unwrap();
            let undone = |y: &[f32]| {
                let mut back = vec![0.0; y.len()];
                scaler.inverse_transform(y, features, &mut back).unwrap();
                back
            };
            let forward = scaler.plan_transform(device, features).unwrap();
            let back = scaler.plan_inverse(device, features).unwrap();
            let of = |values: &[f64], i: usize| values[i % 8].abs();
            check_plans(
                device,
                [&forward, &back],
                &x,
                |i, y| {
                    8.0 * EPS
                        * (y.abs()
                            + (largest[i % 8] + of(scaler.center(), i)) / of(scaler.scale(), i)
                            + of(scaler.offset(), i))
                        + 2.0 * TINY / of(scaler.scale(), i)
                },
                |i, y, x| {
                    // An error of the logarithm is multiplied by how fast x grows with it.
                    let line = (y.abs() + of(scaler.offset(), i)) * of(scaler.scale(), i) + of(scaler.center(), i);
                    let slope = if logarithm == Logarithm::Log {
                        x.abs()
                    } else {
                        x.abs() + 1.0
                    };
                    8.0 * EPS * (slope * (line + 1.0).min(line + line * line) + x.abs()) + TINY
                },
                (&done, &undone),
                &method,
            );
        }
    }
}

#[test]
fn what_has_no_logarithm_is_refused_by_fits_and_missing_in_transforms() {
    let features = Features::columns(4, 2);
    let x = [1.0f32, 2.0, 3.0, -1.0, 4.0, 0.0, 5.0, 7.0];
    for method in [
        Method::from(MinMax::new()),
        MaxAbs::new().into(),
        Standard::new().into(),
        Robust::new().into(),
    ] {
        for (logarithm, none) in [(Logarithm::Log, vec![3, 5]), (Logarithm::Log1p, vec![3])] {
            let method = Method::from(logarithm.then(method.clone()));
            let error = fit_on(context(), &method, &x, features).unwrap_err();
            assert_eq!((error.kind(), error.argument()), (ErrorKind::Data, "x"), "{method:?}");
            assert!(error.to_string().contains("feature 1"), "{error}");
            let scaler = method.fit(&[1.0f32, 2.0, 3.0, 4.0], Features::columns(2, 2)).unwrap();
            let plan = scaler.plan_transform(context(), features).unwrap();
            let y = mapped(context(), &plan, &x, false);
            let missing: Vec<usize> = (0..8).filter(|&i| y[i].is_nan()).collect();
            assert_eq!(missing, none, "{method:?}");
        }
    }
}

#[test]
fn powers_are_taken_on_the_device_as_on_the_cpu() {
    let features = Features::columns(300, 8);
    let x = positive(300, 8);
    for device in &devices() {
        for (powers, standardize) in [
            (Powers::BoxCox, true),
            (Powers::BoxCox, false),
            (Powers::YeoJohnson, true),
            (Powers::YeoJohnson, false),
        ] {
            // (Tiny values have powers far from any other's: what is learned of them has no digits.)
            let x: Vec<f32> = match powers {
                Powers::BoxCox => x.iter().map(|x| x + 1e-3).collect(),
                Powers::YeoJohnson => signed(&x),
            };
            let scaler = PowerTransform::new()
                .powers(powers)
                .standardize(standardize)
                .fit(&x, features)
                .unwrap();
            let Fitted::Powers(learned) = scaler.fitted() else {
                panic!()
            };
            let mut done = vec![0.0f64; x.len()];
            scaler.transform(&x, features, &mut done).unwrap();
            let undone = |y: &[f32]| {
                let mut back = vec![0.0; y.len()];
                scaler.inverse_transform(y, features, &mut back).unwrap();
                back
            };
            // The power grows by its slope with what is off in ln(x), and in the product with λ.
            let off = |i: usize, x: f64| {
                let lambda = learned[i % 8].lambda;
                let (v, own) = match powers {
                    Powers::BoxCox => (x, lambda),
                    Powers::YeoJohnson => (1.0 + x.abs(), if x < 0.0 { 2.0 - lambda } else { lambda }),
                };
                let l = v.ln().abs();
                8.0 * EPS * (v.powf(own) * l * (1.0 + (own * l).abs()) + l)
            };
            let forward = scaler.plan_transform(device, features).unwrap();
            let back = scaler.plan_inverse(device, features).unwrap();
            let of = |values: &[f64], i: usize| values[i % 8].abs();
            check_plans(
                device,
                [&forward, &back],
                &x,
                |i, y| {
                    4.0 * EPS * (y.abs() + of(scaler.center(), i) / of(scaler.scale(), i))
                        + (off(i, x[i].into()) + TINY) / of(scaler.scale(), i)
                },
                |i, y, back| {
                    let lambda = learned[i % 8].lambda;
                    let z = y.abs() * of(scaler.scale(), i) + of(scaler.center(), i);
                    let (v, own) = match powers {
                        Powers::BoxCox => (back, lambda),
                        Powers::YeoJohnson => (1.0 + back.abs(), if back < 0.0 { 2.0 - lambda } else { lambda }),
                    };
                    // dx = v^(1 - λ) dz
                    let l = v.ln().abs();
                    let dz = 8.0 * EPS * (z + off(i, back) / (8.0 * EPS));
                    let bound = v.powf(1.0 - own) * dz + 8.0 * EPS * (back.abs() + v * l * (1.0 + l));
                    // Beyond what was fitted, steep or flat inverses have no digits; NaN is of no value.
                    if bound.is_nan() || bound > 0.1 * back.abs() {
                        f64::INFINITY
                    } else {
                        bound + TINY
                    }
                },
                (&done, &undone),
                &(powers, standardize),
            );
        }
    }
}

#[test]
fn quantile_transforms_are_learned_and_taken_on_the_device_as_on_the_cpu() {
    let features = Features::columns(900, 8);
    let x = signed(&positive(900, 8));
    for (device, to) in devices()
        .iter()
        .flat_map(|device| [Distribution::Uniform, Distribution::Normal].map(|to| (device, to)))
    {
        for references in [1, 2, 10, 100, 1000] {
            let method = QuantileTransform::new().references(references).to(to);
            let scaler = method.fit(&x, features).unwrap();
            let found = fit_on(device, &Method::from(method), &x, features).unwrap();
            assert_eq!(format!("{found:?}"), format!("{scaler:?}"));
            let Fitted::References(tables) = scaler.fitted() else {
                panic!()
            };
            // Between what was fitted, too, and beyond it.
            let x: Vec<f32> = x
                .iter()
                .enumerate()
                .map(|(i, x)| x * [1.0, 1.001, 0.3, -2.0][i / 8 % 4])
                .collect();
            let mut done = vec![0.0f64; x.len()];
            scaler.transform(&x, features, &mut done).unwrap();
            let undone = |y: &[f32]| {
                let mut back = vec![0.0; y.len()];
                scaler.inverse_transform(y, features, &mut back).unwrap();
                back
            };
            let forward = scaler.plan_transform(device, features).unwrap();
            let back = scaler.plan_inverse(device, features).unwrap();
            check_plans(
                device,
                [&forward, &back],
                &x,
                |i, y| {
                    // (Column 1 has gaps of subnormals, of which a device that flushes them keeps nothing.)
                    if i % 8 == 1 {
                        return f64::INFINITY;
                    }
                    match to {
                        Distribution::Uniform => 4.0 * EPS,
                        // Shares are right in relation to the nearer end; quantiles grow with them by 1 / (share y).
                        Distribution::Normal => 16.0 * EPS * (1.0 + y.abs()),
                    }
                },
                |i, y, back| {
                    // A rounding of the share, and of the exponent of a small one, is so much of the gap between references.
                    let table = &tables[i % 8];
                    let last = table.len() - 1;
                    let off = match to {
                        Distribution::Uniform => 4.0 * EPS,
                        Distribution::Normal => 16.0 * EPS * (1.0 + y * y) * 0.5,
                    };
                    let around = table.partition_point(|value| *value < back).min(last);
                    let near = &table[around.saturating_sub(2)..(around + 3).min(last + 1)];
                    let gap = near[near.len() - 1] - near[0];
                    off * last as f64 * gap + 4.0 * EPS * back.abs() + TINY
                },
                (&done, &undone),
                &(to, references),
            );
        }
    }
}

#[test]
fn infinite_references_do_no_harm_on_the_device() {
    let x = [f32::NEG_INFINITY, 0.0, 1.0, f32::INFINITY, f32::INFINITY];
    let method = QuantileTransform::new().infinities(Infinities::Keep);
    let scaler = method.fit(&x, Features::whole(5)).unwrap();
    let tried = [0.5f32, f32::INFINITY, f32::NEG_INFINITY, 7.0, -3.0, 1.0, f32::NAN, 0.0];
    let features = Features::whole(8);
    let plan = scaler.plan_transform(context(), features).unwrap();
    let mut expected = [0.0f32; 8];
    scaler.transform(&tried, features, &mut expected).unwrap();
    let found = mapped(context(), &plan, &tried, false);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    let shares = [0.0f32, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 1.0];
    let plan = scaler.plan_inverse(context(), features).unwrap();
    scaler.inverse_transform(&shares, features, &mut expected).unwrap();
    let found = mapped(context(), &plan, &shares, false);
    for (found, expected) in found.iter().zip(&expected) {
        assert_near((*found).into(), (*expected).into(), 1e-6, &"back");
    }
}

fn grouped_on(
    context: &Context,
    method: &Method,
    x: &[f32],
    parts: &[Features],
    keys: &[u32],
) -> wgnorm::Result<(GroupedScaler, Scaler)> {
    let mut fitter = method.grouped_device_fitter(context, parts[0].count())?;
    let (buffer, mut element, mut row) = (upload(context, "x", x), 0, 0);
    for &part in parts {
        let mut encoder = encoder(context);
        let view = wgnorm::View::new(&buffer).offset(element as u64);
        let recorded = fitter.record(&mut encoder, view, part, &keys[row..row + part.rows()])?;
        let words = words(context, || fitter.results().clone(), encoder, &recorded);
        fitter.absorb(&recorded, &words)?;
        element += part.span();
        row += part.rows();
    }
    Ok((fitter.finish()?, fitter.all()?))
}

#[test]
fn keys_have_parameters_of_their_own_on_the_device() {
    let layouts = [Features::columns(1000, 3), Features::channels(4, 3, 250)];
    let methods: [Method; 4] = [
        MinMax::new().into(),
        MaxAbs::new().into(),
        Standard::new().into(),
        Logarithm::Log1p.then(Standard::new()).into(),
    ];
    let mut random = fastrand::Rng::with_seed(5);
    let x: Vec<f32> = (0..3000)
        .map(|i| {
            if random.u8(0..9) == 0 {
                f32::NAN
            } else {
                random.f32() * 10.0 + (i % 7) as f32
            }
        })
        .collect();
    let clustered: Vec<u32> = (0..1000).map(|row| row / 100 * 400_000_000).collect();
    let scattered: Vec<u32> = (0..1000).map(|_| random.u32(0..400)).collect();
    let one = vec![7; 1000];
    for (device, features) in devices()
        .iter()
        .flat_map(|device| layouts.map(|layout| (device, layout)))
    {
        for (keys, method) in [&clustered, &scattered, &one]
            .into_iter()
            .flat_map(|keys| methods.iter().map(move |m| (keys, m)))
        {
            let expected = method.fit_grouped(&x, features, keys).unwrap();
            let (found, all) = grouped_on(device, method, &x, &[features], keys).unwrap();
            let exact = !matches!(method, Method::Standard(_) | Method::LogFirst(_));
            let near = |found: &Scaler, expected: &Scaler| {
                for i in 0..3 {
                    let bound = if exact {
                        0.0
                    } else {
                        4e-6 * (expected.scale()[i] + expected.center()[i].abs())
                    };
                    assert_near(found.center()[i], expected.center()[i], bound, &(method, "center", i));
                    assert_near(found.scale()[i], expected.scale()[i], bound, &(method, "scale", i));
                }
            };
            assert!(found.iter().map(|(key, _)| key).eq(expected.iter().map(|(key, _)| key)));
            for ((_, found), (_, expected)) in found.iter().zip(expected.iter()) {
                near(found, expected);
            }
            near(&all, &method.fit(&x, features).unwrap());

            let mut done = vec![0.0f64; x.len()];
            expected.transform(&x, features, keys, &mut done).unwrap();
            let undone = |y: &[f32]| {
                let mut back = vec![0.0f64; y.len()];
                expected.inverse_transform(y, features, keys, &mut back).unwrap();
                back
            };
            let forward = expected.plan_transform(device, features, keys).unwrap();
            let back = expected.plan_inverse(device, features, keys).unwrap();
            check_plans(
                device,
                [&forward, &back],
                &x,
                |i, y| {
                    let (row, feature) = match features == layouts[0] {
                        true => (i / 3, i % 3),
                        false => (i / 750 * 250 + i % 250, i / 250 % 3),
                    };
                    let scaler = expected.get(keys[row]).unwrap();
                    8.0 * EPS * (1.0 + y.abs() + scaler.center()[feature].abs() / scaler.scale()[feature])
                },
                |_, _, x| 64.0 * EPS * (1.0 + x.abs()),
                (&done, &undone),
                method,
            );
        }
    }
    // Parts merge, and a key may come in several.
    let parts = [1, 7, 0, 500, 492].map(|rows| Features::columns(rows, 3));
    let method = Method::from(MinMax::new());
    let whole = method.fit_grouped(&x, layouts[0], &scattered).unwrap();
    // (Keys that have only gaps have NaN.)
    let (found, _) = grouped_on(context(), &method, &x, &parts, &scattered).unwrap();
    assert_eq!(format!("{found:?}"), format!("{whole:?}"));
}

#[test]
fn quantile_and_power_transforms_go_by_key_on_the_device() {
    let features = Features::columns(400, 2);
    let mut random = fastrand::Rng::with_seed(6);
    let x: Vec<f32> = (0..800).map(|_| random.f32() * 10.0).collect();
    let keys: Vec<u32> = (0..400).map(|_| random.u32(0..3) * 100).collect();
    for method in [
        Method::from(QuantileTransform::new().references(20)),
        PowerTransform::new().into(),
    ] {
        let scaler = method.fit_grouped(&x, features, &keys).unwrap();
        let mut expected = vec![0.0f32; 800];
        scaler.transform(&x, features, &keys, &mut expected).unwrap();
        let plan = scaler.plan_transform(context(), features, &keys).unwrap();
        for (found, expected) in mapped(context(), &plan, &x, false).iter().zip(&expected) {
            assert_near((*found).into(), (*expected).into(), 1e-5, &method);
        }
        assert_eq!(
            method.grouped_device_fitter(context(), 2).unwrap_err().kind(),
            ErrorKind::Parameter
        );
    }
}

#[test]
fn keys_that_are_not_known_are_refused_or_given_what_others_get() {
    let features = Features::whole(3);
    let method = Method::from(MinMax::new());
    let (scaler, all) = grouped_on(context(), &method, &[0.0, 2.0, 6.0], &[features], &[1, 1, 2]).unwrap();
    let error = scaler.plan_transform(context(), features, &[1, 5, 2]).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Data, "keys"));
    assert!(error.to_string().contains("5 in row 1"));
    let few = scaler.plan_transform(context(), features, &[1, 2]).unwrap_err();
    assert_eq!((few.kind(), few.argument()), (ErrorKind::Size, "keys"));
    let with_others = scaler.with_others(all).unwrap();
    let plan = with_others.plan_transform(context(), features, &[1, 5, 2]).unwrap();
    assert_eq!(mapped(context(), &plan, &[1.0, 3.0, 6.0], false), [0.5, 0.5, 0.0]);
    let mut fitter = method.grouped_device_fitter(context(), 1).unwrap();
    let x = upload(context(), "x", &[0.0f32; 3]);
    let error = fitter.record(&mut encoder(context()), &x, features, &[1]).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Size, "keys"));
    assert_eq!(fitter.finish().unwrap_err().kind(), ErrorKind::Data);
}

#[test]
fn quantiles_and_histograms_are_those_of_the_cpu() {
    let layouts = [
        Features::columns(1000, 8),
        Features::channels(4, 8, 250),
        Features::columns(1, 8),
    ];
    let many: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    for (device, features) in devices()
        .iter()
        .flat_map(|device| layouts.map(|layout| (device, layout)))
    {
        let mut x = signed(&positive(features.rows(), 8));
        let last = x.len() - 3;
        x[last] = f32::INFINITY;
        x[last / 2] = f32::NEG_INFINITY;
        for wanted in [&[0.5, 0.0, 0.999][..], &many, &[]] {
            for interpolation in [Interpolation::Linear, Interpolation::Higher] {
                let expected = quantiles(&x, features, wanted, interpolation).unwrap();
                let fitter = DeviceQuantiles::new(device, 8, wanted, interpolation).unwrap();
                let found = fitted!(fitter, device, &x, features).unwrap();
                assert_eq!(format!("{found:?}"), format!("{expected:?}"));
            }
        }
        let given = [-1e300, -5.0, -1e-42, 0.0, 1.0, 2.0, 2.000_000_000_1, 1e300];
        for edges in [
            Edges::Count(1),
            Edges::Count(37),
            Edges::Given(&given),
            Edges::Given(&given[1..7]),
        ] {
            let expected = histogram(&x, features, edges).unwrap();
            let found = fitted!(DeviceHistogram::new(device, 8, edges).unwrap(), device, &x, features).unwrap();
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{edges:?}");
        }
    }
    let error = DeviceQuantiles::new(context(), 1, &[1.5], Interpolation::Linear).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "quantiles"));
    let none = DeviceQuantiles::new(context(), 1, &[0.5], Interpolation::Linear).unwrap();
    assert_eq!(none.finish().unwrap_err().kind(), ErrorKind::OnePass);
    let error = DeviceHistogram::new(context(), 1, Edges::Count(0)).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "edges"));
    let none = DeviceHistogram::new(context(), 1, Edges::Count(2)).unwrap();
    assert_eq!(none.finish().unwrap_err().kind(), ErrorKind::OnePass);
}

/// The same of several parts as of one.
fn centers_on(
    context: &Context,
    mut centers: DeviceCenters,
    x: &[f32],
    parts: &[Features],
) -> wgnorm::Result<Vec<f64>> {
    let x = upload(context, "x", x);
    loop {
        let mut element = 0;
        for &part in parts {
            let mut encoder = encoder(context);
            let recorded = centers.record(&mut encoder, wgnorm::View::new(&x).offset(element), part)?;
            let words = words(context, || centers.results().clone(), encoder, &recorded);
            centers.absorb(&recorded, &words)?;
            element += part.rows() as u64 * part.count() as u64;
        }
        if !centers.next_pass()? {
            return centers.finish();
        }
    }
}

#[test]
fn robust_centers_are_those_of_the_cpu() {
    let features = Features::columns(1000, 8);
    let mut x = signed(&positive(1000, 8));
    (x[6 * 8 + 6], x[7 * 8 + 7], x[20 * 8 + 7]) = (f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY);
    let (whole, parts) = ([features], [1, 7, 0, 500, 492].map(|rows| Features::columns(rows, 8)));
    // A sum of f32 is off by parts of the deviations.
    let near = |found: &[f64], expected: &[f64], what: &dyn std::fmt::Debug| {
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let largest = x.iter().skip(i).step_by(8).map(|x| f64::from(x.abs()));
            let largest = largest.filter(|x| x.is_finite()).fold(0.0, f64::max);
            assert_near(*found, *expected, 1e-6 * largest + TINY, &(what, i));
        }
    };
    for (device, parts) in devices()
        .iter()
        .flat_map(|device| [&whole[..], &parts].map(|parts| (device, parts)))
    {
        for shares in [(0.0, 0.0), (0.1, 0.1), (0.25, 0.0), (0.49, 0.3), (0.0, 0.4999)] {
            let centers = DeviceCenters::trimmed_mean(device, 8, shares).unwrap();
            let found = centers_on(device, centers, &x, parts).unwrap();
            near(
                &found,
                &trimmed_mean(&x, features, shares).unwrap(),
                &("trimmed", shares),
            );
            let centers = DeviceCenters::winsorized_mean(device, 8, shares).unwrap();
            let found = centers_on(device, centers, &x, parts).unwrap();
            near(
                &found,
                &winsorized_mean(&x, features, shares).unwrap(),
                &("winsorized", shares),
            );
        }
        for blocks in [1, 2, 3, 11, 1000] {
            let centers = DeviceCenters::median_of_means(device, 8, blocks).unwrap();
            let found = centers_on(device, centers, &x, parts).unwrap();
            near(
                &found,
                &median_of_means(&x, features, blocks).unwrap(),
                &("blocks", blocks),
            );
        }
    }
    let refused = |centers: wgnorm::Result<DeviceCenters>, argument: &str| {
        let error = centers
            .and_then(|centers| centers_on(context(), centers, &x, &[features]))
            .unwrap_err();
        assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, argument));
    };
    refused(DeviceCenters::trimmed_mean(context(), 8, (0.5, 0.0)), "shares");
    refused(DeviceCenters::winsorized_mean(context(), 8, (0.0, -0.1)), "shares");
    refused(DeviceCenters::median_of_means(context(), 8, 0), "blocks");
    refused(DeviceCenters::median_of_means(context(), 8, 1001), "blocks");
}

#[test]
fn quantiles_of_split_data_are_those_of_the_data_and_logarithms_are_refused() {
    let features = Features::columns(200, 2);
    let x: Vec<f64> = (0..400).map(|i| 1.7e9 + f64::from(i * 7 % 400) / 8.0).collect();
    let split = Split::new(&x, features).unwrap();
    let finish = |method: Method| {
        let buffer = upload(context(), "x", &split.values);
        let mut fitter = method.device_fitter(context(), 2).unwrap();
        loop {
            let mut encoder = encoder(context());
            let recorded = fitter.record(&mut encoder, &buffer, features).unwrap();
            let words = words(context(), || fitter.results().clone(), encoder, &recorded);
            fitter.absorb(&recorded, &words).unwrap();
            if !fitter.next_pass().unwrap() {
                return fitter.finish_split(&split.pivots);
            }
        }
    };
    let method = Method::from(QuantileTransform::new().references(11));
    let (found, expected) = (finish(method.clone()).unwrap(), method.fit(&x, features).unwrap());
    let [Fitted::References(found), Fitted::References(expected)] = [found.fitted(), expected.fitted()] else {
        panic!()
    };
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert_near(*found, *expected, 1e-6, &"reference");
    }
    // The logarithm of what is less a pivot is another.
    let error = finish(Logarithm::Symlog.then(MinMax::new()).into()).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "method"));
}
