//! What the integration tests share.

use std::sync::OnceLock;

use wgnorm::{AdapterOptions, Context};

/// The context of all tests of a binary, on the first adapter, or on the one whose name contains the value of the
/// environment variable `WGNORM_ADAPTER`.
///
/// # Panics
/// Without an adapter: a test that is skipped in silence proves nothing.
pub fn context() -> &'static Context {
    static CONTEXT: OnceLock<Context> = OnceLock::new();
    CONTEXT.get_or_init(|| {
        let options = AdapterOptions {
            name: std::env::var("WGNORM_ADAPTER").ok(),
            ..Default::default()
        };
        pollster::block_on(Context::request(&options)).unwrap_or_else(|error| {
            panic!(
                "no Vulkan/GL adapter: run the tests through scripts/with-adapter, as in \
                 `scripts/with-adapter cargo test`, which installs a software Vulkan driver ({error})"
            )
        })
    })
}
