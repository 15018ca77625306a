//! The index arithmetic of `shaders/traversal.wgsl` and `shaders/units_of_memory.wgsl`, written again: which units an invocation visits.

use std::iter::StepBy;
use std::ops::Range;

use wgnorm::plan::Step;
use wgnorm::shader::{Header, Kernel, ParamDigit, Params};

/// Where a segment begins. Indices count units where the shader's do.
#[derive(Clone, Copy)]
pub struct Start {
    pub x: u32,
    pub y: u32,
    pub weight: u32,
    pub record: u32,
    /// Elements before the first unit, which the indices are those of.
    head: u32,
}

#[derive(Clone, Copy)]
pub struct Cursor {
    pub x: u32,
    pub y: u32,
    pub weight: u32,
    unit: u32,
    run: u32,
}

/// A span of a segment.
pub struct Span {
    pub segment: u32,
    pub index: u32,
    pub first: u32,
    pub units: u32,
}

/// What one invocation takes of a segment, or of a span of it.
pub struct Share {
    /// The segment, or the group of neighbouring ones that a unit spans.
    pub segment: u32,
    /// The span of the segment.
    pub span: u32,
    pub first: u32,
    pub units: u32,
    /// The channel of `first`.
    pub channel: u32,
}

#[derive(Clone, Copy)]
pub struct Walk<'a> {
    pub header: &'a Header,
    pub p: &'a Params,
}

impl<'a> Walk<'a> {
    pub fn new(step: &'a Step) -> Self {
        Self {
            header: &step.header,
            p: &step.params,
        }
    }

    pub fn segment_at(&self, index: u32) -> Start {
        let p = self.p;
        let (mut x, mut y, mut weight, mut record) = (p.x_offset, p.y_offset, p.weight_offset, p.record_offset);
        for (position, digit) in decode(&p.digits[..self.header.kept as usize], index) {
            x += position * digit.x;
            weight += position * digit.weight;
            record += position * digit.record;
            if self.header.own_y {
                y += position * digit.y;
            }
        }
        let mut head = 0;
        if self.header.sixteens {
            head = x.wrapping_neg() % 16;
            assert!(!self.header.own_y && self.header.reduced == 0);
            weight += if self.header.weight_varies { head } else { 0 };
        }
        let x = x + head;
        Start {
            x,
            y,
            weight,
            record,
            head,
        }
    }

    /// An index of what is kept by column, which begins again with each of the rows that are taken for one.
    pub fn of_column(&self, index: u32, first: u32) -> u32 {
        match self.header.fold {
            1 => index,
            _ => first + (index - first) % self.p.channels,
        }
    }

    /// Where the part of a span of a segment lies after those of earlier dispatches: segments of folded rows are numbered
    /// [outer][row][column], their parts [row][outer][column].
    pub fn part(&self, span: u32, record: u32) -> u32 {
        let (fold, stride) = (self.header.fold, self.p.parts_stride);
        if fold == 1 {
            return span * stride + record;
        }
        let (row, column) = (record / self.p.channels, record % self.p.channels);
        (span * fold + row % fold) * stride + row / fold * self.p.channels + column
    }

    /// The record of a segment.
    pub fn record(&self, index: u32) -> u32 {
        if self.header.fold == 1 {
            return index;
        }
        let (first, columns) = (self.p.record_offset, self.p.channels);
        let i = index - first;
        first + i / (self.header.fold * columns) * columns + i % columns
    }

    /// Elements of a run that fill no unit.
    pub fn loose(&self, at: Start) -> u32 {
        self.p.tail + (self.p.units - self.units(at)) * self.header.unit.width()
    }

    /// Units of a segment.
    pub fn units(&self, at: Start) -> u32 {
        match self.header.sixteens {
            true => (self.p.units * 16 + self.p.tail - at.head) / 16,
            false => self.p.units,
        }
    }

    fn run_units(&self, at: Start) -> u32 {
        match self.header.sixteens {
            true => self.units(at),
            false => self.p.run_units,
        }
    }

    /// The cursors of `units` units from `first` on, as far apart as lanes are many.
    pub fn cursors(&self, at: Start, first: u32, units: u32) -> impl Iterator<Item = Cursor> {
        let mut next = (units > 0).then(|| self.cursor_at(at, first));
        let mut left = units;
        std::iter::from_fn(move || {
            let cursor = next?;
            left -= 1;
            next = (left > 0).then(|| self.advance(cursor, at));
            Some(cursor)
        })
    }

