"""Checks of finished runs: what they find on rows that are known to have it, and their numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.support.pages import ROOT
from tests.support.records import credit_data, example_record, numeric
from xentexp.errors import InputError
from xentexp.experiments import CrossValidation, load_dataset, make_dataset
from xentexp.experiments._record import RunRecord
from xentexp.experiments._run_checks import CHECKS, Issue, run_checks, shown_checks
from xentexp.experiments.datasets import Finding

CV = StratifiedKFold(5, shuffle=True, random_state=0)


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("checks_script", ROOT / "docs" / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
record_of_predictions: Any = SCRIPT.record_of_predictions


def issues(record: RunRecord, code: str) -> list[Issue]:
    return [issue for issue in run_checks(record) if issue.code == code]


def rows(n: int = 2000, seed: int = 0) -> tuple[Any, Any]:
    """Labels and their true probabilities."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(-1.0, 1.5, n))
    return (rng.random(n) < p).astype(int), p


def test_codes_names_and_texts_are_complete() -> None:
    names = [check.name for check in CHECKS.values()]
    assert len(set(names)) == len(names) >= 20
    for code, check in CHECKS.items():
        assert code == check.code
        assert code[0] == "X"
        assert code[1:].isdigit()
        assert check.tests.endswith(".")
        assert check.method.endswith(".")
        assert not check.remedy or check.remedy.endswith(".")


def test_a_run_without_problems_passes_all_checks_that_apply() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"true": p})
    assert run_checks(record) == []
    assert len(shown_checks(record)) > 15


def test_muted_checks_do_not_run_and_unknown_codes_are_refused() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"sharp": np.round(p)})
    assert issues(record, "X201")
    found = run_checks(record, muted=["X201"])
    assert found
    assert all(issue.code != "X201" for issue in found)
    with pytest.raises(InputError, match=r"unknown check 'X20l'; did you mean 'X20.*'\?"):
        run_checks(record, muted=["X20l"])
    with pytest.raises(InputError, match="unknown check 'overfit'; write its code X207"):
        run_checks(record, muted=["overfit"])


def test_problems_come_first_and_then_the_first_issue_of_each_check() -> None:
    y, p = rows()
    bad = {"a": np.round(p), "b": np.round(np.sqrt(p)), "true": p}
    found = run_checks(record_of_predictions(y, bad))
    serious = [issue.serious for issue in found]
    assert serious == sorted(serious, reverse=True)
    codes = [issue.code for issue in found if issue.serious]
    assert codes[: len(set(codes))] == sorted(set(codes))


# -- zero or one ------------------------------------------------------------------------------


def test_probabilities_of_zero_and_one_by_hand() -> None:
    y, p = rows()
    p = np.clip(p, 0.01, 0.99)
    zero, one = np.flatnonzero(y == 0)[:7], np.flatnonzero(y == 1)[:5]
    p[zero], p[one] = 0.0, 1.0
    p[zero[:2]], p[one[:1]] = 1.0, 0.0
    [issue] = issues(record_of_predictions(y, {"forest": p}), "X201")
    assert issue.serious
    values = issue.sentence.numbers()
    assert (values["rows_with_0"], values["wrong_rows_with_0"]) == (6, 1)
    assert (values["rows_with_1"], values["wrong_rows_with_1"]) == (6, 2)
    # Folds of 400 rows: the mean over the folds is the mean over the rows, by scikit-learn's
    # log_loss of the clipped probabilities.
    for name, clip in (("2e16", 2.0**-52), ("1e15", 1e-15), ("1e6", 1e-6)):
        clipped = np.clip(p, clip, 1.0 - clip)
        assert values[f"loss_at_{name}"] == pytest.approx(log_loss(y, clipped), rel=1e-5)
    assert str(issue.sentence).startswith(
        "forest predicts exactly 0 for 6 rows (1 of class 1) and exactly 1 for 6 rows (2 of class "
        "0). Its categorical_crossentropy is infinite without a clip ("
    )


def test_zeros_that_are_right_are_a_note() -> None:
    y, p = rows()
    p = np.clip(p, 0.01, 0.99)
    p[np.flatnonzero(y == 0)[:7]] = 0.0
    [issue] = issues(record_of_predictions(y, {"forest": p}), "X201")
    assert not issue.serious
    assert issue.sentence.numbers()["rows_with_0"] == 7


