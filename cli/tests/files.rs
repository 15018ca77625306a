//! Tensor files in and out of `wgnorm norm`, on the CPU path.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{assert_code, le_f32, npy, path, read_npy, safetensors, stderr, wgnorm, write};
use npyz::WriterBuilder;
use safetensors::SafeTensors;

/// Two rows that layer norm maps to multiples of the same values.
const X: [f32; 6] = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
const HEADER: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

fn norm<'a>(input: &'a str, output: &'a str, more: &[&'a str]) -> std::process::Output {
    let mut args = vec!["norm", input, "-o", output, "--op", "layer", "--eps", "0"];
    args.extend(more);
    wgnorm(&args)
}

#[track_caller]
fn assert_normalized(y: &[f32]) {
    let expected = [-1.5f32.sqrt(), 0.0, 1.5f32.sqrt()];
    assert_eq!(y.len(), 6);
    for (y, expected) in y.iter().zip(expected.iter().cycle()) {
        assert!((y - expected).abs() < 1e-6, "{y} is not {expected}");
    }
}

#[test]
fn npy_in_and_out() {
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (path(directory.path(), "x.npy"), path(directory.path(), "y.npy"));
    let mut file = fs::File::create(&input).unwrap();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]);
    let mut writer = options.writer(&mut file).begin_nd().unwrap();
    writer.extend(X).unwrap();
    writer.finish().unwrap();
    let json = path(directory.path(), "norm.json");
    let run = norm(&input, &output, &["--check", "--json", &json]);
    assert_code(&run, 0);
    assert!(stderr(&run).is_empty(), "nothing was converted: {}", stderr(&run));
    let (shape, y) = read_npy(&output);
    assert_eq!(shape, [2, 3]);
    assert_normalized(&y);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(json["op"], "layer_norm");
}

#[test]
fn one_dimensional_npy() {
    let directory = tempfile::tempdir().unwrap();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }";
    write(directory.path(), "x.npy", &npy(header, &le_f32(&X)));
    let output = path(directory.path(), "y.npy");
    assert_code(&norm(&path(directory.path(), "x.npy"), &output, &[]), 0);
    assert_eq!(read_npy(&output).0, [6]);
}

#[test]
fn safetensors_keep_names_and_give_statistics() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = safetensors(&[("a:0", &[2, 3], &X), ("w", &[3], &[2.0; 3])]);
    let input = path(directory.path(), "x.safetensors");
    write(directory.path(), "x.safetensors", &bytes);
    let (x, w) = (format!("{input}:a:0"), format!("{input}:w"));
    let (output, statistics) = (
        path(directory.path(), "y.safetensors"),
        path(directory.path(), "s.safetensors"),
    );
    assert_code(
        &norm(&x, &output, &["--weight", &w, "--statistics", &statistics, "--check"]),
        0,
    );
    let bytes = fs::read(&output).unwrap();
    let y = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(y.names(), ["a:0"]);
    assert_eq!(y.tensor("a:0").unwrap().shape(), [2, 3]);
    let bytes = fs::read(&statistics).unwrap();
    let statistics = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(statistics.tensor("mean").unwrap().shape(), [2]);
    assert_eq!(statistics.tensor("rstd").unwrap().data().len(), 16);
    // Several tensors, none or an unknown one named; and the input must not be replaced by a part of itself.
    assert_code(&norm(&input, &output, &[]), 2);
    assert_code(&norm(&format!("{input}:b"), &output, &[]), 2);
    let run = norm(&x, &input, &[]);
    assert_code(&run, 2);
    assert!(stderr(&run).contains("would be lost"), "{}", stderr(&run));
}

