//! The kernels on the CPU, by what they read and write: every step of a recipe is carried out on the origins of words.

use wgnorm::plan::{Recipe, Role, Step};
use wgnorm::shader::{Kernel, Parameters, Slot};

use crate::expected::{Element, Expected};
use crate::memory::{Bound, Cell, Memory, Writes};
use crate::scenario::Scenario;
use crate::walk::{Cursor, Walk, shares};

/// The bindings of a kernel that reads x, and who read each word: where y is written in place, no other may.
struct Tensors<'a> {
    walk: Walk<'a>,
    x: Bound,
    y: Option<Bound>,
    weight: Option<Bound>,
    bias: Option<Bound>,
    readers: Option<Vec<u32>>,
}

const NOBODY: u32 = u32::MAX;
const MANY: u32 = u32::MAX - 1;

pub struct Machine<'a> {
    scenario: &'a Scenario,
    expected: &'a Expected,
    memory: Memory,
    /// The words of x (or the given moments) that moments are of.
    sets: Vec<Vec<u32>>,
    workspace: (usize, usize),
}

/// Carries out the recipe, and checks that it does what it is to do.
pub fn run(scenario: &Scenario, expected: &Expected, recipe: &Recipe) {
    let mut machine = Machine::new(scenario, expected, recipe);
    for step in &recipe.steps {
        machine.step(step);
    }
    let Machine {
        mut memory,
        sets,
        workspace: (buffer, first),
        ..
    } = machine;
    memory.buffers[buffer].truncate(first);
    expected.check(scenario, &memory, &sets);
}

impl<'a> Machine<'a> {
    fn new(scenario: &'a Scenario, expected: &'a Expected, recipe: &Recipe) -> Self {
        let mut memory = expected.memory.clone();
        let (buffer, bytes) = scenario.views.aligned(Role::Workspace);
        let first = bytes.start as usize / 4;
        memory.buffers[buffer].resize(first + recipe.workspace as usize / 4, Cell::Nothing);
        Self {
            scenario,
            expected,
            memory,
            sets: expected.given_sets(),
            workspace: (buffer, first),
        }
    }

    fn step(&mut self, step: &Step) {
        let mut writes = Writes::default();
        match step.header.kernel {
            Kernel::Copy => self.copy(step, &mut writes),
            Kernel::Given => self.given(step, &mut writes),
            Kernel::Running => self.running(step, &mut writes),
            Kernel::Finish => self.finish(step, &mut writes),
            Kernel::Partial => self.partial(step, &mut writes),
            Kernel::Apply => self.apply(step, &mut writes),
            Kernel::Window => self.window(step, &mut writes),
            Kernel::Lane | Kernel::ShortRows | Kernel::Resident | Kernel::Tile => self.whole(step, &mut writes),
            kernel => panic!("{} has no part in a forward pass", kernel.name()),
        }
        self.memory.commit(writes, self.workspace);
    }

    fn bound(&self, step: &Step, slot: Slot) -> Bound {
        Bound::new(self.scenario, step, slot)
    }

    /// Invocations of kernels where each works alone, up to `most`.
    fn invocations(step: &Step, most: u32) -> std::ops::Range<u32> {
        let all = step.workgroups * u64::from(step.header.workgroup);
        0..u64::from(most).min(all) as u32
    }

    fn copy(&self, step: &Step, writes: &mut Writes) {
        let (p, from, to) = (&step.params, self.bound(step, Slot::From), self.bound(step, Slot::To));
        for i in Self::invocations(step, p.units) {
            writes.write(to, p.y_offset + i, self.memory.read(from, p.x_offset + i));
        }
    }

    fn given(&self, step: &Step, writes: &mut Writes) {
        let records = self.bound(step, Slot::Records);
        for channel in Self::invocations(step, step.params.segments) {
            for (role, slot) in [
                (Role::RunningMean, Slot::RunningMean),
                (Role::RunningVar, Slot::RunningVar),
            ] {
                let found = self.memory.read(self.bound(step, slot), channel);
                assert_eq!(found, Cell::Input(role, channel));
            }
            writes.write_record(records, channel, channel);
        }
    }

