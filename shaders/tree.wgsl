// Combines what LANES invocations have that are COLUMNS apart; the first of them gets the result.

var<workgroup> shared_partials: array<Partial, TREE_SIZE>;

fn tree(t: Partial, invocation: u32) -> Partial {
    shared_partials[invocation] = t;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (invocation / COLUMNS < half) {
            let other = shared_partials[invocation + half * COLUMNS];
            shared_partials[invocation] = combine(shared_partials[invocation], other);
        }
    }
    workgroupBarrier();
    return shared_partials[invocation];
}
