//! The loops over f32 vectors of the backward pass: sums of g and g x_hat, and the map to dx.
//!
//! As in the forward [`lanes`](super::super::lanes), a vector is eight elements whatever the processor has.

use fearless_simd::{Level, Simd, dispatch, f32x8, prelude::*};

use crate::cpu::lanes::{Line, WIDTH, tree};

/// Vectors that are summed side by side, so that additions overlap.
const UNROLL: usize = 4;

/// `sum(g)` and `sum(g x_hat)`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums<T> {
    pub gradients: T,
    pub products: T,
}

impl Sums<f64> {
    pub fn add(&mut self, other: &Self) {
        self.gradients += other.gradients;
        self.products += other.products;
    }

    /// The sums of g of those of dy, where all share a weight.
    pub fn times(self, weight: f64) -> Self {
        Self {
            gradients: self.gradients * weight,
            products: self.products * weight,
        }
    }

    pub fn are_finite(&self) -> bool {
        self.gradients.is_finite() && self.products.is_finite()
    }
}

/// The elements of a run: x, dy, and a weight of each if it has one.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub x: &'a [f32],
    pub dy: &'a [f32],
    pub weight: Option<&'a [f32]>,
}

/// What makes dx: `dx = g * of_g + x_hat * of_x_hat + constant`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Slope {
    pub of_g: f32,
    pub of_x_hat: f32,
    pub constant: f32,
}

/// Lines or slopes of neighbouring segments, each coefficient of all of them together.
#[derive(Debug, Default, Clone)]
pub(super) struct Table {
    pub columns: [Vec<f32>; 3],
}

impl Table {
    pub fn push(&mut self, coefficients: [f32; 3]) {
        for (column, coefficient) in self.columns.iter_mut().zip(coefficients) {
            column.push(coefficient);
        }
    }

    /// The coefficients of so many segments from `first` on.
    pub fn slices(&self, first: usize, len: usize) -> [&[f32]; 3] {
        self.columns.each_ref().map(|column| &column[first..][..len])
    }

    pub fn line(&self, segment: usize) -> Line {
        let [center, factor, offset] = self.columns.each_ref().map(|column| column[segment]);
        Line { center, factor, offset }
    }

    pub fn slope(&self, segment: usize) -> Slope {
        let [of_g, of_x_hat, constant] = self.columns.each_ref().map(|column| column[segment]);
        Slope {
            of_g,
            of_x_hat,
            constant,
        }
    }
}

/// Where the products and gradients of the weights of a run are added up.
pub(super) type Accumulators<'a> = Option<[&'a mut [f32]; 2]>;

/// A vector of a slice, by its number.
#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32], i: usize) -> f32x8<S> {
    f32x8::from_slice(simd, &values[i * WIDTH..][..WIDTH])
}

/// The sums of a run in one segment.
pub(super) fn sums(level: Level, operands: Operands<'_>, line: Line) -> Sums<f32> {
    let Operands { x, dy, weight } = operands;
    let lines = [line.center, line.factor, line.offset];
    dispatch!(level, simd => {
        let [center, factor, offset] = lines.map(
            #[inline(always)]
            |value| f32x8::splat(simd, value),
        );
        match weight {
            Some(weight) => sums_of(
                simd,
                dy.len(),
                #[inline(always)] |i| (load(simd, x, i) - center).mul_add(factor, offset),
                #[inline(always)] |i| (x[i] - lines[0]).mul_add(lines[1], lines[2]),
                #[inline(always)] |i| load(simd, dy, i) * load(simd, weight, i),
                #[inline(always)] |i| dy[i] * weight[i],
            ),
            None => sums_of(
                simd,
                dy.len(),
                #[inline(always)] |i| (load(simd, x, i) - center).mul_add(factor, offset),
                #[inline(always)] |i| (x[i] - lines[0]).mul_add(lines[1], lines[2]),
                #[inline(always)] |i| load(simd, dy, i),
                #[inline(always)] |i| dy[i],
            ),
        }
    })
}