    fn running(&self, step: &Step, writes: &mut Writes) {
        let (p, parts) = (&step.params, self.bound(step, Slot::Parts));
        for channel in Self::invocations(step, p.segments) {
            for i in 0..p.instances {
                let segment = i * p.segments + channel;
                let set = self.memory.read_moments(parts, segment);
                assert_eq!(self.class(set), self.expected.classes[segment as usize]);
            }
            self.update(step, channel, writes);
        }
        let all = p.segments as usize * p.instances as usize;
        assert_eq!(
            all,
            self.expected.classes.len(),
            "not all segments enter the running statistics"
        );
    }

    /// Updates the running statistics of a channel.
    fn update(&self, step: &Step, channel: u32, writes: &mut Writes) {
        let updated = [
            (Role::RunningMean, Slot::RunningMean),
            (Role::RunningVar, Slot::RunningVar),
            (Role::Batches, Slot::Batches),
        ];
        let bound = |slot| step.bindings.iter().any(|(binding, _)| binding.slot == slot);
        for (role, slot) in updated.into_iter().filter(|(_, slot)| bound(*slot)) {
            let bound = self.bound(step, slot);
            assert_eq!(self.memory.read(bound, channel), Cell::Input(role, channel));
            writes.write(bound, channel, Cell::Updated(role, channel));
        }
    }

    /// The words that the parts of a segment consist of.
    fn parts(&self, step: &Step, segment: u32) -> Vec<u32> {
        let (p, parts) = (&step.params, self.bound(step, Slot::Parts));
        let part = |i: u32| (i / p.parts_group) * p.parts_stride + segment * p.parts_group + i % p.parts_group;
        (0..p.parts)
            .flat_map(|i| &self.sets[self.memory.read_moments(parts, part(i)) as usize])
            .copied()
            .collect()
    }

    fn finish(&mut self, step: &Step, writes: &mut Writes) {
        let (p, walk) = (&step.params, Walk::new(step));
        let segments = match step.header.lanes {
            1 => Self::invocations(step, p.segments),
            _ => 0..p.segments.min(step.workgroups as u32),
        };
        for segment in segments {
            let set = self.parts(step, segment);
            self.emit(step, walk.segment_at(segment).record, set, writes);
        }
    }

    /// Writes the moments and the record of what consists of these words, and updates its running statistics.
    fn emit(&mut self, step: &Step, index: u32, set: Vec<u32>, writes: &mut Writes) -> u32 {
        let class = self.expected.class(&set);
        self.sets.push(set);
        if step.header.moments {
            writes.write_moments(self.bound(step, Slot::Moments), index, self.sets.len() as u32 - 1);
        }
        if step.header.records {
            writes.write_record(self.bound(step, Slot::Records), index, class);
        }
        if step.header.running {
            assert_eq!(class, self.expected.classes[index as usize]);
            self.update(step, index, writes);
        }
        class
    }

    fn partial(&mut self, step: &Step, writes: &mut Writes) {
        let mut tensors = self.tensors(step);
        let (walk, p, columns) = (tensors.walk, &step.params, step.header.unit.segments());
        let moments = self.bound(step, Slot::Moments);
        // Parts are what the lanes of a span read together.
        let mut parts = vec![Vec::new(); (p.segments * p.spans * columns) as usize];
        for share in shares(step) {
            let part = (share.segment * p.spans + share.span) * columns;
            let at = walk.segment_at(share.segment);
            for c in walk.cursors(at, share.first, share.units) {
                for j in 0..walk.reach(c) {
                    let word = self.read_x(&mut tensors, c.x, j, part);
                    parts[(part + j % columns) as usize].push(word);
                }
            }
        }
        for (i, set) in (0..).zip(parts) {
            assert!(!set.is_empty(), "a span of nothing");
            let (segment, span) = (i / columns / p.spans, i / columns % p.spans);
            let record = walk.segment_at(segment).record + i % columns * step.header.record_step;
            self.sets.push(set);
            let at = p.first_span * p.parts_stride + walk.part(span, record);
            writes.write_moments(moments, at, self.sets.len() as u32 - 1);
        }
    }

