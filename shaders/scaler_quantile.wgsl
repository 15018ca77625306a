// A quantile transform, and back, through references at equal distances of the share.
//   y = F(x) = (i + t) / last,  reference i <= x < reference i + 1,  t how far between both
// In the middle of references that are equal. To a normal distribution, y is the quantile of that share, held between two
// ends; shares near 1 are reckoned from above, where f32 has digits for them. Of each parameters the table has two keys,
// at or below (above) which x, or y on the way back, is at the first (last) reference, then the references: the key of
// the nearest f32, and the rest.

@group(0) @binding(1) var<storage, read> table: array<u32>;

struct Reference {
    key: u32,
    rest: f32,
}

fn reference(base: u32, i: u32) -> Reference {
    return Reference(table[base + 2u * i + 2u], bitcast<f32>(table[base + 2u * i + 3u]));
}

// References that are below x, or with equal ones.
fn references_below(base: u32, key: u32, equal: bool) -> u32 {
    var below = 0u;
    var beyond = p.edges;
    while (below < beyond) {
        let middle = (below + beyond) / 2u;
        let found = reference(base, middle);
        let is_equal = found.key == key && found.rest == 0.0;
        if (found.key < key || (found.key == key && found.rest < 0.0) || (equal && is_equal)) {
            below = middle + 1u;
        } else {
            beyond = middle;
        }
    }
    return below;
}

// Two references on a scale on which both are at most 2.
struct Gap {
    low: f32,
    low_rest: f32,
    high: f32,
    high_rest: f32,
    width: f32,
    scale: f32,
    exponent: i32,
}

fn gap_of(low: Reference, high: Reference) -> Gap {
    let ends = vec2(bits_of_key(low.key), bits_of_key(high.key));
    let exponent = clamp(i32(max(ends.x & ABS, ends.y & ABS) >> 23u) - 127, -126, 126);
    let scale = power_of_two(-exponent);
    var gap = Gap(bitcast<f32>(ends.x) * scale, low.rest * scale, bitcast<f32>(ends.y) * scale, high.rest * scale, 0.0, scale, exponent);
    gap.width = opaque(gap.high - gap.low) + (gap.high_rest - gap.low_rest);
    return gap;
}

const LOWEST: u32 = 0x007fffffu;   // the keys of both infinities
const HIGHEST: u32 = 0xff800000u;

// A share: i + t of all, of which i + 1 is u away.
struct Place {
    i: u32,
    t: f32,
    u: f32,
}

fn value_of(place: Place) -> f32 {
    let last = p.edges - 1u;
    if (!NORMAL) {
        return select((f32(place.i) + place.t) / f32(last), 0.0, last == 0u);
    }
    let from_middle = (f32(i32(2u * place.i) - i32(last)) + 2.0 * place.t) / (2.0 * f32(max(last, 1u)));
    let below = (f32(place.i) + place.t) / f32(max(last, 1u));
    let above = (f32(i32(last - place.i) - 1) + place.u) / f32(max(last, 1u));
    if (abs(from_middle) <= 0.425) {
        let r = 0.180625 - from_middle * from_middle;
        let numerator = 3.3871327179 + r * (50.434271938 + r * (159.29113202 + r * 59.109374720));
        return from_middle * numerator / (1.0 + r * (17.895169469 + r * (78.757757664 + r * 67.187563600)));
    }
    // Wichura's algorithm AS 241, PPND7, here as above.
    let root = sqrt(-ln(bitcast<u32>(max(min(below, above), 1e-9))));
    var magnitude = 0.0;
    if (root <= 5.0) {
        let r = root - 1.6;
        let numerator = 1.4234372777 + r * (2.7568153900 + r * (1.3067284816 + r * 0.17023821103));
        magnitude = numerator / (1.0 + r * (0.73700164250 + r * 0.12021132975));
    } else {
        let r = root - 5.0;
        let numerator = 6.6579051150 + r * (3.0812263860 + r * (0.42868294337 + r * 0.017337203997));
        magnitude = numerator / (1.0 + r * (0.24197894225 + r * 0.012258202635));
    }
    return clamp(select(magnitude, -magnitude, from_middle < 0.0), p.low, p.high);
}