def test_zeros_of_three_classes_and_of_repeats() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 600)
    y = (p.cumsum(axis=1) < rng.random(600)[:, None]).sum(axis=1)
    zeros = p.copy()
    zeros[:30, 0] = 0.0
    zeros /= zeros.sum(axis=1, keepdims=True)
    record = record_of_predictions(y, {"tree": [zeros, zeros]})
    [issue] = issues(record, "X201")
    values = issue.sentence.numbers()
    assert (values["rows"], values["wrong_rows"]) == (30, (y[:30] == 0).sum())


def test_larger_leaves_and_calibration_remove_zeros() -> None:
    dataset = numeric(credit_data(400))
    forest = RandomForestClassifier(20, random_state=0)
    record = example_record(
        dataset,
        {
            "forest": forest,
            "larger leaves": RandomForestClassifier(20, min_samples_leaf=10, random_state=0),
            "calibrated": CalibratedClassifierCV(forest, method="sigmoid", cv=3),
        },
        losses=["categorical_crossentropy"],
        metrics=[],
    )
    [issue] = issues(record, "X201")
    assert issue.models == ("forest",)
    loss = {row.model: row.mean["categorical_crossentropy"] for row in record.board.rows}
    assert loss["larger leaves"] < loss["forest"]
    assert loss["calibrated"] < loss["forest"]


# -- the constant model -----------------------------------------------------------------------


def test_worse_than_the_constant_model() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"true": p, "wrong": 1.0 - p})
    [issue] = issues(record, "X202")
    assert issue.models == ("wrong",)
    values = issue.sentence.numbers()
    prior = np.full(len(y), y.mean())
    assert values["value"] == pytest.approx(log_loss(y, 1.0 - p))
    assert values["difference"] == pytest.approx(
        log_loss(y, 1.0 - p) - log_loss(y, prior), abs=1e-4
    )
    assert 0.0 < values["low"] < values["difference"] < values["high"]
    assert not issues(record, "X203")


def test_not_better_than_the_constant_model() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(500) < 0.3).astype(int)
    p = expit(logit(0.3) + 0.02 * rng.normal(size=500))
    record = record_of_predictions(y, {"noise": p})
    [issue] = issues(record, "X203")
    values = issue.sentence.numbers()
    assert values["low"] <= 0.0 <= values["high"]
    assert "not shown to be better than constant class frequencies" in str(issue.sentence)
    prior = np.full(500, y.mean())
    gap = log_loss(y, prior) - log_loss(y, p)
    assert values["difference"] == pytest.approx(abs(gap), abs=2e-4)
    assert ("(better by" if gap > 0.0 else "(worse by") in str(issue.sentence)


def test_infinite_and_undefined_values_are_words() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"true": p, "other": np.sqrt(p)})
    board = record.board
    broken = [replace(row, mean={board.primary: np.inf}) for row in board.rows[:1]]
    record = replace(record, board=replace(board, rows=(*broken, *board.rows[1:])))
    [issue] = issues(record, "X204")
    assert str(issue.sentence) == f"{broken[0].model}: categorical_crossentropy is infinite."


# -- tenths -----------------------------------------------------------------------------------


def of_tenths(counts: Sequence[int], n: int = 500) -> tuple[Any, Any]:
    """Rows of ten scores, from .95 to .05, with these numbers of events."""
    p = np.repeat(0.95 - 0.1 * np.arange(10), n)
    y = np.concatenate([np.arange(n) < count for count in counts]).astype(int)
    return y, p


def test_reversed_tenths_by_hand() -> None:
    y, p = of_tenths([470, 420, 370, 320, 270, 180, 230, 130, 80, 30])
    [issue] = issues(record_of_predictions(y, {"steps": p}), "X205")
    values = issue.sentence.numbers()
    # Two proportions, pooled: 180 and 230 of 500.
    z = (0.46 - 0.36) / np.sqrt(0.41 * 0.59 * (2 / 500))
    assert values["z"] == pytest.approx(z)
    assert values["adjusted_p"] == pytest.approx(9 * norm.sf(z))
    assert (values["rate"], values["next_rate"]) == pytest.approx((0.36, 0.46))
    assert (values["tenth"], values["next_tenth"]) == (6, 7)
    assert "(1 is the highest), 46.0% in tenth 7 (z = 3.2" in str(issue.sentence)