    /// The kernels that do everything at once.
    fn whole(&mut self, step: &Step, writes: &mut Writes) {
        let mut tensors = self.tensors(step);
        let (walk, header, p) = (tensors.walk, &step.header, &step.params);
        let columns = header.unit.segments();
        let registers = matches!(header.kernel, Kernel::ShortRows | Kernel::Resident);
        if registers {
            assert!(header.lanes * header.units >= p.units);
            assert!(!header.full_lanes || p.units == header.lanes * header.units);
            let loose = (0..p.segments).map(|segment| walk.loose(walk.segment_at(segment)));
            let most = loose.max().unwrap_or(0).div_ceil(header.lanes);
            match header.sixteens {
                true => assert!(header.tail_share >= most && !header.full_lanes),
                false => assert_eq!(header.tail_share, most),
            }
        }
        let shares = shares(step);
        let mut sets = vec![Vec::new(); (p.segments * columns) as usize];
        for share in &shares {
            let at = walk.segment_at(share.segment);
            for (c, elements) in walk.moves(at, share) {
                for j in elements {
                    let word = self.read_x(&mut tensors, c.x, j, share.segment);
                    sets[(share.segment * columns + j % columns) as usize].push(word);
                }
            }
        }
        let mut classes = Vec::with_capacity(sets.len());
        for (i, set) in (0..).zip(sets) {
            let record = walk.segment_at(i / columns).record + i % columns * header.record_step;
            classes.push(self.emit(step, record, set, writes));
        }
        for share in &shares {
            let at = walk.segment_at(share.segment);
            let held = walk.segment_at(share.segment % header.period);
            let mut kept = walk.moves(held, share);
            for (c, elements) in walk.moves(at, share) {
                let kept = kept.next();
                let weight = match registers && header.hold {
                    true => kept.map_or(0, |(kept, _)| kept.weight),
                    false => c.weight,
                };
                for j in elements {
                    let class = classes[(share.segment * columns + j % columns) as usize];
                    let element = self.store(&tensors, c, weight, j, share.segment, writes);
                    assert_eq!(class, self.expected.classes[element.record as usize], "{element:?}");
                }
            }
        }
    }

    fn apply(&mut self, step: &Step, writes: &mut Writes) {
        let mut tensors = self.tensors(step);
        let (walk, header) = (tensors.walk, &step.header);
        let columns = header.unit.segments();
        let shares = shares(step);
        for (owner, share) in (0..).zip(&shares) {
            for c in walk.cursors(walk.segment_at(share.segment), share.first, share.units) {
                for j in 0..walk.reach(c) {
                    self.read_x(&mut tensors, c.x, j, owner);
                }
            }
        }
        for (owner, share) in (0..).zip(&shares) {
            let at = walk.segment_at(share.segment);
            let classes: Vec<_> = match header.merges {
                true => {
                    let set = self.parts(step, at.record);
                    vec![match share.first {
                        0 => self.emit(step, at.record, set, writes),
                        _ => self.expected.class(&set),
                    }]
                }
                false => (0..columns)
                    .map(|column| walk.record(at.record + column * header.record_step))
                    .map(|record| self.memory.read_record(self.bound(step, Slot::Records), record))
                    .collect(),
            };
            for c in walk.cursors(at, share.first, share.units) {
                let weight = c.weight;
                for j in 0..walk.reach(c) {
                    let element = self.store(&tensors, c, weight, j, owner, writes);
                    let class = classes[(j % columns) as usize];
                    assert_eq!(class, self.expected.classes[element.record as usize], "{element:?}");
                }
            }
        }
    }

