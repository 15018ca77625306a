//! Random operations, views and devices.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use wgnorm::geometry::MAX_RANK;
use wgnorm::plan::Facts;
use wgnorm::spec::{Operation, Source, Stage, Statistic};
use wgnorm::{
    Affine, BatchNorm, DeviceTraits, ErrorKind, GroupNorm, InstanceNorm, LayerNorm, Layout, LocalResponseNorm, LpNorm,
    MeanVarianceNorm, Normalization, OneValue, Result, RmsNorm, Tuning, ZScore,
};

use crate::views::{Views, places};

#[derive(Clone)]
pub struct Scenario {
    pub operation: Operation,
    pub traits: DeviceTraits,
    pub tuning: Tuning,
    pub views: Views,
    pub facts: Facts,
}

/// None where the strides are too large for any operation.
pub fn scenario() -> impl Strategy<Value = Option<Scenario>> {
    let stage = prop_oneof![4 => Just(Stage::Whole), 1 => Just(Stage::Statistics), 1 => Just(Stage::Apply)];
    let operation = shape().prop_flat_map(operation);
    (operation, stage, any::<[bool; 4]>(), device(), places()).prop_map(
        |(operation, stage, [weight, bias, statistics, batch_invariant], (traits, tuning), places)| {
            let operation = operation?;
            let operation = Operation {
                weight,
                bias,
                statistics: statistics && !matches!(operation.statistic, Statistic::Window(_)),
                batch_invariant,
                stage,
                ..operation
            };
            let views = Views::new(&operation, traits.storage_alignment, &places);
            Some(Scenario {
                facts: views.facts(),
                operation,
                traits,
                tuning,
                views,
            })
        },
    )
}

/// Rows of any length, at any place, on a device that moves sixteen elements as one wherever rows begin.
pub fn rows() -> impl Strategy<Value = Scenario> {
    let shape = (48..=130usize, 1..=80usize, 1..=3usize);
    let tuning = (1..=16u32, select(vec![8u32, 16, 64]), select(vec![0u32, 5]));
    (shape, any::<[bool; 5]>(), tuning, places()).prop_map(
        |(
            (length, rows, channels),
            [weight, bias, statistics, instance, wide_integers],
            (workgroups, most, aligned_units),
            places,
        )| {
            let rows = rows.min(4096 / length);
            let operation = match instance {
                true => InstanceNorm::new(&[rows.div_ceil(channels), channels, length]).operation(),
                false => LayerNorm::new(&[rows, length]).operation(),
            };
            let operation = Operation {
                weight,
                bias,
                statistics,
                ..operation.expect("a valid operation")
            };
            let traits = DeviceTraits {
                subgroup_size: Some((8, 8)),
                wide_integers,
                aliased_writes: true,
                ..DeviceTraits::minimal(true)
            };
            let mut tuning = Tuning::SOFTWARE;
            tuning.lane_workgroup = (8, most);
            (tuning.lane_workgroups, tuning.short_row_units) = (workgroups, 0);
            tuning.aligned_units = aligned_units;
            let views = Views::new(&operation, traits.storage_alignment, &places);
            Scenario {
                facts: views.facts(),
                operation,
                traits,
                tuning,
                views,
            }
        },
    )
}

/// Mostly small shapes of any rank, some with one large extent.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    let extent = || {
        prop_oneof![
            5 => 1..=5usize,
            2 => 1..=40usize,
            1 => (1..=10usize).prop_map(|n| 4 * n),
            1 => (1..=4usize).prop_map(|n| 16 * n),
        ]
    };
    let large = prop_oneof![
        6 => Just(None),
        1 => (1..=4096usize).prop_map(Some),
        1 => (1..=1usize << 30).prop_map(Some),
    ];
    let most = select(vec![400usize, 1500, 4096]);
    let extents = prop::collection::vec(extent(), 1..=MAX_RANK);
    let round = select(vec![1usize, 1, 4, 16]);
    let any_shape = (extents, any::<Index>(), large, most, round).prop_map(|(mut shape, at, large, most, round)| {
        let at = at.index(shape.len());
        shape[at] = if large.is_some() { 1 } else { shape[at] };
        while shape.iter().product::<usize>() > most {
            let longest = (0..shape.len()).max_by_key(|&i| shape[i]).unwrap_or(0);
            shape[longest] = shape[longest].div_ceil(2);
        }
        if let Some(extent) = large {
            let others = shape.iter().product::<usize>();
            // Longer ones are beyond what is walked over.
            let most = if extent <= 4096 { 4096 } else { i32::MAX as usize };
            shape[at] = extent.min(most / others).max(1);
        }
        // Whole units.
        for extent in shape.iter_mut().filter(|extent| **extent >= round) {
            *extent -= *extent % round;
        }
        shape
    });
    // Three gigabytes, and no elements.
    let known = vec![
        vec![805_306_368],
        vec![3, 268_435_456],
        vec![24, 256, 131_072],
        vec![1 << 20, 768],
        vec![12, 64, 1024, 1024],
        vec![768, 1 << 20],
        vec![3, 0, 5],
    ];
    prop_oneof![60 => any_shape, 1 => select(known)]
}