def test_a_rise_that_chance_explains_is_not_reported() -> None:
    y, p = of_tenths([470, 420, 370, 320, 270, 200, 230, 130, 80, 30])  # z = 1.9
    assert not issues(record_of_predictions(y, {"steps": p}), "X205")


def test_rows_of_an_entity_count_together() -> None:
    y, p = of_tenths([470, 420, 370, 320, 270, 180, 230, 130, 80, 30])
    entities = np.concatenate([i * 1000 + np.arange(500) // 50 for i in range(10)])
    assert issues(record_of_predictions(y, {"steps": p}, groups=np.arange(len(y))), "X205")
    assert not issues(record_of_predictions(y, {"steps": p}, groups=entities), "X205")


def test_a_model_with_bends_has_no_step_where_a_line_has_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 1))
    y = (rng.random(4000) < expit(2.0 * x[:, 0] ** 2 - 2.0 + 0.5 * x[:, 0])).astype(int)
    line, bends = (
        cross_val_predict(model, x, y, cv=CV, method="predict_proba")[:, 1]
        for model in (LogisticRegression(), HistGradientBoostingClassifier(max_iter=30))
    )
    [issue] = issues(record_of_predictions(y, {"line": line, "bends": bends}), "X205")
    assert issue.models == ("line",)
    assert str(issue.sentence).endswith("The test finds none for bends.")


def test_equal_scores_are_in_the_same_tenth() -> None:
    y, _ = rows(1000)
    record = record_of_predictions(y, {"two scores": np.where(np.arange(1000) % 2, 0.2, 0.3)})
    assert not issues(record, "X205")


# -- calibration and overfit ------------------------------------------------------------------


def test_a_miscalibrated_tenth_by_hand() -> None:
    y, p = of_tenths([475, 425, 375, 325, 275, 225, 175, 125, 75, 100])
    [issue] = issues(record_of_predictions(y, {"steps": p}), "X206")
    values = issue.sentence.numbers()
    assert values["tenth"] == 10
    assert values["rows"] == 500
    assert (values["predicted"], values["rate"]) == pytest.approx((0.05, 0.2))


def test_a_small_bias_in_all_tenths_is_found_by_the_recalibration_map() -> None:
    rng = np.random.default_rng(5)
    p = expit(rng.normal(-1.0, 1.5, 3000))
    y = (rng.random(3000) < expit(0.87 * logit(p) - 0.07)).astype(int)
    [issue] = issues(record_of_predictions(y, {"sharp": p}), "X206")
    assert "is miscalibrated. Recalibration by a line in the log-odds would lower" in str(
        issue.sentence
    )
    # Slope and intercept of a regression on the log-odds, by scikit-learn without a penalty.
    line = LogisticRegression(C=np.inf).fit(logit(p)[:, None], y)
    better = log_loss(y, line.predict_proba(logit(p)[:, None]))
    saved = log_loss(y, p) - better - 2 / (2 * len(y))  # less the optimism of two parameters
    assert issue.sentence.numbers()["saved_loss"] == pytest.approx(saved, abs=1e-6)


def test_calibration_lowers_the_loss_of_a_miscalibrated_model() -> None:
    dataset = credit_data(1500)
    X = dataset.X[["income", "debt"]].to_numpy()
    X, y = np.column_stack([X, X]), dataset.y.to_numpy()  # naive Bayes counts columns twice
    raw, calibrated = (
        cross_val_predict(model, X, y, cv=CV, method="predict_proba")[:, 1]
        for model in (GaussianNB(), CalibratedClassifierCV(GaussianNB(), cv=3))
    )
    record = record_of_predictions(y, {"raw": raw, "calibrated": calibrated})
    assert [issue.models for issue in issues(record, "X206")] == [("raw",)]
    assert log_loss(y, calibrated) < log_loss(y, raw) - 0.01


