"""Classes with few rows: leave them out, or join them into one class."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import pandas as pd

from xentexp.errors import InputError

DEFAULT_BELOW = 5
"""Classes with fewer rows are rare by default, because five folds are the default."""

JOINED = ("other", "other classes", "joined rare classes")
SHOWN = 5


@dataclass(frozen=True)
class RareClasses:
    """Classes with few rows, and what replaces them."""

    labels: frozenset[Any]
    joined: str | None  # label of the class that replaces them; None: their rows are left out
    note: str

    def replaced(self, frame: pd.DataFrame, target: str) -> pd.DataFrame:
        """The table without the rows of rare classes, or with the joined class."""
        few = frame[target].isin(self.labels)
        if self.joined is None:
            return frame[~few]
        texts = frame[target].map(_text, na_action="ignore").astype(object)
        return frame.assign(**{target: texts.mask(few, self.joined)})


def find_rare(
    y: pd.Series[Any], rare: str | None, below: int | None, *, ordered: bool
) -> RareClasses | None:
    """Classes with fewer than `below` rows; None if there are none or they stay."""
    if rare not in (None, "drop", "join"):
        raise InputError(f"table: rare must be 'drop', 'join' or None; got {rare!r}")
    if below is not None and below < 2:
        raise InputError(f"table: rare_below must be an integer >= 2; got {below}")
    if below is not None and rare is None:
        raise InputError("table: rare_below is only used with rare; set rare to 'drop' or 'join'")
    if rare == "join" and ordered:
        raise InputError(
            "table: rare must be 'drop' or None for ordered classes, because joined classes have "
            "no place in the order; got 'join'"
        )
    below = below or DEFAULT_BELOW
    counts = y.value_counts()
    counts = counts[counts > 0]  # of categories without rows
    few = counts[counts < below]
    if rare is None or few.empty:
        return None
    labels = frozenset(few.index)
    by_size = sorted(few.items(), key=lambda item: (-item[1], str(item[0])))
    listed = ", ".join(f"{_text(label)} ({count:,})" for label, count in by_size[:SHOWN])
    listed += f" and {len(few) - SHOWN:,} more" if len(few) > SHOWN else ""
    few_rows = f"with fewer than {below} rows: {listed}"
    if rare == "drop":
        left = len(counts) - len(few)
        if left < 2:
            raise InputError(
                f"table: rare must leave at least two classes; {left} of {len(counts)} classes "
                f"{'has' if left == 1 else 'have'} at least {below} rows; set rare_below to a "
                f"smaller number, or check the target"
            )
        n, rows = len(few), int(few.sum())
        note = (
            f"left out {rows:,} {'row' if rows == 1 else 'rows'} of "
            f"{n:,} {'class' if n == 1 else 'classes'} {few_rows}"
        )
        return RareClasses(labels, None, note)
    joined = int(few.sum())
    if joined < below:
        raise InputError(
            f"table: joined classes must have at least {below} rows in total; got only {joined} "
            f"({listed}); set rare to drop"
        )
    others = {_text(label) for label in counts.index if label not in labels}
    name = next(name for name in JOINED if name not in others)
    note = f"joined {len(few):,} classes {few_rows}, into the class {name!r}"
    return RareClasses(labels, name, note)


def _text(label: object) -> str:
    """A label as text: 1 for 1.0."""
    whole = isinstance(label, Real) and not isinstance(label, bool) and float(label).is_integer()
    return str(int(label)) if whole else str(label)  # type: ignore[call-overload]
