// What the lanes of gradient_resident.wgsl add up over their segments, which all have the same weights: dy, and dy x_hat, of the
// units that each holds. Slots add theirs in order through workgroup memory, and the workgroup writes the result as its part:
// of every unit dbias, then dweight, as they lie in registers, at [workgroup][unit]. gradient_totals.wgsl adds the parts.
// Two barriers a unit where there are several slots.
const_assert UNITS <= 8u;

var<private> sum_dweight: array<Unit, UNITS>;
var<private> sum_dbias: array<Unit, UNITS>;

// dbias and dweight of a unit of every invocation.
struct Shares {
    dbias: Unit,
    dweight: Unit,
}

var<workgroup> shared_shares: array<Shares, select(1u, WORKGROUP, SLOTS > 1u)>;

fn add_to_sums(i: u32, dy: Unit, x_hat: Unit) {
    sum_dweight[i] += times(dy, x_hat);
    sum_dbias[i] += dy;
}

// The first slot adds what the others have of unit i, and writes it.
fn emit_unit(i: u32, workgroup: u32, place: Place) {
    if (i >= UNITS) {
        return;
    }
    var all = Shares(sum_dbias[i], sum_dweight[i]);
    if (SLOTS > 1u) {
        workgroupBarrier();
        shared_shares[place.slot * LANES + place.lane] = all;
        workgroupBarrier();
        if (place.slot == 0u) {
            for (var slot = 1u; slot < SLOTS; slot++) {
                let other = shared_shares[slot * LANES + place.lane];
                all = Shares(all.dbias + other.dbias, all.dweight + other.dweight);
            }
        }
    }
    if (place.slot == 0u && holds(place.lane, i) && workgroup < p.parts) {
        let at = (workgroup * p.units + place.lane + i * LANES) * 2u * UNIT_VECTORS;
        emit_sum(at, all.dbias);
        emit_sum(at + UNIT_VECTORS, all.dweight);
    }
}

fn emit_units(workgroup: u32, place: Place) {
    emit_unit(0u, workgroup, place);
    emit_unit(1u, workgroup, place);
    emit_unit(2u, workgroup, place);
    emit_unit(3u, workgroup, place);
    if (UNITS > 4u) {
        emit_unit(4u, workgroup, place);
        emit_unit(5u, workgroup, place);
        emit_unit(6u, workgroup, place);
        emit_unit(7u, workgroup, place);
    }
}

fn emit_segment(row: Row, sums: vec2<f32>, place: Place) {}
