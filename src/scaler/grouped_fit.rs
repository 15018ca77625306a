//! Learning parameters by key.

use std::collections::BTreeMap;

use super::element::Element;
use super::features::Features;
use super::grouped::GroupedScaler;
use super::method::Method;
use super::moments::check_weights;
use super::parallel;
use super::parameters::Scaler;
use super::passes::PassFitter;
use crate::error::{Result, bail};

/// Parameters of every key in the making: of devices, of sites. Takes the data in parts, with one key a row.
///
/// Min-max, max-abs and z-score take one pass, in parts of any rows and any keys, and fits of parts
/// [`merge`](Self::merge). What takes several passes (robust, quantile and power transforms) is given all parts again,
/// as long as [`next_pass`](Self::next_pass) says so; each key has counts of its own then. A part is copied once, by
/// key.
///
/// ```
/// use wgnorm::scaler::{Features, Method, Standard};
/// // Two devices, one of which measures 100 more; then a third, which is given what is known of all.
/// let (x, keys) = ([1.0f32, 101.0, 103.0, 3.0], [7, 9, 9, 7]);
/// let mut fitter = Method::from(Standard::new()).grouped_fitter(1)?;
/// fitter.absorb(&x, Features::whole(4), &keys)?;
/// fitter.next_pass()?;
/// let scaler = fitter.finish()?.with_others(fitter.all()?)?;
/// assert_eq!(scaler.get(9).unwrap().center(), [102.0]);
/// let mut y = [0.0f32; 3];
/// scaler.transform(&[1.0f32, 103.0, 52.0], Features::whole(3), &[7, 9, 1], &mut y)?;
/// assert_eq!(y, [-1.0, 1.0, 0.0]);
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GroupedFitter<T: Element> {
    method: Method,
    features: usize,
    groups: BTreeMap<u32, Group<T>>,
    /// Whether the first pass is done.
    begun: bool,
}

#[derive(Debug, Clone)]
struct Group<T: Element> {
    fitter: PassFitter<T>,
    /// Whether it needs its rows (again).
    reads: bool,
}

/// Rows of one key.
struct Rows {
    key: u32,
    rows: Vec<usize>,
}

impl Method {
    /// What learns parameters of every key.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`](crate::ErrorKind::Parameter) for the settings, and for methods that learn nothing.
    pub fn grouped_fitter<T: Element>(&self, features: usize) -> Result<GroupedFitter<T>> {
        self.check(features)?;
        if self.passes::<T>() == 0 {
            bail!(Parameter, "method", "{} learns nothing, by key or not", self.name());
        }
        Ok(GroupedFitter {
            method: self.clone(),
            features,
            groups: BTreeMap::new(),
            begun: false,
        })
    }

    /// Learns the parameters of the rows of every key: see [`GroupedFitter`].
    ///
    /// ```
    /// use wgnorm::scaler::{Features, Method, Robust};
    /// let (x, sites) = ([1.0f32, 20.0, 3.0, 10.0, 2.0], [0, 1, 0, 1, 0]);
    /// let scaler = Method::from(Robust::new()).fit_grouped(&x, Features::whole(5), &sites)?;
    /// assert_eq!((scaler.get(0).unwrap().center(), scaler.get(1).unwrap().center()), (&[2.0][..], &[15.0][..]));
    /// # Ok::<(), wgnorm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and [`ErrorKind::Size`](crate::ErrorKind::Size) for another number of keys than rows.
    pub fn fit_grouped<T: Element>(&self, x: &[T], features: Features, keys: &[u32]) -> Result<GroupedScaler> {
        let mut fitter = self.grouped_fitter(features.count())?;
        loop {
            fitter.absorb(x, features, keys)?;
            if !fitter.next_pass()? {
                return fitter.finish();
            }
        }
    }
}

impl<T: Element> GroupedFitter<T> {
    /// Learns from further rows, which have these keys.
    ///
    /// # Errors
    /// As [`PassFitter::absorb`]; what was learned before stays. [`ErrorKind::Size`](crate::ErrorKind::Size) for another
    /// number of keys than rows, [`Data`](crate::ErrorKind::Data) for keys that were not there in the first pass.
    pub fn absorb(&mut self, x: &[T], features: Features, keys: &[u32]) -> Result<()> {
        self.learn(x, features, keys, None)
    }

    /// Learns from further rows, which have keys and weights: for z-score.
    ///
    /// # Errors
    /// As [`absorb`](Self::absorb) and [`Fitter::partial_fit_weighted`](crate::scaler::Fitter::partial_fit_weighted).
    pub fn absorb_weighted(&mut self, x: &[T], features: Features, keys: &[u32], weights: &[f64]) -> Result<()> {
        self.method.check_weighted()?;
        check_weights(weights, features.rows())?;
        self.learn(x, features, keys, Some(weights))
    }

    fn learn(&mut self, x: &[T], features: Features, keys: &[u32], weights: Option<&[f64]>) -> Result<()> {
        features.check("x", x.len())?;
        features.expect("x", self.features)?;
        check_keys(keys, features.rows())?;
        self.method.check_domain(x, &features)?;
        let groups = by_key(keys);
        if self.method.passes::<T>() == 1 {
            return self.learn_parts(x, &features, &groups, weights);
        }
        let is_new = |group: &&Rows| self.begun && !self.groups.contains_key(&group.key);
        if let Some(Rows { key, rows }) = groups.iter().find(is_new) {
            let row = rows[0];
            bail!(
                Data,
                "keys",
                "has {key} in row {row}, which was not there at the first reading"
            );
        }
        for Rows { key, rows } in &groups {
            if !self.groups.contains_key(key) {
                self.groups.insert(*key, Group::new(&self.method, self.features)?);
            }
            if let Some(group) = self.groups.get_mut(key).filter(|group| group.reads) {
                let (x, features) = gathered(x, &features, rows);
                group.fitter.absorb(&x, features)?;
            }
        }
        Ok(())
    }

