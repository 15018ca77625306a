//! The plans that run: every operation and variant, with tensors in buffers of their own and in every way in one.

use std::collections::HashSet;
use std::rc::Rc;

use wgnorm::plan::{Facts, Recipe, Role, candidates};
use wgnorm::shader::{Binding, Header, Params};
use wgnorm::spec::{Operation, Source, Stage};
use wgnorm::verify::{Case, Norm, Running, Scale, Tolerance, Update, Values, cases, tolerances};
use wgnorm::{BatchNorm, DeviceTraits, Layout, Normalization, OneValue, Preset, Result, Tuning, Variant};

use crate::compositions::segments;
use crate::places::{BLOCK, Place, Places};

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
    /// What may change. All other words must not.
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
}

use Arrangement::*;

const ARRANGEMENTS: [Arrangement; 7] = [Own, Odd, InPlace, Arena, ArenaInPlace, ArenaTouching, ArenaOddInPlace];

impl Arrangement {
    /// Places of tensors of so many bytes. The workspace comes last: its size depends on the places of the others.
    fn places(self, sizes: &[(Role, u64)]) -> Places {
        let arena = !matches!(self, Own | Odd | InPlace);
        let mut places = Places::default();
        let mut end = BLOCK;
        let workspace = (Role::Workspace, 0);
        for (number, &(role, bytes)) in sizes.iter().chain([&workspace]).enumerate() {
            let next = end.next_multiple_of(BLOCK);
            let start = match (self, role) {
                (InPlace | ArenaInPlace | ArenaOddInPlace, Role::Y) => {
                    places.set(role, places.get(Role::X));
                    continue;
                }
                (ArenaTouching, Role::Y) => end,
                (ArenaOddInPlace, Role::X) => next + 33 * 4,
                (Odd, Role::X) => 4,
                (Odd, Role::Y) => 67 * 4,
                (Odd, Role::Weight) => 3 * 4,
                (Odd, Role::Bias) => 130 * 4,
                (Odd, _) => BLOCK,
                (Own | InPlace, _) => 0,
                _ => next,
            };
            end = start + bytes;
            let buffer = if arena { 0 } else { number };
            places.set(role, Place { buffer, start, end });
        }
        places
    }
}

/// A device to plan for.
#[derive(Clone, Copy)]
struct Device {
    name: &'static str,
    traits: DeviceTraits,
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
        candidates(operation, &self.traits, tuning, facts.offsets).expect("candidates")
    }
}

/// A plan in the making.
#[derive(Default)]
struct Builder {
    dispatches: Vec<Dispatch>,
    outputs: Vec<Output>,
    written: Vec<Place>,
    /// The places that have been bound, which the buffers must hold.
    used: Vec<Place>,
    contents: Vec<(Place, Vec<u32>)>,
}

impl Builder {
    fn fill(&mut self, place: Place, values: &[f32]) {
        self.contents
            .push((place, values.iter().map(|value| value.to_bits()).collect()));
    }

