//! The backward pass of a case on a device, twice, with everything that is written poisoned before.

use super::judge::GradientOutcome;
use crate::error::{Error, ErrorKind, Result, bail};
use crate::plan::Role;
use crate::verify::arrangement::{Arrangement, Place, dense, places};
use crate::verify::case::Case;
use crate::verify::run::{POISONS, floats, guarded, poisoned, scoped, stray_writes};
use crate::verify::transfer::{submit_and_download, upload};
use crate::{Backward, BackwardPlan, Context, Gradients, Record, Variant, View};

/// Runs the backward pass of a case that has a dy, with the planner's choice of variant or a forced one. A case that saves
/// its statistics gets the records of a forward pass.
///
/// In place, dx takes the place of x, or of dy where that lies as x does and the case has an odd number of elements.
/// Otherwise as [`run_arranged`](crate::verify::run_arranged).
///
/// # Errors
/// As [`run_arranged`](crate::verify::run_arranged); [`ErrorKind::Parameter`] also for a case without a dy.
pub async fn run_backward(
    context: &Context,
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
) -> Result<GradientOutcome> {
    run_made_of(false, context, case, variant, arrangement).await
}

/// The same with gradients that are made of the y of a forward pass. No weight of the case may be 0.
///
/// # Errors
/// As [`run_backward`], and as [`Operation::plan_backward`](crate::Operation::plan_backward) for what y does not say.
pub async fn run_backward_from_output(
    context: &Context,
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
) -> Result<GradientOutcome> {
    run_made_of(true, context, case, variant, arrangement).await
}

async fn run_made_of(
    from_output: bool,
    context: &Context,
    case: &Case,
    variant: Option<Variant>,
    arrangement: Arrangement,
) -> Result<GradientOutcome> {
    let gradients = Gradients {
        from_output,
        ..case.gradients()
    };
    gradients.check_weight(case.weight.as_deref().unwrap_or_default())?;
    let saves = case.operation()?.statistics && !case.norm.uses_running();
    let (mut records, mut bound) = (Vec::new(), case.clone());
    if (saves || from_output) && !case.x.is_empty() {
        let forward = crate::verify::run(context, case, None).await?;
        if saves {
            // In the order of the kept axes, wherever tensors lie.
            records = bytemuck::cast_slice(&forward.records).to_vec();
        }
        if from_output {
            bound.x = forward.y;
        }
    }
    let arranged = arrangement.of(&bound);
    let (Some(arranged), Some(mut limited)) = (arranged, arrangement.context(context, case)?) else {
        bail!(
            Parameter,
            "arrangement",
            "{} cannot be had of {}",
            arrangement.name(),
            case.id
        );
    };
    let mut operation = arranged.operation()?;
    operation.variant = variant;
    let (plan, [first, second]) = loop {
        let result = async {
            let plan = operation.plan_backward(&limited, gradients)?;
            let memory = Memory::new(&arranged, &plan, arrangement, &records)?;
            let [first, second] = POISONS;
            let runs = [
                scoped(&limited, submit(&limited, &memory, &plan, first)).await?,
                scoped(&limited, submit(&limited, &memory, &plan, second)).await?,
            ];
            Ok::<_, Error>((plan, runs))
        };
        match result.await {
            // Sums of weights take more than the weights, and are not cut.
            Err(error) if error.kind() == ErrorKind::Limit && arrangement == Arrangement::Pieces => {
                limited = Arrangement::PiecesInArena.relax(&limited, context).ok_or(error)?;
            }
            Err(error) if error.kind() == ErrorKind::Limit => {
                limited = arrangement.relax(&limited, context).ok_or(error)?;
            }
            result => break result?,
        }
    };
    let bits_stable = first == second;
    let [dx, dweight, dbias] = first.gradients;
    Ok(GradientOutcome {
        dx: dx.map(|dx| floats(arrangement.restore(case, dx))),
        dweight: dweight.map(floats),
        dbias: dbias.map(floats),
        variant: plan.variant(),
        dispatches: first.dispatches,
        bits_stable,
        stray_writes: first.stray_writes,
        from_output,
    })
}

/// The tensors of a case in buffers.
struct Memory {
    /// What is uploaded, but for the poison of the outputs.
    buffers: Vec<Vec<u32>>,
    views: Vec<Place>,
    /// Words of x and dx within their views, in row-major order of their elements.
    x: Vec<usize>,
}

/// The bits of every output of one run.
#[derive(PartialEq)]
struct Bits {
    /// dx, dweight, dbias.
    gradients: [Option<Vec<u32>>; 3],
    dispatches: usize,
    stray_writes: usize,
}

