//! Segments that are cut into spans, and the combination of their parts.

use wgnorm::shader::{Header, Kernel, Unit};
use wgnorm::verify::{Case, Values};
use wgnorm::{Context, Layout, Tuning, Variant};

use crate::cases::{batch, layer};
use crate::{around, checked, constant, everywhere, header, row_length, row_units, software};

/// Runs a split variant; gives the headers of its partial statistics and of what combines them, and the spans.
fn split(context: &Context, case: &Case, variant: Variant) -> (Header, Header, usize) {
    let recipe = checked(context, case, variant);
    let kernels: Vec<_> = recipe.steps.iter().map(|step| step.header.kernel).collect();
    let parts = recipe.steps[1].params.parts;
    let partial = header(&recipe, Kernel::Partial);
    let finish = if variant == Variant::Split && parts <= context.tuning().apply_parts {
        assert_eq!(kernels, [Kernel::Partial, Kernel::Apply]);
        header(&recipe, Kernel::Apply)
    } else {
        assert_eq!(kernels, [Kernel::Partial, Kernel::Finish, Kernel::Apply]);
        let (finish, alone) = (header(&recipe, Kernel::Finish), parts <= context.tuning().finish_parts);
        assert_eq!(finish.lanes, if alone { 1 } else { finish.workgroup });
        finish
    };
    assert_eq!(finish.merges, finish.kernel == Kernel::Apply);
    match (variant, context.traits().software) {
        (Variant::Split, _) => assert_eq!(partial.lanes, span_lanes(context.tuning(), partial.unit)),
        (_, true) => assert_eq!(partial.lanes, 1),
        // A tile of columns: as many lanes as are left of the workgroup.
        (_, false) => assert!(partial.lanes > 1 && partial.workgroup.is_multiple_of(partial.lanes)),
    }
    (partial, finish, recipe.steps[0].params.spans as usize)
}

/// Invocations that share a span along a row.
fn span_lanes(tuning: &Tuning, unit: Unit) -> u32 {
    if unit == Unit::Loose { 1 } else { tuning.split_lanes }
}

/// Units below which a segment is one span.
fn least_units(tuning: &Tuning, unit: Unit) -> usize {
    (tuning.split_units * span_lanes(tuning, unit)) as usize
}

#[test]
fn spans_of_the_least_length() {
    for context in everywhere() {
        let tuning = context.tuning();
        for unit in row_units(tuning) {
            let least = least_units(tuning, unit);
            for units in [least, 2 * least].into_iter().flat_map(around) {
                let Some(length) = row_length(tuning, unit, units) else {
                    continue;
                };
                let (partial, _, spans) = split(context, &layer(2, length), Variant::Split);
                assert_eq!((partial.unit, spans), (unit, units.div_ceil(least)));
            }
        }
    }
}

#[test]
fn as_many_spans_as_fill_the_device() {
    for context in everywhere() {
        let tuning = context.tuning();
        let unit = row_units(tuning).last().unwrap();
        let filling = (tuning.split_target / span_lanes(tuning, unit)) as usize;
        let length = row_length(tuning, unit, 2 * least_units(tuning, unit) + 1).unwrap();
        for (rows, expected) in [(filling - 1, 2), (filling, 1), (filling + 1, 1)] {
            let (.., spans) = split(context, &layer(rows, length), Variant::Split);
            assert_eq!(spans, expected);
        }
    }
}

/// Runs whose units lanes share, and shorter ones, of which each lane has spans of its own.
#[test]
fn runs_that_lanes_share_and_shorter_ones() {
    for context in software() {
        let tuning = context.tuning();
        let least = tuning.shared_run_elements as usize;
        for run in [least - 16, least - 1, least, least + 1, least + 16] {
            let samples = batch(&[3, 2, run], Layout::ChannelsFirst);
            let partial = header(&checked(context, &samples, Variant::Split), Kernel::Partial);
            let shared = run >= least && partial.unit == Unit::Mat4;
            assert_eq!(partial.lanes, if shared { tuning.split_lanes } else { 1 }, "{run}");
        }
    }
}

#[test]
fn as_many_spans_of_short_runs_as_fill_the_device() {
    for context in software() {
        let mut tuning = *context.tuning();
        (tuning.split_units, tuning.alone_target) = (1, 64);
        let context = context.with_tuning(tuning);
        let channels = 8;
        let samples = batch(&[64, channels, 32], Layout::ChannelsFirst);
        for target in around(tuning.alone_target as usize) {
            let mut tuning = tuning;
            tuning.alone_target = target as u32;
            let recipe = checked(&context.with_tuning(tuning), &samples, Variant::Split);
            assert_eq!(recipe.steps[0].params.spans as usize, target.div_ceil(channels));
        }
    }
}

