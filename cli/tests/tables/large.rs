//! Tables larger than memory: peak memory, and what a killed program leaves.
//!
//! `WGNORM_LARGE_GB=5 cargo test --release -p wgnorm-cli --test tables -- --ignored --nocapture large`

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Place;
use crate::generate::{bytes, generate};

/// The most memory that a command may take.
const MOST: u64 = 1 << 30;

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    command.args(args).stdout(Stdio::null()).spawn().unwrap()
}

/// Runs the program; how long it took and its peak memory.
fn measured(args: &[&str]) -> (Duration, u64) {
    let begin = Instant::now();
    let mut child = start(args);
    let (mut peak, status) = (0, format!("/proc/{}/status", child.id()));
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        if let Some(code) = child.try_wait().unwrap() {
            assert!(code.success(), "{args:?}");
            println!(
                "{args:?}: at most {} MiB, {:.1} s",
                peak >> 20,
                begin.elapsed().as_secs_f64()
            );
            return (begin.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "takes gigabytes and minutes"]
fn large() {
    let place = Place::new();
    let (csv, parquet) = generate(place.0.path(), bytes(5.0));
    for table in [&csv, &parquet] {
        let (params, out) = (
            place.path("p.json"),
            format!("{}.out.{}", table, table.rsplit('.').next().unwrap()),
        );
        let (_, ordered) = measured(&["fit", table, "-o", &params, "--scaler", "robust"]);
        let (_, fitted) = measured(&["fit", table, "-o", &params, "--scaler", "zscore"]);
        let (time, scaled) = measured(&["transform", table, "--params", &params, "-o", &out]);
        assert!(ordered.max(fitted).max(scaled) < MOST);
        fs::remove_file(&out).unwrap();
        // Killed half way: nothing under the final name.
        let mut child = start(&["transform", table, "--params", &params, "-o", &out]);
        std::thread::sleep(time / 2);
        assert!(child.try_wait().unwrap().is_none(), "it was done already");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!fs::exists(&out).unwrap());
    }
}
