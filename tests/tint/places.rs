//! From where tensors lie to what is bound: the crate's `ranges.rs`, without a device.

use std::collections::BTreeMap;

use wgnorm::plan::{Facts, Operand, Role};

/// Alignment of a storage binding, in bytes.
pub const BLOCK: u64 = 256;

/// A range of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The buffer, by number.
    pub buffer: usize,
    /// The first byte.
    pub start: u64,
    /// The byte after the last one.
    pub end: u64,
}

impl Place {
    /// The first byte of the block that the place begins in.
    fn aligned(self) -> u64 {
        self.start - self.start % BLOCK
    }

    /// True if both touch a block of one buffer.
    fn meets(self, other: Self) -> bool {
        let before = |a: Self, b: Self| a.aligned() < b.end.next_multiple_of(BLOCK);
        self.buffer == other.buffer && before(self, other) && before(other, self)
    }
}

/// Where the tensors of a call lie.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<Role, Place>);

impl Places {
    /// Adds the place of a role.
    pub fn set(&mut self, role: Role, place: Place) {
        self.0.insert(role, place);
    }

    /// The place of a role that the call has.
    pub fn get(&self, role: Role) -> Place {
        self.0[&role]
    }

    /// Only the places of some roles.
    pub fn only(&self, roles: &[Role]) -> Self {
        let chosen = self.0.iter().filter(|(role, _)| roles.contains(role));
        Self(chosen.map(|(&role, &place)| (role, place)).collect())
    }

    /// All places but that of a role.
    pub fn without(&self, role: Role) -> Self {
        let mut places = self.clone();
        places.0.remove(&role);
        places
    }

    /// What planning needs to know of the places, where the call writes some of them.
    pub fn facts(&self, writes: impl Fn(Role) -> bool) -> Facts {
        let mut facts = Facts::default();
        let mut earlier: Vec<(Role, Place)> = Vec::new();
        for (&role, &place) in &self.0 {
            // Roles without a place keep numbers below these.
            facts.buffers[role as usize] = (Role::ALL.len() + place.buffer) as u8;
            facts.offsets[role as usize] = ((place.start - place.aligned()) / 4) as u32;
            if !place.start.is_multiple_of(BLOCK) {
                match role {
                    Role::X | Role::Y | Role::Weight | Role::Bias => {}
                    Role::Dy | Role::Dx | Role::Dweight | Role::Dbias => {}
                    Role::Workspace => panic!("the workspace begins within a block"),
                    small => facts.staged.insert(small),
                }
            }
            let written = |(role, other): (&Role, &Place)| other.buffer == place.buffer && writes(*role);
            let writable = self.0.iter().any(written);
            for (other, _) in earlier.iter().filter(|(_, other)| writable && place.meets(*other)) {
                match (*other, role) {
                    (Role::X, Role::Y) => {}
                    (Role::X | Role::Dy, Role::Dx) if self.get(*other) == place => {}
                    (_, Role::Workspace) => panic!("the workspace shares a block"),
                    (Role::X | Role::Y, small) | (small, _) => facts.staged.insert(small),
                }
            }
            earlier.push((role, place));
        }
        if let (Some(x), Some(y)) = (self.0.get(&Role::X), self.0.get(&Role::Y))
            && x.buffer == y.buffer
        {
            facts.apart = Some((y.start / 4) as i64 - (x.start / 4) as i64);
        }
        facts
    }

    /// What an operand binds.
    pub fn resolve(&self, operand: Operand) -> Place {
        let (role, start, size) = match operand {
            Operand::Caller { role, start, size } => (role, start, size),
            Operand::Workspace { offset, size } => (Role::Workspace, offset as i64, size),
        };
        let place = self.get(role);
        let start = place.aligned().checked_add_signed(start).expect("a byte of the buffer");
        Place {
            start,
            end: start + size,
            ..place
        }
    }
}

/// Where the elements of a tensor lie by its strides, in row-major order of its shape: words from its first.
pub fn words(shape: &[usize], strides: &[usize]) -> Vec<u32> {
    let mut words = vec![0];
    for (&extent, &stride) in shape.iter().zip(strides) {
        words = (words.iter())
            .flat_map(|first| (0..extent).map(move |position| first + (position * stride) as u32))
            .collect();
    }
    words
}