#[test]
fn nothing_is_written_over_what_is_needed() {
    let directory = tempfile::tempdir().unwrap();
    let x = write(directory.path(), "x.npy", &npy(HEADER, &le_f32(&X)));
    let w = write(
        directory.path(),
        "w.safetensors",
        &safetensors(&[("w", &[3], &[2.0; 3])]),
    );
    let (x, w) = (x.to_str().unwrap(), w.to_str().unwrap());
    let y = path(directory.path(), "y.npy");
    for (output, more) in [
        (w, vec!["--weight", w]),
        (&y, vec!["--weight", w, "--statistics", w]),
        (&y, vec!["--json", &y]),
        (&y, vec!["--json", x]),
        (&y, vec!["--statistics", "s.safetensors:mean"]),
        ("y.npy:name", vec![]),
        ("y.safetensors:__metadata__", vec![]),
        (&y, vec!["--variant", "split"]),
    ] {
        assert_code(&norm(x, output, &more), 2);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    assert_eq!(fs::read(w).unwrap(), safetensors(&[("w", &[3], &[2.0; 3])]));
    // y itself may replace x.
    assert_code(&norm(x, x, &[]), 0);
    assert_normalized(&read_npy(x).1);
}

#[test]
fn a_reader_who_leaves_does_not_stop_the_work() {
    let directory = tempfile::tempdir().unwrap();
    let input = write(directory.path(), "x.npy", &npy(HEADER, &le_f32(&X)));
    let output = path(directory.path(), "y.npy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    command
        .args(["--device", "cpu", "norm", "--op", "layer", "-o", &output])
        .arg(input);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = command.stdout(writer).output().unwrap();
    assert_code(&run, 0);
    assert!(Path::new(&output).exists());
}

#[test]
fn conversions_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let output = path(directory.path(), "y.npy");
    let f64s: Vec<u8> = X.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    let big: Vec<u8> = X.iter().flat_map(|&v| v.to_be_bytes()).collect();
    let i64s: Vec<u8> = X.iter().flat_map(|&v| (v as i64).to_le_bytes()).collect();
    let bytes: Vec<u8> = X.iter().map(|&v| v as u8).collect();
    let halves: Vec<u8> = X.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect();
    let transposed: Vec<f32> = [0, 3, 1, 4, 2, 5].iter().map(|&i| X[i]).collect();
    for (descr, order, data, note) in [
        ("<f8", "False", f64s, "float64 converted"),
        (">f4", "False", big, ""),
        ("<i8", "False", i64s, "int64 converted"),
        ("|u1", "False", bytes, "uint8 converted"),
        ("<f2", "False", halves, "float16 converted"),
        ("<f4", "True", le_f32(&transposed), "Fortran order converted"),
    ] {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (2, 3), }}");
        let input = write(directory.path(), "x.npy", &npy(&header, &data));
        let run = norm(input.to_str().unwrap(), &output, &[]);
        assert_code(&run, 0);
        assert!(stderr(&run).contains(note), "{descr}: {}", stderr(&run));
        assert_normalized(&read_npy(&output).1);
    }
    let mut values = X;
    values[0] = f32::NAN;
    let input = write(directory.path(), "x.npy", &npy(HEADER, &le_f32(&values)));
    let run = norm(input.to_str().unwrap(), &output, &["--check"]);
    assert_code(&run, 0);
    assert!(stderr(&run).contains("the first at index 0"), "{}", stderr(&run));
    assert!(read_npy(&output).1[3..].iter().all(|value| value.is_finite()));
}

/// Every refusal leaves an existing output and no temporary file.
#[track_caller]
fn assert_refused(directory: &Path, input: &str, more: &[&str], expected: &str) {
    let output = write(directory, "y.npy", b"precious");
    let before = fs::read_dir(directory).unwrap().count();
    let run = norm(input, output.to_str().unwrap(), more);
    assert_code(&run, 2);
    assert!(
        stderr(&run).contains(expected),
        "{expected:?} is not in {}",
        stderr(&run)
    );
    assert_eq!(fs::read(&output).unwrap(), b"precious");
    assert_eq!(fs::read_dir(directory).unwrap().count(), before);
}

