//! The plans that run: every operation and variant, with tensors in buffers of their own, in every way in one, strided
//! and in pieces.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use wgnorm::plan::{Facts, Recipe, Role, candidates};
use wgnorm::shader::{Binding, Header, Params};
use wgnorm::spec::{Operation, Source, Stage, Statistic};
use wgnorm::verify::{self, Case, Norm, Running, Scale, Tolerance, Update, Values, cases, tolerances};
use wgnorm::{DeviceTraits, ErrorKind, Layout, Preset, Result, Tuning, Variant, ZeroNorm};

use crate::compositions::segments;
use crate::places::{BLOCK, Place, Places, words};

/// Bytes of a record and of moments.
const RECORD: u64 = size_of::<wgnorm::Record>() as u64;
const MOMENTS: u64 = size_of::<wgnorm::Moments>() as u64;

/// Dispatches, with all that they read and what they should write.
pub struct Plan {
    pub name: String,
    /// The contents of the buffers.
    pub buffers: Vec<Vec<u32>>,
    pub dispatches: Vec<Dispatch>,
    pub outputs: Vec<Output>,
    /// What may change beside the outputs. All other words must not.
    pub written: Vec<Place>,
}

pub struct Dispatch {
    pub header: Header,
    pub params: Params,
    pub workgroups: [u64; 2],
    pub bindings: Vec<(Binding, Place)>,
}

/// A tensor, or one of the two statistics in records, and what it should be.
pub struct Output {
    pub name: &'static str,
    pub place: Place,
    /// The words of the place that are meant, where those are not all.
    pub words: Option<Rc<Vec<u32>>>,
    pub expected: Rc<Vec<f64>>,
    pub tolerance: Tolerance,
}

/// Where tensors lie with regard to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Arrangement {
    /// In buffers of their own.
    Own,
    /// In buffers of their own, but not at their beginning.
    Odd,
    /// y in x, all others in buffers of their own.
    InPlace,
    /// All in one buffer, each in blocks of its own.
    Arena,
    /// All in one buffer, y in x.
    ArenaInPlace,
    /// All in one buffer, y right behind x.
    ArenaTouching,
    /// All in one buffer, y in x, which begins within a block.
    ArenaOddInPlace,
    /// All in one buffer, each right behind another at an odd element.
    ArenaOdd,
    /// y between the rows of x, all others in buffers of their own.
    Interleaved,
}

use Arrangement::*;

/// Those that every operation and variant is seen in.
const ARRANGEMENTS: [Arrangement; 8] = [
    Own,
    Odd,
    InPlace,
    Arena,
    ArenaInPlace,
    ArenaTouching,
    ArenaOddInPlace,
    ArenaOdd,
];

impl Arrangement {
    fn in_place(self) -> bool {
        matches!(self, InPlace | ArenaInPlace | ArenaOddInPlace)
    }

    /// Places of tensors of so many bytes, x of rows of `row` bytes. The workspace comes last: its size depends on the
    /// places of the others.
    fn places(self, sizes: &[(Role, u64)], row: u64) -> Places {
        let arena = matches!(self, Arena | ArenaInPlace | ArenaTouching | ArenaOddInPlace | ArenaOdd);
        let mut places = Places::default();
        let mut end = BLOCK;
        let workspace = (Role::Workspace, 0);
        for (number, &(role, bytes)) in sizes.iter().chain([&workspace]).enumerate() {
            let next = end.next_multiple_of(BLOCK);
            let start = match (self, role) {
                (_, Role::Y) if self.in_place() => {
                    places.set(role, places.get(Role::X));
                    continue;
                }
                (Interleaved, Role::Y) => {
                    let x = places.get(Role::X);
                    let (start, end) = (x.start + row, x.start + row + bytes);
                    places.set(role, Place { start, end, ..x });
                    continue;
                }
                (ArenaTouching, Role::Y) => end,
                (ArenaOddInPlace, Role::X) => next + 33 * 4,
                (ArenaOdd, Role::Workspace) => next,
                (ArenaOdd, _) => end.next_multiple_of(8) + 4,
                (Odd, Role::X) => 4,
                (Odd, Role::Y) => 67 * 4,
                (Odd, Role::Weight) => 3 * 4,
                (Odd, Role::Bias) => 130 * 4,
                // Merges have no workspace to stage moments in.
                (Odd, Role::Moments | Role::Merged | Role::Workspace) => BLOCK,
                (Odd, _) => 5 * 4,
                (Own | InPlace | Interleaved, _) => 0,
                _ => next,
            };
            end = start + bytes;
            let buffer = if arena { 0 } else { number };
            places.set(role, Place { buffer, start, end });
        }
        places
    }
}

