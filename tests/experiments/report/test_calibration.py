"""What calibration saved: differences of means, beside what the decomposition promised."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from tests.support.contents import (
    check_numbers,
    column,
    sentences_of,
    tables_of,
    text_of,
)
from tests.support.records import credit_data, example_record, numeric, predictions_of
from xentexp.experiments import CalibratedClassifier, Candidate, CrossValidation, make_dataset
from xentexp.experiments._analysis.calibration import Saving, chief, saving_sentence, savings
from xentexp.experiments._formatting import MINUS, signed
from xentexp.experiments._record import RunRecord, pooled
from xentexp.experiments._report.calibration import calibration_section
from xentexp.experiments._report.page import run_page
from xentexp.inference import compare_paired, decompose, paired_difference, split_ratio

DATA = numeric(credit_data(600))
THREE = numeric(credit_data(600, 3))


class Sharpened(LogisticRegression):
    """Logistic regression whose log-odds are tripled."""

    def decision_function(self, X: Any) -> np.ndarray:
        return 3.0 * super().decision_function(X)


def candidates(models: dict[str, Any], *methods: str) -> list[Candidate]:
    """Models and their calibrations, named as by the command."""
    made = []
    for name, model in models.items():
        made.append(Candidate(name, model))
        for method in methods:
            calibrated = CalibratedClassifier(model, method=method, random_state=0)
            parameters: dict[str, object] = {
                "calibration.of": name,
                "calibration.method": method,
                "calibration.folds": 5,
            }
            made.append(Candidate(f"{name}_{method}", calibrated, parameters))
    return made


def record(models: dict[str, Any], *methods: str, data: Any = DATA, **options: Any) -> RunRecord:
    options = {"losses": ["categorical_crossentropy"], "metrics": [], **options}
    made = example_record(data, candidates(models, *methods), **options)
    return replace(made, about=replace(made.about, primary=made.board.primary))


@pytest.fixture(scope="module")
def sharp() -> RunRecord:
    models = {"sharp": Sharpened(), "logistic": LogisticRegression()}
    return record(models, "sigmoid", "isotonic", "temperature")


def saving_of(made: RunRecord, calibrated: str) -> Saving:
    return next(s for s in savings(made.models, made.about.primary) if s.calibrated == calibrated)


def row_losses(made: RunRecord, name: str) -> list[np.ndarray]:
    return [
        -np.log(fold.proba[np.arange(len(fold.y)), fold.y])
        for fold in predictions_of(made, name).folds
    ]


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_saved_is_the_difference_of_two_means_with_the_paired_interval(
    sharp: RunRecord, method: str
) -> None:
    saving = saving_of(sharp, f"sharp_{method}")
    before, after = (row_losses(sharp, name) for name in ("sharp", f"sharp_{method}"))
    assert saving.before == pytest.approx(np.mean([fold.mean() for fold in before]))
    assert saving.after == pytest.approx(np.mean([fold.mean() for fold in after]))
    assert saving.saved == pytest.approx(saving.before - saving.after)
    assert saving.low < saving.saved < saving.high
    fold = np.repeat(range(5), 120)
    ratio = split_ratio([(480, 120)] * 5)
    rows = paired_difference(
        np.concatenate(before), np.concatenate(after), folds=fold, test_train_ratio=ratio
    )
    assert (saving.low, saving.high) == (pytest.approx(rows.low), pytest.approx(rows.high))
    over_folds = compare_paired(
        np.array([f.mean() for f in before]),
        np.array([f.mean() for f in after]),
        test_train_ratio=ratio,
    )
    assert saving.high - saving.low >= over_folds.high - over_folds.low - 1e-12
    assert saving.low > 0.0  # tripled log-odds are far from calibrated
    assert saving.after < saving.before


def test_promises_are_those_of_the_decomposition(sharp: RunRecord) -> None:
    model = sharp.model("sharp")
    assert model is not None
    assert model.predictions is not None
    rows = pooled(model.predictions)
    families = {"sigmoid": "logit_line", "temperature": "temperature"}
    isotonic = decompose(rows.codes, rows.proba, family="isotonic").miscalibration
    for method in ("sigmoid", "isotonic", "temperature"):
        saving = saving_of(sharp, f"sharp_{method}")
        assert saving.at_most == isotonic > 0.0
        if method == "isotonic":
            assert math.isnan(saving.expected)
        else:
            expected = decompose(rows.codes, rows.proba, family=families[method])
            assert saving.expected == expected.miscalibration
    # The temperature of the sharpened model is 3, and calibration finds it.
    temperature = saving_of(sharp, "sharp_temperature")
    assert temperature.saved == pytest.approx(temperature.expected, rel=0.1)
    assert temperature.saved <= temperature.at_most


def test_the_bound_is_reached_by_an_isotonic_map_of_the_same_rows(sharp: RunRecord) -> None:
    from sklearn.isotonic import IsotonicRegression

    rows = pooled(predictions_of(sharp, "sharp"))
    p = rows.proba[:, 1]
    best = IsotonicRegression().fit_transform(p, rows.codes)
    saved = log_loss(rows.codes, p) - log_loss(rows.codes, best)
    assert saving_of(sharp, "sharp_isotonic").at_most == pytest.approx(saved, rel=1e-9)


# -- sentences ----------------------------------------------------------------------------------

LOWER = Saving(
    *("forest", "forest_isotonic", "isotonic", "categorical_crossentropy"),
    *(0.4451, 0.4439, 0.0012, 0.0004, 0.002, 0.95, 0.0004),
    at_most=0.0031,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            "Isotonic calibration of forest lowers categorical_crossentropy by 0.0012 (95% "
            "interval 0.0004 to 0.0020); the decomposition promised at most 0.0031.",
        ),
        (
            {"saved": -0.0012, "low": -0.002, "high": -0.0004, "n_zero": 2},
            "Isotonic calibration of forest raises categorical_crossentropy by 0.0012 (95% "
            "interval 0.0004 to 0.0020), although the decomposition promised at most 0.0031. It "
            "gives the true class the probability 0 in 2 rows.",
        ),
        (
            {"low": -0.0001, "method": "temperature", "expected": 0.001, "at_most": math.nan},
            "Temperature calibration of forest lowers categorical_crossentropy by 0.0012 (95% "
            f"interval {MINUS}0.0001 to 0.0020; the direction is open); the decomposition promised "
            "0.0010 with one temperature.",
        ),
        (
            {"method": "sigmoid", "expected": 0.001},
            "Sigmoid calibration of forest lowers categorical_crossentropy by 0.0012 (95% interval "
            "0.0004 to 0.0020); the decomposition promised at most 0.0031, and 0.0010 with a line "
            "in the log-odds.",
        ),
        (
            {"saved": 0.0, "low": 0.0, "high": 0.0, "at_most": math.nan},
            "Isotonic calibration of forest does not change categorical_crossentropy.",
        ),
        (
            {"reason": "one fold", "low": math.nan, "high": math.nan, "at_most": math.nan},
            "Isotonic calibration of forest lowers categorical_crossentropy by 0.0012 (no "
            "interval: one fold).",
        ),
        (
            {"saved": -math.inf, "after": math.inf},
            "Isotonic calibration of forest changes categorical_crossentropy from 0.4451 to "
            "infinite.",
        ),
        (
            {"saved": math.nan, "before": math.nan, "reason": "forest has no probabilities"},
            "Isotonic calibration of forest: categorical_crossentropy 0.4439; forest has no "
            "probabilities, so that there is no loss before.",
        ),
        (
            {"saved": math.nan, "after": math.nan, "reason": "forest_isotonic failed"},
            "Isotonic calibration of forest: no loss, because forest_isotonic failed.",
        ),
    ],
)
def test_sentences(changes: dict[str, Any], expected: str) -> None:
    assert str(saving_sentence(replace(LOWER, **changes))) == expected


def test_the_best_method_of_each_model_and_those_that_are_worse_come_first() -> None:
    worse = replace(LOWER, calibrated="forest_sigmoid", after=0.5, low=-0.1, high=-0.01)
    open_ = replace(LOWER, calibrated="forest_temperature", after=0.45, low=-0.01, high=0.01)
    other = replace(LOWER, model="svm", after=math.nan, low=math.nan, high=math.nan)
    assert chief([worse, open_, LOWER, other]) == [worse, LOWER, other]


# -- section ------------------------------------------------------------------------------------


def test_each_number_of_the_section_is_in_its_table(sharp: RunRecord) -> None:
    section = calibration_section(sharp)
    assert section is not None
    check_numbers(section)
    (table,) = tables_of(section)
    names = [row[0].text for row in table.rows]
    assert set(names) == {
        f"{model}_{method}"
        for model in ("sharp", "logistic")
        for method in ("sigmoid", "isotonic", "temperature")
    }
    for name, cell in zip(names, column(table, "saved"), strict=True):
        assert cell.value == saving_of(sharp, name).saved
    for name, cell in zip(names, column(table, "95% interval"), strict=True):
        saving = saving_of(sharp, name)
        assert cell.text == f"[{signed(saving.low, 4)}, {signed(saving.high, 4)}]"
    assert "What calibration saved" in run_page(sharp)


def test_a_run_without_calibration_has_no_section() -> None:
    made = record({"logistic": LogisticRegression()}, cv=2)
    assert calibration_section(made) is None
    assert savings(made.models, "brier_loss") == []


def test_three_classes_have_the_promise_of_a_temperature_only() -> None:
    made = record({"sharp": Sharpened()}, "sigmoid", "isotonic", "temperature", data=THREE, cv=3)
    rows = pooled(predictions_of(made, "sharp"))
    promised = decompose(rows.codes, rows.proba, family="temperature").miscalibration
    for saving in savings(made.models, made.about.primary):
        assert math.isnan(saving.at_most)
        expected = promised if saving.method == "temperature" else math.nan
        assert saving.expected == pytest.approx(expected, nan_ok=True)
    section = calibration_section(made)
    (table,) = tables_of(section)
    assert "promised at most" not in table.headers
    assert "promised for the method" in table.headers


def test_a_model_with_only_decision_scores_gets_probabilities() -> None:
    made = record(
        {"svm": LinearSVC(), "logistic": LogisticRegression()},
        "sigmoid",
        losses=["categorical_crossentropy", "zero_one_loss"],
        cv=3,
    )
    saving = saving_of(made, "svm_sigmoid")
    losses = row_losses(made, "svm_sigmoid")
    assert saving.after == pytest.approx(np.mean([fold.mean() for fold in losses]))
    assert math.isnan(saving.before)
    assert saving.reason == "svm has no probabilities"
    assert "svm has no probabilities" in text_of(calibration_section(made))


def test_a_failed_model_is_named() -> None:
    class Fails(LogisticRegression):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            raise ValueError("no memory")

    made = record({"bad": Fails(), "logistic": LogisticRegression()}, "sigmoid", cv=2)
    assert saving_of(made, "bad_sigmoid").reason == "bad_sigmoid failed"
    assert "bad_sigmoid failed" in text_of(calibration_section(made))


def test_without_a_proper_primary_the_section_names_its_loss() -> None:
    made = record(
        {"logistic": LogisticRegression()},
        "sigmoid",
        losses=["categorical_crossentropy"],
        metrics=["roc_auc"],
        primary="roc_auc",
        cv=3,
    )
    first = str(sentences_of(calibration_section(made))[0])
    assert first == (
        "The loss is categorical_crossentropy, because roc_auc is not a proper loss of these "
        "probabilities."
    )
    brier = record(
        {"logistic": LogisticRegression()},
        "sigmoid",
        losses=["brier_loss"],
        primary="brier_loss",
        cv=3,
    )
    saving = saving_of(brier, "logistic_sigmoid")
    assert saving.loss == "brier_loss"
    values = brier.model("logistic_sigmoid")
    assert values is not None
    assert saving.after == pytest.approx(np.mean(values.fold_values["brier_loss"]))


def test_groups_and_weights_count_in_savings_and_promises() -> None:
    people = pd.Series(np.arange(600) // 3)
    weight = np.random.default_rng(0).uniform(0.5, 5.0, 600)
    data = make_dataset(DATA.X, DATA.y, DATA.card, groups=people, sample_weight=weight)
    made = record(
        {"sharp": Sharpened()},
        "sigmoid",
        data=data,
        cv=CrossValidation("grouped", n_splits=3),
    )
    saving = saving_of(made, "sharp_sigmoid")
    predictions = predictions_of(made, "sharp")
    rows = pooled(predictions)
    promised = decompose(
        rows.codes,
        rows.proba,
        family="logit_line",
        sample_weight=weight[rows.rows],
        groups=people.to_numpy()[rows.rows],
    )
    assert saving.expected == pytest.approx(promised.miscalibration)
    means = [
        np.average(losses, weights=weight[fold.rows])
        for losses, fold in zip(row_losses(made, "sharp"), predictions.folds, strict=True)
    ]
    assert saving.before == pytest.approx(np.mean(means))


def test_rows_with_probability_zero_of_the_true_class_are_counted(sharp: RunRecord) -> None:
    saving = saving_of(sharp, "sharp_isotonic")
    rows = pooled(predictions_of(sharp, "sharp_isotonic"))
    zero = rows.proba[np.arange(600), rows.codes] == 0.0
    assert saving.n_zero == zero.sum() > 0
