//! `wgnorm plan`: what would run, without running it.

use clap::Args;
use serde_json::json;
use wgnorm::{BackwardPlan, Gradients, Plan, Variant};

use crate::bench::Direction;
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

    /// The pass that is planned.
    #[arg(long, value_enum, default_value_t = Direction::Forward)]
    direction: Direction,

    /// Gradients made of y instead of x.
    #[arg(long)]
    from_output: bool,

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
    let gradients = Gradients {
        from_output: args.from_output,
        ..Gradients::of(&operation)
    };
    let (text, summary, candidates) = match args.direction {
        Direction::Forward if args.from_output => {
            return Err(Failure::input("--from-output is of gradients: --direction backward"));
        }
        Direction::Forward => {
            let plan = operation.plan(context)?;
            (plan.to_string(), summary(&plan), operation.candidates(context)?)
        }
        Direction::Backward => {
            let plan = operation.plan_backward(context, gradients)?;
            let candidates = operation.backward_candidates(context, gradients)?;
            (plan.to_string(), backward_summary(&plan), candidates)
        }
    };
    let names: Vec<_> = candidates.into_iter().map(Variant::name).collect();
    say!("adapter     {}", device.describe());
    say!("{text}");
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
            "direction": args.direction,
            "shape": args.shape,
            "plan": summary,
            "candidates": names,
        }))?;
    }
    Ok(())
}

fn backward_summary(plan: &BackwardPlan) -> serde_json::Value {
    json!({
        "variant": plan.variant().map(|variant| variant.name()),
        "dispatches": plan.dispatches(),
        "workspace_bytes": plan.workspace_size(),
        "text": plan.to_string(),
    })
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
