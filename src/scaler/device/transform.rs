//! Transforms on the device.

use super::{Bind, TRIPS, bound, check_indices, not_on_device};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::record::Bound;
use crate::scaler::device::shader::{Header, Input, Kernel, OUTPUT, Params, TABLE, X};
use crate::scaler::features::Features;
use crate::scaler::map::Lines;
use crate::scaler::method::Method;
use crate::scaler::parameters::Scaler;
use crate::scaler::unit::Norm;

/// Elements of an invocation: on a processor, and on a GPU.
const ELEMENTS: [usize; 2] = [1024, 4];

/// A transform, or its inverse, planned for a device: f32 in buffers of the caller's, or [u8](Self::of_u8) to f32.
#[derive(Debug, Clone)]
pub struct TransformPlan {
    context: Context,
    features: Features,
    to: Features,
    /// The parameters; none of unit norms.
    lines: Option<wgpu::Buffer>,
    norm: Norm,
    bounds: Option<(f64, f64)>,
    input: Input,
}

/// What a kernel is told of a feature.
type Line = [f32; 8];

impl Scaler {
    /// Plans the transform of f32 on a device, of `features` to the same places of y.
    ///
    /// ```
    /// use wgnorm::scaler::{Features, MinMax};
    /// use wgnorm::verify::transfer::{download, upload};
    /// # pollster::block_on(async {
    /// let context = wgnorm::Context::request(&Default::default()).await?;
    /// let scaler = MinMax::new().fit(&[20.0f32, 70.0], Features::whole(2))?;
    /// let x = upload(&context, "x", &[45.0f32, 20.0]);
    /// let mut encoder = context.device().create_command_encoder(&Default::default());
    /// let plan = scaler.plan_transform(&context, Features::whole(2))?;
    /// plan.bind(&x, &x)?.record(&mut encoder); // in place
    /// context.queue().submit([encoder.finish()]);
    /// assert_eq!(download::<f32>(&context, &x, 0..2).await?, [0.5, 0.0]);
    /// # Ok::<(), wgnorm::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of features than was fitted,
    /// [`Limit`](crate::ErrorKind::Limit) for more elements than a kernel counts,
    /// [`Parameter`](crate::ErrorKind::Parameter) for what is computed on the CPU alone: quantile and power transforms,
    /// logarithms.
    pub fn plan_transform(&self, context: &Context, features: Features) -> Result<TransformPlan> {
        self.plan_transform_to(context, features, features)
    }

    /// Plans the transform to other places of y: N×H×W×C to N×C×H×W.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number
    /// of rows, or extents: both have to have the same outer and inner ones.
    pub fn plan_transform_to(&self, context: &Context, features: Features, to: Features) -> Result<TransformPlan> {
        let (lines, norm) = match &self.method {
            Method::UnitNorm(method) => (None, method.norm),
            method if !self.is_of_lines() => return not_on_device(method),
            _ => (Some(self.forward()), Norm::L2),
        };
        self.plan(context, features, to, lines, norm)
    }

    /// Plans the transform back.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform), and [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for unit
    /// norms.
    pub fn plan_inverse(&self, context: &Context, features: Features) -> Result<TransformPlan> {
        if !matches!(self.method, Method::UnitNorm(_)) && !self.is_of_lines() {
            return not_on_device(&self.method);
        }
        self.plan(context, features, features, Some(self.inverse()?), Norm::L2)
    }

    /// Plans the transform of f64 data that were [split](crate::scaler::Split) by these pivots.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number
    /// of pivots, [`Parameter`](crate::ErrorKind::Parameter) for unit norms, which pivots would change.
    pub fn plan_transform_split(&self, context: &Context, features: Features, pivots: &[f64]) -> Result<TransformPlan> {
        if let Method::UnitNorm(_) = self.method {
            bail!(Parameter, "method", "unit_norm is not known of values less a pivot");
        }
        if !self.is_of_lines() {
            return not_on_device(&self.method);
        }
        if pivots.len() != self.features {
            bail!(
                Shape,
                "pivots",
                "are {}, the parameters are those of {}",
                pivots.len(),
                self.features
            );
        }
        let mut lines = self.forward();
        lines
            .center
            .iter_mut()
            .zip(pivots)
            .for_each(|(center, pivot)| *center -= pivot);
        self.plan(context, features, features, Some(lines), Norm::L2)
    }

