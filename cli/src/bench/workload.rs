//! What `bench` times: operations and shapes.

use rayon::prelude::*;
use serde::Serialize;
use wgnorm::spec::{Operation, Source};
use wgnorm::verify::{Case, Norm, Update};
use wgnorm::{Context, Gradients, Layout};

use super::Direction;
use crate::failure::{Failure, Result};
use crate::operation::{LayoutName, Op, Parameters, Settings};

/// One row of the benchmark, before it is run.
pub struct Workload {
    pub list: List,
    pub op: Op,
    pub shape: Vec<usize>,
    pub settings: Settings,
    /// Batch norm with running statistics given instead of updated.
    pub evaluation: bool,
}

/// What a row is measured for.
#[derive(Serialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// A shape of interest: of the default list, or the caller's.
    Shapes,
    /// The comparison of widths.
    Widths,
    /// Bandwidth against size.
    Sizes,
}

/// Columns of the rows whose widths are compared, at an equal number of elements.
pub const WIDTHS: std::ops::RangeInclusive<usize> = 1000..=1030;

impl Workload {
    pub fn new(op: Op, shape: &[usize]) -> Self {
        Self {
            list: List::Shapes,
            op,
            shape: shape.to_vec(),
            settings: Settings::default(),
            evaluation: false,
        }
    }

    fn of(self, list: List) -> Self {
        Self { list, ..self }
    }

    pub fn groups(mut self, groups: usize) -> Self {
        self.settings.groups = Some(groups);
        self
    }

    /// The same with its channels last.
    fn channels_last(&self) -> Self {
        let mut shape = self.shape.clone();
        let channels = shape.remove(1);
        shape.push(channels);
        let settings = Settings {
            layout: Some(LayoutName::Nhwc),
            ..self.settings.clone()
        };
        Self {
            list: self.list,
            op: self.op,
            shape,
            settings,
            evaluation: self.evaluation,
        }
    }

    /// Batch norm with given running statistics.
    fn evaluating(mut self) -> Self {
        self.evaluation = true;
        self
    }
}

/// The default list; `quick` scales the largest down.
pub fn defaults(quick: bool) -> Vec<Workload> {
    let rows = |op, rows, columns| Workload::new(op, &[rows, columns]);
    let mut list = vec![
        rows(Op::Layer, 4096, 1024),
        rows(Op::Layer, 512, 8192),
        rows(Op::Layer, 65536, 64),
        rows(Op::Layer, if quick { 16384 } else { 131_072 }, 128),
        rows(Op::Layer, 16384, 256),
        rows(Op::Layer, 8192, 128),
        rows(Op::Layer, 16, 262_144),
        rows(Op::Layer, 1, if quick { 1 << 20 } else { 1 << 24 }),
        rows(Op::Rms, 4096, 1024),
        rows(Op::Rms, 65536, 64),
        rows(Op::Zscore, 100_000, 32),
        rows(Op::Zscore, if quick { 100_000 } else { 1_000_000 }, 8),
    ];
    let images = [
        Workload::new(Op::Batch, &[16, 64, 56, 56]),
        Workload::new(Op::Batch, &[16, 64, 56, 56]).evaluating(),
        Workload::new(Op::Batch, &[4, 3, 512, 512]),
        Workload::new(Op::Instance, &[4, 3, 512, 512]),
        Workload::new(Op::Instance, &[8, 64, 64, 64]),
        Workload::new(Op::Group, &[8, 64, 64, 64]).groups(8),
        Workload::new(Op::Group, &[1, 512, 90, 160]).groups(32),
    ];
    for image in images {
        let last = image.channels_last();
        list.extend([image, last]);
    }
    list
}

/// Layer norms of rows of [`WIDTHS`] columns, as many rows as make an equal number of elements; `quick` takes every
/// sixth width and fewer rows.
pub fn widths(quick: bool) -> Vec<Workload> {
    let (elements, step) = if quick { (1 << 19, 6) } else { (1 << 22, 1) };
    let width = |width: usize| Workload::new(Op::Layer, &[(elements + width / 2) / width, width]).of(List::Widths);
    WIDTHS.step_by(step).map(width).collect()
}

