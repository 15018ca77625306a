//! Ordinary and hostile values, from a seeded generator.

use std::f32::consts::TAU;

use fastrand::Rng;

/// A way to fill x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Values {
    /// Normal, mean 0, standard deviation 1.
    Normal,
    /// 1e6 and uniformly up to 1 more or less: squares lose the variance.
    FarMean,
    /// 1234.1 throughout, which f32 rounds: y must be exactly bias.
    Constant,
    /// 1e30 throughout: squares overflow.
    HugeConstant,
    /// 0 throughout.
    Zeros,
    /// Normal, but the first element is 1e6: a bad pivot.
    Outlier,
    /// 1e30 and -1e30 in turn: squares overflow, sums cancel.
    Alternating,
    /// Uniform between -3e38 and 3e38: sums and differences overflow too.
    NearMax,
    /// Normal times 1e-20: squares underflow.
    Tiny,
    /// Normal times 1e-39: subnormals, which an adapter may flush.
    Subnormal,
    /// Normal, with a NaN in the middle: one segment is lost, the others must not be.
    OneNan,
    /// Normal, with +inf in the middle.
    OneInfinity,
    /// Normal, with +inf and -inf in the middle.
    TwoInfinities,
    /// 0, 1, 2, ...: partial sums that grow.
    Ramp,
}

impl Values {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Normal,
        Self::FarMean,
        Self::Constant,
        Self::HugeConstant,
        Self::Zeros,
        Self::Outlier,
        Self::Alternating,
        Self::NearMax,
        Self::Tiny,
        Self::Subnormal,
        Self::OneNan,
        Self::OneInfinity,
        Self::TwoInfinities,
        Self::Ramp,
    ];

    /// The name used in case identifiers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::FarMean => "far-mean",
            Self::Constant => "constant",
            Self::HugeConstant => "huge-constant",
            Self::Zeros => "zeros",
            Self::Outlier => "outlier",
            Self::Alternating => "alternating",
            Self::NearMax => "near-max",
            Self::Tiny => "tiny",
            Self::Subnormal => "subnormal",
            Self::OneNan => "one-nan",
            Self::OneInfinity => "one-infinity",
            Self::TwoInfinities => "two-infinities",
            Self::Ramp => "ramp",
        }
    }

    /// `len` values, always the same for the same `seed`.
    pub fn fill(self, len: usize, seed: u64) -> Vec<f32> {
        let mut rng = Rng::with_seed(seed);
        let normals = |rng: &mut Rng, scale: f32| -> Vec<f32> { (0..len).map(|_| normal(rng) * scale).collect() };
        let with = |mut values: Vec<f32>, at: usize, special: &[f32]| {
            for (value, &special) in values.iter_mut().skip(at).zip(special) {
                *value = special;
            }
            values
        };
        let middle = len / 2;
        match self {
            Self::Normal => normals(&mut rng, 1.0),
            Self::FarMean => (0..len).map(|_| 1e6 + uniform(&mut rng)).collect(),
            Self::Constant => vec![1234.1; len],
            Self::HugeConstant => vec![1e30; len],
            Self::Zeros => vec![0.0; len],
            Self::Outlier => with(normals(&mut rng, 1.0), 0, &[1e6]),
            Self::Alternating => (0..len).map(|i| if i % 2 == 0 { 1e30 } else { -1e30 }).collect(),
            Self::NearMax => (0..len).map(|_| 3e38 * uniform(&mut rng)).collect(),
            Self::Tiny => normals(&mut rng, 1e-20),
            Self::Subnormal => normals(&mut rng, 1e-39),
            Self::OneNan => with(normals(&mut rng, 1.0), middle, &[f32::NAN]),
            Self::OneInfinity => with(normals(&mut rng, 1.0), middle, &[f32::INFINITY]),
            Self::TwoInfinities => with(normals(&mut rng, 1.0), middle, &[f32::INFINITY, f32::NEG_INFINITY]),
            Self::Ramp => (0..len).map(|i| i as f32).collect(),
        }
    }
}

/// Uniform between -1 and 1.
pub(super) fn uniform(rng: &mut Rng) -> f32 {
    2.0 * rng.f32() - 1.0
}

/// Standard normal (Box and Muller).
pub(super) fn normal(rng: &mut Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.f32()).ln()).sqrt();
    radius * (TAU * rng.f32()).cos()
}
