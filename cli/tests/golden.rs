//! `wgnorm norm` on real data, on the default adapter, against what PyTorch computes in float64 (data/make.py).

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use common::{assert_code, le_f32, npy, on_adapter, path, read_npy, write};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden.safetensors");

/// The largest error, as a share of the largest |y|: two units in the last place of f32.
const TOLERANCE: f64 = 2.0 * f32::EPSILON as f64;

/// Name in the file, tensor, and flags; `@NAME` is a tensor of the file.
const CASES: [(&str, &str, &str); 13] = [
    ("layer", "table", "--op layer --weight @weight30 --bias @bias30"),
    ("layer_images", "digits", "--op layer --axis 1"),
    ("rms", "table", "--op rms --eps 1e-6 --weight @weight30"),
    ("batch", "table", "--op batch --weight @weight30 --bias @bias30"),
    (
        "batch_running",
        "table",
        "--op batch --weight @weight30 --bias @bias30 --running-mean @running_mean --running-var @running_var",
    ),
    (
        "batch_nhwc",
        "digits",
        "--op batch --layout nhwc --weight @weight8 --bias @bias8",
    ),
    ("instance", "digits", "--op instance --weight @weight8 --bias @bias8"),
    (
        "instance_nhwc",
        "digits",
        "--op instance --layout nhwc --weight @weight8 --bias @bias8",
    ),
    (
        "group",
        "digits",
        "--op group --groups 4 --weight @weight8 --bias @bias8",
    ),
    (
        "group_nhwc",
        "digits",
        "--op group --layout nhwc --groups 4 --weight @weight8 --bias @bias8",
    ),
    ("zscore", "table", "--op zscore"),
    ("zscore_images", "digits", "--op zscore --axes 0,1 --ddof 1"),
    ("mvn", "digits", "--op mvn --preset onnx --axes 0,2"),
];

/// Runs `norm` on the default adapter, or on the one that `WGNORM_ADAPTER` names.
#[track_caller]
fn norm(input: &str, output: &str, flags: &str) {
    let mut args = vec!["norm".to_owned(), input.to_owned(), "-o".to_owned(), output.to_owned()];
    args.extend(flags.split(' ').map(|flag| match flag.strip_prefix('@') {
        Some(tensor) => format!("{GOLDEN}:{tensor}"),
        None => flag.to_owned(),
    }));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let run = on_adapter(&args);
    assert_code(&run, 0);
}

#[track_caller]
fn assert_close(name: &str, y: &[f32], expected: &TensorView<'_>) {
    let expected: Vec<f64> = expected
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|&v| f64::from_le_bytes(v))
        .collect();
    assert_eq!(y.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    for (&y, expected) in y.iter().zip(expected) {
        let error = (f64::from(y) - expected).abs();
        assert!(
            error <= TOLERANCE * largest,
            "{name}: {y} is not {expected}, off by {error:e}"
        );
    }
}

fn f32s(tensor: &TensorView<'_>) -> Vec<f32> {
    tensor
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|&v| f32::from_le_bytes(v))
        .collect()
}

#[test]
fn real_data_agree_with_pytorch() {
    let bytes = fs::read(GOLDEN).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let expected: HashMap<_, _> = (golden.tensors().into_iter())
        .filter_map(|(name, tensor)| Some((name.strip_prefix("y.")?.to_owned(), tensor)))
        .collect();
    assert_eq!(expected.len(), CASES.len(), "every result in the file has its case");
    let directory = tempfile::tempdir().unwrap();
    for (i, (name, tensor, flags)) in CASES.into_iter().enumerate() {
        let x = golden.tensor(tensor).unwrap();
        // The formats take turns.
        let y = if i % 2 == 0 {
            let output = path(directory.path(), "y.safetensors");
            norm(&format!("{GOLDEN}:{tensor}"), &output, flags);
            f32s(
                &SafeTensors::deserialize(&fs::read(output).unwrap())
                    .unwrap()
                    .tensor(tensor)
                    .unwrap(),
            )
        } else {
            let output = path(directory.path(), "y.npy");
            norm(&write_npy(directory.path(), &x), &output, flags);
            let (shape, y) = read_npy(&output);
            assert_eq!(shape, x.shape());
            y
        };
        assert_close(name, &y, &expected[name]);
    }
}

fn write_npy(directory: &Path, tensor: &TensorView<'_>) -> String {
    let extents: Vec<_> = tensor.shape().iter().map(usize::to_string).collect();
    let shape = extents.join(", ");
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    write(directory, "x.npy", &npy(&header, &le_f32(&f32s(tensor))));
    path(directory, "x.npy")
}