/// Sizes of each operation, from a few KiB to `most` bytes a tensor, at one kind of shape.
pub fn sizes(most: u64) -> Vec<Workload> {
    let image = [64, 16, 16];
    let nchw = |op| {
        move |outer: usize| {
            let shape: Vec<_> = std::iter::once(outer).chain(image).collect();
            Workload::new(op, &shape)
        }
    };
    let batch = nchw(Op::Batch);
    let kinds: [(usize, &dyn Fn(usize) -> Workload); 7] = [
        (1024, &|rows| Workload::new(Op::Layer, &[rows, 1024])),
        (1024, &|rows| Workload::new(Op::Rms, &[rows, 1024])),
        (32, &|rows| Workload::new(Op::Zscore, &[rows, 32])),
        (64 * 16 * 16, &batch),
        (64 * 16 * 16, &|outer| batch(outer).channels_last()),
        (64 * 16 * 16, &|outer| nchw(Op::Group)(outer).groups(8)),
        (64 * 16 * 16, &nchw(Op::Instance)),
    ];
    let mut list = Vec::new();
    for (elements, workload) in kinds {
        let largest = most / 4;
        // Powers of four of elements, and the largest.
        let sizes = (6..)
            .map(|power| 1u64 << (2 * power))
            .take_while(|&size| size < largest);
        let outer = sizes.chain([largest]).map(|size| size as usize / elements);
        list.extend(
            outer
                .filter(|&outer| outer > 0)
                .map(|outer| workload(outer).of(List::Sizes)),
        );
    }
    list
}

/// The rows of the program's demonstration.
pub fn demonstration() -> Vec<Workload> {
    vec![
        Workload::new(Op::Layer, &[4096, 1024]),
        Workload::new(Op::Layer, &[65536, 64]),
        Workload::new(Op::Rms, &[4096, 1024]),
        Workload::new(Op::Batch, &[16, 64, 56, 56]),
    ]
}

impl Workload {
    /// Refuses what cannot be timed, before any data is made for it.
    pub fn check(&self, context: &Context, direction: Direction) -> Result<()> {
        let mut operation = self.settings.operation(self.op, &self.shape)?;
        operation.variant = self.settings.variant;
        let elements = self.shape.iter().map(|&extent| extent as u64).product::<u64>();
        let bytes = match direction {
            Direction::Forward => operation.plan(context).map(|_| 4 * elements)?,
            // A copy reads and writes half of three tensors each.
            Direction::Backward => {
                (operation.plan_backward(context, Gradients::of(&operation))).map(|_| 6 * elements)?
            }
        };
        let most = largest_tensor(context);
        match bytes {
            0 => Err(Failure::input("an empty tensor cannot be timed")),
            bytes if bytes > most => Err(Failure::Input(format!(
                "half of the bytes moved are {bytes}; a copy to compare with moves at most {most} each way on this device"
            ))),
            _ => Ok(()),
        }
    }

    /// The case: data of unit variance about 0.5, a weight and a bias where the operation usually has them, and the
    /// running statistics of batch norm, updated unless evaluating; dy for the backward pass.
    pub fn case(&self, direction: Direction) -> Result<Case> {
        let affine = self.settings.operation(self.op, &self.shape)?.weight_len as usize;
        let elements = self.shape.iter().product();
        let mut data = Data::default();
        let running = (self.op == Op::Batch).then(|| (data.take(affine), data.take_positive(affine)));
        let (given, updated) = if self.evaluation {
            (running, None)
        } else {
            (None, running)
        };
        let parameters = Parameters {
            weight: (!matches!(self.op, Op::Zscore | Op::Mvn | Op::Lp | Op::Lrn)).then(|| data.take(affine)),
            bias: matches!(self.op, Op::Layer | Op::Batch | Op::Group | Op::Instance).then(|| data.take(affine)),
            running: given,
        };
        let mut case = (self.settings).case(self.op, &self.shape, data.take(elements), parameters)?;
        if let (Norm::Batch(mode), Some(running)) = (&mut case.norm, updated) {
            mode.update = Some(Update {
                momentum: 0.1,
                variance: None,
            });
            case.running = Some(running);
        }
        case.dy = (direction == Direction::Backward).then(|| data.take(elements));
        Ok(case)
    }

    /// `"rows"`, `"nc*"` or `"n*c"`.
    pub fn layout(&self) -> &'static str {
        match (self.op, self.settings.layout()) {
            (Op::Layer | Op::Rms | Op::Zscore | Op::Mvn | Op::Lp, _) => "rows",
            (_, Layout::ChannelsFirst) => "nc*",
            (_, Layout::ChannelsLast) => "n*c",
        }
    }
}

/// Bytes of the largest tensor that a copy can be compared with.
pub fn largest_tensor(context: &Context) -> u64 {
    let limits = context.device().limits();
    limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
}

