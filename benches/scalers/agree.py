"""Compares exact quantiles with numpy's, up to 10^7 rows, and transforms and robust means with scikit-learn's and scipy's.

Usage: agree.py BENCH [ROWS], where BENCH is the program of `cargo bench --bench scalers --no-run`; `benches/scalers/run --agree`
does all of that. ROWS (10^7) are those of the largest column. Ends with 1 if something differs by more than it may:

- quantiles: the same bits where no interpolation is needed, else within one rounding of f32 (f32) or f64 (f64)
- means, uniform quantile transforms, logarithms: 1e-12; normal ones: 1e-9 (their tails are steep)
- powers: 1e-5, since likelihoods of λ that differ by 1e-8 are alike

all relative to the larger of 1 and the value.
"""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import scipy.stats
import sklearn
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

warnings.simplefilter("ignore")
SHARES = [0.0, 0.001, 0.1, 0.25, 0.333, 0.5, 0.75, 0.999, 1.0]
CUT = (0.1, 0.25)


def columns(rows):
    """Columns of f32 whose order statistics are easy to get wrong."""
    random = np.random.default_rng(rows)
    normal = random.standard_normal(rows, dtype=np.float32)
    gaps = normal.copy()
    gaps[random.random(rows) < 0.3] = np.nan
    return {
        "random": normal,
        "sorted": np.sort(normal),
        "constant": np.full(rows, 7.25, np.float32),
        "tied": np.round(normal * 2),
        "negative": -np.abs(normal) * np.float32(1e30),
        "denormal": (normal * np.float32(1e-40)).astype(np.float32),
        "gaps": gaps,
    }


def transformers():
    """By name: what it is, and how far results may be apart."""
    quantile = lambda **settings: QuantileTransformer(subsample=None, **settings)
    return {
        "uniform": (lambda x: quantile(n_quantiles=1000), 1e-12),
        "uniform20": (lambda x: quantile(n_quantiles=20), 1e-12),
        "normal": (lambda x: quantile(n_quantiles=1000, output_distribution="normal"), 1e-9),
        "yeo-johnson": (lambda x: PowerTransformer(), 1e-5),
        "box-cox": (lambda x: PowerTransformer(method="box-cox"), 1e-5),
    }


class Agreement:
    def __init__(self, bench, folder):
        self.process = subprocess.Popen([bench], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.input, self.output = folder / "input", folder / "output"
        self.failed = 0

    def ours(self, what, x):
        x = np.ascontiguousarray(x)
        x.tofile(self.input)
        count = x.shape[1] if x.ndim > 1 else 1
        kind = {4: "f32", 8: "f64"}[x.itemsize]
        print(f"agree {what} {kind} {count} {self.input} {self.output}", file=self.process.stdin, flush=True)
        self.process.stdout.readline()
        return np.fromfile(self.output)

    def check(self, name, found, expected, bound):
        expected = np.asarray(expected, np.float64).ravel()
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        with np.errstate(invalid="ignore"):
            off = np.where(same, 0, np.abs(found - expected) / np.maximum(np.abs(expected), 1 if bound > 1e-12 else 0))
        worst = np.nan_to_num(off, nan=np.inf).max(initial=0)
        good = worst <= bound
        self.failed += not good
        print(f"| {name} | {worst:.1e} | {bound:.0e} | {'' if good else 'DIFFERS'} |")


def quantiles(agreement, most):
    rows = 1
    while rows <= most:
        for kind, x in columns(rows).items():
            for method in ["linear", "lower", "higher", "nearest", "midpoint"] if rows <= 10**5 else ["linear", "nearest"]:
                expected = np.nanquantile(x.astype(np.float64), SHARES, method=method)
                interpolates = method in ("linear", "midpoint")
                bound = np.finfo(np.float64).eps if interpolates else 0
                agreement.check(f"{method} quantiles of {rows} {kind}", agreement.ours(method, x), expected, bound)
        rows *= 10


def means(agreement, rows):
    for kind, x in columns(rows).items():
        values = np.sort(x[~np.isnan(x)].astype(np.float64))
        low, high = int(CUT[0] * len(values)), len(values) - int(CUT[1] * len(values))
        agreement.check(f"trimmed mean of {rows} {kind}", agreement.ours("trimmed", x), values[low:high].mean(), 1e-12)
        cut = scipy.stats.mstats.winsorize(values, limits=CUT)
        agreement.check(f"winsorized mean of {rows} {kind}", agreement.ours("winsorized", x), cut.mean(), 1e-12)


def transforms(agreement):
    tables = {
        "wine": load_wine().data,
        "breast cancer": load_breast_cancer().data,
        "diabetes": load_diabetes().data,
        "50,000 lognormal": np.random.default_rng(3).lognormal(size=(50_000, 3)),
    }
    for table, x in tables.items():
        for name, (make, bound) in transformers().items():
            if name == "box-cox":
                x = x - x.min(axis=0) + 1
            # In f64: scikit-learn's own f32 loses what the comparison is about.
            transformer = make(x).fit(x)
            expected = transformer.transform(x)
            agreement.check(f"{name} of {table}", agreement.ours(name, x), expected, bound)
            back = transformer.inverse_transform(expected)
            agreement.check(f"{name} and back of {table}", agreement.ours(name + ":back", x), back, max(bound, 1e-9))
        positive = x - x.min(axis=0)
        expected = StandardScaler().fit_transform(np.log1p(positive))
        agreement.check(f"log1p, z-score of {table}", agreement.ours("log1p", positive), expected, 2e-12)


def main(bench, most=10**7):
    print(f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, numpy {np.__version__}\n")
    print("| what | off by at most | may be | |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        agreement = Agreement(bench, pathlib.Path(folder))
        transforms(agreement)
        means(agreement, min(most, 10**5))
        quantiles(agreement, most)
    print(f"\n{agreement.failed or 'none'} differ")
    return 1 if agreement.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:3])))
