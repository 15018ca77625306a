//! Every kernel, at and around the sizes where plans change and as the tables for software and for hardware adapters
//! want it. Sizes come from the tuning table and the planner; what ran is asserted, so that nothing else can pass.

#[path = "../common/cases.rs"]
mod cases;
mod choices;
mod columns;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/judged.rs"]
mod judged;
mod rows;
mod split;
mod trips;

use std::sync::OnceLock;

use common::context;
use judged::failure;
use wgnorm::plan::Recipe;
use wgnorm::shader::{Header, Kernel, Unit};
use wgnorm::spec::Operation;
use wgnorm::verify::Case;
use wgnorm::{Context, DeviceTraits, Tuning, Variant};

/// The adapter as a software adapter: as it is, without subgroups, and without 64-bit integers.
fn software() -> &'static [Context] {
    static CONTEXTS: OnceLock<Vec<Context>> = OnceLock::new();
    CONTEXTS.get_or_init(|| {
        let traits = DeviceTraits {
            software: true,
            ..*context().traits()
        };
        let without_subgroups = DeviceTraits {
            subgroup_size: None,
            ..traits
        };
        let without_wide_integers = DeviceTraits {
            wide_integers: false,
            ..traits
        };
        [traits, without_subgroups, without_wide_integers]
            .map(|traits| context().with_traits(traits).with_tuning(Tuning::SOFTWARE))
            .to_vec()
    })
}

/// The adapter as a hardware adapter: with its subgroups, and without.
fn hardware() -> &'static [Context] {
    static CONTEXTS: OnceLock<Vec<Context>> = OnceLock::new();
    CONTEXTS.get_or_init(|| {
        let traits = DeviceTraits {
            software: false,
            ..*context().traits()
        };
        let without_subgroups = DeviceTraits {
            subgroup_size: None,
            ..traits
        };
        let contexts = [traits, without_subgroups].map(|traits| context().with_traits(traits));
        assert!(contexts.iter().all(|context| *context.tuning() == Tuning::HARDWARE));
        contexts.to_vec()
    })
}

fn everywhere() -> impl Iterator<Item = &'static Context> {
    software().iter().chain(hardware())
}

fn planned(context: &Context, case: &Case, variant: Option<Variant>) -> Recipe {
    let operation = Operation {
        variant,
        ..case.operation().unwrap()
    };
    operation.plan(context).unwrap().recipe().clone()
}

/// Runs a case and has it judged; gives what ran.
fn checked(context: &Context, case: &Case, variant: impl Into<Option<Variant>>) -> Recipe {
    let variant = variant.into();
    let recipe = planned(context, case, variant);
    let failure = failure(context, case, variant);
    assert!(failure.is_none(), "{}\n{recipe}", failure.unwrap_or_default());
    recipe
}

fn is_candidate(context: &Context, case: &Case, variant: Variant) -> bool {
    case.operation()
        .unwrap()
        .candidates(context)
        .unwrap()
        .contains(&variant)
}

/// The header of the recipe's only step with `kernel`.
fn header(recipe: &Recipe, kernel: Kernel) -> Header {
    let headers: Vec<_> = (recipe.steps.iter())
        .map(|step| step.header)
        .filter(|header| header.kernel == kernel)
        .collect();
    assert_eq!(headers.len(), 1, "{} in\n{recipe}", kernel.name());
    headers[0]
}

/// A constant of the shader.
fn constant(header: &Header, name: &str) -> usize {
    let text = header.wgsl();
    let start = format!("const {name}: u32 = ");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(&start)?.strip_suffix("u;"));
    value.expect("a constant of that name").parse().unwrap()
}

/// The units of long rows that an invocation walks along alone, or that several hold, the widest first.
fn row_units(tuning: &Tuning) -> impl Iterator<Item = Unit> {
    let sixteen = tuning.widest_unit == 16;
    let units: &[Unit] = if sixteen {
        &[Unit::Mat4, Unit::Loose]
    } else {
        &[Unit::Vec4, Unit::Scalar]
    };
    units.iter().copied()
}

/// The units of rows that invocations take in turn, the widest first.
fn shared_row_units(tuning: &Tuning) -> impl Iterator<Item = Unit> {
    let widest = tuning.widest_unit;
    [Unit::Mat4, Unit::Vec4, Unit::Scalar]
        .into_iter()
        .filter(move |unit| unit.width() <= widest)
}

/// Elements of rows of so many units: with some that fill no unit if it allows them, and of a number that no wider unit
/// divides.
fn row_length(tuning: &Tuning, unit: Unit, units: usize) -> Option<usize> {
    let length = units * unit.width() as usize;
    if unit == Unit::Loose {
        return (units > 0).then_some(length + 7);
    }
    let widest = shared_row_units(tuning).find(|wider| length.is_multiple_of(wider.width() as usize));
    (units > 0 && widest == Some(unit)).then_some(length)
}

/// The most units for which `accepts` rows of their length, which it must do up to some length.
fn most_units(tuning: &Tuning, unit: Unit, accepts: impl Fn(usize) -> bool) -> usize {
    // Which unit divides a length repeats itself with the widest unit.
    let period = (tuning.widest_unit / unit.width()) as usize;
    (period..2 * period)
        .filter(|units| row_length(tuning, unit, *units).is_some())
        .map(|start| {
            let units = |periods: usize| start + (periods - 1) * period;
            let accepted = |periods| row_length(tuning, unit, units(periods)).is_some_and(&accepts);
            units(most(accepted))
        })
        .max()
        .unwrap()
}

/// The largest number that `accepts` accepts, which it must do up to some number.
fn most(accepts: impl Fn(usize) -> bool) -> usize {
    assert!(accepts(1));
    let mut above = 2;
    while accepts(above) {
        above *= 2;
    }
    let mut most = above / 2;
    while above - most > 1 {
        let middle = most.midpoint(above);
        if accepts(middle) {
            most = middle;
        } else {
            above = middle;
        }
    }
    most
}

/// A number and its neighbours, without 0.
fn around(n: usize) -> impl Iterator<Item = usize> {
    (n.saturating_sub(1).max(1)..=n + 1).filter(|n| *n > 0)
}
