//! The loops over f32 vectors of the backward pass: sums of g and g x_hat, and the map to dx.
//!
//! As in the forward [`lanes`](super::super::lanes), a vector is eight elements whatever the processor has.

use fearless_simd::{Level, Simd, dispatch, f32x8, prelude::*};

use crate::cpu::lanes::{Line, UNROLL, WIDTH, in_lanes, total};

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

/// Whole vectors of a slice, and what is left.
type Split<'a> = (&'a [[f32; WIDTH]], &'a [f32]);

/// The first elements of a slice as vectors. Of slices that are cut to the same length, no access to a vector has to be
/// checked.
#[inline(always)]
fn split(values: &[f32], len: usize) -> Split<'_> {
    values[..len].as_chunks()
}

#[inline(always)]
fn split_all([a, b, c]: [&[f32]; 3], len: usize) -> [Split<'_>; 3] {
    [split(a, len), split(b, len), split(c, len)]
}

#[inline(always)]
fn splat_all<S: Simd>(simd: S, [a, b, c]: [f32; 3]) -> [f32x8<S>; 3] {
    [f32x8::splat(simd, a), f32x8::splat(simd, b), f32x8::splat(simd, c)]
}

#[inline(always)]
fn split_mut(values: &mut [f32], len: usize) -> (&mut [[f32; WIDTH]], &mut [f32]) {
    values[..len].as_chunks_mut()
}

#[inline(always)]
fn load<S: Simd>(simd: S, vector: &[f32; WIDTH]) -> f32x8<S> {
    f32x8::from_slice(simd, vector)
}

/// The sums of a run in one segment.
pub(super) fn sums(level: Level, operands: Operands<'_>, line: Line) -> Sums<f32> {
    let Operands { x, dy, weight } = operands;
    dispatch!(level, simd => match weight {
        Some(weight) => sums_in::<_, true>(simd, x, dy, weight, line),
        None => sums_in::<_, false>(simd, x, dy, &[], line),
    })
}

#[inline(always)]
fn sums_in<S: Simd, const WEIGHTED: bool>(simd: S, x: &[f32], dy: &[f32], weight: &[f32], line: Line) -> Sums<f32> {
    let len = dy.len();
    let ((x, last_x), (dy, last_dy)) = (split(x, len), split(dy, len));
    let (weight, last_weight) = split(weight, if WEIGHTED { len } else { 0 });
    let [center, factor, offset] = splat_all(simd, [line.center, line.factor, line.offset]);
    let (x, weight) = (&x[..dy.len()], if WEIGHTED { &weight[..dy.len()] } else { weight });
    let mut adder = Adder::new(simd);
    in_lanes(
        dy.len(),
        #[inline(always)]
        |i, lane| {
            let x_hat = (load(simd, &x[i]) - center).mul_add(factor, offset);
            let dy = load(simd, &dy[i]);
            let g = if WEIGHTED { dy * load(simd, &weight[i]) } else { dy };
            adder.add(lane, g, x_hat);
        },
    );
    let mut sums = adder.finish();
    for (i, (&x, &dy)) in last_x.iter().zip(last_dy).enumerate() {
        let g = if WEIGHTED { dy * last_weight[i] } else { dy };
        sums.gradients += g;
        sums.products = g.mul_add((x - line.center).mul_add(line.factor, line.offset), sums.products);
    }
    sums
}

/// The sums of dy of a run across neighbouring segments.
pub(super) fn sums_across(level: Level, x: &[f32], dy: &[f32], lines: [&[f32]; 3]) -> Sums<f32> {
    dispatch!(level, simd => sums_across_in(simd, x, dy, lines))
}

#[inline(always)]
fn sums_across_in<S: Simd>(simd: S, x: &[f32], dy: &[f32], lines: [&[f32]; 3]) -> Sums<f32> {
    let len = dy.len();
    let ((x, last_x), (dy, last_dy)) = (split(x, len), split(dy, len));
    let lines = split_all(lines, len);
    let [(center, _), (factor, _), (offset, _)] = lines;
    let (center, factor, offset) = (&center[..dy.len()], &factor[..dy.len()], &offset[..dy.len()]);
    let x = &x[..dy.len()];
    let mut adder = Adder::new(simd);
    in_lanes(
        dy.len(),
        #[inline(always)]
        |i, lane| {
            let x_hat =
                (load(simd, &x[i]) - load(simd, &center[i])).mul_add(load(simd, &factor[i]), load(simd, &offset[i]));
            adder.add(lane, load(simd, &dy[i]), x_hat);
        },
    );
    let mut sums = adder.finish();
    let [(_, center), (_, factor), (_, offset)] = lines;
    for (i, (&x, &dy)) in last_x.iter().zip(last_dy).enumerate() {
        sums.gradients += dy;
        sums.products = dy.mul_add((x - center[i]).mul_add(factor[i], offset[i]), sums.products);
    }
    sums
}

