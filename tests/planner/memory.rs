//! What lies in every word of the caller's buffers and the workspace: where it came from, not its value.

use crate::scenario::Scenario;
use wgnorm::plan::{Role, Step};
use wgnorm::shader::Slot;

/// What a word holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Nothing that anyone may read.
    Nothing,
    /// A word of an input, as it was: its number in the view.
    Input(Role, u32),
    /// A word of moments of the set of that number.
    Moments(u32, u8),
    /// A word of the record of the segments of a class.
    Record(u32, u8),
    /// The y of an element.
    Y(u32),
    /// The updated running statistics of a channel.
    Updated(Role, u32),
}

#[derive(Debug, Clone)]
pub struct Memory {
    pub buffers: Vec<Vec<Cell>>,
}

/// A binding of a step as its kernel sees it.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    buffer: usize,
    /// First word in the buffer.
    first: usize,
    words: usize,
    written: bool,
}

/// What one step writes: invocations run in no order, so that none sees what others write.
#[derive(Debug, Default)]
pub struct Writes {
    cells: Vec<(usize, usize, Cell)>,
}

impl Bound {
    /// The binding of `slot`, which the step is to have.
    pub fn new(scenario: &Scenario, step: &Step, slot: Slot) -> Self {
        let found = step.bindings.iter().find(|(binding, _)| binding.slot == slot);
        let (binding, operand) = found.unwrap_or_else(|| panic!("no binding of {slot:?} in {step:?}"));
        let (buffer, bytes) = scenario.views.resolve(*operand);
        Self {
            buffer,
            first: bytes.start as usize / 4,
            words: (bytes.end - bytes.start) as usize / 4,
            written: binding.written,
        }
    }

    pub fn words(&self) -> usize {
        self.words
    }

    /// The word in the buffer of word `index` of the binding.
    pub fn place(&self, index: u32) -> usize {
        assert!(
            (index as usize) < self.words,
            "word {index} of a binding of {}",
            self.words
        );
        self.first + index as usize
    }
}

impl Memory {
    pub fn read(&self, bound: Bound, index: u32) -> Cell {
        let cell = self.buffers[bound.buffer][bound.place(index)];
        assert_ne!(cell, Cell::Nothing, "word {index} of {bound:?} was never written");
        cell
    }

    /// The set of moments number `index`.
    pub fn read_moments(&self, bound: Bound, index: u32) -> u32 {
        let Cell::Moments(set, 0) = self.read(bound, 8 * index) else {
            panic!("{:?} where moments begin", self.read(bound, 8 * index));
        };
        // The padding is not read.
        for word in 1..5u8 {
            assert_eq!(self.read(bound, 8 * index + u32::from(word)), Cell::Moments(set, word));
        }
        set
    }

    /// The class of record number `index`.
    pub fn read_record(&self, bound: Bound, index: u32) -> u32 {
        let Cell::Record(class, 0) = self.read(bound, 4 * index) else {
            panic!("{:?} where a record begins", self.read(bound, 4 * index));
        };
        for word in 1..4u8 {
            assert_eq!(self.read(bound, 4 * index + u32::from(word)), Cell::Record(class, word));
        }
        class
    }

    /// Carries out what a step writes. No word is written twice, and none that the caller needs afterwards.
    pub fn commit(&mut self, writes: Writes, workspace: (usize, usize)) {
        let mut cells = writes.cells;
        cells.sort_unstable_by_key(|&(buffer, place, _)| (buffer, place));
        for pair in cells.windows(2) {
            let [(a, i, _), (b, j, _)] = pair else { unreachable!() };
            assert!((a, i) != (b, j), "word {i} of buffer {a} is written twice in one step");
        }
        for (buffer, place, cell) in cells {
            let old = &mut self.buffers[buffer][place];
            let in_workspace = buffer == workspace.0 && place >= workspace.1;
            let fine = match (*old, cell) {
                (Cell::Nothing, _) => true,
                // In place.
                (Cell::Input(Role::X, _), Cell::Y(_)) => true,
                (Cell::Input(from, _), Cell::Updated(to, _)) => from == to,
                // Parts of one block after those of another; and staged views that were copied for a read.
                (Cell::Moments(..), Cell::Moments(..)) => in_workspace,
                _ => false,
            };
            assert!(
                fine,
                "{cell:?} is written over {old:?} in word {place} of buffer {buffer}"
            );
            *old = cell;
        }
    }
}

impl Writes {
    pub fn write(&mut self, bound: Bound, index: u32, cell: Cell) {
        assert!(bound.written, "a binding that is only read is written");
        self.cells.push((bound.buffer, bound.place(index), cell));
    }

    pub fn write_moments(&mut self, bound: Bound, index: u32, set: u32) {
        for word in 0..8u8 {
            self.write(bound, 8 * index + u32::from(word), Cell::Moments(set, word));
        }
    }

    pub fn write_record(&mut self, bound: Bound, index: u32, class: u32) {
        for word in 0..4u8 {
            self.write(bound, 4 * index + u32::from(word), Cell::Record(class, word));
        }
    }
}
