//! The device, planned for as what it is not.

use wgnorm::{Context, DeviceTraits};

use crate::common::context;

/// The device, planned for as software and as hardware.
pub fn devices() -> [Context; 2] {
    [true, false].map(|software| {
        let traits = DeviceTraits {
            software,
            ..*context().traits()
        };
        context().with_traits(traits)
    })
}
