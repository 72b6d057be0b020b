"""Leaderboard: candidates by losses and metrics, as tables and records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

from xentexp.errors import InputError, unknown_name
from xentexp.experiments._formatting import finite_or_none, fixed, markdown_table, spaced
from xentexp.losses import LOSSES
from xentexp.metrics._registry import DEFAULT_METRICS, get_metric

if TYPE_CHECKING:
    import pandas as pd

SHOWN = (
    "categorical_crossentropy",
    "brier_loss",
    "d2_categorical_crossentropy",
    "roc_auc",
    "gini",
    "ks_statistic",
    "expected_calibration_error",
    "calibration_slope",
    "calibration_intercept",
    "zero_one_loss",
)
"""What a result prints, where it applies; the key ``leaderboard`` of conf/run.yaml is the same."""


def better(name: str) -> tuple[str, float] | None:
    """Which values of a loss or metric are better, and the best one."""
    try:
        metric = get_metric(name)
    except InputError:
        return None
    direction, optimum = metric.properties.direction, metric.properties.optimum
    return None if direction == "none" else (direction, math.nan if optimum is None else optimum)


def higher_is_better(name: str) -> bool:
    """Whether higher values of a loss or metric are better."""
    found = better(name)
    return found is not None and found[0] == "higher"


def _distance(name: str, value: float) -> float:
    """How far a value is from good; infinite for NaN."""
    direction, optimum = better(name) or ("lower", math.nan)
    distance = {"lower": value, "higher": -value, "nearest": abs(value - optimum)}[direction]
    return math.inf if math.isnan(distance) else distance


def _name_among(name: str, known: Sequence[str]) -> str:
    """The name that an everyday one stands for, unless it is known itself."""
    if name in known:
        return name
    try:
        return get_metric(name).name
    except InputError:  # e.g. of a plug-in that is no longer installed
        return name


@dataclass(frozen=True)
class Row:
    """One candidate."""

    model: str
    mean: Mapping[str, float] = field(default_factory=dict)
    std: Mapping[str, float] = field(default_factory=dict)
    standard_error: Mapping[str, float] = field(default_factory=dict)
    regret: Mapping[str, float] = field(default_factory=dict)
    seconds: float = math.nan
    reason: str | None = None

    def value(self, name: str) -> float:
        """Mean of a loss or metric; NaN where it has none."""
        return self.mean.get(name, math.nan)


@dataclass(frozen=True)
class Leaderboard:
    """Candidates by losses and metrics, best first.

    Parameters
    ----------
    rows : tuple of Row
        Candidates, in any order.
    primary : str
        Loss or metric that ranks them.
    chosen : tuple of str or None
        Losses and metrics that a table shows, those of them that some candidate has; None for
        all. The records have all.

    Examples
    --------
    >>> rows = Row("a", {"gini": 0.2}), Row("b", {"gini": 0.3}), Row("c", reason="?")
    >>> [row.model for row in Leaderboard(rows, "gini").ranked()]
    ['b', 'a', 'c']
    """

    rows: tuple[Row, ...]
    primary: str
    chosen: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return "\n".join([self._table().to_string(), "", *self._notes()])

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(note)}</p>" for note in self._notes())
        return f"{self._table().to_html()}{notes}"

    def to_frame(self) -> pd.DataFrame:
        """Means over the folds: one row for each loss or metric, a column per candidate.

        Returns
        -------
        DataFrame
            Best candidate first; failed ones are left out. The chosen losses and metrics, or all.
        """
        import pandas as pd

        rows = [row for row in self.ranked() if row.reason is None]
        shown = self.names() if self.chosen is None else self.shown()
        names = pd.Index(shown, name="metric", dtype=object)
        means = {row.model: [row.value(name) for name in names] for row in rows}
        return pd.DataFrame(means, index=names, dtype=float)

    def _table(self) -> pd.DataFrame:
        """Means and standard deviations as text, and which values are best."""
        import pandas as pd

        names = self.shown()
        columns = {
            row.model: [_mean_std(row, name) for name in names]
            for row in self.ranked()
            if row.reason is None
        }
        return pd.DataFrame({"best": [best_is(name) for name in names], **columns}, index=names)

    def _notes(self) -> list[str]:
        notes = [f"Mean ± standard deviation over the folds, ranked by {self.primary}."]
        hidden = len(self.names()) - len(self.shown())
        if hidden:
            notes += [f"{hidden} more losses and metrics: leaderboard().to_frame()"]
        failed = (row for row in self.ranked() if row.reason is not None)
        return notes + [f"{row.model} failed: {row.reason}" for row in failed]

    def ranked(self) -> list[Row]:
        """Rows by the primary loss, best first; those without it after, failed ones last."""

        def key(row: Row) -> tuple[int, float]:
            if row.reason is not None:
                return 2, 0.0
            distance = _distance(self.primary, row.value(self.primary))
            return (0, distance) if distance < math.inf else (1, 0.0)

        return sorted(self.rows, key=key)

    def best(self) -> Row | None:
        """Row of the best value of the primary loss, if any has one."""
        first = next(iter(self.ranked()), None)
        return None if first is None or math.isnan(first.value(self.primary)) else first

    def names(self) -> list[str]:
        """Losses and metrics that some candidate has, in the order of their tables."""
        found = {name for row in self.rows for name in row.mean if row.mean[name] == row.mean[name]}
        known = [*LOSSES, *DEFAULT_METRICS]
        return [
            *(name for name in known if name in found),
            *sorted(found.difference(known)),
        ]

    def shown(self) -> list[str]:
        """What a table shows: the chosen few that some candidate has, or all but repetitions."""
        names = self.names()
        if self.chosen is None:
            return [name for name in names if name not in self.repeated()]
        return [name for name in dict.fromkeys(self.chosen) if name in names]

    def repeated(self) -> dict[str, str]:
        """Losses that are another one on every candidate, as several are on two classes."""
        seen: dict[tuple[Any, ...], str] = {}
        repeated: dict[str, str] = {}
        for name in sorted(self.names(), key=lambda name: name != self.primary):
            if name in LOSSES:
                values = [
                    f"{part.get(name, math.nan):.12g}"
                    for row in self.rows
                    for part in (row.mean, row.std)
                ]
                first = seen.setdefault((better(name) is None, *values), name)
                if first != name:
                    repeated[name] = first
        return repeated

    def best_value(self, name: str) -> float | None:
        """Best mean of a loss or metric among the candidates; None where it ranks nothing."""
        values = [row.mean[name] for row in self.rows if not math.isnan(row.value(name))]
        if not values or better(name) is None:
            return None
        return min(values, key=lambda value: _distance(name, value))

    def sorted_by(self, name: str) -> Leaderboard:
        """The same candidates, ranked by another loss or metric, which the table shows."""
        ranking = [known for known in self.names() if better(known) is not None]
        name = _name_among(name, ranking)
        if name not in ranking:
            raise unknown_name("loss to sort by", name, ranking)
        chosen = self.chosen
        if chosen is not None and name not in chosen:
            chosen = (name, *chosen)
        return replace(self, primary=name, chosen=chosen)

    def showing(self, names: Sequence[str] | None) -> Leaderboard:
        """The same candidates, with other losses and metrics in the table; None for all."""
        if names is None:
            return replace(self, chosen=None)
        known = self.names()
        names = [_name_among(name, known) for name in names]
        for name in names:
            if name not in known:
                raise unknown_name("loss of this leaderboard", name, known)
        if not names:
            raise InputError("losses to show must be one at least; got none")
        return replace(self, chosen=tuple(names))

    def to_markdown(self) -> str:
        """Table for a note: one line per loss, one column per candidate, best first."""
        rows = [row for row in self.ranked() if row.reason is None]
        best = self.best()
        lines = []
        if best is not None:
            value, spread = best.mean[self.primary], best.std.get(self.primary, math.nan)
            text = f"{fixed(value)} ± {spread:.4f}"
            lines += [f"Best {self.primary}: **{best.model}**, {text}", ""]
        shown = self.shown()
        cells = [
            [name, best_is(name), *(self._markdown_cell(row, name) for row in rows)]
            for name in shown
        ]
        headers = ["loss", "best", *(spaced(row.model) for row in rows)]
        lines += [markdown_table(headers, cells, n_text_columns=2)]
        lines += ["", f"Mean ± standard deviation over the folds; ranked by {self.primary}."]
        if len(self.names()) > len(shown):
            lines += ["The other losses and metrics: among the metrics of each run, as cv/NAME."]
        failed = [row for row in self.ranked() if row.reason is not None]
        lines += [f"\nFailed: **{row.model}**: {row.reason}" for row in failed]
        return "\n".join(lines)

    def _markdown_cell(self, row: Row, name: str) -> str:
        if math.isnan(row.value(name)):
            return "-"
        text = f"{fixed(row.mean[name])}&nbsp;±&nbsp;{row.std.get(name, math.nan):.4f}"
        mark = "**" if row.mean[name] == self.best_value(name) else ""
        return f"&nbsp;{mark}{text}{mark}&nbsp;"  # MLflow sets no space between columns

    def to_records(self) -> list[dict[str, Any]]:
        """JSON-able rows, best first, with all losses; NaN and infinite values are None."""
        return [
            {
                "model": row.model,
                "status": "ok" if row.reason is None else "failed",
                "reason": row.reason,
                "seconds": finite_or_none(row.seconds),
                **{
                    what: {
                        name: finite_or_none(value) for name, value in getattr(row, what).items()
                    }
                    for what in ("mean", "std", "standard_error", "regret")
                },
            }
            for row in self.ranked()
        ]


def best_is(name: str) -> str:
    """Which values are best, in a word: ``low``, ``high``, ``near 1``, ``-``."""
    found = better(name)
    if found is None:
        return "-"
    return {"lower": "low", "higher": "high", "nearest": f"near {found[1]:g}"}[found[0]]


def _mean_std(row: Row, name: str) -> str:
    mean, std = row.value(name), row.std.get(name, math.nan)
    return fixed(mean) if math.isnan(std) else f"{fixed(mean)} ± {fixed(std)}"
