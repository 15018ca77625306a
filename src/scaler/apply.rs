//! Application of what was learned.

use super::element::{Element, Real};
use super::features::Features;
use super::logarithm::Logarithms;
use super::map::{self, InPlace, Lines, Other, Source};
use super::method::Method;
use super::parameters::{Fitted, Scaler};
use super::unit;
use crate::error::{Result, bail};

impl Scaler {
    /// What y is held between.
    pub(super) fn bounds(&self) -> Option<(f64, f64)> {
        match self.method.core() {
            Method::MinMax(to) if to.clip => Some((to.low, to.high)),
            Method::MaxAbs(to) if to.clip => Some((-1.0, 1.0)),
            _ => None,
        }
    }

    /// Transforms `x` into `y`, which lies as x does.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of features than was fitted, and for features
    /// of y that share elements, [`Size`](crate::ErrorKind::Size) for slices that are too short,
    /// [`Data`](crate::ErrorKind::Data) for values that have no logarithm or power; then nothing is written.
    pub fn transform<T: Element, U: Real>(&self, x: &[T], features: Features, y: &mut [U]) -> Result<()> {
        self.transform_to(x, features, y, features)
    }

    /// Transforms `x` into `y`, whose features lie elsewhere: images N×H×W×C to N×C×H×W.
    ///
    /// ```
    /// use wgnorm::scaler::{Features, FixedRange};
    /// // Two RGB pixels of u8 to three planes of f32.
    /// let x = [0u8, 51, 102, 255, 204, 153];
    /// let mut y = [0.0f32; 6];
    /// let planes = Features::channels(1, 3, 2);
    /// FixedRange::uniform(0.0, 255.0)?.scaler(3)?.transform_to(&x, Features::columns(2, 3), &mut y, planes)?;
    /// assert_eq!(y, [0.0, 1.0, 0.2, 0.8, 0.4, 0.6]);
    /// # Ok::<(), wgnorm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`transform`](Self::transform), and [`ErrorKind::Shape`](crate::ErrorKind::Shape) for another number of rows.
    pub fn transform_to<T: Element, U: Real>(
        &self,
        x: &[T],
        features: Features,
        y: &mut [U],
        to: Features,
    ) -> Result<()> {
        self.check(x.len(), &features, y.len(), &to)?;
        self.method.check_domain(x, &features)?;
        let source = Other { x, features: &features };
        self.apply(&source, &features, y, &to);
        Ok(())
    }

