// Counters by one digit of the keys: of all values in the first pass, in later ones of those that share the digits above
// with a wanted value. The table of later passes says by feature and first digit where the prefixes begin, then holds the
// prefixes, then where those of a feature end.

@group(0) @binding(1) var<storage, read> table: array<u32>;

const NONE: u32 = 0xffffffffu;

// Where the prefixes of a feature end.
fn end_of(feature: u32) -> u32 {
    if (PASS == 0u) {
        return 0u;
    }
    return table[p.ends + feature];
}

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
        if (PASS == 2u) {
            while (slot < end && table[p.prefixes + slot] >> p.prefix_shift < prefix) {
                slot++;
            }
        } else {
            // Of many, the first that is not below it lies between both.
            var beyond = max(slot, end);
            while (slot < beyond) {
                let middle = (slot + beyond) / 2u;
                if (table[p.prefixes + middle] >> p.prefix_shift < prefix) {
                    slot = middle + 1u;
                } else {
                    beyond = middle;
                }
            }
        }
        if (slot < end && table[p.prefixes + slot] >> p.prefix_shift != prefix) {
            slot = NONE;
        }
    }
    return select(slot * (p.mask + 1u) + digit, p.counters, slot >= end);
}
