//! Parameters by key, quantiles, histograms and robust centers on the device against those on the CPU.

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
    DeviceCenters, DeviceHistogram, DeviceQuantiles, Edges, Features, GroupedScaler, Interpolation, Logarithm, MaxAbs,
    Method, MinMax, PowerTransform, QuantileTransform, Scaler, Standard, histogram, median_of_means, quantiles,
    trimmed_mean, winsorized_mean,
};
use wgnorm::verify::transfer::upload;
use wgnorm::{Context, ErrorKind};

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
