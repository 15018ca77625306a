//! What is wrong is named by file, row and column, and nothing is written.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
use std::sync::Arc;

use arrow_array::Int64Array;

use super::{PEOPLE, Place, parquet, refused, run};
#[cfg(unix)]
use super::{assert_code, stderr};

#[test]
fn bad_tables_are_refused_by_place() {
    let place = Place::new();
    let params = place.path("p.json");
    let long: String = (0..2000).map(|i| format!("{i},{i}\n")).collect();
    for (name, text, words) in [
        (
            "ragged.csv",
            "a,b\n1,2\n3\n".to_owned(),
            &["row 2 (line 3) has 1 fields", "column 2 is missing"][..],
        ),
        (
            "text.csv",
            format!("a,b\n{long}1,soon\n"),
            &["row 2001", "column \"b\"", "\"soon\" is not a number"],
        ),
        (
            "infinite.csv",
            "a,b\n1,2\ninf,3\n".to_owned(),
            &["row 2", "column \"a\"", "inf"],
        ),
        ("empty.csv", String::new(), &["is empty"]),
        ("rowless.csv", "a,b\n".to_owned(), &["no column of numbers"]),
        ("twice.csv", "a,a\n1,2\n".to_owned(), &["two columns are called \"a\""]),
        ("torn.csv.gz", "\u{1f}".to_owned(), &["torn.csv.gz"]),
        ("not.parquet", "PAR1PAR1".to_owned(), &["not a whole Parquet file"]),
        ("short.npy", String::new(), &["is empty"]),
        ("table.txt", "a\n1\n".to_owned(), &[".csv"]),
    ] {
        let table = place.file(name, text);
        refused(
            &["fit", &table, "-o", &params, "--scaler", "zscore"],
            &[words, &[name]].concat(),
        );
    }
    assert!(!Path::new(&params).exists());
    let table = place.file("log.csv", "a\n1\n0\n");
    refused(
        &["fit", &table, "-o", &params, "--scaler", "log+zscore"],
        &["row 2", "column \"a\"", "0 has no logarithm"],
    );
    refused(
        &["fit", &table, "-o", &params, "--scaler", "power:box-cox"],
        &["row 2", "column \"a\"", "0 has no Box-Cox power"],
    );
    let whole = place.path("whole.parquet");
    parquet(&whole, vec![("a", Arc::new(Int64Array::from_iter_values(0..1000)))]);
    let bytes = fs::read(&whole).unwrap();
    let torn = place.file("torn.parquet", &bytes[..bytes.len() - 100]);
    refused(
        &["fit", &torn, "-o", &params, "--scaler", "zscore"],
        &["torn.parquet", "not a whole Parquet file"],
    );
}

#[test]
fn bad_requests_are_refused_with_what_was_meant() {
    let place = Place::new();
    let table = place.file("t.csv", PEOPLE);
    let params = place.path("p.json");
    for (args, words) in [
        (&["--scaler", "robsut"][..], &["did you mean \"robust\""][..]),
        (&["--scaler", "quantil"], &["did you mean \"quantile\""]),
        (&["--scaler", "quantile:10"], &["quantile:uniform or quantile:normal"]),
        (
            &["--scale", "agee=zscore"],
            &["no column \"agee\"", "did you mean \"age\""],
        ),
        (
            &["--scale", "name=zscore"],
            &["row 1", "column \"name\"", "\"Ann\" is not a number"],
        ),
        (
            &["--scale", "*=zscore", "--scale", "age=robust"],
            &["an earlier --scale"],
        ),
        (&["--scale", "x*=zscore"], &["no column of numbers fits \"x*\""]),
        (&[], &["--scaler"]),
        (&["--scaler", "zscore", "--by", "devise"], &["no column \"devise\""]),
        (
            &["--scaler", "zscore", "--columns", "age", "--by", "name"],
            &["row 3", "\"name\"", "the key is missing"],
        ),
        (
            &["--scaler", "zscore", "--columns", "age", "--weight", "age"],
            &["scaled and given to --weight"],
        ),
    ] {
        refused(&[&["fit", &table, "-o", &params], args].concat(), words);
    }
    assert_eq!(place.files(), 1);
}

#[test]
fn parameters_of_another_version_or_table_are_refused() {
    let place = Place::new();
    let table = place.file("t.csv", PEOPLE);
    let (params, out) = (place.path("p.json"), place.path("out.csv"));
    run(&["fit", &table, "-o", &params, "--scale", "age=zscore"]);
    let text = place.text("p.json");
    let other = place.file("other.csv", "ages,income\n1,2\n");
    refused(
        &["transform", &other, "--params", &params, "-o", &out],
        &[
            "fitted with other columns",
            "no column \"age\"",
            "did you mean \"ages\"",
        ],
    );
    let words = place.file("words.csv", "age\nold\n");
    refused(
        &["transform", &words, "--params", &params, "-o", &out],
        &["words.csv", "row 1", "\"old\""],
    );
    for (from, to, word) in [
        (
            "\"version\": 1,\n  \"fitted\"",
            "\"version\": 2,\n  \"fitted\"",
            "of version 2, this program reads version 1",
        ),
        ("wgnorm parameters", "something", "not parameters of this program"),
        ("\"zscore\"", "\"minmax\"", "p.json"),
        ("\"features\": 1", "\"features\": 2", "p.json"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from}");
        place.file("p.json", changed);
        refused(&["transform", &table, "--params", &params, "-o", &out], &[word]);
    }
    place.file("p.json", &text);
    refused(
        &["transform", &table, "--params", &params, "-o", &params],
        &["would be lost"],
    );
    assert_eq!(place.text("p.json"), text);
    assert!(!Path::new(&out).exists());
}

#[test]
fn an_existing_output_survives_a_failure() {
    let place = Place::new();
    let table = place.file("t.csv", "a,b\n1,2\n3,4\n");
    let (params, out) = (place.path("p.json"), place.file("out.csv", "old"));
    run(&["fit", &table, "-o", &params, "--scaler", "zscore"]);
    let long: String = (0..200_000).map(|i| format!("{i},{i}\n")).collect();
    let bad = place.file("bad.csv", format!("a,b\n{long}1\n"));
    refused(&["transform", &bad, "--params", &params, "-o", &out], &["row 200001"]);
    assert_eq!(place.text("out.csv"), "old");
    assert_eq!(place.files(), 4);
}

/// A disk that is full, by a limit of the shell on the size of files.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let place = Place::new();
    let rows: String = (0..20_000).map(|i| format!("{i}.25,{}\n", i * 7919 % 10_007)).collect();
    let table = place.file("t.csv", format!("a,b\n{rows}"));
    let params = place.path("p.json");
    run(&["fit", &table, "-o", &params, "--scaler", "zscore"]);
    for name in ["out.csv", "out.csv.gz", "out.parquet", "out.npy"] {
        let out = place.file(name, "old");
        let files = place.files();
        // A write beyond 8 blocks fails, instead of ending the program.
        let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let program = env!("CARGO_BIN_EXE_wgnorm");
        let transform = ["transform", &table, "--params", &params, "-o", &out];
        let run = Command::new("sh")
            .args(["-c", script, "sh", program, "--device", "cpu"])
            .args(transform)
            .output();
        let run = run.unwrap();
        assert_code(&run, 2);
        assert!(stderr(&run).contains(name), "{}", stderr(&run));
        assert_eq!((place.text(name).as_str(), place.files()), ("old", files), "{name}");
    }
}