    /// Fits the rows of every key by themselves, and merges what was learned, if all of it could be.
    fn learn_parts(&mut self, x: &[T], features: &Features, groups: &[Rows], weights: Option<&[f64]>) -> Result<()> {
        let parts = parallel::map(groups, |Rows { rows, .. }| {
            let mut part = Group::new(&self.method, self.features)?;
            let (x, features) = gathered(x, features, rows);
            match weights {
                None => part.fitter.absorb(&x, features)?,
                Some(weights) => {
                    let weights: Vec<f64> = rows.iter().map(|&row| weights[row]).collect();
                    part.fitter.absorb_weighted(&x, features, &weights)?;
                }
            }
            Ok(part)
        });
        let parts: Vec<Group<T>> = parts.into_iter().collect::<Result<_>>()?;
        for (Rows { key, .. }, part) in groups.iter().zip(parts) {
            match self.groups.get_mut(key) {
                Some(group) => group.fitter.merge(&part.fitter)?,
                None => {
                    self.groups.insert(*key, part);
                }
            }
        }
        Ok(())
    }

    /// The keys so far, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = u32> {
        self.groups.keys().copied()
    }

    /// Ends a pass. True if the data are needed again, the same as before.
    ///
    /// # Errors
    /// As [`PassFitter::next_pass`].
    pub fn next_pass(&mut self) -> Result<bool> {
        if self.groups.is_empty() {
            bail!(Data, "chunks", "have no rows, there is nothing to learn from");
        }
        self.begun = true;
        for group in self.groups.values_mut().filter(|group| group.reads) {
            group.reads = group.fitter.next_pass()?;
        }
        Ok(self.groups.values().any(|group| group.reads))
    }

    /// Learns what another has learned, of the same keys or others.
    ///
    /// # Errors
    /// As [`Fitter::merge`](crate::scaler::Fitter::merge), and [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) for
    /// methods that take several passes.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.method != other.method || self.features != other.features {
            bail!(
                Parameter,
                "other",
                "is of {} features by {:?}, merged with {} by {:?}: they have to be alike",
                other.features,
                other.method,
                self.features,
                self.method
            );
        }
        self.needs_one_pass("merged")?;
        for (key, part) in &other.groups {
            match self.groups.get_mut(key) {
                Some(group) => group.fitter.merge(&part.fitter)?,
                None => {
                    self.groups.insert(*key, part.clone());
                }
            }
        }
        Ok(())
    }

    /// The scaler of all rows, whatever their keys: the groups', merged.
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) for methods that take several passes, whose groups do not
    /// merge: all rows are fitted for themselves there.
    pub fn all(&self) -> Result<Scaler> {
        self.needs_one_pass("put together")?;
        let mut all = Group::new(&self.method, self.features)?;
        for group in self.groups.values() {
            all.fitter.merge(&group.fitter)?;
        }
        all.fitter.finish()
    }

    fn needs_one_pass(&self, what: &str) -> Result<()> {
        if self.method.passes::<T>() > 1 {
            bail!(
                OnePass,
                "method",
                "{} takes several passes over the data, and its groups cannot be {what}",
                self.method.name()
            );
        }
        Ok(())
    }

    /// The scalers of what was learned, which refuse other keys unless they are told
    /// [what those get](GroupedScaler::with_others).
    ///
    /// # Errors
    /// [`ErrorKind::OnePass`](crate::ErrorKind::OnePass) before the last pass, [`Data`](crate::ErrorKind::Data) if there
    /// were no rows.
    pub fn finish(&self) -> Result<GroupedScaler> {
        let scalers = self
            .groups
            .iter()
            .map(|(key, group)| Ok((*key, group.fitter.finish()?)));
        GroupedScaler::new(scalers.collect::<Result<Vec<_>>>()?)
    }
}

impl<T: Element> Group<T> {
    fn new(method: &Method, features: usize) -> Result<Self> {
        Ok(Self {
            fitter: method.pass_fitter(features)?,
            reads: true,
        })
    }
}

/// Refuses another number of keys than rows.
pub(super) fn check_keys(keys: &[u32], rows: usize) -> Result<()> {
    if keys.len() != rows {
        bail!(Size, "keys", "has {} values for {rows} rows", keys.len());
    }
    Ok(())
}

/// The rows of every key, in order.
fn by_key(keys: &[u32]) -> Vec<Rows> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|&row| keys[row]);
    order
        .chunk_by(|&a, &b| keys[a] == keys[b])
        .map(|rows| Rows {
            key: keys[rows[0]],
            rows: rows.to_vec(),
        })
        .collect()
}

/// Some rows as a table of their own.
fn gathered<T: Element>(x: &[T], features: &Features, rows: &[usize]) -> (Vec<T>, Features) {
    let of_row = |&row| (0..features.count()).map(move |feature| x[features.offset(row, feature)]);
    (
        rows.iter().flat_map(of_row).collect(),
        Features::columns(rows.len(), features.count()),
    )
}