/// Strides of a tensor whose axes lie in any order in memory, with room behind some of them.
#[derive(Debug, Clone)]
struct Strides {
    order: [u8; MAX_RANK],
    room: [usize; MAX_RANK],
    step: usize,
    broadcast: Option<Index>,
}

fn strides() -> impl Strategy<Value = Option<Strides>> {
    let order = prop_oneof![Just([0u8; MAX_RANK]), any::<[u8; MAX_RANK]>()];
    let room = prop_oneof![
        Just([0usize; MAX_RANK]),
        prop::array::uniform(prop_oneof![4 => Just(0usize), 1 => 1..=4usize, 1 => Just(16)]),
        // Room behind one axis only: a slice of longer rows.
        (0..MAX_RANK, select(vec![1usize, 4, 32, 64, 100])).prop_map(|(at, room)| {
            let mut all = [0; MAX_RANK];
            all[at] = room;
            all
        }),
    ];
    let step = prop_oneof![6 => Just(1usize), 1 => 2..=4usize];
    let broadcast = prop::option::weighted(0.05, any::<Index>());
    let given = (order, room, step, broadcast).prop_map(|(order, room, step, broadcast)| Strides {
        order,
        room,
        step,
        broadcast,
    });
    prop::option::of(given)
}

impl Strides {
    fn of(&self, shape: &[usize]) -> Vec<usize> {
        let mut order: Vec<_> = (0..shape.len()).collect();
        order.sort_by_key(|&axis| self.order[axis]);
        let mut strides = vec![0; shape.len()];
        let mut stride = self.step;
        for axis in order.into_iter().rev() {
            strides[axis] = stride;
            stride *= shape[axis].max(1) + self.room[axis];
        }
        strides
    }
}

/// Any operation on `shape`, which gets a second axis where the operation needs channels.
fn operation(shape: Vec<usize>) -> impl Strategy<Value = Option<Operation>> {
    let mut channeled = shape.clone();
    if shape.len() < 2 {
        channeled.push(1);
    }
    let layouts = vec![Layout::ChannelsFirst, Layout::ChannelsLast];
    let layout = (select(layouts.clone()), prop::option::weighted(0.3, select(layouts)));
    let affine = select(vec![Affine::PerChannel, Affine::PerGroup]);
    let all: Vec<_> = (0..shape.len() as isize).collect();
    let axes = subsequence(all.clone(), 1..=shape.len());
    let weight_axes = prop::option::weighted(0.3, subsequence(all, 0..=shape.len()));
    let size = prop_oneof![1..=9usize, 1..=100usize, Just(1 << 20)];
    let y_strides = prop_oneof![2 => Just(None), 2 => Just(Some(None)), 1 => strides().prop_map(Some)];
    (
        (0..11u32, any::<Index>(), layout, affine, axes, 0..4u32),
        (
            weight_axes,
            size,
            select(vec![0.5, 1.0, 2.0, 3.0, f32::INFINITY]),
            strides(),
            y_strides,
        ),
    )
        .prop_map(
            move |((kind, index, layout, affine, axes, running), (weight_axes, size, p, x_strides, y_strides))| {
                let strided = Strided {
                    weight_axes,
                    x: x_strides,
                    y: y_strides,
                };
                let operation = build(
                    &shape,
                    &channeled,
                    kind,
                    (index, layout, affine),
                    (&axes, running),
                    (size, p),
                    &strided,
                );
                match operation {
                    Ok(operation) => Some(operation),
                    Err(error) => {
                        assert!(error.kind() == ErrorKind::Overflow, "{error} for {shape:?}");
                        None
                    }
                }
            },
        )
}

/// What is asked of any builder.
struct Strided {
    weight_axes: Option<Vec<isize>>,
    x: Option<Strides>,
    /// Dense, those of x, or others.
    y: Option<Option<Strides>>,
}

type Channel = (Index, (Layout, Option<Layout>), Affine);

