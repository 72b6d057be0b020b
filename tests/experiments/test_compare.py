"""run_experiment: equal to scikit-learn, reproducible, with reasons for failed models."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import LinearSVC

from xentexp.errors import InputError
from xentexp.experiments._compare import run_experiment
from xentexp.experiments._folds import CrossValidation, Fold
from xentexp.experiments._models import tabular_pipeline
from xentexp.experiments._results import Candidate, out_of_fold
from xentexp.experiments.datasets import Card, Dataset, load_dataset, make_dataset
from xentexp.losses import LOSSES

DACON = Path(
    os.environ.get("XENTEXP_DACON_DIR")
    or Path(__file__).parents[3] / "shared" / "data" / "dacon_235713"
)
CARD = Card(
    name="made",
    title="made up",
    source="this test",
    licence="-",
    target="y",
    traps=(),
    reference=None,
)


class Failing(ClassifierMixin, BaseEstimator):
    """Fails when it is fitted."""

    def fit(self, X: object, y: object) -> None:
        raise RuntimeError("no good\nsecond line")


class Noisy(DummyClassifier):
    """Warns when it is fitted."""

    def fit(self, X: object, y: object, sample_weight: object = None) -> Noisy:
        warnings.warn("slow convergence", UserWarning, stacklevel=1)
        return super().fit(X, y)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return load_dataset("simulated_delinquency", n_samples=900)


def candidate(name: str, classifier: object, preprocessing: str = "scaled") -> Candidate:
    return Candidate(name, tabular_pipeline(classifier, preprocessing))


LOGISTIC = candidate("logistic", LogisticRegression(max_iter=500))
PRIOR = candidate("prior", DummyClassifier(strategy="prior"), "none")
SVM = candidate("svm", LinearSVC(C=0.01))


def test_fold_losses_are_those_of_cross_val_score(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3, seed=5).folds(data)
    result = run_experiment(data, [LOGISTIC], folds)
    ours = result.candidate_results[0].fold_losses()
    splitter = StratifiedKFold(3, shuffle=True, random_state=5)
    peer = cross_val_score(LOGISTIC.estimator, data.X, data.y, scoring="neg_log_loss", cv=splitter)
    np.testing.assert_allclose(ours["categorical_crossentropy"], -peer, rtol=1e-12)
    peer = cross_val_score(LOGISTIC.estimator, data.X, data.y, scoring="accuracy", cv=splitter)
    np.testing.assert_allclose(ours["zero_one_loss"], 1 - peer, rtol=1e-12)


def test_mean_and_spread_are_those_of_the_folds(data: Dataset) -> None:
    result = run_experiment(data, [LOGISTIC], CrossValidation(n_splits=3).folds(data))
    candidate_result = result.candidate_results[0]
    folds = candidate_result.fold_losses()["brier_loss"]
    assert candidate_result.mean()["brier_loss"] == pytest.approx(np.mean(folds), abs=1e-15)
    assert candidate_result.std()["brier_loss"] == pytest.approx(np.std(folds, ddof=1), abs=1e-15)
    assert candidate_result.pooled().n_rows == 900


@pytest.mark.slow
def test_two_runs_give_identical_numbers_whatever_the_processes(data: Dataset) -> None:
    def numbers(n_jobs: int) -> list[dict[str, float]]:
        folds = CrossValidation(n_splits=3, seed=2).folds(data)
        result = run_experiment(data, [PRIOR, LOGISTIC, SVM], folds, n_jobs=n_jobs)
        return [candidate_result.mean() for candidate_result in result.candidate_results]

    once = numbers(1)
    np.testing.assert_equal(numbers(1), once)
    np.testing.assert_equal(numbers(2), once)


def test_out_of_fold_predictions_hold_each_row_once_per_repeat(data: Dataset) -> None:
    folds = CrossValidation("repeated", n_splits=3, n_repeats=2).folds(data)
    result = run_experiment(data, [LOGISTIC], folds)
    predictions = out_of_fold(result.candidate_results[0], data)
    assert predictions is not None
    table = predictions.to_frame()
    assert list(table.columns) == [
        "row", "repeat", "fold", "y", "proba_0", "proba_1", "proba_2",
        "decision_0", "decision_1", "decision_2",
    ]  # fmt: skip
    assert sorted(table.loc[table["repeat"] == 1, "row"]) == list(range(900))
    assert (table["y"].to_numpy() == data.y.to_numpy()[table["row"]]).all()
    model = LOGISTIC.estimator.fit(data.X.iloc[folds[0].train], data.y.iloc[folds[0].train])
    first = table[(table["repeat"] == 0) & (table["fold"] == 0)]
    expected = model.predict_proba(data.X.iloc[first["row"]])[:, 2]
    np.testing.assert_array_equal(first["proba_2"], expected)


def test_a_failing_model_is_named_with_its_reason_and_the_others_finish(data: Dataset) -> None:
    names: list[str] = []
    result = run_experiment(
        data,
        [Candidate("failing", Failing()), PRIOR],
        CrossValidation(n_splits=3).folds(data),
        on_result=lambda candidate_result: names.append(candidate_result.candidate.name),
    )
    failing, prior = result.candidate_results
    assert failing.error == "fold 0: RuntimeError: no good"
    assert "second line" in failing.traceback
    assert failing.mean() == {}
    assert prior.error is None
    assert names == ["failing", "prior"]
    assert [row.model for row in result.leaderboard().ranked()] == ["prior", "failing"]


class Exiting(Failing):
    """Calls sys.exit() with a code."""

    def __init__(self, code: int = 0) -> None:
        self.code = code

    def fit(self, X: object, y: object) -> None:
        raise SystemExit(self.code)


@pytest.mark.parametrize("engine", ["local", "threads"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_model_that_exits_has_failed(data: Dataset, engine: str, n_jobs: int) -> None:
    models = [Candidate("exiting", Exiting(5)), PRIOR]
    folds = CrossValidation(n_splits=3).folds(data)
    exiting, prior = run_experiment(
        data, models, folds, engine=engine, n_jobs=n_jobs
    ).candidate_results
    assert exiting.error == "fold 0: SystemExit: 5"
    assert prior.error is None


def test_the_exit_of_a_signal_is_no_failed_fit(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    with pytest.raises(SystemExit, match="143"):
        run_experiment(data, [Candidate("exiting", Exiting(143))], folds)


class Dying(ClassifierMixin, BaseEstimator):
    """Ends its process, as a crash in a library does."""

    def fit(self, X: object, y: object) -> None:
        os._exit(1)


@pytest.mark.slow
def test_a_crashed_process_does_not_stop_the_other_models(data: Dataset) -> None:
    folds = CrossValidation(n_splits=2).folds(data)
    dying = Candidate("dying", Dying())
    result = run_experiment(data, [dying, PRIOR, LOGISTIC], folds, n_jobs=2)
    assert "the process of the fit ended" in result.candidate_results[0].error
    others = run_experiment(data, [PRIOR, LOGISTIC], folds)
    np.testing.assert_equal(
        [o.mean() for o in result.candidate_results[1:]],
        [o.mean() for o in others.candidate_results],
    )


def test_repeats_are_not_counted_as_more_rows(data: Dataset) -> None:
    def error(kind: str, **options: int) -> float:
        folds = CrossValidation(kind, n_splits=3, **options).folds(data)
        candidate_result = run_experiment(data, [LOGISTIC], folds).candidate_results[0]
        return candidate_result.standard_error()["brier_loss"]

    assert error("repeated", n_repeats=8) == pytest.approx(error("stratified"), rel=0.05)


def test_one_fold_has_no_spread(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)[:1]
    candidate_result = run_experiment(data, [PRIOR], folds).candidate_results[0]
    assert math.isnan(candidate_result.std()["brier_loss"])
    with pytest.raises(InputError, match="cv must contain at least one fold"):
        run_experiment(data, [PRIOR], [])


def test_warnings_of_fits_are_counted(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    noisy = candidate("noisy", Noisy(strategy="prior"), "none")
    result = run_experiment(data, [noisy], folds)
    assert result.candidate_results[0].warnings == {"UserWarning: slow convergence": 3}


def test_decision_scores_get_the_losses_that_apply(data: Dataset) -> None:
    result = run_experiment(data, [SVM], CrossValidation(n_splits=3).folds(data))
    (candidate_result,) = result.candidate_results
    assert {"zero_one_loss", "categorical_hinge"} <= set(candidate_result.fold_losses())
    assert all(
        LOSSES[name].properties.response != "predict_proba"
        for name in candidate_result.fold_losses()
    )
    metrics = set(candidate_result.mean()) - set(candidate_result.fold_losses())
    assert metrics == {"roc_auc", "gini", "balanced_zero_one_loss"}
    assert result.leaderboard().best() is None


def test_metrics_of_a_sample_are_those_of_each_test_part(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3, seed=5).folds(data)
    (candidate_result,) = run_experiment(data, [LOGISTIC], folds).candidate_results
    values = candidate_result.fold_values()
    splitter = StratifiedKFold(3, shuffle=True, random_state=5)
    peer = cross_val_score(LOGISTIC.estimator, data.X, data.y, scoring="roc_auc_ovr", cv=splitter)
    np.testing.assert_allclose(values["roc_auc"], peer, rtol=1e-12)
    assert candidate_result.mean()["roc_auc"] == pytest.approx(np.mean(peer), rel=1e-12)
    assert candidate_result.std()["roc_auc"] == pytest.approx(np.std(peer, ddof=1), rel=1e-10)
    assert set(values) - set(candidate_result.fold_losses()) == {
        "perplexity", "d2_categorical_crossentropy", "d2_brier_loss",
        "balanced_categorical_crossentropy", "balanced_zero_one_loss", "roc_auc", "gini",
        "expected_calibration_error", "maximum_calibration_error", "calibration_slope",
    }  # fmt: skip
    assert "roc_auc" not in candidate_result.standard_error()  # which is over the rows


def test_d2_is_against_the_shares_of_the_training_part(data: Dataset) -> None:
    folds = CrossValidation("grouped", n_splits=3).folds(data)
    prior, logistic = run_experiment(data, [PRIOR, LOGISTIC], folds).candidate_results
    np.testing.assert_allclose(prior.fold_values()["d2_brier_loss"], 0.0, atol=1e-14)
    null = np.array(prior.fold_losses()["categorical_crossentropy"])
    loss = np.array(logistic.fold_losses()["categorical_crossentropy"])
    ours = logistic.fold_values()["d2_categorical_crossentropy"]
    np.testing.assert_allclose(ours, 1 - loss / null, rtol=1e-12)


def test_a_metric_undefined_in_one_fold_has_a_nan_mean(data: Dataset) -> None:
    y = data.y.to_numpy()
    two = np.flatnonzero(y < 2)
    folds = [
        Fold(0, 0, train=np.arange(0, 900, 2), test=np.arange(1, 900, 2)),
        Fold(0, 1, train=np.arange(1, 900, 2), test=two[two % 2 == 0]),  # lacks the third class
    ]
    prior, logistic = run_experiment(data, [PRIOR, LOGISTIC], folds).candidate_results
    first, second = logistic.fold_values()["gini"]
    assert first > 0
    assert math.isnan(second)
    assert math.isnan(logistic.mean()["gini"])
    assert math.isnan(prior.mean()["calibration_slope"])  # its predictions are constant
    assert prior.mean()["d2_brier_loss"] == pytest.approx(0, abs=1e-14)
    rows = run_experiment(data, [PRIOR], folds).leaderboard().to_records()
    assert rows[0]["mean"]["gini"] is None


def test_a_metric_of_a_sample_can_rank(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    options = {"losses": ["brier_loss"], "metrics": ["gini"], "primary": "gini"}
    result = run_experiment(data, [PRIOR, SVM, LOGISTIC], folds, **(options | {"losses": None}))
    assert result.leaderboard().best().model in ("logistic", "svm")
    assert result.leaderboard().ranked()[-1].model == "prior"
    result = run_experiment(data, [PRIOR], folds, **options)
    assert set(result.candidate_results[0].mean()) == {"brier_loss", "gini"}


def test_only_the_named_losses_are_computed(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    result = run_experiment(
        data,
        [PRIOR, SVM],
        folds,
        losses=["brier_loss", "categorical_hinge"],
        metrics=[],
        primary="brier_loss",
    )
    assert set(result.candidate_results[0].mean()) == {"brier_loss"}
    assert set(result.candidate_results[1].mean()) == {"categorical_hinge"}


def test_a_class_missing_in_training_gives_the_clipped_loss_and_not_nan() -> None:
    X = pd.DataFrame({"a": np.arange(6.0)})
    y = pd.Series(["a", "a", "b", "b", "c", "c"])
    data = make_dataset(X, y, CARD)
    folds = [
        Fold(0, 0, train=np.arange(4), test=np.array([4, 5])),
        Fold(0, 1, train=np.array([0, 2, 4]), test=np.array([1, 3, 5])),
    ]
    losses = run_experiment(data, [PRIOR], folds).candidate_results[0].fold_losses()
    # -log(2.220446049250313e-16), the machine epsilon of float64
    assert losses["categorical_crossentropy"][0] == pytest.approx(36.04365338911715, rel=1e-14)
    assert losses["categorical_crossentropy"][1] == pytest.approx(math.log(3), rel=1e-14)


def test_regret_is_the_divergence_from_the_true_probabilities(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    candidate_result = run_experiment(data, [PRIOR], folds).candidate_results[0]
    by_hand = []
    for fold in folds:
        share = np.bincount(data.y.to_numpy()[fold.train]) / len(fold.train)
        truth = data.true_proba[fold.test]
        by_hand.append((truth * np.log(truth / share)).sum(axis=1).mean())
    assert candidate_result.regret()["categorical_crossentropy"] == pytest.approx(np.mean(by_hand))
    assert all(value > 0 for value in candidate_result.regret().values())
    assert "absolute_error" not in candidate_result.regret()  # improper, so without a regret


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"losses": ["brier_los"]}, "did you mean 'brier_loss'"),
        ({"losses": []}, "losses must contain at least one loss"),
        ({"losses": ["brier_loss"] * 2, "primary": "brier_loss"}, "losses must be distinct"),
        ({"losses": ["hinge_loss"]}, "hinge_loss is for two classes; there are 3"),
        (
            {"primary": "entropy"},
            "primary must be a loss or metric that ranks models; entropy does not",
        ),
        ({"losses": ["brier_loss"]}, "got categorical_crossentropy; add it to losses"),
        ({"primary": "binary_crossentropy"}, "binary_crossentropy is for two classes"),
        ({"metrics": ["ginni"]}, "unknown loss or metric 'ginni'; did you mean 'gini'"),
        ({"metrics": ["ks_statistic"]}, "ks_statistic is for two classes; there are 3"),
        ({"metrics": ["gini", "gini"]}, "metrics must be distinct"),
        ({"metrics": ["gini"], "primary": "roc_auc"}, "got roc_auc; add it to metrics"),
        ({"primary": "h_measure"}, "h_measure is for two classes"),
    ],
)
def test_invalid_losses_and_metrics_are_rejected(
    options: dict, message: str, data: Dataset
) -> None:
    with pytest.raises(InputError, match=message):
        run_experiment(data, [PRIOR], CrossValidation(n_splits=3).folds(data), **options)


def test_candidates_must_not_be_empty_and_names_unique(data: Dataset) -> None:
    folds = CrossValidation(n_splits=3).folds(data)
    with pytest.raises(InputError, match="candidates must contain at least one model"):
        run_experiment(data, [], folds)
    with pytest.raises(InputError, match="must be unique; duplicates: prior"):
        run_experiment(data, [PRIOR, PRIOR], folds)


@pytest.mark.skipif(not DACON.is_dir(), reason="the DACON files are not at hand")
@pytest.mark.parametrize("n_splits", [5, 10])
def test_class_prior_on_dacon(n_splits: int) -> None:
    data = load_dataset("dacon", path=str(DACON))
    result = run_experiment(data, [PRIOR], CrossValidation(n_splits=n_splits).folds(data))
    # value stated for StratifiedKFold(5 or 10, shuffle) in the issue that asked for this
    mean = result.candidate_results[0].mean()["categorical_crossentropy"]
    assert mean == pytest.approx(0.882447, abs=1e-5)


def test_class_prior_on_uci_default_is_the_entropy_of_the_shares() -> None:
    data = load_dataset("uci_default")
    result = run_experiment(data, [PRIOR], CrossValidation().folds(data))
    share = 6636 / 30000
    expected = -share * math.log(share) - (1 - share) * math.log(1 - share)
    mean = result.candidate_results[0].mean()["binary_crossentropy"]
    assert mean == pytest.approx(expected, abs=1e-6)
