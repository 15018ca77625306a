//! Bad input has an error of its own, and nothing is recorded or written.

use wgnorm::ErrorKind::{self, *};
use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{
    BatchNorm, Error, Forward, GroupNorm, LayerNorm, LocalResponseNorm, LpNorm, Normalization, OneValue, Plan, Preset,
    RmsNorm, Variant, View, ZScore, ZeroNorm, wgpu,
};

use super::common::context;

#[track_caller]
fn assert_refused<T>(result: Result<T, Error>, kind: ErrorKind, argument: &str) {
    match result {
        Ok(_) => panic!("{kind:?} of {argument} was accepted"),
        Err(error) => {
            assert_eq!((error.kind(), error.argument()), (kind, argument), "{error}");
            assert!(error.to_string().starts_with(argument), "{error}");
        }
    }
}

#[test]
fn shapes() {
    let layer = |shape: &[usize]| LayerNorm::new(shape).operation();
    assert_refused(layer(&[1 << 16, 1 << 16]), Overflow, "shape");
    assert_refused(layer(&[usize::MAX, 2]), Overflow, "shape");
    assert_refused(layer(&[0, usize::MAX]), Overflow, "shape");
    assert_refused(layer(&[]), Shape, "shape");
    assert_refused(layer(&[1; 9]), Shape, "shape");
    assert_refused(BatchNorm::new(&[5]).operation(), Shape, "shape");
    assert_refused(BatchNorm::new(&[1, 5]).operation(), Shape, "shape");
    assert!(BatchNorm::new(&[1, 5]).one_value(OneValue::Allow).operation().is_ok());
    for groups in [0, 4, 7, usize::MAX] {
        assert_refused(GroupNorm::new(&[2, 6], groups).operation(), Shape, "groups");
    }
}

#[test]
fn axes() {
    for axis in [2, -3, isize::MIN, isize::MAX] {
        assert_refused(LayerNorm::new(&[2, 3]).axis(axis).operation(), Shape, "axis");
        assert_refused(RmsNorm::new(&[2, 3]).axis(axis).operation(), Shape, "axis");
        assert_refused(ZScore::new(&[2, 3], &[0, axis]).operation(), Shape, "axis");
    }
    assert_refused(ZScore::new(&[2, 3], &[1, 1]).operation(), Shape, "axis");
    assert_refused(ZScore::new(&[2, 3], &[1, -1]).operation(), Shape, "axis");
}

#[test]
fn parameters() {
    for eps in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_refused(LayerNorm::new(&[2, 3]).eps(eps).operation(), Parameter, "eps");
    }
    let negative = |preset| LayerNorm::new(&[2, 3]).preset(preset).eps(-1.0).operation();
    assert!(negative(Preset::PyTorch).is_ok());
    assert_refused(negative(Preset::Onnx), Parameter, "eps");
    let batch = || BatchNorm::new(&[2, 3]).update_running_statistics();
    assert_refused(batch().momentum(f32::NAN).operation(), Parameter, "momentum");
    let both = batch().use_running_statistics().operation();
    assert_refused(both, Parameter, "update_running_statistics");
    assert_refused(ZScore::new(&[2, 3], &[0]).ddof(2).operation(), Parameter, "ddof");
}

#[test]
fn weight_axes() {
    let with = |axes: &[isize]| LayerNorm::new(&[2, 3, 4]).weight_axes(axes).operation();
    assert_eq!(with(&[0, -1]).unwrap().weight_len, 8);
    assert_eq!(with(&[]).unwrap().weight_len, 1);
    assert_refused(with(&[3]), Shape, "weight_axes");
    assert_refused(with(&[2, -1]), Shape, "weight_axes");
    assert_refused(LayerNorm::new(&[2, 3, 4]).axes(&[1, 1]).operation(), Shape, "axis");
}

