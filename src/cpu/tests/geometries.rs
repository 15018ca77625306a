use super::super::TASK;
use super::super::reduction::LANES;
use super::super::segments::{CHUNK, COLUMNS, ROWS, RUN, SPAN, SPAN_ROWS};
use super::*;
use crate::geometry::MAX_RANK;

/// Norms that are computed in different ways, and powers of huge values that f64 does not hold.
const POWERS: [f32; 6] = [0.3, 1.0, 2.0, 3.5, 100.0, f32::INFINITY];

/// Ordinary geometries: every operation, layout and pattern of axes.
fn cases() -> Vec<Case> {
    use Affine::{PerChannel, PerGroup};
    use Layout::{ChannelsFirst, ChannelsLast};
    let mut cases = vec![
        layer(&[7, 33], 1),
        layer(&[2, 3, 5, 4], 2),
        layer(&[2, 3, 5], 0),
        rms(&[7, 33], 1),
        rms(&[2, 3, 20], 1),
        z_score(&[50, 3], &[0], 1),
        z_score(&[50, 9], &[0], 0),
        z_score(&[2, 3, 4, 5], &[0, 2], 0),
        z_score(&[2, 3, 4, 5], &[1, 3], 0),
        z_score(&[3, 4], &[0, 1], 1),
        z_score(&[3, 4], &[], 0),
        mean_variance(&[2, 3, 4, 5], &[0, 2, 3]),
        mean_variance(&[2, 3, 4, 11], &[0, 1]),
        mean_variance(&[2, 40, 3, 2], &[1, 3]),
        lp_over(Dims::trailing(&[7, 33], 1), 2.0, ZeroNorm::Zero),
        lp_over(Dims::trailing(&[50, 9], 0), 3.0, ZeroNorm::Zero),
    ];
    for p in POWERS {
        cases.push(lp(&[7, 33], &[1], p));
        cases.push(lp(&[50, 9], &[0], p));
        cases.push(lp(&[2, 3, 4, 5], &[0, 2], p));
    }
    for layout in [ChannelsFirst, ChannelsLast] {
        for shape in [&[6, 6][..], &[4, 6, 6], &[2, 6, 3, 6], &[2, 6, 2, 3, 6], &[1, 12, 12]] {
            cases.push(batch(shape, layout));
            cases.push(instance(shape, layout));
            cases.push(group(shape, layout, 3, PerChannel));
            cases.push(group(shape, layout, 2, PerGroup));
        }
    }
    cases
}

/// Geometries on either side of each bound of the implementation.
fn boundary_cases() -> Vec<Case> {
    use Layout::{ChannelsFirst, ChannelsLast};
    let mut cases = vec![
        layer(&[2, SPAN + 1], 1),
        layer(&[1, 2 * SPAN], 1),
        layer(&[SPAN + 1, 1], 1),
        rms(&[3, SPAN - 1], 1),
        z_score(&[SPAN_ROWS + 1, LANES], &[0], 0),
        z_score(&[2 * SPAN_ROWS, LANES - 1], &[0], 0),
        z_score(&[ROWS, 3, COLUMNS + 1], &[0], 0),
        batch(&[3, 2, CHUNK + 1], ChannelsFirst),
        batch(&[2, 300, 2, COLUMNS - 1], ChannelsLast),
        batch(&[500, 3, 2], ChannelsFirst),
        group(&[2, 700, 8], ChannelsLast, 4, Affine::PerChannel),
        // Chunks of segments in several runs; runs that are not gathered; pieces of a segment by themselves.
        group(&[3, 6, 700], ChannelsFirst, 2, Affine::PerChannel),
        instance(&[5, 3, CHUNK + 3], ChannelsFirst),
        batch(&[3, 3, RUN - 1], ChannelsFirst),
        batch(&[3, 3, RUN], ChannelsFirst),
        batch(&[2, TASK / 512, RUN + 1], ChannelsFirst),
    ];
    for columns in [1, 2, 3, LANES, 17, CHUNK - 1, CHUNK, CHUNK + 1] {
        cases.push(layer(&[5, columns], 1));
        cases.push(lp(&[5, columns], &[1], 100.0));
    }
    for rows in [1, 2, ROWS - 1, ROWS, ROWS + 1] {
        cases.push(z_score(&[rows, LANES + 1], &[0], 0));
    }
    // Rows that are taken together: of so many columns, and of wider ones that are not.
    for columns in [2, 3, 7, LANES, 31, 32, 33, 63, 64] {
        let fold = COLUMNS / columns;
        for rows in [fold - 1, fold, fold + 1, ROWS * fold - 1, ROWS * fold + 1] {
            cases.push(z_score(&[rows.max(1), columns], &[0], 1));
        }
        cases.push(batch(&[2, 11 * fold + 5, columns], ChannelsLast));
        cases.push(instance(&[3, 2 * fold + 1, columns], ChannelsLast));
    }
    // Several tasks of the statistics, and of the map; more rows of segments than a task takes.
    cases.push(z_score(&[SPAN_ROWS * (COLUMNS / 7) + 3, 7], &[0], 0));
    cases.push(instance(&[100, 90, 3], ChannelsLast));
    for p in POWERS {
        cases.push(lp(&[2, 2 * CHUNK + 1], &[1], p));
        cases.push(lp(&[2 * ROWS + 1, LANES + 1], &[0], p));
    }
    cases
}

