//! What scalers promise, on the CPU.

use super::*;
use crate::ErrorKind;

mod groups;
mod transforms;

const COLUMNS: usize = 5;

fn noise(rows: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let value = |i: usize| {
        let noise = random.f32() + random.f32() - random.f32();
        match (i % COLUMNS, random.u32(0..20)) {
            (2, 0) => f32::NAN,
            (0, _) => 1e6 + noise,
            (1, 0) => noise * 1e9,
            (3, _) => (noise * 4.0).round(),
            _ => noise * 1e-5,
        }
    };
    (0..rows * COLUMNS).map(value).collect()
}

fn methods() -> Vec<Method> {
    vec![
        MinMax::new().range(-3.5, 10.0).into(),
        MinMax::new().clip(true).into(),
        MaxAbs::new().into(),
        Standard::new().into(),
        Standard::new().with_mean(false).into(),
        Standard::new().with_deviation(false).into(),
        Robust::new().into(),
        Robust::new().quantile_range(5.0, 95.0).unit_variance(true).into(),
        Robust::new().centering(false).scaling(false).into(),
        FixedRange::new(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, -4.0, 3.0, 2.0, 1.0])
            .unwrap()
            .into(),
        FixedRange::uniform(3.0, 255.0).unwrap().into(),
        UnitNorm::l1().into(),
        UnitNorm::l2().into(),
        UnitNorm::max().into(),
    ]
}

