//! Rows that one invocation, part of a workgroup or a workgroup takes whole.

use wgnorm::shader::{Kernel, Reduction, Unit};
use wgnorm::verify::{Arrangement, Case, Norm, Running, Values};
use wgnorm::{Affine, Context, LayerNorm, Layout, Tuning, Variant};

use crate::cases::{batch, case, layer};
use crate::judged::arranged_failure;
use crate::{
    around, checked, constant, everywhere, hardware, header, is_candidate, most_units, planned, row_length, row_units,
    software,
};

/// Invocations that share what they load of the weight.
fn sharers(context: &Context) -> Option<u32> {
    [8, 4]
        .into_iter()
        .find(|&lanes| context.traits().subgroup_size == Some((lanes, lanes)))
}

#[test]
fn short_rows_and_the_first_longer_ones() {
    for context in software() {
        let tuning = context.tuning();
        let sixteen = 16 * tuning.short_row_units as usize;
        let mut kernels = Vec::new();
        // Rows of one element have no axis left to walk along.
        let lengths = [2, 4, 15, 16, 17, 31]
            .into_iter()
            .chain([sixteen - 1, sixteen, sixteen + 1, sixteen + 16]);
        for length in lengths {
            let unit = match length {
                _ if length.is_multiple_of(16) => Unit::Mat4,
                16.. => Unit::Loose,
                _ if length.is_multiple_of(4) => Unit::Vec4,
                _ => Unit::Scalar,
            };
            let short = length as u32 / unit.width() <= tuning.short_row_units;
            let kernel = if short { Kernel::ShortRows } else { Kernel::Lane };
            kernels.push(kernel);
            let planned = header(&planned(context, &layer(1, length), Some(Variant::Lane)), kernel);
            let per_workgroup = planned.workgroup as usize;
            // So many that an invocation takes three of them, the last one fewer.
            let many = 3 * (tuning.lane_workgroup.0 * tuning.lane_workgroups) as usize + 1;
            for rows in [1, per_workgroup + 1, many] {
                let recipe = checked(context, &layer(rows, length), Variant::Lane);
                let header = header(&recipe, kernel);
                if short && rows == many {
                    assert_eq!(header.rows, 3);
                    assert!(header.hold);
                }
                assert_eq!((header.unit, recipe.steps.len()), (unit, 1));
                let traits = context.traits();
                let sixteen = matches!(unit, Unit::Mat4 | Unit::Loose);
                let shared = sharers(context).filter(|_| sixteen);
                assert_eq!(header.parameters.sharers(), shared);
                assert_eq!(header.pairs, sixteen && traits.wide_integers);
                assert_eq!(header.y_pairs, unit == Unit::Loose && traits.wide_integers);
                assert_eq!(
                    header.weight_pairs,
                    // The ninth binding.
                    unit == Unit::Loose
                        && sharers(context) == Some(8)
                        && traits.wide_integers
                        && traits.storage_buffers > 8
                );
                assert_eq!(header.tail, unit == Unit::Loose);
                let odd = unit == Unit::Loose && rows > 1 && length % 2 == 1;
                assert_eq!((header.odd, header.y_odd), (odd, odd));
                let fours = header.pairs && unit == Unit::Loose && (rows == 1 || length % 4 == 0);
                assert_eq!((header.fours, header.y_fours), (fours, fours));
            }
        }
        assert!(kernels.contains(&Kernel::ShortRows) && kernels.contains(&Kernel::Lane));
    }
}

/// Rows of a chunk, of a unit less and of one more, as software adapters take them that hold none: of values that are read once, and
/// of all that are read again.
#[test]
fn rows_of_one_chunk_and_of_more() {
    for context in software() {
        let mut tuning = *context.tuning();
        tuning.short_row_units = 0;
        let context = context.with_tuning(tuning);
        let chunk = Unit::Mat4.chunk() as usize;
        for units in [1, 2, chunk - 1, chunk, chunk + 1] {
            for values in Values::ALL {
                for norm in [Norm::layer(1, 2), Norm::Rms { axes: vec![1] }] {
                    let rows = Case {
                        id: format!("{norm:?} of {units} units, {values:?}"),
                        x: values.fill(5 * 16 * units, 3),
                        norm,
                        ..layer(5, 16 * units)
                    };
                    let header = header(&checked(&context, &rows, Variant::Lane), Kernel::Lane);
                    assert_eq!((header.unit, header.one_chunk), (Unit::Mat4, units <= chunk));
                }
            }
        }
    }
}

