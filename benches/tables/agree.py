"""Compares `wgnorm fit`, `transform`, `inverse` with scikit-learn on wine, breast cancer and digits.

Usage: agree.py WGNORM, where WGNORM is the program. Needs scikit-learn, which brings the data.
For every table and scaler: the largest relative error of a transformed value, and how many values the inverse prints
otherwise than the table.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import sklearn
from sklearn import datasets
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

SCALERS = {
    "zscore": StandardScaler(),
    "minmax": MinMaxScaler(),
    "maxabs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "l2": Normalizer(),
}
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


def main(wgnorm):
    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    print("| table | values | scaler | largest relative error | inverse differs |")
    print("|---|---|---|---|---|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        table, params, out, back = (Path(directory, name) for name in ["t.csv", "p.json", "out.csv", "back.csv"])
        for name, load in TABLES.items():
            x = load().data
            write(table, x)
            for scaler, theirs in SCALERS.items():
                run = lambda *args: subprocess.run([wgnorm, *map(str, args)], check=True, stdout=subprocess.DEVNULL)
                run("fit", table, "-o", params, "--scaler", scaler)
                run("transform", table, "--params", params, "-o", out)
                ours, theirs = read(out), theirs.fit_transform(x)
                # Of a value that is nearly 0 beside the rest of its column, relative to a millionth of the column.
                size = np.maximum(np.abs(theirs), 1e-6 * np.abs(theirs).max(axis=0))
                error = np.max(np.abs(ours - theirs) / np.where(size == 0, 1, size))
                worst = max(worst, error)
                differ = "none to compare"
                if scaler != "l2":
                    run("inverse", out, "--params", params, "-o", back)
                    differ = np.count_nonzero(read(back) != x)
                print(f"| {name} | {x.size} | {scaler} | {error:.1e} | {differ} |")
    sys.exit(int(worst > 1e-6))


if __name__ == "__main__":
    main(*sys.argv[1:])
