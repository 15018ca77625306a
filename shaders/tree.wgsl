// Combines the moments of LANES invocations that are TREE_STEP apart; the first of them gets the result.

var<workgroup> shared_moments: array<Moments, TREE_SIZE>;

fn tree(t: Moments, invocation: u32) -> Moments {
    shared_moments[invocation] = t;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (invocation / TREE_STEP < half) {
            let other = shared_moments[invocation + half * TREE_STEP];
            shared_moments[invocation] = combine(shared_moments[invocation], other);
        }
    }
    workgroupBarrier();
    return shared_moments[invocation];
}
