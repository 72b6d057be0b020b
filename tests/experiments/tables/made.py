"""Small tables in the forms in which people bring them, made by code.

A `Made` table is the bytes of a file, the arguments that load it, and the values that a careful
reader gets from it: scikit-learn is given those. To add a kind, add one entry to `TABLES`.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

N = 120
_RNG = np.random.default_rng(11)

INCOME = _RNG.integers(100_000, 9_000_000, N) / 100
RATE = _RNG.integers(1, 10_000, N) / 100
DEBT = _RNG.integers(-5_000, 5_000, N)
JOB = _RNG.choice(["cook", "clerk", "pilot"], N)
ZIP = _RNG.choice(["00123", "01234", "98765", "04040"], N)
DAY = 18_262 + _RNG.permutation(N) * 3  # days since 1970-01-01: from 2020 to the end of 2020
GONE = _RNG.random(N) < 0.1
Y = (RATE / 40 + DEBT / 4_000 + (JOB == "cook") + _RNG.normal(size=N) > 1.6).astype(int)
DATES = pd.to_datetime(DAY, unit="D")
ORDER = np.argsort(DAY)

Columns = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """One table: a file, how to load it, and the values that it has."""

    file: str
    content: Callable[[], bytes]
    X: Columns
    y: Any = field(default_factory=lambda: Y)
    target: str = "y"
    options: Sequence[str] = ()  # arguments of `xentexp run`
    notes: Sequence[str] = ()  # words of the notes before the fits
    findings: Sequence[str] = ()  # columns that warnings before the fits name
    time_ordered: bool = False
    weight: Any = None  # of each row
    test: TestFile | None = None


@dataclass(frozen=True)
class TestFile:
    """Labelled test rows beside a table."""

    __test__ = False  # not a class of tests
    file: str
    content: Callable[[], bytes]
    X: Columns
    y: Any
    weight: Any


def text(columns: Columns, separator: str = ",", *, header: bool = True) -> str:
    """Rows of a text file; cells are written as they are, in quotation marks if need be."""

    def cell(value: object) -> str:
        written = str(value)
        return f'"{written}"' if separator in written else written

    rows = [separator.join(columns)] if header else []
    rows += [separator.join(map(cell, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join(rows) + "\n"


def each(values: Any, form: str) -> list[str]:
    """Values in a format such as ``"{:,.2f}"``."""
    return [form.format(value) for value in values]


def comma(values: Any) -> list[str]:
    """Numbers as in Germany."""
    return [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in values]


def zipped(name: str, content: str) -> bytes:
    """Archive of one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def parquet(columns: Columns) -> bytes:
    """Parquet file."""
    return pd.DataFrame(columns).to_parquet()


def excel(columns: Columns) -> bytes:
    """Excel file with an empty second sheet."""
    stream = io.BytesIO()
    with pd.ExcelWriter(stream, engine="openpyxl") as writer:
        pd.DataFrame(columns).to_excel(writer, sheet_name="loans", index=False)
        pd.DataFrame().to_excel(writer, sheet_name="notes", index=False)
    return stream.getvalue()


def whole_lines_quoted(rows: str) -> str:
    """Every line in quotation marks, as a spreadsheet saves lines that it took for one cell."""
    return "".join('"' + line.replace('"', '""') + '"\n' for line in rows.splitlines())


PLAIN = {"income": INCOME, "rate": RATE, "job": JOB}
WITH_Y = {**PLAIN, "y": Y}
KOREAN = {"소득": INCOME, "금리": RATE, "직업": np.where(JOB == "cook", "요리사", "회사원")}
SORTED = {name: values[np.argsort(Y, kind="stable")] for name, values in PLAIN.items()}
EACH_DAY = pd.date_range("2020-01-01", periods=N)
GAPS = {"income": np.where(GONE, np.nan, INCOME), "debt": DEBT, "job": JOB}

COPY = np.where(Y, "yes", "no")
WEIGHT = _RNG.integers(1, 9, N) / 4


def first_rows(columns: Columns) -> Columns:
    """The training rows of a table that is divided into two files."""
    return {name: values[:80] for name, values in columns.items()}


def with_rows_of_rare_classes() -> Columns:
    """The plain table and six rows of three rare classes."""
    return {name: np.r_[values, values[:6]] for name, values in PLAIN.items()}


