//! Printing that survives a reader who left: the work goes on, and its files are still written.

use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;

/// The first error on standard output, after which nothing more goes there.
static STDOUT_ERROR: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output; [`stdout_error`] tells whether that went well.
macro_rules! say {
    ($($text:tt)*) => { $crate::console::print_line(format_args!($($text)*)) };
}
pub(crate) use say;

pub fn print_line(text: fmt::Arguments<'_>) {
    if STDOUT_ERROR.get().is_none()
        && let Err(error) = writeln!(io::stdout(), "{text}")
    {
        STDOUT_ERROR.get_or_init(|| error);
    }
}

/// Why output is missing, but for a pipe that its reader closed, as `head` does.
pub fn stdout_error() -> Option<&'static io::Error> {
    STDOUT_ERROR
        .get()
        .filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
}

/// Prints one line to standard error. Where that is closed too there is nobody left to tell.
pub fn note(label: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{label}: {}", one_line(text));
}

/// Text that may hold a part of a file or a library's report: without control characters, and not endless.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 1000;
    let words = text.split(|c: char| c.is_control()).filter(|part| !part.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        assert_eq!(one_line("a\n\tb\x1b[31m"), "a b [31m");
        assert!(one_line(&"é".repeat(100_000)).len() < 2100);
    }
}
