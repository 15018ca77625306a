//! The loops over f32 vectors: sums about a pivot, and the map.
//!
//! A vector is eight elements at every [`Level`]: the order of additions does not depend on the processor. What does
//! is whether a product and a sum are rounded once or twice.

use fearless_simd::{Level, Simd, dispatch, f32x8, prelude::*};

/// Elements of a vector.
pub(super) const WIDTH: usize = 8;
/// Vectors that are summed side by side, so that additions overlap.
pub(super) const UNROLL: usize = 4;

/// `sum(x - pivot)` and `sum((x - pivot)^2)`, in f32.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub deviations: f32,
    pub squares: f32,
}

/// Values, and what their deviations are taken from.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub values: &'a [f32],
    pub pivot: f32,
}

/// The sums of all values.
pub(super) fn sums(level: Level, about: About<'_>) -> Sums {
    dispatch!(level, simd => sums_in::<_, true>(simd, about.values, about.pivot))
}

/// The same, compiled for the instructions of `simd`. If not `CENTERED`, the pivot is 0, and deviations are not summed.
///
/// (Hence no [`About`]: a structure that is read from memory in other pieces than it was written in has to wait for all
/// stores before it.)
#[inline(always)]
pub(super) fn sums_in<S: Simd, const CENTERED: bool>(simd: S, values: &[f32], pivot: f32) -> Sums {
    let mut adder = Adder::<_, CENTERED>::new(simd, pivot);
    let (vectors, rest) = values.as_chunks::<WIDTH>();
    in_lanes(
        vectors.len(),
        #[inline(always)]
        |i, lane| adder.add(lane, f32x8::from_slice(simd, &vectors[i])),
    );
    if !rest.is_empty() {
        adder.add(UNROLL - 1, last(simd, values, pivot));
    }
    adder.finish()
}

/// Calls `step` with every index and its lane: the lanes take turns.
#[inline(always)]
pub(super) fn in_lanes(len: usize, mut step: impl FnMut(usize, usize)) {
    let whole = len / UNROLL * UNROLL;
    for block in (0..whole).step_by(UNROLL) {
        for lane in 0..UNROLL {
            step(block + lane, lane);
        }
    }
    for i in whole..len {
        step(i, i - whole);
    }
}

/// Sums of vectors about a pivot, in lanes; of the squares alone, if not `CENTERED`.
struct Adder<S: Simd, const CENTERED: bool> {
    center: f32x8<S>,
    deviations: [f32x8<S>; UNROLL],
    squares: [f32x8<S>; UNROLL],
}

impl<S: Simd, const CENTERED: bool> Adder<S, CENTERED> {
    #[inline(always)]
    fn new(simd: S, pivot: f32) -> Self {
        let zero = f32x8::splat(simd, 0.0);
        Self {
            center: f32x8::splat(simd, pivot),
            deviations: [zero; UNROLL],
            squares: [zero; UNROLL],
        }
    }

    #[inline(always)]
    fn add(&mut self, lane: usize, values: f32x8<S>) {
        let deviation = if CENTERED { values - self.center } else { values };
        if CENTERED {
            self.deviations[lane] += deviation;
        }
        self.squares[lane] = deviation.mul_add(deviation, self.squares[lane]);
    }

    #[inline(always)]
    fn finish(self) -> Sums {
        Sums {
            deviations: if CENTERED { total(self.deviations) } else { 0.0 },
            squares: total(self.squares),
        }
    }
}

/// The last elements, fewer than a vector has, that whole vectors leave; before them, or behind if there is no vector, `filling`.
#[inline(always)]
fn last<S: Simd>(simd: S, values: &[f32], filling: f32) -> f32x8<S> {
    const PLACES: [f32; WIDTH] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    match values.last_chunk::<WIDTH>() {
        Some(end) => {
            let taken = f32x8::splat(simd, (WIDTH - values.len() % WIDTH) as f32);
            let is_taken = f32x8::from_slice(simd, &PLACES).simd_lt(taken);
            is_taken.select(f32x8::splat(simd, filling), f32x8::from_slice(simd, end))
        }
        None => f32x8::from_slice(simd, &padded(values, filling)),
    }
}

/// The elements of all vectors, summed in a tree.
#[inline(always)]
pub(super) fn total<S: Simd>([a, b, c, d]: [f32x8<S>; UNROLL]) -> f32 {
    tree(((a + b) + (c + d)).into())
}

/// The sum of eight; of equal ones exactly eight times their value.
#[inline(always)]
pub(super) fn tree([a, b, c, d, e, f, g, h]: [f32; WIDTH]) -> f32 {
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}

/// Less than a vector of values, and `filling` behind them.
#[inline(always)]
fn padded(values: &[f32], filling: f32) -> [f32; WIDTH] {
    let mut vector = [filling; WIDTH];
    vector[..values.len()].copy_from_slice(values);
    vector
}

/// The sums of each column of a matrix about a pivot of its own; the first element of every row is at `rows` in `x`.
pub(super) fn column_sums(level: Level, x: &[f32], rows: &[usize], pivots: &[f32], sums: &mut [Sums]) {
    dispatch!(level, simd => column_sums_in(simd, x, rows, pivots, sums));
}

