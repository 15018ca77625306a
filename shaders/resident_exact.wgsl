// The statistics of a segment in registers by three reductions: of its largest magnitude, which all is scaled by, of its mean,
// and of the sums about that.
//   k = x0 + mean(x - x0), x0 the first element
// Chosen when: software adapters, which take too long to compile another way beside it; p-norms that always need the largest
// magnitude.

// The largest magnitude is found as units are read.
const MEASURED: bool = true;

fn normalizer_of_segment(walk: ptr<function, Walk>, place: Place) -> Normalizer {
    let largest = reduce_max((*walk).largest, place);
    (*walk).scale = scale_of(largest);
    (*walk).k = 0.0;
    if (CENTERED) {
        (*walk).k = scaled_first((*walk).at, (*walk).scale, place);
        let s = total(sums_of(*walk, place).s);
        (*walk).k = opaque((*walk).k + reduce_sum(vec2(s, 0.0), place).x / f32(p.count));
    }
    let own = sums_of(*walk, place);
    var sums = reduce_sum(vec2(total(own.s), total_power(own.q)), place);
    if (MAXIMUM) {
        sums.y = bitcast<f32>(largest) * (*walk).scale;
    }
    let moments = moments_of_scaled((*walk).k, sums.x, sums.y, p.count, largest);
    return settle(moments, (*walk).at.record, (*walk).present && place.lane == 0u);
}
