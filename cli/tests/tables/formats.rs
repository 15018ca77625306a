//! Formats, types, keys and weights: what comes out is what went in, scaled.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{PEOPLE, Place, fields, parquet, refused, run};
use crate::common;

fn read_parquet(file: &str) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    batches[0].clone()
}

#[test]
fn a_table_is_scaled_and_scaled_back() {
    let place = Place::new();
    let table = place.file("people.csv", PEOPLE);
    let (params, out, back) = (place.path("p.json"), place.path("out.csv"), place.path("back.csv"));
    let scales = ["--scale", "age=range:20:70", "--scale", "income=log+zscore"];
    run(&[&["fit", &table, "-o", &params], &scales[..]].concat());
    run(&["transform", &table, "--params", &params, "-o", &out]);
    let text = place.text("out.csv");
    assert!(text.starts_with("id,age,income,name\n"), "{text}");
    let rows = fields(&text);
    let column = |i: usize| rows.iter().map(|row| row[i].as_str()).collect::<Vec<_>>();
    assert_eq!(column(0), ["7", "8", "9", "10", "11"]);
    assert_eq!(column(1), ["0", "", "1", "0.5", "0.25"]);
    assert_eq!(column(3), ["Ann", "Bo, Jr.", "", "Di", "Ed"]);
    // ln(1000), ln(10000), ln(100000), ln(1000): -3, 1, 5, -3 quarters of ln(10) about their mean.
    let deviation = 11f64.sqrt();
    for (field, quarters) in [(0, -3.0), (1, 1.0), (2, 5.0), (4, -3.0)] {
        let y: f64 = column(2)[field].parse().unwrap();
        assert!((y - quarters / deviation).abs() < 1e-12, "{y}");
    }
    assert_eq!(column(2)[3], "");
    run(&["inverse", &out, "--params", &params, "-o", &back]);
    assert_eq!(place.text("back.csv"), PEOPLE.replace("NA", ""));
}

#[test]
fn parameters_say_where_they_come_from() {
    let place = Place::new();
    let table = place.file("people.csv", PEOPLE);
    let params = place.path("p.json");
    run(&[
        "fit",
        &table,
        "-o",
        &params,
        "--scaler",
        "robust",
        "--columns",
        "income,age",
    ]);
    let json: serde_json::Value = serde_json::from_str(&place.text("p.json")).unwrap();
    assert_eq!((&json["version"], &json["fitted"]["rows"]), (&1.into(), &5.into()));
    assert_eq!(json["fitted"]["table"], "people.csv");
    let age = &json["columns"][1];
    assert_eq!(age["name"], "age");
    assert_eq!(
        (&age["type"], &age["values"], &age["missing"]),
        (&"float64".into(), &4.into(), &1.into())
    );
    assert_eq!(json["columns"][3]["type"], "utf8");
    assert_eq!(json["scalers"][0]["columns"], serde_json::json!(["age", "income"]));
    // Columns in another order are found.
    let other = place.file("other.csv", "income,age\n1000,38.75\n");
    let out = place.path("out.csv");
    run(&["transform", &other, "--params", &params, "-o", &out]);
    assert_eq!(fields(&place.text("out.csv"))[0][1], "0");
}

#[test]
fn csv_may_be_zipped_quoted_and_without_a_header() {
    let place = Place::new();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped
        .write_all(b"\"a;1\";b\r\n\"1\";\"x\"\"y\"\r\n3;\"two\nlines\"\r\n")
        .unwrap();
    let table = place.file("t.csv.gz", zipped.finish().unwrap());
    let (params, out) = (place.path("p.json"), place.path("out.csv.gz"));
    run(&[
        "fit",
        &table,
        "-o",
        &params,
        "--scale",
        "a;1=minmax",
        "--delimiter",
        ";",
    ]);
    run(&["transform", &table, "--params", &params, "-o", &out, "--delimiter", ";"]);
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(out).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "\"a;1\";b\n0;\"x\"\"y\"\n1;\"two\nlines\"\n");

    let bare = place.file("bare.tsv", "1\t5\n2\t6\n3\t7\n");
    let out = place.path("bare-out.tsv");
    run(&["fit", &bare, "-o", &params, "--scale", "1=maxabs", "--no-header"]);
    run(&["transform", &bare, "--params", &params, "-o", &out, "--no-header"]);
    let column = |text: &str| -> Vec<f64> {
        text.lines()
            .map(|line| line.split('\t').nth(1).unwrap().parse().unwrap())
            .collect()
    };
    assert_eq!(
        column(&place.text("bare-out.tsv")),
        [5.0 * (1.0 / 7.0), 6.0 * (1.0 / 7.0), 1.0]
    );
}

