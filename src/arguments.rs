//! What a caller binds: views of buffers, by name.

use crate::plan::Role;

/// A range of a buffer, from an offset in elements of 4 bytes to as far as the tensor goes.
///
/// Made from a `&wgpu::Buffer`, which is the view of its beginning. How far the tensor goes follows from the plan;
/// [`Plan::bind`](crate::Plan::bind) checks that the buffer is large enough.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The buffer; it needs [`wgpu::BufferUsages::STORAGE`].
    pub buffer: &'a wgpu::Buffer,
    /// Elements (of 4 bytes) before the tensor.
    pub offset: u64,
}

impl<'a> View<'a> {
    /// The view of the beginning of a buffer.
    pub fn new(buffer: &'a wgpu::Buffer) -> Self {
        Self { buffer, offset: 0 }
    }

    /// The view that begins `elements` further on.
    pub fn offset(mut self, elements: u64) -> Self {
        self.offset += elements;
        self
    }
}

impl<'a> From<&'a wgpu::Buffer> for View<'a> {
    fn from(buffer: &'a wgpu::Buffer) -> Self {
        Self::new(buffer)
    }
}

/// The arguments of a forward plan.
///
/// x and y are always given. What else a plan needs is what its operation was built with: weight, bias, statistics,
/// running statistics; moments for the statistics and apply stages; a workspace of
/// [`Plan::workspace_size`](crate::Plan::workspace_size) bytes if that is not 0. Views may begin at any element, the
/// workspace at a multiple of 256 bytes (or of the device's `min_storage_buffer_offset_alignment`, where that is less).
///
/// | view | holds | bytes |
/// |---|---|---|
/// | x, y | f32, the planned shape, dense and row-major or by the planned strides | 4 per element, gaps included |
/// | weight, bias | f32, [`Operation::weight_len`](crate::Operation::weight_len) values | 4 per value |
/// | statistics | [`Record`](crate::Record)s, one per segment, row-major over the kept axes | 16 per segment |
/// | running_mean, running_var | f32, one per channel | 4 per channel |
/// | corrections | four f32 per channel, of which two are ratio and shift: written by batch renormalization with statistics | 16 per channel |
/// | batches | u32, one per channel: batches that a cumulative average has seen | 4 per channel |
/// | moments | [`Moments`](crate::Moments), one per segment, in the order of the records | 32 per segment |
/// | workspace | nothing that lasts | as the plan says |
///
/// All buffers need [`wgpu::BufferUsages::STORAGE`]. A view that the plan has no use for is refused, but for the
/// workspace, and the y of the statistics stage.
///
/// Views of one buffer must not share elements where one is written, except that y may be x itself. (By strides, rows of
/// y may lie between those of x.) x and y may share 256-byte blocks of a buffer; another view that shares one with a view
/// that is written, or statistics, moments and running statistics that begin within a block, are copied through the
/// workspace, which is then larger: [`Plan::workspace_size_for`](crate::Plan::workspace_size_for). The workspace shares
/// its blocks with none.
///
/// ```no_run
/// use wgnorm::{Forward, View, wgpu};
/// # fn example(arena: &wgpu::Buffer, workspace: &wgpu::Buffer) {
/// // In place from element 128 of an arena on, with the weight at its beginning and the bias 64 elements further.
/// let args = Forward::in_place(View::new(arena).offset(128))
///     .weight(arena)
///     .bias(View::new(arena).offset(64))
///     .workspace(workspace);
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Forward<'a> {
    /// The input.
    pub x: View<'a>,
    /// The output, of x's shape; ignored by the statistics stage.
    pub y: View<'a>,
    /// The weight.
    pub weight: Option<View<'a>>,
    /// The bias.
    pub bias: Option<View<'a>>,
    /// Where the [`Record`](crate::Record)s go.
    pub statistics: Option<View<'a>>,
    /// The running mean: read, and overwritten if the operation updates it.
    pub running_mean: Option<View<'a>>,
    /// The running variance: read, and overwritten if the operation updates it.
    pub running_var: Option<View<'a>>,
    /// Batches that every channel's running statistics have seen: read, and counted up, by a cumulative average.
    pub batches: Option<View<'a>>,
    /// Where ratio and shift of batch renormalization go, for the backward pass.
    pub corrections: Option<View<'a>>,
    /// [`Moments`](crate::Moments): written by the statistics stage, read by the apply stage.
    pub moments: Option<View<'a>>,
    /// Scratch memory; its contents before do not matter and are not kept.
    pub workspace: Option<View<'a>>,
    /// The extent of the outermost axis, where it differs from the planned shape's.
    pub outer_extent: Option<usize>,
}

