//! Trains a small network on handwritten digits, with and without normalization:
//! `cargo run --release --example training`.
//!
//! README.md beside this file has the data, a sweep over learning rates, and what it shows.

mod data;
mod kernels;
mod network;
mod norm;
#[cfg(test)]
mod oracle;
mod plot;
mod runs;
mod sweep;
#[cfg(test)]
mod tests;
mod train;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use wgnorm::{AdapterOptions, Context};

use data::Digits;
use norm::Norm;
use runs::Runs;
use train::{Settings, Trainer};

/// Trains a small network on handwritten digits, normalized on the GPU, forward and backward.
///
/// Exit codes: 0 success, 1 diverged or failed, 2 wrong usage.
#[derive(Parser)]
#[command(name = "training", max_term_width = 120)]
struct Cli {
    /// What normalizes the hidden layers.
    #[arg(long, value_enum, default_value_t = Norm::Batch, conflicts_with = "sweep")]
    norm: Norm,

    /// The learning rate of the gradient descent.
    #[arg(long, default_value_t = 0.1, value_parser = rate, allow_negative_numbers = true, conflicts_with = "sweep")]
    rate: f32,

    /// How often every image is seen.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,

    /// Of the first parameters and of the order of the images: the same seed gives the same bits.
    #[arg(long, default_value_t = 0, conflicts_with = "sweep")]
    seed: u64,

    /// Trains with every norm at eight rates from five seeds, and prints tables.
    #[arg(long)]
    sweep: bool,

    /// The trainings of a sweep on one adapter, a line each: those in this file are not done again, others are added.
    #[arg(long, value_name = "FILE.csv", requires = "sweep")]
    runs: Option<PathBuf>,

    /// Draws the sweep into this file.
    #[arg(long, value_name = "FILE.svg", requires = "sweep")]
    figure: Option<PathBuf>,

    /// A part of the adapter's name, such as llvmpipe.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

fn rate(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("a number above 0 is needed".into()),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match pollster::block_on(run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Box<dyn Error>> {
    // What is wrong with a file is told before anything is computed.
    let mut runs = cli.runs.as_deref().map(Runs::open).transpose()?.unwrap_or_default();
    let digits = Digits::load()?;
    let options = AdapterOptions {
        name: cli.device.clone(),
        ..Default::default()
    };
    let context = Context::request(&options).await?;
    println!("on {}", context.adapter_info().name);
    match cli.sweep {
        true => sweep_rates(cli, &context, &digits, &mut runs).await,
        false => train_once(cli, &context, &digits).await,
    }
}

async fn train_once(cli: &Cli, context: &Context, digits: &(Digits, Digits)) -> Result<(), Box<dyn Error>> {
    let (training, test) = digits;
    let start = Instant::now();
    let trainer = Trainer::new(context, cli.norm, training, test)?;
    let settings = Settings {
        rate: cli.rate,
        epochs: cli.epochs,
        seed: cli.seed,
    };
    let tell = |epoch, loss| println!("epoch {epoch:3}   loss {loss:.4}");
    let outcome = trainer.train(settings, tell).await?;
    let (percent, seconds) = (outcome.accuracy * 100.0, start.elapsed().as_secs_f64());
    let images = test.len();
    println!("accuracy {percent:.1} % of {images} images not trained on, {seconds:.1} s");
    match outcome.diverged() {
        true => Err(format!("diverged: the loss is {}", outcome.loss).into()),
        false => Ok(()),
    }
}

async fn sweep_rates(
    cli: &Cli,
    context: &Context,
    digits: &(Digits, Digits),
    runs: &mut Runs,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let tell = |cell: &sweep::Cell| {
        let (loss, percent) = (cell.losses().median, cell.accuracies().median * 100.0);
        let (norm, rate) = (cell.norm.name(), cell.rate);
        eprintln!("{norm:>6} at {rate:<5} loss {loss:.3}, accuracy {percent:.1} %");
    };
    let cells = sweep::sweep(context, digits, cli.epochs, runs, tell).await?;
    println!("\n{}", sweep::tables(&cells)?);
    if let Some(figure) = &cli.figure {
        let written = std::fs::write(figure, plot::draw(&cells, cli.epochs)?);
        written.map_err(|error| format!("{}: {error}", figure.display()))?;
    }
    println!("{} epochs, {:.0} s", cli.epochs, start.elapsed().as_secs_f64());
    Ok(())
}