    fn window(&mut self, step: &Step, writes: &mut Writes) {
        let mut tensors = self.tensors(step);
        let (walk, p) = (tensors.walk, &step.params);
        let (left, right, channels, stride) = self.expected.window.expect("a window");
        for (owner, share) in (0..).zip(shares(step)) {
            let at = walk.segment_at(share.segment);
            for (i, c) in (0..).zip(walk.cursors(at, share.first, share.units)) {
                let channel = share.channel + i;
                let before = p.window_left.min(channel);
                let count = before + 1 + p.window_right.min(p.channels - 1 - channel);
                for j in 0..walk.reach(c) {
                    let element = self.store(&tensors, c, c.weight, j, owner, writes);
                    let first = element.channel.saturating_sub(left);
                    let last = (element.channel + right).min(channels - 1);
                    assert_eq!(count, last - first + 1, "neighbours of {element:?}");
                    for neighbour in 0..count {
                        let unit = c.x - before * p.step_x + neighbour * p.step_x;
                        let word = self.read_x(&mut tensors, unit, j, owner);
                        let expected = i64::from(element.x)
                            + (i64::from(first + neighbour) - i64::from(element.channel)) * i64::from(stride);
                        assert_eq!(i64::from(word), expected, "neighbour {neighbour} of {element:?}");
                    }
                }
            }
        }
    }

    fn class(&self, set: u32) -> u32 {
        self.expected.class(&self.sets[set as usize])
    }

    fn tensors<'s>(&self, step: &'s Step) -> Tensors<'s> {
        let header = &step.header;
        let writes_y = header.kernel != Kernel::Partial;
        let slot = |used: bool, slot| used.then(|| self.bound(step, slot));
        let x = self.bound(step, Slot::X);
        let in_x = writes_y && header.output_in_x;
        Tensors {
            walk: Walk::new(step),
            x,
            y: if in_x { Some(x) } else { slot(writes_y, Slot::Y) },
            weight: slot(writes_y && header.weight, Slot::Weight),
            bias: slot(writes_y && header.bias, Slot::Bias),
            readers: in_x.then(|| vec![NOBODY; x.words()]),
        }
    }

    /// The word of x in component `j` of a unit, read by `owner`.
    fn read_x(&self, tensors: &mut Tensors<'_>, unit: u32, j: u32, owner: u32) -> u32 {
        let index = tensors.walk.element(unit, j);
        let cell = self.memory.read(tensors.x, index);
        let Cell::Input(Role::X, word) = cell else {
            panic!("{cell:?} is read as x");
        };
        if let Some(readers) = &mut tensors.readers {
            let reader = &mut readers[index as usize];
            *reader = if *reader == NOBODY || *reader == owner {
                owner
            } else {
                MANY
            };
        }
        word
    }

    /// Component `j` of a unit of y, made of the x at the same place of the walk.
    fn store(&self, tensors: &Tensors<'_>, c: Cursor, weight: u32, j: u32, owner: u32, writes: &mut Writes) -> Element {
        let walk = tensors.walk;
        let bound = tensors.y.expect("a binding of y");
        let y = walk.element(walk.place_in_y(c), j);
        let view = self.scenario.views.get(Role::Y).expect("a view of y");
        let place = bound.place(y);
        let before = place.checked_sub(view.first as usize / 4);
        let element = self.expected.at_y(before.expect("before the first of y"));
        let x = self.memory.read(tensors.x, walk.element(c.x, j));
        assert_eq!(x, Cell::Input(Role::X, element.x), "x of {element:?}");
        if let Some(readers) = &tensors.readers {
            let reader = readers[y as usize];
            assert!(
                reader == NOBODY || reader == owner,
                "y of {element:?} is written over what others read"
            );
        }
        let parameter = |bound, first: u32, index: u32, role| {
            let index = match walk.header.parameters {
                Parameters::Scalar if walk.header.fold > 1 => walk.of_column(index + j, first),
                Parameters::Scalar => index,
                Parameters::Unit | Parameters::Eighths | Parameters::Quarters => walk.element(index, j),
            };
            let found = self.memory.read(bound, index);
            assert_eq!(found, Cell::Input(role, element.weight), "{role:?} of {element:?}");
        };
        if let Some(bound) = tensors.weight {
            parameter(bound, walk.p.weight_offset, weight, Role::Weight);
        }
        if let Some(bound) = tensors.bias {
            let first = walk.place_in_bias(walk.p.weight_offset);
            parameter(bound, first, walk.place_in_bias(weight), Role::Bias);
        }
        writes.write(bound, y, Cell::Y(element.y));
        element
    }
}
