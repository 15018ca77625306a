//! What parameters by key promise.

use super::*;

const ROWS: usize = 3000;

fn keys() -> Vec<u32> {
    let mut random = fastrand::Rng::with_seed(21);
    (0..ROWS)
        .map(|_| [0, 7, 7, u32::MAX, 1 << 20][random.usize(0..5)])
        .collect()
}

fn rows_of(x: &[f32], keys: &[u32], key: u32) -> Vec<f32> {
    let rows = x.chunks(COLUMNS).zip(keys).filter(|(_, other)| **other == key);
    rows.flat_map(|(row, _)| row.iter().copied()).collect()
}

fn one_pass() -> Vec<Method> {
    vec![
        MinMax::new().range(-3.5, 10.0).clip(true).into(),
        MaxAbs::new().into(),
        Standard::new().into(),
        Logarithm::Symlog.then(Standard::new()).into(),
    ]
}

#[test]
fn every_key_has_the_fit_of_its_rows() {
    let (x, keys) = (noise(ROWS, 8), keys());
    let features = Features::columns(ROWS, COLUMNS);
    let several: [Method; 3] = [
        Robust::new().into(),
        QuantileTransform::new().references(50).into(),
        Logarithm::Symlog.then(PowerTransform::new()).into(),
    ];
    for method in one_pass().into_iter().chain(several) {
        let grouped = method.fit_grouped(&x, features, &keys).unwrap();
        assert_eq!(
            grouped.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            [0, 7, 1 << 20, u32::MAX]
        );
        let mut y = vec![0.0f32; x.len()];
        grouped.transform(&x, features, &keys, &mut y).unwrap();
        let mut back = vec![0.0f32; x.len()];
        grouped.inverse_transform(&y, features, &keys, &mut back).unwrap();
        for (key, scaler) in grouped.iter() {
            let of_key = rows_of(&x, &keys, key);
            let alone = Features::columns(of_key.len() / COLUMNS, COLUMNS);
            let expected = method.fit(&of_key, alone).unwrap();
            assert_eq!(scaler, &expected);
            let same = |found: &[f32], expected: &[f32]| {
                let mut pairs = found.iter().zip(expected);
                assert!(
                    pairs.all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()),
                    "{method:?}"
                );
            };
            let mut of_key_y = vec![0.0f32; of_key.len()];
            expected.transform(&of_key, alone, &mut of_key_y).unwrap();
            same(&rows_of(&y, &keys, key), &of_key_y);
            expected.inverse_transform_in_place(&mut of_key_y, alone).unwrap();
            same(&rows_of(&back, &keys, key), &of_key_y);
        }
        let mut in_place = x.clone();
        grouped.transform_in_place(&mut in_place, features, &keys).unwrap();
        assert!(in_place.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        grouped
            .inverse_transform_in_place(&mut in_place, features, &keys)
            .unwrap();
        assert!(in_place.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn parts_merge_and_all_rows_are_their_groups() {
    let (x, keys) = (noise(ROWS, 9), keys());
    let features = |rows| Features::columns(rows, COLUMNS);
    for method in one_pass() {
        let fit = |first: usize, last: usize| {
            let mut fitter = method.grouped_fitter(COLUMNS).unwrap();
            let (x, keys) = (&x[first * COLUMNS..last * COLUMNS], &keys[first..last]);
            fitter.absorb(x, features(last - first), keys).unwrap();
            fitter
        };
        let mut whole = fit(0, 1);
        for (first, last) in [(1, 8), (8, 1000), (1000, ROWS)] {
            whole.merge(&fit(first, last)).unwrap();
        }
        assert!(!whole.next_pass().unwrap());
        let expected = method.fit_grouped(&x, features(ROWS), &keys).unwrap();
        // What a mean and a variance may be off by.
        let close = |found: &Scaler, expected: &Scaler| {
            for i in 0..COLUMNS {
                let (center, scale) = (expected.center()[i], expected.scale()[i]);
                assert!(
                    (found.center()[i] - center).abs() <= 1e-13 * center.abs().max(scale),
                    "{method:?}"
                );
                let bound = 2f64.powi(-45) + 2f64.powi(-50) * (center / scale).abs();
                assert!((found.scale()[i] / scale - 1.0).abs() <= bound, "{method:?}");
            }
        };
        let found = whole.finish().unwrap();
        for ((key, found), (other, expected)) in found.iter().zip(expected.iter()) {
            assert_eq!(key, other);
            close(found, expected);
        }
        close(&whole.all().unwrap(), &method.fit(&x, features(ROWS)).unwrap());
    }
}

#[test]
fn weights_count_rows_of_a_key() {
    let (x, keys) = ([1.0f32, 2.0, 5.0, 6.0], [1, 2, 1, 2]);
    let mut fitter = Method::from(Standard::new()).grouped_fitter(1).unwrap();
    fitter
        .absorb_weighted(&x, Features::whole(4), &keys, &[3.0, 1.0, 1.0, 0.0])
        .unwrap();
    let scaler = fitter.finish().unwrap();
    assert_eq!(
        (scaler.get(1).unwrap().center()[0], scaler.get(2).unwrap().center()[0]),
        (2.0, 2.0)
    );
    let mut fitter = Method::from(MinMax::new()).grouped_fitter(1).unwrap();
    let error = fitter
        .absorb_weighted(&x, Features::whole(4), &keys, &[1.0; 4])
        .unwrap_err();
    assert_eq!(error.argument(), "weights");
}

#[test]
fn unknown_keys_are_refused_or_given_what_others_get() {
    let (x, keys) = ([1.0f32, 3.0, 11.0, 15.0], [1, 1, 2, 2]);
    let mut fitter = Method::from(Standard::new()).grouped_fitter(1).unwrap();
    fitter.absorb(&x, Features::whole(4), &keys).unwrap();
    let scaler = fitter.finish().unwrap();
    let mut y = [9.0f32; 2];
    let error = scaler
        .transform(&[1.0f32, 7.5], Features::whole(2), &[1, 3], &mut y)
        .unwrap_err();
    assert_eq!((error.kind(), error.argument(), y), (ErrorKind::Data, "keys", [9.0; 2]));
    assert!(error.to_string().contains("3 in row 1"));
    let scaler = scaler.with_others(fitter.all().unwrap()).unwrap();
    scaler
        .transform(&[1.0f32, 7.5], Features::whole(2), &[1, 3], &mut y)
        .unwrap();
    assert_eq!(y, [-1.0, 0.0]);
    assert!(
        scaler
            .with_others(MinMax::new().fit(&x, Features::whole(4)).unwrap())
            .is_err()
    );
}

#[test]
fn what_cannot_be_grouped_is_refused() {
    let (x, keys) = ([1.0f32, 3.0, 11.0, f32::INFINITY], [1, 1, 2, 2]);
    let features = Features::whole(4);
    let mut fitter = Method::from(Standard::new()).grouped_fitter::<f32>(1).unwrap();
    assert_eq!(fitter.next_pass().unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(fitter.finish().unwrap_err().kind(), ErrorKind::Data);
    assert_eq!(
        fitter.absorb(&x, features, &keys[1..]).unwrap_err().kind(),
        ErrorKind::Size
    );
    assert_eq!(fitter.absorb(&x, features, &keys).unwrap_err().kind(), ErrorKind::Data);
    // Nothing of it was learned, of the other key neither.
    assert_eq!(fitter.keys().len(), 0);
    for method in [
        Method::from(UnitNorm::l2()),
        FixedRange::uniform(0.0, 1.0).unwrap().into(),
    ] {
        assert_eq!(
            method.grouped_fitter::<f32>(1).unwrap_err().kind(),
            ErrorKind::Parameter
        );
    }
    let log = Method::from(Logarithm::Log.then(Standard::new()));
    let error = log.fit_grouped(&[1.0f32, 2.0, 3.0, -4.0], features, &keys).unwrap_err();
    assert!(error.to_string().contains("-4 in row 3 of feature 0"), "{error}");
    let mut robust = Method::from(Robust::new()).grouped_fitter::<f32>(1).unwrap();
    robust.absorb(&x[..3], Features::whole(3), &keys[..3]).unwrap();
    assert_eq!(robust.all().unwrap_err().kind(), ErrorKind::OnePass);
    assert_eq!(robust.clone().merge(&robust).unwrap_err().kind(), ErrorKind::OnePass);
    assert_eq!(robust.finish().unwrap_err().kind(), ErrorKind::OnePass);
    assert!(robust.next_pass().unwrap());
    let error = robust.absorb(&x[..3], Features::whole(3), &[1, 1, 9]).unwrap_err();
    assert_eq!((error.kind(), error.argument()), (ErrorKind::Data, "keys"));
    let scaler = MinMax::new().fit(&x[..3], Features::whole(3)).unwrap();
    let wide = MinMax::new().fit(&x[..2], Features::columns(1, 2)).unwrap();
    assert!(GroupedScaler::new([(1, scaler.clone()), (1, scaler.clone())]).is_err());
    assert!(GroupedScaler::new([(1, scaler), (2, wide)]).is_err());
    assert!(GroupedScaler::new([]).is_err());
}

#[cfg(feature = "serde")]
#[test]
fn groups_survive_text() {
    let (x, keys) = (noise(ROWS, 8), keys());
    let method = Method::from(Standard::new());
    let scaler = method.fit_grouped(&x, Features::columns(ROWS, COLUMNS), &keys).unwrap();
    let others = method.fit(&x, Features::columns(ROWS, COLUMNS)).unwrap();
    for scaler in [scaler.clone(), scaler.with_others(others).unwrap()] {
        let text = serde_json::to_string(&scaler).unwrap();
        let read = |text: &str| serde_json::from_str::<GroupedScaler>(text);
        assert_eq!(read(&text).unwrap(), scaler);
        assert!(read(&text.replacen("\"version\":1", "\"version\":2", 1)).is_err());
        assert!(read(&text.replacen("\"keys\":[0,", "\"keys\":[7,", 1)).is_err());
        assert!(read(&text.replacen("\"keys\":[0,", "\"keys\":[", 1)).is_err());
    }
}
