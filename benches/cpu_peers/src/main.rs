//! wgnorm's CPU path as one of the peers that `benches/cpu_peers/compare.py` measures: see `peer.py` for the commands.

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use wgnorm::cpu::{self, Args, BackwardArgs};
use wgnorm::spec::{Operation, Source};
use wgnorm::{BatchNorm, Gradients, GroupNorm, InstanceNorm, LayerNorm, Normalization, Record, RmsNorm};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A loaded case: all that a call takes.
struct Case {
    operation: Operation,
    backward: bool,
    x: Vec<f32>,
    dy: Vec<f32>,
    /// y, or of a backward pass dx.
    y: Vec<f32>,
    dweight: Vec<f32>,
    dbias: Vec<f32>,
    /// What the forward pass saved for the backward one.
    records: Vec<Record>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    running_mean: Vec<f32>,
    running_var: Vec<f32>,
}

impl Case {
    fn load(folder: &Path, name: &str, shape: &[usize], groups: usize) -> Result<Self> {
        let read = |name: &str| -> Result<Vec<f32>> {
            let bytes = fs::read(folder.join(name))?;
            Ok(bytemuck::pod_collect_to_vec(&bytes))
        };
        let (x, weight) = (read("x")?, read("weight")?);
        let (forward, backward) = match name.strip_suffix("_backward") {
            Some(forward) => (forward, true),
            None => (name, false),
        };
        let mut operation = operation(forward, shape, groups)?;
        let mut records = Vec::new();
        if backward {
            operation.running = None;
            operation.statistics = true;
            let kept = operation.axes.iter().filter(|axis| !axis.reduced);
            records = vec![Record::default(); kept.map(|axis| axis.extent as usize).product()];
        }
        let mut case = Self {
            operation,
            backward: false,
            dy: read("dy")?,
            y: vec![0.0; x.len()],
            dweight: vec![0.0; weight.len()],
            dbias: vec![0.0; weight.len()],
            x,
            weight,
            bias: read("bias")?,
            running_mean: read("mean")?,
            running_var: read("var")?,
            records,
        };
        if backward {
            case.run()?;
            case.backward = true;
        }
        Ok(case)
    }

    fn run(&mut self) -> Result<()> {
        if self.backward {
            let operation = &self.operation;
            let args = BackwardArgs {
                weight: operation.weight.then_some(&self.weight),
                statistics: Some(&self.records),
                dx: Some(&mut self.y),
                dweight: operation.weight.then_some(&mut self.dweight),
                dbias: operation.bias.then_some(&mut self.dbias),
                ..BackwardArgs::default()
            };
            return Ok(cpu::backward(
                operation,
                Gradients::of(operation),
                &self.x,
                &self.dy,
                args,
            )?);
        }
        let running = self.operation.source == Source::Running || self.operation.running.is_some();
        let args = Args {
            weight: self.operation.weight.then_some(&self.weight),
            bias: self.operation.bias.then_some(&self.bias),
            running_mean: running.then_some(&mut self.running_mean),
            running_var: running.then_some(&mut self.running_var),
            statistics: self.operation.statistics.then_some(&mut self.records),
            ..Args::default()
        };
        Ok(cpu::forward(&self.operation, &self.x, &mut self.y, args)?)
    }

    /// Milliseconds of a run, of so many one after the other, behind one that does not count.
    fn time(&mut self, runs: u32) -> Result<f64> {
        self.run()?;
        let start = Instant::now();
        for _ in 0..runs {
            self.run()?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(runs))
    }
}

fn operation(name: &str, shape: &[usize], groups: usize) -> Result<Operation> {
    let operation = match name {
        "layer" => LayerNorm::new(shape).operation(),
        "rms" => RmsNorm::new(shape).eps(1e-5).operation(),
        "group" => GroupNorm::new(shape, groups).operation(),
        "instance" => InstanceNorm::new(shape).weight(true).bias(true).operation(),
        "batch_training" => BatchNorm::new(shape).update_running_statistics().operation(),
        "batch_evaluation" => BatchNorm::new(shape).use_running_statistics().operation(),
        _ => return Err(format!("no operation is called {name}").into()),
    };
    Ok(operation?)
}

fn main() -> Result<()> {
    // The caller is one of the threads, as with the peers, and the process's first: tensors of another thread would come out of
    // a heap whose pages the system does not enlarge. Each has a processor of its own, as ONNX Runtime's have: after a pause the
    // system can leave two of them on one for many runs.
    let processors = core_affinity::get_core_ids().unwrap_or_default();
    let bind = move |thread: usize| {
        if let Some(&processor) = processors.get(thread % processors.len().max(1)) {
            core_affinity::set_for_current(processor);
        }
    };
    bind(0);
    rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .start_handler(bind)
        .build_global()?;
    answer()
}

fn answer() -> Result<()> {
    let mut case = None;
    println!("wgnorm {} {}", env!("CARGO_PKG_VERSION"), env::consts::ARCH);
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split_whitespace().collect();
        match (words.as_slice(), &mut case) {
            (["load", folder, name, shape, groups], _) => {
                let shape: Vec<usize> = shape
                    .split('x')
                    .map(str::parse)
                    .collect::<std::result::Result<_, _>>()?;
                case = Some(Case::load(Path::new(folder), name, &shape, groups.parse()?)?);
                println!("ok");
            }
            (["time", runs], Some(case)) => println!("{}", case.time(runs.parse()?)?),
            (["save", file], Some(case)) => {
                case.run()?;
                fs::write(file, bytemuck::cast_slice(&case.y))?;
                println!("ok");
            }
            _ => return Err(format!("no such command: {line}").into()),
        }
        io::stdout().flush()?;
    }
    Ok(())
}
