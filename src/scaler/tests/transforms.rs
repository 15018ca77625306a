//! What quantile and power transforms and logarithms promise.

use super::*;

const ROWS: usize = 200;

/// Skewed values of both signs and a gap, ties, and powers of e.
fn table() -> Vec<f64> {
    let mut x: Vec<f64> = (0..ROWS)
        .flat_map(|i| {
            let squares = ((i * 37 % 101) as f64).powi(2) / 100.0 - 5.0;
            let ties = (i * 53 % 97 / 8) as f64;
            [squares, ties, ((i * 29 % 83) as f64 / 20.0).exp()]
        })
        .collect();
    x[7 * 3] = f64::NAN;
    x
}

fn columns() -> Features {
    Features::columns(ROWS, 3)
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], bound: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= bound * expected.abs().max(1.0),
            "{found} {expected}"
        );
    }
}

fn transformed(scaler: &Scaler, x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    scaler.transform(x, Features::columns(x.len() / 3, 3), &mut y).unwrap();
    y
}

/// scikit-learn 1.9.1, QuantileTransformer(subsample=None) of the same table.
#[test]
fn quantile_transforms_are_those_of_scikit_learn() {
    let new = [-10.0, -1.0, 0.0, 3.3, 4.0, 1e9, 20.5, 5.5, 7.77];
    let shares = [0.1, 0.5, 0.9, -0.2, 0.0, 1.1, 0.123, 0.77, 0.51];
    let check = |to: QuantileTransform, expected: [[f64; 9]; 2]| {
        let scaler = to.fit(&table(), columns()).unwrap();
        assert_close(&transformed(&scaler, &new), &expected[0], 1e-14);
        let mut x = [0.0; 9];
        scaler
            .inverse_transform(&shares, Features::columns(3, 3), &mut x)
            .unwrap();
        assert_close(&x, &expected[1], 1e-13);
    };
    check(
        QuantileTransform::new(),
        [
            [
                0.0,
                0.0,
                0.0,
                0.28807162930689145,
                0.3743718592964824,
                1.0,
                0.5075633042183765,
                0.4949748743718593,
                0.512589296697971,
            ],
            [
                -4.036185929648241,
                6.0,
                40.4473043600674,
                -5.0,
                0.0,
                60.34028759736195,
                -3.5745073366834172,
                9.0,
                7.767901106306771,
            ],
        ],
    );
    check(
        QuantileTransform::new().references(11).to(Distribution::Normal),
        [
            [
                -5.199337582605575,
                -5.199337582605575,
                -5.199337582605575,
                -0.5638632998929242,
                -0.2533471031357997,
                5.19933758270342,
                0.011394011414951596,
                -0.06270677794321385,
                0.011972573787572311,
            ],
            [
                24.381062100473184,
                7.9146246127401305,
                28.348946917311565,
                12.866626150480725,
                6.0,
                35.314064882676035,
                25.384109611808043,
                8.793500536573502,
                17.253888753632268,
            ],
        ],
    );
    let normal = QuantileTransform::new().to(Distribution::Normal);
    let y = transformed(&normal.fit(&table(), columns()).unwrap(), &table());
    let row = [-1.5115308044625793, -0.8027650391870775, 2.1063279001734116];
    assert_close(&y[123 * 3..][..3], &row, 1e-14);
    assert!(y[21].is_nan());
}

/// scikit-learn 1.9.1, PowerTransformer of the same table.
#[test]
fn power_transforms_are_those_of_scikit_learn() {
    let check = |powers: Powers, x: &[f64], lambdas: [f64; 3], row: [f64; 3]| {
        let scaler = PowerTransform::new().powers(powers).fit(x, columns()).unwrap();
        let Fitted::Powers(found) = scaler.fitted() else {
            panic!()
        };
        let found: Vec<f64> = found.iter().map(|power| power.lambda).collect();
        // Likelihoods are alike for λ that differ by the root of an epsilon.
        assert_close(&found, &lambdas, 1e-7);
        let y = transformed(&scaler, x);
        assert_close(&y[123 * 3..][..3], &row, 1e-6);
        assert!(y[21].is_nan());
        for feature in 0..3 {
            let y = y.iter().skip(feature).step_by(3).filter(|y| !y.is_nan());
            let mean = y.clone().sum::<f64>() / 200.0;
            let variance = y.map(|y| y * y).sum::<f64>() / 200.0;
            assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 0.01);
        }
    };
    check(
        Powers::YeoJohnson,
        &table(),
        [0.5936557527186437, 0.7120396552414011, -0.11880304271273716],
        [-1.6435482503344963, -0.9762050425630987, 1.6779236786802318],
    );
    let offsets = [5.5, 1.0, 0.0];
    let positive: Vec<f64> = table().iter().enumerate().map(|(i, x)| x + offsets[i % 3]).collect();
    check(
        Powers::BoxCox,
        &positive,
        [0.3255805623402065, 0.7120396621632142, -0.003423535335669091],
        [-1.6389279468068947, -0.9762050436239583, 1.6789769656214752],
    );
}

