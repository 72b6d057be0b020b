"""Credit-card delinquency, competition 235713 of DACON."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pandas as pd

from xentexp.errors import InputError
from xentexp.experiments.datasets._arguments import Path
from xentexp.experiments.datasets._base import Card, Dataset, TestSet
from xentexp.experiments.datasets._files import read_table
from xentexp.experiments.datasets._prepare import make_dataset

FOLDER_VARIABLE = "XENTEXP_DACON_DIR"

CATEGORIES = (
    "gender",
    "car",
    "reality",
    "income_type",
    "edu_type",
    "family_type",
    "house_type",
    "occyp_type",
)
PERSON = (
    "gender",
    "car",
    "reality",
    "child_num",
    "income_total",
    "income_type",
    "edu_type",
    "family_type",
    "house_type",
    "DAYS_BIRTH",
    "DAYS_EMPLOYED",
    "FLAG_MOBIL",
    "work_phone",
    "phone",
    "email",
    "occyp_type",
    "family_size",
)
FEATURES = (*PERSON, "begin_month")
NOT_EMPLOYED = 365243

CARD = Card(
    name="dacon",
    title="Credit card user delinquency prediction (DACON 235713)",
    source="https://dacon.io/competitions/official/235713 (download it there; not included)",
    licence="rules of the competition; the right to redistribute the files is not established",
    target="credit: 0, 1 or 2, lower is better credit",
    traps=(
        "The same person appears several times (26,457 rows, 8,759 persons): random folds leak, "
        "split by groups.",
        "DAYS_EMPLOYED 365243 means not employed; it is made missing here.",
        "DAYS_BIRTH and DAYS_EMPLOYED count backwards from the day of collection.",
        "FLAG_MOBIL is 1 in every row; it is kept.",
        "occyp_type misses 31 % of its values, those of most pensioners among them.",
    ),
    reference=None,
    rows=26457,
    class_shares={"0": 0.1218, "1": 0.2369, "2": 0.6413},
    ordered=True,
)


def load_dacon(path: Path | None = None) -> Dataset:
    """Load the competition's files from a folder.

    Parameters
    ----------
    path : str or path, optional
        Folder with train.csv and, for submissions, test.csv and sample_submission.csv. When
        None, the environment variable XENTEXP_DACON_DIR says the folder.

    Returns
    -------
    Dataset
        18 features, the target ``credit``, persons as groups, and the test set if test.csv
        is there.

    Raises
    ------
    InputError
        If no folder is named, or its files are not those of the competition.
    """
    given = path if path is not None else os.environ.get(FOLDER_VARIABLE) or None
    if given is None:
        raise InputError(
            "dacon: the files are not included and no folder is named; set path to the folder "
            f"of train.csv, or the environment variable {FOLDER_VARIABLE}."
        )
    folder = pathlib.Path(given).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"dacon: {folder.absolute()} is no folder; name the folder of train.csv by path "
            f"or by {FOLDER_VARIABLE}."
        )
    train = _read(folder, "train.csv", ("index", *FEATURES, "credit"))
    wrong = train.loc[train["credit"].notna() & ~train["credit"].isin([0, 1, 2]), "credit"]
    if len(wrong):
        raise InputError(
            f"dacon: train.csv has the value {float(wrong.iloc[0])} in 'credit', "
            "which is 0, 1 or 2; download the file again."
        )
    groups = train.groupby(list(PERSON), dropna=False, sort=False).ngroup()
    return make_dataset(
        _features(train),
        train["credit"],
        CARD,
        groups=groups.rename("person"),
        test=_test_set(folder),
    )


def _read(folder: pathlib.Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read one file and insist on its columns."""
    frame = read_table(folder / name, CARD.name)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(
            f"dacon: {name} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(map(repr, missing))}; download the file again."
        )
    extra = [column for column in frame.columns if column not in columns]
    if extra:
        raise InputError(
            f"dacon: {name} has columns that are not in the competition's file: "
            f"{', '.join(map(repr, extra))}; load a changed file as the data set 'table'."
        )
    for column in columns:
        if column not in CATEGORIES and not pd.api.types.is_numeric_dtype(frame[column]):
            raise InputError(
                f"dacon: {name} has text in the column {column!r}, which holds numbers; "
                "download the file again."
            )
    return frame


def _features(frame: pd.DataFrame) -> pd.DataFrame:
    """Features, with 'not employed' as a missing value."""
    features = frame.loc[:, list(FEATURES)]
    employed = features["DAYS_EMPLOYED"].replace(NOT_EMPLOYED, np.nan)
    return features.assign(DAYS_EMPLOYED=employed)


def _test_set(folder: pathlib.Path) -> TestSet | None:
    """Rows to predict, laid out as the sample submission is, if both files are there."""
    if not ((folder / "test.csv").exists() and (folder / "sample_submission.csv").exists()):
        return None
    rows = _read(folder, "test.csv", ("index", *FEATURES))
    sample = _read(folder, "sample_submission.csv", ("index", "0", "1", "2"))
    if sample["index"].tolist() != rows["index"].tolist():
        raise InputError(
            "dacon: sample_submission.csv and test.csv differ in their column 'index'; "
            "download both again."
        )
    return TestSet(_features(rows), rows["index"], "index", ("0", "1", "2"))
