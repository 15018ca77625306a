// The elements of a segment that fill no unit of sixteen: lane j holds elements j, j + LANES, ... of them.

var<private> held_tail: array<f32, TAIL_SHARE>;
var<private> held_tail_weight: array<f32, TAIL_SHARE>;
var<private> held_tail_bias: array<f32, TAIL_SHARE>;

fn hold_tail_parameters(at: Segment, place: Place) {
    let after = cursor_in_run(at, 0u, segment_units());
    for (var i = 0u; i < TAIL_SHARE; i++) {
        let j = place.lane + i * LANES;
        if (j < loose_elements()) {
            held_tail_weight[i] = weight_one(after.weight, loose_at(j));
            held_tail_bias[i] = bias_one(after.weight, loose_at(j));
        }
    }
}

// The bits of the largest magnitude.
fn read_tail(at: Segment, place: Place) -> u32 {
    let after = cursor_in_run(at, 0u, segment_units());
    var largest = 0u;
    for (var i = 0u; i < TAIL_SHARE; i++) {
        let j = place.lane + i * LANES;
        if (j < loose_elements()) {
            held_tail[i] = x[after.x + loose_at(j)];
            largest = max(largest, bitcast<u32>(held_tail[i]) & ABS);
        }
    }
    return largest;
}

fn sum_tail(walk: Walk, place: Place, sums: ptr<function, Sums>) {
    for (var i = 0u; i < TAIL_SHARE; i++) {
        if (place.lane + i * LANES < loose_elements()) {
            let d = vec4(held_tail[i] * walk.scale - walk.k, 0.0, 0.0, 0.0);
            *sums = Sums((*sums).s + d, join((*sums).q, power(d)));
        }
    }
}

fn write_tail(walk: Walk, place: Place) {
    let n = walk.n;
    let after = cursor_in_run(walk.at, 0u, segment_units());
    for (var i = 0u; i < TAIL_SHARE; i++) {
        let j = place.lane + i * LANES;
        if (walk.present && j < loose_elements()) {
            var w = held_tail_weight[i];
            var b = held_tail_bias[i];
            if (!HOLD) {
                w = weight_one(after.weight, loose_at(j));
                b = bias_one(after.weight, loose_at(j));
            }
            put(place_in_y(after) + loose_at(j), ((held_tail[i] * n.scale - n.m) * n.r + n.c) * w + b);
        }
    }
}
