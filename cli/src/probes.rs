//! What `tune` measures: thresholds, the values each may take, and the geometries that it decides about.

use std::fmt;

use crate::bench::Direction;
use crate::bench::workload::Workload;
use crate::operation::{LayoutName, Op, Settings};

/// A threshold with values to try, from the one that suits the least capable adapter on.
pub struct Trial {
    pub threshold: &'static str,
    pub values: &'static [&'static str],
    pub probes: Vec<Probe>,
}

/// A workload that tells values of a threshold apart.
pub struct Probe {
    pub workload: Workload,
    pub direction: Direction,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape: Vec<_> = self.workload.shape.iter().map(usize::to_string).collect();
        let pass = match self.direction {
            Direction::Forward => "",
            Direction::Backward => " backward",
        };
        write!(
            f,
            "{}{pass} {} {}",
            self.workload.op.name(),
            self.workload.layout(),
            shape.join("x")
        )
    }
}

fn probe(op: Op, shape: &[usize], settings: Settings) -> Probe {
    Probe {
        workload: Workload {
            settings,
            ..Workload::new(op, shape)
        },
        direction: Direction::Forward,
    }
}

fn layer(shapes: &[[usize; 2]]) -> Vec<Probe> {
    shapes
        .iter()
        .map(|shape| probe(Op::Layer, shape, Settings::default()))
        .collect()
}

/// The backward pass of layer norm.
fn backward(shapes: &[[usize; 2]]) -> Vec<Probe> {
    let backward = |probe| Probe {
        direction: Direction::Backward,
        ..probe
    };
    layer(shapes).into_iter().map(backward).collect()
}

/// Batch norm of N×C×S.
fn planes(shapes: &[[usize; 3]]) -> Vec<Probe> {
    shapes
        .iter()
        .map(|shape| probe(Op::Batch, shape, Settings::default()))
        .collect()
}

/// Batch norm of N×S×C.
fn columns(shapes: &[[usize; 3]]) -> Vec<Probe> {
    let settings = || Settings {
        layout: Some(LayoutName::Nhwc),
        ..Settings::default()
    };
    shapes.iter().map(|shape| probe(Op::Batch, shape, settings())).collect()
}

