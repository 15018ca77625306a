//! A case in parts that are cases of their own, so that all threads can take the reference of a large one.

use std::ops::Range;

use wgnorm::verify::{Case, Norm};
use wgnorm::{Affine, Layout};

/// Elements of a part, if there are so many parts: its f64 tensors stay small.
const PART: usize = 1 << 19;

/// Parts along one axis that no statistics are taken over.
pub struct Split<'a> {
    case: &'a Case,
    axis: usize,
    /// Elements before, along and behind the axis.
    outer: usize,
    extent: usize,
    inner: usize,
    /// Neighbours along the axis that belong together: the channels of a group. The whole extent where the case cannot be
    /// split.
    unit: usize,
    /// Whether weight, bias and running statistics are split too, and by how many channels a weight is shared.
    weight_of: Option<usize>,
}

impl<'a> Split<'a> {
    pub fn new(case: &'a Case) -> Self {
        let shape = &case.shape;
        let kept = |axes: &[usize]| (0..shape.len()).find(|axis| !axes.contains(axis) && shape[*axis] > 1);
        let bare = case.weight.is_none() && case.bias.is_none();
        let channel = match case.layout {
            Layout::ChannelsFirst => 1,
            Layout::ChannelsLast => shape.len().saturating_sub(1),
        };
        // Axis, unit, channels a weight.
        let found = match &case.norm {
            _ if case.weight_axes.is_some() => None,
            Norm::Layer { axes } | Norm::Rms { axes } => kept(axes).map(|axis| (axis, 1, None)),
            Norm::ZScore { axes, .. } | Norm::MeanVariance { axes } | Norm::Lp { axes, .. } if bare => {
                kept(axes).map(|axis| (axis, 1, None))
            }
            Norm::Batch(_) | Norm::Instance(_) => Some((channel, 1, Some(1))),
            Norm::Group { groups, affine } => {
                let unit = shape.get(channel).map_or(1, |channels| channels / groups);
                let shared = if *affine == Affine::PerGroup { unit } else { 1 };
                Some((channel, unit, Some(shared)))
            }
            Norm::LocalResponse { .. } if bare && channel > 0 => Some((0, 1, None)),
            _ => None,
        };
        let (axis, unit, weight_of) = match found {
            Some((axis, unit, weight_of)) if axis < shape.len() && unit > 0 => (axis, unit, weight_of),
            _ => (0, shape.first().copied().unwrap_or(1), None),
        };
        let (outer, rest) = shape.split_at(axis);
        Self {
            case,
            axis,
            outer: outer.iter().product(),
            extent: rest.first().copied().unwrap_or(1),
            inner: rest.iter().skip(1).product(),
            unit,
            weight_of,
        }
    }

    /// The parts, as ranges of the axis.
    pub fn ranges(&self) -> Vec<Range<usize>> {
        let units = PART / (self.outer * self.inner * self.unit).max(1);
        let step = units.max(1) * self.unit;
        let starts = (0..self.extent).step_by(step);
        starts.map(|start| start..self.extent.min(start + step)).collect()
    }

    /// The elements of a part, in the order of the part.
    pub fn gather(&self, values: &[f32], part: &Range<usize>) -> Vec<f32> {
        let mut gathered = Vec::with_capacity(self.outer * part.len() * self.inner);
        for outer in 0..self.outer {
            let start = outer * self.extent;
            gathered.extend_from_slice(&values[(start + part.start) * self.inner..(start + part.end) * self.inner]);
        }
        gathered
    }

    /// What a part has of the weight, the bias, or one of their gradients.
    pub fn of_weight(&self, values: &[f32], part: &Range<usize>) -> Vec<f32> {
        match self.weight_of {
            Some(shared) => values[part.start / shared..part.end / shared].to_vec(),
            None => values.to_vec(),
        }
    }

    /// What a part has of values of each channel.
    pub fn of_channels(&self, values: &[f32], part: &Range<usize>) -> Vec<f32> {
        match self.weight_of {
            Some(_) => values[part.clone()].to_vec(),
            None => values.to_vec(),
        }
    }

    /// Whether every weight belongs to one part; else all parts add to each.
    pub fn splits_weight(&self) -> bool {
        self.weight_of.is_some()
    }

