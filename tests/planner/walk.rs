//! The index arithmetic of the kernels on the CPU: `shaders/traversal.wgsl` and the loops around it.

use wgnorm::plan::Step;
use wgnorm::shader::{Header, Kernel, ParamDigit, Params};

/// A unit of x that an invocation reads, and what else it goes with. Indices count units where the shader's do.
pub struct Visit {
    pub x: u32,
    pub weight: u32,
    pub record: u32,
    pub segment: u32,
}

pub struct Walk<'a> {
    header: &'a Header,
    p: &'a Params,
    workgroups: u32,
}

#[derive(Clone, Copy)]
struct Cursor {
    x: u32,
    weight: u32,
    unit: u32,
    run: u32,
}

impl<'a> Walk<'a> {
    pub fn new(step: &'a Step) -> Self {
        Self {
            header: &step.header,
            p: &step.params,
            workgroups: step.workgroups as u32,
        }
    }

    /// Calls `f` for every unit that the dispatch reads and does not discard.
    pub fn visit(&self, mut f: impl FnMut(Visit)) {
        let Header {
            kernel,
            workgroup,
            lanes,
            rows,
            ..
        } = *self.header;
        let p = self.p;
        for group in 0..self.workgroups {
            for invocation in 0..workgroup {
                let alone = group * workgroup + invocation;
                match kernel {
                    Kernel::Lane => self.share(alone, 0, 0, p.units, &mut f),
                    Kernel::Column => {
                        let columns = workgroup / lanes;
                        let segment = group * columns + invocation % columns;
                        self.share(segment, 0, invocation / columns, p.units, &mut f);
                    }
                    Kernel::ShortRows | Kernel::Resident => {
                        assert!(lanes * self.header.units >= p.units);
                        assert!(!self.header.full_lanes || p.units == lanes * self.header.units);
                        for row in 0..rows {
                            let segment = if kernel == Kernel::ShortRows {
                                alone * rows + row
                            } else {
                                (group * rows + row) * (workgroup / lanes) + invocation / lanes
                            };
                            self.share(segment, 0, invocation % lanes, p.units, &mut f);
                        }
                    }
                    Kernel::Partial | Kernel::Apply if lanes == 1 => self.span(alone, 0, &mut f),
                    Kernel::Partial | Kernel::Apply => self.span(group, invocation, &mut f),
                    Kernel::Finish | Kernel::Given | Kernel::Running => unreachable!("does not read x"),
                }
            }
        }
    }

    fn span(&self, index: u32, lane: u32, f: &mut impl FnMut(Visit)) {
        let p = self.p;
        if index >= p.segments * p.spans {
            return;
        }
        let (segment, span) = if self.header.lanes > 1 {
            (index / p.spans, index % p.spans)
        } else {
            (index % p.segments, index / p.segments)
        };
        let first = span * p.span_units;
        let units = p.span_units.min(p.units - first.min(p.units));
        self.share(segment, first, lane, units, f);
    }

    /// What `lane` takes of `units` units from `first` on.
    fn share(&self, segment: u32, first: u32, lane: u32, units: u32, f: &mut impl FnMut(Visit)) {
        let lanes = self.header.lanes;
        let units = (units + lanes - 1 - lane) / lanes;
        assert!(!self.header.full_groups || segment < self.p.segments);
        if segment >= self.p.segments || units == 0 {
            return;
        }
        let at = self.segment_at(segment);
        let start = self.cursor_at(at, first + lane);
        let mut c = start;
        for _ in 0..units {
            let weight = if self.header.weight_varies {
                c.weight
            } else {
                start.weight
            };
            f(Visit {
                x: c.x,
                weight,
                record: at.record,
                segment,
            });
            c = self.advance(c, at);
        }
    }

    fn segment_at(&self, index: u32) -> ParamDigit {
        let digits = &self.p.kept[..self.header.kept as usize];
        let start = ParamDigit {
            extent: 1,
            x: self.p.x_offset,
            weight: self.p.weight_offset,
            record: 0,
        };
        decode(start, digits, index)
    }

    fn cursor_in_run(&self, at: ParamDigit, run: u32, unit: u32) -> Cursor {
        let digits = &self.p.reduced[..self.header.reduced as usize];
        let there = decode(at, digits, run);
        Cursor {
            x: there.x + unit * self.p.step_x,
            weight: there.weight + unit * self.p.step_weight,
            unit,
            run,
        }
    }

    fn cursor_at(&self, at: ParamDigit, unit: u32) -> Cursor {
        let run = if self.header.runs { unit / self.p.run_units } else { 0 };
        self.cursor_in_run(at, run, unit - run * self.p.run_units)
    }

    fn advance(&self, c: Cursor, at: ParamDigit) -> Cursor {
        let p = self.p;
        // finish.wgsl alone has lanes and a stride of 1, and it does not walk.
        let stride = self.header.lanes;
        if !self.header.runs {
            return Cursor {
                x: c.x + stride * p.step_x,
                weight: c.weight + stride * p.step_weight,
                ..c
            };
        }
        if stride > 1 {
            return self.cursor_at(at, c.run * p.run_units + c.unit + stride);
        }
        if c.unit + 1 < p.run_units {
            return self.cursor_in_run(at, c.run, c.unit + 1);
        }
        self.cursor_in_run(at, c.run + 1, 0)
    }
}

/// The position of `index` among `digits`, innermost first; the outermost takes whatever is left.
fn decode(start: ParamDigit, digits: &[ParamDigit], index: u32) -> ParamDigit {
    let mut at = start;
    let mut rest = index;
    for (i, digit) in digits.iter().enumerate() {
        let mut position = rest;
        if i + 1 < digits.len() {
            rest = position / digit.extent;
            position -= rest * digit.extent;
        }
        at.x += position * digit.x;
        at.weight += position * digit.weight;
        at.record += position * digit.record;
    }
    at
}