    pub fn cursor_at(&self, at: Start, unit: u32) -> Cursor {
        if self.header.runs {
            let run_units = self.run_units(at);
            let run = unit / run_units;
            return self.cursor_in_run(at, run, unit - run * run_units);
        }
        self.in_run(at, 0, unit)
    }

    /// A cursor without the digits of its run.
    fn in_run(&self, at: Start, run: u32, unit: u32) -> Cursor {
        Cursor {
            x: at.x + unit * self.step_x(),
            y: at.y + unit * self.step_y(),
            weight: at.weight + unit * self.step_weight(),
            unit,
            run,
        }
    }

    fn cursor_in_run(&self, at: Start, run: u32, unit: u32) -> Cursor {
        let Header {
            kept, reduced, own_y, ..
        } = *self.header;
        let mut c = self.in_run(at, run, unit);
        for (position, digit) in decode(&self.p.digits[kept as usize..(kept + reduced) as usize], run) {
            c.x += position * digit.x;
            c.weight += position * digit.weight;
            if own_y {
                c.y += position * digit.y;
            }
        }
        c
    }

    pub fn advance(&self, c: Cursor, at: Start) -> Cursor {
        // The kernel where lanes and strides differ does not walk.
        assert_ne!(self.header.kernel, Kernel::Finish);
        let (stride, run_units) = (self.header.lanes, self.run_units(at));
        if !self.header.runs {
            return Cursor {
                x: c.x + stride * self.step_x(),
                y: c.y + stride * self.step_y(),
                weight: c.weight + stride * self.step_weight(),
                ..c
            };
        }
        if stride > 1 {
            return self.cursor_at(at, c.run * run_units + c.unit + stride);
        }
        if c.unit + 1 < run_units {
            return Cursor {
                x: c.x + self.step_x(),
                y: c.y + self.step_y(),
                weight: c.weight + self.step_weight(),
                unit: c.unit + 1,
                run: c.run,
            };
        }
        self.cursor_in_run(at, c.run + 1, 0)
    }

    fn span_of(&self, segment: u32, span: u32) -> Span {
        let p = self.p;
        let first = span * p.span_units;
        Span {
            segment,
            index: span,
            first,
            units: p.span_units.min(p.units - first.min(p.units)),
        }
    }

    /// What one of the lanes takes of `units`.
    pub fn lane_share(&self, units: u32, lane: u32) -> u32 {
        (units + self.header.lanes - 1 - lane) / self.header.lanes
    }

    pub fn place_in_y(&self, c: Cursor) -> u32 {
        match (self.header.own_y, self.header.shifted) {
            (true, _) => c.y,
            (false, true) => c.x.wrapping_add(self.p.y_shift),
            (false, false) => c.x,
        }
    }

    pub fn place_in_bias(&self, weight: u32) -> u32 {
        match self.header.shifted {
            true => weight.wrapping_add(self.p.bias_shift),
            false => weight,
        }
    }

    /// Where a share moves elements: cursors, and which of the neighbouring elements from each on.
    pub fn moves(&self, at: Start, share: &Share) -> impl Iterator<Item = (Cursor, StepBy<Range<u32>>)> {
        let (sixteens, registers) = (self.header.sixteens, self.header.tail_share > 0);
        let units = self.cursors(at, share.first, share.units).map(move |c| {
            assert!(!sixteens || c.x.is_multiple_of(16) && self.place_in_y(c).is_multiple_of(16));
            (c, (0..self.reach(c)).step_by(1))
        });
        // Lanes that hold a segment in registers share the elements beside its units, too.
        let (lane, lanes) = (share.first, self.header.lanes);
        let behind = (sixteens || registers).then(|| {
            // Those of the head come first.
            let first = (lane + lanes - at.head % lanes) % lanes;
            let behind = self.loose(at) - at.head;
            (
                self.in_run(at, 0, self.units(at)),
                (first..behind).step_by(lanes as usize),
            )
        });
        let head = sixteens.then(|| {
            let mut c = self.in_run(at, 0, 0);
            c.x -= at.head;
            c.weight -= if self.header.weight_varies { at.head } else { 0 };
            (c, (lane..at.head).step_by(lanes as usize))
        });
        units.chain(behind).chain(head)
    }

    /// Neighbouring elements that are moved from a cursor on: those of its unit, and after the last unit of a run those
    /// that fill no unit.
    pub fn reach(&self, c: Cursor) -> u32 {
        let behind = self.header.tail && self.header.tail_share == 0 && !self.header.sixteens;
        let last = behind && c.unit + 1 == self.p.run_units;
        self.header.unit.width() + if last { self.p.tail } else { 0 }
    }

