//! Everything in one buffer: a range of an arena is normalized in place with weight and bias from the same arena:
//! `cargo run --example arena`.

use wgnorm::verify::transfer::{download, upload};
use wgnorm::{Context, Forward, LayerNorm, View};

/// Elements of 4 bytes in 256 bytes: if a view of a buffer is written, every view of it needs such blocks of its own.
const BLOCK: usize = 64;
const ROWS: usize = 3;
const WIDTH: usize = 10;

fn main() -> wgnorm::Result<()> {
    pollster::block_on(async {
        // Block 0: weight. Block 1: bias. From block 2 on: the tensor. Last: something else, which must survive.
        let (weight, bias, tensor, other) = (0, BLOCK, 2 * BLOCK, 3 * BLOCK);
        let mut arena = vec![0f32; 4 * BLOCK];
        arena[weight..weight + WIDTH].fill(2.0);
        arena[bias..bias + WIDTH].fill(1.0);
        for i in 0..ROWS * WIDTH {
            arena[tensor + i] = 1e6 + (i % WIDTH) as f32;
        }
        arena[other..].fill(42.0);

        let context = Context::request(&Default::default()).await?;
        let plan = LayerNorm::new(&[ROWS, WIDTH]).plan(&context)?;
        let buffer = upload(&context, "arena", &arena);
        let view = |first: usize| View::new(&buffer).offset(first as u64);
        let workspace = context.create_workspace(plan.workspace_size());
        let args = Forward::in_place(view(tensor))
            .weight(view(weight))
            .bias(view(bias))
            .workspace(&workspace);
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.forward(&mut encoder, &args)?;
        context.queue().submit([encoder.finish()]);

        let after: Vec<f32> = download(&context, &buffer, 0..arena.len()).await?;
        for row in after[tensor..tensor + ROWS * WIDTH].chunks(WIDTH) {
            println!("{row:.4?}");
            // 0 to 9 have mean 4.5 and variance 8.25. A million before them costs no digits.
            let expected = |i: usize| (i as f32 - 4.5) / (8.25f32 + 1e-5).sqrt() * 2.0 + 1.0;
            assert!(row.iter().enumerate().all(|(i, y)| (y - expected(i)).abs() < 2e-6));
        }
        assert_eq!(after[..tensor], arena[..tensor]);
        assert_eq!(after[tensor + ROWS * WIDTH..], arena[tensor + ROWS * WIDTH..]);
        Ok(())
    })
}
