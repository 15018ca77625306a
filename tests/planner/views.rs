//! Where the caller's views lie: random places, and the facts that planning is told about them.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::select;
use wgnorm::geometry::{Axis, span};
use wgnorm::plan::{Facts, Operand, Role};
use wgnorm::spec::{Operation, Source, Stage, Statistic};

/// A view of a buffer, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub buffer: usize,
    pub first: u64,
    pub bytes: u64,
    written: bool,
}

/// The views that an operation takes, by role. That of the workspace has no end.
#[derive(Debug, Clone)]
pub struct Views {
    views: [Option<View>; Role::ALL.len()],
    alignment: u64,
}

/// Where y lies.
#[derive(Debug, Clone, Copy)]
pub enum Relation {
    Separate,
    InPlace,
    /// This many elements behind the end of x.
    After(u64),
    /// This many elements before the first of x.
    Before(u64),
    /// Between the elements of x, from about this distance on.
    Between(u32, bool),
}

/// Random choices about places: each role in a buffer of its own, in that of x or in another one with others.
#[derive(Debug, Clone)]
pub struct Places {
    relation: Relation,
    homes: [u8; Role::ALL.len()],
    /// Elements before a view in its buffer, or between it and the one before.
    gaps: [u64; Role::ALL.len()],
}

pub fn places() -> impl Strategy<Value = Places> {
    let gap = || prop_oneof![3 => Just(0u64), 1 => (0..4u64).prop_map(|n| 16 * n), 1 => 0..80u64, 1 => Just(1 << 14)];
    let distance = || select(vec![0u64, 0, 1, 3, 16, 48, 64, 1000, 1 << 14]);
    let relation = prop_oneof![
        2 => Just(Relation::Separate),
        2 => Just(Relation::InPlace),
        2 => distance().prop_map(Relation::After),
        1 => distance().prop_map(Relation::Before),
        2 => (1..200u32, any::<bool>()).prop_map(|(from, ahead)| Relation::Between(from, ahead)),
    ];
    let home = prop_oneof![Just([0; Role::ALL.len()]), prop::array::uniform(0..3u8)];
    (relation, home, prop::array::uniform(gap())).prop_map(|(relation, homes, gaps)| Places { relation, homes, gaps })
}

impl Views {
    pub fn new(operation: &Operation, alignment: u32, places: &Places) -> Self {
        let alignment = u64::from(alignment);
        let mut views = [None; Role::ALL.len()];
        // Bytes that are taken in each buffer: that of x, that of others, and those of one view alone.
        let mut ends = vec![0, 0];
        for (role, bytes, written) in needs(operation) {
            let gap = 4 * places.gaps[role as usize];
            let home = match role {
                Role::X => 1,
                Role::Y => u8::from(!matches!(places.relation, Relation::Separate)),
                _ => places.homes[role as usize],
            };
            let buffer = match home {
                0 => {
                    ends.push(0);
                    ends.len() - 1
                }
                home => usize::from(home) - 1,
            };
            let mut first = ends[buffer] + gap;
            match (role, views[Role::X as usize]) {
                (Role::Workspace, _) => first = first.next_multiple_of(alignment),
                (Role::Y, Some(View { first: x, .. })) if buffer == 0 => {
                    let x: i64 = x as i64 + apart(operation, places.relation) * 4;
                    // x moves up where y would begin before the buffer.
                    let missing = u64::try_from(-x).unwrap_or(0).next_multiple_of(16);
                    first = x.saturating_add_unsigned(missing) as u64;
                    if let Some(x) = &mut views[Role::X as usize] {
                        x.first += missing;
                        ends[0] = x.first + x.bytes;
                    }
                }
                _ => {}
            }
            ends[buffer] = ends[buffer].max(first + bytes);
            views[role as usize] = Some(View {
                buffer,
                first,
                bytes,
                written,
            });
        }
        Self { views, alignment }
    }

    pub fn get(&self, role: Role) -> Option<View> {
        self.views[role as usize]
    }

    pub fn all(&self) -> impl Iterator<Item = (Role, View)> {
        Role::ALL.into_iter().filter_map(|role| Some((role, self.get(role)?)))
    }

    /// Bytes of a view from the last multiple of the alignment before it to its end.
    pub fn aligned(&self, role: Role) -> (usize, Range<u64>) {
        let view = self.get(role).unwrap_or_else(|| panic!("{role:?} is not given"));
        (
            view.buffer,
            view.first - view.first % self.alignment..view.first + view.bytes,
        )
    }

    /// The buffer of an operand and its bytes there.
    pub fn resolve(&self, operand: Operand) -> (usize, Range<u64>) {
        let (role, start, size) = match operand {
            Operand::Caller { role, start, size } => (role, start, size),
            Operand::Workspace { offset, size } => (Role::Workspace, offset as i64, size),
        };
        let (buffer, view) = self.aligned(role);
        let first = view.start.checked_add_signed(start).expect("before its buffer");
        (buffer, first..first + size)
    }