fn transforms() -> Vec<Method> {
    vec![
        QuantileTransform::new().into(),
        QuantileTransform::new().references(20).to(Distribution::Normal).into(),
        PowerTransform::new().into(),
        PowerTransform::new().standardize(false).into(),
        Logarithm::Symlog.then(Standard::new()).into(),
        Logarithm::Symlog.then(MinMax::new().clip(true)).into(),
        Logarithm::Symlog.then(Robust::new()).into(),
        Logarithm::Symlog.then(PowerTransform::new()).into(),
        Logarithm::Symlog.then(QuantileTransform::new()).into(),
    ]
}

#[test]
fn chunks_are_one_fit_in_any_order() {
    let x = table();
    for method in transforms() {
        let whole = method.fit(&x, columns()).unwrap();
        for rows in [1, 7, 150] {
            let mut chunks: Vec<&[f64]> = x.chunks(rows * 3).collect();
            fastrand::Rng::with_seed(5).shuffle(&mut chunks);
            let mut readings = 0;
            let again = method.fit_chunks(3, |visit: &mut Visit<'_, f64>| {
                readings += 1;
                (chunks.iter()).try_for_each(|chunk| visit(chunk, Features::columns(chunk.len() / 3, 3)))
            });
            let again = again.unwrap();
            assert!(readings <= method.passes::<f64>(), "{readings} {method:?}");
            let (again, whole) = (transformed(&again, &x), transformed(&whole, &x));
            for (again, whole) in again.iter().zip(&whole) {
                let bound = match method.core() {
                    Method::Power(_) => 1e-6 * whole.abs().max(1.0),
                    Method::Standard(_) => 1e-14,
                    _ => 0.0,
                };
                assert!(
                    (again - whole).abs() <= bound || whole.is_nan() && again.is_nan(),
                    "{method:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_transformed_comes_back() {
    let x = table();
    for method in transforms() {
        let scaler = method.fit(&x, columns()).unwrap();
        let y = transformed(&scaler, &x);
        let mut back = vec![0.0f64; x.len()];
        scaler.inverse_transform(&y, columns(), &mut back).unwrap();
        let mut in_place = x.clone();
        scaler.transform_in_place(&mut in_place, columns()).unwrap();
        assert!(in_place.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        scaler.inverse_transform_in_place(&mut in_place, columns()).unwrap();
        assert!(in_place.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
        // Ends of a normal distribution stay at the ends, and of few references what is between is a line.
        for (i, (x, back)) in x.iter().zip(&back).enumerate() {
            let error = (x - back).abs() / x.abs().max(1.0);
            assert!(
                error <= 1e-11 || x.is_nan() && back.is_nan(),
                "{method:?} {i} {x} {back}"
            );
        }
    }
}

#[test]
fn logarithms_come_first_of_all_methods() {
    let x: Vec<f64> = table().iter().map(|x| x + 6.0).collect();
    let positive = Features::channels(4, 3, 50);
    let methods = methods().into_iter().chain(transforms()).filter(|method| {
        // (Those of five given columns.)
        method.logarithm().is_none() && method.check(3).is_ok()
    });
    for (method, logarithm) in methods.zip(
        [Logarithm::Log, Logarithm::Log1p, Logarithm::Symlog]
            .into_iter()
            .cycle(),
    ) {
        let logarithms: Vec<f64> = x.iter().map(|&x| logarithm.of(x)).collect();
        let expected = method.fit(&logarithms, positive).unwrap();
        let found = logarithm.then(method.clone()).fit(&x, positive).unwrap();
        let debug = |scaler: &Scaler| format!("{:?} {:?}", scaler.fitted(), scaler.center());
        assert_eq!(debug(&found), debug(&expected));
        let (mut y, mut again) = (vec![0.0f32; x.len()], vec![0.0f32; x.len()]);
        found.transform_to(&x, positive, &mut y, columns()).unwrap();
        expected
            .transform_to(&logarithms, positive, &mut again, columns())
            .unwrap();
        assert!(
            y.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{method:?}"
        );
        if !matches!(method, Method::UnitNorm(_)) {
            assert_eq!(
                method.passes::<f64>(),
                Method::from(logarithm.then(method.clone())).passes::<f32>()
            );
        }
    }
}

#[test]
fn values_that_have_no_logarithm_are_named_and_nothing_is_written() {
    let x = [1.0f32, 2.0, 3.0, 0.0, 5.0, -1.0];
    let features = Features::columns(3, 2);
    for (method, place) in [
        (
            Method::from(Logarithm::Log.then(Standard::new())),
            "0 in row 1 of feature 1",
        ),
        (Logarithm::Log1p.then(Robust::new()).into(), "-1 in row 2 of feature 1"),
        (
            PowerTransform::new().powers(Powers::BoxCox).into(),
            "0 in row 1 of feature 1",
        ),
        // ln(1) is no value of Box-Cox.
        (
            Logarithm::Symlog
                .then(PowerTransform::new().powers(Powers::BoxCox))
                .into(),
            "0 in row 1 of feature 1",
        ),
    ] {
        let check = |error: crate::Error| {
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().contains(place), "{error} {place}");
        };
        let fit = method.fit(&x, features);
        assert_eq!(fit.as_ref().unwrap_err().kind(), ErrorKind::Data);
        let scaler = method.fit(&[3.0f32, 4.0, 4.0, 5.0, 5.0, 7.0], features).unwrap();
        let mut y = [7.0f32; 6];
        check(scaler.transform(&x, features, &mut y).unwrap_err());
        assert_eq!(y, [7.0; 6]);
        let mut in_place = x;
        check(scaler.transform_in_place(&mut in_place, features).unwrap_err());
        assert_eq!(in_place, x);
    }
    let twice = Method::from(Logarithm::Log.then(Logarithm::Log.then(Standard::new())));
    assert_eq!(twice.fit(&x, features).unwrap_err().kind(), ErrorKind::Parameter);
}

#[test]
fn constants_and_nothing_are_harmless() {
    let x = [5.0f64, f64::NAN, 1.0, 5.0, f64::NAN, 2.0, 5.0, f64::NAN, 4.0];
    let features = Features::columns(3, 3);
    for powers in [Powers::BoxCox, Powers::YeoJohnson] {
        let scaler = PowerTransform::new().powers(powers).fit(&x, features).unwrap();
        let y = transformed(&scaler, &x);
        assert_eq!(y[0], 0.0);
        assert!(y[1].is_nan() && y[2] < 0.0 && y[8] > 0.0);
        let mut back = [0.0; 9];
        scaler.inverse_transform(&y, features, &mut back).unwrap();
        assert_close(&[back[0], back[8]], &[5.0, 4.0], 1e-12);
    }
    let scaler = QuantileTransform::new().fit(&x, features).unwrap();
    let y = transformed(&scaler, &[4.0, 1.0, 1.5, 5.0, 1.0, 2.0, 6.0, 1.0, 9.0]);
    assert!(y[1].is_nan());
    assert_eq!([y[0], y[2], y[3], y[5], y[6], y[8]], [0.0, 0.25, 0.0, 0.5, 1.0, 1.0]);
    // Bytes, and one row.
    let bytes = [3u8, 200, 7, 100, 9];
    let of_bytes = QuantileTransform::new().fit(&bytes, Features::whole(5)).unwrap();
    assert_eq!(
        of_bytes.fitted(),
        &Fitted::References(vec![vec![3.0, 7.0, 9.0, 100.0, 200.0]])
    );
    assert!(QuantileTransform::new().fit(&[3.0f32], Features::whole(1)).is_ok());
}

#[test]
fn bad_settings_and_bad_parts_are_refused() {
    let x = table();
    for references in [0, 1 << 21] {
        let error = QuantileTransform::new()
            .references(references)
            .fit(&x, columns())
            .unwrap_err();
        assert_eq!((error.kind(), error.argument()), (ErrorKind::Parameter, "references"));
    }
    for method in [
        Method::from(QuantileTransform::new()),
        PowerTransform::new().into(),
        Logarithm::Symlog.then(Robust::new()).into(),
    ] {
        assert_eq!(method.fitter(3).unwrap_err().kind(), ErrorKind::OnePass);
        assert_eq!(
            method.fit::<f64>(&[], Features::columns(0, 3)).unwrap_err().kind(),
            ErrorKind::Data
        );
        let mut infinite = x.clone();
        infinite[4] = f64::INFINITY;
        assert_eq!(method.fit(&infinite, columns()).unwrap_err().kind(), ErrorKind::Data);
        let mut fitter = method.pass_fitter::<f64>(3).unwrap();
        assert!(fitter.absorb_weighted(&x, columns(), &[1.0; ROWS]).is_err());
        fitter.absorb(&x, columns()).unwrap();
        assert_eq!(fitter.finish().unwrap_err().kind(), ErrorKind::OnePass);
        assert!(fitter.next_pass().unwrap());
        // Fewer rows than before.
        fitter.absorb(&x[3..], Features::columns(ROWS - 1, 3)).unwrap();
        assert_eq!(fitter.next_pass().unwrap_err().kind(), ErrorKind::Data);
    }
    let fitted = Fitted::References(vec![vec![1.0, 0.0]]);
    assert!(Scaler::new(QuantileTransform::new().into(), 1, fitted).is_err());
    let fitted = Fitted::References(vec![Vec::new()]);
    assert!(Scaler::new(QuantileTransform::new().into(), 1, fitted).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn transforms_survive_text() {
    let mut x = table();
    (0..ROWS).for_each(|row| x[row * 3 + 1] = f64::NAN);
    for method in transforms() {
        let scaler = method.fit(&x, columns()).unwrap();
        let text = serde_json::to_string(&scaler).unwrap();
        let read: Scaler = serde_json::from_str(&text).unwrap();
        assert_eq!(format!("{read:?}"), format!("{scaler:?}"), "{text}");
        let text = text.replace("\"features\":3", "\"features\":4");
        assert!(serde_json::from_str::<Scaler>(&text).is_err());
    }
}
