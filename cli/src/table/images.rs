//! Images as a table: a row for every pixel, a column for every channel. Values are shares of the largest that the file
//! can hold, 0 to 1 in f32, as frameworks have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array};
use arrow_schema::DataType;
use image::DynamicImage;

use super::{Chunk, Chunks, Column, Counter, Shape, Table, Want, chunk_rows, failure};
use crate::failure::Result;

const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The images of a folder, in the order of their names, or one image.
pub struct Images {
    shape: Shape,
    files: Vec<PathBuf>,
    bytes: u64,
}

/// Whether a path is that of an image or of a folder.
pub fn are_images(path: &Path) -> bool {
    path.is_dir() || is_image(path)
}

fn is_image(path: &Path) -> bool {
    let extension = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    EXTENSIONS.contains(&&*extension)
}

impl Images {
    pub fn open(path: &Path) -> Result<Self> {
        let cannot = |error: std::io::Error| failure(path, error.to_string());
        let mut files = vec![path.to_owned()];
        if path.is_dir() {
            let entries = fs::read_dir(path)
                .map_err(cannot)?
                .map(|entry| entry.map(|entry| entry.path()));
            files = entries.collect::<std::io::Result<_>>().map_err(cannot)?;
            files.retain(|file| is_image(file));
            files.sort_unstable();
        }
        let Some(first) = files.first() else {
            return Err(failure(path, "holds no .png, .jpg or .jpeg"));
        };
        let mut bytes = 0;
        for file in &files {
            bytes += fs::metadata(file)
                .map_err(|error| failure(file, error.to_string()))?
                .len();
        }
        let Pixels { channels, .. } = Pixels::read(first)?;
        let names: &[&str] = match channels {
            1 => &["gray"],
            2 => &["gray", "a"],
            3 => &["r", "g", "b"],
            _ => &["r", "g", "b", "a"],
        };
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            data_type: DataType::Float32,
        };
        Ok(Self {
            shape: Shape {
                path: path.to_owned(),
                columns: names.iter().map(column).collect(),
            },
            files,
            bytes,
        })
    }

    /// The images, and the height and width that they have to have in common.
    pub fn alike(&self) -> Result<(&[PathBuf], usize, usize)> {
        let size = |file: &PathBuf| image::image_dimensions(file).map_err(|error| failure(file, error.to_string()));
        let first = size(&self.files[0])?;
        for file in &self.files[1..] {
            let other = size(file)?;
            if other != first {
                return Err(failure(
                    file,
                    format!(
                        "is {} x {} pixels, {} is {} x {}: the images of one tensor are of one size",
                        other.0,
                        other.1,
                        self.files[0].display(),
                        first.0,
                        first.1
                    ),
                ));
            }
        }
        Ok((&self.files, first.1 as usize, first.0 as usize))
    }
}

impl Table for Images {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    /// No chunk has pixels of two images.
    fn read(&self, wants: &[Want], read: &Counter) -> Result<Chunks> {
        let (shape, wants, read) = (self.shape.clone(), wants.to_vec(), read.clone());
        let mut first_row = 1;
        let image = move |file: PathBuf| -> Vec<Result<Chunk>> {
            match chunks(&shape, &file, &wants, &mut first_row) {
                Ok(chunks) => {
                    read.add(fs::metadata(&file).map_or(0, |metadata| metadata.len()));
                    chunks.into_iter().map(Ok).collect()
                }
                Err(error) => vec![Err(error)],
            }
        };
        Ok(Box::new(self.files.clone().into_iter().flat_map(image)))
    }
}

fn chunks(shape: &Shape, file: &Path, wants: &[Want], first_row: &mut u64) -> Result<Vec<Chunk>> {
    let pixels = Pixels::read(file)?;
    let channels = shape.columns.len();
    if pixels.channels != channels {
        return Err(failure(
            file,
            format!("has {} channels, the images before have {channels}", pixels.channels),
        ));
    }
    let rows = chunk_rows(channels);
    let chunk = |values: &[f32]| {
        let column = |(i, want): (usize, &Want)| -> Option<ArrayRef> {
            let values = values.iter().skip(i).step_by(channels).copied();
            Some(match want {
                Want::Nothing => return None,
                Want::Numbers => Arc::new(Float64Array::from_iter_values(values.map(f64::from))),
                Want::AsIs => Arc::new(Float32Array::from_iter_values(values)),
            })
        };
        let rows = values.len() / channels;
        let chunk = Chunk {
            first_row: *first_row,
            rows,
            columns: wants.iter().enumerate().map(column).collect(),
        };
        *first_row += rows as u64;
        chunk
    };
    Ok(pixels.values.chunks(rows * channels).map(chunk).collect())
}

/// A decoded image.
struct Pixels {
    channels: usize,
    /// 0 to 1, the channels of a pixel beside each other.
    values: Vec<f32>,
}

impl Pixels {
    fn read(file: &Path) -> Result<Self> {
        let image = image::open(file).map_err(|error| failure(file, format!("cannot be read: {error}")))?;
        let channels = usize::from(image.color().channel_count());
        let narrow = |samples: Vec<u8>| samples.into_iter().map(|sample| f32::from(sample) / 255.0).collect();
        let wide = |samples: Vec<u16>| samples.into_iter().map(|sample| f32::from(sample) / 65535.0).collect();
        let values = match image {
            DynamicImage::ImageLuma8(image) => narrow(image.into_raw()),
            DynamicImage::ImageLumaA8(image) => narrow(image.into_raw()),
            DynamicImage::ImageRgb8(image) => narrow(image.into_raw()),
            DynamicImage::ImageRgba8(image) => narrow(image.into_raw()),
            DynamicImage::ImageLuma16(image) => wide(image.into_raw()),
            DynamicImage::ImageLumaA16(image) => wide(image.into_raw()),
            DynamicImage::ImageRgb16(image) => wide(image.into_raw()),
            DynamicImage::ImageRgba16(image) => wide(image.into_raw()),
            other => {
                return Err(failure(
                    file,
                    format!("has pixels of {:?}, 8 or 16 bits are needed", other.color()),
                ));
            }
        };
        Ok(Self { channels, values })
    }
}