/// Bytes of each input read once and each output written once. Forward, running statistics that are updated count twice;
/// backward, inputs are x, dy, the weight and given running statistics.
pub fn bytes(operation: &Operation, case: &Case, direction: Direction) -> u64 {
    let len = |values: &Option<Vec<f32>>| values.as_ref().map_or(0, Vec::len);
    let (weight, bias) = (len(&case.weight), len(&case.bias));
    let running = case.running.as_ref().map_or(0, |(mean, var)| mean.len() + var.len());
    let asked = case.gradients();
    let values = match (direction, operation.source) {
        (Direction::Forward, Source::Running) => 2 * case.x.len() + weight + bias + running,
        (Direction::Forward, Source::Input) => 2 * case.x.len() + weight + bias + 2 * running,
        (Direction::Backward, source) => {
            let gradients = usize::from(asked.dweight) * weight + usize::from(asked.dbias) * bias;
            let given = if source == Source::Running { running } else { 0 };
            3 * case.x.len() + weight + gradients + given
        }
    };
    4 * values as u64
}

/// Reproducible numbers, each by its stream and its place in that alone, so that threads make them in any order.
#[derive(Default)]
struct Data {
    streams: u64,
}

impl Data {
    /// Of a bell shape of mean 0.5 and variance 1: the sum of four.
    fn take(&mut self, count: usize) -> Vec<f32> {
        // The sum of four has variance 4 / 12.
        self.values(count, |bits| {
            let sum: u64 = (0..4).map(|i| bits >> (16 * i) & 0xffff).sum();
            0.5 + 3f32.sqrt() * (sum as f32 / 65536.0 - 2.0)
        })
    }

    /// Between 0.5 and 1.5.
    fn take_positive(&mut self, count: usize) -> Vec<f32> {
        self.values(count, |bits| 0.5 + (bits >> 40) as f32 / (1 << 24) as f32)
    }

    fn values(&mut self, count: usize, value: impl Fn(u64) -> f32 + Sync) -> Vec<f32> {
        self.streams += 1;
        let stream = mixed(self.streams);
        (0..count as u64)
            .into_par_iter()
            .map(|i| value(mixed(stream.wrapping_add(i))))
            .collect()
    }
}

/// An output of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(state: u64) -> u64 {
    let mut bits = state.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(workload: &Workload) -> usize {
        workload.shape.iter().product()
    }

    #[test]
    fn data_have_their_moments_and_repeat() {
        let values = Data::default().take(1 << 16);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
        let var = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!((mean - 0.5).abs() < 0.02 && (var - 1.0).abs() < 0.02, "{mean} {var}");
        let mut data = Data::default();
        assert_eq!(data.take(1 << 16), values);
        assert_ne!(data.take(1 << 16), values);
        assert!(data.take_positive(1000).iter().all(|x| (0.5..1.5).contains(x)));
    }

    #[test]
    fn bytes_of_either_direction() {
        let bytes = |workload: Workload, direction| {
            let case = workload.case(direction).unwrap();
            bytes(&case.operation().unwrap(), &case, direction)
        };
        let batch = || Workload::new(Op::Batch, &[2, 3, 5]);
        assert_eq!(bytes(batch(), Direction::Forward), 4 * (2 * 30 + 6 + 12));
        assert_eq!(bytes(batch(), Direction::Backward), 4 * (3 * 30 + 9));
        assert_eq!(bytes(batch().evaluating(), Direction::Backward), 4 * (3 * 30 + 9 + 6));
        assert_eq!(
            bytes(Workload::new(Op::Rms, &[4, 5]), Direction::Backward),
            4 * (3 * 20 + 10)
        );
        assert_eq!(
            bytes(Workload::new(Op::Zscore, &[4, 5]), Direction::Backward),
            4 * 3 * 20
        );
    }

    #[test]
    fn widths_are_compared_at_equal_size() {
        let full = widths(false);
        assert_eq!(full.len(), 31);
        for workload in full.iter().chain(&widths(true)) {
            let wanted = if full.iter().any(|other| other.shape == workload.shape) {
                1 << 22
            } else {
                1 << 19
            };
            assert!(elements(workload).abs_diff(wanted) <= 515, "{:?}", workload.shape);
        }
    }

    #[test]
    fn sizes_end_with_the_largest_that_is_allowed() {
        let most = 3 << 20;
        let sizes = sizes(most);
        let of = |op| sizes.iter().filter(move |workload| workload.op == op);
        assert!(sizes.iter().all(|workload| 4 * elements(workload) as u64 <= most));
        assert_eq!(4 * of(Op::Layer).map(elements).max().unwrap() as u64, most);
        assert!(of(Op::Layer).count() >= 5);
    }

    #[test]
    fn images_come_in_both_layouts() {
        for quick in [false, true] {
            let (mut first, mut last) = (0, 0);
            for workload in defaults(quick) {
                match workload.layout() {
                    "nc*" => first += 1,
                    "n*c" => last += 1,
                    _ => {}
                }
            }
            assert!(first > 0 && first == last);
        }
    }
}
