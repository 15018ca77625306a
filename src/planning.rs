//! From what a caller builds to a plan: the methods that every builder has in common.

use crate::context::Context;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::plan::{Facts, Recipe, candidates};
use crate::record::Plan;
use crate::spec::{
    BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, LpNorm, MeanVarianceNorm, Normalization,
    Operation, RmsNorm, Stage, ZScore,
};
use crate::tuning::Variant;

impl Operation {
    /// Plans the whole normalization.
    ///
    /// # Errors
    /// As the builders' `operation`, and [`ErrorKind::Variant`], [`Feature`](ErrorKind::Feature) or
    /// [`Limit`](ErrorKind::Limit) if the device cannot run it, [`Device`](ErrorKind::Device) if it refuses a shader.
    pub fn plan(&self, context: &Context) -> Result<Plan> {
        Plan::new(context, self)
    }

    /// Plans the statistics alone: x to one [`Moments`](crate::Moments) per segment. Only x, moments and a workspace
    /// are bound; y, which [`Forward`](crate::Forward) always has, is ignored.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn plan_statistics(&self, context: &Context) -> Result<Plan> {
        self.staged(Stage::Statistics).plan(context)
    }

    /// Plans the application alone: x and [`Moments`](crate::Moments) to y, and whatever else the whole would write.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn plan_apply(&self, context: &Context) -> Result<Plan> {
        self.staged(Stage::Apply).plan(context)
    }

    /// The variants that can run this on the context's device, with tensors at aligned offsets.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] or [`Overflow`](ErrorKind::Overflow).
    pub fn candidates(&self, context: &Context) -> Result<Vec<Variant>> {
        candidates(self, context.traits(), context.tuning(), &Facts::default())
    }

    fn staged(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    pub(crate) fn recipe(&self, context: &Context, facts: &Facts) -> Result<Recipe> {
        Recipe::new(self, context.traits(), context.tuning(), facts)
    }
}

macro_rules! plannable {
    ($($builder:ident),*) => {$(
        impl $builder {
            /// Plans the whole normalization: [`Operation::plan`].
            ///
            /// # Errors
            /// As [`Operation::plan`].
            pub fn plan(&self, context: &Context) -> Result<Plan> {
                self.operation()?.plan(context)
            }

            /// Plans the statistics alone: [`Operation::plan_statistics`].
            ///
            /// # Errors
            /// As [`Operation::plan`].
            pub fn plan_statistics(&self, context: &Context) -> Result<Plan> {
                self.operation()?.plan_statistics(context)
            }

            /// Plans the application of given moments: [`Operation::plan_apply`].
            ///
            /// # Errors
            /// As [`Operation::plan`].
            pub fn plan_apply(&self, context: &Context) -> Result<Plan> {
                self.operation()?.plan_apply(context)
            }

            /// The variants that can run this: [`Operation::candidates`].
            ///
            /// # Errors
            /// As [`Operation::candidates`].
            pub fn candidates(&self, context: &Context) -> Result<Vec<Variant>> {
                self.operation()?.candidates(context)
            }
        }
    )*};
}

plannable!(
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    LpNorm,
    MeanVarianceNorm,
    RmsNorm,
    ZScore
);
