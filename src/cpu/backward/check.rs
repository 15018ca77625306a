use super::BackwardArgs;
use crate::cpu::check::{settings, slice};
use crate::cpu::view::GradientViews;
use crate::cpu::walk::Walk;
use crate::error::{Result, bail};
use crate::geometry;
use crate::spec::{Gradients, Operation, Source, Statistic};

/// Checks everything that a caller passes against the operation and what is asked for.
pub(super) fn arguments(
    operation: &Operation,
    gradients: Gradients,
    walk: &Walk,
    views: &GradientViews,
    x: &[f32],
    dy: &[f32],
    args: &BackwardArgs<'_>,
) -> Result<()> {
    settings(operation)?;
    if !(gradients.dx || gradients.dweight || gradients.dbias) {
        bail!(Parameter, "gradients", "none is asked for");
    }
    if gradients.from_output {
        bail!(Parameter, "from_output", "is for devices; here x is taken");
    }
    for (name, asked, there) in [
        ("dweight", gradients.dweight, operation.weight),
        ("dbias", gradients.dbias, operation.bias),
    ] {
        if asked && !there {
            bail!(Parameter, name, "is asked for, but the operation has no such parameter");
        }
    }
    let exactly = |len: usize| len as u64..=len as u64;
    let dense = exactly(walk.elements());
    let by_x = geometry::span(&operation.axes, |axis| axis.x)..=u64::MAX;
    let by_y = geometry::span(&operation.axes, |axis| axis.y)..=u64::MAX;
    let like_x = if views.x.is_some() { by_x } else { dense.clone() };
    let like_y = if views.dy.is_some() { by_y } else { dense };
    let weight_len = exactly(operation.weight_len as usize);
    let weight = operation.weight && (gradients.dx || args.weight.is_some());
    let running = operation.source == Source::Running;
    let has_records = !running && !matches!(operation.statistic, Statistic::Window(_));
    let segments = exactly(walk.segments());
    slice("x", Some(x), Some(like_x.clone()))?;
    slice("dy", Some(dy), Some(like_y))?;
    slice("weight", args.weight, weight.then(|| weight_len.clone()))?;
    slice("running_mean", args.running_mean, running.then(|| segments.clone()))?;
    slice("running_var", args.running_var, running.then(|| segments.clone()))?;
    slice(
        "statistics",
        args.statistics,
        (has_records && args.statistics.is_some()).then_some(segments),
    )?;
    slice("dx", args.dx.as_deref(), gradients.dx.then_some(like_x))?;
    slice(
        "dweight",
        args.dweight.as_deref(),
        gradients.dweight.then(|| weight_len.clone()),
    )?;
    slice("dbias", args.dbias.as_deref(), gradients.dbias.then_some(weight_len))
}