#[test]
fn ordinary_values() {
    for case in cases().iter().chain(&boundary_cases()) {
        check(case, &noise(elements(&case.operation), 1));
    }
}

#[test]
fn narrow_rows_do_not_depend_on_further_samples() {
    let (rows, columns) = (90, 3);
    let x = noise(200 * rows * columns, 1);
    let y = |samples: usize| {
        let case = instance(&[samples, rows, columns], Layout::ChannelsLast);
        run(&case.operation, &x[..samples * rows * columns], &[1.0; 3], &[0.0; 3]).0
    };
    let together = y(200);
    for samples in [1, 2, 100] {
        assert_eq!(y(samples), together[..samples * rows * columns]);
    }
}

#[test]
fn without_weight_or_bias() {
    for (weight, bias) in [(false, false), (true, false), (false, true)] {
        for mut case in cases() {
            (case.operation.weight, case.operation.bias) = (weight, bias);
            check(&case, &noise(elements(&case.operation), 1));
        }
    }
}

#[test]
fn hostile_values() {
    type Transform = fn(usize, f32) -> f32;
    let transforms: [(Transform, f32); 9] = [
        (|_, v| 1e6 + v, 1e-5),
        (|i, v| if i == 0 { 1e6 } else { v }, 1e-5),
        (|i, v| if i == 0 { 1e30 } else { v }, 1e-5),
        (|_, v| v * 1e30, 1e-5),
        (|_, v| v * 3.4e38, 0.0),
        (|_, v| v * 1e-30, 0.0),
        (|_, v| v * 1e-42, 0.0),
        (|_, v| v * 1e-30, 1e-5),
        (|i, _| if i % 2 == 0 { 3e38 } else { -3e38 }, 0.0),
    ];
    for mut case in cases().into_iter().chain(boundary_cases()) {
        let ordinary = noise(elements(&case.operation), 1);
        for (transform, eps) in transforms {
            case.operation.eps = eps;
            let x: Vec<f32> = ordinary.iter().enumerate().map(|(i, &v)| transform(i, v)).collect();
            check(&case, &x);
        }
    }
}

#[test]
fn a_constant_gives_exactly_the_bias() {
    for case in cases().iter().chain(&boundary_cases()) {
        let mut operation = case.operation.clone();
        if operation.statistic != Statistic::MeanVariance {
            continue;
        }
        (operation.weight, operation.bias) = (true, true);
        operation.ddof = 0;
        let len = operation.weight_len as usize;
        let (y, _) = run(
            &operation,
            &vec![1234.1; elements(&operation)],
            &noise(len, 2),
            &vec![0.1; len],
        );
        assert!(y.iter().all(|&y| y == 0.1), "{}", operation.name);
    }
}

#[test]
fn special_values_stay_in_their_segment() {
    for special in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for case in cases().iter().chain(&boundary_cases()) {
            let mut x = noise(elements(&case.operation), 1);
            let middle = x.len() / 2;
            x[middle] = special;
            check(case, &x);
        }
    }
}

#[test]
fn a_segment_has_the_same_bits_among_any_number() {
    let (many, one) = (layer(&[40, 5000], 1), layer(&[1, 5000], 1));
    let x = noise(200_000, 1);
    let (weight, bias) = (noise(5000, 2), noise(5000, 3));
    let (all, records) = run(&many.operation, &x, &weight, &bias);
    let (row, record) = run(&one.operation, &x[35_000..40_000], &weight, &bias);
    assert_eq!(
        (&all[35_000..40_000], &records[7..8]),
        (row.as_slice(), record.as_slice())
    );
}

#[test]
fn alternating_axes_of_the_highest_rank() {
    // As many alternating axes as a tensor can have fit the digits.
    let shape = [2; MAX_RANK];
    let case = z_score(&shape, &[0, 2, 4, 6], 0);
    check(&case, &noise(1 << MAX_RANK, 1));
    assert!(ZScore::new(&[2; MAX_RANK + 1], &[0]).operation().is_err());
}