def test_overfit_compares_the_means_over_the_folds() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"forest": p})
    name = record.about.primary
    loss = np.mean(record.models[0].fold_values[name])
    for share, found in ((0.45, 1), (0.55, 0)):
        model = replace(record.models[0], train_values={name: [share * loss] * 5})
        assert len(issues(replace(record, models=(model,)), "X207")) == found
    model = replace(model, train_values={name: [0.1]}, parameters={"tree.min_samples_leaf": "1"})
    [issue] = issues(replace(record, models=(model,)), "X207")
    assert str(issue.sentence).endswith("A larger min_samples_leaf may lower it.")
    assert "X207" not in [check.code for check in shown_checks(record)]


# -- comparison -------------------------------------------------------------------------------


def test_few_events_counts_rows_of_one_repeat() -> None:
    y = (np.arange(500) < 30).astype(int)
    p = np.linspace(0.3, 0.01, 500)
    [issue] = issues(record_of_predictions(y, {"a": [p, p]}), "X301")
    assert issue.sentence.numbers() == {"rows": 30, "limit": 40}


def test_a_tie_is_an_unstable_order() -> None:
    y, p = rows()
    rng = np.random.default_rng(0)
    a, b = (expit(logit(p) + 0.3 * rng.normal(size=len(p))) for _ in range(2))
    record = record_of_predictions(y, {"a": a, "b": b})
    [issue] = issues(record, "X302")
    assert set(issue.models) == {"a", "b"}
    assert "cannot be told apart" in str(issue.sentence)
    clear = record_of_predictions(y, {"a": p, "b": np.sqrt(p)})
    assert not issues(clear, "X302")


def test_repeats_with_another_order() -> None:
    y, p = rows()
    good, bad = p, expit(1.2 * logit(p) + 0.2)
    record = record_of_predictions(y, {"a": [good, good, bad], "b": [bad, bad, good]})
    [issue] = issues(record, "X302")
    values = issue.sentence.numbers()
    assert (values["wins"], values["repeats"]) == (2, 3)
    same = record_of_predictions(y, {"a": [good] * 3, "b": [np.sqrt(p)] * 3})
    assert not issues(same, "X302")


def test_nearly_equal_models() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"a": p, "b": expit(logit(p) + 0.01)})
    [issue] = issues(record, "X303")
    losses = [-np.log(np.where(y == 1, q, 1.0 - q)) for q in (p, expit(logit(p) + 0.01))]
    assert issue.sentence.numbers()["correlation"] == pytest.approx(np.corrcoef(*losses)[0, 1])
    assert not issues(record_of_predictions(y, {"a": p, "b": np.sqrt(p)}), "X303")


def test_a_fold_that_is_worse_for_all_models() -> None:
    y, p = rows()
    record = record_of_predictions(y, {"a": p, "b": expit(0.8 * logit(p))})
    assert not issues(record, "X304")
    fold = record.models[0].predictions.folds[2]
    a, b = p.copy(), expit(0.8 * logit(p))
    for q in (a, b):
        q[fold.rows] = 1.0 - q[fold.rows]
    record = record_of_predictions(y, {"a": a, "b": b})
    [issue] = issues(record, "X304")
    values = issue.sentence.numbers()
    assert (values["fold"], values["rows"]) == (fold.number, 400)
    mean = (log_loss(y[fold.rows], a[fold.rows]) + log_loss(y[fold.rows], b[fold.rows])) / 2
    assert values["fold_mean"] == pytest.approx(mean)
    half = record_of_predictions(y, {"a": a, "b": expit(0.8 * logit(p))})
    assert not issues(half, "X304")


def test_small_segments_and_segments_without_a_class() -> None:
    y, p = rows(200)
    sums = pd.DataFrame(
        [
            *([0, i, "job", 0, "clerk", 1, 20, 3] for i in range(5)),
            *([0, i, "job", 1, "nurse", 1, 9, 2] for i in range(5)),
            *([0, i, "job", 2, "none", 1, 11, 0] for i in range(5)),
        ],
        columns=["repeat", "fold", "column", "segment", "label", "class", "n_rows", "events"],
    )
    record = record_of_predictions(y, {"a": p})
    record = replace(record, models=(replace(record.models[0], segments=sums),))
    small, empty = issues(record, "X305")
    assert str(small.sentence).startswith(
        "Fewer than 50 rows: 1 of 3 segments (the smallest: job = nurse, 45 rows)."
    )
    assert str(empty.sentence) == "job = none has 55 rows and none of class 1."


