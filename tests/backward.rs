//! The backward pass of every operation against the f64 reference: with every variant, in every arrangement, on ordinary
//! and hostile values, and the promises about bits and arguments.

// Layer norms alone are taken of it.
#[allow(dead_code)]
#[path = "common/cases.rs"]
mod cases;
mod common;
#[path = "common/judged_gradients.rs"]
mod judged_gradients;

use common::context;
use judged_gradients::{failure, failure_of};
use wgnorm::spec::Operation;
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::verify::{Arrangement, Case, Norm, Running, Scale, Values, gradient_cases, run_backward_from_output};
use wgnorm::{
    Backward, BatchNorm, Bound, Context, DeviceTraits, ErrorKind, Gradients, GroupNorm, InstanceNorm, LayerNorm,
    Layout, LocalResponseNorm, Normalization, RmsNorm, Tuning, Variant,
};

#[track_caller]
fn check(context: &Context, arrangement: Arrangement, most: usize) {
    let (mut failures, mut runs) = (Vec::new(), 0);
    for case in gradient_cases(Scale::Smoke).iter().filter(|case| case.x.len() <= most) {
        if arrangement.of(case).is_none() || arrangement.context(context, case).unwrap().is_none() {
            continue;
        }
        for variant in [None].into_iter().chain(forced(arrangement).map(Some)) {
            runs += 1;
            failures.extend(failure(context, case, variant, arrangement));
        }
    }
    assert_passed(arrangement, runs, &failures);
}

/// Variants that are forced, too: all where tensors lie as they are. `WGNORM_ALL_VARIANTS=1` forces them in every arrangement,
/// which takes as long again as all else here.
fn forced(arrangement: Arrangement) -> impl Iterator<Item = Variant> {
    let all = arrangement == Arrangement::Plain || std::env::var_os("WGNORM_ALL_VARIANTS").is_some();
    Variant::ALL.into_iter().filter(move |_| all)
}

