"""Gathers what the parts of `run` have left in a folder: record.json, and record.md with wgnorm beside its peers.

Only complete files count; a part that was interrupted has those of the rows that it came to.
"""

import datetime
import json
import math
import pathlib
import sys

import cases

PARTS = ["info", "bench", "peers", "latency", "verify", "robust", "list", "tune"]
PEERS = ["eager", "compile", "triton"]


def load(path):
    """A JSON file; None where there is none."""
    return json.loads(path.read_text()) if path.is_file() else None


def load_all(folder):
    return [load(path) for path in sorted(folder.glob("*.json"))]


def key_of(row):
    return row["op"], row["layout"], tuple(row["shape"]), row["direction"]


def order(listed, keys):
    """Keys in the order of shapes.txt, those of other lists behind them."""
    places = {case.key: place for place, case in enumerate(listed)}
    return sorted(keys, key=lambda key: (places.get(key[:3], len(places)), key[:3], key[3] != "forward"))


def by_key(files):
    return {key_of(row): row for file in files for row in file["rows"]}


def parts(folder):
    """What each part came to: its first line, the rest being what went wrong in it."""
    found = {}
    for path in sorted(folder.glob("parts/*"), key=lambda path: PARTS.index(path.name)):
        state, *problems = path.read_text().splitlines()
        found[path.name] = {"state": state, "problems": problems}
    return found


def verified(folder):
    """The counts of each run of `wgnorm verify`, and the cases that failed."""
    found = {}
    for path in sorted(folder.glob("verify/*.json")):
        report = load(path)
        counts = {name: report[name] for name in ("passed", "failed", "partial", "skipped")}
        failed = [case for case in report["cases"] if case["status"] == "failed"]
        found[path.stem] = counts | {"failed_cases": failed}
    return found


def cold_time(row):
    """Milliseconds of a single run out of memory, those of the copy, the clock that told, and the name of the copy."""
    cold = row["cold"] or {}
    # By timestamps: the faster of the reference copy and the best of the sweep.
    copies = [(cold.get("copy_kernel_ms"), "mat4x4"), (cold.get("best_kernel_ms"), row.get("best_copy"))]
    copies = [copy for copy in copies if copy[0]]
    if cold.get("kernel_ms") and copies:
        ms, copy = min(copies)
        return cold["kernel_ms"], ms, "timestamps", copy
    if cold:
        return cold["gpu_ms"], cold["gpu_ms"] * cold["of_copy"], "submit to complete", "mat4x4"
    return row["gpu_ms"], row["gpu_ms"] * row["of_copy"], "submit to complete, warm", "mat4x4"


def compared(key, bench, peers, same_gpu):
    """One row: wgnorm, and each peer that ran it."""
    op, layout, shape, direction = key
    own = bench.get(key)
    size = own["bytes"] if own else cases.Case(op, shape, layout).bytes(direction)
    gbps = lambda ms: size / ms * 1e-6
    row = {"op": op, "layout": layout, "shape": shape, "direction": direction, "dtype": "f32", "bytes": size}
    if own:
        ms, copy_ms, clock, copy = cold_time(own)
        row["wgnorm"] = {"ms": ms, "gbps": gbps(ms), "of_copy": copy_ms / ms, "copy": copy, "clock": clock, "row": own}
    row["peers"] = {}
    for name, rows in peers.items():
        if key in rows:
            measured = {field: value for field, value in rows[key].items() if field not in row}
            if measured.get("ms"):
                measured["gbps"] = gbps(measured["ms"])
            row["peers"][name] = measured
    speeds = [measured["gbps"] for measured in row["peers"].values() if "gbps" in measured]
    row["of_best_peer"] = row["wgnorm"]["gbps"] / max(speeds) if own and speeds and same_gpu else None
    return row


