"""Colours of models: in figures, on pages and in MLflow's dashboard."""

from __future__ import annotations

from collections.abc import Sequence

MODELS = ("#0072b2", "#c25400", "#007a5a")
"""Colours of the best model, the next best and a reference; readable as text on white."""

OTHER = "#5f6368"
"""Colour of all further models: more than three colours cannot be told apart."""


def colours_of(names: Sequence[str], coloured: Sequence[str] = ()) -> dict[str, str]:
    """Colour of each model: `coloured` models, by default the first, get one of their own."""
    chosen = [name for name in coloured or names if name in names][: len(MODELS)]
    return {name: MODELS[chosen.index(name)] if name in chosen else OTHER for name in names}
