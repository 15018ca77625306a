//! Variants, and the measured thresholds that choose among them.

mod table;

use std::fmt;
use std::str::FromStr;

pub use table::{TABLE_VERSION, TuningTable};
use table::{at_most, from_none, one_of, ordered, power_of_two, powers_of_two, thresholds, up_to};

use crate::error::{Error, ErrorKind};

/// A way to spread a normalization over the device. Results agree to rounding; speeds differ by orders of magnitude.
///
/// The planner chooses one by the [`Tuning`] table. A builder's `candidates` lists those that can run an operation, and
/// its `variant` insists on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Variant {
    /// One invocation per segment; short segments stay in registers and an invocation takes several of them.
    Lane,
    /// A subgroup, or part of a workgroup, per segment: several segments a workgroup, held in registers.
    Subgroup,
    /// A workgroup per segment, held in registers: one read, one write. Segments that are longer it walks over, twice.
    Workgroup,
    /// Partial statistics of spans of each segment, a finish, and an application: three dispatches.
    Split,
    /// A tile of neighbouring segments per workgroup, coalesced across them: one dispatch.
    Column,
    /// Partial statistics of tiles of neighbouring segments, a finish, and an application: three dispatches.
    ColumnSplit,
}

impl Variant {
    /// All variants.
    pub const ALL: [Self; 6] = [
        Self::Lane,
        Self::Subgroup,
        Self::Workgroup,
        Self::Split,
        Self::Column,
        Self::ColumnSplit,
    ];

    /// The name used on command lines and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Subgroup => "subgroup",
            Self::Workgroup => "workgroup",
            Self::Split => "split",
            Self::Column => "column",
            Self::ColumnSplit => "column-split",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Variant {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|variant| variant.name()).collect();
                let message = format!("{name:?} is none of {}", names.join(", "));
                Error::new(ErrorKind::Parameter, "variant", message)
            })
    }
}

thresholds! {
    /// Widest unit of contiguous segments: 16 elements a load on software adapters, 4 on hardware.
    widest_unit: u32 = one_of(&[1, 4, 16]),
    /// Invocations of a workgroup where each works alone, at least and at most.
    lane_workgroup: (u32, u32) = powers_of_two(1024),
    /// Workgroups that there should be before they grow, or invocations take one segment after the other.
    lane_workgroups: u32 = up_to(1 << 20),
    /// Longest segment, in units, that one invocation holds in registers.
    short_row_units: u32 = at_most(16),
    /// Elements that an invocation takes as consecutive short segments.
    short_row_elements: u32 = at_most(1 << 20),
    /// Fewest segments for which one invocation each fills the device.
    lane_segments: u32 = up_to(1 << 30),
    /// Longest segment, in elements, that is not worth splitting even if there are fewer.
    lane_elements: u32 = at_most(1 << 30),
    /// Longest segments, in units, that invocations of a software adapter hold in registers: that begin anywhere, and of whole units.
    resident_row_units: (u32, u32) = from_none(1 << 10),
    /// Fewest units of a segment, of no multiple of four elements, for which invocations that keep its weights hold the units of memory.
    aligned_units: u32 = at_most(1 << 10),
    /// Shortest run, in elements, that is worth following along a segment rather than across segments.
    run_elements: u32 = at_most(1 << 30),
    /// Shortest run, in elements, that is worth following in spans of few long segments.
    span_run_elements: u32 = at_most(1 << 30),
    /// Invocations of a workgroup that is divided among segments.
    subgroup_workgroup: u32 = power_of_two(1024),
    /// Units that an invocation of a resident segment holds at best, and at most.
    resident_units: (u32, u32) = ordered(16),
    /// Invocations of resident segments, where each holds as many units as it should, between which each holds fewer.
    resident_fill: (u32, u32) = powers_of_two(1 << 24),
    /// Most segments that a workgroup takes one after the other, keeping its share of the weights.
    resident_rows: u32 = up_to(1024),
    /// Invocations of a workgroup that shares one segment, at least and at most.
    workgroup_lanes: (u32, u32) = powers_of_two(1024),
    /// Units that an invocation of a resident segment holds at best in the backward pass, and at most.
    gradient_units: (u32, u32) = ordered(8),
    /// Invocations that should work where each adds up what it holds for the gradients of the weights.
    gradient_target: u32 = up_to(1 << 24),
    /// Units that an invocation of such a segment holds at best; longer ones than a subgroup holds so have a workgroup.
    workgroup_units: u32 = up_to(16),
    /// Fewest segments that are held where invocations have to hold more than that; fewer are split.
    workgroup_segments: u32 = up_to(1 << 30),
    /// Invocations of a workgroup that walks over a segment.
    walked_lanes: u32 = power_of_two(1024),
    /// Fewest segments, longer than registers hold, that a workgroup each walks over.
    walked_segments: u32 = up_to(1 << 30),
    /// Longest segment, in elements, that a workgroup walks over; longer ones are split.
    walked_elements: u32 = at_most(1 << 30),
    /// Invocations that share a span when a segment is split.
    split_lanes: u32 = power_of_two(1024),
    /// Invocations that a split should put to work.
    split_target: u32 = up_to(1 << 24),
    /// Fewest units of a span, per invocation.
    split_units: u32 = up_to(1 << 20),
    /// Shortest run, in elements, whose units several invocations of a software adapter share; spans of shorter ones are one's each.
    shared_run_elements: u32 = at_most(1 << 30),
    /// Invocations that a split should put to work where each has a span of such runs.
    alone_target: u32 = up_to(1 << 24),
    /// Invocations that share a unit of columns.
    column_lanes: u32 = power_of_two(64),
    /// Invocations that a split across columns should put to work.
    column_target: u32 = up_to(1 << 24),
    /// Units of columns that an invocation takes in turn, where eight invocations do not cover all of them.
    column_rows: u32 = up_to(16),
    /// Most units of a span where an invocation takes several columns: what a cache holds.
    column_units: u32 = up_to(1 << 20),
    /// Longest segment, in elements, that is not worth splitting across columns.
    column_elements: u32 = at_most(1 << 30),
    /// Fewest columns, of no whole number of units, whose rows are folded.
    fold_columns: u32 = up_to(1 << 30),
    /// Fewest elements for which rows that folding leaves over are worth a dispatch of their own.
    fold_elements: u32 = at_most(1 << 30),
    /// Most parts of a segment that one invocation combines alone.
    finish_parts: u32 = up_to(1 << 14),
    /// Most parts of a segment that every invocation which writes y combines alone.
    apply_parts: u32 = at_most(1 << 10),
}