/// True if the operation writes a view of this role.
fn writes(operation: &Operation) -> impl Fn(Role) -> bool {
    let (stage, updates) = (operation.stage, operation.running.is_some());
    move |role| match role {
        Role::Y | Role::Statistics | Role::Merged | Role::Workspace => true,
        Role::Moments => stage == Stage::Statistics,
        Role::RunningMean | Role::RunningVar | Role::Batches | Role::Corrections => updates,
        Role::Dx | Role::Dweight | Role::Dbias | Role::Sums => true,
        Role::X | Role::Weight | Role::Bias | Role::Dy => false,
    }
}

/// A device to plan for.
#[derive(Clone, Copy)]
pub struct Device {
    pub name: &'static str,
    pub traits: DeviceTraits,
}

impl Device {
    fn new(name: &'static str, software: bool, subgroup_size: Option<(u32, u32)>) -> Self {
        let traits = DeviceTraits {
            subgroup_size,
            ..DeviceTraits::minimal(software)
        };
        Self { name, traits }
    }

    fn recipe(&self, operation: &Operation, facts: &Facts) -> Result<Recipe> {
        Recipe::new(operation, &self.traits, Tuning::for_traits(&self.traits), facts)
    }

    fn candidates(&self, operation: &Operation, facts: &Facts) -> Vec<Variant> {
        let tuning = Tuning::for_traits(&self.traits);
        candidates(operation, &self.traits, tuning, facts).expect("candidates")
    }
}

/// A plan in the making.
#[derive(Default)]
pub struct Builder {
    dispatches: Vec<Dispatch>,
    pub outputs: Vec<Output>,
    written: Vec<Place>,
    /// The places that have been bound, which the buffers must hold.
    used: Vec<Place>,
    /// Buffer, word and what it holds.
    contents: Vec<(usize, usize, u32)>,
}

impl Builder {
    pub fn fill(&mut self, place: Place, values: &[f32]) {
        let first = place.start as usize / 4;
        self.contents
            .extend((values.iter().enumerate()).map(|(i, value)| (place.buffer, first + i, value.to_bits())));
    }

    fn fill_words(&mut self, place: Place, words: &[u32], values: &[f32]) {
        let first = place.start as usize / 4;
        let contents = words.iter().zip(values);
        self.contents
            .extend(contents.map(|(&word, value)| (place.buffer, first + word as usize, value.to_bits())));
    }

    /// Adds the dispatches of an operation.
    fn call(&mut self, places: &Places, device: &Device, operation: &Operation) {
        let recipe = device.recipe(operation, &places.facts(writes(operation)));
        self.add(places, device, recipe.expect("a plan"));
    }

    /// Adds the dispatches of a recipe. The workspace grows to what it needs.
    pub fn add(&mut self, places: &Places, device: &Device, recipe: Recipe) {
        let mut places = places.clone();
        let mut workspace = places.get(Role::Workspace);
        workspace.end += recipe.workspace;
        places.set(Role::Workspace, workspace);
        self.written.push(workspace);
        for step in recipe.steps {
            let bindings: Vec<_> = (step.bindings.iter())
                .map(|&(binding, operand)| (binding, places.resolve(operand)))
                .collect();
            self.used.extend(bindings.iter().map(|(_, place)| *place));
            // As `Bound` does: workgroups beyond one dimension go on in the second.
            let most = u64::from(device.traits.workgroups_per_dimension);
            let x = step.workgroups.clamp(1, most);
            self.dispatches.push(Dispatch {
                header: step.header,
                params: step.params,
                workgroups: [x, step.workgroups.div_ceil(x)],
                bindings,
            });
        }
    }

    pub fn finish(self, name: String) -> Plan {
        let mut buffers: Vec<Vec<u32>> = Vec::new();
        for place in self.used {
            buffers.resize_with(buffers.len().max(place.buffer + 1), Vec::new);
            let (buffer, words) = (&mut buffers[place.buffer], place.end.div_ceil(4) as usize);
            // NaN of a number each: what is read before it is written, or written beside its place, shows.
            buffer.extend((buffer.len()..words).map(|i| 0x7fc0_0000 | (i as u32 & 0xffff)));
        }
        for (buffer, word, value) in self.contents {
            buffers[buffer][word] = value;
        }
        Plan {
            name,
            buffers,
            dispatches: self.dispatches,
            outputs: self.outputs,
            written: self.written,
        }
    }
}

