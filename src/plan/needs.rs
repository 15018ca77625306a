//! The views that an operation takes.

use super::{MOMENTS_BYTES, RECORD_BYTES, Role, SUMS_BYTES};
use crate::error::{Result, bail};
use crate::geometry::span;
use crate::spec::{Gradients, Operation, Source, Stage, Statistic};

/// A view that an operation takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub role: Role,
    /// From its first to its last.
    pub bytes: u64,
    pub read: bool,
    pub written: bool,
}

/// All views that `operation` takes, but the workspace.
pub(crate) fn needs(operation: &Operation) -> Result<Vec<Need>> {
    let segments = u64::from(operation.segments()?);
    let stage = operation.stage;
    let applies = stage != Stage::Statistics;
    let channels = match operation.running {
        Some(running) => u64::from(running.channels),
        None => segments,
    };
    let running = applies && (operation.running.is_some() || operation.source == Source::Running);
    let updates = operation.running.is_some();
    let counts = operation.running.is_some_and(|update| update.rate.is_none());
    let parameters = u64::from(operation.weight_len) * 4;
    let saves = operation.statistics && applies && operation.source == Source::Input;
    let element = operation.dtype.bytes();
    let x = span(&operation.axes, |axis| axis.x) * element;
    let y = span(&operation.axes, |axis| axis.y) * element;
    let takes_moments = stage == Stage::Apply;
    let all = [
        (Role::X, true, x, true, false),
        (Role::Y, applies, y, false, true),
        (Role::Weight, applies && operation.weight, parameters, true, false),
        (Role::Bias, applies && operation.bias, parameters, true, false),
        (Role::Statistics, saves, segments * RECORD_BYTES, false, true),
        (
            Role::Moments,
            stage != Stage::Whole,
            segments * MOMENTS_BYTES,
            takes_moments,
            !takes_moments,
        ),
        (Role::RunningMean, running, channels * 4, true, updates),
        (Role::RunningVar, running, channels * 4, true, updates),
        (Role::Batches, applies && counts, channels * 4, true, true),
        (
            Role::Corrections,
            applies && operation.renorm().is_some() && operation.statistics,
            segments * RECORD_BYTES,
            false,
            true,
        ),
    ];
    Ok(listed(&all))
}

/// All views that the gradients of `operation` take, but the workspace.
pub(crate) fn needs_backward(operation: &Operation, gradients: Gradients) -> Result<Vec<Need>> {
    let segments = u64::from(operation.segments()?);
    for (asked, had, gradient, parameter) in [
        (gradients.dweight, operation.weight, "dweight", "weight"),
        (gradients.dbias, operation.bias, "dbias", "bias"),
    ] {
        if asked && !had {
            bail!(
                Argument,
                gradient,
                "is asked for, but {} has no {parameter}",
                operation.name
            );
        }
    }
    if operation.stage != Stage::Statistics && !(gradients.dx || gradients.dweight || gradients.dbias) {
        bail!(Argument, "gradients", "none is asked for");
    }
    let stage = operation.stage;
    if stage != Stage::Whole {
        check_shares(operation)?;
    }
    let renormed = operation.renorm().is_some();
    if renormed && !operation.statistics {
        bail!(
            Parameter,
            "statistics",
            "are off: those of a renormalized batch depend on running statistics that are no more"
        );
    }
    if gradients.from_output {
        check_from_output(operation)?;
    }
    let broadcast = |axis: &crate::geometry::Axis| axis.x == 0 && axis.extent > 1;
    if gradients.dx && operation.axes.iter().any(broadcast) {
        bail!(
            Shape,
            "dx",
            "lies as x does, which is broadcast along an axis: several elements would share a place"
        );
    }
    let parameters = u64::from(operation.weight_len) * 4;
    let element = operation.dtype.bytes();
    let x = span(&operation.axes, |axis| axis.x) * element;
    let y = span(&operation.axes, |axis| axis.y) * element;
    let given = operation.source == Source::Running;
    let saved = operation.statistics && !given;
    let accumulate = gradients.accumulate;
    let sums = stage == Stage::Statistics;
    let all = [
        (Role::X, true, x, true, false),
        (Role::Dy, true, y, true, false),
        // What lies between its elements is kept where it is staged.
        (
            Role::Dx,
            gradients.dx,
            x,
            x > u64::from(operation.elements()?) * element,
            true,
        ),
        (
            Role::Weight,
            (gradients.dx || sums || gradients.from_output) && operation.weight,
            parameters,
            true,
            false,
        ),
        (
            Role::Bias,
            gradients.from_output && operation.bias,
            parameters,
            true,
            false,
        ),
        (Role::Statistics, saved, segments * RECORD_BYTES, true, false),
        (
            Role::Corrections,
            renormed && (gradients.dx && stage != Stage::Statistics),
            segments * RECORD_BYTES,
            true,
            false,
        ),
        (Role::RunningMean, given, segments * 4, true, false),
        (Role::RunningVar, given, segments * 4, true, false),
        (Role::Dweight, gradients.dweight, parameters, accumulate, true),
        (Role::Dbias, gradients.dbias, parameters, accumulate, true),
        (
            Role::Sums,
            stage != Stage::Whole,
            segments * SUMS_BYTES,
            !sums || accumulate,
            sums,
        ),
    ];
    Ok(listed(&all))
}

/// Refuses gradients of y where y does not say all.
fn check_from_output(operation: &Operation) -> Result<()> {
    let name = operation.name;
    match operation.statistic {
        Statistic::Window(_) => bail!(
            Parameter,
            "from_output",
            "{name} cannot be undone: it depends on neighbours"
        ),
        Statistic::Norm { p } if p.is_infinite() => bail!(
            Parameter,
            "from_output",
            "the gradient of an infinite p depends on which elements are the largest, which y says only roughly"
        ),
        _ => {}
    }
    if !operation.statistics && operation.source == Source::Input {
        bail!(
            Parameter,
            "statistics",
            "are off: without the records of the forward pass, y does not say how x was scaled"
        );
    }
    if operation.axes.iter().any(|axis| axis.extent > 1 && axis.x != axis.y) {
        bail!(
            Shape,
            "from_output",
            "needs a y that lies in memory as x does, for dx lies as x"
        );
    }
    Ok(())
}

/// Refuses gradients over shares of segments where their sums do not say all.
fn check_shares(operation: &Operation) -> Result<()> {
    let name = operation.name;
    if matches!(operation.statistic, Statistic::Window(_)) || operation.source == Source::Running {
        bail!(
            Parameter,
            "stage",
            "{name} takes no statistics here: its gradients need no sums over shares"
        );
    }
    if matches!(operation.statistic, Statistic::Norm { p } if p.is_infinite()) {
        bail!(
            Parameter,
            "stage",
            "the gradient of an infinite p depends on which elements are the largest, which sums do not say"
        );
    }
    if !operation.statistics {
        bail!(
            Parameter,
            "statistics",
            "are off: the records of all shares together cannot be taken of one"
        );
    }
    Ok(())
}

fn listed(all: &[(Role, bool, u64, bool, bool)]) -> Vec<Need> {
    let needed = all.iter().filter(|(_, needed, ..)| *needed);
    needed
        .map(|&(role, _, bytes, read, written)| Need {
            role,
            bytes,
            read,
            written,
        })
        .collect()
}
