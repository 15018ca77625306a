//! The README's examples of data: each is a command line, on data made here.

use std::fs;

use super::run;
use crate::common::{path, write};

/// Numbers from 0 to 1 that look random and are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        // (Knuth's constants.)
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, by the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// A column of a CSV file.
fn column(file: &str, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|header| header == name)
        .unwrap();
    reader
        .records()
        .map(|record| record.unwrap()[place].parse().unwrap())
        .collect()
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / values.len() as f64).sqrt())
}

/// A recommender: ages by known limits, incomes by their logarithms, counts with outliers by quantiles.
#[test]
fn mixed_features_of_a_recommender() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name| path(directory.path(), name);
    let mut random = Random(1);
    let mut text = "user,age,income,clicks,country\n".to_owned();
    for user in 0..500 {
        let age = 20.0 + (random.next() * 50.0).floor();
        let income = (10.0 + 0.7 * random.normal()).exp().round();
        let clicks = if user % 100 == 7 {
            1_000_000.0
        } else {
            (random.next() * 40.0).floor()
        };
        text += &format!("{user},{age},{income},{clicks},{}\n", ["DE", "FR", "JP"][user % 3]);
    }
    write(directory.path(), "users.csv", text.as_bytes());
    let scales = [
        "--scale",
        "age=range:20:70",
        "--scale",
        "income=log+zscore",
        "--scale",
        "clicks=robust",
    ];
    run(&[&["fit", &file("users.csv"), "-o", &file("users.json")], &scales[..]].concat());
    run(&[
        "transform",
        &file("users.csv"),
        "--params",
        &file("users.json"),
        "-o",
        &file("scaled.csv"),
    ]);
    let scaled = |name| column(&file("scaled.csv"), name);
    assert!(scaled("age").iter().all(|age| (0.0..=1.0).contains(age)));
    let (mean, deviation) = mean_and_deviation(&scaled("income"));
    assert!(mean.abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12);
    // Five users who click a million times do not squeeze the others.
    let usual = scaled("clicks").into_iter().filter(|clicks| clicks.abs() < 2.0).count();
    assert_eq!(usual, 495);
    assert_eq!(scaled("user"), (0..500).map(f64::from).collect::<Vec<_>>());
    // Tomorrow's users, in another order of columns.
    write(
        directory.path(),
        "new.csv",
        b"income,age,clicks\n22026.465794806718,45,20\n",
    );
    run(&[
        "transform",
        &file("new.csv"),
        "--params",
        &file("users.json"),
        "-o",
        &file("new-scaled.csv"),
    ]);
    assert_eq!(column(&file("new-scaled.csv"), "age"), [0.5]);
    assert!(column(&file("new-scaled.csv"), "income")[0].abs() < 0.2);
    run(&[
        "inverse",
        &file("scaled.csv"),
        "--params",
        &file("users.json"),
        "-o",
        &file("back.csv"),
    ]);
    assert_eq!(fs::read_to_string(file("back.csv")).unwrap(), text);
}

/// Scanners with gains and offsets of their own, brought onto one footing.
#[test]
fn scans_of_several_devices() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name| path(directory.path(), name);
    let devices = [("north", 1.0, 0.0), ("south", 40.0, 500.0), ("van-3", 0.01, -2.0)];
    let mut random = Random(2);
    let mut text = "device_id,intensity\n".to_owned();
    for scan in 0..900 {
        let (device, gain, offset) = devices[scan % 3];
        text += &format!("{device},{}\n", offset + gain * (100.0 + 15.0 * random.normal()));
    }
    write(directory.path(), "scans.csv", text.as_bytes());
    run(&[
        "fit",
        &file("scans.csv"),
        "-o",
        &file("p.json"),
        "--scaler",
        "zscore",
        "--columns",
        "intensity",
        "--by",
        "device_id",
    ]);
    run(&[
        "transform",
        &file("scans.csv"),
        "--params",
        &file("p.json"),
        "-o",
        &file("even.csv"),
    ]);
    let even = column(&file("even.csv"), "intensity");
    for device in 0..3 {
        let of_device: Vec<f64> = even.iter().copied().skip(device).step_by(3).collect();
        let (mean, deviation) = mean_and_deviation(&of_device);
        assert!(
            mean.abs() < 1e-10 && (deviation - 1.0).abs() < 1e-10,
            "{device}: {mean} {deviation}"
        );
    }
}

/// Sensors in one tensor: lidar by its limits, camera by 255, radar by its statistics.
#[test]
fn sensors_are_fused() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name| path(directory.path(), name);
    let mut random = Random(3);
    let mut text = "lidar_front,lidar_rear,camera_r,camera_g,camera_b,radar_speed\n".to_owned();
    for _ in 0..200 {
        let mut byte = || (random.next() * 256.0).floor();
        let (r, g, b) = (byte(), byte(), byte());
        let (front, rear) = (random.next() * 120.0, random.next() * 120.0);
        text += &format!("{front},{rear},{r},{g},{b},{}\n", 3.0 + 8.0 * random.normal());
    }
    write(directory.path(), "frames.csv", text.as_bytes());
    let scales = [
        "--scale",
        "lidar*=range:0:120",
        "--scale",
        "camera*=range:0:255",
        "--scale",
        "radar*=zscore",
    ];
    run(&[&["fit", &file("frames.csv"), "-o", &file("p.json")], &scales[..]].concat());
    run(&[
        "transform",
        &file("frames.csv"),
        "--params",
        &file("p.json"),
        "-o",
        &file("fused.npy"),
    ]);
    let bytes = fs::read(file("fused.npy")).unwrap();
    let array = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(array.shape(), [200, 6]);
    let values: Vec<f64> = array.into_vec().unwrap();
    let (radar, limited): (Vec<_>, Vec<_>) = values.iter().enumerate().partition(|(i, _)| i % 6 == 5);
    assert!(limited.iter().all(|(_, value)| (0.0..=1.0).contains(*value)));
    let (mean, deviation) = mean_and_deviation(&radar.iter().map(|(_, value)| **value).collect::<Vec<_>>());
    assert!(mean.abs() < 1e-12 && (deviation - 1.0).abs() < 1e-12);
}