/// Rows that begin anywhere, in units that begin at multiples of sixteen elements of memory: as few as share weights, and fewer,
/// and rows that leave places without one in the last workgroups.
#[test]
fn rows_that_begin_anywhere_in_units_of_memory() {
    let context = &software()[0];
    let tuning = context.tuning();
    let aligned = 16 * tuning.aligned_units as usize;
    let mut seen = Vec::new();
    for (variant, kernel, lengths) in [
        (Variant::Lane, Kernel::Lane, [16 * 48 + 1, 16 * 20 + 6, 16 * 7 + 12]),
        (
            Variant::Subgroup,
            Kernel::Resident,
            [aligned - 1, aligned + 1, aligned + 30],
        ),
    ] {
        for length in lengths {
            let period = 16 >> length.trailing_zeros().min(4);
            // Where lanes have no subgroup to share weights in, it does not matter how rows begin.
            let alone = variant == Variant::Lane && sharers(context).is_none();
            let held = planned(context, &layer(1, length), Some(variant)).steps[0].header;
            let sharing = match variant {
                Variant::Lane => tuning.lane_workgroup.0 as usize,
                _ => 2 * (held.workgroup / held.lanes) as usize,
            };
            for rows in [sharing * period - 1, sharing * period, 9 * period + 5, 35 * period + 1] {
                let mut rows_of_weights = layer(rows, length);
                if rows == 9 * period + 5 {
                    rows_of_weights.x = Values::NearMax.fill(rows * length, 1);
                }
                let header = header(&checked(context, &rows_of_weights, variant), kernel);
                assert_eq!(header.unit, Unit::Loose);
                let aligns = context.traits().aliased_writes
                    && (alone || rows >= sharing * period)
                    && (variant == Variant::Lane || length >= aligned);
                assert_eq!(header.sixteens, aligns, "{length} {rows}");
                assert_eq!(header.period as usize, if aligns && !alone { period } else { 1 });
                seen.push((variant, header.period, header.hold));
                let in_place = arranged_failure(context, &rows_of_weights, Some(variant), Arrangement::InPlace);
                assert_eq!(in_place, None);
                // One weight a row: it does not matter where others begin.
                let instances = case(
                    Norm::Instance(Running::default()),
                    &[rows.div_ceil(3), 3, length],
                    Layout::ChannelsFirst,
                );
                let instances = crate::header(&checked(context, &instances, variant), kernel);
                let (sixteens, period) = (instances.sixteens, instances.period);
                assert_eq!((sixteens, period), (context.traits().aliased_writes, 1));
            }
        }
    }
    assert!(seen.contains(&(Variant::Subgroup, 16, true)));
    assert_eq!(seen.contains(&(Variant::Lane, 16, false)), sharers(context).is_some());
}

#[test]
fn chunks_and_groups_of_chunks() {
    for context in everywhere() {
        let tuning = context.tuning();
        for unit in row_units(tuning) {
            let kernel = Kernel::Lane;
            let long = row_length(tuning, unit, 1001).unwrap_or(1001 * unit.width() as usize);
            let planned = header(&planned(context, &layer(1, long), Some(Variant::Lane)), kernel);
            let chunk = constant(&planned, "CHUNK");
            let group = chunk * constant(&planned, "GROUP");
            let boundaries = [chunk, 2 * chunk, group, group + chunk, 2 * group];
            // Where the number itself is walked in wider units, its neighbours are not.
            let lengths = (boundaries.into_iter().flat_map(around)).filter_map(|n| row_length(tuning, unit, n));
            for (i, length) in lengths.enumerate() {
                let mut case = layer(3, length);
                let values = [Values::FarMean, Values::Outlier, Values::NearMax][i % 3];
                case.x = values.fill(case.x.len(), 1);
                let header = header(&checked(context, &case, Variant::Lane), kernel);
                assert_eq!((header.unit, header.lanes), (unit, 1));
            }
        }
    }
}

#[test]
fn the_longest_segments_in_part_of_a_workgroup() {
    let mut reductions = Vec::new();
    for context in everywhere() {
        reductions.extend(resident(context, Variant::Subgroup));
    }
    assert!(reductions.contains(&Reduction::Tree));
    let sizes: Vec<_> = everywhere()
        .filter_map(|context| context.traits().subgroup_size)
        .collect();
    assert_eq!(reductions.contains(&Reduction::Subgroup), !sizes.is_empty());
    let known = sizes.iter().any(|(smallest, largest)| smallest == largest);
    assert_eq!(reductions.contains(&Reduction::WholeSubgroup), known);
}

#[test]
fn the_longest_segments_in_a_workgroup() {
    let mut reductions = Vec::new();
    for context in everywhere() {
        reductions.extend(resident(context, Variant::Workgroup));
    }
    assert!(reductions.contains(&Reduction::Tree));
    let subgroups = everywhere().any(|context| context.traits().subgroup_size.is_some());
    assert_eq!(reductions.contains(&Reduction::Workgroup), subgroups);
}

