//! The map of every element by the parameters of its feature, in f64.

use std::ops::Range;

use super::element::{Element, Real};
use super::features::{Block, Features, Values};
use super::parallel::{self, widest};

/// Elements that a thread takes at a time.
const TASK: usize = 1 << 15;
/// Elements of a row that is mapped at once, if that many are made of several.
const ROW: usize = 512;

/// `y = (x - center) * factor + offset`, held between the bounds if there are any; NaN stays.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lines {
    pub center: Vec<f64>,
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    pub bounds: Option<(f64, f64)>,
}

impl Lines {
    /// The lines of some features, so often.
    fn repeated(&self, features: Range<usize>, times: usize) -> Self {
        Self {
            center: self.center[features.clone()].repeat(times),
            factor: self.factor[features.clone()].repeat(times),
            offset: self.offset[features].repeat(times),
            bounds: self.bounds,
        }
    }

    /// Maps rows that hold the lines' features, one or several times.
    #[inline(always)]
    fn rows<T: Element, U: Real>(&self, x: Values<'_, T>, y: &mut [U], pitch: usize) {
        for (row, y) in y.chunks_mut(pitch).enumerate() {
            match self.bounds {
                None => self.row::<T, U, false>(x.row(row), &mut y[..x.width], (0.0, 0.0)),
                Some(bounds) => self.row::<T, U, true>(x.row(row), &mut y[..x.width], bounds),
            }
        }
    }

    #[inline(always)]
    fn row<T: Element, U: Real, const BOUNDED: bool>(&self, x: &[T], y: &mut [U], (low, high): (f64, f64)) {
        let n = y.len();
        let (x, center, factor, offset) = (&x[..n], &self.center[..n], &self.factor[..n], &self.offset[..n]);
        for i in 0..n {
            let mut value = (x[i].wide() - center[i]) * factor[i] + offset[i];
            if BOUNDED {
                value = if value < low { low } else { value };
                value = if value > high { high } else { value };
            }
            y[i] = U::narrow(value);
        }
    }
}

/// What a task maps: given the part of y that it writes, its elements of x.
pub(super) trait Source<T, U>: Sync {
    fn values<'a>(&'a self, block: &Block, y: &[U], pitch: usize, buffer: &'a mut Vec<T>) -> Values<'a, T>;
}

/// Another tensor.
pub(super) struct Other<'a, T> {
    pub x: &'a [T],
    pub features: &'a Features,
}

impl<T: Element, U> Source<T, U> for Other<'_, T> {
    fn values<'a>(&'a self, block: &Block, _: &[U], _: usize, buffer: &'a mut Vec<T>) -> Values<'a, T> {
        block.values(self.features, self.x, buffer)
    }
}

/// What is overwritten.
pub(super) struct InPlace;

impl<T: Element> Source<T, T> for InPlace {
    fn values<'a>(&'a self, block: &Block, y: &[T], pitch: usize, buffer: &'a mut Vec<T>) -> Values<'a, T> {
        buffer.clear();
        buffer.extend_from_slice(y);
        Values {
            data: buffer,
            width: block.features.len(),
            rows: block.rows.len(),
            pitch,
        }
    }
}

/// Maps `x`, whose features lie where `from` says, to `y`.
pub(super) fn map<T: Element, U: Real>(
    lines: &Lines,
    source: &impl Source<T, U>,
    from: &Features,
    y: &mut [U],
    features: &Features,
) {
    each_block(source, from, y, features, true, |block, x, y, pitch| {
        let lines = |times| lines.repeated(block.features.clone(), times);
        let dense = pitch == x.width;
        let (wide, rest) = if dense { x.repeated(ROW / x.width) } else { (x, None) };
        let (head, tail) = y.split_at_mut(((wide.rows * wide.width) / x.width * pitch).min(y.len()));
        let pitch = if dense { wide.width } else { pitch };
        let repeated = lines(wide.width / x.width);
        widest!(repeated.rows(wide, head, pitch));
        if let Some(rest) = rest {
            widest!(lines(1).rows(rest, tail, rest.width));
        }
    });
}

/// Maps every element by a function, which is given its row and its feature too.
pub(super) fn each<T: Element, U: Real>(
    source: &impl Source<T, U>,
    from: &Features,
    y: &mut [U],
    features: &Features,
    function: impl Fn(usize, usize, f64) -> f64 + Sync + Send,
) {
    each_block(source, from, y, features, true, |block, x, y, pitch| {
        for (i, (row, y)) in block.rows.clone().zip(y.chunks_mut(pitch)).enumerate() {
            for ((feature, x), y) in block.features.clone().zip(x.row(i)).zip(y) {
                *y = U::narrow(function(row, feature, x.wide()));
            }
        }
    });
}

