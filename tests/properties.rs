//! Random operations, shapes, axes, strides, values and arrangements against the f64 reference, on the device, forward and
//! backward.
//!
//! 10,000 cases: [`FILLS`] sets of values for every geometry, since compiling its kernels takes most of the time.
//! `WGNORM_PROPERTY_CASES` runs another number, `WGNORM_PROPERTY_SEED` other ones, `WGNORM_PROPERTY_FILLS` more of each
//! geometry.

mod common;
#[path = "common/judged.rs"]
mod judged;
#[path = "common/judged_gradients.rs"]
mod judged_gradients;
#[path = "common/random.rs"]
mod random;

use std::collections::HashMap;

use common::context;
use judged::arranged_failure;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use random::setting;
use wgnorm::verify::{Arrangement, Case, Norm, Running, Update, Values};
use wgnorm::{Affine, Layout, Preset, RunningVariance, ZeroNorm};

/// Elements of a tensor, at most: what is wrong with index arithmetic shows in small ones.
const MOST: usize = 4096;

/// Sets of values for every geometry.
const FILLS: u32 = 32;
/// Those of them that go through the backward pass too, which compiles more kernels.
const BACKWARD_FILLS: u64 = 4;

fn fills() -> u32 {
    setting("WGNORM_PROPERTY_FILLS", FILLS)
}

fn config() -> ProptestConfig {
    let all = random::config(10_000);
    ProptestConfig {
        cases: all.cases.div_ceil(fills()),
        max_shrink_iters: 300,
        ..all
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn agrees_with_the_reference(
        (case, seed, arrangement, choice) in (case(), 0..1_000_000u64, arrangement(), any::<Index>())
    ) {
        let Ok(operation) = case.operation() else {
            // One value per channel, no channels, and the like have errors of their own; they are rare.
            return Ok(());
        };
        let (Some(arranged), Some(limited)) = (arrangement.of(&case), arrangement.context(context(), &case).unwrap())
        else {
            return Ok(());
        };
        let mut variants = vec![None];
        if !case.norm.uses_running() && operation.axes.iter().all(|axis| axis.extent > 0) {
            let candidates = arranged.operation().unwrap().candidates(&limited).unwrap();
            variants.extend(candidates.into_iter().map(Some));
        }
        let variant = *choice.get(&variants);
        for fill in 0..u64::from(fills()) {
            // All kinds of values in turn, each time other ones.
            let values = Values::ALL[((seed + fill) % Values::ALL.len() as u64) as usize];
            let case = filled(&case, values, seed + fill);
            prop_assert_eq!(arranged_failure(context(), &case, variant, arrangement), None);
            // Of every other geometry: it compiles kernels of its own.
            if seed % 2 == 0 && fill < BACKWARD_FILLS && case.has_place_for_dx() {
                let case = case.with_dy(seed + fill);
                prop_assert_eq!(judged_gradients::failure(context(), &case, variant, arrangement), None);
            }
        }
    }
}

fn arrangement() -> impl Strategy<Value = Arrangement> {
    prop_oneof![3 => Just(Arrangement::Plain), 5 => select(Arrangement::ALL.to_vec())]
}

/// Shapes of at most [`MOST`] elements, with extents at and around the widths of units.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    let extent = prop_oneof![
        6 => 1..=5usize,
        2 => 1..=40usize,
        2 => select(vec![4usize, 8, 12, 16, 32, 48, 64]),
        1 => select(vec![255usize, 256, 257, 1000, 1024, 1025]),
    ];
    prop::collection::vec(extent, 1..=6).prop_map(|mut shape| {
        for i in 0..shape.len() {
            let before: usize = shape[..i].iter().product();
            shape[i] = shape[i].min(MOST / before).max(1);
        }
        // An empty tensor now and then.
        if shape == [1] {
            shape = vec![0];
        }
        shape
    })
}

fn case() -> impl Strategy<Value = Case> {
    shape().prop_flat_map(|shape| {
        let axes: Vec<usize> = (0..shape.len()).collect();
        let subset = || subsequence(axes.clone(), 0..=axes.len());
        (
            (
                Just(shape.clone()),
                norm(shape),
                select(vec![Layout::ChannelsFirst, Layout::ChannelsLast]),
            ),
            (prop::option::weighted(0.3, subset()), any::<[bool; 2]>()),
            (memory(axes.len()), memory(axes.len())),
            preset(),
        )
            .prop_map(build)
    })
}

fn preset() -> impl Strategy<Value = Preset> {
    select(vec![Preset::PyTorch, Preset::Onnx, Preset::Keras, Preset::Flax])
}