    fn plan(
        &self,
        context: &Context,
        features: Features,
        to: Features,
        lines: Option<Lines>,
        norm: Norm,
    ) -> Result<TransformPlan> {
        features.expect("x", self.features)?;
        to.expect("y", self.features)?;
        check_indices(&features, "x")?;
        check_indices(&to, "y")?;
        to.check_distinct("y")?;
        let (features, to) = match (features.collapsed(), to.collapsed()) {
            (Some(rows), Some(other)) if rows.extent == other.extent => (features.with_rows(rows), to.with_rows(other)),
            _ if (features.outer.extent, features.inner.extent) == (to.outer.extent, to.inner.extent) => (features, to),
            // Rows of one digit as those of the other.
            (Some(rows), _) if features.rows() == to.rows() => (features.split_rows(rows, to.inner.extent), to),
            (_, Some(rows)) if features.rows() == to.rows() => (features, to.split_rows(rows, features.inner.extent)),
            _ => bail!(
                Shape,
                "y",
                "has rows of {} × {}, x of {} × {}",
                to.outer.extent,
                to.inner.extent,
                features.outer.extent,
                features.inner.extent
            ),
        };
        if lines.is_none() && 3 * self.features > TRIPS {
            bail!(
                Limit,
                "features",
                "are {}, a row of unit norm has {} at most",
                self.features,
                TRIPS / 3
            );
        }
        let bounds = lines.as_ref().and_then(|lines| lines.bounds);
        let buffer = |lines: &Lines| {
            let words: Vec<Line> = (0..self.features.max(1)).map(|feature| line(lines, feature)).collect();
            wgpu::util::DeviceExt::create_buffer_init(
                context.device(),
                &wgpu::util::BufferInitDescriptor {
                    label: Some("wgnorm scaler parameters"),
                    contents: bytemuck::cast_slice(&words),
                    usage: wgpu::BufferUsages::STORAGE,
                },
            )
        };
        Ok(TransformPlan {
            context: context.clone(),
            features,
            to,
            lines: lines.as_ref().map(buffer),
            norm,
            bounds,
            input: Input::F32,
        })
    }
}

/// The parameters of a feature as f32: a center beyond f32's digits as a pair, a factor beyond its range in two.
fn line(lines: &Lines, feature: usize) -> Line {
    let of = |values: &[f64]| values.get(feature).copied().unwrap_or(f64::NAN);
    let (center, factor, offset) = (of(&lines.center), of(&lines.factor), of(&lines.offset));
    let (mut scale, mut back) = (1.0f64, 1.0f64);
    // The factor of f32 data may itself be beyond f32 where x is at its ends: half of its exponent is moved.
    if factor.is_finite() && factor != 0.0 && !(1e-30..1e30).contains(&factor.abs()) {
        let exponent = factor.abs().log2().round() as i32;
        scale = 2f64.powi((exponent / 2).clamp(-126, 126));
        back = 2f64.powi((exponent - exponent / 2).clamp(-126, 126));
    }
    let pair = |value: f64| {
        let high = value as f32;
        let rest = (value - f64::from(high)) as f32;
        (high, if rest.is_finite() { rest } else { 0.0 })
    };
    let (m, e) = pair(center * scale);
    let (b, b_rest) = pair(offset);
    [
        m,
        e,
        (factor / scale / back) as f32,
        scale as f32,
        b,
        b_rest,
        back as f32,
        0.0,
    ]
}

