//! Views to bindings: checks sizes, usages, alignment and overlaps, and finds the facts that plans depend on.

use crate::arguments::View;
use crate::error::{Result, bail};
use crate::geometry::Axis;
use crate::plan::{Facts, Need, Operand, Role};
use crate::spec::{Operation, Statistic};
use crate::traits::DeviceTraits;

/// A view that a plan needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range<'a> {
    pub need: Need,
    pub view: View<'a>,
}

/// The checked ranges of one call.
#[derive(Debug)]
pub(crate) struct Ranges<'a> {
    ranges: Vec<Range<'a>>,
    /// Bytes that bindings begin at a multiple of.
    alignment: u64,
    pub facts: Facts,
}

impl<'a> Ranges<'a> {
    /// Checks the ranges against each other and the device.
    pub fn new(ranges: Vec<Range<'a>>, traits: &DeviceTraits, operation: &Operation) -> Result<Self> {
        let alignment = u64::from(traits.storage_alignment);
        let mut facts = Facts::default();
        for (i, range) in ranges.iter().enumerate() {
            range.check()?;
            let role = range.need.role;
            facts.offsets[role as usize] = (range.first() % alignment / 4) as u32;
            // Others than these are read in units of four words and more, or have no offset among the parameters.
            let anywhere = matches!(
                role,
                Role::X | Role::Y | Role::Weight | Role::Bias | Role::Dy | Role::Dx | Role::Dweight | Role::Dbias
            );
            if !anywhere && !range.first().is_multiple_of(alignment) {
                if role == Role::Workspace {
                    bail!(
                        Alignment,
                        role.name(),
                        "begins at byte {}, a multiple of {alignment} is needed",
                        range.first()
                    );
                }
                facts.staged.insert(role);
            }
            let earlier = ranges[..i].iter();
            if let Some(other) = earlier.clone().find(|other| other.view.buffer == range.view.buffer) {
                facts.buffers[role as usize] = facts.buffers[other.need.role as usize];
            }
            for other in earlier.filter(|other| other.view.buffer == range.view.buffer) {
                check_overlap(other, range, operation)?;
                let writable = (ranges.iter()).any(|r| r.need.written && r.view.buffer == range.view.buffer);
                if !writable || !overlap(&other.blocks(alignment), &range.blocks(alignment)) {
                    continue;
                }
                match (other.need.role, role) {
                    (Role::X, Role::Y) => {}
                    (over @ (Role::X | Role::Dy), Role::Dx) if other.first() == range.first() => {
                        facts.dx_over = Some(over);
                    }
                    (_, Role::Workspace) => bail!(
                        Overlap,
                        role.name(),
                        "shares a {alignment}-byte block of its buffer with {}",
                        other.need.role.name()
                    ),
                    (Role::X | Role::Y | Role::Dy | Role::Dx, small) | (small, _) => facts.staged.insert(small),
                }
            }
        }
        let first = |role| ranges.iter().find(|range| range.need.role == role);
        if let (Some(x), Some(y)) = (first(Role::X), first(Role::Y))
            && x.view.buffer == y.view.buffer
        {
            facts.apart = Some((y.first() / 4) as i64 - (x.first() / 4) as i64);
        }
        // In the place of what is copied elsewhere, dx overwrites nothing.
        facts.dx_over = facts
            .dx_over
            .filter(|over| !facts.staged.contains(*over) && !facts.staged.contains(Role::Dx));
        Ok(Self {
            ranges,
            alignment,
            facts,
        })
    }

    /// The buffer, the first byte and the number of bytes that an operand stands for.
    pub fn resolve(&self, operand: Operand) -> Result<(&'a wgpu::Buffer, u64, u64)> {
        let (role, start, size) = match operand {
            Operand::Caller { role, start, size } => (role, start, size),
            Operand::Workspace { offset, size } => (Role::Workspace, offset as i64, size),
        };
        let Some(range) = self.ranges.iter().find(|range| range.need.role == role) else {
            bail!(Argument, role.name(), "is missing");
        };
        let aligned = range.first() - range.first() % self.alignment;
        Ok((range.view.buffer, aligned.saturating_add_signed(start), size))
    }
}