#[inline(always)]
fn column_sums_in<S: Simd>(simd: S, x: &[f32], rows: &[usize], pivots: &[f32], sums: &mut [Sums]) {
    let mut column = 0;
    while column + UNROLL * WIDTH <= sums.len() {
        tile_sums::<S, UNROLL>(simd, x, rows, pivots, sums, column);
        column += UNROLL * WIDTH;
    }
    while column + WIDTH <= sums.len() {
        tile_sums::<S, 1>(simd, x, rows, pivots, sums, column);
        column += WIDTH;
    }
    if column < sums.len() {
        tile_sums::<S, 1>(simd, x, rows, pivots, sums, column);
    }
}

/// The sums of some vectors of columns, which stay in registers from row to row.
#[inline(always)]
fn tile_sums<S: Simd, const VECTORS: usize>(
    simd: S,
    x: &[f32],
    rows: &[usize],
    pivots: &[f32],
    sums: &mut [Sums],
    column: usize,
) {
    let width = (sums.len() - column).min(VECTORS * WIDTH);
    // The last columns may be less than a vector: then it is filled up.
    let load = |values: &[f32], i: usize| match values.as_chunks::<WIDTH>().0.get(i) {
        Some(vector) => f32x8::from_slice(simd, vector),
        None => f32x8::from_slice(simd, &padded(values, 0.0)),
    };
    let zero = f32x8::splat(simd, 0.0);
    let (mut deviations, mut squares) = ([zero; VECTORS], [zero; VECTORS]);
    let centers: [_; VECTORS] = std::array::from_fn(|i| load(&pivots[column..][..width], i));
    for &row in rows {
        let values = &x[row + column..][..width];
        for i in 0..VECTORS {
            let deviation = load(values, i) - centers[i];
            deviations[i] += deviation;
            squares[i] = deviation.mul_add(deviation, squares[i]);
        }
    }
    for (i, sums) in sums[column..][..width].chunks_mut(WIDTH).enumerate() {
        let (deviations, squares): ([f32; WIDTH], [f32; WIDTH]) = (deviations[i].into(), squares[i].into());
        for ((sums, deviations), squares) in sums.iter_mut().zip(deviations).zip(squares) {
            *sums = Sums { deviations, squares };
        }
    }
}

/// The map of one segment, or of a part of it that shares its weight: `y = (x - center) * factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Line {
    pub center: f32,
    pub factor: f32,
    pub offset: f32,
}

impl Line {
    /// Maps x to y, which is then multiplied by a weight and added to a bias of each element.
    #[inline(always)]
    pub fn map<S: Simd>(self, simd: S, x: &[f32], y: &mut [f32], weight: Option<&[f32]>, bias: Option<&[f32]>) {
        let line = Vectors::new(simd, self);
        match (weight, bias) {
            (Some(weight), Some(bias)) => each(
                simd,
                x,
                y,
                [weight, bias],
                #[inline(always)]
                |x, [weight, bias]| line.at(x).mul_add(weight, bias),
            ),
            (Some(weight), None) => each(
                simd,
                x,
                y,
                [weight],
                #[inline(always)]
                |x, [weight]| line.at(x) * weight,
            ),
            (None, Some(bias)) => each(
                simd,
                x,
                y,
                [bias],
                #[inline(always)]
                |x, [bias]| line.at(x) + bias,
            ),
            (None, None) => each(
                simd,
                x,
                y,
                [],
                #[inline(always)]
                |x, []| line.at(x),
            ),
        }
    }
}

/// A line in every lane.
#[derive(Clone, Copy)]
struct Vectors<S: Simd> {
    center: f32x8<S>,
    factor: f32x8<S>,
    offset: f32x8<S>,
}

impl<S: Simd> Vectors<S> {
    #[inline(always)]
    fn new(simd: S, line: Line) -> Self {
        Self {
            center: f32x8::splat(simd, line.center),
            factor: f32x8::splat(simd, line.factor),
            offset: f32x8::splat(simd, line.offset),
        }
    }

    #[inline(always)]
    fn at(self, x: f32x8<S>) -> f32x8<S> {
        (x - self.center).mul_add(self.factor, self.offset)
    }
}

/// The lines of neighbouring segments.
#[derive(Debug, Default)]
pub(super) struct Lines {
    centers: Vec<f32>,
    factors: Vec<f32>,
    offsets: Vec<f32>,
}

impl Lines {
    pub fn clear(&mut self) {
        for values in [&mut self.centers, &mut self.factors, &mut self.offsets] {
            values.clear();
        }
    }

    pub fn push(&mut self, line: Line) {
        self.centers.push(line.center);
        self.factors.push(line.factor);
        self.offsets.push(line.offset);
    }

    /// Maps one element of every segment from the `first` on.
    pub fn map(&self, level: Level, first: usize, x: &[f32], y: &mut [f32]) {
        let parameters = [&self.centers[first..], &self.factors[first..], &self.offsets[first..]];
        dispatch!(level, simd => {
            each(
                simd, x, y, parameters,
                #[inline(always)] |x, [center, factor, offset]| (x - center).mul_add(factor, offset),
            );
        });
    }
}

