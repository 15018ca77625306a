//! How many cases the property tests make up, and which: the same ones at every run unless others are asked for, so that
//! a commit passes its checks or does not.

use std::str::FromStr;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// What an environment variable says, or else the default.
pub fn setting<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}")),
        Err(_) => default,
    }
}

/// So many cases, or as many as `WGNORM_PROPERTY_CASES` says; those of the seed `WGNORM_PROPERTY_SEED`.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: setting("WGNORM_PROPERTY_CASES", cases),
        rng_seed: RngSeed::Fixed(setting("WGNORM_PROPERTY_SEED", 1)),
        // The seed and the printed minimal case say all.
        failure_persistence: None,
        ..Default::default()
    }
}
