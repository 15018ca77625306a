//! The loss of a network in plain f64, one obvious loop a formula: what the device's gradients are checked against.

use crate::network::Layer;
use crate::norm::Norm;

/// What the loss is a function of.
pub struct Network<'a> {
    pub layers: &'a [Layer],
    pub norm: Norm,
    pub groups: usize,
    pub classes: usize,
    /// By the places that layers tell.
    pub parameters: &'a [f64],
    /// Running statistics, in place of the batch's.
    pub running: Option<&'a [f64]>,
}

impl Network<'_> {
    /// The mean of softmax cross-entropy over the samples.
    pub fn loss(&self, input: &[f64], labels: &[u32]) -> f64 {
        let mut h: Vec<Vec<f64>> = input.chunks(self.layers[0].inputs).map(<[f64]>::to_vec).collect();
        for layer in self.layers {
            h = h.iter().map(|row| self.product(layer, row)).collect();
            if layer.hidden {
                self.normalize(layer, &mut h);
            }
            for (j, y) in h.iter_mut().flat_map(|row| row.iter_mut().enumerate()) {
                *y += self.parameters[layer.bias + j];
                *y = if layer.hidden { y.max(0.0) } else { *y };
            }
        }
        let losses = h.iter().zip(labels).map(|(logits, &label)| {
            let sum: f64 = logits[..self.classes].iter().map(|logit| logit.exp()).sum();
            sum.ln() - logits[label as usize]
        });
        losses.sum::<f64>() / labels.len() as f64
    }

    fn product(&self, layer: &Layer, row: &[f64]) -> Vec<f64> {
        let column = |j| {
            row.iter()
                .enumerate()
                .map(move |(i, h)| h * self.parameters[layer.matrix + i * layer.outputs + j])
        };
        (0..layer.outputs).map(|j| column(j).sum()).collect()
    }

    /// Everything but the bias.
    fn normalize(&self, layer: &Layer, z: &mut [Vec<f64>]) {
        match (self.norm, self.running) {
            (Norm::None, _) => return,
            (Norm::Batch, Some(running)) => {
                for (j, z) in z.iter_mut().flat_map(|row| row.iter_mut().enumerate()) {
                    *z = (*z - running[layer.weight + j]) / (running[layer.bias + j] + 1e-5).sqrt();
                }
            }
            (Norm::Batch, None) => {
                for j in 0..layer.outputs {
                    let column: Vec<f64> = z.iter().map(|row| row[j]).collect();
                    let standard = standardized(&column);
                    z.iter_mut().zip(standard).for_each(|(row, value)| row[j] = value);
                }
            }
            (Norm::Layer, _) => z.iter_mut().for_each(|row| *row = standardized(row)),
            (Norm::Group, _) => {
                for group in z.iter_mut().flat_map(|row| row.chunks_mut(layer.outputs / self.groups)) {
                    group.copy_from_slice(&standardized(group));
                }
            }
            (Norm::Rms, _) => {
                for row in z.iter_mut() {
                    let square = row.iter().map(|z| z * z).sum::<f64>() / row.len() as f64;
                    row.iter_mut()
                        .for_each(|z| *z /= (square + f64::from(f32::EPSILON)).sqrt());
                }
            }
        }
        for (j, z) in z.iter_mut().flat_map(|row| row.iter_mut().enumerate()) {
            *z *= self.parameters[layer.weight + j];
        }
    }
}

/// (x - mean) / sqrt(var + eps)
fn standardized(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    x.iter().map(|x| (x - mean) / (var + 1e-5).sqrt()).collect()
}
