//! The manifest of a conformance directory, and its cases as the library's.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use wgnorm::verify::{Case, Norm, Running, Tolerance, Update};
use wgnorm::{Affine, Layout, Preset, RunningVariance, ZeroNorm};

use crate::failure::{Failure, Result};
use crate::files;

const NAME: &str = "manifest.json";
const FORMAT: &str = "norm-golden-1";

#[derive(Deserialize, Debug)]
pub struct Manifest {
    format: String,
    pub cases: Vec<Golden>,
}

/// One case: attributes, and which tensors its file holds.
#[derive(Deserialize, Debug)]
pub struct Golden {
    pub id: String,
    file: String,
    source: String,
    pub op: String,
    pub family: String,
    attributes: HashMap<String, Value>,
    inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub tensors: HashMap<String, Description>,
    tol: HashMap<String, Tol>,
    #[serde(default)]
    tol_tight: HashMap<String, Tol>,
}

#[derive(Deserialize, Debug)]
pub struct Description {
    pub shape: Vec<usize>,
}

#[derive(Deserialize, Debug, Clone, Copy)]
struct Tol {
    rtol: f64,
    atol: f64,
}

/// The tensors of a case's file.
pub type Tensors = HashMap<String, Vec<f64>>;

impl Manifest {
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join(NAME);
        let refuse = |reason: String| Failure::Input(format!("{}: {reason}", path.display()));
        let text = std::fs::read(&path).map_err(|error| refuse(format!("cannot read: {error}")))?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(refuse(format!("format {:?}, {FORMAT:?} is needed", manifest.format)));
        }
        if manifest.cases.is_empty() {
            return Err(refuse("it lists no case".into()));
        }
        let mut seen = HashSet::new();
        for case in &manifest.cases {
            // Ids become file names under --dump.
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-.+=,".contains(c);
            if case.id.is_empty() || case.id.starts_with('.') || !case.id.chars().all(plain) {
                return Err(refuse(format!("{:?} cannot be used as a case id", case.id)));
            }
            if !seen.insert(&case.id) {
                return Err(refuse(format!("case {:?} occurs twice", case.id)));
            }
        }
        Ok(manifest)
    }

    /// Every file that the directory's cases are read from.
    pub fn files(&self, directory: &Path) -> impl Iterator<Item = PathBuf> {
        let cases = self.cases.iter().map(|case| case.file.as_str());
        cases.chain([NAME]).map(|name| directory.join(name))
    }
}

impl Golden {
    /// Refuses what [`read`](Self::read), [`case`](Self::case) or [`tolerance`](Self::tolerance) would.
    pub fn check(&self, directory: &Path, tight: bool) -> Result<()> {
        self.case(&self.read(directory)?)?;
        let mut outputs = self.outputs.iter();
        outputs.try_for_each(|output| self.tolerance(output, tight).map(drop))
    }

    pub fn malformed(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::Input(format!("case {}: {reason}", self.id))
    }

    /// Reads the file and checks it against the manifest.
    pub fn read(&self, directory: &Path) -> Result<Tensors> {
        let mut tensors = Tensors::new();
        for files::Stored { name, shape, values } in files::read_all(&directory.join(&self.file))? {
            let description = self.tensors.get(&name);
            if description.is_none_or(|description| description.shape != shape) {
                return Err(self.malformed(format!("tensor {name:?} of shape {shape:?} is not as described")));
            }
            tensors.insert(name, values);
        }
        match self
            .inputs
            .iter()
            .chain(&self.outputs)
            .find(|name| !tensors.contains_key(*name))
        {
            Some(name) => Err(self.malformed(format!("tensor {name:?} is missing in {}", self.file))),
            None => Ok(tensors),
        }
    }

    pub fn tolerance(&self, tensor: &str, tight: bool) -> Result<Tolerance> {
        let tightened = self.tol_tight.get(tensor).filter(|_| tight);
        let tol = tightened.or_else(|| self.tol.get(tensor)).or_else(|| self.tol.get("*"));
        let Tol { rtol, atol } = *tol.ok_or_else(|| self.malformed(format!("no tolerance for {tensor:?}")))?;
        Ok(Tolerance { rtol, atol })
    }

