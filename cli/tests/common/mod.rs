//! Running the program and making files for it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::tensor::{Dtype, TensorView};

/// Runs the program on the CPU path, so that no adapter is needed.
pub fn wgnorm(args: &[&str]) -> Output {
    on_device("cpu", args)
}

/// Runs the program on the adapter of a name, or on the CPU path.
pub fn on_device(device: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    command.args(["--device", device]).args(args);
    command.output().expect("the program starts")
}

/// Runs the program on the default adapter, or on the one that `WGNORM_ADAPTER` names.
#[track_caller]
pub fn on_adapter(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgnorm"));
    command.args(args);
    if let Ok(name) = std::env::var("WGNORM_ADAPTER") {
        command.args(["--device", &name]);
    }
    let run = command.output().expect("the program starts");
    assert_ne!(
        run.status.code(),
        Some(3),
        "no adapter: run the tests through scripts/with-adapter, which installs a software Vulkan driver ({})",
        stderr(&run)
    );
    run
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts the exit code and that no thread panicked.
#[track_caller]
pub fn assert_code(output: &Output, code: i32) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    if code != 0 {
        assert!(text.contains("error: "), "{text}");
    }
}

pub fn path(directory: &Path, name: &str) -> String {
    directory
        .join(name)
        .to_str()
        .expect("temporary paths are text")
        .to_owned()
}

/// A .npy file from the header's dictionary and the data.
pub fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

pub fn le_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, bytes).expect("the temporary directory is writable");
    path
}

/// A .safetensors file of f32 tensors.
pub fn safetensors(tensors: &[(&str, &[usize], &[f32])]) -> Vec<u8> {
    let data: Vec<_> = tensors.iter().map(|(.., values)| le_f32(values)).collect();
    let views = tensors.iter().zip(&data).map(|((name, shape, _), data)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), data).expect("shape and data agree");
        (*name, view)
    });
    safetensors::serialize(views, None).expect("serializable")
}

/// Shape and values of a .npy file, by a reader that is not the program's own.
pub fn read_npy(file: &str) -> (Vec<usize>, Vec<f32>) {
    let bytes = fs::read(file).expect("the file was written");
    let file = npyz::NpyFile::new(&bytes[..]).expect("a .npy file");
    let shape = file.shape().iter().map(|&extent| extent as usize).collect();
    (shape, file.into_vec().expect("f32 values"))
}