#[track_caller]
fn assert_passed(arrangement: Arrangement, runs: usize, failures: &[String]) {
    assert!(runs >= 5, "only {runs} runs of {}", arrangement.name());
    assert!(
        failures.is_empty(),
        "{} of {runs} runs failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn with_every_variant() {
    check(context(), Arrangement::Plain, usize::MAX);
}

/// The other row of the tuning table, whatever the adapter.
#[test]
fn as_on_the_other_kind_of_adapter() {
    let context = context().with_traits(DeviceTraits {
        software: !context().traits().software,
        ..*context().traits()
    });
    check(&context, Arrangement::Plain, 1 << 13);
}

#[test]
fn in_place() {
    check(context(), Arrangement::InPlace, 1 << 12);
}

#[test]
fn at_odd_elements_of_one_buffer() {
    check(context(), Arrangement::Arena, 1 << 12);
}

#[test]
fn held_in_other_ways() {
    for arrangement in [
        Arrangement::ChannelsLast,
        Arrangement::Permuted,
        Arrangement::Transposed,
        Arrangement::Strided,
        Arrangement::Interleaved,
    ] {
        check(context(), arrangement, 1 << 11);
    }
}

#[test]
fn in_pieces() {
    check(context(), Arrangement::Pieces, 1 << 12);
    check(context(), Arrangement::PiecesInArena, 1 << 12);
}

/// The case with weights that can be divided by. Of p-norms, only p = 2 has a bound where y is shifted by a bias.
fn invertible(case: Case) -> Case {
    let away = |weight: f32| weight.abs().max(0.25).copysign(weight);
    let weight = case.weight.map(|weight| weight.into_iter().map(away).collect());
    let shifts = !matches!(case.norm, Norm::Lp { p, .. } if p != 2.0);
    let bias = case
        .bias
        .map(|bias| bias.into_iter().map(|bias| if shifts { bias } else { 0.0 }).collect());
    Case { weight, bias, ..case }
}

/// Gradients made of y instead of x, and refusals where y does not say enough.
#[track_caller]
fn check_from_output(context: &Context, arrangement: Arrangement, most: usize) {
    let (mut failures, mut runs, mut refusals) = (Vec::new(), 0, 0);
    for case in gradient_cases(Scale::Smoke)
        .into_iter()
        .filter(|case| case.x.len() <= most)
    {
        let case = invertible(case);
        let Some(arranged) = arrangement.of(&case) else {
            continue;
        };
        if arrangement.context(context, &case).unwrap().is_none() {
            continue;
        }
        let apart = arranged
            .operation()
            .unwrap()
            .axes
            .iter()
            .any(|axis| axis.extent > 1 && axis.x != axis.y);
        let refused = match case.norm {
            Norm::LocalResponse { .. } => Some(ErrorKind::Parameter),
            Norm::Lp { p, .. } if p.is_infinite() => Some(ErrorKind::Parameter),
            _ => apart.then_some(ErrorKind::Shape),
        };
        // Forced where that is soon done: variants are those of gradients made of x.
        let plain = arrangement == Arrangement::Plain && case.x.len() <= 1 << 11;
        for variant in [None]
            .into_iter()
            .chain(Variant::ALL.map(Some).into_iter().filter(|_| plain))
        {
            let outcome = pollster::block_on(run_backward_from_output(context, &case, variant, arrangement));
            match (outcome, refused) {
                (Err(error), Some(kind)) => {
                    assert_eq!(error.kind(), kind, "{}: {error}", case.id);
                    refusals += 1;
                }
                (Err(error), None) if variant.is_some() && error.kind() == ErrorKind::Variant => {}
                (outcome, _) => {
                    runs += 1;
                    assert_eq!(refused, None, "{} is not refused", case.id);
                    failures.extend(failure_of(&case, variant, arrangement, outcome));
                }
            }
        }
    }
    assert!(refusals > 0 || arrangement != Arrangement::Plain, "nothing was refused");
    assert_passed(arrangement, runs, &failures);
}

#[test]
fn made_of_y() {
    check_from_output(context(), Arrangement::Plain, 1 << 17);
    let other = context().with_traits(DeviceTraits {
        software: !context().traits().software,
        ..*context().traits()
    });
    check_from_output(&other, Arrangement::Plain, 1 << 12);
    for arrangement in [
        Arrangement::InPlace,
        Arrangement::Arena,
        Arrangement::Interleaved,
        Arrangement::Pieces,
    ] {
        check_from_output(context(), arrangement, 1 << 11);
    }
}

/// Views of a backward pass that wants everything.
struct Tensors {
    x: wgpu::Buffer,
    dy: wgpu::Buffer,
    weight: wgpu::Buffer,
    dx: wgpu::Buffer,
    dweight: wgpu::Buffer,
    dbias: wgpu::Buffer,
}

use wgnorm::wgpu;

impl Tensors {
    fn new(operation: &Operation) -> Self {
        let len = operation
            .axes
            .iter()
            .map(|axis| axis.extent as usize)
            .product::<usize>();
        let values =
            |len: usize, seed: f32| -> Vec<f32> { (0..len).map(|i| ((i as f32 + seed) * 0.7).sin()).collect() };
        let weights = operation.weight_len as usize;
        Self {
            x: upload(context(), "x", &values(len, 0.0)),
            dy: upload(context(), "dy", &values(len, 0.5)),
            weight: upload(context(), "weight", &values(weights, 2.0)),
            dx: create(context(), "dx", len as u64 * 4),
            dweight: upload(context(), "dweight", &vec![1.0f32; weights]),
            dbias: upload(context(), "dbias", &vec![2.0f32; weights]),
        }
    }

    fn args(&self) -> Backward<'_> {
        Backward::new(&self.x, &self.dy)
            .weight(&self.weight)
            .dx(&self.dx)
            .dweight(&self.dweight)
            .dbias(&self.dbias)
    }
}