    /// A part as a case.
    pub fn part(&self, part: &Range<usize>) -> Case {
        let whole = self.case;
        let mut shape = whole.shape.clone();
        shape[self.axis] = part.len();
        Case {
            id: whole.id.clone(),
            norm: match whole.norm {
                Norm::Group { affine, .. } if self.weight_of.is_some() => Norm::Group {
                    groups: part.len() / self.unit,
                    affine,
                },
                ref norm => norm.clone(),
            },
            shape,
            layout: whole.layout,
            preset: whole.preset,
            eps: whole.eps,
            x: self.gather(&whole.x, part),
            dy: whole.dy.as_ref().map(|dy| self.gather(dy, part)),
            weight: whole.weight.as_ref().map(|weight| self.of_weight(weight, part)),
            bias: whole.bias.as_ref().map(|bias| self.of_weight(bias, part)),
            running: (whole.running.as_ref())
                .map(|(mean, var)| (self.of_channels(mean, part), self.of_channels(var, part))),
            weight_axes: whole.weight_axes.clone(),
            input_strides: None,
            output_strides: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{LayoutName, Op, Parameters, Settings};

    fn case(op: Op, shape: &[usize], settings: Settings) -> Case {
        let mut data = (0..).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32);
        let mut take = |count: usize| data.by_ref().take(count).collect::<Vec<f32>>();
        let weights = settings.operation(op, shape).unwrap().weight_len as usize;
        let parameters = match op {
            Op::Zscore | Op::Lrn => Parameters::default(),
            _ => Parameters {
                weight: Some(take(weights)),
                bias: Some(take(weights)),
                running: (op == Op::Batch).then(|| (take(weights), take(weights))),
            },
        };
        let elements = shape.iter().product();
        let x = take(elements);
        let case = settings.case(op, shape, x, parameters).unwrap();
        case.with_dy(1)
    }

    /// Parts of the smallest size have together what the whole has.
    #[test]
    fn parts_expect_what_the_whole_does() {
        let last = || Settings {
            layout: Some(LayoutName::Nhwc),
            ..Settings::default()
        };
        let groups = |settings: Settings| Settings {
            groups: Some(3),
            ..settings
        };
        let cases = [
            case(Op::Layer, &[5, 7], Settings::default()),
            case(Op::Rms, &[5, 7], Settings::default()),
            case(Op::Zscore, &[5, 7], Settings::default()),
            case(Op::Batch, &[2, 6, 3], Settings::default()),
            case(Op::Batch, &[2, 3, 6], last()),
            case(Op::Instance, &[2, 6, 3], Settings::default()),
            case(Op::Group, &[2, 6, 3], groups(Settings::default())),
            case(Op::Group, &[2, 3, 6], groups(last())),
        ];
        for whole in cases {
            let (split, expected) = (Split::new(&whole), whole.expected());
            let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
            let (y, dx) = (narrow(&expected.y), narrow(expected.dx.as_deref().unwrap()));
            let mut dweight = vec![0.0; expected.dweight.as_ref().map_or(0, Vec::len)];
            let parts = split.extent / split.unit;
            assert!(parts > 1, "{}", whole.id);
            for i in 0..parts {
                let range = i * split.unit..(i + 1) * split.unit;
                let part = split.part(&range).expected();
                assert_eq!(narrow(&part.y), split.gather(&y, &range), "{}", whole.id);
                assert_eq!(narrow(&part.dx.unwrap()), split.gather(&dx, &range), "{}", whole.id);
                let first = if split.splits_weight() { range.start } else { 0 };
                for (i, part) in part.dweight.iter().flatten().enumerate() {
                    dweight[first + i] += part;
                }
            }
            for (own, expected) in dweight.iter().zip(expected.dweight.iter().flatten()) {
                assert!((own - expected).abs() < 1e-12, "{}", whole.id);
            }
        }
    }

    #[test]
    fn parts_cover_the_axis() {
        let whole = case(Op::Layer, &[70_000, 9], Settings::default());
        let ranges = Split::new(&whole).ranges();
        assert_eq!(ranges.len(), 2);
        assert_eq!(
            (ranges[0].start, ranges[0].end, ranges[1].end),
            (0, ranges[1].start, 70_000)
        );
        // One segment is one part.
        let whole = case(Op::Layer, &[1, 70_000], Settings::default());
        assert_eq!(Split::new(&whole).ranges().len(), 1);
    }
}
