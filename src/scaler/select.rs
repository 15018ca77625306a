//! Exact order statistics by radix selection: of all features and any ranks at once, in a few passes over the data.
//!
//! A pass counts the values by one digit of their keys, from the highest on: of all values, then of those that share
//! the higher digits with a wanted one. The counts tell the next digit of every wanted key. Counts of parts add up in
//! any order, so that the data may come in chunks, as long as they can be read again; nothing is kept but counts.

use super::element::{Element, FIRST_BITS, Key};
use super::features::{Block, Features, Values};
use super::parallel::{self, widest};
use super::ranks::{Rank, Ranks};
use crate::error::{Result, bail};

/// Rows whose keys are counted feature by feature: what a first cache holds.
const TILE: usize = 1 << 12;
/// Where the table by first digits says that none is wanted.
const NONE: u32 = u32::MAX;
/// Ranks of a feature beyond which the digits after the first are narrow: of wide ones, each rank has 8 KB of counters.
const MANY: usize = 64;
/// The bits of a narrow digit.
const NARROW: u32 = 7;
/// Prefixes of a feature that are looked through one by one.
const FEW: usize = 8;

/// The digits by which so many ranks of a feature are selected: one a pass.
fn digits<K: Key>(ranks: usize) -> Vec<(u32, u32)> {
    if ranks <= MANY {
        return K::DIGITS.to_vec();
    }
    let mut digits = vec![K::DIGITS[0]];
    let mut rest = K::DIGITS[0].0;
    while rest > 0 {
        let bits = rest.min(NARROW);
        rest -= bits;
        digits.push((rest, bits));
    }
    digits
}

/// A selection in progress.
#[derive(Debug, Clone)]
pub(super) struct Selection<T: Element> {
    ranks: Ranks,
    features: usize,
    digits: Vec<(u32, u32)>,
    /// The pass, as an index of the digits.
    pass: usize,
    /// What has been counted in this pass.
    counts: Counts,
    /// What the first pass has counted, which the others have to find again.
    rows: u64,
    missing: Vec<u64>,
    /// The ranks that are wanted of each feature.
    wanted: Vec<Vec<Wanted<T::Key>>>,
    /// What is counted of each feature.
    slots: Slots<T::Key>,
}

/// A value that is wanted: how many are below it among those that share the digits known so far.
#[derive(Debug, Clone, Copy)]
struct Wanted<K> {
    rank: u64,
    below: u64,
    prefix: K,
    slot: usize,
}

/// The prefixes by which values are counted, in order, of one feature after the other.
#[derive(Debug, Clone)]
struct Slots<K> {
    /// Those of a feature.
    ranges: Vec<std::ops::Range<usize>>,
    prefixes: Vec<K>,
    /// By feature and first digit, the first slot.
    first: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    rows: u64,
    missing: Vec<u64>,
    infinite: Vec<bool>,
    /// By slot and digit.
    digits: Vec<u64>,
}

/// The order statistics of a feature, and what else has been counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selected {
    /// Values that are not NaN.
    pub count: u64,
    /// By rank, in order: those that were wanted.
    pub values: Vec<(u64, f64)>,
}

impl Selected {
    /// The value of a rank that was wanted.
    pub fn value(&self, rank: u64) -> f64 {
        let place = self.values.binary_search_by_key(&rank, |value| value.0);
        place.map_or(f64::NAN, |place| self.values[place].1)
    }

    /// The value of a quantile; NaN of no value.
    pub fn at(&self, quantile: &Rank) -> f64 {
        quantile.of(self.count, |rank| self.value(rank))
    }
}

impl<T: Element> Selection<T> {
    /// Prepares to count.
    pub fn new(features: usize, ranks: Ranks) -> Self {
        let mut selection = Self {
            digits: digits::<T::Key>(ranks.most()),
            ranks,
            features,
            pass: 0,
            counts: Counts::default(),
            rows: 0,
            missing: Vec::new(),
            wanted: Vec::new(),
            slots: Slots {
                ranges: (0..features).map(|feature| feature..feature + 1).collect(),
                prefixes: vec![T::Key::default(); features],
                first: Vec::new(),
            },
        };
        selection.counts = selection.nothing();
        selection
    }

