//! `wgnorm norm`: one tensor file in, one out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use wgnorm::Layout;
use wgnorm::spec::Operation;
use wgnorm::verify::{self, Case, Norm, Outcome, TensorVerdict, Verdict};

use crate::console::say;
use crate::cpu;
use crate::device::{Device, DeviceArgs};
use crate::failure::{Failure, Result};
use crate::files::{Contents, Format, Output, Tensor, TensorPath};
use crate::operation::{Op, Parameters, Settings};
use crate::outputs;
use crate::resident::{self, Resident};

#[derive(Args, Debug)]
pub struct NormArgs {
    /// Tensor to normalize: `FILE.npy` or `FILE.safetensors[:TENSOR]`. f32 is taken as it is; float64, float16, bfloat16,
    /// integers and bool are converted, saying so.
    #[arg(value_name = "IN[:TENSOR]")]
    input: TensorPath,

    /// Where y goes, f32, replaced only when complete. A .safetensors output keeps the tensor's name (or "y").
    #[arg(short, long, value_name = "FILE[:TENSOR]")]
    output: TensorPath,

    /// Which normalization.
    #[arg(long, value_enum)]
    op: Op,

    #[command(flatten)]
    settings: Settings,

    /// Multiplies y: one value per channel, per element of the normalized axes (layer, rms), or of the kept axes
    /// (zscore, mvn).
    #[arg(long, value_name = "FILE[:T]")]
    weight: Option<TensorPath>,

    /// Added to y, of the weight's length.
    #[arg(long, value_name = "FILE[:T]")]
    bias: Option<TensorPath>,

    /// Mean per channel to normalize with instead of the input's own (batch, instance).
    #[arg(long, value_name = "FILE[:T]", requires = "running_var")]
    running_mean: Option<TensorPath>,

    /// Variance per channel to normalize with.
    #[arg(long, value_name = "FILE[:T]", requires = "running_mean")]
    running_var: Option<TensorPath>,

    /// Writes mean and rstd of every segment as float64 tensors of this .safetensors file.
    #[arg(long, value_name = "FILE")]
    statistics: Option<TensorPath>,

    /// Compares with the f64 oracle, prints the statistics and the largest errors; exit code 1, and nothing written,
    /// on a mismatch.
    #[arg(long)]
    check: bool,
}

pub fn run(args: &NormArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    if args.settings.variant.is_some() && device.is_cpu() {
        return Err(Failure::input("--variant has no meaning for --device cpu"));
    }
    let input = args.input.read("x")?;
    let name = args.output_name(&input)?;
    let case = (args.settings).case(args.op, &input.shape, input.values, args.parameters()?)?;
    let operation = args.operation(&case)?;
    let output = Output::create(&args.output.path)?;
    let statistics = match &args.statistics {
        Some(target) => Some(create_statistics(target, &operation)?),
        None => None,
    };
    args.refuse_loss(&input.others, &output, statistics.as_ref(), json.as_ref())?;
    let device = device.open()?;

    let done = execute(&device, &operation, &case)?;
    say!("x        {} {:?} float32", args.input, case.shape);
    say!("op       {}", case.name());
    say!("adapter  {}", device.describe());
    say!("variant  {}", done.variant);
    say!(
        "time     {:.3} ms with upload and readback, {:.3} ms of it on the device",
        done.total_ms,
        done.device_ms
    );
    let verdict = args.check.then(|| verify::judge(&case, &done.outcome));
    if let Some(verdict) = &verdict {
        print_statistics(&done.outcome);
        print_verdict(verdict);
        if !verdict.passed() {
            return Err(Failure::Mismatch(format!(
                "{}; {} is not written",
                verdict.failures.join("; "),
                args.output
            )));
        }
    }
    if let Some(file) = statistics {
        file.save_tensors(statistics_tensors(&case, &done.outcome))?;
    }
    output.save_tensor(args.output.format, &name, &case.shape, done.outcome.y)?;
    say!("y        {}", args.output);
    if let Some(json) = json {
        json.save_json(&json!({
            "adapter": device.describe(),
            "op": case.name(),
            "shape": case.shape,
            "variant": done.variant,
            "total_ms": done.total_ms,
            "device_ms": done.device_ms,
            "max_abs_err": verdict.map(|verdict| max_abs_err(&verdict)),
        }))?;
    }
    Ok(())
}

impl NormArgs {
    fn parameters(&self) -> Result<Parameters> {
        let read = |path: &Option<TensorPath>, role| -> Result<Option<Vec<f32>>> {
            let tensor = path.as_ref().map(|path| path.read(role)).transpose()?;
            Ok(tensor.map(|tensor| tensor.values))
        };
        Ok(Parameters {
            weight: read(&self.weight, "weight")?,
            bias: read(&self.bias, "bias")?,
            running: read(&self.running_mean, "running mean")?.zip(read(&self.running_var, "running var")?),
        })
    }

    /// The tensor's name in a .safetensors output.
    fn output_name(&self, input: &Tensor) -> Result<String> {
        match &self.output.tensor {
            Some(_) if self.output.format == Format::Npy => Err(Failure::Input(format!(
                "{}: a .npy file holds one tensor without a name; drop the :TENSOR",
                self.output
            ))),
            // The format keeps this key for text.
            Some(name) if name == "__metadata__" => Err(Failure::Input(format!("{name} cannot be a tensor's name"))),
            Some(name) => Ok(name.clone()),
            None => Ok(input.name.clone().unwrap_or_else(|| "y".into())),
        }
    }

