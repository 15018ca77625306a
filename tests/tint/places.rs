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
    /// What is bound to reach the place: from the start of its first block on.
    fn bound(self) -> Self {
        Self {
            start: self.start - self.start % BLOCK,
            ..self
        }
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

    /// One binding over x and y, where they touch the same block.
    fn union(&self) -> Option<Place> {
        let (x, y) = (self.0.get(&Role::X)?.bound(), self.0.get(&Role::Y)?.bound());
        (x.buffer == y.buffer && x.start < y.end && y.start < x.end).then_some(Place {
            buffer: x.buffer,
            start: x.start.min(y.start),
            end: x.end.max(y.end),
        })
    }

    fn bound(&self, role: Role) -> Place {
        match (role, self.union()) {
            (Role::X | Role::Y, Some(union)) => union,
            _ => self.get(role).bound(),
        }
    }

    /// What planning needs to know of the places.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts {
            output_in_x: self.union().is_some(),
            ..Facts::default()
        };
        for (&role, place) in &self.0 {
            // Roles without a place keep numbers below these.
            facts.buffers[role as usize] = (Role::ALL.len() + place.buffer) as u8;
            let before = ((place.start - self.bound(role).start) / 4) as u32;
            match role {
                Role::X => facts.offsets.x = before,
                Role::Y => facts.offsets.y = before,
                Role::Weight => facts.offsets.weight = before,
                Role::Bias => facts.offsets.bias = before,
                _ => assert_eq!(before, 0, "{role:?} begins within a block"),
            }
        }
        facts
    }

    /// What an operand binds.
    pub fn resolve(&self, operand: Operand) -> Place {
        match operand {
            Operand::Caller(role) => self.bound(role),
            Operand::Workspace { offset, size } => {
                let workspace = self.bound(Role::Workspace);
                let start = workspace.start + offset;
                Place {
                    start,
                    end: start + size,
                    ..workspace
                }
            }
        }
    }
}
