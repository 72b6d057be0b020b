"""What is known about the order of the models: intervals, differences and the answer, as records.

`_assess` computes them from predictions; reading them from a store needs neither SciPy nor
scikit-learn.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xentexp.errors import InputError
from xentexp.experiments._json_values import decoded, encoded
from xentexp.experiments._ranking import distance, higher_is_better
from xentexp.experiments._sentences import Standing, answer_of, default_margin, rule_of
from xentexp.inference import Difference, Equivalence, Interval, equivalence, holm

VERSION = 1
"""Version of the record of `Uncertainty`."""

CONSTANT = "constant"
"""Name of the model that predicts the class frequencies, if no candidate is constant."""


@dataclass(frozen=True)
class ModelUncertainty:
    """Intervals of one model; mappings are by name of the loss or metric."""

    model: str
    levels: Mapping[str, Interval]  # of its own value
    differences: Mapping[str, Difference]  # this minus best; the best model has none
    constant: bool = False  # predicts the same probabilities for all rows of a fold
    undefined: Mapping[str, str] = field(default_factory=dict)  # why it has no value


@dataclass(frozen=True)
class Uncertainty:
    """What is known about the order of the models, in numbers and in sentences."""

    primary: str
    models: tuple[ModelUncertainty, ...]  # best first
    best: Mapping[str, str]  # by loss or metric
    tied: Mapping[str, tuple[str, ...]]  # models that cannot be told from the best, without it
    margin: float  # of practical equivalence, in units of the primary loss or metric
    equivalence: Equivalence | None  # best against next best
    answer: str
    rule: str
    warnings: tuple[str, ...] = ()
    correlations: Mapping[str, float] = field(default_factory=dict)  # of row losses with the best's

    def model(self, name: str) -> ModelUncertainty | None:
        """Intervals of a model; None if it has none."""
        return next((model for model in self.models if model.model == name), None)

    def standing(self, name: str) -> Standing:
        """Models by one loss or metric, best first, for sentences and tables."""
        return standing_of(
            name,
            {model.model: model.levels for model in self.models},
            {model.model: model.differences for model in self.models},
            self.best.get(name),
            frozenset(model.model for model in self.models if model.constant),
            self.tied.get(name, ()),
        )

    def ranked_by(self, name: str) -> Uncertainty | None:
        """The same with another primary loss or metric; None if it has no intervals."""
        standing = self.standing(name)
        if not standing.levels:
            return None
        margin, equivalent = practical(standing, None)
        return dataclasses.replace(
            self,
            primary=name,
            models=tuple(sorted(self.models, key=lambda m: place_of(standing, m.model))),
            margin=margin,
            equivalence=equivalent,
            answer=answer_of(standing, equivalent),
            rule=rule_of(standing),
            correlations={},
        )

    def to_record(self) -> dict[str, Any]:
        """JSON document: NaN is None, infinity is the text "inf" or "-inf"."""
        return {"version": VERSION, **encoded(dataclasses.asdict(self))}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Uncertainty:
        """Read a document that `to_record` made; keys of later versions are ignored."""
        version = record.get("version")
        if not isinstance(version, int) or version > VERSION:
            raise InputError(
                f"the stored intervals must have version {VERSION} or older; got version "
                f"{version!r}; install a newer xentexp"
            )
        return decoded(cls, record)


def standing_of(
    name: str,
    levels: Mapping[str, Mapping[str, Interval]],
    differences: Mapping[str, Mapping[str, Difference]],
    best: str | None,
    constant: frozenset[str],
    tied: tuple[str, ...] | None = None,
) -> Standing:
    """Models by one loss or metric; `tied` is computed if it is None."""
    order = sorted(
        (model for model in levels if name in levels[model]),
        key=lambda model: (model != best, distance(name, levels[model][name].mean)),
    )
    standing = Standing(
        name,
        {model: levels[model][name] for model in order},
        {model: differences[model][name] for model in order if name in differences[model]},
        best,
        tied or (),
        constant,
    )
    return dataclasses.replace(standing, tied=_tied(standing)) if tied is None else standing


def place_of(standing: Standing, model: str) -> int:
    """Place of a model; models without a value come last."""
    order = list(standing.levels)
    return order.index(model) if model in order else len(order)


def practical(standing: Standing, margin: float | None) -> tuple[float, Equivalence | None]:
    """Margin of practical equivalence, and the best model against its rival."""
    if standing.best is None:
        return math.nan, None
    if margin is None:
        margin = default_margin(standing.name, standing.levels[standing.best].mean)
    rival = standing.rival()
    if rival is None or standing.differences[rival].reason is not None:
        return margin, None
    return margin, equivalence(
        _reversed(standing.differences[rival]),
        margin=margin,
        higher_is_better=higher_is_better(standing.name),
    )


def _reversed(difference: Difference) -> Difference:
    """The same with the models in the other order."""
    return dataclasses.replace(
        difference,
        difference=-difference.difference,
        low=-difference.high,
        high=-difference.low,
        statistic=-difference.statistic,
    )


def _tied(standing: Standing) -> tuple[str, ...]:
    """Models that cannot be told from the best: Holm's adjustment of two-sided p-values."""
    rivals = standing.rivals()
    if not rivals:
        return ()
    differences = [standing.differences[model] for model in rivals]
    adjusted = holm([difference.p for difference in differences])
    level = 1.0 - differences[0].confidence
    return tuple(model for model, p in zip(rivals, adjusted, strict=True) if p > level)
