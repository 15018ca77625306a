// What the application needs of the records of an invocation's segments; c = -e r.

struct Normalizer {
    m: Real,
    r: Real,
    c: Real,
    scale: Real,
}