#[test]
fn parquet_keeps_types_and_nulls() {
    let place = Place::new();
    let (table, params) = (place.path("t.parquet"), place.path("p.json"));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![1 << 60, 2, 3]))),
        ("small", Arc::new(Float32Array::from(vec![Some(1.0), None, Some(3.0)]))),
        ("count", Arc::new(Int64Array::from(vec![Some(2), Some(4), None]))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]))),
        ("wide", Arc::new(Float64Array::from(vec![0.1, 0.2, 0.3]))),
    ];
    parquet(&table, columns);
    let scales = [
        "--scale",
        "small=minmax",
        "--scale",
        "count=zscore",
        "--scale",
        "wide=zscore",
    ];
    run(&[&["fit", &table, "-o", &params], &scales[..]].concat());
    let out = place.path("out.parquet");
    run(&["transform", &table, "--params", &params, "-o", &out]);
    let batch = read_parquet(&out);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), 1 << 60);
    let small = batch.column(1).as_primitive::<Float32Type>();
    assert_eq!(small.iter().collect::<Vec<_>>(), [Some(0.0), None, Some(1.0)]);
    let count = batch.column(2).as_primitive::<Float64Type>();
    assert_eq!(count.iter().collect::<Vec<_>>(), [Some(-1.0), Some(1.0), None]);
    assert!(batch.column(3).is_null(1));
    let back = place.path("back.csv");
    run(&["inverse", &out, "--params", &params, "-o", &back]);
    assert_eq!(
        place.text("back.csv"),
        "id,small,count,name,wide\n1152921504606846976,1,2,a,0.1\n2,,4,,0.2\n3,3,,c,0.3\n"
    );
}

#[test]
fn float32_comes_back_too() {
    let place = Place::new();
    let values: Vec<f32> = (0..500).map(|i| (i * i % 997) as f32 * 0.01 - 2.5).collect();
    let table = place.file(
        "t.npy",
        common::npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': (500,), }",
            &common::le_f32(&values),
        ),
    );
    let (params, out, back) = (place.path("p.json"), place.path("out.npy"), place.path("back.npy"));
    for scaler in ["zscore", "robust", "symlog+minmax"] {
        run(&["fit", &table, "-o", &params, "--scaler", scaler]);
        run(&["transform", &table, "--params", &params, "-o", &out]);
        run(&["inverse", &out, "--params", &params, "-o", &back]);
        let found = common::read_npy(&back).1;
        let off = found
            .iter()
            .zip(&values)
            .map(|(found, value)| (found - value).abs())
            .fold(0.0, f32::max);
        assert!(off <= 1e-6, "{scaler}: {off}");
    }
}

