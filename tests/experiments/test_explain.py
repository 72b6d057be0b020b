"""Explanations beside each fit: importance, segments and the loss of training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from tests.support.records import about, credit_data, example_record, numeric
from xentexp.errors import InputError
from xentexp.experiments import (
    Candidate,
    Card,
    CrossValidation,
    Explain,
    make_dataset,
    run_experiment,
    tabular_pipeline,
)
from xentexp.experiments._explain import feature_groups
from xentexp.experiments._explain.importance import increases, n_chosen
from xentexp.experiments._explain.plan import correlated
from xentexp.experiments._record import ModelRecord, pooled, record_of
from xentexp.experiments._results import ExperimentResult, out_of_fold
from xentexp.experiments._tracking.items import DataInput, result_items
from xentexp.experiments._tracking.runs import log_candidate
from xentexp.experiments._tracking.store import Store
from xentexp.experiments._tracking.stored_record import read_record
from xentexp.experiments.datasets import Dataset
from xentexp.inference import segment_bias
from xentexp.inference._segments import segments_from_sums
from xentexp.tuning import TunedClassifier

MODELS: dict[str, Any] = {
    "logistic": tabular_pipeline(LogisticRegression()),
    "boosting": HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype"),
    "svm": tabular_pipeline(LinearSVC()),
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return credit_data(600)


@pytest.fixture(scope="module")
def result(data: Dataset) -> ExperimentResult:
    return run_experiment(data, MODELS, cv=3, metrics=[], explain=Explain(n_rows=300))


def record(result: ExperimentResult, name: str) -> ModelRecord:
    model = record_of(result, about(result.dataset)).model(name)
    assert model is not None
    return model


def test_by_default_nothing_is_computed(data: Dataset) -> None:
    result = run_experiment(data, {"logistic": MODELS["logistic"]}, cv=3, metrics=[])
    prediction = result.candidate_results[0].predictions[0]
    assert prediction.explanation is None
    assert prediction.explain_seconds == 0.0


def test_increases_are_those_of_permutation_importance() -> None:
    """Mean of scikit-learn's permutation importance, as far as few permutations show it."""
    data = numeric(credit_data(800))
    model = LogisticRegression().fit(data.X[:400], data.y[:400])
    X, y = data.X[400:], data.y[400:].to_numpy()

    def losses_of(X: pd.DataFrame, rows: Any) -> Any:
        return -np.log(model.predict_proba(X)[np.arange(len(X)), y[rows]])

    base = losses_of(X, np.arange(400))
    features = [(i,) for i in range(4)]
    rng = np.random.default_rng(0)
    ours = np.mean([increases(losses_of, X, base, features, rng).mean(0) for _ in range(10)], 0)
    peer = permutation_importance(model, X, y, scoring="neg_log_loss", n_repeats=30, random_state=0)
    error = peer.importances_std / np.sqrt(15.0)  # of the difference of two means of 30
    assert (np.abs(ours - peer.importances_mean) < 4.0 * error).all()
    assert peer.importances_mean[1] > 0.1 > peer.importances_mean[2]  # debt, age


def test_features_of_a_group_are_permuted_together_and_others_stay() -> None:
    n = 40
    X = pd.DataFrame({"a": np.arange(n), "b": -np.arange(n), "c": np.arange(n) * 10.0})
    X["d"] = pd.Categorical(np.where(np.arange(n) % 2, "odd", "even"))
    seen = []

    def losses_of(copies: pd.DataFrame, rows: Any) -> Any:
        assert list(copies) == list(X)
        assert copies.dtypes.tolist() == X.dtypes.tolist()
        assert (copies["a"] == -copies["b"]).all()
        seen.append((copies, rows))
        return copies["a"].to_numpy(float)

    base = X["a"].to_numpy(float)
    found = increases(losses_of, X, base, [(0, 1), (2,), (3,)], np.random.default_rng(0))
    ((copies, rows),) = seen  # one call
    assert len(copies) == 3 * 3 * n
    joint = copies[: 3 * n]
    assert (joint["c"] == rows[: 3 * n] * 10.0).all()
    assert sorted(joint["a"][:n]) == list(range(n))
    assert not (joint["a"][:n] == rows[:n]).all()
    assert (copies["a"][3 * n :] == rows[3 * n :]).all()
    shuffled = joint["a"].to_numpy(float).reshape(3, n).mean(axis=0)
    np.testing.assert_allclose(found[:, 0], shuffled - base)
    assert (found[:, 1:] == 0.0).all()


