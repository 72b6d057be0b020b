"""Weights and labelled test rows: equal to direct computations with scikit-learn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import TimeSeriesSplit
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tests.support.stores import RESULTS_ONLY, client
from xentexp.errors import InputError
from xentexp.estimators import LinearLossClassifier
from xentexp.experiments import (
    Candidate,
    Card,
    CrossValidation,
    Dataset,
    load_dataset,
    make_dataset,
    run_experiment,
    tabular_pipeline,
)
from xentexp.experiments._analysis import calibration_of
from xentexp.experiments._cli import main
from xentexp.experiments._folds import Fold, fold_of_test_set
from xentexp.experiments._results import out_of_fold, out_of_test_set
from xentexp.experiments.datasets import TestSet, load_table
from xentexp.metrics import expected_calibration_error
from xentexp.tuning import TunedClassifier

RNG = np.random.default_rng(0)
CARD = Card("made")


def rows(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = RNG.normal(size=(n, 3))
    y = (X[:, 0] + RNG.normal(size=n) > 0).astype(int)
    return X, y, RNG.integers(0, 5, n) / 2


X, Y, W = rows(240)
X_TEST, Y_TEST, W_TEST = rows(90)
TEST = TestSet(X_TEST, y=Y_TEST, sample_weight=W_TEST)
DATA = make_dataset(X, Y, CARD, sample_weight=W, test=TEST)


def result_of(model: Any, data: Dataset = DATA, **arguments: Any) -> Any:
    [candidate_result] = run_experiment(data, {"model": model}, cv=3, **arguments).candidate_results
    assert candidate_result.error is None
    return candidate_result


def expected_scores(y: Any, p: Any, w: Any) -> dict[str, float]:
    """Values of scikit-learn, with weights."""
    return {
        "categorical_crossentropy": log_loss(y, p, sample_weight=w, labels=[0, 1]),
        "brier_loss": brier_score_loss(y, p[:, 1], sample_weight=w),
        "roc_auc": roc_auc_score(y, p[:, 1], sample_weight=w),
        "zero_one_loss": float(np.average(p.argmax(axis=1) != y, weights=w)),
    }


def test_folds_and_test_rows_are_those_of_weighted_fits_and_scores_of_sklearn() -> None:
    folds = CrossValidation(n_splits=3).folds(DATA)
    result = result_of(LogisticRegression())
    values = result.fold_values()
    for number, fold in enumerate(folds):
        model = LogisticRegression().fit(X[fold.train], Y[fold.train], sample_weight=W[fold.train])
        p = model.predict_proba(X[fold.test])
        for name, value in expected_scores(Y[fold.test], p, W[fold.test]).items():
            assert values[name][number] == pytest.approx(value, rel=0, abs=1e-12), name
        # The prior of the skill is that of the weighted training rows.
        prior = np.average(Y[fold.train], weights=W[fold.train])
        null = log_loss(
            Y[fold.test], np.full((len(p), 2), [1 - prior, prior]), sample_weight=W[fold.test]
        )
        d2 = 1 - log_loss(Y[fold.test], p, sample_weight=W[fold.test]) / null
        assert values["d2_categorical_crossentropy"][number] == pytest.approx(d2, abs=1e-12)
    p = LogisticRegression().fit(X, Y, sample_weight=W).predict_proba(X_TEST)
    for name, value in expected_scores(Y_TEST, p, W_TEST).items():
        assert result.test[name] == pytest.approx(value, rel=0, abs=1e-12), name
    loss = -np.log(p[np.arange(90), Y_TEST])
    deviation = W_TEST * (loss - np.average(loss, weights=W_TEST))
    error = np.sqrt(90 / 89 * (deviation**2).sum()) / W_TEST.sum()  # formula of LossState
    assert result.test.standard_error["categorical_crossentropy"] == pytest.approx(error, abs=1e-12)


def test_the_mean_standard_error_is_that_of_the_weighted_rows_of_all_folds() -> None:
    result = result_of(LogisticRegression())
    table = out_of_fold(result, DATA).to_frame().sort_values("row")
    np.testing.assert_array_equal(table["sample_weight"], W)
    p = table[["proba_0", "proba_1"]].to_numpy()
    loss = -np.log(p[np.arange(len(p)), table["y"]])
    mean = np.average(loss, weights=W)
    error = np.sqrt(240 / 239 * ((W * (loss - mean)) ** 2).sum()) / W.sum()
    assert result.standard_error()["categorical_crossentropy"] == pytest.approx(error, abs=1e-12)
    tested = out_of_test_set(result, DATA).to_frame()
    np.testing.assert_array_equal(tested["sample_weight"], W_TEST)
    np.testing.assert_array_equal(tested["y"], Y_TEST)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        tabular_pipeline(CalibratedClassifierCV(LinearSVC(), ensemble=False)),
        LinearLossClassifier("brier_loss"),
        TunedClassifier(LogisticRegression(), {"C": [0.1, 1.0]}, n_trials=2, random_state=0),
        DummyClassifier(),
    ],
    ids=["pipeline", "calibrated", "brier_loss", "tuned", "prior"],
)
def test_weights_change_the_scores_unless_all_are_one(model: Any) -> None:
    weighted = result_of(model, losses=["brier_loss"], metrics=[], primary="brier_loss")
    plain = make_dataset(X, Y, CARD, test=TestSet(X_TEST, y=Y_TEST))
    without = result_of(model, plain, losses=["brier_loss"], metrics=[], primary="brier_loss")
    assert abs(weighted.mean()["brier_loss"] - without.mean()["brier_loss"]) > 1e-5
    ones = make_dataset(
        X,
        Y,
        CARD,
        sample_weight=np.ones(240),
        test=dataclasses.replace(TEST, sample_weight=[1] * 90),
    )
    same = result_of(model, ones, losses=["brier_loss"], metrics=[], primary="brier_loss")
    assert same.mean()["brier_loss"] == pytest.approx(without.mean()["brier_loss"], abs=1e-6)
    assert same.test["brier_loss"] == pytest.approx(without.test["brier_loss"], abs=1e-6)


def test_a_search_gets_the_weights_of_fits_and_scores() -> None:
    space = {"C": [0.01, 1.0]}
    model = TunedClassifier(LogisticRegression(), space, n_trials=2, random_state=0)
    result = result_of(model)
    [fold, *_] = CrossValidation(n_splits=3).folds(DATA)
    direct = TunedClassifier(LogisticRegression(), space, n_trials=2, random_state=0)
    direct.fit(X[fold.train], Y[fold.train], sample_weight=W[fold.train])
    ours = [trial["value"] for trial in result.predictions[0].trials]
    assert ours == pytest.approx([trial["value"] for trial in direct.trials_], abs=1e-12)


def test_a_model_without_weights_is_recorded_and_the_others_finish() -> None:
    models = {"neighbours": KNeighborsClassifier(), "prior": DummyClassifier()}
    failed, prior = run_experiment(DATA, models, cv=3).candidate_results
    assert failed.error == (
        "fold 0: KNeighborsClassifier does not accept sample weights: its fit must have the "
        "parameter sample_weight; leave out the model or the weights"
    )
    assert prior.error is None


def test_the_calibration_of_a_loss_matrix_is_weighted() -> None:
    result = result_of(
        DummyClassifier(strategy="uniform"), losses=["brier_loss"], primary="brier_loss"
    )
    shifts, errors = [], []
    for prediction in result.predictions:
        test = prediction.fold.test
        shifts.append(0.5 - np.average(Y[test], weights=W[test]))
        errors.append(expected_calibration_error(Y[test], prediction.proba, sample_weight=W[test]))
    calibration = calibration_of(out_of_fold(result, DATA))
    assert calibration.shift[1] == pytest.approx(np.mean(shifts), abs=1e-12)
    assert calibration.ece == pytest.approx(np.mean(errors), abs=1e-12)


def test_regret_is_weighted() -> None:
    data = load_dataset("simulated_delinquency", n_samples=300)
    weight = np.r_[np.zeros(150), np.ones(150)]
    half = dataclasses.replace(data, sample_weight=weight)
    fold = Fold(0, 0, np.arange(0, 300, 2), np.arange(1, 300, 2))
    [result] = run_experiment(half, {"prior": DummyClassifier()}, [fold]).candidate_results
    rows = fold.test[fold.test >= 150]
    truth = data.true_proba[rows]
    p = np.bincount(data.y.to_numpy()[fold.train[fold.train >= 150]], minlength=3) / 75
    expected = ((truth - p) ** 2).sum(axis=1).mean()  # regret of the Brier loss
    assert result.regret()["brier_loss"] == pytest.approx(expected, abs=1e-12)


def test_a_part_of_a_fold_without_weight_is_refused_before_the_fits() -> None:
    weight = np.where(np.arange(240) < 80, 0.0, 1.0)
    data = make_dataset(X, Y, CARD, sample_weight=weight)
    fold = Fold(0, 0, np.arange(80, 240), np.arange(80))
    with pytest.raises(InputError, match="in the test part of fold 0 all are 0"):
        run_experiment(data, {"prior": DummyClassifier()}, [fold])


def test_a_class_without_weight_in_training_gives_numbers() -> None:
    weight = np.where(Y == 1, 0.0, 1.0)
    weight[:3] = 1.0  # some rows of class 1 have weight, in some folds
    data = make_dataset(X, Y, CARD, sample_weight=weight)
    result = result_of(DummyClassifier(), data)
    assert np.isfinite(result.fold_values()["brier_loss"]).all()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0, -1.0, 1.0], r"weights must be finite numbers >= 0; got -1.0 in row 1 \(counted"),
        ([1.0, None, 1.0], "got a missing value in row 1"),
        ([1.0, 1.0, np.inf], "got inf in row 2"),
        (["1", "x", "2"], "got 'x' in row 1"),
        (pd.Series([0.0, np.nan, 0.0], name="w"), r"weights \(w\) must be finite"),
        ([0, 0, 0], "weights must be positive for at least one row; got only zeros"),
        ([1, 1], "must have the same length; got X 3, y 3, sample_weight 2"),
        ([[1], [1], [1]], "must be one number for each row; got 2 dimensions"),
        ("w", "sample_weight must be a Series or array of numbers"),
    ],
)
def test_invalid_weights_are_refused(weight: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_dataset(np.eye(3), [0, 1, 0], CARD, sample_weight=weight)


def test_digest_and_description_depend_on_weights_and_labelled_test_rows() -> None:
    plain = make_dataset(X, Y, CARD)
    variants = [
        plain,
        make_dataset(X, Y, CARD, sample_weight=W),
        make_dataset(X, Y, CARD, sample_weight=2 * W),
        make_dataset(X, Y, CARD, test=TestSet(X_TEST, y=Y_TEST)),
        make_dataset(X, Y, CARD, test=TestSet(X_TEST, y=1 - Y_TEST)),
        DATA,
    ]
    assert len({data.digest for data in variants}) == len(variants)
    assert make_dataset(X, Y, CARD, test=TestSet(X_TEST)).digest == plain.digest
    assert "weights" not in plain.describe()
    assert DATA.describe()["weights"] == {
        "sum": W.sum(), "min": 0.0, "max": 2.0, "zero": int((W == 0).sum())
    }  # fmt: skip
    assert DATA.describe()["test_labels"] is True


# Test rows


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 3, 4], "job": ["x", "y", "x", None], **columns})


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (TestSet(frame().drop(columns="a")), "missing: 'a'; add or drop"),
        (TestSet(frame(b=1)), "not in the training rows: 'b'; add or drop"),
        (TestSet(frame(a=["1", "q", "2", "3"])), "'a' must contain numbers, .* got 'q' in row 1"),
        (TestSet(frame(), y=[0, 1, 2, 0]), r"labels must be among .* 0, 1; got 2 in row 2"),
        (TestSet(frame(), y=[0, 1, None, 0]), "target must not have missing values; got 1 in 4"),
        (TestSet(frame(), y=[0, 1]), "X, y must have the same length; got X 4, y 2"),
        (TestSet(frame(), y=[0, 1, 0, 1], sample_weight=[1] * 4), "leave out the weights"),
        (TestSet(frame()[:0]), "must have at least one row"),
        (frame(), "test must be a TestSet"),
    ],
)
def test_invalid_test_rows_are_refused(test: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_dataset(frame(), [0, 1, 0, 1], CARD, test=test)


def test_labelled_test_rows_need_weights_if_the_training_rows_have_them() -> None:
    with pytest.raises(InputError, match="labelled test rows must have weights"):
        make_dataset(
            frame(),
            [0, 1, 0, 1],
            CARD,
            sample_weight=[1] * 4,
            test=TestSet(frame(), y=[0, 1, 0, 1]),
        )


def test_test_rows_get_the_types_of_the_training_rows() -> None:
    train = pd.DataFrame({"n": [1, 2, 3], "flag": [True, False, True], "code": ["1", "2", "A"]})
    new = pd.DataFrame({"code": [2, 1, 7], "flag": [5, 300, 1], "n": [1.5, 2.0, 3.0]})
    data = make_dataset(train, ["1", "2", "A"], CARD, test=TestSet(new, y=[2, 1, 2]))
    test = data.test.X
    assert list(test) == ["n", "flag", "code"]
    assert test["code"].tolist() == ["2", "1", "7"]
    assert test["code"].cat.categories.tolist() == ["1", "2", "A", "7"]  # unseen ones last
    assert test["n"].tolist() == [1.5, 2.0, 3.0]  # not rounded to the integers of training
    assert test["flag"].tolist() == [5, 300, 1]  # not wrapped around to int8
    assert data.test.y.tolist() == ["2", "1", "2"]  # numbers where the classes are text


def test_an_unseen_category_and_a_missing_class_are_scored() -> None:
    train = pd.DataFrame({"job": ["x", "y"] * 20, "n": np.arange(40.0)})
    test = TestSet(pd.DataFrame({"job": ["z", "x"], "n": [1.0, np.nan]}), y=["no", "no"])
    data = make_dataset(train, ["no", "yes", "yes", "no"] * 10, CARD, test=test)
    result = result_of(tabular_pipeline(LogisticRegression()), data)
    assert 0 < result.test["categorical_crossentropy"] < np.inf
    assert np.isnan(result.test["roc_auc"])  # one class


def test_a_failed_fit_on_all_rows_keeps_the_values_of_the_folds() -> None:
    class Picky(DummyClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            if len(X) == 240:
                raise RuntimeError("too many rows")
            return super().fit(X, y, sample_weight)

    candidate = Candidate("picky", Picky(), variants={"other": {"strategy": "uniform"}})
    result = run_experiment(DATA, [candidate], cv=3)
    picky, other = result.candidate_results
    assert picky.error is None
    assert picky.test is None
    assert picky.test_error == other.test_error == "RuntimeError: too many rows"
    assert "picky has no scores of the test rows: RuntimeError" in repr(result.leaderboard())


class Sharpened(LogisticRegression):
    """Multiplies decision scores by a factor, which may change after the fit."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = factor

    def predict_proba(self, X: Any) -> np.ndarray:
        p = 1 / (1 + np.exp(-self.factor * super().decision_function(X)))
        return np.stack([1 - p, p], axis=1)


