// Counts of one digit of the keys of all features: of all values in the first pass, in later ones of those that share
// the digits above with a wanted value.
// An invocation takes a span of the rows of a feature. Counters are in memory, and atomic integers: counts do not depend on
// the order. On hardware equal digits that follow each other are added up first, so that tied data do not queue at one
// counter; software adapters, whose lanes take turns anyway, only leave out what nobody wants. The table of later passes
// says by feature and first digit where the prefixes begin, then holds the prefixes, then where those of a feature end.
// Reads x once. No barriers. Chosen when: order statistics are selected.

@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

const NONE: u32 = 0xffffffffu;

// The counter of a key; the one beyond all, which nobody reads, if it is not wanted.
fn counter_of(feature: u32, end: u32, key: u32) -> u32 {
    let digit = (key >> p.shift) & p.mask;
    if (PASS == 0u) {
        return feature * (p.mask + 1u) + digit;
    }
    var slot = table[feature * 2048u + (key >> 21u)];
    if (PASS > 1u) {
        // Several prefixes may share the first digit. They are in order.
        let prefix = key >> p.prefix_shift;
        while (slot < end && table[p.prefixes + slot] >> p.prefix_shift < prefix) {
            slot++;
        }
        if (slot < end && table[p.prefixes + slot] >> p.prefix_shift != prefix) {
            slot = NONE;
        }
    }
    return select(slot * (p.mask + 1u) + digit, p.counters, slot >= end);
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
    if (PASS > 0u) {
        end = table[p.ends + span.feature];
    }
    var counter = p.counters;
    var times = 0u;
    for (var i = 0u; i < span.count; i++) {
        let key = key_of(load(place_of(span.feature, row_of(span, i))));
        let next = counter_of(span.feature, end, key);
        if (!AGGREGATE) {
            // All threads would wait for the counter of nobody.
            if (next != p.counters) {
                atomicAdd(&counts[next], 1u);
            }
            continue;
        }
        if (next != counter) {
            if (counter != p.counters) {
                atomicAdd(&counts[counter], times);
            }
            counter = next;
            times = 0u;
        }
        times++;
    }
    if (AGGREGATE && counter != p.counters) {
        atomicAdd(&counts[counter], times);
    }
}
