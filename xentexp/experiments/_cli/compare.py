"""`xentexp compare`: paired comparison of models of earlier runs."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xentexp._inputs.options import check_number
from xentexp.errors import InputError
from xentexp.experiments._assess import assess
from xentexp.experiments._cli.terminal import print_json, print_sentence, print_table, say
from xentexp.experiments._formatting import and_list, decimals_for, finite_or_none, signed
from xentexp.experiments._predictions import Predictions
from xentexp.experiments._ranking import better, distance, higher_is_better
from xentexp.experiments._sentences import Standing, default_margin, margin_rule
from xentexp.experiments._tracking.find_runs import StoredModel
from xentexp.experiments._uncertainty import ModelUncertainty, Uncertainty
from xentexp.inference import Difference, Equivalence, Interval, equivalence, holm
from xentexp.inference._intervals import TARGETS
from xentexp.losses import load_plugins
from xentexp.metrics._base import Metric
from xentexp.metrics._registry import get_metrics


@dataclass(frozen=True)
class Margin:
    """Difference that does not matter in practice: a number, or a share of the best value."""

    value: float
    relative: bool

    def of(self, name: str, best: float) -> float:
        """Margin in the units of a loss or metric, given its best value."""
        return self.value * 100.0 * default_margin(name, best) if self.relative else self.value

    def words(self, name: str) -> str:
        """How the margin was chosen."""
        if not self.relative:
            return "as given"
        return margin_rule(name).replace("1%", f"{self.value * 100.0:g}%", 1)


@dataclass(frozen=True)
class Claim:
    """Claim of --require about the first model: better than, or not worse than, each other."""

    text: str
    margin: Margin | None  # None: better


@dataclass(frozen=True)
class Against:
    """A model compared with the reference by one loss or metric."""

    model: str
    level: Interval | None
    difference: Difference | None  # model minus reference
    gap: tuple[float, float, float]  # how much worse than the reference, with its interval
    p_adjusted: float
    equivalence: Equivalence | None  # better: the model is better than the reference
    undefined: str | None

    @property
    def tested(self) -> bool:
        """Whether the difference has an interval."""
        return self.difference is not None and self.difference.reason is None


@dataclass(frozen=True)
class Compared:
    """All models compared with the reference by one loss or metric."""

    name: str
    reference: str
    level: Interval | None
    undefined: str | None
    margin: float
    margin_words: str
    others: tuple[Against, ...]
    confidence: float

    def unlike(self, other: Against) -> bool:
        """Whether the model can be told from the reference, after the adjustment (Holm)."""
        return other.p_adjusted <= 1.0 - self.confidence

    @property
    def decimals(self) -> int:
        """Decimals of values and differences."""
        levels = [level.mean for level in (self.level, *(o.level for o in self.others)) if level]
        differences = [o.difference for o in self.others if o.difference is not None]
        return decimals_for(levels, [difference.standard_error for difference in differences])


def compare(options: argparse.Namespace) -> int:
    """`xentexp compare`."""
    claim = None if options.require is None else parse_claim(options.require)
    margin = Margin(0.01, True) if options.margin is None else parse_margin(options.margin)
    check_number("confidence", options.confidence, 0.5, 0.9999)
    load_plugins()
    chosen = None if options.losses is None else get_metrics(options.losses.split(","))
    groups, predictions = _read(options)
    models = {model.run_id: model for group in groups for model in group}
    if len(models) < 2:
        raise InputError(
            f"compare needs at least two models; got {and_list(_labels(models.values()))}"
        )
    first = groups[0][0] if len(groups[0]) == 1 else None
    if claim is not None and first is None:
        raise InputError(
            f"--require is about one model; the first argument stands for {len(groups[0])}; name "
            f"the model first that must be {claim.text}"
        )
    labels = dict(zip(models, _labels(models.values()), strict=True))
    measures = chosen or get_metrics([groups[0][0].primary])
    if not margin.relative and len(measures) > 1:
        raise InputError(
            f"--margin must be a percentage if several losses are compared; got {options.margin}"
        )
    _check_rows(models, predictions)
    named = {labels[run_id]: predicted for run_id, predicted in predictions.items()}
    check_priors(named, measures)
    reference = None if first is None else labels[first.run_id]
    results, warnings = compare_models(
        named, measures, reference, margin=margin, confidence=options.confidence
    )
    notes = [*old_notes(models.values(), predictions, labels), *warnings]
    if all(result.level is None for result in results):
        raise InputError(
            f"{results[0].name} has no value for {results[0].reference}: {results[0].undefined}"
        )
    verdict = None if claim is None else _verdict(claim, results)
    if options.json:
        print_json(_document(results, models, labels, notes, claim, verdict))
    else:
        for result in results:
            _print(result)
        for note in notes:
            print_sentence(f"note: {note}")
        if verdict is not None:
            print_sentence(verdict[1])
    return 0 if verdict is None or verdict[0] else 1


def _check_rows(models: Mapping[str, StoredModel], predictions: Mapping[str, Predictions]) -> None:
    """Refuse models whose predictions are of other rows, labels or folds than the first."""
    first, *others = models.values()
    for other in others:
        reason = predictions[first.run_id].same_rows(predictions[other.run_id])
        if reason is not None:
            raise InputError(
                f"models must have predictions of the same rows in the same folds; got "
                f"{first.describe()} and {other.describe()}: {reason}"
            )


def parse_margin(text: str, name: str = "--margin") -> Margin:
    """Read a margin: a number in the units of the loss, or a percentage of the best value."""
    number = re.fullmatch(r"(\d+(?:\.\d*)?(?:e-?\d+)?|\.\d+)(\s*%)?", text.strip())
    if number is None:
        raise InputError(
            f"{name} must be a number of at least 0 or a percentage such as 1%; got {text!r}"
        )
    relative = number[2] is not None
    return Margin(float(number[1]) / (100.0 if relative else 1.0), relative)


def parse_claim(text: str) -> Claim:
    """Read the claim of --require."""
    words = " ".join(text.split())
    if words == "better":
        return Claim("better", None)
    if words.startswith("not worse by "):
        return Claim(words, parse_margin(words.removeprefix("not worse by "), "MARGIN"))
    raise InputError(
        f'--require must be "better" or "not worse by MARGIN", e.g. "not worse by 1%"; got {text!r}'
    )


def check_priors(predictions: Mapping[str, Predictions], measures: Iterable[Metric]) -> None:
    """Refuse metrics that need class frequencies of training parts which are not stored."""
    needing = [
        measure.name
        for measure in measures
        if getattr(measure.properties, "prior", False)
        and getattr(measure, "null", "training prior") == "training prior"
    ]
    for model, predicted in predictions.items():
        if needing and any(fold.prior is None for fold in predicted.folds):
            raise InputError(
                f"{and_list(needing)} needs the class frequencies of the training rows, which the "
                f"stored predictions of {model} do not have (an older version of xentexp wrote "
                f"them, with one test part or folds in time order); run the model again"
            )


def compare_models(
    predictions: Mapping[str, Predictions],
    measures: Sequence[Metric],
    reference: str | None,
    *,
    margin: Margin,
    confidence: float,
) -> tuple[list[Compared], list[str]]:
    """Compare models with a reference (None: the best), by each loss or metric; and warnings."""
    # The rows of the first model decide on groups, so one that has them comes first.
    first = sorted(predictions, key=lambda model: predictions[model].folds[0].groups is None)
    ordered = {model: predictions[model] for model in first}
    primary = measures[0]
    if reference is None:
        plain = assess(ordered, measures, primary, confidence=confidence)
        reference = plain.best.get(primary.name, first[0])
    found = assess(ordered, measures, primary, confidence=confidence, reference=reference)
    models = [model for model in predictions if model != reference]
    results = [
        _compared(found, measure.name, reference, models, margin, confidence)
        for measure in measures
    ]
    return results, list(found.warnings)


def _compared(
    found: Uncertainty,
    name: str,
    reference: str,
    models: Sequence[str],
    margin: Margin,
    confidence: float,
) -> Compared:
    standing = found.standing(name)
    finite = [
        standing.levels[model].mean
        for model in (reference, *models)
        if model in standing.levels and math.isfinite(standing.levels[model].mean)
    ]
    best = min(finite, key=lambda value: distance(name, value), default=math.nan)
    size = margin.of(name, best)
    tested = [
        model
        for model in models
        if model in standing.differences and standing.differences[model].reason is None
    ]
    adjusted = dict(
        zip(tested, holm([standing.differences[model].p for model in tested]), strict=True)
    )
    return Compared(
        name,
        reference,
        standing.levels.get(reference),
        _why_not(found.model(reference), name),
        size,
        margin.words(name),
        tuple(
            _against(standing, found.model(model), model, name, size, adjusted, confidence)
            for model in models
        ),
        confidence,
    )


def _against(
    standing: Standing,
    model_uncertainty: ModelUncertainty | None,
    model: str,
    name: str,
    margin: float,
    adjusted: Mapping[str, float],
    confidence: float,
) -> Against:
    difference = standing.differences.get(model)
    equivalent = None
    if model in adjusted and difference is not None and math.isfinite(margin):
        equivalent = equivalence(
            difference,
            margin=margin,
            higher_is_better=higher_is_better(name),
            confidence=confidence,
        )
    nan = (math.nan, math.nan, math.nan)
    return Against(
        model,
        standing.levels.get(model),
        difference,
        nan if difference is None else standing.gap(model),
        float(adjusted.get(model, math.nan)),
        equivalent,
        _why_not(model_uncertainty, name),
    )


def _why_not(model: ModelUncertainty | None, name: str) -> str | None:
    return None if model is None else model.undefined.get(name)


def _verdict(claim: Claim, results: Sequence[Compared]) -> tuple[bool, str]:
    """Whether a claim holds, and why, in one sentence."""
    failures: list[str] = []
    successes: list[str] = []
    for result in results:
        if (better(result.name) or ("nearest", 0.0))[0] == "nearest":
            raise InputError(
                f"--require needs a loss or metric of which lower or higher values are better; got "
                f"{result.name}"
            )
        limit = 0.0
        if claim.margin is not None:
            values = [result.level, *(other.level for other in result.others)]
            finite = [level.mean for level in values if level and math.isfinite(level.mean)]
            best = min(finite, key=lambda value: distance(result.name, value), default=math.nan)
            limit = claim.margin.of(result.name, best)
        for other in result.others:
            low = other.gap[1]
            holds = other.tested and (low > 0.0 if claim.margin is None else low >= -limit)
            (successes if holds else failures).append(_because(claim, result, other, limit))
    confidence, level = f"{results[0].confidence:.0%}", (1.0 - results[0].confidence) / 2.0
    rule = (
        f"Rule: the whole {confidence} interval, the wider of rows and folds, must lie on that "
        f"side, which is a one-sided test at {level:.3g}."
    )
    start = f'The claim "{results[0].reference} is {claim.text}"'
    if failures:
        return False, f"{start} does not hold. {' '.join(failures)} {rule}"
    return True, f"{start} holds. {' '.join(successes)} {rule}"


def _because(claim: Claim, result: Compared, other: Against, limit: float) -> str:
    """What decides on a claim about one other model."""
    if other.difference is None or result.level is None:
        why = result.undefined or other.undefined or "it is not defined for both"
        return f"By {result.name}, {result.reference} and {other.model} are not compared ({why})."
    if other.difference.reason is not None:
        return (
            f"The difference of {result.name} to {other.model} has no interval "
            f"({other.difference.reason})."
        )
    gap, low, high = other.gap
    side = "better" if gap >= 0.0 else "worse"
    if gap < 0.0:
        gap, low, high = -gap, -high, -low
    d = result.decimals
    allowed = "" if claim.margin is None else f"; the margin is {signed(limit, d)}"
    return (
        f"By {result.name}, {result.reference} is {signed(gap, d)} {side} than {other.model} "
        f"({result.confidence:.0%} interval {signed(low, d)} to {signed(high, d)}{allowed})."
    )


def answer(result: Compared) -> str:
    """Whether the reference is better or worse than the others, by how much and how sure."""
    name, reference = result.name, result.reference
    if result.level is None:
        return f"{name} has no value for {reference}: {result.undefined}."
    if len(result.others) == 1:
        return _answer_on_one(result, result.others[0])
    groups: dict[str, list[str]] = {}
    for other in result.others:
        if not other.tested:
            word = "not compared with"
        elif not result.unlike(other):
            word = "cannot be told apart from"
        else:
            word = "is better than" if other.gap[0] > 0.0 else "is worse than"
        groups.setdefault(word, []).append(other.model)
    parts = [
        f"{word.replace('not compared', 'is not compared')} {and_list(models)}"
        for word, models in groups.items()
    ]
    text = f"By {name}, {reference} {and_list(parts)}"
    if any(other.tested for other in result.others):
        return (
            f"{text} (two-sided tests at {1 - result.confidence:.2g}, adjusted for their number)."
        )
    if all(other.difference is None and other.undefined is None for other in result.others):
        return f"{text}: differences of {name} are not tested."
    return f"{text}."


def _answer_on_one(result: Compared, other: Against) -> str:
    name, reference, decimals = result.name, result.reference, result.decimals
    if other.difference is None:
        why = other.undefined or f"differences of {name} are not tested"
        return f"{reference} and {other.model} are not compared by {name}: {why}."
    gap, low, high = other.gap
    if other.difference.reason is not None:
        return (
            f"{reference} and {other.model} cannot be told apart by {name}: there is no interval "
            f"of the difference, {other.difference.reason}."
        )
    if gap == low == high == 0.0:
        return f"{reference} and {other.model} have the same {name}."
    side = "higher" if (gap > 0.0) == higher_is_better(name) else "lower"
    if gap < 0.0:
        low, high = -high, -low
    size = (
        f"{signed(abs(gap), decimals)} {side} ({result.confidence:.0%} interval "
        f"{signed(low, decimals)} to {signed(high, decimals)}; "
        f"for {TARGETS[other.difference.target]})"
    )
    if not result.unlike(other):
        return (
            f"{reference} and {other.model} cannot be told apart: {name} of {reference} is {size}."
        )
    word = "better" if gap > 0.0 else "worse"
    return f"{reference} is {word} than {other.model}: its {name} is {size}."


def _print(result: Compared) -> None:
    d, percent = result.decimals, f"[{result.confidence:.0%} interval]"
    rows = [[result.reference, _level_cell(result.level, d), "reference", "", "", "", ""]]
    for other in result.others:
        cells = ["undefined" if other.level is None else "not tested", "", "", "", ""]
        if other.difference is not None:
            difference = other.difference
            mark = "" if not other.tested or result.unlike(other) else " *"
            cells = [
                _with_interval(difference, difference.difference, d, sign="+") + mark,
                "" if math.isnan(difference.p) else f"{difference.p:.2g}",
                *_chances(other.equivalence),
            ]
        rows.append([other.model, _level_cell(other.level, d), *cells])
    print_table(
        ["model", f"value {percent}", f"difference {percent}", "p", "better", "equal", "worse"],
        rows,
        title=f"{result.name}: difference to {result.reference}",
    )
    for line in (answer(result), *_legend(result)):
        print_sentence(line)
    say("")


def _legend(result: Compared) -> Iterable[str]:
    """Meaning of the columns, and how intervals were computed."""
    if any(other.equivalence for other in result.others):
        yield (
            f"better, equal, worse: probability that the model is better or worse than "
            f"{result.reference} by more than the margin {result.margin:.2g} "
            f"({result.margin_words}), or differs by less"
        )
    if any(other.tested and not result.unlike(other) for other in result.others):
        yield f"*: cannot be told from {result.reference} (Holm, two-sided, wider interval)"
    yield from _of_values(result)
    methods: dict[str, list[str]] = {}
    for other in result.others:
        if other.difference is not None:
            difference = other.difference
            text = f"{difference.method}; about {TARGETS[difference.target]}"
            if difference.reason is not None:
                text = f"none, because {difference.reason}"
            methods.setdefault(text, []).append(other.model)
        elif other.undefined is not None:
            yield f"{other.model}: {result.name} is undefined: {other.undefined}"
    for text, models in methods.items():
        yield f"interval of the difference ({', '.join(models)}): {text}"


def _of_values(result: Compared) -> Iterable[str]:
    """How the intervals of the values were computed, or why there are none; each text once."""
    levels = {result.reference: result.level, **{o.model: o.level for o in result.others}}
    of_text: dict[str, list[str]] = {}
    for model, level in levels.items():
        if level is not None:
            text = f"{level.method}; about {TARGETS[level.target]}"
            if level.reason is not None:
                text = f"none, because {level.reason}"
            of_text.setdefault(text, []).append(model)
    for text, models in of_text.items():
        yield f"interval of the value ({', '.join(models)}): {text}"


def _level_cell(level: Interval | None, decimals: int) -> str:
    return "undefined" if level is None else _with_interval(level, level.mean, decimals)


def _with_interval(
    about: Interval | Difference, value: float, decimals: int, *, sign: str = ""
) -> str:
    limits = ", ".join(signed(limit, decimals, sign=sign) for limit in (about.low, about.high))
    shown = "no interval" if math.isnan(about.low) or math.isnan(about.high) else limits
    return f"{signed(value, decimals, sign=sign)} [{shown}]"


def interval_text(low: float, high: float, decimals: int, *, sign: str = "") -> str:
    """Limits of an interval; none if there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return "none"
    return f"{signed(low, decimals, sign=sign)} to {signed(high, decimals, sign=sign)}"


