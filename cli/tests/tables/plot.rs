//! Figures: that they are made, and show what there is. Whether they are readable is for people to look at.

use std::fs;

use super::{PEOPLE, Place, refused, run};

#[test]
fn histograms_before_and_after() {
    let place = Place::new();
    let table = place.file("people.csv", PEOPLE);
    let (params, svg, png) = (place.path("p.json"), place.path("f.svg"), place.path("f.png"));
    run(&["fit", &table, "-o", &params, "--scale", "income=log+zscore"]);
    let json = place.path("f.json");
    run(&["plot", &table, "--params", &params, "-o", &svg, "--json", &json]);
    let text = place.text("f.svg");
    for words in [
        "income: as it is",
        "income: log+zscore",
        "4 values, 1 missing",
        "quartiles",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(!text.contains("age"), "only what is scaled");
    let json: serde_json::Value = serde_json::from_str(&place.text("f.json")).unwrap();
    let panel = &json["panels"][0][0];
    assert_eq!((&panel["rows"], &panel["missing"]), (&5.into(), &1.into()));
    let counts = panel["counts"].as_array().unwrap();
    assert_eq!(
        counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>() + panel["beyond"].as_u64().unwrap(),
        4
    );
    assert_eq!(panel["quantiles"][2], 5500.0);

    run(&[
        "plot",
        &table,
        "--scaler",
        "minmax",
        "--scaler",
        "robust",
        "--columns",
        "age,income",
        "-o",
        &png,
    ]);
    let figure = image::load_from_memory(&fs::read(&png).unwrap()).unwrap();
    assert_eq!((figure.width(), figure.height()), (1520, 1980));
    refused(&["plot", &table, "-o", &place.path("f.pdf")], &[".svg or .png"]);
    refused(
        &["plot", &table, "--columns", "name", "-o", &svg],
        &["row 1", "\"name\""],
    );
}

#[test]
fn columns_of_no_or_equal_values_have_panels() {
    let place = Place::new();
    let table = place.file("t.csv", "a,b,c\n1,NA,0\n1,,0\n");
    run(&["plot", &table, "--columns", "a,b,c", "-o", &place.path("f.svg")]);
    assert!(place.text("f.svg").contains("0 values, 2 missing"));
}
