//! Moving data to and from the device: helpers for programs and tests.
//!
//! [`download`] submits, and off the web it polls the device until the data is there. An engine that has its own
//! frame loop does neither behind its own back and has no use for it.

use std::ops::Range;

use bytemuck::Pod;
use futures_intrusive::channel::shared::oneshot_channel;
use wgpu::util::DeviceExt;
use wgpu::{BufferAddress, BufferUsages};

use crate::Context;
use crate::error::{Error, ErrorKind, Result};

/// A buffer with `data` that kernels can bind and copies can read and write.
pub fn upload<T: Pod>(context: &Context, label: &str, data: &[T]) -> wgpu::Buffer {
    // Buffers of no size cannot be bound; an empty tensor still needs one.
    if data.is_empty() {
        return create(context, label, 0);
    }
    context.device().create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: Some(label),
        contents: bytemuck::cast_slice(data),
        usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
    })
}

/// A buffer of `bytes` bytes (at least 16) that kernels can bind and copies can read and write.
pub fn create(context: &Context, label: &str, bytes: BufferAddress) -> wgpu::Buffer {
    context.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes.next_multiple_of(4).max(16),
        usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// The elements in `range` of a buffer that has [`BufferUsages::COPY_SRC`], after all work submitted so far.
///
/// # Errors
/// [`ErrorKind::Size`] where the range is not within the buffer or not a multiple of 4 bytes;
/// [`ErrorKind::Device`] where the device is lost or refuses to map.
pub async fn download<T: Pod>(context: &Context, buffer: &wgpu::Buffer, range: Range<usize>) -> Result<Vec<T>> {
    let element = size_of::<T>() as BufferAddress;
    let bounds = (range.start as BufferAddress)
        .checked_mul(element)
        .zip((range.end as BufferAddress).checked_mul(element));
    let (start, end) = match bounds {
        Some((start, end)) if start <= end && end <= buffer.size() && start % 4 == 0 && end % 4 == 0 => (start, end),
        _ => {
            let message = format!("{range:?} is not a range of whole words in {} bytes", buffer.size());
            return Err(Error::new(ErrorKind::Size, "range", message));
        }
    };
    if start == end {
        return Ok(Vec::new());
    }
    let staging = readback(context, end - start);
    let mut encoder = context.device().create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, start, &staging, 0, end - start);
    context.queue().submit([encoder.finish()]);
    map(context, &staging).await
}

/// Submits what was recorded and reads back the first words of some buffers, as many as `lens` says, in one go.
pub(super) async fn submit_and_download(
    context: &Context,
    mut encoder: wgpu::CommandEncoder,
    buffers: &[wgpu::Buffer],
    lens: &[usize],
) -> Result<Vec<Vec<u32>>> {
    let bytes = |len: usize| len as BufferAddress * 4;
    let staging = readback(context, bytes(lens.iter().sum::<usize>()).max(4));
    let mut start = 0;
    for (buffer, &len) in buffers.iter().zip(lens) {
        if len > 0 {
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, bytes(start), bytes(len));
        }
        start += len;
    }
    context.queue().submit([encoder.finish()]);
    let all: Vec<u32> = map(context, &staging).await?;
    let mut rest = &all[..];
    let take = |&len: &usize| {
        let (words, after) = rest.split_at(len);
        rest = after;
        words.to_vec()
    };
    Ok(lens.iter().map(take).collect())
}

fn readback(context: &Context, size: BufferAddress) -> wgpu::Buffer {
    context.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some("wgnorm readback"),
        size,
        usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
        mapped_at_creation: false,
    })
}

/// The contents of a buffer that has [`BufferUsages::MAP_READ`].
async fn map<T: Pod>(context: &Context, staging: &wgpu::Buffer) -> Result<Vec<T>> {
    let (sender, receiver) = oneshot_channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        let _ = sender.send(result);
    });
    // Browsers make progress, and refuse to be waited for.
    #[cfg(not(target_family = "wasm"))]
    (context.device())
        .poll(wgpu::PollType::wait_indefinitely())
        .map_err(failed)?;
    #[cfg(target_family = "wasm")]
    let _ = context;
    match receiver.receive().await {
        Some(result) => result.map_err(failed)?,
        None => return Err(failed("the mapping was dropped")),
    }
    let view = staging.get_mapped_range(..).map_err(failed)?;
    let mut values = vec![T::zeroed(); view.len() / size_of::<T>()];
    bytemuck::cast_slice_mut(&mut values).copy_from_slice(&view);
    Ok(values)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Device, "readback", error.to_string())
}
