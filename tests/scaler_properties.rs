//! Scalers on the CPU against naive references, on values, shapes and settings that proptest makes up.
//! `WGNORM_PROPERTY_CASES` asks for more cases than usual, `WGNORM_PROPERTY_SEED` for others.

#[path = "common/random.rs"]
mod random;

use proptest::prelude::*;
use wgnorm::ErrorKind;
use wgnorm::scaler::{
    Distribution, Features, Logarithm, MaxAbs, Method, MinMax, PowerTransform, Powers, QuantileTransform, Robust,
    Scaler, Standard, Visit, median_of_means, trimmed_mean, winsorized_mean,
};

/// Values with gaps, ties, both signs and several powers of ten.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        1 => Just(f64::NAN),
        2 => (-3i32..4).prop_map(f64::from),
        4 => -10.0..10.0f64,
        2 => (-1.0..1.0f64, -6i32..7).prop_map(|(x, power)| x * 10f64.powi(power)),
    ]
}

/// A table of some columns.
fn table() -> impl Strategy<Value = (Vec<f64>, usize)> {
    (1usize..4, 1usize..80)
        .prop_flat_map(|(columns, rows)| prop::collection::vec(value(), rows * columns).prop_map(move |x| (x, columns)))
}

fn logarithm() -> impl Strategy<Value = Logarithm> {
    prop::sample::select(vec![Logarithm::Log, Logarithm::Log1p, Logarithm::Symlog])
}

fn columns(x: &[f64], columns: usize) -> Features {
    Features::columns(x.len() / columns, columns)
}

/// The values of a column that there are, in order.
fn sorted(x: &[f64], columns: usize, column: usize) -> Vec<f64> {
    let mut values: Vec<f64> = x.iter().skip(column).step_by(columns).copied().collect();
    values.retain(|x| !x.is_nan());
    values.sort_by(f64::total_cmp);
    values
}

fn transformed(scaler: &Scaler, x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    let features = columns(x, scaler.features());
    scaler.transform(x, features, &mut y).expect("a transform");
    y
}

/// The share of values below, and half of those that are equal: what F is of as many references as values.
fn rank_share(values: &[f64], x: f64) -> f64 {
    let below = values.iter().filter(|value| **value < x).count() as f64;
    let equal = values.iter().filter(|value| **value == x).count() as f64;
    (below + (equal - 1.0) / 2.0) / (values.len() as f64 - 1.0)
}

/// Yeo and Johnson's powers, as their paper has them.
fn yeo_johnson(x: f64, lambda: f64) -> f64 {
    if x >= 0.0 {
        box_cox(x + 1.0, lambda)
    } else {
        -box_cox(1.0 - x, 2.0 - lambda)
    }
}

/// Box and Cox's. Near λ = 0 by its series, of which the paper has the first term: the difference loses all digits there.
fn box_cox(v: f64, lambda: f64) -> f64 {
    let l = v.ln();
    if lambda.abs() < 1e-5 {
        l * (1.0 + lambda * l / 2.0 * (1.0 + lambda * l / 3.0))
    } else {
        (v.powf(lambda) - 1.0) / lambda
    }
}