#[test]
fn strides() {
    let from = |strides: &[usize]| LayerNorm::new(&[4, 64]).input_strides(strides).operation();
    let to = |strides: &[usize]| LayerNorm::new(&[4, 64]).output_strides(strides).operation();
    assert!(from(&[0, 1]).is_ok() && from(&[1, 1]).is_ok() && to(&[64, 1]).is_ok() && to(&[1, 4]).is_ok());
    assert_refused(from(&[64]), Shape, "input_strides");
    assert_refused(from(&[1 << 40, 1]), Overflow, "input_strides");
    for overlapping in [[63, 1], [0, 1], [1, 1], [64, 0], [2, 4]] {
        assert_refused(to(&overlapping), Shape, "output_strides");
    }
    // 64 x 2^30 elements from the first to the last do not fit the groups' stride.
    let groups = GroupNorm::new(&[1, 64], 2).input_strides(&[0, 1 << 31]).operation();
    assert_refused(groups, Overflow, "input_strides");

    // A view has to hold all that its strides reach.
    let rows = LayerNorm::new(&[4, 64])
        .input_strides(&[100, 1])
        .plan(context())
        .unwrap();
    assert_refused(rows.bind(&Buffers::new(363, 64).args()), Size, "x");
    let (wide, narrow) = (Buffers::new(364, 64), Buffers::new(256, 64));
    rows.bind(&with_y(wide.args(), View::new(&narrow.y))).unwrap();
    assert_refused(rows.bind(&with_y(wide.args(), View::new(&wide.x))), Overlap, "y");
}

#[test]
fn norms_and_windows() {
    for p in [0.0, -1.0, 2f32.powi(21), f32::NAN, f32::NEG_INFINITY] {
        assert_refused(LpNorm::new(&[2, 3], &[1]).p(p).operation(), Parameter, "p");
    }
    assert_refused(LpNorm::new(&[2, 3], &[1]).eps(-1.0).operation(), Parameter, "eps");
    let zero = LpNorm::new(&[2, 3], &[1]).zero_norm(ZeroNorm::Zero).eps(1e-3);
    assert_refused(zero.operation(), Parameter, "eps");
    let window = |size| LocalResponseNorm::new(&[2, 6, 5], size);
    assert_refused(window(0).operation(), Parameter, "size");
    assert_refused(window(3).alpha(f32::NAN).operation(), Parameter, "alpha");
    assert_refused(window(3).beta(f32::INFINITY).operation(), Parameter, "beta");
    assert_refused(window(3).k(f32::NAN).operation(), Parameter, "k");
    assert_refused(window(3).eps(1e-5).operation(), Parameter, "eps");
    assert_refused(window(3).statistics(true).operation(), Parameter, "statistics");
    assert_refused(window(3).plan_statistics(context()), Parameter, "stage");
    assert_refused(LocalResponseNorm::new(&[6], 3).operation(), Shape, "shape");
    let wide = LocalResponseNorm::new(&[1, 100_000, 1], 60_001);
    assert_refused(wide.plan(context()), Limit, "size");
    assert!(window(usize::MAX).plan(context()).is_ok());
    // Neighbours are read after they would be overwritten.
    let plan = window(3).plan(context()).unwrap();
    let buffers = Buffers::new(60, 1);
    assert_refused(plan.bind(&Forward::in_place(&buffers.x)), Overlap, "y");
    plan.bind(&Forward::new(&buffers.x, &buffers.y)).unwrap();
}

#[test]
fn variants_that_cannot_run() {
    let context = context();
    let builder = LayerNorm::new(&[2, 300]);
    let candidates = builder.candidates(context).unwrap();
    for variant in Variant::ALL {
        let planned = builder.clone().variant(variant).plan(context);
        match candidates.contains(&variant) {
            true => assert_eq!(planned.unwrap().variant(), Some(variant)),
            false => assert_refused(planned, ErrorKind::Variant, "variant"),
        }
    }
}