/// Loop iterations that an invocation may run through, over all its loops: llvmpipe stops at 65,535, silently.
pub const MAX_TRIPS: u64 = 60_000;

impl Tuning {
    /// For adapters that run shaders on the CPU: no barriers, the widest loads, as few invocations as fill it.
    ///
    /// Measured on llvmpipe. [`SOFTWARE_RECORDS`](Self::SOFTWARE_RECORDS) have a row for every threshold: what it may be,
    /// over which geometries, and how near to a copy each value comes.
    pub const SOFTWARE: Self = Self {
        widest_unit: 16,
        lane_workgroup: (8, 256),
        lane_workgroups: 16,
        short_row_units: 4,
        short_row_elements: 8192,
        lane_segments: 32,
        lane_elements: 16384,
        resident_row_units: (64, 128),
        aligned_units: 24,
        run_elements: 16,
        span_run_elements: 256,
        subgroup_workgroup: 8,
        resident_units: (2, 16),
        resident_fill: (1, 1),
        resident_rows: 64,
        workgroup_lanes: (16, 256),
        workgroup_units: 2,
        workgroup_segments: 1,
        walked_lanes: 256,
        walked_segments: 1 << 30,
        walked_elements: 0,
        gradient_units: (1, 8),
        gradient_target: 512,
        split_lanes: 8,
        split_target: 256,
        split_units: 32,
        shared_run_elements: 8192,
        alone_target: 4096,
        column_lanes: 1,
        column_target: 256,
        column_rows: 4,
        column_units: 512,
        column_elements: 32,
        fold_columns: 2,
        fold_elements: 0,
        finish_parts: 1024,
        apply_parts: 0,
    };

    /// For software adapters whose subgroups have fewer than eight lanes: more of a segment falls to each of them than is
    /// worth holding (SwiftShader, layer norm of 4096×1024: 0.13 of a copy with all of it in registers, 0.26 without).
    /// `benches/records/2026-11-26-llvmpipe-resident.md` has more. Nor are short rows held (16384×64: 0.09, and 0.11 without;
    /// `benches/records/2026-11-27-llvmpipe-aligned.md`).
    pub const SOFTWARE_NARROW: Self = Self {
        resident_row_units: (0, 0),
        short_row_units: 0,
        ..Self::SOFTWARE
    };

