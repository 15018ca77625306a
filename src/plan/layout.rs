//! Geometry to units: how the kernels of one dispatch walk over segments.

use crate::geometry::{Digit, Geometry};
use crate::shader::{Header, ParamDigit, Parameters, Params, Unit};
use crate::tuning::MAX_TRIPS;

/// Along which direction neighbouring elements of a unit lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traversal {
    /// Along a segment, by one invocation.
    Rows,
    /// Along a segment, by invocations that take its units in turn: all of it has to be whole units.
    SharedRows,
    /// Along a segment, by invocations that hold it in registers: elements beyond whole units may follow its only run.
    HeldRows,
    /// Across neighbouring segments.
    Columns,
}

/// What of a binding decides the unit: elements before the tensor, or a piece of it, in its binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offsets {
    /// Elements before x.
    pub x: u32,
    /// Elements before y.
    pub y: u32,
    /// Elements before the weight.
    pub weight: u32,
    /// Elements before the bias.
    pub bias: u32,
    /// Elements before dx.
    pub dx: u32,
}

/// What indices of weights stand for in a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Nothing: none are read.
    Ignored,
    /// Weight and bias.
    Read,
    /// Records, in walks whose segments are the elements of the weight.
    Records,
}

impl Weights {
    /// Weight and bias, if there are any.
    pub fn read_if(weighted: bool) -> Self {
        if weighted { Self::Read } else { Self::Ignored }
    }
}

/// A walk over a geometry in units.
#[derive(Debug, Clone)]
pub struct Layout {
    pub unit: Unit,
    /// Groups of neighbouring segments that a unit spans: segments for rows.
    pub groups: u32,
    /// Units of a segment.
    pub units: u32,
    run_units: u32,
    /// Elements after the units of every run.
    tail: u32,
    odd: bool,
    y_odd: bool,
    fours: bool,
    y_fours: bool,
    step_x: u32,
    step_y: u32,
    step_weight: u32,
    own_y: bool,
    weight_in_unit: bool,
    weight_varies: bool,
    record_step: u32,
    normalizer_step: u32,
    kept: Vec<ParamDigit>,
    reduced: Vec<ParamDigit>,
    offsets: Offsets,
    /// Rows of `columns` segments each that are taken for one: as many parts of each segment.
    pub fold: u32,
    columns: u32,
}

impl Layout {
    /// The layout with the widest unit of at most `widest` elements that the geometry and the offsets allow.
    /// None if the geometry has no neighbouring segments to
    /// traverse across.
    pub fn new(
        geometry: &Geometry,
        traversal: Traversal,
        widest: u32,
        weights: Weights,
        offsets: Offsets,
    ) -> Option<Self> {
        if traversal == Traversal::Columns && !has_columns(geometry) {
            return None;
        }
        let units: &[Unit] = match traversal {
            Traversal::Rows => &[Unit::Mat4, Unit::Loose, Unit::Vec4],
            Traversal::HeldRows if geometry.reduced.len() < 2 => &[Unit::Mat4, Unit::Loose, Unit::Vec4],
            Traversal::SharedRows | Traversal::HeldRows => &[Unit::Mat4, Unit::Vec4],
            Traversal::Columns => &[Unit::Columns],
        };
        let unit = units
            .iter()
            .copied()
            .filter(|unit| unit.width() <= widest)
            .find(|unit| fits(geometry, traversal, *unit, weights, offsets))
            .unwrap_or(Unit::Scalar);
        Some(Self::with_unit(geometry, traversal, unit, weights, offsets))
    }

