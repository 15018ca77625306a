// Sums over units: s = sum(g), q = sum(g x_hat), and for the norm of infinite p the largest magnitude of x and how many
// elements have it.

struct Sums {
    s: Real,
    q: Real,
    largest: Bits,
    ties: Bits,
}

alias Partial = Sums;

fn identity() -> Sums {
    return Sums(Real(0.0), Real(0.0), Bits(0u), Bits(0u));
}

fn combine(a: Sums, b: Sums) -> Sums {
    let largest = max(a.largest, b.largest);
    let ties = select(Bits(0u), a.ties, a.largest == largest) + select(Bits(0u), b.ties, b.largest == largest);
    return Sums(a.s + b.s, a.q + b.q, largest, ties);
}
