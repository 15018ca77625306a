//! Writing: into a temporary file beside the target, renamed when complete, so that an existing file survives failures.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use tempfile::NamedTempFile;

use super::Format;
use crate::failure::{Failure, Result};

/// A place to write to, which could be written when it was made, and is not before [`Output::save`].
pub struct Output(PathBuf);

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
        let output = behind(path).and_then(|path| temporary(&path).map(|_| Self(path)));
        output.map_err(|reason| refusal(path, &reason))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Refuses to be a file that is still needed.
    pub fn refuse_replacing<P: AsRef<Path>>(&self, needed: impl IntoIterator<Item = P>) -> Result<()> {
        let same = |path: P| behind(path.as_ref()).is_ok_and(|path| path == self.0);
        if needed.into_iter().any(same) {
            return Err(refusal(
                &self.0,
                "an input or another output of the command would be lost",
            ));
        }
        Ok(())
    }

    /// Writes `bytes` and puts the file in place.
    pub fn save(self, bytes: &[u8]) -> Result<()> {
        let mut stream = self.stream()?;
        stream.write_all(bytes).map_err(|error| stream.refusal(error))?;
        stream.finish()
    }

    /// Starts to write what is not in memory as a whole.
    pub fn stream(self) -> Result<Stream> {
        let Self(path) = self;
        let file = temporary(&path).map_err(|reason| refusal(&path, &reason))?;
        Ok(Stream {
            file: BufWriter::with_capacity(1 << 18, file),
            path,
        })
    }

    /// Writes one tensor, under `name` where the format has names.
    pub fn save_tensor(self, format: Format, name: &str, shape: &[usize], values: Vec<f32>) -> Result<()> {
        match format {
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

/// A file in the making, under another name until it is [finished](Stream::finish); dropped before, it is removed.
pub struct Stream {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Stream {
    /// Puts the file in place.
    pub fn finish(self) -> Result<()> {
        let Self { file, path } = self;
        let refuse = |error: io::Error| refusal(&path, &reason(error));
        let file = file.into_inner().map_err(|error| refuse(error.into_error()))?;
        // Some file systems tell only here that they are full, and the old file must not be gone by then.
        file.as_file().sync_all().map_err(refuse)?;
        file.persist(&path).map_err(|error| refuse(error.error))?;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why something could not be written here.
    pub fn refusal(&self, error: io::Error) -> Failure {
        refusal(&self.path, &reason(error))
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Stream {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// What went wrong, without the name of the temporary file that tempfile adds and the user does not know.
fn reason(error: io::Error) -> String {
    io::Error::from(error.kind()).to_string()
}

fn refusal(path: &Path, reason: &str) -> Failure {
    Failure::Input(format!("cannot write {}: {reason}", path.display()))
}

/// A file beside `path`, with the permissions of the one that it is to replace.
fn temporary(path: &Path) -> Result<NamedTempFile, String> {
    let existing = fs::metadata(path).ok();
    if let Some(metadata) = &existing {
        if !metadata.is_file() {
            return Err("it exists and is not a regular file".into());
        }
        if metadata.permissions().readonly() {
            return Err("the existing file is read-only".into());
        }
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".wgnorm-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; a new output becomes an ordinary file, less the umask.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let directory = path.parent().unwrap_or(path);
    let file = builder.tempfile_in(directory).map_err(reason)?;
    if let Some(metadata) = existing {
        file.as_file().set_permissions(metadata.permissions()).map_err(reason)?;
    }
    Ok(file)
}

/// The absolute path that writing to `path` would write: through symbolic links the file behind them is replaced.
fn behind(path: &Path) -> Result<PathBuf, String> {
    if let Ok(path) = fs::canonicalize(path) {
        return Ok(path);
    }
    let name = path.file_name().ok_or("it names no file")?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = fs::canonicalize(directory).map_err(|error| format!("its directory: {}", reason(error)))?;
    Ok(directory.join(name))
}

/// A version 1.0 file whose data starts at a multiple of 64 bytes, as NumPy writes it.
fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut bytes = npy_header("<f4", shape);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// What stands before the data of a .npy file. `descr` is NumPy's name of the type.
pub fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let shape = if shape.len() == 1 {
        extents.trim_end()
    } else {
        extents.trim_end_matches(", ")
    };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    const PREFIX: usize = 10;
    let length = (PREFIX + header.len() + 1).next_multiple_of(64) - PREFIX;
    header = format!("{header:<width$}\n", width = length - 1);
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    // MAX_RANK extents of 20 digits are far below 65,536 characters.
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes
}