    fn with_unit(geometry: &Geometry, traversal: Traversal, unit: Unit, weights: Weights, offsets: Offsets) -> Self {
        let width = unit.width();
        let none = Digit {
            extent: 1,
            x: 0,
            y: 0,
            weight: 0,
            record: 0,
        };
        let run = geometry.reduced.last().copied().unwrap_or(none);
        let across = inner_digit(geometry, traversal).copied().unwrap_or(none);
        let weight_in_unit = weights == Weights::Read && across.weight != 0;
        let index_width = unit.index_width();
        let weight_scale = if weight_in_unit { index_width } else { 1 };
        // The digit along the unit steps by one unit, all others by whole numbers of them.
        let in_units = |stride: u32, width: u32| (stride / width).max(u32::from(stride == 1));
        let scale = |digit: &Digit, extent: u32, record: u32| ParamDigit {
            extent,
            x: in_units(digit.x, index_width),
            y: in_units(digit.y, index_width),
            weight: match weights {
                Weights::Ignored => 0,
                Weights::Read => in_units(digit.weight, weight_scale),
                Weights::Records => digit.weight,
            },
            record,
            ..ParamDigit::default()
        };
        let mut kept: Vec<_> = geometry
            .kept
            .iter()
            .rev()
            .map(|d| scale(d, d.extent, d.record))
            .collect();
        let mut groups = geometry.segments;
        let mut units = geometry.length;
        let mut run_units = run.extent;
        let mut tail = 0;
        if traversal == Traversal::Columns {
            if let (Some(digit), true) = (kept.first_mut(), width > 1) {
                digit.extent /= width;
                digit.record *= width;
                if weights == Weights::Records {
                    digit.weight *= width;
                }
                groups /= width;
            }
        } else {
            tail = run_units % width;
            run_units /= width;
            units = units / run.extent.max(1) * run_units;
        }
        let outer = &geometry.reduced[..geometry.reduced.len().saturating_sub(1)];
        let mut step = scale(&run, run.extent, 0);
        if unit == Unit::Loose {
            // Indices count elements.
            (step.x, step.y, step.weight) = (step.x * width, step.y * width, step.weight * width);
        }
        let reduced: Vec<_> = outer.iter().rev().map(|d| scale(d, d.extent, 0)).collect();
        let differs = |digit: &ParamDigit| digit.x != digit.y;
        let own_y = differs(&step) || kept.iter().chain(&reduced).any(differs);
        let odd = |n: u32| !n.is_multiple_of(2);
        let starts = || kept.iter().chain(&reduced);
        let four = |n: u32| n.is_multiple_of(4);
        let loose = unit == Unit::Loose;
        Self {
            unit,
            groups,
            units,
            run_units,
            tail,
            odd: loose && (odd(offsets.x) || starts().any(|digit| odd(digit.x))),
            y_odd: loose && (odd(offsets.y) || starts().any(|digit| odd(digit.y))),
            fours: loose && four(offsets.x) && starts().all(|digit| four(digit.x)),
            y_fours: loose && four(offsets.y) && starts().all(|digit| four(digit.y)),
            step_x: step.x,
            step_y: step.y,
            own_y,
            step_weight: step.weight,
            weight_in_unit,
            weight_varies: step.weight != 0,
            record_step: if unit == Unit::Columns { across.record } else { 1 },
            normalizer_step: match (unit, weights) {
                (Unit::Columns, Weights::Records) => across.weight,
                (Unit::Columns, _) => across.record,
                _ => 1,
            },
            kept,
            reduced,
            offsets,
            fold: 1,
            columns: 0,
        }
    }