def compared_latency(key, bench, peers, same_gpu):
    """Microseconds a run of a batch; the ratio is to PyTorch's graph, by the GPU's clocks and by the host's."""
    row = {"op": key[0], "layout": key[1], "shape": key[2], "direction": key[3]}
    row["wgnorm"] = (bench.get(key) or {}).get("batch")
    row["peers"] = {name: rows[key] for name, rows in peers.items() if key in rows}
    for field in ("kernel_us", "gpu_us"):
        own, peer = (row["wgnorm"] or {}).get(field), row["peers"].get("eager", {}).get(field)
        row[f"{field}_of_eager"] = own / peer if own and peer and same_gpu else None
    return row


def one_gpu(adapter, peers):
    """Whether all peers ran on the GPU that wgnorm's adapter is."""
    return bool(peers) and all(file["on"] == "cuda" and file["device"] in (adapter or "") for file in peers.values())


def gather(folder, command, wgnorm):
    bench, latency = load_all(folder / "bench"), load_all(folder / "latency")
    list_bench, info = load(folder / "list/bench.json"), load(folder / "info/info.json")
    # A peer writes no file where it cannot run.
    read = lambda part: {name: file for name in PEERS if (file := load(folder / part / f"{name}.json"))}
    peers, peer_latency = read("peers"), read("peer-latency")
    every_bench, every_peer = bench + latency + [list_bench] * bool(list_bench), [*peers.values(), *peer_latency.values()]
    first = every_bench[0] if every_bench else {}
    adapter = first.get("adapter") or (info or {}).get("chosen")
    versions = {"wgnorm": wgnorm}
    for file in every_peer[:1]:
        versions |= file["versions"] | {"cuda": file["cuda"], "cuda_driver": file["driver"]}
    listed = [case for name in ("shapes", "quick-shapes", "latency", "quick-latency") for case in cases.read(name)]
    rows = lambda own, others, make: [
        make(key, by_key(own), {name: by_key([file]) for name, file in others.items()}, one_gpu(adapter, others))
        for key in order(listed, by_key([*own, *others.values()]))
    ]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "adapter": adapter,
        "driver": first.get("driver"),
        "machine": first.get("machine"),
        "versions": versions,
        "parts": parts(folder),
        "notes": notes(adapter, peers or peer_latency),
        "info": info,
        "verify": verified(folder),
        "robust": load(folder / "robust/robust.json"),
        "tune": load(folder / "tune/tune.json"),
        "copy": first.get("copy"),
        "peers": {name: {field: file[field] for field in file if field != "rows"} for name, file in peers.items()},
        "rows": rows(bench, peers, compared),
        "latency": rows(latency, peer_latency, compared_latency),
        "list": list_bench,
    }


def notes(adapter, peers):
    """What keeps the numbers from being compared."""
    if not peers:
        return ["The peers were left out."]
    found = []
    for file in peers.values():
        if file["on"] != "cuda":
            found.append(f"{file['peer']} ran on the CPU, to try the code: its times say nothing of a GPU and are not compared.")
        elif file["device"] not in (adapter or ""):
            found.append(f"{file['peer']} ran on {file['device']}, wgnorm on {adapter}: they are not compared.")
    return found


def text(value, digits=None):
    """A number with so many decimals, or with three digits."""
    if value is None:
        return "-"
    if digits is None:
        digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def rows_of_table(header, lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *lines])


def name(row):
    return [row["op"], row["layout"].replace("*", "\\*"), "×".join(map(str, row["shape"])), row["direction"]]


def peer_cell(measured, field):
    if measured is None:
        return "-"
    if "failed" in measured:
        return "failed"
    timed = any(measured.get(time) is not None for time in ("ms", "kernel_us", "gpu_us"))
    return text(measured.get(field)) if timed else "checked"


