//! What planning needs to know of a device, as plain data.

/// The properties of a device that choose and bound kernels. Filled in by [`Context::new`](crate::Context::new) from
/// the device's limits, features and adapter; tests and tools may lower them to plan as for another device, with
/// [`Context::with_traits`](crate::Context::with_traits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceTraits {
    /// True for adapters that run shaders on the CPU: barriers are slow there, wide loads fast.
    pub software: bool,
    /// Smallest and largest subgroup size, where shaders may use subgroup operations.
    pub subgroup_size: Option<(u32, u32)>,
    /// True if shaders may use 64-bit integers.
    pub wide_integers: bool,
    /// True if two bindings may write one buffer, which browsers refuse.
    pub aliased_writes: bool,
    /// Invocations in a workgroup, at most.
    pub workgroup_invocations: u32,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Workgroups along one dimension of a dispatch, at most.
    pub workgroups_per_dimension: u32,
    /// Bytes of one storage binding, at most.
    pub binding_size: u64,
    /// Storage buffers that a stage can bind, at most.
    pub storage_buffers: u32,
    /// Alignment of a storage binding's offset, in bytes.
    pub storage_alignment: u32,
}

impl DeviceTraits {
    /// The traits of the WebGPU default limits, without subgroups: what every adapter can do.
    pub const fn minimal(software: bool) -> Self {
        Self {
            software,
            subgroup_size: None,
            wide_integers: false,
            aliased_writes: false,
            workgroup_invocations: 256,
            workgroup_memory: 16384,
            workgroups_per_dimension: 65535,
            binding_size: 128 << 20,
            storage_buffers: 8,
            storage_alignment: 256,
        }
    }

    /// Invocations that are sure to share a subgroup; where there are none, those of the usual one.
    pub(crate) fn smallest_subgroup(&self) -> u32 {
        self.subgroup_size.map_or(32, |(smallest, _)| smallest)
    }

    /// The largest power of two of invocations that a workgroup can have: for kernels that reduce in a tree.
    pub(crate) fn widest_tree(&self) -> u32 {
        1 << self.workgroup_invocations.max(1).ilog2()
    }
}
