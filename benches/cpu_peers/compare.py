"""Measures wgnorm's CPU path, PyTorch and ONNX Runtime side by side: see `run`, which starts this.

Every peer is a process that stays; one at a time is told to run. A round times each of them once, in every order in turn:
the ratios are those of neighbours in time, since the speed of a shared machine changes from minute to minute.
"""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

CASES = [
    ("layer", "4096x1024", 1),
    ("layer", "512x8192", 1),
    ("layer", "16x1048576", 1),
    ("group", "8x64x64x64", 8),
    ("instance", "8x64x64x64", 1),
    ("batch_training", "16x64x56x56", 1),
    ("batch_evaluation", "16x64x56x56", 1),
    ("rms", "4096x1024", 1),
    ("layer_backward", "4096x1024", 1),
    ("layer_backward", "512x8192", 1),
    ("rms_backward", "4096x1024", 1),
    ("group_backward", "8x64x64x64", 8),
    ("instance_backward", "8x64x64x64", 1),
    ("batch_training_backward", "16x64x56x56", 1),
]
HERE = pathlib.Path(__file__).parent
EPS = 1e-5
# Seconds in which the threads of the last peer fall asleep: ONNX Runtime's go on spinning for some 45 ms, in the time of the
# next peer.
PAUSE = 0.1


