//! The longest loops there are: llvmpipe gives up on longer ones without a word, leaving wrong numbers.

use wgnorm::shader::{Kernel, Unit};
use wgnorm::verify::{Case, Norm, Values};
use wgnorm::{Context, Layout, MAX_TRIPS, Variant};

use crate::cases::{batch, case, layer};
use crate::{checked, everywhere, hardware, header, is_candidate, most, most_units, row_length, row_units, software};

/// Ordinary values, and values whose every chunk is read again.
const VALUES: [Values; 2] = [Values::FarMean, Values::NearMax];

/// The longest case that `variant` accepts: `at` gives the case of a length.
fn longest(context: &Context, variant: Variant, at: impl Fn(usize) -> Case) -> Case {
    at(most(|n| is_candidate(context, &at(n), variant)))
}

fn check(context: &Context, mut case: Case, variant: Variant, kernel: Kernel, unit: Unit, runs: bool) {
    for values in VALUES {
        case.x = values.fill(case.x.len(), 1);
        let recipe = checked(context, &case, variant);
        let header = header(&recipe, kernel);
        assert_eq!((header.unit, header.runs), (unit, runs));
        let share = u64::from(recipe.steps[0].params.units.div_ceil(header.lanes));
        assert!(share > MAX_TRIPS / 150, "only {share} units");
    }
}

#[test]
fn of_a_lane_along_a_row() {
    for context in [&software()[0], &software()[2], &hardware()[0]] {
        let tuning = context.tuning();
        for unit in row_units(tuning) {
            let units = most_units(tuning, unit, |length| {
                is_candidate(context, &layer(1, length), Variant::Lane)
            });
            let case = layer(1, row_length(tuning, unit, units).unwrap());
            check(context, case, Variant::Lane, Kernel::Lane, unit, unit == Unit::Loose);
        }
    }
}

/// Lengths of short runs, and the units that they are walked in.
fn runs_of(context: &Context) -> Vec<(usize, Unit)> {
    let mut runs = vec![(2, Unit::Scalar), (3, Unit::Scalar), (4, Unit::Vec4)];
    runs.extend(match context.tuning().widest_unit {
        16 => [(16, Unit::Mat4), (17, Unit::Loose), (31, Unit::Loose)],
        _ => [(16, Unit::Vec4), (17, Unit::Scalar), (31, Unit::Scalar)],
    });
    runs
}

#[test]
fn of_a_lane_along_short_runs() {
    for context in [&software()[0], &hardware()[0]] {
        for (run, unit) in runs_of(context) {
            let at = |samples| batch(&[samples, 2, run], Layout::ChannelsFirst);
            check(
                context,
                longest(context, Variant::Lane, at),
                Variant::Lane,
                Kernel::Lane,
                unit,
                true,
            );
            let at = |samples| {
                let axes = vec![0, 2, 4];
                case(
                    Norm::ZScore { axes, ddof: 0 },
                    &[samples, 2, 3, 2, run],
                    Layout::ChannelsFirst,
                )
            };
            check(
                context,
                longest(context, Variant::Lane, at),
                Variant::Lane,
                Kernel::Lane,
                unit,
                true,
            );
        }
    }
}

#[test]
fn of_columns() {
    for context in [&software()[0], &hardware()[0]] {
        let kernel = if context.tuning().column_lanes > 1 {
            Kernel::Tile
        } else {
            Kernel::Lane
        };
        for (columns, unit) in [(4, Unit::Columns), (3, Unit::Scalar)] {
            let table = longest(context, Variant::Column, |rows| {
                batch(&[rows, columns], Layout::ChannelsLast)
            });
            check(context, table, Variant::Column, kernel, unit, false);
            let crossed = longest(context, Variant::Column, |samples| {
                let axes = vec![0, 2];
                case(
                    Norm::ZScore { axes, ddof: 0 },
                    &[samples, 2, 3, columns],
                    Layout::ChannelsFirst,
                )
            });
            check(context, crossed, Variant::Column, kernel, unit, true);
        }
    }
}

#[test]
fn of_the_spans_of_many_long_segments() {
    for context in everywhere() {
        // As for more segments than fill the device: spans are as long as loops may be.
        let mut tuning = *context.tuning();
        tuning.split_target = 1;
        tuning.split_lanes = 1;
        let context = context.with_tuning(tuning);
        for unit in row_units(&tuning) {
            let spans = |length| checked_spans(&context, &layer(1, length));
            let units = most_units(&tuning, unit, |length| spans(length) == 1);
            for units in [units, units + 16 / unit.width() as usize] {
                let Some(length) = row_length(&tuning, unit, units) else {
                    continue;
                };
                let mut case = layer(1, length);
                for values in VALUES {
                    case.x = values.fill(case.x.len(), 1);
                    let recipe = checked(&context, &case, Variant::Split);
                    assert_eq!(header(&recipe, Kernel::Partial).unit, unit);
                    assert!(u64::from(recipe.steps[0].params.units) > MAX_TRIPS / 8);
                }
            }
        }
    }
}

fn checked_spans(context: &Context, case: &Case) -> u32 {
    crate::planned(context, case, Some(Variant::Split)).steps[0]
        .params
        .spans
}
