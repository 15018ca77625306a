//! Sums of g and of g x_hat by segment, or of dy and of dy x_hat by weight.

use std::ops::Range;

use super::lanes::{Accumulators, Sums};

/// Terms that are added up in f32 before they are added to a sum in f64.
const IN_A_ROW: usize = 64;

/// The sums of consecutive segments or weights, from `first` on.
#[derive(Default)]
pub(super) struct SumTable {
    first: usize,
    products: Vec<f64>,
    gradients: Vec<f64>,
    /// What is not yet in those.
    recent: [Vec<f32>; 2],
    /// Elements in it.
    count: usize,
}

impl SumTable {
    pub fn new(keys: Range<usize>) -> Self {
        Self {
            first: keys.start,
            products: vec![0.0; keys.len()],
            gradients: vec![0.0; keys.len()],
            recent: [Vec::new(), Vec::new()],
            count: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    /// Adds the sums of elements of one key.
    pub fn add(&mut self, key: usize, sums: Sums<f64>) {
        let i = key - self.first;
        self.products[i] += sums.products;
        self.gradients[i] += sums.gradients;
    }

    /// The sums of all keys.
    pub fn into_sums(mut self) -> Vec<Sums<f64>> {
        self.settle();
        let pairs = self.gradients.into_iter().zip(self.products);
        pairs
            .map(|(gradients, products)| Sums { gradients, products })
            .collect()
    }

    /// Where to add products and gradients of a run, one element to each of so many keys.
    pub fn accumulators(&mut self, key: usize, len: usize) -> Accumulators<'_> {
        if self.count >= IN_A_ROW * self.products.len() {
            self.settle();
        }
        self.count += len;
        let i = key - self.first;
        let all = self.products.len();
        Some(self.recent.each_mut().map(|recent| {
            recent.resize(all, 0.0);
            &mut recent[i..][..len]
        }))
    }

    fn settle(&mut self) {
        let [products, gradients] = &mut self.recent;
        for (sums, recent) in [(&mut self.products, products), (&mut self.gradients, gradients)] {
            for (sum, recent) in sums.iter_mut().zip(recent) {
                *sum += f64::from(*recent);
                *recent = 0.0;
            }
        }
        self.count = 0;
    }

    /// Adds the sums of other elements, of keys among these.
    pub fn absorb(&mut self, mut other: Self) {
        other.settle();
        if other.is_empty() {
            return;
        }
        let start = other.first - self.first;
        let pairs = [
            (&mut self.products, other.products),
            (&mut self.gradients, other.gradients),
        ];
        for (sums, others) in pairs {
            for (sum, other) in sums[start..].iter_mut().zip(others) {
                *sum += other;
            }
        }
    }

    /// Adds the sums of weights to dweight and dbias.
    pub fn finish(mut self, dweight: Option<&mut [f32]>, dbias: Option<&mut [f32]>) {
        self.settle();
        for (out, sums) in [(dweight, self.products), (dbias, self.gradients)] {
            for (out, sum) in out.into_iter().flatten().zip(sums) {
                *out = (f64::from(*out) + sum) as f32;
            }
        }
    }
}
