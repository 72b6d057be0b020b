"""Candidates by losses: what a run prints, notes in MLflow, and reads back from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xentexp.errors import unknown_name
from xentexp.losses import LOSSES


@dataclass(frozen=True)
class Row:
    """One candidate.

    Parameters
    ----------
    model : str
        Its name.
    mean, std, standard_error, regret : mapping
        By loss: mean and standard deviation over the folds, standard error over the rows, and
        expected loss above the best possible where that is known.
    seconds : float
        Time of all its fits.
    reason : str or None
        Why it failed, if it did.
    """

    model: str
    mean: Mapping[str, float] = field(default_factory=dict)
    std: Mapping[str, float] = field(default_factory=dict)
    standard_error: Mapping[str, float] = field(default_factory=dict)
    regret: Mapping[str, float] = field(default_factory=dict)
    seconds: float = math.nan
    reason: str | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Candidates by losses, best first.

    Parameters
    ----------
    rows : tuple of Row
        Candidates, in any order.
    primary : str
        Loss that ranks them.

    Examples
    --------
    >>> rows = Row("a", {"brier_loss": 0.2}), Row("b", {"brier_loss": 0.1}), Row("c", reason="?")
    >>> [row.model for row in Leaderboard(rows, "brier_loss").ranked()]
    ['b', 'a', 'c']
    """

    rows: tuple[Row, ...]
    primary: str

    def ranked(self) -> list[Row]:
        """Rows by the primary loss; those without it after, failed ones last."""

        def key(row: Row) -> tuple[int, float]:
            if row.reason is not None:
                return 2, 0.0
            value = row.mean.get(self.primary, math.nan)
            return (1, 0.0) if math.isnan(value) else (0, value)

        return sorted(self.rows, key=key)

    def best(self) -> Row | None:
        """Row of the smallest primary loss, if any has it."""
        first = next(iter(self.ranked()), None)
        return first if first is not None and self.primary in first.mean else None

    def losses(self) -> list[str]:
        """Losses that some candidate has, in the order of the table of losses."""
        found = {name for row in self.rows for name in row.mean}
        return [name for name in LOSSES if name in found]

    def lowest(self, loss: str) -> float | None:
        """Smallest mean of a loss among the candidates; None for one that ranks nothing."""
        values = [row.mean[loss] for row in self.rows if loss in row.mean]
        ranks = LOSSES[loss].facts.direction == "lower"
        return min(values) if values and ranks else None

    def sorted_by(self, loss: str) -> Leaderboard:
        """The same candidates, ranked by another loss."""
        ranking = [name for name in self.losses() if LOSSES[name].facts.direction == "lower"]
        if loss not in ranking:
            raise unknown_name("loss to sort by", loss, ranking)
        return Leaderboard(self.rows, loss)

    def to_markdown(self) -> str:
        """Table for a note: one line per loss, one column per candidate, best first."""
        rows = [row for row in self.ranked() if row.reason is None]
        best = self.best()
        lines = []
        if best is not None:
            value, spread = best.mean[self.primary], best.std.get(self.primary, math.nan)
            lines += [f"Lowest {self.primary}: **{best.model}**, {value:.4f} ± {spread:.4f}", ""]
        lines += [
            f"| loss | {' | '.join(row.model.replace('_', ' ') for row in rows)} |",
            f"|---|{'---:|' * len(rows)}",
        ]
        for loss in self.losses():
            cells = []
            for row in rows:
                if loss not in row.mean:
                    cells.append("-")
                    continue
                text = f"{row.mean[loss]:.4f}&nbsp;±&nbsp;{row.std.get(loss, math.nan):.4f}"
                mark = "**" if row.mean[loss] == self.lowest(loss) else ""
                cells.append(f"&nbsp;{mark}{text}{mark}&nbsp;")  # MLflow sets no space between
            lines.append(f"| {loss} | {' | '.join(cells)} |")
        lines += ["", f"Mean ± standard deviation over the folds; ranked by {self.primary}."]
        failed = [row for row in self.ranked() if row.reason is not None]
        lines += [f"\nFailed: **{row.model}**: {row.reason}" for row in failed]
        return "\n".join(lines)

    def to_records(self) -> list[dict[str, Any]]:
        """JSON-able rows, best first; numbers that are none are null."""
        return [
            {
                "model": row.model,
                "status": "ok" if row.reason is None else "failed",
                "reason": row.reason,
                "seconds": _number(row.seconds),
                **{
                    what: {name: _number(value) for name, value in getattr(row, what).items()}
                    for what in ("mean", "std", "standard_error", "regret")
                },
            }
            for row in self.ranked()
        ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