    /// Transforms in place.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn transform_in_place<T: Real>(&self, x: &mut [T], features: Features) -> Result<()> {
        self.check(x.len(), &features, x.len(), &features)?;
        self.method.check_domain(x, &features)?;
        self.apply(&InPlace, &features, x, &features);
        Ok(())
    }

    /// Transforms `y` back: `x = (y - offset) * scale + center`, and undoes powers, quantiles and logarithms. What was
    /// clipped stays so; what no x becomes is NaN.
    ///
    /// # Errors
    /// As [`transform`](Self::transform), and [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for unit norms,
    /// which have no inverse.
    pub fn inverse_transform<T: Element, U: Real>(&self, y: &[T], features: Features, x: &mut [U]) -> Result<()> {
        self.check(y.len(), &features, x.len(), &features)?;
        let source = Other {
            x: y,
            features: &features,
        };
        self.undo(&source, &features, x)
    }

    /// Transforms back in place.
    ///
    /// # Errors
    /// As [`inverse_transform`](Self::inverse_transform).
    pub fn inverse_transform_in_place<T: Real>(&self, y: &mut [T], features: Features) -> Result<()> {
        self.check(y.len(), &features, y.len(), &features)?;
        self.undo(&InPlace, &features, y)
    }

    /// What becomes of one value of a feature: what [`transform`](Self::transform) makes of it in f64; NaN of a value that
    /// has no logarithm or power. None of unit norms, where a value depends on its row, and beyond the features.
    ///
    /// ```
    /// use wgnorm::scaler::{Features, MinMax};
    /// let scaler = MinMax::new().fit(&[20.0f32, 70.0], Features::whole(2))?;
    /// assert_eq!(scaler.transform_value(0, 45.0), Some(0.5));
    /// # Ok::<(), wgnorm::Error>(())
    /// ```
    pub fn transform_value(&self, feature: usize, x: f64) -> Option<f64> {
        let is_there = feature < self.features && !matches!(self.method.core(), Method::UnitNorm(_));
        is_there.then(|| {
            if self.method.takes(x) {
                self.done(feature, x)
            } else {
                f64::NAN
            }
        })
    }

    pub(super) fn check(&self, x: usize, from: &Features, y: usize, to: &Features) -> Result<()> {
        from.expect("x", self.features)?;
        to.expect("y", self.features)?;
        if from.rows() != to.rows() {
            bail!(Shape, "y", "has {} rows, x has {}", to.rows(), from.rows());
        }
        from.check("x", x)?;
        to.check("y", y)?;
        to.check_distinct("y")
    }

    fn apply<T: Element, U: Real>(&self, source: &impl Source<T, U>, from: &Features, y: &mut [U], to: &Features) {
        match self.method.logarithm() {
            Some(logarithm) => self.apply_core(&Logarithms::new(source, logarithm), from, y, to),
            None => self.apply_core(source, from, y, to),
        }
    }

    fn apply_core<T: Element, U: Real>(&self, source: &impl Source<T, U>, from: &Features, y: &mut [U], to: &Features) {
        match self.method.core() {
            Method::UnitNorm(method) => unit::divide(method.norm, source, from, y, to),
            Method::Quantile(_) | Method::Power(_) => {
                map::each(source, from, y, to, |_, feature, x| self.core_of(feature, x));
            }
            _ => map::map(&self.forward(), source, from, y, to),
        }
    }

    fn undo<T: Element, U: Real>(&self, source: &impl Source<T, U>, features: &Features, x: &mut [U]) -> Result<()> {
        let lines = self.inverse()?;
        match self.is_of_lines() {
            true => map::map(&lines, source, features, x, features),
            false => map::each(source, features, x, features, |_, feature, y| self.undone(feature, y)),
        }
        Ok(())
    }

    /// Whether it is nothing but center, scale and offset.
    pub(super) fn is_of_lines(&self) -> bool {
        !matches!(
            self.method,
            Method::UnitNorm(_) | Method::Quantile(_) | Method::Power(_) | Method::LogFirst(_)
        )
    }

    /// What becomes of a value, whatever the others of its row: not of unit norms.
    pub(super) fn done(&self, feature: usize, x: f64) -> f64 {
        match self.method.logarithm() {
            Some(logarithm) => self.core_of(feature, logarithm.of(x)),
            None => self.core_of(feature, x),
        }
    }

    fn core_of(&self, feature: usize, x: f64) -> f64 {
        match (self.method.core(), &self.fitted) {
            (Method::Quantile(to), Fitted::References(tables)) => to.of(&tables[feature], x),
            (Method::Power(to), Fitted::Powers(powers)) => self.line(feature, to.power.of(x, powers[feature].lambda)),
            _ => self.line(feature, x),
        }
    }

    fn line(&self, feature: usize, x: f64) -> f64 {
        let y = (x - self.center[feature]) * self.scale[feature].recip() + self.offset[feature];
        match self.bounds() {
            // (A NaN stays.)
            Some((low, high)) if y < low || y > high => y.clamp(low, high),
            _ => y,
        }
    }

    /// What has become of y; not of unit norms.
    pub(super) fn undone(&self, feature: usize, y: f64) -> f64 {
        let line = |y: f64| (y - self.offset[feature]) * self.scale[feature] + self.center[feature];
        let x = match (self.method.core(), &self.fitted) {
            (Method::Quantile(to), Fitted::References(tables)) => to.inverse(&tables[feature], y),
            (Method::Power(to), Fitted::Powers(powers)) => to.power.inverse(line(y), powers[feature].lambda),
            _ => line(y),
        };
        self.method.logarithm().map_or(x, |logarithm| logarithm.inverse(x))
    }

    /// The transform, of what is lines.
    pub(super) fn forward(&self) -> Lines {
        Lines {
            center: self.center.clone(),
            factor: self.scale.iter().map(|scale| scale.recip()).collect(),
            offset: self.offset.clone(),
            bounds: self.bounds(),
        }
    }

    /// The transform back; empty where it is not of lines.
    pub(super) fn inverse(&self) -> Result<Lines> {
        if let Method::UnitNorm(_) = self.method.core() {
            bail!(Parameter, "method", "unit_norm has no inverse: the norms are not kept");
        }
        Ok(Lines {
            center: self.offset.clone(),
            factor: self.scale.clone(),
            offset: self.center.clone(),
            bounds: None,
        })
    }
}
