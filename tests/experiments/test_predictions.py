"""Stored predictions: a file returns what was written, and files of version 1 are read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from xentexp.errors import InputError
from xentexp.experiments import (
    Card,
    CrossValidation,
    Dataset,
    load_dataset,
    make_dataset,
    run_experiment,
)
from xentexp.experiments._predictions import Predictions, read_predictions
from xentexp.experiments._results import out_of_fold
from xentexp.experiments._tracking.artifacts import readable

V1 = {"dataset": "older", "digest": "0" * 32, "ordered": False}
"""What a file of version 1 lacks."""


def table_of(n: int = 90, *, labels: tuple[object, ...] = (0, 1)) -> Dataset:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=n), "t": np.repeat(np.arange(n // 3), 3)})
    y = pd.Series([labels[i % len(labels)] for i in range(n)], name="y")
    return make_dataset(
        X, y, Card("small"), groups=np.arange(n) // 3, sample_weight=np.arange(n) % 4 + 0.5
    )


def predictions_of(data: Dataset, cv: CrossValidation, model: object = None) -> Predictions:
    result = run_experiment(data, {"model": model or LogisticRegression()}, cv)
    found = out_of_fold(result.candidate_results[0], data)
    assert found is not None
    return found


def assert_equal(first: Predictions, second: Predictions) -> None:
    assert dataclasses.replace(first, folds=()) == dataclasses.replace(second, folds=())
    for a, b in zip(first.folds, second.folds, strict=True):
        for field in dataclasses.fields(a):
            np.testing.assert_array_equal(
                getattr(a, field.name), getattr(b, field.name), err_msg=field.name
            )


@pytest.mark.parametrize("labels", [(0, 1), ("bad", "good", "very bad"), (False, True)], ids=str)
@pytest.mark.parametrize(
    "cv",
    [
        CrossValidation(n_splits=3),
        CrossValidation("repeated", n_splits=2, n_repeats=2),
        CrossValidation("grouped", n_splits=3),
        CrossValidation("time_ordered", n_splits=3, time_column="t"),
        CrossValidation("holdout", n_test=20),
    ],
    ids=lambda cv: cv.kind,
)
def test_a_file_returns_what_was_written(
    cv: CrossValidation, labels: tuple[object, ...], tmp_path: Path
) -> None:
    written = predictions_of(table_of(labels=labels), cv)
    written.write(tmp_path / "oof.parquet")
    assert_equal(read_predictions(tmp_path / "oof.parquet", **V1), written)


def test_predictions_keep_entities_times_weights_and_the_training_part() -> None:
    data = table_of()
    [fold, *_] = predictions_of(data, CrossValidation("grouped", n_splits=3)).folds
    np.testing.assert_array_equal(fold.groups, fold.rows // 3)
    np.testing.assert_array_equal(fold.sample_weight, fold.rows % 4 + 0.5)
    train = np.setdiff1d(np.arange(90), fold.rows)
    assert fold.n_train == len(train)
    share = np.average(data.y.to_numpy()[train], weights=train % 4 + 0.5)
    np.testing.assert_allclose(fold.prior, [1 - share, share], rtol=1e-12)
    [fold, *_] = predictions_of(
        data, CrossValidation("time_ordered", n_splits=3, time_column="t")
    ).folds
    np.testing.assert_array_equal(fold.time, fold.rows // 3)
    [fold] = predictions_of(data, CrossValidation("holdout", n_test=20)).folds
    np.testing.assert_array_equal(fold.groups, fold.rows // 3)


def test_entities_that_are_found_in_the_features_are_kept() -> None:
    data = load_dataset("simulated_delinquency", n_samples=300)
    data = dataclasses.replace(data, groups=None)
    found = data.entities()
    assert found is not None
    fold = predictions_of(data, CrossValidation(), DummyClassifier()).folds[0]
    np.testing.assert_array_equal(fold.groups, found.groups[fold.rows])


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    data = dataclasses.replace(table_of(labels=("a", "b")), groups=None)
    written = predictions_of(data, CrossValidation(n_splits=3), LinearSVC())
    file = tmp_path / "oof.parquet"
    written.to_frame().to_parquet(file, index=False)  # without metadata, as version 1
    read = read_predictions(file, **V1)
    assert (read.dataset, read.version) == ("older", 1)
    assert_equal(
        dataclasses.replace(read, dataset=written.dataset, digest=written.digest, version=2),
        written,
    )
    # The training part of a single split is not known.
    holdout = predictions_of(data, CrossValidation("holdout", n_test=20), DummyClassifier())
    holdout.to_frame().to_parquet(file, index=False)
    [fold] = read_predictions(file, **V1).folds
    assert fold.prior is None


def test_a_newer_version_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "oof.parquet"
    predictions_of(table_of(), CrossValidation(n_splits=3)).write(file)
    table = pq.read_table(file)
    metadata = {**table.schema.metadata, b"xentexp": json.dumps({"version": 3}).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), file)
    with pytest.raises(InputError, match="must have version 2 or older; got version 3"):
        read_predictions(file, **V1)
    file.write_bytes(b"PAR1 and nothing else")
    sentence = r"oof\.parquet of run abcd cannot be read"
    with pytest.raises(InputError, match=sentence), readable("abcd", "oof.parquet"):
        read_predictions(file, **V1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: table.slice(0, 0), "it has no rows"),
        (lambda table: table.drop_columns(["row"]), "row"),
        (lambda table: set_column(table, "y", pa.array(["?"] * len(table))), "labels of no class"),
        (lambda table: set_column(table, "proba_0", pa.array([1.5] * len(table))), "outside"),
        (lambda table: set_column(table, "proba_0", pa.array(["a"] * len(table))), "'a'"),
    ],
)
def test_damaged_content_is_refused(tmp_path: Path, damage: Any, message: str) -> None:
    file = tmp_path / "oof.parquet"
    predictions_of(table_of(), CrossValidation(n_splits=3)).write(file)
    pq.write_table(damage(pq.read_table(file)), file)
    sentence = f"it is damaged: .*{message}"
    with pytest.raises(InputError, match=sentence), readable("abcd", "oof.parquet"):
        read_predictions(file, **V1)


def set_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def test_predictions_of_other_data_rows_or_folds_are_not_comparable() -> None:
    data = table_of()
    first = predictions_of(data, CrossValidation(n_splits=3))
    assert first.same_rows(predictions_of(data, CrossValidation(n_splits=3))) is None
    for other, reason in (
        (predictions_of(table_of(93), CrossValidation(n_splits=3)), "the data differ"),
        (predictions_of(data, CrossValidation(n_splits=2)), "the numbers of folds differ"),
        (predictions_of(data, CrossValidation(n_splits=3, seed=1)), "the test rows of"),
    ):
        assert str(first.same_rows(other)).startswith(reason)
