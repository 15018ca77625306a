//! Views to bindings: checks sizes, usages, alignment and overlaps, and decides what is bound together.

use crate::arguments::View;
use crate::error::{Result, bail};
use crate::plan::{Facts, Role};
use crate::traits::DeviceTraits;

/// A view that a plan needs, with the bytes it covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'a> {
    pub role: Role,
    pub view: View<'a>,
    pub bytes: u64,
    pub written: bool,
}

/// The part of a buffer that is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    pub start: u64,
    pub end: u64,
}

/// The checked ranges of one call.
#[derive(Debug)]
pub(crate) struct Ranges<'a> {
    ranges: Vec<(Range<'a>, Bound)>,
    pub facts: Facts,
}

impl<'a> Ranges<'a> {
    /// Checks the ranges against each other and the device.
    pub fn new(ranges: Vec<Range<'a>>, traits: &DeviceTraits) -> Result<Self> {
        let alignment = u64::from(traits.storage_alignment);
        let mut bound = Vec::with_capacity(ranges.len());
        for range in ranges {
            bound.push((range, range.bound(alignment)?));
        }
        let mut facts = Facts::default();
        for i in 0..bound.len() {
            for j in 0..i {
                if bound[i].0.view.buffer == bound[j].0.view.buffer {
                    facts.buffers[bound[i].0.role as usize] = facts.buffers[bound[j].0.role as usize];
                    facts.output_in_x |= together(&bound[j], &bound[i], &bound)?;
                }
            }
        }
        if facts.output_in_x {
            // One binding over both.
            let of = |role| {
                bound
                    .iter()
                    .find(|(range, _)| range.role == role)
                    .map(|(_, bound)| *bound)
            };
            if let (Some(x), Some(y)) = (of(Role::X), of(Role::Y)) {
                let union = Bound {
                    start: x.start.min(y.start),
                    end: x.end.max(y.end),
                };
                for (range, bound) in &mut bound {
                    if matches!(range.role, Role::X | Role::Y) {
                        *bound = union;
                    }
                }
            }
        }
        for (range, bound) in &bound {
            let size = bound.end - bound.start;
            if size > traits.binding_size {
                bail!(
                    Limit,
                    range.role.name(),
                    "a binding of {size} bytes is beyond the device's {} (max_storage_buffer_binding_size)",
                    traits.binding_size
                );
            }
            let before = (range.first() - bound.start) / 4;
            let offset = match range.role {
                Role::X => &mut facts.offsets.x,
                Role::Y => &mut facts.offsets.y,
                Role::Weight => &mut facts.offsets.weight,
                Role::Bias => &mut facts.offsets.bias,
                _ if before == 0 => continue,
                role => bail!(
                    Alignment,
                    role.name(),
                    "begins at byte {}, a multiple of {alignment} is needed",
                    range.first()
                ),
            };
            // The limit on bindings keeps this below 2^32.
            *offset = before as u32;
        }
        Ok(Self { ranges: bound, facts })
    }

    /// The buffer of a role and what is bound of it.
    pub fn get(&self, role: Role) -> Option<(&'a wgpu::Buffer, Bound)> {
        let (range, bound) = self.ranges.iter().find(|(range, _)| range.role == role)?;
        Some((range.view.buffer, *bound))
    }
}

impl Range<'_> {
    fn first(&self) -> u64 {
        self.view.offset.saturating_mul(4)
    }

    fn bound(&self, alignment: u64) -> Result<Bound> {
        let (name, buffer) = (self.role.name(), self.view.buffer);
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            bail!(
                Usage,
                name,
                "the buffer has usage {:?}, STORAGE is needed",
                buffer.usage()
            );
        }
        let first = self.first();
        let Some(end) = first.checked_add(self.bytes) else {
            bail!(
                Overflow,
                name,
                "an offset of {} elements is out of range",
                self.view.offset
            );
        };
        if end > buffer.size() {
            bail!(
                Size,
                name,
                "{} bytes from byte {first} on are needed, the buffer has {}",
                self.bytes,
                buffer.size()
            );
        }
        Ok(Bound {
            start: first - first % alignment,
            end,
        })
    }
}

/// True if two ranges of one buffer have to be bound together; an error if they cannot be bound at all.
fn together(a: &(Range<'_>, Bound), b: &(Range<'_>, Bound), all: &[(Range<'_>, Bound)]) -> Result<bool> {
    let ((a, bound_a), (b, bound_b)) = (a, b);
    let overlap = |a: (u64, u64), b: (u64, u64)| a.0 < b.1 && b.0 < a.1;
    let span = |range: &Range<'_>| (range.first(), range.first() + range.bytes);
    let are_x_and_y = matches!((a.role, b.role), (Role::X, Role::Y) | (Role::Y, Role::X));
    let in_place = are_x_and_y && span(a) == span(b);
    if (a.written || b.written) && !in_place && overlap(span(a), span(b)) {
        let hint = if are_x_and_y {
            "; in place needs the very same range"
        } else {
            ""
        };
        bail!(
            Overlap,
            b.role.name(),
            "overlaps {}, and one of them is written{hint}",
            a.role.name()
        );
    }
    let blocks_meet = overlap((bound_a.start, bound_a.end), (bound_b.start, bound_b.end));
    let writable = all
        .iter()
        .any(|(range, _)| range.written && range.view.buffer == a.view.buffer);
    if !blocks_meet || !writable {
        return Ok(false);
    }
    if !are_x_and_y {
        bail!(
            Overlap,
            b.role.name(),
            "shares a 256-byte block of its buffer with {}, and a view of that buffer is written",
            a.role.name()
        );
    }
    Ok(true)
}
