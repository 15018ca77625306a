//! Which variants can run an operation, and which one should.

use super::MOMENTS_BYTES;
use super::layout::{Layout, Offsets, Traversal, Weights, has_columns, run_as_columns};
use crate::DeviceTraits;
use crate::error::{Result, bail};
use crate::geometry::{Axis, Geometry};
use crate::shader::Unit;
use crate::spec::{Operation, Stage, Statistic};
use crate::tuning::{MAX_TRIPS, Tuning, Variant};

/// Invocations of the kernels that take one segment or channel each.
pub(super) const SMALL_WORKGROUP: u32 = 64;

/// The most parts of a segment that one workgroup combines.
pub(super) const MAX_PARTS: u32 = SMALL_WORKGROUP * MAX_TRIPS as u32;

/// Units that a lane of a resident segment should hold, at most: fewer than `workgroup_units` where the segments are too few to
/// fill the device several times, but enough to fill much of it. With all of a tensor on its way at once, reads and writes
/// would not overlap.
fn held_units(units: u32, segments: u32, tuning: &Tuning) -> u32 {
    let invocations = |each: u32| u64::from(segments) * u64::from(units.div_ceil(each).next_power_of_two());
    let (least, most) = tuning.resident_fill;
    let mut each = tuning.workgroup_units;
    if invocations(each) >= u64::from(least) {
        while each > 2 && invocations(each) < u64::from(most) {
            each /= 2;
        }
    }
    each
}

/// The most units that a lane may hold. What moves units that begin anywhere takes the compiler twice as long.
fn most_held(layout: &Layout, tuning: &Tuning) -> u32 {
    let most = tuning.resident_units.1;
    if layout.unit == Unit::Loose {
        most.div_ceil(2)
    } else {
        most
    }
}

/// Lanes of one of so many resident segments in part of a workgroup, if it fits.
pub(super) fn subgroup_lanes(layout: &Layout, segments: u32, traits: &DeviceTraits, tuning: &Tuning) -> Option<u32> {
    let most = most_held(layout, tuning);
    let best = tuning.resident_units.0.min(held_units(layout.units, segments, tuning));
    subgroup_lanes_of(layout.units, traits, tuning, (best.min(most), most))
}

/// The same at so many units each, at best and at most.
pub(super) fn subgroup_lanes_of(
    units: u32,
    traits: &DeviceTraits,
    tuning: &Tuning,
    units_each: (u32, u32),
) -> Option<u32> {
    let most = traits.smallest_subgroup().min(tuning.subgroup_workgroup);
    let lanes = resident_lanes(units, 1, most, units_each)?;
    (tuning.subgroup_workgroup <= traits.workgroup_invocations).then_some(lanes)
}

/// Lanes of one of so many resident segments that has a workgroup to itself, if it fits.
pub(super) fn workgroup_lanes(layout: &Layout, segments: u32, traits: &DeviceTraits, tuning: &Tuning) -> Option<u32> {
    let most = most_held(layout, tuning);
    let best = held_units(layout.units, segments, tuning).min(most);
    workgroup_lanes_of(layout.units, traits, tuning, (best, most))
}

/// Invocations of a workgroup that walks over a segment.
pub(super) fn walking_lanes(traits: &DeviceTraits, tuning: &Tuning) -> u32 {
    tuning.walked_lanes.min(traits.widest_tree())
}

/// Segments that the choice is made for: very many for batch invariance, whatever their number.
pub(super) fn counted_segments(operation: &Operation, geometry: &Geometry) -> u32 {
    match operation.batch_invariant {
        true => u32::MAX,
        false => geometry.segments,
    }
}

/// The same at so many units each, at best and at most.
pub(super) fn workgroup_lanes_of(
    units: u32,
    traits: &DeviceTraits,
    tuning: &Tuning,
    units_each: (u32, u32),
) -> Option<u32> {
    let (least, most) = tuning.workgroup_lanes;
    resident_lanes(units, least, most.min(traits.widest_tree()), units_each)
}

