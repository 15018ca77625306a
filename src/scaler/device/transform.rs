//! Transforms on the device.

use super::reader::words_buffer;
use super::shader::{Function, Header, Input, Kernel, OUTPUT, Params, ROWS, TABLE, X};
use super::{Bind, TRIPS, bound, check_indices, not_on_device};
use crate::arguments::View;
use crate::context::Context;
use crate::error::{Result, bail};
use crate::record::Bound;
use crate::scaler::features::Features;
use crate::scaler::map::Lines;
use crate::scaler::method::Method;
use crate::scaler::parameters::{Fitted, Scaler};
use crate::scaler::unit::Norm;

use super::quantile;

/// Elements of an invocation: on a processor, and on a GPU.
const ELEMENTS: [usize; 2] = [1024, 4];

/// A transform, or its inverse, planned for a device: f32 in buffers of the caller's, or [u8](Self::of_u8) to f32.
#[derive(Debug, Clone)]
pub struct TransformPlan {
    context: Context,
    features: Features,
    to: Features,
    kernel: Kernel,
    /// What is looked up; nothing of unit norms.
    table: Option<wgpu::Buffer>,
    /// The number of every row's key.
    keys: Option<wgpu::Buffer>,
    /// What the kernel is told besides.
    params: Params,
    /// Iterations that an element takes, at most.
    iterations: usize,
    input: Input,
}

/// What a kernel is told of the parameters of a feature: a line.
type Line = [f32; 8];

/// A map of elements.
pub(super) struct Map {
    pub kernel: Kernel,
    /// What is looked up, by feature.
    pub table: Option<Vec<u32>>,
    pub params: Params,
    pub iterations: usize,
}

impl Map {
    /// Looks further features up too.
    pub fn append(&mut self, table: Option<Vec<u32>>) {
        self.table
            .iter_mut()
            .zip(table)
            .for_each(|(all, table)| all.extend(table));
    }
}

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
    /// [`Parameter`](crate::ErrorKind::Parameter) for what is computed on the CPU alone: logarithms before quantile and
    /// power transforms and unit norms. Nothing is read back, so that what has no logarithm or power is no error there: it
    /// becomes NaN.
    pub fn plan_transform(&self, context: &Context, features: Features) -> Result<TransformPlan> {
        self.plan_transform_to(context, features, features)
    }

    /// Plans the transform to other places of y: N×H×W×C to N×C×H×W.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number
    /// of rows, or extents: both have to have the same outer and inner ones.
    pub fn plan_transform_to(&self, context: &Context, features: Features, to: Features) -> Result<TransformPlan> {
        let map = match self.method.core() {
            Method::UnitNorm(method) if self.method.logarithm().is_none() => unit(method.norm),
            _ => self.map(false, false)?,
        };
        TransformPlan::new(context, self.features, features, to, map, None)
    }

    /// Plans the transform back. What no x becomes is NaN.
    ///
    /// # Errors
    /// As [`plan_transform`](Self::plan_transform), and [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for unit
    /// norms.
    pub fn plan_inverse(&self, context: &Context, features: Features) -> Result<TransformPlan> {
        TransformPlan::new(context, self.features, features, features, self.map(true, false)?, None)
    }

    /// The map of elements, or back.
    pub(super) fn map(&self, inverse: bool, by_key: bool) -> Result<Map> {
        let logarithm = self.method.logarithm();
        let mut lambdas = None;
        let function = match (self.method.core(), &self.fitted, logarithm) {
            (Method::UnitNorm(_), ..) if inverse => return self.inverse().and_then(|_| not_on_device(&self.method)),
            (Method::UnitNorm(_), ..) => return not_on_device(&self.method),
            (Method::Quantile(_) | Method::Power(_), _, Some(_)) => return not_on_device(&self.method),
            (Method::Quantile(to), Fitted::References(tables), None) => {
                return Ok(quantile::map(to, tables, inverse, by_key));
            }
            (Method::Power(to), Fitted::Powers(powers), None) => {
                lambdas = Some(powers.iter().map(|power| power.lambda).collect());
                Function::Power(to.power)
            }
            (.., Some(logarithm)) => Function::Logarithm(logarithm),
            (.., None) => Function::None,
        };
        let lines = if inverse { self.inverse()? } else { self.forward() };
        let kernel = Kernel::Line {
            function,
            inverse,
            by_key,
        };
        Ok(line_map(kernel, &lines, self.features, lambdas))
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
            bail!(
                Parameter,
                "method",
                "{} is no line, and not known of values less a pivot",
                self.method.name()
            );
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
        let kernel = Kernel::Line {
            function: Function::None,
            inverse: false,
            by_key: false,
        };
        let map = line_map(kernel, &lines, self.features, None);
        TransformPlan::new(context, self.features, features, features, map, None)
    }
}