/// On a GPU, or on a software adapter that is named.
#[test]
fn float32_is_scaled_on_an_adapter() {
    let place = Place::new();
    // The third column is a key.
    let value = |i: usize| {
        if i % 3 == 2 {
            (i / 3 % 7) as f32
        } else {
            (i * 37 % 1000) as f32 + 1e4
        }
    };
    let values: Vec<f32> = (0..3000).map(value).collect();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 3), }";
    let table = place.file("t.npy", common::npy(header, &common::le_f32(&values)));
    let (params, out) = (place.path("p.json"), place.path("out.npy"));
    let name = std::env::var("WGNORM_ADAPTER").unwrap_or("llvmpipe".into());
    let all = ["zscore", "minmax", "robust", "quantile", "quantile:normal", "power"].map(|scaler| (scaler, false));
    for (scaler, by_key) in all
        .into_iter()
        .chain(["zscore", "maxabs", "robust"].map(|scaler| (scaler, true)))
    {
        let mut made = Vec::new();
        for device in [&*name, "cpu"] {
            let mut fit = vec!["fit", &table, "-o", &params, "--scaler", scaler, "--columns", "0,1"];
            if by_key {
                fit.extend(["--by", "2"]);
            }
            let transform = ["transform", &table, "--params", &params, "-o", &out];
            for args in [&fit[..], &transform] {
                let run = common::on_device(device, args);
                // Where the adapter is another one, any.
                match run.status.code() {
                    Some(3) => drop(common::on_adapter(args)),
                    _ => common::assert_code(&run, 0),
                }
            }
            made.push(common::read_npy(&out).1);
        }
        let off = made[0]
            .iter()
            .zip(&made[1])
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        // (Powers of values far from 0 have no more digits; normal quantiles are of shares of f32.)
        let bound = match scaler {
            "power" => 2e-4,
            "quantile:normal" => 1e-5,
            _ => 2e-6,
        };
        assert!(off < bound, "{scaler}: {off}");
    }
}

#[test]
fn npy_tables_have_numbered_columns() {
    let place = Place::new();
    let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (3, 2), }\n";
    let data: Vec<u8> = [1i16, 2, 3, 10, 20, 40].iter().flat_map(|x| x.to_le_bytes()).collect();
    let table = place.file("t.npy", common::npy(header, &data));
    let (params, out) = (place.path("p.json"), place.path("out.npy"));
    run(&["fit", &table, "-o", &params, "--scaler", "minmax", "--columns", "0"]);
    run(&["transform", &table, "--params", &params, "-o", &out]);
    let bytes = fs::read(&out).unwrap();
    let array = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(array.shape(), [3, 2]);
    assert_eq!(array.into_vec::<f64>().unwrap(), [0.0, 10.0, 0.5, 20.0, 1.0, 40.0]);
    // CSV to an array: what passes through has to be numbers too.
    let people = place.file("people.csv", "age,income\n1,2\n3,\n");
    run(&["fit", &people, "-o", &params, "--scale", "age=maxabs"]);
    run(&["transform", &people, "--params", &params, "-o", &out]);
    let bytes = fs::read(&out).unwrap();
    let values = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec::<f64>().unwrap();
    assert_eq!(values[..3], [1.0 / 3.0, 2.0, 1.0]);
    assert!(values[3].is_nan());
}

#[test]
fn keys_have_statistics_of_their_own() {
    let place = Place::new();
    let text = "device,x,n\na,1,1\nb,100,1\na,3,2\nb,300,2\na,2,9\n";
    let table = place.file("t.csv", text);
    let (params, out, back) = (place.path("p.json"), place.path("out.csv"), place.path("back.csv"));
    for (scaler, expected) in [
        ("minmax", ["0", "0", "1", "1", "0.5"]),
        ("robust", ["-1", "-1", "1", "1", "0"]),
        ("quantile", ["0", "0", "1", "1", "0.5"]),
    ] {
        run(&[
            "fit",
            &table,
            "-o",
            &params,
            "--scaler",
            scaler,
            "--columns",
            "x",
            "--by",
            "device",
        ]);
        run(&["transform", &table, "--params", &params, "-o", &out]);
        let rows = fields(&place.text("out.csv"));
        assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), expected);
        run(&["inverse", &out, "--params", &params, "-o", &back]);
        assert_eq!(place.text("back.csv"), text);
    }
    // A key without values learns nothing, and is done before the others.
    let gaps = place.file("gaps.csv", "device,x\na,1\nb,\na,3\nb,NA\n");
    run(&[
        "fit",
        &gaps,
        "-o",
        &place.path("gaps.json"),
        "--scaler",
        "robust",
        "--columns",
        "x",
        "--by",
        "device",
    ]);
    run(&["transform", &gaps, "--params", &place.path("gaps.json"), "-o", &out]);
    assert_eq!(place.text("out.csv"), "device,x\na,-1\nb,\na,1\nb,\n");
    let other = place.file("other.csv", "device,x,n\na,1,1\nc,1,1\n");
    refused(
        &["transform", &other, "--params", &params, "-o", &place.path("no.csv")],
        &["other.csv", "row 2", "\"device\"", "\"c\" was not among the keys"],
    );
}