/// The fewest lanes, a power of two, that hold a segment at the best number of units each, or at the most.
fn resident_lanes(units: u32, least: u32, most: u32, (best, limit): (u32, u32)) -> Option<u32> {
    let lanes = units.div_ceil(best).next_power_of_two().clamp(least, most.max(least));
    (lanes <= most && units.div_ceil(lanes) <= limit).then_some(lanes)
}

/// The two geometries of a box of a tensor: for statistics alone, and for all that writes y.
pub(super) struct Geometries {
    /// Of x alone.
    pub statistics: Geometry,
    /// Of x, y, and the weight if there is one.
    pub applied: Geometry,
    pub has_affine: bool,
}

impl Geometries {
    pub fn new(axes: &[Axis], has_affine: bool) -> Result<Self> {
        let of_x: Vec<_> = axes.iter().map(|&axis| Axis { y: axis.x, ..axis }).collect();
        Ok(Self {
            statistics: Geometry::for_statistics(&of_x)?,
            applied: match has_affine {
                true => Geometry::new(axes)?,
                false => Geometry::for_statistics(axes)?,
            },
            has_affine,
        })
    }

    /// The walk of the kernels that write y.
    pub fn whole(&self, traversal: Traversal, tuning: &Tuning, offsets: Offsets) -> Option<Layout> {
        let weights = Weights::read_if(self.has_affine);
        Layout::new(&self.applied, traversal, tuning.widest_unit, weights, offsets)
    }
}

/// What choosing looks at.
#[derive(Clone, Copy)]
pub(super) struct Choice<'a> {
    pub operation: &'a Operation,
    pub geometries: &'a Geometries,
    pub traits: &'a DeviceTraits,
    pub tuning: &'a Tuning,
    pub offsets: Offsets,
    /// Boxes that the same segments are cut into: 1 if this one holds whole segments.
    pub pieces: usize,
}

impl Choice<'_> {
    /// The variants that can run, the cheapest to compile first.
    pub fn candidates(&self) -> Vec<Variant> {
        Variant::ALL
            .into_iter()
            .filter(|variant| self.is_possible(*variant))
            .collect()
    }

    fn is_possible(&self, variant: Variant) -> bool {
        let Self {
            geometries,
            traits,
            tuning,
            ..
        } = *self;
        let walk = |traversal| geometries.whole(traversal, tuning, self.offsets);
        if matches!(self.operation.statistic, Statistic::Window(_)) {
            return match variant {
                Variant::Lane => true,
                Variant::Column => has_columns(&geometries.applied),
                _ => false,
            };
        }
        // What is renormalized is so between the two.
        let renormed = self.operation.renorm().is_some();
        let whole = self.operation.stage == Stage::Whole && self.pieces == 1 && !renormed;
        let bounded = |layout: &Layout, lanes: u32| layout.trips(layout.units.div_ceil(lanes), lanes) <= MAX_TRIPS;
        let fits =
            |traversal, fits: &dyn Fn(&Layout) -> bool| whole && walk(traversal).is_some_and(|layout| fits(&layout));
        let resident = |is_held: &dyn Fn(&Layout) -> bool| fits(Traversal::HeldRows, is_held);
        // Whether lanes can hold a segment does not depend on the number of segments.
        match variant {
            Variant::Lane => fits(Traversal::Rows, &|layout| bounded(layout, 1)),
            Variant::Subgroup => resident(&|layout| subgroup_lanes(layout, 1, traits, tuning).is_some()),
            Variant::Workgroup => {
                let lanes = walking_lanes(traits, tuning);
                resident(&|layout| workgroup_lanes(layout, 1, traits, tuning).is_some())
                    || fits(Traversal::SharedRows, &|layout| bounded(layout, lanes))
            }
            Variant::Split => true,
            Variant::Column => fits(Traversal::Columns, &|layout| bounded(layout, tuning.column_lanes)),
            Variant::ColumnSplit => {
                // The parts of one span of every piece have to fit a binding.
                let parts = u64::from(geometries.statistics.segments) * u64::from(geometries.statistics.run());
                has_columns(&geometries.statistics)
                    || (run_as_columns(&geometries.statistics).is_some()
                        && u64::from(geometries.statistics.run()) * self.pieces as u64 <= u64::from(MAX_PARTS)
                        && parts * self.pieces as u64 * MOMENTS_BYTES <= traits.binding_size)
            }
        }
    }

    /// The variant that the operation insists on, or the tuning table's choice for `whole`, the geometry of the whole
    /// tensor.
    pub fn choose(&self, whole: &Geometry) -> Result<Variant> {
        if let Some(variant) = self.operation.variant {
            if !self.is_possible(variant) {
                let names: Vec<_> = self.candidates().into_iter().map(Variant::name).collect();
                bail!(
                    Variant,
                    "variant",
                    "{variant} cannot run this geometry on this device, but {} can",
                    names.join(", ")
                );
            }
            return Ok(variant);
        }
        if matches!(self.operation.statistic, Statistic::Window(_)) {
            return Ok(match has_columns(&self.geometries.applied) {
                true => Variant::Column,
                false => Variant::Lane,
            });
        }
        let held = self.geometries.whole(Traversal::HeldRows, self.tuning, self.offsets);
        let loose = held.as_ref().is_some_and(|layout| layout.unit == Unit::Loose);
        let holds = held.is_some_and(|layout| workgroup_lanes(&layout, 1, self.traits, self.tuning).is_some());
        let order = preferences(self.operation, whole, (loose, holds), self.traits, self.tuning);
        Ok(order
            .into_iter()
            .find(|variant| self.is_possible(*variant))
            .unwrap_or(Variant::Split))
    }
}