def test_variants_are_scored_on_the_test_rows_too() -> None:
    candidate = Candidate("plain", Sharpened(), variants={"flat": {"factor": 0.0}})
    plain, flat = run_experiment(DATA, [candidate], cv=3).candidate_results
    assert plain.test["brier_loss"] < 0.25
    assert flat.test["brier_loss"] == pytest.approx(0.25, abs=1e-12)


def test_each_model_is_fitted_once_more_whatever_the_number_of_processes() -> None:
    fits: list[str] = []
    once, twice = (
        run_experiment(DATA, {"m": LogisticRegression()}, cv=3, n_jobs=n, on_fold=fits.append)
        for n in (1, 2)
    )
    assert fits == ["m"] * 8
    np.testing.assert_equal(
        [c.test.values for c in once.candidate_results],
        [c.test.values for c in twice.candidate_results],
    )


def test_metadata_routing_reaches_the_processes() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            LogisticRegression().set_fit_request(sample_weight=True),
        )
        [result] = run_experiment(DATA, {"m": model}, cv=2, n_jobs=2).candidate_results
    scaler = StandardScaler().fit(X, sample_weight=W)
    direct = LogisticRegression().fit(scaler.transform(X), Y, sample_weight=W)
    p = direct.predict_proba(scaler.transform(X_TEST))
    assert result.test["categorical_crossentropy"] == pytest.approx(
        log_loss(Y_TEST, p, sample_weight=W_TEST), abs=1e-12
    )


