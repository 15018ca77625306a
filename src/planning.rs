//! From what a caller builds to a plan: the methods that every builder has in common.

use crate::backward::BackwardPlan;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::plan::{Facts, Recipe, candidates};
use crate::record::Plan;
use crate::spec::{
    BatchNorm, Gradients, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, LpNorm, MeanVarianceNorm,
    Normalization, Operation, RmsNorm, Stage, ZScore,
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

    /// Plans the backward pass: the gradients of x, weight and bias.
    ///
    /// If the operation was built with `statistics`, the call binds those that the forward pass wrote; else they are taken
    /// of x again.
    ///
    /// ```
    /// use wgnorm::verify::transfer::{create, download, upload};
    /// use wgnorm::{Backward, Context, Gradients, LayerNorm};
    /// # pollster::block_on(async {
    /// let context = Context::request(&Default::default()).await?;
    /// let norm = LayerNorm::new(&[2, 4]).bias(false);
    /// let gradients = Gradients { dbias: false, ..Gradients::all() };
    /// let plan = norm.plan_backward(&context, gradients)?;
    ///
    /// let x = upload(&context, "x", &[0.0f32, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 0.0]);
    /// let dy = upload(&context, "dy", &[1.0f32; 8]);
    /// let weight = upload(&context, "weight", &[1.0f32; 4]);
    /// let (dx, dweight) = (create(&context, "dx", 32), create(&context, "dweight", 16));
    /// let workspace = context.create_workspace(plan.workspace_size());
    /// let args = Backward::new(&x, &dy).weight(&weight).dx(&dx).dweight(&dweight).workspace(&workspace);
    /// let bound = plan.bind(&args)?;
    ///
    /// let mut encoder = context.device().create_command_encoder(&Default::default());
    /// bound.record(&mut encoder);
    /// context.queue().submit([encoder.finish()]);
    ///
    /// // Adding the same to all of a row changes nothing.
    /// let dx: Vec<f32> = download(&context, &dx, 0..8).await?;
    /// assert!(dx.iter().all(|dx| dx.abs() < 1e-6));
    /// # Ok::<(), wgnorm::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Self::plan), and [`ErrorKind::Argument`] for gradients of what the operation does not have,
    /// [`ErrorKind::Shape`] for dx of an x that is broadcast.
    pub fn plan_backward(&self, context: &Context, gradients: Gradients) -> Result<BackwardPlan> {
        BackwardPlan::new(context, self, gradients)
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

    /// Plans the first half of the backward pass over a share of the data, as sync batch norm takes it: x and dy of the share
    /// to one [`GradientSums`](crate::GradientSums) per segment, with g = dy weight:
    ///
    /// ```text
    /// sums = (sum(g), sum(g x_hat), count)
    /// ```
    ///
    /// The sums of all shares, added field by field (an all-reduce of four f32 a segment), are what
    /// [`plan_backward_apply`](Self::plan_backward_apply) takes. The statistics that are bound are those of all shares
    /// together, as [`plan_apply`](Self::plan_apply) saves them: the operation is built with `statistics`. dweight and dbias,
    /// where asked for, are those of the share; `gradients.dx` does not matter. With `accumulate` all of them, sums too, are
    /// added to what their buffers hold: shares that follow each other on one device need no other merge.
    ///
    /// # Errors
    /// As [`plan_backward`](Self::plan_backward), and [`ErrorKind::Parameter`] for an operation built without `statistics`,
    /// and for those whose gradients need no sums or more than sums: given statistics, windows, a p-norm of infinite p.
    pub fn plan_backward_sums(&self, context: &Context, gradients: Gradients) -> Result<BackwardPlan> {
        let gradients = Gradients { dx: false, ..gradients };
        self.staged(Stage::Statistics).plan_backward(context, gradients)
    }

    /// Plans the second half: x and dy of a share and the sums of all shares to dx of the share,
    ///
    /// ```text
    /// dx = rstd (g - sum(g) / count - x_hat sum(g x_hat) / count)
    /// ```
    ///
    /// or as the table of [`BackwardPlan`] has it.
    ///
    /// # Errors
    /// As [`plan_backward_sums`](Self::plan_backward_sums).
    pub fn plan_backward_apply(&self, context: &Context) -> Result<BackwardPlan> {
        let gradients = Gradients {
            dweight: false,
            dbias: false,
            ..Gradients::all()
        };
        self.staged(Stage::Apply).plan_backward(context, gradients)
    }

    /// The variants that can run this on the context's device, with tensors at aligned offsets.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] or [`Overflow`](ErrorKind::Overflow).
    pub fn candidates(&self, context: &Context) -> Result<Vec<Variant>> {
        candidates(self, context.traits(), context.tuning(), &Facts::default())
    }

    /// The variants that can make these gradients on the context's device, with tensors at aligned offsets.
    ///
    /// # Errors
    /// As [`plan_backward`](Self::plan_backward), but for the variant.
    pub fn backward_candidates(&self, context: &Context, gradients: Gradients) -> Result<Vec<Variant>> {
        let mut candidates = Vec::new();
        for variant in Variant::ALL {
            let forced = Self {
                variant: Some(variant),
                ..self.clone()
            };
            let (traits, tuning) = (context.traits(), context.tuning());
            match Recipe::backward(&forced, gradients, traits, tuning, &Facts::default()) {
                Ok(_) => candidates.push(variant),
                Err(error) if error.kind() == ErrorKind::Variant => {}
                Err(error) => return Err(error),
            }
        }
        Ok(candidates)
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

            /// Plans the backward pass: [`Operation::plan_backward`].
            ///
            /// # Errors
            /// As [`Operation::plan_backward`].
            pub fn plan_backward(&self, context: &Context, gradients: Gradients) -> Result<BackwardPlan> {
                self.operation()?.plan_backward(context, gradients)
            }

            /// Plans the first half of the backward pass over a share: [`Operation::plan_backward_sums`].
            ///
            /// # Errors
            /// As [`Operation::plan_backward_sums`].
            pub fn plan_backward_sums(&self, context: &Context, gradients: Gradients) -> Result<BackwardPlan> {
                self.operation()?.plan_backward_sums(context, gradients)
            }

            /// Plans the second half of the backward pass over a share: [`Operation::plan_backward_apply`].
            ///
            /// # Errors
            /// As [`Operation::plan_backward_sums`].
            pub fn plan_backward_apply(&self, context: &Context) -> Result<BackwardPlan> {
                self.operation()?.plan_backward_apply(context)
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