#[test]
fn limits() {
    let rows = LayerNorm::new(&[1000, 64]);
    let with = |change: fn(&mut wgnorm::DeviceTraits)| {
        let mut traits = *context().traits();
        change(&mut traits);
        context().with_traits(traits)
    };
    // x is cut into pieces, the weight is not.
    let narrow = with(|traits| traits.binding_size = 1024);
    let plan = rows.plan(&narrow).unwrap();
    plan.bind(&Buffers::new(1000 * 64, 64).args()).unwrap();
    let narrower = with(|traits| traits.binding_size = 800);
    assert_refused(LayerNorm::new(&[10, 256]).plan(&narrower), Limit, "weight");
    let too_many_pieces = LayerNorm::new(&[1 << 22, 64]).weight(false).bias(false);
    assert_refused(too_many_pieces.plan(&narrow), Limit, "shape");
    let few_workgroups = with(|traits| traits.workgroups_per_dimension = 2);
    let forced = rows.clone().variant(Variant::Workgroup).plan(&few_workgroups);
    assert_refused(forced, Limit, "shape");
    let few_bindings = with(|traits| traits.storage_buffers = 2);
    assert_refused(rows.plan(&few_bindings), Limit, "device");
    let few_invocations = with(|traits| traits.workgroup_invocations = 4);
    assert_refused(rows.plan(&few_invocations), Limit, "device");
    let little_memory = with(|traits| {
        traits.workgroup_memory = 64;
        traits.subgroup_size = None;
    });
    let forced = rows.clone().variant(Variant::Workgroup).plan(&little_memory);
    assert_refused(forced, Limit, "device");
    let no_compute = with(|traits| traits.workgroup_invocations = 0);
    assert_refused(rows.plan(&no_compute), Feature, "device");
}

/// Buffers of the arguments of a layer norm.
struct Buffers {
    x: wgpu::Buffer,
    y: wgpu::Buffer,
    weight: wgpu::Buffer,
    bias: wgpu::Buffer,
}

impl Buffers {
    fn new(elements: usize, parameters: usize) -> Self {
        let buffer = |name, len| upload(context(), name, &vec![1f32; len]);
        Self {
            x: buffer("x", elements),
            y: buffer("y", elements),
            weight: buffer("weight", parameters),
            bias: buffer("bias", parameters),
        }
    }

    fn args(&self) -> Forward<'_> {
        Forward::new(&self.x, &self.y).weight(&self.weight).bias(&self.bias)
    }
}

fn with_x<'a>(mut args: Forward<'a>, x: impl Into<View<'a>>) -> Forward<'a> {
    args.x = x.into();
    args
}

fn with_y<'a>(mut args: Forward<'a>, y: impl Into<View<'a>>) -> Forward<'a> {
    args.y = y.into();
    args
}

fn plan() -> Plan {
    // A variant that needs no workspace.
    LayerNorm::new(&[4, 64]).variant(Variant::Lane).plan(context()).unwrap()
}

#[test]
fn missing_and_surplus_arguments() {
    let (plan, buffers) = (plan(), Buffers::new(256, 64));
    let bare = Forward::new(&buffers.x, &buffers.y);
    assert_refused(plan.bind(&bare), Argument, "weight");
    assert_refused(plan.bind(&bare.weight(&buffers.weight)), Argument, "bias");
    assert_refused(
        plan.bind(&buffers.args().statistics(&buffers.x)),
        Argument,
        "statistics",
    );
    let running = buffers.args().running(&buffers.bias, &buffers.bias);
    assert_refused(plan.bind(&running), Argument, "running_mean");
    let split = LayerNorm::new(&[4, 64])
        .variant(Variant::Split)
        .plan(context())
        .unwrap();
    assert!(split.workspace_size() > 0);
    assert_refused(split.bind(&buffers.args()), Argument, "workspace");
    let short = create(context(), "workspace", 0);
    assert!(short.size() < split.workspace_size());
    assert_refused(split.bind(&buffers.args().workspace(&short)), Size, "workspace");
}

