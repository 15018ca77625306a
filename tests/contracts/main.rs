//! The library's promises beyond the numbers: errors, views, repeatability, stages.

#[path = "../common/cases.rs"]
mod cases;
#[path = "../common/mod.rs"]
mod common;
mod errors;
mod results;
mod stages;
mod views;

use cases::{batch, case, layer};