fn build(
    shape: &[usize],
    channeled: &[usize],
    kind: u32,
    (index, (layout, output_layout), affine): Channel,
    (axes, running): (&[isize], u32),
    (size, p): (usize, f32),
    strided: &Strided,
) -> Result<Operation> {
    macro_rules! finish {
        ($builder:expr, $shape:expr) => {{
            let mut builder = $builder;
            if let Some(axes) = &strided.weight_axes {
                builder = builder.weight_axes(axes);
            }
            let x = strided.x.as_ref().map(|x| (x.of($shape), x.broadcast));
            match (&strided.y, &x) {
                (Some(Some(y)), _) => builder = builder.output_strides(&y.of($shape)),
                (Some(None), Some((x, _))) => builder = builder.output_strides(x),
                _ => {}
            }
            if let Some((mut x, broadcast)) = x {
                if let Some(at) = broadcast {
                    x[at.index($shape.len())] = 0;
                }
                builder = builder.input_strides(&x);
            }
            builder.operation()
        }};
    }
    macro_rules! with_layout {
        ($builder:expr) => {{
            let builder = $builder.layout(layout);
            match output_layout {
                Some(layout) => builder.output_layout(layout),
                None => builder,
            }
        }};
    }
    macro_rules! with_running {
        ($builder:expr) => {{
            let builder = with_layout!($builder).one_value(OneValue::Allow);
            let builder = match running {
                0 => builder,
                1 => builder.use_running_statistics(),
                2 => builder.update_running_statistics(),
                _ => builder.update_running_statistics().cumulative_average(true),
            };
            finish!(builder, channeled)
        }};
    }
    let axis = index.index(shape.len()) as isize;
    match kind {
        0 => finish!(LayerNorm::new(shape).axis(axis), shape),
        1 => finish!(RmsNorm::new(shape).axis(axis), shape),
        2 => with_running!(BatchNorm::new(channeled)),
        3 => with_running!(InstanceNorm::new(channeled)),
        4 => {
            let channels = match layout {
                Layout::ChannelsFirst => channeled[1],
                Layout::ChannelsLast => channeled[channeled.len() - 1],
            };
            let divisors: Vec<_> = (1..=channels.clamp(1, 64))
                .filter(|n| channels.is_multiple_of(*n))
                .collect();
            let groups = divisors[index.index(divisors.len())];
            let builder = GroupNorm::new(channeled, groups).affine(affine);
            finish!(with_layout!(builder), channeled)
        }
        5 => finish!(ZScore::new(shape, axes), shape),
        6 => finish!(MeanVarianceNorm::new(shape, axes), shape),
        7 => finish!(LayerNorm::new(shape).axes(axes), shape),
        8 => finish!(RmsNorm::new(shape).axes(axes), shape),
        9 => finish!(LpNorm::new(shape, axes).p(p), shape),
        _ => finish!(with_layout!(LocalResponseNorm::new(channeled, size)), channeled),
    }
}

fn device() -> impl Strategy<Value = (DeviceTraits, Tuning)> {
    let subgroup_sizes = vec![
        None,
        Some((4, 4)),
        Some((8, 8)),
        Some((8, 32)),
        Some((32, 64)),
        Some((64, 128)),
    ];
    let limits = select(vec![(65_535, 256), (65_535, 128), (1 << 31, 1024)]);
    let storage_buffers = prop_oneof![6 => Just(8u32), 2 => Just(16), 1 => 3..=8u32];
    let binding_size = prop_oneof![
        2 => Just(128u64 << 20),
        1 => select(vec![1u64 << 30, (2 << 30) - 4, 4 << 30]),
        // Any multiple of four: the smallest hold a few elements.
        2 => (64..4096u64).prop_map(|words| 4 * words),
        2 => select(vec![4096u64, 16 << 10, 64 << 10, 100_000, 128 << 10]),
    ];
    let alignment = select(vec![32u32, 64, 256]);
    (
        any::<[bool; 3]>(),
        select(subgroup_sizes),
        limits,
        (storage_buffers, binding_size, alignment),
    )
        .prop_map(
            |(
                [software, wide_integers, other],
                subgroup_size,
                (workgroups_per_dimension, workgroup_invocations),
                (storage_buffers, binding_size, storage_alignment),
            )| {
                let traits = DeviceTraits {
                    subgroup_size,
                    wide_integers,
                    aliased_writes: wide_integers,
                    workgroups_per_dimension,
                    workgroup_invocations,
                    storage_buffers,
                    binding_size,
                    storage_alignment,
                    ..DeviceTraits::minimal(software)
                };
                let tuning = if software != other {
                    Tuning::SOFTWARE
                } else {
                    Tuning::HARDWARE
                };
                (traits, tuning)
            },
        )
}

// On a few lines, whatever proptest asks for.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            traits,
            tuning,
            views,
            facts,
        } = self;
        let tuning = if *tuning == Tuning::SOFTWARE {
            "software"
        } else {
            "hardware"
        };
        write!(f, "{operation:?}\n{traits:?}\n{tuning} tuning\n{views:?}\n{facts:?}")
    }
}

impl Scenario {
    /// True where there is no such plan: a stage of an operation that takes no statistics.
    pub fn lacks_stage(&self) -> bool {
        let Operation {
            statistic,
            source,
            stage,
            ..
        } = &self.operation;
        let takes_none = matches!(statistic, Statistic::Window(_)) || *source == Source::Running;
        takes_none && *stage != Stage::Whole
    }
}
