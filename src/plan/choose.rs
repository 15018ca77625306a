//! Which variants can run an operation, and which one should.

use super::layout::{Layout, Offsets, Traversal, has_columns, run_as_columns};
use crate::DeviceTraits;
use crate::error::{Result, bail};
use crate::geometry::Geometry;
use crate::spec::{Operation, Stage};
use crate::tuning::{MAX_TRIPS, Tuning, Variant};

/// Loop iterations of an invocation that takes `units` units alone: statistics, at worst three passes more over
/// every chunk, and the application.
fn lane_trips(units: u32) -> u64 {
    5 * u64::from(units) + u64::from(units) / 4 + 64
}

/// True if one invocation may walk over this many units.
pub(super) fn bounded(units: u32) -> bool {
    lane_trips(units) <= MAX_TRIPS
}

/// The most units of a span that one invocation walks over.
pub(super) const LANE_UNITS: u32 = 11_000;

/// Invocations of the kernels that take one segment or channel each.
pub(super) const SMALL_WORKGROUP: u32 = 64;

/// The most parts of a segment that one workgroup combines.
pub(super) const MAX_PARTS: u32 = SMALL_WORKGROUP * MAX_TRIPS as u32;

/// Lanes of a resident segment in part of a workgroup, if it fits.
pub(super) fn subgroup_lanes(units: u32, traits: &DeviceTraits, tuning: &Tuning) -> Option<u32> {
    let most = match traits.subgroup_size {
        Some((smallest, _)) => smallest.min(tuning.subgroup_workgroup),
        None => 32.min(tuning.subgroup_workgroup),
    };
    let lanes = resident_lanes(units, 1, most, tuning)?;
    (tuning.subgroup_workgroup <= traits.workgroup_invocations).then_some(lanes)
}

/// Lanes of a resident segment that has a workgroup to itself, if it fits.
pub(super) fn workgroup_lanes(units: u32, traits: &DeviceTraits, tuning: &Tuning) -> Option<u32> {
    let (least, most) = tuning.workgroup_lanes;
    resident_lanes(units, least, most.min(traits.widest_tree()), tuning)
}

/// The fewest lanes, a power of two, that hold a segment at the best number of units each, or at the most.
fn resident_lanes(units: u32, least: u32, most: u32, tuning: &Tuning) -> Option<u32> {
    let (best, limit) = tuning.resident_units;
    let lanes = units.div_ceil(best).next_power_of_two().clamp(least, most.max(least));
    (lanes <= most && units.div_ceil(lanes) <= limit).then_some(lanes)
}

/// The two geometries of an operation: for statistics alone, and with the weight if there is one.
pub(super) struct Geometries {
    pub statistics: Geometry,
    pub weighted: Geometry,
    pub has_affine: bool,
}

impl Geometries {
    pub fn new(operation: &Operation) -> Result<Self> {
        let has_affine = operation.weight || operation.bias;
        let statistics = Geometry::for_statistics(&operation.axes)?;
        let weighted = if has_affine {
            Geometry::new(&operation.axes)?
        } else {
            statistics.clone()
        };
        Ok(Self {
            statistics,
            weighted,
            has_affine,
        })
    }

    /// The walk of the kernels that take statistics and apply them at once.
    pub fn whole(&self, traversal: Traversal, tuning: &Tuning, offsets: Offsets) -> Option<Layout> {
        Layout::new(&self.weighted, traversal, tuning.widest_unit, self.has_affine, offsets)
    }
}

/// The variants that can run `operation`, the cheapest to compile first.
pub fn candidates(
    operation: &Operation,
    traits: &DeviceTraits,
    tuning: &Tuning,
    offsets: Offsets,
) -> Result<Vec<Variant>> {
    let geometries = Geometries::new(operation)?;
    let possible = |variant: &Variant| is_possible(*variant, operation, &geometries, traits, tuning, offsets);
    Ok(Variant::ALL.into_iter().filter(possible).collect())
}

fn is_possible(
    variant: Variant,
    operation: &Operation,
    geometries: &Geometries,
    traits: &DeviceTraits,
    tuning: &Tuning,
    offsets: Offsets,
) -> bool {
    let whole = operation.stage == Stage::Whole;
    // Storage may be misaligned from bind to bind, so that what must fit has to fit in single elements.
    let rows = || {
        Layout::new(
            &geometries.weighted,
            Traversal::Rows,
            tuning.widest_unit,
            geometries.has_affine,
            offsets,
        )
    };
    match variant {
        Variant::Lane => {
            whole
                && geometries
                    .whole(Traversal::Rows, tuning, offsets)
                    .is_some_and(|l| bounded(l.units))
        }
        Variant::Subgroup => whole && rows().is_some_and(|l| subgroup_lanes(l.units, traits, tuning).is_some()),
        Variant::Workgroup => whole && rows().is_some_and(|l| workgroup_lanes(l.units, traits, tuning).is_some()),
        Variant::Split => true,
        Variant::Column => {
            whole
                && geometries
                    .whole(Traversal::Columns, tuning, offsets)
                    .is_some_and(|l| bounded(l.units.div_ceil(tuning.column_lanes)))
        }
        Variant::ColumnSplit => {
            has_columns(&geometries.statistics)
                || (run_as_columns(&geometries.statistics).is_some()
                    && run_as_columns(&geometries.weighted).is_some()
                    && geometries.statistics.run() <= MAX_PARTS)
        }
    }
}

/// The variant that `operation` insists on, or the tuning table's choice.
pub fn choose(operation: &Operation, traits: &DeviceTraits, tuning: &Tuning, offsets: Offsets) -> Result<Variant> {
    let geometries = Geometries::new(operation)?;
    let possible = |variant: Variant| is_possible(variant, operation, &geometries, traits, tuning, offsets);
    if let Some(variant) = operation.variant {
        if !possible(variant) {
            let names: Vec<_> = Variant::ALL
                .into_iter()
                .filter(|v| possible(*v))
                .map(Variant::name)
                .collect();
            bail!(
                Variant,
                "variant",
                "{variant} cannot run this geometry on this device, but {} can",
                names.join(", ")
            );
        }
        return Ok(variant);
    }
    let order = preferences(operation, &geometries, traits, tuning);
    Ok(order
        .into_iter()
        .find(|variant| possible(*variant))
        .unwrap_or(Variant::Split))
}

/// The variants from the one that should run to the ones that will do.
fn preferences(operation: &Operation, geometries: &Geometries, traits: &DeviceTraits, tuning: &Tuning) -> Vec<Variant> {
    let geometry = &geometries.weighted;
    // Batch invariance: choose as for very many segments, whatever their number.
    let segments = if operation.batch_invariant {
        u32::MAX
    } else {
        geometry.segments
    };
    let across = has_columns(geometry) && geometry.length > 1
        || (geometry.run() < tuning.run_elements && run_as_columns(geometry).is_some());
    let fills = segments >= tuning.lane_segments || geometry.length <= tuning.lane_elements;
    match (across, traits.software) {
        (true, true) if fills => vec![Variant::Column, Variant::ColumnSplit, Variant::Lane],
        (true, false) if segments >= tuning.lane_segments / tuning.column_lanes => {
            vec![Variant::Column, Variant::ColumnSplit]
        }
        (true, _) => vec![Variant::ColumnSplit, Variant::Split],
        (false, true) if fills => vec![Variant::Lane, Variant::Split],
        (false, true) => vec![Variant::Split],
        (false, false) => vec![Variant::Subgroup, Variant::Workgroup, Variant::Split],
    }
}
