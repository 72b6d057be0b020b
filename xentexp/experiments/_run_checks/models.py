"""Checks of the predictions of each model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from xentexp.experiments._assess import assess
from xentexp.experiments._formatting import Sentence, and_list, sentence
from xentexp.experiments._record import ModelRecord, Pooled, RunRecord, pooled
from xentexp.experiments._run_checks.issue import Issue
from xentexp.experiments._run_checks.rows import (
    N_TENTHS,
    Tenth,
    rows_of,
    tenths,
    z_of_rise,
)
from xentexp.experiments._uncertainty import CONSTANT, Uncertainty
from xentexp.inference import Difference, decompose, holm
from xentexp.losses import LOSSES
from xentexp.metrics._evaluation import evaluate_checked
from xentexp.metrics._registry import get_loss

LOG_LOSS = "categorical_crossentropy"
LEVEL = 0.05
LEVEL_OF_CALIBRATION = 0.01

CLIPS = {"loss_at_2e16": 2.0**-52, "loss_at_1e15": 1e-15, "loss_at_1e6": 1e-6}
"""Smallest probabilities; 2.2e-16 is the default for 64-bit floats."""

SMALL_SHARE = 0.5
"""Share of the loss on other rows below which the loss on training rows is far below it."""


def has_probabilities(record: RunRecord) -> bool:
    """Whether some model predicts probabilities that vary."""
    return bool(record.varying_models())


# -- zero or one ------------------------------------------------------------------------------


def zero_or_one(record: RunRecord) -> Iterator[Issue]:
    """Rows to which a model gives the probability 0 or 1."""
    for model in record.with_probabilities():
        assert model.predictions is not None
        rows = pooled(model.predictions)
        zero = rows.proba == 0.0
        if not zero.any():
            continue
        wrong = bool(zero[np.arange(len(rows.codes)), rows.codes].any())
        what = _zeros(rows, zero, model)
        losses: dict[str, object] = {}
        if wrong:
            losses = {name: log_loss_at(model, clip) for name, clip in CLIPS.items()}
            consequence = (
                "Its {log_loss} is infinite without a clip ({loss_at_2e16:.4f} at a clip of "
                "2.2e-16, {loss_at_1e15:.4f} at 1e-15, {loss_at_1e6:.4f} at 1e-6)."
            )
        else:
            consequence = "One row of that class would make its {log_loss} infinite without a clip."
        text = f"{what.template}. {consequence} {_smoother(model)}"
        values = {**what.values, **losses, "model": model.name, "log_loss": LOG_LOSS}
        yield Issue("X201", wrong, sentence(text, **values), (model.name,))


def _zeros(rows: Pooled, zero: Any, model: ModelRecord) -> Sentence:
    """How many rows have the probability 0 or 1, and of how many it is wrong."""
    assert model.predictions is not None
    own = rows.codes[:, None] == np.arange(zero.shape[1])
    if zero.shape[1] > 2:
        return sentence(
            "{model} predicts exactly 0 for some class on {rows:,} rows, and for their own class "
            "on {wrong_rows:,} of them",
            rows=_distinct(rows, zero.any(axis=1)),
            wrong_rows=_distinct(rows, (zero & own).any(axis=1)),
        )
    texts, values = [], {}
    for p, k in ((0, 1), (1, 0)):
        if n := _distinct(rows, zero[:, k]):
            texts.append(
                f"exactly {p} for {{rows_with_{p}:,}} rows ({{wrong_rows_with_{p}:,}} of class "
                f"{{class_{k}}})"
            )
            values[f"rows_with_{p}"] = n
            values[f"wrong_rows_with_{p}"] = _distinct(rows, zero[:, k] & own[:, k])
    labels = {f"class_{k}": str(label) for k, label in enumerate(model.predictions.classes)}
    return sentence(f"{{model}} predicts {' and '.join(texts)}", **values, **labels)


def _distinct(rows: Pooled, chosen: Any) -> int:
    """Number of rows of the data set; a row is predicted once in each repeat."""
    return len(np.unique(rows.rows[chosen]))


def _smoother(model: ModelRecord) -> str:
    """What removes probabilities of 0 and 1; the tests of this check show that it does."""
    return "Raise min_samples_leaf or calibrate it." if has_leaves(model) else "Calibrate it."


def has_leaves(model: ModelRecord) -> bool:
    """Whether the smallest size of the leaves is a parameter of a model."""
    return any(name.split(".")[-1] == "min_samples_leaf" for name in model.parameters)


def log_loss_at(model: ModelRecord, clip: float) -> float:
    """Mean over the folds of the log loss with another clip."""
    assert model.predictions is not None
    loss = get_loss(LOG_LOSS)
    values = []
    for fold in model.predictions.folds:
        checked = dataclasses.replace(model.predictions.checked(fold), clip=clip)
        values.append(evaluate_checked(checked, [loss]).values[loss.name])
    return float(np.mean(values))


# -- the constant model -----------------------------------------------------------------------


def has_constant(record: RunRecord) -> bool:
    """Whether models can be compared with a constant one."""
    return bool(record.constant_models()) and any(m.predictions is not None for m in record.models)


def against_constant(record: RunRecord) -> tuple[str, dict[str, Difference], Uncertainty] | None:
    """Best constant model, and the difference of each other model to it, where there is one."""
    known = record.uncertainty
    if known is None or not has_constant(record):
        return None
    primary = record.about.primary
    constant = record.constant_models()
    reference = next((m for m in known.standing(primary).levels if m in constant), None)
    if reference is None:
        return None
    predictions = {
        model.name: model.predictions for model in record.models if model.predictions is not None
    }
    result = assess(predictions, [], primary, reference=reference)
    differences = {
        model.model: model.differences[primary]
        for model in result.models
        if not model.constant
        and primary in model.differences
        and model.differences[primary].reason is None
    }
    return reference, differences, result


def _named(reference: str) -> str:
    """Constant model in a sentence, with its name if it is a candidate."""
    return "constant class frequencies" if reference == CONSTANT else "the constant {reference}"


def worse_than_constant(record: RunRecord) -> Iterator[Issue]:
    """Models that are worse than constant class frequencies."""
    compared = against_constant(record)
    if compared is None:
        return
    reference, differences, result = compared
    standing = result.standing(record.about.primary)
    ps = [difference.p for difference in differences.values()]
    adjusted = holm(ps).tolist() if ps else []
    for (name, difference), p in zip(differences.items(), adjusted, strict=True):
        gap, low, high = standing.gap(name)
        if gap > 0.0 and p <= LEVEL:
            yield Issue(
                "X202",
                True,
                sentence(
                    "{model} is worse than " + _named(reference) + ": {metric} {value:.4f}, "
                    "worse by {difference:.4f} ({confidence:.0%} interval {low:.4f} to "
                    "{high:.4f}).",
                    model=name,
                    reference=reference,
                    metric=standing.name,
                    value=standing.levels[name].mean,
                    difference=gap,
                    low=low,
                    high=high,
                    confidence=difference.confidence,
                ),
                (name,),
            )


def not_better_than_constant(record: RunRecord) -> Iterator[Issue]:
    """Whether the best model is not shown to be better than a constant one."""
    known = record.uncertainty
    if known is None:
        return
    standing = known.standing(record.about.primary)
    for name in standing.constant_rivals():
        gap, low, high = standing.gap(name)
        if standing.differences[name].reason is not None or not low <= 0.0 <= high:
            continue
        start = "The best model, {model}," if standing.rivals() else "{model}"
        word = "better"
        if gap < 0.0:
            word, gap, low, high = "worse", -gap, -high, -low
        yield Issue(
            "X203",
            True,
            sentence(
                f"{start} is not shown to be better than {_named(name)} ({word} by "
                "{difference:.4f}, {confidence:.0%} interval {low:.4f} to {high:.4f}).",
                model=standing.best,
                reference=name,
                difference=gap,
                low=low,
                high=high,
                confidence=standing.differences[name].confidence,
            ),
            (str(standing.best),),
        )
        return


def not_finite(record: RunRecord) -> Iterator[Issue]:
    """Models whose shown losses and metrics are infinite or undefined."""
    constant = record.constant_models()
    shown = record.board.shown()
    for row in record.board.ranked():
        if row.reason is not None or row.model in constant:
            continue
        for name in shown:
            value = row.mean.get(name, 0.0)
            if not math.isfinite(value):
                known = record.uncertainty and record.uncertainty.model(row.model)
                why = known.undefined.get(name, "") if known else ""
                yield Issue(
                    "X204",
                    name == record.about.primary,
                    sentence(
                        "{model}: {metric} is {value}" + (": {why}." if why else "."),
                        model=row.model,
                        metric=name,
                        value=value,
                        why=why,
                    ),
                    (row.model,),
                )


# -- tenths of the scores ---------------------------------------------------------------------


def classes_of(model: ModelRecord) -> list[int]:
    """Positions of the classes that are compared with the rest: the second of two, or all."""
    assert model.predictions is not None
    n_classes = len(model.predictions.classes)
    return [1] if n_classes == 2 else list(range(n_classes))


def of_first_repeat(model: ModelRecord) -> str:
    """Sentence that says which rows were read, if there are several repeats."""
    assert model.predictions is not None
    return " These are rows of the first repeat." if model.predictions.folds[-1].repeat else ""


def reversed_tenths(record: RunRecord) -> Iterator[Issue]:
    """Neighbouring tenths of the scores whose rates are in the wrong order."""
    reversals = {model.name: _reversal(model) for model in record.varying_models()}
    without = [name for name, found in reversals.items() if found is None]
    for name, found in reversals.items():
        if found is not None:
            text = found.template + (" The test finds none for {others}." if without else "")
            values = {**found.values, "model": name, "others": and_list(without, most=4)}
            yield Issue("X205", True, sentence(text, **values), (name,))


def _reversal(model: ModelRecord) -> Sentence | None:
    """The clearest step in the wrong order; None if chance can explain all of them."""
    from scipy.stats import norm

    assert model.predictions is not None
    rows = rows_of(model)
    classes = classes_of(model)
    n_tests = (N_TENTHS - 1) * len(classes)
    steps: list[tuple[float, int, Tenth, Tenth]] = []
    for k in classes:
        parts = tenths(rows, k)
        for higher, lower in pairwise(parts):
            if lower.rate > higher.rate:
                z = z_of_rise(rows, k, higher.place, lower.place)
                if not math.isnan(z):
                    steps.append((z, k, higher, lower))
    if not steps:
        return None
    z, k, higher, lower = max(steps, key=lambda step: step[0])
    p = min(1.0, n_tests * float(norm.sf(z)))
    if p > LEVEL:
        return None
    return sentence(
        "{model} has more rows of class {label} at lower scores: {rate:.1%} in tenth {tenth} of "
        "its scores (1 is the highest), {next_rate:.1%} in tenth {next_tenth} (z = {z:.1f}, p = "
        "{adjusted_p:.2g} adjusted for {comparisons} comparisons)." + of_first_repeat(model),
        label=str(model.predictions.classes[k]),
        rate=higher.rate,
        next_rate=lower.rate,
        tenth=higher.number,
        next_tenth=lower.number,
        z=z,
        adjusted_p=p,
        comparisons=n_tests,
    )


# -- calibration and overfit ------------------------------------------------------------------


def miscalibrated(record: RunRecord) -> Iterator[Issue]:
    """Models whose probabilities differ from the rates by more than chance explains."""
    for model in record.varying_models():
        rows = rows_of(model)
        found = [part for part in (_worst_tenth(model, rows), _map(model, rows)) if part]
        if found:
            texts = " ".join(text.template for _, text in found) + of_first_repeat(model)
            values = {name: value for _, text in found for name, value in text.values.items()}
            yield Issue(
                "X206",
                any(serious for serious, _ in found),
                sentence(f"{{model}} is miscalibrated. {texts}", model=model.name, **values),
                (model.name,),
            )


def _worst_tenth(model: ModelRecord, rows: Pooled) -> tuple[bool, Sentence] | None:
    """The tenth whose rate differs most from the mean probability, in standard errors."""
    from scipy.stats import norm

    assert model.predictions is not None
    classes = classes_of(model)
    known = [(abs(t.z), k, t) for k in classes for t in tenths(rows, k) if not math.isnan(t.z)]
    if not known:
        return None
    z, k, tenth = max(known, key=lambda one: one[0])
    p = min(1.0, 2.0 * float(norm.sf(z)) * N_TENTHS * len(classes))
    if p > LEVEL_OF_CALIBRATION / 2.0:
        return None
    base = float(np.average(rows.codes == k, weights=rows.sample_weight))
    return abs(tenth.rate - tenth.predicted) >= 0.25 * min(base, 1.0 - base), sentence(
        "In tenth {tenth} of its scores (1 is the highest) it predicts {predicted:.1%} for class "
        "{label} where {rate:.1%} are observed ({rows:,} rows).",
        label=str(model.predictions.classes[k]),
        tenth=tenth.number,
        predicted=tenth.predicted,
        rate=tenth.rate,
        rows=tenth.n_rows,
    )


def _map(model: ModelRecord, rows: Pooled) -> tuple[bool, Sentence] | None:
    """What a recalibration map with few parameters would save, if a test rejects calibration."""
    assert model.predictions is not None
    family = "logit_line" if rows.proba.shape[1] == 2 else "temperature_biases"
    result = decompose(
        rows.y,
        rows.proba,
        LOG_LOSS,
        family=family,
        labels=model.predictions.classes,
        sample_weight=rows.sample_weight,
        groups=rows.groups,
    )
    if not result.p <= LEVEL_OF_CALIBRATION / 2.0 or result.saves <= 0.0:
        return None
    return result.saves >= 0.01 * result.score, sentence(
        "Recalibration by {family} would lower its {log_loss} by at least {saved_loss:.4f}.",
        log_loss=LOG_LOSS,
        family="a line in the log-odds" if family == "logit_line" else "a temperature and biases",
        saved_loss=result.saves,
    )


def has_training_losses(record: RunRecord) -> bool:
    """Whether losses on training rows were stored."""
    return any(model.train_values for model in record.models)


def overfit(record: RunRecord) -> Iterator[Issue]:
    """Models whose loss is far lower on the rows they were trained on."""
    for model in record.models:
        for name, values in model.train_values.items():
            if name not in LOSSES or name not in model.fold_values:
                continue
            train, other = (np.asarray(v, dtype=float) for v in (values, model.fold_values[name]))
            if train.mean() >= SMALL_SHARE * other.mean():
                continue
            yield Issue(
                "X207",
                False,
                sentence(
                    "{model} has {metric} {training_loss:.4f} on rows that it was trained on, and "
                    "{loss:.4f} on other rows."
                    + (" A larger min_samples_leaf may lower it." if has_leaves(model) else ""),
                    model=model.name,
                    metric=name,
                    training_loss=float(train.mean()),
                    loss=float(other.mean()),
                ),
                (model.name,),
            )
            break