/// Maps x to y by a function of x and of parameters that lie as x does.
#[inline(always)]
fn each<S: Simd, const N: usize>(
    simd: S,
    x: &[f32],
    y: &mut [f32],
    parameters: [&[f32]; N],
    map: impl Fn(f32x8<S>, [f32x8<S>; N]) -> f32x8<S>,
) {
    let len = y.len();
    let (x, parameters) = (&x[..len], parameters.map(|parameter| &parameter[..len]));
    if len < WIDTH {
        let mut only = [0.0; WIDTH];
        let parameters = parameters.map(|parameter| padded(parameter, 0.0));
        map_vector(simd, &padded(x, 0.0), &mut only, parameters.each_ref(), &map);
        return y.copy_from_slice(&only[..len]);
    }
    if !len.is_multiple_of(WIDTH) {
        // The last vector overlaps the one before it.
        let end = len - WIDTH;
        let y = &mut y[end..].as_chunks_mut().0[0];
        map_vector(
            simd,
            vector(x, end),
            y,
            parameters.map(|parameter| vector(parameter, end)),
            &map,
        );
    }
    let (x, y) = (x.as_chunks().0, y.as_chunks_mut().0);
    let (x, parameters) = (
        &x[..y.len()],
        parameters.map(|parameter| &parameter.as_chunks().0[..y.len()]),
    );
    for i in 0..y.len() {
        map_vector(simd, &x[i], &mut y[i], parameters.map(|vectors| &vectors[i]), &map);
    }
}

#[inline(always)]
fn vector(values: &[f32], start: usize) -> &[f32; WIDTH] {
    &values[start..].as_chunks().0[0]
}

#[inline(always)]
fn map_vector<S: Simd, const N: usize>(
    simd: S,
    x: &[f32; WIDTH],
    y: &mut [f32; WIDTH],
    parameters: [&[f32; WIDTH]; N],
    map: &impl Fn(f32x8<S>, [f32x8<S>; N]) -> f32x8<S>,
) {
    let parameters = parameters.map(
        #[inline(always)]
        |parameter| f32x8::from_slice(simd, parameter),
    );
    map(f32x8::from_slice(simd, x), parameters).store_slice(y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tests::levels;

    const LENGTHS: usize = 3 * UNROLL * WIDTH;

    fn values(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i * i % 31) as f32).collect()
    }

    /// Of integers the sums are exact.
    fn naive(values: impl Iterator<Item = f32> + Clone, pivot: f32) -> Sums {
        Sums {
            deviations: values.clone().map(|value| value - pivot).sum(),
            squares: values.map(|value| (value - pivot).powi(2)).sum(),
        }
    }

    #[test]
    fn sums_of_any_length() {
        for level in levels() {
            for len in 0..LENGTHS {
                let (values, pivot) = (&*values(len), 15.0);
                let expected = naive(values.iter().copied(), pivot);
                assert_eq!(sums(level, About { values, pivot }), expected, "{len} at {level:?}");
                let expected = naive(values.iter().copied(), 0.0).squares;
                let squares = dispatch!(level, simd => sums_in::<_, false>(simd, values, 0.0)).squares;
                assert_eq!(squares, expected, "{len} at {level:?}");
            }
        }
    }

    #[test]
    fn sums_of_any_number_of_columns() {
        for level in levels() {
            for columns in 1..LENGTHS {
                let (x, rows) = (values(5 * columns), [0, columns, 3 * columns, 4 * columns]);
                let pivots: Vec<_> = (0..columns).map(|column| column as f32).collect();
                let mut sums = vec![Sums::default(); columns];
                column_sums(level, &x, &rows, &pivots, &mut sums);
                for (column, &sums) in sums.iter().enumerate() {
                    let values = rows.iter().map(|row| x[row + column]);
                    assert_eq!(sums, naive(values, pivots[column]), "{columns} at {level:?}");
                }
            }
        }
    }

    #[test]
    fn maps_of_any_length() {
        let line = Line {
            center: 7.0,
            factor: 2.0,
            offset: -3.0,
        };
        for level in levels() {
            for len in 0..LENGTHS {
                let (x, weight, bias) = (values(len), values(len + 1), values(len + 2));
                let (weight, bias) = (&weight[1..], &bias[2..]);
                for (weight, bias) in [
                    (None, None),
                    (Some(weight), None),
                    (None, Some(bias)),
                    (Some(weight), Some(bias)),
                ] {
                    let mut y = vec![f32::NAN; len];
                    dispatch!(level, simd => line.map(simd, &x, &mut y, weight, bias));
                    for (i, (x, y)) in x.iter().zip(y).enumerate() {
                        let value = (x - 7.0) * 2.0 - 3.0;
                        let expected = value * weight.map_or(1.0, |w| w[i]) + bias.map_or(0.0, |b| b[i]);
                        assert_eq!(y, expected, "{i} of {len} at {level:?}");
                    }
                }
            }
        }
    }
}
