//! The search for powers of the largest likelihood: a step of all features takes a pass over the data.

use super::brent::{self, Step};
use super::element::Element;
use super::features::Features;
use super::fit::{check_rows, refuse_infinity};
use super::method::{Infinities, Method};
use super::moments::{Moment, moments_of};
use super::parameters::{Fitted, Scaler, is_constant};
use super::passes::{not_again, passes_are_missing};
use super::power::{Power, PowerTransform};
use crate::error::{Result, bail};

/// Where a search starts, as scikit-learn's does.
const START: (f64, f64) = (-2.0, 2.0);

/// A fit of powers in progress.
#[derive(Debug, Clone)]
pub(super) struct PowerFit {
    method: PowerTransform,
    searches: Vec<Search>,
    /// Passes that are done.
    passes: usize,
    rows: u64,
    /// Rows of the pass before.
    rows_before: Option<u64>,
    complete: bool,
}

/// The search of a feature.
#[derive(Debug, Clone)]
struct Search {
    /// What is known of the values, and of the logarithms of their slopes.
    plain: Moment,
    slopes: Moment,
    /// What was tried, with what it was like: the less, the more likely.
    tried: Vec<(Power, f64)>,
    /// What is tried in this pass, of which so much is known.
    trial: Power,
    done: bool,
}

impl Search {
    fn new() -> Self {
        Self {
            plain: Moment::default(),
            slopes: Moment::default(),
            tried: Vec::new(),
            trial: Power {
                lambda: START.0,
                ..Power::NONE
            },
            done: false,
        }
    }

    /// Ends a pass: what next?
    fn next(&mut self, first: bool, last: bool) {
        if self.done {
            return;
        }
        if first && (self.plain.count == 0.0 || is_constant(&self.plain)) {
            // No power is more likely than another.
            let lambda = if self.plain.count == 0.0 { f64::NAN } else { 1.0 };
            self.trial.lambda = lambda;
            self.tried.clear();
            self.done = true;
            return;
        }
        let unlikely = self.unlikelihood();
        self.tried.push((self.trial, unlikely));
        let values: Vec<f64> = self.tried.iter().map(|tried| tried.1).collect();
        let found = match brent::next(START, &values) {
            Step::Value(lambda) if !last => {
                self.trial = Power { lambda, ..Power::NONE };
                return;
            }
            Step::Done(lambda) => self.tried.iter().find(|tried| tried.0.lambda == lambda),
            Step::Value(_) => None,
        };
        let best = || self.tried.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some(&(power, _)) = found.or_else(best) {
            self.trial = power;
        }
        self.done = true;
    }

    /// The negative logarithm of the likelihood of the trial; ∞ of what f64 does not hold.
    fn unlikelihood(&self) -> f64 {
        let Power { lambda, moment } = self.trial;
        let variance = moment.variance();
        if !(variance >= f64::MIN_POSITIVE && variance.is_finite()) {
            return f64::INFINITY;
        }
        let slopes = self.slopes.mean * self.slopes.count;
        let value = 0.5 * moment.count * variance.ln() - (lambda - 1.0) * slopes;
        if value.is_nan() { f64::INFINITY } else { value }
    }
}

impl PowerFit {
    pub fn new(method: PowerTransform, features: usize) -> Self {
        Self {
            method,
            searches: vec![Search::new(); features],
            passes: 0,
            rows: 0,
            rows_before: None,
            complete: false,
        }
    }

    pub fn absorb<T: Element>(&mut self, x: &[T], features: Features) -> Result<()> {
        if self.complete {
            return not_again();
        }
        features.check("x", x.len())?;
        features.expect("x", self.searches.len())?;
        let powers = self.method.power;
        if self.passes == 0 {
            Method::from(self.method.clone()).check_domain(x, &features)?;
            let plain = moments_of(x, &features, |_, x| x);
            let infinite = plain
                .iter()
                .position(|part| !(part.mean.is_finite() && part.m2.is_finite()));
            refuse_infinity(self.method.infinities == Infinities::Refuse, infinite)?;
            let slopes = moments_of(x, &features, |_, x| powers.slope(x));
            for ((search, plain), slopes) in self.searches.iter_mut().zip(plain).zip(slopes) {
                search.plain.merge(&plain);
                search.slopes.merge(&slopes);
            }
        }
        let lambdas: Vec<f64> = self.searches.iter().map(|search| search.trial.lambda).collect();
        // (What is done is not computed again, but goes along as nothing.)
        let done: Vec<bool> = self.searches.iter().map(|search| search.done).collect();
        let parts = moments_of(x, &features, |feature, x| match done[feature] {
            true => f64::NAN,
            false => powers.of(x, lambdas[feature]),
        });
        for (search, part) in self.searches.iter_mut().zip(&parts) {
            search.trial.moment.merge(part);
        }
        self.rows += features.rows() as u64;
        Ok(())
    }

    /// Ends a pass. True if the data have to be read again.
    pub fn next(&mut self) -> Result<bool> {
        if self.complete {
            return Ok(false);
        }
        check_rows(self.rows)?;
        if let Some(before) = self.rows_before.filter(|&before| before != self.rows) {
            let now = self.rows;
            bail!(
                Data,
                "chunks",
                "have {now} rows, where the first reading had {before}: all have to give the same"
            );
        }
        let (first, last) = (self.passes == 0, self.passes + 1 == PowerTransform::MOST_PASSES);
        for search in &mut self.searches {
            search.next(first, last);
        }
        self.passes += 1;
        self.rows_before = Some(std::mem::take(&mut self.rows));
        self.complete = self.searches.iter().all(|search| search.done);
        Ok(!self.complete)
    }

    pub fn finish(&self) -> Result<Scaler> {
        if !self.complete {
            return passes_are_missing();
        }
        let powers = self.searches.iter().map(|search| search.power(&self.method)).collect();
        Scaler::new(self.method.clone().into(), self.searches.len(), Fitted::Powers(powers))
    }
}

impl Search {
    /// The result.
    fn power(&self, method: &PowerTransform) -> Power {
        if !self.tried.is_empty() {
            return self.trial;
        }
        // A constant: λ = 1 takes off 1, or nothing.
        let mut moment = self.plain;
        moment.mean = method.power.of(moment.mean, 1.0);
        Power {
            lambda: self.trial.lambda,
            moment,
        }
    }
}