    /// Adds the dispatches of a recipe. The workspace grows to what it needs.
    fn call(&mut self, places: &Places, device: &Device, recipe: impl Fn(&Facts) -> Result<Recipe>) {
        let recipe = recipe(&places.facts()).expect("a plan");
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

    fn finish(self, name: String) -> Plan {
        let mut buffers: Vec<Vec<u32>> = Vec::new();
        for place in self.used {
            buffers.resize_with(buffers.len().max(place.buffer + 1), Vec::new);
            let (buffer, words) = (&mut buffers[place.buffer], place.end.div_ceil(4) as usize);
            // NaN of a number each: what is read before it is written, or written beside its place, shows.
            buffer.extend((buffer.len()..words).map(|i| 0x7fc0_0000 | (i as u32 & 0xffff)));
        }
        for (place, words) in self.contents {
            buffers[place.buffer][place.start as usize / 4..][..words.len()].copy_from_slice(&words);
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
            case,
            operation,
            outputs,
        }
    }

    /// True if running statistics are bound.
    fn runs(&self) -> bool {
        self.operation.running.is_some() || self.operation.source == Source::Running
    }

    /// The roles of the whole, and how many bytes they take.
    fn sizes(&self) -> Vec<(Role, u64)> {
        let operation = &self.operation;
        let (elements, parameters) = (self.case.x.len() as u64 * 4, u64::from(operation.weight_len) * 4);
        let channels = self.case.channels().unwrap_or(0) as u64 * 4;
        let roles = [
            (Role::X, true, elements),
            (Role::Y, true, elements),
            (Role::Statistics, operation.statistics, self.segments * RECORD),
            (Role::Weight, operation.weight, parameters),
            (Role::Bias, operation.bias, parameters),
            (Role::RunningMean, self.runs(), channels),
            (Role::RunningVar, self.runs(), channels),
        ];
        (roles.into_iter().filter(|(_, needed, _)| *needed))
            .map(|(role, _, bytes)| (role, bytes))
            .collect()
    }

    /// Puts inputs at their places, and says what is expected where.
    fn begin(&self, places: &Places) -> Builder {
        let mut builder = Builder::default();
        builder.fill(places.get(Role::X), &self.case.x);
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
            let place = places.get(*role);
            builder.written.push(place);
            builder.outputs.push(Output {
                name,
                place,
                expected: expected.clone(),
                tolerance: *tolerance,
            });
        }
        builder
    }

    fn whole(&self, device: &Device, variant: Option<Variant>, arrangement: Arrangement) -> Plan {
        let places = arrangement.places(&self.sizes());
        let mut builder = self.begin(&places);
        let operation = Operation {
            variant,
            ..self.operation.clone()
        };
        builder.call(&places, device, |facts| device.recipe(&operation, facts));
        let variant = variant.map_or("planner's choice", Variant::name);
        builder.finish(format!("{} [{variant}] {}, {arrangement:?}", self.case.id, device.name))
    }

    /// Statistics and their application as plans of their own, with moments between.
    fn stages(&self, device: &Device, arrangement: Arrangement) -> Plan {
        let mut sizes = self.sizes();
        sizes.push((Role::Moments, self.segments * MOMENTS));
        let places = arrangement.places(&sizes);
        let mut builder = self.begin(&places);
        builder.written.push(places.get(Role::Moments));
        let at = |stage| Operation {
            stage,
            ..self.operation.clone()
        };
        // y is no part of the first call, and does not decide how x is bound.
        let statistics = places.only(&[Role::X, Role::Moments, Role::Workspace]);
        builder.call(&statistics, device, |facts| {
            device.recipe(&at(Stage::Statistics), facts)
        });
        builder.call(&places, device, |facts| device.recipe(&at(Stage::Apply), facts));
        builder.finish(format!("{} [stages] {}, {arrangement:?}", self.case.id, device.name))
    }
}