def _chances(found: Equivalence | None) -> list[str]:
    if found is None or found.reason is not None:
        return ["", "", ""]
    return [f"{chance:.3f}" for chance in (found.better, found.equivalent, found.worse)]


def _read(
    options: argparse.Namespace,
) -> tuple[list[tuple[StoredModel, ...]], dict[str, Predictions]]:
    """Models of each argument, and their predictions by run id."""
    from xentexp.experiments._tracking import find_runs
    from xentexp.experiments._tracking.connect import open_client, store_errors, store_uri

    uri = store_uri(options.store)
    client = open_client(uri, create=False)
    with store_errors(uri):
        groups = [
            *(find_runs.find_models(client, word, options.experiment) for word in options.models),
            *(
                find_runs.filtered_models(client, condition, options.experiment)
                for condition in options.filter
            ),
        ]
        if not groups:
            raise InputError(
                "compare needs models: names, ids of runs, or --filter; `xentexp leaderboard` "
                "lists the models of the latest run"
            )
        predictions = {}
        for group in groups:
            # Of a run with several models, those that failed are left out.
            able = tuple(model for model in group if model.error is None)
            kept = able if len(group) > 1 and able else group
            groups[groups.index(group)] = kept
            for model in kept:
                if model.run_id not in predictions:
                    predictions[model.run_id] = find_runs.stored_predictions(client, uri, model)
    return groups, predictions


