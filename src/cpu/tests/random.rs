//! Random operations over random axes, weights and strides, with ordinary and hostile values.

use fastrand::Rng;

use super::*;
use crate::geometry::MAX_RANK;
use crate::verify::Values;

/// A shape of few elements, or of none.
fn shape(rng: &mut Rng) -> Vec<usize> {
    const EXTENTS: [usize; 8] = [1, 2, 3, 4, 5, 8, 17, 70];
    let mut room = 3000;
    let rank = rng.usize(0..=MAX_RANK);
    let mut extent = || {
        let fitting: Vec<_> = EXTENTS.into_iter().filter(|&extent| extent <= room).collect();
        let extent = if rng.u8(0..100) == 0 {
            0
        } else {
            *rng.choice(&fitting).unwrap()
        };
        room /= extent.max(1);
        extent
    };
    let mut shape: Vec<_> = (0..rank).map(|_| extent()).collect();
    rng.shuffle(&mut shape);
    shape
}

fn subset(rng: &mut Rng, rank: usize) -> Vec<usize> {
    (0..rank).filter(|_| rng.bool()).collect()
}

fn response(rng: &mut Rng, mut d: Dims) -> Case {
    while d.shape.len() < 2 {
        d.shape.push(3);
    }
    let layout = *rng.choice(&[Layout::ChannelsFirst, Layout::ChannelsLast]).unwrap();
    d.axes = match layout {
        Layout::ChannelsFirst => vec![1],
        Layout::ChannelsLast => vec![d.shape.len() - 1],
    };
    let builder = LocalResponseNorm::new(&d.shape, rng.usize(1..20))
        .layout(layout)
        .alpha(*rng.choice(&[1e-4, 0.5, 20.0]).unwrap())
        .beta(*rng.choice(&[0.75, 0.5, 1.0, 0.0, -1.0, 10.0]).unwrap())
        .k(*rng.choice(&[1.0, 2.0, 0.0, -0.5]).unwrap());
    response_over(d, builder)
}

fn any_case(rng: &mut Rng) -> Case {
    let shape = shape(rng);
    let d = Dims {
        axes: subset(rng, shape.len()),
        weight: subset(rng, shape.len()),
        shape,
    };
    let zero = *rng.choice(&[ZeroNorm::AtLeastEps, ZeroNorm::Zero]).unwrap();
    let p = *rng
        .choice(&[0.01, 0.5, 1.0, 1.5, 2.0, 3.0, 50.0, f32::INFINITY])
        .unwrap();
    let mut case = match rng.u8(0..7) {
        0 => layer_over(d),
        1 => rms_over(d),
        2 => z_score_over(d, rng.u32(0..2)),
        3 => mean_variance_over(d),
        4 => response(rng, d),
        _ => lp_over(d, p, zero),
    };
    case.operation.weight = rng.bool();
    case.operation.bias = rng.bool();
    case
}

/// Strides of axes in a random order in memory, with gaps.
fn strides(rng: &mut Rng, axes: &[Axis]) -> Vec<u32> {
    let mut order: Vec<_> = (0..axes.len()).collect();
    rng.shuffle(&mut order);
    let (mut strides, mut inside) = (vec![0; axes.len()], 1);
    for i in order {
        strides[i] = inside + if rng.u8(0..4) == 0 { rng.u32(0..3) } else { 0 };
        inside += strides[i] * axes[i].extent.saturating_sub(1);
    }
    strides
}

fn make_strided(rng: &mut Rng, axes: &mut [Axis]) {
    if rng.bool() {
        for (i, stride) in strides(rng, axes).into_iter().enumerate() {
            axes[i].x = if rng.u8(0..8) == 0 { 0 } else { stride };
        }
    }
    if rng.bool() {
        for (i, stride) in strides(rng, axes).into_iter().enumerate() {
            axes[i].y = stride;
        }
    }
}

#[test]
fn dense_tensors() {
    let mut rng = Rng::with_seed(1);
    for i in 0..1500 {
        let case = any_case(&mut rng);
        let values = Values::ALL[i % Values::ALL.len()];
        check(&case, &values.fill(elements(&case.operation), i as u64));
    }
}

#[test]
fn strided_tensors() {
    let mut rng = Rng::with_seed(2);
    for i in 0..1500 {
        let mut case = any_case(&mut rng);
        make_strided(&mut rng, &mut case.operation.axes);
        let values = Values::ALL[i % Values::ALL.len()];
        check(&case, &values.fill(elements(&case.operation), i as u64));
    }
}
