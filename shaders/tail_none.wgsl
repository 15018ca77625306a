// Nothing follows the units of a run.

fn absorb_tail(
    index: u32,
    k: Real,
    scale: Real,
    measured: bool,
    s: ptr<function, Sum>,
    q: ptr<function, Sum>,
    largest: ptr<function, Bits>,
) -> u32 {
    return 0u;
}

fn normalize_tail(c: Cursor, task: Task) {}
