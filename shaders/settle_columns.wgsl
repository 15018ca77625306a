// Four neighbouring segments per invocation: from their moments to their records and their normalizer.

fn component(t: Moments, i: u32) -> Single {
    return Single(t.m[i], t.e[i], t.m2[i], t.exponent[i], t.count);
}

fn settle_one(t: Moments, i: u32, index: u32, writes: bool) -> vec4<f32> {
    let single = component(t, i);
    let record = record_of(single);
    if (writes) {
        emit_moments(index + i * RECORD_STEP, single);
        emit_record(index + i * RECORD_STEP, record);
        emit_running(index + i * RECORD_STEP, single);
    }
    return record;
}

// `writes`: whether this invocation is the one that writes what it settles.
fn settle(t: Moments, index: u32, writes: bool) -> Normalizer {
    return normalizer_from(
        settle_one(t, 0u, index, writes),
        settle_one(t, 1u, index, writes),
        settle_one(t, 2u, index, writes),
        settle_one(t, 3u, index, writes),
    );
}

fn emit_part(index: u32, t: Moments) {
    for (var i = 0u; i < 4u; i++) {
        emit_moments(unfolded(index + i * RECORD_STEP), component(t, i));
    }
}

// Folded rows are numbered [span][outer][row of FOLD][column], their parts are at [span][row of FOLD][outer][column].
fn unfolded(index: u32) -> u32 {
    if (FOLD == 1u) {
        return index;
    }
    let i = (index - p.first_span * p.parts_stride) % (FOLD * p.parts_stride);
    let row = i / p.channels;
    let outer = row / FOLD;
    let column = i - row * p.channels;
    return index - i + (row - outer * FOLD) * p.parts_stride + outer * p.channels + column;
}
