"""The cases of shapes.txt, as peers.py runs them and report.py puts them side by side."""

import dataclasses
import json
import math
import os
import pathlib

NAMES = {
    "layer": "layer_norm",
    "rms": "rms_norm",
    "batch": "batch_norm",
    "instance": "instance_norm",
    "group": "group_norm",
}
SHAPES = pathlib.Path(__file__).parent / "shapes.txt"


@dataclasses.dataclass(frozen=True)
class Case:
    """One line. The shape is in memory order; layouts are called as in the JSON of `wgnorm bench`."""

    op: str
    shape: tuple
    layout: str
    groups: int = 1

    @property
    def key(self):
        return self.op, self.layout, self.shape

    @property
    def channels(self):
        """Values of the weight."""
        return self.shape[1 if self.layout == "nc*" else -1]

    def bytes(self, direction):
        """Each input read once and each output written once; running statistics that are updated count twice."""
        elements, channels = math.prod(self.shape), self.channels
        affine = channels * (1 if self.op == "rms_norm" else 2)
        if direction == "backward":
            # x, dy, weight; dx, dweight, dbias.
            return 4 * (3 * elements + channels + affine)
        running = 4 * channels if self.op == "batch_norm" else 0
        return 4 * (2 * elements + affine + running)

    def __str__(self):
        return f"{self.op} {self.layout} {'x'.join(map(str, self.shape))}"


def read(name, path=SHAPES):
    """The cases of one list."""
    cases = []
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words or words[0] != name:
            continue
        op, shape, *flags = words[1:]
        flags = dict(zip(flags[::2], flags[1::2]))
        layout = {"nchw": "nc*", "nhwc": "n*c"}[flags.pop("--layout", "nchw")]
        groups = int(flags.pop("--groups", 1))
        if flags:
            raise ValueError(f"{path}: the peers know nothing of {' '.join(flags)}")
        if op in ("layer", "rms"):
            layout = "rows"
        cases.append(Case(NAMES[op], tuple(map(int, shape.split(","))), layout, groups))
    return cases


def write(path, text):
    """Replaces a file by a complete one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def write_json(path, value):
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
