"""Large data sets are shared by the processes of the fits through a file that is always deleted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from xentexp.errors import InputError
from xentexp.experiments import _shared_data
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._engines.by_joblib import LocalEngine
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._shared_data import LEAST_BYTES, PREFIX, memory_mapped
from xentexp.experiments.datasets import Card, Dataset, make_dataset

N_ROWS = 6000


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A table of 1.3 MB: numbers, integers, booleans, categories, text labels and groups."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N_ROWS, 25)), columns=[f"x{i}" for i in range(25)])
    X.loc[::7, "x3"] = np.nan
    X["count"] = rng.integers(0, 9, N_ROWS)
    X["flag"] = rng.random(N_ROWS) < 0.5
    X["job"] = pd.Categorical.from_codes(rng.integers(0, 3, N_ROWS), ["cook", "nurse", "smith"])
    y = np.where(X["x0"] + rng.logistic(size=N_ROWS) > 0.0, "yes", "no")
    groups = pd.Series(rng.integers(0, N_ROWS // 2, N_ROWS))
    return make_dataset(X, y, Card("large"), groups=groups, sample_weight=rng.random(N_ROWS))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))


def mapped_file(values: Any) -> str | None:
    """File that an array is mapped from."""
    while values is not None:
        if isinstance(values, np.memmap):
            return str(values.filename)
        values = getattr(values, "base", None)
    return None


class ReportsItsFile(ClassifierMixin, BaseEstimator):
    """Fails with the file that its process maps the data set from."""

    def fit(self, X: pd.DataFrame, y: object, sample_weight: object = None) -> None:
        import gc

        frames = [o for o in gc.get_objects() if isinstance(o, Dataset)]
        files = {mapped_file(frame.X["x0"].to_numpy()) for frame in frames}
        raise RuntimeError(f"{sorted(map(str, files))} {mapped_file(X['x0'].to_numpy())}")


def test_a_mapped_data_set_is_equal_and_read_only(data: Dataset, folder: Path) -> None:
    with memory_mapped(data) as mapped:
        [made] = left_in(folder)
        assert mapped_file(mapped.X["x0"].to_numpy()) == str(made / "arrays")
        assert not mapped.X["x0"].to_numpy().flags.writeable
        assert mapped_file(data.X["x0"].to_numpy()) is None
    assert left_in(folder) == []
    # It can be used after the file is deleted.
    pd.testing.assert_frame_equal(mapped.X, data.X)
    pd.testing.assert_series_equal(mapped.y, data.y)
    pd.testing.assert_series_equal(mapped.groups, data.groups)
    np.testing.assert_array_equal(mapped.sample_weight, data.sample_weight)
    assert (mapped.digest, mapped.classes, mapped.card) == (data.digest, data.classes, data.card)


def test_the_file_is_written_once_and_results_of_checks_are_kept(
    data: Dataset, folder: Path
) -> None:
    found = data.findings
    with memory_mapped(data) as mapped:
        assert mapped.__dict__["findings"] == found
        with memory_mapped(replace(mapped, test=None)) as again:
            assert again.X is mapped.X
            assert len(left_in(folder)) == 1
    with memory_mapped(mapped):  # its file is deleted
        assert len(left_in(folder)) == 1


def test_arrays_keep_their_order_and_are_written_once(data: Dataset, tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(300_000.0).reshape(1000, 300))
    mapped = _shared_data._mapped(
        replace(data, true_proba=values, amount=values[:, 0]), tmp_path / "a"
    )
    np.testing.assert_array_equal(mapped.true_proba, values)
    assert mapped.true_proba.flags.f_contiguous
    twice = replace(data, true_proba=values, sample_weight=values)
    _shared_data._mapped(twice, tmp_path / "b")
    once = replace(data, true_proba=values, sample_weight=None)
    _shared_data._mapped(once, tmp_path / "c")
    assert (tmp_path / "b").stat().st_size == (tmp_path / "c").stat().st_size


def test_a_table_without_a_large_array_has_nothing_to_map(folder: Path) -> None:
    n_rows = LEAST_BYTES // 16
    rows = np.arange(n_rows)  # one array for each type
    X = pd.DataFrame({"x": rows % 5 / 2.0, "count": rows % 3, "job": pd.Categorical(rows % 7)})
    data = make_dataset(X, rows % 2, Card("wide"))
    assert data.X.memory_usage(index=False).sum() >= LEAST_BYTES
    with memory_mapped(data) as mapped:
        pd.testing.assert_frame_equal(mapped.X, data.X)
    assert not left_in(folder)


def test_a_small_table_is_not_written(data: Dataset, folder: Path) -> None:
    small = replace(data, X=data.X[:100], y=data.y[:100])
    with memory_mapped(small) as same:
        assert same is small
        assert left_in(folder) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_the_file_is_deleted_after_an_error(
    data: Dataset, folder: Path, error: type[BaseException]
) -> None:
    mapped = memory_mapped(data)
    mapped.__enter__()
    assert len(left_in(folder)) == 1
    assert not mapped.__exit__(error, error(), None)
    assert left_in(folder) == []


def test_a_full_disk_is_named(data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_shared_data._Writer, "dump", full)
    with pytest.raises(InputError, match=r"No space left on device.*set TMPDIR"):
        memory_mapped(data).__enter__()
    assert left_in(folder) == []


def test_processes_map_the_file_and_fit_on_copies(data: Dataset, folder: Path) -> None:
    result = run_experiment(data, {"report": ReportsItsFile()}, cv=2, n_jobs=2)
    error = result.candidate_results[0].error
    assert error is not None
    assert f"{folder}/{PREFIX}" in error
    assert error.endswith("/arrays'] None")
    assert left_in(folder) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_threads_and_one_process_do_not_write(
    data: Dataset, folder: Path, n_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_shared_data, "_mapped", None)
    engine = "threads" if n_jobs == 2 else "local"
    models = {"logistic": tabular_pipeline(LogisticRegression(max_iter=50))}
    result = run_experiment(data, models, cv=2, n_jobs=n_jobs, engine=engine)
    assert result.candidate_results[0].error is None


def test_results_are_equal_with_and_without_the_file(
    data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = {"logistic": tabular_pipeline(LogisticRegression(max_iter=50))}

    def values() -> Iterator[Any]:
        result = run_experiment(data, models, cv=3, n_jobs=2)
        yield result.candidate_results[0].fold_values()
        yield from (p.proba for p in result.candidate_results[0].predictions)

    shared = list(values())
    monkeypatch.setattr(_shared_data, "LEAST_BYTES", 10**9)
    np.testing.assert_equal(shared, list(values()))
    assert left_in(folder) == []


def test_an_interrupt_between_fits_deletes_the_file(data: Dataset, folder: Path) -> None:
    seen = []

    def interrupt(_: str) -> None:
        seen.extend(left_in(folder))
        raise KeyboardInterrupt

    models = {"logistic": tabular_pipeline(LogisticRegression(max_iter=50))}
    with pytest.raises(KeyboardInterrupt):
        run_experiment(data, models, cv=3, n_jobs=2, engine=LocalEngine(), on_fold=interrupt)
    assert len(seen) == 1
    assert left_in(folder) == []