/// True if segments are better traversed across their neighbours than along.
pub(super) fn prefers_columns(geometry: &Geometry, tuning: &Tuning) -> bool {
    has_columns(geometry) && geometry.length > 1
        || (geometry.run() < tuning.run_elements && run_as_columns(geometry).is_some())
}

/// The variants from the one that should run to the ones that will do. `loose`: units begin anywhere; `holds`: a workgroup can
/// hold a segment in registers.
fn preferences(
    operation: &Operation,
    geometry: &Geometry,
    (loose, holds): (bool, bool),
    traits: &DeviceTraits,
    tuning: &Tuning,
) -> Vec<Variant> {
    let segments = counted_segments(operation, geometry);
    let across = prefers_columns(geometry, tuning);
    let units = geometry.length / tuning.widest_unit;
    let (anywhere, whole) = tuning.resident_row_units;
    let resident = units > tuning.short_row_units && units <= if loose { anywhere } else { whole };
    let fills = segments >= tuning.lane_segments || geometry.length <= tuning.lane_elements;
    match (across, traits.software) {
        (true, true) if geometry.length <= tuning.column_elements => {
            vec![Variant::Column, Variant::ColumnSplit, Variant::Lane]
        }
        (true, false) if segments >= tuning.lane_segments / tuning.column_lanes => {
            vec![Variant::Column, Variant::ColumnSplit]
        }
        (true, _) => vec![Variant::ColumnSplit, Variant::Split],
        (false, true) => {
            let short_runs = geometry.run() < tuning.span_run_elements && run_as_columns(geometry).is_some();
            let candidates = [
                (resident, Variant::Subgroup),
                (fills, Variant::Lane),
                (short_runs, Variant::ColumnSplit),
                (true, Variant::Split),
            ];
            let wanted = candidates.into_iter().filter(|(wanted, _)| *wanted);
            wanted.map(|(_, variant)| variant).collect()
        }
        (false, false) if !holds => {
            let walks = segments >= tuning.walked_segments && geometry.length <= tuning.walked_elements;
            vec![if walks { Variant::Workgroup } else { Variant::Split }]
        }
        (false, false) => {
            if units <= traits.smallest_subgroup() * tuning.workgroup_units {
                vec![Variant::Subgroup, Variant::Workgroup, Variant::Split]
            } else if units <= tuning.workgroup_lanes.1 * tuning.workgroup_units
                || segments >= tuning.workgroup_segments
            {
                vec![Variant::Workgroup, Variant::Subgroup, Variant::Split]
            } else {
                vec![Variant::Split]
            }
        }
    }
}
