"""A peer of wgnorm's CPU path: a process that is told on its standard input what to run, a line a command.

    load FOLDER OPERATION SHAPE GROUPS   the tensors of a case, raw f32 in files     -> ok, or "none" without such a call
    time RUNS                            one run to warm up, then so many in a row    -> milliseconds of one
    save FILE                            y of one run, or dx of a backward pass      -> ok

It says its name and version first. Usage: peer.py torch|onnxruntime THREADS
"""

import pathlib
import sys
import time

import numpy as np

EPS = 1e-5


class Torch:
    """PyTorch in inference mode; it allocates its outputs, out of a heap that keeps its pages."""

    def __init__(self, threads):
        import torch

        self.torch = torch
        self.name = f"PyTorch {torch.__version__}"
        torch.set_num_threads(threads)

    def load(self, operation, shape, groups, tensors):
        functional = self.torch.nn.functional
        x, weight, bias, mean, var, dy = (self.torch.from_numpy(tensor) for tensor in tensors)
        x, dy = x.reshape(shape), dy.reshape(shape)
        if operation.endswith("_backward"):
            self.call = self.backward(operation, shape, groups, x, dy, weight, bias)
            return
        self.call = {
            "layer": lambda: functional.layer_norm(x, shape[-1:], weight, bias, EPS),
            "rms": lambda: functional.rms_norm(x, shape[-1:], weight, EPS),
            "group": lambda: functional.group_norm(x, groups, weight, bias, EPS),
            "instance": lambda: functional.instance_norm(x, None, None, weight, bias, True, 0.1, EPS),
            "batch_training": lambda: functional.batch_norm(x, mean, var, weight, bias, True, 0.1, EPS),
            "batch_evaluation": lambda: functional.batch_norm(x, mean, var, weight, bias, False, 0.1, EPS),
        }[operation]

    def backward(self, operation, shape, groups, x, dy, weight, bias):
        """The call that autograd makes, with the statistics that the forward pass saved; dx comes first."""
        aten, all_of_them = self.torch.ops.aten, [True, True, True]
        if operation == "layer_backward":
            _, mean, rstd = aten.native_layer_norm(x, shape[-1:], weight, bias, EPS)
            return lambda: aten.native_layer_norm_backward(
                dy, x, shape[-1:], mean, rstd, weight, bias, all_of_them
            )
        if operation == "group_backward":
            channels, positions = shape[1], shape[2] * shape[3]
            _, mean, rstd = aten.native_group_norm(x, weight, bias, shape[0], channels, positions, groups, EPS)
            return lambda: aten.native_group_norm_backward(
                dy, x, mean, rstd, weight, shape[0], channels, positions, groups, all_of_them
            )
        if operation == "batch_training_backward":
            _, mean, rstd = aten.native_batch_norm(x, weight, bias, None, None, True, 0.1, EPS)
            return lambda: aten.native_batch_norm_backward(
                dy, x, weight, None, None, mean, rstd, True, EPS, all_of_them
            )
        # Composed of others: through autograd, without the forward pass.
        functional = self.torch.nn.functional
        inputs = [tensor.detach().requires_grad_() for tensor in (x, weight, bias)]
        if operation == "rms_backward":
            inputs.pop()
            y = functional.rms_norm(inputs[0], shape[-1:], inputs[1], EPS)
        else:
            y = functional.instance_norm(inputs[0], None, None, inputs[1], inputs[2], True, 0.1, EPS)
        return lambda: self.torch.autograd.grad(y, inputs, dy, retain_graph=True)

    def time(self, runs):
        with self.torch.inference_mode():
            self.call()
            start = time.perf_counter()
            for _ in range(runs):
                self.call()
            return (time.perf_counter() - start) / runs

    def y(self):
        result = self.call()
        return (result if isinstance(result, self.torch.Tensor) else result[0]).numpy()


class OnnxRuntime:
    """ONNX Runtime; inputs and outputs are bound once."""

    def __init__(self, threads):
        import onnx
        import onnxruntime

        self.onnx, self.runtime, self.threads = onnx, onnxruntime, threads
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def load(self, operation, shape, groups, tensors):
        x, weight, bias, mean, var, _ = tensors
        affine = {"weight": weight, "bias": bias}
        name, domain, parameters, outputs, attributes = {
            "layer": ("LayerNormalization", "", affine, [], {"axis": -1}),
            "rms": ("SimplifiedLayerNormalization", "", {"weight": weight}, [], {"axis": -1}),
            "group": ("GroupNormalization", "", affine, [], {"num_groups": groups}),
            "instance": ("InstanceNormalization", "", affine, [], {}),
            "batch_training": (
                "BatchNormalization",
                "",
                affine | {"mean": mean, "var": var},
                ["new_mean", "new_var"],
                {"training_mode": 1, "momentum": 0.9},
            ),
            "batch_evaluation": ("BatchNormalization", "", affine | {"mean": mean, "var": var}, [], {}),
        }[operation]
        self.bind(name, domain, x.reshape(shape), parameters, outputs, attributes | {"epsilon": EPS})

    def bind(self, name, domain, x, parameters, further, attributes):
        helper, f32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
        node = helper.make_node(name, ["x", *parameters], ["y", *further], domain=domain, **attributes)
        value = lambda name, array: helper.make_tensor_value_info(name, f32, array.shape)
        self.output = np.zeros_like(x)
        outputs = {"y": self.output} | {name: np.zeros_like(parameters["mean"]) for name in further}
        graph = helper.make_graph(
            [node],
            "case",
            [value("x", x)],
            [value(name, array) for name, array in outputs.items()],
            [self.onnx.numpy_helper.from_array(array, name) for name, array in parameters.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        self.session = self.runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.arrays = [x, *outputs.values()]
        self.binding = self.session.io_binding()
        self.binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
        for name, array in outputs.items():
            self.binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def time(self, runs):
        self.session.run_with_iobinding(self.binding)
        start = time.perf_counter()
        for _ in range(runs):
            self.session.run_with_iobinding(self.binding)
        return (time.perf_counter() - start) / runs

    def y(self):
        self.session.run_with_iobinding(self.binding)
        return self.output


def main():
    peer = {"torch": Torch, "onnxruntime": OnnxRuntime}[sys.argv[1]](int(sys.argv[2]))
    print(peer.name, flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        answer = "ok"
        if command == "load":
            folder, operation, shape, groups = words
            names = ["x", "weight", "bias", "mean", "var", "dy"]
            tensors = [np.fromfile(pathlib.Path(folder, name), np.float32) for name in names]
            if operation.endswith("_backward") and isinstance(peer, OnnxRuntime):
                answer = "none"
            else:
                peer.load(operation, [int(extent) for extent in shape.split("x")], int(groups), tensors)
        elif command == "time":
            answer = peer.time(int(words[0])) * 1e3
        elif command == "save":
            peer.y().tofile(words[0])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