impl Range<'_> {
    fn first(&self) -> u64 {
        self.view.offset.saturating_mul(4)
    }

    fn bytes(&self) -> std::ops::Range<u64> {
        self.first()..self.first() + self.need.bytes
    }

    /// The bytes of all blocks that the view touches.
    fn blocks(&self, alignment: u64) -> std::ops::Range<u64> {
        let bytes = self.bytes();
        bytes.start - bytes.start % alignment..bytes.end.next_multiple_of(alignment)
    }

    fn check(&self) -> Result<()> {
        let (name, buffer) = (self.need.role.name(), self.view.buffer);
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            bail!(
                Usage,
                name,
                "the buffer has usage {:?}, STORAGE is needed",
                buffer.usage()
            );
        }
        let first = self.first();
        let Some(end) = first.checked_add(self.need.bytes) else {
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
                self.need.bytes,
                buffer.size()
            );
        }
        Ok(())
    }
}

fn overlap(a: &std::ops::Range<u64>, b: &std::ops::Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Refuses two views of one buffer that share elements, if one of them is written: but for y in the place of x.
fn check_overlap(a: &Range<'_>, b: &Range<'_>, operation: &Operation) -> Result<()> {
    if !(a.need.written || b.need.written) || !overlap(&a.bytes(), &b.bytes()) {
        return Ok(());
    }
    let mut hint = "";
    if let (Role::X, Role::Y | Role::Dx) | (Role::Dy, Role::Dx) = (a.need.role, b.need.role) {
        let alike = operation.axes.iter().all(|axis| axis.extent == 1 || axis.x == axis.y);
        // dx lies as x does, and dy as y.
        let same_strides = alike || (a.need.role, b.need.role) == (Role::X, Role::Dx);
        let looks_around = matches!(operation.statistic, Statistic::Window(_));
        let apart = (b.first() / 4) as i64 - (a.first() / 4) as i64;
        match (same_strides, apart) {
            (true, 0) if !looks_around => return Ok(()),
            (true, 0) => hint = ": it depends on neighbours of x, so that in place is impossible",
            (true, _) if !meet(&operation.axes, apart) => return Ok(()),
            (true, _) => hint = "; in place needs the very same range",
            (false, _) => hint = "; in place needs the same strides too",
        }
    }
    bail!(
        Overlap,
        b.need.role.name(),
        "overlaps {}, and one of them is written{hint}",
        a.need.role.name()
    )
}

/// True if two tensors of these axes' strides in x, the second `apart` elements behind the first, share an element: if
/// that distance is one of two elements. Rows of one may lie between those of the other.
fn meet(axes: &[Axis], apart: i64) -> bool {
    let mut steps: Vec<_> = (axes.iter().filter(|axis| axis.extent > 1))
        .map(|axis| (i64::from(axis.x), i64::from(axis.extent) - 1))
        .collect();
    steps.sort();
    reaches(&steps, apart)
}

/// True if `distance` is a sum of steps, each taken from `-most` to `most` times.
fn reaches(steps: &[(i64, i64)], distance: i64) -> bool {
    let Some((&(stride, most), inner)) = steps.split_last() else {
        return distance == 0;
    };
    if stride == 0 {
        return distance == 0 || reaches(inner, distance);
    }
    let reach: i64 = inner.iter().map(|(stride, most)| stride * most).sum();
    let first = (distance - reach).div_euclid(stride).max(-most);
    let last = (distance + reach).div_euclid(stride).min(most);
    (first..=last).any(|times| reaches(inner, distance - times * stride))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(strides: &[(u32, u32)]) -> Vec<Axis> {
        let axis = |&(extent, stride): &(u32, u32)| Axis {
            extent,
            reduced: false,
            x: stride,
            y: stride,
            weight: 0,
            record: 0,
        };
        strides.iter().map(axis).collect()
    }

    #[test]
    fn rows_between_rows_do_not_meet() {
        // Q and K of packed rows of 3 x 64.
        let slices = axes(&[(10, 192), (64, 1)]);
        assert!(!meet(&slices, 64) && !meet(&slices, 128) && !meet(&slices, 192 * 5 + 64));
        assert!(meet(&slices, 63) && meet(&slices, 129) && meet(&slices, 192) && meet(&slices, -63));
        assert!(!meet(&slices, 192 * 10));
        assert!(!meet(&axes(&[(5, 2), (3, 20)]), 1) && meet(&axes(&[(5, 2), (3, 20)]), 28));
    }
}
