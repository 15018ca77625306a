//! Tuning tables as text: how thresholds are declared, written, read and checked.

use std::fmt;
use std::str::FromStr;

use super::Tuning;
use crate::error::{Error, ErrorKind, Result};

/// Changes whenever a threshold is added, removed, or comes to mean something else: tables written before are stale.
pub const TABLE_VERSION: u32 = 8;

/// A tuning measured on one adapter, as `wgnorm tune` writes it and [`Context::with_table`](crate::Context::with_table)
/// takes it.
///
/// It prints itself as text that is TOML too: a version, the adapter's name and driver, and one line per threshold with
/// what it means above it.
///
/// ```
/// use wgnorm::{Tuning, TuningTable};
/// let table = TuningTable { adapter: "GPU".into(), driver: "1.0".into(), tuning: Tuning::HARDWARE };
/// let text = table.to_string();
/// assert_eq!(text.parse::<TuningTable>()?, table);
/// // A table of another version is refused, as is one that lacks a threshold.
/// assert!(text.replace("version = ", "version = 9").parse::<TuningTable>().is_err());
/// # Ok::<(), wgnorm::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TuningTable {
    /// The adapter's name, as `wgpu::AdapterInfo` has it.
    pub adapter: String,
    /// The driver's name and version, likewise.
    pub driver: String,
    /// The thresholds.
    pub tuning: Tuning,
}

impl TuningTable {
    /// Refuses a table that was measured on another adapter or driver than this.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`]: says which of the two differs.
    pub fn check(&self, info: &wgpu::AdapterInfo) -> Result<()> {
        let driver = driver_of(info);
        for (what, measured, present) in [
            ("adapter", &self.adapter, &info.name),
            ("driver", &self.driver, &driver),
        ] {
            if measured != present {
                return Err(refused(format!(
                    "was measured on {what} {measured:?}, this one is {present:?}"
                )));
            }
        }
        Ok(())
    }

    /// A table for the adapter.
    pub fn of(info: &wgpu::AdapterInfo, tuning: Tuning) -> Self {
        Self {
            adapter: info.name.clone(),
            driver: driver_of(info),
            tuning,
        }
    }
}

fn driver_of(info: &wgpu::AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info).trim().to_owned()
}

impl fmt::Display for TuningTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Tuning table of wgnorm: see `wgnorm tune`.\n")?;
        writeln!(f, "version = {TABLE_VERSION}")?;
        writeln!(
            f,
            "adapter = {}\ndriver = {}",
            quoted(&self.adapter),
            quoted(&self.driver)
        )?;
        for (name, meaning) in Tuning::THRESHOLDS {
            let value = self.tuning.get(name).unwrap_or_default();
            write!(f, "\n#{meaning}\n{name} = {value}\n")?;
        }
        Ok(())
    }
}

