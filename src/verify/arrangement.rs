//! Where the tensors of a case lie: the same numbers, in every way that a caller may hold them.

use super::case::Case;
use crate::error::{ErrorKind, Result};
use crate::plan::Role;
use crate::{Context, DeviceTraits, Layout};

/// A way to hold the tensors of a case. Results must be the same numbers whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrangement {
    /// As the case has it, every tensor at the start of a buffer of its own.
    Plain,
    /// y in the place of x.
    InPlace,
    /// All tensors in one buffer, one right behind the other, each at an odd element.
    Arena,
    /// The channel axis last instead of second, in shape, x and y.
    ChannelsLast,
    /// The axes of x and y in reverse order in memory.
    Permuted,
    /// The axes of y in reverse order in memory: the layout changes on the way.
    Transposed,
    /// Rows of x and y with gaps between them.
    Strided,
    /// Rows of y between rows of x, in one buffer.
    Interleaved,
    /// On a device that can bind a part of the tensor at most.
    Pieces,
    /// The same in one buffer, at odd elements.
    PiecesInArena,
}

impl Arrangement {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Plain,
        Self::InPlace,
        Self::Arena,
        Self::ChannelsLast,
        Self::Permuted,
        Self::Transposed,
        Self::Strided,
        Self::Interleaved,
        Self::Pieces,
        Self::PiecesInArena,
    ];

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::InPlace => "in-place",
            Self::Arena => "arena",
            Self::ChannelsLast => "channels-last",
            Self::Permuted => "permuted",
            Self::Transposed => "transposed",
            Self::Strided => "strided",
            Self::Interleaved => "interleaved",
            Self::Pieces => "pieces",
            Self::PiecesInArena => "pieces-in-arena",
        }
    }

    /// The case with the shape and strides of the arrangement; `None` if there is no such arrangement of it.
    pub fn of(self, case: &Case) -> Option<Case> {
        let mut arranged = case.clone();
        let rank = case.shape.len();
        let dense = case.input_strides.is_none() && case.output_strides.is_none();
        let strides = match self {
            Self::Plain | Self::Pieces | Self::Arena | Self::PiecesInArena => return Some(arranged),
            Self::InPlace => {
                let same = case.input_strides == case.output_strides;
                return (same && case.norm.may_be_in_place()).then_some(arranged);
            }
            Self::ChannelsLast => return channels_last(case),
            _ if !dense || rank < 2 || case.x.is_empty() => return None,
            Self::Permuted => {
                let reversed = reversed_strides(&case.shape);
                (Some(reversed.clone()), reversed)
            }
            Self::Transposed => (None, reversed_strides(&case.shape)),
            Self::Strided => {
                let width = case.shape[rank - 1];
                (Some(pitched(&case.shape, width + 3)), pitched(&case.shape, width + 16))
            }
            Self::Interleaved => {
                let both = pitched(&case.shape, 2 * case.shape[rank - 1]);
                (Some(both.clone()), both)
            }
        };
        (arranged.input_strides, arranged.output_strides) = (strides.0, Some(strides.1));
        Some(arranged)
    }

    /// What `y` of the arranged case is in the order of the original one.
    pub(super) fn restore(self, case: &Case, y: Vec<u32>) -> Vec<u32> {
        if self != Self::ChannelsLast {
            return y;
        }
        let places = places(&case.shape, &channels_last_strides(&case.shape));
        places.into_iter().map(|place| y[place]).collect()
    }

    /// A context that asks for pieces, where the arrangement is about them: with the smallest bindings that will do.
    /// `None` if all of those take the tensor whole.
    pub fn context(self, context: &Context, case: &Case) -> Result<Option<Context>> {
        if !matches!(self, Self::Pieces | Self::PiecesInArena) {
            return Ok(Some(context.clone()));
        }
        let bytes = case.x.len() as u64 * 4;
        let mut binding_size = (bytes / 3).next_multiple_of(4) + 512;
        while binding_size < bytes {
            let limited = with_bindings(context, binding_size);
            match case.operation()?.plan(&limited) {
                Ok(_) => return Ok(Some(limited)),
                Err(error) if error.kind() == ErrorKind::Limit => binding_size = wider(binding_size),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// `limited` with larger bindings, where its own were too small after all: [`context`](Self::context) looks for the
    /// smallest that do for tensors in buffers of their own, and some in one buffer have to be bound together.
    pub(super) fn relax(self, limited: &Context, context: &Context) -> Option<Context> {
        let binding_size = wider(limited.traits().binding_size);
        let more = self == Self::PiecesInArena && binding_size < context.traits().binding_size;
        more.then(|| with_bindings(context, binding_size))
    }

    /// Where the views of a case begin: the number of a buffer and a word of it.
    pub(super) fn place(self, case: &Case, spans: &[(Role, usize)]) -> Vec<Place> {
        let one_buffer = matches!(self, Self::Arena | Self::PiecesInArena);
        let mut end = 32;
        let mut placed: Vec<Place> = Vec::with_capacity(spans.len());
        for (i, &(role, words)) in spans.iter().enumerate() {
            let of_x = placed
                .iter()
                .find(|place| place.role == Role::X)
                .map(|x| (x.buffer, x.first));
            let (buffer, first) = match (self, role, of_x) {
                (Self::InPlace, Role::Y | Role::Dx, Some(x)) => x,
                (Self::Interleaved, Role::Y | Role::Dx, Some((buffer, first))) => {
                    (buffer, first + case.shape.last().copied().unwrap_or(1))
                }
                _ if one_buffer => {
                    let first = end | 1;
                    end = first + words;
                    (0, first)
                }
                _ => (i, 0),
            };
            placed.push(Place {
                role,
                buffer,
                first,
                words,
            });
        }
        placed
    }
}

fn with_bindings(context: &Context, binding_size: u64) -> Context {
    let traits = DeviceTraits {
        binding_size,
        ..*context.traits()
    };
    context.with_traits(traits).with_tuning(*context.tuning())
}

fn wider(binding_size: u64) -> u64 {
    binding_size + (binding_size / 2).next_multiple_of(4) + 4
}

/// Where a view begins, and how many words it spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub role: Role,
    pub buffer: usize,
    pub first: usize,
    pub words: usize,
}

/// The place of every element, in row-major order of `shape`, by its strides.
pub(super) fn places(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut places = vec![0];
    for (&extent, &stride) in shape.iter().zip(strides) {
        places = (places.iter())
            .flat_map(|start| (0..extent).map(move |position| start + position * stride))
            .collect();
    }
    places
}

/// Row-major strides.
pub(super) fn dense(shape: &[usize]) -> Vec<usize> {
    (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect()
}

fn reversed_strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[..axis].iter().product()).collect()
}