/// Segments that are longer than a workgroup holds: of lanes that share runs, at the ends of their blocks of 256 units, and where
/// plain sums do not serve.
#[test]
fn segments_that_a_workgroup_walks_over() {
    for context in everywhere() {
        // Of so few lanes and units that short segments are too long.
        let mut tuning = *context.tuning();
        (tuning.resident_units, tuning.workgroup_units, tuning.workgroup_lanes) = ((1, 1), 1, (64, 64));
        tuning.walked_lanes = 64;
        let context = context.with_tuning(tuning);
        for unit in row_units(&tuning).filter(|unit| *unit != Unit::Loose) {
            for (i, units) in around(128).chain(around(4 * 64)).chain(around(256 * 64)).enumerate() {
                let Some(length) = row_length(&tuning, unit, units) else {
                    continue;
                };
                let run = if unit == Unit::Scalar {
                    5
                } else {
                    4 * unit.width() as usize
                };
                for mut case in [
                    layer(3, length),
                    batch(&[length.div_ceil(run), 2, run], Layout::ChannelsFirst),
                ] {
                    let values = [Values::FarMean, Values::Outlier, Values::NearMax][i % 3];
                    case.x = values.fill(case.x.len(), 1);
                    let header = header(&checked(&context, &case, Variant::Workgroup), Kernel::Tile);
                    assert_eq!((header.unit, header.lanes, header.workgroup), (unit, 64, 64));
                }
            }
        }
    }
}

/// Segments of sixteen units, at and around the numbers between which each has more lanes. Thousands of times fewer than in the
/// table, so that they take no time.
#[test]
fn segments_that_have_more_lanes_to_fill_the_device() {
    for context in hardware() {
        let mut tuning = Tuning::HARDWARE;
        assert!(tuning.workgroup_units == 8 && tuning.resident_units.0 == 4);
        tuning.resident_fill = (64, 256);
        let context = context.with_tuning(tuning);
        // Two lanes a segment at eight units each, four at four, eight at two.
        for (segments, lanes) in [(31, 4), (32, 8), (33, 8), (63, 8), (64, 4), (65, 4), (127, 4), (128, 4)] {
            let header = header(
                &checked(&context, &layer(segments, 64), Variant::Subgroup),
                Kernel::Resident,
            );
            assert_eq!(header.lanes, lanes, "{segments}");
            let invariant = LayerNorm::new(&[segments, 64])
                .batch_invariant(true)
                .variant(Variant::Subgroup);
            let recipe = invariant.plan(&context).unwrap().recipe().clone();
            assert_eq!(recipe.steps[0].header.lanes, 4);
        }
    }
}

/// Segments of several channels, whose runs follow each other: a run that lanes end together, and one that they do not.
#[test]
fn runs_that_follow_each_other() {
    for context in everywhere() {
        for variant in [Variant::Subgroup, Variant::Workgroup] {
            for run in [16, 64, 80] {
                let group = |layout| {
                    case(
                        Norm::Group {
                            groups: 2,
                            affine: Affine::PerChannel,
                        },
                        &[3, 6, run],
                        layout,
                    )
                };
                let channels_first = group(Layout::ChannelsFirst);
                if is_candidate(context, &channels_first, variant) {
                    let header = header(&checked(context, &channels_first, variant), Kernel::Resident);
                    assert!(header.flat && header.runs);
                }
            }
        }
    }
}

/// The first size at which lanes double, and the largest that fits and its neighbours, in workgroups that are full
/// and not.
/// Whether a variant can run a case, and holds its segments in registers.
fn holds(context: &Context, case: &Case, variant: Variant) -> bool {
    is_candidate(context, case, variant)
        && planned(context, case, Some(variant)).steps[0].header.kernel == Kernel::Resident
}

fn resident(context: &Context, variant: Variant) -> Vec<Reduction> {
    let tuning = context.tuning();
    let mut reductions = Vec::new();
    for unit in row_units(tuning) {
        let limit = most_units(tuning, unit, |length| holds(context, &layer(1, length), variant));
        let best = tuning.resident_units.0 as usize;
        // Units held in registers are unrolled and take long to compile: the narrower ones only where lanes run out.
        let doubling = (unit == row_units(tuning).next().unwrap()).then_some([best, best + 1]);
        for units in doubling.into_iter().flatten().chain(around(limit)) {
            let Some(length) = row_length(tuning, unit, units) else {
                continue;
            };
            if !holds(context, &layer(1, length), variant) {
                assert!(units > limit);
                let recipe = checked(context, &layer(3, length), None);
                assert_ne!(recipe.variant, Some(variant));
                continue;
            }
            let planned = header(&planned(context, &layer(1, length), Some(variant)), Kernel::Resident);
            let per_workgroup = (planned.workgroup / planned.lanes) as usize;
            // Of the last workgroup not all lanes have a segment; and where the table lets it, each takes two, one after the
            // other.
            let keeps = tuning.resident_rows > 1 && length <= 2048;
            let many = per_workgroup * if keeps { 2 * tuning.lane_workgroups as usize } else { 1 } + 1;
            for rows in [per_workgroup, many] {
                let mut case = layer(rows, length);
                if rows == per_workgroup {
                    case.x = Values::NearMax.fill(case.x.len(), 1);
                }
                let header = header(&checked(context, &case, variant), Kernel::Resident);
                assert_eq!(header.unit, unit);
                assert_eq!(
                    (header.rows, header.hold),
                    if rows == many && keeps { (2, true) } else { (1, false) }
                );
                assert!((header.lanes * header.units) as usize >= units);
                assert_eq!(header.tail_share > 0, unit == Unit::Loose);
                reductions.push(header.reduction);
            }
        }
    }
    reductions
}
