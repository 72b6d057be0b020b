"""Intervals of a run: their centres, the models that cannot be told apart, and the sentences."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from xentexp.errors import InputError
from xentexp.experiments._assess import assess
from xentexp.experiments._predictions import PredictedFold, Predictions
from xentexp.experiments._sentences import Standing, answer_of, compact_answer
from xentexp.experiments._uncertainty import CONSTANT, Uncertainty
from xentexp.inference import mean_interval, paired_difference
from xentexp.metrics import evaluate

LOSSES = ("categorical_crossentropy", "brier_loss", "roc_auc", "calibration_slope")


def predictions(
    model: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    *,
    n: int = 600,
    k: int = 4,
    rate: float = 0.3,
    repeats: int = 1,
    grouped: int | None = None,
    weighted: bool = False,
    decision: bool = False,
    seed: int = 0,
) -> Predictions:
    """Predictions of one model for all rows in k folds of slightly different size."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(signal + math.log(rate / (1 - rate)))))).astype(int)
    scores = model(signal + math.log(rate / (1 - rate)), np.random.default_rng(99))
    weight = rng.gamma(2.0, size=n) if weighted else None
    folds = []
    for repeat in range(repeats):
        for number, rows in enumerate(np.array_split(rng.permutation(n), k)):
            outside = np.delete(y, rows)
            folds.append(
                PredictedFold(
                    repeat,
                    number,
                    n - len(rows) if k > 1 else n,
                    (float(1 - outside.mean()), float(outside.mean())) if k > 1 else (0.7, 0.3),
                    rows,
                    y[rows],
                    None if decision else np.clip(1 / (1 + np.exp(-scores[rows])), 0.0, 1.0),
                    scores[rows] if decision else None,
                    None if weight is None else weight[rows],
                    None if grouped is None else rows % grouped,
                )
            )
    return Predictions("made", "abc", (0, 1), False, tuple(folds))