/// The trials of software adapters or of hardware, in the order in which they build on each other.
pub fn trials(software: bool) -> Vec<Trial> {
    let trial = |threshold, values, probes| Trial {
        threshold,
        values,
        probes,
    };
    let short = || layer(&[[65536, 64], [131_072, 32], [32768, 128], [16384, 256]]);
    let few = || layer(&[[1, 1 << 21], [4, 1 << 19], [4, (1 << 19) + 1], [16, (1 << 17) - 1]]);
    let crossed = || columns(&[[16, 3136, 64], [1, 100_000, 32], [1, 500_000, 8], [4, 784, 256]]);
    let runs = || planes(&[[256, 64, 4], [128, 64, 16], [64, 64, 49], [64, 128, 64], [16, 256, 196]]);
    // Segments too long for one invocation each, of runs of all lengths, and few of them.
    let samples = || {
        planes(&[
            [1024, 64, 256],
            [2047, 64, 256],
            [512, 32, 1024],
            [512, 3, 4096],
            [128, 64, 3136],
            [16, 64, 12544],
            [32, 3, 65536],
            [4, 3, 262_144],
        ])
    };
    let odd_columns = || {
        columns(&[
            [1, 1_000_000, 7],
            [1, 1_000_000, 30],
            [4, 262_144, 3],
            [16, 3136, 65],
            [64, 3136, 255],
        ])
    };
    let odd_tables = || columns(&[[1, 10_001, 33], [1, 100_001, 33], [1, 1_000_001, 30]]);
    // Segments that registers do not hold: few, of a cache, and of more than one.
    let walked = || {
        planes(&[
            [16, 64, 3136],
            [64, 64, 3136],
            [64, 256, 3136],
            [32, 128, 12544],
            [32, 512, 784],
        ])
        .into_iter()
        .chain(layer(&[
            [16, 262_144],
            [64, 131_072],
            [512, 65536],
            [128, 1 << 19],
            [64, 1 << 21],
        ]))
        .collect()
    };
    let held = || {
        layer(&[
            [32768, 128],
            [16384, 256],
            [8192, 512],
            [4096, 1024],
            [4096, 1023],
            [2048, 2048],
        ])
    };
    match software {
        true => vec![
            trial(
                "widest_unit",
                &["1", "4", "16"],
                layer(&[[4096, 1024], [512, 8192], [4096, 1023]]),
            ),
            trial(
                "lane_workgroup",
                &["[8, 8]", "[8, 64]", "[8, 256]", "[64, 256]"],
                layer(&[[4096, 1024], [65536, 64], [128, 8192]]),
            ),
            trial(
                "lane_workgroups",
                &["2", "4", "16", "64"],
                layer(&[[4096, 1024], [65536, 64], [128, 8192]]),
            ),
            // With more, rows of odd lengths take seconds to compile.
            trial("short_row_units", &["0", "1", "2", "4"], short()),
            trial("short_row_elements", &["64", "1024", "8192", "65536"], short()),
            trial(
                "resident_row_units",
                &["[0, 0]", "[16, 16]", "[64, 64]", "[64, 128]"],
                held(),
            ),
            trial(
                "aligned_units",
                &["0", "24", "48", "65"],
                layer(&[[32768, 127], [16384, 250], [10431, 402], [8208, 511], [4100, 1023]]),
            ),
            trial("resident_units", &["[1, 8]", "[1, 16]", "[2, 16]", "[4, 16]"], held()),
            trial("resident_rows", &["1", "8", "64"], held()),
            trial("subgroup_workgroup", &["8", "32"], held()),
            trial(
                "lane_segments",
                &["8", "16", "32", "64", "128"],
                layer(&[[8, 65536], [16, 65536], [32, 65536], [64, 32768], [128, 16384]]),
            ),
            trial(
                "lane_elements",
                &["256", "1024", "4096", "16384", "65536"],
                layer(&[[8, 512], [8, 2048], [8, 8192], [8, 32768], [1, 8192]]),
            ),
            trial("run_elements", &["4", "8", "16", "32", "64"], runs()),
            trial(
                "span_run_elements",
                &["16", "64", "256", "1024"],
                planes(&[
                    [2000, 4, 32],
                    [2000, 8, 64],
                    [1000, 4, 128],
                    [500, 4, 512],
                    [250, 8, 1024],
                ]),
            ),
            trial("split_lanes", &["1", "8"], few()),
            trial("split_target", &["32", "64", "256", "1024"], few()),
            trial(
                "split_units",
                &["8", "32", "128"],
                layer(&[[1, 1 << 14], [4, 1 << 15], [1, 1 << 17]]),
            ),
            trial(
                "shared_run_elements",
                &["0", "1024", "4096", "8192", "32768", "1048576"],
                samples(),
            ),
            trial("alone_target", &["256", "1024", "4096", "16384"], samples()),
            trial("column_lanes", &["1", "8"], crossed()),
            trial("column_target", &["64", "256", "1024", "4096", "16384"], crossed()),
            trial("column_rows", &["1", "2", "4", "8"], crossed()),
            trial("column_units", &["64", "128", "256", "512"], crossed()),
            trial(
                "column_elements",
                &["16", "32", "64", "128", "512", "2048"],
                columns(&[[1, 64, 8192], [1, 256, 2048], [1, 1024, 1024]]),
            ),
            trial("fold_columns", &["1", "4", "16", "64", "65536"], odd_columns()),
            trial("fold_elements", &["0", "1048576", "1073741824"], odd_tables()),
            trial("finish_parts", &["16", "128", "1024"], crossed()),
            trial(
                "gradient_units",
                &["[1, 2]", "[1, 4]", "[1, 8]", "[2, 8]"],
                backward(&[[4096, 1024], [512, 8192]]),
            ),
            trial(
                "gradient_target",
                &["256", "512", "2048", "8192"],
                backward(&[[4096, 1024], [512, 8192]]),
            ),
            trial(
                "workgroup_lanes",
                &["[16, 64]", "[16, 256]", "[32, 256]"],
                backward(&[[1024, 4096], [512, 8192]]),
            ),
        ],
        false => vec![
            trial(
                "subgroup_workgroup",
                &["64", "128", "256"],
                layer(&[[131_072, 128], [65536, 64], [262_144, 32], [65536, 512]]),
            ),
            trial(
                "resident_units",
                &["[1, 16]", "[2, 16]", "[4, 16]", "[8, 16]"],
                layer(&[[131_072, 128], [65536, 512], [16384, 1024], [8192, 4096], [4096, 16384]]),
            ),
            trial(
                "resident_fill",
                &["[1, 1]", "[65536, 262144]", "[131072, 524288]", "[262144, 1048576]"],
                layer(&[[65536, 64], [16384, 256], [4096, 2048], [8192, 512]]),
            ),
            trial(
                "workgroup_lanes",
                &["[32, 256]", "[64, 256]", "[128, 512]", "[128, 1024]", "[256, 1024]"],
                layer(&[[16384, 1024], [16384, 4096], [8192, 8192], [4096, 16384]]),
            ),
            trial(
                "workgroup_units",
                &["4", "8", "16"],
                layer(&[[4096, 2048], [8192, 4096], [8192, 8192], [1024, 12288]]),
            ),
            trial(
                "workgroup_segments",
                &["1", "4", "16", "64", "256"],
                layer(&[[1, 32768], [4, 32768], [16, 32768], [64, 32768]]),
            ),
            trial("walked_lanes", &["256", "512", "1024"], walked()),
            trial("walked_segments", &["16", "32", "64", "128", "256"], walked()),
            trial(
                "walked_elements",
                &["0", "65536", "262144", "1048576", "16777216"],
                walked(),
            ),
            trial(
                "resident_rows",
                &["1", "2", "4", "8"],
                layer(&[[131_072, 128], [65536, 512], [16384, 4096]]),
            ),
            trial("run_elements", &["8", "16", "32", "64"], runs()),
            trial("split_lanes", &["64", "128", "256", "512"], few()),
            trial("split_target", &["65536", "131072", "262144", "524288"], few()),
            trial("split_units", &["4", "8", "16", "32"], few()),
            trial("column_lanes", &["2", "4", "8", "16", "32"], crossed()),
            trial("lane_segments", &["4096", "16384", "65536", "262144"], crossed()),
            trial("column_target", &["32768", "65536", "131072", "262144"], crossed()),
            trial("fold_columns", &["1", "4", "16", "64", "65536"], odd_columns()),
            trial(
                "fold_elements",
                &["0", "1048576", "16777216", "1073741824"],
                odd_tables(),
            ),
            trial("finish_parts", &["2", "8", "32"], crossed()),
            trial("apply_parts", &["0", "4", "8", "32"], few()),
            trial(
                "gradient_units",
                &["[1, 8]", "[2, 4]", "[2, 8]", "[4, 8]"],
                backward(&[[65536, 64], [4096, 1024], [16384, 4096], [1024, 12288]]),
            ),
            trial(
                "gradient_target",
                &["65536", "131072", "262144"],
                backward(&[[65536, 64], [4096, 1024], [16384, 4096]]),
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgnorm::Tuning;

    #[test]
    fn every_value_is_one_that_tables_may_have() {
        for software in [true, false] {
            for trial in trials(software) {
                assert!(!trial.probes.is_empty());
                for value in trial.values {
                    let mut tuning = Tuning::HARDWARE;
                    tuning.set(trial.threshold, value).unwrap();
                }
            }
        }
    }
}
