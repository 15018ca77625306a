//! The `wgnorm` program: normalizes tensor files on the GPU, scales tables and images, verifies the kernels and measures
//! them.

mod bench;
mod conformance;
mod console;
mod cpu;
mod demo;
mod device;
mod failure;
mod files;
mod fit;
mod font;
mod info;
mod machine;
mod manifest;
mod norm;
mod operation;
mod outputs;
mod params;
mod plan;
mod plot;
mod probes;
mod progress;
mod report;
mod resident;
mod scalers;
mod scaling;
mod suggest;
mod table;
mod tensor;
mod transform;
mod tune;
mod ulp;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use device::DeviceArgs;
use failure::{Failure, Result};
use files::Output;

/// Normalizes tensors on the GPU: batch, layer, RMS, instance and group norm, z-score. Scales tables and images.
///
/// Without a command: picks the adapter, verifies a few operations, shows a small benchmark.
///
/// Exit codes: 0 success, 1 results differ from the reference, 2 wrong usage or input, 3 no adapter.
#[derive(Parser)]
#[command(name = "wgnorm", version, max_term_width = 120)]
struct Cli {
    #[command(flatten)]
    device: DeviceArgs,

    /// Writes the command's result to this file as JSON.
    #[arg(long, global = true, value_name = "FILE", help_heading = device::HELP_HEADING)]
    json: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Normalizes a .npy or .safetensors tensor.
    Norm(Box<norm::NormArgs>),
    Fit(fit::FitArgs),
    Transform(transform::TransformArgs),
    Inverse(transform::InverseArgs),
    Plot(plot::PlotArgs),
    /// Shows parameters, takes them from scikit-learn and gives them to it.
    Params(params::ParamsArgs),
    /// Prints a script that makes a shell complete the commands and flags of this program.
    ///
    /// For bash: wgnorm completions bash > ~/.local/share/bash-completion/completions/wgnorm
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Checks every operation and kernel variant against a float64 reference, or runs a conformance directory.
    Verify(verify::VerifyArgs),
    /// Measures the GPU against the CPU and against a copy of the same bytes.
    Bench(bench::BenchArgs),
    /// Shows what would run for an operation and a shape.
    Plan(plan::PlanArgs),
    /// Measures kernel thresholds on this adapter and writes a tuning table.
    Tune(tune::TuneArgs),
    /// Lists adapters, their features and limits, and what the planner makes of them.
    Info,
}

fn main() -> ExitCode {
    // Drivers and wgpu tell of things that no caller can change, and of adapters that are not there; RUST_LOG shows it.
    let filter = env_logger::Env::default().default_filter_or("error,wgpu_hal=off");
    env_logger::Builder::from_env(filter).init();
    let result = run(&Cli::parse()).and_then(|()| match console::stdout_error() {
        Some(error) => Err(Failure::Input(format!("cannot write to standard output: {error}"))),
        None => Ok(()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::note("error", &failure.to_string());
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let json = cli.json.as_deref().map(Output::create).transpose()?;
    match &cli.command {
        Some(Command::Norm(args)) => norm::run(args, &cli.device, json),
        Some(Command::Fit(args)) => fit::run(args, &cli.device, json),
        Some(Command::Transform(args)) => transform::transform(args, &cli.device, json),
        Some(Command::Inverse(args)) => transform::inverse(args, &cli.device, json),
        Some(Command::Plot(args)) => plot::run(args, json),
        Some(Command::Params(args)) => params::run(args, json),
        Some(Command::Completions { .. }) if json.is_some() => Err(Failure::input("completions have no JSON")),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "wgnorm", &mut script);
            console::say!("{}", String::from_utf8_lossy(&script).trim_end());
            Ok(())
        }
        Some(Command::Verify(args)) => verify::run(args, &cli.device, json),
        Some(Command::Bench(args)) => bench::run(args, &cli.device, json),
        Some(Command::Plan(args)) => plan::run(args, &cli.device, json),
        Some(Command::Tune(args)) => tune::run(args, &cli.device, json),
        Some(Command::Info) => info::run(&cli.device, json),
        None if json.is_some() => Err(Failure::input("--json needs a command")),
        None => demo::run(&cli.device),
    }
}