def true(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return scores


def noisy(size: float, seed: int = 0) -> Any:
    return lambda scores, rng: (
        scores + size * np.random.default_rng(1000 + seed).normal(size=len(scores))
    )


def shifted(size: float) -> Any:
    return lambda scores, rng: scores + size


def constant(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full(len(scores), -0.8)


def without_signal(model: Any, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(model(0.0 * scores, rng) - 0.8)


def made(models: dict[str, Any], **options: Any) -> dict[str, Predictions]:
    return {name: predictions(model, **options) for name, model in models.items()}


CLEAR = {"good": true, "bad": noisy(3.0)}


@pytest.mark.parametrize(
    "options", [{}, {"weighted": True}, {"n": 601}, {"repeats": 2}, {"grouped": 50}, {"k": 1}]
)
def test_centres_are_the_means_over_the_folds(options: dict[str, Any]) -> None:
    """Each value equals the mean over the folds of what `evaluate` computes for a fold."""
    made_of = made(CLEAR, **options)
    result = assess(made_of, LOSSES, LOSSES[0])
    means = {
        name: {
            loss: np.mean([
                evaluate(f.y, f.proba, [loss], sample_weight=f.sample_weight)[loss]
                for f in predicted.folds
            ])
            for loss in LOSSES
        }
        for name, predicted in made_of.items()
    }  # fmt: skip
    for name, values in means.items():
        model = result.model(name)
        assert model is not None
        for loss, value in values.items():
            assert model.levels[loss].mean == pytest.approx(value, rel=1e-12)
    worse = result.model("bad")
    assert worse is not None
    for loss in LOSSES[:3]:
        expected = means["bad"][loss] - means["good"][loss]
        assert worse.differences[loss].difference == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_independent_rows_by_hand() -> None:
    """One fold: the normal interval of the mean difference of the rows, from its definition."""
    result = assess(made(CLEAR, k=1, n=500), LOSSES[:1], LOSSES[0])
    (good,), (bad,) = (predictions(m, k=1, n=500).folds for m in CLEAR.values())
    a, b = (-np.log(np.where(f.y == 1, f.proba, 1 - f.proba)) for f in (good, bad))
    error = np.std(b - a, ddof=1) / math.sqrt(500)
    model = result.model("bad")
    assert model is not None
    difference = model.differences[LOSSES[0]]
    assert difference.standard_error == pytest.approx(error, rel=1e-3)
    assert difference.low == pytest.approx(np.mean(b - a) - stats.t.ppf(0.975, 499) * error, 1e-3)
    assert difference.by_folds is None or difference.by_folds.reason is not None


def test_a_clear_winner() -> None:
    result = assess(made(CLEAR, n=2000), LOSSES, LOSSES[0])
    assert result.best[LOSSES[0]] == "good"
    assert result.tied[LOSSES[0]] == ()
    bad = result.model("bad")
    assert bad is not None
    level, difference = result.models[0].levels[LOSSES[0]], bad.differences[LOSSES[0]]
    assert result.answer.startswith(
        f"good has the lowest categorical_crossentropy: {level.mean:.4f}, "
        f"{difference.difference:.4f} below bad (95% interval {difference.low:.4f} to "
        f"{difference.high:.4f}; for "
    )
    margin = 0.01 * level.mean
    assert result.margin == pytest.approx(margin)
    assert result.answer.endswith(
        f"The difference matters: it is more than the margin of {margin:.2g} (1% of the best "
        f"value)."
    )


def test_no_winner_by_chance() -> None:
    models = {"a": noisy(0.5, 1), "b": noisy(0.5, 2), "bad": noisy(4.0)}
    result = assess(made(models, n=900), LOSSES, LOSSES[0])
    best = result.best[LOSSES[0]]
    (tied,) = result.tied[LOSSES[0]]
    assert {best, tied} == {"a", "b"}
    assert result.answer.startswith(f"{best} and {tied} cannot be told apart by categorical_cross")
    model = result.model(tied)
    assert model is not None
    difference = model.differences[LOSSES[0]]
    assert difference.low <= 0.0 <= difference.high
    assert "probabilities: " in result.answer or "does not matter" in result.answer


def test_a_difference_that_does_not_matter() -> None:
    models = {"a": true, "b": shifted(0.02)}
    result = assess(made(models, n=20000, k=2), LOSSES[:1], LOSSES[0], margin=0.01)
    assert "does not matter in practice: it is less than the margin of 0.01." in result.answer
    assert result.equivalence is not None
    assert result.equivalence.equivalent > 0.95
    compact = compact_answer(result.standing(LOSSES[0]), result.equivalence)
    assert compact.startswith("a and b cannot be told apart: ")
    assert " below b, too little to matter. categorical_crossentropy 0." in compact
    large = assess(made(CLEAR, n=2000), LOSSES[:1], LOSSES[0], margin=10.0)
    compact = compact_answer(large.standing(LOSSES[0]), large.equivalence)
    assert compact.startswith("good is best: 0.")
    assert " below bad, too little to matter. " in compact
    assert any("are nearly equal (correlation 0.99" in line or "1.0000" in line
               for line in result.warnings)  # fmt: skip


def test_equal_models_have_no_winner() -> None:
    result = assess(made({"a": true, "b": true}), LOSSES[:1], LOSSES[0])
    assert result.answer.startswith("a and b have the same categorical_crossentropy, 0.")
    assert result.tied[LOSSES[0]] == ("b",)


def test_one_model_is_compared_with_the_class_frequencies() -> None:
    result = assess(made({"only": true}), LOSSES, LOSSES[0])
    assert result.answer.startswith("only has categorical_crossentropy 0.")
    assert "better than constant class frequencies (95% interval" in result.answer
    assert result.equivalence is None
    added = result.model(CONSTANT)
    assert added is not None
    assert added.constant
    fold_means = [
        -np.mean(np.log(np.where(f.y == 1, f.prior[1], f.prior[0])))
        for f in predictions(true).folds
        if f.prior is not None
    ]
    assert added.levels[LOSSES[0]].mean == pytest.approx(np.mean(fold_means))
    assert "the same for every row" in added.undefined["calibration_slope"]
    assert "calibration_slope" not in added.levels


def test_a_constant_candidate_is_the_constant_model() -> None:
    result = assess(made({"good": true, "prior": constant}), LOSSES, LOSSES[0])
    assert result.model(CONSTANT) is None
    prior = result.model("prior")
    assert prior is not None
    assert prior.constant
    for loss, best in result.best.items():
        assert best == "good"
        assert "prior" not in result.tied[loss]


def test_a_model_that_is_no_better_than_the_constant_one() -> None:
    random = {"a": noisy(3.0, 1), "b": noisy(3.0, 2)}
    useless = {name: partial(without_signal, model) for name, model in random.items()}
    result = assess(made(useless), LOSSES, LOSSES[0])
    assert any("is worse than the constant model" in warning for warning in result.warnings)


def test_a_model_without_probabilities() -> None:
    models = {**made({"good": true}), "svm": predictions(true, decision=True)}
    result = assess(models, LOSSES, LOSSES[0])
    svm = result.model("svm")
    assert svm is not None
    assert svm.undefined[LOSSES[0]] == "needs probabilities"
    assert svm.levels["roc_auc"].mean == pytest.approx(result.models[0].levels["roc_auc"].mean)
    only = assess({"svm": models["svm"]}, LOSSES, LOSSES[0])
    assert only.answer == (
        "No model has a finite value of categorical_crossentropy, so that it ranks none."
    )


def test_infinite_losses() -> None:
    finite, infinite = mean_interval([0.1, 0.2, 0.6]), mean_interval([0.1, math.inf, 0.6])
    difference = paired_difference([0.1, math.inf, 0.6], [0.1, 0.2, 0.6])
    name = "kl_divergence"
    standing = Standing(name, {"a": finite, "b": infinite}, {"b": difference}, "a", (), frozenset())
    assert answer_of(standing, None) == "a has the lowest kl_divergence: 0.3000; it is inf for b."
    none = Standing(name, {"b": infinite}, {}, None, (), frozenset())
    assert answer_of(none, None).startswith("No model has a finite value of kl_divergence")


def test_metrics_for_which_higher_is_better() -> None:
    result = assess(made(CLEAR, n=2000), LOSSES, "roc_auc")
    assert result.answer.startswith("good has the highest roc_auc: 0.")
    assert " above bad (95% interval 0." in result.answer
    assert "1% of the distance of the best value from 1" in result.answer
    best = result.models[0].levels["roc_auc"].mean
    assert result.margin == pytest.approx(0.01 * (1.0 - best))
    assert result.equivalence is not None
    assert result.equivalence.better > 0.95
    compact = compact_answer(result.standing("roc_auc"), result.equivalence)
    assert compact.startswith("good is best: 0.")
    assert " above bad, enough to matter. roc_auc 0." in compact
    assert compact.endswith(" (in brackets: 95% interval).")  # of the difference


def test_a_metric_whose_best_value_is_in_the_middle_has_no_differences() -> None:
    result = assess(made(CLEAR), LOSSES, "calibration_slope")
    assert result.answer.startswith("good has the calibration_slope nearest to 1: ")
    assert all("calibration_slope" not in model.differences for model in result.models)


def test_clusters_and_few_groups_are_named() -> None:
    result = assess(made(CLEAR, grouped=12, n=1200), LOSSES[:1], LOSSES[0])
    assert "clustered by 12 entities" in result.rule
    assert any("only 12 groups" in warning for warning in result.warnings)
    level = result.models[0].levels[LOSSES[0]]
    assert level.n_groups == 12
    alone = assess(made(CLEAR, n=1200), LOSSES[:1], LOSSES[0])
    assert "clustered" not in alone.rule


def test_folds_in_time_order_allow_for_autocorrelation() -> None:
    timed = {
        name: dataclasses.replace(
            found,
            folds=tuple(dataclasses.replace(fold, time=fold.rows // 6) for fold in found.folds),
        )
        for name, found in made({"good": true, "poor": noisy(2.0)}).items()
    }
    found = assess(timed, ["categorical_crossentropy"], "categorical_crossentropy")
    assert "over 600 rows in time order (Newey-West variance)" in found.rule
    difference = found.models[1].differences["categorical_crossentropy"]
    assert difference.by_rows is not None
    # At most one period for each of the values rows // 6: t with 100 - 1 degrees of freedom.
    assert difference.by_rows.df == 99


def test_few_events_are_named() -> None:
    result = assess(made(CLEAR, rate=0.02), LOSSES[:1], LOSSES[0])
    n = sum(int((fold.y == 1).sum()) for fold in predictions(true, rate=0.02).folds)
    assert n < 40
    assert f"few events: {n} rows of class 1" in "\n".join(result.warnings)
    assert not any("events" in line for line in assess(made(CLEAR), LOSSES, LOSSES[0]).warnings)


def test_different_models_are_not_nearly_equal() -> None:
    result = assess(made({"good": true, "other": noisy(0.7)}), LOSSES, LOSSES[0])
    assert not any("nearly equal" in warning for warning in result.warnings)


def test_failed_models_are_named_and_different_rows_refused() -> None:
    result = assess(made(CLEAR), LOSSES, LOSSES[0], failed=["broken"])
    assert result.warnings[0] == "broken failed and is not compared."
    none = assess({}, LOSSES, LOSSES[0], failed=["broken"])
    assert none.answer == "No model has a value of categorical_crossentropy."
    other = {"good": predictions(true), "bad": predictions(true, seed=1)}
    with pytest.raises(InputError, match="same rows; got good and bad: the test rows of repeat 0"):
        assess(other, LOSSES, LOSSES[0])


def test_another_ranking() -> None:
    result = assess(made(CLEAR), LOSSES, LOSSES[0])
    other = result.ranked_by("roc_auc")
    assert other is not None
    assert other.answer == assess(made(CLEAR), LOSSES, "roc_auc").answer
    assert result.ranked_by("hinge_loss") is None


def test_json_without_nan_and_back() -> None:
    result = assess(made({**CLEAR, "prior": constant}), LOSSES, LOSSES[0])
    text = json.dumps(result.to_record(), allow_nan=False)
    again = Uncertainty.from_record(json.loads(text))
    assert again.to_record() == json.loads(text)
    assert dataclasses.replace(again, models=()) == dataclasses.replace(result, models=())
    with pytest.raises(InputError, match="must have version 1 or older; got version 2"):
        Uncertainty.from_record({**json.loads(text), "version": 2})
