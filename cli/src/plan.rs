//! `wgnorm plan`: what would run, without running it.

use clap::Args;
use serde_json::json;
use wgnorm::Plan;

use crate::console::say;
use crate::device::{Device, DeviceArgs};
use crate::failure::{Failure, Result};
use crate::files::Output;
use crate::operation::{Op, Settings};

#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Which normalization.
    #[arg(long, value_enum)]
    op: Op,

    /// Extents in memory order, such as 4096,1024.
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    shape: Vec<usize>,

    #[command(flatten)]
    settings: Settings,

    /// Multiply y by a weight.
    #[arg(long)]
    weight: bool,

    /// Add a bias to y.
    #[arg(long)]
    bias: bool,

    /// Save the statistics of every segment.
    #[arg(long)]
    statistics: bool,
}

pub fn run(args: &PlanArgs, device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let device = device.open()?;
    let Device::Gpu(context) = &device else {
        return Err(Failure::input(
            "the CPU path makes no plan: --device auto or an adapter's name is needed",
        ));
    };
    let mut operation = args.settings.operation(args.op, &args.shape)?;
    operation.weight = args.weight;
    operation.bias = args.bias;
    operation.statistics = args.statistics;
    let plan = operation.plan(context)?;
    let candidates = operation.candidates(context)?;
    let names: Vec<_> = candidates.iter().map(|variant| variant.name()).collect();
    say!("adapter     {}", device.describe());
    say!("{plan}");
    say!(
        "candidates  {}",
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    );
    if let Some(json) = json {
        json.save_json(&json!({
            "adapter": device.describe(),
            "op": operation.name,
            "shape": args.shape,
            "plan": summary(&plan),
            "candidates": names,
        }))?;
    }
    Ok(())
}

/// A plan's figures as JSON.
pub fn summary(plan: &Plan) -> serde_json::Value {
    json!({
        "variant": plan.variant().map(|variant| variant.name()),
        "segments": plan.segments(),
        "dispatches": plan.dispatches(),
        "workspace_bytes": plan.workspace_size(),
        "text": plan.to_string(),
    })
}