#[test]
fn inverse_undoes_within_roundings_of_f32() {
    let (rows, features) = (1000, Features::columns(1000, COLUMNS));
    let x = noise(rows, 1);
    for method in methods() {
        let scaler = method.fit(&x, features).unwrap();
        let (mut y, mut back) = (vec![0.0f32; x.len()], vec![0.0f32; x.len()]);
        scaler.transform(&x, features, &mut y).unwrap();
        if let Method::UnitNorm(_) = method {
            let error = scaler.inverse_transform(&y, features, &mut back).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Parameter);
            continue;
        }
        scaler.inverse_transform(&y, features, &mut back).unwrap();
        for (i, (&x, (&y, &back))) in x.iter().zip(y.iter().zip(&back)).enumerate() {
            assert_eq!(x.is_nan(), back.is_nan());
            // y is rounded once, x once, and a few roundings of f64 do not show.
            let bound = f64::from(y).abs() * scaler.scale()[i % COLUMNS].abs() + f64::from(x).abs();
            let error = (f64::from(x) - f64::from(back)).abs();
            assert!(
                x.is_nan() || error <= 1.001 * 2f64.powi(-24) * bound,
                "{method:?} {x} {y} {back}"
            );
        }
        let mut in_place = x.clone();
        scaler.transform_in_place(&mut in_place, features).unwrap();
        assert!(in_place.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        scaler.inverse_transform_in_place(&mut in_place, features).unwrap();
        assert!(in_place.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn chunks_in_any_order_are_one_fit() {
    let rows = 1500;
    let x = noise(rows, 2);
    let mut order = fastrand::Rng::with_seed(3);
    for method in methods() {
        let whole = method.fit(&x, Features::columns(rows, COLUMNS)).unwrap();
        for rows in [1, 2, 7, 1000] {
            let mut chunks: Vec<&[f32]> = x.chunks(rows * COLUMNS).collect();
            order.shuffle(&mut chunks);
            let features = |chunk: &[f32]| Features::columns(chunk.len() / COLUMNS, COLUMNS);
            let read = |visit: &mut Visit<'_, f32>| chunks.iter().try_for_each(|chunk| visit(chunk, features(chunk)));
            let again = method.fit_chunks(COLUMNS, read).unwrap();
            match (again.fitted(), whole.fitted()) {
                (Fitted::Moments(again), Fitted::Moments(whole)) => {
                    for (again, whole) in again.iter().zip(whole) {
                        assert_eq!(again.count, whole.count);
                        assert!((again.mean - whole.mean).abs() <= 1e-13 * whole.mean.abs().max(again.m2.sqrt()));
                        // A mean is kept to the epsilon of f64, and every merge squares a difference of two.
                        let ratio = whole.mean.abs() / whole.variance().sqrt();
                        let bound = (2f64.powi(-45) + 2f64.powi(-50) * ratio) * whole.m2;
                        assert!((again.m2 - whole.m2).abs() <= bound, "{again:?} {whole:?}");
                    }
                }
                _ => assert_eq!(again, whole, "{rows}"),
            }
            let Ok(mut fitter) = method.fitter(COLUMNS) else {
                assert!(matches!(method, Method::Robust(_)));
                continue;
            };
            for chunk in chunks {
                let mut part = method.fitter(COLUMNS).unwrap();
                part.partial_fit(chunk, features(chunk)).unwrap();
                fitter.merge(&part).unwrap();
            }
            assert_eq!(fitter.finish().unwrap(), again);
            let resumed = again.fitter().unwrap();
            assert_eq!(resumed.finish().unwrap(), again);
        }
    }
}

#[test]
fn a_chunk_of_nan_poisons_nothing() {
    for method in [
        Method::from(MinMax::new()),
        MaxAbs::new().into(),
        Standard::new().into(),
    ] {
        let mut fitter = method.fitter(1).unwrap();
        fitter.partial_fit(&[f32::NAN; 3], Features::whole(3)).unwrap();
        assert!(fitter.finish().unwrap().scale()[0].is_nan());
        fitter.partial_fit(&[1.0f32, 3.0], Features::whole(2)).unwrap();
        assert_eq!(
            fitter.finish().unwrap(),
            method.fit(&[1.0f32, 3.0], Features::whole(2)).unwrap()
        );
    }
}

#[test]
fn constants_have_scale_one() {
    for value in [0.0f32, 7.25, -3.7, 1e6, 0.1, 1e-20, 16_777_216.0] {
        let x = [value; 101];
        for method in [
            Method::from(MinMax::new()),
            Standard::new().into(),
            Robust::new().into(),
        ] {
            let scaler = method.fit(&x, Features::whole(101)).unwrap();
            let mut y = [9.0f32];
            scaler.transform(&x[..1], Features::whole(1), &mut y).unwrap();
            assert_eq!((scaler.scale()[0], y[0]), (1.0, 0.0), "{value} {method:?}");
        }
    }
}

#[test]
fn weights_count_rows() {
    let x = [1.0f32, 5.0, 2.0, 6.0, 4.0, f32::NAN];
    let repeated = [1.0f32, 5.0, 1.0, 5.0, 4.0, f32::NAN];
    let weighted = Standard::new()
        .fit_weighted(&x, Features::columns(3, 2), &[2.0, 0.0, 1.0])
        .unwrap();
    let expected = Standard::new().fit(&repeated, Features::columns(3, 2)).unwrap();
    assert_eq!(weighted, expected);
    let mut fitter = MinMax::new().fitter(2).unwrap();
    let error = fitter
        .partial_fit_weighted(&x, Features::columns(3, 2), &[1.0; 3])
        .unwrap_err();
    assert_eq!(error.argument(), "weights");
}

#[test]
fn channels_samples_and_columns_agree() {
    let x = noise(60, 4);
    let columns = Features::columns(60, COLUMNS);
    for method in methods() {
        let scaler = method.fit(&x, columns).unwrap();
        let mut expected = vec![0.0f32; x.len()];
        scaler.transform(&x, columns, &mut expected).unwrap();
        // Channels first, 4 samples of 15 places.
        let channels = Features::channels(4, COLUMNS, 15);
        let mut moved = vec![0.0f32; x.len()];
        for row in 0..60 {
            for feature in 0..COLUMNS {
                moved[channels.offset(row, feature)] = x[row * COLUMNS + feature];
            }
        }
        let other = method.fit(&moved, channels).unwrap();
        let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * b.abs());
        assert!(close(other.center(), scaler.center()) && close(other.scale(), scaler.scale()));
        let mut y = vec![0.0f32; x.len()];
        scaler.transform_to(&moved, channels, &mut y, columns).unwrap();
        assert!(
            y.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()),
            "{method:?}"
        );
    }
}

#[test]
fn f64_input_loses_nothing() {
    // Seconds since 1970 with fractions: an f32 has steps of 128 there.
    let x: Vec<f64> = (0..1000).map(|i| 1.7e9 + f64::from(i) / 8.0).collect();
    let features = Features::whole(1000);
    let scaler = MinMax::new().fit(&x, features).unwrap();
    let mut y = vec![0.0f32; 1000];
    scaler.transform(&x, features, &mut y).unwrap();
    assert!((0..1000).all(|i| (f64::from(y[i]) - i as f64 / 999.0).abs() < 1e-7));
    let mut back = vec![0.0f64; 1000];
    scaler.inverse_transform(&y, features, &mut back).unwrap();
    assert!(x.iter().zip(&back).all(|(x, back)| (x - back).abs() < 1e-5));
    let robust = Robust::new().fit(&x, features).unwrap();
    assert_eq!(robust.center()[0], 1.7e9 + 499.5 / 8.0);
}

#[test]
fn images_are_normalized_on_the_way() {
    let pixels: Vec<u8> = (0..2 * 4 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let (from, to) = (Features::columns(8, 3), Features::channels(2, 3, 4));
    let scaler = FixedRange::new(&[123.675, 116.28, 103.53], &[58.395, 57.12, 57.375])
        .unwrap()
        .scaler(3)
        .unwrap();
    let mut y = vec![0.0f32; 24];
    scaler.transform_to(&pixels, from, &mut y, to).unwrap();
    for row in 0..8 {
        for channel in 0..3 {
            let expected = (f64::from(pixels[row * 3 + channel]) - scaler.center()[channel]) / scaler.scale()[channel];
            assert!((f64::from(y[to.offset(row, channel)]) - expected).abs() < 1e-6);
        }
    }
    let fitted = Standard::new().fit(&pixels, from).unwrap();
    let wide: Vec<f32> = pixels.iter().map(|&pixel| pixel.into()).collect();
    assert_eq!(fitted, Standard::new().fit(&wide, from).unwrap());
    assert_eq!(
        Robust::new().fit(&pixels, from).unwrap(),
        Robust::new().fit(&wide, from).unwrap()
    );
}

#[test]
fn infinities_are_refused_or_kept() {
    let x = [1.0f32, f32::INFINITY, 2.0, 3.0, 4.0];
    let features = Features::whole(5);
    for method in [
        Method::from(MinMax::new()),
        MaxAbs::new().into(),
        Standard::new().into(),
        Robust::new().into(),
    ] {
        let error = method.fit(&x, features).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{method:?}");
    }
    let kept = Robust::new().infinities(Infinities::Keep).fit(&x, features).unwrap();
    assert_eq!((kept.center()[0], kept.scale()[0]), (3.0, 2.0));
    let kept = MinMax::new().infinities(Infinities::Keep).fit(&x, features).unwrap();
    assert_eq!(kept.scale()[0], f64::INFINITY);
    assert!(Standard::new().infinities(Infinities::Keep).fit(&x, features).is_ok());
}

#[test]
fn bad_input_is_refused() {
    let x = [1.0f32; 6];
    let table = Features::columns(3, 2);
    let kind = |result: crate::Result<Scaler>| result.unwrap_err().kind();
    assert_eq!(kind(MinMax::new().range(1.0, 1.0).fit(&x, table)), ErrorKind::Parameter);
    assert_eq!(
        kind(MinMax::new().range(0.0, f64::INFINITY).fit(&x, table)),
        ErrorKind::Parameter
    );
    assert_eq!(
        kind(Robust::new().quantile_range(-1.0, 50.0).fit(&x, table)),
        ErrorKind::Parameter
    );
    assert_eq!(
        kind(Robust::new().quantile_range(50.0, 101.0).fit(&x, table)),
        ErrorKind::Parameter
    );
    let unbounded = Robust::new().quantile_range(0.0, 75.0).unit_variance(true);
    assert_eq!(kind(unbounded.fit(&x, table)), ErrorKind::Parameter);
    for method in [
        Method::from(MinMax::new()),
        Standard::new().into(),
        Robust::new().into(),
    ] {
        assert_eq!(kind(method.fit(&x, Features::columns(0, 2))), ErrorKind::Data);
        assert_eq!(kind(method.fit(&x, Features::columns(4, 2))), ErrorKind::Size);
    }
    assert_eq!(Robust::new().fitter(2).unwrap_err().kind(), ErrorKind::OnePass);
    assert!(FixedRange::intervals(&[(2.0, 2.0)]).is_err());
    assert!(FixedRange::new(&[0.0], &[0.0]).is_err());
    assert!(FixedRange::new(&[0.0], &[1.0, 1.0]).is_err());
    assert!(FixedRange::new(&[f64::NAN], &[1.0]).is_err());
    assert_eq!(
        kind(FixedRange::new(&[0.0; 3], &[1.0; 3]).unwrap().scaler(2)),
        ErrorKind::Shape
    );
    let scaler = Standard::new().fit(&x, table).unwrap();
    let mut y = [0.0f32; 6];
    let transform = |features, y: &mut [f32]| scaler.transform(&x, features, y).unwrap_err().kind();
    assert_eq!(transform(Features::columns(2, 3), &mut y), ErrorKind::Shape);
    assert_eq!(transform(table, &mut y[..5]), ErrorKind::Size);
    assert_eq!(transform(table.strides(0, 1, 0), &mut y), ErrorKind::Shape);
    let (a, b) = (
        MinMax::new().fitter(2).unwrap(),
        MinMax::new().clip(true).fitter(2).unwrap(),
    );
    assert_eq!(a.clone().merge(&b).unwrap_err().kind(), ErrorKind::Parameter);
    assert_eq!(
        a.clone().merge(&MinMax::new().fitter(3).unwrap()).unwrap_err().kind(),
        ErrorKind::Shape
    );
    // Data that change under the reader.
    let mut reading = 0;
    let changing = |visit: &mut Visit<'_, f32>| {
        reading += 1;
        visit(&[1.0f32, 2.0, 3.0][..4 - reading], Features::whole(4 - reading))
    };
    assert_eq!(kind(Robust::new().fit_chunks(1, changing)), ErrorKind::Data);
}

#[test]
fn nothing_to_transform_is_valid() {
    let scaler = MinMax::new().fit(&[1.0f32, 2.0], Features::whole(2)).unwrap();
    scaler
        .transform::<f32, f32>(&[], Features::columns(0, 1), &mut [])
        .unwrap();
    let none = MinMax::new().fit::<f32>(&[], Features::columns(2, 0)).unwrap();
    none.transform::<f32, f32>(&[], Features::columns(2, 0), &mut [])
        .unwrap();
}

#[test]
fn norms_beyond_the_squares_of_f64_are_right() {
    let mut x = [3e200f64, 4e200, 3e-10, 4e-10, 0.0, 0.0];
    UnitNorm::l2()
        .scaler(2)
        .unwrap()
        .transform_in_place(&mut x, Features::columns(3, 2))
        .unwrap();
    for (x, expected) in x.into_iter().zip([0.6, 0.8, 0.6, 0.8, 0.0, 0.0]) {
        assert!((x - expected).abs() < 1e-15);
    }
}

#[cfg(feature = "serde")]
mod saving {
    use super::*;

    #[test]
    fn parameters_survive_text() {
        let mut x = noise(50, 5);
        (0..50).for_each(|row| x[row * COLUMNS + 4] = f32::NAN);
        for method in methods() {
            let scaler = method.fit(&x, Features::columns(50, COLUMNS)).unwrap();
            let text = serde_json::to_string(&scaler).unwrap();
            let read: Scaler = serde_json::from_str(&text).unwrap();
            // (NaN is not equal to itself.)
            assert_eq!(format!("{read:?}"), format!("{scaler:?}"), "{text}");
        }
    }

    #[test]
    fn other_versions_and_widths_are_refused() {
        let scaler = Standard::new().fit(&[1.0f32, 2.0], Features::columns(1, 2)).unwrap();
        let text = serde_json::to_string(&scaler).unwrap();
        let read = |text: String| serde_json::from_str::<Scaler>(&text).map_err(|error| error.to_string());
        assert!(
            read(text.replace("\"version\":1", "\"version\":2"))
                .unwrap_err()
                .contains("version")
        );
        assert!(read(text.replace("\"features\":2", "\"features\":3")).is_err());
        assert!(read(text.replace("\"m2\":[0.0,0.0]", "\"m2\":[0.0]")).is_err());
        assert!(read(text.replace("\"m2\":[0.0,0.0]", "\"m2\":[0.0,\"nothing\"]")).is_err());
        assert!(read(text.replace("standard", "min_max")).is_err());
        let robust = serde_json::to_string(&Robust::new().fit(&[1.0f32], Features::whole(1)).unwrap()).unwrap();
        assert!(read(robust.replace("\"upper\":75.0", "\"upper\":175.0")).is_err());
        assert!(read(text).is_ok());
    }
}
