//! Parameters by key, and their application.

use super::element::{Element, Real};
use super::features::Features;
use super::grouped_fit::check_keys;
use super::map::{self, InPlace, Other};
use super::method::Method;
use super::parameters::Scaler;
use crate::error::{Result, bail};

/// Fitted parameters of every key: of devices, of sites. Every row is transformed by those of its key, in one pass.
///
/// Made by [`Method::fit_grouped`] or a [`GroupedFitter`](crate::scaler::GroupedFitter). A key that was not fitted is
/// refused, unless it is given [other parameters](Self::with_others), such as those of all rows. With the feature `serde`
/// it can be saved as a [`Scaler`] can.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(into = "super::stored::StoredGroups", try_from = "super::stored::StoredGroups")
)]
pub struct GroupedScaler {
    /// In order.
    pub(super) keys: Vec<u32>,
    pub(super) scalers: Vec<Scaler>,
    pub(super) others: Option<Scaler>,
}

impl GroupedScaler {
    /// Parameters that were learned one by one.
    ///
    /// # Errors
    /// [`ErrorKind::Data`](crate::ErrorKind::Data) for no keys, [`Parameter`](crate::ErrorKind::Parameter) for a key
    /// that comes twice, for different methods and for unit norms, [`Shape`](crate::ErrorKind::Shape) for different
    /// numbers of features.
    pub fn new(scalers: impl IntoIterator<Item = (u32, Scaler)>) -> Result<Self> {
        let mut pairs: Vec<(u32, Scaler)> = scalers.into_iter().collect();
        pairs.sort_by_key(|(key, _)| *key);
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            bail!(Parameter, "keys", "has {} twice", pair[0].0);
        }
        let (keys, scalers): (Vec<u32>, Vec<Scaler>) = pairs.into_iter().unzip();
        let Some(first) = scalers.first() else {
            bail!(Data, "keys", "are none, there is nothing to transform by");
        };
        if let Method::UnitNorm(_) = first.method().core() {
            bail!(Parameter, "method", "unit_norm learns nothing, by key or not");
        }
        for scaler in &scalers {
            check_alike(first, scaler)?;
        }
        Ok(Self {
            keys,
            scalers,
            others: None,
        })
    }

    /// Gives keys that were not fitted these parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`](crate::ErrorKind::Shape) and [`Parameter`](crate::ErrorKind::Parameter) if they are not like
    /// the others.
    pub fn with_others(mut self, scaler: Scaler) -> Result<Self> {
        check_alike(&self.scalers[0], &scaler)?;
        self.others = Some(scaler);
        Ok(self)
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.scalers[0].features()
    }

    /// The keys that were fitted, in order, with their parameters.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &Scaler)> {
        self.keys.iter().copied().zip(&self.scalers)
    }

    /// The parameters of a key: its own, or those of others, if it is given them.
    pub fn get(&self, key: u32) -> Option<&Scaler> {
        match self.keys.binary_search(&key) {
            Ok(place) => Some(&self.scalers[place]),
            Err(_) => self.others.as_ref(),
        }
    }

    /// Transforms `x` into `y`, which lies as x does: every row by its key.
    ///
    /// # Errors
    /// As [`Scaler::transform`], and before anything is written: [`ErrorKind::Size`](crate::ErrorKind::Size) for another
    /// number of keys than rows, [`Data`](crate::ErrorKind::Data) for a key that was not fitted.
    pub fn transform<T: Element, U: Real>(&self, x: &[T], features: Features, keys: &[u32], y: &mut [U]) -> Result<()> {
        let of_rows = self.of_rows(&features, x.len(), y.len(), keys)?;
        self.scalers[0].method().check_domain(x, &features)?;
        let source = Other { x, features: &features };
        map::each(&source, &features, y, &features, |row, feature, x| {
            of_rows[row].done(feature, x)
        });
        Ok(())
    }

    /// Transforms in place.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn transform_in_place<T: Real>(&self, x: &mut [T], features: Features, keys: &[u32]) -> Result<()> {
        let of_rows = self.of_rows(&features, x.len(), x.len(), keys)?;
        self.scalers[0].method().check_domain(x, &features)?;
        map::each(&InPlace, &features, x, &features, |row, feature, x: f64| {
            of_rows[row].done(feature, x)
        });
        Ok(())
    }

    /// Transforms `y` back: see [`Scaler::inverse_transform`].
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_transform<T: Element, U: Real>(
        &self,
        y: &[T],
        features: Features,
        keys: &[u32],
        x: &mut [U],
    ) -> Result<()> {
        let of_rows = self.of_rows(&features, y.len(), x.len(), keys)?;
        let source = Other {
            x: y,
            features: &features,
        };
        map::each(&source, &features, x, &features, |row, feature, y| {
            of_rows[row].undone(feature, y)
        });
        Ok(())
    }

    /// Transforms back in place.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_transform_in_place<T: Real>(&self, y: &mut [T], features: Features, keys: &[u32]) -> Result<()> {
        let of_rows = self.of_rows(&features, y.len(), y.len(), keys)?;
        map::each(&InPlace, &features, y, &features, |row, feature, y: f64| {
            of_rows[row].undone(feature, y)
        });
        Ok(())
    }

    /// Checks a call, and finds the parameters of every row.
    fn of_rows(&self, features: &Features, x: usize, y: usize, keys: &[u32]) -> Result<Vec<&Scaler>> {
        self.scalers[0].check(x, features, y, features)?;
        let numbers = self.numbers(keys, features)?;
        let of_number = |number: u32| match self.scalers.get(number as usize) {
            Some(scaler) => scaler,
            None => self.others.as_ref().unwrap_or(&self.scalers[0]),
        };
        Ok(numbers.into_iter().map(of_number).collect())
    }

    /// By row, the number of its key: that of others, if they are given parameters, is one more than there are keys.
    pub(super) fn numbers(&self, keys: &[u32], features: &Features) -> Result<Vec<u32>> {
        check_keys(keys, features.rows())?;
        let mut numbers: Vec<u32> = Vec::with_capacity(keys.len());
        for (row, key) in keys.iter().enumerate() {
            // Rows of one key often follow each other.
            let number = match numbers.last() {
                Some(&last) if keys[row - 1] == *key => last,
                _ => match (self.keys.binary_search(key), &self.others) {
                    (Ok(place), _) => place as u32,
                    (Err(_), Some(_)) => self.keys.len() as u32,
                    (Err(_), None) => bail!(
                        Data,
                        "keys",
                        "has {key} in row {row}, which was not among the {} keys that were fitted",
                        self.keys.len()
                    ),
                },
            };
            numbers.push(number);
        }
        Ok(numbers)
    }
}

fn check_alike(first: &Scaler, other: &Scaler) -> Result<()> {
    if other.features() != first.features() {
        let (features, expected) = (other.features(), first.features());
        bail!(Shape, "scalers", "are of {expected} features, and of {features}");
    }
    if other.method() != first.method() {
        let (method, expected) = (other.method(), first.method());
        bail!(Parameter, "scalers", "are of {expected:?}, and of {method:?}");
    }
    Ok(())
}
