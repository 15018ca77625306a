//! Scaling the columns of tables: which column how, fitting in chunks, application, parameters in files.

mod apply;
pub mod assign;
mod batch;
mod fit;
mod gpu;
mod learner;
mod parameters;
mod shortest;
pub mod sklearn;
pub mod spec;

pub use apply::{Application, Direction};
pub use fit::{Fit, fit};
pub use gpu::Gpu;
pub use parameters::{ColumnRecord, Fitted, Parameters, PartParameters, Scalers};