/// The logarithm of their likelihood.
fn likelihood(values: &[f64], lambda: f64) -> f64 {
    let n = values.len() as f64;
    let powers: Vec<f64> = values.iter().map(|&x| yeo_johnson(x, lambda)).collect();
    let mean = powers.iter().sum::<f64>() / n;
    let variance = powers.iter().map(|power| (power - mean).powi(2)).sum::<f64>() / n;
    let slopes: f64 = values.iter().map(|x| x.signum() * (1.0 + x.abs()).ln()).sum();
    -n / 2.0 * variance.ln() + (lambda - 1.0) * slopes
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

fn close(found: f64, expected: f64, size: f64) -> bool {
    found == expected || found.is_nan() && expected.is_nan() || (found - expected).abs() <= 1e-12 * size
}

proptest! {
    #![proptest_config(random::config(96))]

    #[test]
    fn a_quantile_transform_is_the_share_of_smaller_values((x, count) in table()) {
        let scaler = QuantileTransform::new().fit(&x, columns(&x, count)).unwrap();
        for column in 0..count {
            let values = sorted(&x, count, column);
            // As many references as rows: of gaps, there are lines between them, which the ranks do not know.
            if values.len() < 2 || values.len() * count != x.len() {
                continue;
            }
            let (first, last) = (values[0], values[values.len() - 1]);
            for (x, y) in x.iter().zip(transformed(&scaler, &x)).skip(column).step_by(count) {
                let expected = if *x == first { 0.0 } else if *x == last { 1.0 } else { rank_share(&values, *x) };
                // References may be off by a rounding, and F is steep where values are close.
                let near = values.windows(2).any(|pair| pair[0] != pair[1] && pair[1] - pair[0] <= 1e-9 * pair[1].abs());
                prop_assert!(near || (y - expected).abs() <= 1e-4 || is_tie(&values, *x), "{x} {y} {expected}");
            }
        }
    }

    #[test]
    fn a_quantile_transform_keeps_the_order_and_its_range(
        (x, count) in table(), references in 1usize..40, normal in any::<bool>(),
    ) {
        let to = if normal { Distribution::Normal } else { Distribution::Uniform };
        let scaler = QuantileTransform::new().references(references).to(to).fit(&x, columns(&x, count)).unwrap();
        let y = transformed(&scaler, &x);
        let ends = if normal { (-5.2, 5.2) } else { (0.0, 1.0) };
        for column in 0..count {
            let pairs = || x.iter().zip(&y).skip(column).step_by(count);
            for (x, y) in pairs() {
                prop_assert!(x.is_nan() && y.is_nan() || (ends.0..=ends.1).contains(y), "{x} {y}");
                for (other, of_other) in pairs().filter(|(other, _)| *other >= x) {
                    prop_assert!(of_other >= &(y - 1e-12), "{x} {y} {other} {of_other}");
                }
            }
        }
        let features = columns(&x, count);
        let mut back = vec![0.0f64; x.len()];
        scaler.inverse_transform(&y, features, &mut back).unwrap();
        for column in 0..count {
            let values = sorted(&x, count, column);
            for back in back.iter().skip(column).step_by(count).filter(|back| !back.is_nan()) {
                prop_assert!(*back >= values[0] && *back <= values[values.len() - 1]);
            }
        }
    }

    #[test]
    fn no_other_power_is_more_likely((x, count) in table()) {
        let scaler = PowerTransform::new().standardize(false).fit(&x, columns(&x, count)).unwrap();
        let wgnorm::scaler::Fitted::Powers(powers) = scaler.fitted() else { panic!() };
        let y = transformed(&scaler, &x);
        for (column, power) in powers.iter().enumerate() {
            let values = sorted(&x, count, column);
            prop_assert_eq!(power.moment.count, values.len() as f64);
            for (x, y) in x.iter().zip(&y).skip(column).step_by(count) {
                let expected = yeo_johnson(*x, power.lambda);
                // (The formula as it is written loses what 1 + x does not hold.)
                let size = expected.abs() + x.abs() + 1.0;
                prop_assert!(close(*y, expected, 1e4 * size), "{x} {y} {expected} {}", power.lambda);
            }
            let distinct = values.windows(2).filter(|pair| pair[1] - pair[0] > 1e-3).count();
            if distinct < 5 || power.lambda.abs() > 20.0 {
                continue;
            }
            let best = likelihood(&values, power.lambda);
            for step in [-1.0, -0.1, -1e-3, 1e-3, 0.1, 1.0] {
                let other = likelihood(&values, power.lambda + step);
                prop_assert!(other.is_nan() || other <= best + 1e-7 * best.abs().max(1.0), "{} {step} {best} {other}", power.lambda);
            }
        }
    }

    #[test]
    fn powers_are_undone((x, count) in table(), powers in prop::sample::select(vec![Powers::YeoJohnson, Powers::BoxCox])) {
        let x: Vec<f64> = match powers {
            Powers::BoxCox => x.iter().map(|x| x.abs() + 0.01).collect(),
            Powers::YeoJohnson => x,
        };
        let features = columns(&x, count);
        let scaler = PowerTransform::new().powers(powers).fit(&x, features).unwrap();
        let wgnorm::scaler::Fitted::Powers(fitted) = scaler.fitted() else { panic!() };
        let y = transformed(&scaler, &x);
        let mut back = vec![0.0f64; x.len()];
        scaler.inverse_transform(&y, features, &mut back).unwrap();
        for (i, (x, back)) in x.iter().zip(&back).enumerate() {
            // Far from λ = 1 a power has few digits of some values: what one ulp of y is, is then much of x.
            let lambda = fitted[i % count].lambda;
            let steep = (1.0 + x.abs()).powf((lambda - 1.0).abs()) * (1.0 + scaler.center()[i % count].abs());
            let spread = 1.0 + scaler.scale()[i % count].abs();
            let bound = 1e-13 * (1.0 + x.abs()) * steep * spread * (1.0 + lambda.abs());
            prop_assert!(
                bound > 0.1 || (x - back).abs() <= bound || x.is_nan() && back.is_nan(),
                "{x} {back} {lambda} {bound}"
            );
        }
    }

    #[test]
    fn a_logarithm_first_is_the_scaler_of_logarithms((x, count) in table(), logarithm in logarithm()) {
        let features = columns(&x, count);
        let methods: [Method; 4] = [Standard::new().into(), MinMax::new().into(), MaxAbs::new().into(), Robust::new().into()];
        for method in methods {
            let first = logarithm.then(method.clone());
            let bad = x.iter().position(|x| match logarithm {
                Logarithm::Log => *x <= 0.0,
                Logarithm::Log1p => *x <= -1.0,
                Logarithm::Symlog => false,
            });
            if let Some(bad) = bad {
                let error = first.fit(&x, features).unwrap_err();
                prop_assert_eq!(error.kind(), ErrorKind::Data);
                let place = format!("in row {} of feature {}", bad / count, bad % count);
                prop_assert!(error.to_string().contains(&place), "{error} {place}");
                continue;
            }
            let of = |x: &f64| match logarithm {
                Logarithm::Log => x.ln(),
                Logarithm::Log1p => x.ln_1p(),
                Logarithm::Symlog => x.signum() * x.abs().ln_1p(),
            };
            let logarithms: Vec<f64> = x.iter().map(of).collect();
            let expected = transformed(&method.fit(&logarithms, features).unwrap(), &logarithms);
            let scaler = first.fit(&x, features).unwrap();
            for (found, expected) in transformed(&scaler, &x).iter().zip(&expected) {
                prop_assert!(close(*found, *expected, expected.abs() + 1.0), "{found} {expected}");
            }
        }
    }

    #[test]
    fn chunks_are_one_fit((x, count) in table(), rows in 1usize..30) {
        let methods: [Method; 4] = [
            QuantileTransform::new().references(17).into(),
            QuantileTransform::new().to(Distribution::Normal).into(),
            Logarithm::Symlog.then(MinMax::new()).into(),
            Logarithm::Symlog.then(Robust::new()).into(),
        ];
        for method in methods {
            let whole = method.fit(&x, columns(&x, count)).unwrap();
            let parts = method.fit_chunks(count, |visit: &mut Visit<'_, f64>| {
                x.chunks(rows * count).rev().try_for_each(|chunk| visit(chunk, columns(chunk, count)))
            });
            prop_assert_eq!(format!("{:?}", parts.unwrap()), format!("{whole:?}"));
        }
    }

    #[test]
    fn keys_are_scalers_of_their_rows((x, count) in table(), seed in any::<u64>(), rows in 1usize..30) {
        let mut random = fastrand::Rng::with_seed(seed);
        let keys: Vec<u32> = (0..x.len() / count).map(|_| random.u32(0..4) * 1_000_000_000).collect();
        let methods: [Method; 4] = [Standard::new().into(), MinMax::new().into(), MaxAbs::new().into(), Robust::new().into()];
        for method in methods {
            let mut fitter = method.grouped_fitter::<f64>(count).unwrap();
            loop {
                for (x, keys) in x.chunks(rows * count).zip(keys.chunks(rows)) {
                    fitter.absorb(x, columns(x, count), keys).unwrap();
                }
                if !fitter.next_pass().unwrap() {
                    break;
                }
            }
            let scaler = fitter.finish().unwrap();
            let mut y = vec![0.0; x.len()];
            scaler.transform(&x, columns(&x, count), &keys, &mut y).unwrap();
            for key in [0, 1_000_000_000, 2_000_000_000, 3_000_000_000] {
                let rows_of = |values: &[f64]| -> Vec<f64> {
                    let rows = values.chunks(count).zip(&keys).filter(|(_, other)| **other == key);
                    rows.flat_map(|(row, _)| row.to_vec()).collect()
                };
                let of_key = rows_of(&x);
                if of_key.is_empty() {
                    prop_assert!(scaler.get(key).is_none());
                    continue;
                }
                let alone = method.fit(&of_key, columns(&of_key, count)).unwrap();
                let expected = transformed(&alone, &of_key);
                for (i, (found, expected)) in rows_of(&y).iter().zip(&expected).enumerate() {
                    // Merged means differ by roundings of the largest values.
                    let size = 1.0 + expected.abs() + (alone.center()[i % count] / alone.scale()[i % count]).abs();
                    prop_assert!(close(*found, *expected, size), "{method:?} {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn robust_centers_are_those_of_sorted_values(
        (x, count) in table(), lower in 0.0..0.5f64, upper in 0.0..0.5f64, blocks in 1usize..80,
    ) {
        let features = columns(&x, count);
        let trimmed = trimmed_mean(&x, features, (lower, upper)).unwrap();
        let winsorized = winsorized_mean(&x, features, (lower, upper)).unwrap();
        let medians = median_of_means(&x, features, blocks);
        prop_assert_eq!(medians.is_err(), blocks > features.rows());
        for column in 0..count {
            let mut values = sorted(&x, count, column);
            let n = values.len();
            let (first, last) = ((lower * n as f64) as usize, n - (upper * n as f64) as usize);
            let size = values[first..last].iter().fold(1.0, |size: f64, x| size.max(x.abs()));
            let expected = mean(values[first..last].iter().copied());
            prop_assert!(close(trimmed[column], expected, size), "{} {expected}", trimmed[column]);
            if n > 0 {
                let (low, high) = (values[first], values[last - 1]);
                values[..first].fill(low);
                values[last..].fill(high);
            }
            let expected = mean(values.iter().copied());
            prop_assert!(close(winsorized[column], expected, size), "{} {expected}", winsorized[column]);
            let Ok(medians) = &medians else { continue };
            let of_column: Vec<f64> = x.iter().skip(column).step_by(count).copied().collect();
            let mut means: Vec<f64> = (0..blocks)
                .map(|block| mean(of_column.iter().skip(block).step_by(blocks).copied().filter(|x| !x.is_nan())))
                .filter(|mean| !mean.is_nan())
                .collect();
            means.sort_by(f64::total_cmp);
            let middle = means.len() / 2;
            let expected = match means.len() {
                0 => f64::NAN,
                n if n % 2 == 1 => means[middle],
                _ => (means[middle - 1] + means[middle]) / 2.0,
            };
            prop_assert!(close(medians[column], expected, 1e7), "{} {expected}", medians[column]);
        }
    }
}

/// Whether a value is next to equal ones, whose references may be off by a rounding to either side.
fn is_tie(values: &[f64], x: f64) -> bool {
    values.iter().filter(|value| **value == x).count() > 1
}
