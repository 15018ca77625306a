//! The data: 1,797 handwritten digits of 8×8 pixels, in the program itself. README.md says where they come from.

use std::io::{self, Read};

use fastrand::Rng;
use flate2::read::GzDecoder;

/// A line of names, then a line an image: 64 numbers from 0 (white) to 16, and the digit.
const TABLE: &[u8] = include_bytes!("digits.csv.gz");

pub const PIXELS: usize = 64;
pub const CLASSES: usize = 10;
/// Images to train on: a multiple of the batch. The other 389 are to test with.
pub const TRAINING: usize = 1408;

/// Images and what they show.
pub struct Digits {
    /// [`PIXELS`] an image, from 0 to 1.
    pub pixels: Vec<f32>,
    pub labels: Vec<u32>,
}

impl Digits {
    /// The images to train on, and those to test with: the same ones at every call, drawn from the whole, since the
    /// file goes writer by writer.
    pub fn load() -> io::Result<(Self, Self)> {
        let mut table = String::new();
        GzDecoder::new(TABLE).read_to_string(&mut table)?;
        let bad = |line: &str| io::Error::new(io::ErrorKind::InvalidData, format!("no image: {line:?}"));
        let mut all = Self {
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        for line in table.lines().skip(1) {
            let numbers = line.split(',').map(str::parse::<u8>).collect::<Result<Vec<_>, _>>();
            match numbers.as_deref() {
                Ok([pixels @ .., label]) if pixels.len() == PIXELS && usize::from(*label) < CLASSES => {
                    all.pixels.extend(pixels.iter().map(|&pixel| f32::from(pixel) / 16.0));
                    all.labels.push(u32::from(*label));
                }
                _ => return Err(bad(line)),
            }
        }
        let mut training = all.shuffled(&mut Rng::with_seed(0));
        let test = Self {
            pixels: training.pixels.split_off(TRAINING * PIXELS),
            labels: training.labels.split_off(TRAINING),
        };
        Ok((training, test))
    }

    /// The same images in another order.
    pub fn shuffled(&self, rng: &mut Rng) -> Self {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        rng.shuffle(&mut order);
        Self {
            pixels: (order.iter())
                .flat_map(|&i| &self.pixels[i * PIXELS..(i + 1) * PIXELS])
                .copied()
                .collect(),
            labels: order.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// A number from the normal distribution (Box and Muller 1958).
pub fn normal(rng: &mut Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    (radius * (rng.f64() * std::f64::consts::TAU).cos()) as f32
}
