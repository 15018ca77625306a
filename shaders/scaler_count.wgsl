// Counts of one digit of the keys of all features: of all values in the first pass, in later ones of those that share
// the digits above with a wanted value.
// An invocation takes a span of the rows of a feature. Equal digits that follow each other are added up before they are
// added to a counter in memory, by an atomic of integers: counts do not depend on the order. The table of later passes
// says by feature and first digit where the prefixes begin, then holds the prefixes, then where those of a feature end.
// Reads x once. No barriers. Chosen when: order statistics are selected.

@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> table: array<u32>;

const NONE: u32 = 0xffffffffu;

// The counter of a key; NONE if it is not counted.
fn counter_of(feature: u32, end: u32, key: u32) -> u32 {
    let digit = (key >> p.shift) & p.mask;
    if (FIRST_PASS) {
        return feature * (p.mask + 1u) + digit;
    }
    var slot = table[feature * 2048u + (key >> 21u)];
    let prefix = key >> p.prefix_shift;
    // Prefixes are in order. (Of no key: the loop ends at once.)
    loop {
        if (slot >= end) {
            return NONE;
        }
        let known = table[p.prefixes + slot] >> p.prefix_shift;
        if (known == prefix) {
            return slot * (p.mask + 1u) + digit;
        }
        if (known > prefix) {
            return NONE;
        }
        slot++;
    }
    return NONE;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let span = span_of(invocation_index(group, groups, local));
    if (span.feature >= p.features || span.number >= p.spans) {
        return;
    }
    var end = 0u;
    if (!FIRST_PASS) {
        end = table[p.ends + span.feature];
    }
    var counter = NONE;
    var times = 0u;
    for (var i = 0u; i < span.count; i++) {
        let key = key_of(x[place_of(span.feature, span.first + i * p.span_step)]);
        let next = counter_of(span.feature, end, key);
        if (next != counter) {
            if (counter != NONE) {
                atomicAdd(&counts[counter], times);
            }
            counter = next;
            times = 0u;
        }
        times++;
    }
    if (counter != NONE) {
        atomicAdd(&counts[counter], times);
    }
}
