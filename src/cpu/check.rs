use super::Args;
use super::walk::Walk;
use crate::error::{Result, bail};
use crate::spec::{Operation, Source, Stage};

/// Checks everything that a caller passes against the operation.
pub(super) fn arguments(operation: &Operation, walk: &Walk, x: &[f32], y: &[f32], args: &Args<'_>) -> Result<()> {
    if operation.stage != Stage::Whole {
        bail!(
            Parameter,
            "stage",
            "is {:?}, the CPU path does whole operations only",
            operation.stage
        );
    }
    let (segments, elements) = (walk.segments(), walk.segments() * walk.length());
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
    let weight_len = operation.weight_len as usize;
    slice("x", Some(x), Some(elements))?;
    slice("y", Some(y), Some(elements))?;
    slice("weight", args.weight, operation.weight.then_some(weight_len))?;
    slice("bias", args.bias, operation.bias.then_some(weight_len))?;
    slice("running_mean", args.running_mean.as_deref(), channels)?;
    slice("running_var", args.running_var.as_deref(), channels)?;
    slice(
        "statistics",
        args.statistics.as_deref(),
        operation.statistics.then_some(segments),
    )
}

fn slice<T>(name: &'static str, given: Option<&[T]>, expected: Option<usize>) -> Result<()> {
    match (given, expected) {
        (Some(given), Some(expected)) if given.len() != expected => {
            bail!(Size, name, "has {} elements, {expected} are needed", given.len())
        }
        (None, Some(expected)) => bail!(Argument, name, "is missing, {expected} elements are needed"),
        (Some(_), None) => bail!(Argument, name, "is given, the operation takes none"),
        _ => Ok(()),
    }
}
