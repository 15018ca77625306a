"""A peer of wgnorm on the GPU, or, to try the code, on the CPU: see `run`, which starts this, one peer at a time.

Every row is compared with f64 before it is timed. A time is the median of single calls, each after a copy between two other
buffers that leaves nothing of the tensors in the L2; by CUDA events, so that it is the GPU's. The file is written anew,
completely, after every row. Ends with 4 where this peer cannot run here at all.
"""

import argparse
import datetime
import importlib
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import cases

EPS = 1e-5
# Of the relative error, by the Euclidean norm of each output.
TOLERANCE = 1e-4
# Bytes of each of the two buffers that are copied to flush the L2 (those of `wgnorm bench --cold`), and copies before each
# sample: the GPU is busy with them until the host has launched the call.
FLUSH_BYTES = 256 << 20
FLUSHES = 4
PEERS = {"eager": "PyTorch", "compile": "torch.compile", "triton": "Triton"}
CANNOT_RUN = 4


def cannot_run(reason):
    print(reason)
    sys.exit(CANNOT_RUN)


class Cuda:
    """Times calls by events on the current stream."""

    name = "cuda"

    def __init__(self):
        import torch

        self.torch = torch
        self.source, self.target = (torch.rand(FLUSH_BYTES // 4, device="cuda") for _ in range(2))

    def flush(self):
        # A kernel that reads and writes as a copying shader does, not a copy engine.
        self.torch.neg(self.source, out=self.target)

    def release(self):
        """Gives back what the last row has held."""
        self.torch.cuda.empty_cache()

    def events(self):
        return [self.torch.cuda.Event(enable_timing=True) for _ in range(2)]

    def sample(self, call, runs):
        """Milliseconds of each of some calls."""
        for _ in range(3):
            call()
        pairs = [self.events() for _ in range(runs)]
        for start, end in pairs:
            for _ in range(FLUSHES):
                self.flush()
            start.record()
            call()
            end.record()
        self.torch.cuda.synchronize()
        return [start.elapsed_time(end) for start, end in pairs]

    def batch(self, call, count, runs):
        """Microseconds a call of a CUDA graph of so many: by events, and from the replay until it is complete."""
        stream = self.torch.cuda.Stream()
        stream.wait_stream(self.torch.cuda.current_stream())
        with self.torch.cuda.stream(stream):
            for _ in range(3):
                call()
        self.torch.cuda.current_stream().wait_stream(stream)
        graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(graph):
            for _ in range(count):
                call()
        on_device, on_host = [], []
        for _ in range(runs + 1):
            start, end = self.events()
            self.torch.cuda.synchronize()
            begin = time.perf_counter()
            start.record()
            graph.replay()
            end.record()
            self.torch.cuda.synchronize()
            on_host.append(1e6 * (time.perf_counter() - begin) / count)
            on_device.append(1e3 * start.elapsed_time(end) / count)
        return {"kernel_us": statistics.median(on_device[1:]), "gpu_us": statistics.median(on_host[1:])}

    def copy_gbps(self, runs):
        """Bytes read and written a second by a copy from device to device."""
        copies = self.sample(lambda: self.target.copy_(self.source), runs)
        return 2 * FLUSH_BYTES / statistics.median(copies) * 1e-6

    def describe(self):
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"]
        try:
            driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            driver = None
        properties = self.torch.cuda.get_device_properties(0)
        return {
            "device": properties.name,
            "driver": driver,
            "l2_bytes": getattr(properties, "L2_cache_size", None),
            "cuda": self.torch.version.cuda,
        }


class Cpu:
    """Stands in for a GPU where the code is only to be tried."""

    name = "cpu"

    def __init__(self):
        import torch

        self.source, self.target = (torch.rand(1 << 22) for _ in range(2))

    def release(self):
        pass

    def sample(self, call, runs):
        call()
        samples = []
        for _ in range(runs):
            self.target.copy_(self.source)
            begin = time.perf_counter()
            call()
            samples.append(1e3 * (time.perf_counter() - begin))
        return samples

    def batch(self, call, count, runs):
        call()
        samples = []
        for _ in range(runs):
            begin = time.perf_counter()
            for _ in range(count):
                call()
            samples.append(1e6 * (time.perf_counter() - begin) / count)
        return {"kernel_us": None, "gpu_us": statistics.median(samples)}

    def copy_gbps(self, _):
        return None

    def describe(self):
        return {"device": platform.processor() or platform.machine(), "driver": None, "l2_bytes": None, "cuda": None}


class Tensors:
    """The tensors of a case; x and dy in PyTorch's order of axes, channels last by their strides."""

    def __init__(self, torch, case, device):
        generator = torch.Generator(device).manual_seed(1)
        normal = lambda *shape: torch.randn(*shape, device=device, generator=generator)
        uniform = lambda low, high: low + (high - low) * torch.rand(case.channels, device=device, generator=generator)
        ordered = lambda tensor: tensor.movedim(-1, 1) if case.layout == "n*c" else tensor
        self.x = ordered(normal(*case.shape) + 0.5)
        self.dy = ordered(normal(*case.shape))
        self.weight = uniform(0.5, 1.5)
        self.bias = None if case.op == "rms_norm" else uniform(-1, 1)
        self.mean, self.var = uniform(0, 1), uniform(0.5, 1.5)

    def affine(self):
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def inputs(self):
        """x, weight and bias, as leaves that gradients are taken of."""
        return [tensor.detach().requires_grad_() for tensor in (self.x, *self.affine())]


def function(torch, case, tensors):
    """PyTorch's own, of x, weight and bias."""
    functional = torch.nn.functional
    mean, var = tensors.mean, tensors.var
    return {
        "layer_norm": lambda x, weight, bias: functional.layer_norm(x, case.shape[-1:], weight, bias, EPS),
        "rms_norm": lambda x, weight: functional.rms_norm(x, case.shape[-1:], weight, EPS),
        "group_norm": lambda x, weight, bias: functional.group_norm(x, case.groups, weight, bias, EPS),
        "instance_norm": lambda x, weight, bias: functional.instance_norm(x, None, None, weight, bias, True, 0.1, EPS),
        "batch_norm": lambda x, weight, bias: functional.batch_norm(x, mean, var, weight, bias, True, 0.1, EPS),
    }[case.op]


def by_formula(torch, case, x, weight, bias=None):
    """y by its definition, in the type of x."""
    if case.op == "rms_norm":
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPS) * weight
    if case.op == "layer_norm":
        var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
        return (x - mean) * torch.rsqrt(var + EPS) * weight + bias
    seen, axes = x, [axis for axis in range(x.dim()) if axis != 1]
    if case.op != "batch_norm":
        groups = case.groups if case.op == "group_norm" else x.shape[1]
        seen, axes = x.reshape(x.shape[0], groups, -1), [2]
    var, mean = torch.var_mean(seen, axes, correction=0, keepdim=True)
    x_hat = ((seen - mean) * torch.rsqrt(var + EPS)).reshape(x.shape)
    affine = (-1, *[1] * (x.dim() - 2))
    return x_hat * weight.reshape(affine) + bias.reshape(affine)


def expected(torch, case, tensors, direction):
    """The outputs in f64."""
    inputs = [tensor.detach().double().requires_grad_() for tensor in (tensors.x, *tensors.affine())]
    with torch.set_grad_enabled(direction == "backward"):
        y = by_formula(torch, case, *inputs)
        return [y] if direction == "forward" else torch.autograd.grad(y, inputs, tensors.dy.double())


class Functional:
    """PyTorch, eager or compiled."""

    def __init__(self, compiled):
        import torch

        self.torch, self.compiled = torch, compiled
        if compiled:
            # Gradients are taken again and again of one forward.
            importlib.import_module("torch._functorch.config").donated_buffer = False

    def calls(self, case, tensors, direction, _):
        call = function(self.torch, case, tensors)
        if self.compiled:
            self.torch._dynamo.reset()
            call = self.torch.compile(call, dynamic=False)
        if direction == "backward":
            inputs = tensors.inputs()
            y = call(*inputs)
            return [({}, lambda: self.torch.autograd.grad(y, inputs, tensors.dy, retain_graph=True))]
        inputs = [tensors.x, *tensors.affine()]

        def forward():
            with self.torch.no_grad():
                return [call(*inputs)]

        return [({}, forward)]


class Triton:
    """The kernels of triton_norms.py: layer norm and RMS norm, with every setting that they are to be tried with."""

    def __init__(self):
        self.norms = importlib.import_module("triton_norms")

    def calls(self, case, tensors, direction, tried):
        if case.layout != "rows":
            return []
        norm = self.norms.Norm(tensors.x, tensors.weight, tensors.bias, EPS)
        if direction == "forward":
            settings = norm.forward_settings() if tried else norm.forward_settings()[:1]
            return [(setting, lambda setting=setting: [norm.forward(**setting)]) for setting in settings]
        norm.forward(norm.forward_settings()[0]["num_warps"], save=True)
        settings = norm.backward_settings() if tried else norm.backward_settings()[:1]
        return [(setting, norm.gradients(tensors.dy, **setting)) for setting in settings]


def relative_error(outputs, references):
    error = lambda output, reference: ((output.double() - reference).norm() / reference.norm()).item()
    errors = [error(output, reference) for output, reference in zip(outputs, references)]
    # NaN is larger than anything.
    return max(errors, key=lambda error: (error != error, error))


def fastest(calls, references, timer, runs):
    """The call with the shortest time, by a few samples each, all compared first."""
    found = []
    for setting, call in calls:
        error = relative_error(call(), references)
        if not error < TOLERANCE:
            raise ArithmeticError(f"off by {error:.1e}, {setting}")
        few = statistics.median(timer.sample(call, 3)) if len(calls) > 1 else 0
        found.append((few, len(found), setting, call, error))
    return min(found)[2:]


def measure(peer, case, direction, timer, arguments):
    """One row; None where the peer has nothing like it."""
    import torch

    tensors = Tensors(torch, case, timer.name)
    calls = peer.calls(case, tensors, direction, timer.name == "cuda")
    if not calls:
        return None
    references = expected(torch, case, tensors, direction)
    setting, call, error = fastest(calls, references, timer, arguments.runs)
    del references
    row = {"relative_error": error, "setting": setting}
    if arguments.batch:
        return row | {"batch": arguments.batch} | timer.batch(call, arguments.batch, arguments.runs)
    # Triton's interpreter takes no time worth telling.
    if isinstance(peer, Triton) and timer.name == "cpu":
        return row | {"ms": None, "spread": None}
    samples = timer.sample(call, arguments.runs)
    median = statistics.median(samples)
    return row | {"ms": median, "spread": (max(samples) - min(samples)) / median}


def versions():
    found = {"python": platform.python_version()}
    for name in ("torch", "triton"):
        try:
            found[name] = importlib.import_module(name).__version__
        except ImportError:
            found[name] = None
    return found


def start(arguments):
    """The timer and the peer."""
    if arguments.on == "cpu":
        # Triton's decorators look at it when they are applied.
        os.environ["TRITON_INTERPRET"] = "1"
    try:
        import torch
    except ImportError as error:
        cannot_run(f"no PyTorch in this Python ({error}): the peers are left out")
    if arguments.on != "cpu" and not torch.cuda.is_available():
        cannot_run("no CUDA device: the peers are left out (--peers-on cpu tries their code)")
    timer = Cpu() if arguments.on == "cpu" else Cuda()
    try:
        return timer, Triton() if arguments.peer == "triton" else Functional(arguments.peer == "compile")
    except ImportError as error:
        cannot_run(f"{PEERS[arguments.peer]} is left out: {error}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--list", required=True, help="the list of shapes.txt to measure")
    parser.add_argument("--on", choices=["auto", "cpu"], default="auto")
    parser.add_argument("--directions", nargs="+", default=["forward", "backward"])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--batch", type=int, help="time so many calls together instead, as a CUDA graph")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    timer, peer = start(arguments)
    found = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "peer": PEERS[arguments.peer],
        "on": timer.name,
        **timer.describe(),
        "versions": versions(),
        "runs": arguments.runs,
        "copy_gbps": timer.copy_gbps(arguments.runs),
        "rows": [],
    }
    failures = 0
    for case in cases.read(arguments.list):
        for direction in arguments.directions:
            row = {"op": case.op, "layout": case.layout, "shape": case.shape, "direction": direction}
            try:
                measured = measure(peer, case, direction, timer, arguments)
            except Exception as error:
                failures += 1
                measured = {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"}
            timer.release()
            if measured is None:
                continue
            found["rows"].append(row | measured)
            cases.write_json(arguments.json, found)
            shown = {key: measured[key] for key in ("ms", "kernel_us", "gpu_us", "failed") if key in measured}
            print(f"{found['peer']}: {case} {direction} {shown}", flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