/// Sums of vectors, in lanes.
struct Adder<S: Simd> {
    gradients: [f32x8<S>; UNROLL],
    products: [f32x8<S>; UNROLL],
}

impl<S: Simd> Adder<S> {
    #[inline(always)]
    fn new(simd: S) -> Self {
        let zero = f32x8::splat(simd, 0.0);
        Self {
            gradients: [zero; UNROLL],
            products: [zero; UNROLL],
        }
    }

    #[inline(always)]
    fn add(&mut self, lane: usize, g: f32x8<S>, x_hat: f32x8<S>) {
        self.gradients[lane] += g;
        self.products[lane] = g.mul_add(x_hat, self.products[lane]);
    }

    #[inline(always)]
    fn finish(self) -> Sums<f32> {
        Sums {
            gradients: total(self.gradients),
            products: total(self.products),
        }
    }
}

/// Adds g and g x_hat of a run across neighbouring segments to sums of each.
pub(super) fn add_columns(
    level: Level,
    operands: Operands<'_>,
    weight: f32,
    lines: [&[f32]; 3],
    sums: [&mut [f32]; 2],
) {
    let Operands { x, dy, weight: weights } = operands;
    dispatch!(level, simd => match weights {
        Some(weights) => add_columns_in::<_, true>(simd, x, dy, weights, weight, lines, sums),
        None => add_columns_in::<_, false>(simd, x, dy, &[], weight, lines, sums),
    });
}

#[inline(always)]
fn add_columns_in<S: Simd, const WEIGHTED: bool>(
    simd: S,
    x: &[f32],
    dy: &[f32],
    weights: &[f32],
    weight: f32,
    lines: [&[f32]; 3],
    [products, gradients]: [&mut [f32]; 2],
) {
    let len = dy.len();
    let ((x, last_x), (dy, last_dy)) = (split(x, len), split(dy, len));
    let (weights, last_weights) = split(weights, if WEIGHTED { len } else { 0 });
    let lines = split_all(lines, len);
    let (products, last_products) = split_mut(products, len);
    let (gradients, last_gradients) = split_mut(gradients, len);
    let vectors = dy.len();
    let [(center, _), (factor, _), (offset, _)] = lines;
    let (center, factor, offset) = (&center[..vectors], &factor[..vectors], &offset[..vectors]);
    let (x, weights) = (&x[..vectors], if WEIGHTED { &weights[..vectors] } else { weights });
    let (products, gradients) = (&mut products[..vectors], &mut gradients[..vectors]);
    let scalar = f32x8::splat(simd, weight);
    for i in 0..vectors {
        let weight = if WEIGHTED { load(simd, &weights[i]) } else { scalar };
        let g = load(simd, &dy[i]) * weight;
        let x_hat =
            (load(simd, &x[i]) - load(simd, &center[i])).mul_add(load(simd, &factor[i]), load(simd, &offset[i]));
        (load(simd, &gradients[i]) + g).store_slice(&mut gradients[i]);
        g.mul_add(x_hat, load(simd, &products[i])).store_slice(&mut products[i]);
    }
    let [(_, center), (_, factor), (_, offset)] = lines;
    for (i, (&x, &dy)) in last_x.iter().zip(last_dy).enumerate() {
        let g = dy * if WEIGHTED { last_weights[i] } else { weight };
        last_gradients[i] += g;
        last_products[i] = g.mul_add((x - center[i]).mul_add(factor[i], offset[i]), last_products[i]);
    }
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
    let coefficients = [
        [line.center, line.factor, line.offset],
        [slope.of_g, slope.of_x_hat, slope.constant],
    ];
    dispatch!(level, simd => map_of(simd, operands, One::new(simd, coefficients), dx, accumulators));
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
    dispatch!(level, simd => map_of(simd, operands, Across::new([lines, slopes], operands.dy.len()), dx, accumulators));
}

/// The line and the slope of every element of a run.
trait Coefficients<S: Simd>: Copy {
    fn of_vector(self, simd: S, i: usize) -> [[f32x8<S>; 3]; 2];

    /// Those of an element behind the last vector.
    fn of_last(self, i: usize) -> [[f32; 3]; 2];
}

/// The same of all elements.
#[derive(Clone, Copy)]
struct One<S: Simd> {
    scalars: [[f32; 3]; 2],
    vectors: [[f32x8<S>; 3]; 2],
}

impl<S: Simd> One<S> {
    #[inline(always)]
    fn new(simd: S, scalars: [[f32; 3]; 2]) -> Self {
        let vectors = [splat_all(simd, scalars[0]), splat_all(simd, scalars[1])];
        Self { scalars, vectors }
    }
}

impl<S: Simd> Coefficients<S> for One<S> {
    #[inline(always)]
    fn of_vector(self, _: S, _: usize) -> [[f32x8<S>; 3]; 2] {
        self.vectors
    }