def table(record):
    """wgnorm beside the peers, a line a shape and direction."""
    lines = []
    for row in record["rows"]:
        own = row.get("wgnorm") or {}
        variant = (own.get("row") or {}).get("variant", "-")
        peers = [peer_cell(row["peers"].get(peer), "gbps") for peer in PEERS]
        figures = [text(own.get("ms")), text(own.get("gbps")), text(own.get("of_copy"), 2)]
        lines.append([*name(row), variant, *figures, *peers, text(row["of_best_peer"], 2)])
    titles = ["PyTorch", "torch.compile", "Triton"]
    return rows_of_table(
        ["operation", "layout", "shape", "direction", "variant", "ms", "GB/s", "of copy", *titles, "of the best"], lines
    )


def latency_table(record):
    lines = []
    for row in record["latency"]:
        own = row["wgnorm"] or {}
        cells = [text(own.get(field)) for field in ("kernel_us", "gpu_us", "record_us")]
        for peer in PEERS:
            measured = row["peers"].get(peer)
            cells += [peer_cell(measured, "kernel_us"), peer_cell(measured, "gpu_us")]
        ratios = [text(row[f"{field}_of_eager"], 2) for field in ("kernel_us", "gpu_us")]
        lines.append([*name(row)[:3], *cells, *ratios])
    titles = [f"{peer} {clock}" for peer in ("PyTorch", "torch.compile", "Triton") for clock in ("GPU µs", "host µs")]
    return rows_of_table(
        ["operation", "layout", "shape", "GPU µs", "host µs", "recording µs", *titles, "of PyTorch, GPU", "host"], lines
    )


def page(record):
    """The record for reading."""
    head = [
        f"{record['date']}: {record['adapter']}, driver {record['driver']}",
        f"`{record['command']}`",
        ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version),
        "\n".join(
            f"- {part}: {found['state']}" + "".join(f"; {problem}" for problem in found["problems"])
            for part, found in record["parts"].items()
        ),
        *record["notes"],
    ]
    if record["verify"]:
        counts = lambda found: f"{found['passed']} passed, {found['failed']} failed, {found['skipped']} skipped"
        head.append("verify: " + "; ".join(f"{run}: {counts(found)}" for run, found in record["verify"].items()))
    if robust := record["robust"]:
        head.append(
            f"robust fit of {robust['rows']} x {robust['columns']} f32: {robust['differing']} of {3 * robust['columns']} order "
            f"statistics differ from those of sorted columns; {robust['seconds']:.1f} s, the file read {robust['readings']} times"
        )
    sections = []
    if record["rows"]:
        clocks = sorted({row["wgnorm"]["clock"] for row in record["rows"] if "wgnorm" in row})
        shaders = sorted({row["wgnorm"]["copy"] for row in record["rows"] if "wgnorm" in row})
        copies = [f"{file['peer']} {file['copy_gbps']:.0f}" for file in record["peers"].values() if file["copy_gbps"]]
        sections.append(
            f"f32, medians of single runs with nothing of the tensors in the L2, by {' and '.join(clocks) or '-'} here and CUDA "
            "events there; ms is wgnorm's. GB/s counts each input read once and each output written once, for all alike; of "
            f"copy: the time of a copy of the same bytes in the same run, by the fastest shader ({', '.join(shaders)}) and the "
            "same clock, over wgnorm's; of the best: wgnorm's "
            "GB/s over those of the fastest peer; checked: compared with f64, not timed."
            + (f" Copy from device to device by PyTorch, GB/s: {', '.join(copies)}." if copies else "")
        )
        sections.append(table(record))
    if record["latency"]:
        sections.append(
            "Time a run of a batch: recorded in one pass of one encoder here, a CUDA graph there. GPU: by timestamps and by "
            "events; host: from submission or replay until all is complete; recording is what comes before the submission."
        )
        sections.append(latency_table(record))
    return "\n\n".join([*head, *sections]) + "\n"


def main():
    folder, wgnorm, command = pathlib.Path(sys.argv[1]), sys.argv[2], " ".join(sys.argv[3:])
    record = gather(folder, command, wgnorm)
    cases.write_json(folder / "record.json", record)
    cases.write(folder / "record.md", page(record))


if __name__ == "__main__":
    main()