impl TransformPlan {
    /// x holds u8, four to a word of its buffer, as images do; y is f32.
    ///
    /// Pixels become a normalized tensor, with another layout on the way if
    /// [planned so](Scaler::plan_transform_to):
    ///
    /// ```
    /// use wgnorm::scaler::{Features, FixedRange};
    /// use wgnorm::verify::transfer::{create, download, upload};
    /// # pollster::block_on(async {
    /// let context = wgnorm::Context::request(&Default::default()).await?;
    /// let scaler = FixedRange::new(&[0.0, 51.0], &[255.0, 102.0])?.scaler(2)?;
    /// // Two pixels of two channels, to two channels of two pixels.
    /// let (pixels, planes) = (Features::columns(2, 2), Features::channels(1, 2, 2));
    /// let x = upload(&context, "x", &[0u8, 51, 255, 102]);
    /// let y = create(&context, "y", 16);
    /// let mut encoder = context.device().create_command_encoder(&Default::default());
    /// let plan = scaler.plan_transform_to(&context, pixels, planes)?.of_u8();
    /// plan.bind(&x, &y)?.record(&mut encoder);
    /// context.queue().submit([encoder.finish()]);
    /// assert_eq!(download::<f32>(&context, &y, 0..4).await?, [0.0, 1.0, 0.0, 0.5]);
    /// # Ok::<(), wgnorm::Error>(()) }).unwrap();
    /// ```
    pub fn of_u8(mut self) -> Self {
        self.input = Input::U8;
        self
    }

    /// Checks the buffers and makes the bind group. y may be x itself, but of u8.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage), [`Size`](crate::ErrorKind::Size) (of u8, also if the buffer ends
    /// within the last word), [`Limit`](crate::ErrorKind::Limit) for the buffers, and
    /// [`Overlap`](crate::ErrorKind::Overlap) if they are one but not the same view with the same places of f32.
    pub fn bind<'a>(&self, x: impl Into<View<'a>>, y: impl Into<View<'a>>) -> Result<Bound> {
        let (x, y) = (x.into(), y.into());
        let Self { features, to, .. } = self;
        let in_place = x.buffer == y.buffer;
        if in_place && (x.offset != y.offset || features != to || self.input == Input::U8) {
            bail!(
                Overlap,
                "y",
                "is in the buffer of x but not in its place, or of another type: one place and type, or two buffers are needed"
            );
        }
        let (x, x_offset) = Bind::view(&self.context, "x", X, x, features.span(), self.input)?;
        let (y, y_offset) = Bind::view(&self.context, "y", OUTPUT, y, to.span(), Input::F32)?;
        let elements = features.elements();
        if elements == 0 {
            return Ok(Bound::of("scaler map", Vec::new()));
        }
        let software = self.context.traits().software;
        let (kernel, invocations) = match self.lines {
            Some(_) => (Kernel::Map, elements.div_ceil(ELEMENTS[usize::from(!software)])),
            None => (Kernel::Unit, features.rows()),
        };
        let each = elements.div_ceil(invocations);
        let (count, inner) = (features.count(), features.inner.extent);
        let step = if software { 1 } else { invocations };
        let params = Params {
            rows: features.rows() as u32,
            features: count as u32,
            inner: inner as u32,
            x_offset,
            x_outer: features.outer.stride as u32,
            x_feature: features.feature.stride as u32,
            x_inner: features.inner.stride as u32,
            y_offset,
            y_outer: to.outer.stride as u32,
            y_feature: to.feature.stride as u32,
            y_inner: to.inner.stride as u32,
            spans: invocations as u32,
            span_first: if software || invocations == 1 { each as u32 } else { 1 },
            span_step: step as u32,
            step_outer: (step / inner / count) as u32,
            step_feature: (step / inner % count) as u32,
            step_inner: (step % inner) as u32,
            norm: match self.norm {
                Norm::L1 => 1,
                Norm::L2 => 2,
                Norm::Max => 0,
            },
            bounded: self.bounds.is_some().into(),
            low: self.bounds.map_or(0.0, |bounds| bounds.0 as f32),
            high: self.bounds.map_or(0.0, |bounds| bounds.1 as f32),
            ..Params::default()
        };
        let header = Header {
            kernel,
            features_innermost: true,
            one_row_digit: true,
            input: if in_place { Input::InPlace } else { self.input },
        };
        let mut binds = vec![y];
        binds.extend(self.lines.as_ref().map(|lines| Bind::whole(TABLE, lines)));
        if !in_place {
            binds.push(x);
        }
        bound(&self.context, &header, &params, invocations as u64, &binds)
    }
}
