//! Random operations, bindings and devices.

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use wgnorm::plan::{Facts, Offsets, Role};
use wgnorm::spec::{Operation, Source, Stage};
use wgnorm::{
    Affine, BatchNorm, DeviceTraits, GroupNorm, InstanceNorm, LayerNorm, Layout, MeanVarianceNorm, Normalization,
    OneValue, RmsNorm, Tuning, ZScore,
};

#[derive(Debug, Clone)]
pub struct Scenario {
    pub operation: Operation,
    pub traits: DeviceTraits,
    pub tuning: Tuning,
    pub facts: Facts,
}

prop_compose! {
    pub fn scenario()(shape in shape())(
        operation in operation(shape),
        stage in prop_oneof![4 => Just(Stage::Whole), 1 => Just(Stage::Statistics), 1 => Just(Stage::Apply)],
        [weight, bias, statistics, batch_invariant] in any::<[bool; 4]>(),
        (traits, tuning) in device(),
        facts in facts(),
    ) -> Scenario {
        let operation = Operation {
            weight,
            bias,
            statistics,
            batch_invariant,
            // Given statistics leave nothing to split into stages.
            stage: if operation.source == Source::Running { Stage::Whole } else { stage },
            ..operation
        };
        Scenario { operation, traits, tuning, facts }
    }
}

/// Mostly small shapes, some with one large extent.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    let extent = prop_oneof![
        4 => 1..=5usize,
        2 => 1..=40usize,
        1 => (1..=10usize).prop_map(|n| 4 * n),
        1 => (1..=4usize).prop_map(|n| 16 * n),
    ];
    let large = prop_oneof![1..=5000usize, 1..=1usize << 30];
    (
        prop::collection::vec(extent, 1..=5),
        any::<Index>(),
        prop::option::weighted(0.25, large),
    )
        .prop_map(|(mut shape, at, large)| {
            if let Some(extent) = large {
                let at = at.index(shape.len());
                shape[at] = 1;
                let most = i32::MAX as usize / shape.iter().product::<usize>();
                shape[at] = extent.min(most);
            }
            shape
        })
}

/// Any operation on `shape`, which gets a second axis where the operation needs channels.
fn operation(shape: Vec<usize>) -> impl Strategy<Value = Operation> {
    let mut channeled = shape.clone();
    if shape.len() < 2 {
        channeled.push(1);
    }
    let layout = select(vec![Layout::ChannelsFirst, Layout::ChannelsLast]);
    let affine = select(vec![Affine::PerChannel, Affine::PerGroup]);
    let axes = subsequence((0..shape.len() as isize).collect::<Vec<_>>(), 1..=shape.len());
    (0..7, any::<Index>(), layout, affine, axes, 0..3).prop_map(move |(kind, index, layout, affine, axes, running)| {
        let axis = index.index(shape.len()) as isize;
        macro_rules! with_running {
            ($builder:expr) => {{
                let builder = $builder.layout(layout).one_value(OneValue::Allow);
                match running {
                    0 => builder.operation(),
                    1 => builder.use_running_statistics().operation(),
                    _ => builder.update_running_statistics().operation(),
                }
            }};
        }
        let operation = match kind {
            0 => LayerNorm::new(&shape).axis(axis).operation(),
            1 => RmsNorm::new(&shape).axis(axis).operation(),
            2 => with_running!(BatchNorm::new(&channeled)),
            3 => with_running!(InstanceNorm::new(&channeled)),
            4 => {
                let channels = match layout {
                    Layout::ChannelsFirst => channeled[1],
                    Layout::ChannelsLast => channeled[channeled.len() - 1],
                };
                let divisors: Vec<_> = (1..=channels.min(64)).filter(|n| channels.is_multiple_of(*n)).collect();
                let groups = divisors[index.index(divisors.len())];
                GroupNorm::new(&channeled, groups)
                    .layout(layout)
                    .affine(affine)
                    .operation()
            }
            5 => ZScore::new(&shape, &axes).operation(),
            _ => MeanVarianceNorm::new(&shape, &axes).operation(),
        };
        operation.expect("a valid operation")
    })
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
    (any::<[bool; 3]>(), select(subgroup_sizes), limits).prop_map(
        |([software, wide_integers, other], subgroup_size, (workgroups_per_dimension, workgroup_invocations))| {
            let traits = DeviceTraits {
                subgroup_size,
                wide_integers,
                workgroups_per_dimension,
                workgroup_invocations,
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

/// Tensors at aligned and odd places of their bindings, in place, and with everything in one buffer.
fn facts() -> impl Strategy<Value = Facts> {
    let offset = || prop_oneof![3 => Just(0u32), 1 => (0..4u32).prop_map(|n| 16 * n), 1 => 0..64u32];
    ([offset(), offset(), offset(), offset()], 0..3).prop_map(|([x, y, weight, bias], sharing)| {
        let mut facts = Facts {
            offsets: Offsets { x, y, weight, bias },
            ..Default::default()
        };
        match sharing {
            0 => {}
            1 => {
                facts.output_in_x = true;
                facts.buffers[Role::Y as usize] = facts.buffers[Role::X as usize];
            }
            _ => facts.buffers = [0; Role::ALL.len()],
        }
        facts
    })
}
