//! Quantile transforms on the device.

use super::shader::{Kernel, Params};
use super::transform::Map;
use crate::scaler::element::Element;
use crate::scaler::quantile_transform::{Distribution, QuantileTransform};

/// The map through the references of all features, or back.
pub(super) fn map(to: &QuantileTransform, tables: &[Vec<f64>], inverse: bool, by_key: bool) -> Map {
    let references = tables.first().map_or(1, Vec::len);
    let mut table = Vec::with_capacity(tables.len() * 2 * (references + 1));
    for references in tables {
        let ends = if inverse { to.ends_back() } else { to.ends(references) };
        table.extend([ends.0.key(), ends.1.key()]);
        for &reference in references {
            let near = reference as f32;
            let rest = if near.is_finite() {
                reference - f64::from(near)
            } else {
                0.0
            };
            table.extend([near.key(), (rest as f32).to_bits()]);
        }
    }
    let (low, high) = to.range();
    Map {
        kernel: Kernel::Quantile {
            normal: to.distribution() == Distribution::Normal,
            inverse,
            by_key,
        },
        table: Some(table),
        params: Params {
            low: low as f32,
            high: high as f32,
            edges: references as u32,
            ..Params::default()
        },
        // Two searches by halves.
        iterations: 2 * (references.ilog2() as usize + 2),
    }
}