    /// Refuses to write one file twice or to replace an input. Only y may replace x, unless `others`, more tensors in
    /// that file, would be lost.
    fn refuse_loss(
        &self,
        others: &[String],
        y: &Output,
        statistics: Option<&Output>,
        json: Option<&Output>,
    ) -> Result<()> {
        let x = self.input.path.as_path();
        let parameters = [&self.weight, &self.bias, &self.running_mean, &self.running_var];
        let mut kept: Vec<&Path> = (parameters.into_iter().flatten())
            .map(|input| input.path.as_path())
            .collect();
        if !others.is_empty() {
            kept.push(x);
        }
        y.refuse_replacing(&kept)?;
        kept.extend([x, y.path()]);
        for output in [statistics, json].into_iter().flatten() {
            output.refuse_replacing(&kept)?;
            kept.push(output.path());
        }
        Ok(())
    }

    fn operation(&self, case: &Case) -> Result<Operation> {
        let mut operation = case.operation()?;
        operation.variant = self.settings.variant;
        operation.statistics &= self.check || self.statistics.is_some();
        Ok(operation)
    }
}

fn create_statistics(target: &TensorPath, operation: &Operation) -> Result<Output> {
    if target.format != Format::Safetensors || target.tensor.is_some() {
        return Err(Failure::input(
            "--statistics writes the tensors mean and rstd: a .safetensors file is needed, without :TENSOR",
        ));
    }
    if !operation.statistics {
        return Err(Failure::input(
            "--statistics: none are taken by lrn, and when running statistics are given",
        ));
    }
    Output::create(&target.path)
}

/// What one run gave, and how long it took.
struct Done {
    outcome: Outcome,
    variant: String,
    total_ms: f64,
    device_ms: f64,
}

fn execute(device: &Device, operation: &Operation, case: &Case) -> Result<Done> {
    let ms = |start: Instant| start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let (output, variant, dispatches, device_ms) = match device {
        Device::Cpu => {
            let output = cpu::run(operation, case, 0.0)?;
            (output, None, cpu::dispatches(case), ms(start))
        }
        Device::Gpu(context) => {
            let resident = Resident::new(context, operation, case)?;
            resident::wait(context.device())?;
            let submitted = Instant::now();
            resident.submit();
            resident::wait(context.device())?;
            let device_ms = ms(submitted);
            let output = (resident.read(case)?.forward()).ok_or_else(|| Failure::input("only gradients were made"))?;
            (output, resident.variant(), resident.dispatches(), device_ms)
        }
    };
    let total_ms = ms(start);
    let name = device.variant_name(variant);
    Ok(Done {
        variant: match dispatches {
            0 => name.into(),
            1 => format!("{name} (1 dispatch)"),
            n => format!("{name} ({n} dispatches)"),
        },
        outcome: output.outcome(variant, dispatches, true),
        total_ms,
        device_ms,
    })
}

fn print_statistics(outcome: &Outcome) {
    for name in ["mean", "rstd"] {
        let values = outputs::values(outcome, name).unwrap_or_default();
        if !values.is_empty() {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            say!("{name:<8} {low:.9e} to {high:.9e} over {} segments", values.len());
        }
    }
}

fn print_verdict(verdict: &Verdict) {
    for tensor in &verdict.tensors {
        let (comparison, tolerance) = (&tensor.comparison, &tensor.tolerance);
        say!(
            "check    {}: largest error {:.3e}, {:.3e} of the reference; allowed {:.3e} + {:.3e} |reference|: {}",
            tensor.name,
            comparison.max_abs_err,
            comparison.max_rel_err,
            tolerance.atol,
            tolerance.rtol,
            if comparison.passed { "passed" } else { "FAILED" }
        );
    }
}

fn max_abs_err(verdict: &Verdict) -> BTreeMap<&'static str, f64> {
    let error = |tensor: &TensorVerdict| (tensor.name, tensor.comparison.max_abs_err);
    verdict.tensors.iter().map(error).collect()
}

/// mean and rstd with the shape of the kept axes.
fn statistics_tensors(case: &Case, outcome: &Outcome) -> Vec<(String, Vec<usize>, Contents)> {
    let shape = kept_shape(case);
    ["mean", "rstd"]
        .into_iter()
        .filter_map(|name| {
            let values = outputs::values(outcome, name)?;
            Some((name.to_owned(), shape.clone(), Contents::F64(values)))
        })
        .collect()
}

fn kept_shape(case: &Case) -> Vec<usize> {
    let shape = &case.shape;
    let channels = match case.layout {
        Layout::ChannelsFirst => shape.get(1).copied(),
        Layout::ChannelsLast => shape.last().copied(),
    };
    let channels = channels.unwrap_or(1);
    let kept: Vec<usize> = match &case.norm {
        Norm::Batch(_) => vec![channels],
        Norm::Instance(_) => vec![shape[0], channels],
        Norm::Group { groups, .. } => vec![shape[0], *groups],
        Norm::LocalResponse { .. } => Vec::new(),
        Norm::Layer { axes }
        | Norm::Rms { axes }
        | Norm::Lp { axes, .. }
        | Norm::ZScore { axes, .. }
        | Norm::MeanVariance { axes } => (shape.iter().enumerate())
            .filter(|(axis, _)| !axes.contains(axis))
            .map(|(_, extent)| *extent)
            .collect(),
    };
    if kept.is_empty() { vec![1] } else { kept }
}