    /// How often the data are read.
    pub fn passes(ranks: &Ranks) -> usize {
        digits::<T::Key>(ranks.most()).len()
    }

    fn nothing(&self) -> Counts {
        Counts {
            rows: 0,
            missing: vec![0; self.features],
            infinite: vec![false; self.features],
            digits: vec![0; self.slots.prefixes.len() << self.digits[self.pass].1],
        }
    }

    /// Counts some data in the present pass.
    pub fn count(&mut self, x: &[T], features: &Features) {
        let blocks = features.blocks();
        let threads = parallel::threads(features.elements()).min(blocks.len()).max(1);
        // As many parts as threads: each has counts of its own. What they add up to does not depend on the parts.
        let shares: Vec<&[Block]> = blocks.chunks(blocks.len().div_ceil(threads).max(1)).collect();
        let parts = parallel::map(&shares, |share| {
            let mut counts = Small::new(self);
            let mut buffer = Vec::new();
            for block in *share {
                let values = block.values(features, x, &mut buffer);
                widest!(self.count_block(values, block.features.start, &mut counts));
            }
            counts
        });
        for part in parts {
            part.add_to(&mut self.counts);
        }
        self.counts.rows += features.rows() as u64;
    }

    #[inline(always)]
    fn count_block(&self, values: Values<'_, T>, first: usize, counts: &mut Small) {
        let height = (TILE / values.width).clamp(32, 1 << 12);
        for top in (0..values.rows).step_by(height) {
            let rows = top..(top + height).min(values.rows);
            // NaN and infinities are rare, and looked for in vectors.
            let finite = rows.clone().fold(true, |finite, row| {
                let of_row =
                    (values.row(row).iter()).fold(true, |finite, x| finite & !(x.is_missing() | x.is_infinity()));
                finite & of_row
            });
            for column in 0..values.width {
                let feature = first + column;
                let column = rows.clone().map(|row| values.data[row * values.pitch + column]);
                match (self.pass, finite) {
                    (0, true) => self.count_first::<true>(column, feature, counts),
                    (0, false) => self.count_first::<false>(column, feature, counts),
                    (_, true) => self.count_further(column.map(T::finite_key), feature, counts),
                    (_, false) => self.count_further(column.map(T::key), feature, counts),
                }
            }
        }
    }

    #[inline(always)]
    fn count_first<const FINITE: bool>(&self, values: impl Iterator<Item = T>, feature: usize, counts: &mut Small) {
        let (shift, bits) = T::Key::DIGITS[0];
        let digits = &mut counts.digits[feature << bits..][..1 << bits];
        let (mut missing, mut infinite) = (0, false);
        for value in values {
            let key = if FINITE {
                value.finite_key()
            } else {
                missing += u32::from(value.is_missing());
                infinite |= value.is_infinity();
                value.key()
            };
            digits[key.shifted(shift) as usize & ((1 << bits) - 1)] += 1;
        }
        counts.missing[feature] += missing;
        counts.infinite[feature] |= infinite;
    }

