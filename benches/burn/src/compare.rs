//! One shape on both sides.

use std::time::Instant;

use burn::Tensor;
use burn::module::Param;
use burn::nn::{GroupNormConfig, InstanceNormConfig, LayerNormConfig, RmsNormConfig};
use burn::tensor::module::batch_norm_train;
use burn::tensor::{Device as BurnDevice, TensorData};
use serde::{Deserialize, Serialize};
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::verify::{self, Arrangement, Case};
use wgnorm::{Backward, Bound, Context, Forward, wgpu};

use crate::shapes::{Op, Shape};
use crate::{Result, VERIFIED};

const EPS: f64 = 1e-5;
/// burn compiles, tunes and fills its memory pools in its first runs.
const WARM_UP: usize = 3;
/// Of y of unit variance, times weights of up to 1.5: both sides have to mean the same.
const MOST_APART: f32 = 1e-3;

#[derive(Serialize, Deserialize, Default)]
pub struct Device {
    pub adapter: String,
    pub driver: String,
}

/// Medians, and (largest - smallest) / median.
#[derive(Serialize, Deserialize)]
pub struct Measured {
    pub variant: String,
    pub wgnorm_ms: f64,
    pub wgnorm_spread: f64,
    pub burn_ms: f64,
    pub burn_spread: f64,
    /// burn over wgnorm, of samples taken one after the other.
    pub ratio: f64,
    /// The largest difference of the two y, or dx.
    pub apart: f32,
    pub runs: usize,
}

pub fn shape(shape: &Shape, runs: usize) -> Result<(Device, Measured)> {
    let (device, setup) = BurnDevice::wgpu_options().init_with_setup()?;
    let info = setup.adapter.get_info();
    // Tensors of the differentiated device remember what was done to them.
    let device = if shape.backward { device.autodiff() } else { device };
    let context = Context::new(&setup.device, &setup.queue);
    let case = shape.case();
    let ours = Ours::new(&context, &case)?;
    println!("{VERIFIED}");

    let vector = |values: &[f32]| Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), &device);
    let weight = vector(case.weight.as_deref().unwrap_or_default());
    let bias = vector(case.bias.as_deref().unwrap_or_default());
    let (param, columns) = (Param::from_tensor, shape.weights());
    let measured = match shape.op {
        Op::Layer => {
            let mut norm = LayerNormConfig::new(columns).with_epsilon(EPS).init(&device);
            (norm.gamma, norm.beta) = (param(weight), Some(param(bias)));
            ours.against::<2>(&device, runs, |x| norm.forward(x))
        }
        Op::Rms => {
            let mut norm = RmsNormConfig::new(columns).with_epsilon(EPS).init(&device);
            norm.gamma = param(weight);
            ours.against::<2>(&device, runs, |x| norm.forward(x))
        }
        // The module takes the statistics of the batch only where it is differentiated; this is what it calls then.
        Op::Batch => ours.against::<4>(&device, runs, |x| {
            batch_norm_train(x, weight.clone(), bias.clone(), EPS).output
        }),
        Op::Group { groups } => {
            let mut norm = GroupNormConfig::new(groups, columns).with_epsilon(EPS).init(&device);
            (norm.gamma, norm.beta) = (Some(param(weight)), Some(param(bias)));
            ours.against::<4>(&device, runs, |x| norm.forward(x))
        }
        Op::Instance => {
            let mut norm = InstanceNormConfig::new(columns).with_epsilon(EPS).init(&device);
            (norm.gamma, norm.beta) = (Some(param(weight)), Some(param(bias)));
            ours.against::<4>(&device, runs, |x| norm.forward(x))
        }
    }?;
    let device = Device {
        adapter: format!("{} ({})", info.name, info.backend),
        driver: format!("{} {}", info.driver, info.driver_info),
    };
    Ok((device, measured))
}

/// wgnorm's side: verified, bound.
struct Ours<'a> {
    context: &'a Context,
    case: &'a Case,
    variant: String,
    bound: Bound,
    /// y, or dx.
    result: wgpu::Buffer,
}

