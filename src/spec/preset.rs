//! Defaults and conventions of the frameworks, in one table.

/// Defaults and conventions of a framework. A preset never changes an algorithm or a layout.
///
/// | | PyTorch | ONNX | Keras | Flax |
/// |---|---|---|---|---|
/// | eps of batch norm | 1e-5 | 1e-5 | 1e-3 | 1e-5 |
/// | eps of layer norm | 1e-5 | 1e-5 | 1e-3 | 1e-6 |
/// | eps of group and instance norm | 1e-5 | 1e-5 | 1e-3 | 1e-6 |
/// | eps of RMS norm | 2^-23 | 1e-5 | 1e-6 | 1e-6 |
/// | running update, m = momentum | (1-m) old + m new | m old + (1-m) new | m old + (1-m) new | m old + (1-m) new |
/// | default momentum | 0.1 | 0.9 | 0.99 | 0.99 |
/// | running variance | unbiased, n/(n-1) | biased | biased | biased |
/// | training with one value per channel | refused | allowed | allowed | allowed |
/// | negative eps | allowed | refused | refused | refused |
///
/// Sources: the documentation of `torch.nn.*Norm` (2.x; `RMSNorm(eps=None)` means the machine epsilon of f32),
/// the ONNX operator specifications BatchNormalization-15, LayerNormalization-17, GroupNormalization-21,
/// InstanceNormalization-22 and RMSNormalization-23, `keras.layers.*Normalization` (Keras 3) and
/// `flax.linen.*Norm`. Affine per group, as GroupNormalization-18 has it, is a setting of
/// [`GroupNorm`](crate::GroupNorm); the z-score and mean-variance normalization take nothing from presets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preset {
    /// `torch.nn`.
    #[default]
    PyTorch,
    /// The ONNX operators.
    Onnx,
    /// Keras 3.
    Keras,
    /// `flax.linen`.
    Flax,
}

/// Which batch variance enters the running variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunningVariance {
    /// Sum of squared deviations over n.
    Biased,
    /// Sum of squared deviations over n - 1.
    Unbiased,
}

/// Whether batch or instance norm may train on a single value per channel, whose variance is always 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OneValue {
    /// An error at planning, as in `torch.nn.functional`.
    Refuse,
    /// y is bias; an unbiased running variance becomes NaN.
    Allow,
}

impl Preset {
    pub(crate) fn batch_eps(self) -> f32 {
        match self {
            Self::PyTorch | Self::Onnx | Self::Flax => 1e-5,
            Self::Keras => 1e-3,
        }
    }

    /// Layer, group and instance norm.
    pub(crate) fn sample_eps(self) -> f32 {
        match self {
            Self::PyTorch | Self::Onnx => 1e-5,
            Self::Keras => 1e-3,
            Self::Flax => 1e-6,
        }
    }

    pub(crate) fn rms_eps(self) -> f32 {
        match self {
            Self::PyTorch => f32::EPSILON,
            Self::Onnx => 1e-5,
            Self::Keras | Self::Flax => 1e-6,
        }
    }

    pub(crate) fn default_momentum(self) -> f32 {
        match self {
            Self::PyTorch => 0.1,
            Self::Onnx => 0.9,
            Self::Keras | Self::Flax => 0.99,
        }
    }

    /// Weight of the new batch, from the momentum in this preset's convention.
    pub(crate) fn rate(self, momentum: f32) -> f32 {
        match self {
            Self::PyTorch => momentum,
            Self::Onnx | Self::Keras | Self::Flax => (1.0 - f64::from(momentum)) as f32,
        }
    }

    pub(crate) fn running_variance(self) -> RunningVariance {
        match self {
            Self::PyTorch => RunningVariance::Unbiased,
            Self::Onnx | Self::Keras | Self::Flax => RunningVariance::Biased,
        }
    }

    pub(crate) fn one_value(self) -> OneValue {
        match self {
            Self::PyTorch => OneValue::Refuse,
            Self::Onnx | Self::Keras | Self::Flax => OneValue::Allow,
        }
    }

    pub(crate) fn allows_negative_eps(self) -> bool {
        self == Self::PyTorch
    }
}