/// The sums of dy of a run across neighbouring segments.
pub(super) fn sums_across(level: Level, x: &[f32], dy: &[f32], lines: [&[f32]; 3]) -> Sums<f32> {
    let [center, factor, offset] = lines;
    dispatch!(level, simd => sums_of(
        simd,
        dy.len(),
        #[inline(always)]
        |i| (load(simd, x, i) - load(simd, center, i)).mul_add(load(simd, factor, i), load(simd, offset, i)),
        #[inline(always)]
        |i| (x[i] - center[i]).mul_add(factor[i], offset[i]),
        #[inline(always)]
        |i| load(simd, dy, i),
        #[inline(always)]
        |i| dy[i],
    ))
}

/// The elements of all vectors, summed in a tree.
#[inline(always)]
fn total<S: Simd>([a, b, c, d]: [f32x8<S>; UNROLL]) -> f32 {
    tree(((a + b) + (c + d)).into())
}

#[inline(always)]
fn sums_of<S: Simd>(
    simd: S,
    len: usize,
    x_hat: impl Fn(usize) -> f32x8<S>,
    last_x_hat: impl Fn(usize) -> f32,
    g: impl Fn(usize) -> f32x8<S>,
    last_g: impl Fn(usize) -> f32,
) -> Sums<f32> {
    let zero = f32x8::splat(simd, 0.0);
    let (mut gradients, mut products) = ([zero; UNROLL], [zero; UNROLL]);
    let vectors = len / WIDTH;
    let whole = vectors / UNROLL * UNROLL;
    for block in (0..whole).step_by(UNROLL) {
        for lane in 0..UNROLL {
            let g = g(block + lane);
            gradients[lane] += g;
            products[lane] = g.mul_add(x_hat(block + lane), products[lane]);
        }
    }
    for i in whole..vectors {
        let g = g(i);
        gradients[i - whole] += g;
        products[i - whole] = g.mul_add(x_hat(i), products[i - whole]);
    }
    let mut sums = Sums {
        gradients: total(gradients),
        products: total(products),
    };
    for i in vectors * WIDTH..len {
        sums.gradients += last_g(i);
        sums.products = last_g(i).mul_add(last_x_hat(i), sums.products);
    }
    sums
}

