//! The views that an operation takes.

use super::{MOMENTS_BYTES, RECORD_BYTES, Role};
use crate::error::Result;
use crate::geometry::span;
use crate::spec::{Operation, Source, Stage};

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
    ];
    let needed = all.into_iter().filter(|(_, needed, ..)| *needed);
    Ok(needed
        .map(|(role, _, bytes, read, written)| Need {
            role,
            bytes,
            read,
            written,
        })
        .collect())
}
