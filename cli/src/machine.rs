//! The machine beside the adapter: what a record has to say of it.

use std::fmt;
use std::fs;

use serde::Serialize;
use wgnorm::Context;
use wgnorm::wgpu::DeviceType;

#[derive(Serialize, Debug)]
pub struct Machine {
    pub cpu: String,
    pub threads: usize,
    pub os: &'static str,
    /// Bytes of the last level of the processor's cache, where the system tells.
    pub cache: Option<u64>,
}

impl Machine {
    pub fn this() -> Self {
        Self {
            cpu: processor().unwrap_or_else(|| std::env::consts::ARCH.into()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            os: std::env::consts::OS,
            cache: last_level_cache(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} threads, {}", self.cpu, self.threads, self.os)?;
        match self.cache {
            Some(bytes) => write!(f, ", {} MiB of cache", bytes >> 20),
            None => Ok(()),
        }
    }
}

/// Bytes of the last cache before the memory of a device, where that is known: a software adapter has the processor's.
pub fn cache_of(context: &Context) -> Option<u64> {
    (context.adapter_info().device_type == DeviceType::Cpu)
        .then(last_level_cache)
        .flatten()
}

/// As Linux tells; other systems do not without calls of their own.
fn last_level_cache() -> Option<u64> {
    let sizes = fs::read_dir("/sys/devices/system/cpu/cpu0/cache").ok()?;
    sizes
        .filter_map(|entry| parse_size(&fs::read_to_string(entry.ok()?.path().join("size")).ok()?))
        .max()
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_caches() {
        assert_eq!(parse_size("32K\n"), Some(32 << 10));
        assert_eq!(parse_size("36M"), Some(36 << 20));
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("large"), None);
    }
}