def test_notes_of_intervals() -> None:
    y, p = rows(300)
    record = record_of_predictions(y, {"a": p, "b": np.sqrt(p)}, groups=np.arange(300) // 50)
    assert any("groups" in str(issue.sentence) for issue in issues(record, "X306"))


# -- fits and data ----------------------------------------------------------------------------


def test_failed_models_and_warnings_of_fits() -> None:
    y, p = rows(200)
    record = record_of_predictions(y, {"a": p})
    failed = replace(record.models[0], name="b", predictions=None, error="ValueError: no")
    noisy = replace(record.models[0], warnings=("did not converge", "did not converge"))
    record = replace(record, models=(noisy, failed))
    assert [str(i.sentence) for i in issues(record, "X401")] == [
        "b failed and is not compared: ValueError: no."
    ]
    assert [str(i.sentence) for i in issues(record, "X402")] == ["a: Did not converge."]


@pytest.mark.parametrize(
    ("values", "found"),
    [([100.0, 99.0, 100.0, 1.0, 0.5], 1), ([100.0, 99.0, 1e-4, 1e-4, 1.0], 0), ([1.0] * 5, 0)],
)
def test_chosen_values_at_the_end_of_their_range(values: list[float], found: int) -> None:
    y, p = rows(200)
    trials = pd.DataFrame(
        {"fold": np.repeat(range(5), 2), "chosen": [True, False] * 5, "classifier.C": "0.01"}
    )
    trials.loc[trials["chosen"], "classifier.C"] = [f"{value:g}" for value in values]
    space = {"classifier__C": {"low": 1e-4, "high": 100.0, "log": True}, "kind": ["a", "b"]}
    record = record_of_predictions(y, {"a": p})
    record = replace(record, models=(replace(record.models[0], trials=trials, space=space),))
    result = issues(record, "X403")
    assert len(result) == found
    if found:
        assert "C is at the high end 100 of its range in 3 of 5 folds" in str(result[0].sentence)


def test_a_wider_range_lowers_the_loss() -> None:
    dataset = numeric(credit_data(600))
    X, y = dataset.X.to_numpy(), dataset.y.to_numpy()
    at_edge, wider = (
        log_loss(y, cross_val_predict(LogisticRegression(C=C), X, y, cv=CV, method="predict_proba"))
        for C in (1e-4, 1.0)
    )
    assert wider < at_edge


def test_findings_of_the_data_are_issues() -> None:
    y, p = rows(200)
    findings = [
        Finding("known_target", ("x",), "the target is known from the column 'x'", "set drop"),
        Finding("constant", ("c",), "the column 'c' has the same value in every row"),
    ]
    record = record_of_predictions(y, {"a": p}, findings=tuple(findings), leak="folds share")
    found = {issue.code: issue for issue in run_checks(record) if issue.code < "X2"}
    assert {code: issue.serious for code, issue in found.items()} == {
        "X101": True,
        "X103": True,
        "X105": False,
    }
    assert str(found["X101"].sentence) == "The target is known from the column 'x'; set drop."


@pytest.mark.parametrize("name", ["known_target", "row_order", "identifiers", "constant"])
def test_each_finding_has_a_check(name: str) -> None:
    y, p = rows(200)
    record = record_of_predictions(y, {"a": p}, findings=(Finding(name, ("x",), "found"),))
    assert len([issue for issue in run_checks(record) if issue.code < "X2"]) == 1


def test_the_remedies_of_findings_remove_them() -> None:
    dataset = credit_data(400)
    order = np.argsort(dataset.y.to_numpy(), kind="stable")
    y = dataset.y.iloc[order].reset_index(drop=True)
    X = dataset.X.iloc[order].reset_index(drop=True)
    bad = X.assign(
        row=np.arange(400), outcome=y + 0.0, same=1, key=[f"k{i * 7919 % 400}" for i in range(400)]
    )
    found = make_dataset(bad, y, dataset.card).findings
    assert {f.name for f in found} == {"row_order", "known_target", "constant", "identifiers"}
    columns = [name for finding in found for name in finding.columns]
    assert make_dataset(bad.drop(columns=columns), y, dataset.card).findings == ()


def test_leaving_out_an_identifier_lowers_the_loss_of_a_tree() -> None:
    dataset = numeric(credit_data(600))
    X, y = dataset.X.to_numpy(), dataset.y.to_numpy()
    tree = DecisionTreeClassifier(min_samples_leaf=30, random_state=0)
    identifiers = np.random.default_rng(0).permuted(np.tile(np.arange(600), (20, 1)), axis=1).T
    with_them, without = (
        log_loss(y, cross_val_predict(tree, features, y, cv=CV, method="predict_proba"))
        for features in (np.column_stack([X, identifiers]), X)
    )
    assert without < with_them


def test_grouped_folds_share_no_entities() -> None:
    dataset = load_dataset("simulated_delinquency", n_samples=300)
    folds = CrossValidation("grouped", n_splits=3).folds(dataset)
    groups = np.asarray(dataset.groups)
    assert all(not set(groups[f.train]) & set(groups[f.test]) for f in folds)


LOG_LOSS = "categorical_crossentropy"


@pytest.mark.parametrize(
    ("n_classes", "options"),
    [
        (3, {}),
        (10, {}),
        (2, {"cv": 2}),
        (2, {"cv": CrossValidation("holdout", n_test=80)}),
        (2, {"cv": CrossValidation("repeated", n_splits=2, n_repeats=2)}),
        (2, {"cv": CrossValidation("time_ordered", n_splits=3, time_column="age")}),
        (
            2,
            {
                "models": {
                    "prior": DummyClassifier(),
                    "frequent": DummyClassifier(strategy="most_frequent"),
                }
            },
        ),
        (2, {"models": {"svm": LinearSVC(), "logistic": LogisticRegression()}}),
        (2, {"models": {"svm": LinearSVC()}, "losses": ["hinge_loss"], "primary": "hinge_loss"}),
        (2, {"models": {"bad": LogisticRegression(C=-1.0)}}),
        (2, {"metrics": ["roc_auc"], "primary": "roc_auc"}),
    ],
)
def test_checks_of_runs_of_all_kinds(n_classes: int, options: dict[str, Any]) -> None:
    options = {"losses": [LOG_LOSS], "metrics": [], **options}
    record = example_record(numeric(credit_data(300, n_classes)), **options)
    for issue in run_checks(record):
        text = str(issue.sentence)
        assert text.endswith(".")
        assert "nan" not in text.split()


def test_checks_of_weighted_rows_in_groups() -> None:
    y, p = rows(500)
    weight = np.where(np.arange(500) < 20, 0.0, 1.0 + np.arange(500) % 3)
    record = record_of_predictions(
        y, {"a": p, "b": np.sqrt(p)}, sample_weight=weight, groups=np.arange(500) // 4
    )
    assert {issue.models for issue in issues(record, "X206")} == {("b",)}


def test_a_class_without_rows() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([3, 3, 3], 300)
    y = rng.integers(0, 3, 300)
    record = record_of_predictions(y, {"a": p})
    predictions = record.models[0].predictions
    assert predictions is not None
    folds = tuple(replace(f, y=np.minimum(f.y, 1)) for f in predictions.folds)
    model = replace(record.models[0], predictions=replace(predictions, folds=folds))
    record = replace(record, models=(model,))
    assert issues(record, "X301")[0].sentence.numbers()["rows"] == 0


@pytest.mark.long
@pytest.mark.parametrize(("code", "level"), [("X202", 0.025), ("X205", 0.05), ("X206", 0.01)])
def test_false_alarms_are_as_rare_as_the_level(code: str, level: float) -> None:
    for label, rate, n in SCRIPT.measure(code, share=0.03):
        assert rate <= level + 3.0 * np.sqrt(level * (1.0 - level) / n), label


def test_simulations_are_of_checks_with_a_measured_rate() -> None:
    measured = {code for code, check in CHECKS.items() if check.false_alarm_rate is not None}
    assert measured == set(SCRIPT.SIMULATIONS)
    assert {code for code, check in CHECKS.items() if check.is_test} <= measured
    assert all(CHECKS[code].simulated for code in measured)
