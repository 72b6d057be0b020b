"""Predictions of the test rows of folds: what every score is computed from, and how it is stored.

The file is Parquet, without pickle. Columns: ``row``, ``repeat``, ``fold``, ``y`` and, where they
exist, ``sample_weight``, ``group``, ``time``, ``amount``, ``proba_<class>``, ``decision`` or
``decision_<class>``. Its metadata has the key ``xentexp``: JSON with the version of the layout, the
data set, the classes, the cost matrix if there is one, and size and class frequencies of the
training part of each fold. Readers ignore keys that they do not know, so that later versions can
add some. Other tables of a fold go to files of their own with the columns ``repeat`` and ``fold``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xentexp._inputs.checked import CheckedInput
from xentexp._inputs.read import read
from xentexp._numerics import FloatArray
from xentexp.errors import InputError
from xentexp.experiments._fitting import FoldPrediction
from xentexp.experiments._folds import Rows, prior_of, rows_of_test
from xentexp.experiments.datasets import Dataset
from xentexp.losses import Loss
from xentexp.metrics._evaluation import evaluate_checked

VERSION = 2
"""Version of the layout. Version 1 had no metadata, groups or times."""

_KEY = b"xentexp"


@dataclass(frozen=True)
class PredictedFold:
    """Test rows of a fold with everything that scores need; arrays in the order of the rows."""

    repeat: int
    number: int  # within the repeat
    n_train: int
    prior: tuple[float, ...] | None  # share of each class among the training rows, if known
    rows: Rows  # positions in the data set
    y: NDArray[Any]
    proba: FloatArray | None = None
    decision: FloatArray | None = None
    sample_weight: FloatArray | None = None
    groups: Rows | None = None
    time: Rows | None = None  # rank of the time of each row, for folds in time order
    amount: FloatArray | None = None  # that multiplies the costs of each row

    def weights(self) -> FloatArray:
        """Weight of each row; 1 if there are no weights."""
        return np.ones(len(self.rows)) if self.sample_weight is None else self.sample_weight


@dataclass(frozen=True)
class Predictions:
    """Predictions of one candidate for the test rows of all folds."""

    dataset: str
    digest: str  # of the data set
    classes: tuple[Any, ...]
    ordered: bool
    folds: tuple[PredictedFold, ...]
    version: int = VERSION
    cost: tuple[tuple[float, ...], ...] | None = None  # by true class and decision

    def checked(self, fold: PredictedFold) -> CheckedInput:
        """Input of losses and metrics for one fold."""
        return read(
            fold.y,
            fold.proba,
            decision=fold.decision,
            labels=self.classes,
            sample_weight=fold.sample_weight,
        )

    def row_losses(self, loss: Loss) -> list[FloatArray]:
        """Loss of each row of each fold, without weights."""
        values = []
        for fold in self.folds:
            checked = self.checked(replace(fold, sample_weight=None))
            result = evaluate_checked(checked, [loss], per_sample=True)
            assert result.per_sample is not None
            values.append(result.per_sample[loss.name])
        return values

    def same_rows(self, other: Predictions) -> str | None:
        """Why a paired comparison with other predictions is not possible; None if it is."""
        if self.digest != other.digest:
            return (
                f"the data differ: {self.dataset} {self.digest} and {other.dataset} {other.digest}"
            )
        if self.classes != other.classes:
            return f"the classes differ: {list(self.classes)} and {list(other.classes)}"
        if len(self.folds) != len(other.folds):
            return f"the numbers of folds differ: {len(self.folds)} and {len(other.folds)}"
        for a, b in zip(self.folds, other.folds, strict=True):
            name = f"repeat {a.repeat}, fold {a.number}"
            if (a.repeat, a.number) != (b.repeat, b.number) or not np.array_equal(a.rows, b.rows):
                return f"the test rows of {name} differ"
            if not np.array_equal(a.y, b.y):
                return f"the labels of {name} differ"
            if not _equal(a.sample_weight, b.sample_weight):
                return f"the weights of {name} differ"
            if a.n_train != b.n_train:
                return f"the training parts of {name} have {a.n_train} and {b.n_train} rows"
        return None

    def to_frame(self) -> pd.DataFrame:
        """Table with one line for each predicted row, and the columns of the file."""
        parts = []
        for fold in self.folds:
            n = len(fold.rows)
            optional = {
                "sample_weight": fold.sample_weight,
                "group": fold.groups,
                "time": fold.time,
                "amount": fold.amount,
            }
            columns: dict[str, Any] = {
                "row": fold.rows,
                "repeat": np.full(n, fold.repeat),
                "fold": np.full(n, fold.number),
                "y": fold.y,
                **{name: values for name, values in optional.items() if values is not None},
            }
            for kind, scores in (("proba", fold.proba), ("decision", fold.decision)):
                if scores is not None and scores.ndim == 1:
                    columns[kind] = scores
                elif scores is not None:
                    for label, column in zip(self.classes, scores.T, strict=True):
                        columns[f"{kind}_{label}"] = column
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def write(self, path: Path) -> None:
        """Write the Parquet file."""
        about = {
            "version": self.version,
            "dataset": self.dataset,
            "digest": self.digest,
            "classes": list(self.classes),
            "ordered": self.ordered,
            **({} if self.cost is None else {"cost": self.cost}),
            "folds": [
                {"repeat": f.repeat, "fold": f.number, "n_train": f.n_train, "prior": f.prior}
                for f in self.folds
            ],
        }
        table = pa.Table.from_pandas(self.to_frame(), preserve_index=False)
        metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(about).encode()}
        pq.write_table(table.replace_schema_metadata(metadata), path)


def of_candidate(predictions: Sequence[FoldPrediction], dataset: Dataset) -> Predictions:
    """Predictions of successful fits, with labels, weights and groups of the predicted rows."""
    folds = []
    for prediction in predictions:
        fold = prediction.fold
        y, weight = rows_of_test(fold, dataset)
        amount = None if fold.of_test_set else dataset.amount
        folds.append(
            PredictedFold(
                fold.repeat,
                fold.number,
                len(fold.train),
                prior_of(fold, dataset),
                fold.test,
                y,
                prediction.proba,
                prediction.decision,
                weight,
                fold.test_groups,
                fold.test_time,
                None if amount is None else amount[fold.test],
            )
        )
    return Predictions(
        dataset.name,
        dataset.digest,
        dataset.classes,
        dataset.card.ordered,
        tuple(folds),
        cost=dataset.cost,
    )


def read_predictions(path: Path, *, dataset: str, digest: str, ordered: bool) -> Predictions:
    """Read a file of any version; the other arguments are what files of version 1 lack."""
    # A damaged file causes a ValueError or the error of what was computed from its content.
    table = pq.read_table(path)
    about = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    version = about.get("version", 1)
    if version > VERSION:
        raise InputError(
            f"the stored predictions must have version {VERSION} or older; got version {version}; "
            f"install a newer xentexp"
        )
    frame = table.to_pandas()
    classes = tuple(about["classes"]) if "classes" in about else _classes(frame)
    _check_content(frame, classes)
    known = {(fold["repeat"], fold["fold"]): fold for fold in about.get("folds", ())}
    folds = []
    for (repeat, number), part in frame.groupby(["repeat", "fold"], sort=True):
        fold = known.get((repeat, number))
        if fold is None:
            others = frame[(frame["repeat"] == repeat) & (frame["fold"] != number)]
            n_train, prior = _training_part(others, classes)
        else:
            n_train, prior = fold["n_train"], fold["prior"] and tuple(fold["prior"])
        folds.append(
            PredictedFold(
                int(repeat),
                int(number),
                n_train,
                prior,
                part["row"].to_numpy().astype(np.intp),
                part["y"].to_numpy(),
                _scores(part, "proba", classes),
                _scores(part, "decision", classes),
                *(_column(part, name) for name in ("sample_weight", "group", "time", "amount")),
            )
        )
    return Predictions(
        about.get("dataset", dataset),
        about.get("digest", digest),
        classes,
        about.get("ordered", ordered),
        tuple(folds),
        version,
        tuple(map(tuple, about["cost"])) if "cost" in about else None,
    )


_ROUNDING = 1e-6


def _check_content(frame: pd.DataFrame, classes: tuple[Any, ...]) -> None:
    """Refuse a table without rows, with labels of no class, or with impossible probabilities."""
    if not len(frame):
        raise ValueError("it has no rows")
    others = set(frame["y"].tolist()) - set(classes)
    if others:
        raise ValueError(f"it has labels of no class, e.g. {next(iter(others))!r}")
    names = [name for name in frame if name == "proba" or str(name).startswith("proba_")]
    proba = frame[names].to_numpy(np.float64)
    if not ((proba >= -_ROUNDING) & (proba <= 1.0 + _ROUNDING)).all():
        raise ValueError("it has probabilities outside [0, 1]")


def _training_part(
    others: pd.DataFrame, classes: tuple[Any, ...]
) -> tuple[int, tuple[float, ...] | None]:
    """Size and class frequencies of a training part that consists of the other folds."""
    if not len(others):
        return 0, None
    weight = others.get("sample_weight")
    shares = [float(np.average(others["y"] == label, weights=weight)) for label in classes]
    return len(others), tuple(shares)


def _classes(frame: pd.DataFrame) -> tuple[Any, ...]:
    """Classes of a file of version 1: labels in the order of the columns of scores."""
    labels = {str(label): label for label in np.unique(frame["y"]).tolist()}
    for kind in ("proba_", "decision_"):
        names = [str(name).removeprefix(kind) for name in frame if str(name).startswith(kind)]
        if names:
            return tuple(labels.get(name, name) for name in names)
    return tuple(labels.values())


def _scores(part: pd.DataFrame, kind: str, classes: tuple[Any, ...]) -> FloatArray | None:
    if kind in part:
        return part[kind].to_numpy(np.float64)
    names = [f"{kind}_{label}" for label in classes]
    return part[names].to_numpy() if set(names) <= set(part) else None


def _column(part: pd.DataFrame, name: str) -> Any:
    return part[name].to_numpy() if name in part else None


def _equal(first: FloatArray | None, second: FloatArray | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)
