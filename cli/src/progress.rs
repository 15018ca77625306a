//! The bar of what reads a file: bytes, rows per second, time left. On a terminal only.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::table::Counter;

pub struct Progress {
    bar: ProgressBar,
    /// The bytes read so far.
    pub read: Counter,
    rows: u64,
    start: Instant,
}

impl Progress {
    /// A reading of so many bytes.
    pub fn new(label: String, bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes).with_prefix(label);
        let template = "{prefix} {bar:30} {bytes}/{total_bytes} {msg}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self {
            bar,
            read: Counter::default(),
            rows: 0,
            start: Instant::now(),
        }
    }

    /// Tells that so many more rows are done.
    pub fn advance(&mut self, rows: usize) {
        self.rows += rows as u64;
        let speed = self.rows as f64 / self.start.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_position(self.read.get());
        self.bar.set_message(format!("{} rows/s", HumanCount(speed as u64)));
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
