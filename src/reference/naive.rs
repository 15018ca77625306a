//! Axes the slow way, for tests: coordinates of one element at a time.

/// Coordinates of `element` in a row-major tensor.
fn coordinates(element: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = element;
    let mut coordinates = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        coordinates[axis] = rest % shape[axis];
        rest /= shape[axis];
    }
    coordinates
}

/// Values of all elements that differ from `element` along `axes` at most.
pub(super) fn segment_of(element: usize, shape: &[usize], axes: &[usize], x: &[f64]) -> Vec<f64> {
    let own = coordinates(element, shape);
    let same = |&other: &usize| {
        let others = coordinates(other, shape);
        (0..shape.len()).all(|axis| axes.contains(&axis) || others[axis] == own[axis])
    };
    (0..x.len()).filter(same).map(|other| x[other]).collect()
}

/// Row-major index of `element` in a tensor that has only `axes`, which increase.
pub(super) fn index_along(element: usize, shape: &[usize], axes: &[usize]) -> usize {
    let own = coordinates(element, shape);
    axes.iter().fold(0, |index, &axis| index * shape[axis] + own[axis])
}

/// A weight over `axes`, no two values alike.
pub(super) fn parameters(shape: &[usize], axes: &[usize]) -> Vec<f64> {
    let len: usize = axes.iter().map(|&axis| shape[axis]).product();
    (0..len).map(|i| 0.75 + 0.25 * i as f64).collect()
}

/// All sets of axes of a tensor of `rank`, each in increasing order.
pub(super) fn subsets(rank: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1usize << rank).map(move |set| (0..rank).filter(|axis| set >> axis & 1 == 1).collect())
}
