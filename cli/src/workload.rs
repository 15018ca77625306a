//! What `bench` times: operations and shapes.

use wgnorm::spec::{Operation, Source};
use wgnorm::verify::{Case, Norm, Update};
use wgnorm::{Context, Layout};

use crate::failure::{Failure, Result};
use crate::operation::{LayoutName, Op, Parameters, Settings};

/// One row of the benchmark, before it is run.
pub struct Workload {
    pub op: Op,
    pub shape: Vec<usize>,
    pub settings: Settings,
    /// Batch norm with running statistics given instead of updated.
    pub evaluation: bool,
}

/// The default list; `quick` scales the largest down.
pub fn defaults(quick: bool) -> Vec<Workload> {
    let workload = |op, shape: &[usize]| Workload {
        op,
        shape: shape.to_vec(),
        settings: Settings::default(),
        evaluation: false,
    };
    let with = |workload: Workload, settings: Settings| Workload { settings, ..workload };
    let nhwc = Settings {
        layout: Some(LayoutName::Nhwc),
        ..Settings::default()
    };
    let groups = Settings {
        groups: Some(8),
        ..Settings::default()
    };
    let long = if quick { 1 << 18 } else { 1 << 20 };
    let table = if quick { 100_000 } else { 1_000_000 };
    vec![
        workload(Op::Layer, &[4096, 1024]),
        workload(Op::Layer, &[512, 8192]),
        workload(Op::Layer, &[65536, 64]),
        workload(Op::Layer, &[8192, 128]),
        workload(Op::Layer, &[16, long]),
        workload(Op::Rms, &[4096, 1024]),
        with(workload(Op::Group, &[8, 64, 64, 64]), groups),
        workload(Op::Instance, &[8, 64, 64, 64]),
        workload(Op::Batch, &[16, 64, 56, 56]),
        with(workload(Op::Batch, &[16, 56, 56, 64]), nhwc),
        Workload {
            evaluation: true,
            ..workload(Op::Batch, &[16, 64, 56, 56])
        },
        workload(Op::Zscore, &[table, 32]),
    ]
}

/// The rows of the program's demonstration.
pub fn demonstration() -> Vec<Workload> {
    let wanted: [(Op, &[usize]); 4] = [
        (Op::Layer, &[4096, 1024]),
        (Op::Layer, &[65536, 64]),
        (Op::Batch, &[16, 64, 56, 56]),
        (Op::Rms, &[4096, 1024]),
    ];
    let chosen = |workload: &Workload| wanted.contains(&(workload.op, &workload.shape)) && !workload.evaluation;
    defaults(true).into_iter().filter(chosen).collect()
}

impl Workload {
    /// Refuses what cannot be timed, before any data is made for it.
    pub fn check(&self, context: &Context) -> Result<()> {
        let mut operation = self.settings.operation(self.op, &self.shape)?;
        operation.variant = self.settings.variant;
        operation.plan(context)?;
        let bytes = self.shape.iter().fold(4, |bytes, &extent| bytes * extent as u64);
        let limits = context.device().limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        match bytes {
            0 => Err(Failure::input("an empty tensor cannot be timed")),
            bytes if bytes > most => Err(Failure::Input(format!(
                "the tensor takes {bytes} bytes; a copy to compare with takes at most {most} on this device"
            ))),
            _ => Ok(()),
        }
    }

    /// The case: data of unit variance about 0.5, a weight and a bias where the operation usually has them, and the
    /// running statistics of batch norm, updated unless evaluating.
    pub fn case(&self) -> Result<Case> {
        let affine = self.settings.operation(self.op, &self.shape)?.weight_len as usize;
        let elements = self.shape.iter().product();
        let mut data = Data(0x9e37_79b9_7f4a_7c15);
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

/// Bytes of each input read once and each output written once; running statistics that are updated count twice.
pub fn bytes(operation: &Operation, case: &Case) -> u64 {
    let parameters = [&case.weight, &case.bias]
        .into_iter()
        .flatten()
        .map(Vec::len)
        .sum::<usize>();
    let running = case.running.as_ref().map_or(0, |(mean, var)| mean.len() + var.len());
    let running = match operation.source {
        Source::Running => running,
        Source::Input => 2 * running,
    };
    4 * (2 * case.x.len() + parameters + running) as u64
}

/// Reproducible numbers: xorshift, four of them summed for a bell shape of mean 0.5 and variance 1.
struct Data(u64);

impl Data {
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        // The sum of four has variance 4 / 12.
        let value = |data: &mut Self| 0.5 + 3f32.sqrt() * (0..4).map(|_| data.uniform()).sum::<f32>();
        (0..count).map(|_| value(self)).collect()
    }

    fn take_positive(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| 1.0 + self.uniform()).collect()
    }
}