impl<'a> Forward<'a> {
    /// Arguments with x and y alone.
    pub fn new(x: impl Into<View<'a>>, y: impl Into<View<'a>>) -> Self {
        Self {
            x: x.into(),
            y: y.into(),
            weight: None,
            bias: None,
            statistics: None,
            running_mean: None,
            running_var: None,
            batches: None,
            corrections: None,
            moments: None,
            workspace: None,
            outer_extent: None,
        }
    }

    /// In place: y is x.
    pub fn in_place(x: impl Into<View<'a>>) -> Self {
        let x = x.into();
        Self::new(x, x)
    }

    /// Arguments of the statistics stage: x, and where its moments go.
    pub fn take_statistics(x: impl Into<View<'a>>, moments: impl Into<View<'a>>) -> Self {
        Self::in_place(x).moments(moments)
    }

    /// Sets the weight.
    pub fn weight(mut self, weight: impl Into<View<'a>>) -> Self {
        self.weight = Some(weight.into());
        self
    }

    /// Sets the bias.
    pub fn bias(mut self, bias: impl Into<View<'a>>) -> Self {
        self.bias = Some(bias.into());
        self
    }

    /// Sets where the [`Record`](crate::Record)s go, 16 bytes a segment.
    pub fn statistics(mut self, statistics: impl Into<View<'a>>) -> Self {
        self.statistics = Some(statistics.into());
        self
    }

    /// Sets the running mean and variance, one f32 per channel each.
    pub fn running(mut self, mean: impl Into<View<'a>>, var: impl Into<View<'a>>) -> Self {
        self.running_mean = Some(mean.into());
        self.running_var = Some(var.into());
        self
    }

    /// Sets the counters of batches, one u32 per channel: for [`cumulative_average`](crate::BatchNorm::cumulative_average).
    pub fn batches(mut self, batches: impl Into<View<'a>>) -> Self {
        self.batches = Some(batches.into());
        self
    }

    /// Sets where ratio and shift go, four f32 per channel: for [`renormalize`](crate::BatchNorm::renormalize).
    pub fn corrections(mut self, corrections: impl Into<View<'a>>) -> Self {
        self.corrections = Some(corrections.into());
        self
    }

    /// Sets the [`Moments`](crate::Moments), 32 bytes a segment.
    pub fn moments(mut self, moments: impl Into<View<'a>>) -> Self {
        self.moments = Some(moments.into());
        self
    }

    /// Sets the workspace: [`Plan::workspace_size`](crate::Plan::workspace_size) bytes or more.
    pub fn workspace(mut self, workspace: impl Into<View<'a>>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }

    /// Sets the extent of the outermost axis, where it differs from the planned shape's: another batch size. The
    /// axis must not index the weight. The workspace is then
    /// [`Plan::workspace_size_at`](crate::Plan::workspace_size_at) bytes.
    pub fn outer_extent(mut self, extent: usize) -> Self {
        self.outer_extent = Some(extent);
        self
    }

    pub(crate) fn view(&self, role: Role) -> Option<View<'a>> {
        match role {
            Role::X => Some(self.x),
            Role::Y => Some(self.y),
            Role::Weight => self.weight,
            Role::Bias => self.bias,
            Role::Statistics => self.statistics,
            Role::Moments => self.moments,
            Role::Merged | Role::Dy | Role::Dx | Role::Dweight | Role::Dbias | Role::Sums => None,
            Role::RunningMean => self.running_mean,
            Role::RunningVar => self.running_var,
            Role::Batches => self.batches,
            Role::Corrections => self.corrections,
            Role::Workspace => self.workspace,
        }
    }
}