#[test]
fn sizes_and_offsets() {
    let (plan, buffers, short) = (plan(), Buffers::new(256, 64), Buffers::new(255, 63));
    let args = buffers.args();
    plan.bind(&args).unwrap();
    let cases = [
        (with_x(args, &short.x), "x"),
        (with_y(args, &short.y), "y"),
        (args.weight(&short.weight), "weight"),
        (args.bias(&short.bias), "bias"),
        (with_x(args, View::new(&buffers.x).offset(1)), "x"),
    ];
    for (args, argument) in cases {
        assert_refused(plan.bind(&args), Size, argument);
    }
    let beyond = View {
        buffer: &buffers.y,
        offset: u64::MAX,
    };
    assert_refused(plan.bind(&with_y(args, beyond)), Overflow, "y");
}

#[test]
fn usages() {
    let buffers = Buffers::new(256, 64);
    let unbindable = context().device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 1024,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let args = buffers.args();
    assert_refused(plan().bind(&with_x(args, &unbindable)), Usage, "x");
    assert_refused(plan().bind(&with_y(args, &unbindable)), Usage, "y");
    assert_refused(plan().bind(&args.weight(&unbindable)), Usage, "weight");
}

#[test]
fn overlaps_and_alignment() {
    let buffers = Buffers::new(1024, 64);
    let builder = LayerNorm::new(&[4, 64]).variant(Variant::Lane).statistics(true);
    // The alignment that every device grants; many grant less.
    let mut traits = *context().traits();
    traits.storage_alignment = 256;
    let statistics = builder.plan(&context().with_traits(traits)).unwrap();
    let at = |offset| View::new(&buffers.x).offset(offset);
    let args = Forward::new(at(0), at(256)).weight(&buffers.weight).bias(&buffers.bias);
    let records = args.statistics(at(512));
    statistics.bind(&records).unwrap();
    assert_refused(statistics.bind(&args.statistics(at(448))), Overlap, "statistics");
    // What cannot be bound where it is goes through the workspace, which has to be a block away.
    let odd = args.statistics(at(513));
    assert_refused(statistics.bind(&odd), Argument, "workspace");
    assert_eq!(statistics.workspace_size(), 0);
    let needed = statistics.workspace_size_for(&odd).unwrap();
    assert_eq!(needed, 64);
    let workspace = context().create_workspace(2 * needed);
    statistics.bind(&odd.workspace(&workspace)).unwrap();
    assert_refused(
        statistics.bind(&odd.workspace(View::new(&workspace).offset(1))),
        Alignment,
        "workspace",
    );
    assert_refused(statistics.bind(&odd.workspace(at(512))), Overlap, "workspace");
    statistics.bind(&odd.workspace(at(640))).unwrap();
    for offset in [1, 64, 255] {
        assert_refused(statistics.bind(&with_y(records, at(offset))), Overlap, "y");
    }
    assert_refused(statistics.bind(&records.weight(at(256))), Overlap, "weight");
    // Records end at word 528; the weight begins within the same 256 bytes.
    let near = records.weight(at(530));
    assert_refused(statistics.bind(&near), Argument, "workspace");
    statistics.bind(&near.workspace(at(640))).unwrap();
    statistics.bind(&records.weight(at(576))).unwrap();
}

#[test]
fn outer_extents() {
    let buffers = Buffers::new(256, 64);
    assert_refused(plan().bind(&buffers.args().outer_extent(5)), Size, "x");
    assert_refused(
        plan().bind(&buffers.args().outer_extent(1 << 30)),
        Overflow,
        "outer_extent",
    );
    let whole = LayerNorm::new(&[4, 16])
        .axis(0)
        .variant(Variant::Lane)
        .plan(context())
        .unwrap();
    assert_refused(whole.bind(&buffers.args().outer_extent(2)), Shape, "outer_extent");
}

#[test]
fn nothing_is_recorded_after_an_error() {
    let (plan, buffers, short) = (plan(), Buffers::new(256, 64), Buffers::new(256, 63));
    let mut encoder = context().device().create_command_encoder(&Default::default());
    assert_refused(
        plan.forward(&mut encoder, &buffers.args().bias(&short.bias)),
        Size,
        "bias",
    );
    context().queue().submit([encoder.finish()]);
    let y: Vec<f32> = pollster::block_on(download(context(), &buffers.y, 0..256)).unwrap();
    assert_eq!(y, [1.0; 256]);
}
