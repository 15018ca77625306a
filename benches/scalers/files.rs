//! Answers to requests about files, which `agree.py` compares with numpy's and scikit-learn's:
//!
//!     agree WHAT f32|f64 COLUMNS INPUT OUTPUT
//!
//! Input and output are plain numbers, row by row; the output is f64.

use std::fs;
use std::str::FromStr;

use wgnorm::scaler::{
    Distribution, Element, Features, Interpolation, Logarithm, Method, PowerTransform, Powers, QuantileTransform,
    Standard, quantiles, trimmed_mean, winsorized_mean,
};

/// The quantiles that are asked for.
const SHARES: [f64; 9] = [0.0, 0.001, 0.1, 0.25, 0.333, 0.5, 0.75, 0.999, 1.0];
/// The shares that are cut off.
const CUT: (f64, f64) = (0.1, 0.25);

pub fn answer(request: &str) {
    let parts: Vec<&str> = request.split_whitespace().collect();
    let [_, what, kind, columns, input, output] = parts[..] else {
        panic!("{request}: agree WHAT f32|f64 COLUMNS INPUT OUTPUT is needed");
    };
    let bytes = fs::read(input).expect("the input");
    let columns = usize::from_str(columns).expect("a number of columns");
    let result = match kind {
        "f32" => compute(what, &numbers(&bytes, f32::from_le_bytes), columns),
        _ => compute(what, &numbers(&bytes, f64::from_le_bytes), columns),
    };
    let result: Vec<u8> = result.into_iter().flat_map(f64::to_le_bytes).collect();
    fs::write(output, result).expect("the output");
}

fn numbers<T, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

fn compute<T: Element>(what: &str, x: &[T], columns: usize) -> Vec<f64> {
    let features = Features::columns(x.len() / columns, columns);
    let order = |interpolation| {
        quantiles(x, features, &SHARES, interpolation)
            .expect("quantiles")
            .concat()
    };
    let transformed = |method: Method, back: bool| {
        let scaler = method.fit(x, features).expect("a fit");
        let mut y = vec![0.0; x.len()];
        scaler.transform(x, features, &mut y).expect("a transform");
        if back {
            scaler.inverse_transform_in_place(&mut y, features).expect("an inverse");
        }
        y
    };
    let (what, back) = match what.strip_suffix(":back") {
        Some(what) => (what, true),
        None => (what, false),
    };
    let normal = QuantileTransform::new().to(Distribution::Normal);
    match what {
        "linear" => order(Interpolation::Linear),
        "lower" => order(Interpolation::Lower),
        "higher" => order(Interpolation::Higher),
        "nearest" => order(Interpolation::Nearest),
        "midpoint" => order(Interpolation::Midpoint),
        "trimmed" => trimmed_mean(x, features, CUT).expect("a mean"),
        "winsorized" => winsorized_mean(x, features, CUT).expect("a mean"),
        "uniform" => transformed(QuantileTransform::new().into(), back),
        "uniform20" => transformed(QuantileTransform::new().references(20).into(), back),
        "normal" => transformed(normal.into(), back),
        "yeo-johnson" => transformed(PowerTransform::new().into(), back),
        "box-cox" => transformed(PowerTransform::new().powers(Powers::BoxCox).into(), back),
        "log1p" => transformed(Logarithm::Log1p.then(Standard::new()).into(), back),
        other => panic!("{other} is not known"),
    }
}
