#!/usr/bin/env python3
"""Makes golden.safetensors: real data, and what PyTorch computes from it in float64. Run in this directory.

Data, both as bundled with scikit-learn and published by the UCI Machine Learning Repository under CC BY 4.0:
- digits: the first 4 images of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak, 1998),
  doi 10.24432/C50P49, as [image, row, column];
- table: the first 16 rows of "Breast Cancer Wisconsin (Diagnostic)" (W. Wolberg, O. Mangasarian, N. Street,
  W. Street, 1993), doi 10.24432/C5DW2B; running_mean and running_var are those of all its 569 rows.

The versions that made the file are in its metadata.
"""

import safetensors
import sklearn
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from sklearn.datasets import load_breast_cancer, load_digits


def channels_last(norm, x, *args, **kwargs):
    return norm(x.movedim(-1, 1), *args, **kwargs).movedim(1, -1)


def z_score(x, axes, ddof):
    std = x.std(axes, correction=ddof, keepdim=True)
    return torch.where(std == 0, 0.0, (x - x.mean(axes, keepdim=True)) / std)


def mean_variance(x, axes, eps):
    std = x.std(axes, correction=0, keepdim=True)
    return (x - x.mean(axes, keepdim=True)) / (std + eps)


table = torch.tensor(load_breast_cancer().data, dtype=torch.float32)
inputs = {
    "digits": torch.tensor(load_digits().images[:4], dtype=torch.float32),
    "table": table[:16].clone(),
    "running_mean": table.mean(0),
    "running_var": table.var(0),
    "weight8": torch.linspace(0.5, 2.0, 8),
    "bias8": torch.linspace(-1.0, 1.0, 8),
    "weight30": torch.linspace(0.5, 2.0, 30),
    "bias30": torch.linspace(-1.0, 1.0, 30),
}
exact = {name: tensor.double() for name, tensor in inputs.items()}
digits, table = exact["digits"], exact["table"]
affine8 = {"weight": exact["weight8"], "bias": exact["bias8"]}
affine30 = {"weight": exact["weight30"], "bias": exact["bias30"]}

expected = {
    "layer": F.layer_norm(table, [30], **affine30),
    "layer_images": F.layer_norm(digits, [8, 8]),
    "rms": F.rms_norm(table, [30], weight=exact["weight30"], eps=1e-6),
    "batch": F.batch_norm(table, None, None, **affine30, training=True),
    "batch_running": F.batch_norm(table, exact["running_mean"], exact["running_var"], **affine30),
    "batch_nhwc": channels_last(F.batch_norm, digits, None, None, **affine8, training=True),
    "instance": F.instance_norm(digits, **affine8),
    "instance_nhwc": channels_last(F.instance_norm, digits, **affine8),
    "group": F.group_norm(digits, 4, **affine8),
    "group_nhwc": channels_last(F.group_norm, digits, 4, **affine8),
    "zscore": z_score(table, 0, ddof=0),
    "zscore_images": z_score(digits, (0, 1), ddof=1),
    "mvn": mean_variance(digits, (0, 2), eps=1e-9),
}
versions = {"torch": torch.__version__, "scikit-learn": sklearn.__version__, "safetensors": safetensors.__version__}
tensors = inputs | {f"y.{name}": y.contiguous() for name, y in expected.items()}
save_file(tensors, "golden.safetensors", metadata=versions)