fn floats(buffer: &wgpu::Buffer, len: usize) -> Vec<f32> {
    pollster::block_on(download(context(), buffer, 0..len)).unwrap()
}

fn submit(bound: &Bound) {
    let mut encoder = context().device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    context().queue().submit([encoder.finish()]);
}

#[test]
fn gradients_are_added_to_what_is_there() {
    let operation = LayerNorm::new(&[6, 40]).operation().unwrap();
    let run = |accumulate| {
        let tensors = Tensors::new(&operation);
        let gradients = Gradients {
            accumulate,
            ..Gradients::all()
        };
        let plan = operation.plan_backward(context(), gradients).unwrap();
        let workspace = context().create_workspace(plan.workspace_size());
        submit(&plan.bind(&tensors.args().workspace(&workspace)).unwrap());
        (floats(&tensors.dweight, 40), floats(&tensors.dbias, 40))
    };
    let ((replaced, bias), (added, bias_added)) = (run(false), run(true));
    assert!((0..40).all(|i| added[i] == 1.0 + replaced[i] && bias_added[i] == 2.0 + bias[i]));
}

#[test]
fn samples_do_not_depend_on_their_number() {
    // The last one has so many samples that one invocation could not add what they make of a weight.
    for (shape, groups, most) in [([1usize, 8, 64], 2, 40), ([1, 8, 8192], 2, 40), ([1, 4, 32], 4, 1000)] {
        let dx = |samples: usize| {
            let shape = [samples, shape[1], shape[2]];
            let norm = GroupNorm::new(&shape, groups).batch_invariant(true);
            let operation = norm.operation().unwrap();
            let tensors = Tensors::new(&operation);
            let plan = operation.plan_backward(context(), Gradients::all()).unwrap();
            let workspace = context().create_workspace(plan.workspace_size());
            submit(&plan.bind(&tensors.args().workspace(&workspace)).unwrap());
            floats(&tensors.dx, shape[1] * shape[2])
        };
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(dx(1)), bits(dx(most)), "{shape:?}");
    }
}