/// Row-major strides with `pitch` from row to row.
fn pitched(shape: &[usize], pitch: usize) -> Vec<usize> {
    let mut widened = shape.to_vec();
    if let Some(last) = widened.last_mut() {
        *last = pitch;
    }
    dense(&widened)
}

/// Strides of N×C×spatial axes in a memory of N×spatial×C.
fn channels_last_strides(shape: &[usize]) -> Vec<usize> {
    let channels = shape[1];
    let mut strides: Vec<_> = dense(shape).into_iter().map(|stride| stride * channels).collect();
    strides[0] = shape[1..].iter().product();
    strides[1] = 1;
    strides
}

fn channels_last(case: &Case) -> Option<Case> {
    let dense = case.input_strides.is_none() && case.output_strides.is_none() && case.weight_axes.is_none();
    let moves = case.norm.has_channels() && case.layout == Layout::ChannelsFirst && case.shape.len() > 2;
    if !dense || !moves {
        return None;
    }
    let strides = channels_last_strides(&case.shape);
    let moved = |values: &Vec<f32>| {
        let mut moved = vec![0.0; values.len()];
        for (value, place) in values.iter().zip(places(&case.shape, &strides)) {
            moved[place] = *value;
        }
        moved
    };
    let mut shape = case.shape.clone();
    shape[1..].rotate_left(1);
    Some(Case {
        shape,
        layout: Layout::ChannelsLast,
        x: moved(&case.x),
        dy: case.dy.as_ref().map(moved),
        ..case.clone()
    })
}
