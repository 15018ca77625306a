//! A training set is poisoned: one row in fifty comes from a broken sensor. Plain and robust statistics side by side, and
//! what becomes of a good row when it is scaled by them.
//!
//! `cargo run --release --example poisoned`

use wgnorm::scaler::{Features, Robust, Standard, median, median_of_means, trimmed_mean, winsorized_mean};

const ROWS: usize = 10_000;
const NAMES: [&str; 3] = ["temperature", "pressure", "voltage"];
const MEANS: [f64; 3] = [21.0, 1013.0, 3.3];
const DEVIATIONS: [f64; 3] = [4.0, 8.0, 0.05];

fn main() -> wgnorm::Result<()> {
    let features = Features::columns(ROWS, NAMES.len());
    let clean = training_set();
    let mut poisoned = clean.clone();
    for row in (0..ROWS).step_by(50) {
        // What the sensor says when it is broken: the largest number of its converter, or none.
        poisoned[row * 3] = 65_535.0;
        poisoned[row * 3 + 1] = -65_535.0;
        poisoned[row * 3 + 2] = f64::NAN;
    }
    let plain = |x: &[f64]| Ok(Standard::new().fit(x, features)?.center().to_vec());
    // More blocks than twice the bad rows, or the median of means is carried away as well.
    let blocks = 500;
    println!("{:<28}{:>14}{:>14}{:>14}", "center", NAMES[0], NAMES[1], NAMES[2]);
    type Center<'a> = (&'a str, &'a dyn Fn(&[f64]) -> wgnorm::Result<Vec<f64>>);
    let centers: [Center<'_>; 5] = [
        ("mean", &plain),
        ("median", &|x| median(x, features)),
        ("median of 500 means", &|x| median_of_means(x, features, blocks)),
        ("mean, 5% trimmed", &|x| trimmed_mean(x, features, (0.05, 0.05))),
        ("mean, 5% winsorized", &|x| winsorized_mean(x, features, (0.05, 0.05))),
    ];
    for (name, center) in centers {
        print_row(&format!("{name}, clean"), &center(&clean)?);
        print_row(&format!("{name}, poisoned"), &center(&poisoned)?);
    }

    println!("\na good row, scaled");
    let row = [25.0, 1005.0, 3.35];
    for (name, scaler) in [
        ("z-score, clean", Standard::new().fit(&clean, features)?),
        ("z-score, poisoned", Standard::new().fit(&poisoned, features)?),
        (
            "robust, clean",
            Robust::new().unit_variance(true).fit(&clean, features)?,
        ),
        (
            "robust, poisoned",
            Robust::new().unit_variance(true).fit(&poisoned, features)?,
        ),
    ] {
        let mut y = [0.0; 3];
        scaler.transform(&row, Features::columns(1, 3), &mut y)?;
        print_row(name, &y);
    }
    Ok(())
}

/// Normal values, by sums of uniform ones.
fn training_set() -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..ROWS * 3)
        .map(|i| {
            let normal = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            MEANS[i % 3] + DEVIATIONS[i % 3] * normal
        })
        .collect()
}

fn print_row(name: &str, values: &[f64]) {
    println!("{name:<28}{:>14.4}{:>14.4}{:>14.4}", values[0], values[1], values[2]);
}
