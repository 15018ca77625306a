//! Layer norm of a small tensor on the GPU, without a window: `cargo run --example hello`.

use wgnorm::verify::transfer::{create, download, upload};
use wgnorm::{Context, Forward, LayerNorm};

fn main() -> wgnorm::Result<()> {
    pollster::block_on(async {
        // 4 rows of 8 values: 0 to 7, 100 to 107, ...
        let x: Vec<f32> = (0..32).map(|i| (i / 8 * 100 + i % 8) as f32).collect();

        let context = Context::request(&Default::default()).await?;
        let plan = LayerNorm::new(&[4, 8]).weight(false).bias(false).plan(&context)?;
        let (input, output) = (upload(&context, "x", &x), create(&context, "y", 32 * 4));
        let workspace = context.create_workspace(plan.workspace_size());
        let args = Forward::new(&input, &output).workspace(&workspace);
        let mut encoder = context.device().create_command_encoder(&Default::default());
        plan.forward(&mut encoder, &args)?;
        context.queue().submit([encoder.finish()]);
        let y: Vec<f32> = download(&context, &output, 0..32).await?;

        println!("on {}\n{plan}", context.adapter_info().name);
        for row in y.chunks(8) {
            println!("{row:7.4?}");
            // 0 to 7 have mean 3.5 and variance 5.25, wherever they begin.
            let expected = |i: usize| (i as f32 - 3.5) / (5.25f32 + 1e-5).sqrt();
            assert!(row.iter().enumerate().all(|(i, y)| (y - expected(i)).abs() < 1e-6));
        }
        Ok(())
    })
}