def test_all_rows_stay_in_time_order_for_folds_in_time_order() -> None:
    time = RNG.permutation(np.repeat(np.arange(80), 3))
    data = make_dataset(
        pd.DataFrame({"t": time, "x": X[:, 0]}),
        Y,
        CARD,
        test=TestSet(pd.DataFrame({"t": [1], "x": [0.0]}), y=[1]),
    )
    folds = CrossValidation("time_ordered", n_splits=4, time_column="t").folds(data)
    fold = fold_of_test_set(data, folds)
    assert sorted(fold.train) == list(range(240))
    assert (np.diff(time[fold.train]) >= 0).all()
    assert len(list(TimeSeriesSplit(4).split(fold.train))) == 4
    stratified = fold_of_test_set(data, CrossValidation(n_splits=3).folds(data))
    np.testing.assert_array_equal(stratified.train, np.arange(240))


# Files and the command line


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, (features, y, w) in {"train": (X, Y, W), "test": (X_TEST, Y_TEST, W_TEST)}.items():
        table = pd.DataFrame(features, columns=["a", "b", "c"])
        table = table.assign(id=np.arange(len(y)) * 3, w=w, bad=np.where(y, "yes", "no"))
        table.to_csv(f"{name}.csv", index=False)
    table.drop(columns=["bad", "w"]).to_csv("unlabelled.csv", index=False)
    table.assign(bad=None).to_csv("empty.csv", index=False)
    table.drop(columns="w").to_csv("unweighted.csv", index=False)
    return tmp_path