    /// For software adapters without subgroups: a segment is one invocation's, since barriers cost more than anything
    /// (llvmpipe through GL, layer norm of 32768×128: 0.15 of a copy with eight invocations, 0.32 with one that reads it twice,
    /// 0.64 to 0.66 with one that holds it). `benches/records/2026-11-27-llvmpipe-aligned.md`.
    pub const SOFTWARE_ALONE: Self = Self {
        resident_row_units: (0, 0),
        short_row_units: 16,
        ..Self::SOFTWARE
    };

    /// The records that justify [`SOFTWARE`](Self::SOFTWARE), in the repository; of two rows for one threshold the later
    /// record's holds. `tests/records.rs` compares them with the table.
    pub const SOFTWARE_RECORDS: &[&str] = &[
        "benches/records/2026-11-27-llvmpipe-tune.json",
        "benches/records/2026-11-27-llvmpipe-tune-again.json",
        "benches/records/2026-11-27-llvmpipe-tune-runs.json",
        "benches/records/2026-11-27-llvmpipe-tune-samples.json",
    ];

    /// Thresholds of variants that the planner does not choose on software adapters: they have no row.
    pub const SOFTWARE_UNUSED: &[&str] = &[
        "resident_fill",
        "workgroup_units",
        "workgroup_segments",
        "walked_lanes",
        "walked_segments",
        "walked_elements",
        "apply_parts",
    ];

    /// The records that justify [`HARDWARE`](Self::HARDWARE), likewise.
    pub const HARDWARE_RECORDS: &[&str] = &[
        "benches/records/2026-11-27-h100-tune.json",
        "benches/records/2026-11-27-h100-tune-units.json",
        "benches/records/2026-11-27-h100-tune-folded.json",
        "benches/records/2026-11-27-h100-tune-walked.json",
    ];

    /// Thresholds of variants that the planner does not choose on hardware, or of kernels of software adapters, and the unit,
    /// which is the widest load of a GPU: they have no row.
    pub const HARDWARE_UNUSED: &[&str] = &[
        "widest_unit",
        "span_run_elements",
        "lane_workgroup",
        "lane_workgroups",
        "short_row_units",
        "short_row_elements",
        "lane_elements",
        "resident_row_units",
        "aligned_units",
        "shared_run_elements",
        "alone_target",
        "column_rows",
        "column_units",
        "column_elements",
    ];

    /// For hardware adapters: coalesced loads, every segment in registers, enough workgroups to fill the device.
    ///
    /// Measured on an NVIDIA H200 (`benches/records/2026-11-27-h200-thresholds.md` and, what is not in there,
    /// `2026-11-26-h200-thresholds.md`) and again on an H100, whose tables [`HARDWARE_RECORDS`](Self::HARDWARE_RECORDS) lists;
    /// `2026-11-27-h100-thresholds.md` says what they do not. `wgnorm tune` measures them on another adapter.
    pub const HARDWARE: Self = Self {
        widest_unit: 4,
        lane_workgroup: (64, 64),
        lane_workgroups: 4096,
        short_row_units: 0,
        short_row_elements: 0,
        lane_segments: 1 << 16,
        lane_elements: 0,
        resident_row_units: (0, 0),
        aligned_units: 0,
        run_elements: 16,
        span_run_elements: 0,
        subgroup_workgroup: 128,
        resident_units: (4, 16),
        resident_fill: (1 << 17, 1 << 19),
        resident_rows: 1,
        workgroup_lanes: (64, 512),
        workgroup_units: 8,
        workgroup_segments: 1,
        walked_lanes: 1024,
        walked_segments: 64,
        walked_elements: 1 << 20,
        gradient_units: (2, 8),
        gradient_target: 1 << 17,
        split_lanes: 256,
        split_target: 1 << 18,
        split_units: 16,
        shared_run_elements: 0,
        alone_target: 4096,
        column_lanes: 8,
        column_target: 1 << 16,
        column_rows: 1,
        column_units: 1 << 20,
        column_elements: 0,
        fold_columns: 16,
        fold_elements: 1 << 24,
        finish_parts: 2,
        apply_parts: 8,
    };

    /// The built-in table's row for a device.
    pub fn for_traits(traits: &crate::DeviceTraits) -> &'static Self {
        match (traits.software, traits.subgroup_size) {
            (true, Some((..8, _))) => &Self::SOFTWARE_NARROW,
            (true, None) => &Self::SOFTWARE_ALONE,
            (true, _) => &Self::SOFTWARE,
            (false, _) => &Self::HARDWARE,
        }
    }
}
