//! Where to compute: the `--backend` and `--device` flags, and what stands behind them.

use clap::{Args, ValueEnum};
use wgnorm::spec::Operation;
use wgnorm::verify::{self, Case, Outcome};
use wgnorm::{AdapterOptions, Context, Variant, wgpu};

use crate::cpu;
use crate::failure::Result;

#[derive(Args, Debug, Clone)]
pub struct DeviceArgs {
    /// Graphics API to look for adapters in.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub backend: Backend,

    /// `auto`, `cpu` (the library's own multi-threaded CPU path, not a software adapter), or a part of an adapter's
    /// name in any case, such as `llvmpipe` or `nvidia`.
    #[arg(long, global = true, default_value = "auto", value_name = "auto|cpu|NAME")]
    pub device: String,
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
    pub fn bits(self) -> wgpu::Backends {
        match self {
            Self::Auto => wgpu::Backends::all(),
            Self::Vulkan => wgpu::Backends::VULKAN,
            Self::Gl => wgpu::Backends::GL,
            Self::Metal => wgpu::Backends::METAL,
            Self::Dx12 => wgpu::Backends::DX12,
        }
    }
}

/// What runs the normalizations.
pub enum Device {
    Cpu,
    Gpu(Context),
}

impl DeviceArgs {
    pub fn open(&self) -> Result<Device> {
        if self.device.eq_ignore_ascii_case("cpu") {
            return Ok(Device::Cpu);
        }
        let name = (!self.device.eq_ignore_ascii_case("auto")).then(|| self.device.clone());
        let options = AdapterOptions {
            backends: self.backend.bits(),
            name,
            ..Default::default()
        };
        Ok(Device::Gpu(pollster::block_on(Context::request(&options))?))
    }
}

impl Device {
    /// The adapter's name with its backend and driver, or `cpu`.
    pub fn describe(&self) -> String {
        match self {
            Self::Cpu => "cpu".into(),
            Self::Gpu(context) => describe_adapter(context.adapter_info()),
        }
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
    pub fn run(&self, case: &Case, variant: Option<Variant>) -> Result<Outcome, wgnorm::Error> {
        match self {
            Self::Cpu => cpu::run_poisoned(case),
            Self::Gpu(context) => pollster::block_on(verify::run(context, case, variant)),
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

pub fn describe_adapter(info: &wgpu::AdapterInfo) -> String {
    let driver = [info.driver.as_str(), info.driver_info.as_str()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if driver.is_empty() {
        format!("{} ({})", info.name, info.backend)
    } else {
        format!("{} ({}, {driver})", info.name, info.backend)
    }
}