/// Calls `work` with every block, its elements of x, where its y goes and how far rows of y are apart. Blocks have all
/// features, or else, if `split` allows it, one.
pub(super) fn each_block<T: Element, U: Real>(
    source: &impl Source<T, U>,
    from: &Features,
    y: &mut [U],
    features: &Features,
    split: bool,
    work: impl Fn(&Block, Values<'_, T>, &mut [U], usize) + Sync + Send,
) {
    if features.elements() == 0 {
        return;
    }
    let (rows, count) = (features.rows(), features.count());
    let height = (TASK / count).clamp(1, rows);
    let y = &mut y[..features.span()];
    if let Some(pitch) = features.are_columns() {
        return parallel::each_chunk(y, height * pitch.max(1), |i, y| {
            let first = i * height;
            let block = from.block(first..(first + height).min(rows), 0..count);
            let mut buffer = Vec::new();
            work(&block, source.values(&block, y, pitch, &mut buffer), y, pitch);
        });
    }
    let run = features.inner.extent;
    let nested = features.outer.extent == 1 || features.outer.stride == count * features.feature.stride;
    if split && features.inner.stride == 1 && nested && features.feature.stride >= run {
        return parallel::each_chunk(y, features.feature.stride, |i, y| {
            let (outer, feature) = (i / count, i % count);
            for (j, y) in y[..run].chunks_mut(TASK).enumerate() {
                let first = outer * run + j * TASK;
                let block = from.block(first..first + y.len(), feature..feature + 1);
                let mut buffer = Vec::new();
                work(&block, source.values(&block, y, 1, &mut buffer), y, 1);
            }
        });
    }
    // Elements that are apart: through a copy.
    let (mut buffer, mut old, mut new) = (Vec::new(), Vec::new(), vec![U::default(); height * count]);
    for first in (0..rows).step_by(height) {
        let last = (first + height).min(rows);
        old.clear();
        for row in first..last {
            old.extend((0..count).map(|feature| y[features.offset(row, feature)]));
        }
        let block = from.block(first..last, 0..count);
        let new = &mut new[..old.len()];
        work(&block, source.values(&block, &old, count, &mut buffer), new, count);
        for (row, new) in (first..last).zip(new.chunks(count)) {
            for (feature, &new) in new.iter().enumerate() {
                y[features.offset(row, feature)] = new;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILLER: f32 = -1e9;

    fn layouts(outer: usize, count: usize, inner: usize) -> Vec<Features> {
        let dense = Features::channels(outer, count, inner);
        vec![
            dense,
            dense.strides(count * inner, 1, count),
            dense.strides(2 * count * inner, 2 * inner, 2),
            dense.strides((count + 3) * inner, 1, count + 3),
            dense.strides(inner, outer * inner, 1),
            dense.strides(count * (inner + 2), inner + 2, 1),
        ]
    }

    #[test]
    fn any_layout_is_mapped_to_any() {
        for (outer, count, inner) in [
            (70, 3, 1),
            (2, 3, 100),
            (9, 5, 7),
            (3000, 17, 1),
            (1, 1, 1),
            (1, 2, 40_000),
            (3, 70, 2),
        ] {
            let lines = Lines {
                center: (0..count).map(|i| i as f64).collect(),
                factor: (0..count).map(|i| 0.5 + i as f64).collect(),
                offset: vec![-1.0; count],
                bounds: Some((-20.0, 1000.0)),
            };
            let expected = |x: f32, feature: usize| {
                let value = (f64::from(x) - lines.center[feature]) * lines.factor[feature] - 1.0;
                value.clamp(-20.0, 1000.0) as f32
            };
            let value = |row: usize, feature: usize| match (row + feature) % 50 {
                49 => f32::NAN,
                other => other as f32 - 25.0,
            };
            for from in layouts(outer, count, inner) {
                let mut x = vec![FILLER; from.span()];
                for row in 0..from.rows() {
                    for feature in 0..count {
                        x[from.offset(row, feature)] = value(row, feature);
                    }
                }
                let check = |y: &[f32], to: &Features| {
                    let mut fillers = to.span() - to.elements();
                    for row in 0..to.rows() {
                        for feature in 0..count {
                            let (y, x) = (y[to.offset(row, feature)], value(row, feature));
                            assert!(
                                y == expected(x, feature) || y.is_nan() && x.is_nan(),
                                "{row} {feature} {from:?} {to:?}"
                            );
                        }
                    }
                    fillers -= y.iter().filter(|&&y| y == FILLER).count();
                    assert_eq!(fillers, 0, "{from:?} {to:?}");
                };
                for to in layouts(outer, count, inner) {
                    let mut y = vec![FILLER; to.span()];
                    map(&lines, &Other { x: &x, features: &from }, &from, &mut y, &to);
                    check(&y, &to);
                }
                map(&lines, &InPlace, &from, &mut x, &from);
                check(&x, &from);
            }
        }
    }
}