#[test]
fn bad_npy_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let good = npy(HEADER, &le_f32(&X));
    let with = |dictionary: &str| npy(dictionary, &le_f32(&X));
    let mut version = good.clone();
    version[6] = 9;
    let nested = with(&format!("{{'descr': {}", "[".repeat(60_000)));
    let huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296), }";
    for (bytes, expected) in [
        (Vec::new(), "is empty"),
        (b"PK\x03\x04 something else".to_vec(), "not a .npy file"),
        (good[..9].to_vec(), "truncated in the header"),
        (good[..30].to_vec(), "truncated in the header"),
        (good[..good.len() - 5].to_vec(), "truncated"),
        ([good.as_slice(), &[0]].concat(), "too long"),
        (version, "format version 9.0"),
        (nested, "structured elements"),
        (with("nan"), "header"),
        (
            with("{'descr': '<f4', 'fortran_order': False, 'shape': (nan, 3), }"),
            "\"nan\"",
        ),
        (
            with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (3, 2)}"),
            "given twice",
        ),
        (
            with("{'descr': '<f4', 'fortran_order': False, 'shape': (), }"),
            "rank 0",
        ),
        (
            with("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }"),
            "extent",
        ),
        (with(huge), "overflows"),
        (
            with("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296, 4), }"),
            "overflows",
        ),
        (
            with("{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }"),
            "'<c8'".trim_matches('\''),
        ),
        (
            with("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }"),
            "not supported",
        ),
        (
            with("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }"),
            "structured",
        ),
    ] {
        let input = write(directory.path(), "x.npy", &bytes);
        assert_refused(directory.path(), input.to_str().unwrap(), &[], expected);
    }
    assert_refused(
        directory.path(),
        &path(directory.path(), "absent.npy"),
        &[],
        "cannot read",
    );
    assert_refused(
        directory.path(),
        &path(directory.path(), "x.npy:t"),
        &[],
        "one tensor without a name",
    );
    fs::create_dir(directory.path().join("d.npy")).unwrap();
    assert_refused(
        directory.path(),
        &path(directory.path(), "d.npy"),
        &[],
        "not a regular file",
    );
}