/// A case with what it should give.
struct Sample {
    case: Case,
    operation: Operation,
    segments: u64,
    outputs: Vec<(&'static str, Role, Rc<Vec<f64>>, Tolerance)>,
    /// The words of x and of y in row-major order, where they have strides.
    words: [Option<Rc<Vec<u32>>>; 2],
}

impl Sample {
    fn new(case: Case) -> Self {
        let operation = case.operation().expect("a valid operation");
        let expected = case.expected();
        let limits = tolerances(&case, &expected);
        let mut outputs = vec![("y", Role::Y, Rc::new(expected.y), limits.y)];
        let statistics = [
            ("mean", expected.mean, limits.mean),
            ("rstd", expected.rstd, limits.rstd),
        ];
        for (name, values, tolerance) in statistics {
            outputs.extend(values.map(|values| (name, Role::Statistics, Rc::new(values), tolerance)));
        }
        if operation.running.is_some() {
            let running = [
                (
                    "running_mean",
                    Role::RunningMean,
                    expected.running_mean,
                    limits.running_mean,
                ),
                (
                    "running_var",
                    Role::RunningVar,
                    expected.running_var,
                    limits.running_var,
                ),
            ];
            for (name, role, values, tolerance) in running {
                outputs.extend(values.map(|values| (name, role, Rc::new(values), tolerance)));
            }
        }
        let kept = operation.axes.iter().filter(|axis| !axis.reduced);
        Self {
            segments: kept.map(|axis| u64::from(axis.extent)).product(),
            words: [&case.input_strides, &case.output_strides]
                .map(|strides| strides.as_ref().map(|strides| Rc::new(words(&case.shape, strides)))),
            case,
            operation,
            outputs,
        }
    }

    /// True if running statistics are bound.
    fn runs(&self) -> bool {
        self.operation.running.is_some() || self.operation.source == Source::Running
    }

    /// The places of the roles of the whole, and of others of so many bytes.
    fn places(&self, arrangement: Arrangement, others: &[(Role, u64)]) -> Places {
        let operation = &self.operation;
        let parameters = u64::from(operation.weight_len) * 4;
        let channels = self.case.channels().unwrap_or(0) as u64 * 4;
        let [x, y] = self.words.each_ref().map(|words| match words {
            Some(words) => words.iter().max().map_or(0, |last| u64::from(last + 1) * 4),
            None => self.case.x.len() as u64 * 4,
        });
        // Small ones lie between others, so that those in one buffer share the blocks of what is written.
        let roles = [
            (Role::X, true, x),
            (Role::Y, true, y),
            (Role::Statistics, operation.statistics, self.segments * RECORD),
            (Role::Weight, operation.weight, parameters),
            (Role::Bias, operation.bias, parameters),
            (Role::RunningMean, self.runs(), channels),
            (Role::RunningVar, self.runs(), channels),
        ];
        let needed = roles.into_iter().filter(|(_, needed, _)| *needed);
        let mut sizes: Vec<_> = needed.map(|(role, _, bytes)| (role, bytes)).collect();
        sizes.extend(others);
        let row = self.case.shape.last().map_or(0, |&width| width as u64 * 4);
        arrangement.places(&sizes, row)
    }

    /// True if tensors can lie like that.
    fn may_lie(&self, arrangement: Arrangement) -> bool {
        let alone = !matches!(self.case.norm, Norm::LocalResponse { .. });
        !arrangement.in_place() || alone && self.case.input_strides == self.case.output_strides
    }

    /// The facts of the whole in an arrangement.
    fn facts(&self, arrangement: Arrangement) -> Facts {
        self.places(arrangement, &[]).facts(writes(&self.operation))
    }

