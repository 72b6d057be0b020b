"""Credit-card delinquency data of DACON competition 235713."""

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

FILES = ("train.csv", "test.csv", "sample_submission.csv")
"""Files of the folder that are read."""

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
        "The same person appears in several rows (26,457 rows, 8,759 persons): with random folds, "
        "scores are too good for new persons; use grouped folds.",
        "DAYS_EMPLOYED 365243 means not employed; the loader replaces it by a missing value.",
        "DAYS_BIRTH and DAYS_EMPLOYED count backwards from the day of collection.",
        "FLAG_MOBIL is 1 in every row; it is not removed.",
        "occyp_type is missing in 31 % of the rows, among them most pensioners.",
    ),
    reference=None,
    rows=26457,
    class_shares={"0": 0.1218, "1": 0.2369, "2": 0.6413},
    ordered=True,
)


def load_dacon(path: Path | None = None) -> Dataset:
    """Load the files of DACON competition 235713 (credit-card delinquency) from a folder.

    The files are not included in xentexp; download them from
    https://dacon.io/competitions/official/235713.

    Parameters
    ----------
    path : str or path-like, default=None
        Folder that contains train.csv and, for submissions, test.csv and sample_submission.csv.
        The default is the value of the environment variable ``XENTEXP_DACON_DIR``.

    Returns
    -------
    Dataset
        26,457 rows with 18 features, the labels ``credit`` (0, 1, 2), persons as groups and, if
        test.csv and sample_submission.csv exist, the test rows.

    Raises
    ------
    InputError
        If neither path nor the environment variable is set, the folder does not exist, or its
        files differ from those of the competition.

    Examples
    --------
    >>> from xentexp.experiments.datasets import load_dacon
    >>> load_dacon("~/dacon").X.shape  # doctest: +SKIP
    (26457, 18)
    """
    location = path if path is not None else os.environ.get(FOLDER_VARIABLE) or None
    if location is None:
        raise InputError(
            "dacon: path must be the folder of train.csv, which is not included; got None; set "
            f"path or the environment variable {FOLDER_VARIABLE}"
        )
    folder = pathlib.Path(os.path.expanduser(location))
    if not folder.is_dir():
        raise InputError(
            f"dacon: path must be the folder of train.csv; the folder {folder.absolute()} does not "
            f"exist; set path or the environment variable {FOLDER_VARIABLE}"
        )
    train = _read(folder, "train.csv", ("index", *FEATURES, "credit"))
    invalid = train.loc[train["credit"].notna() & ~train["credit"].isin([0, 1, 2]), "credit"]
    if len(invalid):
        raise InputError(
            f"dacon: the column 'credit' of train.csv must be 0, 1 or 2; got "
            f"{float(invalid.iloc[0])}; download the file again"
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
    """Read one file and check its columns."""
    frame = read_table(folder / name, CARD.name)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(
            f"dacon: {name} must have the columns of the competition; missing: "
            f"{', '.join(map(repr, missing))}; download the file again"
        )
    extra = [column for column in frame.columns if column not in columns]
    if extra:
        raise InputError(
            f"dacon: {name} must have only the columns of the competition; unknown: "
            f"{', '.join(map(repr, extra))}; load a modified file with the data set 'table'"
        )
    for column in columns:
        if column not in CATEGORIES and not pd.api.types.is_numeric_dtype(frame[column]):
            raise InputError(
                f"dacon: the column {column!r} of {name} must contain numbers; got text; download "
                f"the file again"
            )
    return frame


def _features(frame: pd.DataFrame) -> pd.DataFrame:
    """Features, with missing values for "not employed"."""
    features = frame.loc[:, list(FEATURES)]
    employed = features["DAYS_EMPLOYED"].replace(NOT_EMPLOYED, np.nan)
    return features.assign(DAYS_EMPLOYED=employed)


def _test_set(folder: pathlib.Path) -> TestSet | None:
    """Test rows in the layout of the sample submission, if both files exist."""
    if not ((folder / "test.csv").exists() and (folder / "sample_submission.csv").exists()):
        return None
    rows = _read(folder, "test.csv", ("index", *FEATURES))
    sample = _read(folder, "sample_submission.csv", ("index", "0", "1", "2"))
    if sample["index"].tolist() != rows["index"].tolist():
        raise InputError(
            "dacon: sample_submission.csv and test.csv must have the same column 'index'; "
            "download both files again"
        )
    return TestSet(_features(rows), rows["index"], "index", ("0", "1", "2"))
