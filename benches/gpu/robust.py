"""A robust fit of a table of 10,000,000 rows by `wgnorm fit` on the GPU, compared with sorted columns: see `run`.

Quartiles and medians lie at, or between, two of the sorted values: `differing` counts those of all columns that are not what f64
makes of these, bit by bit. Seconds are those of the whole program: the file is read as often as
`readings` says. PyTorch sorts the columns on the GPU, where there is CUDA.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy

import cases

SHARES = {"lower": 0.25, "median": 0.5, "upper": 0.75}


def make(path, rows, columns):
    """Normal columns of different means and spreads."""
    generator = numpy.random.default_rng(1)
    table = numpy.lib.format.open_memmap(path, mode="w+", dtype=numpy.float32, shape=(rows, columns))
    scale = numpy.linspace(0.1, 10, columns, dtype=numpy.float32)
    chunk = 1 << 18
    for start in range(0, rows, chunk):
        part = table[start : start + chunk]
        part[:] = generator.standard_normal(part.shape, dtype=numpy.float32) * scale + scale[::-1]
    table.flush()
    return table


def in_order(values):
    """Sorted, on the GPU where PyTorch has one."""
    try:
        import torch

        if torch.cuda.is_available():
            return torch.from_numpy(values).cuda().sort().values.cpu().numpy()
    except ImportError:
        pass
    return numpy.sort(values)


def expected(ordered):
    """The order statistics of numpy's "linear" method, in f64."""
    found = {}
    for name, share in SHARES.items():
        place = share * (len(ordered) - 1)
        below = int(place)
        low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
        found[name] = (low, high, place - below)
    return found


def is_exact(value, found):
    low, high, part = found
    # Of both ways to interpolate that numpy has, by the half that the place is in.
    return value in (low + (high - low) * part, high - (high - low) * (1 - part))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wgnorm", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=32)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    path, parameters = pathlib.Path("robust.npy"), pathlib.Path("robust.json")
    try:
        table = make(path, arguments.rows, arguments.columns)
        command = [arguments.wgnorm, "--device", arguments.device, "fit", str(path), "--scaler", "robust"]
        begin = time.perf_counter()
        subprocess.run([*command, "--output", str(parameters)], check=True)
        seconds = time.perf_counter() - begin
        fitted = json.loads(parameters.read_text())
        quantiles = fitted["scalers"][0]["learned"]["of_all_rows"]["fitted"]["quantiles"]
        differing = 0
        for column in range(arguments.columns):
            found = expected(in_order(numpy.ascontiguousarray(table[:, column])))
            differing += sum(not is_exact(quantiles[name][column], found[name]) for name in SHARES)
    finally:
        path.unlink(missing_ok=True)
        parameters.unlink(missing_ok=True)
    result = {
        "rows": arguments.rows,
        "columns": arguments.columns,
        "seconds": seconds,
        "readings": fitted["fitted"]["readings"],
        "differing": differing,
    }
    cases.write_json(arguments.json, result)
    print(", ".join(f"{name} {value}" for name, value in result.items()))
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