    /// Puts inputs at their places, and says what is expected where.
    fn begin(&self, places: &Places) -> Builder {
        let mut builder = Builder::default();
        let [x, y] = &self.words;
        match x {
            Some(words) => builder.fill_words(places.get(Role::X), words, &self.case.x),
            None => builder.fill(places.get(Role::X), &self.case.x),
        }
        let (weight, bias) = (&self.case.weight, &self.case.bias);
        for (role, values) in [(Role::Weight, weight), (Role::Bias, bias)] {
            if let Some(values) = values {
                builder.fill(places.get(role), values);
            }
        }
        if let (true, Some((mean, var))) = (self.runs(), &self.case.running) {
            builder.fill(places.get(Role::RunningMean), mean);
            builder.fill(places.get(Role::RunningVar), var);
        }
        for (name, role, expected, tolerance) in &self.outputs {
            builder.outputs.push(Output {
                name,
                place: places.get(*role),
                words: y.clone().filter(|_| *role == Role::Y),
                expected: expected.clone(),
                tolerance: *tolerance,
            });
        }
        builder
    }

    fn whole(&self, device: &Device, variant: Option<Variant>, arrangement: Arrangement) -> Plan {
        let places = self.places(arrangement, &[]);
        let mut builder = self.begin(&places);
        let operation = Operation {
            variant,
            ..self.operation.clone()
        };
        builder.call(&places, device, &operation);
        let variant = variant.map_or("planner's choice", Variant::name);
        builder.finish(format!("{} [{variant}] {}, {arrangement:?}", self.case.id, device.name))
    }

    /// Statistics and their application as plans of their own, with moments between.
    fn stages(&self, device: &Device, arrangement: Arrangement) -> Plan {
        let places = self.places(arrangement, &[(Role::Moments, self.segments * MOMENTS)]);
        let mut builder = self.begin(&places);
        builder.written.push(places.get(Role::Moments));
        let at = |stage| Operation {
            stage,
            ..self.operation.clone()
        };
        // y is no part of the first call, and does not decide how x is bound.
        let statistics = places.only(&[Role::X, Role::Moments, Role::Workspace]);
        builder.call(&statistics, device, &at(Stage::Statistics));
        builder.call(&places, device, &at(Stage::Apply));
        builder.finish(format!("{} [stages] {}, {arrangement:?}", self.case.id, device.name))
    }

