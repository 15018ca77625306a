//! What a plan is to do, by definition: for every element its place in y, its weight, its segment and its neighbours.

use wgnorm::geometry::span;
use wgnorm::plan::Role;
use wgnorm::spec::{Operation, Source, Stage, Statistic};

use crate::memory::{Cell, Memory};
use crate::scenario::Scenario;

/// One element of the tensor; places count words from the first of a view.
#[derive(Debug, Clone, Copy, Default)]
pub struct Element {
    pub x: u32,
    pub y: u32,
    pub weight: u32,
    pub record: u32,
    /// Position along the reduced axes: the channel, where there is a window.
    pub channel: u32,
}

pub struct Expected {
    pub elements: Vec<Element>,
    /// The element of each word of y.
    by_y: Vec<Option<u32>>,
    /// Where the elements of a segment lie, from the first on.
    offsets: Vec<u32>,
    /// The class of every segment: segments that are the same words of x have the same.
    pub classes: Vec<u32>,
    /// True if moments are given, or records' sources are.
    given: bool,
    /// Neighbours before and after an element, the channels, and how far these are apart.
    pub window: Option<(u32, u32, u32, u32)>,
    /// The caller's buffers before the call.
    pub memory: Memory,
}

impl Expected {
    pub fn new(scenario: &Scenario) -> Self {
        let operation = &scenario.operation;
        let elements = elements(operation);
        let mut by_y = vec![None; span(&operation.axes, |axis| axis.y) as usize];
        for (i, element) in elements.iter().enumerate() {
            let old = by_y[element.y as usize].replace(i as u32);
            assert!(old.is_none(), "two elements of y share a place");
        }
        let given = operation.stage == Stage::Apply || operation.source == Source::Running;
        let segments = 1 + elements.iter().map(|element| element.record).max().unwrap_or(0);
        let mut classes: Vec<_> = (0..segments).collect();
        let first = |record| elements.iter().filter(move |element| element.record == record);
        if !given {
            // Segments have equal strides: the one with the lowest words begins there.
            for element in elements.iter().rev() {
                classes[element.record as usize] = element.x;
            }
        }
        let base = elements.first().map_or(0, |element| element.x);
        let mut offsets: Vec<_> = first(0).map(|element| element.x - base).collect();
        offsets.sort_unstable();
        let window = match operation.statistic {
            Statistic::Window(window) => {
                let axis = operation.axes.iter().find(|axis| axis.reduced);
                let (channels, stride) = axis.map_or((1, 0), |axis| (axis.extent, axis.x));
                Some((window.left, window.right, channels, stride))
            }
            _ => None,
        };
        Self {
            memory: memory(scenario, segments),
            elements,
            by_y,
            offsets,
            classes,
            given,
            window,
        }
    }

    /// The element whose y is in this word of the view.
    pub fn at_y(&self, word: usize) -> Element {
        let element = self.by_y.get(word).copied().flatten();
        self.elements[element.unwrap_or_else(|| panic!("word {word} of y is no element")) as usize]
    }

    /// The class of the segments that consist of these words of x, each met as often as it is met there.
    pub fn class(&self, set: &[u32]) -> u32 {
        if self.given {
            assert_eq!(set.len(), 1, "given moments are merged: {set:?}");
            return set[0];
        }
        let mut sorted = set.to_vec();
        sorted.sort_unstable();
        let base = *sorted.first().expect("statistics of nothing");
        let same = sorted.len() == self.offsets.len() && sorted.iter().zip(&self.offsets).all(|(x, o)| x - base == *o);
        assert!(same, "words {sorted:?} are no segment");
        base
    }

    /// The sets of the moments that are given.
    pub fn given_sets(&self) -> Vec<Vec<u32>> {
        let given = if self.given { self.classes.as_slice() } else { &[] };
        given.iter().map(|&class| vec![class]).collect()
    }

    /// What the views hold at last: outputs once, and all else as it was.
    pub fn check(&self, scenario: &Scenario, memory: &Memory, sets: &[Vec<u32>]) {
        let operation = &scenario.operation;
        let mut expected = self.memory.buffers.clone();
        for (role, view) in scenario.views.all() {
            let first = view.first as usize / 4;
            let words = view.bytes as usize / 4;
            let updates = operation.running.is_some();
            for word in 0..words as u32 {
                let place = first + word as usize;
                let cell = &mut expected[view.buffer][place];
                match role {
                    Role::Y => {
                        if let Some(element) = self.by_y[word as usize] {
                            *cell = Cell::Y(self.elements[element as usize].y);
                        }
                    }
                    Role::Statistics => {
                        *cell = Cell::Record(self.classes[word as usize / 4], (word % 4) as u8);
                    }
                    Role::Moments if operation.stage == Stage::Statistics => {
                        let found = memory.buffers[view.buffer][place];
                        let Cell::Moments(set, at) = found else {
                            panic!("{found:?} where moments are to be");
                        };
                        let class = self.classes[word as usize / 8];
                        assert!(u32::from(at) == word % 8 && (at > 0 || self.class(&sets[set as usize]) == class));
                        *cell = found;
                    }
                    Role::RunningMean | Role::RunningVar | Role::Batches if updates => {
                        *cell = Cell::Updated(role, word)
                    }
                    _ => {}
                }
            }
        }
        for (i, (found, expected)) in memory.buffers.iter().zip(&expected).enumerate() {
            for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_eq!(found, expected, "word {place} of buffer {i}");
            }
        }
    }
}

/// All elements, in the order of the shape.
fn elements(operation: &Operation) -> Vec<Element> {
    let mut elements = vec![Element::default()];
    for axis in &operation.axes {
        let along = |element: Element| {
            (0..axis.extent).map(move |i| Element {
                x: element.x + i * axis.x,
                y: element.y + i * axis.y,
                weight: element.weight + i * axis.weight,
                record: element.record + i * axis.record,
                channel: if axis.reduced {
                    element.channel * axis.extent + i
                } else {
                    element.channel
                },
            })
        };
        elements = elements.into_iter().flat_map(along).collect();
    }
    elements
}

/// The caller's buffers: inputs, and nothing elsewhere.
fn memory(scenario: &Scenario, segments: u32) -> Memory {
    let operation = &scenario.operation;
    let mut buffers: Vec<Vec<Cell>> = Vec::new();
    for (role, view) in scenario.views.all() {
        let end = (view.first + view.bytes) as usize / 4;
        buffers.resize(buffers.len().max(view.buffer + 1), Vec::new());
        let buffer = &mut buffers[view.buffer];
        buffer.resize(buffer.len().max(end), Cell::Nothing);
        let first = view.first as usize / 4;
        let mut put = |word: u32, cell| buffer[first + word as usize] = cell;
        match role {
            // Not what lies between its elements.
            Role::X => (elements(operation).iter()).for_each(|element| put(element.x, Cell::Input(role, element.x))),
            Role::Moments if operation.stage == Stage::Apply => {
                (0..8 * segments).for_each(|word| put(word, Cell::Moments(word / 8, (word % 8) as u8)));
            }
            Role::Weight | Role::Bias | Role::RunningMean | Role::RunningVar | Role::Batches => {
                (0..view.bytes as u32 / 4).for_each(|word| put(word, Cell::Input(role, word)));
            }
            _ => {}
        }
    }
    Memory { buffers }
}