def _labels(models: Iterable[StoredModel]) -> list[str]:
    """Names of models, with the beginning of the id where a name is not unique."""
    models = list(models)
    names = [model.name for model in models]
    return [
        model.name if names.count(model.name) == 1 else f"{model.name} ({model.run_id[:8]})"
        for model in models
    ]


def old_notes(
    models: Iterable[StoredModel],
    predictions: Mapping[str, Predictions],
    labels: Mapping[str, str],
) -> Iterable[str]:
    """What predictions of version 1 lack."""
    if any(p.folds[0].groups is not None for p in predictions.values()):
        return
    old = [model for model in models if predictions[model.run_id].version == 1]
    if not old:
        return
    entities = next((m.params["entities.number"] for m in old if "entities.number" in m.params), "")
    known = f" ({int(entities):,} entities)" if entities.isdigit() else ""
    yield (
        f"an older version of xentexp stored the predictions of "
        f"{and_list([labels[model.run_id] for model in old])}, without the groups of the rows"
        f"{known}: the rows were taken as independent. If rows belong together, the intervals are "
        f"too narrow; run the models again for intervals that are clustered by group."
    )


def _document(
    results: Sequence[Compared],
    models: Mapping[str, StoredModel],
    labels: Mapping[str, str],
    notes: Sequence[str],
    claim: Claim | None,
    verdict: tuple[bool, str] | None,
) -> dict[str, Any]:
    """JSON document; numbers that do not exist are null."""
    return {
        "reference": results[0].reference,
        "confidence": results[0].confidence,
        "models": [
            {
                "model": labels[run_id],
                "run_id": run_id,
                "parent_run_id": model.parent,
                "experiment": model.experiment,
            }
            for run_id, model in models.items()
        ],
        "comparisons": [
            {
                "loss": result.name,
                "answer": answer(result),
                "margin": finite_or_none(result.margin),
                "margin_rule": result.margin_words,
                "models": [
                    {"model": result.reference, **level_record(result.level, result.undefined)},
                    *(_record(other) for other in result.others),
                ],
            }
            for result in results
        ],
        "notes": list(notes),
        "require": None
        if claim is None or verdict is None
        else {"claim": claim.text, "holds": verdict[0], "answer": verdict[1]},
    }