fn norm(shape: Vec<usize>) -> impl Strategy<Value = Norm> {
    let rank = shape.len();
    let axes = subsequence((0..rank).collect::<Vec<_>>(), 1..=rank);
    let p = select(vec![0.5f32, 1.0, 1.7, 2.0, 3.0, f32::INFINITY]);
    let window = (1..8usize, select(vec![0.5f32, 0.75, 1.0, 2.0]));
    (0..9, axes, any::<Index>(), any::<bool>(), p, window).prop_map(
        move |(kind, axes, index, flag, p, (size, beta))| {
            let running = match index.index(4) {
                0 => Running {
                    use_running: true,
                    update: None,
                },
                1 => Running {
                    use_running: false,
                    update: Some(Update {
                        momentum: 0.25,
                        variance: Some(if flag {
                            RunningVariance::Biased
                        } else {
                            RunningVariance::Unbiased
                        }),
                    }),
                },
                _ => Running::default(),
            };
            match kind {
                0 => Norm::Layer { axes },
                1 => Norm::Rms { axes },
                2 => Norm::Batch(running),
                3 => Norm::Instance(running),
                4 => Norm::Group {
                    groups: index.index(6) + 1,
                    affine: if flag { Affine::PerChannel } else { Affine::PerGroup },
                },
                5 => Norm::ZScore {
                    axes,
                    ddof: u32::from(flag),
                },
                6 => Norm::MeanVariance { axes },
                7 => Norm::Lp {
                    axes,
                    p,
                    zero: if flag { ZeroNorm::Zero } else { ZeroNorm::AtLeastEps },
                },
                _ => Norm::LocalResponse {
                    size,
                    alpha: 0.7,
                    beta,
                    k: 1.0,
                },
            }
        },
    )
}

/// How a tensor lies in memory: an order of its axes, gaps, and whether its outermost axis is broadcast.
#[derive(Debug, Clone)]
struct Memory {
    order: Vec<usize>,
    gaps: Vec<usize>,
    broadcast: bool,
}

/// Densely, most of the time.
fn memory(rank: usize) -> impl Strategy<Value = Option<Memory>> {
    let order = Just((0..rank).collect::<Vec<_>>()).prop_shuffle();
    let gap = prop_oneof![4 => Just(0usize), 1 => 1..=5usize, 1 => Just(16usize)];
    let memory = (order, prop::collection::vec(gap, rank), prop::bool::weighted(0.1));
    let memory = memory.prop_map(|(order, gaps, broadcast)| Memory { order, gaps, broadcast });
    prop::option::weighted(0.3, memory)
}

impl Memory {
    fn strides(&self, shape: &[usize]) -> Vec<usize> {
        let mut strides = vec![0; shape.len()];
        let mut inside = 1;
        for (&axis, gap) in self.order.iter().zip(&self.gaps) {
            strides[axis] = inside + gap;
            inside += strides[axis] * shape[axis].saturating_sub(1);
        }
        strides
    }
}

type Parts = (
    (Vec<usize>, Norm, Layout),
    (Option<Vec<usize>>, [bool; 2]),
    (Option<Memory>, Option<Memory>),
    Preset,
);

/// A case without values.
fn build(((shape, norm, layout), (weight_axes, [weight, bias]), (x, y), preset): Parts) -> Case {
    let input_strides = x.map(|memory| {
        let mut strides = memory.strides(&shape);
        if memory.broadcast {
            strides[0] = 0;
        }
        strides
    });
    let mut case = Case {
        id: String::new(),
        layout,
        preset,
        eps: None,
        x: Vec::new(),
        dy: None,
        weight: weight.then(Vec::new),
        bias: bias.then(Vec::new),
        running: None,
        // There is no reference for given statistics with weights of another shape.
        weight_axes: weight_axes.filter(|_| !norm.uses_running()),
        output_strides: y.map(|memory| memory.strides(&shape)),
        input_strides,
        norm,
        shape,
    };
    case.id = format!("{case:?}");
    // The lengths that validity is judged by.
    filled(&case, Values::Zeros, 0)
}

/// The case with values, each tensor of the length that it has to have.
fn filled(case: &Case, values: Values, seed: u64) -> Case {
    // With given statistics x_hat itself would overflow, and nothing can be asked of y.
    let values = match values {
        Values::NearMax if case.norm.uses_running() => Values::Normal,
        values => values,
    };
    let mut case = case.clone();
    case.x = values.fill(case.shape.iter().product(), seed);
    if let Some(strides) = &case.input_strides {
        share(&mut case.x, &case.shape, strides);
    }
    let length = case.described().map_or(0, |operation| operation.weight_len as usize);
    let parameter = |seed| {
        Values::Normal
            .fill(length, seed)
            .into_iter()
            .map(|v| 1.0 + 0.5 * v)
            .collect()
    };
    case.weight = case.weight.map(|_| parameter(seed + 1));
    case.bias = case.bias.map(|_| parameter(seed + 2));
    if case
        .norm
        .running()
        .is_some_and(|running| running.use_running || running.update.is_some())
    {
        let channels = case.channels().unwrap_or(0);
        let var = Values::Normal.fill(channels, seed + 3).into_iter().map(|v| 0.1 + v * v);
        case.running = Some((Values::Normal.fill(channels, seed + 4), var.collect()));
    }
    case.id += &format!(" {values:?}, seed {seed}");
    case
}

/// Elements that share a place have one value.
fn share(x: &mut [f32], shape: &[usize], strides: &[usize]) {
    let mut values: HashMap<usize, f32> = HashMap::new();
    for (element, value) in x.iter_mut().enumerate() {
        let mut place = 0;
        let mut rest = element;
        for (extent, stride) in shape.iter().zip(strides).rev() {
            place += rest % extent * stride;
            rest /= extent;
        }
        *value = *values.entry(place).or_insert(*value);
    }
}
