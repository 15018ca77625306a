//! Images: fitted by channel, made to tensors.

use std::fs;

use image::{ImageBuffer, Luma, Rgb, RgbImage};
use safetensors::SafeTensors;

use super::{Place, refused, run};
use crate::common::read_npy;

/// Two pixels beside each other.
fn rgb(place: &Place, name: &str, left: [u8; 3], right: [u8; 3]) {
    let image = RgbImage::from_fn(2, 1, |x, _| Rgb(if x == 0 { left } else { right }));
    image.save(place.path(name)).unwrap();
}

#[test]
fn channels_get_mean_and_deviation() {
    let place = Place::new();
    fs::create_dir(place.path("photos")).unwrap();
    rgb(&place, "photos/a.png", [0, 10, 255], [51, 10, 0]);
    rgb(&place, "photos/b.png", [102, 30, 255], [153, 30, 0]);
    place.file("photos/notes.txt", "no image");
    let (photos, params) = (place.path("photos"), place.path("p.json"));
    run(&["fit", &photos, "-o", &params, "--scaler", "zscore"]);
    let json: serde_json::Value = serde_json::from_str(&place.text("p.json")).unwrap();
    assert_eq!(
        (&json["fitted"]["rows"], &json["columns"][0]["type"]),
        (&4.into(), &"float32".into())
    );
    let mean = &json["scalers"][0]["learned"]["of_all_rows"]["fitted"]["moments"]["mean"];
    for (channel, expected) in [0.3, 20.0 / 255.0, 0.5].into_iter().enumerate() {
        assert!((mean[channel].as_f64().unwrap() - expected).abs() < 1e-7);
    }
    // In f64, from the shares of 255 in f32.
    let share = |value: u8| f64::from(f32::from(value) / 255.0);
    let of = |values: [u8; 4]| {
        let shares = values.map(share);
        let mean = shares.iter().sum::<f64>() / 4.0;
        let deviation = (shares.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4.0).sqrt();
        shares.map(|x| ((x - mean) / deviation) as f32)
    };
    let planes = [of([0, 51, 102, 153]), of([10, 10, 30, 30]), of([255, 0, 255, 0])];
    let close = |y: &[f32], expected: &[f32]| {
        assert!(
            y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6),
            "{y:?} {expected:?}"
        );
    };
    let out = place.path("x.npy");
    run(&["transform", &photos, "--params", &params, "-o", &out]);
    let (shape, y) = read_npy(&out);
    assert_eq!(shape, [2, 3, 1, 2]);
    let pixel = |image: usize, x: usize, channel: usize| planes[channel][image * 2 + x];
    let expected: Vec<f32> = (0..12).map(|i| pixel(i / 6, i % 2, i / 2 % 3)).collect();
    close(&y, &expected);
    run(&[
        "transform",
        &photos,
        "--params",
        &params,
        "-o",
        &out,
        "--layout",
        "nhwc",
    ]);
    let (shape, y) = read_npy(&out);
    assert_eq!(shape, [2, 1, 2, 3]);
    let expected: Vec<f32> = (0..12).map(|i| pixel(i / 6, i / 3 % 2, i % 3)).collect();
    close(&y, &expected);
}

#[test]
fn constants_have_names() {
    let place = Place::new();
    rgb(&place, "one.png", [255, 0, 51], [0, 255, 102]);
    let (image, out) = (place.path("one.png"), place.path("x.safetensors"));
    run(&["transform", &image, "--params", "imagenet", "-o", &out]);
    let bytes = fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = file.tensor("x").unwrap();
    assert_eq!(tensor.shape(), [1, 3, 1, 2]);
    let first = f32::from_le_bytes(tensor.data()[..4].try_into().unwrap());
    assert!((first - (1.0 - 0.485) / 0.229).abs() < 1e-6);
}

#[test]
fn images_have_8_or_16_bits() {
    let place = Place::new();
    let deep = ImageBuffer::from_fn(2, 2, |x, y| Luma([(x * 40_000 + y * 7) as u16]));
    deep.save(place.path("deep.png")).unwrap();
    let (params, out) = (place.path("p.json"), place.path("x.npy"));
    run(&[
        "fit",
        &place.path("deep.png"),
        "-o",
        &params,
        "--scale",
        "gray=range:0:1",
    ]);
    run(&["transform", &place.path("deep.png"), "--params", &params, "-o", &out]);
    let expected = [0.0, 40_000.0, 7.0, 40_007.0].map(|value: f32| value / 65_535.0);
    assert_eq!(read_npy(&out), (vec![1, 1, 2, 2], expected.to_vec()));
    rgb(&place, "photo.jpg", [200, 200, 200], [200, 200, 200]);
    run(&["fit", &place.path("photo.jpg"), "-o", &params, "--scaler", "maxabs"]);
}

#[test]
fn images_that_do_not_go_together_are_refused() {
    let place = Place::new();
    fs::create_dir(place.path("photos")).unwrap();
    let (photos, out) = (place.path("photos"), place.path("x.npy"));
    let args = ["transform", &photos, "--params", "imagenet", "-o", &out];
    refused(&args, &["holds no .png"]);
    rgb(&place, "photos/a.png", [0, 0, 0], [0, 0, 0]);
    RgbImage::new(3, 1).save(place.path("photos/b.png")).unwrap();
    refused(&args, &["b.png", "3 x 1", "2 x 1"]);
    ImageBuffer::<Luma<u8>, _>::from_raw(2, 1, vec![0u8; 2])
        .unwrap()
        .save(place.path("photos/b.png"))
        .unwrap();
    refused(&args, &["b.png", "1 channels"]);
    rgb(&place, "photos/b.png", [0, 0, 0], [0, 0, 0]);
    refused(
        &["transform", &photos, "--params", "imagenet", "-o", &place.path("x.csv")],
        &[".npy or .safetensors"],
    );
    place.file("photos/b.png", "text");
    refused(&args, &["b.png"]);
    assert_eq!(place.files(), 1);
}