def test_a_table_reads_weights_and_test_rows(files: Path) -> None:
    data = load_table("train.csv", "bad", drop=["id"], weight="w", test="test.csv")
    assert list(data.X) == list(data.test.X) == ["a", "b", "c"]
    np.testing.assert_array_equal(data.sample_weight, W)
    np.testing.assert_array_equal(data.test.sample_weight, W_TEST)
    assert data.test.y.tolist() == np.where(Y_TEST, "yes", "no").tolist()
    for name in ("unlabelled.csv", "empty.csv"):
        data = load_table("train.csv", "bad", drop=["id"], weight="w", test=name)
        assert data.test.y is None
        assert data.test.index_name == "id"
        assert data.test.index.tolist() == (np.arange(90) * 3).tolist()
        assert data.test.columns == ("no", "yes")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": "W"}, "unknown column of train.csv 'W'; did you mean 'w'"),
        ({"weight": "bad"}, "target must not be in weight; got 'bad' in both"),
        ({"weight": "w", "group": "w"}, "group must not be in weight; got 'w' in both"),
        ({"weight": "w", "test": "unweighted.csv"}, r"\(test\): the file must have the weight"),
        ({"test": "train.csv"}, "test must be another file than path"),
        ({"test": "nothing.csv"}, "nothing.csv does not exist"),
        ({"drop": ["nothing"], "test": "test.csv"}, "unknown column of train.csv 'nothing'"),
        ({"test": "unlabelled.csv"}, "missing: 'w'"),
    ],
)
def test_columns_of_a_table_that_do_not_fit_are_named(
    arguments: dict[str, Any], message: str, files: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load_table("train.csv", "bad", **arguments)


def test_rare_classes_and_row_numbers_are_left_out_of_test_rows_too(files: Path) -> None:
    n = 120
    label = np.sort(RNG.choice(["a", "b"], n))  # the row number orders the target
    label[[0, 50, 90]] = "c"
    label[[3, 4]] = "d"
    table = pd.DataFrame({"number": np.arange(n), "x": RNG.normal(size=n), "y": label, "w": 1.0})
    table.to_csv("sorted.csv", index=False)
    test = table.drop(columns="number")[::10].assign(y=["a", "b", "c", "d"] * 3)
    test.to_csv("new.csv", index=False)
    dropped = load_table("sorted.csv", "y", rare="drop", weight="w", test="new.csv")
    assert list(dropped.X) == list(dropped.test.X) == ["x"]
    assert len(dropped.y) == len(dropped.sample_weight) == n - 5
    assert dropped.test.y.tolist() == ["a", "b"] * 3
    assert len(dropped.test.sample_weight) == 6
    joined = load_table("sorted.csv", "y", rare="join", weight="w", test="new.csv")
    assert joined.test.y.tolist() == ["a", "b", "other", "other"] * 3


def run(*words: str) -> int:
    table = ["dataset=table", "dataset.path=train.csv", "dataset.target=bad", "dataset.drop=[id]"]
    return main(["run", *table, "n_jobs=1", *RESULTS_ONLY, *words])


def test_a_run_shows_logs_and_reads_back_the_scores_of_test_rows(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["dataset.weight=w", "dataset.test=test.csv", "models=[prior,logistic]"]
    assert run("--json", *options) == 0
    document = json.loads(capsys.readouterr().out)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    p = model.fit(X, Y, logisticregression__sample_weight=W).predict_proba(X_TEST)
    [best, prior] = document["leaderboard"]
    assert best["model"] == "logistic"
    for name, value in expected_scores(Y_TEST, p, W_TEST).items():
        assert best["test"][name] == pytest.approx(value, abs=1e-9)
    assert best["test_standard_error"]["brier_loss"] > 0
    rate = np.average(Y, weights=W)
    expected = log_loss(Y_TEST, np.full((90, 2), [1 - rate, rate]), sample_weight=W_TEST)
    assert prior["test"]["categorical_crossentropy"] == pytest.approx(expected, abs=1e-12)
    assert main(["leaderboard", "--json"]) == 0
    stored = json.loads(capsys.readouterr().out)["leaderboard"]
    assert stored[0]["test"] == pytest.approx(best["test"], nan_ok=True)
    assert main(["leaderboard", "--losses", "brier_loss"]) == 0
    assert "test/brier_loss" in capsys.readouterr().out

    [child] = [
        r
        for r in client().search_runs([document["experiment_id"]])
        if r.data.tags.get("model") == "logistic"
    ]
    assert child.data.metrics["test/roc_auc"] == pytest.approx(best["test"]["roc_auc"])
    assert child.data.params["dataset.weight"] == "w"
    path = client().download_artifacts(child.info.run_id, "predictions/test.parquet")
    tested = pd.read_parquet(path)
    np.testing.assert_allclose(tested["proba_yes"], p[:, 1], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(tested["sample_weight"], W_TEST)
    note = client().get_run(document["run_id"]).data.tags["mlflow.note.content"]
    assert "test/brier_loss" in note


def test_test_rows_without_labels_are_for_a_submission(files: Path) -> None:
    options = ["dataset.weight=w", "dataset.test=unlabelled.csv", "models=[logistic]"]
    assert run("--quiet", *options, "submission=sub.csv") == 0
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    p = model.fit(X, Y, logisticregression__sample_weight=W).predict_proba(X_TEST)
    written = pd.read_csv("sub.csv")
    assert list(written) == ["id", "no", "yes"]
    assert written["id"].tolist() == (np.arange(90) * 3).tolist()
    np.testing.assert_allclose(written[["no", "yes"]], p, rtol=0, atol=1e-9)


@pytest.mark.parametrize("value", [-1, None])
def test_a_run_with_invalid_weights_names_the_row(
    value: float | None, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv("train.csv")
    table.loc[4, "w"] = value
    table.to_csv("train.csv", index=False)
    assert run("dataset.weight=w", "models=[prior]") == 2
    assert "in row 4 (counted from 0)" in capsys.readouterr().err
    assert not Path("mlflow.db").exists()
