"""Sentences on the order of models: each is a template whose conditions and values are numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xentexp.experiments._formatting import and_list, counted, decimals_for, signed
from xentexp.experiments._ranking import better
from xentexp.inference import Difference, Equivalence, Interval

FEW_EVENTS = 40
"""Rows of a class below which intervals of AUC and KS cover too little (simulated)."""

NEARLY_EQUAL = 0.99
"""Correlation of the losses of two models over the rows above which they are nearly equal.

In simulations of 500 rows in 5 folds, intervals over only the rows covered .83 to .91 for pairs of
logistic regressions above it (one feature more, another penalty), and .93 for a pair with
correlation .2. The limit guarantees nothing: pairs with correlation .945 were covered too rarely as
well. Therefore the wider of the intervals over rows and folds is shown for all pairs, and this
limit only decides whether a warning says so.
"""


@dataclass(frozen=True)
class Standing:
    """Models by one loss or metric; mappings are by model, the best model first."""

    name: str  # of the loss or metric
    levels: Mapping[str, Interval]
    differences: Mapping[str, Difference]  # a model minus the best
    best: str | None
    tied: tuple[str, ...]  # models that cannot be told from the best, without it
    constant: frozenset[str]  # models with constant predictions

    @property
    def decimals(self) -> int:
        """Decimals of values and differences, so that the smallest standard error shows."""
        values = [level.mean for level in self.levels.values()]
        errors = [difference.standard_error for difference in self.differences.values()]
        return decimals_for(values, errors)

    @property
    def n_tests(self) -> int:
        """Number of models that are tested against the best."""
        return sum(not math.isnan(self.differences[model].p) for model in self.rivals())

    def gap(self, model: str) -> tuple[float, float, float]:
        """How much worse a model is than the best, with the limits of the interval."""
        difference = self.differences[model]
        limits = difference.difference, difference.low, difference.high
        if (better(self.name) or ("lower", math.nan))[0] == "higher":
            value, low, high = (-limit for limit in limits)
            return value, high, low
        return limits

    def rival(self) -> str | None:
        """The closest model that cannot be told from the best, else the next best."""
        rivals = self.rivals()
        return next((model for model in rivals if model in self.tied), next(iter(rivals), None))

    def below_constant(self) -> Iterator[str]:
        """Warning if the best model is not better than a constant one."""
        for model in self.constant_rivals():
            if self.differences[model].reason is not None:
                continue
            gap, low, high = self.gap(model)
            if low <= 0.0 and len(self.rivals()):
                verdict = "is worse than" if high < 0.0 else "is not shown to be better than"
                yield (
                    f"{self.best} {verdict} the constant model {model} ({self.name} "
                    f"{signed(self.levels[model].mean, self.decimals)}, difference "
                    f"{signed(gap, self.decimals)})."
                )

    def constant_rivals(self) -> list[str]:
        """Constant models that have a difference to the best."""
        return [model for model in self.differences if model in self.constant]

    def rivals(self) -> list[str]:
        """Models other than the best that are not constant and have a difference to it."""
        return [model for model in self.differences if model not in self.constant]


def answer_of(
    standing: Standing, equivalence: Equivalence | None, *, default_margin: bool = True
) -> str:
    """Which model is best, against which other, by how much, how sure, and whether it matters."""
    return " ".join(answer_parts(standing, equivalence, default_margin=default_margin))


def answer_parts(
    standing: Standing, equivalence: Equivalence | None, *, default_margin: bool = True
) -> tuple[str, ...]:
    """Sentences of the answer, the first of which says which model is best and how sure that is."""
    # `default_margin` says whether the margin of `equivalence` is the default one.
    name, best = standing.name, standing.best
    if not standing.levels:
        return (f"No model has a value of {name}.",)
    if best is None:
        return (f"No model has a finite value of {name}, so that it ranks none.",)
    direction, optimum = better(name) or ("none", math.nan)
    value = signed(standing.levels[best].mean, standing.decimals)
    if direction == "nearest":
        interval = _own_interval(standing, best)
        return (
            f"{best} has the {name} nearest to {optimum:g}: {value}{interval}.",
            f"Differences of {name} are not tested.",
        )
    rival = standing.rival()
    if rival is None:
        return _alone(standing, best, value)
    superlative, relation = ("highest", "above") if direction == "higher" else ("lowest", "below")
    among = ""
    if any(standing.gap(model)[0] < 0.0 for model in standing.constant_rivals()):
        among = " of the models that are not constant"
    difference = standing.differences[rival]
    gap, low, high = standing.gap(rival)
    by = signed(gap, standing.decimals)
    if difference.reason is not None:
        if not math.isfinite(gap):
            return (
                f"{best} has the {superlative} {name}{among}: {value}; it is "
                f"{signed(standing.levels[rival].mean, standing.decimals)} for {rival}.",
            )
        return (
            f"{best} has the {superlative} {name}{among}: {value}, {by} {relation} {rival}.",
            f"The difference has no interval: {difference.reason}.",
        )
    group = and_list([best, *standing.tied], most=4)
    if gap == low == high == 0.0:
        return (f"{group} have the same {name}, {value}.",)
    interval = _limits(low, high, standing.decimals, difference.confidence)
    if standing.tied:
        if low > 0.0:
            tests = counted(standing.n_tests, "comparison")
            interval += f", not significant after the adjustment for {tests}"
        start = (
            f"{group} cannot be told apart by {name}: {best} has the {superlative}{among}, {value}"
        )
    else:
        start = f"{best} has the {superlative} {name}{among}: {value}"
    first = f"{start}, {by} {relation} {rival} ({interval}; {_target(difference)})."
    return (first, *_matters(standing, rival, equivalence, default_margin))


def short_answer(
    standing: Standing, equivalence: Equivalence | None, *, default_margin: bool = True
) -> tuple[str, ...]:
    """Sentences of the answer, with a sentence of its own on what the interval is about."""
    first, *others = answer_parts(standing, equivalence, default_margin=default_margin)
    short, about, target = first.rpartition("; for ")
    if about and target.endswith(")."):
        return (f"{short}).", f"The interval is for {target.removesuffix(').')}.", *others)
    return (first, *others)


def compact_answer(standing: Standing, equivalence: Equivalence | None) -> str:
    """The answer in about 100 characters, for places that show the beginning of one line."""
    best, rival = standing.best, standing.rival()
    direction = (better(standing.name) or ("none", math.nan))[0]
    if best is None or rival is None or direction not in ("higher", "lower"):
        return short_answer(standing, equivalence)[0]
    difference = standing.differences[rival]
    if difference.reason is not None:
        return short_answer(standing, equivalence)[0]
    by, low, high = (signed(value, standing.decimals) for value in standing.gap(rival))
    relation = "above" if direction == "higher" else "below"
    value = f"{standing.name} {signed(standing.levels[best].mean, standing.decimals)}"
    value += f" (in brackets: {difference.confidence:.0%} interval)"
    interval = f"[{low}, {high}] {relation} {rival}"
    known = _known_verdict(standing, equivalence)
    if standing.tied:
        group = and_list([best, *standing.tied], most=4)
        small = _COMPACT[known] if known == "does not matter" else ""
        return f"{group} cannot be told apart: {best} is {by} {interval}{small}. {value}."
    return f"{best} is best: {by} {interval}{_COMPACT[known]}. {value}."


def _alone(standing: Standing, best: str, value: str) -> tuple[str, ...]:
    """Answer if no other model has a value; it is compared with a constant model."""
    text = f"{best} has {standing.name} {value}{_own_interval(standing, best)}"
    last = f"No other model has a value of {standing.name}, constant ones aside."
    constant = next(iter(standing.differences), None)
    if constant is None or standing.differences[constant].reason is not None:
        return (f"{text}.", last)
    gap, low, high = standing.gap(constant)
    by, decimals = abs(gap), standing.decimals
    limits = (low, high) if gap >= 0.0 or low <= 0.0 <= high else (-high, -low)
    interval = _limits(*limits, decimals, standing.differences[constant].confidence)
    if low <= 0.0 <= high:
        return (
            f"{text}.",
            f"It cannot be told apart from constant class frequencies, whose {standing.name} is "
            f"{signed(standing.levels[constant].mean, decimals)}: difference "
            f"{signed(gap, decimals)} ({interval}).",
            last,
        )
    relation = "better" if gap > 0.0 else "worse"
    return (
        f"{text}, {signed(by, decimals)} {relation} than constant class frequencies ({interval}).",
        last,
    )


def _own_interval(standing: Standing, model: str) -> str:
    level = standing.levels[model]
    if level.reason is not None:
        return ""
    limits = _limits(level.low, level.high, standing.decimals, level.confidence)
    return f" ({limits}; {_target(level)})"


def _matters(
    standing: Standing, rival: str, equivalence: Equivalence | None, default: bool
) -> tuple[str, ...]:
    """Whether the difference exceeds the margin of practical equivalence."""
    if equivalence is None or equivalence.reason is not None:
        return ()
    margin = equivalence.margin
    size = f"{margin:.2g}" + (f" ({margin_rule(standing.name)})" if default else "")
    verdict = _verdict(standing, rival, margin)
    if verdict == "matters":
        return (f"The difference matters: it is more than the margin of {size}.",)
    if verdict == "does not matter":
        return (
            f"The difference does not matter in practice: it is less than the margin of {size}.",
        )
    return (
        f"Whether it is more than the margin of {size} is open (probabilities: "
        f"{standing.best} better by more {_percent(equivalence.better)}, within the margin "
        f"{_percent(equivalence.equivalent)}, {rival} better by more "
        f"{_percent(equivalence.worse)}).",
    )


def _verdict(standing: Standing, rival: str, margin: float) -> str:
    _, low, high = standing.gap(rival)
    if low > margin:
        return "matters"
    return "does not matter" if -margin < low and high < margin else "open"


_SHORT = {
    "matters": "The difference matters.",
    "does not matter": "The difference does not matter in practice.",
    "open": "Whether the difference matters is open.",
    "": "",
}

_COMPACT = {
    "matters": ", enough to matter",
    "does not matter": ", too little to matter",
    "open": ", perhaps too little to matter",
    "": "",
}


def short_verdict(standing: Standing, equivalence: Equivalence | None) -> str:
    """Whether the difference to the closest model matters, as one short sentence or nothing."""
    return _SHORT[_known_verdict(standing, equivalence)]


def _known_verdict(standing: Standing, equivalence: Equivalence | None) -> str:
    """Key of the sentence on the closest model; empty if there is nothing to say."""
    rival = standing.rival()
    if rival is None or equivalence is None or equivalence.reason is not None:
        return ""
    if len(answer_parts(standing, equivalence)) < 2:  # equal models
        return ""
    return _verdict(standing, rival, equivalence.margin)


def margin_rule(name: str) -> str:
    """Default margin of practical equivalence, in words."""
    direction, optimum = better(name) or ("lower", math.nan)
    if direction == "lower" and optimum == 0.0:
        return "1% of the best value"
    if math.isfinite(optimum):
        return f"1% of the distance of the best value from {optimum:g}"
    return "1% of the best value"


def default_margin(name: str, best: float) -> float:
    """1% of the distance of the best value from the optimum, or from 0 without an optimum."""
    _, optimum = better(name) or ("lower", math.nan)
    return 0.01 * abs(best - (optimum if math.isfinite(optimum) else 0.0))


def rule_of(standing: Standing) -> str:
    """How intervals and marks are made."""
    order = [*standing.rivals(), *standing.constant_rivals()]
    known = (standing.differences[model] for model in order)
    difference = next((d for d in known if d.reason is None), None)
    if difference is None:
        return ""
    shown = [by for by in (_over_rows(difference), _over_folds(difference)) if by]
    interval = shown[0] if len(shown) == 1 else f"the wider of two: {' and '.join(shown)}"
    rule = (
        f"Difference: model minus best, with the {difference.confidence:.0%} interval {interval}."
    )
    if not standing.n_tests:
        return rule
    return (
        f"{rule} * cannot be told from the best: two-sided test with this interval at "
        f"{1.0 - difference.confidence:.2g}, adjusted for "
        f"{counted(standing.n_tests, 'comparison')} (Holm)."
    )


def _over_rows(difference: Difference) -> str:
    rows = difference.by_rows
    if rows is None or rows.reason is not None:
        return ""
    if rows.n_groups is not None:
        return f"over {counted(rows.n_rows, 'row')} clustered by {rows.n_groups:,} entities"
    if "Newey-West" in rows.method:
        return f"over {counted(rows.n_rows, 'row')} in time order (Newey-West variance)"
    return f"over {counted(rows.n_rows, 'row')}"


def _over_folds(difference: Difference) -> str:
    folds = difference.by_folds
    if folds is None or folds.reason is not None:
        return ""
    return f"over {folds.df + 1} folds (corrected t)"


def _target(interval: Interval | Difference) -> str:
    """What an interval is about, e.g. "these fitted models, new rows clustered by 50 entities"."""
    rows = interval.by_rows if isinstance(interval, Difference) else interval
    if interval.target == "algorithm":
        return "for models fitted to other samples of this size"
    clusters = ""
    if rows is not None and rows.n_groups is not None:
        clusters = f", clustered by {rows.n_groups:,} entities"
    return f"for these fitted models on new rows like these{clusters}"


def _limits(low: float, high: float, decimals: int, confidence: float) -> str:
    return f"{confidence:.0%} interval {signed(low, decimals)} to {signed(high, decimals)}"


def _percent(share: float) -> str:
    if share < 0.01:
        return "<1%"
    return ">99%" if share > 0.99 else f"{share:.0%}"
