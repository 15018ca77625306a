//! `wgnorm info`: adapters, and what the planner makes of the chosen one.

use serde_json::{Value, json};
use wgnorm::wgpu::{self, Features};
use wgnorm::{Context, DeviceTraits, Plan};

use crate::console::say;
use crate::device::{Device, DeviceArgs, describe_adapter};
use crate::failure::Result;
use crate::files::Output;
use crate::operation::{LayoutName, Op, Settings};
use crate::plan::summary;
use crate::report;

/// Features that kernels or benchmarks make use of.
const FEATURES: [(&str, Features); 4] = [
    ("subgroups", Features::SUBGROUP),
    ("shader-f16", Features::SHADER_F16),
    ("timestamp queries", Features::TIMESTAMP_QUERY),
    ("pipeline cache", Features::PIPELINE_CACHE),
];

pub fn run(device: &DeviceArgs, json: Option<Output>) -> Result<()> {
    let adapters = device.adapters();
    say!("adapters found: {}", adapters.len());
    for adapter in &adapters {
        print_adapter(adapter);
    }
    let opened = device.open()?;
    say!("chosen: {}", opened.describe());
    let mut plans = Value::Null;
    if let Device::Gpu(context) = &opened {
        print_traits(context.traits());
        plans = print_plans(context)?;
    } else {
        say!(
            "threads: {}",
            std::thread::available_parallelism().map_or(1, usize::from)
        );
    }
    if let Some(json) = json {
        json.save_json(&json!({
            "adapters": adapters.iter().map(describe_json).collect::<Vec<_>>(),
            "chosen": opened.describe(),
            "plans": plans,
        }))?;
    }
    Ok(())
}

fn print_traits(traits: &DeviceTraits) {
    let subgroups = match traits.subgroup_size {
        Some((low, high)) if low == high => format!("subgroups of {low}"),
        Some((low, high)) => format!("subgroups of {low} to {high}"),
        None => "no subgroups".into(),
    };
    let adapter = if traits.software { "software" } else { "hardware" };
    let integers = if traits.wide_integers { "with" } else { "without" };
    say!("planned for: {adapter}, {subgroups}, {integers} 64-bit integers, the limits above");
}

fn limits(adapter: &wgpu::Adapter) -> [(&'static str, u64); 6] {
    let limits = adapter.limits();
    [
        ("buffer bytes", limits.max_buffer_size),
        ("storage binding bytes", limits.max_storage_buffer_binding_size),
        (
            "storage buffers per stage",
            limits.max_storage_buffers_per_shader_stage.into(),
        ),
        (
            "workgroup memory bytes",
            limits.max_compute_workgroup_storage_size.into(),
        ),
        (
            "invocations per workgroup",
            limits.max_compute_invocations_per_workgroup.into(),
        ),
        (
            "workgroups per dimension",
            limits.max_compute_workgroups_per_dimension.into(),
        ),
    ]
}

fn features(adapter: &wgpu::Adapter) -> Vec<&'static str> {
    let present = adapter.features();
    (FEATURES.iter().filter(|(_, feature)| present.contains(*feature)))
        .map(|(name, _)| *name)
        .collect()
}

fn print_adapter(adapter: &wgpu::Adapter) {
    let info = adapter.get_info();
    say!("  {}, {:?}", describe_adapter(&info), info.device_type);
    say!(
        "    subgroup size {} to {}",
        info.subgroup_min_size,
        info.subgroup_max_size
    );
    say!("    features: {}", features(adapter).join(", "));
    for (name, value) in limits(adapter) {
        say!("    {name}: {value}");
    }
}

fn describe_json(adapter: &wgpu::Adapter) -> Value {
    let info = adapter.get_info();
    json!({
        "name": info.name,
        "backend": info.backend.to_string(),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "type": format!("{:?}", info.device_type),
        "subgroup_size": [info.subgroup_min_size, info.subgroup_max_size],
        "features": features(adapter),
        "limits": limits(adapter).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

fn print_plans(context: &Context) -> Result<Value> {
    let nhwc = Settings {
        layout: Some(LayoutName::Nhwc),
        ..Settings::default()
    };
    let groups = Settings {
        groups: Some(8),
        ..Settings::default()
    };
    let typical: [(Op, &[usize], Settings); 7] = [
        (Op::Layer, &[65536, 64], Settings::default()),
        (Op::Layer, &[4096, 1024], Settings::default()),
        (Op::Layer, &[16, 1 << 20], Settings::default()),
        (Op::Group, &[8, 64, 64, 64], groups),
        (Op::Batch, &[16, 64, 56, 56], Settings::default()),
        (Op::Batch, &[16, 56, 56, 64], nhwc),
        (Op::Zscore, &[1_000_000, 32], Settings::default()),
    ];
    let mut table = report::table(
        &[
            "operation",
            "shape",
            "variant",
            "dispatches",
            "workspace bytes",
            "candidates",
        ],
        3,
    );
    let mut plans = Vec::new();
    for (op, shape, settings) in typical {
        let operation = settings.operation(op, shape)?;
        let candidates = operation.candidates(context)?;
        let extents: Vec<_> = shape.iter().map(usize::to_string).collect();
        let (variant, dispatches, workspace) = match operation.plan(context) {
            Ok(plan) => {
                plans.push(json!({"op": operation.name, "shape": shape, "plan": summary(&plan)}));
                columns(&plan)
            }
            Err(error) => (error.to_string(), String::new(), String::new()),
        };
        let names: Vec<_> = candidates.iter().map(|variant| variant.name()).collect();
        table.add_row([
            operation.name.to_owned(),
            extents.join("x"),
            variant,
            dispatches,
            workspace,
            names.join(" "),
        ]);
    }
    say!("{table}");
    Ok(plans.into())
}

fn columns(plan: &Plan) -> (String, String, String) {
    (
        plan.variant().map_or("none", |variant| variant.name()).into(),
        plan.dispatches().to_string(),
        plan.workspace_size().to_string(),
    )
}