TABLES: dict[str, Made] = {
    # --- S: file formats
    "comma": Made("t.csv", lambda: text(WITH_Y).encode(), PLAIN),
    "semicolon and decimal comma": Made(
        "t.csv",
        lambda: text(
            {"income": comma(INCOME), "rate": comma(RATE), "job": JOB, "y": Y}, ";"
        ).encode(),
        PLAIN,
        notes=["separator", "decimal comma"],
    ),
    "UTF-16 with tabs": Made(
        "t.txt", lambda: text({**KOREAN, "y": Y}, "\t").encode("utf-16"), KOREAN
    ),
    "CP949": Made(
        "t.csv", lambda: text({**KOREAN, "y": Y}).encode("cp949"), KOREAN, notes=["CP949"]
    ),
    "latin-1": Made(
        "t.csv",
        lambda: text({"größe": INCOME, "job": JOB, "y": Y}).encode("latin-1"),
        {"größe": INCOME, "job": JOB},
        options=["dataset.encoding=latin-1"],
    ),
    "bars, bzip2": Made("t.txt.bz2", lambda: bz2.compress(text(WITH_Y, "|").encode()), PLAIN),
    "tabs, xz": Made("t.tab.xz", lambda: lzma.compress(text(WITH_Y, "\t").encode()), PLAIN),
    "zip": Made("t.zip", lambda: zipped("data/t.csv", text(WITH_Y)), PLAIN),
    "no header": Made(
        "t.data",
        lambda: text(WITH_Y, header=False).replace(",", ", ").encode(),
        {"x0": INCOME, "x1": RATE, "x2": JOB},
        target="x3",
        notes=["first row"],
    ),
    "line that names the separator": Made(
        "t.csv", lambda: ("sep=;\r\n" + text(WITH_Y, ";")).encode(), PLAIN
    ),
    "quotation marks around lines": Made(
        "t.csv", lambda: whole_lines_quoted(text(WITH_Y, ";")).encode(), PLAIN, notes=["quotation"]
    ),
    "title above the header": Made(
        "t.csv",
        lambda: ("Loans, all branches\n" + text(WITH_Y)).encode(),
        PLAIN,
        options=["dataset.header=2"],
    ),
    "Excel": Made("t.xlsx", lambda: excel(WITH_Y), PLAIN, notes=["'loans'"]),
    # --- P: numbers written as text
    "percent, thousands, blanks": Made(
        "t.csv",
        lambda: text(
            {
                "income": np.where(GONE, "-", each(INCOME, "${:,.2f}")),
                "debt": [f"({-d:,})" if d < 0 else f"{d:,}" for d in DEBT],
                "rate": each(RATE, "{:.2f}%"),
                "y": Y,
            }
        ).encode(),
        {"income": GAPS["income"], "debt": DEBT, "rate": RATE},
        notes=["income", "debt", "rate"],
    ),
    "codes": Made(
        "t.csv",
        lambda: text({"zip": ZIP, "rate": RATE, "y": Y}).encode(),
        {"zip": ZIP, "rate": RATE},
        notes=["zip"],
    ),
    # --- T: dates
    "dates in text": Made(
        "t.csv",
        lambda: text({"opened": DATES.strftime("%d/%m/%Y"), "rate": RATE, "y": Y}).encode(),
        {"opened": DAY, "rate": RATE},
        options=["cv=time_ordered", "cv.time_column=opened"],
        notes=["opened"],
        time_ordered=True,
    ),
    "dates in Parquet": Made(
        "t.parquet",
        lambda: parquet({"opened": DATES, "rate": RATE, "y": Y}),
        {"opened": DAY, "rate": RATE},
        notes=["opened"],
    ),
    # --- O: row numbers
    "sorted by class, with a row number": Made(
        "t.csv",
        lambda: text({"row": np.arange(N), **SORTED, "y": np.sort(Y)}).encode(),
        SORTED,
        y=np.sort(Y),
        notes=["row number 'row'"],
    ),
    "sorted by date, one row a day": Made(
        "t.csv",
        lambda: text({"opened": EACH_DAY.strftime("%Y-%m-%d"), **SORTED, "y": np.sort(Y)}).encode(),
        {"opened": 18_262 + np.arange(N), **SORTED},
        y=np.sort(Y),
        notes=["opened"],
        findings=["opened"],
    ),
    # --- U: names that Hydra's grammar cannot read
    "names as typed": Made(
        "loans (1).csv",
        lambda: text({"OBS#": ZIP, "rate %": RATE, "연체여부": Y}).encode(),
        {"rate %": RATE},
        target="연체여부",
        options=["dataset.drop=[OBS#]"],
        notes=["OBS#"],
    ),
    # --- V: rare classes
    "a class of two rows, left out": Made(
        "t.csv",
        lambda: text(
            {name: [*values, *values[:2]] for name, values in PLAIN.items()} | {"y": [*Y, 7, 7]}
        ).encode(),
        PLAIN,
        options=["dataset.rare=drop"],
        notes=["left out 2 rows of 1 class"],
    ),
    "three classes of two rows, joined": Made(
        "t.csv",
        lambda: text({**with_rows_of_rare_classes(), "y": [*Y, 7, 7, 8, 8, 9, 9]}).encode(),
        with_rows_of_rare_classes(),
        y=[*map(str, Y), *["other"] * 6],
        options=["dataset.rare=join"],
        notes=["joined 3 classes"],
    ),
    # --- R: a target that is known from a feature
    "a copy of the target": Made(
        "t.csv",
        lambda: text({**PLAIN, "paid_late": COPY, "y": Y}).encode(),
        {**PLAIN, "paid_late": COPY},
        findings=["paid_late"],
    ),
    # --- S2: weights, and rows to test on
    "weights, and a test file in another form": Made(
        "train.csv",
        lambda: text({**first_rows(PLAIN), "w": WEIGHT[:80], "y": Y[:80]}).encode(),
        first_rows(PLAIN),
        y=Y[:80],
        options=["dataset.weight=w", "dataset.test=test.txt"],
        weight=WEIGHT[:80],
        test=TestFile(
            "test.txt",
            lambda: text(
                {"y": Y[80:], "job": JOB[80:], "w": comma(WEIGHT[80:])}
                | {"rate": comma(RATE[80:]), "income": comma(INCOME[80:])},
                ";",
            ).encode(),
            {name: values[80:] for name, values in PLAIN.items()},
            Y[80:],
            WEIGHT[80:],
        ),
    ),
}
