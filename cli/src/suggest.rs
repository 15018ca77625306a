//! What may have been meant by a name that does not exist.

use std::fmt::Display;

/// How alike two names are at least, from 0 to 1, so that one is suggested for the other.
const ALIKE: f64 = 0.7;

/// `; did you mean "NAME"?`, or nothing where no name is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> impl Display {
    let name = name.to_lowercase();
    (known.into_iter())
        .map(|known| (strsim::jaro_winkler(&name, &known.to_lowercase()), known))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, known)| format!("; did you mean {known:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_suggested() {
        let names = ["zscore", "minmax", "maxabs", "robust"];
        let suggested = |name| did_you_mean(name, names).to_string();
        assert_eq!(suggested("z-score"), "; did you mean \"zscore\"?");
        assert_eq!(suggested("MinMax"), "; did you mean \"minmax\"?");
        assert_eq!(suggested("robsut"), "; did you mean \"robust\"?");
        assert_eq!(suggested("quux"), "");
    }
}