class Peer:
    """A process that answers commands: see peer.py."""

    def __init__(self, command, environment):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self.name = self.answer()

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended")
        return line.strip()

    def huge_pages(self):
        """KiB of the process's memory in pages of 2 MiB, where Linux tells them."""
        try:
            lines = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return None
        return sum(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages"))

    def time(self, runs):
        time.sleep(PAUSE)
        return float(self.ask("time", runs))


def tensors(operation, shape):
    """The tensors of a case, by name."""
    random = np.random.default_rng(1)
    affine = shape[-1] if operation.startswith(("layer", "rms")) else shape[1]
    return {
        "x": random.standard_normal(shape, np.float32) + np.float32(0.5),
        "weight": random.uniform(0.5, 1.5, affine).astype(np.float32),
        "bias": random.uniform(-1, 1, affine).astype(np.float32),
        "mean": random.uniform(0, 1, affine).astype(np.float32),
        "var": random.uniform(0.5, 1.5, affine).astype(np.float32),
        "dy": random.standard_normal(shape, np.float32),
    }


BACKWARD = "_backward"


def expected(operation, groups, tensors):
    """y in f64, or of the backward pass dx."""
    wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    backward = operation.endswith(BACKWARD)
    return (expected_dx if backward else expected_y)(operation.removesuffix(BACKWARD), groups, wide)


def statistics_of(operation, groups, x):
    """x with an axis for the groups, and the axes that statistics are taken over."""
    if operation in ("layer", "rms"):
        return x, (-1,)
    grouped = x.reshape(x.shape[0], groups if operation == "group" else x.shape[1], -1)
    return grouped, (0, 2) if operation.startswith("batch") else (2,)


def normalized(operation, groups, x):
    """x_hat, as it is grouped, and the factor of x in it."""
    grouped, axes = statistics_of(operation, groups, x)
    centered = grouped if operation == "rms" else grouped - grouped.mean(axes, keepdims=True)
    rstd = 1 / np.sqrt(np.mean(centered**2, axes, keepdims=True) + EPS)
    return centered * rstd, rstd, axes


def by_channel(operation, weight):
    return weight if operation in ("layer", "rms") else weight.reshape(-1, 1, 1)


def expected_y(operation, groups, tensors):
    weight, bias, mean, var = (by_channel(operation, tensors[name]) for name in ("weight", "bias", "mean", "var"))
    if operation == "batch_evaluation":
        return (tensors["x"] - mean) / np.sqrt(var + EPS) * weight + bias
    x_hat = normalized(operation, groups, tensors["x"])[0].reshape(tensors["x"].shape)
    return x_hat * weight + (0 if operation == "rms" else bias)


def expected_dx(operation, groups, tensors):
    x_hat, rstd, axes = normalized(operation, groups, tensors["x"])
    g = (tensors["dy"] * by_channel(operation, tensors["weight"])).reshape(x_hat.shape)
    centered = g if operation == "rms" else g - g.mean(axes, keepdims=True)
    return (rstd * (centered - x_hat * np.mean(g * x_hat, axes, keepdims=True))).reshape(tensors["x"].shape)


def measure(peers, case, rounds, batch_ms):
    """One row of the table: each peer is verified, then timed in turns."""
    operation, shape, groups = case
    extents = [int(extent) for extent in shape.split("x")]
    with tempfile.TemporaryDirectory() as folder:
        data = tensors(operation, extents)
        for name, tensor in data.items():
            tensor.tofile(pathlib.Path(folder, name))
        y = expected(operation, groups, data)
        errors = {}
        # ONNX Runtime has no backward passes.
        present = {}
        for key, peer in peers.items():
            if peer.ask("load", folder, operation, shape, groups) == "ok":
                present[key] = peer
        peers = present
        for key, peer in peers.items():
            peer.ask("save", pathlib.Path(folder, "y"))
            error = np.abs(np.fromfile(pathlib.Path(folder, "y"), np.float32).reshape(y.shape) - y).max()
            if not error < 1e-4:
                sys.exit(f"{peer.name}: {operation} {shape} is off by {error}")
            errors[key] = float(error)
    runs = {key: max(1, round(batch_ms / peer.time(3))) for key, peer in peers.items()}
    times = {key: [] for key in peers}
    keys = list(peers)
    for order in itertools.islice(itertools.cycle(itertools.permutations(keys)), rounds):
        for key in order:
            times[key].append(peers[key].time(runs[key]))
    ratios = {
        key: statistics.median(peer / own for peer, own in zip(times[key], times["wgnorm"]))
        for key in keys
        if key != "wgnorm"
    }
    size = (12 if operation.endswith(BACKWARD) else 8) * data["x"].size
    return {
        "operation": operation,
        "shape": extents,
        "groups": groups,
        "ms": {key: statistics.median(values) for key, values in times.items()},
        "gbps": {key: size / statistics.median(values) * 1e-6 for key, values in times.items()},
        "ratio": ratios,
        "of_best": min(ratios.values()),
        "max_error": errors,
        "runs_a_batch": runs,
    }


def table(peers, rows):
    keys = list(peers)
    header = ["operation", "shape", *(f"{peers[key].name.split()[0]}" for key in keys), "of the best"]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        shape = "×".join(map(str, row["shape"]))
        speeds = [f"{row['gbps'][key]:.1f}" if key in row["gbps"] else "" for key in keys]
        lines.append([row["operation"].replace("_", " "), shape, *speeds, f"{row['of_best']:.2f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def processor():
    """The processor's name, and the sizes of its caches where Linux tells them."""
    described = {"architecture": platform.machine(), "threads": os.cpu_count()}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if platform.system() == "Linux" else []:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "cpu family", "model", "cache size"):
            described[key.strip()] = value.strip()
    return described


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--wgnorm", required=True, help="the program of benches/cpu_peers/src")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=18)
    parser.add_argument("--batch-ms", type=float, default=20, help="how long a peer runs at a time")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--json", type=pathlib.Path, help="the record to write")
    arguments = parser.parse_args()
    threads = str(arguments.threads)
    environment = os.environ | {
        "OMP_NUM_THREADS": threads,
        "RAYON_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "passive",
        # As ONNX Runtime does by itself, and wgnorm's side too.
        "OMP_PROC_BIND": "true",
        "OMP_PLACES": "threads",
        # Freed memory stays in the heap: otherwise a peer that allocates its outputs would mostly fault in pages.
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
        "MALLOC_TOP_PAD_": str(1 << 28),
        # Pages of 2 MiB for all alike: numpy asks for them itself, and a tensor is faster to walk in them. ("huge_pages" of the
        # record says whether they got them.)
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }
    start = lambda *command: Peer(command, environment)
    peers = {
        "wgnorm": start(arguments.wgnorm),
        "torch": start(sys.executable, HERE / "peer.py", "torch", threads),
        "onnxruntime": start(sys.executable, HERE / "peer.py", "onnxruntime", threads),
    }
    rows = []
    for case in CASES:
        if arguments.only in f"{case[0]} {case[1]}":
            rows.append(measure(peers, case, arguments.rounds, arguments.batch_ms))
            print(table(peers, rows[-1:]).splitlines()[-1], flush=True)
    print(table(peers, rows))
    if arguments.json:
        record = {
            "date": datetime.date.today().isoformat(),
            "peers": {key: peer.name for key, peer in peers.items()},
            "processor": processor(),
            "system": platform.platform(),
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "huge_pages": {key: peer.huge_pages() for key, peer in peers.items()},
            "unit": "GB/s of one read and one write of x; backward, of two reads and one write",
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