    /// The device with the smallest bindings that take the tensor in pieces; none if all that will do take it whole.
    fn in_pieces(&self, device: &Device, arrangement: Arrangement) -> Option<Device> {
        let bytes = self.case.x.len() as u64 * 4;
        let mut pieces = Device {
            name: "in pieces",
            ..*device
        };
        pieces.traits.binding_size = (bytes / 3).next_multiple_of(4) + 512;
        while pieces.traits.binding_size < bytes {
            match pieces.recipe(&self.operation, &self.facts(arrangement)) {
                Ok(_) => return Some(pieces),
                Err(error) if error.kind() == ErrorKind::Limit => {
                    pieces.traits.binding_size += pieces.traits.binding_size / 2 + 4;
                }
                Err(error) => panic!("{}: {error}", self.case.id),
            }
        }
        None
    }
}

/// A case over the outermost axis, whose statistics are taken of one, two and three sixths of it, and merged.
fn merged(device: &Device, case: &Case, statistic: Statistic, arrangement: Arrangement) -> Plan {
    let sample = Sample::new(case.clone());
    let moments = sample.segments * MOMENTS;
    let places = sample.places(arrangement, &[(Role::Moments, 3 * moments), (Role::Merged, moments)]);
    let (x, parts, merged) = (places.get(Role::X), places.get(Role::Moments), places.get(Role::Merged));
    let mut builder = sample.begin(&places);
    builder.written.extend([parts, merged]);
    let (mut input, mut part) = (x, parts);
    for sixths in [1, 2, 3] {
        input.end = input.start + (case.x.len() / 6 * sixths * 4) as u64;
        part.end = part.start + moments;
        let mut call = places.only(&[Role::Workspace]);
        call.set(Role::X, input);
        call.set(Role::Moments, part);
        let mut share = case.clone();
        share.shape[0] = case.shape[0] / 6 * sixths;
        let share = Operation {
            stage: Stage::Statistics,
            ..share.described().expect("a valid operation")
        };
        builder.call(&call, device, &share);
        (input.start, part.start) = (input.end, part.end);
    }
    let merge = places.only(&[Role::Moments, Role::Merged, Role::Workspace]);
    let recipe = {
        let (tuning, facts) = (
            Tuning::for_traits(&device.traits),
            merge.facts(|role| role == Role::Merged),
        );
        let segments = segments(sample.segments as usize, statistic);
        Recipe::merge(&segments, 3, &device.traits, tuning, &facts).expect("a plan")
    };
    assert_eq!(recipe.workspace, 0, "a merge stages nothing");
    builder.add(&merge, device, recipe);
    let mut apply = places.without(Role::Merged);
    apply.set(Role::Moments, merged);
    let operation = Operation {
        stage: Stage::Apply,
        ..sample.operation.clone()
    };
    builder.call(&apply, device, &operation);
    builder.finish(format!("{} {}, {arrangement:?}", case.id, device.name))
}

/// Cases whose statistics merge, with what is merged.
fn merging() -> Vec<(Case, Statistic)> {
    const CHANNELS: usize = 8;
    const SPATIAL: usize = 37;
    let ramp = |first: f32, step: f32| (0..CHANNELS).map(|i| first + i as f32 * step).collect::<Vec<_>>();
    let batch = |layout| Case {
        id: format!("batch_norm of merged moments, {layout:?}"),
        norm: Norm::Batch(Running {
            use_running: false,
            update: Some(Update {
                momentum: 0.25,
                variance: None,
            }),
        }),
        shape: match layout {
            Layout::ChannelsFirst => vec![6, CHANNELS, SPATIAL],
            Layout::ChannelsLast => vec![6, SPATIAL, CHANNELS],
        },
        layout,
        preset: Preset::PyTorch,
        eps: None,
        x: Values::FarMean.fill(6 * CHANNELS * SPATIAL, 11),
        dy: None,
        weight: Some(ramp(0.5, 0.25)),
        bias: Some(ramp(-2.0, 0.5)),
        running: Some((ramp(0.0, 1.0), ramp(1.0, 0.5))),
        weight_axes: None,
        input_strides: None,
        output_strides: None,
    };
    let norm = |p| Case {
        id: format!("lp_norm of merged moments, p {p}"),
        norm: Norm::Lp {
            axes: vec![0],
            p,
            zero: ZeroNorm::AtLeastEps,
        },
        shape: vec![6 * SPATIAL, CHANNELS],
        x: Values::Normal.fill(6 * CHANNELS * SPATIAL, 13),
        running: None,
        ..batch(Layout::ChannelsFirst)
    };
    let mut cases: Vec<_> = [Layout::ChannelsFirst, Layout::ChannelsLast]
        .map(|layout| (batch(layout), Statistic::MeanVariance))
        .into();
    cases.extend([1.5, f32::INFINITY].map(|p| (norm(p), Statistic::Norm { p })));
    cases
}

/// Every operation with strides of every kind and in pieces, on one device after the other.
fn rearranged(samples: &[Sample], devices: &[Device]) -> Vec<Plan> {
    use verify::Arrangement::{ChannelsLast, Interleaved as Between, Permuted, Strided, Transposed};
    let names: BTreeSet<_> = samples.iter().map(|sample| sample.case.name()).collect();
    let mut plans = Vec::new();
    let mut devices = devices.iter().cycle();
    let mut arrangements = [Own, ArenaOdd].into_iter().cycle();
    for name in names {
        let of_name = || (samples.iter()).filter(|sample| sample.case.name() == name && sample.case.x.len() < 1 << 14);
        for strides in [ChannelsLast, Permuted, Transposed, Strided, Between] {
            let Some(case) = of_name().find_map(|sample| strides.of(&sample.case)) else {
                continue;
            };
            let mut sample = Sample::new(case);
            sample.case.id.push_str(&format!(" {}", strides.name()));
            let arrangement = match strides {
                Between => Interleaved,
                _ => arrangements.next().expect("an arrangement"),
            };
            plans.push(sample.whole(devices.next().expect("a device"), None, arrangement));
        }
        for arrangement in [Own, ArenaOdd, InPlace] {
            let lying = of_name().filter(|sample| sample.may_lie(arrangement));
            let pieces = |sample| Some((sample, Sample::in_pieces(sample, devices.next()?, arrangement)?));
            if let Some((sample, device)) = lying.filter_map(pieces).next() {
                plans.push(sample.whole(&device, None, arrangement));
            }
        }
    }
    plans
}

/// The devices that plans are made for.
pub fn devices() -> [Device; 3] {
    [
        Device::new("software", true, Some((4, 4))),
        Device::new("hardware", false, Some((4, 4))),
        Device::new("hardware without subgroups", false, None),
    ]
}

/// Every case on every device, and with every variant and in stages on one of them at least, in one arrangement after
/// the other; and what is added once for every operation.
pub fn plans() -> Vec<Plan> {
    let devices = devices();
    let mut plans = Vec::new();
    let mut seen = HashSet::new();
    let [mut whole, mut staged] = [(); 2].map(|()| ARRANGEMENTS.into_iter().cycle());
    let samples: Vec<Sample> = (cases(Scale::Smoke).into_iter())
        // Subnormals may be flushed or not: two results are right, which `verify` checks.
        .filter(|case| case.flushed().is_none())
        .map(Sample::new)
        .collect();
    let mut first = (whole.clone(), staged.clone());
    let mut operations = 0;
    for (number, sample) in samples.iter().enumerate() {
        // Other values of one operation lie as the first ones do: their pipelines are made.
        if number > 0 && samples[number - 1].operation == sample.operation {
            (whole, staged) = first.clone();
        } else {
            operations += 1;
        }
        first = (whole.clone(), staged.clone());
        for (i, device) in devices.iter().enumerate() {
            let mut candidates = vec![None];
            // A pipeline takes its time: one device forces all variants, the others those that show something new.
            let forces = operations % devices.len() == i;
            if sample.operation.source == Source::Input {
                let all = device.candidates(&sample.operation, &Facts::default());
                candidates.extend(all.into_iter().map(Some));
            }
            for variant in candidates {
                // Some variants hold a segment only in units, and those need aligned tensors.
                let possible = |&arrangement: &Arrangement| {
                    let runs = |variant| {
                        let facts = sample.facts(arrangement);
                        device.candidates(&sample.operation, &facts).contains(&variant)
                    };
                    sample.may_lie(arrangement) && variant.is_none_or(runs)
                };
                // One that is new to the operation or the variant, or else the next.
                let names = [Some(sample.case.name()), variant.map(Variant::name)];
                let is_new = |&arrangement: &Arrangement| {
                    (names.iter().flatten()).any(|&name| !seen.contains(&(name, arrangement)))
                };
                let mut others = whole.by_ref().take(ARRANGEMENTS.len()).filter(possible);
                let arrangement = match ARRANGEMENTS.into_iter().filter(possible).find(is_new) {
                    Some(arrangement) => arrangement,
                    None if variant.is_some() && !forces => continue,
                    None => others.next().expect("tensors in buffers of their own"),
                };
                plans.push(sample.whole(device, variant, arrangement));
                seen.extend(names.into_iter().flatten().map(|name| (name, arrangement)));
            }
            if forces && sample.case.norm.takes_statistics() {
                let arrangement = staged.by_ref().find(|arrangement| sample.may_lie(*arrangement));
                plans.push(sample.stages(device, arrangement.expect("tensors in buffers of their own")));
            }
        }
    }
    plans.extend(rearranged(&samples, &devices));
    for (number, (case, statistic)) in merging().into_iter().enumerate() {
        // Those of one buffer whose moments lie in blocks of their own.
        let arrangements = ARRANGEMENTS.into_iter().filter(|arrangement| *arrangement != ArenaOdd);
        let most = if statistic == Statistic::MeanVariance { 7 } else { 2 };
        for (i, arrangement) in arrangements.take(most).enumerate() {
            let device = &devices[(number + i) % devices.len()];
            plans.push(merged(device, &case, statistic, arrangement));
        }
    }
    // More workgroups than fit one dimension.
    let mut narrow = devices[1];
    narrow.name = "hardware with three workgroups a dimension";
    narrow.traits.workgroups_per_dimension = 3;
    let rms = (samples.iter())
        .find(|sample| sample.case.name() == "rms_norm")
        .expect("a case of RMS norm");
    for arrangement in ARRANGEMENTS {
        plans.push(rms.whole(&narrow, Some(Variant::Workgroup), arrangement));
    }

    let operations = samples.iter().map(|sample| sample.case.name());
    let names: Vec<_> = operations.chain(Variant::ALL.map(Variant::name)).collect();
    let missing: HashSet<_> = (names.iter())
        .flat_map(|&name| ARRANGEMENTS.map(|arrangement| (name, arrangement)))
        .filter(|&(name, arrangement)| !(name == "local_response_norm" && arrangement.in_place()))
        .filter(|pair| !seen.contains(pair))
        .collect();
    assert!(missing.is_empty(), "no plans of {missing:?}");
    plans
}
