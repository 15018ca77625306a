//! Minimization in one dimension, as scipy's `optimize.brent` does it: a bracket by golden steps, then Brent's method.
//!
//! Brent 1973, Algorithms for Minimization without Derivatives, chapter 5. What is minimized may take a pass over data,
//! of which many features share each: see [`next`].

/// How exact a minimum is, relative to where it is: the root of the epsilon of f64.
const TOLERANCE: f64 = 1.48e-8;
/// And absolutely.
const LEAST: f64 = 1e-11;
/// Golden sections.
const GROWTH: f64 = 1.618034;
const SECTION: f64 = 0.3819660;
/// How far a parabola may lead beyond the bracket, in steps.
const FAR: f64 = 110.0;

/// What a search needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// The value there.
    Value(f64),
    /// Nothing: here is the minimum.
    Done(f64),
}

/// The next step of a search that starts from these two places, given the values that it has asked for so far, in their
/// order. (It goes through all of them again: that is nothing beside a pass.)
pub(super) fn next(start: (f64, f64), values: &[f64]) -> Step {
    let mut values = values.iter();
    // The first value that is not there is what is needed.
    match minimum(start, |x| values.next().copied().ok_or(x)) {
        Ok(x) => Step::Done(x),
        Err(x) => Step::Value(x),
    }
}

/// A place, and its value.
type Point = (f64, f64);

fn minimum<E>((a, b): (f64, f64), mut value: impl FnMut(f64) -> Result<f64, E>) -> Result<f64, E> {
    let mut at = |x| value(x).map(|value| (x, value));
    let [a, b, c] = bracket(at(a)?, at(b)?, &mut at)?;
    if !(b.1 <= a.1 && b.1 <= c.1 && b.1.is_finite()) {
        // There is none: the best that is known.
        let best = [a, b, c]
            .into_iter()
            .fold(b, |best, point| if point.1 < best.1 { point } else { best });
        return Ok(best.0);
    }
    within((a.0.min(c.0), a.0.max(c.0)), b, at)
}

/// Steps downhill until the value grows again.
fn bracket<E>(mut a: Point, mut b: Point, at: &mut impl FnMut(f64) -> Result<Point, E>) -> Result<[Point; 3], E> {
    if a.1 < b.1 {
        (a, b) = (b, a);
    }
    let mut c = at(b.0 + GROWTH * (b.0 - a.0))?;
    while c.1 < b.1 {
        // The minimum of the parabola through the three.
        let (r, q) = ((b.0 - a.0) * (b.1 - c.1), (b.0 - c.0) * (b.1 - a.1));
        let difference = if (q - r).abs() < 1e-21 { 1e-21 } else { q - r };
        let guess = b.0 - ((b.0 - c.0) * q - (b.0 - a.0) * r) / (2.0 * difference);
        let limit = b.0 + FAR * (c.0 - b.0);
        let mut new = if (guess - c.0) * (b.0 - guess) > 0.0 {
            let new = at(guess)?;
            if new.1 < c.1 {
                return Ok([b, new, c]);
            } else if new.1 > b.1 {
                return Ok([a, b, new]);
            }
            None
        } else if (guess - limit) * (limit - c.0) >= 0.0 {
            Some(at(limit)?)
        } else if (guess - limit) * (c.0 - guess) > 0.0 {
            let new = at(guess)?;
            if new.1 < c.1 {
                (b, c) = (c, new);
                None
            } else {
                Some(new)
            }
        } else {
            None
        };
        if new.is_none() {
            new = Some(at(c.0 + GROWTH * (c.0 - b.0))?);
        }
        if let Some(new) = new {
            (a, b, c) = (b, c, new);
        }
    }
    Ok([a, b, c])
}

/// Brent's method, from a place within the bracket whose value is below those of the ends.
fn within<E>((mut a, mut b): (f64, f64), start: Point, mut at: impl FnMut(f64) -> Result<Point, E>) -> Result<f64, E> {
    // The best, the second best, and what was that before.
    let (mut x, mut w, mut v) = (start, start, start);
    let (mut step, mut before): (f64, f64) = (0.0, 0.0);
    loop {
        let tolerance = TOLERANCE * x.0.abs() + LEAST;
        let middle = 0.5 * (a + b);
        if (x.0 - middle).abs() < 2.0 * tolerance - 0.5 * (b - a) {
            return Ok(x.0);
        }
        let to_larger_part = if x.0 >= middle { a - x.0 } else { b - x.0 };
        let mut is_parabola = false;
        if before.abs() > tolerance {
            let (r, q) = ((x.0 - w.0) * (x.1 - v.1), (x.0 - v.0) * (x.1 - w.1));
            let (p, q) = ((x.0 - v.0) * q - (x.0 - w.0) * r, 2.0 * (q - r));
            let (p, q) = (if q > 0.0 { -p } else { p }, q.abs());
            let last = std::mem::replace(&mut before, step);
            is_parabola = p > q * (a - x.0) && p < q * (b - x.0) && p.abs() < (0.5 * q * last).abs();
            if is_parabola {
                step = p / q;
                let new = x.0 + step;
                if new - a < 2.0 * tolerance || b - new < 2.0 * tolerance {
                    step = if middle >= x.0 { tolerance } else { -tolerance };
                }
            }
        }
        if !is_parabola {
            before = to_larger_part;
            step = SECTION * before;
        }
        let least = if step >= 0.0 { tolerance } else { -tolerance };
        let new = at(x.0 + if step.abs() < tolerance { least } else { step })?;
        if new.1 > x.1 {
            *(if new.0 < x.0 { &mut a } else { &mut b }) = new.0;
            if new.1 <= w.1 || w.0 == x.0 {
                (v, w) = (w, new);
            } else if new.1 <= v.1 || v.0 == x.0 || v.0 == w.0 {
                v = new;
            }
        } else {
            *(if new.0 >= x.0 { &mut a } else { &mut b }) = x.0;
            (v, w, x) = (w, x, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the minimum is, and how many values that took.
    fn search(function: impl Fn(f64) -> f64) -> (f64, usize) {
        let mut values = Vec::new();
        loop {
            match next((-2.0, 2.0), &values) {
                Step::Value(x) => values.push(function(x)),
                Step::Done(x) => return (x, values.len()),
            }
            assert!(values.len() < 100);
        }
    }

    #[test]
    fn minima_are_found() {
        for place in [-30.0, -2.0, -0.3, 0.0, 1e-3, 1.0, 2.0, 17.0, 300.0] {
            let (x, values) = search(|x| (x - place).powi(2));
            assert!((x - place).abs() <= 1e-7 * (1.0 + place.abs()), "{place}: {x}");
            assert!(values < 60, "{values}");
            let (x, _) = search(|x| (x - place).abs() + (x - place).powi(4));
            assert!((x - place).abs() <= 1e-7 * (1.0 + place.abs()), "{place}: {x}");
            let (x, _) = search(|x| (x - place).cosh().ln());
            assert!((x - place).abs() <= 1e-6 * (1.0 + place.abs()), "{place}: {x}");
        }
    }

    #[test]
    fn what_has_no_minimum_ends() {
        assert!(search(|_| f64::INFINITY).1 < 10);
        assert!(search(|_| 1.0).1 < 60);
        let (x, _) = search(|x| if x < 1.0 { f64::INFINITY } else { (x - 1.5).powi(2) });
        assert!((x - 1.5).abs() < 1e-6);
    }
}
