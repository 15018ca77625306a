//! Where to compute: the `--backend` and `--device` flags, and what stands behind them.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use wgnorm::spec::Operation;
use wgnorm::verify::{self, Arrangement, Case, GradientOutcome, Outcome};
use wgnorm::{AdapterOptions, Context, ErrorKind, TuningTable, Variant, wgpu};

use crate::cpu;
use crate::failure::{Failure, Result};

/// Where help lists the flags that every command takes.
pub const HELP_HEADING: &str = "Common options";

#[derive(Args, Debug, Clone)]
pub struct DeviceArgs {
    /// Graphics API to look for adapters in; auto takes gl only where no other has one.
    #[arg(long, global = true, value_enum, default_value_t, help_heading = HELP_HEADING)]
    backend: Backend,

    /// cpu (the library's CPU path, not a software adapter), or a part of an adapter's name, such as llvmpipe.
    #[arg(
        long,
        global = true,
        default_value = "auto",
        value_name = "auto|cpu|NAME",
        value_parser = NonEmptyStringValueParser::new(),
        help_heading = HELP_HEADING
    )]
    device: String,

    /// A tuning table that `tune` measured on this adapter, instead of the built-in thresholds.
    #[arg(long, global = true, env = "WGNORM_TUNING", value_name = "FILE", help_heading = HELP_HEADING)]
    tuning: Option<PathBuf>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    #[default]
    Auto,
    Vulkan,
    Gl,
    Metal,
    Dx12,
}

impl Backend {
    /// Looks for something in the backend; automatically in GL only after the others, since merely asking some GL
    /// drivers makes them print to stderr.
    fn search<T, E>(self, look: impl Fn(wgpu::Backends) -> Result<T, E>) -> Result<T, E> {
        look(match self {
            Self::Auto => return look(wgpu::Backends::PRIMARY).or_else(|_| look(wgpu::Backends::all())),
            Self::Vulkan => wgpu::Backends::VULKAN,
            Self::Gl => wgpu::Backends::GL,
            Self::Metal => wgpu::Backends::METAL,
            Self::Dx12 => wgpu::Backends::DX12,
        })
    }
}

/// What runs the normalizations.
pub enum Device {
    Cpu,
    Gpu(Context),
}

impl DeviceArgs {
    pub fn open(&self) -> Result<Device> {
        if self.is_cpu() {
            return Ok(Device::Cpu);
        }
        let name = (!self.device.eq_ignore_ascii_case("auto")).then(|| self.device.clone());
        let request = |backends| {
            let name = name.clone();
            let options = AdapterOptions {
                backends,
                name,
                ..Default::default()
            };
            pollster::block_on(Context::request(&options))
        };
        let hint = match &name {
            Some(_) => "",
            None => "; `scripts/with-adapter COMMAND` installs a software driver, `--device cpu` needs none",
        };
        let context = self.backend.search(request);
        let context = context.map_err(|error| Failure::Adapter(format!("{error}{hint}")))?;
        Ok(Device::Gpu(match &self.tuning {
            Some(path) => tuned(&context, path)?,
            None => context,
        }))
    }

