"""Times scalers of wgnorm's CPU path and its first adapter beside scikit-learn's, in turns: 1,000,000 x 32 standard normal f32.

Usage: compare.py BENCH [ROUNDS], where BENCH is the program of `cargo bench --bench scalers --no-run`.
`benches/scalers/run` does all of that. Medians; the quotients are medians of those of the same round.
"""

import statistics
import subprocess
import sys
import time

import numpy as np
import sklearn
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

x = np.random.default_rng(1).standard_normal((1_000_000, 32), dtype=np.float32)
WORKLOADS = {
    "robust": ("robust fit", lambda: RobustScaler().fit(x)),
    "robust_device": ("robust fit on the device", lambda: RobustScaler().fit(x)),
    "standard": ("z-score fit and transform", lambda: StandardScaler().fit_transform(x)),
    "minmax": ("min-max fit and transform", lambda: MinMaxScaler().fit_transform(x)),
}


def main(bench, rounds=9):
    process = subprocess.Popen([bench], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ours(name):
        print(name, file=process.stdin, flush=True)
        return float(process.stdout.readline())

    def theirs(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}")
    print("| workload | scikit-learn s | wgnorm s | times as fast |")
    print("|---|---|---|---|")
    for name, (label, work) in WORKLOADS.items():
        ours(name), theirs(work)
        pairs = [(theirs(work), ours(name)) for _ in range(rounds)]
        median = statistics.median
        quotient = median(them / us for them, us in pairs)
        print(f"| {label} | {median(p[0] for p in pairs):.3f} | {median(p[1] for p in pairs):.3f} | {quotient:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