def level_record(level: Interval | None, undefined: str | None) -> dict[str, Any]:
    """Value with its interval as JSON; numbers that do not exist are null."""
    if level is None:
        return {"value": None, "reason": undefined}
    return {
        "value": finite_or_none(level.mean),
        "low": finite_or_none(level.low),
        "high": finite_or_none(level.high),
        "standard_error": finite_or_none(level.standard_error),
        "method": level.method,
        "target": level.target,
        "reason": level.reason,
    }


def _record(other: Against) -> dict[str, Any]:
    record = {"model": other.model, **level_record(other.level, other.undefined)}
    if other.difference is None:
        return {**record, "difference": None}
    shown = difference_record(other.difference)
    shown["p_adjusted"] = finite_or_none(other.p_adjusted)
    for key in ("better", "equivalent", "worse", "p_equivalence"):
        chances = other.equivalence
        shown[key] = None if chances is None else finite_or_none(getattr(chances, key))
    return {**record, "difference": shown}


def difference_record(difference: Difference) -> dict[str, Any]:
    """Difference as JSON; numbers that do not exist are null."""
    numbers = ("difference", "low", "high", "standard_error", "p")
    return {
        **{key: finite_or_none(getattr(difference, key)) for key in numbers},
        "method": difference.method,
        "target": difference.target,
        "reason": difference.reason,
    }