#[test]
fn values_get_the_distribution_that_is_asked_for() {
    let place = Place::new();
    // Powers of e, a gap, and what is new at the transform.
    let text: String = (0..101).map(|i| format!("{}\n", (f64::from(i) / 10.0).exp())).collect();
    let table = place.file("t.csv", format!("x\n{text}NA\n"));
    let (params, out, back) = (place.path("p.json"), place.path("out.csv"), place.path("back.csv"));
    let new = place.file("new.csv", format!("x\n{}\n\"\"\n-1\n1e9\n", 5f64.exp()));
    for (scaler, middle, ends) in [
        ("quantile", 0.5, [0.0, 1.0]),
        ("quantile:normal", 0.0, [-5.199, 5.199]),
        ("log1p+quantile", 0.5, [0.0, 1.0]),
        ("power", 0.0, [-2.8, 3.5]),
    ] {
        run(&["fit", &table, "-o", &params, "--scaler", scaler]);
        let input = if scaler.starts_with("log1p") { &table } else { &new };
        run(&["transform", input, "--params", &params, "-o", &out]);
        let scaled = fields(&place.text("out.csv"));
        if input == &new {
            let number = |row: usize| scaled[row][0].parse::<f64>().unwrap();
            assert!((number(0) - middle).abs() < 0.05, "{scaler} {scaled:?}");
            assert_eq!(scaled[1][0], "");
            assert!(
                number(2) < ends[0] + 0.5 && number(3) > ends[1] - 0.5,
                "{scaler} {scaled:?}"
            );
        }
        run(&["transform", &table, "--params", &params, "-o", &out]);
        run(&["inverse", &out, "--params", &params, "-o", &back]);
        let (x, again) = (fields(&place.text("t.csv")), fields(&place.text("back.csv")));
        for (x, again) in x.iter().zip(&again).take(101) {
            let (x, again): (f64, f64) = (x[0].parse().unwrap(), again[0].parse().unwrap());
            assert!((x / again - 1.0).abs() < 1e-9, "{scaler} {x} {again}");
        }
        run(&["params", "show", &params]);
    }
}

#[test]
fn weights_count_rows_several_times() {
    let place = Place::new();
    let weighted = place.file("weighted.csv", "x,w\n1,3\n5,1\n7,0\n");
    let plain = place.file("plain.csv", "x\n1\n1\n1\n5\n");
    let learned = |args: &[&str]| {
        run(args);
        let json: serde_json::Value = serde_json::from_str(&place.text("p.json")).unwrap();
        json["scalers"][0]["learned"]["of_all_rows"]["fitted"]["moments"].clone()
    };
    let params = place.path("p.json");
    let expected = learned(&["fit", &plain, "-o", &params, "--scaler", "zscore"]);
    assert_eq!(
        learned(&["fit", &weighted, "-o", &params, "--scaler", "zscore", "--weight", "w"]),
        expected
    );
    refused(
        &["fit", &weighted, "-o", &params, "--scaler", "robust", "--weight", "w"],
        &["--weight is for zscore", "robust"],
    );
}

#[test]
fn rows_are_divided_by_their_norms() {
    let place = Place::new();
    let table = place.file("t.csv", "a,t,b\n3,u,4\n0,v,0\n");
    let (params, out) = (place.path("p.json"), place.path("out.csv"));
    run(&["fit", &table, "-o", &params, "--scaler", "l2"]);
    run(&["transform", &table, "--params", &params, "-o", &out]);
    assert_eq!(place.text("out.csv"), "a,t,b\n0.6000000000000001,u,0.8\n0,v,0\n");
    refused(
        &["inverse", &out, "--params", &params, "-o", &place.path("no.csv")],
        &["l2 of a, b", "undone"],
    );
}
