use std::ops::RangeInclusive;

use super::Args;
use super::view::Views;
use super::walk::Walk;
use crate::error::{Result, bail};
use crate::geometry;
use crate::spec::{Operation, Source, Stage, Statistic};

/// Checks everything that a caller passes against the operation.
pub(super) fn arguments(
    operation: &Operation,
    walk: &Walk,
    views: &Views,
    x: &[f32],
    y: &[f32],
    args: &Args<'_>,
) -> Result<()> {
    settings(operation)?;
    let segments = walk.segments();
    let channels = match (operation.source, &operation.running) {
        (Source::Running, None) => Some(segments),
        (Source::Running, Some(_)) => bail!(Parameter, "running", "is updated from itself"),
        (Source::Input, Some(update)) => {
            if u64::from(update.instances) * u64::from(update.channels) != segments as u64 {
                bail!(
                    Shape,
                    "running",
                    "{} instances of {} channels are not the {segments} segments",
                    update.instances,
                    update.channels
                );
            }
            Some(update.channels as usize)
        }
        (Source::Input, None) => None,
    };
    let exactly = |len: usize| len as u64..=len as u64;
    let dense = exactly(walk.elements());
    let strided = |span: u64| span..=u64::MAX;
    let x_len = match views.x {
        Some(_) => strided(geometry::span(&operation.axes, |axis| axis.x)),
        None => dense.clone(),
    };
    let y_len = match views.y {
        Some(_) => strided(geometry::span(&operation.axes, |axis| axis.y)),
        None => dense,
    };
    let weight_len = exactly(operation.weight_len as usize);
    slice("x", Some(x), Some(x_len))?;
    slice("y", Some(y), Some(y_len))?;
    slice("weight", args.weight, operation.weight.then_some(weight_len.clone()))?;
    slice("bias", args.bias, operation.bias.then_some(weight_len))?;
    slice("running_mean", args.running_mean.as_deref(), channels.map(exactly))?;
    slice("running_var", args.running_var.as_deref(), channels.map(exactly))?;
    let counts = operation.running.is_some_and(|update| update.rate.is_none());
    slice(
        "batches",
        args.batches.as_deref(),
        channels.filter(|_| counts).map(exactly),
    )?;
    slice(
        "statistics",
        args.statistics.as_deref(),
        operation.statistics.then_some(exactly(segments)),
    )
}

/// Checks what a builder would not have made, and what is not done here.
pub(super) fn settings(operation: &Operation) -> Result<()> {
    if operation.stage != Stage::Whole {
        bail!(
            Parameter,
            "stage",
            "is {:?}, the CPU path does whole operations only",
            operation.stage
        );
    }
    let variance = match operation.statistic {
        Statistic::MeanVariance | Statistic::MeanSquare => true,
        Statistic::Norm { .. } => false,
        Statistic::Window(_) => {
            let reduced = operation.axes.iter().filter(|axis| axis.reduced).count();
            if reduced != 1 {
                bail!(Shape, "axes", "{reduced} are reduced, a window moves along one");
            }
            if operation.statistics {
                bail!(Parameter, "statistics", "are asked for, but a window has none");
            }
            false
        }
    };
    if operation.renorm().is_some() {
        bail!(Parameter, "renormalize", "is for devices");
    }
    if !variance && (operation.source == Source::Running || operation.running.is_some()) {
        bail!(Parameter, "running", "{:?} has no variance", operation.statistic);
    }
    Ok(())
}

/// Checks that a slice is given if and only if it is `needed`, and has that many elements.
pub(super) fn slice<T>(name: &'static str, given: Option<&[T]>, needed: Option<RangeInclusive<u64>>) -> Result<()> {
    match (given, needed) {
        (Some(given), Some(needed)) if !needed.contains(&(given.len() as u64)) => {
            bail!(
                Size,
                name,
                "has {} elements, {} are needed",
                given.len(),
                needed.start()
            )
        }
        (None, Some(needed)) => bail!(Argument, name, "is missing, {} elements are needed", needed.start()),
        (Some(_), None) => bail!(Argument, name, "is given, the operation takes none"),
        _ => Ok(()),
    }
}
