//! What kernels bind.

/// What a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The input.
    X,
    /// The output.
    Y,
    /// Weight.
    Weight,
    /// Bias.
    Bias,
    /// Statistics records, one vec4 a segment.
    Records,
    /// Moments that a kernel writes, two vec4 a segment.
    Moments,
    /// Moments that a kernel reads.
    Parts,
    /// Running mean.
    RunningMean,
    /// Running variance.
    RunningVar,
    /// Batches that running statistics have seen.
    Batches,
    /// Ratio and shift of batch renormalization, one vec4 a channel.
    Corrections,
    /// Words that are copied.
    From,
    /// Where they go.
    To,
    /// x once more, as pairs of elements, or fours or sixteens.
    XPairs,
    /// y once more, likewise.
    YPairs,
    /// Weight once more, as pairs of elements.
    WeightPairs,
    /// Bias once more, as pairs of elements.
    BiasPairs,
    /// The gradient of y.
    Dy,
    /// The gradient of x.
    Dx,
    /// The gradient of the weight.
    Dweight,
    /// The gradient of the bias.
    Dbias,
    /// Sums of gradients that a kernel writes, one vec4 each.
    Sums,
    /// Sums of gradients that a kernel reads.
    SumsRead,
    /// What dx of a segment takes besides its own elements, one vec4 a segment.
    Coefficients,
}

impl Slot {
    /// The number of the binding in group 0; 0 is the uniform parameter block.
    pub fn binding(self) -> u32 {
        self as u32 + 1
    }

    /// The slot whose elements are bound once more as pairs; any other slot itself.
    pub fn single(self) -> Self {
        match self {
            Self::XPairs => Self::X,
            Self::YPairs => Self::Y,
            Self::WeightPairs => Self::Weight,
            Self::BiasPairs => Self::Bias,
            slot => slot,
        }
    }

    fn bit(self) -> u32 {
        1 << self as u16
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Y => "y",
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::Records => "records",
            Self::Moments => "moments",
            Self::Parts => "parts",
            Self::RunningMean => "running_mean",
            Self::RunningVar => "running_var",
            Self::Batches => "batches",
            Self::Corrections => "corrections",
            Self::From => "from_words",
            Self::To => "to_words",
            Self::XPairs => "x_pairs",
            Self::YPairs => "y_pairs",
            Self::WeightPairs => "weight_pairs",
            Self::BiasPairs => "bias_pairs",
            Self::Dy => "dy",
            Self::Dx => "dx",
            Self::Dweight => "dweight",
            Self::Dbias => "dbias",
            Self::Sums => "sums",
            Self::SumsRead => "sums_read",
            Self::Coefficients => "coefficients",
        }
    }
}

/// A set of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Slots(u32);

impl Slots {
    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        self.0 |= slot.bit();
    }

    /// True if the slot is in the set.
    pub fn contains(self, slot: Slot) -> bool {
        self.0 & slot.bit() != 0
    }
}

/// One storage binding of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// What it holds.
    pub slot: Slot,
    /// True if the kernel writes it.
    pub written: bool,
    /// True if it is declared `read_write`: where it is written, or shares its buffer with one that is.
    pub read_write: bool,
}
