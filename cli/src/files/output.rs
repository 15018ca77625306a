//! Writing: into a temporary file beside the target, renamed when complete, so that an existing file survives failures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use tempfile::NamedTempFile;

use super::{Format, TensorPath};
use crate::failure::{Failure, Result};

/// A place to write to, known to be writable, with nothing in it until [`Output::save`].
pub struct Output {
    path: PathBuf,
    file: NamedTempFile,
}

/// Values of a tensor to be written.
pub enum Contents {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Contents {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

impl Output {
    /// Refuses a path that cannot be written, before any work is done.
    pub fn create(path: &Path) -> Result<Self> {
        let refuse = |reason: String| Failure::Input(format!("cannot write {}: {reason}", path.display()));
        // Through a symbolic link the file behind it is replaced, not the link.
        let path_behind = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Ok(metadata) = fs::metadata(&path_behind) {
            if !metadata.is_file() {
                return Err(refuse("it exists and is not a regular file".into()));
            }
            if metadata.permissions().readonly() {
                return Err(refuse("the existing file is read-only".into()));
            }
        }
        let directory = match path_behind.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if path_behind.file_name().is_none() {
            return Err(refuse("it names no file".into()));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".wgnorm-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are private by default; this one becomes an ordinary file, less the umask.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(directory)
            .map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            path: path_behind,
            file,
        })
    }

    /// Writes `bytes` and puts the file in place.
    pub fn save(self, bytes: &[u8]) -> Result<()> {
        let Self { path, mut file } = self;
        let refuse = |error: std::io::Error| Failure::Input(format!("cannot write {}: {error}", path.display()));
        let mut writer = BufWriter::new(file.as_file_mut());
        writer.write_all(bytes).map_err(refuse)?;
        writer.flush().map_err(refuse)?;
        drop(writer);
        file.persist(&path).map_err(|error| refuse(error.error))?;
        Ok(())
    }

    /// Writes one tensor in the format of `target`, under `name` where the format has names.
    pub fn save_tensor(self, target: &TensorPath, name: &str, shape: &[usize], values: Vec<f32>) -> Result<()> {
        match target.format {
            Format::Npy => self.save(&npy(shape, &values)),
            Format::Safetensors => self.save_tensors(vec![(name.to_owned(), shape.to_vec(), Contents::F32(values))]),
        }
    }

    /// Writes a .safetensors file.
    pub fn save_tensors(self, tensors: Vec<(String, Vec<usize>, Contents)>) -> Result<()> {
        let bytes: Vec<_> = tensors.iter().map(|(.., contents)| contents.bytes()).collect();
        let mut views = BTreeMap::new();
        for ((name, shape, contents), bytes) in tensors.iter().zip(&bytes) {
            let view = TensorView::new(contents.dtype(), shape.clone(), bytes)
                .map_err(|error| Failure::Input(format!("tensor {name:?}: {error}")))?;
            views.insert(name.as_str(), view);
        }
        let file = safetensors::serialize(views, None).map_err(|error| Failure::Input(error.to_string()))?;
        self.save(&file)
    }

    /// Writes a value as indented JSON.
    pub fn save_json(self, value: &impl serde::Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| Failure::Input(error.to_string()))?;
        text.push(b'\n');
        self.save(&text)
    }
}

/// A version 1.0 file whose data starts at a multiple of 64 bytes, as NumPy writes it.
fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let shape = if shape.len() == 1 {
        extents.trim_end()
    } else {
        extents.trim_end_matches(", ")
    };
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    const PREFIX: usize = 10;
    let length = (PREFIX + header.len() + 1).next_multiple_of(64) - PREFIX;
    header = format!("{header:<width$}\n", width = length - 1);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // MAX_RANK extents of 20 digits are far below 65,536 characters.
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}