/// Adds g and g x_hat of a run across neighbouring segments to sums of each.
pub(super) fn add_columns(
    level: Level,
    operands: Operands<'_>,
    weight: f32,
    lines: [&[f32]; 3],
    [products, gradients]: [&mut [f32]; 2],
) {
    let Operands { x, dy, weight: weights } = operands;
    let [center, factor, offset] = lines;
    dispatch!(level, simd => {
        let vectors = dy.len() / WIDTH;
        let scalar = f32x8::splat(simd, weight);
        for i in 0..vectors {
            let g = load(simd, dy, i) * weights.map_or(scalar, #[inline(always)] |weights| load(simd, weights, i));
            let x_hat = (load(simd, x, i) - load(simd, center, i)).mul_add(load(simd, factor, i), load(simd, offset, i));
            (load(simd, gradients, i) + g).store_slice(&mut gradients[i * WIDTH..][..WIDTH]);
            g.mul_add(x_hat, load(simd, products, i)).store_slice(&mut products[i * WIDTH..][..WIDTH]);
        }
        for i in vectors * WIDTH..dy.len() {
            let g = dy[i] * weights.map_or(weight, #[inline(always)] |weights| weights[i]);
            gradients[i] += g;
            products[i] = g.mul_add((x[i] - center[i]).mul_add(factor[i], offset[i]), products[i]);
        }
    });
}

/// Maps a run in one segment to dx, unless it is empty, and adds the products and gradients of its weights.
pub(super) fn map(
    level: Level,
    operands: Operands<'_>,
    line: Line,
    slope: Slope,
    dx: &mut [f32],
    accumulators: Accumulators<'_>,
) {
    let lines = [line.center, line.factor, line.offset];
    let slopes = [slope.of_g, slope.of_x_hat, slope.constant];
    dispatch!(level, simd => {
        let coefficients = [lines, slopes].map(
            #[inline(always)]
            |values| values.map(#[inline(always)] |value| f32x8::splat(simd, value)),
        );
        map_of(
            simd, operands,
            #[inline(always)] |_| coefficients,
            #[inline(always)] |_| [lines, slopes],
            dx, accumulators,
        );
    });
}

/// As [`map`], across neighbouring segments.
pub(super) fn map_across(
    level: Level,
    operands: Operands<'_>,
    lines: [&[f32]; 3],
    slopes: [&[f32]; 3],
    dx: &mut [f32],
    accumulators: Accumulators<'_>,
) {
    dispatch!(level, simd => map_of(
        simd, operands,
        #[inline(always)] |i| [lines, slopes].map(
            #[inline(always)]
            |table| table.map(#[inline(always)] |values| load(simd, values, i)),
        ),
        #[inline(always)] |i| [lines, slopes].map(#[inline(always)] |table| table.map(#[inline(always)] |values| values[i])),
        dx, accumulators,
    ));
}

/// The loop of [`map`]: `coefficients` gives line and slope of a vector, `last` those of an element.
#[inline(always)]
fn map_of<S: Simd>(
    simd: S,
    operands: Operands<'_>,
    coefficients: impl Fn(usize) -> [[f32x8<S>; 3]; 2],
    last: impl Fn(usize) -> [[f32; 3]; 2],
    dx: &mut [f32],
    accumulators: Accumulators<'_>,
) {
    let (weighted, adds) = (operands.weight.is_some(), accumulators.is_some());
    let accumulators = accumulators.unwrap_or_default();
    match (weighted, !dx.is_empty(), adds) {
        (true, true, true) => map_in::<S, true, true, true>(simd, operands, coefficients, last, dx, accumulators),
        (true, true, false) => map_in::<S, true, true, false>(simd, operands, coefficients, last, dx, accumulators),
        (false, true, true) => map_in::<S, false, true, true>(simd, operands, coefficients, last, dx, accumulators),
        (false, true, false) => map_in::<S, false, true, false>(simd, operands, coefficients, last, dx, accumulators),
        (_, false, true) => map_in::<S, false, false, true>(simd, operands, coefficients, last, dx, accumulators),
        (_, false, false) => {}
    }
}

#[inline(always)]
fn map_in<S: Simd, const WEIGHTED: bool, const MAPS: bool, const ADDS: bool>(
    simd: S,
    Operands { x, dy, weight }: Operands<'_>,
    coefficients: impl Fn(usize) -> [[f32x8<S>; 3]; 2],
    last: impl Fn(usize) -> [[f32; 3]; 2],
    dx: &mut [f32],
    [products, gradients]: [&mut [f32]; 2],
) {
    let len = dy.len();
    let x = &x[..len];
    let weight = if WEIGHTED {
        &weight.unwrap_or_default()[..len]
    } else {
        &[]
    };
    let dx = if MAPS { &mut dx[..len] } else { dx };
    let (products, gradients) = match ADDS {
        true => (&mut products[..len], &mut gradients[..len]),
        false => (products, gradients),
    };
    let vectors = len / WIDTH;
    for i in 0..vectors {
        let [[center, factor, offset], [of_g, of_x_hat, constant]] = coefficients(i);
        let (x_hat, dy) = ((load(simd, x, i) - center).mul_add(factor, offset), load(simd, dy, i));
        if MAPS {
            let g = if WEIGHTED { dy * load(simd, weight, i) } else { dy };
            let mapped = g.mul_add(of_g, x_hat.mul_add(of_x_hat, constant));
            mapped.store_slice(&mut dx[i * WIDTH..][..WIDTH]);
        }
        if ADDS {
            dy.mul_add(x_hat, load(simd, products, i))
                .store_slice(&mut products[i * WIDTH..][..WIDTH]);
            (load(simd, gradients, i) + dy).store_slice(&mut gradients[i * WIDTH..][..WIDTH]);
        }
    }
    for i in vectors * WIDTH..len {
        let [[center, factor, offset], [of_g, of_x_hat, constant]] = last(i);
        let x_hat = (x[i] - center).mul_add(factor, offset);
        if MAPS {
            let g = if WEIGHTED { dy[i] * weight[i] } else { dy[i] };
            dx[i] = g.mul_add(of_g, x_hat.mul_add(of_x_hat, constant));
        }
        if ADDS {
            products[i] = dy[i].mul_add(x_hat, products[i]);
            gradients[i] += dy[i];
        }
    }
}