/// More channels than one invocation may add up.
#[test]
fn a_group_of_very_many_channels() {
    let operation = GroupNorm::new(&[1, 40_000, 16], 1).operation().unwrap();
    let tensors = Tensors::new(&operation);
    let plan = operation.plan_backward(context(), Gradients::all()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    submit(&plan.bind(&tensors.args().workspace(&workspace)).unwrap());
    // The gradient of a segment is perpendicular to 1, since its mean does not count.
    let dx = floats(&tensors.dx, 40_000 * 16);
    let sum: f64 = dx.iter().copied().map(f64::from).sum();
    let size: f64 = dx.iter().map(|&dx| f64::from(dx).abs()).sum();
    assert!(size > 1e5 && sum.abs() < 1e-6 * size, "{sum} of {size}");
}

/// More places than so many spans hold as other sums are cut into: every element takes the steps of its window.
#[test]
fn windows_of_very_many_places() {
    const PLACES: usize = 1_000_000;
    let norm = LocalResponseNorm::new(&[1, 2, PLACES], 2).alpha(1.0);
    let operation = norm.weight(true).bias(true).operation().unwrap();
    let tensors = Tensors::new(&operation);
    let plan = operation.plan_backward(context(), Gradients::of(&operation)).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    submit(&plan.bind(&tensors.args().workspace(&workspace)).unwrap());
    let wide =
        |buffer: &wgpu::Buffer, len: usize| -> Vec<f64> { floats(buffer, len).into_iter().map(f64::from).collect() };
    let (x, dy) = (wide(&tensors.x, 2 * PLACES), wide(&tensors.dy, 2 * PLACES));
    let (dweight, dbias) = (wide(&tensors.dweight, 2), wide(&tensors.dbias, 2));
    for channel in 0..2 {
        // PyTorch's window of two: the channel before, and itself.
        let place = |i: usize| channel * PLACES + i;
        let before = |i: usize| if channel == 1 { x[i] } else { 0.0 };
        let divisor = |i: usize| (1.0 + (x[place(i)].powi(2) + before(i).powi(2)) / 2.0).powf(0.75);
        let product: f64 = (0..PLACES).map(|i| dy[place(i)] * x[place(i)] / divisor(i)).sum();
        let sum: f64 = dy[channel * PLACES..][..PLACES].iter().sum();
        assert!((dweight[channel] / product - 1.0).abs() < 1e-5, "{dweight:?} {product}");
        assert!((dbias[channel] - sum).abs() < 1e-7 * PLACES as f64, "{dbias:?} {sum}");
    }
}

#[test]
fn partial_sums_do_not_grow_with_the_rows() {
    let workspace = |rows: usize| {
        let plan = LayerNorm::new(&[rows, 1024])
            .statistics(true)
            .plan_backward(context(), Gradients::all());
        plan.unwrap().workspace_size()
    };
    let most = 256 * 1024 * 16;
    assert!(
        [1 << 12, 1 << 17, 1 << 18]
            .into_iter()
            .all(|rows| workspace(rows) <= most)
    );
}

/// Rows that invocations hold as on a hardware adapter: as many as a workgroup takes in turn, one less and more, in so few
/// workgroups that each takes several; and rows beyond what is held together with the sums of the weights.
#[test]
fn rows_in_registers() {
    let traits = DeviceTraits {
        software: false,
        ..*context().traits()
    };
    let mut tuning = Tuning::HARDWARE;
    tuning.gradient_target = tuning.subgroup_workgroup;
    let context = context().with_traits(traits).with_tuning(tuning);
    // One unit of a row of four a lane, so that every lane is a slot.
    let slots = tuning.subgroup_workgroup as usize;
    let shortest = [1, slots - 1, slots, slots + 1, 3 * slots, 256 * slots + 1].map(|rows| (rows, 4));
    let (best, most) = tuning.gradient_units;
    let held = |units: u32| 4 * (units * tuning.workgroup_lanes.1.min(traits.workgroup_invocations)) as usize;
    let widest = [held(most) - 4, held(most), held(most) + 4].map(|width| (3, width));
    let mut dispatches = Vec::new();
    for (rows, width) in shortest.into_iter().chain(widest) {
        let mut case = cases::layer(rows, width);
        case.dy = Some(Values::Normal.fill(rows * width, 8));
        assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
        let plan = LayerNorm::new(&[rows, width]).statistics(true);
        let plan = plan.plan_backward(&context, Gradients::all()).unwrap();
        dispatches.push((plan.variant(), plan.dispatches()));
    }
    let (subgroup, workgroup) = (Some(Variant::Subgroup), Some(Variant::Workgroup));
    assert!(
        dispatches[..6].iter().all(|found| *found == (subgroup, 2)),
        "{dispatches:?}"
    );
    assert_eq!(
        dispatches[6..],
        [(workgroup, 2), (workgroup, 2), (Some(Variant::Split), 5)]
    );
    // Of x and dy alone as many units are held as there are names for, if not with the sums of the weights beside them.
    tuning.gradient_units = (best, most / 2);
    let context = context.with_tuning(tuning);
    for (width, dispatches) in [(held(most / 2), 2), (held(most / 2) + 4, 3), (held(most), 3)] {
        let mut case = cases::layer(3, width);
        case.dy = Some(Values::Normal.fill(3 * width, 8));
        assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
        let plan = LayerNorm::new(&[3, width]).statistics(true);
        let plan = plan.plan_backward(&context, Gradients::all()).unwrap();
        assert_eq!((plan.variant(), plan.dispatches()), (workgroup, dispatches));
    }
}

/// Segments that have one weight each, as on a hardware adapter: dx and their sums in one dispatch, and dweight and dbias of
/// those. Around the longest that part of a workgroup holds, and a workgroup.
#[test]
fn segments_of_one_weight_in_registers() {
    let traits = DeviceTraits {
        software: false,
        ..*context().traits()
    };
    let tuning = Tuning::HARDWARE;
    let context = context().with_traits(traits).with_tuning(tuning);
    let lanes = traits.subgroup_size.map_or(32, |(smallest, _)| smallest);
    let most = tuning.workgroup_lanes.1.min(traits.workgroup_invocations);
    let [part, whole] = [lanes, most].map(|lanes| 8 * 4 * lanes as usize);
    let lengths = [4, 12, part - 4, part, part + 4, whole - 4, whole, whole + 4];
    for (samples, channels) in [(1, 1), (3, 5)] {
        for length in lengths {
            let shape = [samples, channels, length];
            let mut case = cases::case(Norm::Instance(Running::default()), &shape, Layout::ChannelsFirst);
            case.dy = Some(Values::Normal.fill(case.x.len(), 8));
            assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
            let norm = InstanceNorm::new(&shape).weight(true).bias(true).statistics(true);
            let plan = norm.plan_backward(&context, Gradients::all()).unwrap();
            let variant = match length {
                _ if length <= part => Variant::Subgroup,
                _ if length <= whole => Variant::Workgroup,
                _ => Variant::Split,
            };
            let dispatches = if length <= whole { 2 } else { 4 };
            assert_eq!(
                (plan.variant(), plan.dispatches()),
                (Some(variant), dispatches),
                "{shape:?}"
            );
            // A bias of every element has no sums of segments, though there is no weight.
            let mut case = cases::layer(samples * channels, length);
            (case.weight, case.dy) = (None, Some(Values::Normal.fill(case.x.len(), 8)));
            assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
            // Without either there is dx alone.
            let norm = InstanceNorm::new(&shape).weight(false).bias(false).statistics(true);
            let plan = norm
                .plan_backward(&context, Gradients::of(&norm.operation().unwrap()))
                .unwrap();
            assert_eq!(plan.variant(), Some(variant));
        }
    }
    // So many segments of a weight that their sums are not added one by one.
    let mut case = cases::case(Norm::Instance(Running::default()), &[1000, 1, 8], Layout::ChannelsFirst);
    case.dy = Some(Values::Normal.fill(case.x.len(), 8));
    assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
    let norm = InstanceNorm::new(&[1000, 1, 8]).weight(true).statistics(true);
    let plan = norm
        .plan_backward(&context, Gradients::of(&norm.operation().unwrap()))
        .unwrap();
    assert_eq!(plan.variant(), Some(Variant::Split));
}

/// Rows that invocations hold as on a software adapter with subgroups of eight: at every width where the unit or the lanes
/// change, one unit less and more, and so many rows that a workgroup takes one or several.
#[test]
fn rows_in_registers_of_software() {
    let traits = DeviceTraits {
        software: true,
        ..*context().traits()
    };
    let mut tuning = Tuning::SOFTWARE;
    // Workgroups are few, so that few rows make each take several.
    tuning.gradient_target = 4 * tuning.subgroup_workgroup;
    let context = context().with_traits(traits).with_tuning(tuning);
    let lanes = traits.subgroup_size.map_or(1, |(smallest, _)| smallest as usize);
    let (_, limit) = tuning.gradient_units;
    let held = 16 * limit as usize;
    let mut shapes = Vec::new();
    // From a vec4 a lane on; from sixteen a lane on; a subgroup's most; the most of all.
    for (width, unit) in [(4 * lanes, 4), (16 * lanes, 16), (held * lanes, 16)] {
        shapes.extend([width - unit, width, width + unit].map(|width| (5, width)));
    }
    let most = held * tuning.workgroup_lanes.1.min(traits.workgroup_invocations) as usize;
    shapes.extend([most - 16, most, most + 16].map(|width| (2, width)));
    shapes.extend([1, 3, 4, 5, 9, 4 * 256 + 1].map(|rows| (rows, 64)));
    let mut variants = Vec::new();
    for (rows, width) in shapes {
        let mut case = cases::layer(rows, width);
        case.dy = Some(Values::Normal.fill(rows * width, 8));
        assert_eq!(failure(&context, &case, None, Arrangement::Plain), None);
        let plan = LayerNorm::new(&[rows, width]).statistics(true);
        variants.push(plan.plan_backward(&context, Gradients::all()).unwrap().variant());
    }
    // Devices without such subgroups hold other rows, or none.
    if traits.subgroup_size == Some((8, 8)) {
        let [lane, subgroup, workgroup] = [Variant::Lane, Variant::Subgroup, Variant::Workgroup].map(Some);
        assert_eq!(
            variants[..9],
            [
                lane, subgroup, subgroup, subgroup, subgroup, subgroup, subgroup, subgroup, workgroup
            ]
        );
        assert_eq!(variants[9..11], [workgroup; 2]);
        assert!(!variants[11..12].contains(&workgroup) && variants[12..].iter().all(|variant| *variant == subgroup));
    }
}

#[test]
fn bad_arguments_are_refused() {
    let kind = |operation: &Operation, gradients| operation.plan_backward(context(), gradients).unwrap_err().kind();
    let rms = RmsNorm::new(&[4, 8]).operation().unwrap();
    assert_eq!(
        kind(&rms, Gradients::all()),
        ErrorKind::Argument,
        "RMS norm has no bias"
    );
    let none = Gradients {
        dx: false,
        dweight: false,
        dbias: false,
        accumulate: false,
        from_output: false,
    };
    assert_eq!(kind(&rms, none), ErrorKind::Argument);
    let broadcast = LayerNorm::new(&[4, 8]).input_strides(&[0, 1]).operation().unwrap();
    assert_eq!(kind(&broadcast, Gradients::all()), ErrorKind::Shape);
    let response = LocalResponseNorm::new(&[2, 8, 4], 3).weight(true).operation().unwrap();
    assert_eq!(
        kind(&response, Gradients::all()),
        ErrorKind::Argument,
        "there is no bias"
    );

    let operation = LayerNorm::new(&[64, 64]).operation().unwrap();
    let tensors = Tensors::new(&operation);
    let plan = operation.plan_backward(context(), Gradients::all()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    let args = tensors.args().workspace(&workspace);
    let refused = |change: &dyn Fn(&mut Backward<'_>)| {
        let mut args = args;
        change(&mut args);
        plan.bind(&args).unwrap_err().kind()
    };
    assert_eq!(refused(&|args| args.dx = None), ErrorKind::Argument);
    assert_eq!(refused(&|args| args.weight = None), ErrorKind::Argument);
    assert_eq!(refused(&|args| args.statistics = args.weight), ErrorKind::Argument);
    assert_eq!(refused(&|args| args.dbias = args.dweight), ErrorKind::Overlap);
    assert_eq!(refused(&|args| args.dy.offset = 1), ErrorKind::Size);
    assert_eq!(refused(&|args| args.dweight = args.dx), ErrorKind::Overlap);

    // Records of another number of channels, or of a batch norm with given statistics.
    let batch = BatchNorm::new(&[4, 8, 2]).statistics(true).operation().unwrap();
    let tensors = Tensors::new(&batch);
    let plan = batch.plan_backward(context(), Gradients::all()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    let few = create(context(), "records", 7 * 16);
    let args = tensors.args().workspace(&workspace).statistics(&few);
    assert_eq!(plan.bind(&args).unwrap_err().kind(), ErrorKind::Size);
}

#[test]
fn an_empty_tensor_has_gradients_of_zero() {
    let operation = LayerNorm::new(&[0, 5]).operation().unwrap();
    let tensors = Tensors::new(&operation);
    let plan = operation.plan_backward(context(), Gradients::all()).unwrap();
    let workspace = context().create_workspace(plan.workspace_size());
    submit(&plan.bind(&tensors.args().workspace(&workspace)).unwrap());
    assert_eq!(
        (floats(&tensors.dweight, 5), floats(&tensors.dbias, 5)),
        (vec![0.0; 5], vec![0.0; 5])
    );
}