    /// The index of an element of x, y, or of weights that differ between elements, from that of its unit.
    pub fn element(&self, index: u32, j: u32) -> u32 {
        index * self.header.unit.index_width() + j
    }

    fn step_x(&self) -> u32 {
        let unit = self.header.unit;
        if self.header.unit_steps {
            unit.width() / unit.index_width()
        } else {
            self.p.step_x
        }
    }

    fn step_y(&self) -> u32 {
        if self.header.own_y { self.p.step_y } else { 0 }
    }

    fn step_weight(&self) -> u32 {
        match self.header.unit_steps {
            true => self.header.weight_step,
            false => self.p.step_weight,
        }
    }
}

/// The position of `index` in each of `digits`, innermost first; the outermost takes whatever is left.
fn decode(digits: &[ParamDigit], index: u32) -> impl Iterator<Item = (u32, &ParamDigit)> {
    let mut rest = index;
    digits.iter().enumerate().map(move |(i, digit)| {
        if i + 1 == digits.len() {
            return (rest, digit);
        }
        let position = rest % digit.extent;
        rest /= digit.extent;
        (position, digit)
    })
}

/// What the invocations of a kernel that reads x take. Those that have nothing to take only repeat what others read.
pub fn shares(step: &Step) -> Vec<Share> {
    let (header, p, walk) = (&step.header, &step.params, Walk::new(step));
    let (lanes, workgroup) = (header.lanes, header.workgroup);
    let mut shares = Vec::new();
    let mut push = |segment, span, first, lane: u32, units| {
        let units = walk.lane_share(units, lane);
        if units > 0 || (header.tail_share > 0 && lane < walk.loose(walk.segment_at(segment))) {
            shares.push(Share {
                segment,
                span,
                first: first + lane,
                units,
                channel: p.first_channel + first,
            });
        }
    };
    let spans = matches!(header.kernel, Kernel::Partial | Kernel::Apply | Kernel::Window);
    for group in 0..step.workgroups as u32 {
        for invocation in 0..workgroup {
            let alone = group * workgroup + invocation;
            if header.kernel == Kernel::Apply && header.parameters.sharers().is_some() {
                let blocks = p.segments.div_ceil(workgroup);
                let (span, segment) = (group / blocks, group % blocks * workgroup + invocation);
                if span < p.spans && segment < p.segments {
                    let span = walk.span_of(segment, span);
                    push(span.segment, span.index, span.first, 0, span.units);
                }
                continue;
            }
            if spans && lanes > 1 {
                let columns = workgroup / lanes;
                let tiles = p.segments.div_ceil(columns);
                let (tile, span) = match columns {
                    1 => (group / p.spans, group % p.spans),
                    _ => (group % tiles, group / tiles),
                };
                let segment = tile * columns + invocation % columns;
                if span < p.spans && segment < p.segments {
                    let span = walk.span_of(segment, span);
                    push(span.segment, span.index, span.first, invocation / columns, span.units);
                }
                continue;
            }
            if spans {
                let blocks = p.segments.div_ceil(header.rows);
                let (span, first) = (alone / blocks, alone % blocks * header.rows);
                if span < p.spans {
                    for segment in first..p.segments.min(first + header.rows) {
                        let span = walk.span_of(segment, span);
                        push(span.segment, span.index, span.first, 0, span.units);
                    }
                }
                continue;
            }
            for row in 0..header.rows {
                // Neighbours, or as many apart as the period is.
                let (block, first) = (group / header.period, group % header.period);
                let (segment, lane) = match header.kernel {
                    Kernel::Lane => ((block * workgroup + invocation) * header.period + first, 0),
                    Kernel::ShortRows => (alone * header.rows + row, 0),
                    Kernel::Tile => {
                        let columns = workgroup / lanes;
                        (group * columns + invocation % columns, invocation / columns)
                    }
                    _ => (
                        ((block * header.rows + row) * (workgroup / lanes) + invocation / lanes) * header.period
                            + first,
                        invocation % lanes,
                    ),
                };
                assert!(!header.full_groups || segment < p.segments);
                if segment < p.segments {
                    let at = walk.segment_at(segment);
                    // Those that share weights begin alike.
                    let alike = walk.segment_at(first);
                    assert!(header.period == 1 || at.head == alike.head);
                    push(segment, 0, 0, lane, walk.units(at));
                }
            }
        }
    }
    shares
}
