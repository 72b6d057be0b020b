"""What calibration saved, beside what the decomposition of the loss promised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from xentexp.errors import InputError
from xentexp.experiments._assess import assess
from xentexp.experiments._formatting import (
    Sentence,
    counted,
    decimals_for,
    finite_or_none,
    sentence,
    signed,
)
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._record import ModelRecord, pooled
from xentexp.inference import decompose
from xentexp.losses import Loss
from xentexp.metrics._registry import get_loss

_FAMILIES = {"sigmoid": "logit_line", "temperature": "temperature"}
"""Family of maps of `decompose` for each method; the first is only for two classes."""
_WORDS = {"sigmoid": "a line in the log-odds", "temperature": "one temperature"}


@dataclass(frozen=True)
class Saving:
    """Loss of a model before and after its calibration; NaN where a value is not defined."""

    model: str  # without calibration
    calibrated: str
    method: str
    loss: str
    before: float = math.nan
    after: float = math.nan
    saved: float = math.nan  # before minus after
    low: float = math.nan  # limits of the interval of `saved`
    high: float = math.nan
    confidence: float = math.nan
    standard_error: float = math.nan
    at_most: float = math.nan  # best increasing map of these rows, for two classes
    expected: float = math.nan  # saved by the parametric family of the method
    n_zero: int = 0  # rows to whose true class the calibrated model gives the probability 0
    reason: str | None = None  # why there is no value or no interval

    @property
    def decimals(self) -> int:
        """Decimals of all values."""
        values = (self.before, self.after, self.saved, self.at_most, self.expected)
        return decimals_for(values, [self.standard_error])

    def to_record(self) -> dict[str, Any]:
        """Record for JSON; NaN and infinite values become None."""
        return {
            key: finite_or_none(value) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


def loss_for(primary: str, predictions: Predictions, *, proper: bool = False) -> Loss:
    """The primary loss if it is one of probabilities that applies, else the log loss."""
    log_loss = get_loss("categorical_crossentropy")
    try:
        loss = get_loss(primary)
    except InputError:  # a metric of all rows, or a loss of a plug-in that is not installed here
        return log_loss
    known = loss.properties
    usable = known.response == "predict_proba" and known.targets != "multilabel"
    if not usable or (proper and known.properness not in ("proper", "strictly proper")):
        return log_loss
    return log_loss if loss.why_not(predictions.checked(predictions.folds[0])) else loss


def savings(models: Iterable[ModelRecord], primary: str) -> list[Saving]:
    """What each calibration saved, by model; empty without calibrated models."""
    by_name = {model.name: model for model in models}
    calibrated: dict[str, list[ModelRecord]] = {}
    for model in by_name.values():
        if (of := model.parameters.get("calibration.of")) in by_name:
            calibrated.setdefault(str(of), []).append(model)
    known = (m.predictions for m in by_name.values() if _has_proba(m.predictions))
    predictions = next((p for p in known if p is not None), None)
    if predictions is None:
        return []
    loss = loss_for(primary, predictions, proper=True)
    found: list[Saving] = []
    for name in by_name:
        if name in calibrated:
            found += _of_model(by_name[name], calibrated[name], loss)
    return found


def _has_proba(predictions: Predictions | None) -> bool:
    return predictions is not None and all(fold.proba is not None for fold in predictions.folds)


def _of_model(
    model: ModelRecord, calibrated: Sequence[ModelRecord], loss: Loss
) -> Iterator[Saving]:
    """Savings of the methods of one model, from paired differences over the same rows."""
    compared = {m.name: m.predictions for m in (model, *calibrated) if _has_proba(m.predictions)}
    usable = {name: p for name, p in compared.items() if p is not None}
    reference = model.name if model.name in usable else None
    known = assess(usable, [], loss, reference=reference) if usable else None
    at_most = _promise(model.predictions, loss, "isotonic") if reference else math.nan
    for other in calibrated:
        method = other.parameters["calibration.method"]
        n_zero = _n_zero(other.predictions) if other.name in usable else 0
        saving = Saving(model.name, other.name, method, loss.name, at_most=at_most, n_zero=n_zero)
        own = None if known is None else known.model(other.name)
        base = None if known is None else known.model(model.name)
        if own is None:
            yield replace(saving, reason=f"{other.name} failed")
            continue
        saving = replace(saving, after=own.levels[loss.name].mean)
        if base is None:
            failed = model.predictions is None
            reason = f"{model.name} failed" if failed else f"{model.name} has no probabilities"
            yield replace(saving, reason=reason)
            continue
        difference = own.differences[loss.name]
        yield replace(
            saving,
            before=base.levels[loss.name].mean,
            saved=-difference.difference,
            low=-difference.high,
            high=-difference.low,
            confidence=difference.confidence,
            standard_error=difference.standard_error,
            expected=_promise(model.predictions, loss, _FAMILIES.get(method)),
            reason=difference.reason,
        )


def _n_zero(predictions: Predictions | None) -> int:
    """Rows whose true class gets the probability 0, up to rounding."""
    if predictions is None:
        return 0
    rows = pooled(predictions)
    true = rows.proba[np.arange(len(rows.codes)), rows.codes]
    return int((true <= np.finfo(np.float64).eps).sum())


def _promise(predictions: Predictions | None, loss: Loss, family: str | None) -> float:
    """Miscalibration of the rows of the first repeat; NaN where the family is not defined."""
    if predictions is None or family is None:
        return math.nan
    if len(predictions.classes) > 2 and family in ("isotonic", "logit_line"):
        return math.nan
    rows = pooled(replace(predictions, folds=tuple(f for f in predictions.folds if not f.repeat)))
    try:
        # The draws are for the p-value and the reference, which are not used here.
        found = decompose(
            rows.y,
            rows.proba,
            loss,
            family=family,
            labels=predictions.classes,
            sample_weight=rows.sample_weight,
            groups=rows.groups,
            n_draws=1,
        )
    except InputError:  # e.g. a loss whose parameters make it improper
        return math.nan
    return found.miscalibration


def saving_sentence(saving: Saving) -> Sentence:
    """What a calibration saved, how sure that is, and what was promised."""
    number = f".{saving.decimals}f"
    values: dict[str, object] = {
        "method": saving.method.capitalize(),
        "model": saving.model,
        "loss": saving.loss,
        "reason": saving.reason,
        "after": saving.after,
        "level": saving.confidence,
    }
    if math.isnan(saving.saved):
        if math.isnan(saving.after):
            return sentence("{method} calibration of {model}: no loss, because {reason}.", **values)
        text = f"{{method}} calibration of {{model}}: {{loss}} {{after:{number}}}; {{reason}}, so "
        return sentence(f"{text}that there is no loss before.", **values)
    start = "{method} calibration of {model} "
    limits = (saving.low, saving.high)
    if not math.isfinite(saving.saved):
        start += f"changes {{loss}} from {{before:{number}}} to {{after:{number}}}"
        values["before"] = saving.before
        return sentence(f"{start}.", **values)
    if saving.saved == 0.0:
        start += "does not change {loss}"
    elif saving.saved < 0.0:
        start += "raises {loss} by {by}"
        values["by"] = signed(-saving.saved, saving.decimals)
        limits = (-saving.high, -saving.low)
    else:
        start += f"lowers {{loss}} by {{saved:{number}}}"
        values["saved"] = saving.saved
    if saving.reason is not None:
        start += " (no interval: {reason})"
    elif saving.saved:
        values["interval"] = " to ".join(signed(limit, saving.decimals) for limit in limits)
        is_open = "; the direction is open" if limits[0] <= 0.0 <= limits[1] else ""
        start += f" ({{level:.0%}} interval {{interval}}{is_open})"
    promises = []
    if not math.isnan(saving.at_most):
        values["at_most"] = saving.at_most
        promises.append(f"at most {{at_most:{number}}}")
    if not math.isnan(saving.expected):
        values |= {"expected": saving.expected, "map": _WORDS[saving.method]}
        promises.append(f"{{expected:{number}}} with {{map}}")
    if promises:
        but = ", although" if saving.saved < 0.0 else ";"
        start += f"{but} the decomposition promised {', and '.join(promises)}"
    if saving.n_zero:
        start += ". It gives the true class the probability 0 in {rows}"
        values["rows"] = counted(saving.n_zero, "row")
    return sentence(f"{start}.", **values)


def loss_note(found: Sequence[Saving], primary: str) -> str | None:
    """Sentence if the loss is not the primary one; None if it is."""
    if not found or found[0].loss == primary:
        return None
    return (
        f"The loss is {found[0].loss}, because {primary} is not a proper loss of these "
        f"probabilities."
    )


def rule_of(found: Sequence[Saving]) -> str:
    """What the promises are; empty without any."""
    rule = ""
    if any(not math.isnan(saving.at_most) for saving in found):
        rule += (
            "Promised at most: the miscalibration of the model, which the best increasing map of "
            "the same rows would save (isotonic regression); a calibrator has to learn its map and "
            "saves less. "
        )
    if any(not math.isnan(saving.expected) for saving in found):
        rule += (
            "Promised for the method: what a line in the log-odds (sigmoid) or one temperature "
            "would save, less the optimism of its fit."
        )
    return rule.strip()


def chief(found: Sequence[Saving]) -> list[Saving]:
    """Of each model, the method with the lowest loss and those that are shown to raise it."""
    chosen = []
    for model in dict.fromkeys(saving.model for saving in found):
        of_model = [saving for saving in found if saving.model == model]
        best = min(of_model, key=lambda s: math.inf if math.isnan(s.after) else s.after)
        chosen += [s for s in of_model if s is best or (s.high < 0.0 and s.reason is None)]
    return chosen


def interval_text(saving: Saving) -> str:
    """Interval of what is saved, in brackets; words without one."""
    if math.isnan(saving.low) or saving.reason is not None:
        return "no interval"
    return f"[{signed(saving.low, saving.decimals)}, {signed(saving.high, saving.decimals)}]"
