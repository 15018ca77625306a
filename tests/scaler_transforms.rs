//! Logarithms, powers and quantile transforms on the device against those on the CPU.

mod common;
#[path = "common/planned.rs"]
mod planned;
#[macro_use]
#[path = "common/scaling.rs"]
mod scaling;

use common::context;
use planned::devices;
use scaling::{EPS, TINY, assert_near, check_plans, encoder, mapped, positive, signed, words};
use wgnorm::scaler::{
    Distribution, Features, Fitted, FixedRange, Infinities, Logarithm, MaxAbs, Method, MinMax, PowerTransform, Powers,
    QuantileTransform, Robust, Scaler, Split, Standard,
};
use wgnorm::verify::transfer::upload;
use wgnorm::{Context, ErrorKind};

fn fit_on(context: &Context, method: &Method, x: &[f32], features: Features) -> wgnorm::Result<Scaler> {
    fitted!(method.device_fitter(context, features.count())?, context, x, features)
}

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
