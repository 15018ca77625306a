// Counts of the values of all features by a counter that each has, or none.
// An invocation takes a span of the rows of a feature. Counters are in memory, and atomic integers: counts do not depend on
// the order. On hardware equal digits that follow each other are added up first, so that tied data do not queue at one
// counter; software adapters, whose lanes take turns anyway, only leave out what nobody wants.
// Reads x once. No barriers. Chosen when: order statistics are selected, and histograms counted.

@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;

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
    let end = end_of(span.feature);
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