fn transformed(base: u32, bits: u32) -> u32 {
    let last = p.edges - 1u;
    let key = key_of(bits);
    if (key <= table[base]) {
        return bitcast<u32>(p.low);
    }
    if (key >= table[base + 1u]) {
        return bitcast<u32>(p.high);
    }
    var place = Place(0u, 0.0, 1.0);
    let with_equal = references_below(base, key, true);
    if (with_equal > last) {
        place.i = last;
    } else if (with_equal > 0u) {
        let low = reference(base, with_equal - 1u);
        let high = reference(base, with_equal);
        if (low.key == key && low.rest == 0.0) {
            let sum = references_below(base, key, false) + with_equal - 1u;
            let half = f32(sum % 2u) * 0.5;
            place = Place(sum / 2u, half, 1.0 - half);
        } else if (low.key == LOWEST && high.key == HIGHEST) {
            return NO_VALUE;
        } else if (low.key == LOWEST) {
            place.i = with_equal;
        } else if (high.key == HIGHEST) {
            place.i = with_equal - 1u;
        } else {
            let gap = gap_of(low, high);
            let x = bitcast<f32>(bits) * gap.scale;
            let parts = vec2(opaque(x - gap.low) - gap.low_rest, opaque(gap.high - x) + gap.high_rest);
            let shares = clamp(parts / gap.width, vec2(0.0), vec2(1.0));
            place = Place(with_equal - 1u, shares.x, shares.y);
        }
    }
    return bitcast<u32>(value_of(place));
}

// The probability that a normal variable is beyond a, of a >= 0: half of erfc(a / sqrt(2)), by Chebyshev's polynomials.
fn tail_of(a: f32) -> f32 {
    let z = a * 0.70710678;
    let t = 1.0 / (1.0 + 0.5 * z);
    let high = 0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)));
    let low = 1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * high)));
    return 0.5 * t * exp_of(t * low - 1.26551223 - z * z);
}

fn transformed_back(base: u32, bits: u32) -> u32 {
    let last = p.edges - 1u;
    let key = key_of(bits);
    let first = reference(base, 0u);
    if (key <= table[base] || last == 0u) {
        return bits_of_key(first.key);
    }
    if (key >= table[base + 1u]) {
        return bits_of_key(reference(base, last).key);
    }
    var share = bitcast<f32>(bits);
    var from_above = false;
    if (NORMAL) {
        from_above = share > 0.0;
        share = tail_of(abs(share));
    }
    let steps = share * f32(last);
    let whole = min(u32(steps), last - 1u);
    let part = clamp(steps - f32(whole), 0.0, 1.0);
    let i = select(whole, last - 1u - whole, from_above);
    let t = select(part, 1.0 - part, from_above);
    let low = reference(base, i);
    let high = reference(base, i + 1u);
    if (low.key == high.key && low.rest == high.rest) {
        return bits_of_key(low.key);
    }
    if (low.key == LOWEST || high.key == HIGHEST) {
        return select(bits_of_key(select(high.key, LOWEST, low.key == LOWEST)), bits_of_key(low.key), t == 0.0);
    }
    let gap = gap_of(low, high);
    let value = opaque(t * gap.width + gap.low_rest) + gap.low;
    return bitcast<u32>(value * power_of_two(gap.exponent));
}

fn mapped(bits: u32, at: u32) -> u32 {
    let base = at * (2u * p.edges + 2u);
    if (is_missing(bits)) {
        return bits;
    }
    // (The references of no value are NaN.)
    if (table[base + 2u] == 0xffffffffu) {
        return NO_VALUE;
    }
    if (INVERSE) {
        return transformed_back(base, bits);
    }
    return transformed(base, bits);
}