impl<'a> Ours<'a> {
    fn new(context: &'a Context, case: &'a Case) -> Result<Self> {
        let outcome = pollster::block_on(verify::run(context, case, None))?;
        let mut verdict = verify::judge(case, &outcome);
        if verdict.passed() && case.dy.is_some() {
            let gradients = verify::run_backward(context, case, None, Arrangement::Plain);
            verdict = verify::judge_gradients(case, &pollster::block_on(gradients)?);
        }
        if !verdict.passed() {
            return Err(verdict.failures.join("; ").into());
        }
        let bytes = size_of_val(case.x.as_slice()) as u64;
        let (x, result) = (upload(context, "x", &case.x), create(context, "result", bytes));
        let [weight, bias] = [&case.weight, &case.bias]
            .map(|values| values.as_deref().map(|values| upload(context, "parameter", values)));
        let mut operation = case.operation()?;
        let (variant, bound) = match &case.dy {
            None => {
                operation.statistics = false;
                let plan = operation.plan(context)?;
                let workspace = context.create_workspace(plan.workspace_size());
                let mut args = Forward::new(&x, &result).workspace(&workspace);
                args.weight = weight.as_ref().map(Into::into);
                args.bias = bias.as_ref().map(Into::into);
                (plan.variant(), plan.bind(&args)?)
            }
            Some(dy) => {
                let plan = operation.plan_backward(context, case.gradients())?;
                let workspace = context.create_workspace(plan.workspace_size());
                let (dy, records) = (upload(context, "dy", dy), upload(context, "records", &outcome.records));
                let [dweight, dbias] = [&case.weight, &case.bias].map(|values| {
                    values
                        .as_ref()
                        .map(|values| create(context, "gradient", values.len() as u64 * 4))
                });
                let mut args = Backward::new(&x, &dy)
                    .dx(&result)
                    .statistics(&records)
                    .workspace(&workspace);
                args.weight = weight.as_ref().map(Into::into);
                args.dweight = dweight.as_ref().map(Into::into);
                args.dbias = dbias.as_ref().map(Into::into);
                (plan.variant(), plan.bind(&args)?)
            }
        };
        Ok(Self {
            context,
            case,
            variant: variant.map_or("none", |variant| variant.name()).to_owned(),
            bound,
            result,
        })
    }

    /// Milliseconds from recording to the end of the wait.
    fn sample(&self) -> Result<f64> {
        let device = self.context.device();
        let start = Instant::now();
        let mut encoder = device.create_command_encoder(&Default::default());
        self.bound.record(&mut encoder);
        self.context.queue().submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        Ok(milliseconds(start))
    }

    fn read(&self) -> Result<Vec<f32>> {
        Ok(pollster::block_on(download(
            self.context,
            &self.result,
            0..self.case.x.len(),
        ))?)
    }

    fn against<const D: usize>(
        &self,
        device: &BurnDevice,
        runs: usize,
        forward: impl Fn(Tensor<D>) -> Tensor<D>,
    ) -> Result<Measured> {
        let extents: [usize; D] = self.case.shape.as_slice().try_into()?;
        let tensor = |values: &[f32]| Tensor::<D>::from_data(TensorData::new(values.to_vec(), extents), device);
        let (x, dy) = (tensor(&self.case.x), self.case.dy.as_deref().map(tensor));
        self.sample()?;
        let expected = self.read()?;
        let (mut wgnorm, mut burn, mut apart) = (Vec::new(), Vec::new(), 0f32);
        for run in 0..WARM_UP + runs {
            let ours = self.sample()?;
            let (theirs, result) = match &dy {
                None => timed(device, || forward(x.clone()))?,
                Some(dy) => {
                    // The forward pass is over before the clock starts; dx is what the backward pass is asked for last.
                    let x = x.clone().require_grad();
                    let loss = (forward(x.clone()) * dy.clone()).sum();
                    let (theirs, gradients) = timed(device, || loss.backward())?;
                    (theirs, x.grad(&gradients).ok_or("burn has no gradient of x")?)
                }
            };
            // It lives until here and is read, so that no part of it can be left out.
            let y: Vec<f32> = result.into_data().try_to_vec().map_err(|error| format!("{error:?}"))?;
            for (a, b) in y.iter().zip(&expected) {
                let difference = (a - b).abs();
                // NaN too.
                if !(difference <= apart) {
                    apart = difference;
                }
            }
            if !(apart < MOST_APART) {
                return Err(format!("burn's result is {apart} from wgnorm's").into());
            }
            if run >= WARM_UP {
                wgnorm.push(ours);
                burn.push(theirs);
            }
        }
        let ratios: Vec<_> = burn.iter().zip(&wgnorm).map(|(burn, wgnorm)| burn / wgnorm).collect();
        Ok(Measured {
            variant: self.variant.clone(),
            wgnorm_ms: median(&wgnorm),
            wgnorm_spread: spread(&wgnorm),
            burn_ms: median(&burn),
            burn_spread: spread(&burn),
            ratio: median(&ratios),
            apart,
            runs,
        })
    }
}

/// Milliseconds from a call to the end of the wait for the device.
fn timed<T>(device: &BurnDevice, call: impl FnOnce() -> T) -> Result<(f64, T)> {
    device.sync()?;
    let start = Instant::now();
    let result = call();
    device.sync()?;
    Ok((milliseconds(start), result))
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The upper one of an even number.
fn median(samples: &[f64]) -> f64 {
    sorted(samples)[samples.len() / 2]
}

fn spread(samples: &[f64]) -> f64 {
    let sorted = sorted(samples);
    (sorted[sorted.len() - 1] - sorted[0]) / median(samples)
}