    #[inline(always)]
    fn of_last(self, _: usize) -> [[f32; 3]; 2] {
        self.scalars
    }
}

/// Others of each element.
#[derive(Clone, Copy)]
struct Across<'a>([[Split<'a>; 3]; 2]);

impl<'a> Across<'a> {
    #[inline(always)]
    fn new([lines, slopes]: [[&'a [f32]; 3]; 2], len: usize) -> Self {
        Self([split_all(lines, len), split_all(slopes, len)])
    }
}

impl<S: Simd> Coefficients<S> for Across<'_> {
    #[inline(always)]
    fn of_vector(self, simd: S, i: usize) -> [[f32x8<S>; 3]; 2] {
        // (Written out: a closure that is not inlined is called for every vector.)
        let [[(a, _), (b, _), (c, _)], [(d, _), (e, _), (f, _)]] = self.0;
        [
            [load(simd, &a[i]), load(simd, &b[i]), load(simd, &c[i])],
            [load(simd, &d[i]), load(simd, &e[i]), load(simd, &f[i])],
        ]
    }

    #[inline(always)]
    fn of_last(self, i: usize) -> [[f32; 3]; 2] {
        let [[(_, a), (_, b), (_, c)], [(_, d), (_, e), (_, f)]] = self.0;
        [[a[i], b[i], c[i]], [d[i], e[i], f[i]]]
    }
}

#[inline(always)]
fn map_of<S: Simd>(
    simd: S,
    operands: Operands<'_>,
    coefficients: impl Coefficients<S>,
    dx: &mut [f32],
    accumulators: Accumulators<'_>,
) {
    let (weighted, adds) = (operands.weight.is_some(), accumulators.is_some());
    let sums = accumulators.unwrap_or_default();
    match (weighted, !dx.is_empty(), adds) {
        (true, true, true) => map_in::<S, true, true, true>(simd, operands, coefficients, dx, sums),
        (true, true, false) => map_in::<S, true, true, false>(simd, operands, coefficients, dx, sums),
        (false, true, true) => map_in::<S, false, true, true>(simd, operands, coefficients, dx, sums),
        (false, true, false) => map_in::<S, false, true, false>(simd, operands, coefficients, dx, sums),
        (_, false, true) => map_in::<S, false, false, true>(simd, operands, coefficients, dx, sums),
        (_, false, false) => {}
    }
}

/// The loop of [`map`].
#[inline(always)]
fn map_in<S: Simd, const WEIGHTED: bool, const MAPS: bool, const ADDS: bool>(
    simd: S,
    Operands { x, dy, weight }: Operands<'_>,
    coefficients: impl Coefficients<S>,
    dx: &mut [f32],
    [products, gradients]: [&mut [f32]; 2],
) {
    let len = dy.len();
    let ((x, last_x), (dy, last_dy)) = (split(x, len), split(dy, len));
    let (weight, last_weight) = split(weight.unwrap_or_default(), if WEIGHTED { len } else { 0 });
    let (dx, last_dx) = split_mut(dx, if MAPS { len } else { 0 });
    let (products, last_products) = split_mut(products, if ADDS { len } else { 0 });
    let (gradients, last_gradients) = split_mut(gradients, if ADDS { len } else { 0 });
    let vectors = dy.len();
    let x = &x[..vectors];
    let weight = if WEIGHTED { &weight[..vectors] } else { weight };
    let dx = if MAPS { &mut dx[..vectors] } else { dx };
    let products = if ADDS { &mut products[..vectors] } else { products };
    let gradients = if ADDS { &mut gradients[..vectors] } else { gradients };
    for i in 0..vectors {
        let [[center, factor, offset], [of_g, of_x_hat, constant]] = coefficients.of_vector(simd, i);
        let x_hat = (load(simd, &x[i]) - center).mul_add(factor, offset);
        let dy = load(simd, &dy[i]);
        if MAPS {
            let g = if WEIGHTED { dy * load(simd, &weight[i]) } else { dy };
            g.mul_add(of_g, x_hat.mul_add(of_x_hat, constant))
                .store_slice(&mut dx[i]);
        }
        if ADDS {
            dy.mul_add(x_hat, load(simd, &products[i]))
                .store_slice(&mut products[i]);
            (load(simd, &gradients[i]) + dy).store_slice(&mut gradients[i]);
        }
    }
    for (i, (&x, &dy)) in last_x.iter().zip(last_dy).enumerate() {
        let [[center, factor, offset], [of_g, of_x_hat, constant]] = coefficients.of_last(i);
        let x_hat = (x - center).mul_add(factor, offset);
        if MAPS {
            let g = if WEIGHTED { dy * last_weight[i] } else { dy };
            last_dx[i] = g.mul_add(of_g, x_hat.mul_add(of_x_hat, constant));
        }
        if ADDS {
            last_products[i] = dy.mul_add(x_hat, last_products[i]);
            last_gradients[i] += dy;
        }
    }
}
