"""Layer norm and RMS norm in Triton, forward and backward, written for the comparison. Rows are contiguous f32.

    layer: x_hat = (x - mean(x)) rstd, rstd = 1 / sqrt(var(x) + eps), y = x_hat w + b
    RMS:   x_hat = x rstd,             rstd = 1 / sqrt(mean(x²) + eps), y = x_hat w
    dx = (g - mean(g) - x_hat mean(g x_hat)) rstd with g = dy w; RMS has no mean(g)
    dw = Σ dy x_hat, db = Σ dy, over the rows

A program holds a tile of whole rows in registers: one read, one write. In the backward, programs stay and take tile after
tile; each writes its sums of dw and db, which a second kernel adds up in a fixed order.
"""

import torch
import triton
import triton.language as tl

# Elements of a tile of short rows, and elements of a tile that a thread may have.
TILE = 2048
FORWARD_SHARES = (8, 16, 32)
BACKWARD_SHARES = (4, 8, 16)
# Programs of the backward for each multiprocessor.
RESIDENT = (1, 4)


@triton.jit
def forward_kernel(
    x, w, b, y, mean, rstd, rows, eps,
    COLUMNS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, LAYER: tl.constexpr, SAVE: tl.constexpr,
):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    inside = (row < rows)[:, None] & (column < COLUMNS)[None, :]
    place = row.to(tl.int64)[:, None] * COLUMNS + column[None, :]
    value = tl.load(x + place, mask=inside, other=0.0)
    if LAYER:
        center = tl.sum(value, axis=1) / COLUMNS
        value = tl.where(inside, value - center[:, None], 0.0)
        if SAVE:
            tl.store(mean + row, center, mask=row < rows)
    scale = 1.0 / tl.sqrt(tl.sum(value * value, axis=1) / COLUMNS + eps)
    if SAVE:
        tl.store(rstd + row, scale, mask=row < rows)
    weight = tl.load(w + column, mask=column < COLUMNS, other=0.0)
    value = value * scale[:, None] * weight[None, :]
    if LAYER:
        value += tl.load(b + column, mask=column < COLUMNS, other=0.0)[None, :]
    tl.store(y + place, value, mask=inside)


@triton.jit
def backward_kernel(
    dy, x, w, mean, rstd, dx, dw_parts, db_parts, rows, tiles,
    COLUMNS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, LAYER: tl.constexpr,
):
    column = tl.arange(0, BLOCK)
    weight = tl.load(w + column, mask=column < COLUMNS, other=0.0)[None, :]
    dw = tl.zeros((ROWS, BLOCK), tl.float32)
    db = tl.zeros((ROWS, BLOCK), tl.float32)
    for tile in range(tl.program_id(0), tiles, tl.num_programs(0)):
        row = tile * ROWS + tl.arange(0, ROWS)
        inside = (row < rows)[:, None] & (column < COLUMNS)[None, :]
        place = row.to(tl.int64)[:, None] * COLUMNS + column[None, :]
        gradient = tl.load(dy + place, mask=inside, other=0.0)
        x_hat = tl.load(x + place, mask=inside, other=0.0)
        scale = tl.load(rstd + row, mask=row < rows, other=0.0)[:, None]
        if LAYER:
            center = tl.load(mean + row, mask=row < rows, other=0.0)[:, None]
            x_hat = tl.where(inside, x_hat - center, 0.0)
            db += gradient
        x_hat = x_hat * scale
        dw += gradient * x_hat
        gradient = gradient * weight
        change = x_hat * (tl.sum(gradient * x_hat, axis=1) / COLUMNS)[:, None]
        if LAYER:
            change += (tl.sum(gradient, axis=1) / COLUMNS)[:, None]
        tl.store(dx + place, (gradient - change) * scale, mask=inside)
    part = tl.program_id(0) * COLUMNS + column
    tl.store(dw_parts + part, tl.sum(dw, axis=0), mask=column < COLUMNS)
    if LAYER:
        tl.store(db_parts + part, tl.sum(db, axis=0), mask=column < COLUMNS)


@triton.jit
def finish_kernel(
    dw_parts, db_parts, dw, db, parts,
    COLUMNS: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr, LAYER: tl.constexpr,
):
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    dw_sum = tl.zeros((PARTS, BLOCK), tl.float32)
    db_sum = tl.zeros((PARTS, BLOCK), tl.float32)
    for first in range(0, parts, PARTS):
        part = first + tl.arange(0, PARTS)
        inside = (part < parts)[:, None] & (column < COLUMNS)[None, :]
        place = part[:, None] * COLUMNS + column[None, :]
        dw_sum += tl.load(dw_parts + place, mask=inside, other=0.0)
        if LAYER:
            db_sum += tl.load(db_parts + place, mask=inside, other=0.0)
    tl.store(dw + column, tl.sum(dw_sum, axis=0), mask=column < COLUMNS)
    if LAYER:
        tl.store(db + column, tl.sum(db_sum, axis=0), mask=column < COLUMNS)


class Norm:
    """One normalization of the rows of x; `bias` is None for RMS norm. Its settings are to be tried out by the caller."""

    def __init__(self, x, weight, bias, eps):
        self.x, self.weight, self.bias, self.eps = x, weight, bias, eps
        self.rows, self.columns = x.shape
        self.block = triton.next_power_of_2(self.columns)
        self.tile_rows = max(1, TILE // self.block)
        self.y = torch.empty_like(x)
        self.mean, self.rstd = (x.new_empty(self.rows) for _ in range(2))
        processors = torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 2
        self.programs = [min(processors * each, triton.cdiv(self.rows, self.tile_rows)) for each in RESIDENT]

    def warps(self, shares):
        """Warps of a tile of which each thread has so many elements."""
        elements = self.tile_rows * self.block
        return sorted({min(32, max(1, elements // (32 * share))) for share in shares})

    def forward_settings(self):
        return [{"num_warps": warps} for warps in self.warps(FORWARD_SHARES)]

    def backward_settings(self):
        programs = sorted(set(self.programs))
        return [{"num_warps": warps, "programs": count} for warps in self.warps(BACKWARD_SHARES) for count in programs]

    def shape(self):
        return {"COLUMNS": self.columns, "ROWS": self.tile_rows, "BLOCK": self.block, "LAYER": self.bias is not None}

    def forward(self, num_warps, save=False):
        bias = self.weight if self.bias is None else self.bias
        forward_kernel[(triton.cdiv(self.rows, self.tile_rows),)](
            self.x, self.weight, bias, self.y, self.mean, self.rstd, self.rows, self.eps,
            **self.shape(), SAVE=save, num_warps=num_warps,
        )
        return self.y

    def gradients(self, dy, num_warps, programs):
        """A call that computes the gradients, of the statistics that a forward has saved."""
        dx, dw = torch.empty_like(self.x), torch.empty_like(self.weight)
        db = torch.empty_like(dw)
        dw_parts, db_parts = (self.x.new_empty(programs, self.columns) for _ in range(2))
        layer = self.bias is not None

        def backward():
            backward_kernel[(programs,)](
                dy, self.x, self.weight, self.mean, self.rstd, dx, dw_parts, db_parts,
                self.rows, triton.cdiv(self.rows, self.tile_rows), **self.shape(), num_warps=num_warps,
            )
            finish_kernel[(triton.cdiv(self.columns, 32),)](
                dw_parts, db_parts, dw, db, programs, COLUMNS=self.columns, PARTS=64, BLOCK=32, LAYER=layer, num_warps=4,
            )
            return (dx, dw, db) if layer else (dx, dw)

        return backward
