//! Named arrays of numbers in .npz files.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy::header;
use super::output::npy_header;

/// An array of a .npz file, the last axis innermost. Of a scalar the shape is empty.
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// An open .npz file.
pub struct Npz<'a>(ZipArchive<Cursor<&'a [u8]>>);

impl<'a> Npz<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let archive = ZipArchive::new(Cursor::new(bytes));
        archive.map(Self).map_err(|error| format!("not a .npz file: {error}"))
    }

    /// The names of the arrays.
    pub fn names(&self) -> Vec<String> {
        let names = self.0.file_names();
        names
            .flatten()
            .map(|name| name.strip_suffix(".npy").unwrap_or(&name).to_owned())
            .collect()
    }

    /// The array of a name, if there is one.
    pub fn get(&mut self, name: &str) -> Result<Option<Array>, String> {
        let refuse = |what: String| format!("{name}: {what}");
        let Some(place) = self.0.index_for_name(&format!("{name}.npy")) else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let mut file = self.0.by_index(place).map_err(|error| refuse(error.to_string()))?;
        file.read_to_end(&mut bytes)
            .map_err(|error| refuse(error.to_string()))?;
        let (header, data) = header(&bytes).map_err(refuse)?;
        let elements = header
            .shape
            .iter()
            .try_fold(1usize, |all, &extent| all.checked_mul(extent));
        if elements.and_then(|elements| elements.checked_mul(header.element.width())) != Some(data.len()) {
            return Err(refuse(format!(
                "{} bytes of data for shape {:?}",
                data.len(),
                header.shape
            )));
        }
        let values = header.element.to_f64(data, header.endian);
        let values = match header.shape[..] {
            [rows, columns] if header.fortran => {
                let row = |row| (0..columns).map(move |column| column * rows + row);
                (0..rows).flat_map(row).map(|place| values[place]).collect()
            }
            [_, _, _, ..] if header.fortran => return Err(refuse("is of Fortran's order and over two axes".into())),
            _ => values,
        };
        Ok(Some(Array {
            values,
            shape: header.shape,
        }))
    }
}

/// A .npz file of float64 arrays, as `numpy.savez` writes it.
pub fn npz(arrays: &[(&str, Array)]) -> Result<Vec<u8>, String> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, array) in arrays {
        let started = writer.start_file(format!("{name}.npy"), options);
        started.map_err(|error| error.to_string())?;
        let mut bytes = npy_header("<f8", &array.shape);
        bytes.extend(array.values.iter().flat_map(|value| value.to_le_bytes()));
        writer.write_all(&bytes).map_err(|error| error.to_string())?;
    }
    Ok(writer.finish().map_err(|error| error.to_string())?.into_inner())
}