    /// What binding tells of these views.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let blocks = |view: &View| view.first / self.alignment..(view.first + view.bytes).div_ceil(self.alignment);
        for (role, view) in self.all() {
            facts.offsets[role as usize] = (view.first % self.alignment / 4) as u32;
            let anywhere = matches!(role, Role::X | Role::Y | Role::Weight | Role::Bias | Role::Workspace);
            if !anywhere && view.first % self.alignment != 0 {
                facts.staged.insert(role);
            }
            let written = self
                .all()
                .any(|(_, other)| other.buffer == view.buffer && other.written);
            for (earlier, other) in self.all().take_while(|(earlier, _)| *earlier != role) {
                if other.buffer != view.buffer {
                    continue;
                }
                facts.buffers[role as usize] = facts.buffers[earlier as usize];
                let (a, b) = (blocks(&other), blocks(&view));
                if !written || a.start >= b.end || b.start >= a.end || (earlier, role) == (Role::X, Role::Y) {
                    continue;
                }
                let large = matches!(earlier, Role::X | Role::Y);
                facts.staged.insert(if large { role } else { earlier });
            }
        }
        if let (Some(x), Some(y)) = (self.get(Role::X), self.get(Role::Y))
            && x.buffer == y.buffer
        {
            facts.apart = Some((y.first as i64 - x.first as i64) / 4);
        }
        facts
    }
}

/// The views that an operation takes, with their bytes and whether they are written, in the order of roles.
fn needs(operation: &Operation) -> Vec<(Role, u64, bool)> {
    let segments: u64 = (operation.axes.iter().filter(|axis| !axis.reduced))
        .map(|axis| u64::from(axis.extent))
        .product();
    let applies = operation.stage != Stage::Statistics;
    let given = operation.source == Source::Running;
    let channels = operation
        .running
        .map_or(segments, |running| u64::from(running.channels));
    let running = applies && (given || operation.running.is_some());
    let counts = operation.running.is_some_and(|update| update.rate.is_none());
    let words = 4 * u64::from(operation.weight_len);
    let needs = [
        (Role::X, true, 4 * span(&operation.axes, |axis| axis.x), false),
        (Role::Y, applies, 4 * span(&operation.axes, |axis| axis.y), true),
        (Role::Weight, applies && operation.weight, words, false),
        (Role::Bias, applies && operation.bias, words, false),
        (
            Role::Statistics,
            applies && operation.statistics && !given,
            16 * segments,
            true,
        ),
        (Role::Moments, operation.stage != Stage::Whole, 32 * segments, !applies),
        (Role::RunningMean, running, 4 * channels, !given),
        (Role::RunningVar, running, 4 * channels, !given),
        (Role::Batches, applies && counts, 4 * channels, true),
        (Role::Workspace, true, 0, true),
    ];
    let needed = needs.into_iter().filter(|(_, needed, ..)| *needed);
    needed.map(|(role, _, bytes, written)| (role, bytes, written)).collect()
}

/// Elements from the first of x to the first of y: what the relation asks for, where y may lie there.
fn apart(operation: &Operation, relation: Relation) -> i64 {
    let axes = &operation.axes;
    let (x, y) = (span(axes, |axis| axis.x) as i64, span(axes, |axis| axis.y) as i64);
    let alike = axes.iter().all(|axis| axis.extent == 1 || axis.x == axis.y);
    let window = matches!(operation.statistic, Statistic::Window(_));
    match relation {
        Relation::InPlace if alike && !window => 0,
        Relation::Between(from, ahead) if alike => {
            let places = places_of(axes);
            let sign = if ahead { 1 } else { -1 };
            let free = |distance: &i64| {
                let moved = |place: &i64| usize::try_from(place + sign * distance).ok();
                !(places.iter()).any(|place| moved(place).is_some_and(|to| places.binary_search(&(to as i64)).is_ok()))
            };
            sign * (i64::from(from)..x.min(i64::from(from) + 32)).find(free).unwrap_or(x)
        }
        Relation::Before(gap) => -y - gap as i64,
        Relation::After(gap) => x + gap as i64,
        _ => x,
    }
}

/// The places of all elements of x, in order; of none where there are too many.
fn places_of(axes: &[Axis]) -> Vec<i64> {
    let mut places = vec![0];
    for axis in axes {
        if places.len() as u64 * u64::from(axis.extent) > 1 << 12 {
            return (0..span(axes, |axis| axis.x) as i64).take(1 << 12).collect();
        }
        places = (0..i64::from(axis.extent))
            .flat_map(|i| places.iter().map(move |place| place + i * i64::from(axis.x)))
            .collect();
    }
    places.sort_unstable();
    places
}