/// Batch norm of 6 samples of 8 channels whose statistics are taken of 1, 2 and 3 samples, and merged.
fn merged(device: &Device, layout: Layout, arrangement: Arrangement) -> Plan {
    const CHANNELS: usize = 8;
    const SPATIAL: usize = 37;
    let shape = |samples| match layout {
        Layout::ChannelsFirst => [samples, CHANNELS, SPATIAL],
        Layout::ChannelsLast => [samples, SPATIAL, CHANNELS],
    };
    let ramp = |first: f32, step: f32| (0..CHANNELS).map(|i| first + i as f32 * step).collect::<Vec<_>>();
    let sample = Sample::new(Case {
        id: format!("batch_norm of merged moments, {layout:?}"),
        norm: Norm::Batch(Running {
            use_running: false,
            update: Some(Update {
                momentum: 0.25,
                variance: None,
            }),
        }),
        shape: shape(6).to_vec(),
        layout,
        preset: Preset::PyTorch,
        eps: None,
        x: Values::FarMean.fill(6 * CHANNELS * SPATIAL, 11),
        weight: Some(ramp(0.5, 0.25)),
        bias: Some(ramp(-2.0, 0.5)),
        running: Some((ramp(0.0, 1.0), ramp(1.0, 0.5))),
    });
    let moments = CHANNELS as u64 * MOMENTS;
    let mut sizes = sample.sizes();
    sizes.extend([(Role::Moments, 3 * moments), (Role::Merged, moments)]);
    let places = arrangement.places(&sizes);
    let (x, parts, merged) = (places.get(Role::X), places.get(Role::Moments), places.get(Role::Merged));
    let mut builder = sample.begin(&places);
    builder.written.extend([parts, merged]);
    let (mut input, mut part) = (x, parts);
    for samples in [1, 2, 3] {
        input.end = input.start + (samples * CHANNELS * SPATIAL * 4) as u64;
        part.end = part.start + moments;
        let mut call = places.only(&[Role::Workspace]);
        call.set(Role::X, input);
        call.set(Role::Moments, part);
        let share = BatchNorm::new(&shape(samples))
            .layout(layout)
            .one_value(OneValue::Allow);
        let share = Operation {
            stage: Stage::Statistics,
            ..share.operation().expect("a valid operation")
        };
        builder.call(&call, device, |facts| device.recipe(&share, facts));
        (input.start, part.start) = (input.end, part.end);
    }
    let merge = places.only(&[Role::Moments, Role::Merged, Role::Workspace]);
    builder.call(&merge, device, |facts| {
        let tuning = Tuning::for_traits(&device.traits);
        Recipe::merge(&segments(CHANNELS), 3, &device.traits, tuning, facts)
    });
    let mut apply = places.without(Role::Merged);
    apply.set(Role::Moments, merged);
    let operation = Operation {
        stage: Stage::Apply,
        ..sample.operation.clone()
    };
    builder.call(&apply, device, |facts| device.recipe(&operation, facts));
    builder.finish(format!("{} {}, {arrangement:?}", sample.case.id, device.name))
}

/// Every case with every variant on every device, in one arrangement after the other; and the stages.
pub fn plans() -> Vec<Plan> {
    let devices = [
        Device::new("software", true, Some((4, 4))),
        Device::new("hardware", false, Some((4, 4))),
        Device::new("hardware without subgroups", false, None),
    ];
    let mut plans = Vec::new();
    let mut seen = HashSet::new();
    let [mut whole, mut staged] = [(); 2].map(|()| ARRANGEMENTS.into_iter().cycle());
    let samples: Vec<Sample> = (cases(Scale::Smoke).into_iter())
        // Subnormals may be flushed or not: two results are right, which `verify` checks.
        .filter(|case| case.flushed().is_none())
        .map(Sample::new)
        .collect();
    for sample in &samples {
        let chooses = sample.operation.source == Source::Input;
        for device in &devices {
            let mut candidates = vec![None];
            if chooses {
                let all = device.candidates(&sample.operation, &Facts::default());
                candidates.extend(all.into_iter().map(Some));
            }
            for variant in candidates {
                // Some variants hold a segment only in units, and those need aligned tensors.
                let possible = |arrangement: &Arrangement| {
                    let facts = arrangement.places(&sample.sizes()).facts();
                    let candidates = device.candidates(&sample.operation, &facts);
                    variant.is_none_or(|variant| candidates.contains(&variant))
                };
                // One that is new to the operation or the variant, or else the next.
                let names = [Some(sample.case.name()), variant.map(Variant::name)];
                let is_new = |&arrangement: &Arrangement| {
                    (names.iter().flatten()).any(|&name| !seen.contains(&(name, arrangement)))
                };
                let mut others = whole.by_ref().take(ARRANGEMENTS.len()).filter(possible);
                let arrangement = match ARRANGEMENTS.into_iter().filter(possible).find(is_new) {
                    Some(arrangement) => arrangement,
                    None => others.next().expect("tensors in buffers of their own"),
                };
                plans.push(sample.whole(device, variant, arrangement));
                seen.extend(names.into_iter().flatten().map(|name| (name, arrangement)));
            }
            if chooses {
                plans.push(sample.stages(device, staged.next().unwrap_or(Own)));
            }
        }
    }
    for device in &devices {
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            for arrangement in ARRANGEMENTS {
                plans.push(merged(device, layout, arrangement));
            }
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
        .filter(|pair| !seen.contains(pair))
        .collect();
    assert!(missing.is_empty(), "no plans of {missing:?}");
    plans
}
