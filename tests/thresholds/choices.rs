//! The planner's own choices, on either side of every threshold.

use wgnorm::verify::Case;
use wgnorm::{Context, DeviceTraits, LayerNorm, Layout, Tuning, Variant};

use crate::cases::{batch, layer};
use crate::common::context;
use crate::{around, checked, everywhere, hardware, planned, software};

fn choice(context: &Context, case: &Case) -> Variant {
    checked(context, case, None).variant.unwrap()
}

fn table(rows: usize, columns: usize) -> Case {
    batch(&[rows, columns], Layout::ChannelsLast)
}

#[test]
fn software_by_the_number_and_length_of_segments() {
    for context in software() {
        // Where none are held in registers together, which comes first.
        let context = &context.with_tuning(Tuning::SOFTWARE_NARROW);
        let tuning = context.tuning();
        let (segments, length) = (tuning.lane_segments as usize, tuning.lane_elements as usize);
        for (rows, length, longer) in [
            (segments - 1, length - 1, false),
            (segments - 1, length, false),
            (segments - 1, length + 1, true),
            (segments, length + 1, false),
            (segments + 1, length + 1, false),
        ] {
            let variant = if longer { Variant::Split } else { Variant::Lane };
            assert_eq!(choice(context, &layer(rows, length)), variant);
        }
    }
}

#[test]
fn software_by_the_length_that_registers_hold() {
    for context in software() {
        let tuning = context.tuning();
        let first = |units: u32| (tuning.widest_unit * units) as usize;
        let alone = first(tuning.short_row_units + 1);
        let (anywhere, whole) = tuning.resident_row_units;
        let (anywhere, whole) = (first(anywhere + 1), first(whole));
        // Few as they are, these are not worth splitting.
        assert!(whole + 16 <= tuning.lane_elements as usize);
        for (length, variant) in [
            (alone - 1, Variant::Lane),
            (alone, Variant::Subgroup),
            (anywhere - 1, Variant::Subgroup),
            (anywhere + 1, Variant::Lane),
            (whole, Variant::Subgroup),
            (whole + 16, Variant::Lane),
        ] {
            assert_eq!(choice(context, &layer(5, length)), variant, "{length}");
        }
    }
}

#[test]
fn software_by_the_size_of_subgroups() {
    for (subgroup_size, tuning) in [
        (None, Tuning::SOFTWARE_ALONE),
        (Some((4, 4)), Tuning::SOFTWARE_NARROW),
        (Some((8, 8)), Tuning::SOFTWARE),
    ] {
        let traits = DeviceTraits {
            software: true,
            subgroup_size,
            ..*context().traits()
        };
        assert_eq!(*context().with_traits(traits).tuning(), tuning);
    }
}

#[test]
fn software_by_the_length_of_columns() {
    for context in software() {
        let length = context.tuning().column_elements as usize;
        for (rows, variant) in [
            (length - 1, Variant::Column),
            (length, Variant::Column),
            (length + 1, Variant::ColumnSplit),
        ] {
            for columns in [3, 4, 64] {
                assert_eq!(choice(context, &table(rows, columns)), variant);
            }
        }
    }
}

#[test]
fn hardware_by_the_number_of_columns() {
    for context in hardware() {
        let tuning = context.tuning();
        let columns = (tuning.lane_segments / tuning.column_lanes) as usize;
        for (columns, variant) in [
            (columns - 1, Variant::ColumnSplit),
            (columns, Variant::Column),
            (columns + 1, Variant::Column),
        ] {
            assert_eq!(choice(context, &table(5, columns)), variant);
        }
    }
}

#[test]
fn hardware_by_the_segments_that_workgroups_walk_over() {
    for context in hardware() {
        let tuning = context.tuning();
        let (segments, longest) = (tuning.walked_segments as usize, tuning.walked_elements as usize);
        for (rows, length, variant) in [
            (segments - 1, longest, Variant::Split),
            (segments, longest - 4, Variant::Workgroup),
            (segments, longest, Variant::Workgroup),
            (segments + 1, longest + 4, Variant::Split),
        ] {
            // Too large to be run: see rows.rs.
            let plan = LayerNorm::new(&[rows, length]).plan(context).unwrap();
            assert_eq!(plan.variant(), Some(variant));
        }
    }
}

#[test]
fn software_by_the_length_of_runs_of_few_long_segments() {
    for context in software() {
        let tuning = context.tuning();
        let run = tuning.span_run_elements as usize;
        let images = |run: usize| {
            let samples = tuning.lane_elements as usize / run + 2;
            batch(&[samples, 3, run], Layout::ChannelsFirst)
        };
        assert_eq!(choice(context, &images(run - 1)), Variant::ColumnSplit);
        assert_eq!(choice(context, &images(run)), Variant::Split);
        assert_eq!(choice(context, &images(run + 1)), Variant::Split);
    }
}

#[test]
fn by_the_columns_that_are_folded() {
    for context in everywhere() {
        let tuning = context.tuning();
        let folds = |rows: usize, columns: usize| {
            let recipe = planned(context, &table(rows, columns), Some(Variant::ColumnSplit));
            recipe.steps.iter().any(|step| step.header.fold > 1)
        };
        let least = tuning.fold_columns as usize;
        for columns in around(least).filter(|columns| *columns > 1 && !columns.is_multiple_of(4)) {
            assert_eq!(folds(64, columns), columns >= least, "{columns}");
        }
        // Rows that are left over: of as many elements at least, and of fewer.
        let (columns, most) = (least.next_multiple_of(4) + 1, 1 << 16);
        let rows = (tuning.fold_elements as usize).div_ceil(columns).next_multiple_of(4) + 4;
        assert!(folds(rows, columns) && folds(rows + 1, columns));
        assert_eq!(folds(5, columns), tuning.fold_elements == 0);
        assert!(folds(8, most - 1) && !folds(8, most + 1));
    }
}

#[test]
fn by_the_length_of_runs() {
    for context in software().iter().chain(hardware()) {
        let run = context.tuning().run_elements as usize;
        let images = |run| batch(&[5, 3, run], Layout::ChannelsFirst);
        assert_eq!(choice(context, &images(run - 1)), Variant::ColumnSplit);
        for run in [run, run + 1] {
            let along = [Variant::Lane, Variant::Subgroup, Variant::Workgroup];
            assert!(along.contains(&choice(context, &images(run))));
        }
    }
}
