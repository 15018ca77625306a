"""Compares `wgnorm fit`, `transform`, `inverse` with scikit-learn on wine, breast cancer and digits.

Usage: agree.py WGNORM, where WGNORM is the program. Needs scikit-learn, which brings the data.
For every table and scaler: the largest relative error of a transformed value, the same with what scikit-learn has
learned, imported from its attributes, and how many values the inverse prints otherwise than the table.
"""

import csv
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import datasets
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

SCALERS = {
    "zscore": StandardScaler(),
    "minmax": MinMaxScaler(),
    "maxabs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "l2": Normalizer(),
    "quantile": QuantileTransformer(subsample=None),
    "quantile:normal": QuantileTransformer(subsample=None, output_distribution="normal"),
    "power": PowerTransformer(),
}
# What `fit` learns otherwise than these do: it finds another 8 digits of a power.
LEARNED_OTHERWISE = ["power"]
ATTRIBUTES = ["mean_", "var_", "n_samples_seen_", "data_min_", "data_max_", "max_abs_", "center_", "scale_", "lambdas_"]
ATTRIBUTES += ["quantiles_", "references_"]
# (Tables have fewer rows than 1000.)
warnings.filterwarnings("ignore", message="n_quantiles")
TABLES = {"wine": datasets.load_wine, "breast cancer": datasets.load_breast_cancer, "digits": datasets.load_digits}


def write(path, x):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(f"c{i}" for i in range(x.shape[1]))
        writer.writerows([repr(float(value)) for value in row] for row in x)


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return np.array([[float(field) for field in row] for row in rows[1:]])


def attributes(scaler):
    """Arrays of what it has learned; those of a PowerTransformer are in part its scaler's."""
    parts = [part for part in [scaler, getattr(scaler, "_scaler", None)] if part is not None]
    return {name: getattr(part, name) for part in parts for name in ATTRIBUTES if hasattr(part, name)}


def main(wgnorm):
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    print("| table | values | scaler | largest relative error | imported | inverse differs |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        names = ["t.csv", "p.json", "out.csv", "back.csv", "s.npz"]
        table, params, out, back, arrays = (Path(directory, name) for name in names)
        run = lambda *args: subprocess.run([wgnorm, *map(str, args)], check=True, stdout=subprocess.DEVNULL)
        for name, load in TABLES.items():
            x = load().data
            write(table, x)
            columns = ",".join(f"c{i}" for i in range(x.shape[1]))
            for scaler, theirs in SCALERS.items():
                expected = theirs.fit_transform(x)
                # Of a value that is nearly 0 beside the rest of its column, relative to a millionth of the column.
                size = np.maximum(np.abs(expected), 1e-6 * np.abs(expected).max(axis=0))

                def error():
                    run("transform", table, "--params", params, "-o", out)
                    return np.max(np.abs(read(out) - expected) / np.where(size == 0, 1, size))

                imported = "nothing learned"
                if scaler != "l2":
                    np.savez(arrays, **attributes(theirs))
                    run("params", "import", arrays, "--columns", columns, "--scaler", scaler, "-o", params)
                    imported = error()
                    worst = max(worst, imported)
                    imported = f"{imported:.1e}"
                run("fit", table, "-o", params, "--scaler", scaler)
                fitted = error()
                if scaler not in LEARNED_OTHERWISE:
                    worst = max(worst, fitted)
                differ = "none to compare"
                if scaler != "l2":
                    run("inverse", out, "--params", params, "-o", back)
                    differ = np.count_nonzero(read(back) != x)
                print(f"| {name} | {x.size} | {scaler} | {fitted:.1e} | {imported} | {differ} |")
    sys.exit(int(worst > 1e-6))


if __name__ == "__main__":
    main(*sys.argv[1:])
