// Counters of a histogram: p.counters in all, of each feature one for what is below all edges, one a bin, one for what is
// above, one for NaN. The table has as many keys a feature as edges: the first keys of the bins, and the first beyond.

@group(0) @binding(1) var<storage, read> table: array<u32>;

// Where the edges of a feature end.
fn end_of(feature: u32) -> u32 {
    return (feature + 1u) * p.edges;
}

fn counter_of(feature: u32, end: u32, key: u32) -> u32 {
    let first = feature * p.edges;
    var passed = first;
    var beyond = end;
    while (passed < beyond) {
        let middle = (passed + beyond) / 2u;
        if (table[middle] <= key) {
            passed = middle + 1u;
        } else {
            beyond = middle;
        }
    }
    let number = select(passed - first, p.edges + 1u, key == 0xffffffffu);
    return feature * (p.edges + 2u) + number;
}
