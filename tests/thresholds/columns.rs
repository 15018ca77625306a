//! Neighbouring segments that interleave in memory.

use wgnorm::shader::{Header, Kernel, Unit};
use wgnorm::verify::{Case, Norm, Running, Values};
use wgnorm::{Context, Layout, Variant};

use crate::cases::{batch, case};
use crate::{around, checked, constant, everywhere, hardware, header, is_candidate, planned, software};

/// A table whose columns are normalized.
fn table(rows: usize, columns: usize) -> Case {
    batch(&[rows, columns], Layout::ChannelsLast)
}

/// Batch norm of images of channels last, cropped so that a segment is several runs.
fn crossed(samples: usize, positions: usize, columns: usize) -> Case {
    let axes = vec![0, 2];
    case(
        Norm::ZScore { axes, ddof: 0 },
        &[samples, 3, positions, columns],
        Layout::ChannelsLast,
    )
}

fn column_kernel(context: &Context) -> Kernel {
    if context.tuning().column_lanes > 1 {
        Kernel::Tile
    } else {
        Kernel::Lane
    }
}

fn column_header(context: &Context, case: &Case) -> Header {
    let header = header(&checked(context, case, Variant::Column), column_kernel(context));
    assert_eq!(header.lanes, context.tuning().column_lanes);
    header
}

#[test]
fn workgroups_of_columns_full_and_not() {
    for context in software().iter().chain(hardware()) {
        let recipe = planned(context, &table(9, 8), Some(Variant::Column));
        let planned = header(&recipe, column_kernel(context));
        let per_workgroup = (planned.workgroup / planned.lanes) as usize;
        let width = planned.unit.width() as usize;
        assert_eq!(planned.unit, Unit::Columns);
        for units in around(per_workgroup) {
            assert_eq!(column_header(context, &table(5, units * width)).unit, Unit::Columns);
            assert_eq!(column_header(context, &table(5, units * width + 1)).unit, Unit::Scalar);
        }
    }
}

#[test]
fn lanes_chunks_and_groups_of_chunks() {
    for context in software().iter().chain(hardware()) {
        for columns in [4, 3] {
            let planned = column_header(context, &table(2, columns));
            let lanes = planned.lanes as usize;
            let chunk = constant(&planned, "CHUNK") * lanes;
            let group = chunk * constant(&planned, "GROUP");
            for (i, rows) in [lanes, chunk, 2 * chunk, group, group + chunk]
                .into_iter()
                .flat_map(around)
                .enumerate()
            {
                let mut case = table(rows, columns);
                let values = [Values::FarMean, Values::Outlier, Values::NearMax][i % 3];
                case.x = values.fill(case.x.len(), 1);
                let header = column_header(context, &case);
                assert_eq!((header.unit, header.runs), (planned.unit, false));
            }
            for positions in around(lanes.max(2)).filter(|positions| *positions > 1) {
                assert!(column_header(context, &crossed(chunk.div_ceil(positions) + 1, positions, columns)).runs);
            }
        }
    }
}

/// What is written is spread over twice as many spans as what is merged, where columns are shared by lanes.
#[test]
fn applications_have_more_spans_than_statistics() {
    for (contexts, times) in [(software(), 1), (hardware(), 2)] {
        for context in contexts {
            let recipe = planned(context, &table(1 << 20, 8), Some(Variant::ColumnSplit));
            let spans = |kernel| {
                let step = recipe.steps.iter().find(|step| step.header.kernel == kernel).unwrap();
                (step.header.lanes > 1, step.params.spans)
            };
            let ((shared, partial), (_, apply)) = (spans(Kernel::Partial), spans(Kernel::Apply));
            assert_eq!(shared, times == 2);
            assert!(partial > 1 && apply.div_ceil(partial) == times, "{partial} and {apply}");
        }
    }
}

/// Of a number of columns that is no multiple of a unit, several rows are taken for one; those that are left over are walked
/// apart.
#[test]
fn rows_of_odd_numbers_of_columns_are_folded() {
    for context in everywhere() {
        let mut tuning = *context.tuning();
        (tuning.fold_columns, tuning.fold_elements) = (1, 0);
        let context = &context.with_tuning(tuning);
        for (columns, fold) in [(1, 1), (2, 2), (3, 4), (4, 1), (6, 2), (7, 4), (33, 4), (34, 2)] {
            for (i, rows) in around(fold).chain(around(1200)).enumerate() {
                let mut table = table(rows, columns);
                let scores = Norm::ZScore { axes: vec![0], ddof: 1 };
                let mut scores = case(scores, &[rows, columns], Layout::ChannelsFirst);
                let mut images = case(
                    Norm::Instance(Running::default()),
                    &[3, rows, columns],
                    Layout::ChannelsLast,
                );
                let values = [Values::FarMean, Values::Outlier, Values::NearMax][i % 3];
                // Each image has to begin with a unit.
                let fold_of_images = if (rows * columns).is_multiple_of(4) { fold } else { 1 };
                for (case, fold) in [(&mut table, fold), (&mut scores, fold), (&mut images, fold_of_images)] {
                    case.x = values.fill(case.x.len(), 1);
                    if !is_candidate(context, case, Variant::ColumnSplit) {
                        assert!(columns == 1 || rows == 1);
                        continue;
                    }
                    let recipe = checked(context, case, Variant::ColumnSplit);
                    for kernel in [Kernel::Partial, Kernel::Apply] {
                        let steps = recipe.steps.iter().filter(|step| step.header.kernel == kernel);
                        let walks: Vec<_> = steps
                            .map(|step| (step.header.fold as usize, step.params.units))
                            .collect();
                        let (folded, rest) = ((rows / fold) as u32, (rows % fold) as u32);
                        let expected = [(fold, folded), (1, rest)].into_iter().filter(|(_, units)| *units > 0);
                        assert_eq!(walks, expected.collect::<Vec<_>>(), "{rows}x{columns}");
                    }
                }
            }
        }
    }
}