    /// Walks across columns whose number is no multiple of a unit: as few rows as make up whole units are taken for one row
    /// of as many times the columns, and the rows that this leaves over are a walk of their own. None if rows do not follow
    /// each other without a gap.
    pub fn folded(geometry: &Geometry, widest: u32, weights: Weights, offsets: Offsets) -> Option<Vec<Self>> {
        let ([outer @ .., columns], [.., rows]) = (&geometry.kept[..], &geometry.reduced[..]) else {
            return None;
        };
        let width = Unit::Columns.width();
        let fold = width >> columns.extent.trailing_zeros().min(width.ilog2());
        let follow = has_columns(geometry) && (rows.x, rows.y) == (columns.extent, columns.extent);
        let numbered = columns.record == 1 && outer.iter().all(|digit| digit.record.is_multiple_of(columns.extent));
        let weighted = weights == Weights::Read;
        let by_column = columns.weight == 1 && outer.iter().chain(&geometry.reduced).all(|digit| digit.weight == 0);
        if fold == 1 || rows.extent < fold || !follow || !numbered || (weighted && !by_column) {
            return None;
        }
        let of_rows = |extent: u32| {
            let mut some = geometry.clone();
            some.reduced.last_mut()?.extent = extent;
            some.length = some.length / rows.extent * extent;
            Some(some)
        };
        let (whole, rest) = (rows.extent / fold, rows.extent % fold);
        let mut folded = of_rows(whole)?;
        let across = columns.extent.checked_mul(fold)?;
        folded.segments = geometry.segments.checked_mul(fold)?;
        for digit in &mut folded.kept {
            // Numbered as if each row had segments of its own: see folded.wgsl.
            digit.record *= fold;
        }
        let innermost = folded.kept.last_mut()?;
        (innermost.extent, innermost.record) = (across, 1);
        let row = folded.reduced.last_mut()?;
        (row.x, row.y) = (across, across);
        let mut layout = Self::new(&folded, Traversal::Columns, widest, Weights::Ignored, offsets)?;
        if layout.unit != Unit::Columns {
            return None;
        }
        (layout.fold, layout.columns) = (fold, columns.extent);
        if weighted {
            // As are they.
            layout.kept.first_mut()?.weight = width;
        }
        let mut walks = vec![layout];
        if rest > 0 {
            let before = whole * across;
            let offsets = Offsets {
                x: offsets.x + before,
                y: offsets.y + before,
                ..offsets
            };
            walks.push(Self::new(
                &of_rows(rest)?,
                Traversal::Columns,
                widest,
                weights,
                offsets,
            )?);
        }
        Some(walks)
    }

    /// Where units may begin at multiples of sixteen elements of memory (see [`Header::sixteens`]): segments after which the
    /// next one begins as the first, if that is known.
    pub fn aligns(&self) -> Option<Option<u32>> {
        let width = self.unit.width();
        let begins_alike = self.offsets.x % width == self.offsets.y % width;
        let length = self.units * width + self.tail;
        // With a head of fifteen elements there are still two units.
        if self.unit != Unit::Loose || !self.is_one_run() || self.own_y || !begins_alike || length < 3 * width {
            return None;
        }
        Some(match &self.kept[..] {
            [] => Some(1),
            [digit] => Some(width >> digit.x.trailing_zeros().min(width.ilog2())),
            _ => None,
        })
    }

    /// Makes units begin at multiples of sixteen elements, and the segments of an invocation, or of a workgroup, lie `period` apart.
    pub fn align(&self, header: &mut Header, period: u32) {
        (header.sixteens, header.tail, header.period) = (true, true, period);
        // A segment is one run, and what is beside its units is not behind them alone.
        header.full_lanes = false;
        // A head and what is behind make up what the length leaves of units, and another unit where the head is more than that.
        let width = self.unit.width();
        let starts = self
            .kept
            .iter()
            .fold(width | self.offsets.x, |all, digit| all | digit.x);
        let longest_head = width - (1 << starts.trailing_zeros());
        let more = if longest_head > self.tail { width } else { 0 };
        header.tail_share = (self.tail + more).div_ceil(header.lanes);
    }

    /// True if loose units begin at multiples of four elements.
    pub fn begins_at_fours(&self) -> bool {
        self.fours && self.y_fours
    }

    /// True if all segments read the same weight and bias.
    pub fn same_weights(&self) -> bool {
        self.kept.iter().all(|digit| digit.weight == 0)
    }