    #[inline(always)]
    fn count_further(&self, keys: impl Iterator<Item = T::Key>, feature: usize, counts: &mut Small) {
        let (shift, bits) = self.digits[self.pass];
        let (first_shift, first_bits) = T::Key::DIGITS[0];
        let first = &self.slots.first[feature << FIRST_BITS..][..1 << FIRST_BITS];
        let range = &self.slots.ranges[feature];
        for key in keys {
            let slot = first[key.shifted(first_shift) as usize & ((1 << first_bits) - 1)];
            if slot == NONE {
                continue;
            }
            // Slots that share the first digit follow each other.
            let prefix = key.shifted(shift + bits);
            let mut slot = slot as usize;
            if self.pass > 1 {
                let is_below = |slot: usize| self.slots.prefixes[slot].shifted(shift + bits) < prefix;
                if range.len() <= FEW {
                    while slot < range.end && is_below(slot) {
                        slot += 1;
                    }
                } else {
                    let known = &self.slots.prefixes[slot..range.end];
                    slot += known.partition_point(|known| known.shifted(shift + bits) < prefix);
                }
                if slot == range.end || self.slots.prefixes[slot].shifted(shift + bits) != prefix {
                    continue;
                }
            }
            counts.digits[slot << bits | key.shifted(shift) as usize & ((1 << bits) - 1)] += 1;
        }
    }

    /// Ends a pass. True if the data have to be read again.
    ///
    /// # Errors
    /// If they were not the same as in the pass before.
    pub fn next(&mut self) -> Result<bool> {
        let (shift, bits) = self.digits[self.pass];
        if self.pass == 0 {
            self.rows = self.counts.rows;
            self.missing = std::mem::take(&mut self.counts.missing);
            self.want();
        } else if self.counts.rows != self.rows {
            let (first, now) = (self.rows, self.counts.rows);
            bail!(
                Data,
                "chunks",
                "have {now} rows, where the first reading had {first}: all have to give the same"
            );
        }
        for wanted in &mut self.wanted {
            for wanted in wanted {
                let digits = &self.counts.digits[wanted.slot << bits..][..1 << bits];
                let mut below = wanted.below;
                let Some(digit) = digits.iter().position(|&count| match below.checked_sub(count) {
                    Some(rest) => {
                        below = rest;
                        false
                    }
                    None => true,
                }) else {
                    bail!(
                        Data,
                        "chunks",
                        "have other values than at the first reading: all have to give the same"
                    );
                };
                wanted.below = below;
                wanted.prefix = T::Key::from_bits(wanted.prefix.shifted(0) | (digit as u64) << shift);
            }
        }
        self.pass += 1;
        if self.pass == self.digits.len() || self.wanted.iter().all(Vec::is_empty) {
            return Ok(false);
        }
        self.make_slots(shift);
        let missing = vec![0; self.features];
        self.counts = Counts {
            infinite: std::mem::take(&mut self.counts.infinite),
            missing,
            ..self.nothing()
        };
        Ok(true)
    }

    /// The ranks that are wanted of as many values as there are.
    fn want(&mut self) {
        let rows = self.rows;
        self.wanted = (self.missing.iter().enumerate())
            .map(|(feature, missing)| {
                let wanted = |rank| Wanted {
                    rank,
                    below: rank,
                    prefix: T::Key::default(),
                    slot: feature,
                };
                let ranks = self.ranks.of(rows - missing, rows);
                ranks.into_iter().map(wanted).collect()
            })
            .collect();
    }

    /// The slots of the next pass: the digits known, down to this shift.
    fn make_slots(&mut self, shift: u32) {
        let slots = &mut self.slots;
        slots.prefixes.clear();
        slots.first = vec![NONE; self.features << FIRST_BITS];
        let first_shift = T::Key::DIGITS[0].0;
        for (feature, wanted) in self.wanted.iter_mut().enumerate() {
            let start = slots.prefixes.len();
            // Ranks are in order, and so are the keys.
            for wanted in wanted {
                let known = slots.prefixes[start..].last();
                if known.is_none_or(|last| last.shifted(shift) != wanted.prefix.shifted(shift)) {
                    slots.prefixes.push(wanted.prefix);
                }
                wanted.slot = slots.prefixes.len() - 1;
                let first = &mut slots.first[feature << FIRST_BITS | wanted.prefix.shifted(first_shift) as usize];
                *first = (*first).min(wanted.slot as u32);
            }
            slots.ranges[feature] = start..slots.prefixes.len();
        }
    }

