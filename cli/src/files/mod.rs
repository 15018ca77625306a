//! Tensors in and out of files: `.npy` and `.safetensors`, as `FILE[:TENSOR]`.

mod convert;
mod npy;
mod npz;
mod output;
mod safetensors;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use convert::{Element, Endian};
pub use npy::{Header, header};
pub use npz::{Array, Npz, npz};
pub use output::{Contents, Output, Stream, npy_header};

use crate::console;
use crate::failure::{Failure, Result};

/// A file format, told by the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Npy,
    Safetensors,
}

/// `FILE[:TENSOR]` on the command line.
#[derive(Debug, Clone)]
pub struct TensorPath {
    pub path: PathBuf,
    pub tensor: Option<String>,
    pub format: Format,
}

/// A dense row-major f32 tensor, and where it came from.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Its name in a .safetensors file.
    pub name: Option<String>,
    /// Names of the other tensors in the same file.
    pub others: Vec<String>,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
    /// What was changed on the way: converted types and orders.
    pub notes: Vec<String>,
}

/// A tensor of a .safetensors file in f64.
#[derive(Debug)]
pub struct Stored {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

const EXTENSIONS: [(&str, Format); 2] = [(".safetensors", Format::Safetensors), (".npy", Format::Npy)];

impl FromStr for TensorPath {
    type Err = String;

    /// Splits at the colon after the extension, so that drive letters and colons in tensor names survive.
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        for (extension, format) in EXTENSIONS {
            if lower.ends_with(extension) {
                return Ok(Self {
                    path: text.into(),
                    tensor: None,
                    format,
                });
            }
            if let Some(at) = lower.find(&format!("{extension}:")) {
                let colon = at + extension.len();
                return Ok(Self {
                    path: text[..colon].into(),
                    tensor: Some(text[colon + 1..].into()),
                    format,
                });
            }
        }
        Err("FILE.npy or FILE.safetensors[:TENSOR] is needed".into())
    }
}

impl fmt::Display for TensorPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.tensor {
            Some(tensor) => write!(f, ":{tensor}"),
            None => Ok(()),
        }
    }
}

impl TensorPath {
    /// Reads the tensor as f32; conversions are told on stderr as `role: note`.
    pub fn read(&self, role: &str) -> Result<Tensor> {
        let bytes = read_bytes(&self.path)?;
        let tensor = match (self.format, &self.tensor) {
            (Format::Npy, None) => npy::parse(&bytes),
            (Format::Npy, Some(_)) => Err("a .npy file holds one tensor without a name; drop the :TENSOR".into()),
            (Format::Safetensors, name) => safetensors::parse(&bytes, name.as_deref()),
        };
        let tensor = tensor.map_err(|message| Failure::Input(format!("{self}: {message}")))?;
        for note in &tensor.notes {
            console::note("note", &format!("{role}: {note}"));
        }
        Ok(tensor)
    }
}

/// All tensors of a .safetensors file as f64, which holds f32 exactly.
pub fn read_all(path: &Path) -> Result<Vec<Stored>> {
    let bytes = read_bytes(path)?;
    safetensors::parse_all(&bytes).map_err(|message| Failure::Input(format!("{}: {message}", path.display())))
}

pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let failure = |error: std::io::Error| Failure::Input(format!("cannot read {}: {error}", path.display()));
    // Before it is opened: opening a named pipe waits for a writer.
    if !fs::metadata(path).map_err(failure)?.is_file() {
        return Err(Failure::Input(format!("{} is not a regular file", path.display())));
    }
    fs::read(path).map_err(failure)
}

/// Bytes of a tensor of `shape`, checked: a rank, and a product that fits.
fn checked_bytes(shape: &[usize], width: usize) -> Result<usize, String> {
    if shape.is_empty() {
        return Err("is a scalar (rank 0), a tensor of at least rank 1 is needed".into());
    }
    let nonzero = shape.iter().map(|&extent| extent.max(1));
    let total = nonzero.chain([width]).try_fold(1usize, |a, b| a.checked_mul(b));
    match total.filter(|&total| total <= isize::MAX as usize) {
        Some(_) if shape.contains(&0) => Ok(0),
        Some(total) => Ok(total),
        None => Err(format!("the shape {shape:?} overflows")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_name_follows_the_extension() {
        let path: TensorPath = "C:\\a.safetensors:model:0.weight".parse().unwrap();
        assert_eq!(path.path, PathBuf::from("C:\\a.safetensors"));
        assert_eq!(path.tensor.as_deref(), Some("model:0.weight"));
        assert!("a.csv".parse::<TensorPath>().is_err());
    }

    #[test]
    fn overflowing_shapes_are_refused_even_when_empty() {
        assert!(checked_bytes(&[1 << 40, 1 << 40], 4).is_err());
        assert!(checked_bytes(&[0, 1 << 40, 1 << 40], 4).is_err());
        assert_eq!(checked_bytes(&[0, 3], 4), Ok(0));
        assert!(checked_bytes(&[], 4).is_err());
    }
}
