"""Writes digits.csv.gz from the copy of the data set that scikit-learn ships: pip install scikit-learn."""

import gzip
import pathlib

from sklearn.datasets import load_digits

digits = load_digits()
header = ",".join(f"pixel_{row}_{column}" for row in range(8) for column in range(8)) + ",digit"
rows = (",".join(str(int(value)) for value in [*image, digit]) for image, digit in zip(digits.data, digits.target))
table = "\n".join([header, *rows]) + "\n"
# Without the time, the same file comes out every time.
packed = gzip.compress(table.encode(), compresslevel=9, mtime=0)
pathlib.Path(__file__).with_name("digits.csv.gz").write_bytes(packed)