    /// How many of those equal to the value of a feature's last rank are below it in rank.
    pub fn equals_below_last(&self, feature: usize) -> u64 {
        self.wanted[feature].last().map_or(0, |wanted| wanted.below)
    }

    /// A feature that has an infinity, if any. Known after the first pass.
    pub fn infinite(&self) -> Option<usize> {
        self.counts.infinite.iter().position(|&infinite| infinite)
    }

    /// Rows of the first pass.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The results, after the last pass.
    pub fn finish(&self) -> Vec<Selected> {
        (self.wanted.iter().zip(&self.missing))
            .map(|(wanted, missing)| Selected {
                count: self.rows - missing,
                values: (wanted.iter())
                    .map(|wanted| (wanted.rank, T::from_key(wanted.prefix)))
                    .collect(),
            })
            .collect()
    }
}

/// What another counts: by digits of slots, of NaN and infinities too.
impl Selection<f32> {
    /// The present pass.
    pub fn pass(&self) -> usize {
        self.pass
    }

    /// The shift and the bits of the present digit.
    pub fn digit(&self) -> (u32, u32) {
        self.digits[self.pass]
    }

    /// Counters of the present pass.
    pub fn counters(&self) -> usize {
        self.counts.digits.len()
    }

    /// The most slots that a feature has.
    pub fn slots_of_a_feature(&self) -> usize {
        self.slots.ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// The slots as one table, and where in it the prefixes and their ends begin.
    pub fn table(&self) -> (Vec<u32>, u32, u32) {
        let mut table = self.slots.first.clone();
        let prefixes = table.len();
        table.extend(&self.slots.prefixes);
        let ends = table.len();
        table.extend(self.slots.ranges.iter().map(|range| range.end as u32));
        // Empty buffers cannot be bound.
        table.push(0);
        (table, prefixes as u32, ends as u32)
    }

    /// Adds what was counted of so many rows.
    pub fn absorb(&mut self, digits: &[u32], rows: u64) {
        for (sum, count) in self.counts.digits.iter_mut().zip(digits) {
            *sum += u64::from(*count);
        }
        self.counts.rows += rows;
        if self.pass > 0 {
            return;
        }
        // The first digits of infinities and of NaN are theirs alone.
        let (shift, bits) = <u32 as Key>::DIGITS[0];
        let digit = |value: f32| value.key().shifted(shift) as usize;
        for (feature, digits) in digits.chunks(1 << bits).enumerate() {
            self.counts.missing[feature] += u64::from(digits[digit(f32::NAN)]);
            let infinities = [f32::INFINITY, f32::NEG_INFINITY];
            self.counts.infinite[feature] |= infinities.iter().any(|&infinity| digits[digit(infinity)] > 0);
        }
    }
}

/// Counts of one thread.
struct Small {
    missing: Vec<u32>,
    infinite: Vec<bool>,
    digits: Vec<u32>,
}

impl Small {
    fn new<T: Element>(selection: &Selection<T>) -> Self {
        Self {
            missing: vec![0; selection.features],
            infinite: vec![false; selection.features],
            digits: vec![0; selection.counts.digits.len()],
        }
    }

    fn add_to(self, counts: &mut Counts) {
        let add = |sums: &mut [u64], parts: &[u32]| {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += u64::from(*part);
            }
        };
        add(&mut counts.digits, &self.digits);
        add(&mut counts.missing, &self.missing);
        for (all, part) in counts.infinite.iter_mut().zip(self.infinite) {
            *all |= part;
        }
    }
}

/// The order statistics of data in memory.
pub(super) fn select<T: Element>(x: &[T], features: &Features, ranks: Ranks) -> Result<(Vec<Selected>, Option<usize>)> {
    let mut selection = Selection::<T>::new(features.count(), ranks);
    loop {
        selection.count(x, features);
        if !selection.next()? {
            return Ok((selection.finish(), selection.infinite()));
        }
    }
}
