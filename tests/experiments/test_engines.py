"""Engines: the same numbers wherever the fits run, and what happens when a process ends."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from joblib._parallel_backends import ThreadingBackend
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from xentexp.errors import InputError
from xentexp.experiments import (
    CrossValidation,
    Explain,
    load_dataset,
    run_experiment,
    tabular_pipeline,
)
from xentexp.experiments._engines.by_dask import DaskEngine
from xentexp.experiments._engines.choose import ENGINES, as_engine
from xentexp.experiments._fitting import with_threads
from xentexp.experiments._process_settings import library_threads, recorded_warnings
from xentexp.experiments._results import ExperimentResult
from xentexp.experiments.datasets import Dataset

DATA = load_dataset("simulated_delinquency", n_samples=400)
MODELS = {
    "logistic": tabular_pipeline(LogisticRegression(max_iter=20)),  # which warns
    "hist_gradient_boosting": tabular_pipeline(
        HistGradientBoostingClassifier(max_iter=5, random_state=0)
    ),
    "lightgbm": tabular_pipeline(LGBMClassifier(n_estimators=5, verbosity=-1)),
}


def run(**options: Any) -> ExperimentResult:
    return run_experiment(DATA, MODELS, cv=2, explain=Explain(n_rows=50), **options)


def content(result: ExperimentResult) -> list[Any]:
    """Everything that a result has but its times, byte for byte."""
    return [
        (
            candidate_result.candidate.name,
            candidate_result.error,
            sorted(candidate_result.mean().items()),
            [
                (p.proba.tobytes(), p.warnings, p.explanation.importance.to_csv())
                for p in candidate_result.predictions
            ],
        )
        for candidate_result in result.candidate_results
    ]


@pytest.fixture(scope="module")
def alone() -> list[Any]:
    """Content of the result of one fit after the other."""
    return content(run())


def test_threads_give_the_same_numbers(alone: list[Any]) -> None:
    assert "ConvergenceWarning" in alone[0][3][0][1][0]
    assert content(run(engine="threads", n_jobs=2)) == alone


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "n_jobs"), [("local", 2), ("dask", None)])
def test_processes_give_the_same_numbers(
    engine: str, n_jobs: int | None, alone: list[Any], new_workers: None
) -> None:
    assert content(run(engine=engine, n_jobs=n_jobs)) == alone


class Threads(DummyClassifier):
    """Notes the threads of the libraries while it is fitted, in its process."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Threads:
        numbers = sorted({library["num_threads"] for library in threadpool_info()})
        warnings.warn(f"threads {numbers}", UserWarning, stacklevel=1)
        time.sleep(0.05)  # so that fits of other threads end in between
        return super().fit(X, y)


@pytest.mark.parametrize(("engine", "n_jobs"), [("threads", 3), (None, 1)])
def test_each_fit_has_the_same_number_of_threads(engine: str | None, n_jobs: int) -> None:
    with threadpool_limits(2):
        before = threadpool_info()
        [result] = run_experiment(
            DATA, {"m": Threads()}, cv=5, engine=engine, n_jobs=n_jobs
        ).candidate_results
        assert threadpool_info() == before
    assert [p.warnings for p in result.predictions] == [("UserWarning: threads [1]",)] * 5


def test_the_number_of_threads_can_be_set() -> None:
    [result] = run_experiment(DATA, {"m": Threads()}, cv=2, threads_per_fit=2).candidate_results
    assert result.predictions[0].warnings == ("UserWarning: threads [2]",)
    with pytest.raises(InputError, match="threads_per_fit must be an integer >= 1; got 0"):
        run_experiment(DATA, MODELS, threads_per_fit=0)


def test_overlapping_limits_are_restored_by_the_last() -> None:
    """Also of BLAS, whose number threadpoolctl lets only one thread set."""
    second_inside, first_ended = threading.Event(), threading.Event()
    seen: list[int] = []

    def blas() -> set[int]:
        return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}

    def second() -> None:
        with library_threads(1):
            second_inside.set()
            first_ended.wait()
            seen.extend(blas())

    with threadpool_limits(2):
        thread = threading.Thread(target=second)
        with library_threads(1):
            thread.start()
            second_inside.wait()
        first_ended.set()
        thread.join()
        assert seen == [1]
        assert blas() == {2}
    with threadpool_limits(1):  # the thread of the test may set the number again
        assert blas() == {1}


def test_boosters_without_a_number_of_threads_get_it() -> None:
    unset, own = LGBMClassifier(), LGBMClassifier(n_jobs=3)
    assert with_threads(tabular_pipeline(unset), 2)[-1].n_jobs == 2
    assert with_threads(tabular_pipeline(own), 2)[-1].n_jobs == 3
    forest = RandomForestClassifier()
    assert with_threads(forest, 2).n_jobs is None  # its threads are joblib's


