//! Compares wgnorm with burn on one device: `wgnorm-burn [--runs N] [--json FILE]`.
//!
//! burn opens the device as it does for its users; wgnorm records on the same device and queue. Every shape runs in a
//! process of its own, so that one that crashes there is a row that says so. Both sides compute a whole y in every sample:
//! from the call to the end of the wait for the device. They take turns, and the ratio is the median of those of the turns.

mod compare;
mod shapes;

use std::error::Error;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use compare::{Device, Measured};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The word by which a child process knows its task.
const ONE: &str = "--one";
/// What a child prints once wgnorm has passed, so that what fails later is burn's.
const VERIFIED: &str = "wgnorm verified";
const MOST_TIME: Duration = Duration::from_secs(300);

#[derive(Serialize)]
struct Record {
    date: String,
    command: String,
    adapter: String,
    driver: String,
    threads: usize,
    burn: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    op: &'static str,
    backward: bool,
    shape: Vec<usize>,
    /// "compared", or what happened instead.
    status: String,
    #[serde(flatten)]
    measured: Option<Measured>,
}

/// What a child process hands to its parent.
#[derive(Serialize, Deserialize)]
struct Answer {
    device: Device,
    measured: Measured,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let runs = value("--runs").map_or(Ok(9), |text| text.parse())?;
    let shapes = shapes::all();
    if let Some(index) = value(ONE) {
        let shape = shapes.get(index.parse::<usize>()?).ok_or("there is no such shape")?;
        let (device, measured) = compare::shape(shape, runs)?;
        println!("{}", serde_json::to_string(&Answer { device, measured })?);
        return Ok(());
    }
    let mut device = Device::default();
    let mut rows = Vec::new();
    println!("operation               shape             wgnorm ms   burn ms   burn/wgnorm");
    for (index, shape) in shapes.iter().enumerate() {
        let (status, measured) = match child(index, runs)? {
            Ok(answer) => {
                device = answer.device;
                ("compared".to_owned(), Some(answer.measured))
            }
            Err(status) => (status, None),
        };
        let row = Row {
            op: shape.op.name(),
            backward: shape.backward,
            shape: shape.extents.to_vec(),
            status,
            measured,
        };
        row.print();
        rows.push(row);
    }
    if let Some(file) = value("--json") {
        let record = Record {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            command: format!("wgnorm-burn {}", arguments.join(" ")),
            adapter: device.adapter,
            driver: device.driver,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            burn: burn_version().unwrap_or_default().to_owned(),
            rows,
        };
        std::fs::write(file, serde_json::to_string_pretty(&record)? + "\n")?;
    }
    Ok(())
}

impl Row {
    fn print(&self) {
        let extents: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        let name = if self.backward {
            format!("{}, backward", self.op)
        } else {
            self.op.to_owned()
        };
        let head = format!("{name:<23} {:<16}", extents.join("x"));
        match &self.measured {
            Some(row) => println!(
                "{head} {:>10.3} {:>9.3} {:>13.1}",
                row.wgnorm_ms, row.burn_ms, row.ratio
            ),
            None => println!("{head} {}", self.status),
        }
    }
}

/// Compares one shape in a process of its own; what went wrong there otherwise.
fn child(index: usize, runs: usize) -> Result<std::result::Result<Answer, String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([ONE, &index.to_string(), "--runs", &runs.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > MOST_TIME {
            child.kill()?;
            return Ok(Err(format!("not done after {} s", MOST_TIME.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let (true, Some(line)) = (output.status.success(), text.lines().last()) {
        return Ok(Ok(serde_json::from_str(line)?));
    }
    let whose = if text.contains(VERIFIED) { "burn" } else { "wgnorm" };
    let messages = String::from_utf8_lossy(&output.stderr);
    let said = messages
        .lines()
        .rfind(|line| !line.trim().is_empty() && !line.contains("RUST_BACKTRACE"));
    Ok(Err(format!(
        "{whose}: {}: {}",
        output.status,
        said.unwrap_or("without a message")
    )))
}

/// As the lock file has it.
fn burn_version() -> Option<&'static str> {
    let (_, package) = include_str!("../Cargo.lock").split_once("name = \"burn\"\nversion = \"")?;
    package.split('"').next()
}
