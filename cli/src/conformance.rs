//! `wgnorm verify --cases DIR`: a directory of golden cases.

use std::path::Path;
use std::{fs, io};

use wgnorm::verify::{Case, compare};

use crate::console::say;
use crate::device::Device;
use crate::failure::{Failure, Result};
use crate::files::{Contents, Output};
use crate::manifest::{Golden, Manifest, Tensors};
use crate::outputs;
use crate::report::{CaseReport, Report};
use crate::scalers::Scaling;
use crate::verify::{self, Choice, VerifyArgs};

pub fn run(
    args: &VerifyArgs,
    directory: &Path,
    choice: Choice,
    device: &Device,
    json: Option<&Output>,
) -> Result<Report> {
    let manifest = Manifest::read(directory)?;
    refuse_loss(args, directory, &manifest, json)?;
    // What is malformed is refused before the work, not after minutes of it.
    for golden in &manifest.cases {
        golden.check(directory, args.tight)?;
        Scaling::new(golden, &golden.read(directory)?)?;
    }
    let name = |golden: &Golden| golden.id.clone();
    let report = verify::in_parallel(device, manifest.cases, name, |_, golden, report| {
        let run = Run {
            golden: &golden,
            tensors: golden.read(directory)?,
            device,
            args,
        };
        run.all(choice, report)
    })?;
    let mut skipped: Vec<_> = report
        .cases
        .iter()
        .filter_map(|case| Some((&case.op, case.reason.as_ref()?)))
        .collect();
    skipped.retain(|(_, reason)| reason.starts_with("not built yet"));
    skipped.sort();
    for group in skipped.chunk_by(|a, b| a == b) {
        say!("skipped  {} of {} cases: {}", group[0].0, group.len(), group[0].1);
    }
    Ok(report)
}

/// Refuses to write over the cases.
fn refuse_loss(args: &VerifyArgs, directory: &Path, manifest: &Manifest, json: Option<&Output>) -> Result<()> {
    if let Some(json) = json {
        json.refuse_replacing(manifest.files(directory))?;
    }
    let Some(dump) = &args.dump else {
        return Ok(());
    };
    let failure = |error: io::Error| Failure::Input(format!("cannot write into {}: {error}", dump.display()));
    fs::create_dir_all(dump).map_err(failure)?;
    let canonical = |path: &Path| fs::canonicalize(path).map_err(failure);
    if canonical(dump)? == canonical(directory)? {
        return Err(Failure::input(
            "--dump: the directory of the cases is no place for their outputs",
        ));
    }
    Ok(())
}

struct Run<'a> {
    golden: &'a Golden,
    tensors: Tensors,
    device: &'a Device,
    args: &'a VerifyArgs,
}

impl Run<'_> {
    fn entry(&self) -> CaseReport {
        CaseReport::new(&self.golden.id, &self.golden.op)
    }

    fn all(&self, choice: Choice, report: &mut Report) -> Result<()> {
        let Some(case) = self.golden.case(&self.tensors)? else {
            let mut entry = self.entry();
            if let Some(scaling) = Scaling::new(self.golden, &self.tensors)? {
                let outputs = scaling.run(self.device, self.args.tight, &mut entry)?;
                report.push(entry);
                if let Some(directory) = &self.args.dump {
                    let wide = |name: &str| !matches!(name, "y" | "inverse");
                    self.dump(directory, |name| outputs.get(name).cloned(), wide)?;
                }
                return Ok(());
            }
            for name in &self.golden.outputs {
                entry.skipped_tensor(name);
            }
            entry.skip("not built yet: the operation");
            report.push(entry);
            return Ok(());
        };
        let mut dumped = self.args.dump.is_none();
        let how = (choice, self.args.matrix);
        verify::run_all(
            self.device,
            &case,
            how,
            report,
            || self.entry(),
            |mut entry, outcomes| {
                for name in &self.golden.outputs {
                    match outcomes.values(name) {
                        Some(actual) => self.compare(&mut entry, &case, name, &actual)?,
                        None => entry.skipped_tensor(name),
                    }
                }
                entry.settle();
                if let (Some(directory), false) = (&self.args.dump, dumped) {
                    // They are compared so.
                    let wide = |name: &str| matches!(name, "mean" | "rstd");
                    self.dump(directory, |name| outcomes.values(name), wide)?;
                    dumped = true;
                }
                Ok(entry)
            },
        )
    }

    fn compare(&self, entry: &mut CaseReport, case: &Case, name: &str, actual: &[f64]) -> Result<()> {
        let tolerance = self.golden.tolerance(name, self.args.tight)?;
        let reference = &self.tensors[name];
        let compare = |reference: &[f64]| compare(actual.iter().copied(), reference, &tolerance);
        let mut comparison = compare(reference);
        if !comparison.passed
            && self.golden.family == "denormal"
            && let Some(flushed) = case.flushed()
        {
            // An adapter may read subnormals as zeros.
            let other = outputs::reference(&flushed.expected(), name).map(compare);
            comparison = other.filter(|other| other.passed).unwrap_or(comparison);
        }
        entry.compared(name, &comparison, &tolerance);
        Ok(())
    }

    /// Writes what was computed under the case's tensor names, some of it in f64.
    fn dump(
        &self,
        directory: &Path,
        values: impl Fn(&str) -> Option<Vec<f64>>,
        wide: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let mut tensors = Vec::new();
        for name in &self.golden.outputs {
            let Some(values) = values(name) else {
                continue;
            };
            let described = self.golden.shape(name)?;
            // A wrong number of values has failed already; it is dumped as it is.
            let shape = match described.iter().product::<usize>() == values.len() {
                true => described.to_vec(),
                false => vec![values.len()],
            };
            let contents = match wide(name) {
                true => Contents::F64(values),
                false => Contents::F32(values.into_iter().map(|value| value as f32).collect()),
            };
            tensors.push((name.clone(), shape, contents));
        }
        let path = directory.join(format!("{}.safetensors", self.golden.id));
        Output::create(&path)?.save_tensors(tensors)
    }
}