    /// True if all elements of a segment have the same weight.
    pub fn has_one_weight(&self) -> bool {
        !self.weight_in_unit && self.step_weight == 0 && self.reduced.iter().all(|digit| digit.weight == 0)
    }

    /// True if weight and bias differ between the elements of a unit.
    pub fn weight_in_unit(&self) -> bool {
        self.weight_in_unit
    }

    /// Loop iterations, at worst, of an invocation that takes `units` units, one of every `lanes`: over the units and the elements
    /// after their runs for the statistics, three times more over every chunk, and once for the application.
    pub fn trips(&self, units: u32, lanes: u32) -> u64 {
        let units = u64::from(units);
        // Runs end chunks, and each begins in one.
        let runs = match self.follows_runs() {
            true => units.min(units * u64::from(lanes) / u64::from(self.run_units) + 2),
            false => 1,
        };
        // Beside units that begin elsewhere than their run, there may be as many elements more as a unit has.
        let head = match self.unit == Unit::Loose && self.is_one_run() {
            true => self.unit.width(),
            false => 0,
        };
        5 * units + 5 * (u64::from(self.tail + head) + 5) * runs + 30 * (units / u64::from(self.unit.chunk()) + 1) + 64
    }

    /// The most units that an invocation may take, one of every `lanes`.
    pub fn most_units(&self, lanes: u32) -> u32 {
        // Trips grow in steps: the bound is found between none and as many as iterations.
        let (mut most, mut beyond) = (1, MAX_TRIPS as u32);
        while beyond - most > 1 {
            let middle = most.midpoint(beyond);
            match self.trips(middle, lanes) <= MAX_TRIPS {
                true => most = middle,
                false => beyond = middle,
            }
        }
        most
    }

    /// True if the walk follows runs: several, or one with elements after it.
    fn follows_runs(&self) -> bool {
        !self.reduced.is_empty() || self.tail > 0
    }

    /// True if a segment is one run of whole units.
    pub fn is_whole(&self) -> bool {
        self.is_one_run() && self.tail == 0
    }

    /// True if a segment is one run.
    pub fn is_one_run(&self) -> bool {
        self.reduced.is_empty()
    }

    /// Elements of a run of one segment.
    pub fn run_elements(&self) -> u32 {
        self.run_units * self.unit.per_segment() + self.tail
    }

    /// True if a segment is runs that follow each other in x and y, each with a weight of its own.
    fn is_flat(&self) -> bool {
        let next = |step: u32| self.run_units * step;
        let follows = |run: &ParamDigit| run.x == next(self.step_x) && run.y == next(self.step_y);
        self.tail == 0 && self.step_weight == 0 && matches!(&self.reduced[..], [run] if follows(run))
    }

    /// As [`header`](Self::header), for `lanes` invocations that hold a segment in registers.
    pub fn resident_header(&self, header: &mut Header, lanes: u32) {
        self.header(header);
        header.lanes = lanes;
        header.units = self.units.div_ceil(lanes);
        header.full_lanes = self.units.is_multiple_of(lanes);
        header.runs = !self.is_one_run();
        header.flat = self.is_flat();
        header.tail_share = self.tail.div_ceil(lanes);
    }

    /// Sets what of a header follows from the layout.
    pub fn header(&self, header: &mut Header) {
        header.unit = self.unit;
        header.kept = self.kept.len() as u32;
        header.reduced = self.reduced.len() as u32;
        header.runs = self.follows_runs();
        header.tail = self.tail > 0;
        (header.odd, header.y_odd) = (self.odd, self.y_odd);
        (header.fours, header.y_fours) = (self.fours, self.y_fours);
        header.own_y = self.own_y;
        header.parameters = if self.weight_in_unit {
            Parameters::Unit
        } else {
            Parameters::Scalar
        };
        header.weight_varies = self.weight_varies;
        header.record_step = self.record_step;
        header.normalizer_step = self.normalizer_step;
        header.fold = self.fold;
    }