    /// The case as the library runs it; `None` for operations that are not built yet.
    pub fn case(&self, tensors: &Tensors) -> Result<Option<Case>> {
        let norm = match self.op.as_str() {
            "layer_norm" => Norm::layer(self.index("axis")?, self.shape("x")?.len()),
            "rms_norm" => Norm::rms(self.index("axis")?, self.shape("x")?.len()),
            "batch_norm" => Norm::Batch(self.running("training")?),
            "instance_norm" => Norm::Instance(self.running("use_input_stats")?),
            "group_norm" => Norm::Group {
                groups: self.index("num_groups")?,
                affine: match self.text("affine_per")? {
                    "channel" => Affine::PerChannel,
                    "group" => Affine::PerGroup,
                    other => return Err(self.malformed(format!("affine_per is {other:?}"))),
                },
            },
            "mean_variance_norm" => Norm::MeanVariance { axes: self.axes()? },
            "lp_normalize" => Norm::Lp {
                axes: vec![self.resolved(self.attribute("dim")?, "dim")?],
                p: match self.attribute("p")?.as_str() {
                    Some("inf") => f32::INFINITY,
                    _ => self.number("p")? as f32,
                },
                zero: match self.text("zero_norm")? {
                    rule if rule.contains("max(norm, eps)") => ZeroNorm::AtLeastEps,
                    "output 0" => ZeroNorm::Zero,
                    other => return Err(self.malformed(format!("zero_norm is {other:?}"))),
                },
            },
            "local_response_norm" => self.local_response()?,
            _ => return Ok(None),
        };
        let eps = match norm {
            Norm::MeanVariance { .. } => Some(self.number("eps_on_std")?),
            Norm::LocalResponse { .. } => None,
            _ => Some(self.number("eps")?),
        };
        let input = |name: &str| -> Option<Vec<f32>> {
            let values = tensors
                .get(name)
                .filter(|_| self.inputs.iter().any(|input| input == name))?;
            Some(values.iter().map(|&value| value as f32).collect())
        };
        let uses_running = match &norm {
            Norm::Batch(running) | Norm::Instance(running) => running.use_running || running.update.is_some(),
            _ => false,
        };
        let running = input("running_mean").zip(input("running_var")).filter(|_| uses_running);
        if uses_running && running.is_none() {
            return Err(self.malformed("the mode needs running_mean and running_var"));
        }
        Ok(Some(Case {
            id: self.id.clone(),
            preset: self.preset(&norm)?,
            norm,
            shape: self.shape("x")?.to_vec(),
            layout: Layout::ChannelsFirst,
            eps: eps.map(|eps| eps as f32),
            x: input("x").ok_or_else(|| self.malformed("x is no input"))?,
            dy: input("grad_y"),
            weight: input("weight"),
            bias: input("bias"),
            running,
            weight_axes: None,
            input_strides: None,
            output_strides: None,
        }))
    }

    fn local_response(&self) -> Result<Norm> {
        let number = |name| self.number(name).map(|value| value as f32);
        Ok(Norm::LocalResponse {
            size: self.index("size")?,
            alpha: number("alpha")?,
            beta: number("beta")?,
            k: number("k")?,
        })
    }

    pub fn shape(&self, tensor: &str) -> Result<&[usize]> {
        let description = self.tensors.get(tensor);
        Ok(&description
            .ok_or_else(|| self.malformed(format!("tensor {tensor:?} is not described")))?
            .shape)
    }

    /// The momentum's convention decides where there is one, the window's where there is one; else the source.
    fn preset(&self, norm: &Norm) -> Result<Preset> {
        if let Norm::LocalResponse { size, .. } = norm {
            let window = (self.index("window_left")?, self.index("window_right")?);
            let (half, rest) = (size / 2, size.saturating_sub(1) / 2);
            return match window {
                _ if window == (half, rest) => Ok(Preset::PyTorch),
                _ if window == (rest, half) => Ok(Preset::Onnx),
                _ => Err(self.malformed(format!("a window of {window:?} is neither PyTorch's nor ONNX'"))),
            };
        }
        let convention = self.attributes.get("momentum_convention").and_then(Value::as_str);
        Ok(match convention.unwrap_or(&self.source) {
            "onnx" => Preset::Onnx,
            _ => Preset::PyTorch,
        })
    }

    /// Statistics of the input where `mode` says so, updating the running ones if they are an output.
    fn running(&self, mode: &str) -> Result<Running> {
        let own = self.attribute(mode)?.as_bool();
        let own = own.ok_or_else(|| self.malformed(format!("{mode} is not a boolean")))?;
        let updates = own && self.outputs.iter().any(|output| output.starts_with("new_running_"));
        let update = match updates {
            true => Some(Update {
                momentum: self.momentum()? as f32,
                variance: Some(match self.text("running_var")? {
                    "biased" => RunningVariance::Biased,
                    "unbiased" => RunningVariance::Unbiased,
                    other => return Err(self.malformed(format!("running_var is {other:?}"))),
                }),
            }),
            false => None,
        };
        Ok(Running {
            use_running: !own,
            update,
        })
    }

    fn momentum(&self) -> Result<f64> {
        match self.attributes.contains_key("momentum_effective") {
            true => self.number("momentum_effective"),
            false => self.number("momentum"),
        }
    }

    /// An attribute that a case may have.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    pub fn attribute(&self, name: &str) -> Result<&Value> {
        let value = self.attributes.get(name);
        value.ok_or_else(|| self.malformed(format!("attribute {name:?} is missing")))
    }

    pub fn number(&self, name: &str) -> Result<f64> {
        let number = self.attribute(name)?.as_f64();
        number.ok_or_else(|| self.malformed(format!("{name} is not a number")))
    }

    pub fn text(&self, name: &str) -> Result<&str> {
        let text = self.attribute(name)?.as_str();
        text.ok_or_else(|| self.malformed(format!("{name} is not a string")))
    }

    fn index(&self, name: &str) -> Result<usize> {
        let index = self
            .attribute(name)?
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        index.ok_or_else(|| self.malformed(format!("{name} is not a non-negative integer")))
    }

    /// An axis of x, where negative ones count from the end.
    fn resolved(&self, axis: &Value, name: &str) -> Result<usize> {
        let rank = self.shape("x")?.len() as i64;
        let resolve = |axis: i64| usize::try_from(if axis < 0 { axis.checked_add(rank)? } else { axis }).ok();
        let axis = axis.as_i64().and_then(resolve);
        axis.ok_or_else(|| self.malformed(format!("{name} is not an axis of x, or a list of them")))
    }

    fn axes(&self) -> Result<Vec<usize>> {
        match self.attribute("axes")? {
            Value::Array(axes) => axes.iter().map(|axis| self.resolved(axis, "axes")).collect(),
            other => Ok(vec![self.resolved(other, "axes")?]),
        }
    }
}
