//! `wgnorm transform` of images: a folder and parameters in, a tensor out.

use std::io::Write;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use clap::ValueEnum;
use serde_json::json;

use crate::console::say;
use crate::device::DeviceArgs;
use crate::failure::{Failure, Result};
use crate::files::{Output, Stream, npy_header};
use crate::progress::Progress;
use crate::scaling::{Application, Direction, Parameters};
use crate::table::{Images, Table};

/// The order of the axes.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axes {
    Nchw,
    Nhwc,
}

/// Scales images into one float32 tensor.
pub fn run(
    path: &Path,
    parameters: &Parameters,
    axes: Axes,
    device: &DeviceArgs,
    output: Output,
    json: Option<Output>,
) -> Result<()> {
    let images = Images::open(path)?;
    let (files, height, width) = images.alike()?;
    let channels = images.columns().len();
    let shape = match axes {
        Axes::Nchw => [files.len(), channels, height, width],
        Axes::Nhwc => [files.len(), height, width, channels],
    };
    let mut application = Application::new(&images, parameters, Direction::Forward)?.on(device)?;
    let target = output.path().to_owned();
    let mut stream = begin(output, &shape)?;
    let mut progress = Progress::new(path.display().to_string(), images.bytes());
    // By channel: the pixels of the image so far.
    let mut pixels: Vec<Vec<f32>> = vec![Vec::with_capacity(height * width); channels];
    let table: &dyn Table = &images;
    for chunk in table.read_ahead(&application.wants(), &progress.read)? {
        let chunk = chunk?;
        for (pixels, array) in pixels.iter_mut().zip(application.apply(&chunk)?) {
            pixels.extend_from_slice(array.as_primitive::<Float32Type>().values());
        }
        progress.advance(chunk.rows);
        if pixels[0].len() == height * width {
            let bytes = match axes {
                Axes::Nchw => pixels
                    .concat()
                    .into_iter()
                    .flat_map(f32::to_le_bytes)
                    .collect::<Vec<u8>>(),
                Axes::Nhwc => (0..height * width)
                    .flat_map(|i| pixels.iter().flat_map(move |pixels| pixels[i].to_le_bytes()))
                    .collect(),
            };
            stream.write_all(&bytes).map_err(|error| stream.refusal(error))?;
            pixels.iter_mut().for_each(Vec::clear);
        }
    }
    drop(progress);
    if let Some(json) = json {
        let names: Vec<_> = files
            .iter()
            .filter_map(|file| file.file_name())
            .map(|name| name.to_string_lossy())
            .collect();
        json.save_json(&json!({ "shape": shape, "images": names }))?;
    }
    stream.finish()?;
    say!("{} images to {}, {shape:?} float32", files.len(), target.display());
    Ok(())
}

/// A file of one float32 tensor, whose elements are still to be written.
fn begin(output: Output, shape: &[usize]) -> Result<Stream> {
    let path = output.path();
    let header = match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => npy_header("<f4", shape),
        Some("safetensors") => safetensors_header(shape),
        _ => {
            let message = format!("{}: images become .npy or .safetensors", path.display());
            return Err(Failure::Input(message));
        }
    };
    let mut stream = output.stream()?;
    stream.write_all(&header).map_err(|error| stream.refusal(error))?;
    Ok(stream)
}

/// What stands before the elements of the tensor "x". The library that reads the format writes it from memory only.
fn safetensors_header(shape: &[usize]) -> Vec<u8> {
    let bytes = shape.iter().product::<usize>() * 4;
    let mut text = json!({ "x": { "dtype": "F32", "shape": shape, "data_offsets": [0, bytes] } }).to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}