impl Memory {
    fn new(case: &Case, plan: &BackwardPlan, arrangement: Arrangement, records: &[u32]) -> Result<Self> {
        let words = |values: &Vec<f32>| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let strides = |given: &Option<Vec<usize>>| given.clone().unwrap_or_else(|| dense(&case.shape));
        let x = places(&case.shape, &strides(&case.input_strides));
        let y = places(&case.shape, &strides(&case.output_strides));
        let span = |places: &[usize]| places.iter().max().map_or(0, |last| last + 1);
        let (Some(dy), gradients) = (&case.dy, plan.gradients()) else {
            bail!(Parameter, "dy", "the case has none");
        };
        let mut tensors = vec![(Role::X, span(&x)), (Role::Dy, span(&y))];
        if gradients.dx {
            tensors.push((Role::Dx, span(&x)));
        }
        let given = [(Role::Weight, &case.weight), (Role::Bias, &case.bias)];
        let given = given
            .into_iter()
            .filter(|(role, _)| *role != Role::Bias || gradients.from_output);
        tensors.extend(given.filter_map(|(role, tensor)| Some((role, tensor.as_ref()?.len()))));
        let saves = plan.operation().statistics && !case.norm.uses_running();
        if saves {
            tensors.push((Role::Statistics, records.len().max(size_of::<Record>() / 4)));
        }
        if case.norm.uses_running() {
            let channels = case.channels().unwrap_or(0);
            tensors.extend([(Role::RunningMean, channels), (Role::RunningVar, channels)]);
        }
        for (role, asked, parameter) in [
            (Role::Dweight, gradients.dweight, &case.weight),
            (Role::Dbias, gradients.dbias, &case.bias),
        ] {
            if let (true, Some(parameter)) = (asked, parameter) {
                tensors.push((role, parameter.len()));
            }
        }
        let mut views = arrangement.place(case, &tensors);
        if arrangement == Arrangement::InPlace && !case.x.len().is_multiple_of(2) && x == y {
            let dy = views
                .iter()
                .find(|view| view.role == Role::Dy)
                .map(|dy| (dy.buffer, dy.first));
            let dx = views.iter_mut().find(|view| view.role == Role::Dx);
            if let (Some((buffer, first)), Some(dx)) = (dy, dx) {
                (dx.buffer, dx.first) = (buffer, first);
            }
        }
        let mut buffers = guarded(&views);
        for view in &views {
            let (values, at) = match (view.role, &case.running) {
                (Role::X, _) => (words(&case.x), Some(&x)),
                (Role::Dy, _) => (words(dy), Some(&y)),
                (Role::Weight, _) => (case.weight.as_ref().map(words).unwrap_or_default(), None),
                (Role::Bias, _) => (case.bias.as_ref().map(words).unwrap_or_default(), None),
                (Role::Statistics, _) => (records.to_vec(), None),
                (Role::RunningMean, Some((mean, _))) => (words(mean), None),
                (Role::RunningVar, Some((_, var))) => (words(var), None),
                _ => continue,
            };
            for (i, value) in values.into_iter().enumerate() {
                buffers[view.buffer][view.first + at.map_or(i, |at| at[i])] = value;
            }
        }
        Ok(Self { buffers, views, x })
    }

    fn view(&self, role: Role) -> Option<&Place> {
        self.views.iter().find(|view| view.role == role)
    }

    /// The words that the call writes: buffer, and word of it.
    fn outputs(&self, role: Role) -> Option<Vec<(usize, usize)>> {
        let view = self.view(role)?;
        let at = |word| (view.buffer, view.first + word);
        Some(match role {
            Role::Dx => self.x.iter().map(|&word| at(word)).collect(),
            _ => (0..view.words).map(at).collect(),
        })
    }
}

async fn submit(context: &Context, memory: &Memory, plan: &BackwardPlan, poison: u32) -> Result<Bits> {
    let mut before = memory.buffers.clone();
    let same = |role| match (memory.view(role), memory.view(Role::Dx)) {
        (Some(a), Some(b)) => (a.buffer, a.first) == (b.buffer, b.first),
        _ => false,
    };
    let in_place = same(Role::X) || same(Role::Dy);
    let outputs = [Role::Dx, Role::Dweight, Role::Dbias].map(|role| memory.outputs(role));
    for (i, output) in outputs.iter().enumerate() {
        for &(buffer, word) in output.iter().flatten().filter(|_| i > 0 || !in_place) {
            before[buffer][word] = poison;
        }
    }
    let buffers: Vec<_> = before.iter().map(|words| upload(context, "tensors", words)).collect();
    let view = |role| {
        let place = memory.view(role)?;
        Some(View::new(&buffers[place.buffer]).offset(place.first as u64))
    };
    let (Some(x), Some(dy)) = (view(Role::X), view(Role::Dy)) else {
        bail!(Argument, "x", "is missing");
    };
    let mut args = Backward::new(x, dy);
    args.dx = view(Role::Dx);
    args.weight = view(Role::Weight);
    args.bias = view(Role::Bias);
    args.dweight = view(Role::Dweight);
    args.dbias = view(Role::Dbias);
    args.statistics = view(Role::Statistics);
    args.running_mean = view(Role::RunningMean);
    args.running_var = view(Role::RunningVar);
    let workspace_size = plan.workspace_size_for(&args)? as usize;
    let workspace = (workspace_size > 0).then(|| poisoned(context, "workspace", workspace_size, poison));
    args.workspace = workspace.as_ref().map(Into::into);
    let bound = plan.bind(&args)?;
    let mut encoder = context.device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    let lens: Vec<_> = before.iter().map(Vec::len).collect();
    let mut after = submit_and_download(context, encoder, &buffers, &lens).await?;
    let gradients = outputs.clone().map(|output| {
        let words = output?.into_iter();
        Some(words.map(|(buffer, word)| after[buffer][word]).collect())
    });
    let written: Vec<_> = outputs.into_iter().flatten().flatten().collect();
    Ok(Bits {
        gradients,
        dispatches: bound.dispatches(),
        stray_writes: stray_writes(&before, &mut after, &written),
    })
}