/// The map of lines, of one kernel.
fn line_map(kernel: Kernel, lines: &Lines, features: usize, lambdas: Option<Vec<f64>>) -> Map {
    let of_feature = |feature: usize| {
        let lambda = lambdas.as_ref().map_or(0.0, |lambdas| lambdas[feature]);
        line(lines, feature, lambda)
    };
    let (low, high) = lines.bounds.unwrap_or_default();
    Map {
        kernel,
        table: Some(bytemuck::cast_vec(
            (0..features).flat_map(of_feature).collect::<Vec<f32>>(),
        )),
        params: Params {
            bounded: lines.bounds.is_some().into(),
            low: low as f32,
            high: high as f32,
            ..Params::default()
        },
        iterations: 1,
    }
}

fn unit(norm: Norm) -> Map {
    Map {
        kernel: Kernel::Unit,
        table: None,
        params: Params {
            norm: match norm {
                Norm::L1 => 1,
                Norm::L2 => 2,
                Norm::Max => 0,
            },
            ..Params::default()
        },
        iterations: 1,
    }
}

impl TransformPlan {
    /// Plans a map of so many features as were fitted.
    pub(super) fn new(
        context: &Context,
        fitted: usize,
        features: Features,
        to: Features,
        map: Map,
        keys: Option<&[u32]>,
    ) -> Result<Self> {
        features.expect("x", fitted)?;
        to.expect("y", fitted)?;
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
        if map.kernel == Kernel::Unit && 3 * fitted > TRIPS {
            bail!(
                Limit,
                "features",
                "are {fitted}, a row of unit norm has {} at most",
                TRIPS / 3
            );
        }
        // (Empty buffers cannot be bound.)
        let buffer =
            |label, words: &[u32]| words_buffer(context, label, if words.is_empty() { &[0; 8] } else { words });
        Ok(Self {
            context: context.clone(),
            features,
            to,
            kernel: map.kernel,
            table: map.table.map(|table| buffer("wgnorm scaler parameters", &table)),
            keys: keys.map(|keys| buffer("wgnorm scaler keys", keys)),
            params: map.params,
            iterations: map.iterations,
            input: Input::F32,
        })
    }
}

/// The parameters of a feature as f32: a center beyond f32's digits as a pair, a factor beyond its range in two.
fn line(lines: &Lines, feature: usize, lambda: f64) -> Line {
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
        // (One whose quotients would leave f32 is a logarithm but for less than a rounding.)
        if lambda.abs() < 1e-20 { 0.0 } else { lambda as f32 },
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
        let invocations = match self.kernel {
            Kernel::Unit => features.rows(),
            _ if software => elements.div_ceil(ELEMENTS[0].min(TRIPS / self.iterations)),
            _ => elements.div_ceil(ELEMENTS[1]),
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
            ..self.params
        };
        let header = Header {
            kernel: self.kernel,
            features_innermost: true,
            one_row_digit: true,
            input: if in_place { Input::InPlace } else { self.input },
        };
        let mut binds = vec![y];
        binds.extend(self.table.iter().map(|table| Bind::whole(TABLE, table)));
        binds.extend(self.keys.iter().map(|keys| Bind::whole(ROWS, keys)));
        if !in_place {
            binds.push(x);
        }
        bound(&self.context, &header, &params, invocations as u64, &binds)
    }
}