def test_many_features_are_predicted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts give the same increases as a single call."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 7)))
    features = [(i,) for i in range(7)]

    def losses_of(copies: pd.DataFrame, rows: Any) -> Any:
        return copies.to_numpy().sum(axis=1)

    base = X.to_numpy().sum(axis=1)
    whole = increases(losses_of, X, base, features, np.random.default_rng(0))
    monkeypatch.setattr("xentexp.experiments._explain.importance._CELLS", 2 * 20 * 3 * 7)
    parts = increases(losses_of, X, base, features, np.random.default_rng(0))
    np.testing.assert_array_equal(parts, whole)


def test_number_of_rows() -> None:
    assert n_chosen(2000, 5, 23) == 400
    assert n_chosen(3, 5, 23) == 1
    assert n_chosen(2000, 5, 2000) == 16  # 5 * 16 * 3 * 2,000 = 480,000 predictions


def test_correlated_columns_by_single_linkage() -> None:
    """a, b and c: a and c correlate less than 0.9, but both with b more (scipy)."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    b = -a + 0.35 * rng.normal(size=2000)
    c = np.exp(-b + 0.35 * rng.normal(size=2000))
    X = pd.DataFrame({"a": a, "x": rng.normal(size=2000), "b": b, "c": c, "constant": 1.0})
    X["job"] = pd.Categorical(np.where(a > 0, "yes", "no"))
    rho = np.abs(spearmanr(X[["a", "b", "c"]]).statistic)
    assert rho[0, 1] > 0.9
    assert rho[1, 2] > 0.9
    assert rho[0, 2] < 0.9
    assert correlated(X) == ((0, 2, 3), (1,), (4,), (5,))
    assert correlated(X[["a"]]) == ((0,),)


def test_the_importance_of_a_run(result: ExperimentResult, data: Dataset) -> None:
    table = record(result, "logistic").importance
    assert table is not None
    assert table.groupby("fold").size().tolist() == [100, 100, 100]
    assert list(feature_groups(table).values()) == [(str(name),) for name in data.X]
    increase = table[list(feature_groups(table))].mean()
    assert increase['["debt"]'] > 0.1
    assert increase['["income"]'] > 0.1
    assert abs(increase[['["age"]', '["limit"]', '["job"]']]).max() < 0.02
    predicted = out_of_fold(result.candidate_results[0], data)
    assert predicted is not None
    oof = pooled(predicted)
    place = {row: i for i, row in enumerate(oof.rows.tolist())}
    of_row = oof.proba[
        [place[row] for row in table["row"]], oof.codes[[place[r] for r in table["row"]]]
    ]
    np.testing.assert_allclose(table["loss"], -np.log(of_row), rtol=1e-12)
    assert set(table["loss_name"]) == {"categorical_crossentropy"}


def test_all_models_have_the_same_rows(result: ExperimentResult) -> None:
    tables = [record(result, name).importance for name in ("logistic", "boosting")]
    assert tables[0] is not None
    assert tables[1] is not None
    assert tables[0]["row"].tolist() == tables[1]["row"].tolist()


def test_a_model_without_probabilities(result: ExperimentResult, data: Dataset) -> None:
    """The log loss does not apply; with a primary loss that applies there is an importance."""
    svm = record(result, "svm")
    assert (svm.importance, svm.segments, svm.train_values) == (None, None, {})
    assert svm.warnings == ()
    hinge = run_experiment(
        data, MODELS, cv=3, metrics=[], primary="hinge_loss", explain=Explain(n_rows=90)
    )
    svm = record(hinge, "svm")
    assert svm.importance is not None
    assert set(svm.importance["loss_name"]) == {"hinge_loss"}
    assert list(svm.train_values) == ["hinge_loss"]
    assert svm.segments is None
    boosting = record(hinge, "boosting")
    assert boosting.importance is not None
    assert boosting.segments is not None


def test_segments_of_a_run_are_those_of_all_rows(result: ExperimentResult, data: Dataset) -> None:
    model = record(result, "boosting")
    assert model.segments is not None
    assert model.predictions is not None
    stored = segments_from_sums(model.segments, data.classes)
    oof = pooled(model.predictions)
    whole = segment_bias(oof.y, oof.proba, data.X.iloc[oof.rows])
    assert [s.name for s in stored] == [s.name for s in whole]
    for a, b in zip(stored, whole, strict=True):
        assert (a.n_rows, a.events) == (b.n_rows, b.events)
        for name in ("predicted", "observed", "low", "high", "loss"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), abs=1e-12)


def test_losses_of_training_rows_are_those_of_scikit_learn(
    result: ExperimentResult, data: Dataset
) -> None:
    whole = run_experiment(
        data, {"logistic": MODELS["logistic"]}, cv=3, metrics=[], explain=Explain(n_rows=600)
    )
    values = record(whole, "logistic").train_values["categorical_crossentropy"]
    for fold, value in zip(whole.folds, values, strict=True):
        X, y = data.X.iloc[fold.train], data.y.iloc[fold.train]
        model = tabular_pipeline(LogisticRegression()).fit(X, y)
        assert value == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-10)
    sampled = record(result, "logistic").train_values["categorical_crossentropy"]
    assert sampled == pytest.approx(values, rel=0.1)
    assert sampled != values


def test_other_models_change_nothing(result: ExperimentResult, data: Dataset) -> None:
    models = {"logistic": MODELS["logistic"]}
    again = run_experiment(data, models, cv=3, metrics=[], explain=Explain(n_rows=300))
    one, two = record(result, "logistic"), record(again, "logistic")
    assert one.importance is not None
    assert one.segments is not None
    assert one.importance.equals(two.importance)
    assert one.segments.equals(two.segments)
    assert one.train_values == two.train_values


def test_entities_and_weights_are_kept() -> None:
    data = numeric(credit_data(300))
    data = make_dataset(
        data.X,
        data.y,
        Card("credit", title="", source=""),
        groups=pd.Series(np.arange(300) // 3),
        sample_weight=np.linspace(1.0, 2.0, 300),
    )
    result = run_experiment(
        data,
        {"logistic": LogisticRegression()},
        CrossValidation("grouped", n_splits=3),
        metrics=[],
        explain=Explain(n_rows=90),
    )
    model = record(result, "logistic")
    assert model.importance is not None
    assert model.segments is not None
    assert model.importance["group"].tolist() == (model.importance["row"] // 3).tolist()
    weight = np.linspace(1.0, 2.0, 300)[model.importance["row"]]
    assert model.importance["sample_weight"].tolist() == weight.tolist()
    whole = model.segments[model.segments["column"] == "age"]
    assert whole["n_groups"].sum() < whole["n_rows"].sum()
    assert whole["weight"].sum() == pytest.approx(450.0)


class PredictsOnce(ClassifierMixin, BaseEstimator):
    """Raises an error from the second prediction on."""

    def fit(self, X: Any, y: Any) -> PredictsOnce:
        self.classes_, self.calls_ = np.unique(y), 0
        return self

    def predict_proba(self, X: Any) -> Any:
        self.calls_ += 1
        if self.calls_ > 1:
            raise MemoryError("too many rows\nsecond line")
        return np.full((len(X), 2), 0.5)


def test_a_failure_is_a_warning() -> None:
    data = numeric(credit_data(200))
    result = run_experiment(data, {"once": PredictsOnce()}, cv=2, metrics=[], explain=Explain())
    item = result.candidate_results[0]
    assert item.error is None
    assert item.warnings == {
        "importance could not be computed: too many rows": 2,
        "the loss of training rows could not be computed: too many rows": 2,
    }
    assert record(result, "once").importance is None
    assert record(result, "once").segments is not None


def test_searches_and_variants_and_test_rows() -> None:
    """A variant has segments of its own predictions; the fit on all rows is not explained."""
    data = numeric(credit_data(200))
    tuned = TunedClassifier(LogisticRegression(), {"C": [0.01, 1.0]}, n_trials=2, cv=2)
    strong = Candidate(
        "boosting",
        HistGradientBoostingClassifier(max_iter=3),
        variants={"other": {"verbose": 0}},
    )
    result = run_experiment(
        data, [Candidate("tuned", tuned), strong], cv=2, metrics=[], explain=Explain(n_rows=50)
    )
    assert [item.error for item in result.candidate_results] == [None] * 3
    assert record(result, "tuned").importance is not None
    variant = record(result, "other")
    assert variant.importance is None
    assert variant.segments is not None
    assert variant.train_values == {}


def test_bad_arguments(data: Dataset) -> None:
    with pytest.raises(InputError, match=r"explain must be an Explain or None; got True"):
        run_experiment(data, MODELS, explain=True)
    with pytest.raises(InputError, match="n_rows must be an integer >= 1; got 0"):
        Explain(n_rows=0)
    with pytest.raises(InputError, match="importance must be True or False; got 1"):
        Explain(importance=1)


def test_the_store_returns_what_a_run_computed(result: ExperimentResult, workplace: Path) -> None:
    store = Store(None, "trial", primary="categorical_crossentropy", description="")
    data = DataInput("credit", "0123456789abcdef", "{}", "{}")
    tags = {"xentexp.primary": "categorical_crossentropy"}
    with store.run("comparison", {**tags, "xentexp.kind": "comparison"}) as parent:
        runs = {
            item.candidate.name: log_candidate(
                store,
                item,
                {},
                data,
                out_of_fold(item, result.dataset),
                "",
                {**tags, "xentexp.kind": "candidate"},
                parent,
            )
            for item in result.candidate_results
        }
        store.log(parent, result_items(result))
    read = read_record(store.client, store.uri, "trial", None)
    for name in runs:
        model, stored = record(result, name), read.model(name)
        assert stored is not None
        assert dict(stored.train_values) == dict(model.train_values)
        for ours, theirs in (
            (model.importance, stored.importance),
            (model.segments, stored.segments),
        ):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                pd.testing.assert_frame_equal(ours, theirs)
    assert "train" not in read.board.rows[0].mean
    seconds = store.client.get_run(runs["boosting"]).data.metrics["time/explain_seconds"]
    assert seconds > 0.0
    files = list((workplace / "mlartifacts").rglob("explanations/*.parquet"))
    assert len(files) == 4
    assert max(file.stat().st_size for file in files) < 60_000


def test_values_of_single_rows_are_not_stored_as_segments() -> None:
    rng = np.random.default_rng(0)
    n = 90
    X = pd.DataFrame(
        {
            "customer": pd.Categorical([f"K{i:03}" for i in range(n)]),
            "delay": [*rng.integers(0, 2, n - 3), 5, 6, 7],
        }
    )
    data = make_dataset(X, rng.integers(0, 2, n), Card("d", title="d", source="made"))
    models = {"prior": DummyClassifier()}
    record = example_record(data, models, cv=3, explain=Explain(importance=False))
    found = record.model("prior")
    assert found is not None
    assert found.segments is not None
    names = set(zip(found.segments["column"], found.segments["label"], strict=True))
    assert names == {("customer", "other"), ("delay", "0"), ("delay", "1"), ("delay", "other")}