#[test]
fn parts_that_one_invocation_combines_and_more() {
    for context in everywhere() {
        let tuning = context.tuning();
        let limit = tuning.finish_parts as usize;
        let mut alone = Vec::new();
        // A sample is a span, so that every element of a run is one part.
        for run in around(limit) {
            let (_, finish, spans) = split(
                context,
                &batch(&[2, 3, run], Layout::ChannelsFirst),
                Variant::ColumnSplit,
            );
            assert_eq!(spans, 1);
            alone.push(finish.lanes == 1);
        }
        assert_eq!(alone, [true, true, false]);
        let groups = (run_groups(context), Layout::ChannelsFirst);
        for parts in around(groups.0) {
            split(context, &batch(&[2, 3, parts], groups.1), Variant::ColumnSplit);
        }
    }
}

/// Parts after which the finish starts another group of them.
fn run_groups(context: &Context) -> usize {
    let case = batch(&[2, 3, 5], Layout::ChannelsFirst);
    let (_, finish, _) = split(context, &case, Variant::ColumnSplit);
    constant(&finish, "GROUP")
}

#[test]
fn parts_of_spans_that_a_tree_combines() {
    for context in everywhere() {
        // Spans of one unit a lane reach any number of parts with short segments.
        let mut tuning = *context.tuning();
        tuning.split_units = 1;
        tuning.split_target = u32::MAX;
        tuning.apply_parts = 0;
        let context = context.with_tuning(tuning);
        let unit = row_units(&tuning).next().unwrap();
        for parts in around(tuning.finish_parts as usize) {
            let length = parts * (tuning.split_lanes * unit.width()) as usize;
            let mut case = layer(2, length);
            case.x = Values::FarMean.fill(case.x.len(), 1);
            let (partial, finish, spans) = split(&context, &case, Variant::Split);
            assert_eq!((partial.unit, spans), (unit, parts));
            assert_eq!(finish.lanes == 1, parts <= tuning.finish_parts as usize);
        }
    }
}

#[test]
fn parts_that_whatever_writes_y_combines() {
    for context in everywhere() {
        let mut tuning = *context.tuning();
        tuning.split_units = 1;
        tuning.split_target = u32::MAX;
        // Those of software adapters do so nowhere, but can.
        tuning.apply_parts = tuning.apply_parts.max(2);
        let context = context.with_tuning(tuning);
        let unit = row_units(&tuning).next().unwrap();
        for parts in around(tuning.apply_parts as usize) {
            let length = parts * (tuning.split_lanes * unit.width()) as usize;
            for mut case in [
                layer(2, length),
                layer(8, length),
                batch(&[1, 3, length], Layout::ChannelsFirst),
            ] {
                case.x = Values::FarMean.fill(case.x.len(), 1);
                let (_, combines, spans) = split(&context, &case, Variant::Split);
                assert_eq!((spans, combines.merges), (parts, parts <= tuning.apply_parts as usize));
            }
        }
    }
}

#[test]
fn shares_of_lanes_at_the_ends_of_chunks() {
    for context in everywhere() {
        // One span, however long.
        let mut tuning = *context.tuning();
        tuning.split_target = 1;
        let context = context.with_tuning(tuning);
        for unit in row_units(&tuning) {
            let share = span_lanes(&tuning, unit) as usize;
            let start = row_length(&tuning, unit, 1001).unwrap_or(unit.width() as usize);
            let chunk = constant(&split(&context, &layer(1, start), Variant::Split).0, "CHUNK") * share;
            for length in around(chunk).filter_map(|units| row_length(&tuning, unit, units)) {
                let mut case = layer(2, length);
                case.x = Values::NearMax.fill(case.x.len(), 1);
                let (partial, _, spans) = split(&context, &case, Variant::Split);
                assert_eq!((partial.unit, spans), (unit, 1));
            }
        }
    }
}

#[test]
fn columns_that_an_invocation_takes_in_turn() {
    for context in everywhere() {
        let tuning = context.tuning();
        let most = tuning.column_units.min(1 << 10) as usize;
        // Eight units of columns are one each; of more, an invocation takes several.
        for units in [8, 9, 8 + tuning.column_rows as usize] {
            for length in [most, most + 1] {
                let mut case = batch(&[length, 4 * units], Layout::ChannelsLast);
                case.x = Values::FarMean.fill(case.x.len(), 1);
                let recipe = checked(context, &case, Variant::ColumnSplit);
                let partial = header(&recipe, Kernel::Partial);
                let rows = if units > 8 { tuning.column_rows } else { 1 };
                assert_eq!((partial.unit, partial.rows), (Unit::Columns, rows));
                assert!(rows == 1 || recipe.steps[0].params.span_units <= tuning.column_units);
            }
        }
    }
}