#[test]
fn bad_safetensors_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let good = safetensors(&[("x", &[2, 3], &X)]);
    let with = |header: &str, data: &[u8]| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    };
    let data = le_f32(&X);
    let twice = r#"{"x":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#;
    for bytes in [
        Vec::new(),
        good[..4].to_vec(),
        good[..20].to_vec(),
        good[..good.len() - 1].to_vec(),
        [good.as_slice(), &[0]].concat(),
        u64::MAX.to_le_bytes().to_vec(),
        with("NaN", &data),
        with(r#"{"x":{"dtype":"F32","shape":[NaN],"data_offsets":[0,24]}}"#, &data),
        with(r#"{"x":{"dtype":"F32","shape":[7],"data_offsets":[0,24]}}"#, &data),
        with(r#"{"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#, &data[..4]),
        with(r#"{"x":{"dtype":"C64","shape":[3],"data_offsets":[0,24]}}"#, &data),
        with(
            r#"{"x":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,24]}}"#,
            &data,
        ),
        with(
            r#"{"x":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#,
            &[],
        ),
        with(twice, &data),
        with("{}", &[]),
    ] {
        let input = write(directory.path(), "x.safetensors", &bytes);
        assert_refused(directory.path(), input.to_str().unwrap(), &[], "x.safetensors");
    }
}

#[test]
fn bad_arguments_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let input = write(directory.path(), "x.npy", &npy(HEADER, &le_f32(&X)));
    let weight = write(directory.path(), "w.npy", &npy(HEADER, &le_f32(&X)));
    let (input, weight) = (input.to_str().unwrap(), weight.to_str().unwrap());
    for (more, expected) in [
        (vec!["--weight", weight], "weight: has 6 elements"),
        (vec!["--axis", "2"], "out of range"),
        (vec!["--axis", "-3"], "out of range"),
        (vec!["--groups", "2"], "--groups has no meaning"),
        (
            vec!["--running-mean", weight, "--running-var", weight],
            "running statistics",
        ),
        (vec!["--statistics", weight], "a .safetensors file is needed"),
    ] {
        assert_refused(directory.path(), input, &more, expected);
    }
    let output = path(directory.path(), "y.npy");
    for args in [
        vec!["norm", input, "-o", &output, "--op", "group", "--groups", "2"],
        vec!["norm", input, "-o", &output, "--op", "group"],
        vec!["norm", input, "-o", &output, "--op", "layer", "--eps", "nan"],
        vec!["norm", input, "-o", &output, "--op", "zscore", "--axes", "0,0"],
        vec!["norm", input, "-o", &output, "--op", "mvn"],
        vec!["norm", input, "-o", "y.csv", "--op", "layer"],
        vec!["norm", input, "-o", &output, "--op", "median"],
        vec!["plan", "--op", "layer", "--shape", "4,x"],
    ] {
        assert_code(&wgnorm(&args), 2);
    }
}

#[test]
fn unwritable_outputs_are_refused_first() {
    let directory = tempfile::tempdir().unwrap();
    let input = write(directory.path(), "x.npy", &npy(HEADER, &le_f32(&X)));
    let input = input.to_str().unwrap();
    let run = norm(input, &path(directory.path(), "absent/y.npy"), &[]);
    assert_code(&run, 2);
    assert!(stderr(&run).contains("cannot write"), "{}", stderr(&run));
    fs::create_dir(directory.path().join("d.npy")).unwrap();
    assert_code(&norm(input, &path(directory.path(), "d.npy"), &[]), 2);
    let locked = write(directory.path(), "locked.npy", b"precious");
    let mut permissions = fs::metadata(&locked).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&locked, permissions).unwrap();
    assert_code(&norm(input, locked.to_str().unwrap(), &[]), 2);
    assert_eq!(fs::read(&locked).unwrap(), b"precious");
    let json = path(directory.path(), "absent/j.json");
    let output = path(directory.path(), "y.npy");
    assert_code(&norm(input, &output, &["--json", &json]), 2);
    assert!(!Path::new(&output).exists());
}

#[test]
fn every_operation_runs_and_checks() {
    let directory = tempfile::tempdir().unwrap();
    let values: Vec<f32> = (0..48).map(|i| ((i * 37) % 23) as f32 - 7.5).collect();
    let bytes = safetensors(&[
        ("x", &[2, 4, 3, 2], &values),
        ("c", &[4], &[0.5, 1.0, 1.5, 2.0]),
        ("n", &[2], &[0.5, 1.0]),
    ]);
    let file = write(directory.path(), "x.safetensors", &bytes);
    let file = file.to_str().unwrap();
    let (x, c, n) = (format!("{file}:x"), format!("{file}:c"), format!("{file}:n"));
    let output = path(directory.path(), "y.npy");
    for more in [
        vec!["layer", "--axis", "-2"],
        vec!["rms", "--axis", "1"],
        vec!["batch", "--weight", &c, "--bias", &c],
        vec!["batch", "--running-mean", &c, "--running-var", &c],
        vec!["instance", "--layout", "nhwc", "--weight", &n],
        vec!["group", "--groups", "2", "--weight", &n, "--affine", "group"],
        vec!["zscore", "--axes", "0,-1", "--ddof", "1"],
        vec!["mvn", "--preset", "onnx"],
    ] {
        let mut args = vec!["norm", &x, "-o", &output, "--check", "--op"];
        args.extend(&more);
        let run = wgnorm(&args);
        assert_code(&run, 0);
        assert!(String::from_utf8_lossy(&run.stdout).contains("passed"), "{more:?}");
    }
}

#[test]
fn any_axes_norms_and_windows() {
    let directory = tempfile::tempdir().unwrap();
    let values: Vec<f32> = (0..48).map(|i| ((i * 29) % 17) as f32 - 5.0).collect();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 6, 4), }";
    write(directory.path(), "x.npy", &npy(header, &le_f32(&values)));
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }";
    write(directory.path(), "w.npy", &npy(header, &le_f32(&values[..6])));
    let [x, w, y] = ["x.npy", "w.npy", "y.npy"].map(|name| path(directory.path(), name));
    let run = |flags: &str| {
        let flags = flags.replace('@', &w);
        let args = ["norm", &x, "-o", &y, "--check"].into_iter().chain(flags.split(' '));
        wgnorm(&args.collect::<Vec<_>>())
    };
    for flags in [
        "--op layer --axes 0,2",
        "--op rms --axes -2 --weight @",
        "--op layer --axis 1 --weight @ --weight-axes 1",
        "--op lp",
        "--op lp --axes 1,2 --p 3",
        "--op lp --p inf --preset onnx",
        "--op lp --p 1 --zero-norm zero",
        "--op lrn --size 5",
        "--op lrn --size 2 --alpha 0.5 --beta 1 --k 2 --preset onnx",
    ] {
        assert_code(&run(flags), 0);
    }
    // The length of the last row of the first sample is 1.
    assert_code(&run("--op lp"), 0);
    let row: f32 = read_npy(&y).1[20..24].iter().map(|y| y * y).sum();
    assert!((row - 1.0).abs() < 1e-6, "{row}");
    for flags in [
        "--op layer --axis 1 --axes 1",
        "--op layer --axes 3",
        "--op layer --axes 1,1",
        "--op lp --p 0",
        "--op lp --size 3",
        "--op lrn",
        "--op lrn --size 0",
        "--op lrn --size 3 --axes 1",
        "--op batch --axes 1",
        "--op rms --weight @ --weight-axes 2",
        "--op rms --weight-axes 7",
    ] {
        assert_code(&run(flags), 2);
    }
}