    /// Sets what of the parameters follows from the layout.
    pub fn params(&self, params: &mut Params) {
        for (to, from) in params.digits.iter_mut().zip(self.kept.iter().chain(&self.reduced)) {
            *to = *from;
        }
        let width = self.unit.index_width();
        let weight_width = if self.weight_in_unit { width } else { 1 };
        if self.fold > 1 {
            params.channels = self.columns;
        }
        params.tail = self.tail;
        params.segments = self.groups;
        params.units = self.units;
        params.run_units = self.run_units;
        params.step_x = self.step_x;
        params.step_y = self.step_y;
        params.step_weight = self.step_weight;
        params.x_offset = self.offsets.x / width;
        params.y_offset = self.offsets.y / width;
        params.y_shift = params.y_offset.wrapping_sub(params.x_offset);
        params.dx_shift = (self.offsets.dx / width).wrapping_sub(params.x_offset);
        params.weight_offset = self.offsets.weight / weight_width;
        params.bias_shift = (self.offsets.bias / weight_width).wrapping_sub(params.weight_offset);
    }
}

/// The digit that neighbouring elements of a unit belong to.
fn inner_digit(geometry: &Geometry, traversal: Traversal) -> Option<&Digit> {
    match traversal {
        Traversal::Rows | Traversal::SharedRows | Traversal::HeldRows => geometry.reduced.last(),
        Traversal::Columns => geometry.kept.last(),
    }
}

/// True if the innermost digit is a kept, contiguous one.
pub fn has_columns(geometry: &Geometry) -> bool {
    !geometry.inner_reduced && geometry.kept.last().is_some_and(|d| d.x == 1 && d.y == 1)
}

/// The geometry with its innermost run counted among the kept digits, so that it can be traversed across: each of
/// its columns is a part of a segment. None if there is no such run inside other segments.
pub fn run_as_columns(geometry: &Geometry) -> Option<Geometry> {
    let run = geometry.run();
    if !geometry.inner_reduced || run == geometry.length {
        return None;
    }
    let mut parts = geometry.clone();
    let digit = parts.reduced.pop()?;
    parts.kept.push(digit);
    parts.segments *= digit.extent;
    parts.length /= digit.extent;
    parts.inner_reduced = false;
    (digit.x == 1 && digit.y == 1).then_some(parts)
}

/// True if every index that the walk makes is a whole number of units.
fn fits(geometry: &Geometry, traversal: Traversal, unit: Unit, weights: Weights, offsets: Offsets) -> bool {
    let width = unit.width();
    let Some(across) = inner_digit(geometry, traversal) else {
        return false;
    };
    let neighbours = across.x == 1 && across.y == 1;
    if unit == Unit::Loose {
        return neighbours
            && geometry.inner_reduced
            && across.extent >= width
            && (weights == Weights::Ignored || across.weight <= 1);
    }
    let contiguous = neighbours && across.extent.is_multiple_of(width);
    let rows = traversal != Traversal::Columns;
    let others = || {
        let kept = &geometry.kept[..geometry.kept.len() - usize::from(!rows)];
        let reduced = &geometry.reduced[..geometry.reduced.len() - usize::from(rows)];
        kept.iter().chain(reduced)
    };
    let whole = |n: u32| n.is_multiple_of(width);
    let weights = match (weights, across.weight) {
        (Weights::Ignored, _) | (_, 0) => true,
        (Weights::Read, 1) => others().all(|d| whole(d.weight)) && whole(offsets.weight) && whole(offsets.bias),
        (Weights::Read, _) => false,
        // A unit of columns has as many records, one of rows only one.
        (Weights::Records, _) => !rows,
    };
    contiguous
        && (!rows || geometry.inner_reduced)
        && others().all(|d| whole(d.x) && whole(d.y))
        && whole(offsets.x)
        && whole(offsets.y)
        && whole(offsets.dx)
        && weights
}
