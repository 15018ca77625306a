//! The backward passes that run: every operation, with dx in a buffer of its own, in the place of x or dy, and all tensors
//! in one buffer.

use std::rc::Rc;

use wgnorm::plan::{Recipe, Role};
use wgnorm::spec::Operation;
use wgnorm::verify::{Case, Norm, Scale, gradient_cases, gradient_tolerances};
use wgnorm::{ErrorKind, Record, Tuning, Variant};

use crate::places::{BLOCK, Place, Places};
use crate::plans::{Builder, Device, Output, Plan, devices};

/// Where tensors lie with regard to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lying {
    Own,
    OverX,
    OverDy,
    Arena,
}

const LYING: [Lying; 4] = [Lying::Own, Lying::OverX, Lying::OverDy, Lying::Arena];

/// Every case once, on one device after the other, with one variant and one way to lie after the other.
pub fn plans() -> Vec<Plan> {
    let devices = devices();
    let variants = [
        None,
        Some(Variant::Split),
        Some(Variant::Lane),
        Some(Variant::ColumnSplit),
        Some(Variant::Column),
    ];
    let cases = gradient_cases(Scale::Smoke).into_iter();
    // Subnormals may be flushed or not, and strides are the planner's business.
    let dense = |case: &Case| case.flushed().is_none() && case.input_strides.is_none() && case.output_strides.is_none();
    cases
        .filter(|case| dense(case) && !case.x.is_empty())
        .enumerate()
        .map(|(number, case)| {
            let turn = |count: usize| (number + number / count) % count;
            let lying = match LYING[turn(LYING.len())] {
                lying if !matches!(case.norm, Norm::LocalResponse { .. }) => lying,
                _ => Lying::Own,
            };
            let device = &devices[turn(devices.len())];
            plan(&case, device, variants[turn(variants.len())], lying)
                .or_else(|| plan(&case, device, None, lying))
                .expect("a plan of the planner's choice")
        })
        .collect()
}

/// The plan; none if the variant cannot make the gradients.
fn plan(case: &Case, device: &Device, variant: Option<Variant>, lying: Lying) -> Option<Plan> {
    let expected = case.expected();
    let operation = Operation {
        variant,
        ..case.operation().expect("a valid operation")
    };
    let given = case.norm.uses_running();
    let (tensor, parameter) = (case.x.len() as u64 * 4, u64::from(operation.weight_len) * 4);
    let gradients = case.gradients();
    let records: Vec<f32> = match (&expected.mean, &expected.rstd) {
        (Some(mean), Some(rstd)) => (mean.iter().zip(rstd))
            .map(|(&mean, &rstd)| Record::new(mean, rstd))
            .flat_map(|record| [record.m, record.e, record.r, record.scale])
            .collect(),
        _ => Vec::new(),
    };
    let channels = case.channels().unwrap_or(0) as u64 * 4;
    let roles = [
        (Role::X, true, tensor),
        (Role::Dy, true, tensor),
        (Role::Dx, true, tensor),
        (Role::Weight, operation.weight, parameter),
        (
            Role::Statistics,
            operation.statistics && !given,
            records.len() as u64 * 4,
        ),
        (Role::RunningMean, given, channels),
        (Role::RunningVar, given, channels),
        (Role::Dweight, gradients.dweight, parameter),
        (Role::Dbias, gradients.dbias, parameter),
        (Role::Workspace, true, 0),
    ];
    let mut places = Places::default();
    let mut end = BLOCK;
    for (number, (role, _, bytes)) in roles.into_iter().filter(|(_, needed, _)| *needed).enumerate() {
        match (lying, role) {
            (Lying::OverX, Role::Dx) => places.set(role, places.get(Role::X)),
            (Lying::OverDy, Role::Dx) => places.set(role, places.get(Role::Dy)),
            _ => {
                let arena = lying == Lying::Arena;
                let start = if arena { end.next_multiple_of(BLOCK) } else { 0 };
                end = start + bytes;
                let buffer = if arena { 0 } else { number };
                places.set(role, Place { buffer, start, end });
            }
        }
    }
    let written = |role| matches!(role, Role::Dx | Role::Dweight | Role::Dbias | Role::Workspace);
    let mut facts = places.facts(written);
    facts.dx_over = match lying {
        Lying::OverX => Some(Role::X),
        Lying::OverDy => Some(Role::Dy),
        Lying::Own | Lying::Arena => None,
    };
    let tuning = Tuning::for_traits(&device.traits);
    let recipe = match Recipe::backward(&operation, gradients, &device.traits, tuning, &facts) {
        Err(error) if variant.is_some() && error.kind() == ErrorKind::Variant => return None,
        recipe => recipe.expect("a plan"),
    };
    let mut builder = Builder::default();
    let given_tensors = [
        (Role::X, Some(&case.x)),
        (Role::Dy, case.dy.as_ref()),
        (Role::Weight, case.weight.as_ref().filter(|_| operation.weight)),
        (
            Role::Statistics,
            Some(&records).filter(|_| operation.statistics && !given),
        ),
        (
            Role::RunningMean,
            case.running.as_ref().map(|(mean, _)| mean).filter(|_| given),
        ),
        (
            Role::RunningVar,
            case.running.as_ref().map(|(_, var)| var).filter(|_| given),
        ),
    ];
    for (role, values) in given_tensors {
        if let Some(values) = values {
            builder.fill(places.get(role), values);
        }
    }
    let limits = gradient_tolerances(case, false);
    for (name, role, expected, tolerance) in [
        ("dx", Role::Dx, expected.dx, limits.dx),
        (
            "dweight",
            Role::Dweight,
            expected.dweight.filter(|_| gradients.dweight),
            limits.dweight,
        ),
        (
            "dbias",
            Role::Dbias,
            expected.dbias.filter(|_| gradients.dbias),
            limits.dbias,
        ),
    ] {
        builder.outputs.extend(expected.map(|expected| Output {
            name,
            place: places.get(role),
            words: None,
            expected: Rc::new(expected),
            tolerance,
        }));
    }
    builder.add(&places, device, recipe);
    let variant = variant.map_or("planner's choice", Variant::name);
    Some(builder.finish(format!(
        "backward of {} [{variant}] {}, {lying:?}",
        case.id, device.name
    )))
}
