"""Writes mixture.csv, of which scalers.png is drawn: 3,000 values of the even mixture of N(0, 1) and N(5, 3)."""

import pathlib
import random

random.seed(7)
values = (random.gauss(0, 1) if random.random() < 0.5 else random.gauss(5, 3) for _ in range(3000))
lines = ["x", *(f"{value:.4f}" for value in values)]
pathlib.Path(__file__).with_name("mixture.csv").write_text("\n".join(lines) + "\n")