def test_warnings_stay_in_their_thread() -> None:
    """`warnings.catch_warnings` fails here: it restores the state of another thread."""
    both_inside = threading.Barrier(2)
    caught: dict[str, list[str]] = {}

    def record(name: str) -> None:
        with recorded_warnings() as recorded:
            both_inside.wait()
            warnings.warn(name, UserWarning, stacklevel=1)
            both_inside.wait()
        caught[name] = [str(w.message) for w in recorded]

    filters, show = list(warnings.filters), warnings.showwarning
    threads = [threading.Thread(target=record, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught == {"a": ["a"], "b": ["b"]}
    assert (list(warnings.filters), warnings.showwarning) == (filters, show)


class Meeting(DummyClassifier):
    """Warns while another fit computes its explanation."""

    explaining, warned = threading.Event(), threading.Event()

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Meeting:
        if self.strategy == "uniform":
            assert self.explaining.wait(20)
            warnings.warn("seen", UserWarning, stacklevel=1)
            self.warned.set()
        self.predicted_ = 0
        return super().fit(X, y)

    def predict_proba(self, X: Any) -> Any:
        self.predicted_ += 1
        if self.strategy == "prior" and self.predicted_ == 2:  # not of the test rows
            self.explaining.set()
            assert self.warned.wait(20)
        return super().predict_proba(X)


def test_an_explanation_does_not_hide_the_warnings_of_another_fit() -> None:
    models = {"first": Meeting(strategy="prior"), "second": Meeting(strategy="uniform")}
    folds = CrossValidation(n_splits=2).folds(DATA)[:1]
    first, second = run_experiment(
        DATA, models, folds, engine="threads", n_jobs=2, explain=Explain(n_rows=20)
    ).candidate_results
    assert first.predictions[0].warnings == ()
    assert second.predictions[0].warnings == ("UserWarning: seen",)


class AtTheEnd(ThreadingBackend):
    """A backend that cannot return results before all are complete, as those of Spark and Ray."""

    supports_return_generator = False


def test_a_backend_that_returns_all_results_at_the_end(alone: list[Any]) -> None:
    joblib.register_parallel_backend("at_the_end", AtTheEnd)
    try:
        with joblib.parallel_config("at_the_end", n_jobs=2):
            assert content(run()) == alone
            assert content(run(n_jobs=1)) == alone
    finally:
        del joblib.parallel.BACKENDS["at_the_end"]


@pytest.mark.slow
def test_multiprocessing_of_the_caller(alone: list[Any]) -> None:
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        assert content(run()) == alone


class Routed(DummyClassifier):
    """Warns of the configuration of scikit-learn in the process or thread of the fit."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Routed:
        warnings.warn(str(sklearn.get_config()["working_memory"]), UserWarning, stacklevel=1)
        return super().fit(X, y)


def test_the_configuration_of_scikit_learn_reaches_the_threads() -> None:
    with sklearn.config_context(working_memory=77):
        [result] = run_experiment(
            DATA, {"m": Routed()}, cv=2, engine="threads", n_jobs=2
        ).candidate_results
    assert result.predictions[0].warnings == ("UserWarning: 77",)


class KillsItsWorker(ClassifierMixin, BaseEstimator):
    """Kills its process once, then is a constant model."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fit(self, X: Any, y: Any) -> KillsItsWorker:
        path = Path(self.file)
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.model_ = DummyClassifier().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)


class Slow(DummyClassifier):
    """Notes each of its fits in a folder."""

    def __init__(self, folder: str = "") -> None:
        super().__init__()
        self.folder = folder

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Slow:
        Path(self.folder, f"{time.time_ns()}").touch()
        time.sleep(0.3)
        return super().fit(X, y)


@pytest.mark.slow
def test_a_killed_worker_costs_only_its_fits(tmp_path: Path, monkeypatch: Any) -> None:
    pickled = []

    def reduce(self: Dataset, protocol: Any) -> Any:
        pickled.append(protocol)
        return object.__reduce_ex__(self, protocol)

    monkeypatch.setattr(Dataset, "__reduce_ex__", reduce)
    (tmp_path / "fits").mkdir()
    models = {
        "slow": Slow(str(tmp_path / "fits")),
        "killer": KillsItsWorker(str(tmp_path / "killed")),
        "dummy": DummyClassifier(),
    }
    with DaskEngine(n_workers=2) as engine:
        result = run_experiment(DATA, models, cv=4, engine=engine)
    assert (tmp_path / "killed").exists()
    assert [c.error for c in result.candidate_results] == [None, None, None]
    means = [c.mean() for c in result.candidate_results]
    np.testing.assert_equal(means[1:], [means[0], means[0]])
    assert 4 <= len(list((tmp_path / "fits").iterdir())) <= 5  # the other worker went on
    assert len(pickled) == 1  # one copy for all fits


def test_a_dask_scheduler_that_does_not_answer(monkeypatch: Any) -> None:
    monkeypatch.setattr("xentexp.experiments._engines.by_dask._SECONDS", 1)
    with pytest.raises(InputError, match="must be that of a Dask scheduler that answers"):
        run_experiment(DATA, MODELS, engine=DaskEngine("tcp://127.0.0.1:9"))


def test_unknown_engines() -> None:
    with pytest.raises(InputError, match="unknown engine 'dusk'; did you mean 'dask'"):
        run_experiment(DATA, MODELS, engine="dusk")
    with pytest.raises(InputError, match="engine must be one of local, threads, dask, ray, an"):
        run_experiment(DATA, MODELS, engine=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n_workers is for workers on this computer"):
        DaskEngine("tcp://127.0.0.1:8786", n_workers=2)
    assert all(as_engine(name).name == name for name in ENGINES)


@pytest.mark.parametrize(("engine", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_package_is_named(engine: str, package: str, monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(InputError, match=rf"pip install 'xentexp\[{engine}\]'"):
        run_experiment(DATA, MODELS, engine=engine)