impl FromStr for TuningTable {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(refused(format!("{line:?} is not of the form name = value")));
            };
            lines.push((name.trim(), value.trim()));
        }
        let mut take = |name: &str| match lines.iter().position(|(other, _)| *other == name) {
            Some(at) => Ok(lines.remove(at).1),
            None => Err(refused(format!("lacks {name}"))),
        };
        let version = take("version")?;
        if version != TABLE_VERSION.to_string() {
            return Err(refused(format!(
                "is of version {version}, this crate reads version {TABLE_VERSION}: measure again"
            )));
        }
        let (adapter, driver) = (unquoted(take("adapter")?)?, unquoted(take("driver")?)?);
        let mut tuning = Tuning::HARDWARE;
        for (name, _) in Tuning::THRESHOLDS {
            tuning.set(name, take(name)?)?;
        }
        match lines.first() {
            Some((name, _)) => Err(refused(format!("{name} is no threshold, or is there twice"))),
            None => Ok(Self {
                adapter,
                driver,
                tuning,
            }),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn unquoted(text: &str) -> Result<String> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let inner = inner.ok_or_else(|| refused(format!("{text} is not in quotes")))?;
    Ok(inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}

pub(super) fn refused(message: String) -> Error {
    Error::new(ErrorKind::Parameter, "tuning table", message)
}

/// The values of a threshold.
pub(super) trait Threshold: Copy {
    fn to_text(self) -> String;
    fn from_text(text: &str) -> Option<Self>;
}

impl Threshold for u32 {
    fn to_text(self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Threshold for (u32, u32) {
    fn to_text(self) -> String {
        format!("[{}, {}]", self.0, self.1)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (low, high) = text.strip_prefix('[')?.strip_suffix(']')?.split_once(',')?;
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    }
}

/// What values a threshold may have, with the words that say so.
pub(super) struct Range<T> {
    pub words: String,
    pub holds: Box<dyn Fn(T) -> bool>,
}

fn range<T>(words: String, holds: impl Fn(T) -> bool + 'static) -> Range<T> {
    Range {
        words,
        holds: Box::new(holds),
    }
}

pub(super) fn one_of(values: &'static [u32]) -> Range<u32> {
    range(format!("one of {values:?}"), |value| values.contains(&value))
}

pub(super) fn up_to(most: u32) -> Range<u32> {
    range(format!("from 1 to {most}"), move |value| (1..=most).contains(&value))
}

pub(super) fn at_most(most: u32) -> Range<u32> {
    range(format!("from 0 to {most}"), move |value| value <= most)
}

pub(super) fn power_of_two(most: u32) -> Range<u32> {
    range(format!("a power of two up to {most}"), move |value: u32| {
        value.is_power_of_two() && value <= most
    })
}

pub(super) fn powers_of_two(most: u32) -> Range<(u32, u32)> {
    let holds =
        move |(low, high): (u32, u32)| low.is_power_of_two() && high.is_power_of_two() && low <= high && high <= most;
    range(format!("two powers of two up to {most}, the smaller first"), holds)
}

pub(super) fn ordered(most: u32) -> Range<(u32, u32)> {
    range(
        format!("two numbers from 1 to {most}, the smaller first"),
        move |(low, high)| (1..=high).contains(&low) && high <= most,
    )
}

pub(super) fn from_none(most: u32) -> Range<(u32, u32)> {
    range(
        format!("two numbers from 0 to {most}, the smaller first"),
        move |(low, high)| low <= high && high <= most,
    )
}

/// Declares [`Tuning`]: every threshold with its meaning, its type, and the values it may have.
macro_rules! thresholds {
    ($(#[doc = $meaning:literal] $name:ident: $type:ty = $range:expr),* $(,)?) => {
        /// The thresholds of one family of adapters. Plain data: it prints itself, and tests take their sizes from it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Tuning {
            $(#[doc = $meaning] pub $name: $type,)*
        }

        impl Tuning {
            /// Name and meaning of every threshold.
            pub const THRESHOLDS: &[(&str, &str)] = &[$((stringify!($name), $meaning)),*];

            /// The value of a threshold, as tables write it; `None` if there is no such threshold.
            pub fn get(&self, name: &str) -> Option<String> {
                match name {
                    $(stringify!($name) => Some($crate::tuning::table::Threshold::to_text(self.$name)),)*
                    _ => None,
                }
            }

            /// Sets a threshold from the text of a table.
            ///
            /// # Errors
            /// [`ErrorKind::Parameter`] if there is no such threshold, or the value is none that it may have.
            pub fn set(&mut self, name: &str, value: &str) -> $crate::error::Result<()> {
                match name {
                    $(stringify!($name) => {
                        let range: $crate::tuning::table::Range<$type> = $range;
                        match <$type as $crate::tuning::table::Threshold>::from_text(value) {
                            Some(value) if (range.holds)(value) => self.$name = value,
                            _ => return Err($crate::tuning::table::refused(format!(
                                "{name} is {value}, needed is {}",
                                range.words
                            ))),
                        }
                    })*
                    _ => return Err($crate::tuning::table::refused(format!("{name} is no threshold"))),
                }
                Ok(())
            }
        }
    };
}
pub(super) use thresholds;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TuningTable {
        TuningTable {
            adapter: r#"a "GPU" \ of mine"#.into(),
            driver: String::new(),
            tuning: Tuning::SOFTWARE,
        }
    }

    #[test]
    fn tables_are_read_as_they_are_written() {
        assert_eq!(table().to_string().parse::<TuningTable>().unwrap(), table());
    }

    #[test]
    fn the_built_in_values_are_ones_that_tables_may_have() {
        for tuning in [Tuning::SOFTWARE, Tuning::HARDWARE] {
            let mut copy = tuning;
            for (name, _) in Tuning::THRESHOLDS {
                copy.set(name, &tuning.get(name).unwrap()).unwrap();
            }
            assert_eq!(copy, tuning);
        }
    }

    #[test]
    fn other_tables_are_refused_with_a_reason() {
        let text = table().to_string();
        let version = format!("version = {TABLE_VERSION}");
        for (from, to, reason) in [
            (version.as_str(), "version = 0", "measure again"),
            ("split_lanes = 8", "split_lanes = 3", "power of two"),
            ("split_lanes = 8", "", "lacks split_lanes"),
            ("split_lanes = 8", "split_lanes = 8\nsplit_lanes = 8", "twice"),
            ("split_lanes = 8", "split_lanes", "name = value"),
            (
                "lane_workgroup = [8, 256]",
                "lane_workgroup = [256, 8]",
                "smaller first",
            ),
            ("driver = \"\"", "driver = x", "quotes"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = text.replacen(from, to, 1).parse::<TuningTable>().unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
