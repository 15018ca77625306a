//! Gradients of whole networks against differences of an f64 loss, and trainings that come out as they should.

use fastrand::Rng;
use wgnorm::verify::transfer::download;
use wgnorm::{Context, wgpu};

use crate::data::{Digits, normal};
use crate::network::{Network, Pass, Shape};
use crate::norm::Norm;
use crate::oracle;
use crate::runs::Runs;
use crate::sweep::Spread;
use crate::train::{Outcome, Settings, Trainer};

/// Five outputs are not of whole fours, nor are nine samples to test with.
fn tiny() -> Shape {
    Shape {
        widths: vec![8, 16, 12, 16],
        classes: 5,
        groups: 2,
        batch: 12,
        test: 9,
    }
}

fn context() -> Context {
    pollster::block_on(Context::request(&Default::default())).unwrap()
}

fn run(context: &Context, pass: &Pass, input: &[f32], labels: &[u32]) -> f64 {
    context
        .queue()
        .write_buffer(&pass.input, 0, bytemuck::cast_slice(input));
    context
        .queue()
        .write_buffer(&pass.labels, 0, bytemuck::cast_slice(labels));
    let mut encoder = context.device().create_command_encoder(&Default::default());
    pass.record(&mut encoder);
    context.queue().submit([encoder.finish()]);
    let losses: Vec<f32> = pollster::block_on(download(context, &pass.losses, 0..labels.len())).unwrap();
    losses.iter().copied().map(f64::from).sum::<f64>() / losses.len() as f64
}

/// What a buffer holds by the places of the parameters.
fn values(context: &Context, network: &Network, buffer: &wgpu::Buffer) -> Vec<f32> {
    pollster::block_on(download(context, buffer, 0..network.len)).unwrap()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Every parameter's gradient, and then the loss with running statistics, where there are any.
#[test]
fn gradients_are_those_of_the_loss() {
    let context = context();
    for norm in Norm::ALL {
        let shape = tiny();
        let network = Network::new(&context, &shape, norm).unwrap();
        let mut rng = Rng::with_seed(7);
        // At a rate of 0 the step changes nothing but running statistics.
        network.reset(0.0, &mut rng);
        // Weights of 1 and biases of 0 would hide where one is forgotten.
        let mut parameters = values(&context, &network, &network.parameters);
        for layer in &network.layers {
            parameters[layer.weight..][..layer.outputs].fill_with(|| 1.0 + 0.3 * normal(&mut rng));
            parameters[layer.bias..][..layer.outputs].fill_with(|| 0.3 * normal(&mut rng));
        }
        (context.queue()).write_buffer(&network.parameters, 0, bytemuck::cast_slice(&parameters));
        let input: Vec<f32> = (0..shape.batch * shape.widths[0]).map(|_| normal(&mut rng)).collect();
        let labels: Vec<u32> = (0..shape.batch).map(|_| rng.u32(..shape.classes as u32)).collect();

        let loss = run(&context, &network.training, &input, &labels);
        let gradients = wide(&values(&context, &network, &network.gradients));
        let wide_input = wide(&input);
        let parameters = wide(&parameters);
        let of = |parameters: &[f64], running: Option<&[f64]>, samples: usize| {
            let network = oracle::Network {
                layers: &network.layers,
                norm,
                groups: shape.groups,
                classes: shape.classes,
                parameters,
                running,
            };
            network.loss(&wide_input[..samples * shape.widths[0]], &labels[..samples])
        };
        let expected = of(&parameters, None, shape.batch);
        assert!(
            (loss - expected).abs() < 1e-6 * expected,
            "{norm:?}: a loss of {loss}, not {expected}"
        );

        // Central differences err by h^2 times a third derivative and by 1e-16 / h, some 1e-10. (They would be wrong at
        // a kink of a ReLU within h, which none of these is.) The device rounds to f32, 6e-8 of values of up to about 1,
        // a few times a layer: 1e-7 was seen.
        let h = 1e-5;
        let mut compared = 0;
        for layer in &network.layers {
            let weights = if layer.hidden && norm != Norm::None {
                layer.outputs
            } else {
                0
            };
            let places = [
                (layer.matrix, layer.inputs * layer.outputs),
                (layer.weight, weights),
                (layer.bias, layer.outputs),
            ];
            for i in places.into_iter().flat_map(|(start, len)| start..start + len) {
                let at = |shift| {
                    let mut shifted = parameters.clone();
                    shifted[i] += shift;
                    of(&shifted, None, shape.batch)
                };
                let expected = (at(h) - at(-h)) / (2.0 * h);
                let error = (gradients[i] - expected).abs();
                assert!(
                    error < 1e-6,
                    "{norm:?}: gradient {i} is {}, not {expected}",
                    gradients[i]
                );
                compared += usize::from(expected.abs() > 1e-3);
            }
        }
        assert!(compared > 300, "{norm:?}: {compared} gradients are not 0");

        let running = wide(&values(&context, &network, &network.running));
        let loss = run(
            &context,
            &network.test,
            &input[..shape.test * shape.widths[0]],
            &labels[..shape.test],
        );
        let expected = of(&parameters, Some(&running), shape.test);
        assert!(
            (loss - expected).abs() < 1e-6 * expected,
            "{norm:?}: a test of {loss}, not {expected}"
        );
    }
}

/// Three epochs are enough to tell most digits, and come out the same at every run: parameters too.
#[test]
fn training_learns_and_repeats() {
    let context = context();
    let (training, test) = Digits::load().unwrap();
    assert_eq!((training.len(), test.len()), (1408, 389));
    let trainer = Trainer::new(&context, Norm::Batch, &training, &test).unwrap();
    let settings = Settings {
        rate: 0.2,
        epochs: 3,
        seed: 1,
    };
    let run = || {
        let outcome = pollster::block_on(trainer.train(settings, |_, _| ())).unwrap();
        let parameters = values(&context, &trainer.network, &trainer.network.parameters);
        (outcome, parameters.into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let first = run();
    assert!(first.0.accuracy > 0.9 && !first.0.diverged(), "{:?}", first.0);
    assert!(run() == first);
}

#[test]
fn diverging_is_told() {
    let outcome = |loss| Outcome { loss, accuracy: 0.1 };
    assert!(outcome(f64::NAN).diverged() && outcome(f64::INFINITY).diverged() && outcome(2.3).diverged());
    assert!(!outcome(0.5).diverged());
    let spread = Spread::of([3.0, f64::NAN, 1.0, 2.0, 0.0].into_iter());
    assert_eq!((spread.least, spread.median, spread.most), (0.0, 2.0, f64::INFINITY));
}

#[test]
fn runs_are_kept() {
    let path = std::env::temp_dir().join(format!("wgnorm-runs-{}.csv", std::process::id()));
    let settings = |seed| Settings {
        rate: 0.03,
        epochs: 2,
        seed,
    };
    let outcome = Outcome {
        loss: 0.1 + 0.2,
        accuracy: 1.0 / 3.0,
    };
    let mut runs = Runs::open(&path).unwrap();
    runs.add(Norm::Rms, settings(4), outcome).unwrap();
    let again = Runs::open(&path).unwrap();
    assert_eq!(again.find(Norm::Rms, settings(4)), Some(outcome));
    assert_eq!(again.find(Norm::Rms, settings(5)), None);
    std::fs::write(&path, "a header\nrms,1,2\n").unwrap();
    let error = Runs::open(&path).err().map(|error| error.to_string()).unwrap();
    assert!(error.contains("line 2"), "{error}");
    std::fs::remove_file(&path).unwrap();
}
