//! Parameters shown, and to scikit-learn and back.

use std::fs;
use std::io::{Cursor, Read};

use super::{PEOPLE, Place, refused, run};
use crate::common::{assert_code, wgnorm};

/// Arrays of a .npz file, by readers that are not the program's own.
fn array(file: &str, name: &str) -> Vec<f64> {
    let mut archive = zip::ZipArchive::new(Cursor::new(fs::read(file).unwrap())).unwrap();
    let mut bytes = Vec::new();
    archive
        .by_name(&format!("{name}.npy"))
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

#[test]
fn scikit_learns_attributes_come_and_go() {
    let place = Place::new();
    let table = place.file("t.csv", "a,b\n1,10\n2,10\n3,40\n6,60\n");
    let names = |name: &str| (place.path(&format!("{name}.json")), place.path(&format!("{name}.npz")));
    let told = [
        ("zscore", false),
        ("minmax", false),
        ("maxabs", false),
        ("robust", false),
        ("quantile", false),
    ];
    let named = [("quantile:normal", true), ("power", false), ("power:box-cox", true)];
    for (scaler, named) in told.into_iter().chain(named) {
        let ((params, arrays), (again, _)) = (names(scaler), names("again"));
        run(&["fit", &table, "-o", &params, "--scaler", scaler]);
        run(&["params", "export", &params, "-o", &arrays]);
        let mut import = vec!["params", "import", &arrays, "--columns", "a,b", "-o", &again];
        if named {
            import.extend(["--scaler", scaler]);
        }
        run(&import);
        let transformed = |params: &str| {
            run(&["transform", &table, "--params", params, "-o", &place.path("out.csv")]);
            place.text("out.csv")
        };
        assert_eq!(transformed(&again), transformed(&params), "{scaler}");
    }
    let zscore = names("zscore").1;
    assert_eq!(
        (array(&zscore, "mean_"), array(&zscore, "var_")),
        (vec![3.0, 30.0], vec![3.5, 450.0])
    );
    let minmax = names("minmax").1;
    assert_eq!(
        (array(&minmax, "data_range_"), array(&minmax, "min_")),
        (vec![5.0, 50.0], vec![-0.2, -0.2])
    );
    assert_eq!(array(&minmax, "feature_range"), [0.0, 1.0]);
    assert_eq!(array(&names("maxabs").1, "max_abs_"), [6.0, 60.0]);
    assert_eq!(array(&names("robust").1, "center_"), [2.5, 25.0]);
    let robust = names("robust").1;
    let out = place.path("no.json");
    refused(
        &["params", "import", &robust, "--columns", "a", "-o", &out],
        &["has 2 columns"],
    );
    refused(&["params", "import", &table, "-o", &out], &["not a .npz file"]);
    refused(
        &["params", "import", &robust, "-o", &out, "--scaler", "quantile:normal"],
        &["what robust has learned, not quantile:normal"],
    );
    let quantile = names("quantile").1;
    let quantiles = array(&quantile, "quantiles_").into_iter();
    let expected = [1.0, 10.0, 2.0, 10.0, 3.0, 40.0, 6.0, 60.0];
    assert!(
        quantiles
            .zip(expected)
            .all(|(found, expected)| (found / expected - 1.0).abs() < 1e-14)
    );
    assert_eq!(array(&quantile, "references_")[1..3], [1.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(array(&names("power").1, "lambdas_").len(), 2);
}

#[test]
fn what_scikit_learn_does_not_have_is_refused() {
    let place = Place::new();
    let table = place.file("t.csv", PEOPLE);
    let (params, out) = (place.path("p.json"), place.path("x.npz"));
    run(&[
        "fit",
        &table,
        "-o",
        &params,
        "--scale",
        "age=zscore",
        "--scale",
        "income=log+zscore",
    ]);
    refused(
        &["params", "export", &params, "-o", &out],
        &["add --scaler", "zscore, log+zscore"],
    );
    refused(
        &["params", "export", &params, "-o", &out, "--scaler", "log+zscore"],
        &["logarithm"],
    );
    run(&["params", "export", &params, "-o", &out, "--scaler", "zscore"]);
}

#[test]
fn parameters_are_shown() {
    let place = Place::new();
    let table = place.file("t.csv", "key,x\na,1\nb,10\na,3\n");
    let params = place.path("p.json");
    run(&["fit", &table, "-o", &params, "--scaler", "minmax", "--by", "key"]);
    let shown = wgnorm(&["params", "show", &params]);
    assert_code(&shown, 0);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("t.csv: 3 rows, 2 values of key"), "{text}");
    let words = |key: &str| -> Vec<String> {
        let cells = |line: &str| line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect();
        let mut rows = text.lines().map(cells);
        rows.find(|row: &Vec<String>| row.get(1).is_some_and(|cell| cell == key))
            .unwrap()
    };
    assert_eq!(
        words("a")[..9],
        ["x", "a", "float64", "minmax", "3", "0", "1", "2", "0"]
    );
    assert_eq!(words("b")[6..9], ["10", "1", "0"]);
    assert_code(&wgnorm(&["params", "show", "imagenet"]), 0);
}