    /// A GPU, where one is there or is named: what the CPU can do as well needs no other adapter. Software adapters, which
    /// are slower than the CPU path, have to be named.
    pub fn open_gpu(&self) -> Result<Option<Context>> {
        let auto = self.device.eq_ignore_ascii_case("auto");
        match self.open() {
            Ok(Device::Cpu) => Ok(None),
            Ok(Device::Gpu(context)) => {
                let software = context.adapter_info().device_type == wgpu::DeviceType::Cpu;
                Ok((!auto || !software).then_some(context))
            }
            Err(Failure::Adapter(_)) if auto => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub fn is_cpu(&self) -> bool {
        self.device.eq_ignore_ascii_case("cpu")
    }

    /// The adapters among which [`open`](Self::open) chooses.
    pub fn adapters(&self) -> Vec<wgpu::Adapter> {
        let enumerate = |backends| {
            let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
            descriptor.backends = backends;
            let adapters = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
            if adapters.is_empty() { Err(()) } else { Ok(adapters) }
        };
        self.backend.search(enumerate).unwrap_or_default()
    }
}

impl Device {
    /// True if all that is asked of the device goes through one context of OpenGL.
    pub fn is_open_gl(&self) -> bool {
        match self {
            Self::Cpu => false,
            Self::Gpu(context) => context.adapter_info().backend == wgnorm::wgpu::Backend::Gl,
        }
    }

    /// The adapter's name with its backend and driver, or `cpu`.
    pub fn describe(&self) -> String {
        match self {
            Self::Cpu => "cpu".into(),
            Self::Gpu(context) => describe_adapter(context.adapter_info()),
        }
    }

    /// What `case` is in an arrangement, and on which device; `None` if there is no such thing.
    pub fn arranged(&self, case: &Case, arrangement: Arrangement) -> Result<Option<(Case, Self)>, wgnorm::Error> {
        let Some(arranged) = arrangement.of(case) else {
            return Ok(None);
        };
        Ok(match self {
            Self::Cpu => (arrangement == Arrangement::Plain).then_some((arranged, Self::Cpu)),
            Self::Gpu(context) => (arrangement.context(context, case)?).map(|context| (arranged, Self::Gpu(context))),
        })
    }

    /// The variants that can run `operation`; one unnamed way where there is no choice.
    pub fn candidates(&self, operation: &Operation) -> Result<Vec<Option<Variant>>, wgnorm::Error> {
        let found = match self {
            Self::Cpu => Vec::new(),
            Self::Gpu(context) => operation.candidates(context)?,
        };
        Ok(if found.is_empty() {
            vec![None]
        } else {
            found.into_iter().map(Some).collect()
        })
    }

    /// Runs a case twice with its outputs poisoned differently. `None` leaves the variant to the planner.
    pub fn run(
        &self,
        case: &Case,
        variant: Option<Variant>,
        arrangement: Arrangement,
    ) -> Result<Outcome, wgnorm::Error> {
        match self {
            Self::Cpu => cpu::run_poisoned(case),
            Self::Gpu(context) => pollster::block_on(verify::run_arranged(context, case, variant, arrangement)),
        }
    }

    /// Runs the backward pass of a case that has a dy, as [`run`](Self::run) does the forward one; `None` where there is
    /// none, of the case or on the device.
    pub fn run_backward(
        &self,
        case: &Case,
        variant: Option<Variant>,
        arrangement: Arrangement,
    ) -> Result<Option<GradientOutcome>, wgnorm::Error> {
        let Some(dy) = case.dy.as_deref().filter(|_| case.has_place_for_dx()) else {
            return Ok(None);
        };
        match self {
            Self::Cpu => cpu::run_backward_poisoned(case, dy).map(Some),
            Self::Gpu(context) => match pollster::block_on(verify::run_backward(context, case, variant, arrangement)) {
                // Not every variant has a backward pass.
                Err(error) if variant.is_some() && error.kind() == ErrorKind::Variant => Ok(None),
                outcome => outcome.map(Some),
            },
        }
    }

    /// The name under which a result is reported: the variant, `cpu`, or `none` where nothing was dispatched.
    pub fn variant_name(&self, variant: Option<Variant>) -> &'static str {
        match (self, variant) {
            (Self::Cpu, _) => "cpu",
            (Self::Gpu(_), Some(variant)) => variant.name(),
            (Self::Gpu(_), None) => "none",
        }
    }
}

/// The context with the thresholds of a table, or why it is refused.
fn tuned(context: &Context, path: &Path) -> Result<Context> {
    let refused = |error: &dyn Display| Failure::Input(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refused(&error))?;
    let table: TuningTable = text.parse().map_err(|error: wgnorm::Error| refused(&error))?;
    context.with_table(&table).map_err(|error| refused(&error))
}

pub fn describe_driver(info: &wgpu::AdapterInfo) -> String {
    let parts = [info.driver.as_str(), info.driver_info.as_str()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

pub fn describe_adapter(info: &wgpu::AdapterInfo) -> String {
    let driver = describe_driver(info);
    if driver.is_empty() {
        format!("{} ({})", info.name, info.backend)
    } else {
        format!("{} ({}, {driver})", info.name, info.backend)
    }
}
